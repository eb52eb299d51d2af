//! kill -9 and SIGTERM in the middle of work: what was acknowledged is there afterwards, in order, once.
//!
//! ```text
//!  producers ── batches with sequences, five ahead of their answers ──▶ broker ◀── kill -9, start, kill -9, start …
//!      │ connection gone: connect again, send again what has no answer                │
//!      └── ledger: offset and value of every acknowledged record ──▶ compared with what is read in the end
//! ```

use crate::broker::{Broker, Directory, free_port, wait_for};
use crate::client::{Client, PRODUCE, batch_of, batch_of_producer};
use crate::random::Random;
use millrace::error::ErrorCode;
use millrace::wire::api::ApiKey;
use millrace::wire::messages::{
    DeleteTopicsRequest, DeleteTopicsResponse, MetadataRequest, MetadataResponse, ProduceResponse, delete_topics::DeleteTopicState,
};
use millrace::wire::{Message, Reader};
use millrace_io::{Error, blocking};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const TOPIC: &str = "ledger";
const PARTITIONS: i32 = 3;
const IN_FLIGHT: usize = 5;

/// What producers and the one who kills share.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    acknowledged: AtomicU64,
}

struct Producer {
    number: u32,
    partition: i32,
    address: String,
    load: Arc<Load>,
    random: Random,
    client: Option<Client>,
    identity: Option<(i64, i16)>,
    /// Batches without an answer, in order, with their sequence.
    pending: VecDeque<(i32, Vec<Vec<u8>>)>,
    /// How many of them have been sent on this connection.
    sent: usize,
    next: i32,
    /// Every record that has been acknowledged, and where it is if the broker has said so.
    ledger: Vec<(Option<i64>, Vec<u8>)>,
}

impl Producer {
    fn run(mut self) -> Producer {
        loop {
            let stopping = self.load.stop.load(Ordering::Relaxed);
            while !stopping && self.pending.len() < IN_FLIGHT {
                self.draw();
            }
            if self.pending.is_empty() {
                return self;
            }
            if self.step().is_err() {
                self.client = None;
                self.sent = 0;
                // Refused while the broker is away: nothing to wait for but another try.
                blocking::sleep(std::time::Duration::from_millis(1));
            }
        }
    }

    fn draw(&mut self) {
        let values: Vec<Vec<u8>> = (0..1 + self.random.below(40) as i32)
            .map(|i| {
                let padding = self.random.below(400);
                let mut value = format!("{}:{}:", self.number, self.next + i).into_bytes();
                value.resize(value.len() + padding, b'.');
                value
            })
            .collect();
        let sequence = self.next;
        self.next += values.len() as i32;
        self.pending.push_back((sequence, values));
    }

    /// Sends what has not been sent, and takes one answer.
    fn step(&mut self) -> Result<(), Error> {
        if self.client.is_none() {
            self.client = Some(Client::try_connect(&self.address)?);
        }
        let client = self.client.as_mut().expect("just connected");
        let identity = match self.identity {
            Some(identity) => identity,
            None => *self.identity.insert(client.producer_id()?),
        };
        while let Some((sequence, values)) = self.pending.get(self.sent) {
            let batch = batch_of_producer(identity, *sequence, values);
            client.send_produce(TOPIC, -1, &[(self.partition, Some(&batch))])?;
            self.sent += 1;
        }
        let body = client.receive(ApiKey::Produce, PRODUCE)?;
        let response = ProduceResponse::decode(&mut Reader::new(&body), PRODUCE).unwrap();
        let answer = &response.responses[0].partition_responses[0];
        let (sequence, values) = self.pending.pop_front().expect("an answer to a request");
        self.sent -= 1;
        let first = match answer.error_code {
            ErrorCode::None => Some(answer.base_offset).filter(|offset| *offset >= 0),
            ErrorCode::DuplicateSequenceNumber => None,
            other => panic!("producer {} sequence {sequence}: {other} {:?}", self.number, answer.error_message),
        };
        for (at, value) in (0..).zip(values) {
            self.ledger.push((first.map(|first| first + at), value));
            self.load.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Two producers for each partition, each on its own thread.
fn producers(address: &str, load: &Arc<Load>) -> Vec<blocking::Thread<Producer>> {
    let producer = |number: u32| Producer {
        number,
        partition: number as i32 % PARTITIONS,
        address: address.to_owned(),
        load: load.clone(),
        random: Random(u64::from(number)),
        client: None,
        identity: None,
        pending: VecDeque::new(),
        sent: 0,
        next: 0,
        ledger: Vec::new(),
    };
    (0..2 * PARTITIONS as u32)
        .map(|number| {
            let producer = producer(number);
            blocking::spawn("producer", move || producer.run()).unwrap()
        })
        .collect()
}

fn wait_for_more(load: &Load, broker: &mut Broker, records: u64) {
    let enough = load.acknowledged.load(Ordering::Relaxed) + records;
    wait_for("acknowledgements", || {
        broker.assert_runs();
        (load.acknowledged.load(Ordering::Relaxed) >= enough).then_some(())
    });
}

/// Everything that was acknowledged is where it was said to be; of each producer all records, in order, once.
fn settle(address: &str, producers: &[Producer]) -> usize {
    let mut client = Client::connect(address);
    let mut count = 0;
    for partition in 0..PARTITIONS {
        let found = client.read_all(TOPIC, partition);
        assert!((0..).zip(&found).all(|(expected, (offset, _))| expected == *offset), "partition {partition} has a gap");
        let mut by_producer: BTreeMap<u32, Vec<(i64, &[u8])>> = BTreeMap::new();
        for (offset, value) in &found {
            let number = value.split(|byte| *byte == b':').next().unwrap();
            let number = std::str::from_utf8(number).unwrap().parse().unwrap();
            by_producer.entry(number).or_default().push((*offset, value));
        }
        for producer in producers.iter().filter(|producer| producer.partition == partition) {
            let found = by_producer.remove(&producer.number).unwrap_or_default();
            assert_eq!(found.len(), producer.ledger.len(), "producer {}: records read, records acknowledged", producer.number);
            for ((offset, value), (said, acknowledged)) in found.iter().zip(&producer.ledger) {
                assert_eq!(*value, acknowledged, "producer {} at offset {offset}", producer.number);
                assert!(said.is_none_or(|said| said == *offset), "offset {offset} was acknowledged as {said:?}");
            }
            count += found.len();
        }
        assert!(by_producer.is_empty(), "records that nobody has sent");
    }
    count
}

fn under_load(sets: &[&str], rounds: usize, mut end: impl FnMut(usize, &mut Broker, &Path)) {
    let directory = Directory::new();
    let port = free_port();
    let mut broker = Broker::start_on(directory.path(), port, sets);
    Client::connect(&broker.address).create_topic(TOPIC, PARTITIONS, &[]);
    let load = Arc::new(Load::default());
    let running = producers(&broker.address, &load);
    let mut random = Random(blocking::random());
    for round in 0..rounds {
        wait_for_more(&load, &mut broker, 200 + random.below(3000) as u64);
        end(round, &mut broker, directory.path());
        broker = Broker::start_on(directory.path(), port, sets);
    }
    wait_for_more(&load, &mut broker, 500);
    load.stop.store(true, Ordering::Relaxed);
    let producers: Vec<Producer> = running.into_iter().map(blocking::Thread::join).collect();
    let count = settle(&broker.address, &producers);
    assert!(count > rounds * 200);
    // And once more after one last restart, when nobody writes.
    broker.kill();
    let broker = Broker::start_on(directory.path(), port, sets);
    assert_eq!(settle(&broker.address, &producers), count);
}

#[test]
fn every_acknowledged_record_survives_kill_9_in_order_and_once() {
    under_load(&[], 6, |_, broker, data| {
        broker.kill();
        assert!(!data.join(".kafka_cleanshutdown").exists());
    });
}

#[test]
fn segments_that_roll_while_the_broker_is_killed_lose_nothing() {
    under_load(&["log.segment.bytes=1048576", "log.index.interval.bytes=512"], 5, |_, broker, _| broker.kill());
}

#[test]
fn a_clean_stop_under_load_ends_with_status_0_and_leaves_nothing_to_scan() {
    under_load(&[], 3, |round, broker, data| {
        let status = broker.terminate();
        assert_eq!(status.code(), Some(0), "{}", broker.log().join("\n"));
        // What the start before this stop has said: it follows a clean stop, or is the first one.
        assert_eq!(broker.logged("recovery:"), 0, "round {round}:\n{}", broker.log().join("\n"));
        assert!(data.join(".kafka_cleanshutdown").exists(), "the mark of a clean stop");
    });
}

#[test]
fn the_mark_of_a_clean_stop_goes_before_anything_is_written_again() {
    let directory = Directory::new();
    let mut broker = Broker::start(directory.path(), &[]);
    Client::connect(&broker.address).create_topic(TOPIC, 1, &[]);
    assert_eq!(broker.stop_by("INT").code(), Some(0), "Ctrl-C stops it as cleanly");
    assert!(directory.join(".kafka_cleanshutdown").exists());
    let mut broker = Broker::start(directory.path(), &[]);
    assert!(!directory.join(".kafka_cleanshutdown").exists());
    broker.kill();
    assert!(!directory.join(".kafka_cleanshutdown").exists());
}

#[test]
fn a_torn_tail_is_cut_at_the_last_whole_batch() {
    let directory = Directory::new();
    let mut broker = Broker::start(directory.path(), &[]);
    let mut client = Client::connect(&broker.address);
    client.create_topic(TOPIC, 1, &[]);
    let whole = batch_of(&[b"whole"]);
    client.produce(TOPIC, -1, &[(0, Some(&whole))]);
    let mut expected = vec![(0, b"whole".to_vec())];
    let mut half = batch_of(&[b"this one was never acknowledged"]);
    half[..8].copy_from_slice(&1i64.to_be_bytes());
    let path = directory.join(&format!("{TOPIC}-0/00000000000000000000.log"));
    for tail in [half[..40].to_vec(), half[..half.len() - 1].to_vec(), vec![0xff; 300], vec![0; 5000], b"x".to_vec()] {
        broker.kill();
        let before = std::fs::read(&path).unwrap();
        // The file may have been allocated beyond its end.
        let batches: usize = millrace::log::batch::batches(&before).map(|(_, batch)| batch.len()).sum();
        std::fs::write(&path, [&before[..batches], &tail].concat()).unwrap();
        broker = Broker::start(directory.path(), &[]);
        let mut client = Client::connect(&broker.address);
        assert_eq!(client.read_all(TOPIC, 0), expected);
        let produced = client.produce(TOPIC, -1, &[(0, Some(&whole))]);
        assert_eq!(produced[0].base_offset, expected.len() as i64, "appends go on where the log ends");
        expected.push((produced[0].base_offset, b"whole".to_vec()));
        assert_eq!(client.read_all(TOPIC, 0), expected);
    }
}

#[test]
fn topics_that_were_made_or_deleted_stay_so_through_kill_9() {
    let directory = Directory::new();
    let port = free_port();
    let mut broker = Broker::start_on(directory.path(), port, &[]);
    let mut random = Random(blocking::random());
    let mut expected = BTreeSet::new();
    let mut number = 0;
    for _ in 0..4 {
        let mut client = Client::connect(&broker.address);
        for _ in 0..3 + random.below(6) {
            let name = format!("topic-{number}");
            number += 1;
            client.create_topic(&name, 1 + random.below(3) as i32, &[("retention.ms", "777777")]);
            client.produce(&name, -1, &[(0, Some(&batch_of(&[name.as_bytes()])))]);
            expected.insert(name);
            if random.chance(3) {
                let gone = expected.pop_first().unwrap();
                let topics = vec![DeleteTopicState { name: Some(gone), ..DeleteTopicState::default() }];
                let request = DeleteTopicsRequest { topics, timeout_ms: 30_000, ..DeleteTopicsRequest::default() };
                let response: DeleteTopicsResponse = client.call(6, &request);
                assert!(response.responses[0].error_code.is_ok());
            }
        }
        // What has no answer yet may or may not happen.
        let request = DeleteTopicsRequest { topic_names: vec!["nobody".into()], timeout_ms: 30_000, ..DeleteTopicsRequest::default() };
        client.send(ApiKey::DeleteTopics, 3, |w| request.encode(w, 3)).unwrap();
        broker.kill();
        broker = Broker::start_on(directory.path(), port, &[]);
        let mut client = Client::connect(&broker.address);
        let all: MetadataResponse = client.call(9, &MetadataRequest { topics: None, ..MetadataRequest::default() });
        let found: BTreeSet<String> = all.topics.into_iter().filter_map(|topic| topic.name).collect();
        assert_eq!(found, expected);
        for name in &expected {
            assert_eq!(client.read_all(name, 0), [(0, name.as_bytes().to_vec())]);
        }
    }
    // Directories of deleted topics are renamed, even where the broker was killed in between; those of the others stay.
    wait_for("deleted files to go", || {
        let directories = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let topics: BTreeSet<String> = directories
            .filter(|name| name.starts_with("topic-") && !name.ends_with("-delete") && !name.ends_with("-stray"))
            .map(|name| name.rsplit_once('-').unwrap().0.to_owned())
            .collect();
        (topics == expected).then_some(())
    });
}

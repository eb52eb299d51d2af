//! A reader of every partition: follows the tail by long polls, and at the end reads all of it from its beginning.

use crate::batch;
use crate::ledger::{Id, Ledger};
use crate::wire::{Answer, Wire};
use millrace::error::ErrorCode;
use millrace::wire::api::ApiKey;
use millrace::wire::codec::Reader as Decoder;
use millrace::wire::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use millrace_io::{Core, Event, Instant, Program};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const FETCH: i16 = 12;
const PATIENCE: Duration = Duration::from_secs(8);
const RETRY: Duration = Duration::from_millis(100);

pub struct Reader {
    broker: SocketAddr,
    topics: Vec<(String, i32)>,
    ledger: Arc<Mutex<Ledger>>,
    wire: Wire,
    /// Next offset of every partition.
    at: BTreeMap<(String, i32), i64>,
    /// What has been read since the last beginning, and where that was.
    found: BTreeMap<(String, i32), BTreeMap<i64, Id>>,
    starts: BTreeMap<(String, i32), i64>,
    /// End as the last answer said, once everything before has been read.
    whole: BTreeMap<(String, i32), i64>,
    asked: bool,
    wake: Instant,
    max_bytes: i32,
    /// Read everything once more from the beginning, then say so.
    audit: Arc<Mutex<Audit>>,
    auditing: bool,
    finished: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audit {
    No,
    Wanted,
    Done,
}

impl Reader {
    pub fn new(
        broker: SocketAddr,
        topics: Vec<(String, i32)>,
        max_bytes: i32,
        ledger: Arc<Mutex<Ledger>>,
        audit: Arc<Mutex<Audit>>,
    ) -> Reader {
        let mut reader = Reader {
            broker,
            topics,
            ledger,
            wire: Wire::default(),
            at: BTreeMap::new(),
            found: BTreeMap::new(),
            starts: BTreeMap::new(),
            whole: BTreeMap::new(),
            asked: false,
            wake: Instant::default(),
            max_bytes,
            audit,
            auditing: false,
            finished: false,
        };
        reader.begin();
        reader
    }

    fn begin(&mut self) {
        for (topic, partitions) in self.topics.clone() {
            for partition in 0..partitions {
                self.begin_partition(&topic, partition, 0);
            }
        }
    }

    fn begin_partition(&mut self, topic: &str, partition: i32, offset: i64) {
        let key = (topic.to_owned(), partition);
        self.at.insert(key.clone(), offset);
        self.starts.insert(key.clone(), offset);
        self.whole.remove(&key);
        self.found.insert(key, BTreeMap::new());
    }

    fn restart(&mut self, core: &mut Core) {
        self.wire.close(core);
        self.asked = false;
        self.wake = core.now() + RETRY;
    }

    fn go_on(&mut self, core: &mut Core) {
        if self.finished || self.asked || core.now() < self.wake {
            return;
        }
        if !self.wire.is_open() {
            self.wire.connect(core, self.broker);
            self.wake = core.now() + PATIENCE;
            return;
        }
        if !self.auditing && *self.audit.lock().unwrap() == Audit::Wanted {
            self.auditing = true;
            self.begin();
        }
        if self.auditing && self.whole.len() == self.at.len() {
            for ((topic, partition), end) in &self.whole {
                let key = (topic.clone(), *partition);
                self.ledger.lock().unwrap().check_whole(topic, *partition, self.starts[&key], *end, &self.found[&key]);
            }
            *self.audit.lock().unwrap() = Audit::Done;
            self.finished = true;
            self.wire.close(core);
            return;
        }
        let topics = self.topics.iter().map(|(topic, partitions)| FetchTopic {
            topic: topic.clone(),
            partitions: (0..*partitions)
                .map(|partition| FetchPartition {
                    partition,
                    fetch_offset: self.at[&(topic.clone(), partition)],
                    partition_max_bytes: self.max_bytes,
                    ..FetchPartition::default()
                })
                .collect(),
            ..FetchTopic::default()
        });
        let request = FetchRequest {
            max_wait_ms: 500,
            min_bytes: 1,
            max_bytes: self.max_bytes * 4,
            topics: topics.collect(),
            ..FetchRequest::default()
        };
        let era = self.ledger.lock().unwrap().era();
        self.wire.ask(core, era, FETCH, &request);
        self.asked = true;
        self.wake = core.now() + PATIENCE;
    }

    fn on_fetched(&mut self, core: &mut Core, answer: &Answer) {
        self.asked = false;
        self.wake = core.now() + Duration::from_micros(core.random() % 5_000);
        let body = &answer.frame[answer.body_at..];
        let response = FetchResponse::decode(&mut Decoder::new(body), answer.version).expect("a Fetch response");
        assert!(response.error_code.is_ok(), "no session, no error: {}", response.error_code);
        for topic in &response.responses {
            for partition in &topic.partitions {
                let data = &partition.data;
                let key = (topic.topic.to_owned(), data.partition_index);
                match data.error_code {
                    ErrorCode::None => {}
                    // A power cut has taken back what we had read, or the log start has moved.
                    ErrorCode::OffsetOutOfRange => {
                        assert!(self.ledger.lock().unwrap().may_lose(), "{key:?}: out of range without a power cut");
                        self.begin_partition(&key.0, key.1, 0);
                        continue;
                    }
                    ErrorCode::UnknownTopicOrPartition | ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => {
                        self.wake = core.now() + RETRY;
                        continue;
                    }
                    other => panic!("{key:?}: a sound fetch was refused with {other}"),
                }
                self.ledger.lock().unwrap().marks(answer.era, &key.0, key.1, data.high_watermark, data.log_start_offset);
                let records = partition.records.clone().map_or(&[][..], |range| &body[range]);
                let asked = self.at[&key];
                let mut next = asked;
                for (offset, value) in batch::values(records) {
                    assert!(offset < data.high_watermark, "{key:?}@{offset}: read at or above the high watermark {}", data.high_watermark);
                    if offset < asked {
                        continue;
                    }
                    assert_eq!(offset, next, "{key:?}: offsets of an answer are contiguous and begin where asked");
                    let id = Id::of(&value).unwrap_or_else(|| panic!("{key:?}@{offset}: a value that nobody sent"));
                    self.ledger.lock().unwrap().reads(answer.era, &key.0, key.1, offset, id);
                    self.found.get_mut(&key).expect("begun").insert(offset, id);
                    next = offset + 1;
                }
                self.at.insert(key.clone(), next);
                if next == data.high_watermark {
                    self.whole.insert(key, next);
                } else {
                    self.whole.remove(&key);
                }
            }
        }
    }
}

impl Program for Reader {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>) {
        for event in events.drain(..) {
            match event {
                Event::Connected { result, .. } => {
                    let failed = result.is_err();
                    self.wire.connected(core, result);
                    self.wake = if failed { core.now() + RETRY } else { core.now() };
                }
                Event::Received { socket, result: Ok(Some(buf)) } if self.wire.owns(socket) => {
                    for answer in self.wire.received(core, buf) {
                        if answer.key == ApiKey::Fetch {
                            self.on_fetched(core, &answer);
                        }
                    }
                }
                Event::Sent { socket, result: Ok(()) } if self.wire.owns(socket) => self.wire.sent(core),
                Event::Received { socket, .. } | Event::Sent { socket, .. } if self.wire.owns(socket) => self.restart(core),
                _ => {}
            }
        }
        if self.asked && core.now() >= self.wake {
            self.restart(core);
        }
        if !self.asked && !self.wire.is_open() && core.now() >= self.wake {
            self.wire.close(core);
        }
        self.go_on(core);
    }

    fn deadline(&self) -> Option<Instant> {
        (!self.finished).then_some(self.wake)
    }
}

//! A producer: one batch at a time, retried until it is acknowledged, sequences and all.

use crate::ledger::{Era, Id, Ledger};
use crate::wire::Wire;
use millrace::error::ErrorCode;
use millrace::log::BatchBuilder;
use millrace::types::{ProducerId, Timestamp, Uuid};
use millrace::wire::api::ApiKey;
use millrace::wire::messages::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use millrace::wire::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use millrace::wire::messages::produce::{Partition, ProduceRequest, ProduceResponse, Topic};
use millrace_io::{Core, Event, Instant, Program};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PRODUCE: i16 = 9;
/// A client gives up on a connection that says nothing for so long.
const PATIENCE: Duration = Duration::from_secs(8);
const RETRY: Duration = Duration::from_millis(100);

pub struct Plan {
    pub broker: SocketAddr,
    pub producer: u32,
    pub idempotent: bool,
    pub topics: Vec<(String, i32)>,
    /// Batches to send, and the most records in one.
    pub batches: u32,
    pub records_max: u64,
    pub padding_max: u64,
    pub segment_bytes: u64,
}

pub struct Producer {
    plan: Plan,
    wire: Wire,
    ledger: Arc<Mutex<Ledger>>,
    state: State,
    /// Producer id and epoch.
    identity: Option<(i64, i16)>,
    /// Per topic and partition: next number, next sequence.
    next: std::collections::BTreeMap<(usize, i32), (u32, i32)>,
    current: Option<Batch>,
    sent: u32,
    /// Ask for the topics first: at the beginning, and as long as the broker does not know them.
    wants_topics: bool,
    wake: Instant,
    /// Tells the world that it has sent everything.
    done: Arc<Mutex<u32>>,
    finished: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// Something has been asked; give up at `wake`.
    Asked,
}

struct Batch {
    topic: usize,
    partition: i32,
    first: u32,
    ids: Vec<Id>,
    padding: usize,
    sequence: i32,
    timestamp: i64,
}

impl Producer {
    pub fn new(plan: Plan, ledger: Arc<Mutex<Ledger>>, done: Arc<Mutex<u32>>) -> Producer {
        if !plan.idempotent {
            ledger.lock().unwrap().repeats(plan.producer);
        }
        Producer {
            plan,
            wire: Wire::default(),
            ledger,
            state: State::Idle,
            identity: None,
            next: Default::default(),
            current: None,
            sent: 0,
            wants_topics: true,
            wake: Instant::default(),
            done,
            finished: false,
        }
    }

    fn restart(&mut self, core: &mut Core) {
        self.wire.close(core);
        self.state = State::Idle;
        self.wake = core.now() + RETRY;
    }

    /// The next request, if none is under way.
    fn go_on(&mut self, core: &mut Core) {
        if self.finished || self.state == State::Asked {
            return;
        }
        if core.now() < self.wake {
            return;
        }
        if !self.wire.is_open() {
            self.wire.connect(core, self.plan.broker);
            self.wake = core.now() + PATIENCE;
            return;
        }
        self.state = State::Asked;
        self.wake = core.now() + PATIENCE;
        let era = self.ledger.lock().unwrap().era();
        if std::mem::take(&mut self.wants_topics) {
            let topics = self.plan.topics.iter().map(|(name, partitions)| CreatableTopic {
                name: name.clone(),
                num_partitions: *partitions,
                replication_factor: 1,
                // Kafka's own tests set it: segments smaller than `segment.bytes` may be.
                configs: vec![CreatableTopicConfig {
                    name: "internal.segment.bytes".to_owned(),
                    value: Some(self.plan.segment_bytes.to_string()),
                }],
                ..CreatableTopic::default()
            });
            let request = CreateTopicsRequest { topics: topics.collect(), timeout_ms: 5000, ..CreateTopicsRequest::default() };
            self.wire.ask(core, era, 7, &request);
        }
        if self.plan.idempotent && self.identity.is_none() {
            self.wire.ask(
                core,
                era,
                4,
                &InitProducerIdRequest { transactional_id: None, transaction_timeout_ms: 1000, ..Default::default() },
            );
            return;
        }
        if self.current.is_none() {
            self.draw_batch(core);
        }
        self.send_batch(core, era);
    }

    fn draw_batch(&mut self, core: &mut Core) {
        let topic = (core.random() % self.plan.topics.len() as u64) as usize;
        let partition = (core.random() % self.plan.topics[topic].1 as u64) as i32;
        let records = 1 + core.random() % self.plan.records_max;
        let (first, sequence) = *self.next.entry((topic, partition)).or_insert((0, 0));
        let ids: Vec<Id> = (0..records as u32).map(|i| Id { producer: self.plan.producer, number: first + i }).collect();
        for id in &ids {
            self.ledger.lock().unwrap().sends(&self.plan.topics[topic].0, partition, *id);
        }
        // A batch larger than a segment is refused for good.
        let padding_max = self.plan.padding_max.min(self.plan.segment_bytes / (2 * records) - 64);
        let padding = (core.random() % (padding_max + 1)) as usize;
        let timestamp = core.wall().0;
        self.current = Some(Batch { topic, partition, first, ids, padding, sequence, timestamp });
    }

    fn send_batch(&mut self, core: &mut Core, era: Era) {
        let batch = self.current.as_ref().expect("drawn");
        let (id, epoch) = self.identity.unwrap_or((-1, -1));
        let sequence = if self.identity.is_some() { batch.sequence } else { -1 };
        let mut builder = BatchBuilder::new().producer(ProducerId(id), epoch, sequence);
        for one in &batch.ids {
            let mut value = one.value().to_vec();
            value.resize(Id::BYTES + batch.padding, 0xa5);
            builder.push(Timestamp(batch.timestamp), None, Some(&value));
        }
        let records = builder.build();
        let request = ProduceRequest {
            transactional_id: None,
            acks: -1,
            timeout_ms: 5000,
            topics: vec![Topic {
                name: &self.plan.topics[batch.topic].0,
                topic_id: Uuid::ZERO,
                partitions: vec![Partition { index: batch.partition, records: Some(&records[..]) }],
            }],
        };
        self.wire.ask_with(core, era, ApiKey::Produce, PRODUCE, |w| request.encode(w, PRODUCE));
    }

    fn acked(&mut self, core: &mut Core, era: Era, offset: i64) {
        let batch = self.current.take().expect("under way");
        let topic = &self.plan.topics[batch.topic].0;
        // Offset -1 is a duplicate whose place the broker no longer knows: it is in the log, we cannot say where.
        if offset >= 0 {
            for (at, id) in (offset..).zip(&batch.ids) {
                self.ledger.lock().unwrap().acks(era, topic, batch.partition, at, *id);
            }
        }
        let count = batch.ids.len() as u32;
        self.next.insert((batch.topic, batch.partition), (batch.first + count, batch.sequence.wrapping_add(count as i32)));
        self.sent += 1;
        self.state = State::Idle;
        self.wake = core.now() + Duration::from_micros(core.random() % 20_000);
        if self.sent >= self.plan.batches {
            self.finished = true;
            *self.done.lock().unwrap() += 1;
            self.wire.close(core);
        }
    }

    /// The log has forgotten this producer, or lost its last batches: it begins anew, and what is under way may repeat.
    fn begin_anew(&mut self) {
        self.ledger.lock().unwrap().repeats(self.plan.producer);
        self.identity = None;
        for (_, sequence) in self.next.values_mut() {
            *sequence = 0;
        }
        if let Some(batch) = &mut self.current {
            batch.sequence = 0;
        }
    }

    fn on_produced(&mut self, core: &mut Core, era: Era, response: &ProduceResponse) {
        let partition = &response.responses[0].partition_responses[0];
        self.state = State::Idle;
        self.ledger.lock().unwrap().heard.insert(self.plan.producer, partition.error_code);
        match partition.error_code {
            ErrorCode::None => self.acked(core, era, partition.base_offset),
            ErrorCode::DuplicateSequenceNumber => self.acked(core, era, -1),
            ErrorCode::OutOfOrderSequenceNumber | ErrorCode::UnknownProducerId | ErrorCode::InvalidProducerEpoch => {
                let excused = self.ledger.lock().unwrap().may_lose();
                assert!(excused, "producer {}: {} without a power cut", self.plan.producer, partition.error_code);
                self.begin_anew();
                self.wake = core.now() + RETRY;
            }
            // Our clock or the broker's has jumped, and the record is too far in the future (an hour). It was not appended.
            ErrorCode::InvalidTimestamp => {
                self.current.as_mut().expect("under way").timestamp = 0;
                self.wake = core.now() + RETRY;
            }
            ErrorCode::UnknownTopicOrPartition => {
                // Another core may know of the topic already, this one not yet. One that were gone for good, the audit would miss.
                self.wants_topics = true;
                self.wake = core.now() + RETRY;
            }
            ErrorCode::NotLeaderOrFollower | ErrorCode::LeaderNotAvailable | ErrorCode::KafkaStorageError | ErrorCode::RequestTimedOut => {
                self.wake = core.now() + RETRY
            }
            other => panic!("producer {}: a sound batch was refused with {other}", self.plan.producer),
        }
    }
}

impl Program for Producer {
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
                        match answer.key {
                            ApiKey::InitProducerId => {
                                let response: InitProducerIdResponse = answer.decode();
                                self.state = State::Idle;
                                self.wake = core.now() + RETRY;
                                if response.error_code.is_ok() {
                                    self.identity = Some((response.producer_id, response.producer_epoch));
                                    self.wake = core.now();
                                }
                            }
                            ApiKey::Produce => {
                                let response: ProduceResponse = answer.decode();
                                self.on_produced(core, answer.era, &response);
                            }
                            _ => {}
                        }
                    }
                }
                Event::Sent { socket, result: Ok(()) } if self.wire.owns(socket) => self.wire.sent(core),
                Event::Received { socket, .. } | Event::Sent { socket, .. } if self.wire.owns(socket) => self.restart(core),
                _ => {}
            }
        }
        if self.state == State::Asked && core.now() >= self.wake {
            self.restart(core);
        }
        if self.state == State::Idle && !self.wire.is_open() && core.now() >= self.wake {
            self.wire.close(core);
        }
        self.go_on(core);
    }

    fn deadline(&self) -> Option<Instant> {
        (!self.finished).then_some(self.wake)
    }
}

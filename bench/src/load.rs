//! The load: one core, many connections, closed loop (each connection keeps so many requests in flight) or open loop
//! (requests are due at fixed times, and latency counts from when they were due, so that a slow broker cannot hide).
//!
//! ```text
//!  connect ─▶ ready ─▶ request ─▶ … ─▶ response ─▶ latency, next request
//! ```

use hdrhistogram::Histogram;
use millrace::wire::codec::Reader;
use millrace::wire::header::{RequestHeader, ResponseHeader};
use millrace::wire::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use millrace::wire::messages::produce::{Partition, ProduceRequest, ProduceResponse, Topic};
use millrace::wire::{Message, api::ApiKey, frame};
use millrace_io::frames::{Frame, Frames};
use millrace_io::{Buf, BufMut, Core, Event, Instant, Piece, Program, SocketId, Token, fatal};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Versions that Kafka 4.x and every broker of note understand, topics by name.
const PRODUCE: i16 = 9;
const FETCH: i16 = 12;
/// More than any answer that was asked for.
const FRAME_MAX: u32 = 256 << 20;

#[derive(Clone, Debug)]
pub struct Plan {
    pub broker: SocketAddr,
    pub topic: String,
    pub partitions: i32,
    pub connections: u32,
    /// Requests that a connection has under way at most.
    pub in_flight: u32,
    /// Requests a second of all connections together; none: closed loop.
    pub rate: Option<u64>,
    pub warmup: Duration,
    pub time: Duration,
    pub work: Work,
}

#[derive(Clone, Debug)]
pub enum Work {
    Produce {
        acks: i16,
        /// The batch that every request carries, and its number of records.
        batch: Vec<u8>,
        records: u32,
    },
    /// From the beginning to the end and again, so many bytes at a time.
    Fetch { bytes: i32 },
}

/// What came of it, without the warm-up.
#[derive(Debug)]
pub struct Outcome {
    pub requests: u64,
    pub records: u64,
    /// Record bytes.
    pub bytes: u64,
    pub elapsed: Duration,
    /// Nanoseconds.
    pub latency: Histogram<u64>,
    pub errors: Vec<String>,
    /// The largest delay between when a request was due and when it was sent.
    pub late: Duration,
}

impl Outcome {
    pub fn new() -> Outcome {
        Outcome {
            requests: 0,
            records: 0,
            bytes: 0,
            elapsed: Duration::ZERO,
            latency: Histogram::new_with_bounds(1_000, 60_000_000_000, 3).expect("sound bounds"),
            errors: Vec::new(),
            late: Duration::ZERO,
        }
    }
}

pub struct Load {
    plan: Plan,
    connections: Vec<Connection>,
    started: Option<Instant>,
    /// When the next request is due, in the open loop.
    due: Instant,
    interval: Duration,
    turn_of: usize,
    outcome: Outcome,
    result: Arc<Mutex<Outcome>>,
    finished: bool,
}

struct Connection {
    socket: Option<SocketId>,
    /// Requests sent, by when they were due.
    sent: VecDeque<Instant>,
    waiting: Vec<Piece>,
    sending: bool,
    frames: Option<Frames>,
    partition: i32,
    /// Where each partition is read next.
    offsets: Vec<i64>,
    /// A Produce request for each partition, framed.
    requests: Vec<Buf>,
}

impl Load {
    pub fn new(plan: Plan, result: Arc<Mutex<Outcome>>) -> Load {
        let interval = plan.rate.map_or(Duration::ZERO, |rate| Duration::from_nanos(1_000_000_000 / rate.max(1)));
        Load {
            plan,
            connections: Vec::new(),
            started: None,
            due: Instant::default(),
            interval,
            turn_of: 0,
            outcome: Outcome::new(),
            result,
            finished: false,
        }
    }

    fn index_of(&self, socket: SocketId) -> usize {
        self.connections.iter().position(|c| c.socket == Some(socket)).expect("a socket of ours")
    }

    fn is_measured(&self, now: Instant) -> bool {
        self.started.is_some_and(|started| now.since(started) >= self.plan.warmup)
    }

    fn on_connected(&mut self, core: &mut Core, index: usize, socket: SocketId) {
        let requests = match &self.plan.work {
            Work::Produce { acks, batch, .. } => {
                let mut requests = Vec::new();
                for partition in 0..self.plan.partitions {
                    let request = ProduceRequest {
                        transactional_id: None,
                        acks: *acks,
                        timeout_ms: 30_000,
                        topics: vec![Topic {
                            name: &self.plan.topic,
                            partitions: vec![Partition { index: partition, records: Some(&batch[..]) }],
                            ..Topic::default()
                        }],
                    };
                    let mut bytes = Vec::new();
                    frame::frame(&mut bytes, |w| {
                        header(ApiKey::Produce, PRODUCE).encode(w);
                        request.encode(w, PRODUCE);
                    });
                    let mut buf = core.pool().take_always(bytes.len());
                    buf.extend(&bytes);
                    requests.push(buf.freeze());
                }
                requests
            }
            Work::Fetch { .. } => Vec::new(),
        };
        let partitions = usize::try_from(self.plan.partitions).expect("a count");
        let connection = &mut self.connections[index];
        connection.requests = requests;
        connection.offsets = vec![0; partitions];
        connection.partition = i32::try_from(index).expect("a count") % self.plan.partitions;
        connection.socket = Some(socket);
        connection.frames = Some(Frames::new(core, socket));
        if self.connections.iter().all(|c| c.socket.is_some()) {
            self.started = Some(core.now());
            self.due = core.now();
            if self.plan.rate.is_none() {
                let now = core.now();
                for index in 0..self.connections.len() {
                    for _ in 0..self.plan.in_flight {
                        self.request(core, index, now);
                    }
                }
            }
        }
    }

    /// Sends the next request of a connection, which was due at `due`.
    fn request(&mut self, core: &mut Core, index: usize, due: Instant) {
        let partitions = self.plan.partitions;
        let connection = &mut self.connections[index];
        let piece = match &self.plan.work {
            Work::Produce { .. } => Piece::Mem(connection.requests[usize::try_from(connection.partition).expect("a count")].clone()),
            Work::Fetch { bytes } => {
                let partition = connection.partition;
                let request = FetchRequest {
                    max_wait_ms: 500,
                    min_bytes: 1,
                    max_bytes: *bytes,
                    topics: vec![FetchTopic {
                        topic: self.plan.topic.clone(),
                        partitions: vec![FetchPartition {
                            partition,
                            fetch_offset: connection.offsets[usize::try_from(partition).expect("a count")],
                            partition_max_bytes: *bytes,
                            ..FetchPartition::default()
                        }],
                        ..FetchTopic::default()
                    }],
                    ..FetchRequest::default()
                };
                let mut out = Vec::new();
                frame::request(&mut out, FETCH, 0, Some("millrace-bench"), &request);
                let mut buf = core.pool().take_always(out.len());
                buf.extend(&out);
                Piece::Mem(buf.freeze())
            }
        };
        if matches!(self.plan.work, Work::Produce { .. }) {
            connection.partition = (connection.partition + 1) % partitions;
        }
        connection.sent.push_back(due);
        connection.waiting.push(piece);
        connection.flush(core);
    }

    fn on_received(&mut self, core: &mut Core, index: usize, buf: BufMut) {
        self.connections[index].frames_in().received(buf);
        loop {
            match self.connections[index].frames_in().next(core, FRAME_MAX) {
                Frame::Whole(frame) => self.on_response(core, index, &frame),
                Frame::None => return,
                Frame::Starved => fatal(1, "the load generator's own buffers are used up; use fewer connections"),
                Frame::Unacceptable(length) => fatal(1, &format!("the broker sent a frame of {length} bytes")),
            }
        }
    }

    fn on_response(&mut self, core: &mut Core, index: usize, frame: &[u8]) {
        let now = core.now();
        let due = self.connections[index].sent.pop_front().expect("an answer to a request");
        let mut reader = Reader::new(frame);
        let (records, bytes) = match &self.plan.work {
            Work::Produce { batch, records, .. } => {
                let _ = ResponseHeader::decode(&mut reader, ApiKey::Produce, PRODUCE);
                let response = ProduceResponse::decode(&mut reader, PRODUCE).expect("a Produce response");
                let error = response.responses[0].partition_responses[0].error_code;
                if !error.is_ok() {
                    self.outcome.errors.push(error.to_string());
                }
                (u64::from(*records), batch.len() as u64)
            }
            Work::Fetch { .. } => {
                let _ = ResponseHeader::decode(&mut reader, ApiKey::Fetch, FETCH);
                let response = FetchResponse::decode(&mut reader, FETCH).expect("a Fetch response");
                let partition = &response.responses[0].partitions[0];
                if !partition.data.error_code.is_ok() {
                    self.outcome.errors.push(partition.data.error_code.to_string());
                }
                let bytes = partition.records.clone().map_or(0, |range| range.len());
                let range = partition.records.clone().unwrap_or(0..0);
                let next = next_offset(&frame[range]);
                let connection = &mut self.connections[index];
                let place = usize::try_from(connection.partition).expect("a count");
                let records = next.map_or(0, |next| next - connection.offsets[place]);
                match next {
                    Some(next) if next < partition.data.high_watermark => connection.offsets[place] = next,
                    _ => {
                        // The end: on to the next partition, from its beginning.
                        connection.offsets[place] = 0;
                        let step = i32::try_from(self.plan.connections).expect("a count");
                        connection.partition = (connection.partition + step) % self.plan.partitions;
                    }
                }
                (u64::try_from(records).unwrap_or(0), bytes as u64)
            }
        };
        if self.is_measured(now) {
            self.outcome.requests += 1;
            self.outcome.records += records;
            self.outcome.bytes += bytes;
            self.outcome.latency.saturating_record(u64::try_from(now.since(due).as_nanos()).unwrap_or(u64::MAX));
        }
        if self.plan.rate.is_none() && !self.finished {
            self.request(core, index, now);
        }
    }

    fn send_due(&mut self, core: &mut Core) {
        let now = core.now();
        if self.plan.rate.is_none() || self.started.is_none() || self.finished {
            return;
        }
        while self.due <= now {
            if self.is_measured(now) {
                self.outcome.late = self.outcome.late.max(now.since(self.due));
            }
            let index = self.turn_of % self.connections.len();
            self.turn_of += 1;
            let due = self.due;
            self.request(core, index, due);
            self.due = self.due + self.interval;
        }
    }
}

impl Connection {
    fn new() -> Connection {
        Connection {
            socket: None,
            frames: None,
            sent: VecDeque::new(),
            waiting: Vec::new(),
            sending: false,
            partition: 0,
            offsets: Vec::new(),
            requests: Vec::new(),
        }
    }

    fn frames_in(&mut self) -> &mut Frames {
        self.frames.as_mut().expect("connected")
    }

    /// One send at a time, with everything that waits.
    fn flush(&mut self, core: &mut Core) {
        if !self.sending && !self.waiting.is_empty() {
            self.sending = true;
            core.send(self.socket.expect("connected"), std::mem::take(&mut self.waiting));
        }
    }
}

fn header(key: ApiKey, version: i16) -> RequestHeader<'static> {
    RequestHeader { api_key: key, api_version: version, correlation_id: 0, client_id: Some("millrace-bench") }
}

/// Offset after the last whole batch in these records.
fn next_offset(records: &[u8]) -> Option<i64> {
    millrace::log::batch::batches(records).last().map(|(header, _)| header.end().0)
}

impl Program for Load {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>) {
        if self.connections.is_empty() {
            for index in 0..self.plan.connections {
                self.connections.push(Connection::new());
                core.connect(self.plan.broker, Token(u64::from(index)));
            }
        }
        for event in events.drain(..) {
            match event {
                Event::Connected { token, result: Ok(socket) } => {
                    self.on_connected(core, usize::try_from(token.0).expect("an index"), socket)
                }
                Event::Connected { result: Err(error), .. } => fatal(1, &format!("cannot connect to {}: {error}", self.plan.broker)),
                Event::Received { socket, result: Ok(Some(buf)) } => {
                    let index = self.index_of(socket);
                    self.on_received(core, index, buf);
                }
                Event::Sent { socket, result: Ok(()) } => {
                    let index = self.index_of(socket);
                    self.connections[index].sending = false;
                    self.connections[index].flush(core);
                }
                Event::Received { .. } | Event::Sent { .. } => fatal(1, "the broker closed a connection"),
                Event::Signal(_) => core.stop(),
                _ => unreachable!("nothing else was asked for"),
            }
        }
        self.send_due(core);
        let now = core.now();
        let measured = self.started.map(|started| now.since(started));
        if measured.is_some_and(|time| time >= self.plan.warmup + self.plan.time) && !self.finished {
            self.finished = true;
            self.outcome.elapsed = measured.expect("just seen") - self.plan.warmup;
            *self.result.lock().expect("no panic while held") = std::mem::replace(&mut self.outcome, Outcome::new());
            core.stop();
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let end = self.started.map(|started| started + self.plan.warmup + self.plan.time)?;
        Some(if self.plan.rate.is_some() { self.due.min(end) } else { end })
    }
}

//! Kafka's APIs, one file each. A request passes through up to three plain functions:
//!
//! ```text
//!  connection's core                              owning core(s)
//!  ─────────────────                              ──────────────
//!  begin: decode, check, answer at once, or
//!         split by owning core ── one Ask each ─▶ run: do it, or park it under what it waits for
//!                                                   │
//!  merge: put the answers together  ◀── one Answer ─┘
//! ```
//!
//! `begin` runs before the connection's next frame is looked at, so what must keep order keeps it. Nothing here waits.
//! [`table`] says which function begins which API.

mod api_versions;
mod cluster;
mod configs;
mod fetch;
pub mod fetch_session;
mod log_dirs;
mod metadata;
mod offsets;
mod produce;
mod producers;
mod split;
mod table;
mod topic_partitions;
mod topics;
mod unsupported;

use crate::config::BrokerConfig;
use crate::control;
use crate::error::Hangup;
use crate::shard::{Answer, Ask, Shard, Ticket};
use crate::types::ShardId;
use crate::wire::api::ApiKey;
use crate::wire::codec::{Malformed, Reader};
use crate::wire::header::RequestHeader;
use crate::wire::{Message, frame};
use fetch_session::Sessions;
use millrace_io::{Buf, Core, Piece};
use std::ops::Range;

/// Where a request runs: the core, its shard, and who asks.
pub struct Cx<'a> {
    pub core: &'a mut Core,
    pub shard: &'a mut Shard,
    pub local: &'a mut Local,
    pub ticket: Ticket,
    /// Index of the listener in `BrokerConfig::listeners`.
    pub listener: usize,
}

/// What the APIs keep on each core.
pub struct Local {
    sessions: Sessions,
    /// Producer ids that this core may hand out.
    producer_ids: Range<i64>,
}

impl Local {
    pub fn new(core: ShardId, config: &BrokerConfig, cores: u16) -> Local {
        let slots = config.fetch_sessions_max.div_ceil(u32::from(cores));
        Local { sessions: Sessions::new(core, slots as usize), producer_ids: 0..0 }
    }
}

/// What leaves on the connection, frame length and header included.
#[derive(Debug)]
pub enum Response {
    /// Produce with `acks=0`.
    None,
    Bytes(Vec<u8>),
    Pieces(Vec<Piece>),
    /// The only way to say that something went wrong: `acks=0` and an error.
    HangUp(String),
}

pub enum Begun {
    Answer(Response),
    Wait(Pending),
}

/// A request whose answers are not all in.
pub struct Pending {
    call: Call,
    merge: Merge,
}

/// What every response needs to know of its request.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub key: ApiKey,
    pub version: i16,
    pub correlation: i32,
}

/// How the answers of each API are put together.
enum Merge {
    Produce(produce::Merge),
    Fetch(fetch::Merge),
    ListOffsets(offsets::ListMerge),
    EpochEnds(offsets::EpochMerge),
    DeleteRecords(offsets::DeleteMerge),
    Producers(producers::DescribeMerge),
    LogDirs(log_dirs::Merge),
    /// The control shard's reply is the response.
    Control,
    /// Topics that are being made on the way; then the request is answered as if they had been there.
    Metadata(metadata::AutoCreating),
    ProducerId(producers::Init),
}

impl Call {
    /// A whole response frame with this message in it.
    pub fn respond<M: Message>(&self, message: &M) -> Response {
        let mut out = Vec::with_capacity(128);
        frame::response(&mut out, self.version, self.correlation, message);
        Response::Bytes(out)
    }

    pub fn answer<M: Message>(&self, message: &M) -> Result<Begun, Hangup> {
        Ok(Begun::Answer(self.respond(message)))
    }

    /// The request's body. One that does not decode ends the connection: nobody knows what was meant.
    pub fn decode<M: Message>(&self, reader: &mut Reader<'_>) -> Result<M, Hangup> {
        M::decode(reader, self.version).map_err(|bad| self.malformed(&bad))
    }

    pub fn malformed(&self, bad: &Malformed) -> Hangup {
        Hangup(format!("a {:?} request of version {} that does not decode: {bad}", self.key, self.version))
    }

    fn wait(self, merge: Merge) -> Result<Begun, Hangup> {
        Ok(Begun::Wait(Pending { call: self, merge }))
    }
}

/// Begins the request in `frame` (length prefix left out).
pub fn begin(cx: &mut Cx<'_>, frame: &Buf) -> Result<Begun, Hangup> {
    let mut reader = Reader::new(frame);
    let header = RequestHeader::decode(&mut reader).map_err(|bad| Hangup(format!("a request header that does not decode: {bad}")))?;
    let call = Call { key: header.api_key, version: header.api_version, correlation: header.correlation_id };
    table::begin(cx, call, frame, &mut reader)
}

/// Runs an ask on the core that owns what it is about.
pub fn run(core: &mut Core, shard: &mut Shard, ticket: Ticket, ask: Ask) {
    match ask {
        Ask::Produce(ask) => shard.produce(core, ticket, ask),
        Ask::Fetch(ask) => shard.fetch(core, ticket, ask),
        Ask::Hurry => shard.hurry(core, ticket),
        Ask::ListOffsets(asked) => shard.list_offsets(core, ticket, asked),
        Ask::EpochEnds(asked) => offsets::run_epoch_ends(shard, ticket, &asked),
        Ask::DeleteRecords(asked) => offsets::run_delete(shard, ticket, &asked),
        Ask::Producers(asked) => producers::run(shard, ticket, &asked),
        Ask::LogDirs(asked) => log_dirs::run(shard, ticket, asked.as_deref()),
        Ask::Control(_) => unreachable!("control commands are asked of the core that runs the control shard"),
    }
}

/// The core that runs the control shard.
const CONTROL: ShardId = ShardId(0);

/// Asks the control shard.
fn ask_control(cx: &mut Cx<'_>, command: control::Command) {
    cx.shard.mesh.ask(CONTROL, cx.ticket, Ask::Control(command));
}

impl Pending {
    /// One of the answers has come; the response, if it was the last.
    pub fn on_answer(&mut self, cx: &mut Cx<'_>, from: ShardId, answer: Answer) -> Option<Response> {
        let call = self.call;
        match (&mut self.merge, answer) {
            (Merge::Produce(merge), Answer::Produce(answer)) => merge.on_answer(&call, answer),
            (Merge::Fetch(merge), Answer::Fetch(answer)) => merge.on_answer(cx, &call, from, answer),
            (Merge::ListOffsets(merge), Answer::ListOffsets(answer)) => merge.on_answer(&call, answer),
            (Merge::EpochEnds(merge), Answer::EpochEnds(answer)) => merge.on_answer(&call, answer),
            (Merge::DeleteRecords(merge), Answer::DeleteRecords(answer)) => merge.on_answer(&call, answer),
            (Merge::Producers(merge), Answer::Producers(answer)) => merge.on_answer(&call, answer),
            (Merge::LogDirs(merge), Answer::LogDirs(answer)) => merge.on_answer(cx, &call, answer),
            (Merge::Control, Answer::Control(reply)) => Some(topics::respond(&call, reply)),
            (Merge::Metadata(merge), Answer::Control(reply)) => Some(merge.on_reply(cx, &call, reply)),
            (Merge::ProducerId(merge), Answer::Control(reply)) => Some(merge.on_reply(cx, &call, reply)),
            _ => unreachable!("an answer of another kind than the question"),
        }
    }
}

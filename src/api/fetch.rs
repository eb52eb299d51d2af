//! Fetch (API key 1): read record batches from partitions that this broker leads.
//!
//! ```text
//!  connection's core                            owning core(s)
//!  ─────────────────                            ──────────────
//!  begin: session (KIP-227), split by core ──▶  run: plan what can be read; enough bytes: answer,
//!     │                                              otherwise park until `min_bytes` or the deadline
//!     │            ┌───────────── one answer ◀────────┘            ▲
//!  merge: enough altogether? ── Hurry to those that still park ────┘
//!     │
//!  response: metadata written in place, records by reference (memory, or a file for `sendfile`)
//! ```
//!
//! Each core may bring `max_bytes`; what is too much altogether is left out again here, in the session's order, in which
//! whoever returned records goes to the end: all partitions make progress.

use super::fetch_session::{TopicRef, Wanted};
use super::{Begun, Call, Cx, Response};
use crate::error::{ErrorCode, Hangup};
use crate::metadata::Image;
use crate::shard::{Ask, Fetch, FetchPartition, Fetched, PartitionKey};
use crate::types::{Epoch, Offset, ShardId, Uuid};
use crate::wire::Message;
use crate::wire::codec::Reader;
use crate::wire::messages::fetch::{EpochEndOffset, FetchRequest, FetchTopic, PartitionData, ResponsePart, ResponseWriter};
use millrace_io::Piece;
use std::time::Duration;

pub struct Merge {
    session: i32,
    incremental: bool,
    wanted: Vec<Wanted>,
    results: Vec<Option<Fetched>>,
    /// Cores that have not answered.
    waiting: Vec<ShardId>,
    bytes: u64,
    min_bytes: u64,
    max_bytes: u64,
    hurried: bool,
}

pub fn begin(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request =
        FetchRequest::decode(reader, call.version).map_err(|bad| Hangup(format!("a Fetch request that does not decode: {bad}")))?;
    let now = cx.core.now();
    let by_id = call.version >= 13;
    let wanted = request.topics.iter().flat_map(|topic| wanted(topic, by_id)).collect();
    let forgotten = request
        .forgotten_topics_data
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(move |index| (topic_ref(&topic.topic, topic.topic_id, by_id), *index)))
        .collect();
    let context = match cx.local.sessions.begin(now, request.session_id, request.session_epoch, by_id, wanted, forgotten) {
        Ok(context) => context,
        Err(error) => return Ok(Begun::Answer(refused(cx, &call, error))),
    };
    let from_follower = request.replica(call.version).replica_id >= 0;
    let image = cx.shard.image().clone();
    let mut results: Vec<Option<Fetched>> = Vec::with_capacity(context.wanted.len());
    let mut asks: Vec<(ShardId, Vec<FetchPartition>)> = Vec::new();
    for (order, wanted) in context.wanted.iter().enumerate() {
        let order = u32::try_from(order).expect("fewer partitions than bytes in a frame");
        let owner = if from_follower { Err(ErrorCode::TopicAuthorizationFailed) } else { owner(&image, wanted) };
        match owner {
            Err(error) => results.push(Some(Fetched::refused(order, error))),
            Ok((shard, key)) => {
                results.push(None);
                let partition = FetchPartition {
                    order,
                    key,
                    offset: wanted.offset,
                    max_bytes: wanted.max_bytes,
                    leader_epoch: wanted.leader_epoch,
                    last_fetched_epoch: wanted.last_fetched_epoch,
                };
                match asks.iter_mut().find(|(s, _)| *s == shard) {
                    Some((_, partitions)) => partitions.push(partition),
                    None => asks.push((shard, vec![partition])),
                }
            }
        }
    }
    let max_bytes = u32::try_from(request.max_bytes).unwrap_or(0).min(cx.shard.limits().fetch_bytes_max);
    let min_bytes = u32::try_from(request.min_bytes).unwrap_or(0).min(max_bytes);
    let mut merge = Merge {
        session: context.session,
        incremental: context.incremental,
        wanted: context.wanted,
        results,
        waiting: asks.iter().map(|(shard, _)| *shard).collect(),
        bytes: 0,
        min_bytes: u64::from(min_bytes),
        max_bytes: u64::from(max_bytes),
        hurried: false,
    };
    if merge.waiting.is_empty() {
        return Ok(Begun::Answer(merge.response(cx, &call)));
    }
    let deadline = now + Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    for (shard, partitions) in asks {
        let ask = Fetch { deadline, min_bytes, max_bytes, read_committed: request.isolation_level == 1, partitions };
        cx.shard.mesh.ask(shard, cx.ticket, Ask::Fetch(ask));
    }
    call.wait(super::Merge::Fetch(merge))
}

fn topic_ref(name: &str, id: Uuid, by_id: bool) -> TopicRef {
    if by_id { TopicRef::Id(id) } else { TopicRef::Name(name.into()) }
}

fn wanted(topic: &FetchTopic, by_id: bool) -> impl Iterator<Item = Wanted> + '_ {
    let name = topic_ref(&topic.topic, topic.topic_id, by_id);
    topic.partitions.iter().map(move |partition| Wanted {
        topic: name.clone(),
        index: partition.partition,
        offset: Offset(partition.fetch_offset),
        max_bytes: u32::try_from(partition.partition_max_bytes).unwrap_or(0),
        leader_epoch: Epoch(partition.current_leader_epoch),
        last_fetched_epoch: Epoch(partition.last_fetched_epoch),
    })
}

fn owner(image: &Image, wanted: &Wanted) -> Result<(ShardId, PartitionKey), ErrorCode> {
    let topic = match &wanted.topic {
        TopicRef::Id(id) => image.topic_by_id(*id).ok_or(ErrorCode::UnknownTopicId)?,
        TopicRef::Name(name) => image.topic_by_name(name).ok_or(ErrorCode::UnknownTopicOrPartition)?,
    };
    let partition = topic.partition(wanted.index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    Ok((partition.shard, PartitionKey { topic: topic.id, index: wanted.index }))
}

impl Merge {
    pub fn on_answer(&mut self, cx: &mut Cx<'_>, call: &Call, from: ShardId, answer: Vec<Fetched>) -> Option<Response> {
        let mut failed = false;
        for fetched in answer {
            self.bytes += fetched.len();
            failed |= !fetched.error.is_ok();
            let order = fetched.order as usize;
            assert!(self.results[order].is_none(), "a partition is answered once");
            self.results[order] = Some(fetched);
        }
        self.waiting.retain(|shard| *shard != from);
        if self.waiting.is_empty() {
            return Some(self.response(cx, call));
        }
        if !self.hurried && (failed || self.bytes >= self.min_bytes) {
            self.hurried = true;
            for shard in &self.waiting {
                cx.shard.mesh.ask(*shard, cx.ticket, Ask::Hurry);
            }
        }
        None
    }

    fn response(&mut self, cx: &mut Cx<'_>, call: &Call) -> Response {
        let mut told = Vec::with_capacity(self.wanted.len());
        let mut bytes = 0;
        for (wanted, fetched) in self.wanted.iter().zip(std::mem::take(&mut self.results)) {
            let mut fetched = fetched.expect("every partition was asked of one core");
            bytes += fetched.len();
            if bytes > self.max_bytes && bytes > fetched.len() {
                bytes -= fetched.len();
                fetched.records = Vec::new();
            }
            let tell = self.session == 0 || cx.local.sessions.tell(self.session, &wanted.topic, wanted.index, &fetched);
            if tell || !self.incremental {
                told.push((wanted, fetched));
            }
        }
        respond(cx, call, ErrorCode::None, self.session, &told)
    }
}

fn refused(cx: &mut Cx<'_>, call: &Call, error: ErrorCode) -> Response {
    respond(cx, call, error, 0, &[])
}

/// Metadata written in place, records in between by reference.
fn respond(cx: &mut Cx<'_>, call: &Call, error: ErrorCode, session: i32, told: &[(&Wanted, Fetched)]) -> Response {
    let topics = told.chunk_by(|(a, _), (b, _)| a.topic == b.topic);
    let mut out = Vec::with_capacity(64 + 64 * told.len());
    let mut writer = ResponseWriter::new(&mut out, call.version, call.correlation, 0, error, session, topics.clone().count());
    for topic in topics {
        match &topic[0].0.topic {
            TopicRef::Id(id) => writer.topic("", *id, topic.len()),
            TopicRef::Name(name) => writer.topic(name, Uuid::ZERO, topic.len()),
        }
        for (wanted, fetched) in topic {
            let records = u32::try_from(fetched.len()).expect("an answer is smaller than fetch_bytes_max and one batch");
            writer.partition(&partition_data(wanted.index, fetched), records);
        }
    }
    let parts = writer.finish(&[]);
    let mut buf = cx.core.pool().take_always(out.len());
    buf.extend(&out);
    let bytes = buf.freeze();
    let mut pieces = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            ResponsePart::Bytes(range) => pieces.push(Piece::Mem(bytes.slice(range))),
            ResponsePart::Records { index, .. } => pieces.extend(told[index].1.records.iter().cloned()),
        }
    }
    Response::Pieces(pieces)
}

fn partition_data(index: i32, fetched: &Fetched) -> PartitionData {
    PartitionData {
        partition_index: index,
        error_code: fetched.error,
        high_watermark: fetched.high_watermark,
        last_stable_offset: fetched.last_stable,
        log_start_offset: fetched.log_start,
        diverging_epoch: fetched.diverging.map_or_else(EpochEndOffset::default, |(epoch, end_offset)| EpochEndOffset { epoch, end_offset }),
        aborted_transactions: fetched.read_committed.then(Vec::new),
        ..PartitionData::default()
    }
}

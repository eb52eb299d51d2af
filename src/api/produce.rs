//! Produce (API key 0): append record batches to partitions that this broker leads.
//!
//! ```text
//!  connection's core                       owning core(s)
//!  ─────────────────                       ──────────────
//!  begin: check, split by owning core ──▶  run: append, then park until `acks` is met
//!    ⋮  (next request may begin)                     │
//!  merge, in the order asked          ◀──────────────┘  one answer per core
//! ```
//!
//! `acks=0` gets no response at all, and an error closes the connection, as in Kafka; `acks=1` and `acks=all` are
//! answered once the batch is as durable as the topic asks and the high watermark has passed it.
//!
//! Record bytes are never copied here: an ask carries the frame and where in it each batch lies.

use super::{Begun, Call, Cx, Response};
use crate::error::{ErrorCode, Hangup};
use crate::shard::{Ask, PartitionKey, Produce, ProducePartition, Produced};
use crate::types::{ShardId, Uuid};
use crate::wire::codec::Reader;
use crate::wire::messages::produce::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use millrace_io::Buf;
use std::time::Duration;

/// Partitions in the order asked, and what each came to.
pub struct Merge {
    acks: i16,
    waiting: usize,
    topics: Vec<AskedTopic>,
    results: Vec<Option<Produced>>,
}

struct AskedTopic {
    name: String,
    id: Uuid,
    partitions: Vec<i32>,
}

pub fn begin(cx: &mut Cx<'_>, call: Call, frame: &Buf, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request =
        ProduceRequest::decode(reader, call.version).map_err(|bad| Hangup(format!("a Produce request that does not decode: {bad}")))?;
    let deadline = cx.core.now() + Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let image = cx.shard.image().clone();
    let mut merge = Merge { acks: request.acks, waiting: 0, topics: Vec::with_capacity(request.topics.len()), results: Vec::new() };
    let mut asks: Vec<(ShardId, Vec<ProducePartition>)> = Vec::new();
    let refuse_all = refusal(&request);
    for topic in &request.topics {
        let by_id = call.version >= 13;
        let found = if by_id { image.topic_by_id(topic.topic_id) } else { image.topic_by_name(topic.name) };
        let unknown = if by_id { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
        for partition in &topic.partitions {
            let order = u32::try_from(merge.results.len()).expect("fewer partitions than bytes in a frame");
            let owner = match (refuse_all, found) {
                (Some(error), _) => Err(error),
                (None, None) => Err(unknown),
                (None, Some(found)) => match found.partition(partition.index) {
                    Some(owner) => Ok((owner.shard, PartitionKey { topic: found.id, index: partition.index })),
                    None => Err(ErrorCode::UnknownTopicOrPartition),
                },
            };
            match (owner, &partition.records) {
                (Err(error), _) => merge.results.push(Some(Produced::refused(order, error))),
                (Ok(_), None) => merge.results.push(Some(Produced::refused(order, ErrorCode::InvalidRecord))),
                (Ok((shard, key)), Some(records)) => {
                    let partition = ProducePartition { order, key, records: records.clone() };
                    match asks.iter_mut().find(|(s, _)| *s == shard) {
                        Some((_, partitions)) => partitions.push(partition),
                        None => asks.push((shard, vec![partition])),
                    }
                    merge.results.push(None);
                }
            }
        }
        merge.topics.push(AskedTopic {
            name: topic.name.to_owned(),
            id: topic.topic_id,
            partitions: topic.partitions.iter().map(|p| p.index).collect(),
        });
    }
    merge.waiting = asks.len();
    for (shard, partitions) in asks {
        let ask = Produce { acks: merge.acks, deadline, frame: frame.clone(), partitions };
        cx.shard.mesh.ask(shard, cx.ticket, Ask::Produce(ask));
    }
    if merge.waiting == 0 {
        return Ok(Begun::Answer(merge.response(&call)));
    }
    call.wait(super::Merge::Produce(merge))
}

/// What is wrong with the request as a whole.
fn refusal(request: &ProduceRequest<'_>) -> Option<ErrorCode> {
    if !matches!(request.acks, -1..=1) {
        return Some(ErrorCode::InvalidRequiredAcks);
    }
    // Transactions come with their coordinator; until then nobody has an id that could be authorised.
    request.transactional_id.is_some().then_some(ErrorCode::TransactionalIdAuthorizationFailed)
}

impl Merge {
    pub fn on_answer(&mut self, call: &Call, answer: Vec<Produced>) -> Option<Response> {
        for produced in answer {
            let order = produced.order as usize;
            assert!(self.results[order].is_none(), "a partition is answered once");
            self.results[order] = Some(produced);
        }
        self.waiting -= 1;
        (self.waiting == 0).then(|| self.response(call))
    }

    fn response(&mut self, call: &Call) -> Response {
        let mut results = std::mem::take(&mut self.results).into_iter().map(|r| r.expect("every partition was asked of one core"));
        if self.acks == 0 {
            return match results.find(|r| !r.error.is_ok()) {
                Some(failed) => Response::HangUp(format!("Produce with acks=0 failed: {}", failed.error)),
                None => Response::None,
            };
        }
        let responses = std::mem::take(&mut self.topics)
            .into_iter()
            .map(|topic| TopicProduceResponse {
                name: topic.name,
                topic_id: topic.id,
                partition_responses: topic
                    .partitions
                    .into_iter()
                    .map(|index| partition_response(index, results.next().expect("a result for every partition")))
                    .collect(),
            })
            .collect();
        call.respond(&ProduceResponse { responses, ..ProduceResponse::default() })
    }
}

fn partition_response(index: i32, produced: Produced) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        error_code: produced.error,
        base_offset: produced.base_offset,
        log_append_time_ms: produced.log_append_time,
        log_start_offset: produced.log_start,
        record_errors: produced
            .record_errors
            .into_iter()
            .map(|(batch_index, batch_index_error_message)| BatchIndexAndErrorMessage { batch_index, batch_index_error_message })
            .collect(),
        error_message: produced.message,
        ..PartitionProduceResponse::default()
    }
}

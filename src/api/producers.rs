//! InitProducerId (22) and DescribeProducers (61).
//!
//! Each core hands out producer ids from a block of its own, which the control shard has made durable before: an id is
//! never given twice, also not after a crash.
//!
//! Transactions come with their coordinator; until then a transactional id is refused for good, so that no client retries.

use super::split::{Results, Split, owner_by_name};
use super::{Begun, Call, Cx, Hangup, Merge, Response, ask_control};
use crate::control::{Command, Reply};
use crate::error::ErrorCode;
use crate::shard::{ActiveProducer, Answer, Ask, PartitionKey, Shard, Ticket};
use crate::types::Offset;
use crate::wire::codec::Reader;
use crate::wire::messages::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};
use crate::wire::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

// ---- InitProducerId

/// Waits for the next block of ids.
pub struct Init;

pub fn init(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: InitProducerIdRequest = call.decode(reader)?;
    if let Some(id) = &request.transactional_id {
        // Kafka: `TransactionCoordinator.handleInitProducerId` refuses an empty id before anything else.
        let error = if id.is_empty() { ErrorCode::InvalidRequest } else { ErrorCode::TransactionalIdAuthorizationFailed };
        return call.answer(&InitProducerIdResponse { error_code: error, producer_epoch: -1, ..InitProducerIdResponse::default() });
    }
    // A producer that is not transactional gets a new id however often it asks, as in Kafka.
    match cx.local.producer_ids.next() {
        Some(id) => call.answer(&given(id)),
        None => {
            ask_control(cx, Command::AllocateProducerIds);
            call.wait(Merge::ProducerId(Init))
        }
    }
}

fn given(producer_id: i64) -> InitProducerIdResponse {
    InitProducerIdResponse { producer_id, producer_epoch: 0, ..InitProducerIdResponse::default() }
}

impl Init {
    pub fn on_reply(&self, cx: &mut Cx<'_>, call: &Call, reply: Reply) -> Response {
        let Reply::ProducerIds(block) = reply else { unreachable!("asked for producer ids") };
        match block {
            Ok(mut block) => {
                let id = block.next().expect("a block has ids");
                // Two requests may have asked at once: the block that is left over is forgotten, which costs nothing.
                cx.local.producer_ids = block;
                call.respond(&given(id))
            }
            Err(error_code) => {
                call.respond(&InitProducerIdResponse { error_code, producer_epoch: -1, ..InitProducerIdResponse::default() })
            }
        }
    }
}

// ---- DescribeProducers

pub struct DescribeMerge {
    request: DescribeProducersRequest,
    results: Results<Result<Vec<ActiveProducer>, ErrorCode>>,
}

pub fn begin_describe(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: DescribeProducersRequest = call.decode(reader)?;
    let image = cx.shard.image().clone();
    let (mut split, mut results) = (Split::new(), Results::new());
    for topic in &request.topics {
        for index in &topic.partition_indexes {
            let order = results.order();
            match owner_by_name(&image, &topic.name, *index) {
                Err(error) => results.push(Some(Err(error))),
                Ok((shard, key)) => {
                    results.push(None);
                    split.add(shard, (order, key));
                }
            }
        }
    }
    results.wait_for(split.shards());
    for (shard, asked) in split.into_asks() {
        cx.shard.mesh.ask(shard, cx.ticket, Ask::Producers(asked));
    }
    let mut merge = DescribeMerge { request, results };
    if merge.results.is_complete() { Ok(Begun::Answer(merge.response(&call))) } else { call.wait(Merge::Producers(merge)) }
}

/// On the owning core.
pub fn run(shard: &mut Shard, ticket: Ticket, asked: &[(u32, PartitionKey)]) {
    let found = asked.iter().map(|(order, key)| {
        let producers = shard.partition(key).ok_or(ErrorCode::NotLeaderOrFollower).map(|partition| {
            let active = partition.log.producers().map(|producer| ActiveProducer {
                id: producer.id,
                epoch: producer.epoch,
                last_sequence: producer.last_sequence,
                last_timestamp: producer.last_timestamp,
                coordinator_epoch: producer.coordinator_epoch,
                transaction_start: producer.txn_start.map_or(-1, |Offset(start)| start),
            });
            active.collect()
        });
        (*order, producers)
    });
    let found = found.collect();
    shard.mesh.answer(ticket, Answer::Producers(found));
}

impl DescribeMerge {
    pub fn on_answer(&mut self, call: &Call, answer: Vec<(u32, Result<Vec<ActiveProducer>, ErrorCode>)>) -> Option<Response> {
        self.results.put(answer).then(|| self.response(call))
    }

    fn response(&mut self, call: &Call) -> Response {
        let mut results = self.results.take();
        let topics = std::mem::take(&mut self.request.topics).into_iter().map(|topic| {
            let partitions = topic.partition_indexes.iter().map(|index| {
                let found = results.next().expect("a result for every partition");
                let error_code = found.as_ref().err().copied().unwrap_or(ErrorCode::None);
                let active_producers = found.unwrap_or_default().into_iter().map(state).collect();
                PartitionResponse { partition_index: *index, error_code, active_producers, ..PartitionResponse::default() }
            });
            TopicResponse { partitions: partitions.collect(), name: topic.name }
        });
        call.respond(&DescribeProducersResponse { topics: topics.collect(), ..DescribeProducersResponse::default() })
    }
}

fn state(producer: ActiveProducer) -> ProducerState {
    ProducerState {
        producer_id: producer.id.0,
        producer_epoch: i32::from(producer.epoch),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_timestamp.0,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.transaction_start,
    }
}

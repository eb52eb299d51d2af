//! InitProducerId (22) and DescribeProducers (61).
//!
//! Each core hands out producer ids from a block of its own, which the control shard has made durable before: an id is
//! never given twice, also not after a crash.
//!
//! Transactions come with their coordinator; until then a transactional id is refused for good, so that no client retries.

use super::split::{Results, Split, owner};
use super::{Begun, Call, Cx, Hangup, Merge, Response, ask_control};
use crate::control::{Command, Reply};
use crate::error::{ErrorCode, Refusal};
use crate::metadata::{Image, Topic, topic_name};
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
    if let Err(error) = check(&request, cx.shard.config().transaction_max_timeout_ms) {
        return call.answer(&refused(error));
    }
    match cx.local.producer_ids.next() {
        Some(id) => call.answer(&given(id)),
        None => {
            ask_control(cx, Command::AllocateProducerIds);
            call.wait(Merge::ProducerId(Init))
        }
    }
}

/// May this producer have an id? In Kafka's order (`KafkaApis.handleInitProducerIdRequest`,
/// `TransactionCoordinator.handleInitProducerId`):
///
/// | producer id, epoch | transactional id | timeout | |
/// |---|---|---|---|
/// | only one of the two | | | INVALID_REQUEST |
/// | | none | | a new id, whatever id it had before (KIP-360 bumps epochs of transactional producers only) |
/// | | empty | | INVALID_REQUEST |
/// | | given | not above 0, or above `transaction.max.timeout.ms` | INVALID_TRANSACTION_TIMEOUT |
/// | | given | fine | TRANSACTIONAL_ID_AUTHORIZATION_FAILED, until transactions are served |
fn check(request: &InitProducerIdRequest, timeout_max_ms: i32) -> Result<(), ErrorCode> {
    if (request.producer_id == -1) != (request.producer_epoch == -1) {
        return Err(ErrorCode::InvalidRequest);
    }
    match request.transactional_id.as_deref() {
        None => Ok(()),
        Some("") => Err(ErrorCode::InvalidRequest),
        Some(_) if !(1..=timeout_max_ms).contains(&request.transaction_timeout_ms) => Err(ErrorCode::InvalidTransactionTimeout),
        Some(_) => Err(ErrorCode::TransactionalIdAuthorizationFailed),
    }
}

fn refused(error_code: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse { error_code, producer_epoch: -1, ..InitProducerIdResponse::default() }
}

fn given(producer_id: i64) -> InitProducerIdResponse {
    InitProducerIdResponse { producer_id, producer_epoch: 0, ..InitProducerIdResponse::default() }
}

impl Init {
    pub fn on_reply(&self, cx: &mut Cx<'_>, call: &Call, reply: Reply) -> Response {
        let Reply::ProducerIds(block) = reply else { unreachable!("asked for producer ids") };
        match block {
            Ok(mut block) => {
                // Several requests may have asked before the first block came. What is left of the older one is forgotten.
                let id = block.next().expect("a block has ids");
                cx.local.producer_ids = block;
                call.respond(&given(id))
            }
            Err(error) => call.respond(&refused(error)),
        }
    }
}

// ---- DescribeProducers

/// A partition's producers, or why they cannot be told: for a topic that is not there, in a sentence.
type Described = Result<Vec<ActiveProducer>, Refusal>;

pub struct DescribeMerge {
    request: DescribeProducersRequest,
    results: Results<Described>,
}

pub fn begin_describe(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: DescribeProducersRequest = call.decode(reader)?;
    let image = cx.shard.image().clone();
    let (mut split, mut results) = (Split::new(), Results::new());
    for topic in &request.topics {
        let known = find(&image, &topic.name);
        for index in &topic.partition_indexes {
            let order = results.order();
            match known.as_ref().map_err(Refusal::clone).and_then(|topic| owner(Some(topic), *index).map_err(Refusal::from)) {
                Err(refusal) => results.push(Some(Err(refusal))),
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

/// Kafka: `KafkaApis.handleDescribeProducersRequest`.
fn find<'a>(image: &'a Image, name: &str) -> Result<&'a Topic, Refusal> {
    topic_name::validate(name).map_err(|why| Refusal::new(ErrorCode::InvalidTopicException, why))?;
    let missing = || Refusal::new(ErrorCode::UnknownTopicOrPartition, "This server does not host this topic-partition.");
    image.topic_by_name(name).ok_or_else(missing)
}

/// On the owning core.
pub fn run(shard: &mut Shard, ticket: Ticket, asked: &[(u32, PartitionKey)]) {
    let found = asked.iter().map(|(order, key)| {
        let partition = shard.partition(key).ok_or(ErrorCode::NotLeaderOrFollower);
        let producers = partition.and_then(|partition| partition.check_readable().map(|()| partition)).map(|partition| {
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
        let answer = answer.into_iter().map(|(order, producers)| (order, producers.map_err(Refusal::from)));
        self.results.put(answer).then(|| self.response(call))
    }

    fn response(&mut self, call: &Call) -> Response {
        let mut results = self.results.take();
        let topics = std::mem::take(&mut self.request.topics).into_iter().map(|topic| {
            let partitions = topic.partition_indexes.iter().map(|index| {
                let found = results.next().expect("a result for every partition");
                partition_response(*index, found)
            });
            TopicResponse { partitions: partitions.collect(), name: topic.name }
        });
        call.respond(&DescribeProducersResponse { topics: topics.collect(), ..DescribeProducersResponse::default() })
    }
}

fn partition_response(partition_index: i32, found: Described) -> PartitionResponse {
    match found {
        Ok(producers) => PartitionResponse {
            partition_index,
            active_producers: producers.into_iter().map(state).collect(),
            ..PartitionResponse::default()
        },
        Err(Refusal { code, message }) => PartitionResponse {
            partition_index,
            error_code: code,
            error_message: Some(message).filter(|message| !message.is_empty()),
            ..PartitionResponse::default()
        },
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::World;

    /// What a Kafka 4.3.1 broker answers, but for the last: it has transactions.
    #[test]
    fn who_may_have_an_id_is_checked_in_kafkas_order() {
        let check = |transactional_id: Option<&str>, transaction_timeout_ms, producer_id, producer_epoch| {
            let transactional_id = transactional_id.map(str::to_owned);
            let request = InitProducerIdRequest {
                transactional_id,
                transaction_timeout_ms,
                producer_id,
                producer_epoch,
                ..InitProducerIdRequest::default()
            };
            check(&request, 900_000)
        };
        assert_eq!(check(None, 0, -1, -1), Ok(()));
        assert_eq!(check(None, -5, 0, 32767), Ok(()));
        assert_eq!(check(None, 0, 5, -1), Err(ErrorCode::InvalidRequest));
        assert_eq!(check(Some("x"), i32::MAX, -1, 5), Err(ErrorCode::InvalidRequest));
        assert_eq!(check(Some(""), 0, -1, -1), Err(ErrorCode::InvalidRequest));
        for timeout in [0, -1, 900_001, i32::MAX] {
            assert_eq!(check(Some("x"), timeout, -1, -1), Err(ErrorCode::InvalidTransactionTimeout), "{timeout}");
        }
        for timeout in [1, 900_000] {
            assert_eq!(check(Some("x"), timeout, -1, -1), Err(ErrorCode::TransactionalIdAuthorizationFailed), "{timeout}");
        }
    }

    #[test]
    fn a_topic_without_producers_to_tell_says_why() {
        let mut world = World::new(1);
        world.create("t", 1);
        assert_eq!(find(&world.image, "t").unwrap().partitions.len(), 1);
        assert_eq!(find(&world.image, "nope").unwrap_err().code, ErrorCode::UnknownTopicOrPartition);
        assert_eq!(find(&world.image, "bad/name").unwrap_err().code, ErrorCode::InvalidTopicException);
        let told = partition_response(9, Err(Refusal::from(ErrorCode::UnknownTopicOrPartition)));
        assert_eq!((told.partition_index, told.error_message), (9, None));
    }
}

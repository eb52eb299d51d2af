//! ListOffsets (2), OffsetForLeaderEpoch (23), DeleteRecords (21): one answer per partition, from the core that owns it.

use super::split::{Results, Split, owner_by_name};
use super::{Begun, Call, Cx, Hangup, Merge, Response};
use crate::error::ErrorCode;
use crate::shard::{Answer, Ask, DeletePartitionRecords, DeletedRecords, EpochEnd, FoundEpochEnd, ListOffset, ListedOffset, Shard, Ticket};
use crate::types::Epoch;
use crate::wire::codec::Reader;
use crate::wire::messages::delete_records::{
    DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use crate::wire::messages::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use crate::wire::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};

// ---- ListOffsets

pub struct ListMerge {
    request: ListOffsetsRequest,
    results: Results<ListedOffset>,
}

pub fn begin_list(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: ListOffsetsRequest = call.decode(reader)?;
    let image = cx.shard.image().clone();
    let (mut split, mut results) = (Split::new(), Results::new());
    for topic in &request.topics {
        for partition in &topic.partitions {
            let order = results.order();
            match owner_by_name(&image, &topic.name, partition.partition_index) {
                Err(error) => results.push(Some(ListedOffset::refused(order, error))),
                Ok((shard, key)) => {
                    results.push(None);
                    split.add(
                        shard,
                        ListOffset {
                            order,
                            key,
                            leader_epoch: Epoch(partition.current_leader_epoch),
                            timestamp: partition.timestamp,
                            read_committed: request.isolation_level == 1,
                        },
                    );
                }
            }
        }
    }
    results.wait_for(split.shards());
    for (shard, asked) in split.into_asks() {
        cx.shard.mesh.ask(shard, cx.ticket, Ask::ListOffsets(asked));
    }
    let mut merge = ListMerge { request, results };
    if merge.results.is_complete() { Ok(Begun::Answer(merge.response(&call))) } else { call.wait(Merge::ListOffsets(merge)) }
}

impl ListMerge {
    pub fn on_answer(&mut self, call: &Call, answer: Vec<ListedOffset>) -> Option<Response> {
        self.results.put(answer.into_iter().map(|one| (one.order, one))).then(|| self.response(call))
    }

    fn response(&mut self, call: &Call) -> Response {
        let mut results = self.results.take();
        let topics = std::mem::take(&mut self.request.topics).into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                let found = results.next().expect("a result for every partition");
                ListOffsetsPartitionResponse {
                    partition_index: partition.partition_index,
                    error_code: found.error,
                    timestamp: found.timestamp.0,
                    offset: found.offset,
                    leader_epoch: found.leader_epoch.0,
                }
            });
            ListOffsetsTopicResponse { partitions: partitions.collect(), name: topic.name }
        });
        call.respond(&ListOffsetsResponse { topics: topics.collect(), ..ListOffsetsResponse::default() })
    }
}

// ---- OffsetForLeaderEpoch

pub struct EpochMerge {
    request: OffsetForLeaderEpochRequest,
    results: Results<FoundEpochEnd>,
}

pub fn begin_epoch_ends(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: OffsetForLeaderEpochRequest = call.decode(reader)?;
    let image = cx.shard.image().clone();
    let (mut split, mut results) = (Split::new(), Results::new());
    for topic in &request.topics {
        for partition in &topic.partitions {
            let order = results.order();
            match owner_by_name(&image, &topic.topic, partition.partition) {
                Err(error) => results.push(Some(FoundEpochEnd::refused(order, error))),
                Ok((shard, key)) => {
                    results.push(None);
                    let current_leader_epoch = Epoch(partition.current_leader_epoch);
                    split.add(shard, EpochEnd { order, key, current_leader_epoch, epoch: Epoch(partition.leader_epoch) });
                }
            }
        }
    }
    results.wait_for(split.shards());
    for (shard, asked) in split.into_asks() {
        cx.shard.mesh.ask(shard, cx.ticket, Ask::EpochEnds(asked));
    }
    let mut merge = EpochMerge { request, results };
    if merge.results.is_complete() { Ok(Begun::Answer(merge.response(&call))) } else { call.wait(Merge::EpochEnds(merge)) }
}

/// On the owning core. Kafka: `Partition.lastOffsetForLeaderEpoch`.
pub fn run_epoch_ends(shard: &mut Shard, ticket: Ticket, asked: &[EpochEnd]) {
    let found = asked.iter().map(|one| {
        let found = shard.partition(&one.key).ok_or(ErrorCode::NotLeaderOrFollower).and_then(|partition| {
            partition.check_readable()?;
            partition.check_epoch(one.current_leader_epoch)?;
            Ok(partition.end_for_epoch(one.epoch))
        });
        match found {
            Ok((epoch, end)) => FoundEpochEnd { order: one.order, error: ErrorCode::None, epoch, end },
            Err(error) => FoundEpochEnd::refused(one.order, error),
        }
    });
    let found = found.collect();
    shard.mesh.answer(ticket, Answer::EpochEnds(found));
}

impl EpochMerge {
    pub fn on_answer(&mut self, call: &Call, answer: Vec<FoundEpochEnd>) -> Option<Response> {
        self.results.put(answer.into_iter().map(|one| (one.order, one))).then(|| self.response(call))
    }

    fn response(&mut self, call: &Call) -> Response {
        let mut results = self.results.take();
        let topics = std::mem::take(&mut self.request.topics).into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                let found = results.next().expect("a result for every partition");
                EpochEndOffset {
                    error_code: found.error,
                    partition: partition.partition,
                    leader_epoch: found.epoch.0,
                    end_offset: found.end,
                }
            });
            OffsetForLeaderTopicResult { partitions: partitions.collect(), topic: topic.topic }
        });
        call.respond(&OffsetForLeaderEpochResponse { topics: topics.collect(), ..OffsetForLeaderEpochResponse::default() })
    }
}

impl FoundEpochEnd {
    fn refused(order: u32, error: ErrorCode) -> FoundEpochEnd {
        FoundEpochEnd { order, error, epoch: Epoch::UNKNOWN, end: -1 }
    }
}

// ---- DeleteRecords

pub struct DeleteMerge {
    request: DeleteRecordsRequest,
    results: Results<DeletedRecords>,
}

pub fn begin_delete(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: DeleteRecordsRequest = call.decode(reader)?;
    let image = cx.shard.image().clone();
    let (mut split, mut results) = (Split::new(), Results::new());
    for topic in &request.topics {
        for partition in &topic.partitions {
            let order = results.order();
            match owner_by_name(&image, &topic.name, partition.partition_index) {
                Err(error) => results.push(Some(DeletedRecords { order, error, low_watermark: -1 })),
                Ok((shard, key)) => {
                    results.push(None);
                    split.add(shard, DeletePartitionRecords { order, key, offset: partition.offset });
                }
            }
        }
    }
    results.wait_for(split.shards());
    for (shard, asked) in split.into_asks() {
        cx.shard.mesh.ask(shard, cx.ticket, Ask::DeleteRecords(asked));
    }
    let mut merge = DeleteMerge { request, results };
    if merge.results.is_complete() { Ok(Begun::Answer(merge.response(&call))) } else { call.wait(Merge::DeleteRecords(merge)) }
}

/// On the owning core. Without followers the low watermark is the log start.
pub fn run_delete(shard: &mut Shard, ticket: Ticket, asked: &[DeletePartitionRecords]) {
    let deleted = asked.iter().map(|one| shard.delete_records(one)).collect();
    shard.mesh.answer(ticket, Answer::DeleteRecords(deleted));
}

impl DeleteMerge {
    pub fn on_answer(&mut self, call: &Call, answer: Vec<DeletedRecords>) -> Option<Response> {
        self.results.put(answer.into_iter().map(|one| (one.order, one))).then(|| self.response(call))
    }

    fn response(&mut self, call: &Call) -> Response {
        let mut results = self.results.take();
        let topics = std::mem::take(&mut self.request.topics).into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                let deleted = results.next().expect("a result for every partition");
                DeleteRecordsPartitionResult {
                    partition_index: partition.partition_index,
                    low_watermark: deleted.low_watermark,
                    error_code: deleted.error,
                }
            });
            DeleteRecordsTopicResult { partitions: partitions.collect(), name: topic.name }
        });
        call.respond(&DeleteRecordsResponse { topics: topics.collect(), ..DeleteRecordsResponse::default() })
    }
}

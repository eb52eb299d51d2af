//! ListOffsets (2), OffsetForLeaderEpoch (23), DeleteRecords (21): one answer per partition, from the core that owns it.

use super::split::{Results, Split, owner_by_name};
use super::{Begun, Call, Cx, Hangup, Merge, Response};
use crate::error::ErrorCode;
use crate::log::CleanupPolicy;
use crate::metadata::topic_name;
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
use std::collections::BTreeSet;

// ---- ListOffsets

/// First version that may ask for each mark in the place of a timestamp (`ReplicaManager.isListOffsetsTimestampUnsupported`).
const MARKS: &[(i64, i16)] = &[
    // Latest, earliest.
    (-1, 1),
    (-2, 1),
    // Latest timestamp (KIP-734).
    (-3, 7),
    // Earliest on this broker (KIP-405), last tiered (KIP-1005), earliest not yet tiered (KIP-1023).
    (-4, 8),
    (-5, 9),
    (-6, 11),
];

pub struct ListMerge {
    request: ListOffsetsRequest,
    results: Results<ListedOffset>,
}

pub fn begin_list(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: ListOffsetsRequest = call.decode(reader)?;
    let image = cx.shard.image().clone();
    let (mut split, mut results) = (Split::new(), Results::new());
    let twice = twice(&request);
    for topic in &request.topics {
        for partition in &topic.partitions {
            let order = results.order();
            let owner = match partition.partition_index {
                index if twice.contains(&(topic.name.as_str(), index)) => Err(ErrorCode::InvalidRequest),
                _ if !may_ask(call.version, partition.timestamp) => Err(ErrorCode::UnsupportedVersion),
                index => owner_by_name(&image, &topic.name, index),
            };
            match owner {
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

fn may_ask(version: i16, timestamp: i64) -> bool {
    timestamp >= 0 || MARKS.iter().any(|(mark, from)| *mark == timestamp && version >= *from)
}

/// Partitions that stand more than once.
fn twice(request: &ListOffsetsRequest) -> BTreeSet<(&str, i32)> {
    let mut seen = BTreeSet::new();
    let all = request.topics.iter().flat_map(|topic| topic.partitions.iter().map(|p| (topic.name.as_str(), p.partition_index)));
    all.filter(|partition| !seen.insert(*partition)).collect()
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
            let owner = owner_by_name(&image, &topic.name, partition.partition_index);
            match owner
                .and_then(|owner| if topic_name::is_internal(&topic.name) { Err(ErrorCode::InvalidTopicException) } else { Ok(owner) })
            {
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
    let delete = |one: &DeletePartitionRecords| match shard.partition(&one.key) {
        Some(partition) if !may_delete(partition.log.config().cleanup_policy) => {
            DeletedRecords { order: one.order, error: ErrorCode::PolicyViolation, low_watermark: -1 }
        }
        _ => shard.delete_records(one),
    };
    let deleted = asked.iter().map(delete).collect();
    shard.mesh.answer(ticket, Answer::DeleteRecords(deleted));
}

/// Whoever only compacts keeps the last record of every key (`Partition.deleteRecordsOnLeader`).
fn may_delete(policy: CleanupPolicy) -> bool {
    policy.delete || !policy.compact
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};

    /// What a Kafka 4.3.1 broker answers.
    #[test]
    fn marks_of_later_versions_are_not_understood_earlier() {
        for (timestamp, from) in [(-1, 1), (-2, 1), (-3, 7), (-4, 8), (-5, 9), (-6, 11), (0, 1), (i64::MAX, 1)] {
            for version in 1..=11 {
                assert_eq!(may_ask(version, timestamp), version >= from, "{timestamp} in version {version}");
            }
        }
        assert!((1..=11).all(|version| !may_ask(version, -7) && !may_ask(version, i64::MIN)));
    }

    #[test]
    fn a_topic_that_only_compacts_loses_no_records_to_delete_records() {
        let may = |delete, compact| may_delete(CleanupPolicy { delete, compact });
        assert!(may(true, false) && may(true, true) && may(false, false));
        assert!(!may(false, true));
    }

    #[test]
    fn a_partition_that_stands_twice_is_found_wherever_it_stands() {
        let topic = |name: &str, partitions: &[i32]| ListOffsetsTopic {
            name: name.into(),
            partitions: partitions
                .iter()
                .map(|index| ListOffsetsPartition { partition_index: *index, ..ListOffsetsPartition::default() })
                .collect(),
        };
        let request = ListOffsetsRequest {
            topics: vec![topic("a", &[0, 1, 1, 1]), topic("b", &[0]), topic("a", &[2, 0])],
            ..ListOffsetsRequest::default()
        };
        assert_eq!(twice(&request).into_iter().collect::<Vec<_>>(), [("a", 0), ("a", 1)]);
    }
}

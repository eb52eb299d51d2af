//! DescribeLogDirs (35) and AlterReplicaLogDirs (34).

use super::{Begun, Call, Cx, Hangup, Response};
use crate::error::ErrorCode;
use crate::shard::{Answer, Ask, LogDirPartition, PartitionKey, Shard, Ticket};
use crate::types::ShardId;
use crate::wire::codec::Reader;
use crate::wire::messages::alter_replica_log_dirs::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse,
};
use crate::wire::messages::describe_log_dirs::{
    DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use std::collections::BTreeMap;

/// Sizes from every core, since any of them may have partitions in any directory.
pub struct Merge {
    waiting: u16,
    found: Vec<LogDirPartition>,
}

pub fn begin(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: DescribeLogDirsRequest = call.decode(reader)?;
    let asked = request.topics.map(|topics| {
        let keys = topics.iter().filter_map(|topic| {
            let id = cx.shard.image().topic_by_name(&topic.topic)?.id;
            Some(topic.partitions.iter().map(move |index| PartitionKey { topic: id, index: *index }))
        });
        keys.flatten().collect::<Vec<_>>()
    });
    let cores = cx.shard.mesh.cores();
    for shard in (0..cores).map(ShardId) {
        cx.shard.mesh.ask(shard, cx.ticket, Ask::LogDirs(asked.clone()));
    }
    call.wait(super::Merge::LogDirs(Merge { waiting: cores, found: Vec::new() }))
}

/// On every core.
pub fn run(shard: &mut Shard, ticket: Ticket, asked: Option<&[PartitionKey]>) {
    let found = shard
        .partitions()
        .filter(|partition| asked.is_none_or(|keys| keys.contains(&partition.key)))
        .map(|partition| LogDirPartition { key: partition.key, dir: partition.dir, bytes: partition.log.bytes() })
        .collect();
    shard.mesh.answer(ticket, Answer::LogDirs(found));
}

impl Merge {
    pub fn on_answer(&mut self, cx: &mut Cx<'_>, call: &Call, answer: Vec<LogDirPartition>) -> Option<Response> {
        self.found.extend(answer);
        self.waiting -= 1;
        (self.waiting == 0).then(|| self.response(cx, call))
    }

    fn response(&self, cx: &mut Cx<'_>, call: &Call) -> Response {
        let fs = cx.core.fs();
        let results = cx.shard.directories().enumerate().map(|(dir, (path, _, offline))| {
            let log_dir = path.display().to_string();
            if offline {
                return DescribeLogDirsResult { error_code: ErrorCode::KafkaStorageError, log_dir, ..DescribeLogDirsResult::default() };
            }
            let mut topics: BTreeMap<&str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
            for partition in self.found.iter().filter(|partition| partition.dir == dir) {
                let Some(topic) = cx.shard.image().topic_by_id(partition.key.topic) else { continue };
                topics.entry(&topic.name).or_default().push(DescribeLogDirsPartition {
                    partition_index: partition.key.index,
                    partition_size: i64::try_from(partition.bytes).unwrap_or(i64::MAX),
                    ..DescribeLogDirsPartition::default()
                });
            }
            // One statfs call: nobody asks for this often.
            let space = fs.space(path).ok();
            let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
            DescribeLogDirsResult {
                log_dir,
                topics: topics.into_iter().map(|(name, partitions)| DescribeLogDirsTopic { name: name.to_owned(), partitions }).collect(),
                total_bytes: space.map_or(-1, |space| bytes(space.total_bytes)),
                usable_bytes: space.map_or(-1, |space| bytes(space.usable_bytes)),
                ..DescribeLogDirsResult::default()
            }
        });
        let results = results.collect();
        call.respond(&DescribeLogDirsResponse { results, ..DescribeLogDirsResponse::default() })
    }
}

/// A replica stays in its directory; asking for the one where it is succeeds, for another one is refused.
///
/// | the path is | the partition is | answer |
/// |---|---|---|
/// | no log directory of ours | | LOG_DIR_NOT_FOUND |
/// | offline | | KAFKA_STORAGE_ERROR |
/// | ours | not here | REPLICA_NOT_AVAILABLE |
/// | ours | there already | NONE |
/// | ours | in another one | KAFKA_STORAGE_ERROR: moving between directories is not built yet |
pub fn alter(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: AlterReplicaLogDirsRequest = call.decode(reader)?;
    let mut results: BTreeMap<String, Vec<AlterReplicaLogDirPartitionResult>> = BTreeMap::new();
    let node = cx.shard.config().node_id;
    for dir in &request.dirs {
        let found = cx.shard.directories().find(|(path, _, _)| path.as_os_str() == dir.path.as_str());
        for topic in &dir.topics {
            for index in &topic.partitions {
                let replica = cx.shard.image().topic_by_name(&topic.name).and_then(|t| t.partition(*index));
                let error_code = match (&found, replica) {
                    (None, _) => ErrorCode::LogDirNotFound,
                    (Some((_, _, true)), _) => ErrorCode::KafkaStorageError,
                    (Some(_), None) => ErrorCode::ReplicaNotAvailable,
                    (Some((_, id, false)), Some(replica)) if replica.directory(node) == Some(*id) => ErrorCode::None,
                    (Some(_), Some(_)) => ErrorCode::KafkaStorageError,
                };
                let partitions = results.entry(topic.name.clone()).or_default();
                partitions.push(AlterReplicaLogDirPartitionResult { partition_index: *index, error_code });
            }
        }
    }
    let results = results.into_iter().map(|(topic_name, partitions)| AlterReplicaLogDirTopicResult { topic_name, partitions }).collect();
    call.answer(&AlterReplicaLogDirsResponse { results, ..AlterReplicaLogDirsResponse::default() })
}

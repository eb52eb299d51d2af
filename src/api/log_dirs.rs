//! DescribeLogDirs (35) and AlterReplicaLogDirs (34): what lies in which log directory.

use super::split::Split;
use super::{Begun, Call, Cx, Hangup, Response};
use crate::error::ErrorCode;
use crate::metadata::{Image, Partition};
use crate::shard::{Answer, Ask, LogDirPartition, PartitionKey, Shard, Ticket};
use crate::types::{BrokerId, ShardId, Uuid};
use crate::wire::codec::Reader;
use crate::wire::messages::alter_replica_log_dirs::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse,
};
use crate::wire::messages::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeLogDirsResult,
    DescribeLogDirsTopic,
};
use millrace_io::Space;
use std::collections::{BTreeMap, BTreeSet};

// ---- DescribeLogDirs

/// Sizes from every core that has partitions to tell.
pub struct Merge {
    waiting: usize,
    found: Vec<LogDirPartition>,
}

pub fn begin(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: DescribeLogDirsRequest = call.decode(reader)?;
    let asks: Vec<(ShardId, Option<Vec<PartitionKey>>)> = match request.topics {
        None => (0..cx.shard.mesh.cores()).map(|core| (ShardId(core), None)).collect(),
        Some(topics) => split(cx.shard.image(), &topics).into_asks().map(|(shard, keys)| (shard, Some(keys))).collect(),
    };
    let merge = Merge { waiting: asks.len(), found: Vec::new() };
    if asks.is_empty() {
        return Ok(Begun::Answer(merge.response(cx, &call)));
    }
    for (shard, keys) in asks {
        cx.shard.mesh.ask(shard, cx.ticket, Ask::LogDirs(keys));
    }
    call.wait(super::Merge::LogDirs(merge))
}

/// Each partition once, with the core that owns it; what does not exist is left out.
fn split(image: &Image, topics: &[DescribableLogDirTopic]) -> Split<PartitionKey> {
    let mut seen = BTreeSet::new();
    let mut split = Split::new();
    for topic in topics {
        let Some(found) = image.topic_by_name(&topic.topic) else { continue };
        for index in &topic.partitions {
            let key = PartitionKey { topic: found.id, index: *index };
            if let Some(partition) = found.partition(*index).filter(|_| seen.insert(key)) {
                split.add(partition.shard, key);
            }
        }
    }
    split
}

/// On the owning core.
pub fn run(shard: &mut Shard, ticket: Ticket, asked: Option<&[PartitionKey]>) {
    let told =
        |partition: &crate::shard::Partition| LogDirPartition { key: partition.key, dir: partition.dir, bytes: partition.log.bytes() };
    let found = match asked {
        None => shard.partitions().map(told).collect(),
        Some(keys) => keys.iter().filter_map(|key| shard.partition(key)).map(told).collect(),
    };
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
        // One statvfs call for each: nobody asks for this often, and nothing of a local file system is read for it.
        let dir = |(path, _, offline): (&std::path::Path, Uuid, bool)| Directory {
            path: path.display().to_string(),
            offline,
            space: if offline { None } else { fs.space(path).ok() },
        };
        let dirs = cx.shard.directories().map(dir).collect();
        let results = results(cx.shard.image(), dirs, &self.found);
        call.respond(&DescribeLogDirsResponse { results, ..DescribeLogDirsResponse::default() })
    }
}

struct Directory {
    path: String,
    offline: bool,
    space: Option<Space>,
}

/// In the order of `log.dirs`, topics by name, partitions by number. The leader of a partition has no lag.
fn results(image: &Image, dirs: Vec<Directory>, found: &[LogDirPartition]) -> Vec<DescribeLogDirsResult> {
    let mut by_dir: Vec<BTreeMap<&str, BTreeMap<i32, u64>>> = dirs.iter().map(|_| BTreeMap::new()).collect();
    for partition in found {
        // A topic may have been deleted since.
        let Some(topic) = image.topic_by_id(partition.key.topic) else { continue };
        by_dir[partition.dir].entry(&topic.name).or_default().insert(partition.key.index, partition.bytes);
    }
    let described = dirs.into_iter().zip(by_dir).map(|(dir, topics)| {
        if dir.offline {
            return DescribeLogDirsResult {
                error_code: ErrorCode::KafkaStorageError,
                log_dir: dir.path,
                ..DescribeLogDirsResult::default()
            };
        }
        let topics = topics.into_iter().map(|(name, partitions)| DescribeLogDirsTopic {
            name: name.to_owned(),
            partitions: partitions.into_iter().map(|(partition_index, size)| partition(partition_index, size)).collect(),
        });
        DescribeLogDirsResult {
            log_dir: dir.path,
            topics: topics.collect(),
            total_bytes: dir.space.map_or(-1, |space| bytes(space.total_bytes)),
            usable_bytes: dir.space.map_or(-1, |space| bytes(space.usable_bytes)),
            ..DescribeLogDirsResult::default()
        }
    });
    described.collect()
}

fn partition(partition_index: i32, size: u64) -> DescribeLogDirsPartition {
    DescribeLogDirsPartition { partition_index, partition_size: bytes(size), ..DescribeLogDirsPartition::default() }
}

fn bytes(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

// ---- AlterReplicaLogDirs

/// A replica stays in its directory: to ask for the one where it is succeeds, for another one is refused.
///
/// In Kafka's order (`ReplicaManager.alterReplicaLogDirs`), which also refuses names too long for its temporary directories:
///
/// | the directory asked for | the partition | answer |
/// |---|---|---|
/// | is none of `log.dirs`, letter by letter | | LOG_DIR_NOT_FOUND |
/// | is offline | | KAFKA_STORAGE_ERROR |
/// | is ours | does not exist | UNKNOWN_TOPIC_OR_PARTITION |
/// | is ours | is in none yet, or not on this broker | REPLICA_NOT_AVAILABLE |
/// | is ours | is there already | NONE |
/// | is ours | is in one that is offline | KAFKA_STORAGE_ERROR |
/// | is ours | is in another one | UNSUPPORTED_VERSION: moving between directories is not built yet |
pub fn alter(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: AlterReplicaLogDirsRequest = call.decode(reader)?;
    let node = cx.shard.config().node_id;
    let online: Vec<(String, Uuid, bool)> =
        cx.shard.directories().map(|(path, id, offline)| (path.display().to_string(), id, !offline)).collect();
    call.answer(&altered(cx.shard.image(), node, &online, &request))
}

/// `dirs`: path, id and whether it is online of every log directory.
fn altered(
    image: &Image,
    node: BrokerId,
    dirs: &[(String, Uuid, bool)],
    request: &AlterReplicaLogDirsRequest,
) -> AlterReplicaLogDirsResponse {
    let mut results: BTreeMap<&str, Vec<AlterReplicaLogDirPartitionResult>> = BTreeMap::new();
    for dir in &request.dirs {
        let asked = dirs.iter().find(|(path, _, _)| *path == dir.path);
        for topic in &dir.topics {
            let found = image.topic_by_name(&topic.name);
            for index in &topic.partitions {
                let partition = found.and_then(|found| found.partition(*index));
                let verdict = verdict(partition, node, asked, dirs);
                let error_code = verdict.err().unwrap_or(ErrorCode::None);
                let partitions = results.entry(&topic.name).or_default();
                partitions.push(AlterReplicaLogDirPartitionResult { partition_index: *index, error_code });
            }
        }
    }
    let result = |(name, partitions): (&str, _)| AlterReplicaLogDirTopicResult { topic_name: name.to_owned(), partitions };
    AlterReplicaLogDirsResponse { results: results.into_iter().map(result).collect(), ..AlterReplicaLogDirsResponse::default() }
}

fn verdict(
    partition: Option<&Partition>,
    node: BrokerId,
    asked: Option<&(String, Uuid, bool)>,
    dirs: &[(String, Uuid, bool)],
) -> Result<(), ErrorCode> {
    let (_, wanted, online) = asked.ok_or(ErrorCode::LogDirNotFound)?;
    if !online {
        return Err(ErrorCode::KafkaStorageError);
    }
    let here = partition.ok_or(ErrorCode::UnknownTopicOrPartition)?.directory(node).ok_or(ErrorCode::ReplicaNotAvailable)?;
    if here == *wanted {
        return Ok(());
    }
    match dirs.iter().any(|(_, id, online)| *id == here && *online) {
        true => Err(ErrorCode::UnsupportedVersion),
        false => Err(ErrorCode::KafkaStorageError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::directory_assigned;
    use crate::metadata::tests::World;
    use crate::wire::messages::alter_replica_log_dirs::{AlterReplicaLogDir, AlterReplicaLogDirTopic};

    fn world() -> World {
        let mut world = World::new(2);
        world.create("u", 2);
        world.create("t", 1);
        world
    }

    fn key(world: &World, topic: &str, index: i32) -> PartitionKey {
        PartitionKey { topic: world.image.topic_by_name(topic).unwrap().id, index }
    }

    #[test]
    fn each_existing_partition_is_asked_of_its_core_once() {
        let world = world();
        let asked = |topic: &str, partitions: &[i32]| DescribableLogDirTopic { topic: topic.into(), partitions: partitions.into() };
        let split = split(&world.image, &[asked("u", &[0, 1, 1, 9]), asked("u", &[0]), asked("nope", &[0])]);
        let mut keys: Vec<_> = split.into_asks().flat_map(|(_, keys)| keys).collect();
        keys.sort();
        assert_eq!(keys, [key(&world, "u", 0), key(&world, "u", 1)]);
    }

    #[test]
    fn directories_tell_what_they_hold_and_a_failed_one_only_that() {
        let world = world();
        let found = |topic: &str, index, dir, bytes| LogDirPartition { key: key(&world, topic, index), dir, bytes };
        let gone = LogDirPartition { key: PartitionKey { topic: Uuid([9; 16]), index: 0 }, dir: 0, bytes: 5 };
        let space = Some(Space { total_bytes: u64::MAX, usable_bytes: 7 });
        let dirs =
            vec![Directory { path: "/a".into(), offline: false, space }, Directory { path: "/b".into(), offline: true, space: None }];
        let told = results(&world.image, dirs, &[found("u", 1, 0, 20), found("u", 0, 0, 10), gone, found("t", 0, 1, 30)]);
        assert_eq!((told[0].log_dir.as_str(), told[0].total_bytes, told[0].usable_bytes), ("/a", i64::MAX, 7));
        assert_eq!(told[0].topics, [DescribeLogDirsTopic { name: "u".into(), partitions: vec![partition(0, 10), partition(1, 20)] }]);
        assert_eq!((told[1].error_code, told[1].topics.len()), (ErrorCode::KafkaStorageError, 0));
    }

    #[test]
    fn a_replica_may_stay_where_it_is_and_go_nowhere_else() {
        let mut world = world();
        let (a, b, c) = (Uuid([1; 16]), Uuid([2; 16]), Uuid([3; 16]));
        let id = world.image.topic_by_name("u").unwrap().id;
        for (index, dir) in [(0, a), (1, c)] {
            let records = directory_assigned(&world.image, id, index, dir).unwrap();
            world.apply(&records);
        }
        let dirs = [("/a".to_owned(), a, true), ("/b".to_owned(), b, true), ("/c".to_owned(), c, false)];
        let code = |path: &str, name: &str, index: i32| {
            let topics = vec![AlterReplicaLogDirTopic { name: name.into(), partitions: vec![index] }];
            let request = AlterReplicaLogDirsRequest { dirs: vec![AlterReplicaLogDir { path: path.into(), topics }] };
            altered(&world.image, BrokerId(0), &dirs, &request).results[0].partitions[0].error_code
        };
        assert_eq!(code("/a", "u", 0), ErrorCode::None);
        assert_eq!(code("/nope", "u", 0), ErrorCode::LogDirNotFound);
        assert_eq!(code("/a/", "u", 0), ErrorCode::LogDirNotFound);
        assert_eq!(code("/c", "u", 0), ErrorCode::KafkaStorageError);
        assert_eq!(code("/b", "u", 1), ErrorCode::KafkaStorageError);
        assert_eq!(code("/b", "u", 0), ErrorCode::UnsupportedVersion);
        assert_eq!(code("/a", "u", 9), ErrorCode::UnknownTopicOrPartition);
        assert_eq!(code("/a", "nope", 0), ErrorCode::UnknownTopicOrPartition);
        assert_eq!(code("/nope", "nope", 0), ErrorCode::LogDirNotFound);
    }
}

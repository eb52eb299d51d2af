//! Metadata (3): brokers, topics, and who leads which partition. From the image, on the connection's core.
//!
//! ```text
//!  begin ─▶ all topics are there ─▶ respond
//!     └───▶ some are missing and may be made ─▶ control shard makes them ─▶ respond, as if they had always been there
//! ```
//!
//! Kafka answers the first time with UNKNOWN_TOPIC_OR_PARTITION and lets the client ask again; here the answer waits the
//! moment that it takes, so that clients which do not ask again work as well.

use super::cluster::{CLUSTER_OPERATIONS, Node, TOPIC_OPERATIONS, UNKNOWN_OPERATIONS};
use super::{Begun, Call, Cx, Hangup, Response, ask_control};
use crate::control::{Command, Reply};
use crate::error::ErrorCode;
use crate::metadata::{Image, Partition, Topic, topic_name};
use crate::types::{BrokerId, Uuid};
use crate::wire::codec::Reader;
use crate::wire::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use std::collections::{BTreeMap, BTreeSet};

/// First version that may ask by id.
const TOPIC_IDS: i16 = 12;

/// Waits until the topics that were missing have been made.
pub struct AutoCreating {
    asked: Asked,
}

/// What a client wants to know, the same in all versions.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    topics: Topics,
    may_create: bool,
    topic_operations: bool,
    cluster_operations: bool,
}

/// Each topic once, in the order asked.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Topics {
    All,
    Names(Vec<String>),
    Ids(Vec<Uuid>),
}

pub fn begin(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: MetadataRequest = call.decode(reader)?;
    let asked = match Asked::of(call.version, &request) {
        Ok(asked) => asked,
        Err(error) => return call.answer(&refused(request, error)),
    };
    let missing = if cx.shard.config().auto_create_topics { asked.missing(cx.shard.image()) } else { Vec::new() };
    if missing.is_empty() {
        return Ok(Begun::Answer(respond(cx, &call, &asked, &BTreeMap::new())));
    }
    ask_control(cx, Command::AutoCreate(missing));
    call.wait(super::Merge::Metadata(AutoCreating { asked }))
}

impl AutoCreating {
    pub fn on_reply(&self, cx: &mut Cx<'_>, call: &Call, reply: Reply) -> Response {
        let Reply::AutoCreate(created) = reply else { unreachable!("asked for topics") };
        let failed = created.into_iter().filter_map(|topic| Some((topic.name, topic.result.err()?))).collect();
        respond(cx, call, &self.asked, &failed)
    }
}

fn respond(cx: &mut Cx<'_>, call: &Call, asked: &Asked, failed: &BTreeMap<String, ErrorCode>) -> Response {
    call.respond(&response(cx.shard.image(), Node::advertised(cx), asked, failed))
}

impl Asked {
    /// Kafka: `KafkaApis.handleTopicMetadataRequest`. A topic is named by its name or, where the version allows, by its id;
    /// names beside ids are not looked at.
    fn of(version: i16, request: &MetadataRequest) -> Result<Asked, ErrorCode> {
        let topics = match request.topics.as_deref() {
            None => Topics::All,
            Some([]) if version == 0 => Topics::All,
            Some(topics) => {
                let by_id = |topic: &&_| -> bool { id_of(topic) != Uuid::ZERO };
                if topics.iter().any(|topic| if by_id(&topic) { version < TOPIC_IDS } else { topic.name.is_none() }) {
                    return Err(ErrorCode::InvalidRequest);
                }
                if topics.iter().any(|topic| by_id(&topic)) {
                    Topics::Ids(once(topics.iter().filter(by_id).map(|topic| topic.topic_id)))
                } else {
                    Topics::Names(once(topics.iter().filter_map(|topic| topic.name.clone())))
                }
            }
        };
        Ok(Asked {
            topics,
            may_create: request.allow_auto_topic_creation,
            topic_operations: request.include_topic_authorized_operations,
            cluster_operations: request.include_cluster_authorized_operations,
        })
    }

    /// Topics that are not there and that this request may create. Brokers make their own topics themselves, with other
    /// defaults, when they first need them.
    fn missing(&self, image: &Image) -> Vec<String> {
        match &self.topics {
            Topics::Names(names) if self.may_create => names
                .iter()
                .filter(|name| image.topic_by_name(name).is_none())
                .filter(|name| topic_name::validate(name).is_ok() && !topic_name::is_internal(name))
                .cloned()
                .collect(),
            _ => Vec::new(),
        }
    }
}

fn id_of(topic: &crate::wire::messages::metadata::MetadataRequestTopic) -> Uuid {
    topic.topic_id
}

/// Each of them once, where it first stood.
fn once<T: Ord + Clone>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    items.filter(|item| seen.insert(item.clone())).collect()
}

/// `failed`: topics that could not be made, and why.
fn response(image: &Image, me: Node, asked: &Asked, failed: &BTreeMap<String, ErrorCode>) -> MetadataResponse {
    let online = Online::of(image);
    let told = |topic: &Topic| told(topic, &online);
    let mut topics: Vec<MetadataResponseTopic> = match &asked.topics {
        Topics::All => image.topics().map(told).collect(),
        Topics::Names(names) => {
            names.iter().map(|name| image.topic_by_name(name).map_or_else(|| missing(name, failed.get(name)), told)).collect()
        }
        Topics::Ids(ids) => ids.iter().map(|id| image.topic_by_id(*id).map_or_else(|| unknown(*id), told)).collect(),
    };
    if asked.topic_operations {
        topics.iter_mut().for_each(|topic| topic.topic_authorized_operations = TOPIC_OPERATIONS);
    }
    MetadataResponse {
        controller_id: me.id,
        brokers: vec![MetadataResponseBroker { node_id: me.id, host: me.host, port: me.port, rack: me.rack }],
        cluster_id: Some(image.cluster_id.to_string()),
        topics,
        cluster_authorized_operations: if asked.cluster_operations { CLUSTER_OPERATIONS } else { UNKNOWN_OPERATIONS },
        ..MetadataResponse::default()
    }
}

/// The whole request is refused: every topic of it says why (`MetadataRequest.getErrorResponse`).
fn refused(request: MetadataRequest, error_code: ErrorCode) -> MetadataResponse {
    let topics = request.topics.into_iter().flatten().map(|topic| MetadataResponseTopic {
        error_code,
        name: Some(topic.name.unwrap_or_default()),
        topic_id: topic.topic_id,
        ..MetadataResponseTopic::default()
    });
    MetadataResponse { topics: topics.collect(), error_code, ..MetadataResponse::default() }
}

fn missing(name: &str, failed: Option<&ErrorCode>) -> MetadataResponseTopic {
    let error_code = match failed {
        _ if topic_name::validate(name).is_err() => ErrorCode::InvalidTopicException,
        // A name that collides with another. The rest is for the log: a client can only ask again.
        Some(ErrorCode::InvalidTopicException) => ErrorCode::InvalidTopicException,
        _ => ErrorCode::UnknownTopicOrPartition,
    };
    MetadataResponseTopic {
        error_code,
        name: Some(name.to_owned()),
        is_internal: topic_name::is_internal(name),
        ..MetadataResponseTopic::default()
    }
}

fn unknown(topic_id: Uuid) -> MetadataResponseTopic {
    MetadataResponseTopic { error_code: ErrorCode::UnknownTopicId, topic_id, ..MetadataResponseTopic::default() }
}

fn told(topic: &Topic, online: &Online<'_>) -> MetadataResponseTopic {
    let partitions = topic.partitions().map(|(partition_index, partition)| MetadataResponsePartition {
        error_code: if partition.leader.0 < 0 { ErrorCode::LeaderNotAvailable } else { ErrorCode::None },
        partition_index,
        leader_id: partition.leader.0,
        leader_epoch: partition.leader_epoch.0,
        replica_nodes: ids(&partition.replicas),
        isr_nodes: ids(&partition.isr),
        offline_replicas: online.offline(partition),
    });
    MetadataResponseTopic {
        name: Some(topic.name.to_string()),
        topic_id: topic.id,
        is_internal: topic.is_internal(),
        partitions: partitions.collect(),
        ..MetadataResponseTopic::default()
    }
}

pub fn ids(brokers: &[BrokerId]) -> Vec<i32> {
    brokers.iter().map(|broker| broker.0).collect()
}

/// Which replicas can be reached: their broker is there, and their log directory works (`KRaftMetadataCache.isReplicaOffline`).
pub struct Online<'a> {
    image: &'a Image,
}

impl Online<'_> {
    pub fn of(image: &Image) -> Online<'_> {
        Online { image }
    }

    pub fn offline(&self, partition: &Partition) -> Vec<i32> {
        let is_offline = |id: &&BrokerId| match self.image.broker(**id) {
            None => true,
            Some(broker) => broker.fenced || partition.directory(**id).is_some_and(|dir| !broker.log_dirs.contains(&dir)),
        };
        partition.replicas.iter().filter(is_offline).map(|id| id.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::cluster::tests::node;
    use super::*;
    use crate::metadata::tests::World;
    use crate::metadata::{directory_assigned, log_dirs_changed};
    use crate::wire::messages::metadata::MetadataRequestTopic;

    fn by_name(name: &str) -> MetadataRequestTopic {
        MetadataRequestTopic { name: Some(name.into()), ..MetadataRequestTopic::default() }
    }

    fn by_id(topic_id: Uuid) -> MetadataRequestTopic {
        MetadataRequestTopic { topic_id, name: None }
    }

    fn request(topics: Option<Vec<MetadataRequestTopic>>) -> MetadataRequest {
        MetadataRequest { topics, ..MetadataRequest::default() }
    }

    fn asked(version: i16, topics: Option<Vec<MetadataRequestTopic>>) -> Asked {
        Asked::of(version, &request(topics)).unwrap()
    }

    fn told(world: &World, asked: &Asked) -> Vec<(Option<String>, ErrorCode, usize)> {
        let response = response(&world.image, node(), asked, &BTreeMap::new());
        response.topics.into_iter().map(|topic| (topic.name, topic.error_code, topic.partitions.len())).collect()
    }

    fn names(names: &[&str]) -> Option<Vec<MetadataRequestTopic>> {
        Some(names.iter().map(|name| by_name(name)).collect())
    }

    #[test]
    fn no_topics_means_all_in_version_0_and_none_later() {
        assert_eq!(asked(0, Some(vec![])).topics, Topics::All);
        assert_eq!(asked(1, Some(vec![])).topics, Topics::Names(vec![]));
        assert_eq!(asked(1, None).topics, Topics::All);
    }

    #[test]
    fn ids_come_with_version_12_and_silence_the_names_beside_them() {
        let id = Uuid([3; 16]);
        let mixed = || Some(vec![by_name("a"), by_id(id), by_id(id)]);
        assert_eq!(asked(12, mixed()).topics, Topics::Ids(vec![id]));
        for version in [10, 11] {
            assert_eq!(Asked::of(version, &request(mixed())), Err(ErrorCode::InvalidRequest));
        }
        // Neither name nor id.
        assert_eq!(Asked::of(12, &request(Some(vec![by_id(Uuid::ZERO)]))), Err(ErrorCode::InvalidRequest));
        let told = refused(request(mixed()), ErrorCode::InvalidRequest);
        assert_eq!(told.topics.iter().map(|t| t.name.as_deref()).collect::<Vec<_>>(), [Some("a"), Some(""), Some("")]);
        assert!(told.topics.iter().all(|topic| topic.error_code == ErrorCode::InvalidRequest) && told.brokers.is_empty());
    }

    #[test]
    fn each_topic_is_told_once_in_the_order_asked() {
        let mut world = World::new(2);
        world.create("b", 3);
        world.create("a", 1);
        let some = asked(13, names(&["b", "nope", "a", "b", "bad/name", ""]));
        assert_eq!(
            told(&world, &some),
            [
                (Some("b".into()), ErrorCode::None, 3),
                (Some("nope".into()), ErrorCode::UnknownTopicOrPartition, 0),
                (Some("a".into()), ErrorCode::None, 1),
                (Some("bad/name".into()), ErrorCode::InvalidTopicException, 0),
                (Some("".into()), ErrorCode::InvalidTopicException, 0),
            ]
        );
        assert_eq!(told(&world, &asked(13, None)), [(Some("a".into()), ErrorCode::None, 1), (Some("b".into()), ErrorCode::None, 3)]);
        let id = world.image.topic_by_name("a").unwrap().id;
        let ids = asked(12, Some(vec![by_id(Uuid([9; 16])), by_id(id)]));
        assert_eq!(told(&world, &ids), [(None, ErrorCode::UnknownTopicId, 0), (Some("a".into()), ErrorCode::None, 1)]);
    }

    #[test]
    fn a_topic_is_made_if_its_name_is_good_and_nobody_forbids_it() {
        let mut world = World::new(1);
        world.create("a", 1);
        let some = || names(&["a", "new", "new", "bad/name", "__consumer_offsets"]);
        assert_eq!(asked(4, some()).missing(&world.image), ["new"]);
        assert_eq!(asked(0, some()).missing(&world.image), ["new"], "before version 4 nobody could forbid it");
        let forbidden = MetadataRequest { allow_auto_topic_creation: false, ..request(some()) };
        assert!(Asked::of(4, &forbidden).unwrap().missing(&world.image).is_empty());
        assert!(asked(12, Some(vec![by_id(Uuid([9; 16]))])).missing(&world.image).is_empty());
        assert!(asked(4, None).missing(&world.image).is_empty());
    }

    #[test]
    fn a_topic_that_could_not_be_made_is_unknown_unless_its_name_is_to_blame() {
        let world = World::new(1);
        let failed =
            BTreeMap::from([("x".to_owned(), ErrorCode::InvalidReplicationFactor), ("y".to_owned(), ErrorCode::InvalidTopicException)]);
        let told = response(&world.image, node(), &asked(4, names(&["x", "y"])), &failed);
        let codes: Vec<_> = told.topics.iter().map(|topic| topic.error_code).collect();
        assert_eq!(codes, [ErrorCode::UnknownTopicOrPartition, ErrorCode::InvalidTopicException]);
    }

    #[test]
    fn operations_are_told_when_asked_for() {
        let mut world = World::new(1);
        world.create("a", 1);
        let plain = response(&world.image, node(), &asked(8, None), &BTreeMap::new());
        assert_eq!((plain.topics[0].topic_authorized_operations, plain.cluster_authorized_operations), (i32::MIN, i32::MIN));
        let both =
            MetadataRequest { include_topic_authorized_operations: true, include_cluster_authorized_operations: true, ..request(None) };
        let told = response(&world.image, node(), &Asked::of(8, &both).unwrap(), &BTreeMap::new());
        assert_eq!((told.topics[0].topic_authorized_operations, told.cluster_authorized_operations), (3576, 8096));
    }

    #[test]
    fn a_replica_in_a_failed_directory_is_offline() {
        let mut world = World::new(1);
        world.create("a", 1);
        let dirs = world.image.broker(BrokerId(0)).unwrap().log_dirs.clone();
        let id = world.image.topic_by_name("a").unwrap().id;
        let records = directory_assigned(&world.image, id, 0, dirs[1]).unwrap();
        world.apply(&records);
        let offline = |world: &World| {
            let told = response(&world.image, node(), &asked(9, None), &BTreeMap::new());
            told.topics[0].partitions[0].offline_replicas.clone()
        };
        assert!(offline(&world).is_empty());
        let records = log_dirs_changed(&world.image, &dirs[..1]);
        world.apply(&records);
        assert_eq!(offline(&world), [0]);
    }
}

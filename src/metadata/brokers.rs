//! Brokers come and go: registration at the start, log directories that fail, blocks of producer ids.

use super::controller::Context;
use super::image::Image;
use super::placement;
use super::records::{
    BrokerChanged, Endpoint, Feature, FeatureLevel, PartitionChanged, PartitionPlaced, ProducerIds, Record, RegisterBroker, ShardsCounted,
};
use crate::config::Listener;
use crate::error::{ErrorCode, Refusal};
use crate::types::{BrokerId, ShardId, Uuid};
use std::ops::Range;

/// Producer ids that are handed out at once (`ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`). Those of a block that were not
/// used at a restart are lost; there are 2^63.
pub const PRODUCER_ID_BLOCK: i64 = 1000;

/// What a broker says about itself when it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    pub incarnation: Uuid,
    pub endpoints: Vec<Endpoint>,
    pub rack: Option<String>,
    /// Those that are online.
    pub log_dirs: Vec<Uuid>,
}

/// Where clients reach a broker, one for each listener name: a name that stands for an IPv4 and an IPv6 address is told by
/// its first. `advertised_host` is filled in by the time.
pub fn endpoints(listeners: &[Listener]) -> Vec<Endpoint> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for listener in listeners {
        if !endpoints.iter().any(|endpoint| endpoint.name == listener.name) {
            endpoints.push(Endpoint {
                name: listener.name.clone(),
                host: listener.advertised_host.clone(),
                port: listener.advertised_port,
                security_protocol: listener.protocol.number(),
            });
        }
    }
    endpoints
}

/// Features of Kafka's that a cluster of ours finalizes, with the level and the least and highest level that this program
/// can do.
pub const FEATURES: &[(&str, i16, i16, i16)] = &[("metadata.version", METADATA_VERSION, 7, METADATA_VERSION)];

/// Level of `metadata.version`: what the records above need, and what clients of Kafka 4.3 expect of a cluster
/// (`MetadataVersion.IBP_4_3_IV0`).
pub const METADATA_VERSION: i16 = 30;

/// The records with which this broker begins to serve: it is registered with a new epoch, leads every partition that it
/// has a replica of in a new leader epoch (so that clients and followers notice a log that a crash has cut), and every
/// partition is on a shard that exists.
pub fn start(cx: &mut Context<'_>, registration: &Registration) -> Vec<Record> {
    let mut records = Vec::new();
    for (name, level, _, _) in FEATURES {
        if cx.image.feature(name) != *level {
            records.push(Record::from(FeatureLevel { name: name.to_string(), feature_level: *level }));
        }
    }
    let feature = |(name, _, min, max): &(&str, i16, i16, i16)| Feature {
        name: name.to_string(),
        min_supported_version: *min,
        max_supported_version: *max,
    };
    // A broker's epoch is the offset of its registration, so it grows with every start.
    let offset = cx.image.end.plus(u32::try_from(records.len()).expect("features are few"));
    records.push(Record::from(RegisterBroker {
        broker_id: cx.image.node.0,
        is_migrating_zk_broker: false,
        incarnation_id: registration.incarnation,
        broker_epoch: offset.0,
        end_points: registration.endpoints.clone(),
        features: FEATURES.iter().map(feature).collect(),
        rack: registration.rack.clone(),
        fenced: false,
        in_controlled_shutdown: false,
        log_dirs: registration.log_dirs.clone(),
    }));
    records.extend(new_leaderships(cx.image));
    records.extend(new_placements(cx));
    records
}

fn new_leaderships(image: &Image) -> impl Iterator<Item = Record> {
    let node = image.node;
    image.topics().flat_map(move |topic| {
        let mine = topic.partitions().filter(move |(_, partition)| partition.isr.contains(&node));
        mine.map(move |(index, _)| {
            Record::from(PartitionChanged { partition_id: index, topic_id: topic.id, leader: node.0, ..PartitionChanged::default() })
        })
    })
}

/// With another number of cores than before, partitions are spread anew. At a start nothing is open yet, so that moving
/// one to another shard costs a record and no more.
fn new_placements(cx: &Context<'_>) -> Vec<Record> {
    if cx.image.shards == cx.shards {
        return Vec::new();
    }
    let node = cx.image.node.0;
    let placed = |(topic_id, partition_id, shard): (Uuid, i32, ShardId)| {
        Record::from(PartitionPlaced { topic_id, partition_id, broker_id: node, shard: shard.0 })
    };
    let counted = Record::from(ShardsCounted { broker_id: node, shards: cx.shards });
    placement::rebalance(cx.image, cx.shards).into_iter().map(placed).chain([counted]).collect()
}

/// This broker's log directories that are online are now these.
pub fn log_dirs_changed(image: &Image, online: &[Uuid]) -> Vec<Record> {
    match image.broker(image.node) {
        Some(broker) if broker.log_dirs != online => vec![Record::from(BrokerChanged {
            broker_id: broker.id.0,
            broker_epoch: broker.epoch,
            log_dirs: online.to_vec(),
            ..BrokerChanged::default()
        })],
        _ => Vec::new(),
    }
}

/// A partition of this broker now lies in another log directory: it was moved there, or found there.
pub fn directory_assigned(image: &Image, topic: Uuid, index: i32, directory: Uuid) -> Result<Vec<Record>, ErrorCode> {
    let found = image.topic_by_id(topic).ok_or(ErrorCode::UnknownTopicId)?;
    let partition = found.partition(index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let replica = partition.replicas.iter().position(|replica| *replica == image.node).ok_or(ErrorCode::NotLeaderOrFollower)?;
    if partition.directories[replica] == directory {
        return Ok(Vec::new());
    }
    let mut directories = partition.directories.clone();
    directories[replica] = directory;
    let change = PartitionChanged { partition_id: index, topic_id: topic, directories: Some(directories), ..PartitionChanged::default() };
    Ok(vec![Record::from(change)])
}

/// The next block of producer ids for a broker (`ProducerIdControlManager.generateNextProducerId`).
pub fn allocate_producer_ids(image: &Image, broker: BrokerId, broker_epoch: i64) -> Result<(Vec<Record>, Range<i64>), Refusal> {
    let registered = image.broker(broker).ok_or(ErrorCode::BrokerIdNotRegistered)?;
    if registered.epoch != broker_epoch {
        return Err(Refusal::from(ErrorCode::StaleBrokerEpoch));
    }
    let first = image.next_producer_id;
    if first > i64::MAX - PRODUCER_ID_BLOCK {
        return Err(Refusal::new(
            ErrorCode::UnknownServerError,
            "Exhausted all producerIds as the next block's end producerId exceeds the int64 type limit",
        ));
    }
    let next = first + PRODUCER_ID_BLOCK;
    let record = ProducerIds { broker_id: broker.0, broker_epoch, next_producer_id: next };
    Ok((vec![Record::from(record)], first..next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::{World, registration};
    use crate::types::Epoch;

    #[test]
    fn a_listener_name_is_told_once() {
        let world = World::new(1);
        let told: Vec<String> = endpoints(&world.config.listeners).iter().map(|e| format!("{} {}:{}", e.name, e.host, e.port)).collect();
        assert_eq!(told, ["PLAINTEXT 127.0.0.1:9092"]);
    }

    #[test]
    fn a_brokers_epoch_grows_with_every_start_and_so_does_every_leaders() {
        let mut world = World::new(2);
        world.create("a", 3);
        let mut last = world.image.broker(BrokerId(0)).unwrap().epoch;
        for start in 1..4 {
            let records = world.decide(|cx| super::start(cx, &registration()));
            world.apply(&records);
            let epoch = world.image.broker(BrokerId(0)).unwrap().epoch;
            assert!(epoch > last);
            last = epoch;
            let topic = world.image.topic_by_name("a").unwrap();
            assert!(topic.partitions.iter().all(|p| p.leader_epoch == Epoch(start) && p.leader == BrokerId(0)));
            assert!(topic.partitions.iter().all(|p| p.partition_epoch == start));
        }
        assert_eq!(world.image.feature("metadata.version"), METADATA_VERSION);
    }

    #[test]
    fn another_number_of_cores_spreads_the_partitions_anew_and_the_same_number_moves_none() {
        let mut world = World::new(4);
        world.create("a", 8);
        world.create("b", 1);
        let shards = |world: &World| -> Vec<u16> { world.image.topics().flat_map(|t| &t.partitions).map(|p| p.shard.0).collect() };
        assert_eq!(shards(&world), [0, 1, 2, 3, 0, 1, 2, 3, 0]);
        for cores in [4, 2, 2, 3, 1, 4, 4, 9] {
            let (before, same) = (shards(&world), world.shards == cores);
            world.shards = cores;
            let records = world.decide(|cx| super::start(cx, &registration()));
            world.apply(&records);
            let of_a = &shards(&world)[..8];
            let counts: Vec<usize> = (0..cores).map(|shard| of_a.iter().filter(|s| **s == shard).count()).collect();
            let spread = counts.iter().max().unwrap() - counts.iter().min().unwrap();
            assert!(spread <= 1, "{cores} cores: {counts:?}");
            assert!(!same || before == shards(&world), "nothing moves without need");
        }
        assert_eq!(shards(&world).iter().max(), Some(&8));
    }

    #[test]
    fn blocks_of_producer_ids_never_overlap() {
        let mut world = World::new(1);
        let epoch = world.image.broker(BrokerId(0)).unwrap().epoch;
        for block in 0..3 {
            let (records, ids) = allocate_producer_ids(&world.image, BrokerId(0), epoch).unwrap();
            assert_eq!(ids, block * 1000..(block + 1) * 1000);
            world.apply(&records);
        }
        let code = |broker, epoch| allocate_producer_ids(&world.image, BrokerId(broker), epoch).unwrap_err().code;
        assert_eq!(code(0, epoch - 1), ErrorCode::StaleBrokerEpoch);
        assert_eq!(code(7, epoch), ErrorCode::BrokerIdNotRegistered);
        world.image.next_producer_id = i64::MAX - 999;
        assert_eq!(allocate_producer_ids(&world.image, BrokerId(0), epoch).unwrap_err().code, ErrorCode::UnknownServerError);
    }

    #[test]
    fn a_partition_that_moved_says_where_it_lies() {
        let mut world = World::new(1);
        world.create("a", 1);
        let id = world.image.topic_by_name("a").unwrap().id;
        let records = directory_assigned(&world.image, id, 0, Uuid([2; 16])).unwrap();
        world.apply(&records);
        assert_eq!(world.image.topic_by_id(id).unwrap().partitions[0].directory(BrokerId(0)), Some(Uuid([2; 16])));
        assert_eq!(directory_assigned(&world.image, id, 0, Uuid([2; 16])), Ok(vec![]));
        assert_eq!(directory_assigned(&world.image, id, 1, Uuid([2; 16])), Err(ErrorCode::UnknownTopicOrPartition));
        assert_eq!(directory_assigned(&world.image, Uuid([5; 16]), 0, Uuid([2; 16])), Err(ErrorCode::UnknownTopicId));
    }

    #[test]
    fn log_directories_that_are_as_before_write_nothing() {
        let world = World::new(1);
        assert_eq!(log_dirs_changed(&world.image, &registration().log_dirs), []);
        assert_eq!(log_dirs_changed(&world.image, &[Uuid([1; 16])]).len(), 1);
    }
}

//! Brokers come and go: registration at the start, log directories that fail, blocks of producer ids.

use super::controller::Context;
use super::image::Image;
use super::placement::{Load, TopicLoad};
use super::records::{
    BrokerChanged, Endpoint, Feature, FeatureLevel, PartitionChanged, PartitionPlaced, ProducerIds, Record, RegisterBroker,
};
use crate::error::{ErrorCode, Refusal};
use crate::types::{BrokerId, Uuid};
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

/// Partitions whose shard is not there any more, because there are fewer cores than before, go to those that are. More
/// cores than before get the partitions that come.
fn new_placements(cx: &Context<'_>) -> Vec<Record> {
    let mut load = Load::of(cx.image, cx.shards);
    let mut records = Vec::new();
    for topic in cx.image.topics() {
        let mut topic_load = TopicLoad::of_topic(cx.image, Some(topic), cx.shards);
        for (index, partition) in topic.partitions() {
            if partition.replicas.contains(&cx.image.node) && partition.shard.0 >= cx.shards {
                let shard = load.take_shard(&mut topic_load);
                let placed = PartitionPlaced { topic_id: topic.id, partition_id: index, broker_id: cx.image.node.0, shard: shard.0 };
                records.push(Record::from(placed));
            }
        }
    }
    records
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

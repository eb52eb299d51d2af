//! An image as records, and as a snapshot file: what the log before it came to.
//!
//! ```text
//!  00000000000000004711-0000000003.checkpoint     everything before offset 4711, last written in epoch 3
//!  ┌────────┬─────────┬───┬─────────┬────────┐
//!  │ header │ records │ … │ records │ footer │    a file without the footer is not a snapshot
//!  └────────┴─────────┴───┴─────────┴────────┘
//! ```

use super::framing::{self, Content, Control, Damaged};
use super::image::{Image, Partition, Topic};
use super::records::{
    ConfigSet, FeatureLevel, PartitionCreated, PartitionPlaced, ProducerIds, Record, RegisterBroker, ResourceType, ShardsCounted,
    TopicCreated,
};
use crate::types::{BrokerId, Epoch, Offset, Timestamp};
use crate::wire::codec::Writer;

/// Records of one batch of a snapshot. Raising it grows the memory for writing one.
const RECORDS_PER_BATCH: usize = 1024;

/// `<offset>-<epoch>.checkpoint`.
pub fn name(end: Offset, epoch: Epoch) -> String {
    format!("{:020}-{:010}.checkpoint", end.0, epoch.0)
}

/// Reads what [`name`] writes.
pub fn parse_name(name: &str) -> Option<(Offset, Epoch)> {
    let (end, epoch) = name.strip_suffix(".checkpoint")?.split_once('-')?;
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(end, 20) || !digits(epoch, 10) {
        return None;
    }
    Some((Offset(end.parse().ok()?), Epoch(epoch.parse().ok()?)))
}

/// The whole file.
pub fn encode(image: &Image, now: Timestamp) -> Vec<u8> {
    let mut out = Vec::new();
    let mut offset = Offset(0);
    let control = |control, offset| framing::control_batch(offset, image.epoch, now, control, &control_value(control, now));
    out.extend(control(Control::SnapshotHeader, offset));
    offset = offset.next();
    for chunk in image_records(image).chunks(RECORDS_PER_BATCH) {
        out.extend(framing::batch_of(offset, image.epoch, now, chunk));
        offset = offset.plus(u32::try_from(chunk.len()).expect("a chunk"));
    }
    out.extend(control(Control::SnapshotFooter, offset));
    out
}

fn control_value(control: Control, now: Timestamp) -> Vec<u8> {
    let mut value = Vec::new();
    let mut w = Writer::new(&mut value);
    w.i16(0);
    if control == Control::SnapshotHeader {
        w.i64(now.0);
    }
    w.no_tagged_fields();
    value
}

/// The image of a whole snapshot; `empty` knows what is not in it. `Ok(None)`: the file is not whole, a crash cut it.
pub fn decode(bytes: &[u8], empty: &Image, end: Offset, epoch: Epoch) -> Result<Option<Image>, Damaged> {
    let found = framing::read(bytes, Offset(0))?;
    let is = |batch: Option<&framing::Batch>, control| batch.is_some_and(|batch| batch.content == Content::Control(Some(control)));
    if found.torn_bytes > 0 || !is(found.batches.first(), Control::SnapshotHeader) || !is(found.batches.last(), Control::SnapshotFooter) {
        return Ok(None);
    }
    let mut image = empty.clone();
    for batch in &found.batches {
        if let Content::Records(records) = &batch.content {
            for record in records {
                image.apply(record).map_err(|inconsistent| Damaged { at: 0, why: inconsistent.0 })?;
            }
        }
    }
    image.end = end;
    image.epoch = epoch;
    Ok(Some(image))
}

/// Records that build this image from an empty one.
pub fn image_records(image: &Image) -> Vec<Record> {
    let mut records = Vec::new();
    for (name, level) in image.features() {
        records.push(Record::from(FeatureLevel { name: name.to_string(), feature_level: level }));
    }
    for broker in image.brokers() {
        records.push(Record::from(RegisterBroker {
            broker_id: broker.id.0,
            is_migrating_zk_broker: false,
            incarnation_id: broker.incarnation,
            broker_epoch: broker.epoch,
            end_points: broker.endpoints.clone(),
            features: broker.features.clone(),
            rack: broker.rack.clone(),
            fenced: broker.fenced,
            in_controlled_shutdown: broker.in_controlled_shutdown,
            log_dirs: broker.log_dirs.clone(),
        }));
    }
    for topic in image.topics() {
        topic_records(image, topic, &mut records);
    }
    for resource in [ResourceType::Topic, ResourceType::Broker, ResourceType::ClientMetrics, ResourceType::Group] {
        for (name, overrides) in image.configured(resource) {
            records.extend(overrides.iter().map(|(option, value)| {
                Record::from(ConfigSet {
                    resource_type: resource.number(),
                    resource_name: name.to_string(),
                    name: option.clone(),
                    value: Some(value.clone()),
                })
            }));
        }
    }
    if image.shards > 0 {
        records.push(Record::from(ShardsCounted { broker_id: image.node.0, shards: image.shards }));
    }
    if image.next_producer_id > 0 {
        records.push(Record::from(ProducerIds {
            broker_id: image.controller.0,
            broker_epoch: -1,
            next_producer_id: image.next_producer_id,
        }));
    }
    records
}

fn topic_records(image: &Image, topic: &Topic, records: &mut Vec<Record>) {
    records.push(Record::from(TopicCreated { name: topic.name.to_string(), topic_id: topic.id }));
    for (index, partition) in topic.partitions() {
        records.push(partition_record(topic, index, partition));
        if partition.shard.0 != 0 {
            let placed = PartitionPlaced { topic_id: topic.id, partition_id: index, broker_id: image.node.0, shard: partition.shard.0 };
            records.push(Record::from(placed));
        }
    }
}

fn partition_record(topic: &Topic, index: i32, partition: &Partition) -> Record {
    let numbers = |brokers: &[BrokerId]| brokers.iter().map(|broker| broker.0).collect::<Vec<i32>>();
    Record::from(PartitionCreated {
        partition_id: index,
        topic_id: topic.id,
        replicas: numbers(&partition.replicas),
        isr: numbers(&partition.isr),
        removing_replicas: numbers(&partition.removing),
        adding_replicas: numbers(&partition.adding),
        leader: partition.leader.0,
        leader_recovery_state: i8::from(partition.recovering),
        leader_epoch: partition.leader_epoch.0,
        partition_epoch: partition.partition_epoch,
        directories: partition.directories.clone(),
        ..PartitionCreated::default()
    })
}

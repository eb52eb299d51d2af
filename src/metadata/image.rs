//! The state of the cluster: what all records of the metadata log come to.
//!
//! ```text
//!  metadata log ──▶ Image::apply, record by record ──▶ Arc<Image> ──▶ every core, replaced whole
//! ```
//!
//! Cloning one costs a few reference counts; after that, changing a topic copies that topic and the table of topics, not
//! the other topics. So publishing stays cheap with thousands of partitions.

use super::records::{
    BrokerChanged, ConfigSet, Endpoint, Feature, PartitionChanged, PartitionCreated, PartitionPlaced, Record, RegisterBroker, ResourceType,
    TopicCreated,
};
use crate::config::{BrokerConfig, Overrides, TopicConfig};
use crate::types::{BrokerId, Epoch, Offset, ShardId, Uuid};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Immutable once published.
///
/// Holds after each record:
/// - `names` and `topics` name the same topics
/// - the partitions of a topic are numbered 0 … n-1
/// - only topics that exist have a configuration
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    /// Offset after the last record applied.
    pub end: Offset,
    /// Epoch of the quorum's leader that wrote it.
    pub epoch: Epoch,
    /// Not in the log: Kafka keeps it in `meta.properties`.
    pub cluster_id: Arc<str>,
    pub controller: BrokerId,
    /// Whose shards the partitions name.
    pub node: BrokerId,
    /// How many shards it had when partitions were last spread over them; 0 before the first start.
    pub shards: u16,
    topics: Arc<BTreeMap<Uuid, Arc<Topic>>>,
    names: Arc<BTreeMap<Arc<str>, Uuid>>,
    configs: Arc<BTreeMap<(ResourceType, String), Arc<Overrides>>>,
    brokers: Arc<BTreeMap<BrokerId, Arc<Broker>>>,
    features: Arc<BTreeMap<String, i16>>,
    /// First producer id that nobody has.
    pub next_producer_id: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Topic {
    pub id: Uuid,
    pub name: Arc<str>,
    pub partitions: Vec<Partition>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Partition {
    /// -1: none.
    pub leader: BrokerId,
    pub leader_epoch: Epoch,
    /// Counts the changes of anything here.
    pub partition_epoch: i32,
    /// Preferred leader first.
    pub replicas: Vec<BrokerId>,
    pub isr: Vec<BrokerId>,
    pub adding: Vec<BrokerId>,
    pub removing: Vec<BrokerId>,
    /// Log directory of each replica, in the order of `replicas`; see [`Partition::directory`].
    pub directories: Vec<Uuid>,
    /// An unclean leader has not finished to recover.
    pub recovering: bool,
    /// Owner on [`Image::node`].
    pub shard: ShardId,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Broker {
    pub id: BrokerId,
    pub epoch: i64,
    pub incarnation: Uuid,
    pub endpoints: Vec<Endpoint>,
    pub features: Vec<Feature>,
    pub rack: Option<String>,
    pub fenced: bool,
    pub in_controlled_shutdown: bool,
    /// Those that are online.
    pub log_dirs: Vec<Uuid>,
}

/// `DirectoryId.UNASSIGNED`: the broker has not said yet.
pub const DIRECTORY_UNASSIGNED: Uuid = Uuid([0; 16]);

impl Image {
    /// Before the first record, as seen by the broker `node`.
    pub fn new(cluster_id: &str, node: BrokerId) -> Image {
        Image { cluster_id: cluster_id.into(), controller: node, node, ..Image::default() }
    }

    pub fn topic_by_id(&self, id: Uuid) -> Option<&Topic> {
        self.topics.get(&id).map(|topic| &**topic)
    }

    pub fn topic_by_name(&self, name: &str) -> Option<&Topic> {
        self.topics.get(self.names.get(name)?).map(|topic| &**topic)
    }

    /// In the order of their names.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.names.values().map(|id| &*self.topics[id])
    }

    /// Topics whose name is not before `from`, in the order of their names.
    pub fn topics_from(&self, from: &str) -> impl Iterator<Item = &Topic> {
        let range = (std::ops::Bound::Included(from), std::ops::Bound::Unbounded);
        self.names.range::<str, _>(range).map(|(_, id)| &*self.topics[id])
    }

    pub fn topics_count(&self) -> usize {
        self.topics.len()
    }

    pub fn partitions_count(&self) -> usize {
        self.topics.values().map(|topic| topic.partitions.len()).sum()
    }

    pub fn broker(&self, id: BrokerId) -> Option<&Broker> {
        self.brokers.get(&id).map(|broker| &**broker)
    }

    pub fn brokers(&self) -> impl Iterator<Item = &Broker> {
        self.brokers.values().map(|broker| &**broker)
    }

    /// What a resource sets itself. A broker's own are under its number, those for all brokers under `""`.
    pub fn overrides(&self, resource: ResourceType, name: &str) -> Option<&Overrides> {
        self.configs.get(&(resource, name.to_string())).map(|overrides| &**overrides)
    }

    /// All resources of a type that set something, by name.
    pub fn configured(&self, resource: ResourceType) -> impl Iterator<Item = (&str, &Overrides)> {
        let from = (resource, String::new());
        self.configs.range(from..).take_while(move |((of, _), _)| *of == resource).map(|((_, name), set)| (name.as_str(), &**set))
    }

    /// A topic's options, resolved. A topic that sets nothing has the broker's defaults.
    pub fn topic_config(&self, name: &str, broker: &BrokerConfig) -> TopicConfig {
        match self.overrides(ResourceType::Topic, name) {
            Some(overrides) => TopicConfig::resolve(overrides, broker),
            None => broker.topic.clone(),
        }
    }

    /// The broker's options after what has been altered at run time, and sentences about what of it cannot be used.
    pub fn broker_config(&self, fixed: &BrokerConfig) -> (BrokerConfig, Vec<String>) {
        let nothing = Overrides::new();
        let altered = |name: &str| self.overrides(ResourceType::Broker, name).unwrap_or(&nothing);
        fixed.with_dynamic(altered(""), altered(&fixed.node_id.to_string()))
    }

    /// Level of a feature; 0 where it is off.
    pub fn feature(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or(0)
    }

    pub fn features(&self) -> impl Iterator<Item = (&str, i16)> {
        self.features.iter().map(|(name, level)| (name.as_str(), *level))
    }

    /// Applies the record at offset `end`. The error says why the log cannot be right; the image is then as before, but
    /// for the offset.
    pub fn apply(&mut self, record: &Record) -> Result<(), Inconsistent> {
        self.end = self.end.next();
        match record {
            Record::RegisterBroker(record) => self.register_broker(record),
            Record::UnregisterBroker(record) => {
                let known = Arc::make_mut(&mut self.brokers).remove(&BrokerId(record.broker_id)).is_some();
                known.then_some(()).ok_or_else(|| inconsistent(format!("broker {} is not registered", record.broker_id)))?;
            }
            Record::BrokerChanged(record) => self.change_broker(record)?,
            Record::TopicCreated(record) => self.create_topic(record)?,
            Record::PartitionCreated(record) => self.create_partition(record)?,
            Record::PartitionChanged(record) => self.change_partition(record)?,
            Record::PartitionPlaced(record) => self.place_partition(record)?,
            Record::ShardsCounted(record) if BrokerId(record.broker_id) == self.node => self.shards = record.shards,
            Record::ShardsCounted(_) => {}
            Record::TopicRemoved(record) => self.remove_topic(record.topic_id)?,
            Record::ConfigSet(record) => self.set_config(record)?,
            Record::FeatureLevel(record) => {
                let features = Arc::make_mut(&mut self.features);
                match record.feature_level {
                    0 => features.remove(&record.name),
                    level => features.insert(record.name.clone(), level),
                };
            }
            Record::ProducerIds(record) => self.next_producer_id = record.next_producer_id,
            Record::NoOp(_) => {}
        }
        Ok(())
    }

    fn register_broker(&mut self, record: &RegisterBroker) {
        let broker = Broker {
            id: BrokerId(record.broker_id),
            epoch: record.broker_epoch,
            incarnation: record.incarnation_id,
            endpoints: record.end_points.clone(),
            features: record.features.clone(),
            rack: record.rack.clone(),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            log_dirs: record.log_dirs.clone(),
        };
        Arc::make_mut(&mut self.brokers).insert(broker.id, Arc::new(broker));
    }

    fn change_broker(&mut self, record: &BrokerChanged) -> Result<(), Inconsistent> {
        let missing = || inconsistent(format!("broker {} is not registered", record.broker_id));
        let broker = Arc::make_mut(&mut self.brokers).get_mut(&BrokerId(record.broker_id)).ok_or_else(missing)?;
        if broker.epoch != record.broker_epoch {
            return Err(inconsistent(format!(
                "broker {} has epoch {}, and its change has {}",
                record.broker_id, broker.epoch, record.broker_epoch
            )));
        }
        let broker = Arc::make_mut(broker);
        match record.fenced {
            0 => {}
            fenced => broker.fenced = fenced > 0,
        }
        if record.in_controlled_shutdown != 0 {
            broker.in_controlled_shutdown = record.in_controlled_shutdown > 0;
        }
        if !record.log_dirs.is_empty() {
            broker.log_dirs = record.log_dirs.clone();
        }
        Ok(())
    }

    fn create_topic(&mut self, record: &TopicCreated) -> Result<(), Inconsistent> {
        if self.names.contains_key(record.name.as_str()) || self.topics.contains_key(&record.topic_id) {
            return Err(inconsistent(format!("topic {} ({}) exists already", record.name, record.topic_id)));
        }
        let name: Arc<str> = record.name.as_str().into();
        let topic = Topic { id: record.topic_id, name: name.clone(), partitions: Vec::new() };
        Arc::make_mut(&mut self.names).insert(name, record.topic_id);
        Arc::make_mut(&mut self.topics).insert(record.topic_id, Arc::new(topic));
        Ok(())
    }

    fn create_partition(&mut self, record: &PartitionCreated) -> Result<(), Inconsistent> {
        let brokers = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
        let mut directories = record.directories.clone();
        directories.resize(record.replicas.len(), DIRECTORY_UNASSIGNED);
        let topic = self.topic_mut(record.topic_id)?;
        let index = usize::try_from(record.partition_id).ok().filter(|index| *index <= topic.partitions.len());
        let Some(index) = index else {
            return Err(inconsistent(format!(
                "partition {} of topic {} follows on {} partitions",
                record.partition_id,
                topic.name,
                topic.partitions.len()
            )));
        };
        let partition = Partition {
            leader: BrokerId(record.leader),
            leader_epoch: Epoch(record.leader_epoch),
            partition_epoch: record.partition_epoch,
            replicas: brokers(&record.replicas),
            isr: brokers(&record.isr),
            adding: brokers(&record.adding_replicas),
            removing: brokers(&record.removing_replicas),
            directories,
            recovering: record.leader_recovery_state > 0,
            shard: ShardId(0),
        };
        match topic.partitions.get_mut(index) {
            Some(existing) => *existing = Partition { shard: existing.shard, ..partition },
            None => topic.partitions.push(partition),
        }
        Ok(())
    }

    /// As Kafka's `PartitionRegistration.merge`: naming a leader, even the same one, begins a new leader epoch.
    fn change_partition(&mut self, record: &PartitionChanged) -> Result<(), Inconsistent> {
        let partition = self.partition_mut(record.topic_id, record.partition_id)?;
        let set = |to: &mut Vec<BrokerId>, from: &Option<Vec<i32>>| {
            if let Some(ids) = from {
                *to = ids.iter().copied().map(BrokerId).collect();
            }
        };
        set(&mut partition.isr, &record.isr);
        set(&mut partition.replicas, &record.replicas);
        set(&mut partition.removing, &record.removing_replicas);
        set(&mut partition.adding, &record.adding_replicas);
        if record.leader != LEADER_UNCHANGED {
            partition.leader = BrokerId(record.leader);
            partition.leader_epoch = Epoch(partition.leader_epoch.0.wrapping_add(1));
        }
        if record.leader_recovery_state >= 0 {
            partition.recovering = record.leader_recovery_state > 0;
        }
        if let Some(directories) = &record.directories {
            partition.directories = directories.clone();
        }
        partition.directories.resize(partition.replicas.len(), DIRECTORY_UNASSIGNED);
        partition.partition_epoch = partition.partition_epoch.wrapping_add(1);
        Ok(())
    }

    fn place_partition(&mut self, record: &PartitionPlaced) -> Result<(), Inconsistent> {
        if BrokerId(record.broker_id) == self.node {
            self.partition_mut(record.topic_id, record.partition_id)?.shard = ShardId(record.shard);
        }
        Ok(())
    }

    fn remove_topic(&mut self, id: Uuid) -> Result<(), Inconsistent> {
        let missing = || inconsistent(format!("topic {id} does not exist"));
        let topic = Arc::make_mut(&mut self.topics).remove(&id).ok_or_else(missing)?;
        Arc::make_mut(&mut self.names).remove(&topic.name);
        let config = (ResourceType::Topic, topic.name.to_string());
        if self.configs.contains_key(&config) {
            Arc::make_mut(&mut self.configs).remove(&config);
        }
        Ok(())
    }

    fn set_config(&mut self, record: &ConfigSet) -> Result<(), Inconsistent> {
        let Some(resource) = ResourceType::of_number(record.resource_type) else {
            return Err(inconsistent(format!("resource type {} of a configuration is unknown", record.resource_type)));
        };
        if resource == ResourceType::Topic && !self.names.contains_key(record.resource_name.as_str()) {
            return Err(inconsistent(format!("topic {} has a configuration and does not exist", record.resource_name)));
        }
        let key = (resource, record.resource_name.clone());
        let configs = Arc::make_mut(&mut self.configs);
        match &record.value {
            Some(value) => {
                let set = configs.entry(key).or_default();
                Arc::make_mut(set).insert(record.name.clone(), value.clone());
            }
            None => {
                if let Some(set) = configs.get_mut(&key) {
                    Arc::make_mut(set).remove(&record.name);
                    if set.is_empty() {
                        configs.remove(&key);
                    }
                }
            }
        }
        Ok(())
    }

    fn topic_mut(&mut self, id: Uuid) -> Result<&mut Topic, Inconsistent> {
        let missing = || inconsistent(format!("topic {id} does not exist"));
        Arc::make_mut(&mut self.topics).get_mut(&id).map(Arc::make_mut).ok_or_else(missing)
    }

    fn partition_mut(&mut self, topic: Uuid, partition: i32) -> Result<&mut Partition, Inconsistent> {
        let topic = self.topic_mut(topic)?;
        let name = topic.name.clone();
        let missing = || inconsistent(format!("partition {partition} of topic {name} does not exist"));
        usize::try_from(partition).ok().and_then(|index| topic.partitions.get_mut(index)).ok_or_else(missing)
    }
}

impl Topic {
    pub fn partition(&self, index: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index).ok()?)
    }

    /// Numbered as on the wire.
    pub fn partitions(&self) -> impl Iterator<Item = (i32, &Partition)> {
        (0..).zip(&self.partitions)
    }

    /// Kafka's `Topic.isInternal`.
    pub fn is_internal(&self) -> bool {
        super::topic_name::is_internal(&self.name)
    }
}

impl Partition {
    /// The log directory on `broker`, unless it has no replica or has not said.
    pub fn directory(&self, broker: BrokerId) -> Option<Uuid> {
        let index = self.replicas.iter().position(|replica| *replica == broker)?;
        self.directories.get(index).copied().filter(|directory| *directory != DIRECTORY_UNASSIGNED)
    }
}

/// Value of `leader` in a [`PartitionChanged`] that leaves it as it is; -1 is no leader.
pub const LEADER_UNCHANGED: i32 = -2;

/// A record that cannot follow on what is there: the log is damaged, or not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inconsistent(pub String);

fn inconsistent(why: String) -> Inconsistent {
    Inconsistent(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::{Random, World, registration};
    use crate::metadata::{
        self, Change, How, MorePartitions, NewTopic, OldTopic, alter_configs, create_partitions, create_topics, delete_topics, snapshot,
    };
    use crate::types::Timestamp;

    #[test]
    fn a_published_image_never_changes_and_shares_what_did_not() {
        let mut world = World::new(1);
        world.create("a", 2);
        world.create("b", 2);
        let published = world.image.clone();
        world.create("c", 1);
        let more = MorePartitions { topic: "a".to_string(), count: 3, assignment: None };
        let decision = world.decide(|cx| create_partitions(cx, &[more], false));
        world.apply(&decision.records);
        assert_eq!((published.topics_count(), published.topic_by_name("a").unwrap().partitions.len()), (2, 2));
        assert_eq!((world.image.topics_count(), world.image.topic_by_name("a").unwrap().partitions.len()), (3, 3));
        let shared = |name| std::ptr::eq(published.topic_by_name(name).unwrap(), world.image.topic_by_name(name).unwrap());
        assert!(shared("b") && !shared("a"));
    }

    #[test]
    fn records_that_cannot_follow_are_told_and_change_nothing() {
        let mut world = World::new(1);
        world.create("a", 1);
        let id = world.image.topic_by_name("a").unwrap().id;
        let stranger = Uuid([7; 16]);
        for (record, told) in [
            (TopicCreated { name: "a".into(), topic_id: stranger }.into(), "topic a (BwcHBwcHBwcHBwcHBwcHBw) exists already"),
            (TopicCreated { name: "b".into(), topic_id: id }.into(), "exists already"),
            (
                PartitionCreated { topic_id: stranger, partition_id: 0, ..Default::default() }.into(),
                "topic BwcHBwcHBwcHBwcHBwcHBw does not exist",
            ),
            (
                PartitionCreated { topic_id: id, partition_id: 2, ..Default::default() }.into(),
                "partition 2 of topic a follows on 1 partitions",
            ),
            (
                PartitionCreated { topic_id: id, partition_id: -1, ..Default::default() }.into(),
                "partition -1 of topic a follows on 1 partitions",
            ),
            (PartitionChanged { topic_id: id, partition_id: 1, ..Default::default() }.into(), "partition 1 of topic a does not exist"),
            (PartitionPlaced { topic_id: id, partition_id: -1, broker_id: 0, shard: 1 }.into(), "partition -1 of topic a does not exist"),
            (metadata::records::TopicRemoved { topic_id: stranger }.into(), "does not exist"),
            (metadata::records::UnregisterBroker { broker_id: 9, broker_epoch: 0 }.into(), "broker 9 is not registered"),
            (BrokerChanged { broker_id: 9, ..Default::default() }.into(), "broker 9 is not registered"),
            (BrokerChanged { broker_id: 0, broker_epoch: -5, ..Default::default() }.into(), "and its change has -5"),
            (ConfigSet { resource_type: 3, ..Default::default() }.into(), "resource type 3 of a configuration is unknown"),
            (
                ConfigSet { resource_type: 2, resource_name: "z".into(), ..Default::default() }.into(),
                "topic z has a configuration and does not exist",
            ),
        ] {
            let record: Record = record;
            let before = world.image.clone();
            let why = world.image.apply(&record).unwrap_err();
            assert!(why.0.contains(told), "{record:?}: {}", why.0);
            world.image.end = before.end;
            assert_eq!(world.image, before, "{record:?}");
        }
    }

    #[test]
    fn naming_a_leader_begins_an_epoch_and_any_change_counts() {
        let mut world = World::new(1);
        world.create("a", 1);
        let topic_id = world.image.topic_by_name("a").unwrap().id;
        for (change, leader, leader_epoch, partition_epoch) in [
            (PartitionChanged { isr: Some(vec![]), ..Default::default() }, 0, 0, 1),
            (PartitionChanged { leader: -1, ..Default::default() }, -1, 1, 2),
            (PartitionChanged { leader: 0, isr: Some(vec![0]), ..Default::default() }, 0, 2, 3),
            (PartitionChanged { leader: 0, ..Default::default() }, 0, 3, 4),
        ] {
            world.apply(&[PartitionChanged { topic_id, partition_id: 0, ..change }.into()]);
            let partition = &world.image.topic_by_id(topic_id).unwrap().partitions[0];
            assert_eq!((partition.leader.0, partition.leader_epoch.0, partition.partition_epoch), (leader, leader_epoch, partition_epoch));
        }
    }

    /// What a topic is, in the plainest form.
    #[derive(Debug, Default, PartialEq)]
    struct Plain {
        partitions: usize,
        overrides: Overrides,
    }

    #[test]
    fn on_any_walk_the_image_is_what_the_requests_asked_for() {
        for seed in 0..40 {
            let mut random = Random(seed);
            let mut world = World::new(2);
            let mut model: BTreeMap<String, Plain> = BTreeMap::new();
            let mut producer_ids = 0;
            for _ in 0..60 {
                let name = format!("t{}", random.below(6));
                let count = random.below(7) as i32;
                let published = world.image.clone();
                let copy = format!("{published:?}");
                match random.below(6) {
                    0 | 1 => {
                        let topic = NewTopic { name: name.clone(), num_partitions: count, replication_factor: 1, ..NewTopic::default() };
                        let decision = world.decide(|cx| create_topics(cx, &[topic], false));
                        let expected = count > 0 && !model.contains_key(&name);
                        assert_eq!(decision.answers[0].is_ok(), expected, "seed {seed}");
                        if expected {
                            model.insert(name, Plain { partitions: count as usize, ..Plain::default() });
                        }
                        world.apply(&decision.records);
                    }
                    2 => {
                        let decision = world.decide(|cx| delete_topics(cx, &[OldTopic { name: Some(name.clone()), id: Uuid::ZERO }]));
                        assert_eq!(decision.answers[0].result.is_ok(), model.remove(&name).is_some(), "seed {seed}");
                        world.apply(&decision.records);
                    }
                    3 => {
                        let more = MorePartitions { topic: name.clone(), count, assignment: None };
                        let decision = world.decide(|cx| create_partitions(cx, &[more], false));
                        let grows = model.get_mut(&name).filter(|plain| plain.partitions < count as usize);
                        assert_eq!(decision.answers[0].is_ok(), grows.is_some(), "seed {seed}");
                        if let Some(plain) = grows {
                            plain.partitions = count as usize;
                        }
                        world.apply(&decision.records);
                    }
                    4 => {
                        let entries = [("retention.ms", "5"), ("segment.ms", "6"), ("cleanup.policy", "compact")];
                        let some: Overrides = entries
                            .iter()
                            .filter(|_| random.below(2) == 0)
                            .map(|(name, value)| (name.to_string(), value.to_string()))
                            .collect();
                        let entries = some.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
                        let change = Change { resource_type: 2, resource_name: name.clone(), how: How::Replace(entries) };
                        let decision = world.decide(|cx| alter_configs(cx, &[change], false));
                        assert_eq!(decision.answers[0].is_ok(), model.contains_key(&name), "seed {seed}");
                        if let Some(plain) = model.get_mut(&name) {
                            plain.overrides = some;
                        }
                        world.apply(&decision.records);
                    }
                    _ => {
                        world.shards = 1 + random.below(4) as u16;
                        let records = world.decide(|cx| metadata::start(cx, &registration()));
                        world.apply(&records);
                        let epoch = world.image.broker(BrokerId(0)).unwrap().epoch;
                        let (records, ids) = metadata::allocate_producer_ids(&world.image, BrokerId(0), epoch).unwrap();
                        assert_eq!(ids.start, producer_ids);
                        producer_ids = ids.end;
                        world.apply(&records);
                    }
                }
                assert_eq!(format!("{published:?}"), copy, "a published image never changes");
                check(&world, &model);
            }
        }
    }

    fn check(world: &World, model: &BTreeMap<String, Plain>) {
        let image = &world.image;
        let seen: BTreeMap<String, Plain> = image
            .topics()
            .map(|topic| {
                let overrides = image.overrides(ResourceType::Topic, &topic.name).cloned().unwrap_or_default();
                (topic.name.to_string(), Plain { partitions: topic.partitions.len(), overrides })
            })
            .collect();
        assert_eq!(&seen, model);
        for topic in image.topics() {
            assert!(std::ptr::eq(image.topic_by_id(topic.id).unwrap(), topic));
            assert!(topic.partitions.iter().all(|p| p.shard.0 < world.shards.max(image.shards) && p.leader == BrokerId(0)));
        }
        assert_eq!(image.topics.len(), image.names.len());
        assert_eq!(image.configured(ResourceType::Topic).count(), model.values().filter(|plain| !plain.overrides.is_empty()).count());
        let bytes = snapshot::encode(image, Timestamp(5));
        let empty = Image::new("cluster", BrokerId(0));
        assert_eq!(snapshot::decode(&bytes, &empty, image.end, image.epoch).unwrap().as_ref(), Some(image));
    }
}

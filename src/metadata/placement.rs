//! Where new partitions go: on which brokers, on which log directory, on which shard.
//!
//! | choice | rule |
//! |---|---|
//! | broker | the one with the fewest partitions of this topic, then with the fewest in total; the leader is the first replica |
//! | log directory | online, not cordoned, with the fewest partitions |
//! | shard | the one with the fewest partitions of this topic, then with the fewest in total |
//!
//! Ties go to the lowest number, from a random start for brokers, so that many topics of one partition do not all begin
//! at the same broker.

use super::image::{DIRECTORY_UNASSIGNED, Image};
use crate::types::{BrokerId, ShardId, Uuid};
use std::collections::BTreeMap;

/// What is on a broker, its log directories and its shards, kept up while a request places its partitions.
#[derive(Debug)]
pub struct Load {
    brokers: BTreeMap<BrokerId, BrokerLoad>,
    /// Shards of the broker that decides, with their partitions.
    shards: Vec<u64>,
    node: BrokerId,
}

#[derive(Debug, Default)]
struct BrokerLoad {
    partitions: u64,
    /// Online directories and their partitions.
    directories: BTreeMap<Uuid, u64>,
    /// May take new partitions.
    usable: bool,
}

/// Partitions of one topic by broker and shard.
#[derive(Debug)]
pub struct TopicLoad {
    brokers: BTreeMap<BrokerId, u64>,
    shards: Vec<u64>,
}

impl Load {
    /// Counts what the image holds. `shards` is the number of shards of the broker that decides, at least 1.
    pub fn of(image: &Image, shards: u16) -> Load {
        assert!(shards > 0, "a broker has at least one shard");
        let mut brokers: BTreeMap<BrokerId, BrokerLoad> = BTreeMap::new();
        for broker in image.brokers() {
            let directories = broker.log_dirs.iter().map(|directory| (*directory, 0)).collect();
            let usable = !broker.fenced && !broker.in_controlled_shutdown;
            brokers.insert(broker.id, BrokerLoad { partitions: 0, directories, usable });
        }
        let mut load = Load { brokers, shards: vec![0; usize::from(shards)], node: image.node };
        for partition in image.topics().flat_map(|topic| &topic.partitions) {
            for (replica, directory) in partition.replicas.iter().zip(&partition.directories) {
                load.count(*replica, *directory);
            }
            if partition.replicas.contains(&load.node)
                && let Some(count) = load.shards.get_mut(usize::from(partition.shard.0))
            {
                *count += 1;
            }
        }
        load
    }

    fn count(&mut self, broker: BrokerId, directory: Uuid) {
        if let Some(load) = self.brokers.get_mut(&broker) {
            load.partitions += 1;
            if let Some(count) = load.directories.get_mut(&directory) {
                *count += 1;
            }
        }
    }

    /// Brokers that may take new partitions.
    pub fn usable_count(&self) -> usize {
        self.brokers.values().filter(|broker| broker.usable).count()
    }

    pub fn is_registered(&self, broker: BrokerId) -> bool {
        self.brokers.contains_key(&broker)
    }

    pub fn is_usable(&self, broker: BrokerId) -> bool {
        self.brokers.get(&broker).is_some_and(|load| load.usable)
    }

    /// Replicas for one more partition of a topic, the leader first; fewer than asked for where there are too few brokers.
    pub fn replicas(&self, topic: &TopicLoad, replication_factor: usize, start: u64) -> Vec<BrokerId> {
        let count = u64::try_from(self.brokers.len()).expect("brokers are few");
        let mut usable: Vec<(u64, u64, u64, BrokerId)> = self
            .brokers
            .iter()
            .zip(0u64..)
            .filter(|((_, load), _)| load.usable)
            .map(|((id, load), nth)| (topic.of(*id), load.partitions, (nth + count - start % count) % count, *id))
            .collect();
        usable.sort();
        usable.into_iter().take(replication_factor).map(|(_, _, _, id)| id).collect()
    }

    /// Takes one more partition with these replicas: the log directory of each (unassigned where its broker decides for
    /// itself), and the shard if this broker has a replica.
    pub fn place(&mut self, topic: &mut TopicLoad, replicas: &[BrokerId]) -> (Vec<Uuid>, Option<ShardId>) {
        let directories = replicas.iter().map(|replica| self.directory(*replica)).collect::<Vec<_>>();
        for (replica, directory) in replicas.iter().zip(&directories) {
            self.count(*replica, *directory);
            *topic.brokers.entry(*replica).or_insert(0) += 1;
        }
        let shard = replicas.contains(&self.node).then(|| self.take_shard(topic));
        (directories, shard)
    }

    fn directory(&self, broker: BrokerId) -> Uuid {
        let directories = self.brokers.get(&broker).map(|load| &load.directories);
        let fewest = directories.and_then(|directories| directories.iter().min_by_key(|(_, count)| **count));
        fewest.map_or(DIRECTORY_UNASSIGNED, |(directory, _)| *directory)
    }

    /// The next shard for a partition of this topic.
    pub fn take_shard(&mut self, topic: &mut TopicLoad) -> ShardId {
        let fewest = (0..self.shards.len()).min_by_key(|shard| (topic.shards[*shard], self.shards[*shard]));
        let shard = fewest.expect("there is at least one shard");
        topic.shards[shard] += 1;
        self.shards[shard] += 1;
        ShardId(u16::try_from(shard).expect("as many as were given"))
    }
}

impl TopicLoad {
    /// Of a topic that may have partitions already.
    pub fn of_topic(image: &Image, topic: Option<&super::Topic>, shards: u16) -> TopicLoad {
        let mut load = TopicLoad { brokers: BTreeMap::new(), shards: vec![0; usize::from(shards)] };
        for partition in topic.into_iter().flat_map(|topic| &topic.partitions) {
            for replica in &partition.replicas {
                *load.brokers.entry(*replica).or_insert(0) += 1;
            }
            if partition.replicas.contains(&image.node)
                && let Some(count) = load.shards.get_mut(usize::from(partition.shard.0))
            {
                *count += 1;
            }
        }
        load
    }

    fn of(&self, broker: BrokerId) -> u64 {
        self.brokers.get(&broker).copied().unwrap_or(0)
    }
}

/// Partitions of this broker that go to another shard, so that no shard has more than its share of a topic or of all.
/// Those that stay within the shares stay where they are.
pub fn rebalance(image: &Image, shards: u16) -> Vec<(Uuid, i32, ShardId)> {
    assert!(shards > 0, "a broker has at least one shard");
    let share = |partitions: usize| u64::try_from(partitions.div_ceil(usize::from(shards))).expect("counts fit into 64 bits");
    let mine = |topic: &super::Topic| -> Vec<(i32, ShardId)> {
        let of_node = topic.partitions().filter(|(_, partition)| partition.replicas.contains(&image.node));
        of_node.map(|(index, partition)| (index, partition.shard)).collect()
    };
    let share_of_all = share(image.topics().map(|topic| mine(topic).len()).sum());
    let mut load = Load { brokers: BTreeMap::new(), shards: vec![0; usize::from(shards)], node: image.node };
    let mut homeless = Vec::new();
    let mut topic_loads = Vec::new();
    for topic in image.topics() {
        let partitions = mine(topic);
        let share_of_topic = share(partitions.len());
        let mut topic_load = TopicLoad::of_topic(image, None, shards);
        for (index, shard) in partitions {
            let at = usize::from(shard.0);
            if at < load.shards.len() && topic_load.shards[at] < share_of_topic && load.shards[at] < share_of_all {
                topic_load.shards[at] += 1;
                load.shards[at] += 1;
            } else {
                homeless.push((topic_loads.len(), topic.id, index));
            }
        }
        topic_loads.push(topic_load);
    }
    homeless.into_iter().map(|(nth, topic, index)| (topic, index, load.take_shard(&mut topic_loads[nth]))).collect()
}

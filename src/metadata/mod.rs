//! The cluster's metadata: the records of its log, the image they build, and the controller's decisions.
//!
//! ```text
//!  request ──▶ controller: decide on the latest image ──▶ records ──▶ metadata log ──▶ disk
//!                                                            │                         │ durable
//!                                                            ▼                         ▼
//!                                                       latest Image             published Arc<Image>, answers
//! ```
//!
//! Pure. Lives on the control shard; the published image lives on every core.

mod assignment;
mod brokers;
mod configs;
mod controller;
mod create_partitions;
mod create_topics;
mod delete_topics;
pub mod framing;
pub mod image;
mod placement;
mod quorum;
pub mod records;
pub mod snapshot;
pub mod topic_name;

pub use brokers::{
    FEATURES, METADATA_VERSION, PRODUCER_ID_BLOCK, Registration, allocate_producer_ids, directory_assigned, endpoints, log_dirs_changed,
    start,
};
pub use configs::{Change, How, alter_configs, describe_configs, list_config_resources};
pub use controller::{Context, Decision, PARTITIONS_PER_REQUEST_MAX};
pub use create_partitions::{MorePartitions, create_partitions};
pub use create_topics::{CreatedTopic, NewTopic, auto_created, create_topics};
pub use delete_topics::{DeletedTopic, OldTopic, delete_topics};
pub use image::{Broker, Image, Partition, Topic};
pub use quorum::{DIRECTORY, Quorum, Recovered, Recovery, Snapshot, Write};
pub use records::{Record, ResourceType};

#[cfg(test)]
pub(crate) mod tests {
    use super::brokers::Registration;
    use super::{Context, Image, Record};
    use crate::config::BrokerConfig;
    use crate::types::{BrokerId, Uuid};
    use std::collections::BTreeMap;

    /// SplitMix64: the same walk everywhere.
    pub struct Random(pub u64);

    impl Random {
        pub fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ z >> 31
        }

        pub fn below(&mut self, n: u64) -> u64 {
            self.next() % n
        }
    }

    /// A controller with its image, for tests of decisions.
    pub struct World {
        pub image: Image,
        pub config: BrokerConfig,
        fixed: BrokerConfig,
        pub shards: u16,
        pub random: Random,
    }

    impl World {
        /// Broker 0 has started, with two log directories and `shards` shards.
        pub fn new(shards: u16) -> World {
            let config = BrokerConfig::new(BTreeMap::new()).unwrap();
            let mut world = World { image: Image::new("cluster", BrokerId(0)), fixed: config.clone(), config, shards, random: Random(1) };
            let records = world.decide(|cx| super::start(cx, &registration()));
            world.apply(&records);
            world
        }

        pub fn decide<T>(&mut self, decision: impl FnOnce(&mut Context<'_>) -> T) -> T {
            let random = &mut self.random;
            let mut random = || random.next();
            let mut cx = Context { image: &self.image, config: &self.config, shards: self.shards, random: &mut random };
            decision(&mut cx)
        }

        pub fn apply(&mut self, records: &[Record]) {
            for record in records {
                self.image.apply(record).unwrap();
            }
            self.config = self.image.broker_config(&self.fixed).0;
        }

        /// Makes a topic that nothing is wrong with.
        pub fn create(&mut self, name: &str, num_partitions: i32) {
            let topic = super::NewTopic { name: name.to_string(), num_partitions, replication_factor: -1, ..super::NewTopic::default() };
            let decision = self.decide(|cx| super::create_topics(cx, &[topic], false));
            decision.answers[0].as_ref().unwrap();
            self.apply(&decision.records);
        }
    }

    pub fn registration() -> Registration {
        Registration { incarnation: Uuid([9; 16]), endpoints: Vec::new(), rack: None, log_dirs: vec![Uuid([1; 16]), Uuid([2; 16])] }
    }
}

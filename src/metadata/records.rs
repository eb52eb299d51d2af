//! The records of the cluster's metadata log: Kafka's own, in Kafka's framing, and a few of ours from a range that Kafka
//! does not use.
//!
//! ```text
//!  value of a record:   01        api key    version    body, flexible
//!                       └ frame version, all three unsigned varints
//! ```

use crate::types::Uuid;
use crate::wire::codec::{Malformed, Reader, Writer};
use crate::wire::message::{Message, message};

/// First key that is ours. Kafka's are small and grow slowly.
pub const OURS_FROM: i16 = 30_000;

const FRAME_VERSION: u32 = 1;

/// Kafka's `ConfigResource.Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
pub enum ResourceType {
    Topic = 2,
    Broker = 4,
    BrokerLogger = 8,
    ClientMetrics = 16,
    Group = 32,
}

impl ResourceType {
    pub fn number(self) -> i8 {
        self as i8
    }

    pub fn of_number(number: i8) -> Option<ResourceType> {
        match number {
            2 => Some(ResourceType::Topic),
            4 => Some(ResourceType::Broker),
            8 => Some(ResourceType::BrokerLogger),
            16 => Some(ResourceType::ClientMetrics),
            32 => Some(ResourceType::Group),
            _ => None,
        }
    }
}

message! {
    /// A broker process has registered; its epoch is the offset of this record.
    RegisterBroker key 0 versions 0..=4 flexible 0.. {
        broker_id: i32 [0..],
        is_migrating_zk_broker: bool [2..],
        incarnation_id: Uuid [0..],
        broker_epoch: i64 [0..],
        end_points: Vec<Endpoint> [0..],
        features: Vec<Feature> [0..],
        rack: Option<String> [0.., null 0..],
        fenced: bool [0..] = true,
        in_controlled_shutdown: bool [1..],
        log_dirs: Vec<Uuid> [3.., tag 0],
    }
    /// Where a broker is reached through one of its listeners.
    struct Endpoint {
        name: String [0..],
        host: String [0..],
        port: u16 [0..],
        security_protocol: i16 [0..],
    }
    /// Levels of a feature that a broker can do.
    struct Feature {
        name: String [0..],
        min_supported_version: i16 [0..],
        max_supported_version: i16 [0..],
    }
}

message! {
    /// A broker is gone for good.
    UnregisterBroker key 1 versions 0..=0 flexible 0.. {
        broker_id: i32 [0..],
        broker_epoch: i64 [0..],
    }
}

message! {
    /// A topic begins; its partitions follow.
    TopicCreated key 2 versions 0..=0 flexible 0.. {
        name: String [0..],
        topic_id: Uuid [0..],
    }
}

message! {
    /// All about one partition.
    PartitionCreated key 3 versions 0..=2 flexible 0.. {
        partition_id: i32 [0..] = -1,
        topic_id: Uuid [0..],
        replicas: Vec<i32> [0..],
        isr: Vec<i32> [0..],
        removing_replicas: Vec<i32> [0..],
        adding_replicas: Vec<i32> [0..],
        leader: i32 [0..] = -1,
        leader_recovery_state: i8 [0.., tag 0],
        leader_epoch: i32 [0..] = -1,
        partition_epoch: i32 [0..] = -1,
        directories: Vec<Uuid> [1..],
        eligible_leader_replicas: Option<Vec<i32>> [2.., null 2.., tag 1],
        last_known_elr: Option<Vec<i32>> [2.., null 2.., tag 2],
    }
}

message! {
    /// One option of one resource was set, or removed where the value is null.
    ConfigSet key 4 versions 0..=0 flexible 0.. {
        resource_type: i8 [0..],
        resource_name: String [0..],
        name: String [0..],
        value: Option<String> [0.., null 0..],
    }
}

message! {
    /// What changed about a partition; what did not is null, or -2 for the leader and -1 for the recovery state.
    PartitionChanged key 5 versions 0..=2 flexible 0.. {
        partition_id: i32 [0..] = -1,
        topic_id: Uuid [0..],
        isr: Option<Vec<i32>> [0.., null 0.., tag 0],
        leader: i32 [0.., tag 1] = -2,
        replicas: Option<Vec<i32>> [0.., null 0.., tag 2],
        removing_replicas: Option<Vec<i32>> [0.., null 0.., tag 3],
        adding_replicas: Option<Vec<i32>> [0.., null 0.., tag 4],
        leader_recovery_state: i8 [0.., tag 5] = -1,
        directories: Option<Vec<Uuid>> [1.., null 1.., tag 8],
        eligible_leader_replicas: Option<Vec<i32>> [2.., null 2.., tag 6],
        last_known_elr: Option<Vec<i32>> [2.., null 2.., tag 7],
    }
}

message! {
    /// A topic ends, with all of its partitions and its configuration.
    TopicRemoved key 9 versions 0..=0 flexible 0.. {
        topic_id: Uuid [0..],
    }
}

message! {
    /// A feature's level in this cluster. A level of 0 means that it is off.
    FeatureLevel key 12 versions 0..=0 flexible 0.. {
        name: String [0..],
        feature_level: i16 [0..],
    }
}

message! {
    /// A block of producer ids was handed out; the next one begins here.
    ProducerIds key 15 versions 0..=0 flexible 0.. {
        broker_id: i32 [0..],
        broker_epoch: i64 [0..] = -1,
        next_producer_id: i64 [0..],
    }
}

message! {
    /// What changed about a broker: `fenced` is 1 for fenced, -1 for unfenced; `log_dirs` are all that are online.
    BrokerChanged key 17 versions 0..=3 flexible 0.. {
        broker_id: i32 [0..],
        broker_epoch: i64 [0..],
        fenced: i8 [0.., tag 0],
        in_controlled_shutdown: i8 [1.., tag 1],
        log_dirs: Vec<Uuid> [2.., tag 2],
    }
}

message! {
    /// Nothing.
    NoOp key 20 versions 0..=0 flexible 0.. {}
}

message! {
    /// Ours: which shard of a broker owns a partition.
    PartitionPlaced key 30000 versions 0..=0 flexible 0.. {
        topic_id: Uuid [0..],
        partition_id: i32 [0..],
        broker_id: i32 [0..],
        shard: u16 [0..],
    }
}

message! {
    /// Ours: how many shards a broker has from now on.
    ShardsCounted key 30001 versions 0..=0 flexible 0.. {
        broker_id: i32 [0..],
        shards: u16 [0..],
    }
}

macro_rules! records {
    ($($kind:ident writes $version:literal),* $(,)?) => {
        /// One record of the metadata log.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Record {
            $($kind($kind)),*
        }

        $(impl From<$kind> for Record {
            fn from(record: $kind) -> Record {
                Record::$kind(record)
            }
        })*

        impl Record {
            /// Appends the framed record.
            pub fn encode(&self, out: &mut Vec<u8>) {
                match self {
                    $(Record::$kind(record) => {
                        frame(out, $kind::KEY, $version);
                        record.encode(&mut Writer::new(out), $version);
                    })*
                }
            }

            /// Reads what [`Record::encode`] wrote, and the same records of any version from Kafka.
            pub fn decode(bytes: &[u8]) -> Result<Record, Unreadable> {
                let mut r = Reader::new(bytes);
                let frame_version = r.uvarint()?;
                if frame_version != FRAME_VERSION {
                    return Err(Unreadable::Newer { what: "frame version", number: frame_version, version: 0 });
                }
                let (key, version) = (r.uvarint()?, r.uvarint()?);
                let newer = Unreadable::Newer { what: "record", number: key, version };
                let (Ok(key), Ok(version)) = (i16::try_from(key), i16::try_from(version)) else { return Err(newer) };
                let record = match key {
                    $($kind::KEY if $kind::VERSIONS.contains(&version) => Record::$kind($kind::decode(&mut r, version)?),)*
                    _ => return Err(newer),
                };
                r.end()?;
                Ok(record)
            }
        }
    };
}

records! {
    RegisterBroker writes 3,
    UnregisterBroker writes 0,
    TopicCreated writes 0,
    PartitionCreated writes 1,
    ConfigSet writes 0,
    PartitionChanged writes 1,
    TopicRemoved writes 0,
    FeatureLevel writes 0,
    ProducerIds writes 0,
    BrokerChanged writes 2,
    NoOp writes 0,
    PartitionPlaced writes 0,
    ShardsCounted writes 0,
}

fn frame(out: &mut Vec<u8>, key: i16, version: i16) {
    let mut w = Writer::new(out);
    w.uvarint(FRAME_VERSION);
    w.uvarint(u32::try_from(key).expect("keys are not negative"));
    w.uvarint(u32::try_from(version).expect("versions are not negative"));
}

/// A record that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    Malformed(Malformed),
    /// Of a kind or version that this program does not know: a newer one wrote it.
    Newer {
        what: &'static str,
        number: u32,
        version: u32,
    },
}

impl From<Malformed> for Unreadable {
    fn from(malformed: Malformed) -> Unreadable {
        Unreadable::Malformed(malformed)
    }
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unreadable::Malformed(malformed) => write!(f, "{malformed}"),
            Unreadable::Newer { what, number, version } => {
                write!(f, "{what} {number} (version {version}) is unknown; a newer Millrace wrote it")
            }
        }
    }
}

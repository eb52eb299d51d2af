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
                self.encode_version(self.version(), out);
            }

            /// The version that is written.
            fn version(&self) -> i16 {
                match self {
                    $(Record::$kind(_) => $version),*
                }
            }

            fn encode_version(&self, version: i16, out: &mut Vec<u8>) {
                match self {
                    $(Record::$kind(record) => {
                        frame(out, $kind::KEY, version);
                        record.encode(&mut Writer::new(out), version);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::Random;

    const TOPIC: Uuid = Uuid([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    const ONE: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    const TWO: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);

    /// What `tests/golden/metadata/Metadata.java` puts into each record, in its order.
    fn expected() -> Vec<Record> {
        let register = |version: i16| RegisterBroker {
            broker_id: 7,
            incarnation_id: TOPIC,
            broker_epoch: 4711,
            end_points: vec![Endpoint { name: "PLAINTEXT".into(), host: "::1".into(), port: 65535, security_protocol: 0 }],
            features: vec![Feature { name: "metadata.version".into(), min_supported_version: 7, max_supported_version: 30 }],
            rack: Some("r".into()),
            fenced: false,
            in_controlled_shutdown: true,
            log_dirs: if version >= 3 { vec![ONE, TWO] } else { Vec::new() },
            ..RegisterBroker::default()
        };
        let partition = |version: i16| PartitionCreated {
            partition_id: 300,
            topic_id: TOPIC,
            replicas: vec![1, 2],
            isr: vec![2],
            removing_replicas: vec![2],
            adding_replicas: vec![3],
            leader: 2,
            leader_recovery_state: 1,
            leader_epoch: 5,
            partition_epoch: 6,
            directories: if version >= 1 { vec![ONE, TWO] } else { Vec::new() },
            eligible_leader_replicas: (version >= 2).then(|| vec![1]),
            last_known_elr: (version >= 2).then(|| vec![9]),
        };
        let config = |resource_type, resource_name: &str, name: &str, value: Option<&str>| ConfigSet {
            resource_type,
            resource_name: resource_name.into(),
            name: name.into(),
            value: value.map(str::to_string),
        };
        let change = PartitionChanged { partition_id: 1, topic_id: TOPIC, ..PartitionChanged::default() };
        vec![
            register(1).into(),
            register(2).into(),
            register(3).into(),
            register(4).into(),
            UnregisterBroker { broker_id: 7, broker_epoch: 4711 }.into(),
            TopicCreated { name: "t".into(), topic_id: TOPIC }.into(),
            partition(0).into(),
            partition(1).into(),
            partition(2).into(),
            config(2, "t", "retention.ms", Some("5")).into(),
            config(4, "", "x", None).into(),
            PartitionChanged { leader: -1, ..change.clone() }.into(),
            PartitionChanged {
                isr: Some(vec![1]),
                leader: 1,
                replicas: Some(vec![1, 2]),
                removing_replicas: Some(vec![]),
                adding_replicas: Some(vec![2]),
                leader_recovery_state: 0,
                directories: Some(vec![ONE, TWO]),
                ..change.clone()
            }
            .into(),
            PartitionChanged { eligible_leader_replicas: Some(vec![4]), last_known_elr: Some(vec![]), ..change }.into(),
            TopicRemoved { topic_id: TOPIC }.into(),
            FeatureLevel { name: "metadata.version".into(), feature_level: 30 }.into(),
            ProducerIds { broker_id: 7, broker_epoch: 4711, next_producer_id: 1000 }.into(),
            BrokerChanged { broker_id: 7, broker_epoch: 4711, fenced: -1, in_controlled_shutdown: 1, log_dirs: vec![ONE] }.into(),
            BrokerChanged { broker_id: 7, broker_epoch: 4711, ..BrokerChanged::default() }.into(),
            NoOp {}.into(),
        ]
    }

    fn golden() -> Vec<(String, i16, Vec<u8>)> {
        let line = |line: &str| {
            let mut words = line.split(' ');
            let mut word = || words.next().unwrap();
            let (name, version, hex) = (word().to_string(), word().parse().unwrap(), word());
            let bytes = (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
            (name, version, bytes)
        };
        include_str!("../../tests/golden/metadata/records").lines().map(line).collect()
    }

    #[test]
    fn records_are_kafkas_bytes() {
        let golden = golden();
        let expected = expected();
        assert_eq!(golden.len(), expected.len());
        for ((name, version, bytes), record) in golden.iter().zip(expected) {
            assert_eq!(Record::decode(bytes).as_ref(), Ok(&record), "{name} {version}");
            // Which directories take no new partitions is not kept.
            if (name.as_str(), *version) != ("RegisterBrokerRecord", 4) {
                let mut out = Vec::new();
                record.encode_version(*version, &mut out);
                assert_eq!(&out, bytes, "{name} {version}");
            }
        }
    }

    #[test]
    fn what_a_newer_program_wrote_is_refused_by_name() {
        let unreadable = |bytes: &[u8]| Record::decode(bytes).unwrap_err().to_string();
        assert_eq!(unreadable(&[2, 2, 0]), "frame version 2 (version 0) is unknown; a newer Millrace wrote it");
        assert_eq!(unreadable(&[1, 99, 0]), "record 99 (version 0) is unknown; a newer Millrace wrote it");
        assert_eq!(unreadable(&[1, 2, 1]), "record 2 (version 1) is unknown; a newer Millrace wrote it");
        assert_eq!(
            unreadable(&[1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]),
            "record 4294967295 (version 0) is unknown; a newer Millrace wrote it"
        );
    }

    #[test]
    fn any_bytes_may_be_decoded() {
        let mut random = Random(7);
        for (_, _, bytes) in golden() {
            for cut in 0..bytes.len() {
                assert!(Record::decode(&bytes[..cut]).is_err(), "a record that is cut is not one");
            }
            for _ in 0..300 {
                let mut bytes = bytes.clone();
                for _ in 0..=random.below(3) {
                    let at = random.below(bytes.len() as u64) as usize;
                    bytes[at] = random.next() as u8;
                }
                let _ = Record::decode(&bytes);
            }
        }
    }
}

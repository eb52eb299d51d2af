//! The options of one topic, resolved: its own where it has them, the broker's otherwise.

use super::broker::{BrokerConfig, Layers};
use super::option::Scope;
use super::table;
use super::value::{self, Value};
use std::collections::BTreeMap;

/// What a topic sets itself, by name; everything else comes from the broker.
pub type Overrides = BTreeMap<String, String>;

/// Every option of a topic as plain values. Unlimited is `None`, not -1.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicConfig {
    /// `cleanup.policy` has `delete`.
    pub delete: bool,
    /// `cleanup.policy` has `compact`.
    pub compact: bool,
    pub compression: Compression,
    pub compressed_validation: CompressedValidation,
    pub delete_retention_ms: u64,
    pub file_delete_delay_ms: u64,
    pub flush_messages: u64,
    pub flush_ms: u64,
    pub index_interval_bytes: u32,
    pub max_compaction_lag_ms: u64,
    pub max_message_bytes: u32,
    pub message_timestamp_after_max_ms: u64,
    pub message_timestamp_before_max_ms: u64,
    pub message_timestamp_type: TimestampType,
    pub min_cleanable_dirty_ratio: f64,
    pub min_compaction_lag_ms: u64,
    pub min_insync_replicas: u32,
    pub preallocate: bool,
    pub retention_bytes: Option<u64>,
    pub retention_ms: Option<u64>,
    pub segment_bytes: u32,
    pub segment_index_bytes: u32,
    pub segment_jitter_ms: u64,
    pub segment_ms: u64,
    pub unclean_leader_election: bool,
}

/// What `compression.type` and the levels ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Stored as it came.
    Producer,
    Uncompressed,
    /// -1 is the codec's own level.
    Gzip(i32),
    Snappy,
    Lz4(i32),
    Zstd(i32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressedValidation {
    Check,
    Trust,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

impl TopicConfig {
    /// Overrides that do not parse count as absent: what is stored was checked when it was set, and a newer version
    /// may have set what this one does not know.
    pub fn resolve(overrides: &Overrides, broker: &BrokerConfig) -> TopicConfig {
        TopicConfig::from_layers(overrides, &broker.layers)
    }

    pub(super) fn from_layers(overrides: &Overrides, layers: &Layers) -> TopicConfig {
        let get = Lookup { overrides, layers };
        let policy = get.list("cleanup.policy");
        TopicConfig {
            delete: policy.iter().any(|word| word == "delete"),
            compact: policy.iter().any(|word| word == "compact"),
            compression: get.compression(),
            compressed_validation: match get.text("millrace.compressed.validation").as_str() {
                "trust" => CompressedValidation::Trust,
                _ => CompressedValidation::Check,
            },
            delete_retention_ms: get.at_least_0("delete.retention.ms"),
            file_delete_delay_ms: get.at_least_0("file.delete.delay.ms"),
            flush_messages: get.at_least_0("flush.messages"),
            flush_ms: get.at_least_0("flush.ms"),
            index_interval_bytes: get.u32("index.interval.bytes"),
            max_compaction_lag_ms: get.at_least_0("max.compaction.lag.ms"),
            max_message_bytes: get.u32("max.message.bytes"),
            message_timestamp_after_max_ms: get.at_least_0("message.timestamp.after.max.ms"),
            message_timestamp_before_max_ms: get.at_least_0("message.timestamp.before.max.ms"),
            message_timestamp_type: match get.text("message.timestamp.type").as_str() {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            min_cleanable_dirty_ratio: get.double("min.cleanable.dirty.ratio"),
            min_compaction_lag_ms: get.at_least_0("min.compaction.lag.ms"),
            min_insync_replicas: get.u32("min.insync.replicas"),
            preallocate: get.boolean("preallocate"),
            retention_bytes: u64::try_from(get.number("retention.bytes")).ok(),
            retention_ms: u64::try_from(get.number("retention.ms")).ok(),
            segment_bytes: match get.own("internal.segment.bytes") {
                Some(Value::Number(bytes)) => u32::try_from(bytes).unwrap_or(0).max(1),
                _ => get.u32("segment.bytes"),
            },
            segment_index_bytes: get.u32("segment.index.bytes"),
            segment_jitter_ms: get.at_least_0("segment.jitter.ms"),
            segment_ms: get.at_least_0("segment.ms"),
            unclean_leader_election: get.boolean("unclean.leader.election.enable"),
        }
    }
}

/// What a topic's option is in the end, as DescribeConfigs tells it. `None` is null.
pub fn effective(name: &str, overrides: &Overrides, broker: &BrokerConfig) -> Option<Value> {
    Lookup { overrides, layers: &broker.layers }.find(name)
}

/// Checks what a topic sets itself as a whole. The sentence is Kafka's (`LogConfig.validate`), for INVALID_CONFIG.
pub fn validate(overrides: &Overrides, broker: &BrokerConfig) -> Result<(), String> {
    if let Some(unknown) = overrides.keys().find(|name| table::topic(name).is_none()) {
        return Err(format!("Unknown topic config name: {unknown}"));
    }
    for (name, text) in overrides {
        let option = table::topic(name).expect("looked for above");
        value::parse(option, text)?;
    }
    let get = Lookup { overrides, layers: &broker.layers };
    let (min, max) = (get.number("min.compaction.lag.ms"), get.number("max.compaction.lag.ms"));
    if min > max {
        return Err(format!("conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})"));
    }
    if get.boolean("remote.storage.enable") {
        return Err("Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.".into());
    }
    Ok(())
}

struct Lookup<'a> {
    overrides: &'a Overrides,
    layers: &'a Layers,
}

impl Lookup<'_> {
    fn own(&self, name: &str) -> Option<Value> {
        let option = table::topic(name).expect("asked for by name of the table");
        self.overrides.get(name).and_then(|text| value::parse(option, text).ok())
    }

    fn find(&self, name: &str) -> Option<Value> {
        self.own(name).or_else(|| {
            let option = table::topic(name).expect("asked for by name of the table");
            match option.scope {
                Scope::Topic("") => option.default.map(|text| value::parse(option, text).expect("a test checks every default")),
                Scope::Topic(of_broker) => self.layers.topic_default(of_broker),
                _ => unreachable!("{name} is not an option of a topic"),
            }
        })
    }

    fn number(&self, name: &str) -> i64 {
        match self.find(name) {
            Some(Value::Number(number)) => number,
            other => unreachable!("{name} is a number with a default, not {other:?}"),
        }
    }

    fn at_least_0(&self, name: &str) -> u64 {
        u64::try_from(self.number(name)).unwrap_or(0)
    }

    fn u32(&self, name: &str) -> u32 {
        u32::try_from(self.number(name)).unwrap_or(0)
    }

    fn double(&self, name: &str) -> f64 {
        match self.find(name) {
            Some(Value::Double(number)) => number,
            other => unreachable!("{name} is a number with a default, not {other:?}"),
        }
    }

    fn boolean(&self, name: &str) -> bool {
        match self.find(name) {
            Some(Value::Boolean(yes)) => yes,
            other => unreachable!("{name} is true or false, not {other:?}"),
        }
    }

    fn text(&self, name: &str) -> String {
        match self.find(name) {
            Some(Value::Text(text)) => text,
            other => unreachable!("{name} is a text with a default, not {other:?}"),
        }
    }

    fn list(&self, name: &str) -> Vec<String> {
        match self.find(name) {
            Some(Value::List(items)) => items,
            other => unreachable!("{name} is a list with a default, not {other:?}"),
        }
    }

    fn compression(&self) -> Compression {
        let level = |name| i32::try_from(self.number(name)).expect("an INT");
        match self.text("compression.type").as_str() {
            "uncompressed" => Compression::Uncompressed,
            "gzip" => Compression::Gzip(level("compression.gzip.level")),
            "snappy" => Compression::Snappy,
            "lz4" => Compression::Lz4(level("compression.lz4.level")),
            "zstd" => Compression::Zstd(level("compression.zstd.level")),
            _ => Compression::Producer,
        }
    }
}

//! The options of one topic, resolved: its own where it has them, the broker's otherwise.

use super::broker::{BrokerConfig, Layers};
use super::option::Scope;
use super::table;
use super::value::{self, Value};
use crate::log::{CleanupPolicy, CompressionConfig, LogConfig, TimestampType};
use std::collections::BTreeMap;

/// What a topic sets itself, by name; everything else comes from the broker.
pub type Overrides = BTreeMap<String, String>;

/// Every option of a topic that means something to the broker, as plain values. Unlimited is `None`, not -1.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicConfig {
    /// What its partitions' logs look at.
    pub log: LogConfig,
    pub min_insync_replicas: u32,
    pub unclean_leader_election: bool,
}

impl TopicConfig {
    /// The broker's defaults with what the topic sets. Overrides that do not parse count as absent: what is stored was
    /// checked when it was set, and a newer version may have set what this one does not know.
    pub fn resolve(overrides: &Overrides, broker: &BrokerConfig) -> TopicConfig {
        let mut config = broker.topic.clone();
        let parsed = |name: &str| overrides.get(name).and_then(|text| value::parse(table::topic(name)?, text).ok());
        for name in overrides.keys() {
            if let Some(value) = parsed(name) {
                config.set(name, value);
            }
        }
        // Levels come before the codec in the alphabet; the codec alone, or a level alone, still needs the other.
        if overrides.keys().any(|name| name.starts_with("compression.")) {
            config.log.compression = Lookup { overrides, layers: &broker.layers }.compression();
        }
        // Only tests set it; it goes before `segment.bytes`.
        if let Some(value) = parsed("internal.segment.bytes") {
            config.set("internal.segment.bytes", value);
        }
        config
    }

    /// What a topic without overrides gets.
    pub(super) fn from_layers(layers: &Layers) -> TopicConfig {
        let mut config = TopicConfig { log: LogConfig::default(), min_insync_replicas: 1, unclean_leader_election: false };
        let get = Lookup { overrides: &Overrides::new(), layers };
        for option in table::topic_options() {
            if let Some(value) = get.find(option.name) {
                config.set(option.name, value);
            }
        }
        config.log.compression = get.compression();
        let unsigned = |name: &str| match layers.value(name) {
            Some(Value::Number(number)) => u64::try_from(number).unwrap_or(0),
            other => unreachable!("{name} is a number with a default, not {other:?}"),
        };
        config.log.producer_id_expiration_ms = unsigned("producer.id.expiration.ms");
        config.log.decompressed_bytes_max = u32::try_from(unsigned("millrace.decompressed.bytes.max")).unwrap_or(u32::MAX);
        config
    }

    /// One option. Those that have no effect yet have no field.
    fn set(&mut self, name: &str, value: Value) {
        let log = &mut self.log;
        match (name, value) {
            ("cleanup.policy", Value::List(words)) => {
                let has = |policy: &str| words.iter().any(|word| word == policy);
                log.cleanup_policy = CleanupPolicy { delete: has("delete"), compact: has("compact") };
            }
            ("delete.retention.ms", Value::Number(ms)) => log.delete_retention_ms = unsigned(ms),
            ("file.delete.delay.ms", Value::Number(ms)) => log.file_delete_delay_ms = unsigned(ms),
            ("flush.messages", Value::Number(records)) => log.flush_messages = unless_forever(records),
            ("flush.ms", Value::Number(ms)) => log.flush_ms = unless_forever(ms),
            ("index.interval.bytes", Value::Number(bytes)) => log.index_interval_bytes = unsigned_32(bytes),
            ("max.compaction.lag.ms", Value::Number(ms)) => log.max_compaction_lag_ms = unsigned(ms),
            ("max.message.bytes", Value::Number(bytes)) => log.max_message_bytes = unsigned_32(bytes),
            ("message.timestamp.after.max.ms", Value::Number(ms)) => log.message_timestamp_after_max_ms = unsigned(ms),
            ("message.timestamp.before.max.ms", Value::Number(ms)) => log.message_timestamp_before_max_ms = unsigned(ms),
            ("message.timestamp.type", Value::Text(word)) => {
                log.message_timestamp_type = match word.as_str() {
                    "LogAppendTime" => TimestampType::LogAppendTime,
                    _ => TimestampType::CreateTime,
                };
            }
            ("millrace.compressed.validation", Value::Text(word)) => log.compressed_trust = word == "trust",
            ("min.cleanable.dirty.ratio", Value::Double(ratio)) => log.min_cleanable_dirty_permille = permille(ratio),
            ("min.compaction.lag.ms", Value::Number(ms)) => log.min_compaction_lag_ms = unsigned(ms),
            ("min.insync.replicas", Value::Number(replicas)) => self.min_insync_replicas = unsigned_32(replicas),
            ("preallocate", Value::Boolean(yes)) => log.preallocate = yes,
            ("retention.bytes", Value::Number(bytes)) => log.retention_bytes = u64::try_from(bytes).ok(),
            ("retention.ms", Value::Number(ms)) => log.retention_ms = u64::try_from(ms).ok(),
            ("segment.bytes" | "internal.segment.bytes", Value::Number(bytes)) => log.segment_bytes = unsigned_32(bytes).max(1),
            ("segment.index.bytes", Value::Number(bytes)) => log.segment_index_bytes = unsigned_32(bytes),
            ("segment.jitter.ms", Value::Number(ms)) => log.segment_jitter_ms = unsigned(ms),
            ("segment.ms", Value::Number(ms)) => log.segment_ms = unsigned(ms),
            ("unclean.leader.election.enable", Value::Boolean(yes)) => self.unclean_leader_election = yes,
            _ => {}
        }
    }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn unsigned_32(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// Kafka's "never" is the largest number.
fn unless_forever(number: i64) -> Option<u64> {
    (number != i64::MAX).then(|| unsigned(number))
}

/// The table keeps ratios between 0 and 1.
fn permille(ratio: f64) -> u32 {
    (0..=1000).find(|permille| f64::from(*permille) >= ratio * 1000.0 - 0.5).unwrap_or(1000)
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

    fn compression(&self) -> CompressionConfig {
        let level = |name| i32::try_from(self.number(name)).expect("an INT");
        match self.text("compression.type").as_str() {
            "uncompressed" => CompressionConfig::Uncompressed,
            "gzip" => CompressionConfig::Gzip(level("compression.gzip.level")),
            "snappy" => CompressionConfig::Snappy,
            "lz4" => CompressionConfig::Lz4(level("compression.lz4.level")),
            "zstd" => CompressionConfig::Zstd(level("compression.zstd.level")),
            _ => CompressionConfig::Producer,
        }
    }
}

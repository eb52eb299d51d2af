//! The broker's options, resolved: what was set at the start, what was altered since, the defaults.
//!
//! ```text
//!  DYNAMIC_BROKER_CONFIG          altered for this broker     ─┐
//!  DYNAMIC_DEFAULT_BROKER_CONFIG  altered for all brokers      ├─▶ the first that has the name
//!  STATIC_BROKER_CONFIG           file, environment, --set     │
//!  DEFAULT_CONFIG                 the table                   ─┘
//! ```
//!
//! Only options whose scope says so look at the first two. A new [`BrokerConfig`] is made on every change and handed to
//! every core.

use super::listener::{self, Listener};
use super::option::{Opt, Scope};
use super::table;
use super::topic::TopicConfig;
use super::value::{self, Value};
use crate::types::BrokerId;
use std::collections::BTreeMap;

/// The broker's options as plain values. Unlimited is `None` or the type's largest value; see each.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    pub layers: Layers,
    pub node_id: BrokerId,
    pub rack: Option<String>,
    pub listeners: Vec<Listener>,
    pub log_dirs: Vec<String>,
    pub metadata_log_dir: String,
    /// 0: all.
    pub cores: u16,
    pub buffer_bytes_per_core: u64,
    pub auto_create_topics: bool,
    pub delete_topics: bool,
    pub num_partitions: i32,
    pub default_replication_factor: i16,
    pub max_request_partition_size_limit: u32,
    pub socket_listen_backlog: u32,
    /// `None` leaves it to the kernel.
    pub socket_receive_buffer_bytes: Option<u32>,
    pub socket_send_buffer_bytes: Option<u32>,
    pub socket_request_max_bytes: u32,
    /// Negative or 0: never.
    pub connections_max_idle_ms: i64,
    pub max_connections: u32,
    pub max_connections_per_ip: u32,
    /// Address or host, and its limit instead of the one for all.
    pub max_connections_per_ip_overrides: BTreeMap<String, u32>,
    /// A second.
    pub max_connection_creation_rate: u32,
    pub fetch_max_bytes: u32,
    pub fetch_sessions_max: u32,
    pub log_retention_check_interval_ms: u64,
    pub log_flush_offset_checkpoint_interval_ms: u64,
    pub log_flush_start_offset_checkpoint_interval_ms: u64,
    pub replica_high_watermark_checkpoint_interval_ms: u64,
    pub producer_id_expiration_ms: u64,
    pub metadata_snapshot_bytes: u64,
    pub offsets_topic_num_partitions: i32,
    pub offsets_topic_replication_factor: i16,
    pub transaction_max_timeout_ms: i32,
    pub transaction_topic_num_partitions: i32,
    pub transaction_topic_replication_factor: i16,
    /// What a topic without overrides gets.
    pub topic: TopicConfig,
}

/// What was set where, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// At the start.
    pub fixed: BTreeMap<String, String>,
    /// Altered for all brokers.
    pub cluster: BTreeMap<String, String>,
    /// Altered for this one.
    pub own: BTreeMap<String, String>,
}

impl BrokerConfig {
    /// From what was set at the start. An error is a list of sentences that say what to do.
    pub fn new(fixed: BTreeMap<String, String>) -> Result<BrokerConfig, Vec<String>> {
        resolve(Layers { fixed, ..Layers::default() })
    }

    /// The same broker after an alteration. A stored value that cannot be used is left out and told about, one sentence
    /// each: a broker does not refuse to run because of it.
    pub fn with_dynamic(&self, cluster: &BTreeMap<String, String>, own: &BTreeMap<String, String>) -> (BrokerConfig, Vec<String>) {
        let mut config = self.clone();
        let mut warnings = Vec::new();
        if (cluster, own) == (&self.layers.cluster, &self.layers.own) {
            return (config, warnings);
        }
        config.layers.cluster = usable(cluster, "all brokers", &mut warnings);
        config.layers.own = usable(own, "this broker", &mut warnings);
        match resolve(config.layers.clone()) {
            Ok(resolved) => (resolved, warnings),
            Err(problems) => {
                warnings.extend(problems);
                config.layers.cluster.clear();
                config.layers.own.clear();
                let fixed = resolve(config.layers).expect("it was so before anything was altered");
                (fixed, warnings)
            }
        }
    }

    /// The same broker if these were altered, or why that cannot be.
    pub fn try_dynamic(&self, cluster: &BTreeMap<String, String>, own: &BTreeMap<String, String>) -> Result<BrokerConfig, Vec<String>> {
        let mut problems = Vec::new();
        let layers = Layers {
            fixed: self.layers.fixed.clone(),
            cluster: usable(cluster, "all brokers", &mut problems),
            own: usable(own, "this broker", &mut problems),
        };
        if problems.is_empty() { resolve(layers) } else { Err(problems) }
    }

    /// What an option of the broker is in the end; `None` is null, and an unknown name.
    pub fn value(&self, name: &str) -> Option<Value> {
        self.layers.value(name)
    }
}

impl Layers {
    /// Null is `None`.
    pub fn text(&self, option: &Opt) -> Option<&str> {
        let dynamic = matches!(option.scope, Scope::PerBroker | Scope::ClusterWide);
        let altered = self.own.get(option.name).or_else(|| self.cluster.get(option.name)).filter(|_| dynamic);
        altered.or_else(|| self.fixed.get(option.name)).map(String::as_str).or(option.default)
    }

    /// What an option of the broker is in the end; `None` is null, and an unknown name.
    pub fn value(&self, name: &str) -> Option<Value> {
        let option = table::broker(name)?;
        let text = self.text(option)?;
        Some(value::parse(option, text).expect("every layer was checked on the way in"))
    }

    /// What an option gives to the topics, in the topic's unit: `log.retention.ms` is the hours' worth where only hours
    /// are set.
    pub fn topic_default(&self, name: &str) -> Option<Value> {
        let (family, unit): (&[&str], fn(&str) -> i64) = match name {
            "log.retention.ms" => (&["log.retention.ms", "log.retention.minutes", "log.retention.hours"], ms_per_unit),
            "log.roll.ms" => (&["log.roll.ms", "log.roll.hours"], ms_per_unit),
            "log.roll.jitter.ms" => (&["log.roll.jitter.ms", "log.roll.jitter.hours"], ms_per_unit),
            "log.flush.interval.ms" => (&["log.flush.interval.ms", "log.flush.scheduler.interval.ms"], |_| 1),
            _ => return self.value(name),
        };
        let (name, number) = family.iter().find_map(|name| match self.value(name) {
            Some(Value::Number(number)) => Some((*name, number)),
            _ => None,
        })?;
        Some(Value::Number(if number < 0 { -1 } else { number.saturating_mul(unit(name)) }))
    }
}

fn ms_per_unit(name: &str) -> i64 {
    match name.rsplit_once('.') {
        Some((_, "hours")) => 3_600_000,
        Some((_, "minutes")) => 60_000,
        _ => 1,
    }
}

/// Stored values that parse. Unknown names stay, because DescribeConfigs shows them.
fn usable(values: &BTreeMap<String, String>, whose: &str, warnings: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut kept = BTreeMap::new();
    for (name, text) in values {
        match table::broker(name).map(|option| value::parse(option, text)) {
            Some(Err(why)) => warnings.push(format!("{name}, altered for {whose}, is ignored: {why}")),
            _ => {
                kept.insert(name.clone(), text.clone());
            }
        }
    }
    kept
}

fn resolve(layers: Layers) -> Result<BrokerConfig, Vec<String>> {
    let mut problems = Vec::new();
    for (name, text) in &layers.fixed {
        if let Some(option) = table::broker(name)
            && let Err(why) = value::parse(option, text)
        {
            problems.push(why);
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let get = Reader { layers: &layers };
    let node_id = get.node_id(&mut problems);
    let log_dirs = get.log_dirs(&mut problems);
    let listeners = listener::parse(
        &get.list("listeners"),
        get.optional_list("advertised.listeners").as_deref(),
        &get.text("listener.security.protocol.map"),
    )
    .unwrap_or_else(|why| {
        problems.push(why);
        Vec::new()
    });
    let overrides = overrides_per_ip(&get.text("max.connections.per.ip.overrides")).unwrap_or_else(|why| {
        problems.push(why);
        BTreeMap::new()
    });
    get.cross_checks(&mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let unlimited_if_negative = |name| u32::try_from(get.number(name)).ok();
    Ok(BrokerConfig {
        node_id,
        rack: get.optional_text("broker.rack"),
        listeners,
        metadata_log_dir: get.optional_text("metadata.log.dir").unwrap_or_else(|| log_dirs[0].clone()),
        log_dirs,
        cores: u16::try_from(get.number("millrace.cores")).expect("the table's range"),
        buffer_bytes_per_core: get.u64("millrace.buffer.bytes.per.core"),
        auto_create_topics: get.boolean("auto.create.topics.enable"),
        delete_topics: get.boolean("delete.topic.enable"),
        num_partitions: get.i32("num.partitions"),
        default_replication_factor: get.i16("default.replication.factor"),
        max_request_partition_size_limit: get.u32("max.request.partition.size.limit"),
        socket_listen_backlog: get.u32("socket.listen.backlog.size"),
        socket_receive_buffer_bytes: unlimited_if_negative("socket.receive.buffer.bytes"),
        socket_send_buffer_bytes: unlimited_if_negative("socket.send.buffer.bytes"),
        socket_request_max_bytes: get.u32("socket.request.max.bytes"),
        connections_max_idle_ms: get.number("connections.max.idle.ms"),
        max_connections: get.u32("max.connections"),
        max_connections_per_ip: get.u32("max.connections.per.ip"),
        max_connections_per_ip_overrides: overrides,
        max_connection_creation_rate: get.u32("max.connection.creation.rate"),
        fetch_max_bytes: get.u32("fetch.max.bytes"),
        fetch_sessions_max: get.u32("max.incremental.fetch.session.cache.slots"),
        log_retention_check_interval_ms: get.u64("log.retention.check.interval.ms"),
        log_flush_offset_checkpoint_interval_ms: get.u64("log.flush.offset.checkpoint.interval.ms"),
        log_flush_start_offset_checkpoint_interval_ms: get.u64("log.flush.start.offset.checkpoint.interval.ms"),
        replica_high_watermark_checkpoint_interval_ms: get.u64("replica.high.watermark.checkpoint.interval.ms"),
        producer_id_expiration_ms: get.u64("producer.id.expiration.ms"),
        metadata_snapshot_bytes: get.u64("metadata.log.max.record.bytes.between.snapshots"),
        offsets_topic_num_partitions: get.i32("offsets.topic.num.partitions"),
        offsets_topic_replication_factor: get.i16("offsets.topic.replication.factor"),
        transaction_max_timeout_ms: get.i32("transaction.max.timeout.ms"),
        transaction_topic_num_partitions: get.i32("transaction.state.log.num.partitions"),
        transaction_topic_replication_factor: get.i16("transaction.state.log.replication.factor"),
        topic: TopicConfig::from_layers(&layers),
        layers,
    })
}

/// `address:limit,…`
fn overrides_per_ip(text: &str) -> Result<BTreeMap<String, u32>, String> {
    let mut overrides = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let parsed = pair.rsplit_once(':').and_then(|(host, limit)| Some((host, limit.trim().parse::<u32>().ok()?)));
        let Some((host, limit)) = parsed.filter(|(host, _)| !host.is_empty()) else {
            return Err(format!("max.connections.per.ip.overrides: {pair} is not address:limit; write it like 10.0.0.7:200"));
        };
        overrides.insert(host.trim().trim_matches(['[', ']']).to_string(), limit);
    }
    Ok(overrides)
}

struct Reader<'a> {
    layers: &'a Layers,
}

impl Reader<'_> {
    fn find(&self, name: &str) -> Option<Value> {
        let option = table::broker(name).unwrap_or_else(|| unreachable!("{name} is not in the table"));
        self.layers.text(option).map(|text| value::parse(option, text).expect("every layer was checked on the way in"))
    }

    fn number(&self, name: &str) -> i64 {
        match self.find(name) {
            Some(Value::Number(number)) => number,
            other => unreachable!("{name} is a number with a default, not {other:?}"),
        }
    }

    /// Below 0 is 0: Kafka leaves some of these without a range.
    fn u64(&self, name: &str) -> u64 {
        u64::try_from(self.number(name)).unwrap_or(0)
    }

    fn u32(&self, name: &str) -> u32 {
        u32::try_from(self.number(name).max(0)).unwrap_or(u32::MAX)
    }

    fn i32(&self, name: &str) -> i32 {
        i32::try_from(self.number(name)).expect("an INT")
    }

    fn i16(&self, name: &str) -> i16 {
        i16::try_from(self.number(name)).unwrap_or(i16::MAX)
    }

    fn boolean(&self, name: &str) -> bool {
        self.find(name) == Some(Value::Boolean(true))
    }

    fn text(&self, name: &str) -> String {
        self.optional_text(name).unwrap_or_else(|| unreachable!("{name} has a default"))
    }

    fn optional_text(&self, name: &str) -> Option<String> {
        self.find(name).map(|value| value.to_string())
    }

    fn list(&self, name: &str) -> Vec<String> {
        self.optional_list(name).unwrap_or_default()
    }

    fn optional_list(&self, name: &str) -> Option<Vec<String>> {
        match self.find(name) {
            Some(Value::List(items)) => Some(items),
            None => None,
            other => unreachable!("{name} is a list, not {other:?}"),
        }
    }

    fn node_id(&self, problems: &mut Vec<String>) -> BrokerId {
        let set = |name: &str| self.layers.fixed.contains_key(name).then(|| self.i32(name));
        match (set("node.id"), set("broker.id").filter(|id| *id >= 0)) {
            (Some(node), Some(broker)) if node != broker => {
                problems.push(format!("node.id={node} and broker.id={broker} are the same thing and differ; remove broker.id"));
                BrokerId(node)
            }
            (Some(id), _) | (None, Some(id)) => BrokerId(id),
            (None, None) => BrokerId(self.i32("node.id")),
        }
    }

    /// `log.dirs`, or the older `log.dir` where only that is set.
    fn log_dirs(&self, problems: &mut Vec<String>) -> Vec<String> {
        let set = |name: &str| self.layers.fixed.contains_key(name).then(|| self.list(name));
        let dirs = set("log.dirs").or_else(|| set("log.dir")).unwrap_or_else(|| self.list("log.dirs"));
        if dirs.iter().all(String::is_empty) {
            problems.push("log.dirs: it names no directory; give at least one, or leave it out for ./data".to_string());
            return vec![String::new()];
        }
        for (i, dir) in dirs.iter().enumerate() {
            if dir.is_empty() {
                problems.push("log.dirs: there is a comma too many; remove it".to_string());
            } else if dirs[..i].iter().any(|other| other.trim_end_matches('/') == dir.trim_end_matches('/')) {
                problems.push(format!("log.dirs: {dir} stands twice; remove one"));
            }
        }
        dirs
    }

    fn cross_checks(&self, problems: &mut Vec<String>) {
        for name in ["log.retention.ms", "log.retention.minutes", "log.retention.hours"] {
            if let Some(Value::Number(0)) = self.find(name) {
                problems.push(format!("{name} must be unlimited (-1) or, greater than or equal to 1"));
            }
        }
        let (frame, budget) = (self.u64("socket.request.max.bytes"), self.u64("millrace.buffer.bytes.per.core"));
        if frame >= budget {
            problems.push(format!(
                "socket.request.max.bytes={frame} does not fit into millrace.buffer.bytes.per.core={budget}; lower the first or raise the second"
            ));
        }
        if self.number("max.connections.per.ip") == 0 && self.text("max.connections.per.ip.overrides").is_empty() {
            problems.push(
                "max.connections.per.ip=0 lets nobody in; name those who may in max.connections.per.ip.overrides, or raise it".to_string(),
            );
        }
        let (min, max) = (self.number("log.cleaner.min.compaction.lag.ms"), self.number("log.cleaner.max.compaction.lag.ms"));
        if min > max {
            problems
                .push(format!("log.cleaner.min.compaction.lag.ms={min} is above log.cleaner.max.compaction.lag.ms={max}; lower the first"));
        }
        for (least, value, most) in [
            ("group.min.session.timeout.ms", None, "group.max.session.timeout.ms"),
            ("group.consumer.min.session.timeout.ms", Some("group.consumer.session.timeout.ms"), "group.consumer.max.session.timeout.ms"),
            (
                "group.consumer.min.heartbeat.interval.ms",
                Some("group.consumer.heartbeat.interval.ms"),
                "group.consumer.max.heartbeat.interval.ms",
            ),
        ] {
            let value = value.unwrap_or(least);
            let (low, middle, high) = (self.number(least), self.number(value), self.number(most));
            if middle < low || middle > high {
                problems.push(format!("{value}={middle} must lie between {least}={low} and {most}={high}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn a_broker_starts_with_no_configuration_at_all() {
        let config = BrokerConfig::new(BTreeMap::new()).unwrap();
        let addresses: Vec<String> = config.listeners.iter().flat_map(|l| &l.addresses).map(|a| a.to_string()).collect();
        assert_eq!(addresses, ["127.0.0.1:9092", "[::1]:9092"]);
        assert_eq!((config.node_id, config.log_dirs.as_slice()), (BrokerId(0), &["./data".to_string()][..]));
        assert_eq!(config.metadata_log_dir, "./data");
        assert_eq!((config.num_partitions, config.default_replication_factor, config.auto_create_topics), (1, 1, true));
        assert_eq!(config.topic.log, crate::log::LogConfig::default());
        assert_eq!((config.max_connections, config.connections_max_idle_ms), (u32::MAX >> 1, 600_000));
        assert_eq!((config.socket_receive_buffer_bytes, config.socket_request_max_bytes), (Some(102_400), 104_857_600));
    }

    #[test]
    fn the_finer_unit_goes_before_the_coarser_one() {
        let retention = |pairs: &[(&str, &str)]| BrokerConfig::new(map(pairs)).unwrap().topic.log.retention_ms;
        assert_eq!(retention(&[("log.retention.hours", "2")]), Some(7_200_000));
        assert_eq!(retention(&[("log.retention.hours", "2"), ("log.retention.minutes", "3")]), Some(180_000));
        assert_eq!(retention(&[("log.retention.minutes", "3"), ("log.retention.ms", "5")]), Some(5));
        assert_eq!(retention(&[("log.retention.hours", "-1")]), None);
        let (altered, _) =
            BrokerConfig::new(map(&[("log.retention.hours", "2")])).unwrap().with_dynamic(&map(&[("log.retention.ms", "7")]), &map(&[]));
        assert_eq!(altered.topic.log.retention_ms, Some(7));
        let log =
            BrokerConfig::new(map(&[("log.roll.hours", "1"), ("log.roll.jitter.hours", "1"), ("log.flush.scheduler.interval.ms", "9")]))
                .unwrap()
                .topic
                .log;
        assert_eq!((log.segment_ms, log.segment_jitter_ms, log.flush_ms), (3_600_000, 3_600_000, Some(9)));
    }

    #[test]
    fn a_topic_that_sets_something_differs_in_that_alone() {
        let broker = BrokerConfig::new(map(&[("log.segment.bytes", "2000000"), ("compression.zstd.level", "7")])).unwrap();
        let topic = TopicConfig::resolve(
            &map(&[("cleanup.policy", "compact,delete"), ("retention.bytes", "77"), ("junk", "1"), ("segment.ms", "x")]),
            &broker,
        );
        let mut expected = broker.topic.clone();
        expected.log.cleanup_policy = crate::log::CleanupPolicy { delete: true, compact: true };
        expected.log.retention_bytes = Some(77);
        assert_eq!(topic, expected);
        let zstd = TopicConfig::resolve(&map(&[("compression.type", "zstd")]), &broker);
        assert_eq!(zstd.log.compression, crate::log::CompressionConfig::Zstd(7));
        let both = TopicConfig::resolve(&map(&[("compression.type", "gzip"), ("compression.gzip.level", "2")]), &broker);
        assert_eq!(both.log.compression, crate::log::CompressionConfig::Gzip(2));
        let tiny = TopicConfig::resolve(&map(&[("internal.segment.bytes", "100"), ("segment.bytes", "3000000")]), &broker);
        assert_eq!(tiny.log.segment_bytes, 100);
        let empty =
            TopicConfig::resolve(&map(&[("cleanup.policy", ""), ("flush.messages", "1"), ("min.cleanable.dirty.ratio", "0.25")]), &broker);
        assert_eq!(empty.log.cleanup_policy, crate::log::CleanupPolicy { delete: false, compact: false });
        assert_eq!((empty.log.flush_messages, empty.log.min_cleanable_dirty_permille), (Some(1), 250));
    }

    /// Laying overrides over the defaults one by one comes to the same as if the broker had had them.
    #[test]
    fn a_topics_override_means_what_the_brokers_option_means() {
        for option in table::topic_options() {
            let Some(of_broker) = table::broker_option_of(option) else { continue };
            let text = match option.name {
                "cleanup.policy" => "compact",
                "compression.type" => "snappy",
                "message.timestamp.type" => "LogAppendTime",
                "millrace.compressed.validation" => "trust",
                "preallocate" | "unclean.leader.election.enable" => "true",
                "min.cleanable.dirty.ratio" => "0.25",
                "segment.bytes" => "1048577",
                _ => "7",
            };
            let plain = BrokerConfig::new(BTreeMap::new()).unwrap();
            let as_override = TopicConfig::resolve(&map(&[(option.name, text)]), &plain);
            let as_default = BrokerConfig::new(map(&[(of_broker.name, text)])).unwrap().topic;
            assert_eq!(as_override, as_default, "{}", option.name);
        }
    }

    #[test]
    fn settings_that_contradict_each_other_are_told_together() {
        for (pairs, told) in [
            (&[("log.dirs", "")][..], "log.dirs: it names no directory"),
            (&[("log.dirs", "/a,/b,/a/")], "log.dirs: /a/ stands twice"),
            (&[("log.dirs", "/a,,/b")], "log.dirs: there is a comma too many"),
            (&[("node.id", "1"), ("broker.id", "2")], "node.id=1 and broker.id=2 are the same thing and differ"),
            (&[("log.retention.ms", "0")], "log.retention.ms must be unlimited (-1) or, greater than or equal to 1"),
            (
                &[("socket.request.max.bytes", "1000000000")],
                "socket.request.max.bytes=1000000000 does not fit into millrace.buffer.bytes.per.core",
            ),
            (&[("max.connections.per.ip", "0")], "max.connections.per.ip=0 lets nobody in"),
            (&[("max.connections.per.ip.overrides", "h")], "max.connections.per.ip.overrides: h is not address:limit"),
            (&[("listeners", "PLAINTEXT://:99999")], "listeners: PLAINTEXT://:99999: the port"),
            (
                &[("log.cleaner.min.compaction.lag.ms", "9"), ("log.cleaner.max.compaction.lag.ms", "8")],
                "log.cleaner.min.compaction.lag.ms=9 is above",
            ),
            (&[("group.consumer.session.timeout.ms", "1")], "group.consumer.session.timeout.ms=1 must lie between"),
        ] {
            let problems = BrokerConfig::new(map(pairs)).unwrap_err();
            assert!(problems[0].starts_with(told), "{problems:?}");
            assert_eq!(problems.len(), 1, "{problems:?}");
        }
        assert_eq!(BrokerConfig::new(map(&[("log.dirs", ""), ("listeners", "")])).unwrap_err().len(), 2);
    }

    #[test]
    fn older_names_still_mean_the_same() {
        let config = BrokerConfig::new(map(&[("broker.id", "7"), ("log.dir", "/old")])).unwrap();
        assert_eq!((config.node_id, config.log_dirs), (BrokerId(7), vec!["/old".to_string()]));
        let config = BrokerConfig::new(map(&[("log.dir", "/old"), ("log.dirs", "/new")])).unwrap();
        assert_eq!(config.log_dirs, ["/new"]);
    }

    #[test]
    fn a_stored_alteration_that_cannot_be_used_is_left_out_and_told() {
        let fixed = BrokerConfig::new(BTreeMap::new()).unwrap();
        let (config, told) = fixed.with_dynamic(&map(&[("message.max.bytes", "x"), ("log.retention.ms", "9")]), &map(&[]));
        assert_eq!((config.topic.log.max_message_bytes, config.topic.log.retention_ms), (1_048_588, Some(9)));
        assert_eq!(told.len(), 1);
        let (config, told) = fixed.with_dynamic(&map(&[("log.retention.ms", "0")]), &map(&[]));
        assert_eq!((config.topic.log.retention_ms, told.len()), (Some(604_800_000), 1));
        let (config, _) = fixed.with_dynamic(&map(&[("num.partitions", "9")]), &map(&[("max.connections", "5")]));
        assert_eq!((config.num_partitions, config.max_connections), (1, 5), "a read-only option is not altered");
    }
}

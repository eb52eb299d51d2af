//! What DescribeConfigs tells about a resource: every option with its value, and where the value comes from.
//!
//! As Kafka's `ConfigHelper` does it. An entry's synonyms are all places that could give the value, the deciding one
//! first:
//!
//! ```text
//!  retention.ms = 60000      TOPIC_CONFIG            retention.ms = 60000
//!                            STATIC_BROKER_CONFIG    log.retention.ms = 3600000
//!                            DEFAULT_CONFIG          log.retention.hours = 168
//! ```

use super::broker::{BrokerConfig, Layers};
use super::option::{Effect, Importance, Opt, Scope};
use super::source::listener_option;
use super::topic::{self, Overrides};
use super::{table, value};

/// Where a value comes from: Kafka's `ConfigSource`, with its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Source {
    Topic = 1,
    DynamicBroker = 2,
    DynamicDefaultBroker = 3,
    StaticBroker = 4,
    Default = 5,
    ClientMetrics = 7,
    Group = 8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    /// `None`: null, or not to be told.
    pub value: Option<String>,
    pub read_only: bool,
    pub source: Source,
    pub sensitive: bool,
    pub synonyms: Vec<Synonym>,
    /// [`super::Kind`]'s number; 0 where the option is unknown.
    pub kind: i8,
    pub documentation: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synonym {
    pub name: String,
    pub value: Option<String>,
    pub source: Source,
}

impl Source {
    pub fn number(self) -> i8 {
        self as i8
    }
}

impl Entry {
    /// Version 0 of DescribeConfigs knows only this.
    pub fn is_default(&self) -> bool {
        self.source == Source::Default
    }
}

/// Names that are asked for; none at all asks for every one.
pub type Keys<'a> = Option<&'a [String]>;

fn asked(keys: Keys<'_>, name: &str) -> bool {
    keys.is_none_or(|keys| keys.is_empty() || keys.iter().any(|key| key == name))
}

/// A topic that sets `overrides` itself.
pub fn topic(overrides: &Overrides, broker: &BrokerConfig, keys: Keys<'_>) -> Vec<Entry> {
    let described = |option: &&Opt| option.importance != Importance::Internal || overrides.contains_key(option.name);
    table::topic_options()
        .filter(|option| asked(keys, option.name))
        .filter(described)
        .map(|option| {
            let value = topic::effective(option.name, overrides, broker).map(|value| value.to_string());
            let of_broker = table::broker_option_of(option);
            let synonyms = of_broker.map(|of_broker| synonyms(of_broker.name, &broker.layers)).unwrap_or_default();
            own_entry(option, value, overrides, Source::Topic, synonyms)
        })
        .collect()
}

/// This broker, with everything that it would have after a restart and everything that was altered since.
pub fn broker(config: &BrokerConfig, keys: Keys<'_>) -> Vec<Entry> {
    let layers = &config.layers;
    let set = |name: &str| layers.own.contains_key(name) || layers.cluster.contains_key(name) || layers.fixed.contains_key(name);
    let mut entries: Vec<Entry> = table::broker_options()
        .filter(|option| asked(keys, option.name))
        .filter(|option| set(option.name) || option.importance != Importance::Internal && !only_dynamic(option.name))
        .map(|option| broker_entry(option, config, |_| true))
        .collect();
    // What nobody knows is told by name only: it may be a secret of something else.
    let others = layers.own.keys().chain(layers.cluster.keys()).chain(layers.fixed.keys());
    for name in others.filter(|name| table::broker(name).is_none() && asked(keys, name)) {
        if !entries.iter().any(|entry| entry.name == *name) {
            entries.push(other_entry(name, layers, |_| true));
        }
    }
    entries
}

/// What was altered for all brokers, and nothing else.
pub fn all_brokers(config: &BrokerConfig, keys: Keys<'_>) -> Vec<Entry> {
    let only = |source: Source| source == Source::DynamicDefaultBroker;
    let asked = config.layers.cluster.keys().filter(|name| asked(keys, name));
    asked
        .map(|name| match table::broker(name) {
            Some(option) => {
                Entry { value: config.layers.cluster.get(name).and_then(|text| shown(option, text)), ..broker_entry(option, config, only) }
            }
            None => other_entry(name, &config.layers, only),
        })
        .collect()
}

/// A group that sets `overrides` itself.
pub fn group(overrides: &Overrides, config: &BrokerConfig, keys: Keys<'_>) -> Vec<Entry> {
    table::GROUP
        .iter()
        .filter(|option| asked(keys, option.name))
        .map(|option| {
            let of_broker = match option.scope {
                Scope::Group("") => None,
                Scope::Group(name) => table::broker(name),
                _ => unreachable!("{} is not an option of a group", option.name),
            };
            let synonyms = match (of_broker, option.default) {
                (Some(of_broker), _) => synonyms(of_broker.name, &config.layers),
                (None, Some(default)) => {
                    vec![Synonym { name: option.name.to_string(), value: shown(option, default), source: Source::Default }]
                }
                (None, None) => Vec::new(),
            };
            let own = overrides.get(option.name).and_then(|text| shown(option, text));
            let value = own.or_else(|| synonyms.first().and_then(|synonym| synonym.value.clone()));
            own_entry(option, value, overrides, Source::Group, synonyms)
        })
        .collect()
}

/// A client metrics subscription that sets `overrides` itself.
pub fn client_metrics(overrides: &Overrides, keys: Keys<'_>) -> Vec<Entry> {
    table::CLIENT_METRICS
        .iter()
        .filter(|option| asked(keys, option.name))
        .map(|option| {
            let text = overrides.get(option.name).map(String::as_str).or(option.default);
            own_entry(option, text.and_then(|text| shown(option, text)), overrides, Source::ClientMetrics, Vec::new())
        })
        .collect()
}

/// An option of a resource that may set it itself, and what else could give the value.
fn own_entry(option: &Opt, value: Option<String>, overrides: &Overrides, own: Source, mut synonyms: Vec<Synonym>) -> Entry {
    if overrides.contains_key(option.name) {
        synonyms.insert(0, Synonym { name: option.name.to_string(), value: value.clone(), source: own });
    }
    Entry {
        name: option.name.to_string(),
        value,
        read_only: false,
        source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
        sensitive: option.sensitive(),
        synonyms,
        kind: option.kind.number(),
        documentation: documentation(option),
    }
}

fn broker_entry(option: &Opt, config: &BrokerConfig, only: impl Fn(Source) -> bool) -> Entry {
    let mut synonyms = synonyms(option.name, &config.layers);
    synonyms.retain(|synonym| only(synonym.source));
    let value = match option.name {
        // Kafka fills in the older name.
        "broker.id" => Some(config.node_id.to_string()),
        _ => config.layers.text(option).and_then(|text| shown(option, text)),
    };
    Entry {
        name: option.name.to_string(),
        value,
        read_only: !option.dynamic(),
        source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
        sensitive: option.sensitive(),
        synonyms,
        kind: option.kind.number(),
        documentation: documentation(option),
    }
}

/// A name that is not in the table: for one listener, or unknown.
fn other_entry(name: &str, layers: &Layers, only: impl Fn(Source) -> bool) -> Entry {
    let option = listener_option(name).and_then(table::broker);
    let told = |text: &String| option.and_then(|option| shown(option, text));
    let mut synonyms: Vec<Synonym> = layered(layers)
        .filter_map(|(map, source)| map.get(name).map(|text| Synonym { name: name.to_string(), value: told(text), source }))
        .collect();
    synonyms.retain(|synonym| only(synonym.source));
    Entry {
        name: name.to_string(),
        value: synonyms.first().and_then(|synonym| synonym.value.clone()),
        read_only: true,
        source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
        sensitive: option.is_none_or(Opt::sensitive),
        synonyms,
        kind: option.map_or(0, |option| option.kind.number()),
        documentation: option.map(documentation).unwrap_or_default(),
    }
}

fn layered(layers: &Layers) -> impl Iterator<Item = (&Overrides, Source)> {
    [(&layers.own, Source::DynamicBroker), (&layers.cluster, Source::DynamicDefaultBroker), (&layers.fixed, Source::StaticBroker)]
        .into_iter()
}

/// Every place that gives the broker's option a value, the deciding one first. Names of the family that come before
/// `name` itself are left out: `log.retention.ms` says nothing about `log.retention.hours`.
fn synonyms(name: &str, layers: &Layers) -> Vec<Synonym> {
    let family = table::broker_synonyms(name);
    let mut found = Vec::new();
    for (map, source) in layered(layers) {
        for member in &family {
            let option = table::broker(member).expect("families are made of names of the table");
            let counts = source == Source::StaticBroker || option.dynamic();
            if let Some(text) = map.get(*member).filter(|_| counts) {
                found.push(Synonym { name: member.to_string(), value: shown(option, text), source });
            }
        }
    }
    for member in &family {
        let option = table::broker(member).expect("families are made of names of the table");
        if let Some(default) = option.default {
            found.push(Synonym { name: member.to_string(), value: shown(option, default), source: Source::Default });
        }
    }
    found.into_iter().skip_while(|synonym| synonym.name != name).collect()
}

/// A value in the form that the option's kind has, unless it is a secret.
fn shown(option: &Opt, text: &str) -> Option<String> {
    match value::parse(option, text) {
        _ if option.sensitive() => None,
        Ok(value) => Some(value.to_string()),
        Err(_) => Some(text.to_string()),
    }
}

/// Kafka knows these only where they were altered.
fn only_dynamic(name: &str) -> bool {
    matches!(
        name,
        "leader.replication.throttled.rate" | "follower.replication.throttled.rate" | "replica.alter.log.dirs.io.max.bytes.per.second"
    )
}

fn documentation(option: &Opt) -> String {
    let unit = match option.unit.word() {
        "" => String::new(),
        unit => format!(" In {unit}."),
    };
    let effect = match option.effect {
        Effect::Full => "",
        Effect::None => " No effect in Millrace yet.",
    };
    format!("{}{unit}{effect}", option.doc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    /// `value source read-only? | synonyms`
    fn line(entries: &[Entry], name: &str) -> String {
        let Some(entry) = entries.iter().find(|entry| entry.name == name) else { return "absent".to_string() };
        let told = |value: &Option<String>| value.clone().unwrap_or("null".to_string());
        let synonyms: Vec<String> = entry.synonyms.iter().map(|s| format!("{}={}@{:?}", s.name, told(&s.value), s.source)).collect();
        let access = if entry.read_only { "ro" } else { "rw" };
        format!("{} {:?} {access} {} | {}", told(&entry.value), entry.source, entry.kind, synonyms.join(" ")).trim_end().to_string()
    }

    /// The expectations are what a Kafka 4.3.1 broker answered after the same alterations.
    #[test]
    fn entries_tell_value_source_and_synonyms_as_kafka_does() {
        let plain = BrokerConfig::new(BTreeMap::new()).unwrap();
        let none = Overrides::new();
        for (name, expected) in [
            ("cleanup.policy", "delete Default rw 7 | log.cleanup.policy=delete@Default"),
            ("retention.ms", "604800000 Default rw 5 |"),
            ("flush.ms", "9223372036854775807 Default rw 5 |"),
            ("min.cleanable.dirty.ratio", "0.5 Default rw 6 | log.cleaner.min.cleanable.ratio=0.5@Default"),
            ("remote.storage.enable", "false Default rw 1 |"),
            ("internal.segment.bytes", "absent"),
        ] {
            assert_eq!(line(&topic(&none, &plain, None), name), expected, "{name}");
        }
        for (name, expected) in [
            ("log.retention.ms", "null Default rw 5 |"),
            ("log.retention.hours", "168 Default ro 3 | log.retention.hours=168@Default"),
            ("num.partitions", "1 Default ro 3 | num.partitions=1@Default"),
            ("ssl.key.password", "null Default rw 9 |"),
            (
                "log.cleaner.io.max.bytes.per.second",
                "1.7976931348623157E308 Default rw 6 | log.cleaner.io.max.bytes.per.second=1.7976931348623157E308@Default",
            ),
            ("offsets.topic.num.partitions", "50 Default ro 3 | offsets.topic.num.partitions=50@Default"),
            ("leader.replication.throttled.rate", "absent"),
            ("unstable.api.versions.enable", "absent"),
        ] {
            assert_eq!(line(&broker(&plain, None), name), expected, "{name}");
        }
        assert_eq!(all_brokers(&plain, None), []);

        let fixed = BrokerConfig::new(map(&[("group.initial.rebalance.delay.ms", "0"), ("some.plugin.secret", "x")])).unwrap();
        let cluster = map(&[("log.retention.ms", "1000"), ("log.flush.interval.messages", "10000"), ("nope", "4")]);
        let own = map(&[("log.retention.ms", "2000"), ("log.cleaner.threads", "2"), ("leader.replication.throttled.rate", "5")]);
        let (altered, warnings) = fixed.with_dynamic(&cluster, &own);
        assert_eq!(warnings, Vec::<String>::new());
        for (name, expected) in [
            (
                "log.retention.ms",
                "2000 DynamicBroker rw 5 | log.retention.ms=2000@DynamicBroker log.retention.ms=1000@DynamicDefaultBroker log.retention.hours=168@Default",
            ),
            ("log.retention.hours", "168 Default ro 3 | log.retention.hours=168@Default"),
            (
                "group.initial.rebalance.delay.ms",
                "0 StaticBroker ro 3 | group.initial.rebalance.delay.ms=0@StaticBroker group.initial.rebalance.delay.ms=3000@Default",
            ),
            ("log.cleaner.threads", "2 DynamicBroker rw 3 | log.cleaner.threads=2@DynamicBroker log.cleaner.threads=1@Default"),
            ("nope", "null DynamicDefaultBroker ro 0 | nope=null@DynamicDefaultBroker"),
            ("some.plugin.secret", "null StaticBroker ro 0 | some.plugin.secret=null@StaticBroker"),
        ] {
            assert_eq!(line(&broker(&altered, None), name), expected, "{name}");
        }
        assert_eq!(all_brokers(&altered, None).len(), 3);
        assert_eq!(
            line(&all_brokers(&altered, None), "log.retention.ms"),
            "1000 DynamicDefaultBroker rw 5 | log.retention.ms=1000@DynamicDefaultBroker"
        );
        let own_policy = map(&[("cleanup.policy", "delete, compact")]);
        assert_eq!(
            line(&topic(&own_policy, &altered, None), "cleanup.policy"),
            "delete,compact Topic rw 7 | cleanup.policy=delete,compact@Topic log.cleanup.policy=delete@Default"
        );
        assert_eq!(
            line(&topic(&none, &altered, None), "retention.ms"),
            "2000 DynamicBroker rw 5 | log.retention.ms=2000@DynamicBroker log.retention.ms=1000@DynamicDefaultBroker log.retention.hours=168@Default"
        );
    }

    #[test]
    fn groups_and_subscriptions_are_described_with_their_own_settings() {
        let config = BrokerConfig::new(BTreeMap::new()).unwrap();
        let own = map(&[("consumer.session.timeout.ms", "46000")]);
        let entries = group(&own, &config, None);
        assert_eq!(entries.len(), 17);
        assert_eq!(
            line(&entries, "consumer.session.timeout.ms"),
            "46000 Group rw 3 | consumer.session.timeout.ms=46000@Group group.consumer.session.timeout.ms=45000@Default"
        );
        assert_eq!(line(&entries, "share.auto.offset.reset"), "latest Default rw 2 | share.auto.offset.reset=latest@Default");
        let entries = client_metrics(&map(&[("interval.ms", "1000")]), None);
        assert_eq!(line(&entries, "interval.ms"), "1000 ClientMetrics rw 3 | interval.ms=1000@ClientMetrics");
        assert_eq!(line(&entries, "match"), " Default rw 7 |");
    }

    #[test]
    fn an_option_without_effect_says_so() {
        let config = BrokerConfig::new(BTreeMap::new()).unwrap();
        let documentation = |name: &str| broker(&config, Some(&[name.to_string()]))[0].documentation.clone();
        assert!(documentation("num.io.threads").ends_with(" No effect in Millrace yet."));
        assert!(documentation("log.retention.check.interval.ms").ends_with(" In milliseconds."));
    }

    #[test]
    fn only_the_names_that_are_asked_for_are_told() {
        let config = BrokerConfig::new(BTreeMap::new()).unwrap();
        let keys = ["retention.ms".to_string(), "nope".to_string()];
        assert_eq!(topic(&Overrides::new(), &config, Some(&keys)).len(), 1);
        assert_eq!(broker(&config, Some(&["log.dirs".to_string()])).len(), 1);
        assert!(broker(&config, Some(&[])).len() > 300);
    }
}

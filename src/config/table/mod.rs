//! The one table of options. Everything that knows an option's name, type, default or meaning reads it from here.
//!
//! Names and defaults are those of Kafka 4.3 (`AbstractKafkaConfig`, `LogConfig`, `GroupConfig`, `ClientMetricsConfigs`);
//! where a default differs because a broker must start with no configuration at all, the doc names Kafka's. A row reads:
//!
//! ```text
//! "name" kind default unit valid importance scope effect;      `-` as default is null
//! ```

mod cluster;
mod groups;
mod log;
mod millrace;
mod network;
mod node;
mod remote;
mod resource;
mod security;
mod topic;

use super::option::{Opt, Scope};

macro_rules! options {
    (
        $table:ident
        $($(#[doc = $doc:literal])+
        $name:literal $kind:ident $default:tt $unit:ident $valid:ident$(($($bound:expr),*))? $importance:ident
            $scope:ident$(($of:literal))? $effect:ident;)*
    ) => {
        pub const $table: &[$crate::config::option::Opt] = &[$($crate::config::option::Opt {
            name: $name,
            kind: $crate::config::option::Kind::$kind,
            default: $crate::config::table::default!($default),
            unit: $crate::config::option::Unit::$unit,
            valid: $crate::config::option::Valid::$valid$(($($bound),*))?,
            importance: $crate::config::option::Importance::$importance,
            scope: $crate::config::option::Scope::$scope$(($of))?,
            effect: $crate::config::option::Effect::$effect,
            doc: concat!($($doc),+).trim_ascii_start(),
        }),*];
    };
}

macro_rules! default {
    (-) => {
        None
    };
    ($text:literal) => {
        Some($text)
    };
}

use default;
use options;

/// The broker's options, area by area, with the area's title.
pub const BROKER: &[(&str, &[Opt])] = &[
    ("Broker", node::NODE),
    ("Millrace", millrace::MILLRACE),
    ("Network", network::NETWORK),
    ("Log", log::LOG),
    ("Cluster", cluster::CLUSTER),
    ("Groups and transactions", groups::GROUPS),
    ("Security", security::SECURITY),
    ("Remote tier", remote::REMOTE),
];

/// The options of a topic.
pub const TOPIC: &[&[Opt]] = &[topic::TOPIC, millrace::MILLRACE_TOPIC];

/// The options of a group.
pub const GROUP: &[Opt] = resource::GROUP;

/// The options of a client metrics subscription.
pub const CLIENT_METRICS: &[Opt] = resource::CLIENT_METRICS;

pub fn broker_options() -> impl Iterator<Item = &'static Opt> {
    BROKER.iter().flat_map(|(_, options)| options.iter())
}

pub fn topic_options() -> impl Iterator<Item = &'static Opt> {
    TOPIC.iter().flat_map(|options| options.iter())
}

/// The broker's option of that name.
pub fn broker(name: &str) -> Option<&'static Opt> {
    broker_options().find(|option| option.name == name)
}

/// The topic's option of that name.
pub fn topic(name: &str) -> Option<&'static Opt> {
    topic_options().find(|option| option.name == name)
}

pub fn group(name: &str) -> Option<&'static Opt> {
    GROUP.iter().find(|option| option.name == name)
}

pub fn client_metrics(name: &str) -> Option<&'static Opt> {
    CLIENT_METRICS.iter().find(|option| option.name == name)
}

/// The broker's option that gives a topic's option its default.
pub fn broker_option_of(topic_option: &Opt) -> Option<&'static Opt> {
    match topic_option.scope {
        Scope::Topic("") => None,
        Scope::Topic(name) => broker(name),
        _ => unreachable!("{} is not an option of a topic", topic_option.name),
    }
}

/// Names that mean the same, the one that decides first: `log.retention.ms` before `.minutes` before `.hours`
/// (`DynamicBrokerConfig.brokerConfigSynonyms`).
pub fn broker_synonyms(name: &str) -> Vec<&str> {
    const FAMILIES: &[&[&str]] = &[
        &["log.roll.ms", "log.roll.hours"],
        &["log.roll.jitter.ms", "log.roll.jitter.hours"],
        &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
    ];
    match FAMILIES.iter().find(|family| family.contains(&name)) {
        // The scheduler's own interval is an option of its own.
        Some(family) if name != "log.flush.scheduler.interval.ms" => family.to_vec(),
        _ => vec![name],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::value;
    use std::collections::BTreeSet;

    fn all() -> impl Iterator<Item = &'static Opt> {
        broker_options().chain(topic_options()).chain(GROUP).chain(CLIENT_METRICS)
    }

    #[test]
    fn every_default_is_a_value_that_its_option_allows() {
        for option in all() {
            if let Some(default) = option.default {
                let value = value::parse(option, default).unwrap_or_else(|why| panic!("{}: {why}", option.name));
                assert_eq!(value.to_string(), value::parse(option, &value.to_string()).unwrap().to_string());
            }
        }
    }

    #[test]
    fn no_name_stands_twice_in_a_scope() {
        for names in [
            broker_options().map(|o| o.name).collect::<Vec<_>>(),
            topic_options().map(|o| o.name).collect(),
            GROUP.iter().map(|o| o.name).collect(),
        ] {
            let distinct: BTreeSet<&str> = names.iter().copied().collect();
            assert_eq!(distinct.len(), names.len());
        }
    }

    #[test]
    fn a_topics_default_is_its_brokers_default() {
        for option in topic_options() {
            let Some(of_broker) = broker_option_of(option) else {
                assert!(
                    option.scope == Scope::Topic("")
                        && (option.name.contains("remote") || option.name.contains("throttled") || option.name.starts_with("internal.")),
                    "{} has no option of the broker",
                    option.name
                );
                continue;
            };
            assert_eq!(of_broker.kind, option.kind, "{}", option.name);
            if let Some(default) = of_broker.default {
                assert_eq!(Some(default), option.default, "{}", option.name);
            }
        }
    }

    #[test]
    fn every_option_says_what_it_does_in_a_whole_sentence() {
        for option in all() {
            assert!(option.doc.len() > 15 && !option.doc.starts_with(char::is_whitespace), "{}", option.name);
            assert!(option.doc.ends_with('.'), "{}", option.name);
            assert!(!option.doc.contains("  "), "{}", option.name);
        }
    }

    /// Options whose default is not Kafka's: a broker starts with no configuration at all, and alone. Their docs say so.
    const OURS: &[&str] = &[
        "broker\tcontroller.listener.names",
        "broker\tlisteners",
        "broker\tlog.dir",
        "broker\tlog.dirs",
        "broker\tnode.id",
        "broker\toffsets.topic.replication.factor",
        "broker\tprocess.roles",
        "broker\tshare.coordinator.state.topic.min.isr",
        "broker\tshare.coordinator.state.topic.replication.factor",
        "broker\ttransaction.state.log.min.isr",
        "broker\ttransaction.state.log.replication.factor",
    ];
    /// Kafka alters these without having them in its table.
    const ONLY_DYNAMIC: &[&str] =
        &["follower.replication.throttled.rate", "leader.replication.throttled.rate", "replica.alter.log.dirs.io.max.bytes.per.second"];

    /// `tests/golden/options/options` was written by Kafka 4.3.1 itself.
    #[test]
    fn the_table_is_kafkas() {
        let line = |of: &str, option: &Opt| {
            let note = match option.scope {
                Scope::PerBroker => "per-broker",
                Scope::ClusterWide => "cluster-wide",
                Scope::Topic(name) if !name.is_empty() => name,
                _ => "-",
            };
            let importance = format!("{:?}", option.importance).to_uppercase();
            let default = option.default.map_or("-".to_string(), |text| value::parse(option, text).unwrap().to_string());
            format!("{of}\t{}\t{}\t{importance}\t{note}\t{default}", option.name, option.kind.word())
        };
        let kafkas = |option: &&Opt| !option.name.starts_with("millrace.") && !ONLY_DYNAMIC.contains(&option.name);
        let ours: BTreeSet<String> = broker_options()
            .filter(kafkas)
            .map(|option| line("broker", option))
            .chain(topic_options().filter(kafkas).map(|option| line("topic", option)))
            .chain(GROUP.iter().map(|option| line("group", option)))
            .chain(CLIENT_METRICS.iter().map(|option| line("metrics", option)))
            .collect();
        let golden: BTreeSet<String> = include_str!("../../../tests/golden/options/options").lines().map(str::to_string).collect();
        let differs = |line: &&String| !OURS.iter().any(|name| line.starts_with(&format!("{name}\t")));
        assert_eq!(golden.difference(&ours).filter(differs).collect::<Vec<_>>(), Vec::<&String>::new(), "not as in Kafka");
        assert_eq!(ours.difference(&golden).filter(differs).collect::<Vec<_>>(), Vec::<&String>::new(), "not in Kafka");
    }
}

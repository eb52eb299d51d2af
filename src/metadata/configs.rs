//! Configuration of topics, brokers, groups and subscriptions: told, listed and altered.
//!
//! As Kafka's `ConfigHelper`, `ConfigAdminManager` and `ConfigurationControlManager` do it, in their words.

use super::controller::{Context, Decision};
use super::image::Image;
use super::records::{ConfigSet, Record, ResourceType};
use super::topic_name;
use crate::config::{self, Alteration, BrokerConfig, Entry, Keys, Overrides, alter, describe, table};
use crate::error::{ErrorCode, Refusal};
use crate::types::BrokerId;
use std::collections::{BTreeMap, BTreeSet};

/// One resource of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// As on the wire.
    pub resource_type: i8,
    pub resource_name: String,
    pub how: How,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// AlterConfigs: this and nothing else.
    Replace(Vec<(String, Option<String>)>),
    /// IncrementalAlterConfigs.
    Increment(Vec<Alteration>),
}

/// DescribeConfigs of one resource. `config` is the broker's as it is now, altered options included.
pub fn describe_configs(
    image: &Image,
    config: &BrokerConfig,
    resource_type: i8,
    name: &str,
    keys: Keys<'_>,
) -> Result<Vec<Entry>, Refusal> {
    let nothing = Overrides::new();
    let own = |resource| image.overrides(resource, name).unwrap_or(&nothing);
    match ResourceType::of_number(resource_type) {
        Some(ResourceType::Topic) => {
            topic_name::validate(name).map_err(|why| Refusal::new(ErrorCode::InvalidTopicException, why))?;
            image.topic_by_name(name).ok_or(ErrorCode::UnknownTopicOrPartition)?;
            Ok(describe::topic(own(ResourceType::Topic), config, keys))
        }
        Some(ResourceType::Broker) if name.is_empty() => Ok(describe::all_brokers(config, keys)),
        Some(ResourceType::Broker) => {
            let id = broker_number(name)?;
            if id != config.node_id {
                let why = format!("Unexpected broker id, expected {} or empty string, but received {name}", config.node_id);
                return Err(Refusal::new(ErrorCode::InvalidRequest, why));
            }
            Ok(describe::broker(config, keys))
        }
        // Java's loggers. There are none.
        Some(ResourceType::BrokerLogger) => {
            if name.is_empty() {
                return Err(Refusal::new(ErrorCode::InvalidRequest, "Broker id must not be empty"));
            }
            broker_number(name).map(|_| Vec::new())
        }
        Some(ResourceType::ClientMetrics) if name.is_empty() => {
            Err(Refusal::new(ErrorCode::InvalidRequest, "Client metrics subscription name must not be empty"))
        }
        Some(ResourceType::ClientMetrics) => Ok(describe::client_metrics(own(ResourceType::ClientMetrics), keys)),
        Some(ResourceType::Group) if name.is_empty() => Err(Refusal::new(ErrorCode::InvalidRequest, "Group name must not be empty")),
        Some(ResourceType::Group) => Ok(describe::group(own(ResourceType::Group), config, keys)),
        None => Err(Refusal::new(ErrorCode::InvalidRequest, format!("Unsupported resource type: {resource_type}"))),
    }
}

/// ListConfigResources: names of the resources of a type that have a configuration to describe.
pub fn list_config_resources(image: &Image, resource: ResourceType) -> Vec<String> {
    match resource {
        ResourceType::Topic => image.topics().map(|topic| topic.name.to_string()).collect(),
        ResourceType::Broker | ResourceType::BrokerLogger => image.brokers().map(|broker| broker.id.to_string()).collect(),
        ResourceType::ClientMetrics | ResourceType::Group => image.configured(resource).map(|(name, _)| name.to_string()).collect(),
    }
}

/// AlterConfigs and IncrementalAlterConfigs.
pub fn alter_configs(cx: &Context<'_>, changes: &[Change], validate_only: bool) -> Decision<Result<(), Refusal>> {
    let mut counts: BTreeMap<(i8, &str), u32> = BTreeMap::new();
    for change in changes {
        *counts.entry((change.resource_type, change.resource_name.as_str())).or_insert(0) += 1;
    }
    let mut records = Vec::new();
    let mut answers = Vec::with_capacity(changes.len());
    for change in changes {
        let made = match counts[&(change.resource_type, change.resource_name.as_str())] {
            1 => alter_resource(cx, change),
            _ => Err(Refusal::new(ErrorCode::InvalidRequest, "Each resource must appear at most once.")),
        };
        answers.push(made.map(|made| records.extend(made)));
    }
    if validate_only {
        records.clear();
    }
    Decision { records, answers }
}

fn alter_resource(cx: &Context<'_>, change: &Change) -> Result<Vec<Record>, Refusal> {
    let resource = resource(cx, change)?;
    let nothing = Overrides::new();
    let existing = cx.image.overrides(resource, &change.resource_name).unwrap_or(&nothing);
    let option = match resource {
        ResourceType::Topic => table::topic,
        ResourceType::Broker | ResourceType::BrokerLogger => table::broker,
        ResourceType::ClientMetrics => table::client_metrics,
        ResourceType::Group => table::group,
    };
    let set = match &change.how {
        How::Replace(entries) => alter::replace(entries)?,
        How::Increment(alterations) => alter::increment(option, existing, alterations)?,
    };
    match resource {
        ResourceType::Topic => alter::check_topic(&set, cx.config)?,
        ResourceType::Broker => {
            let named = named(change, existing, &set);
            let own = !change.resource_name.is_empty();
            config::alter::check_broker(cx.config, own, &set, &named)?;
        }
        ResourceType::ClientMetrics => alter::check_client_metrics(&set)?,
        ResourceType::Group => alter::check_group(&set, cx.config)?,
        ResourceType::BrokerLogger => unreachable!("refused above"),
    }
    Ok(difference(resource, &change.resource_name, existing, &set))
}

/// Which resource is meant, if it is one that can be altered here.
fn resource(cx: &Context<'_>, change: &Change) -> Result<ResourceType, Refusal> {
    let invalid = |why: String| Err(Refusal::new(ErrorCode::InvalidRequest, why));
    let name = change.resource_name.as_str();
    match ResourceType::of_number(change.resource_type) {
        Some(ResourceType::Topic) if name.is_empty() => invalid("Default topic resources are not allowed.".to_string()),
        Some(ResourceType::Topic) => {
            topic_name::validate(name).map_err(|why| Refusal::new(ErrorCode::InvalidTopicException, why))?;
            match cx.image.topic_by_name(name) {
                Some(_) => Ok(ResourceType::Topic),
                None => Err(Refusal::new(ErrorCode::UnknownTopicOrPartition, format!("The topic '{name}' does not exist."))),
            }
        }
        Some(ResourceType::Broker) if name.is_empty() => Ok(ResourceType::Broker),
        Some(ResourceType::Broker) => {
            let id = broker_number(name)?;
            if id != cx.config.node_id {
                return invalid(format!("Unexpected broker id, expected {}, but received {name}", cx.config.node_id));
            }
            Ok(ResourceType::Broker)
        }
        Some(ResourceType::BrokerLogger) => invalid("There are no loggers to alter; set MILLRACE_LOG at the start instead.".to_string()),
        Some(ResourceType::ClientMetrics) if name.is_empty() => invalid("Subscription name can't be empty".to_string()),
        Some(ResourceType::Group) if name.is_empty() => invalid("Default group resources are not allowed.".to_string()),
        Some(resource @ (ResourceType::ClientMetrics | ResourceType::Group)) => Ok(resource),
        None => invalid(format!("Unknown resource type {}", change.resource_type)),
    }
}

fn broker_number(name: &str) -> Result<BrokerId, Refusal> {
    let wrong = |_| Refusal::new(ErrorCode::InvalidRequest, format!("Broker id must be an integer, but it is: {name}"));
    name.parse().map(BrokerId).map_err(wrong)
}

/// Names that a change is about: those it sets or removes, whether that makes a difference or not.
fn named<'a>(change: &'a Change, existing: &'a Overrides, set: &'a Overrides) -> Vec<&'a str> {
    let mut names: BTreeSet<&str> = match &change.how {
        How::Replace(entries) => entries.iter().map(|(name, _)| name.as_str()).collect(),
        How::Increment(alterations) => alterations.iter().map(|alteration| alteration.name.as_str()).collect(),
    };
    names.extend(existing.keys().filter(|name| !set.contains_key(*name)).map(String::as_str));
    names.into_iter().collect()
}

fn difference(resource: ResourceType, name: &str, existing: &Overrides, set: &Overrides) -> Vec<Record> {
    let record = |option: &str, value: Option<&String>| {
        Record::from(ConfigSet {
            resource_type: resource.number(),
            resource_name: name.to_string(),
            name: option.to_string(),
            value: value.cloned(),
        })
    };
    let removed = existing.keys().filter(|option| !set.contains_key(*option)).map(|option| record(option, None));
    let changed =
        set.iter().filter(|(option, value)| existing.get(*option) != Some(value)).map(|(option, value)| record(option, Some(value)));
    removed.chain(changed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Operation, Source};
    use crate::metadata::tests::World;

    const TOPIC: i8 = 2;
    const BROKER: i8 = 4;
    const METRICS: i8 = 16;
    const GROUP: i8 = 32;

    fn change(resource_type: i8, name: &str, line: &str) -> Change {
        let mut words = line.splitn(3, ' ');
        let operation = match words.next().unwrap() {
            "set" => Operation::Set,
            "delete" => Operation::Delete,
            "append" => Operation::Append,
            "subtract" => Operation::Subtract,
            other => panic!("{other}?"),
        };
        let alteration = Alteration { name: words.next().unwrap().to_string(), operation, value: words.next().map(str::to_string) };
        Change { resource_type, resource_name: name.to_string(), how: How::Increment(vec![alteration]) }
    }

    /// Applies the change, unless it is refused: `ok`, or `CODE sentence`.
    fn alter(world: &mut World, change: Change) -> String {
        let decision = world.decide(|cx| alter_configs(cx, &[change], false));
        world.apply(&decision.records);
        decision.answers[0].as_ref().map_or_else(|refusal| format!("{} {}", refusal.code, refusal.message), |()| "ok".to_string())
    }

    /// Each sentence is what a Kafka 4.3.1 broker answered.
    #[test]
    fn alterations_are_refused_in_kafkas_words() {
        let mut world = World::new(1);
        world.create("t", 1);
        for (resource_type, name, line, expected) in [
            (
                TOPIC,
                "t",
                "set retention.ms abc",
                "INVALID_CONFIG Invalid value abc for configuration retention.ms: Not a number of type LONG",
            ),
            (TOPIC, "t", "set nope 1", "INVALID_CONFIG Unknown topic config name: nope"),
            (TOPIC, "t", "delete nope", "ok"),
            (TOPIC, "t", "append retention.ms 5", "INVALID_CONFIG Can't APPEND to key retention.ms because its type is not LIST."),
            (TOPIC, "t", "subtract nope 5", "INVALID_CONFIG Can't SUBTRACT to key nope because its type is not LIST."),
            (TOPIC, "t", "set retention.ms", "INVALID_REQUEST Null value not supported for : retention.ms"),
            (
                TOPIC,
                "t",
                "append cleanup.policy foo",
                "INVALID_CONFIG Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete",
            ),
            (TOPIC, "nosuch", "set retention.ms 5", "UNKNOWN_TOPIC_OR_PARTITION The topic 'nosuch' does not exist."),
            (TOPIC, "", "set retention.ms 5", "INVALID_REQUEST Default topic resources are not allowed."),
            (
                TOPIC,
                "a b",
                "set retention.ms 5",
                "INVALID_TOPIC_EXCEPTION Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
            ),
            (BROKER, "0", "set log.retention.hours 5", "INVALID_REQUEST Cannot update these configs dynamically: [log.retention.hours]"),
            (BROKER, "", "set node.id 5", "INVALID_REQUEST Cannot update these configs dynamically: [node.id]"),
            (BROKER, "", "set nope 4", "ok"),
            (
                BROKER,
                "0",
                "set message.max.bytes -1",
                "INVALID_REQUEST Invalid value -1 for configuration message.max.bytes: Value must be at least 0",
            ),
            (
                BROKER,
                "",
                "set message.max.bytes x",
                "INVALID_REQUEST Invalid value x for configuration message.max.bytes: Not a number of type INT",
            ),
            (
                BROKER,
                "",
                "set listeners PLAINTEXT://127.0.0.1:1",
                "INVALID_REQUEST Cannot update these configs at default cluster level, broker id must be specified: [listeners]",
            ),
            (
                BROKER,
                "0",
                "set ssl.keystore.location /x",
                "INVALID_REQUEST These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.location]",
            ),
            (
                BROKER,
                "0",
                "set log.retention.ms 0",
                "INVALID_REQUEST log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
            ),
            (
                BROKER,
                "0",
                "set leader.replication.throttled.rate -1",
                "INVALID_REQUEST Invalid value -1 for configuration leader.replication.throttled.rate: Value must be at least 0",
            ),
            (BROKER, "0", "set listener.name.plaintext.max.connections 10", "ok"),
            (BROKER, "x", "set log.retention.ms 5", "INVALID_REQUEST Broker id must be an integer, but it is: x"),
            (BROKER, "7", "set log.retention.ms 5", "INVALID_REQUEST Unexpected broker id, expected 0, but received 7"),
            (
                GROUP,
                "g",
                "set consumer.session.timeout.ms 1",
                "INVALID_CONFIG consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
            ),
            (GROUP, "g", "set nope 1", "INVALID_CONFIG Unknown group config name: nope"),
            (GROUP, "", "set nope 1", "INVALID_REQUEST Default group resources are not allowed."),
            (METRICS, "m", "set nope 1000", "INVALID_REQUEST Unknown client metrics configuration: nope"),
            (0, "m", "set nope 1000", "INVALID_REQUEST Unknown resource type 0"),
        ] {
            assert_eq!(alter(&mut world, change(resource_type, name, line)), expected, "{line}");
        }
        // Kafka names the option where this says what to do.
        let told = alter(&mut world, change(BROKER, "0", "set listeners PLAINTEXT://127.0.0.1:1"));
        assert_eq!(told, "INVALID_REQUEST These configs take effect at the next start only; set them in the broker's file: [listeners]");
    }

    #[test]
    fn lists_grow_and_shrink_by_their_items() {
        let mut world = World::new(1);
        world.create("t", 1);
        for (line, policy) in [
            ("append cleanup.policy compact", Some("delete,compact")),
            ("append cleanup.policy compact", Some("delete,compact")),
            ("subtract cleanup.policy delete", Some("compact")),
            ("subtract cleanup.policy compact", Some("")),
            ("append cleanup.policy compact,delete", Some("compact,delete")),
            ("set cleanup.policy delete", Some("delete")),
            ("delete cleanup.policy", None),
        ] {
            assert_eq!(alter(&mut world, change(TOPIC, "t", line)), "ok");
            let set = world.image.overrides(ResourceType::Topic, "t").and_then(|set| set.get("cleanup.policy")).map(String::as_str);
            assert_eq!(set, policy, "{line}");
        }
    }

    #[test]
    fn what_makes_no_difference_writes_nothing() {
        let mut world = World::new(1);
        world.create("t", 1);
        alter(&mut world, change(TOPIC, "t", "set retention.ms 5"));
        for line in ["set retention.ms 5", "delete retention.bytes"] {
            let decision = world.decide(|cx| alter_configs(cx, &[change(TOPIC, "t", line)], false));
            assert_eq!((decision.records, decision.answers), (vec![], vec![Ok(())]));
        }
    }

    #[test]
    fn replacing_removes_what_is_not_named() {
        let mut world = World::new(1);
        world.create("t", 1);
        alter(&mut world, change(TOPIC, "t", "set retention.ms 5"));
        alter(&mut world, change(TOPIC, "t", "set segment.ms 6"));
        let entries = vec![("segment.ms".to_string(), Some("6".to_string())), ("retention.bytes".to_string(), Some("7".to_string()))];
        let replace = |entries| Change { resource_type: TOPIC, resource_name: "t".to_string(), how: How::Replace(entries) };
        let decision = world.decide(|cx| alter_configs(cx, &[replace(entries.clone())], false));
        assert_eq!(decision.records.len(), 2, "segment.ms is as it was");
        world.apply(&decision.records);
        let set: Vec<(String, Option<String>)> = world
            .image
            .overrides(ResourceType::Topic, "t")
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), Some(value.clone())))
            .collect();
        assert_eq!(set, [entries[1].clone(), entries[0].clone()]);
        let null = vec![("segment.ms".to_string(), None)];
        assert_eq!(alter(&mut world, replace(null)), "INVALID_REQUEST Null value not supported for : segment.ms");
    }

    #[test]
    fn a_resource_or_an_option_that_is_named_twice_is_refused() {
        let mut world = World::new(1);
        world.create("t", 1);
        let set = change(TOPIC, "t", "set retention.ms 5");
        let decision = world.decide(|cx| alter_configs(cx, &[set.clone(), set.clone()], false));
        assert!(decision.answers.iter().all(|answer| answer.as_ref().unwrap_err().message == "Each resource must appear at most once."));
        let How::Increment(one) = &set.how else { unreachable!() };
        let twice = Change { how: How::Increment([one.clone(), one.clone()].concat()), ..set };
        assert_eq!(alter(&mut world, twice), "INVALID_REQUEST Error due to duplicate config keys");
        let long = "x".repeat(40_000);
        let told = alter(&mut world, change(BROKER, "", &format!("set nope {long}")));
        assert_eq!(told, "INVALID_CONFIG The value of nope has 40000 bytes; at most 32767 can be stored.");
    }

    #[test]
    fn an_alteration_of_a_broker_takes_effect_on_the_topics_that_follow_it() {
        let mut world = World::new(1);
        world.create("t", 1);
        assert_eq!(alter(&mut world, change(BROKER, "", "set log.retention.ms 1000")), "ok");
        assert_eq!(world.image.topic_config("t", &world.config).log.retention_ms, Some(1000));
        assert_eq!(alter(&mut world, change(BROKER, "0", "set log.retention.ms 2000")), "ok");
        assert_eq!(world.image.topic_config("t", &world.config).log.retention_ms, Some(2000));
        let entries = describe_configs(&world.image, &world.config, TOPIC, "t", Some(&["retention.ms".to_string()])).unwrap();
        assert_eq!((entries[0].value.as_deref(), entries[0].source), (Some("2000"), Source::DynamicBroker));
        assert_eq!(alter(&mut world, change(BROKER, "0", "delete log.retention.ms")), "ok");
        assert_eq!(alter(&mut world, change(BROKER, "", "delete log.retention.ms")), "ok");
        assert_eq!(world.image.topic_config("t", &world.config), BrokerConfig::new(BTreeMap::new()).unwrap().topic);
    }

    #[test]
    fn resources_that_cannot_be_described_are_refused_in_kafkas_words() {
        let mut world = World::new(1);
        world.create("t", 1);
        for (resource_type, name, expected) in [
            (TOPIC, "nosuch", "UNKNOWN_TOPIC_OR_PARTITION "),
            (TOPIC, "", "INVALID_TOPIC_EXCEPTION Topic name is invalid: the empty string is not allowed"),
            (BROKER, "7", "INVALID_REQUEST Unexpected broker id, expected 0 or empty string, but received 7"),
            (BROKER, "x", "INVALID_REQUEST Broker id must be an integer, but it is: x"),
            (GROUP, "", "INVALID_REQUEST Group name must not be empty"),
            (METRICS, "", "INVALID_REQUEST Client metrics subscription name must not be empty"),
            (99, "m", "INVALID_REQUEST Unsupported resource type: 99"),
        ] {
            let refusal = describe_configs(&world.image, &world.config, resource_type, name, None).unwrap_err();
            assert_eq!(format!("{} {}", refusal.code, refusal.message), expected);
        }
        for (resource_type, name, count) in [(BROKER, "", 0), (8, "0", 0), (GROUP, "g", 17), (METRICS, "m", 3)] {
            assert_eq!(describe_configs(&world.image, &world.config, resource_type, name, None).unwrap().len(), count);
        }
    }

    #[test]
    fn resources_with_a_configuration_are_listed() {
        let mut world = World::new(1);
        world.create("b", 1);
        world.create("a", 1);
        alter(&mut world, change(GROUP, "g", "set consumer.session.timeout.ms 46000"));
        alter(&mut world, change(METRICS, "m", "set interval.ms 1000"));
        let listed = |resource| list_config_resources(&world.image, resource);
        assert_eq!(listed(ResourceType::Topic), ["a", "b"]);
        assert_eq!(listed(ResourceType::Broker), ["0"]);
        assert_eq!(listed(ResourceType::Group), ["g"]);
        assert_eq!(listed(ResourceType::ClientMetrics), ["m"]);
    }
}

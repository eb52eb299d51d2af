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

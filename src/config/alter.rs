//! What AlterConfigs and IncrementalAlterConfigs make of a resource's settings, and what they may not set.
//!
//! As Kafka's `ConfigurationControlManager`, `ConfigAdminManager` and `DynamicBrokerConfig` do it, in their words.

use super::broker::BrokerConfig;
use super::option::{Kind, Opt, Scope};
use super::source::listener_option;
use super::topic::{self, Overrides};
use super::{table, value};
use crate::error::{ErrorCode, Refusal};
use std::collections::BTreeMap;

/// Kafka's `AlterConfigOp.OpType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Operation {
    Set = 0,
    /// Back to the default.
    Delete = 1,
    /// Adds to a list what is not in it.
    Append = 2,
    /// Takes out of a list what is in it.
    Subtract = 3,
}

impl Operation {
    pub fn of_number(number: i8) -> Option<Operation> {
        match number {
            0 => Some(Operation::Set),
            1 => Some(Operation::Delete),
            2 => Some(Operation::Append),
            3 => Some(Operation::Subtract),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Operation::Set => "SET",
            Operation::Delete => "DELETE",
            Operation::Append => "APPEND",
            Operation::Subtract => "SUBTRACT",
        }
    }
}

/// One line of IncrementalAlterConfigs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alteration {
    pub name: String,
    pub operation: Operation,
    pub value: Option<String>,
}

/// Kafka can alter these for one broker while it runs. Here they take effect at the next start, so they are refused.
pub(super) const AT_START_ONLY: &[&str] = &["listeners", "listener.security.protocol.map"];

/// Longest value that the metadata log can hold.
const VALUE_BYTES_MAX: usize = 32_767;

/// AlterConfigs: what a resource sets from now on is exactly this.
pub fn replace(entries: &[(String, Option<String>)]) -> Result<Overrides, Refusal> {
    refuse_nulls(entries.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str()))?;
    refuse_twins(entries.iter().map(|(name, _)| name.as_str()))?;
    let set: Overrides = entries.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
    refuse_long(&set)?;
    Ok(set)
}

/// IncrementalAlterConfigs: `existing` with these changes. `option` finds an option of the resource by name.
pub fn increment(option: fn(&str) -> Option<&'static Opt>, existing: &Overrides, alterations: &[Alteration]) -> Result<Overrides, Refusal> {
    let null = |change: &&Alteration| change.value.is_none() && change.operation != Operation::Delete;
    refuse_nulls(alterations.iter().filter(null).map(|change| change.name.as_str()))?;
    refuse_twins(alterations.iter().map(|change| change.name.as_str()))?;
    let mut set = existing.clone();
    for change in alterations {
        let value = change.value.as_deref().unwrap_or_default();
        match change.operation {
            Operation::Set => {
                set.insert(change.name.clone(), value.to_string());
            }
            Operation::Delete => {
                set.remove(&change.name);
            }
            Operation::Append | Operation::Subtract => {
                let Some(option) = option(&change.name).filter(|option| option.kind == Kind::List) else {
                    return Err(Refusal::new(
                        ErrorCode::InvalidConfig,
                        format!("Can't {} to key {} because its type is not LIST.", change.operation.word(), change.name),
                    ));
                };
                let list = set.get(&change.name).map(String::as_str).or(option.default).unwrap_or_default();
                let changed = change_list(list, value, change.operation);
                set.insert(change.name.clone(), changed);
            }
        }
    }
    refuse_long(&set)?;
    Ok(set)
}

fn change_list(list: &str, value: &str, operation: Operation) -> String {
    let mut items: Vec<&str> = list.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
    for item in value.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        match operation {
            Operation::Append if !items.contains(&item) => items.push(item),
            Operation::Subtract => items.retain(|other| *other != item),
            _ => {}
        }
    }
    items.join(",")
}

fn refuse_nulls<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), Refusal> {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(ErrorCode::InvalidRequest, format!("Null value not supported for : {}", names.join(", "))))
}

fn refuse_twins<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), Refusal> {
    let mut seen = BTreeMap::new();
    for name in names {
        if seen.insert(name, ()).is_some() {
            return Err(Refusal::new(ErrorCode::InvalidRequest, "Error due to duplicate config keys"));
        }
    }
    Ok(())
}

fn refuse_long(set: &Overrides) -> Result<(), Refusal> {
    match set.iter().find(|(name, value)| value.len() > VALUE_BYTES_MAX || name.len() > VALUE_BYTES_MAX) {
        Some((name, value)) => Err(Refusal::new(
            ErrorCode::InvalidConfig,
            format!("The value of {} has {} bytes; at most {VALUE_BYTES_MAX} can be stored.", name.get(..99).unwrap_or(name), value.len()),
        )),
        None => Ok(()),
    }
}

/// Whether a topic may set all this.
pub fn check_topic(set: &Overrides, broker: &BrokerConfig) -> Result<(), Refusal> {
    topic::validate(set, broker).map_err(|why| Refusal::new(ErrorCode::InvalidConfig, why))
}

/// Whether a broker's settings may become `set`. `own`: of this broker, otherwise of all. `changed` are the names that
/// differ from before or were named: what was let in once is not questioned again, but the whole must still make sense.
pub fn check_broker(config: &BrokerConfig, own: bool, set: &Overrides, changed: &[&str]) -> Result<(), Refusal> {
    let invalid = |why: String| Err(Refusal::new(ErrorCode::InvalidRequest, why));
    let option = |name: &str| table::broker(listener_option(name).unwrap_or(name));
    let named = |matches: &dyn Fn(&str, &Opt) -> bool| -> Vec<&str> {
        changed.iter().copied().filter(|name| option(name).is_some_and(|option| matches(name, option))).collect()
    };
    let fixed = named(&|_, option| option.scope == Scope::ReadOnly);
    if !fixed.is_empty() {
        return invalid(format!("Cannot update these configs dynamically: [{}]", fixed.join(", ")));
    }
    let secret = named(&|name, option| name == option.name && is_key_material(name));
    if !secret.is_empty() {
        return invalid(format!(
            "These security configs can be dynamically updated only per-listener using the listener prefix: [{}]",
            secret.join(", ")
        ));
    }
    for name in changed {
        if let (Some(option), Some(text)) = (option(name), set.get(*name))
            && let Err(why) = value::parse(option, text)
        {
            return invalid(why);
        }
    }
    let single = named(&|_, option| option.scope == Scope::PerBroker);
    if !own && !single.is_empty() {
        return invalid(format!(
            "Cannot update these configs at default cluster level, broker id must be specified: [{}]",
            single.join(", ")
        ));
    }
    let listening = named(&|_, option| AT_START_ONLY.contains(&option.name));
    if !listening.is_empty() {
        return invalid(format!(
            "These configs take effect at the next start only; set them in the broker's file: [{}]",
            listening.join(", ")
        ));
    }
    let layers = &config.layers;
    let (cluster, own) = if own { (&layers.cluster, set) } else { (set, &layers.own) };
    match config.try_dynamic(cluster, own) {
        Ok(_) => Ok(()),
        Err(problems) => invalid(problems.join("; ")),
    }
}

/// Keys and certificates: Kafka reloads them for one listener at a time.
fn is_key_material(name: &str) -> bool {
    name == "ssl.key.password" || name.starts_with("ssl.keystore.") || name.starts_with("ssl.truststore.")
}

/// Whether a group may set all this. Kafka also holds the values against the broker's bounds.
pub fn check_group(set: &Overrides, config: &BrokerConfig) -> Result<(), Refusal> {
    let invalid = |why: String| Err(Refusal::new(ErrorCode::InvalidConfig, why));
    for (name, text) in set {
        let Some(option) = table::group(name) else { return invalid(format!("Unknown group config name: {name}")) };
        let value = match value::parse(option, text) {
            Ok(value) => value,
            Err(why) => return invalid(why),
        };
        // `consumer.session.timeout.ms` lies between `group.consumer.min.session.timeout.ms` and `….max.…`.
        let Some((kind, rest)) = name.split_once('.') else { continue };
        let bound = |which: &str| {
            let name = format!("group.{kind}.{which}.{rest}");
            Some((config.value(&name)?, name))
        };
        if let (value::Value::Number(number), Some((value::Value::Number(least), bound))) = (&value, bound("min"))
            && *number < least
        {
            return invalid(format!("{name} must be greater than or equal to {bound}"));
        }
        if let (value::Value::Number(number), Some((value::Value::Number(most), bound))) = (&value, bound("max"))
            && *number > most
        {
            return invalid(format!("{name} must be less than or equal to {bound}"));
        }
    }
    Ok(())
}

/// Whether a client metrics subscription may set all this.
pub fn check_client_metrics(set: &Overrides) -> Result<(), Refusal> {
    for (name, text) in set {
        let Some(option) = table::client_metrics(name) else {
            return Err(Refusal::new(ErrorCode::InvalidRequest, format!("Unknown client metrics configuration: {name}")));
        };
        let value = value::parse(option, text).map_err(|why| Refusal::new(ErrorCode::InvalidConfig, why))?;
        if let ("interval.ms", value::Value::Number(ms)) = (name.as_str(), value)
            && !(100..=3_600_000).contains(&ms)
        {
            let why = format!("Invalid value {ms} for interval.ms, interval must be between 100 and 3600000 (1 hour)");
            return Err(Refusal::new(ErrorCode::InvalidRequest, why));
        }
    }
    Ok(())
}

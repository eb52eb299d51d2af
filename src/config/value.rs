//! The text of a value, read by the option's kind and checked against what the option allows.
//!
//! The sentences are Kafka's (`ConfigDef.parseType`, `ConfigDef.Range`, `ConfigDef.ValidString`), because admin tools and
//! their users look for them.

use super::option::{Kind, Opt, Valid};
use std::fmt;

/// What a text means. The whole numbers of all widths are one variant: their ranges are checked on the way in.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Boolean(bool),
    Number(i64),
    Double(f64),
    Text(String),
    List(Vec<String>),
}

/// As Kafka's `ConfigDef.convertToString` writes it in DescribeConfigs.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Boolean(v) => write!(f, "{v}"),
            Value::Number(v) => write!(f, "{v}"),
            Value::Double(v) => f.write_str(&java_double(*v)),
            Value::Text(v) => f.write_str(v),
            Value::List(v) => f.write_str(&v.join(",")),
        }
    }
}

/// Reads `text` for `option`. The error is Kafka's whole sentence.
pub fn parse(option: &Opt, text: &str) -> Result<Value, String> {
    let value = parse_kind(option.kind, text).map_err(|why| sentence(option.name, text, &why))?;
    check(option, &value)?;
    Ok(value)
}

fn sentence(name: &str, value: &str, why: &str) -> String {
    format!("Invalid value {value} for configuration {name}: {why}")
}

fn parse_kind(kind: Kind, text: &str) -> Result<Value, String> {
    let trimmed = text.trim();
    let whole = |min: i64, max: i64| match trimmed.parse::<i64>() {
        Ok(v) if (min..=max).contains(&v) => Ok(Value::Number(v)),
        _ => Err(format!("Not a number of type {}", kind.word())),
    };
    match kind {
        Kind::Boolean if trimmed.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
        Kind::Boolean if trimmed.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
        Kind::Boolean => Err("Expected value to be either true or false".to_string()),
        Kind::Short => whole(i64::from(i16::MIN), i64::from(i16::MAX)),
        Kind::Int => whole(i64::from(i32::MIN), i64::from(i32::MAX)),
        Kind::Long => whole(i64::MIN, i64::MAX),
        // Kafka takes NaN, which then passes every range check. It means nothing, so it is refused here.
        Kind::Double => match trimmed.parse::<f64>() {
            Ok(v) if v.is_finite() => Ok(Value::Double(v)),
            _ => Err(format!("Not a number of type {}", kind.word())),
        },
        Kind::List if trimmed.is_empty() => Ok(Value::List(Vec::new())),
        Kind::List => Ok(Value::List(trimmed.split(',').map(|item| item.trim().to_string()).collect())),
        Kind::String | Kind::Class => Ok(Value::Text(trimmed.to_string())),
        Kind::Password => Ok(Value::Text(text.to_string())),
    }
}

fn check(option: &Opt, value: &Value) -> Result<(), String> {
    let refuse = |why: String| Err(sentence(option.name, &value.to_string(), &why));
    match (option.valid, value) {
        (Valid::AtLeast(min), Value::Number(v)) if *v < min => refuse(format!("Value must be at least {min}")),
        (Valid::Between(min, _), Value::Number(v)) if *v < min => refuse(format!("Value must be at least {min}")),
        (Valid::Between(_, max), Value::Number(v)) if *v > max => refuse(format!("Value must be no more than {max}")),
        (Valid::BetweenOr(min, max, or), Value::Number(v)) if *v != or && !(min..=max).contains(v) => {
            refuse(format!("Value must be between {min} and {max} or equal to {or}"))
        }
        (Valid::Fraction(min, _), Value::Double(v)) if *v < min => refuse(format!("Value must be at least {min}")),
        (Valid::Fraction(_, max), Value::Double(v)) if *v > max => refuse(format!("Value must be no more than {max}")),
        (Valid::OneOf(words), Value::Text(v)) if !words.contains(&v.as_str()) => {
            refuse(format!("String must be one of: {}", words.join(", ")))
        }
        (Valid::OneOfAnyCase(words), Value::Text(v)) if !words.iter().any(|word| word.eq_ignore_ascii_case(v)) => {
            refuse(format!("String must be one of (case insensitive): {}", words.join(", ")))
        }
        (Valid::Each(words), Value::List(items)) => match items.iter().find(|item| !words.contains(&item.as_str())) {
            Some(item) => Err(sentence(option.name, item, &format!("String must be one of: {}", words.join(", ")))),
            None => Ok(()),
        },
        (Valid::NonEmpty, Value::Text(v)) if v.is_empty() => refuse("String must be non-empty".to_string()),
        (Valid::ThrottledReplicas, Value::List(items)) if !throttled_replicas(items) => Err(sentence(
            option.name,
            &format!("[{}]", items.join(", ")),
            &format!(
                "{} must be the literal '*' or a list of replicas in the following format: \
                 [partitionId]:[brokerId],[partitionId]:[brokerId],...",
                option.name
            ),
        )),
        _ => Ok(()),
    }
}

fn throttled_replicas(items: &[String]) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let pair = |item: &String| item.split_once(':').is_some_and(|(partition, broker)| number(partition) && number(broker));
    items.is_empty() || items == ["*"] || items.iter().all(pair)
}

/// `Double.toString`: at least one digit after the point, scientific outside of 10⁻³ … 10⁷.
fn java_double(v: f64) -> String {
    let magnitude = v.abs();
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{v:?}");
    }
    let text = format!("{v:e}");
    let (digits, exponent) = text.split_once('e').expect("`e` is what was asked for");
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{point}E{exponent}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::table;

    fn parse_topic(name: &str, text: &str) -> Result<String, String> {
        parse(table::topic(name).unwrap(), text).map(|v| v.to_string())
    }

    /// What a Kafka 4.3.1 broker answered to `CreateTopics` with each of these values.
    #[test]
    fn values_are_refused_in_kafkas_words() {
        for (name, text, answer) in [
            ("retention.ms", "abc", Err("Invalid value abc for configuration retention.ms: Not a number of type LONG")),
            ("retention.ms", "", Err("Invalid value  for configuration retention.ms: Not a number of type LONG")),
            ("retention.ms", "0x10", Err("Invalid value 0x10 for configuration retention.ms: Not a number of type LONG")),
            ("retention.ms", "1.5", Err("Invalid value 1.5 for configuration retention.ms: Not a number of type LONG")),
            ("retention.ms", "-2", Err("Invalid value -2 for configuration retention.ms: Value must be at least -1")),
            ("retention.ms", " 5 ", Ok("5")),
            ("retention.ms", "+5", Ok("5")),
            ("retention.bytes", "-5", Ok("-5")),
            ("segment.bytes", "10", Err("Invalid value 10 for configuration segment.bytes: Value must be at least 1048576")),
            ("segment.bytes", "99999999999", Err("Invalid value 99999999999 for configuration segment.bytes: Not a number of type INT")),
            ("preallocate", "TRUE", Ok("true")),
            ("preallocate", "maybe", Err("Invalid value maybe for configuration preallocate: Expected value to be either true or false")),
            ("cleanup.policy", "foo", Err("Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete")),
            ("cleanup.policy", "compact , delete", Ok("compact,delete")),
            ("cleanup.policy", "", Ok("")),
            (
                "compression.type",
                "lzo",
                Err(
                    "Invalid value lzo for configuration compression.type: String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer",
                ),
            ),
            (
                "compression.gzip.level",
                "0",
                Err("Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1"),
            ),
            ("compression.gzip.level", "-1", Ok("-1")),
            (
                "compression.zstd.level",
                "30",
                Err("Invalid value 30 for configuration compression.zstd.level: Value must be no more than 22"),
            ),
            (
                "min.cleanable.dirty.ratio",
                "2",
                Err("Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"),
            ),
            (
                "leader.replication.throttled.replicas",
                "x",
                Err(
                    "Invalid value [x] for configuration leader.replication.throttled.replicas: leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
                ),
            ),
            ("leader.replication.throttled.replicas", "*", Ok("*")),
            ("leader.replication.throttled.replicas", "0:0,1:0", Ok("0:0,1:0")),
        ] {
            assert_eq!(parse_topic(name, text), answer.map(String::from).map_err(String::from), "{name}={text}");
        }
    }

    #[test]
    fn doubles_print_as_java_prints_them() {
        for (value, text) in [(0.5, "0.5"), (2.0, "2.0"), (f64::MAX, "1.7976931348623157E308"), (1e7, "1.0E7"), (0.0001, "1.0E-4")] {
            assert_eq!(java_double(value), text);
        }
    }
}

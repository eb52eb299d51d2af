//! TOML: tables are joined by dots, arrays become lists.
//!
//! ```toml
//! listeners = ["PLAINTEXT://127.0.0.1:9092", "PLAINTEXT://[::1]:9092"]
//! [log]
//! dirs = "/var/lib/millrace"        # log.dirs
//! retention.hours = 24              # log.retention.hours
//! [log.retention]
//! # TOML does not let `retention` be 5 and a table at once; a quoted name goes around that:
//! [max.connections]
//! "per.ip" = 100                    # max.connections.per.ip
//! ```

use ::toml::{Table, Value};

pub fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let table: Table = text.parse().map_err(|error: ::toml::de::Error| {
        let line = error.span().map_or(String::new(), |span| format!("line {}: ", text[..span.start].matches('\n').count() + 1));
        format!("{line}{}", error.message())
    })?;
    let mut pairs = Vec::new();
    flatten("", &table, &mut pairs)?;
    Ok(pairs)
}

fn flatten(prefix: &str, table: &Table, pairs: &mut Vec<(String, String)>) -> Result<(), String> {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) => flatten(&name, inner, pairs)?,
            Value::Array(items) => {
                let items: Result<Vec<String>, String> = items.iter().map(|item| scalar(&name, item)).collect();
                pairs.push((name, items?.join(",")));
            }
            value => pairs.push((name.clone(), scalar(&name, value)?)),
        }
    }
    Ok(())
}

fn scalar(name: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(yes) => Ok(yes.to_string()),
        Value::Datetime(_) => Err(format!("{name}: a date is not a value of any option; put it in quotes if it is meant as text")),
        Value::Array(_) | Value::Table(_) => Err(format!("{name}: a list holds texts and numbers, not lists or tables")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_joined_by_dots_and_quoted_names_are_taken_as_they_are() {
        let text = "
            \"log.roll.ms\" = 5
            num.partitions = 3
            listeners = [\"PLAINTEXT://127.0.0.1:9092\", \"PLAINTEXT://[::1]:9092\"]
            auto.create.topics.enable = false
            [log]
            dirs = '/a'
            cleaner.min.cleanable.ratio = 0.25
            [log.retention]
            hours = 24
        ";
        let mut pairs = parse(text).unwrap();
        pairs.sort();
        let expected = [
            ("auto.create.topics.enable", "false"),
            ("listeners", "PLAINTEXT://127.0.0.1:9092,PLAINTEXT://[::1]:9092"),
            ("log.cleaner.min.cleanable.ratio", "0.25"),
            ("log.dirs", "/a"),
            ("log.retention.hours", "24"),
            ("log.roll.ms", "5"),
            ("num.partitions", "3"),
        ];
        assert_eq!(pairs, expected.map(|(k, v)| (k.to_string(), v.to_string())));
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        let message = parse("a = 1\nb = \n").unwrap_err();
        assert!(message.starts_with("line 2: "), "{message}");
        assert!(parse("a = 1979-05-27").unwrap_err().starts_with("a: a date"));
        assert!(parse("a = [[1]]").unwrap_err().starts_with("a: a list"));
    }
}

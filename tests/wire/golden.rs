//! Against Kafka itself: bytes and values made by the Java client's own message classes (`tests/golden`), which is also the only
//! witness of versions newer than the independent codec.
//!
//! A golden file has three lines for each message: name and version, its bytes in hex, its values in JSON.

use std::collections::BTreeSet;
use std::path::Path;

use crate::known::everything;
use crate::value::{Style, Value, assert_same};

struct Golden {
    name: String,
    version: i16,
    bytes: Vec<u8>,
    json: serde_json::Value,
}

fn golden() -> Vec<Golden> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    let mut all = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        while let Some(head) = lines.next() {
            let (name, version) = head.split_once(' ').unwrap();
            let hex = lines.next().unwrap();
            let bytes = (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
            let json = serde_json::from_str(lines.next().unwrap()).unwrap();
            all.push(Golden { name: name.into(), version: version.parse().unwrap(), bytes, json });
        }
    }
    all
}

/// The converters tell only how long records are.
fn without_records(value: &mut Value, lengths: bool) {
    match value {
        Value::List(values) => values.iter_mut().for_each(|value| without_records(value, lengths)),
        Value::Struct(fields) => {
            for (name, value) in fields {
                match value {
                    Value::List(bytes) if name == "records" && lengths => *value = Value::Word(bytes.len().to_string()),
                    value if name == "recordsSizeInBytes" => {
                        *name = "records".into();
                        if *value == Value::Word("-1".into()) {
                            *value = Value::Null;
                        }
                    }
                    value => without_records(value, lengths),
                }
            }
        }
        Value::Null | Value::Word(_) | Value::Text(_) => {}
    }
}

#[test]
fn every_message_of_every_version_agrees_with_kafkas_own_classes() {
    let known = everything();
    let mut seen = BTreeSet::new();
    for Golden { name, version, bytes, json } in golden() {
        let path = format!("{name} version {version}");
        let known = known.iter().find(|known| known.name == name).unwrap_or_else(|| panic!("{path} is unknown"));
        let message = (known.decode)(&bytes, version).unwrap_or_else(|e| panic!("{path}: {e}"));
        let mut ours = message.value();
        let mut theirs = Value::of_json(&json);
        without_records(&mut ours, true);
        without_records(&mut theirs, false);
        assert_same(known.fields, version, &ours, &theirs, Style::Json, &path);
        // Kafka tells null records in a Fetch apart from none at all; we never send the former.
        if name != "FetchResponse" || !format!("{theirs:?}").contains("(\"records\", Null)") {
            assert_eq!(message.encode(version), bytes, "{path}");
        }
        seen.insert((name, version));
    }
    for known in &known {
        for version in known.versions.clone() {
            assert!(seen.contains(&(known.name.to_string(), version)), "no golden bytes of {} version {version}", known.name);
        }
    }
}

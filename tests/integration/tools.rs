//! The command line against a broker: what it prints, what it ends with, and that bytes come back as they were.

use crate::broker::{Broker, Directory, MILLRACE, free_port};
use crate::client::{Client, batch_of};
use crate::random::Random;
use millrace::error::ErrorCode;
use serde_json::Value;
use std::process::{Command, Output};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn ok(output: Output) -> String {
    assert!(output.status.success(), "{}: {}{}", output.status, text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[track_caller]
fn json(output: Output) -> Value {
    serde_json::from_str(&ok(output)).unwrap()
}

#[track_caller]
fn refused(output: &Output, status: i32, words: &[&str]) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(words.iter().all(|word| said.contains(word)), "{said}");
}

#[test]
fn topics_are_created_listed_described_altered_and_deleted() {
    let directory = Directory::new();
    let broker = Broker::start(directory.path(), &[]);
    assert_eq!(ok(broker.tool(&["topic", "list"])), "");
    ok(broker.tool(&["topic", "create", "orders", "--partitions", "3", "--config", "retention.ms=60000"]));
    ok(broker.tool(&["topic", "create", "only-thought-of", "--validate-only"]));
    refused(&broker.tool(&["topic", "create", "orders"]), 1, &["orders", "TOPIC_ALREADY_EXISTS"]);
    ok(broker.tool(&["topic", "create", "orders", "--if-not-exists"]));
    refused(&broker.tool(&["topic", "create", "a/b"]), 1, &["INVALID_TOPIC_EXCEPTION"]);
    refused(&broker.tool(&["topic", "create", "x", "--config", "retention.ms=abc"]), 1, &["INVALID_CONFIG", "retention.ms"]);
    refused(&broker.tool(&["topic", "create", "x", "--config", "retention"]), 2, &["KEY=VALUE"]);
    ok(broker.tool(&["topic", "create", "bills", "--partitions", "1"]));
    assert_eq!(ok(broker.tool(&["topic", "list"])), "bills\norders\n");
    assert_eq!(json(broker.tool(&["topic", "list", "--json"])), serde_json::json!(["bills", "orders"]));
    assert!(ok(broker.tool(&["topic", "describe", "orders"])).contains("3 partitions"));
    ok(broker.tool(&["topic", "alter", "orders", "--partitions", "5"]));
    refused(&broker.tool(&["topic", "alter", "orders", "--partitions", "2"]), 1, &["INVALID_PARTITIONS"]);
    let described = json(broker.tool(&["topic", "describe", "orders", "--json"]));
    assert_eq!(described[0]["topic"], "orders");
    let partitions = described[0]["partitions"].as_array().unwrap();
    assert_eq!(partitions.len(), 5);
    assert!((0..).zip(partitions).all(|(index, p)| p["partition"] == index && p["leader"] == 0 && p["isr"] == serde_json::json!([0])));
    ok(broker.tool(&["topic", "delete", "orders"]));
    refused(&broker.tool(&["topic", "delete", "orders"]), 1, &["UNKNOWN_TOPIC_OR_PARTITION"]);
    ok(broker.tool(&["topic", "delete", "orders", "--if-exists"]));
    refused(&broker.tool(&["topic", "describe", "orders"]), 1, &["orders", "UNKNOWN_TOPIC_OR_PARTITION"]);
    assert_eq!(ok(broker.tool(&["topic", "list"])), "bills\n");
}

#[test]
fn what_is_not_understood_and_who_is_not_there_have_their_statuses() {
    let run = |args: &[&str]| Command::new(MILLRACE).args(args).output().unwrap();
    refused(&run(&["frobnicate"]), 2, &["frobnicate"]);
    refused(&run(&["topic", "create"]), 2, &["TOPICS"]);
    let nobody = format!("127.0.0.1:{}", free_port());
    refused(&run(&["topic", "list", "--broker", &nobody]), 1, &["cannot reach", &nobody]);
    assert!(ok(run(&["version"])).starts_with("millrace "));
    assert!(ok(run(&["--help"])).contains("server"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(ok(run(&["completions", shell])).contains("millrace"), "{shell}");
    }
    refused(&run(&["completions", "dos"]), 2, &["dos"]);
}

#[test]
fn lines_come_back_byte_for_byte() {
    let directory = Directory::new();
    let mut broker = Broker::start(directory.path(), &["log.segment.bytes=33554432"]);
    ok(broker.tool(&["topic", "create", "lines", "--partitions", "1"]));
    let mut random = Random(11);
    let mut input = Vec::with_capacity(205 << 20);
    let noise: Vec<u8> = random.bytes(1 << 16).into_iter().map(|byte| if byte == b'\n' { b' ' } else { byte }).collect();
    while input.len() < 200 << 20 {
        // Empty lines, short ones, and now and then one of 64 KiB.
        let length = if random.chance(500) { noise.len() } else { random.below(4000) };
        let at = random.below(noise.len() - length + 1);
        input.extend_from_slice(&noise[at..at + length]);
        input.push(b'\n');
    }
    ok(broker.tool_with(&["produce", "lines"], &input));
    let output = broker.tool(&["consume", "lines", "--exit-at-end"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(output.stdout.len(), input.len());
    assert!(output.stdout == input, "other bytes");
    // And from another process, after a kill, from the middle on.
    broker.kill();
    let broker = Broker::start(directory.path(), &[]);
    let lines: Vec<&[u8]> = input.split_inclusive(|byte| *byte == b'\n').collect();
    let middle = lines.len() / 2;
    let output = broker.tool(&["consume", "lines", "--offset", &middle.to_string(), "--count", "1000"]);
    assert!(output.stdout == lines[middle..middle + 1000].concat());
}

#[test]
fn keys_and_partitions_and_json_of_records() {
    let directory = Directory::new();
    let broker = Broker::start(directory.path(), &[]);
    ok(broker.tool(&["topic", "create", "pairs", "--partitions", "4"]));
    let input: String = (0..100).map(|i| format!("key{}|value {i}\n", i % 10)).collect();
    ok(broker.tool_with(&["produce", "pairs", "--key-delimiter", "|"], input.as_bytes()));
    let output = ok(broker.tool(&["consume", "pairs", "--exit-at-end", "--json"]));
    let rows: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 100);
    for i in 0..10 {
        let of_key: Vec<&Value> = rows.iter().filter(|row| row["key"] == format!("key{i}")).collect();
        let values: Vec<&str> = of_key.iter().map(|row| row["value"].as_str().unwrap()).collect();
        let expected: Vec<String> = (0..10).map(|n| format!("value {}", n * 10 + i)).collect();
        assert_eq!(values, expected, "in order");
        assert!(of_key.iter().all(|row| row["partition"] == of_key[0]["partition"]), "one key, one partition");
    }
    let output = ok(broker.tool(&["consume", "pairs", "--exit-at-end", "--key-delimiter", "|"]));
    let (mut told, mut sent): (Vec<&str>, Vec<&str>) = (output.lines().collect(), input.lines().collect());
    told.sort_unstable();
    sent.sort_unstable();
    assert_eq!(told, sent);
    ok(broker.tool_with(&["produce", "pairs", "--partition", "2", "--acks", "0"], b"to two\n"));
    refused(&broker.tool_with(&["produce", "pairs", "--partition", "9"], b"x\n"), 2, &["partitions 0 to 3"]);
    refused(&broker.tool_with(&["produce", "missing"], b"x\n"), 1, &["missing", "topic create"]);
    refused(&broker.tool(&["consume", "missing", "-e"]), 1, &["missing"]);
    refused(&broker.tool(&["consume", "pairs", "-o", "soon"]), 2, &["--offset"]);
}

#[test]
fn settings_take_effect_at_once_and_survive() {
    let directory = Directory::new();
    let mut broker = Broker::start(directory.path(), &[]);
    ok(broker.tool(&["topic", "create", "t", "--partitions", "1"]));
    let mut client = Client::connect(&broker.address);
    let batch = batch_of(&[&[7; 2000]]);
    let mut produce = |what: &str| {
        let produced = client.produce("t", -1, &[(0, Some(&batch))]);
        (what.to_owned(), produced[0].error_code)
    };
    assert_eq!(produce("default").1, ErrorCode::None);
    ok(broker.tool(&["config", "alter", "--topic", "t", "--set", "max.message.bytes=1000"]));
    assert_eq!(produce("topic").1, ErrorCode::MessageTooLarge);
    let rows = json(broker.tool(&["config", "describe", "--topic", "t", "--json"]));
    let row = rows.as_array().unwrap().iter().find(|row| row["name"] == "max.message.bytes").unwrap();
    assert_eq!((&row["value"], &row["source"]), (&"1000".into(), &"topic".into()));
    ok(broker.tool(&["config", "alter", "--topic", "t", "--delete", "max.message.bytes"]));
    assert_eq!(produce("deleted").1, ErrorCode::None);
    ok(broker.tool(&["config", "alter", "--node", "", "--set", "message.max.bytes=1500"]));
    assert_eq!(produce("all brokers").1, ErrorCode::MessageTooLarge);
    ok(broker.tool(&["config", "alter", "--node", "0", "--set", "message.max.bytes=3000"]));
    assert_eq!(produce("this broker").1, ErrorCode::None);
    refused(&broker.tool(&["config", "alter", "--topic", "t", "--set", "max.message.bytes=-5"]), 1, &["INVALID_CONFIG"]);
    refused(&broker.tool(&["config", "alter", "--topic", "gone", "--set", "retention.ms=5"]), 1, &["UNKNOWN_TOPIC_OR_PARTITION"]);
    refused(&broker.tool(&["config", "alter", "--topic", "t"]), 2, &["nothing to alter"]);
    ok(broker.tool(&["config", "alter", "--node", "0", "--delete", "message.max.bytes"]));
    broker.kill();
    let broker = Broker::start(directory.path(), &[]);
    let produced = Client::connect(&broker.address).produce("t", -1, &[(0, Some(&batch))]);
    assert_eq!(produced[0].error_code, ErrorCode::MessageTooLarge, "message.max.bytes=1500 of all brokers is remembered");
}

#[test]
fn segments_are_dumped_and_damage_is_seen() {
    let directory = Directory::new();
    let mut broker = Broker::start(directory.path(), &[]);
    ok(broker.tool(&["topic", "create", "t", "--partitions", "1"]));
    let mut client = Client::connect(&broker.address);
    for values in [&[&b"alpha"[..], b"beta"][..], &[b"gamma"]] {
        assert!(client.produce("t", -1, &[(0, Some(&batch_of(values)))])[0].error_code.is_ok());
    }
    assert!(broker.terminate().success());
    let partition = directory.join("t-0");
    let dump = |args: &[&str]| Command::new(MILLRACE).args(["log", "dump"]).arg(&partition).args(args).output().unwrap();
    let told = ok(dump(&["--records"]));
    assert!(["alpha", "beta", "gamma"].iter().all(|value| told.contains(value)), "{told}");
    let rows: Vec<Value> = ok(dump(&["--json"])).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2, "{rows:?}");
    let file = partition.join("00000000000000000000.log");
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(5).position(|window| window == b"gamma").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let output = dump(&[]);
    assert!(!output.status.success() || text(&output.stdout).to_lowercase().contains("crc"), "{}", text(&output.stdout));
}

//! How a broker starts, or why it does not: settings and their order, directories, ports, a disk that is full.

use crate::broker::{Broker, Directory, command, fails, free_port, is_root, wait_for};
use crate::client::{Client, batch_of};
use millrace::error::ErrorCode;
use millrace::wire::messages::{MetadataRequest, MetadataResponse};
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

fn cluster_id(broker: &Broker) -> String {
    let response: MetadataResponse = Client::connect(&broker.address).call(9, &MetadataRequest::default());
    assert_eq!(response.brokers.len(), 1);
    response.cluster_id.unwrap()
}

/// Value of a broker's option in effect.
fn option(broker: &Broker, name: &str) -> String {
    let output = broker.tool(&["config", "describe", "--node", "0", "--all", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let row = rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name}"));
    row["value"].as_str().unwrap().to_owned()
}

#[test]
fn an_empty_directory_is_set_up_and_stays_what_it_is() {
    let directory = Directory::new();
    // It does not even exist yet.
    let data = directory.join("not/yet/there");
    let mut broker = Broker::start(&data, &[]);
    let first = cluster_id(&broker);
    assert_eq!(first.len(), 22, "a cluster id as Kafka's: {first}");
    let properties = fs::read_to_string(data.join("meta.properties")).unwrap();
    assert!(properties.contains(&format!("cluster.id={first}")) && properties.contains("node.id=0"), "{properties}");
    assert!(broker.terminate().success());
    let broker = Broker::start(&data, &[]);
    assert_eq!(cluster_id(&broker), first);
}

#[test]
fn a_second_broker_on_the_same_directory_is_told_so() {
    let directory = Directory::new();
    let mut broker = Broker::start(directory.path(), &[]);
    let (status, said) = fails(command(directory.path(), free_port(), &[]));
    assert_eq!(status, 4, "{said}");
    assert!(said.contains(&directory.path().display().to_string()), "{said}");
    broker.assert_runs();
    cluster_id(&broker);
    // As soon as the first is gone, however it went, there is room.
    broker.kill();
    Broker::start(directory.path(), &[]);
}

#[test]
fn a_port_in_use_is_told_so_and_its_owner_undisturbed() {
    let (one, two) = (Directory::new(), Directory::new());
    let mut broker = Broker::start(one.path(), &[]);
    let port: u16 = broker.address.rsplit_once(':').unwrap().1.parse().unwrap();
    let (status, said) = fails(command(two.path(), port, &[]));
    assert_eq!(status, 3, "{said}");
    assert!(said.contains(&broker.address) && said.contains("listeners"), "{said}");
    broker.assert_runs();
    cluster_id(&broker);
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let (status, said) = fails(command(two.path(), other.local_addr().unwrap().port(), &[]));
    assert_eq!(status, 3, "{said}");
    // The same directory is good for a start on another port.
    Broker::start(two.path(), &[]);
}

#[test]
fn a_wrong_value_stops_the_start_with_what_to_do() {
    let directory = Directory::new();
    for (set, words) in [
        ("log.segment.bytes=ten", &["--set", "log.segment.bytes", "ten"][..]),
        ("log.segment.bytes=10", &["log.segment.bytes", "1048576"]),
        ("compression.type=lzo", &["compression.type", "zstd"]),
        ("auto.create.topics.enable=perhaps", &["auto.create.topics.enable", "true or false"]),
        ("listeners=PLAINTEXT://:99999", &["listeners", "99999"]),
        ("log.dirs=", &["log.dirs"]),
        ("nonsense", &["--set nonsense", "key=value"]),
    ] {
        let (status, said) = fails(command(directory.path(), free_port(), &[set]));
        assert_eq!(status, 2, "{set}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{set}: {said}");
    }
    let mut missing = command(directory.path(), free_port(), &[]);
    missing.args(["--config", "/does/not/exist.toml"]);
    let (status, said) = fails(missing);
    assert!(status == 2 && said.contains("/does/not/exist.toml"), "{status}: {said}");
    let file = directory.join("broken.toml");
    fs::write(&file, "x = ").unwrap();
    let mut broken = command(directory.path(), free_port(), &[]);
    broken.arg("--config").arg(&file);
    let (status, said) = fails(broken);
    assert!(status == 2 && said.contains("line 1"), "{status}: {said}");
}

#[test]
fn unknown_and_idle_options_are_named_and_the_command_line_wins() {
    let directory = Directory::new();
    let file = directory.join("server.properties");
    fs::write(&file, "num.partitions=2\nlog.retention.hours=5\nmessage.max.bytes=5000\nnum.io.threads=8\nnum.partitoins=9\n").unwrap();
    let port = free_port();
    let mut command = command(&directory.join("data"), port, &["num.partitions=4"]);
    command.arg("--config").arg(&file);
    command.env("MILLRACE_NUM_PARTITIONS", "3").env("MILLRACE_LOG_RETENTION_HOURS", "6");
    let broker = Broker::spawn(command, port);
    assert_eq!(option(&broker, "num.partitions"), "4", "--set before the environment");
    assert_eq!(option(&broker, "log.retention.hours"), "6", "the environment before the file");
    assert_eq!(option(&broker, "message.max.bytes"), "5000", "the file before the default");
    assert_eq!(broker.logged("num.io.threads"), 1, "{:?}", broker.log());
    assert_eq!(broker.logged("num.partitoins; did you mean num.partitions?"), 1, "{:?}", broker.log());
    let output = broker.tool(&["topic", "create", "with-default"]);
    assert!(output.status.success());
    let output = broker.tool(&["topic", "describe", "with-default"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("4 partitions"));
}

#[test]
fn directories_that_cannot_be_used_are_named() {
    let directory = Directory::new();
    let file = directory.join("file");
    fs::write(&file, "not a directory").unwrap();
    for data in [file.clone(), file.join("below"), PathBuf::from("/proc/millrace")] {
        let (status, said) = fails(command(&data, free_port(), &[]));
        assert_eq!(status, 5, "{}: {said}", data.display());
        assert!(said.contains(&data.display().to_string()) && said.contains("log.dirs"), "{said}");
    }
    // One of two is enough.
    let both = format!("log.dirs={},{}", directory.join("good").display(), file.display());
    let broker = Broker::start(&directory.join("unused"), &[&both]);
    assert_eq!(broker.logged(&format!("{} is offline", file.display())), 1, "{:?}", broker.log());
    Client::connect(&broker.address).create_topic("t", 3, &[]);
}

#[test]
fn directories_of_another_broker_are_left_alone() {
    let directory = Directory::new();
    drop(Broker::start(directory.path(), &["node.id=1"]));
    let (status, said) = fails(command(directory.path(), free_port(), &["node.id=2"]));
    assert_eq!(status, 5, "{said}");
    assert!(said.contains("node.id") && said.contains(&directory.path().display().to_string()), "{said}");
    fs::write(directory.join("meta.properties"), "garbage\u{0}\nversion=1\n").unwrap();
    let (status, said) = fails(command(directory.path(), free_port(), &["node.id=1"]));
    assert_eq!(status, 5, "{said}");
    assert!(said.contains("meta.properties"), "{said}");
}

/// A file system of its own, small.
struct Mount(Directory);

impl Mount {
    fn new(options: &str) -> Option<Mount> {
        let directory = Directory::new();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "millrace-test"]).arg(directory.path());
        let output = mount.output().ok()?;
        output.status.success().then_some(Mount(directory))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn mount(options: &str) -> Option<Mount> {
    let mount = if is_root() { Mount::new(options) } else { None };
    if mount.is_none() {
        eprintln!("SKIPPED: a small file system needs root and `mount -t tmpfs`");
    }
    mount
}

#[test]
fn a_read_only_file_system_is_told_so() {
    let Some(mount) = mount("size=1m,ro") else { return };
    let (status, said) = fails(command(&mount.0.join("data"), free_port(), &[]));
    assert_eq!(status, 5, "{said}");
    assert!(said.to_lowercase().contains("read-only"), "{said}");
}

#[test]
fn a_full_disk_is_told_to_producers_and_reads_go_on() {
    let Some(mount) = mount("size=48m") else { return };
    let data = mount.0.join("data");
    let mut broker = Broker::start(&data, &["log.segment.bytes=4194304"]);
    let mut client = Client::connect(&broker.address);
    client.create_topic("full", 1, &[]);
    let value = vec![0x77; 500_000];
    let batch = batch_of(&[&value]);
    let mut acknowledged = 0;
    let refused = wait_for("the disk to be full", || {
        let produced = client.produce("full", -1, &[(0, Some(&batch))]);
        if produced[0].error_code.is_ok() {
            assert_eq!(produced[0].base_offset, acknowledged);
            acknowledged += 1;
            return None;
        }
        Some(produced[0].error_code)
    });
    assert_eq!(refused, ErrorCode::KafkaStorageError);
    assert!(acknowledged > 20, "{acknowledged}");
    for _ in 0..20 {
        let produced = client.produce("full", -1, &[(0, Some(&batch))]);
        assert_eq!(produced[0].error_code, ErrorCode::KafkaStorageError);
    }
    assert_eq!(client.read_all("full", 0).len() as i64, acknowledged, "reads go on");
    wait_for("a line about the disk", || (broker.logged("disk full") > 0).then_some(()));
    assert_eq!(broker.logged("disk full"), 1, "one line: {:?}", broker.log());
    broker.assert_runs();
    // Room, and appends go on without a restart.
    let status = Command::new("mount").args(["-o", "remount,size=96m"]).arg(mount.0.path()).status().unwrap();
    assert!(status.success());
    wait_for("appends to go on", || {
        let produced = client.produce("full", -1, &[(0, Some(&batch))]);
        produced[0].error_code.is_ok().then(|| assert_eq!(produced[0].base_offset, acknowledged))
    });
    let kept = client.read_all("full", 0);
    assert_eq!(kept.len() as i64, acknowledged + 1);
    broker.kill();
    let broker = Broker::start(&data, &[]);
    assert!(Client::connect(&broker.address).read_all("full", 0) == kept, "the same after kill -9");
}

//! Our log beside a real one of Apache Kafka 4.3: the same batches, the same answers, the same files. What Kafka did is in
//! `tests/golden/log`, with the program that asked it.

use crate::disk::{Disk, Files, at};
use millrace::log::batch::Header;
use millrace::log::checkpoints::{self, MetaProperties};
use millrace::log::names::{FileName, SegmentFile};
use millrace::log::producers::Producer;
use millrace::log::{Checkpoints, CleanupPolicy, CompressionConfig, LogConfig, Origin, TimestampType, batch, snapshot};
use millrace::types::{BrokerId, Epoch, Offset, ProducerId, Timestamp, Uuid};
use std::collections::BTreeMap;

const APPEND: &str = include_str!("../golden/log/append.txt");
const FILES: &str = include_str!("../golden/log/files.txt");

fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: u8| (c as char).to_digit(16).unwrap() as u8;
    if text == "-" { Vec::new() } else { text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect() }
}

fn config(settings: &[&str]) -> LogConfig {
    let mut config = LogConfig::default();
    for setting in settings {
        let (key, value) = setting.split_once('=').unwrap();
        let number = || value.parse().unwrap();
        match key {
            "internal.segment.bytes" => config.segment_bytes = number(),
            "index.interval.bytes" => config.index_interval_bytes = number(),
            "segment.index.bytes" => config.segment_index_bytes = number(),
            "max.message.bytes" => config.max_message_bytes = number(),
            "segment.ms" => config.segment_ms = value.parse().unwrap(),
            "message.timestamp.before.max.ms" => config.message_timestamp_before_max_ms = value.parse().unwrap(),
            "message.timestamp.after.max.ms" => config.message_timestamp_after_max_ms = value.parse().unwrap(),
            "message.timestamp.type" => config.message_timestamp_type = TimestampType::LogAppendTime,
            "compression.type" => config.compression = CompressionConfig::Uncompressed,
            "cleanup.policy" => config.cleanup_policy = CleanupPolicy::COMPACT,
            key => panic!("{key}"),
        }
    }
    config
}

/// One log of the file: what was done to it, and what was left.
struct Told {
    name: &'static str,
    config: LogConfig,
    lines: Vec<(&'static str, &'static str)>,
    files: Files,
}

fn told() -> Vec<Told> {
    let mut all: Vec<Told> = Vec::new();
    for line in APPEND.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "log" => {
                let mut words = rest.split(' ');
                let name = words.next().unwrap();
                all.push(Told { name, config: config(&words.collect::<Vec<_>>()), lines: Vec::new(), files: Files::new() });
            }
            "file" => {
                let (name, bytes) = rest.split_once(' ').unwrap();
                all.last_mut().unwrap().files.insert(name.into(), unhex(bytes));
            }
            _ => all.last_mut().unwrap().lines.push((word, rest)),
        }
    }
    all
}

/// Does to a log of ours what was done to Kafka's, and holds each answer against Kafka's.
fn replay(told: &Told) -> Disk {
    let mut disk = Disk::create(told.config.clone(), at(1_700_000_000_000));
    let mut answer = String::new();
    for (word, rest) in &told.lines {
        match *word {
            "lead" => disk.log.lead(Epoch(rest.parse().unwrap())),
            "at" => disk.now = at(rest.parse().unwrap()),
            "append" | "coordinator" => {
                let origin = if *word == "append" { Origin::Client } else { Origin::Coordinator };
                answer = match disk.append(&unhex(rest), origin) {
                    Ok(appended) => {
                        let last = appended.end.0 - 1;
                        format!("{} {last} {}", appended.base_offset, appended.log_append_time.0)
                    }
                    Err(refused) => {
                        let indexes: String = refused.record_errors.iter().map(|error| format!(" {}", error.index)).collect();
                        format!("{}{indexes}", refused.code)
                    }
                };
                disk.settle();
            }
            ">" => {
                let expected = match *rest {
                    // Kafka answers a duplicate with the batch's own time, ours with the answer that got lost.
                    again if again.ends_with(" 1700000000000") => again.replace(" 1700000000000", " -1"),
                    // We know that this one was appended, and say so.
                    "OUT_OF_ORDER_SEQUENCE_NUMBER" if answer == "DUPLICATE_SEQUENCE_NUMBER" => answer.clone(),
                    other => other.into(),
                };
                assert_eq!(answer, expected, "in {}", told.name);
            }
            "end" => {}
            word => panic!("{word}"),
        }
    }
    disk
}

fn newest_of(file: &[u8]) -> BTreeMap<ProducerId, Producer> {
    snapshot::decode(file).expect("a sound snapshot").into_iter().collect()
}

#[test]
fn batches_are_answered_as_kafka_answers_them_and_leave_the_same_files() {
    for told in told() {
        let (files, _) = replay(&told).stop();
        let kept = |files: &Files| -> Vec<String> { files.keys().filter(|name| !name.ends_with(".snapshot")).cloned().collect() };
        let mut ours = kept(&files);
        if !files.contains_key("leader-epoch-checkpoint") {
            ours.push("leader-epoch-checkpoint".into());
        }
        assert_eq!(ours, kept(&told.files), "in {}", told.name);
        for (name, theirs) in &told.files {
            match FileName::parse(name) {
                FileName::Segment { file: SegmentFile::Snapshot, .. } => {
                    let ours = newest_of(files.get(name).unwrap_or_else(|| panic!("{name} in {}", told.name)));
                    let theirs = newest_of(theirs);
                    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
                    for (id, theirs) in theirs {
                        let ours = &ours[&id];
                        // Kafka counts ages from the records' times, ours from when they came.
                        let newest = |producer: &Producer| producer.batches().last().map(|b| (b.last_sequence, b.delta, b.last_offset));
                        assert_eq!(newest(ours), newest(&theirs), "{name} in {}", told.name);
                        assert_eq!(
                            (ours.epoch, ours.txn_start, ours.coordinator_epoch),
                            (theirs.epoch, theirs.txn_start, theirs.coordinator_epoch)
                        );
                    }
                }
                _ => assert_eq!(files.get(name), Some(theirs), "{name} in {}", told.name),
            }
        }
    }
}

/// Kafka's directory, and its checkpoints as they are after a clean stop.
fn kafkas(told: &Told) -> (Files, Checkpoints, Offset) {
    let snapshots = told.files.keys().filter_map(|name| match FileName::parse(name) {
        FileName::Segment { base, file: SegmentFile::Snapshot, .. } => Some(base),
        _ => None,
    });
    let end = snapshots.max().expect("Kafka closes a log with a snapshot");
    let checkpoints = Checkpoints { recovery_point: Some(end), log_start: Some(Offset(0)), clean: true, cut: None };
    (told.files.clone(), checkpoints, end)
}

#[test]
fn a_directory_that_kafka_closed_is_opened_without_a_scan() {
    for told in told().iter().filter(|told| told.files.keys().any(|name| name.ends_with(".snapshot"))) {
        let (files, checkpoints, end) = kafkas(told);
        let opened = Disk::open(files, told.config.clone(), checkpoints, at(1_700_000_001_000));
        assert_eq!((opened.log.end(), opened.scanned, opened.remarks.len()), (end, 0, 0), "{}", told.name);
    }
}

#[test]
fn a_directory_that_kafka_left_in_a_crash_is_recovered_to_what_it_was() {
    for told in told().iter().filter(|told| told.files.keys().any(|name| name.ends_with(".snapshot"))) {
        let (mut files, _, end) = kafkas(told);
        let before = files.clone();
        // As a crash leaves it: indexes mapped at their full size, a preallocated tail, no snapshot of the end.
        files.remove(&SegmentFile::Snapshot.name(end));
        for (name, bytes) in &mut files {
            if name.ends_with("index") {
                bytes.resize(bytes.len() + 4800, 0);
            } else if name.ends_with(".log") && name == before.keys().filter(|name| name.ends_with(".log")).max().unwrap() {
                bytes.resize(bytes.len() + 10_000, 0);
            }
        }
        let opened = Disk::open(files, told.config.clone(), Checkpoints::default(), at(1_700_000_001_000));
        assert_eq!(opened.log.end(), end, "{}: {:#?}", told.name, opened.remarks);
        let producers = newest_of(&before[&SegmentFile::Snapshot.name(end)]);
        assert_eq!(opened.log.producers().map(|p| p.id).collect::<Vec<_>>(), producers.keys().copied().collect::<Vec<_>>());
        let (files, _) = opened.stop();
        for (name, bytes) in before.iter().filter(|(name, _)| name.ends_with(".log") || name.ends_with("index")) {
            assert_eq!(&files[name], bytes, "{name} in {}", told.name);
        }
    }
}

#[test]
fn the_small_files_are_read_and_written_as_kafka_does() {
    let files: BTreeMap<&str, Vec<u8>> = FILES
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            (words[1], unhex(words[2]))
        })
        .collect();
    let uuid = Uuid::parse("MkU3OEVBNTcwNTJENDM2Qg").unwrap();
    let offsets = [(("a.b_c-d".to_owned(), 3), Offset(4711))].into();
    assert_eq!(checkpoints::decode_offsets(&files["recovery-point-offset-checkpoint"]).as_ref(), Some(&offsets));
    assert_eq!(checkpoints::encode_offsets(&offsets), files["recovery-point-offset-checkpoint"]);
    assert_eq!(checkpoints::decode_partition_metadata(&files["partition.metadata"]), Some(uuid));
    assert_eq!(checkpoints::encode_partition_metadata(uuid), files["partition.metadata"]);
    assert_eq!(checkpoints::decode_clean_shutdown(&files[".kafka_cleanshutdown"]), 42);
    assert_eq!(checkpoints::encode_clean_shutdown(42), files[".kafka_cleanshutdown"]);
    let meta = MetaProperties { node: BrokerId(3), directory: uuid };
    assert_eq!(checkpoints::decode_meta_properties(&files["meta.properties"]), Some(("the-cluster".into(), meta)));
}

#[test]
fn every_bit_of_a_batch_is_checked() {
    for told in told().iter().filter(|told| ["codecs", "producers", "segments"].contains(&told.name)) {
        let appends = told.lines.iter().filter(|(word, rest)| *word == "append" && rest.len() < 1600);
        for (_, hex) in appends.take(12) {
            let good = unhex(hex);
            let mut disk = Disk::create(told.config.clone(), at(1_700_000_000_000));
            for bit in 0..good.len() * 8 {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                // The leader's epoch is the broker's to say: what a producer writes there is nothing.
                if (12..16).contains(&(bit / 8)) {
                    continue;
                }
                assert!(disk.append(&bad, Origin::Client).is_err(), "bit {bit} of a batch in {}", told.name);
                assert!(disk.append(&bad, Origin::Replica).is_err() || bit / 8 < 8, "bit {bit} of a batch in {}", told.name);
                assert!(bit / 8 < 8 || disk.log.end() == Offset(0));
                if disk.log.end() > Offset(0) {
                    disk = Disk::create(told.config.clone(), at(1_700_000_000_000));
                }
            }
            for cut in 0..good.len() {
                assert!(disk.append(&good[..cut], Origin::Client).is_err(), "cut at {cut}");
                assert!(disk.append(&good[..cut], Origin::Replica).is_err(), "cut at {cut}");
            }
            // With the CRC made right again, whatever else is wrong is found by other means, or is no harm; never a panic.
            for at in 0..good.len() {
                for value in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut bad = good.clone();
                    bad[at] = value;
                    reseal(&mut bad);
                    if let Ok(appended) = disk.append(&bad, Origin::Client) {
                        let stored = disk.pending.pop_back().map(|pending| pending.bytes);
                        assert!(appended.write.is_none() || batch::crc_holds(&stored.unwrap()));
                        disk = Disk::create(told.config.clone(), crate::disk::at(1_700_000_000_000));
                    }
                }
            }
        }
    }
}

fn reseal(batch: &mut [u8]) {
    let crc = crc32c::crc32c(&batch[batch::CRC_FROM..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    let _ = Header::of(batch).map(|header| header.max_timestamp() > Timestamp::NONE);
}

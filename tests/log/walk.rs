//! A log driven at random, held against a list of batches; crashed at any byte of what was not yet written or synced.

use crate::disk::{Disk, Files, at};
use millrace::log::BatchBuilder;
use millrace::log::batch::{self, Header};
use millrace::log::names::SPARE;
use millrace::log::{
    Checkpoints, CleanupPolicy, CompressionConfig, LogConfig, Origin, ReadAsk, ReadPlan, Scratch, TimeAsk, TimePlan, TimestampType, record,
};
use millrace::types::{Epoch, Offset, ProducerId, Timestamp};
use std::collections::BTreeMap;

/// What Rust's standard library does not have: numbers that are the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    pub fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound.max(1)
    }
    pub fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }
}

#[derive(Clone)]
struct Stored {
    base: i64,
    end: i64,
    bytes: Vec<u8>,
    /// Timestamp of each record.
    times: Vec<i64>,
}

#[derive(Clone, Default)]
struct Sender {
    next: i32,
    /// Its last batches: what it sent, and where it went.
    sent: Vec<(Vec<u8>, i64)>,
}

struct Walk {
    disk: Disk,
    random: Random,
    config: LogConfig,
    /// Everything appended and not deleted, in order.
    model: Vec<Stored>,
    log_start: i64,
    senders: BTreeMap<i64, Sender>,
    /// Of the flushes: what a power cut must not take.
    flushed_end: i64,
}

impl Walk {
    fn new(seed: u64) -> Walk {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        let mut config = LogConfig {
            segment_bytes: [700, 3000, 20_000, 400_000][random.below(4) as usize],
            segment_index_bytes: [96, 10 << 20][random.below(2) as usize],
            index_interval_bytes: [0, 100, 4096][random.below(3) as usize],
            segment_ms: [500, 1_000_000][random.below(2) as usize],
            segment_jitter_ms: random.below(300),
            retention_ms: None,
            ..LogConfig::default()
        };
        if random.chance(3) {
            config.message_timestamp_type = TimestampType::LogAppendTime;
        }
        if random.chance(4) {
            config.compression = [CompressionConfig::Zstd(1), CompressionConfig::Uncompressed][random.below(2) as usize];
        }
        let disk = Disk::create(config.clone(), at(10_000));
        Walk { disk, random, config, model: Vec::new(), log_start: 0, senders: BTreeMap::new(), flushed_end: 0 }
    }

    fn end(&self) -> i64 {
        self.model.last().map_or(self.disk.log.end().0, |stored| stored.end)
    }

    fn batch(&mut self, producer: Option<(i64, i32)>) -> (Vec<u8>, Vec<i64>) {
        let mut builder = BatchBuilder::new();
        if let Some((id, sequence)) = producer {
            builder = builder.producer(ProducerId(id), 0, sequence);
        }
        let mut times = Vec::new();
        let most = if self.config.segment_bytes > 100_000 { 3 } else { 8 };
        for nth in 0..1 + self.random.below(most) {
            let time = self.disk.now.wall.0 - 200 + self.random.below(400) as i64;
            let value = vec![nth as u8; self.random.below(60) as usize];
            builder.push_with(Timestamp(time), Some(b"key"), Some(&value), &[(b"h", None)]);
            times.push(time);
        }
        let how = match self.random.below(8) {
            0 => CompressionConfig::Gzip(1),
            1 => CompressionConfig::Snappy,
            2 => CompressionConfig::Lz4(1),
            3 => CompressionConfig::Zstd(1),
            _ => CompressionConfig::Uncompressed,
        };
        (builder.build_with(how), times)
    }

    fn append(&mut self) {
        let id = self.random.below(6) as i64;
        let producer = (id < 3).then(|| (id, self.senders.entry(id).or_default().next));
        let (bytes, mut times) = self.batch(producer);
        let base = self.end();
        let appended = self.disk.append(&bytes, Origin::Client).expect("a good batch");
        assert_eq!((appended.base_offset.0, appended.end.0), (base, base + times.len() as i64));
        if self.config.message_timestamp_type == TimestampType::LogAppendTime {
            times.fill(self.disk.now.wall.0);
            assert_eq!(appended.log_append_time, self.disk.now.wall);
        }
        let stored = self.disk.pending.back().expect("it waits to be written").bytes.clone();
        self.check_stored(&stored, base, &times);
        self.model.push(Stored { base, end: appended.end.0, bytes: stored, times: times.clone() });
        if let Some((id, sequence)) = producer {
            let sender = self.senders.get_mut(&id).unwrap();
            sender.next = sequence + times.len() as i32;
            sender.sent.push((bytes, base));
        }
    }

    /// What is stored is a sound batch with these offsets and times.
    fn check_stored(&self, stored: &[u8], base: i64, times: &[i64]) {
        let header = Header::of(stored).unwrap();
        assert!(batch::crc_holds(stored) && header.is_sane());
        assert_eq!((header.base_offset().0, header.end().0), (base, base + times.len() as i64));
        assert_eq!(header.leader_epoch(), Epoch(self.disk.log.leader_epoch().map_or(-1, |epoch| epoch.0)));
        assert_eq!(header.max_timestamp().0, *times.iter().max().unwrap());
        let mut scratch = Scratch::new();
        let plain = scratch.decompress(header.codec().unwrap(), &stored[batch::HEADER_LEN..], 1 << 20).unwrap();
        assert_eq!(record::records(plain).count(), times.len());
    }

    /// A sender did not hear the answer to one of its last batches.
    fn retry(&mut self) {
        let id = self.random.below(3) as i64;
        let Some(sender) = self.senders.get(&id).filter(|sender| !sender.sent.is_empty()) else { return };
        let back = 1 + self.random.below(5.min(sender.sent.len() as u64)) as usize;
        let (bytes, base) = sender.sent[sender.sent.len() - back].clone();
        let end = self.disk.log.end();
        let appended = self.disk.append(&bytes, Origin::Client).expect("a retry is no error");
        assert!(appended.write.is_none(), "a retry is not appended");
        assert_eq!((appended.base_offset.0, self.disk.log.end()), (base, end));
    }

    fn read(&mut self) {
        let (start, end) = (self.log_start, self.disk.log.end().0);
        let offset = start - 2 + self.random.below((end - start + 5) as u64) as i64;
        let written = self.disk.log.written_end().0;
        let boundaries: Vec<i64> = self.model.iter().map(|stored| stored.end).filter(|end| *end <= written).collect();
        let upper = if self.random.chance(3) && !boundaries.is_empty() {
            boundaries[self.random.below(boundaries.len() as u64) as usize]
        } else {
            written
        };
        self.read_at(offset, upper);
    }

    /// Reads, checks, and goes on where the answer ended, a few times.
    fn read_at(&mut self, mut offset: i64, upper: i64) {
        for _ in 0..1 + self.random.below(6) {
            let bytes_max = [1, 61, 300, 2000, 1 << 20][self.random.below(5) as usize];
            let at_least_one = !self.random.chance(4);
            let ask = ReadAsk { offset: Offset(offset), bytes_max, upper: Offset(upper), at_least_one };
            let (plan, bytes, _) = self.disk.read(&ask);
            let expected: Vec<&Stored> = self.model.iter().filter(|stored| stored.end > offset && stored.end <= upper).collect();
            match plan {
                ReadPlan::OutOfRange => {
                    assert!(offset < self.log_start || offset > self.disk.log.end().0, "{ask:?}");
                    return;
                }
                ReadPlan::AtEnd => {
                    assert!(offset >= upper && offset <= self.disk.log.end().0, "{ask:?}, {upper}");
                    return;
                }
                ReadPlan::DoesNotFit => {
                    assert!(!at_least_one && expected[0].bytes.len() > bytes_max as usize);
                    return;
                }
                ReadPlan::Bytes(span) => {
                    let mut length = 0;
                    let mut got = 0;
                    for (header, batch) in batch::batches(&bytes) {
                        assert_eq!(batch, expected[got].bytes, "{ask:?} {span:?} at offset {}", header.base_offset());
                        length += batch.len();
                        got += 1;
                    }
                    assert_eq!(length, bytes.len(), "whole batches: {ask:?} {span:?}");
                    assert!(got == 1 && at_least_one || length <= bytes_max as usize, "{ask:?} {span:?}");
                    assert!(got > 0);
                    offset = expected[got - 1].end;
                    if let Some(next) = span.next {
                        assert_eq!(next.0, offset);
                    }
                }
                plan => panic!("{ask:?}: {plan:?}"),
            }
        }
    }

    fn search(&mut self) {
        let written = self.disk.log.written_end().0;
        let ask = match self.random.below(8) {
            0 => TimeAsk::Max,
            _ => TimeAsk::AtOrAfter(Timestamp(self.disk.now.wall.0 - self.random.below(3000) as i64)),
        };
        let all = || {
            let readable = self.model.iter().filter(|stored| stored.end <= written);
            let records = readable.flat_map(|stored| stored.times.iter().enumerate().map(|(nth, time)| (stored.base + nth as i64, *time)));
            records.filter(|(offset, _)| *offset >= self.log_start)
        };
        let target = match ask {
            TimeAsk::AtOrAfter(time) => time.0,
            // Of everything appended, and of segments that still lie there below the log start.
            TimeAsk::Max => match self.model.iter().flat_map(|stored| &stored.times).max() {
                Some(max) => *max,
                None => return,
            },
        };
        let expected = all().find(|(_, time)| *time >= target);
        match self.disk.offset_for_time(&ask) {
            TimePlan::Found(found) => assert_eq!(Some((found.offset.0, found.timestamp.0)), expected, "{ask:?}"),
            TimePlan::NotFound => assert_eq!(None, expected, "{ask:?}"),
            plan => panic!("{ask:?}: {plan:?}"),
        }
    }

    fn shorten(&mut self) {
        self.disk.write_all();
        let high_watermark = self.disk.log.written_end();
        if self.random.chance(2) {
            let span = (high_watermark.0 - self.log_start) as u64;
            let offset = self.log_start + self.random.below(span / 2 + 1) as i64;
            assert_eq!(self.disk.log.delete_records(Some(Offset(offset)), high_watermark), Ok(Offset(offset)));
        } else {
            let max = self.random.below(self.disk.log.bytes() * 2 + 1);
            self.disk.log.configure(LogConfig { retention_bytes: Some(max), ..self.config.clone() }.into());
        }
        self.disk.retention(high_watermark);
        self.disk.log.configure(self.config.clone().into());
        self.log_start = self.disk.log.log_start().0;
        let first = self.disk.log.segments().next().unwrap().base.0;
        self.model.retain(|stored| stored.end > first);
        self.flushed_end = self.flushed_end.max(first);
        self.disk.checkpoint();
    }

    fn flush(&mut self) {
        if self.disk.flush() {
            self.flushed_end = self.disk.log.recovery_point().0;
        }
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..40 => self.append(),
            40..55 => drop(self.disk.write_one()),
            55..57 => self.disk.write_all(),
            57..60 => self.flush(),
            60..63 => drop(self.disk.rename()),
            63..68 => {
                let min = 1 + self.random.below(5) as u32;
                self.disk.write_index(min);
            }
            68..70 => drop(self.disk.write_snapshot()),
            70 => self.disk.log.snapshot_begin(),
            71 => self.disk.write_epochs(),
            72..75 => self.retry(),
            75..87 => self.read(),
            87..92 => self.search(),
            92 => self.shorten(),
            93 => self.disk.checkpoint(),
            94 => {
                let epoch = self.disk.log.leader_epoch().map_or(0, |epoch| epoch.0) + 1;
                self.disk.log.lead(Epoch(epoch));
            }
            95 => self.disk.log.idle(),
            _ => {
                let ms = self.disk.now.wall.0 + 1 + self.random.below(50) as i64;
                self.disk.now = at(ms);
            }
        }
    }

    // ---- ends

    /// The process ends; what was written stays. Every write that was under way may have gone some way.
    fn kill(&mut self) -> (Files, Checkpoints) {
        if let Some(write) = self.disk.pending.front().cloned()
            && self.random.chance(2)
        {
            let len = self.random.below(write.bytes.len() as u64 + 1) as usize;
            self.disk.write_part(&write, len);
        }
        let mut files = std::mem::take(&mut self.disk.files);
        if let Some(spare) = files.get(SPARE)
            && spare.is_empty()
            && self.random.chance(2)
        {
            files.insert(SPARE.into(), vec![0; 4096]);
        }
        (files, self.disk.checkpoints)
    }

    /// The power goes: of what was not synced, any end may be missing or zero.
    fn cut_power(&mut self) -> (Files, Checkpoints) {
        let (mut files, checkpoints) = self.kill();
        for (name, bytes) in &mut files {
            let durable = self.disk.durable.get(name).copied().unwrap_or(0).min(bytes.len());
            if name.ends_with(".snapshot") || name.ends_with("checkpoint") || name == SPARE && durable == 0 {
                continue;
            }
            let at = durable + self.random.below((bytes.len() - durable) as u64 + 1) as usize;
            match self.random.below(3) {
                0 => bytes.truncate(at),
                1 => bytes[at..].fill(0),
                _ => {}
            }
        }
        (files, checkpoints)
    }

    /// Opens again, and compares. `kept_end`: below it nothing may be missing.
    fn reopen(&mut self, files: Files, checkpoints: Checkpoints, kept_end: i64) {
        let was_epochs = self.disk.log.epochs().to_vec();
        let log_start = checkpoints.log_start.unwrap_or(Offset(0)).0;
        self.disk = Disk::open(files, self.config.clone(), checkpoints, self.disk.now);
        let end = self.disk.log.end().0;
        let steps = &self.disk.recovery_steps;
        assert!(end >= kept_end, "the log ends at {end}, {kept_end} was promised: {:#?} {steps:#?}", self.disk.remarks);
        self.model.retain(|stored| stored.end <= end);
        assert!(
            self.disk.log.log_start().0 == end || self.model.last().unwrap().end == end,
            "the log ends between two batches, at {end}: {:#?}",
            self.disk.remarks
        );
        let first = self.disk.log.segments().next().unwrap().base.0;
        self.log_start = self.disk.log.log_start().0;
        assert!(self.log_start == log_start.max(first).min(end), "{} {log_start} {first}", self.log_start);
        self.model.retain(|stored| stored.end > first);
        assert_eq!(self.disk.log.written_end().0, end);
        let epochs = self.disk.log.epochs().to_vec();
        let expected: Vec<_> = was_epochs.into_iter().filter(|(_, start)| start.0 < end && start.0 > self.log_start).collect();
        let got: Vec<_> = epochs.into_iter().filter(|(_, start)| start.0 > self.log_start).collect();
        assert_eq!(got, expected);
        if let Some(epoch) = self.disk.log.leader_epoch() {
            self.disk.log.lead(epoch);
        }
        // Senders send again what they have no answer to, and go on.
        for (id, sender) in &mut self.senders {
            // What retention took is not known any more, unless a snapshot happened to say so.
            sender.sent.retain(|(_, base)| (first..end).contains(base));
            let sent = sender.sent.last().map(|(bytes, _)| Header::of(bytes).unwrap());
            sender.next = match sent {
                Some(header) => header.base_sequence.get() + header.records_count.get(),
                // All that it sent is gone, or never arrived: as it stands with the broker.
                None => self.disk.log.producers().find(|p| p.id.0 == *id).map_or(0, |p| p.last_sequence + 1),
            };
        }
        self.flushed_end = self.disk.log.recovery_point().0;
        self.disk.settle();
        self.flush();
        // All of it can be read.
        let mut offset = self.log_start;
        while offset < end {
            let ask = ReadAsk { offset: Offset(offset), bytes_max: 5000, upper: Offset(end), at_least_one: true };
            let (plan, bytes, _) = self.disk.read(&ask);
            let ReadPlan::Bytes(_) = plan else { panic!("{ask:?} {plan:?} {:#?}", self.disk.remarks) };
            for (header, batch) in batch::batches(&bytes) {
                let stored = self.model.iter().find(|stored| stored.base == header.base_offset().0).expect("a batch we know");
                assert_eq!(stored.bytes, batch);
                offset = stored.end;
            }
        }
        for _ in 0..5 {
            self.search();
        }
    }
}

const SEEDS: u64 = 40;
const STEPS: u32 = 1500;

/// Walks each seed; `LOG_SEED=17` walks only that one.
fn walk(seeds: std::ops::Range<u64>, ends: impl Fn(&mut Walk)) {
    let only = std::env::var("LOG_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = only.map_or(seeds, |seed| seed..seed + 1);
    for seed in seeds {
        // The seed is in the output of a test that fails.
        println!("seed {seed}");
        let mut walk = Walk::new(seed);
        for _ in 0..3 {
            let steps = walk.random.below(u64::from(STEPS));
            for _ in 0..steps {
                walk.step();
            }
            ends(&mut walk);
        }
    }
}

#[test]
fn a_log_is_what_was_appended_to_it_and_a_clean_stop_keeps_all_without_a_scan() {
    walk(0..SEEDS, |walk| {
        walk.disk.write_all();
        let end = walk.disk.log.end().0;
        let disk = std::mem::replace(&mut walk.disk, Disk::create(walk.config.clone(), at(10_000)));
        let (now, epochs) = (disk.now, disk.log.epochs().to_vec());
        let (files, checkpoints) = disk.stop();
        let files_before = files.clone();
        let opened = Disk::open(files, walk.config.clone(), checkpoints, now);
        assert_eq!(opened.scanned, 0, "{:#?}", opened.recovery_steps);
        assert_eq!(opened.remarks, Vec::<String>::new());
        assert_eq!(opened.log.end().0, end);
        assert_eq!(opened.log.recovery_point().0, end);
        let epochs: Vec<_> = epochs.into_iter().filter(|(_, start)| start.0 < end).collect();
        assert_eq!(opened.log.epochs(), epochs);
        walk.disk = opened;
        walk.reopen(files_before, checkpoints, end);
    });
}

#[test]
fn a_killed_process_loses_nothing_that_was_written() {
    walk(1000..1000 + SEEDS, |walk| {
        let written = walk.disk.log.written_end().0;
        let (files, checkpoints) = walk.kill();
        walk.reopen(files, checkpoints, written);
    });
}

#[test]
fn a_power_cut_loses_nothing_that_was_flushed() {
    walk(2000..2000 + SEEDS, |walk| {
        let flushed = walk.flushed_end;
        let (files, checkpoints) = walk.cut_power();
        walk.reopen(files, checkpoints, flushed);
    });
}

#[test]
fn a_compacted_topic_takes_only_records_with_keys() {
    let mut config = LogConfig { cleanup_policy: CleanupPolicy::COMPACT, ..LogConfig::default() };
    config.segment_bytes = 1000;
    let mut disk = Disk::create(config, at(1000));
    let mut keyless = BatchBuilder::new();
    keyless.push(Timestamp(1000), None, None);
    let keyless = keyless.build();
    let refused = disk.append(&keyless, Origin::Client).unwrap_err();
    assert_eq!(refused.record_errors.len(), 1);
}

//! The metadata log of a quorum of one: what is proposed, what is durable, and the files it lies in.
//!
//! ```text
//!  decide on latest() ──▶ propose ──▶ Write ──▶ disk ──▶ written(end) ──▶ committed Arc<Image> to every core
//!                            │
//!                            └──▶ latest image: the next decision already sees it
//!
//!  __cluster_metadata-0/
//!    00000000000000000000.log                  offsets 0 … 4710
//!    00000000000000004711-0000000003.checkpoint    what they come to: makes the file before it superfluous
//!    00000000000000004711.log                  from there on; the next write goes to its end
//! ```
//!
//! A write is acknowledged once it is durable. A crash tears at most the end of the last file: what is whole stays.

use super::framing::{self, Content, Damaged};
use super::image::Image;
use super::records::Record;
use super::snapshot;
use crate::types::{BrokerId, Epoch, Offset, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;

/// The folder of the metadata log in its log directory.
pub const DIRECTORY: &str = "__cluster_metadata-0";

/// Owned by the control shard.
///
/// Holds between any two calls:
/// - `committed.end <= latest.end`, and `pending` are the images in between, oldest first
/// - `active` is where `latest.end` will be written
#[derive(Debug)]
pub struct Quorum {
    epoch: Epoch,
    latest: Arc<Image>,
    committed: Arc<Image>,
    pending: VecDeque<Arc<Image>>,
    active: LogFile,
    /// Closed log files, oldest first, with the offset after each.
    closed: Vec<(LogFile, Offset)>,
    /// Of the last whole snapshot.
    snapshot: Option<(Offset, Epoch)>,
    /// Being written.
    snapshot_begun: Option<(Offset, Epoch)>,
    /// Bytes of log since the last snapshot.
    bytes_since_snapshot: u64,
    snapshot_bytes: u64,
}

/// A log shorter than this is replayed in no time and needs no snapshot.
const SNAPSHOT_AFTER_BYTES_MIN: u64 = 1 << 20;
/// Log since the last snapshot, in sizes of that. Raising it makes starts longer and snapshots rarer.
const SNAPSHOT_AFTER_SNAPSHOTS: u64 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LogFile {
    base: Offset,
    bytes: u64,
}

impl LogFile {
    fn name(self) -> String {
        format!("{:020}.log", self.base.0)
    }

    fn parse(name: &str) -> Option<Offset> {
        let digits = name.strip_suffix(".log")?;
        let plain = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse().ok().map(Offset)).flatten()
    }
}

/// Bytes to append to a file of [`DIRECTORY`] and make durable; then [`Quorum::written`]. Writes are carried out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Made if it is not there.
    pub file: String,
    pub position: u64,
    pub bytes: Vec<u8>,
    /// Offset after it.
    pub end: Offset,
}

/// A snapshot to write under a name of its own ending (`.part`), make durable, and rename; then
/// [`Quorum::snapshot_written`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub file: String,
    pub bytes: Vec<u8>,
}

impl Quorum {
    /// What was decided last, durable or not: decide on this.
    pub fn latest(&self) -> &Image {
        &self.latest
    }

    /// What is durable: serve from this.
    pub fn committed(&self) -> &Arc<Image> {
        &self.committed
    }

    /// Epoch of this leader of the quorum; a new one with every start.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Takes a decision into the log. There is at least one record. They follow from [`Quorum::latest`], so they apply.
    pub fn propose(&mut self, now: Timestamp, records: &[Record]) -> Write {
        let base = self.latest.end;
        let mut image = Image::clone(&self.latest);
        for record in records {
            image.apply(record).unwrap_or_else(|why| panic!("a decision contradicts its image: {}", why.0));
        }
        image.epoch = self.epoch;
        let bytes = framing::batch_of(base, self.epoch, now, records);
        let write = Write { file: self.active.name(), position: self.active.bytes, bytes, end: image.end };
        self.active.bytes += length(&write.bytes);
        self.bytes_since_snapshot += length(&write.bytes);
        self.latest = Arc::new(image);
        self.pending.push_back(self.latest.clone());
        write
    }

    /// Everything before `end` is durable. The image to publish, unless it has been.
    pub fn written(&mut self, end: Offset) -> Option<Arc<Image>> {
        assert!(end <= self.latest.end, "what was not proposed is not durable");
        let durable = self.pending.iter().take_while(|image| image.end <= end).count();
        let newest = self.pending.drain(..durable).next_back()?;
        self.committed = newest.clone();
        Some(newest)
    }

    /// A snapshot, if the log has grown by `bytes_max` (or enough to make starts slow) since the last one, none is being written, and nothing is on its way
    /// to the disk: the log goes on in a new file at once, and only the last file may be torn by a crash.
    pub fn snapshot_due(&mut self, now: Timestamp, bytes_max: u64) -> Option<Snapshot> {
        let last = self.snapshot.map_or(Offset(0), |(end, _)| end);
        let worth_it = SNAPSHOT_AFTER_BYTES_MIN.max(self.snapshot_bytes.saturating_mul(SNAPSHOT_AFTER_SNAPSHOTS));
        let busy = self.snapshot_begun.is_some() || !self.pending.is_empty();
        if busy || self.bytes_since_snapshot < bytes_max.min(worth_it) || self.committed.end <= last {
            return None;
        }
        let image = &self.committed;
        self.snapshot_begun = Some((image.end, image.epoch));
        let snapshot = Snapshot { file: snapshot::name(image.end, image.epoch), bytes: snapshot::encode(image, now) };
        self.snapshot_bytes = length(&snapshot.bytes);
        if self.active.bytes > 0 {
            self.closed.push((self.active, self.latest.end));
            self.active = LogFile { base: self.latest.end, bytes: 0 };
        }
        self.bytes_since_snapshot = 0;
        Some(snapshot)
    }

    /// The snapshot is durable under its own name. Files that nobody needs any more, to be deleted at leisure.
    pub fn snapshot_written(&mut self) -> Vec<String> {
        let written = self.snapshot_begun.take().expect("a snapshot was begun");
        let mut superfluous: Vec<String> =
            self.snapshot.replace(written).map(|(end, epoch)| snapshot::name(end, epoch)).into_iter().collect();
        let (needless, needed) = self.closed.iter().partition(|(_, end)| *end <= written.0);
        self.closed = needed;
        let needless: Vec<(LogFile, Offset)> = needless;
        superfluous.extend(needless.into_iter().map(|(file, _)| file.name()));
        superfluous
    }

    /// The snapshot could not be written; the log has all that would have been in it.
    pub fn snapshot_failed(&mut self) {
        self.snapshot_begun = None;
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).expect("lengths fit into 64 bits")
}

/// Brings the log back from its files: ask which to read next, hand in its bytes, until there is none.
#[derive(Debug)]
pub struct Recovery {
    image: Image,
    /// Candidates, the newest last.
    snapshots: Vec<(Offset, Epoch)>,
    /// To be read, the oldest last.
    logs: Vec<Offset>,
    chosen: Option<(Offset, Epoch)>,
    snapshot_bytes: u64,
    read: Vec<(LogFile, Offset)>,
    truncate: Option<(String, u64)>,
    delete: Vec<String>,
    notes: Vec<String>,
}

/// The log, and what is to be done to its files before the first write.
#[derive(Debug)]
pub struct Recovered {
    pub quorum: Quorum,
    /// A file whose torn end is to be cut to this length and made durable.
    pub truncate: Option<(String, u64)>,
    /// Files that nobody needs.
    pub delete: Vec<String>,
    /// For the log: what was found that a person may want to know.
    pub notes: Vec<String>,
}

impl Recovery {
    /// `names` are all files of [`DIRECTORY`], in any order; none for a new cluster.
    pub fn new(cluster_id: &str, node: BrokerId, names: &[String]) -> Recovery {
        let mut snapshots: Vec<(Offset, Epoch)> = names.iter().filter_map(|name| snapshot::parse_name(name)).collect();
        snapshots.sort();
        let mut logs: Vec<Offset> = names.iter().filter_map(|name| LogFile::parse(name)).collect();
        logs.sort();
        logs.reverse();
        Recovery {
            image: Image::new(cluster_id, node),
            snapshots,
            logs,
            chosen: None,
            snapshot_bytes: 0,
            read: Vec::new(),
            truncate: None,
            delete: names.iter().filter(|name| name.ends_with(".part")).cloned().collect(),
            notes: Vec::new(),
        }
    }

    /// The file to read whole and hand to [`Recovery::feed`]; `None` when all is known.
    pub fn next_file(&self) -> Option<String> {
        match (self.chosen, self.snapshots.last(), self.logs.last()) {
            (None, Some((end, epoch)), _) => Some(snapshot::name(*end, *epoch)),
            (_, _, Some(base)) => Some(LogFile { base: *base, bytes: 0 }.name()),
            _ => None,
        }
    }

    /// The bytes of [`Recovery::next_file`]. An error means that the log cannot be trusted: start from a copy of it.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Damaged> {
        match (self.chosen, self.snapshots.pop()) {
            (None, Some(candidate)) => self.feed_snapshot(candidate, bytes),
            _ => {
                let base = self.logs.pop().expect("a file was asked for");
                self.feed_log(base, bytes)
            }
        }
    }

    fn feed_snapshot(&mut self, (end, epoch): (Offset, Epoch), bytes: &[u8]) -> Result<(), Damaged> {
        match snapshot::decode(bytes, &self.image, end, epoch)? {
            Some(image) => {
                self.image = image;
                self.chosen = Some((end, epoch));
                self.snapshot_bytes = length(bytes);
                let older = std::mem::take(&mut self.snapshots);
                self.delete.extend(older.into_iter().map(|(end, epoch)| snapshot::name(end, epoch)));
            }
            None => {
                self.notes.push(format!("the snapshot {} is not whole; using what came before it", snapshot::name(end, epoch)));
                self.delete.push(snapshot::name(end, epoch));
            }
        }
        Ok(())
    }

    fn feed_log(&mut self, base: Offset, bytes: &[u8]) -> Result<(), Damaged> {
        let found = framing::read(bytes)?;
        let file = LogFile { base, bytes: found.whole_bytes };
        let begins = found.batches.first().map_or(base, |batch| batch.base);
        if begins != base {
            return Err(Damaged { at: 0, why: format!("{} begins with offset {begins}", file.name()) });
        }
        if base > self.image.end {
            return Err(Damaged { at: 0, why: format!("offsets {} … {base} are missing before {}", self.image.end, file.name()) });
        }
        if found.torn_bytes > 0 {
            let note = format!("{}: cut {} bytes of a write that a crash tore; it was never acknowledged", file.name(), found.torn_bytes);
            self.notes.push(note);
            self.truncate = Some((file.name(), found.whole_bytes));
        }
        let end = found.batches.last().map_or(base, |batch| batch.end);
        let known = self.image.end;
        for batch in found.batches.iter().filter(|batch| batch.base >= known) {
            if let Content::Records(records) = &batch.content {
                for record in records {
                    self.image.apply(record).map_err(|inconsistent| Damaged { at: 0, why: inconsistent.0 })?;
                }
            }
            self.image.end = batch.end;
            self.image.epoch = batch.epoch;
        }
        self.read.push((file, end));
        Ok(())
    }

    /// When there is no file left to read.
    pub fn finish(mut self) -> Recovered {
        assert!(self.next_file().is_none(), "every file is read first");
        let after_snapshot = self.chosen.map_or(Offset(0), |(end, _)| end);
        let active = match self.read.pop() {
            Some((file, end)) if end == self.image.end => file,
            other => {
                self.read.extend(other);
                LogFile { base: self.image.end, bytes: 0 }
            }
        };
        let needless = |(_, end): &&(LogFile, Offset)| *end <= after_snapshot;
        self.delete.extend(self.read.iter().filter(needless).map(|(file, _)| file.name()));
        self.read.retain(|(_, end)| *end > after_snapshot);
        let bytes_since_snapshot = active.bytes + self.read.iter().map(|(file, _)| file.bytes).sum::<u64>();
        let epoch = Epoch(self.image.epoch.0 + 1);
        let image = Arc::new(self.image);
        Recovered {
            quorum: Quorum {
                epoch,
                latest: image.clone(),
                committed: image,
                pending: VecDeque::new(),
                active,
                closed: self.read,
                snapshot: self.chosen,
                snapshot_begun: None,
                bytes_since_snapshot,
                snapshot_bytes: self.snapshot_bytes,
            },
            truncate: self.truncate.filter(|(name, _)| !self.delete.contains(name)),
            delete: self.delete,
            notes: self.notes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::{Random, World};
    use crate::metadata::{NewTopic, create_topics};
    use std::collections::BTreeMap;

    type Files = BTreeMap<String, Vec<u8>>;

    fn recover(files: &Files) -> Result<Recovered, Damaged> {
        let names: Vec<String> = files.keys().cloned().collect();
        let mut recovery = Recovery::new("cluster", BrokerId(0), &names);
        while let Some(name) = recovery.next_file() {
            recovery.feed(&files[&name])?;
        }
        Ok(recovery.finish())
    }

    /// As the shell does it before the first write.
    fn settle(files: &mut Files) -> Quorum {
        let recovered = recover(files).unwrap();
        if let Some((name, length)) = recovered.truncate {
            files.get_mut(&name).unwrap().truncate(usize::try_from(length).unwrap());
        }
        for name in recovered.delete {
            assert!(files.remove(&name).is_some(), "{name} is there");
        }
        recovered.quorum
    }

    fn append(files: &mut Files, write: &Write) {
        let file = files.entry(write.file.clone()).or_default();
        assert_eq!(file.len() as u64, write.position, "a log has no holes");
        file.extend_from_slice(&write.bytes);
    }

    /// Records of a new topic, or of some setting.
    fn decide(world: &mut World, image: &Image, step: u64) -> Vec<Record> {
        world.image = image.clone();
        if step % 3 == 0 || image.broker(BrokerId(0)).is_none() {
            return world.decide(|cx| crate::metadata::start(cx, &crate::metadata::tests::registration()));
        }
        let topic = NewTopic { name: format!("t{step}"), num_partitions: 2, replication_factor: 1, ..NewTopic::default() };
        let decision = world.decide(|cx| create_topics(cx, &[topic], false));
        assert!(decision.answers[0].is_ok());
        decision.records
    }

    /// Images after each of `steps` decisions, with the length of the log there, and the log.
    fn history(steps: u64) -> (Vec<(usize, Image)>, Files) {
        let mut world = World::new(2);
        let mut files = Files::new();
        let mut quorum = settle(&mut files);
        let mut images = vec![(0, quorum.latest().clone())];
        for step in 0..steps {
            let records = decide(&mut world, &quorum.latest().clone(), step);
            let write = quorum.propose(Timestamp(i64::try_from(step).unwrap()), &records);
            append(&mut files, &write);
            let published = quorum.written(write.end).unwrap();
            assert_eq!(&*published, quorum.latest());
            images.push((files[&write.file].len(), quorum.latest().clone()));
        }
        (images, files)
    }

    const LOG: &str = "00000000000000000000.log";

    #[test]
    fn after_a_crash_at_any_byte_every_whole_decision_is_there_and_writing_goes_on() {
        let (images, files) = history(8);
        let whole = &files[LOG];
        for cut in 0..=whole.len() {
            let mut files = Files::from([(LOG.to_string(), whole[..cut].to_vec())]);
            let (kept, expected) = images.iter().rev().find(|(length, _)| *length <= cut).unwrap();
            let mut quorum = settle(&mut files);
            assert_eq!(quorum.latest(), expected, "cut at {cut}");
            assert_eq!(files[LOG].len(), *kept);
            let mut world = World::new(2);
            let records = decide(&mut world, &expected.clone(), 1000);
            let write = quorum.propose(Timestamp(9), &records);
            append(&mut files, &write);
            let again = settle(&mut files);
            assert_eq!(again.latest(), quorum.latest());
            assert!(again.epoch() > quorum.epoch());
        }
    }

    #[test]
    fn a_tail_of_zeros_or_garbage_is_cut_like_a_torn_one() {
        let (images, files) = history(3);
        for tail in [vec![0; 5000], vec![0xff; 100], b"PK\x03\x04 something else".to_vec()] {
            let mut longer = files.clone();
            longer.get_mut(LOG).unwrap().extend(tail);
            assert_eq!(settle(&mut longer).latest(), &images.last().unwrap().1);
            assert_eq!(longer, files);
        }
    }

    /// The leader epoch is outside of the CRC, as in every log of Kafka's.
    #[test]
    fn damage_before_the_last_decision_is_told_and_nothing_is_thrown_away() {
        let (images, files) = history(5);
        let starts: Vec<usize> = images.iter().map(|(length, _)| *length).collect();
        let last = starts[starts.len() - 2];
        for at in 0..files[LOG].len() {
            let batch = starts.iter().rev().find(|start| **start <= at).unwrap();
            if (12..16).contains(&(at - batch)) {
                continue;
            }
            let mut damaged = files.clone();
            damaged.get_mut(LOG).unwrap()[at] ^= 0x10;
            match recover(&damaged) {
                Err(_) => {}
                Ok(recovered) => {
                    assert!(at >= last, "byte {at}");
                    assert_eq!(recovered.quorum.latest(), &images[images.len() - 2].1, "byte {at}");
                }
            }
        }
    }

    #[test]
    fn decisions_see_each_other_before_they_are_durable_and_readers_see_them_after() {
        let mut world = World::new(1);
        let mut quorum = settle(&mut Files::new());
        let mut ends = Vec::new();
        for step in 0..4 {
            let records = decide(&mut world, &quorum.latest().clone(), step);
            ends.push(quorum.propose(Timestamp(0), &records).end);
        }
        assert_eq!(quorum.latest().topics_count(), 2);
        assert_eq!(quorum.committed().topics_count(), 0);
        assert_eq!(quorum.written(ends[1]).unwrap().topics_count(), 1);
        assert_eq!(quorum.written(ends[1]), None, "published once");
        assert_eq!(quorum.written(ends[3]).unwrap().topics_count(), 2);
        assert!(std::ptr::eq(quorum.latest(), &**quorum.committed()));
    }

    /// Writes with snapshots as the shell does them, crashing after every step of a file, and within every write.
    #[test]
    fn snapshots_keep_the_log_short_and_no_crash_loses_a_decision() {
        let mut longest = 0;
        for seed in 0..60 {
            let mut random = Random(seed);
            let mut world = World::new(2);
            let mut files = Files::new();
            let mut quorum = settle(&mut files);
            let mut durable = quorum.latest().clone();
            for step in 0..60 {
                let records = decide(&mut world, &quorum.latest().clone(), step * 7 + 1);
                let write = quorum.propose(Timestamp(0), &records);
                if random.below(10) == 0 {
                    let torn = random.below(write.bytes.len() as u64) as usize;
                    append(&mut files, &Write { bytes: write.bytes[..torn].to_vec(), ..write.clone() });
                    quorum = crash(&mut files, &durable, seed);
                    continue;
                }
                append(&mut files, &write);
                quorum.written(write.end);
                durable = quorum.latest().clone();
                let Some(snapshot) = quorum.snapshot_due(Timestamp(0), 3_000) else { continue };
                let part = format!("{}.part", snapshot.file);
                if random.below(4) == 0 {
                    let torn = random.below(snapshot.bytes.len() as u64) as usize;
                    let name = if random.below(2) == 0 { part } else { snapshot.file };
                    files.insert(name, snapshot.bytes[..torn].to_vec());
                    quorum = crash(&mut files, &durable, seed);
                    continue;
                }
                files.insert(snapshot.file, snapshot.bytes);
                let mut deleted = quorum.snapshot_written();
                if random.below(3) == 0 {
                    deleted.truncate(random.below(1 + deleted.len() as u64) as usize);
                    deleted.iter().for_each(|name| assert!(files.remove(name).is_some(), "{name}"));
                    quorum = crash(&mut files, &durable, seed);
                } else {
                    deleted.iter().for_each(|name| assert!(files.remove(name).is_some(), "{name}"));
                    longest = longest.max(files.len());
                }
            }
            assert_eq!(crash(&mut files, &durable, seed).latest(), &durable);
        }
        assert!(longest <= 2, "one snapshot and one log: {longest}");
    }

    fn crash(files: &mut Files, durable: &Image, seed: u64) -> Quorum {
        let quorum = settle(files);
        assert_eq!(quorum.latest(), durable, "seed {seed}");
        quorum
    }

    #[test]
    fn a_log_with_a_hole_is_refused() {
        let mut world = World::new(1);
        let mut files = Files::new();
        let mut quorum = settle(&mut files);
        for step in 0..4 {
            let records = decide(&mut world, &quorum.latest().clone(), step);
            let write = quorum.propose(Timestamp(0), &records);
            append(&mut files, &write);
            quorum.written(write.end);
            quorum.snapshot_due(Timestamp(0), 0);
            quorum.snapshot_failed();
        }
        assert_eq!(files.len(), 4, "a snapshot that failed leaves all of the log");
        assert_eq!(settle(&mut files).latest(), quorum.latest());
        let second = files.keys().nth(1).unwrap().clone();
        files.remove(&second);
        let damaged = recover(&files).unwrap_err();
        assert!(damaged.why.contains("are missing before"), "{}", damaged.why);
    }

    #[test]
    fn names_of_other_files_are_left_alone() {
        let names = ["quorum-state", "1.log", "0000000000000000000x.log", "00000000000000000000.index", "x.checkpoint", "1-1.checkpoint"];
        let recovery = Recovery::new("cluster", BrokerId(0), &names.map(str::to_string));
        assert_eq!(recovery.next_file(), None);
        assert_eq!(recovery.finish().delete, Vec::<String>::new());
        assert_eq!(snapshot::parse_name("00000000000000004711-0000000003.checkpoint"), Some((Offset(4711), Epoch(3))));
        assert_eq!(snapshot::name(Offset(4711), Epoch(3)), "00000000000000004711-0000000003.checkpoint");
    }
}

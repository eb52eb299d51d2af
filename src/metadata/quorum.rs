//! The metadata log of a quorum of one: what is proposed, what is durable, and the files it lies in.
//!
//! ```text
//!  decide on latest() ──▶ propose ──▶ … ──▶ take_write: one batch of all of it ──▶ disk ──▶ written ──▶ committed Arc<Image>
//!                            │                                                                          to every core
//!                            └──▶ latest image: the next decision already sees it
//!
//!  __cluster_metadata-0/
//!    00000000000000000000.log                  offsets 0 … 4710
//!    00000000000000004711-0000000003.checkpoint    what they come to: makes the file before it superfluous
//!    00000000000000004711.log                  from there on; the next write goes to its end
//! ```
//!
//! A write is acknowledged once it is durable, and the next one begins after that. Each is one batch, so that a crash tears
//! at most one batch, and nothing whole stands behind a torn one.

use super::framing::{self, Content, Damaged};
use super::image::Image;
use super::records::Record;
use super::snapshot;
use crate::types::{BrokerId, Epoch, Offset, Timestamp};
use std::sync::Arc;

/// The folder of the metadata log in its log directory.
pub const DIRECTORY: &str = "__cluster_metadata-0";

/// Owned by the control shard.
///
/// Holds between any two calls:
/// - `committed` is what is in the files; `writing`, if a write is under way, what they come to with it
/// - `gathered` are the records from there to `latest`
/// - `active` is where the next write goes, or the one that is under way
#[derive(Debug)]
pub struct Quorum {
    epoch: Epoch,
    latest: Arc<Image>,
    committed: Arc<Image>,
    writing: Option<Writing>,
    gathered: Vec<Record>,
    active: LogFile,
    /// Closed log files, oldest first, with the offset after each.
    closed: Vec<(LogFile, Offset)>,
    /// Of the last whole snapshot.
    snapshot: Option<(Offset, Epoch)>,
    /// Being written.
    snapshot_begun: Option<(Offset, Epoch)>,
    /// Bytes of log since the last snapshot.
    bytes_since_snapshot: u64,
    /// Size of the last whole snapshot.
    snapshot_bytes: u64,
}

/// A log shorter than this is replayed in no time and needs no snapshot.
const SNAPSHOT_AFTER_BYTES_MIN: u64 = 1 << 20;
/// Log since the last snapshot, in sizes of that. Raising it makes starts longer and snapshots rarer.
const SNAPSHOT_AFTER_SNAPSHOTS: u64 = 4;

/// A write that is under way.
#[derive(Debug)]
struct Writing {
    image: Arc<Image>,
    bytes: u64,
}

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

/// Bytes to append to [`Quorum::active`] and make durable; then [`Quorum::written`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub file: String,
    pub position: u64,
    pub bytes: Vec<u8>,
    /// Offset after it.
    pub end: Offset,
}

/// A snapshot to write into a file of its own, of which either all survives a crash or nothing; then
/// [`Quorum::snapshot_written`].
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub file: String,
    image: Arc<Image>,
}

impl Snapshot {
    /// The whole file. Takes a while for a large cluster.
    pub fn bytes(&self, now: Timestamp) -> Vec<u8> {
        snapshot::encode(&self.image, now)
    }
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

    /// Where the next write goes: a file of [`DIRECTORY`], to be made if it is not there, and its length.
    pub fn active(&self) -> (String, u64) {
        (self.active.name(), self.active.bytes)
    }

    /// Takes a decision into the log. Its records follow from [`Quorum::latest`], so they apply.
    pub fn propose(&mut self, records: Vec<Record>) {
        if records.is_empty() {
            return;
        }
        let image = Arc::make_mut(&mut self.latest);
        for record in &records {
            image.apply(record).unwrap_or_else(|why| panic!("a decision contradicts its image: {}", why.0));
        }
        image.epoch = self.epoch;
        self.gathered.extend(records);
    }

    /// Everything that was proposed since the last write, as one batch, if there is something. No other write is under way.
    pub fn take_write(&mut self, now: Timestamp) -> Option<Write> {
        assert!(self.writing.is_none(), "one write at a time");
        if self.gathered.is_empty() {
            return None;
        }
        let records = std::mem::take(&mut self.gathered);
        let bytes = framing::batch_of(self.committed.end, self.epoch, now, &records);
        self.writing = Some(Writing { image: self.latest.clone(), bytes: length(&bytes) });
        Some(Write { file: self.active.name(), position: self.active.bytes, bytes, end: self.latest.end })
    }

    /// The write is durable. The image to publish.
    pub fn written(&mut self) -> Arc<Image> {
        let Writing { image, bytes } = self.writing.take().expect("a write is under way");
        self.active.bytes += bytes;
        self.bytes_since_snapshot += bytes;
        self.committed = image.clone();
        image
    }

    /// There was no room for the write: all that is not committed is forgotten. The file is to be cut back to the length of
    /// [`Quorum::active`], durably, before the next write.
    pub fn refused(&mut self) {
        assert!(self.writing.take().is_some(), "a write is under way");
        self.gathered.clear();
        self.latest = self.committed.clone();
    }

    /// A snapshot, if the log has grown by `bytes_max` since the last one, or enough to make starts slow, none is being
    /// written, and no write is under way: the log goes on in a new file at once ([`Quorum::active`]), and only the last file may be torn by a crash.
    pub fn snapshot_due(&mut self, bytes_max: u64) -> Option<Snapshot> {
        let last = self.snapshot.map_or(Offset(0), |(end, _)| end);
        let worth_it = SNAPSHOT_AFTER_BYTES_MIN.max(self.snapshot_bytes.saturating_mul(SNAPSHOT_AFTER_SNAPSHOTS));
        let busy = self.snapshot_begun.is_some() || self.writing.is_some();
        if busy || self.bytes_since_snapshot < bytes_max.min(worth_it) || self.committed.end <= last {
            return None;
        }
        let image = &self.committed;
        self.snapshot_begun = Some((image.end, image.epoch));
        let snapshot = Snapshot { file: snapshot::name(image.end, image.epoch), image: image.clone() };
        if self.active.bytes > 0 {
            self.closed.push((self.active, image.end));
            self.active = LogFile { base: image.end, bytes: 0 };
        }
        self.bytes_since_snapshot = 0;
        Some(snapshot)
    }

    /// The snapshot is durable under its own name, with so many bytes. Files that nobody needs any more, to be deleted at
    /// leisure.
    pub fn snapshot_written(&mut self, bytes: u64) -> Vec<String> {
        self.snapshot_bytes = bytes;
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

/// Ours are written beside, with `.tmp`, Kafka's with `.part`.
fn is_half_written(name: &str) -> bool {
    let stem = name.strip_suffix(".tmp").or_else(|| name.strip_suffix(".part"));
    stem.is_some_and(|stem| snapshot::parse_name(stem).is_some())
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
            delete: names.iter().filter(|name| is_half_written(name)).cloned().collect(),
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
        let found = framing::read(bytes, base)?;
        let file = LogFile { base, bytes: found.whole_bytes };
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
                writing: None,
                gathered: Vec::new(),
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

    fn propose(quorum: &mut Quorum, records: Vec<Record>) -> Write {
        quorum.propose(records);
        quorum.take_write(Timestamp(9)).unwrap()
    }

    /// Records of a new topic, or of some setting.
    fn decide(world: &mut World, image: &Image, step: u64) -> Vec<Record> {
        world.image = image.clone();
        if step.is_multiple_of(3) || image.broker(BrokerId(0)).is_none() {
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
            let write = propose(&mut quorum, records);
            append(&mut files, &write);
            let published = quorum.written();
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
            append(&mut files, &propose(&mut quorum, records));
            quorum.written();
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
        let mut files = Files::new();
        let mut quorum = settle(&mut files);
        let mut step = 0..;
        let mut decided = |quorum: &mut Quorum| {
            let records = decide(&mut world, &quorum.latest().clone(), step.next().unwrap());
            quorum.propose(records);
        };
        decided(&mut quorum);
        decided(&mut quorum);
        let first = quorum.take_write(Timestamp(0)).unwrap();
        decided(&mut quorum);
        decided(&mut quorum);
        assert_eq!((quorum.latest().topics_count(), quorum.committed().topics_count()), (2, 0));
        append(&mut files, &first);
        assert_eq!(quorum.written().topics_count(), 1);
        append(&mut files, &quorum.take_write(Timestamp(0)).unwrap());
        assert_eq!(quorum.written().topics_count(), 2);
        assert!(std::ptr::eq(quorum.latest(), &**quorum.committed()));
        assert_eq!(framing::read(&files[LOG], Offset(0)).unwrap().batches.len(), 2, "what was decided during a write is one batch");
        assert_eq!(quorum.take_write(Timestamp(0)), None);
    }

    #[test]
    fn what_a_full_disk_refuses_was_never_decided() {
        let (images, mut files) = history(3);
        let mut quorum = settle(&mut files);
        let mut world = World::new(1);
        let durable = quorum.latest().clone();
        let refused = decide(&mut world, &durable, 7);
        assert!(propose(&mut quorum, refused).position > 0);
        let after = decide(&mut world, &quorum.latest().clone(), 8);
        quorum.propose(after);
        quorum.refused();
        assert_eq!(quorum.latest(), &images[3].1);
        let next = decide(&mut world, &durable, 10);
        append(&mut files, &propose(&mut quorum, next));
        quorum.written();
        let recovered = settle(&mut files);
        assert_eq!(recovered.latest(), quorum.latest());
        assert!(recovered.latest().topic_by_name("t7").is_none() && recovered.latest().topic_by_name("t10").is_some());
    }

    /// Writes with snapshots as the shell does them, crashing after every step of a file, and within every write.
    #[test]
    fn snapshots_keep_the_log_short_and_no_crash_loses_a_decision() {
        let mut longest = 0;
        for seed in 0..25 {
            let mut random = Random(seed);
            let mut world = World::new(2);
            let mut files = Files::new();
            let mut quorum = settle(&mut files);
            let mut durable = quorum.latest().clone();
            for step in 0..60 {
                let records = decide(&mut world, &quorum.latest().clone(), step * 7 + 1);
                let write = propose(&mut quorum, records);
                if random.below(10) == 0 {
                    let torn = random.below(write.bytes.len() as u64) as usize;
                    append(&mut files, &Write { bytes: write.bytes[..torn].to_vec(), ..write.clone() });
                    quorum = crash(&mut files, &durable, seed);
                    continue;
                }
                append(&mut files, &write);
                quorum.written();
                durable = quorum.latest().clone();
                let Some(snapshot) = quorum.snapshot_due(3_000) else { continue };
                let bytes = snapshot.bytes(Timestamp(0));
                let part = format!("{}.tmp", snapshot.file);
                if random.below(4) == 0 {
                    let torn = random.below(bytes.len() as u64) as usize;
                    let name = if random.below(2) == 0 { part } else { snapshot.file };
                    files.insert(name, bytes[..torn].to_vec());
                    quorum = crash(&mut files, &durable, seed);
                    continue;
                }
                let mut deleted = quorum.snapshot_written(length(&bytes));
                files.insert(snapshot.file, bytes);
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

    /// A sector begins where it likes in a batch, and a crash keeps each of them or not.
    #[test]
    fn a_batch_that_lost_its_first_bytes_is_cut_like_a_torn_one() {
        let (images, files) = history(8);
        let last = images[images.len() - 2].0;
        for lost in 1..40 {
            let mut files = files.clone();
            let torn = &mut files.get_mut(LOG).unwrap()[last..last + lost];
            // The offset is 8 bytes long, and its first ones are zero in any case.
            let unharmed = torn.iter().all(|byte| *byte == 0);
            torn.fill(0);
            let kept = if unharmed { images.len() - 1 } else { images.len() - 2 };
            assert_eq!(settle(&mut files).latest(), &images[kept].1, "{lost} bytes");
        }
    }

    #[test]
    fn a_log_with_a_hole_is_refused() {
        let mut world = World::new(1);
        let mut files = Files::new();
        let mut quorum = settle(&mut files);
        for step in 0..4 {
            let records = decide(&mut world, &quorum.latest().clone(), step);
            append(&mut files, &propose(&mut quorum, records));
            quorum.written();
            quorum.snapshot_due(0);
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

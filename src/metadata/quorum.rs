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
        let length = u64::try_from(write.bytes.len()).expect("lengths fit into 64 bits");
        self.active.bytes += length;
        self.bytes_since_snapshot += length;
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

    /// A snapshot, if the log has grown by `bytes_max` since the last one, none is being written, and nothing is on its way
    /// to the disk: the log goes on in a new file at once, and only the last file may be torn by a crash.
    pub fn snapshot_due(&mut self, now: Timestamp, bytes_max: u64) -> Option<Snapshot> {
        let last = self.snapshot.map_or(Offset(0), |(end, _)| end);
        let busy = self.snapshot_begun.is_some() || !self.pending.is_empty();
        if busy || self.bytes_since_snapshot < bytes_max || self.committed.end <= last {
            return None;
        }
        let image = &self.committed;
        self.snapshot_begun = Some((image.end, image.epoch));
        let snapshot = Snapshot { file: snapshot::name(image.end, image.epoch), bytes: snapshot::encode(image, now) };
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

/// Brings the log back from its files: ask which to read next, hand in its bytes, until there is none.
#[derive(Debug)]
pub struct Recovery {
    image: Image,
    /// Candidates, the newest last.
    snapshots: Vec<(Offset, Epoch)>,
    /// To be read, the oldest last.
    logs: Vec<Offset>,
    chosen: Option<(Offset, Epoch)>,
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
            },
            truncate: self.truncate.filter(|(name, _)| !self.delete.contains(name)),
            delete: self.delete,
            notes: self.notes,
        }
    }
}

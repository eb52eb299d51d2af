//! Recovery: from whatever files a stop or a crash left to a [`Log`].
//!
//! [`recover`] decides, the shell acts: it hands in a function that carries out one [`Step`] in the partition's directory and
//! answers with what was read. It runs before a core serves, or in a chore, so that steps may block; it is called from
//! nowhere else, so that no machine waits in the middle of anything.
//!
//! ```text
//!  listing, checkpoints ──▶ recover ──▶ Step::Read ─────▶ shell
//!                             │    ◀──── bytes ──────────┘
//!                             ├───────▶ Step::Truncate, Rename, Delete, Write …
//!                             ▼
//!                          Recovered { log, remarks }
//! ```
//!
//! After a clean stop the files are believed, and a few bytes of each partition are read. Otherwise everything below the
//! recovery point is believed, and everything from there on is looked at:
//!
//! | found | because | done |
//! |---|---|---|
//! | `.deleted`, `.cleaned` | a deletion or a compaction was interrupted | deleted |
//! | `.swap` | a compaction was done but for the renames | what it replaces is deleted, it is renamed; above a `.cleaned`, deleted |
//! | an index without its `.log` | deletion was interrupted | deleted |
//! | no `.log` at all | a new partition, or everything was deleted | an empty one is made at the log start |
//! | a segment that ends in a torn batch, zeros, a bad CRC, a repeated offset | the power went, or a write was under way | cut after the last good batch; the segments behind it go |
//! | a segment that begins beyond the end of the one before | the tail of that one was lost | it and all behind it go; not where compaction makes gaps |
//! | no index, or one of a strange length | it was not written, or is damaged | made anew from the segment |
//! | an index that does not rise, or points at what it should not | as above | made anew from where it stops to make sense, or from the start |
//! | an index longer than its log | it was written first | cut with it |
//! | the spare, and its first batch continues the log (or is all of it) | it was renamed too late | it is renamed now, and looked at |
//! | the spare otherwise | nothing was written to it | deleted |
//! | a snapshot above the end | the log was cut | deleted; an older one is taken, and the producers of the batches after it are learnt |
//! | a snapshot that does not check out | damage | the same |
//! | a snapshot below the recovery point | it is taken at leisure | the batches between are walked through; damage there is remarked, and costs nothing else |
//! | a log start above the end | what lay there was lost | the log begins empty at its start |
//!
//! The end is found, then [`Recovered::log`] is as it was when the last good batch was written: indexes, producers, epochs.
//! Cutting the end of a log on purpose, for a follower, is a recovery with [`Checkpoints::cut`].

use crate::log::batch::{self, HEADER_LEN, Header};
use crate::log::epochs::Epochs;
use crate::log::index::{self, Entry, Index, Newest, OffsetEntry, TimeEntry};
use crate::log::listing::{self, Listing, SegmentFiles};
use crate::log::names::{FileName, FileState, LEADER_EPOCH_CHECKPOINT, SPARE, SWAP, SegmentFile};
use crate::log::producers::Producers;
use crate::log::scan::{Rules, Scan, Stop};
use crate::log::segment::{NewestTime, Segment};
use crate::log::{FileFound, Log, LogConfig, Now, snapshot};
use crate::types::{Offset, Timestamp};
use std::sync::Arc;

/// A partition to be opened.
#[derive(Clone, Debug)]
pub struct Partition<'a> {
    /// As in [`Log::create`], like `seed`.
    pub name: &'a str,
    pub config: Arc<LogConfig>,
    /// Everything in its directory.
    pub files: &'a [FileFound],
    pub checkpoints: Checkpoints,
    pub now: Now,
    pub seed: u64,
}

/// What the log directory's checkpoints say about this partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoints {
    pub recovery_point: Option<Offset>,
    pub log_start: Option<Offset>,
    /// `.kafka_cleanshutdown` was there: nothing is scanned.
    pub clean: bool,
    /// Keep only what lies below: a follower gives up what its leader does not have.
    pub cut: Option<Offset>,
}

/// What to do in the partition's directory. Names are file names. Steps are carried out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Answer with the bytes there: shorter only where the file ends. Every other step is answered with nothing.
    Read {
        file: String,
        position: u64,
        len: u32,
    },
    Delete {
        file: String,
    },
    Rename {
        from: String,
        to: String,
    },
    /// Cut to `len`, and sync.
    Truncate {
        file: String,
        len: u64,
    },
    /// Write there, creating the file if it is missing; the file ends after these bytes.
    Write {
        file: String,
        position: u64,
        bytes: Vec<u8>,
    },
    /// Make names durable.
    SyncDir,
}

/// What came of it.
pub struct Recovered {
    pub log: Log,
    /// For the broker's log, one line each: what was cut, made anew, adopted, lost.
    pub remarks: Vec<String>,
    /// Bytes of segments that were walked through.
    pub scanned_bytes: u64,
}

/// Opens a partition. Fails only with what `act` fails with.
pub fn recover<E>(partition: Partition<'_>, act: &mut dyn FnMut(Step) -> Result<Vec<u8>, E>) -> Result<Recovered, E> {
    let Partition { name, config, files, checkpoints, now, seed } = partition;
    let mut hands = Hands { name, act, remarks: Vec::new(), scanned_bytes: 0 };
    let files = hands.tidy(files.to_vec())?;
    let listing = Listing::of(&files);
    for orphan in &listing.orphans {
        hands.delete(orphan.clone())?;
    }
    let mut recovery = Recovery {
        hands,
        config,
        checkpoints,
        now,
        snapshots: listing.snapshots,
        segments: listing.segments,
        done: Vec::new(),
        known: Known { producers: Producers::default(), epochs: Epochs::default(), upto: Offset(0), now: now.wall },
        broken_off: false,
    };
    recovery.read_epochs(listing.epochs_len)?;
    let newest = recovery.load_snapshot(checkpoints.cut.unwrap_or(FOREVER))?;
    if recovery.trusts_end(newest) {
        recovery.believe(recovery.segments.len() - 1)?;
        recovery.believe_active()?;
    } else {
        let from = recovery.look_from();
        recovery.replay(newest, from)?;
        let first = recovery.segments.partition_point(|files| files.base <= from).saturating_sub(1);
        recovery.believe(first)?;
        recovery.look(from)?;
    }
    recovery.spare(listing.spare_len)?;
    recovery.settle_end()?;
    recovery.settle_snapshots(newest)?;
    Ok(recovery.finish(seed))
}

const FOREVER: Offset = Offset(i64::MAX);
const HEADER_BYTES: u32 = 61;
const _: () = assert!(HEADER_BYTES as usize == HEADER_LEN);

/// Carries out steps, and keeps what there is to say about it.
struct Hands<'a, E> {
    name: &'a str,
    act: &'a mut dyn FnMut(Step) -> Result<Vec<u8>, E>,
    remarks: Vec<String>,
    scanned_bytes: u64,
}

impl<E> Hands<'_, E> {
    fn read(&mut self, file: String, position: u64, len: u32) -> Result<Vec<u8>, E> {
        if len == 0 {
            return Ok(Vec::new());
        }
        (self.act)(Step::Read { file, position, len })
    }
    fn delete(&mut self, file: String) -> Result<(), E> {
        (self.act)(Step::Delete { file }).map(drop)
    }
    fn write(&mut self, file: String, position: u64, bytes: Vec<u8>) -> Result<(), E> {
        (self.act)(Step::Write { file, position, bytes }).map(drop)
    }
    fn remark(&mut self, text: String) {
        self.remarks.push(format!("{}: {text}", self.name));
    }

    /// Deletes what interrupted deletions and compactions left, and finishes compactions that only lacked their renames.
    /// What is there afterwards.
    fn tidy(&mut self, files: Vec<FileFound>) -> Result<Vec<FileFound>, E> {
        let (leftovers, mut files) = listing::leftovers(files);
        for file in leftovers {
            self.delete(file.name)?;
        }
        let Some(swapped) = self.swapped(&files)? else { return Ok(files) };
        let mut kept = Vec::new();
        for file in files.drain(..) {
            match FileName::parse(&file.name) {
                FileName::Segment { base, state: FileState::Live, .. } if swapped.contains(&base) => self.delete(file.name)?,
                _ => kept.push(file),
            }
        }
        for file in &mut kept {
            if let Some(name) = file.name.strip_suffix(SWAP) {
                let (from, to) = (file.name.clone(), name.to_owned());
                self.remark(format!("{from}: finished the compaction that left it"));
                (self.act)(Step::Rename { from, to: to.clone() })?;
                file.name = to;
            }
        }
        (self.act)(Step::SyncDir)?;
        Ok(kept)
    }

    /// The offsets that compacted segments take the place of.
    fn swapped(&mut self, files: &[FileFound]) -> Result<Option<std::ops::Range<Offset>>, E> {
        let mut range: Option<std::ops::Range<Offset>> = None;
        for file in files {
            if let FileName::Segment { base, file: SegmentFile::Log, state: FileState::Swap } = FileName::parse(&file.name) {
                let end = self.last_end(file, base)?;
                let before = range.unwrap_or(base..end);
                range = Some(before.start.min(base)..before.end.max(end));
            }
        }
        Ok(range)
    }

    /// Hops from header to header to where a segment ends.
    fn last_end(&mut self, file: &FileFound, base: Offset) -> Result<Offset, E> {
        let (mut position, mut end) = (0, base);
        while position < file.len {
            let bytes = self.read(file.name.clone(), position, HEADER_BYTES)?;
            let Some(header) = Header::of(&bytes).filter(|header| header.is_sane()) else { break };
            end = header.end();
            position += header.total_len().expect("a sane header has one") as u64;
        }
        Ok(end)
    }

    /// Walks until it stops. False: the index that said where to begin was wrong.
    fn walk(&mut self, scan: &mut Scan, rules: &Rules, known: &mut Known) -> Result<bool, E> {
        while let Some((position, len)) = scan.wants() {
            let bytes = self.read(SegmentFile::Log.name(scan.segment.base), u64::from(position), len)?;
            self.scanned_bytes += bytes.len() as u64;
            if !scan.feed(&bytes, rules, |header, records| known.learn(header, records)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A walk that begins at the last batch that the indexes know not to end above `offset`.
    fn scan_from(&mut self, files: SegmentFiles, offset: Offset, now: Timestamp) -> Result<Scan, E> {
        let (Some(offsets_len), Some(times_len), true) = (files.offsets_len, files.times_len, offset > files.base) else {
            return Ok(Scan::whole(files.base, files.len, now));
        };
        let offsets = self.read(SegmentFile::OffsetIndex.name(files.base), 0, offsets_len)?;
        let times = self.read(SegmentFile::TimeIndex.name(files.base), 0, times_len)?;
        let header = self.read(SegmentFile::Log.name(files.base), 0, HEADER_BYTES)?;
        let first = Header::of(&header).filter(|header| header.is_sane()).map(Header::max_timestamp);
        Ok(Scan::from_index(files, offset, &offsets, &times, first, now))
    }

    fn delete_segment(&mut self, base: Offset) -> Result<(), E> {
        for file in [SegmentFile::OffsetIndex, SegmentFile::TimeIndex, SegmentFile::TxnIndex, SegmentFile::Log] {
            self.delete(file.name(base))?;
        }
        Ok(())
    }

    /// Writes what a walk found out about the indexes of a segment, behind what of them was kept.
    fn write_indexes(&mut self, scan: &mut Scan) -> Result<(), E> {
        let Segment { base, offsets, times, .. } = &mut scan.segment;
        if let Some((position, bytes)) = times.write() {
            self.write(SegmentFile::TimeIndex.name(*base), u64::from(position.0), bytes)?;
            times.write_done();
        }
        if let Some((position, bytes)) = offsets.write() {
            self.write(SegmentFile::OffsetIndex.name(*base), u64::from(position.0), bytes)?;
            offsets.write_done();
        }
        offsets.drop_written();
        times.drop_written();
        Ok(())
    }
}

/// What walking through batches teaches.
struct Known {
    producers: Producers,
    epochs: Epochs,
    /// The producers are as they were when the log ended here.
    upto: Offset,
    /// When what is found in the log counts as having arrived.
    now: Timestamp,
}

impl Known {
    fn learn(&mut self, header: &Header, records: &[u8]) {
        self.epochs.assign_newer(header.leader_epoch(), header.base_offset());
        if header.base_offset() >= self.upto {
            self.producers.append(header, records, self.now);
            self.upto = header.end();
        }
    }
}

struct Recovery<'a, E> {
    hands: Hands<'a, E>,
    config: Arc<LogConfig>,
    checkpoints: Checkpoints,
    now: Now,
    /// Offset and length of those that are there, ascending.
    snapshots: Vec<(Offset, u32)>,
    /// What is there, ascending.
    segments: Vec<SegmentFiles>,
    /// What of it is part of the log.
    done: Vec<Segment>,
    known: Known,
    /// The log was cut: what lies behind is not part of it.
    broken_off: bool,
}

impl<E> Recovery<'_, E> {
    fn recovery_point(&self) -> Offset {
        self.checkpoints.recovery_point.unwrap_or(Offset(0))
    }
    fn end(&self) -> Offset {
        self.done.last().map_or(Offset(0), |segment| segment.end)
    }

    fn read_epochs(&mut self, len: Option<u32>) -> Result<(), E> {
        let Some(len) = len else { return Ok(()) };
        let bytes = self.hands.read(LEADER_EPOCH_CHECKPOINT.into(), 0, len)?;
        match Epochs::of_file(&bytes) {
            Some(epochs) => self.known.epochs = epochs,
            None => {
                self.hands.remark(format!("{LEADER_EPOCH_CHECKPOINT} cannot be read, it is made anew"));
                self.known.epochs.set_dirty();
            }
        }
        Ok(())
    }

    /// Takes the producers from the newest snapshot that is not above `limit` and checks out; deletes those that are no good.
    /// Where it was taken; without one, the producers are unknown from the first segment on.
    fn load_snapshot(&mut self, limit: Offset) -> Result<Option<Offset>, E> {
        self.known.producers.clear();
        while let Some((offset, len)) = self.snapshots.last().copied() {
            let file = SegmentFile::Snapshot.name(offset);
            if offset <= limit {
                let bytes = self.hands.read(file.clone(), 0, len)?;
                match snapshot::decode(&bytes) {
                    Ok(producers) => {
                        producers.into_iter().for_each(|(id, producer)| self.known.producers.insert(id, producer));
                        self.known.upto = offset;
                        return Ok(Some(offset));
                    }
                    Err(what) => self.hands.remark(format!("{file} is no snapshot of producers, {what}")),
                }
            }
            self.hands.delete(file)?;
            self.snapshots.pop();
        }
        self.known.upto = Offset(0);
        Ok(None)
    }

    /// Learns the producers of the batches from the snapshot up to `upto`. Changes nothing, whatever it meets.
    fn replay(&mut self, snapshot: Option<Offset>, upto: Offset) -> Result<(), E> {
        let from = snapshot.unwrap_or(Offset(0));
        let rules = Rules { recovery_point: FOREVER, gaps: true, cut: Some(upto), ..self.rules() };
        for nth in 0..self.segments.len() {
            let files = self.segments[nth];
            let ends_before = self.segments.get(nth + 1).is_some_and(|next| next.base <= from);
            if ends_before || files.base >= upto || from >= upto {
                continue;
            }
            let mut scan = self.hands.scan_from(files, from, self.now.wall)?;
            if !self.hands.walk(&mut scan, &rules, &mut self.known)? {
                scan = Scan::whole(files.base, files.len, self.now.wall);
                self.hands.walk(&mut scan, &rules, &mut self.known)?;
            }
            // What lies below the recovery point stays, whatever it is; beyond, it is judged when it is looked at.
            if let Some(Stop::Damage(what)) = scan.stopped()
                && scan.segment.end < self.recovery_point()
            {
                let (position, end) = (scan.segment.len, scan.segment.end);
                self.hands.remark(format!("{what} at byte {position} of segment {}, offset {end}, below the recovery point", files.base));
            }
        }
        Ok(())
    }

    fn rules(&self) -> Rules {
        Rules {
            recovery_point: self.recovery_point(),
            gaps: self.config.cleanup_policy.compact,
            cut: self.checkpoints.cut,
            interval_bytes: self.config.index_interval_bytes,
            now: self.now.wall,
        }
    }

    // ---- what is believed

    /// After a clean stop the log ends at the recovery point, and a snapshot of that offset says so too.
    fn trusts_end(&self, snapshot: Option<Offset>) -> bool {
        let point = self.checkpoints.recovery_point;
        let agreed = |files: &SegmentFiles| files.len == 0 || snapshot.is_some() && snapshot == point && point > Some(files.base);
        let active = self.segments.last();
        let readable = |files: &SegmentFiles| files.len == 0 || files.has_indexes();
        self.checkpoints.clean && self.checkpoints.cut.is_none() && active.is_some_and(|files| agreed(files) && readable(files))
    }

    /// Takes the first `count` segments as they are.
    fn believe(&mut self, count: usize) -> Result<(), E> {
        let believed: Vec<_> = self.segments.drain(..count).collect();
        for (nth, files) in believed.iter().copied().enumerate() {
            let next = believed.get(nth + 1).unwrap_or(&self.segments[0]).base;
            if files.len == 0 {
                // All of it was compacted away.
                self.hands.delete_segment(files.base)?;
            } else if files.has_indexes() {
                self.done.push(closed(files, next, self.now.wall));
            } else {
                self.hands.remark(format!("the indexes of segment {} are made anew", files.base));
                let rules = Rules { recovery_point: FOREVER, gaps: true, cut: None, ..self.rules() };
                let mut scan = Scan::whole(files.base, files.len, self.now.wall);
                self.hands.walk(&mut scan, &rules, &mut self.known)?;
                if let Some(Stop::Damage(what)) = scan.stopped() {
                    let position = scan.segment.len;
                    self.hands.remark(format!("{what} at byte {position} of segment {}, below the recovery point", files.base));
                }
                self.close(scan)?;
                let segment = self.done.last_mut().expect("just closed");
                (segment.len, segment.end) = (files.len, next);
            }
        }
        Ok(())
    }

    /// The active segment after a clean stop.
    fn believe_active(&mut self) -> Result<(), E> {
        let files = *self.segments.last().expect("trusted only if there is one");
        let mut segment = Segment::new(files.base, self.now.wall);
        if files.len > 0 {
            segment.len = files.len;
            segment.end = self.recovery_point();
            let header = self.hands.read(SegmentFile::Log.name(files.base), 0, HEADER_BYTES)?;
            segment.first = Header::of(&header).filter(|header| header.is_sane()).map(Header::max_timestamp);
            segment.offsets = self.index_in_file(SegmentFile::OffsetIndex, files.base, files.offsets_len)?;
            segment.times = self.index_in_file(SegmentFile::TimeIndex, files.base, files.times_len)?;
            segment.newest = segment.times.last().map_or(NewestTime::None, |time: TimeEntry| {
                NewestTime::Known(Newest { timestamp: time.timestamp, offset: files.base.plus(time.delta) })
            });
        }
        self.done.push(segment);
        Ok(())
    }

    /// An index of which only the last entry is known.
    fn index_in_file<T: Entry>(&mut self, file: SegmentFile, base: Offset, len: Option<u32>) -> Result<Index<T>, E> {
        let count = len.unwrap_or(0) / T::LEN;
        let Some(last) = count.checked_sub(1) else { return Ok(Index::default()) };
        let bytes = self.hands.read(file.name(base), u64::from(last * T::LEN), T::LEN)?;
        Ok(index::decode(&bytes).first().map_or(Index::default(), |entry| Index::in_file(count, Some(*entry))))
    }

    // ---- what is looked at

    /// From which offset on.
    fn look_from(&self) -> Offset {
        let believed = if self.checkpoints.clean { FOREVER } else { self.recovery_point() };
        believed.min(self.checkpoints.cut.unwrap_or(FOREVER))
    }

    /// Looks at all segments that are not believed yet.
    fn look(&mut self, from: Offset) -> Result<(), E> {
        let mut looked_at = std::mem::take(&mut self.segments).into_iter();
        let mut last: Option<Scan> = None;
        while let Some(files) = looked_at.next() {
            if let Some(what) = self.breaks_off(last.as_ref(), files) {
                self.hands.remark(format!("segment {} and what follows it is not part of the log: {what}", files.base));
                self.drop_segments(std::iter::once(files).chain(looked_at))?;
                break;
            }
            if let Some(scan) = last.take() {
                self.close(scan)?;
            }
            let scan = self.look_at(files, from)?;
            last = Some(scan);
            if self.broken_off {
                self.drop_segments(looked_at)?;
                break;
            }
        }
        if let Some(scan) = last {
            self.open(scan)?;
        }
        Ok(())
    }

    /// Why this segment cannot follow the one that was looked at before. The first one that is looked at always stays, if
    /// only to be empty.
    fn breaks_off(&self, before: Option<&Scan>, files: SegmentFiles) -> Option<&'static str> {
        let end = before?.segment.end;
        let gap = files.base > end && !self.config.cleanup_policy.compact && files.base > self.recovery_point();
        if self.checkpoints.cut.is_some_and(|cut| files.base >= cut) {
            Some("it is cut off")
        } else if files.base < end {
            Some("it repeats offsets")
        } else if gap {
            Some("what comes before it was lost")
        } else {
            None
        }
    }

    fn drop_segments(&mut self, segments: impl Iterator<Item = SegmentFiles>) -> Result<(), E> {
        self.broken_off = true;
        for files in segments {
            self.hands.delete_segment(files.base)?;
        }
        Ok(())
    }

    /// Walks through one segment from `from` on, and cuts it where it is not sound.
    fn look_at(&mut self, files: SegmentFiles, from: Offset) -> Result<Scan, E> {
        let rules = self.rules();
        let mut scan = self.hands.scan_from(files, from, self.now.wall)?;
        if !self.hands.walk(&mut scan, &rules, &mut self.known)? {
            self.hands.remark(format!("the index of segment {} does not fit it and is made anew", files.base));
            scan = Scan::whole(files.base, files.len, self.now.wall);
            self.hands.walk(&mut scan, &rules, &mut self.known)?;
        }
        let (position, end) = (scan.segment.len, scan.segment.end);
        if let Some(Stop::Damage(what)) = scan.stopped() {
            let gone = scan.file_len - position;
            self.hands.remark(format!("{what} at byte {position} of segment {}: cut there, at offset {end}, {gone} bytes go", files.base));
        }
        if scan.stopped() != Some(Stop::End) {
            self.broken_off = true;
            (self.hands.act)(Step::Truncate { file: SegmentFile::Log.name(files.base), len: u64::from(position) })?;
        }
        Ok(scan)
    }

    /// Another segment follows. That its indexes are on disk is seen to later ([`Log::index_write`]).
    fn close(&mut self, mut scan: Scan) -> Result<(), E> {
        scan.segment.close();
        self.hands.write_indexes(&mut scan)?;
        self.done.push(scan.segment);
        Ok(())
    }

    /// No other segment follows: this one is appended to.
    fn open(&mut self, mut scan: Scan) -> Result<(), E> {
        self.hands.write_indexes(&mut scan)?;
        self.done.push(scan.segment);
        Ok(())
    }

    // ---- the end

    /// The segment that was begun in the spare file, and not renamed before the crash.
    fn spare(&mut self, len: Option<u32>) -> Result<(), E> {
        let Some(len) = len else { return Ok(()) };
        let vacant = self.done.last().is_none_or(|segment| segment.base < segment.end);
        let looks = !self.checkpoints.clean && !self.broken_off && vacant && len >= HEADER_BYTES;
        let Some(base) = (if looks { self.spare_base(len)? } else { None }) else { return self.hands.delete(SPARE.into()) };
        let file = SegmentFile::Log.name(base);
        self.hands.remark(format!("{file} was begun before the crash, and only lacked its name"));
        (self.hands.act)(Step::Rename { from: SPARE.into(), to: file })?;
        (self.hands.act)(Step::SyncDir)?;
        if let Some(mut closed) = self.done.pop() {
            closed.close();
            let mut before = Scan::of(closed);
            self.hands.write_indexes(&mut before)?;
            self.done.push(before.segment);
        }
        let scan = self.look_at(SegmentFiles { base, len, offsets_len: None, times_len: None }, Offset(0))?;
        self.open(scan)
    }

    /// The base offset of the segment in the spare: its first batch is whole, and the next of the log. (All other segments
    /// may have been deleted since.)
    fn spare_base(&mut self, len: u32) -> Result<Option<Offset>, E> {
        let bytes = self.hands.read(SPARE.into(), 0, HEADER_BYTES)?;
        let Some(header) = Header::of(&bytes).filter(|header| header.is_sane()) else { return Ok(None) };
        let base = header.base_offset();
        if !self.done.is_empty() && base != self.end() {
            let end = self.end();
            self.hands.remark(format!("{SPARE} begins with offset {base}, the log ends with {end}: it is deleted"));
            return Ok(None);
        }
        let Some(total) = header.total_len().and_then(|total| u32::try_from(total).ok()).filter(|total| *total <= len) else {
            return Ok(None);
        };
        let whole = batch::crc_holds(&self.hands.read(SPARE.into(), 0, total)?);
        Ok(whole.then_some(base))
    }

    /// There is a segment, and the log start is not above the end.
    fn settle_end(&mut self) -> Result<(), E> {
        let end = self.end();
        // A follower may have to give up more than there is.
        let cut = self.checkpoints.cut.filter(|cut| end > *cut);
        let start = cut.unwrap_or(self.checkpoints.log_start.unwrap_or(Offset(0))).max(Offset(0));
        if self.done.is_empty() || start > end || cut.is_some() {
            if !self.done.is_empty() && cut.is_none() {
                self.hands.remark(format!("the log ends at {end}, below its start {start}: it begins empty at {start}"));
            }
            self.known.producers.clear();
            for segment in std::mem::take(&mut self.done) {
                self.hands.delete_segment(segment.base)?;
            }
            for file in [SegmentFile::Log, SegmentFile::OffsetIndex, SegmentFile::TimeIndex] {
                self.hands.write(file.name(start), 0, Vec::new())?;
            }
            (self.hands.act)(Step::SyncDir)?;
            self.done.push(Segment::new(start, self.now.wall));
            self.known.upto = start;
        }
        let (end, point) = (self.end(), self.recovery_point());
        if end < point && self.checkpoints.cut.is_none() {
            self.hands
                .remark(format!("the log ends at {end}, below the recovery point {point}: the disk lost what it had promised to keep"));
        }
        Ok(())
    }

    /// Snapshots are not above the end, and the producers are those at the end.
    fn settle_snapshots(&mut self, loaded: Option<Offset>) -> Result<(), E> {
        let end = self.end();
        if loaded.is_some_and(|offset| offset > end) {
            let older = self.load_snapshot(end)?;
            // The segments that were kept, as files.
            self.segments = self.done.iter().map(SegmentFiles::of).collect();
            self.replay(older, end)?;
        }
        let newest = self.snapshots.last().copied();
        for (offset, len) in std::mem::take(&mut self.snapshots) {
            if Some((offset, len)) == newest || self.done.iter().any(|segment| segment.base == offset) {
                self.snapshots.push((offset, len));
            } else {
                self.hands.delete(SegmentFile::Snapshot.name(offset))?;
            }
        }
        Ok(())
    }

    fn finish(self, seed: u64) -> Recovered {
        let end = self.end();
        let first = self.done.first().expect("there is a segment").base;
        let recovery_point = if self.checkpoints.clean { end } else { self.recovery_point().clamp(first, end) };
        let log_start = self.checkpoints.log_start.unwrap_or(first).clamp(first, end);
        let Known { mut producers, mut epochs, .. } = self.known;
        producers.expire(self.now.wall, self.config.producer_id_expiration_ms);
        epochs.cut_end(end);
        epochs.cut_start(log_start);
        let mut log = Log::create(self.hands.name, self.config, first, self.now, seed);
        (log.log_start, log.recovery_point, log.written_end) = (log_start, recovery_point, end);
        (log.segments, log.producers, log.epochs) = (self.done, producers, epochs);
        log.snapshots = self.snapshots.into_iter().map(|(offset, _)| offset).collect();
        log.found_dirty(self.now);
        Recovered { log, remarks: self.hands.remarks, scanned_bytes: self.hands.scanned_bytes }
    }
}

/// A segment that is believed, and not the last.
fn closed(files: SegmentFiles, next: Offset, now: Timestamp) -> Segment {
    let mut segment = Segment::new(files.base, now);
    segment.len = files.len;
    segment.end = next;
    segment.newest = NewestTime::Unread;
    segment.offsets = Index::in_file(files.offsets_len.unwrap_or(0) / OffsetEntry::LEN, None);
    segment.times = Index::in_file(files.times_len.unwrap_or(0) / TimeEntry::LEN, None);
    segment
}

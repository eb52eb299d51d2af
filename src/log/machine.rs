//! [`Log`]: the log of one partition.
//!
//! ```text
//!   segments     [ 0 ────── 500 )  [ 500 ───── 900 )  [ 900 ──────────────────── end )
//!                  closed            closed             active: appends, index entries in memory
//!
//!   flights                                                          ├──┤├───┤├──┤  appended, not yet written
//!                                                    recovery_point ┘   └ written_end        └ end
//! ```

use crate::error::ErrorCode;
use crate::log::batch::{HEADER_LEN, Header};
use crate::log::config::TimestampType;
use crate::log::epochs::Epochs;
use crate::log::finder::{Finder, Mark};
use crate::log::names::SegmentFile;
use crate::log::producers::{Producers, Verdict};
use crate::log::segment::Segment;
use crate::log::validate::{self, Destination, Valid};
use crate::log::{LogConfig, Now, Scratch, snapshot};
use crate::types::{Epoch, Instant, Offset, Position, ProducerId, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use zerocopy::IntoBytes;

/// The log of one partition: which records it holds, where they lie, and what happens to the next one.
///
/// Holds between any two calls, and is asserted where it is established:
/// - there is at least one segment; their bases rise; only the last one is appended to
/// - `log_start <= end`, `recovery_point <= written_end <= end`
/// - `flights` is what lies between `written_end` and `end`
pub struct Log {
    pub(super) name: Box<str>,
    pub(super) config: Arc<LogConfig>,
    /// Decides the jitter of rolls.
    pub(super) seed: u64,
    pub(super) log_start: Offset,
    pub(super) segments: Vec<Segment>,
    pub(super) flights: VecDeque<Flight>,
    pub(super) written_end: Offset,
    pub(super) recovery_point: Offset,
    /// Stamped on batches of clients.
    pub(super) leader_epoch: Epoch,
    pub(super) producers: Producers,
    pub(super) epochs: Epochs,
    pub(super) dirty: Dirty,
    /// Offsets of the snapshots that are on disk, ascending.
    pub(super) snapshots: Vec<Offset>,
    pub(super) finder: Finder,
}

/// A batch that is appended and not yet written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub segment: Offset,
    pub position: Position,
    pub end: Offset,
    pub len: u32,
    pub appended: Instant,
}

/// What is written and not flushed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dirty {
    bytes: u64,
    since: Option<Instant>,
    /// The flush that is out.
    out: Option<FlushOut>,
}

#[derive(Clone, Copy, Debug)]
struct FlushOut {
    upto: Offset,
    bytes: u64,
    /// When the first batch after `upto` was appended.
    next_since: Option<Instant>,
}

/// Who appends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A producer: everything is checked, offsets and times are assigned.
    Client,
    /// One of our own coordinators: may write control batches, sequences are not checked.
    Coordinator,
    /// The leader of this partition, whose offsets and epochs are taken as they are.
    Replica,
}

/// A batch has its place in the log (or had it already).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Offset after the last record. The batch is written when [`Log::written_end`] reaches it.
    pub end: Offset,
    /// For the answer: the time we gave the records, or [`Timestamp::NONE`] when they keep the producer's.
    pub log_append_time: Timestamp,
    /// For the answer.
    pub log_start: Offset,
    /// What to write where; `None` for a duplicate of a batch that is in the log already: answer it when that one
    /// is as durable as asked.
    pub write: Option<Write>,
}

/// One batch on its way into a segment file: `header`, then what [`Stored`] says, at `position`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Base offset of the segment.
    pub segment: Offset,
    pub position: Position,
    /// Bytes of the whole batch, header included.
    pub len: u32,
    /// The first 61 bytes, as they are stored.
    pub header: [u8; HEADER_LEN],
    pub stored: Stored,
    /// This batch is the first of a new segment.
    pub rolled: Option<Roll>,
}

/// What follows the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The rest of the batch that was handed in: `&batch[HEADER_LEN..]`.
    AsGiven,
    /// These bytes: the topic stores another codec than the producer used.
    Replaced(Vec<u8>),
}

/// One segment ended, the next begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roll {
    /// Base offset of the segment that is closed, and how long its file is.
    pub closed: Offset,
    pub closed_len: u32,
    /// Base offset of the one that begins. The shell writes it to the spare file at once and renames that later.
    pub begins: Offset,
}

/// Why a batch was refused. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub code: ErrorCode,
    /// For the answer's `error_message`.
    pub message: String,
    /// For the answer's `record_errors`; empty when the batch as a whole is wrong.
    pub record_errors: Vec<RecordError>,
}

impl Refused {
    /// The batch as a whole is wrong.
    pub(super) fn whole(code: ErrorCode, message: String) -> Refused {
        Refused { code, message, record_errors: Vec::new() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Index of the record in its batch; `batch_index` on the wire.
    pub index: i32,
    pub message: String,
}

/// Files to sync. When they all are: [`Log::flushed`] with `upto`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flush {
    pub upto: Offset,
    /// Base offsets of the segments whose `.log` holds unsynced bytes below `upto`, ascending. Nearly always one.
    pub segments: Vec<Offset>,
}

/// Bytes for an index file. At most one per file is out at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexWrite {
    pub segment: Offset,
    /// [`SegmentFile::OffsetIndex`] or [`SegmentFile::TimeIndex`].
    pub file: SegmentFile,
    pub position: Position,
    pub bytes: Vec<u8>,
    /// The segment is closed and this file is complete: cut it here and sync it.
    pub completes: bool,
}

/// A `.snapshot` file: producers as of `offset`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub offset: Offset,
    pub bytes: Vec<u8>,
}

/// For DescribeProducers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerInfo {
    pub id: ProducerId,
    pub epoch: i16,
    pub last_sequence: i32,
    /// When its last batch arrived.
    pub last_timestamp: Timestamp,
    pub coordinator_epoch: i32,
    /// First offset of its open transaction.
    pub txn_start: Option<Offset>,
}

/// One segment, for those who list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    pub base: Offset,
    /// Offset after its last record.
    pub end: Offset,
    /// Bytes of its `.log`.
    pub len: u32,
}

impl Log {
    /// An empty log in an empty directory, whose first record will have offset `start`. The shell makes the files of
    /// segment `start`. `name` is for messages (`orders-7`); `seed` decides the jitter of its rolls.
    pub fn create(name: &str, config: Arc<LogConfig>, start: Offset, now: Now, seed: u64) -> Log {
        assert!(start.0 >= 0);
        Log {
            name: name.into(),
            config,
            seed,
            log_start: start,
            segments: vec![Segment::new(start, now.wall)],
            flights: VecDeque::new(),
            written_end: start,
            recovery_point: start,
            leader_epoch: Epoch::UNKNOWN,
            producers: Producers::default(),
            epochs: Epochs::default(),
            dirty: Dirty::default(),
            snapshots: Vec::new(),
            finder: Finder::default(),
        }
    }

    /// The topic's settings changed. Holds from the next append on.
    pub fn configure(&mut self, config: Arc<LogConfig>) {
        self.config = config;
    }
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    // ---- append

    /// This broker leads the partition in `epoch`: batches from clients are stamped with it.
    pub fn lead(&mut self, epoch: Epoch) {
        self.leader_epoch = epoch;
        self.epochs.assign(epoch, self.end());
    }

    /// Appends one batch: `batch` is the whole of a partition's records in a Produce request, or one batch of a leader.
    ///
    /// Only decides; the caller writes [`Appended::write`] and reports [`Log::written`]. Appends are written in order.
    /// What is checked, and how it is refused: [`validate`], then [`crate::log::producers`].
    pub fn append(&mut self, now: Now, batch: &[u8], origin: Origin, scratch: &mut Scratch) -> Result<Appended, Refused> {
        let Valid { mut header, len, stored } = if origin == Origin::Replica {
            validate::check_replica(batch, &self.name)?
        } else {
            let to = Destination { partition: &self.name, config: &self.config, origin, now: now.wall };
            validate::check(batch, to, scratch)?
        };
        let end = self.end();
        if origin == Origin::Replica {
            if header.base_offset() < end {
                let message = format!("Offset {} of {} is below the end {end} of the log", header.base_offset(), self.name);
                return Err(Refused::whole(ErrorCode::OffsetOutOfRange, message));
            }
        } else {
            header.assign(end, self.leader_epoch);
            if !header.is_sane() {
                return Err(Refused::whole(ErrorCode::InvalidRecord, format!("{} has no offsets left", self.name)));
            }
        }
        if header.has_producer() {
            match self.producers.check(&header, origin, &self.name) {
                Ok(Verdict::New) => {}
                Ok(Verdict::Duplicate(first)) => {
                    return Ok(Appended {
                        base_offset: first.base_offset(),
                        end: first.last_offset.next(),
                        log_append_time: self.log_append_time(first.arrived),
                        log_start: self.log_start,
                        write: None,
                    });
                }
                Err((code, message)) => return Err(Refused::whole(code, message)),
            }
        }
        // Until there is a transaction coordinator, no producer has a transaction that a batch could be part of.
        if header.is_transactional() && origin == Origin::Client {
            return Err(Refused::whole(ErrorCode::InvalidTxnState, "Record was not part of an ongoing transaction".into()));
        }

        let jitter = self.jitter_ms(self.active_segment().base);
        let rolled = if self.active_segment().is_full(&header, len, &self.config, jitter, now) {
            Some(self.roll_at(header.base_offset(), now))
        } else {
            None
        };
        let interval = self.config.index_interval_bytes;
        let active = self.active_mut();
        let segment = active.base;
        let position = active.append(&header, len, interval, now.wall);
        self.flights.push_back(Flight { segment, position, end: header.end(), len, appended: now.instant });
        self.finder.appended(Mark { segment, offset: header.base_offset(), position }, header.base_offset() == end);
        self.epochs.assign(header.leader_epoch(), header.base_offset());
        self.producers.append(&header, &batch[HEADER_LEN..], now.wall);
        assert!(self.end() == header.end() && self.written_end < self.end());
        Ok(Appended {
            base_offset: header.base_offset(),
            end: header.end(),
            log_append_time: self.log_append_time(now.wall),
            log_start: self.log_start,
            write: Some(Write { segment, position, len, header: header_bytes(&header), stored, rolled }),
        })
    }

    fn log_append_time(&self, time: Timestamp) -> Timestamp {
        match self.config.message_timestamp_type {
            TimestampType::CreateTime => Timestamp::NONE,
            TimestampType::LogAppendTime => time,
        }
    }

    /// Ends the active segment now, if it holds anything.
    pub fn roll(&mut self, now: Now) -> Option<Roll> {
        (self.active_segment().len > 0).then(|| self.roll_at(self.end(), now))
    }

    /// The next segment begins at `base`, where the next batch does: at the end, but for a follower of a compacted log.
    fn roll_at(&mut self, base: Offset, now: Now) -> Roll {
        let closed = self.active_mut();
        assert!(base >= closed.end && base > closed.base);
        closed.close();
        let roll = Roll { closed: closed.base, closed_len: closed.len, begins: base };
        self.segments.push(Segment::new(base, now.wall));
        self.snapshot_at(base);
        roll
    }

    fn jitter_ms(&self, base: Offset) -> u64 {
        match self.config.segment_jitter_ms {
            0 => 0,
            max => mixed(self.seed ^ base.0.unsigned_abs()) % (max.saturating_add(1)),
        }
    }

    // ---- what has completed, and what is due

    /// Everything below `upto` is in its file: `upto` is the end of a batch. Never goes back.
    pub fn written(&mut self, upto: Offset) {
        while let Some(flight) = self.flights.front().filter(|flight| flight.end <= upto) {
            self.written_end = flight.end;
            self.dirty.bytes += u64::from(flight.len);
            self.dirty.since.get_or_insert(flight.appended);
            if let Some(out) = &mut self.dirty.out {
                out.next_since.get_or_insert(flight.appended);
            }
            self.flights.pop_front();
        }
        assert!(self.written_end == upto, "what is written ends with a batch: {upto} against {}", self.written_end);
    }

    /// Is a flush due by `flush.messages` or `flush.ms`? The shell flushes sooner if it wants to.
    pub fn flush_due(&self, now: Now) -> bool {
        let records = u64::try_from(self.written_end.0 - self.recovery_point.0).unwrap_or(0);
        let many = self.config.flush_messages.is_some_and(|max| records >= max);
        let old = self.deadline().is_some_and(|deadline| deadline <= now.instant);
        self.dirty.out.is_none() && records > 0 && (many || old)
    }

    /// Bytes in files and not synced, and since when the oldest of them.
    pub fn dirty(&self) -> (u64, Option<Instant>) {
        (self.dirty.bytes, self.dirty.since)
    }

    /// What to sync so that everything written so far is on disk; `None` if it is, or if a flush is out.
    pub fn flush(&mut self) -> Option<Flush> {
        if self.written_end == self.recovery_point || self.dirty.out.is_some() {
            return None;
        }
        let upto = self.written_end;
        self.dirty.out = Some(FlushOut { upto, bytes: self.dirty.bytes, next_since: None });
        let unflushed = |segment: &&Segment| segment.end > self.recovery_point && segment.base < upto;
        Some(Flush { upto, segments: self.segments.iter().filter(unflushed).map(|segment| segment.base).collect() })
    }

    /// Everything below `upto` is on disk. Ends the flush that is out, if it is the one that [`Log::flush`] asked for.
    pub fn flushed(&mut self, upto: Offset) {
        assert!(upto <= self.written_end, "nothing is on disk that was not written");
        self.recovery_point = self.recovery_point.max(upto);
        if let Some(out) = self.dirty.out.filter(|out| out.upto <= upto) {
            self.dirty = Dirty { bytes: self.dirty.bytes - out.bytes, since: out.next_since, out: None };
        }
        if self.recovery_point == self.written_end {
            self.dirty = Dirty::default();
        }
    }

    /// When [`Log::flush_due`] may become true without an append.
    pub fn deadline(&self) -> Option<Instant> {
        Some(self.dirty.since? + Duration::from_millis(self.config.flush_ms?))
    }

    /// The next piece of an index that should be written: of closed segments always, of the active one when at least
    /// `entries_min` entries wait. Recovery walks from the last entry that is in the file. What completes a file is synced.
    ///
    /// A segment's time index goes first: whatever the offset index reaches, the time index knows.
    pub fn index_write(&mut self, entries_min: u32) -> Option<IndexWrite> {
        let last = self.segments.len() - 1;
        let candidates = self.segments.iter_mut().enumerate().filter(|(nth, segment)| *nth == last || segment.completing.any());
        candidates.filter_map(|(_, segment)| segment.index_write(entries_min)).next()
    }

    /// That write is done. One whose segment has been deleted meanwhile is nobody's.
    pub fn index_written(&mut self, write: &IndexWrite) {
        let Some(nth) = self.segment_of(write.segment) else { return };
        let segment = &mut self.segments[nth];
        if write.file == SegmentFile::TimeIndex {
            segment.times.write_done();
            segment.completing.times &= !write.completes;
        } else {
            segment.offsets.write_done();
            segment.completing.offsets &= !write.completes;
        }
        if write.completes && !segment.completing.any() {
            segment.offsets.drop_written();
            segment.times.drop_written();
        }
    }

    /// Something of what [`Log::index_write`] and [`Log::epochs_write`] gave out could not be written, and nothing of it is
    /// on its way any more: ask for it again. (What was written twice is the same both times.)
    pub fn unwritten(&mut self) {
        self.segments.iter_mut().for_each(Segment::index_unwritten);
        self.epochs.write_undone();
    }

    /// Remembers the producers as they are now, at [`Log::end`], for a snapshot. A roll does so by itself. The shell does
    /// so every few MiB (recovery scans from the last snapshot) and at a clean stop.
    pub fn snapshot_begin(&mut self) {
        self.snapshot_at(self.end());
    }

    fn snapshot_at(&mut self, offset: Offset) {
        if self.snapshots.last() != Some(&offset) && offset.0 > 0 {
            self.producers.freeze(offset);
        }
    }

    /// The snapshot to write, once everything below its offset is on disk.
    pub fn snapshot_write(&mut self) -> Option<Snapshot> {
        let offset = self.producers.frozen_at().filter(|offset| *offset <= self.recovery_point)?;
        let bytes = snapshot::encode(self.producers.frozen());
        self.producers.thaw();
        Some(Snapshot { offset, bytes })
    }

    /// The snapshot at `offset` is on disk. Which older ones are no longer of use: delete them.
    ///
    /// Kept are the newest, and those at the base of a segment, as Kafka does.
    pub fn snapshot_written(&mut self, offset: Offset) -> Vec<Offset> {
        if let Err(nth) = self.snapshots.binary_search(&offset) {
            self.snapshots.insert(nth, offset);
        }
        let newest = self.snapshots.last().copied();
        let segments = &self.segments;
        let useful = |offset: &Offset| Some(*offset) == newest || segments.binary_search_by_key(offset, |segment| segment.base).is_ok();
        let (kept, obsolete) = self.snapshots.iter().partition(|offset| useful(offset));
        self.snapshots = kept;
        obsolete
    }

    /// Offset of the newest snapshot on disk; recovery replays producers from there.
    pub fn snapshot_offset(&self) -> Option<Offset> {
        self.snapshots.last().copied()
    }

    /// Nothing is appended any more: the last index entry and the snapshot of a clean stop come due. Flush, then write what
    /// [`Log::index_write`] and [`Log::snapshot_write`] have. Kafka: `LogSegment.close`.
    pub fn stop(&mut self) {
        self.active_mut().push_time();
        self.snapshot_begin();
    }

    /// New content of `leader-epoch-checkpoint`, if it changed since the last time. One at a time.
    pub fn epochs_write(&mut self) -> Option<Vec<u8>> {
        self.epochs.write()
    }
    /// That content is on disk.
    pub fn epochs_written(&mut self) {
        self.epochs.write_done();
    }

    /// [`crate::plants::Plant::ProducersForgotten`].
    pub fn forget_producers(&mut self) {
        self.producers.clear();
    }

    /// Forgets producers that sent nothing for `producer.id.expiration.ms`.
    pub fn expire_producers(&mut self, now: Now) {
        self.producers.expire(now.wall, self.config.producer_id_expiration_ms);
    }

    // ---- where it is

    /// Oldest offset that may be read. `log-start-offset-checkpoint`.
    pub fn log_start(&self) -> Offset {
        self.log_start
    }
    /// Offset of the next record.
    pub fn end(&self) -> Offset {
        self.active_segment().end
    }
    /// Everything below is in its file.
    pub fn written_end(&self) -> Offset {
        self.written_end
    }
    /// Every record below is on disk.
    pub fn recovery_point(&self) -> Offset {
        self.recovery_point
    }
    /// For `recovery-point-offset-checkpoint`: every record below is on disk, and so are the epochs they were written in, and the
    /// indexes of segments that end before. A recovery believes all that.
    pub fn recovery_checkpoint(&self) -> Offset {
        let incomplete = self.segments.iter().find(|segment| segment.completing.any());
        // One before its end: then that segment is looked at, from the last batch that its indexes know.
        let bounds = incomplete.map(|segment| Offset(segment.end.0 - 1)).into_iter().chain(self.epochs.unwritten_start());
        bounds.fold(self.recovery_point, Offset::min).max(self.segments[0].base)
    }
    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| u64::from(segment.len)).sum()
    }
    /// The segment that is appended to.
    pub fn active(&self) -> SegmentInfo {
        self.active_segment().info()
    }
    /// Ascending; the active one is last.
    pub fn segments(&self) -> impl Iterator<Item = SegmentInfo> + '_ {
        self.segments.iter().map(Segment::info)
    }
    /// In order of their ids.
    pub fn producers(&self) -> impl Iterator<Item = ProducerInfo> + '_ {
        self.producers.iter().map(|(id, producer)| ProducerInfo {
            id,
            epoch: producer.epoch,
            last_sequence: producer.last_sequence(),
            last_timestamp: producer.arrived,
            coordinator_epoch: producer.coordinator_epoch,
            txn_start: producer.txn_start,
        })
    }
    /// Epoch of the newest record, or of the leadership that began after it.
    pub fn leader_epoch(&self) -> Option<Epoch> {
        self.epochs.latest()
    }
    /// Leader epoch of the record at `offset`.
    pub fn epoch_at(&self, offset: Offset) -> Option<Epoch> {
        self.epochs.at(offset)
    }
    /// For OffsetForLeaderEpoch: the largest epoch not above `epoch`, and the offset where the next one begins.
    /// Kafka: `LeaderEpochFileCache.endOffsetFor`.
    pub fn end_for_epoch(&self, epoch: Epoch) -> Option<(Epoch, Offset)> {
        self.epochs.end_for(epoch, self.end())
    }

    /// Every epoch that wrote to this log, with its first offset; both rise.
    pub fn epochs(&self) -> &[(Epoch, Offset)] {
        self.epochs.entries()
    }

    /// Gives back memory that only speeds things up: for a partition that has been idle for a while.
    pub fn idle(&mut self) {
        self.finder = Finder::default();
        self.flights.shrink_to_fit();
        for segment in &mut self.segments {
            segment.offsets.drop_written();
            segment.times.drop_written();
        }
    }

    // ---- inside

    /// After a recovery nobody knows what beyond the recovery point is on disk: flush it all.
    pub(super) fn found_dirty(&mut self, now: Now) {
        if self.recovery_point < self.written_end {
            let unflushed = self.segments.iter().filter(|segment| segment.end > self.recovery_point);
            self.dirty.bytes = unflushed.map(|segment| u64::from(segment.len)).sum();
            self.dirty.since = Some(now.instant);
        }
    }
    pub(super) fn active_segment(&self) -> &Segment {
        self.segments.last().expect("there is always a segment")
    }
    pub(super) fn active_mut(&mut self) -> &mut Segment {
        self.segments.last_mut().expect("there is always a segment")
    }
    /// The segment with this base.
    pub(super) fn segment_of(&self, base: Offset) -> Option<usize> {
        self.segments.binary_search_by_key(&base, |segment| segment.base).ok()
    }
    /// Bytes of a segment that are in its file.
    pub(super) fn written_len(&self, segment: &Segment) -> u32 {
        if segment.end <= self.written_end {
            return segment.len;
        }
        let nth = self.flights.partition_point(|flight| flight.segment < segment.base);
        self.flights.get(nth).filter(|flight| flight.segment == segment.base).map_or(segment.len, |flight| flight.position.0)
    }
}

fn header_bytes(header: &Header) -> [u8; HEADER_LEN] {
    header.as_bytes().try_into().expect("a header is HEADER_LEN long")
}

/// Spreads a number over 64 bits (splitmix64).
fn mixed(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

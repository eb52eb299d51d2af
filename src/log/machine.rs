//! [`Log`]: the log of one partition.

use crate::error::ErrorCode;
use crate::log::batch::HEADER_LEN;
use crate::log::names::SegmentFile;
use crate::log::{LogConfig, Need, Now, ReadAsk, ReadPlan, Retention, Scratch, TimeAsk, TimePlan, Truncated};
use crate::types::{Epoch, Instant, Offset, Position, ProducerId, Timestamp};
use std::sync::Arc;

/// The log of one partition: which records it holds, where they lie, and what happens to the next one.
pub struct Log {}

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
        let _ = (name, config, start, now, seed);
        unimplemented!()
    }

    /// The topic's settings changed. Holds from the next append on.
    pub fn configure(&mut self, config: Arc<LogConfig>) {
        let _ = config;
        unimplemented!()
    }
    pub fn config(&self) -> &LogConfig {
        unimplemented!()
    }

    // ---- append

    /// This broker leads the partition in `epoch`: batches from clients are stamped with it.
    pub fn lead(&mut self, epoch: Epoch) {
        let _ = epoch;
        unimplemented!()
    }

    /// Appends one batch: `batch` is the whole of a partition's records in a Produce request, or one batch of a leader.
    ///
    /// Only decides; the caller writes [`Appended::write`] and reports [`Log::written`]. Appends are written in order.
    pub fn append(&mut self, now: Now, batch: &[u8], origin: Origin, scratch: &mut Scratch) -> Result<Appended, Refused> {
        let _ = (now, batch, origin, scratch);
        unimplemented!()
    }

    /// Ends the active segment now, if it holds anything.
    pub fn roll(&mut self, now: Now) -> Option<Roll> {
        let _ = now;
        unimplemented!()
    }

    // ---- what has completed, and what is due

    /// Everything below `upto` is in its file. Never goes back.
    pub fn written(&mut self, upto: Offset) {
        let _ = upto;
        unimplemented!()
    }
    /// Is a flush due by `flush.messages` or `flush.ms`? The shell flushes sooner if it wants to.
    pub fn flush_due(&self, now: Now) -> bool {
        let _ = now;
        unimplemented!()
    }
    /// Bytes in files and not synced, and since when the oldest of them.
    pub fn dirty(&self) -> (u64, Option<Instant>) {
        unimplemented!()
    }
    /// What to sync so that everything written so far is on disk; `None` if it is, or if a flush is out.
    pub fn flush(&mut self) -> Option<Flush> {
        unimplemented!()
    }
    /// Everything below `upto` is on disk.
    pub fn flushed(&mut self, upto: Offset) {
        let _ = upto;
        unimplemented!()
    }
    /// When [`Log::flush_due`] may become true without an append.
    pub fn deadline(&self) -> Option<Instant> {
        unimplemented!()
    }
    /// The next piece of an index that should be written: of closed segments always, of the active one when at least
    /// `entries_min` entries wait.
    pub fn index_write(&mut self, entries_min: u32) -> Option<IndexWrite> {
        let _ = entries_min;
        unimplemented!()
    }
    pub fn index_written(&mut self, write: &IndexWrite) {
        let _ = write;
        unimplemented!()
    }
    /// Remembers the producers as they are now, at [`Log::end`], for a snapshot. A roll does so by itself. The shell does
    /// so every few MiB (recovery scans from the last snapshot) and at a clean stop.
    pub fn snapshot_begin(&mut self) {
        unimplemented!()
    }
    /// The snapshot to write, once everything below its offset is on disk.
    pub fn snapshot_write(&mut self) -> Option<Snapshot> {
        unimplemented!()
    }
    /// The snapshot at `offset` is on disk. Which older ones are no longer of use: delete them.
    pub fn snapshot_written(&mut self, offset: Offset) -> Vec<Offset> {
        let _ = offset;
        unimplemented!()
    }
    /// New content of `leader-epoch-checkpoint`, if it changed since the last time.
    pub fn epochs_write(&mut self) -> Option<Vec<u8>> {
        unimplemented!()
    }
    /// Forgets producers that sent nothing for `producer.id.expiration.ms`.
    pub fn expire_producers(&mut self, now: Now) {
        let _ = now;
        unimplemented!()
    }

    // ---- where it is

    /// Oldest offset that may be read. `log-start-offset-checkpoint`.
    pub fn log_start(&self) -> Offset {
        unimplemented!()
    }
    /// Offset of the next record.
    pub fn end(&self) -> Offset {
        unimplemented!()
    }
    /// Everything below is in its file.
    pub fn written_end(&self) -> Offset {
        unimplemented!()
    }
    /// Everything below is on disk. `recovery-point-offset-checkpoint`.
    pub fn recovery_point(&self) -> Offset {
        unimplemented!()
    }
    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        unimplemented!()
    }
    /// The segment that is appended to.
    pub fn active(&self) -> SegmentInfo {
        unimplemented!()
    }
    /// Ascending; the active one is last.
    pub fn segments(&self) -> impl Iterator<Item = SegmentInfo> + '_ {
        std::iter::empty()
    }
    pub fn producers(&self) -> impl Iterator<Item = ProducerInfo> + '_ {
        std::iter::empty()
    }
    pub fn leader_epoch(&self) -> Option<Epoch> {
        unimplemented!()
    }

    // ---- reading

    /// Where the batches from `ask.offset` on lie.
    pub fn read(&mut self, ask: &ReadAsk) -> ReadPlan {
        let _ = ask;
        unimplemented!()
    }
    /// Goes on after a [`ReadPlan::Need`], with the bytes it asked for (fewer if the file ends).
    pub fn read_on(&mut self, ask: &ReadAsk, need: &Need, bytes: &[u8]) -> ReadPlan {
        let _ = (ask, need, bytes);
        unimplemented!()
    }
    /// For ListOffsets by timestamp.
    pub fn offset_for_time(&mut self, ask: &TimeAsk) -> TimePlan {
        let _ = ask;
        unimplemented!()
    }
    pub fn offset_for_time_on(&mut self, ask: &TimeAsk, need: &Need, bytes: &[u8]) -> TimePlan {
        let _ = (ask, need, bytes);
        unimplemented!()
    }
    /// Leader epoch of the record at `offset`, or of the newest one.
    pub fn epoch_at(&self, offset: Offset) -> Option<Epoch> {
        let _ = offset;
        unimplemented!()
    }
    /// For OffsetForLeaderEpoch: the largest epoch not above `epoch`, and the offset where the next one begins.
    /// Kafka: `LeaderEpochFileCache.endOffsetFor`.
    pub fn end_for_epoch(&self, epoch: Epoch) -> Option<(Epoch, Offset)> {
        let _ = epoch;
        unimplemented!()
    }

    // ---- getting shorter

    /// Moves the log start to `offset` (`None`: to the high watermark), for DeleteRecords. The new log start.
    pub fn delete_records(&mut self, offset: Option<Offset>, high_watermark: Offset) -> Result<Offset, ErrorCode> {
        let _ = (offset, high_watermark);
        unimplemented!()
    }
    /// Takes out what retention says: by time, by size, and what lies before the log start.
    pub fn retention(&mut self, now: Now, high_watermark: Offset) -> Retention {
        let _ = (now, high_watermark);
        unimplemented!()
    }
    /// Answers [`Retention::need`].
    pub fn retention_on(&mut self, need: &Need, bytes: &[u8]) {
        let _ = (need, bytes);
        unimplemented!()
    }
    /// Cuts everything from `offset` on, for a follower whose leader has something else there.
    pub fn truncate(&mut self, offset: Offset) -> Truncated {
        let _ = offset;
        unimplemented!()
    }
    pub fn truncate_on(&mut self, offset: Offset, need: &Need, bytes: &[u8]) -> Truncated {
        let _ = (offset, need, bytes);
        unimplemented!()
    }

    /// Gives back memory that only speeds things up: for a partition that has been idle for a while.
    pub fn idle(&mut self) {
        unimplemented!()
    }
}

//! One segment: a `.log` file and its indexes, as the machine sees them.

use crate::log::batch::Header;
use crate::log::index::{Index, Newest, OffsetEntry, TimeEntry};
use crate::log::names::SegmentFile;
use crate::log::{IndexWrite, LogConfig, Now, SegmentInfo};
use crate::types::{Offset, Position, Timestamp};

/// The largest timestamp in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewestTime {
    /// The last entry of its `.timeindex` says, which nobody has read yet.
    Unread,
    /// No record has a timestamp.
    None,
    Known(Newest),
}

impl NewestTime {
    pub fn known(self) -> Option<Newest> {
        match self {
            NewestTime::Known(newest) => Some(newest),
            _ => None,
        }
    }
}

/// See the module. `base <= end`; `len == 0` exactly when `base == end`, unless compaction took everything out.
#[derive(Clone, Debug)]
pub struct Segment {
    pub base: Offset,
    /// Offset after its last record.
    pub end: Offset,
    /// Bytes of its `.log` that are appended (of the active one not all may be written).
    pub len: u32,
    pub newest: NewestTime,
    /// Timestamp of its first batch, from which `segment.ms` counts.
    pub first: Option<Timestamp>,
    /// When it was made, or opened.
    pub created: Timestamp,
    /// When it was last appended to, or opened: its age when no record says one.
    pub touched: Timestamp,
    pub offsets: Index<OffsetEntry>,
    pub times: Index<TimeEntry>,
    /// Closed, and the last write of these indexes has not come back.
    pub completing: Completing,
    /// Its `.index` turned out not to be one: readers scan from the start until a recovery has made it anew.
    pub index_broken: bool,
}

/// Index files of a closed segment that are not complete yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Completing {
    pub offsets: bool,
    pub times: bool,
}

impl Completing {
    pub fn any(self) -> bool {
        self.offsets || self.times
    }
}

impl Segment {
    pub fn new(base: Offset, now: Timestamp) -> Segment {
        Segment {
            base,
            end: base,
            len: 0,
            newest: NewestTime::None,
            first: None,
            created: now,
            touched: now,
            offsets: Index::default(),
            times: Index::default(),
            completing: Completing::default(),
            index_broken: false,
        }
    }

    pub fn info(&self) -> SegmentInfo {
        SegmentInfo { base: self.base, end: self.end, len: self.len }
    }

    /// `offset` less the base; `None` if that does not fit an index (Kafka: 31 bits).
    pub fn delta(&self, offset: Offset) -> Option<u32> {
        let delta = offset.0.checked_sub(self.base.0)?;
        i32::try_from(delta).ok().and_then(|delta| u32::try_from(delta).ok())
    }

    /// Must a batch of `batch_len` bytes go to a new segment? Kafka: `LogSegment.shouldRoll`.
    pub fn is_full(&self, header: &Header, batch_len: u32, config: &LogConfig, jitter_ms: u64, now: Now) -> bool {
        let index_full = self.offsets.len() >= config.segment_index_bytes / OFFSET_ENTRY_LEN
            || self.times.len() >= (config.segment_index_bytes / TIME_ENTRY_LEN).saturating_sub(1);
        // An empty one is as good as a new one, except for an offset that is too far from its base.
        self.len > 0
            && (u64::from(self.len) + u64::from(batch_len) > u64::from(config.segment_bytes)
                || self.waited_ms(header.max_timestamp(), now) > config.segment_ms.saturating_sub(jitter_ms)
                || index_full)
            || self.delta(header.last_offset()).is_none()
    }

    /// Kafka: `LogSegment.timeWaitedForRoll`.
    fn waited_ms(&self, newest: Timestamp, now: Now) -> u64 {
        let waited = match self.first {
            Some(first) if first.0 >= 0 => newest.0.saturating_sub(first.0),
            _ => now.wall.0.saturating_sub(self.created.0),
        };
        u64::try_from(waited).unwrap_or(0)
    }

    /// A batch follows; where it lies. Makes index entries as Kafka does (`LogSegment.append`).
    pub fn append(&mut self, header: &Header, batch_len: u32, interval_bytes: u32, now: Timestamp) -> Position {
        let position = Position(self.len);
        let delta = self.delta(header.last_offset()).expect("a batch whose offsets fit its segment");
        if self.len == 0 {
            self.first = Some(header.max_timestamp());
        }
        if self.newest.known().map_or(Timestamp::NONE, |newest| newest.timestamp) < header.max_timestamp() {
            self.newest = NewestTime::Known(Newest { timestamp: header.max_timestamp(), offset: header.last_offset() });
        }
        if position.0 - self.offsets.last().map_or(0, |last| last.position.0) > interval_bytes {
            self.offsets.push(OffsetEntry { delta, position });
            self.push_time();
        }
        self.len += batch_len;
        self.end = header.end();
        self.touched = now;
        position
    }

    /// No batch follows: the largest timestamp gets its entry (Kafka: `LogSegment.onBecomeInactiveSegment`).
    pub fn close(&mut self) {
        self.push_time();
        self.completing = Completing { offsets: true, times: true };
    }

    /// What was out came to nothing.
    pub fn index_unwritten(&mut self) {
        self.offsets.write_undone();
        self.times.write_undone();
    }

    /// See [`crate::log::Log::index_write`].
    pub fn index_write(&mut self, entries_min: u32) -> Option<IndexWrite> {
        let Completing { offsets, times } = self.completing;
        let due = offsets || times || self.offsets.waiting() >= entries_min.max(1) || self.times.waiting() >= entries_min.max(1);
        if !due || self.times.is_out() {
            return None;
        }
        if times || self.times.waiting() > 0 {
            let (position, bytes) = self.times.write()?;
            return Some(IndexWrite { segment: self.base, file: SegmentFile::TimeIndex, position, bytes, completes: times });
        }
        if offsets || self.offsets.waiting() > 0 {
            let (position, bytes) = self.offsets.write()?;
            return Some(IndexWrite { segment: self.base, file: SegmentFile::OffsetIndex, position, bytes, completes: offsets });
        }
        None
    }

    /// The largest timestamp so far gets its entry, if it has none.
    pub fn push_time(&mut self) {
        let Some(newest) = self.newest.known() else { return };
        if self.times.last().is_none_or(|last| newest.timestamp > last.timestamp) {
            let delta = self.delta(newest.offset).expect("an offset of this segment");
            self.times.push(TimeEntry { timestamp: newest.timestamp, delta });
        }
    }
}

const OFFSET_ENTRY_LEN: u32 = <OffsetEntry as crate::log::index::Entry>::LEN;
const TIME_ENTRY_LEN: u32 = <TimeEntry as crate::log::index::Entry>::LEN;

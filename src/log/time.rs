//! Searching by time: the first record whose timestamp is not below the one asked for.
//!
//! Kafka: `UnifiedLog.fetchOffsetByTimestamp`, `LogSegment.findOffsetByTimestamp`. In four steps, each of which may need bytes:
//!
//! 1. the first segment whose largest timestamp is not below (a closed segment's is the last entry of its `.timeindex`)
//! 2. its time index: the last entry not above; no record before that offset is young enough
//! 3. its offset index: where that offset lies; from there, over the headers, to the first batch that is young enough
//! 4. that batch: the first such record
//!
//! The largest timestamp of a log (ListOffsets -3) is the same search for the largest timestamp of all segments.

use crate::log::batch::{self, Header, Met};
use crate::log::index::{self, Entry, Floor, Newest, TimeEntry};
use crate::log::names::SegmentFile;
use crate::log::read::{FloorAt, Stage};
use crate::log::segment::{NewestTime, Segment};
use crate::log::{Corrupt, Log, Need, Scratch, record};
use crate::types::{Epoch, Offset, Position, Timestamp};

/// A search by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeAsk {
    /// The first record whose timestamp is not below this.
    AtOrAfter(Timestamp),
    /// The first record that has the largest timestamp of the log.
    Max,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimePlan {
    Found(TimeFound),
    NotFound,
    /// Read these bytes, then [`Log::offset_for_time_on`].
    Need(Need),
    Corrupt(Corrupt),
}

/// A record. The caller compares its offset with what may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeFound {
    pub timestamp: Timestamp,
    pub offset: Offset,
    /// Of the batch, if it says one.
    pub leader_epoch: Option<Epoch>,
}

/// Where a search stands, and what the bytes that it needs are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeStage {
    /// Time index: its last entry.
    Newest,
    /// Time index: the floor is among the entries `low .. high`.
    Times { low: u32, high: u32 },
    /// Offset index: the floor of `from` is among the entries `low .. high`.
    Offsets { low: u32, high: u32, round: u32, from: Offset },
    /// Log: walk to a batch that is young enough.
    Walk,
    /// Log: this batch, whole.
    Batch,
}

/// Entries of a time index that are read at once: nearly a page.
const WINDOW_ENTRIES: u32 = 341;

impl Log {
    /// For ListOffsets by timestamp. What is not yet written is not found.
    pub fn offset_for_time(&mut self, ask: &TimeAsk) -> TimePlan {
        self.time_from(0, ask)
    }

    /// Goes on after a [`TimePlan::Need`], with the bytes it asked for (fewer if the file ends).
    pub fn offset_for_time_on(&mut self, ask: &TimeAsk, need: &Need, bytes: &[u8]) -> TimePlan {
        let (Some(nth), Stage::Time(stage)) = (self.segment_of(need.segment), need.stage) else { return self.offset_for_time(ask) };
        if stage == TimeStage::Newest {
            self.newest_read(nth, bytes);
            return self.offset_for_time(ask);
        }
        let Ok(target) = self.target(ask) else { return self.offset_for_time(ask) };
        match stage {
            TimeStage::Newest => unreachable!("answered above"),
            TimeStage::Times { low, high } => self.times_on(nth, target, (low, high), need, bytes),
            TimeStage::Offsets { low, high, round, from } => match self.search_on(nth, from, (low, high, round), need, bytes) {
                Some((low, high, round)) => self.search_offsets(nth, (low, high), round, from),
                None => self.offset_known(nth, from),
            },
            TimeStage::Walk => self.time_walk_on(nth, target, need, bytes, ask),
            TimeStage::Batch => self.time_batch_on(nth, target, need, bytes, ask),
        }
    }

    /// The timestamp searched for; what is needed first, if the largest of all is not known. `Err(None)`: there is none.
    fn target(&mut self, ask: &TimeAsk) -> Result<Timestamp, Option<Need>> {
        match *ask {
            TimeAsk::AtOrAfter(timestamp) => Ok(timestamp),
            TimeAsk::Max => {
                let unread = (0..self.segments.len()).find_map(|nth| self.newest_need(nth));
                if unread.is_some() {
                    return Err(unread);
                }
                let newest = self.segments.iter().filter_map(|segment| segment.newest.known());
                newest.map(|newest| newest.timestamp).max().ok_or(None)
            }
        }
    }

    /// Searches the segments from the `from`-th on.
    fn time_from(&mut self, from: usize, ask: &TimeAsk) -> TimePlan {
        let target = match self.target(ask) {
            Ok(target) => target,
            Err(Some(need)) => return TimePlan::Need(need),
            Err(None) => return TimePlan::NotFound,
        };
        for nth in from..self.segments.len() {
            if self.segments[nth].end <= self.log_start || self.segments[nth].len == 0 {
                continue;
            }
            if let Some(need) = self.newest_need(nth) {
                return TimePlan::Need(need);
            }
            if self.segments[nth].newest.known().is_some_and(|newest| newest.timestamp >= target) {
                return match self.segments[nth].times.floor(|entry| entry.timestamp <= target) {
                    Floor::Entry(entry, _) => self.time_known(nth, Some(entry)),
                    Floor::None(_) => self.time_known(nth, None),
                    Floor::InFile(entries) => self.search_times(nth, 0, entries),
                };
            }
        }
        TimePlan::NotFound
    }

    // ---- the largest timestamp of a segment

    /// What must be read to know it; `None` if it is known.
    pub(super) fn newest_need(&mut self, nth: usize) -> Option<Need> {
        let segment = &mut self.segments[nth];
        if segment.newest != NewestTime::Unread {
            return None;
        }
        let Some(last) = segment.times.len().checked_sub(1) else {
            // No entry was ever made: no record has a timestamp.
            segment.newest = NewestTime::None;
            return None;
        };
        let (file, position) = (SegmentFile::TimeIndex, Position(last * TimeEntry::LEN));
        Some(Need { segment: segment.base, file, position, len: TimeEntry::LEN, stage: Stage::Time(TimeStage::Newest) })
    }

    pub(super) fn newest_read(&mut self, nth: usize, bytes: &[u8]) {
        let segment = &mut self.segments[nth];
        if segment.newest == NewestTime::Unread {
            segment.newest = newest_of(segment, bytes);
        }
    }

    // ---- the time index

    fn search_times(&self, nth: usize, low: u32, high: u32) -> TimePlan {
        let count = high - low;
        let from = if count <= WINDOW_ENTRIES { low } else { low + (count - WINDOW_ENTRIES) / 2 };
        let to = (from + WINDOW_ENTRIES).min(high);
        let (file, position, len) = (SegmentFile::TimeIndex, Position(from * TimeEntry::LEN), (to - from) * TimeEntry::LEN);
        let stage = Stage::Time(TimeStage::Times { low, high });
        TimePlan::Need(Need { segment: self.segments[nth].base, file, position, len, stage })
    }

    fn times_on(&mut self, nth: usize, target: Timestamp, (low, high): (u32, u32), need: &Need, bytes: &[u8]) -> TimePlan {
        let entries: Vec<TimeEntry> = index::decode(bytes);
        let from = need.position.0 / TimeEntry::LEN;
        let asked = usize::try_from(need.len / TimeEntry::LEN).expect("a few hundred");
        if entries.len() < asked || index::sane_times(&entries) < asked {
            // The file is no time index: search the whole segment.
            return self.time_known(nth, None);
        }
        let above = entries.partition_point(|entry| entry.timestamp <= target);
        match above.checked_sub(1) {
            None if from > low => self.search_times(nth, low, from),
            None => self.time_known(nth, None),
            Some(last) if last + 1 == entries.len() && from + WINDOW_ENTRIES < high => {
                self.search_times(nth, from + WINDOW_ENTRIES - 1, high)
            }
            Some(last) => self.time_known(nth, Some(entries[last])),
        }
    }

    /// No record before this entry's offset is young enough.
    fn time_known(&mut self, nth: usize, entry: Option<TimeEntry>) -> TimePlan {
        let base = self.segments[nth].base;
        let from = entry.map_or(base, |entry| base.plus(entry.delta));
        self.offset_known(nth, from.max(self.log_start))
    }

    // ---- the offset index

    fn offset_known(&mut self, nth: usize, from: Offset) -> TimePlan {
        match self.floor(nth, from) {
            // What comes later is not written yet.
            FloorAt::Known { from, .. } if from.0 >= self.written_len(&self.segments[nth]) => TimePlan::NotFound,
            FloorAt::Known { from, .. } => self.time_walk(nth, from),
            FloorAt::Search { low, high } => self.search_offsets(nth, (low, high), 0, from),
        }
    }

    fn search_offsets(&self, nth: usize, bounds: (u32, u32), round: u32, from: Offset) -> TimePlan {
        let stage = |low, high, round| Stage::Time(TimeStage::Offsets { low, high, round, from });
        TimePlan::Need(self.search(nth, from, bounds, round, stage))
    }

    // ---- the log

    fn time_walk(&self, nth: usize, position: Position) -> TimePlan {
        TimePlan::Need(self.walk_need(nth, position, Stage::Time(TimeStage::Walk)))
    }

    fn time_walk_on(&mut self, nth: usize, target: Timestamp, need: &Need, bytes: &[u8], ask: &TimeAsk) -> TimePlan {
        let mut at = 0usize;
        loop {
            let here = Position(need.position.0.saturating_add(u32::try_from(at).unwrap_or(u32::MAX)));
            if here.0 >= self.written_len(&self.segments[nth]) {
                return self.time_from(nth + 1, ask);
            }
            let Some(header) = bytes.get(at..).and_then(Header::of) else {
                return match here == need.position {
                    true => TimePlan::Corrupt(Corrupt::at(need.segment, here, "the file ends before the segment does")),
                    false => self.time_walk(nth, here),
                };
            };
            let Some(len) = header.total_len().filter(|_| header.is_sane()) else {
                return TimePlan::Corrupt(Corrupt::at(need.segment, here, "no batch begins here"));
            };
            if header.max_timestamp() >= target && header.end() > self.log_start {
                let Ok(len) = u32::try_from(len) else {
                    return TimePlan::Corrupt(Corrupt::at(need.segment, here, "a batch larger than a segment"));
                };
                let stage = Stage::Time(TimeStage::Batch);
                return TimePlan::Need(Need { segment: need.segment, file: SegmentFile::Log, position: here, len, stage });
            }
            at = at.saturating_add(len);
        }
    }

    fn time_batch_on(&mut self, nth: usize, target: Timestamp, need: &Need, bytes: &[u8], ask: &TimeAsk) -> TimePlan {
        let Met::Batch { header, bytes } = batch::meet(bytes) else {
            return TimePlan::Corrupt(Corrupt::at(need.segment, need.position, "no whole batch begins here"));
        };
        let bytes_max = usize::try_from(self.config.decompressed_bytes_max).unwrap_or(usize::MAX);
        match first_at_or_after(header, bytes, target, self.log_start, bytes_max) {
            Ok(Some(found)) => TimePlan::Found(found),
            // The header promised more than the records keep.
            Ok(None) => {
                let next = Position(need.position.0.saturating_add(need.len));
                if next.0 < self.written_len(&self.segments[nth]) { self.time_walk(nth, next) } else { self.time_from(nth + 1, ask) }
            }
            Err(what) => TimePlan::Corrupt(Corrupt::at(need.segment, need.position, what)),
        }
    }
}

fn newest_of(segment: &Segment, bytes: &[u8]) -> NewestTime {
    let entry = index::decode::<TimeEntry>(bytes).first().copied().filter(|entry| entry.timestamp.0 >= 0);
    entry.map_or(NewestTime::None, |entry| {
        NewestTime::Known(Newest { timestamp: entry.timestamp, offset: segment.base.plus(entry.delta.min(i32::MAX.unsigned_abs())) })
    })
}

/// The first record of a batch that is not older than `target` and not before `log_start`.
fn first_at_or_after(
    header: &Header,
    batch: &[u8],
    target: Timestamp,
    log_start: Offset,
    bytes_max: usize,
) -> Result<Option<TimeFound>, &'static str> {
    let codec = header.codec().ok_or("a batch of an unknown codec")?;
    let mut scratch = Scratch::new();
    let body = batch.get(batch::HEADER_LEN..).unwrap_or_default();
    let plain = scratch.decompress(codec, body, bytes_max).map_err(|_| "a batch that does not decompress")?;
    for record in record::records(plain) {
        let record = record.map_err(|_| "a batch whose records are none")?;
        let own = Timestamp(header.base_timestamp.get().wrapping_add(record.timestamp_delta));
        let timestamp = if header.is_log_append_time() { header.max_timestamp() } else { own };
        let offset = Offset(header.base_offset().0.saturating_add(i64::from(record.offset_delta)));
        if timestamp >= target && offset >= log_start {
            let leader_epoch = Some(header.leader_epoch()).filter(|epoch| epoch.0 >= 0);
            return Ok(Some(TimeFound { timestamp, offset, leader_epoch }));
        }
    }
    Ok(None)
}

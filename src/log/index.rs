//! The two indexes of a segment: entries, their bytes, and how they grow.
//!
//! ```text
//!  .index      relative offset u32, position u32          the batch at `position` ends with that offset
//!  .timeindex  timestamp i64, relative offset u32         the largest timestamp up to that offset
//! ```
//!
//! Both rise strictly in both columns (a time index may repeat nothing, and its offsets never fall). An entry is made for a
//! batch when more than `index.interval.bytes` lie between its start and that of the last one that got an entry
//! (Kafka: `LogSegment.append`).
//!
//! An index that grows lives in memory only as far as it is not yet in its file, plus a short tail for readers:
//!
//! ```text
//!  0 ─────────────── dropped ────────── written ──────────── len
//!  │ only in the file │ in both          │ only in memory     │
//! ```

use crate::types::{Offset, Position, Timestamp};
use std::collections::VecDeque;

/// Entries that stay in memory after they were written. Raising it grows every active partition by 8 and 16 bytes each, and
/// spares a reader a look into the file who is further behind.
const KEPT_MAX: usize = 128;

/// What an index consists of.
pub trait Entry: Copy + PartialEq + std::fmt::Debug {
    /// Bytes in the file.
    const LEN: u32;
    fn put(self, into: &mut Vec<u8>);
    /// `bytes` are `LEN` long.
    fn of(bytes: &[u8]) -> Self;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetEntry {
    /// Last offset of the batch, less the segment's base offset.
    pub delta: u32,
    /// Where the batch begins.
    pub position: Position,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeEntry {
    pub timestamp: Timestamp,
    /// Last offset of the first batch that has this timestamp, less the segment's base offset.
    pub delta: u32,
}

impl Entry for OffsetEntry {
    const LEN: u32 = 8;
    fn put(self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.delta.to_be_bytes());
        into.extend_from_slice(&self.position.0.to_be_bytes());
    }
    fn of(bytes: &[u8]) -> OffsetEntry {
        OffsetEntry { delta: word(bytes, 0), position: Position(word(bytes, 4)) }
    }
}

impl Entry for TimeEntry {
    const LEN: u32 = 12;
    fn put(self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.timestamp.0.to_be_bytes());
        into.extend_from_slice(&self.delta.to_be_bytes());
    }
    fn of(bytes: &[u8]) -> TimeEntry {
        let timestamp = u64::from(word(bytes, 0)) << 32 | u64::from(word(bytes, 4));
        TimeEntry { timestamp: Timestamp(i64::from_be_bytes(timestamp.to_be_bytes())), delta: word(bytes, 8) }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_be_bytes(*b))
}

/// The whole entries in `bytes`.
pub fn decode<E: Entry>(bytes: &[u8]) -> Vec<E> {
    bytes.chunks_exact(len_of::<E>()).map(E::of).collect()
}

pub fn encode<E: Entry>(entries: impl Iterator<Item = E>) -> Vec<u8> {
    let mut bytes = Vec::new();
    entries.for_each(|entry| entry.put(&mut bytes));
    bytes
}

fn len_of<E: Entry>() -> usize {
    usize::try_from(E::LEN).expect("a few bytes")
}

/// How many entries at the start of an offset index can be those of a log of `log_len` bytes.
pub fn sane_offsets(entries: &[OffsetEntry], log_len: u32) -> usize {
    let mut last = OffsetEntry { delta: 0, position: Position(0) };
    let mut rises = |entry: &OffsetEntry| {
        let sane = entry.position > last.position
            && entry.position.0 < log_len
            && entry.delta <= i32::MAX.unsigned_abs()
            && (entry.delta > last.delta || last.position.0 == 0);
        last = *entry;
        sane
    };
    entries.iter().take_while(|entry| rises(entry)).count()
}

/// How many entries at the start of a time index rise as they should.
pub fn sane_times(entries: &[TimeEntry]) -> usize {
    let mut last: Option<TimeEntry> = None;
    let mut rises = |entry: &TimeEntry| {
        let sane = entry.timestamp.0 >= 0
            && entry.delta <= i32::MAX.unsigned_abs()
            && last.is_none_or(|last| entry.timestamp > last.timestamp && entry.delta >= last.delta);
        last = Some(*entry);
        sane
    };
    entries.iter().take_while(|entry| rises(entry)).count()
}

/// Offsets and time of the same point of a segment, as [`crate::log::segment::Segment`] pushes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest {
    pub timestamp: Timestamp,
    /// Last offset of the first batch that has it.
    pub offset: Offset,
}

/// An index that grows. See the module.
///
/// `dropped <= written <= dropped + kept.len()`
#[derive(Clone, Debug)]
pub struct Index<E> {
    dropped: u32,
    kept: VecDeque<E>,
    written: u32,
    /// Entries that a write holds that is out.
    out: Option<u32>,
    last: Option<E>,
}

impl<E> Default for Index<E> {
    fn default() -> Index<E> {
        Index { dropped: 0, kept: VecDeque::new(), written: 0, out: None, last: None }
    }
}

/// What is known of the largest entry that is not above something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor<E> {
    /// This one; with its successor, if there is one.
    Entry(E, Option<E>),
    /// Every entry is above; the first, if there is one.
    None(Option<E>),
    /// It is in the file, among the first so many entries.
    InFile(u32),
}

impl<E: Entry> Index<E> {
    /// One whose first `written` entries are in its file. `last` is the last of them; who never pushes need not know it.
    pub fn in_file(written: u32, last: Option<E>) -> Index<E> {
        assert!(written > 0 || last.is_none(), "what has no entries has no last one");
        Index { dropped: written, kept: VecDeque::new(), written, out: None, last }
    }

    pub fn len(&self) -> u32 {
        self.dropped + self.kept_len()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    pub fn last(&self) -> Option<E> {
        self.last
    }
    /// Entries that only the file has.
    pub fn dropped(&self) -> u32 {
        self.dropped
    }
    /// Entries that memory has, with the number of the first.
    pub fn kept(&self) -> (u32, &VecDeque<E>) {
        (self.dropped, &self.kept)
    }
    fn kept_len(&self) -> u32 {
        u32::try_from(self.kept.len()).expect("an index has fewer than 2^28 entries")
    }

    pub fn push(&mut self, entry: E) {
        self.kept.push_back(entry);
        self.last = Some(entry);
    }

    /// The largest entry for which `not_above` holds; it holds for a first part of the index.
    pub fn floor(&self, not_above: impl Fn(&E) -> bool) -> Floor<E> {
        let above = self.kept.partition_point(&not_above);
        match above.checked_sub(1).map(|nth| self.kept[nth]) {
            Some(entry) => Floor::Entry(entry, self.kept.get(above).copied()),
            None if self.dropped == 0 => Floor::None(self.kept.front().copied()),
            // Only the last entry is in memory without being kept.
            None if self.kept.is_empty() => match self.last.filter(&not_above) {
                Some(last) => Floor::Entry(last, None),
                None => Floor::InFile(self.dropped),
            },
            None => Floor::InFile(self.dropped),
        }
    }

    /// Entries that wait to be written.
    pub fn waiting(&self) -> u32 {
        self.len() - self.written
    }
    pub fn is_out(&self) -> bool {
        self.out.is_some()
    }
    /// Bytes of all that waits, and where they go, unless a write is out.
    pub fn write(&mut self) -> Option<(Position, Vec<u8>)> {
        if self.is_out() {
            return None;
        }
        self.out = Some(self.waiting());
        let skip = usize::try_from(self.written - self.dropped).expect("fewer than are kept");
        Some((Position(self.written * E::LEN), encode(self.kept.iter().skip(skip).copied())))
    }
    pub fn write_done(&mut self) {
        self.written += self.out.take().expect("a write was out");
        while self.kept.len() > KEPT_MAX && self.dropped < self.written {
            self.drop_front();
        }
    }
    /// The write that is out, if any, failed: what it held waits again.
    pub fn write_undone(&mut self) {
        self.out = None;
    }
    /// Keeps only what is not in the file.
    pub fn drop_written(&mut self) {
        while self.dropped < self.written {
            self.drop_front();
        }
        self.kept.shrink_to_fit();
    }
    fn drop_front(&mut self) {
        self.kept.pop_front();
        self.dropped += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(nth: u32) -> OffsetEntry {
        OffsetEntry { delta: nth * 10, position: Position(nth * 100) }
    }

    #[test]
    fn entries_leave_memory_once_they_are_in_the_file() {
        let mut index = Index::default();
        for nth in 1..=200 {
            index.push(entry(nth));
        }
        let (position, bytes) = index.write().unwrap();
        assert_eq!((position, bytes.len()), (Position(0), 1600));
        index.push(entry(201));
        assert_eq!(index.write(), None, "one at a time");
        index.write_done();
        assert_eq!((index.len(), index.dropped(), index.waiting()), (201, 201 - 128, 1));
        assert_eq!(index.write(), Some((Position(1600), encode([entry(201)].into_iter()))));
        index.write_done();
        index.drop_written();
        assert_eq!((index.dropped(), index.last(), index.kept.capacity()), (201, Some(entry(201)), 0));
    }

    #[test]
    fn a_floor_is_an_entry_or_in_the_file_or_none() {
        let below = |offset: u32| move |entry: &OffsetEntry| entry.delta <= offset;
        let mut index = Index::default();
        assert_eq!(index.floor(below(5)), Floor::None(None));
        index.push(entry(1));
        index.push(entry(2));
        assert_eq!(index.floor(below(5)), Floor::None(Some(entry(1))));
        assert_eq!(index.floor(below(10)), Floor::Entry(entry(1), Some(entry(2))));
        assert_eq!(index.floor(below(99)), Floor::Entry(entry(2), None));
        let index = Index::in_file(2, Some(entry(2)));
        assert_eq!(index.floor(below(19)), Floor::InFile(2));
        assert_eq!(index.floor(below(20)), Floor::Entry(entry(2), None));
    }

    #[test]
    fn an_index_that_does_not_rise_is_believed_only_as_far_as_it_does() {
        let good = [entry(1), entry(2), entry(3)];
        assert_eq!(sane_offsets(&good, 301), 3);
        assert_eq!(sane_offsets(&good, 300), 2, "the log ends before the third");
        let zeros = [entry(1), OffsetEntry { delta: 0, position: Position(0) }];
        assert_eq!(sane_offsets(&zeros, 1000), 1);
        assert_eq!(sane_offsets(&zeros[1..], 1000), 0);
        let time = |timestamp, delta| TimeEntry { timestamp: Timestamp(timestamp), delta };
        assert_eq!(sane_times(&[time(5, 1), time(6, 1), time(6, 2)]), 2);
        assert_eq!(sane_times(&[time(0, 0), time(0, 0)]), 1);
        assert_eq!(decode::<TimeEntry>(&encode([time(-2, 7)].into_iter())), [time(-2, 7)]);
    }
}

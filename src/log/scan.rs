//! A walk through the batches of one segment file, chunk by chunk: what in it is whole, and what its indexes should be.
//!
//! ```text
//!            position ─▶ batch ─▶ batch ─▶ batch ─▶ torn, zeros, or nonsense
//!  kept prefix of the indexes │ entries made anew │ ▲ stopped here
//! ```
//!
//! Holds one chunk at a time and copies nothing; a batch that ends in the next chunk is asked for again.

use crate::log::batch::{self, HEADER_LEN, Header, Met};
use crate::log::index::{self, Index, Newest, OffsetEntry, TimeEntry};
use crate::log::listing::SegmentFiles;
use crate::log::segment::{NewestTime, Segment};
use crate::types::{Offset, Timestamp};

/// Bytes asked for at once. Raising it grows what a start-up holds per partition that it recovers at a time.
const CHUNK: u32 = 1 << 20;

/// What is taken for a batch of this log.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Batches from here on must follow each other without gaps, unless `gaps`.
    pub recovery_point: Offset,
    pub gaps: bool,
    /// Nothing at or above this is kept.
    pub cut: Option<Offset>,
    pub interval_bytes: u32,
    pub now: Timestamp,
}

/// Why a walk stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// At the end of the file.
    End,
    /// At the cut that was asked for.
    Cut,
    /// Where no whole, sound batch that continues the log begins.
    Damage(&'static str),
}

/// See the module. `segment.len` is how far it has come.
#[derive(Debug)]
pub struct Scan {
    pub segment: Segment,
    /// Bytes of the file.
    pub file_len: u32,
    /// The batch at the start must end with this offset, or the index was not this log's.
    starts_with: Option<Offset>,
    chunk: u32,
    stopped: Option<Stop>,
}

impl Scan {
    /// A walk through the whole file.
    pub fn whole(base: Offset, file_len: u32, now: Timestamp) -> Scan {
        let segment = Segment::new(base, now);
        Scan { segment, file_len, starts_with: None, chunk: CHUNK, stopped: None }
    }

    /// No walk at all: a segment that is known.
    pub fn of(segment: Segment) -> Scan {
        let file_len = segment.len;
        Scan { segment, file_len, starts_with: None, chunk: CHUNK, stopped: Some(Stop::End) }
    }

    /// A walk from the last batch that the indexes know not to end above `offset`. `first`: timestamp of the segment's first batch.
    ///
    /// The two files need not have reached the disk alike, and a time index that lost its end looks like one: entries of the
    /// offset index count only as far as the time index has some. (While timestamps rise, as they mostly do, that is as far.)
    pub fn from_index(files: SegmentFiles, offset: Offset, offsets: &[u8], times: &[u8], first: Option<Timestamp>, now: Timestamp) -> Scan {
        let SegmentFiles { base, len: file_len, .. } = files;
        let mut scan = Scan::whole(base, file_len, now);
        let entries: Vec<OffsetEntry> = index::decode(offsets);
        let sane = &entries[..index::sane_offsets(&entries, file_len)];
        let times: Vec<TimeEntry> = index::decode(times);
        let times = &times[..index::sane_times(&times)];
        let Some(last_time) = times.last() else { return scan };
        let delta_max = offset.0.saturating_sub(base.0).min(i64::from(last_time.delta));
        let Some(nth) = sane.partition_point(|entry| i64::from(entry.delta) <= delta_max).checked_sub(1) else { return scan };
        let entry = sane[nth];
        let number = |nth: usize| u32::try_from(nth).expect("an index has fewer than 2^28 entries");
        let times = &times[..times.partition_point(|time| time.delta <= entry.delta)];

        let segment = &mut scan.segment;
        segment.len = entry.position.0;
        segment.end = nth.checked_sub(1).map_or(base, |before| base.plus(sane[before].delta).next());
        segment.first = first;
        segment.newest = times
            .last()
            .map_or(NewestTime::None, |time| NewestTime::Known(Newest { timestamp: time.timestamp, offset: base.plus(time.delta) }));
        segment.offsets = Index::in_file(number(nth + 1), Some(entry));
        segment.times = Index::in_file(number(times.len()), times.last().copied());
        scan.starts_with = Some(base.plus(entry.delta));
        scan
    }

    /// The bytes to read next: where, and how many. `None` once it has stopped.
    pub fn wants(&mut self) -> Option<(u32, u32)> {
        if self.stopped.is_none() && self.segment.len >= self.file_len {
            self.stopped = Some(Stop::End);
        }
        self.stopped.is_none().then(|| (self.segment.len, self.chunk.min(self.file_len - self.segment.len)))
    }

    pub fn stopped(&self) -> Option<Stop> {
        self.stopped
    }

    /// Takes what was read; shows every batch to `show`, with its records. False: the index that said where to start was
    /// wrong, start with a walk through the whole file.
    pub fn feed(&mut self, bytes: &[u8], rules: &Rules, mut show: impl FnMut(&Header, &[u8])) -> bool {
        let asked = self.chunk.min(self.file_len - self.segment.len);
        let got = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if got < asked {
            // The file is shorter than its directory said.
            self.file_len = self.segment.len + got;
        }
        self.chunk = CHUNK;
        let mut rest = bytes;
        while self.stopped.is_none() {
            let left = self.file_len - self.segment.len;
            match batch::meet(rest) {
                Met::End => break,
                Met::Partial { header: None } if left >= HEADER_LEN_U32 => break,
                Met::Partial { header: None } => self.stopped = Some(Stop::Damage("a torn header")),
                Met::Partial { header: Some(header) } => match header.total_len().and_then(|len| u32::try_from(len).ok()) {
                    Some(len) if len <= left => {
                        self.chunk = CHUNK.max(len);
                        break;
                    }
                    _ => self.stopped = Some(Stop::Damage("a torn batch")),
                },
                Met::Insane if rest.iter().take(HEADER_LEN).all(|byte| *byte == 0) => self.stopped = Some(Stop::Damage("zeros")),
                Met::Insane => self.stopped = Some(Stop::Damage("no batch")),
                Met::Batch { header, bytes } => {
                    let starts_with = self.starts_with.take();
                    if starts_with.is_some_and(|last| header.last_offset() != last || !batch::crc_holds(bytes)) {
                        return false;
                    }
                    self.stopped = self.judge(header, bytes, rules, starts_with.is_some());
                    if self.stopped.is_none() {
                        let len = u32::try_from(bytes.len()).expect("not more than the file has");
                        show(header, &bytes[HEADER_LEN..]);
                        self.segment.append(header, len, rules.interval_bytes, rules.now);
                        rest = &rest[bytes.len()..];
                    }
                }
            }
        }
        // What should have been the batch that the index pointed at was none.
        self.starts_with.is_none() || self.stopped.is_none()
    }

    /// `indexed`: the walk began within the segment, at this batch. What lies between it and the batch that the index
    /// knows before it has not been seen.
    fn judge(&self, header: &Header, batch: &[u8], rules: &Rules, indexed: bool) -> Option<Stop> {
        let expected = self.segment.end;
        // There, below the recovery point, and in a log that was compacted, batches need not touch.
        let may_gap = indexed || rules.gaps || header.base_offset() < rules.recovery_point || self.segment.len == 0;
        if rules.cut.is_some_and(|cut| header.end() > cut) {
            Some(Stop::Cut)
        } else if !batch::crc_holds(batch) {
            Some(Stop::Damage("a batch whose CRC does not hold"))
        } else if header.base_offset() < expected {
            Some(Stop::Damage("a batch that repeats offsets"))
        } else if header.base_offset() > expected && !may_gap {
            Some(Stop::Damage("a gap in offsets"))
        } else if self.segment.delta(header.last_offset()).is_none() {
            Some(Stop::Damage("a batch too far from the start of its segment"))
        } else {
            None
        }
    }
}

const HEADER_LEN_U32: u32 = 61;
const _: () = assert!(HEADER_LEN_U32 as usize == HEADER_LEN);

//! Reading: which bytes answer a fetch.
//!
//! ```text
//!  ask ──▶ Log::read ──▶ Bytes            the answer
//!                   ──▶ Need ──▶ shell reads a few KiB ──▶ Log::read_on(ask, need, bytes) ──▶ Bytes | Need …
//! ```
//!
//! Two questions, in this order. Where does the batch begin that holds the offset?
//!
//! | what is known | answer |
//! |---|---|
//! | the offset is the segment's base | at 0 |
//! | a mark or a cursor of the finder has it | there |
//! | index entry `e` is the batch that ends with the offset | at `e` |
//! | the batch before index entry `n` is where a reader stopped, and `n` holds the offset | one look at the header at `n`: there |
//! | index entries `e` and `n` lie around it | walk over the headers from `e` |
//! | the index is not in memory | search it in its file, by interpolation, then by halves |
//!
//! Where do the batches end that fit? At the largest place that is known to be a batch's beginning, lies within the bytes
//! asked for and not above the upper offset: the end of the segment, a mark, an index entry; otherwise walk over headers.
//! So a plan always ends between two batches, and nearly always without touching a file.
//!
//! A chain of needs ends: the start is found once and carried along, searches of the index halve what is left, walks move on.

use crate::log::Log;
use crate::log::batch::{HEADER_LEN, Header};
use crate::log::finder::Window;
use crate::log::index::{self, Entry, Floor, OffsetEntry};
use crate::log::names::SegmentFile;
use crate::log::segment::Segment;
use crate::log::time::TimeStage;
use crate::types::{Offset, Position};

/// Entries of an index that are read at once: one page. With an index interval of 4 KiB they span 2 MiB of log.
const WINDOW_ENTRIES: u32 = 512;
/// Bytes of a log that a walk over headers reads at once.
const WALK_BYTES: u32 = 64 << 10;
const HEADER_BYTES: u32 = 61;
const _: () = assert!(HEADER_BYTES as usize == HEADER_LEN);
/// Positions have 31 bits.
const POSITION_MAX: u32 = i32::MAX.unsigned_abs();

/// What a reader wants of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadAsk {
    pub offset: Offset,
    /// Bytes the answer may have.
    pub bytes_max: u32,
    /// Nothing from here on: the high watermark, the last stable offset, or the end for a follower. On a batch boundary.
    /// What is not yet written is never part of an answer.
    pub upper: Offset,
    /// The first batch is wanted even if it is larger than `bytes_max`.
    pub at_least_one: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadPlan {
    /// Below the log start, or beyond the end: OFFSET_OUT_OF_RANGE.
    OutOfRange,
    /// Nothing to read yet.
    AtEnd,
    /// There is a batch, but it does not fit, and `at_least_one` was not said.
    DoesNotFit,
    Bytes(Span),
    Need(Need),
    /// The files do not hold what they should: never served, report it.
    Corrupt(Corrupt),
}

/// Whole batches in one segment. The first one holds the offset asked for (it may begin before it), or is the first after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub segment: Offset,
    pub position: Position,
    pub len: u32,
    /// Offset after the last of these batches, when known.
    pub next: Option<Offset>,
}

impl Span {
    /// Where the span ends.
    pub fn end(&self) -> Position {
        Position(self.position.0 + self.len)
    }
}

/// Bytes of a file of a segment that the machine must see before it can go on. Read them (the file may end before) and
/// hand them to the method that asked. Of a `.log` only what is written is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    pub segment: Offset,
    pub file: SegmentFile,
    pub position: Position,
    pub len: u32,
    /// What the bytes are for.
    pub(super) stage: Stage,
}

/// Where a search stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Offset index: the floor is among the entries `low .. high`. `start`: where the read begins, if that is settled.
    Index { low: u32, high: u32, round: u32, start: Option<Position> },
    /// Log: is the batch at this position the one? If not, walk from `floor`.
    Probe { floor: Position },
    /// Log: walk to the batch.
    Walk,
    /// Log: walk from the first batch to where the answer ends.
    End,
    /// For searches by time: see there.
    Time(TimeStage),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrupt {
    pub segment: Offset,
    pub position: Position,
    pub what: String,
}

impl Corrupt {
    pub(super) fn at(segment: Offset, position: Position, what: &str) -> Corrupt {
        Corrupt { segment, position, what: what.into() }
    }
}

/// Where an offset lies, as far as the index says.
pub(super) enum FloorAt {
    /// The batch begins at `from` or later; at `next` at the latest. `is_start`: it begins at `from`.
    Known { from: Position, next: Option<Position>, is_start: bool },
    /// The index must be searched in its file.
    Search { low: u32, high: u32 },
}

/// How the walk over headers went.
enum Walked {
    /// The batch that holds the offset, or the first after it, begins here.
    Found(Position),
    /// Not within these bytes; go on here.
    GoOn(Position),
    Corrupt(Position),
}

impl Log {
    /// Where the batches from `ask.offset` on lie.
    pub fn read(&mut self, ask: &ReadAsk) -> ReadPlan {
        match self.readable(ask) {
            Ok(nth) => self.plan_start(nth, ask),
            Err(plan) => plan,
        }
    }

    /// Goes on after a [`ReadPlan::Need`], with the bytes it asked for (fewer if the file ends).
    pub fn read_on(&mut self, ask: &ReadAsk, need: &Need, bytes: &[u8]) -> ReadPlan {
        let nth = match self.readable(ask) {
            Ok(nth) => nth,
            Err(plan) => return plan,
        };
        // Deleted, truncated or rolled meanwhile: begin again.
        if self.segments[nth].base != need.segment {
            return self.plan_start(nth, ask);
        }
        match need.stage {
            Stage::Index { low, high, round, start } => match self.search_on(nth, ask.offset, (low, high, round), need, bytes) {
                Some((low, high, round)) => {
                    ReadPlan::Need(self.search(nth, ask.offset, (low, high), round, |low, high, round| Stage::Index {
                        low,
                        high,
                        round,
                        start,
                    }))
                }
                None => match start {
                    Some(start) => self.plan_end(nth, start, ask),
                    None => self.plan_start(nth, ask),
                },
            },
            Stage::Probe { floor } => match Header::of(bytes).filter(|header| header.is_sane()) {
                Some(header) if header.base_offset() <= ask.offset && ask.offset < header.end() => self.plan_end(nth, need.position, ask),
                _ => self.plan_walk(nth, floor, Stage::Walk),
            },
            Stage::Walk => match walk_to(bytes, need.position, ask.offset) {
                Walked::Found(start) => self.plan_end(nth, start, ask),
                Walked::GoOn(position) if position.0 < self.written_len(&self.segments[nth]) => match position == need.position {
                    true => ReadPlan::Corrupt(Corrupt::at(need.segment, position, "the file ends before the segment does")),
                    false => self.plan_walk(nth, position, Stage::Walk),
                },
                // Compaction took out everything from the offset to the end of the segment.
                Walked::GoOn(_) if nth + 1 < self.segments.len() => self.plan_end(nth + 1, Position(0), ask),
                Walked::GoOn(_) => ReadPlan::AtEnd,
                Walked::Corrupt(position) => ReadPlan::Corrupt(Corrupt::at(need.segment, position, "no batch begins here")),
            },
            Stage::End => self.plan_end_on(nth, need, bytes, ask),
            _ => self.plan_start(nth, ask),
        }
    }

    /// The shell has read a bit more than a span: what follows it. Spares the reader's next ask a look at that header.
    pub fn peeked(&mut self, span: &Span, after: &[u8]) {
        if span.next.is_none()
            && let Some(header) = Header::of(after).filter(|header| header.is_sane())
        {
            self.finder.remember(span.segment, span.end(), Some(header.base_offset()));
        }
    }

    fn upper(&self, ask: &ReadAsk) -> Offset {
        ask.upper.min(self.written_end)
    }

    /// The segment that a read begins in.
    fn readable(&self, ask: &ReadAsk) -> Result<usize, ReadPlan> {
        if ask.offset < self.log_start || ask.offset > self.end() {
            return Err(ReadPlan::OutOfRange);
        }
        if ask.offset >= self.upper(ask) {
            return Err(ReadPlan::AtEnd);
        }
        self.segment_at(ask.offset).ok_or(ReadPlan::AtEnd)
    }

    /// The segment that holds `offset`, or the first record after it.
    pub(super) fn segment_at(&self, offset: Offset) -> Option<usize> {
        let after = self.segments.partition_point(|segment| segment.base <= offset);
        let nth = after.saturating_sub(1);
        let holds = |segment: &Segment| segment.end > offset && segment.len > 0;
        self.segments[nth..].iter().position(holds).map(|later| nth + later)
    }

    fn plan_start(&mut self, nth: usize, ask: &ReadAsk) -> ReadPlan {
        let (segment, offset) = (&self.segments[nth], ask.offset);
        if offset <= segment.base {
            return self.plan_end(nth, Position(0), ask);
        }
        let base = segment.base;
        if let Some(start) = self.finder.start(base, offset) {
            return self.plan_end(nth, start, ask);
        }
        match self.floor(nth, offset) {
            FloorAt::Known { from, is_start: true, .. } => self.plan_end(nth, from, ask),
            FloorAt::Known { from, next: Some(next), .. } if self.finder.is_boundary(base, next) => {
                let (file, stage) = (SegmentFile::Log, Stage::Probe { floor: from });
                ReadPlan::Need(Need { segment: base, file, position: next, len: HEADER_BYTES, stage })
            }
            FloorAt::Known { from, .. } => self.plan_walk(nth, from, Stage::Walk),
            FloorAt::Search { low, high } => {
                ReadPlan::Need(self.search(nth, offset, (low, high), 0, |low, high, round| Stage::Index { low, high, round, start: None }))
            }
        }
    }

    /// What memory knows of the index around `offset`.
    pub(super) fn floor(&mut self, nth: usize, offset: Offset) -> FloorAt {
        let segment = &self.segments[nth];
        let delta = segment.delta(offset).unwrap_or(i32::MAX.unsigned_abs());
        let known = |floor: Option<OffsetEntry>, next: Option<OffsetEntry>| FloorAt::Known {
            from: floor.map_or(Position(0), |entry| entry.position),
            next: next.map(|entry| entry.position),
            is_start: floor.is_some_and(|entry| entry.delta == delta),
        };
        let in_file = match segment.offsets.floor(|entry| entry.delta <= delta) {
            Floor::Entry(entry, next) => return known(Some(entry), next),
            Floor::None(first) => return known(None, first),
            Floor::InFile(_) if segment.index_broken => return known(None, None),
            Floor::InFile(entries) => entries,
        };
        // The floor is in the window if the window holds an entry above it as well, or ends where the file does.
        let covers = |window: &Window| {
            let (first, last) = (window.entries.first(), window.entries.last());
            (window.from == 0 || first.is_some_and(|entry| entry.delta <= delta))
                && (window.end() >= in_file || last.is_some_and(|entry| entry.delta > delta))
        };
        let base = segment.base;
        if let Some(window) = self.finder.window(base, covers) {
            let above = window.entries.partition_point(|entry| entry.delta <= delta);
            return known(above.checked_sub(1).map(|nth| window.entries[nth]), window.entries.get(above).copied());
        }
        // What the windows say of where the floor is not.
        let below = self.finder.windows(base).filter(|w| w.entries.last().is_some_and(|entry| entry.delta <= delta));
        let low = below.map(|window| window.end() - 1).max().unwrap_or(0);
        let above = self.finder.windows(base).filter(|w| w.entries.first().is_some_and(|entry| entry.delta > delta));
        let high = above.map(|window| window.from).min().unwrap_or(in_file);
        FloorAt::Search { low, high }
    }

    /// The next piece of the index to look at, when the floor of `offset` is among `low .. high`.
    pub(super) fn search(
        &self,
        nth: usize,
        offset: Offset,
        (low, high): (u32, u32),
        round: u32,
        stage: impl Fn(u32, u32, u32) -> Stage,
    ) -> Need {
        let segment = &self.segments[nth];
        let count = high - low;
        let from = if count <= WINDOW_ENTRIES || round == 0 && low > 0 {
            // A piece that follows one we know is most likely the next of a reader that goes through the segment.
            low
        } else {
            let guess = if round < 3 {
                let (span, into) =
                    (u128::from((segment.end.0 - segment.base.0).unsigned_abs()), u128::from((offset.0 - segment.base.0).unsigned_abs()));
                let entries = u128::from(segment.offsets.dropped());
                u32::try_from(entries * into / span.max(1)).unwrap_or(high)
            } else {
                low + count / 2
            };
            guess.saturating_sub(WINDOW_ENTRIES / 2).clamp(low, high - WINDOW_ENTRIES)
        };
        // One more than may be the floor, so that its successor is there too.
        let to = (from + WINDOW_ENTRIES).min(high).saturating_add(1).min(segment.offsets.dropped());
        let (position, len) = (Position(from * OffsetEntry::LEN), (to - from) * OffsetEntry::LEN);
        Need { segment: segment.base, file: SegmentFile::OffsetIndex, position, len, stage: stage(low, high, round) }
    }

    /// Takes a piece of the index in. `None`: memory knows enough now (or the index is no good). Otherwise where the floor is.
    pub(super) fn search_on(
        &mut self,
        nth: usize,
        offset: Offset,
        (low, high, round): (u32, u32, u32),
        need: &Need,
        bytes: &[u8],
    ) -> Option<(u32, u32, u32)> {
        let log_len = self.segments[nth].len;
        let delta = self.segments[nth].delta(offset).unwrap_or(i32::MAX.unsigned_abs());
        let entries: Vec<OffsetEntry> = index::decode(bytes);
        let asked = usize::try_from(need.len / OffsetEntry::LEN).expect("a few hundred");
        let (Some(first), Some(last)) = (entries.first().copied(), entries.last().copied()) else {
            self.segments[nth].index_broken = true;
            return None;
        };
        if entries.len() < asked || index::sane_offsets(&entries, log_len) < asked {
            self.segments[nth].index_broken = true;
            return None;
        }
        let window = Window { segment: need.segment, from: need.position.0 / OffsetEntry::LEN, entries };
        let (from, end) = (window.from, window.end());
        if first.delta > delta && from > low {
            return Some((low, from, round + 1));
        }
        if last.delta <= delta && end < high {
            return Some((end - 1, high, round + 1));
        }
        // Neither side is left: the floor is here, or there is none.
        self.finder.insert(window);
        match self.floor(nth, offset) {
            FloorAt::Known { .. } => None,
            FloorAt::Search { .. } => {
                // The file contradicts itself: an entry that should be above is not, or the other way round.
                self.segments[nth].index_broken = true;
                None
            }
        }
    }

    /// A look at the headers from `position` on.
    pub(super) fn walk_need(&self, nth: usize, position: Position, stage: Stage) -> Need {
        let segment = &self.segments[nth];
        let len = self.written_len(segment).saturating_sub(position.0).min(WALK_BYTES);
        Need { segment: segment.base, file: SegmentFile::Log, position, len, stage }
    }

    fn plan_walk(&self, nth: usize, position: Position, stage: Stage) -> ReadPlan {
        ReadPlan::Need(self.walk_need(nth, position, stage))
    }

    /// The read begins at `start` in this segment; where does it end?
    fn plan_end(&mut self, nth: usize, start: Position, ask: &ReadAsk) -> ReadPlan {
        let (upper, segment) = (self.upper(ask), &self.segments[nth]);
        let (base, len, end) = (segment.base, segment.len, segment.end);
        let budget = start.0.saturating_add(ask.bytes_max).min(POSITION_MAX);
        // Where the upper offset lies, if that is known.
        let limit = if end <= upper { Some(len) } else { self.finder.exact(base, upper).map(|position| position.0) };
        if limit.is_some_and(|limit| limit <= start.0) {
            return ReadPlan::AtEnd;
        }
        if let Some(limit) = limit.filter(|limit| *limit <= budget) {
            return self.span(base, start, Position(limit), Some(upper.min(end)));
        }
        let mark = self.finder.mark_before(base, Position(budget), upper).filter(|mark| mark.position > start);
        let entry = self.entry_before(nth, budget, upper).filter(|entry| entry.position > start);
        match (mark, entry) {
            (Some(mark), entry) if entry.is_none_or(|entry| entry.position <= mark.position) => {
                return self.span(base, start, mark.position, Some(mark.offset));
            }
            (_, Some(entry)) => return self.span(base, start, entry.position, None),
            (_, None) => {}
        }
        // No place to end at is known. Perhaps only because that part of the index is not in memory.
        if let FloorAt::Search { low, high } = self.floor(nth, ask.offset.max(base)) {
            let start = Some(start);
            let offset = ask.offset.max(base);
            return ReadPlan::Need(self.search(nth, offset, (low, high), 0, |low, high, round| Stage::Index { low, high, round, start }));
        }
        let mut need = self.walk_need(nth, start, Stage::End);
        need.len = need.len.min(ask.bytes_max.max(HEADER_BYTES));
        ReadPlan::Need(need)
    }

    /// The last index entry in memory that begins within `budget`, and whose batch lies below `upper`.
    fn entry_before(&mut self, nth: usize, budget: u32, upper: Offset) -> Option<OffsetEntry> {
        let segment = &self.segments[nth];
        let delta_max = upper.0.saturating_sub(segment.base.0);
        let fits = |entry: &OffsetEntry| entry.position.0 <= budget && i64::from(entry.delta) < delta_max;
        let (_, kept) = segment.offsets.kept();
        let in_kept = kept.partition_point(fits).checked_sub(1).map(|nth| kept[nth]);
        let in_windows = self.finder.windows(segment.base).filter_map(|window| {
            let above = window.entries.partition_point(fits);
            above.checked_sub(1).map(|nth| window.entries[nth])
        });
        in_kept.into_iter().chain(in_windows).max_by_key(|entry| entry.position)
    }

    fn plan_end_on(&mut self, nth: usize, need: &Need, bytes: &[u8], ask: &ReadAsk) -> ReadPlan {
        let upper = self.upper(ask);
        let (segment, start) = (need.segment, need.position);
        let written = self.written_len(&self.segments[nth]);
        let budget = start.0.saturating_add(ask.bytes_max);
        let mut end = None;
        let mut at = 0usize;
        while let Some(header) = bytes.get(at..).and_then(Header::of) {
            let position = start.0.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
            let len = header.total_len().and_then(|len| u32::try_from(len).ok());
            let next = len.filter(|_| header.is_sane()).and_then(|len| position.checked_add(len)).filter(|next| *next <= written);
            let Some(next) = next else {
                return ReadPlan::Corrupt(Corrupt::at(segment, Position(position), "no whole batch begins here"));
            };
            if header.base_offset() >= upper {
                break;
            }
            if next > budget && !(end.is_none() && ask.at_least_one) {
                break;
            }
            end = Some((Position(next), header.end()));
            at = usize::try_from(next - start.0).unwrap_or(usize::MAX);
        }
        match end {
            Some((end, next)) => self.span(segment, start, end, Some(next)),
            None if bytes.len() < HEADER_LEN => ReadPlan::Corrupt(Corrupt::at(segment, start, "the file ends before the segment does")),
            None if Header::of(bytes).is_some_and(|header| header.base_offset() >= upper) => ReadPlan::AtEnd,
            None => ReadPlan::DoesNotFit,
        }
    }

    fn span(&mut self, segment: Offset, start: Position, end: Position, next: Option<Offset>) -> ReadPlan {
        assert!(start < end, "a plan has at least one batch");
        self.finder.remember(segment, end, next);
        ReadPlan::Bytes(Span { segment, position: start, len: end.0 - start.0, next })
    }
}

/// Walks over the headers in `bytes`, which lie at `position`, to the batch that holds `offset` or follows it.
fn walk_to(bytes: &[u8], position: Position, offset: Offset) -> Walked {
    let mut at = 0usize;
    loop {
        let here = Position(position.0.saturating_add(u32::try_from(at).unwrap_or(u32::MAX)));
        let Some(header) = bytes.get(at..).and_then(Header::of) else { return Walked::GoOn(here) };
        let Some(len) = header.total_len().filter(|_| header.is_sane()) else { return Walked::Corrupt(here) };
        if header.end() > offset {
            return Walked::Found(here);
        }
        at = at.saturating_add(len);
    }
}

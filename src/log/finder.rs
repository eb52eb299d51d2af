//! What the log remembers of where batches begin, so that readers need not search.
//!
//! | memory | who is served by it |
//! |---|---|
//! | marks: the last 64 appends | readers at the tail; where the high watermark lies |
//! | cursors: the last 16 places where a read began or ended | readers that go on where they stopped |
//! | windows: up to 4 pieces of closed segments' indexes | catch-up readers; one small read of the index serves 2 MiB of log |
//!
//! All of it only speeds things up: it may be forgotten at any time, and is never wrong, because what lies at a position
//! changes only by truncation, which forgets it.

use crate::log::index::OffsetEntry;
use crate::types::{Offset, Position};
use std::collections::VecDeque;

/// Raising these grows a partition that is read: 24 bytes a mark, 40 a cursor, 4 KiB a window.
const MARKS_MAX: usize = 64;
const CURSORS_MAX: usize = 16;
const WINDOWS_MAX: usize = 4;

/// A batch begins here, and this is its base offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub segment: Offset,
    pub offset: Offset,
    pub position: Position,
}

/// Where a reader is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    segment: Offset,
    position: Position,
    /// A reader that asks for this offset begins here; `None`: a batch begins here, of which the offset is not known.
    offset: Option<Offset>,
}

/// A piece of a segment's offset index: the entries from number `from` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub segment: Offset,
    pub from: u32,
    pub entries: Vec<OffsetEntry>,
}

impl Window {
    pub fn end(&self) -> u32 {
        self.from + u32::try_from(self.entries.len()).expect("a few hundred")
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Finder {
    /// In the order of their offsets; each batch ends where the next one begins.
    marks: VecDeque<Mark>,
    /// Least recently used first.
    cursors: Vec<Cursor>,
    /// Least recently used first.
    windows: Vec<Window>,
}

impl Finder {
    /// A batch was appended; `follows`: without a gap between it and the one before.
    pub fn appended(&mut self, mark: Mark, follows: bool) {
        if !follows {
            self.marks.clear();
        }
        if self.marks.len() == MARKS_MAX {
            self.marks.pop_front();
        }
        self.marks.push_back(mark);
    }

    /// Where a read of `offset` begins, if that is remembered.
    pub fn start(&mut self, segment: Offset, offset: Offset) -> Option<Position> {
        if let Some(nth) = self.cursors.iter().position(|c| c.segment == segment && c.offset == Some(offset)) {
            let cursor = self.cursors.remove(nth);
            self.cursors.push(cursor);
            return Some(cursor.position);
        }
        // The batch that holds it is the last one that does not begin after it; but for the newest mark, whose end is not here.
        let after = self.marks.partition_point(|mark| mark.offset <= offset);
        let mark = self.marks.get(after.checked_sub(1)?)?;
        let bounded = mark.offset == offset || after < self.marks.len();
        (mark.segment == segment && bounded).then_some(mark.position)
    }

    /// Does a batch begin at this position, where some read ended?
    pub fn is_boundary(&self, segment: Offset, position: Position) -> bool {
        self.cursors.iter().any(|c| c.segment == segment && c.position == position)
    }

    /// The position where the batch with exactly this base offset begins.
    pub fn exact(&self, segment: Offset, offset: Offset) -> Option<Position> {
        let nth = self.marks.binary_search_by_key(&offset, |mark| mark.offset).ok()?;
        Some(self.marks[nth]).filter(|mark| mark.segment == segment).map(|mark| mark.position)
    }

    /// The last mark in a segment that lies at or before `position`, and whose offset is at most `upper`.
    pub fn mark_before(&self, segment: Offset, position: Position, upper: Offset) -> Option<Mark> {
        let not_after =
            |mark: &Mark| mark.segment < segment || mark.segment == segment && mark.position <= position && mark.offset <= upper;
        let after = self.marks.partition_point(not_after);
        let mark = *self.marks.get(after.checked_sub(1)?)?;
        (mark.segment == segment).then_some(mark)
    }

    /// A read ended here; `offset`: where its reader will go on, if known.
    pub fn remember(&mut self, segment: Offset, position: Position, offset: Option<Offset>) {
        let same =
            |c: &Cursor| c.segment == segment && (c.position == position && c.offset.is_none() || offset.is_some() && c.offset == offset);
        if let Some(nth) = self.cursors.iter().position(same) {
            self.cursors.remove(nth);
        } else if self.cursors.len() == CURSORS_MAX {
            self.cursors.remove(0);
        }
        self.cursors.push(Cursor { segment, position, offset });
    }

    /// The window of a segment for which `covers` holds.
    pub fn window(&mut self, segment: Offset, covers: impl Fn(&Window) -> bool) -> Option<&Window> {
        let nth = self.windows.iter().position(|w| w.segment == segment && covers(w))?;
        let window = self.windows.remove(nth);
        self.windows.push(window);
        self.windows.last()
    }
    pub fn windows(&self, segment: Offset) -> impl Iterator<Item = &Window> {
        self.windows.iter().filter(move |w| w.segment == segment)
    }
    pub fn insert(&mut self, window: Window) {
        self.windows.retain(|w| (w.segment, w.from) != (window.segment, window.from));
        if self.windows.len() == WINDOWS_MAX {
            self.windows.remove(0);
        }
        self.windows.push(window);
    }

    /// This segment is gone.
    pub fn forget(&mut self, segment: Offset) {
        self.marks.retain(|mark| mark.segment != segment);
        self.cursors.retain(|cursor| cursor.segment != segment);
        self.windows.retain(|window| window.segment != segment);
    }
}

//! Reading: which bytes answer a fetch or a search by time.
//!
//! ```text
//!  ask ──▶ Log::read ──▶ Bytes            the answer
//!                   ──▶ Need ──▶ shell reads a few KiB ──▶ Log::read_on(ask, need, bytes) ──▶ Bytes | Need …
//! ```
//!
//! A reader at the tail, and one that goes on where it stopped, never need anything.

use crate::log::names::SegmentFile;
use crate::types::{Epoch, Offset, Position, Timestamp};

/// What a reader wants of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadAsk {
    pub offset: Offset,
    /// Bytes the answer may have.
    pub bytes_max: u32,
    /// Nothing from here on: the high watermark, the last stable offset, or the end for a follower. On a batch boundary.
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

/// Whole batches in one segment. The first one holds the offset asked for (it may begin before it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub segment: Offset,
    pub position: Position,
    pub len: u32,
    /// Offset after the last of these batches, when known.
    pub next: Option<Offset>,
}

/// Bytes of a file of a segment that the machine must see before it can go on. Read them (the file may end before) and
/// hand them to the method that asked. Of a `.log` only what is written is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    pub segment: Offset,
    pub file: SegmentFile,
    pub position: Position,
    pub len: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrupt {
    pub segment: Offset,
    pub position: Position,
    pub what: String,
}

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
    Need(Need),
    Corrupt(Corrupt),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeFound {
    pub timestamp: Timestamp,
    pub offset: Offset,
    pub leader_epoch: Option<Epoch>,
}

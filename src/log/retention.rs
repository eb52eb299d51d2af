//! Getting shorter: retention, DeleteRecords, truncation.

use crate::log::{Corrupt, Need, Roll};
use crate::types::Offset;

/// What retention took out of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Base offsets of segments that are no longer part of the log: rename their files (and the snapshot of that offset)
    /// to `.deleted`, delete them `file.delete.delay.ms` later.
    pub deleted: Vec<Offset>,
    /// Even the active segment was due: this one took its place.
    pub rolled: Option<Roll>,
    /// To say more, the machine must see this; answer with [`crate::log::Log::retention_on`] and ask again.
    pub need: Option<Need>,
}

/// How a truncation goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truncated {
    /// Read this first, then [`crate::log::Log::truncate_on`].
    Need(Need),
    /// Delete these segments, cut the `.log` of `segment` to `len`, delete snapshots above the offset.
    Done {
        deleted: Vec<Offset>,
        segment: Offset,
        len: u32,
    },
    Corrupt(Corrupt),
}

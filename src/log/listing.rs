//! What lies in a partition's directory, sorted by what it is.

use crate::log::index::{Entry, OffsetEntry, TimeEntry};
use crate::log::names::{FileName, FileState, SegmentFile};
use crate::log::segment::Segment;
use crate::types::Offset;
use std::collections::BTreeMap;

/// A file in the partition's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFound {
    pub name: String,
    /// Bytes.
    pub len: u64,
}

/// The files of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentFiles {
    pub base: Offset,
    /// Bytes of its `.log`. What lies beyond the largest position is none of it.
    pub len: u32,
    /// Bytes of its indexes; `None`: there is none, or its length is not that of one.
    pub offsets_len: Option<u32>,
    pub times_len: Option<u32>,
}

impl SegmentFiles {
    pub fn of(segment: &Segment) -> SegmentFiles {
        let (offsets, times) = (segment.offsets.len() * OffsetEntry::LEN, segment.times.len() * TimeEntry::LEN);
        SegmentFiles { base: segment.base, len: segment.len, offsets_len: Some(offsets), times_len: Some(times) }
    }
    pub fn has_indexes(&self) -> bool {
        self.offsets_len.is_some() && self.times_len.is_some()
    }
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Ascending.
    pub segments: Vec<SegmentFiles>,
    /// Offset and length, ascending.
    pub snapshots: Vec<(Offset, u32)>,
    pub spare_len: Option<u32>,
    pub epochs_len: Option<u32>,
    /// Indexes without a log.
    pub orphans: Vec<String>,
}

impl Listing {
    pub fn of(files: &[FileFound]) -> Listing {
        let mut listing = Listing::default();
        let mut by_base: BTreeMap<Offset, BTreeMap<SegmentFile, u64>> = BTreeMap::new();
        for found in files {
            match FileName::parse(&found.name) {
                FileName::Segment { base, file: SegmentFile::Snapshot, state: FileState::Live } => {
                    listing.snapshots.push((base, clipped(found.len)));
                }
                FileName::Segment { base, file, state: FileState::Live } => {
                    by_base.entry(base).or_default().insert(file, found.len);
                }
                FileName::Spare => listing.spare_len = Some(clipped(found.len)),
                FileName::LeaderEpochCheckpoint => listing.epochs_len = Some(clipped(found.len)),
                FileName::Segment { .. } | FileName::PartitionMetadata | FileName::Foreign => {}
            }
        }
        for (base, files) in by_base {
            let Some(len) = files.get(&SegmentFile::Log) else {
                listing.orphans.extend(files.keys().map(|file| file.name(base)));
                continue;
            };
            let index = |file, entry_len| files.get(&file).copied().and_then(|len| index_len(len, entry_len));
            listing.segments.push(SegmentFiles {
                base,
                len: clipped(*len),
                offsets_len: index(SegmentFile::OffsetIndex, OffsetEntry::LEN),
                times_len: index(SegmentFile::TimeIndex, TimeEntry::LEN),
            });
        }
        listing.snapshots.sort_unstable();
        listing
    }
}

/// Positions have 31 bits.
fn clipped(len: u64) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX).min(i32::MAX.unsigned_abs())
}

fn index_len(len: u64, entry_len: u32) -> Option<u32> {
    u32::try_from(len).ok().filter(|len| len % entry_len == 0 && *len <= i32::MAX.unsigned_abs())
}

/// Takes out what interrupted deletions and compactions left, and nobody needs: `.deleted`, `.cleaned`, and the `.swap` files
/// from the first `.cleaned` on (what they were split from is still whole). Kafka: `LogLoader.removeTempFilesAndCollectSwapFiles`.
pub fn leftovers(files: Vec<FileFound>) -> (Vec<FileFound>, Vec<FileFound>) {
    let parsed = |file: &FileFound| match FileName::parse(&file.name) {
        FileName::Segment { base, state, .. } => Some((base, state)),
        _ => None,
    };
    let cleaned = files.iter().filter_map(parsed).filter(|(_, state)| *state == FileState::Cleaned);
    let first_cleaned = cleaned.map(|(base, _)| base).min();
    files.into_iter().partition(|file| match parsed(file) {
        Some((_, FileState::Deleted | FileState::Cleaned)) => true,
        Some((base, FileState::Swap)) => first_cleaned.is_some_and(|first| base >= first),
        _ => false,
    })
}

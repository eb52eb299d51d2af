//! What one partition's log decides. Pure: bytes and times in, decisions out.
//!
//! One [`Log`] per partition, owned by the shard that owns the partition. `shard/partition` is its shell: it owns the
//! files, moves the bytes, and tells the machine what has completed.
//!
//! ```text
//!  produced batch                                                      what is where
//!       │                                                              ─────────────
//!       ▼            Appended { write: Write }                         ┌───────────┐ end            appended, numbered
//!  Log::append ────────────────────────────▶ shell ──▶ segment file    │  in flight│
//!       │ refuses: Refused → client            │                       ├───────────┤ written_end    in the file
//!       │ duplicate: answered, nothing written │  written(upto)        │  dirty    │
//!       │ rolled: Roll → chores                ▼                       ├───────────┤ recovery_point synced
//!       │                              Log::written ─▶ Log::flush      │           │
//!       │                                              flushed(upto)   └───────────┘ log_start      oldest readable
//!       │
//!  Log::read(ask) ─▶ Bytes { segment, position, len }  whole batches: send them
//!                 ─▶ Need { file, position, len }      read these bytes, then Log::read_on(ask, need, bytes) ─▶ …
//! ```
//!
//! Behind the append path, at leisure, the shell asks in its background class:
//!
//! | ask | what comes | then |
//! |---|---|---|
//! | [`Log::flush`] | segments to sync | [`Log::flushed`] |
//! | [`Log::index_write`] | bytes for a `.index` or `.timeindex` | [`Log::index_written`] |
//! | [`Log::snapshot_write`] | a `.snapshot` file | [`Log::snapshot_written`] |
//! | [`Log::epochs_write`] | a `leader-epoch-checkpoint` | [`Log::epochs_written`] |
//! | [`Log::recovery_checkpoint`], [`Log::log_start`] | lines of the log directory's checkpoints | |
//! | [`Log::stop`] | the last index entries and the snapshot of a clean stop | the three above |
//! | | what of these could not be written is asked for again after [`Log::unwritten`] | |
//! | [`Log::retention`] | segments to delete | rename, wait, delete |
//! | [`Log::expire_producers`] | | |
//!
//! None of it is needed for the next append. A log comes to life by [`Log::create`] (an empty directory) or by
//! [`recover`] (whatever a stop or a crash left).
//!
//! After a write that failed because the disk is full, the machine is ahead of the files and is thrown away: the shell
//! recovers that partition in a chore (nothing below `written_end` is looked at again but what its snapshot needs), and
//! serves reads from the old machine until the new one is there. A follower that must give up the end of its log does the
//! same, with [`Checkpoints::cut`].
//!
//! # The spare
//!
//! A roll must not wait for a file to be made. So the shell keeps, for each partition that is written to, a file
//! [`names::SPARE`], allocated and empty, its name made durable before it counts as there. A [`Roll`] means: the next write
//! goes to the spare. Renaming it to `<base>.log`, making empty `.index` and `.timeindex` beside it, syncing the
//! directory and making the next spare is a chore, in this order. If the process ends before the rename,
//! recovery finds the spare, sees that its first batch continues the log, and renames it then.

pub mod batch;
pub mod builder;
pub mod checkpoints;
pub mod compress;
pub mod config;
mod epochs;
mod finder;
pub mod index;
mod listing;
mod lz4;
mod machine;
pub mod names;
pub mod producers;
mod read;
pub mod record;
mod recovery;
mod retention;
mod scan;
mod segment;
pub mod snapshot;
mod time;
mod validate;

pub use builder::BatchBuilder;
pub use compress::Scratch;
pub use config::{CleanupPolicy, CompressionConfig, LogConfig, TimestampType};
pub use listing::FileFound;
pub use machine::{
    Appended, Flush, IndexWrite, Log, Origin, ProducerInfo, RecordError, Refused, Roll, SegmentInfo, Snapshot, Stored, Write,
};
pub use read::{Corrupt, Need, ReadAsk, ReadPlan, Span};
pub use recovery::{Checkpoints, Partition, Recovered, Step, recover};
pub use retention::Retention;
pub use time::{TimeAsk, TimeFound, TimePlan};

use crate::types::{Instant, Timestamp};

/// Both clocks, read once a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For ages and deadlines.
    pub instant: Instant,
    /// For what is stored.
    pub wall: Timestamp,
}

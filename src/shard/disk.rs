//! What this core has asked of the disk and of the clerk, and what each completion is about.
//!
//! A [`Token`] is an index into this table. Tokens of the control shard, which shares core 0, have the top bit set.

use super::parking::ParkId;
use crate::log::Need;
use crate::types::Offset;
use millrace_io::Token;
use slab::Slab;

/// Index of a partition in its shard, with a generation: a stale one names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionId {
    pub slot: u32,
    pub generation: u32,
}

#[derive(Debug)]
pub enum Operation {
    /// Batches are being written.
    Write {
        partition: PartitionId,
        write: u64,
    },
    /// What was written up to `end` is being made durable.
    Sync {
        partition: PartitionId,
        end: Offset,
    },
    Read(Read),
    Chore(Chore),
}

/// What the clerk does for the shard. Its output is of the type that the one who asked expects.
#[derive(Clone, Copy, Debug)]
pub enum Chore {
    /// A part of an index of a closed segment is being read.
    Index(Read),
    /// A partition is being created or opened again.
    Open(super::PartitionKey),
    /// Index entries, a finished segment, a snapshot, the next segment's file: nobody waits for it.
    Upkeep(PartitionId),
    /// What retention must see before it can say more.
    Retention(PartitionId, Need),
    /// Files or a directory are being renamed or removed.
    Remove,
    /// The log directories are being synced as a whole, at the end of a clean stop.
    SyncAll,
}

/// A read on behalf of a parked request: which, and for which of its partitions.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    pub partition: PartitionId,
    pub park: ParkId,
    pub slot: u32,
    pub what: ReadWhat,
}

#[derive(Clone, Copy, Debug)]
pub enum ReadWhat {
    /// Record bytes for an answer.
    Records,
    /// What the log must see before it can say where the records are.
    Need(Need),
    /// What the log must see before it can say which offset a time has.
    Time(Need),
}

#[derive(Default)]
pub struct Disk {
    operations: Slab<Operation>,
}

impl Disk {
    pub fn begin(&mut self, operation: Operation) -> Token {
        Token(self.operations.insert(operation) as u64)
    }
    /// Every token comes back exactly once.
    pub fn end(&mut self, token: Token) -> Operation {
        self.operations.remove(usize::try_from(token.0).expect("an index of the table"))
    }
    pub fn is_quiet(&self) -> bool {
        self.operations.is_empty()
    }
}

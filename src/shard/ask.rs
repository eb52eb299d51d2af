//! What a connection's core asks of the cores that own partitions, and what they answer. Plain data.
//!
//! `order` is the place of a partition in the request, so that the answers of several cores merge into the order asked.

use crate::error::ErrorCode;
use crate::types::{Epoch, Instant, Offset, ProducerId, Timestamp, Uuid};
use millrace_io::{Buf, Piece};
use std::ops::Range;

/// A partition, named so that every core means the same one, also after its topic was deleted and made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionKey {
    pub topic: Uuid,
    pub index: i32,
}

pub enum Ask {
    Produce(Produce),
    Fetch(Fetch),
    /// Another core has found enough for the Fetch of this ticket: answer with what there is.
    Hurry,
    ListOffsets(Vec<ListOffset>),
    EpochEnds(Vec<EpochEnd>),
    DeleteRecords(Vec<DeletePartitionRecords>),
    Producers(Vec<(u32, PartitionKey)>),
    /// Sizes of the partitions named, or of all; `order` is not used.
    LogDirs(Option<Vec<PartitionKey>>),
    Control(crate::control::Command),
}

pub enum Answer {
    Produce(Vec<Produced>),
    Fetch(Vec<Fetched>),
    ListOffsets(Vec<ListedOffset>),
    EpochEnds(Vec<FoundEpochEnd>),
    DeleteRecords(Vec<DeletedRecords>),
    Producers(Vec<(u32, Result<Vec<ActiveProducer>, ErrorCode>)>),
    LogDirs(Vec<LogDirPartition>),
    Control(crate::control::Reply),
}

// ---- Produce

pub struct Produce {
    pub acks: i16,
    /// When a wait for the acknowledgement ends.
    pub deadline: Instant,
    /// The whole request; `records` point into it.
    pub frame: Buf,
    pub partitions: Vec<ProducePartition>,
}

pub struct ProducePartition {
    pub order: u32,
    pub key: PartitionKey,
    pub records: Range<usize>,
}

#[derive(Clone, Debug)]
pub struct Produced {
    pub order: u32,
    pub error: ErrorCode,
    pub message: Option<String>,
    /// Records that made the batch unacceptable: index in the batch and why.
    pub record_errors: Vec<(i32, Option<String>)>,
    pub base_offset: i64,
    pub log_append_time: i64,
    pub log_start: i64,
}

// ---- Fetch

pub struct Fetch {
    pub deadline: Instant,
    pub min_bytes: u32,
    pub max_bytes: u32,
    pub read_committed: bool,
    pub partitions: Vec<FetchPartition>,
}

#[derive(Clone, Debug)]
pub struct FetchPartition {
    pub order: u32,
    pub key: PartitionKey,
    pub offset: Offset,
    pub max_bytes: u32,
    pub leader_epoch: Epoch,
    /// Epoch of the last record the client has; -1 if it does not say (KIP-595's divergence check).
    pub last_fetched_epoch: Epoch,
}

#[derive(Debug)]
pub struct Fetched {
    pub order: u32,
    pub error: ErrorCode,
    pub high_watermark: i64,
    pub last_stable: i64,
    pub log_start: i64,
    /// The client reads committed records: it is told of aborted transactions, even if there are none.
    pub read_committed: bool,
    /// Where the client's history parts from ours: epoch and its end offset.
    pub diverging: Option<(i32, i64)>,
    pub records: Vec<Piece>,
}

impl Fetched {
    pub fn refused(order: u32, error: ErrorCode) -> Fetched {
        Fetched {
            order,
            error,
            high_watermark: -1,
            last_stable: -1,
            log_start: -1,
            read_committed: false,
            diverging: None,
            records: Vec::new(),
        }
    }
    pub fn len(&self) -> u64 {
        self.records.iter().map(Piece::len).sum()
    }
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

// ---- Offsets

pub struct ListOffset {
    pub order: u32,
    pub key: PartitionKey,
    pub leader_epoch: Epoch,
    /// Milliseconds, or one of Kafka's negative marks.
    pub timestamp: i64,
    pub read_committed: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct ListedOffset {
    pub order: u32,
    pub error: ErrorCode,
    pub timestamp: Timestamp,
    pub offset: i64,
    pub leader_epoch: Epoch,
}

pub struct EpochEnd {
    pub order: u32,
    pub key: PartitionKey,
    pub current_leader_epoch: Epoch,
    pub epoch: Epoch,
}

#[derive(Clone, Copy, Debug)]
pub struct FoundEpochEnd {
    pub order: u32,
    pub error: ErrorCode,
    pub epoch: Epoch,
    pub end: i64,
}

pub struct DeletePartitionRecords {
    pub order: u32,
    pub key: PartitionKey,
    /// New log start; -1: the high watermark.
    pub offset: i64,
}

#[derive(Clone, Copy, Debug)]
pub struct DeletedRecords {
    pub order: u32,
    pub error: ErrorCode,
    pub low_watermark: i64,
}

// ---- What a partition is like

#[derive(Clone, Copy, Debug)]
pub struct ActiveProducer {
    pub id: ProducerId,
    pub epoch: i16,
    pub last_sequence: i32,
    pub last_timestamp: Timestamp,
    pub coordinator_epoch: i32,
    pub transaction_start: i64,
}

#[derive(Clone, Copy, Debug)]
pub struct LogDirPartition {
    pub key: PartitionKey,
    /// Index in `log.dirs`.
    pub dir: usize,
    pub bytes: u64,
}

//! DescribeLogDirs (35): log directories of a broker and what each partition takes in them.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    DescribeLogDirsRequest key 35 versions 1..=5 flexible 2.. {
        /// `None` asks for all.
        topics: Option<Vec<DescribableLogDirTopic>> [0.., null 0..],
    }
    struct DescribableLogDirTopic {
        topic: String [0..],
        partitions: Vec<i32> [0..],
    }
}

message! {
    DescribeLogDirsResponse key 35 versions 1..=5 flexible 2.. {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [3..],
        results: Vec<DescribeLogDirsResult> [0..],
    }
    struct DescribeLogDirsResult {
        error_code: ErrorCode [0..],
        log_dir: String [0..],
        topics: Vec<DescribeLogDirsTopic> [0..],
        /// Of the file system; -1 if unknown.
        total_bytes: i64 [4..] = -1,
        usable_bytes: i64 [4..] = -1,
        /// Takes no new partitions.
        is_cordoned: bool [5..],
    }
    struct DescribeLogDirsTopic {
        name: String [0..],
        partitions: Vec<DescribeLogDirsPartition> [0..],
    }
    struct DescribeLogDirsPartition {
        partition_index: i32 [0..],
        partition_size: i64 [0..],
        /// How far a future replica is behind the current one, or the log end ahead of the high watermark.
        offset_lag: i64 [0..],
        /// Made by AlterReplicaLogDirs, not yet in use.
        is_future_key: bool [0..],
    }
}

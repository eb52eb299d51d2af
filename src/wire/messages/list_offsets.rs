//! ListOffsets (2): find offsets by time, or the first and last of a partition.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    ListOffsetsRequest key 2 versions 1..=11 flexible 6.. {
        /// -1 from a consumer.
        replica_id: i32 [0..],
        /// 0 reads uncommitted, 1 committed.
        isolation_level: i8 [2..],
        topics: Vec<ListOffsetsTopic> [0..],
        /// How long to wait for what lies in remote storage.
        timeout_ms: i32 [10..],
    }
    struct ListOffsetsTopic {
        name: String [0..],
        partitions: Vec<ListOffsetsPartition> [0..],
    }
    struct ListOffsetsPartition {
        partition_index: i32 [0..],
        /// -1 if the client does not know it.
        current_leader_epoch: i32 [4..] = -1,
        /// Milliseconds, or -1 latest, -2 earliest, -3 largest timestamp (version 7), -4 earliest local (8), -5 latest tiered (9),
        /// -6 earliest not yet uploaded (11).
        timestamp: i64 [0..],
    }
}

message! {
    ListOffsetsResponse key 2 versions 1..=11 flexible 6.. {
        throttle_time_ms: i32 [2..],
        topics: Vec<ListOffsetsTopicResponse> [0..],
    }
    struct ListOffsetsTopicResponse {
        name: String [0..],
        partitions: Vec<ListOffsetsPartitionResponse> [0..],
    }
    struct ListOffsetsPartitionResponse {
        partition_index: i32 [0..],
        error_code: ErrorCode [0..],
        timestamp: i64 [1..] = -1,
        /// -1 if nothing is that young.
        offset: i64 [1..] = -1,
        leader_epoch: i32 [4..] = -1,
    }
}

//! OffsetForLeaderEpoch (23): where a leader epoch ended, so that a reader finds out what was truncated under it.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    OffsetForLeaderEpochRequest key 23 versions 2..=4 flexible 4.. {
        /// -1 a consumer, -2 a tool.
        replica_id: i32 [3..] = -2,
        topics: Vec<OffsetForLeaderTopic> [0..],
    }
    struct OffsetForLeaderTopic {
        topic: String [0..],
        partitions: Vec<OffsetForLeaderPartition> [0..],
    }
    struct OffsetForLeaderPartition {
        partition: i32 [0..],
        /// -1 if the client does not know it.
        current_leader_epoch: i32 [2..] = -1,
        leader_epoch: i32 [0..],
    }
}

message! {
    OffsetForLeaderEpochResponse key 23 versions 2..=4 flexible 4.. {
        throttle_time_ms: i32 [2..],
        topics: Vec<OffsetForLeaderTopicResult> [0..],
    }
    struct OffsetForLeaderTopicResult {
        topic: String [0..],
        partitions: Vec<EpochEndOffset> [0..],
    }
    struct EpochEndOffset {
        error_code: ErrorCode [0..],
        partition: i32 [0..],
        /// The largest epoch not above the one asked for; -1 if there is none.
        leader_epoch: i32 [1..] = -1,
        /// Where it ended; -1 if there is none.
        end_offset: i64 [0..] = -1,
    }
}

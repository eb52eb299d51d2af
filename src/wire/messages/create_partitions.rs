//! CreatePartitions (37): give topics more partitions.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    CreatePartitionsRequest key 37 versions 0..=3 flexible 2.. {
        topics: Vec<CreatePartitionsTopic> [0..],
        timeout_ms: i32 [0..],
        validate_only: bool [0..],
    }
    struct CreatePartitionsTopic {
        name: String [0..],
        /// How many there shall be in all.
        count: i32 [0..],
        /// `None` lets the broker place them; else one for each new partition.
        assignments: Option<Vec<CreatePartitionsAssignment>> [0.., null 0..],
    }
    struct CreatePartitionsAssignment {
        broker_ids: Vec<i32> [0..],
    }
}

message! {
    CreatePartitionsResponse key 37 versions 0..=3 flexible 2.. {
        throttle_time_ms: i32 [0..],
        results: Vec<CreatePartitionsTopicResult> [0..],
    }
    struct CreatePartitionsTopicResult {
        name: String [0..],
        error_code: ErrorCode [0..],
        error_message: Option<String> [0.., null 0..],
    }
}

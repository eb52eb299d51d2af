//! AlterPartitionReassignments (45): move partitions to other brokers, or cancel that.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    AlterPartitionReassignmentsRequest key 45 versions 0..=1 flexible 0.. {
        timeout_ms: i32 [0..] = 60000,
        allow_replication_factor_change: bool [1..] = true,
        topics: Vec<ReassignableTopic> [0..],
    }
    struct ReassignableTopic {
        name: String [0..],
        partitions: Vec<ReassignablePartition> [0..],
    }
    struct ReassignablePartition {
        partition_index: i32 [0..],
        /// `None` cancels.
        replicas: Option<Vec<i32>> [0.., null 0..],
    }
}

message! {
    AlterPartitionReassignmentsResponse key 45 versions 0..=1 flexible 0.. {
        throttle_time_ms: i32 [0..],
        allow_replication_factor_change: bool [1..] = true,
        error_code: ErrorCode [0..],
        error_message: Option<String> [0.., null 0..],
        responses: Vec<ReassignableTopicResponse> [0..],
    }
    struct ReassignableTopicResponse {
        name: String [0..],
        partitions: Vec<ReassignablePartitionResponse> [0..],
    }
    struct ReassignablePartitionResponse {
        partition_index: i32 [0..],
        error_code: ErrorCode [0..],
        error_message: Option<String> [0.., null 0..],
    }
}

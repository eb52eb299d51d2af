//! DescribeTopicPartitions (75): topics and their partitions, in pages.

use crate::error::ErrorCode;
use crate::types::Uuid;
use crate::wire::message::message;

message! {
    DescribeTopicPartitionsRequest key 75 versions 0..=0 flexible 0.. {
        /// Empty asks for all.
        topics: Vec<TopicRequest> [0..],
        response_partition_limit: i32 [0..] = 2000,
        /// Where to begin; what the page before ended with.
        cursor: Option<Cursor> [0.., null 0..],
    }
    struct TopicRequest {
        name: String [0..],
    }
    struct Cursor {
        topic_name: String [0..],
        partition_index: i32 [0..],
    }
}

message! {
    DescribeTopicPartitionsResponse key 75 versions 0..=0 flexible 0.. {
        throttle_time_ms: i32 [0..],
        topics: Vec<DescribeTopicPartitionsResponseTopic> [0..],
        /// `None` after the last page.
        next_cursor: Option<Cursor> [0.., null 0..],
    }
    struct DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode [0..],
        name: Option<String> [0.., null 0..],
        topic_id: Uuid [0..],
        is_internal: bool [0..],
        partitions: Vec<DescribeTopicPartitionsResponsePartition> [0..],
        /// One bit per operation; `i32::MIN` if not asked for.
        topic_authorized_operations: i32 [0..] = i32::MIN,
    }
    struct DescribeTopicPartitionsResponsePartition {
        error_code: ErrorCode [0..],
        partition_index: i32 [0..],
        leader_id: i32 [0..],
        leader_epoch: i32 [0..] = -1,
        replica_nodes: Vec<i32> [0..],
        isr_nodes: Vec<i32> [0..],
        /// Not in sync, but hold everything that was committed (KIP-966).
        eligible_leader_replicas: Option<Vec<i32>> [0.., null 0..],
        last_known_elr: Option<Vec<i32>> [0.., null 0..],
        offline_replicas: Vec<i32> [0..],
    }
}

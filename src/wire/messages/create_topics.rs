//! CreateTopics (19): create topics. A controller does it; a broker passes it on.

use crate::error::ErrorCode;
use crate::types::Uuid;
use crate::wire::message::message;

message! {
    CreateTopicsRequest key 19 versions 2..=7 flexible 5.. {
        topics: Vec<CreatableTopic> [0..],
        timeout_ms: i32 [0..] = 60000,
        validate_only: bool [1..],
    }
    struct CreatableTopic {
        name: String [0..],
        /// -1 takes the default (version 4 and up) or stands beside an assignment.
        num_partitions: i32 [0..],
        /// As `num_partitions`.
        replication_factor: i16 [0..],
        assignments: Vec<CreatableReplicaAssignment> [0..],
        configs: Vec<CreatableTopicConfig> [0..],
    }
    struct CreatableReplicaAssignment {
        partition_index: i32 [0..],
        /// The first one is the preferred leader.
        broker_ids: Vec<i32> [0..],
    }
    struct CreatableTopicConfig {
        name: String [0..],
        value: Option<String> [0.., null 0..],
    }
}

message! {
    CreateTopicsResponse key 19 versions 2..=7 flexible 5.. {
        throttle_time_ms: i32 [2..],
        topics: Vec<CreatableTopicResult> [0..],
    }
    struct CreatableTopicResult {
        name: String [0..],
        topic_id: Uuid [7..],
        error_code: ErrorCode [0..],
        error_message: Option<String> [1.., null 1..],
        /// Why `configs` is null.
        topic_config_error_code: ErrorCode [5.., tag 0],
        num_partitions: i32 [5..] = -1,
        replication_factor: i16 [5..] = -1,
        /// `None` if the client may not see them.
        configs: Option<Vec<CreatableTopicConfigs>> [5.., null 5..],
    }
    struct CreatableTopicConfigs {
        name: String [5..],
        value: Option<String> [5.., null 5..],
        read_only: bool [5..],
        /// As in DescribeConfigs.
        config_source: i8 [5..] = -1,
        is_sensitive: bool [5..],
    }
}

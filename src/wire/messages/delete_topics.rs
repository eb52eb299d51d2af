//! DeleteTopics (20): delete topics by name, from version 6 also by id.

use crate::error::ErrorCode;
use crate::types::Uuid;
use crate::wire::message::message;

message! {
    DeleteTopicsRequest key 20 versions 1..=6 flexible 4.. {
        topics: Vec<DeleteTopicState> [6..],
        topic_names: Vec<String> [0..=5],
        timeout_ms: i32 [0..],
    }
    struct DeleteTopicState {
        /// `None` when deleted by id.
        name: Option<String> [6.., null 6..],
        topic_id: Uuid [6..],
    }
}

message! {
    DeleteTopicsResponse key 20 versions 1..=6 flexible 4.. {
        throttle_time_ms: i32 [1..],
        responses: Vec<DeletableTopicResult> [0..],
    }
    struct DeletableTopicResult {
        name: Option<String> [0.., null 6..],
        topic_id: Uuid [6..],
        error_code: ErrorCode [0..],
        error_message: Option<String> [5.., null 5..],
    }
}

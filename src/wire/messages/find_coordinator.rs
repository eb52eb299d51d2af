//! FindCoordinator (10): which broker coordinates a group, a transactional id or a share partition. One key before version 4, many from there on.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    FindCoordinatorRequest key 10 versions 0..=6 flexible 3.. {
        key: String [0..=3],
        /// 0 group, 1 transactional id, 2 share partition.
        key_type: i8 [1..],
        coordinator_keys: Vec<String> [4..],
    }
}

message! {
    FindCoordinatorResponse key 10 versions 0..=6 flexible 3.. {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode [0..=3],
        error_message: Option<String> [1..=3, null 1..=3],
        node_id: i32 [0..=3],
        host: String [0..=3],
        port: i32 [0..=3],
        coordinators: Vec<Coordinator> [4..],
    }
    struct Coordinator {
        key: String [4..],
        node_id: i32 [4..],
        host: String [4..],
        port: i32 [4..],
        error_code: ErrorCode [4..],
        error_message: Option<String> [4.., null 4..],
    }
}

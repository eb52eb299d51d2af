//! DeleteGroups (42): delete groups without members.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    DeleteGroupsRequest key 42 versions 0..=2 flexible 2.. {
        groups_names: Vec<String> [0..],
    }
}

message! {
    DeleteGroupsResponse key 42 versions 0..=2 flexible 2.. {
        throttle_time_ms: i32 [0..],
        results: Vec<DeletableGroupResult> [0..],
    }
    struct DeletableGroupResult {
        group_id: String [0..],
        error_code: ErrorCode [0..],
    }
}

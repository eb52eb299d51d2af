//! Heartbeat (12): a member of a classic group is alive.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    HeartbeatRequest key 12 versions 0..=4 flexible 4.. {
        group_id: String [0..],
        generation_id: i32 [0..],
        member_id: String [0..],
        group_instance_id: Option<String> [3.., null 3..],
    }
}

message! {
    HeartbeatResponse key 12 versions 0..=4 flexible 4.. {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode [0..],
    }
}

//! LeaveGroup (13): leave a classic group; from version 3 several members at once.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    LeaveGroupRequest key 13 versions 0..=5 flexible 4.. {
        group_id: String [0..],
        member_id: String [0..=2],
        members: Vec<MemberIdentity> [3..],
    }
    struct MemberIdentity {
        member_id: String [3..],
        group_instance_id: Option<String> [3.., null 3..],
        reason: Option<String> [5.., null 5..],
    }
}

message! {
    LeaveGroupResponse key 13 versions 0..=5 flexible 4.. {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode [0..],
        members: Vec<MemberResponse> [3..],
    }
    struct MemberResponse {
        member_id: String [3..],
        group_instance_id: Option<String> [3.., null 3..],
        error_code: ErrorCode [3..],
    }
}

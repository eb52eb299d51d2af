//! SyncGroup (14): the leader of a classic group hands out the assignment, the others wait for it.

use crate::error::ErrorCode;
use crate::wire::codec::Bytes;
use crate::wire::message::message;

message! {
    SyncGroupRequest key 14 versions 0..=5 flexible 4.. {
        group_id: String [0..],
        generation_id: i32 [0..],
        member_id: String [0..],
        group_instance_id: Option<String> [3.., null 3..],
        protocol_type: Option<String> [5.., null 5..],
        protocol_name: Option<String> [5.., null 5..],
        /// From the leader of the group only.
        assignments: Vec<SyncGroupRequestAssignment> [0..],
    }
    struct SyncGroupRequestAssignment {
        member_id: String [0..],
        assignment: Bytes [0..],
    }
}

message! {
    SyncGroupResponse key 14 versions 0..=5 flexible 4.. {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode [0..],
        protocol_type: Option<String> [5.., null 5..],
        protocol_name: Option<String> [5.., null 5..],
        assignment: Bytes [0..],
    }
}

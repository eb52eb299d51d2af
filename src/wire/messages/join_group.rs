//! JoinGroup (11): enter a classic group and wait for the others.

use crate::error::ErrorCode;
use crate::wire::codec::Bytes;
use crate::wire::message::message;

message! {
    JoinGroupRequest key 11 versions 0..=9 flexible 6.. {
        group_id: String [0..],
        session_timeout_ms: i32 [0..],
        rebalance_timeout_ms: i32 [1..] = -1,
        member_id: String [0..],
        /// Set by static members.
        group_instance_id: Option<String> [5.., null 5..],
        protocol_type: String [0..],
        protocols: Vec<JoinGroupRequestProtocol> [0..],
        reason: Option<String> [8.., null 8..],
    }
    struct JoinGroupRequestProtocol {
        name: String [0..],
        /// Means something to the assignor only.
        metadata: Bytes [0..],
    }
}

message! {
    JoinGroupResponse key 11 versions 0..=9 flexible 6.. {
        throttle_time_ms: i32 [2..],
        error_code: ErrorCode [0..],
        generation_id: i32 [0..] = -1,
        protocol_type: Option<String> [7.., null 7..],
        protocol_name: Option<String> [0.., null 7..],
        leader: String [0..],
        skip_assignment: bool [9..],
        member_id: String [0..],
        /// For the leader of the group only.
        members: Vec<JoinGroupResponseMember> [0..],
    }
    struct JoinGroupResponseMember {
        member_id: String [0..],
        group_instance_id: Option<String> [5.., null 5..],
        metadata: Bytes [0..],
    }
}

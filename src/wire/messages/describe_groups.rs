//! DescribeGroups (15): members and state of classic groups.

use crate::error::ErrorCode;
use crate::wire::codec::Bytes;
use crate::wire::message::message;

message! {
    DescribeGroupsRequest key 15 versions 0..=6 flexible 5.. {
        groups: Vec<String> [0..],
        include_authorized_operations: bool [3..],
    }
}

message! {
    DescribeGroupsResponse key 15 versions 0..=6 flexible 5.. {
        throttle_time_ms: i32 [1..],
        groups: Vec<DescribedGroup> [0..],
    }
    struct DescribedGroup {
        error_code: ErrorCode [0..],
        error_message: Option<String> [6.., null 6..],
        group_id: String [0..],
        group_state: String [0..],
        protocol_type: String [0..],
        protocol_data: String [0..],
        members: Vec<DescribedGroupMember> [0..],
        authorized_operations: i32 [3..] = i32::MIN,
    }
    struct DescribedGroupMember {
        member_id: String [0..],
        group_instance_id: Option<String> [4.., null 4..],
        client_id: String [0..],
        client_host: String [0..],
        member_metadata: Bytes [0..],
        member_assignment: Bytes [0..],
    }
}

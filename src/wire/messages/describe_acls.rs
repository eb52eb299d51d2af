//! DescribeAcls (29): list access rules that match a filter.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    DescribeAclsRequest key 29 versions 1..=3 flexible 2.. {
        resource_type_filter: i8 [0..],
        resource_name_filter: Option<String> [0.., null 0..],
        /// 1 any, 2 whatever matches the name, 3 literal, 4 prefixed.
        pattern_type_filter: i8 [1..] = 3,
        principal_filter: Option<String> [0.., null 0..],
        host_filter: Option<String> [0.., null 0..],
        operation: i8 [0..],
        permission_type: i8 [0..],
    }
}

message! {
    DescribeAclsResponse key 29 versions 1..=3 flexible 2.. {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
        error_message: Option<String> [0.., null 0..],
        resources: Vec<DescribeAclsResource> [0..],
    }
    struct DescribeAclsResource {
        resource_type: i8 [0..],
        resource_name: String [0..],
        pattern_type: i8 [1..] = 3,
        acls: Vec<AclDescription> [0..],
    }
    struct AclDescription {
        principal: String [0..],
        host: String [0..],
        operation: i8 [0..],
        permission_type: i8 [0..],
    }
}

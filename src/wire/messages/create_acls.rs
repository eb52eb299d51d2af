//! CreateAcls (30): add access rules.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    CreateAclsRequest key 30 versions 1..=3 flexible 2.. {
        creations: Vec<AclCreation> [0..],
    }
    struct AclCreation {
        resource_type: i8 [0..],
        resource_name: String [0..],
        /// 3 literal, 4 prefixed.
        resource_pattern_type: i8 [1..] = 3,
        principal: String [0..],
        host: String [0..],
        operation: i8 [0..],
        permission_type: i8 [0..],
    }
}

message! {
    CreateAclsResponse key 30 versions 1..=3 flexible 2.. {
        throttle_time_ms: i32 [0..],
        results: Vec<AclCreationResult> [0..],
    }
    struct AclCreationResult {
        error_code: ErrorCode [0..],
        error_message: Option<String> [0.., null 0..],
    }
}

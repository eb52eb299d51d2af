//! IncrementalAlterConfigs (44): change single configurations, or entries of lists in them.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    IncrementalAlterConfigsRequest key 44 versions 0..=1 flexible 1.. {
        resources: Vec<AlterConfigsResource> [0..],
        validate_only: bool [0..],
    }
    struct AlterConfigsResource {
        /// As in DescribeConfigs.
        resource_type: i8 [0..],
        resource_name: String [0..],
        configs: Vec<AlterableConfig> [0..],
    }
    struct AlterableConfig {
        name: String [0..],
        /// 0 set, 1 delete, 2 append, 3 subtract.
        config_operation: i8 [0..],
        value: Option<String> [0.., null 0..],
    }
}

message! {
    IncrementalAlterConfigsResponse key 44 versions 0..=1 flexible 1.. {
        throttle_time_ms: i32 [0..],
        responses: Vec<AlterConfigsResourceResponse> [0..],
    }
    struct AlterConfigsResourceResponse {
        error_code: ErrorCode [0..],
        error_message: Option<String> [0.., null 0..],
        resource_type: i8 [0..],
        resource_name: String [0..],
    }
}

//! AlterConfigs (33): replace the whole configuration of a resource. What is not listed goes back to its default.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    AlterConfigsRequest key 33 versions 0..=2 flexible 2.. {
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
        /// `None` goes back to the default.
        value: Option<String> [0.., null 0..],
    }
}

message! {
    AlterConfigsResponse key 33 versions 0..=2 flexible 2.. {
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

//! ListConfigResources (74): names of what can be configured: topics, brokers, groups, client metrics.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    ListConfigResourcesRequest key 74 versions 0..=1 flexible 0.. {
        /// As in DescribeConfigs; empty asks for all. Version 0 is client metrics only.
        resource_types: Vec<i8> [1..],
    }
}

message! {
    ListConfigResourcesResponse key 74 versions 0..=1 flexible 0.. {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
        config_resources: Vec<ConfigResource> [0..],
    }
    struct ConfigResource {
        resource_name: String [0..],
        /// As in DescribeConfigs.
        resource_type: i8 [1..] = 16,
    }
}

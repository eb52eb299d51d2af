//! DescribeConfigs (32): read the configuration of topics and brokers, with where each value comes from.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    DescribeConfigsRequest key 32 versions 1..=4 flexible 4.. {
        resources: Vec<DescribeConfigsResource> [0..],
        include_synonyms: bool [1..],
        include_documentation: bool [3..],
    }
    struct DescribeConfigsResource {
        /// 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group.
        resource_type: i8 [0..],
        resource_name: String [0..],
        /// `None` asks for all.
        configuration_keys: Option<Vec<String>> [0.., null 0..],
    }
}

message! {
    DescribeConfigsResponse key 32 versions 1..=4 flexible 4.. {
        throttle_time_ms: i32 [0..],
        results: Vec<DescribeConfigsResult> [0..],
    }
    struct DescribeConfigsResult {
        error_code: ErrorCode [0..],
        error_message: Option<String> [0.., null 0..],
        resource_type: i8 [0..],
        resource_name: String [0..],
        configs: Vec<DescribeConfigsResourceResult> [0..],
    }
    struct DescribeConfigsResourceResult {
        name: String [0..],
        /// `None` if it is secret or has none.
        value: Option<String> [0.., null 0..],
        read_only: bool [0..],
        /// 1 topic, 2 broker, 3 default of all brokers, 4 static, 5 default, 6 logger, 7 client metrics, 8 group.
        config_source: i8 [1..] = -1,
        is_sensitive: bool [0..],
        synonyms: Vec<DescribeConfigsSynonym> [1..],
        /// 0 unknown, 1 boolean, 2 string, 3 int, 4 short, 5 long, 6 double, 7 list, 8 class, 9 password.
        config_type: i8 [3..],
        documentation: Option<String> [3.., null 3..],
    }
    struct DescribeConfigsSynonym {
        name: String [1..],
        value: Option<String> [1.., null 1..],
        /// As `config_source`.
        source: i8 [1..],
    }
}

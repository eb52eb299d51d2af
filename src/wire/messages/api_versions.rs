//! ApiVersions (18): what the broker understands. The first request on a connection; its answer has the old header always.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    /// Versions 0 to 2 are empty.
    ApiVersionsRequest key 18 versions 0..=5 flexible 3.. {
        client_software_name: String [3..],
        client_software_version: String [3..],
        /// Cluster that the client means to reach (KIP-1242, Kafka 4.4). With another cluster or `node_id` it has come to the wrong
        /// broker and is told REBOOTSTRAP_REQUIRED; a node without a cluster is INVALID_REQUEST.
        cluster_id: Option<String> [5.., null 5..],
        /// Broker that the client means to reach; -1 if it does not know.
        node_id: i32 [5..] = -1,
    }
}

message! {
    /// A version that the broker does not know is answered in version 0, with UNSUPPORTED_VERSION and the versions that it does.
    ApiVersionsResponse key 18 versions 0..=5 flexible 3.. {
        error_code: ErrorCode [0..],
        api_keys: Vec<ApiVersion> [0..],
        throttle_time_ms: i32 [1..],
        /// Before version 4 a client chokes on a `min_version` of 0 here (KAFKA-17011): such features are left out.
        supported_features: Vec<SupportedFeatureKey> [3.., tag 0],
        /// Grows with every change of a finalized feature; -1 if unknown.
        finalized_features_epoch: i64 [3.., tag 1] = -1,
        finalized_features: Vec<FinalizedFeatureKey> [3.., tag 2],
        zk_migration_ready: bool [3.., tag 3],
    }
    struct ApiVersion {
        api_key: i16 [0..],
        min_version: i16 [0..],
        max_version: i16 [0..],
    }
    struct SupportedFeatureKey {
        name: String [3..],
        min_version: i16 [3..],
        max_version: i16 [3..],
    }
    struct FinalizedFeatureKey {
        name: String [3..],
        max_version_level: i16 [3..],
        min_version_level: i16 [3..],
    }
}

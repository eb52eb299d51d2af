//! ApiVersions (18): what this broker understands. The first request on a connection, and the only one that is answered
//! in every version, known or not.
//!
//! | request | answer |
//! |---|---|
//! | a version that we do not have | UNSUPPORTED_VERSION and the versions of ApiVersions that we do, in version 0 |
//! | names that are no names (KIP-511), or a broker without its cluster | INVALID_REQUEST |
//! | meant for another cluster or broker (KIP-1242) | REBOOTSTRAP_REQUIRED |
//! | otherwise | everything in [`SERVED`], and the features of the cluster |
//!
//! Of Kafka's features only `metadata.version` is told: transactions, groups and share groups have a level of 0 until they
//! are there, and clients choose what they send by these levels.

use super::{Begun, Call, Cx, Hangup};
use crate::error::ErrorCode;
use crate::metadata::Image;
use crate::types::BrokerId;
use crate::wire::Message;
use crate::wire::api::SERVED;
use crate::wire::codec::Reader;
use crate::wire::messages::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey};

/// First version in which a client can read a feature whose least level is 0 (KAFKA-17492).
const FEATURES_FROM_0: i16 = 4;

pub fn begin(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: ApiVersionsRequest = call.decode(reader)?;
    call.answer(&response(cx.shard.image(), cx.shard.config().node_id, call.version, &request))
}

/// To a version that we do not have: the versions that we do, so that the client can ask again (KIP-511).
pub fn unsupported() -> ApiVersionsResponse {
    let versions = ApiVersionsRequest::VERSIONS;
    let own = ApiVersion { api_key: ApiVersionsRequest::KEY, min_version: *versions.start(), max_version: *versions.end() };
    ApiVersionsResponse { error_code: ErrorCode::UnsupportedVersion, api_keys: vec![own], ..ApiVersionsResponse::default() }
}

fn response(image: &Image, node: BrokerId, version: i16, request: &ApiVersionsRequest) -> ApiVersionsResponse {
    let refused = |error_code| ApiVersionsResponse { error_code, ..ApiVersionsResponse::default() };
    if version >= 3 && !(is_name(&request.client_software_name) && is_name(&request.client_software_version)) {
        return refused(ErrorCode::InvalidRequest);
    }
    if let Some(error) = misdirected(image, node, request) {
        return refused(error);
    }
    let supported = image.broker(node).map(|broker| broker.features.as_slice()).unwrap_or_default();
    ApiVersionsResponse {
        api_keys: SERVED
            .iter()
            .map(|served| ApiVersion { api_key: served.key.code(), min_version: served.advertised.min, max_version: served.advertised.max })
            .collect(),
        supported_features: supported
            .iter()
            .filter(|feature| version >= FEATURES_FROM_0 || feature.min_supported_version > 0)
            .map(|feature| SupportedFeatureKey {
                name: feature.name.clone(),
                min_version: feature.min_supported_version,
                max_version: feature.max_supported_version,
            })
            .collect(),
        finalized_features_epoch: image.end.0,
        finalized_features: image
            .features()
            .map(|(name, level)| FinalizedFeatureKey { name: name.to_owned(), max_version_level: level, min_version_level: level })
            .collect(),
        ..ApiVersionsResponse::default()
    }
}

/// From version 5 on a client says whom it means to reach (KIP-1242): one that has come to another cluster or broker than that
/// one, because an address has a new owner, must not believe what it is told here.
fn misdirected(image: &Image, node: BrokerId, request: &ApiVersionsRequest) -> Option<ErrorCode> {
    let meant = Some(request.node_id).filter(|id| *id >= 0);
    let Some(cluster_id) = &request.cluster_id else {
        // Node ids mean nothing outside of their cluster.
        return meant.map(|_| ErrorCode::InvalidRequest);
    };
    let here = **cluster_id == *image.cluster_id && meant.is_none_or(|id| id == node.0);
    (!here).then_some(ErrorCode::RebootstrapRequired)
}

/// Kafka: `ApiVersionsRequest.SOFTWARE_NAME_VERSION_PATTERN`.
fn is_name(text: &str) -> bool {
    let ends = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(ends) && text.ends_with(ends) && text.chars().all(|c| ends(c) || c == '-' || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::World;
    use crate::wire::api::ApiKey;

    fn asked(version: i16, change: impl FnOnce(&mut ApiVersionsRequest)) -> ApiVersionsResponse {
        let world = World::new(1);
        let mut request = ApiVersionsRequest {
            client_software_name: "apache-kafka-java".into(),
            client_software_version: "4.3.1".into(),
            ..ApiVersionsRequest::default()
        };
        change(&mut request);
        response(&world.image, BrokerId(0), version, &request)
    }

    #[test]
    fn names_of_clients_are_checked_as_kafka_does() {
        for good in ["a", "apache-kafka-java", "4.3.1", "librdkafka", "a--.b"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a b", "a_b", ".1", "ä"] {
            assert!(!is_name(bad), "{bad}");
        }
        assert_eq!(asked(3, |r| r.client_software_name = "-p".into()).error_code, ErrorCode::InvalidRequest);
        // Older versions have no names.
        assert_eq!(asked(2, |r| r.client_software_name.clear()).error_code, ErrorCode::None);
    }

    #[test]
    fn every_api_that_is_served_is_told_as_it_is_advertised() {
        let told = asked(4, |_| ());
        assert_eq!(told.api_keys.len(), SERVED.len());
        let of = |key: ApiKey| told.api_keys.iter().find(|api| api.api_key == key.code()).map(|api| (api.min_version, api.max_version));
        assert_eq!(of(ApiKey::Produce), Some((0, 13)));
        assert_eq!(of(ApiKey::InitProducerId), Some((0, 5)));
        assert_eq!(of(ApiKey::JoinGroup), None);
    }

    #[test]
    fn a_cluster_finalizes_what_it_can_do_and_no_transactions() {
        let told = asked(3, |_| ());
        let levels: Vec<_> = told.finalized_features.iter().map(|f| (f.name.as_str(), f.min_version_level, f.max_version_level)).collect();
        assert_eq!(levels, [("metadata.version", 30, 30)]);
        assert!(told.finalized_features_epoch >= 0);
        assert_eq!(told.supported_features.len(), 1);
    }

    #[test]
    fn a_client_that_means_another_broker_is_sent_back_to_its_bootstrap_servers() {
        let code = |cluster: Option<&str>, node_id: i32| {
            asked(5, |request| {
                request.cluster_id = cluster.map(str::to_owned);
                request.node_id = node_id;
            })
            .error_code
        };
        assert_eq!(code(None, -1), ErrorCode::None);
        assert_eq!(code(Some("cluster"), 0), ErrorCode::None);
        assert_eq!(code(Some("cluster"), -1), ErrorCode::None);
        assert_eq!(code(None, 0), ErrorCode::InvalidRequest);
        assert_eq!(code(Some("another"), 0), ErrorCode::RebootstrapRequired);
        assert_eq!(code(Some("cluster"), 7), ErrorCode::RebootstrapRequired);
    }

    #[test]
    fn a_version_from_the_future_is_told_what_there_is() {
        let told = unsupported();
        assert_eq!(told.error_code, ErrorCode::UnsupportedVersion);
        assert_eq!(told.api_keys, [ApiVersion { api_key: 18, min_version: 0, max_version: 5 }]);
    }
}

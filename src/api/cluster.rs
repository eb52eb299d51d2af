//! Who is there and what they have: ApiVersions (18), Metadata (3), DescribeCluster (60), DescribeTopicPartitions (75),
//! FindCoordinator (10). All of it from the image, on the connection's core.

use super::{Begun, Call, Cx, Hangup, Merge, Response, ask_control};
use crate::control::{Command, Reply};
use crate::error::ErrorCode;
use crate::metadata::{Topic, topic_name};
use crate::wire::Message;
use crate::wire::api::SERVED;
use crate::wire::codec::Reader;
use crate::wire::frame;
use crate::wire::messages::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey};
use crate::wire::messages::describe_cluster::{DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse};
use crate::wire::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};
use crate::wire::messages::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use crate::wire::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};

/// Bits of the operations that anybody may do without an authorizer (`AclOperation`, `AuthHelper.authorizedOperations`):
/// on a topic read, write, create, delete, alter, describe, describe configs, alter configs.
const TOPIC_OPERATIONS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
/// On the cluster create, alter, describe, cluster action, describe configs, alter configs, idempotent write.
const CLUSTER_OPERATIONS: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;
/// Not asked for.
const UNKNOWN_OPERATIONS: i32 = i32::MIN;

// ---- ApiVersions

pub fn api_versions(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: ApiVersionsRequest = call.decode(reader)?;
    if call.version >= 3 && !(is_name(&request.client_software_name) && is_name(&request.client_software_version)) {
        return call.answer(&ApiVersionsResponse { error_code: ErrorCode::InvalidRequest, ..ApiVersionsResponse::default() });
    }
    match misdirected(cx, &request) {
        None => call.answer(&served_versions(cx, call.version)),
        Some(error_code) => call.answer(&ApiVersionsResponse { error_code, ..ApiVersionsResponse::default() }),
    }
}

/// From version 5 on a client says whom it means to reach (KIP-1242): one that has come to another cluster or broker than that
/// one, because an address has a new owner, must not believe what it is told here.
fn misdirected(cx: &Cx<'_>, request: &ApiVersionsRequest) -> Option<ErrorCode> {
    let node_id = Some(request.node_id).filter(|id| *id >= 0);
    let Some(cluster_id) = &request.cluster_id else {
        // Node ids mean nothing outside of their cluster.
        return node_id.map(|_| ErrorCode::InvalidRequest);
    };
    let here = **cluster_id == *cx.shard.image().cluster_id && node_id.is_none_or(|id| id == cx.shard.config().node_id.0);
    (!here).then_some(ErrorCode::RebootstrapRequired)
}

/// A version that we do not know: answered in version 0, with all that we do know, so that the client can ask again.
pub fn unsupported_api_versions(cx: &mut Cx<'_>, call: Call) -> Result<Begun, Hangup> {
    let response = ApiVersionsResponse { error_code: ErrorCode::UnsupportedVersion, ..served_versions(cx, 0) };
    let mut out = Vec::new();
    frame::response(&mut out, *ApiVersionsResponse::VERSIONS.start(), call.correlation, &response);
    Ok(Begun::Answer(Response::Bytes(out)))
}

/// Kafka: `ApiVersionsRequest.SOFTWARE_NAME_VERSION_PATTERN`.
fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    !text.is_empty()
        && text.chars().all(inner)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
}

fn served_versions(cx: &Cx<'_>, version: i16) -> ApiVersionsResponse {
    let api_keys = SERVED
        .iter()
        .map(|served| ApiVersion { api_key: served.key.code(), min_version: served.advertised.min, max_version: served.advertised.max })
        .collect();
    let image = cx.shard.image();
    let me = image.broker(cx.shard.config().node_id);
    let supported = me.map(|broker| broker.features.as_slice()).unwrap_or_default();
    ApiVersionsResponse {
        api_keys,
        supported_features: supported
            .iter()
            // A minimum of 0 makes older clients choke (KAFKA-17011).
            .filter(|feature| version >= 4 || feature.min_supported_version > 0)
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

// ---- Brokers

/// Where clients that came through this listener reach us.
fn advertised(cx: &Cx<'_>) -> (String, i32) {
    let listener = &cx.shard.config().listeners[cx.listener];
    let host = if listener.advertised_host.is_empty() { millrace_io::blocking::host_name() } else { listener.advertised_host.clone() };
    (host, i32::from(listener.advertised_port))
}

pub fn describe(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: DescribeClusterRequest = call.decode(reader)?;
    let mut response = DescribeClusterResponse { endpoint_type: request.endpoint_type, ..DescribeClusterResponse::default() };
    match request.endpoint_type {
        1 => {}
        2 => {
            response.error_code = ErrorCode::MismatchedEndpointType;
            response.error_message =
                Some("The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER".into());
            return call.answer(&response);
        }
        other => {
            response.error_code = ErrorCode::UnsupportedEndpointType;
            response.error_message = Some(format!("Unsupported endpoint type {other}"));
            return call.answer(&response);
        }
    }
    let (host, port) = advertised(cx);
    let config = cx.shard.config();
    response.cluster_id = cx.shard.image().cluster_id.to_string();
    response.controller_id = cx.shard.image().controller.0;
    response.brokers = vec![DescribeClusterBroker { broker_id: config.node_id.0, host, port, rack: config.rack.clone(), is_fenced: false }];
    response.cluster_authorized_operations =
        if request.include_cluster_authorized_operations { CLUSTER_OPERATIONS } else { UNKNOWN_OPERATIONS };
    call.answer(&response)
}

/// Every coordinator is this broker.
pub fn find_coordinator(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: FindCoordinatorRequest = call.decode(reader)?;
    let (host, port) = advertised(cx);
    let node_id = cx.shard.config().node_id.0;
    let refusal = |key: &str| match request.key_type {
        0 if key.is_empty() => Some((ErrorCode::InvalidGroupId, "The configured groupId is invalid")),
        0 | 1 => None,
        // Share coordinators come with share groups.
        _ => Some((ErrorCode::InvalidRequest, "Unknown coordinator type")),
    };
    let mut response = FindCoordinatorResponse::default();
    if call.version < 4 {
        match refusal(&request.key) {
            Some((error, message)) => {
                response.error_code = error;
                response.error_message = Some(message.to_owned());
                (response.node_id, response.port) = (-1, -1);
            }
            None => (response.node_id, response.host, response.port) = (node_id, host, port),
        }
        return call.answer(&response);
    }
    let coordinators = request.coordinator_keys.iter().map(|key| match refusal(key) {
        Some((error_code, message)) => Coordinator {
            key: key.clone(),
            node_id: -1,
            port: -1,
            error_code,
            error_message: Some(message.to_owned()),
            ..Coordinator::default()
        },
        None => Coordinator { key: key.clone(), node_id, host: host.clone(), port, ..Coordinator::default() },
    });
    response.coordinators = coordinators.collect();
    call.answer(&response)
}

// ---- Metadata

/// Waits until the topics that were missing have been made.
pub struct AutoCreating {
    request: MetadataRequest,
}

pub fn metadata(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let mut request: MetadataRequest = call.decode(reader)?;
    // In version 0 an empty array asks for all topics, and creation cannot be forbidden before version 4.
    if call.version == 0 && request.topics.as_ref().is_some_and(Vec::is_empty) {
        request.topics = None;
    }
    let image = cx.shard.image();
    let may_create = cx.shard.config().auto_create_topics && request.allow_auto_topic_creation;
    let missing: Vec<String> = request
        .topics
        .iter()
        .flatten()
        .filter_map(|topic| topic.name.as_ref())
        .filter(|name| may_create && image.topic_by_name(name).is_none() && topic_name::validate(name).is_ok())
        .cloned()
        .collect();
    if missing.is_empty() {
        return Ok(Begun::Answer(respond(cx, &call, &request, &[])));
    }
    ask_control(cx, Command::AutoCreate(missing));
    call.wait(Merge::Metadata(AutoCreating { request }))
}

impl AutoCreating {
    pub fn on_reply(&self, cx: &mut Cx<'_>, call: &Call, reply: Reply) -> Response {
        let Reply::AutoCreate(created) = reply else { unreachable!("asked for topics") };
        let failed: Vec<(String, ErrorCode)> =
            created.into_iter().filter_map(|topic| topic.result.err().map(|error| (topic.name, error))).collect();
        respond(cx, call, &self.request, &failed)
    }
}

/// `failed`: topics that could not be made, and why.
fn respond(cx: &mut Cx<'_>, call: &Call, request: &MetadataRequest, failed: &[(String, ErrorCode)]) -> Response {
    let image = cx.shard.image().clone();
    let operations = if request.include_topic_authorized_operations { TOPIC_OPERATIONS } else { UNKNOWN_OPERATIONS };
    let told = |topic: &Topic| MetadataResponseTopic { topic_authorized_operations: operations, ..told(topic) };
    let topics = match &request.topics {
        None => image.topics().map(told).collect(),
        Some(asked) => asked
            .iter()
            .map(|asked| match &asked.name {
                Some(name) => image.topic_by_name(name).map_or_else(|| missing(name, failed), told),
                None => image.topic_by_id(asked.topic_id).map_or_else(
                    || MetadataResponseTopic {
                        error_code: ErrorCode::UnknownTopicId,
                        topic_id: asked.topic_id,
                        ..MetadataResponseTopic::default()
                    },
                    told,
                ),
            })
            .collect(),
    };
    let (host, port) = advertised(cx);
    let config = cx.shard.config();
    call.respond(&MetadataResponse {
        brokers: vec![MetadataResponseBroker { node_id: config.node_id.0, host, port, rack: config.rack.clone() }],
        cluster_id: Some(image.cluster_id.to_string()),
        controller_id: image.controller.0,
        topics,
        cluster_authorized_operations: if request.include_cluster_authorized_operations { CLUSTER_OPERATIONS } else { UNKNOWN_OPERATIONS },
        ..MetadataResponse::default()
    })
}

fn told(topic: &Topic) -> MetadataResponseTopic {
    let ids = |brokers: &[crate::types::BrokerId]| brokers.iter().map(|broker| broker.0).collect::<Vec<_>>();
    MetadataResponseTopic {
        name: Some(topic.name.to_string()),
        topic_id: topic.id,
        is_internal: topic.is_internal(),
        partitions: topic
            .partitions()
            .map(|(partition_index, partition)| MetadataResponsePartition {
                error_code: if partition.leader.0 < 0 { ErrorCode::LeaderNotAvailable } else { ErrorCode::None },
                partition_index,
                leader_id: partition.leader.0,
                leader_epoch: partition.leader_epoch.0,
                replica_nodes: ids(&partition.replicas),
                isr_nodes: ids(&partition.isr),
                offline_replicas: Vec::new(),
            })
            .collect(),
        ..MetadataResponseTopic::default()
    }
}

fn missing(name: &str, failed: &[(String, ErrorCode)]) -> MetadataResponseTopic {
    let error_code = match failed.iter().find(|(topic, _)| topic == name) {
        Some((_, error)) => *error,
        None if topic_name::validate(name).is_err() => ErrorCode::InvalidTopicException,
        None => ErrorCode::UnknownTopicOrPartition,
    };
    MetadataResponseTopic { error_code, name: Some(name.to_owned()), ..MetadataResponseTopic::default() }
}

// ---- DescribeTopicPartitions

/// Pages of topics in the order of their names. Kafka: `DescribeTopicPartitionsRequestHandler`.
pub fn topic_partitions(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    /// `max.request.partition.size.limit` bounds a page whatever the client asks for.
    const PAGE_MIN: i32 = 1;
    let request: DescribeTopicPartitionsRequest = call.decode(reader)?;
    let image = cx.shard.image();
    let most = i32::try_from(cx.shard.config().max_request_partition_size_limit).unwrap_or(i32::MAX);
    let mut left = request.response_partition_limit.clamp(PAGE_MIN, most.max(PAGE_MIN));
    let from = request.cursor.clone().unwrap_or_default();
    let mut names: Vec<String> = if request.topics.is_empty() {
        image.topics_from(&from.topic_name).map(|topic| topic.name.to_string()).collect()
    } else {
        request.topics.into_iter().map(|topic| topic.name).filter(|name| *name >= from.topic_name).collect()
    };
    names.sort();
    names.dedup();
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in names {
        if left <= 0 {
            response.next_cursor = Some(Cursor { topic_name: name, partition_index: 0 });
            break;
        }
        let Some(topic) = image.topic_by_name(&name) else {
            let valid = topic_name::validate(&name).is_ok();
            let error_code = if valid { ErrorCode::UnknownTopicOrPartition } else { ErrorCode::InvalidTopicException };
            response.topics.push(DescribeTopicPartitionsResponseTopic {
                error_code,
                name: Some(name),
                ..DescribeTopicPartitionsResponseTopic::default()
            });
            continue;
        };
        let begin = if name == from.topic_name { from.partition_index.max(0) } else { 0 };
        let take = usize::try_from(left).expect("above zero");
        let first = usize::try_from(begin).expect("not negative");
        let partitions: Vec<_> =
            topic.partitions().skip(first).take(take).map(|(index, partition)| page_partition(index, partition)).collect();
        let shown = i32::try_from(partitions.len()).expect("partitions are numbered by i32");
        let all = i32::try_from(topic.partitions.len()).expect("partitions are numbered by i32");
        response.topics.push(DescribeTopicPartitionsResponseTopic {
            name: Some(name.clone()),
            topic_id: topic.id,
            is_internal: topic.is_internal(),
            partitions,
            topic_authorized_operations: TOPIC_OPERATIONS,
            ..DescribeTopicPartitionsResponseTopic::default()
        });
        left -= shown;
        if begin + shown < all {
            response.next_cursor = Some(Cursor { topic_name: name, partition_index: begin + shown });
            break;
        }
    }
    call.answer(&response)
}

fn page_partition(index: i32, partition: &crate::metadata::Partition) -> DescribeTopicPartitionsResponsePartition {
    DescribeTopicPartitionsResponsePartition {
        partition_index: index,
        leader_id: partition.leader.0,
        leader_epoch: partition.leader_epoch.0,
        replica_nodes: partition.replicas.iter().map(|broker| broker.0).collect(),
        isr_nodes: partition.isr.iter().map(|broker| broker.0).collect(),
        eligible_leader_replicas: Some(Vec::new()),
        last_known_elr: Some(Vec::new()),
        ..DescribeTopicPartitionsResponsePartition::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::api::ApiKey;

    #[test]
    fn names_of_clients_are_checked_as_kafka_does() {
        for good in ["a", "apache-kafka-java", "4.3.1", "librdkafka"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a b", "a_b", ".1"] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn every_api_that_is_served_is_told() {
        assert!(SERVED.iter().any(|served| served.key == ApiKey::ApiVersions));
        assert_eq!(SERVED.iter().find(|served| served.key == ApiKey::Produce).map(|served| served.advertised.min), Some(0));
    }
}

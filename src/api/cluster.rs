//! DescribeCluster (60) and FindCoordinator (10): who is there, as told to clients of one listener.

use super::{Begun, Call, Cx, Hangup};
use crate::error::ErrorCode;
use crate::wire::codec::Reader;
use crate::wire::messages::describe_cluster::{DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse};
use crate::wire::messages::find_coordinator::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};

/// Bits of the operations that anybody may do without an authorizer (`AclEntry.supportedOperations`): on a topic read,
/// write, create, delete, alter, describe, describe configs, alter configs.
pub const TOPIC_OPERATIONS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
/// On the cluster create, alter, describe, cluster action, describe configs, alter configs, idempotent write.
pub const CLUSTER_OPERATIONS: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;
/// Not asked for.
pub const UNKNOWN_OPERATIONS: i32 = i32::MIN;

/// This broker, as clients of one listener reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub id: i32,
    pub host: String,
    pub port: i32,
    pub rack: Option<String>,
}

impl Node {
    pub fn advertised(cx: &Cx<'_>) -> Node {
        let config = cx.shard.config();
        let listener = &config.listeners[cx.listener];
        let host = match listener.advertised_host.as_str() {
            "" => millrace_io::blocking::host_name(),
            host => host.to_owned(),
        };
        Node { id: config.node_id.0, host, port: i32::from(listener.advertised_port), rack: config.rack.clone() }
    }
}

// ---- DescribeCluster

pub fn describe(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: DescribeClusterRequest = call.decode(reader)?;
    call.answer(&describe_response(&cx.shard.image().cluster_id, Node::advertised(cx), &request))
}

/// Kafka: `AuthHelper.computeDescribeClusterResponse`. Every broker that clients can see may be told as the controller.
fn describe_response(cluster_id: &str, me: Node, request: &DescribeClusterRequest) -> DescribeClusterResponse {
    let refused = |error_code, message: String| DescribeClusterResponse {
        error_code,
        error_message: Some(message),
        ..DescribeClusterResponse::default()
    };
    match request.endpoint_type {
        1 => DescribeClusterResponse {
            cluster_id: cluster_id.to_owned(),
            controller_id: me.id,
            brokers: vec![DescribeClusterBroker { broker_id: me.id, host: me.host, port: me.port, rack: me.rack, is_fenced: false }],
            cluster_authorized_operations: match request.include_cluster_authorized_operations {
                true => CLUSTER_OPERATIONS,
                false => UNKNOWN_OPERATIONS,
            },
            ..DescribeClusterResponse::default()
        },
        2 => refused(
            ErrorCode::MismatchedEndpointType,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER".to_owned(),
        ),
        other => refused(ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {other}")),
    }
}

// ---- FindCoordinator

/// `FindCoordinatorRequest.CoordinatorType`.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

/// First version with several keys in one request.
const BATCHED: i16 = 4;
/// First version that knows share coordinators.
const SHARE_GROUPS: i16 = 6;

pub fn find_coordinator(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: FindCoordinatorRequest = call.decode(reader)?;
    call.answer(&coordinators(Node::advertised(cx), call.version, request))
}

/// This broker coordinates every group and every transaction.
fn coordinators(me: Node, version: i16, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    let found = match request.key_type {
        GROUP | TRANSACTION => Ok(me),
        SHARE if version >= SHARE_GROUPS => Err((ErrorCode::CoordinatorNotAvailable, "share groups are not served yet".to_owned())),
        other => Err((ErrorCode::InvalidRequest, format!("coordinators of type {other} do not exist in version {version}"))),
    };
    if version < BATCHED {
        return match found {
            // Kafka's sentence for no error is the name of no error.
            Ok(me) => FindCoordinatorResponse {
                error_message: Some("NONE".to_owned()),
                node_id: me.id,
                host: me.host,
                port: me.port,
                ..FindCoordinatorResponse::default()
            },
            Err((error_code, message)) => FindCoordinatorResponse {
                error_code,
                error_message: Some(message),
                node_id: -1,
                port: -1,
                ..FindCoordinatorResponse::default()
            },
        };
    }
    let coordinator = |key| match &found {
        Ok(me) => Coordinator {
            key,
            node_id: me.id,
            host: me.host.clone(),
            port: me.port,
            error_message: Some(String::new()),
            ..Coordinator::default()
        },
        Err((error_code, message)) => Coordinator {
            key,
            node_id: -1,
            port: -1,
            error_code: *error_code,
            error_message: Some(message.clone()),
            ..Coordinator::default()
        },
    };
    FindCoordinatorResponse {
        coordinators: request.coordinator_keys.into_iter().map(coordinator).collect(),
        ..FindCoordinatorResponse::default()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn node() -> Node {
        Node { id: 0, host: "broker.example".into(), port: 9092, rack: Some("r".into()) }
    }

    /// What a Kafka 4.3.1 broker answers to each.
    #[test]
    fn only_the_brokers_endpoint_is_described() {
        let asked = |endpoint_type, operations| {
            let request = DescribeClusterRequest {
                endpoint_type,
                include_cluster_authorized_operations: operations,
                ..DescribeClusterRequest::default()
            };
            describe_response("cid", node(), &request)
        };
        let told = asked(1, true);
        assert_eq!((told.cluster_id.as_str(), told.controller_id, told.brokers.len()), ("cid", 0, 1));
        assert_eq!(told.cluster_authorized_operations, 8096);
        assert_eq!(asked(1, false).cluster_authorized_operations, i32::MIN);
        let told = asked(2, true);
        assert_eq!((told.error_code, told.endpoint_type, told.controller_id), (ErrorCode::MismatchedEndpointType, 1, -1));
        assert_eq!(asked(9, true).error_message.as_deref(), Some("Unsupported endpoint type 9"));
    }

    /// `error node`, in the order of the keys; the first line is what versions before 4 say.
    fn found(version: i16, key_type: i8) -> Vec<(ErrorCode, i32)> {
        let request = FindCoordinatorRequest { key: "k".into(), key_type, coordinator_keys: vec!["k".into(), String::new()] };
        let told = coordinators(node(), version, request);
        let batched = told.coordinators.iter().map(|c| (c.error_code, c.node_id)).collect();
        if version < BATCHED { vec![(told.error_code, told.node_id)] } else { batched }
    }

    #[test]
    fn this_broker_coordinates_groups_and_transactions_and_nothing_else() {
        for key_type in [GROUP, TRANSACTION] {
            assert_eq!(found(3, key_type), [(ErrorCode::None, 0)]);
            assert_eq!(found(4, key_type), [(ErrorCode::None, 0), (ErrorCode::None, 0)]);
        }
        assert_eq!(found(2, 7), [(ErrorCode::InvalidRequest, -1)]);
        assert_eq!(found(5, SHARE)[0], (ErrorCode::InvalidRequest, -1));
        assert_eq!(found(6, SHARE)[0], (ErrorCode::CoordinatorNotAvailable, -1));
        assert_eq!(found(6, 7)[1], (ErrorCode::InvalidRequest, -1));
    }
}

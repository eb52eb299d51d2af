//! Against the crate `kafka-protocol`, which is made from Kafka's definitions by somebody else: every message and version that
//! both know, both ways, with random values.

use bytes::Bytes;
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message};
use millrace::wire::api::ApiKey;
use millrace::wire::header::{RequestHeader, ResponseHeader};
use millrace::wire::{Reader, Writer};

use crate::known::{Known, everything};
use crate::random::{self, Random};
use crate::value::{Style, Value, assert_same};

const ROUNDS: u64 = 60;

struct Peer {
    name: &'static str,
    versions: std::ops::RangeInclusive<i16>,
    /// Header version of a body's version.
    header: fn(i16) -> i16,
    /// What it reads, and how it writes that.
    reread: fn(&[u8], i16) -> (Value, Vec<u8>),
}

macro_rules! peers {
    ($($name:ident),* $(,)?) => {
        fn peers() -> Vec<Peer> {
            vec![$(
                Peer {
                    name: stringify!($name),
                    versions: theirs::$name::VERSIONS.min..=theirs::$name::VERSIONS.max,
                    header: theirs::$name::header_version,
                    reread: |bytes, version| {
                        let mut rest = Bytes::copy_from_slice(bytes);
                        let message = theirs::$name::decode(&mut rest, version).unwrap();
                        assert!(rest.is_empty(), "{} bytes left", rest.len());
                        let mut out = Vec::new();
                        message.encode(&mut out, version).unwrap();
                        (Value::of(&message), out)
                    },
                },
            )*]
        }
    };
}

peers! {
    ProduceRequest,
    ProduceResponse,
    FetchRequest,
    FetchResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    MetadataRequest,
    MetadataResponse,
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetFetchRequest,
    OffsetFetchResponse,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
    JoinGroupRequest,
    JoinGroupResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    LeaveGroupRequest,
    LeaveGroupResponse,
    SyncGroupRequest,
    SyncGroupResponse,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
    ListGroupsRequest,
    ListGroupsResponse,
    SaslHandshakeRequest,
    SaslHandshakeResponse,
    ApiVersionsRequest,
    ApiVersionsResponse,
    CreateTopicsRequest,
    CreateTopicsResponse,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    InitProducerIdRequest,
    InitProducerIdResponse,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddOffsetsToTxnRequest,
    AddOffsetsToTxnResponse,
    EndTxnRequest,
    EndTxnResponse,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
    DescribeAclsRequest,
    DescribeAclsResponse,
    CreateAclsRequest,
    CreateAclsResponse,
    DeleteAclsRequest,
    DeleteAclsResponse,
    DescribeConfigsRequest,
    DescribeConfigsResponse,
    AlterConfigsRequest,
    AlterConfigsResponse,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    SaslAuthenticateRequest,
    SaslAuthenticateResponse,
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    DeleteGroupsRequest,
    DeleteGroupsResponse,
    ElectLeadersRequest,
    ElectLeadersResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
    AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse,
    DescribeClusterRequest,
    DescribeClusterResponse,
    DescribeProducersRequest,
    DescribeProducersResponse,
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
    ListTransactionsRequest,
    ListTransactionsResponse,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
}

/// Versions that the crate does not have. They are held against Kafka's own classes in [`crate::golden`].
const NEWER: &[(&str, i16)] = &[
    ("ApiVersionsRequest", 5),
    ("ApiVersionsResponse", 5),
    ("DescribeLogDirsRequest", 5),
    ("DescribeLogDirsResponse", 5),
    ("InitProducerIdRequest", 6),
    ("ListOffsetsRequest", 11),
    ("ListOffsetsResponse", 11),
    ("OffsetCommitRequest", 10),
    ("OffsetFetchRequest", 10),
    ("WriteTxnMarkersRequest", 2),
    ("WriteTxnMarkersResponse", 2),
];

#[test]
fn every_message_of_every_version_agrees_with_an_independent_codec() {
    let peers = peers();
    let mut newer = Vec::new();
    for known in everything() {
        let peer = peers.iter().find(|peer| peer.name == known.name).unwrap_or_else(|| panic!("no peer for {}", known.name));
        for version in known.versions.clone() {
            if !peer.versions.contains(&version) {
                newer.push((known.name, version));
                continue;
            }
            for round in 0..ROUNDS {
                agree(&known, peer, version, round);
            }
        }
    }
    newer.sort();
    assert_eq!(newer, NEWER);
}

/// Valid bytes are read by both; both read the same values and write the same bytes.
fn agree(known: &Known, peer: &Peer, version: i16, round: u64) {
    let seed = known.seed(version, round);
    let path = format!("{} version {version} seed {seed}", known.name);
    let bytes = random::body(known.fields, version, known.is_flexible(version), &mut Random(seed));
    let ours = (known.decode)(&bytes, version).unwrap_or_else(|e| panic!("{path}: {e}\n{bytes:02x?}"));
    assert_eq!(ours.encode(version), bytes, "{path}: our bytes");
    let (value, written) = (peer.reread)(&bytes, version);
    assert_eq!(written, bytes, "{path}: their bytes");
    assert_same(known.fields, version, &ours.value(), &value, Style::Debug { newest: *peer.versions.end() }, &path);
}

#[test]
fn headers_agree_with_an_independent_codec() {
    for peer in peers() {
        let key = ApiKey::ALL.iter().find(|info| peer.name.starts_with(info.name) && peer.name[info.name.len()..].starts_with("Re"));
        let api_key = key.unwrap().key;
        for api_version in peer.versions.clone() {
            let version = (peer.header)(api_version);
            let mut out = Vec::new();
            if peer.name.ends_with("Request") {
                for client_id in [None, Some("a client")] {
                    out.clear();
                    let header = RequestHeader { api_key, api_version, correlation_id: -7, client_id };
                    header.encode(&mut Writer::new(&mut out));
                    let their = theirs::RequestHeader::decode(&mut Bytes::copy_from_slice(&out), version).unwrap();
                    assert_eq!((their.request_api_key, their.request_api_version), (api_key.code(), api_version));
                    assert_eq!((their.correlation_id, their.client_id.as_deref()), (-7, client_id));
                    let mut written = Vec::new();
                    their.encode(&mut written, version).unwrap();
                    assert_eq!(written, out, "{api_key:?} {api_version}");
                    assert_eq!(RequestHeader::decode(&mut Reader::new(&written)), Ok(header));
                }
            } else {
                let header = ResponseHeader { correlation_id: 12 };
                header.encode(&mut Writer::new(&mut out), api_key, api_version);
                let mut written = Vec::new();
                theirs::ResponseHeader::default().with_correlation_id(12).encode(&mut written, version).unwrap();
                assert_eq!(written, out, "{api_key:?} {api_version}");
                assert_eq!(ResponseHeader::decode(&mut Reader::new(&written), api_key, api_version), Ok(header));
            }
        }
    }
}

//! The answer to a version that is not served, of an API that is.
//!
//! Nobody who asked ApiVersions first gets here. Kafka hangs up; we say why, so that a client which can read it does not
//! try again for ever. The answer has the layout of the nearest version that is served. The error stands where that has an
//! error for the whole; where it has none, on one element that names nothing. The body is not looked at: what it holds in
//! that version is not known.

use super::{Call, Response, api_versions};
use crate::error::ErrorCode;
use crate::types::Uuid;
use crate::wire::api::{ApiKey, Served};
use crate::wire::messages::fetch::{PartitionData, ResponsePart, ResponseWriter};
use crate::wire::messages::{
    alter_configs, alter_replica_log_dirs, create_partitions, create_topics, delete_records, delete_topics, describe_cluster,
    describe_configs, describe_log_dirs, describe_producers, describe_topic_partitions, find_coordinator, incremental_alter_configs,
    init_producer_id, list_config_resources, list_offsets, metadata, offset_for_leader_epoch, produce,
};

const ERROR: ErrorCode = ErrorCode::UnsupportedVersion;

pub fn respond(call: Call, served: &Served) -> Response {
    let nearest = if call.version > served.accepted.max { served.accepted.max } else { served.accepted.min };
    let call = Call { version: nearest, ..call };
    match call.key {
        // In version 0, whatever is nearest: that is how clients find out.
        ApiKey::ApiVersions => Call { version: 0, ..call }.respond(&api_versions::unsupported()),
        ApiKey::Fetch => fetch(call),
        _ => message(call),
    }
}

fn message(call: Call) -> Response {
    match call.key {
        ApiKey::Produce => call.respond(&produce::ProduceResponse {
            responses: vec![produce::TopicProduceResponse {
                partition_responses: vec![produce::PartitionProduceResponse {
                    index: -1,
                    error_code: ERROR,
                    base_offset: -1,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::ListOffsets => call.respond(&list_offsets::ListOffsetsResponse {
            topics: vec![list_offsets::ListOffsetsTopicResponse {
                partitions: vec![list_offsets::ListOffsetsPartitionResponse {
                    partition_index: -1,
                    error_code: ERROR,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::Metadata => call.respond(&metadata::MetadataResponse {
            topics: only_if(call.version < 13, || metadata::MetadataResponseTopic { error_code: ERROR, ..Default::default() }),
            error_code: ERROR,
            ..Default::default()
        }),
        ApiKey::FindCoordinator => call.respond(&find_coordinator::FindCoordinatorResponse {
            error_code: ERROR,
            node_id: -1,
            port: -1,
            coordinators: only_if(call.version >= 4, || find_coordinator::Coordinator {
                node_id: -1,
                port: -1,
                error_code: ERROR,
                ..Default::default()
            }),
            ..Default::default()
        }),
        ApiKey::CreateTopics => call.respond(&create_topics::CreateTopicsResponse {
            topics: vec![create_topics::CreatableTopicResult { error_code: ERROR, ..Default::default() }],
            ..Default::default()
        }),
        ApiKey::DeleteTopics => call.respond(&delete_topics::DeleteTopicsResponse {
            responses: vec![delete_topics::DeletableTopicResult { error_code: ERROR, ..Default::default() }],
            ..Default::default()
        }),
        ApiKey::DeleteRecords => call.respond(&delete_records::DeleteRecordsResponse {
            topics: vec![delete_records::DeleteRecordsTopicResult {
                partitions: vec![delete_records::DeleteRecordsPartitionResult {
                    partition_index: -1,
                    low_watermark: -1,
                    error_code: ERROR,
                }],
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::InitProducerId => {
            call.respond(&init_producer_id::InitProducerIdResponse { error_code: ERROR, producer_epoch: -1, ..Default::default() })
        }
        ApiKey::OffsetForLeaderEpoch => call.respond(&offset_for_leader_epoch::OffsetForLeaderEpochResponse {
            topics: vec![offset_for_leader_epoch::OffsetForLeaderTopicResult {
                partitions: vec![offset_for_leader_epoch::EpochEndOffset { error_code: ERROR, partition: -1, ..Default::default() }],
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::DescribeConfigs => call.respond(&describe_configs::DescribeConfigsResponse {
            results: vec![describe_configs::DescribeConfigsResult { error_code: ERROR, ..Default::default() }],
            ..Default::default()
        }),
        ApiKey::AlterConfigs => call.respond(&alter_configs::AlterConfigsResponse {
            responses: vec![alter_configs::AlterConfigsResourceResponse { error_code: ERROR, ..Default::default() }],
            ..Default::default()
        }),
        ApiKey::AlterReplicaLogDirs => call.respond(&alter_replica_log_dirs::AlterReplicaLogDirsResponse {
            results: vec![alter_replica_log_dirs::AlterReplicaLogDirTopicResult {
                partitions: vec![alter_replica_log_dirs::AlterReplicaLogDirPartitionResult { partition_index: -1, error_code: ERROR }],
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::DescribeLogDirs => call.respond(&describe_log_dirs::DescribeLogDirsResponse {
            error_code: ERROR,
            results: only_if(call.version < 3, || describe_log_dirs::DescribeLogDirsResult { error_code: ERROR, ..Default::default() }),
            ..Default::default()
        }),
        ApiKey::CreatePartitions => call.respond(&create_partitions::CreatePartitionsResponse {
            results: vec![create_partitions::CreatePartitionsTopicResult { error_code: ERROR, ..Default::default() }],
            ..Default::default()
        }),
        ApiKey::IncrementalAlterConfigs => call.respond(&incremental_alter_configs::IncrementalAlterConfigsResponse {
            responses: vec![incremental_alter_configs::AlterConfigsResourceResponse { error_code: ERROR, ..Default::default() }],
            ..Default::default()
        }),
        ApiKey::DescribeCluster => call.respond(&describe_cluster::DescribeClusterResponse { error_code: ERROR, ..Default::default() }),
        ApiKey::DescribeProducers => call.respond(&describe_producers::DescribeProducersResponse {
            topics: vec![describe_producers::TopicResponse {
                partitions: vec![describe_producers::PartitionResponse { partition_index: -1, error_code: ERROR, ..Default::default() }],
                ..Default::default()
            }],
            ..Default::default()
        }),
        ApiKey::ListConfigResources => {
            call.respond(&list_config_resources::ListConfigResourcesResponse { error_code: ERROR, ..Default::default() })
        }
        ApiKey::DescribeTopicPartitions => call.respond(&describe_topic_partitions::DescribeTopicPartitionsResponse {
            topics: vec![describe_topic_partitions::DescribeTopicPartitionsResponseTopic {
                error_code: ERROR,
                name: Some(String::new()),
                ..Default::default()
            }],
            ..Default::default()
        }),
        key => unreachable!("{key:?} is served and cannot say that a version is not"),
    }
}

fn only_if<T>(there: bool, element: impl FnOnce() -> T) -> Vec<T> {
    there.then(element).into_iter().collect()
}

/// First version of a response to Fetch with an error for the whole.
const FETCH_ERROR: i16 = 7;

fn fetch(call: Call) -> Response {
    let mut out = Vec::new();
    let topics = usize::from(call.version < FETCH_ERROR);
    let mut writer = ResponseWriter::new(&mut out, call.version, call.correlation, 0, ERROR, 0, topics);
    if topics > 0 {
        writer.topic("", Uuid::ZERO, 1);
        writer.partition(&PartitionData { partition_index: -1, error_code: ERROR, high_watermark: -1, ..PartitionData::default() }, 0);
    }
    let parts = writer.finish(&[]);
    assert!(parts.iter().all(|part| matches!(part, ResponsePart::Bytes(_))), "no records are told");
    Response::Bytes(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Message;
    use crate::wire::api::SERVED;
    use crate::wire::codec::Reader;
    use crate::wire::frame;
    use crate::wire::header::ResponseHeader;
    use crate::wire::messages as m;

    /// The response, as a client that knows `version` reads it.
    fn read(key: ApiKey, version: i16, response: Response) -> String {
        let Response::Bytes(bytes) = response else { panic!("{key:?} answers in memory") };
        let frame = &bytes[frame::LENGTH_BYTES..];
        assert_eq!(frame.len(), usize::try_from(i32::from_be_bytes(bytes[..4].try_into().unwrap())).unwrap());
        let mut reader = Reader::new(frame);
        let header = ResponseHeader::decode(&mut reader, key, version).unwrap();
        assert_eq!(header.correlation_id, 77);
        macro_rules! body {
            ($($key:ident: $type:ty),* $(,)?) => {
                match key {
                    ApiKey::Fetch => format!("{:?}", m::FetchResponse::decode(&mut reader, version).unwrap()),
                    $(ApiKey::$key => format!("{:?}", <$type>::decode(&mut reader, version).unwrap()),)*
                    _ => unreachable!("{key:?} is not in this test"),
                }
            };
        }
        let body = body! {
            Produce: m::produce::ProduceResponse,
            ListOffsets: m::list_offsets::ListOffsetsResponse,
            Metadata: m::metadata::MetadataResponse,
            FindCoordinator: m::find_coordinator::FindCoordinatorResponse,
            ApiVersions: m::api_versions::ApiVersionsResponse,
            CreateTopics: m::create_topics::CreateTopicsResponse,
            DeleteTopics: m::delete_topics::DeleteTopicsResponse,
            DeleteRecords: m::delete_records::DeleteRecordsResponse,
            InitProducerId: m::init_producer_id::InitProducerIdResponse,
            OffsetForLeaderEpoch: m::offset_for_leader_epoch::OffsetForLeaderEpochResponse,
            DescribeConfigs: m::describe_configs::DescribeConfigsResponse,
            AlterConfigs: m::alter_configs::AlterConfigsResponse,
            AlterReplicaLogDirs: m::alter_replica_log_dirs::AlterReplicaLogDirsResponse,
            DescribeLogDirs: m::describe_log_dirs::DescribeLogDirsResponse,
            CreatePartitions: m::create_partitions::CreatePartitionsResponse,
            IncrementalAlterConfigs: m::incremental_alter_configs::IncrementalAlterConfigsResponse,
            DescribeCluster: m::describe_cluster::DescribeClusterResponse,
            DescribeProducers: m::describe_producers::DescribeProducersResponse,
            ListConfigResources: m::list_config_resources::ListConfigResourcesResponse,
            DescribeTopicPartitions: m::describe_topic_partitions::DescribeTopicPartitionsResponse,
        };
        reader.end().unwrap();
        body
    }

    #[test]
    fn every_api_says_that_it_does_not_know_a_version_in_one_that_it_knows() {
        for served in SERVED {
            let (min, max) = (served.accepted.min, served.accepted.max);
            for (version, nearest) in [(-1, min), (min - 1, min), (max + 1, max), (i16::MAX, max)] {
                let nearest = if served.key == ApiKey::ApiVersions { 0 } else { nearest };
                let told = read(served.key, nearest, respond(Call { key: served.key, version, correlation: 77 }, served));
                assert!(told.contains("UnsupportedVersion"), "{:?} {version}: {told}", served.key);
            }
        }
    }
}

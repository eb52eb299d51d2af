//! Every message, one file per API. The structs that a message is made of stay in its module, because Kafka uses some of their
//! names twice.

pub mod alter_configs;
pub mod alter_replica_log_dirs;
pub mod api_versions;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_topic_partitions;
pub mod fetch;
pub mod find_coordinator;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod list_config_resources;
pub mod list_offsets;
pub mod metadata;
pub mod offset_for_leader_epoch;
pub mod produce;

use super::message::Message;

pub use fetch::FetchResponse;
pub use produce::ProduceRequest;

/// Something that can be done with every type of message.
pub trait Visitor {
    fn visit<M: Message>(&mut self);
}

macro_rules! messages {
    ($($module:ident: $($message:ident),*;)*) => {
        $(pub use $module::{$($message),*};)*

        /// Visits all of them, in order of key, requests first. Two are not [`Message`]s because they borrow from the frame:
        /// [`ProduceRequest`] and [`FetchResponse`].
        pub fn visit_all(visitor: &mut impl Visitor) {
            $($(visitor.visit::<$message>();)*)*
        }
    };
}

messages! {
    produce: ProduceResponse;
    fetch: FetchRequest;
    list_offsets: ListOffsetsRequest, ListOffsetsResponse;
    metadata: MetadataRequest, MetadataResponse;
    find_coordinator: FindCoordinatorRequest, FindCoordinatorResponse;
    api_versions: ApiVersionsRequest, ApiVersionsResponse;
    create_topics: CreateTopicsRequest, CreateTopicsResponse;
    delete_topics: DeleteTopicsRequest, DeleteTopicsResponse;
    delete_records: DeleteRecordsRequest, DeleteRecordsResponse;
    init_producer_id: InitProducerIdRequest, InitProducerIdResponse;
    offset_for_leader_epoch: OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse;
    describe_configs: DescribeConfigsRequest, DescribeConfigsResponse;
    alter_configs: AlterConfigsRequest, AlterConfigsResponse;
    alter_replica_log_dirs: AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse;
    describe_log_dirs: DescribeLogDirsRequest, DescribeLogDirsResponse;
    create_partitions: CreatePartitionsRequest, CreatePartitionsResponse;
    incremental_alter_configs: IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse;
    describe_cluster: DescribeClusterRequest, DescribeClusterResponse;
    describe_producers: DescribeProducersRequest, DescribeProducersResponse;
    list_config_resources: ListConfigResourcesRequest, ListConfigResourcesResponse;
    describe_topic_partitions: DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse;
}

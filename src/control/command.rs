//! What a connection's core asks of the control shard, and what that answers. Plain data.
//!
//! Messages are Kafka's own, decoded and owned, so that the controller's answer is what leaves on the wire. Ask it of
//! [`ShardId`](crate::types::ShardId) 0 with a ticket, as any other ask; exactly one [`Reply`] of the same kind comes back.
//!
//! What is answered without an error is durable, and every shard has applied it: a client that has its answer finds the
//! topic on whichever connection it looks. The exception is a request whose `timeout_ms` passed in between.

use crate::error::ErrorCode;
use crate::types::Uuid;
use crate::wire::messages::create_partitions::CreatePartitionsTopicResult;
use crate::wire::messages::create_topics::CreatableTopicResult;
use crate::wire::messages::delete_topics::DeletableTopicResult;
use crate::wire::messages::{
    AlterConfigsRequest, AlterConfigsResponse, CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest,
    CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
    alter_configs, incremental_alter_configs,
};
use std::ops::Range;

#[derive(Clone, Debug)]
pub enum Command {
    CreateTopics(CreateTopicsRequest),
    DeleteTopics {
        request: DeleteTopicsRequest,
        /// Which error says that deletion is disabled depends on it.
        version: i16,
    },
    CreatePartitions(CreatePartitionsRequest),
    AlterConfigs(AlterConfigsRequest),
    IncrementalAlterConfigs(IncrementalAlterConfigsRequest),
    /// Topics that a client has asked about and that are missing, to be made with the broker's defaults. The asker has
    /// seen to it that `auto.create.topics.enable` and the client allow it.
    AutoCreate(Vec<String>),
    /// The next block of producer ids, for one shard.
    AllocateProducerIds,
}

#[derive(Clone, Debug)]
pub enum Reply {
    CreateTopics(CreateTopicsResponse),
    DeleteTopics(DeleteTopicsResponse),
    CreatePartitions(CreatePartitionsResponse),
    AlterConfigs(AlterConfigsResponse),
    IncrementalAlterConfigs(IncrementalAlterConfigsResponse),
    AutoCreate(Vec<AutoCreated>),
    ProducerIds(Result<Range<i64>, ErrorCode>),
}

/// What became of one name in [`Command::AutoCreate`], in the order asked.
#[derive(Clone, Debug)]
pub struct AutoCreated {
    pub name: String,
    /// `TOPIC_ALREADY_EXISTS` is told as success: somebody else was quicker.
    pub result: Result<Uuid, ErrorCode>,
}

impl Command {
    /// How long its sender waits, in milliseconds; `None`: as long as it takes. Zero and below: no time at all, as Kafka
    /// does it (`ControllerApis`, `KafkaEventQueue`: an event whose deadline is now is not run).
    pub fn timeout_ms(&self) -> Option<i32> {
        match self {
            Command::CreateTopics(request) => Some(request.timeout_ms),
            Command::DeleteTopics { request, .. } => Some(request.timeout_ms),
            Command::CreatePartitions(request) => Some(request.timeout_ms),
            Command::AlterConfigs(_) | Command::IncrementalAlterConfigs(_) | Command::AutoCreate(_) | Command::AllocateProducerIds => None,
        }
    }

    /// The whole of it is refused for one reason: every item is answered with that (Kafka: `getErrorResponse`).
    pub fn refused(&self, error: ErrorCode) -> Reply {
        match self {
            Command::CreateTopics(request) => {
                let topic = |name: &String| CreatableTopicResult { name: name.clone(), error_code: error, ..Default::default() };
                let topics = request.topics.iter().map(|t| topic(&t.name)).collect();
                Reply::CreateTopics(CreateTopicsResponse { topics, ..Default::default() })
            }
            Command::DeleteTopics { request, .. } => {
                let result =
                    |name: Option<String>, topic_id| DeletableTopicResult { name, topic_id, error_code: error, ..Default::default() };
                let by_name = request.topic_names.iter().map(|name| result(Some(name.clone()), Uuid::ZERO));
                let by_state = request.topics.iter().map(|t| result(t.name.clone(), t.topic_id));
                Reply::DeleteTopics(DeleteTopicsResponse { responses: by_name.chain(by_state).collect(), ..Default::default() })
            }
            Command::CreatePartitions(request) => {
                let topic = |name: &String| CreatePartitionsTopicResult { name: name.clone(), error_code: error, ..Default::default() };
                let results = request.topics.iter().map(|t| topic(&t.name)).collect();
                Reply::CreatePartitions(CreatePartitionsResponse { results, ..Default::default() })
            }
            Command::AlterConfigs(request) => {
                let responses = request.resources.iter().map(|r| alter_configs::AlterConfigsResourceResponse {
                    error_code: error,
                    resource_type: r.resource_type,
                    resource_name: r.resource_name.clone(),
                    ..Default::default()
                });
                Reply::AlterConfigs(AlterConfigsResponse { responses: responses.collect(), ..Default::default() })
            }
            Command::IncrementalAlterConfigs(request) => {
                let responses = request.resources.iter().map(|r| incremental_alter_configs::AlterConfigsResourceResponse {
                    error_code: error,
                    resource_type: r.resource_type,
                    resource_name: r.resource_name.clone(),
                    ..Default::default()
                });
                Reply::IncrementalAlterConfigs(IncrementalAlterConfigsResponse { responses: responses.collect(), ..Default::default() })
            }
            Command::AutoCreate(names) => {
                Reply::AutoCreate(names.iter().map(|name| AutoCreated { name: name.clone(), result: Err(error) }).collect())
            }
            Command::AllocateProducerIds => Reply::ProducerIds(Err(error)),
        }
    }
}

//! From a command to the controller's function for it, and from the controller's answers to Kafka's responses.
//!
//! Pure: the image and random numbers are handed in. Everything that is decided is decided in [`crate::metadata`].

use super::command::{AutoCreated, Command, Reply};
use crate::config::alter::Operation;
use crate::config::{Alteration, BrokerConfig, Entry};
use crate::error::{ErrorCode, Refusal};
use crate::metadata::records::Endpoint;
use crate::metadata::{
    Change, Context, CreatedTopic, Decision, DeletedTopic, How, MorePartitions, NewTopic, OldTopic, Record, Registration,
    allocate_producer_ids, alter_configs, auto_created, create_partitions, create_topics, delete_topics,
};
use crate::types::{BrokerId, Uuid};
use crate::wire::messages::create_partitions::CreatePartitionsTopicResult;
use crate::wire::messages::create_topics::{CreatableTopic, CreatableTopicConfigs, CreatableTopicResult};
use crate::wire::messages::delete_topics::DeletableTopicResult;
use crate::wire::messages::{
    AlterConfigsRequest, AlterConfigsResponse, CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest,
    CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
    alter_configs as alter, incremental_alter_configs as increment,
};

/// What is answered once the records are applied everywhere.
pub fn command(cx: &mut Context<'_>, command: &Command) -> (Reply, Vec<Record>) {
    match command {
        Command::CreateTopics(request) => create(cx, request),
        Command::DeleteTopics { request, version } => delete(cx, request, *version),
        Command::CreatePartitions(request) => more_partitions(cx, request),
        Command::AlterConfigs(request) => replace_configs(cx, request),
        Command::IncrementalAlterConfigs(request) => increment_configs(cx, request),
        Command::AutoCreate(names) => auto_create(cx, names),
        Command::AllocateProducerIds => producer_ids(cx),
    }
}

/// How this broker registers itself; `log_dirs` are those that are online.
pub fn registration(config: &BrokerConfig, log_dirs: Vec<Uuid>, incarnation: Uuid) -> Registration {
    let endpoints = config.listeners.iter().map(|listener| Endpoint {
        name: listener.name.clone(),
        host: listener.advertised_host.clone(),
        port: listener.advertised_port,
        security_protocol: listener.protocol.number(),
    });
    Registration { incarnation, endpoints: endpoints.collect(), rack: config.rack.clone(), log_dirs }
}

/// Code and sentence of an answer.
fn told(refusal: Refusal) -> (ErrorCode, Option<String>) {
    (refusal.code, Some(refusal.message).filter(|message| !message.is_empty()))
}

fn told_result(result: Result<(), Refusal>) -> (ErrorCode, Option<String>) {
    result.map_or_else(told, |()| (ErrorCode::None, None))
}

fn create(cx: &mut Context<'_>, request: &CreateTopicsRequest) -> (Reply, Vec<Record>) {
    let topics: Vec<NewTopic> = request.topics.iter().map(new_topic).collect();
    let Decision { records, answers } = create_topics(cx, &topics, request.validate_only);
    let result = |(topic, answer): (NewTopic, Result<CreatedTopic, Refusal>)| match answer {
        Ok(created) => CreatableTopicResult {
            name: topic.name,
            topic_id: created.id,
            num_partitions: created.num_partitions,
            replication_factor: created.replication_factor,
            configs: Some(created.configs.into_iter().map(config).collect()),
            ..Default::default()
        },
        Err(refusal) => {
            let (error_code, error_message) = told(refusal);
            CreatableTopicResult { name: topic.name, error_code, error_message, configs: Some(Vec::new()), ..Default::default() }
        }
    };
    let topics = topics.into_iter().zip(answers).map(result).collect();
    (Reply::CreateTopics(CreateTopicsResponse { topics, ..Default::default() }), records)
}

fn new_topic(topic: &CreatableTopic) -> NewTopic {
    let brokers = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect();
    NewTopic {
        name: topic.name.clone(),
        num_partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignment: topic.assignments.iter().map(|a| (a.partition_index, brokers(&a.broker_ids))).collect(),
        configs: topic.configs.iter().map(|config| (config.name.clone(), config.value.clone())).collect(),
    }
}

fn config(entry: Entry) -> CreatableTopicConfigs {
    CreatableTopicConfigs {
        name: entry.name,
        value: entry.value,
        read_only: entry.read_only,
        config_source: entry.source.number(),
        is_sensitive: entry.sensitive,
    }
}

fn delete(cx: &Context<'_>, request: &DeleteTopicsRequest, version: i16) -> (Reply, Vec<Record>) {
    let by_name = request.topic_names.iter().map(|name| OldTopic { name: Some(name.clone()), id: Uuid::ZERO });
    let by_either = request.topics.iter().map(|topic| OldTopic { name: topic.name.clone(), id: topic.topic_id });
    let topics: Vec<OldTopic> = by_name.chain(by_either).collect();
    let Decision { records, answers } = delete_topics(cx, &topics);
    let result = |DeletedTopic { name, id, result }: DeletedTopic| {
        let (mut error_code, error_message) = told_result(result);
        // Versions 0 to 2 do not know the error (`ControllerApis.deleteTopics`).
        if error_code == ErrorCode::TopicDeletionDisabled && version < 3 {
            error_code = ErrorCode::InvalidRequest;
        }
        DeletableTopicResult { name, topic_id: id, error_code, error_message }
    };
    let responses = answers.into_iter().map(result).collect();
    (Reply::DeleteTopics(DeleteTopicsResponse { responses, ..Default::default() }), records)
}

fn more_partitions(cx: &mut Context<'_>, request: &CreatePartitionsRequest) -> (Reply, Vec<Record>) {
    let brokers = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
    let topics: Vec<MorePartitions> = request
        .topics
        .iter()
        .map(|topic| MorePartitions {
            topic: topic.name.clone(),
            count: topic.count,
            assignment: topic.assignments.as_ref().map(|all| all.iter().map(|one| brokers(&one.broker_ids)).collect()),
        })
        .collect();
    let Decision { records, answers } = create_partitions(cx, &topics, request.validate_only);
    let result = |(topic, answer): (MorePartitions, Result<(), Refusal>)| {
        let (error_code, error_message) = told_result(answer);
        CreatePartitionsTopicResult { name: topic.topic, error_code, error_message }
    };
    let results = topics.into_iter().zip(answers).map(result).collect();
    (Reply::CreatePartitions(CreatePartitionsResponse { results, ..Default::default() }), records)
}

fn replace_configs(cx: &Context<'_>, request: &AlterConfigsRequest) -> (Reply, Vec<Record>) {
    let change = |resource: &alter::AlterConfigsResource| Change {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        how: How::Replace(resource.configs.iter().map(|config| (config.name.clone(), config.value.clone())).collect()),
    };
    let changes: Vec<Change> = request.resources.iter().map(change).collect();
    let Decision { records, answers } = alter_configs(cx, &changes, request.validate_only);
    let result = |(change, answer): (Change, Result<(), Refusal>)| {
        let (error_code, error_message) = told_result(answer);
        let Change { resource_type, resource_name, .. } = change;
        alter::AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name }
    };
    let responses = changes.into_iter().zip(answers).map(result).collect();
    (Reply::AlterConfigs(AlterConfigsResponse { responses, ..Default::default() }), records)
}

fn increment_configs(cx: &Context<'_>, request: &IncrementalAlterConfigsRequest) -> (Reply, Vec<Record>) {
    let change = |resource: &increment::AlterConfigsResource| {
        let alterations: Result<Vec<Alteration>, Refusal> = resource.configs.iter().map(alteration).collect();
        let (resource_type, resource_name) = (resource.resource_type, resource.resource_name.clone());
        alterations.map(|alterations| Change { resource_type, resource_name, how: How::Increment(alterations) })
    };
    let understood: Vec<Result<Change, Refusal>> = request.resources.iter().map(change).collect();
    let changes: Vec<Change> = understood.iter().filter_map(|change| change.clone().ok()).collect();
    let Decision { records, answers } = alter_configs(cx, &changes, request.validate_only);
    let mut answers = answers.into_iter();
    let result = |(resource, understood): (&increment::AlterConfigsResource, Result<Change, Refusal>)| {
        let answer = understood.and_then(|_| answers.next().expect("an answer for each change"));
        let (error_code, error_message) = told_result(answer);
        let (resource_type, resource_name) = (resource.resource_type, resource.resource_name.clone());
        increment::AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name }
    };
    let responses = request.resources.iter().zip(understood).map(result).collect();
    (Reply::IncrementalAlterConfigs(IncrementalAlterConfigsResponse { responses, ..Default::default() }), records)
}

fn alteration(config: &increment::AlterableConfig) -> Result<Alteration, Refusal> {
    let unknown = || Refusal::new(ErrorCode::InvalidRequest, format!("Unknown operations type {}", config.config_operation));
    let operation = Operation::of_number(config.config_operation).ok_or_else(unknown)?;
    Ok(Alteration { name: config.name.clone(), operation, value: config.value.clone() })
}

fn auto_create(cx: &mut Context<'_>, names: &[String]) -> (Reply, Vec<Record>) {
    let topics: Vec<NewTopic> = names.iter().map(|name| auto_created(name, cx.config)).collect();
    let Decision { records, answers } = create_topics(cx, &topics, false);
    let result = |(topic, answer): (NewTopic, Result<CreatedTopic, Refusal>)| {
        let existing = || cx.image.topic_by_name(&topic.name).map(|topic| topic.id);
        let result = answer.map(|created| created.id).or_else(|refusal| existing().ok_or(refusal.code));
        AutoCreated { name: topic.name, result }
    };
    (Reply::AutoCreate(topics.into_iter().zip(answers).map(result).collect()), records)
}

fn producer_ids(cx: &Context<'_>) -> (Reply, Vec<Record>) {
    let epoch = cx.image.broker(cx.image.node).map_or(-1, |broker| broker.epoch);
    match allocate_producer_ids(cx.image, cx.image.node, epoch) {
        Ok((records, ids)) => (Reply::ProducerIds(Ok(ids)), records),
        Err(refusal) => (Reply::ProducerIds(Err(refusal.code)), Vec::new()),
    }
}

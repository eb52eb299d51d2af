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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::World;
    use crate::wire::messages::create_partitions::{CreatePartitionsAssignment, CreatePartitionsTopic};
    use crate::wire::messages::create_topics::CreatableTopicConfig;
    use crate::wire::messages::delete_topics::DeleteTopicState;

    fn world() -> World {
        let mut world = World::new(2);
        world.create("orders", 2);
        world
    }

    fn decide(world: &mut World, asked: &Command) -> Reply {
        let (reply, records) = world.decide(|cx| command(cx, asked));
        world.apply(&records);
        reply
    }

    #[test]
    fn created_topics_are_answered_in_the_order_asked_with_what_they_became() {
        let mut world = world();
        let config = CreatableTopicConfig { name: "retention.ms".into(), value: Some("7".into()) };
        let good =
            CreatableTopic { name: "new".into(), num_partitions: 3, replication_factor: 1, configs: vec![config], ..Default::default() };
        let twin = CreatableTopic { name: "orders".into(), ..good.clone() };
        let request = CreateTopicsRequest { topics: vec![twin, good], timeout_ms: 1, validate_only: false };
        let validate = Command::CreateTopics(CreateTopicsRequest { validate_only: true, ..request.clone() });
        for (asked, exists) in [(validate, false), (Command::CreateTopics(request), true)] {
            let Reply::CreateTopics(response) = decide(&mut world, &asked) else { panic!() };
            let [twin, good] = &response.topics[..] else { panic!() };
            assert_eq!((&*twin.name, twin.error_code), ("orders", ErrorCode::TopicAlreadyExists));
            assert_eq!(twin.error_message.as_deref(), Some("Topic 'orders' already exists."));
            assert_eq!((&*good.name, good.error_code, &good.error_message), ("new", ErrorCode::None, &None));
            assert_eq!((good.num_partitions, good.replication_factor), (3, 1));
            let retention = good.configs.as_ref().unwrap().iter().find(|config| config.name == "retention.ms").unwrap();
            assert_eq!((retention.value.as_deref(), retention.config_source), (Some("7"), 1));
            assert_eq!(world.image.topic_by_name("new").map(|topic| topic.id), exists.then_some(good.topic_id));
        }
    }

    #[test]
    fn topics_are_deleted_by_name_or_by_id() {
        let mut world = world();
        world.create("by-id", 1);
        let id = world.image.topic_by_name("by-id").unwrap().id;
        let topics = vec![DeleteTopicState { name: None, topic_id: id }];
        let request = DeleteTopicsRequest { topics, topic_names: vec!["orders".into(), "none".into()], timeout_ms: 1 };
        let Reply::DeleteTopics(response) = decide(&mut world, &Command::DeleteTopics { request, version: 6 }) else { panic!() };
        let told: Vec<(Option<&str>, ErrorCode)> = response.responses.iter().map(|r| (r.name.as_deref(), r.error_code)).collect();
        let unknown = ErrorCode::UnknownTopicOrPartition;
        assert_eq!(told, [(Some("orders"), ErrorCode::None), (Some("none"), unknown), (Some("by-id"), ErrorCode::None)]);
        assert_eq!(world.image.topics_count(), 0);
    }

    #[test]
    fn old_clients_are_told_in_their_words_that_deletion_is_disabled() {
        let mut world = world();
        world.config.delete_topics = false;
        let request = DeleteTopicsRequest { topic_names: vec!["orders".into()], ..Default::default() };
        for (version, error) in [(2, ErrorCode::InvalidRequest), (3, ErrorCode::TopicDeletionDisabled)] {
            let asked = Command::DeleteTopics { request: request.clone(), version };
            let (Reply::DeleteTopics(response), records) = world.decide(|cx| command(cx, &asked)) else { panic!() };
            assert_eq!((response.responses[0].error_code, records.len()), (error, 0));
        }
    }

    #[test]
    fn partitions_are_added_with_and_without_an_assignment() {
        let mut world = world();
        let more = |count, assignments| CreatePartitionsTopic { name: "orders".into(), count, assignments };
        let on_us = Some(vec![CreatePartitionsAssignment { broker_ids: vec![0] }]);
        for (topic, error, partitions) in [
            (more(3, None), ErrorCode::None, 3),
            (more(4, on_us), ErrorCode::None, 4),
            (more(5, Some(Vec::new())), ErrorCode::InvalidReplicaAssignment, 4),
            (more(4, None), ErrorCode::InvalidPartitions, 4),
        ] {
            let asked = Command::CreatePartitions(CreatePartitionsRequest { topics: vec![topic], timeout_ms: 1, validate_only: false });
            let Reply::CreatePartitions(response) = decide(&mut world, &asked) else { panic!() };
            assert_eq!((&*response.results[0].name, response.results[0].error_code), ("orders", error));
            assert_eq!(world.image.topic_by_name("orders").unwrap().partitions.len(), partitions);
        }
    }

    #[test]
    fn an_alteration_that_is_not_understood_does_not_disturb_the_others() {
        let mut world = world();
        world.create("second", 1);
        let resource = |name: &str, config_operation| increment::AlterConfigsResource {
            resource_type: 2,
            resource_name: name.into(),
            configs: vec![increment::AlterableConfig { name: "retention.ms".into(), config_operation, value: Some("9".into()) }],
        };
        let resources = vec![resource("orders", 4), resource("second", 0)];
        let asked = Command::IncrementalAlterConfigs(IncrementalAlterConfigsRequest { resources, validate_only: false });
        let Reply::IncrementalAlterConfigs(response) = decide(&mut world, &asked) else { panic!() };
        let [bad, good] = &response.responses[..] else { panic!() };
        assert_eq!((&*bad.resource_name, bad.error_code), ("orders", ErrorCode::InvalidRequest));
        assert_eq!(bad.error_message.as_deref(), Some("Unknown operations type 4"));
        assert_eq!((&*good.resource_name, good.error_code), ("second", ErrorCode::None));

        let configs = vec![alter::AlterableConfig { name: "segment.bytes".into(), value: Some("2000000".into()) }];
        let resources = vec![alter::AlterConfigsResource { resource_type: 2, resource_name: "second".into(), configs }];
        let asked = Command::AlterConfigs(AlterConfigsRequest { resources, validate_only: false });
        let Reply::AlterConfigs(response) = decide(&mut world, &asked) else { panic!() };
        assert_eq!(response.responses[0].error_code, ErrorCode::None);
        let set = world.image.overrides(crate::metadata::ResourceType::Topic, "second").unwrap();
        assert_eq!(set.keys().collect::<Vec<_>>(), ["segment.bytes"], "this and nothing else");
    }

    #[test]
    fn a_topic_that_somebody_else_made_first_is_as_good_as_made() {
        let mut world = world();
        let asked = Command::AutoCreate(vec!["orders".into(), "new".into(), "no good".into()]);
        let Reply::AutoCreate(created) = decide(&mut world, &asked) else { panic!() };
        assert_eq!(created[0].result, Ok(world.image.topic_by_name("orders").unwrap().id));
        assert_eq!(created[1].result, Ok(world.image.topic_by_name("new").unwrap().id));
        assert_eq!(created[2].result, Err(ErrorCode::InvalidTopicException));
    }

    #[test]
    fn blocks_of_producer_ids_follow_each_other() {
        let mut world = world();
        for block in [0..1000, 1000..2000] {
            let Reply::ProducerIds(ids) = decide(&mut world, &Command::AllocateProducerIds) else { panic!() };
            assert_eq!(ids, Ok(block));
        }
    }

    #[test]
    fn a_command_that_is_refused_as_a_whole_is_refused_item_by_item() {
        let names = || vec!["a".to_string(), "b".to_string()];
        let request = DeleteTopicsRequest { topic_names: names(), ..Default::default() };
        let Reply::DeleteTopics(response) = (Command::DeleteTopics { request, version: 1 }).refused(ErrorCode::RequestTimedOut) else {
            panic!()
        };
        assert!(response.responses.iter().all(|r| r.error_code == ErrorCode::RequestTimedOut) && response.responses.len() == 2);
        let Reply::AutoCreate(created) = Command::AutoCreate(names()).refused(ErrorCode::NotController) else { panic!() };
        assert_eq!(created.iter().map(|c| (&*c.name, c.result)).collect::<Vec<_>>()[1], ("b", Err(ErrorCode::NotController)));
    }
}

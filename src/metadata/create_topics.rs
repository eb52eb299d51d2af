//! CreateTopics, and the creation of a topic that a client merely asked for.
//!
//! As Kafka's `ControllerApis.createTopics` and `ReplicationControlManager.createTopics` do it, in their words. The checks
//! come in this order, and the first that fails answers for the topic:
//!
//! | check | answer |
//! |---|---|
//! | twice in one request; `__cluster_metadata` | INVALID_REQUEST |
//! | more than 10,000 partitions in the request | POLICY_VIOLATION, for all |
//! | the name | INVALID_TOPIC_EXCEPTION |
//! | it exists | TOPIC_ALREADY_EXISTS |
//! | it would share a metric's name with another | INVALID_TOPIC_EXCEPTION |
//! | its options | INVALID_CONFIG |
//! | an assignment beside a number of partitions or replicas | INVALID_REQUEST |
//! | the assignment | INVALID_REPLICA_ASSIGNMENT |
//! | number of replicas; of partitions | INVALID_REPLICATION_FACTOR; INVALID_PARTITIONS |

use super::assignment::{self, Assignment};
use super::controller::{Context, Decision, PARTITIONS_PER_REQUEST_MAX};
use super::placement::{Load, TopicLoad};
use super::records::{ConfigSet, PartitionCreated, PartitionPlaced, Record, ResourceType, TopicCreated};
use super::topic_name;
use crate::config::{self, BrokerConfig, Entry, Overrides};
use crate::error::{ErrorCode, Refusal};
use crate::types::{BrokerId, Uuid};
use std::collections::BTreeMap;

/// One topic of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTopic {
    pub name: String,
    /// -1: the default, or what the assignment says.
    pub num_partitions: i32,
    /// -1 likewise.
    pub replication_factor: i16,
    /// Partitions with their replicas; empty leaves it to us.
    pub assignment: Vec<(i32, Vec<BrokerId>)>,
    pub configs: Vec<(String, Option<String>)>,
}

/// What CreateTopics answers about a topic that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    pub id: Uuid,
    pub num_partitions: i32,
    pub replication_factor: i16,
    /// All options, as DescribeConfigs would tell them.
    pub configs: Vec<Entry>,
}

pub fn create_topics(cx: &mut Context<'_>, topics: &[NewTopic], validate_only: bool) -> Decision<Result<CreatedTopic, Refusal>> {
    let total: usize = topics.iter().map(|topic| partitions_asked(topic, cx.config)).fold(0, usize::saturating_add);
    if total > PARTITIONS_PER_REQUEST_MAX {
        let refusal = Refusal::new(ErrorCode::PolicyViolation, "Excessively large number of partitions per request.");
        return Decision { records: Vec::new(), answers: topics.iter().map(|_| Err(refusal.clone())).collect() };
    }
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for topic in topics {
        *counts.entry(topic.name.as_str()).or_insert(0) += 1;
    }
    let mut load = Load::of(cx.image, cx.shards);
    let mut names = Names::default();
    let mut records = Vec::new();
    let mut answers = Vec::with_capacity(topics.len());
    for topic in topics {
        let twice = counts[topic.name.as_str()] > 1;
        let made = if twice { Err(invalid_request("Duplicate topic name.")) } else { create_topic(cx, &mut load, &mut names, topic) };
        answers.push(made.map(|(created, made)| {
            records.extend(made);
            created
        }));
    }
    if validate_only {
        records.clear();
    }
    Decision { records, answers }
}

/// What a topic gets that is made because a client asked for it by name: the internal ones what they need, all others the
/// defaults (`DefaultAutoTopicCreationManager`).
pub fn auto_created(name: &str, config: &BrokerConfig) -> NewTopic {
    let option = |name: &str| config.value(name).map(|value| value.to_string());
    let number = |name: &str| option(name).and_then(|text| text.parse::<i32>().ok()).unwrap_or(-1);
    let internal = |prefix: &str, others: &[(&str, &str)]| {
        let mut configs: Vec<(String, Option<String>)> =
            others.iter().map(|(name, value)| (name.to_string(), Some(value.to_string()))).collect();
        configs.push(("cleanup.policy".to_string(), Some("compact".to_string())));
        configs.push(("segment.bytes".to_string(), option(&format!("{prefix}.segment.bytes"))));
        NewTopic {
            name: name.to_string(),
            num_partitions: number(&format!("{prefix}.num.partitions")),
            replication_factor: i16::try_from(number(&format!("{prefix}.replication.factor"))).unwrap_or(-1),
            assignment: Vec::new(),
            configs,
        }
    };
    let min_isr = |name: &str| option(name).unwrap_or_else(|| "1".to_string());
    match name {
        topic_name::GROUP_METADATA => internal("offsets.topic", &[("compression.type", "producer")]),
        topic_name::TRANSACTION_STATE => internal(
            "transaction.state.log",
            &[
                ("compression.type", "uncompressed"),
                ("min.insync.replicas", &min_isr("transaction.state.log.min.isr")),
                ("unclean.leader.election.enable", "false"),
            ],
        ),
        topic_name::SHARE_GROUP_STATE => internal(
            "share.coordinator.state.topic",
            &[
                ("compression.type", "uncompressed"),
                ("min.insync.replicas", &min_isr("share.coordinator.state.topic.min.isr")),
                ("unclean.leader.election.enable", "false"),
            ],
        ),
        _ => NewTopic { name: name.to_string(), num_partitions: -1, replication_factor: -1, ..NewTopic::default() },
    }
}

fn partitions_asked(topic: &NewTopic, config: &BrokerConfig) -> usize {
    match (topic.assignment.len(), topic.num_partitions) {
        (0, -1) => usize::try_from(config.num_partitions).unwrap_or(0),
        (0, partitions) => usize::try_from(partitions).unwrap_or(0),
        (assigned, _) => assigned,
    }
}

/// Names of topics as metrics see them, of the image and of this request.
#[derive(Default)]
struct Names {
    /// Made when the first name comes that could collide.
    by_key: Option<BTreeMap<String, String>>,
}

impl Names {
    /// Another topic whose metrics would have the same name.
    fn collides(&mut self, cx: &Context<'_>, name: &str) -> Option<&str> {
        if !name.contains(['.', '_']) {
            return None;
        }
        let collect = || cx.image.topics().map(|topic| (topic_name::collision_key(&topic.name), topic.name.to_string())).collect();
        let other = self.by_key.get_or_insert_with(collect).get(&topic_name::collision_key(name))?;
        (other != name).then_some(other.as_str())
    }

    fn take(&mut self, name: &str) {
        if let Some(by_key) = &mut self.by_key {
            by_key.insert(topic_name::collision_key(name), name.to_string());
        }
    }
}

fn create_topic(
    cx: &mut Context<'_>,
    load: &mut Load,
    names: &mut Names,
    topic: &NewTopic,
) -> Result<(CreatedTopic, Vec<Record>), Refusal> {
    if topic.name == topic_name::CLUSTER_METADATA {
        return Err(invalid_request("Creation of internal topic __cluster_metadata is prohibited."));
    }
    topic_name::validate(&topic.name).map_err(|why| Refusal::new(ErrorCode::InvalidTopicException, why))?;
    if cx.image.topic_by_name(&topic.name).is_some() {
        return Err(Refusal::new(ErrorCode::TopicAlreadyExists, format!("Topic '{}' already exists.", topic.name)));
    }
    if let Some(other) = names.collides(cx, &topic.name) {
        let why = format!("Topic '{}' collides with existing topic: {other}", topic.name);
        return Err(Refusal::new(ErrorCode::InvalidTopicException, why));
    }
    let overrides = overrides(cx.config, &topic.configs)?;
    let assignments = assignments(cx, load, topic)?;
    names.take(&topic.name);

    let id = Uuid::from_random(&mut *cx.random);
    let mut records = vec![Record::from(TopicCreated { name: topic.name.clone(), topic_id: id })];
    records.extend(overrides.iter().map(|(name, value)| {
        Record::from(ConfigSet {
            resource_type: ResourceType::Topic.number(),
            resource_name: topic.name.clone(),
            name: name.clone(),
            value: Some(value.clone()),
        })
    }));
    let created = CreatedTopic {
        id,
        num_partitions: i32::try_from(assignments.len()).expect("at most 10,000 in a request"),
        replication_factor: assignments.first().map_or(-1, |first| i16::try_from(first.replicas.len()).unwrap_or(i16::MAX)),
        configs: config::describe::topic(&overrides, cx.config, None),
    };
    for (index, assignment) in (0..).zip(assignments) {
        partition_records(cx, id, index, assignment, &mut records);
    }
    Ok((created, records))
}

/// The records of one new partition.
pub(super) fn partition_records(cx: &Context<'_>, topic: Uuid, index: i32, assignment: Assignment, records: &mut Vec<Record>) {
    let numbers = |brokers: &[BrokerId]| brokers.iter().map(|broker| broker.0).collect::<Vec<i32>>();
    records.push(Record::from(PartitionCreated {
        partition_id: index,
        topic_id: topic,
        replicas: numbers(&assignment.replicas),
        isr: numbers(&assignment.isr),
        leader: assignment.isr[0].0,
        leader_epoch: 0,
        partition_epoch: 0,
        directories: assignment.directories,
        ..PartitionCreated::default()
    }));
    // Shard 0 is where a partition is that was not placed.
    if let Some(shard) = assignment.shard.filter(|shard| shard.0 != 0) {
        let placed = PartitionPlaced { topic_id: topic, partition_id: index, broker_id: cx.image.node.0, shard: shard.0 };
        records.push(Record::from(placed));
    }
}

fn overrides(config: &BrokerConfig, configs: &[(String, Option<String>)]) -> Result<Overrides, Refusal> {
    let nulls: Vec<&str> = configs.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str()).collect();
    if !nulls.is_empty() {
        let why = format!("Null value not supported for topic configs: {}", nulls.join(","));
        return Err(Refusal::new(ErrorCode::InvalidConfig, why));
    }
    let overrides = config::alter::replace(configs)?;
    config::alter::check_topic(&overrides, config)?;
    Ok(overrides)
}

fn assignments(cx: &mut Context<'_>, load: &mut Load, topic: &NewTopic) -> Result<Vec<Assignment>, Refusal> {
    let mut topic_load = TopicLoad::of_topic(cx.image, None, cx.shards);
    if !topic.assignment.is_empty() {
        return manual_assignments(load, &mut topic_load, topic);
    }
    if topic.replication_factor < -1 || topic.replication_factor == 0 {
        let why = "Replication factor must be larger than 0, or -1 to use the default value.";
        return Err(Refusal::new(ErrorCode::InvalidReplicationFactor, why));
    }
    if topic.num_partitions < -1 || topic.num_partitions == 0 {
        return Err(Refusal::new(ErrorCode::InvalidPartitions, "Number of partitions was set to an invalid non-positive value."));
    }
    let or_default = |given: i32, default: i32| if given == -1 { default } else { given };
    let partitions = or_default(topic.num_partitions, cx.config.num_partitions);
    let factor = or_default(topic.replication_factor.into(), cx.config.default_replication_factor.into());
    let (partitions, factor) = (usize::try_from(partitions).unwrap_or(1), usize::try_from(factor).unwrap_or(1));
    assignment::automatic(load, &mut topic_load, partitions, factor, (cx.random)())
}

fn manual_assignments(load: &mut Load, topic_load: &mut TopicLoad, topic: &NewTopic) -> Result<Vec<Assignment>, Refusal> {
    if topic.replication_factor != -1 {
        return Err(invalid_request("A manual partition assignment was specified, but replication factor was not set to -1."));
    }
    if topic.num_partitions != -1 {
        return Err(invalid_request("A manual partition assignment was specified, but numPartitions was not set to -1."));
    }
    let mut by_index: BTreeMap<i32, &[BrokerId]> = BTreeMap::new();
    let mut factor = None;
    for (index, replicas) in &topic.assignment {
        if by_index.insert(*index, replicas).is_some() {
            return Err(assignment::invalid(format!("Found multiple manual partition assignments for partition {index}")));
        }
        assignment::validate(load, replicas, factor)?;
        factor = Some(replicas.len());
    }
    if !by_index.keys().copied().eq((0..).take(by_index.len())) {
        return Err(assignment::invalid("partitions should be a consecutive 0-based integer sequence".to_string()));
    }
    by_index.into_iter().map(|(index, replicas)| assignment::manual(load, topic_load, index, replicas)).collect()
}

fn invalid_request(why: &str) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, why)
}

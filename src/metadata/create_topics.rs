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

    let id = unused_id(cx);
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

fn unused_id(cx: &mut Context<'_>) -> Uuid {
    loop {
        let id = Uuid::from_random(&mut *cx.random);
        if cx.image.topic_by_id(id).is_none() {
            return id;
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::World;

    fn topic(name: &str, num_partitions: i32, replication_factor: i16) -> NewTopic {
        NewTopic { name: name.to_string(), num_partitions, replication_factor, ..NewTopic::default() }
    }

    fn assigned(name: &str, assignment: &[(i32, &[i32])]) -> NewTopic {
        let broker_ids = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect();
        let assignment = assignment.iter().map(|(index, replicas)| (*index, broker_ids(replicas))).collect();
        NewTopic { assignment, ..topic(name, -1, -1) }
    }

    fn configured(name: &str, configs: &[(&str, Option<&str>)]) -> NewTopic {
        let configs = configs.iter().map(|(name, value)| (name.to_string(), value.map(str::to_string))).collect();
        NewTopic { configs, ..topic(name, 1, 1) }
    }

    /// `partitions/replicas`, or `CODE sentence`.
    fn shown(answer: &Result<CreatedTopic, Refusal>) -> String {
        match answer {
            Ok(created) => format!("{}/{}", created.num_partitions, created.replication_factor),
            Err(refusal) => format!("{} {}", refusal.code, refusal.message),
        }
    }

    /// Each sentence is what a Kafka 4.3.1 broker answered, but for "or some brokers have all their log directories
    /// cordoned", which cannot be here.
    #[test]
    fn topics_are_refused_in_kafkas_words() {
        let mut world = World::new(2);
        world.create("t", 3);
        world.create("t.a", 1);
        let long = "x".repeat(250);
        for (topic, expected) in [
            (topic("t", 3, 1), "TOPIC_ALREADY_EXISTS Topic 't' already exists."),
            (topic("", 1, 1), "INVALID_TOPIC_EXCEPTION Topic name is invalid: the empty string is not allowed"),
            (topic(".", 1, 1), "INVALID_TOPIC_EXCEPTION Topic name is invalid: '.' is not allowed"),
            (topic("..", 1, 1), "INVALID_TOPIC_EXCEPTION Topic name is invalid: '..' is not allowed"),
            (
                topic("a b", 1, 1),
                "INVALID_TOPIC_EXCEPTION Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
            ),
            (
                topic("é", 1, 1),
                "INVALID_TOPIC_EXCEPTION Topic name is invalid: 'é' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
            ),
            (
                topic(&long, 1, 1),
                &format!("INVALID_TOPIC_EXCEPTION Topic name is invalid: the length of '{long}' is longer than the max allowed length 249"),
            ),
            (topic(&long[1..], 1, 1), "1/1"),
            (topic("t_a", 1, 1), "INVALID_TOPIC_EXCEPTION Topic 't_a' collides with existing topic: t.a"),
            (topic("__consumer_offsets", 1, 1), "1/1"),
            (topic("__cluster_metadata", 1, 1), "INVALID_REQUEST Creation of internal topic __cluster_metadata is prohibited."),
            (topic("p0", 0, 1), "INVALID_PARTITIONS Number of partitions was set to an invalid non-positive value."),
            (topic("pm2", -2, 1), "INVALID_PARTITIONS Number of partitions was set to an invalid non-positive value."),
            (topic("pm1", -1, 1), "1/1"),
            (topic("r0", 1, 0), "INVALID_REPLICATION_FACTOR Replication factor must be larger than 0, or -1 to use the default value."),
            (topic("rm2", 1, -2), "INVALID_REPLICATION_FACTOR Replication factor must be larger than 0, or -1 to use the default value."),
            (topic("rm1", 1, -1), "1/1"),
            (
                topic("r2", 1, 2),
                "INVALID_REPLICATION_FACTOR Unable to replicate the partition 2 time(s): The target replication factor of 2 cannot be reached because only 1 broker(s) are registered.",
            ),
            (topic("big", 10_001, 1), "POLICY_VIOLATION Excessively large number of partitions per request."),
            (topic("big", i32::MAX, 1), "POLICY_VIOLATION Excessively large number of partitions per request."),
            (assigned("m1", &[(0, &[0])]), "1/1"),
            (assigned("m2", &[(1, &[0])]), "INVALID_REPLICA_ASSIGNMENT partitions should be a consecutive 0-based integer sequence"),
            (assigned("m10", &[(-1, &[0])]), "INVALID_REPLICA_ASSIGNMENT partitions should be a consecutive 0-based integer sequence"),
            (
                assigned("m6", &[(0, &[0]), (2, &[0])]),
                "INVALID_REPLICA_ASSIGNMENT partitions should be a consecutive 0-based integer sequence",
            ),
            (assigned("m6", &[(1, &[0]), (0, &[0])]), "2/1"),
            (
                assigned("m6", &[(0, &[0]), (0, &[0])]),
                "INVALID_REPLICA_ASSIGNMENT Found multiple manual partition assignments for partition 0",
            ),
            (
                assigned("m3", &[(0, &[0, 0])]),
                "INVALID_REPLICA_ASSIGNMENT The manual partition assignment includes the broker 0 more than once.",
            ),
            (
                assigned("m4", &[(0, &[7])]),
                "INVALID_REPLICA_ASSIGNMENT The manual partition assignment includes broker 7, but no such broker is registered.",
            ),
            (
                assigned("m7", &[(0, &[0]), (1, &[0, 7])]),
                "INVALID_REPLICA_ASSIGNMENT The manual partition assignment includes broker 7, but no such broker is registered.",
            ),
            (
                assigned("m8", &[(0, &[-1])]),
                "INVALID_REPLICA_ASSIGNMENT The manual partition assignment includes broker -1, but no such broker is registered.",
            ),
            (assigned("m5", &[(0, &[])]), "INVALID_REPLICA_ASSIGNMENT The manual partition assignment includes an empty replica list."),
            (
                NewTopic { num_partitions: 1, ..assigned("m", &[(0, &[0])]) },
                "INVALID_REQUEST A manual partition assignment was specified, but numPartitions was not set to -1.",
            ),
            (
                NewTopic { replication_factor: 1, ..assigned("m", &[(0, &[0])]) },
                "INVALID_REQUEST A manual partition assignment was specified, but replication factor was not set to -1.",
            ),
            (configured("c", &[("nope", Some("1"))]), "INVALID_CONFIG Unknown topic config name: nope"),
            (
                configured("c", &[("message.format.version", Some("3.0"))]),
                "INVALID_CONFIG Unknown topic config name: message.format.version",
            ),
            (configured("c", &[("retention.ms", None)]), "INVALID_CONFIG Null value not supported for topic configs: retention.ms"),
            (
                configured("c", &[("retention.ms", Some("abc"))]),
                "INVALID_CONFIG Invalid value abc for configuration retention.ms: Not a number of type LONG",
            ),
            (
                configured("c", &[("remote.storage.enable", Some("true"))]),
                "INVALID_CONFIG Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
            ),
            (
                configured("c", &[("min.compaction.lag.ms", Some("10")), ("max.compaction.lag.ms", Some("5"))]),
                "INVALID_CONFIG conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)",
            ),
            (configured("c", &[("local.retention.bytes", Some("5")), ("internal.segment.bytes", Some("1000"))]), "1/1"),
        ] {
            let decision = world.decide(|cx| create_topics(cx, std::slice::from_ref(&topic), true));
            assert_eq!(shown(&decision.answers[0]), expected, "{topic:?}");
            assert_eq!(decision.records, [], "validate_only leaves nothing behind");
        }
    }

    #[test]
    fn each_topic_of_a_request_is_judged_for_itself() {
        let mut world = World::new(1);
        let topics = [topic("a", 1, 1), topic("b", 1, 9), topic("a", 2, 1), topic("c.d", 1, 1), topic("c_d", 1, 1), topic("e", 2, 1)];
        let decision = world.decide(|cx| create_topics(cx, &topics, false));
        let codes: Vec<ErrorCode> = decision.answers.iter().map(|a| a.as_ref().err().map_or(ErrorCode::None, |r| r.code)).collect();
        assert_eq!(
            codes,
            [
                ErrorCode::InvalidRequest,
                ErrorCode::InvalidReplicationFactor,
                ErrorCode::InvalidRequest,
                ErrorCode::None,
                ErrorCode::InvalidTopicException,
                ErrorCode::None
            ]
        );
        assert_eq!(decision.answers[0].as_ref().unwrap_err().message, "Duplicate topic name.");
        world.apply(&decision.records);
        assert_eq!(world.image.topics().map(|topic| &*topic.name).collect::<Vec<_>>(), ["c.d", "e"]);
    }

    #[test]
    fn the_limit_of_partitions_is_for_the_request_as_a_whole() {
        let mut world = World::new(1);
        let decision = world.decide(|cx| create_topics(cx, &[topic("a", 9_999, 1), topic("b", 2, 1)], false));
        assert!(decision.answers.iter().all(|answer| answer.as_ref().unwrap_err().code == ErrorCode::PolicyViolation));
        let decision = world.decide(|cx| create_topics(cx, &[topic("a", 9_999, 1), topic("b", 1, 1)], false));
        assert!(decision.answers.iter().all(Result::is_ok));
    }

    #[test]
    fn a_new_topic_has_its_options_and_tells_all_of_them() {
        let mut world = World::new(1);
        let decision = world.decide(|cx| create_topics(cx, &[configured("c", &[("retention.ms", Some(" 5 "))])], false));
        let created = decision.answers[0].as_ref().unwrap();
        let told = created.configs.iter().find(|entry| entry.name == "retention.ms").unwrap();
        assert_eq!((told.value.as_deref(), told.source), (Some("5"), config::Source::Topic));
        assert!(created.configs.len() > 30);
        world.apply(&decision.records);
        assert_eq!(world.image.topic_by_name("c").unwrap().id, created.id);
        assert_eq!(world.image.topic_config("c", &world.config).log.retention_ms, Some(5));
        assert_eq!(world.image.topic_config("nope", &world.config), world.config.topic);
    }

    #[test]
    fn partitions_are_spread_evenly_over_shards_and_log_directories() {
        let mut world = World::new(3);
        for (name, partitions) in [("a", 4), ("b", 1), ("c", 1), ("d", 3)] {
            world.create(name, partitions);
        }
        let on = |name: &str| -> Vec<u16> { world.image.topic_by_name(name).unwrap().partitions.iter().map(|p| p.shard.0).collect() };
        // a: 0 1 2 0; then shard 1 has fewer than shard 0; then 2.
        assert_eq!((on("a"), on("b"), on("c"), on("d")), (vec![0, 1, 2, 0], vec![1], vec![2], vec![0, 1, 2]));
        let mut by_directory: BTreeMap<Uuid, u32> = BTreeMap::new();
        for partition in world.image.topics().flat_map(|topic| &topic.partitions) {
            *by_directory.entry(partition.directory(BrokerId(0)).unwrap()).or_insert(0) += 1;
        }
        assert_eq!(by_directory.into_values().collect::<Vec<_>>(), [5, 4]);
    }

    #[test]
    fn a_log_directory_that_is_offline_gets_no_partition() {
        let mut world = World::new(1);
        world.create("a", 2);
        let failed = world.decide(|cx| crate::metadata::log_dirs_changed(cx.image, &[Uuid([2; 16])]));
        world.apply(&failed);
        world.create("b", 6);
        let mut of_b = world.image.topic_by_name("b").unwrap().partitions.iter().map(|p| p.directory(BrokerId(0)));
        assert!(of_b.all(|directory| directory == Some(Uuid([2; 16]))));
    }

    #[test]
    fn internal_topics_are_made_as_their_coordinators_need_them() {
        let mut world = World::new(1);
        for (name, shown) in [
            ("__consumer_offsets", "50/1 cleanup.policy=compact compression.type=producer segment.bytes=104857600"),
            (
                "__transaction_state",
                "50/1 cleanup.policy=compact compression.type=uncompressed min.insync.replicas=1 segment.bytes=104857600 unclean.leader.election.enable=false",
            ),
            ("anything", "-1/-1 "),
        ] {
            let topic = auto_created(name, &world.config);
            let mut configs: Vec<String> = topic.configs.iter().map(|(name, value)| format!("{name}={}", value.clone().unwrap())).collect();
            configs.sort();
            assert_eq!(format!("{}/{} {}", topic.num_partitions, topic.replication_factor, configs.join(" ")), shown);
            let decision = world.decide(|cx| create_topics(cx, &[topic], false));
            assert!(decision.answers[0].is_ok(), "{:?}", decision.answers[0]);
            world.apply(&decision.records);
        }
        assert!(world.image.topic_by_name("__consumer_offsets").unwrap().is_internal());
        assert!(!world.image.topic_by_name("anything").unwrap().is_internal());
    }
}

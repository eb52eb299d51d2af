//! CreatePartitions: more partitions for topics that exist.
//!
//! As Kafka's `ControllerApis.createPartitions` and `ReplicationControlManager.createPartitions` do it, in their words.

use super::assignment;
use super::controller::{Context, Decision, PARTITIONS_PER_REQUEST_MAX};
use super::create_topics::partition_records;
use super::placement::{Load, TopicLoad};
use super::records::Record;
use crate::error::{ErrorCode, Refusal};
use crate::types::BrokerId;
use std::collections::BTreeMap;

/// One topic of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MorePartitions {
    pub topic: String,
    /// Partitions in the end.
    pub count: i32,
    /// Replicas of each new one; `None` leaves it to us.
    pub assignment: Option<Vec<Vec<BrokerId>>>,
}

pub fn create_partitions(cx: &mut Context<'_>, topics: &[MorePartitions], validate_only: bool) -> Decision<Result<(), Refusal>> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for topic in topics {
        *counts.entry(topic.topic.as_str()).or_insert(0) += 1;
    }
    let mut load = Load::of(cx.image, cx.shards);
    let mut records = Vec::new();
    let mut created = 0;
    let mut answers = Vec::with_capacity(topics.len());
    for topic in topics {
        let twice = counts[topic.topic.as_str()] > 1;
        let made = match twice {
            true => Err(Refusal::new(ErrorCode::InvalidRequest, "Duplicate topic name.")),
            false => more_partitions(cx, &mut load, topic, &mut created),
        };
        answers.push(made.map(|made| records.extend(made)));
    }
    if validate_only {
        records.clear();
    }
    Decision { records, answers }
}

fn more_partitions(cx: &mut Context<'_>, load: &mut Load, more: &MorePartitions, created: &mut usize) -> Result<Vec<Record>, Refusal> {
    let topic = cx.image.topic_by_name(&more.topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let existing = i32::try_from(topic.partitions.len()).expect("partitions are numbered with 31 bits");
    if more.count == existing {
        return Err(Refusal::new(ErrorCode::InvalidPartitions, format!("Topic already has {existing} partition(s).")));
    }
    if more.count < existing {
        let why = format!("The topic {} currently has {existing} partition(s); {} would not be an increase.", more.topic, more.count);
        return Err(Refusal::new(ErrorCode::InvalidPartitions, why));
    }
    let additional = usize::try_from(more.count - existing).expect("an increase");
    if let Some(assignment) = &more.assignment
        && assignment.len() != additional
    {
        return Err(assignment::invalid(format!(
            "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
            assignment.len()
        )));
    }
    // Kafka 4.3 answers UNKNOWN_SERVER_ERROR here, and creates a part of them.
    if additional.saturating_add(*created) > PARTITIONS_PER_REQUEST_MAX {
        return Err(Refusal::new(ErrorCode::PolicyViolation, "Excessively large number of partitions per request."));
    }
    let factor = topic.partitions.first().map_or(1, |first| first.replicas.len());
    let mut topic_load = TopicLoad::of_topic(cx.image, Some(topic), cx.shards);
    let assignments = match &more.assignment {
        Some(manual) => {
            for replicas in manual {
                assignment::validate(load, replicas, Some(factor))?;
            }
            let numbered = (existing..).zip(manual);
            numbered.map(|(index, replicas)| assignment::manual(load, &mut topic_load, index, replicas)).collect::<Result<Vec<_>, _>>()?
        }
        None => assignment::automatic(load, &mut topic_load, additional, factor, (cx.random)())?,
    };
    *created += additional;
    let mut records = Vec::with_capacity(assignments.len());
    for (index, assignment) in (existing..).zip(assignments) {
        partition_records(cx, topic.id, index, assignment, &mut records);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::World;

    fn more(topic: &str, count: i32, assignment: Option<&[&[i32]]>) -> MorePartitions {
        let replicas = |ids: &&[i32]| ids.iter().copied().map(BrokerId).collect();
        let assignment = assignment.map(|assignment| assignment.iter().map(replicas).collect());
        MorePartitions { topic: topic.to_string(), count, assignment }
    }

    /// Each sentence is what a Kafka 4.3.1 broker answered, but for 20,000 partitions: there it answers
    /// UNKNOWN_SERVER_ERROR and creates a part of them.
    #[test]
    fn more_partitions_are_refused_in_kafkas_words() {
        let mut world = World::new(2);
        world.create("t", 3);
        for (more, expected) in [
            (more("t", 3, None), "INVALID_PARTITIONS Topic already has 3 partition(s)."),
            (more("t", 2, None), "INVALID_PARTITIONS The topic t currently has 3 partition(s); 2 would not be an increase."),
            (more("t", 0, None), "INVALID_PARTITIONS The topic t currently has 3 partition(s); 0 would not be an increase."),
            (
                more("t", i32::MIN, None),
                "INVALID_PARTITIONS The topic t currently has 3 partition(s); -2147483648 would not be an increase.",
            ),
            (more("t", 5, None), "ok"),
            (
                more("t", 5, Some(&[&[0]])),
                "INVALID_REPLICA_ASSIGNMENT Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.",
            ),
            (
                more("t", 4, Some(&[&[0], &[0]])),
                "INVALID_REPLICA_ASSIGNMENT Attempted to add 1 additional partition(s), but only 2 assignment(s) were specified.",
            ),
            (
                more("t", 4, Some(&[])),
                "INVALID_REPLICA_ASSIGNMENT Attempted to add 1 additional partition(s), but only 0 assignment(s) were specified.",
            ),
            (
                more("t", 4, Some(&[&[7]])),
                "INVALID_REPLICA_ASSIGNMENT The manual partition assignment includes broker 7, but no such broker is registered.",
            ),
            (
                more("t", 4, Some(&[&[0, 0]])),
                "INVALID_REPLICA_ASSIGNMENT The manual partition assignment includes the broker 0 more than once.",
            ),
            (more("t", 4, Some(&[&[]])), "INVALID_REPLICA_ASSIGNMENT The manual partition assignment includes an empty replica list."),
            (more("t", 4, Some(&[&[0]])), "ok"),
            (more("t", 20_000, None), "POLICY_VIOLATION Excessively large number of partitions per request."),
            (more("t", i32::MAX, None), "POLICY_VIOLATION Excessively large number of partitions per request."),
            (more("nosuch", 5, None), "UNKNOWN_TOPIC_OR_PARTITION "),
        ] {
            let decision = world.decide(|cx| create_partitions(cx, std::slice::from_ref(&more), true));
            let shown =
                decision.answers[0].as_ref().map_or_else(|refusal| format!("{} {}", refusal.code, refusal.message), |()| "ok".into());
            assert_eq!(shown, expected, "{more:?}");
            assert_eq!(decision.records, []);
        }
    }

    #[test]
    fn new_partitions_follow_the_old_ones_where_there_are_fewest() {
        let mut world = World::new(2);
        world.create("t", 1);
        let decision = world.decide(|cx| create_partitions(cx, &[more("t", 4, None), more("u", 2, None)], false));
        assert_eq!(decision.answers[1], Err(Refusal::from(ErrorCode::UnknownTopicOrPartition)));
        world.apply(&decision.records);
        let topic = world.image.topic_by_name("t").unwrap();
        assert_eq!(topic.partitions.iter().map(|p| p.shard.0).collect::<Vec<_>>(), [0, 1, 0, 1]);
        assert_eq!(topic.partitions.iter().map(|p| p.directory(BrokerId(0)).unwrap().0[0]).collect::<Vec<_>>(), [1, 2, 1, 2]);
        let twice = world.decide(|cx| create_partitions(cx, &[more("t", 5, None), more("t", 6, None)], false));
        assert!(twice.answers.iter().all(|answer| answer.as_ref().unwrap_err().message == "Duplicate topic name."));
    }
}

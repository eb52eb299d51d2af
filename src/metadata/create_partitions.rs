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

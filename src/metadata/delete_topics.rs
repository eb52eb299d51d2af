//! DeleteTopics, by name or by id.
//!
//! As Kafka's `ControllerApis.deleteTopics` does it, in its words.

use super::controller::{Context, Decision};
use super::image::Image;
use super::records::{Record, TopicRemoved};
use crate::error::{ErrorCode, Refusal};
use crate::types::Uuid;
use std::collections::BTreeMap;

/// One topic of a request: its name, or its id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OldTopic {
    pub name: Option<String>,
    /// Zero where there is none.
    pub id: Uuid,
}

/// What is known about the topic, and how it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedTopic {
    pub name: Option<String>,
    pub id: Uuid,
    pub result: Result<(), Refusal>,
}

pub fn delete_topics(cx: &Context<'_>, topics: &[OldTopic]) -> Decision<DeletedTopic> {
    let mut seen: BTreeMap<Uuid, u32> = BTreeMap::new();
    for topic in topics.iter().filter_map(|topic| find(cx.image, topic).ok()) {
        *seen.entry(topic.0).or_insert(0) += 1;
    }
    let mut records = Vec::new();
    let mut answers = Vec::with_capacity(topics.len());
    for topic in topics {
        let result = match find(cx.image, topic) {
            _ if !cx.config.delete_topics => Err(Refusal::new(ErrorCode::TopicDeletionDisabled, "Topic deletion is disabled.")),
            Ok((id, _)) if seen[&id] > 1 => {
                let what = if topic.name.is_some() { "name" } else { "id" };
                Err(Refusal::new(ErrorCode::InvalidRequest, format!("Duplicate topic {what}.")))
            }
            other => other,
        };
        answers.push(match result {
            Ok((id, name)) => {
                records.push(Record::from(TopicRemoved { topic_id: id }));
                DeletedTopic { name: Some(name), id, result: Ok(()) }
            }
            Err(refusal) => DeletedTopic { name: topic.name.clone(), id: topic.id, result: Err(refusal) },
        });
    }
    Decision { records, answers }
}

fn find(image: &Image, topic: &OldTopic) -> Result<(Uuid, String), Refusal> {
    let found = match (&topic.name, topic.id) {
        (Some(_), id) if id != Uuid::ZERO => {
            return Err(Refusal::new(ErrorCode::InvalidRequest, "You may not specify both topic name and topic id."));
        }
        (None, Uuid::ZERO) => return Err(Refusal::new(ErrorCode::InvalidRequest, "Neither topic name nor id were specified.")),
        (Some(name), _) => image.topic_by_name(name).ok_or(ErrorCode::UnknownTopicOrPartition)?,
        (None, id) => image.topic_by_id(id).ok_or(ErrorCode::UnknownTopicId)?,
    };
    Ok((found.id, found.name.to_string()))
}

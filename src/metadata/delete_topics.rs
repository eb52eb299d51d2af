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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::ResourceType;
    use crate::metadata::tests::World;

    fn by_name(name: &str) -> OldTopic {
        OldTopic { name: Some(name.to_string()), id: Uuid::ZERO }
    }

    fn by_id(id: Uuid) -> OldTopic {
        OldTopic { name: None, id }
    }

    fn codes(decision: &Decision<DeletedTopic>) -> Vec<ErrorCode> {
        decision.answers.iter().map(|answer| answer.result.as_ref().err().map_or(ErrorCode::None, |refusal| refusal.code)).collect()
    }

    #[test]
    fn topics_go_by_name_or_by_id_and_take_their_options_along() {
        let mut world = World::new(1);
        world.create("a", 1);
        world.create("b", 2);
        let set = super::super::records::ConfigSet {
            resource_type: ResourceType::Topic.number(),
            resource_name: "a".to_string(),
            name: "retention.ms".to_string(),
            value: Some("5".to_string()),
        };
        world.apply(&[Record::from(set)]);
        let (a, b) = (world.image.topic_by_name("a").unwrap().id, world.image.topic_by_name("b").unwrap().id);
        let asked = [by_name("a"), by_id(b), by_name("nosuch"), by_id(Uuid([7; 16])), OldTopic::default()];
        let decision = world.decide(|cx| delete_topics(cx, &asked));
        let expected =
            [ErrorCode::None, ErrorCode::None, ErrorCode::UnknownTopicOrPartition, ErrorCode::UnknownTopicId, ErrorCode::InvalidRequest];
        assert_eq!(codes(&decision), expected);
        assert_eq!((decision.answers[0].id, decision.answers[1].name.as_deref()), (a, Some("b")));
        world.apply(&decision.records);
        assert_eq!((world.image.topics_count(), world.image.partitions_count()), (0, 0));
        world.create("a", 1);
        assert_eq!(world.image.overrides(ResourceType::Topic, "a"), None, "a new topic of an old name starts afresh");
    }

    #[test]
    fn a_topic_that_is_named_twice_is_kept() {
        let mut world = World::new(1);
        world.create("a", 1);
        let id = world.image.topic_by_name("a").unwrap().id;
        let both = OldTopic { name: Some("a".to_string()), id };
        for asked in [[by_name("a"), by_name("a")], [by_name("a"), by_id(id)], [both.clone(), both]] {
            let decision = world.decide(|cx| delete_topics(cx, &asked));
            assert_eq!(codes(&decision), [ErrorCode::InvalidRequest; 2]);
            assert_eq!(decision.records, []);
        }
    }

    #[test]
    fn nothing_is_deleted_where_that_is_off() {
        let mut world = World::new(1);
        world.create("a", 1);
        world.config.delete_topics = false;
        let decision = world.decide(|cx| delete_topics(cx, &[by_name("a"), by_name("nosuch")]));
        assert_eq!(codes(&decision), [ErrorCode::TopicDeletionDisabled; 2]);
        assert_eq!(decision.records, []);
    }
}

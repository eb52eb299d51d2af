//! DescribeTopicPartitions (75): topics in the order of their names, page by page (KIP-966).
//!
//! ```text
//!   a-0 a-1 a-2 │ a-3 b-0 b-1 │ b-2          response_partition_limit = 3
//!               └ next_cursor: (a, 3)
//! ```
//!
//! A page ends before the first partition that does not fit, or before the first topic after it was filled. Kafka:
//! `DescribeTopicPartitionsRequestHandler`, `KRaftMetadataCache.describeTopicResponse`.

use super::cluster::TOPIC_OPERATIONS;
use super::metadata::{Online, ids};
use super::{Begun, Call, Cx, Hangup};
use crate::error::ErrorCode;
use crate::metadata::{Image, Partition, Topic, topic_name};
use crate::wire::codec::Reader;
use crate::wire::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};
use std::collections::BTreeSet;

pub fn begin(cx: &mut Cx<'_>, call: Call, reader: &mut Reader<'_>) -> Result<Begun, Hangup> {
    let request: DescribeTopicPartitionsRequest = call.decode(reader)?;
    let most = cx.shard.config().max_request_partition_size_limit;
    call.answer(&page(cx.shard.image(), most, request))
}

/// `most`: partitions of a page, whatever the client asks for (`max.request.partition.size.limit`).
fn page(image: &Image, most: u32, request: DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let Ok((from, index)) = begins(&request) else { return refused(request, ErrorCode::InvalidRequest) };
    let limit = u32::try_from(request.response_partition_limit).unwrap_or(0).min(most).max(1);
    let mut page = Page { left: limit as usize, response: DescribeTopicPartitionsResponse::default(), online: Online::of(image) };
    let first = |name: &str| if name == from { index } else { 0 };
    if request.topics.is_empty() {
        // Those that do not fit are not looked at.
        for topic in image.topics_from(&from) {
            if !page.add(&topic.name, Some(topic), first(&topic.name)) {
                break;
            }
        }
    } else {
        let names: BTreeSet<&str> = request.topics.iter().map(|topic| topic.name.as_str()).filter(|name| *name >= from.as_str()).collect();
        for name in names {
            if !page.add(name, image.topic_by_name(name), first(name)) {
                break;
            }
        }
    }
    page.response
}

/// Topic and partition with which the page begins.
fn begins(request: &DescribeTopicPartitionsRequest) -> Result<(String, usize), ErrorCode> {
    let Some(cursor) = &request.cursor else { return Ok((String::new(), 0)) };
    let listed = request.topics.is_empty() || request.topics.iter().any(|topic| topic.name == cursor.topic_name);
    let index = usize::try_from(cursor.partition_index).ok().filter(|_| listed).ok_or(ErrorCode::InvalidRequest)?;
    Ok((cursor.topic_name.clone(), index))
}

struct Page<'a> {
    /// Partitions that still fit.
    left: usize,
    response: DescribeTopicPartitionsResponse,
    online: Online<'a>,
}

impl Page<'_> {
    /// The next topic; false once the page is full.
    fn add(&mut self, name: &str, topic: Option<&Topic>, first: usize) -> bool {
        if self.left == 0 {
            self.end_before(name, 0);
            return false;
        }
        let Some(topic) = topic else {
            let valid = topic_name::validate(name).is_ok();
            self.response.topics.push(DescribeTopicPartitionsResponseTopic {
                error_code: if valid { ErrorCode::UnknownTopicOrPartition } else { ErrorCode::InvalidTopicException },
                name: Some(name.to_owned()),
                is_internal: topic_name::is_internal(name),
                topic_authorized_operations: TOPIC_OPERATIONS,
                ..DescribeTopicPartitionsResponseTopic::default()
            });
            return true;
        };
        let online = &self.online;
        let partitions: Vec<_> =
            topic.partitions().skip(first).take(self.left).map(|(index, partition)| told(index, partition, online)).collect();
        let end = first + partitions.len();
        self.left -= partitions.len();
        self.response.topics.push(DescribeTopicPartitionsResponseTopic {
            name: Some(name.to_owned()),
            topic_id: topic.id,
            is_internal: topic.is_internal(),
            partitions,
            topic_authorized_operations: TOPIC_OPERATIONS,
            ..DescribeTopicPartitionsResponseTopic::default()
        });
        if end < topic.partitions.len() {
            self.end_before(name, end);
            return false;
        }
        true
    }

    fn end_before(&mut self, name: &str, index: usize) {
        let partition_index = i32::try_from(index).expect("partitions are numbered by i32");
        self.response.next_cursor = Some(Cursor { topic_name: name.to_owned(), partition_index });
    }
}

fn told(partition_index: i32, partition: &Partition, online: &Online<'_>) -> DescribeTopicPartitionsResponsePartition {
    DescribeTopicPartitionsResponsePartition {
        partition_index,
        leader_id: partition.leader.0,
        leader_epoch: partition.leader_epoch.0,
        replica_nodes: ids(&partition.replicas),
        isr_nodes: ids(&partition.isr),
        eligible_leader_replicas: Some(Vec::new()),
        last_known_elr: Some(Vec::new()),
        offline_replicas: online.offline(partition),
        ..DescribeTopicPartitionsResponsePartition::default()
    }
}

fn refused(request: DescribeTopicPartitionsRequest, error_code: ErrorCode) -> DescribeTopicPartitionsResponse {
    let topics = request.topics.into_iter().map(|topic| DescribeTopicPartitionsResponseTopic {
        error_code,
        name: Some(topic.name),
        ..DescribeTopicPartitionsResponseTopic::default()
    });
    DescribeTopicPartitionsResponse { topics: topics.collect(), ..DescribeTopicPartitionsResponse::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::World;
    use crate::wire::messages::describe_topic_partitions::TopicRequest;

    fn world() -> World {
        let mut world = World::new(2);
        for (name, partitions) in [("t", 3), ("u", 2), ("v", 1)] {
            world.create(name, partitions);
        }
        world
    }

    fn request(limit: i32, cursor: Option<(&str, i32)>, names: &[&str]) -> DescribeTopicPartitionsRequest {
        DescribeTopicPartitionsRequest {
            topics: names.iter().map(|name| TopicRequest { name: name.to_string() }).collect(),
            response_partition_limit: limit,
            cursor: cursor.map(|(topic, partition_index)| Cursor { topic_name: topic.into(), partition_index }),
        }
    }

    /// `topic:partitions …`, then `> topic partition` if there is more; an error stands for the partitions.
    fn shown(world: &World, limit: i32, cursor: Option<(&str, i32)>, names: &[&str]) -> String {
        let told = page(&world.image, 4, request(limit, cursor, names));
        let mut words: Vec<String> = Vec::new();
        for topic in &told.topics {
            let what = match topic.error_code {
                ErrorCode::None => topic.partitions.iter().map(|p| p.partition_index.to_string()).collect::<Vec<_>>().join(","),
                error => error.to_string(),
            };
            words.push(format!("{}:{what}", topic.name.as_deref().unwrap()));
        }
        words.extend(told.next_cursor.map(|cursor| format!("> {} {}", cursor.topic_name, cursor.partition_index)));
        words.join(" ")
    }

    /// What a Kafka 4.3.1 broker answers, but for the limit of 4 partitions a page.
    #[test]
    fn a_page_ends_before_what_does_not_fit() {
        let world = world();
        assert_eq!(shown(&world, 2000, None, &[]), "t:0,1,2 u:0 > u 1");
        assert_eq!(shown(&world, 4, None, &["u", "t"]), "t:0,1,2 u:0 > u 1");
        assert_eq!(shown(&world, 3, None, &["t", "u"]), "t:0,1,2 > u 0");
        assert_eq!(shown(&world, 1, Some(("t", 1)), &["t", "u"]), "t:1 > t 2");
        assert_eq!(shown(&world, 2, Some(("tt", 3)), &[]), "u:0,1 > v 0");
        assert_eq!(shown(&world, 2, Some(("v", 0)), &[]), "v:0");
        assert_eq!(shown(&world, 1, Some(("t", 7)), &["t", "u"]), "t: u:0 > u 1");
        assert_eq!(shown(&world, 1, Some(("t", i32::MAX)), &["t"]), "t:");
        assert_eq!(
            shown(&world, 0, None, &["u", "nope", "bad/name"]),
            "bad/name:INVALID_TOPIC_EXCEPTION nope:UNKNOWN_TOPIC_OR_PARTITION u:0 > u 1"
        );
        assert_eq!(shown(&world, -5, None, &["v", "v"]), "v:0");
    }

    #[test]
    fn a_cursor_that_cannot_be_ours_refuses_the_whole_request() {
        let world = world();
        let refused = "t:INVALID_REQUEST u:INVALID_REQUEST";
        assert_eq!(shown(&world, 1, Some(("s", 1)), &["t", "u"]), refused);
        assert_eq!(shown(&world, 1, Some(("t", -1)), &["t", "u"]), refused);
    }

    #[test]
    fn following_the_cursors_shows_every_partition_once() {
        let world = world();
        for limit in 1..=4 {
            let (mut cursor, mut seen) = (None, Vec::new());
            loop {
                let told = page(&world.image, 4, DescribeTopicPartitionsRequest { cursor, ..request(limit, None, &[]) });
                for topic in told.topics {
                    seen.extend(topic.partitions.iter().map(|p| format!("{}{}", topic.name.as_deref().unwrap(), p.partition_index)));
                }
                cursor = told.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(seen, ["t0", "t1", "t2", "u0", "u1", "v0"], "{limit} a page");
        }
    }
}

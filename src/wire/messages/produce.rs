//! Produce (0): append record batches.
//!
//! The request is a view: names borrow from the frame, and records are told as where in the frame they lie. Nothing of them
//! is copied until they are written to disk.
//!
//! ```text
//!  frame  │ header │ … topic "a" … partition 3 │ batch of a-3 │ partition 4 │ batch of a-4 │ … │
//!                                              └─ records: Some(61..4157) ──┘
//! ```

use std::ops::Range;

use crate::error::ErrorCode;
use crate::types::Uuid;
use crate::wire::codec::{Malformed, Reader, Writer};
use crate::wire::message::message;

/// Versions that can be encoded and decoded. Kafka advertises 0 to 2 too and refuses them; see [`crate::wire::api::SERVED`].
pub const VERSIONS: std::ops::RangeInclusive<i16> = 3..=13;

/// First version with compact lengths and tagged fields.
const FLEXIBLE: i16 = 9;

/// First version that names topics by their id.
const TOPIC_IDS: i16 = 13;

/// `R` is where records are: a range of the frame for the server that decodes, a slice for the client that encodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProduceRequest<'a, R = Range<usize>> {
    pub transactional_id: Option<&'a str>,
    /// 0: no response at all; 1: once the leader has it; -1: once all in-sync replicas have it.
    pub acks: i16,
    pub timeout_ms: i32,
    pub topics: Vec<Topic<'a, R>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topic<'a, R = Range<usize>> {
    /// Empty from version 13 on.
    pub name: &'a str,
    /// Zero before version 13.
    pub topic_id: Uuid,
    pub partitions: Vec<Partition<R>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partition<R = Range<usize>> {
    pub index: i32,
    /// Record batches, unchecked.
    pub records: Option<R>,
}

impl<'a> ProduceRequest<'a> {
    /// Reads a body. The ranges count from the start of what `r` was made of. A version outside of [`VERSIONS`] is malformed.
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<ProduceRequest<'a>, Malformed> {
        if !VERSIONS.contains(&version) {
            return Err(r.malformed("unknown version"));
        }
        let flexible = version >= FLEXIBLE;
        let transactional_id = r.nullable_str(flexible).map_err(|e| e.in_field("transactional_id"))?;
        let acks = r.i16()?;
        let timeout_ms = r.i32()?;
        let topics = array(r, flexible, topic_bytes_min(version), |r| decode_topic(r, version)).map_err(|e| e.in_field("topics"))?;
        if flexible {
            r.skip_tagged_fields()?;
        }
        Ok(ProduceRequest { transactional_id, acks, timeout_ms, topics })
    }
}

fn decode_topic<'a>(r: &mut Reader<'a>, version: i16) -> Result<Topic<'a>, Malformed> {
    let flexible = version >= FLEXIBLE;
    let mut topic = Topic::default();
    if version >= TOPIC_IDS {
        topic.topic_id = r.uuid()?;
    } else {
        topic.name = r.str(flexible).map_err(|e| e.in_field("name"))?;
    }
    let partition_bytes_min = if flexible { 4 + 1 + 1 } else { 4 + 4 };
    topic.partitions = array(r, flexible, partition_bytes_min, |r| {
        let index = r.i32()?;
        let records = r.nullable_range(flexible).map_err(|e| e.in_field("records"))?;
        if flexible {
            r.skip_tagged_fields()?;
        }
        Ok(Partition { index, records })
    })
    .map_err(|e| e.in_field("partitions"))?;
    if flexible {
        r.skip_tagged_fields()?;
    }
    Ok(topic)
}

/// Name or id, an empty array of partitions, no tagged fields.
fn topic_bytes_min(version: i16) -> usize {
    match version {
        TOPIC_IDS.. => 16 + 1 + 1,
        FLEXIBLE.. => 1 + 1 + 1,
        _ => 2 + 4,
    }
}

fn array<'a, T>(
    r: &mut Reader<'a>,
    flexible: bool,
    element_bytes_min: usize,
    mut element: impl FnMut(&mut Reader<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    /// Elements for which memory is set aside unseen; most requests have fewer.
    const RESERVE_MAX: usize = 256;
    let count = r.count(flexible, element_bytes_min)?;
    let mut elements = Vec::with_capacity(count.min(RESERVE_MAX));
    for _ in 0..count {
        elements.push(element(r)?);
    }
    Ok(elements)
}

impl ProduceRequest<'_, &[u8]> {
    /// Writes a body of a version in [`VERSIONS`].
    pub fn encode(&self, w: &mut Writer<'_>, version: i16) {
        assert!(VERSIONS.contains(&version), "ProduceRequest has no version {version}");
        let flexible = version >= FLEXIBLE;
        w.nullable_str(self.transactional_id, flexible);
        w.i16(self.acks);
        w.i32(self.timeout_ms);
        w.count(self.topics.len(), flexible);
        for topic in &self.topics {
            if version >= TOPIC_IDS {
                w.uuid(topic.topic_id);
            } else {
                w.str(topic.name, flexible);
            }
            w.count(topic.partitions.len(), flexible);
            for partition in &topic.partitions {
                w.i32(partition.index);
                w.nullable_bytes(partition.records, flexible);
                if flexible {
                    w.no_tagged_fields();
                }
            }
            if flexible {
                w.no_tagged_fields();
            }
        }
        if flexible {
            w.no_tagged_fields();
        }
    }
}

message! {
    ProduceResponse key 0 versions 3..=13 flexible 9.. {
        responses: Vec<TopicProduceResponse> [0..],
        throttle_time_ms: i32 [1..],
        /// Where the leaders are that `current_leader` names.
        node_endpoints: Vec<NodeEndpoint> [10.., tag 0],
    }
    struct TopicProduceResponse {
        name: String [0..=12],
        topic_id: Uuid [13..],
        partition_responses: Vec<PartitionProduceResponse> [0..],
    }
    struct PartitionProduceResponse {
        index: i32 [0..],
        error_code: ErrorCode [0..],
        base_offset: i64 [0..],
        /// -1 unless the topic stamps records when they are appended.
        log_append_time_ms: i64 [2..] = -1,
        log_start_offset: i64 [5..] = -1,
        /// Which records made the batch be refused.
        record_errors: Vec<BatchIndexAndErrorMessage> [8..],
        error_message: Option<String> [8.., null 8..],
        /// Told with NOT_LEADER_OR_FOLLOWER and its like.
        current_leader: LeaderIdAndEpoch [10.., tag 0],
    }
    struct BatchIndexAndErrorMessage {
        batch_index: i32 [8..],
        batch_index_error_message: Option<String> [8.., null 8..],
    }
    struct LeaderIdAndEpoch {
        leader_id: i32 [10..] = -1,
        leader_epoch: i32 [10..] = -1,
    }
    struct NodeEndpoint {
        node_id: i32 [10..],
        host: String [10..],
        port: i32 [10..],
        rack: Option<String> [10.., null 10..],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_told_as_where_they_lie_in_the_frame() {
        let id = Uuid(*b"0123456789abcdef");
        let topic = |name, topic_id| Topic {
            name,
            topic_id,
            partitions: vec![
                Partition { index: 3, records: Some(&b"batch of three"[..]) },
                Partition { index: 4, records: None },
                Partition { index: 5, records: Some(&b""[..]) },
            ],
        };
        for version in VERSIONS {
            let (name, topic_id) = if version < TOPIC_IDS { ("orders", Uuid::ZERO) } else { ("", id) };
            let request = ProduceRequest {
                transactional_id: (version % 2 == 0).then_some("tx"),
                acks: -1,
                timeout_ms: 1500,
                topics: vec![topic(name, topic_id), topic(name, topic_id)],
            };
            let mut frame = b"some header".to_vec();
            request.encode(&mut Writer::new(&mut frame), version);
            let mut r = Reader::new(&frame);
            r.take(11).unwrap();
            let decoded = ProduceRequest::decode(&mut r, version).unwrap();
            r.end().unwrap();
            assert_eq!((decoded.transactional_id, decoded.acks, decoded.timeout_ms), (request.transactional_id, -1, 1500));
            for (sent, got) in request.topics.iter().zip(&decoded.topics) {
                assert_eq!((sent.name, sent.topic_id), (got.name, got.topic_id));
                for (sent, got) in sent.partitions.iter().zip(&got.partitions) {
                    assert_eq!((sent.index, sent.records), (got.index, got.records.clone().map(|range| &frame[range])));
                }
                assert_eq!(got.partitions.len(), 3);
            }
            assert_eq!(decoded.topics.len(), 2);
        }
    }
}

//! Fetch (1): read record batches; also how followers replicate.
//!
//! A response is mostly records, and those do not pass through here: [`ResponseWriter`] writes what stands between them and
//! notes where each partition's records belong. The shell sends the pieces in order, records from wherever they are.
//!
//! ```text
//!  out    │ length, header, … partition 0 … │ tags, partition 1 … │ tags, tags, tags │
//!  parts  │ Bytes(0..93)                    │ Bytes(93..140)      │ Bytes(140..143)  │
//!                                           ▲                     ▲
//!                             Records { index: 0 }       Records { index: 1 }
//! ```
//!
//! The client's half reads a response as a view: [`FetchResponse`] says where in the frame records lie.

use std::ops::Range;

use crate::error::ErrorCode;
use crate::types::Uuid;
use crate::wire::api::ApiKey;
use crate::wire::codec::{Layout, Malformed, Reader, Wire, Writer};
use crate::wire::frame;
use crate::wire::header::ResponseHeader;
use crate::wire::message::message;

/// Versions that can be encoded and decoded.
pub const VERSIONS: std::ops::RangeInclusive<i16> = 4..=18;

/// First version with compact lengths and tagged fields.
const FLEXIBLE: i16 = 12;

/// First version that names topics by their id.
const TOPIC_IDS: i16 = 13;

message! {
    FetchRequest key 1 versions 4..=18 flexible 12.. {
        /// Set by controllers only.
        cluster_id: Option<String> [12.., null 12.., tag 0],
        /// -1 from a consumer. See [`FetchRequest::replica`].
        replica_id: i32 [0..=14] = -1,
        replica_state: ReplicaState [15.., tag 1],
        max_wait_ms: i32 [0..],
        min_bytes: i32 [0..],
        max_bytes: i32 [3..] = i32::MAX,
        /// 0 reads uncommitted, 1 committed.
        isolation_level: i8 [4..],
        session_id: i32 [7..],
        /// 0 opens a session, -1 closes it or asks for none (KIP-227).
        session_epoch: i32 [7..] = -1,
        topics: Vec<FetchTopic> [0..],
        /// Partitions that leave the session.
        forgotten_topics_data: Vec<ForgottenTopic> [7..],
        rack_id: String [11..],
    }
    struct ReplicaState {
        replica_id: i32 [15..] = -1,
        replica_epoch: i64 [15..] = -1,
    }
    struct FetchTopic {
        topic: String [0..=12],
        topic_id: Uuid [13..],
        partitions: Vec<FetchPartition> [0..],
    }
    struct FetchPartition {
        partition: i32 [0..],
        /// -1 if the client does not know it.
        current_leader_epoch: i32 [9..] = -1,
        fetch_offset: i64 [0..],
        /// Of the last record that a follower has; -1 from a consumer.
        last_fetched_epoch: i32 [12..] = -1,
        /// Of a follower; -1 from a consumer.
        log_start_offset: i64 [5..] = -1,
        partition_max_bytes: i32 [0..],
        replica_directory_id: Uuid [17.., tag 0],
        /// That a follower knows of; the largest number if it knows none.
        high_watermark: i64 [18.., tag 1] = i64::MAX,
    }
    struct ForgottenTopic {
        topic: String [7..=12],
        topic_id: Uuid [13..],
        partitions: Vec<i32> [7..],
    }
}

impl FetchRequest {
    /// Node id and epoch of the follower that asks, wherever the version has them; -1 is a consumer.
    pub fn replica(&self, version: i16) -> ReplicaState {
        match version {
            15.. => self.replica_state.clone(),
            _ => ReplicaState { replica_id: self.replica_id, replica_epoch: -1 },
        }
    }
}

message! {
    /// Where a follower's log parts from the leader's.
    struct EpochEndOffset {
        epoch: i32 [12..] = -1,
        end_offset: i64 [12..] = -1,
    }
    struct LeaderIdAndEpoch {
        leader_id: i32 [12..] = -1,
        leader_epoch: i32 [12..] = -1,
    }
    struct SnapshotId {
        end_offset: i64 [0..] = -1,
        epoch: i32 [0..] = -1,
    }
    struct AbortedTransaction {
        producer_id: i64 [4..],
        first_offset: i64 [4..],
    }
    struct NodeEndpoint {
        node_id: i32 [16..],
        host: String [16..],
        port: i32 [16..],
        rack: Option<String> [16.., null 16..],
    }
}

/// What a response says of a partition, besides its records.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionData {
    pub partition_index: i32,
    pub error_code: ErrorCode,
    pub high_watermark: i64,
    pub last_stable_offset: i64,
    /// -1 before version 5.
    pub log_start_offset: i64,
    /// Version 12 and up; the default is left out, as with the next two.
    pub diverging_epoch: EpochEndOffset,
    pub current_leader: LeaderIdAndEpoch,
    pub snapshot_id: SnapshotId,
    /// `None` when reading uncommitted. In order of offset otherwise.
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    /// -1: stay with the leader. Version 11 and up.
    pub preferred_read_replica: i32,
}

impl Default for PartitionData {
    fn default() -> PartitionData {
        PartitionData {
            partition_index: 0,
            error_code: ErrorCode::None,
            high_watermark: 0,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging_epoch: EpochEndOffset::default(),
            current_leader: LeaderIdAndEpoch::default(),
            snapshot_id: SnapshotId::default(),
            aborted_transactions: None,
            preferred_read_replica: -1,
        }
    }
}

/// A piece of a response, in the order in which they are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponsePart {
    /// Part of the buffer that the response was written into.
    Bytes(Range<usize>),
    /// The records of the `index`-th partition written, of the length that was announced. Never an empty one.
    Records { index: usize, bytes: u32 },
}

/// Writes one response, framed. Topics, their partitions and the end come in this order, as many as were announced:
///
/// `new`, then for each topic `topic` and its `partition`s, then `finish`.
#[derive(Debug)]
pub struct ResponseWriter<'a> {
    out: &'a mut Vec<u8>,
    parts: Vec<ResponsePart>,
    version: i16,
    /// Where the frame starts in `out`.
    start: usize,
    /// Where the bytes start that no part holds yet.
    unsent: usize,
    records_bytes: usize,
    partitions_written: usize,
    topics_due: usize,
    partitions_due: usize,
    /// The topic begun still lacks its end.
    topic_open: bool,
}

impl<'a> ResponseWriter<'a> {
    /// Appends to `out`. `throttle_time_ms`, `error_code` and `session_id` are of the whole response.
    pub fn new(
        out: &'a mut Vec<u8>,
        version: i16,
        correlation_id: i32,
        throttle_time_ms: i32,
        error_code: ErrorCode,
        session_id: i32,
        topics: usize,
    ) -> ResponseWriter<'a> {
        assert!(VERSIONS.contains(&version), "FetchResponse has no version {version}");
        let start = frame::begin(out);
        let mut w = Writer::new(out);
        ResponseHeader { correlation_id }.encode(&mut w, ApiKey::Fetch, version);
        w.i32(throttle_time_ms);
        if version >= 7 {
            w.i16(error_code.code());
            w.i32(session_id);
        }
        w.count(topics, version >= FLEXIBLE);
        ResponseWriter {
            out,
            parts: Vec::new(),
            version,
            start,
            unsent: start,
            records_bytes: 0,
            partitions_written: 0,
            topics_due: topics,
            partitions_due: 0,
            topic_open: false,
        }
    }

    /// The name is used before version 13, the id from there on.
    pub fn topic(&mut self, name: &str, topic_id: Uuid, partitions: usize) {
        self.end_topic();
        self.topics_due = self.topics_due.checked_sub(1).expect("no more topics than announced");
        self.partitions_due = partitions;
        self.topic_open = true;
        let flexible = self.version >= FLEXIBLE;
        let mut w = Writer::new(self.out);
        if self.version >= TOPIC_IDS {
            w.uuid(topic_id);
        } else {
            w.str(name, flexible);
        }
        w.count(partitions, flexible);
    }

    /// One partition of the topic begun last. Its records, `records_bytes` long, follow from elsewhere.
    pub fn partition(&mut self, partition: &PartitionData, records_bytes: u32) {
        self.partitions_due = self.partitions_due.checked_sub(1).expect("no more partitions than announced");
        let version = self.version;
        let layout = layout(version);
        let mut w = Writer::new(self.out);
        w.i32(partition.partition_index);
        w.i16(partition.error_code.code());
        w.i64(partition.high_watermark);
        w.i64(partition.last_stable_offset);
        if version >= 5 {
            w.i64(partition.log_start_offset);
        }
        partition.aborted_transactions.write(&mut w, Layout { nullable: true, ..layout });
        if version >= 11 {
            w.i32(partition.preferred_read_replica);
        }
        let length = usize::try_from(records_bytes).expect("a usize holds 32 bits");
        w.bytes_length(Some(length), layout.flexible);
        if records_bytes > 0 {
            let end = w.position();
            self.parts.push(ResponsePart::Bytes(self.unsent..end));
            self.parts.push(ResponsePart::Records { index: self.partitions_written, bytes: records_bytes });
            self.unsent = end;
            self.records_bytes += length;
        }
        self.partitions_written += 1;
        if layout.flexible {
            let PartitionData { diverging_epoch, current_leader, snapshot_id, .. } = partition;
            let told = (
                *diverging_epoch != EpochEndOffset::default(),
                *current_leader != LeaderIdAndEpoch::default(),
                *snapshot_id != SnapshotId::default(),
            );
            w.uvarint(u32::from(told.0) + u32::from(told.1) + u32::from(told.2));
            if told.0 {
                w.tagged_field(0, |w| diverging_epoch.write(w, layout));
            }
            if told.1 {
                w.tagged_field(1, |w| current_leader.write(w, layout));
            }
            if told.2 {
                w.tagged_field(2, |w| snapshot_id.write(w, layout));
            }
        }
    }

    fn end_topic(&mut self) {
        assert_eq!(self.partitions_due, 0, "as many partitions as announced");
        if self.topic_open && self.version >= FLEXIBLE {
            Writer::new(self.out).no_tagged_fields();
        }
        self.topic_open = false;
    }

    /// Ends the response: its parts, which together are the frame. `node_endpoints` tells where the leaders are that
    /// partitions named (version 16 and up).
    pub fn finish(mut self, node_endpoints: &[NodeEndpoint]) -> Vec<ResponsePart> {
        self.end_topic();
        assert_eq!(self.topics_due, 0, "as many topics as announced");
        let layout = layout(self.version);
        let mut w = Writer::new(self.out);
        if layout.flexible {
            if self.version >= 16 && !node_endpoints.is_empty() {
                w.uvarint(1);
                w.tagged_field(0, |w| {
                    w.count(node_endpoints.len(), true);
                    for endpoint in node_endpoints {
                        endpoint.write(w, layout);
                    }
                });
            } else {
                w.no_tagged_fields();
            }
        }
        let end = w.position();
        if self.unsent < end {
            self.parts.push(ResponsePart::Bytes(self.unsent..end));
        }
        frame::end(self.out, self.start, self.records_bytes);
        self.parts
    }
}

fn layout(version: i16) -> Layout {
    Layout { version, flexible: version >= FLEXIBLE, nullable: false }
}

/// A response as a client reads it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FetchResponse<'a> {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub session_id: i32,
    pub responses: Vec<FetchableTopicResponse<'a>>,
    pub node_endpoints: Vec<NodeEndpoint>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct FetchableTopicResponse<'a> {
    /// Empty from version 13 on.
    pub topic: &'a str,
    /// Zero before version 13.
    pub topic_id: Uuid,
    pub partitions: Vec<FetchedPartition>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct FetchedPartition {
    pub data: PartitionData,
    /// Where in the frame the records lie. The last batch may be cut short.
    pub records: Option<Range<usize>>,
}

impl<'a> FetchResponse<'a> {
    /// Reads a body. The ranges count from the start of what `r` was made of. A version outside of [`VERSIONS`] is malformed.
    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<FetchResponse<'a>, Malformed> {
        if !VERSIONS.contains(&version) {
            return Err(r.malformed("unknown version"));
        }
        let layout = layout(version);
        let mut response = FetchResponse { throttle_time_ms: r.i32()?, ..FetchResponse::default() };
        if version >= 7 {
            response.error_code = ErrorCode::read(r, layout)?;
            response.session_id = r.i32()?;
        }
        let topic_bytes_min = if version >= TOPIC_IDS {
            16 + 1 + 1
        } else if layout.flexible {
            1 + 1 + 1
        } else {
            2 + 4
        };
        for _ in 0..r.count(layout.flexible, topic_bytes_min).map_err(|e| e.in_field("responses"))? {
            response.responses.push(decode_topic(r, version)?);
        }
        if layout.flexible {
            r.tagged_fields(|tag, r| {
                let told = tag == 0 && version >= 16;
                if told {
                    response.node_endpoints = Wire::read(r, layout).map_err(|e| e.in_field("node_endpoints"))?;
                }
                Ok(told)
            })?;
        }
        Ok(response)
    }
}

fn decode_topic<'a>(r: &mut Reader<'a>, version: i16) -> Result<FetchableTopicResponse<'a>, Malformed> {
    let layout = layout(version);
    let mut topic = FetchableTopicResponse::default();
    if version >= TOPIC_IDS {
        topic.topic_id = r.uuid()?;
    } else {
        topic.topic = r.str(layout.flexible).map_err(|e| e.in_field("topic"))?;
    }
    // Index, error code, two offsets, and the lengths of two arrays at least.
    let partition_bytes_min = 4 + 2 + 8 + 8 + 2 * if layout.flexible { 1 } else { 4 };
    for _ in 0..r.count(layout.flexible, partition_bytes_min).map_err(|e| e.in_field("partitions"))? {
        topic.partitions.push(decode_partition(r, version)?);
    }
    if layout.flexible {
        r.skip_tagged_fields()?;
    }
    Ok(topic)
}

fn decode_partition(r: &mut Reader<'_>, version: i16) -> Result<FetchedPartition, Malformed> {
    let layout = layout(version);
    let mut data = PartitionData {
        partition_index: r.i32()?,
        error_code: ErrorCode::read(r, layout)?,
        high_watermark: r.i64()?,
        last_stable_offset: r.i64()?,
        ..PartitionData::default()
    };
    if version >= 5 {
        data.log_start_offset = r.i64()?;
    }
    data.aborted_transactions =
        Wire::read(r, Layout { nullable: true, ..layout }).map_err(|e: Malformed| e.in_field("aborted_transactions"))?;
    if version >= 11 {
        data.preferred_read_replica = r.i32()?;
    }
    let records = r.nullable_range(layout.flexible).map_err(|e| e.in_field("records"))?;
    if layout.flexible {
        r.tagged_fields(|tag, r| {
            match tag {
                0 => data.diverging_epoch = Wire::read(r, layout)?,
                1 => data.current_leader = Wire::read(r, layout)?,
                2 => data.snapshot_id = Wire::read(r, layout)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
    }
    Ok(FetchedPartition { data, records })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes that a client receives.
    fn assembled(out: &[u8], parts: &[ResponsePart], records: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in parts {
            match part {
                ResponsePart::Bytes(range) => bytes.extend_from_slice(&out[range.clone()]),
                ResponsePart::Records { index, bytes: length } => {
                    assert_eq!(records[*index].len(), *length as usize);
                    bytes.extend_from_slice(records[*index]);
                }
            }
        }
        bytes
    }

    #[test]
    fn the_pieces_put_together_are_one_frame_that_a_client_reads() {
        let id = Uuid(*b"0123456789abcdef");
        let records: [&[u8]; 3] = [b"first batch", b"", b"last"];
        for version in VERSIONS {
            let mut out = b"an earlier response".to_vec();
            let mut w = ResponseWriter::new(&mut out, version, 77, 5, ErrorCode::None, if version >= 7 { 9 } else { 0 }, 2);
            let mut data = PartitionData { partition_index: 1, high_watermark: 40, last_stable_offset: 30, ..PartitionData::default() };
            if version >= 12 {
                data.current_leader = LeaderIdAndEpoch { leader_id: 2, leader_epoch: 3 };
            }
            let plain =
                PartitionData { aborted_transactions: Some(vec![AbortedTransaction { producer_id: 1, first_offset: 2 }]), ..data.clone() };
            w.topic("a", id, 2);
            w.partition(&data, 11);
            w.partition(&plain, 0);
            w.topic("b", id, 1);
            w.partition(&data, 4);
            let endpoint = NodeEndpoint { node_id: 2, host: "h".into(), port: 9, rack: None };
            let parts = w.finish(std::slice::from_ref(&endpoint));
            let frame = assembled(&out, &parts, &records);

            let mut r = Reader::new(&frame);
            assert_eq!(r.i32().unwrap() as usize, frame.len() - 4);
            assert_eq!(ResponseHeader::decode(&mut r, ApiKey::Fetch, version).unwrap().correlation_id, 77);
            let response = FetchResponse::decode(&mut r, version).unwrap();
            r.end().unwrap();
            let got: Vec<_> = response.responses.iter().flat_map(|t| &t.partitions).collect();
            assert_eq!(got.iter().map(|p| &p.data).collect::<Vec<_>>(), [&data, &plain, &data]);
            assert_eq!(got.iter().map(|p| &frame[p.records.clone().unwrap()]).collect::<Vec<_>>(), records);
            assert_eq!(response.responses[0].topic, if version < TOPIC_IDS { "a" } else { "" });
            assert_eq!(response.responses[1].topic_id, if version < TOPIC_IDS { Uuid::ZERO } else { id });
            assert_eq!(response.node_endpoints, if version >= 16 { vec![endpoint] } else { vec![] });
        }
    }

    #[test]
    #[should_panic(expected = "as many partitions as announced")]
    fn a_response_that_lacks_an_announced_partition_is_our_bug() {
        let mut out = Vec::new();
        let mut w = ResponseWriter::new(&mut out, 12, 0, 0, ErrorCode::None, 0, 1);
        w.topic("a", Uuid::ZERO, 1);
        w.finish(&[]);
    }
}

//! Everything that the codec knows, without its types: the messages of the macro and the two that are made by hand.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use millrace::error::ErrorCode;
use millrace::wire::messages::fetch::{self, FetchResponse, ResponsePart, ResponseWriter};
use millrace::wire::messages::produce::{self, ProduceRequest};
use millrace::wire::messages::{Visitor, visit_all};
use millrace::wire::schema::Field;
use millrace::wire::{Malformed, Message, Reader, Writer};

use crate::schemas;
use crate::value::Value;

/// One type of message.
pub struct Known {
    pub name: &'static str,
    pub fields: &'static [Field],
    pub versions: RangeInclusive<i16>,
    pub flexible: Option<i16>,
    /// Reads a whole body. Bytes after its end are malformed.
    pub decode: Decode,
}

type Decode = for<'a> fn(&'a [u8], i16) -> Result<Box<dyn Decoded + 'a>, Malformed>;

impl Known {
    pub fn is_flexible(&self, version: i16) -> bool {
        self.flexible.is_some_and(|first| version >= first)
    }

    /// Fixed, and another one for each message, version and round.
    pub fn seed(&self, version: i16, round: u64) -> u64 {
        let name = self.name.bytes().fold(0, |seed: u64, c| seed.wrapping_mul(31).wrapping_add(u64::from(c)));
        name << 24 ^ (version as u64) << 16 ^ round
    }
}

pub trait Decoded {
    fn value(&self) -> Value;
    fn encode(&self, version: i16) -> Vec<u8>;
}

pub fn everything() -> Vec<Known> {
    struct All(Vec<Known>);
    impl Visitor for All {
        fn visit<M: Message>(&mut self) {
            self.0.push(Known {
                name: M::NAME,
                fields: M::FIELDS,
                versions: M::VERSIONS,
                flexible: M::FLEXIBLE,
                decode: |bytes, version| {
                    whole(bytes, |r| M::decode(r, version)).map(|message| Box::new(Plain(message)) as Box<dyn Decoded>)
                },
            });
        }
    }
    let mut all = All(Vec::new());
    visit_all(&mut all);
    all.0.push(Known {
        name: "ProduceRequest",
        fields: schemas::PRODUCE_REQUEST,
        versions: produce::VERSIONS,
        flexible: Some(9),
        decode: |bytes, version| {
            let request = whole(bytes, |r| ProduceRequest::decode(r, version))?;
            Ok(Box::new(Produce { request, frame: bytes }))
        },
    });
    all.0.push(Known {
        name: "FetchResponse",
        fields: schemas::FETCH_RESPONSE,
        versions: fetch::VERSIONS,
        flexible: Some(12),
        decode: |bytes, version| {
            let response = whole(bytes, |r| FetchResponse::decode(r, version))?;
            Ok(Box::new(Fetch { response, frame: bytes }))
        },
    });
    all.0
}

fn whole<'a, T>(bytes: &'a [u8], decode: impl FnOnce(&mut Reader<'a>) -> Result<T, Malformed>) -> Result<T, Malformed> {
    let mut r = Reader::new(bytes);
    let message = decode(&mut r)?;
    r.end()?;
    Ok(message)
}

struct Plain<M>(M);

impl<M: Message> Decoded for Plain<M> {
    fn value(&self) -> Value {
        Value::of(&self.0)
    }

    fn encode(&self, version: i16) -> Vec<u8> {
        let mut out = Vec::new();
        self.0.encode(&mut Writer::new(&mut out), version);
        out
    }
}

struct Produce<'a> {
    request: ProduceRequest<'a>,
    frame: &'a [u8],
}

impl Produce<'_> {
    /// The client's form of what the server read.
    fn with_records(&self) -> ProduceRequest<'_, &[u8]> {
        let request = &self.request;
        let topics = request.topics.iter().map(|topic| produce::Topic {
            name: topic.name,
            topic_id: topic.topic_id,
            partitions: topic
                .partitions
                .iter()
                .map(|p| produce::Partition { index: p.index, records: p.records.clone().map(|range| &self.frame[range]) })
                .collect(),
        });
        ProduceRequest {
            transactional_id: request.transactional_id,
            acks: request.acks,
            timeout_ms: request.timeout_ms,
            topics: topics.collect(),
        }
    }
}

impl Decoded for Produce<'_> {
    fn value(&self) -> Value {
        Value::of(&self.with_records())
    }

    fn encode(&self, version: i16) -> Vec<u8> {
        let mut out = Vec::new();
        self.with_records().encode(&mut Writer::new(&mut out), version);
        out
    }
}

struct Fetch<'a> {
    response: FetchResponse<'a>,
    frame: &'a [u8],
}

impl Decoded for Fetch<'_> {
    /// What stands beside the records in our type stands before them in Kafka's.
    fn value(&self) -> Value {
        fn edit(value: &mut Value, frame: &[u8]) {
            match value {
                Value::List(values) => values.iter_mut().for_each(|value| edit(value, frame)),
                Value::Struct(fields) if fields.first().is_some_and(|(name, _)| name == "data") => {
                    let Some((_, Value::Struct(data))) = fields.drain(..1).next() else { panic!("data is a struct") };
                    if let Some((_, Value::Word(range))) = fields.last_mut() {
                        let (start, end) = range.split_once("..").unwrap();
                        let bytes = &frame[start.parse().unwrap()..end.parse().unwrap()];
                        fields[0].1 = Value::of(&bytes);
                    }
                    fields.splice(..0, data);
                }
                Value::Struct(fields) => fields.iter_mut().for_each(|(_, value)| edit(value, frame)),
                Value::Null | Value::Word(_) | Value::Text(_) => {}
            }
        }
        let mut value = Value::of(&self.response);
        edit(&mut value, self.frame);
        value
    }

    fn encode(&self, version: i16) -> Vec<u8> {
        let FetchResponse { throttle_time_ms, error_code, session_id, responses, node_endpoints } = &self.response;
        let mut out = Vec::new();
        let mut w = ResponseWriter::new(&mut out, version, 7, *throttle_time_ms, *error_code, *session_id, responses.len());
        let mut records = Vec::new();
        for topic in responses {
            w.topic(topic.topic, topic.topic_id, topic.partitions.len());
            for partition in &topic.partitions {
                let bytes = &self.frame[partition.records.clone().unwrap_or_default()];
                w.partition(&partition.data, bytes.len() as u32);
                records.push(bytes);
            }
        }
        let parts = w.finish(node_endpoints);
        let mut whole = Vec::new();
        for part in parts {
            match part {
                ResponsePart::Bytes(range) => whole.extend_from_slice(&out[range]),
                ResponsePart::Records { index, bytes } => {
                    assert_eq!(records[index].len(), bytes as usize);
                    whole.extend_from_slice(records[index]);
                }
            }
        }
        assert_eq!(whole[..4], (whole.len() as i32 - 4).to_be_bytes());
        let header = if version >= 12 { 5 } else { 4 };
        whole.split_off(4 + header)
    }
}

#[test]
fn every_served_api_has_both_its_messages_in_all_versions_served() {
    use millrace::wire::api::{ApiKey, SERVED};
    let all = everything();
    let names: BTreeSet<_> = all.iter().map(|known| known.name).collect();
    assert_eq!(names.len(), all.len(), "no name twice");
    for served in SERVED {
        for half in ["Request", "Response"] {
            let name = format!("{}{half}", served.key.info().name);
            let known = all.iter().find(|known| known.name == name).unwrap_or_else(|| panic!("{name} is missing"));
            assert!(*known.versions.start() <= served.accepted.min && served.accepted.max <= *known.versions.end(), "{name}");
        }
    }
    for known in &all {
        let api = known.name.strip_suffix("Request").or(known.name.strip_suffix("Response")).unwrap();
        let info = ApiKey::ALL.iter().find(|info| info.name == api).unwrap();
        assert_eq!(known.flexible, info.flexible_from, "{}", known.name);
        assert_eq!(known.versions, info.versions.min..=info.versions.max, "{}", known.name);
    }
}

#[test]
fn keys_in_definitions_are_those_of_the_table() {
    struct Keys;
    impl Visitor for Keys {
        fn visit<M: Message>(&mut self) {
            let info = millrace::wire::api::ApiKey::from_code(M::KEY).unwrap().info();
            assert!(M::NAME == format!("{}Request", info.name) || M::NAME == format!("{}Response", info.name), "{}", M::NAME);
        }
    }
    visit_all(&mut Keys);
}

#[test]
fn an_error_code_that_nobody_knows_is_an_unknown_server_error() {
    assert_eq!(ErrorCode::from_code(9999), ErrorCode::UnknownServerError);
}

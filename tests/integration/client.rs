//! A client that says what it is told to, right or wrong.

use crate::broker::PATIENCE;
use millrace::error::ErrorCode;
use millrace::log::batch::{self, HEADER_LEN, crc_holds};
use millrace::log::{BatchBuilder, record};
use millrace::types::{ProducerId, Uuid};
use millrace::wire::api::ApiKey;
use millrace::wire::header::{RequestHeader, ResponseHeader};
use millrace::wire::messages::create_topics::{CreatableTopic, CreatableTopicConfig};
use millrace::wire::messages::fetch::{FetchPartition, FetchTopic, FetchedPartition};
use millrace::wire::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use millrace::wire::messages::produce::{Partition, PartitionProduceResponse, Topic};
use millrace::wire::messages::{
    CreateTopicsRequest, CreateTopicsResponse, FetchRequest, FetchResponse, InitProducerIdRequest, InitProducerIdResponse,
    ListOffsetsRequest, ListOffsetsResponse, ProduceRequest, ProduceResponse,
};
use millrace::wire::{Message, Reader, Writer, frame};
use millrace_io::Error;
use millrace_io::blocking::{self, Stream};
use std::io::ErrorKind;

pub const PRODUCE: i16 = 9;
pub const FETCH: i16 = 11;

pub struct Client {
    pub stream: Stream,
    next: i32,
}

/// A request frame.
pub fn request(key: i16, version: i16, body: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    let api_key = ApiKey::from_code(key).expect("a known key");
    frame::frame(&mut out, |w| {
        RequestHeader { api_key, api_version: version, correlation_id: 7, client_id: Some("test") }.encode(w);
        body(w);
    });
    out
}

impl Client {
    pub fn connect(address: &str) -> Client {
        Client::try_connect(address).unwrap()
    }
    pub fn try_connect(address: &str) -> Result<Client, Error> {
        Ok(Client { stream: Stream::connect(address, PATIENCE)?, next: 0 })
    }

    // ---- raw

    /// What the broker does not want to hear may fail: it has hung up already.
    pub fn say(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Length left out; `None`: it has hung up.
    pub fn hear(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        match self.stream.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) => {
                assert_ne!(error.kind(), ErrorKind::TimedOut, "neither an answer nor the end");
                return None;
            }
        }
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        self.stream.read_exact(&mut frame).unwrap();
        Some(frame)
    }

    #[track_caller]
    pub fn expect_hang_up(&mut self, why: &str) {
        let heard = self.hear();
        assert!(heard.is_none(), "{why}: answered instead of hung up on: {heard:?}");
    }

    // ---- requests

    pub fn send(&mut self, key: ApiKey, version: i16, body: impl FnOnce(&mut Writer<'_>)) -> Result<(), Error> {
        let mut out = Vec::new();
        let correlation_id = self.next;
        self.next += 1;
        frame::frame(&mut out, |w| {
            RequestHeader { api_key: key, api_version: version, correlation_id, client_id: Some("test") }.encode(w);
            body(w);
        });
        self.stream.write_all(&out)
    }

    pub fn receive(&mut self, key: ApiKey, version: i16) -> Result<Vec<u8>, Error> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        self.stream.read_exact(&mut frame)?;
        let mut reader = Reader::new(&frame);
        ResponseHeader::decode(&mut reader, key, version).unwrap();
        let body = reader.position();
        Ok(frame.split_off(body))
    }

    pub fn try_call<M: Message, R: Message>(&mut self, version: i16, message: &M) -> Result<R, Error> {
        let key = ApiKey::from_code(M::KEY).unwrap();
        self.send(key, version, |w| message.encode(w, version))?;
        let body = self.receive(key, version)?;
        let mut reader = Reader::new(&body);
        let response = R::decode(&mut reader, version).unwrap();
        reader.end().unwrap();
        Ok(response)
    }
    pub fn call<M: Message, R: Message>(&mut self, version: i16, message: &M) -> R {
        self.try_call(version, message).unwrap()
    }

    pub fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let configs = configs.iter().map(|(name, value)| CreatableTopicConfig { name: (*name).into(), value: Some((*value).into()) });
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: 1,
            configs: configs.collect(),
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..CreateTopicsRequest::default() };
        let response: CreateTopicsResponse = self.call(7, &request);
        let failed = response.topics.iter().find(|topic| !topic.error_code.is_ok());
        assert!(failed.is_none(), "{failed:?}");
    }

    pub fn producer_id(&mut self) -> Result<(i64, i16), Error> {
        let request = InitProducerIdRequest { transaction_timeout_ms: 60_000, ..InitProducerIdRequest::default() };
        let response: InitProducerIdResponse = self.try_call(4, &request)?;
        assert!(response.error_code.is_ok(), "{}", response.error_code);
        Ok((response.producer_id, response.producer_epoch))
    }

    /// One request with a batch for each of these partitions.
    pub fn try_produce(
        &mut self,
        topic: &str,
        acks: i16,
        batches: &[(i32, Option<&[u8]>)],
    ) -> Result<Vec<PartitionProduceResponse>, Error> {
        self.send_produce(topic, acks, batches)?;
        let body = self.receive(ApiKey::Produce, PRODUCE)?;
        let mut response = ProduceResponse::decode(&mut Reader::new(&body), PRODUCE).unwrap();
        Ok(response.responses.remove(0).partition_responses)
    }
    pub fn produce(&mut self, topic: &str, acks: i16, batches: &[(i32, Option<&[u8]>)]) -> Vec<PartitionProduceResponse> {
        self.try_produce(topic, acks, batches).unwrap()
    }
    pub fn send_produce(&mut self, topic: &str, acks: i16, batches: &[(i32, Option<&[u8]>)]) -> Result<(), Error> {
        let partitions = batches.iter().map(|(index, records)| Partition { index: *index, records: *records });
        let topics = vec![Topic { name: topic, topic_id: Uuid::ZERO, partitions: partitions.collect() }];
        let request = ProduceRequest { transactional_id: None, acks, timeout_ms: 30_000, topics };
        self.send(ApiKey::Produce, PRODUCE, |w| request.encode(w, PRODUCE))
    }

    pub fn fetch_request(topic: &str, partition: i32, fetch_offset: i64, bytes: i32) -> FetchRequest {
        let partitions = vec![FetchPartition { partition, fetch_offset, partition_max_bytes: bytes, ..FetchPartition::default() }];
        FetchRequest {
            max_wait_ms: 10,
            min_bytes: 0,
            max_bytes: bytes,
            topics: vec![FetchTopic { topic: topic.into(), topic_id: Uuid::ZERO, partitions }],
            ..FetchRequest::default()
        }
    }

    /// What one Fetch says of a partition, and its records.
    pub fn fetch(&mut self, request: &FetchRequest) -> (FetchedPartition, Vec<u8>) {
        self.send(ApiKey::Fetch, FETCH, |w| request.encode(w, FETCH)).unwrap();
        let body = self.receive(ApiKey::Fetch, FETCH).unwrap();
        let mut response = FetchResponse::decode(&mut Reader::new(&body), FETCH).unwrap();
        assert!(response.error_code.is_ok(), "{}", response.error_code);
        let partition = response.responses.remove(0).partitions.remove(0);
        let records = partition.records.clone().map_or(Vec::new(), |range| body[range].to_vec());
        (partition, records)
    }

    /// Offset and value of every record of a partition.
    pub fn read_all(&mut self, topic: &str, partition: i32) -> Vec<(i64, Vec<u8>)> {
        let mut found = Vec::new();
        let mut next = self.list_offset(topic, partition, -2);
        let end = self.list_offset(topic, partition, -1);
        while next < end {
            let (partition, bytes) = self.fetch(&Client::fetch_request(topic, partition, next, 4 << 20));
            assert!(partition.data.error_code.is_ok(), "{}", partition.data.error_code);
            let before = next;
            for (header, batch) in batch::batches(&bytes) {
                assert!(crc_holds(batch), "batch {} is damaged", header.base_offset());
                assert!(header.base_offset().0 >= next, "batch {} comes again", header.base_offset());
                for record in record::records(&batch[HEADER_LEN..]) {
                    let record = record.unwrap();
                    found.push((header.base_offset().0 + i64::from(record.offset_delta), record.value.unwrap().to_vec()));
                }
                next = header.end().0;
            }
            assert!(next > before, "nothing at {before}, and the end is {end}");
        }
        found
    }

    pub fn list_offset(&mut self, topic: &str, partition: i32, timestamp: i64) -> i64 {
        let partitions = vec![ListOffsetsPartition { partition_index: partition, timestamp, ..ListOffsetsPartition::default() }];
        let topics = vec![ListOffsetsTopic { name: topic.into(), partitions }];
        let request = ListOffsetsRequest { replica_id: -1, topics, ..ListOffsetsRequest::default() };
        let response: ListOffsetsResponse = self.call(7, &request);
        let partition = &response.topics[0].partitions[0];
        assert_eq!(partition.error_code, ErrorCode::None);
        partition.offset
    }
}

/// One batch of these values.
pub fn batch_of(values: &[&[u8]]) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for value in values {
        builder.push(blocking::wall(), None, Some(value));
    }
    builder.build()
}

/// The same, of an idempotent producer.
pub fn batch_of_producer(producer: (i64, i16), sequence: i32, values: &[Vec<u8>]) -> Vec<u8> {
    let mut builder = BatchBuilder::new().producer(ProducerId(producer.0), producer.1, sequence);
    for value in values {
        builder.push(blocking::wall(), None, Some(value));
    }
    builder.build()
}

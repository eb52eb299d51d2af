//! Making batches: what a producer does, for our own command line, load generator and tests.

use crate::log::CompressionConfig;
use crate::log::batch::{HEADER_LEN, Header, LENGTH_OVERHEAD, MAGIC};
use crate::log::{compress, record};
use crate::types::{Offset, ProducerId, Timestamp};
use zerocopy::{FromZeros, IntoBytes};

/// Name and value of one header of a record.
pub type HeaderOf<'a> = (&'a [u8], Option<&'a [u8]>);

/// A batch being filled with records.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: Header,
    body: Vec<u8>,
    record: Vec<u8>,
    count: i32,
}

impl Default for BatchBuilder {
    fn default() -> BatchBuilder {
        BatchBuilder::new()
    }
}

impl BatchBuilder {
    pub fn new() -> BatchBuilder {
        let mut header = Header::new_zeroed();
        header.magic = MAGIC;
        header.partition_leader_epoch.set(-1);
        header.producer_id.set(ProducerId::NONE.0);
        header.producer_epoch.set(-1);
        header.base_sequence.set(-1);
        header.base_timestamp.set(Timestamp::NONE.0);
        header.max_timestamp.set(Timestamp::NONE.0);
        BatchBuilder { header, body: Vec::new(), record: Vec::new(), count: 0 }
    }

    /// Of an idempotent producer.
    pub fn producer(mut self, id: ProducerId, epoch: i16, base_sequence: i32) -> BatchBuilder {
        self.header.producer_id.set(id.0);
        self.header.producer_epoch.set(epoch);
        self.header.base_sequence.set(base_sequence);
        self
    }
    /// Anything but 0 is for batches that a leader has numbered.
    pub fn base_offset(mut self, offset: Offset) -> BatchBuilder {
        self.header.base_offset.set(offset.0);
        self
    }
    pub fn attributes(mut self, bits: i16) -> BatchBuilder {
        self.header.attributes.set(self.header.attributes.get() | bits);
        self
    }

    pub fn record(self, timestamp: Timestamp, key: Option<&[u8]>, value: Option<&[u8]>) -> BatchBuilder {
        self.record_with(timestamp, key, value, &[])
    }

    pub fn record_with(mut self, timestamp: Timestamp, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[HeaderOf<'_>]) -> BatchBuilder {
        if self.count == 0 {
            self.header.base_timestamp.set(timestamp.0);
        }
        self.header.max_timestamp.set(self.header.max_timestamp.get().max(timestamp.0));
        self.record.clear();
        self.record.push(0);
        record::put_varlong(timestamp.0.wrapping_sub(self.header.base_timestamp.get()), &mut self.record);
        record::put_varint(self.count, &mut self.record);
        put_bytes(key, &mut self.record);
        put_bytes(value, &mut self.record);
        record::put_varint(len(headers), &mut self.record);
        for (name, value) in headers {
            put_bytes(Some(name), &mut self.record);
            put_bytes(*value, &mut self.record);
        }
        record::put_varint(len(&self.record), &mut self.body);
        self.body.extend_from_slice(&self.record);
        self.count += 1;
        self
    }

    /// Records so far.
    pub fn len(&self) -> usize {
        usize::try_from(self.count).expect("counts up from 0")
    }
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
    /// Bytes of the batch so far, before compression.
    pub fn bytes(&self) -> usize {
        HEADER_LEN + self.body.len()
    }

    /// The batch. `how` is its codec.
    pub fn finish(mut self, how: CompressionConfig) -> Vec<u8> {
        let mut body = Vec::new();
        compress::compress(how, &self.body, &mut body);
        self.header.set_codec(compress::target(how, crate::log::batch::Codec::None));
        self.header.records_count.set(self.count);
        self.header.last_offset_delta.set(self.count - 1);
        self.header.length.set(i32::try_from(HEADER_LEN - LENGTH_OVERHEAD + body.len()).expect("a batch has less than 2 GiB"));
        self.header.seal(&body);
        let mut batch = self.header.as_bytes().to_vec();
        batch.extend_from_slice(&body);
        batch
    }
}

fn len<T>(of: &[T]) -> i32 {
    i32::try_from(of.len()).expect("a record has less than 2 GiB")
}

fn put_bytes(bytes: Option<&[u8]>, into: &mut Vec<u8>) {
    match bytes {
        None => record::put_varint(-1, into),
        Some(bytes) => {
            record::put_varint(len(bytes), into);
            into.extend_from_slice(bytes);
        }
    }
}

//! Building a batch: the producer's half, for our own command line, load generator and tests.

use crate::log::batch::{Codec, HEADER_LEN, Header, LENGTH_OVERHEAD, MAGIC};
use crate::log::record::{put_varint, put_varlong};
use crate::log::{CompressionConfig, compress};
use crate::types::{Offset, ProducerId, Timestamp};
use zerocopy::{FromZeros, IntoBytes};

/// Name and value of one header of a record.
pub type RecordHeader<'a> = (&'a [u8], Option<&'a [u8]>);

/// Records that will be one batch of format v2, offsets counting from 0.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: Header,
    records: Vec<u8>,
    count: i32,
    /// One record, before its length is known.
    record: Vec<u8>,
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
        BatchBuilder { header, records: Vec::new(), count: 0, record: Vec::new() }
    }

    /// Makes the batch part of an idempotent producer's sequence, which begins with `sequence`.
    pub fn producer(mut self, id: ProducerId, epoch: i16, sequence: i32) -> BatchBuilder {
        self.header.producer_id.set(id.0);
        self.header.producer_epoch.set(epoch);
        self.header.base_sequence.set(sequence);
        self
    }
    /// Of the first record; anything but 0 is for batches that a leader has numbered.
    pub fn base_offset(mut self, offset: Offset) -> BatchBuilder {
        self.header.base_offset.set(offset.0);
        self
    }
    /// Sets bits of the attributes: transactional 0x10, control 0x20.
    pub fn attributes(mut self, bits: i16) -> BatchBuilder {
        self.header.attributes.set(self.header.attributes.get() | bits);
        self
    }

    pub fn push(&mut self, timestamp: Timestamp, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.push_with(timestamp, key, value, &[]);
    }

    pub fn push_with(&mut self, timestamp: Timestamp, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[RecordHeader<'_>]) {
        if self.count == 0 {
            self.header.base_timestamp.set(timestamp.0);
            self.header.max_timestamp.set(timestamp.0);
        }
        self.header.max_timestamp.set(self.header.max_timestamp.get().max(timestamp.0));
        let record = &mut self.record;
        record.clear();
        record.push(0);
        put_varlong(timestamp.0.wrapping_sub(self.header.base_timestamp.get()), record);
        put_varint(self.count, record);
        put_bytes(key, record);
        put_bytes(value, record);
        put_varint(length(headers.len()), record);
        for (name, value) in headers {
            put_bytes(Some(name), record);
            put_bytes(*value, record);
        }
        put_varint(length(record.len()), &mut self.records);
        self.records.extend_from_slice(&self.record);
        self.count += 1;
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
    /// Bytes of the batch if it were built now, uncompressed.
    pub fn bytes(&self) -> usize {
        HEADER_LEN + self.records.len()
    }

    pub fn build(&self) -> Vec<u8> {
        self.build_with(CompressionConfig::Uncompressed)
    }

    /// The batch, compressed so.
    pub fn build_with(&self, how: CompressionConfig) -> Vec<u8> {
        let mut batch = vec![0; HEADER_LEN];
        compress::compress(how, &self.records, &mut batch);
        let mut header = self.header;
        header.set_codec(compress::target(how, Codec::None));
        header.length.set(length(batch.len() - LENGTH_OVERHEAD));
        header.last_offset_delta.set(self.count - 1);
        header.records_count.set(self.count);
        header.seal(&batch[HEADER_LEN..]);
        batch[..HEADER_LEN].copy_from_slice(header.as_bytes());
        batch
    }
}

fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).expect("a batch has 31 bits of length")
}

fn put_bytes(bytes: Option<&[u8]>, into: &mut Vec<u8>) {
    match bytes {
        None => put_varint(-1, into),
        Some(bytes) => {
            put_varint(length(bytes.len()), into);
            into.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::batch::crc_holds;
    use crate::log::record::records;

    #[test]
    fn what_was_pushed_is_read_back() {
        let mut builder = BatchBuilder::new().producer(ProducerId(7), 1, 5);
        builder.push(Timestamp(100), Some(b"k"), Some(b"v"));
        builder.push_with(Timestamp(90), None, None, &[(b"name", None)]);
        let batch = builder.build();
        assert_eq!(batch.len(), builder.bytes());
        let header = Header::of(&batch).unwrap();
        assert!(header.is_sane() && crc_holds(&batch));
        assert_eq!((header.producer_id(), header.max_timestamp()), (ProducerId(7), Timestamp(100)));
        let found: Vec<_> = records(&batch[HEADER_LEN..]).map(Result::unwrap).collect();
        assert_eq!((found[0].key, found[0].value, found[0].timestamp_delta), (Some(&b"k"[..]), Some(&b"v"[..]), 0));
        assert_eq!((found[1].key, found[1].value, found[1].timestamp_delta, found[1].offset_delta), (None, None, -10, 1));
        assert_eq!(found[1].headers.iter().collect::<Vec<_>>(), [(&b"name"[..], None)]);
    }
}

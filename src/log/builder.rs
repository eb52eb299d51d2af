//! Building a batch: the producer's half, for our own command line, load generator and tests.

use crate::log::batch::{HEADER_LEN, Header, LENGTH_OVERHEAD, MAGIC};
use crate::log::record::{put_varint, put_varlong};
use crate::types::{ProducerId, Timestamp};
use zerocopy::{FromZeros, IntoBytes};

/// Records that will be one uncompressed batch of format v2, offsets counting from 0.
#[derive(Clone, Debug, Default)]
pub struct BatchBuilder {
    records: Vec<u8>,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    producer: Option<(ProducerId, i16, i32)>,
    /// One record, before its length is known.
    record: Vec<u8>,
}

impl BatchBuilder {
    pub fn new() -> BatchBuilder {
        BatchBuilder::default()
    }

    /// Makes the batch part of an idempotent producer's sequence, which begins with `sequence`.
    pub fn producer(mut self, id: ProducerId, epoch: i16, sequence: i32) -> BatchBuilder {
        self.producer = Some((id, epoch, sequence));
        self
    }

    pub fn push(&mut self, timestamp: Timestamp, key: Option<&[u8]>, value: Option<&[u8]>) {
        if self.count == 0 {
            (self.base_timestamp, self.max_timestamp) = (timestamp.0, timestamp.0);
        }
        self.max_timestamp = self.max_timestamp.max(timestamp.0);
        let record = &mut self.record;
        record.clear();
        record.push(0);
        put_varlong(timestamp.0 - self.base_timestamp, record);
        put_varint(self.count, record);
        for field in [key, value] {
            match field {
                None => put_varint(-1, record),
                Some(bytes) => {
                    put_varint(length(bytes.len()), record);
                    record.extend_from_slice(bytes);
                }
            }
        }
        put_varint(0, record);
        put_varint(length(record.len()), &mut self.records);
        self.records.extend_from_slice(&self.record);
        self.count += 1;
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of the batch if it were built now.
    pub fn bytes(&self) -> usize {
        HEADER_LEN + self.records.len()
    }

    pub fn build(&self) -> Vec<u8> {
        let (id, epoch, sequence) = self.producer.unwrap_or((ProducerId::NONE, -1, -1));
        let mut header = Header::new_zeroed();
        header.length = length(self.bytes() - LENGTH_OVERHEAD).into();
        header.partition_leader_epoch = (-1).into();
        header.magic = MAGIC;
        header.last_offset_delta = (self.count - 1).into();
        header.base_timestamp = self.base_timestamp.into();
        header.max_timestamp = self.max_timestamp.into();
        header.producer_id = id.0.into();
        header.producer_epoch = epoch.into();
        header.base_sequence = sequence.into();
        header.records_count = self.count.into();
        header.seal(&self.records);
        let mut batch = Vec::with_capacity(self.bytes());
        batch.extend_from_slice(header.as_bytes());
        batch.extend_from_slice(&self.records);
        batch
    }
}

fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).expect("a batch has 31 bits of length")
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
        builder.push(Timestamp(90), None, None);
        let batch = builder.build();
        assert_eq!(batch.len(), builder.bytes());
        let header = Header::of(&batch).unwrap();
        assert!(header.is_sane() && crc_holds(&batch));
        assert_eq!((header.producer_id(), header.max_timestamp()), (ProducerId(7), Timestamp(100)));
        let found: Vec<_> = records(&batch[HEADER_LEN..]).map(Result::unwrap).collect();
        assert_eq!((found[0].key, found[0].value, found[0].timestamp_delta), (Some(&b"k"[..]), Some(&b"v"[..]), 0));
        assert_eq!((found[1].key, found[1].value, found[1].timestamp_delta, found[1].offset_delta), (None, None, -10, 1));
    }
}

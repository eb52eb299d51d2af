//! The `.snapshot` file: the producers of a log as of the offset in its name.
//!
//! ```text
//!  version 1 │ CRC-32C of what follows │ count │ entry…                                  big endian
//!  i16       │ u32                     │ i32   │ 46 bytes each
//!
//!  entry: producer id i64, epoch i16, last sequence i32, last offset i64, offset delta i32, timestamp i64,
//!         coordinator epoch i32, first offset of the open transaction i64 (or -1)
//! ```
//!
//! Kafka writes one entry per producer, its last batch, so that after a restart it knows only that one. We write one per
//! remembered batch, oldest first: Kafka's reader takes the last one it meets of a producer, ours takes all five, and a
//! client that had five requests in flight when we stopped may retry each of them. The timestamp is when the batch arrived.

use crate::log::producers::{Appended, Producer};
use crate::types::{Offset, ProducerId, Timestamp};
use zerocopy::byteorder::big_endian::{I16, I32, I64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

const VERSION: i16 = 1;
/// Where the bytes that the CRC covers begin.
const CRC_FROM: usize = 6;

#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Entry {
    producer_id: I64,
    epoch: I16,
    last_sequence: I32,
    last_offset: I64,
    offset_delta: I32,
    timestamp: I64,
    coordinator_epoch: I32,
    txn_start: I64,
}

const _: () = assert!(size_of::<Entry>() == 46);

/// The file's content. Producers that share an id do not occur.
pub fn encode<'a>(producers: impl Iterator<Item = (ProducerId, &'a Producer)>) -> Vec<u8> {
    let mut entries = Vec::new();
    let mut count = 0i32;
    for (id, producer) in producers {
        let none = Appended { last_sequence: -1, last_offset: Offset(-1), delta: 0, arrived: producer.arrived };
        let batches = if producer.batches().is_empty() { &[none][..] } else { producer.batches() };
        for (nth, batch) in batches.iter().enumerate() {
            // A marker may have come after the last batch: the producer's own time is the newest.
            let arrived = if nth + 1 == batches.len() { producer.arrived } else { batch.arrived };
            let entry = Entry {
                producer_id: I64::new(id.0),
                epoch: I16::new(producer.epoch),
                last_sequence: I32::new(batch.last_sequence),
                last_offset: I64::new(batch.last_offset.0),
                offset_delta: I32::new(batch.delta),
                timestamp: I64::new(arrived.0),
                coordinator_epoch: I32::new(producer.coordinator_epoch),
                txn_start: I64::new(producer.txn_start.map_or(-1, |offset| offset.0)),
            };
            entries.extend_from_slice(entry.as_bytes());
            count = count.checked_add(1).expect("fewer than 2^31 producers fit in memory");
        }
    }
    let crc = crc32c::crc32c_append(crc32c::crc32c(&count.to_be_bytes()), &entries);
    let mut file = Vec::with_capacity(CRC_FROM + 4 + entries.len());
    file.extend_from_slice(&VERSION.to_be_bytes());
    file.extend_from_slice(&crc.to_be_bytes());
    file.extend_from_slice(&count.to_be_bytes());
    file.extend_from_slice(&entries);
    file
}

/// What a file says, producer by producer in the order of the file; a sentence if it cannot be trusted.
pub fn decode(file: &[u8]) -> Result<Vec<(ProducerId, Producer)>, String> {
    let (version, rest) = file.split_first_chunk::<2>().ok_or("it is shorter than its version")?;
    let version = i16::from_be_bytes(*version);
    if version != VERSION {
        return Err(format!("its version is {version}, not {VERSION}"));
    }
    let (crc, covered) = rest.split_first_chunk::<4>().ok_or("it is shorter than its checksum")?;
    if u32::from_be_bytes(*crc) != crc32c::crc32c(covered) {
        return Err("its checksum does not hold".into());
    }
    let (count, entries) = covered.split_first_chunk::<4>().ok_or("it is shorter than its count")?;
    let entries = <[Entry]>::ref_from_bytes(entries).map_err(|_| "it does not end with an entry")?;
    if usize::try_from(i32::from_be_bytes(*count)).ok() != Some(entries.len()) {
        return Err("its count is not that of its entries".into());
    }
    let mut producers: Vec<(ProducerId, Producer)> = Vec::new();
    for entry in entries {
        let id = ProducerId(entry.producer_id.get());
        // Ours have the batches of one producer next to each other; Kafka's have one each.
        if producers.last().is_none_or(|(last, _)| *last != id) {
            producers.push((id, Producer::new(entry.epoch.get())));
        }
        let (_, producer) = producers.last_mut().expect("just pushed");
        let arrived = Timestamp(entry.timestamp.get());
        let delta = entry.offset_delta.get();
        if entry.last_offset.get() >= i64::from(delta) && entry.last_sequence.get() >= 0 && delta >= 0 {
            let last_offset = Offset(entry.last_offset.get());
            producer.push(entry.epoch.get(), Appended { last_sequence: entry.last_sequence.get(), delta, last_offset, arrived });
        }
        producer.epoch = entry.epoch.get();
        producer.arrived = arrived;
        producer.coordinator_epoch = entry.coordinator_epoch.get();
        producer.txn_start = (entry.txn_start.get() >= 0).then_some(Offset(entry.txn_start.get()));
    }
    Ok(producers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn producer() -> Producer {
        let mut producer = Producer::new(3);
        for nth in 0..7 {
            producer
                .push(3, Appended { last_sequence: nth, delta: 0, last_offset: Offset(100 + i64::from(nth)), arrived: Timestamp(1000) });
        }
        producer.txn_start = Some(Offset(104));
        producer
    }

    #[test]
    fn all_five_batches_come_back() {
        let (one, two) = (producer(), Producer::new(0));
        let file = encode([(ProducerId(1), &one), (ProducerId(9), &two)].into_iter());
        let back = decode(&file).unwrap();
        assert_eq!(back.len(), 2);
        assert_eq!(back[0].1.batches(), one.batches());
        assert_eq!((back[0].1.epoch, back[0].1.txn_start), (3, Some(Offset(104))));
        assert_eq!(back[1], (ProducerId(9), two));
        assert_eq!(encode(std::iter::empty()).len(), 10);
    }

    #[test]
    fn no_damaged_file_is_believed() {
        let one = producer();
        let file = encode([(ProducerId(1), &one)].into_iter());
        for bit in 0..file.len() * 8 {
            let mut flipped = file.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&flipped).is_err(), "bit {bit}");
        }
        for cut in 0..file.len() {
            assert!(decode(&file[..cut]).is_err(), "cut at {cut}");
        }
    }
}

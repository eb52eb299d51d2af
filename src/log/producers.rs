//! What the log knows of its producers: the last batches of each, so that a retry is answered instead of appended twice.
//!
//! A producer numbers its records per partition; a batch is taken when it begins where the last one ended.
//!
//! | epoch of the batch | its first sequence | verdict |
//! |---|---|---|
//! | below the producer's | any | INVALID_PRODUCER_EPOCH |
//! | same | range equals one of the last five batches | duplicate: answered with that one's offset |
//! | same | next | taken |
//! | same | before, and we know that the whole range was appended | DUPLICATE_SEQUENCE_NUMBER: clients take it as success |
//! | same | anything else | OUT_OF_ORDER_SEQUENCE_NUMBER |
//! | above | 0 | taken, the producer's epoch is the batch's now |
//! | above | not 0 | OUT_OF_ORDER_SEQUENCE_NUMBER |
//! | the producer is not known | any | taken |
//!
//! (Kafka: `ProducerAppendInfo.checkSequence`. It no longer says DUPLICATE_SEQUENCE_NUMBER, and lets a retry that is older
//! than five batches look out of order, which ends the producer's session. We say it when it is certain: `known` counts how
//! many records we have seen in an unbroken row, because a producer that was not known may have begun anywhere.)
//!
//! Ages count from arrival. Kafka counts from the newest record timestamp, so that a backfill of old data is forgotten at once.
//!
//! A snapshot is taken of the state at one offset while appends go on: [`Producers::freeze`] marks the moment, and whoever
//! changes an entry afterwards first sets the old one aside.

use crate::error::ErrorCode;
use crate::log::Origin;
use crate::log::batch::Header;
use crate::log::record;
use crate::types::{Offset, ProducerId, Timestamp};
use std::collections::BTreeMap;

/// Batches remembered of each producer. Clients have at most as many requests in flight
/// (Kafka: `ProducerStateEntry.NUM_BATCHES_TO_RETAIN`).
pub const BATCHES_MAX: usize = 5;
/// Kafka's "no sequence".
const NO_SEQUENCE: i32 = -1;

/// A batch that was appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    pub last_sequence: i32,
    /// Records less one.
    pub delta: i32,
    pub last_offset: Offset,
    /// When it arrived.
    pub arrived: Timestamp,
}

impl Appended {
    pub fn first_sequence(&self) -> i32 {
        sequence_minus(self.last_sequence, self.delta)
    }
    pub fn base_offset(&self) -> Offset {
        Offset(self.last_offset.0 - i64::from(self.delta))
    }
}

/// One producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producer {
    pub epoch: i16,
    pub coordinator_epoch: i32,
    /// When its last batch arrived.
    pub arrived: Timestamp,
    /// First offset of its open transaction.
    pub txn_start: Option<Offset>,
    /// Records of this epoch that we have seen in an unbroken row, up to the last.
    known: u32,
    /// The first `len` are in use, oldest first.
    batches: [Appended; BATCHES_MAX],
    len: u8,
}

impl Producer {
    pub fn new(epoch: i16) -> Producer {
        Producer {
            epoch,
            coordinator_epoch: -1,
            arrived: Timestamp::NONE,
            txn_start: None,
            known: 0,
            batches: [Appended::default(); BATCHES_MAX],
            len: 0,
        }
    }

    /// Oldest first, at most five.
    pub fn batches(&self) -> &[Appended] {
        &self.batches[..usize::from(self.len)]
    }
    pub fn last_sequence(&self) -> i32 {
        self.batches().last().map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }

    /// A batch was appended in `epoch`; a new epoch forgets the batches of the old one.
    pub fn push(&mut self, epoch: i16, batch: Appended) {
        if epoch != self.epoch {
            self.epoch = epoch;
            self.len = 0;
        }
        if self.len == 0 || !follows(self.last_sequence(), batch.first_sequence()) {
            self.known = 0;
        }
        if usize::from(self.len) == BATCHES_MAX {
            self.batches.rotate_left(1);
        } else {
            self.len += 1;
        }
        self.batches[usize::from(self.len) - 1] = batch;
        self.known = self.known.saturating_add(batch.delta.unsigned_abs()).saturating_add(1).min(i32::MAX.unsigned_abs());
        self.arrived = batch.arrived;
    }
}

/// What a batch of a producer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    New,
    /// It was appended before, as this.
    Duplicate(Appended),
}

/// The state at an offset, kept while appends go on.
#[derive(Clone, Debug)]
struct Frozen {
    at: Offset,
    /// What was at `at`, of those that have changed since; `None`: it was not there.
    changed: BTreeMap<ProducerId, Option<Producer>>,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Producers {
    map: BTreeMap<ProducerId, Producer>,
    frozen: Option<Box<Frozen>>,
}

impl Producers {
    pub fn len(&self) -> usize {
        self.map.len()
    }
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }
    pub fn get(&self, id: ProducerId) -> Option<&Producer> {
        self.map.get(&id)
    }
    pub fn iter(&self) -> impl Iterator<Item = (ProducerId, &Producer)> {
        self.map.iter().map(|(id, producer)| (*id, producer))
    }
    /// Puts in what a snapshot says.
    pub fn insert(&mut self, id: ProducerId, producer: Producer) {
        self.set_aside(id);
        self.map.insert(id, producer);
    }

    /// May this batch be appended, as the next? Changes nothing. `header.producer_id` is one.
    pub fn check(&self, header: &Header, origin: Origin, partition: &str) -> Result<Verdict, (ErrorCode, String)> {
        let Some(producer) = self.map.get(&header.producer_id()) else { return Ok(Verdict::New) };
        let (epoch, first) = (header.producer_epoch.get(), header.base_sequence.get());
        let (id, base) = (header.producer_id(), header.base_offset());
        if origin == Origin::Replica {
            return Ok(Verdict::New);
        }
        if origin == Origin::Client && epoch == producer.epoch {
            let last = sequence_plus(first, header.last_offset_delta.get());
            let same = |batch: &&Appended| batch.first_sequence() == first && batch.last_sequence == last;
            if let Some(batch) = producer.batches().iter().find(same) {
                return Ok(Verdict::Duplicate(*batch));
            }
        }
        if epoch < producer.epoch {
            let known = producer.epoch;
            let text = format!(
                "Epoch of producer {id} at offset {base} in {partition} is {epoch}, which is smaller than the last seen epoch {known}"
            );
            return Err((ErrorCode::InvalidProducerEpoch, text));
        }
        // Sequences of our own coordinators, and of control batches, are not numbered.
        if origin != Origin::Client || header.is_control() {
            return Ok(Verdict::New);
        }
        if epoch > producer.epoch {
            if first == 0 {
                return Ok(Verdict::New);
            }
            let known = producer.epoch;
            let text = format!(
                "Invalid sequence number for new epoch of producer {id} at offset {base} in partition {partition}: {epoch} \
                 (request epoch), {first} (seq. number), {known} (current producer epoch)"
            );
            return Err((ErrorCode::OutOfOrderSequenceNumber, text));
        }
        let last = producer.last_sequence();
        if follows(last, first) {
            return Ok(Verdict::New);
        }
        // How far back from the last sequence this batch begins and ends, around the circle of sequences.
        let (begins, ends) = (behind(last, first), behind(last, sequence_plus(first, header.last_offset_delta.get())));
        if begins < producer.known && ends <= begins {
            let text = format!(
                "Duplicate sequence number for producer {id} in partition {partition}: {first} (incoming seq. number), {last} \
                 (current end sequence number)"
            );
            return Err((ErrorCode::DuplicateSequenceNumber, text));
        }
        let text = format!(
            "Out of order sequence number for producer {id} at offset {base} in partition {partition}: {first} (incoming seq. number), \
             {last} (current end sequence number)"
        );
        Err((ErrorCode::OutOfOrderSequenceNumber, text))
    }

    /// This batch was appended; its offsets are assigned. `records`: the body of a control batch, otherwise not looked at.
    pub fn append(&mut self, header: &Header, records: &[u8], arrived: Timestamp) {
        if !header.has_producer() {
            return;
        }
        let id = header.producer_id();
        self.set_aside(id);
        let producer = self.map.entry(id).or_insert_with(|| Producer::new(header.producer_epoch.get()));
        if header.is_control() {
            // A marker ends the transaction; it has no sequence, and its batch is none to remember. A new epoch does forget.
            if producer.epoch != header.producer_epoch.get() {
                producer.epoch = header.producer_epoch.get();
                producer.len = 0;
                producer.known = 0;
            }
            if let Some(coordinator_epoch) = end_txn_marker(records) {
                producer.coordinator_epoch = coordinator_epoch;
                producer.txn_start = None;
            }
            producer.arrived = arrived;
            return;
        }
        let batch = Appended {
            last_sequence: sequence_plus(header.base_sequence.get(), header.last_offset_delta.get()),
            delta: header.last_offset_delta.get(),
            last_offset: header.last_offset(),
            arrived,
        };
        producer.push(header.producer_epoch.get(), batch);
        if header.is_transactional() && producer.txn_start.is_none() {
            producer.txn_start = Some(header.base_offset());
        }
    }

    /// Forgets those that sent nothing for `expiration_ms` and have no transaction open.
    pub fn expire(&mut self, now: Timestamp, expiration_ms: u64) {
        let due = |producer: &Producer| {
            let age = u64::try_from(now.0.saturating_sub(producer.arrived.0)).unwrap_or(0);
            producer.txn_start.is_none() && age >= expiration_ms
        };
        let old: Vec<ProducerId> = self.map.iter().filter(|(_, producer)| due(producer)).map(|(id, _)| *id).collect();
        for id in old {
            self.set_aside(id);
            self.map.remove(&id);
        }
    }

    pub fn clear(&mut self) {
        self.map.clear();
        self.frozen = None;
    }

    // ---- the snapshot

    /// Remembers the state as it is now, at `offset`. Replaces one that was not taken.
    pub fn freeze(&mut self, offset: Offset) {
        self.frozen = Some(Box::new(Frozen { at: offset, changed: BTreeMap::new() }));
    }
    pub fn frozen_at(&self) -> Option<Offset> {
        self.frozen.as_ref().map(|frozen| frozen.at)
    }
    /// Those of the remembered state, in order of their ids; it is forgotten with the next [`Producers::thaw`].
    pub fn frozen(&self) -> impl Iterator<Item = (ProducerId, &Producer)> {
        let changed = self.frozen.as_ref().map(|frozen| &frozen.changed);
        let unchanged = self.map.iter().filter(move |(id, _)| changed.is_some_and(|changed| !changed.contains_key(id)));
        let before = changed.into_iter().flatten().filter_map(|(id, producer)| Some((id, producer.as_ref()?)));
        let mut all: Vec<_> = unchanged.chain(before).map(|(id, producer)| (*id, producer)).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all.into_iter()
    }
    pub fn thaw(&mut self) {
        self.frozen = None;
    }

    fn set_aside(&mut self, id: ProducerId) {
        if let Some(frozen) = &mut self.frozen {
            frozen.changed.entry(id).or_insert_with(|| self.map.get(&id).cloned());
        }
    }
}

/// Coordinator epoch of the marker in a control batch, if it is one that ends a transaction.
fn end_txn_marker(records: &[u8]) -> Option<i32> {
    let marker = record::records(records).next()?.ok()?;
    let (version, kind) = marker.key?.split_first_chunk::<2>()?;
    let kind = i16::from_be_bytes(*kind.first_chunk()?);
    if i16::from_be_bytes(*version) < 0 || !(0..=1).contains(&kind) {
        return None;
    }
    Some(i32::from_be_bytes(*marker.value?.get(2..)?.first_chunk()?))
}

// Sequences are 0 ..= i32::MAX and wrap to 0.

/// Kafka: `DefaultRecordBatch.incrementSequence`. Total: a sequence or an increment that is negative counts as 0.
pub fn sequence_plus(sequence: i32, increment: i32) -> i32 {
    let sum = i64::from(sequence.max(0)) + i64::from(increment.max(0));
    i32::try_from(sum & i64::from(i32::MAX)).expect("31 bits")
}

pub fn sequence_minus(sequence: i32, decrement: i32) -> i32 {
    let difference = i64::from(sequence.max(0)) - i64::from(decrement.max(0));
    i32::try_from(difference & i64::from(i32::MAX)).expect("31 bits")
}

fn follows(last: i32, first: i32) -> bool {
    first == if last == NO_SEQUENCE { 0 } else { sequence_plus(last, 1) }
}

/// How many sequences before `last` lies `sequence`, around the circle.
fn behind(last: i32, sequence: i32) -> u32 {
    sequence_minus(last, sequence).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromZeros as _;

    fn header(epoch: i16, first: i32, records: i32) -> Header {
        let mut header = Header::new_zeroed();
        header.producer_id.set(7);
        header.producer_epoch.set(epoch);
        header.base_sequence.set(first);
        header.last_offset_delta.set(records - 1);
        header
    }

    /// Each line: `epoch first-sequence records > verdict`.
    fn check(script: &str) {
        let mut producers = Producers::default();
        let mut end = 0;
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (event, expected) = line.split_once('>').unwrap();
            let numbers: Vec<i32> = event.split_whitespace().map(|n| n.parse().unwrap()).collect();
            let mut header = header(numbers[0].try_into().unwrap(), numbers[1], numbers[2]);
            header.base_offset.set(end);
            let verdict = match producers.check(&header, Origin::Client, "t-0") {
                Ok(Verdict::New) => {
                    producers.append(&header, &[], Timestamp(end));
                    let base = end;
                    end += i64::from(numbers[2]);
                    format!("at {base}")
                }
                Ok(Verdict::Duplicate(batch)) => format!("again {}", batch.base_offset()),
                Err((code, _)) => code.to_string(),
            };
            assert_eq!(verdict, expected.trim(), "{line}");
        }
    }

    #[test]
    fn a_retry_of_one_of_the_last_five_batches_is_answered_and_not_appended() {
        check(
            "0 0  1  > at 0
             0 1  10 > at 1
             0 11 1  > at 11
             0 12 1  > at 12
             0 13 1  > at 13
             0 0  1  > again 0
             0 1  10 > again 1
             0 13 1  > again 13
             0 14 1  > at 14
             0 0  1  > DUPLICATE_SEQUENCE_NUMBER
             0 1  10 > again 1
             0 1  9  > DUPLICATE_SEQUENCE_NUMBER
             0 14 2  > OUT_OF_ORDER_SEQUENCE_NUMBER",
        );
    }

    #[test]
    fn a_gap_in_sequences_is_out_of_order() {
        check(
            "0 0 5 > at 0
             0 6 1 > OUT_OF_ORDER_SEQUENCE_NUMBER
             0 5 1 > at 5",
        );
    }

    #[test]
    fn an_unknown_producer_may_begin_anywhere_and_what_came_before_is_not_claimed() {
        check(
            "0 100 5 > at 0
             0 105 1 > at 5
             0 99  1 > OUT_OF_ORDER_SEQUENCE_NUMBER
             0 99  2 > OUT_OF_ORDER_SEQUENCE_NUMBER
             0 100 5 > again 0",
        );
    }

    #[test]
    fn a_newer_epoch_fences_the_older_one_and_begins_at_zero() {
        check(
            "0 0 5 > at 0
             1 5 1 > OUT_OF_ORDER_SEQUENCE_NUMBER
             1 0 1 > at 5
             0 5 1 > INVALID_PRODUCER_EPOCH
             1 0 1 > again 5
             1 1 1 > at 6",
        );
    }

    #[test]
    fn sequences_wrap_to_zero_after_the_largest() {
        check(
            "0 2147483640 7 > at 0
             0 2147483647 1 > at 7
             0 0 3          > at 8
             0 2147483647 1 > again 7
             0 3 1          > at 11
             0 2147483646 4 > DUPLICATE_SEQUENCE_NUMBER
             0 2147483639 1 > OUT_OF_ORDER_SEQUENCE_NUMBER",
        );
        check(
            "0 2147483646 4 > at 0
             0 2 1          > at 4
             0 2147483646 4 > again 0
             0 3 1          > at 5",
        );
        assert_eq!(sequence_plus(i32::MAX, 1), 0);
        assert_eq!(sequence_plus(i32::MAX - 1, 5), 3);
        assert_eq!(sequence_minus(3, 5), i32::MAX - 1);
    }

    #[test]
    fn what_is_frozen_does_not_change_while_appends_go_on() {
        let mut producers = Producers::default();
        producers.append(&header(0, 0, 1), &[], Timestamp(1));
        let before: Vec<_> = producers.iter().map(|(id, p)| (id, p.clone())).collect();
        producers.freeze(Offset(1));
        producers.append(&header(0, 1, 1), &[], Timestamp(2));
        let mut other = header(0, 0, 1);
        other.producer_id.set(3);
        producers.append(&other, &[], Timestamp(3));
        producers.expire(Timestamp(1_000_000), 10);
        assert!(producers.is_empty());
        let frozen: Vec<_> = producers.frozen().map(|(id, p)| (id, p.clone())).collect();
        assert_eq!(frozen, before);
        producers.thaw();
        assert_eq!(producers.frozen().count(), 0);
    }

    #[test]
    fn a_producer_is_forgotten_by_when_it_was_heard_and_not_while_its_transaction_is_open() {
        let mut producers = Producers::default();
        producers.append(&header(0, 0, 1), &[], Timestamp(1000));
        let mut txn = header(0, 0, 1);
        txn.producer_id.set(8);
        txn.attributes.set(0x10);
        producers.append(&txn, &[], Timestamp(1000));
        producers.expire(Timestamp(1999), 1000);
        assert_eq!(producers.len(), 2);
        producers.expire(Timestamp(2000), 1000);
        assert_eq!(producers.iter().map(|(id, _)| id.0).collect::<Vec<_>>(), [8]);
    }
}

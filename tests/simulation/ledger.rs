//! What the world's clients know: every record sent, acknowledged and read, and what follows from it.
//!
//! Asserted at every step:
//! - an acknowledged record is at its offset, with its value, for every reader, for ever
//! - two records never have the same offset, and a record is never read that nobody sent
//! - offsets of one answer are contiguous, and nobody reads at or above the high watermark that came with it
//! - an idempotent producer's records are in order, without a twin
//! - the log start and the high watermark never go back while the broker lives
//!
//! A power cut may take back what was not synced (`os` durability, Kafka's default): from then on what was acknowledged
//! before counts as *unsure*. What is left of it must still be a prefix: nothing unsure is missing below something that is
//! there.

use millrace::error::ErrorCode;
use std::collections::BTreeMap;

/// A record: who sent it, and its number among what that producer sent to this partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    pub producer: u32,
    pub number: u32,
}

impl Id {
    pub const BYTES: usize = 12;

    /// A value that says whose it is, and whether it is whole.
    pub fn value(self) -> [u8; Id::BYTES] {
        let mut value = [0; Id::BYTES];
        value[..4].copy_from_slice(&self.producer.to_be_bytes());
        value[4..8].copy_from_slice(&self.number.to_be_bytes());
        value[8..].copy_from_slice(&(self.producer ^ self.number ^ 0x5eed_5eed).to_be_bytes());
        value
    }
    pub fn of(value: &[u8]) -> Option<Id> {
        let word = |at: usize| Some(u32::from_be_bytes(value.get(at..at + 4)?.try_into().ok()?));
        let id = Id { producer: word(0)?, number: word(4)? };
        (value.len() >= Id::BYTES && word(8)? == id.producer ^ id.number ^ 0x5eed_5eed).then_some(id)
    }
}

/// How much had happened to the broker when something was asked. An answer may arrive long after the process that gave it,
/// or the power, has gone; what it says is true of the era in which it was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Era {
    cuts: u32,
    incarnation: u32,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    id: Id,
    acked: bool,
    /// How many power cuts there had been when it was last confirmed by an acknowledgement or a read.
    cuts: u32,
}

#[derive(Default, Debug)]
struct Partition {
    at: BTreeMap<i64, Known>,
    high_watermark: i64,
    log_start: i64,
    /// Process of the broker that told the high watermark.
    incarnation: u32,
}

#[derive(Default, Debug)]
pub struct Ledger {
    partitions: BTreeMap<(String, i32), Partition>,
    /// Highest number sent by each producer to each partition.
    sent: BTreeMap<(String, i32, u32), u32>,
    /// Producers whose retries may leave twins: they are not idempotent, or had to begin anew.
    may_repeat: BTreeMap<u32, bool>,
    era: Era,
    /// What each producer's last batch was answered with.
    pub heard: BTreeMap<u32, ErrorCode>,
    pub acked: u64,
    pub read: u64,
}

impl Ledger {
    pub fn sends(&mut self, topic: &str, partition: i32, id: Id) {
        let highest = self.sent.entry((topic.to_owned(), partition, id.producer)).or_default();
        *highest = (*highest).max(id.number);
    }

    pub fn era(&self) -> Era {
        self.era
    }

    pub fn repeats(&mut self, producer: u32) {
        self.may_repeat.insert(producer, true);
    }

    /// The machine lost its power: what was acknowledged may be gone, as a suffix.
    pub fn power_cut(&mut self) {
        self.era.cuts += 1;
    }

    /// Has there been a power cut, so that records and producers may be gone?
    pub fn may_lose(&self) -> bool {
        self.era.cuts > 0
    }

    /// The broker's process ended; another one may know less of high watermarks.
    pub fn restarted(&mut self) {
        self.era.incarnation += 1;
    }

    pub fn acks(&mut self, era: Era, topic: &str, partition: i32, offset: i64, id: Id) {
        self.acked += 1;
        self.confirm(era, topic, partition, offset, id, true);
    }

    pub fn reads(&mut self, era: Era, topic: &str, partition: i32, offset: i64, id: Id) {
        self.read += 1;
        let sent = self.sent.get(&(topic.to_owned(), partition, id.producer));
        assert!(sent.is_some_and(|highest| id.number <= *highest), "{topic}-{partition}@{offset}: {id:?} was never sent there");
        self.confirm(era, topic, partition, offset, id, false);
    }

    fn confirm(&mut self, era: Era, topic: &str, partition: i32, offset: i64, id: Id, acked: bool) {
        let cuts = era.cuts;
        let known = self.partitions.entry((topic.to_owned(), partition)).or_default();
        if let Some(before) = known.at.get(&offset).copied() {
            if before.id == id {
                known.at.insert(offset, Known { acked: acked || before.acked, cuts: cuts.max(before.cuts), ..before });
                return;
            }
            if before.cuts > cuts {
                return;
            }
            assert!(
                before.cuts < cuts,
                "{topic}-{partition}@{offset}: was {:?} ({}), is {id:?}",
                before.id,
                if before.acked { "acknowledged" } else { "read" }
            );
            // Taken back by a power cut, and with it everything behind it that has not been confirmed since.
            let gone: Vec<i64> = known.at.range(offset..).filter(|(_, k)| k.cuts < cuts).map(|(at, _)| *at).collect();
            for at in gone {
                known.at.remove(&at);
            }
        }
        known.at.insert(offset, Known { id, acked, cuts });
    }

    pub fn marks(&mut self, era: Era, topic: &str, partition: i32, high_watermark: i64, log_start: i64) {
        let incarnation = era.incarnation;
        let known = self.partitions.entry((topic.to_owned(), partition)).or_default();
        if known.incarnation == incarnation {
            assert!(log_start >= known.log_start, "{topic}-{partition}: log start went back from {} to {log_start}", known.log_start);
        }
        if incarnation < known.incarnation {
            return;
        }
        known.incarnation = incarnation;
        known.high_watermark = known.high_watermark.max(high_watermark);
        known.log_start = log_start;
    }

    /// The whole of a partition has been read, from `start` to `end`, after everything was quiet.
    pub fn check_whole(&self, topic: &str, partition: i32, start: i64, end: i64, found: &BTreeMap<i64, Id>) {
        let name = format!("{topic}-{partition}");
        let whole: Vec<i64> = (start..end).collect();
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), whole, "{name}: offsets are contiguous");
        let Some(known) = self.partitions.get(&(topic.to_owned(), partition)) else { return };
        for (offset, k) in known.at.range(start..) {
            match found.get(offset) {
                Some(id) => assert_eq!(*id, k.id, "{name}@{offset}"),
                None => assert!(
                    !k.acked || k.cuts < self.era.cuts,
                    "{name}@{offset}: {:?} was acknowledged and is gone; the log ends at {end}",
                    k.id
                ),
            }
        }
        let mut last: BTreeMap<u32, u32> = BTreeMap::new();
        for (offset, id) in found {
            if self.may_repeat.get(&id.producer).copied().unwrap_or(false) {
                continue;
            }
            if let Some(before) = last.insert(id.producer, id.number) {
                assert!(before < id.number, "{name}@{offset}: {id:?} follows number {before}: a twin, or out of order");
            }
        }
    }
}

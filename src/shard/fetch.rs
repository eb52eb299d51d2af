//! Fetch on the owning core: plan, read, and answer once there is enough, or park.
//!
//! ```text
//!             ┌────────── woken: a partition has more records ◀───────────┐
//!             ▼                                                           │
//!  fetch ─▶ attempt ─┬─ enough, an error, or out of time ─▶ answer        │
//!             ▲      ├─ something must be read first ─▶ reads ─┐          │
//!             │      └─ too little ─▶ watch the partitions ────┼──────────┘
//!             └──────────────── read has come back ◀───────────┘
//! ```
//!
//! Where bytes come from, cheapest first: the partition's tail in memory; the page cache by `sendfile`, when they are
//! resident; a read that leaves the page cache as it is. Nothing here blocks the core.

use super::ask::{Answer, Fetch, FetchPartition, Fetched};
use super::disk::{Operation, PartitionId, Read, ReadWhat};
use super::parking::ParkId;
use super::{Shard, Ticket};
use crate::error::ErrorCode;
use crate::log::names::SegmentFile;
use crate::log::{Need, ReadAsk, ReadPlan};
use crate::plants::Plant;
use crate::types::{Instant, Offset, Position};
use millrace_io::{BufMut, Core, Piece, ReadHow};
use tracing::error;

pub struct ParkedFetch {
    ticket: Ticket,
    ask: Fetch,
    slots: Vec<Slot>,
    /// Reads that have not come back.
    reads: u32,
    /// Its partitions name it in `waiting_fetches`.
    watching: bool,
    /// Answer with what there is: another core has enough, or the deadline has come.
    hurried: bool,
}

enum Slot {
    /// Not planned, or to be planned again.
    Open,
    Reading(Reading),
    Done(Fetched),
}

/// What planning one partition came to.
enum Planned {
    Done(Fetched),
    Reading(Reading),
}

/// Everything but the records is known.
struct Reading {
    ask: ReadAsk,
    fetched: Fetched,
}

/// For which partition of which parked request.
#[derive(Clone, Copy)]
struct Place {
    partition: PartitionId,
    park: ParkId,
    slot: u32,
}

impl Place {
    fn read(self, what: ReadWhat) -> Read {
        Read { partition: self.partition, park: self.park, slot: self.slot, what }
    }
}

impl From<Planned> for Slot {
    fn from(planned: Planned) -> Slot {
        match planned {
            Planned::Done(fetched) => Slot::Done(fetched),
            Planned::Reading(reading) => Slot::Reading(reading),
        }
    }
}

impl Shard {
    pub fn fetch(&mut self, core: &mut Core, ticket: Ticket, ask: Fetch) {
        let slots = ask.partitions.iter().map(|_| Slot::Open).collect();
        let deadline = ask.deadline;
        let hurried = deadline <= core.now();
        let park = self.fetches.park(deadline, ParkedFetch { ticket, ask, slots, reads: 0, watching: false, hurried });
        self.attempt(core, park);
    }

    /// Another core has enough for this request.
    pub fn hurry(&mut self, core: &mut Core, ticket: Ticket) {
        if let Some(park) = self.fetches.find(|parked| parked.ticket == ticket) {
            self.hurry_park(core, park);
        }
    }

    /// Answers a parked fetch with what there is.
    pub(super) fn hurry_park(&mut self, core: &mut Core, park: ParkId) {
        if let Some(parked) = self.fetches.get_mut(park) {
            parked.hurried = true;
            self.attempt(core, park);
        }
    }

    /// Nobody waits for records any longer: the process stops.
    pub(super) fn hurry_all(&mut self, core: &mut Core) {
        for park in self.fetches.ids() {
            self.hurry_park(core, park);
        }
    }

    pub(super) fn expire_fetches(&mut self, core: &mut Core, now: Instant) {
        while let Some(park) = self.fetches.expired(now) {
            let parked = self.fetches.get_mut(park).expect("just found");
            parked.hurried = true;
            if parked.reads > 0 {
                // It ends when its reads have come back; until then it has no deadline.
                self.fetches.postpone(park);
            } else {
                self.attempt(core, park);
            }
        }
    }

    /// Plans every partition that is open, and answers, reads or watches.
    pub(super) fn attempt(&mut self, core: &mut Core, park: ParkId) {
        let Some(mut parked) = self.fetches.lend(park) else { return };
        if parked.reads == 0 {
            self.plan_all(core, park, &mut parked);
        }
        if parked.reads > 0 {
            self.fetches.give_back(park, parked);
            return;
        }
        let done = || parked.slots.iter().filter_map(|slot| if let Slot::Done(fetched) = slot { Some(fetched) } else { None });
        let bytes: u64 = done().map(Fetched::len).sum();
        let pressing = done().any(|fetched| !fetched.error.is_ok() || fetched.diverging.is_some());
        if parked.hurried || pressing || bytes >= u64::from(parked.ask.min_bytes) {
            self.finish(park, parked);
        } else {
            self.watch(park, &mut parked);
            self.fetches.give_back(park, parked);
        }
    }

    fn plan_all(&mut self, core: &mut Core, park: ParkId, parked: &mut ParkedFetch) {
        let mut bytes: u64 = parked.slots.iter().map(|slot| if let Slot::Done(fetched) = slot { fetched.len() } else { 0 }).sum();
        for index in 0..parked.slots.len() {
            if !matches!(parked.slots[index], Slot::Open) {
                continue;
            }
            let left = u64::from(parked.ask.max_bytes).saturating_sub(bytes);
            let left = u32::try_from(left).unwrap_or(u32::MAX);
            let wanted = &parked.ask.partitions[index];
            let slot = u32::try_from(index).expect("fewer partitions than bytes in a frame");
            match self.plan(core, park, slot, wanted, parked.ask.read_committed, left, bytes == 0) {
                Planned::Done(fetched) => {
                    bytes += fetched.len();
                    parked.slots[index] = Slot::Done(fetched);
                }
                // Counted as nothing: whoever comes later may bring too much, and the merge leaves it out.
                Planned::Reading(reading) => {
                    parked.reads += 1;
                    parked.slots[index] = Slot::Reading(reading);
                }
            }
        }
    }

    /// Plans one partition. `left`: bytes the answer still has room for; `first`: nothing has been found before, so one
    /// whole batch is returned however large it is (KIP-74).
    #[expect(clippy::too_many_arguments, reason = "one partition of one request, spelled out")]
    fn plan(
        &mut self,
        core: &mut Core,
        park: ParkId,
        slot: u32,
        wanted: &FetchPartition,
        read_committed: bool,
        left: u32,
        first: bool,
    ) -> Planned {
        let refused = |error| Planned::Done(Fetched::refused(wanted.order, error));
        let Some(id) = self.find(&wanted.key) else { return refused(ErrorCode::NotLeaderOrFollower) };
        let partition = self.partitions.get_mut(id).expect("just found");
        if let Err(error) = partition.check_readable().and_then(|()| partition.check_epoch(wanted.leader_epoch)) {
            return refused(error);
        }
        let mut fetched = Fetched {
            high_watermark: partition.high_watermark().0,
            last_stable: partition.readable_end(true).0,
            log_start: partition.log.log_start().0,
            read_committed,
            ..Fetched::refused(wanted.order, ErrorCode::None)
        };
        if let Some(diverging) = partition.diverging(wanted.last_fetched_epoch, wanted.offset) {
            fetched.diverging = Some(diverging);
            return Planned::Done(fetched);
        }
        let ask = ReadAsk {
            offset: wanted.offset,
            bytes_max: wanted.max_bytes.min(left),
            upper: partition.readable_end(read_committed),
            at_least_one: first,
        };
        let off_by_one = self.limits.plants.has(Plant::ReadOffByOne) && ask.offset.next() < ask.upper;
        let plan = partition.log.read(&if off_by_one { ReadAsk { offset: ask.offset.next(), ..ask } } else { ask });
        self.follow(core, Place { partition: id, park, slot }, ask, plan, fetched)
    }

    /// Does what a plan says.
    fn follow(&mut self, core: &mut Core, place: Place, ask: ReadAsk, plan: ReadPlan, mut fetched: Fetched) -> Planned {
        let partition = self.partitions.get_mut(place.partition).expect("just planned");
        match plan {
            ReadPlan::OutOfRange => Planned::Done(Fetched { error: ErrorCode::OffsetOutOfRange, ..fetched }),
            ReadPlan::AtEnd | ReadPlan::DoesNotFit => Planned::Done(fetched),
            ReadPlan::Bytes(span) => {
                if let Some(pieces) = partition.tail.read(span.segment, span.position, span.len) {
                    fetched.records = pieces;
                    return Planned::Done(fetched);
                }
                let file = partition.files[&span.segment].clone();
                let (position, len) = (u64::from(span.position.0), u64::from(span.len));
                if core.resident(&file, position, len) {
                    fetched.records = vec![Piece::File { file, position, len }];
                    return Planned::Done(fetched);
                }
                // From disk in smaller pieces, if there are whole batches to fill one.
                let shorter = ReadAsk { bytes_max: ask.bytes_max.min(self.limits.read_bytes_max), ..ask };
                let span = match partition.log.read(&shorter) {
                    ReadPlan::Bytes(shorter) => shorter,
                    _ => span,
                };
                self.read(core, place, ReadWhat::Records, span.segment, span.position, span.len, Reading { ask, fetched })
            }
            ReadPlan::Need(need) => self.read_need(core, place, need, Reading { ask, fetched }),
            ReadPlan::Corrupt(corrupt) => {
                error!(topic = %partition.topic, partition = partition.key.index, ?corrupt, "the log does not hold what it should; not served");
                Planned::Done(Fetched { error: ErrorCode::CorruptMessage, ..fetched })
            }
        }
    }

    /// Reads what the log must see: of a `.log` through the open file, of an index by the clerk.
    fn read_need(&mut self, core: &mut Core, place: Place, need: Need, reading: Reading) -> Planned {
        if need.file == SegmentFile::Log {
            return self.read(core, place, ReadWhat::Need(need), need.segment, need.position, need.len, reading);
        }
        self.read_index(core, place.read(ReadWhat::Need(need)), need);
        Planned::Reading(reading)
    }

    /// Reads a part of a log file for a parked request, without disturbing the page cache.
    #[expect(clippy::too_many_arguments, reason = "a span, and for whom")]
    fn read(
        &mut self,
        core: &mut Core,
        place: Place,
        what: ReadWhat,
        segment: Offset,
        position: Position,
        len: u32,
        reading: Reading,
    ) -> Planned {
        let partition = self.partitions.get(place.partition).expect("just planned");
        let Ok(mut buf) = core.pool().take(len as usize) else {
            // No memory for it now: answer without it rather than wait with what others have.
            return Planned::Done(reading.fetched);
        };
        buf.limit(len as usize);
        let token = self.disk.begin(Operation::Read(place.read(what)));
        core.read(&partition.files[&segment], u64::from(position.0), buf, ReadHow::Uncached, token);
        Planned::Reading(reading)
    }

    /// Records for a parked fetch have come back.
    pub(super) fn records_read(&mut self, core: &mut Core, read: Read, result: Result<BufMut, ErrorCode>) {
        self.slot_read(core, read, |_, _, reading| {
            let mut fetched = reading.fetched;
            match result {
                Ok(buf) => {
                    fetched.records = vec![Piece::Mem(buf.freeze())];
                    Planned::Done(fetched)
                }
                Err(error) => Planned::Done(Fetched::refused(fetched.order, error)),
            }
        });
    }

    /// What the log must see before it can answer a parked fetch has come back.
    pub(super) fn need_read(&mut self, core: &mut Core, read: Read, need: Need, result: Result<&[u8], ErrorCode>) {
        self.slot_read(core, read, |shard, core, Reading { ask, fetched }| match (result, shard.partitions.get_mut(read.partition)) {
            (Ok(bytes), Some(partition)) => {
                let plan = partition.log.read_on(&ask, &need, bytes);
                shard.follow(core, Place { partition: read.partition, park: read.park, slot: read.slot }, ask, plan, fetched)
            }
            (Err(error), Some(_)) => Planned::Done(Fetched::refused(fetched.order, error)),
            (_, None) => Planned::Done(Fetched::refused(fetched.order, ErrorCode::NotLeaderOrFollower)),
        });
    }

    /// One slot of a parked fetch goes on after its read.
    fn slot_read(&mut self, core: &mut Core, read: Read, go_on: impl FnOnce(&mut Shard, &mut Core, Reading) -> Planned) {
        let Some(mut parked) = self.fetches.lend(read.park) else { return };
        let slot = &mut parked.slots[read.slot as usize];
        let Slot::Reading(reading) = std::mem::replace(slot, Slot::Open) else { unreachable!("one read at a time for a slot") };
        let planned = go_on(self, core, reading);
        let reads_on = matches!(planned, Planned::Reading(_));
        parked.slots[read.slot as usize] = planned.into();
        parked.reads -= u32::from(!reads_on);
        let all_back = parked.reads == 0;
        self.fetches.give_back(read.park, parked);
        if all_back {
            self.attempt(core, read.park);
        }
    }

    fn finish(&mut self, park: ParkId, parked: ParkedFetch) {
        self.fetches.forget(park);
        if parked.watching {
            for wanted in &parked.ask.partitions {
                if let Some(partition) = self.partition_mut(&wanted.key) {
                    partition.waiting_fetches.retain(|waiting| *waiting != park);
                }
            }
        }
        let answer = parked
            .slots
            .into_iter()
            .map(|slot| match slot {
                Slot::Done(fetched) => fetched,
                Slot::Open | Slot::Reading(_) => unreachable!("a fetch ends when every partition is planned"),
            })
            .collect();
        self.mesh.answer(parked.ticket, Answer::Fetch(answer));
    }

    /// Waits for more: every partition names the fetch once, and everything is planned anew when one of them wakes it.
    fn watch(&mut self, park: ParkId, parked: &mut ParkedFetch) {
        parked.slots.fill_with(|| Slot::Open);
        if std::mem::replace(&mut parked.watching, true) {
            return;
        }
        for wanted in &parked.ask.partitions {
            if let Some(partition) = self.partition_mut(&wanted.key) {
                partition.waiting_fetches.push(park);
            }
        }
    }
}

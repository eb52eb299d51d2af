//! ListOffsets and DeleteRecords on the owning core.
//!
//! A search by time may have to see an index or some batches first; the ask is parked until all of its partitions have
//! found what they look for. Everything else is known at once.

use super::ask::{Answer, DeletePartitionRecords, DeletedRecords, ListOffset, ListedOffset};
use super::disk::{Operation, Read, ReadWhat};
use super::parking::ParkId;
use super::{Partition, Shard, Ticket};
use crate::error::ErrorCode;
use crate::log::names::SegmentFile;
use crate::log::{Need, TimeAsk, TimePlan};
use crate::types::{Epoch, Instant, Offset, Timestamp};
use millrace_io::{Core, ReadHow};
use tracing::error;

/// Kafka's marks in the place of a timestamp (`ListOffsetsRequest`).
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

pub struct ParkedOffsets {
    ticket: Ticket,
    asked: Vec<ListOffset>,
    found: Vec<ListedOffset>,
    reads: u32,
}

impl Shard {
    pub fn list_offsets(&mut self, core: &mut Core, ticket: Ticket, asked: Vec<ListOffset>) {
        let found = asked.iter().map(|one| ListedOffset::refused(one.order, ErrorCode::None)).collect();
        let count = asked.len();
        let park = self.listings.park(Instant::NEVER, ParkedOffsets { ticket, asked, found, reads: 0 });
        for slot in 0..u32::try_from(count).expect("fewer partitions than bytes in a frame") {
            self.list_offset(core, park, slot);
        }
        self.end_listing(park);
    }

    fn list_offset(&mut self, core: &mut Core, park: ParkId, slot: u32) {
        let mut parked = self.listings.lend(park).expect("parked until all is found");
        let asked = &parked.asked[slot as usize];
        let result = match self.find(&asked.key) {
            None => Err(ErrorCode::NotLeaderOrFollower),
            Some(id) => {
                let partition = self.partitions.get_mut(id).expect("just found");
                partition.check_readable().and_then(|()| partition.check_epoch(asked.leader_epoch)).map(|()| id)
            }
        };
        match result {
            Err(error) => parked.found[slot as usize] = ListedOffset::refused(asked.order, error),
            Ok(id) => {
                let partition = self.partitions.get_mut(id).expect("just found");
                match known(partition, asked) {
                    Ok(found) => parked.found[slot as usize] = found,
                    Err(ask) => {
                        let plan = partition.log.offset_for_time(&ask);
                        self.follow_time(core, &mut parked, Read { partition: id, park, slot, what: ReadWhat::Records }, plan);
                    }
                }
            }
        }
        self.listings.give_back(park, parked);
    }

    fn follow_time(&mut self, core: &mut Core, parked: &mut ParkedOffsets, read: Read, plan: TimePlan) {
        let partition = self.partitions.get(read.partition).expect("just planned");
        let asked = &parked.asked[read.slot as usize];
        let found = &mut parked.found[read.slot as usize];
        match plan {
            TimePlan::Found(at) if at.offset < partition.readable_end(asked.read_committed) => {
                found.timestamp = at.timestamp;
                found.offset = at.offset.0;
                found.leader_epoch = at.leader_epoch.unwrap_or(Epoch::UNKNOWN);
            }
            // Offset -1 and no error: nothing is as late as that.
            TimePlan::Found(_) | TimePlan::NotFound => {}
            TimePlan::Need(need) => {
                let read = Read { what: ReadWhat::Time(need), ..read };
                parked.reads += 1;
                if need.file == SegmentFile::Log {
                    let mut buf = core.pool().take_always(need.len as usize);
                    buf.limit(need.len as usize);
                    let token = self.disk.begin(Operation::Read(read));
                    core.read(&partition.files[&need.segment], u64::from(need.position.0), buf, ReadHow::Cached, token);
                } else {
                    self.read_index(core, read, need);
                }
            }
            TimePlan::Corrupt(corrupt) => {
                error!(topic = %partition.topic, partition = partition.key.index, ?corrupt, "the log does not hold what it should");
                *found = ListedOffset::refused(asked.order, ErrorCode::CorruptMessage);
            }
        }
    }

    /// A read for a search by time has come back.
    pub(super) fn time_read(&mut self, core: &mut Core, read: Read, need: Need, result: Result<&[u8], ErrorCode>) {
        let Some(mut parked) = self.listings.lend(read.park) else { return };
        parked.reads -= 1;
        let asked = &parked.asked[read.slot as usize];
        let ask = time_ask(asked.timestamp);
        match (result, self.partitions.get_mut(read.partition)) {
            (Ok(bytes), Some(partition)) => {
                let plan = partition.log.offset_for_time_on(&ask, &need, bytes);
                self.follow_time(core, &mut parked, read, plan);
            }
            (Err(error), Some(_)) => parked.found[read.slot as usize] = ListedOffset::refused(asked.order, error),
            (_, None) => parked.found[read.slot as usize] = ListedOffset::refused(asked.order, ErrorCode::NotLeaderOrFollower),
        }
        self.listings.give_back(read.park, parked);
        self.end_listing(read.park);
    }

    fn end_listing(&mut self, park: ParkId) {
        if self.listings.get_mut(park).is_some_and(|parked| parked.reads == 0) {
            let parked = self.listings.take(park).expect("just seen");
            self.mesh.answer(parked.ticket, Answer::ListOffsets(parked.found));
        }
    }

    /// Moves the log start. The files go in the background.
    pub fn delete_records(&mut self, asked: &DeletePartitionRecords) -> DeletedRecords {
        let refused = |error| DeletedRecords { order: asked.order, error, low_watermark: -1 };
        let Some(id) = self.find(&asked.key) else { return refused(ErrorCode::NotLeaderOrFollower) };
        let partition = self.partitions.get_mut(id).expect("just found");
        if let Err(error) = partition.check_writable() {
            return refused(error);
        }
        let offset = match asked.offset {
            -1 => None,
            offset if offset < 0 => return refused(ErrorCode::OffsetOutOfRange),
            offset => Some(Offset(offset)),
        };
        let high_watermark = partition.high_watermark();
        match partition.log.delete_records(offset, high_watermark) {
            Ok(start) => {
                partition.start_moved();
                self.background.shortened(id);
                DeletedRecords { order: asked.order, error: ErrorCode::None, low_watermark: start.0 }
            }
            Err(error) => refused(error),
        }
    }
}

/// The answer, if it needs no search; otherwise what to search for.
fn known(partition: &Partition, asked: &ListOffset) -> Result<ListedOffset, TimeAsk> {
    let at = |offset: Offset, leader_epoch: Option<Epoch>| ListedOffset {
        offset: offset.0,
        leader_epoch: leader_epoch.unwrap_or(Epoch::UNKNOWN),
        ..ListedOffset::refused(asked.order, ErrorCode::None)
    };
    let log = &partition.log;
    match asked.timestamp {
        LATEST => Ok(at(partition.readable_end(asked.read_committed), Some(partition.leader_epoch))),
        EARLIEST | EARLIEST_LOCAL => Ok(at(log.log_start(), log.epoch_at(log.log_start()))),
        // Nothing is tiered, and nothing waits for it.
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => Ok(at(Offset(-1), None)),
        timestamp => Err(time_ask(timestamp)),
    }
}

/// Marks that we do not know are times before all records, as in Kafka.
fn time_ask(timestamp: i64) -> TimeAsk {
    if timestamp == MAX_TIMESTAMP { TimeAsk::Max } else { TimeAsk::AtOrAfter(Timestamp(timestamp)) }
}

impl ListedOffset {
    pub fn refused(order: u32, error: ErrorCode) -> ListedOffset {
        ListedOffset { order, error, timestamp: Timestamp::NONE, offset: -1, leader_epoch: Epoch::UNKNOWN }
    }
}

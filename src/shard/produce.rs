//! Produce on the owning core: append every batch of an ask, and answer once all of them are acknowledged or refused.

use super::ask::{Answer, PartitionKey, Produce, Produced};
use super::parking::ParkId;
use super::{Shard, Ticket};
use crate::error::ErrorCode;
use crate::log::Now;
use crate::plants::Plant;
use crate::types::{Instant, Offset};
use millrace_io::{Buf, Core};
use std::ops::Range;

/// An ask whose batches are not all acknowledged.
pub struct ParkedProduce {
    ticket: Ticket,
    results: Vec<Produced>,
    /// Which of the results are still to be acknowledged.
    waiting: Vec<bool>,
}

impl Shard {
    pub fn produce(&mut self, core: &mut Core, ticket: Ticket, ask: Produce) {
        let now = Now { instant: core.now(), wall: core.wall() };
        let mut results = Vec::with_capacity(ask.partitions.len());
        let mut ends = Vec::with_capacity(ask.partitions.len());
        for partition in &ask.partitions {
            let (result, end) = self.append(core, now, &partition.key, &ask.frame, partition.records.clone(), partition.order);
            results.push(result);
            ends.push(end);
        }
        // `acks=0` is told of what is refused at once, and waits for nothing.
        let early = self.limits.plants.has(Plant::EarlyAcknowledgement);
        if ask.acks == 0 || early || ends.iter().all(Option::is_none) {
            self.mesh.answer(ticket, Answer::Produce(results));
            return;
        }
        let waiting = ends.iter().map(Option::is_some).collect();
        let park = self.produces.park(ask.deadline.max(now.instant), ParkedProduce { ticket, results, waiting });
        for (slot, (partition, end)) in (0u32..).zip(ask.partitions.iter().zip(ends)) {
            let found = end.and_then(|end| Some((self.partition_mut(&partition.key)?, end)));
            if let Some((partition, end)) = found {
                partition.wait_ack(end, park, slot);
            }
        }
    }

    /// Appends one batch; also the offset that the high watermark must reach before it is acknowledged.
    fn append(
        &mut self,
        core: &mut Core,
        now: Now,
        key: &PartitionKey,
        frame: &Buf,
        records: Range<usize>,
        order: u32,
    ) -> (Produced, Option<Offset>) {
        let Some(id) = self.find(key) else {
            return (Produced::refused(order, ErrorCode::NotLeaderOrFollower), None);
        };
        let partition = self.partitions.get_mut(id).expect("just found");
        if let Err(error) = partition.check_writable() {
            return (Produced::refused(order, error), None);
        }
        match partition.append(core.pool(), now, frame, records, &mut self.scratch) {
            Ok(appended) => {
                let produced = Produced {
                    base_offset: appended.base_offset.0,
                    log_append_time: appended.log_append_time.0,
                    log_start: appended.log_start.0,
                    ..Produced::refused(order, ErrorCode::None)
                };
                if let Some(write) = &appended.write {
                    self.dirty_now.push(id);
                    if self.limits.plants.has(Plant::EarlyHighWatermark) {
                        partition.believe_written();
                    }
                    if let Some(roll) = &write.rolled {
                        self.rolled(core, id, roll);
                    }
                }
                // A duplicate may be acknowledged already.
                let high_watermark = self.partitions.get(id).map(|partition| partition.high_watermark());
                (produced, Some(appended.end).filter(|end| high_watermark.is_none_or(|reached| reached < *end)))
            }
            Err(refused) => {
                let produced = Produced {
                    message: Some(refused.message),
                    record_errors: refused.record_errors.into_iter().map(|one| (one.index, Some(one.message))).collect(),
                    log_start: partition.log.log_start().0,
                    ..Produced::refused(order, refused.code)
                };
                (produced, None)
            }
        }
    }

    /// One batch of a parked request is acknowledged, or will not be.
    pub(super) fn settle(&mut self, park: ParkId, slot: u32, error: ErrorCode) {
        let Some(parked) = self.produces.get_mut(park) else { return };
        let slot = slot as usize;
        parked.waiting[slot] = false;
        if !error.is_ok() {
            let refused = Produced::refused(parked.results[slot].order, error);
            parked.results[slot] = refused;
        }
        if parked.waiting.iter().all(|waiting| !waiting) {
            let parked = self.produces.take(park).expect("just found");
            self.mesh.answer(parked.ticket, Answer::Produce(parked.results));
        }
    }

    /// Requests whose acknowledgement has taken too long are told so; their batches may still become durable.
    pub(super) fn expire_produces(&mut self, now: Instant) {
        while let Some(park) = self.produces.expired(now) {
            let mut parked = self.produces.take(park).expect("just found");
            for (result, waiting) in parked.results.iter_mut().zip(&parked.waiting) {
                if *waiting {
                    *result = Produced::refused(result.order, ErrorCode::RequestTimedOut);
                }
            }
            self.mesh.answer(parked.ticket, Answer::Produce(parked.results));
        }
    }
}

//! Requests that wait: for a write to come back, for records to arrive, or for their deadline.
//!
//! Lives on the owning core. A parked request is named by a [`ParkId`]; partitions keep the ids of who waits for them.
//! Ids are never used twice, so that a partition may still name a request that has long been answered.
//!
//! Invariants: every parked request has a deadline in `deadlines`; one that is answered is in neither table.

use crate::types::Instant;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ParkId(u64);

pub struct Parking<T> {
    next: u64,
    /// None while it is lent.
    parked: BTreeMap<ParkId, (Instant, Option<T>)>,
    deadlines: BTreeSet<(Instant, ParkId)>,
}

impl<T> Default for Parking<T> {
    fn default() -> Parking<T> {
        Parking { next: 0, parked: BTreeMap::new(), deadlines: BTreeSet::new() }
    }
}

impl<T> Parking<T> {
    pub fn park(&mut self, deadline: Instant, value: T) -> ParkId {
        let id = ParkId(self.next);
        self.next += 1;
        self.parked.insert(id, (deadline, Some(value)));
        self.deadlines.insert((deadline, id));
        id
    }

    pub fn get_mut(&mut self, id: ParkId) -> Option<&mut T> {
        self.parked.get_mut(&id)?.1.as_mut()
    }

    /// Takes it out: it is about to be answered.
    pub fn take(&mut self, id: ParkId) -> Option<T> {
        let value = self.lend(id)?;
        self.forget(id);
        Some(value)
    }

    /// Hands it out to be worked on; it stays parked until [`Parking::forget`], and comes back by
    /// [`Parking::give_back`].
    pub fn lend(&mut self, id: ParkId) -> Option<T> {
        self.parked.get_mut(&id)?.1.take()
    }

    pub fn give_back(&mut self, id: ParkId, value: T) {
        let place = &mut self.parked.get_mut(&id).expect("lent, not forgotten").1;
        assert!(place.is_none(), "lent once");
        *place = Some(value);
    }

    /// It has been answered.
    pub fn forget(&mut self, id: ParkId) {
        let (deadline, _) = self.parked.remove(&id).expect("parked until it is forgotten");
        self.deadlines.remove(&(deadline, id));
    }

    /// Takes away its deadline.
    pub fn postpone(&mut self, id: ParkId) {
        let (deadline, _) = self.parked.get_mut(&id).expect("parked until it is forgotten");
        self.deadlines.remove(&(*deadline, id));
        *deadline = Instant::NEVER;
        self.deadlines.insert((Instant::NEVER, id));
    }

    /// The next request whose deadline has come.
    pub fn expired(&self, now: Instant) -> Option<ParkId> {
        self.deadlines.first().filter(|(deadline, _)| *deadline <= now).map(|(_, id)| *id)
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline).filter(|deadline| *deadline != Instant::NEVER)
    }

    pub fn ids(&self) -> Vec<ParkId> {
        self.parked.keys().copied().collect()
    }

    /// The first parked request that `is` says yes to.
    pub fn find(&self, mut is: impl FnMut(&T) -> bool) -> Option<ParkId> {
        self.parked.iter().find(|(_, (_, value))| value.as_ref().is_some_and(&mut is)).map(|(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_deadline_is_found_and_a_taken_request_has_none() {
        let mut parking = Parking::default();
        let late = parking.park(Instant(20), "late");
        let early = parking.park(Instant(10), "early");
        assert_eq!(parking.deadline(), Some(Instant(10)));
        assert_eq!(parking.expired(Instant(9)), None);
        assert_eq!(parking.expired(Instant(10)), Some(early));
        assert_eq!(parking.take(early), Some("early"));
        assert_eq!(parking.take(early), None);
        assert_eq!(parking.expired(Instant(30)), Some(late));
    }
}

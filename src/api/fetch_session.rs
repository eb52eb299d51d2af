//! Fetch sessions (KIP-227): a client names its partitions once and afterwards only what changes.
//!
//! Lives on the core of the connection. A session's id says which core holds it, so that a client which comes back on
//! another core is told FETCH_SESSION_ID_NOT_FOUND and begins anew, as it would after a restart.
//!
//! What a request means (`org.apache.kafka.server.FetchManager.newContext`):
//!
//! | session id | epoch | |
//! |---|---|---|
//! | any | -1 | full fetch without a session; the session named is closed |
//! | any | 0 | full fetch; the session named is closed, a new one is made if there is room |
//! | unknown here | > 0 | FETCH_SESSION_ID_NOT_FOUND |
//! | known | not the one expected | INVALID_FETCH_SESSION_EPOCH |
//! | known, topics by id where it began by name, or the other way round | | FETCH_SESSION_TOPIC_ID_ERROR |
//! | known | expected | incremental: apply additions and removals, fetch all partitions of the session |
//!
//! Invariants: `order` and `partitions` hold the same entries; no more than `slots` sessions.

use crate::error::ErrorCode;
use crate::shard::Fetched;
use crate::types::{Epoch, Instant, Offset, ShardId, Uuid};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A session younger than this since its last use is not evicted for a new one (`min.incremental.fetch.session.eviction.ms`).
const EVICTION_AGE: Duration = Duration::from_secs(120);
/// The low bits of a session id name the core that holds it.
const CORE_BITS: u32 = 10;

/// A topic as the client named it: by id from version 13 on, by name before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TopicRef {
    Id(Uuid),
    Name(Arc<str>),
}

/// One partition as the client wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub topic: TopicRef,
    pub index: i32,
    pub offset: Offset,
    pub max_bytes: u32,
    pub leader_epoch: Epoch,
    pub last_fetched_epoch: Epoch,
}

/// What the response says about the session, and which partitions are to be fetched, in order.
#[derive(Debug)]
pub struct Context {
    /// 0: no session.
    pub session: i32,
    /// Answer only what has changed since the last time.
    pub incremental: bool,
    pub wanted: Vec<Wanted>,
}

pub struct Sessions {
    core: ShardId,
    slots: usize,
    /// Serial number of the next session.
    next: i32,
    by_id: BTreeMap<i32, Session>,
}

struct Session {
    /// Epoch that the next request must carry.
    epoch: i32,
    by_topic_id: bool,
    last_used: Instant,
    /// Fetch order: whoever returned records goes to the end, so that all make progress.
    order: BTreeMap<u64, Entry>,
    partitions: BTreeMap<(TopicRef, i32), u64>,
    next_place: u64,
}

struct Entry {
    wanted: Wanted,
    high_watermark: i64,
    last_stable: i64,
    log_start: i64,
}

impl Sessions {
    /// `slots`: sessions this core may hold, each some hundred bytes per partition.
    pub fn new(core: ShardId, slots: usize) -> Sessions {
        Sessions { core, slots, next: 1, by_id: BTreeMap::new() }
    }

    pub fn begin(
        &mut self,
        now: Instant,
        session: i32,
        epoch: i32,
        by_topic_id: bool,
        wanted: Vec<Wanted>,
        forgotten: Vec<(TopicRef, i32)>,
    ) -> Result<Context, ErrorCode> {
        if epoch == -1 {
            self.by_id.remove(&session);
            return Ok(Context { session: 0, incremental: false, wanted });
        }
        if epoch == 0 {
            self.by_id.remove(&session);
            let session = if wanted.is_empty() { 0 } else { self.open(now, by_topic_id, &wanted) };
            return Ok(Context { session, incremental: false, wanted });
        }
        let found = self.by_id.get_mut(&session).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if found.by_topic_id != by_topic_id {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        if found.epoch != epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        found.epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        found.last_used = now;
        for (topic, index) in forgotten {
            if let Some(place) = found.partitions.remove(&(topic, index)) {
                found.order.remove(&place);
            }
        }
        for one in wanted {
            found.want(one);
        }
        let wanted: Vec<Wanted> = found.order.values().map(|entry| entry.wanted.clone()).collect();
        if wanted.is_empty() {
            // Nothing left to fetch: the session ends, as in Kafka, and says so by id 0.
            self.by_id.remove(&session);
            return Ok(Context { session: 0, incremental: false, wanted });
        }
        Ok(Context { session, incremental: true, wanted })
    }

    /// Opens a session for a full fetch; 0 if there is no room.
    fn open(&mut self, now: Instant, by_topic_id: bool, wanted: &[Wanted]) -> i32 {
        if self.by_id.len() >= self.slots {
            let oldest = self.by_id.iter().min_by_key(|(_, s)| s.last_used).map(|(id, s)| (*id, s.last_used));
            match oldest {
                Some((id, used)) if now.since(used) > EVICTION_AGE => self.by_id.remove(&id),
                _ => return 0,
            };
        }
        let mut session =
            Session { epoch: 1, by_topic_id, last_used: now, order: BTreeMap::new(), partitions: BTreeMap::new(), next_place: 0 };
        for one in wanted {
            session.want(one.clone());
        }
        let id = loop {
            let id = self.next << CORE_BITS | i32::from(self.core.0);
            self.next = if self.next >= i32::MAX >> CORE_BITS { 1 } else { self.next + 1 };
            if !self.by_id.contains_key(&id) {
                break id;
            }
        };
        self.by_id.insert(id, session);
        id
    }

    /// Does the answer for this partition have to be told? Remembers what was told, and moves the partition to the end
    /// of the order if it had records.
    pub fn tell(&mut self, session: i32, topic: &TopicRef, index: i32, fetched: &Fetched) -> bool {
        // Closed in the meantime: telling too much does no harm.
        let Some(session) = self.by_id.get_mut(&session) else { return true };
        let key = (topic.clone(), index);
        let Some(&place) = session.partitions.get(&key) else { return true };
        let entry = session.order.get_mut(&place).expect("order and partitions hold the same");
        let seen = (fetched.high_watermark, fetched.last_stable, fetched.log_start);
        let changed = seen != (entry.high_watermark, entry.last_stable, entry.log_start);
        (entry.high_watermark, entry.last_stable, entry.log_start) = seen;
        if !fetched.error.is_ok() {
            // So that the end of the error is told too.
            entry.high_watermark = -1;
            return true;
        }
        if !fetched.is_empty() {
            let entry = session.order.remove(&place).expect("just seen");
            session.order.insert(session.next_place, entry);
            session.partitions.insert(key, session.next_place);
            session.next_place += 1;
            return true;
        }
        changed || fetched.diverging.is_some()
    }
}

impl Session {
    fn want(&mut self, wanted: Wanted) {
        let key = (wanted.topic.clone(), wanted.index);
        if let Some(place) = self.partitions.get(&key) {
            self.order.get_mut(place).expect("order and partitions hold the same").wanted = wanted;
            return;
        }
        self.order.insert(self.next_place, Entry { wanted, high_watermark: -1, last_stable: -1, log_start: -1 });
        self.partitions.insert(key, self.next_place);
        self.next_place += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str, offset: i64) -> Wanted {
        Wanted {
            topic: TopicRef::Name(name.into()),
            index: 0,
            offset: Offset(offset),
            max_bytes: 100,
            leader_epoch: Epoch::UNKNOWN,
            last_fetched_epoch: Epoch::UNKNOWN,
        }
    }

    fn names(context: &Context) -> Vec<String> {
        context.wanted.iter().map(|w| format!("{:?}@{}", w.topic, w.offset)).collect()
    }

    fn fetched(high_watermark: i64) -> Fetched {
        Fetched { high_watermark, ..Fetched::refused(0, ErrorCode::None) }
    }

    fn begin(s: &mut Sessions, id: i32, epoch: i32, wanted: Vec<Wanted>) -> Result<Context, ErrorCode> {
        s.begin(Instant(0), id, epoch, false, wanted, Vec::new())
    }

    #[test]
    fn a_session_remembers_partitions_and_expects_epochs_in_turn() {
        let mut s = Sessions::new(ShardId(3), 10);
        let first = begin(&mut s, 0, 0, vec![wanted("a", 1), wanted("b", 2)]).unwrap();
        assert!(first.session != 0 && !first.incremental);
        assert_eq!(first.session & 1023, 3, "the id names the core");
        let second = begin(&mut s, first.session, 1, vec![wanted("b", 5)]).unwrap();
        assert!(second.incremental);
        assert_eq!(names(&second), [r#"Name("a")@1"#, r#"Name("b")@5"#]);
        assert_eq!(begin(&mut s, first.session, 1, vec![]).unwrap_err(), ErrorCode::InvalidFetchSessionEpoch);
        assert_eq!(begin(&mut s, 77, 1, vec![]).unwrap_err(), ErrorCode::FetchSessionIdNotFound);
        assert_eq!(s.begin(Instant(0), first.session, 2, true, vec![], vec![]).unwrap_err(), ErrorCode::FetchSessionTopicIdError);
        let third = s.begin(Instant(0), first.session, 2, false, vec![], vec![(TopicRef::Name("a".into()), 0)]).unwrap();
        assert_eq!(names(&third), [r#"Name("b")@5"#]);
    }

    #[test]
    fn only_changes_are_told() {
        let mut s = Sessions::new(ShardId(0), 10);
        let id = begin(&mut s, 0, 0, vec![wanted("a", 0)]).unwrap().session;
        let a = TopicRef::Name("a".into());
        assert!(s.tell(id, &a, 0, &fetched(5)));
        assert!(!s.tell(id, &a, 0, &fetched(5)));
        assert!(s.tell(id, &a, 0, &fetched(6)));
        assert!(s.tell(id, &a, 0, &Fetched::refused(0, ErrorCode::KafkaStorageError)));
        assert!(s.tell(id, &a, 0, &fetched(6)), "the end of an error is told");
    }

    #[test]
    fn a_full_cache_keeps_the_young_and_evicts_the_old() {
        let mut s = Sessions::new(ShardId(0), 1);
        let id = begin(&mut s, 0, 0, vec![wanted("a", 0)]).unwrap().session;
        assert_eq!(begin(&mut s, 0, 0, vec![wanted("b", 0)]).unwrap().session, 0);
        let late = Instant(0) + EVICTION_AGE + Duration::from_secs(1);
        let next = s.begin(late, 0, 0, false, vec![wanted("b", 0)], vec![]).unwrap().session;
        assert!(next != 0 && next != id);
        assert_eq!(begin(&mut s, id, 1, vec![]).unwrap_err(), ErrorCode::FetchSessionIdNotFound);
    }
}

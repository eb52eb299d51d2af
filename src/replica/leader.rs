//! The leader's side of one partition. Pure; lives on the shard that owns the partition.
//!
//! ```text
//!  append ──▶ end ──▶ disk ──▶ durable ──┐
//!                                        ├─ the least of them ──▶ high watermark ──▶ consumers, acks=all
//!  followers' fetches ──▶ in_sync ───────┘
//! ```
//!
//! Durable means as durable as the topic asks: written, under Kafka's default; so that no consumer has read what a power
//! cut takes back.

use crate::error::ErrorCode;
use crate::types::{BrokerId, Epoch, Offset};
use std::collections::BTreeMap;

/// The leader's view of one partition's replication: who holds what, and how far readers may read.
///
/// Pure. Feed it an [`Event`], then carry out the [`Effect`]s it pushed, in any order or all at once.
/// Holds between any two events, and is checked after each:
/// - `start <= high_watermark <= durable <= end`, and the high watermark never goes back
/// - every in-sync follower holds everything below `high_watermark`
#[derive(Clone, Debug)]
pub struct Leader {
    epoch: Epoch,
    /// First offset held.
    start: Offset,
    /// Offset after the last record appended.
    end: Offset,
    /// Offset after the last record that is as durable here as the topic asks.
    durable: Offset,
    high_watermark: Offset,
    /// Offset each in-sync follower will ask for next; the leader itself is not in it. Ordered, so that every simulated
    /// run is the same everywhere.
    in_sync: BTreeMap<BrokerId, Offset>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Records up to here were appended.
    Appended { end: Offset },
    /// Everything below is as durable as the topic asks.
    Durable { upto: Offset },
    /// A follower asks for what begins here, so it holds all before.
    Fetched { by: BrokerId, offset: Offset },
    /// The image names these in-sync followers, the leader left out. One that was not among them holds at least what is
    /// below the high watermark: the controller took it in after it had caught up.
    InSync { followers: Vec<BrokerId> },
    /// The first offset held moved up: retention, or DeleteRecords.
    StartMoved { start: Offset },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Consumers may read below this; whoever waits for less is woken.
    Advance { high_watermark: Offset },
}

impl Leader {
    /// Leads from `epoch` on a log that holds `start … end`, all of it durable. With no in-sync follower everything is
    /// readable at once; otherwise what is below `high_watermark`, which a checkpoint remembers.
    pub fn new(epoch: Epoch, start: Offset, end: Offset, high_watermark: Offset, followers: &[BrokerId]) -> Leader {
        assert!(start <= end, "a log ends after it starts");
        let remembered = high_watermark.clamp(start, end);
        let mut leader = Leader {
            epoch,
            start,
            end,
            durable: end,
            high_watermark: remembered,
            in_sync: followers.iter().map(|follower| (*follower, remembered)).collect(),
        };
        leader.high_watermark = leader.reached();
        leader.check();
        leader
    }

    pub fn on_event(&mut self, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Appended { end } => {
                assert!(end >= self.end, "appending never shortens a log");
                self.end = end;
            }
            Event::Durable { upto } => {
                assert!(upto <= self.end, "what has not been appended is not durable");
                self.durable = self.durable.max(upto);
            }
            // A follower that claims more than was ever appended is believed no further: foreign bytes reach this.
            Event::Fetched { by, offset } => {
                let end = self.end;
                if let Some(held) = self.in_sync.get_mut(&by) {
                    *held = (*held).max(offset.min(end));
                }
            }
            Event::InSync { followers } => {
                let held = |follower: BrokerId| self.in_sync.get(&follower).copied().unwrap_or(self.high_watermark);
                self.in_sync = followers.into_iter().map(|follower| (follower, held(follower))).collect();
            }
            Event::StartMoved { start } => {
                assert!(start <= self.high_watermark, "what nobody may read yet is not deleted");
                self.start = self.start.max(start);
            }
        }
        let reached = self.reached();
        if reached > self.high_watermark {
            self.high_watermark = reached;
            effects.push(Effect::Advance { high_watermark: reached });
        }
        self.check();
    }

    /// Whether a produce with these `acks` may be appended under `min.insync.replicas`; checked before the append.
    pub fn admits(&self, acks: i16, min_insync_replicas: u32) -> Result<(), ErrorCode> {
        if acks == -1 && self.in_sync_count() < min_insync_replicas { Err(ErrorCode::NotEnoughReplicas) } else { Ok(()) }
    }

    /// The leader included.
    pub fn in_sync_count(&self) -> u32 {
        1 + u32::try_from(self.in_sync.len()).expect("brokers are few")
    }

    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    pub fn start(&self) -> Offset {
        self.start
    }

    pub fn end(&self) -> Offset {
        self.end
    }

    pub fn durable(&self) -> Offset {
        self.durable
    }

    /// What everybody holds who must.
    fn reached(&self) -> Offset {
        self.in_sync.values().copied().fold(self.durable, Offset::min).max(self.high_watermark)
    }

    fn check(&self) {
        assert!(self.start <= self.high_watermark, "readers begin at the start");
        assert!(self.high_watermark <= self.durable, "readers see only what is durable");
        assert!(self.durable <= self.end, "what is durable has been appended");
        assert!(self.in_sync.values().all(|held| *held >= self.high_watermark), "in-sync followers hold what readers see");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `event > effect` lines on a leader of an empty log with two in-sync followers, b2 and b3, unless the first
    /// line says `alone`.
    fn check(script: &str) {
        let alone = script.trim_start().starts_with("alone");
        let followers: &[BrokerId] = if alone { &[] } else { &[BrokerId(2), BrokerId(3)] };
        let mut leader = Leader::new(Epoch(1), Offset(0), Offset(0), Offset(0), followers);
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "alone") {
            let (event, expected) = line.split_once('>').unwrap_or((line, ""));
            let mut effects = Vec::new();
            leader.on_event(parse(event), &mut effects);
            let shown: Vec<String> = effects.iter().map(|Effect::Advance { high_watermark }| format!("advance {high_watermark}")).collect();
            assert_eq!(shown.join(", "), expected.trim(), "{line}");
        }
    }

    fn parse(event: &str) -> Event {
        let words: Vec<&str> = event.split_whitespace().collect();
        let offset = |at: usize| Offset(words[at].parse().unwrap());
        let broker = |word: &str| BrokerId(word.trim_start_matches('b').parse().unwrap());
        match words[0] {
            "append" => Event::Appended { end: offset(1) },
            "durable" => Event::Durable { upto: offset(1) },
            "fetch" => Event::Fetched { by: broker(words[1]), offset: offset(2) },
            "isr" => Event::InSync { followers: words[1..].iter().map(|word| broker(word)).collect() },
            "start" => Event::StartMoved { start: offset(1) },
            other => panic!("{other}?"),
        }
    }

    #[test]
    fn readers_wait_for_the_slowest_in_sync_follower() {
        check(
            "append  5
             durable 5
             fetch   b2 5
             fetch   b3 3    > advance 3
             fetch   b3 5    > advance 5",
        );
    }

    #[test]
    fn readers_wait_for_the_disk_of_the_leader() {
        check(
            "alone
             append  5
             append  9
             durable 5       > advance 5
             durable 5
             durable 9       > advance 9",
        );
    }

    #[test]
    fn a_follower_that_leaves_the_in_sync_replicas_holds_nobody_up() {
        check(
            "append  5
             durable 5
             fetch   b2 5
             isr     b2      > advance 5
             isr
             append  7
             durable 7       > advance 7",
        );
    }

    #[test]
    fn a_follower_that_comes_back_counts_from_the_high_watermark() {
        check(
            "isr     b2
             append  5
             durable 5
             fetch   b2 5    > advance 5
             isr     b2 b3
             append  6
             durable 6
             fetch   b2 6
             fetch   b3 6    > advance 6",
        );
    }

    #[test]
    fn a_follower_that_claims_what_was_never_appended_moves_nothing() {
        check(
            "append  5
             durable 5
             fetch   b2 900
             fetch   b3 900  > advance 5
             append  6
             durable 6
             fetch   b2 6
             fetch   b9 6
             fetch   b3 6    > advance 6",
        );
    }

    #[test]
    fn a_fetch_that_goes_back_does_not_take_back_what_readers_saw() {
        check(
            "append  5
             durable 5
             fetch   b2 5
             fetch   b3 5    > advance 5
             fetch   b3 1
             start   3",
        );
    }

    #[test]
    fn a_leader_alone_admits_acks_all_only_if_one_replica_is_enough() {
        let alone = Leader::new(Epoch(0), Offset(0), Offset(7), Offset(3), &[]);
        assert_eq!(alone.high_watermark(), Offset(7));
        assert_eq!(alone.admits(-1, 1), Ok(()));
        assert_eq!(alone.admits(-1, 2), Err(ErrorCode::NotEnoughReplicas));
        assert_eq!(alone.admits(1, 2), Ok(()));
        let with_follower = Leader::new(Epoch(0), Offset(0), Offset(7), Offset(3), &[BrokerId(2)]);
        assert_eq!(with_follower.high_watermark(), Offset(3));
        assert_eq!(with_follower.admits(-1, 2), Ok(()));
    }

    /// Leans on the machine's own assertions; the model is the plain definition of the high watermark.
    #[test]
    fn on_any_walk_the_high_watermark_is_what_everybody_holds() {
        for seed in 0..200 {
            let mut random = crate::metadata::tests::Random(seed);
            let mut leader = Leader::new(Epoch(0), Offset(0), Offset(0), Offset(0), &[BrokerId(2)]);
            let mut told = Offset(0);
            for _ in 0..200 {
                let offset = Offset(random.below(u64::try_from(leader.end().0).unwrap() + 4) as i64);
                let event = match random.below(5) {
                    0 => Event::Appended { end: leader.end().plus(random.below(5) as u32) },
                    1 => Event::Durable { upto: offset.min(leader.end()) },
                    2 => Event::Fetched { by: BrokerId(random.below(4) as i32), offset },
                    3 => Event::InSync { followers: (1..4).filter(|_| random.below(2) == 0).map(BrokerId).collect() },
                    _ => Event::StartMoved { start: offset.min(leader.high_watermark()) },
                };
                let mut effects = Vec::new();
                leader.on_event(event, &mut effects);
                for Effect::Advance { high_watermark } in effects {
                    assert!(high_watermark > told);
                    told = high_watermark;
                }
                assert_eq!(told, leader.high_watermark());
                let least = leader.in_sync.values().copied().fold(leader.durable(), Offset::min);
                assert_eq!(leader.high_watermark(), least.max(told));
            }
        }
    }
}

//! The way of every change to the metadata, from its decision to its answer: what is written next, what is committed, who
//! has applied it, who is answered. The quorum is this broker, so that what is on its disk is committed.
//!
//! ```text
//!                 flush: one write at a time         synced
//!   proposed ───────────────▶ writing ─▶ syncing ───────────▶ committed, published ──▶ applied by every shard
//!      ▲                                                            │                          │
//!  decisions are made on top of                       deadline: still answered        whoever waited for it
//!  what is proposed                                   before: REQUEST_TIMED_OUT       is answered
//! ```
//!
//! Records are counted, not held: [`crate::metadata::Quorum`] has them, and the images that they come to. The shell keeps the
//! replies of those who wait. An offset is always an end: the number of records before it.
//!
//! Pure. Feed it an [`Event`], then carry out the [`Effect`]s it pushed, in their order.
//! Holds between any two events, and is checked after each:
//! - applied by a shard ≤ committed ≤ taken for writing ≤ proposed, and none of them goes back
//! - nothing is taken for writing while a write, a sync, a roll or a repair is under way
//! - whoever waits waits for more than what every shard has applied

use crate::types::{Instant, Offset, ShardId};
use std::collections::{BTreeMap, BTreeSet};

/// Somebody who waits for an answer. Ids grow, and are never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitId(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// So many records were decided on top of all that is proposed.
    Proposed {
        records: u32,
    },
    /// Somebody's answer rests on all that is proposed, whether or not some of it is for them.
    Waits {
        wait: WaitId,
        deadline: Instant,
    },
    /// The turn ends.
    Flush,
    /// The last [`Effect::Write`] is in the file.
    Written,
    Synced,
    /// The disk has no room for the last [`Effect::Write`]; of what was there before, nothing is harmed.
    Full,
    /// The log is again as it was before that write.
    Mended,
    /// A new file is being made for what will be written; [`Proposals::is_idle`] has been asked.
    Rolling,
    Rolled,
    /// This shard is as the metadata up to here says.
    Applied {
        shard: ShardId,
        end: Offset,
    },
    Tick {
        now: Instant,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Write everything that is proposed, which ends here, as one batch.
    Write {
        end: Offset,
    },
    /// Make what was written durable.
    Sync,
    /// The records before this are committed: tell every shard.
    Publish {
        end: Offset,
    },
    /// Every shard is ready for the first time.
    Serve,
    Answer(WaitId),
    /// Its time is over, and what it waits for is not committed.
    TimeOut(WaitId),
    /// What it waits for will not be: there is no room for it.
    Refuse(WaitId),
    /// Forget everything that is not committed, and cut the log back to that. Nothing is written until that is done.
    Mend {
        end: Offset,
    },
}

#[derive(Debug)]
pub struct Proposals {
    proposed: Offset,
    /// End of what has been written or is being written.
    taken: Offset,
    committed: Offset,
    /// By shard; `None` until it has said something.
    applied: Vec<Option<Offset>>,
    serving: bool,
    doing: Doing,
    waiting: BTreeMap<WaitId, Wait>,
    deadlines: BTreeSet<(Instant, WaitId)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Nothing,
    Writing,
    Syncing,
    Rolling,
    Mending,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    until: Offset,
    deadline: Instant,
}

impl Proposals {
    /// Begins with a durable log that ends at `end`.
    pub fn new(cores: u16, end: Offset) -> Proposals {
        Proposals {
            proposed: end,
            taken: end,
            committed: end,
            applied: vec![None; usize::from(cores)],
            serving: false,
            doing: Doing::Nothing,
            waiting: BTreeMap::new(),
            deadlines: BTreeSet::new(),
        }
    }

    /// Does nothing go on with the file, so that another one may be begun?
    pub fn is_idle(&self) -> bool {
        self.doing == Doing::Nothing
    }

    /// Where the next record goes.
    pub fn proposed(&self) -> Offset {
        self.proposed
    }

    /// Is everything that was proposed committed, and nothing being written?
    pub fn is_quiet(&self) -> bool {
        self.is_idle() && self.committed == self.proposed
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline).filter(|deadline| *deadline != Instant::NEVER)
    }

    pub fn on_event(&mut self, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Proposed { records } => self.proposed = self.proposed.plus(records),
            Event::Waits { wait, deadline } => self.on_waits(wait, deadline, effects),
            Event::Flush => self.on_flush(effects),
            Event::Written => {
                assert_eq!(self.doing, Doing::Writing);
                self.doing = Doing::Syncing;
                effects.push(Effect::Sync);
            }
            Event::Synced => {
                assert_eq!(self.doing, Doing::Syncing);
                self.doing = Doing::Nothing;
                self.committed = self.taken;
                effects.push(Effect::Publish { end: self.committed });
            }
            Event::Full => self.on_full(effects),
            Event::Mended => {
                assert_eq!(self.doing, Doing::Mending);
                self.doing = Doing::Nothing;
            }
            Event::Rolling => {
                assert_eq!(self.doing, Doing::Nothing);
                self.doing = Doing::Rolling;
            }
            Event::Rolled => {
                assert_eq!(self.doing, Doing::Rolling);
                self.doing = Doing::Nothing;
            }
            Event::Applied { shard, end } => self.on_applied(shard, end, effects),
            Event::Tick { now } => self.on_tick(now, effects),
        }
        self.check();
    }

    fn on_waits(&mut self, wait: WaitId, deadline: Instant, effects: &mut Vec<Effect>) {
        assert!(self.waiting.last_key_value().is_none_or(|(last, _)| *last < wait), "ids grow");
        if self.applied_by_all() == Some(self.proposed) {
            effects.push(Effect::Answer(wait));
            return;
        }
        self.waiting.insert(wait, Wait { until: self.proposed, deadline });
        self.deadlines.insert((deadline, wait));
    }

    fn on_flush(&mut self, effects: &mut Vec<Effect>) {
        if self.doing == Doing::Nothing && self.taken < self.proposed {
            self.doing = Doing::Writing;
            effects.push(Effect::Write { end: self.proposed });
            self.taken = self.proposed;
        }
    }

    /// What was decided on top of what could not be written is refused with it.
    fn on_full(&mut self, effects: &mut Vec<Effect>) {
        assert_eq!(self.doing, Doing::Writing);
        self.doing = Doing::Mending;
        self.taken = self.committed;
        self.proposed = self.committed;
        effects.push(Effect::Mend { end: self.committed });
        let first = self.waiting.iter().find(|(_, wait)| wait.until > self.committed).map(|(id, _)| *id);
        for (id, wait) in first.map(|first| self.waiting.split_off(&first)).unwrap_or_default() {
            self.deadlines.remove(&(wait.deadline, id));
            effects.push(Effect::Refuse(id));
        }
    }

    fn on_applied(&mut self, shard: ShardId, end: Offset, effects: &mut Vec<Effect>) {
        let applied = &mut self.applied[usize::from(shard.0)];
        assert!(*applied <= Some(end) && end <= self.committed, "a shard applies what was published, in order");
        *applied = Some(end);
        let Some(all) = self.applied_by_all() else { return };
        if !self.serving {
            self.serving = true;
            effects.push(Effect::Serve);
        }
        while let Some((&wait, &Wait { until, deadline })) = self.waiting.first_key_value()
            && until <= all
        {
            self.waiting.remove(&wait);
            self.deadlines.remove(&(deadline, wait));
            effects.push(Effect::Answer(wait));
        }
    }

    fn on_tick(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        while let Some(&(deadline, wait)) = self.deadlines.first()
            && deadline <= now
        {
            self.deadlines.remove(&(deadline, wait));
            let Wait { until, .. } = self.waiting.remove(&wait).expect("who has a deadline waits");
            effects.push(if until <= self.committed { Effect::Answer(wait) } else { Effect::TimeOut(wait) });
        }
    }

    /// What every shard has applied.
    fn applied_by_all(&self) -> Option<Offset> {
        self.applied.iter().copied().min().flatten()
    }

    fn check(&self) {
        assert!(self.committed <= self.taken && self.taken <= self.proposed);
        assert!(self.applied.iter().flatten().all(|applied| *applied <= self.committed));
        match self.doing {
            Doing::Nothing | Doing::Rolling | Doing::Mending => assert_eq!(self.committed, self.taken),
            Doing::Writing | Doing::Syncing => assert!(self.committed < self.taken),
        }
        assert_eq!(self.waiting.len(), self.deadlines.len());
        assert!(self.waiting.first_key_value().is_none_or(|(_, wait)| Some(wait.until) > self.applied_by_all()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a script of `event > effects`, for two shards and a log that is empty.
    ///
    /// Events: `decide W RECORDS DEADLINE` (proposed, and W waits), `flush`, `written`, `synced`, `full`, `mended`,
    /// `rolling`, `rolled`, `applied SHARD END`, `tick NOW`.
    fn check(script: &str) {
        let mut proposals = Proposals::new(2, Offset(0));
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (event, expected) = line.split_once('>').unwrap_or((line, ""));
            let words: Vec<&str> = event.split_whitespace().collect();
            let number = |i: usize| words[i].parse::<u64>().unwrap();
            let mut effects = Vec::new();
            let event = match words[0] {
                "decide" => {
                    proposals.on_event(Event::Proposed { records: u32::try_from(number(2)).unwrap() }, &mut effects);
                    Event::Waits { wait: WaitId(number(1)), deadline: Instant(number(3)) }
                }
                "flush" => Event::Flush,
                "written" => Event::Written,
                "synced" => Event::Synced,
                "full" => Event::Full,
                "mended" => Event::Mended,
                "rolling" => Event::Rolling,
                "rolled" => Event::Rolled,
                "applied" => {
                    Event::Applied { shard: ShardId(u16::try_from(number(1)).unwrap()), end: Offset(i64::try_from(number(2)).unwrap()) }
                }
                "tick" => Event::Tick { now: Instant(number(1)) },
                word => panic!("no event {word}"),
            };
            proposals.on_event(event, &mut effects);
            let told: Vec<String> = effects.iter().map(tell).collect();
            assert_eq!(told.join(", "), expected.trim(), "{line}");
        }
    }

    fn tell(effect: &Effect) -> String {
        match effect {
            Effect::Write { end } => format!("write {end}"),
            Effect::Sync => "sync".into(),
            Effect::Publish { end } => format!("publish {end}"),
            Effect::Serve => "serve".into(),
            Effect::Answer(wait) => format!("answer {}", wait.0),
            Effect::TimeOut(wait) => format!("timeout {}", wait.0),
            Effect::Refuse(wait) => format!("refuse {}", wait.0),
            Effect::Mend { end } => format!("mend {end}"),
        }
    }

    #[test]
    fn an_answer_waits_for_the_disk_and_for_every_shard() {
        check(
            "applied 0 0
             applied 1 0     > serve
             decide 1 3 99
             flush           > write 3
             written        > sync
             synced          > publish 3
             applied 1 3
             applied 0 3     > answer 1",
        );
    }

    #[test]
    fn what_is_decided_during_a_write_is_written_by_the_next_one_together() {
        check(
            "applied 0 0
             applied 1 0     > serve
             decide 1 1 99
             flush           > write 1
             decide 2 2 99
             flush
             decide 3 1 99
             written        > sync
             flush
             synced          > publish 1
             flush           > write 4
             applied 0 1
             applied 1 1     > answer 1
             written        > sync
             synced          > publish 4
             applied 0 4
             applied 1 4     > answer 2, answer 3",
        );
    }

    #[test]
    fn a_decision_that_changes_nothing_is_answered_at_once_unless_it_may_rest_on_what_is_not_committed() {
        check(
            "applied 0 0
             applied 1 0     > serve
             decide 1 0 99   > answer 1
             decide 2 1 99
             decide 3 0 99
             flush           > write 1
             written         > sync
             synced          > publish 1
             applied 0 1
             decide 4 0 99
             applied 1 1     > answer 2, answer 3, answer 4
             decide 5 0 99   > answer 5",
        );
    }

    #[test]
    fn whose_time_is_over_before_the_commit_is_told_so_and_after_it_is_answered() {
        check(
            "applied 0 0
             applied 1 0     > serve
             decide 1 1 50
             decide 2 1 60
             flush           > write 2
             tick 49
             tick 50         > timeout 1
             written         > sync
             synced          > publish 2
             tick 60         > answer 2
             applied 0 2
             applied 1 2",
        );
    }

    #[test]
    fn a_full_disk_refuses_what_is_not_committed_and_nothing_else() {
        check(
            "applied 0 0
             applied 1 0     > serve
             decide 1 1 99
             flush           > write 1
             written         > sync
             synced          > publish 1
             decide 2 2 99
             flush           > write 3
             decide 3 0 99
             full            > mend 1, refuse 2, refuse 3
             flush
             decide 4 1 99
             flush
             mended
             flush           > write 2
             applied 0 1
             applied 1 1     > answer 1",
        );
    }

    #[test]
    fn it_serves_once_when_the_last_shard_is_ready() {
        check(
            "applied 1 0
             applied 0 0     > serve
             applied 0 0",
        );
    }

    #[test]
    fn nothing_is_written_while_the_log_is_rolled() {
        check(
            "applied 0 0
             applied 1 0     > serve
             rolling
             decide 1 1 99
             flush
             rolled
             flush           > write 1
             written         > sync
             synced          > publish 1",
        );
    }

    /// Any order of events that a shell can bring keeps what [`Proposals::check`] asserts, and everybody is answered once.
    #[test]
    fn a_random_walk_answers_everybody_once() {
        for seed in 1..200u64 {
            let mut state = seed;
            let mut random = move |below: u64| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 33) % below
            };
            let mut proposals = Proposals::new(3, Offset(0));
            let (mut published, mut applied) = (vec![Offset(0)], [0usize; 3]);
            let (mut waits, mut answered, mut now) = (0, BTreeSet::new(), 0);
            let mut effects = Vec::new();
            let mut running: Vec<Event> = Vec::new();
            for step in 0..400 {
                let draining = step >= 300;
                let event = match random(7) {
                    6 if proposals.is_idle() => {
                        running.push(Event::Rolled);
                        Event::Rolling
                    }
                    0 | 1 if !draining => {
                        waits += 1;
                        proposals.on_event(Event::Proposed { records: u32::try_from(random(3)).unwrap() }, &mut effects);
                        Event::Waits { wait: WaitId(waits), deadline: Instant(now + random(30)) }
                    }
                    2 if !running.is_empty() => running.remove(usize::try_from(random(running.len() as u64)).unwrap()),
                    3 => {
                        let shard = random(3);
                        let place = &mut applied[usize::try_from(shard).unwrap()];
                        *place = (*place + 1).min(published.len() - 1);
                        Event::Applied { shard: ShardId(u16::try_from(shard).unwrap()), end: published[*place] }
                    }
                    4 => {
                        now += random(10);
                        Event::Tick { now: Instant(now) }
                    }
                    _ => Event::Flush,
                };
                proposals.on_event(event, &mut effects);
                for effect in effects.drain(..) {
                    match effect {
                        Effect::Write { .. } if random(10) == 0 => running.push(Event::Full),
                        Effect::Write { .. } => running.push(Event::Written),
                        Effect::Mend { .. } => running.push(Event::Mended),
                        Effect::Sync => running.push(Event::Synced),
                        Effect::Publish { end } => published.push(end),
                        Effect::Answer(wait) | Effect::TimeOut(wait) | Effect::Refuse(wait) => {
                            assert!(answered.insert(wait), "seed {seed}: answered twice")
                        }
                        Effect::Serve => {}
                    }
                }
            }
            proposals.on_event(Event::Tick { now: Instant(now + 100) }, &mut effects);
            answered.extend(effects.drain(..).filter_map(|effect| match effect {
                Effect::Answer(wait) | Effect::TimeOut(wait) => Some(wait),
                _ => None,
            }));
            assert_eq!(answered.len() as u64, waits, "seed {seed}");
        }
    }
}

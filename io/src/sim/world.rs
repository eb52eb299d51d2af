//! [`World`]: what a test holds. Machines, the network between them, time, and one queue of everything that will happen.
//!
//! ```text
//!   World::step: take the earliest item ──▶ a packet, a completion, a parcel … ──▶ inbox of a core ──▶ wakes it, soon
//!                                      └──▶ a core wakes: one turn with all of its inbox ──▶ asks ──▶ items, later
//! ```
//!
//! Ties are broken by draw. Whatever takes time takes a drawn time, so the order in which independent things complete is
//! drawn as well. Two worlds of one seed, given the same programs, do the same; [`World::schedule_hash`] says whether.

use super::content::Wreck;
use super::core::Ports;
use super::disk::{self, Caller, Disk};
use super::faults::{Crash, DiskOp, Failure, Faults};
use super::fs;
use super::machine::{Cause, Clock, CoreRef, Death, Machine, MachineId, Make, Spec};
use super::net::{Attempt, ConnId, Net, Packet, Side};
use super::rng::{Hash, Rng};
use crate::{Event, Fs, Instant, Signal, Timestamp};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How often the weather changes: [`Faults`] that happen by the tick.
const TICK_NS: u64 = 100_000_000;

/// Something that will happen.
pub enum Item {
    /// A core looks for work.
    Wake(CoreRef),
    Inbox(CoreRef, Event),
    FileDone {
        machine: usize,
        process: u32,
        id: u64,
    },
    Chore {
        machine: usize,
        process: u32,
    },
    Attempt(Box<Attempt>),
    Packet {
        conn: ConnId,
        side: Side,
        packet: Packet,
        era: u32,
    },
    Receive {
        conn: ConnId,
        side: Side,
    },
    /// A receive that found the pool full looks again.
    Hungry {
        conn: ConnId,
        side: Side,
    },
    Sent {
        conn: ConnId,
        side: Side,
    },
    GiveUp {
        conn: ConnId,
        side: Side,
        wait: u64,
    },
    Start {
        machine: usize,
        process: u32,
    },
    Heal,
    Tick,
}

struct Scheduled {
    at: u64,
    tie: u64,
    /// Only to make the order total.
    serial: u64,
    item: Item,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Scheduled) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Scheduled {}
impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Scheduled) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scheduled {
    /// The earliest is the greatest, as the heap wants it.
    fn cmp(&self, other: &Scheduled) -> Ordering {
        (other.at, other.tie, other.serial).cmp(&(self.at, self.tie, self.serial))
    }
}

pub struct World {
    pub(super) seed: u64,
    pub(super) now: u64,
    /// While a turn's asks are carried out: how long the turn took.
    pub(super) turn_ns: u64,
    queue: BinaryHeap<Scheduled>,
    serials: u64,
    pub(super) rng: Rng,
    pub(super) faults: Faults,
    /// Somebody may have changed the faults; disks have copies.
    faults_changed: bool,
    ticking: bool,
    pub(super) machines: Vec<Machine>,
    pub(super) net: Net,
    pub(super) file_ops: u64,
    hash: Hash,
    pub(super) trace: bool,
    steps: u64,
}

impl World {
    pub fn new(seed: u64, faults: Faults) -> World {
        World {
            seed,
            now: 0,
            turn_ns: 0,
            queue: BinaryHeap::new(),
            serials: 0,
            rng: Rng::new(seed),
            faults,
            faults_changed: true,
            ticking: false,
            machines: Vec::new(),
            net: Net::default(),
            file_ops: 0,
            hash: Hash::default(),
            trace: false,
            steps: 0,
        }
    }

    // ---- machines

    /// A machine, down. `make` is called for each core at each start.
    pub fn machine(&mut self, spec: Spec, make: Make) -> MachineId {
        for other in &self.machines {
            assert!(
                other.spec.addresses.iter().all(|a| !spec.addresses.contains(a)),
                "{} and {} share an address",
                spec.name,
                other.spec.name
            );
        }
        let mut rng = self.rng.fork();
        let mut disk = Disk::new(&spec.name, rng.fork());
        disk.trace = self.trace;
        self.faults_changed = true;
        self.machines.push(Machine {
            make: Some(make),
            disk: Arc::new(Mutex::new(disk)),
            ports: Ports::new(spec.addresses.clone()),
            clock: Clock::new(&mut rng),
            rng,
            cores: Vec::new(),
            process: 0,
            up: false,
            powered: true,
            in_flight: BTreeMap::new(),
            chores: VecDeque::new(),
            chore_due: false,
            signalled: false,
            deaths: Vec::new(),
            spec,
        });
        MachineId(self.machines.len() - 1)
    }

    /// Starts the next process of a machine that is down: its programs are made now and have their first turns soon.
    pub fn start(&mut self, machine: MachineId) {
        assert!(!self.machines[machine.0].up, "{} is up", self.machines[machine.0].spec.name);
        self.apply_faults();
        self.boot(machine.0);
    }
    /// `kill -9`. The page cache stays; file operations under way happen, or not, or in part.
    pub fn crash_process(&mut self, machine: MachineId) {
        self.die(machine.0, Cause::Crash(Crash::Process));
    }
    /// Of what was not synced, each sector is kept, dropped or torn, and a prefix of the changes of names survives.
    pub fn power_cut(&mut self, machine: MachineId) {
        self.die(machine.0, Cause::Crash(Crash::Power));
    }
    /// SIGTERM: core 0 hears of it. A second one ends the process.
    pub fn terminate(&mut self, machine: MachineId) {
        let m = &mut self.machines[machine.0];
        if std::mem::replace(&mut m.signalled, true) {
            return self.crash_process(machine);
        }
        let at = CoreRef { machine: machine.0, core: 0, process: m.process };
        self.push(0, Item::Inbox(at, Event::Signal(Signal::Terminate)));
    }
    /// The process, or the power, goes at the `nth` (from 1) blocking file operation from now on, a chore's or another.
    pub fn crash_at_op(&mut self, machine: MachineId, nth: u64, crash: Crash) {
        assert!(nth > 0, "counted from one");
        disk::lock(&self.machines[machine.0].disk).crash_in(Some((nth, crash)));
    }

    pub fn is_up(&self, machine: MachineId) -> bool {
        self.machines[machine.0].up
    }
    pub fn deaths(&self, machine: MachineId) -> &[Death] {
        &self.machines[machine.0].deaths
    }
    /// Exit status and line of every [`crate::fatal`].
    pub fn fatals(&self, machine: MachineId) -> Vec<(i32, String)> {
        let fatal = |death: &Death| match &death.cause {
            Cause::Fatal(status, line) => Some((*status, line.clone())),
            _ => None,
        };
        self.machines[machine.0].deaths.iter().filter_map(fatal).collect()
    }
    /// How soon the machine starts again after a death; `None`: not by itself.
    pub fn set_restart(&mut self, machine: MachineId, restart: Option<(Duration, Duration)>) {
        self.machines[machine.0].spec.restart = restart;
    }

    // ---- disks

    /// The machine's files as seen from outside: no faults, no time, no part of the schedule. For tests that prepare or inspect.
    pub fn fs(&self, machine: MachineId) -> Fs {
        Fs::Sim(fs::Fs::new(self.machines[machine.0].disk.clone(), Caller::Outside))
    }
    /// Mounts a volume of its own on `path`, before the first start.
    pub fn mount(&mut self, machine: MachineId, path: &str, capacity: u64) {
        disk::lock(&self.machines[machine.0].disk).mount(path, capacity);
    }
    /// Bytes of the volume that `path` is on.
    pub fn set_capacity(&mut self, machine: MachineId, path: &str, bytes: u64) {
        disk::lock(&self.machines[machine.0].disk).volume_mut(path).capacity = bytes;
    }
    /// Every operation on the volume that `path` is on fails, until it is mended or the world is quiet.
    pub fn break_volume(&mut self, machine: MachineId, path: &str, broken: bool) {
        disk::lock(&self.machines[machine.0].disk).volume_mut(path).broken = broken;
    }
    pub fn fail(&mut self, machine: MachineId, failure: Failure) {
        disk::lock(&self.machines[machine.0].disk).fail(failure);
    }
    /// The `nth` operation of this kind, on a path that matches, fails once with EIO.
    pub fn fail_nth(&mut self, machine: MachineId, op: DiskOp, nth: u64, path: impl Fn(&str) -> bool + Send + 'static) {
        self.fail(machine, Failure::next(op, path).nth(nth));
    }
    /// Nothing that is asked of the machine's disk from now on completes within this time.
    pub fn stall_disk(&mut self, machine: MachineId, time: Duration) {
        disk::lock(&self.machines[machine.0].disk).stalled_until = self.now + nanos(time);
    }
    /// What power cuts have done to unsynced sectors of this machine so far.
    pub fn wreck(&self, machine: MachineId) -> Wreck {
        disk::lock(&self.machines[machine.0].disk).volumes().fold(Wreck::default(), |sum, volume| Wreck {
            kept: sum.kept + volume.wreck.kept,
            dropped: sum.dropped + volume.wreck.dropped,
            torn: sum.torn + volume.wreck.torn,
        })
    }

    // ---- network

    /// Nothing gets from one to the other, in either direction, until healed.
    pub fn cut(&mut self, a: MachineId, b: MachineId) {
        self.cut_one_way(a, b);
        self.cut_one_way(b, a);
    }
    pub fn cut_one_way(&mut self, from: MachineId, to: MachineId) {
        self.net.cut(from.0, to.0, u64::MAX);
    }
    pub fn heal(&mut self, a: MachineId, b: MachineId) {
        self.net.heal(None, |from, to| (from, to) == (a.0, b.0) || (from, to) == (b.0, a.0));
        self.unblock();
    }
    pub fn heal_all(&mut self) {
        self.net.heal(None, |_, _| true);
        self.unblock();
    }
    /// Connections that at least one side has not forgotten.
    pub fn connections(&self) -> usize {
        self.net.connections()
    }

    // ---- clocks

    /// World's time; machines have clocks of their own.
    pub fn now(&self) -> Instant {
        Instant(self.now)
    }
    pub fn wall(&self, machine: MachineId) -> Timestamp {
        self.machines[machine.0].clock.wall(self.now)
    }
    pub fn jump_wall(&mut self, machine: MachineId, ms: i64) {
        self.machines[machine.0].clock.jump(ms);
    }

    // ---- faults

    pub fn faults_mut(&mut self) -> &mut Faults {
        self.faults_changed = true;
        &mut self.faults
    }
    /// Every fault is over: rates are zero, links are whole, disks are mended, no failure or crash is planned. Capacities stay as they are.
    pub fn quiet(&mut self) {
        *self.faults_mut() = Faults::NONE;
        self.heal_all();
        for machine in &self.machines {
            let mut disk = disk::lock(&machine.disk);
            disk.heal();
            disk.crash_in(None);
        }
    }

    // ---- running

    pub fn seed(&self) -> u64 {
        self.seed
    }
    /// Items that happened so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }
    /// Prints everything that happens, to compare a run with its replay.
    pub fn trace(&mut self, on: bool) {
        self.trace = on;
        for machine in &self.machines {
            disk::lock(&machine.disk).trace = on;
        }
    }
    /// A checksum over everything that happened: what, where, when, how much, and the bytes themselves.
    pub fn schedule_hash(&self) -> u64 {
        let mut hash = self.hash;
        self.machines.iter().for_each(|machine| hash.mix(disk::lock(&machine.disk).hash.value()));
        hash.value()
    }

    /// Lets the next thing happen. False if nothing ever will.
    pub fn step(&mut self) -> bool {
        self.apply_faults();
        let Some(Scheduled { at, item, .. }) = self.queue.pop() else { return false };
        assert!(at >= self.now, "time does not go back");
        self.now = at;
        self.steps += 1;
        self.happen(item);
        true
    }

    fn apply_faults(&mut self) {
        if std::mem::take(&mut self.faults_changed) {
            for machine in &self.machines {
                disk::lock(&machine.disk).faults = self.faults.disk;
            }
            if self.faults.ticks() && !self.ticking {
                self.ticking = true;
                self.push(TICK_NS, Item::Tick);
            }
        }
    }

    /// Runs until `condition` holds, checked after each step. False if it does not within `limit`, or nothing happens any more.
    pub fn run_until(&mut self, limit: Duration, mut condition: impl FnMut(&mut World) -> bool) -> bool {
        let end = self.now + nanos(limit);
        loop {
            if condition(self) {
                return true;
            }
            match self.queue.peek() {
                Some(next) if next.at <= end => {
                    self.step();
                }
                _ => {
                    self.now = end;
                    return condition(self);
                }
            }
        }
    }
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Asserts what the parts of the world promise each other. Slow; for the simulator's own tests.
    pub fn check(&mut self) {
        self.machines.iter().for_each(|machine| disk::lock(&machine.disk).volumes().for_each(|v| v.check()));
        self.check_net();
    }

    fn happen(&mut self, item: Item) {
        match item {
            Item::Wake(at) => self.wake(at),
            Item::Inbox(at, event) => {
                self.note(at, "is told", u64::from(at.process), 0);
                self.deliver(at, event);
            }
            Item::FileDone { machine, process, id } => self.file_done(machine, process, id),
            Item::Chore { machine, process } => self.chore(machine, process),
            Item::Attempt(attempt) => self.attempt(attempt),
            Item::Packet { conn, side, packet, era } => self.packet(conn, side, packet, era),
            Item::Receive { conn, side } => self.receive(conn, side),
            Item::Hungry { conn, side } => self.hungry(conn, side),
            Item::Sent { conn, side } => self.sent(conn, side),
            Item::GiveUp { conn, side, wait } => self.give_up(conn, side, wait),
            Item::Start { machine, process } => {
                if !self.machines[machine].up && self.machines[machine].process == process {
                    self.boot(machine);
                }
            }
            Item::Heal => {
                self.net.heal(Some(self.now), |_, _| true);
                self.unblock();
            }
            Item::Tick => self.tick(),
        }
    }

    /// The weather changes.
    fn tick(&mut self) {
        self.ticking = self.faults.ticks();
        if !self.ticking {
            return;
        }
        self.push(TICK_NS, Item::Tick);
        let faults = self.faults;
        let count = self.machines.len();
        if count > 1 && self.rng.chance(faults.net.cut_ppm) {
            let a = self.rng.index(count);
            let b = (a + 1 + self.rng.index(count - 1)) % count;
            let most = if faults.net.cut_ms_max == 0 { 30_000 } else { u64::from(faults.net.cut_ms_max) };
            let until = self.now + self.rng.skewed(1_000_000, most * 1_000_000);
            self.net.cut(a, b, until);
            if self.rng.coin() {
                self.net.cut(b, a, until);
            }
            self.push_at(until, Item::Heal);
        }
        for machine in 0..count {
            if self.rng.chance(faults.clock.jump_ppm) {
                let m = &mut self.machines[machine];
                let ms = m.clock.drawn_jump(&mut m.rng);
                self.say(|world| format!("{}: the wall clock jumps by {ms} ms", world.machines[machine].spec.name));
            }
            if self.machines[machine].up && self.machines[machine].spec.restart.is_some() {
                if self.rng.chance(faults.crash.process_ppm) {
                    self.die(machine, Cause::Crash(Crash::Process));
                } else if self.rng.chance(faults.crash.power_ppm) {
                    self.die(machine, Cause::Crash(Crash::Power));
                }
            }
        }
    }

    // ---- the queue and the record

    /// World's time when something that begins with the present turn's end has taken `delay`.
    pub(super) fn after(&self, delay: u64) -> u64 {
        self.now + self.turn_ns + delay
    }
    pub(super) fn push(&mut self, delay: u64, item: Item) {
        self.push_at(self.after(delay), item);
    }
    pub(super) fn push_at(&mut self, at: u64, item: Item) {
        self.serials += 1;
        let tie = self.rng.draw();
        self.queue.push(Scheduled { at: at.max(self.now), tie, serial: self.serials, item });
    }

    /// Records that something happened.
    pub(super) fn note(&mut self, at: CoreRef, what: &'static str, a: u64, b: u64) {
        self.hash.bytes(what.as_bytes());
        self.hash.mix(self.now);
        self.hash.mix((at.machine as u64) << 32 | at.core as u64);
        self.hash.mix(a);
        self.hash.mix(b);
        if self.trace {
            eprintln!("{:>14.6} ms {}/{} {what} {a} {b}", self.now as f64 / 1e6, self.machines[at.machine].spec.name, at.core);
        }
    }
    /// Records bytes that somebody got to see.
    pub(super) fn content(&mut self, bytes: &[u8]) {
        self.hash.bytes(bytes);
    }
    pub(super) fn say(&self, what: impl FnOnce(&World) -> String) {
        if self.trace {
            eprintln!("{:>14.6} ms {}", self.now as f64 / 1e6, what(self));
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("simulated world: seed {}, {:.6} ms, step {}, {:?}", self.seed, self.now as f64 / 1e6, self.steps, self.faults);
        }
    }
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).expect("less than centuries")
}

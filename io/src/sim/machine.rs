//! One simulated machine: a disk, two clocks, addresses, and a process of some cores that may die and start again.
//!
//! ```text
//!            start                    stop, fatal, crash
//!   down ───────────▶ up, incarnation n ───────────▶ down, its death on record
//!     ▲                                                │ restart, if the spec says so
//!     └────────────────────────────────────────────────┘
//! ```

use super::core::{PortsRef, Work};
use super::disk::DiskRef;
use super::faults::Crash;
use super::fs::{File, FileOp};
use super::net::SocketTable;
use super::rng::Rng;
use crate::{CoreId, Event, Fs, Instant, Program, Timestamp, Token};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MachineId(pub usize);

/// What a machine is like.
#[derive(Clone, Debug)]
pub struct Spec {
    pub name: String,
    pub cores: u16,
    /// The first one is where its connections come from. Loopback is every machine's own.
    pub addresses: Vec<IpAddr>,
    /// Budget of each core's pool.
    pub pool_bytes: u64,
    /// How long after a death it starts again by itself, at least and at most; `None`: never, and drawn crashes spare it.
    pub restart: Option<(Duration, Duration)>,
}

impl Spec {
    pub fn new(name: &str, cores: u16, address: IpAddr) -> Spec {
        assert!(cores > 0);
        Spec { name: name.to_owned(), cores, addresses: vec![address], pool_bytes: 64 << 20, restart: None }
    }
    pub fn pool_bytes(mut self, bytes: u64) -> Spec {
        self.pool_bytes = bytes;
        self
    }
    pub fn restart(mut self, at_least: Duration, at_most: Duration) -> Spec {
        assert!(at_least <= at_most);
        self.restart = Some((at_least, at_most));
        self
    }
}

/// What a program may know when it is made: once per core and incarnation, core 0 first.
pub struct Birth {
    pub core: CoreId,
    pub cores: u16,
    /// 1 for the first process of the machine.
    pub incarnation: u32,
    pub fs: Fs,
    pub wall: Timestamp,
    pub random: u64,
}

pub type Make = Box<dyn FnMut(&Birth) -> Box<dyn Program>>;

/// Why a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Every core called [`crate::Core::stop`].
    Stopped,
    /// It called [`crate::fatal`]: exit status and line.
    Fatal(i32, String),
    Crash(Crash),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// World's time.
    pub at: Instant,
    pub incarnation: u32,
    pub cause: Cause,
}

/// A core of a process. Stale ones name nothing: the process is part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreRef {
    pub machine: usize,
    pub core: usize,
    pub process: u32,
}

/// Monotonic and wall clock, both off by a little in their own way.
pub struct Clock {
    origin: u64,
    /// Parts per billion that it runs fast.
    rate: i64,
    wall_base_ms: i64,
}

impl Clock {
    /// Before 2 October 2025 no simulated wall clock was ever, except after jumps.
    const WALL_BASE_MS: i64 = 1_759_363_200_000;
    const JUMP_MS_MAX: u64 = 3_600_000;

    pub fn new(rng: &mut Rng) -> Clock {
        let skew = i64::try_from(rng.below(100)).expect("small") - 50;
        let rate = i64::try_from(rng.below(100_000)).expect("small") - 50_000;
        Clock { origin: rng.between(1_000_000_000, 1_000_000_000_000), rate, wall_base_ms: Clock::WALL_BASE_MS + skew }
    }
    pub fn monotonic(&self, now: u64) -> Instant {
        let drift = i128::from(now) * i128::from(self.rate) / 1_000_000_000;
        let local = i128::from(self.origin) + i128::from(now) + drift;
        Instant(u64::try_from(local).expect("the origin lies after zero, and worlds end"))
    }
    /// The first moment of the world at which this clock shows `local`, or later.
    pub fn world_time(&self, local: Instant) -> u64 {
        let since = i128::from(local.0) - i128::from(self.origin);
        let guess = since * 1_000_000_000 / (1_000_000_000 + i128::from(self.rate)) - 2;
        let mut at = u64::try_from(guess.max(0)).unwrap_or(u64::MAX / 4).min(u64::MAX / 4);
        while at < u64::MAX / 4 && self.monotonic(at) < local {
            at += 1;
        }
        at
    }
    pub fn wall(&self, now: u64) -> Timestamp {
        Timestamp(self.wall_base_ms + i64::try_from(now / 1_000_000).expect("worlds end"))
    }
    pub fn jump(&mut self, ms: i64) {
        self.wall_base_ms += ms;
    }
    pub fn drawn_jump(&mut self, rng: &mut Rng) -> i64 {
        let size = i64::try_from(rng.skewed(1, Clock::JUMP_MS_MAX)).expect("an hour");
        let ms = if rng.coin() { size } else { -size };
        self.jump(ms);
        ms
    }
}

/// A file operation that is under way.
pub struct InFlight {
    pub core: usize,
    pub file: File,
    pub op: FileOp,
    pub token: Token,
}

pub struct CoreState {
    pub program: Option<Box<dyn Program>>,
    pub handle: Option<crate::Core>,
    pub inbox: Vec<Event>,
    /// World's time until which it is busy with its last turn.
    pub busy_until: u64,
    /// When it will look for work next.
    pub wake: Option<u64>,
    /// The time of the last item that was queued for a deadline.
    pub timer: Option<u64>,
    pub deadline: Option<Instant>,
    /// It has not had its first turn.
    pub fresh: bool,
    /// Its last steps may not have finished what there is in the background.
    pub steps: bool,
    pub stopped: bool,
    pub sockets: SocketTable,
    /// When the last parcel to each other core arrives: the next one comes later.
    pub told: Vec<u64>,
}

pub struct Machine {
    pub spec: Spec,
    pub make: Option<Make>,
    pub disk: DiskRef,
    pub ports: PortsRef,
    pub clock: Clock,
    pub rng: Rng,
    pub cores: Vec<CoreState>,
    /// Incarnations so far; the running one, if it is up.
    pub process: u32,
    pub up: bool,
    pub powered: bool,
    pub in_flight: BTreeMap<u64, InFlight>,
    pub chores: VecDeque<(usize, Token, Work)>,
    pub chore_due: bool,
    /// Core 0 was told to stop; the next signal ends the process.
    pub signalled: bool,
    pub deaths: Vec<Death>,
}

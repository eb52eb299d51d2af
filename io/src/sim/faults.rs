//! What may go wrong in a simulated world, and how often.
//!
//! Every rate is in parts per million of what its doc names; zero means never. Rates may be changed while the world runs:
//! [`crate::sim::World::faults_mut`]. What must go wrong at one exact place is asked for by [`Failure`] instead.
//!
//! What is *not* here is not a fault: delays, the order of completions, the size of batches, where a stream is split into
//! reads, what a crash keeps of what was never synced. Those are drawn always, because every real world has them.

use super::rng::Rng;
use std::time::Duration;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    pub disk: DiskFaults,
    pub net: NetFaults,
    pub clock: ClockFaults,
    pub crash: CrashFaults,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskFaults {
    /// Reads that end in EIO.
    pub read_eio_ppm: u32,
    /// Writes that end in EIO after a drawn part of them was written.
    pub write_eio_ppm: u32,
    /// Syncs that fail; what was dirty counts as clean afterwards and is not on disk.
    pub sync_eio_ppm: u32,
    /// Creations, renames, removals, truncations, allocations, syncs of directories that end in EIO without an effect.
    pub names_eio_ppm: u32,
    /// Operations at which the whole device stands still, for up to [`DiskFaults::STALL_MAX`].
    pub stall_ppm: u32,
    /// Syncs of a new file that make its bytes durable but not its name: ext4 takes the name along, POSIX need not.
    pub nameless_sync_ppm: u32,
}

impl DiskFaults {
    pub const STALL_MAX: Duration = Duration::from_secs(5);
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetFaults {
    /// Packets that break their connection instead of arriving; what was under way is lost.
    pub reset_ppm: u32,
    /// Packets that were lost and come 0.2 s to 3 s later, and all that follow behind them.
    pub loss_ppm: u32,
    /// Connection attempts that are refused though somebody listens.
    pub refuse_ppm: u32,
    /// Ticks (ten a second) in which a pair of machines is cut off from each other, in one direction or both.
    pub cut_ppm: u32,
    /// The longest such cut; zero means half a minute.
    pub cut_ms_max: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockFaults {
    /// Ticks (ten a second) in which the wall clock of a machine jumps, forward or back, by up to an hour.
    pub jump_ppm: u32,
    /// Turns after which their core stands still for 1 ms to 1 s: a virtual machine that was not run. Deadlines pass meanwhile.
    pub pause_ppm: u32,
}

/// Crashes that nobody asked for; they hit machines that restart by themselves ([`crate::sim::Spec::restart`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrashFaults {
    /// Ticks (ten a second) in which the process of a machine is killed.
    pub process_ppm: u32,
    /// Ticks (ten a second) in which a machine loses its power.
    pub power_ppm: u32,
    /// Chores in the middle of which the process is killed or the power is lost.
    pub chore_ppm: u32,
    /// Starts that end by a crash after a drawn number of blocking file operations.
    pub start_ppm: u32,
}

impl Faults {
    /// Nothing goes wrong.
    pub const NONE: Faults = Faults {
        disk: DiskFaults { read_eio_ppm: 0, write_eio_ppm: 0, sync_eio_ppm: 0, names_eio_ppm: 0, stall_ppm: 0, nameless_sync_ppm: 0 },
        net: NetFaults { reset_ppm: 0, loss_ppm: 0, refuse_ppm: 0, cut_ppm: 0, cut_ms_max: 0 },
        clock: ClockFaults { jump_ppm: 0, pause_ppm: 0 },
        crash: CrashFaults { process_ppm: 0, power_ppm: 0, chore_ppm: 0, start_ppm: 0 },
    };

    /// Everything goes wrong now and then.
    pub const ALL: Faults = Faults {
        disk: DiskFaults {
            read_eio_ppm: 200,
            write_eio_ppm: 200,
            sync_eio_ppm: 500,
            names_eio_ppm: 200,
            stall_ppm: 300,
            nameless_sync_ppm: 300_000,
        },
        net: NetFaults { reset_ppm: 2_000, loss_ppm: 5_000, refuse_ppm: 50_000, cut_ppm: 10_000, cut_ms_max: 10_000 },
        clock: ClockFaults { jump_ppm: 20_000, pause_ppm: 200 },
        crash: CrashFaults { process_ppm: 5_000, power_ppm: 5_000, chore_ppm: 5_000, start_ppm: 50_000 },
    };

    /// A swarm's member: every fault is off, or on at up to four times the rate of [`Faults::ALL`]. Worlds in which one
    /// fault reigns find what a world of everything at once hides.
    pub fn drawn(seed: u64) -> Faults {
        let mut rng = Rng::new(seed ^ 0x0073_7761_726d);
        let mut rate = |ppm: u32| match rng.below(4) {
            0 | 1 => 0,
            2 => ppm,
            _ => u32::try_from(rng.between(1, u64::from(ppm) * 4)).expect("a rate").min(1_000_000),
        };
        let all = Faults::ALL;
        Faults {
            disk: DiskFaults {
                read_eio_ppm: rate(all.disk.read_eio_ppm),
                write_eio_ppm: rate(all.disk.write_eio_ppm),
                sync_eio_ppm: rate(all.disk.sync_eio_ppm),
                names_eio_ppm: rate(all.disk.names_eio_ppm),
                stall_ppm: rate(all.disk.stall_ppm),
                nameless_sync_ppm: rate(all.disk.nameless_sync_ppm),
            },
            net: NetFaults {
                reset_ppm: rate(all.net.reset_ppm),
                loss_ppm: rate(all.net.loss_ppm),
                refuse_ppm: rate(all.net.refuse_ppm),
                cut_ppm: rate(all.net.cut_ppm),
                cut_ms_max: all.net.cut_ms_max,
            },
            clock: ClockFaults { jump_ppm: rate(all.clock.jump_ppm), pause_ppm: rate(all.clock.pause_ppm) },
            crash: CrashFaults {
                process_ppm: rate(all.crash.process_ppm),
                power_ppm: rate(all.crash.power_ppm),
                chore_ppm: rate(all.crash.chore_ppm),
                start_ppm: rate(all.crash.start_ppm),
            },
        }
    }

    /// Does anything here happen by the tick rather than by the operation?
    pub(super) fn ticks(&self) -> bool {
        self.net.cut_ppm > 0 || self.clock.jump_ppm > 0 || self.crash.process_ppm > 0 || self.crash.power_ppm > 0
    }
}

/// Kinds of file operations, for [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskOp {
    /// Opening, asking for existence, listing, locking.
    Look,
    Read,
    Write,
    Sync,
    Allocate,
    Truncate,
    /// Of a file or a directory.
    Create,
    Rename,
    Remove,
    SyncDir,
}

/// One planned failure: the `nth` (from 1) operation of this kind on a path that matches, and all that follow if `forever`.
pub struct Failure {
    pub op: DiskOp,
    pub nth: u64,
    /// `libc::EIO`, `libc::ENOSPC` …
    pub errno: i32,
    pub forever: bool,
    pub path: PathMatch,
}

pub type PathMatch = Box<dyn Fn(&str) -> bool + Send>;

impl Failure {
    /// The next such operation fails with `EIO`, once.
    pub fn next(op: DiskOp, path: impl Fn(&str) -> bool + Send + 'static) -> Failure {
        Failure { op, nth: 1, errno: libc::EIO, forever: false, path: Box::new(path) }
    }
    pub fn nth(mut self, nth: u64) -> Failure {
        assert!(nth > 0, "counted from one");
        self.nth = nth;
        self
    }
    pub fn errno(mut self, errno: i32) -> Failure {
        self.errno = errno;
        self
    }
    pub fn forever(mut self) -> Failure {
        self.forever = true;
        self
    }
}

/// How a machine dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// `kill -9`: memory and sockets are gone, the page cache is not.
    Process,
    /// What was not synced may be gone too.
    Power,
}

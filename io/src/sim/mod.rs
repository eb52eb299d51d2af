//! The simulated world: one thread, one seed.
//!
//! ```text
//!   test ──▶ World ─┬─ machine ─┬─ disk: volumes ─ names + journal, contents: live and durable      volume, content, disk, fs
//!                   │           ├─ clocks, ports                                                    machine, core
//!                   │           └─ process ── core ── Program (the broker, or a workload)           run
//!                   ├─ network: connections, cut links                                              net
//!                   ├─ faults: rates, failures planned for one place                                faults
//!                   └─ queue of what will happen, clock, schedule hash                              world
//! ```
//!
//! ```
//! use millrace_io::{Core, Event, Instant, Program, sim::{Faults, Spec, World}};
//!
//! struct Idle;
//! impl Program for Idle {
//!     fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>) {
//!         events.clear();
//!         core.stop();
//!     }
//!     fn deadline(&self) -> Option<Instant> {
//!         None
//!     }
//! }
//!
//! let mut world = World::new(1, Faults::NONE);
//! let machine = world.machine(Spec::new("a", 2, [10, 0, 0, 1].into()), Box::new(|_birth| Box::new(Idle)));
//! world.start(machine);
//! assert!(world.run_until(std::time::Duration::from_secs(1), |w| !w.deaths(machine).is_empty()));
//! ```
//!
//! What it is stricter about than the real world, because a real one punishes it seldom and badly: overlapping writes under
//! way, two receives or two sends on one socket, and events left behind by a turn are assertions.

mod content;
mod core;
mod disk;
mod faults;
mod fs;
mod machine;
mod net;
mod rng;
mod run;
mod volume;
mod world;

pub use self::core::{Core, shutdown};
pub use content::Wreck;
pub use faults::{ClockFaults, Crash, CrashFaults, DiskFaults, DiskOp, Failure, Faults, NetFaults};
pub use fs::{File, Fs, FsLock};
pub use machine::{Birth, Cause, Death, MachineId, Make, Spec};
pub use rng::{Hash, Rng};
pub use run::{fatal, in_world};
pub use world::World;

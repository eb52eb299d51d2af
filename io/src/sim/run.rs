//! Running programs: starts and deaths, turns and steps, and carrying out what a turn asked for.
//!
//! A program runs inside [`guarded`]: [`crate::fatal`] and a crash in the middle of a file operation unwind to there and
//! are the end of that process; any other panic is the test's.

use super::core::{self, Ask, Core};
use super::disk::{self, Caller, Killed};
use super::faults::Crash;
use super::fs;
use super::machine::{Birth, Cause, CoreRef, CoreState, Death, InFlight};
use super::net::SocketTable;
use super::world::{Item, World, nanos};
use crate::{ChoreOutput, Class, CoreId, Event, Pool, Token};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

thread_local! {
    static IN_WORLD: Cell<bool> = const { Cell::new(false) };
}

struct Fatal(i32, String);

/// Is this thread running a program of a simulated world?
pub fn in_world() -> bool {
    IN_WORLD.get()
}

/// Ends the process of the machine whose program calls it.
pub fn fatal(status: i32, line: &str) -> ! {
    resume_unwind(Box::new(Fatal(status, line.to_owned())))
}

/// Runs a program's code. `Err`: this is how its process ended.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, Cause> {
    let outside = IN_WORLD.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(run));
    IN_WORLD.set(outside);
    outcome.map_err(|payload| match payload.downcast::<Fatal>() {
        Ok(fatal) => Cause::Fatal(fatal.0, fatal.1),
        Err(payload) if payload.is::<Killed>() => Cause::Crash(Crash::Process),
        Err(payload) => resume_unwind(payload),
    })
}

impl World {
    pub(super) fn is_running(&self, at: CoreRef) -> bool {
        let machine = &self.machines[at.machine];
        machine.up && machine.process == at.process && !machine.cores[at.core].stopped
    }

    // ---- birth and death

    pub(super) fn boot(&mut self, machine: usize) {
        let crash_here = self.faults.crash.start_ppm;
        let m = &mut self.machines[machine];
        m.process += 1;
        m.up = true;
        m.powered = true;
        m.in_flight.clear();
        m.chores.clear();
        m.chore_due = false;
        m.signalled = false;
        let process = m.process;
        let caller = Caller::Process(process);
        {
            let mut disk = disk::lock(&m.disk);
            disk.now = self.now;
            disk.start(process);
            if m.spec.restart.is_some() && m.rng.chance(crash_here) {
                let crash = if m.rng.coin() { Crash::Process } else { Crash::Power };
                disk.crash_in(Some((m.rng.skewed(1, 300), crash)));
            }
        }
        core::lock(&m.ports).clear();
        let cores = m.spec.cores;
        m.cores.clear();
        for id in 0..cores {
            let files = fs::Fs::new(m.disk.clone(), caller);
            let core = Core::new(CoreId(id), cores, m.rng.fork(), Pool::new(m.spec.pool_bytes), files, m.ports.clone());
            m.cores.push(CoreState {
                program: None,
                handle: Some(crate::Core::from_sim(Box::new(core))),
                inbox: Vec::new(),
                busy_until: 0,
                wake: None,
                timer: None,
                deadline: None,
                fresh: true,
                steps: false,
                stopped: false,
                sockets: SocketTable::default(),
                told: vec![0; usize::from(cores)],
            });
        }
        self.note(CoreRef { machine, core: 0, process }, "starts", u64::from(process), 0);
        self.unblock();

        let m = &mut self.machines[machine];
        let mut make = m.make.take().expect("not within a start");
        let mut made = Vec::new();
        let mut outcome = Ok(());
        for id in 0..cores {
            let birth = Birth {
                core: CoreId(id),
                cores,
                incarnation: process,
                fs: crate::Fs::Sim(fs::Fs::new(m.disk.clone(), caller)),
                wall: m.clock.wall(self.now),
                random: m.rng.draw(),
            };
            match guarded(|| make(&birth)) {
                Ok(program) => made.push(program),
                Err(cause) => {
                    outcome = Err(cause);
                    break;
                }
            }
        }
        m.make = Some(make);
        let elapsed = disk::lock(&m.disk).elapsed();
        if let Err(cause) = outcome {
            drop(made);
            return self.die(machine, cause);
        }
        for (core, program) in made.into_iter().enumerate() {
            self.machines[machine].cores[core].program = Some(program);
            let delay = elapsed + self.rng.skewed(1_000, 1_000_000);
            self.wake_at(CoreRef { machine, core, process }, self.now + delay);
        }
    }

    pub(super) fn die(&mut self, machine: usize, cause: Cause) {
        let m = &mut self.machines[machine];
        // A planned crash unwound the program: now we hear of which kind it was.
        let cause = match disk::lock(&m.disk).take_crashed() {
            Some(crash) => Cause::Crash(crash),
            None => cause,
        };
        let power = cause == Cause::Crash(Crash::Power);
        if power {
            m.powered = false;
        }
        if !m.up {
            // The power may be cut of a machine whose process is gone already.
            if power {
                disk::lock(&m.disk).stop(Crash::Power);
                self.close_all(machine, true);
            }
            return;
        }
        m.up = false;
        let at = CoreRef { machine, core: 0, process: m.process };
        for (_, flight) in std::mem::take(&mut m.in_flight) {
            flight.file.abandon(flight.op);
        }
        disk::lock(&m.disk).stop(if power { Crash::Power } else { Crash::Process });
        m.chores.clear();
        let cores = std::mem::take(&mut m.cores);
        core::lock(&m.ports).clear();
        m.deaths.push(Death { at: crate::Instant(self.now), incarnation: at.process, cause: cause.clone() });
        self.note(at, "dies", u64::from(at.process), u64::from(power));
        self.say(|_| format!("{cause:?}"));
        self.close_all(machine, power);
        // Destructors run as if nothing could be reached any more.
        let _ = guarded(|| drop(cores));
        let m = &mut self.machines[machine];
        let process = m.process;
        if let (Some((at_least, at_most)), false) = (m.spec.restart, cause == Cause::Stopped) {
            let delay = self.rng.between(nanos(at_least), nanos(at_most));
            self.push(delay, Item::Start { machine, process });
        }
    }

    // ---- turns

    /// Puts an event before a core; it will look soon.
    pub(super) fn deliver(&mut self, at: CoreRef, event: Event) {
        if self.is_running(at) {
            self.machines[at.machine].cores[at.core].inbox.push(event);
            let pickup = self.rng.skewed(0, 4_000);
            self.wake_at(at, self.after(pickup));
        }
    }

    fn wake_at(&mut self, at: CoreRef, time: u64) {
        let core = &mut self.machines[at.machine].cores[at.core];
        let time = time.max(core.busy_until);
        if core.wake.is_none_or(|wake| time < wake) {
            core.wake = Some(time);
            self.push_at(time, Item::Wake(at));
        }
    }

    pub(super) fn wake(&mut self, at: CoreRef) {
        if !self.is_running(at) || self.machines[at.machine].cores[at.core].wake != Some(self.now) {
            return;
        }
        let machine = &mut self.machines[at.machine];
        let core = &mut machine.cores[at.core];
        core.wake = None;
        let mut program = core.program.take().expect("a running core has a program");
        let mut handle = core.handle.take().expect("and a handle");
        let mut events = std::mem::take(&mut core.inbox);
        let now = machine.clock.monotonic(self.now);
        handle.sim().now = now;
        handle.sim().wall = machine.clock.wall(self.now);
        disk::lock(&machine.disk).now = self.now;

        let turns = !events.is_empty() || core.fresh || core.deadline.is_some_and(|deadline| deadline <= now);
        // Background work runs when there is nothing else, and gets a share when there is.
        let steps = !turns && core.steps || machine.rng.below(4) == 0;
        let order = if machine.rng.coin() { [Class::Replication, Class::Background] } else { [Class::Background, Class::Replication] };
        let count = events.len() as u64;
        let fresh = std::mem::replace(&mut core.fresh, false);
        let outcome = guarded(|| {
            if turns {
                program.turn(&mut handle, &mut events);
                assert!(events.is_empty(), "a turn drains its events");
            }
            let mut more = false;
            for class in order {
                more |= program.has_work(class) && (!steps || program.step(&mut handle, class));
            }
            (program.deadline(), more)
        });
        let core = &mut machine.cores[at.core];
        core.program = Some(program);
        core.handle = Some(handle);
        let elapsed = disk::lock(&machine.disk).elapsed();
        self.note(at, if turns { "turns" } else { "steps" }, count, u64::from(fresh));
        let (deadline, more) = match outcome {
            Ok(answer) => answer,
            Err(cause) => return self.die(at.machine, cause),
        };

        let machine = &mut self.machines[at.machine];
        let pause = machine.rng.chance(self.faults.clock.pause_ppm);
        let pause = if pause { machine.rng.skewed(1_000_000, 1_000_000_000) } else { 0 };
        let cost = elapsed + machine.rng.skewed(1_000, 30_000) + 200 * count + pause;
        let core = &mut machine.cores[at.core];
        core.busy_until = self.now + cost;
        core.deadline = deadline;
        core.steps = more;
        self.turn_ns = cost;
        disk::lock(&machine.disk).now = self.now + cost;
        self.carry_out(at);
        self.turn_ns = 0;
        if self.machines[at.machine].cores.get(at.core).is_some_and(|core| core.stopped) || !self.is_running(at) {
            return;
        }

        let machine = &self.machines[at.machine];
        let core = &machine.cores[at.core];
        if more || !core.inbox.is_empty() {
            self.wake_at(at, core.busy_until);
        } else if let Some(deadline) = deadline.filter(|d| *d != crate::Instant::NEVER) {
            let time = machine.clock.world_time(deadline).max(core.busy_until);
            // Most turns leave the deadline as it was: its item is in the queue already.
            let core = &mut self.machines[at.machine].cores[at.core];
            match core.wake {
                None if core.timer == Some(time) => core.wake = Some(time),
                None => {
                    core.timer = Some(time);
                    self.wake_at(at, time);
                }
                Some(_) => self.wake_at(at, time),
            }
        }
    }

    /// Does what the turn asked for, in order.
    fn carry_out(&mut self, at: CoreRef) {
        let sim = self.machines[at.machine].cores[at.core].handle.as_mut().expect("put back").sim();
        let mut asks = std::mem::take(&mut sim.asks);
        let stopped = sim.stopped;
        for ask in asks.drain(..) {
            match ask {
                Ask::File { file, op, token } => self.ask_file(at, InFlight { core: at.core, file, op, token }),
                Ask::Chore { token, work } => {
                    self.machines[at.machine].chores.push_back((at.core, token, work));
                    self.next_chore(at.machine);
                }
                Ask::Unlisten(listener) => self.unlisten(at, listener),
                Ask::Connect { address, token } => self.connect(at, address, token),
                Ask::Receive { socket, into } => self.ask_receive(at, socket, into),
                Ask::Send { socket, pieces } => self.ask_send(at, socket, pieces),
                Ask::Shutdown(socket) => self.ask_shutdown(at, socket),
                Ask::Close(socket) => self.ask_close(at, socket),
                Ask::Tell { to, parcel } => {
                    let from = CoreId(u16::try_from(at.core).expect("a core"));
                    let delay = self.rng.skewed(500, 20_000);
                    let soonest = self.after(delay);
                    let told = &mut self.machines[at.machine].cores[at.core].told[usize::from(to.0)];
                    *told = soonest.max(*told + 1);
                    let time = *told;
                    let to = CoreRef { core: usize::from(to.0), ..at };
                    self.push_at(time, Item::Inbox(to, Event::Mesh { from, parcel }));
                }
            }
        }
        let machine = &mut self.machines[at.machine];
        if let Some(handle) = &mut machine.cores[at.core].handle {
            handle.sim().asks = asks;
        }
        if stopped {
            core::lock(&machine.ports).unlisten_all(CoreId(u16::try_from(at.core).expect("a core")));
            for socket in self.machines[at.machine].cores[at.core].sockets.all() {
                self.ask_close(at, socket);
            }
            self.machines[at.machine].cores[at.core].stopped = true;
            self.end_if_stopped(at.machine);
        }
    }

    /// A process ends when all of its cores have stopped and its clerk has done what was asked for.
    fn end_if_stopped(&mut self, machine: usize) {
        let m = &self.machines[machine];
        if m.chores.is_empty() && m.cores.iter().all(|core| core.stopped) {
            self.die(machine, Cause::Stopped);
        }
    }

    // ---- files and chores

    fn ask_file(&mut self, at: CoreRef, mut flight: InFlight) {
        let machine = &mut self.machines[at.machine];
        if let Some((start, end)) = flight.op.writes() {
            for other in machine.in_flight.values() {
                if let Some((s, e)) = other.op.writes()
                    && s < end
                    && start < e
                    && other.file.same_file(&flight.file)
                {
                    panic!("overlapping writes under way in {:?}: {s}..{e} and {start}..{end}", flight.file);
                }
            }
        }
        let time = flight.file.begin(&mut flight.op);
        self.file_ops += 1;
        let id = self.file_ops;
        machine.in_flight.insert(id, flight);
        self.push_at(time, Item::FileDone { machine: at.machine, process: at.process, id });
    }

    pub(super) fn file_done(&mut self, machine: usize, process: u32, id: u64) {
        if self.machines[machine].process != process {
            return;
        }
        let Some(InFlight { core, file, op, token }) = self.machines[machine].in_flight.remove(&id) else { return };
        let at = CoreRef { machine, core, process };
        disk::lock(&self.machines[machine].disk).now = self.now;
        let result = file.perform(op);
        if let Ok(crate::Done::Read(bytes)) = &result {
            self.content(bytes);
        }
        self.note(at, "file", token.0, u64::from(result.is_ok()));
        self.deliver(at, Event::File { token, result });
    }

    fn next_chore(&mut self, machine: usize) {
        let m = &mut self.machines[machine];
        if !m.chore_due && !m.chores.is_empty() {
            m.chore_due = true;
            let process = m.process;
            let delay = self.rng.skewed(2_000, 2_000_000);
            self.push(delay, Item::Chore { machine, process });
        }
    }

    /// The clerk's thread does one chore, all at this moment; what it took is waited for before its output comes.
    pub(super) fn chore(&mut self, machine: usize, process: u32) {
        let m = &mut self.machines[machine];
        if !m.up || m.process != process {
            return;
        }
        m.chore_due = false;
        let Some((core, token, work)) = m.chores.pop_front() else { return };
        let fs = crate::Fs::Sim(fs::Fs::new(m.disk.clone(), Caller::Process(process)));
        let crash = m.spec.restart.is_some() && m.rng.chance(self.faults.crash.chore_ppm);
        {
            let mut disk = disk::lock(&m.disk);
            disk.now = self.now;
            if crash {
                let crash = if m.rng.coin() { Crash::Process } else { Crash::Power };
                disk.crash_within(Some((m.rng.between(1, 12), crash)));
            }
        }
        let outcome = guarded(|| work(&fs));
        let elapsed = {
            let mut disk = disk::lock(&m.disk);
            disk.crash_within(None);
            disk.elapsed()
        };
        let at = CoreRef { machine, core, process };
        self.note(at, "chore", token.0, elapsed);
        match outcome {
            Ok(output) => {
                self.chore_done(at, elapsed, token, output);
                self.end_if_stopped(machine);
            }
            Err(cause) => self.die(machine, cause),
        }
    }

    fn chore_done(&mut self, at: CoreRef, elapsed: u64, token: Token, output: ChoreOutput) {
        self.turn_ns = elapsed;
        self.push(1_000, Item::Inbox(at, Event::Chore { token, output }));
        self.next_chore(at.machine);
        self.turn_ns = 0;
    }
}

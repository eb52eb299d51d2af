//! The real world: one thread and one io_uring per core.
//!
//! ```text
//!   ┌─▶ gather ──▶ turn ──▶ carry out ──▶ enter ─┐       gather     completions, parcels, chores, signals ▶ events
//!   │                          │                 │       carry out  bundles to other cores, files to sockets,
//!   │                     nothing waits          │                  buffers for the kernel
//!   │                          ▼                 │       enter      submits, and sleeps until something completes,
//!   │                    step of a class         │                  another core wakes this one, or the deadline
//!   └────────────────────────────────────────────┘
//! ```
//!
//! | file | noun |
//! |---|---|
//! | `ring` | the io_uring and the tags that travel through it |
//! | `net`, `sending`, `stock`, `listener`, `address` | sockets; what leaves; buffers for what comes; connections; addresses |
//! | `disk`, `fs` | file operations of a core; blocking ones |
//! | `mesh`, `clerk`, `signal` | what reaches a core from other threads |
//! | `shares`, `clock`, `slab` | who may step; time and randomness; numbers for what is on its way |
//!
//! Nothing is freed while the kernel may write to it: whoever submits owns the memory until the completion, and a core
//! that ends cancels what is outstanding and waits for it. A panic on any of these threads ends the process at once, since
//! unwinding would free what the kernel still uses, and since it is a bug.

mod address;
mod clerk;
mod clock;
mod disk;
mod fs;
mod listener;
mod mesh;
mod net;
mod ring;
mod sending;
mod shares;
mod signal;
mod slab;
mod stock;

pub use clock::{now, wall};
pub use fs::{File, Fs, FsLock};

use crate::{
    Buf, BufMut, ChoreOutput, Class, CoreId, Event, Instant, ListenerId, Parcel, Piece, Pool, Program, ReadHow, Result, Signal, SocketId,
    Timestamp, Token,
};
use clerk::{Clerk, Desk};
use clock::{Clock, Random};
use disk::{Disk, Place};
use listener::Addresses;
use mesh::Mesh;
use net::Net;
use ring::{Completion, Kind, Ring, Tag, Wait};
use shares::Shares;
use signal::Watch;
use std::io::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

/// How the cores of this process are to be run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads that run programs.
    pub cores: u16,
    /// The CPU of each core; empty leaves them to the scheduler.
    pub cpus: Vec<usize>,
    /// Memory that one core's buffers may take, receive buffers included.
    pub pool_bytes_per_core: u64,
    /// Submissions that fit into a core's ring. Raising it saves system calls in turns that ask for more, at 200 bytes each.
    pub ring_entries: u32,
    /// How long a core that has nothing to do looks for work before it sleeps. Zero (the default) costs nothing; some tens of
    /// microseconds save the time it takes to wake a CPU, and burn that CPU.
    pub spin: Duration,
    /// Whether SIGTERM and SIGINT become events of core 0.
    pub signals: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { cores: 1, cpus: Vec::new(), pool_bytes_per_core: 256 << 20, ring_entries: 512, spin: Duration::ZERO, signals: true }
    }
}

/// Completions after which a turn begins, whatever else has completed: one turn must not take forever.
const EVENTS_MAX: usize = 4096;
/// Turns that may follow one another without looking at the ring, when each left answers for the next.
const TURNS_PER_ENTER_MAX: u32 = 2;
/// A turn or step that holds the core longer than this is reported, at most every ten seconds.
const STALL: Duration = Duration::from_millis(5);

/// Runs a program on every core until all of them have stopped. What fails at the start is reported as a sentence.
pub fn run(options: &Options, make: impl Fn(CoreId) -> Box<dyn Program> + Send + Sync) -> Result<()> {
    assert!(options.cores > 0 && (options.cpus.is_empty() || options.cpus.len() == usize::from(options.cores)));
    signal::ignore_broken_pipes();
    raise_open_files();
    let allowed = allowed_cpus();
    let mesh = Arc::new(Mesh::new(options.cores)?);
    let (clerk, desk) = Clerk::start(mesh.clone())?;
    let _watch = options.signals.then(|| Watch::start(mesh.bell(CoreId(0))));
    let start = Start {
        options,
        mesh,
        addresses: Arc::new(Addresses::default()),
        allowed,
        failure: Mutex::new(None),
        all: Barrier::new(usize::from(options.cores)),
    };
    std::thread::scope(|scope| {
        for id in (0..options.cores).map(CoreId) {
            let (start, make, desk) = (&start, &make, desk.clone());
            let thread = std::thread::Builder::new().name(format!("core-{}", id.0));
            let spawned = thread.spawn_scoped(scope, move || {
                let _bomb = AbortOnPanic("core");
                start.run_core(id, desk, make)
            });
            spawned.expect("a process can have a thread per CPU");
        }
    });
    drop(desk);
    clerk.join();
    match start.failure.into_inner().expect("no panic while held") {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Can cores run here? If not, a sentence that says why and what to do.
pub fn check(options: &Options) -> std::result::Result<(), String> {
    let ring = Ring::new(8, false).map_err(|error| explain(&error, options.cores))?;
    match ring.missing() {
        Ok(None) => Ok(()),
        Ok(Some(what)) => Err(format!("this kernel's io_uring lacks {what}; use Linux 5.19 or newer")),
        Err(error) => Err(explain(&error, options.cores)),
    }
}

/// One random number of the operating system's, for programs that are not cores.
pub fn random() -> u64 {
    Random::new().next()
}

/// Why a ring could not be made.
fn explain(error: &Error, cores: u16) -> String {
    match error.raw_os_error() {
        Some(libc::ENOSYS) => "this kernel has no io_uring; use Linux 5.19 or newer, with CONFIG_IO_URING".into(),
        Some(libc::EPERM | libc::EACCES) => {
            let disabled = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
            match disabled.trim() {
                "2" => "io_uring is disabled on this machine; allow it with `sysctl kernel.io_uring_disabled=0`".into(),
                "1" => "io_uring is disabled for this user; allow it with `sysctl kernel.io_uring_disabled=0`, or add the user to the \
                        group of kernel.io_uring_group"
                    .into(),
                _ => "io_uring is not allowed here, probably by a container's seccomp profile; allow io_uring_setup, io_uring_enter and \
                      io_uring_register in it (docker: --security-opt seccomp=…)"
                    .into(),
            }
        }
        Some(libc::ENOMEM) => {
            let limit = memlock_limit().map_or("unlimited".into(), |bytes| format!("{} KiB", bytes >> 10));
            format!(
                "the kernel has no memory for the rings of {cores} core(s): the limit on locked memory is {limit}; raise it (`ulimit -l unlimited`, \
                 LimitMEMLOCK= of systemd, --ulimit memlock=-1 of docker), or run fewer cores"
            )
        }
        Some(libc::EMFILE | libc::ENFILE) => "too many open files for an io_uring; raise `ulimit -n`".into(),
        _ => format!("io_uring cannot be set up: {error}"),
    }
}

/// `None`: no limit.
fn memlock_limit() -> Option<u64> {
    let limit = resource_limit(libc::RLIMIT_MEMLOCK)?;
    (limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

fn resource_limit(resource: libc::__rlimit_resource_t) -> Option<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives the call.
    (unsafe { libc::getrlimit(resource, &raw mut limit) } == 0).then_some(limit)
}

/// Takes as many descriptors as the process is allowed to have: brokers have many files and connections. How many those are.
pub fn raise_open_files() -> u64 {
    let Some(mut limit) = resource_limit(libc::RLIMIT_NOFILE) else { return 0 };
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: `limit` outlives the call. If it fails, the old limit holds.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    }
    resource_limit(libc::RLIMIT_NOFILE).map_or(0, |limit| limit.rlim_cur)
}

fn allowed_cpus() -> libc::cpu_set_t {
    // SAFETY: a zeroed set is an empty one; it outlives the call. If it fails, the set stays empty and is not used.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set);
        set
    }
}

/// Binds the calling thread to one CPU.
fn pin(cpu: usize) -> Result<()> {
    // SAFETY: CPU_SET refuses what is out of range; the set outlives the call.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        if libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) != 0 {
            let error = Error::last_os_error();
            return Err(Error::new(error.kind(), format!("a core cannot be bound to CPU {cpu}: {error}")));
        }
    }
    Ok(())
}

/// Ends the process when it is dropped by a panic.
struct AbortOnPanic(&'static str);

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("millrace: a {} panicked; this is a bug", self.0);
            std::process::abort();
        }
    }
}

/// What the threads of all cores need to begin.
struct Start<'a> {
    options: &'a Options,
    mesh: Arc<Mesh>,
    addresses: Arc<Addresses>,
    allowed: libc::cpu_set_t,
    failure: Mutex<Option<Error>>,
    all: Barrier,
}

impl Start<'_> {
    fn run_core(&self, id: CoreId, desk: Desk, make: &(impl Fn(CoreId) -> Box<dyn Program> + Sync)) {
        let core = self.make_core(id, desk).inspect_err(|error| self.fail(error));
        // All rings are there before anyone tells anyone anything; if one is missing, nobody begins.
        self.all.wait();
        let failed = self.failure.lock().expect("no panic while held").is_some();
        if let (Ok(core), false) = (core, failed) {
            let mut core = crate::Core::from_real(Box::new(core));
            let mut program = make(id);
            if let Err(error) = drive(&mut core, program.as_mut()) {
                panic!("the ring of core {} fails: {error}", id.0);
            }
            drop(program);
            core.real().finish();
            // Nobody's ring goes away while others may send to it.
            self.all.wait();
        }
    }

    fn fail(&self, error: &Error) {
        let sentence = match error.raw_os_error() {
            Some(_) => explain(error, self.options.cores),
            None => error.to_string(),
        };
        self.failure.lock().expect("no panic while held").get_or_insert(Error::new(error.kind(), sentence));
    }

    fn make_core(&self, id: CoreId, desk: Desk) -> Result<Core> {
        if let Some(cpu) = self.options.cpus.get(usize::from(id.0)) {
            pin(*cpu)?;
        }
        let mut ring = Ring::new(self.options.ring_entries, !self.options.spin.is_zero())?;
        // The kernel's helper threads may run wherever the process may, not only on this core. If not, they still work.
        let _ = ring.submitter().register_iowq_aff(&self.allowed);
        let pool = Pool::new(self.options.pool_bytes_per_core);
        let bell = self.mesh.bell(id).clone();
        watch_bell(&mut ring, &bell);
        pool.on_memory(Box::new(move || bell.ring()));
        self.mesh.publish(id, &ring);
        Ok(Core {
            id,
            cores: self.options.cores,
            signals: self.options.signals && id == CoreId(0),
            spin: self.options.spin,
            net: Net::new(&ring, &pool)?,
            ring,
            disk: Disk::new(),
            clock: Clock::read(),
            random: Random::new(),
            pool,
            mesh: self.mesh.clone(),
            addresses: self.addresses.clone(),
            desk,
            outboxes: (0..self.options.cores).map(|_| Vec::new()).collect(),
            ready: Vec::new(),
            completions: Vec::new(),
            stopping: false,
        })
    }
}

fn watch_bell(ring: &mut Ring, bell: &mesh::Bell) {
    let events = u32::try_from(libc::POLLIN).expect("positive");
    let entry = io_uring::opcode::PollAdd::new(io_uring::types::Fd(bell.descriptor()), events).multi(true).build();
    ring.push(entry, Tag::WAKE);
}

/// The loop of one core.
fn drive(core: &mut crate::Core, program: &mut dyn Program) -> Result<()> {
    let mut events = Vec::new();
    let mut shares = Shares::default();
    let mut stalls = Stalls::default();
    // Due at once: the first turn has no events.
    let mut deadline = Some(Instant(0));
    let mut turns = 0;
    let mut began = Instant(0);
    loop {
        let real = core.real();
        real.clock = Clock::read();
        if turns == 0 {
            began = real.clock.now;
        }
        real.gather(&mut events);
        if !events.is_empty() || deadline.is_some_and(|deadline| deadline <= real.clock.now) {
            program.turn(core, &mut events);
            events.clear();
            deadline = program.deadline();
        }
        let real = core.real();
        real.carry_out();
        if real.stopping {
            return real.ring.enter(Wait::Not);
        }
        turns += 1;
        if turns <= TURNS_PER_ENTER_MAX && !real.ring.is_hurried() && !real.ready.is_empty() {
            continue;
        }
        turns = 0;

        let steps = program.has_work(Class::Replication) || program.has_work(Class::Background);
        if !steps {
            let ended = clock::now();
            stalls.watch("turn", began, ended);
            shares.used(Class::Requests, ended.since(began));
            core.real().sleep(deadline, ended)?;
            continue;
        }
        core.real().ring.enter(Wait::Not)?;
        let ended = clock::now();
        stalls.watch("turn", began, ended);
        let waiting = core.real().has_events() || deadline.is_some_and(|deadline| deadline <= ended);
        if waiting {
            shares.used(Class::Requests, ended.since(began));
        }
        // A class that has nothing after all makes room for the other one.
        let mut idle = [false; 2];
        while let Some(class) = shares.pick(waiting, |class| !idle[usize::from(class == Class::Background)] && program.has_work(class)) {
            let real = core.real();
            real.clock = Clock::read();
            let began = real.clock.now;
            let worked = program.step(core, class);
            let ended = clock::now();
            stalls.watch("step", began, ended);
            shares.used(class, ended.since(began));
            if worked {
                break;
            }
            idle[usize::from(class == Class::Background)] = true;
        }
        deadline = program.deadline();
        let both_idle = idle[0] && idle[1] || !program.has_work(Class::Replication) && !program.has_work(Class::Background);
        if both_idle && !waiting {
            core.real().sleep(deadline, clock::now())?;
        }
    }
}

/// Reports what holds a core too long.
#[derive(Default)]
struct Stalls {
    /// Nothing is reported before this.
    quiet_until: Instant,
    unreported: u32,
}

impl Stalls {
    fn watch(&mut self, what: &str, began: Instant, ended: Instant) {
        let took = ended.since(began);
        if took < STALL {
            return;
        }
        if ended < self.quiet_until {
            self.unreported += 1;
            return;
        }
        tracing::warn!(?took, others = self.unreported, "a {what} held the core");
        self.unreported = 0;
        self.quiet_until = ended + Duration::from_secs(10);
    }
}

/// One core's part of the real world.
pub struct Core {
    id: CoreId,
    cores: u16,
    /// Whether this core is told of signals, and has not been yet.
    signals: bool,
    spin: Duration,
    // Before the network: what its stock shares with the kernel outlives the ring.
    ring: Ring,
    net: Net,
    disk: Disk,
    clock: Clock,
    random: Random,
    pool: Pool,
    mesh: Arc<Mesh>,
    addresses: Arc<Addresses>,
    desk: Desk,
    /// Parcels of this turn, by receiver.
    outboxes: Vec<Vec<Parcel>>,
    /// Events of the next turn that needed no completion.
    ready: Vec<Event>,
    completions: Vec<Completion>,
    stopping: bool,
}

// What a program asks.
impl Core {
    pub fn id(&self) -> CoreId {
        self.id
    }
    pub fn cores(&self) -> u16 {
        self.cores
    }
    pub fn now(&self) -> Instant {
        self.clock.now
    }
    pub fn wall(&self) -> Timestamp {
        self.clock.wall
    }
    pub fn random(&mut self) -> u64 {
        self.random.next()
    }
    pub fn stop(&mut self) {
        self.stopping = true;
    }
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
    pub fn fs(&self) -> crate::Fs {
        crate::Fs::Real(Fs)
    }
    pub fn read(&mut self, file: &crate::File, position: u64, into: BufMut, how: ReadHow, token: Token) {
        self.disk.read(&mut self.ring, &mut self.ready, Place { file: file.real(), position, token }, into, how);
    }
    pub fn write(&mut self, file: &crate::File, position: u64, bufs: Vec<Buf>, token: Token) {
        self.disk.write(&mut self.ring, &mut self.ready, Place { file: file.real(), position, token }, bufs);
    }
    pub fn sync(&mut self, file: &crate::File, token: Token) {
        self.disk.sync(&mut self.ring, &mut self.ready, Place { file: file.real(), position: 0, token });
    }
    pub fn allocate(&mut self, file: &crate::File, position: u64, len: u64, token: Token) {
        self.disk.allocate(&mut self.ring, &mut self.ready, Place { file: file.real(), position, token }, len);
    }
    pub fn resident(&mut self, file: &crate::File, position: u64, len: u64) -> bool {
        disk::is_resident(file.real(), position, len)
    }
    pub fn chore(&mut self, token: Token, work: Box<dyn FnOnce(&crate::Fs) -> ChoreOutput + Send>) {
        self.desk.ask(self.id, token, work);
    }
    pub fn listen(&mut self, address: SocketAddr) -> Result<ListenerId> {
        self.net.listen(&mut self.ring, &self.addresses, address)
    }
    pub fn listener_address(&self, listener: ListenerId) -> SocketAddr {
        self.net.listener_address(listener)
    }
    pub fn unlisten(&mut self, listener: ListenerId) {
        self.net.unlisten(&mut self.ring, &self.addresses, listener);
    }
    pub fn connect(&mut self, address: SocketAddr, token: Token) {
        self.net.connect(&mut self.ring, &mut self.ready, address, token);
    }
    pub fn recv(&mut self, socket: SocketId) {
        self.net.recv(&mut self.ring, socket);
    }
    pub fn recv_into(&mut self, socket: SocketId, into: BufMut) {
        self.net.recv_into(&mut self.ring, socket, into);
    }
    pub fn send(&mut self, socket: SocketId, pieces: Vec<Piece>) {
        self.net.send(&mut self.ring, &mut self.ready, socket, pieces);
    }
    pub fn close(&mut self, socket: SocketId) {
        self.net.close(&mut self.ring, socket);
    }
    pub fn tell(&mut self, to: CoreId, parcel: Parcel) {
        self.outboxes[usize::from(to.0)].push(parcel);
    }
}

// What the loop asks.
impl Core {
    /// Everything that is ready, as events.
    fn gather(&mut self, events: &mut Vec<Event>) {
        if !self.ready.is_empty() {
            // Answers to what was asked in the last turn; sockets may have been closed since.
            let net = &self.net;
            events.extend(self.ready.drain(..).filter(|event| match event {
                Event::Received { socket, .. } | Event::Sent { socket, .. } => net.is_open(*socket),
                _ => true,
            }));
        }
        if self.signals && Watch::asked() {
            self.signals = false;
            events.push(Event::Signal(Signal::Terminate));
        }
        self.mesh.collect(self.id, events);
        let mut completions = std::mem::take(&mut self.completions);
        self.ring.take_completions(&mut completions);
        let now = completions.len().min(EVENTS_MAX);
        for completion in completions.drain(..now) {
            self.complete(&completion, events);
        }
        self.completions = completions;
    }

    fn complete(&mut self, completion: &Completion, events: &mut Vec<Event>) {
        match completion.tag.kind {
            Kind::Ignored | Kind::Message => {}
            Kind::Wake => {
                // Messages of other rings say nothing about our own watch of the bell.
                let from_bell = completion.result().is_ok_and(|events| events != 0);
                if from_bell && !completion.more() {
                    watch_bell(&mut self.ring, &self.mesh.bell(self.id).clone());
                }
            }
            Kind::Disk => self.disk.complete(&mut self.ring, events, completion),
            _ => self.net.complete(&mut self.ring, &self.pool, self.clock.now, events, completion),
        }
    }

    fn has_events(&mut self) -> bool {
        !self.ready.is_empty()
            || !self.completions.is_empty()
            || self.net.is_pushing()
            || self.mesh.has_mail(self.id)
            || self.ring.has_completions()
    }

    /// Carries out what the turn asked for and the ring does not.
    fn carry_out(&mut self) {
        for to in (0..self.cores).map(CoreId) {
            let parcels = &mut self.outboxes[usize::from(to.0)];
            if parcels.is_empty() {
                continue;
            }
            if to == self.id {
                self.ready.extend(parcels.drain(..).map(|parcel| Event::Mesh { from: to, parcel }));
            } else {
                self.mesh.deliver(self.id, to, parcels, &mut self.ring);
            }
        }
        self.net.carry_out(&mut self.ring, &self.pool, self.clock.now, &mut self.ready);
    }

    /// Submits, and waits for whatever comes first.
    fn sleep(&mut self, deadline: Option<Instant>, now: Instant) -> Result<()> {
        let deadline = [deadline, self.net.deadline()].into_iter().flatten().min();
        let wait = match deadline {
            _ if !self.ready.is_empty() || !self.completions.is_empty() || self.net.is_pushing() => Wait::Not,
            Some(deadline) if deadline <= now => Wait::Not,
            Some(Instant::NEVER) | None => Wait::Forever,
            Some(deadline) => Wait::AtMost(deadline.since(now)),
        };
        if wait != Wait::Not && !self.spin.is_zero() {
            self.ring.enter(Wait::Not)?;
            if self.spin_for_work(deadline, now) {
                return self.ring.enter(Wait::Not);
            }
        }
        if wait == Wait::Not || !self.mesh.fall_asleep(self.id) {
            return self.ring.enter(Wait::Not);
        }
        let result = self.ring.enter(wait);
        self.mesh.wake_up(self.id);
        result
    }

    /// Looks for work without a system call; false if there was none for as long as one may spin.
    fn spin_for_work(&mut self, deadline: Option<Instant>, now: Instant) -> bool {
        let until = now + self.spin;
        loop {
            let signalled = self.signals && Watch::asked();
            if self.ring.has_completions() || self.ring.has_unfinished() || self.mesh.has_mail(self.id) || signalled {
                return true;
            }
            std::hint::spin_loop();
            let now = clock::now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                return true;
            }
            if now >= until {
                return false;
            }
        }
    }

    /// Takes everything back from the kernel, so that memory may be freed.
    fn finish(&mut self) {
        self.net.close_all(&mut self.ring, &self.addresses);
        self.ring.cancel_all();
        let mut events = Vec::new();
        while self.net.pending() > 0 || self.disk.pending() > 0 {
            self.ring.enter(Wait::AtMost(Duration::from_millis(100))).expect("the ring works until the end");
            self.gather(&mut events);
            // Connections that came or were made meanwhile are closed like the others.
            self.net.close_all(&mut self.ring, &self.addresses);
            events.clear();
        }
    }
}

//! The disks of one simulated machine: volumes mounted on paths, their faults, and the gate that every operation passes.
//!
//! ```text
//!   Fs, File (blocking)  ──▶ enter: alive? this incarnation? a crash planned here? ─┐
//!   Core::read, write …  ──▶ perform, when the scheduler says that it completes    ─┴─▶ gate: planned and drawn faults ──▶ Volume
//! ```
//!
//! Owned by its machine; handles reach it through a mutex because the contract lets a file go to another thread. The world
//! has one thread, so it is never contended.

use super::faults::{Crash, DiskFaults, DiskOp, Failure};
use super::rng::{Hash, Rng};
use super::volume::{Ino, ROOT, Volume, errno};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Result<T> = std::io::Result<T>;

pub type DiskRef = Arc<Mutex<Disk>>;

/// Also while a failed assertion of the world unwinds: destructors still give their handles back.
pub fn lock(disk: &DiskRef) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who asks. Handles outlive the process that made them only in a confused program; they fail then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    Process(u32),
    /// A test that looks at the disk from outside: no faults, no crash, no entry in the schedule.
    Outside,
}

/// Unwinds a program in the middle of the operation at which its machine was to die.
pub struct Killed;

pub struct Disk {
    name: String,
    volumes: Vec<(Vec<String>, Volume)>,
    pub faults: DiskFaults,
    failures: Vec<Failure>,
    pub rng: Rng,
    /// The process that may use it now.
    process: Option<u32>,
    /// Blocking operations until the machine dies, and how: planned for whenever, and within the present chore only.
    crash_in: Option<(u64, Crash)>,
    crash_within: Option<(u64, Crash)>,
    crashed: Option<Crash>,
    /// Time that blocking operations have taken since somebody asked.
    elapsed_ns: u64,
    /// World's time, and until when the device stands still.
    pub now: u64,
    pub stalled_until: u64,
    pub hash: Hash,
    pub trace: bool,
    pub ops: u64,
}

/// What one operation has to say about itself.
#[derive(Clone, Copy)]
pub struct Note {
    pub op: DiskOp,
    pub position: u64,
    pub len: u64,
    pub checksum: u64,
}

impl Disk {
    pub fn new(name: &str, rng: Rng) -> Disk {
        Disk {
            name: name.to_owned(),
            volumes: vec![(Vec::new(), Volume::new(1 << 40))],
            faults: DiskFaults::default(),
            failures: Vec::new(),
            rng,
            process: None,
            crash_in: None,
            crash_within: None,
            crashed: None,
            elapsed_ns: 0,
            now: 0,
            stalled_until: 0,
            hash: Hash::default(),
            trace: false,
            ops: 0,
        }
    }

    // ---- what the world does with it

    pub fn mount(&mut self, path: &str, capacity: u64) {
        let parts: Vec<String> = split(path).into_iter().map(str::to_owned).collect();
        assert!(!parts.is_empty() && self.volumes.iter().all(|(p, _)| *p != parts), "{path} is mounted already");
        // Its name shows in the volume above.
        let (above, rest) = self.resolve(path).expect("a path");
        let above = &mut self.volumes[above].1;
        let mut dir = ROOT;
        for depth in 0..rest.len() {
            dir = match above.find(&rest[..=depth]) {
                Ok(ino) => ino,
                Err(_) => above.create(dir, rest[depth], true).expect("room for a directory"),
            };
        }
        above.commit(usize::MAX);
        self.volumes.push((parts, Volume::new(capacity)));
    }
    pub fn volume_mut(&mut self, path: &str) -> &mut Volume {
        let (volume, _) = self.resolve(path).expect("a path");
        &mut self.volumes[volume].1
    }
    pub fn volumes(&self) -> impl Iterator<Item = &Volume> {
        self.volumes.iter().map(|(_, v)| v)
    }
    pub fn fail(&mut self, failure: Failure) {
        self.failures.push(failure);
    }
    pub fn heal(&mut self) {
        self.failures.clear();
        self.volumes.iter_mut().for_each(|(_, v)| v.broken = false);
        self.stalled_until = 0;
    }

    pub fn start(&mut self, process: u32) {
        self.process = Some(process);
        self.crashed = None;
        self.elapsed_ns = 0;
    }
    pub fn stop(&mut self, crash: Crash) {
        self.process = None;
        self.crash_in = None;
        self.crash_within = None;
        for (_, volume) in &mut self.volumes {
            match crash {
                Crash::Process => volume.process_crash(),
                Crash::Power => volume.power_cut(&mut self.rng),
            }
        }
    }
    pub fn crash_in(&mut self, plan: Option<(u64, Crash)>) {
        self.crash_in = plan;
    }
    pub fn crash_within(&mut self, plan: Option<(u64, Crash)>) {
        self.crash_within = plan;
    }
    /// A planned crash has unwound the program: of which kind it was.
    pub fn take_crashed(&mut self) -> Option<Crash> {
        self.crashed.take()
    }
    pub fn elapsed(&mut self) -> u64 {
        std::mem::take(&mut self.elapsed_ns)
    }

    // ---- what every operation passes

    pub fn is_current(&self, caller: Caller) -> bool {
        match caller {
            Caller::Process(process) => self.process == Some(process),
            Caller::Outside => true,
        }
    }

    /// A blocking operation begins. `Err(Killed)`: this is where the machine dies; let the lock go, then unwind.
    pub fn enter(&mut self, caller: Caller) -> std::result::Result<Result<()>, Killed> {
        if caller == Caller::Outside {
            return Ok(Ok(()));
        }
        if !self.is_current(caller) {
            return Ok(Err(errno(libc::EIO)));
        }
        self.ops += 1;
        for plan in [&mut self.crash_in, &mut self.crash_within] {
            if let Some((left, crash)) = plan {
                *left -= 1;
                if *left == 0 {
                    self.crashed = Some(*crash);
                    *plan = None;
                    self.process = None;
                    return Err(Killed);
                }
            }
        }
        Ok(Ok(()))
    }

    /// Faults, time and the record of one operation. `path` is asked only when somebody wants to know.
    pub fn gate(&mut self, caller: Caller, volume: usize, note: Note, path: impl Fn(&Disk) -> String) -> Result<()> {
        if self.volumes[volume].1.broken {
            return Err(errno(libc::EIO));
        }
        let Caller::Process(_) = caller else { return Ok(()) };
        self.hash.mix(note.op as u64);
        self.hash.mix(note.position);
        self.hash.mix(note.len);
        self.hash.mix(note.checksum);
        if self.trace {
            eprintln!("      {} {:?} {} at {} len {}", self.name, note.op, path(self), note.position, note.len);
        }
        if !self.failures.is_empty() {
            let path = path(self);
            for at in 0..self.failures.len() {
                let failure = &mut self.failures[at];
                if failure.op != note.op || !(failure.path)(&path) {
                    continue;
                }
                if failure.nth > 1 {
                    failure.nth -= 1;
                    continue;
                }
                let errno = errno(failure.errno);
                if !failure.forever {
                    self.failures.swap_remove(at);
                }
                return Err(errno);
            }
        }
        let ppm = match note.op {
            DiskOp::Look => 0,
            DiskOp::Read => self.faults.read_eio_ppm,
            DiskOp::Write => self.faults.write_eio_ppm,
            DiskOp::Sync => self.faults.sync_eio_ppm,
            _ => self.faults.names_eio_ppm,
        };
        if self.rng.chance(ppm) {
            if self.trace {
                eprintln!("      {} fails with EIO", self.name);
            }
            return Err(errno(libc::EIO));
        }
        Ok(())
    }

    /// When an operation that is asked now completes.
    pub fn completes(&mut self, op: DiskOp, len: u64) -> u64 {
        self.completes_from(self.now, op, len)
    }
    /// An operation holds up whoever asked.
    pub fn block(&mut self, caller: Caller, op: DiskOp, len: u64) {
        if caller != Caller::Outside {
            self.elapsed_ns = self.completes_from(self.now + self.elapsed_ns, op, len) - self.now;
        }
    }
    fn completes_from(&mut self, from: u64, op: DiskOp, len: u64) -> u64 {
        let takes = match op {
            DiskOp::Look => self.rng.between(1_000, 5_000),
            DiskOp::Read => self.rng.skewed(3_000, 300_000) + len / 2,
            DiskOp::Write => self.rng.skewed(5_000, 300_000) + len / 2,
            DiskOp::Sync | DiskOp::SyncDir => self.rng.skewed(80_000, 4_000_000),
            _ => self.rng.skewed(5_000, 500_000),
        };
        if self.rng.chance(self.faults.stall_ppm) {
            let most = u64::try_from(DiskFaults::STALL_MAX.as_nanos()).expect("seconds");
            self.stalled_until = from + self.rng.between(1_000_000, most);
        }
        from.max(self.stalled_until) + takes
    }

    pub fn volume(&mut self, volume: usize) -> &mut Volume {
        &mut self.volumes[volume].1
    }

    /// The volume that a path is on, and the names from its root.
    pub fn resolve<'a>(&self, path: &'a str) -> Result<(usize, Vec<&'a str>)> {
        let parts = split(path);
        let (at, mount) = self
            .volumes
            .iter()
            .enumerate()
            .filter(|(_, (mount, _))| mount.len() <= parts.len() && mount.iter().zip(&parts).all(|(a, b)| a == b))
            .max_by_key(|(_, (mount, _))| mount.len())
            .map(|(at, (mount, _))| (at, mount.len()))
            .expect("the root is mounted");
        Ok((at, parts[mount..].to_vec()))
    }
    pub fn path(&self, volume: usize, ino: Ino) -> String {
        let (mount, volume) = &self.volumes[volume];
        mount.iter().fold(String::new(), |path, name| path + "/" + name) + &volume.path(ino)
    }
}

/// Names of a path; `.` and `..` as a shell would read them, everything from the root.
fn split(path: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts
}

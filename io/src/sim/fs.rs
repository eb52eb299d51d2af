//! Handles to a simulated disk: what [`crate::Fs`], [`crate::File`] and [`crate::FsLock`] hold in the simulated world.
//!
//! Blocking operations act at once and cost the core that asked their time afterwards. Those of [`crate::Core`] are
//! carried out by [`File::perform`] when the scheduler says that they complete.

use super::content::Snapshot;
use super::disk::{Caller, Disk, DiskRef, Killed, Note, lock};
use super::faults::DiskOp;
use super::rng::Hash;
use super::volume::{Ino, errno};
use crate::{Buf, BufMut, DirEntry, Done, OpenHow, Result, Space};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, MutexGuard};

#[derive(Clone)]
pub struct Fs {
    disk: DiskRef,
    caller: Caller,
}

impl fmt::Debug for Fs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sim::Fs({:?})", self.caller)
    }
}

#[derive(Clone)]
pub struct File(Arc<Handle>);

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sim::File({})", self.path())
    }
}

struct Handle {
    disk: DiskRef,
    caller: Caller,
    volume: usize,
    ino: Ino,
    how: OpenHow,
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut disk = lock(&self.disk);
        if disk.is_current(self.caller) {
            disk.volume(self.volume).closed(self.ino);
        }
    }
}

pub struct FsLock {
    handle: Arc<Handle>,
    id: u64,
}

impl fmt::Debug for FsLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sim::FsLock({})", self.id)
    }
}

impl Drop for FsLock {
    fn drop(&mut self) {
        let mut disk = lock(&self.handle.disk);
        if disk.is_current(self.handle.caller) {
            disk.volume(self.handle.volume).unlock(self.handle.ino, self.id);
        }
    }
}

/// Begins a blocking operation. Where the machine was to die, it dies here: the stack unwinds to the scheduler.
fn enter(disk: &DiskRef, caller: Caller) -> Result<MutexGuard<'_, Disk>> {
    let mut guard = lock(disk);
    match guard.enter(caller) {
        Ok(answer) => answer.map(|()| guard),
        Err(Killed) => {
            drop(guard);
            if std::thread::panicking() {
                return Err(errno(libc::EIO));
            }
            std::panic::resume_unwind(Box::new(Killed))
        }
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| errno(libc::EILSEQ))
}

fn note(op: DiskOp, position: u64, len: u64) -> Note {
    Note { op, position, len, checksum: 0 }
}

impl Fs {
    pub(super) fn new(disk: DiskRef, caller: Caller) -> Fs {
        Fs { disk, caller }
    }

    /// One operation on the names of one volume: entered, let through, and with the time it took.
    fn on<T>(&self, op: DiskOp, path: &Path, act: impl FnOnce(&mut Disk, usize, &[&str]) -> Result<T>) -> Result<T> {
        let path = text(path)?;
        let mut disk = enter(&self.disk, self.caller)?;
        disk.block(self.caller, op, 0);
        let (volume, names) = disk.resolve(path)?;
        let mut checksum = Hash::default();
        checksum.bytes(path.as_bytes());
        let note = Note { op, position: 0, len: 0, checksum: checksum.value() };
        disk.gate(self.caller, volume, note, |_| path.to_owned())?;
        act(&mut disk, volume, &names)
    }

    pub fn list(&self, dir: &Path) -> Result<Vec<DirEntry>> {
        self.on(DiskOp::Look, dir, |disk, volume, names| {
            let volume = disk.volume(volume);
            let entries = volume.list(volume.find(names)?)?;
            Ok(entries.into_iter().map(|(name, is_dir, len)| DirEntry { name, is_dir, len }).collect())
        })
    }

    pub fn create_dir_all(&self, dir: &Path) -> Result<()> {
        if self.is_dir(dir)? {
            return Ok(());
        }
        if let Some(parent) = dir.parent() {
            self.create_dir_all(parent)?;
        }
        self.create_dir(dir)?;
        self.sync_dir(dir.parent().unwrap_or(Path::new("/")))
    }

    pub fn create_dir(&self, dir: &Path) -> Result<()> {
        let made = self.on(DiskOp::Create, dir, |disk, volume, names| {
            let (name, parent) = names.split_last().ok_or_else(|| errno(libc::EEXIST))?;
            let volume = disk.volume(volume);
            let parent = volume.find(parent)?;
            volume.create(parent, name, true)
        });
        made.map(drop)
    }

    pub fn sync_all(&self, dir: &Path) -> Result<()> {
        self.on(DiskOp::Sync, dir, |disk, volume, _| {
            disk.volume(volume).sync_all();
            Ok(())
        })
    }

    /// `EEXIST` if something else is there.
    fn is_dir(&self, path: &Path) -> Result<bool> {
        self.on(DiskOp::Look, path, |disk, volume, names| match disk.volume(volume).find(names) {
            Ok(ino) if disk.volume(volume).is_dir(ino) => Ok(true),
            Ok(_) => Err(errno(libc::EEXIST)),
            Err(_) => Ok(false),
        })
    }

    pub fn exists(&self, path: &Path) -> bool {
        self.on(DiskOp::Look, path, |disk, volume, names| disk.volume(volume).find(names)).is_ok()
    }

    pub fn open(&self, path: &Path, how: OpenHow) -> Result<File> {
        let op = if how.create && !self.exists(path) { DiskOp::Create } else { DiskOp::Look };
        self.on(op, path, |disk, at, names| {
            let volume = disk.volume(at);
            let ino = match volume.find(names) {
                Ok(ino) => ino,
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) && how.create => {
                    let (name, parent) = names.split_last().ok_or_else(|| errno(libc::EISDIR))?;
                    let parent = volume.find(parent)?;
                    volume.create(parent, name, false)?
                }
                Err(error) => return Err(error),
            };
            if volume.is_dir(ino) {
                return Err(errno(libc::EISDIR));
            }
            volume.opened(ino);
            Ok(File(Arc::new(Handle { disk: self.disk.clone(), caller: self.caller, volume: at, ino, how })))
        })
    }

    pub fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let file = self.open(path, OpenHow::READ)?;
        let len = usize::try_from(file.len()?).map_err(|_| errno(libc::EFBIG))?;
        let mut bytes = vec![0; len];
        let read = file.read_at(0, &mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    pub fn write_atomic(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".tmp");
        let beside = Path::new(&beside);
        let file = self.open(beside, OpenHow::CREATE)?;
        file.truncate(0)?;
        file.write_at(0, bytes)?;
        file.sync()?;
        drop(file);
        self.rename(beside, path)?;
        self.sync_dir(path.parent().unwrap_or(Path::new("/")))
    }

    pub fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let to = text(to)?;
        self.on(DiskOp::Rename, from, |disk, volume, from| {
            let (to_volume, to) = disk.resolve(to)?;
            if to_volume != volume {
                return Err(errno(libc::EXDEV));
            }
            let volume = disk.volume(volume);
            let (from_name, from_dir) = from.split_last().ok_or_else(|| errno(libc::EBUSY))?;
            let (to_name, to_dir) = to.split_last().ok_or_else(|| errno(libc::EBUSY))?;
            let from_dir = volume.find(from_dir)?;
            let to_dir = volume.find(to_dir)?;
            volume.rename((from_dir, from_name), (to_dir, to_name))
        })
    }

    pub fn remove_file(&self, path: &Path) -> Result<()> {
        self.on(DiskOp::Remove, path, |disk, volume, names| {
            let volume = disk.volume(volume);
            if volume.is_dir(volume.find(names)?) {
                return Err(errno(libc::EISDIR));
            }
            let (name, dir) = names.split_last().ok_or_else(|| errno(libc::EISDIR))?;
            let dir = volume.find(dir)?;
            volume.remove(dir, name)
        })
    }

    pub fn remove_dir_all(&self, path: &Path) -> Result<()> {
        for entry in self.list(path)? {
            let inner = path.join(&entry.name);
            if entry.is_dir { self.remove_dir_all(&inner)? } else { self.remove_file(&inner)? }
        }
        self.on(DiskOp::Remove, path, |disk, volume, names| {
            let volume = disk.volume(volume);
            let (name, dir) = names.split_last().ok_or_else(|| errno(libc::EBUSY))?;
            let dir = volume.find(dir)?;
            volume.remove(dir, name)
        })
    }

    pub fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.on(DiskOp::SyncDir, dir, |disk, volume, names| {
            let volume = disk.volume(volume);
            let ino = volume.find(names)?;
            if !volume.is_dir(ino) {
                return Err(errno(libc::ENOTDIR));
            }
            volume.commit(usize::MAX);
            Ok(())
        })
    }

    pub fn lock(&self, path: &Path) -> Result<Option<FsLock>> {
        let file = self.open(path, OpenHow::CREATE)?;
        let id = lock(&self.disk).volume(file.0.volume).lock(file.0.ino);
        Ok(id.map(|id| FsLock { handle: file.0.clone(), id }))
    }

    pub fn space(&self, dir: &Path) -> Result<Space> {
        self.on(DiskOp::Look, dir, |disk, volume, names| {
            let volume = disk.volume(volume);
            volume.find(names)?;
            let (total_bytes, usable_bytes) = volume.space();
            Ok(Space { total_bytes, usable_bytes })
        })
    }
}

#[allow(clippy::len_without_is_empty, reason = "`crate::File` has it")]
impl File {
    pub fn len(&self) -> Result<u64> {
        let handle = &*self.0;
        let mut disk = enter(&handle.disk, handle.caller)?;
        if disk.volume(handle.volume).broken {
            return Err(errno(libc::EIO));
        }
        disk.volume(handle.volume).size(handle.ino)
    }

    pub fn read_at(&self, position: u64, into: &mut [u8]) -> Result<usize> {
        let mut disk = enter(&self.0.disk, self.0.caller)?;
        disk.block(self.0.caller, DiskOp::Read, into.len() as u64);
        self.aligned(position, into)?;
        self.read_in(&mut disk, position, into)
    }

    pub fn write_at(&self, position: u64, bytes: &[u8]) -> Result<()> {
        let mut disk = enter(&self.0.disk, self.0.caller)?;
        disk.block(self.0.caller, DiskOp::Write, bytes.len() as u64);
        self.aligned(position, bytes)?;
        self.write_in(&mut disk, position, &[bytes])
    }

    pub fn sync(&self) -> Result<()> {
        let mut disk = enter(&self.0.disk, self.0.caller)?;
        disk.block(self.0.caller, DiskOp::Sync, 0);
        let snapshot = self.begin_sync_in(&mut disk)?;
        self.end_sync_in(&mut disk, snapshot)
    }

    pub fn truncate(&self, len: u64) -> Result<()> {
        let handle = &*self.0;
        let mut disk = enter(&handle.disk, handle.caller)?;
        disk.block(handle.caller, DiskOp::Truncate, 0);
        self.writable()?;
        disk.gate(handle.caller, handle.volume, note(DiskOp::Truncate, len, 0), |d| handle.path(d))?;
        disk.volume(handle.volume).truncate(handle.ino, len)
    }

    pub fn allocate(&self, position: u64, len: u64) -> Result<()> {
        let mut disk = enter(&self.0.disk, self.0.caller)?;
        disk.block(self.0.caller, DiskOp::Allocate, 0);
        self.allocate_in(&mut disk, position, len)
    }

    fn path(&self) -> String {
        self.0.path(&lock(&self.0.disk))
    }
    fn writable(&self) -> Result<()> {
        if self.0.how.write { Ok(()) } else { Err(errno(libc::EBADF)) }
    }
    /// What O_DIRECT asks for.
    fn aligned(&self, position: u64, bytes: &[u8]) -> Result<()> {
        let fits = |x: u64| x.is_multiple_of(crate::buffer::ALIGN as u64);
        let aligned = !self.0.how.direct || (fits(position) && fits(bytes.len() as u64) && bytes.as_ptr().addr().is_multiple_of(512));
        if aligned { Ok(()) } else { Err(errno(libc::EINVAL)) }
    }

    // ---- shared by the blocking and the queued operations; the disk is locked

    fn read_in(&self, disk: &mut Disk, position: u64, into: &mut [u8]) -> Result<usize> {
        let handle = &*self.0;
        disk.gate(handle.caller, handle.volume, note(DiskOp::Read, position, into.len() as u64), |d| handle.path(d))?;
        disk.volume(handle.volume).read(handle.ino, position, into)
    }

    fn write_in(&self, disk: &mut Disk, position: u64, parts: &[&[u8]]) -> Result<()> {
        self.writable()?;
        let handle = &*self.0;
        let len = parts.iter().map(|p| p.len() as u64).sum();
        let mut checksum = Hash::default();
        parts.iter().for_each(|part| checksum.bytes(part));
        let note = Note { op: DiskOp::Write, position, len, checksum: checksum.value() };
        match disk.gate(handle.caller, handle.volume, note, |d| handle.path(d)) {
            Ok(()) => self.write_part(disk, position, parts, len),
            Err(error) => {
                // Some of it may have been written before it failed.
                if len > 0 && !disk.volume(handle.volume).broken {
                    let part = disk.rng.below(len);
                    let _ = self.write_part(disk, position, parts, part);
                }
                Err(error)
            }
        }
    }
    fn write_part(&self, disk: &mut Disk, position: u64, parts: &[&[u8]], len: u64) -> Result<()> {
        let mut done = 0;
        for part in parts {
            let take = usize::try_from(len - done).map_or(part.len(), |left| left.min(part.len()));
            disk.volume(self.0.volume).write(self.0.ino, position.saturating_add(done), &part[..take])?;
            done += take as u64;
        }
        Ok(())
    }

    fn begin_sync_in(&self, disk: &mut Disk) -> Result<Snapshot> {
        let nameless = disk.faults.nameless_sync_ppm;
        let with_names = !disk.rng.chance(nameless);
        disk.volume(self.0.volume).begin_sync(self.0.ino, with_names)
    }
    fn end_sync_in(&self, disk: &mut Disk, snapshot: Snapshot) -> Result<()> {
        let handle = &*self.0;
        match disk.gate(handle.caller, handle.volume, note(DiskOp::Sync, 0, 0), |d| handle.path(d)) {
            Ok(()) => disk.volume(handle.volume).end_sync(handle.ino, snapshot),
            Err(error) => {
                let forget = disk.rng.below(4) == 0;
                disk.volume(handle.volume).fail_sync(handle.ino, forget)?;
                Err(error)
            }
        }
    }

    fn allocate_in(&self, disk: &mut Disk, position: u64, len: u64) -> Result<()> {
        self.writable()?;
        let handle = &*self.0;
        disk.gate(handle.caller, handle.volume, note(DiskOp::Allocate, position, len), |d| handle.path(d))?;
        disk.volume(handle.volume).reserve(handle.ino, position, len)
    }

    // ---- queued operations

    pub(super) fn same_file(&self, other: &File) -> bool {
        Arc::ptr_eq(&self.0.disk, &other.0.disk) && (self.0.volume, self.0.ino) == (other.0.volume, other.0.ino)
    }

    pub(super) fn is_resident(&self, position: u64, len: u64) -> bool {
        let mut disk = lock(&self.0.disk);
        let written_end = disk.volume(self.0.volume).written_end(self.0.ino);
        let recent = position < written_end && position + len + (1 << 20) >= written_end;
        recent || disk.rng.below(4) > 0
    }

    /// The bytes of a `sendfile`.
    pub(super) fn send(&self, position: u64, into: &mut [u8]) -> Result<usize> {
        let mut disk = lock(&self.0.disk);
        if disk.is_current(self.0.caller) { self.read_in(&mut disk, position, into) } else { Err(errno(libc::EIO)) }
    }

    /// When an operation asked now will complete, and what it has to remember until then.
    pub(super) fn begin(&self, op: &mut FileOp) -> u64 {
        let mut disk = lock(&self.0.disk);
        if let FileOp::Sync { snapshot } = op
            && disk.rng.coin()
        {
            // What is written while the sync is under way is not covered by it.
            *snapshot = self.begin_sync_in(&mut disk).ok();
        }
        disk.completes(op.kind(), op.len())
    }

    /// The operation completes.
    pub(super) fn perform(&self, op: FileOp) -> Result<Done> {
        let mut disk = lock(&self.0.disk);
        if !disk.is_current(self.0.caller) {
            return Err(errno(libc::EIO));
        }
        disk.ops += 1;
        match op {
            FileOp::Read { position, mut into } => {
                let old = into.len();
                into.resize(into.capacity());
                let answer =
                    self.aligned(position, &into[old..]).and_then(|()| self.read_in(&mut disk, position, &mut into.as_mut()[old..]));
                drop(disk);
                let read = answer?;
                into.resize(old + read);
                Ok(Done::Read(into))
            }
            FileOp::Write { position, bufs } => {
                let mut at = position;
                let mut answer = Ok(());
                for buf in &bufs {
                    answer = answer.and_then(|()| self.aligned(at, buf));
                    at = at.saturating_add(buf.len() as u64);
                }
                let parts: Vec<&[u8]> = bufs.iter().map(|b| &b[..]).collect();
                answer.and_then(|()| self.write_in(&mut disk, position, &parts)).map(|()| Done::Written)
            }
            FileOp::Sync { snapshot } => {
                let snapshot = match snapshot {
                    Some(snapshot) => snapshot,
                    None => self.begin_sync_in(&mut disk)?,
                };
                self.end_sync_in(&mut disk, snapshot).map(|()| Done::Synced)
            }
            FileOp::Allocate { position, len } => self.allocate_in(&mut disk, position, len).map(|()| Done::Allocated),
        }
    }

    /// The process dies while the operation is under way: it may have happened, or a part of it.
    pub(super) fn abandon(&self, op: FileOp) {
        let mut disk = lock(&self.0.disk);
        let FileOp::Write { position, bufs } = op else { return };
        let len = bufs.iter().map(|b| b.len() as u64).sum::<u64>();
        let part = match disk.rng.below(3) {
            0 => 0,
            1 => len,
            _ => disk.rng.between(0, len),
        };
        let parts: Vec<&[u8]> = bufs.iter().map(|b| &b[..]).collect();
        let _ = self.write_part(&mut disk, position, &parts, part);
    }
}

impl Handle {
    fn path(&self, disk: &Disk) -> String {
        disk.path(self.volume, self.ino)
    }
}

/// What [`crate::Core`] can ask of a file.
pub enum FileOp {
    Read { position: u64, into: BufMut },
    Write { position: u64, bufs: Vec<Buf> },
    Sync { snapshot: Option<Snapshot> },
    Allocate { position: u64, len: u64 },
}

impl FileOp {
    pub fn kind(&self) -> DiskOp {
        match self {
            FileOp::Read { .. } => DiskOp::Read,
            FileOp::Write { .. } => DiskOp::Write,
            FileOp::Sync { .. } => DiskOp::Sync,
            FileOp::Allocate { .. } => DiskOp::Allocate,
        }
    }
    pub fn len(&self) -> u64 {
        match self {
            FileOp::Read { into, .. } => into.spare() as u64,
            FileOp::Write { bufs, .. } => bufs.iter().map(|b| b.len() as u64).sum(),
            FileOp::Sync { .. } => 0,
            FileOp::Allocate { len, .. } => *len,
        }
    }
    /// Bytes that it writes.
    pub fn writes(&self) -> Option<(u64, u64)> {
        match self {
            FileOp::Write { position, .. } => Some((*position, position.saturating_add(self.len()))),
            _ => None,
        }
    }
}

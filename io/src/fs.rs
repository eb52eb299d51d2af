//! Blocking file operations: [`Fs`] for names, [`File`] for bytes. Both are cheap to clone and may go to another thread.
//!
//! Used before a core serves and inside chores. The hot path reads and writes through [`crate::Core`], which takes the
//! same [`File`].

use crate::{Result, real, sim};
use std::path::Path;

#[derive(Clone, Debug)]
pub struct DirEntry {
    pub name: String,
    pub is_dir: bool,
    /// Bytes; 0 for directories.
    pub len: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenHow {
    pub write: bool,
    /// Create it if it is missing.
    pub create: bool,
    /// `O_DIRECT`: positions, lengths and buffers are multiples of 4096.
    pub direct: bool,
}

impl OpenHow {
    pub const READ: OpenHow = OpenHow { write: false, create: false, direct: false };
    pub const WRITE: OpenHow = OpenHow { write: true, create: false, direct: false };
    pub const CREATE: OpenHow = OpenHow { write: true, create: true, direct: false };
}

/// What the file system under a directory has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub total_bytes: u64,
    pub usable_bytes: u64,
}

/// An advisory lock on a file; given back when dropped or when the process ends, however it ends.
#[derive(Debug)]
pub struct FsLock(#[allow(dead_code, reason = "held for its Drop")] FsLockWorld);

#[derive(Debug)]
enum FsLockWorld {
    Real(#[allow(dead_code, reason = "held for its Drop")] real::FsLock),
    Sim(#[allow(dead_code, reason = "held for its Drop")] sim::FsLock),
}

/// Names: directories, renames, whole small files.
#[derive(Clone, Debug)]
pub enum Fs {
    Real(real::Fs),
    Sim(sim::Fs),
}

/// An open file. The descriptor is closed with the last clone.
#[derive(Clone, Debug)]
pub enum File {
    Real(real::File),
    Sim(sim::File),
}

macro_rules! dispatch {
    ($self:ident: $kind:ident, $inner:ident => $body:expr) => {
        match $self {
            $kind::Real($inner) => $body,
            $kind::Sim($inner) => $body,
        }
    };
}

impl Fs {
    /// Entries in byte order of their names.
    pub fn list(&self, dir: &Path) -> Result<Vec<DirEntry>> {
        dispatch!(self: Fs, fs => fs.list(dir))
    }
    /// With all missing parents; their entries are synced.
    pub fn create_dir_all(&self, dir: &Path) -> Result<()> {
        dispatch!(self: Fs, fs => fs.create_dir_all(dir))
    }
    /// Its parent must exist. Not durable before [`Fs::sync_dir`] of the parent.
    pub fn create_dir(&self, dir: &Path) -> Result<()> {
        dispatch!(self: Fs, fs => fs.create_dir(dir))
    }
    /// Makes everything in the file system that holds `dir` durable, at once (`syncfs`).
    pub fn sync_all(&self, dir: &Path) -> Result<()> {
        dispatch!(self: Fs, fs => fs.sync_all(dir))
    }
    pub fn exists(&self, path: &Path) -> bool {
        dispatch!(self: Fs, fs => fs.exists(path))
    }
    pub fn open(&self, path: &Path, how: OpenHow) -> Result<File> {
        match self {
            Fs::Real(fs) => fs.open(path, how).map(File::Real),
            Fs::Sim(fs) => fs.open(path, how).map(File::Sim),
        }
    }
    /// A whole, small file.
    pub fn read(&self, path: &Path) -> Result<Vec<u8>> {
        dispatch!(self: Fs, fs => fs.read(path))
    }
    /// Either the old content or the new survives a crash: written beside, synced, renamed, directory synced.
    pub fn write_atomic(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        dispatch!(self: Fs, fs => fs.write_atomic(path, bytes))
    }
    /// The same while the machine keeps its power; durable only when something has synced it. For what can be made
    /// again, and before a [`Fs::sync_all`].
    pub fn write_renamed(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".tmp");
        let beside = Path::new(&beside);
        let file = self.open(beside, OpenHow::CREATE)?;
        file.truncate(0)?;
        file.write_at(0, bytes)?;
        self.rename(beside, path)
    }
    pub fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        dispatch!(self: Fs, fs => fs.rename(from, to))
    }
    pub fn remove_file(&self, path: &Path) -> Result<()> {
        dispatch!(self: Fs, fs => fs.remove_file(path))
    }
    pub fn remove_dir_all(&self, path: &Path) -> Result<()> {
        dispatch!(self: Fs, fs => fs.remove_dir_all(path))
    }
    /// Makes creations, renames and removals in `dir` durable.
    pub fn sync_dir(&self, dir: &Path) -> Result<()> {
        dispatch!(self: Fs, fs => fs.sync_dir(dir))
    }
    /// Takes an exclusive lock on `path`, creating it; `Ok(None)` if somebody else holds it.
    pub fn lock(&self, path: &Path) -> Result<Option<FsLock>> {
        match self {
            Fs::Real(fs) => Ok(fs.lock(path)?.map(|l| FsLock(FsLockWorld::Real(l)))),
            Fs::Sim(fs) => Ok(fs.lock(path)?.map(|l| FsLock(FsLockWorld::Sim(l)))),
        }
    }
    pub fn space(&self, dir: &Path) -> Result<Space> {
        dispatch!(self: Fs, fs => fs.space(dir))
    }
}

impl File {
    /// The real world's file; a real core has no others.
    pub(crate) fn real(&self) -> &real::File {
        match self {
            File::Real(file) => file,
            File::Sim(_) => unreachable!("a simulated file on a real core"),
        }
    }
    pub fn len(&self) -> Result<u64> {
        dispatch!(self: File, file => file.len())
    }
    pub fn is_empty(&self) -> Result<bool> {
        self.len().map(|len| len == 0)
    }
    /// Fills `into` unless the file ends first; how many bytes were read.
    pub fn read_at(&self, position: u64, into: &mut [u8]) -> Result<usize> {
        dispatch!(self: File, file => file.read_at(position, into))
    }
    /// Writes all of it.
    pub fn write_at(&self, position: u64, bytes: &[u8]) -> Result<()> {
        dispatch!(self: File, file => file.write_at(position, bytes))
    }
    /// `fdatasync`.
    pub fn sync(&self) -> Result<()> {
        dispatch!(self: File, file => file.sync())
    }
    pub fn truncate(&self, len: u64) -> Result<()> {
        dispatch!(self: File, file => file.truncate(len))
    }
    /// `fallocate` with the size kept.
    pub fn allocate(&self, position: u64, len: u64) -> Result<()> {
        dispatch!(self: File, file => file.allocate(position, len))
    }
    /// Gives back blocks allocated beyond the end.
    pub fn trim(&self) -> Result<()> {
        let len = self.len()?;
        self.truncate(len)
    }
}

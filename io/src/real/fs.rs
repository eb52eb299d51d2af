//! Blocking file operations of the real world.

use crate::{DirEntry, OpenHow, Result, Space};
use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::io::{Error, ErrorKind, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Clone, Debug)]
pub struct Fs;

impl Fs {
    pub fn list(&self, dir: &Path) -> Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            // What vanished since the listing began was not there.
            let meta = match entry.metadata() {
                Ok(meta) => meta,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            // Names that are not UTF-8 are none of ours.
            let Ok(name) = entry.file_name().into_string() else { continue };
            entries.push(DirEntry { name, is_dir: meta.is_dir(), len: if meta.is_dir() { 0 } else { meta.len() } });
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    pub fn create_dir_all(&self, dir: &Path) -> Result<()> {
        let mut missing = Vec::new();
        let mut at = Some(dir);
        while let Some(path) = at.filter(|path| !path.as_os_str().is_empty() && !path.is_dir()) {
            missing.push(path);
            at = path.parent();
        }
        for path in missing.into_iter().rev() {
            match fs::create_dir(path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
                Err(error) => return Err(error),
                Ok(()) => {}
            }
            self.sync_dir(&parent(path))?;
        }
        Ok(())
    }

    pub fn create_dir(&self, dir: &Path) -> Result<()> {
        fs::create_dir(dir)
    }

    pub fn sync_all(&self, dir: &Path) -> Result<()> {
        let dir = fs::File::open(dir)?;
        // SAFETY: the descriptor is open for the length of the call.
        match unsafe { libc::syncfs(dir.as_raw_fd()) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    }

    pub fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    pub fn open(&self, path: &Path, how: OpenHow) -> Result<File> {
        let flags = if how.direct { libc::O_DIRECT } else { 0 };
        let descriptor =
            OpenOptions::new().read(true).write(how.write).create(how.create).truncate(false).custom_flags(flags).open(path)?;
        Ok(File(Arc::new(OpenFile {
            descriptor,
            direct: how.direct,
            writes_wait: AtomicBool::new(false),
            reads_cached: AtomicBool::new(false),
        })))
    }

    pub fn read(&self, path: &Path) -> Result<Vec<u8>> {
        fs::read(path)
    }

    pub fn write_atomic(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".tmp");
        let beside = PathBuf::from(beside);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&beside, path)?;
        self.sync_dir(&parent(path))
    }

    pub fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        fs::rename(from, to)
    }
    pub fn remove_file(&self, path: &Path) -> Result<()> {
        fs::remove_file(path)
    }
    pub fn remove_dir_all(&self, path: &Path) -> Result<()> {
        fs::remove_dir_all(path)
    }
    pub fn sync_dir(&self, dir: &Path) -> Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    pub fn lock(&self, path: &Path) -> Result<Option<FsLock>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        // SAFETY: the descriptor is open.
        if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
            return Ok(Some(FsLock(file)));
        }
        match Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::EWOULDBLOCK) => Ok(None),
            error => Err(error),
        }
    }

    pub fn space(&self, dir: &Path) -> Result<Space> {
        let name = CString::new(dir.as_os_str().as_bytes())?;
        // SAFETY: a zeroed statvfs is valid, `name` ends with a zero, and both outlive the call.
        let stat = unsafe {
            let mut stat: libc::statvfs = std::mem::zeroed();
            if libc::statvfs(name.as_ptr(), &raw mut stat) != 0 {
                return Err(Error::last_os_error());
            }
            stat
        };
        Ok(Space { total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize), usable_bytes: stat.f_bavail.saturating_mul(stat.f_frsize) })
    }
}

/// The directory that holds the name; `.` for a bare name.
fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// `flock`: bound to the open file, so that it ends with the process however that ends.
#[derive(Debug)]
pub struct FsLock(#[allow(dead_code, reason = "held for its Drop")] fs::File);

#[derive(Clone, Debug)]
pub struct File(Arc<OpenFile>);

#[derive(Debug)]
struct OpenFile {
    descriptor: fs::File,
    direct: bool,
    /// This file system cannot write without waiting (`RWF_NOWAIT` got `EOPNOTSUPP`); not asked again.
    writes_wait: AtomicBool,
    /// This file system cannot read past the cache (`RWF_DONTCACHE` got `EOPNOTSUPP`); not asked again.
    reads_cached: AtomicBool,
}

impl File {
    pub fn descriptor(&self) -> RawFd {
        self.0.descriptor.as_raw_fd()
    }
    pub fn is_direct(&self) -> bool {
        self.0.direct
    }
    pub fn writes_wait(&self) -> bool {
        self.0.writes_wait.load(Ordering::Relaxed)
    }
    pub fn set_writes_wait(&self) {
        self.0.writes_wait.store(true, Ordering::Relaxed);
    }
    pub fn reads_cached(&self) -> bool {
        self.0.reads_cached.load(Ordering::Relaxed)
    }
    pub fn set_reads_cached(&self) {
        self.0.reads_cached.store(true, Ordering::Relaxed);
    }

    #[allow(clippy::len_without_is_empty, reason = "`crate::File` has it")]
    pub fn len(&self) -> Result<u64> {
        Ok(self.0.descriptor.metadata()?.len())
    }

    pub fn read_at(&self, position: u64, into: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < into.len() {
            match self.0.descriptor.read_at(&mut into[filled..], position + filled as u64) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            // What O_DIRECT reads short ends with the file; asking at an odd position would be refused.
            if self.0.direct && !filled.is_multiple_of(crate::buffer::ALIGN) {
                break;
            }
        }
        Ok(filled)
    }

    pub fn write_at(&self, position: u64, bytes: &[u8]) -> Result<()> {
        self.0.descriptor.write_all_at(bytes, position)
    }

    pub fn sync(&self) -> Result<()> {
        self.0.descriptor.sync_data()
    }

    pub fn truncate(&self, len: u64) -> Result<()> {
        self.0.descriptor.set_len(len)
    }

    pub fn allocate(&self, position: u64, len: u64) -> Result<()> {
        let (position, len) = (signed(position)?, signed(len)?);
        // SAFETY: the descriptor is open.
        if unsafe { libc::fallocate(self.descriptor(), libc::FALLOC_FL_KEEP_SIZE, position, len) } == 0 {
            return Ok(());
        }
        Err(Error::last_os_error())
    }
}

/// A position or length as the kernel wants it.
pub fn signed(bytes: u64) -> Result<i64> {
    i64::try_from(bytes).map_err(|_| Error::from_raw_os_error(libc::EFBIG))
}

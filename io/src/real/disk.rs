//! [`Disk`]: one core's file operations on their way.
//!
//! | operation | how | why |
//! |---|---|---|
//! | write, page cache | `pwritev2` on the core, at once | io_uring hands buffered writes of most file systems to a kernel thread: two context switches for one memcpy |
//! | the same, where the file system can say "not now" (xfs, btrfs) | with `RWF_NOWAIT`, else through the ring | does not wait for write-back or locks |
//! | write, O_DIRECT | ring | the core does not wait for the disk |
//! | read, cached | `preadv2(RWF_NOWAIT)`, the rest through the ring | what is in memory costs one copy |
//! | read, uncached | ring, `RWF_DONTCACHE` where the kernel has it (6.14), or O_DIRECT | leaves the page cache to the tail |
//! | fdatasync, fallocate | ring | always run on a kernel thread |
//!
//! Answers of what was done at once are events of the next turn, like all others.
//!
//! Invariant: an [`Operation`] owns its file and its memory from the first submission to the last completion.

use super::fs::{File, signed};
use super::ring::{Completion, Kind, Ring, Tag};
use super::slab::Slab;
use crate::{Buf, BufMut, Done, Event, ReadHow, Result, Token};
use io_uring::{opcode, squeue, types};
use std::io::{Error, ErrorKind};

/// Most parts in one vectored call (`IOV_MAX`).
pub const PARTS_MAX: usize = 1024;
/// Most bytes asked for in one call; the kernel's own limit is a little under 2 GiB.
const CALL_BYTES_MAX: usize = 1 << 30;

pub struct Disk {
    operations: Slab<Operation>,
}

/// Where an operation begins, and whom its answer is for.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub file: &'a File,
    pub position: u64,
    pub token: Token,
}

impl Place<'_> {
    fn operation(&self, work: Work) -> Operation {
        Operation { file: self.file.clone(), token: self.token, position: self.position, work }
    }
}

struct Operation {
    file: File,
    token: Token,
    /// Of the next byte to move.
    position: u64,
    work: Work,
}

enum Work {
    Read {
        into: BufMut,
        how: ReadHow,
    },
    Write {
        left: Parts,
        #[allow(dead_code, reason = "owns what `left` points to")]
        bufs: Vec<Buf>,
    },
    Sync,
    Allocate {
        len: u64,
    },
}

/// What is left of a vectored write.
struct Parts {
    iovecs: Vec<libc::iovec>,
    /// First one not gone entirely; it has been cut to what is left of it.
    next: usize,
}

impl Parts {
    fn new(bufs: &[Buf]) -> Parts {
        let parts = bufs.iter().filter(|buf| !buf.is_empty());
        Parts { iovecs: parts.map(|buf| libc::iovec { iov_base: buf.as_ptr().cast_mut().cast(), iov_len: buf.len() }).collect(), next: 0 }
    }
    fn left(&self) -> &[libc::iovec] {
        let left = &self.iovecs[self.next..];
        &left[..left.len().min(PARTS_MAX)]
    }
    fn advance(&mut self, gone: usize) {
        advance(&mut self.iovecs, &mut self.next, gone);
    }
}

/// Cuts `gone` bytes off the front of `iovecs[*next..]`.
pub fn advance(iovecs: &mut [libc::iovec], next: &mut usize, mut gone: usize) {
    while gone > 0 {
        let first = &mut iovecs[*next];
        if gone < first.iov_len {
            // SAFETY: stays within the part.
            first.iov_base = unsafe { first.iov_base.cast::<u8>().add(gone) }.cast();
            first.iov_len -= gone;
            return;
        }
        gone -= first.iov_len;
        *next += 1;
    }
}

/// The end of one step of an operation.
enum Outcome {
    Done(Result<()>),
    /// Through the ring, what is left.
    Submit,
}

impl Disk {
    pub fn new() -> Disk {
        Disk { operations: Slab::new() }
    }

    /// Operations that the kernel works on.
    pub fn pending(&self) -> usize {
        self.operations.len()
    }

    pub fn read(&mut self, ring: &mut Ring, ready: &mut Vec<Event>, at: Place, into: BufMut, how: ReadHow) {
        let mut operation = at.operation(Work::Read { into, how });
        let outcome = if how == ReadHow::Cached && !at.file.is_direct() { operation.read_resident() } else { Outcome::Submit };
        self.proceed(ring, ready, operation, outcome);
    }

    pub fn write(&mut self, ring: &mut Ring, ready: &mut Vec<Event>, at: Place, bufs: Vec<Buf>) {
        let left = Parts::new(&bufs);
        let mut operation = at.operation(Work::Write { left, bufs });
        let outcome = if at.file.is_direct() { Outcome::Submit } else { operation.write_at_once() };
        self.proceed(ring, ready, operation, outcome);
    }

    pub fn sync(&mut self, ring: &mut Ring, ready: &mut Vec<Event>, at: Place) {
        self.proceed(ring, ready, at.operation(Work::Sync), Outcome::Submit);
    }

    pub fn allocate(&mut self, ring: &mut Ring, ready: &mut Vec<Event>, at: Place, len: u64) {
        let outcome = match signed(at.position).and_then(|_| signed(len)) {
            Ok(_) => Outcome::Submit,
            Err(error) => Outcome::Done(Err(error)),
        };
        self.proceed(ring, ready, at.operation(Work::Allocate { len }), outcome);
    }

    /// A completion has come.
    pub fn complete(&mut self, ring: &mut Ring, events: &mut Vec<Event>, completion: &Completion) {
        let slot = completion.tag.slot;
        match self.operations.get_mut(slot).complete(completion.result()) {
            Outcome::Submit => self.submit(ring, slot),
            Outcome::Done(result) => events.push(self.operations.remove(slot).answer(result)),
        }
    }

    fn proceed(&mut self, ring: &mut Ring, ready: &mut Vec<Event>, operation: Operation, outcome: Outcome) {
        let outcome = if operation.is_empty() { Outcome::Done(Ok(())) } else { outcome };
        match outcome {
            Outcome::Done(result) => ready.push(operation.answer(result)),
            Outcome::Submit => {
                let slot = self.operations.insert(operation);
                self.submit(ring, slot);
            }
        }
    }

    fn submit(&mut self, ring: &mut Ring, slot: u32) {
        let entry = self.operations.get_mut(slot).entry();
        ring.push(entry, Tag::new(Kind::Disk, slot));
    }
}

impl Operation {
    /// Nothing to move at all.
    fn is_empty(&self) -> bool {
        match &self.work {
            Work::Read { into, .. } => into.spare() == 0,
            Work::Write { left, .. } => left.left().is_empty(),
            Work::Sync | Work::Allocate { .. } => false,
        }
    }

    fn answer(self, result: Result<()>) -> Event {
        let done = match self.work {
            Work::Read { into, .. } => Done::Read(into),
            Work::Write { .. } => Done::Written,
            Work::Sync => Done::Synced,
            Work::Allocate { .. } => Done::Allocated,
        };
        Event::File { token: self.token, result: result.map(|()| done) }
    }

    fn entry(&mut self) -> squeue::Entry {
        let file = types::Fd(self.file.descriptor());
        match &mut self.work {
            Work::Read { into, how } => {
                let past_cache = *how == ReadHow::Uncached && !self.file.is_direct() && !self.file.reads_cached();
                let len = u32::try_from(into.spare().min(CALL_BYTES_MAX)).expect("limited");
                opcode::Read::new(file, into.spare_ptr(), len)
                    .offset(self.position)
                    .rw_flags(if past_cache { libc::RWF_DONTCACHE } else { 0 })
                    .build()
            }
            Work::Write { left, .. } => match left.left() {
                [one] if one.iov_len <= CALL_BYTES_MAX => {
                    let len = u32::try_from(one.iov_len).expect("limited");
                    opcode::Write::new(file, one.iov_base.cast(), len).offset(self.position).build()
                }
                many => {
                    let len = u32::try_from(many.len()).expect("limited");
                    opcode::Writev::new(file, many.as_ptr(), len).offset(self.position).build()
                }
            },
            Work::Sync => opcode::Fsync::new(file).flags(types::FsyncFlags::DATASYNC).build(),
            Work::Allocate { len } => opcode::Fallocate::new(file, *len).offset(self.position).mode(libc::FALLOC_FL_KEEP_SIZE).build(),
        }
    }

    /// The kernel has answered one submission.
    fn complete(&mut self, result: Result<u32>) -> Outcome {
        let moved = match result {
            Ok(moved) => usize::try_from(moved).expect("at least 32 bits"),
            Err(error) if is_transient(&error) => return Outcome::Submit,
            Err(error) if is_unsupported(&error) && self.can_do_without() => return Outcome::Submit,
            Err(error) => return Outcome::Done(Err(error)),
        };
        match &self.work {
            Work::Sync | Work::Allocate { .. } => Outcome::Done(Ok(())),
            Work::Read { .. } | Work::Write { .. } => self.moved(moved),
        }
    }

    /// Bytes were read or written; is it all?
    fn moved(&mut self, bytes: usize) -> Outcome {
        self.position += bytes as u64;
        match &mut self.work {
            Work::Read { into, .. } => {
                into.advance(bytes);
                // What O_DIRECT reads short ends with the file; asking at an odd position would be refused.
                let odd = self.file.is_direct() && !bytes.is_multiple_of(crate::buffer::ALIGN);
                if bytes == 0 || odd || into.spare() == 0 { Outcome::Done(Ok(())) } else { Outcome::Submit }
            }
            Work::Write { left, .. } => {
                left.advance(bytes);
                if left.left().is_empty() {
                    Outcome::Done(Ok(()))
                } else if bytes == 0 {
                    Outcome::Done(Err(ErrorKind::WriteZero.into()))
                } else {
                    Outcome::Submit
                }
            }
            Work::Sync | Work::Allocate { .. } => unreachable!("moves no bytes"),
        }
    }

    /// After EOPNOTSUPP: was it about a flag that we can leave out?
    fn can_do_without(&mut self) -> bool {
        match &self.work {
            Work::Read { how: ReadHow::Uncached, .. } if !self.file.is_direct() && !self.file.reads_cached() => {
                self.file.set_reads_cached();
                true
            }
            _ => false,
        }
    }

    /// Copies what is in the page cache.
    fn read_resident(&mut self) -> Outcome {
        while let Work::Read { into, .. } = &mut self.work {
            let Ok(position) = signed(self.position) else { return Outcome::Submit };
            let part = libc::iovec { iov_base: into.spare_ptr().cast(), iov_len: into.spare().min(CALL_BYTES_MAX) };
            // SAFETY: the part is spare memory that `into` owns, and the call is over before anything else touches it.
            let read = unsafe { libc::preadv2(self.file.descriptor(), &raw const part, 1, position, libc::RWF_NOWAIT) };
            match usize::try_from(read) {
                Ok(bytes) => match self.moved(bytes) {
                    Outcome::Submit => {}
                    done => return done,
                },
                // Not in memory (EAGAIN), a file system that cannot say so, or an error that the ring will meet again.
                Err(_) => return Outcome::Submit,
            }
        }
        unreachable!("only reads read")
    }

    /// Copies everything into the page cache.
    fn write_at_once(&mut self) -> Outcome {
        while let Work::Write { left, .. } = &mut self.work {
            let parts = left.left();
            if parts.is_empty() {
                break;
            }
            let position = match signed(self.position) {
                Ok(position) => position,
                Err(error) => return Outcome::Done(Err(error)),
            };
            let count = libc::c_int::try_from(parts.len()).expect("limited");
            let flags = if self.file.writes_wait() { 0 } else { libc::RWF_NOWAIT };
            // SAFETY: the parts are views that this operation holds.
            let written = unsafe { libc::pwritev2(self.file.descriptor(), parts.as_ptr(), count, position, flags) };
            match usize::try_from(written) {
                Ok(bytes) => match self.moved(bytes) {
                    Outcome::Submit => {}
                    done => return done,
                },
                Err(_) => match Error::last_os_error() {
                    error if error.kind() == ErrorKind::Interrupted => {}
                    error if flags != 0 && is_unsupported(&error) => self.file.set_writes_wait(),
                    error if flags != 0 && is_transient(&error) => return Outcome::Submit,
                    error => return Outcome::Done(Err(error)),
                },
            }
        }
        Outcome::Done(Ok(()))
    }
}

fn is_transient(error: &Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR))
}

fn is_unsupported(error: &Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EINVAL))
}

/// `struct cachestat_range`
#[repr(C)]
struct CacheRange {
    offset: u64,
    len: u64,
}

/// `struct cachestat`
#[repr(C)]
#[derive(Default)]
struct CacheStat {
    cached: u64,
    dirty: u64,
    writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}

/// Not in `libc`; the same number on every architecture.
const SYS_CACHESTAT: libc::c_long = 451;

/// Are all pages of `position .. position + len` in the page cache? Pages that are just being read count as well.
pub fn is_resident(file: &File, position: u64, len: u64) -> bool {
    if len == 0 {
        return true;
    }
    let Some(end) = position.checked_add(len) else { return false };
    let range = CacheRange { offset: position, len };
    let mut stat = CacheStat::default();
    // SAFETY: asks for a constant.
    let page = u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
    // SAFETY: both values outlive the call.
    let done = unsafe { libc::syscall(SYS_CACHESTAT, file.descriptor(), &raw const range, &raw mut stat, 0) };
    if done == 0 {
        return stat.cached >= end.div_ceil(page) - position / page;
    }
    // Before Linux 6.5: look at both ends.
    [position, end - 1].into_iter().all(|at| {
        let mut byte = 0u8;
        let part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
        let Ok(at) = signed(at) else { return false };
        // SAFETY: `byte` outlives the call.
        unsafe { libc::preadv2(file.descriptor(), &raw const part, 1, at, libc::RWF_NOWAIT) == 1 }
    })
}

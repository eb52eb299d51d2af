//! [`Ring`]: one core's io_uring, set up as well as this kernel can, and the one system call of a turn.
//!
//! ```text
//!   push(entry) … push(entry) ──▶ submission queue ──┐
//!                                                    ├── enter(wait): one io_uring_enter a turn
//!   completions() ◀── reaped ◀── completion queue ◀──┘
//! ```
//!
//! Whoever pushes an entry owns what it points to until the completion with the same [`Tag`] has come: memory, files,
//! message headers. Nothing in here knows what an entry means.
//!
//! Needs Linux 5.19 (rings of provided buffers, multishot accept). What came later is used where it is there: a single
//! issuer (6.0) whose completions are worked off only when it asks (`DEFER_TASKRUN`, 6.1), no indirection array (6.6).

use crate::Result;
use io_uring::{IoUring, Probe, cqueue, opcode, squeue, types};
use std::io::Error;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

/// What a completion is about. Travels through the kernel as `user_data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Nobody waits for it.
    Ignored,
    /// Another core or thread has left something for this one.
    Wake,
    /// To another ring. Completes only if it fails: that core has ended.
    Message,
    Receive,
    Send,
    /// A socket takes more bytes.
    Writable,
    Accept,
    Connect,
    Disk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    pub kind: Kind,
    /// Slot of whoever waits.
    pub slot: u32,
}

impl Tag {
    pub const IGNORED: Tag = Tag { kind: Kind::Ignored, slot: 0 };
    pub const WAKE: Tag = Tag { kind: Kind::Wake, slot: 0 };
    pub const MESSAGE: Tag = Tag { kind: Kind::Message, slot: 0 };

    pub fn new(kind: Kind, slot: u32) -> Tag {
        Tag { kind, slot }
    }
    pub fn bits(self) -> u64 {
        u64::from(self.kind as u8) << 32 | u64::from(self.slot)
    }
    fn from_bits(bits: u64) -> Tag {
        const KINDS: [Kind; 9] =
            [Kind::Ignored, Kind::Wake, Kind::Message, Kind::Receive, Kind::Send, Kind::Writable, Kind::Accept, Kind::Connect, Kind::Disk];
        let kind = usize::try_from(bits >> 32).ok().and_then(|kind| KINDS.get(kind)).expect("only tags travel through the ring");
        Tag { kind: *kind, slot: u32::try_from(bits & 0xffff_ffff).expect("masked") }
    }
}

/// How an operation ended.
#[derive(Clone, Copy, Debug)]
pub struct Completion {
    pub tag: Tag,
    /// A count, a descriptor, or a negative error number.
    result: i32,
    flags: u32,
}

impl Completion {
    pub fn result(&self) -> Result<u32> {
        u32::try_from(self.result).map_err(|_| Error::from_raw_os_error(-self.result))
    }
    pub fn is_error(&self, number: i32) -> bool {
        self.result == -number
    }
    /// The entry stays armed and will complete again.
    pub fn more(&self) -> bool {
        cqueue::more(self.flags)
    }
    /// The provided buffer that the kernel took.
    pub fn buffer(&self) -> Option<u16> {
        cqueue::buffer_select(self.flags)
    }
    /// The socket has more to read already.
    pub fn socket_nonempty(&self) -> bool {
        cqueue::sock_nonempty(self.flags)
    }
}

/// How long [`Ring::enter`] may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    Not,
    AtMost(Duration),
    Forever,
}

/// What a kernel's rings can do.
#[derive(Clone, Copy, Debug)]
enum Level {
    /// 5.19: completions are worked off when the core enters the kernel anyway.
    Cooperative,
    /// 6.1: one thread uses the ring, and completions are worked off when it asks.
    Deferred,
    /// 6.6: no array between the queue and its entries.
    NoArray,
}

/// Best first.
const LEVELS: [Level; 3] = [Level::NoArray, Level::Deferred, Level::Cooperative];

pub struct Ring {
    uring: IoUring,
    /// Pushed and not yet taken by the kernel.
    queued: u32,
    /// Something queued is waited for: better now than after another turn.
    hurried: bool,
    /// Index under which the ring's descriptor is registered: saves a look-up in every enter.
    registered: Option<u32>,
    reaped: Vec<Completion>,
}

const ENTER_GETEVENTS: u32 = 1;
const ENTER_EXT_ARG: u32 = 1 << 3;
const ENTER_REGISTERED_RING: u32 = 1 << 4;
const REGISTER_RING_FDS: libc::c_uint = 20;

/// `struct io_uring_getevents_arg`
#[repr(C)]
struct EnterArgument {
    sigmask: u64,
    sigmask_len: u32,
    min_wait_us: u32,
    timespec: u64,
}

/// `struct __kernel_timespec`
#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

/// `struct io_uring_rsrc_update`
#[repr(C)]
struct ResourceUpdate {
    offset: u32,
    reserved: u32,
    data: u64,
}

impl Ring {
    /// A ring for the calling thread, and only for it. `entries`: submissions that fit before the kernel must take them.
    /// `watched`: completions that wait to be worked off can be seen without a system call, for those who spin.
    pub fn new(entries: u32, watched: bool) -> Result<Ring> {
        let mut last = Error::from_raw_os_error(libc::EINVAL);
        for level in LEVELS {
            match Ring::at_level(level, entries, watched) {
                // A flag that this kernel does not know.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => last = error,
                other => return other,
            }
        }
        Err(last)
    }

    fn at_level(level: Level, entries: u32, watched: bool) -> Result<Ring> {
        let mut builder = IoUring::builder();
        builder.dontfork().setup_clamp().setup_cqsize(entries.saturating_mul(8)).setup_submit_all();
        match level {
            Level::NoArray => drop(builder.setup_single_issuer().setup_defer_taskrun().setup_no_sqarray()),
            Level::Deferred => drop(builder.setup_single_issuer().setup_defer_taskrun()),
            Level::Cooperative => drop(builder.setup_coop_taskrun()),
        }
        if watched {
            builder.setup_taskrun_flag();
        }
        let uring = builder.build(entries)?;
        let registered = register_ring_descriptor(uring.as_raw_fd());
        Ok(Ring { uring, queued: 0, hurried: false, registered, reaped: Vec::new() })
    }

    /// Names what this kernel lacks, if anything.
    pub fn missing(&self) -> Result<Option<&'static str>> {
        let mut probe = Probe::new();
        self.uring.submitter().register_probe(&mut probe)?;
        let needed = [
            (opcode::Recv::CODE, "recv"),
            (opcode::SendMsg::CODE, "sendmsg"),
            (opcode::Accept::CODE, "accept"),
            (opcode::Connect::CODE, "connect"),
            (opcode::Fsync::CODE, "fsync"),
            (opcode::Fallocate::CODE, "fallocate"),
            (opcode::MsgRingData::CODE, "messages between rings"),
            // Came with 5.19, like rings of provided buffers, multishot accept and cancelling by descriptor.
            (opcode::Socket::CODE, "what came with Linux 5.19"),
        ];
        let params = self.uring.params();
        if !params.is_feature_ext_arg() || !params.is_feature_nodrop() || !params.is_feature_skip_cqe_on_success() {
            return Ok(Some("waiting with a timeout, or completions that are not lost"));
        }
        Ok(needed.iter().find(|(code, _)| !probe.is_supported(*code)).map(|(_, name)| *name))
    }

    pub fn descriptor(&self) -> RawFd {
        self.uring.as_raw_fd()
    }
    pub fn submitter(&self) -> io_uring::Submitter<'_> {
        self.uring.submitter()
    }

    /// Queues an entry; the kernel sees it with the next [`Ring::enter`], or at once if the queue is full.
    pub fn push(&mut self, entry: squeue::Entry, tag: Tag) {
        let entry = entry.user_data(tag.bits());
        self.hurried |= matches!(tag.kind, Kind::Send | Kind::Disk | Kind::Connect | Kind::Message);
        loop {
            // SAFETY: whoever pushes keeps what the entry points to until the completion has come (see the file's doc).
            if unsafe { self.uring.submission().push(&entry) }.is_ok() {
                self.queued += 1;
                return;
            }
            self.submit();
        }
    }

    /// Queues entries that belong together, so that no submission comes between them.
    pub fn push_linked<const N: usize>(&mut self, entries: [(squeue::Entry, Tag); N]) {
        let room = {
            let queue = self.uring.submission();
            queue.capacity() - queue.len()
        };
        if room < N {
            self.submit();
        }
        for (entry, tag) in entries {
            self.push(entry, tag);
        }
    }

    /// Cancels one operation. Its own completion still comes, as `ECANCELED` or as whatever it had become by then.
    pub fn cancel(&mut self, tag: Tag) {
        self.push(opcode::AsyncCancel::new(tag.bits()).build().flags(squeue::Flags::SKIP_SUCCESS), Tag::IGNORED);
    }

    /// Cancels everything that can be.
    pub fn cancel_all(&mut self) {
        self.push(opcode::AsyncCancel2::new(types::CancelBuilder::any().all()).build().flags(squeue::Flags::SKIP_SUCCESS), Tag::IGNORED);
    }

    /// Should the ring be entered before anything else is done?
    pub fn is_hurried(&self) -> bool {
        self.hurried
    }

    /// Is there something that an enter would turn into completions? Seen only by a watched ring.
    pub fn has_unfinished(&mut self) -> bool {
        self.uring.submission().taskrun()
    }

    /// Makes room in the submission queue.
    fn submit(&mut self) {
        match self.call(0, 0, std::ptr::null()) {
            Ok(()) => {}
            Err(error) if is_passing(&error) => {
                // The kernel wants its completions collected first (EBUSY), or has no memory for now (EAGAIN).
                self.reap();
                let _ = self.call(0, ENTER_GETEVENTS, std::ptr::null());
                self.reap();
            }
            Err(error) => panic!("io_uring_enter: {error}"),
        }
    }

    /// Hands over what is queued, lets the kernel work off what has completed, and waits for a completion as `wait` says.
    pub fn enter(&mut self, wait: Wait) -> Result<()> {
        self.hurried = false;
        let timespec;
        let mut argument = EnterArgument { sigmask: 0, sigmask_len: 0, min_wait_us: 0, timespec: 0 };
        let want = if wait == Wait::Not || !self.reaped.is_empty() { 0 } else { 1 };
        if let (Wait::AtMost(duration), 1) = (wait, want) {
            timespec = Timespec {
                seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
                nanoseconds: i64::from(duration.subsec_nanos()),
            };
            argument.timespec = (&raw const timespec) as u64;
        }
        let result = self.call(want, ENTER_GETEVENTS, &argument);
        self.reap();
        match result {
            Err(error) if !is_passing(&error) => Err(error),
            _ => Ok(()),
        }
    }

    fn call(&mut self, want: u32, flags: u32, argument: *const EnterArgument) -> Result<()> {
        let (descriptor, mut flags) = match self.registered {
            Some(index) => (i64::from(index), flags | ENTER_REGISTERED_RING),
            None => (i64::from(self.uring.as_raw_fd()), flags),
        };
        let mut len = 0;
        if !argument.is_null() {
            flags |= ENTER_EXT_ARG;
            len = size_of::<EnterArgument>();
        }
        // SAFETY: the ring is alive, and `argument` is null or points to a value that outlives the call, like its timespec.
        let taken = unsafe { libc::syscall(libc::SYS_io_uring_enter, descriptor, self.queued, want, flags, argument, len) };
        match u32::try_from(taken) {
            Ok(taken) => {
                assert!(taken <= self.queued, "the kernel took {taken} of {} entries", self.queued);
                self.queued -= taken;
                Ok(())
            }
            Err(_) => Err(Error::last_os_error()),
        }
    }

    fn reap(&mut self) {
        for entry in self.uring.completion() {
            let tag = Tag::from_bits(entry.user_data());
            self.reaped.push(Completion { tag, result: entry.result(), flags: entry.flags() });
        }
    }

    /// Is something there that [`Ring::take_completions`] would bring?
    pub fn has_completions(&mut self) -> bool {
        !self.reaped.is_empty() || !self.uring.completion().is_empty()
    }

    /// Moves what has completed into `into`.
    pub fn take_completions(&mut self, into: &mut Vec<Completion>) {
        self.reap();
        into.append(&mut self.reaped);
    }
}

/// Errors of `io_uring_enter` after which one simply goes on: nothing came in time, a signal, collect completions first.
fn is_passing(error: &Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EAGAIN | libc::EBUSY))
}

fn register_ring_descriptor(descriptor: RawFd) -> Option<u32> {
    let data = u64::try_from(descriptor).ok()?;
    let mut update = ResourceUpdate { offset: u32::MAX, reserved: 0, data };
    // SAFETY: `update` outlives the call, which writes the index into it.
    let done = unsafe { libc::syscall(libc::SYS_io_uring_register, descriptor, REGISTER_RING_FDS, &raw mut update, 1) };
    (done == 1).then_some(update.offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    /// Waits for completions until there are `count`.
    fn complete(ring: &mut Ring, count: usize) -> Vec<Completion> {
        let mut completions = Vec::new();
        while completions.len() < count {
            ring.enter(Wait::AtMost(Duration::from_secs(10))).unwrap();
            ring.take_completions(&mut completions);
        }
        completions
    }

    #[test]
    fn rings_of_older_kernels_do_what_newer_ones_do() {
        for level in LEVELS {
            for watched in [false, true] {
                let mut ring = match Ring::at_level(level, 4, watched) {
                    Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                        eprintln!("SKIPPED: this kernel has no rings of {level:?}");
                        continue;
                    }
                    other => other.unwrap(),
                };
                assert_eq!(ring.missing().unwrap(), None);
                // Many more than fit into either queue.
                for slot in 0..1000 {
                    ring.push(opcode::Nop::new().build(), Tag::new(Kind::Disk, slot));
                }
                let mut slots: Vec<_> = complete(&mut ring, 1000).iter().map(|completion| completion.tag.slot).collect();
                slots.sort_unstable();
                assert!(slots.into_iter().eq(0..1000), "{level:?}");

                // Waits for what comes later, and cancels what never comes.
                let (near, mut far) = UnixStream::pair().unwrap();
                let mut into = [0u8; 4];
                let address = into.as_mut_ptr();
                let receive = || opcode::Recv::new(types::Fd(near.as_raw_fd()), address, 4).build();
                ring.push(receive(), Tag::new(Kind::Receive, 1));
                ring.enter(Wait::Not).unwrap();
                assert!(!ring.has_completions());
                far.write_all(b"abcd").unwrap();
                let completion = complete(&mut ring, 1)[0];
                assert_eq!((completion.tag, completion.result().unwrap()), (Tag::new(Kind::Receive, 1), 4));
                assert_eq!(&into, b"abcd");
                ring.push(receive(), Tag::new(Kind::Receive, 2));
                ring.cancel(Tag::new(Kind::Receive, 2));
                let completion = complete(&mut ring, 1)[0];
                assert!(completion.is_error(libc::ECANCELED), "{completion:?}");
            }
        }
    }

    #[test]
    fn waiting_ends_with_its_time() {
        let mut ring = Ring::new(4, false).unwrap();
        let began = crate::real::now();
        ring.enter(Wait::AtMost(Duration::from_millis(3))).unwrap();
        let took = crate::real::now().since(began);
        assert!(took >= Duration::from_millis(3), "{took:?}");
        assert!(!ring.has_completions());
    }
}

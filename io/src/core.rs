//! [`Core`]: one CPU's handle to the world, and the [`Event`]s that come back.
//!
//! Every method dispatches on the world by one predictable branch; the worlds themselves are [`crate::real::Core`] and
//! [`crate::sim::Core`], with the same method names.

use crate::{Buf, BufMut, Error, File, Fs, Instant, Pool, Result, Timestamp, real, sim};
use std::any::Any;
use std::net::SocketAddr;

/// One CPU of one process, counted from zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoreId(pub u16);

/// Chosen by whoever asks; comes back with the completion, untouched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// One connection. Holds a generation, so that a stale id names nothing rather than a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId {
    pub slot: u32,
    pub generation: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub u32);

/// What crosses from core to core: whatever the program defines, boxed once per bundle.
pub type Parcel = Box<dyn Any + Send>;
/// What a chore hands back.
pub type ChoreOutput = Box<dyn Any + Send>;

/// How a read may treat the page cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadHow {
    /// Through the page cache, filling it.
    Cached,
    /// Not leaving in the page cache what was not there (`RWF_DONTCACHE`, or `O_DIRECT` when the file was opened so).
    Uncached,
}

/// A part of what leaves on a socket, in order.
#[derive(Clone, Debug)]
pub enum Piece {
    Mem(Buf),
    /// By `sendfile`. Ask [`Core::resident`] first: pages that are not in memory would hold up the core.
    File {
        file: File,
        position: u64,
        len: u64,
    },
}

impl Piece {
    pub fn len(&self) -> u64 {
        match self {
            Piece::Mem(buf) => buf.len() as u64,
            Piece::File { len, .. } => *len,
        }
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: stop cleanly. A second one ends the process at once.
    Terminate,
}

/// What a file operation brought.
#[derive(Debug)]
pub enum Done {
    /// The buffer holds what was read; shorter than asked only at the end of the file.
    Read(BufMut),
    /// Everything was written.
    Written,
    Synced,
    Allocated,
}

#[derive(Debug)]
pub enum Event {
    /// A listener has a new connection; nothing is received before [`Core::recv`].
    Accepted {
        listener: ListenerId,
        socket: SocketId,
        peer: SocketAddr,
    },
    Connected {
        token: Token,
        result: Result<SocketId>,
    },
    /// Answers [`Core::recv`] (bytes in a pooled buffer) and [`Core::recv_into`] (the caller's buffer, longer than before).
    /// `Ok(None)`: the peer sends no more.
    Received {
        socket: SocketId,
        result: Result<Option<BufMut>>,
    },
    /// Everything of one [`Core::send`] has been handed to the network, or the connection is broken.
    Sent {
        socket: SocketId,
        result: Result<()>,
    },
    File {
        token: Token,
        result: Result<Done>,
    },
    Chore {
        token: Token,
        output: ChoreOutput,
    },
    Mesh {
        from: CoreId,
        parcel: Parcel,
    },
    Signal(Signal),
}

/// Work classes, most urgent first. Requests are served in [`Program::turn`]; the others in [`Program::step`], which
/// gets what its share allows when requests want the whole core, and everything when they do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Requests,
    Replication,
    Background,
}

impl Class {
    /// Share of a core's time when every class wants all of it, in percent.
    pub fn share(self) -> u32 {
        match self {
            Class::Requests => 80,
            Class::Replication => 15,
            Class::Background => 5,
        }
    }
}

/// What runs on a core. One value owns everything the core owns.
pub trait Program {
    /// Handles every event that was ready, as one batch, and asks for what follows. Drains `events`.
    /// Called with no events at start and whenever [`Program::deadline`] has come.
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>);

    /// When to be called even if nothing happens.
    fn deadline(&self) -> Option<Instant>;

    /// Whether [`Program::step`] has something to do. A world that hears `false` from both classes goes to sleep with one
    /// system call; the default is always right and costs one more call before each sleep.
    fn has_work(&self, class: Class) -> bool {
        let _ = class;
        true
    }

    /// One bounded step (some 200 µs) of work of this class; false if there was none.
    fn step(&mut self, core: &mut Core, class: Class) -> bool {
        let _ = (core, class);
        false
    }
}

/// One CPU's handle to the world. Handed to the program in every turn; never kept.
pub struct Core {
    world: World,
}

enum World {
    Real(Box<real::Core>),
    Sim(Box<sim::Core>),
}

macro_rules! dispatch {
    ($self:ident, $core:ident => $body:expr) => {
        match &mut $self.world {
            World::Real($core) => $body,
            World::Sim($core) => $body,
        }
    };
}

impl Core {
    pub(crate) fn from_real(core: Box<real::Core>) -> Core {
        Core { world: World::Real(core) }
    }
    pub(crate) fn from_sim(core: Box<sim::Core>) -> Core {
        Core { world: World::Sim(core) }
    }
    /// The real world's part of this core; its driver uses it.
    pub(crate) fn real(&mut self) -> &mut real::Core {
        match &mut self.world {
            World::Real(core) => core,
            World::Sim(_) => unreachable!("a simulated core is not driven by the real world"),
        }
    }
    /// The simulated world's part of this core; its driver uses it.
    pub(crate) fn sim(&mut self) -> &mut sim::Core {
        match &mut self.world {
            World::Sim(core) => core,
            World::Real(_) => unreachable!("a real core is not driven by the simulated world"),
        }
    }

    // ---- who and when

    pub fn id(&mut self) -> CoreId {
        dispatch!(self, core => core.id())
    }
    /// Cores of this process.
    pub fn cores(&mut self) -> u16 {
        dispatch!(self, core => core.cores())
    }
    /// Monotonic clock at the start of this turn.
    pub fn now(&mut self) -> Instant {
        dispatch!(self, core => core.now())
    }
    /// Wall clock at the start of this turn.
    pub fn wall(&mut self) -> Timestamp {
        dispatch!(self, core => core.wall())
    }
    pub fn random(&mut self) -> u64 {
        dispatch!(self, core => core.random())
    }
    /// Ends this core's loop after this turn. The process ends when all of its cores have.
    pub fn stop(&mut self) {
        dispatch!(self, core => core.stop())
    }

    // ---- memory

    /// This core's aligned, pooled buffers and their budget.
    pub fn pool(&mut self) -> &Pool {
        dispatch!(self, core => core.pool())
    }

    // ---- files

    /// Blocking file operations; see the rules of the crate for when.
    pub fn fs(&mut self) -> Fs {
        dispatch!(self, core => core.fs())
    }
    /// Reads up to the spare capacity of `into`, appending to it. Answered by [`Done::Read`].
    pub fn read(&mut self, file: &File, position: u64, into: BufMut, how: ReadHow, token: Token) {
        dispatch!(self, core => core.read(file, position, into, how, token))
    }
    /// One vectored write of all of `bufs`, in order. Answered by [`Done::Written`] once everything is in the file.
    pub fn write(&mut self, file: &File, position: u64, bufs: Vec<Buf>, token: Token) {
        dispatch!(self, core => core.write(file, position, bufs, token))
    }
    /// `fdatasync`: what was written before is on disk. Answered by [`Done::Synced`]. A failure is final: never ask again.
    pub fn sync(&mut self, file: &File, token: Token) {
        dispatch!(self, core => core.sync(file, token))
    }
    /// `fallocate` with the size kept. Answered by [`Done::Allocated`].
    pub fn allocate(&mut self, file: &File, position: u64, len: u64, token: Token) {
        dispatch!(self, core => core.allocate(file, position, len, token))
    }
    /// Are these bytes in the page cache (`cachestat`)? A guess: they may be gone a moment later.
    pub fn resident(&mut self, file: &File, position: u64, len: u64) -> bool {
        dispatch!(self, core => core.resident(file, position, len))
    }
    /// Runs `work` beside the core, on the process's clerk thread, in the order asked. For creating, renaming and
    /// deleting files and for small checkpoint files: whatever may block and nobody waits for within a request.
    pub fn chore(&mut self, token: Token, work: Box<dyn FnOnce(&Fs) -> ChoreOutput + Send>) {
        dispatch!(self, core => core.chore(token, work))
    }

    // ---- network

    /// Listens with SO_REUSEPORT, so that every core can listen on the same address. Port 0 picks one; see [`Core::listener_address`].
    pub fn listen(&mut self, address: SocketAddr) -> Result<ListenerId> {
        dispatch!(self, core => core.listen(address))
    }
    pub fn listener_address(&mut self, listener: ListenerId) -> SocketAddr {
        dispatch!(self, core => core.listener_address(listener))
    }
    /// No more connections from it.
    pub fn unlisten(&mut self, listener: ListenerId) {
        dispatch!(self, core => core.unlisten(listener))
    }
    pub fn connect(&mut self, address: SocketAddr, token: Token) {
        dispatch!(self, core => core.connect(address, token))
    }
    /// Receives whatever comes next into a buffer of the pool. An idle connection holds no buffer.
    pub fn recv(&mut self, socket: SocketId) {
        dispatch!(self, core => core.recv(socket))
    }
    /// Receives into the spare capacity of `into`: the rest of a frame whose length is known.
    pub fn recv_into(&mut self, socket: SocketId, into: BufMut) {
        dispatch!(self, core => core.recv_into(socket, into))
    }
    /// Sends all pieces in order; one [`Event::Sent`] when they are gone.
    pub fn send(&mut self, socket: SocketId, pieces: Vec<Piece>) {
        dispatch!(self, core => core.send(socket, pieces))
    }
    /// Forgets the socket and cancels what is outstanding on it. No event names it afterwards.
    pub fn close(&mut self, socket: SocketId) {
        dispatch!(self, core => core.close(socket))
    }

    // ---- mesh

    /// Hands a parcel to another core of this process; parcels from one core to another arrive in order.
    pub fn tell(&mut self, to: CoreId, parcel: Parcel) {
        dispatch!(self, core => core.tell(to, parcel))
    }
}

/// `ENOSPC`, `EDQUOT`: the one failure of a disk after which everything written before is still sound.
pub fn is_disk_full(error: &Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC) | Some(libc::EDQUOT))
}

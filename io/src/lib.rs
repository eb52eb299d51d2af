//! The only door to the world: cores, files, sockets, clocks, randomness and the mesh between cores.
//!
//! One API, two worlds, chosen at start: [`real`] drives one io_uring per core, [`sim`] is a deterministic world in
//! one thread, everything drawn from one seed. A [`Program`] cannot tell which of the two it runs in.
//!
//! The model is a *turn*, not a future. A core gathers every event that is ready, hands the program all of them at
//! once, and what the program asked for in that turn is carried out together afterwards:
//!
//! ```text
//!            ┌───────────────────────── one core, one thread ─────────────────────────┐
//!  sockets ─▶│                                                                        │
//!  disks   ─▶│  gather events ──▶ Program::turn(&mut Core, &mut Vec<Event>) ──▶ submit │──▶ one io_uring_enter
//!  mesh    ─▶│                          asks for reads, writes, sends …                │──▶ one bundle per other core
//!  timer   ─▶│                                                                        │
//!            └────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! So there is no task, no waker and nothing to borrow across an `await`: a completion is an event that carries the
//! [`Token`] of whoever asked. Batching grows with load by itself and costs no timer when there is none.
//!
//! Rules that both worlds keep:
//! - Nothing completes inside the call that asked for it; every completion is an event of a later turn.
//! - At most one receive and one send are outstanding per socket. After [`Core::close`] no event names that socket.
//! - Writes to one file that overlap are ordered by the caller. Others may complete in any order.
//! - Blocking file operations ([`Fs`], [`File`]) are for the time before a core serves, and for [`Core::chore`], which
//!   runs them on a thread of their own.

pub mod blocking;
pub mod buffer;
mod core;
pub mod frames;
mod fs;
mod time;

pub mod real;
pub mod sim;

pub use crate::core::{
    ChoreOutput, Class, Core, CoreId, Done, Event, ListenerId, Parcel, Piece, Program, ReadHow, Signal, SocketId, Token, is_disk_full,
};
pub use buffer::{Buf, BufMut, Pool, PoolFull};
pub use fs::{DirEntry, File, Fs, FsLock, OpenHow, Space};
pub use time::{Instant, Timestamp};

/// What the operating system (or its simulation) answers when it refuses. `ENOSPC` and `EIO` are told apart by
/// [`std::io::Error::raw_os_error`].
pub use std::io::Error;
pub type Result<T> = std::io::Result<T>;

/// Ends the process with one clear line and a distinct exit status. In the simulated world it ends the broker that
/// called it, as a crash, and the world remembers the line.
pub fn fatal(status: i32, line: &str) -> ! {
    if sim::in_world() {
        sim::fatal(status, line)
    }
    eprintln!("millrace: {line}");
    std::process::exit(status)
}

//! [`Sending`]: the pieces of one send, and how far they are gone.
//!
//! Memory goes through the ring, as many pieces as fit into one message of [`PUSH_BYTES_MAX`]; the kernel itself goes on after
//! a short write (`MSG_WAITALL`). What has a file among its pieces is pushed from the core: `sendmsg` and `sendfile`, neither
//! of which waits. Whatever is bulk, file or not, leaves in such steps, and after each it is another socket's turn.

use super::disk::PARTS_MAX;
use super::fs::signed;
use super::ring::{Kind, Tag};
use crate::{File, Piece, Result};
use io_uring::{opcode, squeue, types};
use std::io::{Error, ErrorKind};
use std::os::fd::RawFd;

/// Most bytes pushed for one socket before the next socket gets its turn. More would save little and make everyone on the
/// core wait longer: this much takes some 100 µs.
pub const PUSH_BYTES_MAX: u64 = 512 << 10;
/// Kept in a box: the kernel reads `header` and `iovecs` when the entry is submitted.
pub struct Sending {
    pieces: Vec<Piece>,
    /// First piece not gone entirely, and what of it is gone.
    next: usize,
    gone: u64,
    has_file: bool,
    is_bulk: bool,
    iovecs: Vec<libc::iovec>,
    header: libc::msghdr,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Push {
    /// Everything is gone.
    Done,
    /// The socket takes no more for now.
    Full,
    /// It is somebody else's turn.
    Again,
}

impl Sending {
    pub fn new() -> Sending {
        // SAFETY: all zero is a valid message header.
        let header = unsafe { std::mem::zeroed() };
        Sending { pieces: Vec::new(), next: 0, gone: 0, has_file: false, is_bulk: false, iovecs: Vec::new(), header }
    }

    pub fn start(&mut self, pieces: Vec<Piece>) {
        self.has_file = pieces.iter().any(|piece| matches!(piece, Piece::File { .. }));
        self.is_bulk = self.has_file || pieces.iter().map(Piece::len).sum::<u64>() > PUSH_BYTES_MAX;
        (self.pieces, self.next, self.gone) = (pieces, 0, 0);
        self.skip_empty();
    }

    /// Lets go of the pieces.
    pub fn clear(&mut self) {
        self.pieces = Vec::new();
        self.iovecs.clear();
    }

    pub fn is_done(&self) -> bool {
        self.next == self.pieces.len()
    }

    /// To be sent in steps, when it is its turn.
    pub fn is_bulk(&self) -> bool {
        self.is_bulk
    }

    /// To be pushed from the core rather than handed to the ring.
    pub fn has_file(&self) -> bool {
        self.has_file
    }

    fn skip_empty(&mut self) {
        while self.pieces.get(self.next).is_some_and(|piece| piece.len() == self.gone) {
            self.next += 1;
            self.gone = 0;
        }
    }

    /// So much more is gone.
    pub fn advance(&mut self, mut bytes: u64) {
        while bytes > 0 {
            let left = self.pieces[self.next].len() - self.gone;
            if bytes < left {
                self.gone += bytes;
                return;
            }
            bytes -= left;
            self.next += 1;
            self.gone = 0;
        }
        self.skip_empty();
    }

    /// The next message for the ring, and its length. Only memory is left.
    pub fn entry(&mut self, socket: RawFd) -> (squeue::Entry, u64) {
        let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
        if let [Piece::Mem(last)] = &self.pieces[self.next..] {
            let rest = &last[usize::try_from(self.gone).expect("within memory")..];
            let len = (rest.len() as u64).min(PUSH_BYTES_MAX);
            let short = u32::try_from(len).expect("limited");
            return (opcode::Send::new(types::Fd(socket), rest.as_ptr(), short).flags(flags).build(), len);
        }
        let more = if self.gather(PUSH_BYTES_MAX) { libc::MSG_MORE } else { 0 };
        let flags = u32::try_from(flags | more).expect("positive");
        (opcode::SendMsg::new(types::Fd(socket), &raw const self.header).flags(flags).build(), self.gathered())
    }

    fn gathered(&self) -> u64 {
        self.iovecs.iter().map(|part| part.iov_len as u64).sum()
    }

    /// Collects the memory pieces that come next, up to `bytes_max`; true if something comes after them.
    fn gather(&mut self, bytes_max: u64) -> bool {
        self.iovecs.clear();
        let mut skip = usize::try_from(self.gone).expect("within memory");
        let mut left = usize::try_from(bytes_max).expect("small");
        let mut follows = false;
        for piece in &self.pieces[self.next..] {
            let Piece::Mem(buf) = piece else {
                follows = true;
                break;
            };
            if self.iovecs.len() == PARTS_MAX || left == 0 {
                follows = true;
                break;
            }
            let rest = &buf[skip..];
            skip = 0;
            let len = rest.len().min(left);
            follows = len < rest.len();
            left -= len;
            if len > 0 {
                self.iovecs.push(libc::iovec { iov_base: rest.as_ptr().cast_mut().cast(), iov_len: len });
            }
        }
        self.header.msg_iov = self.iovecs.as_mut_ptr();
        self.header.msg_iovlen = self.iovecs.len();
        follows
    }

    /// Moves what the socket takes, without waiting, and counts it down from `allowance`.
    pub fn push(&mut self, socket: RawFd, allowance: &mut u64) -> Result<Push> {
        let mut budget = PUSH_BYTES_MAX;
        while !self.is_done() {
            if budget == 0 {
                return Ok(Push::Again);
            }
            let (asked, moved) = match &self.pieces[self.next] {
                Piece::Mem(_) => self.push_memory(socket, budget),
                Piece::File { file, position, len } => {
                    let asked = (len - self.gone).min(budget);
                    (asked, push_file(socket, file, position + self.gone, asked))
                }
            };
            match moved {
                Ok(bytes) => {
                    self.advance(bytes);
                    budget -= bytes;
                    *allowance = allowance.saturating_sub(bytes);
                    // Asking once more would only be told so.
                    if bytes < asked {
                        return Ok(Push::Full);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Push::Full),
                Err(error) => return Err(error),
            }
        }
        Ok(Push::Done)
    }

    /// Asked for, and moved.
    fn push_memory(&mut self, socket: RawFd, bytes_max: u64) -> (u64, Result<u64>) {
        let more = if self.gather(bytes_max) { libc::MSG_MORE } else { 0 };
        let asked = self.gathered();
        // SAFETY: header and parts live in `self`, what they point to in `pieces`.
        let sent = unsafe { libc::sendmsg(socket, &raw const self.header, libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT | more) };
        (asked, u64::try_from(sent).map_err(|_| Error::last_os_error()))
    }
}

fn push_file(socket: RawFd, file: &File, position: u64, len: u64) -> Result<u64> {
    let mut offset = signed(position)?;
    let count = usize::try_from(len).expect("limited");
    // SAFETY: `offset` outlives the call; both descriptors are open.
    let sent = unsafe { libc::sendfile(socket, file.real().descriptor(), &raw mut offset, count) };
    match u64::try_from(sent) {
        // The file is shorter than was promised; what the peer waits for will never come.
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(sent) => Ok(sent),
        Err(_) => Err(Error::last_os_error()),
    }
}

/// Completes when the socket takes more.
pub fn writable(socket: RawFd, slot: u32) -> (squeue::Entry, Tag) {
    let events = u32::try_from(libc::POLLOUT).expect("positive");
    (opcode::PollAdd::new(types::Fd(socket), events).build(), Tag::new(Kind::Writable, slot))
}

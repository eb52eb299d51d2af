//! [`Sending`]: the pieces of one send, and how far they are gone.
//!
//! Memory goes through the ring, as many pieces as follow one another in one message; the kernel itself goes on after a
//! short write (`MSG_WAITALL`). As soon as a file is among the pieces, all of it is pushed from the core: `sendmsg` and
//! `sendfile`, neither of which waits, up to [`PUSH_BYTES_MAX`] a turn.

use super::disk::PARTS_MAX;
use super::fs::signed;
use super::ring::{Kind, Tag};
use crate::{File, Piece, Result};
use io_uring::{opcode, squeue, types};
use std::io::{Error, ErrorKind};
use std::os::fd::RawFd;

/// Most bytes pushed for one socket before the next socket and the next turn get theirs. More would save little and make
/// everyone on the core wait longer: this much takes some 100 µs.
pub const PUSH_BYTES_MAX: u64 = 512 << 10;
/// Most bytes in one message.
const MESSAGE_BYTES_MAX: usize = 1 << 30;

/// Kept in a box: the kernel reads `header` and `iovecs` when the entry is submitted.
pub struct Sending {
    pieces: Vec<Piece>,
    /// First piece not gone entirely, and what of it is gone.
    next: usize,
    gone: u64,
    has_file: bool,
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
        Sending { pieces: Vec::new(), next: 0, gone: 0, has_file: false, iovecs: Vec::new(), header }
    }

    pub fn start(&mut self, pieces: Vec<Piece>) {
        self.has_file = pieces.iter().any(|piece| matches!(piece, Piece::File { .. }));
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

    /// The next message for the ring. Only memory is left.
    pub fn entry(&mut self, socket: RawFd) -> squeue::Entry {
        let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
        if let [Piece::Mem(last)] = &self.pieces[self.next..] {
            let rest = &last[usize::try_from(self.gone).expect("within memory")..];
            if let Some(len) = u32::try_from(rest.len()).ok().filter(|len| *len <= 1 << 30) {
                return opcode::Send::new(types::Fd(socket), rest.as_ptr(), len).flags(flags).build();
            }
        }
        self.gather();
        opcode::SendMsg::new(types::Fd(socket), &raw const self.header).flags(u32::try_from(flags).expect("positive")).build()
    }

    /// Collects the memory pieces that come next; true if a file comes after them.
    fn gather(&mut self) -> bool {
        self.iovecs.clear();
        let mut skip = usize::try_from(self.gone).expect("within memory");
        let mut left = MESSAGE_BYTES_MAX;
        let mut file_follows = false;
        for piece in &self.pieces[self.next..] {
            let Piece::Mem(buf) = piece else {
                file_follows = true;
                break;
            };
            if self.iovecs.len() == PARTS_MAX || left == 0 {
                break;
            }
            let rest = &buf[skip..];
            skip = 0;
            let len = rest.len().min(left);
            left -= len;
            if len > 0 {
                self.iovecs.push(libc::iovec { iov_base: rest.as_ptr().cast_mut().cast(), iov_len: len });
            }
        }
        self.header.msg_iov = self.iovecs.as_mut_ptr();
        self.header.msg_iovlen = self.iovecs.len();
        file_follows
    }

    /// Moves what the socket takes, without waiting.
    pub fn push(&mut self, socket: RawFd) -> Result<Push> {
        let mut budget = PUSH_BYTES_MAX;
        while !self.is_done() {
            if budget == 0 {
                return Ok(Push::Again);
            }
            let (asked, moved) = match &self.pieces[self.next] {
                Piece::Mem(_) => self.push_memory(socket),
                Piece::File { file, position, len } => {
                    let asked = (len - self.gone).min(budget);
                    (asked, push_file(socket, file, position + self.gone, asked))
                }
            };
            match moved {
                Ok(bytes) => {
                    self.advance(bytes);
                    budget = budget.saturating_sub(bytes);
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
    fn push_memory(&mut self, socket: RawFd) -> (u64, Result<u64>) {
        let more = if self.gather() { libc::MSG_MORE } else { 0 };
        let asked = self.iovecs.iter().map(|part| part.iov_len as u64).sum();
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

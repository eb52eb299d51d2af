//! One client's connection: frames in, answers out, in the order of the requests.
//!
//! Lives on the core that accepted it, owned by that core's [`super::Server`].
//!
//! ```text
//!  socket ──▶ pooled buffer ──▶ frames ──▶ begin ──┬─ answered at once ───────────────┐
//!     ▲                                            └─ waits for other cores, the disk,│
//!     │ credit                                        or a deadline ──▶ slot is filled│
//!     │                                                                               ▼
//!     └──────────── the network has taken the bytes ◀── one send per turn ◀── slots, in order
//! ```
//!
//! Holds between any two turns:
//! - `slots` are the requests begun and not yet answered, in the order in which they came; only the front may leave
//! - at most one receive and one send are in the hands of `io`
//! - nothing is received while `slots` or the bytes that wait for the reader exceed their limits: a client that sends
//!   without reading holds at most one frame, `requests_in_flight_max` requests and `answer_bytes_max` of answers

use crate::api::{Pending, Response};
use crate::limits::Limits;
use crate::types::Instant;
use millrace_io::frames::{Frame, Frames};
use millrace_io::{BufMut, Core, Piece, Pool, SocketId};
use std::collections::VecDeque;
use std::net::SocketAddr;

pub struct Connection {
    pub socket: SocketId,
    pub peer: SocketAddr,
    /// Index of the listener it came through, in `BrokerConfig::listeners`.
    pub listener: usize,
    pub last_active: Instant,
    pool: Pool,
    frames: Frames,
    slots: VecDeque<Slot>,
    /// Sequence number of the front of `slots`.
    first_sequence: u32,
    /// Small answers at the end of `out`, not yet in a buffer of their own.
    out_small: Vec<u8>,
    out: Vec<Piece>,
    out_bytes: u64,
    /// Bytes in the network's hands; one send at a time.
    sending_bytes: u64,
    /// The peer sends no more, or an error makes us close once the answers so far have left.
    pub closing: bool,
}

struct Slot {
    state: SlotState,
}

enum SlotState {
    Waiting(Pending),
    Ready(Response),
}

impl Connection {
    pub fn new(core: &mut Core, socket: SocketId, peer: SocketAddr, listener: usize) -> Connection {
        Connection {
            socket,
            peer,
            listener,
            last_active: core.now(),
            pool: core.pool().clone(),
            frames: Frames::new(core, socket),
            slots: VecDeque::new(),
            first_sequence: 0,
            out_small: Vec::new(),
            out: Vec::new(),
            out_bytes: 0,
            sending_bytes: 0,
            closing: false,
        }
    }

    // ---- in

    /// What `io` has received. Then call [`Connection::next_frame`] until it has no more.
    pub fn received(&mut self, buf: BufMut) {
        self.frames.received(buf);
    }

    /// The next whole frame, if there is credit to begin it.
    pub fn next_frame(&mut self, core: &mut Core, limits: &Limits, frame_bytes_max: u32) -> Frame {
        if self.closing || !self.has_credit(limits) {
            return Frame::None;
        }
        self.frames.next(core, frame_bytes_max)
    }

    fn has_credit(&self, limits: &Limits) -> bool {
        self.slots.len() < limits.requests_in_flight_max as usize && self.out_bytes + self.sending_bytes <= limits.answer_bytes_max
    }

    // ---- out

    /// Number of the request that [`Connection::begun`] or [`Connection::answered`] will say something about next.
    pub fn next_sequence(&self) -> u32 {
        self.first_sequence.wrapping_add(self.slots.len() as u32)
    }

    /// The request waits; its answer comes through [`Connection::pending`].
    pub fn begun(&mut self, pending: Pending) {
        self.slots.push_back(Slot { state: SlotState::Waiting(pending) });
    }

    /// The request has been answered at once.
    pub fn answered(&mut self, response: Response) {
        if self.slots.is_empty() {
            self.first_sequence = self.first_sequence.wrapping_add(1);
            self.put(response);
        } else {
            self.slots.push_back(Slot { state: SlotState::Ready(response) });
        }
    }

    /// The request with this number, if it still waits.
    pub fn pending(&mut self, sequence: u32) -> Option<&mut Pending> {
        let index = sequence.wrapping_sub(self.first_sequence) as usize;
        match &mut self.slots.get_mut(index)?.state {
            SlotState::Waiting(pending) => Some(pending),
            SlotState::Ready(_) => None,
        }
    }

    /// The request with this number has its answer; it leaves when all before it have.
    pub fn fill(&mut self, sequence: u32, response: Response) {
        let index = sequence.wrapping_sub(self.first_sequence) as usize;
        let slot = &mut self.slots[index];
        assert!(matches!(slot.state, SlotState::Waiting(_)), "a request is answered once");
        slot.state = SlotState::Ready(response);
        while let Some(Slot { state: SlotState::Ready(_) }) = self.slots.front() {
            let Some(Slot { state: SlotState::Ready(response) }) = self.slots.pop_front() else { unreachable!("just looked") };
            self.first_sequence = self.first_sequence.wrapping_add(1);
            self.put(response);
        }
    }

    fn put(&mut self, response: Response) {
        match response {
            Response::None => {}
            Response::HangUp(_) => unreachable!("hung up instead"),
            Response::Bytes(bytes) => {
                self.out_bytes += bytes.len() as u64;
                self.out_small.extend_from_slice(&bytes);
            }
            Response::Pieces(pieces) => {
                for piece in pieces {
                    self.out_bytes += piece.len();
                    match piece {
                        // A tiny piece costs more as an element of the vector than as a copy.
                        Piece::Mem(buf) if buf.len() <= 512 => self.out_small.extend_from_slice(&buf),
                        piece => {
                            self.close_small();
                            self.out.push(piece);
                        }
                    }
                }
            }
        }
    }

    /// Moves the small answers into a buffer of their own.
    fn close_small(&mut self) {
        if self.out_small.is_empty() {
            return;
        }
        let mut buf = self.pool.take_always(self.out_small.len());
        buf.extend(&self.out_small);
        self.out.push(Piece::Mem(buf.freeze()));
        self.out_small.clear();
        self.out_small.shrink_to(4096);
    }

    /// Hands to the network what is ready, if it has taken what it had.
    pub fn flush(&mut self, core: &mut Core) {
        if self.sending_bytes > 0 || self.out_bytes == 0 {
            return;
        }
        self.close_small();
        self.sending_bytes = std::mem::take(&mut self.out_bytes);
        core.send(self.socket, std::mem::take(&mut self.out));
    }

    /// The network has taken everything of the last flush.
    pub fn sent(&mut self) {
        self.sending_bytes = 0;
    }

    /// Nothing is left to do for it.
    pub fn is_drained(&self) -> bool {
        self.slots.is_empty() && self.out_bytes == 0 && self.sending_bytes == 0
    }
}

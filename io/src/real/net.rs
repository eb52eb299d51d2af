//! [`Net`]: one core's connections.
//!
//! ```text
//!            recv ──▶ armed ──▶ Received            armed: an entry with buffer selection, the socket holds no memory
//!                      │  ▲
//!     pool is full     ▼  │ memory was given back
//!                    starved                        data waits in the kernel, the peer is slowed down by TCP
//!
//!   send, little ──▶ ring, the kernel goes on after short writes ───────────────▶ Sent
//!   send, bulk   ──▶ its turn: 512 KiB, through the ring or, if there is a file, from the core ──▶ again ──▶ Sent
//!                     ▲                                                        │
//!                     └────────────────── POLLOUT ◀── the socket is full ◀─────┘
//!
//!          close ──▶ closing: outstanding entries cancelled ──(last completion)──▶ descriptor closed, slot free
//! ```
//!
//! Invariants: at most one receive and one send per socket; `pending` counts the socket's entries that the kernel has or
//! will get; a slot, its descriptor and its memory live until `pending` is 0. A slot's generation changes when the socket
//! is closed, so an id names one connection only.

use super::address::peer_address;
use super::listener::{Addresses, Connects, Listeners};
use super::ring::{Completion, Kind, Ring, Tag};
use super::sending::{Push, Sending, writable};
use super::slab::index;
use super::stock::{BUFFER_BYTES, GROUP, Stock};
use crate::{BufMut, Event, Instant, ListenerId, Piece, Pool, Result, SocketId, Token};
use io_uring::{opcode, squeue, types};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// `IORING_RECVSEND_POLL_FIRST`: wait for data before trying to read some.
const POLL_FIRST: u16 = 1;
/// Most bytes received in one call.
const RECEIVE_BYTES_MAX: usize = 1 << 30;
/// Most bytes pushed for all sockets in one turn: some 200 µs. Raising it makes every other request wait longer.
const PUSH_TURN_BYTES_MAX: u64 = 1 << 20;
/// Descriptions of sends kept for the next ones.
const SPARE_SENDINGS_MAX: usize = 1024;

pub struct Net {
    sockets: Vec<Socket>,
    free: Vec<u32>,
    listeners: Listeners,
    connects: Connects,
    stock: Stock,
    /// Sockets whose receive found no buffer, in the order in which they did.
    starved: VecDeque<SocketId>,
    /// Sockets that have something to push, in turn.
    pushing: VecDeque<SocketId>,
    /// Boxes used again: the kernel is told where they are.
    #[allow(clippy::vec_box, reason = "must not move")]
    spare_sendings: Vec<Box<Sending>>,
}

struct Socket {
    generation: u32,
    descriptor: Option<OwnedFd>,
    closing: bool,
    pending: u8,
    /// When last looked, there was more to read.
    has_more: bool,
    receive: Receive,
    send: Option<Box<Sending>>,
}

enum Receive {
    Idle,
    Armed,
    Starved,
    Into(BufMut),
}

impl Net {
    pub fn new(ring: &Ring, pool: &Pool) -> Result<Net> {
        let mut stock = Stock::new(ring, pool)?;
        stock.restock(pool);
        Ok(Net {
            sockets: Vec::new(),
            free: Vec::new(),
            listeners: Listeners::default(),
            connects: Connects::new(),
            stock,
            starved: VecDeque::new(),
            pushing: VecDeque::new(),
            spare_sendings: Vec::new(),
        })
    }

    // ---- listeners and connects

    pub fn listen(&mut self, ring: &mut Ring, addresses: &Addresses, address: SocketAddr) -> Result<ListenerId> {
        self.listeners.listen(ring, addresses, address)
    }
    pub fn listener_address(&self, listener: ListenerId) -> SocketAddr {
        self.listeners.address(listener)
    }
    pub fn unlisten(&mut self, ring: &mut Ring, addresses: &Addresses, listener: ListenerId) {
        self.listeners.unlisten(ring, addresses, listener);
    }

    pub fn connect(&mut self, ring: &mut Ring, ready: &mut Vec<Event>, address: SocketAddr, token: Token) {
        if let Err(error) = self.connects.connect(ring, address, token) {
            ready.push(Event::Connected { token, result: Err(error) });
        }
    }

    // ---- what the program asks of a socket

    pub fn recv(&mut self, ring: &mut Ring, id: SocketId) {
        let Some(socket) = self.open(id) else { return };
        assert!(matches!(socket.receive, Receive::Idle), "one receive at a time");
        socket.receive = Receive::Armed;
        socket.arm(ring, id.slot);
    }

    pub fn recv_into(&mut self, ring: &mut Ring, id: SocketId, mut into: BufMut) {
        let Some(socket) = self.open(id) else { return };
        assert!(matches!(socket.receive, Receive::Idle), "one receive at a time");
        assert!(into.spare() > 0, "a receive needs room");
        let len = u32::try_from(into.spare().min(RECEIVE_BYTES_MAX)).expect("limited");
        let entry = opcode::Recv::new(types::Fd(socket.descriptor()), into.spare_ptr(), len).ioprio(socket.poll_first()).build();
        socket.receive = Receive::Into(into);
        socket.pending += 1;
        ring.push(entry, Tag::new(Kind::Receive, id.slot));
    }

    pub fn send(&mut self, ring: &mut Ring, ready: &mut Vec<Event>, id: SocketId, pieces: Vec<Piece>) {
        let mut sending = self.spare_sendings.pop().unwrap_or_else(|| Box::new(Sending::new()));
        sending.start(pieces);
        let Some(socket) = self.open(id) else { return };
        assert!(socket.send.is_none(), "one send at a time");
        if sending.is_done() {
            ready.push(Event::Sent { socket: id, result: Ok(()) });
            return;
        }
        let is_bulk = sending.is_bulk();
        socket.send = Some(sending);
        if is_bulk {
            self.pushing.push_back(id);
        } else {
            socket.submit_send(ring, id.slot);
        }
    }

    pub fn close(&mut self, ring: &mut Ring, id: SocketId) {
        let Some(socket) = self.open(id) else { return };
        socket.generation = socket.generation.wrapping_add(1);
        socket.closing = true;
        if socket.pending > 0 {
            // By descriptor: receive, send and poll in one entry.
            let all = types::CancelBuilder::fd(types::Fd(socket.descriptor())).all();
            ring.push(opcode::AsyncCancel2::new(all).build().flags(squeue::Flags::SKIP_SUCCESS), Tag::IGNORED);
        }
        self.free_if_quiet(id.slot);
    }

    /// Does this id still name a connection?
    pub fn is_open(&self, id: SocketId) -> bool {
        self.sockets.get(index(id.slot)).is_some_and(|socket| socket.generation == id.generation && socket.is_open())
    }

    fn open(&mut self, id: SocketId) -> Option<&mut Socket> {
        self.sockets.get_mut(index(id.slot)).filter(|socket| socket.generation == id.generation && socket.is_open())
    }

    // ---- what the kernel answers

    pub fn complete(&mut self, ring: &mut Ring, pool: &Pool, now: Instant, events: &mut Vec<Event>, completion: &Completion) {
        match completion.tag.kind {
            Kind::Receive => self.received(pool, events, completion),
            Kind::Send => self.sent(ring, events, completion),
            Kind::Writable => self.writable(completion),
            Kind::Accept => {
                if let Some((listener, descriptor)) = self.listeners.accepted(ring, now, completion) {
                    // A peer that is gone already has no address.
                    if let Ok(peer) = peer_address(descriptor.as_raw_fd()) {
                        let socket = self.insert(descriptor);
                        events.push(Event::Accepted { listener, socket, peer });
                    }
                }
            }
            Kind::Connect => {
                let (token, result) = self.connects.completed(completion);
                let result = result.map(|descriptor| self.insert(descriptor));
                events.push(Event::Connected { token, result });
            }
            Kind::Ignored | Kind::Wake | Kind::Message | Kind::Disk => unreachable!("not the network's"),
        }
    }

    fn insert(&mut self, descriptor: OwnedFd) -> SocketId {
        let slot = self.free.pop().unwrap_or_else(|| {
            let closed =
                Socket { generation: 0, descriptor: None, closing: false, pending: 0, has_more: false, receive: Receive::Idle, send: None };
            self.sockets.push(closed);
            u32::try_from(self.sockets.len() - 1).expect("fewer than 2^32 descriptors")
        });
        let socket = &mut self.sockets[index(slot)];
        assert!(socket.descriptor.is_none() && socket.pending == 0);
        socket.descriptor = Some(descriptor);
        // A client that connects has something to say.
        socket.has_more = true;
        SocketId { slot, generation: socket.generation }
    }

    fn received(&mut self, pool: &Pool, events: &mut Vec<Event>, completion: &Completion) {
        let slot = completion.tag.slot;
        let socket = &mut self.sockets[index(slot)];
        socket.pending -= 1;
        socket.has_more = completion.socket_nonempty();
        let id = SocketId { slot, generation: socket.generation };
        let receive = std::mem::replace(&mut socket.receive, Receive::Idle);
        let len = completion.result().map(|len| usize::try_from(len).expect("at least 32 bits"));
        if socket.closing {
            if let Some(buffer) = completion.buffer() {
                self.stock.take_back(buffer);
            }
            return self.free_if_quiet(slot);
        }
        let result = match (receive, len) {
            (Receive::Armed, Ok(len)) => match completion.buffer() {
                Some(buffer) if len > 0 => Ok(Some(self.stock.take(buffer, len, pool))),
                buffer => {
                    buffer.into_iter().for_each(|buffer| self.stock.take_back(buffer));
                    Ok(None)
                }
            },
            (Receive::Armed, Err(error)) => {
                completion.buffer().into_iter().for_each(|buffer| self.stock.take_back(buffer));
                if completion.is_error(libc::ENOBUFS) {
                    socket.receive = Receive::Starved;
                    socket.has_more = true;
                    self.starved.push_back(id);
                    self.stock.found_empty();
                    return;
                }
                Err(error)
            }
            (Receive::Into(mut into), Ok(len)) if len > 0 => {
                into.advance(len);
                Ok(Some(into))
            }
            (Receive::Into(_), Ok(_)) => Ok(None),
            (Receive::Into(_), Err(error)) => Err(error),
            (Receive::Idle | Receive::Starved, _) => unreachable!("a receive completes once"),
        };
        events.push(Event::Received { socket: id, result });
    }

    fn sent(&mut self, ring: &mut Ring, events: &mut Vec<Event>, completion: &Completion) {
        let slot = completion.tag.slot;
        let socket = &mut self.sockets[index(slot)];
        socket.pending -= 1;
        if socket.closing {
            return self.free_if_quiet(slot);
        }
        let sending = socket.send.as_mut().expect("a send completes once");
        let result = match completion.result() {
            Ok(bytes) => {
                sending.advance(u64::from(bytes));
                match (sending.is_done(), sending.is_bulk()) {
                    (true, _) => Ok(()),
                    (false, true) => return self.pushing.push_back(SocketId { slot, generation: socket.generation }),
                    (false, false) => {
                        socket.submit_send(ring, slot);
                        return;
                    }
                }
            }
            Err(error) => Err(error),
        };
        events.push(self.end_send(slot, result));
    }

    fn end_send(&mut self, slot: u32, result: Result<()>) -> Event {
        let socket = &mut self.sockets[index(slot)];
        let sending = socket.send.take().expect("a send ends once");
        let id = SocketId { slot, generation: socket.generation };
        self.keep(sending);
        Event::Sent { socket: id, result }
    }

    fn keep(&mut self, mut sending: Box<Sending>) {
        sending.clear();
        if self.spare_sendings.len() < SPARE_SENDINGS_MAX {
            self.spare_sendings.push(sending);
        }
    }

    fn writable(&mut self, completion: &Completion) {
        let slot = completion.tag.slot;
        let socket = &mut self.sockets[index(slot)];
        socket.pending -= 1;
        if socket.closing {
            return self.free_if_quiet(slot);
        }
        // Also after an error: the push meets it and reports it.
        self.pushing.push_back(SocketId { slot, generation: socket.generation });
    }

    fn free_if_quiet(&mut self, slot: u32) {
        let socket = &mut self.sockets[index(slot)];
        if !socket.closing || socket.pending > 0 {
            return;
        }
        socket.descriptor = None;
        socket.closing = false;
        socket.receive = Receive::Idle;
        let sending = socket.send.take();
        self.free.push(slot);
        if let Some(sending) = sending {
            self.keep(sending);
        }
    }

    // ---- once a turn

    /// Pushes files, gives the kernel buffers, arms what starved and what rested.
    pub fn carry_out(&mut self, ring: &mut Ring, pool: &Pool, now: Instant, ready: &mut Vec<Event>) {
        let mut allowance = PUSH_TURN_BYTES_MAX;
        for _ in 0..self.pushing.len() {
            if allowance == 0 {
                break;
            }
            let Some(id) = self.pushing.pop_front() else { break };
            self.push(ring, ready, id, &mut allowance);
        }
        self.stock.restock(pool);
        if !self.starved.is_empty() {
            self.feed(ring, pool);
        }
        if self.listeners.deadline().is_some_and(|deadline| deadline <= now) {
            self.listeners.wake(ring, now);
        }
    }

    fn push(&mut self, ring: &mut Ring, ready: &mut Vec<Event>, id: SocketId, allowance: &mut u64) {
        let Some(socket) = self.open(id) else { return };
        let descriptor = socket.descriptor();
        let sending = socket.send.as_mut().expect("pushes only what is being sent");
        if !sending.has_file() {
            *allowance = allowance.saturating_sub(socket.submit_send(ring, id.slot));
            return;
        }
        let result = match sending.push(descriptor, allowance) {
            Ok(Push::Done) => Ok(()),
            Ok(Push::Full) => {
                socket.pending += 1;
                let (entry, tag) = writable(descriptor, id.slot);
                return ring.push(entry, tag);
            }
            Ok(Push::Again) => return self.pushing.push_back(id),
            Err(error) => Err(error),
        };
        let event = self.end_send(id.slot, result);
        ready.push(event);
    }

    /// Arms as many starved receives as there are buffers. Each has data waiting, so each will take one.
    fn feed(&mut self, ring: &mut Ring, pool: &Pool) {
        if self.stock.provided() == 0 {
            pool.await_memory();
            // What came back before that would not wake us.
            self.stock.restock(pool);
        }
        for _ in 0..self.stock.provided() {
            let Some(id) = self.starved.pop_front() else { break };
            let Some(socket) = self.open(id) else { continue };
            socket.receive = Receive::Armed;
            socket.arm(ring, id.slot);
        }
    }

    /// There is work that needs no completion.
    pub fn is_pushing(&self) -> bool {
        !self.pushing.is_empty()
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.listeners.deadline()
    }

    // ---- the end

    /// Closes everything; [`Net::pending`] says when the kernel has let go of it.
    pub fn close_all(&mut self, ring: &mut Ring, addresses: &Addresses) {
        self.listeners.unlisten_all(ring, addresses);
        for slot in 0..self.sockets.len() {
            let generation = self.sockets[slot].generation;
            self.close(ring, SocketId { slot: u32::try_from(slot).expect("a slot"), generation });
        }
    }

    pub fn pending(&self) -> usize {
        let sockets: usize = self.sockets.iter().map(|socket| usize::from(socket.pending)).sum();
        sockets + self.listeners.pending() + self.connects.pending()
    }
}

impl Socket {
    fn is_open(&self) -> bool {
        self.descriptor.is_some() && !self.closing
    }

    fn descriptor(&self) -> RawFd {
        self.descriptor.as_ref().expect("open").as_raw_fd()
    }

    /// Trying to read what is not there yet costs a lock and two look-ups for nothing.
    fn poll_first(&self) -> u16 {
        if self.has_more { 0 } else { POLL_FIRST }
    }

    fn arm(&mut self, ring: &mut Ring, slot: u32) {
        let len = u32::try_from(BUFFER_BYTES).expect("small");
        let entry = opcode::Recv::new(types::Fd(self.descriptor()), std::ptr::null_mut(), len)
            .buf_group(GROUP)
            .ioprio(self.poll_first())
            .build()
            .flags(squeue::Flags::BUFFER_SELECT);
        self.pending += 1;
        ring.push(entry, Tag::new(Kind::Receive, slot));
    }

    /// Hands the next message to the ring; how long it is.
    fn submit_send(&mut self, ring: &mut Ring, slot: u32) -> u64 {
        let descriptor = self.descriptor();
        let (entry, len) = self.send.as_mut().expect("set before").entry(descriptor);
        self.pending += 1;
        ring.push(entry, Tag::new(Kind::Send, slot));
        len
    }
}

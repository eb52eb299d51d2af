//! The simulated network: connections as two streams of bytes, delivered in pieces, in order, unaltered, or not at all.
//!
//! ```text
//!   send ──▶ [ received by the peer's kernel | under way | accepted by our kernel ┊ waiting for the window ]
//!             ◀────────────────── window, drawn once per stream ────────────────▶
//!             └─▶ recv takes from the front
//! ```
//!
//! One queue of bytes per direction; packets only move the marks in it. So nothing can be altered or overtaken by
//! construction, and a large stream costs two copies. `Sent` comes when the end of what was sent is inside the window.
//!
//! A link that is cut holds packets up. The side that has some in the air gives up after a drawn time; the other side
//! does not hear of it until it sends something, as in real life.
//!
//! | what arrives at an end that is | open      | closed, or its process died | broken | without power            |
//! |--------------------------------|-----------|-----------------------------|--------|--------------------------|
//! | bytes                          | received  | answered by a reset         | reset  | lost; reset once it is back |
//! | the end of the stream          | received  | nothing                     | nothing| lost                     |
//! | a reset                        | breaks it | nothing                     | nothing| lost                     |

use super::core;
use super::fs::File;
use super::machine::CoreRef;
use super::rng::Rng;
use super::volume::errno;
use super::world::{Item, World};
use crate::{BufMut, Event, ListenerId, Piece, PoolFull, Result, SocketId, Token};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

/// Size of the buffer of a receive; what is small comes in one that fits. As in the real world.
const RECEIVE_BYTES_MAX: usize = 16 << 10;
const COPY_MAX: usize = 2048;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnId {
    slot: usize,
    serial: u64,
}

/// 0 connected, 1 accepted.
pub type Side = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Waits for the answer to its attempt.
    Opening,
    Open,
    Broken(i32),
    /// The program closed it, or its process is gone; the kernel still answers.
    Closed,
    /// The machine lost its power.
    Gone,
}

struct End {
    at: CoreRef,
    state: State,
    socket: Option<SocketId>,
    receive: Option<Receive>,
    /// A send is outstanding; what went wrong while its pieces were read.
    send: Option<Option<i32>>,
    sent_due: bool,
    /// A receive found the pool full and will look again.
    starved: bool,
}

impl End {
    fn new(at: CoreRef, state: State) -> End {
        End { at, state, socket: None, receive: None, send: None, sent_due: false, starved: false }
    }
}

enum Receive {
    Pool,
    Into(BufMut),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fin {
    No,
    /// After all bytes.
    Wanted,
    UnderWay,
    Arrived,
}

struct Pipe {
    bytes: VecDeque<u8>,
    arrived: usize,
    under_way: usize,
    window: usize,
    fin: Fin,
    /// When the last packet arrives; the next one comes later.
    last: u64,
    /// Packets of an earlier era are void.
    era: u32,
    /// Packets wait for the link; which wait it is.
    blocked: Option<u64>,
}

impl Pipe {
    fn new(window: usize) -> Pipe {
        Pipe { bytes: VecDeque::new(), arrived: 0, under_way: 0, window, fin: Fin::No, last: 0, era: 0, blocked: None }
    }
    fn launched(&self) -> usize {
        self.arrived + self.under_way
    }
    /// Nothing of what is under way arrives any more, nor what comes after it.
    fn cut_off(&mut self) {
        self.bytes.truncate(self.arrived);
        self.under_way = 0;
        self.era += 1;
    }
    fn check(&self) {
        assert!(self.launched() <= self.bytes.len() && self.launched() <= self.window, "marks of a stream in order");
    }
}

struct Conn {
    serial: u64,
    ends: [End; 2],
    /// What each end sends.
    pipes: [Pipe; 2],
    delay: u64,
    token: Token,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet {
    Open,
    Data(usize),
    Fin,
    Reset,
}

/// An attempt to connect.
pub struct Attempt {
    pub from: CoreRef,
    pub token: Token,
    pub to: SocketAddr,
    pub source: SocketAddr,
    tries: u32,
    gives_up: u64,
}

#[derive(Default)]
pub struct SocketTable {
    slots: Vec<(u32, Option<(ConnId, Side)>)>,
    free: Vec<u32>,
}

impl SocketTable {
    fn insert(&mut self, conn: ConnId, side: Side) -> SocketId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            u32::try_from(self.slots.len() - 1).expect("fewer sockets")
        });
        let entry = &mut self.slots[usize::try_from(slot).expect("32 bits")];
        entry.1 = Some((conn, side));
        SocketId { slot, generation: entry.0 }
    }
    fn get(&self, socket: SocketId) -> Option<(ConnId, Side)> {
        let (generation, entry) = self.slots.get(usize::try_from(socket.slot).expect("32 bits"))?;
        entry.filter(|_| *generation == socket.generation)
    }
    pub fn all(&self) -> Vec<SocketId> {
        let open = (0..).zip(&self.slots).filter(|(_, (_, entry))| entry.is_some());
        open.map(|(slot, (generation, _))| SocketId { slot, generation: *generation }).collect()
    }
    fn remove(&mut self, socket: SocketId) {
        let entry = &mut self.slots[usize::try_from(socket.slot).expect("32 bits")];
        *entry = (entry.0.wrapping_add(1), None);
        self.free.push(socket.slot);
    }
}

#[derive(Default)]
pub struct Net {
    conns: Vec<Option<Conn>>,
    free: Vec<usize>,
    serials: u64,
    /// Cut links, from machine to machine, and until when.
    cuts: BTreeMap<(usize, usize), u64>,
    waits: u64,
}

impl Net {
    fn get(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.conns.get_mut(id.slot)?.as_mut().filter(|conn| conn.serial == id.serial)
    }
    fn insert(&mut self, conn: impl FnOnce(u64) -> Conn) -> ConnId {
        self.serials += 1;
        let conn = conn(self.serials);
        let serial = conn.serial;
        let slot = match self.free.pop() {
            Some(slot) => {
                self.conns[slot] = Some(conn);
                slot
            }
            None => {
                self.conns.push(Some(conn));
                self.conns.len() - 1
            }
        };
        ConnId { slot, serial }
    }
    fn ids(&self) -> Vec<ConnId> {
        let used = self.conns.iter().enumerate();
        used.filter_map(|(slot, conn)| conn.as_ref().map(|conn| ConnId { slot, serial: conn.serial })).collect()
    }
    pub fn cut(&mut self, from: usize, to: usize, until: u64) {
        let old = self.cuts.entry((from, to)).or_default();
        *old = (*old).max(until);
    }
    /// Those cuts that last no longer than `now`; all of them if it is `None`.
    pub fn heal(&mut self, now: Option<u64>, only: impl Fn(usize, usize) -> bool) {
        self.cuts.retain(|(from, to), until| !(only(*from, *to) && now.is_none_or(|now| *until <= now)));
    }
    pub fn connections(&self) -> usize {
        self.conns.len() - self.free.len()
    }
}

fn window(rng: &mut Rng) -> usize {
    usize::try_from(rng.skewed(4_096, 262_144)).expect("small")
}

impl World {
    fn reaches(&self, from: usize, to: usize) -> bool {
        self.machines[to].powered && (from == to || !self.net.cuts.contains_key(&(from, to)))
    }

    fn machine_at(&self, from: usize, to: SocketAddr) -> Option<usize> {
        if to.ip().is_loopback() {
            return Some(from);
        }
        self.machines.iter().position(|machine| machine.spec.addresses.contains(&to.ip()))
    }

    // ---- connecting

    pub(super) fn connect(&mut self, from: CoreRef, to: SocketAddr, token: Token) {
        let source = core::lock(&self.machines[from.machine].ports).source(to.ip());
        let gives_up = self.now + self.rng.between(3_000_000_000, 20_000_000_000);
        let delay = self.rng.skewed(5_000, 500_000);
        self.push(delay, Item::Attempt(Box::new(Attempt { from, token, to, source, tries: 0, gives_up })));
    }

    pub(super) fn attempt(&mut self, mut attempt: Box<Attempt>) {
        let (from, token) = (attempt.from, attempt.token);
        if !self.is_running(from) {
            return;
        }
        let refused = |world: &mut World, code| {
            let delay = world.rng.skewed(5_000, 500_000);
            world.push(delay, Item::Inbox(from, Event::Connected { token, result: Err(errno(code)) }));
        };
        let Some(to) = self.machine_at(from.machine, attempt.to) else { return refused(self, libc::EHOSTUNREACH) };
        if !self.reaches(from.machine, to) || !self.reaches(to, from.machine) {
            if self.now >= attempt.gives_up {
                return refused(self, libc::ETIMEDOUT);
            }
            attempt.tries += 1;
            let again = 1_000_000_000 << attempt.tries.min(4);
            return self.push(again, Item::Attempt(attempt));
        }
        let listening = core::lock(&self.machines[to].ports).listening(attempt.to);
        if !self.machines[to].up || listening.is_empty() || self.rng.chance(self.faults.net.refuse_ppm) {
            return refused(self, libc::ECONNREFUSED);
        }
        let (listener, core) = listening[self.rng.index(listening.len())];
        let process = self.machines[to].process;
        let server = CoreRef { machine: to, core: usize::from(core.0), process };
        let delay = if from.machine == to { self.rng.skewed(3_000, 30_000) } else { self.rng.skewed(10_000, 1_000_000) };
        let windows = [window(&mut self.rng), window(&mut self.rng)];
        let id = self.net.insert(|serial| Conn {
            serial,
            ends: [End::new(from, State::Opening), End::new(server, State::Open)],
            pipes: windows.map(Pipe::new),
            delay,
            token,
        });
        self.launch(id, 1, Packet::Open);
        let socket = self.machines[to].cores[server.core].sockets.insert(id, 1);
        self.conn(id).ends[1].socket = Some(socket);
        self.note(server, "accepts", u64::from(socket.slot), 0);
        self.deliver(server, Event::Accepted { listener, socket, peer: attempt.source });
    }

    fn conn(&mut self, id: ConnId) -> &mut Conn {
        self.net.get(id).expect("a connection whose end was just seen")
    }

    // ---- packets

    /// Puts a packet on its way; packets of one direction arrive in order.
    fn launch(&mut self, id: ConnId, side: Side, packet: Packet) {
        let mut delay = 0;
        if self.rng.chance(self.faults.net.loss_ppm) {
            delay = self.rng.between(200_000_000, 3_000_000_000);
        }
        let soonest = self.after(0);
        let base = self.conn(id).delay;
        delay += base + self.rng.skewed(0, base / 2);
        let pipe = &mut self.conn(id).pipes[side];
        pipe.last = (soonest + delay).max(pipe.last + 1);
        let (at, era) = (pipe.last, pipe.era);
        self.push_at(at, Item::Packet { conn: id, side, packet, era });
    }

    /// Moves what may move from one end towards the other.
    fn pump(&mut self, id: ConnId, side: Side) {
        loop {
            let Some(conn) = self.net.get(id) else { return };
            let (from, to) = (conn.ends[side].at.machine, conn.ends[1 - side].at.machine);
            let pipe = &conn.pipes[side];
            pipe.check();
            let waiting = pipe.bytes.len().min(pipe.window) - pipe.launched();
            let finish = pipe.fin == Fin::Wanted && pipe.launched() == pipe.bytes.len();
            if matches!(conn.ends[side].state, State::Gone) || pipe.blocked.is_some() || (waiting == 0 && !finish) {
                break;
            }
            if !self.reaches(from, to) {
                self.block(id, side);
                break;
            }
            if waiting > 0 && self.rng.chance(self.faults.net.reset_ppm) {
                self.break_end(id, side, libc::ECONNRESET);
                self.break_end(id, 1 - side, libc::ECONNRESET);
                self.tidy(id);
                return;
            }
            if waiting == 0 {
                self.conn(id).pipes[side].fin = Fin::UnderWay;
                self.launch(id, side, Packet::Fin);
                break;
            }
            // Mostly whatever there is, now and then in crumbs.
            let part = if self.rng.below(8) == 0 { 1 + self.rng.index(waiting) } else { waiting };
            self.conn(id).pipes[side].under_way += part;
            self.launch(id, side, Packet::Data(part));
        }
        self.check_sent(id, side);
    }

    fn block(&mut self, id: ConnId, side: Side) {
        self.net.waits += 1;
        let wait = self.net.waits;
        let pipe = &mut self.conn(id).pipes[side];
        if pipe.blocked.is_none() {
            pipe.blocked = Some(wait);
            let patience = self.rng.between(2_000_000_000, 20_000_000_000);
            self.push(patience, Item::GiveUp { conn: id, side, wait });
        }
    }

    /// Nobody answered for too long.
    pub(super) fn give_up(&mut self, id: ConnId, side: Side, wait: u64) {
        if self.net.get(id).is_some_and(|conn| conn.pipes[side].blocked == Some(wait)) {
            self.break_end(id, side, libc::ETIMEDOUT);
            self.tidy(id);
        }
    }

    /// Links have come back: what waited for them goes on.
    pub(super) fn unblock(&mut self) {
        for id in self.net.ids() {
            for side in 0..2 {
                let Some(conn) = self.net.get(id) else { break };
                let (from, to) = (conn.ends[side].at.machine, conn.ends[1 - side].at.machine);
                if conn.pipes[side].blocked.is_some() && self.reaches(from, to) {
                    self.conn(id).pipes[side].blocked = None;
                    self.pump(id, side);
                }
            }
        }
    }

    pub(super) fn packet(&mut self, id: ConnId, side: Side, packet: Packet, era: u32) {
        let other = 1 - side;
        let Some(conn) = self.net.get(id) else { return };
        let (from, to) = (conn.ends[side].at.machine, conn.ends[other].at);
        let (state, token) = (conn.ends[other].state, conn.token);
        let pipe = &mut conn.pipes[side];
        if pipe.era != era {
            return;
        }
        if let Packet::Data(len) = packet {
            pipe.under_way -= len;
        }
        if !self.reaches(from, to.machine) {
            // Nothing is sent again by whoever has no power.
            if !self.machines[from].powered {
                return;
            }
            match packet {
                // Answers, sent again because the question is asked again.
                Packet::Open | Packet::Reset => return self.push(1_000_000_000, Item::Packet { conn: id, side, packet, era }),
                Packet::Data(_) => {}
                Packet::Fin => self.conn(id).pipes[side].fin = Fin::Wanted,
            }
            return self.block(id, side);
        }
        self.note(
            to,
            "hears",
            id.serial,
            match packet {
                Packet::Data(len) => len as u64,
                _ => 0,
            },
        );
        match (state, packet) {
            (State::Opening, Packet::Open) => {
                let socket = self.machines[to.machine].cores[to.core].sockets.insert(id, other);
                let end = &mut self.conn(id).ends[other];
                end.state = State::Open;
                end.socket = Some(socket);
                self.deliver(to, Event::Connected { token, result: Ok(socket) });
                self.pump(id, other);
            }
            (State::Opening, _) => unreachable!("packets arrive in order"),
            (State::Open, Packet::Data(len)) => {
                self.conn(id).pipes[side].arrived += len;
                self.receive(id, other);
            }
            (State::Open, Packet::Fin) => {
                self.conn(id).pipes[side].fin = Fin::Arrived;
                self.receive(id, other);
            }
            (State::Open, Packet::Reset) => self.break_end(id, other, libc::ECONNRESET),
            (State::Open, Packet::Open) => unreachable!("an answer to no attempt"),
            (State::Closed | State::Broken(_) | State::Gone, Packet::Data(_) | Packet::Open) => {
                self.conn(id).pipes[side].cut_off();
                self.launch(id, other, Packet::Reset);
            }
            (State::Gone, Packet::Fin) => self.launch(id, other, Packet::Reset),
            (State::Closed | State::Broken(_), Packet::Fin) => {}
            (State::Closed | State::Broken(_) | State::Gone, Packet::Reset) => {}
        }
        self.tidy(id);
    }

    /// An end learns that its connection is no more.
    fn break_end(&mut self, id: ConnId, side: Side, code: i32) {
        let discard = self.rng.coin();
        let conn = self.conn(id);
        let (out, back) = (side, 1 - side);
        conn.pipes[out].cut_off();
        conn.pipes[out].blocked = None;
        if conn.pipes[back].fin != Fin::Arrived {
            conn.pipes[back].cut_off();
            if discard {
                conn.pipes[back].bytes.clear();
                conn.pipes[back].arrived = 0;
            }
        }
        if conn.ends[side].state == State::Open {
            conn.ends[side].state = State::Broken(code);
            let (at, socket) = (conn.ends[side].at, conn.ends[side].socket);
            if conn.ends[side].send.take().is_some() {
                let socket = socket.expect("an open end has one");
                self.deliver(at, Event::Sent { socket, result: Err(errno(code)) });
            }
            self.receive(id, side);
        }
    }

    /// Gives up what neither side can see any more.
    fn tidy(&mut self, id: ConnId) {
        let over = |end: &End| matches!(end.state, State::Closed | State::Gone);
        if self.net.get(id).is_some_and(|conn| conn.ends.iter().all(over)) {
            self.net.conns[id.slot] = None;
            self.net.free.push(id.slot);
        }
    }

    // ---- what programs ask for

    fn socket(&self, at: CoreRef, socket: SocketId) -> Option<(ConnId, Side)> {
        self.machines[at.machine].cores[at.core].sockets.get(socket)
    }

    pub(super) fn ask_receive(&mut self, at: CoreRef, socket: SocketId, into: Option<BufMut>) {
        let Some((id, side)) = self.socket(at, socket) else { return };
        let end = &mut self.conn(id).ends[side];
        assert!(end.receive.is_none(), "two receives outstanding on one socket");
        end.receive = Some(into.map_or(Receive::Pool, Receive::Into));
        let delay = self.rng.skewed(500, 5_000);
        self.push(delay, Item::Receive { conn: id, side });
    }

    /// A receive that found no memory looks again.
    pub(super) fn hungry(&mut self, id: ConnId, side: Side) {
        if let Some(conn) = self.net.get(id) {
            conn.ends[side].starved = false;
            self.receive(id, side);
        }
    }

    /// Answers an outstanding receive if there is something to answer.
    pub(super) fn receive(&mut self, id: ConnId, side: Side) {
        let Some(conn) = self.net.get(id) else { return };
        let end = &mut conn.ends[side];
        let pipe = &mut conn.pipes[1 - side];
        let (Some(socket), at) = (end.socket, end.at) else { return };
        if end.receive.is_none() || !matches!(end.state, State::Open | State::Broken(_)) {
            return;
        }
        let result: Result<Option<BufMut>> = match (pipe.arrived, pipe.fin, end.state) {
            (1.., _, _) => {
                let room = match &end.receive {
                    Some(Receive::Into(buf)) => buf.spare(),
                    _ => RECEIVE_BYTES_MAX,
                };
                let mut len = pipe.arrived.min(room);
                if self.rng.below(8) == 0 {
                    len = 1 + self.rng.index(len);
                }
                let mut buf = match end.receive.take().expect("seen above") {
                    Receive::Into(buf) => buf,
                    Receive::Pool => {
                        let pool = self.machines[at.machine].cores[at.core].handle.as_mut().expect("not in a turn").pool();
                        match pool.take(if len <= COPY_MAX { len } else { RECEIVE_BYTES_MAX }) {
                            Ok(buf) => buf,
                            Err(PoolFull) => {
                                // It waits for memory; its peer is slowed down.
                                end.receive = Some(Receive::Pool);
                                if std::mem::replace(&mut end.starved, true) {
                                    return;
                                }
                                let delay = self.rng.skewed(100_000, 5_000_000);
                                return self.push(delay, Item::Hungry { conn: id, side });
                            }
                        }
                    }
                };
                let (front, back) = pipe.bytes.as_slices();
                let from_front = len.min(front.len());
                buf.extend(&front[..from_front]);
                buf.extend(&back[..len - from_front]);
                pipe.bytes.drain(..len);
                pipe.arrived -= len;
                let filled = buf.len();
                self.content(&buf[filled - len..]);
                Ok(Some(buf))
            }
            (0, Fin::Arrived, _) => Ok(None),
            (0, _, State::Broken(code)) => Err(errno(code)),
            _ => return,
        };
        self.conn(id).ends[side].receive = None;
        self.deliver(at, Event::Received { socket, result });
        self.pump(id, 1 - side);
    }

    pub(super) fn ask_send(&mut self, at: CoreRef, socket: SocketId, pieces: Vec<Piece>) {
        let Some((id, side)) = self.socket(at, socket) else { return };
        let conn = self.conn(id);
        assert!(conn.ends[side].send.is_none(), "two sends outstanding on one socket");
        assert!(conn.pipes[side].fin == Fin::No, "a send after the end of the stream");
        if let State::Broken(_) = conn.ends[side].state {
            conn.ends[side].send = Some(Some(libc::EPIPE));
            let delay = self.rng.skewed(500, 5_000);
            return self.push(delay, Item::Sent { conn: id, side });
        }
        let pipe = &mut conn.pipes[side];
        let mut failed = None;
        for piece in pieces {
            match piece {
                Piece::Mem(buf) => pipe.bytes.extend(&buf[..]),
                Piece::File { file: crate::File::Sim(file), position, len } => {
                    if let Err(code) = send_file(&file, position, len, &mut pipe.bytes) {
                        failed = Some(code);
                        break;
                    }
                }
                Piece::File { file: crate::File::Real(_), .. } => panic!("a file of the real world in the simulated one"),
            }
        }
        conn.ends[side].send = Some(failed);
        self.pump(id, side);
    }

    /// Everything that was sent is inside the window: the kernel has it.
    fn check_sent(&mut self, id: ConnId, side: Side) {
        let Some(conn) = self.net.get(id) else { return };
        let (end, pipe) = (&mut conn.ends[side], &conn.pipes[side]);
        if end.send.is_some() && !end.sent_due && pipe.bytes.len() <= pipe.window {
            end.sent_due = true;
            let delay = self.rng.skewed(500, 20_000);
            self.push(delay, Item::Sent { conn: id, side });
        }
    }

    pub(super) fn sent(&mut self, id: ConnId, side: Side) {
        let Some(conn) = self.net.get(id) else { return };
        let (end, pipe) = (&mut conn.ends[side], &conn.pipes[side]);
        end.sent_due = false;
        if pipe.bytes.len() > pipe.window {
            return;
        }
        if let (Some(failed), Some(socket), at) = (end.send.take(), end.socket, end.at) {
            let result = failed.map_or(Ok(()), |code| Err(errno(code)));
            self.deliver(at, Event::Sent { socket, result });
        }
    }

    pub(super) fn ask_shutdown(&mut self, at: CoreRef, socket: SocketId) {
        let Some((id, side)) = self.socket(at, socket) else { return };
        let conn = self.conn(id);
        if conn.ends[side].state == State::Open && conn.pipes[side].fin == Fin::No {
            conn.pipes[side].fin = Fin::Wanted;
            self.pump(id, side);
        }
    }

    pub(super) fn ask_close(&mut self, at: CoreRef, socket: SocketId) {
        let Some((id, side)) = self.socket(at, socket) else { return };
        let core = &mut self.machines[at.machine].cores[at.core];
        core.sockets.remove(socket);
        core.inbox.retain(|event| match event {
            Event::Received { socket: s, .. } | Event::Sent { socket: s, .. } | Event::Accepted { socket: s, .. } => *s != socket,
            _ => true,
        });
        self.close_end(id, side);
    }

    /// What the kernel does when a descriptor is closed, by the program or because its process is gone.
    fn close_end(&mut self, id: ConnId, side: Side) {
        let drop_waiting = self.rng.coin();
        let conn = self.conn(id);
        let end = &mut conn.ends[side];
        let state = std::mem::replace(&mut end.state, State::Closed);
        end.socket = None;
        end.receive = None;
        let sending = end.send.take().is_some();
        if matches!(state, State::Open) {
            let unread = conn.pipes[1 - side].arrived > 0;
            let pipe = &mut conn.pipes[side];
            if unread {
                pipe.bytes.truncate(pipe.launched());
                self.launch(id, side, Packet::Reset);
            } else {
                let keep = if sending && drop_waiting { pipe.launched() } else { pipe.window.max(pipe.launched()) };
                pipe.bytes.truncate(keep);
                if pipe.fin == Fin::No {
                    pipe.fin = Fin::Wanted;
                }
                self.pump(id, side);
            }
        }
        self.tidy(id);
    }

    pub(super) fn unlisten(&mut self, at: CoreRef, listener: ListenerId) {
        let core = &mut self.machines[at.machine].cores[at.core];
        let unseen: Vec<SocketId> = core
            .inbox
            .iter()
            .filter_map(|event| match event {
                Event::Accepted { listener: l, socket, .. } if *l == listener => Some(*socket),
                _ => None,
            })
            .collect();
        unseen.into_iter().for_each(|socket| self.ask_close(at, socket));
    }

    /// The process of a machine, or its power, is gone.
    pub(super) fn close_all(&mut self, machine: usize, power: bool) {
        for id in self.net.ids() {
            for side in 0..2 {
                let Some(conn) = self.net.get(id) else { break };
                let end = &mut conn.ends[side];
                if end.at.machine != machine || end.state == State::Gone {
                    continue;
                }
                if power {
                    end.state = State::Gone;
                    end.socket = None;
                    end.receive = None;
                    end.send = None;
                    let pipe = &mut conn.pipes[side];
                    pipe.bytes.truncate(pipe.launched());
                    pipe.blocked = None;
                    self.tidy(id);
                } else if end.state != State::Closed {
                    self.close_end(id, side);
                }
            }
        }
    }

    /// Asserts what the streams promise.
    pub(super) fn check_net(&mut self) {
        for id in self.net.ids() {
            self.conn(id).pipes.iter().for_each(Pipe::check);
        }
    }
}

/// `sendfile`: as much as the file has.
fn send_file(file: &File, position: u64, len: u64, out: &mut VecDeque<u8>) -> std::result::Result<(), i32> {
    let mut bytes = vec![0; usize::try_from(len).map_err(|_| libc::EINVAL)?];
    let read = file.send(position, &mut bytes).map_err(|error| error.raw_os_error().unwrap_or(libc::EIO))?;
    out.extend(&bytes[..read]);
    if read < bytes.len() { Err(libc::EIO) } else { Ok(()) }
}

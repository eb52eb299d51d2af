//! All connections of one core: accepting, closing, and which of them have something to do in this turn.
//!
//! The table is indexed by the socket's slot, so that an event finds its connection without a search.

use super::connection::Connection;
use crate::api::{self, Begun, Cx, Local, Response};
use crate::config::BrokerConfig;
use crate::error::Hangup;
use crate::shard::{Answer, Shard, Ticket};
use crate::types::{Instant, ShardId};
use millrace_io::frames::Frame;
use millrace_io::{BufMut, Core, Error, ListenerId, SocketId, fatal};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tracing::{debug, info, warn};

/// How often idle connections are looked for. Kafka's expiry is as coarse.
const IDLE_CHECK: Duration = Duration::from_secs(1);

pub struct Connections {
    table: Vec<Option<Connection>>,
    count: u32,
    per_address: BTreeMap<IpAddr, u32>,
    /// Listener of `io` and its index in `BrokerConfig::listeners`.
    listeners: Vec<(ListenerId, usize)>,
    /// Slots that have something to send; may name a slot twice, or one that has gone.
    to_flush: Vec<u32>,
    /// Slots whose next frame waits for memory.
    starved: Vec<u32>,
    next_idle_check: Instant,
    limits: ConnectionLimits,
    /// What the APIs keep on this core.
    local: Local,
}

struct ConnectionLimits {
    /// `connections.max.idle.ms`; none: never.
    idle: Option<Duration>,
    /// This core's part of `max.connections`.
    connections: u32,
    /// This core's part of `max.connections.per.ip`.
    per_address: u32,
    /// `socket.request.max.bytes`.
    frame_bytes: u32,
}

impl Connections {
    pub fn new(core: ShardId, config: &BrokerConfig, cores: u16) -> Connections {
        let part = |limit: u32| limit.div_ceil(u32::from(cores));
        Connections {
            table: Vec::new(),
            count: 0,
            per_address: BTreeMap::new(),
            listeners: Vec::new(),
            to_flush: Vec::new(),
            starved: Vec::new(),
            next_idle_check: Instant::NEVER,
            local: Local::new(core, config, cores),
            limits: ConnectionLimits {
                idle: (config.connections_max_idle_ms > 0).then(|| Duration::from_millis(config.connections_max_idle_ms as u64)),
                connections: part(config.max_connections),
                per_address: part(config.max_connections_per_ip),
                frame_bytes: config.socket_request_max_bytes,
            },
        }
    }

    // ---- life

    /// Listens on every address of the configuration. A port in use is the end: nobody could reach this core.
    pub fn listen(&mut self, core: &mut Core, config: &BrokerConfig) {
        for (index, listener) in config.listeners.iter().enumerate() {
            for address in &listener.addresses {
                match core.listen(*address) {
                    Ok(id) => self.listeners.push((id, index)),
                    Err(error) => fatal(
                        3,
                        &format!(
                            "listeners: cannot listen on {address}: {error}; is another broker running there? Change `listeners` or stop it"
                        ),
                    ),
                }
            }
        }
        self.next_idle_check = core.now() + IDLE_CHECK;
    }

    /// Accepts nobody any more and begins nothing; what has been begun is answered.
    pub fn stop(&mut self, core: &mut Core) {
        for (listener, _) in self.listeners.drain(..) {
            core.unlisten(listener);
        }
        for slot in 0..self.table.len() {
            if let Some(connection) = &mut self.table[slot] {
                connection.closing = true;
                self.to_flush.push(index(slot));
            }
        }
    }

    pub fn accept(&mut self, core: &mut Core, listener: ListenerId, socket: SocketId, peer: SocketAddr) {
        let Some(&(_, listener)) = self.listeners.iter().find(|(id, _)| *id == listener) else {
            core.close(socket);
            return;
        };
        let of_address = self.per_address.entry(peer.ip()).or_insert(0);
        if self.count >= self.limits.connections || *of_address >= self.limits.per_address {
            debug!(%peer, "refused: max.connections or max.connections.per.ip is reached");
            core.close(socket);
            return;
        }
        *of_address += 1;
        self.count += 1;
        let slot = socket.slot as usize;
        if self.table.len() <= slot {
            self.table.resize_with(slot + 1, || None);
        }
        self.table[slot] = Some(Connection::new(core, socket, peer, listener));
    }

    fn close(&mut self, core: &mut Core, slot: u32) {
        let Some(connection) = self.table[slot as usize].take() else { return };
        self.count -= 1;
        if let Some(of_address) = self.per_address.get_mut(&connection.peer.ip()) {
            *of_address -= 1;
            if *of_address == 0 {
                self.per_address.remove(&connection.peer.ip());
            }
        }
        core.close(connection.socket);
    }

    fn hang_up(&mut self, core: &mut Core, slot: u32, why: &str) {
        if let Some(connection) = &self.table[slot as usize] {
            info!(peer = %connection.peer, "hung up: {why}");
        }
        self.close(core, slot);
    }

    // ---- events

    pub fn received(&mut self, core: &mut Core, shard: &mut Shard, socket: SocketId, result: Result<Option<BufMut>, Error>) {
        let now = core.now();
        let Some(connection) = self.of(socket) else { return };
        match result {
            Ok(Some(buf)) => {
                connection.last_active = now;
                connection.received(buf);
                self.begin_frames(core, shard, socket.slot);
            }
            Ok(None) => {
                // A client that half-closes still gets its answers.
                connection.closing = true;
                self.to_flush.push(socket.slot);
            }
            Err(_) => self.close(core, socket.slot),
        }
    }

    pub fn sent(&mut self, core: &mut Core, shard: &mut Shard, socket: SocketId, result: Result<(), Error>) {
        let now = core.now();
        let Some(connection) = self.of(socket) else { return };
        match result {
            Ok(()) => {
                connection.last_active = now;
                connection.sent();
                self.to_flush.push(socket.slot);
                self.begin_frames(core, shard, socket.slot);
            }
            Err(_) => self.close(core, socket.slot),
        }
    }

    /// An answer of this or another core for one of our requests.
    pub fn answer(&mut self, core: &mut Core, shard: &mut Shard, from: ShardId, ticket: Ticket, answer: Answer) {
        let socket = SocketId { slot: ticket.connection, generation: ticket.generation };
        let Some(connection) = found(&mut self.table, socket) else { return };
        let listener = connection.listener;
        let Some(pending) = connection.pending(ticket.sequence) else { return };
        let cx = &mut Cx { core, shard, local: &mut self.local, ticket, listener };
        let Some(response) = pending.on_answer(cx, from, answer) else { return };
        if let Response::HangUp(why) = &response {
            let why = why.clone();
            self.hang_up(core, ticket.connection, &why);
            return;
        }
        connection.fill(ticket.sequence, response);
        self.to_flush.push(ticket.connection);
        self.begin_frames(core, shard, ticket.connection);
    }

    /// Begins every whole frame that has been received, while there is credit.
    fn begin_frames(&mut self, core: &mut Core, shard: &mut Shard, slot: u32) {
        loop {
            let Some(connection) = &mut self.table[slot as usize] else { return };
            let frame = match connection.next_frame(core, shard.limits(), self.limits.frame_bytes) {
                Frame::Whole(frame) => frame,
                Frame::None => return,
                Frame::Starved => {
                    self.starved.push(slot);
                    return;
                }
                Frame::Unacceptable(length) => {
                    let most = self.limits.frame_bytes;
                    self.hang_up(core, slot, &format!("a frame of {length} bytes; socket.request.max.bytes is {most}"));
                    return;
                }
            };
            let ticket = Ticket {
                shard: core.id(),
                connection: slot,
                generation: connection.socket.generation,
                sequence: connection.next_sequence(),
            };
            let listener = connection.listener;
            match api::begin(&mut Cx { core, shard, local: &mut self.local, ticket, listener }, &frame) {
                Ok(Begun::Answer(Response::HangUp(why))) | Err(Hangup(why)) => {
                    self.hang_up(core, slot, &why);
                    return;
                }
                Ok(Begun::Answer(response)) => {
                    connection.answered(response);
                    self.to_flush.push(slot);
                }
                Ok(Begun::Wait(pending)) => connection.begun(pending),
            }
        }
    }

    // ---- end of the turn

    /// One send for every connection that has answers; closes those that are done.
    pub fn flush(&mut self, core: &mut Core, shard: &mut Shard) {
        for slot in std::mem::take(&mut self.starved) {
            self.begin_frames(core, shard, slot);
        }
        let mut to_flush = std::mem::take(&mut self.to_flush);
        for slot in to_flush.drain(..) {
            let Some(connection) = &mut self.table[slot as usize] else { continue };
            connection.flush(core);
            if connection.closing && connection.is_drained() {
                self.close(core, slot);
            }
        }
        self.to_flush = to_flush;
    }

    pub fn deadline(&self) -> Option<Instant> {
        (self.count > 0 && self.limits.idle.is_some()).then_some(self.next_idle_check)
    }

    /// Closes connections that have been idle for longer than `connections.max.idle.ms`.
    pub fn expire(&mut self, core: &mut Core, now: Instant) {
        let Some(idle) = self.limits.idle else { return };
        if now < self.next_idle_check {
            return;
        }
        self.next_idle_check = now + IDLE_CHECK;
        for slot in 0..self.table.len() {
            if self.table[slot].as_ref().is_some_and(|c| now.since(c.last_active) >= idle) {
                self.hang_up(core, index(slot), "idle for longer than connections.max.idle.ms");
            }
        }
        if !self.starved.is_empty() {
            warn!(connections = self.starved.len(), "requests wait for memory; millrace.buffer.bytes.per.core is used up");
        }
    }

    fn of(&mut self, socket: SocketId) -> Option<&mut Connection> {
        found(&mut self.table, socket)
    }
}

/// The connection of this very socket, not of one that has its slot now.
fn found(table: &mut [Option<Connection>], socket: SocketId) -> Option<&mut Connection> {
    table.get_mut(socket.slot as usize)?.as_mut().filter(|connection| connection.socket == socket)
}

fn index(slot: usize) -> u32 {
    u32::try_from(slot).expect("slots are counted by u32")
}

//! One simulated core's handle to the world: answers what must be answered at once, and notes down the rest for the
//! scheduler, which carries it out after the turn.

use super::fs::{File, FileOp, Fs};
use super::rng::Rng;
use super::volume::errno;
use crate::{Buf, BufMut, ChoreOutput, CoreId, Instant, ListenerId, Parcel, Piece, Pool, ReadHow, Result, SocketId, Timestamp, Token};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub type Work = Box<dyn FnOnce(&crate::Fs) -> ChoreOutput + Send>;

/// What a turn asked for, in order.
pub enum Ask {
    File { file: File, op: FileOp, token: Token },
    Chore { token: Token, work: Work },
    Unlisten(ListenerId),
    Connect { address: SocketAddr, token: Token },
    Receive { socket: SocketId, into: Option<BufMut> },
    Send { socket: SocketId, pieces: Vec<Piece> },
    Shutdown(SocketId),
    Close(SocketId),
    Tell { to: CoreId, parcel: Parcel },
}

/// Addresses and listeners of one machine, shared by its cores.
pub struct Ports {
    addresses: Vec<IpAddr>,
    listeners: BTreeMap<ListenerId, (CoreId, SocketAddr)>,
    next_listener: u32,
    next_port: u16,
}

pub type PortsRef = Arc<Mutex<Ports>>;

pub fn lock(ports: &PortsRef) -> MutexGuard<'_, Ports> {
    ports.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ports {
    pub fn new(addresses: Vec<IpAddr>) -> PortsRef {
        Arc::new(Mutex::new(Ports { addresses, listeners: BTreeMap::new(), next_listener: 0, next_port: 32_768 }))
    }
    /// Where connections of this machine come from.
    pub fn source(&mut self, to: IpAddr) -> SocketAddr {
        let from = if to.is_loopback() { to } else { self.addresses.first().copied().unwrap_or(to) };
        SocketAddr::new(from, self.port())
    }
    fn port(&mut self) -> u16 {
        self.next_port = if self.next_port == u16::MAX { 32_768 } else { self.next_port + 1 };
        self.next_port
    }
    fn listen(&mut self, core: CoreId, address: SocketAddr) -> Result<ListenerId> {
        let ip = address.ip();
        if !ip.is_unspecified() && !ip.is_loopback() && !self.addresses.contains(&ip) {
            return Err(errno(libc::EADDRNOTAVAIL));
        }
        let port = if address.port() == 0 { self.port() } else { address.port() };
        self.next_listener += 1;
        let id = ListenerId(self.next_listener);
        self.listeners.insert(id, (core, SocketAddr::new(ip, port)));
        Ok(id)
    }
    pub fn unlisten(&mut self, id: ListenerId) {
        self.listeners.remove(&id);
    }
    pub fn unlisten_all(&mut self, of: CoreId) {
        self.listeners.retain(|_, (core, _)| *core != of);
    }
    pub fn clear(&mut self) {
        self.listeners.clear();
    }
    /// Those who listen where a connection arrives.
    pub fn listening(&self, to: SocketAddr) -> Vec<(ListenerId, CoreId)> {
        let hears =
            |at: &SocketAddr| at.port() == to.port() && (at.ip() == to.ip() || (at.ip().is_unspecified() && at.is_ipv4() == to.is_ipv4()));
        self.listeners.iter().filter(|(_, (_, at))| hears(at)).map(|(id, (core, _))| (*id, *core)).collect()
    }
}

pub struct Core {
    id: CoreId,
    cores: u16,
    pub(super) now: Instant,
    pub(super) wall: Timestamp,
    rng: Rng,
    pool: Pool,
    fs: Fs,
    ports: PortsRef,
    pub(super) asks: Vec<Ask>,
    pub(super) stopped: bool,
}

impl Core {
    pub(super) fn new(id: CoreId, cores: u16, rng: Rng, pool: Pool, fs: Fs, ports: PortsRef) -> Core {
        let (now, wall) = (Instant(0), Timestamp(0));
        Core { id, cores, now, wall, rng, pool, fs, ports, asks: Vec::new(), stopped: false }
    }

    pub fn id(&self) -> CoreId {
        self.id
    }
    pub fn cores(&self) -> u16 {
        self.cores
    }
    pub fn now(&self) -> Instant {
        self.now
    }
    pub fn wall(&self) -> Timestamp {
        self.wall
    }
    pub fn random(&mut self) -> u64 {
        self.rng.draw()
    }
    pub fn stop(&mut self) {
        self.stopped = true;
    }
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
    pub fn fs(&self) -> crate::Fs {
        crate::Fs::Sim(self.fs.clone())
    }

    fn file(&mut self, file: &crate::File, op: FileOp, token: Token) {
        let crate::File::Sim(file) = file else { panic!("a file of the real world in the simulated one") };
        self.asks.push(Ask::File { file: file.clone(), op, token });
    }
    pub fn read(&mut self, file: &crate::File, position: u64, into: BufMut, how: ReadHow, token: Token) {
        let _ = how;
        self.file(file, FileOp::Read { position, into }, token);
    }
    pub fn write(&mut self, file: &crate::File, position: u64, bufs: Vec<Buf>, token: Token) {
        self.file(file, FileOp::Write { position, bufs }, token);
    }
    pub fn sync(&mut self, file: &crate::File, token: Token) {
        self.file(file, FileOp::Sync { snapshot: None }, token);
    }
    pub fn allocate(&mut self, file: &crate::File, position: u64, len: u64, token: Token) {
        self.file(file, FileOp::Allocate { position, len }, token);
    }
    pub fn resident(&mut self, file: &crate::File, position: u64, len: u64) -> bool {
        let crate::File::Sim(file) = file else { panic!("a file of the real world in the simulated one") };
        file.is_resident(position, len)
    }
    pub fn chore(&mut self, token: Token, work: Work) {
        self.asks.push(Ask::Chore { token, work });
    }

    pub fn listen(&mut self, address: SocketAddr) -> Result<ListenerId> {
        lock(&self.ports).listen(self.id, address)
    }
    pub fn listener_address(&self, listener: ListenerId) -> SocketAddr {
        lock(&self.ports).listeners[&listener].1
    }
    pub fn unlisten(&mut self, listener: ListenerId) {
        lock(&self.ports).unlisten(listener);
        self.asks.push(Ask::Unlisten(listener));
    }
    pub fn connect(&mut self, address: SocketAddr, token: Token) {
        self.asks.push(Ask::Connect { address, token });
    }
    pub fn recv(&mut self, socket: SocketId) {
        self.asks.push(Ask::Receive { socket, into: None });
    }
    pub fn recv_into(&mut self, socket: SocketId, into: BufMut) {
        assert!(into.spare() > 0, "a receive into a full buffer looks like the end of the stream");
        self.asks.push(Ask::Receive { socket, into: Some(into) });
    }
    pub fn send(&mut self, socket: SocketId, pieces: Vec<Piece>) {
        self.asks.push(Ask::Send { socket, pieces });
    }
    pub fn close(&mut self, socket: SocketId) {
        self.asks.push(Ask::Close(socket));
    }
    pub fn tell(&mut self, to: CoreId, parcel: Parcel) {
        assert!(to.0 < self.cores, "core {} of {}", to.0, self.cores);
        self.asks.push(Ask::Tell { to, parcel });
    }
}

/// Sends no more on a socket, but goes on receiving: what `shutdown(SHUT_WR)` does. Brokers never do that, clients of the
/// real world may, so simulated clients can.
pub fn shutdown(core: &mut crate::Core, socket: SocketId) {
    core.sim().asks.push(Ask::Shutdown(socket));
}

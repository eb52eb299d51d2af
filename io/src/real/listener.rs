//! Connections coming in and going out: [`Listeners`] and [`Connects`].
//!
//! One multishot accept per listener: armed once, completes per connection. When it fails for want of descriptors or
//! memory, the listener rests for [`REST`] and is armed again; connections wait in the kernel's queue meanwhile.

use super::address::{RawAddress, bound_socket, listening_socket, local_address, tcp_socket};
use super::ring::{Completion, Kind, Ring, Tag};
use super::slab::{Slab, index};
use crate::{Instant, ListenerId, Result, Token};
use io_uring::{opcode, squeue, types};
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Mutex;
use std::time::Duration;

/// How long a listener rests after a failure. Longer ones make clients wait, shorter ones burn CPU for nothing.
pub const REST: Duration = Duration::from_millis(100);
/// How long a process that was killed may keep its ports: the kernel ends its rings, and what they wait for, in the background.
/// A longer time makes a start on a port that is really taken slower to fail.
const AFTERLIFE: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_millis(5);
/// How long the peer may take to answer a connect (`socket.connection.setup.timeout.ms` of Kafka's clients).
const CONNECT_SECONDS: u64 = 10;

/// Addresses that cores of this process listen on, with how many do.
///
/// SO_REUSEPORT alone would let a second broker share the port of the first and silently take half of its connections: so
/// the first core of a process that wants an address must get it alone, for a moment. It does not listen then: a client that
/// is quick would be accepted by the kernel, and reset when the moment is over.
#[derive(Default)]
pub struct Addresses(Mutex<BTreeMap<SocketAddr, u32>>);

impl Addresses {
    fn listen(&self, address: SocketAddr) -> Result<(OwnedFd, SocketAddr)> {
        let mut taken = self.0.lock().expect("no panic while held");
        if address.port() != 0 && !taken.contains_key(&address) {
            have_alone(address)?;
        }
        let socket = listening_socket(address, true)?;
        let address = local_address(socket.as_raw_fd())?;
        *taken.entry(address).or_default() += 1;
        Ok((socket, address))
    }

    fn unlisten(&self, address: SocketAddr) {
        let mut taken = self.0.lock().expect("no panic while held");
        let count = taken.get_mut(&address).expect("listened before");
        *count -= 1;
        if *count == 0 {
            taken.remove(&address);
        }
    }
}

/// Fails if another process has the address, and keeps it.
fn have_alone(address: SocketAddr) -> Result<()> {
    let began = std::time::Instant::now();
    loop {
        match bound_socket(address, false) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::AddrInUse && began.elapsed() < AFTERLIFE => std::thread::sleep(RETRY),
            Err(error) => return Err(error),
        }
    }
}

struct Listener {
    address: SocketAddr,
    state: State,
}

enum State {
    Armed(OwnedFd),
    /// Failed; armed again at this time.
    Resting(OwnedFd, Instant),
    /// Not wanted any more, but the kernel still has it.
    Ending(#[allow(dead_code, reason = "closed with the last completion")] OwnedFd),
    Ended,
}

#[derive(Default)]
pub struct Listeners {
    all: Vec<Listener>,
    /// Failures since the last connection that was accepted; the first is logged.
    failures: u32,
}

impl Listeners {
    pub fn listen(&mut self, ring: &mut Ring, addresses: &Addresses, address: SocketAddr) -> Result<ListenerId> {
        let (socket, address) = addresses.listen(address)?;
        let id = u32::try_from(self.all.len()).expect("few listeners");
        arm(ring, &socket, id);
        self.all.push(Listener { address, state: State::Armed(socket) });
        Ok(ListenerId(id))
    }

    pub fn address(&self, id: ListenerId) -> SocketAddr {
        self.all[index(id.0)].address
    }

    pub fn unlisten(&mut self, ring: &mut Ring, addresses: &Addresses, id: ListenerId) {
        let listener = &mut self.all[index(id.0)];
        listener.state = match std::mem::replace(&mut listener.state, State::Ended) {
            State::Armed(socket) => {
                ring.cancel(Tag::new(Kind::Accept, id.0));
                State::Ending(socket)
            }
            State::Resting(..) => State::Ended,
            State::Ending(socket) => return listener.state = State::Ending(socket),
            State::Ended => return,
        };
        addresses.unlisten(listener.address);
    }

    pub fn unlisten_all(&mut self, ring: &mut Ring, addresses: &Addresses) {
        for id in 0..self.all.len() {
            self.unlisten(ring, addresses, ListenerId(u32::try_from(id).expect("few listeners")));
        }
    }

    /// The kernel still has one of them.
    pub fn pending(&self) -> usize {
        self.all.iter().filter(|listener| matches!(listener.state, State::Armed(_) | State::Ending(_))).count()
    }

    /// An accept has completed: the connection, if there is one that is still wanted.
    pub fn accepted(&mut self, ring: &mut Ring, now: Instant, completion: &Completion) -> Option<(ListenerId, OwnedFd)> {
        let id = completion.tag.slot;
        let listener = &mut self.all[index(id)];
        // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
        let socket = completion.result().map(|fd| unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).expect("a descriptor")) });
        let wanted = match std::mem::replace(&mut listener.state, State::Ended) {
            State::Armed(listening) if completion.more() => {
                listener.state = State::Armed(listening);
                true
            }
            State::Armed(listening) => {
                match &socket {
                    Err(error) if !is_about_the_connection(error) => {
                        if self.failures == 0 {
                            tracing::warn!(address = %listener.address, %error, "accepting connections fails; trying again every {REST:?}");
                        }
                        self.failures += 1;
                        listener.state = State::Resting(listening, now + REST);
                    }
                    // Ended for a reason of its own (the completion queue was full): go on.
                    _ => {
                        arm(ring, &listening, id);
                        listener.state = State::Armed(listening);
                    }
                }
                true
            }
            State::Ending(listening) => {
                if completion.more() {
                    listener.state = State::Ending(listening);
                }
                false
            }
            State::Resting(..) | State::Ended => unreachable!("an accept completes only while it is armed"),
        };
        let socket = socket.ok().filter(|_| wanted)?;
        self.failures = 0;
        Some((ListenerId(id), socket))
    }

    /// When [`Listeners::wake`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        self.all.iter().filter_map(|listener| if let State::Resting(_, until) = listener.state { Some(until) } else { None }).min()
    }

    /// Arms what has rested long enough.
    pub fn wake(&mut self, ring: &mut Ring, now: Instant) {
        for (id, listener) in (0u32..).zip(&mut self.all) {
            listener.state = match std::mem::replace(&mut listener.state, State::Ended) {
                State::Resting(socket, until) if until <= now => {
                    arm(ring, &socket, id);
                    State::Armed(socket)
                }
                other => other,
            };
        }
    }
}

fn arm(ring: &mut Ring, socket: &OwnedFd, id: u32) {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    ring.push(opcode::AcceptMulti::new(types::Fd(socket.as_raw_fd())).flags(flags).build(), Tag::new(Kind::Accept, id));
}

/// Errors of one connection rather than of the listener (accept(2) lists them).
fn is_about_the_connection(error: &Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::EINTR
                | libc::EAGAIN
                | libc::EPROTO
                | libc::ENETDOWN
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EHOSTUNREACH
                | libc::EOPNOTSUPP
                | libc::ENETUNREACH
        )
    )
}

/// Connections being made.
pub struct Connects(Slab<Box<Connecting>>);

/// Boxed: the kernel reads the address and the timeout when the entry is submitted.
struct Connecting {
    token: Token,
    socket: OwnedFd,
    address: RawAddress,
    timeout: types::Timespec,
}

impl Connects {
    pub fn new() -> Connects {
        Connects(Slab::new())
    }

    pub fn pending(&self) -> usize {
        self.0.len()
    }

    pub fn connect(&mut self, ring: &mut Ring, address: SocketAddr, token: Token) -> Result<()> {
        let socket = tcp_socket(address)?;
        let timeout = types::Timespec::new().sec(CONNECT_SECONDS);
        let slot = self.0.insert(Box::new(Connecting { token, socket, address: RawAddress::new(address), timeout }));
        let connecting = self.0.get_mut(slot);
        let (pointer, len) = connecting.address.parts();
        let connect = opcode::Connect::new(types::Fd(connecting.socket.as_raw_fd()), pointer, len).build();
        let limit = opcode::LinkTimeout::new(&raw const connecting.timeout).build();
        ring.push_linked([
            (connect.flags(squeue::Flags::IO_LINK), Tag::new(Kind::Connect, slot)),
            (limit.flags(squeue::Flags::SKIP_SUCCESS), Tag::IGNORED),
        ]);
        Ok(())
    }

    pub fn completed(&mut self, completion: &Completion) -> (Token, Result<OwnedFd>) {
        let Connecting { token, socket, .. } = *self.0.remove(completion.tag.slot);
        let result = match completion.result() {
            Ok(_) => Ok(socket),
            Err(error) if error.raw_os_error() == Some(libc::ECANCELED) => Err(Error::from_raw_os_error(libc::ETIMEDOUT)),
            Err(error) => Err(error),
        };
        (token, result)
    }
}

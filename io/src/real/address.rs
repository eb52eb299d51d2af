//! Socket addresses between Rust's form and the kernel's, and the sockets that need one.

use crate::Result;
use std::io::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// The kernel's form.
pub struct RawAddress {
    storage: libc::sockaddr_storage,
    len: libc::socklen_t,
}

fn len_of<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).expect("small")
}

fn family(number: libc::c_int) -> libc::sa_family_t {
    libc::sa_family_t::try_from(number).expect("small")
}

impl RawAddress {
    fn empty() -> RawAddress {
        // SAFETY: all zero is a valid address of no family.
        RawAddress { storage: unsafe { std::mem::zeroed() }, len: len_of::<libc::sockaddr_storage>() }
    }

    pub fn new(address: SocketAddr) -> RawAddress {
        let mut raw = RawAddress::empty();
        match address {
            SocketAddr::V4(address) => {
                // SAFETY: the storage is large enough and aligned for every family.
                let v4 = unsafe { &mut *(&raw mut raw.storage).cast::<libc::sockaddr_in>() };
                v4.sin_family = family(libc::AF_INET);
                v4.sin_port = address.port().to_be();
                v4.sin_addr.s_addr = u32::from_ne_bytes(address.ip().octets());
                raw.len = len_of::<libc::sockaddr_in>();
            }
            SocketAddr::V6(address) => {
                // SAFETY: as above.
                let v6 = unsafe { &mut *(&raw mut raw.storage).cast::<libc::sockaddr_in6>() };
                v6.sin6_family = family(libc::AF_INET6);
                v6.sin6_port = address.port().to_be();
                v6.sin6_addr.s6_addr = address.ip().octets();
                v6.sin6_flowinfo = address.flowinfo();
                v6.sin6_scope_id = address.scope_id();
                raw.len = len_of::<libc::sockaddr_in6>();
            }
        }
        raw
    }

    pub fn parts(&self) -> (*const libc::sockaddr, libc::socklen_t) {
        ((&raw const self.storage).cast(), self.len)
    }

    fn to_address(&self) -> Result<SocketAddr> {
        match i32::from(self.storage.ss_family) {
            libc::AF_INET => {
                // SAFETY: the kernel has filled in an address of this family.
                let v4 = unsafe { &*(&raw const self.storage).cast::<libc::sockaddr_in>() };
                let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
                Ok(SocketAddr::new(IpAddr::V4(ip), u16::from_be(v4.sin_port)))
            }
            libc::AF_INET6 => {
                // SAFETY: as above.
                let v6 = unsafe { &*(&raw const self.storage).cast::<libc::sockaddr_in6>() };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                Ok(SocketAddr::V6(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), v6.sin6_flowinfo, v6.sin6_scope_id)))
            }
            _ => Err(Error::from_raw_os_error(libc::EAFNOSUPPORT)),
        }
    }
}

/// A TCP socket that does not block and does not delay small messages.
pub fn tcp_socket(address: SocketAddr) -> Result<OwnedFd> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: creates a descriptor.
    let socket = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: just created, owned by nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    set_option(&socket, libc::IPPROTO_TCP, libc::TCP_NODELAY)?;
    set_option(&socket, libc::SOL_SOCKET, libc::SO_KEEPALIVE)?;
    Ok(socket)
}

/// A listening socket. What it is set to (no delay, keepalive) is inherited by the connections that it accepts.
pub fn listening_socket(address: SocketAddr, shared_port: bool) -> Result<OwnedFd> {
    let socket = bound_socket(address, shared_port)?;
    // The kernel cuts the length of the queue to its own limit (net.core.somaxconn).
    // SAFETY: the socket is open.
    check(unsafe { libc::listen(socket.as_raw_fd(), 4096) })?;
    Ok(socket)
}

/// A socket that has the address and does not listen: nobody can connect to it.
pub fn bound_socket(address: SocketAddr, shared_port: bool) -> Result<OwnedFd> {
    let socket = tcp_socket(address)?;
    set_option(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR)?;
    if shared_port {
        set_option(&socket, libc::SOL_SOCKET, libc::SO_REUSEPORT)?;
    }
    if address.is_ipv6() {
        set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY)?;
    }
    let raw = RawAddress::new(address);
    let (pointer, len) = raw.parts();
    // SAFETY: `raw` outlives the call.
    check(unsafe { libc::bind(socket.as_raw_fd(), pointer, len) })?;
    Ok(socket)
}

fn set_option(socket: &OwnedFd, level: libc::c_int, name: libc::c_int) -> Result<()> {
    let on: libc::c_int = 1;
    let len = len_of::<libc::c_int>();
    // SAFETY: `on` outlives the call and is as long as said.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const on).cast(), len) })
}

pub fn local_address(socket: RawFd) -> Result<SocketAddr> {
    let mut raw = RawAddress::empty();
    // SAFETY: the storage holds every address, and its length is given.
    check(unsafe { libc::getsockname(socket, (&raw mut raw.storage).cast(), &raw mut raw.len) })?;
    raw.to_address()
}

pub fn peer_address(socket: RawFd) -> Result<SocketAddr> {
    let mut raw = RawAddress::empty();
    // SAFETY: as in `local_address`.
    check(unsafe { libc::getpeername(socket, (&raw mut raw.storage).cast(), &raw mut raw.len) })?;
    raw.to_address()
}

fn check(result: libc::c_int) -> Result<()> {
    if result == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_way_through_the_kernel() {
        for text in ["127.0.0.1:0", "[::1]:0"] {
            let address: SocketAddr = text.parse().unwrap();
            let socket = listening_socket(address, true).unwrap();
            let local = local_address(socket.as_raw_fd()).unwrap();
            assert_eq!(local.ip(), address.ip());
            assert_ne!(local.port(), 0);
            assert_eq!(RawAddress::new(local).to_address().unwrap(), local);
        }
    }
}

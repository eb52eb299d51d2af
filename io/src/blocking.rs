//! The real world for programs that are not cores: command line tools and load generators. One thread waits for one thing.
//!
//! A [`Stream`] is a TCP connection on which every call has an end: reads and writes give up after the stream's timeout.
//! [`Stream::try_clone`] makes a second handle, so that one thread writes while another one reads.

use crate::{Error, Instant, Result, Timestamp};
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// A connection. Reads and writes are whole: all of the bytes, or an error.
#[derive(Debug)]
pub struct Stream {
    socket: TcpStream,
    timeout: Duration,
}

impl Stream {
    /// Connects to `host:port`, trying every address that the name has. `timeout`: for each of them, and later for each call.
    pub fn connect(address: &str, timeout: Duration) -> Result<Stream> {
        let mut last = Error::new(ErrorKind::NotFound, format!("{address} has no address"));
        for address in address.to_socket_addrs()? {
            match Stream::connect_to(address, timeout) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Like [`Stream::connect`] with an address. Small messages are not delayed.
    pub fn connect_to(address: SocketAddr, timeout: Duration) -> Result<Stream> {
        let socket = TcpStream::connect_timeout(&address, timeout)?;
        socket.set_nodelay(true)?;
        let stream = Stream { socket, timeout };
        stream.apply_timeout()?;
        Ok(stream)
    }

    /// For every read and write from now on, on this handle and its clones; zero means forever.
    pub fn set_timeout(&mut self, timeout: Duration) -> Result<()> {
        self.timeout = timeout;
        self.apply_timeout()
    }

    fn apply_timeout(&self) -> Result<()> {
        let timeout = (!self.timeout.is_zero()).then_some(self.timeout);
        self.socket.set_read_timeout(timeout)?;
        self.socket.set_write_timeout(timeout)
    }

    pub fn set_nodelay(&self, nodelay: bool) -> Result<()> {
        self.socket.set_nodelay(nodelay)
    }

    /// Fills `into`; [`ErrorKind::UnexpectedEof`] if the peer ends before, [`ErrorKind::TimedOut`] if it says nothing in time.
    pub fn read_exact(&mut self, into: &mut [u8]) -> Result<()> {
        self.socket.read_exact(into).map_err(timed_out)
    }

    /// Whatever is there, waiting for at least one byte; 0 when the peer sends no more.
    pub fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        loop {
            match self.socket.read(into) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => return other.map_err(timed_out),
            }
        }
    }

    pub fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        self.socket.write_all(bytes).map_err(timed_out)
    }

    /// Writes all of `parts`, in order, with as few calls as possible.
    pub fn write_all_vectored(&mut self, mut parts: &mut [IoSlice<'_>]) -> Result<()> {
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            match self.socket.write_vectored(parts) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut parts, written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(timed_out(error)),
            }
        }
        Ok(())
    }

    /// A second handle to the same connection.
    pub fn try_clone(&self) -> Result<Stream> {
        Ok(Stream { socket: self.socket.try_clone()?, timeout: self.timeout })
    }

    /// Says that nothing more will be written.
    pub fn finish(&self) -> Result<()> {
        self.socket.shutdown(Shutdown::Write)
    }

    /// Ends the connection for all handles; a thread that waits in a read gets the end of the stream.
    pub fn shutdown(&self) -> Result<()> {
        self.socket.shutdown(Shutdown::Both)
    }

    pub fn peer(&self) -> Result<SocketAddr> {
        self.socket.peer_addr()
    }
    pub fn local(&self) -> Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// The kernel says EAGAIN when a blocking socket's timeout has passed.
fn timed_out(error: Error) -> Error {
    if error.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { error }
}

/// Monotonic clock.
pub fn now() -> Instant {
    crate::real::now()
}

/// Wall clock.
pub fn wall() -> Timestamp {
    crate::real::wall()
}

pub fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// Sleeps until then; not at all if that has passed.
pub fn sleep_until(instant: Instant) {
    let left = instant.since(now());
    if !left.is_zero() {
        sleep(left);
    }
}

/// A thread of its own.
pub struct Thread<T>(std::thread::JoinHandle<T>);

pub fn spawn<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<Thread<T>> {
    std::thread::Builder::new().name(name.into()).spawn(work).map(Thread)
}

impl<T> Thread<T> {
    /// Waits for its end. A panic there goes on here.
    pub fn join(self) -> T {
        self.0.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

/// CPUs that this process may use, as container limits and affinity allow.
pub fn available_cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A random number from the operating system.
pub fn random() -> u64 {
    crate::real::random()
}

/// What this machine calls itself.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}

/// The whole of a small text file.
pub fn read_text(path: &std::path::Path) -> Result<String> {
    std::fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn pair() -> (Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = Stream::connect(&listener.local_addr().unwrap().to_string(), Duration::from_secs(5)).unwrap();
        (stream, listener.accept().unwrap().0)
    }

    #[test]
    fn one_thread_writes_while_another_reads() {
        let (mut stream, mut peer) = pair();
        let echo = spawn("echo", move || {
            let mut buffer = [0; 1000];
            loop {
                match peer.read(&mut buffer).unwrap() {
                    0 => return,
                    n => peer.write_all(&buffer[..n]).unwrap(),
                }
            }
        })
        .unwrap();
        let mut writer = stream.try_clone().unwrap();
        let sent: Vec<u8> = (0..1_000_000u32).map(|i| i.to_le_bytes()[0]).collect();
        let expected = sent.clone();
        let writing = spawn("writer", move || {
            let (a, b) = sent.split_at(300_001);
            writer.write_all_vectored(&mut [IoSlice::new(a), IoSlice::new(&[]), IoSlice::new(b)]).unwrap();
            writer.finish().unwrap();
        })
        .unwrap();
        let mut received = vec![0; expected.len()];
        stream.read_exact(&mut received).unwrap();
        assert!(received == expected);
        assert_eq!(stream.read_exact(&mut [0]).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        writing.join();
        echo.join();
    }

    #[test]
    fn a_silent_peer_ends_a_read_when_the_time_is_up() {
        let (mut stream, _peer) = pair();
        stream.set_timeout(Duration::from_millis(20)).unwrap();
        let began = now();
        assert_eq!(stream.read_exact(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(now().since(began) >= Duration::from_millis(19));
    }

    #[test]
    fn nobody_listening_is_an_error_at_once() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(Stream::connect_to(port, Duration::from_secs(5)).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
}

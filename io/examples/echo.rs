//! Echo on one core, and a client that measures it: what a request costs before anybody does something with it.
//!
//! ```sh
//! cargo build --release -p millrace-io --example echo
//! target/release/examples/echo serve 127.0.0.1:7000 0                     # a core on CPU 0
//! taskset -c 1 target/release/examples/echo load 127.0.0.1:7000 16 128 5  # 16 connections, 128 bytes, 5 seconds
//! ```
//!
//! A request is a 4-byte length and that many bytes; it comes back as it is. `load` has one request in flight per
//! connection, from a single thread that does not spin (the last argument, if given: so many in flight per connection).
//! The server prints its CPU time per request when it is interrupted.

use millrace_io::{Class, Core, Event, Instant, Piece, Program, SocketId, blocking, real};
use std::net::SocketAddr;
use std::time::Duration;

struct Echo {
    address: SocketAddr,
    listening: bool,
    requests: u64,
    turns: u64,
}

impl Program for Echo {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>) {
        if !self.listening {
            core.listen(self.address).expect("the address is free");
            self.listening = true;
        }
        self.turns += 1;
        for event in events.drain(..) {
            match event {
                Event::Accepted { socket, .. } => core.recv(socket),
                Event::Received { socket, result: Ok(Some(mut frame)) } => {
                    // Requests of one connection come whole or one after the other; the last may be cut.
                    let mut begin = 0;
                    let len = loop {
                        let Some(head) = frame.get(begin..begin + 4) else { break None };
                        let len = 4 + u32::from_be_bytes(head.try_into().expect("four bytes")) as usize;
                        if frame.len() < begin + len {
                            break Some(len);
                        }
                        begin += len;
                        self.requests += 1;
                    };
                    if begin < frame.len() {
                        // The rest of the last one is received in place.
                        if begin == 0 && frame.capacity() < len.unwrap_or(4) {
                            let mut larger = core.pool().take(len.unwrap_or(4)).expect("memory");
                            larger.extend(&frame);
                            frame = larger;
                        }
                        if begin == 0 {
                            frame.limit(len.unwrap_or(4));
                            core.recv_into(socket, frame);
                            continue;
                        }
                        let mut rest = core.pool().take(len.unwrap_or(4).max(4)).expect("memory");
                        rest.extend(&frame[begin..]);
                        let whole = frame.freeze();
                        core.send(socket, vec![Piece::Mem(whole.slice(0..begin))]);
                        rest.limit(len.unwrap_or(4));
                        core.recv_into(socket, rest);
                        continue;
                    }
                    core.send(socket, vec![Piece::Mem(frame.freeze())]);
                    core.recv(socket);
                }
                Event::Received { socket, .. } => core.close(socket),
                Event::Sent { socket, result: Err(_) } => core.close(socket),
                Event::Signal(_) => {
                    let cpu = cpu_time();
                    println!(
                        "{} requests in {} turns ({:.1} each), {:.2} µs of CPU per request",
                        self.requests,
                        self.turns,
                        self.requests as f64 / self.turns as f64,
                        cpu.as_secs_f64() * 1e6 / self.requests as f64
                    );
                    core.stop();
                }
                _ => {}
            }
        }
    }
    fn deadline(&self) -> Option<Instant> {
        None
    }
    fn has_work(&self, _: Class) -> bool {
        false
    }
}

fn cpu_time() -> Duration {
    // SAFETY: a zeroed value is valid and outlives the call.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let micros = |time: libc::timeval| Duration::from_micros((time.tv_sec * 1_000_000 + time.tv_usec).unsigned_abs());
    micros(usage.ru_utime) + micros(usage.ru_stime)
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| args.get(at).and_then(|arg| arg.parse::<u32>().ok());
    let address = args.get(1).and_then(|address| address.parse::<SocketAddr>().ok());
    match (args.first().map(String::as_str), address) {
        (Some("serve"), Some(address)) => {
            let cpus = number(2).map(|cpu| vec![cpu as usize]).unwrap_or_default();
            let spin = Duration::from_micros(number(3).unwrap_or(0).into());
            let options = real::Options { cpus, spin, ..real::Options::default() };
            real::run(&options, |_| Box::new(Echo { address, listening: false, requests: 0, turns: 0 })).expect("a ring");
        }
        (Some("load"), Some(address)) => {
            let connections = number(2).unwrap_or(16);
            let len = number(3).unwrap_or(128);
            let seconds = number(4).unwrap_or(5);
            let depth = number(5).unwrap_or(1);
            let until = blocking::now() + Duration::from_secs(seconds.into());
            let options = real::Options::default();
            real::run(&options, |_| Box::new(Load::new(address, connections, len, depth, until))).expect("a ring");
        }
        _ => eprintln!("echo serve ADDRESS [CPU [SPIN_MICROSECONDS]] | echo load ADDRESS CONNECTIONS BYTES SECONDS [DEPTH]"),
    }
}

/// Closed loop on a core of its own.
struct Load {
    address: SocketAddr,
    connections: u32,
    len: u32,
    depth: u32,
    until: Instant,
    started: Option<Instant>,
    /// By slot: bytes received of the answers in flight, and when those were asked for.
    flows: Vec<Flow>,
    micros: Vec<u32>,
}

#[derive(Clone, Default)]
struct Flow {
    received: usize,
    asked: std::collections::VecDeque<Instant>,
    to_send: u32,
    sending: bool,
}

impl Load {
    fn new(address: SocketAddr, connections: u32, len: u32, depth: u32, until: Instant) -> Load {
        Load { address, connections, len, depth, until, started: None, flows: Vec::new(), micros: Vec::new() }
    }

    fn ask(&mut self, core: &mut Core, socket: SocketId) {
        let flow = &mut self.flows[socket.slot as usize];
        if flow.sending || flow.to_send == 0 {
            return;
        }
        flow.sending = true;
        let mut pieces = Vec::new();
        for _ in 0..std::mem::take(&mut flow.to_send) {
            let mut frame = core.pool().take(4 + self.len as usize).expect("memory");
            frame.extend(&self.len.to_be_bytes());
            frame.resize(4 + self.len as usize);
            flow.asked.push_back(blocking::now());
            pieces.push(Piece::Mem(frame.freeze()));
        }
        core.send(socket, pieces);
    }
}

impl Program for Load {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>) {
        if self.started.replace(core.now()).is_none() {
            (0..self.connections).for_each(|n| core.connect(self.address, millrace_io::Token(n.into())));
        }
        for event in events.drain(..) {
            match event {
                Event::Connected { result, .. } => {
                    let socket = result.expect("a server");
                    let slot = socket.slot as usize;
                    if self.flows.len() <= slot {
                        self.flows.resize(slot + 1, Flow::default());
                    }
                    self.flows[slot].to_send = self.depth;
                    self.ask(core, socket);
                    core.recv(socket);
                }
                Event::Sent { socket, result } => {
                    result.expect("a server");
                    self.flows[socket.slot as usize].sending = false;
                    self.ask(core, socket);
                }
                Event::Received { socket, result } => {
                    let bytes = result.expect("a server").expect("a server");
                    let flow = &mut self.flows[socket.slot as usize];
                    flow.received += bytes.len();
                    while flow.received >= 4 + self.len as usize {
                        flow.received -= 4 + self.len as usize;
                        let asked = flow.asked.pop_front().expect("asked before");
                        self.micros.push(blocking::now().since(asked).as_micros() as u32);
                        flow.to_send += 1;
                    }
                    self.ask(core, socket);
                    core.recv(socket);
                }
                _ => {}
            }
        }
        if core.now() >= self.until {
            core.stop();
            self.micros.sort_unstable();
            let at = |share: f64| self.micros[((self.micros.len() - 1) as f64 * share) as usize];
            println!("{} answers; p50 {} µs, p99 {} µs, p99.9 {} µs, most {} µs", self.micros.len(), at(0.5), at(0.99), at(0.999), at(1.0));
        }
    }
    fn deadline(&self) -> Option<Instant> {
        Some(self.until)
    }
    fn has_work(&self, _: Class) -> bool {
        false
    }
}

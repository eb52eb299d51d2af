//! Sends a file to whoever connects, over and over: what a byte costs that leaves from the page cache.
//!
//! ```sh
//! cargo build --release -p millrace-io --example send_file
//! target/release/examples/send_file 127.0.0.1:7000 0 /tmp/file 1048576   # on CPU 0, in pieces of 1 MiB
//! taskset -c 1 sh -c 'exec 3<>/dev/tcp/127.0.0.1/7000; head -c 10G <&3 >/dev/null'
//! ```
//!
//! Prints its CPU time per GB when it is interrupted.

use millrace_io::{Class, Core, Event, File, Instant, OpenHow, Piece, Program, SocketId, real};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

struct Sender {
    address: SocketAddr,
    path: PathBuf,
    piece: u64,
    file: Option<(File, u64)>,
    positions: BTreeMap<SocketId, u64>,
    bytes: u64,
    turns: u64,
}

impl Sender {
    fn send(&mut self, core: &mut Core, socket: SocketId) {
        let (file, len) = self.file.as_ref().expect("opened in the first turn");
        let position = self.positions.entry(socket).or_insert(0);
        if *position + self.piece > *len {
            *position = 0;
        }
        core.send(socket, vec![Piece::File { file: file.clone(), position: *position, len: self.piece }]);
        *position += self.piece;
    }
}

impl Program for Sender {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>) {
        if self.file.is_none() {
            let file = core.fs().open(&self.path, OpenHow::READ).expect("a file");
            let len = file.len().expect("a length");
            assert!(len >= self.piece, "the file is shorter than a piece");
            self.file = Some((file, len));
            core.listen(self.address).expect("the address is free");
        }
        self.turns += 1;
        for event in events.drain(..) {
            match event {
                Event::Accepted { socket, .. } => self.send(core, socket),
                Event::Sent { socket, result: Ok(()) } => {
                    self.bytes += self.piece;
                    self.send(core, socket);
                }
                Event::Sent { socket, .. } => {
                    self.positions.remove(&socket);
                    core.close(socket);
                }
                Event::Signal(_) => {
                    let gigabytes = self.bytes as f64 / 1e9;
                    println!("{gigabytes:.2} GB in {} turns, {:.3} s of CPU per GB", self.turns, cpu_seconds() / gigabytes);
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

fn cpu_seconds() -> f64 {
    // SAFETY: a zeroed value is valid and outlives the call.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, cpu, path, piece] = &args[..] else {
        eprintln!("send_file ADDRESS CPU FILE PIECE_BYTES");
        return;
    };
    let address = address.parse().expect("an address");
    let piece = piece.parse().expect("a number of bytes");
    let options = real::Options { cpus: vec![cpu.parse().expect("a CPU")], ..real::Options::default() };
    let make = |_| -> Box<dyn Program> {
        Box::new(Sender { address, path: path.into(), piece, file: None, positions: BTreeMap::new(), bytes: 0, turns: 0 })
    };
    real::run(&options, make).expect("a ring");
}

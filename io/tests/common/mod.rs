//! Small programs out of closures, and cores to run them on.

#![allow(dead_code, reason = "each test file uses its part")]

use millrace_io::{Core, CoreId, Event, Instant, Program, real};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

/// One turn; returns the next deadline.
pub type Turn = Box<dyn FnMut(&mut Core, &mut Vec<Event>) -> Option<Instant> + Send>;

struct Closure {
    turn: Turn,
    deadline: Option<Instant>,
}

impl Program for Closure {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>) {
        self.deadline = (self.turn)(core, events);
    }
    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

pub fn options() -> real::Options {
    real::Options { signals: false, pool_bytes_per_core: 64 << 20, ..real::Options::default() }
}

/// Runs one closure per core until all have stopped.
pub fn run_all(options: &real::Options, turns: Vec<Turn>) {
    // A panic on a core ends the process before the test harness shows what it has captured: past the capture, then.
    std::panic::set_hook(Box::new(|panic| {
        let line = format!("\n{panic}\n");
        // SAFETY: `line` is readable for its length.
        unsafe { libc::write(2, line.as_ptr().cast(), line.len()) };
    }));
    let options = real::Options { cores: u16::try_from(turns.len()).unwrap(), ..options.clone() };
    let turns: Vec<_> = turns.into_iter().map(|turn| Mutex::new(Some(turn))).collect();
    real::run(&options, |id: CoreId| {
        let turn = turns[usize::from(id.0)].lock().unwrap().take().unwrap();
        Box::new(Closure { turn, deadline: None })
    })
    .unwrap();
}

pub fn run(turn: impl FnMut(&mut Core, &mut Vec<Event>) -> Option<Instant> + Send + 'static) {
    run_all(&options(), vec![Box::new(turn)]);
}

/// A core in the background that listens. Dropping it ends the core and waits for it.
pub struct Server {
    pub address: SocketAddr,
    /// A connection to here ends it.
    control: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

/// Runs `turn` on a core of its own, which listens already.
pub fn serve(options: real::Options, mut turn: impl FnMut(&mut Core, &mut Vec<Event>) -> Option<Instant> + Send + 'static) -> Server {
    let (sender, receiver) = channel();
    let mut control = None;
    let wrapped = move |core: &mut Core, events: &mut Vec<Event>| {
        let control = *control.get_or_insert_with(|| {
            let [serving, control] = [(); 2].map(|()| core.listen("127.0.0.1:0".parse().unwrap()).unwrap());
            sender.send((core.listener_address(serving), core.listener_address(control))).unwrap();
            control
        });
        events.retain(|event| match event {
            Event::Accepted { listener, .. } if *listener == control => {
                core.stop();
                false
            }
            _ => true,
        });
        turn(core, events)
    };
    let thread = std::thread::spawn(move || run_all(&options, vec![Box::new(wrapped)]));
    let (address, control) = receiver.recv_timeout(Duration::from_secs(20)).expect("the core starts");
    Server { address, control, thread: Some(thread) }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _connection = std::net::TcpStream::connect(self.control).unwrap();
        self.thread.take().unwrap().join().unwrap();
    }
}

/// A directory that vanishes with the test.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new(name: &str) -> TempDir {
        let path = std::env::temp_dir().join(format!("millrace-io-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        TempDir(path)
    }
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Bytes that differ everywhere, so that shifts and gaps show.
pub fn pattern(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2) + 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        bytes.extend_from_slice(&(state >> 16).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

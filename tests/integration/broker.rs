//! A `millrace` process and its data, and how to wait for what it does.

use millrace_io::blocking;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub const MILLRACE: &str = env!("CARGO_BIN_EXE_millrace");
/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Looks until `look` finds it.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        blocking::sleep(Duration::from_millis(2));
    }
}

/// A directory of its own, gone when it is dropped.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new() -> Directory {
        let path = std::env::temp_dir().join(format!("millrace-{}-{:016x}", std::process::id(), blocking::random()));
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }
    pub fn path(&self) -> &Path {
        &self.0
    }
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A port that nobody listens on, and that the kernel gives to no outgoing connection: it must be free at the next start too.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let _ = NEXT.compare_exchange(0, 1 + (blocking::random() % 20_000) as u32, Ordering::Relaxed, Ordering::Relaxed);
    loop {
        let port = 10_000 + (NEXT.fetch_add(1, Ordering::Relaxed) % 20_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub struct Broker {
    child: Child,
    pub address: String,
    log: Arc<Mutex<Vec<String>>>,
    ended: bool,
}

/// `millrace server` on `data`, two cores unless `sets` says otherwise.
pub fn command(data: &Path, port: u16, sets: &[&str]) -> Command {
    let mut command = Command::new(MILLRACE);
    command.arg("server").arg("--set").arg(format!("log.dirs={}", data.display()));
    command.arg("--set").arg(format!("listeners=PLAINTEXT://127.0.0.1:{port}")).arg("--set").arg("millrace.cores=2");
    for set in sets {
        command.arg("--set").arg(set);
    }
    command.stdin(Stdio::null());
    command
}

impl Broker {
    pub fn start(data: &Path, sets: &[&str]) -> Broker {
        Broker::start_on(data, free_port(), sets)
    }

    /// Waits until it listens.
    pub fn start_on(data: &Path, port: u16, sets: &[&str]) -> Broker {
        Broker::spawn(command(data, port, sets), port)
    }

    pub fn spawn(mut command: Command, port: u16) -> Broker {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = log.clone();
        blocking::spawn("stderr", move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        })
        .unwrap();
        let mut broker = Broker { child, address: format!("127.0.0.1:{port}"), log, ended: false };
        // Its own words, not a connection: the kernel may take those for a broker that has just been killed on the same port.
        wait_for("the broker to listen", || {
            broker.assert_runs();
            (broker.logged("listening on") > 0).then_some(())
        });
        broker
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
    pub fn logged(&self, part: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|line| line.contains(part)).count()
    }

    #[track_caller]
    pub fn assert_runs(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            self.ended = true;
            panic!("the broker has ended: {status}\n{}", self.log().join("\n"));
        }
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.ended = true;
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(&mut self) -> ExitStatus {
        self.stop_by("TERM")
    }
    pub fn stop_by(&mut self, name: &str) -> ExitStatus {
        signal(self.id(), name);
        let status = wait_for("the broker to stop", || self.child.try_wait().unwrap());
        self.ended = true;
        status
    }

    /// Memory that is in RAM now.
    pub fn resident_bytes(&self) -> u64 {
        self.status("VmRSS:")
    }
    /// The most that it ever was.
    pub fn resident_bytes_peak(&self) -> u64 {
        self.status("VmHWM:")
    }
    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of /proc/…/status");
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// `millrace ARGS` against this broker.
    pub fn tool(&self, args: &[&str]) -> Output {
        Command::new(MILLRACE).args(args).args(["--broker", &self.address]).stdin(Stdio::null()).output().unwrap()
    }

    /// The same with something on stdin.
    pub fn tool_with(&self, args: &[&str], input: &[u8]) -> Output {
        let mut command = Command::new(MILLRACE);
        command.args(args).args(["--broker", &self.address]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            // A tool that ends early does not read all of it; its output says why.
            scope.spawn(move || stdin.write_all(input));
            child.wait_with_output().unwrap()
        })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- the broker on {} said:\n{}", self.address, self.log().join("\n"));
        }
    }
}

/// A start that must fail: its exit status, and what it said.
pub fn fails(mut command: Command) -> (i32, String) {
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    // One that runs after all must not run for ever.
    let watch = blocking::spawn("watch", move || child.wait_with_output().unwrap()).unwrap();
    let end = Instant::now() + PATIENCE;
    while !watch.is_finished() {
        if Instant::now() > end {
            signal(id, "KILL");
            panic!("it starts, and should not");
        }
        blocking::sleep(Duration::from_millis(2));
    }
    let output = watch.join();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}

pub fn signal(process: u32, name: &str) {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {process}")]).status().unwrap();
    assert!(status.success(), "kill -{name} {process}");
}

pub fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.trim_ascii() == b"0"
}

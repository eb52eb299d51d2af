//! The same programs in the real world and in the simulated one: both keep the contract, in the same words.
//!
//! A check is a function from a core and its events to whether it is done. It runs on real cores first, then in simulated
//! worlds of several seeds. What it records is compared, so that a difference shows even where both look right.

use millrace_io::sim::{self, Faults, Spec, World};
use millrace_io::{
    Class, Core, CoreId, Done, Event, File, Fs, Instant, ListenerId, OpenHow, Piece, Program, ReadHow, Signal, SocketId, Token, real,
};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a check says about what it saw; the same in every world.
type Log = Arc<Mutex<Vec<String>>>;

trait Check: Send {
    /// One turn; true when it is done. `dir` is an empty directory.
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>, dir: &Path, say: &mut dyn FnMut(String)) -> bool;
    fn deadline(&self) -> Option<Instant> {
        None
    }
    fn step(&mut self, _core: &mut Core, _class: Class) -> bool {
        false
    }
}

struct Checking {
    check: Box<dyn Check>,
    dir: PathBuf,
    log: Log,
    done: bool,
}

impl Program for Checking {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>) {
        let id = core.id().0;
        let log = self.log.clone();
        let mut say = |line: String| log.lock().unwrap().push(format!("{id}: {line}"));
        if !self.done && self.check.turn(core, events, &self.dir, &mut say) {
            self.done = true;
            core.stop();
        }
        events.clear();
    }
    fn deadline(&self) -> Option<Instant> {
        if self.done { None } else { self.check.deadline() }
    }
    fn step(&mut self, core: &mut Core, class: Class) -> bool {
        self.check.step(core, class)
    }
}

/// Runs a check per core in every world, and compares what they said. Lines of different cores may mix: they are sorted.
fn in_both_worlds(name: &str, cores: u16, make: impl Fn(CoreId) -> Box<dyn Check> + Send + Sync + Clone + 'static) -> Vec<String> {
    let sorted = |log: &Log| {
        let mut lines = std::mem::take(&mut *log.lock().unwrap());
        lines.sort();
        lines
    };
    let dir = std::env::temp_dir().join(format!("millrace-both-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let log = Log::default();
    let options = real::Options { cores, signals: false, pool_bytes_per_core: 16 << 20, ..real::Options::default() };
    let (logged, real_dir, make_real) = (log.clone(), dir.clone(), make.clone());
    real::run(&options, move |id| Box::new(Checking { check: make_real(id), dir: real_dir.clone(), log: logged.clone(), done: false }))
        .unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    let seen = sorted(&log);
    assert!(!seen.is_empty(), "a check says something");

    for seed in 0..30 {
        let mut world = World::new(seed, Faults::NONE);
        let log = Log::default();
        let (logged, make) = (log.clone(), make.clone());
        let spec = Spec::new("m", cores, [10, 0, 0, 1].into()).pool_bytes(16 << 20);
        let machine = world.machine(
            spec,
            Box::new(move |birth| {
                Box::new(Checking { check: make(birth.core), dir: PathBuf::from("/dir"), log: logged.clone(), done: false })
            }),
        );
        world.fs(machine).create_dir_all(Path::new("/dir")).unwrap();
        world.start(machine);
        assert!(world.run_until(Duration::from_secs(60), |w| !w.is_up(machine)), "{name} ends in the simulated world, seed {seed}");
        assert_eq!(world.deaths(machine)[0].cause, sim::Cause::Stopped);
        assert_eq!(sorted(&log), seen, "{name}: the simulated world, seed {seed}, and the real one");
    }
    seen
}

fn filled(core: &mut Core, len: usize, byte: u8) -> millrace_io::Buf {
    let mut buf = core.pool().take(len).unwrap();
    buf.extend(&vec![byte; len]);
    buf.freeze()
}

fn os_error(error: &millrace_io::Error) -> String {
    format!("{:?}", error.raw_os_error())
}

/// Writes, reads, syncs, allocates, one after the other.
#[derive(Default)]
struct Files {
    file: Option<File>,
    next: usize,
}

impl Check for Files {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>, dir: &Path, say: &mut dyn FnMut(String)) -> bool {
        for event in events.drain(..) {
            let Event::File { token, result } = event else { panic!("{event:?}") };
            assert_eq!(token, Token(self.next as u64));
            say(format!("{:02} ", self.next)
                + &match result {
                    Ok(Done::Read(bytes)) => {
                        format!("read {} {:?}…{:?}", bytes.len(), bytes.iter().take(5).collect::<Vec<_>>(), bytes.last())
                    }
                    Ok(done) => format!("{done:?}"),
                    Err(error) => os_error(&error),
                });
            self.next += 1;
        }
        let file = self.file.get_or_insert_with(|| core.fs().open(&dir.join("file"), OpenHow::CREATE).unwrap()).clone();
        let token = Token(self.next as u64);
        match self.next {
            0 => {
                let bufs = vec![filled(core, 3000, 1), filled(core, 1, 2), filled(core, 9000, 3)];
                core.write(&file, 10, bufs, token);
            }
            1 => core.sync(&file, token),
            2 => {
                let mut into = core.pool().take(4096).unwrap();
                into.extend(b"kept");
                core.read(&file, 3008, into, ReadHow::Cached, token);
            }
            3 => {
                let into = core.pool().take(16_384).unwrap();
                core.read(&file, 0, into, ReadHow::Uncached, token);
            }
            4 => {
                // At the end, nothing.
                let into = core.pool().take(4096).unwrap();
                core.read(&file, 12_011, into, ReadHow::Cached, token);
            }
            5 => core.allocate(&file, 0, 100_000, token),
            6 => {
                say(format!("len {} after the allocation", file.len().unwrap()));
                let bufs = vec![filled(core, 10, 9)];
                core.write(&file, 20_000, bufs, token);
            }
            7 => {
                let into = core.pool().take(32_768).unwrap();
                core.read(&file, 12_000, into, ReadHow::Cached, token);
            }
            8 => {
                let read_only = core.fs().open(&dir.join("file"), OpenHow::READ).unwrap();
                let bufs = vec![filled(core, 10, 9)];
                core.write(&read_only, 0, bufs, token);
            }
            9 => core.write(&file, 5, Vec::new(), token),
            10 => {
                let direct = core.fs().open(&dir.join("file"), OpenHow { direct: true, ..OpenHow::WRITE });
                // Some file systems have no O_DIRECT: then there is nothing to compare.
                match direct {
                    Ok(direct) => {
                        let bufs = vec![filled(core, 4096, 8), filled(core, 8192, 7)];
                        core.write(&direct, 4096, bufs, token);
                    }
                    Err(_) => {
                        let bufs = vec![filled(core, 4096, 8), filled(core, 8192, 7)];
                        core.write(&file, 4096, bufs, token);
                    }
                }
            }
            11 => {
                let into = core.pool().take(16_384).unwrap();
                core.read(&file, 4095, into, ReadHow::Cached, token);
            }
            _ => {
                file.truncate(100).unwrap();
                say(format!("len {} after all", file.len().unwrap()));
                return true;
            }
        }
        false
    }
}

#[test]
fn files_are_written_read_synced_and_allocated_alike() {
    let seen = in_both_worlds("files", 1, |_| Box::new(Files::default()));
    assert!(seen.len() == 14 && seen[0] == "0: 00 Written", "{seen:#?}");
}

/// Names and blocking operations, in one turn.
struct Names;

impl Names {
    fn all(fs: &Fs, dir: &Path, say: &mut dyn FnMut(String)) -> millrace_io::Result<()> {
        let at = |name: &str| dir.join(name);
        let mut code = |what: &str, result: millrace_io::Result<()>| match result {
            Ok(()) => say(format!("{what}: fine")),
            Err(error) => say(format!("{what}: {}", os_error(&error))),
        };
        fs.create_dir_all(&at("a/b/c"))?;
        code("the same again", fs.create_dir_all(&at("a/b/c")));
        code("open what is missing", fs.open(&at("none"), OpenHow::WRITE).map(drop));
        code("create where nothing is", fs.open(&at("none/x"), OpenHow::CREATE).map(drop));
        code("create below a file", fs.write_atomic(&at("a/file"), b"old").and_then(|()| fs.create_dir_all(&at("a/file/x"))));
        fs.write_atomic(&at("a/file"), b"new content")?;
        code("rename over a file", fs.write_atomic(&at("a/other"), b"other").and_then(|()| fs.rename(&at("a/other"), &at("a/file"))));
        code("rename what is missing", fs.rename(&at("a/other"), &at("a/file")));
        code("rename a file over a directory", fs.rename(&at("a/file"), &at("a/b")));
        code("rename a directory over a file", fs.rename(&at("a/b"), &at("a/file")));
        code("rename a directory into itself", fs.rename(&at("a"), &at("a/b/c/d")));
        code("rename over a full directory", fs.create_dir_all(&at("d")).and_then(|()| fs.rename(&at("d"), &at("a"))));
        code("rename over an empty directory", fs.rename(&at("a/b/c"), &at("d")));
        code("remove what is missing", fs.remove_file(&at("none")));
        code("remove a directory as a file", fs.remove_file(&at("d")));
        code("sync", fs.sync_dir(&at("a")));
        code("sync what is missing", fs.sync_dir(&at("none")));
        code("list what is missing", fs.list(&at("none")).map(drop));
        code("list a file", fs.list(&at("a/file")).map(drop));
        code("read what is missing", fs.read(&at("none")).map(drop));
        say(format!("{:?}", String::from_utf8(fs.read(&at("a/file"))?)));
        for name in ["a", "a/b", "d", "."] {
            let entries = fs.list(&at(name))?;
            say(format!("{name}: {:?}", entries.iter().map(|e| (&e.name[..], e.is_dir, e.len)).collect::<Vec<_>>()));
        }
        say(format!("{:?}", ["a", "a/file", "a/b/c", "none", "a/file/x"].map(|name| fs.exists(&at(name)))));

        let file = fs.open(&at("bytes"), OpenHow::CREATE)?;
        file.write_at(5, b"hello")?;
        let mut bytes = [9; 20];
        say(format!("{} {:?}", file.read_at(2, &mut bytes)?, bytes));
        file.truncate(7)?;
        file.truncate(12)?;
        file.allocate(0, 50_000)?;
        say(format!("{} {:?}", file.len()?, fs.read(&at("bytes"))?));
        file.trim()?;
        file.sync()?;
        fs.remove_file(&at("bytes"))?;
        say(format!("{} behind its back", file.len()?));
        let space = fs.space(dir)?;
        assert!(0 < space.usable_bytes && space.usable_bytes <= space.total_bytes);

        let lock = fs.lock(&at("lock"))?.expect("free");
        say(format!("locked: {}", fs.lock(&at("lock"))?.is_none()));
        drop(lock);
        say(format!("free: {}", fs.lock(&at("lock"))?.is_some()));
        fs.remove_dir_all(&at("a"))?;
        let left = fs.list(dir)?;
        say(format!("{:?}", left.iter().map(|e| &e.name[..]).collect::<Vec<_>>()));
        Ok(())
    }
}

impl Check for Names {
    fn turn(&mut self, core: &mut Core, _: &mut Vec<Event>, dir: &Path, say: &mut dyn FnMut(String)) -> bool {
        let mut number = 0;
        let mut say = |line: String| {
            number += 1;
            say(format!("{number:02} {line}"));
        };
        Names::all(&core.fs(), dir, &mut say).unwrap();
        true
    }
}

#[test]
fn names_and_blocking_operations_answer_alike() {
    let seen = in_both_worlds("names", 1, |_| Box::new(Names));
    assert_eq!(seen.len(), 30, "{seen:#?}");
}

/// A core that echoes and one that asks, in several sizes; then the asker closes.
#[derive(Default)]
struct Echo {
    listener: Option<ListenerId>,
    asking: Option<SocketId>,
    round: usize,
    got: usize,
    sent: bool,
}

const ROUNDS: [usize; 6] = [1, 100, 4096, 5000, 70_000, 300_000];

impl Echo {
    fn ask(&mut self, core: &mut Core, socket: SocketId) {
        let len = ROUNDS[self.round];
        let byte = u8::try_from(self.round).unwrap();
        let pieces = [len / 2, len - len / 2].map(|part| Piece::Mem(filled(core, part, byte)));
        (self.got, self.sent) = (0, false);
        core.send(socket, pieces.into());
        core.recv(socket);
    }

    /// The last answer may be there before the word that the question is gone. True when all rounds are over.
    fn next(&mut self, core: &mut Core, socket: SocketId, say: &mut dyn FnMut(String)) -> bool {
        if self.got < ROUNDS[self.round] || !self.sent {
            return false;
        }
        say(format!("round {} is back", self.round));
        self.round += 1;
        if self.round == ROUNDS.len() {
            core.close(socket);
            return true;
        }
        self.ask(core, socket);
        false
    }
}

impl Check for Echo {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>, _: &Path, say: &mut dyn FnMut(String)) -> bool {
        if core.id() == CoreId(0) && self.listener.is_none() {
            let listener = core.listen("127.0.0.1:0".parse().unwrap()).unwrap();
            self.listener = Some(listener);
            let address = core.listener_address(listener);
            assert!(address.port() > 0 && address.ip().is_loopback());
            core.tell(CoreId(1), Box::new(address));
        }
        for event in events.drain(..) {
            match event {
                Event::Mesh { from, parcel } => {
                    say(format!("told by {}", from.0));
                    core.connect(*parcel.downcast().unwrap(), Token(5));
                }
                Event::Accepted { listener, socket, peer } => {
                    assert_eq!(Some(listener), self.listener);
                    say(format!("accepted from {}", peer.ip()));
                    core.recv(socket);
                }
                Event::Connected { token, result } => {
                    say(format!("connected {token:?}"));
                    let socket = result.unwrap();
                    self.asking = Some(socket);
                    self.ask(core, socket);
                }
                Event::Received { socket, result: Ok(Some(bytes)) } if self.asking == Some(socket) => {
                    assert!(bytes.iter().all(|byte| usize::from(*byte) == self.round));
                    self.got += bytes.len();
                    if self.got < ROUNDS[self.round] {
                        // The rest of a frame, received in place.
                        let mut into = core.pool().take(65_536).unwrap();
                        into.limit((ROUNDS[self.round] - self.got).min(65_536));
                        core.recv_into(socket, into);
                        continue;
                    }
                    assert_eq!(self.got, ROUNDS[self.round]);
                    if self.next(core, socket, say) {
                        return true;
                    }
                }
                Event::Received { socket, result: Ok(Some(bytes)) } => core.send(socket, vec![Piece::Mem(bytes.freeze())]),
                Event::Received { socket, result: Ok(None) } => {
                    say("the end of the stream".into());
                    core.close(socket);
                    return true;
                }
                Event::Sent { socket, result } => {
                    result.unwrap();
                    if self.asking != Some(socket) {
                        core.recv(socket);
                        continue;
                    }
                    self.sent = true;
                    if self.next(core, socket, say) {
                        return true;
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        false
    }
}

#[test]
fn bytes_go_there_and_back_alike() {
    let seen = in_both_worlds("echo", 2, |_| Box::new(Echo::default()));
    assert_eq!(seen.len(), 4 + ROUNDS.len(), "{seen:#?}");
}

/// Sends a file between pieces of memory.
#[derive(Default)]
struct SendFile {
    started: bool,
    sender: Option<SocketId>,
    got: Vec<u8>,
}

impl Check for SendFile {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>, dir: &Path, say: &mut dyn FnMut(String)) -> bool {
        if !std::mem::replace(&mut self.started, true) {
            let listener = core.listen("127.0.0.1:0".parse().unwrap()).unwrap();
            let address = core.listener_address(listener);
            core.connect(address, Token(1));
        }
        for event in events.drain(..) {
            match event {
                Event::Connected { result, .. } => {
                    let socket = result.unwrap();
                    self.sender = Some(socket);
                    let file = core.fs().open(&dir.join("sent"), OpenHow::CREATE).unwrap();
                    file.write_at(0, &[7; 100_000]).unwrap();
                    assert!(core.resident(&file, 0, 100_000), "just written");
                    let pieces = vec![
                        Piece::Mem(filled(core, 10, 1)),
                        Piece::File { file: file.clone(), position: 10, len: 90_000 },
                        Piece::Mem(filled(core, 10, 2)),
                        Piece::File { file, position: 0, len: 0 },
                    ];
                    core.send(socket, pieces);
                }
                Event::Accepted { socket, .. } => core.recv(socket),
                Event::Sent { socket, result } => {
                    assert_eq!(self.sender, Some(socket));
                    result.unwrap();
                    core.close(socket);
                }
                Event::Received { socket, result } => match result.unwrap() {
                    Some(bytes) => {
                        self.got.extend(&bytes[..]);
                        core.recv(socket);
                    }
                    None => {
                        let expected = [&[1; 10][..], &[7; 90_000], &[2; 10]].concat();
                        say(format!("{} bytes, as sent: {}", self.got.len(), self.got == expected));
                        core.close(socket);
                        return true;
                    }
                },
                other => panic!("{other:?}"),
            }
        }
        false
    }
}

#[test]
fn files_leave_on_sockets_alike() {
    assert_eq!(in_both_worlds("sendfile", 1, |_| Box::new(SendFile::default())), ["0: 90020 bytes, as sent: true"]);
}

/// Connects to where nobody listens, and to a listener that is gone.
#[derive(Default)]
struct Refused {
    started: bool,
}

impl Check for Refused {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>, _: &Path, say: &mut dyn FnMut(String)) -> bool {
        if !std::mem::replace(&mut self.started, true) {
            let listener = core.listen("127.0.0.1:0".parse().unwrap()).unwrap();
            let address = core.listener_address(listener);
            core.unlisten(listener);
            // The kernel closes it when the ring gets to it.
            core.chore(Token(3), Box::new(move |_| Box::new(address)));
            let foreign = core.listen("192.0.2.1:9".parse().unwrap());
            say(format!("0 listening elsewhere: {}", os_error(&foreign.unwrap_err())));
        }
        for event in events.drain(..) {
            match event {
                Event::Chore { output, .. } => core.connect(*output.downcast().unwrap(), Token(4)),
                Event::Connected { token, result } => {
                    say(format!("1 {token:?}: {}", os_error(&result.unwrap_err())));
                    return true;
                }
                other => panic!("{other:?}"),
            }
        }
        false
    }
}

#[test]
fn connections_are_refused_alike() {
    let seen = in_both_worlds("refused", 1, |_| Box::new(Refused::default()));
    assert_eq!(seen.len(), 2, "{seen:?}");
}

/// Two cores count each other up; parcels to oneself arrive too.
#[derive(Default)]
struct PingPong {
    started: bool,
    myself: bool,
    count: u32,
}

impl Check for PingPong {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>, _: &Path, say: &mut dyn FnMut(String)) -> bool {
        assert_eq!(core.cores(), 2);
        let (me, other) = (core.id(), CoreId(1 - core.id().0));
        if !std::mem::replace(&mut self.started, true) {
            core.tell(me, Box::new("myself".to_owned()));
            if me == CoreId(0) {
                core.tell(other, Box::new(0_u32));
            }
        }
        for event in events.drain(..) {
            let Event::Mesh { from, parcel } = event else { panic!("{event:?}") };
            match parcel.downcast::<u32>() {
                Ok(number) => {
                    assert_eq!(from, other);
                    self.count += 1;
                    say(format!("ball {number:03}"));
                    if *number < 100 {
                        core.tell(other, Box::new(*number + 1));
                    }
                }
                Err(parcel) => {
                    self.myself = true;
                    say(format!("{} from {}", parcel.downcast::<String>().unwrap(), from.0));
                }
            }
        }
        self.myself && self.count == if me == CoreId(0) { 50 } else { 51 }
    }
}

#[test]
fn cores_tell_each_other_alike() {
    let seen = in_both_worlds("mesh", 2, |_| Box::new(PingPong::default()));
    assert_eq!(seen.len(), 103);
}

/// Chores in order, with their outputs, from a core that goes on meanwhile; then time.
#[derive(Default)]
struct ChoresAndTimers {
    started: bool,
    chores: u32,
    due: Option<Instant>,
    timers: u32,
    steps: u32,
    last_wall: i64,
}

impl Check for ChoresAndTimers {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>, dir: &Path, say: &mut dyn FnMut(String)) -> bool {
        if !std::mem::replace(&mut self.started, true) {
            for number in 0..5_u8 {
                let path = dir.join("counted");
                let work = move |fs: &Fs| -> Box<dyn std::any::Any + Send> {
                    let mut bytes = fs.read(&path).unwrap_or_default();
                    bytes.push(number);
                    fs.write_atomic(&path, &bytes).unwrap();
                    Box::new(bytes)
                };
                core.chore(Token(u64::from(number)), Box::new(work));
            }
        }
        for event in events.drain(..) {
            let Event::Chore { token, output } = event else { panic!("{event:?}") };
            say(format!("{} {:?}", token.0, output.downcast::<Vec<u8>>().unwrap()));
            self.chores += 1;
            if self.chores == 5 {
                self.due = Some(core.now() + Duration::from_millis(2));
                self.last_wall = core.wall().0;
            }
        }
        if let Some(due) = self.due.filter(|due| core.now() >= *due) {
            assert!(core.now() >= due);
            self.timers += 1;
            say(format!("timer {}", self.timers));
            assert!((core.wall().0 - self.last_wall).abs() < 10_000);
            self.due = Some(core.now() + Duration::from_millis(2));
        }
        assert_ne!(core.random(), core.random());
        if self.timers == 5 {
            assert!(self.steps > 0, "a core that is idle steps");
        }
        self.timers == 5
    }
    fn deadline(&self) -> Option<Instant> {
        self.due
    }
    fn step(&mut self, _: &mut Core, class: Class) -> bool {
        assert_ne!(class, Class::Requests);
        self.steps += 1;
        false
    }
}

#[test]
fn chores_timers_and_steps_work_alike() {
    let seen = in_both_worlds("chores", 1, |_| Box::new(ChoresAndTimers::default()));
    assert_eq!(seen.len(), 10, "{seen:#?}");
}

/// After a close, nothing names the socket; what was asked of it is void; an id of the past names nothing.
#[derive(Default)]
struct Closing {
    started: bool,
    closed: Vec<SocketId>,
    due: Option<Instant>,
}

impl Check for Closing {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>, _: &Path, say: &mut dyn FnMut(String)) -> bool {
        if !std::mem::replace(&mut self.started, true) {
            let listener = core.listen("127.0.0.1:0".parse().unwrap()).unwrap();
            let address = core.listener_address(listener);
            (0..10).for_each(|_| core.connect(address, Token(1)));
        }
        for event in events.drain(..) {
            match event {
                Event::Accepted { socket, .. } | Event::Connected { result: Ok(socket), .. } => {
                    core.recv(socket);
                    let bytes = filled(core, 1000, 1);
                    core.send(socket, vec![Piece::Mem(bytes)]);
                    core.close(socket);
                    // All of this is void.
                    core.recv(socket);
                    let bytes = filled(core, 1000, 1);
                    core.send(socket, vec![Piece::Mem(bytes)]);
                    core.close(socket);
                    self.closed.push(socket);
                    if self.closed.len() == 20 {
                        self.due = Some(core.now() + Duration::from_millis(20));
                    }
                }
                Event::Received { socket, .. } | Event::Sent { socket, .. } => panic!("{socket:?} is closed"),
                Event::Signal(Signal::Terminate) => panic!("nobody sent one"),
                other => panic!("{other:?}"),
            }
        }
        if self.due.is_some_and(|due| core.now() >= due) {
            self.closed.sort();
            self.closed.dedup();
            say(format!("{} sockets, each with an id of its own", self.closed.len()));
            return true;
        }
        false
    }
    fn deadline(&self) -> Option<Instant> {
        self.due
    }
}

#[test]
fn closed_sockets_are_forgotten_alike() {
    let seen = in_both_worlds("closing", 1, |_| Box::new(Closing::default()));
    assert_eq!(seen, ["0: 20 sockets, each with an id of its own"]);
}

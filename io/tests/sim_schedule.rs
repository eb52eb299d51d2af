//! One seed, one schedule: a workload that uses everything the contract has runs twice the same, and elsewhere otherwise.

use millrace_io::sim::{Faults, MachineId, Spec, World};
use millrace_io::{Buf, Class, Core, CoreId, Done, Event, File, Instant, OpenHow, Piece, Program, ReadHow, SocketId, Token};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// What the workload got done; shared by all of its cores.
#[derive(Default)]
struct Tally {
    echoes: u64,
    broken: u64,
    files: u64,
    file_errors: u64,
    chores: u64,
    parcels: u64,
    timers: u64,
    steps: u64,
}

/// Echoes what it receives; writes a file, syncs and reads it; tells its neighbour; does chores; all on a timer.
struct Chatter {
    tally: Rc<RefCell<Tally>>,
    peers: Vec<SocketAddr>,
    file: Option<File>,
    position: u64,
    next: Instant,
    clients: BTreeMap<SocketId, Vec<u8>>,
    started: bool,
    background: u32,
}

const PORT: u16 = 9092;

impl Chatter {
    fn bytes(core: &mut Core, len: usize) -> Buf {
        let mut buf = core.pool().take_always(len);
        let fill = core.random();
        let bytes: Vec<u8> = (0..len).map(|i| fill.rotate_left(u32::try_from(i % 64).unwrap()).to_le_bytes()[0]).collect();
        buf.extend(&bytes);
        buf.freeze()
    }

    fn timer(&mut self, core: &mut Core) {
        self.tally.borrow_mut().timers += 1;
        self.next = core.now() + Duration::from_millis(1 + core.random() % 10);
        let file = self.file.clone().unwrap();
        match core.random() % 6 {
            0 => {
                let len = usize::try_from(1 + core.random() % 9_000).unwrap();
                let buf = Chatter::bytes(core, len);
                core.write(&file, self.position, vec![buf.slice(0..len / 2), buf.slice(len / 2..len)], Token(1));
                self.position += len as u64;
            }
            1 => core.sync(&file, Token(2)),
            2 => {
                let into = core.pool().take_always(4096);
                let how = if core.resident(&file, 0, 4096) { ReadHow::Cached } else { ReadHow::Uncached };
                let position = core.random() % (self.position + 1);
                core.read(&file, position, into, how, Token(3));
            }
            3 => core.allocate(&file, self.position, 65_536, Token(4)),
            4 => {
                let number = core.random() % 5;
                core.chore(
                    Token(5),
                    Box::new(move |fs| {
                        let path = format!("/data/small-{number}");
                        Box::new(fs.write_atomic(Path::new(&path), &number.to_le_bytes()).is_ok())
                    }),
                );
            }
            _ => {
                let peer = self.peers[usize::try_from(core.random() % self.peers.len() as u64).unwrap()];
                core.connect(peer, Token(6));
            }
        }
        let to = CoreId(u16::try_from(core.random() % u64::from(core.cores())).unwrap());
        let parcel = core.random();
        core.tell(to, Box::new(parcel));
    }
}

impl Program for Chatter {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>) {
        if !self.started {
            self.started = true;
            let fs = core.fs();
            // Where faults are on, a start may fail like any process does.
            if fs.create_dir_all(Path::new("/data")).is_err() {
                millrace_io::fatal(3, "no data directory");
            }
            let path = format!("/data/log-{}", core.id().0);
            match fs.open(Path::new(&path), OpenHow::CREATE) {
                Ok(file) => self.file = Some(file),
                Err(error) => millrace_io::fatal(4, &format!("{path}: {error}")),
            }
            core.listen(SocketAddr::new([0, 0, 0, 0].into(), PORT)).unwrap();
            self.next = core.now();
        }
        for event in events.drain(..) {
            match event {
                Event::Accepted { socket, .. } => core.recv(socket),
                Event::Connected { result: Ok(socket), .. } => {
                    let len = usize::try_from(1 + core.random() % 20_000).unwrap();
                    let buf = Chatter::bytes(core, len);
                    self.clients.insert(socket, buf.to_vec());
                    core.send(socket, vec![Piece::Mem(buf)]);
                    core.recv(socket);
                }
                Event::Connected { result: Err(_), .. } => self.tally.borrow_mut().broken += 1,
                Event::Received { socket, result: Ok(Some(buf)) } => match self.clients.get_mut(&socket) {
                    Some(expected) => {
                        assert!(expected.starts_with(&buf), "an echo is what was sent");
                        expected.drain(..buf.len());
                        if expected.is_empty() {
                            self.clients.remove(&socket);
                            self.tally.borrow_mut().echoes += 1;
                            core.close(socket);
                        } else {
                            core.recv(socket);
                        }
                    }
                    None => core.send(socket, vec![Piece::Mem(buf.freeze())]),
                },
                Event::Received { socket, .. } => {
                    if self.clients.remove(&socket).is_some() {
                        self.tally.borrow_mut().broken += 1;
                    }
                    core.close(socket);
                }
                Event::Sent { socket, result: Ok(()) } => {
                    if !self.clients.contains_key(&socket) {
                        core.recv(socket);
                    }
                }
                Event::Sent { socket, result: Err(_) } => {
                    if self.clients.remove(&socket).is_some() {
                        self.tally.borrow_mut().broken += 1;
                    }
                    core.close(socket);
                }
                Event::File { result: Ok(done), .. } => {
                    if let Done::Read(bytes) = done {
                        assert!(bytes.len() <= 4096);
                    }
                    self.tally.borrow_mut().files += 1;
                }
                Event::File { result: Err(_), .. } => self.tally.borrow_mut().file_errors += 1,
                Event::Chore { output, .. } => {
                    let _wrote: Box<bool> = output.downcast().unwrap();
                    self.tally.borrow_mut().chores += 1;
                }
                Event::Mesh { parcel, .. } => {
                    let _number: Box<u64> = parcel.downcast().unwrap();
                    self.tally.borrow_mut().parcels += 1;
                    self.background = 3;
                }
                Event::Signal(_) => core.stop(),
            }
        }
        if core.now() >= self.next {
            self.timer(core);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.next)
    }

    fn step(&mut self, _core: &mut Core, class: Class) -> bool {
        if class != Class::Background || self.background == 0 {
            return false;
        }
        self.background -= 1;
        self.tally.borrow_mut().steps += 1;
        true
    }
}

fn chatter(seed: u64, faults: Faults) -> (World, Vec<MachineId>, Rc<RefCell<Tally>>) {
    let mut world = World::new(seed, faults);
    let tally = Rc::new(RefCell::new(Tally::default()));
    let ips: Vec<IpAddr> = (1..=3).map(|i| IpAddr::from([10, 0, 0, i])).collect();
    let peers: Vec<SocketAddr> = ips.iter().map(|ip| SocketAddr::new(*ip, PORT)).collect();
    let mut machines = Vec::new();
    for (i, ip) in ips.iter().enumerate() {
        let (tally, peers) = (tally.clone(), peers.clone());
        let spec = Spec::new(&format!("m{i}"), 2, *ip).restart(Duration::from_millis(1), Duration::from_millis(200));
        let make = move |_: &millrace_io::sim::Birth| -> Box<dyn Program> {
            Box::new(Chatter {
                tally: tally.clone(),
                peers: peers.clone(),
                file: None,
                position: 0,
                next: Instant(0),
                clients: BTreeMap::new(),
                started: false,
                background: 0,
            })
        };
        let machine = world.machine(spec, Box::new(make));
        world.start(machine);
        machines.push(machine);
    }
    (world, machines, tally)
}

fn hash_of(seed: u64, faults: Faults) -> u64 {
    let (mut world, _, _) = chatter(seed, faults);
    world.run_for(Duration::from_secs(2));
    world.check();
    world.schedule_hash()
}

#[test]
fn everything_in_the_contract_works_in_a_perfect_world() {
    let (mut world, machines, tally) = chatter(1, Faults::NONE);
    world.run_for(Duration::from_secs(5));
    world.check();
    let tally = tally.borrow();
    assert!(tally.echoes > 100, "{} echoes", tally.echoes);
    assert!(tally.files > 100 && tally.chores > 50 && tally.parcels > 500 && tally.timers > 500 && tally.steps > 500);
    assert_eq!((tally.broken, tally.file_errors), (0, 0));
    assert!(machines.iter().all(|m| world.is_up(*m) && world.deaths(*m).is_empty()));
}

#[test]
fn two_runs_of_a_seed_have_one_schedule_and_two_seeds_have_two() {
    for faults in [Faults::NONE, Faults::ALL] {
        let mut hashes = Vec::new();
        for seed in 0..6 {
            let hash = hash_of(seed, faults);
            assert_eq!(hash, hash_of(seed, faults), "seed {seed}");
            hashes.push(hash);
        }
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), 6, "seeds that draw different schedules");
    }
}

#[test]
fn with_all_faults_on_things_break_and_go_on() {
    let (mut broken, mut errors, mut deaths, mut echoes) = (0, 0, 0, 0);
    for seed in 0..20 {
        let (mut world, machines, tally) = chatter(seed, Faults::ALL);
        world.run_for(Duration::from_secs(3));
        world.check();
        deaths += machines.iter().map(|m| world.deaths(*m).len()).sum::<usize>();
        broken += tally.borrow().broken;
        errors += tally.borrow().file_errors;
        world.quiet();
        let before = tally.borrow().echoes;
        assert!(
            world.run_until(Duration::from_secs(30), |_| tally.borrow().echoes > before + 20),
            "when faults stop, everything goes on: seed {seed}"
        );
        echoes += tally.borrow().echoes;
    }
    assert!(broken > 20 && errors > 5 && deaths > 20 && echoes > 1000, "{broken} {errors} {deaths} {echoes}");
}

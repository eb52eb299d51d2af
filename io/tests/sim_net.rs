//! The simulated network: order, back-pressure, partitions, and every way in which a connection ends.

mod sim_script;

use millrace_io::sim::{Faults, MachineId, NetFaults, Rng, Spec, World, shutdown};
use millrace_io::{Core, Event, Piece, Program, SocketId, Token};
use sim_script::*;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::rc::Rc;

fn errno(result: &millrace_io::Result<impl Sized>) -> Option<i32> {
    result.as_ref().err().and_then(|e| e.raw_os_error())
}

/// Byte `i` of stream `key`.
fn pattern(key: u64, i: u64) -> u8 {
    (key ^ i).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0]
}

/// What a stream's receiver has seen.
#[derive(Default)]
struct Seen {
    received: u64,
    whole: u64,
    broken: u64,
}

/// Sends one stream of a drawn length and closes; starts over when the connection breaks.
fn sender(core_address: SocketAddr, rounds: u64) -> Box<dyn Program> {
    struct Stream {
        key: u64,
        len: u64,
        sent: u64,
    }
    let mut stream: Option<Stream> = None;
    let mut left = rounds;
    let next = Rc::new(Cell::new(None));
    let timer = next.clone();
    script_with_deadline(next, move |core, events| {
        let again = |core: &mut Core| timer.set(Some(core.now() + std::time::Duration::from_millis(20)));
        let send = |core: &mut Core, socket: SocketId, stream: &mut Stream| {
            let part = (1 + core.random() % 40_000).min(stream.len - stream.sent);
            let mut bytes: Vec<u8> = (stream.sent..stream.sent + part).map(|i| pattern(stream.key, i)).collect();
            if stream.sent == 0 {
                // The head says what is to come.
                bytes.splice(0..0, stream.key.to_le_bytes().into_iter().chain(stream.len.to_le_bytes()));
            }
            stream.sent += part;
            let (front, back) = bytes.split_at(bytes.len() / 3);
            let pieces = vec![Piece::Mem(buf(core, front)), Piece::Mem(buf(core, back))];
            core.send(socket, pieces);
        };
        if events.is_empty() && left > 0 {
            timer.set(None);
            core.connect(core_address, Token(0));
        }
        for event in events.drain(..) {
            match event {
                Event::Connected { result: Ok(socket), .. } => {
                    let mut new = Stream { key: core.random(), len: 1 + core.random() % 200_000, sent: 0 };
                    send(core, socket, &mut new);
                    stream = Some(new);
                    core.recv(socket);
                }
                Event::Connected { result: Err(_), .. } => again(core),
                Event::Sent { socket, result: Ok(()) } => {
                    let Some(stream) = &mut stream else { continue };
                    if stream.sent < stream.len { send(core, socket, stream) } else { shutdown(core, socket) }
                }
                // One byte back says that everything has arrived.
                Event::Received { socket, result: Ok(Some(bytes)) } => {
                    assert_eq!(&bytes[..], b"!");
                    core.close(socket);
                    left -= 1;
                    stream = None;
                    again(core);
                }
                Event::Sent { socket, .. } | Event::Received { socket, .. } => {
                    if stream.take().is_some() {
                        core.close(socket);
                        again(core);
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    })
}

/// Checks every stream byte by byte and answers its end.
fn receiver(seen: Rc<RefCell<Seen>>) -> Box<dyn Program> {
    struct Stream {
        head: Vec<u8>,
        got: u64,
    }
    let mut streams: BTreeMap<SocketId, Stream> = BTreeMap::new();
    let mut fresh = true;
    script(move |core, events| {
        if std::mem::take(&mut fresh) {
            core.listen("0.0.0.0:9092".parse().unwrap()).unwrap();
        }
        for event in events.drain(..) {
            match event {
                Event::Accepted { socket, .. } => {
                    streams.insert(socket, Stream { head: Vec::new(), got: 0 });
                    core.recv(socket);
                }
                Event::Received { socket, result: Ok(Some(bytes)) } => {
                    let stream = streams.get_mut(&socket).unwrap();
                    for byte in &bytes[..] {
                        if stream.head.len() < 16 {
                            stream.head.push(*byte);
                            continue;
                        }
                        let key = u64::from_le_bytes(stream.head[..8].try_into().unwrap());
                        assert_eq!(*byte, pattern(key, stream.got), "byte {} of stream {key}", stream.got);
                        stream.got += 1;
                    }
                    seen.borrow_mut().received += bytes.len() as u64;
                    if core.random() % 2 == 0 {
                        core.recv(socket);
                    } else {
                        let mut into = core.pool().take_always(4096);
                        into.extend(b"");
                        core.recv_into(socket, into);
                    }
                }
                Event::Received { socket, result: Ok(None) } => {
                    let stream = &streams[&socket];
                    let len = stream.head.get(8..16).map(|len| u64::from_le_bytes(len.try_into().unwrap()));
                    if len == Some(stream.got) {
                        seen.borrow_mut().whole += 1;
                        let answer = buf(core, b"!");
                        core.send(socket, vec![Piece::Mem(answer)]);
                    } else {
                        // Its sender gave up or died.
                        seen.borrow_mut().broken += 1;
                        streams.remove(&socket);
                        core.close(socket);
                    }
                }
                Event::Sent { socket, .. } => {
                    streams.remove(&socket);
                    core.close(socket);
                }
                Event::Received { socket, result: Err(_) } => {
                    seen.borrow_mut().broken += 1;
                    streams.remove(&socket);
                    core.close(socket);
                }
                other => panic!("{other:?}"),
            }
        }
    })
}

fn streams(seed: u64, faults: Faults, rounds: u64) -> (World, [MachineId; 2], Rc<RefCell<Seen>>) {
    let mut world = World::new(seed, faults);
    let seen = Rc::new(RefCell::new(Seen::default()));
    let shared = seen.clone();
    let restart = |spec: Spec| spec.restart(secs(0), secs(1));
    let server = world.machine(restart(spec(1)), Box::new(move |_| receiver(shared.clone())));
    let client = world.machine(restart(spec(2)), Box::new(move |_| sender(at(1), rounds)));
    world.start(server);
    world.start(client);
    (world, [server, client], seen)
}

#[test]
fn bytes_arrive_unaltered_and_in_order() {
    for seed in 0..10 {
        let (mut world, _, seen) = streams(seed, Faults::NONE, 5);
        assert!(world.run_until(secs(60), |_| seen.borrow().whole == 5), "seed {seed}");
        assert_eq!(seen.borrow().broken, 0);
        world.run_for(secs(1));
        assert_eq!(world.connections(), 0, "everything is closed");
    }
}

#[test]
fn whatever_fails_a_stream_arrives_whole_or_breaks() {
    let (mut broken, mut whole) = (0, 0);
    for seed in 0..40 {
        let faults = if seed % 2 == 0 { Faults::ALL } else { Faults::drawn(seed) };
        let (mut world, _, seen) = streams(seed, faults, u64::MAX);
        world.run_for(secs(5));
        world.check();
        broken += seen.borrow().broken;
        world.quiet();
        let before = seen.borrow().whole;
        assert!(world.run_until(secs(60), |_| seen.borrow().whole > before + 2), "seed {seed}: goes on when faults stop");
        whole += seen.borrow().whole;
    }
    assert!(broken > 20 && whole > 200, "{broken} broken, {whole} whole");
}

/// A server that only listens and hears; a client that connects; both do no more than the test tells them to.
struct Pair {
    world: World,
    server: MachineId,
    client: MachineId,
    ears: Puppet,
    mouth: Puppet,
    /// The server has a receive outstanding.
    receiving: bool,
}

type Order = Box<dyn FnOnce(&mut Core)>;

/// A program that obeys: the test hands it closures for its next turn.
#[derive(Clone, Default)]
struct Puppet {
    orders: Rc<RefCell<Vec<Order>>>,
    heard: Heard,
}

impl Puppet {
    fn program(&self) -> Box<dyn Program> {
        let puppet = self.clone();
        let due = Rc::new(Cell::new(None));
        let deadline = due.clone();
        script_with_deadline(due, move |core, events| {
            deadline.set(Some(core.now() + std::time::Duration::from_millis(1)));
            puppet.heard.0.borrow_mut().append(events);
            puppet.orders.borrow_mut().drain(..).for_each(|order| order(core));
        })
    }
    fn order(&self, order: impl FnOnce(&mut Core) + 'static) {
        self.orders.borrow_mut().push(Box::new(order));
    }
}

impl Pair {
    fn new(seed: u64) -> Pair {
        let mut world = World::new(seed, Faults::NONE);
        let (ears, mouth) = (Puppet::default(), Puppet::default());
        let (e, m) = (ears.clone(), mouth.clone());
        let server = world.machine(spec(1), Box::new(move |_| e.program()));
        let client = world.machine(spec(2), Box::new(move |_| m.program()));
        world.start(server);
        world.start(client);
        Pair { world, server, client, ears, mouth, receiving: false }
    }
    fn listening(seed: u64) -> Pair {
        let mut pair = Pair::new(seed);
        pair.ears.order(|core| {
            core.listen(at(1)).unwrap();
        });
        pair.world.run_for(secs(1));
        pair
    }
    /// The server's socket and the client's.
    fn connected(seed: u64) -> (Pair, SocketId, SocketId) {
        let mut pair = Pair::listening(seed);
        pair.mouth.order(|core| core.connect(at(1), Token(7)));
        pair.world.run_for(secs(1));
        let (ears, mouth) = (pair.ears.heard.take(), pair.mouth.heard.take());
        let [Event::Accepted { socket: theirs, peer, .. }] = &ears[..] else { panic!("{ears:?}") };
        let [Event::Connected { token: Token(7), result: Ok(ours) }] = &mouth[..] else { panic!("{mouth:?}") };
        assert_eq!(peer.ip(), ip(2));
        (pair, *theirs, *ours)
    }
    fn client_sends(&mut self, socket: SocketId, len: usize) {
        self.mouth.order(move |core| {
            let bytes = buf(core, &vec![5; len]);
            core.send(socket, vec![Piece::Mem(bytes)]);
        });
    }
    /// All that the server receives within a second, and how it ends.
    fn server_receives(&mut self, socket: SocketId) -> (usize, Option<millrace_io::Result<()>>) {
        let mut total = 0;
        for _ in 0..10_000 {
            if !std::mem::replace(&mut self.receiving, true) {
                self.ears.order(move |core| core.recv(socket));
            }
            let heard = self.ears.heard.clone();
            if !self.world.run_until(secs(1), |_| heard.0.borrow().iter().any(|e| matches!(e, Event::Received { .. }))) {
                return (total, None);
            }
            self.receiving = false;
            for event in heard.take() {
                match event {
                    Event::Received { result: Ok(Some(bytes)), .. } => total += bytes.len(),
                    Event::Received { result: Ok(None), .. } => return (total, Some(Ok(()))),
                    Event::Received { result: Err(error), .. } => return (total, Some(Err(error))),
                    Event::Sent { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
        }
        panic!("an endless stream");
    }
}

#[test]
fn connecting_is_refused_where_nobody_listens_and_times_out_where_nobody_is() {
    let result = |pair: &mut Pair| {
        pair.mouth.order(|core| core.connect(at(1), Token(1)));
        let heard = pair.mouth.heard.clone();
        assert!(pair.world.run_until(secs(60), |_| heard.len() == 1));
        let Some(Event::Connected { result, .. }) = heard.take().pop() else { panic!("not an answer") };
        errno(&result)
    };
    let mut pair = Pair::new(1);
    assert_eq!(result(&mut pair), Some(libc::ECONNREFUSED));
    let mut pair = Pair::listening(2);
    assert_eq!(result(&mut pair), None);
    pair.world.cut(pair.server, pair.client);
    assert_eq!(result(&mut pair), Some(libc::ETIMEDOUT));
    pair.world.heal_all();
    pair.world.crash_process(pair.server);
    assert_eq!(result(&mut pair), Some(libc::ECONNREFUSED));
    pair.world.start(pair.server);
    pair.world.power_cut(pair.server);
    assert_eq!(result(&mut pair), Some(libc::ETIMEDOUT));
    pair.mouth.order(|core| core.connect(at(99), Token(1)));
    pair.world.run_for(secs(1));
    let heard = pair.mouth.heard.take();
    assert!(matches!(&heard[..], [Event::Connected { result, .. }] if errno(result) == Some(libc::EHOSTUNREACH)));
}

#[test]
fn a_cut_link_holds_bytes_up_and_lets_them_through_when_it_heals() {
    let mut timed_out = 0;
    for seed in 0..20 {
        let (mut pair, theirs, ours) = Pair::connected(seed);
        pair.world.cut(pair.server, pair.client);
        pair.client_sends(ours, 1000);
        assert_eq!(pair.server_receives(theirs).0, 0);
        pair.world.heal_all();
        assert_eq!(pair.server_receives(theirs).0, 1000, "seed {seed}");
        // Cut for long, the sender gives up; who only listens does not hear of it before it sends.
        pair.world.cut(pair.client, pair.server);
        pair.client_sends(ours, 1000);
        pair.mouth.order(move |core| core.recv(ours));
        pair.world.run_for(secs(30));
        let mouth = pair.mouth.heard.take();
        timed_out += mouth.iter().filter(|e| matches!(e, Event::Received { result, .. } if errno(result) == Some(libc::ETIMEDOUT))).count();
        assert!(!pair.ears.heard.take().iter().any(|e| matches!(e, Event::Received { result: Err(_) | Ok(None), .. })));
        pair.world.heal_all();
        pair.ears.order(move |core| {
            let bytes = buf(core, b"are you there");
            core.send(theirs, vec![Piece::Mem(bytes)]);
        });
        let (_, end) = pair.server_receives(theirs);
        assert_eq!(end.as_ref().and_then(errno), Some(libc::ECONNRESET), "seed {seed}: {end:?}");
    }
    assert_eq!(timed_out, 20);
}

#[test]
fn who_sends_no_more_still_receives() {
    for seed in 0..20 {
        let (mut pair, theirs, ours) = Pair::connected(seed);
        pair.client_sends(ours, 50_000);
        pair.world.run_for(secs(1) / 100);
        pair.mouth.order(move |core| shutdown(core, ours));
        let (total, end) = pair.server_receives(theirs);
        assert!(total == 50_000 && matches!(end, Some(Ok(()))), "seed {seed}: {total} {end:?}");
        pair.ears.order(move |core| {
            let bytes = buf(core, b"answer");
            core.send(theirs, vec![Piece::Mem(bytes)]);
        });
        pair.mouth.order(move |core| core.recv(ours));
        pair.world.run_for(secs(1));
        let mouth = pair.mouth.heard.take();
        assert!(mouth.iter().any(|e| matches!(e, Event::Received { result: Ok(Some(_)), .. })), "seed {seed}: {mouth:?}");
    }
}

#[test]
fn a_reader_that_does_not_read_holds_up_the_sender() {
    for seed in 0..20 {
        let (mut pair, theirs, ours) = Pair::connected(seed);
        pair.client_sends(ours, 600_000);
        pair.world.run_for(secs(5));
        assert_eq!(pair.mouth.heard.len(), 0, "seed {seed}: more than any window is not sent before it is received");
        let (total, end) = pair.server_receives(theirs);
        assert!(total == 600_000 && end.is_none(), "seed {seed}: {total} {end:?}");
        let mouth = pair.mouth.heard.take();
        assert!(matches!(&mouth[..], [Event::Sent { result: Ok(()), .. }]), "seed {seed}: {mouth:?}");
    }
}

#[test]
fn a_closed_connection_ends_and_one_with_unread_bytes_is_reset() {
    for seed in 0..20 {
        let (mut pair, theirs, ours) = Pair::connected(seed);
        pair.mouth.order(move |core| core.close(ours));
        assert!(matches!(pair.server_receives(theirs), (0, Some(Ok(())))), "seed {seed}");
        pair.ears.order(move |core| core.close(theirs));
        pair.world.run_for(secs(1));
        assert_eq!(pair.world.connections(), 0);

        let (mut pair, theirs, ours) = Pair::connected(seed);
        pair.client_sends(ours, 100);
        pair.world.run_for(secs(1));
        pair.ears.order(move |core| core.close(theirs));
        pair.mouth.order(move |core| core.recv(ours));
        pair.world.run_for(secs(1));
        let mouth = pair.mouth.heard.take();
        let [Event::Sent { .. }, Event::Received { result, .. }] = &mouth[..] else { panic!("seed {seed}: {mouth:?}") };
        assert_eq!(errno(result), Some(libc::ECONNRESET));
        // What is sent on a broken connection fails; nothing happens on a closed one.
        pair.client_sends(ours, 100);
        pair.world.run_for(secs(1));
        let mouth = pair.mouth.heard.take();
        assert!(matches!(&mouth[..], [Event::Sent { result: Err(_), .. }]), "{mouth:?}");
        pair.mouth.order(move |core| {
            core.close(ours);
            core.recv(ours);
        });
        pair.world.run_for(secs(1));
        assert_eq!((pair.mouth.heard.len(), pair.world.connections()), (0, 0));
    }
}

#[test]
fn peers_of_a_killed_process_hear_of_it_and_of_a_machine_without_power_only_later() {
    for seed in 0..20 {
        let (mut pair, theirs, _) = Pair::connected(seed);
        pair.world.crash_process(pair.client);
        assert!(matches!(pair.server_receives(theirs), (0, Some(_))), "seed {seed}");

        let (mut pair, theirs, _) = Pair::connected(seed);
        pair.world.power_cut(pair.client);
        pair.ears.order(move |core| core.recv(theirs));
        pair.world.run_for(secs(100));
        assert_eq!(pair.ears.heard.len(), 0, "seed {seed}: silence");
        pair.world.start(pair.client);
        pair.ears.order(move |core| {
            let bytes = buf(core, b"are you there");
            core.send(theirs, vec![Piece::Mem(bytes)]);
        });
        pair.world.run_for(secs(1));
        let ears = pair.ears.heard.take();
        let reset = |e: &Event| matches!(e, Event::Received { result, .. } if errno(result) == Some(libc::ECONNRESET));
        assert!(ears.iter().any(reset), "seed {seed}: {ears:?}");
    }
}

#[test]
fn no_event_names_a_closed_socket() {
    for seed in 0..50 {
        let (mut pair, theirs, ours) = Pair::connected(seed);
        pair.client_sends(ours, 5000);
        pair.ears.order(move |core| core.recv(theirs));
        let mut rng = Rng::new(seed);
        let steps = pair.world.steps() + rng.below(60);
        pair.world.run_until(secs(1), |w| w.steps() >= steps);
        pair.ears.order(move |core| core.close(theirs));
        let orders = pair.ears.orders.clone();
        assert!(pair.world.run_until(secs(1), |_| orders.borrow().is_empty()));
        pair.ears.heard.take();
        pair.world.run_for(secs(1));
        assert_eq!(pair.ears.heard.len(), 0, "seed {seed}");
    }
}

#[test]
fn every_core_that_listens_gets_connections() {
    let mut world = World::new(1, Faults::NONE);
    let accepted = Rc::new(RefCell::new(BTreeMap::<u16, u64>::new()));
    let shared = accepted.clone();
    let spec = Spec::new("server", 4, ip(1));
    let server = world.machine(
        spec,
        Box::new(move |_| {
            let shared = shared.clone();
            let mut listener = None;
            script(move |core, events| {
                let id = *listener.get_or_insert_with(|| core.listen("0.0.0.0:9092".parse().unwrap()).unwrap());
                for event in events.drain(..) {
                    let Event::Accepted { listener, .. } = event else { panic!("{event:?}") };
                    assert_eq!(listener, id);
                    let mut accepted = shared.borrow_mut();
                    *accepted.entry(core.id().0).or_default() += 1;
                    // The last core closes its listener after a while.
                    if core.id().0 == 3 && accepted[&3] == 5 {
                        core.unlisten(id);
                    }
                }
            })
        }),
    );
    let heard = Heard::default();
    let log = heard.clone();
    let client = world.machine(
        sim_script::spec(2),
        Box::new(move |_| {
            let (log, mut next) = (log.clone(), 0);
            script(move |core, events| {
                log.0.borrow_mut().append(events);
                if next < 100 {
                    core.connect(at(1), Token(next));
                    next += 1;
                }
            })
        }),
    );
    world.start(server);
    world.run_for(secs(1));
    world.start(client);
    assert!(world.run_until(secs(10), |_| heard.len() == 100));
    let tokens: BTreeSet<u64> =
        heard.take().iter().map(|e| if let Event::Connected { token, .. } = e { token.0 } else { panic!("{e:?}") }).collect();
    assert_eq!(tokens.len(), 100);
    let accepted = accepted.borrow();
    assert!((0..3).all(|core| accepted[&core] > 10), "{accepted:?}");
    assert!((5..8).contains(&accepted[&3]), "{accepted:?}");
}

#[test]
fn listeners_have_addresses_of_their_machine() {
    let (mut world, machine) = one(
        1,
        Faults::NONE,
        once(|core| {
            let id = core.listen("10.0.0.1:0".parse().unwrap()).unwrap();
            let address = core.listener_address(id);
            assert!(address.ip() == ip(1) && address.port() >= 32_768);
            assert_eq!(errno(&core.listen(at(2))), Some(libc::EADDRNOTAVAIL));
            core.listen("127.0.0.1:1".parse().unwrap()).unwrap();
        }),
    );
    world.run_for(secs(1));
    assert!(world.is_up(machine));
}

#[test]
fn drawn_resets_losses_and_cuts_occur() {
    let net = |net| Faults { net, ..Faults::NONE };
    let broken = |faults| {
        (0..10)
            .map(|seed| {
                let (mut world, _, seen) = streams(seed, faults, u64::MAX);
                world.run_for(secs(10));
                let seen = seen.borrow();
                (seen.broken, seen.received)
            })
            .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    };
    let perfect = broken(Faults::NONE);
    assert_eq!(perfect.0, 0);
    let resets = broken(net(NetFaults { reset_ppm: 5_000, ..NetFaults::default() }));
    assert!(resets.0 > 10, "{resets:?}");
    let losses = broken(net(NetFaults { loss_ppm: 20_000, ..NetFaults::default() }));
    assert!(losses.0 == 0 && losses.1 < perfect.1 / 2, "{losses:?} where {perfect:?} were possible");
    let cuts = broken(net(NetFaults { cut_ppm: 50_000, cut_ms_max: 5_000, ..NetFaults::default() }));
    assert!(cuts.1 < perfect.1 * 9 / 10, "{cuts:?} where {perfect:?} were possible");
}

#[test]
fn a_receive_waits_while_the_pool_is_full() {
    for seed in 0..10 {
        let mut world = World::new(seed, Faults::NONE);
        let (ears, mouth) = (Puppet::default(), Puppet::default());
        let (e, m) = (ears.clone(), mouth.clone());
        let server = world.machine(spec(1).pool_bytes(64 << 10), Box::new(move |_| e.program()));
        let client = world.machine(spec(2), Box::new(move |_| m.program()));
        world.start(server);
        world.start(client);
        let held = Rc::new(RefCell::new(None));
        let hold = held.clone();
        ears.order(move |core| {
            core.listen(at(1)).unwrap();
            *hold.borrow_mut() = Some(core.pool().take(64 << 10).unwrap());
        });
        world.run_for(secs(1));
        mouth.order(|core| core.connect(at(1), Token(1)));
        world.run_for(secs(1));
        let [Event::Accepted { socket: theirs, .. }] = ears.heard.take()[..] else { panic!("nobody") };
        let [Event::Connected { result: Ok(ours), .. }] = mouth.heard.take()[..] else { panic!("nobody") };
        ears.order(move |core| core.recv(theirs));
        mouth.order(move |core| {
            let bytes = buf(core, b"hello");
            core.send(ours, vec![Piece::Mem(bytes)]);
        });
        world.run_for(secs(1));
        assert_eq!(ears.heard.len(), 0, "seed {seed}");
        held.take();
        world.run_for(secs(1));
        let heard = ears.heard.take();
        assert!(matches!(&heard[..], [Event::Received { result: Ok(Some(bytes)), .. }] if b"hello".starts_with(bytes)), "{heard:?}");
    }
}

//! Small programs for the simulator's own tests: a closure per turn.
#![allow(dead_code, reason = "each test file uses a part")]

use millrace_io::sim::{Birth, Faults, MachineId, Make, Spec, World};
use millrace_io::{Buf, Core, Event, Instant, Program};
use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

pub struct Script<F> {
    body: F,
    deadline: Rc<Cell<Option<Instant>>>,
}

impl<F: FnMut(&mut Core, &mut Vec<Event>)> Program for Script<F> {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>) {
        (self.body)(core, events);
        events.clear();
    }
    fn deadline(&self) -> Option<Instant> {
        self.deadline.get()
    }
}

/// A program that runs `body` every turn; the first one has no events.
pub fn script(body: impl FnMut(&mut Core, &mut Vec<Event>) + 'static) -> Box<dyn Program> {
    Box::new(Script { body, deadline: Rc::default() })
}

pub fn script_with_deadline(
    deadline: Rc<Cell<Option<Instant>>>,
    body: impl FnMut(&mut Core, &mut Vec<Event>) + 'static,
) -> Box<dyn Program> {
    Box::new(Script { body, deadline })
}

/// Does `first` in the first turn, and nothing afterwards.
pub fn once(first: impl Fn(&mut Core) + Clone + 'static) -> Make {
    Box::new(move |_: &Birth| {
        let first = first.clone();
        let mut fresh = true;
        script(move |core, _| {
            if std::mem::take(&mut fresh) {
                first(core);
            }
        })
    })
}

/// For machines whose disk is used from outside only.
pub fn idle() -> Make {
    once(|_| {})
}

/// A program that another closure drives: what it heard, in order.
#[derive(Clone, Default)]
pub struct Heard(pub Rc<RefCell<Vec<Event>>>);

impl Heard {
    pub fn take(&self) -> Vec<Event> {
        self.0.borrow_mut().drain(..).collect()
    }
    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }
}

/// Does `first` in the first turn, and keeps every event.
pub fn hearing(heard: &Heard, first: impl Fn(&mut Core) + Clone + 'static) -> Make {
    let heard = heard.clone();
    Box::new(move |_| {
        let (heard, first) = (heard.clone(), first.clone());
        let mut fresh = true;
        script(move |core, events| {
            if std::mem::take(&mut fresh) {
                first(core);
            }
            heard.0.borrow_mut().append(events);
        })
    })
}

pub fn ip(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

pub fn at(last: u8) -> SocketAddr {
    SocketAddr::new(ip(last), 9092)
}

pub fn spec(last: u8) -> Spec {
    Spec::new(&format!("m{last}"), 1, ip(last))
}

/// A world with one machine, started and past its first turn.
pub fn one(seed: u64, faults: Faults, make: Make) -> (World, MachineId) {
    let mut world = World::new(seed, faults);
    let machine = world.machine(spec(1), make);
    world.start(machine);
    world.run_for(Duration::from_millis(100));
    (world, machine)
}

pub fn buf(core: &mut Core, bytes: &[u8]) -> Buf {
    let mut buf = core.pool().take_always(bytes.len());
    buf.extend(bytes);
    buf.freeze()
}

pub fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

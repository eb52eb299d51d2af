//! Two cores ask and answer each other: what the way from core to core costs.
//!
//! ```sh
//! cargo build --release -p millrace-io --example mesh
//! target/release/examples/mesh 1 200000       # asks in flight at once, asks in total
//! ```

use millrace_io::{Class, Core, CoreId, Event, Instant, Program, blocking, real};

struct Peer {
    in_flight: u64,
    total: u64,
    asked: u64,
    answered: u64,
    began: Option<Instant>,
}

/// `None`: that was all.
type Ask = Option<u64>;

impl Peer {
    fn ask(&mut self, core: &mut Core) {
        if self.asked < self.total {
            core.tell(CoreId(1), Box::new(Some(self.asked) as Ask));
            self.asked += 1;
        }
    }
}

impl Program for Peer {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>) {
        let first = core.id() == CoreId(0);
        if first && self.began.is_none() {
            self.began = Some(blocking::now());
            (0..self.in_flight).for_each(|_| self.ask(core));
        }
        for event in events.drain(..) {
            let Event::Mesh { from, parcel } = event else { continue };
            match *parcel.downcast::<Ask>().expect("what the other core sends") {
                None => core.stop(),
                answer if !first => core.tell(from, Box::new(answer)),
                Some(_) => {
                    self.answered += 1;
                    self.ask(core);
                }
            }
        }
        if first && self.answered == self.total {
            let took = blocking::now().since(self.began.expect("began"));
            println!("{} asks, {:.2} µs each", self.total, took.as_secs_f64() * 1e6 / self.total as f64);
            core.tell(CoreId(1), Box::new(None as Ask));
            core.stop();
        }
    }
    fn deadline(&self) -> Option<Instant> {
        None
    }
    fn has_work(&self, _: Class) -> bool {
        false
    }
}

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let [in_flight, total] = numbers[..] else {
        eprintln!("mesh IN_FLIGHT TOTAL");
        return;
    };
    let options = real::Options { cores: 2, cpus: vec![0, 1], ..real::Options::default() };
    real::run(&options, |_| Box::new(Peer { in_flight, total, asked: 0, answered: 0, began: None })).expect("two rings");
}

//! Writes and syncs one block after the other, as a journal does, and says what an acknowledgement costs.
//!
//! ```sh
//! cargo build --release -p millrace-io --example write_sync
//! target/release/examples/write_sync /var/tmp/journal direct 4096 2000      # or: cached
//! ```
//!
//! The file is written full of zeros first, so that no write extends it.

use millrace_io::{Buf, Class, Core, Done, Event, File, Instant, OpenHow, Program, Token, blocking, real};
use std::path::PathBuf;

struct Journal {
    path: PathBuf,
    direct: bool,
    block: usize,
    left: u64,
    file: Option<(File, Buf)>,
    position: u64,
    began: Instant,
    write_micros: Vec<u64>,
    total_micros: Vec<u64>,
}

impl Journal {
    fn write(&mut self, core: &mut Core) {
        let (file, block) = self.file.as_ref().expect("opened in the first turn");
        self.began = blocking::now();
        core.write(file, self.position, vec![block.clone()], Token(0));
        self.position += self.block as u64;
    }
}

impl Program for Journal {
    fn turn(&mut self, core: &mut Core, events: &mut Vec<Event>) {
        if self.file.is_none() {
            let mut block = core.pool().take(self.block).expect("memory");
            block.resize(self.block);
            let file = core.fs().open(&self.path, OpenHow { direct: self.direct, ..OpenHow::CREATE }).expect("a file");
            for at in 0..self.left {
                file.write_at(at * self.block as u64, &block).expect("room");
            }
            file.sync().expect("a disk");
            block.as_mut().fill(7);
            self.file = Some((file, block.freeze()));
            self.write(core);
        }
        for event in events.drain(..) {
            let Event::File { result, .. } = event else { continue };
            match result.expect("a disk") {
                Done::Written => {
                    self.write_micros.push(blocking::now().since(self.began).as_micros() as u64);
                    core.sync(&self.file.as_ref().expect("open").0, Token(0));
                }
                _ => {
                    self.total_micros.push(blocking::now().since(self.began).as_micros() as u64);
                    self.left -= 1;
                    if self.left > 0 {
                        self.write(core);
                        continue;
                    }
                    core.stop();
                    for (what, micros) in [("written", &mut self.write_micros), ("synced", &mut self.total_micros)] {
                        micros.sort_unstable();
                        let at = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize];
                        println!("{what}: p50 {} µs, p99 {} µs, most {} µs", at(0.5), at(0.99), at(1.0));
                    }
                }
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

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [path, how, block, count] = &args[..] else {
        eprintln!("write_sync FILE direct|cached BLOCK_BYTES COUNT");
        return;
    };
    let make = |_| -> Box<dyn Program> {
        Box::new(Journal {
            path: path.into(),
            direct: how == "direct",
            block: block.parse().expect("a number of bytes"),
            left: count.parse().expect("a number"),
            file: None,
            position: 0,
            began: Instant(0),
            write_micros: Vec::new(),
            total_micros: Vec::new(),
        })
    };
    real::run(&real::Options { cpus: vec![0], ..real::Options::default() }, make).expect("a ring");
}

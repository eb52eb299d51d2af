//! A line on the terminal that moves while long work is done; nothing if stderr is not a terminal.

use crate::types::Instant;
use millrace_io::blocking;
use std::io::IsTerminal;
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(200);

pub struct Progress {
    what: &'static str,
    started: Instant,
    shown: Instant,
    records: u64,
    bytes: u64,
    visible: bool,
}

impl Progress {
    pub fn new(what: &'static str) -> Progress {
        let now = blocking::now();
        Progress { what, started: now, shown: now, records: 0, bytes: 0, visible: std::io::stderr().is_terminal() }
    }

    pub fn add(&mut self, records: u64, bytes: u64) {
        self.records += records;
        self.bytes += bytes;
        // The clock is looked at now and then only.
        if self.visible && self.records.is_multiple_of(1024) {
            let now = blocking::now();
            if now.since(self.shown) >= EVERY {
                self.shown = now;
                self.show(now);
            }
        }
    }

    fn show(&self, now: Instant) {
        let seconds = now.since(self.started).as_secs_f64().max(0.001);
        let megabytes = self.bytes as f64 / 1e6;
        eprint!("\r{} {} records, {megabytes:.1} MB, {:.1} MB/s   ", self.what, self.records, megabytes / seconds);
    }

    pub fn finish(&self) {
        if self.visible {
            self.show(blocking::now());
            eprintln!();
        }
    }
}

//! The control shard: the metadata log, the images it publishes, the log directories.
//!
//! ```text
//!  command ─▶ controller decides on the newest proposed image ─▶ records ─▶ quorum ─▶ one write, one sync ─▶ committed
//!                                                                  │                                            │
//!                     reply ◀── every shard has applied it ◀───────┴─────────── Publish(image) to all shards ◀──┘
//! ```
//!
//! Lives on core 0, owned by its [`Server`](crate::server::Server), beside shard 0. What it decides is decided by
//! [`metadata`](crate::metadata) and [`proposals`]; this moves bytes and messages.
//!
//! | file | |
//! |---|---|
//! | [`running`] | the shell itself |
//! | [`command`] | what is asked and answered |
//! | [`proposals`] | pure: what is written next, what is committed, who is answered |
//! | [`checkpoints`] | pure: what the checkpoint files say, and when they are written |
//! | [`metalog`] | the files of the metadata log |
//! | [`dirs`] | the log directories |
//! | [`decide`] | from a command to the controller's function |
//! | [`exit`] | why the process ends |
//!
//! A failed write or sync of the metadata log ends the process: what it would acknowledge from then on might not be there
//! after a restart. A full disk does not: what did not fit is refused, and the log is cut back to what is committed.

mod checkpoints;
pub mod command;
mod decide;
mod dirs;
mod exit;
mod metalog;
mod proposals;
mod running;
#[cfg(test)]
mod tests;

pub use command::{AutoCreated, Command, Reply};
pub use exit::Status;

use crate::config::BrokerConfig;
use crate::shard::{Mesh, Note, Ticket};
use crate::types::{Instant, ShardId};
use millrace_io::{ChoreOutput, Core, Done, Error, Token};
use running::Running;
use std::sync::Arc;

/// Tokens of the control shard have this bit.
const OURS: u64 = 1 << 63;

pub struct Control {
    cores: u16,
    config: Arc<BrokerConfig>,
    /// From [`Control::start`] on.
    running: Option<Box<Running>>,
}

impl Control {
    pub fn new(cores: u16, config: Arc<BrokerConfig>) -> Control {
        Control { cores, config, running: None }
    }

    /// Is this completion the control shard's?
    pub fn owns(token: Token) -> bool {
        token.0 & OURS != 0
    }

    fn running(&mut self) -> &mut Running {
        self.running.as_mut().expect("it is started before anything else")
    }

    /// Opens the log directories and the metadata log, and has the shards open their partitions. Blocks.
    pub fn start(&mut self, core: &mut Core, mesh: &mut Mesh) {
        assert!(self.running.is_none(), "a process starts once");
        match Running::start(core, mesh, self.cores, self.config.clone()) {
            Ok(running) => self.running = Some(Box::new(running)),
            Err(exit) => exit.now(),
        }
    }

    /// Somebody asks; the answer comes through the mesh, in this turn or a later one.
    pub fn command(&mut self, core: &mut Core, mesh: &mut Mesh, ticket: Ticket, command: Command) {
        self.running().command(core, mesh, ticket, command);
    }

    /// A shard says something that is not an ask.
    pub fn note(&mut self, from: ShardId, note: Note) {
        self.running().note(from, note);
    }

    pub fn file_done(&mut self, token: Token, result: Result<Done, Error>) {
        self.running().file_done(token, result);
    }

    pub fn chore_done(&mut self, core: &mut Core, token: Token, output: ChoreOutput) {
        self.running().chore_done(core, token, output);
    }

    pub fn expire(&mut self, core: &mut Core, now: Instant) {
        self.running().expire(core, now);
    }

    /// Carries out what follows from the events since the last call.
    pub fn flush(&mut self, core: &mut Core, mesh: &mut Mesh) {
        self.running().flush(core, mesh);
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.running.as_ref().and_then(|running| running.deadline())
    }

    /// Begins a clean stop. Once is enough.
    pub fn stop(&mut self) {
        self.running().stop();
    }
}

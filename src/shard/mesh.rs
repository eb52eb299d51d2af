//! What cores say to each other: one [`Bundle`] from core to core per turn, with everything in it.
//!
//! A request that concerns several cores is split into one [`Ask`] per core by the connection's core; each answers once.
//! A [`Ticket`] says where the answer belongs. An ask to the core's own shard takes the same way, without the mesh.

use super::ask::{Answer, Ask};
use crate::metadata::Image;
use crate::types::{Offset, ShardId};
use millrace_io::Core;
use std::sync::Arc;

/// Where an answer belongs: a request of a connection of a core. Stale tickets name nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    pub shard: ShardId,
    pub connection: u32,
    pub generation: u32,
    pub sequence: u32,
}

/// Between the control shard and the shards, besides asks.
pub enum Note {
    /// Control: the log directories and what their checkpoint files say. Comes once, before the first image.
    Start(Arc<super::Start>),
    /// Control: this is the cluster's metadata from now on. Shards open, create and delete partitions to match.
    Publish(Arc<Image>),
    /// Shard: every partition of mine in the image of this metadata offset is open.
    Applied { image: Offset },
    /// Control: every shard is ready; listen.
    Serve,
    /// Shard: how far my partitions are durable, for the checkpoint file of a log directory.
    Checkpoint(Vec<super::Checkpoint>),
    /// Control: the process stops; flush, take snapshots, say [`Note::Stopped`].
    Stop,
    /// Shard: everything of mine is on disk.
    Stopped,
    /// Control: all is written; end the loop.
    Halt,
    /// Shard: a log directory has failed.
    DirectoryFailed { dir: usize, why: String },
}

#[derive(Default)]
pub struct Bundle {
    pub asks: Vec<(Ticket, Ask)>,
    pub answers: Vec<(Ticket, Answer)>,
    pub notes: Vec<Note>,
}

impl Bundle {
    pub fn is_empty(&self) -> bool {
        self.asks.is_empty() && self.answers.is_empty() && self.notes.is_empty()
    }
}

/// What this core says in this turn.
pub struct Mesh {
    me: ShardId,
    /// One for each core; the one for this core is read back by [`Mesh::take_own`].
    bundles: Vec<Bundle>,
}

impl Mesh {
    pub fn new(me: ShardId, cores: u16) -> Mesh {
        Mesh { me, bundles: (0..cores).map(|_| Bundle::default()).collect() }
    }
    pub fn cores(&self) -> u16 {
        u16::try_from(self.bundles.len()).expect("counted by u16")
    }
    pub fn ask(&mut self, to: ShardId, ticket: Ticket, ask: Ask) {
        self.bundles[usize::from(to.0)].asks.push((ticket, ask));
    }
    pub fn answer(&mut self, ticket: Ticket, answer: Answer) {
        self.bundles[usize::from(ticket.shard.0)].answers.push((ticket, answer));
    }
    pub fn note(&mut self, to: ShardId, note: Note) {
        self.bundles[usize::from(to.0)].notes.push(note);
    }
    /// What this core has said to itself since the last call; empty means the turn may end.
    pub fn take_own(&mut self) -> Bundle {
        std::mem::take(&mut self.bundles[usize::from(self.me.0)])
    }
    /// Has this core nothing more to say to itself?
    pub fn is_quiet(&self) -> bool {
        self.bundles[usize::from(self.me.0)].is_empty()
    }
    /// Sends a bundle to every other core that has something to hear.
    pub fn flush(&mut self, core: &mut Core) {
        for (index, bundle) in self.bundles.iter_mut().enumerate() {
            if index != usize::from(self.me.0) && !bundle.is_empty() {
                let to = ShardId(u16::try_from(index).expect("counted by u16"));
                core.tell(to, Box::new(std::mem::take(bundle)));
            }
        }
    }
}

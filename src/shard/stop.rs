//! A clean stop: everything is made durable, so that the next start has nothing to scan.
//!
//! | stage | ends when | then |
//! |---|---|---|
//! | syncing | nothing is staged, in flight or dirty | snapshots of all producers are begun |
//! | tidying | no index, snapshot or epoch file waits to be written | checkpoints are told, then [`Note::Stopped`] |
//! | stopped | | |

use super::{Note, Partition, Shard};
use crate::log::Now;
use crate::types::ShardId;
use millrace_io::Core;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Syncing,
    Tidying,
    Stopped,
}

impl Shard {
    pub fn stop(&mut self, core: &mut Core) {
        self.stop = Some(Stop::Syncing);
        self.hurry_all(core);
        self.background.hasten();
    }

    /// One step further, if the stage is over.
    pub(super) fn stop_on(&mut self, core: &mut Core, now: Now) {
        match self.stop {
            Some(Stop::Syncing) => {
                self.sync_dirty(core, now, true);
                if self.background.is_synced() && self.partitions.iter().all(Partition::is_quiet) {
                    self.stop = Some(Stop::Tidying);
                    for id in self.partitions.ids() {
                        self.partitions.get_mut(id).expect("just listed").log.snapshot_begin();
                        self.upkeep(core, id);
                    }
                }
            }
            Some(Stop::Tidying) => {
                for id in self.background.take_upkeep() {
                    self.upkeep(core, id);
                }
                if self.disk.is_quiet() {
                    self.stop = Some(Stop::Stopped);
                    for id in self.partitions.ids() {
                        self.checkpoint(id);
                    }
                    self.tell_checkpoints();
                    self.mesh.note(ShardId(0), Note::Stopped);
                }
            }
            Some(Stop::Stopped) | None => {}
        }
    }
}

//! A clean stop: everything is made durable, so that the next start has nothing to scan.
//!
//! | stage | ends when | then |
//! |---|---|---|
//! | syncing | nothing is staged, in flight or dirty | snapshots of all producers are begun |
//! | tidying | no index, snapshot or epoch file waits to be written | one sync of the log directories as a whole |
//! | sealing | that is done | checkpoints are told, then [`Note::Stopped`] |
//! | stopped | | |

use super::background::SyncOutput;
use super::disk::{Chore, Operation};
use super::{Note, Partition, Shard};
use crate::log::Now;
use crate::types::ShardId;
use millrace_io::{ChoreOutput, Core};
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Syncing,
    Tidying,
    Sealing,
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
                        self.partitions.get_mut(id).expect("just listed").log.stop();
                        self.upkeep(core, id);
                    }
                }
            }
            Some(Stop::Tidying) => {
                for id in self.background.take_upkeep() {
                    self.upkeep(core, id);
                }
                if self.disk.is_quiet() {
                    self.stop = Some(Stop::Sealing);
                    let dirs: Vec<PathBuf> = self.dirs.iter().filter(|dir| !dir.offline).map(|dir| dir.path.clone()).collect();
                    let token = self.disk.begin(Operation::Chore(Chore::SyncAll));
                    core.chore(
                        token,
                        Box::new(move |fs| {
                            let output: SyncOutput = dirs.iter().try_for_each(|dir| fs.sync_all(dir));
                            Box::new(output)
                        }),
                    );
                }
            }
            Some(Stop::Sealing) => {}
            Some(Stop::Stopped) | None => {}
        }
    }

    /// Everything of this shard is on disk, or the disk failed at the last moment: then nothing is said to be clean.
    pub(super) fn stop_synced(&mut self, core: &mut Core, output: ChoreOutput) {
        if let Err(error) = *output.downcast::<SyncOutput>().expect("what the chore made") {
            for dir in 0..self.dirs.len() {
                self.directory_failed(core, dir, &error);
            }
        }
        self.stop = Some(Stop::Stopped);
        for id in self.partitions.ids() {
            self.checkpoint(id);
        }
        self.tell_checkpoints();
        self.mesh.note(ShardId(0), Note::Stopped);
    }
}

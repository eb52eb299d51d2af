//! One core's partitions. Everything that a core owns besides its connections hangs off one [`Shard`].
//!
//! ```text
//!  asks ──▶ produce ──▶ partition: log, staged bytes ──▶ flush: one write per partition ──▶ disk
//!      └──▶ fetch ────▶ plan, tail, files                                                    │
//!                                   ▲      who waits is woken ◀── written, high watermark ◀──┘
//!  image ──▶ life: open, create, delete            background: sync, indexes, roll, retention ──▶ clerk
//! ```
//!
//! Lives on every core. Nothing of it is reached from another core but by an [`Ask`] or a [`Note`].

mod ask;
mod background;
mod disk;
mod fetch;
mod life;
mod mesh;
mod offsets;
mod open;
mod parking;
mod partition;
mod produce;
mod stop;
mod table;
mod tail;

pub use ask::*;
pub use mesh::{Bundle, Mesh, Note, Ticket};
pub use partition::{Partition, State};

use crate::config::BrokerConfig;
use crate::error::ErrorCode;
use crate::limits::Limits;
use crate::log::Scratch;
use crate::metadata::Image;
use crate::types::{Instant, Offset, ShardId, Uuid};
use disk::{Chore, Disk, Operation, PartitionId, Read, ReadWhat};
use fetch::ParkedFetch;
use millrace_io::{ChoreOutput, Core, Done, Error, Token};
use offsets::ParkedOffsets;
use parking::Parking;
use produce::ParkedProduce;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use table::Table;
use tail::TailBudget;

pub struct Shard {
    me: ShardId,
    /// As the broker was started.
    fixed: Arc<BrokerConfig>,
    /// With what has been altered at run time.
    config: Arc<BrokerConfig>,
    limits: Limits,
    image: Arc<Image>,
    pub mesh: Mesh,
    /// Log directories; the same list on every shard.
    dirs: Vec<Directory>,
    partitions: Table,
    tails: TailBudget,
    disk: Disk,
    produces: Parking<ParkedProduce>,
    fetches: Parking<ParkedFetch>,
    listings: Parking<ParkedOffsets>,
    /// Partitions that have staged bytes in this turn; may name one twice.
    dirty_now: Vec<PartitionId>,
    scratch: Scratch,
    background: background::Background,
    life: life::Life,
    /// How far a clean stop has come, once one has begun.
    stop: Option<stop::Stop>,
}

struct Directory {
    path: PathBuf,
    id: Uuid,
    offline: bool,
}

/// What the control shard has found in the log directories before any partition is opened.
#[derive(Debug)]
pub struct Start {
    pub cluster_id: String,
    pub dirs: Vec<LogDir>,
}

/// One entry of `log.dirs`, as found at start.
#[derive(Debug)]
pub struct LogDir {
    pub path: PathBuf,
    /// `directory.id` of its `meta.properties`.
    pub id: Uuid,
    /// It was closed cleanly: nothing has to be scanned.
    pub clean: bool,
    /// Why it cannot be used, if so.
    pub offline: Option<String>,
    /// By topic and partition index: `recovery-point-offset-checkpoint` and `log-start-offset-checkpoint`.
    pub recovery_points: BTreeMap<(String, i32), Offset>,
    pub log_starts: BTreeMap<(String, i32), Offset>,
}

/// How far one partition is durable, for the checkpoint files of its log directory.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Index in [`Start::dirs`].
    pub dir: usize,
    pub topic: String,
    pub index: i32,
    /// None: the partition has left this directory.
    pub point: Option<CheckpointPoint>,
}

#[derive(Clone, Copy, Debug)]
pub struct CheckpointPoint {
    pub recovery_point: Offset,
    pub log_start: Offset,
    pub high_watermark: Offset,
}

impl Shard {
    pub fn new(me: ShardId, cores: u16, config: Arc<BrokerConfig>, limits: Limits) -> Shard {
        Shard {
            me,
            fixed: config.clone(),
            config,
            limits,
            image: Arc::new(Image::default()),
            mesh: Mesh::new(me, cores),
            dirs: Vec::new(),
            partitions: Table::default(),
            tails: TailBudget::default(),
            disk: Disk::default(),
            produces: Parking::default(),
            fetches: Parking::default(),
            listings: Parking::default(),
            dirty_now: Vec::new(),
            scratch: Scratch::default(),
            background: background::Background::default(),
            life: life::Life::default(),
            stop: None,
        }
    }

    /// The broker's options as they are now.
    pub fn config(&self) -> &Arc<BrokerConfig> {
        &self.config
    }
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
    pub fn image(&self) -> &Arc<Image> {
        &self.image
    }

    /// Path, id, and whether it is offline, of every log directory, in the order of `log.dirs`.
    pub fn directories(&self) -> impl Iterator<Item = (&Path, Uuid, bool)> {
        self.dirs.iter().map(|dir| (dir.path.as_path(), dir.id, dir.offline))
    }

    fn find(&self, key: &PartitionKey) -> Option<PartitionId> {
        self.partitions.find(key)
    }
    pub fn partition(&self, key: &PartitionKey) -> Option<&Partition> {
        self.partitions.get(self.partitions.find(key)?)
    }
    pub fn partition_mut(&mut self, key: &PartitionKey) -> Option<&mut Partition> {
        let id = self.partitions.find(key)?;
        self.partitions.get_mut(id)
    }
    /// Every partition of this shard, in the order of their keys.
    pub fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.iter()
    }

    // ---- events

    pub fn file_done(&mut self, core: &mut Core, token: Token, result: Result<Done, Error>) {
        match self.disk.end(token) {
            Operation::Write { partition, write } => self.written(core, partition, write, result.map(drop)),
            Operation::Sync { partition, end } => self.synced(core, partition, end, result.map(drop)),
            Operation::Read(read) => {
                let result = match result {
                    Ok(Done::Read(buf)) => Ok(buf),
                    Ok(_) => unreachable!("a read brings a buffer"),
                    Err(error) => Err(self.read_failed(core, read.partition, &error)),
                };
                match read.what {
                    ReadWhat::Records => self.records_read(core, read, result),
                    ReadWhat::Need(_) | ReadWhat::Time(_) => self.on_need(core, read, result.as_deref().map_err(|code| *code)),
                }
            }
            Operation::Chore(_) => unreachable!("chores are not file operations"),
        }
    }

    pub fn chore_done(&mut self, core: &mut Core, token: Token, output: ChoreOutput) {
        match self.disk.end(token) {
            Operation::Chore(chore) => self.on_chore(core, chore, output),
            _ => unreachable!("file operations are not chores"),
        }
    }

    /// What a log must see has come back.
    fn on_need(&mut self, core: &mut Core, read: Read, result: Result<&[u8], ErrorCode>) {
        match read.what {
            ReadWhat::Need(need) => self.need_read(core, read, need, result),
            ReadWhat::Time(need) => self.time_read(core, read, need, result),
            ReadWhat::Records => unreachable!("records are not looked at"),
        }
    }

    fn on_chore(&mut self, core: &mut Core, chore: Chore, output: ChoreOutput) {
        match chore {
            Chore::Index(read) => {
                let bytes = *output.downcast::<Result<Vec<u8>, Error>>().expect("what the chore made");
                let bytes = bytes.map_err(|error| self.read_failed(core, read.partition, &error));
                self.on_need(core, read, bytes.as_deref().map_err(|code| *code));
            }
            Chore::Open(key) => self.open_done(core, key, output),
            Chore::Upkeep(id) => self.upkeep_done(core, id, output),
            Chore::Retention(id, need) => self.retention_read(id, &need, output),
            Chore::Remove => {}
            Chore::SyncAll => self.stop_synced(core, output),
        }
    }

    // ---- end of the turn

    /// One vectored write for every partition that has appended in this turn.
    pub fn flush(&mut self, core: &mut Core) {
        let mut arrived = Vec::new();
        for id in std::mem::take(&mut self.dirty_now) {
            let Some(partition) = self.partitions.get_mut(id).filter(|p| p.has_staged() && p.state == State::Open) else { continue };
            for write in partition.take_writes(&self.limits, &mut arrived) {
                let token = self.disk.begin(Operation::Write { partition: id, write: write.write });
                core.write(&partition.files[&write.segment], u64::from(write.position.0), write.bufs, token);
            }
            for bytes in arrived.drain(..) {
                self.tails.arrived(id.slot, bytes);
            }
        }
        while let Some(slot) = self.tails.evict(&self.limits) {
            if let Some(partition) = self.partitions.at_mut(slot) {
                partition.tail.drop_oldest();
            }
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        [self.produces.deadline(), self.fetches.deadline(), self.background.deadline()].into_iter().flatten().min()
    }

    pub fn expire(&mut self, core: &mut Core, now: Instant) {
        self.expire_produces(now);
        self.expire_fetches(core, now);
        self.tick(core, now);
    }

    /// A write has come back: whoever waited for it is answered.
    fn written(&mut self, core: &mut Core, id: PartitionId, write: u64, result: Result<(), Error>) {
        let Some(partition) = self.partitions.get_mut(id) else { return };
        if let Err(error) = result {
            partition.write_failed(write);
            self.write_failed(core, id, &error);
            return;
        }
        partition.written(write);
        self.background.dirty(id);
        self.advance(core, id);
    }

    /// The high watermark may have moved: acknowledges, and wakes readers.
    fn advance(&mut self, core: &mut Core, id: PartitionId) {
        let Some(partition) = self.partitions.get_mut(id) else { return };
        let woken = partition.waiting_fetches.clone();
        while let Some((park, slot)) = self.partitions.get_mut(id).and_then(Partition::next_ack) {
            self.settle(park, slot, ErrorCode::None);
        }
        for park in woken {
            self.attempt(core, park);
        }
    }
}

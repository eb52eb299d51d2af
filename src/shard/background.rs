//! What nobody waits for: making bytes durable, indexes, snapshots, the next segment's file, retention, deleted files.
//!
//! ```text
//!  tick (every 50 ms) ──▶ partitions with something to do ──▶ sync, one or two at a time ──▶ recovery point ─▶ control
//!                                                        └──▶ upkeep: one chore per partition with all its small files
//! ```
//!
//! Dirty bytes are synced all the time in small even steps: a start after kill -9 has little to scan, and the kernel's
//! write-back finds nothing to do at once. None of it is on the way of an append.

use super::disk::{Chore, Operation, PartitionId};
use super::mesh::Note;
use super::partition::{Partition, State};
use super::{Checkpoint, CheckpointPoint, Shard};
use crate::error::ErrorCode;
use crate::log::names::{DELETED, SPARE, SegmentFile};
use crate::log::{IndexWrite, Need, Now, Roll, Snapshot};
use crate::plants::{Plant, Plants};
use crate::types::{Instant, Offset, ShardId};
use millrace_io::{ChoreOutput, Core, Error, File, Fs, OpenHow, is_disk_full};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing::{error, warn};

const TICK: Duration = Duration::from_millis(50);
/// Bytes after which a partition is synced, and the time after which it is even with fewer.
const SYNC_BYTES: u64 = 8 << 20;
const SYNC_AGE: Duration = Duration::from_secs(1);
/// Syncs of one shard at a time. More of them make the disk's queue deeper for those who wait for it.
const SYNCS_MAX: u32 = 2;
/// Index entries that wait before they are written while a segment grows: one page of the offset index.
const INDEX_ENTRIES_MIN: u32 = 512;
/// Bytes between snapshots of the producers: the most that a recovery reads again for their sake.
const SNAPSHOT_BYTES: u64 = 64 << 20;
/// Bytes allocated for a spare ahead of time, at most.
const SPARE_ALLOCATED: u64 = 64 << 20;
/// How often a partition whose disk was full is tried again.
const FULL_RETRY: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct Background {
    next_tick: Instant,
    next_retention: Instant,
    /// Written since they were last synced.
    dirty: BTreeSet<PartitionId>,
    /// Where the next tick begins to look, so that all get their turn.
    next_dirty: Option<PartitionId>,
    syncs: u32,
    /// Partitions whose small files may have something to do.
    upkeep: BTreeSet<PartitionId>,
    /// Partitions that retention must look at now.
    shortened: BTreeSet<PartitionId>,
    /// Full partitions and when to try them again.
    full: BTreeMap<PartitionId, Instant>,
    /// Files and directories to remove, and when.
    removals: BTreeSet<(Instant, PathBuf)>,
    /// To be told to the control shard.
    checkpoints: Vec<Checkpoint>,
}

/// What a chore of upkeep does, in this order.
#[derive(Default)]
struct Upkeep {
    path: PathBuf,
    plants: Plants,
    /// Sync the names of a new partition's files, and its own.
    name: bool,
    /// What is written need not be durable one by one: everything is synced at the end of a clean stop.
    lazy: bool,
    /// The spare has become the segment with this base offset.
    rename_spare: Option<Offset>,
    /// A finished segment's file, whose blocks beyond its end are given back.
    trim: Vec<File>,
    indexes: Vec<IndexWrite>,
    snapshot: Option<Snapshot>,
    epochs: Option<Vec<u8>>,
    /// Segments that are no longer part of the log.
    deleted: Vec<Offset>,
    snapshots_deleted: Vec<Offset>,
    /// Make a spare of this many allocated bytes.
    spare: Option<u64>,
}

struct UpkeepDone {
    upkeep: Upkeep,
    spare: Option<File>,
    result: Result<(), Error>,
}

impl Background {
    /// Is nothing dirty, and nothing being synced?
    pub fn is_synced(&self) -> bool {
        self.dirty.is_empty() && self.syncs == 0
    }
    /// Partitions whose small files may have something to do.
    pub fn take_upkeep(&mut self) -> BTreeSet<PartitionId> {
        std::mem::take(&mut self.upkeep)
    }
    /// The next tick comes at once.
    pub fn hasten(&mut self) {
        self.next_tick = Instant::default();
    }
    pub fn deadline(&self) -> Option<Instant> {
        Some(self.next_tick)
    }
    pub fn dirty(&mut self, id: PartitionId) {
        self.dirty.insert(id);
    }
    pub fn opened(&mut self, id: PartitionId) {
        self.upkeep.insert(id);
    }
    /// The log start has moved: files may go.
    pub fn shortened(&mut self, id: PartitionId) {
        self.shortened.insert(id);
        self.upkeep.insert(id);
    }
    /// There is room again, and the log has been opened from its files.
    pub fn reopened(&mut self, id: PartitionId) {
        self.full.remove(&id);
        self.upkeep.insert(id);
    }
    pub fn full(&mut self, id: PartitionId, now: Instant) {
        self.full.insert(id, now + FULL_RETRY);
    }
    pub fn remove_later(&mut self, due: Instant, path: PathBuf) {
        self.removals.insert((due, path));
    }
    /// The partition has left its log directory.
    pub fn removed(&mut self, partition: &Partition) {
        self.dirty.remove(&partition.id);
        self.upkeep.remove(&partition.id);
        self.shortened.remove(&partition.id);
        self.full.remove(&partition.id);
        self.checkpoints.push(Checkpoint {
            dir: partition.dir,
            topic: partition.topic.to_string(),
            index: partition.key.index,
            point: None,
        });
    }
}

impl Shard {
    /// Looks for what is due.
    pub(super) fn tick(&mut self, core: &mut Core, now: Instant) {
        if now < self.background.next_tick {
            return;
        }
        self.background.next_tick = now + TICK;
        let clocks = Now { instant: now, wall: core.wall() };
        if self.stop.is_some() {
            self.stop_on(core, clocks);
            return;
        }
        self.sync_dirty(core, clocks, false);
        if now >= self.background.next_retention {
            self.background.next_retention = now + Duration::from_millis(self.config.log_retention_check_interval_ms);
            self.background.shortened.extend(self.partitions.ids());
            for id in self.partitions.ids() {
                self.partitions.get_mut(id).expect("just listed").log.expire_producers(clocks);
            }
        }
        for id in std::mem::take(&mut self.background.shortened) {
            self.retention(core, id, clocks);
        }
        for id in self.background.take_upkeep() {
            self.upkeep(core, id);
        }
        let retry: Vec<PartitionId> = self.background.full.iter().filter(|(_, due)| **due <= now).map(|(id, _)| *id).collect();
        for id in retry {
            self.background.full.insert(id, now + FULL_RETRY);
            self.open_again(core, id);
        }
        self.remove_due(core, now);
        self.tell_checkpoints();
    }

    pub(super) fn tell_checkpoints(&mut self) {
        if !self.background.checkpoints.is_empty() {
            let points = std::mem::take(&mut self.background.checkpoints);
            self.mesh.note(ShardId(0), Note::Checkpoint(points));
        }
    }

    // ---- making bytes durable

    /// Syncs what has been dirty for long or has grown large; everything when `all`.
    pub(super) fn sync_dirty(&mut self, core: &mut Core, now: Now, all: bool) {
        let from = self.background.next_dirty.take();
        let after = |id: &PartitionId| from.is_some_and(|from| *id >= from);
        let dirty: Vec<PartitionId> = self.background.dirty.iter().copied().collect();
        let (second, first): (Vec<_>, Vec<_>) = dirty.into_iter().partition(|id| !after(id));
        for id in first.into_iter().chain(second) {
            let Some(partition) = self.partitions.get_mut(id) else {
                self.background.dirty.remove(&id);
                continue;
            };
            let (bytes, since) = partition.log.dirty();
            let Some(since) = since.filter(|_| partition.state != State::Offline) else {
                self.background.dirty.remove(&id);
                continue;
            };
            let due = bytes >= SYNC_BYTES || now.instant.since(since) >= SYNC_AGE || partition.log.flush_due(now);
            if !(due || all) {
                continue;
            }
            if !all && self.background.syncs >= SYNCS_MAX {
                self.background.next_dirty = Some(id);
                return;
            }
            self.sync(core, id);
        }
    }

    fn sync(&mut self, core: &mut Core, id: PartitionId) {
        let Some(partition) = self.partitions.get_mut(id) else { return };
        let Some(flush) = partition.log.flush() else { return };
        partition.syncs = u32::try_from(flush.segments.len()).expect("few segments are dirty");
        for segment in &flush.segments {
            let token = self.disk.begin(Operation::Sync { partition: id, end: flush.upto });
            self.background.syncs += 1;
            core.sync(&partition.files[segment], token);
        }
    }

    pub(super) fn synced(&mut self, core: &mut Core, id: PartitionId, end: Offset, result: Result<(), Error>) {
        self.background.syncs -= 1;
        let Some(partition) = self.partitions.get_mut(id) else { return };
        if let Err(error) = result {
            // What the kernel could not write it may have forgotten: asking again would lie (the fsync gate).
            let dir = partition.dir;
            self.directory_failed(core, dir, &error);
            return;
        }
        partition.syncs -= 1;
        if partition.syncs > 0 {
            return;
        }
        partition.log.flushed(end);
        self.background.upkeep.insert(id);
        // The recovery point of a new partition is told once its names are durable too.
        if !partition.is_new {
            self.checkpoint(id);
        }
    }

    /// Tells the control shard how far the partition is durable.
    pub(super) fn checkpoint(&mut self, id: PartitionId) {
        let Some(partition) = self.partitions.get(id) else { return };
        self.background.checkpoints.push(Checkpoint {
            dir: partition.dir,
            topic: partition.topic.to_string(),
            index: partition.key.index,
            point: Some(CheckpointPoint {
                recovery_point: partition.log.recovery_checkpoint(),
                log_start: partition.log.log_start(),
                high_watermark: partition.high_watermark(),
            }),
        });
    }

    // ---- segments

    /// A segment has ended and the next begins: bytes go to the spare at once, names follow in the background.
    pub(super) fn rolled(&mut self, core: &mut Core, id: PartitionId, roll: &Roll) {
        let partition = self.partitions.get_mut(id).expect("just appended");
        let path = |base: Offset| partition.path.join(SegmentFile::Log.name(base));
        let fs = core.fs();
        let file = match partition.spare.take() {
            Some(spare) => {
                partition.renames.push(roll.begins);
                Ok(spare)
            }
            None => {
                // Two rolls in a moment: the first one's name cannot wait any longer.
                for begins in partition.renames.drain(..) {
                    // The clerk may have been quicker.
                    let _ = fs.rename(&partition.path.join(SPARE), &path(begins));
                }
                fs.open(&path(roll.begins), OpenHow::CREATE)
            }
        };
        match file {
            Ok(file) => {
                partition.files.insert(roll.begins, file);
                self.background.upkeep.insert(id);
            }
            Err(error) => self.create_failed(core, id, &error),
        }
    }

    fn retention(&mut self, core: &mut Core, id: PartitionId, now: Now) {
        let Some(partition) = self.partitions.get_mut(id).filter(|partition| partition.state == State::Open) else { return };
        let high_watermark = partition.high_watermark();
        let retention = partition.log.retention(now, high_watermark);
        for base in &retention.deleted {
            partition.files.remove(base);
        }
        let changed = !retention.deleted.is_empty();
        partition.deleted.extend(retention.deleted);
        partition.start_moved();
        if let Some(roll) = &retention.rolled {
            self.rolled(core, id, roll);
        }
        if let Some(need) = retention.need {
            self.read_for_retention(core, id, need);
        }
        if changed {
            self.background.upkeep.insert(id);
            self.checkpoint(id);
        }
    }

    fn read_for_retention(&mut self, core: &mut Core, id: PartitionId, need: Need) {
        let partition = self.partitions.get(id).expect("just asked");
        let path = partition.path.join(need.file.name(need.segment));
        let token = self.disk.begin(Operation::Chore(Chore::Retention(id, need)));
        core.chore(token, Box::new(move |fs| Box::new(read_part(fs, &path, &need))));
    }

    pub(super) fn retention_read(&mut self, id: PartitionId, need: &Need, output: ChoreOutput) {
        let bytes = *output.downcast::<Result<Vec<u8>, Error>>().expect("what the chore made");
        if let (Ok(bytes), Some(partition)) = (bytes, self.partitions.get_mut(id)) {
            partition.log.retention_on(need, &bytes);
            self.background.shortened.insert(id);
        }
    }

    // ---- small files

    /// Starts a chore with everything the partition's small files need, if it has none under way.
    pub(super) fn upkeep(&mut self, core: &mut Core, id: PartitionId) {
        let Some(partition) = self.partitions.get_mut(id).filter(|partition| partition.state != State::Offline) else { return };
        if partition.upkeep_out {
            return;
        }
        let stopping = self.stop.is_some();
        let mut upkeep = Upkeep {
            path: partition.path.clone(),
            plants: self.limits.plants,
            lazy: stopping,
            rename_spare: partition.renames.pop(),
            ..Upkeep::default()
        };
        upkeep.name = !stopping && partition.is_new && partition.log.recovery_point() > partition.log.log_start();
        while let Some(write) = partition.log.index_write(if stopping { 1 } else { INDEX_ENTRIES_MIN }) {
            if write.completes {
                upkeep.trim.extend(partition.files.get(&write.segment).cloned());
            }
            upkeep.indexes.push(write);
        }
        if partition.log.bytes() >= partition.snapshot_bytes + SNAPSHOT_BYTES {
            partition.snapshot_bytes = partition.log.bytes();
            partition.log.snapshot_begin();
        }
        upkeep.snapshot = partition.log.snapshot_write();
        upkeep.epochs = partition.log.epochs_write();
        upkeep.deleted = std::mem::take(&mut partition.deleted);
        upkeep.snapshots_deleted = std::mem::take(&mut partition.snapshots_deleted);
        let active = partition.log.active();
        let segment_bytes = partition.log.config().segment_bytes;
        let wants_spare = partition.spare.is_none() && partition.renames.is_empty() && active.len > segment_bytes / 2;
        if wants_spare && !stopping {
            upkeep.spare = Some(u64::from(segment_bytes).min(SPARE_ALLOCATED));
        }
        if upkeep.is_empty() {
            return;
        }
        partition.upkeep_out = true;
        let token = self.disk.begin(Operation::Chore(Chore::Upkeep(id)));
        core.chore(token, Box::new(move |fs| Box::new(upkeep.run(fs))));
    }

    pub(super) fn upkeep_done(&mut self, core: &mut Core, id: PartitionId, output: ChoreOutput) {
        let UpkeepDone { upkeep, spare, result } = *output.downcast::<UpkeepDone>().expect("what the chore made");
        let now = core.now();
        let Some(partition) = self.partitions.get_mut(id) else { return };
        partition.upkeep_out = false;
        match result {
            Ok(()) => {
                if upkeep.name {
                    partition.is_new = false;
                    let point = partition.id;
                    self.checkpoint(point);
                }
                let partition = self.partitions.get_mut(id).expect("just seen");
                for write in &upkeep.indexes {
                    partition.log.index_written(write);
                }
                if upkeep.epochs.is_some() {
                    partition.log.epochs_written();
                }
                if let Some(snapshot) = &upkeep.snapshot {
                    partition.snapshots_deleted.extend(partition.log.snapshot_written(snapshot.offset));
                }
                if spare.is_some() {
                    partition.spare = spare;
                }
                let delay = Duration::from_millis(partition.log.config().file_delete_delay_ms);
                for base in &upkeep.deleted {
                    for kind in SegmentFile::ALL {
                        let name = format!("{}{DELETED}", kind.name(*base));
                        self.background.removals.insert((now + delay, upkeep.path.join(name)));
                    }
                }
                self.background.upkeep.insert(id);
            }
            // Indexes, snapshots and spares are made again when they are needed; appends notice a full disk themselves.
            Err(error) if is_disk_full(&error) => {
                warn!(path = %upkeep.path.display(), "no room for indexes: {error}");
                partition.log.unwritten();
            }
            Err(error) => {
                let dir = partition.dir;
                self.directory_failed(core, dir, &error);
            }
        }
    }

    fn remove_due(&mut self, core: &mut Core, now: Instant) {
        let mut due = Vec::new();
        while self.background.removals.first().is_some_and(|(at, _)| *at <= now) {
            due.push(self.background.removals.pop_first().expect("just seen").1);
        }
        if due.is_empty() {
            return;
        }
        let token = self.disk.begin(Operation::Chore(Chore::Remove));
        core.chore(
            token,
            Box::new(move |fs| {
                remove_all(fs, &due);
                Box::new(())
            }),
        );
    }

    // ---- failures

    /// A write of records failed. A full disk stops appends to this partition until there is room; anything else takes
    /// the log directory offline.
    pub(super) fn write_failed(&mut self, core: &mut Core, id: PartitionId, failure: &Error) {
        let now = core.now();
        let partition = self.partitions.get_mut(id).expect("its write has just come back");
        if !is_disk_full(failure) {
            let dir = partition.dir;
            self.directory_failed(core, dir, failure);
            return;
        }
        if partition.state == State::Open {
            let path = partition.path.display();
            error!(topic = %partition.topic, partition = partition.key.index, %path, "disk full: appends are refused until there is room");
            partition.fill_up();
            self.background.full(id, now);
            self.fail_waiting(core, id, ErrorCode::KafkaStorageError);
        }
    }

    fn create_failed(&mut self, core: &mut Core, id: PartitionId, failure: &Error) {
        self.write_failed(core, id, failure);
    }

    /// What whoever waited for the read is told.
    pub(super) fn read_failed(&mut self, core: &mut Core, id: PartitionId, failure: &Error) -> ErrorCode {
        let Some(partition) = self.partitions.get(id) else { return ErrorCode::NotLeaderOrFollower };
        error!(topic = %partition.topic, partition = partition.key.index, "cannot read: {failure}");
        let dir = partition.dir;
        self.directory_failed(core, dir, failure);
        ErrorCode::KafkaStorageError
    }

    /// Everything in this log directory is answered with KAFKA_STORAGE_ERROR from now on.
    pub(super) fn directory_failed(&mut self, core: &mut Core, dir: usize, failure: &Error) {
        if std::mem::replace(&mut self.dirs[dir].offline, true) {
            return;
        }
        let why = failure.to_string();
        self.mesh.note(ShardId(0), Note::DirectoryFailed { dir, why });
        for id in self.partitions.ids() {
            if self.partitions.get(id).is_some_and(|partition| partition.dir == dir) {
                self.partitions.get_mut(id).expect("just seen").go_offline();
                self.fail_waiting(core, id, ErrorCode::KafkaStorageError);
            }
        }
    }

    // ---- reading indexes

    /// Reads a part of an index of a closed segment for a parked request.
    pub(super) fn read_index(&mut self, core: &mut Core, read: super::disk::Read, need: Need) {
        let partition = self.partitions.get(read.partition).expect("just planned");
        let path = partition.path.join(need.file.name(need.segment));
        let token = self.disk.begin(Operation::Chore(Chore::Index(read)));
        core.chore(token, Box::new(move |fs| Box::new(read_part(fs, &path, &need))));
    }
}

impl Upkeep {
    fn is_empty(&self) -> bool {
        !self.name
            && self.rename_spare.is_none()
            && self.trim.is_empty()
            && self.indexes.is_empty()
            && self.snapshot.is_none()
            && self.epochs.is_none()
            && self.deleted.is_empty()
            && self.snapshots_deleted.is_empty()
            && self.spare.is_none()
    }

    fn run(self, fs: &Fs) -> UpkeepDone {
        let mut spare = None;
        let result = self.steps(fs, &mut spare);
        UpkeepDone { upkeep: self, spare, result }
    }

    fn replace(&self, fs: &Fs, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        if self.lazy { fs.write_renamed(path, bytes) } else { fs.write_atomic(path, bytes) }
    }

    fn steps(&self, fs: &Fs, spare: &mut Option<File>) -> Result<(), Error> {
        if self.name {
            fs.sync_dir(&self.path)?;
            fs.sync_dir(self.path.parent().expect("a partition lies in a log directory"))?;
        }
        if let Some(base) = self.rename_spare {
            let to = self.path.join(SegmentFile::Log.name(base));
            if !fs.exists(&to) {
                fs.rename(&self.path.join(SPARE), &to)?;
            }
            fs.sync_dir(&self.path)?;
        }
        for file in &self.trim {
            file.trim()?;
            if self.plants.has(Plant::RollLosesLastBatch) {
                file.truncate(file.len()?.saturating_sub(1))?;
            }
        }
        for write in &self.indexes {
            let file = fs.open(&self.path.join(write.file.name(write.segment)), OpenHow::CREATE)?;
            let mut bytes = write.bytes.clone();
            if write.file == SegmentFile::OffsetIndex && self.plants.has(Plant::IndexOffByOne) {
                bytes.chunks_exact_mut(8).for_each(|entry| entry[7] = entry[7].wrapping_add(1));
            }
            file.write_at(u64::from(write.position.0), &bytes)?;
            if write.completes {
                file.truncate(u64::from(write.position.0) + write.bytes.len() as u64)?;
                if !self.lazy {
                    file.sync()?;
                }
            }
        }
        if let Some(snapshot) = &self.snapshot {
            self.replace(fs, &self.path.join(SegmentFile::Snapshot.name(snapshot.offset)), &snapshot.bytes)?;
        }
        if let Some(epochs) = &self.epochs {
            self.replace(fs, &self.path.join(crate::log::names::LEADER_EPOCH_CHECKPOINT), epochs)?;
        }
        for base in &self.deleted {
            for kind in SegmentFile::ALL {
                let from = self.path.join(kind.name(*base));
                if fs.exists(&from) {
                    fs.rename(&from, &self.path.join(format!("{}{DELETED}", kind.name(*base))))?;
                }
            }
        }
        for offset in &self.snapshots_deleted {
            let path = self.path.join(SegmentFile::Snapshot.name(*offset));
            if fs.exists(&path) {
                fs.remove_file(&path)?;
            }
        }
        if let Some(bytes) = self.spare {
            let file = fs.open(&self.path.join(SPARE), OpenHow::CREATE)?;
            file.truncate(0)?;
            file.allocate(0, bytes)?;
            // Records that are flushed into it must be found again.
            fs.sync_dir(&self.path)?;
            *spare = Some(file);
        }
        Ok(())
    }
}

/// What the last step of a clean stop brings back.
pub type SyncOutput = Result<(), Error>;

/// Bytes of a file that the log must see; fewer if the file ends, none if it is missing.
fn read_part(fs: &Fs, path: &Path, need: &Need) -> Result<Vec<u8>, Error> {
    let file = match fs.open(path, OpenHow::READ) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let mut bytes = vec![0; need.len as usize];
    let read = file.read_at(u64::from(need.position.0), &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Files and directories whose time has come; what is gone already is fine.
fn remove_all(fs: &Fs, paths: &[PathBuf]) {
    for path in paths.iter().filter(|path| fs.exists(path)) {
        // A file first: most are.
        if let Err(error) = fs.remove_file(path).or_else(|_| fs.remove_dir_all(path)) {
            warn!(path = %path.display(), "cannot delete: {error}");
        }
    }
}

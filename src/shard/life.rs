//! Which partitions this shard has: it follows the image.
//!
//! ```text
//!  image ──▶ compare ──┬─ missing here     ──▶ open (before serving: at once; later: the clerk) ──▶ in the table
//!                      ├─ gone from image  ──▶ out of the table; its directory renamed, later removed
//!                      └─ settings changed ──▶ Log::configure
//!  directories of no partition, at start ──▶ renamed to `…-stray`, and left to a person
//!            nothing is being opened any more ──▶ Applied { image }
//! ```

use super::ask::PartitionKey;
use super::disk::{Chore, Operation, PartitionId};
use super::mesh::Note;
use super::open::{Opened, Spec, aside, open, set_aside};
use super::partition::Partition;
use super::{Directory, Shard, Start};
use crate::config::Overrides;
use crate::error::ErrorCode;
use crate::log::names::{PARTITION_METADATA, PartitionDir, partition_dir, stray_dir};
use crate::log::{Checkpoints, LogConfig, Now, checkpoints};
use crate::metadata::topic_name::CLUSTER_METADATA;
use crate::metadata::{Image, ResourceType, Topic};
use crate::types::{Instant, Offset, ShardId, Uuid};
use millrace_io::{ChoreOutput, Core, Error, Fs};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tracing::{debug, info, warn};

#[derive(Default)]
pub struct Life {
    /// What the checkpoint files said; used up as partitions are opened.
    checkpoints: BTreeMap<(String, i32), Checkpoints>,
    /// By log directory: was it closed cleanly?
    clean: Vec<bool>,
    /// Partitions that the clerk is opening.
    opening: BTreeSet<PartitionKey>,
    /// An image has been applied before: from now on nothing may hold up the core.
    serving: bool,
    /// The newest image that has not been reported as applied.
    to_report: Option<Offset>,
}

/// What the clerk brings back from opening a partition.
type OpenOutput = (Spec, Result<Opened, Error>);

impl Shard {
    /// What the control shard found in the log directories.
    pub fn start(&mut self, core: &mut Core, start: &Start) {
        self.dirs = start.dirs.iter().map(|dir| Directory { path: dir.path.clone(), id: dir.id, offline: dir.offline.is_some() }).collect();
        for dir in &start.dirs {
            for ((topic, index), point) in &dir.recovery_points {
                let entry = self.life.checkpoints.entry((topic.clone(), *index)).or_default();
                entry.recovery_point = Some(*point);
            }
            for ((topic, index), log_start) in &dir.log_starts {
                self.life.checkpoints.entry((topic.clone(), *index)).or_default().log_start = Some(*log_start);
            }
        }
        self.life.clean = start.dirs.iter().map(|dir| dir.clean).collect();
        if self.me == ShardId(0) {
            let dirs: Vec<PathBuf> = self.dirs.iter().filter(|dir| !dir.offline).map(|dir| dir.path.clone()).collect();
            let token = self.disk.begin(Operation::Chore(Chore::Remove));
            core.chore(token, Box::new(move |fs| Box::new(remove_leftovers(fs, &dirs))));
        }
    }

    pub fn publish(&mut self, core: &mut Core, image: Arc<Image>) {
        if !self.life.serving && self.me == ShardId(0) {
            for dir in self.dirs.iter().filter(|dir| !dir.offline) {
                if let Err(error) = set_strays_aside(&core.fs(), &dir.path, &image) {
                    warn!(path = %dir.path.display(), "cannot look for partitions that no topic has: {error}");
                }
            }
        }
        let before = std::mem::replace(&mut self.image, image.clone());
        let me = self.me;
        let mut wanted = BTreeSet::new();
        let (effective, _) = image.broker_config(&self.fixed);
        self.config = Arc::new(effective);
        let node = self.config.node_id;
        let defaults_changed = broker_settings(&before) != broker_settings(&image);
        for topic in image.topics() {
            let changed = defaults_changed || topic_settings(&before, topic) != topic_settings(&image, topic);
            for (index, partition) in topic.partitions().filter(|(_, partition)| partition.shard == me) {
                let key = PartitionKey { topic: topic.id, index };
                wanted.insert(key);
                match self.find(&key) {
                    Some(id) if changed => {
                        let config = self.log_config(topic);
                        self.partitions.get_mut(id).expect("just found").log.configure(config);
                    }
                    Some(_) => {}
                    None if self.life.opening.contains(&key) => {}
                    None => self.open(core, topic, key, partition.directory(node)),
                }
            }
        }
        for id in self.partitions.ids() {
            let key = self.partitions.get(id).expect("just listed").key;
            if !wanted.contains(&key) {
                self.remove(core, id);
            }
        }
        self.life.serving = true;
        self.life.to_report = Some(image.end);
        self.report();
    }

    /// Says that the image is applied, once nothing is being opened.
    fn report(&mut self) {
        if self.life.opening.is_empty()
            && let Some(image) = self.life.to_report.take()
        {
            self.mesh.note(ShardId(0), Note::Applied { image });
        }
    }

    fn log_config(&self, topic: &Topic) -> Arc<LogConfig> {
        Arc::new(self.image.topic_config(&topic.name, &self.config).log)
    }

    // ---- opening

    fn open(&mut self, core: &mut Core, topic: &Topic, key: PartitionKey, directory: Option<Uuid>) {
        let Some(dir) = self.dirs.iter().position(|dir| Some(dir.id) == directory) else {
            warn!(topic = %topic.name, partition = key.index, ?directory, "its log directory is not among log.dirs; the partition is offline");
            return;
        };
        let mut checkpoints = self.life.checkpoints.remove(&(topic.name.to_string(), key.index)).unwrap_or_default();
        checkpoints.clean = self.life.clean[dir];
        let spec = Spec {
            key,
            topic: topic.name.clone(),
            dir,
            path: self.dirs[dir].path.join(partition_dir(&topic.name, key.index)),
            config: self.log_config(topic),
            checkpoints,
            now: Now { instant: core.now(), wall: core.wall() },
            seed: core.random(),
            plants: self.limits.plants,
        };
        self.open_spec(core, spec);
    }

    fn open_spec(&mut self, core: &mut Core, spec: Spec) {
        if !self.life.serving {
            let result = open(&core.fs(), &spec);
            self.opened(core, spec, result);
            return;
        }
        self.life.opening.insert(spec.key);
        let token = self.disk.begin(Operation::Chore(Chore::Open(spec.key)));
        core.chore(
            token,
            Box::new(move |fs| {
                let result = open(fs, &spec);
                let output: OpenOutput = (spec, result);
                Box::new(output)
            }),
        );
    }

    pub(super) fn open_done(&mut self, core: &mut Core, key: PartitionKey, output: ChoreOutput) {
        let (spec, result) = *output.downcast::<OpenOutput>().expect("what the chore made");
        self.life.opening.remove(&key);
        self.opened(core, spec, result);
        self.report();
    }

    fn opened(&mut self, core: &mut Core, spec: Spec, result: Result<Opened, Error>) {
        let (dir, topic, key) = (spec.dir, spec.topic.clone(), spec.key);
        let opened = match result {
            Ok(opened) => opened,
            Err(error) => {
                warn!(%topic, partition = key.index, %error, "cannot open the partition");
                self.directory_failed(core, dir, &error);
                return;
            }
        };
        for remark in &opened.remarks {
            info!(%topic, partition = key.index, "recovery: {remark}");
        }
        if opened.scanned_bytes > 0 {
            debug!(%topic, partition = key.index, bytes = opened.scanned_bytes, "recovery has walked through the log's end");
        }
        let Some(partition) = self.image.topic_by_id(key.topic).and_then(|topic| topic.partition(key.index)) else {
            // Deleted while it was being opened.
            let now = core.now();
            self.remove_dir(core, now, key, topic, spec.path);
            return;
        };
        let leader_epoch = partition.leader_epoch;
        let mut log = opened.log;
        log.lead(leader_epoch);
        if let Some(id) = self.find(&key) {
            // Opened again after the disk was full.
            self.partitions.get_mut(id).expect("just found").restart(log, opened.files);
            self.background.reopened(id);
            self.advance(core, id);
            return;
        }
        let id = self.partitions.insert(key, |id| Partition::new(id, key, topic, dir, spec.path, log, opened.files, leader_epoch));
        self.partitions.get_mut(id).expect("just made").is_new = opened.is_new;
        self.background.opened(id);
    }

    /// Opens again a partition whose disk was full, when there may be room.
    pub(super) fn open_again(&mut self, core: &mut Core, id: PartitionId) {
        let Some(partition) = self.partitions.get(id) else { return };
        let key = partition.key;
        let image = self.image.clone();
        let Some(topic) = image.topic_by_id(key.topic) else { return };
        if self.life.opening.contains(&key) || !partition.is_settled() {
            return;
        }
        let (dir, path) = (partition.dir, partition.path.clone());
        let checkpoints = Checkpoints {
            recovery_point: Some(partition.log.recovery_point()),
            log_start: Some(partition.log.log_start()),
            ..Checkpoints::default()
        };
        let now = Now { instant: core.now(), wall: core.wall() };
        let config = self.log_config(topic);
        let seed = core.random();
        self.open_spec(
            core,
            Spec { key, topic: topic.name.clone(), dir, path, config, checkpoints, now, seed, plants: self.limits.plants },
        );
    }

    // ---- closing

    fn remove(&mut self, core: &mut Core, id: PartitionId) {
        self.fail_waiting(core, id, ErrorCode::UnknownTopicOrPartition);
        let Some(partition) = self.partitions.remove(id) else { return };
        self.background.removed(&partition);
        let due = core.now() + Duration::from_millis(partition.log.config().file_delete_delay_ms);
        self.remove_dir(core, due, partition.key, partition.topic.clone(), partition.path.clone());
    }

    /// Renames the directory of a deleted partition now, so that its name is free, and removes it later.
    fn remove_dir(&mut self, core: &mut Core, due: Instant, key: PartitionKey, topic: Arc<str>, path: PathBuf) {
        let aside = aside(&path, &topic, &key);
        self.background.remove_later(due, aside);
        let token = self.disk.begin(Operation::Chore(Chore::Remove));
        core.chore(token, Box::new(move |fs| Box::new(set_aside(fs, &path, &topic, &key))));
    }

    /// Everybody who waits for this partition is answered with `error`.
    pub(super) fn fail_waiting(&mut self, core: &mut Core, id: PartitionId, error: ErrorCode) {
        let Some(partition) = self.partitions.get_mut(id) else { return };
        let fetches = std::mem::take(&mut partition.waiting_fetches);
        for (park, slot) in partition.take_waiting() {
            self.settle(park, slot, error);
        }
        for park in fetches {
            self.hurry_park(core, park);
        }
    }
}

/// What a broker's settings at run time add to its configuration.
fn broker_settings(image: &Image) -> Vec<(&str, &Overrides)> {
    image.configured(ResourceType::Broker).collect()
}

fn topic_settings<'a>(image: &'a Image, topic: &Topic) -> Option<&'a Overrides> {
    image.overrides(ResourceType::Topic, &topic.name)
}

/// Renames directories of partitions that no topic has: it was deleted, and the broker killed before its directory was renamed;
/// or the metadata is not what it was, and then a person wants them back. Kafka does so too (`LogManager.isStrayReplica`).
fn set_strays_aside(fs: &Fs, dir: &Path, image: &Image) -> Result<(), Error> {
    for entry in fs.list(dir)?.into_iter().filter(|entry| entry.is_dir) {
        let PartitionDir::Live { topic, partition } = PartitionDir::parse(&entry.name) else { continue };
        let known = image.topic_by_name(&topic).is_some_and(|topic| topic.partition(partition).is_some());
        let path = dir.join(&entry.name);
        if known || topic == CLUSTER_METADATA || !fs.exists(&path.join(PARTITION_METADATA)) {
            continue;
        }
        let Some(Uuid(unique)) = checkpoints::decode_partition_metadata(&fs.read(&path.join(PARTITION_METADATA))?) else { continue };
        let aside = path.with_file_name(stray_dir(&topic, partition, &unique));
        fs.rename(&path, &aside)?;
        fs.sync_dir(dir)?;
        warn!("{} is of no topic and is now {}; remove it if you do not miss it", path.display(), aside.display());
    }
    Ok(())
}

/// Directories that an earlier run had renamed for deletion.
fn remove_leftovers(fs: &Fs, dirs: &[PathBuf]) -> Result<(), Error> {
    for dir in dirs {
        for entry in fs.list(dir)?.into_iter().filter(|entry| entry.is_dir) {
            if let PartitionDir::Delete = PartitionDir::parse(&entry.name) {
                fs.remove_dir_all(&dir.join(&entry.name))?;
            }
        }
    }
    Ok(())
}

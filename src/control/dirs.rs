//! The log directories: taken at the start, looked through, and given back at the stop.
//!
//! Runs on core 0, blocking: before anything is served, and as a chore. Every directory goes through the same steps; one that
//! fails at any of them is offline for this run, and the others go on without it:
//!
//! | step | what | fails the whole start |
//! |---|---|---|
//! | take | create it, lock `.lock` | somebody else has the lock |
//! | identify | read `meta.properties` | another cluster's, another broker's, or twice the same directory |
//! | mark | write `meta.properties` where it is missing | |
//! | look | checkpoint files, `.kafka_cleanshutdown` | |
//! | open up | remove `.kafka_cleanshutdown`, durably, before anything else is written | |
//!
//! The directory of the metadata log goes through the first three, whether it is one of `log.dirs` or not. It has to work.

use super::checkpoints::Files;
use super::exit::{Exit, Status};
use crate::config::BrokerConfig;
use crate::log::checkpoints::{
    MetaProperties, Offsets, decode_meta_properties, decode_offsets, encode_clean_shutdown, encode_meta_properties, encode_offsets,
};
use crate::log::names::{
    CLEAN_SHUTDOWN, HIGH_WATERMARK_CHECKPOINT, LOG_START_CHECKPOINT, META_PROPERTIES, PartitionDir, RECOVERY_POINT_CHECKPOINT,
};
use crate::metadata::{DIRECTORY, Image};
use crate::shard::{LogDir, Start};
use crate::types::{Offset, Uuid};
use millrace_io::{Error, Fs, FsLock};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tracing::warn;

const LOCK: &str = ".lock";

/// The log directories, as taken by [`open`].
pub struct Opened {
    pub start: Start,
    /// By log directory; what the checkpoint files say, to go on from.
    pub files: Vec<Files>,
    pub metadata_dir: PathBuf,
    /// Held until the stop.
    pub locks: Vec<FsLock>,
}

/// One directory on its way through the steps.
struct Candidate {
    path: PathBuf,
    /// Is it one of `log.dirs`, or only the metadata log's?
    has_partitions: bool,
    lock: Option<FsLock>,
    /// The cluster's id, and the rest of its `meta.properties`.
    found: Option<(String, MetaProperties)>,
    id: Uuid,
    offline: Option<String>,
}

impl Candidate {
    /// Does a step, unless an earlier one has failed.
    fn step<T>(&mut self, what: &str, act: impl FnOnce(&Path) -> Result<T, Error>) -> Option<T> {
        if self.offline.is_some() {
            return None;
        }
        act(&self.path).map_err(|error| self.offline = Some(format!("cannot {what}: {error}"))).ok()
    }
}

/// Takes the log directories of the configuration.
pub fn open(fs: &Fs, config: &BrokerConfig, mut random: impl FnMut() -> u64) -> Result<Opened, Exit> {
    let mut dirs = candidates(config);
    for dir in &mut dirs {
        take(fs, dir)?;
        identify(fs, dir);
    }
    let cluster_id = agree(config, &dirs)?.unwrap_or_else(|| Uuid::from_random(&mut random).to_string());
    for dir in &mut dirs {
        mark(fs, config, &cluster_id, dir, &mut random);
    }
    let metadata_dir = PathBuf::from(&config.metadata_log_dir);
    check(&dirs, &metadata_dir)?;
    let (mut start, mut files) = (Start { cluster_id, dirs: Vec::new() }, Vec::new());
    for dir in dirs.iter_mut().filter(|dir| dir.has_partitions) {
        let (found, clean) = look(fs, dir).unwrap_or_default();
        start.dirs.push(LogDir {
            path: dir.path.clone(),
            id: dir.id,
            clean,
            offline: dir.offline.clone(),
            recovery_points: found.recovery_points.clone(),
            log_starts: found.log_starts.clone(),
        });
        files.push(found);
    }
    check(&dirs, &metadata_dir)?;
    for dir in dirs.iter().filter(|dir| dir.offline.is_some()) {
        warn!("log.dirs: {} is offline: {}", dir.path.display(), dir.offline.as_deref().unwrap_or_default());
    }
    Ok(Opened { start, files, metadata_dir, locks: dirs.into_iter().filter_map(|dir| dir.lock).collect() })
}

fn candidates(config: &BrokerConfig) -> Vec<Candidate> {
    let candidate = |path: &str, has_partitions| Candidate {
        path: PathBuf::from(path),
        has_partitions,
        lock: None,
        found: None,
        id: Uuid::ZERO,
        offline: None,
    };
    let mut dirs: Vec<Candidate> = config.log_dirs.iter().map(|path| candidate(path, true)).collect();
    if dirs.iter().all(|dir| dir.path != Path::new(&config.metadata_log_dir)) {
        dirs.push(candidate(&config.metadata_log_dir, false));
    }
    dirs
}

fn take(fs: &Fs, dir: &mut Candidate) -> Result<(), Exit> {
    dir.step("create it", |path| fs.create_dir_all(path));
    match dir.step("lock it", |path| fs.lock(&path.join(LOCK))) {
        Some(None) => {
            let lock = dir.path.join(LOCK);
            let line = format!(
                "{} is in use by another Millrace (lock {} is held); stop it or choose another log.dirs",
                dir.path.display(),
                lock.display()
            );
            Err(Exit::new(Status::InUse, line))
        }
        Some(lock) => {
            dir.lock = lock;
            Ok(())
        }
        None => Ok(()),
    }
}

fn identify(fs: &Fs, dir: &mut Candidate) {
    let Some(Some(bytes)) = dir.step("read its meta.properties", |path| read(fs, &path.join(META_PROPERTIES))) else { return };
    dir.found = decode_meta_properties(&bytes);
    if dir.found.is_none() {
        dir.offline = Some("its meta.properties is damaged, or older than Kafka 3.7".into());
    }
}

/// All directories must be this broker's. The cluster they belong to, if any of them belongs to one.
fn agree(config: &BrokerConfig, dirs: &[Candidate]) -> Result<Option<String>, Exit> {
    let refuse = |line: String| Err(Exit::new(Status::Directories, line));
    let known = || dirs.iter().filter_map(|dir| Some((dir.path.display(), dir.found.as_ref()?)));
    let Some((first_path, (cluster, _))) = known().next() else { return Ok(None) };
    let mut ids = BTreeMap::new();
    for (path, (its_cluster, MetaProperties { node, directory })) in known() {
        if *node != config.node_id {
            return refuse(format!(
                "{path} belongs to broker {node} (node.id in its {META_PROPERTIES}), this is broker {}; set node.id={node} \
                 or choose another log.dirs",
                config.node_id
            ));
        }
        if its_cluster != cluster {
            return refuse(format!(
                "{path} belongs to cluster {its_cluster}, {first_path} to cluster {cluster} (cluster.id in their {META_PROPERTIES}); \
                 remove one of them from log.dirs"
            ));
        }
        if let Some(twin) = ids.insert(directory, path.to_string()) {
            return refuse(format!(
                "{twin} and {path} are the same directory or copies of one another (directory.id {directory} in both \
                 {META_PROPERTIES}); remove one of them from log.dirs"
            ));
        }
    }
    Ok(Some(cluster.clone()))
}

/// A directory that is new to the cluster gets its `meta.properties`; its id is drawn here.
fn mark(fs: &Fs, config: &BrokerConfig, cluster_id: &str, dir: &mut Candidate, random: &mut impl FnMut() -> u64) {
    if let Some((_, found)) = &dir.found {
        dir.id = found.directory;
        // An earlier start may have failed between writing it and this.
        dir.step("make its meta.properties durable", |path| fs.sync_dir(path));
        return;
    }
    dir.id = Uuid::from_random(random);
    let bytes = encode_meta_properties(cluster_id, MetaProperties { node: config.node_id, directory: dir.id });
    dir.step("write its meta.properties", |path| fs.write_atomic(&path.join(META_PROPERTIES), &bytes));
}

/// What the checkpoint files say, and whether the directory was closed cleanly. It is not any more.
fn look(fs: &Fs, dir: &mut Candidate) -> Option<(Files, bool)> {
    let files = Files {
        recovery_points: offsets(fs, dir, RECOVERY_POINT_CHECKPOINT)?,
        log_starts: offsets(fs, dir, LOG_START_CHECKPOINT)?,
        high_watermarks: offsets(fs, dir, HIGH_WATERMARK_CHECKPOINT)?,
    };
    let clean = dir.step("open its .kafka_cleanshutdown", |path| {
        let clean = read(fs, &path.join(CLEAN_SHUTDOWN))?.is_some();
        if clean {
            fs.remove_file(&path.join(CLEAN_SHUTDOWN))?;
            fs.sync_dir(path)?;
        }
        Ok(clean)
    })?;
    Some((files, clean))
}

/// A file that cannot be understood is as good as none: more is scanned (Kafka: `LogManager.loadLogs`).
fn offsets(fs: &Fs, dir: &mut Candidate, name: &str) -> Option<Offsets> {
    let Some(bytes) = dir.step("read its checkpoint files", |path| read(fs, &path.join(name)))? else { return Some(Offsets::new()) };
    let offsets = decode_offsets(&bytes);
    if offsets.is_none() {
        warn!("{} is damaged and ignored; partitions are scanned from their beginning", dir.path.join(name).display());
    }
    Some(offsets.unwrap_or_default())
}

fn check(dirs: &[Candidate], metadata_dir: &Path) -> Result<(), Exit> {
    let why = |dir: &Candidate| format!("{}: {}", dir.path.display(), dir.offline.as_deref().unwrap_or("fine"));
    if dirs.iter().filter(|dir| dir.has_partitions).all(|dir| dir.offline.is_some()) {
        let all: Vec<String> = dirs.iter().filter(|dir| dir.has_partitions).map(why).collect();
        let line = format!("log.dirs: none of the directories can be used: {}; mend one or name another", all.join("; "));
        return Err(Exit::new(Status::Directories, line));
    }
    match dirs.iter().find(|dir| dir.path == metadata_dir && dir.offline.is_some()) {
        Some(dir) => {
            let line =
                format!("{} (the metadata log is there); mend it, or point metadata.log.dir at where the log has been moved", why(dir));
            Err(Exit::new(Status::Directories, line))
        }
        None => Ok(()),
    }
}

/// A metadata log that is empty while there are partitions has been lost, not begun: going on would delete them.
pub fn check_not_lost(fs: &Fs, start: &Start, metadata_dir: &Path, image: &Image) -> Result<(), Exit> {
    if image.end > Offset(0) {
        return Ok(());
    }
    let is_partition = |name: &str| matches!(PartitionDir::parse(name), PartitionDir::Live { .. }) && name != DIRECTORY;
    for dir in start.dirs.iter().filter(|dir| dir.offline.is_none()) {
        let unreadable = |error: Error| Exit::new(Status::Directories, format!("{}: cannot list it: {error}", dir.path.display()));
        let entries = fs.list(&dir.path).map_err(unreadable)?;
        if let Some(partition) = entries.into_iter().find(|entry| entry.is_dir && is_partition(&entry.name)) {
            let line = format!(
                "{} holds partitions ({}), but the metadata log in {} is empty; restore it from a backup, or choose an empty log.dirs",
                dir.path.display(),
                partition.name,
                metadata_dir.display()
            );
            return Err(Exit::new(Status::Metadata, line));
        }
    }
    Ok(())
}

/// `None` if there is no such file.
fn read(fs: &Fs, path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs.read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

// ---- while running, and at the end

/// Writes the checkpoint files of a directory.
pub fn write_checkpoints(fs: &Fs, dir: &Path, files: &Files) -> Result<(), Error> {
    for (name, offsets) in [
        (RECOVERY_POINT_CHECKPOINT, &files.recovery_points),
        (LOG_START_CHECKPOINT, &files.log_starts),
        (HIGH_WATERMARK_CHECKPOINT, &files.high_watermarks),
    ] {
        fs.write_atomic(&dir.join(name), &encode_offsets(offsets))?;
    }
    Ok(())
}

/// Everything in the directory is on disk, and the checkpoint files say so: the next start has nothing to scan.
pub fn mark_clean(fs: &Fs, dir: &Path, broker_epoch: i64) -> Result<(), Error> {
    fs.write_atomic(&dir.join(CLEAN_SHUTDOWN), &encode_clean_shutdown(broker_epoch))
}

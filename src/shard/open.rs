//! Opening one partition's directory: creating it, or recovering whatever a stop or a crash has left there.
//!
//! Blocking, so only before the shard serves, or on the clerk. [`log::recover`] decides; this does it, file by file.

use super::ask::PartitionKey;
use crate::log::batch::{Met, meet};
use crate::log::names::{PARTITION_METADATA, SegmentFile, delete_dir};
use crate::log::{self, Checkpoints, FileFound, Log, LogConfig, Now, Step, checkpoints};
use crate::plants::{Plant, Plants};
use crate::types::{Offset, Uuid};
use millrace_io::{Error, File, Fs, OpenHow};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to open.
pub struct Spec {
    pub key: PartitionKey,
    pub topic: Arc<str>,
    /// Index of the log directory, and the partition's own directory in it.
    pub dir: usize,
    pub path: PathBuf,
    pub config: Arc<LogConfig>,
    pub checkpoints: Checkpoints,
    pub now: Now,
    /// For the jitter of rolls.
    pub seed: u64,
    pub plants: Plants,
}

pub struct Opened {
    pub log: Log,
    /// Log files by the base offset of their segment.
    pub files: BTreeMap<Offset, File>,
    /// What recovery cut, rebuilt or adopted: one line each.
    pub remarks: Vec<String>,
    pub scanned_bytes: u64,
    /// Its directory was made just now, and nothing of it is durable.
    pub is_new: bool,
}

/// Opens the partition; creates it if it is missing, or if another topic's partition of the same name is in its place.
pub fn open(fs: &Fs, spec: &Spec) -> Result<Opened, Error> {
    if fs.exists(&spec.path) {
        match fs.read(&spec.path.join(PARTITION_METADATA)) {
            Ok(bytes) => match checkpoints::decode_partition_metadata(&bytes) {
                // Deleted and made again, and the old directory is not out of the way yet.
                Some(topic) if topic != spec.key.topic => {
                    set_aside(fs, &spec.path, &spec.topic, &PartitionKey { topic, index: spec.key.index })?;
                }
                _ => return recover(fs, spec),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                write_metadata(fs, spec)?;
                return recover(fs, spec);
            }
            Err(error) => return Err(error),
        }
    }
    create(fs, spec)
}

/// Nothing of this needs to be durable: that the partition exists is in the metadata log, and a start makes an empty one
/// again. Its names are synced before its first recovery point is told ([`super::background`]).
fn create(fs: &Fs, spec: &Spec) -> Result<Opened, Error> {
    fs.create_dir(&spec.path)?;
    write_metadata(fs, spec)?;
    let file = fs.open(&spec.path.join(SegmentFile::Log.name(Offset(0))), OpenHow::CREATE)?;
    let log = Log::create(&name(spec), spec.config.clone(), Offset(0), spec.now, spec.seed);
    Ok(Opened { log, files: BTreeMap::from([(Offset(0), file)]), remarks: Vec::new(), scanned_bytes: 0, is_new: true })
}

fn recover(fs: &Fs, spec: &Spec) -> Result<Opened, Error> {
    let found: Vec<FileFound> = fs
        .list(&spec.path)?
        .into_iter()
        .filter(|entry| !entry.is_dir)
        .map(|entry| FileFound { name: entry.name, len: entry.len })
        .collect();
    let partition = log::Partition {
        name: &name(spec),
        config: spec.config.clone(),
        files: &found,
        checkpoints: spec.checkpoints,
        now: spec.now,
        seed: spec.seed,
    };
    let mut hands = Hands { fs, dir: &spec.path, open: None, plants: spec.plants };
    let mut recovered = log::recover(partition, &mut |step| hands.act(step))?;
    if spec.plants.has(Plant::ProducersForgotten) {
        recovered.log.forget_producers();
    }
    let mut files = BTreeMap::new();
    for segment in recovered.log.segments() {
        let file = fs.open(&spec.path.join(SegmentFile::Log.name(segment.base)), OpenHow::CREATE)?;
        files.insert(segment.base, file);
    }
    Ok(Opened { log: recovered.log, files, remarks: recovered.remarks, scanned_bytes: recovered.scanned_bytes, is_new: false })
}

/// Carries out what recovery decides.
struct Hands<'a> {
    fs: &'a Fs,
    dir: &'a Path,
    /// The file that was read last: most files are read in several pieces.
    open: Option<(String, File)>,
    plants: Plants,
}

impl Hands<'_> {
    fn act(&mut self, step: Step) -> Result<Vec<u8>, Error> {
        let (fs, dir) = (self.fs, self.dir);
        match step {
            Step::Read { file, position, len } => {
                if self.open.as_ref().is_none_or(|(name, _)| *name != file) {
                    self.open = Some((file.clone(), fs.open(&dir.join(&file), OpenHow::READ)?));
                }
                let (_, file) = self.open.as_ref().expect("just opened");
                let mut bytes = vec![0; len as usize];
                let read = file.read_at(position, &mut bytes)?;
                bytes.truncate(read);
                if self.plants.has(Plant::CrcSkippedInRecovery) {
                    mend_crcs(&mut bytes);
                }
                return Ok(bytes);
            }
            // A segment need not have all of its files.
            Step::Delete { file } => match fs.remove_file(&dir.join(file)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            },
            Step::Rename { from, to } => fs.rename(&dir.join(from), &dir.join(to))?,
            Step::Truncate { file, len } => {
                let file = fs.open(&dir.join(file), OpenHow::WRITE)?;
                file.truncate(len)?;
                file.sync()?;
            }
            Step::Write { file, position, bytes } => {
                let file = fs.open(&dir.join(file), OpenHow::CREATE)?;
                file.write_at(position, &bytes)?;
                file.truncate(position + bytes.len() as u64)?;
            }
            Step::SyncDir => fs.sync_dir(dir)?,
        }
        Ok(Vec::new())
    }
}

/// Makes the CRC of every whole batch hold.
fn mend_crcs(bytes: &mut [u8]) {
    let mut rest = bytes;
    while let Met::Batch { bytes: batch, .. } = meet(rest) {
        let length = batch.len();
        let (batch, behind) = rest.split_at_mut(length);
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        rest = behind;
    }
}

fn write_metadata(fs: &Fs, spec: &Spec) -> Result<(), Error> {
    fs.write_renamed(&spec.path.join(PARTITION_METADATA), &checkpoints::encode_partition_metadata(spec.key.topic))
}

/// Renames a partition's directory to the form in which it is deleted, unless it holds another topic's partition by now.
pub fn set_aside(fs: &Fs, path: &Path, topic: &str, key: &PartitionKey) -> Result<(), Error> {
    let found = fs.read(&path.join(PARTITION_METADATA))?;
    if checkpoints::decode_partition_metadata(&found) != Some(key.topic) {
        return Ok(());
    }
    fs.rename(path, &aside(path, topic, key))?;
    fs.sync_dir(path.parent().expect("a partition lies in a log directory"))
}

/// What a partition's directory is called while it waits to be deleted.
pub fn aside(path: &Path, topic: &str, key: &PartitionKey) -> PathBuf {
    let Uuid(unique) = key.topic;
    path.with_file_name(delete_dir(topic, key.index, &unique))
}

fn name(spec: &Spec) -> String {
    format!("{}-{}", spec.topic, spec.key.index)
}

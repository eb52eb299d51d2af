//! The files of the metadata log: read at the start, begun anew, snapshotted. Which, [`Quorum`] says.
//!
//! Runs on core 0: blocking at the start, in chores later.
//!
//! What a crash can leave, and what the start makes of it:
//!
//! | crash during | left behind | the start |
//! |---|---|---|
//! | a write, before its sync is over | its batch: whole, torn, or not at all | keeps it if it is whole, else cuts it off; nobody was told of it |
//! | the beginning of a new file | the file, empty, or none | goes on in whichever is the last |
//! | a snapshot | none, or the snapshot and what it made superfluous | removes that |
//!
//! A batch that is damaged and not the last thing in the log is none of these: it was acknowledged. The start refuses.

use super::exit::{Exit, Status};
use crate::log::batch::batches;
use crate::metadata::{DIRECTORY, Quorum, Recovered, Recovery, Snapshot};
use crate::types::{BrokerId, Timestamp};
use millrace_io::{Error, File, Fs, OpenHow, is_disk_full};
use std::path::{Path, PathBuf};
use tracing::warn;

/// An open metadata log.
pub struct Log {
    pub dir: PathBuf,
    pub quorum: Quorum,
    /// [`Quorum::active`].
    pub file: File,
}

impl Log {
    /// Finds the log in `metadata_dir`, or begins it.
    pub fn open(fs: &Fs, metadata_dir: &Path, cluster_id: &str, node: BrokerId) -> Result<Log, Exit> {
        let dir = metadata_dir.join(DIRECTORY);
        let (Recovered { quorum, truncate, delete, notes }, last_batch) = recover(fs, &dir, cluster_id, node)?;
        for note in notes {
            warn!("{}: {note}", dir.display());
        }
        let settle = || {
            if let Some((name, length)) = truncate {
                cut(&fs.open(&dir.join(name), OpenHow::WRITE)?, length)?;
            }
            // A process that was killed, or that a failed sync has ended, may have left the last batch nowhere but in the page
            // cache, where the kernel may count it as clean. From here on it counts as committed: it is written once more.
            let (name, length) = quorum.active();
            let file = fs.open(&dir.join(name), OpenHow::CREATE)?;
            file.write_at(length - last_batch.len() as u64, &last_batch)?;
            cut(&file, length)?;
            remove(fs, &dir, &delete)?;
            Ok(file)
        };
        let file = settle().map_err(|error| unusable(&dir, "write", &error))?;
        Ok(Log { dir, quorum, file })
    }

    /// Makes what was proposed durable at once. Blocks; for the start.
    pub fn write_now(&mut self, now: Timestamp) -> Result<(), Exit> {
        let Some(write) = self.quorum.take_write(now) else { return Ok(()) };
        let written = self.file.write_at(write.position, &write.bytes).and_then(|()| self.file.sync());
        written.map_err(|error| unusable(&self.dir, "write", &error))?;
        self.quorum.written();
        Ok(())
    }

    /// The disk fails the log while the broker runs: nothing can be promised any more.
    pub fn failed(&self, doing: &str, error: &Error) -> Exit {
        let line = format!(
            "{}: cannot {doing} the metadata log: {error}; what was not acknowledged may be lost; mend the disk and start again",
            self.dir.display()
        );
        Exit::new(Status::Disk, line)
    }
}

/// What the files come to, and the last batch of the one that the log goes on in.
fn recover(fs: &Fs, dir: &Path, cluster_id: &str, node: BrokerId) -> Result<(Recovered, Vec<u8>), Exit> {
    let unreadable = |error: Error| unusable(dir, "read", &error);
    fs.create_dir_all(dir).map_err(unreadable)?;
    let files = fs.list(dir).map_err(unreadable)?.into_iter().filter(|entry| !entry.is_dir);
    let names: Vec<String> = files.map(|entry| entry.name).collect();
    let mut recovery = Recovery::new(cluster_id, node, &names);
    let (mut last_name, mut last) = (String::new(), Vec::new());
    while let Some(name) = recovery.next_file() {
        let path = dir.join(&name);
        (last_name, last) = (name, fs.read(&path).map_err(unreadable)?);
        recovery.feed(&last).map_err(|damaged| {
            let line = format!("{}, byte {}: {}; restore the metadata log from a backup", path.display(), damaged.at, damaged.why);
            Exit::new(Status::Metadata, line)
        })?;
    }
    let recovered = recovery.finish();
    let (active, length) = recovered.quorum.active();
    let whole = usize::try_from(length).ok().filter(|_| active == last_name).and_then(|length| last.get(..length));
    let last_batch = batches(whole.unwrap_or_default()).last().map_or(Vec::new(), |(_, batch)| batch.to_vec());
    Ok((recovered, last_batch))
}

fn unusable(dir: &Path, doing: &str, error: &Error) -> Exit {
    let remedy = if is_disk_full(error) { "make room" } else { "mend the disk" };
    Exit::new(Status::Metadata, format!("{}: cannot {doing} the metadata log: {error}; {remedy} and start again", dir.display()))
}

/// Makes a file of the log end here, durably.
pub fn cut(file: &File, length: u64) -> Result<(), Error> {
    file.truncate(length)?;
    file.sync()
}

/// Begins the file in which the log goes on.
pub fn begin(fs: &Fs, dir: &Path, name: &str) -> Result<File, Error> {
    let file = fs.open(&dir.join(name), OpenHow::CREATE)?;
    cut(&file, 0)?;
    fs.sync_dir(dir)?;
    Ok(file)
}

/// Writes a snapshot; its size.
pub fn write_snapshot(fs: &Fs, dir: &Path, snapshot: &Snapshot, now: Timestamp) -> Result<u64, Error> {
    let bytes = snapshot.bytes(now);
    fs.write_atomic(&dir.join(&snapshot.file), &bytes)?;
    Ok(bytes.len() as u64)
}

/// Removes files that nobody needs.
pub fn remove(fs: &Fs, dir: &Path, names: &[String]) -> Result<(), Error> {
    names.iter().try_for_each(|name| fs.remove_file(&dir.join(name)))?;
    fs.sync_dir(dir)
}

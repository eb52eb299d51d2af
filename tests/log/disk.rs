//! A partition's directory in memory, and the smallest shell that drives a log over it.

use millrace::log::batch::HEADER_LEN;
use millrace::log::names::{SPARE, SegmentFile};
use millrace::log::{
    Appended, Checkpoints, FileFound, Log, LogConfig, Need, Now, Origin, Partition, ReadAsk, ReadPlan, Recovered, Refused, Scratch, Span,
    Step, Stored, TimeAsk, TimePlan, recover,
};
use millrace::types::{Instant, Offset, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;

pub type Files = BTreeMap<String, Vec<u8>>;

/// A write that the machine asked for and the disk has not done.
#[derive(Clone, Debug)]
pub struct Pending {
    pub segment: Offset,
    pub position: usize,
    pub bytes: Vec<u8>,
    pub end: Offset,
}

pub struct Disk {
    pub log: Log,
    pub files: Files,
    pub now: Now,
    pub pending: VecDeque<Pending>,
    /// Segments whose bytes are still in the spare, or in no file: renamed by the chore. Oldest first.
    pub unnamed: VecDeque<Offset>,
    /// What the checkpoint files of the log directory would say.
    pub checkpoints: Checkpoints,
    pub scratch: Scratch,
    pub remarks: Vec<String>,
    pub scanned: u64,
    pub recovery_steps: Vec<Step>,
    /// How much of each file a power cut leaves alone.
    pub durable: BTreeMap<String, usize>,
}

pub fn at(ms: i64) -> Now {
    Now { instant: Instant(u64::try_from(ms).unwrap() * 1_000_000), wall: Timestamp(ms) }
}

impl Disk {
    pub fn create(config: LogConfig, now: Now) -> Disk {
        Disk::open(Files::new(), config, Checkpoints::default(), now)
    }

    /// Recovers whatever the files are.
    pub fn open(mut files: Files, config: LogConfig, checkpoints: Checkpoints, now: Now) -> Disk {
        let mut steps = Vec::new();
        let Recovered { log, remarks, scanned_bytes } = recover_files(&mut files, config, checkpoints, now, &mut steps);
        let mut disk = Disk {
            log,
            files,
            now,
            pending: VecDeque::new(),
            unnamed: VecDeque::new(),
            checkpoints,
            scratch: Scratch::new(),
            remarks,
            scanned: scanned_bytes,
            recovery_steps: steps,
            durable: BTreeMap::new(),
        };
        disk.durable = disk.files.iter().map(|(name, bytes)| (name.clone(), bytes.len())).collect();
        disk.files.insert(SPARE.into(), Vec::new());
        disk
    }

    pub fn append(&mut self, batch: &[u8], origin: Origin) -> Result<Appended, Refused> {
        let appended = self.log.append(self.now, batch, origin, &mut self.scratch)?;
        if let Some(write) = &appended.write {
            if let Some(roll) = &write.rolled {
                assert_eq!(roll.begins, write.segment);
                self.unnamed.push_back(roll.begins);
            }
            let mut bytes = write.header.to_vec();
            match &write.stored {
                Stored::AsGiven => bytes.extend_from_slice(&batch[HEADER_LEN..]),
                Stored::Replaced(body) => bytes.extend_from_slice(body),
            }
            assert_eq!(bytes.len(), write.len as usize);
            self.pending.push_back(Pending { segment: write.segment, position: write.position.0 as usize, bytes, end: appended.end });
        }
        Ok(appended)
    }

    /// The file that holds a segment's bytes now. Rolls that nobody has carried out yet are, when the spare is taken.
    fn file_of(&mut self, segment: Offset) -> String {
        if self.unnamed.contains(&segment) {
            while self.unnamed.front() != Some(&segment) {
                self.rename();
            }
            return SPARE.into();
        }
        SegmentFile::Log.name(segment)
    }

    /// The chore after a roll.
    pub fn rename(&mut self) -> bool {
        let Some(base) = self.unnamed.pop_front() else { return false };
        let bytes = self.files.insert(SPARE.into(), Vec::new()).expect("there is always a spare");
        self.files.insert(SegmentFile::Log.name(base), bytes);
        let durable = self.durable.remove(SPARE).unwrap_or(0);
        self.durable.insert(SegmentFile::Log.name(base), durable);
        self.files.insert(SegmentFile::OffsetIndex.name(base), Vec::new());
        self.files.insert(SegmentFile::TimeIndex.name(base), Vec::new());
        true
    }

    /// Carries out the oldest write.
    pub fn write_one(&mut self) -> bool {
        let Some(write) = self.pending.pop_front() else { return false };
        self.write_part(&write, write.bytes.len());
        self.log.written(write.end);
        true
    }

    pub fn write_part(&mut self, write: &Pending, len: usize) {
        let name = self.file_of(write.segment);
        put(self.files.entry(name).or_default(), write.position, &write.bytes[..len]);
    }

    pub fn write_all(&mut self) {
        while self.write_one() {}
    }

    /// Syncs everything that is written.
    pub fn flush(&mut self) -> bool {
        let Some(flush) = self.log.flush() else { return false };
        assert!(!flush.segments.is_empty());
        for segment in flush.segments {
            let name = self.file_of(segment);
            let len = self.files[&name].len();
            self.durable.insert(name, len);
        }
        self.log.flushed(flush.upto);
        true
    }

    pub fn write_index(&mut self, entries_min: u32) -> bool {
        let Some(write) = self.log.index_write(entries_min) else { return false };
        if self.unnamed.contains(&write.segment) {
            self.file_of(write.segment);
            self.rename();
        }
        let file = self.files.entry(write.file.name(write.segment)).or_default();
        assert_eq!(file.len(), write.position.0 as usize, "an index grows at its end");
        file.extend_from_slice(&write.bytes);
        // Only what completes a file is synced.
        if write.completes {
            self.durable.insert(write.file.name(write.segment), file.len());
        }
        self.log.index_written(&write);
        true
    }

    pub fn write_snapshot(&mut self) -> bool {
        let Some(snapshot) = self.log.snapshot_write() else { return false };
        self.files.insert(SegmentFile::Snapshot.name(snapshot.offset), snapshot.bytes);
        for offset in self.log.snapshot_written(snapshot.offset) {
            self.files.remove(&SegmentFile::Snapshot.name(offset)).expect("what is obsolete was there");
        }
        true
    }

    pub fn write_epochs(&mut self) {
        if let Some(bytes) = self.log.epochs_write() {
            self.files.insert("leader-epoch-checkpoint".into(), bytes);
            self.log.epochs_written();
        }
    }

    pub fn checkpoint(&mut self) {
        self.checkpoints.recovery_point = Some(self.log.recovery_checkpoint());
        self.checkpoints.log_start = Some(self.log.log_start());
    }

    /// Everything that waits is done.
    pub fn settle(&mut self) {
        self.write_all();
        while self.rename() {}
        self.flush();
        while self.write_index(1) {}
        while self.write_snapshot() {}
        self.write_epochs();
        self.checkpoint();
    }

    /// Retention, and whatever it needs to know.
    pub fn retention(&mut self, high_watermark: Offset) -> Vec<Offset> {
        let mut gone = Vec::new();
        loop {
            let retention = self.log.retention(self.now, high_watermark);
            if let Some(roll) = &retention.rolled {
                self.unnamed.push_back(roll.begins);
            }
            for base in &retention.deleted {
                self.unnamed.contains(base).then(|| self.file_of(*base));
                if self.unnamed.front() == Some(base) {
                    self.rename();
                }
                for file in SegmentFile::ALL {
                    self.files.remove(&file.name(*base));
                    self.durable.remove(&file.name(*base));
                }
            }
            gone.extend(retention.deleted);
            let Some(need) = retention.need else { return gone };
            let bytes = self.fetch(&need);
            self.log.retention_on(&need, &bytes);
        }
    }

    /// A clean stop: what is there for the next start.
    pub fn stop(mut self) -> (Files, Checkpoints) {
        self.settle();
        self.log.stop();
        while self.write_index(1) {}
        self.write_snapshot();
        self.files.remove(SPARE);
        self.checkpoint();
        (self.files, Checkpoints { clean: true, ..self.checkpoints })
    }

    pub fn fetch(&mut self, need: &Need) -> Vec<u8> {
        let name = if need.file == SegmentFile::Log { self.file_of(need.segment) } else { need.file.name(need.segment) };
        let file = self.files.get(&name).map(Vec::as_slice).unwrap_or_default();
        let from = (need.position.0 as usize).min(file.len());
        let to = (from + need.len as usize).min(file.len());
        file[from..to].to_vec()
    }

    /// What a reader gets: the span and its bytes, and how often a file was asked.
    pub fn read(&mut self, ask: &ReadAsk) -> (ReadPlan, Vec<u8>, usize) {
        let mut plan = self.log.read(ask);
        for needs in 0..100 {
            match plan {
                ReadPlan::Need(need) => {
                    let bytes = self.fetch(&need);
                    plan = self.log.read_on(ask, &need, &bytes);
                }
                ReadPlan::Bytes(span) => return (plan, self.span(&span), needs),
                _ => return (plan, Vec::new(), needs),
            }
        }
        panic!("a read that does not end: {ask:?}");
    }

    pub fn span(&mut self, span: &Span) -> Vec<u8> {
        let name = self.file_of(span.segment);
        self.files[&name][span.position.0 as usize..][..span.len as usize].to_vec()
    }

    pub fn offset_for_time(&mut self, ask: &TimeAsk) -> TimePlan {
        let mut plan = self.log.offset_for_time(ask);
        for _ in 0..1000 {
            let TimePlan::Need(need) = plan else { return plan };
            let bytes = self.fetch(&need);
            plan = self.log.offset_for_time_on(ask, &need, &bytes);
        }
        panic!("a search that does not end: {ask:?}");
    }
}

pub fn put(file: &mut Vec<u8>, position: usize, bytes: &[u8]) {
    if file.len() < position + bytes.len() {
        file.resize(position + bytes.len(), 0);
    }
    file[position..position + bytes.len()].copy_from_slice(bytes);
}

/// Recovers in these files, as a shell would.
pub fn recover_files(files: &mut Files, config: LogConfig, checkpoints: Checkpoints, now: Now, steps: &mut Vec<Step>) -> Recovered {
    let listing: Vec<FileFound> = files.iter().map(|(name, bytes)| FileFound { name: name.clone(), len: bytes.len() as u64 }).collect();
    let partition = Partition { name: "t-0", config: Arc::new(config), files: &listing, checkpoints, now, seed: 1 };
    let recovered = recover(partition, &mut |step| {
        steps.push(step.clone());
        Ok::<_, Infallible>(act(files, step))
    });
    match recovered {
        Ok(recovered) => recovered,
        Err(never) => match never {},
    }
}

fn act(files: &mut Files, step: Step) -> Vec<u8> {
    match step {
        Step::Read { file, position, len } => {
            let bytes = files.get(&file).unwrap_or_else(|| panic!("{file} is read and is not there"));
            let from = (position as usize).min(bytes.len());
            return bytes[from..(from + len as usize).min(bytes.len())].to_vec();
        }
        Step::Delete { file } => drop(files.remove(&file)),
        Step::Rename { from, to } => {
            let bytes = files.remove(&from).expect("what is renamed is there");
            files.insert(to, bytes);
        }
        Step::Truncate { file, len } => {
            let file = files.get_mut(&file).expect("what is cut is there");
            assert!(file.len() as u64 >= len);
            file.truncate(len as usize);
        }
        Step::Write { file, position, bytes } => {
            let file = files.entry(file).or_default();
            file.truncate(position as usize);
            assert_eq!(file.len() as u64, position, "what is written continues the file");
            file.extend_from_slice(&bytes);
        }
        Step::SyncDir => {}
    }
    Vec::new()
}

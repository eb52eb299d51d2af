//! The control shard from its start to its stop: carries out what [`Proposals`],
//! [`Quorum`](metadata::Quorum) and [`Checkpoints`] say.
//!
//! ```text
//!  stage      begins with                            the shards                          commands
//!  ─────      ───────────                            ──────────                          ────────
//!  Opening    Start, Publish to all                  open their partitions               decided
//!  Serving    all have said Applied: Serve to all    serve                               decided
//!  Draining   a signal                               serve                               refused: NOT_CONTROLLER
//!  Stopping   all is committed: Stop to all          make everything durable             refused
//!  Closing    all have said Stopped                  are idle                            refused
//!  Closed     checkpoints and clean marks written    Halt to all
//! ```

use super::checkpoints::{Checkpoints, Files, Points};
use super::command::{Command, Reply};
use super::exit::{Exit, Status};
use super::metalog::{self, Log};
use super::proposals::{Effect, Event, Proposals, WaitId};
use super::{OURS, decide, dirs};
use crate::config::BrokerConfig;
use crate::error::ErrorCode;
use crate::metadata::{self, Context, Image, Record, ResourceType};
use crate::shard::{Answer, Mesh, Note, Ticket};
use crate::types::{Instant, Offset, ShardId, Uuid};
use millrace_io::{ChoreOutput, Core, Done, Error, File, FsLock, Token, is_disk_full};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tracing::{error, info, warn};

/// Checkpoint files are written at most this often. More often: less to scan after a crash, more small writes.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

/// How long to wait for room on a full disk.
const ROLL_AGAIN: Duration = Duration::from_secs(1);

/// At most one of each is outstanding.
const WRITE: Token = Token(OURS);
const SYNC: Token = Token(OURS | 1);
const MEND: Token = Token(OURS | 2);
const ROLL: Token = Token(OURS | 3);
const SNAPSHOT: Token = Token(OURS | 4);
const REMOVE: Token = Token(OURS | 5);
const CHECKPOINTS: Token = Token(OURS | 6);
const CLOSE: Token = Token(OURS | 7);

pub struct Running {
    cores: u16,
    config: Arc<BrokerConfig>,
    stage: Stage,
    started: Instant,
    proposals: Proposals,
    /// What they said and nobody has done yet.
    effects: Vec<Effect>,
    log: Log,
    /// The broker's options with what is altered in the newest image.
    latest_config: BrokerConfig,
    /// A snapshot is being written, or what it replaces removed.
    tidying: bool,
    /// When to try again to go on in a new file.
    roll_again: Option<Instant>,
    /// The line that says so is still to be logged, by the next turn: time stands still within one.
    has_begun_to_serve: bool,
    /// The newest id of one who waits.
    waits: u64,
    waiting: BTreeMap<WaitId, Waiting>,
    checkpoints: Checkpoints,
    dirs: Vec<Dir>,
    /// Log directories are ours as long as these are held.
    locks: Vec<FsLock>,
}

struct Waiting {
    ticket: Ticket,
    command: Command,
    reply: Reply,
}

struct Dir {
    path: PathBuf,
    id: Uuid,
    offline: bool,
    /// Its checkpoint files could not be written the last time.
    complained: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Opening,
    Serving,
    Draining {
        /// Every partition has been opened, so that nothing is left to recover.
        opened: bool,
    },
    Stopping {
        opened: bool,
        /// By shard.
        stopped: Vec<bool>,
    },
    Closing,
    Closed,
    Halted,
}

/// What a chore that writes checkpoint files brings back: the directories where that did not work.
type Failed = Vec<(usize, Error)>;

impl Running {
    pub fn start(core: &mut Core, mesh: &mut Mesh, cores: u16, config: Arc<BrokerConfig>) -> Result<Running, Exit> {
        let (fs, started, now) = (core.fs(), core.now(), core.wall());
        let dirs::Opened { start, files, metadata_dir, locks } = dirs::open(&fs, &config, || core.random())?;
        let mut log = Log::open(&fs, &metadata_dir, &start.cluster_id, config.node_id)?;
        dirs::check_not_lost(&fs, &start, &metadata_dir, log.quorum.committed())?;
        let online = start.dirs.iter().filter(|dir| dir.offline.is_none()).map(|dir| dir.id).collect();
        let mut random = || core.random();
        let registration = decide::registration(&config, online, Uuid::from_random(&mut random));
        let mut cx = Context { image: log.quorum.latest(), config: &config, shards: cores, random: &mut random };
        let records = metadata::start(&mut cx, &registration);
        log.quorum.propose(records);
        log.write_now(now)?;

        let dirs =
            start.dirs.iter().map(|dir| Dir { path: dir.path.clone(), id: dir.id, offline: dir.offline.is_some(), complained: false });
        let dirs = dirs.collect();
        let image = log.quorum.committed().clone();
        let checkpoints = checkpoints(&config, files, &start, &image);
        let start = Arc::new(start);
        for shard in shards(cores) {
            mesh.note(shard, Note::Start(start.clone()));
            mesh.note(shard, Note::Publish(image.clone()));
        }
        Ok(Running {
            cores,
            stage: Stage::Opening,
            started,
            proposals: Proposals::new(cores, image.end),
            effects: Vec::new(),
            log,
            latest_config: current(&image, &config),
            tidying: false,
            roll_again: None,
            has_begun_to_serve: false,
            waits: 0,
            waiting: BTreeMap::new(),
            checkpoints,
            dirs,
            locks,
            config,
        })
    }

    fn tell(&mut self, event: Event) {
        self.proposals.on_event(event, &mut self.effects);
    }

    // ---- events

    pub fn command(&mut self, core: &mut Core, mesh: &mut Mesh, ticket: Ticket, command: Command) {
        let refusal = match (&self.stage, command.timeout_ms()) {
            (Stage::Opening | Stage::Serving, Some(..=0)) => Some(ErrorCode::RequestTimedOut),
            (Stage::Opening | Stage::Serving, _) => None,
            _ => Some(ErrorCode::NotController),
        };
        if let Some(error) = refusal {
            mesh.answer(ticket, Answer::Control(command.refused(error)));
            return;
        }
        let random = &mut || core.random();
        let mut cx = Context { image: self.log.quorum.latest(), config: &self.latest_config, shards: self.cores, random };
        let (reply, records) = decide::command(&mut cx, &command);
        self.propose(records);
        let timeout = command.timeout_ms().map(|ms| Duration::from_millis(u64::from(ms.unsigned_abs())));
        let deadline = timeout.map_or(Instant::NEVER, |timeout| core.now() + timeout);
        self.waits += 1;
        let wait = WaitId(self.waits);
        self.waiting.insert(wait, Waiting { ticket, command, reply });
        self.tell(Event::Waits { wait, deadline });
    }

    fn propose(&mut self, records: Vec<Record>) {
        let alters_broker =
            |record: &Record| matches!(record, Record::ConfigSet(set) if set.resource_type == ResourceType::Broker.number());
        let altered = records.iter().any(alters_broker);
        self.tell(Event::Proposed { records: u32::try_from(records.len()).expect("bounded by the size of a request") });
        self.log.quorum.propose(records);
        assert_eq!(self.proposals.proposed(), self.log.quorum.latest().end);
        if altered {
            self.latest_config = current(self.log.quorum.latest(), &self.config);
        }
    }

    pub fn note(&mut self, from: ShardId, note: Note) {
        match note {
            Note::Applied { image } => self.tell(Event::Applied { shard: from, end: image }),
            Note::Checkpoint(told) => self.checkpoints.told(told),
            Note::DirectoryFailed { dir, why } => self.directory_failed(dir, &why),
            Note::Stopped => match &mut self.stage {
                Stage::Stopping { stopped, .. } => stopped[usize::from(from.0)] = true,
                stage => unreachable!("a shard has stopped in stage {stage:?}"),
            },
            Note::Start(_) | Note::Publish(_) | Note::Serve | Note::Stop | Note::Halt => unreachable!("the control shard says this"),
        }
    }

    /// A shard could not read or write there.
    fn directory_failed(&mut self, dir: usize, why: &str) {
        let failed = &mut self.dirs[dir];
        if failed.offline {
            return;
        }
        failed.offline = true;
        let is_metadata = self.log.dir.parent() == Some(&failed.path);
        let path = failed.path.display().to_string();
        if is_metadata {
            let line = format!("{path} has failed ({why}), and the metadata log is there; mend the disk and start again");
            Exit::new(Status::Disk, line).now();
        }
        if self.dirs.iter().all(|dir| dir.offline) {
            Exit::new(Status::Disk, format!("{path}, the last of log.dirs, has failed ({why}); mend the disk and start again")).now();
        }
        error!("{path} has failed and is offline until the next start, with its partitions: {why}");
        self.checkpoints.offline(dir);
        if !self.is_stopping() {
            let online: Vec<Uuid> = self.dirs.iter().filter(|dir| !dir.offline).map(|dir| dir.id).collect();
            self.propose(metadata::log_dirs_changed(self.log.quorum.latest(), &online));
        }
    }

    pub fn file_done(&mut self, token: Token, result: Result<Done, Error>) {
        match (token, result) {
            (WRITE, Ok(_)) => self.tell(Event::Written),
            (WRITE, Err(error)) if is_disk_full(&error) => {
                warn!("{}: no room for the metadata log; changes are refused until there is: {error}", self.log.dir.display());
                self.log.quorum.refused();
                self.latest_config = current(self.log.quorum.latest(), &self.config);
                self.tell(Event::Full);
            }
            (SYNC, Ok(_)) => {
                self.log.quorum.written();
                self.tell(Event::Synced);
            }
            (WRITE | SYNC, Err(error)) => {
                let doing = if token == WRITE { "write" } else { "sync" };
                self.log.failed(doing, &error).now()
            }
            (token, _) => unreachable!("the control shard asks for no {token:?}"),
        }
    }

    pub fn chore_done(&mut self, core: &mut Core, token: Token, output: ChoreOutput) {
        match token {
            MEND => match bring::<Result<(), Error>>(output) {
                Ok(()) => self.tell(Event::Mended),
                Err(error) => self.log.failed("mend", &error).now(),
            },
            ROLL => match bring::<Result<File, Error>>(output) {
                Ok(file) => {
                    self.log.file = file;
                    self.tell(Event::Rolled);
                }
                Err(error) if is_disk_full(&error) => {
                    warn!("{}: no room for a new file of the metadata log; trying again: {error}", self.log.dir.display());
                    self.roll_again = Some(core.now() + ROLL_AGAIN);
                }
                Err(error) => self.log.failed("go on in a new file of", &error).now(),
            },
            SNAPSHOT => self.snapshot_done(core, bring(output)),
            REMOVE => {
                if let Err(error) = bring::<Result<(), Error>>(output) {
                    warn!("{}: cannot remove what a snapshot replaces; the next start will: {error}", self.log.dir.display());
                }
                self.tidying = false;
            }
            CHECKPOINTS => {
                let failed = bring::<Failed>(output);
                self.checkpoints.written(&failed.iter().map(|(dir, _)| *dir).collect::<Vec<_>>());
                self.complain(&failed);
            }
            CLOSE => {
                let failed = bring::<Failed>(output);
                self.complain(&failed);
                self.stage = Stage::Closed;
            }
            token => unreachable!("the control shard asks for no {token:?}"),
        }
    }

    /// Once for as long as it does not work.
    fn complain(&mut self, failed: &Failed) {
        for (index, dir) in self.dirs.iter_mut().enumerate() {
            let failed = failed.iter().find(|(failed, _)| *failed == index);
            if let Some((_, error)) = failed.filter(|_| !dir.complained) {
                warn!("{}: cannot write the checkpoint files; trying again: {error}", dir.path.display());
            }
            dir.complained = failed.is_some();
        }
    }

    pub fn expire(&mut self, core: &mut Core, now: Instant) {
        self.tell(Event::Tick { now });
        if std::mem::take(&mut self.has_begun_to_serve) {
            info!("{}", self.started_line(now));
        }
        if self.roll_again.is_some_and(|again| again <= now) {
            self.roll_again = None;
            self.roll(core);
        }
        let Some(due) = self.checkpoint_deadline().and_then(|_| self.checkpoints.due(now)) else { return };
        let due = self.with_paths(due);
        core.chore(
            CHECKPOINTS,
            Box::new(move |fs| {
                let write =
                    |(dir, path, points): (usize, PathBuf, Points)| Some((dir, dirs::write_checkpoints(fs, &path, &points.files()).err()?));
                let failed: Failed = due.into_iter().filter_map(write).collect();
                Box::new(failed)
            }),
        );
    }

    pub fn deadline(&self) -> Option<Instant> {
        let at_once = self.has_begun_to_serve.then_some(self.started);
        [self.proposals.deadline(), self.checkpoint_deadline(), self.roll_again, at_once].into_iter().flatten().min()
    }

    fn checkpoint_deadline(&self) -> Option<Instant> {
        self.checkpoints.deadline().filter(|_| !matches!(self.stage, Stage::Closing | Stage::Closed | Stage::Halted))
    }

    fn with_paths(&self, points: Vec<(usize, Points)>) -> Vec<(usize, PathBuf, Points)> {
        points.into_iter().map(|(dir, points)| (dir, self.dirs[dir].path.clone(), points)).collect()
    }

    // ---- effects

    pub fn flush(&mut self, core: &mut Core, mesh: &mut Mesh) {
        self.snapshot(core);
        self.tell(Event::Flush);
        for effect in std::mem::take(&mut self.effects) {
            self.carry_out(core, mesh, effect);
        }
        self.flush_stop(core, mesh);
    }

    fn carry_out(&mut self, core: &mut Core, mesh: &mut Mesh, effect: Effect) {
        match effect {
            Effect::Write { end } => self.write(core, end),
            Effect::Sync => core.sync(&self.log.file, SYNC),
            Effect::Publish { end } => {
                let image = self.log.quorum.committed();
                assert_eq!(image.end, end);
                for shard in shards(self.cores) {
                    mesh.note(shard, Note::Publish(image.clone()));
                }
            }
            Effect::Serve => self.serve(mesh),
            Effect::Answer(wait) => {
                let Waiting { ticket, reply, .. } = self.take_waiting(wait);
                mesh.answer(ticket, Answer::Control(reply));
            }
            Effect::TimeOut(wait) => self.refuse(mesh, wait, ErrorCode::RequestTimedOut),
            Effect::Refuse(wait) => self.refuse(mesh, wait, ErrorCode::KafkaStorageError),
            Effect::Mend { end } => {
                assert_eq!(self.log.quorum.committed().end, end);
                let (file, (_, length)) = (self.log.file.clone(), self.log.quorum.active());
                core.chore(MEND, Box::new(move |_| Box::new(metalog::cut(&file, length))));
            }
        }
    }

    fn write(&mut self, core: &mut Core, end: Offset) {
        let write = self.log.quorum.take_write(core.wall()).expect("something was proposed");
        assert_eq!(write.end, end);
        let mut buf = core.pool().take_always(write.bytes.len());
        buf.extend(&write.bytes);
        core.write(&self.log.file, write.position, vec![buf.freeze()], WRITE);
    }

    /// Begins a snapshot, if the log has grown enough: the log goes on in a new file.
    fn snapshot(&mut self, core: &mut Core) {
        if self.is_stopping() || !self.proposals.is_idle() {
            return;
        }
        let Some(snapshot) = self.log.quorum.snapshot_due(self.config.metadata_snapshot_bytes) else { return };
        self.tidying = true;
        self.tell(Event::Rolling);
        self.roll(core);
        let (dir, now) = (self.log.dir.clone(), core.wall());
        core.chore(SNAPSHOT, Box::new(move |fs| Box::new(metalog::write_snapshot(fs, &dir, &snapshot, now))));
    }

    fn roll(&mut self, core: &mut Core) {
        let (dir, (name, _)) = (self.log.dir.clone(), self.log.quorum.active());
        core.chore(ROLL, Box::new(move |fs| Box::new(metalog::begin(fs, &dir, &name))));
    }

    fn snapshot_done(&mut self, core: &mut Core, written: Result<u64, Error>) {
        match written {
            Ok(bytes) => {
                let (dir, names) = (self.log.dir.clone(), self.log.quorum.snapshot_written(bytes));
                core.chore(REMOVE, Box::new(move |fs| Box::new(metalog::remove(fs, &dir, &names))));
            }
            Err(error) => {
                warn!("{}: cannot write a snapshot of the metadata; its log grows on: {error}", self.log.dir.display());
                self.log.quorum.snapshot_failed();
                self.tidying = false;
            }
        }
    }

    fn take_waiting(&mut self, wait: WaitId) -> Waiting {
        self.waiting.remove(&wait).expect("whoever waits is answered once")
    }

    fn refuse(&mut self, mesh: &mut Mesh, wait: WaitId, error: ErrorCode) {
        let Waiting { ticket, command, .. } = self.take_waiting(wait);
        mesh.answer(ticket, Answer::Control(command.refused(error)));
    }

    /// Every partition is open.
    fn serve(&mut self, mesh: &mut Mesh) {
        match &mut self.stage {
            Stage::Opening => {
                self.stage = Stage::Serving;
                for shard in shards(self.cores) {
                    mesh.note(shard, Note::Serve);
                }
                self.has_begun_to_serve = true;
            }
            Stage::Draining { opened } | Stage::Stopping { opened, .. } => *opened = true,
            stage => unreachable!("every partition is open for the first time in stage {stage:?}"),
        }
    }

    fn started_line(&self, now: Instant) -> String {
        let image = self.log.quorum.committed();
        let addresses = self.config.listeners.iter().flat_map(|listener| &listener.addresses);
        format!(
            "started in {} ms: {} in {}, listening on {}",
            now.since(self.started).as_millis(),
            counted(image.partitions_count(), "partition"),
            counted(image.topics_count(), "topic"),
            addresses.map(ToString::to_string).collect::<Vec<_>>().join(", ")
        )
    }

    // ---- the stop

    fn is_stopping(&self) -> bool {
        !matches!(self.stage, Stage::Opening | Stage::Serving)
    }

    fn is_quiet(&self) -> bool {
        self.proposals.is_quiet() && !self.tidying && !self.checkpoints.is_writing()
    }

    pub fn stop(&mut self) {
        if !self.is_stopping() {
            info!("stopping");
            self.stage = Stage::Draining { opened: self.stage == Stage::Serving };
        }
    }

    /// The next stage of the stop, if this one is over.
    fn flush_stop(&mut self, core: &mut Core, mesh: &mut Mesh) {
        match self.stage {
            // What is committed is published before, so that no shard hears of a new partition after it has stopped.
            Stage::Draining { opened } if self.proposals.is_quiet() => {
                self.stage = Stage::Stopping { opened, stopped: vec![false; usize::from(self.cores)] };
                for shard in shards(self.cores) {
                    mesh.note(shard, Note::Stop);
                }
            }
            Stage::Stopping { opened, ref stopped } if stopped.iter().all(|stopped| *stopped) && self.is_quiet() => {
                self.close(core, opened)
            }
            Stage::Closed => {
                self.locks.clear();
                self.stage = Stage::Halted;
                info!("stopped");
                for shard in shards(self.cores) {
                    mesh.note(shard, Note::Halt);
                }
            }
            _ => {}
        }
    }

    /// Writes down that there is nothing to scan, where that is so.
    fn close(&mut self, core: &mut Core, opened: bool) {
        self.stage = Stage::Closing;
        let last = self.with_paths(self.checkpoints.last());
        let broker_epoch = self.log.quorum.committed().broker(self.config.node_id).map_or(-1, |broker| broker.epoch);
        core.chore(
            CLOSE,
            Box::new(move |fs| {
                let write = |(dir, path, points): (usize, PathBuf, Points)| {
                    let written = dirs::write_checkpoints(fs, &path, &points.files());
                    let marked = written.and_then(|()| if opened { dirs::mark_clean(fs, &path, broker_epoch) } else { Ok(()) });
                    Some((dir, marked.err()?))
                };
                let failed: Failed = last.into_iter().filter_map(write).collect();
                Box::new(failed)
            }),
        );
    }
}

fn checkpoints(config: &BrokerConfig, files: Vec<Files>, start: &crate::shard::Start, image: &Image) -> Checkpoints {
    let intervals = [
        config.log_flush_offset_checkpoint_interval_ms,
        config.log_flush_start_offset_checkpoint_interval_ms,
        config.replica_high_watermark_checkpoint_interval_ms,
    ];
    let every = intervals.map(Duration::from_millis).into_iter().fold(CHECKPOINT_EVERY, Duration::min);
    let mut checkpoints = Checkpoints::new(every, files);
    checkpoints.retain(|topic, index| image.topic_by_name(topic).is_some_and(|topic| topic.partition(index).is_some()));
    for (index, _) in start.dirs.iter().enumerate().filter(|(_, dir)| dir.offline.is_some()) {
        checkpoints.offline(index);
    }
    checkpoints
}

/// The broker's options as an image alters them. What of that cannot be used is warned of by the shards.
fn current(image: &Image, config: &BrokerConfig) -> BrokerConfig {
    image.broker_config(config).0
}

/// What a chore brought back.
fn bring<T: 'static>(output: ChoreOutput) -> T {
    *output.downcast::<T>().expect("what the chore was asked for")
}

/// All of them.
fn shards(cores: u16) -> impl Iterator<Item = ShardId> {
    (0..cores).map(ShardId)
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

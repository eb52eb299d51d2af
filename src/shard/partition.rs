//! One partition on the core that owns it: its log, its files, and who waits for it.
//!
//! A shell: [`Log`] decides where bytes go, [`Leader`] how far readers may read; this moves the bytes.
//!
//! ```text
//!  append ─▶ staged (this turn) ─▶ one vectored write per segment ─▶ in flight ─▶ written ─▶ high watermark ─▶ who waits
//!              │                                                                     │
//!              └─▶ tail memory                                                       └─▶ background: sync ─▶ recovery point
//! ```
//!
//! Invariants:
//! - batches are written in the order of their offsets, each byte once; `in_flight` is ordered by `end`
//! - the high watermark never passes a batch whose write has not come back
//! - a partition that is not [`State::Open`] appends nothing

use super::ask::{PartitionKey, Produced};
use super::disk::PartitionId;
use super::parking::ParkId;
use super::tail::Tail;
use crate::error::ErrorCode;
use crate::limits::Limits;
use crate::log::{Appended, Log, Now, Origin, Refused, Scratch, Stored};
use crate::replica::{Event, Leader};
use crate::types::{Epoch, Offset, Position};
use millrace_io::{Buf, BufMut, File, Pool};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Record bytes up to which a batch is copied next to its neighbours; above, its own buffer is written where it lies.
/// Raising it costs copies, lowering it costs elements of the vectored write.
const COPIED_BYTES_MAX: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    /// The disk was full: reads go on, appends are refused until there is room and the log has been opened again.
    Full,
    /// Its log directory has failed.
    Offline,
}

pub struct Partition {
    pub id: PartitionId,
    pub key: PartitionKey,
    pub topic: Arc<str>,
    /// Index of its log directory.
    pub dir: usize,
    pub path: PathBuf,
    pub state: State,
    pub log: Log,
    pub leader: Leader,
    pub leader_epoch: Epoch,
    pub tail: Tail,
    /// Log files by the base offset of their segment.
    pub files: BTreeMap<Offset, File>,
    /// A file made ahead of time for the next segment.
    pub spare: Option<File>,
    /// Segments whose file is still called a spare.
    pub renames: Vec<Offset>,
    /// Segments and snapshots that are no longer part of the log and still have their names.
    pub deleted: Vec<Offset>,
    pub snapshots_deleted: Vec<Offset>,
    /// Bytes of the log when the producers were last snapshotted.
    pub snapshot_bytes: u64,
    /// What this turn has appended, one element per segment it goes to.
    staged: Vec<Staged>,
    in_flight: VecDeque<InFlight>,
    next_write: u64,
    /// Producers that wait for the high watermark to reach an offset.
    waiting_acks: VecDeque<(Offset, ParkId, u32)>,
    /// Fetches that wait for records; each once.
    pub waiting_fetches: Vec<ParkId>,
    /// Syncs of the flush that is out.
    pub syncs: u32,
    /// The clerk is at work for it.
    pub upkeep_out: bool,
    /// Its directory and the names in it are not durable yet.
    pub is_new: bool,
}

struct Staged {
    segment: Offset,
    position: Position,
    bytes: u32,
    end: Offset,
    bufs: Vec<Buf>,
    /// The last, still growing buffer of small pieces.
    open: Option<BufMut>,
}

struct InFlight {
    write: u64,
    end: Offset,
    state: WriteState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WriteState {
    Pending,
    Done,
    /// Nothing behind it counts any more; the log is opened anew once no write is pending.
    Failed,
}

/// One vectored write.
pub struct Write {
    pub write: u64,
    pub segment: Offset,
    pub position: Position,
    pub bufs: Vec<Buf>,
}

impl Partition {
    #[expect(clippy::too_many_arguments, reason = "what a partition is made of")]
    pub fn new(
        id: PartitionId,
        key: PartitionKey,
        topic: Arc<str>,
        dir: usize,
        path: PathBuf,
        log: Log,
        files: BTreeMap<Offset, File>,
        leader_epoch: Epoch,
    ) -> Partition {
        let leader = alone(leader_epoch, &log);
        Partition {
            id,
            key,
            topic,
            dir,
            path,
            state: State::Open,
            log,
            leader,
            leader_epoch,
            tail: Tail::default(),
            files,
            spare: None,
            renames: Vec::new(),
            deleted: Vec::new(),
            snapshots_deleted: Vec::new(),
            snapshot_bytes: 0,
            staged: Vec::new(),
            in_flight: VecDeque::new(),
            next_write: 0,
            waiting_acks: VecDeque::new(),
            waiting_fetches: Vec::new(),
            syncs: 0,
            upkeep_out: false,
            is_new: false,
        }
    }

    /// The disk is full: what is not in the file will not be. Reads go on up to the high watermark.
    pub fn fill_up(&mut self) {
        self.state = State::Full;
        self.staged.clear();
        self.tail.clear();
    }

    /// Its log directory has failed: nothing of it is written or answered any more.
    pub fn go_offline(&mut self) {
        self.state = State::Offline;
        self.staged.clear();
        self.tail.clear();
    }

    /// A log read from the files takes the place of one that was ahead of them.
    pub fn restart(&mut self, log: Log, files: BTreeMap<Offset, File>) {
        self.leader = alone(self.leader_epoch, &log);
        self.log = log;
        self.files = files;
        self.spare = None;
        self.renames.clear();
        self.in_flight.clear();
        self.tail.clear();
        self.state = State::Open;
    }

    /// Appends one batch of a client. What it comes to is known at once; it is acknowledged when the high watermark
    /// reaches [`Appended::end`].
    pub fn append(
        &mut self,
        pool: &Pool,
        now: Now,
        frame: &Buf,
        records: Range<usize>,
        scratch: &mut Scratch,
    ) -> Result<Appended, Refused> {
        let appended = self.log.append(now, &frame[records.clone()], Origin::Client, scratch)?;
        if let Some(write) = &appended.write {
            self.stage(pool, frame, records, write, appended.end);
            self.tell_leader(Event::Appended { end: appended.end });
        }
        Ok(appended)
    }

    /// Puts the batch behind what this turn will write.
    fn stage(&mut self, pool: &Pool, frame: &Buf, records: Range<usize>, write: &crate::log::Write, end: Offset) {
        let staged = match self.staged.last_mut() {
            Some(last) if last.segment == write.segment => last,
            _ => {
                let (segment, position) = (write.segment, write.position);
                self.staged.push(Staged { segment, position, bytes: 0, end, bufs: Vec::new(), open: None });
                self.staged.last_mut().expect("just pushed")
            }
        };
        assert_eq!(staged.position.0 + staged.bytes, write.position.0, "batches follow each other");
        staged.end = end;
        staged.copy(pool, &write.header);
        match &write.stored {
            Stored::Replaced(bytes) => staged.copy(pool, bytes),
            Stored::AsGiven => {
                let rest = records.start + write.header.len()..records.end;
                if rest.len() <= COPIED_BYTES_MAX {
                    staged.copy(pool, &frame[rest]);
                } else {
                    staged.close();
                    staged.push(frame.slice(rest));
                }
            }
        }
    }

    /// What this turn has to write: one element per segment, so one but for a roll.
    pub fn take_writes(&mut self, limits: &Limits, arrived: &mut Vec<u64>) -> Vec<Write> {
        let mut writes = Vec::with_capacity(self.staged.len());
        for mut staged in self.staged.drain(..) {
            staged.close();
            let write = self.next_write;
            self.next_write += 1;
            self.in_flight.push_back(InFlight { write, end: staged.end, state: WriteState::Pending });
            let mut position = staged.position;
            for buf in &staged.bufs {
                arrived.push(buf.held() as u64);
                self.tail.push(limits, staged.segment, position, buf.clone());
                position.0 += u32::try_from(buf.len()).expect("a segment is addressed with 31 bits");
            }
            writes.push(Write { write, segment: staged.segment, position: staged.position, bufs: staged.bufs });
        }
        writes
    }

    pub fn has_staged(&self) -> bool {
        !self.staged.is_empty()
    }

    /// A write has come back: the high watermark follows the writes that are done without a gap.
    pub fn written(&mut self, write: u64) {
        self.write_came_back(write, WriteState::Done);
        while let Some(first) = self.in_flight.front().filter(|w| w.state == WriteState::Done) {
            let end = first.end;
            self.log.written(end);
            self.tell_leader(Event::Durable { upto: end });
            self.in_flight.pop_front();
        }
    }

    /// A write has come back and is not in the file, or only a part of it.
    pub fn write_failed(&mut self, write: u64) {
        self.write_came_back(write, WriteState::Failed);
    }

    fn write_came_back(&mut self, write: u64, state: WriteState) {
        let entry = self.in_flight.iter_mut().find(|w| w.write == write).expect("every write comes back once");
        entry.state = state;
    }

    /// Is no write on its way? Only then may somebody else look at the end of the file.
    pub fn is_settled(&self) -> bool {
        self.in_flight.iter().all(|w| w.state != WriteState::Pending)
    }

    /// [`crate::plants::Plant::EarlyHighWatermark`].
    pub fn believe_written(&mut self) {
        self.tell_leader(Event::Durable { upto: self.log.end() });
    }

    pub fn is_quiet(&self) -> bool {
        self.staged.is_empty() && self.is_settled()
    }

    /// The log start has moved up.
    pub fn start_moved(&mut self) {
        self.tell_leader(Event::StartMoved { start: self.log.log_start() });
    }

    /// Whoever waits for the high watermark looks for itself: [`Partition::next_ack`], `waiting_fetches`.
    fn tell_leader(&mut self, event: Event) {
        self.leader.on_event(event, &mut Vec::new());
    }

    // ---- who waits

    pub fn high_watermark(&self) -> Offset {
        self.leader.high_watermark()
    }

    /// How far readers of this isolation may read. Without transactions the last stable offset is the high watermark.
    pub fn readable_end(&self, _read_committed: bool) -> Offset {
        self.leader.high_watermark()
    }

    /// The produce request `park` waits, with its partition `slot`, until readers may read up to `end`.
    pub fn wait_ack(&mut self, end: Offset, park: ParkId, slot: u32) {
        let at = self.waiting_acks.partition_point(|(e, ..)| *e <= end);
        self.waiting_acks.insert(at, (end, park, slot));
    }

    /// The next producer whose batch is acknowledged.
    pub fn next_ack(&mut self) -> Option<(ParkId, u32)> {
        let high_watermark = self.high_watermark();
        let (end, park, slot) = *self.waiting_acks.front()?;
        if end > high_watermark {
            return None;
        }
        self.waiting_acks.pop_front();
        Some((park, slot))
    }

    /// Everybody who waits for an acknowledgement that will not come.
    pub fn take_waiting(&mut self) -> impl Iterator<Item = (ParkId, u32)> + use<> {
        std::mem::take(&mut self.waiting_acks).into_iter().map(|(_, park, slot)| (park, slot))
    }

    /// Checks the leader epoch that a client believes in (KIP-320).
    pub fn check_epoch(&self, claimed: Epoch) -> Result<(), ErrorCode> {
        match claimed {
            Epoch::UNKNOWN => Ok(()),
            claimed if claimed < self.leader_epoch => Err(ErrorCode::FencedLeaderEpoch),
            claimed if claimed > self.leader_epoch => Err(ErrorCode::UnknownLeaderEpoch),
            _ => Ok(()),
        }
    }

    /// Where a reader's history parts from ours, if it does: the epoch and its end (KIP-595, `Partition.readRecords`).
    pub fn diverging(&self, last_fetched: Epoch, offset: Offset) -> Option<(i32, i64)> {
        if last_fetched == Epoch::UNKNOWN {
            return None;
        }
        let (epoch, end) = self.log.end_for_epoch(last_fetched)?;
        (epoch < last_fetched || end < offset).then_some((epoch.0, end.0))
    }

    /// For OffsetForLeaderEpoch: the largest epoch not above `epoch` and where it ended; (-1, -1) if there is none.
    pub fn end_for_epoch(&self, epoch: Epoch) -> (Epoch, i64) {
        if epoch == self.leader_epoch {
            return (epoch, self.log.end().0);
        }
        self.log.end_for_epoch(epoch).map_or((Epoch::UNKNOWN, -1), |(epoch, end)| (epoch, end.0))
    }

    /// May it be read?
    pub fn check_readable(&self) -> Result<(), ErrorCode> {
        match self.state {
            State::Open | State::Full => Ok(()),
            State::Offline => Err(ErrorCode::KafkaStorageError),
        }
    }

    /// May it be appended to?
    pub fn check_writable(&self) -> Result<(), ErrorCode> {
        match self.state {
            State::Open => Ok(()),
            State::Full | State::Offline => Err(ErrorCode::KafkaStorageError),
        }
    }
}

/// Leads a log that nobody else has.
fn alone(epoch: Epoch, log: &Log) -> Leader {
    Leader::new(epoch, log.log_start(), log.end(), log.end(), &[])
}

impl Staged {
    fn push(&mut self, buf: Buf) {
        self.bytes += u32::try_from(buf.len()).expect("a batch fits a segment");
        self.bufs.push(buf);
    }

    /// Copies small pieces behind each other into a buffer of their own.
    fn copy(&mut self, pool: &Pool, bytes: &[u8]) {
        if self.open.as_ref().is_some_and(|open| open.spare() < bytes.len()) {
            self.close();
        }
        self.open.get_or_insert_with(|| pool.take_always(bytes.len().max(COPIED_BYTES_MAX))).extend(bytes);
        self.bytes += u32::try_from(bytes.len()).expect("a batch fits a segment");
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.bufs.push(open.freeze());
        }
    }
}

impl Produced {
    pub fn refused(order: u32, error: ErrorCode) -> Produced {
        Produced { order, error, message: None, record_errors: Vec::new(), base_offset: -1, log_append_time: -1, log_start: -1 }
    }
}

//! Getting shorter at the start: retention and DeleteRecords. (At the end: [`crate::log::Checkpoints::cut`].)
//!
//! Whole segments go, oldest first, never beyond the high watermark:
//!
//! | by | a segment goes when |
//! |---|---|
//! | log start | the next one begins at or before it |
//! | size (`cleanup.policy=delete`) | what is left without it is still `retention.bytes` or more |
//! | time (`cleanup.policy=delete`) | its largest timestamp is more than `retention.ms` ago |
//!
//! A segment whose records have no timestamps is as old as its last append, or as its opening. Kafka:
//! `UnifiedLog.deleteOldSegments`.

use crate::error::ErrorCode;
use crate::log::{Log, Need, Now, Roll};
use crate::types::Offset;

/// What retention took out of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Base offsets of segments that are no longer part of the log: rename their files (and the snapshot of that offset)
    /// to `.deleted`, delete them `file.delete.delay.ms` later.
    pub deleted: Vec<Offset>,
    /// Even the active segment was due: this one took its place.
    pub rolled: Option<Roll>,
    /// To say more, the machine must see this; answer with [`Log::retention_on`] and ask again.
    pub need: Option<Need>,
}

impl Log {
    /// Moves the log start to `offset` (`None`: to the high watermark), for DeleteRecords. The new log start.
    /// OFFSET_OUT_OF_RANGE beyond the high watermark. The segments go with the next [`Log::retention`].
    pub fn delete_records(&mut self, offset: Option<Offset>, high_watermark: Offset) -> Result<Offset, ErrorCode> {
        let offset = offset.unwrap_or(high_watermark);
        if offset.0 < 0 || offset > high_watermark.min(self.written_end) {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        if offset > self.log_start {
            self.log_start = offset;
            self.epochs.cut_start(offset);
        }
        Ok(self.log_start)
    }

    /// Takes out what retention says: by time, by size, and what lies before the log start.
    pub fn retention(&mut self, now: Now, high_watermark: Offset) -> Retention {
        let mut retention = Retention::default();
        let mut count = self.due_by_log_start();
        if self.config.cleanup_policy.delete {
            count = count.max(self.due_by_size(high_watermark));
            let (by_time, need) = self.due_by_time(now, high_watermark);
            count = count.max(by_time);
            retention.need = need;
        }
        if count == self.segments.len() {
            retention.rolled = self.roll(now);
        }
        retention.deleted = self.segments.drain(..count).map(|segment| segment.base).collect();
        for base in &retention.deleted {
            self.finder.forget(*base);
            self.snapshots.retain(|offset| offset != base);
        }
        let first = self.segments.first().expect("the active segment stays").base;
        if !retention.deleted.is_empty() && first > self.log_start {
            self.log_start = first;
            self.epochs.cut_start(first);
        }
        if self.recovery_point < first {
            self.flushed(first);
        }
        retention
    }

    /// Answers [`Retention::need`].
    pub fn retention_on(&mut self, need: &Need, bytes: &[u8]) {
        if let Some(nth) = self.segment_of(need.segment) {
            self.newest_read(nth, bytes);
        }
    }

    fn due_by_log_start(&self) -> usize {
        self.segments.iter().skip(1).take_while(|next| next.base <= self.log_start).count()
    }

    /// May the `nth` segment go: is everything in it below the high watermark, and is there anything in it?
    fn may_go(&self, nth: usize, high_watermark: Offset) -> bool {
        let segment = &self.segments[nth];
        let end = self.segments.get(nth + 1).map_or(segment.end, |next| next.base);
        end <= high_watermark.min(self.written_end) && (nth + 1 < self.segments.len() || segment.len > 0)
    }

    fn due_by_size(&self, high_watermark: Offset) -> usize {
        let Some(max) = self.config.retention_bytes else { return 0 };
        let mut over = self.bytes().saturating_sub(max);
        let due = |nth: &usize| {
            let len = u64::from(self.segments[*nth].len);
            let due = over > 0 && len <= over && self.may_go(*nth, high_watermark);
            over = over.saturating_sub(len);
            due
        };
        (0..self.segments.len()).take_while(due).count()
    }

    fn due_by_time(&mut self, now: Now, high_watermark: Offset) -> (usize, Option<Need>) {
        let Some(max) = self.config.retention_ms else { return (0, None) };
        for nth in 0..self.segments.len() {
            if let Some(need) = self.newest_need(nth) {
                return (nth, Some(need));
            }
            let segment = &self.segments[nth];
            let newest = segment.newest.known().map_or(segment.touched, |newest| newest.timestamp);
            let age = u64::try_from(now.wall.0.saturating_sub(newest.0)).unwrap_or(0);
            if age <= max || !self.may_go(nth, high_watermark) {
                return (nth, None);
            }
        }
        (self.segments.len(), None)
    }
}

//! Leader epochs of a log: which leader wrote from which offset on. Kept in `leader-epoch-checkpoint`.
//!
//! Both columns rise strictly. Kafka: `LeaderEpochFileCache`.

use crate::log::checkpoints;
use crate::types::{Epoch, Offset};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Epochs {
    /// Epoch, and the first offset written in it; both rise strictly.
    entries: Vec<(Epoch, Offset)>,
    /// Changed since the file was last asked for.
    dirty: bool,
    /// The file that is out ends with this entry.
    out: Option<Option<(Epoch, Offset)>>,
    /// The last entry that the file on disk has.
    written: Option<(Epoch, Offset)>,
}

impl Epochs {
    /// Takes as much of a checkpoint as rises.
    pub fn of_file(bytes: &[u8]) -> Option<Epochs> {
        let mut epochs = Epochs::default();
        for (epoch, start) in checkpoints::decode_epochs(bytes)? {
            epochs.assign(epoch, start);
        }
        epochs.dirty = false;
        epochs.written = epochs.entries.last().copied();
        Some(epochs)
    }

    pub fn entries(&self) -> &[(Epoch, Offset)] {
        &self.entries
    }
    pub fn latest(&self) -> Option<Epoch> {
        self.entries.last().map(|(epoch, _)| *epoch)
    }

    /// Records from `start` on are written in `epoch`. Entries that this contradicts go.
    pub fn assign(&mut self, epoch: Epoch, start: Offset) {
        if epoch.0 < 0 || start.0 < 0 || self.latest() == Some(epoch) {
            return;
        }
        let keep = self.entries.partition_point(|(e, s)| *e < epoch && *s < start);
        self.entries.truncate(keep);
        self.entries.push((epoch, start));
        self.dirty = true;
    }

    /// The same, but an older epoch contradicts nothing: for those who walk through what was written in order.
    pub fn assign_newer(&mut self, epoch: Epoch, start: Offset) {
        if self.latest().is_none_or(|latest| latest < epoch) {
            self.assign(epoch, start);
        }
    }

    /// The log ends at `end` now.
    pub fn cut_end(&mut self, end: Offset) {
        let keep = self.entries.partition_point(|(_, start)| *start < end);
        if keep < self.entries.len() {
            self.entries.truncate(keep);
            self.dirty = true;
        }
    }

    /// The log begins at `start` now: the epoch that `start` was written in begins there.
    pub fn cut_start(&mut self, start: Offset) {
        let gone = self.entries.partition_point(|(_, s)| *s <= start);
        if gone > 1 || gone == 1 && self.entries[0].1 < start {
            self.entries.drain(..gone - 1);
            self.entries[0].1 = start;
            self.dirty = true;
        }
    }

    /// Epoch in which the record at `offset` was written.
    pub fn at(&self, offset: Offset) -> Option<Epoch> {
        let after = self.entries.partition_point(|(_, start)| *start <= offset);
        after.checked_sub(1).map(|nth| self.entries[nth].0)
    }

    /// The largest epoch not above `epoch`, and where the next one begins; the latest ends at `end`.
    /// `None`: nothing is known of it (`UNDEFINED_EPOCH_OFFSET`). Kafka: `LeaderEpochFileCache.endOffsetFor`.
    pub fn end_for(&self, epoch: Epoch, end: Offset) -> Option<(Epoch, Offset)> {
        if epoch.0 < 0 {
            return None;
        }
        if self.latest() == Some(epoch) {
            return Some((epoch, end));
        }
        let higher = self.entries.partition_point(|(e, _)| *e <= epoch);
        let (_, end) = self.entries.get(higher)?;
        let floor = higher.checked_sub(1).map_or(epoch, |nth| self.entries[nth].0);
        Some((floor, *end))
    }

    /// The file's content, if it changed since the last time and none is out.
    pub fn write(&mut self) -> Option<Vec<u8>> {
        if self.out.is_some() || !std::mem::take(&mut self.dirty) {
            return None;
        }
        self.out = Some(self.entries.last().copied());
        Some(checkpoints::encode_epochs(&self.entries))
    }
    pub fn write_done(&mut self) {
        self.written = self.out.take().expect("a file was out");
    }
    /// The file that was out, if any, did not come to be.
    pub fn write_undone(&mut self) {
        self.dirty |= self.out.take().is_some();
    }
    /// Where the first epoch began that the file on disk does not have.
    pub fn unwritten_start(&self) -> Option<Offset> {
        let first = self.written.map_or(0, |written| self.entries.partition_point(|entry| entry.0 <= written.0));
        self.entries.get(first).map(|(_, start)| *start)
    }
    /// The file is not what we have: write it again.
    pub fn set_dirty(&mut self) {
        self.dirty = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(list: &[(i32, i64)]) -> Epochs {
        let mut epochs = Epochs::default();
        for &(epoch, start) in list {
            epochs.assign(Epoch(epoch), Offset(start));
        }
        epochs
    }
    fn list(epochs: &Epochs) -> Vec<(i32, i64)> {
        epochs.entries().iter().map(|(e, s)| (e.0, s.0)).collect()
    }

    #[test]
    fn a_newer_assignment_replaces_what_it_contradicts() {
        assert_eq!(list(&epochs(&[(0, 0), (1, 10), (1, 20), (2, 20)])), [(0, 0), (1, 10), (2, 20)]);
        assert_eq!(list(&epochs(&[(0, 0), (1, 10), (2, 10)])), [(0, 0), (2, 10)]);
        assert_eq!(list(&epochs(&[(0, 0), (3, 10), (2, 15)])), [(0, 0), (2, 15)]);
        assert_eq!(list(&epochs(&[(-1, 0), (5, -1)])), []);
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let epochs = epochs(&[(1, 0), (3, 10), (7, 30)]);
        let end = |epoch| epochs.end_for(Epoch(epoch), Offset(99)).map(|(e, o)| (e.0, o.0));
        assert_eq!(end(-1), None);
        assert_eq!(end(0), Some((0, 0)));
        assert_eq!(end(1), Some((1, 10)));
        assert_eq!(end(2), Some((1, 10)));
        assert_eq!(end(3), Some((3, 30)));
        assert_eq!(end(7), Some((7, 99)));
        assert_eq!(end(8), None);
        assert_eq!((epochs.at(Offset(9)), epochs.at(Offset(10))), (Some(Epoch(1)), Some(Epoch(3))));
    }

    #[test]
    fn cutting_keeps_what_the_log_still_holds() {
        let mut epochs = epochs(&[(1, 0), (3, 10), (7, 30)]);
        assert_eq!(epochs.unwritten_start(), Some(Offset(0)));
        epochs.write();
        epochs.write_done();
        assert_eq!(epochs.unwritten_start(), None);
        epochs.cut_start(Offset(0));
        assert_eq!(epochs.write(), None);
        epochs.cut_start(Offset(15));
        assert_eq!(list(&epochs), [(3, 15), (7, 30)]);
        epochs.cut_end(Offset(30));
        assert_eq!(list(&epochs), [(3, 15)]);
        assert_eq!(epochs.write(), Some(b"0\n1\n3 15\n".to_vec()));
        assert_eq!(Epochs::of_file(b"0\n1\n3 15\n").map(|e| list(&e)), Some(vec![(3, 15)]));
    }
}

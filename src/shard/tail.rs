//! The end of every log, in memory: a reader at the tail is served from here, by the send that carries its answer.
//!
//! Lives on the owning core. A [`Tail`] belongs to a partition; [`TailBudget`] bounds all tails of a shard together and
//! evicts in the order of arrival.
//!
//! Invariants: the pieces of a tail follow each other without a gap, in one segment; bytes counted are the memory that
//! the views keep alive, not only the bytes they show.

use crate::limits::Limits;
use crate::types::{Offset, Position};
use millrace_io::{Buf, Piece};
use std::collections::VecDeque;

#[derive(Default)]
pub struct Tail {
    /// Base offset of the segment the pieces lie in.
    segment: Offset,
    pieces: VecDeque<(Position, Buf)>,
    held: u64,
}

/// What all tails of a shard hold, oldest first.
#[derive(Default)]
pub struct TailBudget {
    /// Partition and bytes of every piece, in the order of arrival. A piece that its partition has dropped already
    /// counts until it comes to the front.
    arrivals: VecDeque<(u32, u64)>,
    held: u64,
}

impl Tail {
    /// Remembers bytes just appended at `position` of `segment`.
    pub fn push(&mut self, limits: &Limits, segment: Offset, position: Position, buf: Buf) {
        let follows = self.segment == segment && self.pieces.back().is_some_and(|(at, last)| end(*at, last) == position);
        if !follows {
            self.clear();
            self.segment = segment;
        }
        self.held += buf.held() as u64;
        self.pieces.push_back((position, buf));
        while self.held > limits.tail_bytes_per_partition_max {
            self.drop_oldest();
        }
    }

    /// The bytes from `position` on, if all `len` of them are here.
    pub fn read(&self, segment: Offset, position: Position, len: u32) -> Option<Vec<Piece>> {
        let (first, _) = self.pieces.front()?;
        let (last_at, last) = self.pieces.back()?;
        if segment != self.segment || position < *first || end(*last_at, last).0 < position.0 + len {
            return None;
        }
        let index = self.pieces.partition_point(|(at, buf)| end(*at, buf) <= position);
        let (mut at, stop) = (position.0, position.0 + len);
        let mut pieces = Vec::new();
        for (start, buf) in self.pieces.range(index..) {
            if at == stop {
                break;
            }
            let until = stop.min(end(*start, buf).0);
            pieces.push(Piece::Mem(buf.slice((at - start.0) as usize..(until - start.0) as usize)));
            at = until;
        }
        Some(pieces)
    }

    pub fn clear(&mut self) {
        self.pieces.clear();
        self.held = 0;
    }

    pub fn drop_oldest(&mut self) {
        if let Some((_, buf)) = self.pieces.pop_front() {
            self.held -= buf.held() as u64;
        }
    }
}

impl TailBudget {
    /// Counts a piece of `bytes` that `partition` now holds. Then call [`TailBudget::evict`] until it has no more.
    pub fn arrived(&mut self, partition: u32, bytes: u64) {
        self.arrivals.push_back((partition, bytes));
        self.held += bytes;
    }

    /// The partition whose tail must drop its oldest piece, if all tails together hold too much. Dropping one more than
    /// it has left of that age only makes its tail shorter.
    pub fn evict(&mut self, limits: &Limits) -> Option<u32> {
        if self.held <= limits.tail_bytes_per_shard_max {
            return None;
        }
        let (partition, bytes) = self.arrivals.pop_front().expect("held is the sum of arrivals");
        self.held -= bytes;
        Some(partition)
    }
}

fn end(at: Position, buf: &Buf) -> Position {
    Position(at.0 + u32::try_from(buf.len()).expect("a segment is addressed with 31 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_io::Pool;

    fn buf(text: &str) -> Buf {
        let mut buf = Pool::new(1 << 20).take(text.len()).unwrap();
        buf.extend(text.as_bytes());
        buf.freeze()
    }

    fn read(tail: &Tail, position: u32, len: u32) -> Option<String> {
        let pieces = tail.read(Offset(0), Position(position), len)?;
        Some(
            pieces
                .iter()
                .map(|p| match p {
                    Piece::Mem(buf) => std::str::from_utf8(buf).unwrap(),
                    Piece::File { .. } => unreachable!("tails are memory"),
                })
                .collect(),
        )
    }

    #[test]
    fn a_read_spans_pieces_or_is_refused_whole() {
        let mut tail = Tail::default();
        tail.push(&Limits::PRODUCTION, Offset(0), Position(10), buf("abc"));
        tail.push(&Limits::PRODUCTION, Offset(0), Position(13), buf("defg"));
        assert_eq!(read(&tail, 10, 7).as_deref(), Some("abcdefg"));
        assert_eq!(read(&tail, 12, 3).as_deref(), Some("cde"));
        assert_eq!(read(&tail, 9, 2), None);
        assert_eq!(read(&tail, 16, 2), None);
    }

    #[test]
    fn a_gap_or_another_segment_starts_anew() {
        let mut tail = Tail::default();
        tail.push(&Limits::PRODUCTION, Offset(0), Position(10), buf("abc"));
        tail.push(&Limits::PRODUCTION, Offset(0), Position(20), buf("xyz"));
        assert_eq!(read(&tail, 10, 3), None);
        assert_eq!(read(&tail, 20, 3).as_deref(), Some("xyz"));
        tail.push(&Limits::PRODUCTION, Offset(5), Position(0), buf("new"));
        assert_eq!(read(&tail, 20, 3), None);
    }

    #[test]
    fn the_shard_forgets_the_oldest_first() {
        let limits = Limits { tail_bytes_per_partition_max: 8192, tail_bytes_per_shard_max: 8192, ..Limits::TINY };
        let mut tails = [Tail::default(), Tail::default()];
        let mut budget = TailBudget::default();
        for (partition, position) in [(0, 0), (1, 0), (1, 3)] {
            let piece = buf("abc");
            budget.arrived(partition, piece.held() as u64);
            tails[partition as usize].push(&limits, Offset(0), Position(position), piece);
            while let Some(partition) = budget.evict(&limits) {
                tails[partition as usize].drop_oldest();
            }
        }
        assert_eq!(read(&tails[0], 0, 3), None);
        assert_eq!(read(&tails[1], 0, 6).as_deref(), Some("abcabc"));
    }
}

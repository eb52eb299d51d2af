//! What the checkpoint files of the log directories say, and when they are written again.
//!
//! Lives on core 0. Shards tell how far their partitions are durable ([`Checkpoint`]); once in a while the clerk writes the
//! files of every directory about which something was told. What an earlier run wrote is kept for partitions that have not
//! been heard of yet, so that a crash while they are being opened costs nothing.
//!
//! Pure. Holds: a directory is `changed` if what it says differs from what was last handed out to be written; one write is
//! under way at most.

use crate::log::checkpoints::Offsets;
use crate::shard::Checkpoint;
use crate::types::{Instant, Offset};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub struct Checkpoints {
    dirs: Vec<Directory>,
    /// Least time from one write to the next.
    every: Duration,
    not_before: Instant,
    writing: bool,
}

#[derive(Default)]
struct Directory {
    points: Points,
    changed: bool,
    offline: bool,
}

/// What the files of a directory will say. Cheap to hand out: whoever writes them makes them from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Points(Arc<BTreeMap<(String, i32), Point>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Point {
    recovery_point: Option<Offset>,
    log_start: Option<Offset>,
    high_watermark: Option<Offset>,
}

/// What the three files of one directory hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// `recovery-point-offset-checkpoint`
    pub recovery_points: Offsets,
    /// `log-start-offset-checkpoint`: only partitions whose log does not begin at zero.
    pub log_starts: Offsets,
    /// `replication-offset-checkpoint`
    pub high_watermarks: Offsets,
}

impl Checkpoints {
    pub fn new(every: Duration, found: Vec<Files>) -> Checkpoints {
        let dirs = found.into_iter().map(|files| {
            let mut points: BTreeMap<(String, i32), Point> = BTreeMap::new();
            for (partition, offset) in files.recovery_points {
                points.entry(partition).or_default().recovery_point = Some(offset);
            }
            for (partition, offset) in files.log_starts {
                points.entry(partition).or_default().log_start = Some(offset);
            }
            for (partition, offset) in files.high_watermarks {
                points.entry(partition).or_default().high_watermark = Some(offset);
            }
            Directory { points: Points(Arc::new(points)), ..Directory::default() }
        });
        Checkpoints { dirs: dirs.collect(), every, not_before: Instant(0), writing: false }
    }

    /// Forgets the partitions that are no more.
    pub fn retain(&mut self, exists: impl Fn(&str, i32) -> bool) {
        for dir in &mut self.dirs {
            let before = dir.points.0.len();
            Arc::make_mut(&mut dir.points.0).retain(|(topic, index), _| exists(topic, *index));
            dir.changed |= dir.points.0.len() != before;
        }
    }

    /// A shard tells how far its partitions are.
    pub fn told(&mut self, checkpoints: Vec<Checkpoint>) {
        for Checkpoint { dir, topic, index, point } in checkpoints {
            let dir = &mut self.dirs[dir];
            let partition = (topic, index);
            let Some(point) = point else {
                if dir.points.0.contains_key(&partition) {
                    Arc::make_mut(&mut dir.points.0).remove(&partition);
                    dir.changed = true;
                }
                continue;
            };
            let point = Point {
                recovery_point: Some(point.recovery_point),
                log_start: Some(point.log_start).filter(|start| *start > Offset(0)),
                high_watermark: Some(point.high_watermark),
            };
            if dir.points.0.get(&partition) != Some(&point) {
                Arc::make_mut(&mut dir.points.0).insert(partition, point);
                dir.changed = true;
            }
        }
    }

    /// Nothing is written there any more.
    pub fn offline(&mut self, dir: usize) {
        self.dirs[dir].offline = true;
    }

    pub fn is_writing(&self) -> bool {
        self.writing
    }

    pub fn deadline(&self) -> Option<Instant> {
        (!self.writing && self.dirs.iter().any(Directory::is_due)).then_some(self.not_before)
    }

    /// The directories to write now, if it is time. Then [`Checkpoints::written`].
    pub fn due(&mut self, now: Instant) -> Option<Vec<(usize, Points)>> {
        self.deadline().filter(|deadline| *deadline <= now)?;
        self.not_before = now + self.every;
        self.writing = true;
        let due = self.dirs.iter_mut().enumerate().filter(|(_, dir)| dir.is_due());
        Some(
            due.map(|(index, dir)| {
                dir.changed = false;
                (index, dir.points.clone())
            })
            .collect(),
        )
    }

    /// The write is over; it did not work in these directories and is tried again.
    pub fn written(&mut self, failed: &[usize]) {
        assert!(self.writing);
        self.writing = false;
        for &dir in failed {
            self.dirs[dir].changed = true;
        }
    }

    /// Everything, for the last write of this run: every directory that can be written to.
    pub fn last(&self) -> Vec<(usize, Points)> {
        assert!(!self.writing);
        self.dirs.iter().enumerate().filter(|(_, dir)| !dir.offline).map(|(index, dir)| (index, dir.points.clone())).collect()
    }
}

impl Directory {
    fn is_due(&self) -> bool {
        self.changed && !self.offline
    }
}

impl Points {
    pub fn files(&self) -> Files {
        let some = |what: fn(&Point) -> Option<Offset>| {
            self.0.iter().filter_map(|(partition, point)| Some((partition.clone(), what(point)?))).collect()
        };
        Files {
            recovery_points: some(|p| p.recovery_point),
            log_starts: some(|p| p.log_start),
            high_watermarks: some(|p| p.high_watermark),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::CheckpointPoint;

    fn told(dir: usize, topic: &str, point: Option<(i64, i64, i64)>) -> Vec<Checkpoint> {
        let point = point.map(|(recovery_point, log_start, high_watermark)| CheckpointPoint {
            recovery_point: Offset(recovery_point),
            log_start: Offset(log_start),
            high_watermark: Offset(high_watermark),
        });
        vec![Checkpoint { dir, topic: topic.into(), index: 0, point }]
    }

    fn offsets(pairs: &[(&str, i64)]) -> Offsets {
        pairs.iter().map(|(topic, offset)| ((String::from(*topic), 0), Offset(*offset))).collect()
    }

    fn two() -> Checkpoints {
        let found = Files { recovery_points: offsets(&[("old", 5)]), log_starts: offsets(&[("old", 2)]), high_watermarks: offsets(&[]) };
        Checkpoints::new(Duration::from_nanos(10), vec![found, Files::default()])
    }

    #[test]
    fn only_directories_about_which_something_new_was_told_are_written() {
        let mut checkpoints = two();
        assert_eq!(checkpoints.deadline(), None);
        checkpoints.told(told(1, "a", Some((3, 0, 4))));
        assert_eq!(checkpoints.deadline(), Some(Instant(0)));
        let due = checkpoints.due(Instant(100)).unwrap();
        let files = Files { recovery_points: offsets(&[("a", 3)]), log_starts: offsets(&[]), high_watermarks: offsets(&[("a", 4)]) };
        assert_eq!(due.len(), 1);
        assert_eq!((due[0].0, due[0].1.files()), (1, files));
        checkpoints.written(&[]);
        checkpoints.told(told(1, "a", Some((3, 0, 4))));
        assert_eq!(checkpoints.deadline(), None, "it says the same");
    }

    #[test]
    fn what_an_earlier_run_wrote_stays_until_the_partition_is_heard_of() {
        let mut checkpoints = two();
        checkpoints.told(told(0, "new", Some((1, 1, 1))));
        let due = checkpoints.due(Instant(0)).unwrap();
        assert_eq!(due[0].1.files().recovery_points, offsets(&[("new", 1), ("old", 5)]));
        assert_eq!(due[0].1.files().log_starts, offsets(&[("new", 1), ("old", 2)]));
        checkpoints.written(&[]);
        checkpoints.retain(|topic, _| topic != "old");
        assert_eq!(checkpoints.due(Instant(10)).unwrap()[0].1.files().recovery_points, offsets(&[("new", 1)]));
        checkpoints.written(&[]);
        checkpoints.told(told(0, "new", None));
        assert_eq!(checkpoints.due(Instant(20)).unwrap()[0].1.files(), Files::default());
    }

    #[test]
    fn writes_keep_their_distance_and_a_failed_one_is_tried_again() {
        let mut checkpoints = two();
        checkpoints.told(told(0, "a", Some((1, 0, 1))));
        assert!(checkpoints.due(Instant(100)).is_some());
        checkpoints.told(told(0, "a", Some((2, 0, 2))));
        assert_eq!(checkpoints.deadline(), None, "one write at a time");
        checkpoints.written(&[]);
        assert_eq!(checkpoints.deadline(), Some(Instant(110)));
        assert!(checkpoints.due(Instant(109)).is_none());
        assert!(checkpoints.due(Instant(110)).is_some());
        checkpoints.written(&[0]);
        assert_eq!(checkpoints.deadline(), Some(Instant(120)));
    }

    #[test]
    fn a_failed_directory_is_left_alone() {
        let mut checkpoints = two();
        checkpoints.told(told(0, "a", Some((1, 0, 1))));
        checkpoints.offline(0);
        assert_eq!(checkpoints.deadline(), None);
        assert_eq!(checkpoints.last().iter().map(|(dir, _)| *dir).collect::<Vec<_>>(), [1]);
    }
}

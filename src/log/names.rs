//! What files and directories of a log are called.
//!
//! ```text
//! <log.dirs entry>/
//!   orders-7/                                     a partition        orders-7.<32 hex digits>-delete: on its way out
//!     00000000000000000000.log                    a segment          orders-7.<32 hex digits>-future: on its way in
//!     00000000000000000000.index .timeindex .txnindex
//!     00000000000000004711.snapshot               producers, as of offset 4711
//!     00000000000000000000.log.deleted            on its way out; .cleaned, .swap: compaction
//!     leader-epoch-checkpoint  partition.metadata
//!     millrace.spare                              the next segment, made ahead of time; Kafka ignores it
//! ```

use crate::types::Offset;

pub const LEADER_EPOCH_CHECKPOINT: &str = "leader-epoch-checkpoint";
pub const PARTITION_METADATA: &str = "partition.metadata";
pub const META_PROPERTIES: &str = "meta.properties";
pub const RECOVERY_POINT_CHECKPOINT: &str = "recovery-point-offset-checkpoint";
pub const LOG_START_CHECKPOINT: &str = "log-start-offset-checkpoint";
pub const HIGH_WATERMARK_CHECKPOINT: &str = "replication-offset-checkpoint";
pub const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
/// The next segment of a partition, made and allocated ahead of time. Kafka's loader takes what stands before the first
/// dot for a base offset and passes over what is none.
pub const SPARE: &str = "millrace.spare";

/// Kafka: `LogFileUtils.DELETED_FILE_SUFFIX` and its neighbours.
pub const DELETED: &str = ".deleted";
pub const CLEANED: &str = ".cleaned";
pub const SWAP: &str = ".swap";

/// The files that a segment consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SegmentFile {
    Log,
    OffsetIndex,
    TimeIndex,
    TxnIndex,
    /// Producers as of this offset; named by an offset, but not always by a segment's.
    Snapshot,
}

impl SegmentFile {
    pub const ALL: [SegmentFile; 5] =
        [SegmentFile::Log, SegmentFile::OffsetIndex, SegmentFile::TimeIndex, SegmentFile::TxnIndex, SegmentFile::Snapshot];

    pub fn extension(self) -> &'static str {
        match self {
            SegmentFile::Log => "log",
            SegmentFile::OffsetIndex => "index",
            SegmentFile::TimeIndex => "timeindex",
            SegmentFile::TxnIndex => "txnindex",
            SegmentFile::Snapshot => "snapshot",
        }
    }
    fn of_extension(extension: &str) -> Option<SegmentFile> {
        SegmentFile::ALL.into_iter().find(|kind| kind.extension() == extension)
    }
    /// `00000000000000004711.index`
    pub fn name(self, base: Offset) -> String {
        format!("{:020}.{}", base.0, self.extension())
    }
}

/// Why a segment's file has something behind its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    Live,
    Deleted,
    Cleaned,
    Swap,
}

/// What a name in a partition's directory means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileName {
    Segment {
        base: Offset,
        file: SegmentFile,
        state: FileState,
    },
    LeaderEpochCheckpoint,
    PartitionMetadata,
    Spare,
    /// Nobody's: left alone.
    Foreign,
}

impl FileName {
    pub fn parse(name: &str) -> FileName {
        match name {
            LEADER_EPOCH_CHECKPOINT => return FileName::LeaderEpochCheckpoint,
            PARTITION_METADATA => return FileName::PartitionMetadata,
            SPARE => return FileName::Spare,
            _ => {}
        }
        let states = [(DELETED, FileState::Deleted), (CLEANED, FileState::Cleaned), (SWAP, FileState::Swap)];
        let stripped = states.iter().find_map(|(suffix, state)| Some((name.strip_suffix(suffix)?, *state)));
        let (stem, state) = stripped.unwrap_or((name, FileState::Live));
        let parsed = stem.split_once('.').and_then(|(base, extension)| {
            let base = parse_offset(base)?;
            Some(FileName::Segment { base, file: SegmentFile::of_extension(extension)?, state })
        });
        parsed.unwrap_or(FileName::Foreign)
    }
}

/// Exactly 20 digits that fit an offset.
fn parse_offset(text: &str) -> Option<Offset> {
    (text.len() == 20 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok().map(Offset)).flatten()
}

/// What a directory in a log directory is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartitionDir {
    Live {
        topic: String,
        partition: i32,
    },
    /// Deleted, files not yet gone.
    Delete,
    /// A replica that is being moved to this log directory.
    Future {
        topic: String,
        partition: i32,
    },
    /// Not a partition.
    Foreign,
}

/// `orders-7`
pub fn partition_dir(topic: &str, partition: i32) -> String {
    format!("{topic}-{partition}")
}

/// `orders-7.<uuid>-delete`; a long topic name is cut so that the whole stays within 255 bytes, as Kafka does
/// (`LocalLog.logDeleteDirName`).
pub fn delete_dir(topic: &str, partition: i32, uuid: &[u8; 16]) -> String {
    unique_dir(topic, partition, uuid, "-delete")
}

/// `orders-7.<uuid>-stray`: a partition that no topic has. Nobody deletes it (`LocalLog.logStrayDirName`).
pub fn stray_dir(topic: &str, partition: i32, uuid: &[u8; 16]) -> String {
    unique_dir(topic, partition, uuid, "-stray")
}

/// `orders-7.<uuid>-future`
pub fn future_dir(topic: &str, partition: i32, uuid: &[u8; 16]) -> String {
    unique_dir(topic, partition, uuid, "-future")
}

fn unique_dir(topic: &str, partition: i32, uuid: &[u8; 16], suffix: &str) -> String {
    let tail: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
    let tail = format!("-{partition}.{tail}{suffix}");
    let room = 255 - tail.len();
    // Topic names are ASCII; a foreign one is cut where a character ends.
    let cut = (0..=room.min(topic.len())).rev().find(|&at| topic.is_char_boundary(at)).unwrap_or(0);
    format!("{}{tail}", &topic[..cut])
}

impl PartitionDir {
    pub fn parse(name: &str) -> PartitionDir {
        if let Some((stem, suffix)) = ["-delete", "-future"].iter().find_map(|s| Some((name.strip_suffix(s)?, *s))) {
            let unique = stem.rsplit_once('.').filter(|(_, id)| !id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'));
            if let Some((partition, _)) = unique {
                return match (suffix, split_partition(partition)) {
                    ("-delete", Some(_)) => PartitionDir::Delete,
                    ("-future", Some((topic, partition))) => PartitionDir::Future { topic, partition },
                    _ => PartitionDir::Foreign,
                };
            }
        }
        match split_partition(name) {
            Some((topic, partition)) => PartitionDir::Live { topic, partition },
            None => PartitionDir::Foreign,
        }
    }
}

fn split_partition(name: &str) -> Option<(String, i32)> {
    let (topic, partition) = name.rsplit_once('-')?;
    let digits = !partition.is_empty() && partition.bytes().all(|b| b.is_ascii_digit());
    let partition = partition.parse().ok().filter(|_| digits)?;
    (!topic.is_empty()).then(|| (topic.to_owned(), partition))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_a_segment_is_recognised_by_its_name() {
        for file in SegmentFile::ALL {
            let base = Offset(4711);
            let name = file.name(base);
            assert_eq!(FileName::parse(&name), FileName::Segment { base, file, state: FileState::Live });
            for (suffix, state) in [(DELETED, FileState::Deleted), (CLEANED, FileState::Cleaned), (SWAP, FileState::Swap)] {
                assert_eq!(FileName::parse(&format!("{name}{suffix}")), FileName::Segment { base, file, state });
            }
        }
        assert_eq!(SegmentFile::Log.name(Offset(0)), "00000000000000000000.log");
    }

    #[test]
    fn foreign_files_are_nobodys() {
        for name in ["", ".log", "0.log", "00000000000000000000.logs", "99999999999999999999.log", "0000000000000000000x.log", "a.b.c"] {
            assert_eq!(FileName::parse(name), FileName::Foreign, "{name}");
        }
    }

    #[test]
    fn directories_are_partitions_with_their_states() {
        let live = |topic: &str, partition| PartitionDir::Live { topic: topic.into(), partition };
        assert_eq!(PartitionDir::parse("orders-7"), live("orders", 7));
        assert_eq!(PartitionDir::parse("a-b.c_d-0"), live("a-b.c_d", 0));
        assert_eq!(PartitionDir::parse("orders-7.0123456789abcdef0123456789abcdef-delete"), PartitionDir::Delete);
        assert_eq!(
            PartitionDir::parse("orders-7.0123456789abcdef0123456789abcdef-future"),
            PartitionDir::Future { topic: "orders".into(), partition: 7 }
        );
        for name in ["orders", "-7", "orders-", "orders-x", "orders-+7", "lost+found", "x-99999999999"] {
            assert_eq!(PartitionDir::parse(name), PartitionDir::Foreign, "{name}");
        }
    }

    #[test]
    fn a_directory_on_its_way_out_has_a_name_that_fits_and_is_recognised() {
        let topic = "t".repeat(249);
        let name = delete_dir(&topic, 123, &[0xab; 16]);
        assert_eq!(name.len(), 255);
        assert_eq!(PartitionDir::parse(&name), PartitionDir::Delete);
        assert_eq!(PartitionDir::parse(&stray_dir("orders", 7, &[0xab; 16])), PartitionDir::Foreign);
        assert_eq!(delete_dir("t", 0, &[1; 16]), "t-0.01010101010101010101010101010101-delete");
    }
}

//! Options of a topic. Each has a default, mostly from an option of the broker.

use super::options;

options! {
    TOPIC
    /// What happens to old segments: `delete` removes them by age and size, `compact` keeps the last record of each
    /// key and refuses records without one, both do both, and an empty list keeps everything. Compaction does not
    /// remove anything yet.
    "cleanup.policy" List "delete" None Each(&["compact", "delete"]) Medium Topic("log.cleanup.policy") Full;
    /// Effort of gzip where the broker compresses; -1 is the codec's own default.
    "compression.gzip.level" Int "-1" None BetweenOr(1, 9, -1) Medium Topic("compression.gzip.level") Full;
    /// Effort of LZ4 where the broker compresses.
    "compression.lz4.level" Int "9" None Between(1, 17) Medium Topic("compression.lz4.level") None;
    /// How batches are stored: `producer` keeps them as they came, `uncompressed` or a codec's name recompresses
    /// those that came otherwise, which costs the broker CPU.
    "compression.type" String "producer" None OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]) Medium Topic("compression.type") Full;
    /// Effort of Zstandard where the broker compresses; negative levels are faster and compress less.
    "compression.zstd.level" Int "3" None Between(-131072, 22) Medium Topic("compression.zstd.level") Full;
    /// How long a delete marker of a compacted topic stays readable, so that a consumer that started at the beginning
    /// sees it.
    "delete.retention.ms" Long "86400000" Ms AtLeast(0) Medium Topic("log.cleaner.delete.retention.ms") None;
    /// How long a removed segment's files stay on disk under the name `.deleted`, for readers that still have them
    /// open; 0 removes them at the next opportunity.
    "file.delete.delay.ms" Long "60000" Ms AtLeast(0) Medium Topic("log.segment.delete.delay.ms") Full;
    /// Records after which the log is flushed to the device. The default never does so by count.
    "flush.messages" Long "9223372036854775807" Records AtLeast(1) Medium Topic("log.flush.interval.messages") Full;
    /// Time after which a record in memory is flushed to the device. The default never does so by time.
    "flush.ms" Long "9223372036854775807" Ms AtLeast(0) Medium Topic("log.flush.interval.ms") Full;
    /// Replicas whose fetching is held to the follower's throttled rate, as `partition:broker`, or `*` for all.
    "follower.replication.throttled.replicas" List "" None ThrottledReplicas Medium Topic("") None;
    /// Bytes of records between two entries of the offset index. Smaller finds an offset with less reading and makes
    /// larger index files.
    "index.interval.bytes" Int "4096" Bytes AtLeast(0) Medium Topic("log.index.interval.bytes") Full;
    /// Segment size without the lower bound of `segment.bytes`, for tests.
    "internal.segment.bytes" Int - Bytes Any Internal Topic("") Full;
    /// Replicas whose followers are held to the leader's throttled rate, as `partition:broker`, or `*` for all.
    "leader.replication.throttled.replicas" List "" None ThrottledReplicas Medium Topic("") None;
    /// Bytes kept on local disks once they are also in a remote tier; -2 means as much as `retention.bytes`, -1
    /// everything.
    "local.retention.bytes" Long "-2" Bytes AtLeast(-2) Medium Topic("log.local.retention.bytes") None;
    /// Time that segments are kept on local disks once they are also in a remote tier; -2 means as long as
    /// `retention.ms`, -1 for ever.
    "local.retention.ms" Long "-2" Ms AtLeast(-2) Medium Topic("log.local.retention.ms") None;
    /// Longest time that a record may stay uncompacted.
    "max.compaction.lag.ms" Long "9223372036854775807" Ms AtLeast(1) Medium Topic("log.cleaner.max.compaction.lag.ms") None;
    /// Largest record batch that is accepted, as it is stored, that is compressed. A larger one is refused with
    /// MESSAGE_TOO_LARGE.
    "max.message.bytes" Int "1048588" Bytes AtLeast(0) Medium Topic("message.max.bytes") Full;
    /// How far in the future a record's timestamp may lie, under `CreateTime`; beyond it the batch is refused with
    /// INVALID_TIMESTAMP.
    "message.timestamp.after.max.ms" Long "3600000" Ms AtLeast(0) Medium Topic("log.message.timestamp.after.max.ms") Full;
    /// How far in the past a record's timestamp may lie, under `CreateTime`; beyond it the batch is refused with
    /// INVALID_TIMESTAMP.
    "message.timestamp.before.max.ms" Long "9223372036854775807" Ms AtLeast(0) Medium Topic("log.message.timestamp.before.max.ms") Full;
    /// Whose clock stamps the records: the producer's (`CreateTime`) or the broker's on arrival (`LogAppendTime`).
    "message.timestamp.type" String "CreateTime" None OneOf(&["CreateTime", "LogAppendTime"]) Medium Topic("log.message.timestamp.type") Full;
    /// Share of a log that must be uncompacted before the cleaner takes it up. Lower wastes less space and cleans
    /// more often.
    "min.cleanable.dirty.ratio" Double "0.5" None Fraction(0.0, 1.0) Medium Topic("log.cleaner.min.cleanable.ratio") None;
    /// Time for which a record is safe from compaction.
    "min.compaction.lag.ms" Long "0" Ms AtLeast(0) Medium Topic("log.cleaner.min.compaction.lag.ms") None;
    /// In-sync replicas, the leader included, that a write with `acks=all` needs; with fewer it is refused with
    /// NOT_ENOUGH_REPLICAS.
    "min.insync.replicas" Int "1" None AtLeast(1) Medium Topic("min.insync.replicas") Full;
    /// Whether Kafka allocates a segment's whole file when it begins it. Millrace always prepares segments ahead of
    /// time, in steps.
    "preallocate" Boolean "false" None Any Medium Topic("log.preallocate") None;
    /// Stops copying segments to the remote tier; what is there already follows local retention.
    "remote.log.copy.disable" Boolean "false" None Any Medium Topic("") None;
    /// Whether turning the remote tier off also deletes what it holds.
    "remote.log.delete.on.disable" Boolean "false" None Any Medium Topic("") None;
    /// Whether closed segments go to a remote tier. There is none yet, so `true` is refused.
    "remote.storage.enable" Boolean "false" None Any Medium Topic("") None;
    /// Bytes a partition may hold before its oldest segments are deleted, under the policy `delete`; -1 is no limit.
    /// Per partition: multiply by their number.
    "retention.bytes" Long "-1" Bytes Any Medium Topic("log.retention.bytes") Full;
    /// Age at which a segment is deleted, under the policy `delete`, counted from its newest record; -1 keeps for
    /// ever.
    "retention.ms" Long "604800000" Ms AtLeast(-1) Medium Topic("log.retention.ms") Full;
    /// Size at which a segment is closed and the next begun. Retention works on whole segments: larger ones are fewer
    /// files and coarser steps.
    "segment.bytes" Int "1073741824" Bytes AtLeast(1048576) Medium Topic("log.segment.bytes") Full;
    /// Largest size of a segment's offset index; a full one closes the segment. Smaller saves disk, not memory.
    "segment.index.bytes" Int "10485760" Bytes AtLeast(4) Medium Topic("log.index.size.max.bytes") Full;
    /// Random time, up to this, by which `segment.ms` is shortened for each segment, so that many partitions do not
    /// roll at once.
    "segment.jitter.ms" Long "0" Ms AtLeast(0) Medium Topic("log.roll.jitter.ms") Full;
    /// Age at which a segment is closed though it is not full, so that retention can reach it.
    "segment.ms" Long "604800000" Ms AtLeast(1) Medium Topic("log.roll.ms") Full;
    /// Whether a replica that lacks acknowledged records may become leader when no other is alive. It loses them.
    "unclean.leader.election.enable" Boolean "false" None Any Medium Topic("unclean.leader.election.enable") None;
}

//! Options of the logs: mostly the defaults of the options of a topic.

use super::options;

options! {
    LOG
    /// Default of a topic's `max.message.bytes`.
    "message.max.bytes" Int "1048588" Bytes AtLeast(0) High ClusterWide Full;
    /// Default of a topic's `compression.type`.
    "compression.type" String "producer" None OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]) High ClusterWide Full;
    /// Default of a topic's `compression.gzip.level`; -1 is the codec's own.
    "compression.gzip.level" Int "-1" None BetweenOr(1, 9, -1) Medium ClusterWide Full;
    /// Default of a topic's `compression.lz4.level`.
    "compression.lz4.level" Int "9" None Between(1, 17) Medium ClusterWide None;
    /// Default of a topic's `compression.zstd.level`.
    "compression.zstd.level" Int "3" None Between(-131072, 22) Medium ClusterWide Full;
    /// Default of a topic's `min.insync.replicas`.
    "min.insync.replicas" Int "1" None AtLeast(1) High ClusterWide Full;
    /// Default of a topic's `unclean.leader.election.enable`.
    "unclean.leader.election.enable" Boolean "false" None Any High ClusterWide None;
    /// Default of a topic's `cleanup.policy`.
    "log.cleanup.policy" List "delete" None Each(&["compact", "delete"]) Medium ClusterWide Full;
    /// Default of a topic's `retention.bytes`, per partition; -1 is no limit.
    "log.retention.bytes" Long "-1" Bytes Any High ClusterWide Full;
    /// Default of a topic's `retention.ms`, in hours, where neither the minutes nor the milliseconds are set; -1
    /// keeps for ever.
    "log.retention.hours" Int "168" Hours Any High ReadOnly Full;
    /// Default of a topic's `retention.ms`, in minutes; goes before the hours. -1 keeps for ever.
    "log.retention.minutes" Int - Minutes Any High ReadOnly Full;
    /// Default of a topic's `retention.ms`; goes before the minutes and hours. -1 keeps for ever.
    "log.retention.ms" Long - Ms Any High ClusterWide Full;
    /// How often the broker looks for segments to delete.
    "log.retention.check.interval.ms" Long "300000" Ms AtLeast(1) Medium ReadOnly Full;
    /// Default of a topic's `segment.ms`, in hours.
    "log.roll.hours" Int "168" Hours AtLeast(1) High ReadOnly Full;
    /// Default of a topic's `segment.ms`; goes before the hours.
    "log.roll.ms" Long - Ms Any High ClusterWide Full;
    /// Default of a topic's `segment.jitter.ms`, in hours.
    "log.roll.jitter.hours" Int "0" Hours AtLeast(0) High ReadOnly Full;
    /// Default of a topic's `segment.jitter.ms`; goes before the hours.
    "log.roll.jitter.ms" Long - Ms Any High ClusterWide Full;
    /// Default of a topic's `segment.bytes`.
    "log.segment.bytes" Int "1073741824" Bytes AtLeast(1048576) High ClusterWide Full;
    /// Default of a topic's `file.delete.delay.ms`.
    "log.segment.delete.delay.ms" Long "60000" Ms AtLeast(0) High ClusterWide Full;
    /// Default of a topic's `index.interval.bytes`.
    "log.index.interval.bytes" Int "4096" Bytes AtLeast(0) Medium ClusterWide Full;
    /// Default of a topic's `segment.index.bytes`.
    "log.index.size.max.bytes" Int "10485760" Bytes AtLeast(4) Medium ClusterWide Full;
    /// Default of a topic's `preallocate`.
    "log.preallocate" Boolean "false" None Any Medium ClusterWide None;
    /// Default of a topic's `message.timestamp.type`.
    "log.message.timestamp.type" String "CreateTime" None OneOf(&["CreateTime", "LogAppendTime"]) Medium ClusterWide Full;
    /// Default of a topic's `message.timestamp.before.max.ms`.
    "log.message.timestamp.before.max.ms" Long "9223372036854775807" Ms AtLeast(0) Medium ClusterWide Full;
    /// Default of a topic's `message.timestamp.after.max.ms`.
    "log.message.timestamp.after.max.ms" Long "3600000" Ms AtLeast(0) Medium ClusterWide Full;
    /// Default of a topic's `flush.messages`.
    "log.flush.interval.messages" Long "9223372036854775807" Records AtLeast(1) High ClusterWide Full;
    /// Default of a topic's `flush.ms`; `log.flush.scheduler.interval.ms` if not set.
    "log.flush.interval.ms" Long - Ms Any High ClusterWide Full;
    /// How often Kafka looks for logs to flush; here only the default of `log.flush.interval.ms`.
    "log.flush.scheduler.interval.ms" Long "9223372036854775807" Ms Any High ReadOnly Full;
    /// How often recovery points are written to `recovery-point-offset-checkpoint`. What lies beyond them is read
    /// again after a crash.
    "log.flush.offset.checkpoint.interval.ms" Int "60000" Ms AtLeast(0) High ReadOnly Full;
    /// How often log start offsets are written to `log-start-offset-checkpoint`.
    "log.flush.start.offset.checkpoint.interval.ms" Int "60000" Ms AtLeast(0) High ReadOnly Full;
    /// How long Kafka waits after its start before it looks after its logs.
    "log.initial.task.delay.ms" Long "30000" Ms AtLeast(0) Internal ReadOnly None;
    /// Default of a topic's `local.retention.bytes`; -2 means as much as `retention.bytes`, -1 everything.
    "log.local.retention.bytes" Long "-2" Bytes AtLeast(-2) Medium ClusterWide None;
    /// Default of a topic's `local.retention.ms`; -2 means as long as `retention.ms`, -1 for ever.
    "log.local.retention.ms" Long "-2" Ms AtLeast(-2) Medium ClusterWide None;
    /// Whether logs are compacted.
    "log.cleaner.enable" Boolean "true" None Any Medium ReadOnly None;
    /// Threads of Kafka that compact.
    "log.cleaner.threads" Int "1" None AtLeast(0) Medium ClusterWide None;
    /// Most that compaction reads and writes.
    "log.cleaner.io.max.bytes.per.second" Double "1.7976931348623157e308" BytesPerSecond Any Medium ClusterWide None;
    /// Memory for the keys of a log that is being compacted.
    "log.cleaner.dedupe.buffer.size" Long "134217728" Bytes Any Medium ClusterWide None;
    /// Memory for reading and writing while compacting.
    "log.cleaner.io.buffer.size" Int "524288" Bytes AtLeast(0) Medium ClusterWide None;
    /// How full Kafka's table of keys may become.
    "log.cleaner.io.buffer.load.factor" Double "0.9" None Any Medium ClusterWide None;
    /// How long the cleaner rests when there is nothing to compact.
    "log.cleaner.backoff.ms" Long "15000" Ms AtLeast(0) Medium ClusterWide None;
    /// Default of a topic's `min.cleanable.dirty.ratio`.
    "log.cleaner.min.cleanable.ratio" Double "0.5" None Fraction(0.0, 1.0) Medium ClusterWide None;
    /// Default of a topic's `delete.retention.ms`.
    "log.cleaner.delete.retention.ms" Long "86400000" Ms AtLeast(0) Medium ClusterWide None;
    /// Default of a topic's `min.compaction.lag.ms`.
    "log.cleaner.min.compaction.lag.ms" Long "0" Ms AtLeast(0) Medium ClusterWide None;
    /// Default of a topic's `max.compaction.lag.ms`.
    "log.cleaner.max.compaction.lag.ms" Long "9223372036854775807" Ms AtLeast(1) Medium ClusterWide None;
    /// Time without a batch after which an idempotent producer's sequence numbers are forgotten.
    "producer.id.expiration.ms" Int "86400000" Ms AtLeast(1) Low ClusterWide Full;
    /// How often Kafka looks for producers to forget.
    "producer.id.expiration.check.interval.ms" Int "600000" Ms AtLeast(1) Internal ReadOnly None;
}

//! Options of the remote tier.

use super::options;

options! {
    REMOTE
    /// Whether the broker has a remote tier. There is none yet.
    "remote.log.storage.system.enable" Boolean "false" None Any Medium ReadOnly None;
    /// A Java class that stores segments remotely. Classes cannot be loaded.
    "remote.log.storage.manager.class.name" String - None NonEmpty Medium ReadOnly None;
    /// Where that class is found.
    "remote.log.storage.manager.class.path" String - None Any Medium ReadOnly None;
    /// Prefix of the options that are handed to that class.
    "remote.log.storage.manager.impl.prefix" String "rsm.config." None NonEmpty Medium ReadOnly None;
    /// A Java class that remembers what is stored remotely. Classes cannot be loaded.
    "remote.log.metadata.manager.class.name" String "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager" None NonEmpty Medium ReadOnly None;
    /// Where that class is found.
    "remote.log.metadata.manager.class.path" String - None Any Medium ReadOnly None;
    /// Prefix of the options that are handed to that class.
    "remote.log.metadata.manager.impl.prefix" String "rlmm.config." None NonEmpty Medium ReadOnly None;
    /// Listener that that class connects to.
    "remote.log.metadata.manager.listener.name" String - None NonEmpty Medium ReadOnly None;
    /// Largest remark that the remote tier may add to a segment.
    "remote.log.metadata.custom.metadata.max.bytes" Int "128" Bytes AtLeast(0) Low ReadOnly None;
    /// Disk space for index files fetched back.
    "remote.log.index.file.cache.total.size.bytes" Long "1073741824" Bytes AtLeast(1) Low ClusterWide None;
    /// How long a fetched index file is kept unused; -1 for ever.
    "remote.log.index.file.cache.ttl.ms" Long "900000" Ms AtLeast(-1) Internal ReadOnly None;
    /// Threads of Kafka for the remote tier.
    "remote.log.manager.thread.pool.size" Int "2" None AtLeast(1) Medium ReadOnly None;
    /// Threads of Kafka that copy to the remote tier.
    "remote.log.manager.copier.thread.pool.size" Int "10" None AtLeast(1) Medium ClusterWide None;
    /// Threads of Kafka that delete from the remote tier.
    "remote.log.manager.expiration.thread.pool.size" Int "10" None AtLeast(1) Medium ClusterWide None;
    /// Threads of Kafka that follow the remote tier.
    "remote.log.manager.follower.thread.pool.size" Int "2" None AtLeast(1) Medium ClusterWide None;
    /// How often the remote tier is looked after.
    "remote.log.manager.task.interval.ms" Long "30000" Ms AtLeast(1) Low ReadOnly None;
    /// Pause after an error of the remote tier.
    "remote.log.manager.task.retry.backoff.ms" Long "500" Ms AtLeast(1) Internal ReadOnly None;
    /// Up to what that pause grows.
    "remote.log.manager.task.retry.backoff.max.ms" Long "30000" Ms AtLeast(1) Internal ReadOnly None;
    /// Random share of that pause.
    "remote.log.manager.task.retry.jitter" Double "0.2" None Fraction(0.0, 0.5) Internal ReadOnly None;
    /// Rate of copies to the remote tier.
    "remote.log.manager.copy.max.bytes.per.second" Long "9223372036854775807" BytesPerSecond AtLeast(1) Medium ClusterWide None;
    /// Samples that the rate of copies is made of.
    "remote.log.manager.copy.quota.window.num" Int "11" None AtLeast(1) Medium ReadOnly None;
    /// Time that one sample of the rate of copies covers.
    "remote.log.manager.copy.quota.window.size.seconds" Int "1" Seconds AtLeast(1) Medium ReadOnly None;
    /// Rate of fetches from the remote tier.
    "remote.log.manager.fetch.max.bytes.per.second" Long "9223372036854775807" BytesPerSecond AtLeast(1) Medium ClusterWide None;
    /// Samples that the rate of fetches is made of.
    "remote.log.manager.fetch.quota.window.num" Int "11" None AtLeast(1) Medium ReadOnly None;
    /// Time that one sample of the rate of fetches covers.
    "remote.log.manager.fetch.quota.window.size.seconds" Int "1" Seconds AtLeast(1) Medium ReadOnly None;
    /// Threads of Kafka that read from the remote tier.
    "remote.log.reader.threads" Int "10" None AtLeast(1) Medium ClusterWide None;
    /// Reads from the remote tier that may wait.
    "remote.log.reader.max.pending.tasks" Int "100" None AtLeast(1) Medium ReadOnly None;
    /// How long a fetch waits for the remote tier.
    "remote.fetch.max.wait.ms" Int "500" Ms AtLeast(1) Medium ClusterWide None;
    /// How long a search by time waits for the remote tier.
    "remote.list.offsets.request.timeout.ms" Long "30000" Ms AtLeast(1) Medium ClusterWide None;
    /// Whether a new follower starts where the remote tier ends.
    "follower.fetch.last.tiered.offset.enable" Boolean "false" None Any Medium ClusterWide None;
}

//! Options of the metadata quorum and of replication between brokers.

use super::options;

options! {
    CLUSTER
    /// Segment size of Kafka's metadata log. Millrace's is one file, replaced by a snapshot.
    "metadata.log.segment.bytes" Int "1073741824" Bytes AtLeast(8388608) High ReadOnly None;
    /// Segment age of Kafka's metadata log.
    "metadata.log.segment.ms" Long "604800000" Ms Any High ReadOnly None;
    /// Bytes of metadata records after which a snapshot replaces them.
    "metadata.log.max.record.bytes.between.snapshots" Long "20971520" Bytes AtLeast(1) High ReadOnly Full;
    /// Time after which a snapshot is made though there are few records; 0 is never.
    "metadata.log.max.snapshot.interval.ms" Long "3600000" Ms AtLeast(0) High ReadOnly None;
    /// How often the controller writes an empty record when nothing happens; 0 is never.
    "metadata.max.idle.interval.ms" Int "500" Ms AtLeast(0) Low ReadOnly None;
    /// Bytes of old metadata that Kafka keeps.
    "metadata.max.retention.bytes" Long "104857600" Bytes Any High ReadOnly None;
    /// How long Kafka keeps old metadata.
    "metadata.max.retention.ms" Long "604800000" Ms Any High ReadOnly None;
    /// Segment size of Kafka's metadata log, for tests.
    "internal.metadata.log.segment.bytes" Int - Bytes Any Internal ReadOnly None;
    /// Largest batch of Kafka's metadata log, for tests.
    "internal.metadata.max.batch.size.in.bytes" Int "8388608" Bytes Any Internal ReadOnly None;
    /// How long Kafka keeps removed metadata files.
    "internal.metadata.delete.delay.millis" Long "60000" Ms Any Internal ReadOnly None;
    /// Over what time Kafka's controller reports its slowest events.
    "controller.performance.sample.period.ms" Long "60000" Ms AtLeast(100) Internal ReadOnly None;
    /// From what time on Kafka's controller reports an event.
    "controller.performance.always.log.threshold.ms" Long "2000" Ms AtLeast(0) Internal ReadOnly None;
    /// The voters, as `id@host:port`. A single broker is a quorum of one.
    "controller.quorum.voters" List "" None Any High ReadOnly None;
    /// Where to find the quorum: `host:port,…`. A single broker is a quorum of one.
    "controller.quorum.bootstrap.servers" List "" None Any High ReadOnly None;
    /// Whether a controller adds itself to the voters.
    "controller.quorum.auto.join.enable" Boolean "false" None Any Low ReadOnly None;
    /// How long a voter waits for its votes.
    "controller.quorum.election.timeout.ms" Int "1000" Ms AtLeast(0) High ReadOnly None;
    /// Longest pause after a failed election.
    "controller.quorum.election.backoff.max.ms" Int "1000" Ms AtLeast(0) High ReadOnly None;
    /// How long a voter goes without its leader before it stands for election.
    "controller.quorum.fetch.timeout.ms" Int "2000" Ms AtLeast(0) High ReadOnly None;
    /// Most that one fetch of the quorum asks for.
    "controller.quorum.fetch.max.bytes" Int "1048576" Bytes AtLeast(1) Low ReadOnly None;
    /// Most that one fetch of a snapshot asks for.
    "controller.quorum.fetch.snapshot.max.bytes" Int "1048576" Bytes AtLeast(1) Low ReadOnly None;
    /// How long the leader of the quorum gathers records before it writes them.
    "controller.quorum.append.linger.ms" Int "25" Ms AtLeast(0) Medium ReadOnly None;
    /// How long a voter waits for an answer.
    "controller.quorum.request.timeout.ms" Int "2000" Ms AtLeast(0) Medium ReadOnly None;
    /// Pause before a voter asks again.
    "controller.quorum.retry.backoff.ms" Int "20" Ms AtLeast(0) Low ReadOnly None;
    /// How long a broker waits for the controller.
    "controller.socket.timeout.ms" Int "30000" Ms Any Medium ReadOnly None;
    /// Whether a broker hands over its leaderships before it stops.
    "controlled.shutdown.enable" Boolean "true" None Any Medium ReadOnly None;
    /// How often a broker reports to the controller.
    "broker.heartbeat.interval.ms" Int "2000" Ms Any Medium ReadOnly None;
    /// Time without a report after which a broker is fenced.
    "broker.session.timeout.ms" Int "9000" Ms Any Medium ReadOnly None;
    /// How long a broker tries to register at its start.
    "initial.broker.registration.timeout.ms" Int "60000" Ms Any Medium ReadOnly None;
    /// Whether leadership goes back to preferred replicas by itself.
    "auto.leader.rebalance.enable" Boolean "true" None Any High ReadOnly None;
    /// How often preferred leadership is looked at.
    "leader.imbalance.check.interval.seconds" Long "300" Seconds AtLeast(1) High ReadOnly None;
    /// How often the controller looks for partitions that need an unclean election.
    "unclean.leader.election.interval.ms" Long "300000" Ms AtLeast(1) Internal ReadOnly None;
    /// How long a follower may lag before it leaves the in-sync replicas.
    "replica.lag.time.max.ms" Long "30000" Ms Any High ReadOnly None;
    /// Bytes that a follower asks for, per partition.
    "replica.fetch.max.bytes" Int "1048576" Bytes AtLeast(0) Medium ReadOnly None;
    /// Bytes that a follower waits for.
    "replica.fetch.min.bytes" Int "1" Bytes Any High ReadOnly None;
    /// Bytes that a follower asks for, in one answer.
    "replica.fetch.response.max.bytes" Int "10485760" Bytes AtLeast(0) Medium ReadOnly None;
    /// How long a follower waits for those bytes.
    "replica.fetch.wait.max.ms" Int "500" Ms Any High ReadOnly None;
    /// Pause of a follower after an error.
    "replica.fetch.backoff.ms" Int "1000" Ms AtLeast(0) Medium ReadOnly None;
    /// How often high watermarks are written to `replication-offset-checkpoint`.
    "replica.high.watermark.checkpoint.interval.ms" Long "5000" Ms Any High ReadOnly Full;
    /// How long a follower waits for its leader.
    "replica.socket.timeout.ms" Int "30000" Ms Any High ReadOnly None;
    /// Receive buffer of a follower's connection; -1 leaves it to the kernel.
    "replica.socket.receive.buffer.bytes" Int "65536" Bytes Any High ReadOnly None;
    /// Which replica a consumer is told to read from. Classes cannot be loaded.
    "replica.selector.class" String - None Any Medium ReadOnly None;
    /// Fetch loops for each leader broker.
    "num.replica.fetchers" Int "1" None AtLeast(1) High ClusterWide None;
    /// Threads of Kafka that move replicas between log directories.
    "num.replica.alter.log.dirs.threads" Int - None Any High ReadOnly None;
}

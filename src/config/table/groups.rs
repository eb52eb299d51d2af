//! Options of groups, offsets and transactions.

use super::options;

options! {
    GROUPS
    /// How long the first members of a classic group wait for others before it is balanced; 0 does not wait.
    "group.initial.rebalance.delay.ms" Int "3000" Ms Any Medium ReadOnly None;
    /// Members of a classic group.
    "group.max.size" Int "2147483647" None AtLeast(1) Medium ReadOnly None;
    /// Longest session timeout that a member of a classic group may ask for.
    "group.max.session.timeout.ms" Int "1800000" Ms Any Medium ReadOnly None;
    /// Shortest session timeout that a member of a classic group may ask for.
    "group.min.session.timeout.ms" Int "6000" Ms Any Medium ReadOnly None;
    /// Threads of Kafka's group coordinator.
    "group.coordinator.threads" Int "4" None AtLeast(1) High ReadOnly None;
    /// Threads of Kafka's group coordinator for chores.
    "group.coordinator.background.threads" Int "2" None AtLeast(1) High ReadOnly None;
    /// How long the coordinator gathers records before it writes them; -1 adapts to the load.
    "group.coordinator.append.linger.ms" Int "-1" Ms AtLeast(-1) Medium ReadOnly None;
    /// Largest buffer that the coordinator keeps for its next write.
    "group.coordinator.cached.buffer.max.bytes" Int "1048588" Bytes AtLeast(524288) Medium ClusterWide None;
    /// Kinds of groups that are served.
    "group.coordinator.rebalance.protocols" List "classic,consumer,streams" None Each(&["consumer", "classic", "share", "streams"]) Medium ReadOnly None;
    /// Shortest time between two assignments of a consumer group.
    "group.consumer.assignment.interval.ms" Int "1000" Ms AtLeast(0) Medium ClusterWide None;
    /// Least that a group may set as its assignment interval.
    "group.consumer.min.assignment.interval.ms" Int "0" Ms AtLeast(0) Medium ReadOnly None;
    /// Most that a group may set as its assignment interval.
    "group.consumer.max.assignment.interval.ms" Int "15000" Ms AtLeast(0) Medium ReadOnly None;
    /// Assignors of consumer groups, the first being the default.
    "group.consumer.assignors" List "uniform,range" None Any Medium ReadOnly None;
    /// How often a member of a consumer group reports.
    "group.consumer.heartbeat.interval.ms" Int "5000" Ms AtLeast(1) Medium ReadOnly None;
    /// Least that a consumer group may set as its heartbeat interval.
    "group.consumer.min.heartbeat.interval.ms" Int "5000" Ms AtLeast(1) Medium ReadOnly None;
    /// Most that a consumer group may set as its heartbeat interval.
    "group.consumer.max.heartbeat.interval.ms" Int "15000" Ms AtLeast(1) Medium ReadOnly None;
    /// Time without a report after which a member of a consumer group is out.
    "group.consumer.session.timeout.ms" Int "45000" Ms AtLeast(1) Medium ReadOnly None;
    /// Least that a consumer group may set as its session timeout.
    "group.consumer.min.session.timeout.ms" Int "45000" Ms AtLeast(1) Medium ReadOnly None;
    /// Most that a consumer group may set as its session timeout.
    "group.consumer.max.session.timeout.ms" Int "60000" Ms AtLeast(1) Medium ReadOnly None;
    /// Members of a consumer group.
    "group.consumer.max.size" Int "2147483647" None AtLeast(1) Medium ReadOnly None;
    /// Whether a group may turn from classic to consumer and back while it is in use.
    "group.consumer.migration.policy" String "bidirectional" None OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]) Medium ReadOnly None;
    /// How often a subscription by pattern is matched again.
    "group.consumer.regex.refresh.interval.ms" Int "600000" Ms AtLeast(10000) Internal ReadOnly None;
    /// Shortest time between two assignments of a share group.
    "group.share.assignment.interval.ms" Int "1000" Ms AtLeast(0) Medium ClusterWide None;
    /// Least that a share group may set as its assignment interval.
    "group.share.min.assignment.interval.ms" Int "0" Ms AtLeast(0) Medium ReadOnly None;
    /// Most that a share group may set as its assignment interval.
    "group.share.max.assignment.interval.ms" Int "15000" Ms AtLeast(0) Medium ReadOnly None;
    /// Assignors of share groups.
    "group.share.assignors" List "simple" None Any Medium ReadOnly None;
    /// How often a record of a share group is handed out before it counts as undeliverable.
    "group.share.delivery.count.limit" Int "5" None Between(2, 10) Medium ReadOnly None;
    /// Least that a share group may set as its delivery limit.
    "group.share.min.delivery.count.limit" Int "2" None Between(2, 5) Medium ReadOnly None;
    /// Most that a share group may set as its delivery limit.
    "group.share.max.delivery.count.limit" Int "10" None Between(5, 25) Medium ReadOnly None;
    /// How often a member of a share group reports.
    "group.share.heartbeat.interval.ms" Int "5000" Ms AtLeast(1) Medium ReadOnly None;
    /// Least that a share group may set as its heartbeat interval.
    "group.share.min.heartbeat.interval.ms" Int "5000" Ms AtLeast(1) Medium ReadOnly None;
    /// Most that a share group may set as its heartbeat interval.
    "group.share.max.heartbeat.interval.ms" Int "15000" Ms AtLeast(1) Medium ReadOnly None;
    /// Pause before the state of a share group is set up again.
    "group.share.initialize.retry.interval.ms" Int "30000" Ms AtLeast(1) Internal ReadOnly None;
    /// Records of one share partition that may be out at once.
    "group.share.partition.max.record.locks" Int "2000" None Between(100, 10000) Medium ReadOnly None;
    /// Least that a share group may set as its record locks.
    "group.share.min.partition.max.record.locks" Int "100" None Between(100, 2000) Medium ReadOnly None;
    /// Most that a share group may set as its record locks.
    "group.share.max.partition.max.record.locks" Int "4000" None Between(2000, 10000) Medium ReadOnly None;
    /// How long a record that was handed out is reserved for its consumer.
    "group.share.record.lock.duration.ms" Int "30000" Ms Between(1000, 3600000) Medium ReadOnly None;
    /// Least that a share group may set as its lock duration.
    "group.share.min.record.lock.duration.ms" Int "15000" Ms Between(1000, 30000) Medium ReadOnly None;
    /// Most that a share group may set as its lock duration.
    "group.share.max.record.lock.duration.ms" Int "60000" Ms Between(30000, 3600000) Medium ReadOnly None;
    /// Time without a report after which a member of a share group is out.
    "group.share.session.timeout.ms" Int "45000" Ms AtLeast(1) Medium ReadOnly None;
    /// Least that a share group may set as its session timeout.
    "group.share.min.session.timeout.ms" Int "45000" Ms AtLeast(1) Medium ReadOnly None;
    /// Most that a share group may set as its session timeout.
    "group.share.max.session.timeout.ms" Int "60000" Ms AtLeast(1) Medium ReadOnly None;
    /// Share sessions that one broker remembers.
    "group.share.max.share.sessions" Int "2000" None AtLeast(1) Medium ReadOnly None;
    /// Members of a share group.
    "group.share.max.size" Int "200" None Between(1, 1000) Medium ReadOnly None;
    /// A Java class that keeps the state of share groups. Classes cannot be loaded.
    "group.share.persister.class.name" String "org.apache.kafka.server.share.persister.DefaultStatePersister" None Any Internal ReadOnly None;
    /// Shortest time between two assignments of a streams group.
    "group.streams.assignment.interval.ms" Int "1000" Ms AtLeast(0) Medium ClusterWide None;
    /// Least that a streams group may set as its assignment interval.
    "group.streams.min.assignment.interval.ms" Int "0" Ms AtLeast(0) Medium ReadOnly None;
    /// Most that a streams group may set as its assignment interval.
    "group.streams.max.assignment.interval.ms" Int "15000" Ms AtLeast(0) Medium ReadOnly None;
    /// How often a member of a streams group reports.
    "group.streams.heartbeat.interval.ms" Int "5000" Ms AtLeast(1) Medium ReadOnly None;
    /// Least that a streams group may set as its heartbeat interval.
    "group.streams.min.heartbeat.interval.ms" Int "5000" Ms AtLeast(1) Medium ReadOnly None;
    /// Most that a streams group may set as its heartbeat interval.
    "group.streams.max.heartbeat.interval.ms" Int "15000" Ms AtLeast(1) Medium ReadOnly None;
    /// How long the first members of a streams group wait for others.
    "group.streams.initial.rebalance.delay.ms" Int "3000" Ms AtLeast(0) Medium ReadOnly None;
    /// Time without a report after which a member of a streams group is out.
    "group.streams.session.timeout.ms" Int "45000" Ms AtLeast(1) Medium ReadOnly None;
    /// Least that a streams group may set as its session timeout.
    "group.streams.min.session.timeout.ms" Int "45000" Ms AtLeast(1) Medium ReadOnly None;
    /// Most that a streams group may set as its session timeout.
    "group.streams.max.session.timeout.ms" Int "60000" Ms AtLeast(1) Medium ReadOnly None;
    /// Members of a streams group.
    "group.streams.max.size" Int "2147483647" None AtLeast(1) Medium ReadOnly None;
    /// Standby copies of each stateful task.
    "group.streams.num.standby.replicas" Int "0" None AtLeast(0) Medium ReadOnly None;
    /// Most that a streams group may set as its standby copies.
    "group.streams.max.standby.replicas" Int "2" None AtLeast(0) Medium ReadOnly None;
    /// Longest remark that a client may store with an offset.
    "offset.metadata.max.bytes" Int "4096" Bytes Any High ReadOnly None;
    /// How long a commit waits for its replicas.
    "offsets.commit.timeout.ms" Int "5000" Ms AtLeast(1) High ReadOnly None;
    /// Batch size for reading offsets into memory.
    "offsets.load.buffer.size" Int "5242880" Bytes AtLeast(1) High ReadOnly None;
    /// How often expired offsets are looked for.
    "offsets.retention.check.interval.ms" Long "600000" Ms AtLeast(1) High ReadOnly None;
    /// How long offsets are kept once their group is empty.
    "offsets.retention.minutes" Int "10080" Minutes AtLeast(1) High ReadOnly None;
    /// Codec of the offsets topic by number; 0 is none.
    "offsets.topic.compression.codec" Int "0" None Any High ReadOnly None;
    /// Partitions of the offsets topic. Not to be changed once it exists.
    "offsets.topic.num.partitions" Int "50" None AtLeast(1) High ReadOnly None;
    /// Replicas of the offsets topic. Kafka: 3, which a single broker cannot give.
    "offsets.topic.replication.factor" Short "1" None AtLeast(1) High ReadOnly None;
    /// Segment size of the offsets topic.
    "offsets.topic.segment.bytes" Int "104857600" Bytes AtLeast(1) High ReadOnly None;
    /// How long the share coordinator gathers records before it writes them; -1 adapts to the load.
    "share.coordinator.append.linger.ms" Int "-1" Ms AtLeast(-1) Medium ReadOnly None;
    /// Largest buffer that the share coordinator keeps for its next write.
    "share.coordinator.cached.buffer.max.bytes" Int "1048588" Bytes AtLeast(524288) Medium ClusterWide None;
    /// How often the state of a quiet share partition is written in full.
    "share.coordinator.cold.partition.snapshot.interval.ms" Int "300000" Ms AtLeast(1) Internal ReadOnly None;
    /// Batch size for reading share state into memory.
    "share.coordinator.load.buffer.size" Int "5242880" Bytes AtLeast(1) High ReadOnly None;
    /// Updates between two full states of a share partition.
    "share.coordinator.snapshot.update.records.per.snapshot" Int "500" None Between(0, 500) Medium ReadOnly None;
    /// Codec of the share state topic by number; 0 is none.
    "share.coordinator.state.topic.compression.codec" Int "0" None Any High ReadOnly None;
    /// In-sync replicas that a write to the share state topic needs. Kafka: 2.
    "share.coordinator.state.topic.min.isr" Short "1" None AtLeast(1) High ReadOnly None;
    /// Partitions of the share state topic. Not to be changed once it exists.
    "share.coordinator.state.topic.num.partitions" Int "50" None AtLeast(1) High ReadOnly None;
    /// How often the share state topic is shortened.
    "share.coordinator.state.topic.prune.interval.ms" Int "300000" Ms AtLeast(1) Internal ReadOnly None;
    /// Replicas of the share state topic. Kafka: 3, which a single broker cannot give.
    "share.coordinator.state.topic.replication.factor" Short "1" None AtLeast(1) High ReadOnly None;
    /// Segment size of the share state topic.
    "share.coordinator.state.topic.segment.bytes" Int "104857600" Bytes AtLeast(1) High ReadOnly None;
    /// Threads of Kafka's share coordinator.
    "share.coordinator.threads" Int "1" None AtLeast(1) Medium ReadOnly None;
    /// How long a write of share state waits for its replicas.
    "share.coordinator.write.timeout.ms" Int "5000" Ms AtLeast(1) High ReadOnly None;
    /// Time without use after which a transactional id is forgotten.
    "transactional.id.expiration.ms" Int "604800000" Ms AtLeast(1) High ReadOnly None;
    /// Longest transaction timeout that a producer may ask for.
    "transaction.max.timeout.ms" Int "900000" Ms AtLeast(1) High ReadOnly None;
    /// How often transactions that took too long are looked for.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms" Int "10000" Ms AtLeast(1) Low ReadOnly None;
    /// How often forgotten transactional ids are removed.
    "transaction.remove.expired.transaction.cleanup.interval.ms" Int "3600000" Ms AtLeast(1) Low ReadOnly None;
    /// Whether a partition checks that a transaction knows of it before it takes its records.
    "transaction.partition.verification.enable" Boolean "true" None Any Low ClusterWide None;
    /// Whether a producer may leave a prepared transaction open without a timeout.
    "transaction.two.phase.commit.enable" Boolean "false" None Any Low ReadOnly None;
    /// Batch size for reading transactions into memory.
    "transaction.state.log.load.buffer.size" Int "5242880" Bytes AtLeast(1) High ReadOnly None;
    /// In-sync replicas that a write to the transaction topic needs. Kafka: 2.
    "transaction.state.log.min.isr" Int "1" None AtLeast(1) High ReadOnly None;
    /// Partitions of the transaction topic. Not to be changed once it exists.
    "transaction.state.log.num.partitions" Int "50" None AtLeast(1) High ReadOnly None;
    /// Replicas of the transaction topic. Kafka: 3, which a single broker cannot give.
    "transaction.state.log.replication.factor" Short "1" None AtLeast(1) High ReadOnly None;
    /// Segment size of the transaction topic.
    "transaction.state.log.segment.bytes" Int "104857600" Bytes AtLeast(1) High ReadOnly None;
    /// Pause before a partition is added to a transaction again.
    "add.partitions.to.txn.retry.backoff.ms" Int "20" Ms AtLeast(1) High ReadOnly None;
    /// Up to what that pause grows.
    "add.partitions.to.txn.retry.backoff.max.ms" Int "100" Ms AtLeast(0) High ReadOnly None;
}

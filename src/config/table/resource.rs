//! Options of groups and of client metrics subscriptions.

use super::options;

options! {
    GROUP
    /// Shortest time between two assignments of this consumer group.
    "consumer.assignment.interval.ms" Int "1000" Ms AtLeast(0) Medium Group("group.consumer.assignment.interval.ms") None;
    /// How often members of this consumer group report.
    "consumer.heartbeat.interval.ms" Int "5000" Ms AtLeast(1) Medium Group("group.consumer.heartbeat.interval.ms") None;
    /// Time without a report after which a member of this consumer group is out.
    "consumer.session.timeout.ms" Int "45000" Ms AtLeast(1) Medium Group("group.consumer.session.timeout.ms") None;
    /// Shortest time between two assignments of this share group.
    "share.assignment.interval.ms" Int "1000" Ms AtLeast(0) Medium Group("group.share.assignment.interval.ms") None;
    /// Where this share group begins on a new partition: `earliest`, `latest` or `by_duration:` with an ISO 8601
    /// duration.
    "share.auto.offset.reset" String "latest" None Any Medium Group("") None;
    /// How often a record of this share group is handed out before it counts as undeliverable.
    "share.delivery.count.limit" Int "5" None AtLeast(2) Medium Group("group.share.delivery.count.limit") None;
    /// How often members of this share group report.
    "share.heartbeat.interval.ms" Int "5000" Ms AtLeast(1) Medium Group("group.share.heartbeat.interval.ms") None;
    /// Whether this share group sees records of open and aborted transactions.
    "share.isolation.level" String "read_uncommitted" None OneOf(&["read_committed", "read_uncommitted"]) Medium Group("") None;
    /// Records of one partition that this share group may have out at once.
    "share.partition.max.record.locks" Int "2000" None AtLeast(100) Medium Group("group.share.partition.max.record.locks") None;
    /// How long a record is reserved for the consumer of this share group that has it.
    "share.record.lock.duration.ms" Int "30000" Ms AtLeast(1000) Medium Group("group.share.record.lock.duration.ms") None;
    /// Whether a consumer of this share group may prolong that time.
    "share.renew.acknowledge.enable" Boolean "true" None Any Medium Group("") None;
    /// Time without a report after which a member of this share group is out.
    "share.session.timeout.ms" Int "45000" Ms AtLeast(1) Medium Group("group.share.session.timeout.ms") None;
    /// Shortest time between two assignments of this streams group.
    "streams.assignment.interval.ms" Int "1000" Ms AtLeast(0) Medium Group("group.streams.assignment.interval.ms") None;
    /// How often members of this streams group report.
    "streams.heartbeat.interval.ms" Int "5000" Ms AtLeast(1) Medium Group("group.streams.heartbeat.interval.ms") None;
    /// How long the first members of this streams group wait for others.
    "streams.initial.rebalance.delay.ms" Int "3000" Ms AtLeast(0) Medium Group("group.streams.initial.rebalance.delay.ms") None;
    /// Standby copies of each stateful task of this streams group.
    "streams.num.standby.replicas" Int "0" None AtLeast(0) Medium Group("group.streams.num.standby.replicas") None;
    /// Time without a report after which a member of this streams group is out.
    "streams.session.timeout.ms" Int "45000" Ms AtLeast(1) Medium Group("group.streams.session.timeout.ms") None;
}

options! {
    CLIENT_METRICS
    /// How often clients of this subscription push their metrics.
    "interval.ms" Int "300000" Ms Any Medium ClientMetrics None;
    /// Which clients: `client_id=pattern` and the like; empty is all.
    "match" List "" None Any Medium ClientMetrics None;
    /// Prefixes of the metrics that are asked for; `*` is all, empty is none.
    "metrics" List "" None Any Medium ClientMetrics None;
}

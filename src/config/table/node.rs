//! Options of the broker as a whole: who it is, where its data is, what topics get by default.

use super::options;

options! {
    NODE
    /// Number of this broker in the cluster. Kafka asks for one; here the default is 0, so that no configuration is
    /// needed.
    "node.id" Int "0" None AtLeast(0) High ReadOnly Full;
    /// Older name of `node.id`. -1 means: see there. If both are set they must agree.
    "broker.id" Int "-1" None Any High ReadOnly Full;
    /// Roles of this process. A Millrace broker is always both `broker` and `controller`.
    "process.roles" List "broker,controller" None Each(&["broker", "controller"]) High ReadOnly None;
    /// Where this broker stands, in words of your own. Told to clients, which may prefer replicas nearby.
    "broker.rack" String - None Any Medium ReadOnly Full;
    /// One log directory, where `log.dirs` is not set.
    "log.dir" List - None Any High ReadOnly Full;
    /// Directories that hold the partitions, each best on a disk of its own. A new partition goes where there are
    /// fewest. A directory that fails goes offline; its partitions answer KAFKA_STORAGE_ERROR and the others work on.
    /// Kafka: /tmp/kafka-logs.
    "log.dirs" List "./data" None Any High ReadOnly Full;
    /// Log directories that take no new partitions; `*` for all.
    "cordoned.log.dirs" List "" None Any Medium PerBroker None;
    /// Directory of the cluster's metadata log; the first of `log.dirs` if not set.
    "metadata.log.dir" String - None Any High ReadOnly Full;
    /// Whether a topic that a client asks for by name is created with the defaults.
    "auto.create.topics.enable" Boolean "true" None Any High ReadOnly Full;
    /// Whether topics can be deleted; otherwise the answer is TOPIC_DELETION_DISABLED.
    "delete.topic.enable" Boolean "true" None Any High ReadOnly Full;
    /// Partitions of a topic that is created without saying how many.
    "num.partitions" Int "1" None AtLeast(1) Medium ReadOnly Full;
    /// Replicas of a topic that is created without saying how many.
    "default.replication.factor" Int "1" None Any Medium ReadOnly Full;
    /// Threads of Kafka for chores. Millrace has one thread per core and one for blocking file operations.
    "background.threads" Int "10" None AtLeast(1) High ClusterWide None;
    /// Threads of Kafka that handle requests. Millrace has one thread per core; see `millrace.cores`.
    "num.io.threads" Int "8" None AtLeast(1) High ClusterWide None;
    /// Threads of Kafka that serve connections. Millrace has one thread per core; see `millrace.cores`.
    "num.network.threads" Int "3" None AtLeast(1) High ClusterWide None;
    /// Threads of Kafka that recover logs at the start. In Millrace each core recovers its own.
    "num.recovery.threads.per.data.dir" Int "2" None AtLeast(1) High ClusterWide None;
    /// How long the broker waits for an answer of another broker.
    "request.timeout.ms" Int "30000" Ms Any High ReadOnly None;
    /// A Java class that may refuse a new topic. Classes cannot be loaded.
    "create.topic.policy.class.name" Class - None Any Low ReadOnly None;
    /// A Java class that may refuse a change of configuration. Classes cannot be loaded.
    "alter.config.policy.class.name" Class - None Any Low ReadOnly None;
    /// Java classes that fill in values from elsewhere. Classes cannot be loaded.
    "config.providers" List "" None Any Low ClusterWide None;
    /// Partitions that one answer to DescribeTopicPartitions holds at most; the rest is asked for by cursor.
    "max.request.partition.size.limit" Int "2000" None AtLeast(1) Medium ReadOnly Full;
    /// Largest telemetry that a client may push.
    "telemetry.max.bytes" Int "1048576" Bytes AtLeast(1) Low ReadOnly None;
    /// How long Kafka's start may take.
    "server.max.startup.time.ms" Long "9223372036854775807" Ms AtLeast(0) Internal ReadOnly None;
    /// Offers API versions that Kafka has not settled yet.
    "unstable.api.versions.enable" Boolean "false" None Any Internal ReadOnly None;
    /// Allows feature versions that Kafka has not settled yet.
    "unstable.feature.versions.enable" Boolean "false" None Any Internal ReadOnly None;
    /// Java classes that carry metrics elsewhere. Classes cannot be loaded.
    "metric.reporters" List "org.apache.kafka.common.metrics.JmxReporter" None Any Low ClusterWide None;
    /// Java classes that carry Kafka's older metrics elsewhere. Classes cannot be loaded.
    "kafka.metrics.reporters" List "" None Any Low ReadOnly None;
    /// How often Kafka's older metrics are read.
    "kafka.metrics.polling.interval.secs" Int "10" Seconds AtLeast(1) Low ReadOnly None;
    /// Samples that a rate or an average is made of.
    "metrics.num.samples" Int "2" None AtLeast(1) Low ReadOnly None;
    /// Which of Kafka's sensors record.
    "metrics.recording.level" String "INFO" None Any Low ReadOnly None;
    /// Time that one sample covers.
    "metrics.sample.window.ms" Long "30000" Ms AtLeast(1) Low ReadOnly None;
    /// How long a broker may keep leading partitions of a failed directory before it gives up when the controller
    /// cannot be told.
    "log.dir.failure.timeout.ms" Long "30000" Ms AtLeast(1) Low ReadOnly None;
}

//! Options of listeners, connections, requests and quotas.

use super::options;

options! {
    NETWORK
    /// Where clients connect: `NAME://host:port,…`. An empty host is every address of the machine. One name may stand
    /// twice, once with an IPv4 and once with an IPv6 host. Port 0 takes a free one. Kafka: PLAINTEXT://:9092.
    "listeners" List "PLAINTEXT://127.0.0.1:9092,PLAINTEXT://[::1]:9092" None Any High PerBroker Full;
    /// The addresses that clients are told, by listener name; those of `listeners` if not set. An empty host or
    /// 0.0.0.0 cannot be advertised.
    "advertised.listeners" List - None Any High ReadOnly Full;
    /// Which protocol each listener name speaks: `NAME:PROTOCOL,…`. PLAINTEXT is the only protocol yet.
    "listener.security.protocol.map" String "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT" None Any Low PerBroker Full;
    /// Name of the listener over which brokers speak to each other.
    "inter.broker.listener.name" String - None Any Medium ReadOnly None;
    /// Listeners that open before the authorizer is ready.
    "early.start.listeners" List - None Any High ReadOnly None;
    /// Names of the listeners of the controller. Millrace's control shard has none of its own.
    "controller.listener.names" List "" None Any High ReadOnly None;
    /// Protocol between brokers where no listener is named.
    "security.inter.broker.protocol" String "PLAINTEXT" None OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]) Medium ReadOnly None;
    /// Connections that the kernel keeps waiting until they are accepted, per listener and core.
    "socket.listen.backlog.size" Int "50" None AtLeast(1) Medium ReadOnly Full;
    /// Receive buffer of a connection (SO_RCVBUF); -1 leaves it to the kernel, which adapts it.
    "socket.receive.buffer.bytes" Int "102400" Bytes Any High ReadOnly Full;
    /// Send buffer of a connection (SO_SNDBUF); -1 leaves it to the kernel, which adapts it.
    "socket.send.buffer.bytes" Int "102400" Bytes Any High ReadOnly Full;
    /// Largest request; the connection that sends a larger one is closed. Raising it grows the memory that one
    /// connection can hold.
    "socket.request.max.bytes" Int "104857600" Bytes AtLeast(1) High ReadOnly Full;
    /// How long the broker waits for a connection it opens to another.
    "socket.connection.setup.timeout.ms" Long "10000" Ms Any Medium ReadOnly None;
    /// Up to what the wait for opening a connection grows when it keeps failing.
    "socket.connection.setup.timeout.max.ms" Long "30000" Ms Any Medium ReadOnly None;
    /// Time without a request after which a connection is closed; -1 never closes.
    "connections.max.idle.ms" Long "600000" Ms Any Medium ReadOnly Full;
    /// How long the answer to a failed authentication is held back, against guessing.
    "connection.failed.authentication.delay.ms" Int "100" Ms AtLeast(0) Low ReadOnly None;
    /// Time after which a client must authenticate again; 0 is never.
    "connections.max.reauth.ms" Long "0" Ms Any Medium ReadOnly None;
    /// Connections that the broker keeps at once; further ones wait until one closes.
    "max.connections" Int "2147483647" None AtLeast(0) Medium ClusterWide Full;
    /// Connections from one address at once; further ones are closed at once. 0 admits only addresses named in
    /// `max.connections.per.ip.overrides`.
    "max.connections.per.ip" Int "2147483647" None AtLeast(0) Medium ClusterWide Full;
    /// Other limits for single addresses: `address:limit,…`.
    "max.connections.per.ip.overrides" String "" None Any Medium ClusterWide Full;
    /// New connections a second that the broker accepts.
    "max.connection.creation.rate" Int "2147483647" None AtLeast(0) Medium ClusterWide Full;
    /// Requests that wait in Kafka before its network threads stop reading. Millrace takes a credit before it reads;
    /// see `millrace.buffer.bytes.per.core`.
    "queued.max.requests" Int "500" None AtLeast(1) High ReadOnly None;
    /// Bytes of requests that wait in Kafka; -1 is no limit. See `millrace.buffer.bytes.per.core`.
    "queued.max.request.bytes" Long "-1" Bytes Any Medium ReadOnly None;
    /// Most that one answer to Fetch holds, whatever the client asks for. The first batch is always whole, so it may
    /// be exceeded by one.
    "fetch.max.bytes" Int "57671680" Bytes AtLeast(1024) Medium ReadOnly Full;
    /// Incremental fetch sessions that the broker remembers; a client without one sends its whole list with every
    /// fetch.
    "max.incremental.fetch.session.cache.slots" Int "1000" None AtLeast(0) Medium ReadOnly Full;
    /// How often Kafka clears parked fetches. Millrace forgets them when they are answered.
    "fetch.purgatory.purge.interval.requests" Int "1000" None Any Medium ReadOnly None;
    /// How often Kafka clears parked produces. Millrace forgets them when they are answered.
    "producer.purgatory.purge.interval.requests" Int "1000" None Any Medium ReadOnly None;
    /// How often Kafka clears parked deletions. Millrace forgets them when they are answered.
    "delete.records.purgatory.purge.interval.requests" Int "1" None Any Medium ReadOnly None;
    /// How often Kafka clears parked share fetches.
    "share.fetch.purgatory.purge.interval.requests" Int "1000" None Any Medium ReadOnly None;
    /// Samples that a client's rate is made of.
    "quota.window.num" Int "11" None AtLeast(1) Low ReadOnly None;
    /// Time that one sample of a client's rate covers.
    "quota.window.size.seconds" Int "1" Seconds AtLeast(1) Low ReadOnly None;
    /// Samples that a client's rate of admin changes is made of.
    "controller.quota.window.num" Int "11" None AtLeast(1) Low ReadOnly None;
    /// Time that one sample of a client's rate of admin changes covers.
    "controller.quota.window.size.seconds" Int "1" Seconds AtLeast(1) Low ReadOnly None;
    /// Samples that the rate of replication is made of.
    "replication.quota.window.num" Int "11" None AtLeast(1) Low ReadOnly None;
    /// Time that one sample of the rate of replication covers.
    "replication.quota.window.size.seconds" Int "1" Seconds AtLeast(1) Low ReadOnly None;
    /// Samples that the rate of moves between log directories is made of.
    "alter.log.dirs.replication.quota.window.num" Int "11" None AtLeast(1) Low ReadOnly None;
    /// Time that one sample of the rate of moves between log directories covers.
    "alter.log.dirs.replication.quota.window.size.seconds" Int "1" Seconds AtLeast(1) Low ReadOnly None;
    /// A Java class that computes quotas. Classes cannot be loaded.
    "client.quota.callback.class" Class - None Any Low ReadOnly None;
    /// Rate at which this broker serves the throttled replicas of others.
    "leader.replication.throttled.rate" Long "9223372036854775807" BytesPerSecond AtLeast(0) Medium ClusterWide None;
    /// Rate at which this broker fetches its own throttled replicas.
    "follower.replication.throttled.rate" Long "9223372036854775807" BytesPerSecond AtLeast(0) Medium ClusterWide None;
    /// Rate of moves between log directories.
    "replica.alter.log.dirs.io.max.bytes.per.second" Long "9223372036854775807" BytesPerSecond AtLeast(0) Medium ClusterWide None;
}

//! Every bound that is not an option, as one value, so that the simulator can run with tiny ones.
//!
//! Each says what grows if it is raised.

use crate::plants::Plants;

/// See the fields. [`Limits::PRODUCTION`] and [`Limits::TINY`] keep the same relations.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests of one connection that may be begun and not yet answered. Raising it grows the memory a pipelining
    /// client can hold: this many times its largest frame, within the core's buffer budget.
    pub requests_in_flight_max: u32,
    /// Bytes of answers of one connection that may wait for a slow reader. Raising it grows what a reader that never
    /// reads can hold.
    pub answer_bytes_max: u64,
    /// Record bytes of one partition kept in memory for readers at the tail. Raising it grows memory by this much for
    /// every partition that is written to, up to `tail_bytes_per_shard_max`.
    pub tail_bytes_per_partition_max: u64,
    /// The same for all partitions of a shard together.
    pub tail_bytes_per_shard_max: u64,
    /// Bytes a read from disk asks for at once. Raising it grows memory per catch-up reader.
    pub read_bytes_max: u32,
    /// Bytes that one answer to a Fetch may hold whatever the client asks for; Kafka: `fetch.max.bytes`.
    pub fetch_bytes_max: u32,
    /// Not a bound: what tests break on purpose.
    pub plants: Plants,
}

impl Limits {
    pub const PRODUCTION: Limits = Limits {
        requests_in_flight_max: 64,
        answer_bytes_max: 64 << 20,
        tail_bytes_per_partition_max: 256 << 10,
        tail_bytes_per_shard_max: 16 << 20,
        read_bytes_max: 1 << 20,
        fetch_bytes_max: 55 << 20,
        plants: Plants::NONE,
    };
    /// Small enough that every bound is reached in a simulated minute.
    pub const TINY: Limits = Limits {
        requests_in_flight_max: 3,
        answer_bytes_max: 64 << 10,
        tail_bytes_per_partition_max: 2 << 10,
        tail_bytes_per_shard_max: 8 << 10,
        read_bytes_max: 4 << 10,
        fetch_bytes_max: 32 << 10,
        plants: Plants::NONE,
    };
}

const _: () = holds(&Limits::PRODUCTION);
const _: () = holds(&Limits::TINY);

const fn holds(limits: &Limits) {
    assert!(limits.tail_bytes_per_partition_max <= limits.tail_bytes_per_shard_max);
    assert!(limits.requests_in_flight_max > 1, "a client with one request in flight waits for the disk on each");
    assert!(limits.read_bytes_max.is_multiple_of(4096), "O_DIRECT reads whole blocks");
}

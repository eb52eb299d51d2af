//! Options that Kafka does not have. Their names begin with `millrace.`.

use super::options;

options! {
    MILLRACE
    /// Cores that the broker runs on, one thread each; 0 is all that the machine gives it. Partitions are spread over
    /// them; a changed number moves partitions between threads and no data.
    "millrace.cores" Int "0" None Between(0, 1024) High ReadOnly Full;
    /// Memory for requests and answers on the way, for each core. A connection reads its next request only when there
    /// is room for it, so this bounds what slow or hostile clients can make a core hold. It must have room for one
    /// request of `socket.request.max.bytes`.
    "millrace.buffer.bytes.per.core" Long "268435456" Bytes AtLeast(1048576) High ReadOnly Full;
    /// Most that one compressed batch may decompress to when the broker looks inside; a larger one is refused with
    /// CORRUPT_MESSAGE. Raising it grows the memory that one core may need for a moment.
    "millrace.decompressed.bytes.max" Int "67108864" Bytes AtLeast(1048576) Medium ReadOnly Full;
    /// Default of a topic's `millrace.compressed.validation`.
    "millrace.compressed.validation" String "check" None OneOf(&["check", "trust"]) Medium ClusterWide Full;
}

options! {
    MILLRACE_TOPIC
    /// Whether a compressed batch is decompressed in bounded memory and its records are checked before it is stored
    /// (`check`, as Kafka does), or only its header, checksum and counts are (`trust`), which costs less CPU and lets a
    /// faulty client store what other clients cannot read.
    "millrace.compressed.validation" String "check" None OneOf(&["check", "trust"]) Medium Topic("millrace.compressed.validation") Full;
}

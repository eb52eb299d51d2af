//! What a topic's settings mean to its logs: resolved values, no strings, no inheritance.
//!
//! The table of options (`config/`) turns texts into one [`LogConfig`] per topic; every partition of the topic on a
//! core holds the same one. Defaults are those of Kafka 4.3 (`org.apache.kafka.storage.internals.log.LogConfig`).

use std::time::Duration;

/// Whose clock a record's timestamp is. `message.timestamp.type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    #[default]
    CreateTime,
    /// Ours, when the batch is appended.
    LogAppendTime,
}

/// How batches are stored. `compression.type`, with the level options of each codec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CompressionConfig {
    /// As the producer sent them.
    #[default]
    Producer,
    Uncompressed,
    /// `compression.gzip.level`, 1 to 9, or -1 for the codec's own default.
    Gzip(i32),
    Snappy,
    /// `compression.lz4.level`, 1 to 17. Our encoder has one speed, so that every level compresses alike.
    Lz4(i32),
    /// `compression.zstd.level`, -131072 to 22.
    Zstd(i32),
}

/// `cleanup.policy`. Both may be set, or (since Kafka 4.1) neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    pub delete: bool,
    pub compact: bool,
}

impl CleanupPolicy {
    pub const DELETE: CleanupPolicy = CleanupPolicy { delete: true, compact: false };
    pub const COMPACT: CleanupPolicy = CleanupPolicy { delete: false, compact: true };
}

/// Resolved settings of a topic. The doc of each field names Kafka's option; bytes are bytes, and a missing limit is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment is closed before it would grow beyond this.
    pub segment_bytes: u32,
    /// `segment.ms`: a segment is closed when a record arrives that is this much newer than its first.
    pub segment_ms: u64,
    /// `segment.jitter.ms`: at most this much is subtracted from `segment_ms`, so that not all partitions roll at once.
    pub segment_jitter_ms: u64,
    /// `segment.index.bytes`: a segment is closed when one of its indexes would grow beyond this.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: log bytes between two index entries. Lower: bigger indexes, shorter scans.
    pub index_interval_bytes: u32,
    /// `retention.ms`; `None` (-1): never by time.
    pub retention_ms: Option<u64>,
    /// `retention.bytes`; `None` (-1): never by size.
    pub retention_bytes: Option<u64>,
    /// `max.message.bytes`: largest batch accepted, its header included.
    pub max_message_bytes: u32,
    /// `message.timestamp.type`.
    pub message_timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how old a record may be. Kafka's default is no bound.
    pub message_timestamp_before_max_ms: u64,
    /// `message.timestamp.after.max.ms`: how far ahead of our clock a record may be.
    pub message_timestamp_after_max_ms: u64,
    /// `compression.type` and its levels.
    pub compression: CompressionConfig,
    /// `cleanup.policy`.
    pub cleanup_policy: CleanupPolicy,
    /// `delete.retention.ms`: how long a tombstone is kept after compaction has seen it.
    pub delete_retention_ms: u64,
    /// `min.compaction.lag.ms`.
    pub min_compaction_lag_ms: u64,
    /// `max.compaction.lag.ms`.
    pub max_compaction_lag_ms: u64,
    /// `min.cleanable.dirty.ratio`, in thousandths.
    pub min_cleanable_dirty_permille: u32,
    /// `file.delete.delay.ms`: how long a deleted segment's files stay, renamed, for readers that are in them.
    pub file_delete_delay_ms: u64,
    /// `flush.messages`: flush after this many records; `None`: never because of a number.
    pub flush_messages: Option<u64>,
    /// `flush.ms`: flush when the oldest unflushed record is this old; `None`: never because of age.
    pub flush_ms: Option<u64>,
    /// `preallocate`. Ours always preallocates, without growing the file; kept for `DescribeConfigs`.
    pub preallocate: bool,
    /// `producer.id.expiration.ms`: a producer that sent nothing for so long is forgotten, and with it what protects
    /// its retries. Counts from arrival, not from record timestamps.
    pub producer_id_expiration_ms: u64,
    /// `millrace.compressed.validation=trust`: compressed batches are stored without looking inside. A compacted topic,
    /// and one that recompresses, look inside anyway.
    pub compressed_trust: bool,
    /// Most bytes that one compressed batch may decompress to. Raising it grows the memory that one core may need for
    /// a moment, and the time that one batch may hold it up.
    pub decompressed_bytes_max: u32,
}

/// `i64::MAX` milliseconds: Kafka's "no bound".
pub const FOREVER_MS: u64 = i64::MAX.unsigned_abs();

impl Default for LogConfig {
    fn default() -> LogConfig {
        const HOUR: u64 = Duration::from_secs(3600).as_millis() as u64;
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 168 * HOUR,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention_ms: Some(168 * HOUR),
            retention_bytes: None,
            max_message_bytes: (1 << 20) + 12,
            message_timestamp_type: TimestampType::CreateTime,
            message_timestamp_before_max_ms: FOREVER_MS,
            message_timestamp_after_max_ms: HOUR,
            compression: CompressionConfig::Producer,
            cleanup_policy: CleanupPolicy::DELETE,
            delete_retention_ms: 24 * HOUR,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: FOREVER_MS,
            min_cleanable_dirty_permille: 500,
            file_delete_delay_ms: 60_000,
            flush_messages: None,
            flush_ms: None,
            preallocate: false,
            producer_id_expiration_ms: 24 * HOUR,
            compressed_trust: false,
            decompressed_bytes_max: 64 << 20,
        }
    }
}

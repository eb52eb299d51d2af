//! What is checked of a batch before it is stored, in Kafka's order (`ProduceRequest.validateRecords`,
//! `UnifiedLog.analyzeAndValidateRecords`, `LogValidator`).
//!
//! | check | refused with |
//! |---|---|
//! | there is one batch, and nothing behind it | INVALID_RECORD |
//! | magic 0 or 1 | UNSUPPORTED_FOR_MESSAGE_FORMAT |
//! | another magic, a length no batch has | CORRUPT_MESSAGE |
//! | a client's base offset is 0 | INVALID_RECORD |
//! | at most `max.message.bytes` | MESSAGE_TOO_LARGE |
//! | CRC | CORRUPT_MESSAGE |
//! | codec | UNSUPPORTED_COMPRESSION_TYPE |
//! | count and offset range agree; no control batch and no negative sequence from a client | INVALID_RECORD |
//! | a compressed body decompresses, to no more than the limit | INVALID_RECORD, MESSAGE_TOO_LARGE |
//! | records are framed as the header counts them, offset deltas 0, 1, 2 … | INVALID_RECORD |
//! | a compacted topic: every record has a key | INVALID_RECORD, with record errors |
//! | `CreateTime`: timestamps within bounds | INVALID_TIMESTAMP, with record errors |
//! | at most `segment.bytes` | RECORD_LIST_TOO_LARGE |
//!
//! The fast path is one pass of CRC and one over the framing of the records; it allocates nothing and copies the header.

use crate::error::ErrorCode;
use crate::log::batch::{self, Codec, HEADER_LEN, Header, LENGTH_OVERHEAD, MAGIC, MAGIC_AT, Met};
use crate::log::compress::{self, Undone};
use crate::log::config::TimestampType;
use crate::log::record::{self, Record};
use crate::log::{LogConfig, Origin, RecordError, Refused, Scratch, Stored};
use crate::types::Timestamp;

/// A batch that may be stored once it has offsets: its header as it will be, but for those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Valid {
    pub header: Header,
    /// Bytes of the whole batch as it will be stored.
    pub len: u32,
    pub stored: Stored,
}

/// Where a batch is going.
#[derive(Clone, Copy)]
pub struct Destination<'a> {
    /// `orders-7`
    pub partition: &'a str,
    pub config: &'a LogConfig,
    pub origin: Origin,
    pub now: Timestamp,
}

fn refuse<T>(code: ErrorCode, message: String) -> Result<T, Refused> {
    Err(Refused { code, message, record_errors: Vec::new() })
}

/// Checks a batch that a client or one of our coordinators sends, and makes of its header what will be stored.
pub fn check(bytes: &[u8], to: Destination<'_>, scratch: &mut Scratch) -> Result<Valid, Refused> {
    let Destination { partition, config, now, .. } = to;
    let (header, body) = check_frame(bytes, to)?;
    let Some(codec) = header.codec() else {
        let message = format!("Unknown compression type id {} in topic partition {partition}", header.attributes.get() & 7);
        return refuse(ErrorCode::UnsupportedCompressionType, message);
    };
    let count = check_counts(header, to)?;

    let target = compress::target(config.compression, codec);
    let trusted = config.compressed_trust && codec != Codec::None && target == codec && !config.cleanup_policy.compact;
    let newest = if trusted {
        header.max_timestamp()
    } else {
        let limit = usize::try_from(config.decompressed_bytes_max).unwrap_or(usize::MAX);
        let plain = match codec {
            Codec::None => body,
            _ => scratch.decompress(codec, body, limit).or_else(|undone| refuse_undone(undone, codec, to))?,
        };
        check_records(plain, header, count, to)?
    };

    // Kafka: `DefaultRecordBatch.setMaxTimestamp`: the header says what the records do, or our own time.
    let mut stored_header = *header;
    match config.message_timestamp_type {
        TimestampType::CreateTime => {
            stored_header.set_log_append_time(false);
            stored_header.max_timestamp.set(newest.0);
        }
        TimestampType::LogAppendTime => {
            stored_header.set_log_append_time(true);
            stored_header.max_timestamp.set(now.0);
        }
    }
    let stored = if target == codec {
        stored_header.reseal(header, body.len());
        Stored::AsGiven
    } else {
        // Decompressed a second time: the first pass only looked. Recompression is the exception, not the path to be fast.
        let limit = usize::try_from(config.decompressed_bytes_max).unwrap_or(usize::MAX);
        let plain = scratch.decompress(codec, body, limit).or_else(|undone| refuse_undone(undone, codec, to))?;
        let mut recompressed = Vec::new();
        compress::compress(config.compression, plain, &mut recompressed);
        let length = i32::try_from(HEADER_LEN - LENGTH_OVERHEAD + recompressed.len());
        let Ok(length) = length else { return refuse_too_large(usize::MAX, to) };
        stored_header.length.set(length);
        stored_header.set_codec(target);
        stored_header.seal(&recompressed);
        Stored::Replaced(recompressed)
    };
    let len = stored_header.total_len().expect("a length that was checked, or set here");
    check_size(len, to)?;
    let len = u32::try_from(len).expect("at most max.message.bytes");
    if len > config.segment_bytes {
        let message = format!(
            "Message batch size is {len} bytes in append to partition {partition}, which exceeds the maximum configured segment size of {}.",
            config.segment_bytes
        );
        return refuse(ErrorCode::RecordListTooLarge, message);
    }
    Ok(Valid { header: stored_header, len, stored })
}

/// One whole batch with the right CRC, and nothing else.
fn check_frame<'a>(bytes: &'a [u8], to: Destination<'_>) -> Result<(&'a Header, &'a [u8]), Refused> {
    let partition = to.partition;
    match bytes.get(MAGIC_AT).map(|&magic| i8::from_be_bytes([magic])) {
        None => return refuse(ErrorCode::InvalidRecord, format!("There is no record batch for topic partition {partition}")),
        Some(MAGIC) => {}
        Some(magic @ 0..=1) => {
            let message = format!("Record batches of magic version {magic} are not supported, in topic partition {partition}");
            return refuse(ErrorCode::UnsupportedForMessageFormat, message);
        }
        Some(magic) => {
            return refuse(ErrorCode::CorruptMessage, format!("Invalid magic {magic} found in record for topic partition {partition}"));
        }
    }
    let Some(header) = Header::of(bytes) else {
        return refuse(ErrorCode::InvalidRecord, format!("The record batch for topic partition {partition} is cut short"));
    };
    let Some(len) = header.total_len() else {
        let message = format!("Record size {} is less than a record batch has, in topic partition {partition}", header.length.get());
        return refuse(ErrorCode::CorruptMessage, message);
    };
    let Some((batch, behind)) = bytes.split_at_checked(len) else {
        let message = format!("The record batch for topic partition {partition} says {len} bytes, {} are there", bytes.len());
        return refuse(ErrorCode::InvalidRecord, message);
    };
    if !behind.is_empty() {
        let message = format!("Produce requests must have exactly one record batch per partition, topic partition {partition} has more");
        return refuse(ErrorCode::InvalidRecord, message);
    }
    if to.origin == Origin::Client && header.base_offset.get() != 0 {
        let base = header.base_offset.get();
        let message = format!("The baseOffset of the record batch in the append to {partition} should be 0, but it is {base}");
        return refuse(ErrorCode::InvalidRecord, message);
    }
    check_size(len, to)?;
    if !batch::crc_holds(batch) {
        let message = format!("Record is corrupt (stored crc = {}) in topic partition {partition}.", header.crc.get());
        return refuse(ErrorCode::CorruptMessage, message);
    }
    Ok((header, &batch[HEADER_LEN..]))
}

fn check_size(len: usize, to: Destination<'_>) -> Result<(), Refused> {
    let fits = u32::try_from(len).is_ok_and(|len| len <= to.config.max_message_bytes);
    if fits { Ok(()) } else { refuse_too_large(len, to) }
}

fn refuse_too_large<T>(len: usize, to: Destination<'_>) -> Result<T, Refused> {
    let message = format!(
        "The record batch size in the append to {} is {len} bytes which exceeds the maximum configured value of {}.",
        to.partition, to.config.max_message_bytes
    );
    refuse(ErrorCode::MessageTooLarge, message)
}

fn refuse_undone<T>(undone: Undone, codec: Codec, to: Destination<'_>) -> Result<T, Refused> {
    let (partition, name) = (to.partition, codec.name());
    match undone {
        Undone::Malformed(what) => refuse(
            ErrorCode::InvalidRecord,
            format!("Records compressed with {name} do not decompress ({what}) in topic partition {partition}"),
        ),
        Undone::TooLarge => {
            let max = to.config.decompressed_bytes_max;
            refuse(ErrorCode::MessageTooLarge, format!("Records decompress to more than {max} bytes in topic partition {partition}"))
        }
    }
}

/// How many records there are; Kafka: `LogValidator.validateBatch`.
fn check_counts(header: &Header, to: Destination<'_>) -> Result<u32, Refused> {
    let partition = to.partition;
    let (base, last) = (header.base_offset.get(), header.last_offset());
    let count = header.records_count.get();
    if header.last_offset_delta.get() < 0 {
        return refuse(
            ErrorCode::InvalidRecord,
            format!("Batch has an invalid offset range: [{base}, {last}] in topic partition {partition}"),
        );
    }
    let Some(records) = u32::try_from(count).ok().filter(|count| *count > 0) else {
        return refuse(
            ErrorCode::InvalidRecord,
            format!("Invalid reported count for record batch: {count} in topic partition {partition}"),
        );
    };
    if i64::from(header.last_offset_delta.get()) + 1 != i64::from(count) {
        let message =
            format!("Inconsistent batch offset range [{base}, {last}] and count of records {count} in topic partition {partition}");
        return refuse(ErrorCode::InvalidRecord, message);
    }
    if to.origin == Origin::Client {
        if header.is_control() {
            let message = format!("Clients are not allowed to write control records in topic partition {partition}");
            return refuse(ErrorCode::InvalidRecord, message);
        }
        if header.has_producer() && (header.base_sequence.get() < 0 || header.producer_epoch.get() < 0) {
            let message = format!(
                "Invalid sequence number {} or epoch {} in record batch with producerId {} in topic partition {partition}",
                header.base_sequence.get(),
                header.producer_epoch.get(),
                header.producer_id()
            );
            return refuse(ErrorCode::InvalidRecord, message);
        }
    }
    Ok(records)
}

/// Framing, keys and timestamps of all records; their largest timestamp.
fn check_records(plain: &[u8], header: &Header, count: u32, to: Destination<'_>) -> Result<Timestamp, Refused> {
    let Destination { partition, config, now, .. } = to;
    let create_time = config.message_timestamp_type == TimestampType::CreateTime;
    let (oldest, youngest) = bounds(config, now);
    let base = header.base_timestamp.get();
    // A batch that claims LogAppendTime has one timestamp for all its records.
    let claimed = header.is_log_append_time().then(|| header.max_timestamp.get());
    let compact = config.cleanup_policy.compact;
    let mut newest = Timestamp::NONE.0;
    let mut wrong = Vec::new();
    let mut any_time_wrong = false;
    let look = |index: u32, record: &Record<'_>| {
        let timestamp = claimed.unwrap_or_else(|| base.wrapping_add(record.timestamp_delta));
        newest = newest.max(timestamp);
        let in_bounds = !create_time || timestamp == Timestamp::NONE.0 || (oldest..=youngest).contains(&timestamp);
        let claim_refused = claimed.is_some() && (!create_time || timestamp == Timestamp::NONE.0);
        if (record.key.is_some() || !compact) && in_bounds && !claim_refused {
            return;
        }
        let message = if record.key.is_none() && compact {
            format!("Compacted topic cannot accept message without key in topic partition {partition}")
        } else if claim_refused {
            "Invalid timestamp type in message. Producer should not set timestamp type to LogAppendTime.".into()
        } else {
            format!(
                "Timestamp {timestamp} of message with offset {index} is out of range. The timestamp should be within [{oldest}, {youngest}]"
            )
        };
        any_time_wrong |= record.key.is_some() || !compact;
        let index = i32::try_from(index).expect("a count in a header is an i32");
        wrong.push(RecordError { index, message });
    };
    if let Err(misframed) = record::walk(plain, count, look) {
        return refuse(ErrorCode::InvalidRecord, format!("{misframed} in topic partition {partition}"));
    }
    if wrong.is_empty() {
        return Ok(Timestamp(newest));
    }
    let (code, message) = if any_time_wrong {
        (ErrorCode::InvalidTimestamp, "One or more records have been rejected due to invalid timestamp".into())
    } else {
        let first: Vec<&str> = wrong.iter().take(3).map(|error| error.message.as_str()).collect();
        let message = format!(
            "One or more records have been rejected due to {} record errors in total, and only showing the first three errors at most: [{}]",
            wrong.len(),
            first.join(", ")
        );
        (ErrorCode::InvalidRecord, message)
    };
    Err(Refused { code, message, record_errors: wrong })
}

/// The oldest and the youngest timestamp that is taken.
fn bounds(config: &LogConfig, now: Timestamp) -> (i64, i64) {
    let before = i64::try_from(config.message_timestamp_before_max_ms).unwrap_or(i64::MAX);
    let after = i64::try_from(config.message_timestamp_after_max_ms).unwrap_or(i64::MAX);
    (now.0.saturating_sub(before), now.0.saturating_add(after))
}

/// Checks a batch of this partition's leader: it was accepted there, and only has to have arrived whole.
pub fn check_replica(bytes: &[u8], partition: &str) -> Result<Valid, Refused> {
    match batch::meet(bytes) {
        Met::Batch { header, bytes: batch } if batch.len() == bytes.len() && batch::crc_holds(batch) => {
            let Ok(len) = u32::try_from(batch.len()) else {
                return refuse(ErrorCode::CorruptMessage, format!("A batch of {} bytes for {partition}", batch.len()));
            };
            Ok(Valid { header: *header, len, stored: Stored::AsGiven })
        }
        _ => refuse(ErrorCode::CorruptMessage, format!("What the leader sent for {partition} is not one sound record batch")),
    }
}

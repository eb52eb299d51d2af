//! The two messages that the macro does not make, written down once more, as data.

use millrace::wire::messages::fetch::{AbortedTransaction, EpochEndOffset, LeaderIdAndEpoch, NodeEndpoint, SnapshotId};
use millrace::wire::schema::{Field, Kind, Place};

const fn field(name: &'static str, place: Place, kind: Kind) -> Field {
    Field { name, place, kind }
}

const fn since(version: i16) -> Place {
    Place::new(version, i16::MAX)
}

pub const PRODUCE_REQUEST: &[Field] = &[
    field("transactional_id", since(3).nullable(3, i16::MAX), Kind::String),
    field("acks", since(0), Kind::I16),
    field("timeout_ms", since(0), Kind::I32),
    field("topics", since(0), Kind::Array(&Kind::Struct(PRODUCE_TOPIC))),
];

const PRODUCE_TOPIC: &[Field] = &[
    field("name", Place::new(0, 12), Kind::String),
    field("topic_id", since(13), Kind::Uuid),
    field("partitions", since(0), Kind::Array(&Kind::Struct(PRODUCE_PARTITION))),
];

const PRODUCE_PARTITION: &[Field] = &[field("index", since(0), Kind::I32), field("records", since(0).nullable(0, i16::MAX), Kind::Bytes)];

pub const FETCH_RESPONSE: &[Field] = &[
    field("throttle_time_ms", since(1), Kind::I32),
    field("error_code", since(7), Kind::ErrorCode),
    field("session_id", since(7), Kind::I32),
    field("responses", since(0), Kind::Array(&Kind::Struct(FETCH_TOPIC))),
    field("node_endpoints", since(16).tag(0), Kind::Array(&Kind::Struct(NodeEndpoint::FIELDS))),
];

const FETCH_TOPIC: &[Field] = &[
    field("topic", Place::new(0, 12), Kind::String),
    field("topic_id", since(13), Kind::Uuid),
    field("partitions", since(0), Kind::Array(&Kind::Struct(FETCH_PARTITION))),
];

/// Records may be null on the wire; a broker never writes them so, and neither does this schema.
const FETCH_PARTITION: &[Field] = &[
    field("partition_index", since(0), Kind::I32),
    field("error_code", since(0), Kind::ErrorCode),
    field("high_watermark", since(0), Kind::I64),
    field("last_stable_offset", since(4), Kind::I64),
    field("log_start_offset", since(5), Kind::I64),
    field("diverging_epoch", since(12).tag(0), Kind::Struct(EpochEndOffset::FIELDS)),
    field("current_leader", since(12).tag(1), Kind::Struct(LeaderIdAndEpoch::FIELDS)),
    field("snapshot_id", since(12).tag(2), Kind::Struct(SnapshotId::FIELDS)),
    field("aborted_transactions", since(4).nullable(4, i16::MAX), Kind::Array(&Kind::Struct(AbortedTransaction::FIELDS))),
    field("preferred_read_replica", since(11), Kind::I32),
    field("records", since(0), Kind::Bytes),
];

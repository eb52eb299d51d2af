//! InitProducerId (22): get a producer id and epoch, and fence whoever had the transactional id before.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    InitProducerIdRequest key 22 versions 0..=6 flexible 2.. {
        /// `None` for a producer that is idempotent only.
        transactional_id: Option<String> [0.., null 0..],
        transaction_timeout_ms: i32 [0..],
        /// What the producer had, to have its epoch bumped; -1 for a new one.
        producer_id: i64 [3..] = -1,
        producer_epoch: i16 [3..] = -1,
        /// Two-phase commit (KIP-939), unstable in Kafka 4.3.
        enable_2pc: bool [6..],
        keep_prepared_txn: bool [6..],
    }
}

message! {
    InitProducerIdResponse key 22 versions 0..=6 flexible 2.. {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
        producer_id: i64 [0..] = -1,
        producer_epoch: i16 [0..],
        ongoing_txn_producer_id: i64 [6..] = -1,
        ongoing_txn_producer_epoch: i16 [6..] = -1,
    }
}

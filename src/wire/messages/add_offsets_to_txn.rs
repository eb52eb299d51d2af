//! AddOffsetsToTxn (25): offsets of a group take part in a transaction.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    AddOffsetsToTxnRequest key 25 versions 0..=4 flexible 3.. {
        transactional_id: String [0..],
        producer_id: i64 [0..],
        producer_epoch: i16 [0..],
        group_id: String [0..],
    }
}

message! {
    AddOffsetsToTxnResponse key 25 versions 0..=4 flexible 3.. {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
    }
}

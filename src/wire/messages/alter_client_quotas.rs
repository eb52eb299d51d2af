//! AlterClientQuotas (49): change quotas.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    AlterClientQuotasRequest key 49 versions 0..=1 flexible 1.. {
        entries: Vec<EntryData> [0..],
        validate_only: bool [0..],
    }
    struct EntryData {
        entity: Vec<EntityData> [0..],
        ops: Vec<OpData> [0..],
    }
    struct EntityData {
        entity_type: String [0..],
        entity_name: Option<String> [0.., null 0..],
    }
    struct OpData {
        key: String [0..],
        value: f64 [0..],
        remove: bool [0..],
    }
}

message! {
    AlterClientQuotasResponse key 49 versions 0..=1 flexible 1.. {
        throttle_time_ms: i32 [0..],
        entries: Vec<EntryResult> [0..],
    }
    /// Kafka calls it EntryData, like that of the request.
    struct EntryResult {
        error_code: ErrorCode [0..],
        error_message: Option<String> [0.., null 0..],
        entity: Vec<EntityData> [0..],
    }
}

//! DescribeClientQuotas (48): read quotas.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    DescribeClientQuotasRequest key 48 versions 0..=1 flexible 1.. {
        components: Vec<ComponentData> [0..],
        strict: bool [0..],
    }
    struct ComponentData {
        entity_type: String [0..],
        /// 0 exactly this name, 1 the default, 2 any name.
        match_type: i8 [0..],
        match_name: Option<String> [0.., null 0..],
    }
}

message! {
    DescribeClientQuotasResponse key 48 versions 0..=1 flexible 1.. {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
        error_message: Option<String> [0.., null 0..],
        entries: Option<Vec<EntryData>> [0.., null 0..],
    }
    struct EntryData {
        entity: Vec<EntityData> [0..],
        values: Vec<ValueData> [0..],
    }
    struct EntityData {
        entity_type: String [0..],
        entity_name: Option<String> [0.., null 0..],
    }
    struct ValueData {
        key: String [0..],
        value: f64 [0..],
    }
}

//! What a topic may be called (`org.apache.kafka.common.internals.Topic`).

/// Longest name. A partition's directory is the name, a dash and a number, and may be renamed with a long suffix; file
/// names end at 255 bytes.
pub const NAME_BYTES_MAX: usize = 249;

pub const GROUP_METADATA: &str = "__consumer_offsets";
pub const TRANSACTION_STATE: &str = "__transaction_state";
pub const SHARE_GROUP_STATE: &str = "__share_group_state";
pub const CLUSTER_METADATA: &str = "__cluster_metadata";

/// Kafka's sentence where the name is not allowed, for INVALID_TOPIC_EXCEPTION.
pub fn validate(name: &str) -> Result<(), String> {
    let why = match name {
        "" => "the empty string is not allowed".to_string(),
        "." | ".." => format!("'{name}' is not allowed"),
        // Java counts UTF-16 units. What is not ASCII is refused next in any case.
        _ if name.encode_utf16().count() > NAME_BYTES_MAX => {
            format!("the length of '{name}' is longer than the max allowed length {NAME_BYTES_MAX}")
        }
        _ if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) => {
            format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
        }
        _ => return Ok(()),
    };
    Err(format!("Topic name is invalid: {why}"))
}

/// Topics that brokers keep for themselves.
pub fn is_internal(name: &str) -> bool {
    matches!(name, GROUP_METADATA | TRANSACTION_STATE | SHARE_GROUP_STATE)
}

/// Names that differ only in `.` and `_` become the same metric, so that they exclude each other.
pub fn collision_key(name: &str) -> String {
    name.replace('.', "_")
}

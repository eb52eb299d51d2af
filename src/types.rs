//! The newtypes that everything above speaks in. Plain numbers on the wire, never mixed up in here.

pub use millrace_io::{CoreId as ShardId, Instant, Timestamp};
use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// Number of a record in a partition. Signed, as on the wire; what a log holds is never negative.
    Offset(i64)
}
number! {
    /// Byte in a segment file. Kafka's segments are addressed with 31 bits.
    Position(u32)
}
number! {
    /// Leader epoch: counts the leaders of a partition. -1 on the wire means unknown.
    Epoch(i32)
}
number! {
    /// `node.id` of a broker.
    BrokerId(i32)
}
number! {
    /// Producer id; -1 means not idempotent.
    ProducerId(i64)
}

impl ProducerId {
    pub const NONE: ProducerId = ProducerId(-1);
}

impl Epoch {
    pub const UNKNOWN: Epoch = Epoch(-1);
}

impl Offset {
    pub fn next(self) -> Offset {
        Offset(self.0 + 1)
    }
    pub fn plus(self, records: u32) -> Offset {
        Offset(self.0 + i64::from(records))
    }
}

/// 16 bytes, printed as Kafka does: URL-safe base64 without padding.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    pub const ZERO: Uuid = Uuid([0; 16]);

    /// A version 4 UUID from random bits; never one that Kafka reserves, and never one whose text begins with a dash
    /// (`org.apache.kafka.common.Uuid.randomUuid`: it would look like a command-line option).
    pub fn from_random(mut random: impl FnMut() -> u64) -> Uuid {
        loop {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&random().to_be_bytes());
            bytes[8..].copy_from_slice(&random().to_be_bytes());
            bytes[6] = bytes[6] & 0x0f | 0x40;
            bytes[8] = bytes[8] & 0x3f | 0x80;
            let uuid = Uuid(bytes);
            if !uuid.to_string().starts_with('-') {
                return uuid;
            }
        }
    }

    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Uuid> {
        if text.len() != 22 {
            return None;
        }
        let mut value: u128 = 0;
        for (i, c) in text.bytes().enumerate() {
            let digit = DIGITS.iter().position(|&d| d == c)? as u128;
            // 21 digits of 6 bits and a last one of 2: 128 bits.
            value = if i < 21 { value << 6 | digit } else { value << 2 | digit >> 4 };
        }
        Some(Uuid(value.to_be_bytes()))
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u128::from_be_bytes(self.0);
        for i in 0..22 {
            let digit = if i < 21 { value >> (122 - 6 * i) & 63 } else { value << 4 & 63 };
            write!(f, "{}", DIGITS[digit as usize] as char)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_print_as_kafka_prints_them() {
        let text = "MkU3OEVBNTcwNTJENDM2Qg";
        let uuid = Uuid::parse(text).unwrap();
        assert_eq!(&uuid.0, b"2E78EA57052D436B");
        assert_eq!(uuid.to_string(), text);
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
    }
}

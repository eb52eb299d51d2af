//! SaslHandshake (17): choose how to authenticate. Never became flexible.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    SaslHandshakeRequest key 17 versions 0..=1 {
        mechanism: String [0..],
    }
}

message! {
    SaslHandshakeResponse key 17 versions 0..=1 {
        error_code: ErrorCode [0..],
        mechanisms: Vec<String> [0..],
    }
}

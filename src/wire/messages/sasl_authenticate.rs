//! SaslAuthenticate (36): one step of authentication.

use crate::error::ErrorCode;
use crate::wire::codec::Bytes;
use crate::wire::message::message;

message! {
    SaslAuthenticateRequest key 36 versions 0..=2 flexible 2.. {
        auth_bytes: Bytes [0..],
    }
}

message! {
    SaslAuthenticateResponse key 36 versions 0..=2 flexible 2.. {
        error_code: ErrorCode [0..],
        error_message: Option<String> [0.., null 0..],
        auth_bytes: Bytes [0..],
        /// When to authenticate again; 0 is never.
        session_lifetime_ms: i64 [1..],
    }
}

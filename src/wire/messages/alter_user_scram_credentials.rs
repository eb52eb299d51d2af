//! AlterUserScramCredentials (51): set and delete SCRAM credentials.

use crate::error::ErrorCode;
use crate::wire::codec::Bytes;
use crate::wire::message::message;

message! {
    AlterUserScramCredentialsRequest key 51 versions 0..=0 flexible 0.. {
        deletions: Vec<ScramCredentialDeletion> [0..],
        upsertions: Vec<ScramCredentialUpsertion> [0..],
    }
    struct ScramCredentialDeletion {
        name: String [0..],
        /// 1 SCRAM-SHA-256, 2 SCRAM-SHA-512.
        mechanism: i8 [0..],
    }
    struct ScramCredentialUpsertion {
        name: String [0..],
        mechanism: i8 [0..],
        iterations: i32 [0..],
        salt: Bytes [0..],
        salted_password: Bytes [0..],
    }
}

message! {
    AlterUserScramCredentialsResponse key 51 versions 0..=0 flexible 0.. {
        throttle_time_ms: i32 [0..],
        results: Vec<AlterUserScramCredentialsResult> [0..],
    }
    struct AlterUserScramCredentialsResult {
        user: String [0..],
        error_code: ErrorCode [0..],
        error_message: Option<String> [0.., null 0..],
    }
}

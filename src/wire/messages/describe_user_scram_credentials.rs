//! DescribeUserScramCredentials (50): who has SCRAM credentials, and with how many iterations.

use crate::error::ErrorCode;
use crate::wire::message::message;

message! {
    DescribeUserScramCredentialsRequest key 50 versions 0..=0 flexible 0.. {
        users: Option<Vec<UserName>> [0.., null 0..],
    }
    struct UserName {
        name: String [0..],
    }
}

message! {
    DescribeUserScramCredentialsResponse key 50 versions 0..=0 flexible 0.. {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
        error_message: Option<String> [0.., null 0..],
        results: Vec<DescribeUserScramCredentialsResult> [0..],
    }
    struct DescribeUserScramCredentialsResult {
        user: String [0..],
        error_code: ErrorCode [0..],
        error_message: Option<String> [0.., null 0..],
        credential_infos: Vec<CredentialInfo> [0..],
    }
    struct CredentialInfo {
        mechanism: i8 [0..],
        iterations: i32 [0..],
    }
}

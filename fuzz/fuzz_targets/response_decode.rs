#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace::wire::Reader;
use millrace::wire::api::ApiKey;
use millrace::wire::header::ResponseHeader;
use millrace_fuzz::{Half, body};

fuzz_target!(|input: &[u8]| {
    let mut r = Reader::new(input);
    let (Ok(key), Ok(version)) = (r.i16(), r.i16()) else { return };
    let Some(api_key) = ApiKey::from_code(key) else { return };
    if ResponseHeader::decode(&mut r, api_key, version).is_ok() {
        body(key, Half::Response, version, r);
    }
});

#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace::wire::Reader;
use millrace::wire::api::ApiKey;
use millrace::wire::header::RequestHeader;
use millrace::wire::messages::ProduceRequest;
use millrace::wire::messages::produce::VERSIONS;
use millrace_fuzz::{Half, body};

fuzz_target!(|frame: &[u8]| {
    let mut r = Reader::new(frame);
    let Ok(header) = RequestHeader::decode(&mut r) else { return };
    if header.api_key == ApiKey::Produce && VERSIONS.contains(&header.api_version) {
        let _ = ProduceRequest::decode(&mut r, header.api_version);
        return;
    }
    body(header.api_key.code(), Half::Request, header.api_version, r);
});

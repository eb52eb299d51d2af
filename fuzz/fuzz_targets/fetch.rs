#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace::wire::Reader;
use millrace::wire::messages::FetchResponse;
use millrace::wire::messages::fetch::{ResponsePart, ResponseWriter, VERSIONS};

fuzz_target!(|input: &[u8]| {
    let mut r = Reader::new(input);
    let Ok(version) = r.i8().map(i16::from) else { return };
    if !VERSIONS.contains(&version) {
        return;
    }
    let Ok(response) = FetchResponse::decode(&mut r, version) else { return };
    let written = write(&response, input, version);
    let mut r = Reader::new(&written);
    let again = FetchResponse::decode(&mut r, version).expect("what was written can be read");
    r.end().expect("what was written is read to its end");
    assert_eq!(write(&again, &written, version), written);
});

/// The response without its frame and header.
fn write(response: &FetchResponse<'_>, frame: &[u8], version: i16) -> Vec<u8> {
    let FetchResponse { throttle_time_ms, error_code, session_id, responses, node_endpoints } = response;
    let mut out = Vec::new();
    let mut records = Vec::new();
    let mut w = ResponseWriter::new(&mut out, version, 0, *throttle_time_ms, *error_code, *session_id, responses.len());
    for topic in responses {
        w.topic(topic.topic, topic.topic_id, topic.partitions.len());
        for partition in &topic.partitions {
            let bytes = &frame[partition.records.clone().unwrap_or_default()];
            w.partition(&partition.data, u32::try_from(bytes.len()).unwrap());
            records.push(bytes);
        }
    }
    let parts = w.finish(node_endpoints);
    let mut written = Vec::new();
    for part in parts {
        match part {
            ResponsePart::Bytes(range) => written.extend_from_slice(&out[range]),
            ResponsePart::Records { index, .. } => written.extend_from_slice(records[index]),
        }
    }
    written.split_off(if version >= 12 { 9 } else { 8 })
}

#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace::wire::messages::ProduceRequest;
use millrace::wire::messages::produce::{Partition, Topic, VERSIONS};
use millrace::wire::{Reader, Writer};

fuzz_target!(|input: &[u8]| {
    let mut r = Reader::new(input);
    let Ok(version) = r.i8().map(i16::from) else { return };
    if !VERSIONS.contains(&version) {
        return;
    }
    let Ok(request) = ProduceRequest::decode(&mut r, version) else { return };
    let mut written = Vec::new();
    with_records(&request, input).encode(&mut Writer::new(&mut written), version);
    let mut r = Reader::new(&written);
    let again = ProduceRequest::decode(&mut r, version).expect("what was written can be read");
    r.end().expect("what was written is read to its end");
    assert_eq!(with_records(&again, &written), with_records(&request, input));
});

fn with_records<'a>(request: &ProduceRequest<'a>, frame: &'a [u8]) -> ProduceRequest<'a, &'a [u8]> {
    let partition = |p: &Partition| Partition { index: p.index, records: p.records.clone().map(|range| &frame[range]) };
    let topics = request.topics.iter().map(|topic| Topic {
        name: topic.name,
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().map(partition).collect(),
    });
    ProduceRequest {
        transactional_id: request.transactional_id,
        acks: request.acks,
        timeout_ms: request.timeout_ms,
        topics: topics.collect(),
    }
}

//! Frames, headers, versions and bodies that are wrong: hung up on, and nobody else notices.

use crate::broker::wait_for;
use crate::client::request;
use crate::random::{self, Random};
use crate::schemas;
use crate::victim::Victim;
use millrace::error::ErrorCode;
use millrace::wire::api::{ApiKey, SERVED};
use millrace::wire::messages::{ApiVersionsRequest, ApiVersionsResponse, MetadataRequest, MetadataResponse, Visitor, visit_all};
use millrace::wire::schema::Field;
use millrace::wire::{Message, Reader};

/// What may be lost to garbage: buffers that the pool keeps, and what requests that happen to make sense leave behind.
const MEMORY: u64 = 192 << 20;

fn frame(length: i32, bytes: &[u8]) -> Vec<u8> {
    [&length.to_be_bytes(), bytes].concat()
}

fn whole(bytes: &[u8]) -> Vec<u8> {
    frame(bytes.len() as i32, bytes)
}

/// The fields that are the same in all request headers.
fn header(key: i16, version: i16) -> Vec<u8> {
    [&key.to_be_bytes()[..], &version.to_be_bytes(), &7i32.to_be_bytes()].concat()
}

fn hung_up_on(victim: &mut Victim, what: &str, bytes: &[u8]) {
    let mut client = victim.client();
    client.say(bytes);
    client.expect_hang_up(what);
}

#[test]
fn a_frame_of_an_impossible_length_is_hung_up_on() {
    let mut victim = Victim::new(&["socket.request.max.bytes=1000000"]);
    for length in [-1, i32::MIN, -4, 1_000_001, 100 << 20, i32::MAX] {
        hung_up_on(&mut victim, &format!("length {length}"), &frame(length, b"whatever comes then"));
        victim.assert_unharmed(&format!("a frame of length {length}"));
    }
    wait_for("one line each", || (victim.broker.logged("hung up") == 6).then_some(()));
    victim.assert_memory_within(MEMORY);
}

#[test]
fn a_header_that_does_not_decode_is_hung_up_on() {
    let mut victim = Victim::new(&[]);
    for length in 0..8 {
        let bytes = &header(18, 0)[..length];
        hung_up_on(&mut victim, &format!("a header of {length} bytes"), &whole(bytes));
    }
    let cases: [(&str, Vec<u8>); 6] = [
        ("no client id", header(18, 0)),
        ("a client id that is longer than the frame", [&header(18, 0)[..], &[0x7f, 0xff, b'x']].concat()),
        ("a client id of a negative length", [&header(18, 0)[..], &[0x80, 0]].concat()),
        ("a client id that is not UTF-8", [&header(18, 0)[..], &[0, 2, 0xff, 0xfe]].concat()),
        ("a tagged field that is longer than the frame", [&header(3, 12)[..], &[0xff, 0xff, 1, 9, 0x7f]].concat()),
        ("a number of tagged fields that never ends", [&header(3, 12)[..], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]].concat()),
    ];
    for (what, bytes) in cases {
        hung_up_on(&mut victim, what, &whole(&bytes));
        victim.assert_unharmed(what);
    }
}

#[test]
fn an_api_that_nobody_serves_is_hung_up_on() {
    let mut victim = Victim::new(&[]);
    let unserved = ApiKey::ALL.iter().map(|info| info.key.code()).filter(|key| !SERVED.iter().any(|served| served.key.code() == *key));
    for key in unserved.chain([-1, 94, 1000, i16::MIN, i16::MAX]) {
        let bytes = [&header(key, 0)[..], &[0, 0], &[0; 40]].concat();
        hung_up_on(&mut victim, &format!("API {key}"), &whole(&bytes));
    }
    victim.assert_unharmed("unknown APIs");
}

#[test]
fn a_version_that_nobody_serves_is_answered_so_and_the_connection_goes_on() {
    let mut victim = Victim::new(&[]);
    for served in SERVED {
        for version in [served.accepted.min - 1, served.accepted.max + 1, i16::MIN, i16::MAX] {
            let what = format!("{:?} version {version}", served.key);
            let bytes = [&header(served.key.code(), version)[..], &[0, 0, 0], &[0; 40]].concat();
            // What there was of Produce before our first version begins with `acks`, and 0 wants no answer.
            if served.key == ApiKey::Produce && version < served.accepted.min {
                hung_up_on(&mut victim, &what, &whole(&bytes));
                continue;
            }
            let mut client = victim.client();
            client.say(&whole(&bytes));
            let answer = client.hear().unwrap_or_else(|| panic!("{what} is answered"));
            assert_eq!(answer[..4], 7i32.to_be_bytes(), "{what}");
            let code = ErrorCode::UnsupportedVersion.code().to_be_bytes();
            assert!(answer[4..].windows(2).any(|bytes| bytes == code), "{what}: {answer:?}");
            if served.key == ApiKey::ApiVersions {
                let mut reader = Reader::new(&answer[4..]);
                let versions = ApiVersionsResponse::decode(&mut reader, 0).unwrap();
                reader.end().unwrap();
                assert_eq!(versions.error_code, ErrorCode::UnsupportedVersion);
                // As Kafka tells it: what ApiVersions itself understands (KIP-511).
                let told: Vec<_> = versions.api_keys.iter().map(|api| (api.api_key, api.min_version, api.max_version)).collect();
                assert_eq!(told, [(18, served.accepted.min, served.accepted.max)]);
            }
            client.say(&request(18, 2, |_| {}));
            assert!(client.hear().is_some(), "{what}: the client may ask again");
        }
    }
    victim.assert_unharmed("unknown versions");
}

/// Every request that is served, and what its fields are.
fn requests() -> Vec<(ApiKey, &'static [Field])> {
    struct Requests(Vec<(ApiKey, &'static [Field])>);
    impl Visitor for Requests {
        fn visit<M: Message>(&mut self) {
            let key = ApiKey::from_code(M::KEY).unwrap();
            if M::NAME.ends_with("Request") && key.served().is_some() {
                self.0.push((key, M::FIELDS));
            }
        }
    }
    let mut requests = Requests(vec![(ApiKey::Produce, schemas::PRODUCE_REQUEST)]);
    visit_all(&mut requests);
    assert_eq!(requests.0.len(), SERVED.len());
    requests.0
}

fn bodies(mut body: impl FnMut(ApiKey, i16, Vec<u8>)) {
    for (key, fields) in requests() {
        let served = key.served().unwrap();
        for version in served.accepted.min..=served.accepted.max {
            let seed = u64::from(key.code().unsigned_abs()) << 8 | u64::from(version.unsigned_abs());
            body(key, version, random::body(fields, version, key.info().is_flexible(version), &mut Random(seed)));
        }
    }
}

#[test]
fn a_body_cut_short_is_hung_up_on_whatever_the_api_and_version() {
    let mut victim = Victim::new(&[]);
    let mut random = Random(5);
    let mut cut = 0;
    bodies(|key, version, bytes| {
        // Each of the first bytes, and some of the rest.
        let lengths = (0..bytes.len()).filter(|length| *length < 6 || random.chance(8) || length + 1 == bytes.len());
        for length in lengths {
            let mut client = victim.client();
            client.say(&request(key.code(), version, |w| w.raw(&bytes[..length])));
            client.expect_hang_up(&format!("{key:?} version {version}, {length} of {} bytes", bytes.len()));
            cut += 1;
        }
        victim.assert_unharmed(&format!("{key:?} version {version}, cut short"));
    });
    assert!(cut > 700, "only {cut} bodies were cut");
    victim.assert_memory_within(MEMORY);
}

#[test]
fn lengths_that_lie_and_random_fields_harm_nobody() {
    let mut victim = Victim::new(&[]);
    let mut random = Random(6);
    bodies(|key, version, bytes| {
        // Not what it happens to mean: deleting topics is something a client may do. Produce and DeleteRecords cannot guess ours.
        let mut sent = vec![bytes.clone()];
        for lie in [&[0x7f, 0xff, 0xff, 0xff][..], &[0xff; 5], &[0x80, 0x80, 0x80, 0x80, 0x80], &[0x7f, 0xff]] {
            let mut lying = bytes.clone();
            if lying.len() > lie.len() {
                let at = random.below(lying.len() - lie.len());
                lying[at..at + lie.len()].copy_from_slice(lie);
                sent.push(lying);
            }
        }
        for body in sent {
            let mut client = victim.client();
            client.say(&request(key.code(), version, |w| w.raw(&body)));
            // Long polls and commands may wait for as long as the client asked: go away without an answer.
            drop(client);
        }
        victim.assert_unharmed(&format!("{key:?} version {version}, at random"));
    });
    victim.assert_memory_within(MEMORY);
}

#[test]
fn a_client_that_means_another_broker_is_sent_away() {
    let victim = Victim::new(&["node.id=3"]);
    let mut client = victim.client();
    let metadata: MetadataResponse = client.call(9, &MetadataRequest::default());
    let ours = metadata.cluster_id.unwrap();
    let mut ask = |cluster_id: Option<&str>, node_id: i32| {
        let request = ApiVersionsRequest {
            client_software_name: "test".into(),
            client_software_version: "1".into(),
            cluster_id: cluster_id.map(Into::into),
            node_id,
        };
        let response: ApiVersionsResponse = client.call(5, &request);
        response.error_code
    };
    for (cluster_id, node_id, expected) in [
        (None, -1, ErrorCode::None),
        (Some(&ours[..]), -1, ErrorCode::None),
        (Some(&ours), 3, ErrorCode::None),
        (Some(&ours), 4, ErrorCode::RebootstrapRequired),
        (Some("another"), 3, ErrorCode::RebootstrapRequired),
        (Some("another"), -1, ErrorCode::RebootstrapRequired),
        (Some(""), -1, ErrorCode::RebootstrapRequired),
        (None, 3, ErrorCode::InvalidRequest),
    ] {
        assert_eq!(ask(cluster_id, node_id), expected, "cluster {cluster_id:?}, node {node_id}");
    }
}

//! Record batches that are wrong get their own error, and the partition beside them is not disturbed. Requests that are wrong as
//! a whole get theirs.

use crate::client::{Client, FETCH, PRODUCE, batch_of};
use crate::victim::{TOPIC, Victim};
use millrace::error::ErrorCode;
use millrace::log::BatchBuilder;
use millrace::log::batch::{CRC_FROM, Codec, HEADER_LEN, Header, LENGTH_OVERHEAD, MAGIC_AT};
use millrace::types::Timestamp;
use millrace::wire::api::ApiKey;
use millrace::wire::messages::fetch::ReplicaState;
use millrace::wire::messages::{FetchRequest, FetchResponse};
use millrace::wire::{Message, Reader};
use millrace_io::blocking;
use std::io::Write;
use zerocopy::{FromBytes, IntoBytes};

/// A sound batch that has been changed, with a checksum that is right again.
fn altered(alter: impl FnOnce(&mut Header, &mut Vec<u8>)) -> Vec<u8> {
    let batch = batch_of(&[b"a", b"bb", b"ccc"]);
    let mut header = Header::read_from_prefix(&batch).unwrap().0;
    let mut records = batch[HEADER_LEN..].to_vec();
    alter(&mut header, &mut records);
    header.seal(&records);
    [header.as_bytes(), &records].concat()
}

fn set_length(header: &mut Header, records: &[u8]) {
    header.length.set((HEADER_LEN - LENGTH_OVERHEAD + records.len()) as i32);
}

/// Three records of a sound batch, compressed by something that may not be told in the header.
fn compressed(codec: Codec, records: &[u8], count: i32) -> Vec<u8> {
    let mut into = Vec::new();
    match codec {
        Codec::None => into.extend(records),
        Codec::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(&mut into, flate2::Compression::fast());
            encoder.write_all(records).unwrap();
            encoder.finish().unwrap();
        }
        Codec::Zstd => into = zstd::encode_all(records, 1).unwrap(),
        Codec::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(&mut into);
            encoder.write_all(records).unwrap();
            encoder.finish().unwrap();
        }
        Codec::Snappy => into = snap::raw::Encoder::new().compress_vec(records).unwrap(),
    }
    altered(|header, records| {
        *records = into;
        header.set_codec(codec);
        header.records_count.set(count);
        header.last_offset_delta.set(count - 1);
        set_length(header, records);
    })
}

fn wrong_batches() -> Vec<(&'static str, Vec<u8>, ErrorCode)> {
    use ErrorCode::{
        CorruptMessage, InvalidRecord, InvalidTimestamp, MessageTooLarge, UnsupportedCompressionType, UnsupportedForMessageFormat,
    };
    let sound = batch_of(&[b"a", b"bb", b"ccc"]);
    let flipped = |at: usize| {
        let mut batch = sound.clone();
        batch[at] ^= 1;
        batch
    };
    let now = blocking::wall().0;
    let dated = |timestamp: i64| {
        let mut builder = BatchBuilder::new();
        builder.push(Timestamp(timestamp), None, Some(b"x"));
        builder.build()
    };
    let magic = |magic: u8| {
        let mut batch = sound.clone();
        batch[MAGIC_AT] = magic;
        batch
    };
    let large = vec![0x55; 1_100_000];
    vec![
        ("a flipped bit in a record", flipped(sound.len() - 2), CorruptMessage),
        ("a flipped bit in the header", flipped(CRC_FROM + 8), CorruptMessage),
        ("a flipped bit in the checksum", flipped(CRC_FROM - 1), CorruptMessage),
        ("more records in the count", altered(|h, _| h.records_count.set(4)), InvalidRecord),
        ("fewer records in the count", altered(|h, _| h.records_count.set(2)), InvalidRecord),
        (
            "count and delta agree, and there are fewer records",
            {
                altered(|h, _| {
                    h.records_count.set(1000);
                    h.last_offset_delta.set(999);
                })
            },
            InvalidRecord,
        ),
        (
            "count and delta agree, and there are more records",
            {
                altered(|h, _| {
                    h.records_count.set(2);
                    h.last_offset_delta.set(1);
                })
            },
            InvalidRecord,
        ),
        (
            "the largest count",
            {
                altered(|h, _| {
                    h.records_count.set(i32::MAX);
                    h.last_offset_delta.set(i32::MAX - 1);
                })
            },
            InvalidRecord,
        ),
        ("a negative count", altered(|h, _| h.records_count.set(-1)), InvalidRecord),
        ("no records", altered(|h, _| h.records_count.set(0)), InvalidRecord),
        ("a delta that is too large", altered(|h, _| h.last_offset_delta.set(9)), InvalidRecord),
        ("a negative delta", altered(|h, _| h.last_offset_delta.set(-1)), InvalidRecord),
        ("a record that is longer than the batch", altered(|_, records| records[0] = 0x7e), InvalidRecord),
        ("a record of a negative length", altered(|_, records| records[0] = 1), InvalidRecord),
        ("records out of order", altered(|_, records| records[3] = 8), InvalidRecord),
        ("a base offset", altered(|h, _| h.base_offset.set(5)), InvalidRecord),
        ("a batch cut short", sound[..sound.len() - 1].to_vec(), InvalidRecord),
        ("a header cut short", sound[..30].to_vec(), InvalidRecord),
        ("nothing", Vec::new(), InvalidRecord),
        ("bytes after the batch", [&sound[..], &[0]].concat(), InvalidRecord),
        ("two batches", [&sound[..], &sound].concat(), InvalidRecord),
        ("a control batch", altered(|h, _| h.attributes.set(0x20)), InvalidRecord),
        ("a producer without a sequence", altered(|h, _| h.producer_id.set(5)), InvalidRecord),
        ("magic 0", magic(0), UnsupportedForMessageFormat),
        ("magic 1", magic(1), UnsupportedForMessageFormat),
        ("codec 5", altered(|h, _| h.attributes.set(5)), UnsupportedCompressionType),
        ("codec 6", altered(|h, _| h.attributes.set(6)), UnsupportedCompressionType),
        ("codec 7", altered(|h, _| h.attributes.set(7)), UnsupportedCompressionType),
        ("too large", batch_of(&[&large]), MessageTooLarge),
        ("two hours in the future", dated(now + 7_200_000), InvalidTimestamp),
        ("a timestamp at the end of time", dated(i64::MAX), InvalidTimestamp),
        ("no zstd inside", altered(|h, _| h.set_codec(Codec::Zstd)), InvalidRecord),
        ("no gzip inside", altered(|h, _| h.set_codec(Codec::Gzip)), InvalidRecord),
        ("no lz4 inside", altered(|h, _| h.set_codec(Codec::Lz4)), InvalidRecord),
        ("no snappy inside", altered(|h, _| h.set_codec(Codec::Snappy)), InvalidRecord),
        ("fewer records than the count, compressed", compressed(Codec::Zstd, &sound[HEADER_LEN..], 77), InvalidRecord),
    ]
}

#[test]
fn a_wrong_batch_gets_its_error_and_the_partition_beside_it_its_records() {
    let mut victim = Victim::new(&[]);
    let mut client = victim.client();
    let good = batch_of(&[b"good"]);
    let mut written = 0;
    for (what, bad, error) in wrong_batches() {
        let produced = client.produce(TOPIC, -1, &[(0, Some(&bad)), (1, Some(&good))]);
        assert_eq!((produced[0].index, produced[1].index), (0, 1));
        assert_eq!(produced[0].error_code, error, "{what}: {:?}", produced[0]);
        assert_eq!(produced[0].base_offset, -1, "{what}");
        assert!(produced[0].error_message.as_ref().is_some_and(|message| !message.is_empty()), "{what}: no words");
        assert_eq!((produced[1].error_code, produced[1].base_offset), (ErrorCode::None, written), "{what}");
        written += 1;
        victim.assert_unharmed(what);
    }
    let produced = client.produce(TOPIC, -1, &[(0, None), (1, Some(&good))]);
    assert_eq!((produced[0].error_code, produced[1].error_code), (ErrorCode::InvalidRecord, ErrorCode::None), "null records");
    assert_eq!(client.list_offset(TOPIC, 0, -1), 0, "nothing of them has been appended");
    let kept = client.read_all(TOPIC, 1);
    assert_eq!(kept.len() as i64, written + 1);
    assert!((0..).zip(&kept).all(|(offset, (at, value))| offset == *at && value == b"good"));
    victim.assert_memory_within(128 << 20);
}

#[test]
fn all_codecs_are_stored_as_they_came_and_a_bomb_is_bounded() {
    let mut victim = Victim::new(&["millrace.decompressed.bytes.max=33554432"]);
    let mut client = victim.client();
    let sound = batch_of(&[b"a", b"bb", b"ccc"]);
    let mut bomb = BatchBuilder::new();
    bomb.push(blocking::wall(), None, Some(&vec![0; 512 << 20]));
    let bomb = bomb.build();
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let batch = compressed(codec, &sound[HEADER_LEN..], 3);
        let produced = client.produce(TOPIC, -1, &[(0, Some(&batch))]);
        assert_eq!(produced[0].error_code, ErrorCode::None, "{codec:?}: {:?}", produced[0]);
        let (_, stored) = client.fetch(&Client::fetch_request(TOPIC, 0, produced[0].base_offset, 1 << 20));
        assert_eq!(stored[CRC_FROM..], batch[CRC_FROM..], "{codec:?}");
        if codec == Codec::Snappy || codec == Codec::Lz4 {
            // Their ratio is too small for a bomb within message.max.bytes.
            continue;
        }
        let bomb = compressed(codec, &bomb[HEADER_LEN..], 1);
        assert!(bomb.len() < 4 << 20, "{} bytes", bomb.len());
        let produced = client.produce(TOPIC, -1, &[(1, Some(&bomb))]);
        assert_eq!(produced[0].error_code, ErrorCode::MessageTooLarge, "{codec:?}: {:?}", produced[0]);
        victim.assert_unharmed("a bomb");
    }
    victim.assert_memory_within(128 << 20);
}

#[test]
fn wrong_acks_are_refused_and_an_error_without_acks_closes() {
    let mut victim = Victim::new(&[]);
    let good = batch_of(&[b"good"]);
    let mut client = victim.client();
    for acks in [2, -2, i16::MAX, i16::MIN] {
        let produced = client.produce(TOPIC, acks, &[(0, Some(&good))]);
        assert_eq!(produced[0].error_code, ErrorCode::InvalidRequiredAcks, "acks {acks}");
    }
    assert_eq!(client.list_offset(TOPIC, 0, -1), 0);
    // Without an error nothing is said, and the next answer is the next request's.
    client.send_produce(TOPIC, 0, &[(0, Some(&good))]).unwrap();
    assert_eq!(client.produce(TOPIC, 1, &[(0, Some(&good))])[0].base_offset, 1);
    for (topic, batch) in [(TOPIC, &good[..10]), ("missing", &good[..])] {
        let mut client = victim.client();
        client.send_produce(topic, 0, &[(0, Some(batch))]).unwrap();
        client.expect_hang_up("an error without acks");
    }
    victim.assert_unharmed("acks");
}

#[test]
fn places_that_do_not_exist_are_told_so() {
    let mut victim = Victim::new(&["auto.create.topics.enable=false"]);
    let good = batch_of(&[b"good"]);
    let mut client = victim.client();
    for partition in [-1, 3, i32::MAX, i32::MIN] {
        let produced = client.produce(TOPIC, -1, &[(partition, Some(&good)), (0, Some(&good))]);
        assert_eq!(produced[0].error_code, ErrorCode::UnknownTopicOrPartition);
        assert_eq!(produced[1].error_code, ErrorCode::None);
        let (fetched, _) = client.fetch(&Client::fetch_request(TOPIC, partition, 0, 1000));
        assert_eq!(fetched.data.error_code, ErrorCode::UnknownTopicOrPartition);
    }
    for offset in [-1, 5, i64::MAX, i64::MIN] {
        let (fetched, _) = client.fetch(&Client::fetch_request(TOPIC, 0, offset, 1000));
        assert_eq!(fetched.data.error_code, ErrorCode::OffsetOutOfRange, "offset {offset}");
    }
    for name in ["missing", "", "..", "a/b", "a\0b", &"x".repeat(300)] {
        let produced = client.produce(name, -1, &[(0, Some(&good))]);
        assert!(!produced[0].error_code.is_ok(), "{name}");
    }
    victim.assert_unharmed("missing places");
}

#[test]
fn a_client_that_claims_to_be_a_replica_is_refused_and_moves_nothing() {
    let mut victim = Victim::new(&[]);
    let mut client = victim.client();
    client.produce(TOPIC, -1, &[(0, Some(&batch_of(&[b"x"])))]);
    for version in [FETCH, 14] {
        let request = FetchRequest { replica_id: 1, ..Client::fetch_request(TOPIC, 0, 1, 1000) };
        refused(&mut victim, version, &request);
    }
    let replica_state = ReplicaState { replica_id: 1, replica_epoch: 3 };
    for version in [15, 18] {
        let request = FetchRequest { replica_state: replica_state.clone(), ..Client::fetch_request(TOPIC, 0, 1, 1000) };
        refused(&mut victim, version, &request);
    }
    let (fetched, records) = client.fetch(&Client::fetch_request(TOPIC, 0, 0, 1000));
    assert_eq!((fetched.data.high_watermark, fetched.data.error_code), (1, ErrorCode::None));
    assert!(!records.is_empty());
    victim.assert_unharmed("a replica");
}

/// An error, whether of the whole answer or of its partition, and no records.
fn refused(victim: &mut Victim, version: i16, request: &FetchRequest) {
    let mut client = victim.client();
    client.send(ApiKey::Fetch, version, |w| request.encode(w, version)).unwrap();
    let Ok(body) = client.receive(ApiKey::Fetch, version) else { return };
    let response = FetchResponse::decode(&mut Reader::new(&body), version).unwrap();
    let mut errors = vec![response.error_code];
    for partition in response.responses.iter().flat_map(|topic| &topic.partitions) {
        errors.push(partition.data.error_code);
        assert!(partition.records.as_ref().is_none_or(|records| records.is_empty()));
    }
    let told = errors.contains(&ErrorCode::ClusterAuthorizationFailed) || errors.contains(&ErrorCode::TopicAuthorizationFailed);
    assert!(told, "version {version}: {errors:?}");
}

#[test]
fn old_produce_versions_are_advertised_and_refused() {
    let mut victim = Victim::new(&[]);
    for version in 0..3 {
        let mut client = victim.client();
        client.say(&crate::client::request(0, version, |w| w.raw(&[0, 1, 0, 0, 0, 9, 0, 0, 0, 0])));
        let answer = client.hear().expect("acks=1 wants an answer");
        let code = ErrorCode::UnsupportedVersion.code().to_be_bytes();
        assert!(answer[4..].windows(2).any(|bytes| bytes == code), "version {version}: {answer:?}");
    }
    assert!(ApiKey::Produce.served().unwrap().accepted.has(PRODUCE));
    victim.assert_unharmed("old Produce");
}

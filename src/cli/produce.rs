//! `millrace produce`: every line of stdin becomes a record, at full speed.
//!
//! ```text
//!  stdin ─▶ lines ─▶ one batch per partition in turn ─▶ up to `IN_FLIGHT` requests ahead of their answers
//! ```

use super::client::{Client, Target};
use super::progress::Progress;
use super::topic::metadata;
use super::{Failure, Outcome};
use crate::log::BatchBuilder;
use crate::types::Uuid;
use crate::wire::Message;
use crate::wire::api::ApiKey;
use crate::wire::codec::Reader;
use crate::wire::messages::produce::{Partition, ProduceRequest, ProduceResponse, Topic, VERSIONS};
use millrace_io::blocking;
use std::io::{BufRead, Read};

/// Requests sent ahead of their answers.
const IN_FLIGHT: usize = 8;

#[derive(clap::Args)]
pub struct Args {
    topic: String,
    /// Only to this partition; without it batches go to all in turn, and records with keys to the partition of their key.
    #[arg(long, short)]
    partition: Option<i32>,
    /// Splits each line into key and value at the first of these.
    #[arg(long, short = 'K', value_name = "DELIMITER")]
    key_delimiter: Option<String>,
    /// 0 asks for no answer, 1 and -1 for an acknowledgement as durable as the topic's settings say.
    #[arg(long, default_value_t = -1, allow_hyphen_values = true)]
    acks: i16,
    /// Record bytes of a request.
    #[arg(long, default_value_t = 512 << 10)]
    batch_bytes: usize,
}

struct Sender<'a> {
    client: Client,
    args: &'a Args,
    version: i16,
    topic_id: Uuid,
    in_flight: usize,
}

pub fn run(target: &Target, args: &Args) -> Outcome {
    let mut client = Client::connect(target)?;
    let (topic_id, partitions) = find(&mut client, &args.topic)?;
    let version = client.version(ApiKey::Produce, VERSIONS)?;
    let mut sender = Sender { client, args, version, topic_id, in_flight: 0 };
    let mut progress = Progress::new("sent");
    // A batch for each partition that keys lead to; without keys one that moves on when it is full.
    let mut batches: Vec<BatchBuilder> = (0..partitions).map(|_| BatchBuilder::new()).collect();
    let mut next = args.partition.unwrap_or(0);
    if !(0..partitions).contains(&next) {
        return Err(Failure::new(2, format!("--partition {next}: {} has partitions 0 to {}", args.topic, partitions - 1)));
    }
    let mut input = std::io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut input).take(1 << 30).read_until(b'\n', &mut line);
        if read.map_err(|error| Failure::new(1, format!("stdin: {error}")))? == 0 {
            break;
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let (key, value) = split(text, args.key_delimiter.as_deref());
        let partition = match (args.partition, key) {
            (Some(partition), _) => partition,
            (None, Some(key)) => partition_of(key, partitions),
            (None, None) => next,
        };
        let place = usize::try_from(partition).expect("checked against the count");
        batches[place].push(blocking::wall(), key, Some(value));
        progress.add(1, text.len() as u64);
        if batches[place].bytes() >= args.batch_bytes {
            let batch = std::mem::take(&mut batches[place]);
            sender.send(partition, batch)?;
            if args.partition.is_none() {
                next = (next + 1) % partitions;
            }
        }
    }
    for (partition, batch) in (0..).zip(batches) {
        if !batch.is_empty() {
            sender.send(partition, batch)?;
        }
    }
    while sender.in_flight > 0 {
        sender.await_one()?;
    }
    progress.finish();
    Ok(())
}

impl Sender<'_> {
    fn send(&mut self, partition: i32, batch: BatchBuilder) -> Result<(), Failure> {
        while self.in_flight >= IN_FLIGHT {
            self.await_one()?;
        }
        let records = batch.build();
        let request = ProduceRequest {
            transactional_id: None,
            acks: self.args.acks,
            timeout_ms: 30_000,
            topics: vec![Topic {
                name: &self.args.topic,
                topic_id: self.topic_id,
                partitions: vec![Partition { index: partition, records: Some(&records[..]) }],
            }],
        };
        let version = self.version;
        self.client.send(ApiKey::Produce, version, |w| request.encode(w, version))?;
        self.in_flight += usize::from(self.args.acks != 0);
        Ok(())
    }

    fn await_one(&mut self) -> Result<(), Failure> {
        let body = self.client.receive(ApiKey::Produce, self.version)?;
        self.in_flight -= 1;
        let response = ProduceResponse::decode(&mut Reader::new(&body), self.version)
            .map_err(|bad| Failure::new(1, format!("the broker's answer does not decode: {bad}")))?;
        for partition in response.responses.iter().flat_map(|topic| &topic.partition_responses) {
            if !partition.error_code.is_ok() {
                let why = partition.error_message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
                return Err(Failure::new(1, format!("partition {}: {}{why}", partition.index, partition.error_code)));
            }
        }
        Ok(())
    }
}

/// Id and number of partitions of a topic; creates it if the broker does so by itself.
pub fn find(client: &mut Client, topic: &str) -> Result<(Uuid, i32), Failure> {
    let found = metadata(client, Some(vec![topic.to_owned()]))?;
    let found = found.first().ok_or_else(|| Failure::new(1, format!("{topic}: the broker did not answer for it")))?;
    if !found.error_code.is_ok() {
        return Err(Failure::new(1, format!("{topic}: {}; `millrace topic create {topic}` makes it", found.error_code)));
    }
    Ok((found.topic_id, i32::try_from(found.partitions.len()).unwrap_or(i32::MAX)))
}

fn split<'a>(line: &'a [u8], delimiter: Option<&str>) -> (Option<&'a [u8]>, &'a [u8]) {
    let Some(delimiter) = delimiter.map(str::as_bytes).filter(|d| !d.is_empty()) else { return (None, line) };
    match line.windows(delimiter.len()).position(|window| window == delimiter) {
        Some(at) => (Some(&line[..at]), &line[at + delimiter.len()..]),
        None => (None, line),
    }
}

/// Kafka's default: murmur2 of the key (`org.apache.kafka.common.utils.Utils.murmur2`, `BuiltInPartitioner`).
fn partition_of(key: &[u8], partitions: i32) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let mut hash = 0x9747_b28c ^ length;
    let words = key.chunks_exact(4);
    let rest = words.remainder();
    for word in words {
        let mut k = u32::from_le_bytes(word.try_into().expect("four bytes")).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (at, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^= hash >> 15;
    (hash & 0x7fff_ffff).cast_signed() % partitions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_where_kafka_sends_them() {
        // From org.apache.kafka.common.utils.UtilsTest.testMurmur2.
        for (key, hash) in [("21", -973_932_308i32), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536)] {
            assert_eq!(partition_of(key.as_bytes(), i32::MAX), (hash & i32::MAX) % i32::MAX);
        }
    }

    #[test]
    fn a_line_without_the_delimiter_has_no_key() {
        assert_eq!(split(b"k:v:w", Some(":")), (Some(&b"k"[..]), &b"v:w"[..]));
        assert_eq!(split(b"kvw", Some(":")), (None, &b"kvw"[..]));
    }
}

//! `millrace consume`: records of a topic to stdout, at full speed.

use super::client::{Client, Target};
use super::open::Opener;
use super::output::Format;
use super::produce::find;
use super::progress::Progress;
use super::{Failure, Outcome};
use crate::error::ErrorCode;
use crate::log::batch;
use crate::log::record::Record;
use crate::types::Uuid;
use crate::wire::api::ApiKey;
use crate::wire::codec::Reader;
use crate::wire::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic, VERSIONS};
use crate::wire::messages::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic};
use serde_json::json;
use std::io::{BufWriter, Write};

#[derive(clap::Args)]
pub struct Args {
    topic: String,
    /// Only this partition; without it all of them.
    #[arg(long, short)]
    partition: Option<i32>,
    /// Where to begin: `earliest`, `latest` or an offset.
    #[arg(long, short, default_value = "earliest", allow_hyphen_values = true)]
    offset: String,
    /// Stop at what is the end now, instead of waiting for more.
    #[arg(long, short = 'e')]
    exit_at_end: bool,
    /// Stop after so many records.
    #[arg(long, short = 'n')]
    count: Option<u64>,
    /// Print keys too, before this.
    #[arg(long, short = 'K', value_name = "DELIMITER")]
    key_delimiter: Option<String>,
    /// Most bytes of an answer.
    #[arg(long, default_value_t = 8 << 20)]
    fetch_bytes: i32,
}

/// Where one partition is read, and where to stop.
struct Cursor {
    partition: i32,
    next: i64,
    end: i64,
}

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

pub fn run(target: &Target, format: Format, args: &Args) -> Outcome {
    let mut client = Client::connect(target)?;
    let (topic_id, partitions) = find(&mut client, &args.topic)?;
    let wanted: Vec<i32> = match args.partition {
        Some(partition) => vec![partition],
        None => (0..partitions).collect(),
    };
    let mut cursors = Vec::new();
    for partition in wanted {
        let next = match args.offset.as_str() {
            "earliest" | "beginning" => offset(&mut client, &args.topic, partition, EARLIEST)?,
            "latest" | "end" => offset(&mut client, &args.topic, partition, LATEST)?,
            number => number.parse().map_err(|_| Failure::new(2, format!("--offset {number}: give earliest, latest or a number")))?,
        };
        let end = if args.exit_at_end { offset(&mut client, &args.topic, partition, LATEST)? } else { i64::MAX };
        cursors.push(Cursor { partition, next, end });
    }
    let version = client.version(ApiKey::Fetch, VERSIONS)?;
    let mut out = Printer {
        out: BufWriter::with_capacity(1 << 20, std::io::stdout().lock()),
        format,
        args,
        left: args.count.unwrap_or(u64::MAX),
        opener: Opener::default(),
    };
    let mut progress = Progress::new("read");
    loop {
        cursors.retain(|cursor| cursor.next < cursor.end);
        if cursors.is_empty() || out.left == 0 {
            break;
        }
        let request = request(args, topic_id, &cursors);
        client.send(ApiKey::Fetch, version, |w| crate::wire::Message::encode(&request, w, version))?;
        let body = client.receive(ApiKey::Fetch, version)?;
        let response = FetchResponse::decode(&mut Reader::new(&body), version)
            .map_err(|bad| Failure::new(1, format!("the broker's answer does not decode: {bad}")))?;
        for partition in response.responses.iter().flat_map(|topic| &topic.partitions) {
            if partition.data.error_code != ErrorCode::None {
                return Err(Failure::new(1, format!("partition {}: {}", partition.data.partition_index, partition.data.error_code)));
            }
            let Some(cursor) = cursors.iter_mut().find(|cursor| cursor.partition == partition.data.partition_index) else { continue };
            let records = partition.records.clone().map_or(&[][..], |range| &body[range]);
            out.print(cursor, records, &mut progress)?;
        }
        out.flush()?;
        // The order of partitions changes, so that a full one does not starve the others.
        cursors.rotate_left(1);
    }
    progress.finish();
    out.flush()
}

fn request(args: &Args, topic_id: Uuid, cursors: &[Cursor]) -> FetchRequest {
    let partitions = cursors
        .iter()
        .map(|cursor| FetchPartition {
            partition: cursor.partition,
            fetch_offset: cursor.next,
            partition_max_bytes: args.fetch_bytes,
            ..FetchPartition::default()
        })
        .collect();
    FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: args.fetch_bytes,
        topics: vec![FetchTopic { topic: args.topic.clone(), topic_id, partitions }],
        ..FetchRequest::default()
    }
}

fn offset(client: &mut Client, topic: &str, partition: i32, timestamp: i64) -> Result<i64, Failure> {
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name: topic.to_owned(),
            partitions: vec![ListOffsetsPartition { partition_index: partition, timestamp, ..ListOffsetsPartition::default() }],
        }],
        ..ListOffsetsRequest::default()
    };
    let response: ListOffsetsResponse = client.call(&request)?;
    let found = response.topics.first().and_then(|topic| topic.partitions.first());
    let found = found.ok_or_else(|| Failure::new(1, format!("{topic}-{partition}: the broker did not answer for it")))?;
    if found.error_code.is_ok() { Ok(found.offset) } else { Err(Failure::new(1, format!("{topic}-{partition}: {}", found.error_code))) }
}

struct Printer<'a, W: Write> {
    out: W,
    format: Format,
    args: &'a Args,
    left: u64,
    opener: Opener,
}

impl<W: Write> Printer<'_, W> {
    fn print(&mut self, cursor: &mut Cursor, records: &[u8], progress: &mut Progress) -> Result<(), Failure> {
        for (header, bytes) in batch::batches(records) {
            if header.is_control() {
                cursor.next = cursor.next.max(header.end().0);
                continue;
            }
            let mut told = Ok(());
            self.opener.records(header, bytes, |record| {
                let offset = header.base_offset().0 + i64::from(record.offset_delta);
                if offset >= cursor.next && offset < cursor.end && self.left > 0 && told.is_ok() {
                    self.left -= 1;
                    progress.add(1, record.value.map_or(0, |value| value.len() as u64));
                    let timestamp = timestamp_of(header, record);
                    told = print(&mut self.out, self.format, self.args, cursor.partition, offset, timestamp, record);
                }
            })?;
            told.map_err(|error| Failure::new(1, format!("stdout: {error}")))?;
            cursor.next = cursor.next.max(header.end().0);
        }
        Ok(())
    }

    fn flush(&mut self) -> Outcome {
        self.out.flush().map_err(|error| Failure::new(1, format!("stdout: {error}")))
    }
}

fn print(
    out: &mut impl Write,
    format: Format,
    args: &Args,
    partition: i32,
    offset: i64,
    timestamp: i64,
    record: &Record<'_>,
) -> std::io::Result<()> {
    if format == Format::Json {
        let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let row = json!({ "topic": args.topic, "partition": partition, "offset": offset, "timestamp": timestamp,
                          "key": text(record.key), "value": text(record.value) });
        return writeln!(out, "{row}");
    }
    if let Some(delimiter) = &args.key_delimiter {
        out.write_all(record.key.unwrap_or_default())?;
        out.write_all(delimiter.as_bytes())?;
    }
    out.write_all(record.value.unwrap_or_default())?;
    out.write_all(b"\n")
}

/// A topic that stamps records itself says so once for the whole batch.
fn timestamp_of(header: &batch::Header, record: &Record<'_>) -> i64 {
    if header.is_log_append_time() { header.max_timestamp().0 } else { header.base_timestamp.get() + record.timestamp_delta }
}

//! `millrace log dump`: what the files of a partition hold, batch by batch.

use super::open::Opener;
use super::output::Format;
use super::{Failure, Outcome};
use crate::log::batch::{self, Header, Met};
use crate::types::Offset;
use millrace_io::{Fs, OpenHow, real};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Batches of segment files (`*.log`), their checksums checked; with --records also every record.
    Dump {
        /// Segment files, or directories of partitions.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[arg(long)]
        records: bool,
    },
}

/// Bytes read at a time; a batch may be longer.
const CHUNK: usize = 4 << 20;

pub fn run(format: Format, command: &Command) -> Outcome {
    let Command::Dump { files, records } = command;
    let fs = Fs::Real(real::Fs);
    for path in files {
        if path.is_dir() {
            let entries = fs.list(path).map_err(|error| unreadable(path, &error))?;
            for entry in entries.iter().filter(|entry| entry.name.ends_with(".log")) {
                dump(&fs, &path.join(&entry.name), format, *records)?;
            }
        } else {
            dump(&fs, path, format, *records)?;
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: &millrace_io::Error) -> Failure {
    Failure::new(1, format!("{}: {error}", path.display()))
}

fn dump(fs: &Fs, path: &Path, format: Format, records: bool) -> Outcome {
    let file = fs.open(path, OpenHow::READ).map_err(|error| unreadable(path, &error))?;
    if format == Format::Human {
        println!("{}", path.display());
    }
    let mut position = 0;
    let mut buf = Vec::new();
    loop {
        // What is left of a batch that the chunk cut, and the next chunk.
        let kept = buf.len();
        buf.resize(kept + CHUNK, 0);
        let read = file.read_at(position + kept as u64, &mut buf[kept..]).map_err(|error| unreadable(path, &error))?;
        buf.truncate(kept + read);
        let mut at = 0;
        while let Met::Batch { header, bytes } = batch::meet(&buf[at..]) {
            print(format, position + at as u64, header, bytes, records)?;
            at += bytes.len();
        }
        if read == 0 {
            if at < buf.len() {
                return Err(Failure::new(
                    1,
                    format!("{}: {} bytes after position {} are no batch", path.display(), buf.len() - at, position + at as u64),
                ));
            }
            return Ok(());
        }
        position += at as u64;
        buf.drain(..at);
    }
}

fn print(format: Format, position: u64, header: &Header, bytes: &[u8], records: bool) -> Outcome {
    let sound = batch::crc_holds(bytes);
    let codec = header.codec().map_or("unknown", batch::Codec::name);
    let Offset(base) = header.base_offset();
    let Offset(last) = header.last_offset();
    match format {
        Format::Json => println!(
            "{}",
            json!({ "position": position, "base_offset": base, "last_offset": last, "bytes": bytes.len(), "codec": codec,
                    "leader_epoch": header.leader_epoch().0, "producer_id": header.producer_id().0, "crc_valid": sound,
                    "max_timestamp": header.max_timestamp().0, "control": header.is_control(), "transactional": header.is_transactional() })
        ),
        Format::Human => println!(
            "  offsets {base}..={last}  position {position}  bytes {}  codec {codec}  epoch {}  producer {}  max timestamp {}{}",
            bytes.len(),
            header.leader_epoch(),
            header.producer_id(),
            header.max_timestamp().0,
            if sound { "" } else { "  CRC DOES NOT HOLD" }
        ),
    }
    if records && sound {
        let text = |bytes: Option<&[u8]>| bytes.map_or("-".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned());
        Opener::default().records(header, bytes, |record| {
            println!("    offset {}  key {}  value {}", base + i64::from(record.offset_delta), text(record.key), text(record.value));
        })?;
    }
    Ok(())
}

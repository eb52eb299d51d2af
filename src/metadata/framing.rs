//! Metadata records as bytes: record batches of format v2, as Kafka keeps `__cluster_metadata-0`.
//!
//! ```text
//!  header (61)  │ length  00  timestamp delta  offset delta  01 (no key)  length  value  00 (no headers) │ …
//!               └ all varints, one run for each record ─────────────────────────────────────────────────┘
//! ```
//!
//! One batch is one decision: its CRC makes it happen whole or not at all.

use super::records::{Record, Unreadable};
use crate::log::batch::{self, HEADER_LEN, Header, LENGTH_OVERHEAD, MAGIC, Met};
use crate::types::{Epoch, Offset, Timestamp};
use crate::wire::codec::{Malformed, Reader, Writer};
use zerocopy::{FromZeros, IntoBytes};

const ATTRIBUTE_CONTROL: i16 = 0x20;

/// What a control record is about (`ControlRecordType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub enum Control {
    SnapshotHeader = 3,
    SnapshotFooter = 4,
}

/// A batch that holds these records, from `base` on. There is at least one.
pub fn batch_of(base: Offset, epoch: Epoch, now: Timestamp, records: &[Record]) -> Vec<u8> {
    assert!(!records.is_empty(), "a batch holds records");
    let mut body = Vec::new();
    let mut value = Vec::new();
    for (delta, record) in (0..).zip(records) {
        value.clear();
        record.encode(&mut value);
        write_record(&mut body, delta, None, &value);
    }
    seal(base, epoch, now, records.len(), 0, &body)
}

/// A batch of one control record. `value` is its flexible body.
pub fn control_batch(base: Offset, epoch: Epoch, now: Timestamp, control: Control, value: &[u8]) -> Vec<u8> {
    let mut key = Vec::new();
    let mut w = Writer::new(&mut key);
    w.i16(0);
    w.i16(control as i16);
    let mut body = Vec::new();
    write_record(&mut body, 0, Some(&key), value);
    seal(base, epoch, now, 1, ATTRIBUTE_CONTROL, &body)
}

fn write_record(out: &mut Vec<u8>, offset_delta: i32, key: Option<&[u8]>, value: &[u8]) {
    let length = |bytes: &[u8]| i32::try_from(bytes.len()).expect("a record of metadata is small");
    let mut record = Vec::with_capacity(value.len() + 16);
    let mut w = Writer::new(&mut record);
    w.i8(0);
    w.varlong(0);
    w.varint(offset_delta);
    match key {
        Some(key) => {
            w.varint(length(key));
            w.raw(key);
        }
        None => w.varint(-1),
    }
    w.varint(length(value));
    w.raw(value);
    w.varint(0);
    let mut w = Writer::new(out);
    w.varint(length(&record));
    w.raw(&record);
}

fn seal(base: Offset, epoch: Epoch, now: Timestamp, count: usize, attributes: i16, body: &[u8]) -> Vec<u8> {
    let count = i32::try_from(count).expect("a decision is bounded");
    let mut header = Header::new_zeroed();
    header.length.set(i32::try_from(HEADER_LEN - LENGTH_OVERHEAD + body.len()).expect("a decision is bounded"));
    header.magic = MAGIC;
    header.attributes.set(attributes);
    header.last_offset_delta.set(count - 1);
    header.base_timestamp.set(now.0);
    header.max_timestamp.set(now.0);
    header.producer_id.set(-1);
    header.producer_epoch.set(-1);
    header.base_sequence.set(-1);
    header.records_count.set(count);
    header.assign(base, epoch);
    header.seal(body);
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes
}

/// What a file of batches holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub batches: Vec<Batch>,
    /// Bytes that whole batches take; what follows is a torn tail.
    pub whole_bytes: u64,
    /// Bytes after that.
    pub torn_bytes: u64,
}

/// One batch, decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    pub base: Offset,
    pub end: Offset,
    pub epoch: Epoch,
    pub timestamp: Timestamp,
    pub content: Content,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Records(Vec<Record>),
    /// Of control batches only what [`Control`] names is told apart.
    Control(Option<Control>),
}

/// A file that is damaged other than by a crash in the middle of its last write, or that this program cannot read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    pub at: u64,
    pub why: String,
}

/// Decodes a file that begins with offset `base`. The first batch that is not whole, whose CRC is wrong, or that does not
/// follow on the one before ends it, if no whole batch comes after: that is what a crash leaves. Otherwise what comes after
/// was acknowledged, and leaving it out would lose it.
///
/// A torn write may leave a batch of which all is there but its first bytes: offset and epoch are outside of the CRC.
pub fn read(bytes: &[u8], base: Offset) -> Result<Found, Damaged> {
    let (mut end, mut epoch) = (base, Epoch::UNKNOWN);
    let mut found = Found { batches: Vec::new(), whole_bytes: 0, torn_bytes: 0 };
    let mut at = 0;
    while let Met::Batch { header, bytes: whole } = batch::meet(&bytes[at..]) {
        if header.base_offset() != end || header.leader_epoch() < epoch || !batch::crc_holds(whole) {
            break;
        }
        let damaged = |why: String| Damaged { at: length(at), why };
        let decoded = decode(whole).map_err(damaged)?;
        (end, epoch) = (decoded.end, decoded.epoch);
        found.batches.push(decoded);
        at += whole.len();
    }
    found.whole_bytes = length(at);
    found.torn_bytes = length(bytes.len() - at);
    match whole_batch_after(&bytes[at..], end) {
        Some(later) => {
            let why = format!("there is no whole batch with offset {end}, but a later one at byte {}", at + later);
            Err(Damaged { at: length(at), why })
        }
        None => Ok(found),
    }
}

/// Where in a torn tail a whole batch begins that comes later. What a crash tears off reads as zeros, so that a torn batch
/// does not look like one.
fn whole_batch_after(tail: &[u8], end: Offset) -> Option<usize> {
    (0..tail.len()).find(|at| match batch::meet(&tail[*at..]) {
        Met::Batch { header, bytes } => header.base_offset() > end && batch::crc_holds(bytes),
        _ => false,
    })
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("lengths fit into 64 bits")
}

fn decode(whole: &[u8]) -> Result<Batch, String> {
    let header = Header::of(whole).expect("the caller met a batch");
    let mut r = Reader::new(&whole[HEADER_LEN..]);
    let content = match header.is_control() {
        true => Content::Control(decode_control(&mut r).map_err(|malformed| malformed.to_string())?),
        false if header.codec() != Some(batch::Codec::None) => {
            return Err("the batch is compressed; Millrace writes none that is".to_string());
        }
        false => Content::Records(decode_records(&mut r, header).map_err(|unreadable| unreadable.to_string())?),
    };
    Ok(Batch { base: header.base_offset(), end: header.end(), epoch: header.leader_epoch(), timestamp: header.max_timestamp(), content })
}

fn decode_records(r: &mut Reader<'_>, header: &Header) -> Result<Vec<Record>, Unreadable> {
    let mut records = Vec::new();
    while r.remaining() > 0 {
        let (_, value) = decode_record(r)?;
        records.push(Record::decode(value.ok_or_else(|| r.malformed("a record without a value"))?)?);
    }
    let count = i64::try_from(records.len()).expect("no more than bytes");
    if count != i64::from(header.records_count.get()) || count != header.end().0 - header.base_offset().0 {
        return Err(Unreadable::Malformed(r.malformed("another number of records than the header says")));
    }
    Ok(records)
}

fn decode_control(r: &mut Reader<'_>) -> Result<Option<Control>, Malformed> {
    let (key, _) = decode_record(r)?;
    let mut key = Reader::new(key.unwrap_or_default());
    key.i16()?;
    Ok(match key.i16()? {
        3 => Some(Control::SnapshotHeader),
        4 => Some(Control::SnapshotFooter),
        _ => None,
    })
}

type KeyAndValue<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

fn decode_record<'a>(r: &mut Reader<'a>) -> Result<KeyAndValue<'a>, Malformed> {
    let length = r.varint()?;
    let length = usize::try_from(length).map_err(|_| r.malformed("a record of negative length"))?;
    let mut r = Reader::new(r.take(length)?);
    r.i8()?;
    r.varlong()?;
    r.varint()?;
    let key = nullable(&mut r)?;
    let value = nullable(&mut r)?;
    if r.varint()? != 0 {
        return Err(r.malformed("a header on a metadata record"));
    }
    r.end()?;
    Ok((key, value))
}

fn nullable<'a>(r: &mut Reader<'a>) -> Result<Option<&'a [u8]>, Malformed> {
    match usize::try_from(r.varint()?) {
        Ok(length) => r.take(length).map(Some),
        Err(_) => Ok(None),
    }
}

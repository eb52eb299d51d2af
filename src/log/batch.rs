//! The header of a record batch (format v2), and the walk from batch to batch.
//!
//! ```text
//!  0        8      12      16 17     21    23      27            35           43         51  53     57     61
//!  ├────────┼───────┼───────┼──┼──────┼─────┼───────┼─────────────┼────────────┼──────────┼───┼──────┼──────┤
//!  │ base   │ length│ leader│ 2│ crc  │attri│ last  │ base        │ max        │ producer │epo│ base │count │ records
//!  │ offset │ after │ epoch │  │      │butes│ delta │ timestamp   │ timestamp  │ id       │ch │ seq  │      │ …
//!  └────────┴───────┴───────┴──┴──────┴─────┴───────┴─────────────┴────────────┴──────────┴───┴──────┴──────┘
//!                    ╰ `length` counts from here     ╰ the CRC-32C covers from `attributes` to the end
//! ```
//!
//! The base offset and the leader epoch are outside the CRC, so that a leader assigns offsets by patching 16 bytes.
//! Everything here is total: any bytes may be handed in.

use crate::types::{Epoch, Offset, ProducerId, Timestamp};
use zerocopy::byteorder::big_endian::{I16, I32, I64, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a header.
pub const HEADER_LEN: usize = size_of::<Header>();
/// Bytes that the field `length` does not count: itself and the base offset.
pub const LENGTH_OVERHEAD: usize = 12;
/// Where `magic` lies, in every format since the first.
pub const MAGIC_AT: usize = 16;
/// Where the bytes that the CRC covers begin.
pub const CRC_FROM: usize = 21;
/// The only format that is stored.
pub const MAGIC: i8 = 2;

const ATTRIBUTE_CODEC: i16 = 0x07;
const ATTRIBUTE_LOG_APPEND_TIME: i16 = 0x08;
const ATTRIBUTE_TRANSACTIONAL: i16 = 0x10;
const ATTRIBUTE_CONTROL: i16 = 0x20;
const ATTRIBUTE_DELETE_HORIZON: i16 = 0x40;

/// The first 61 bytes of a batch, as they lie in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct Header {
    pub base_offset: I64,
    /// Bytes that follow this field.
    pub length: I32,
    pub partition_leader_epoch: I32,
    pub magic: i8,
    pub crc: U32,
    pub attributes: I16,
    pub last_offset_delta: I32,
    pub base_timestamp: I64,
    pub max_timestamp: I64,
    pub producer_id: I64,
    pub producer_epoch: I16,
    pub base_sequence: I32,
    pub records_count: I32,
}

const _: () = assert!(HEADER_LEN == 61);

/// Codec of a batch, or a number that no codec has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    pub fn of_id(id: i16) -> Option<Codec> {
        Some(match id {
            0 => Codec::None,
            1 => Codec::Gzip,
            2 => Codec::Snappy,
            3 => Codec::Lz4,
            4 => Codec::Zstd,
            _ => return None,
        })
    }
    pub fn id(self) -> i16 {
        self as i16
    }
    /// As in configuration and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Codec::None => "none",
            Codec::Gzip => "gzip",
            Codec::Snappy => "snappy",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
        }
    }
}

impl Header {
    /// The header at the beginning of `bytes`, whatever it says; `None` if there are not enough.
    pub fn of(bytes: &[u8]) -> Option<&Header> {
        Header::ref_from_prefix(bytes).ok().map(|(header, _)| header)
    }

    pub fn base_offset(&self) -> Offset {
        Offset(self.base_offset.get())
    }
    /// Wraps where a header lies about itself; check [`Header::is_sane`] first.
    pub fn last_offset(&self) -> Offset {
        Offset(self.base_offset.get().wrapping_add(i64::from(self.last_offset_delta.get())))
    }
    /// Offset after the batch.
    pub fn end(&self) -> Offset {
        Offset(self.last_offset().0.wrapping_add(1))
    }
    /// Bytes of the whole batch, header included; `None` if the length field cannot be one of a batch.
    pub fn total_len(&self) -> Option<usize> {
        let length = usize::try_from(self.length.get()).ok()?;
        (length >= HEADER_LEN - LENGTH_OVERHEAD).then_some(length + LENGTH_OVERHEAD)
    }
    /// `None`: a number that no codec has.
    pub fn codec(&self) -> Option<Codec> {
        Codec::of_id(self.attributes.get() & ATTRIBUTE_CODEC)
    }
    pub fn is_log_append_time(&self) -> bool {
        self.attributes.get() & ATTRIBUTE_LOG_APPEND_TIME != 0
    }
    pub fn is_transactional(&self) -> bool {
        self.attributes.get() & ATTRIBUTE_TRANSACTIONAL != 0
    }
    pub fn is_control(&self) -> bool {
        self.attributes.get() & ATTRIBUTE_CONTROL != 0
    }
    pub fn has_delete_horizon(&self) -> bool {
        self.attributes.get() & ATTRIBUTE_DELETE_HORIZON != 0
    }
    pub fn max_timestamp(&self) -> Timestamp {
        Timestamp(self.max_timestamp.get())
    }
    pub fn leader_epoch(&self) -> Epoch {
        Epoch(self.partition_leader_epoch.get())
    }
    pub fn producer_id(&self) -> ProducerId {
        ProducerId(self.producer_id.get())
    }
    pub fn has_producer(&self) -> bool {
        self.producer_id.get() > ProducerId::NONE.0
    }

    /// Could this be the header of a batch in a log: magic, length, and an offset range that does not wrap.
    pub fn is_sane(&self) -> bool {
        self.magic == MAGIC
            && self.total_len().is_some()
            && self.base_offset.get() >= 0
            && self.last_offset_delta.get() >= 0
            && self.base_offset.get().checked_add(i64::from(self.last_offset_delta.get()) + 1).is_some()
    }

    /// What a leader assigns: outside the CRC.
    pub fn assign(&mut self, base_offset: Offset, leader_epoch: Epoch) {
        self.base_offset.set(base_offset.0);
        self.partition_leader_epoch.set(leader_epoch.0);
    }
    pub fn set_codec(&mut self, codec: Codec) {
        self.attributes.set(self.attributes.get() & !ATTRIBUTE_CODEC | codec.id());
    }
    pub fn set_log_append_time(&mut self, on: bool) {
        let rest = self.attributes.get() & !ATTRIBUTE_LOG_APPEND_TIME;
        self.attributes.set(if on { rest | ATTRIBUTE_LOG_APPEND_TIME } else { rest });
    }
    /// Makes the CRC right for this header, where it was right for `old` and the same `records_len` bytes follow. Does not
    /// look at those: what damaged them since the CRC was checked stays visible.
    ///
    /// A CRC is linear: what changes in front of n bytes changes the sum by the sum of the change, moved on by n zero bytes.
    pub fn reseal(&mut self, old: &Header, records_len: usize) {
        let (new_bytes, old_bytes) = (&self.as_bytes()[CRC_FROM..], &old.as_bytes()[CRC_FROM..]);
        if new_bytes != old_bytes {
            let changed = crc32c::crc32c(new_bytes) ^ crc32c::crc32c(old_bytes);
            self.crc.set(old.crc.get() ^ crc32c::crc32c_combine(changed, 0, records_len));
        }
    }
    /// Computes the CRC anew, of this header and the `records` that follow it.
    pub fn seal(&mut self, records: &[u8]) {
        let crc = crc32c::crc32c(&self.as_bytes()[CRC_FROM..]);
        self.crc.set(crc32c::crc32c_append(crc, records));
    }
}

/// Is the CRC of this one whole batch right?
pub fn crc_holds(batch: &[u8]) -> bool {
    match (Header::of(batch), batch.get(CRC_FROM..)) {
        (Some(header), Some(covered)) => crc32c::crc32c(covered) == header.crc.get(),
        _ => false,
    }
}

/// What a walk over batches meets at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Met<'a> {
    /// A whole batch: its header is sane; its CRC has not been looked at.
    Batch { header: &'a Header, bytes: &'a [u8] },
    /// The bytes end within this batch. Its total length, if the header is there to say so.
    Partial { header: Option<&'a Header> },
    /// No batch begins here.
    Insane,
    /// No bytes are left.
    End,
}

/// What begins at the start of `bytes`.
pub fn meet(bytes: &[u8]) -> Met<'_> {
    if bytes.is_empty() {
        return Met::End;
    }
    let Some(header) = Header::of(bytes) else { return Met::Partial { header: None } };
    if !header.is_sane() {
        return Met::Insane;
    }
    match header.total_len().and_then(|len| bytes.get(..len)) {
        Some(bytes) => Met::Batch { header, bytes },
        None => Met::Partial { header: Some(header) },
    }
}

/// The whole batches at the start of `bytes`, until something else is met.
pub fn batches(bytes: &[u8]) -> impl Iterator<Item = (&Header, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || match meet(rest) {
        Met::Batch { header, bytes } => {
            rest = &rest[bytes.len()..];
            Some((header, bytes))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromZeros as _;

    #[test]
    fn a_resealed_header_has_the_crc_that_a_fresh_sum_gives() {
        for len in [0usize, 1, 7, 100, 65_536] {
            let records: Vec<u8> = (0..len).map(|i| (i * 31 % 251).to_le_bytes()[0]).collect();
            let mut old = Header::new_zeroed();
            old.max_timestamp.set(12);
            old.seal(&records);
            let mut new = old;
            new.set_log_append_time(true);
            new.max_timestamp.set(1_700_000_000_000);
            let mut fresh = new;
            new.reseal(&old, len);
            fresh.seal(&records);
            assert_eq!(new, fresh, "{len}");
        }
    }

    #[test]
    fn a_walk_over_batches_ends_at_the_first_thing_that_is_none() {
        let mut header = Header::new_zeroed();
        header.magic = MAGIC;
        header.length.set(49 + 3);
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(b"abc");
        let one = bytes.clone();
        bytes.extend_from_slice(&one);
        assert_eq!(batches(&bytes).count(), 2);
        assert_eq!(meet(&bytes[one.len() * 2..]), Met::End);
        assert_eq!(meet(&one[..60]), Met::Partial { header: None });
        assert_eq!(meet(&one[..63]), Met::Partial { header: Some(&header) });
        assert_eq!(meet(&[0; 61]), Met::Insane);
        for length in [-1, 0, 48, i32::MIN] {
            header.length.set(length);
            assert_eq!(meet(header.as_bytes()), Met::Insane);
        }
        header.length.set(49);
        header.base_offset.set(i64::MAX);
        assert!(!header.is_sane(), "its end is no offset");
    }
}

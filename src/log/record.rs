//! Records inside a batch: decoding that is total, and the one pass that checks their framing.
//!
//! ```text
//!  length │ attributes │ timestamp delta │ offset delta │ key len, key │ value len, value │ headers: count, (key, value)…
//!  varint │ i8         │ varlong         │ varint       │ varint       │ varint           │ varint
//! ```
//!
//! Varints are zigzag, at most 5 bytes, varlongs at most 10. A negative length of a key or a value means null.

/// One record, borrowed from its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub timestamp_delta: i64,
    pub offset_delta: i32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Headers<'a>,
}

/// The headers of a record, checked but not yet taken apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> Headers<'a> {
    pub fn len(&self) -> u32 {
        self.count
    }
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
    /// Key and value of each, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut cursor = Cursor { bytes: self.bytes, at: 0 };
        std::iter::from_fn(move || if cursor.at < cursor.bytes.len() { cursor.header() } else { None })
    }
}

/// A place in foreign bytes. Every method answers `None` where the bytes do not hold what is asked.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// Seven bits a byte, lowest first, at most `bytes_max` bytes. What does not fit is shifted out, as Java does.
    #[inline]
    fn unsigned(&mut self, bytes_max: u32) -> Option<u64> {
        let first = self.byte()?;
        if first < 0x80 {
            return Some(u64::from(first));
        }
        let mut value = u64::from(first & 0x7f);
        for nth in 1..bytes_max {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << (7 * nth);
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
    #[inline]
    fn varint(&mut self) -> Option<i32> {
        let [a, b, c, d, ..] = self.unsigned(5)?.to_le_bytes();
        let value = u32::from_le_bytes([a, b, c, d]);
        Some(i32::from_le_bytes(((value >> 1) ^ (value & 1).wrapping_neg()).to_le_bytes()))
    }
    #[inline]
    fn varlong(&mut self) -> Option<i64> {
        let value = self.unsigned(10)?;
        Some(i64::from_le_bytes(((value >> 1) ^ (value & 1).wrapping_neg()).to_le_bytes()))
    }

    /// `None`: the bytes are not there. `Some(None)`: null.
    #[inline]
    fn nullable(&mut self) -> Option<Option<&'a [u8]>> {
        let Ok(len) = usize::try_from(self.varint()?) else { return Some(None) };
        let end = self.at.checked_add(len)?;
        let bytes = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(Some(bytes))
    }

    #[inline]
    fn header(&mut self) -> Option<(&'a [u8], Option<&'a [u8]>)> {
        let key = self.nullable()??;
        Some((key, self.nullable()?))
    }

    #[inline]
    fn record(&mut self) -> Option<Record<'a>> {
        let len = usize::try_from(self.varint()?).ok()?;
        let end = self.at.checked_add(len)?;
        // The record may not look beyond its own length.
        let mut body = Cursor { bytes: self.bytes.get(..end)?, at: self.at };
        let _attributes = body.byte()?;
        let timestamp_delta = body.varlong()?;
        let offset_delta = body.varint()?;
        let key = body.nullable()?;
        let value = body.nullable()?;
        let count = u32::try_from(body.varint()?).ok()?;
        let headers_at = body.at;
        // A count larger than the bytes that are left ends here within as many steps as there are bytes.
        for _ in 0..count {
            body.header()?;
        }
        if body.at != end {
            return None;
        }
        self.at = end;
        Some(Record { timestamp_delta, offset_delta, key, value, headers: Headers { count, bytes: &body.bytes[headers_at..end] } })
    }
}

/// The records of an uncompressed batch's body. Ends at the end of the bytes, or after an `Err` where they are no record.
pub fn records(bytes: &[u8]) -> impl Iterator<Item = Result<Record<'_>, NotARecord>> {
    let mut cursor = Cursor { bytes, at: 0 };
    std::iter::from_fn(move || {
        if cursor.at >= cursor.bytes.len() {
            return None;
        }
        let record = cursor.record().ok_or(NotARecord { at: cursor.at });
        if record.is_err() {
            cursor.at = cursor.bytes.len();
        }
        Some(record)
    })
}

/// No record begins at this byte of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotARecord {
    pub at: usize,
}

/// How the records of a batch disagree with its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misframed {
    NotARecord(NotARecord),
    /// The record at this index says another offset delta.
    OffsetDelta {
        index: u32,
        delta: i32,
    },
    /// There are more bytes, or fewer records, than the header counts.
    Count {
        counted: u32,
        found: u32,
    },
}

impl std::fmt::Display for Misframed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Misframed::NotARecord(NotARecord { at }) => write!(f, "Found invalid record structure at byte {at} of the records"),
            Misframed::OffsetDelta { index, delta } => write!(f, "Record {index} has offset delta {delta}"),
            Misframed::Count { counted, found } if found > counted => {
                write!(f, "Found bytes beyond the {counted} records that the batch counts")
            }
            Misframed::Count { counted, found } => write!(f, "Found {found} of {counted} records"),
        }
    }
}

/// One pass over the records of a batch: are there exactly `count` of them, with offset deltas 0, 1, 2 …? Shows each to
/// `look`, with its index. Touches some twenty bytes of each record, and allocates nothing.
#[inline]
pub fn walk<'a>(bytes: &'a [u8], count: u32, mut look: impl FnMut(u32, &Record<'a>)) -> Result<(), Misframed> {
    let mut cursor = Cursor { bytes, at: 0 };
    for index in 0..count {
        if cursor.at == bytes.len() {
            return Err(Misframed::Count { counted: count, found: index });
        }
        let record = cursor.record().ok_or(Misframed::NotARecord(NotARecord { at: cursor.at }))?;
        if i64::from(record.offset_delta) != i64::from(index) {
            return Err(Misframed::OffsetDelta { index, delta: record.offset_delta });
        }
        look(index, &record);
    }
    if cursor.at == bytes.len() { Ok(()) } else { Err(Misframed::Count { counted: count, found: count.saturating_add(1) }) }
}

/// Appends a zigzag varint.
pub fn put_varint(value: i32, into: &mut Vec<u8>) {
    let zigzag = (value << 1) ^ (value >> 31);
    put_unsigned(u64::from(u32::from_le_bytes(zigzag.to_le_bytes())), into);
}

/// Appends a zigzag varlong.
pub fn put_varlong(value: i64, into: &mut Vec<u8>) {
    let zigzag = (value << 1) ^ (value >> 63);
    put_unsigned(u64::from_le_bytes(zigzag.to_le_bytes()), into);
}

fn put_unsigned(mut value: u64, into: &mut Vec<u8>) {
    while value >= 0x80 {
        into.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    into.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(bytes: &[u8]) -> Cursor<'_> {
        Cursor { bytes, at: 0 }
    }

    #[test]
    fn varints_read_back_as_they_were_written() {
        for value in [0, 1, -1, 63, -64, 64, -65, 8191, 8192, 1 << 20, i32::MAX, i32::MIN] {
            let mut bytes = Vec::new();
            put_varint(value, &mut bytes);
            assert!(bytes.len() <= 5);
            assert_eq!(cursor(&bytes).varint(), Some(value));
            for cut in 0..bytes.len() {
                assert_eq!(cursor(&bytes[..cut]).varint(), None);
            }
        }
        for value in [0, -1, i64::from(i32::MAX) + 1, 1 << 55, i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            put_varlong(value, &mut bytes);
            assert!(bytes.len() <= 10);
            assert_eq!(cursor(&bytes).varlong(), Some(value));
        }
    }

    #[test]
    fn a_varint_that_does_not_end_is_none() {
        assert_eq!(cursor(&[0x80; 5]).varint(), None);
        assert_eq!(cursor(&[0xff; 10]).varlong(), None);
        assert_eq!(cursor(&[0xff, 0xff, 0xff, 0xff, 0x0f]).varint(), Some(i32::MIN));
    }

    /// length, attributes, timestamp delta, offset delta, key, value, headers
    const ONE: &[u8] = &[20, 0, 4, 0, 2, b'k', 2, b'v', 2, 2, b'h', 0];

    #[test]
    fn a_record_shows_its_parts() {
        let all: Vec<_> = records(&[20, 0, 4, 0, 2, b'k', 2, b'v', 2, 2, b'h', 1]).collect();
        assert_eq!(all.len(), 1);
        assert!(all[0].is_err(), "the length says 10 bytes and 11 follow");
        let mut bytes = ONE.to_vec();
        bytes[0] = 22;
        let record = records(&bytes).next().unwrap().unwrap();
        assert_eq!((record.timestamp_delta, record.key, record.value), (2, Some(&b"k"[..]), Some(&b"v"[..])));
        assert_eq!(record.headers.iter().collect::<Vec<_>>(), [(&b"h"[..], Some(&b""[..]))]);
    }

    #[test]
    fn no_length_inside_a_record_reaches_beyond_it() {
        let mut good = ONE.to_vec();
        good[0] = 22;
        assert_eq!(walk(&good, 1, |_, _| {}), Ok(()));
        for at in 0..good.len() {
            for value in 0..=255 {
                let mut bytes = good.clone();
                bytes[at] = value;
                // Whatever it says, it is an answer and not a panic.
                let _ = walk(&bytes, 1, |_, _| {});
                let _ = walk(&bytes, 3, |_, _| {});
            }
        }
        for cut in 0..good.len() {
            assert!(walk(&good[..cut], 1, |_, _| {}).is_err());
        }
    }

    #[test]
    fn counts_and_offset_deltas_must_agree() {
        let mut two = ONE.to_vec();
        two[0] = 22;
        let one = two.clone();
        two.extend_from_slice(&one);
        assert_eq!(walk(&two, 2, |_, _| {}), Err(Misframed::OffsetDelta { index: 1, delta: 0 }));
        assert_eq!(walk(&two, 1, |_, _| {}), Err(Misframed::Count { counted: 1, found: 2 }));
        two[one.len() + 3] = 2;
        assert_eq!(walk(&two, 2, |_, _| {}), Ok(()));
        assert_eq!(walk(&two, 3, |_, _| {}), Err(Misframed::Count { counted: 3, found: 2 }));
    }
}

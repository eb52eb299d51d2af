//! Reading and writing Kafka's primitive types. Pure: bytes in, values out.
//!
//! What comes from the network is never believed: [`Reader`] is total, and each count, length and varint is checked
//! against the bytes that remain before anything is allocated. An array of `n` elements needs at least `n` times the least
//! size of an element, so five bytes that claim two billion elements cost nothing.
//!
//! | | fixed versions | flexible versions |
//! |---|---|---|
//! | string | i16 length, bytes; -1 is null | varint length + 1, bytes; 0 is null |
//! | bytes, records | i32 length, bytes; -1 is null | varint length + 1, bytes; 0 is null |
//! | array | i32 count, elements; -1 is null | varint count + 1, elements; 0 is null |
//! | end of a struct | nothing | tagged fields: varint count, then (tag, size, bytes) each |
//!
//! [`Wire`] is what a type needs to be a field of a [`message!`](super::message); it is implemented here for the primitive
//! types, for arrays, and for `Option` (a field that may be null), and by the macro for structs.

use crate::error::ErrorCode;
use crate::types::Uuid;
use std::fmt;
use std::ops::Range;

use super::schema::Kind;

/// Foreign bytes that are not what they should be. Says what was wrong and where, for one log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    pub what: &'static str,
    /// Innermost field that was being read; empty when it was a header.
    pub field: &'static str,
    /// Byte in what was given to [`Reader::new`].
    pub at: usize,
}

impl Malformed {
    #[cold]
    pub(crate) fn in_field(mut self, field: &'static str) -> Malformed {
        if self.field.is_empty() {
            self.field = field;
        }
        self
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            "" => write!(f, "{} at byte {}", self.what, self.at),
            field => write!(f, "{field}: {} at byte {}", self.what, self.at),
        }
    }
}

impl From<Malformed> for crate::error::Hangup {
    fn from(malformed: Malformed) -> crate::error::Hangup {
        crate::error::Hangup(malformed.to_string())
    }
}

/// How a field is laid out: the version of the message it is in, and what that means.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub version: i16,
    /// Compact lengths and tagged fields (KIP-482).
    pub flexible: bool,
    /// Whether the field may be null. Only `Option` looks at it.
    pub nullable: bool,
}

/// Memory set aside for an array before its elements have been seen. The elements that really are there let it grow; a
/// larger value only saves re-allocations of long arrays.
const RESERVE_BYTES_MAX: usize = 64 << 10;

/// Longest string that both layouts can carry.
const STRING_BYTES_MAX: usize = i16::MAX as usize;

/// Takes values off the front of `bytes`. Copying it is how one looks ahead.
///
/// Invariant: `at <= bytes.len()`.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    /// Bytes read so far; positions given out by [`Reader::nullable_range`] count from the same zero.
    pub fn position(&self) -> usize {
        self.at
    }

    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Succeeds if all was read. Kafka ignores what follows a body; whoever is stricter asks here.
    pub fn end(&self) -> Result<(), Malformed> {
        if self.remaining() == 0 { Ok(()) } else { Err(self.malformed("bytes after the end")) }
    }

    #[cold]
    pub fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { what, field: "", at: self.at }
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let rest: &'a [u8] = &self.bytes[self.at..];
        let taken = rest.get(..n).ok_or_else(|| self.malformed("ends too early"))?;
        self.at += n;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, _) = self.bytes[self.at..].split_first_chunk::<N>().ok_or_else(|| self.malformed("ends too early"))?;
        self.at += N;
        Ok(*taken)
    }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub fn i8(&mut self) -> Result<i8, Malformed> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    pub fn i16(&mut self) -> Result<i16, Malformed> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub fn i32(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub fn i64(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub fn f64(&mut self) -> Result<f64, Malformed> {
        Ok(f64::from_be_bytes(self.array()?))
    }

    /// Anything but zero is true, as Kafka reads it.
    pub fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.u8()? != 0)
    }

    pub fn uuid(&mut self) -> Result<Uuid, Malformed> {
        Ok(Uuid(self.array()?))
    }

    /// An unsigned varint: seven bits a byte, lowest first, at most five bytes and 32 bits.
    pub fn uvarint(&mut self) -> Result<u32, Malformed> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.u8()?;
            let bits = u32::from(byte & 0x7f);
            if shift == 28 && bits > 0x0f {
                return Err(self.malformed("varint of more than 32 bits"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.malformed("varint of more than 5 bytes"))
    }

    /// A signed varint, zigzag: 0, -1, 1, -2 … are 0, 1, 2, 3 …
    pub fn varint(&mut self) -> Result<i32, Malformed> {
        let raw = self.uvarint()?;
        Ok(i32::from_be_bytes((raw >> 1 ^ (raw & 1).wrapping_neg()).to_be_bytes()))
    }

    /// A signed varint of up to 64 bits, zigzag; at most ten bytes.
    pub fn varlong(&mut self) -> Result<i64, Malformed> {
        let mut raw: u64 = 0;
        for shift in [0, 7, 14, 21, 28, 35, 42, 49, 56, 63] {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(self.malformed("varint of more than 64 bits"));
            }
            raw |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(i64::from_be_bytes((raw >> 1 ^ (raw & 1).wrapping_neg()).to_be_bytes()));
            }
        }
        Err(self.malformed("varint of more than 10 bytes"))
    }

    /// Length of a string that follows, `None` for null.
    fn string_length(&mut self, flexible: bool) -> Result<Option<usize>, Malformed> {
        let length = if flexible { self.uvarint()?.checked_sub(1) } else { self.fixed_length(|r| Ok(i32::from(r.i16()?)))? };
        match length.map(usize_from) {
            Some(length) if length > STRING_BYTES_MAX => Err(self.malformed("string of more than 32767 bytes")),
            length => Ok(length),
        }
    }

    /// Length of bytes, or count of an array, that follow; `None` for null.
    fn length(&mut self, flexible: bool) -> Result<Option<usize>, Malformed> {
        let length = if flexible { self.uvarint()?.checked_sub(1) } else { self.fixed_length(Reader::i32)? };
        Ok(length.map(usize_from))
    }

    fn fixed_length(&mut self, read: impl FnOnce(&mut Self) -> Result<i32, Malformed>) -> Result<Option<u32>, Malformed> {
        match read(self)? {
            -1 => Ok(None),
            length => Ok(Some(u32::try_from(length).map_err(|_| self.malformed("negative length"))?)),
        }
    }

    pub fn nullable_str(&mut self, flexible: bool) -> Result<Option<&'a str>, Malformed> {
        let Some(length) = self.string_length(flexible)? else { return Ok(None) };
        let bytes = self.take(length)?;
        Ok(Some(std::str::from_utf8(bytes).map_err(|_| self.malformed("string that is not UTF-8"))?))
    }

    pub fn str(&mut self, flexible: bool) -> Result<&'a str, Malformed> {
        self.nullable_str(flexible)?.ok_or_else(|| self.malformed("null"))
    }

    pub fn nullable_bytes(&mut self, flexible: bool) -> Result<Option<&'a [u8]>, Malformed> {
        let Some(length) = self.length(flexible)? else { return Ok(None) };
        self.take(length).map(Some)
    }

    /// Where bytes lie that are not to be copied, counted from the start of what was given to [`Reader::new`].
    pub fn nullable_range(&mut self, flexible: bool) -> Result<Option<Range<usize>>, Malformed> {
        let bytes = self.nullable_bytes(flexible)?;
        Ok(bytes.map(|bytes| self.at - bytes.len()..self.at))
    }

    /// Count of an array whose elements are at least `element_bytes_min` long each, `None` for null. That many can be there.
    pub fn nullable_count(&mut self, flexible: bool, element_bytes_min: usize) -> Result<Option<usize>, Malformed> {
        assert!(element_bytes_min > 0, "an element of no bytes would let a count lie");
        let count = self.length(flexible)?;
        match count {
            Some(count) if count > self.remaining() / element_bytes_min => Err(self.malformed("array longer than what follows")),
            count => Ok(count),
        }
    }

    pub fn count(&mut self, flexible: bool, element_bytes_min: usize) -> Result<usize, Malformed> {
        self.nullable_count(flexible, element_bytes_min)?.ok_or_else(|| self.malformed("null"))
    }

    /// Hands each tagged field to `field`, which reads it whole and says true, or leaves it alone and says false.
    pub fn tagged_fields(&mut self, mut field: impl FnMut(u32, &mut Reader<'a>) -> Result<bool, Malformed>) -> Result<(), Malformed> {
        for _ in 0..self.uvarint()? {
            let tag = self.uvarint()?;
            let size = usize_from(self.uvarint()?);
            let start = self.at;
            self.take(size)?;
            let mut inner = Reader { bytes: &self.bytes[..self.at], at: start };
            if field(tag, &mut inner)? {
                inner.end()?;
            }
        }
        Ok(())
    }

    pub fn skip_tagged_fields(&mut self) -> Result<(), Malformed> {
        self.tagged_fields(|_, _| Ok(false))
    }
}

/// On every machine that has io_uring a `usize` holds 32 bits.
pub(super) fn usize_from(value: u32) -> usize {
    const _: () = assert!(usize::BITS >= 32);
    value as usize
}

/// Appends to a buffer that may already hold other responses.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    pub fn new(out: &'a mut Vec<u8>) -> Writer<'a> {
        Writer { out }
    }

    /// Bytes in the buffer, whoever wrote them.
    pub fn position(&self) -> usize {
        self.out.len()
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub fn u8(&mut self, value: u8) {
        self.out.push(value);
    }

    pub fn i8(&mut self, value: i8) {
        self.raw(&value.to_be_bytes());
    }

    pub fn i16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    pub fn u16(&mut self, value: u16) {
        self.raw(&value.to_be_bytes());
    }

    pub fn i32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    pub fn u32(&mut self, value: u32) {
        self.raw(&value.to_be_bytes());
    }

    pub fn i64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    pub fn f64(&mut self, value: f64) {
        self.raw(&value.to_be_bytes());
    }

    pub fn bool(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    pub fn uuid(&mut self, value: Uuid) {
        self.raw(&value.0);
    }

    pub fn uvarint(&mut self, value: u32) {
        let (bytes, length) = uvarint_bytes(value);
        self.raw(&bytes[..length]);
    }

    pub fn varint(&mut self, value: i32) {
        self.uvarint(u32::from_be_bytes((value << 1 ^ value >> 31).to_be_bytes()));
    }

    pub fn varlong(&mut self, value: i64) {
        let mut rest = u64::from_be_bytes((value << 1 ^ value >> 63).to_be_bytes());
        while rest > 0x7f {
            self.u8(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        self.u8(rest.to_le_bytes()[0]);
    }

    /// Length or count. One that does not fit 31 bits is ours, not a client's.
    fn length(&mut self, length: Option<usize>, flexible: bool) {
        let length = length.map(|n| u32::try_from(n).ok().filter(|&n| n < 1 << 31).expect("lengths on the wire have 31 bits"));
        match (length, flexible) {
            (None, false) => self.i32(-1),
            (Some(length), false) => self.u32(length),
            (length, true) => self.uvarint(length.map_or(0, |n| n + 1)),
        }
    }

    /// A string longer than 32,767 bytes is cut at the last whole character: names are never that long, and a sentence for
    /// people that quotes one may be.
    pub fn nullable_str(&mut self, value: Option<&str>, flexible: bool) {
        let value = value.map(cut);
        match value {
            value if flexible => self.length(value.map(str::len), true),
            None => self.i16(-1),
            Some(text) => self.i16(i16::try_from(text.len()).expect("cut above")),
        }
        self.raw(value.unwrap_or_default().as_bytes());
    }

    pub fn str(&mut self, value: &str, flexible: bool) {
        self.nullable_str(Some(value), flexible);
    }

    pub fn nullable_bytes(&mut self, value: Option<&[u8]>, flexible: bool) {
        self.length(value.map(<[u8]>::len), flexible);
        self.raw(value.unwrap_or_default());
    }

    /// Announces bytes that somebody else will put after what has been written so far.
    pub fn bytes_length(&mut self, length: Option<usize>, flexible: bool) {
        self.length(length, flexible);
    }

    pub fn count(&mut self, count: usize, flexible: bool) {
        self.length(Some(count), flexible);
    }

    pub fn null_count(&mut self, flexible: bool) {
        self.length(None, flexible);
    }

    /// One tagged field. Its size is known only when it has been written, so the size is put in front afterwards.
    pub fn tagged_field(&mut self, tag: u32, write: impl FnOnce(&mut Writer<'_>)) {
        self.uvarint(tag);
        let start = self.out.len();
        write(&mut Writer { out: self.out });
        let size = u32::try_from(self.out.len() - start).expect("lengths on the wire have 31 bits");
        let (bytes, length) = uvarint_bytes(size);
        self.raw(&bytes[..length]);
        self.out[start..].rotate_right(length);
    }

    pub fn no_tagged_fields(&mut self) {
        self.u8(0);
    }

    /// Overwrites four bytes written earlier.
    pub fn patch_i32(&mut self, position: usize, value: i32) {
        self.out[position..position + 4].copy_from_slice(&value.to_be_bytes());
    }
}

/// The longest start of `text` that both layouts can carry.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(STRING_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn uvarint_bytes(value: u32) -> ([u8; 5], usize) {
    let mut bytes = [0; 5];
    let mut rest = value;
    let mut length = 0;
    while rest > 0x7f {
        bytes[length] = rest.to_le_bytes()[0] | 0x80;
        rest >>= 7;
        length += 1;
    }
    bytes[length] = rest.to_le_bytes()[0];
    (bytes, length + 1)
}

/// A type that can be a field.
pub trait Wire: Sized {
    /// What the type is, as data.
    const KIND: Kind;

    /// No value takes fewer bytes than this. Never zero.
    fn bytes_min(layout: Layout) -> usize;

    fn read(r: &mut Reader<'_>, layout: Layout) -> Result<Self, Malformed>;

    fn write(&self, w: &mut Writer<'_>, layout: Layout);
}

/// A type whose field may be null in some versions: `Option` of it is [`Wire`].
pub trait Nullable: Wire + Default {
    fn nullable_bytes_min(layout: Layout) -> usize {
        Self::bytes_min(layout)
    }

    fn read_nullable(r: &mut Reader<'_>, layout: Layout) -> Result<Option<Self>, Malformed>;

    fn write_nullable(value: Option<&Self>, w: &mut Writer<'_>, layout: Layout);
}

/// Where the field may not be null, `None` is written as the type's default (an empty string, an empty array).
impl<T: Nullable> Wire for Option<T> {
    const KIND: Kind = T::KIND;

    fn bytes_min(layout: Layout) -> usize {
        if layout.nullable { T::nullable_bytes_min(layout) } else { T::bytes_min(layout) }
    }

    fn read(r: &mut Reader<'_>, layout: Layout) -> Result<Self, Malformed> {
        if layout.nullable { T::read_nullable(r, layout) } else { T::read(r, layout).map(Some) }
    }

    fn write(&self, w: &mut Writer<'_>, layout: Layout) {
        match self {
            value if layout.nullable => T::write_nullable(value.as_ref(), w, layout),
            Some(value) => value.write(w, layout),
            None => T::default().write(w, layout),
        }
    }
}

macro_rules! fixed {
    ($($type:ty, $kind:ident, $size:literal, $method:ident;)*) => {
        $(
            impl Wire for $type {
                const KIND: Kind = Kind::$kind;

                fn bytes_min(_: Layout) -> usize {
                    $size
                }

                fn read(r: &mut Reader<'_>, _: Layout) -> Result<Self, Malformed> {
                    r.$method()
                }

                fn write(&self, w: &mut Writer<'_>, _: Layout) {
                    w.$method(*self);
                }
            }
        )*
    };
}

fixed! {
    bool, Bool, 1, bool;
    i8, I8, 1, i8;
    i16, I16, 2, i16;
    u16, U16, 2, u16;
    i32, I32, 4, i32;
    u32, U32, 4, u32;
    i64, I64, 8, i64;
    f64, F64, 8, f64;
    Uuid, Uuid, 16, uuid;
}

impl Wire for ErrorCode {
    const KIND: Kind = Kind::ErrorCode;

    fn bytes_min(_: Layout) -> usize {
        2
    }

    fn read(r: &mut Reader<'_>, _: Layout) -> Result<Self, Malformed> {
        Ok(ErrorCode::from_code(r.i16()?))
    }

    fn write(&self, w: &mut Writer<'_>, _: Layout) {
        w.i16(self.code());
    }
}

impl Wire for String {
    const KIND: Kind = Kind::String;

    fn bytes_min(layout: Layout) -> usize {
        if layout.flexible { 1 } else { 2 }
    }

    fn read(r: &mut Reader<'_>, layout: Layout) -> Result<Self, Malformed> {
        r.str(layout.flexible).map(str::to_owned)
    }

    fn write(&self, w: &mut Writer<'_>, layout: Layout) {
        w.str(self, layout.flexible);
    }
}

impl Nullable for String {
    fn read_nullable(r: &mut Reader<'_>, layout: Layout) -> Result<Option<Self>, Malformed> {
        Ok(r.nullable_str(layout.flexible)?.map(str::to_owned))
    }

    fn write_nullable(value: Option<&Self>, w: &mut Writer<'_>, layout: Layout) {
        w.nullable_str(value.map(String::as_str), layout.flexible);
    }
}

/// Bytes that mean nothing to this layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Wire for Bytes {
    const KIND: Kind = Kind::Bytes;

    fn bytes_min(layout: Layout) -> usize {
        if layout.flexible { 1 } else { 4 }
    }

    fn read(r: &mut Reader<'_>, layout: Layout) -> Result<Self, Malformed> {
        Self::read_nullable(r, layout)?.ok_or_else(|| r.malformed("null"))
    }

    fn write(&self, w: &mut Writer<'_>, layout: Layout) {
        w.nullable_bytes(Some(&self.0), layout.flexible);
    }
}

impl Nullable for Bytes {
    fn read_nullable(r: &mut Reader<'_>, layout: Layout) -> Result<Option<Self>, Malformed> {
        Ok(r.nullable_bytes(layout.flexible)?.map(|bytes| Bytes(bytes.to_owned())))
    }

    fn write_nullable(value: Option<&Self>, w: &mut Writer<'_>, layout: Layout) {
        w.nullable_bytes(value.map(|bytes| bytes.0.as_slice()), layout.flexible);
    }
}

impl<T: Wire> Wire for Vec<T> {
    const KIND: Kind = Kind::Array(&T::KIND);

    fn bytes_min(layout: Layout) -> usize {
        if layout.flexible { 1 } else { 4 }
    }

    fn read(r: &mut Reader<'_>, layout: Layout) -> Result<Self, Malformed> {
        Self::read_nullable(r, layout)?.ok_or_else(|| r.malformed("null"))
    }

    fn write(&self, w: &mut Writer<'_>, layout: Layout) {
        Self::write_nullable(Some(self), w, layout);
    }
}

impl<T: Wire> Nullable for Vec<T> {
    fn read_nullable(r: &mut Reader<'_>, layout: Layout) -> Result<Option<Self>, Malformed> {
        let layout = Layout { nullable: false, ..layout };
        let Some(count) = r.nullable_count(layout.flexible, T::bytes_min(layout))? else { return Ok(None) };
        let mut elements = Vec::with_capacity(count.min(RESERVE_BYTES_MAX / size_of::<T>().max(1)));
        for _ in 0..count {
            elements.push(T::read(r, layout)?);
        }
        Ok(Some(elements))
    }

    fn write_nullable(value: Option<&Self>, w: &mut Writer<'_>, layout: Layout) {
        let layout = Layout { nullable: false, ..layout };
        let Some(elements) = value else { return w.null_count(layout.flexible) };
        w.count(elements.len(), layout.flexible);
        for element in elements {
            element.write(w, layout);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut Writer::new(&mut out));
        out
    }

    #[test]
    fn varints_are_kafkas() {
        let golden: [(i32, &[u8]); 8] = [
            (0, &[0]),
            (-1, &[1]),
            (1, &[2]),
            (63, &[0x7e]),
            (64, &[0x80, 1]),
            (-65, &[0x81, 1]),
            (i32::MAX, &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
            (i32::MIN, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ];
        for (value, bytes) in golden {
            assert_eq!(written(|w| w.varint(value)), bytes);
            assert_eq!(written(|w| w.varlong(i64::from(value))), bytes);
            assert_eq!(Reader::new(bytes).varint(), Ok(value));
            assert_eq!(Reader::new(bytes).varlong(), Ok(i64::from(value)));
        }
        let longest = written(|w| w.varlong(i64::MIN));
        assert_eq!(longest, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
        assert_eq!(Reader::new(&longest).varlong(), Ok(i64::MIN));
    }

    #[test]
    fn varints_that_are_too_long_or_too_large_are_malformed() {
        assert!(Reader::new(&[0x80; 5]).uvarint().is_err());
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x1f]).uvarint().is_err());
        assert!(Reader::new(&[0x80; 10]).varlong().is_err());
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).varlong().is_err());
        assert!(Reader::new(&[0x80]).uvarint().is_err());
    }

    #[test]
    fn a_count_is_checked_before_memory_is_set_aside() {
        let layout = Layout { version: 0, flexible: false, nullable: false };
        let claims = [&i32::MAX.to_be_bytes()[..], &[0; 64]].concat();
        assert!(Vec::<i64>::read(&mut Reader::new(&claims), layout).is_err());
        let exact = [&8i32.to_be_bytes()[..], &[0; 64]].concat();
        assert_eq!(Vec::<i64>::read(&mut Reader::new(&exact), layout), Ok(vec![0; 8]));
        assert!(Vec::<i64>::read(&mut Reader::new(&exact[..67]), layout).is_err());
    }

    #[test]
    fn negative_lengths_other_than_null_are_malformed() {
        assert_eq!(Reader::new(&[0xff, 0xff]).nullable_str(false), Ok(None));
        assert!(Reader::new(&[0xff, 0xfe]).nullable_str(false).is_err());
        assert_eq!(Reader::new(&[0xff; 4]).nullable_bytes(false), Ok(None));
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xfe]).nullable_bytes(false).is_err());
        assert!(Reader::new(&[0xff, 0xff]).str(false).is_err());
    }

    #[test]
    fn strings_are_utf8_and_at_most_32767_bytes() {
        assert!(Reader::new(&[3, 0xc3, 0x28]).str(true).is_err());
        let long = "é".repeat(20_000);
        for flexible in [false, true] {
            let bytes = written(|w| w.str(&long, flexible));
            assert_eq!(Reader::new(&bytes).str(flexible).unwrap().len(), 32_766, "cut before half a character");
        }
        let too_long = written(|w| {
            w.uvarint(32_769);
            w.raw(&[b'a'; 32_768]);
        });
        assert!(Reader::new(&too_long).str(true).is_err());
    }

    #[test]
    fn a_tagged_field_is_read_to_its_last_byte_or_skipped() {
        let bytes = written(|w| {
            w.uvarint(2);
            w.tagged_field(0, |w| w.i32(7));
            w.tagged_field(900, |w| w.raw(&[1; 300]));
        });
        let mut seen = Vec::new();
        let mut r = Reader::new(&bytes);
        r.tagged_fields(|tag, r| {
            seen.push((tag, r.remaining()));
            if tag == 0 {
                assert_eq!(r.i32()?, 7);
            }
            Ok(tag == 0)
        })
        .unwrap();
        r.end().unwrap();
        assert_eq!(seen, [(0, 4), (900, 300)]);
        let half = Reader::new(&bytes).tagged_fields(|_, r| r.i16().map(|_| true));
        assert_eq!(half.unwrap_err().what, "bytes after the end");
    }
}

//! The four codecs of record batches, as Kafka's clients write and read them.
//!
//! | codec | bytes of a batch's body |
//! |---|---|
//! | gzip | RFC 1952, one or more members |
//! | snappy | xerial's framing (`\x82SNAPPY\0`, version, then length-prefixed blocks) or one raw block |
//! | lz4 | LZ4 frames ([`super::lz4`]) |
//! | zstd | zstd frames |
//!
//! Decompression is bounded in bytes, whatever the input claims: nothing is allocated by a length that it states, only
//! by what has come out, doubled at most. Compression writes what the Java client would: gzip with an empty header,
//! xerial's framing in blocks of 32 KiB, LZ4 frames of independent blocks of 64 KiB.

use crate::log::batch::Codec;
use crate::log::{CompressionConfig, lz4};
use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};
use zstd::zstd_safe::{CCtx, CParameter, DCtx, InBuffer, OutBuffer, ResetDirective};

/// Why a body was not decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// Not what the codec writes.
    Malformed(&'static str),
    /// More bytes than allowed come out of it.
    TooLarge,
}

/// The next piece of output is at most this large, so that a few bytes of input never make us allocate much.
const STEP: usize = 64 << 10;
/// Memory that a decompressor may keep for the next batch. Raising it grows what a core holds after one huge window.
const KEPT_MAX: usize = 8 << 20;

/// Decompressors and the memory they write to; one per core, reused from batch to batch. Holds nothing between calls.
#[derive(Default)]
pub struct Scratch {
    plain: Vec<u8>,
    inflate: Option<Decompress>,
    zstd: Option<DCtx<'static>>,
}

impl Scratch {
    pub fn new() -> Scratch {
        Scratch::default()
    }

    /// The body of a batch, decompressed into memory that the next call reuses. At most `bytes_max` bytes.
    pub fn decompress<'a>(&'a mut self, codec: Codec, body: &'a [u8], bytes_max: usize) -> Result<&'a [u8], Undone> {
        self.plain.clear();
        if self.plain.capacity() > KEPT_MAX {
            self.plain = Vec::new();
        }
        let out = &mut Bounded { bytes: &mut self.plain, max: bytes_max };
        match codec {
            Codec::None => return if body.len() <= bytes_max { Ok(body) } else { Err(Undone::TooLarge) },
            Codec::Gzip => gunzip(self.inflate.get_or_insert_with(|| Decompress::new(false)), body, out)?,
            Codec::Snappy => unsnap(body, out)?,
            Codec::Lz4 => lz4::decompress(body, out)?,
            Codec::Zstd => unzstd(&mut self.zstd, body, out)?,
        }
        Ok(&self.plain)
    }
}

/// Output that grows step by step, up to a bound.
pub(super) struct Bounded<'a> {
    bytes: &'a mut Vec<u8>,
    max: usize,
}

impl Bounded<'_> {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
    pub(super) fn written(&self) -> &[u8] {
        self.bytes
    }
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Undone> {
        if bytes.len() > self.max.saturating_sub(self.bytes.len()) {
            return Err(Undone::TooLarge);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
    /// `len` bytes at the end, zeroed, for a block that states its size; given back with [`Bounded::cut`].
    pub(super) fn split_new(&mut self, len: usize) -> Result<(&[u8], &mut [u8]), Undone> {
        if len > self.max.saturating_sub(self.bytes.len()) {
            return Err(Undone::TooLarge);
        }
        let old = self.bytes.len();
        self.bytes.resize(old + len, 0);
        let (before, new) = self.bytes.split_at_mut(old);
        Ok((before, new))
    }
    pub(super) fn cut(&mut self, len: usize) {
        self.bytes.truncate(len);
    }
    /// How much more may come.
    pub(super) fn room(&self) -> usize {
        self.max.saturating_sub(self.bytes.len())
    }
    /// Room for the next step of a stream.
    fn grow(&mut self) -> Result<(), Undone> {
        if self.bytes.len() > self.max {
            return Err(Undone::TooLarge);
        }
        if self.bytes.len() == self.bytes.capacity() {
            self.bytes.reserve(STEP.min(self.max + 1 - self.bytes.len()));
        }
        Ok(())
    }
    fn within(&self) -> Result<(), Undone> {
        if self.bytes.len() > self.max { Err(Undone::TooLarge) } else { Ok(()) }
    }
}

/// Compresses a body as `how` says. [`CompressionConfig::Producer`] and `Uncompressed` copy it.
pub fn compress(how: CompressionConfig, plain: &[u8], into: &mut Vec<u8>) {
    match how {
        CompressionConfig::Producer | CompressionConfig::Uncompressed => into.extend_from_slice(plain),
        CompressionConfig::Gzip(level) => gzip(level, plain, into),
        CompressionConfig::Snappy => snap(plain, into),
        CompressionConfig::Lz4(_) => lz4::compress(plain, into),
        CompressionConfig::Zstd(level) => zstd(level, plain, into),
    }
}

/// What a topic stores of a batch that came with `source`.
pub fn target(config: CompressionConfig, source: Codec) -> Codec {
    match config {
        CompressionConfig::Producer => source,
        CompressionConfig::Uncompressed => Codec::None,
        CompressionConfig::Gzip(_) => Codec::Gzip,
        CompressionConfig::Snappy => Codec::Snappy,
        CompressionConfig::Lz4(_) => Codec::Lz4,
        CompressionConfig::Zstd(_) => Codec::Zstd,
    }
}

// ---- gzip

const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
const GZIP_HEADER_CRC: u8 = 2;
const GZIP_EXTRA: u8 = 4;
const GZIP_NAME: u8 = 8;
const GZIP_COMMENT: u8 = 16;

fn gunzip(inflate: &mut Decompress, body: &[u8], out: &mut Bounded<'_>) -> Result<(), Undone> {
    let mut rest = body;
    while !rest.is_empty() {
        let deflated = gzip_header(rest).ok_or(Undone::Malformed("gzip header"))?;
        inflate.reset(false);
        let from = out.len();
        loop {
            out.grow()?;
            let before = (inflate.total_in(), inflate.total_out());
            let input = usize::try_from(before.0).ok().and_then(|done| deflated.get(done..)).unwrap_or_default();
            let status = inflate.decompress_vec(input, out.bytes, FlushDecompress::None);
            out.within()?;
            match status {
                Ok(Status::StreamEnd) => break,
                Ok(_) if (inflate.total_in(), inflate.total_out()) != before => {}
                _ => return Err(Undone::Malformed("deflate stream")),
            }
        }
        let mut crc = Crc::new();
        crc.update(&out.bytes[from..]);
        let end = usize::try_from(inflate.total_in()).unwrap_or(usize::MAX);
        let (trailer, after) = deflated.get(end..).and_then(|t| t.split_at_checked(8)).ok_or(Undone::Malformed("gzip trailer"))?;
        if trailer[..4] != crc.sum().to_le_bytes() || trailer[4..] != crc.amount().to_le_bytes() {
            return Err(Undone::Malformed("gzip checksum"));
        }
        rest = after;
    }
    Ok(())
}

/// What follows the header of a member.
fn gzip_header(bytes: &[u8]) -> Option<&[u8]> {
    let (fixed, mut rest) = bytes.split_at_checked(10)?;
    let flags = fixed[3];
    if fixed[..3] != GZIP_MAGIC || flags & 0xe0 != 0 {
        return None;
    }
    if flags & GZIP_EXTRA != 0 {
        let (len, after) = rest.split_first_chunk::<2>()?;
        rest = after.get(usize::from(u16::from_le_bytes(*len))..)?;
    }
    for flag in [GZIP_NAME, GZIP_COMMENT] {
        if flags & flag != 0 {
            rest = &rest[rest.iter().position(|&b| b == 0)? + 1..];
        }
    }
    if flags & GZIP_HEADER_CRC != 0 {
        rest = rest.get(2..)?;
    }
    Some(rest)
}

fn gzip(level: i32, plain: &[u8], into: &mut Vec<u8>) {
    let level = u32::try_from(level).ok().filter(|level| (1..=9).contains(level)).unwrap_or(6);
    into.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0]);
    let mut deflate = Compress::new(Compression::new(level), false);
    loop {
        into.reserve((plain.len() / 4).clamp(1 << 10, STEP));
        let done = usize::try_from(deflate.total_in()).expect("no more than was given");
        match deflate.compress_vec(&plain[done..], into, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => break,
            Ok(_) => {}
            Err(error) => unreachable!("deflate takes any bytes: {error}"),
        }
    }
    let mut crc = Crc::new();
    crc.update(plain);
    into.extend_from_slice(&crc.sum().to_le_bytes());
    into.extend_from_slice(&crc.amount().to_le_bytes());
}

// ---- snappy

/// xerial's framing, as snappy-java writes it: this, two 32-bit versions, then blocks, each behind its 32-bit length.
const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEADER_LEN: usize = 16;
const XERIAL_BLOCK: usize = 32 << 10;

fn unsnap(body: &[u8], out: &mut Bounded<'_>) -> Result<(), Undone> {
    let Some(mut rest) = body.strip_prefix(&XERIAL_MAGIC).map(|after| after.get(XERIAL_HEADER_LEN - XERIAL_MAGIC.len()..)) else {
        return unsnap_block(body, out);
    };
    while let Some(bytes) = rest.filter(|bytes| !bytes.is_empty()) {
        let (len, after) = bytes.split_first_chunk::<4>().ok_or(Undone::Malformed("snappy block length"))?;
        let len = usize::try_from(u32::from_be_bytes(*len)).unwrap_or(usize::MAX);
        let (block, after) = after.split_at_checked(len).ok_or(Undone::Malformed("snappy block length"))?;
        unsnap_block(block, out)?;
        rest = Some(after);
    }
    if rest.is_none() { Err(Undone::Malformed("snappy header")) } else { Ok(()) }
}

fn unsnap_block(block: &[u8], out: &mut Bounded<'_>) -> Result<(), Undone> {
    const MALFORMED: Undone = Undone::Malformed("snappy block");
    let len = snap::raw::decompress_len(block).map_err(|_| MALFORMED)?;
    // No snappy block expands more than this (64 bytes out of a copy of 3): a length beyond is a lie, found before it costs.
    if len / 64 > block.len() {
        return Err(MALFORMED);
    }
    let (_, new) = out.split_new(len)?;
    let written = snap::raw::Decoder::new().decompress(block, new).map_err(|_| MALFORMED)?;
    if written == len { Ok(()) } else { Err(MALFORMED) }
}

fn snap(plain: &[u8], into: &mut Vec<u8>) {
    into.extend_from_slice(&XERIAL_MAGIC);
    into.extend_from_slice(&1u32.to_be_bytes());
    into.extend_from_slice(&1u32.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for block in plain.chunks(XERIAL_BLOCK) {
        let compressed = encoder.compress_vec(block).expect("a block of 32 KiB is not too large for snappy");
        let len = u32::try_from(compressed.len()).expect("smaller than a block and a bit");
        into.extend_from_slice(&len.to_be_bytes());
        into.extend_from_slice(&compressed);
    }
}

// ---- zstd

fn unzstd(context: &mut Option<DCtx<'static>>, body: &[u8], out: &mut Bounded<'_>) -> Result<(), Undone> {
    // A window that one batch asked for is not kept for the others.
    if context.as_ref().is_some_and(|context| context.sizeof() > KEPT_MAX) {
        *context = None;
    }
    let context = context.get_or_insert_with(DCtx::create);
    let _ = context.reset(ResetDirective::SessionOnly);
    let mut input = InBuffer::around(body);
    // 0: a frame has just ended. Anything else: how many bytes zstd would like next.
    let mut wanted = 0;
    while input.pos() < body.len() || wanted != 0 {
        out.grow()?;
        let before = (input.pos(), out.len());
        let pos = out.len();
        let mut output = OutBuffer::around_pos(&mut *out.bytes, pos);
        wanted = context.decompress_stream(&mut output, &mut input).map_err(|_| Undone::Malformed("zstd frame"))?;
        out.within()?;
        if (input.pos(), out.len()) == before && wanted != 0 {
            return Err(Undone::Malformed("zstd frame is cut short"));
        }
    }
    Ok(())
}

fn zstd(level: i32, plain: &[u8], into: &mut Vec<u8>) {
    let mut context = CCtx::create();
    context.set_parameter(CParameter::CompressionLevel(level)).expect("any level is clamped to what zstd has");
    let mut compressed = Vec::with_capacity(zstd::zstd_safe::compress_bound(plain.len()));
    context.compress2(&mut compressed, plain).expect("the bound holds");
    into.extend_from_slice(&compressed);
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: [CompressionConfig; 4] =
        [CompressionConfig::Gzip(-1), CompressionConfig::Snappy, CompressionConfig::Lz4(9), CompressionConfig::Zstd(3)];

    /// Bytes that compress somewhat.
    fn text(len: usize) -> Vec<u8> {
        let mut state = 7u32;
        (0..len)
            .map(|i| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if i % 7 < 4 { b'a' } else { (state >> 24) as u8 }
            })
            .collect()
    }

    fn compressed(how: CompressionConfig, plain: &[u8]) -> (Codec, Vec<u8>) {
        let mut bytes = Vec::new();
        compress(how, plain, &mut bytes);
        (target(how, Codec::None), bytes)
    }

    #[test]
    fn what_is_compressed_comes_back() {
        let mut scratch = Scratch::new();
        for how in EVERY {
            for len in [0, 1, 100, 32 << 10, (64 << 10) + 1, 300_000] {
                let plain = text(len);
                let (codec, bytes) = compressed(how, &plain);
                assert_eq!(scratch.decompress(codec, &bytes, len), Ok(&plain[..]), "{how:?} {len}");
            }
        }
    }

    #[test]
    fn no_more_comes_out_than_is_allowed() {
        let mut scratch = Scratch::new();
        for how in EVERY {
            let (codec, bytes) = compressed(how, &vec![0; 1 << 20]);
            assert_eq!(scratch.decompress(codec, &bytes, (1 << 20) - 1), Err(Undone::TooLarge), "{how:?}");
            assert!(scratch.plain.capacity() <= 2 << 20, "{how:?} {}", scratch.plain.capacity());
            assert_eq!(scratch.decompress(codec, &bytes, 100), Err(Undone::TooLarge), "{how:?}");
            assert!(scratch.decompress(codec, &bytes, 1 << 20).is_ok());
        }
    }

    #[test]
    fn a_body_cut_short_is_malformed() {
        let mut scratch = Scratch::new();
        for how in EVERY {
            let (codec, bytes) = compressed(how, &text(5000));
            for cut in 1..bytes.len() {
                let result = scratch.decompress(codec, &bytes[..cut], 1 << 20);
                // xerial's framing has no end mark: what is cut between blocks is whole.
                let whole = matches!(result, Ok(plain) if plain.is_empty()) && codec == Codec::Snappy;
                assert!(matches!(result, Err(Undone::Malformed(_))) || whole, "{how:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn no_flipped_bit_makes_a_decompressor_panic_or_grow() {
        let mut scratch = Scratch::new();
        for how in EVERY {
            let (codec, bytes) = compressed(how, &text(2000));
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let _ = scratch.decompress(codec, &flipped, 10_000);
                assert!(scratch.plain.capacity() <= STEP * 2);
            }
        }
    }

    #[test]
    fn several_gzip_members_are_one_body() {
        let (_, mut bytes) = compressed(CompressionConfig::Gzip(1), b"one ");
        let (_, two) = compressed(CompressionConfig::Gzip(9), b"two");
        bytes.extend_from_slice(&two);
        assert_eq!(Scratch::new().decompress(Codec::Gzip, &bytes, 100), Ok(&b"one two"[..]));
    }

    #[test]
    fn a_gzip_header_may_have_names_and_extras() {
        let (_, bytes) = compressed(CompressionConfig::Gzip(6), b"plain");
        let mut named = bytes[..10].to_vec();
        named[3] = GZIP_EXTRA | GZIP_NAME | GZIP_COMMENT | GZIP_HEADER_CRC;
        named.extend_from_slice(&[3, 0, 1, 2, 3]);
        named.extend_from_slice(b"name\0comment\0");
        named.extend_from_slice(&[0, 0]);
        named.extend_from_slice(&bytes[10..]);
        assert_eq!(Scratch::new().decompress(Codec::Gzip, &named, 100), Ok(&b"plain"[..]));
    }

    #[test]
    fn snappy_is_read_with_and_without_framing() {
        let plain = text(3000);
        let raw = snap::raw::Encoder::new().compress_vec(&plain).unwrap();
        let mut scratch = Scratch::new();
        assert_eq!(scratch.decompress(Codec::Snappy, &raw, 3000), Ok(&plain[..]));
        assert_eq!(scratch.decompress(Codec::Snappy, &raw, 2999), Err(Undone::TooLarge));
        // A raw block that claims 4 GiB is seen through before anything is allocated.
        assert_eq!(scratch.decompress(Codec::Snappy, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0], 1 << 30), Err(Undone::Malformed("snappy block")));
    }
}

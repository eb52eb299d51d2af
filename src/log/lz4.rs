//! LZ4 frames, as far as record batches need them; the blocks themselves are `lz4_flex`'s.
//!
//! ```text
//!  magic │ flags, block size, [content size], header checksum │ (length, block, [checksum])… │ 0 │ [content checksum]
//! ```
//!
//! Kafka's own reader takes only independent blocks; others (librdkafka, lz4's command line) link them, so that we read
//! both. Checksums are verified where they are present. Skippable frames are skipped.

use super::compress::{Bounded, Undone};

const MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();
const SKIPPABLE: u32 = 0x184d_2a50;
const VERSION: u8 = 0x40;
const VERSION_MASK: u8 = 0xc0;
const INDEPENDENT: u8 = 0x20;
const BLOCK_CHECKSUM: u8 = 0x10;
const CONTENT_SIZE: u8 = 0x08;
const CONTENT_CHECKSUM: u8 = 0x04;
const DICTIONARY: u8 = 0x01;
const PLAIN_BLOCK: u32 = 1 << 31;
/// Blocks of 64 KiB, as Kafka's producers write them.
const BLOCK_64K: u8 = 4;
/// How far back a block may refer.
const WINDOW: usize = 64 << 10;

pub(super) fn decompress(body: &[u8], out: &mut Bounded<'_>) -> Result<(), Undone> {
    let mut rest = body;
    while !rest.is_empty() {
        rest = frame(rest, out)?;
    }
    Ok(())
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], Undone> {
    let (taken, after) = rest.split_at_checked(len).ok_or(Undone::Malformed("lz4 frame is cut short"))?;
    *rest = after;
    Ok(taken)
}

fn take_u32(rest: &mut &[u8]) -> Result<u32, Undone> {
    let bytes = take(rest, 4)?;
    Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// Decompresses one frame; what follows it.
fn frame<'a>(bytes: &'a [u8], out: &mut Bounded<'_>) -> Result<&'a [u8], Undone> {
    let mut rest = bytes;
    let magic = take_u32(&mut rest)?;
    if magic & !0xf == SKIPPABLE {
        let len = take_u32(&mut rest)?;
        take(&mut rest, usize::try_from(len).unwrap_or(usize::MAX))?;
        return Ok(rest);
    }
    if magic.to_le_bytes() != MAGIC {
        return Err(Undone::Malformed("lz4 magic"));
    }
    let descriptor = rest;
    let flags = take(&mut rest, 1)?[0];
    let block_max = match take(&mut rest, 1)?[0] >> 4 & 7 {
        size @ 4..=7 => 1usize << (8 + 2 * size),
        _ => return Err(Undone::Malformed("lz4 block size")),
    };
    if flags & VERSION_MASK != VERSION || flags & DICTIONARY != 0 {
        return Err(Undone::Malformed("lz4 flags"));
    }
    let content_size = if flags & CONTENT_SIZE != 0 {
        let bytes = take(&mut rest, 8)?;
        Some(u64::from_le_bytes(bytes.try_into().expect("8 bytes were taken")))
    } else {
        None
    };
    let described = &descriptor[..descriptor.len() - rest.len()];
    if take(&mut rest, 1)?[0] != header_checksum(described) {
        return Err(Undone::Malformed("lz4 header checksum"));
    }

    let from = out.len();
    loop {
        let word = take_u32(&mut rest)?;
        if word == 0 {
            break;
        }
        let len = usize::try_from(word & !PLAIN_BLOCK).unwrap_or(usize::MAX);
        if len > block_max {
            return Err(Undone::Malformed("lz4 block length"));
        }
        let block = take(&mut rest, len)?;
        if flags & BLOCK_CHECKSUM != 0 && take_u32(&mut rest)? != xxh32(block) {
            return Err(Undone::Malformed("lz4 block checksum"));
        }
        if word & PLAIN_BLOCK != 0 {
            out.push(block)?;
        } else {
            decompress_block(block, block_max, flags & INDEPENDENT == 0, from, out)?;
        }
    }
    if flags & CONTENT_CHECKSUM != 0 && take_u32(&mut rest)? != xxh32(&out.written()[from..]) {
        return Err(Undone::Malformed("lz4 content checksum"));
    }
    if content_size.is_some_and(|size| size != (out.len() - from) as u64) {
        return Err(Undone::Malformed("lz4 content size"));
    }
    Ok(rest)
}

/// `linked`: the block may refer to what has come out since `from`.
fn decompress_block(block: &[u8], block_max: usize, linked: bool, from: usize, out: &mut Bounded<'_>) -> Result<(), Undone> {
    // LZ4 expands less than 255 times, so that the room never exceeds that, and a last block is not refused for room it does not need.
    let most = block_max.min(block.len().saturating_mul(255));
    let before = out.len();
    let room = most.min(out.room());
    let (old, new) = out.split_new(room)?;
    let dictionary = if linked { &old[from.max(old.len().saturating_sub(WINDOW))..] } else { &[] };
    let result = lz4_flex::block::decompress_into_with_dict(block, new, dictionary);
    match result {
        Ok(len) => {
            out.cut(before + len);
            Ok(())
        }
        Err(lz4_flex::block::DecompressError::OutputTooSmall { .. }) if room < most => Err(Undone::TooLarge),
        Err(_) => Err(Undone::Malformed("lz4 block")),
    }
}

pub(super) fn compress(plain: &[u8], into: &mut Vec<u8>) {
    let descriptor = [VERSION | INDEPENDENT, BLOCK_64K << 4];
    into.extend_from_slice(&MAGIC);
    into.extend_from_slice(&descriptor);
    into.push(header_checksum(&descriptor));
    for block in plain.chunks(WINDOW) {
        let compressed = lz4_flex::block::compress(block);
        let (bytes, flag) = if compressed.len() < block.len() { (&compressed[..], 0) } else { (block, PLAIN_BLOCK) };
        let len = u32::try_from(bytes.len()).expect("at most a block");
        into.extend_from_slice(&(len | flag).to_le_bytes());
        into.extend_from_slice(bytes);
    }
    into.extend_from_slice(&0u32.to_le_bytes());
}

fn header_checksum(descriptor: &[u8]) -> u8 {
    xxh32(descriptor).to_le_bytes()[1]
}

/// XXH32 with seed 0.
fn xxh32(bytes: &[u8]) -> u32 {
    const P1: u32 = 2_654_435_761;
    const P2: u32 = 2_246_822_519;
    const P3: u32 = 3_266_489_917;
    const P4: u32 = 668_265_263;
    const P5: u32 = 374_761_393;
    let word = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let round = |lane: u32, bytes: &[u8]| lane.wrapping_add(word(bytes).wrapping_mul(P2)).rotate_left(13).wrapping_mul(P1);

    let mut stripes = bytes.chunks_exact(16);
    let mut hash = if bytes.len() < 16 {
        P5
    } else {
        let mut lanes = [P1.wrapping_add(P2), P2, 0, 0u32.wrapping_sub(P1)];
        for stripe in &mut stripes {
            for (lane, bytes) in lanes.iter_mut().zip(stripe.chunks_exact(4)) {
                *lane = round(*lane, bytes);
            }
        }
        let [a, b, c, d] = lanes;
        a.rotate_left(1).wrapping_add(b.rotate_left(7)).wrapping_add(c.rotate_left(12)).wrapping_add(d.rotate_left(18))
    };
    let [a, b, c, d, ..] = (bytes.len() as u64).to_le_bytes();
    hash = hash.wrapping_add(u32::from_le_bytes([a, b, c, d]));
    let mut words = stripes.remainder().chunks_exact(4);
    for bytes in &mut words {
        hash = hash.wrapping_add(word(bytes).wrapping_mul(P3)).rotate_left(17).wrapping_mul(P4);
    }
    for &byte in words.remainder() {
        hash = hash.wrapping_add(u32::from(byte).wrapping_mul(P5)).rotate_left(11).wrapping_mul(P1);
    }
    hash = (hash ^ (hash >> 15)).wrapping_mul(P2);
    hash = (hash ^ (hash >> 13)).wrapping_mul(P3);
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xxh32_gives_the_published_sums() {
        assert_eq!(xxh32(b""), 0x02cc_5d05);
        assert_eq!(xxh32(b"a"), 0x550d_7456);
        assert_eq!(xxh32(b"abc"), 0x32d1_53ff);
        assert_eq!(xxh32(b"Nobody inspects the spammish repetition"), 0xe229_3b2f);
    }
}

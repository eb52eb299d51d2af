//! Our codecs against other people's, both ways.

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use millrace::log::CompressionConfig;
use millrace::log::batch::Codec;
use millrace::log::compress::{Scratch, compress};
use std::io::{Read as _, Write as _};

fn plain() -> Vec<u8> {
    (0..400_000u32).map(|i| (i / 3 % 251) as u8 ^ (i >> 13) as u8).collect()
}

fn compressed(how: CompressionConfig) -> Vec<u8> {
    let mut bytes = Vec::new();
    compress(how, &plain(), &mut bytes);
    bytes
}

#[test]
fn lz4_frames_that_another_encoder_wrote_are_read() {
    let plain = plain();
    for mode in [BlockMode::Independent, BlockMode::Linked] {
        for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max4MB] {
            let info = FrameInfo::new().block_mode(mode).block_size(size).block_checksums(true).content_checksum(true);
            let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(&plain).unwrap();
            let bytes = encoder.finish().unwrap();
            assert_eq!(Scratch::new().decompress(Codec::Lz4, &bytes, plain.len()), Ok(&plain[..]), "{mode:?} {size:?}");
        }
    }
}

#[test]
fn lz4_frames_that_we_write_are_read_by_another_decoder() {
    let mut back = Vec::new();
    FrameDecoder::new(&compressed(CompressionConfig::Lz4(9))[..]).read_to_end(&mut back).unwrap();
    assert_eq!(back, plain());
}

#[test]
fn gzip_that_we_write_is_read_by_another_decoder_and_the_other_way() {
    let mut back = Vec::new();
    flate2::read::GzDecoder::new(&compressed(CompressionConfig::Gzip(-1))[..]).read_to_end(&mut back).unwrap();
    assert_eq!(back, plain());
    let mut encoder = flate2::GzBuilder::new().filename("a").comment("b").write(Vec::new(), flate2::Compression::best());
    encoder.write_all(&back).unwrap();
    assert_eq!(Scratch::new().decompress(Codec::Gzip, &encoder.finish().unwrap(), back.len()), Ok(&back[..]));
}

#[test]
fn zstd_that_we_write_is_read_by_another_decoder_and_the_other_way() {
    assert_eq!(zstd::stream::decode_all(&compressed(CompressionConfig::Zstd(3))[..]).unwrap(), plain());
    // As a stream of unknown length at a level with a large window, as zstd-jni writes it.
    for level in [1, 19, 22] {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), level).unwrap();
        encoder.write_all(&plain()).unwrap();
        let bytes = encoder.finish().unwrap();
        assert_eq!(Scratch::new().decompress(Codec::Zstd, &bytes, 400_000), Ok(&plain()[..]), "level {level}");
    }
}

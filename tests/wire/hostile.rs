//! Whoever sends garbage gets an error: no decoder panics, and none takes what is cut short for whole. How much memory garbage
//! can make a decoder ask for is measured in `tests/wire_memory.rs`.

use millrace::wire::Reader;
use millrace::wire::header::RequestHeader;

use crate::known::{Known, everything};
use crate::random::{self, Random};

fn bodies(rounds: u64, mut body: impl FnMut(&Known, i16, Vec<u8>)) {
    for known in everything() {
        for version in known.versions.clone() {
            for round in 0..rounds {
                let seed = known.seed(version, round + 1000);
                let bytes = random::body(known.fields, version, known.is_flexible(version), &mut Random(seed));
                body(&known, version, bytes);
            }
        }
    }
}

#[test]
fn a_body_cut_short_anywhere_is_malformed() {
    bodies(3, |known, version, bytes| {
        for length in 0..bytes.len() {
            let error = (known.decode)(&bytes[..length], version).err();
            assert!(error.is_some(), "{} version {version}: {length} of {} bytes are enough", known.name, bytes.len());
        }
    });
}

#[test]
fn bytes_after_a_body_are_left_alone() {
    bodies(1, |known, version, mut bytes| {
        bytes.push(0);
        let error = (known.decode)(&bytes, version).err().map(|e| e.what);
        assert_eq!(error, Some("bytes after the end"), "{} version {version}", known.name);
    });
}

#[test]
fn a_version_that_nobody_knows_is_malformed() {
    for known in everything() {
        for version in [known.versions.start() - 1, known.versions.end() + 1, i16::MIN, i16::MAX] {
            let error = (known.decode)(&[0; 64], version).err().map(|e| e.what);
            assert_eq!(error, Some("unknown version"), "{} version {version}", known.name);
        }
    }
}

/// Whatever was accepted can be written, and is read again as what it was.
fn survives(known: &Known, version: i16, bytes: &[u8]) {
    if let Ok(message) = (known.decode)(bytes, version) {
        let canonical = message.encode(version);
        let again = (known.decode)(&canonical, version).unwrap_or_else(|e| panic!("{} version {version}: {e}\n{bytes:02x?}", known.name));
        assert_eq!(again.encode(version), canonical, "{} version {version}\n{bytes:02x?}", known.name);
    }
}

#[test]
fn a_flipped_bit_anywhere_panics_nobody() {
    bodies(1, |known, version, mut bytes| {
        bytes.truncate(400);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            survives(known, version, &bytes);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    });
}

#[test]
fn a_length_that_lies_panics_nobody() {
    // Lengths that are negative, huge, or just too long, in all widths, at every position.
    let lies: [&[u8]; 7] = [
        &[0xff, 0xff, 0xff, 0xff],
        &[0x7f, 0xff, 0xff, 0xff],
        &[0x80, 0, 0, 0],
        &[0x7f, 0xff],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0x80, 0x80, 0x80, 0x80, 0x80],
        &[0x7f],
    ];
    bodies(1, |known, version, mut bytes| {
        bytes.truncate(300);
        for lie in lies {
            for at in 0..bytes.len().saturating_sub(lie.len()) {
                let mut lying = bytes.clone();
                lying[at..at + lie.len()].copy_from_slice(lie);
                survives(known, version, &lying);
            }
        }
    });
}

#[test]
fn random_bytes_panic_nobody() {
    let mut random = Random(1);
    for known in everything() {
        for version in known.versions.clone() {
            for _ in 0..300 {
                let length = random.below(80);
                let mut bytes = random.bytes(length);
                if random.chance(2) {
                    // Mostly small numbers, so that lengths are believable and decoders get further.
                    bytes.iter_mut().for_each(|byte| *byte &= 3);
                }
                survives(&known, version, &bytes);
                let _ = RequestHeader::decode(&mut Reader::new(&bytes));
            }
        }
    }
}

#[test]
fn unknown_tagged_fields_are_read_over() {
    let mut seen = 0;
    for known in everything() {
        for version in known.versions.clone().filter(|&version| known.is_flexible(version)) {
            let seed = known.seed(version, 5000);
            let bytes = random::body(known.fields, version, true, &mut Random(seed));
            // The body's own tagged fields come last. One that has none gets two of tomorrow's.
            let Some((0, rest)) = bytes.split_last() else { continue };
            let decoded = (known.decode)(&bytes, version).unwrap();
            if !decoded.encode(version).ends_with(&[0]) {
                continue;
            }
            let tomorrow = [rest, &[2, 0xe7, 0x07, 3, 1, 2, 3, 0xe8, 0x07, 0]].concat();
            // A trailing zero may also end the last tagged field; then the count is elsewhere and this is not a body.
            let Ok(tomorrow) = (known.decode)(&tomorrow, version) else { continue };
            assert_eq!(tomorrow.encode(version), bytes, "{} version {version}", known.name);
            seen += 1;
        }
    }
    assert!(seen > 40, "only {seen} bodies without tagged fields of their own");
}

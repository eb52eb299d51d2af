//! How much memory foreign bytes can make the decoders ask for: in proportion to what was sent, whatever it claims. Alone in
//! its process, because the allocator counts for everybody.

use millrace::wire::messages::fetch::{self, FetchResponse};
use millrace::wire::messages::produce::{self, ProduceRequest};
use millrace::wire::messages::{Visitor, visit_all};
use millrace::wire::{Message, Reader};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// An array sets aside this much before its elements have been seen, and arrays nest at most this deep.
const RESERVE_BYTES: usize = 64 << 10;
const DEPTH_MAX: usize = 5;

/// What one byte may cost: the shortest struct there is takes 3 bytes of a frame and some 64 of memory, and a vector that grows
/// by doubling has been asked for twice that in all.
const COST_PER_BYTE: usize = 100;

fn check(name: &str, version: i16, bytes: &[u8], decode: impl FnOnce(&mut Reader<'_>)) {
    let region = Region::new(ALLOCATOR);
    decode(&mut Reader::new(bytes));
    let asked = region.change().bytes_allocated;
    let allowed = DEPTH_MAX * RESERVE_BYTES + COST_PER_BYTE * bytes.len();
    assert!(asked <= allowed, "{name} version {version}: {asked} bytes of memory for {} bytes", bytes.len());
}

struct All<'a>(&'a [u8]);

impl Visitor for All<'_> {
    fn visit<M: Message>(&mut self) {
        for version in M::VERSIONS {
            check(M::NAME, version, self.0, |r| drop(M::decode(r, version)));
        }
    }
}

fn check_all(bytes: &[u8]) {
    visit_all(&mut All(bytes));
    for version in produce::VERSIONS {
        check("ProduceRequest", version, bytes, |r| drop(ProduceRequest::decode(r, version)));
    }
    for version in fetch::VERSIONS {
        check("FetchResponse", version, bytes, |r| drop(FetchResponse::decode(r, version)));
    }
}

#[test]
fn memory_is_asked_for_in_proportion_to_what_was_sent() {
    // Every byte the same, so that somewhere a count of it is read: huge ones in a short frame, believable ones in a long one.
    for byte in [0u8, 1, 2, 3, 4, 8, 0x10, 0x7f, 0x80, 0xff] {
        for length in [0, 5, 64, 4096, 300_000] {
            check_all(&vec![byte; length]);
        }
    }
    // A small number, then a huge one, after any number of zeroes: the counts of arrays, in both layouts.
    for zeroes in 0..24 {
        for count in [&[0x7f, 0xff, 0xff, 0xff][..], &[0, 1, 0, 0], &[0xff, 0xff, 0xff, 0xff, 7], &[0x80, 0x80, 4]] {
            let mut bytes = vec![0; zeroes];
            bytes.extend_from_slice(count);
            check_all(&bytes);
            bytes.extend_from_slice(&[1; 1000]);
            check_all(&bytes);
            bytes.resize(100_000, 1);
            check_all(&bytes);
        }
    }
}

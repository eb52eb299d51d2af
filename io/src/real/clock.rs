//! Both clocks and randomness of one core.

use crate::{Instant, Timestamp};

/// Read once a turn, so that everything in one turn happens at the same instant.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub now: Instant,
    pub wall: Timestamp,
}

impl Clock {
    pub fn read() -> Clock {
        Clock { now: now(), wall: wall() }
    }
}

/// Nanoseconds on the monotonic clock, this instant.
pub fn now() -> Instant {
    let (seconds, nanoseconds) = read(libc::CLOCK_MONOTONIC);
    Instant(seconds * 1_000_000_000 + nanoseconds)
}

pub fn wall() -> Timestamp {
    let (seconds, nanoseconds) = read(libc::CLOCK_REALTIME);
    Timestamp(i64::try_from(seconds * 1000 + nanoseconds / 1_000_000).expect("before the year 292 million"))
}

fn read(clock: libc::clockid_t) -> (u64, u64) {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` outlives the call.
    let done = unsafe { libc::clock_gettime(clock, &raw mut time) };
    assert_eq!(done, 0, "both clocks exist");
    // A clock set to before 1970 counts as 1970.
    (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// xoshiro256**, seeded by the operating system: for jitter and choices, not for secrets.
pub struct Random([u64; 4]);

impl Random {
    pub fn new() -> Random {
        let mut seed = [0u8; 32];
        // SAFETY: `seed` is writable for its whole length.
        let got = unsafe { libc::getrandom(seed.as_mut_ptr().cast(), seed.len(), 0) };
        assert_eq!(got, 32, "getrandom fills small requests whole");
        let word = |at: usize| u64::from_le_bytes(seed[at * 8..at * 8 + 8].try_into().expect("eight bytes"));
        // All zero is the one state it would never leave.
        Random([word(0) | 1, word(1), word(2), word(3)])
    }

    pub fn next(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_use_all_bits_and_differ_from_one_generator_to_the_next() {
        let (mut a, mut b) = (Random::new(), Random::new());
        let (mut ones, mut zeros) = (0, 0);
        for _ in 0..64 {
            let (x, y) = (a.next(), b.next());
            assert_ne!(x, y);
            ones |= x;
            zeros |= !x;
        }
        assert_eq!((ones, zeros), (u64::MAX, u64::MAX));
    }

    #[test]
    fn the_monotonic_clock_never_goes_back() {
        let mut last = now();
        for _ in 0..1000 {
            let next = now();
            assert!(next >= last);
            last = next;
        }
    }
}

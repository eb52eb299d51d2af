//! Where every draw comes from: one seed, split into streams, so that what one machine draws does not depend on how often
//! another one did.

/// SplitMix64. Not for secrets; for drawing the weather.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        let mut rng = Rng(seed ^ 0x6d69_6c6c_7261_6365);
        rng.draw();
        rng
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A stream of its own.
    pub fn fork(&mut self) -> Rng {
        Rng::new(self.draw())
    }

    /// From zero up to, not including, `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        assert!(end > 0, "nothing is below zero");
        self.draw() % end
    }

    /// Both ends included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high);
        if low == 0 && high == u64::MAX { self.draw() } else { low + self.below(high - low + 1) }
    }

    /// Small values often, large ones seldom: uniform in the number of bits.
    pub fn skewed(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high);
        let bits = 64 - (high - low).leading_zeros();
        let bits = self.below(u64::from(bits) + 1);
        let max = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
        low + self.between(0, max.min(high - low))
    }

    /// True `ppm` times in a million. Draws nothing when it can only be false, so that a fault which is off costs nothing.
    pub fn chance(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.below(1_000_000) < u64::from(ppm)
    }

    pub fn coin(&mut self) -> bool {
        self.draw() & 1 == 0
    }

    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("below a usize")
    }
}

/// A running checksum: cheap, order matters, eight bytes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash(u64);

impl Default for Hash {
    fn default() -> Hash {
        Hash(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    pub fn mix(&mut self, word: u64) {
        let x = (self.0 ^ word).wrapping_mul(0x9fb2_1c65_1e98_df25);
        self.0 = x ^ (x >> 32);
    }
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.mix(bytes.len() as u64);
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.mix(u64::from_le_bytes(word.try_into().expect("eight bytes")));
        }
        let rest = words.remainder();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.mix(u64::from_le_bytes(last));
    }
    pub fn value(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_again_and_another_draws_something_else() {
        let draw = |seed| {
            let mut rng = Rng::new(seed);
            (0..100).map(|_| rng.between(3, 900)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(draw(1).iter().all(|x| (3..=900).contains(x)));
    }

    #[test]
    fn a_chance_is_about_as_frequent_as_it_says() {
        let mut rng = Rng::new(7);
        let hits = (0..100_000).filter(|_| rng.chance(10_000)).count();
        assert!((800..1200).contains(&hits), "{hits} of 100000 at one percent");
        assert!(!rng.chance(0));
        assert!(rng.chance(1_000_000));
    }

    #[test]
    fn a_checksum_sees_order_and_length() {
        let of = |parts: &[&[u8]]| {
            let mut hash = Hash::default();
            parts.iter().for_each(|p| hash.bytes(p));
            hash.value()
        };
        assert_ne!(of(&[b"ab", b"cd"]), of(&[b"cd", b"ab"]));
        assert_ne!(of(&[b"ab\0"]), of(&[b"ab"]));
    }
}

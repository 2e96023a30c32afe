//! The seeded source of every choice: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).

/// A small deterministic random generator.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator whose whole sequence follows from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number in `0..below`; 0 if `below` is 0.
    pub const fn below(&mut self, below: u64) -> u64 {
        // The bias of a remainder is far below what any test here could see.
        if below == 0 { 0 } else { self.next_u64() % below }
    }

    /// A number in `from..=to`; `from` if the range is empty.
    pub const fn between(&mut self, from: u64, to: u64) -> u64 {
        if to <= from { from } else { from + self.below(to - from + 1) }
    }

    /// True once in `one_in` times; never if that is 0.
    pub const fn one_in(&mut self, one_in: u64) -> bool {
        one_in > 0 && self.below(one_in) == 0
    }
}

/// Spreads the bits of a number: different inputs give unrelated outputs.
pub(crate) const fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

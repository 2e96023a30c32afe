//! Random numbers that are the same everywhere and always.

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): small, fast, and good enough to draw resamples.
#[derive(Clone, Debug)]
pub struct SplitMix(u64);

impl SplitMix {
    /// The sequence of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of the standard normal distribution (Box and Muller 1958, one of the two).
    pub fn normal(&mut self) -> f64 {
        let unit = |bits: u64| ((bits >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        let (length, angle) = (unit(self.bits()), unit(self.bits()));
        (-2.0 * length.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }

    /// A whole number below `n`, 0 if `n` is 0. Its bias is below `n / 2^64`.
    pub const fn below(&mut self, n: usize) -> usize {
        ((self.bits() as u128 * n as u128) >> 64) as usize
    }
}

/// A seed, or a number for a name, that is the same everywhere and always (FNV-1a).
pub(crate) fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut random = SplitMix::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn normal_numbers_have_the_shares_of_their_distribution() {
        let mut random = SplitMix::new(2);
        let all: Vec<f64> = (0..20_000).map(|_| random.normal()).collect();
        let share = |limit: f64| all.iter().filter(|x| x.abs() <= limit).count() as f64 / all.len() as f64;
        assert!((share(1.0) - 0.682_7).abs() < 0.01 && (share(1.96) - 0.95).abs() < 0.006);
        assert!((all.iter().sum::<f64>() / all.len() as f64).abs() < 0.025);
    }

    #[test]
    fn every_number_below_n_is_drawn_about_equally_often() {
        let mut random = SplitMix::new(0);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[random.below(7)] += 1;
        }
        assert!(counts.iter().all(|c| (9_500..10_500).contains(c)), "{counts:?}");
    }
}

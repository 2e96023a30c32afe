//! Random numbers without state: the value of a cell is a function of seed, column and row alone.

use crate::spec::Skew;

/// Draws one column's values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw {
    stream: u64,
}

impl Draw {
    /// The values of column number `column` of table number `table`.
    pub(super) fn new(seed: u64, table: u64, column: u64) -> Self {
        Self { stream: scramble(scramble(seed ^ 0x6265_6e63_6864_6174).wrapping_add(table << 32 | column)) }
    }

    /// 64 random bits for a row.
    pub(super) fn bits(self, row: u64) -> u64 {
        scramble(self.stream.wrapping_add(row.wrapping_mul(GOLDEN)))
    }

    /// A number in `0..n`, each equally likely. The bias of the multiplication is below `n / 2^64`.
    pub(super) fn below(self, row: u64, n: u64) -> u64 {
        scale(self.bits(row), n)
    }

    /// Whether the row is among `percent` of all.
    pub(super) fn percent(self, row: u64, percent: u8) -> bool {
        percent > 0 && self.below(row, 100) < u64::from(percent)
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of splitmix64 (Steele, Lea, Flood, OOPSLA'14): a bijection whose outputs pass randomness tests even
/// for consecutive inputs.
fn scramble(x: u64) -> u64 {
    let x = x.wrapping_add(GOLDEN);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn scale(bits: u64, n: u64) -> u64 {
    ((u128::from(bits) * u128::from(n)) >> 64) as u64
}

/// Draws keys of `0..keys` with a skew. Which key is the frequent one differs from column to column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys {
    draw: Draw,
    order: Permutation,
    shape: Shape,
}

#[derive(Clone, Copy, Debug)]
enum Shape {
    Uniform,
    Zipf(Zipf),
    Hot,
}

impl Keys {
    pub(super) fn new(draw: Draw, keys: u64, skew: Skew) -> Self {
        let shape = match skew {
            Skew::Uniform => Shape::Uniform,
            Skew::Zipf08 => Shape::Zipf(Zipf::new(keys, 0.8)),
            Skew::Zipf12 => Shape::Zipf(Zipf::new(keys, 1.2)),
            Skew::Hot => Shape::Hot,
        };
        Self { draw, order: Permutation::new(draw, keys), shape }
    }

    /// The same, with this key the most frequent one. A uniform column has none and stays as it is.
    pub(super) fn led_by(mut self, key: u64) -> Self {
        self.order.start = key % self.order.len;
        self
    }

    /// The key of a row.
    pub(super) fn key(&self, row: u64) -> u64 {
        let keys = self.order.len;
        match self.shape {
            Shape::Uniform => self.draw.below(row, keys),
            Shape::Zipf(zipf) => self.order.at(zipf.rank(self.draw, row)),
            Shape::Hot => {
                let bits = self.draw.bits(row);
                // The top bit decides, the others draw: both halves of the range are used once.
                if bits >> 63 == 0 { self.order.at(0) } else { scale(bits << 1, keys) }
            }
        }
    }
}

/// Every number of `0..len` exactly once, in scattered order: `i -> (i * step + start) mod len` with `step` coprime to
/// `len`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Permutation {
    len: u64,
    step: u64,
    start: u64,
}

impl Permutation {
    pub(super) fn new(draw: Draw, len: u64) -> Self {
        let len = len.max(1);
        // Rows of negative number are never drawn, so these bits are independent of every value.
        let mut step = scale(draw.bits(u64::MAX), len).max(1);
        while gcd(step, len) != 1 {
            step += 1;
        }
        Self { len, step, start: scale(draw.bits(u64::MAX - 1), len) }
    }

    pub(super) fn at(&self, i: u64) -> u64 {
        let at = u128::from(i) * u128::from(self.step) + u128::from(self.start);
        (at % u128::from(self.len)) as u64
    }
}

const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Ranks with probability in proportion to `(rank + 1)^-s`, by rejection-inversion (Hörmann, Derflinger, TOMACS 6(3),
/// 1996): exact, no tables, about one draw per value.
#[derive(Clone, Copy, Debug)]
struct Zipf {
    s: f64,
    from: f64,
    to: f64,
    accept: f64,
    keys: f64,
}

impl Zipf {
    fn new(keys: u64, s: f64) -> Self {
        let keys = keys.max(1) as f64;
        let mut zipf = Self { s, from: 0.0, to: 0.0, accept: 0.0, keys };
        zipf.from = zipf.area(1.5) - 1.0;
        zipf.to = zipf.area(keys + 0.5);
        zipf.accept = 2.0 - zipf.area_inverse(zipf.area(2.5) - 2f64.powf(-s));
        zipf
    }

    /// The integral of `x^-s`.
    fn area(&self, x: f64) -> f64 {
        (x.powf(1.0 - self.s) - 1.0) / (1.0 - self.s)
    }

    fn area_inverse(&self, y: f64) -> f64 {
        y.mul_add(1.0 - self.s, 1.0).powf(1.0 / (1.0 - self.s))
    }

    fn rank(&self, draw: Draw, row: u64) -> u64 {
        let mut bits = draw.bits(row);
        loop {
            let unit = (bits >> 11) as f64 / (1u64 << 53) as f64;
            let u = self.to + unit * (self.from - self.to);
            let x = self.area_inverse(u);
            let k = x.round().clamp(1.0, self.keys);
            if k - x <= self.accept || u >= self.area(k + 0.5) - k.powf(-self.s) {
                return k as u64 - 1;
            }
            bits = scramble(bits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(skew: Skew, keys: u64, rows: u64) -> Vec<u64> {
        let draw = Keys::new(Draw::new(7, 1, 2), keys, skew);
        let mut counts = vec![0; keys as usize];
        (0..rows).for_each(|row| counts[draw.key(row) as usize] += 1);
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts
    }

    proptest! {
        #[test]
        fn a_permutation_meets_every_number_once(len in 1u64..500, seed: u64) {
            let order = Permutation::new(Draw::new(seed, 0, 0), len);
            let mut seen: Vec<u64> = (0..len).map(|i| order.at(i)).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..len).collect::<Vec<_>>());
        }

        #[test]
        fn draws_stay_below_their_bound(seed: u64, row: u64, n in 1u64..u64::MAX) {
            prop_assert!(Draw::new(seed, 3, 4).below(row, n) < n);
        }
    }

    #[test]
    fn zipf_frequencies_follow_the_power_law() {
        for (skew, s) in [(Skew::Zipf08, 0.8f64), (Skew::Zipf12, 1.2)] {
            let counts = counts(skew, 1000, 400_000);
            let norm: f64 = (1..=1000).map(|k| f64::from(k).powf(-s)).sum();
            for k in [1usize, 2, 5, 20] {
                let expected = 400_000.0 * (k as f64).powf(-s) / norm;
                let seen = counts[k - 1] as f64;
                assert!((seen / expected - 1.0).abs() < 0.1, "{skew:?} rank {k}: {seen} rows, expected {expected}");
            }
        }
    }

    #[test]
    fn one_hot_key_has_half_of_the_rows() {
        let counts = counts(Skew::Hot, 1000, 100_000);
        assert!((49_000..51_500).contains(&counts[0]), "{}", counts[0]);
        assert!(counts[1] < 120, "{}", counts[1]);
    }

    #[test]
    fn the_leading_key_is_the_most_frequent_one() {
        for skew in [Skew::Zipf08, Skew::Zipf12, Skew::Hot] {
            let draw = Keys::new(Draw::new(7, 1, 2), 1000, skew).led_by(321);
            let mut counts = vec![0u32; 1000];
            (0..50_000).for_each(|row| counts[draw.key(row) as usize] += 1);
            assert_eq!(counts.iter().max(), Some(&counts[321]), "{skew:?}");
        }
    }

    #[test]
    fn uniform_keys_are_all_about_equally_frequent() {
        let counts = counts(Skew::Uniform, 100, 100_000);
        assert!(counts[0] < 1_150 && counts[99] > 850, "{} {}", counts[0], counts[99]);
    }
}

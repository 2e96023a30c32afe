//! The bootstrap of a median: what it might have been, had other trials of the same kind been drawn.
//!
//! Percentile intervals (Efron and Tibshirani 1993, chapter 13). The bias-corrected BCa variant is no better here: its
//! acceleration comes from the jackknife, which is inconsistent for a median. Of few trials they are narrower than they
//! say (about 87 % instead of 95 % for seven), so they are used for ratios and totals only, where a test must agree
//! with them; the interval of a median alone is that of [`super::median_interval`].

use super::random::SplitMix;
use super::{Interval, median, sorted};

/// How many resamples an interval is made of.
pub const RESAMPLES: usize = 2000;
/// Where so many medians and more are resampled together, as many as [`RESAMPLES_OF_MANY`] will do.
pub const MANY_MEDIANS: usize = 3_000;
/// How many resamples an interval is made of then.
pub const RESAMPLES_OF_MANY: usize = 400;
/// From so many values on, the rank of a resample's median is taken to be normal.
const NORMAL_FROM: usize = 500;

/// How many resamples are drawn of each of so many medians.
#[must_use]
pub const fn resamples_of(medians: usize) -> usize {
    if medians >= MANY_MEDIANS { RESAMPLES_OF_MANY } else { RESAMPLES }
}

/// Medians of resamples, or what follows from them (ratios, totals), in the order they were drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Bootstrap(Vec<f64>);

impl Bootstrap {
    /// Resamples ascending values with replacement. None of fewer than two: one trial says nothing about the next.
    ///
    /// Two samples of one comparison need different seeds; with the same one their resamples would move together.
    #[must_use]
    pub fn of_median(ascending: &[f64], seed: u64) -> Option<Self> {
        Self::of_median_drawn(ascending, seed, RESAMPLES)
    }

    /// The same with so many resamples. All that are combined need as many.
    ///
    /// The median of a resample of `n` values is the value at the rank that the median of `n` uniform numbers has, which is
    /// distributed as Beta((n + 1) / 2, (n + 1) / 2). Of 500 values and more that is normal but for a thousandth of its
    /// deviation, and drawn as such: else a hundred thousand values would take as many draws two thousand times.
    #[must_use]
    pub fn of_median_drawn(ascending: &[f64], seed: u64, resamples: usize) -> Option<Self> {
        let n = ascending.len();
        if n < 2 {
            return None;
        }
        let mut random = SplitMix::new(seed);
        if n >= NORMAL_FROM {
            let deviation = 0.5 / (n as f64 + 2.0).sqrt();
            let rank = |random: &mut SplitMix| ((0.5 + deviation * random.normal()) * n as f64) as usize;
            let drawn = (0..resamples).map(|_| ascending.get(rank(&mut random).min(n - 1)).copied());
            return drawn.collect::<Option<_>>().map(Self);
        }
        // Counting how often each value is drawn avoids sorting every resample.
        let mut counts = vec![0u32; n];
        let medians = (0..resamples).map(|_| {
            counts.fill(0);
            for _ in 0..n {
                if let Some(count) = counts.get_mut(random.below(n)) {
                    *count += 1;
                }
            }
            middle(ascending, &counts)
        });
        Some(Self(medians.collect()))
    }

    /// The 95 % percentile interval.
    #[must_use]
    pub fn interval(&self) -> Interval {
        let ascending = sorted(self.0.iter().copied());
        let cut = ascending.len() / 40;
        let at = |i: usize| ascending.get(i).copied().unwrap_or(f64::NAN);
        Interval { low: at(cut), high: at(ascending.len().saturating_sub(1 + cut)) }
    }

    /// What the resample of that number gave.
    #[must_use]
    pub fn draw(&self, number: usize) -> Option<f64> {
        self.0.get(number).copied()
    }

    /// Resample by resample, this over the other.
    #[must_use]
    pub fn ratio(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a / b)
    }

    /// Resample by resample, anything of this and the other.
    #[must_use]
    pub fn combine(&self, other: &Self, with: impl Fn(f64, f64) -> f64) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| with(*a, *b)).collect())
    }

    /// Something of every resample.
    #[must_use]
    pub fn map(&self, with: impl Fn(f64) -> f64) -> Self {
        Self(self.0.iter().map(|x| with(*x)).collect())
    }

    /// Resample by resample, the sum of all; none of none.
    #[must_use]
    pub fn sum<'a>(mut all: impl Iterator<Item = &'a Self>) -> Option<Self> {
        let first = all.next()?.clone();
        Some(all.fold(first, |sum, next| sum.combine(next, |a, b| a + b)))
    }
}

/// The median of a resample given by how often each ascending value is in it.
fn middle(ascending: &[f64], counts: &[u32]) -> f64 {
    let n = ascending.len();
    let (low_rank, high_rank) = ((n - 1) / 2, n / 2);
    let mut passed = 0usize;
    let mut low = None;
    for (value, count) in ascending.iter().zip(counts) {
        passed += *count as usize;
        if passed > low_rank && low.is_none() {
            low = Some(*value);
        }
        if passed > high_rank {
            return f64::midpoint(low.unwrap_or(*value), *value);
        }
    }
    // Not reached: the counts sum to `n`. The plain median is the honest answer to a sum that does not.
    median(ascending).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn interval(values: &[f64], seed: u64) -> Interval {
        Bootstrap::of_median(&sorted(values.iter().copied()), seed).unwrap().interval()
    }

    #[test]
    fn one_trial_has_no_interval() {
        assert_eq!(Bootstrap::of_median(&[1.0], 1), None);
        assert_eq!(Bootstrap::of_median(&[], 1), None);
    }

    #[test]
    fn three_trials_give_their_range() {
        // The smallest of three is the resample's median with probability 7/27, far more than 2.5 %.
        assert_eq!(interval(&[3.0, 1.0, 2.0], 1), Interval { low: 1.0, high: 3.0 });
    }

    #[test]
    fn resampled_medians_follow_their_exact_distribution() {
        let Bootstrap(medians) = Bootstrap::of_median(&[1.0, 2.0, 3.0], 5).unwrap();
        let share = |x: f64| medians.iter().filter(|m| **m == x).count() as f64 / medians.len() as f64;
        assert!((share(1.0) - 7.0 / 27.0).abs() < 0.03);
        assert!((share(2.0) - 13.0 / 27.0).abs() < 0.03);
    }

    #[test]
    fn the_interval_covers_the_true_median_about_as_often_as_promised() {
        // 400 experiments of 15 uniform trials: nominally 95 % of the intervals hold the true median, 0.5.
        let mut random = SplitMix::new(99);
        let mut held = 0;
        for seed in 0..400 {
            let trials: Vec<f64> = (0..15).map(|_| random.bits() as f64 / u64::MAX as f64).collect();
            held += u32::from(interval(&trials, seed).contains(0.5));
        }
        assert!((360..=396).contains(&held), "{held} of 400");
    }

    #[test]
    fn the_rank_of_many_values_is_drawn_as_resampling_gives_it() {
        // Just below and at the limit, the same uniform values: deviations of the median are those of 1 / (2 sqrt(n + 2)).
        let deviation = |n: usize| {
            let values: Vec<f64> = (0..n).map(|i| (i as f64 + 0.5) / n as f64).collect();
            let Bootstrap(drawn) = Bootstrap::of_median(&values, 3).unwrap();
            let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
            assert!((mean - 0.5).abs() < 0.003, "{n}: {mean}");
            (drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / drawn.len() as f64).sqrt()
        };
        let (counted, normal) = (deviation(NORMAL_FROM - 1), deviation(NORMAL_FROM));
        assert!((normal / counted - 1.0).abs() < 0.06, "{counted} counted, {normal} normal");
        let interval = |n: usize| interval(&(0..n).map(|i| i as f64 / n as f64).collect::<Vec<_>>(), 8);
        let (few, many) = (interval(NORMAL_FROM - 1), interval(NORMAL_FROM));
        assert!((few.low - many.low).abs() < 0.01 && (few.high - many.high).abs() < 0.01, "{few:?} {many:?}");
    }

    #[test]
    fn fewer_resamples_of_many_medians_give_about_the_same_interval() {
        let values = [1.0, 1.01, 1.03, 1.04, 1.06, 1.07, 1.1, 1.12, 1.13];
        let few = Bootstrap::of_median_drawn(&values, 4, RESAMPLES_OF_MANY).unwrap().interval();
        let all = interval(&values, 4);
        assert!((few.low - all.low).abs() < 0.03 && (few.high - all.high).abs() < 0.03, "{few:?} {all:?}");
        assert_eq!([resamples_of(MANY_MEDIANS - 1), resamples_of(MANY_MEDIANS)], [RESAMPLES, RESAMPLES_OF_MANY]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn identical_samples_have_a_ratio_interval_with_one(
            values in prop::collection::vec(1.0f64..1e9, 2..20), seed in any::<u64>(),
        ) {
            let values = sorted(values);
            let a = Bootstrap::of_median(&values, seed).unwrap();
            let b = Bootstrap::of_median(&values, seed ^ 0x5555).unwrap();
            prop_assert!(a.ratio(&b).interval().contains(1.0));
        }

        #[test]
        fn scaling_the_values_scales_the_interval(
            values in prop::collection::vec(1.0f64..1e6, 2..20), power in -10i32..10, seed in any::<u64>(),
        ) {
            // Powers of two scale without rounding, so equality is exact.
            let scale = 2f64.powi(power);
            let scaled: Vec<f64> = values.iter().map(|v| v * scale).collect();
            let (a, b) = (interval(&values, seed), interval(&scaled, seed));
            prop_assert_eq!((a.low * scale, a.high * scale), (b.low, b.high));
        }

        #[test]
        fn the_interval_lies_within_the_values_and_holds_the_median(
            values in prop::collection::vec(1.0f64..1e6, 2..20), seed in any::<u64>(),
        ) {
            let values = sorted(values);
            let interval = interval(&values, seed);
            prop_assert!(values[0] <= interval.low && interval.high <= values[values.len() - 1]);
            prop_assert!(interval.contains(median(&values).unwrap()));
        }

        #[test]
        fn equal_seeds_give_equal_bytes(values in prop::collection::vec(1.0f64..1e6, 2..20), seed in any::<u64>()) {
            let values = sorted(values);
            prop_assert_eq!(Bootstrap::of_median(&values, seed), Bootstrap::of_median(&values, seed));
        }
    }
}

//! When two samples of times differ, and when nobody may say so.

use super::bootstrap::{Bootstrap, RESAMPLES};
use super::mann_whitney::{MannWhitney, least_p};
use super::{Interval, coefficient_of_variation, median, median_interval, sorted};
use crate::comparison::Verdict;

/// Times of one case, ready to be compared.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The times, ascending.
    pub ascending: Vec<f64>,
    /// Their median.
    pub median: f64,
    /// Their coefficient of variation, of two or more.
    pub cv: Option<f64>,
    /// Resampled medians, of two or more.
    pub bootstrap: Option<Bootstrap>,
    /// Whether something else disturbed the machine during some of them.
    pub contaminated: bool,
}

impl Sample {
    /// None of no values. Samples that will be compared need different seeds.
    #[must_use]
    pub fn new(values: impl IntoIterator<Item = f64>, seed: u64) -> Option<Self> {
        Self::resampled(values, seed, RESAMPLES)
    }

    /// The same with so many resamples. Samples that will be compared need as many.
    #[must_use]
    pub fn resampled(values: impl IntoIterator<Item = f64>, seed: u64, resamples: usize) -> Option<Self> {
        let ascending = sorted(values);
        let median = median(&ascending)?;
        let cv = coefficient_of_variation(&ascending);
        let bootstrap = Bootstrap::of_median_drawn(&ascending, seed, resamples);
        Some(Self { ascending, median, cv, bootstrap, contaminated: false })
    }

    /// The interval of the median, of two or more: see [`median_interval`].
    #[must_use]
    pub fn interval(&self) -> Option<Interval> {
        median_interval(&self.ascending)
    }
}

/// The variation that is noise of a number made of these samples: that of the only one. Of several it evens out.
pub(crate) fn lone_variation<'s>(mut samples: impl Iterator<Item = &'s Sample>) -> Option<f64> {
    let first = samples.next()?;
    samples.next().map_or(first.cv, |_| None)
}

/// A difference is only claimed if chance alone would give one as large less often than this.
pub const P_MAX: f64 = 0.05;

/// What a test says about a difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// The probability of such a difference by chance alone.
    pub p: f64,
    /// The smallest that this many trials can give.
    pub least_p: f64,
}

impl Evidence {
    /// That of a rank test between samples of these sizes.
    #[must_use]
    pub fn of_ranks(test: Option<MannWhitney>, n: usize, m: usize) -> Self {
        Self { p: test.map_or(1.0, |t| t.p_two_sided), least_p: least_p(n, m) }
    }
}

/// How far a ratio is from 1, the same in both directions: 0.25 for 1.25 and for 0.8.
#[must_use]
pub fn effect(ratio: f64) -> f64 {
    ratio.max(1.0 / ratio) - 1.0
}

/// What may be said of a ratio. Nothing is claimed without an interval, when the interval holds 1, when the effect is
/// within the noise (the A/A floor, or the variation of either sample), or when the test does not bear it out:
/// intervals of few trials are narrower than they say.
#[must_use]
pub fn judge(
    ratio: f64,
    interval: Option<Interval>,
    evidence: Evidence,
    noise: impl IntoIterator<Item = Option<f64>>,
) -> Verdict {
    let noise = noise.into_iter().flatten().fold(0.0, f64::max);
    match interval {
        None => Verdict::Unresolved,
        Some(interval) if interval.contains(1.0) || effect(ratio) <= noise => Verdict::Indistinguishable,
        Some(_) if evidence.least_p > P_MAX => Verdict::Unresolved,
        Some(_) if evidence.p > P_MAX => Verdict::Indistinguishable,
        Some(_) if ratio < 1.0 => Verdict::Faster,
        Some(_) => Verdict::Slower,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: Evidence = Evidence { p: 0.01, least_p: 0.01 };

    fn verdict(ratio: f64, low: f64, high: f64, noise: f64) -> Verdict {
        judge(ratio, Some(Interval { low, high }), SHOWN, [Some(noise), None])
    }

    #[test]
    fn an_effect_that_the_test_does_not_bear_out_claims_nothing() {
        let judged = |p, least_p| judge(2.0, Some(Interval { low: 1.9, high: 2.1 }), Evidence { p, least_p }, [None]);
        assert_eq!(judged(0.05, 0.01), Verdict::Slower);
        assert_eq!(judged(0.06, 0.01), Verdict::Indistinguishable);
        assert_eq!(judged(0.1, 0.1), Verdict::Unresolved);
    }

    #[test]
    fn an_interval_that_holds_one_claims_nothing() {
        assert_eq!(verdict(1.1, 0.99, 1.2, 0.0), Verdict::Indistinguishable);
        assert_eq!(verdict(1.1, 1.01, 1.2, 0.0), Verdict::Slower);
        assert_eq!(verdict(0.9, 0.8, 0.95, 0.0), Verdict::Faster);
    }

    #[test]
    fn an_effect_within_the_noise_claims_nothing_in_either_direction() {
        assert_eq!(verdict(1.1, 1.05, 1.2, 0.12), Verdict::Indistinguishable);
        assert_eq!(verdict(1.0 / 1.1, 0.8, 0.95, 0.12), Verdict::Indistinguishable);
        assert_eq!(verdict(1.1, 1.05, 1.2, 0.09), Verdict::Slower);
    }

    #[test]
    fn without_an_interval_nothing_is_resolved() {
        assert_eq!(judge(5.0, None, SHOWN, [None]), Verdict::Unresolved);
        let sample = Sample::new([3.0], 1).unwrap();
        assert_eq!((sample.median, sample.cv, sample.interval()), (3.0, None, None));
        assert!(Sample::new([], 1).is_none());
    }

    #[test]
    fn the_variation_of_one_sample_counts_and_that_of_several_evens_out() {
        let sample = Sample::new([1.0, 2.0], 1).unwrap();
        assert_eq!(lone_variation([&sample].into_iter()), sample.cv);
        assert_eq!([lone_variation([&sample, &sample].into_iter()), lone_variation(std::iter::empty())], [None, None]);
    }
}

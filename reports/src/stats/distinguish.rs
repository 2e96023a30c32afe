//! When two samples of times differ, and when nobody may say so.

use super::bootstrap::Bootstrap;
use super::{Interval, coefficient_of_variation, median, sorted};
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
}

impl Sample {
    /// None of no values. Samples that will be compared need different seeds.
    #[must_use]
    pub fn new(values: impl IntoIterator<Item = f64>, seed: u64) -> Option<Self> {
        let ascending = sorted(values);
        let median = median(&ascending)?;
        let cv = coefficient_of_variation(&ascending);
        let bootstrap = Bootstrap::of_median(&ascending, seed);
        Some(Self { ascending, median, cv, bootstrap })
    }

    /// The 95 % interval of the median, of two or more.
    #[must_use]
    pub fn interval(&self) -> Option<Interval> {
        self.bootstrap.as_ref().map(Bootstrap::interval)
    }
}

/// How far a ratio is from 1, the same in both directions: 0.25 for 1.25 and for 0.8.
#[must_use]
pub fn effect(ratio: f64) -> f64 {
    ratio.max(1.0 / ratio) - 1.0
}

/// What may be said of a ratio. Nothing is claimed without an interval, when the interval holds 1, or when the effect is
/// within the noise: the A/A floor, or the variation of either sample.
#[must_use]
pub fn judge(ratio: f64, interval: Option<Interval>, noise: impl IntoIterator<Item = Option<f64>>) -> Verdict {
    let noise = noise.into_iter().flatten().fold(0.0, f64::max);
    match interval {
        None => Verdict::Unresolved,
        Some(interval) if interval.contains(1.0) || effect(ratio) <= noise => Verdict::Indistinguishable,
        Some(_) if ratio < 1.0 => Verdict::Faster,
        Some(_) => Verdict::Slower,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(ratio: f64, low: f64, high: f64, noise: f64) -> Verdict {
        judge(ratio, Some(Interval { low, high }), [Some(noise), None])
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
        assert_eq!(judge(5.0, None, [None]), Verdict::Unresolved);
        let sample = Sample::new([3.0], 1).unwrap();
        assert_eq!((sample.median, sample.cv, sample.interval()), (3.0, None, None));
        assert!(Sample::new([], 1).is_none());
    }
}

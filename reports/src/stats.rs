//! Statistics of few, skewed, positive measurements. Medians, because one disturbed trial moves a mean at will.

mod bootstrap;
mod distinguish;
mod false_discovery;
mod holm;
mod mann_whitney;
mod moderation;
mod random;
mod scalability;
mod shift;
mod sign;
mod stratified;
mod student;

pub use bootstrap::{Bootstrap, MANY_MEDIANS, RESAMPLES, RESAMPLES_OF_MANY, resamples_of};
pub(crate) use distinguish::lone_variation;
pub use distinguish::{Evidence, P_MAX, Sample, effect, judge};
pub use false_discovery::false_discovery;
pub use holm::holm;
pub use mann_whitney::{MannWhitney, least_p, mann_whitney};
pub(crate) use moderation::Moderation;
pub use random::SplitMix;
pub(crate) use random::fnv1a;
pub(crate) use scalability::fit as usl_fit;
pub use scalability::{POINTS_MIN, Peak, Point, Scalability, scalability};
pub use shift::ratio_interval;
pub use sign::{least_sign_p, sign_test};
pub use stratified::{Stratified, Stratum, stratified};
pub use student::{share_bounds, student_quantile, student_tails};

use serde::Serialize;

/// The median of the absolute deviations of a normal distribution is a standard deviation times 1 / 1.4826.
pub(crate) const MAD_TO_DEVIATION: f64 = 1.4826;

/// From so many values on, there is an interval of a median with 95 % confidence. With five, even the range of the
/// values holds the true median in 93.75 % of experiments only.
pub const INTERVAL_TRIALS: usize = 6;

/// A range that holds the true value with 95 % confidence, or, of fewer than [`INTERVAL_TRIALS`] values, just their
/// range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// Whether a value lies in it, ends included.
    #[must_use]
    pub fn contains(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// The values in ascending order.
#[must_use]
pub fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The middle of ascending values, or the mean of the two middle ones; none of none.
#[must_use]
pub fn median(ascending: &[f64]) -> Option<f64> {
    let n = ascending.len();
    let high = *ascending.get(n / 2)?;
    let low = *ascending.get((n - 1) / 2)?;
    Some(f64::midpoint(low, high))
}

/// Of [`INTERVAL_TRIALS`] ascending values or more, the narrowest pair of values, equally far from both ends, between
/// which the true median lies with at least 95 % confidence whatever the distribution (the sign test turned round). Of
/// fewer, their range; none of fewer than two.
#[must_use]
pub fn median_interval(ascending: &[f64]) -> Option<Interval> {
    let n = ascending.len();
    if n < 2 {
        return None;
    }
    // How many values lie below the median is a fair coin's count: values are cut off as long as both tails stay below
    // 5 %.
    let (mut cut, mut tail) = (0, 0.0);
    let mut log_share = -(n as f64) * std::f64::consts::LN_2;
    loop {
        tail += 2.0 * log_share.exp();
        if tail > 0.05 || cut + 1 >= n.div_ceil(2) {
            break;
        }
        cut += 1;
        log_share += ((n - cut + 1) as f64 / cut as f64).ln();
    }
    // `cut` tails of 5 % or less were found; the outermost value that is kept has one tail less behind it.
    let at = cut.saturating_sub(1);
    Some(Interval { low: *ascending.get(at)?, high: *ascending.get(n - 1 - at)? })
}

/// The smallest of ascending values that is not below a share `q` of them (nearest rank); none of none.
#[must_use]
pub fn quantile(ascending: &[f64], q: f64) -> Option<f64> {
    let rank = (q * ascending.len() as f64).ceil() as usize;
    ascending.get(rank.saturating_sub(1)).or(ascending.last()).copied()
}

/// Sample standard deviation over mean; none of fewer than two values or of a mean that is not positive.
#[must_use]
pub fn coefficient_of_variation(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if values.len() < 2 || mean <= 0.0 {
        return None;
    }
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    Some((squares / (n - 1.0)).sqrt() / mean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn medians_of_odd_even_and_no_values() {
        assert_eq!(median(&[1.0, 2.0, 9.0]), Some(2.0));
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), Some(3.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let values: Vec<f64> = (1..=40).map(f64::from).collect();
        assert_eq!(quantile(&values, 0.95), Some(38.0));
        assert_eq!(quantile(&values[..3], 0.95), Some(3.0));
        assert_eq!(quantile(&values, 0.0), Some(1.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn intervals_of_medians_cut_off_as_much_as_the_coin_allows() {
        let ends = |n: u32| {
            let values: Vec<f64> = (1..=n).map(f64::from).collect();
            median_interval(&values).map(|i| (i.low as u32, i.high as u32))
        };
        // Tabulated for the sign test: n = 9 gives 96.1 %, n = 10 97.9 %, n = 15 96.5 %, n = 100 96.5 %.
        let known = [(6, 1, 6), (8, 1, 8), (9, 2, 8), (10, 2, 9), (15, 4, 12), (20, 6, 15), (100, 40, 61)];
        for (n, low, high) in known {
            assert_eq!(ends(n), Some((low, high)), "{n}");
        }
        assert_eq!([ends(1), ends(2), ends(5)], [None, Some((1, 2)), Some((1, 5))]);
        let (low, high) = ends(5_000).unwrap();
        assert!((2_425..2_435).contains(&low) && low + high == 5_001, "{low} {high}");
    }

    #[test]
    fn the_interval_holds_the_true_median_at_least_as_often_as_promised() {
        let mut random = SplitMix::new(5);
        for n in [6, 7, 8, 10, 15] {
            let held = (0..2_000).filter(|_| {
                let trials = sorted((0..n).map(|_| random.bits() as f64 / u64::MAX as f64));
                median_interval(&trials).unwrap().contains(0.5)
            });
            // Two standard errors of 2,000 experiments are one percent.
            let held = held.count();
            assert!(held >= 1_880, "{held} of 2000 with n = {n}");
        }
    }

    #[test]
    fn variation_needs_two_values() {
        assert_eq!(coefficient_of_variation(&[5.0]), None);
        assert_eq!(coefficient_of_variation(&[5.0, 5.0]), Some(0.0));
        assert_eq!(coefficient_of_variation(&[0.0, 0.0]), None);
        let known = coefficient_of_variation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert!((known - (32.0f64 / 7.0).sqrt() / 5.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn scaling_the_values_scales_the_median_and_keeps_the_variation(
            values in prop::collection::vec(1.0f64..1e9, 2..30), scale in 0.001f64..1000.0,
        ) {
            let scaled: Vec<f64> = values.iter().map(|v| v * scale).collect();
            let (a, b) = (median(&sorted(values.clone())).unwrap(), median(&sorted(scaled.clone())).unwrap());
            prop_assert!((b / (a * scale) - 1.0).abs() < 1e-9);
            let (a, b) = (coefficient_of_variation(&values).unwrap(), coefficient_of_variation(&scaled).unwrap());
            prop_assert!((a - b).abs() < 1e-9);
        }
    }
}

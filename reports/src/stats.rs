//! Statistics of few, skewed, positive measurements. Medians, because one disturbed trial moves a mean at will.

mod bootstrap;
mod distinguish;
mod mann_whitney;
mod random;

pub use bootstrap::{Bootstrap, RESAMPLES};
pub use distinguish::{Sample, effect, judge};
pub use mann_whitney::{MannWhitney, mann_whitney};
pub use random::SplitMix;

use serde::Serialize;

/// A range that holds the true value with 95 % confidence.
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

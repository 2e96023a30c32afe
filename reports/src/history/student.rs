//! Student's test of two means, for segments of a series.

use crate::stats::student_tails;

/// What a segment is to the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Segment {
    n: f64,
    pub(super) mean: f64,
    variance: f64,
}

impl Segment {
    /// Of no values, the mean is not a number.
    ///
    /// The variance is that of the values themselves (divided by `n`), as Apache Otava 0.8 has it; the unbiased one would
    /// make the probabilities of very short segments larger.
    pub(super) fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        Self { n, mean, variance }
    }

    /// The two-sided probability of means so far apart if both segments have one mean and one variance; not a number of
    /// segments without any variation and with equal means, 1 of too few values.
    pub(super) fn p(&self, other: &Self) -> f64 {
        let freedom = self.n + other.n - 2.0;
        if freedom < 1.0 {
            return 1.0;
        }
        let pooled = ((self.n - 1.0) * self.variance + (other.n - 1.0) * other.variance) / freedom;
        let t = (self.mean - other.mean) / (pooled * (1.0 / self.n + 1.0 / other.n)).sqrt();
        if t.is_nan() { f64::NAN } else { student_tails(t, freedom) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_without_variation_differ_for_sure_or_not_at_all() {
        let flat = |x: f64| Segment::of(&[x; 5]);
        assert_eq!(flat(1.0).p(&flat(2.0)), 0.0);
        assert!(flat(1.0).p(&flat(1.0)).is_nan());
        assert_eq!(Segment::of(&[1.0]).p(&Segment::of(&[2.0])), 1.0);
    }
}

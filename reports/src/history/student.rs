//! Student's test of two means, for segments of a series.

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
        if t.is_nan() { f64::NAN } else { two_sided(t.abs(), freedom as u32) }
    }
}

/// The probability beyond `t` on either side for a whole number of degrees of freedom (Abramowitz and Stegun 26.7.3 and
/// 26.7.4: finite sums, exact but for rounding, which leaves an absolute error of about 1e-15).
fn two_sided(t: f64, freedom: u32) -> f64 {
    if t.is_infinite() {
        return 0.0;
    }
    let theta = (t / f64::from(freedom).sqrt()).atan();
    let (sine, cosine) = theta.sin_cos();
    let square = cosine * cosine;
    let is_odd = freedom % 2 == 1;
    // The first term, and by which numbers each next one is multiplied and divided.
    let (mut term, first) = if is_odd { (cosine, 2u32) } else { (1.0, 1) };
    let mut sum = if freedom == 1 { 0.0 } else { term };
    let mut factor = first;
    while factor + 1 < freedom {
        term *= square * f64::from(factor) / f64::from(factor + 1);
        sum += term;
        factor += 2;
    }
    let inside = if is_odd { (theta + sine * sum) * std::f64::consts::FRAC_2_PI } else { sine * sum };
    (1.0 - inside).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_the_tabulated_ones() {
        // Quantiles of Student's distribution for 5 % and 0.1 %, two-sided.
        let tabulated = [
            (12.706_205, 1, 0.05),
            (4.302_653, 2, 0.05),
            (3.182_446, 3, 0.05),
            (2.228_139, 10, 0.05),
            (2.042_272, 30, 0.05),
            (636.619_249, 1, 0.001),
            (31.599_055, 2, 0.001),
            (4.586_894, 10, 0.001),
            (3.550_966, 40, 0.001),
        ];
        for (t, freedom, p) in tabulated {
            assert!((two_sided(t, freedom) / p - 1.0).abs() < 1e-5, "{t} {freedom}: {}", two_sided(t, freedom));
        }
        assert_eq!([two_sided(0.0, 7), two_sided(f64::INFINITY, 7)], [1.0, 0.0]);
    }

    #[test]
    fn segments_without_variation_differ_for_sure_or_not_at_all() {
        let flat = |x: f64| Segment::of(&[x; 5]);
        assert_eq!(flat(1.0).p(&flat(2.0)), 0.0);
        assert!(flat(1.0).p(&flat(1.0)).is_nan());
        assert_eq!(Segment::of(&[1.0]).p(&Segment::of(&[2.0])), 1.0);
    }
}

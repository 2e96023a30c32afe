//! Variances of few values each, made steadier by what all of them have in common.

/// What variances of many cases have in common: a prior of so many degrees of freedom and that size (Smyth 2004, section 6.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moderation {
    variance: f64,
    freedom: f64,
}

/// However alike variances look, their prior is worth no more: it is estimated itself, from cases that share a machine.
const FREEDOM_MAX: f64 = 8.0;

impl Moderation {
    /// From variances, each with its degrees of freedom. Of fewer than three there is no prior: each stands alone.
    pub(crate) fn of(variances: &[(f64, f64)]) -> Self {
        let usable: Vec<(f64, f64)> =
            variances.iter().copied().filter(|(v, d)| *v > 0.0 && v.is_finite() && *d >= 1.0).collect();
        let n = usable.len() as f64;
        if usable.len() < 3 {
            return Self { variance: 0.0, freedom: 0.0 };
        }
        let logs: Vec<f64> = usable.iter().map(|(v, d)| v.ln() - digamma(d / 2.0) + (d / 2.0).ln()).collect();
        let mean = logs.iter().sum::<f64>() / n;
        let explained = usable.iter().map(|(_, d)| trigamma(d / 2.0)).sum::<f64>() / n;
        let apart = logs.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / (n - 1.0) - explained;
        let freedom = if apart > 0.0 { (2.0 * trigamma_inverse(apart)).min(FREEDOM_MAX) } else { FREEDOM_MAX };
        Self { variance: (mean + digamma(freedom / 2.0) - (freedom / 2.0).ln()).exp(), freedom }
    }

    /// A case's variance with `freedom` degrees of freedom and the common one together, and their degrees of freedom.
    pub(crate) fn with(self, variance: f64, freedom: f64) -> (f64, f64) {
        let all = self.freedom + freedom;
        if all > 0.0 { ((self.freedom * self.variance + freedom * variance) / all, all) } else { (variance, 0.0) }
    }
}

/// The derivative of the logarithm of the gamma function for `x > 0` (recurrence, then the asymptotic series).
fn digamma(mut x: f64) -> f64 {
    let mut sum = 0.0;
    while x < 8.0 {
        sum -= 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    sum + x.ln() - 0.5 / x - square * (1.0 / 12.0 - square * (1.0 / 120.0 - square / 252.0))
}

/// Its derivative.
fn trigamma(mut x: f64) -> f64 {
    let mut sum = 0.0;
    while x < 8.0 {
        sum += 1.0 / (x * x);
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    sum + 1.0 / x + square / 2.0 + square / x * (1.0 / 6.0 - square * (1.0 / 30.0 - square / 42.0))
}

/// Where [`trigamma`], which falls from infinity to 0, is `y > 0`.
fn trigamma_inverse(y: f64) -> f64 {
    let (mut low, mut high) = (1e-6f64, 1e6f64);
    for _ in 0..200 {
        let middle = (low * high).sqrt();
        if trigamma(middle) > y { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_have_their_known_values() {
        assert!((digamma(1.0) + 0.577_215_664_9).abs() < 1e-9, "{}", digamma(1.0));
        assert!((trigamma(1.0) - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-8, "{}", trigamma(1.0));
        assert!((trigamma(trigamma_inverse(0.3)) - 0.3).abs() < 1e-9);
    }

    #[test]
    fn equal_variances_lend_each_other_freedom_and_unequal_ones_do_not() {
        let alike = Moderation::of(&[(1.0, 3.0), (1.1, 3.0), (0.9, 3.0), (1.05, 3.0)]);
        assert_eq!(alike.with(1.0, 3.0).1, 3.0 + FREEDOM_MAX);
        let apart = Moderation::of(&[(1.0, 3.0), (1e4, 3.0), (1e-4, 3.0), (1e2, 3.0), (1e-2, 3.0)]);
        assert!(apart.with(1.0, 3.0).1 < 4.0, "{apart:?}");
        assert_eq!(Moderation::of(&[(1.0, 3.0), (2.0, 3.0)]).with(5.0, 3.0), (5.0, 3.0));
    }
}

//! Student's distribution for any number of degrees of freedom, and exact intervals of a share, both by the incomplete beta
//! function.

/// The logarithm of the gamma function of `x > 0` (Lanczos 1964, g = 7, nine terms; relative error below 1e-13).
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    // Below a half the series is poor: the recurrence leads above it.
    if x < 0.5 {
        return ln_gamma(x + 1.0) - x.ln();
    }
    let x = x - 1.0;
    let mut sum = 0.999_999_999_999_809_9;
    for (i, term) in TERMS.iter().enumerate() {
        sum += term / (x + i as f64 + 1.0);
    }
    let t = x + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// The regularized incomplete beta function of `0 <= x <= 1` and `a, b > 0` (continued fraction, Abramowitz and Stegun 26.5.8,
/// evaluated as Lentz does).
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges fast on one side of the mean; the other follows by symmetry.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp() / a;
    let away = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let (mut c, mut d) = (1.0, 1.0 / away(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for i in 1..500 {
        let m = f64::from(i);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = fraction;
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            fraction *= c * d;
        }
        if (fraction / before - 1.0).abs() < 1e-14 {
            break;
        }
    }
    (front * fraction).clamp(0.0, 1.0)
}

/// The probability beyond `t` on either side with so many degrees of freedom; 1 of what is no number.
#[must_use]
pub fn student_tails(t: f64, freedom: f64) -> f64 {
    if t.is_nan() || freedom.is_nan() || freedom <= 0.0 {
        return 1.0;
    }
    if t.is_infinite() { 0.0 } else { incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + t * t)) }
}

/// Beyond which `t` on either side together lie with probability `p`; infinite without degrees of freedom.
#[must_use]
pub fn student_quantile(p: f64, freedom: f64) -> f64 {
    if freedom <= 0.0 {
        return f64::INFINITY;
    }
    let (mut low, mut high) = (0.0f64, 1.0f64);
    while student_tails(high, freedom) > p && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if student_tails(middle, freedom) > p { low = middle } else { high = middle }
    }
    high
}

/// The shares below which, and above which, `count` of `n` are no longer believed, each with an error of 5 % (Clopper and Pearson
/// 1934): exact, whatever the share. 0 and 1 of nothing.
#[must_use]
pub fn share_bounds(count: usize, n: usize) -> (f64, f64) {
    let (k, n) = (count as f64, n as f64);
    let solve = |is_above: &dyn Fn(f64) -> bool| {
        let (mut low, mut high) = (0.0f64, 1.0f64);
        for _ in 0..100 {
            let middle = f64::midpoint(low, high);
            if is_above(middle) { high = middle } else { low = middle }
        }
        f64::midpoint(low, high)
    };
    // P(X >= k) grows with the share, and is the incomplete beta function.
    let low = if k < 1.0 { 0.0 } else { solve(&|p| incomplete_beta(k, n - k + 1.0, p) > 0.05) };
    let high = if k >= n { 1.0 } else { solve(&|p| incomplete_beta(k + 1.0, n - k, p) > 0.95) };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_tabulated_ones() {
        let tabulated = [
            (12.706_205, 1.0, 0.05),
            (4.302_653, 2.0, 0.05),
            (3.182_446, 3.0, 0.05),
            (2.228_139, 10.0, 0.05),
            (2.042_272, 30.0, 0.05),
            (636.619_249, 1.0, 0.001),
            (31.599_055, 2.0, 0.001),
            (4.586_894, 10.0, 0.001),
            (3.550_966, 40.0, 0.001),
            (1.959_964, 1e7, 0.05),
        ];
        for (t, freedom, p) in tabulated {
            assert!((student_tails(t, freedom) / p - 1.0).abs() < 1e-5, "{t} {freedom}");
            assert!((student_quantile(p, freedom) / t - 1.0).abs() < 1e-5, "{t} {freedom}");
        }
        assert_eq!(
            [student_tails(0.0, 7.0), student_tails(f64::INFINITY, 7.0), student_tails(f64::NAN, 7.0)],
            [1.0, 0.0, 1.0]
        );
        // Between whole numbers of degrees of freedom it lies between their values.
        let between = student_quantile(0.05, 2.5);
        assert!(between < 4.302_653 && between > 3.182_446, "{between}");
        assert_eq!(student_quantile(0.05, 0.0), f64::INFINITY);
    }

    #[test]
    fn bounds_of_a_share_are_the_tabulated_ones() {
        // One-sided 95 %: the rule of three, 1 - 0.05^(1/n), and R's binom.test(k, n, conf.level = 0.9).
        assert!((share_bounds(0, 299).1 - (1.0 - 0.05f64.powf(1.0 / 299.0))).abs() < 1e-9);
        let (low, high) = share_bounds(3, 20);
        assert!((low - 0.042_169).abs() < 1e-5 && (high - 0.343_664).abs() < 1e-3, "{low} {high}");
        assert_eq!((share_bounds(0, 0), share_bounds(5, 5).1), ((0.0, 1.0), 1.0));
    }
}

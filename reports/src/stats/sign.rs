//! The sign test: on which side of a value a median lies, whatever the distribution. It is [`super::median_interval`] turned
//! round: a value outside that interval has a probability of at most 5 %.

use std::f64::consts::LN_2;

/// The probability that values lie at least as unevenly on both sides of `at` if their median is there: exact, both sides
/// counted. Values equal to `at` lie on neither side and are left out (Dixon and Mood 1946); 1 if none is left.
#[must_use]
pub fn sign_test(values: &[f64], at: f64) -> f64 {
    let below = values.iter().filter(|v| **v < at).count();
    let above = values.iter().filter(|v| **v > at).count();
    let (n, fewer) = (below + above, below.min(above));
    // How many lie on the emptier side is a fair coin's count: from none of them on, one factor at a time.
    let (mut tail, mut log_share) = (0.0, -(n as f64) * LN_2);
    for k in 0..=fewer {
        tail += log_share.exp();
        log_share += ((n - k) as f64 / (k + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}

/// The smallest probability that the sign test of so many values can give: 2^(1 - n), if all of them lie on one side.
#[must_use]
pub fn least_sign_p(n: usize) -> f64 {
    (1.0 - n as f64).exp2().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{INTERVAL_TRIALS, SplitMix, median_interval, sorted};
    use proptest::prelude::*;

    /// So many values below 0, at 0 and above it.
    fn p(below: usize, equal: usize, above: usize) -> f64 {
        let values = [vec![-1.0; below], vec![0.0; equal], vec![1.0; above]].concat();
        sign_test(&values, 0.0)
    }

    #[test]
    fn probabilities_are_the_tabulated_ones() {
        // R's binom.test(k, n)$p.value.
        let known = [
            ((0, 6), 0.031_25),
            ((1, 5), 0.218_75),
            ((1, 7), 0.070_312_5),
            ((0, 10), 0.001_953_125),
            ((1, 9), 0.021_484_375),
            ((2, 8), 0.109_375),
            ((5, 15), 0.041_389_465_332_031_25),
            ((4, 5), 1.0),
            ((5, 5), 1.0),
        ];
        for ((below, above), wanted) in known {
            for p in [p(below, 0, above), p(above, 0, below)] {
                assert!((p - wanted).abs() < 1e-12, "{below} below, {above} above: {p} and not {wanted}");
            }
        }
    }

    #[test]
    fn values_at_the_median_that_is_tested_say_nothing() {
        assert_eq!([p(0, 3, 6), p(2, 1, 8)], [p(0, 0, 6), p(2, 0, 8)]);
        assert_eq!([p(0, 4, 0), sign_test(&[], 1.0)], [1.0, 1.0]);
    }

    #[test]
    fn six_values_give_no_less_than_one_in_thirty_two() {
        for n in 0..40 {
            assert!((least_sign_p(n) - p(0, 0, n)).abs() < 1e-12, "{n}");
        }
        assert!((least_sign_p(6) - 1.0 / 32.0).abs() < 1e-15);
    }

    #[test]
    fn a_true_median_is_rejected_no_more_often_than_promised() {
        let mut random = SplitMix::new(17);
        for n in [6, 8, 11, 20] {
            let rejected = (0..2_000).filter(|_| {
                let values: Vec<f64> = (0..n).map(|_| random.bits() as f64 / u64::MAX as f64).collect();
                sign_test(&values, 0.5) <= 0.05
            });
            // Two standard errors of 2,000 experiments are one percent.
            let rejected = rejected.count();
            assert!(rejected <= 120, "{rejected} of 2000 with n = {n}");
        }
    }

    proptest! {
        #[test]
        fn what_the_interval_of_the_median_leaves_out_is_rejected(
            values in prop::collection::vec(1.0f64..9.0, INTERVAL_TRIALS..40), at in 0.0f64..10.0,
        ) {
            let values = sorted(values);
            let is_outside = !median_interval(&values).unwrap().contains(at);
            prop_assert_eq!(is_outside, sign_test(&values, at) <= 0.05);
        }
    }
}

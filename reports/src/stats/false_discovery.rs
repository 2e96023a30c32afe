//! Benjamini and Hochberg's step-up procedure: of many findings, the share that chance made.

use super::holm::adjusted;

/// The adjusted probability of each hypothesis, in the order given. Of those that are rejected at 0.05, at most 5 % are expected to be true,
/// where the tests are independent or positively dependent (Benjamini & Hochberg 1995, Benjamini & Yekutieli 2001). Weaker than
/// [`super::holm`], which keeps the probability of even one below 5 %: for lists of findings that are read together, as a table of
/// winners is, and not for alarms.
#[must_use]
pub fn false_discovery(p: &[f64]) -> Vec<f64> {
    let mut most = 1.0f64;
    adjusted(p, |ascending| {
        let of = ascending.len() as f64;
        for (rank, p) in ascending.iter_mut().enumerate().rev() {
            most = most.min(*p * of / (rank + 1) as f64);
            *p = most;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{SplitMix, holm};
    use proptest::prelude::*;

    #[test]
    fn adjusted_probabilities_are_those_worked_out_by_hand() {
        // 4 x 0.005 / 1, 4 x 0.01 / 2, 4 x 0.03 / 3, which 4 x 0.032 / 4 lowers to 0.032.
        let adjusted = false_discovery(&[0.01, 0.032, 0.03, 0.005]);
        for (got, wanted) in adjusted.iter().zip([0.02, 0.032, 0.032, 0.02]) {
            assert!((got - wanted).abs() < 1e-12, "{adjusted:?}");
        }
        assert_eq!(false_discovery(&[f64::NAN, 0.01]), [1.0, 0.02]);
        assert_eq!(false_discovery(&[]), Vec::<f64>::new());
    }

    #[test]
    fn of_what_is_rejected_no_larger_share_is_true_than_promised() {
        let mut random = SplitMix::new(3);
        let mut uniform = || random.bits() as f64 / u64::MAX as f64;
        let share = |_| {
            // Ten of twenty are false, and look it.
            let p: Vec<f64> = (0..20).map(|at| if at < 10 { uniform() } else { uniform() * 0.01 }).collect();
            let rejected: Vec<usize> =
                false_discovery(&p).iter().enumerate().filter(|(_, p)| **p <= 0.05).map(|(at, _)| at).collect();
            let chance = rejected.iter().filter(|at| **at < 10).count();
            if rejected.is_empty() { 0.0 } else { chance as f64 / rejected.len() as f64 }
        };
        let mean = (0..2_000).map(share).sum::<f64>() / 2_000.0;
        assert!((0.015..=0.035).contains(&mean), "{mean} instead of 5 % of the half that is true");
    }

    proptest! {
        #[test]
        fn adjusting_keeps_the_order_and_lies_between_the_test_and_holm(p in prop::collection::vec(0.0f64..=1.0, 1..40)) {
            let (adjusted, strict) = (false_discovery(&p), holm(&p));
            for (i, a) in adjusted.iter().enumerate() {
                prop_assert!(*a >= p[i] - 1e-12 && *a <= strict[i] + 1e-12);
                for (j, b) in adjusted.iter().enumerate() {
                    prop_assert!(p[i] > p[j] || a <= b, "{p:?} {adjusted:?}");
                }
            }
        }
    }
}

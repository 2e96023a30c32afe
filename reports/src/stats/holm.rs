//! Many tests at once: Holm's step-down correction.

/// Adjusted probabilities in the order given (Holm 1979): rejecting what is at most `a` afterwards makes one or more false
/// rejections among all of them with a probability of at most `a`, however the tests depend on each other.
///
/// The smallest of `m` is multiplied by `m`, the next by `m - 1` and so on; none is smaller than one before it, and
/// none above 1. What is not a number counts as 1.
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut least = 0.0f64;
    adjusted(p, |ascending| {
        let of = ascending.len();
        for (rank, p) in ascending.iter_mut().enumerate() {
            least = least.max(*p * (of - rank) as f64).min(1.0);
            *p = least;
        }
    })
}

/// Probabilities in the order given, after `adjust` has had them in ascending order.
pub(super) fn adjusted(p: &[f64], adjust: impl FnOnce(&mut [f64])) -> Vec<f64> {
    let clean = |p: f64| if p.is_nan() { 1.0 } else { p.clamp(0.0, 1.0) };
    let mut order: Vec<(f64, usize)> = p.iter().enumerate().map(|(at, p)| (clean(*p), at)).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut ascending: Vec<f64> = order.iter().map(|(p, _)| *p).collect();
    adjust(&mut ascending);
    let mut back: Vec<(usize, f64)> = order.into_iter().map(|(_, at)| at).zip(ascending).collect();
    back.sort_by_key(|(at, _)| *at);
    back.into_iter().map(|(_, p)| p).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::SplitMix;
    use proptest::prelude::*;

    #[test]
    fn adjusted_probabilities_are_those_worked_out_by_hand() {
        // 4 x 0.005, 3 x 0.01, 2 x 0.03, and 0.04 is lifted to 0.06.
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (got, wanted) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((got - wanted).abs() < 1e-12, "{adjusted:?}");
        }
        assert_eq!(holm(&[]), Vec::<f64>::new());
        assert_eq!(holm(&[f64::NAN, 0.7, 0.8]), [1.0, 1.0, 1.0]);
    }

    #[test]
    fn a_family_of_true_nulls_is_rejected_no_more_often_than_promised() {
        let mut random = SplitMix::new(3);
        let mut uniform = || random.bits() as f64 / u64::MAX as f64;
        let families: Vec<Vec<f64>> = (0..5_000).map(|_| (0..20).map(|_| uniform()).collect()).collect();
        let alarms = families.iter().filter(|family| holm(family).iter().any(|p| *p <= 0.05)).count();
        assert!((180..=310).contains(&alarms), "{alarms} of 5000 instead of about 250");
    }

    proptest! {
        #[test]
        fn adjusting_keeps_the_order_and_never_makes_a_test_stronger(p in prop::collection::vec(0.0f64..=1.0, 1..40)) {
            let adjusted = holm(&p);
            for (i, a) in adjusted.iter().enumerate() {
                prop_assert!((0.0..=1.0).contains(a) && *a >= p[i]);
                for (j, b) in adjusted.iter().enumerate() {
                    prop_assert!(p[i] > p[j] || a <= b, "{p:?} {adjusted:?}");
                }
            }
        }

        #[test]
        fn holm_rejects_whatever_bonferroni_rejects(p in prop::collection::vec(0.0f64..0.2, 1..20)) {
            let m = p.len() as f64;
            prop_assert!(holm(&p).iter().zip(&p).all(|(a, p)| *a <= (p * m).min(1.0)));
        }
    }
}

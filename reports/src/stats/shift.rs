//! An interval of how many times as large one sample is as another that follows from ranks alone.

use super::mann_whitney::{EXACT_PAIRS, orders_by_u};
use super::{Interval, sorted};

/// The probability in each tail of a 95 % interval.
const TAIL: f64 = 0.025;
/// How many deviations of a normal distribution leave that much in one tail.
const DEVIATIONS: f64 = 1.959_964;

/// The 95 % interval of the ratio of `a` to `b` (Hodges and Lehmann 1963; Hollander, Wolfe and Chicken 2014, section 4.3, on
/// logarithms): those ratios that the two-sided Mann-Whitney test at 5 % does not refute. It holds the true ratio at least as
/// often as it says for samples of any size that differ by a factor, where the bootstrap of few values does not. None if the
/// samples are so small that nothing could be refuted. Values below 1 count as 1, so that their logarithm exists.
#[must_use]
pub fn ratio_interval(a: &[f64], b: &[f64]) -> Option<Interval> {
    let cut = cut(a.len(), b.len())?;
    let logs = |values: &[f64]| values.iter().map(|x| x.max(1.0).ln()).collect::<Vec<f64>>();
    let b = logs(b);
    let differences = sorted(logs(a).iter().flat_map(|x| b.iter().map(move |y| x - y)));
    let low = differences.get(cut)?.exp();
    let high = differences.get(differences.len().checked_sub(1 + cut)?)?.exp();
    Some(Interval { low, high })
}

/// How many of the ordered differences lie outside on either side: as many as U may be in a tail of 2.5 %.
fn cut(n: usize, m: usize) -> Option<usize> {
    let pairs = n.checked_mul(m).filter(|pairs| *pairs > 0)?;
    if pairs > EXACT_PAIRS {
        let (nf, mf) = (n as f64, m as f64);
        let deviation = (nf * mf * (nf + mf + 1.0) / 12.0).sqrt();
        return Some((nf * mf / 2.0 - 0.5 - DEVIATIONS * deviation).max(0.0) as usize);
    }
    let ways = orders_by_u(n, m);
    let all: f64 = ways.iter().sum();
    let mut tail = 0.0;
    let below = ways.iter().take_while(|ways| {
        tail += **ways / all;
        tail <= TAIL
    });
    // U = 0 is the first that is refuted; with `k` refuted values, the k outermost differences are cut off.
    below.count().checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{SplitMix, mann_whitney};
    use proptest::prelude::*;

    #[test]
    fn three_against_three_refute_nothing_and_four_against_four_their_extremes() {
        assert_eq!(ratio_interval(&[10.0, 11.0, 12.0], &[20.0, 21.0, 22.0]), None);
        assert_eq!(ratio_interval(&[], &[20.0]), None);
        let interval = ratio_interval(&[10.0, 20.0, 40.0, 80.0], &[10.0, 20.0, 40.0, 80.0]).unwrap();
        assert!((interval.low - 0.125).abs() < 1e-9 && (interval.high - 8.0).abs() < 1e-9, "{interval:?}");
    }

    #[test]
    fn the_interval_holds_the_true_ratio_as_often_as_promised_even_of_five() {
        let mut random = SplitMix::new(8);
        for n in [5, 8, 10, 25] {
            let mut draw = |factor: f64| {
                let noise = |random: &mut SplitMix| (random.bits() as f64 / u64::MAX as f64).powi(3);
                (0..n).map(|_| factor * 1e6 * (0.1 * noise(&mut random)).exp()).collect::<Vec<f64>>()
            };
            let held = (0..1_000).filter(|_| ratio_interval(&draw(1.05), &draw(1.0)).unwrap().contains(1.05)).count();
            assert!(held >= 932, "{held} of 1000 with n = {n}");
        }
    }

    proptest! {
        #[test]
        fn one_lies_outside_exactly_where_the_rank_test_refutes_it(
            a in prop::collection::vec(1e3f64..2e3, 5..12), b in prop::collection::vec(1e3f64..2e3, 5..12),
        ) {
            let interval = ratio_interval(&a, &b).unwrap();
            prop_assert_eq!(!interval.contains(1.0), mann_whitney(&a, &b).unwrap().p_two_sided <= 0.05);
        }
    }
}

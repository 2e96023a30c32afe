//! The Mann-Whitney U test: whether one sample tends to be larger than another, whatever their distributions.

use serde::Serialize;

/// Up to this many pairs the probability is counted exactly.
pub(super) const EXACT_PAIRS: usize = 400;

/// A test's result.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MannWhitney {
    /// In how many pairs the first sample's value is the larger one; a tie counts half.
    pub u: f64,
    /// Probability of a U at least as far from its middle if both samples come from one distribution.
    pub p_two_sided: f64,
    /// Whether the probability was counted rather than approximated.
    pub exact: bool,
}

/// Tests two samples. None if either is empty.
///
/// Exact for at most 400 pairs: without ties by Mann and Whitney's recurrence over the largest value (1947), with ties by
/// counting every way to deal the mid-ranks out (Lehmann 1975, section 1.4). Otherwise the normal approximation with the tie
/// correction of the variance and a continuity correction.
#[must_use]
pub fn mann_whitney(a: &[f64], b: &[f64]) -> Option<MannWhitney> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (u, tie_term) = count(a, b);
    let exact = a.len().saturating_mul(b.len()) <= EXACT_PAIRS;
    let p = match (exact, tie_term == 0.0) {
        (true, true) => exact_p(a.len(), b.len(), u),
        (true, false) => tied_p(a, b),
        (false, _) => normal_p(a.len(), b.len(), u, tie_term),
    };
    Some(MannWhitney { u, p_two_sided: p.clamp(0.0, 1.0), exact })
}

/// The smallest two-sided probability that samples of these sizes can have: that of complete separation. Where it is
/// above 5 %, no measurement of that size can show anything.
#[must_use]
pub fn least_p(n: usize, m: usize) -> f64 {
    // 2 / C(n + m, n), one factor at a time.
    (1..=n).fold(2.0, |p, i| p * i as f64 / (m + i) as f64).min(1.0)
}

/// U, and the sum of `t^3 - t` over groups of `t` equal values.
fn count(a: &[f64], b: &[f64]) -> (f64, f64) {
    let mut all: Vec<(f64, bool)> = a.iter().map(|x| (*x, true)).chain(b.iter().map(|x| (*x, false))).collect();
    all.sort_by(|x, y| x.0.total_cmp(&y.0));
    let (mut u, mut tie_term, mut smaller_b) = (0.0, 0.0, 0.0);
    for group in all.chunk_by(|x, y| x.0 == y.0) {
        let of_a = group.iter().filter(|(_, first)| *first).count() as f64;
        let of_b = group.len() as f64 - of_a;
        u += of_a * (smaller_b + of_b / 2.0);
        smaller_b += of_b;
        tie_term += (group.len() as f64).powi(3) - group.len() as f64;
    }
    (u, tie_term)
}

/// Twice the smaller tail of the distribution of U over all orders of the values, which are equally likely.
fn exact_p(n: usize, m: usize, u: f64) -> f64 {
    let ways = orders_by_u(n, m);
    let all: f64 = ways.iter().sum();
    let nearer_end = u.min((n * m) as f64 - u) as usize;
    2.0 * ways.iter().take(nearer_end + 1).sum::<f64>() / all
}

/// The share of all ways to deal the values out to the two samples in which the first one's mid-ranks sum to at least as far
/// from their middle as they do here.
fn tied_p(a: &[f64], b: &[f64]) -> f64 {
    // One sample's sum says the same as the other's, and the smaller one is counted faster.
    let (a, b) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let (n, all) = (a.len(), a.len() + b.len());
    // Twice the mid-ranks are whole numbers, in ascending order.
    let (ranks, seen) = doubled_ranks(a, b);
    let most = ranks.iter().rev().take(n).sum::<usize>();
    // Ways to choose so many values with that sum: one value at a time, from the top down so that none is taken twice.
    let mut ways = vec![vec![0.0f64; most + 1]; n + 1];
    if let Some(none) = ways.first_mut().and_then(|sums| sums.first_mut()) {
        *none = 1.0;
    }
    for rank in ranks {
        for taken in (1..=n).rev() {
            let Some((fewer, of)) = ways.split_at_mut_checked(taken) else { continue };
            let (Some(fewer), Some(of)) = (fewer.last(), of.first_mut()) else { continue };
            let added = of.iter_mut().skip(rank).zip(fewer.iter());
            added.for_each(|(ways, fewer)| *ways += fewer);
        }
    }
    // The middle of a sum of `n` doubled ranks out of 1 to `all`, each twice its half.
    let middle = (n * (all + 1)) as f64;
    let far = (seen as f64 - middle).abs();
    let Some(sums) = ways.last() else { return 1.0 };
    let beyond: f64 =
        sums.iter().enumerate().filter(|(sum, _)| (*sum as f64 - middle).abs() >= far).map(|(_, w)| w).sum();
    beyond / sums.iter().sum::<f64>()
}

/// Twice the mid-rank of every value, and the sum of those of the first sample.
fn doubled_ranks(a: &[f64], b: &[f64]) -> (Vec<usize>, usize) {
    let mut all: Vec<(f64, bool)> = a.iter().map(|x| (*x, true)).chain(b.iter().map(|x| (*x, false))).collect();
    all.sort_by(|x, y| x.0.total_cmp(&y.0));
    let (mut ranks, mut seen) = (Vec::with_capacity(all.len()), 0);
    for group in all.chunk_by(|x, y| x.0 == y.0) {
        // From rank `first` on, so many: the doubled mean of the first and the last.
        let first = ranks.len() + 1;
        let rank = 2 * first + group.len() - 1;
        seen += rank * group.iter().filter(|(_, of_a)| *of_a).count();
        ranks.extend(group.iter().map(|_| rank));
    }
    (ranks, seen)
}

/// How many orders of `n` and `m` values have each U: the coefficients of the Gaussian binomial, one factor at a time.
pub(super) fn orders_by_u(n: usize, m: usize) -> Vec<f64> {
    let mut ways = vec![0.0; n * m + 1];
    if let Some(first) = ways.first_mut() {
        *first = 1.0;
    }
    for i in 1..=n {
        // Multiply by (1 - x^(m+i)), from the top down, then divide by (1 - x^i), from the bottom up.
        for u in (m + i..ways.len()).rev() {
            let lower = ways.get(u - m - i).copied().unwrap_or_default();
            ways.get_mut(u).into_iter().for_each(|w| *w -= lower);
        }
        for u in i..ways.len() {
            let lower = ways.get(u - i).copied().unwrap_or_default();
            ways.get_mut(u).into_iter().for_each(|w| *w += lower);
        }
    }
    ways
}

fn normal_p(n: usize, m: usize, u: f64, tie_term: f64) -> f64 {
    let (n, m) = (n as f64, m as f64);
    let all = n + m;
    let variance = n * m / 12.0 * ((all + 1.0) - tie_term / (all * (all - 1.0)));
    // All values equal: nothing to tell apart.
    if variance <= 0.0 {
        return 1.0;
    }
    let distance = ((u - n * m / 2.0).abs() - 0.5).max(0.0);
    two_tails(distance / variance.sqrt())
}

/// The share of a normal distribution beyond `z` deviations on either side (Abramowitz and Stegun 7.1.26; absolute error below
/// 1.5e-7).
pub(super) fn two_tails(z: f64) -> f64 {
    let x = z / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let terms = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    terms.iter().fold(0.0, |sum, term| sum * t + term) * t * (-x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn p(a: &[f64], b: &[f64]) -> f64 {
        mann_whitney(a, b).unwrap().p_two_sided
    }

    #[test]
    fn exact_probabilities_are_the_tabulated_ones() {
        // Separated samples: 2 of C(n+m, n) orders.
        assert!((p(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]) - 2.0 / 20.0).abs() < 1e-12);
        assert!((p(&[5.0, 6.0, 7.0, 8.0], &[1.0, 2.0, 3.0, 4.0]) - 2.0 / 70.0).abs() < 1e-12);
        // U = 2 with five and five: 1 + 1 + 2 orders of 252 in each tail.
        let a = [1.0, 2.0, 3.0, 4.0, 7.5];
        let b = [5.0, 6.0, 8.0, 9.0, 10.0];
        assert_eq!(mann_whitney(&a, &b).map(|t| (t.u, t.exact)), Some((2.0, true)));
        assert!((p(&a, &b) - 8.0 / 252.0).abs() < 1e-12);
    }

    #[test]
    fn three_trials_a_side_can_show_nothing_and_four_can() {
        assert!((least_p(3, 3) - 0.1).abs() < 1e-12 && (least_p(4, 4) - 2.0 / 70.0).abs() < 1e-12);
        assert!((least_p(3, 3) - p(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0])).abs() < 1e-12);
        assert_eq!(least_p(0, 5), 1.0);
        assert_eq!(least_p(1, 1), 1.0);
    }

    #[test]
    fn the_orders_of_three_and_two_are_ten() {
        assert_eq!(orders_by_u(3, 2), [1.0, 1.0, 2.0, 2.0, 2.0, 1.0, 1.0]);
        assert_eq!(orders_by_u(20, 20).iter().sum::<f64>(), 137_846_528_820.0);
    }

    #[test]
    fn ties_of_few_values_are_counted_and_of_many_take_the_corrected_approximation() {
        // Mid-ranks 1, 2, 3, 4.5, 4.5, 6, 7, 8: of 70 ways to deal them out, the two with 1, 2, 3 and a 4.5 lean as far, and their
        // two mirror images.
        let test = mann_whitney(&[1.0, 2.0, 3.0, 4.0], &[4.0, 5.0, 6.0, 7.0]).unwrap();
        assert_eq!((test.u, test.exact), (0.5, true));
        assert!((test.p_two_sided - 4.0 / 70.0).abs() < 1e-12, "{}", test.p_two_sided);
        assert_eq!((p(&[2.0; 4], &[2.0; 5]), p(&[2.0; 30], &[2.0; 30])), (1.0, 1.0));
        let (low, high): (Vec<f64>, Vec<f64>) =
            ((0..25).map(|i| f64::from(i / 2)).collect(), (0..25).map(|i| f64::from(i / 2 + 3)).collect());
        let many = mann_whitney(&low, &high).unwrap();
        assert!(!many.exact && (0.005..0.02).contains(&many.p_two_sided), "{many:?}");
    }

    #[test]
    fn counting_with_ties_agrees_with_counting_without_where_there_are_none() {
        for (a, b) in [(vec![1.0, 2.0, 7.0], vec![3.0, 4.0, 5.0, 6.0]), (vec![2.0, 9.0], vec![1.0, 3.0, 4.0])] {
            let (u, _) = count(&a, &b);
            assert!((tied_p(&a, &b) - exact_p(a.len(), b.len(), u)).abs() < 1e-12, "{a:?} {b:?}");
        }
    }

    #[test]
    fn tails_of_the_normal_distribution_are_known() {
        assert!((two_tails(1.959_963_985) - 0.05).abs() < 2e-7);
        assert!((two_tails(0.0) - 1.0).abs() < 2e-7);
    }

    #[test]
    fn an_empty_sample_has_no_test() {
        assert_eq!(mann_whitney(&[], &[1.0]), None);
    }

    proptest! {
        #[test]
        fn the_test_is_symmetric_and_sees_only_ranks(
            a in prop::collection::vec(0.1f64..100.0, 1..12), b in prop::collection::vec(0.1f64..100.0, 1..12),
        ) {
            let (ab, ba) = (mann_whitney(&a, &b).unwrap(), mann_whitney(&b, &a).unwrap());
            prop_assert_eq!(ab.u + ba.u, (a.len() * b.len()) as f64);
            prop_assert!((ab.p_two_sided - ba.p_two_sided).abs() < 1e-12);
            let doubled = |x: &[f64]| x.iter().map(|v| v * 2.0).collect::<Vec<_>>();
            prop_assert_eq!(mann_whitney(&doubled(&a), &doubled(&b)), Some(ab));
        }

        #[test]
        fn approximation_and_count_agree_where_both_apply(shift in 0usize..10) {
            let a: Vec<f64> = (0..20).map(|i| (2 * i) as f64).collect();
            let b: Vec<f64> = (0..20).map(|i| (2 * i + 1 + 2 * shift) as f64).collect();
            let (u, ties) = count(&a, &b);
            prop_assert!((exact_p(20, 20, u) - normal_p(20, 20, u, ties)).abs() < 0.01);
        }
    }
}

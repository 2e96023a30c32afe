//! The stratified permutation test: whether one contestant is slower over several workloads, however few the trials of
//! each.
//!
//! What is tested is the sum over workloads of the difference of mean logarithms, each weighted by what the workload
//! counts for: logarithms, so that one disturbed trial does not decide. If the contestants did not differ, every way to
//! deal a workload's times out to the two would be as likely as the one that was seen (Good 2005, chapter 3); dealing
//! them out again and again shows how often chance alone leans as far. Where the times of one workload are completely
//! apart it is the rank test of them. Of a thousand times and more the sum is as good as normal, with the variance that the
//! deals have (Good 2005, section 3.7), and nothing has to be dealt.

use super::mann_whitney::two_tails;
use super::random::SplitMix;

/// How many deals are drawn; the smallest probability that can be found is about its reciprocal.
const DEALS: u32 = 2_000;
/// From so many times on, the sum is taken to be normal: a test costs no more than reading them.
const NORMAL_FROM: usize = 1_000;
/// Any fixed number: equal times give equal probabilities.
const SEED: u64 = 0x7261_6e6b;

/// Two contestants' times of one workload.
#[derive(Clone, Copy, Debug)]
pub struct Stratum<'a> {
    /// What the workload counts for; the same for every deal.
    pub weight: f64,
    /// The times of the first.
    pub a: &'a [f64],
    /// The times of the second.
    pub b: &'a [f64],
}

/// A test's result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stratified {
    /// Above zero where the first contestant's times are the larger ones, all in all.
    pub lean: f64,
    /// The probability of leaning at least as far, in either direction, by chance alone.
    pub p_two_sided: f64,
}

/// Tests all workloads together. None of none, or with one that has no times on one side.
#[must_use]
pub fn stratified(strata: &[Stratum<'_>]) -> Option<Stratified> {
    if strata.is_empty() || strata.iter().any(|s| s.a.is_empty() || s.b.is_empty()) {
        return None;
    }
    let mut decks: Vec<Deck> = strata.iter().map(Deck::new).collect();
    let lean = |decks: &[Deck]| decks.iter().map(Deck::lean).sum::<f64>();
    let seen = lean(&decks);
    if decks.iter().map(|deck| deck.logs.len()).sum::<usize>() >= NORMAL_FROM {
        let deviation = decks.iter().map(Deck::variance).sum::<f64>().sqrt();
        let p = if deviation > 0.0 { two_tails(seen.abs() / deviation) } else { 1.0 };
        return Some(Stratified { lean: seen, p_two_sided: p });
    }
    // Rounding must not make a deal that is the one seen look smaller.
    let far = seen.abs() * (1.0 - 1e-9);
    let mut random = SplitMix::new(SEED);
    let mut as_far = 0u32;
    for _ in 0..DEALS {
        decks.iter_mut().for_each(|deck| deck.shuffle(&mut random));
        as_far += u32::from(lean(&decks).abs() >= far);
    }
    // The deal that was seen is one of them, so no probability is zero.
    Some(Stratified { lean: seen, p_two_sided: f64::from(as_far + 1) / f64::from(DEALS + 1) })
}

/// One workload's times as logarithms, the first `n` of them dealt to the first contestant.
struct Deck {
    logs: Vec<f64>,
    n: usize,
    weight: f64,
}

impl Deck {
    fn new(stratum: &Stratum<'_>) -> Self {
        let logs = stratum.a.iter().chain(stratum.b).map(|x| x.max(f64::MIN_POSITIVE).ln());
        Self { logs: logs.collect(), n: stratum.a.len(), weight: stratum.weight }
    }

    /// The difference of the two means, weighted.
    fn lean(&self) -> f64 {
        let (a, b) = self.logs.split_at(self.n.min(self.logs.len()));
        let mean = |logs: &[f64]| logs.iter().sum::<f64>() / logs.len() as f64;
        self.weight * (mean(a) - mean(b))
    }

    /// Of [`Deck::lean`] over all deals: that of a difference of means without replacement.
    fn variance(&self) -> f64 {
        let (all, n) = (self.logs.len() as f64, self.n as f64);
        let mean = self.logs.iter().sum::<f64>() / all;
        let spread = self.logs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (all - 1.0).max(1.0);
        self.weight.powi(2) * spread * (1.0 / n + 1.0 / (all - n))
    }

    /// Fisher and Yates.
    fn shuffle(&mut self, random: &mut SplitMix) {
        for i in (1..self.logs.len()).rev() {
            self.logs.swap(i, random.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::mann_whitney;

    fn test(strata: &[(f64, &[f64], &[f64])]) -> Stratified {
        let strata: Vec<Stratum<'_>> = strata.iter().map(|(weight, a, b)| Stratum { weight: *weight, a, b }).collect();
        stratified(&strata).unwrap()
    }

    #[test]
    fn times_that_are_apart_have_the_probability_of_their_rank_test() {
        let apart: [(&[f64], &[f64]); 3] = [
            (&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]),
            (&[1.0, 2.0, 3.0, 4.0], &[5.0, 6.0, 7.0, 8.0]),
            (&[1.0, 2.0, 3.0, 4.0, 4.5], &[5.0, 6.0, 8.0, 9.0, 90.0]),
        ];
        for (a, b) in apart {
            let exact = mann_whitney(a, b).unwrap().p_two_sided;
            let drawn = test(&[(3.0, a, b)]);
            assert!((drawn.p_two_sided - exact).abs() < 0.02, "{} instead of {exact}", drawn.p_two_sided);
            assert!(drawn.lean < 0.0);
        }
    }

    #[test]
    fn much_slower_on_one_and_a_little_faster_on_another_is_slower() {
        let (slow, fast): (&[f64], &[f64]) = (&[1.50, 1.51, 1.52, 1.53, 1.54], &[1.00, 1.01, 1.02, 1.03, 1.04]);
        let (faster, slower): (&[f64], &[f64]) = (&[0.90, 0.91, 0.92, 0.93, 0.94], &[0.95, 0.96, 0.97, 0.98, 0.99]);
        let leans = test(&[(1.0, slow, fast), (1.0, faster, slower)]);
        assert!(leans.lean > 0.0 && leans.p_two_sided < 0.05, "{leans:?}");
    }

    #[test]
    fn several_workloads_of_few_trials_show_together_what_none_shows_alone() {
        let pair: (f64, &[f64], &[f64]) = (1.0, &[2.0, 2.1, 2.2], &[1.0, 1.1, 1.2]);
        assert!(test(&[pair]).p_two_sided > 0.05);
        let together = test(&[pair; 4]);
        assert!(together.p_two_sided < 0.01 && together.lean > 0.0);
    }

    #[test]
    fn a_workload_of_great_weight_decides() {
        let (long, short): (&[f64], &[f64]) = (&[90.0, 91.0, 92.0, 93.0], &[80.0, 81.0, 82.0, 83.0]);
        let leans = test(&[(80.0, long, short), (1.0, short, long), (1.0, short, long)]);
        assert!(leans.lean > 0.0 && leans.p_two_sided < 0.05, "{leans:?}");
    }

    #[test]
    fn of_many_times_the_normal_probability_is_that_of_the_deals() {
        let mut random = SplitMix::new(5);
        for shift in [0.0, 0.004, 0.01, 0.02] {
            let mut draw = |shift: f64| -> Vec<f64> {
                (0..8).map(|_| (1.0 + shift) * (1.0 + random.below(1000) as f64 / 5000.0)).collect()
            };
            let pairs: Vec<(Vec<f64>, Vec<f64>)> = (0..62).map(|_| (draw(shift), draw(0.0))).collect();
            let strata = |n: usize| -> Vec<Stratum<'_>> {
                pairs.iter().take(n).map(|(a, b)| Stratum { weight: 1.0, a, b }).collect()
            };
            assert_eq!(strata(62).iter().map(|s| s.a.len() + s.b.len()).sum::<usize>(), 992, "just below the limit");
            let dealt = stratified(&strata(62)).unwrap();
            let decks: Vec<Deck> = strata(62).iter().map(Deck::new).collect();
            let normal = two_tails(dealt.lean.abs() / decks.iter().map(Deck::variance).sum::<f64>().sqrt());
            assert!((dealt.p_two_sided - normal).abs() < 0.03, "{shift}: {} dealt, {normal} normal", dealt.p_two_sided);
        }
        let (slow, fast) = (vec![2.0; 600], vec![1.0; 600]);
        assert!(test(&[(1.0, &slow, &fast)]).p_two_sided < 1e-6, "1200 times");
        assert_eq!(test(&[(1.0, &fast, &fast)]).p_two_sided, 1.0);
    }

    #[test]
    fn equal_samples_and_no_samples_show_nothing() {
        assert_eq!(test(&[(1.0, &[2.0, 2.0, 2.0], &[2.0, 2.0, 2.0])]).p_two_sided, 1.0);
        assert_eq!(stratified(&[]), None);
        assert_eq!(stratified(&[Stratum { weight: 1.0, a: &[], b: &[1.0] }]), None);
    }

    #[test]
    fn chance_alone_is_significant_no_more_often_than_promised() {
        let mut random = SplitMix::new(11);
        let mut draw = || (0..4).map(|_| 1.0 + random.below(1_000_000) as f64).collect::<Vec<f64>>();
        let experiments: Vec<[Vec<f64>; 4]> = (0..200).map(|_| [draw(), draw(), draw(), draw()]).collect();
        let significant = |[a, b, c, d]: &&[Vec<f64>; 4]| test(&[(1.0, a, b), (2.0, c, d)]).p_two_sided <= 0.05;
        let count = experiments.iter().filter(significant).count();
        assert!(count <= 20, "{count} of 200");
    }
}

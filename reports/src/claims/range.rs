//! Whether a value is shown to lie in a range, or outside it.

use super::verdict::Lean;
use crate::stats::{Bootstrap, Interval, RESAMPLES, effect, median_interval, sign_test};
use std::cmp::Ordering;

/// What says how far a value may be from what was measured, and how often chance alone puts it beyond an end.
pub(super) enum Spread<'s> {
    /// The ascending trials of one case: the interval of their median, and the sign test.
    Trials(&'s [f64]),
    /// What is made of several medians. Resamples of few trials lie closer together than medians do.
    Resamples {
        draws: Bootstrap,
        /// The smallest probability that a test of the fewest trials can give: no share of resamples counts for less.
        least_p: f64,
    },
}

impl Spread<'_> {
    /// The 95 % interval of the value; none of a single trial.
    pub(super) fn interval(&self) -> Option<Interval> {
        match self {
            Self::Trials(ascending) => median_interval(ascending),
            Self::Resamples { draws, .. } => Some(draws.interval()),
        }
    }

    /// The probability, both sides counted, that a value at an end is found as far on that side of it: of resamples twice the
    /// share of those that are not (Efron and Tibshirani 1993, section 15.4).
    fn p(&self, side: Ordering, end: f64) -> f64 {
        match self {
            Self::Trials(values) => sign_test(values, end),
            Self::Resamples { draws, least_p } => {
                let is_elsewhere = |x: &f64| x.total_cmp(&end) != side;
                let beyond = (0..RESAMPLES).filter_map(|i| draws.draw(i)).filter(is_elsewhere).count();
                (2.0 * (beyond + 1) as f64 / (RESAMPLES + 1) as f64).max(*least_p).min(1.0)
            }
        }
    }
}

/// Whether a value is shown to lie in a range, or outside it, and the probability of that by chance alone. Shown is what
/// the whole interval bears out, farther from the nearest end than the noise. By `error` the number may be understated: every end
/// counts as so much nearer.
pub(super) fn within(
    value: f64,
    spread: Option<&Spread<'_>>,
    (low, high): (f64, f64),
    (noise, error): (f64, f64),
    few: bool,
    contaminated: bool,
) -> (f64, Lean) {
    let open = |why: &str| (1.0, Lean::Open(why.to_owned()));
    let known = spread.filter(|_| !few).and_then(|spread| Some((spread, spread.interval()?)));
    let Some((spread, interval)) = known else { return open("too few trials for an interval") };
    if contaminated {
        return open("contaminated trials had to be counted");
    }
    let is_above = |end: f64| end * (1.0 + error) < interval.low;
    let is_below = |end: f64| interval.high < end / (1.0 + error);
    let p_above = |end: f64| spread.p(Ordering::Greater, end * (1.0 + error));
    let p_below = |end: f64| spread.p(Ordering::Less, end / (1.0 + error));
    let is_clear = |end: f64| effect(value / end) > noise;
    let (p, lean, is_clear) = if is_above(low) && is_below(high) {
        (p_above(low).max(p_below(high)), Lean::Agrees, is_clear(low) && is_clear(high))
    } else if is_below(low) {
        (p_below(low), Lean::Disagrees, value < low && is_clear(low))
    } else if is_above(high) {
        (p_above(high), Lean::Disagrees, value > high && is_clear(high))
    } else {
        return open("the interval holds an end of the range");
    };
    if is_clear {
        (p, lean)
    } else {
        open("nearer to an end of the range than the noise or the variation of its trials")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{SplitMix, least_sign_p, median, sorted};
    use proptest::prelude::*;

    const SEVEN: [f64; 7] = [10.0, 10.1, 10.2, 10.3, 10.4, 10.5, 10.6];

    fn resamples(ascending: &[f64], least_p: f64) -> Spread<'static> {
        Spread::Resamples { draws: Bootstrap::of_median(ascending, 7).unwrap(), least_p }
    }

    /// Without an error, of enough clean trials.
    fn found(value: f64, spread: &Spread<'_>, bounds: (f64, f64), noise: f64) -> (f64, Lean) {
        within(value, Some(spread), bounds, (noise, 0.0), false, false)
    }

    proptest! {
        #[test]
        fn a_range_is_decided_only_if_the_interval_holds_neither_end(
            values in prop::collection::vec(10.0f64..20.0, 6..14), low in 1.0f64..20.0, width in 0.1f64..20.0,
            noise in 0.0f64..0.3,
        ) {
            let ascending = sorted(values);
            let value = median(&ascending).unwrap();
            let high = low + width;
            for spread in [Spread::Trials(&ascending), resamples(&ascending, 0.0)] {
                let interval = spread.interval().unwrap();
                let (p, lean) = found(value, &spread, (low, high), noise);
                prop_assert!((0.0..=1.0).contains(&p));
                match lean {
                    Lean::Agrees => prop_assert!(low < interval.low && interval.high < high && p < 0.051),
                    Lean::Disagrees => prop_assert!((interval.high < low || high < interval.low) && p < 0.051),
                    Lean::Open(_) | Lean::Alike(_) => {}
                }
                if interval.contains(low) || interval.contains(high) {
                    prop_assert!(matches!(found(value, &spread, (low, high), noise).1, Lean::Open(_)));
                }
                for (few, contaminated) in [(true, false), (false, true)] {
                    let open = within(value, Some(&spread), (low, high), (noise, 0.0), few, contaminated).1;
                    prop_assert!(matches!(open, Lean::Open(_)));
                }
            }
        }
    }

    #[test]
    fn the_verdict_on_a_range_turns_with_the_interval() {
        for spread in [Spread::Trials(&SEVEN), resamples(&SEVEN, 0.0)] {
            let lean = |low, high| found(10.3, &spread, (low, high), 0.01).1;
            assert_eq!(lean(9.0, 12.0), Lean::Agrees);
            assert_eq!(lean(12.0, 14.0), Lean::Disagrees);
            assert_eq!(lean(5.0, 9.0), Lean::Disagrees);
            assert!(matches!(lean(10.3, 12.0), Lean::Open(_)));
        }
        assert!(matches!(within(10.3, None, (9.0, 12.0), (0.0, 0.0), false, false).1, Lean::Open(_)));
    }

    #[test]
    fn no_range_is_more_certain_than_its_trials_allow() {
        let bounds = [((9.0, 12.0), Lean::Agrees), ((12.0, 14.0), Lean::Disagrees), ((5.0, 9.0), Lean::Disagrees)];
        for (bounds, lean) in bounds {
            // All seven lie on one side: 2 / 2^7.
            for spread in [Spread::Trials(&SEVEN), resamples(&SEVEN, least_sign_p(SEVEN.len()))] {
                let (p, found) = found(10.3, &spread, bounds, 0.0);
                assert!(found == lean && (p - 1.0 / 64.0).abs() < 1e-12, "{p} {found:?} of {bounds:?}");
            }
        }
    }

    #[test]
    fn a_median_at_an_end_is_taken_for_one_inside_no_more_often_than_the_probability_says() {
        let mut random = SplitMix::new(11);
        let is_inside = |_: &i32| {
            let trials = sorted((0..6).map(|_| 1.0 + random.bits() as f64 / u64::MAX as f64));
            found(median(&trials).unwrap(), &Spread::Trials(&trials), (1.5, 3.0), 0.0).1 == Lean::Agrees
        };
        // 2^-6 of 4,000, with a standard deviation of 8; none of them at a probability below 1/32.
        let inside = (0..4_000).filter(is_inside).count();
        assert!((30..=95).contains(&inside), "{inside} of 4000");
    }

    #[test]
    fn what_may_be_understated_brings_every_end_nearer() {
        let found = |error| within(10.3, Some(&Spread::Trials(&SEVEN)), (9.0, 14.0), (0.0, error), false, false);
        assert_eq!(found(0.0).1, Lean::Agrees);
        assert_eq!(found(0.05).1, Lean::Agrees);
        // 10.0 is not above 9.0 x 1.15.
        assert!(matches!(found(0.15).1, Lean::Open(_)));
    }
}

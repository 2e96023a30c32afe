//! Comparisons: ratios and values with their intervals, each with what it leans to.

use super::examine::Member;
use super::file::{Relation, Test, Tier};
use super::select::Selection;
use super::verdict::Lean;
use crate::compare::evidence::{Pairing, Reading, pairing};
use crate::comparison::{Ratio, Verdict};
use crate::stats::{Bootstrap, INTERVAL_TRIALS, Interval, RESAMPLES, Sample, effect};

/// One comparison, not yet one of many.
pub(super) struct DraftCompared {
    pub(super) what: String,
    pub(super) workloads: usize,
    pub(super) value: f64,
    pub(super) interval: Option<Interval>,
    pub(super) claimed: String,
    pub(super) stated: Option<f64>,
    pub(super) noise: Option<f64>,
    pub(super) p: f64,
    /// Taken together with all others; 1 until that is done.
    pub(super) p_adjusted: f64,
    /// Why the two cannot be compared, if so.
    pub(super) apart: Option<String>,
    pub(super) lean: Lean,
}

/// Every comparison that the relation of a test asks for.
pub(super) fn relate(
    test: &Test,
    selection: &Selection<'_, '_>,
    members: &[Member<'_, '_>],
    reading: Reading,
) -> Vec<DraftCompared> {
    let find = |subject: &str| members.iter().find(|m| m.subject == subject);
    let pair = |a: &str, b: &str| two(test, selection, (find(a)?, find(b)?), reading);
    match &test.relation {
        Relation::Less(tiers) => {
            let mut found = Vec::new();
            for (i, tier) in tiers.iter().enumerate() {
                let behind = || tiers.iter().skip(i + 1).flat_map(Tier::names);
                found.extend(tier.names().flat_map(|a| behind().map(move |b| (a, b))).filter_map(|(a, b)| pair(a, b)));
            }
            found
        }
        Relation::Winner { of, among } => among.iter().filter_map(|other| pair(of, other)).collect(),
        Relation::Ratio { of, to, low, high } => {
            let both = find(of).zip(find(to));
            both.and_then(|both| ratio_within(test, selection, both, reading, (*low, *high))).into_iter().collect()
        }
        Relation::Range { of, low, high, unit } => {
            let bounds = (low * unit.size(), high * unit.size());
            let claimed = format!("{low}–{high} {}", unit.name());
            find(of).and_then(|m| value_within(test, selection, m, reading, bounds, claimed)).into_iter().collect()
        }
        Relation::Completes(_) => Vec::new(),
    }
}

/// Samples of the workloads that both have.
fn samples(a: &Member<'_, '_>, b: &Member<'_, '_>, reading: Reading) -> Vec<(Sample, Sample)> {
    let of = |m: &Member<'_, '_>, workload: &str| {
        m.cases.iter().find(|c| c.workload == workload).and_then(|c| c.sample(reading))
    };
    a.cases.iter().filter_map(|c| c.sample(reading).zip(of(b, c.workload))).collect()
}

/// What was measured of two members.
struct Measured {
    pairs: Vec<(Sample, Sample)>,
    noise: Option<f64>,
    ratio: Ratio,
    p: f64,
    /// Why their numbers cannot be compared.
    apart: Option<String>,
}

/// Of totals for times, of the geometric mean for everything else.
fn measure(
    test: &Test,
    selection: &Selection<'_, '_>,
    (a, b): (&Member<'_, '_>, &Member<'_, '_>),
    reading: Reading,
) -> Option<Measured> {
    let pairs = samples(a, b, reading);
    let workloads: Vec<&str> = a.cases.iter().map(|c| c.workload).collect();
    let meeting = selection.table.meeting((a.contestant, b.contestant), &test.family, &workloads, reading);
    let floor = floor(test, selection, &[a, b], reading);
    let noise = meeting.noise(floor);
    let Pairing { total, geometric_mean, p } = pairing(&pairs, floor, &meeting)?;
    let (mut ratio, p) = if test.metric.is_time() { (total, p.0) } else { (geometric_mean, p.1) };
    let error = error(test, &[a, b], reading);
    ratio.interval = ratio.interval.map(|interval| widened(interval, error));
    let decided = matches!(ratio.verdict, Verdict::Faster | Verdict::Slower);
    if decided && ratio.interval.is_some_and(|interval| interval.contains(1.0)) {
        ratio.verdict = Verdict::Indistinguishable;
    }
    Some(Measured { pairs, noise, ratio, p, apart: meeting.gap(&a.name, &b.name) })
}

/// How far equal things lie apart: the A/A floor of what members were asked, on top of what their numbers may be understated by.
fn floor(test: &Test, selection: &Selection<'_, '_>, members: &[&Member<'_, '_>], reading: Reading) -> Option<f64> {
    let only = match members.first()?.cases.as_slice() {
        [one] => Some(one.workload),
        _ => None,
    };
    let floor = selection.table.floor(reading, &test.family, only)?;
    Some((1.0 + floor) * (1.0 + error(test, members, reading)) - 1.0)
}

/// By how much the numbers of members may be understated at most: 0.4 where what was read as 100 may have been 140.
fn error(test: &Test, members: &[&Member<'_, '_>], reading: Reading) -> f64 {
    let cases = || members.iter().flat_map(|m| &m.cases);
    let understated =
        test.metric.bound().into_iter().flat_map(|bound| cases().filter_map(move |c| c.understated(reading, bound)));
    understated.fold(0.0, f64::max)
}

/// An interval of what may be understated on either side: noise does not make that error smaller, so it comes on top.
fn widened(interval: Interval, error: f64) -> Interval {
    Interval { low: interval.low / (1.0 + error), high: interval.high * (1.0 + error) }
}

fn stated(test: &Test, a: &str, b: &str) -> Option<f64> {
    Some(test.stated.get(a)? / test.stated.get(b)?)
}

/// Whether the first has less than the second.
fn two(
    test: &Test,
    selection: &Selection<'_, '_>,
    (a, b): (&Member<'_, '_>, &Member<'_, '_>),
    reading: Reading,
) -> Option<DraftCompared> {
    let Measured { pairs, noise, ratio, p, apart } = measure(test, selection, (a, b), reading)?;
    let lean = match ratio.verdict {
        Verdict::Faster => Lean::Agrees,
        Verdict::Slower => Lean::Disagrees,
        _ => Lean::Open(open(&ratio, noise).to_owned()),
    };
    Some(DraftCompared {
        what: format!("{} / {}", a.name, b.name),
        workloads: pairs.len(),
        value: ratio.value,
        interval: ratio.interval,
        claimed: "< 1".to_owned(),
        stated: stated(test, a.subject, b.subject),
        noise,
        p,
        p_adjusted: 1.0,
        apart,
        lean,
    })
}

/// Why a ratio decides nothing.
fn open(ratio: &Ratio, noise: Option<f64>) -> &'static str {
    match (ratio.verdict, ratio.interval) {
        (Verdict::Contaminated, _) => "contaminated trials had to be counted",
        (Verdict::Unresolved, _) => "too few trials to show a difference",
        (Verdict::NotInterleaved, _) => "not interleaved: they were in no run together",
        (Verdict::NoFloor | Verdict::FloorContaminated, _) => "no A/A arm, so nobody knows the noise",
        (_, Some(interval)) if interval.contains(1.0) => "indistinguishable: the interval holds 1",
        _ if noise.is_some_and(|n| effect(ratio.value) <= n) => "indistinguishable: within the A/A noise",
        _ => "indistinguishable: no more than chance or variation gives",
    }
}

/// Whether a ratio lies in a range.
fn ratio_within(
    test: &Test,
    selection: &Selection<'_, '_>,
    (a, b): (&Member<'_, '_>, &Member<'_, '_>),
    reading: Reading,
    bounds: (f64, f64),
) -> Option<DraftCompared> {
    let Measured { pairs, noise, ratio, apart, .. } = measure(test, selection, (a, b), reading)?;
    let draws = draws(&pairs, test.metric.is_time());
    let few = pairs.iter().any(|(a, b)| a.ascending.len().min(b.ascending.len()) < INTERVAL_TRIALS);
    let contaminated = ratio.verdict == Verdict::Contaminated;
    let error = error(test, &[a, b], reading);
    let (p, lean) = within(ratio.value, draws.as_ref(), bounds, (noise, error), few, contaminated);
    Some(DraftCompared {
        what: format!("{} / {}", a.name, b.name),
        workloads: pairs.len(),
        value: ratio.value,
        interval: ratio.interval,
        claimed: format!("{}–{}", bounds.0, bounds.1),
        stated: stated(test, a.subject, b.subject),
        noise,
        p,
        p_adjusted: 1.0,
        apart,
        lean,
    })
}

/// Resampled ratios of totals, or of geometric means.
fn draws(pairs: &[(Sample, Sample)], totals: bool) -> Option<Bootstrap> {
    let both: Option<Vec<(&Bootstrap, &Bootstrap)>> =
        pairs.iter().map(|(a, b)| a.bootstrap.as_ref().zip(b.bootstrap.as_ref())).collect();
    let both = both?;
    if totals {
        return Some(Bootstrap::sum(both.iter().map(|p| p.0))?.ratio(&Bootstrap::sum(both.iter().map(|p| p.1))?));
    }
    let logs: Vec<Bootstrap> = both.iter().map(|(a, b)| a.combine(b, |a, b| (a / b).ln())).collect();
    Some(Bootstrap::sum(logs.iter())?.map(|sum| (sum / both.len() as f64).exp()))
}

/// Whether a value lies in a range: the sum over workloads for times, the largest for everything else.
fn value_within(
    test: &Test,
    selection: &Selection<'_, '_>,
    m: &Member<'_, '_>,
    reading: Reading,
    bounds: (f64, f64),
    claimed: String,
) -> Option<DraftCompared> {
    let samples: Vec<Sample> = m.cases.iter().filter_map(|c| c.sample(reading)).collect();
    let together = |a: f64, b: f64| if test.metric.is_time() { a + b } else { a.max(b) };
    let value = samples.iter().map(|s| s.median).reduce(together)?;
    let resampled: Option<Vec<&Bootstrap>> = samples.iter().map(|s| s.bootstrap.as_ref()).collect();
    let draws = resampled.and_then(|all| {
        let (first, rest) = all.split_first()?;
        Some(rest.iter().fold((*first).clone(), |sum, next| sum.combine(next, together)))
    });
    let few = samples.iter().any(|s| s.ascending.len() < INTERVAL_TRIALS);
    let contaminated = samples.iter().any(|s| s.contaminated);
    let error = error(test, &[m], reading);
    let interval = draws.as_ref().map(|draws| widened(draws.interval(), error));
    let noise = floor(test, selection, &[m], reading);
    let (p, lean) = within(value, draws.as_ref(), bounds, (noise, error), few, contaminated);
    let (workloads, what) = (samples.len(), m.name.clone());
    Some(DraftCompared {
        what,
        workloads,
        value,
        interval,
        claimed,
        stated: None,
        noise,
        p,
        p_adjusted: 1.0,
        apart: None,
        lean,
    })
}

/// Whether a value is shown to lie in a range, or outside it. Shown is what the whole 95 % interval bears out, farther from
/// the nearest end than the noise. The probability is twice the share of resamples beyond that end (Efron and
/// Tibshirani 1993, section 15.4).
fn within(
    value: f64,
    draws: Option<&Bootstrap>,
    (low, high): (f64, f64),
    (noise, error): (Option<f64>, f64),
    few: bool,
    contaminated: bool,
) -> (f64, Lean) {
    let open = |why: &str| (1.0, Lean::Open(why.to_owned()));
    let Some(draws) = draws.filter(|_| !few) else { return open("too few trials for an interval") };
    if contaminated {
        return open("contaminated trials had to be counted");
    }
    let share = |of: &dyn Fn(f64) -> bool| {
        let beyond = (0..RESAMPLES).filter_map(|i| draws.draw(i)).filter(|x| of(*x)).count();
        (2.0 * (beyond + 1) as f64 / (RESAMPLES + 1) as f64).min(1.0)
    };
    let interval = widened(draws.interval(), error);
    let clear = |end: f64| effect(value / end) > noise.unwrap_or(0.0);
    let between = low < interval.low && interval.high < high;
    let apart = interval.high < low || high < interval.low;
    match (between, apart) {
        (true, _) if clear(low) && clear(high) => (share(&|x| x < low).max(share(&|x| x > high)), Lean::Agrees),
        (_, true) if value < low && clear(low) => (share(&|x| x >= low), Lean::Disagrees),
        (_, true) if value > high && clear(high) => (share(&|x| x <= high), Lean::Disagrees),
        (false, false) => open("the interval holds an end of the range"),
        _ => open("nearer to an end of the range than the noise"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::sorted;
    use proptest::prelude::*;

    fn boot(values: &[f64]) -> Bootstrap {
        Bootstrap::of_median(&sorted(values.iter().copied()), 7).unwrap()
    }

    proptest! {
        #[test]
        fn a_range_is_decided_only_if_the_interval_holds_neither_end(
            values in prop::collection::vec(10.0f64..20.0, 6..14), low in 1.0f64..20.0, width in 0.1f64..20.0,
            noise in prop::option::of(0.0f64..0.3),
        ) {
            let draws = boot(&values);
            let value = crate::stats::median(&sorted(values.iter().copied())).unwrap();
            let interval = draws.interval();
            let high = low + width;
            let (p, lean) = within(value, Some(&draws), (low, high), (noise, 0.0), false, false);
            prop_assert!((0.0..=1.0).contains(&p));
            match lean {
                Lean::Agrees => prop_assert!(low < interval.low && interval.high < high && p <= 0.0501),
                Lean::Disagrees => prop_assert!((interval.high < low || high < interval.low) && p <= 0.0501),
                Lean::Open(_) => {}
            }
            if interval.contains(low) || interval.contains(high) {
                prop_assert!(matches!(lean, Lean::Open(_)));
            }
            for (few, contaminated) in [(true, false), (false, true)] {
                let open = within(value, Some(&draws), (low, high), (noise, 0.0), few, contaminated).1;
                prop_assert!(matches!(open, Lean::Open(_)));
            }
        }
    }

    #[test]
    fn the_verdict_on_a_range_turns_with_the_interval() {
        let draws = boot(&[10.0, 10.1, 10.2, 10.3, 10.4, 10.5, 10.6]);
        let lean = |low, high| within(10.3, Some(&draws), (low, high), (Some(0.01), 0.0), false, false).1;
        assert_eq!(lean(9.0, 12.0), Lean::Agrees);
        assert_eq!(lean(12.0, 14.0), Lean::Disagrees);
        assert_eq!(lean(5.0, 9.0), Lean::Disagrees);
        assert!(matches!(lean(10.3, 12.0), Lean::Open(_)));
        assert!(matches!(within(10.3, None, (9.0, 12.0), (None, 0.0), false, false).1, Lean::Open(_)));
    }
}

//! Recorded cases against one relation: ratios with intervals, and what is missing.

use super::file::{ClaimsFile, Metric, Relation, Test, Tier};
use super::report::{Link, Remove};
use super::select::Selection;
use super::verdict::Lean;
use crate::compare::evidence::{Pairing, Reading, TestedCase, pairing};
use crate::comparison::{Ratio, Verdict};
use crate::stats::{Bootstrap, INTERVAL_TRIALS, Interval, RESAMPLES, Sample, effect};
use std::collections::BTreeSet;

/// What a selection says to a test, before all comparisons are taken together.
pub(super) struct Draft {
    pub(super) remove: Remove,
    pub(super) place: String,
    pub(super) who: Vec<String>,
    /// What is missing.
    pub(super) gaps: Vec<String>,
    /// Whether completeness is all that is claimed.
    pub(super) completes: bool,
    pub(super) compared: Vec<DraftCompared>,
    pub(super) links: Vec<Link>,
}

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
    pub(super) lean: Lean,
}

/// Somebody who takes part.
struct Member<'t, 'a> {
    subject: &'t str,
    /// What reports call them.
    name: String,
    cases: Vec<&'t TestedCase<'a>>,
}

pub(super) fn examine<'t>(
    file: &'t ClaimsFile,
    test: &'t Test,
    selection: &'t Selection<'_, '_>,
    reading: Reading,
) -> Draft {
    let mut gaps = Vec::new();
    let (mut members, mut who) = (Vec::new(), Vec::new());
    for (subject, contestants) in &selection.members {
        let name = file.name_of(subject).to_owned();
        let labels = contestants.iter().filter_map(|i| selection.table.contestants.get(*i));
        who.extend(labels.map(|c| if c.label == *subject { name.clone() } else { format!("{} for {name}", c.label) }));
        match contestants.as_slice() {
            [] => gaps.push(format!("{name} was not run there")),
            [one] => {
                // What stands for a product must not bear its name.
                let label = selection.table.contestants.get(*one).map(|c| c.label.clone());
                let name = label.filter(|_| selection.remove == Remove::Architecture).unwrap_or(name);
                members.push(Member { subject, name, cases: selection.cases(test, *one).collect() });
            }
            several => gaps.push(format!("{} builds or versions of {name}; give the runs of one", several.len())),
        }
    }
    gaps.extend(incomplete(test, &members, reading));
    let all = members.iter().flat_map(|m| &m.cases).flat_map(|c| &c.recorded);
    let links: BTreeSet<Link> = all.map(|(file, key)| Link { file: file.clone(), key: key.clone() }).collect();
    let compared = relate(test, selection, &members, reading);
    let pairs = matches!(test.relation, Relation::Less(_) | Relation::Winner { .. } | Relation::Ratio { .. });
    if pairs && compared.iter().any(|c| c.noise.is_none()) {
        gaps.push("no A/A arm of this metric, so nobody knows the noise".to_owned());
    }
    if compared.is_empty() && !matches!(test.relation, Relation::Completes(_)) && gaps.is_empty() {
        gaps.push("nothing could be compared".to_owned());
    }
    Draft {
        remove: selection.remove,
        place: selection.place.clone(),
        who,
        gaps,
        completes: matches!(test.relation, Relation::Completes(_)),
        compared,
        links: links.into_iter().collect(),
    }
}

/// Everything that was asked for and is not there: workloads, answers, numbers.
fn incomplete(test: &Test, members: &[Member<'_, '_>], reading: Reading) -> Vec<String> {
    let workloads: BTreeSet<&str> = members.iter().flat_map(|m| &m.cases).map(|c| c.workload).collect();
    let mut gaps = Vec::new();
    if workloads.len() != test.cases {
        gaps.push(format!("{} workloads were run, the test has {}", workloads.len(), test.cases));
    }
    let needs_numbers = !matches!(test.relation, Relation::Completes(_));
    for m in members {
        let completed = m.cases.iter().filter(|c| c.completed()).count();
        if completed < workloads.len() {
            let first = m.cases.iter().find(|c| !c.completed());
            let why = first.map_or_else(
                || "the others were not run".to_owned(),
                |c| format!("{} {}: {}", c.workload, c.outcome, c.reason.as_deref().unwrap_or("no reason recorded")),
            );
            gaps.push(format!("{} completed {completed} of {}; {why}", m.name, workloads.len()));
        } else if needs_numbers {
            let without = m.cases.iter().filter(|c| c.sample(reading).is_none()).count();
            if without > 0 {
                gaps.push(format!("{} was not recorded in {without} cases of {}", test.metric, m.name));
            }
        }
    }
    gaps
}

fn relate(
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
            find(of).and_then(|m| value_within(test, m, reading, bounds, claimed)).into_iter().collect()
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

/// The pairs, the noise floor, the ratio and its probability.
type Measured = (Vec<(Sample, Sample)>, Option<f64>, Ratio, f64);

/// What was measured of two members: of totals for times, of the geometric mean for everything else.
fn measure(
    metric: Metric,
    selection: &Selection<'_, '_>,
    (a, b): (&Member<'_, '_>, &Member<'_, '_>),
    reading: Reading,
) -> Option<Measured> {
    let pairs = samples(a, b, reading);
    let only = match a.cases.as_slice() {
        [one] => Some((one.family, one.workload)),
        _ => None,
    };
    let floor = selection.table.floor(reading, only);
    let Pairing { total, geometric_mean, p } = pairing(&pairs, floor)?;
    let (ratio, p) = if metric.is_time() { (total, p.0) } else { (geometric_mean, p.1) };
    Some((pairs, floor, ratio, p))
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
    let (pairs, noise, ratio, p) = measure(test.metric, selection, (a, b), reading)?;
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
        lean,
    })
}

/// Why a ratio decides nothing.
fn open(ratio: &Ratio, noise: Option<f64>) -> &'static str {
    match (ratio.verdict, ratio.interval) {
        (Verdict::Contaminated, _) => "contaminated trials had to be counted",
        (Verdict::Unresolved, _) => "too few trials to show a difference",
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
    let (pairs, noise, ratio, _) = measure(test.metric, selection, (a, b), reading)?;
    let draws = draws(&pairs, test.metric.is_time());
    let few = pairs.iter().any(|(a, b)| a.ascending.len().min(b.ascending.len()) < INTERVAL_TRIALS);
    let contaminated = ratio.verdict == Verdict::Contaminated;
    let (p, lean) = within(ratio.value, draws.as_ref(), bounds, noise, few, contaminated);
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
    let interval = draws.as_ref().map(Bootstrap::interval);
    let (p, lean) = within(value, draws.as_ref(), bounds, None, few, contaminated);
    let (workloads, what) = (samples.len(), m.name.clone());
    Some(DraftCompared {
        what,
        workloads,
        value,
        interval,
        claimed,
        stated: None,
        noise: None,
        p,
        p_adjusted: 1.0,
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
    noise: Option<f64>,
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
    let interval = draws.interval();
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
            let (p, lean) = within(value, Some(&draws), (low, high), noise, false, false);
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
                let open = within(value, Some(&draws), (low, high), noise, few, contaminated).1;
                prop_assert!(matches!(open, Lean::Open(_)));
            }
        }
    }

    #[test]
    fn the_verdict_on_a_range_turns_with_the_interval() {
        let draws = boot(&[10.0, 10.1, 10.2, 10.3, 10.4, 10.5, 10.6]);
        let lean = |low, high| within(10.3, Some(&draws), (low, high), Some(0.01), false, false).1;
        assert_eq!(lean(9.0, 12.0), Lean::Agrees);
        assert_eq!(lean(12.0, 14.0), Lean::Disagrees);
        assert_eq!(lean(5.0, 9.0), Lean::Disagrees);
        assert!(matches!(lean(10.3, 12.0), Lean::Open(_)));
        assert!(matches!(within(10.3, None, (9.0, 12.0), None, false, false).1, Lean::Open(_)));
    }
}

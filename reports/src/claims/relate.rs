//! Comparisons: ratios and values with their intervals, each with what it leans to.

use super::examine::Member;
use super::file::{Relation, Test, Tier};
use super::metric::Unit;
use super::range::{Spread, within};
use super::select::Selection;
use super::verdict::Lean;
use crate::compare::evidence::{Pairing, Reading, pairing};
use crate::comparison::{Ratio, Verdict};
use crate::stats::{Bootstrap, INTERVAL_TRIALS, Interval, Sample, effect, least_p, least_sign_p, lone_variation};

/// One comparison, not yet one of many.
pub(super) struct DraftCompared {
    pub(super) what: String,
    pub(super) workloads: usize,
    pub(super) value: f64,
    pub(super) interval: Option<Interval>,
    pub(super) claimed: String,
    /// Of a range of values; a ratio has none.
    pub(super) unit: Option<Unit>,
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
            let claimed = (format!("{low}–{high} {}", unit.name()), *unit);
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
    Some(on_top(floor, error(test, members, reading)))
}

/// An error on top of a noise: neither makes the other smaller.
fn on_top(noise: f64, error: f64) -> f64 {
    (1.0 + noise) * (1.0 + error) - 1.0
}

/// What a value has to be away from an end of a range: the noise, or the variation of a case that is compared alone. Where
/// nobody knows the noise nothing is decided anyway.
fn distance(noise: Option<f64>, variation: &[Option<f64>], error: f64) -> f64 {
    variation.iter().flatten().map(|cv| on_top(*cv, error)).fold(noise.unwrap_or(0.0), f64::max)
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
        _ => open(&ratio, noise),
    };
    Some(DraftCompared {
        what: format!("{} / {}", a.name, b.name),
        workloads: pairs.len(),
        value: ratio.value,
        interval: ratio.interval,
        claimed: "< 1".to_owned(),
        unit: None,
        stated: stated(test, a.subject, b.subject),
        noise,
        p,
        p_adjusted: 1.0,
        apart,
        lean,
    })
}

/// Why a ratio decides nothing.
fn open(ratio: &Ratio, noise: Option<f64>) -> Lean {
    let open = |why: &str| Lean::Open(why.to_owned());
    let alike = |why: &str| Lean::Alike(why.to_owned());
    match (ratio.verdict, ratio.interval) {
        (Verdict::Contaminated, _) => open("contaminated trials had to be counted"),
        (Verdict::Unresolved, _) => open("too few trials to show a difference"),
        (Verdict::NotInterleaved, _) => open("not interleaved: they were in no run together"),
        (Verdict::NoFloor | Verdict::FloorContaminated, _) => open("no A/A arm, so nobody knows the noise"),
        (_, Some(interval)) if interval.contains(1.0) => alike("the interval holds 1"),
        _ if noise.is_some_and(|n| effect(ratio.value) <= n) => alike("within the A/A noise"),
        _ => alike("no more than chance or variation gives"),
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
    let sizes = || pairs.iter().map(|(a, b)| (a.ascending.len(), b.ascending.len()));
    let least_p = sizes().map(|(n, m)| least_p(n, m)).fold(0.0, f64::max);
    let spread = draws(&pairs, test.metric.is_time()).map(|draws| Spread::Resamples { draws, least_p });
    let few = sizes().any(|(n, m)| n.min(m) < INTERVAL_TRIALS);
    let contaminated = ratio.verdict == Verdict::Contaminated;
    let error = error(test, &[a, b], reading);
    let variation = [lone_variation(pairs.iter().map(|p| &p.0)), lone_variation(pairs.iter().map(|p| &p.1))];
    let away = (distance(noise, &variation, error), error);
    let (p, lean) = within(ratio.value, spread.as_ref(), bounds, away, few, contaminated);
    Some(DraftCompared {
        what: format!("{} / {}", a.name, b.name),
        workloads: pairs.len(),
        value: ratio.value,
        interval: ratio.interval,
        claimed: format!("{}–{}", bounds.0, bounds.1),
        unit: None,
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

/// Whether a value lies in a range: the sum over workloads for times, the largest for everything else. The value of one
/// workload is a median, whose interval and test need no resamples.
fn value_within(
    test: &Test,
    selection: &Selection<'_, '_>,
    m: &Member<'_, '_>,
    reading: Reading,
    bounds: (f64, f64),
    (claimed, unit): (String, Unit),
) -> Option<DraftCompared> {
    let samples: Vec<Sample> = m.cases.iter().filter_map(|c| c.sample(reading)).collect();
    let together = |a: f64, b: f64| if test.metric.is_time() { a + b } else { a.max(b) };
    let value = samples.iter().map(|s| s.median).reduce(together)?;
    let fewest = samples.iter().map(|s| s.ascending.len()).min()?;
    let resampled = || {
        let all: Option<Vec<&Bootstrap>> = samples.iter().map(|s| s.bootstrap.as_ref()).collect();
        let all = all?;
        let (first, rest) = all.split_first()?;
        Some(rest.iter().fold((*first).clone(), |sum, next| sum.combine(next, together)))
    };
    let spread = match samples.as_slice() {
        [one] => Some(Spread::Trials(&one.ascending)),
        _ => resampled().map(|draws| Spread::Resamples { draws, least_p: least_sign_p(fewest) }),
    };
    let contaminated = samples.iter().any(|s| s.contaminated);
    let error = error(test, &[m], reading);
    let interval = spread.as_ref().and_then(Spread::interval).map(|interval| widened(interval, error));
    let noise = floor(test, selection, &[m], reading);
    let away = (distance(noise, &[lone_variation(samples.iter())], error), error);
    let few = fewest < INTERVAL_TRIALS;
    let (p, lean) = within(value, spread.as_ref(), bounds, away, few, contaminated);
    let (workloads, what) = (samples.len(), m.name.clone());
    Some(DraftCompared {
        what,
        workloads,
        value,
        interval,
        claimed,
        unit: Some(unit),
        stated: None,
        noise,
        p,
        p_adjusted: 1.0,
        apart: None,
        lean,
    })
}

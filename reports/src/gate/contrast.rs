//! Whether a case changed, judged from turns.
//!
//! | question | by what |
//! |---|---|
//! | is a slow-down ruled out? | its own differences over the turns, nothing taken off: Student's interval, its family's deviation if larger |
//! | did this case change? | its differences less those of its controls in the same turns, variances moderated by its family's |
//! | did its whole engine change? | the middle difference of the engine's cases over the turns: Student's test |
//!
//! A control is what ran beside the case and shares its luck: the other engines on the same workload, else the rest of the family. It
//! takes away what drifts for all; what changed for all, it takes away too, which is why the first question goes without it.
//! With a single turn there is no scatter between turns. The scatter between cases stands in for it (an empirical null, Efron 2004),
//! which can show that one case differs from the others, and can rule out nothing.

use super::turns::{Turn, explained, level};
use crate::stats::{Interval, MAD_TO_DEVIATION, Moderation, holm, median, sorted, student_quantile, student_tails};
use bench_record::{Case, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// From so many turns on, a slow-down can be ruled out.
pub(super) const TURNS_MIN: usize = 3;
/// From so many cases on, their scatter stands in for that between turns.
const SCATTER_CASES: usize = 10;
/// So many cases of the family are a control where no other engine ran the workload.
const CONTROLS: usize = 4;
/// The interval of a case's own change holds the true one with this error in both tails together.
const ERROR: f64 = 0.05;
/// A case's own turns must agree at least so much that it changed, whatever others lend it.
const AGREEMENT: f64 = 0.10;
/// Scatter between cases has heavy tails: they are those of Student's distribution with so many degrees of freedom.
const FREEDOM_OF_SCATTER: f64 = 4.0;
/// What a value is worth to that median, of one to a standard deviation (Huber 1981).
const MAD_EFFICIENCY: f64 = 0.37;
/// A normal distribution has a tenth beyond so many deviations.
const ONE_OF_TEN: f64 = 1.281_552;
/// Two sources of evidence share what may go wrong.
const SOURCES: f64 = 2.0;

/// A case of a family with its turns, and what its A/A twins differ by within runs: difference and explained variance.
pub(super) struct Differences<'a> {
    pub(super) case: &'a Case,
    pub(super) turns: Vec<Turn>,
    pub(super) twins: Vec<(f64, f64)>,
}

/// What turns say about a case.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Change {
    pub(super) turns: usize,
    /// The mean difference, as a logarithm.
    pub(super) mean: f64,
    /// Between which the true one lies; none of a single turn.
    pub(super) bounds: Option<Interval>,
    /// The deviation of one turn's difference; none of a single turn.
    pub(super) deviation: Option<f64>,
    /// The probability that the case differs so much from its controls, or its engine from nothing, by chance: after Holm's correction
    /// in the family.
    pub(super) p: f64,
    /// Which way, if the evidence and the case's own turns agree: above 0 is slower.
    pub(super) direction: f64,
}

/// The changes of one family's cases, in their order.
pub(super) fn changes(family: &[Differences<'_>]) -> Vec<Change> {
    let contrasts: Vec<Vec<f64>> = family.iter().map(|d| contrast(d, family)).collect();
    let own: Vec<Test> = own_tests(family, &contrasts);
    let adjusted = holm(&own.iter().map(|t| t.p).collect::<Vec<_>>());
    let engines = engines(family);
    let usual = Moderation::of(&spreads(family.iter().map(|d| d.turns.iter().map(|t| t.change).collect())));
    let each = family.iter().zip(own.iter().zip(adjusted)).map(|(d, (test, p))| {
        let raw: Vec<f64> = d.turns.iter().map(|t| t.change).collect();
        let (mean, own) = moments(&raw);
        // Of few turns, a deviation is as often far too small as too large, and only the former does harm.
        let deviation = own.map(|s| s.max(usual.with(s * s, freedom(&raw)).0.sqrt()));
        let engine = engines.get(d.case.engine.as_str()).copied().unwrap_or(NOTHING);
        let evidence = [Test { p, ..*test }, engine].into_iter().min_by(|a, b| a.p.total_cmp(&b.p)).unwrap_or(NOTHING);
        let agree = evidence.mean * mean > 0.0 && agrees(&raw);
        Change {
            turns: raw.len(),
            mean,
            bounds: deviation.map(|s| interval(mean, s, raw.len())),
            deviation,
            p: (SOURCES * evidence.p).min(1.0),
            direction: if agree { mean } else { 0.0 },
        }
    });
    each.collect()
}

/// How far something lies from nothing, and how probable that is by chance.
#[derive(Clone, Copy, Debug)]
struct Test {
    mean: f64,
    p: f64,
}

const NOTHING: Test = Test { mean: 0.0, p: 1.0 };

/// The differences of a case less those of its controls.
fn contrast(of: &Differences<'_>, family: &[Differences<'_>]) -> Vec<f64> {
    let other_engine = |d: &&Differences<'_>| {
        let (a, b) = (d.case, of.case);
        a.engine != b.engine && (&a.workload, a.scale, &a.protocol) == (&b.workload, b.scale, &b.protocol)
    };
    let in_turn = |d: &Differences<'_>, at| d.turns.iter().find(|t| t.at == at).map(|t| t.change);
    let less = |turn: &Turn| {
        let beside = sorted(family.iter().filter(other_engine).filter_map(|d| in_turn(d, turn.at)));
        let others = || {
            let rest = sorted(family.iter().filter(|d| d.case != of.case).filter_map(|d| in_turn(d, turn.at)));
            if rest.len() >= CONTROLS { median(&rest) } else { None }
        };
        turn.change - median(&beside).or_else(others).unwrap_or_default()
    };
    of.turns.iter().map(less).collect()
}

/// Whether each case differs from its controls.
fn own_tests(family: &[Differences<'_>], contrasts: &[Vec<f64>]) -> Vec<Test> {
    let prior = Moderation::of(&spreads(contrasts.iter().cloned()));
    let single = Scatter::of(family, contrasts);
    let test = |(d, values): (&Differences<'_>, &Vec<f64>)| {
        let (mean, deviation) = moments(values);
        let p = match (deviation, d.turns.first(), &single) {
            (Some(s), ..) => {
                let (variance, freedom) = prior.with(s * s, freedom(values));
                student_tails(mean.abs() / (variance / values.len() as f64).sqrt(), freedom)
            }
            (None, Some(turn), Some(scatter)) => scatter.p(mean, turn.explained),
            _ => 1.0,
        };
        Test { mean, p: if mean == 0.0 { 1.0 } else { p } }
    };
    family.iter().zip(contrasts).map(test).collect()
}

/// The engines' own changes: the middle of their cases' differences in each turn, tested over the turns.
fn engines<'a>(family: &[Differences<'a>]) -> BTreeMap<&'a str, Test> {
    let names: BTreeSet<&'a str> = family.iter().map(|d| d.case.engine.as_str()).collect();
    let shift = |engine: &str| {
        let mut by_turn: BTreeMap<(Timestamp, Timestamp), Vec<f64>> = BTreeMap::new();
        for d in family.iter().filter(|d| d.case.engine == engine) {
            d.turns.iter().for_each(|t| by_turn.entry(t.at).or_default().push(t.change));
        }
        let middles: Vec<f64> = by_turn.into_values().filter_map(|all| median(&sorted(all))).collect();
        let (mean, deviation) = moments(&middles);
        let n = middles.len() as f64;
        let p = deviation.map_or(1.0, |s| student_tails(mean.abs() / (s / n.sqrt()), n - 1.0));
        Test { mean, p }
    };
    let tests: Vec<Test> = names.iter().map(|engine| shift(engine)).collect();
    let adjusted = holm(&tests.iter().map(|t| t.p).collect::<Vec<_>>());
    names.into_iter().zip(tests.iter().zip(adjusted)).map(|(name, (test, p))| (name, Test { p, ..*test })).collect()
}

/// How far cases lie from their controls in a single turn, in units of what their trials explain.
struct Scatter {
    scale: f64,
    usual: f64,
}

impl Scatter {
    fn of(family: &[Differences<'_>], contrasts: &[Vec<f64>]) -> Option<Self> {
        let usual = median(&sorted(family.iter().filter_map(|d| d.turns.first()).map(|t| t.explained)))?;
        let units = |(value, explained): (f64, f64)| value.abs() / steadied(explained, usual).sqrt();
        let single: Vec<f64> = family
            .iter()
            .zip(contrasts)
            .filter_map(|(d, c)| Some(units((*c.first()?, d.turns.first()?.explained))))
            .collect();
        if single.len() < SCATTER_CASES || usual <= 0.0 {
            return None;
        }
        let twins: Vec<f64> = family.iter().flat_map(|d| &d.twins).map(|t| units(*t)).collect();
        let pessimistic = |units: Vec<f64>| {
            let n = units.len() as f64 * MAD_EFFICIENCY;
            let part = 2.0 / (9.0 * n.max(1.0));
            // The upper bound of a variance with 90 % confidence (Wilson and Hilferty 1931): too small a scale does harm.
            let factor = (1.0 - part - ONE_OF_TEN * part.sqrt()).max(0.2).powi(3);
            median(&sorted(units)).map(|m| MAD_TO_DEVIATION * m / factor.sqrt())
        };
        let scale = [pessimistic(single), pessimistic(twins)].into_iter().flatten().fold(1.0, f64::max);
        Some(Self { scale, usual })
    }

    fn p(&self, value: f64, explained: f64) -> f64 {
        let deviation = self.scale * steadied(explained, self.usual).sqrt();
        student_tails(value.abs() / deviation, FREEDOM_OF_SCATTER)
    }
}

/// A variance of few trials and the family's usual one, half and half.
fn steadied(own: f64, usual: f64) -> f64 {
    f64::midpoint(own, usual)
}

/// What the A/A twin of a run differs by from the run's own level: difference and explained variance.
pub(super) fn twin(main: &[f64], twin: &[f64]) -> Option<(f64, f64)> {
    Some((level(twin)? - level(main)?, explained(main) + explained(twin)))
}

/// The variances of several values each, with their degrees of freedom.
fn spreads(all: impl Iterator<Item = Vec<f64>>) -> Vec<(f64, f64)> {
    all.filter_map(|values| Some((moments(&values).1?.powi(2), freedom(&values)))).collect()
}

const fn freedom(values: &[f64]) -> f64 {
    values.len().saturating_sub(1) as f64
}

/// Mean, and the deviation of one value of two or more.
fn moments(values: &[f64]) -> (f64, Option<f64>) {
    let n = values.len() as f64;
    if values.is_empty() {
        return (0.0, None);
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()))
}

fn interval(mean: f64, deviation: f64, n: usize) -> Interval {
    let half = student_quantile(ERROR, n as f64 - 1.0) * deviation / (n as f64).sqrt();
    Interval { low: mean - half, high: mean + half }
}

/// Whether a case's own turns lean one way, each of them believed by itself: one far turn among near ones is a burst. A single turn
/// has nothing to disagree with.
fn agrees(values: &[f64]) -> bool {
    let n = values.len() as f64;
    match moments(values) {
        (mean, Some(s)) => student_tails(mean.abs() / (s / n.sqrt()), n - 1.0) <= AGREEMENT,
        _ => true,
    }
}

/// How many turns it would take until a change so large could be ruled out of equal times; none if more than a hundred.
pub(super) fn turns_needed(deviation: f64, change: f64) -> Option<usize> {
    (TURNS_MIN..=100).find(|n| interval(0.0, deviation, *n).high <= change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_record::{Family, Protocol};

    fn case(workload: &str, engine: &str) -> Case {
        Case {
            suite: "s".into(),
            family: Family::Sql,
            workload: workload.into(),
            engine: engine.into(),
            variant: Case::DEFAULT_VARIANT.into(),
            cluster: "local".into(),
            nodes: 1,
            slots: 1,
            protocol: Protocol::Warm(1),
            scale: 1,
        }
    }

    fn turns(changes: &[f64]) -> Vec<Turn> {
        let at = |i: usize| Timestamp::from_unix_ms(i as u64);
        let one = |(i, change): (usize, &f64)| Turn { at: (at(i), at(i)), change: *change, explained: 1e-4 };
        changes.iter().enumerate().map(one).collect()
    }

    /// The last case of `engine` on q0, beside two other engines that drift as all do.
    fn judged(own: &[f64], drift: &[f64]) -> Change {
        let cases = ["a", "b", "c"].map(|engine| case("q0", engine));
        let plus = |extra: &[f64]| drift.iter().zip(extra).map(|(d, e)| d + e).collect::<Vec<_>>();
        let values = [plus(&[0.0, 0.001, 0.0, 0.002]), plus(&[0.001, 0.0, 0.002, 0.0]), plus(own)];
        let family: Vec<Differences<'_>> = cases
            .iter()
            .zip(&values)
            .map(|(case, values)| Differences { case, turns: turns(values), twins: Vec::new() })
            .collect();
        *changes(&family).last().unwrap()
    }

    #[test]
    fn what_drifts_for_all_is_no_change_of_one_and_still_widens_its_bounds() {
        let drift = [0.1, -0.08, 0.05, -0.09];
        let still = judged(&[0.0; 4], &drift);
        assert!(still.p > 0.1 && still.bounds.unwrap().high > 0.1, "{still:?}");
        let changed = judged(&[0.3, 0.301, 0.3, 0.302], &drift);
        assert!(changed.p < 0.001 && changed.direction > 0.0, "{changed:?}");
    }

    #[test]
    fn one_far_turn_is_a_burst_and_no_change() {
        let burst = judged(&[0.0, 0.9, 0.0, 0.0], &[0.0; 4]);
        assert_eq!(burst.direction, 0.0, "{burst:?}");
    }

    #[test]
    fn the_turns_needed_follow_students_quantiles() {
        assert_eq!(turns_needed(0.01, 0.0488), Some(3));
        // 2.776 x 0.035 / sqrt(5) = 0.0434, and 3.182 x 0.035 / 2 = 0.0557.
        assert_eq!(turns_needed(0.035, 0.0488), Some(5));
        assert_eq!(turns_needed(1.0, 0.0488), None);
    }
}

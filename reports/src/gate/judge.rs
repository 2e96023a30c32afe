//! One case: its ratio, its bounds, its status.

use super::contrast::{Change, TURNS_MIN, changes, turns_needed};
use super::model::{Finding, GateNoise, Lean, SideCase, Status, Uncertainty};
use super::noise::{Floors, differences, seed};
use super::{ALPHA, CaseTrials, Cases, GateOptions};
use crate::stats::{
    Bootstrap, Interval, coefficient_of_variation, effect, holm, least_p, mann_whitney, median, sorted,
};
use bench_record::{Case, Family, Outcome};
use std::collections::BTreeMap;

/// A case at least this improbable by chance alone is worth measuring again.
const SUSPECT_P: f64 = 0.05;

/// What is found of every case that both sides ran, and the noise of each family.
pub(super) fn findings(old: &Cases, fresh: &Cases, options: &GateOptions<'_>) -> (Vec<Finding>, Vec<GateNoise>) {
    let floors = Floors::new(old, fresh);
    let mut measured: BTreeMap<&Case, Measure> = BTreeMap::new();
    let mut tests: BTreeMap<Family, usize> = BTreeMap::new();
    let mut told = Vec::new();
    for family in floors.families() {
        let turns = differences(family, old, fresh);
        let found = changes(&turns);
        told.push(floors.told(family, &turns, &found));
        let mut of_family: Vec<(&Case, Measure)> = old
            .iter()
            .filter(|(case, _)| case.family == family)
            .filter_map(|(case, base)| {
                let at = turns.iter().position(|d| d.case == case);
                let change = at.and_then(|at| found.get(at)).copied().unwrap_or_default();
                Some((case, Measure::of(case, base, fresh.get(case)?, floors.of(case), change)?))
            })
            .collect();
        let adjusted = holm(&of_family.iter().map(|(_, m)| m.ranked).collect::<Vec<_>>());
        of_family.iter_mut().zip(adjusted).for_each(|((_, m), p)| m.adjusted = p);
        tests.insert(family, of_family.len());
        measured.extend(of_family);
    }
    let both = old.iter().filter_map(|(case, base)| Some((case, base, fresh.get(case)?)));
    let judged = both.map(|(case, base, new)| {
        let tests = tests.get(&case.family).copied().unwrap_or_default();
        finding(case, base, new, measured.get(case).copied(), tests, options)
    });
    (judged.collect(), told)
}

/// The numbers of a case that both sides completed.
#[derive(Clone, Copy, Debug)]
struct Measure {
    ratio: f64,
    /// Of the trials alone, by the bootstrap; none of one trial.
    interval: Option<Interval>,
    /// No smaller effect is claimed.
    floor: Option<f64>,
    /// What the rank test of all trials says.
    ranked: f64,
    /// The same after Holm's correction in the family.
    adjusted: f64,
    /// What the turns say.
    change: Change,
    trials: (usize, usize),
}

impl Measure {
    fn of(case: &Case, base: &CaseTrials, new: &CaseTrials, floor: Option<f64>, change: Change) -> Option<Self> {
        let (a, b) = (sorted(new.times()), sorted(base.times()));
        let ratio = median(&a)? / median(&b)?;
        let key = case.key();
        let interval = Bootstrap::of_median(&a, seed(&key, 1))
            .zip(Bootstrap::of_median(&b, seed(&key, 2)))
            .map(|(a, b)| a.ratio(&b).interval());
        let ranked = mann_whitney(&a, &b).map_or(1.0, |t| t.p_two_sided);
        Some(Self { ratio, interval, floor, ranked, adjusted: 1.0, change, trials: (a.len(), b.len()) })
    }

    /// What trials say that know of nothing beyond themselves, in whatever direction.
    fn by_trials(&self) -> Option<Lean> {
        let apart = self.interval.is_some_and(|i| !i.contains(1.0));
        let above_floor = self.floor.is_some_and(|floor| effect(self.ratio) > floor);
        let shown = apart && above_floor && self.adjusted <= ALPHA;
        shown.then_some(if self.ratio > 1.0 { Lean::Slower } else { Lean::Faster })
    }

    /// What trials and turns say together.
    fn shown(&self) -> Option<Lean> {
        let agree = self.change.p <= ALPHA && self.change.direction * self.ratio.ln() > 0.0;
        self.by_trials().filter(|_| agree)
    }

    /// Between which the ratio lies, as far as turns tell; the ratio of medians included.
    fn bounds(&self) -> Option<Interval> {
        let b = self.change.bounds?;
        Some(Interval { low: b.low.exp().min(self.ratio), high: b.high.exp().max(self.ratio) })
    }

    /// Whether a slow-down beyond the budget is ruled out.
    fn is_within(&self, budget: f64) -> bool {
        self.change.turns >= TURNS_MIN && self.bounds().is_some_and(|b| b.high <= 1.0 + budget)
    }

    /// The smallest slow-down that would have been ruled out of equal times.
    fn visible(&self) -> Option<f64> {
        self.change.bounds.map(|b| (b.high - self.change.mean).exp() - 1.0)
    }

    /// What it would take to see a slow-down of the budget, `tests` cases of the family together.
    fn uncertainty(&self, budget: f64, tests: usize) -> Uncertainty {
        let (least, have) = (least_trials(tests), self.trials.0.min(self.trials.1));
        if have < least {
            return Uncertainty::Trials { needed: least };
        }
        let Some(deviation) = self.change.deviation else { return Uncertainty::Runs { needed: TURNS_MIN } };
        if self.change.turns < TURNS_MIN {
            return Uncertainty::Runs { needed: TURNS_MIN };
        }
        // What a case leans to the slower side leaves less than the whole budget; as much as it has is not enough.
        let left = (1.0 + budget).ln() - self.change.mean.max(0.0);
        match turns_needed(deviation, left) {
            Some(needed) => Uncertainty::Runs { needed: needed.max(self.change.turns + 1) },
            None => Uncertainty::Noise,
        }
    }
}

/// The fewest trials a side whose complete separation is significant among so many tests.
pub(super) fn least_trials(tests: usize) -> usize {
    (1..100).find(|n| least_p(*n, *n) * tests as f64 <= ALPHA).unwrap_or(100)
}

fn finding(
    case: &Case,
    base: &CaseTrials,
    new: &CaseTrials,
    measured: Option<Measure>,
    tests: usize,
    options: &GateOptions<'_>,
) -> Finding {
    let budget = (options.budget)(case);
    let (status, uncertainty) = match (base.outcome, new.outcome) {
        (Outcome::WrongAnswer, Outcome::WrongAnswer) => (Status::StillFailing, None),
        (_, Outcome::WrongAnswer) => (Status::WrongAnswer, None),
        (Outcome::Completed, Outcome::Completed) => timed(base, new, measured, budget, tests),
        (Outcome::Completed, _) => (Status::NewlyFailing, None),
        (_, Outcome::Completed) => (Status::Fixed, None),
        (_, _) => (Status::StillFailing, None),
    };
    let m = measured;
    let leans = |m: Measure| m.interval.is_some_and(|i| i.low > 1.0) || m.ratio > 1.0 && m.ranked <= SUSPECT_P;
    let by_trials = m.and_then(|m| m.by_trials());
    // A slow-down that is accepted is accepted too where it can only be suspected.
    let seen = if status == Status::Inconclusive && by_trials == Some(Lean::Slower) { Status::Slower } else { status };
    let mut finding = Finding {
        key: case.key(),
        case: case.clone(),
        status,
        said: String::new(),
        suspect: status.is_regression() || status == Status::Inconclusive && m.is_some_and(leans),
        allowed: if seen.is_regression() { (options.allowed)(case, seen) } else { None },
        budget,
        base: side(base),
        new: side(new),
        ratio: m.map(|m| m.ratio),
        interval: m.and_then(|m| m.interval),
        bounds: m.and_then(|m| m.bounds()),
        visible: m.and_then(|m| m.visible()),
        floor: m.and_then(|m| m.floor),
        turns: m.map_or(0, |m| m.change.turns),
        by_trials,
        p: m.map(|m| m.ranked),
        p_adjusted: m.map(|m| m.adjusted.max(m.change.p)),
        uncertainty,
        yearly: None,
    };
    finding.said = said(&finding);
    finding
}

fn timed(
    base: &CaseTrials,
    new: &CaseTrials,
    measured: Option<Measure>,
    budget: f64,
    tests: usize,
) -> (Status, Option<Uncertainty>) {
    let least = || Uncertainty::Trials { needed: least_trials(tests.max(1)) };
    let Some(m) = measured else { return (Status::Inconclusive, Some(least())) };
    if base.contaminated || new.contaminated {
        return (Status::Inconclusive, Some(Uncertainty::Contaminated));
    }
    if m.floor.is_none() {
        return (Status::Inconclusive, Some(Uncertainty::NoTwin));
    }
    match (m.shown(), m.is_within(budget)) {
        (Some(Lean::Faster), _) => (Status::Faster, None),
        (Some(Lean::Slower), true) => (Status::WithinBudget, None),
        (Some(Lean::Slower), false) => (Status::Slower, None),
        (None, true) => (Status::Fine, None),
        (None, false) => (Status::Inconclusive, Some(m.uncertainty(budget, tests))),
    }
}

fn side(trials: &CaseTrials) -> SideCase {
    let times = trials.times();
    SideCase {
        outcome: trials.outcome,
        reason: trials.reason.clone(),
        trials: times.len(),
        wall_ns_median: median(&sorted(times.iter().copied())),
        wall_cv: coefficient_of_variation(&times),
        contaminated: trials.contaminated,
    }
}

/// A sentence on a finding.
fn said(f: &Finding) -> String {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let change = f.ratio.map(|r| percent((r - 1.0).abs())).unwrap_or_default();
    let reason = |side: &SideCase| side.reason.clone().unwrap_or_else(|| side.outcome.name().to_owned());
    match f.status {
        Status::WrongAnswer => format!("gave a wrong answer: {}", reason(&f.new)),
        Status::NewlyFailing => format!("completed before and now {}: {}", f.new.outcome.name(), reason(&f.new)),
        Status::StillFailing => format!("{} before and {} now", f.base.outcome.name(), f.new.outcome.name()),
        Status::Fixed => format!("{} before, completes now", f.base.outcome.name()),
        Status::Slower => {
            let high = f.bounds.map_or_else(String::new, |b| format!(", perhaps {}", percent(b.high - 1.0)));
            format!("{change} slower{high}; the budget is {}", percent(f.budget))
        }
        Status::WithinBudget => format!("{change} slower, within the budget of {}", percent(f.budget)),
        Status::Faster => format!("{change} faster"),
        Status::Fine => format!("no slow-down of more than {}", percent(f.budget)),
        Status::Inconclusive => match f.uncertainty {
            Some(Uncertainty::Trials { needed }) => {
                format!("a slow-down of {} would not be seen; about {needed} trials a side would do", percent(f.budget))
            }
            Some(Uncertainty::Runs { needed }) => {
                let had = if f.turns == 1 { "1 turn".to_owned() } else { format!("{} turns", f.turns) };
                format!(
                    "{had} of BASE and NEW cannot rule out a slow-down of {}; about {needed} would",
                    percent(f.budget)
                )
            }
            Some(Uncertainty::Contaminated) => "something else used the machine; run again".to_owned(),
            Some(Uncertainty::NoTwin) => "no A/A arm in this family, so nobody knows the noise".to_owned(),
            Some(Uncertainty::Noise) | None => {
                let visible = f.visible.map_or_else(String::new, |v| format!(", below {} nothing is seen", percent(v)));
                format!("noise is larger than the budget of {}{visible}", percent(f.budget))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_trials_are_those_whose_separation_survives_the_correction() {
        // 2 / C(2n, n): 1/126 of five, 1/462 of six, 1/92378 of ten.
        assert_eq!([1, 2, 10, 100, 200].map(least_trials), [5, 6, 7, 9, 9]);
        assert_eq!(least_trials(900), 10);
    }
}

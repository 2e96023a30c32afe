//! One case: its ratio, its bounds, its status.

use super::model::{Finding, SideCase, Status, Uncertainty};
use super::noise::{Difference, Noise, NoiseOf, seed};
use super::{ALPHA, CaseTrials, Cases, GateOptions};
use crate::stats::{
    Bootstrap, Interval, coefficient_of_variation, effect, holm, least_p, mann_whitney, median, ratio_interval, sorted,
    two_tails,
};
use bench_record::{Case, Outcome};

/// How many deviations of a normal distribution leave 5 % above: a slow-down beyond the budget is ruled out wrongly in no
/// more than one of twenty cases.
const RULED_OUT: f64 = 1.644_854;
/// A case at least this improbable by chance alone is worth measuring again.
const SUSPECT_P: f64 = 0.05;

pub(super) fn findings(old: &Cases, fresh: &Cases, noise: &Noise, options: &GateOptions<'_>) -> Vec<Finding> {
    let both = || old.iter().filter_map(|(case, base)| Some((case, base, fresh.get(case)?)));
    let measured: Vec<Option<Measure>> =
        both().map(|(case, base, new)| Measure::of(case, base, new, noise.of(case))).collect();
    let tests: Vec<f64> = measured.iter().flatten().map(|m| m.p).collect();
    let mut adjusted = holm(&tests).into_iter();
    let judged = both().zip(measured).map(|((case, base, new), measure)| {
        let shown = measure.map(|m| (m, adjusted.next().unwrap_or(1.0)));
        finding(case, base, new, shown, tests.len(), options)
    });
    judged.collect()
}

/// The numbers of a case that both sides completed.
#[derive(Clone, Copy, Debug)]
struct Measure {
    ratio: f64,
    /// Of the trials alone, by the bootstrap; none of one trial.
    interval: Option<Interval>,
    /// Noise between runs included; none where trials are too few for any.
    bounds: Option<Interval>,
    /// How far the upper bound is from the ratio by trials alone, as a logarithm.
    within: f64,
    p: f64,
    trials: (usize, usize),
    noise: NoiseOf,
}

impl Measure {
    fn of(case: &Case, base: &CaseTrials, new: &CaseTrials, noise: NoiseOf) -> Option<Self> {
        let (a, b) = (sorted(new.times.iter().copied()), sorted(base.times.iter().copied()));
        let ratio = median(&a)? / median(&b)?;
        let key = case.key();
        let interval = Bootstrap::of_median(&a, seed(&key, 1))
            .zip(Bootstrap::of_median(&b, seed(&key, 2)))
            .map(|(a, b)| a.ratio(&b).interval());
        let ranks = ratio_interval(&a, &b);
        let difference = Difference::of(&key, &a, &b);
        let ranked = mann_whitney(&a, &b).map_or(1.0, |t| t.p_two_sided);
        let deviation = difference.map(|d| (d.variance + noise.beyond.powi(2)).sqrt());
        // Identical times have no deviation: then their ranks decide alone.
        let between = deviation.filter(|d| *d > 0.0).map_or(ranked, |d| two_tails(ratio.ln().abs() / d));
        // Intervals of few trials are narrower than they say; that of ranks is not. The wider end counts on each side.
        let within = interval.zip(ranks).map(|(i, r)| Interval { low: i.low.min(r.low), high: i.high.max(r.high) });
        let widened = |end: f64| {
            let own = (end / ratio).ln();
            own.hypot(RULED_OUT * noise.beyond)
        };
        let bounds = within.map(|w| Interval {
            low: ratio * (-widened(w.low.min(ratio))).exp(),
            high: ratio * widened(w.high.max(ratio)).exp(),
        });
        let trials = (a.len(), b.len());
        let above = within.map_or(f64::INFINITY, |w| (w.high.max(ratio) / ratio).ln());
        Some(Self { ratio, interval, bounds, within: above, p: ranked.max(between), trials, noise })
    }

    /// Whether a difference is shown, in whatever direction.
    fn is_shown(&self, adjusted: f64) -> bool {
        let apart = self.interval.is_some_and(|i| !i.contains(1.0));
        let above_floor = self.noise.floor.is_some_and(|floor| effect(self.ratio) > floor);
        apart && above_floor && adjusted <= ALPHA
    }

    /// Whether a slow-down beyond the budget is ruled out.
    fn is_within(&self, budget: f64) -> bool {
        self.noise.floor.is_some() && self.bounds.is_some_and(|b| b.high <= 1.0 + budget)
    }

    /// The smallest slow-down that would have been ruled out of equal times.
    fn visible(&self) -> Option<f64> {
        self.bounds.map(|b| b.high / self.ratio - 1.0)
    }

    /// What it would take to see a slow-down of the budget, `tests` cases together.
    fn uncertainty(&self, budget: f64, tests: usize) -> Uncertainty {
        let wanted = (1.0 + budget).ln();
        let beyond = RULED_OUT * self.noise.beyond;
        let least = least_trials(tests);
        let have = self.trials.0.min(self.trials.1);
        if beyond >= wanted || self.noise.floor.is_some_and(|floor| floor >= budget) && have >= least {
            return Uncertainty::Noise;
        }
        // The width of an interval falls with the root of the number of trials.
        let factor = self.within.powi(2) / (wanted.powi(2) - beyond.powi(2));
        let by_width = if factor.is_finite() { (have as f64 * factor).ceil().min(1e6) as usize } else { 0 };
        // A ratio of more than 1 leaves less than the whole budget: no estimate is less than what there is.
        Uncertainty::Trials { needed: by_width.max(least).max(have + 1) }
    }
}

/// The fewest trials a side whose complete separation is significant among so many tests.
fn least_trials(tests: usize) -> usize {
    (1..100).find(|n| least_p(*n, *n) * tests as f64 <= ALPHA).unwrap_or(100)
}

fn finding(
    case: &Case,
    base: &CaseTrials,
    new: &CaseTrials,
    measured: Option<(Measure, f64)>,
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
    let m = measured.map(|(m, _)| m);
    let p_adjusted = measured.map(|(_, adjusted)| adjusted);
    let apart = m.is_some_and(|m| m.interval.is_some_and(|i| i.low > 1.0) || m.ratio > 1.0 && m.p <= SUSPECT_P);
    let mut finding = Finding {
        key: case.key(),
        case: case.clone(),
        status,
        said: String::new(),
        suspect: status.is_regression() || status == Status::Inconclusive && apart,
        allowed: if status.is_regression() { (options.allowed)(case, status) } else { None },
        budget,
        base: side(base),
        new: side(new),
        ratio: m.map(|m| m.ratio),
        interval: m.and_then(|m| m.interval),
        bounds: m.and_then(|m| m.bounds),
        visible: m.and_then(|m| m.visible()),
        floor: m.and_then(|m| m.noise.floor),
        p: m.map(|m| m.p),
        p_adjusted,
        uncertainty,
        yearly: None,
    };
    finding.said = said(&finding);
    finding
}

fn timed(
    base: &CaseTrials,
    new: &CaseTrials,
    measured: Option<(Measure, f64)>,
    budget: f64,
    tests: usize,
) -> (Status, Option<Uncertainty>) {
    let least = || Uncertainty::Trials { needed: least_trials(tests.max(1)) };
    let Some((m, adjusted)) = measured else { return (Status::Inconclusive, Some(least())) };
    if base.contaminated || new.contaminated {
        return (Status::Inconclusive, Some(Uncertainty::Contaminated));
    }
    if m.noise.floor.is_none() {
        return (Status::Inconclusive, Some(Uncertainty::NoTwin));
    }
    let shown = m.is_shown(adjusted);
    match (shown, m.is_within(budget)) {
        (true, _) if m.ratio < 1.0 => (Status::Faster, None),
        (true, true) => (Status::WithinBudget, None),
        (true, false) => (Status::Slower, None),
        (false, true) => (Status::Fine, None),
        (false, false) => (Status::Inconclusive, Some(m.uncertainty(budget, tests))),
    }
}

fn side(trials: &CaseTrials) -> SideCase {
    SideCase {
        outcome: trials.outcome,
        reason: trials.reason.clone(),
        trials: trials.times.len(),
        wall_ns_median: median(&sorted(trials.times.iter().copied())),
        wall_cv: coefficient_of_variation(&trials.times),
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

//! A case's runs of both builds, paired as they took turns.
//!
//! The run is the unit: its trials share processes and an hour of the machine, so more of them say nothing about the next run. A
//! run is reduced to its level, and a run of BASE and its neighbor in time of NEW to one difference. Whatever drifts more slowly
//! than turns change drops out of it; whatever does not shows as scatter between turns.

use crate::compare::{CaseTrials, RunTimes};
use crate::stats::sorted;
use bench_record::Timestamp;

/// One run of each build, next to each other in time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Turn {
    /// When the two began: which turn it is, for all cases alike.
    pub(super) at: (Timestamp, Timestamp),
    /// NEW's level less BASE's: the logarithm of how many times as long NEW takes.
    pub(super) change: f64,
    /// The variance that the trials of the two runs explain.
    pub(super) explained: f64,
}

/// Runs of the two builds that follow one another, each in one turn. Of runs of one build in a row, only the last has a neighbor: BASE
/// three times and then NEW three times is one turn, however many runs that are.
pub(super) fn turns(base: &CaseTrials, new: &CaseTrials) -> Vec<Turn> {
    let side = |trials: &'_ CaseTrials, is_new: bool| {
        let with_level = |run: &RunTimes| Some((run.started_at, is_new, level(&run.main)?, explained(&run.main)));
        trials.runs.iter().filter_map(with_level).collect::<Vec<_>>()
    };
    let mut all = side(base, false);
    all.extend(side(new, true));
    all.sort_by_key(|(started_at, is_new, ..)| (*started_at, *is_new));
    let mut turns = Vec::new();
    let mut rest = all.as_slice();
    while let [first, second, later @ ..] = rest {
        if first.1 == second.1 {
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let (old, fresh) = if second.1 { (first, second) } else { (second, first) };
        turns.push(Turn { at: (old.0, fresh.0), change: fresh.2 - old.2, explained: old.3 + fresh.3 });
        rest = later;
    }
    turns
}

/// The level of a run: the mean of the logarithms of the lower half of its times, the middle one of an odd number counted half.
/// Disturbances only lengthen times, and they seldom reach more than half of them. None of no times.
pub(super) fn level(times: &[f64]) -> Option<f64> {
    let logs = sorted(times.iter().map(|t| t.max(1.0).ln()));
    let half = logs.len() as f64 / 2.0;
    let weighted: f64 = logs.iter().enumerate().map(|(i, log)| (half - i as f64).clamp(0.0, 1.0) * log).sum();
    if logs.is_empty() { None } else { Some(weighted / half) }
}

/// The variance of a level by leaving out each trial in turn (the jackknife); 0 of fewer than three.
pub(super) fn explained(times: &[f64]) -> f64 {
    if times.len() < 3 {
        return 0.0;
    }
    let without = |left: usize| {
        let rest: Vec<f64> = times.iter().enumerate().filter(|(i, _)| *i != left).map(|(_, t)| *t).collect();
        level(&rest)
    };
    let levels: Vec<f64> = (0..times.len()).filter_map(without).collect();
    let n = levels.len() as f64;
    let mean = levels.iter().sum::<f64>() / n;
    levels.iter().map(|l| (l - mean).powi(2)).sum::<f64>() * (n - 1.0) / n
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_record::Outcome;

    fn side(seconds: &[u64], time: f64) -> CaseTrials {
        let run =
            |s: &u64| RunTimes { started_at: Timestamp::from_unix_ms(s * 1000), main: vec![time; 3], twin: Vec::new() };
        let runs = seconds.iter().map(run).collect();
        CaseTrials { outcome: Outcome::Completed, reason: None, runs, contaminated: false }
    }

    #[test]
    fn only_runs_that_took_turns_are_turns() {
        let count = |base: &[u64], new: &[u64]| turns(&side(base, 1e6), &side(new, 1.1e6)).len();
        assert_eq!(count(&[1, 4, 5], &[2, 3, 6]), 3);
        assert_eq!(count(&[1, 2, 3], &[4, 5, 6]), 1);
        assert_eq!(count(&[1, 2, 5], &[3, 6]), 2);
        assert_eq!(count(&[1], &[]), 0);
        let change = turns(&side(&[2], 1e6), &side(&[1], 1.1e6))[0].change;
        assert!((change - 1.1f64.ln()).abs() < 1e-12, "{change}");
    }

    #[test]
    fn a_level_is_that_of_the_lower_half_and_bursts_above_it_change_nothing() {
        let quiet = level(&[1e6, 1.01e6, 1.02e6, 1.03e6]).unwrap();
        assert_eq!(level(&[1e6, 1.01e6, 9e6, 7e7]).unwrap(), quiet);
        assert!((level(&[2e6, 1e6, 4e6]).unwrap() - (1e6f64.ln() + 0.5 * 2e6f64.ln()) / 1.5).abs() < 1e-12);
        assert_eq!((level(&[]), level(&[5e6])), (None, Some(5e6f64.ln())));
    }
}

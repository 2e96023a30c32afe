//! The trials of one contestant on one workload, reduced to what a comparison needs.

use super::field::{Field, Trial};
use crate::stats::{Sample, median, sorted};
use bench_record::{Arm, Family, Observation, Outcome};
use std::collections::BTreeMap;

/// Which case: ordered by family, workload, contestant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CaseAt<'a> {
    pub(super) family: Family,
    pub(super) workload: &'a str,
    pub(super) contestant: usize,
}

/// A case's trials.
pub(super) struct Measured<'a> {
    /// Trials of the main arm that count.
    pub(super) trials: Vec<&'a Observation>,
    /// Contaminated ones that do not.
    pub(super) excluded: usize,
    /// The worst outcome.
    pub(super) outcome: Outcome,
    /// Its reason.
    pub(super) reason: Option<String>,
    /// Times; none unless every trial that counts completed.
    pub(super) sample: Option<Sample>,
    /// How far the A/A twin's median lies from it.
    pub(super) noise: Option<f64>,
}

/// All cases of a table, those with faults included. A case of which only the twin ran, and completed, was not measured yet.
pub(super) fn measure<'a>(field: &Field<'a>) -> BTreeMap<CaseAt<'a>, Measured<'a>> {
    let mut trials: BTreeMap<CaseAt<'a>, Vec<&Trial<'a>>> = BTreeMap::new();
    for trial in &field.trials {
        let case = &trial.observation.case;
        let at = CaseAt { family: case.family, workload: &case.workload, contestant: trial.contestant };
        trials.entry(at).or_default().push(trial);
    }
    let measured =
        trials.into_iter().map(|(at, trials)| (at, reduce(&trials, at.workload, field.label(at.contestant))));
    measured.filter(|(_, m)| !m.trials.is_empty() || m.outcome != Outcome::Completed).collect()
}

/// The cases of one family by workload.
pub(super) fn by_workload<'m, 'a>(
    measured: &'m BTreeMap<CaseAt<'a>, Measured<'a>>,
    family: Family,
) -> BTreeMap<&'a str, Vec<(usize, &'m Measured<'a>)>> {
    let mut out: BTreeMap<&'a str, Vec<(usize, &'m Measured<'a>)>> = BTreeMap::new();
    for (at, m) in measured.iter().filter(|(at, _)| at.family == family) {
        out.entry(at.workload).or_default().push((at.contestant, m));
    }
    out
}

fn reduce<'a>(all: &[&Trial<'a>], workload: &str, label: &str) -> Measured<'a> {
    let counted = |arm: Arm| {
        let of_arm = all.iter().filter(move |t| t.observation.arm == arm && !t.excluded);
        of_arm.map(|t| t.observation).collect::<Vec<_>>()
    };
    let (trials, twins) = (counted(Arm::Main), counted(Arm::Twin));
    // A wrong answer counts wherever it was given; anything else only in trials that count. The order of outcomes puts
    // completed first, then the worst.
    let wrong = all.iter().map(|t| t.observation).filter(|o| o.outcome == Outcome::WrongAnswer);
    let others = trials.iter().chain(&twins).copied().filter(|o| o.outcome != Outcome::Completed);
    let worst = wrong.chain(others).min_by_key(|o| o.outcome);
    let outcome = worst.map_or(Outcome::Completed, |o| o.outcome);
    let seed = |arm: Arm| seed_of(&[workload, label, arm.name()]);
    let times = |of: &[&Observation], arm| match outcome {
        Outcome::Completed => Sample::new(of.iter().filter_map(|o| o.wall_ns).map(|ns| ns as f64), seed(arm)),
        _ => None,
    };
    let sample = times(&trials, Arm::Main);
    let twin = median(&sorted(twins.iter().filter_map(|o| o.wall_ns).map(|ns| ns as f64)));
    let noise = sample.as_ref().zip(twin).map(|(s, twin)| crate::stats::effect(s.median / twin));
    Measured {
        excluded: all.iter().filter(|t| t.excluded && t.observation.arm == Arm::Main).count(),
        reason: worst.and_then(|o| o.reason.clone()),
        trials,
        outcome,
        sample,
        noise: noise.filter(|n| n.is_finite()),
    }
}

/// A seed from names (FNV-1a), so that a case's interval does not depend on what else is in the report.
pub(super) fn seed_of(names: &[&str]) -> u64 {
    let bytes = names.iter().flat_map(|n| n.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

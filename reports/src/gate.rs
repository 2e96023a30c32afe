//! Two builds side by side: what became slower, wrong or faster, and whether that can be said at all.
//!
//! | part | idea |
//! |---|---|
//! | `model` | what a gate says, as data; its JSON is the stable machine-readable form |
//! | `sides` | the two sides, and what is not the same in both |
//! | `refuse` | what may not be compared |
//! | `turns` | runs of both builds, paired as they took turns |
//! | `contrast` | whether a case changed, judged from turns and from what ran beside it |
//! | `noise` | how far two measurements of the same thing lie apart |
//! | `judge` | one case: its ratio, its bounds, its status |
//! | `verdict` | all cases together |
//! | `money` | what a slow-down costs in a year |
//! | `render::gate` | a [`Gate`] as table, Markdown, JSON, JUnit XML, SARIF or annotations |
//! | `proof` | how often the gate errs, on data whose truth is known |
//!
//! The unit is the run, and BASE and NEW take turns. A case answers two questions. *Is it slower at all?* Yes, if its trials say so (the
//! bootstrap interval of the ratio, the rank test after Holm's correction, the A/A floor) and its turns do (see `contrast`). *Can a
//! slow-down larger than the budget be ruled out?* Yes, if the upper bound of the ratio over three turns or more is within the budget.
//! Ruled out: fine. Not ruled out and slower: a regression. Neither: inconclusive. So a slow-down beyond the budget passes as fine in
//! at most one of twenty comparisons, however few the runs: of one run a side, none does.

mod contrast;
mod judge;
mod model;
mod money;
mod noise;
pub mod proof;
mod refuse;
mod sides;
mod turns;
mod verdict;

pub use crate::render::gate::{GateFormat, write};
pub(crate) use model::title;
pub use model::{
    Confirmation, Finding, GATE_SCHEMA, Gate, GateNoise, Lean, SideCase, SlowDown, Status, Uncertainty, Verdict,
};
pub use money::{GatePrices, Yearly, price_slow_downs};
pub use refuse::GateError;
pub use sides::{EngineChange, Missing, Side};

use crate::compare::{CaseTrials, cases};
use crate::run_names::RunNames;
use bench_record::{Case, CaseKey, Family, Run, RunContext};
use std::collections::{BTreeMap, BTreeSet};

/// The probability that one or more cases of a family are called slower or faster although nothing changed.
pub const ALPHA: f64 = 0.01;

/// What a gate may be asked.
#[derive(Clone, Copy)]
pub struct GateOptions<'a> {
    /// How much slower each case may become: 0.05 is 5 %.
    pub budget: &'a dyn Fn(&Case) -> f64,
    /// Why a regression of this kind and case is accepted for now.
    pub allowed: &'a dyn Fn(&Case, Status) -> Option<String>,
    /// Whether NEW may lack a case that BASE has.
    pub may_lack: &'a dyn Fn(&Case) -> bool,
    /// Divides each time by this engine's of the same workload and trial, so that other machines may be compared.
    pub relative_to: Option<&'a str>,
}

/// Compares NEW with BASE. Each side is one run or several of one build; the same runs give the same gate.
///
/// # Errors
/// Runs that may not be compared: see [`GateError`].
pub fn gate(base: &[Run], new: &[Run], options: &GateOptions<'_>) -> Result<Gate, GateError> {
    refuse::incomparable(base, new, options.relative_to)?;
    let (old, fresh) = (cases(base, options.relative_to), cases(new, options.relative_to));
    refuse::nothing_common(&old, &fresh, base, new)?;
    let names = RunNames::of(base.iter().chain(new).map(|r| &*r.path));
    let sides = (Side::of(base, &names), Side::of(new, &names));
    let engines = base.first().zip(new.first()).map(|(base, new)| refuse::changed(base, new));
    Ok(Gate { engines: engines.unwrap_or_default(), ..assemble(&old, &fresh, sides, options) })
}

/// Whether a run that is only planned could be compared with BASE, as far as its context tells.
///
/// # Errors
/// As for [`gate`]; another suite or protocol, and no engine in common.
pub fn comparable(base: &[Run], planned: &RunContext) -> Result<(), GateError> {
    refuse::planned_apart(base, planned)
}

/// The fewest trials of each side with which a slow-down can be shown in the smallest family that these runs and a planned one share,
/// however large it is: with fewer, the rank test has no outcome that is rare enough, in any family.
#[must_use]
pub fn trials_to_show(runs: &[Run], planned: &RunContext) -> usize {
    let mut cases: BTreeMap<Family, BTreeSet<&CaseKey>> = BTreeMap::new();
    let is_planned = |case: &Case| {
        planned.workloads.iter().any(|w| w.name == case.workload)
            && planned.engines.iter().any(|e| e.name == case.engine)
    };
    for o in runs.iter().flat_map(|run| &run.observations).filter(|o| is_planned(&o.case)) {
        cases.entry(o.case.family).or_default().insert(&o.key);
    }
    judge::least_trials(cases.values().map(BTreeSet::len).min().unwrap_or(1))
}

/// The gate after its suspects were measured again, both builds in turns: what the second measurement found of each suspect takes the
/// place of the first, which had chosen it. What ran beside them is their control, and its own findings stay, as do new failures
/// and wrong answers.
#[must_use]
pub fn confirm(first: Gate, second: Gate) -> Gate {
    let again: BTreeMap<&CaseKey, &Finding> = second.findings.iter().map(|f| (&f.key, f)).collect();
    let mut cases = 0;
    let mut replace = |f: Finding| match again.get(&f.key) {
        Some(found) if f.suspect && f.ratio.is_some() => {
            cases += 1;
            (*found).clone()
        }
        _ => f,
    };
    let findings: Vec<Finding> = first.findings.into_iter().map(&mut replace).collect();
    let measured = verdict::Measured { missing: &first.missing, is_relative: first.relative_to.is_some() };
    let (verdict, reasons) = verdict::of(&findings, measured);
    let (base, new) = (second.base.runs, second.new.runs);
    let confirmation = Confirmation { cases, both_sides: true, base, new, noise: second.noise };
    Gate { verdict, exit_code: verdict.exit_code(), reasons, findings, confirmation: Some(confirmation), ..first }
}

type Cases = BTreeMap<Case, CaseTrials>;

/// The gate of cases that may be compared.
fn assemble(old: &Cases, fresh: &Cases, (base, new): (Side, Side), options: &GateOptions<'_>) -> Gate {
    let (findings, noise) = judge::findings(old, fresh, options);
    let missing = missing(old, fresh, options);
    let measured = verdict::Measured { missing: &missing, is_relative: options.relative_to.is_some() };
    let (verdict, reasons) = verdict::of(&findings, measured);
    Gate {
        schema: GATE_SCHEMA,
        verdict,
        exit_code: verdict.exit_code(),
        reasons,
        base,
        new,
        alpha: ALPHA,
        relative_to: options.relative_to.map(str::to_owned),
        noise,
        confirmation: None,
        findings,
        missing,
        engines: Vec::new(),
    }
}

fn missing(old: &Cases, fresh: &Cases, options: &GateOptions<'_>) -> Vec<Missing> {
    let gone = old.keys().filter(|case| !fresh.contains_key(case));
    let gone = gone.map(|case| Missing::new(case, "new", (options.may_lack)(case)));
    let added = fresh.keys().filter(|case| !old.contains_key(case)).map(|case| Missing::new(case, "base", false));
    gone.chain(added).collect()
}

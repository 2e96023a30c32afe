//! Two builds side by side: what became slower, wrong or faster, and whether that can be said at all.
//!
//! | part | idea |
//! |---|---|
//! | `model` | what a gate says, as data; its JSON is the stable machine-readable form |
//! | `refuse` | what may not be compared |
//! | `noise` | how far two measurements of the same thing lie apart: within a run, between processes, between runs |
//! | `judge` | one case: its ratio, its bounds, its status |
//! | `verdict` | all cases together |
//! | `money` | what a slow-down costs in a year |
//! | `render::gate` | a [`Gate`] as table, Markdown, JSON, JUnit XML, SARIF or annotations |
//! | `proof` | how often the gate errs, on data whose truth is known |
//!
//! A case answers two questions. *Is it slower at all?* Yes, if the bootstrap interval of the ratio lies above 1, the effect
//! is above the A/A floor, and both the rank test and a test that knows the noise between runs say so after Holm's
//! correction. *Can a slow-down larger than the budget be ruled out?* Yes, if the upper bound of the ratio, noise
//! between runs included, is within the budget. Ruled out: fine. Not ruled out and slower: a regression. Neither:
//! inconclusive. So a slow-down beyond the budget passes as fine in at most one of twenty cases, however few the trials.

mod judge;
mod model;
mod money;
mod noise;
pub mod proof;
mod refuse;
mod verdict;

pub use crate::render::gate::{GateFormat, write};
pub(crate) use model::title;
pub use model::{
    Confirmation, Finding, GATE_SCHEMA, Gate, GateNoise, Missing, Side, SideCase, SlowDown, Status, Uncertainty,
    Verdict,
};
pub use money::{GatePrices, Yearly, price_slow_downs};
pub use refuse::GateError;

use crate::compare::{CaseTrials, cases};
use bench_record::{Case, CaseKey, Run};
use std::collections::BTreeMap;

/// The probability that one or more cases of a comparison are called slower or faster although nothing changed.
pub const ALPHA: f64 = 0.01;

/// What a gate may be asked.
#[derive(Clone, Copy)]
pub struct GateOptions<'a> {
    /// How much slower each case may become: 0.05 is 5 %.
    pub budget: &'a dyn Fn(&Case) -> f64,
    /// Why a regression of this kind and case is accepted for now.
    pub allowed: &'a dyn Fn(&Case, Status) -> Option<String>,
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
    let sides = (Side::of(base), Side::of(new));
    Ok(assemble(&old, &fresh, sides, options))
}

/// The gate after its suspects were measured again: what the second measurement found of each takes the place of the first,
/// which had chosen them. Cases that it did not measure, and new failures and wrong answers, stay.
#[must_use]
pub fn confirm(first: Gate, second: Gate, both_sides: bool) -> Gate {
    let again: BTreeMap<&CaseKey, &Finding> = second.findings.iter().map(|f| (&f.key, f)).collect();
    let replace = |f: Finding| match again.get(&f.key) {
        Some(found) if f.suspect => (*found).clone(),
        _ => f,
    };
    let findings: Vec<Finding> = first.findings.into_iter().map(replace).collect();
    let cases = findings.iter().filter(|f| again.contains_key(&f.key)).count();
    let (verdict, reasons) = verdict::of(&findings, both_sides);
    let (base, new) = (second.base.runs, second.new.runs);
    let confirmation = Confirmation { cases, both_sides, base, new, noise: second.noise };
    Gate { verdict, exit_code: verdict.exit_code(), reasons, findings, confirmation: Some(confirmation), ..first }
}

type Cases = BTreeMap<Case, CaseTrials>;

/// The gate of cases that may be compared.
fn assemble(old: &Cases, fresh: &Cases, (base, new): (Side, Side), options: &GateOptions<'_>) -> Gate {
    let noise = noise::Noise::new(old, fresh);
    let findings = judge::findings(old, fresh, &noise, options);
    let missing = missing(old, fresh);
    let (verdict, reasons) = verdict::of(&findings, false);
    Gate {
        schema: GATE_SCHEMA,
        verdict,
        exit_code: verdict.exit_code(),
        reasons,
        base,
        new,
        alpha: ALPHA,
        relative_to: options.relative_to.map(str::to_owned),
        noise: noise.told,
        confirmation: None,
        findings,
        missing,
    }
}

fn missing(old: &Cases, fresh: &Cases) -> Vec<Missing> {
    let gone = old.keys().filter(|case| !fresh.contains_key(case)).map(|case| Missing::new(case, "new"));
    let added = fresh.keys().filter(|case| !old.contains_key(case)).map(|case| Missing::new(case, "base"));
    gone.chain(added).collect()
}

//! All cases together.

use super::model::{Finding, Lean, Status, Verdict};
use super::sides::Missing;
use std::collections::BTreeMap;

/// From so many slower cases on, a comparison without a faster one is suspicious.
const ONE_SIDED: usize = 5;

/// How the two sides were measured, as far as the verdict depends on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured<'a> {
    /// Cases that one side lacks.
    pub(super) missing: &'a [Missing],
    /// Whether times are relative to an engine, which then is the control of all others.
    pub(super) is_relative: bool,
}

/// The verdict and why, a sentence each. Wrong answers and new failures go before everything: no machine makes them. Then
/// comes the suspicion that the machine or the harness and not the change made everything slower, then time. What cannot be
/// judged keeps a comparison from being fine.
pub(super) fn of(findings: &[Finding], measured: Measured<'_>) -> (Verdict, Vec<String>) {
    let count = |is: &dyn Fn(&Finding) -> bool| findings.iter().filter(|f| is(f)).count();
    let is_unsure = |f: &Finding| f.status == Status::Inconclusive && f.allowed.is_none();
    let broken = count(&|f| f.counts() && f.status != Status::Slower);
    let slower = count(&|f| f.counts() && f.status == Status::Slower);
    let allowed = count(&|f| f.allowed.is_some());
    let unsure = count(&is_unsure);
    let suspects = count(&|f| is_unsure(f) && f.suspect);
    let failing = count(&Finding::fails_on_both);
    let missing = measured.missing.iter().filter(|m| m.counts()).count();
    let untimed = !findings.iter().any(|f| f.ratio.is_some());
    let mut reasons = Vec::new();
    let mut say = |n: usize, one: &str, many: &str| {
        if n > 0 {
            reasons.push(format!("{n} {}", if n == 1 { one } else { many }));
        }
    };
    say(broken, "case gives a wrong answer or fails now", "cases give wrong answers or fail now");
    say(slower, "case is slower than its budget allows", "cases are slower than their budgets allow");
    say(allowed, "regression is allowed for now", "regressions are allowed for now");
    say(unsure, "case is inconclusive", "cases are inconclusive");
    say(
        suspects,
        "of them leans to the slower side: --confirm measures it again",
        "of them lean to the slower side: --confirm measures them again",
    );
    say(failing, "case fails or is wrong on both sides", "cases fail or are wrong on both sides");
    say(
        missing,
        "case of BASE is not in NEW: measure it, or accept that with --allow-missing",
        "cases of BASE are not in NEW: measure them, or accept that with --allow-missing",
    );
    if untimed {
        reasons.push("no case has a time on both sides".to_owned());
    }
    if let Some(said) = one_sided(findings, measured.is_relative) {
        reasons.insert(0, said);
        let verdict = if broken > 0 { Verdict::Regression } else { Verdict::HarnessSuspect };
        return (verdict, reasons);
    }
    let verdict = match (broken + slower, unsure + failing + missing) {
        (0, 0) if !untimed => Verdict::Fine,
        (0, _) => Verdict::Inconclusive,
        _ => Verdict::Regression,
    };
    if verdict == Verdict::Fine {
        let judged = count(&|f| f.ratio.is_some());
        reasons.push(format!("no case of {judged} is slower than its budget allows"));
    }
    (verdict, reasons)
}

/// Many cases that trials call slower beyond their budgets, none faster, no engine spared, and no turns that would tell the machine from
/// the change: so does a busy machine. A change of one engine spares the others, which makes them its control. What is allowed and what
/// is within its budget does not count.
fn one_sided(findings: &[Finding], is_relative: bool) -> Option<String> {
    let beyond = |f: &Finding| f.ratio.is_some_and(|r| r > 1.0 + f.budget);
    let leans = |f: &Finding| f.turns <= 1 && f.by_trials == Some(Lean::Slower) && beyond(f);
    let slower = |f: &&Finding| leans(f) && f.allowed.is_none();
    let count = findings.iter().filter(slower).count();
    let faster = findings.iter().any(|f| f.by_trials == Some(Lean::Faster));
    if count < ONE_SIDED || faster || is_relative {
        return None;
    }
    let mut engines: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for f in findings.iter().filter(|f| f.ratio.is_some()) {
        let (all, slow) = engines.entry(&f.case.engine).or_default();
        *all += 1;
        *slow += usize::from(slower(&f));
    }
    // An engine of which one in twenty cases or fewer is slower is spared.
    if engines.len() > 1 && engines.values().any(|(all, slow)| slow * 20 <= *all) {
        return None;
    }
    let control = if engines.len() > 1 {
        "every engine is affected, so it is the machine or something all engines share"
    } else {
        "only one engine was measured, so there is no control: add one that the change does not touch, such as datafusion"
    };
    Some(format!("{count} cases are slower and none is faster: {control}"))
}

//! All cases together.

use super::model::{Finding, Status, Verdict};
use std::collections::BTreeMap;

/// From so many slower cases on, a comparison without a faster one is suspicious.
const ONE_SIDED: usize = 5;

/// The verdict and why, a sentence each. Wrong answers and new failures go before everything: no machine makes them. Then
/// comes the suspicion that the machine or the harness and not the change made everything slower, then time.
pub(super) fn of(findings: &[Finding], is_interleaved: bool) -> (Verdict, Vec<String>) {
    let count = |is: &dyn Fn(&Finding) -> bool| findings.iter().filter(|f| is(f)).count();
    let broken = count(&|f| f.counts() && f.status != Status::Slower);
    let slower = count(&|f| f.counts() && f.status == Status::Slower);
    let allowed = count(&|f| f.status.is_regression() && f.allowed.is_some());
    let unsure = count(&|f| f.status == Status::Inconclusive);
    let suspects = count(&|f| f.status == Status::Inconclusive && f.suspect);
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
    // Sides that took turns shared whatever the machine did.
    let one_sided = if is_interleaved { None } else { one_sided(findings) };
    if let Some(said) = one_sided {
        reasons.insert(0, said);
        let verdict = if broken > 0 { Verdict::Regression } else { Verdict::HarnessSuspect };
        return (verdict, reasons);
    }
    let verdict = match (broken + slower, unsure) {
        (0, 0) => Verdict::Fine,
        (0, _) => Verdict::Inconclusive,
        _ => Verdict::Regression,
    };
    if verdict == Verdict::Fine {
        reasons.push(format!("no case of {} is slower than its budget allows", findings.len()));
    }
    (verdict, reasons)
}

/// Many slower, none faster, and no engine spared: so does a busy machine. A change of one engine spares the others,
/// which makes them its control.
fn one_sided(findings: &[Finding]) -> Option<String> {
    let slower = |f: &&Finding| matches!(f.status, Status::Slower | Status::WithinBudget);
    let count = findings.iter().filter(slower).count();
    let faster = findings.iter().any(|f| f.status == Status::Faster);
    if count < ONE_SIDED || faster {
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

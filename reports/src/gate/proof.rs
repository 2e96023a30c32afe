//! How often the gate errs, on data whose truth is known: simulated runs, and recorded runs of one build.
//!
//! | part | idea |
//! |---|---|
//! | `simulated` | runs drawn from a model with noise within processes and between them |
//! | `recorded` | the times of real runs, as a file that anybody can judge again |
//!
//! Two things are counted. *False alarms*: comparisons of two runs of the same thing in which any case of a family is called
//! slower. *Planted slow-downs*: of cases whose times were made 5 % longer, how many are found, how many are inconclusive, and
//! how many pass as fine although the budget is 5 %.

mod recorded;
mod simulated;

pub use recorded::{Recorded, RecordedError};

use super::model::{Side, Status};
use super::{ALPHA, Cases, GateOptions, assemble};
use bench_record::{Case, Family};
use std::collections::BTreeSet;
use std::fmt::Write;

/// What is planted, and what the budget is.
const PLANTED: f64 = 0.05;
/// Planted slow-downs may pass as fine no more often.
const MISSED: f64 = 0.05;

/// What was counted in one setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// The setting in words.
    pub setting: String,
    /// Trials a side.
    pub trials: usize,
    /// Comparisons of equal things, times families.
    pub families: usize,
    /// Those in which a case was called slower.
    pub alarms: usize,
    /// Comparisons of equal things, times cases.
    pub cases: usize,
    /// Those that were called fine.
    pub fine: usize,
    /// Cases with a planted slow-down.
    pub planted: usize,
    /// Those that were called slower.
    pub found: usize,
    /// Those that passed.
    pub missed: usize,
}

/// All counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// One per setting.
    pub counts: Vec<Count>,
}

/// Judges `experiments` simulated comparisons per setting, and all pairs of the recorded runs.
#[must_use]
pub fn prove(recorded: Option<&Recorded>, experiments: usize) -> Proof {
    let mut counts = simulated::counts(experiments);
    counts.extend(recorded.map(Recorded::counts).unwrap_or_default());
    Proof { counts }
}

impl Count {
    fn new(setting: impl Into<String>, trials: usize) -> Self {
        Self { setting: setting.into(), trials, ..Self::default() }
    }

    /// Judges two measurements of the same thing, then the same with a slow-down planted in some cases of the second.
    fn judge(&mut self, old: &Cases, fresh: &Cases, is_planted: &dyn Fn(usize) -> bool) {
        let statuses = |fresh: &Cases| -> Vec<(Family, Status)> {
            let options = GateOptions { budget: &|_: &Case| PLANTED, allowed: &|_, _| None, relative_to: None };
            let gate = assemble(old, fresh, (Side::of(&[]), Side::of(&[])), &options);
            gate.findings.iter().map(|f| (f.case.family, f.status)).collect()
        };
        let equal = statuses(fresh);
        let all: BTreeSet<Family> = equal.iter().map(|(family, _)| *family).collect();
        let alarmed: BTreeSet<Family> = equal.iter().filter(|(_, s)| *s == Status::Slower).map(|(f, _)| *f).collect();
        self.families += all.len();
        self.alarms += alarmed.len();
        self.cases += equal.len();
        self.fine += equal.iter().filter(|(_, s)| passes(*s)).count();
        let mut slowed = fresh.clone();
        let both = slowed.iter_mut().filter(|(case, _)| old.contains_key(*case)).enumerate();
        for (_, (_, trials)) in both.filter(|(i, _)| is_planted(*i)) {
            trials.times.iter_mut().chain(&mut trials.twin).for_each(|t| *t *= 1.0 + PLANTED);
        }
        let judged = statuses(&slowed);
        for (_, status) in judged.iter().enumerate().filter(|(i, _)| is_planted(*i)).map(|(_, judged)| judged) {
            self.planted += 1;
            self.found += usize::from(*status == Status::Slower);
            self.missed += usize::from(passes(*status));
        }
    }

    /// Whether the counts are those of a gate that keeps its promises: at most 1 % of families with a false alarm, at most
    /// 5 % of planted slow-downs passed, each plus what chance may add to the count of a gate that is exactly there.
    #[must_use]
    pub fn holds(&self) -> bool {
        within(self.alarms, self.families, ALPHA) && within(self.missed, self.planted, MISSED)
    }
}

const fn passes(status: Status) -> bool {
    matches!(status, Status::Fine | Status::WithinBudget | Status::Faster)
}

/// Whether so many of `n` are no more than a share, two standard errors aside.
fn within(count: usize, n: usize, share: f64) -> bool {
    let n = n as f64;
    count as f64 <= n * share + 2.0 * (n * share * (1.0 - share)).sqrt()
}

impl Proof {
    /// Whether every count is what was promised.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.counts.iter().all(Count::holds)
    }

    /// The counts as a table.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::from(
            "Equal things compared: families with a false alarm, and cases called fine. A slow-down of 5 % planted, budget\n\
             5 %: called slower, inconclusive, passed as fine.\n\n\
             setting                                    n  families  alarms   fine   planted  slower  inconcl.  passed\n",
        );
        let _ = writeln!(out, "{}", "-".repeat(104));
        let percent = |count: usize, n: usize| match n {
            0 => "-".to_owned(),
            _ => format!("{:.1}%", 100.0 * count as f64 / n as f64),
        };
        for c in &self.counts {
            let unsure = c.planted - c.found - c.missed;
            let _ = writeln!(
                out,
                "{:<40} {:>3}  {:>8}  {:>6}  {:>6}  {:>7}  {:>6}  {:>8}  {:>6}{}",
                c.setting,
                c.trials,
                c.families,
                percent(c.alarms, c.families),
                percent(c.fine, c.cases),
                c.planted,
                percent(c.found, c.planted),
                percent(unsure, c.planted),
                percent(c.missed, c.planted),
                if c.holds() { "" } else { "  <- broken promise" },
            );
        }
        let verdict = if self.holds() { "every promise holds" } else { "a promise is broken" };
        let _ = writeln!(
            out,
            "\nPromised: alarms in at most 1 % of families, at most 5 % of planted slow-downs passed: {verdict}."
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_holds_up_to_what_chance_may_add() {
        let count = |alarms, missed| Count { families: 400, alarms, planted: 400, missed, ..Count::default() };
        assert!(count(7, 28).holds());
        assert!(!count(8, 0).holds() && !count(0, 29).holds());
        assert!(Count::default().holds());
    }

    #[test]
    fn simulated_gates_keep_their_promises() {
        let proof = prove(None, 12);
        assert!(proof.holds(), "{}", proof.text());
        let found: usize = proof.counts.iter().map(|c| c.found).sum();
        let fine: usize = proof.counts.iter().map(|c| c.fine).sum();
        assert!(found > 0 && fine > 0, "a gate that never says anything keeps every promise:\n{}", proof.text());
    }
}

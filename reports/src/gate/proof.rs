//! How often the gate errs, on data whose truth is known: simulated runs, and recorded runs of one build.
//!
//! | part | idea |
//! |---|---|
//! | `simulated` | runs of a hostile machine: drift, bursts, unequal noise |
//! | `recorded` | the times of real runs, as a file that anybody can judge again |
//! | `table` | the counts in words |
//!
//! An experiment is a comparison of two measurements of one build, judged as it is and with a slow-down of 5 % planted: in a few cases, in
//! all cases of one engine, in all cases of all engines. Two things are counted. *False alarms*: experiments of which any case of
//! any family is called slower though nothing was planted. *Passed*: of each experiment one case with a plant, chosen beforehand, is looked at;
//! the budget is 5 %, and calling that case fine, within budget or faster is wrong. Cases of one experiment share its luck, so no more
//! than one of them counts. A promise is shown if the upper bound of Clopper and Pearson keeps it, broken if the lower one does not.

mod recorded;
mod simulated;
mod table;

pub use recorded::{Recorded, RecordedError};
pub use simulated::{Setting, settings};

use super::model::{Status, Verdict};
use super::sides::Side;
use super::{ALPHA, Cases, GateOptions, assemble};
use crate::run_names::RunNames;
use crate::stats::share_bounds;
use bench_record::{Case, Family};
use std::collections::{BTreeMap, BTreeSet};

/// What is planted, and what the budget is.
const PLANTED: f64 = 0.05;
/// Planted slow-downs may pass as fine no more often.
const MISSED: f64 = 0.05;
/// Of few cases, every so many-th is slowed down.
const FEW: usize = 10;

/// Whether counts keep a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Too few experiments to say.
    Open,
    /// With 95 % confidence.
    Shown,
    /// It is not kept, with 95 % confidence.
    Broken,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How many.
    pub count: usize,
    /// Of how many.
    pub of: usize,
}

impl Share {
    fn add(&mut self, is: bool) {
        self.of += 1;
        self.count += usize::from(is);
    }

    /// Whether the true share is at most `promised`.
    #[must_use]
    pub fn standing(self, promised: f64) -> Standing {
        match share_bounds(self.count, self.of) {
            (low, _) if low > promised => Standing::Broken,
            (_, high) if high <= promised => Standing::Shown,
            _ => Standing::Open,
        }
    }
}

/// Where slow-downs are planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plant {
    /// In every tenth case, and in the one looked at.
    Few,
    /// In all cases of the engine of the one looked at.
    Engine,
    /// In all cases.
    All,
}

const PLANTS: [Plant; 3] = [Plant::Few, Plant::Engine, Plant::All];

/// What became of the cases looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Called slower.
    pub found: Share,
    /// Called fine, within budget or faster.
    pub passed: Share,
}

/// What was counted in one setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// The setting in words.
    pub setting: String,
    /// Whether the data were measured.
    pub is_recorded: bool,
    /// How often BASE and NEW take turns.
    pub turns: usize,
    /// Trials of each run.
    pub trials: usize,
    /// Experiments with a false alarm in any family.
    pub alarms: Share,
    /// Cases called fine of equal things.
    pub fine: Share,
    /// Comparisons of equal things that end with exit code 0.
    pub exit_zero: Share,
    /// By what was planted.
    pub planted: BTreeMap<Plant, Fate>,
}

/// All counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// One per setting.
    pub counts: Vec<Count>,
}

/// Judges `experiments` simulated comparisons per setting, one setting after the other, and all disjoint turns of the recorded runs.
#[must_use]
pub fn prove(recorded: Option<&Recorded>, experiments: usize) -> Proof {
    Proof::of(settings().into_iter().map(|setting| setting.count(experiments)).collect(), recorded)
}

impl Count {
    fn new(setting: impl Into<String>, turns: usize, trials: usize) -> Self {
        Self { setting: setting.into(), turns, trials, ..Self::default() }
    }

    /// Judges two measurements of the same thing, then the same with slow-downs planted in the second.
    fn judge(&mut self, old: &Cases, fresh: &Cases, experiment: usize) {
        let (verdict, equal) = statuses(old, fresh);
        let families: BTreeSet<Family> = equal.keys().map(|case| case.family).collect();
        // Families of one experiment share its luck: an alarm in any of them is one, which bounds those of each from above.
        self.alarms.add(equal.values().any(|status| *status == Status::Slower));
        equal.values().for_each(|status| self.fine.add(passes(*status)));
        self.exit_zero.add(verdict == Verdict::Fine);
        // One case in each experiment, of another family each time.
        let family = families.iter().nth(experiment % families.len().max(1));
        let of_family: Vec<&Case> = equal.keys().filter(|case| Some(&case.family) == family).collect();
        let place = experiment / families.len().max(1) * 7 + 3;
        let looked_at = of_family.get(place % of_family.len().max(1)).copied();
        for plant in PLANTS {
            let mut slowed = fresh.clone();
            let both = slowed.iter_mut().filter(|(case, _)| old.contains_key(*case)).enumerate();
            for (_, (_, trials)) in both.filter(|(at, (case, _))| {
                let engine = || looked_at.is_some_and(|l| (l.family, &l.engine) == (case.family, &case.engine));
                match plant {
                    Plant::Few => looked_at == Some(*case) || (at + experiment).is_multiple_of(FEW),
                    Plant::Engine => engine(),
                    Plant::All => true,
                }
            }) {
                let times = trials.runs.iter_mut().flat_map(|run| run.main.iter_mut().chain(&mut run.twin));
                times.for_each(|t| *t *= 1.0 + PLANTED);
            }
            let (_, judged) = statuses(old, &slowed);
            let fate = self.planted.entry(plant).or_default();
            if let Some(status) = looked_at.and_then(|case| judged.get(case)) {
                fate.found.add(*status == Status::Slower);
                fate.passed.add(passes(*status));
            }
        }
    }

    /// How the promises stand: of false alarms, and of each plant.
    #[must_use]
    pub fn standings(&self) -> Vec<Standing> {
        let planted = self.planted.values().map(|fate| fate.passed.standing(MISSED));
        std::iter::once(self.alarms.standing(ALPHA)).chain(planted).collect()
    }
}

fn statuses(old: &Cases, fresh: &Cases) -> (Verdict, BTreeMap<Case, Status>) {
    let options =
        GateOptions { budget: &|_: &Case| PLANTED, allowed: &|_, _| None, may_lack: &|_| false, relative_to: None };
    let names = RunNames::default();
    let gate = assemble(old, fresh, (Side::of(&[], &names), Side::of(&[], &names)), &options);
    (gate.verdict, gate.findings.into_iter().map(|f| (f.case, f.status)).collect())
}

const fn passes(status: Status) -> bool {
    matches!(status, Status::Fine | Status::WithinBudget | Status::Faster)
}

impl Proof {
    /// The proof of counted settings, and of all disjoint turns of recorded runs.
    #[must_use]
    pub fn of(mut counts: Vec<Count>, recorded: Option<&Recorded>) -> Self {
        counts.extend(recorded.map(Recorded::counts).unwrap_or_default());
        Self { counts }
    }

    /// How the promises stand as a whole: broken if one is; shown if all of the simulated ones are, and, where there are recorded runs, all
    /// of those by the fewest turns: by more turns the same runs are fewer experiments. A gate that never says anything keeps every promise, so
    /// fine cases and found slow-downs are part of it.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let all = || self.counts.iter().flat_map(Count::standings);
        let is_shown = |count: &&Count| count.standings().iter().all(|s| *s == Standing::Shown);
        let (recorded, simulated): (Vec<&Count>, Vec<&Count>) = self.counts.iter().partition(|c| c.is_recorded);
        let says_something = self.counts.iter().any(|c| c.fine.count > 0)
            && self.counts.iter().any(|c| c.planted.values().any(|fate| fate.found.count > 0));
        if all().any(|s| s == Standing::Broken) {
            Standing::Broken
        } else if says_something
            && !simulated.is_empty()
            && simulated.iter().all(is_shown)
            && recorded.first().is_none_or(is_shown)
        {
            Standing::Shown
        } else {
            Standing::Open
        }
    }

    /// The counts as a table.
    #[must_use]
    pub fn text(&self) -> String {
        table::text(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_shown_by_enough_experiments_and_broken_by_enough_failures() {
        let standing = |count, of| Share { count, of }.standing(0.01);
        assert_eq!([standing(0, 298), standing(0, 299)], [Standing::Open, Standing::Shown]);
        assert_eq!(
            [standing(2, 30), standing(0, 0), standing(9, 400)],
            [Standing::Broken, Standing::Open, Standing::Broken]
        );
    }

    #[test]
    fn simulated_gates_break_no_promise_say_something_and_never_pass_a_slow_down_after_one_turn() {
        let proof = prove(None, 6);
        assert_ne!(proof.standing(), Standing::Broken, "{}", proof.text());
        let steady = |c: &&Count| c.setting.contains("steady") && c.turns > 1;
        let found: usize =
            proof.counts.iter().filter(steady).flat_map(|c| c.planted.values()).map(|f| f.found.count).sum();
        let fine: usize = proof.counts.iter().filter(steady).map(|c| c.fine.count).sum();
        assert!(found > 0 && fine > 0, "{}", proof.text());
        let single = || proof.counts.iter().filter(|c| c.turns == 1);
        assert!(single().count() > 0);
        for count in single() {
            assert!(count.fine.count == 0 && count.planted.values().all(|f| f.passed.count == 0), "{}", proof.text());
        }
    }
}

//! What a gate says, as data. Serialized, this is the JSON form: `docs/gate.md` describes it, [`GATE_SCHEMA`] versions it.

use super::money::Yearly;
use super::sides::{EngineChange, Missing, Side};
use crate::stats::Interval;
use bench_record::{Case, CaseKey, Outcome};
use serde::Serialize;
use std::collections::BTreeSet;

/// The version of the JSON form.
pub const GATE_SCHEMA: u32 = 1;

/// Everything a gate says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gate {
    /// [`GATE_SCHEMA`].
    pub schema: u32,
    /// All cases together.
    pub verdict: Verdict,
    /// What a command ends with.
    pub exit_code: u8,
    /// Why, a sentence each.
    pub reasons: Vec<String>,
    /// What is compared with.
    pub base: Side,
    /// What is judged.
    pub new: Side,
    /// The probability of one or more false alarms among all cases.
    pub alpha: f64,
    /// The engine by whose times all others are divided.
    pub relative_to: Option<String>,
    /// What two measurements of the same thing differ by, per family.
    pub noise: Vec<GateNoise>,
    /// What measuring the suspects again added; absent if that was not done.
    pub confirmation: Option<Confirmation>,
    /// One per case that both sides ran, in the order of their keys' parts.
    pub findings: Vec<Finding>,
    /// Cases that one side lacks.
    pub missing: Vec<Missing>,
    /// Engines that are not the same on both sides, whatever the change was meant to be.
    pub engines: Vec<EngineChange>,
}

impl Gate {
    /// Cases whose time is known on both sides, for pricing: hours per run before and after.
    pub fn slow_downs(&self) -> impl Iterator<Item = SlowDown<'_>> {
        const HOUR_NS: f64 = 3.6e12;
        let absolute = self.relative_to.is_none();
        self.findings.iter().filter(move |_| absolute).filter_map(|finding| {
            let hours = |side: &SideCase| side.wall_ns_median.map(|ns| ns / HOUR_NS);
            let (base_hours, new_hours) = (hours(&finding.base)?, hours(&finding.new)?);
            Some(SlowDown { finding, base_hours, new_hours, ratio: finding.ratio?, bounds: finding.bounds })
        })
    }

    /// Findings of that status.
    pub fn with(&self, is: impl Fn(Status) -> bool) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |f| is(f.status))
    }
}

/// What a slow-down costs is its hours times a price: whoever has prices starts here.
#[derive(Clone, Copy, Debug)]
pub struct SlowDown<'a> {
    /// Which case, and what was found.
    pub finding: &'a Finding,
    /// Hours that one run of the case took.
    pub base_hours: f64,
    /// Hours that it takes now.
    pub new_hours: f64,
    /// The second over the first.
    pub ratio: f64,
    /// Between which the ratio lies, noise between runs included.
    pub bounds: Option<Interval>,
}

/// All cases together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No case is slower than its budget allows, and that could be shown for all of them.
    Fine,
    /// A case is slower beyond its budget, wrong, or fails.
    Regression,
    /// Findings are one-sided in a way that a machine makes and a change seldom does.
    HarnessSuspect,
    /// A slow-down beyond the budget was neither shown nor ruled out for some case.
    Inconclusive,
}

impl Verdict {
    /// The documented exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Regression => 1,
            Self::HarnessSuspect => 2,
            Self::Inconclusive => 3,
        }
    }

    /// Its name in all formats for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Regression => "regression",
            Self::HarnessSuspect => "harness suspect",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// What two measurements of the same thing differ by. 0.02 is 2 %.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GateNoise {
    /// The family.
    pub family: String,
    /// Cases with an A/A arm, both sides together.
    pub aa_cases: usize,
    /// 95 % of their differences are no larger: no smaller effect is claimed.
    pub floor: Option<f64>,
    /// The deviation of a process's level within a run, as a share: by the A/A twins, trials' own scatter included.
    pub between_processes: Option<f64>,
    /// The deviation of a run's level, as a share: by the scatter of a case's differences between turns; absent of a single turn.
    pub between_runs: Option<f64>,
    /// How often BASE and NEW took turns, in the case that has the fewest.
    pub turns: usize,
}

/// A second measurement of the suspects alone: its findings take the place of the first ones.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Confirmation {
    /// How many suspects were measured again.
    pub cases: usize,
    /// Whether both builds were measured, in turns: always, since recorded times of BASE have chosen the suspects.
    pub both_sides: bool,
    /// Folders of BASE's side.
    pub base: Vec<String>,
    /// Folders of NEW's side.
    pub new: Vec<String>,
    /// The noise of the second measurement.
    pub noise: Vec<GateNoise>,
}

/// What was found of one case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The case's key.
    pub key: CaseKey,
    /// Which case.
    pub case: Case,
    /// What it comes to.
    pub status: Status,
    /// A sentence on it.
    pub said: String,
    /// Whether it leans to the slower side enough to be worth measuring again.
    pub suspect: bool,
    /// Why a regression is accepted for now.
    pub allowed: Option<String>,
    /// How much slower it may be.
    pub budget: f64,
    /// Before.
    pub base: SideCase,
    /// After.
    pub new: SideCase,
    /// Median time over median time; below 1 is faster.
    pub ratio: Option<f64>,
    /// The bootstrap 95 % interval of the ratio: what these very trials say.
    pub interval: Option<Interval>,
    /// Between which the ratio lies with 95 % confidence, noise between runs included; absent of a single turn, which tells nothing of
    /// that noise.
    pub bounds: Option<Interval>,
    /// The smallest slow-down that could have been ruled out.
    pub visible: Option<f64>,
    /// No smaller effect is claimed.
    pub floor: Option<f64>,
    /// How often BASE and NEW took turns on this case.
    pub turns: usize,
    /// Which way the trials alone lean, as if there were no noise between runs.
    pub by_trials: Option<Lean>,
    /// The probability that the rank test of all trials gives.
    pub p: Option<f64>,
    /// The larger one of the rank test's and the turns' probability, after Holm's correction in the family.
    pub p_adjusted: Option<f64>,
    /// Why it is inconclusive.
    pub uncertainty: Option<Uncertainty>,
    /// What the slow-down costs in a year; absent without prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yearly: Option<Yearly>,
}

impl Finding {
    /// The case in a few words that tell it apart: `sql tpch-q01 on stagedag`.
    #[must_use]
    pub fn label(&self) -> String {
        label(&self.case)
    }

    /// Whether it failed before and fails now, other than by being unsupported: nobody can say what became of its time.
    #[must_use]
    pub fn fails_on_both(&self) -> bool {
        let unsupported = (self.base.outcome, self.new.outcome) == (Outcome::Unsupported, Outcome::Unsupported);
        self.status == Status::StillFailing && !unsupported
    }

    /// Whether it makes the gate fail.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.status.is_regression() && self.allowed.is_none()
    }
}

/// A case in a few words that tell it apart.
pub(super) fn label(case: &Case) -> String {
    let mut text = format!("{} {} on {}", case.family.name(), case.workload, case.engine);
    if case.variant != Case::DEFAULT_VARIANT {
        text.push_str(&format!("+{}", case.variant));
    }
    if case.nodes > 1 || case.cluster != "local" {
        text.push_str(&format!(", {} nodes ({})", case.nodes, case.cluster));
    }
    if case.scale > 1 {
        text.push_str(&format!(", data x {}", case.scale));
    }
    text
}

/// One case on one side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SideCase {
    /// The worst outcome of its trials.
    pub outcome: Outcome,
    /// Its reason.
    pub reason: Option<String>,
    /// Trials with a time that counts.
    pub trials: usize,
    /// Their median; with a reference engine, as if that took one second.
    pub wall_ns_median: Option<f64>,
    /// Their coefficient of variation.
    pub wall_cv: Option<f64>,
    /// Whether disturbed times had to be counted.
    pub contaminated: bool,
}

/// What a case comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It gave the right answer, and now a wrong one.
    WrongAnswer,
    /// It completed, and now fails, times out or is unsupported.
    NewlyFailing,
    /// Shown to be slower, and a slow-down beyond the budget is not ruled out.
    Slower,
    /// A slow-down beyond the budget was neither shown nor ruled out.
    Inconclusive,
    /// It did not complete before, and does not now.
    StillFailing,
    /// It did not complete before, and does now.
    Fixed,
    /// Shown to be faster.
    Faster,
    /// Shown to be slower, but by no more than the budget.
    WithinBudget,
    /// A slow-down beyond the budget is ruled out.
    Fine,
}

impl Status {
    /// Whether it is a regression, of time or of outcome.
    #[must_use]
    pub const fn is_regression(self) -> bool {
        matches!(self, Self::WrongAnswer | Self::NewlyFailing | Self::Slower)
    }

    /// Its name in all formats for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::WrongAnswer => "wrong answer",
            Self::NewlyFailing => "newly failing",
            Self::Slower => "slower",
            Self::Inconclusive => "inconclusive",
            Self::StillFailing => "still failing",
            Self::Fixed => "fixed",
            Self::Faster => "faster",
            Self::WithinBudget => "within budget",
            Self::Fine => "fine",
        }
    }

    /// Its name in rules of SARIF.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::WrongAnswer => "wrong-answer",
            Self::NewlyFailing => "newly-failing",
            Self::Slower => "slower",
            Self::Inconclusive => "inconclusive",
            Self::StillFailing => "still-failing",
            Self::Fixed => "fixed",
            Self::Faster => "faster",
            Self::WithinBudget => "within-budget",
            Self::Fine => "fine",
        }
    }
}

/// Which way a case leans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lean {
    /// NEW takes longer.
    Slower,
    /// NEW takes less time.
    Faster,
}

/// Why a case is inconclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Uncertainty {
    /// More trials on each side would do.
    Trials {
        /// About so many.
        needed: usize,
    },
    /// More runs on each side that take turns would do.
    Runs {
        /// About so many turns.
        needed: usize,
    },
    /// Noise between runs is so large that a hundred turns would not do: a steadier machine or a wider budget would.
    Noise,
    /// Something else used the machine.
    Contaminated,
    /// Without an A/A arm nobody knows the noise.
    NoTwin,
}

/// The suites and protocols of cases, for a title.
pub(crate) fn title(findings: &[Finding]) -> String {
    let parts: BTreeSet<String> = findings.iter().map(|f| format!("{}, {}", f.case.suite, f.case.protocol)).collect();
    parts.into_iter().collect::<Vec<_>>().join("; ")
}

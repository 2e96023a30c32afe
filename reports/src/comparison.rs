//! What a report says, as data. Serialized, this is the JSON report: `docs/schema.md` describes it, [`REPORT_SCHEMA`]
//! versions it.
//!
//! Long because: a table with its workloads, cells and totals is read from top to bottom; what stands apart has modules.
//!
//! | module | idea |
//! |---|---|
//! | `contestant` | who takes part |
//! | `answers` | who held the answers to account |
//! | `scaling` | one engine on several node counts |
//! | `weak` | one engine on several node counts over data that grow with them |
//! | `faults` | what faults did to an engine, and what it took to recover |
//! | `spans` | where slots spent their time |
//! | `ablation` | what each mechanism of an engine is worth |
//! | `blocking` | what would have been without one kind of blocking |
//! | `decomposition` | where a product's time goes, and how its style compares with it |
//! | `cost` | how many cores an engine needs to beat one thread |

mod ablation;
mod answers;
mod blocking;
mod contestant;
mod cost;
mod decomposition;
mod faults;
mod scaling;
mod spans;
mod weak;

pub use ablation::{Ablation, AblationEntry, WorkloadEffect};
pub use answers::AnswerChecks;
pub use blocking::{BlockingCase, BlockingReport};
pub use contestant::Contestant;
pub(crate) use contestant::{ATTACHED, has_own_machines};
pub use cost::{CostAnswer, CostEntry, CostReport};
pub use decomposition::{
    Anchor, AnchorCause, AnchorUse, Decomposition, KernelAnchor, KernelAnchorCause, SameKernels, TimePart,
};
pub use faults::{FaultCase, FaultEffect, FaultReport};
pub use scaling::{Law, ScalingPoint, ScalingSeries};
pub use spans::SpanBreakdown;
pub use weak::{WeakPoint, WeakScaling, WeakSeries};

use crate::overhead::OverheadReport;
use crate::run_names::RunNames;
use crate::stats::{Interval, MannWhitney};
use bench_record::{Arm, Family, Outcome, Protocol};
use serde::Serialize;

/// The version of the JSON report.
pub const REPORT_SCHEMA: u32 = 1;

/// Everything a report says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// [`REPORT_SCHEMA`].
    pub schema: u32,
    /// Wrong answers, in any trial of any arm. First, because nothing else matters as much.
    pub wrong_answers: Vec<Incident>,
    /// What the runs are called. Not in JSON: whatever is written is the same wherever the folders are.
    #[serde(skip)]
    pub runs: RunNames,
    /// One table per machine, suite, scale, protocol and data: times that differ in one of them never meet.
    pub tables: Vec<Table>,
    /// Across the tables of the scales that a suite was run at: one per family, where the data grew with the nodes.
    pub weak_scaling: Vec<WeakScaling>,
    /// What engines cost before they do any work, one per folder of `bench overhead`.
    pub overhead: Vec<OverheadReport>,
    /// What a reader should know about the runs themselves, and why some share no table.
    pub notes: Vec<String>,
}

impl Comparison {
    /// Whether any trial gave a wrong answer.
    #[must_use]
    pub fn has_wrong_answers(&self) -> bool {
        !self.wrong_answers.is_empty()
    }

    /// What the list of wrong answers is called: where nobody knew the right one, they differ, and that is all.
    #[must_use]
    pub fn wrong_answers_title(&self) -> String {
        let (wrong, differing): (Vec<&Incident>, Vec<&Incident>) = self.wrong_answers.iter().partition(|i| i.checked);
        match (wrong.len(), differing.len()) {
            (0, differing) => format!("Answers that differ: {differing}"),
            (wrong, 0) => format!("Wrong answers: {wrong}"),
            (wrong, differing) => format!("Wrong answers: {wrong}, and answers that differ: {differing}"),
        }
    }

    /// Whether the spans of any case fail to account for its slots' time within 1 %.
    #[must_use]
    pub fn has_span_violations(&self) -> bool {
        let mut spans = self.tables.iter().flat_map(|t| &t.families).flat_map(|f| &f.spans);
        spans.any(|s| !s.violations.is_empty())
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.overhead.is_empty()
    }
}

/// A case that did not complete, in one or more trials.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Incident {
    /// What the run is called that recorded it.
    pub run: String,
    /// The workload's family.
    pub family: Family,
    /// The workload.
    pub workload: String,
    /// Who ran it.
    pub contestant: String,
    /// The arm.
    pub arm: Arm,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in the first of these trials.
    pub reason: String,
    /// How many trials ended so.
    pub trials: usize,
    /// Whether somebody else knew the answer: a wrong one that nobody else knew differs, and that is all.
    pub checked: bool,
}

/// Times that may be compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    /// The suite.
    pub suite: String,
    /// The protocol.
    pub protocol: Protocol,
    /// How many times the suite's own scale the data have: more than 1 only where they grew with the nodes.
    pub scale: u32,
    /// The machine's key.
    pub machine: String,
    /// The machine in words, as it was at the first run.
    pub machine_summary: String,
    /// What the runs are called that the trials come from.
    pub runs: Vec<String>,
    /// When the first run began, RFC 3339.
    pub started_at: String,
    /// The builds of this program, as `version (build id)`.
    pub builds: Vec<String>,
    /// Trials requested per case and arm, fewest first where runs differ.
    pub trials_requested: Vec<u32>,
    /// The data, as `name: rows, bytes, checksum`.
    pub datasets: Vec<String>,
    /// Whether some of it is derived from TPC-H.
    pub derived_from_tpch: bool,
    /// How nodes were made that are not machines.
    pub emulated: Option<String>,
    /// Settings that every contestant has, separated by commas: labels leave them out.
    pub shared_variant: Option<String>,
    /// Who is compared, in order.
    pub contestants: Vec<Contestant>,
    /// Whom totals are compared with: a contestant's label.
    pub baseline: Option<String>,
    /// How many resamples its intervals of ratios and totals are made of.
    pub resamples: usize,
    /// What two measurements of the same thing differ by.
    pub noise: NoiseFloor,
    /// What else the machine did.
    pub contamination: Contamination,
    /// Who held the answers to account.
    pub answers: AnswerChecks,
    /// The families measured.
    pub families: Vec<FamilyReport>,
    /// Cases that did not complete.
    pub incidents: Vec<Incident>,
    /// Warnings recorded with the runs.
    pub warnings: Vec<String>,
}

impl Table {
    /// The suite, and by how much its data were enlarged.
    #[must_use]
    pub fn suite_text(&self) -> String {
        if self.scale == 1 { self.suite.clone() } else { format!("{} x {}", self.suite, self.scale) }
    }

    /// In a sentence, the settings that every contestant has.
    #[must_use]
    pub fn shared_text(&self) -> Option<String> {
        self.shared_variant
            .as_ref()
            .map(|settings| format!("Everybody here ran with {settings}; names leave that out."))
    }

    /// What its times have in common and those of other tables have not.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}, {}, machine {}", self.suite_text(), self.protocol, self.machine)
    }
}

/// The A/A noise floor: how far two measurements of one case by one engine lie apart. 0.02 is 2 %.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NoiseFloor {
    /// How many cases have an A/A arm that counts.
    pub cases: usize,
    /// How many have one that tells nothing, because something else disturbed it.
    pub contaminated: usize,
    /// The middle of their differences.
    pub median: Option<f64>,
    /// 95 % of them differ by no more: the least floor of every workload, for an A/A arm of one's own may be lucky.
    pub p95: Option<f64>,
}

/// Trials disturbed by something else on the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Contamination {
    /// Trials in all, both arms.
    pub trials: usize,
    /// Those that were contaminated.
    pub contaminated: usize,
    /// Those left out of all statistics: they were repeated, or enough clean trials of the same case and arm remain.
    pub excluded: usize,
    /// Those of clusters that ran already: what else this machine did may have been their own work.
    pub not_judged: usize,
}

/// One family of workloads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FamilyReport {
    /// Which.
    pub family: Family,
    /// Its workloads, by name.
    pub workloads: Vec<WorkloadReport>,
    /// Of those that completed the most, the contestant with the least time; absent if nobody completed anything.
    pub best: Option<String>,
    /// That one, if it was asked for every workload and was shown to be faster than every other one on what both completed,
    /// by total time and not contradicted by the geometric mean; absent if there is no such contestant, or no other.
    pub winner: Option<String>,
    /// One line per contestant.
    pub totals: Vec<Total>,
    /// Cores needed to beat one thread; absent if no single-threaded contestant completed anything.
    pub cost: Option<CostReport>,
    /// Where the time of products goes, for those that ran beside their style and the kernels on one thread.
    pub decomposition: Vec<Decomposition>,
    /// Styles beside the products whose architecture they play.
    pub anchors: Vec<Anchor>,
    /// The best style beside products with kernels of their own.
    pub kernel_anchors: Vec<KernelAnchor>,
    /// Where slot time went, for contestants that say.
    pub spans: Vec<SpanBreakdown>,
    /// What would have been without one kind of blocking, for contestants whose cases were played again.
    pub blocking: Vec<BlockingReport>,
    /// One per engine that ran on two node counts or more.
    pub scaling: Vec<ScalingSeries>,
    /// What each mechanism is worth, per engine of which some were switched off.
    pub ablations: Vec<Ablation>,
    /// One per contestant with faults.
    pub faults: Vec<FaultReport>,
}

/// One workload, contestants side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkloadReport {
    /// Which.
    pub workload: String,
    /// The largest A/A difference seen on it; absent without an A/A arm of clean trials. No effect is claimed that is not
    /// above both this and [`NoiseFloor::p95`].
    pub noise_floor: Option<f64>,
    /// The contestant that is distinguishably faster than every other one that completed, with all workloads of the family taken
    /// together (Benjamini and Hochberg); absent if there is none.
    pub winner: Option<String>,
    /// The same by the tests of this workload alone.
    pub winner_alone: Option<String>,
    /// One cell per contestant that was asked, in the table's order.
    pub cells: Vec<Cell>,
}

/// One contestant on one workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// Who.
    pub contestant: String,
    /// The worst outcome of its trials: a case completes when every trial that counts does.
    pub outcome: Outcome,
    /// Why it did not complete.
    pub reason: Option<String>,
    /// Trials that count.
    pub trials: usize,
    /// Those that completed.
    pub completed: usize,
    /// Those that are contaminated and still count, because too few clean ones are left. Nothing is claimed of them.
    pub contaminated: usize,
    /// Contaminated trials that do not count.
    pub excluded: usize,
    /// Median time; absent unless the case completed.
    pub wall_ns_median: Option<f64>,
    /// Its 95 % interval, of six trials or more; of two to five, the range of the times.
    pub wall_ns_interval: Option<Interval>,
    /// Coefficient of variation of the times, of two trials or more.
    pub wall_cv: Option<f64>,
    /// Median CPU time.
    pub cpu_ns_median: Option<f64>,
    /// Largest memory peak. Of several processes it is the most that was seen at once, and may have been more.
    pub rss_bytes_peak: Option<u64>,
    /// No more than this was held in any of these trials; absent unless all of them tell, as those of one process do not.
    pub rss_bytes_bound: Option<u64>,
    /// Median bytes read from storage.
    pub read_bytes_median: Option<f64>,
    /// Median bytes written to storage.
    pub write_bytes_median: Option<f64>,
    /// Median bytes that operators wrote out because memory ran short; absent for engines that do not count them.
    pub spilled_bytes_median: Option<f64>,
    /// Its time over the shortest median; absent for the shortest itself.
    pub against_best: Option<Ratio>,
    /// Its time over the baseline's; absent for the baseline itself.
    pub against_baseline: Option<Ratio>,
}

/// What may be said about a ratio of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Below 1, beyond noise.
    Faster,
    /// Above 1, beyond noise.
    Slower,
    /// The interval holds 1, the effect is within the noise, or chance alone would give one as large too often.
    Indistinguishable,
    /// Too few trials for an interval, or for any test to show a difference.
    Unresolved,
    /// Contaminated trials had to be counted: what else the machine did may be the whole difference, or hide one.
    Contaminated,
    /// The two were in no run together, so they did not take turns: whatever lies between the runs may be the difference.
    NotInterleaved,
    /// There is a difference, and no A/A arm that says what equal things differ by here.
    NoFloor,
    /// There is a difference, and something else disturbed every A/A arm.
    FloorContaminated,
}

impl Verdict {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::Indistinguishable => "indistinguishable",
            Self::Unresolved => "unresolved",
            Self::Contaminated => "contaminated",
            Self::NotInterleaved => "not_interleaved",
            Self::NoFloor => "no_floor",
            Self::FloorContaminated => "floor_contaminated",
        }
    }

    /// Why nothing is claimed of a value that is there, in a few words.
    #[must_use]
    pub const fn remark(self) -> Option<&'static str> {
        match self {
            Self::Faster | Self::Slower | Self::Indistinguishable => None,
            Self::Unresolved => Some("too few trials"),
            Self::Contaminated => Some("contaminated"),
            Self::NotInterleaved => Some("not interleaved"),
            Self::NoFloor => Some("no A/A arm"),
            Self::FloorContaminated => Some("A/A arm contaminated"),
        }
    }

    /// Whether a difference was shown.
    #[must_use]
    pub const fn is_shown(self) -> bool {
        matches!(self, Self::Faster | Self::Slower)
    }
}

/// A ratio of two medians.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// The ratio.
    pub value: f64,
    /// Its 95 % interval.
    pub interval: Option<Interval>,
    /// What may be said of it.
    pub verdict: Verdict,
    /// The rank test on the same times, which a difference must pass at 5 %; absent for totals.
    pub mann_whitney: Option<MannWhitney>,
    /// The probability of the stratified permutation test that takes its place for totals; 1 where the times lean the other way than
    /// the medians.
    pub stratified_p: Option<f64>,
}

/// A contestant over a whole family.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Total {
    /// Who.
    pub contestant: String,
    /// Cases completed.
    pub completed: usize,
    /// Cases of the family in this table.
    pub cases: usize,
    /// Cases it was never asked.
    pub not_run: usize,
    /// Cases it says it does not support.
    pub unsupported: usize,
    /// Sum of medians, with a penalty of `2 x max(300 s, time limit, slowest median of that workload)` for every case
    /// that did not complete; absent if some case was never asked, and of one that does no such work.
    pub wall_ns_penalized: Option<f64>,
    /// How many penalties are in it.
    pub penalties: usize,
    /// Against the baseline; absent for the baseline itself and without common cases.
    pub against_baseline: Option<TotalRatio>,
    /// Against [`FamilyReport::best`]; absent for that one itself and without common cases.
    pub against_best: Option<TotalRatio>,
}

impl Total {
    /// Whether it was asked for all of this family and does none of it, and says so: neither slow nor broken, but not applicable.
    #[must_use]
    pub const fn is_not_applicable(&self) -> bool {
        self.unsupported > 0 && self.unsupported == self.cases
    }

    /// `20 of 22`, and what became of the rest where nothing went wrong with it.
    #[must_use]
    pub fn completed_text(&self) -> String {
        if self.is_not_applicable() {
            return "n/a".to_owned();
        }
        let rest = [(self.unsupported, "unsupported"), (self.not_run, "not run")];
        let rest = rest.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!(", {count} {what}"));
        format!("{} of {}{}", self.completed, self.cases, rest.collect::<String>())
    }

    /// How many penalties are in its total; `-` where there is none.
    #[must_use]
    pub fn penalties_text(&self) -> String {
        if self.is_not_applicable() { "-".to_owned() } else { self.penalties.to_string() }
    }

    /// Cases that went wrong: asked, supported and without a time.
    #[must_use]
    pub const fn went_wrong(&self) -> usize {
        self.cases.saturating_sub(self.completed + self.unsupported + self.not_run)
    }
}

/// Two contestants over the cases that both completed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TotalRatio {
    /// How many those are.
    pub common: usize,
    /// Sum of medians over sum of medians: long cases weigh most.
    pub total: Ratio,
    /// Geometric mean of the ratios: every case weighs the same.
    pub geometric_mean: Ratio,
}

//! A claims file as data. `docs/claims.md` describes it; unknown fields are refused.

use super::{ClaimsError, check, raw};
use bench_record::{Observation, Protocol};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use toml::Spanned;

/// Claims of one source.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimsFile {
    /// The name it was read under.
    #[serde(skip)]
    pub name: String,
    /// The version of the format: 1.
    pub schema: u32,
    /// Who claims it.
    pub source: Source,
    /// Whom it is about, by the short name that claims use.
    pub subject: BTreeMap<String, Subject>,
    /// What is claimed.
    #[serde(default)]
    pub claim: Vec<Claim>,
    /// Which work each is said to be for. `bench recommend` shows them beside its evidence.
    #[serde(default)]
    pub rule: Vec<Rule>,
}

/// Who claims it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The title of the document.
    pub title: String,
    /// When it appeared, as YYYY-MM or YYYY-MM-DD.
    pub date: String,
    /// The language it is written in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Where it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Somebody that claims are about: a product, or one with a setting changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// What it is called in reports.
    pub name: String,
    /// The engine in records whose runs decide claims about it.
    pub engine: String,
    /// The variant of that engine, without limits and accounting: `default`, or switches that differ. Where none is given,
    /// the engine in each of its configurations speaks for it, and they have to agree.
    #[serde(default)]
    pub variant: Option<String>,
    /// What an address of a cluster of it looks like, for commands that run it on several machines.
    #[serde(default)]
    pub attach: Option<String>,
    /// The engine style with its architecture. Its runs are shown beside a claim and decide none.
    #[serde(default)]
    pub style: Option<String>,
    /// The variant of that style.
    #[serde(default = "default_variant")]
    pub style_variant: String,
}

fn default_variant() -> String {
    bench_record::Case::DEFAULT_VARIANT.to_owned()
}

/// What sort of statement a claim is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A run can measure it.
    Measurable,
    /// It follows from measurements and prices.
    Computed,
    /// Something an engine can or cannot do; shown by doing it.
    Feature,
    /// Cited with its date; nothing here could test it.
    Qualitative,
}

/// One claim.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Unique over all files given together.
    pub id: Spanned<String>,
    /// The heading it stands under.
    pub group: String,
    /// What sort of statement it is.
    pub kind: Kind,
    /// What it is about.
    pub text: String,
    /// What is said, by subject.
    #[serde(default)]
    pub says: BTreeMap<String, String>,
    /// What it would take to test it, where no test is given.
    #[serde(default)]
    pub needs: Option<String>,
    /// Commands that would measure something of it, where no test is given.
    #[serde(default)]
    pub run: Vec<String>,
    /// Which cases test it. All of them must bear it out.
    #[serde(default)]
    pub test: Vec<Test>,
}

/// One way in which a claim could turn out to be false.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "raw::Test")]
pub struct Test {
    /// The claim in words that a measurement can decide.
    pub reading: Spanned<String>,
    /// What is measured.
    pub metric: Metric,
    /// The family of its workloads.
    pub family: String,
    /// Workloads of that family, with `*` and `?`.
    pub workloads: Vec<String>,
    /// How many workloads that is where nothing is left out; with fewer, the test decides nothing.
    pub cases: usize,
    /// Under which conditions the claim is meant; elsewhere it is evidence at another scale.
    pub at: At,
    /// What the source gives as numbers, by subject, in any unit as long as it is the same: only ratios are shown.
    pub stated: BTreeMap<String, f64>,
    /// Which relation is claimed. Less is better or worse, as the metric has it: `less` only means less.
    pub relation: Relation,
}

/// Conditions of a test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// One of these suites; any where there is none.
    #[serde(default)]
    pub suites: Vec<String>,
    /// One of these kinds of cluster; any where there is none.
    #[serde(default)]
    pub clusters: Vec<String>,
    /// So many nodes.
    #[serde(default)]
    pub nodes: Option<u32>,
    /// This protocol.
    #[serde(default)]
    pub protocol: Option<Protocol>,
    /// Of a cost: who runs the engine.
    #[serde(default)]
    pub deployment: Option<Deployment>,
}

/// Who runs an engine that costs something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deployment {
    /// Oneself, on rented instances.
    SelfHosted,
    /// A platform, on instances that are paid for besides.
    Managed,
    /// A platform that bills what a job holds.
    Serverless,
}

impl Deployment {
    /// The same in prices.
    #[must_use]
    pub const fn priced(self) -> crate::cost::Deployment {
        match self {
            Self::SelfHosted => crate::cost::Deployment::SelfHosted,
            Self::Managed => crate::cost::Deployment::Managed,
            Self::Serverless => crate::cost::Deployment::Serverless,
        }
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// From submitting a program to holding its whole answer.
    Wall,
    /// CPU time of all processes of the engine.
    Cpu,
    /// The largest resident memory of all processes of the engine.
    MemoryPeak,
    /// Bytes that operators wrote out for want of memory.
    Spilled,
    /// Memory of a started engine that does nothing.
    MemoryIdle,
    /// From starting an engine to its first answer.
    StartUp,
    /// From the intended send time of an event to its result.
    Latency,
    /// Money for a terabyte processed, from times and a price book.
    Cost,
}

impl Metric {
    /// How it is read off a trial; none if this version records no such number, so that no run could decide a claim on it.
    #[must_use]
    pub fn reading(self) -> Option<fn(&Observation) -> Option<u64>> {
        match self {
            Self::Wall => Some(|o| o.wall_ns),
            Self::Cpu => Some(|o| o.cpu_ns),
            Self::MemoryPeak => Some(|o| o.rss_bytes_peak),
            // A byte more than was counted: nothing at all is a measurement, and a ratio to it has to be a number.
            Self::Spilled => Some(|o| o.spilled_bytes.map(|bytes| bytes.saturating_add(1))),
            Self::MemoryIdle | Self::StartUp | Self::Latency | Self::Cost => None,
        }
    }

    /// Whether it is a time.
    #[must_use]
    pub const fn is_time(self) -> bool {
        matches!(self, Self::Wall | Self::Cpu | Self::StartUp | Self::Latency)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Wall => "wall time",
            Self::Cpu => "CPU time",
            Self::MemoryPeak => "peak memory",
            Self::Spilled => "spilled bytes",
            Self::MemoryIdle => "idle memory",
            Self::StartUp => "start-up time",
            Self::Latency => "latency",
            Self::Cost => "cost",
        })
    }
}

/// The relation a test is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Relation {
    /// Each has less of the metric than everybody behind it. Those in one pair of brackets are not told apart.
    Less(Vec<Tier>),
    /// This one has less of the metric than every other that the claim says something of, or that `among` names.
    Winner {
        /// Who.
        of: String,
        /// The others.
        among: Vec<String>,
    },
    /// One's metric over the other's lies in a range, ends included.
    Ratio {
        /// Whose metric.
        of: String,
        /// Over whose.
        to: String,
        /// At least.
        low: f64,
        /// At most.
        high: f64,
    },
    /// One's metric lies in a range, ends included.
    Range {
        /// Whose metric.
        of: String,
        /// At least.
        low: f64,
        /// At most.
        high: f64,
        /// In which unit.
        unit: Unit,
    },
    /// All of these give right answers to all of the workloads.
    Completes(Vec<String>),
}

impl Relation {
    /// Everybody it is about, in order.
    #[must_use]
    pub fn subjects(&self) -> Vec<&str> {
        match self {
            Self::Less(tiers) => tiers.iter().flat_map(Tier::names).collect(),
            Self::Winner { of, among } => std::iter::once(of).chain(among).map(String::as_str).collect(),
            Self::Ratio { of, to, .. } => vec![of, to],
            Self::Range { of, .. } => vec![of],
            Self::Completes(all) => all.iter().map(String::as_str).collect(),
        }
    }
}

/// One place in an order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Tier {
    /// Somebody.
    One(String),
    /// Several who are not told apart.
    Several(Vec<String>),
}

impl Tier {
    /// Who is there.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let all = match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        };
        all.iter().map(String::as_str)
    }
}

/// The unit of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Minutes.
    #[serde(rename = "min")]
    Minutes,
    /// Millions of bytes.
    #[serde(rename = "MB")]
    Megabytes,
    /// Thousands of millions of bytes.
    #[serde(rename = "GB")]
    Gigabytes,
    /// US dollars for 10^12 bytes processed.
    #[serde(rename = "USD/TB")]
    DollarsPerTerabyte,
}

impl Unit {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::Minutes => "min",
            Self::Megabytes => "MB",
            Self::Gigabytes => "GB",
            Self::DollarsPerTerabyte => "USD/TB",
        }
    }

    /// How many nanoseconds, bytes or dollars it is.
    #[must_use]
    pub const fn size(self) -> f64 {
        match self {
            Self::Milliseconds | Self::Megabytes => 1e6,
            Self::Seconds | Self::Gigabytes => 1e9,
            Self::Minutes => 60e9,
            Self::DollarsPerTerabyte => 1.0,
        }
    }

    /// Whether it measures money.
    #[must_use]
    pub const fn is_money(self) -> bool {
        matches!(self, Self::DollarsPerTerabyte)
    }

    /// Whether it measures time.
    #[must_use]
    pub const fn is_time(self) -> bool {
        matches!(self, Self::Milliseconds | Self::Seconds | Self::Minutes)
    }
}

/// For which work somebody is said to be the right choice.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Unique, as ids of claims are.
    pub id: Spanned<String>,
    /// Who is said to be right for it; several where they are said to be used together.
    pub prefers: Vec<String>,
    /// For which work or which people.
    pub text: String,
    /// The families of a mix that it speaks of; none where it speaks of something that no mix says.
    #[serde(default)]
    pub families: Vec<String>,
    /// It speaks of less data than this, in TB.
    #[serde(default)]
    pub tb_below: Option<f64>,
}

impl ClaimsFile {
    /// Reads a claims file from its text. `name` is what messages call it.
    ///
    /// # Errors
    /// Text that is no TOML, fields that are unknown, missing or of another type, and what contradicts itself: an id that is
    /// there twice, a subject that is not declared, a range that runs backwards.
    pub fn read(name: &str, text: &str) -> Result<Self, ClaimsError> {
        let mut file: Self = toml::from_str(text).map_err(|e| ClaimsError {
            file: name.to_owned(),
            line: e.span().map(|span| line_of(text, span.start)),
            message: e.message().trim().replace('\n', " "),
        })?;
        name.clone_into(&mut file.name);
        check::check(&file).map_err(|(at, message)| ClaimsError {
            file: name.to_owned(),
            line: at.map(|at| line_of(text, at)),
            message,
        })?;
        Ok(file)
    }

    /// Every command that a report may name as one that would test a claim.
    #[must_use]
    pub fn would_test(&self) -> Vec<String> {
        let of_claim = |c: &Claim| {
            let tests = c.test.iter().flat_map(|t| super::command::commands(self, t));
            c.run.iter().cloned().chain(tests).collect::<Vec<_>>()
        };
        self.claim.iter().flat_map(of_claim).collect()
    }

    /// What a subject is called in reports.
    #[must_use]
    pub fn name_of<'a>(&'a self, subject: &'a str) -> &'a str {
        self.subject.get(subject).map_or(subject, |s| &s.name)
    }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|b| *b == b'\n').count()
}

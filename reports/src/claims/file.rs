//! A claims file as data. `docs/claims.md` describes it; unknown fields are refused.

use super::metric::{Metric, Unit};
use super::{ClaimsError, check, raw};
use crate::cost::Deployment;
use bench_record::Protocol;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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

impl Source {
    /// What a citation of it says: title and date.
    pub(crate) fn cited(&self) -> String {
        format!("{}, {}", self.title, self.date)
    }
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
    /// Of a feature: subjects that the source says have it, without reserve.
    #[serde(default)]
    pub has: Vec<String>,
    /// Of a feature: subjects that the source says do not have it. Of whom neither is said, nothing is.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// Of a feature: families of work that are done with it. Of a family that nobody measured, `bench recommend` cites them.
    #[serde(default)]
    pub families: Vec<String>,
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
    /// One of these limits of memory, as `--memory` gives them: `4GiB`.
    #[serde(default)]
    pub memory: Vec<String>,
    /// This protocol.
    #[serde(default)]
    pub protocol: Option<Protocol>,
    /// Of a cost: who runs the engine.
    #[serde(default)]
    pub deployment: Option<Deployment>,
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
    /// All of these give right answers to all of the workloads, or do what `bench overhead` asks for in every trial.
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

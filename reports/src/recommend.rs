//! Which engine for a stated mix of work: a ranking from recorded runs, how sure it is, and what is missing.
//!
//! An engine's score is the geometric mean of its times, each family weighing as much as the mix says and every workload of
//! a family the same. Ratios of such scores do not depend on what they are normalized by (Fleming and Wallace, CACM 1986), so
//! no choice of a reference can change the ranking.
//!
//! | module | idea |
//! |---|---|
//! | `mix` | what is to be run, how much of it is which family |
//! | `arena` | where engines met, and which of these places a ranking rests on |
//! | `features` | what somebody cannot do without, and who is said to have it |
//! | `rank` | scores, and ratios to the leader with intervals |
//! | `conclude` | whether anybody leads, and where |
//! | `sensitivity` | how the leader depends on the weights |
//! | `missing` | what was not measured, and the commands that would |
//! | `prices` | what a price book says of those who were ranked |
//! | `report` | the answer, as data |
//! | `html` | the same as a section of a page |

mod arena;
mod conclude;
mod features;
mod html;
mod missing;
mod mix;
mod prices;
mod rank;
mod report;
mod sensitivity;

pub use features::{Feature, UnknownFeature, features};
pub use html::fragment as html;
pub(crate) use mix::check_family;
pub use mix::{Mix, MixError};
pub use prices::BookPrices;
pub use report::{
    Answer, CitedFeature, CitedRule, FamilyEvidence, MissingEvidence, RECOMMEND_SCHEMA, Ranked, Recommendation,
    Sensitivity, Share, Tipping, Unranked, UnusedEvidence,
};

use crate::claims::ClaimsFile;
use crate::compare::CompareError;
use crate::comparison::Contestant;
use crate::render::{Format, Ink};
use crate::run_names::RunNames;
use bench_record::Run;

/// How much text the table set of a name stands for; none of one that nobody here made.
pub type TextBytes<'a> = dyn Fn(&str) -> Option<u64> + 'a;

/// What a recommendation is for.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The work.
    pub mix: &'a Mix,
    /// How much data, in bytes; none if that was not said.
    pub data_bytes: Option<u64>,
    /// On how many nodes; none if that was not said.
    pub nodes: Option<u32>,
    /// Features that engines have to have: those said to lack one get no place.
    pub required: &'a [Feature<'a>],
    /// What engines cost; none if nobody knows.
    pub pricing: Option<&'a dyn Pricing>,
    /// Engines that have a product's architecture and not its code.
    pub styles: &'a [&'a str],
    /// How much text the table set of a name stands for, which is how `data_bytes` counts; none where nobody can say.
    pub text_bytes: Option<&'a TextBytes<'a>>,
}

/// What it costs to keep an engine running.
pub trait Pricing {
    /// USD per hour for all nodes that a contestant occupies; none where the price is unknown, which is not free.
    fn hourly(&self, contestant: &Contestant) -> Option<Hourly>;
}

/// A price per hour with what it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Hourly {
    /// The lowest that it may be, in USD.
    pub low: f64,
    /// The price.
    pub base: f64,
    /// The highest.
    pub high: f64,
    /// Deployment, machines and book, or who says so.
    pub from: String,
}

/// Ranks engines for a mix. The same question and folders give the same answer.
///
/// # Errors
/// No runs, or a run that is given twice.
pub fn recommend(question: &Question<'_>, claims: &[ClaimsFile], runs: &[Run]) -> Result<Recommendation, CompareError> {
    let names = RunNames::of(runs.iter().map(|r| &*r.path));
    let tables = crate::compare::evidence::tested(runs, &names)?;
    let choice = arena::choose(question, &tables);
    let notes = runs.iter().flat_map(|run| crate::compare::notes(run, &names)).collect();
    Ok(conclude::answer(question, claims, &choice, notes))
}

/// Writes a recommendation as text, Markdown or JSON. Ends with a newline.
#[must_use]
pub fn render(recommendation: &Recommendation, format: Format, ink: Ink) -> String {
    crate::render::recommendation(recommendation, format, ink)
}

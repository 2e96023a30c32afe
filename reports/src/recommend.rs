//! Which engine for a stated mix of work: a ranking from recorded runs, how sure it is, and what is missing.
//!
//! An engine's score is the geometric mean of its times, each family weighing as much as the mix says and every workload of
//! a family the same. Ratios of such scores do not depend on what they are normalized by (Fleming and Wallace, CACM 1986), so
//! no choice of a reference can change the ranking.
//!
//! | module | idea |
//! |---|---|
//! | `mix` | what is to be run, how much of it is which family |
//! | `arena` | for each family, the recorded runs nearest to what was stated |
//! | `rank` | scores, ratios to the leader with intervals, and whether anybody leads |
//! | `sensitivity` | how the leader depends on the weights |
//! | `missing` | what was not measured, and the commands that would |
//! | `report` | the answer, as data |
//! | `html` | the same as a section of a page |

mod arena;
mod html;
mod missing;
mod mix;
mod rank;
mod report;
mod sensitivity;

pub use html::fragment as html;
pub use mix::{Mix, MixError};
pub use report::{
    Answer, CitedRule, FamilyEvidence, MissingEvidence, RECOMMEND_SCHEMA, Ranked, Recommendation, Sensitivity, Share,
    Tipping, Unranked,
};

use crate::claims::ClaimsFile;
use crate::compare::CompareError;
use crate::comparison::Contestant;
use crate::render::{Format, Ink};
use bench_record::Run;

/// What a recommendation is for.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The work.
    pub mix: &'a Mix,
    /// How much data, in bytes; none if that was not said.
    pub data_bytes: Option<u64>,
    /// On how many nodes; none if that was not said.
    pub nodes: Option<u32>,
    /// What engines cost; none if nobody knows.
    pub pricing: Option<&'a dyn Pricing>,
}

/// What it costs to keep an engine running.
pub trait Pricing {
    /// USD per hour for all nodes that a contestant occupies; none where the price is unknown, which is not free.
    fn usd_per_hour(&self, contestant: &Contestant) -> Option<f64>;
}

/// Ranks engines for a mix. The same question and folders give the same answer.
///
/// # Errors
/// No runs, or a run that is given twice.
pub fn recommend(question: &Question<'_>, claims: &[ClaimsFile], runs: &[Run]) -> Result<Recommendation, CompareError> {
    let tables = crate::compare::evidence::tested(runs)?;
    let arenas = arena::choose(question, &tables);
    let ranking = rank::rank(question, &arenas);
    let notes = runs.iter().flat_map(crate::compare::notes).collect();
    Ok(rank::answer(question, claims, &arenas, ranking, notes))
}

/// Writes a recommendation as text, Markdown or JSON. Ends with a newline.
#[must_use]
pub fn render(recommendation: &Recommendation, format: Format, ink: Ink) -> String {
    crate::render::recommendation(recommendation, format, ink)
}

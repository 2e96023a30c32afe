//! The answer, as data. Serialized, this is the JSON of `bench recommend`; [`RECOMMEND_SCHEMA`] versions it.

use crate::stats::Interval;
use serde::Serialize;

/// The version of the JSON.
pub const RECOMMEND_SCHEMA: u32 = 1;

/// Engines ranked for a mix.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recommendation {
    /// [`RECOMMEND_SCHEMA`].
    pub schema: u32,
    /// Shares of the mix by family.
    pub mix: Vec<Share>,
    /// How much data, if that was said.
    pub data_bytes: Option<u64>,
    /// On how many nodes, if that was said.
    pub nodes: Option<u32>,
    /// The answer.
    pub answer: Answer,
    /// The answer in a sentence, with what limits it.
    pub because: String,
    /// Share of the mix that evidence covers.
    pub covered: f64,
    /// Those who completed everything that was measured of the mix, fastest first.
    pub ranked: Vec<Ranked>,
    /// Those who did not.
    pub unranked: Vec<Unranked>,
    /// What the ranking rests on.
    pub evidence: Vec<FamilyEvidence>,
    /// What was recorded and counts for nothing here.
    pub unused: Vec<UnusedEvidence>,
    /// How the leader depends on the weights; none with fewer than two ranked.
    pub sensitivity: Option<Sensitivity>,
    /// What was not measured.
    pub missing: Vec<MissingEvidence>,
    /// Features that were required, and which of those that took part are said to have them; who lacks one has no place.
    pub required: Vec<CitedFeature>,
    /// Who would be first in the ranking if nothing were required; none where that changes nothing.
    pub first_without: Option<String>,
    /// What claims say of work that the mix has and nobody measured. It weighs nothing.
    pub features: Vec<CitedFeature>,
    /// What claims say of such a mix. They weigh nothing.
    pub cited: Vec<CitedRule>,
    /// What a reader should know about the runs.
    pub notes: Vec<String>,
}

/// A part of a whole by name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    /// Of what.
    pub name: String,
    /// From 0 to 1.
    pub share: f64,
}

/// What may be said.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Answer {
    /// One is faster than every other, beyond noise and chance, on all of the mix at the stated size.
    ClearWinner {
        /// Who.
        engine: String,
    },
    /// One is faster than every other, but part of the mix was not measured, or not at the stated size.
    LeadsElsewhere {
        /// Who.
        engine: String,
    },
    /// Nobody is shown to be faster than every other.
    NoClearWinner,
    /// Nothing, or nobody else, was measured.
    NoEvidence,
}

/// Somebody in the ranking.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranked {
    /// The engine, with its switches if they are not the default.
    pub engine: String,
    /// Whether it is an engine style, which has a product's architecture and not its code.
    pub is_style: bool,
    /// Its score over the leader's: weighted geometric mean of times. 1 for the leader.
    pub against_leader: f64,
    /// Its 95 % interval; none for the leader, or of too few trials.
    pub interval: Option<Interval>,
    /// The probability of a difference by chance alone, with all rivals of the leader taken together (Holm).
    pub p_adjusted: Option<f64>,
    /// Whether it is shown to be slower than the leader.
    pub is_slower: bool,
    /// By family: its geometric mean of times over the leader's.
    pub by_family: Vec<Share>,
    /// Why it could not be compared with the leader, if so.
    pub apart: Option<String>,
    /// USD per hour for its nodes, where that is known.
    pub usd_per_hour: Option<f64>,
    /// The lowest and the highest that may be.
    pub usd_per_hour_range: Option<Interval>,
    /// What the price rests on.
    pub price_from: Option<String>,
    /// What it costs over what the leader costs, for the same work: time times price.
    pub cost_against_leader: Option<f64>,
    /// The 95 % interval of the times, over what prices may be: both at the same end of their ranges.
    pub cost_interval: Option<Interval>,
}

/// Somebody without a place in the ranking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unranked {
    /// The engine.
    pub engine: String,
    /// Why.
    pub because: String,
}

/// What the ranking rests on for one family.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FamilyEvidence {
    /// The family.
    pub family: String,
    /// Its share of the mix.
    pub share: f64,
    /// Suite, protocol, cluster and machine.
    pub place: String,
    /// Folders.
    pub runs: Vec<String>,
    /// How many workloads.
    pub workloads: usize,
    /// The A/A noise floor.
    pub noise: Option<f64>,
    /// How it differs from what was stated; none where it does not.
    pub differs: Option<String>,
}

/// Runs of a family that a ranking does not rest on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnusedEvidence {
    /// The family.
    pub family: String,
    /// Suite, protocol, cluster and machine.
    pub place: String,
    /// Folders.
    pub runs: Vec<String>,
    /// Why not; of what is as near as what was taken, what it says.
    pub because: String,
}

/// How the leader depends on the weights.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sensitivity {
    /// By family: how far its share has to move for another leader, all other shares in proportion.
    pub tipping: Vec<Tipping>,
    /// Share of drawn mixes near the stated one that each engine leads.
    pub near: Vec<Share>,
    /// Share of mixes drawn from all there are.
    pub any: Vec<Share>,
    /// How many were drawn of each.
    pub samples: usize,
    /// How much slower than the runner-up the leader may be on what was not measured before it loses its lead.
    pub unmeasured_slack: Option<f64>,
}

/// A share at which the lead changes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tipping {
    /// The family.
    pub family: String,
    /// Its share of what was measured.
    pub share: f64,
    /// The nearest share with another leader; none if there is none.
    pub at: Option<f64>,
    /// Who leads beyond it.
    pub rival: Option<String>,
}

/// Something that was not measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingEvidence {
    /// What.
    pub what: String,
    /// The command that would measure it; none if no run of this version could.
    pub run: Option<String>,
}

/// A feature. Who has it is cited from a claim and was not tested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CitedFeature {
    /// The id of the claim.
    pub id: String,
    /// The feature.
    pub text: String,
    /// The title and date of the claim's source.
    pub source: String,
    /// Engines that are said to have it.
    pub has: Vec<String>,
    /// Those said to lack it.
    pub lacks: Vec<String>,
    /// Those of whom nothing is said. Styles are among them: a claim about a product says nothing of a style.
    pub unsaid: Vec<String>,
}

/// A rule of somebody else's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CitedRule {
    /// Its id.
    pub id: String,
    /// The title and date of its source.
    pub source: String,
    /// Whom it prefers.
    pub prefers: Vec<String>,
    /// For what.
    pub text: String,
}

//! What is said of claims in the end. Serialized, this is the JSON of `bench claims`; [`CLAIMS_SCHEMA`] versions it.

use super::file::{Kind, Source};
use super::metric::{Metric, Unit};
use crate::stats::Interval;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The version of the JSON.
pub const CLAIMS_SCHEMA: u32 = 1;

/// Claims beside their evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClaimsReport {
    /// [`CLAIMS_SCHEMA`].
    pub schema: u32,
    /// Who claims it.
    pub sources: Vec<SourceUsed>,
    /// How many claims have which verdict.
    pub counts: Counts,
    /// How many comparisons were made together, by remove: those of one remove share the 5 %.
    pub comparisons: BTreeMap<Remove, usize>,
    /// The claims, by heading.
    pub groups: Vec<ClaimsGroup>,
    /// The folders read.
    pub runs: Vec<String>,
    /// What a reader should know about them.
    pub notes: Vec<String>,
}

/// A claims file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceUsed {
    /// Its name.
    pub file: String,
    /// What it cites.
    #[serde(flatten)]
    pub source: Source,
    /// How many claims it has.
    pub claims: usize,
}

/// Claims by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Borne out.
    pub supported: usize,
    /// The opposite was shown.
    pub contradicted: usize,
    /// Tested without a result.
    pub inconclusive: usize,
    /// Not tested.
    pub not_tested: usize,
}

/// Claims under one heading.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClaimsGroup {
    /// The heading.
    pub title: String,
    /// The claims.
    pub claims: Vec<AssessedClaim>,
}

/// A claim and what was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AssessedClaim {
    /// Its id.
    pub id: String,
    /// The file it is from.
    pub file: String,
    /// What sort of statement it is.
    pub kind: Kind,
    /// What it is about.
    pub text: String,
    /// What is said, by the name of whom it is said of.
    pub says: Vec<(String, String)>,
    /// The verdict.
    pub verdict: ClaimVerdict,
    /// Why this verdict and no other.
    pub because: String,
    /// Its tests.
    pub tests: Vec<AssessedTest>,
    /// Commands that would decide it, or measure something of it; none where it is decided or nothing could.
    pub would_test: Vec<String>,
}

/// A test and what was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AssessedTest {
    /// The claim in words that a measurement can decide.
    pub reading: String,
    /// What is measured.
    pub metric: Metric,
    /// Under which conditions it is meant.
    pub at: String,
    /// The verdict of this test alone.
    pub verdict: ClaimVerdict,
    /// Why.
    pub because: String,
    /// What was recorded, nearest first. Only what is direct decides.
    pub evidence: Vec<Evidence>,
    /// Commands that would decide it.
    pub would_test: Vec<String>,
}

/// What may be said of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimVerdict {
    /// All of it was borne out, beyond noise and chance.
    Supported,
    /// The opposite of some of it was shown, beyond noise and chance.
    Contradicted,
    /// It was tested, and either is still possible.
    Inconclusive,
    /// No run given tests it.
    NotTested,
}

impl ClaimVerdict {
    /// Whether something was shown, one way or the other.
    pub(crate) const fn is_shown(self) -> bool {
        matches!(self, Self::Supported | Self::Contradicted)
    }
}

impl fmt::Display for ClaimVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Supported => "supported",
            Self::Contradicted => "contradicted",
            Self::Inconclusive => "inconclusive",
            Self::NotTested => "not tested",
        })
    }
}

/// How far evidence is from what a claim is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Remove {
    /// The products themselves, under the conditions of the claim. Decides.
    Direct,
    /// The products themselves under other conditions: other data, other nodes. Decides nothing.
    OtherScale,
    /// Engine styles with the products' architectures. Says what an architecture costs on equal kernels, and nothing
    /// about a product.
    Architecture,
}

impl fmt::Display for Remove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Direct => "direct",
            Self::OtherScale => "at another scale",
            Self::Architecture => "architecture only, not the product",
        })
    }
}

/// How the products were configured that evidence is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Configuration {
    /// As they come, or as the claim itself says.
    Default,
    /// As their makers advise.
    Tuned,
}

/// What one table of recorded runs says to a test.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// How far it is from the claim.
    pub remove: Remove,
    /// How the products were configured.
    pub configuration: Configuration,
    /// Suite, protocol, cluster and machine.
    pub place: String,
    /// The machine alone.
    pub machine: String,
    /// Who stands for whom, as `actor for Ray`.
    pub who: Vec<String>,
    /// What it would mean for the test if it decided.
    pub finding: ClaimVerdict,
    /// Why.
    pub because: String,
    /// Whether that is what its comparisons say, one by one.
    #[serde(skip)]
    pub by_comparisons: bool,
    /// The comparisons.
    pub compared: Vec<Compared>,
    /// Where the numbers are.
    pub links: Vec<Link>,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// What is compared, as `dask / ray`, or whose value it is.
    pub what: String,
    /// Over so many workloads.
    pub workloads: usize,
    /// A ratio, or a value in nanoseconds, bytes or USD/TB.
    pub value: f64,
    /// Its 95 % interval; of a cost, low to high.
    pub interval: Option<Interval>,
    /// What is claimed of it: `< 1` for less, else a range.
    pub claimed: String,
    /// The unit that the range has; none of a ratio. Only for showing `value`, which is in nanoseconds, bytes or USD/TB.
    #[serde(skip)]
    pub unit: Option<Unit>,
    /// The same ratio of the numbers that the source gives.
    pub stated: Option<f64>,
    /// The noise floor it has to exceed.
    pub noise: Option<f64>,
    /// The probability of it, or more, by chance alone; none of a cost, whose range is what prices may be.
    pub p: Option<f64>,
    /// The same with all comparisons of its remove taken together (Holm).
    pub p_adjusted: Option<f64>,
    /// What it means for the claim.
    pub finding: ClaimVerdict,
    /// Why.
    pub because: String,
    /// Why it is open, if it is, beside a table that says so and how many comparisons there are.
    #[serde(skip)]
    pub open: Option<String>,
}

/// Where the trials of a case are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Link {
    /// The file.
    pub file: String,
    /// The key of its lines.
    pub key: String,
}

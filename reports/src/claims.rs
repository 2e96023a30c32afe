//! What others say of engines, and what recorded runs say to it.
//!
//! A claims file says what a document claims of products, and for each claim that a machine can test, which cases test it.
//! Runs decide: a claim about a product is decided by runs of that product, at the size the claim is about. Runs at another
//! size, and runs of an engine style with the product's architecture, stand beside it as what they are.
//!
//! | module | idea |
//! |---|---|
//! | `file` | a claims file as data, read strictly |
//! | `metric` | what is measured, in which unit, and who runs what costs something |
//! | `raw` | a test as it is written: one key per relation |
//! | `check` | what its types cannot say: ids, subjects, numbers |
//! | `built_in` | the claims that come with the program |
//! | `glob` | names with `*` and `?` |
//! | `select` | which recorded cases a test is about, and at what remove |
//! | `command` | the commands that would decide a test |
//! | `examine` | recorded cases against one relation: who took part, and what is missing |
//! | `relate` | comparisons: ratios and values with their intervals |
//! | `range` | whether a value is shown to lie in a range, or outside it |
//! | `complete` | whether answers are right |
//! | `price` | what recorded work costs, against a claim on cost |
//! | `verdict` | from comparisons to a verdict, all comparisons of a report together |
//! | `assess` | a claims file and runs to a [`ClaimsReport`] |
//! | `report` | what is said in the end, as data |
//! | `html` | the same as a section of a page |

mod assess;
mod built_in;
mod check;
mod command;
mod complete;
mod examine;
mod file;
mod glob;
mod html;
mod metric;
mod price;
mod range;
mod raw;
mod relate;
mod report;
mod select;
mod verdict;

pub use assess::{AssessError, assess, assess_all};
pub use built_in::{EXAMPLE, built_in, is_built_in};
pub use file::{At, Claim, ClaimsFile, Kind, Relation, Rule, Source, Subject, Test, Tier};
pub use html::{STYLE, fragment as html, page};
pub use metric::{Metric, Unit};
pub use report::{
    AssessedClaim, AssessedTest, CLAIMS_SCHEMA, ClaimVerdict, ClaimsGroup, ClaimsReport, Compared, Configuration,
    Counts, Evidence, Link, Remove, SourceUsed,
};

pub(crate) use command::{attached, attached_size, quoted};
pub(crate) use select::split;

use crate::render::{Format, Ink};

/// Why a claims file is refused. The message names the file and, where there is one, the line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{at}: {message}", at = line.map(|l| format!(", line {l}")).unwrap_or_default())]
pub struct ClaimsError {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Writes a report on claims as text, Markdown or JSON. Ends with a newline.
#[must_use]
pub fn render(report: &ClaimsReport, format: Format, ink: Ink) -> String {
    crate::render::claims(report, format, ink)
}

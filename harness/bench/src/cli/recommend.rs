//! `bench recommend`.

use super::claims::{ClaimFiles, Format};
use bench_model::{Bytes, parse_bytes};
use bench_reports::recommend::Mix;
use clap::Args;
use std::path::PathBuf;
use std::str::FromStr;

/// Ranks engines for a stated mix of work from recorded runs, and says how sure that is.
///
/// Nothing is run. An engine's score is the geometric mean of its times, each family weighing as stated. The answer can be
/// that there is no clear winner. It shows how much the weights matter, what was not measured, and the command that
/// would measure it. What claims say of such a mix is shown and weighs nothing; who is said to lack a feature counts where
/// that feature is required.
#[derive(Args, Clone, Debug, PartialEq)]
pub(crate) struct RecommendArgs {
    /// Reads these folders, each made by `bench run`.
    #[arg(value_name = "DIR", required = true)]
    pub(crate) folders: Vec<PathBuf>,
    /// Weighs the families like this, such as sql=40,dataframe=60; the weights need no particular sum.
    #[arg(long, value_name = "FAMILY=WEIGHT,...", required = true)]
    pub(crate) mix: Mix,
    /// Prefers runs over about so much data, such as 2TB, and says where there are none [default: any].
    #[arg(long, value_name = "SIZE")]
    pub(crate) data: Option<DataSize>,
    /// Prefers runs on so many nodes, and says where there are none [default: any].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) nodes: Option<u32>,
    /// Gives no place to engines that a claim says lack this feature, such as st.exactly_once; may be repeated. What claims
    /// say of features is cited and not tested here; the answer stays open while they say nothing of the leader.
    #[arg(long, value_name = "CLAIM")]
    pub(crate) require: Vec<String>,
    /// Takes prices from this book: aws, azure, gcp, or a TOML file of yours, for instances on demand that hold what was
    /// measured [default: unknown]. Shows what the same work costs, over what prices may be.
    #[arg(long, value_name = "BOOK")]
    pub(crate) prices: Option<String>,
    /// Takes this price for all nodes that an engine occupies, such as ray=7.68; may be repeated [default: unknown]. Shows
    /// what the same work costs.
    #[arg(long, value_name = "ENGINE=USD", conflicts_with = "prices")]
    pub(crate) usd_per_hour: Vec<HourlyPrice>,
    #[command(flatten)]
    pub(crate) files: ClaimFiles,
    /// Writes the report like this: a table for terminals, Markdown for documents, JSON for programs, HTML for browsers.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Writes the report to this file, and over it if it exists [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Why a value is refused, and what would be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecommendValueError {
    /// Not a size.
    #[error("give a size above 0, such as 500GB or 2TB")]
    Data,
    /// Not a price.
    #[error("give ENGINE=USD with a price above 0, such as ray=7.68")]
    Price,
}

/// How much data, above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DataSize(pub(crate) Bytes);

impl FromStr for DataSize {
    type Err = RecommendValueError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_bytes(text).filter(|b| b.get() > 0).map(Self).ok_or(RecommendValueError::Data)
    }
}

/// What an engine's nodes cost per hour.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HourlyPrice {
    /// The engine.
    pub(crate) engine: String,
    /// USD per hour, finite and above 0.
    pub(crate) usd: f64,
}

impl FromStr for HourlyPrice {
    type Err = RecommendValueError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (engine, usd) = text.split_once('=').ok_or(RecommendValueError::Price)?;
        let usd = usd.parse::<f64>().ok().filter(|usd| usd.is_finite() && *usd > 0.0);
        match (engine.trim(), usd) {
            ("", _) | (_, None) => Err(RecommendValueError::Price),
            (engine, Some(usd)) => Ok(Self { engine: engine.to_owned(), usd }),
        }
    }
}

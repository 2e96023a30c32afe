//! `bench cost`.

use bench_model::{Bytes, Family, parse_bytes};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;

/// Prices finished runs: what a month of such work costs, per engine, on every deployment that a price book knows.
///
/// Nothing is run: stored runs are priced again whenever prices change. Only cases that completed have a cost. Every number has a
/// low, a base and a high, with its date and its source; what nobody knows stays unknown.
#[derive(Args, Clone, Debug, PartialEq)]
pub(crate) struct CostArgs {
    /// Reads these folders, each made by `bench run`.
    #[arg(value_name = "DIR", required_unless_present = "print_prices")]
    pub(crate) folders: Vec<PathBuf>,
    /// Takes prices from this book: aws, azure, gcp, or a TOML file of yours. Twice shows the same runs at the prices of both.
    #[arg(long, value_name = "BOOK", required_unless_present = "print_prices")]
    pub(crate) prices: Vec<String>,
    /// Prints a built-in price book and ends. For a copy with your own rates.
    #[arg(long, value_name = "BOOK", conflicts_with_all = ["folders", "prices"])]
    pub(crate) print_prices: Option<String>,
    /// Prices clusters of this many nodes [default: as measured]. Times that were not measured are predicted from six node counts
    /// or more, with the error on held-out ones; where that is above 15 % nothing is predicted.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) nodes: Option<u32>,
    /// Processes this much data in a month, in units of 10^12 bytes.
    #[arg(long, value_name = "TB", default_value = "100")]
    pub(crate) tb_per_month: Positive,
    /// Starts a cluster so often in a day; each job processes its share of the data. With `measured`, as often as it takes where each
    /// job processes what was measured, so that no time is scaled.
    #[arg(long, value_name = "N|measured", default_value = "1")]
    pub(crate) jobs_per_day: JobsPerDay,
    /// Rents this type of the price book [default: the cheapest that holds what was measured].
    #[arg(long, value_name = "TYPE")]
    pub(crate) instance: Option<String>,
    /// Prices an engine on the platforms of another, as in `stagedag=spark`: a what-if, and marked as such.
    #[arg(long = "as", value_name = "ENGINE=ENGINE")]
    pub(crate) price_as: Vec<As>,
    /// Takes SIZE as what a workload of a family reads, as in `sql=1GB` [default: the tables of that family as they are stored]. For
    /// tables of your own.
    #[arg(long, value_name = "FAMILY=SIZE")]
    pub(crate) data: Vec<DataSize>,
    /// Adds the pay of so many people who keep it running [default: nobody].
    #[arg(long, value_name = "N")]
    pub(crate) operations_fte: Option<Positive>,
    /// Adds this much for moving there, over twelve months [default: nothing].
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) migration: Option<Positive>,
    /// Writes the result like this.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Writes the result to this file, and over it if it exists [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// How a price is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned text, at most 100 columns, legible without color.
    Table,
    /// Markdown.
    Md,
    /// JSON, with every number unrounded and its source.
    Json,
    /// CSV with the columns of FOCUS 1.2, for tools that read bills.
    Focus,
    /// Pictures: what matters most, and break-even curves.
    Svg,
    /// A page of its own, with the pictures in it.
    Html,
}

/// Why a value is refused, and what would be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CostValueError {
    /// Not a number above zero.
    #[error("give a number above 0 and up to 1000000000, such as 0.5 or 100")]
    Positive,
    /// Not two engines.
    #[error("give ENGINE=ENGINE, such as stagedag=spark")]
    As,
    /// Not a family with a size.
    #[error("give FAMILY=SIZE, such as sql=1GiB; families are sql and dataframe")]
    Data,
}

/// A number above zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Positive(f64);

impl Positive {
    /// The number, finite and above zero.
    pub(crate) const fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Positive {
    type Err = CostValueError;
    fn from_str(text: &str) -> Result<Self, CostValueError> {
        let number = text.parse::<f64>().ok().filter(|n| *n > 0.0 && *n <= 1e9);
        number.map(Self).ok_or(CostValueError::Positive)
    }
}

/// How often a cluster is started.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum JobsPerDay {
    /// So often.
    Number(Positive),
    /// As often as jobs of the size measured need.
    Measured,
}

impl FromStr for JobsPerDay {
    type Err = CostValueError;
    fn from_str(text: &str) -> Result<Self, CostValueError> {
        if text == "measured" { Ok(Self::Measured) } else { text.parse().map(Self::Number) }
    }
}

/// An engine that is priced as another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct As {
    /// The one that was measured.
    pub(crate) engine: String,
    /// The one whose platforms it is priced on.
    pub(crate) other: String,
}

impl FromStr for As {
    type Err = CostValueError;
    fn from_str(text: &str) -> Result<Self, CostValueError> {
        let (engine, other) = text.split_once('=').ok_or(CostValueError::As)?;
        let (engine, other) = (engine.trim(), other.trim());
        if engine.is_empty() || other.is_empty() || other.contains('=') {
            return Err(CostValueError::As);
        }
        Ok(Self { engine: engine.to_owned(), other: other.to_owned() })
    }
}

/// What a workload of a family reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DataSize {
    /// Which family.
    pub(crate) family: Family,
    /// How much.
    pub(crate) bytes: Bytes,
}

impl FromStr for DataSize {
    type Err = CostValueError;
    fn from_str(text: &str) -> Result<Self, CostValueError> {
        let (family, size) = text.split_once('=').ok_or(CostValueError::Data)?;
        let family = Family::ALL.into_iter().find(|f| f.name() == family.trim()).ok_or(CostValueError::Data)?;
        let bytes = parse_bytes(size.trim()).filter(|b| b.get() > 0).ok_or(CostValueError::Data)?;
        Ok(Self { family, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_cannot_be_priced_are_refused() {
        for text in ["0", "-1", "nan", "inf", "1e10", "", "ten"] {
            assert_eq!(text.parse::<Positive>(), Err(CostValueError::Positive), "{text}");
        }
        assert_eq!("0.5".parse::<Positive>().map(Positive::get), Ok(0.5));
        assert_eq!("measured".parse::<JobsPerDay>(), Ok(JobsPerDay::Measured));
        assert_eq!("0".parse::<JobsPerDay>(), Err(CostValueError::Positive));
    }

    #[test]
    fn engines_and_families_come_in_pairs() {
        let pair = As { engine: "stagedag".into(), other: "spark".into() };
        assert_eq!("stagedag=spark".parse::<As>(), Ok(pair));
        for text in ["stagedag", "=spark", "stagedag=", "a=b=c"] {
            assert_eq!(text.parse::<As>(), Err(CostValueError::As), "{text}");
        }
        assert_eq!("sql=1GiB".parse::<DataSize>().map(|d| d.bytes.get()), Ok(1 << 30));
        for text in ["sql", "sql=0", "graph=1GiB", "sql=much"] {
            assert_eq!(text.parse::<DataSize>(), Err(CostValueError::Data), "{text}");
        }
    }
}

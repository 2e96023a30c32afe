//! A price book: what a provider asks for, as data, each price with its date and its source.

mod linear;
mod parse;
mod raw;

pub use linear::NotLinear;
pub use parse::{BOOK_BYTES_MAX, BookError};

use super::unit::{Count, Currency, Range, Rate};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The books that are built in, by name, as their text.
const BUILT_IN: [(&str, &str); 3] = [
    ("aws", include_str!("../../prices/aws.toml")),
    ("azure", include_str!("../../prices/azure.toml")),
    ("gcp", include_str!("../../prices/gcp.toml")),
];
/// What is assumed where no book says otherwise.
const ASSUMPTIONS: &str = include_str!("../../prices/assumptions.toml");

/// The date of a price whose source bears none.
pub(super) const UNDATED: &str = "undated";

/// Names of the books that are built in.
#[must_use]
pub fn built_in_names() -> [&'static str; 3] {
    BUILT_IN.map(|(name, _)| name)
}

/// The text of a book that is built in.
#[must_use]
pub fn built_in(name: &str) -> Option<&'static str> {
    BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Where a number comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// Where it is written, such as `instance.m6i.large.on_demand`, or how it was measured.
    pub key: String,
    /// Since when it holds, such as `2026-07-20`; absent for what is measured, assumed or asked for.
    pub as_of: Option<String>,
    /// Who says so.
    pub source: String,
}

/// A number of the model, or the key that nobody gave a number for.
#[derive(Clone, Debug, PartialEq)]
pub enum Known<T> {
    /// Low, base, high.
    Range(Range<T>, Provenance),
    /// Nobody says.
    Unknown(Unknown),
}

/// A number that nobody says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unknown {
    /// Where it would be written.
    pub key: String,
    /// Why it is not known, in the book's words; may be empty.
    pub why: String,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown: give a rate in your price book under {}", self.key)?;
        if self.why.is_empty() { Ok(()) } else { write!(f, " ({})", self.why) }
    }
}

/// One price as the book has it; its unit is that of its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// None where it is unknown.
    pub(super) range: Option<Range<f64>>,
    pub(super) why: String,
    pub(super) from: Provenance,
}

impl Entry {
    fn missing(key: String) -> Self {
        let from = Provenance { key, as_of: None, source: String::new() };
        Self { range: None, why: String::new(), from }
    }

    pub(super) fn unknown(&self) -> Unknown {
        Unknown { key: self.from.key.clone(), why: self.why.clone() }
    }
}

/// How an instance is bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purchase {
    /// By the second, as long as one likes.
    OnDemand,
    /// Spare capacity that may be taken away.
    Spot,
    /// Paid for in advance, or promised for a year or more.
    Committed,
}

impl Purchase {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::OnDemand, Self::Spot, Self::Committed];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnDemand => "on demand",
            Self::Spot => "spot",
            Self::Committed => "committed",
        }
    }
}

/// A type of machine for rent.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    pub(super) name: String,
    pub(super) vcpus: u32,
    pub(super) memory_gib: f64,
    pub(super) arch: String,
    pub(super) gpus: u32,
    pub(super) local_disk_gb: f64,
    pub(super) hourly: BTreeMap<Purchase, Entry>,
}

impl Instance {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its logical cores.
    #[must_use]
    pub const fn vcpus(&self) -> u32 {
        self.vcpus
    }

    /// What an hour of it costs.
    #[must_use]
    pub fn hourly(&self, purchase: Purchase) -> Option<Range<Rate<super::unit::Hours>>> {
        self.hourly.get(&purchase)?.range.map(|range| range.map(Rate::of))
    }

    pub(super) fn entry(&self, purchase: Purchase) -> Entry {
        let key = || format!("instance.{}.{}", self.name, purchase.name().replace(' ', "_"));
        self.hourly.get(&purchase).cloned().unwrap_or_else(|| Entry::missing(key()))
    }
}

/// A platform that runs engines on instances that are paid for besides.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Managed {
    pub(super) name: String,
    pub(super) engines: Vec<String>,
    /// A share of the instance's price.
    pub(super) uplift: Option<Entry>,
    /// Per unit and hour, with the units of a vCPU.
    pub(super) units: Option<(Entry, Entry)>,
}

/// A platform that bills what a job holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Serverless {
    pub(super) name: String,
    pub(super) engines: Vec<String>,
    pub(super) vcpu_hour: Option<Entry>,
    pub(super) gb_hour: Option<Entry>,
    pub(super) unit_hour: Option<Entry>,
    pub(super) units_per_vcpu: f64,
    pub(super) units_per_gb: f64,
    /// Memory of a unit, where a unit is cores with memory.
    pub(super) gb_per_unit: Option<f64>,
    pub(super) minimum_units: f64,
    pub(super) minimum_s: f64,
}

/// What someone who runs an engine earns in a year.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Salary {
    pub(super) role: String,
    pub(super) engines: Vec<String>,
    pub(super) per_year: Entry,
}

/// A price book that was read and checked.
///
/// Invariants: every price is finite, not negative and at most 10^12, low to high ascend, names are unique, and types of one series cost the
/// same per vCPU.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceBook {
    pub(super) name: String,
    pub(super) provider: String,
    pub(super) region: String,
    pub(super) currency: Currency,
    pub(super) instances: Vec<Instance>,
    pub(super) rates: BTreeMap<&'static str, Entry>,
    pub(super) assumptions: BTreeMap<String, Entry>,
    pub(super) managed: Vec<Managed>,
    pub(super) serverless: Vec<Serverless>,
    pub(super) salaries: Vec<Salary>,
}

/// What a machine for rent must have.
#[derive(Clone, Debug, PartialEq)]
pub struct Needs {
    /// The instruction set, such as `x86_64`.
    pub arch: String,
    /// Logical cores.
    pub vcpus: Count,
    /// Memory in GiB; none where nobody knows.
    pub memory_gib: Option<Count>,
}

impl PriceBook {
    /// Reads a book from its text.
    ///
    /// # Errors
    /// Text that is no price book, with the place and what would be right.
    pub fn parse(text: &str) -> Result<Self, BookError> {
        parse::book(text)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its amounts are in.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// The type of that name.
    #[must_use]
    pub fn instance(&self, name: &str) -> Option<&Instance> {
        self.instances.iter().find(|i| i.name == name)
    }

    /// The types' names, as they are in the book.
    pub fn instance_names(&self) -> impl Iterator<Item = &str> {
        self.instances.iter().map(Instance::name)
    }

    /// The type without accelerators that has what is needed and costs least on demand; the first in the book of several.
    #[must_use]
    pub fn smallest(&self, needs: &Needs) -> Option<&Instance> {
        let enough = |i: &&Instance| {
            let memory = needs.memory_gib.is_none_or(|gib| i.memory_gib >= gib.get());
            i.gpus == 0 && i.arch == needs.arch && f64::from(i.vcpus) >= needs.vcpus.get() && memory
        };
        let price = |i: &Instance| i.entry(Purchase::OnDemand).range.map_or(f64::INFINITY, |r| r.base);
        self.instances.iter().filter(enough).min_by(|a, b| price(a).total_cmp(&price(b)))
    }
}

#[cfg(test)]
mod tests;

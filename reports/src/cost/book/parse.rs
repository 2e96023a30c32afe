//! TOML to a [`PriceBook`]. Whatever the text, there is a book or an error, never a panic.

use super::linear::{self, NotLinear};
use super::raw::{
    RawAssumption, RawAssumptions, RawBook, RawEntry, RawInstance, RawManaged, RawRates, RawSalary, RawServerless,
    RawSource,
};
use super::{ASSUMPTIONS, Entry, Instance, Managed, PriceBook, Provenance, Purchase, Salary, Serverless, UNDATED};
use crate::cost::unit::{CurrencyError, Range};
use std::collections::{BTreeMap, BTreeSet};

/// The largest book that is read.
pub const BOOK_BYTES_MAX: usize = 1 << 20;
/// The largest number of a book: sums of such numbers stay finite.
const NUMBER_MAX: f64 = 1e12;
/// The version of the format.
const SCHEMA: u32 = 1;
/// Where nothing is written about the instruction set.
const ARCH: &str = "x86_64";

/// Why a text is no price book.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BookError {
    /// More than [`BOOK_BYTES_MAX`].
    #[error("larger than {BOOK_BYTES_MAX} bytes; a price book names only the types that you would rent")]
    TooLarge,
    /// Not TOML, or not these fields.
    #[error("{0}")]
    Toml(String),
    /// Of a later version.
    #[error("schema {0} is not known; this program reads schema {SCHEMA}")]
    Schema(u32),
    /// A number that cannot be a price.
    #[error("`{key}`: {value} is no price; give a finite number that is not negative")]
    NotAPrice {
        /// Where.
        key: String,
        /// What was given.
        value: f64,
    },
    /// A number above 10^12, which is no price in any currency.
    #[error("`{key}`: {value:e} is too large; give a number of at most {NUMBER_MAX:e}")]
    TooHigh {
        /// Where.
        key: String,
        /// What was given.
        value: f64,
    },
    /// Numbers in the wrong order.
    #[error("`{0}`: low, base and high must ascend")]
    Order(String),
    /// Not one way of saying what it costs.
    #[error("`{0}`: give `price`, or `low` and `high` (and `base`), or `unknown = \"why\"`")]
    Shape(String),
    /// A date that is none.
    #[error("`{key}`: as_of `{given}` is no date; give YYYY-MM-DD, YYYY-MM, YYYY or undated")]
    Date {
        /// Where.
        key: String,
        /// What was given.
        given: String,
    },
    /// A source that is not described.
    #[error("`{key}`: source `{given}` is not in the book; add [source.{given}] with `what`")]
    Source {
        /// Where.
        key: String,
        /// What was given.
        given: String,
    },
    /// A name twice, or none.
    #[error("{kind} `{name}` is in the book twice; leave one of them out")]
    Twice {
        /// What has the name.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A type that no machine can be.
    #[error("instance `{0}` must have at least one vCPU and a positive amount of memory")]
    NoMachine(String),
    /// A platform without a price.
    #[error("{kind} `{name}` has no price; give {wanted}")]
    NoPrice {
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What would be one.
        wanted: &'static str,
    },
    /// An assumption that the model does not make.
    #[error("assumption `{given}` does not exist; the model assumes {known}")]
    NoAssumption {
        /// What was given.
        given: String,
        /// What there is.
        known: String,
    },
    /// The currency.
    #[error("currency {0}")]
    Currency(#[from] CurrencyError),
    /// A row of another list.
    #[error(transparent)]
    NotLinear(#[from] NotLinear),
}

pub(super) fn book(text: &str) -> Result<PriceBook, BookError> {
    if text.len() > BOOK_BYTES_MAX {
        return Err(BookError::TooLarge);
    }
    let raw: RawBook = toml::from_str(text).map_err(|e| BookError::Toml(e.to_string().trim_end().to_owned()))?;
    if raw.schema != SCHEMA {
        return Err(BookError::Schema(raw.schema));
    }
    let reader = Reader { sources: raw.source };
    unique("instance", raw.instance.iter().map(|i| &i.name))?;
    unique("platform", raw.managed.iter().map(|m| &m.name).chain(raw.serverless.iter().map(|s| &s.name)))?;
    unique("salary", raw.salary.iter().map(|s| &s.role))?;
    let instances = raw.instance.into_iter().map(|i| reader.instance(i)).collect::<Result<Vec<_>, _>>()?;
    linear::check(&instances)?;
    Ok(PriceBook {
        name: raw.name,
        provider: raw.provider,
        region: raw.region,
        currency: raw.currency.parse()?,
        instances,
        rates: reader.rates(raw.rates)?,
        assumptions: assumptions(raw.assumption)?,
        managed: raw.managed.into_iter().map(|m| reader.managed(m)).collect::<Result<_, _>>()?,
        serverless: raw.serverless.into_iter().map(|s| reader.serverless(s)).collect::<Result<_, _>>()?,
        salaries: raw.salary.into_iter().map(|s| reader.salary(s)).collect::<Result<_, _>>()?,
    })
}

fn unique<'a>(kind: &'static str, names: impl Iterator<Item = &'a String>) -> Result<(), BookError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(BookError::Twice { kind, name: name.clone() });
        }
    }
    Ok(())
}

/// What is assumed: the book's own values over the built-in ones.
fn assumptions(own: BTreeMap<String, RawAssumption>) -> Result<BTreeMap<String, Entry>, BookError> {
    let defaults: RawAssumptions = toml::from_str(ASSUMPTIONS).map_err(|e| BookError::Toml(e.to_string()))?;
    let mut all = defaults.assumption;
    for (key, value) in own {
        if !all.contains_key(&key) {
            let known = all.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(BookError::NoAssumption { given: key, known });
        }
        all.insert(key, value);
    }
    let entry = |(key, raw): (String, RawAssumption)| {
        let place = format!("assumption.{key}");
        let range = ascending(&place, [raw.low, raw.base, raw.high])?;
        let source = format!("{} ({})", raw.source, raw.what);
        let from = Provenance { key: place, as_of: None, source };
        Ok((key, Entry { range: Some(range), why: String::new(), from }))
    };
    all.into_iter().map(entry).collect()
}

fn ascending(key: &str, values: [f64; 3]) -> Result<Range<f64>, BookError> {
    for value in values {
        checked(key, value)?;
    }
    let [low, base, high] = values;
    Range::new(low, base, high).ok_or_else(|| BookError::Order(key.to_owned()))
}

fn checked(key: &str, value: f64) -> Result<f64, BookError> {
    if !value.is_finite() || value < 0.0 {
        return Err(BookError::NotAPrice { key: key.to_owned(), value });
    }
    if value > NUMBER_MAX { Err(BookError::TooHigh { key: key.to_owned(), value }) } else { Ok(value) }
}

fn is_date(text: &str) -> bool {
    let number = |part: &str, len: usize, most: u32| {
        let value = part.parse::<u32>().ok().filter(|_| part.len() == len && part.bytes().all(|b| b.is_ascii_digit()));
        value.is_some_and(|v| (1..=most).contains(&v))
    };
    match text.split('-').collect::<Vec<_>>().as_slice() {
        [UNDATED] => true,
        [year] => number(year, 4, 9999),
        [year, month] => number(year, 4, 9999) && number(month, 2, 12),
        [year, month, day] => number(year, 4, 9999) && number(month, 2, 12) && number(day, 2, 31),
        _ => false,
    }
}

struct Reader {
    sources: BTreeMap<String, RawSource>,
}

impl Reader {
    fn entry(&self, key: String, raw: RawEntry) -> Result<Entry, BookError> {
        if !is_date(&raw.as_of) {
            return Err(BookError::Date { key, given: raw.as_of });
        }
        let Some(source) = self.sources.get(&raw.source) else {
            return Err(BookError::Source { key, given: raw.source });
        };
        let range = match (raw.price, raw.low, raw.base, raw.high, &raw.unknown) {
            (Some(price), None, None, None, None) => Some(ascending(&key, [price; 3])?),
            (None, Some(low), base, Some(high), None) => {
                Some(ascending(&key, [low, base.unwrap_or_else(|| f64::midpoint(low, high)), high])?)
            }
            (None, None, None, None, Some(_)) => None,
            _ => return Err(BookError::Shape(key)),
        };
        let note = raw.note.map(|n| format!("; {n}")).unwrap_or_default();
        let from = Provenance { key, as_of: Some(raw.as_of), source: format!("{}{note}", source.what) };
        Ok(Entry { range, why: raw.unknown.unwrap_or_default(), from })
    }

    fn optional(&self, key: String, raw: Option<RawEntry>) -> Result<Option<Entry>, BookError> {
        raw.map(|raw| self.entry(key, raw)).transpose()
    }

    fn instance(&self, raw: RawInstance) -> Result<Instance, BookError> {
        let key = |what: &str| format!("instance.{}.{what}", raw.name);
        if raw.vcpus == 0 || !(raw.memory_gib.is_finite() && raw.memory_gib > 0.0) {
            return Err(BookError::NoMachine(raw.name));
        }
        let memory_gib = checked(&key("memory_gib"), raw.memory_gib)?;
        let local_disk_gb = checked(&key("local_disk_gb"), raw.local_disk_gb)?;
        let prices = [
            (Purchase::OnDemand, Some(raw.on_demand)),
            (Purchase::Spot, raw.spot),
            (Purchase::Committed, raw.committed),
        ];
        let mut hourly = BTreeMap::new();
        for (purchase, price) in prices {
            if let Some(entry) = self.optional(key(&purchase.name().replace(' ', "_")), price)? {
                hourly.insert(purchase, entry);
            }
        }
        Ok(Instance {
            vcpus: raw.vcpus,
            memory_gib,
            arch: raw.arch.unwrap_or_else(|| ARCH.to_owned()),
            gpus: raw.gpus,
            local_disk_gb,
            hourly,
            name: raw.name,
        })
    }

    fn rates(&self, raw: RawRates) -> Result<BTreeMap<&'static str, Entry>, BookError> {
        let all = [
            ("storage_gb_month", raw.storage_gb_month),
            ("put_per_1000", raw.put_per_1000),
            ("get_per_1000", raw.get_per_1000),
            ("egress_gb", raw.egress_gb),
            ("cross_zone_gb", raw.cross_zone_gb),
            ("disk_gb_month", raw.disk_gb_month),
        ];
        all.into_iter().map(|(name, raw)| Ok((name, self.entry(format!("rates.{name}"), raw)?))).collect()
    }

    fn managed(&self, raw: RawManaged) -> Result<Managed, BookError> {
        let key = |what: &str| format!("managed.{}.{what}", raw.name);
        let uplift = self.optional(key("uplift_share"), raw.uplift_share)?;
        let per_hour = self.optional(key("unit_hour"), raw.unit_hour)?;
        let per_vcpu = self.optional(key("units_per_vcpu"), raw.units_per_vcpu)?;
        let is_half = per_hour.is_some() != per_vcpu.is_some();
        let units = per_hour.zip(per_vcpu);
        if is_half || uplift.is_none() && units.is_none() {
            let wanted = "`uplift_share`, or `unit_hour` with `units_per_vcpu`";
            return Err(BookError::NoPrice { kind: "managed", name: raw.name, wanted });
        }
        Ok(Managed { name: raw.name, engines: raw.engines, uplift, units })
    }

    fn serverless(&self, raw: RawServerless) -> Result<Serverless, BookError> {
        let key = |what: &str| format!("serverless.{}.{what}", raw.name);
        let made = Serverless {
            vcpu_hour: self.optional(key("vcpu_hour"), raw.vcpu_hour)?,
            gb_hour: self.optional(key("gb_hour"), raw.gb_hour)?,
            unit_hour: self.optional(key("unit_hour"), raw.unit_hour)?,
            units_per_vcpu: checked(&key("units_per_vcpu"), raw.units_per_vcpu)?,
            units_per_gb: checked(&key("units_per_gb"), raw.units_per_gb)?,
            gb_per_unit: raw.gb_per_unit.map(|gb| checked(&key("gb_per_unit"), gb)).transpose()?.filter(|gb| *gb > 0.0),
            minimum_units: checked(&key("minimum_units"), raw.minimum_units)?,
            minimum_s: checked(&key("minimum_s"), raw.minimum_s)?,
            engines: raw.engines,
            name: raw.name.clone(),
        };
        if made.vcpu_hour.is_none() && made.gb_hour.is_none() && made.unit_hour.is_none() {
            let wanted = "`vcpu_hour`, `gb_hour` or `unit_hour`";
            return Err(BookError::NoPrice { kind: "serverless", name: raw.name, wanted });
        }
        // A price of units of which a job takes none would make a platform free.
        let counts = [made.units_per_vcpu, made.units_per_gb, made.minimum_units];
        if made.unit_hour.is_some() && counts.iter().all(|count| *count == 0.0) && made.gb_per_unit.is_none() {
            let wanted = "with `unit_hour` also `units_per_vcpu`, `units_per_gb`, `gb_per_unit` or `minimum_units`";
            return Err(BookError::NoPrice { kind: "serverless", name: raw.name, wanted });
        }
        Ok(made)
    }

    fn salary(&self, raw: RawSalary) -> Result<Salary, BookError> {
        let per_year = self.entry(format!("salary.{}.per_year", raw.role), raw.per_year)?;
        Ok(Salary { role: raw.role, engines: raw.engines, per_year })
    }
}

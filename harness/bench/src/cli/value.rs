//! Values of flags. Each type accepts only what can work, so that no command checks again.

use bench_model::{Bytes, Family, parse_bytes};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// Why a value is refused, and what would be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValueError {
    /// Not a whole number within bounds.
    #[error("give a whole number from {low} to {high}")]
    Count {
        /// The smallest accepted.
        low: u32,
        /// The largest accepted.
        high: u32,
    },
    /// A time without a number, without a unit, or out of bounds.
    #[error("give a number with a unit (ms, s, m or h) between 1ms and 168h, such as 30s or 5m")]
    Time,
    /// Not a size.
    #[error("give a size such as 512MiB or 4GiB")]
    Size,
    /// A size no engine can start with.
    #[error("{given} is too little for any engine to start; give at least {least}")]
    TooSmall {
        /// What was given.
        given: Bytes,
        /// The smallest accepted.
        least: Bytes,
    },
    /// Not a kind of cluster.
    #[error("give local, processes, emulated, or a hosts file that ends in .toml")]
    Cluster,
    /// Not limits of a node.
    #[error("give limits such as cpu=0.4,memory=2GiB,link=1000: cores, at least 64MiB, Mbit/s")]
    Limits,
    /// Less CPU time than the kernel can grant.
    #[error("a node can be limited to at least 0.05 cores; give more nodes or work instead of less CPU")]
    LimitsCpu,
    /// Neither a seed nor a row of seeds.
    #[error("give a number, or a row of at most 1000 such as 1..20")]
    Seeds,
    /// Not a product with an address.
    #[error("give NAME=ADDRESS, such as spark=spark://host:7077; `bench engines list` shows the products")]
    Attach,
    /// An address with a secret in it.
    #[error(
        "an address goes into the record, so it may hold no token, password or other parameter; connect through a tunnel that adds them"
    )]
    Secret,
    /// Not a setting.
    #[error("give ENGINE.KEY=VALUE, such as stagedag.speculation=off; `bench list engines` shows every key")]
    Setting,
    /// Not a scale.
    #[error("give a number above 0 and up to 100000, such as 0.01 or 10")]
    Scale,
    /// Not a share.
    #[error("give a number from 0 to 0.5 in steps of 0.01, such as 0.05")]
    Share,
}

macro_rules! count {
    ($(#[$doc:meta])* $name:ident, $high:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct $name(NonZeroU32);

        impl $name {
            /// The number, at least 1.
            pub(crate) const fn get(self) -> u32 {
                self.0.get()
            }
        }
        impl FromStr for $name {
            type Err = ValueError;
            fn from_str(text: &str) -> Result<Self, ValueError> {
                let number = text.parse::<NonZeroU32>().ok().filter(|n| n.get() <= $high);
                number.map(Self).ok_or(ValueError::Count { low: 1, high: $high })
            }
        }
    };
}

count!(
    /// How many tasks an engine runs at a time.
    Slots,
    1024
);
count!(
    /// How often each case is measured.
    Trials,
    1000
);

/// The longest a trial may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timeout(Duration);

impl Timeout {
    const LONGEST: Duration = Duration::from_secs(168 * 3600);

    /// As a standard duration, at least one millisecond.
    pub(crate) const fn get(self) -> Duration {
        self.0
    }
}

impl FromStr for Timeout {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or(ValueError::Time)?;
        let (number, unit) = text.split_at(unit_at);
        let number = number.parse::<u64>().map_err(|_| ValueError::Time)?;
        let millis = match unit {
            "ms" => Some(1),
            "s" => Some(1_000),
            "m" | "min" => Some(60_000),
            "h" => Some(3_600_000),
            _ => None,
        };
        let millis = millis.and_then(|scale: u64| number.checked_mul(scale)).filter(|&ms| ms > 0);
        let time = Duration::from_millis(millis.ok_or(ValueError::Time)?);
        if time <= Self::LONGEST { Ok(Self(time)) } else { Err(ValueError::Time) }
    }
}

/// How much memory an engine may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemoryLimit(Bytes);

impl MemoryLimit {
    /// Below this, an engine cannot even hold one batch per slot.
    const LEAST: Bytes = Bytes::new(16 << 20);

    /// As bytes.
    pub(crate) const fn get(self) -> Bytes {
        self.0
    }
}

impl FromStr for MemoryLimit {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let given = parse_bytes(text).ok_or(ValueError::Size)?;
        if given >= Self::LEAST { Ok(Self(given)) } else { Err(ValueError::TooSmall { given, least: Self::LEAST }) }
    }
}

/// One switch of one engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The engine it is for.
    pub(crate) engine: String,
    /// The switch.
    pub(crate) key: String,
    /// Its new value, checked against the switch's type when the engine is known.
    pub(crate) value: String,
}

impl FromStr for Setting {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (path, value) = text.split_once('=').ok_or(ValueError::Setting)?;
        let (engine, key) = path.split_once('.').ok_or(ValueError::Setting)?;
        if [engine, key, value].iter().any(|part| part.trim().is_empty()) {
            return Err(ValueError::Setting);
        }
        Ok(Self { engine: engine.trim().to_owned(), key: key.trim().to_owned(), value: value.trim().to_owned() })
    }
}

/// How large generated tables are; 1 stands for a gigabyte of text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale(f64);

impl Scale {
    /// The factor, finite and above zero.
    pub(crate) const fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Scale {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let factor = text.parse::<f64>().ok().filter(|f| *f > 0.0 && *f <= 100_000.0);
        factor.map(Self).ok_or(ValueError::Scale)
    }
}

/// A share of a whole, in whole percent up to a half: names of table sets carry it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share(f64);

impl Share {
    /// The share, from 0 to 0.5.
    pub(crate) const fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Share {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let whole_percent = |share: &f64| (share * 100.0 - (share * 100.0).round()).abs() < 1e-9;
        let share = text.parse::<f64>().ok().filter(|s| (0.0..=0.5).contains(s)).filter(whole_percent);
        share.map(Self).ok_or(ValueError::Share)
    }
}

/// Parses a family's name; the help lists them.
pub(crate) fn family_parser() -> impl TypedValueParser<Value = Family> {
    PossibleValuesParser::new(Family::ALL.map(Family::name))
        .try_map(|name| Family::ALL.into_iter().find(|f| f.name() == name).ok_or("unknown family"))
}

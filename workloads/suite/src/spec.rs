//! What a dataset is, before it exists: a kind, a scale, and a name that says both.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The tables of one kind at one scale. Equal specs always give equal rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum DatasetSpec {
    /// The eight tables derived from TPC-H.
    Tpch(Tpch),
    /// One wide table to group and four to join, in the shape of the db-benchmark.
    Groupby(Groupby),
}

/// The scale of the TPC-H tables.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tpch {
    /// Gigabytes of raw text, as the TPC-H specification counts them.
    pub scale_factor: f64,
}

/// The scale and the shape of the group-by and join tables.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Groupby {
    /// Rows of the table `groupby`. The join tables `x` and `big` have half as many.
    pub rows: u64,
    /// How keys are distributed.
    #[serde(default)]
    pub skew: Skew,
    /// Share of NULLs in each column of `groupby` and in each key of `x`, in percent.
    #[serde(default)]
    pub null_percent: u8,
    /// What the values are drawn from.
    #[serde(default = "Groupby::default_seed")]
    pub seed: u64,
}

/// How often each key occurs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Skew {
    /// Every key equally often.
    #[default]
    #[serde(rename = "uniform")]
    Uniform,
    /// The k-th most frequent key in proportion to `k^-0.8`.
    #[serde(rename = "zipf0.8")]
    Zipf08,
    /// The k-th most frequent key in proportion to `k^-1.2`.
    #[serde(rename = "zipf1.2")]
    Zipf12,
    /// One key has half of all rows; the others share the rest equally.
    #[serde(rename = "hot")]
    Hot,
}

/// Why a spec is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The name follows no known pattern.
    #[error(
        "`{0}` names no dataset; names look like `tpch-sf1` or `groupby-n10000000-zipf1.2-nulls5-seed7` \
         (skew: zipf0.8, zipf1.2, hot)"
    )]
    Name(String),
    /// The scale factor is outside what can be generated.
    #[error("scale factor {given} is out of range; it must be between 0.001 and 100000 with at most 6 decimals")]
    ScaleFactor {
        /// What was asked for.
        given: String,
    },
    /// The row count is outside what can be generated.
    #[error("{given} rows is out of range; the group-by table takes between 1000 and 1000000000000")]
    RowCount {
        /// What was asked for.
        given: u64,
    },
    /// More NULLs than values.
    #[error("a NULL share of {given} % is out of range; it must be between 0 and 50")]
    NullShare {
        /// What was asked for.
        given: u8,
    },
}

impl Groupby {
    /// The seed of sets whose name does not mention one.
    pub const DEFAULT_SEED: u64 = 1;

    const fn default_seed() -> u64 {
        Self::DEFAULT_SEED
    }

    /// Uniform keys, no NULLs, the default seed.
    #[must_use]
    pub const fn uniform(rows: u64) -> Self {
        Self { rows, skew: Skew::Uniform, null_percent: 0, seed: Self::DEFAULT_SEED }
    }
}

impl Skew {
    const ALL: [Self; 4] = [Self::Uniform, Self::Zipf08, Self::Zipf12, Self::Hot];

    /// Its name in dataset names, TOML and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Zipf08 => "zipf0.8",
            Self::Zipf12 => "zipf1.2",
            Self::Hot => "hot",
        }
    }
}

impl DatasetSpec {
    /// `tpch` or `groupby`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Tpch(_) => "tpch",
            Self::Groupby(_) => "groupby",
        }
    }

    /// The scale as people say it: `sf1`, `n10000000`.
    #[must_use]
    pub fn scale(&self) -> String {
        match self {
            Self::Tpch(t) => format!("sf{}", t.scale_factor),
            Self::Groupby(g) => format!("n{}", g.rows),
        }
    }

    /// The same kind of set with so many times as much of it.
    #[must_use]
    pub fn scaled(&self, times: u32) -> Self {
        match self {
            // Whole millionths: a product in binary would have digits that nobody asked for in its name.
            Self::Tpch(t) => Self::Tpch(Tpch { scale_factor: (t.scale_factor * 1e6).round() * f64::from(times) / 1e6 }),
            Self::Groupby(g) => Self::Groupby(Groupby { rows: g.rows.saturating_mul(times.into()), ..*g }),
        }
    }

    /// The name of the set and of its folder, such as `tpch-sf1`. Parsing it gives the spec back.
    #[must_use]
    pub fn name(&self) -> String {
        self.to_string()
    }

    /// Bytes of raw text that the tables stand for: how the scale of a suite is counted.
    ///
    /// TPC-H: the scale factor in gigabytes. Group-by and join: 50 bytes a row, which is what a row of any wide table
    /// takes as comma-separated text.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        match self {
            Self::Tpch(t) => (t.scale_factor * 1e9) as u64,
            Self::Groupby(g) => g.rows.saturating_mul(2 * 50),
        }
    }

    /// About how many bytes the Parquet files take, measured at 1 GB of raw text and rounded up by a tenth.
    #[must_use]
    pub fn disk_bytes_estimate(&self) -> u64 {
        let share = match self {
            Self::Tpch(_) => 0.37,
            Self::Groupby(_) => 0.54,
        };
        (self.raw_bytes() as f64 * share) as u64 + (4 << 20)
    }

    /// Checks that the scale can be generated.
    ///
    /// # Errors
    /// Which number is out of which range.
    pub fn validate(&self) -> Result<(), SpecError> {
        match self {
            Self::Tpch(t) => {
                let sf = t.scale_factor;
                let micros = sf * 1e6;
                if (0.001..=100_000.0).contains(&sf) && (micros - micros.round()).abs() < 1e-3 {
                    Ok(())
                } else {
                    Err(SpecError::ScaleFactor { given: sf.to_string() })
                }
            }
            Self::Groupby(g) if !(1_000..=1_000_000_000_000).contains(&g.rows) => {
                Err(SpecError::RowCount { given: g.rows })
            }
            Self::Groupby(g) if g.null_percent > 50 => Err(SpecError::NullShare { given: g.null_percent }),
            Self::Groupby(_) => Ok(()),
        }
    }
}

impl fmt::Display for DatasetSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.kind(), self.scale())?;
        if let Self::Groupby(g) = self {
            if g.skew != Skew::Uniform {
                write!(f, "-{}", g.skew.name())?;
            }
            if g.null_percent > 0 {
                write!(f, "-nulls{}", g.null_percent)?;
            }
            if g.seed != Groupby::DEFAULT_SEED {
                write!(f, "-seed{}", g.seed)?;
            }
        }
        Ok(())
    }
}

impl FromStr for DatasetSpec {
    type Err = SpecError;

    fn from_str(name: &str) -> Result<Self, SpecError> {
        let spec = parse(name).ok_or_else(|| SpecError::Name(name.to_owned()))?;
        spec.validate()?;
        // One name per set: `tpch-sf1.0` is a different folder with the same rows, so it is refused.
        if spec.name() == name { Ok(spec) } else { Err(SpecError::Name(name.to_owned())) }
    }
}

fn parse(name: &str) -> Option<DatasetSpec> {
    let (kind, rest) = name.split_once('-')?;
    match kind {
        "tpch" => {
            let scale_factor = rest.strip_prefix("sf")?.parse().ok()?;
            Some(DatasetSpec::Tpch(Tpch { scale_factor }))
        }
        "groupby" => {
            let mut words = rest.split('-');
            let mut set = Groupby::uniform(words.next()?.strip_prefix('n')?.parse().ok()?);
            for word in words {
                if let Some(skew) = Skew::ALL.into_iter().find(|s| s.name() == word) {
                    set.skew = skew;
                } else if let Some(share) = word.strip_prefix("nulls") {
                    set.null_percent = share.parse().ok()?;
                } else {
                    set.seed = word.strip_prefix("seed")?.parse().ok()?;
                }
            }
            Some(DatasetSpec::Groupby(set))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_spec() -> impl Strategy<Value = DatasetSpec> {
        let skew = prop::sample::select(Skew::ALL.to_vec());
        prop_oneof![
            (1u32..100_000_000).prop_map(|m| DatasetSpec::Tpch(Tpch { scale_factor: f64::from(m) / 1000.0 })),
            (1_000u64..=1_000_000_000_000, skew, 0u8..=50, any::<u64>()).prop_map(
                |(rows, skew, null_percent, seed)| { DatasetSpec::Groupby(Groupby { rows, skew, null_percent, seed }) }
            ),
        ]
    }

    proptest! {
        #[test]
        fn a_name_gives_its_spec_back(spec in any_spec()) {
            prop_assert_eq!(spec.name().parse(), Ok(spec));
        }

        #[test]
        fn a_scaled_set_keeps_its_kind_and_has_a_name_that_can_be_read_back(spec in any_spec(), times in 1u32..200) {
            let scaled = spec.scaled(times);
            let grown = scaled.raw_bytes() as f64 / (spec.raw_bytes() as f64 * f64::from(times));
            prop_assert!((grown - 1.0).abs() < 1e-3, "{} {}", spec, scaled);
            if scaled.validate().is_ok() {
                prop_assert_eq!(scaled.name().parse(), Ok(scaled));
            }
        }

        #[test]
        fn garbage_is_refused_without_panic(text in "(tpch|groupby)?-?(sf|n)?[0-9a-z.-]{0,24}") {
            if let Ok(spec) = text.parse::<DatasetSpec>() {
                prop_assert_eq!(spec.name(), text);
            }
        }
    }

    #[test]
    fn names_say_kind_scale_and_what_is_unusual() {
        let skewed = Groupby { skew: Skew::Zipf12, null_percent: 5, ..Groupby::uniform(10_000_000) };
        assert_eq!(DatasetSpec::Groupby(skewed).name(), "groupby-n10000000-zipf1.2-nulls5");
        assert_eq!(DatasetSpec::Tpch(Tpch { scale_factor: 0.01 }).name(), "tpch-sf0.01");
    }

    #[test]
    fn absurd_scales_say_what_is_possible() {
        let sf = "tpch-sf0.0000001".parse::<DatasetSpec>().map_err(|e| e.to_string());
        let range = "it must be between 0.001 and 100000 with at most 6 decimals";
        assert_eq!(sf, Err(format!("scale factor 0.0000001 is out of range; {range}")));
        assert!("tpch-sfNaN".parse::<DatasetSpec>().is_err());
        assert!("groupby-n7".parse::<DatasetSpec>().is_err());
    }
}

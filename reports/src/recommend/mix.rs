//! What is to be run, how much of it is which family.

use std::collections::BTreeMap;
use std::str::FromStr;

/// Families that a mix may name: those of recorded runs, and those that no version records yet.
const FAMILIES: [&str; 5] = ["sql", "dataframe", "training", "streaming", "overhead"];

/// Refuses what no mix can have.
pub(crate) fn check_family(name: &str) -> Result<(), MixError> {
    if FAMILIES.contains(&name) { Ok(()) } else { Err(MixError::Family(name.to_owned())) }
}

/// Shares of families, above 0, that sum to 1. By name.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix(BTreeMap<String, f64>);

/// Text that is no mix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MixError {
    /// Not of the form.
    #[error("give families with their weights, such as sql=40,dataframe=60")]
    Form,
    /// Not a family.
    #[error("`{given}` is no family; a mix can have {known}", given = .0.escape_debug(), known = FAMILIES.join(", "))]
    Family(String),
    /// Not a weight.
    #[error("the weight of {0} must be a number above 0; leave a family without weight out")]
    Weight(String),
    /// There twice.
    #[error("{0} is in the mix twice; give it once, with the sum of its weights")]
    Twice(String),
}

impl FromStr for Mix {
    type Err = MixError;

    fn from_str(text: &str) -> Result<Self, MixError> {
        let mut weights = BTreeMap::new();
        for part in text.split(',') {
            let (family, weight) = part.split_once('=').ok_or(MixError::Form)?;
            let family = family.trim();
            check_family(family)?;
            let weight = weight.trim().parse::<f64>().ok().filter(|w| *w > 0.0 && *w <= 1e9);
            let weight = weight.ok_or_else(|| MixError::Weight(family.to_owned()))?;
            if weights.insert(family.to_owned(), weight).is_some() {
                return Err(MixError::Twice(family.to_owned()));
            }
        }
        let sum: f64 = weights.values().sum();
        weights.values_mut().for_each(|w| *w /= sum);
        Ok(Self(weights))
    }
}

impl Mix {
    /// Families with their shares, by name.
    pub fn shares(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(family, share)| (family.as_str(), *share))
    }

    /// Whether a family is in it.
    #[must_use]
    pub fn has(&self, family: &str) -> bool {
        self.0.contains_key(family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn weights_become_shares() {
        let mix: Mix = "sql=40,training=40, streaming=20".parse().unwrap();
        let shares: Vec<_> = mix.shares().collect();
        assert_eq!(shares, [("sql", 0.4), ("streaming", 0.2), ("training", 0.4)]);
        assert!(mix.has("sql") && !mix.has("dataframe"));
    }

    #[test]
    fn what_is_no_mix_is_refused_with_what_would_be_one() {
        let refused = |text: &str| text.parse::<Mix>().unwrap_err().to_string();
        insta::assert_snapshot!(refused("sql"), @"give families with their weights, such as sql=40,dataframe=60");
        insta::assert_snapshot!(refused("graph=1"), @"`graph` is no family; a mix can have sql, dataframe, training, streaming, overhead");
        insta::assert_snapshot!(refused("sql=0"), @"the weight of sql must be a number above 0; leave a family without weight out");
        insta::assert_snapshot!(refused("sql=1,sql=2"), @"sql is in the mix twice; give it once, with the sum of its weights");
        for weight in ["-1", "nan", "inf", "", "x", "1e300"] {
            assert!(matches!(format!("sql={weight}").parse::<Mix>(), Err(MixError::Weight(_))), "{weight}");
        }
    }

    proptest! {
        #[test]
        fn shares_sum_to_one_whatever_the_weights(a in 1e-6f64..1e9, b in 1e-6f64..1e9) {
            let mix: Mix = format!("sql={a},dataframe={b}").parse().unwrap();
            prop_assert!((mix.shares().map(|(_, s)| s).sum::<f64>() - 1.0).abs() < 1e-9);
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = text.parse::<Mix>();
        }
    }
}

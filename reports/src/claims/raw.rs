//! A test as it is written: each relation has a key, and exactly one of them is there.

use super::file::{self, At, Relation, Tier};
use super::metric::{Metric, Unit};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// As [`file::Test`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Test {
    reading: Spanned<String>,
    metric: Metric,
    family: String,
    #[serde(default = "everything")]
    workloads: Vec<String>,
    cases: usize,
    #[serde(default)]
    at: At,
    #[serde(default)]
    stated: BTreeMap<String, f64>,
    less: Option<Vec<Tier>>,
    winner: Option<Winner>,
    ratio: Option<Ratio>,
    range: Option<Range>,
    completes: Option<Vec<String>>,
}

fn everything() -> Vec<String> {
    vec!["*".to_owned()]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Winner {
    of: String,
    among: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ratio {
    of: String,
    to: String,
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    of: String,
    low: f64,
    high: f64,
    unit: Unit,
}

impl TryFrom<Test> for file::Test {
    type Error = String;

    fn try_from(raw: Test) -> Result<Self, String> {
        let relations = [
            raw.less.map(Relation::Less),
            raw.winner.map(|Winner { of, among }| Relation::Winner { of, among }),
            raw.ratio.map(|Ratio { of, to, low, high }| Relation::Ratio { of, to, low, high }),
            raw.range.map(|Range { of, low, high, unit }| Relation::Range { of, low, high, unit }),
            raw.completes.map(Relation::Completes),
        ];
        let mut given = relations.into_iter().flatten();
        let (Some(relation), None) = (given.next(), given.next()) else {
            return Err("a test has exactly one of `less`, `winner`, `ratio`, `range` and `completes`".to_owned());
        };
        let Test { reading, metric, family, workloads, cases, at, stated, .. } = raw;
        Ok(Self { reading, metric, family, workloads, cases, at, stated, relation })
    }
}

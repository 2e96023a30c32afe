//! A test as it is written: each relation has a key, and exactly one of them is there.

use super::file::{self, At, Relation, Tier};
use super::metric::{Metric, Unit};
use bench_record::Family;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// As [`file::Test`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Test {
    reading: Spanned<String>,
    metric: Metric,
    family: Option<String>,
    workloads: Option<Vec<String>>,
    cases: Option<usize>,
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

/// Which workloads: what is written, or the figure of an engine that has nothing to do.
fn work(raw: &Test) -> Result<(String, Vec<String>, usize), String> {
    let (family, workloads, cases) = (raw.family.clone(), raw.workloads.clone(), raw.cases);
    match raw.metric.figure() {
        Some(_) if family.is_some() || workloads.is_some() || cases.is_some() => Err(format!(
            "{} is measured by `bench overhead` and needs no workload; leave out `family`, `workloads` and `cases`",
            raw.metric
        )),
        Some(figure) => Ok((Family::Overhead.name().to_owned(), vec![figure.name().to_owned()], 1)),
        None => Ok((
            family.ok_or("missing field `family`")?,
            workloads.unwrap_or_else(|| vec!["*".to_owned()]),
            cases.ok_or("missing field `cases`")?,
        )),
    }
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
        let (family, workloads, cases) = work(&raw)?;
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
        let Test { reading, metric, at, stated, .. } = raw;
        Ok(Self { reading, metric, family, workloads, cases, at, stated, relation })
    }
}

//! Claims held against recorded runs: what is cited, what decides, what only stands beside it.
//!
//! | module | idea |
//! |---|---|
//! | `products` | synthetic runs of products and styles |
//! | `cited` | the claims that come with the program, row by row |
//! | `costs` | claims on costs, at the prices of a book |
//! | `verdicts` | which evidence leads to which verdict |
//! | `footing` | what evidence has to rest on before it decides |
//! | `idle` | what products cost before they do any work |
//! | `files` | claims files that are refused, and how |
//! | `formats` | every format, whole, and nothing in it obeyed |

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "../fixture/mod.rs"]
mod fixture;
#[path = "../fixture/probed.rs"]
mod probed;
#[path = "../fixture/scenario.rs"]
mod scenario;

mod cited;
mod costs;
mod files;
mod footing;
mod formats;
mod idle;
mod products;
mod verdicts;

use bench_record::Run;
use bench_reports::claims::{AssessedClaim, ClaimsFile, ClaimsReport, assess};

/// Two queries on one machine: the claims that most tests are about.
const QUERIES: &str = r#"
schema = 1
[source]
title = "A table of numbers"
date = "2026-01"
[subject.ray]
name = "Ray"
engine = "ray"
style = "actor"
[subject.dask]
name = "Dask"
engine = "dask"
style = "taskgraph"
[subject.spark]
name = "Spark"
engine = "spark"
style = "stagedag"
[[claim]]
id = "order"
group = "Queries"
kind = "measurable"
text = "SQL"
says = { dask = "12", ray = "15", spark = "18" }
[[claim.test]]
reading = "Dask takes less time than Ray, and Ray less than Spark"
metric = "wall"
family = "sql"
cases = 2
at = { suites = ["1gb"], clusters = ["local"] }
stated = { dask = 12, ray = 15, spark = 18 }
less = ["dask", "ray", "spark"]
"#;

fn read(text: &str) -> ClaimsFile {
    ClaimsFile::read("claims.toml", text).unwrap()
}

fn assessed(text: &str, runs: &[Run]) -> ClaimsReport {
    assess(&[read(text)], runs).unwrap()
}

/// What becomes of the only claim.
fn only(text: &str, runs: &[Run]) -> AssessedClaim {
    let mut report = assessed(text, runs);
    assert_eq!((report.groups.len(), report.groups[0].claims.len()), (1, 1));
    report.groups.remove(0).claims.remove(0)
}

/// The claim with another relation in the place of `less`.
fn related(relation: &str) -> String {
    QUERIES.replace(r#"less = ["dask", "ray", "spark"]"#, relation)
}

//! Engines ranked for a mix of work: who leads, how sure that is, and what is missing.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "../fixture/mod.rs"]
mod fixture;

mod features;
mod formats;
mod grounds;
mod missing;
mod ranking;

use bench_record::{Arm, Case, Family, Observation, Run};
use bench_reports::claims::built_in;
use bench_reports::recommend::{Mix, Question, Recommendation, recommend};

/// Ten trials around a time.
fn trials(case: &Case, arm: Arm, wall_ms: f64) -> Vec<Observation> {
    let step = |i: u32| 1.0 + f64::from((i * 7) % 11) / 1000.0;
    (0..10).map(|i| fixture::completed(case, arm, i, wall_ms * step(i))).collect()
}

/// Two queries and two dataframe questions; each engine takes so many times as long on queries and on dataframes. The
/// first has an A/A arm.
fn observations(engines: &[(&str, f64, f64)]) -> Vec<Observation> {
    let mut all = Vec::new();
    for (i, (engine, sql, dataframe)) in engines.iter().enumerate() {
        for (family, workload, ms) in [
            (Family::Sql, "tpch-q01", 400.0 * sql),
            (Family::Sql, "tpch-q02", 100.0 * sql),
            (Family::Dataframe, "groupby-q01", 50.0 * dataframe),
            (Family::Dataframe, "sort", 70.0 * dataframe),
        ] {
            let case = fixture::case(family, workload, engine);
            all.extend(trials(&case, Arm::Main, ms));
            if i == 0 {
                all.extend(trials(&case, Arm::Twin, ms * 1.01));
            }
        }
    }
    all
}

fn run(observations: Vec<Observation>) -> Run {
    Run { path: "results/a".into(), observations, ..fixture::run() }
}

/// A question about nothing but a mix.
fn about(mix: &Mix) -> Question<'_> {
    const STYLES: &[&str] = &["actor", "taskgraph", "stagedag"];
    Question { mix, data_bytes: None, nodes: None, required: &[], pricing: None, styles: STYLES, text_bytes: None }
}

fn asked(mix: &str, runs: &[Run]) -> Recommendation {
    recommend(&about(&mix.parse().unwrap()), &built_in().unwrap(), runs).unwrap()
}

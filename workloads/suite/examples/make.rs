//! Makes one dataset and writes its questions as JSON, for `scripts/answers.py` and for timing generation alone.
//!
//! `cargo run --release -p bench-suite --example make -- ROOT NAME JOBS [QUESTIONS.json]`

use bench_suite::{DataStore, DatasetSpec, suites, workloads};
use std::collections::BTreeMap;
use std::error::Error;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [root, name, jobs, rest @ ..] = arguments.as_slice() else {
        return Err("usage: make ROOT NAME JOBS [QUESTIONS.json]".into());
    };
    let spec: DatasetSpec = name.parse()?;
    let jobs: NonZeroUsize = jobs.parse()?;
    let started = Instant::now();
    let manifest = DataStore::new(root).make(&spec, jobs, &(), &AtomicBool::new(false))?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{name}: {} rows, {} bytes, {seconds:.2} s", manifest.rows(), manifest.bytes());
    if let [file] = rest {
        write_questions(Path::new(file), name)?;
    }
    Ok(())
}

/// Writes the questions of the suite that reads this dataset, by workload.
fn write_questions(file: &Path, dataset: &str) -> Result<(), Box<dyn Error>> {
    let mut questions = BTreeMap::new();
    for suite in suites()? {
        for definition in workloads(&suite)? {
            if definition.workload.dataset.as_deref() == Some(dataset) {
                questions.insert(definition.workload.name, definition.oracle_sql);
            }
        }
    }
    std::fs::write(file, serde_json::to_vec_pretty(&questions)?)?;
    Ok(())
}

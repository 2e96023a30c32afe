//! Makes one dataset, for timing generation alone.
//!
//! `cargo run --release -p bench-suite --example make -- ROOT NAME JOBS`

use bench_suite::{DataStore, DatasetSpec};
use std::error::Error;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [root, name, jobs] = arguments.as_slice() else {
        return Err("usage: make ROOT NAME JOBS".into());
    };
    let spec: DatasetSpec = name.parse()?;
    let jobs: NonZeroUsize = jobs.parse()?;
    let started = Instant::now();
    let manifest = DataStore::new(root).make(&spec, jobs, &(), &AtomicBool::new(false))?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{name}: {} rows, {} bytes, {seconds:.2} s", manifest.rows(), manifest.bytes());
    Ok(())
}

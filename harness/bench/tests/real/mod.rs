//! What all installed products do together: right answers, nothing beyond this machine, limits that hold, time that is explained.
//!
//! `BENCH_ENGINES=FOLDER cargo test --release -p bench --test products -- --ignored real` with products that are installed there.

mod attached;
mod sockets;

use crate::killed::{alone, has, products};
use crate::program::Program;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Products with SQL, and products with dataframe programs.
const SQL: [&str; 7] = ["ballista", "dask", "datafusion-py", "duckdb", "polars", "sail", "spark"];
const FRAME: [&str; 9] =
    ["dask", "dask-datafusion", "datafusion-py", "duckdb", "polars", "ray", "ray-datafusion", "sail", "spark"];
/// How many workloads the families have.
const QUERIES: usize = 22;
const FRAMES: usize = 21;
/// By then the smoke suite has ended on all products, however slow the machine is.
const PATIENCE: Duration = Duration::from_secs(3600);
/// How often sockets are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The folder of products, and the names of those in it. Without any nothing is proved: that is said aloud, not passed over.
fn installed() -> (String, Vec<String>) {
    let folder = products();
    let all: BTreeSet<&str> = SQL.into_iter().chain(FRAME).collect();
    let is_there = |name: &&str| has(&folder, name);
    let names: Vec<String> = all.into_iter().filter(is_there).map(str::to_owned).collect();
    assert!(!names.is_empty(), "nothing is installed in {folder}: bench engines install all");
    (folder, names)
}

/// Those of `wanted` that are installed.
fn some_of(wanted: &[&str]) -> (String, Vec<String>) {
    let (folder, names) = installed();
    let names: Vec<String> = names.into_iter().filter(|name| wanted.contains(&name.as_str())).collect();
    assert!(!names.is_empty(), "none of {wanted:?} is installed in {folder}");
    (folder, names)
}

fn completed<'o>(observations: &'o [Value], engine: &str, family: &str) -> BTreeSet<&'o str> {
    let of = |o: &&Value| o["case"]["engine"] == engine && o["case"]["family"] == family && o["outcome"] == "completed";
    observations.iter().filter(of).map(|o| o["case"]["workload"].as_str().unwrap()).collect()
}

#[test]
#[ignore = "needs installed products: BENCH_ENGINES"]
fn every_product_answers_right_what_it_has_and_is_never_seen_to_talk_to_anybody_outside() {
    let _alone = alone();
    let (folder, names) = installed();
    let p = Program::new().with_own_data();
    let (engines, out) = (names.join(","), p.path("out"));
    let line = ["run", "--suite", "smoke", "--families", "sql,dataframe", "--trials", "1", "--engines", &engines];
    let mut bench = p.spawn(&[&line[..], &["--engines-dir", &folder, "--out", &out, "--quiet"]].concat());
    // Its table is longer than a pipe.
    let (mut table, mut said) = (bench.stdout.take().unwrap(), bench.stderr.take().unwrap());
    std::thread::spawn(move || std::io::copy(&mut table, &mut std::io::sink()));
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::stderr()));
    let (deadline, mut outside, mut seen) = (Instant::now() + PATIENCE, BTreeSet::new(), 0);
    while bench.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the run did not end within {PATIENCE:?}");
        let now = sockets::of_all_below(bench.id());
        seen = seen.max(now.len());
        outside.extend(now.into_iter().filter(|s| !s.is_local()).map(|s| s.to_string()));
        std::thread::sleep(LOOK_EVERY);
    }
    let ran = bench.ended();
    let observations = p.observations("out");
    for o in observations.iter().filter(|o| o["outcome"] != "completed") {
        let has_reason = o["reason"].as_str().is_some_and(|reason| !reason.is_empty());
        assert!(o["outcome"] == "unsupported" && has_reason, "{o}");
    }
    for name in &names {
        for (family, all, wanted) in [("sql", QUERIES, &SQL[..]), ("dataframe", FRAMES, &FRAME[..])] {
            let wanted = if wanted.contains(&name.as_str()) { all } else { 0 };
            assert_eq!(completed(&observations, name, family).len(), wanted, "{name} on {family}");
        }
    }
    ran.assert_code(0);
    assert!(seen > 0, "no product has a socket: they were not looked for where they are");
    assert!(outside.is_empty(), "sockets that reach beyond this machine: {outside:?}");
}

#[test]
#[ignore = "needs installed products: BENCH_ENGINES"]
fn products_that_keep_a_trace_explain_part_of_their_time() {
    let _alone = alone();
    let (folder, names) = some_of(&["dask", "dask-datafusion", "ray", "ray-datafusion", "spark"]);
    let p = Program::new().with_own_data();
    let (engines, out) = (names.join(","), p.path("out"));
    let line = ["run", "--suite", "smoke", "--workloads", "groupby-q03", "--trials", "2", "--engines", &engines];
    p.bench(&[&line[..], &["--spans", "--engines-dir", &folder, "--out", &out]].concat()).assert_code(0);
    let observations = p.observations("out");
    for name in &names {
        let of_engine: Vec<&Value> = observations.iter().filter(|o| o["case"]["engine"] == **name).collect();
        assert!(!of_engine.is_empty(), "{name} took no part");
        for o in of_engine {
            let spans = &o["spans"];
            let of_kinds: u64 = spans["by_kind_ns"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
            let slots = spans["makespan_ns"].as_u64().unwrap() * spans["slots"].as_u64().unwrap();
            assert!(of_kinds * 10 > slots, "{name} explains {of_kinds} of {slots} ns: {o}");
            assert!(!o["notes"].to_string().contains("cannot be read"), "{name}: {o}");
        }
    }
}

#[test]
#[ignore = "needs installed products: BENCH_ENGINES, and root for limits that hold"]
fn products_work_within_the_limits_of_an_emulated_node() {
    let _alone = alone();
    let (folder, names) = some_of(&["dask", "duckdb", "ray", "spark"]);
    let p = Program::new().with_own_data();
    let engines = names.join(",");
    let trial = |out: &str, limits: &str| {
        let out_path = p.path(out);
        let line = ["run", "--suite", "smoke", "--workloads", "groupby-q03", "--trials", "1", "--engines", &engines];
        let node = ["--cluster", "emulated", "--nodes", "1", "--slots", "1", "--node-limits", limits];
        let ran = p.bench(&[&line[..], &node, &["--engines-dir", &folder, "--out", &out_path]].concat());
        (ran, p.observations(out))
    };
    let (ran, enough) = trial("enough", "cpu=1,memory=6GiB");
    ran.assert_code(0);
    let of =
        |all: &[Value]| all.iter().map(|o| o["case"]["engine"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>();
    let everybody: BTreeSet<String> = names.iter().cloned().collect();
    assert_eq!(of(&enough), everybody, "{}", ran.stderr);
    for o in &enough {
        assert_eq!((&o["outcome"], &o["case"]["cluster"]), (&"completed".into(), &"emulated".into()), "{o}");
        // One core's worth of time, and what the quota's periods and the clock's ticks let through.
        let (cpu, wall) = (o["cpu_ns"].as_u64().unwrap(), o["wall_ns"].as_u64().unwrap());
        assert!(cpu as f64 <= wall as f64 * 1.25 + 2e8, "{cpu} ns of CPU time in {wall} ns on one core: {o}");
    }
    let (ran, starved) = trial("starved", "cpu=1,memory=96MiB");
    ran.assert_code(2);
    assert_eq!(of(&starved), everybody, "{}", ran.stderr);
    // Python and DuckDB alone may fit in so little.
    for o in starved.iter().filter(|o| o["case"]["engine"] != "duckdb") {
        let reason = o["reason"].as_str().unwrap_or_default();
        assert!(o["outcome"] == "failed" && reason.contains("memory"), "{o}");
    }
}

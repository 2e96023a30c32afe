//! The built program with node processes: right answers on any number of nodes, and when a node dies.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod program;

use program::Program;
use std::time::{Duration, Instant};

const STYLES: &str = "actor,taskgraph,stagedag";

/// Node processes that keep their files below a folder.
fn nodes_below(folder: &str) -> usize {
    let commands = std::fs::read_dir("/proc").unwrap().filter_map(|e| {
        let line = std::fs::read(e.ok()?.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).into_owned())
    });
    commands.filter(|c| c.contains("\0node\0") && c.contains(folder)).count()
}

#[test]
fn every_style_answers_alike_on_one_and_on_three_node_processes() {
    let p = Program::new();
    let out = p.path("out");
    let queries = "tpch-q01,tpch-q05,tpch-q11,tpch-q18,tpch-q21,groupby-q06,join-q05,sort,window,graph-tree";
    let run = [
        "run",
        "--suite",
        "smoke",
        "--workloads",
        queries,
        "--engines",
        STYLES,
        "--cluster",
        "processes",
        "--nodes",
        "1,3",
        "--slots",
        "1",
        "--trials",
        "1",
        "--out",
        out.as_str(),
    ];
    p.bench(&run).assert_code(0);
    // Ten workloads, three styles on two clusters and one twin.
    p.assert_all_completed("out", 10 * 7);
    let counts: std::collections::BTreeSet<u64> =
        p.observations("out").iter().filter_map(|o| o["case"]["nodes"].as_u64()).collect();
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn a_node_that_is_killed_in_the_middle_costs_time_and_nothing_else() {
    let p = Program::new();
    let out = p.path("out");
    let run = [
        "run",
        "--suite",
        "smoke",
        "--workloads",
        "tpch-q05,tpch-q09,groupby-q10",
        "--engines",
        STYLES,
        "--cluster",
        "processes",
        "--nodes",
        "4",
        "--faults",
        "kill@random",
        "--seed",
        "1..2",
        "--out",
        out.as_str(),
    ];
    p.bench(&run).assert_code(0);
    p.assert_all_completed("out", 3 * 3);
    let lines = p.observations("out");
    let fired = |style: &str| {
        let mine = lines.iter().filter(|o| o["case"]["engine"] == style);
        mine.filter(|o| o["faults"][0]["fired_ns"].is_u64() && o["faults"][0]["detected_ns"].is_u64()).count()
    };
    for style in STYLES.split(',') {
        assert!(fired(style) > 0, "no node of {style} died, so nothing was tested");
    }
}

#[test]
fn no_node_outlives_a_run_that_is_killed() {
    let p = Program::new().with_own_data();
    p.bench(&["data", "make", "smoke"]).assert_code(0);
    let out = p.path("out");
    let run = [
        "run",
        "--suite",
        "smoke",
        "--engines",
        "taskgraph",
        "--cluster",
        "processes",
        "--nodes",
        "2",
        "--trials",
        "50",
        "--out",
        out.as_str(),
    ];
    let mut child = p.spawn(&run);
    p.wait_for_observations("out", 2, &mut child);
    let folder = p.path("data");
    assert!(nodes_below(&folder) > 0, "nodes run while the run goes on");
    child.kill().unwrap();
    child.wait().unwrap();
    let patience = Instant::now() + Duration::from_secs(20);
    while nodes_below(&folder) > 0 {
        assert!(Instant::now() < patience, "nodes are left behind");
        std::thread::yield_now();
    }
}

#[test]
fn a_cluster_that_cannot_be_is_refused_before_any_work() {
    let p = Program::new();
    let run = ["run", "--suite", "smoke", "--out", "o"];
    let refused = |more: &[&str], words: &[&str]| p.bench(&[&run[..], more].concat()).assert_refused(words);
    refused(&["--nodes", "2"], &["--cluster"]);
    refused(&["--cluster", "cloud"], &["local, processes, emulated"]);
    refused(&["--cluster", "processes", "--nodes", "0"], &["1 to 200"]);
    refused(&["--cluster", "processes", "--node-limits", "cpu=1"], &["emulated"]);
    refused(&["--cluster", "local", "--faults", "kill@50%"], &["--cluster processes"]);
    refused(&["--cluster", "processes", "--faults", "burn@50%"], &["corrupt-block"]);
    refused(&["--cluster", "absent.toml"], &["absent.toml"]);
}

//! The built program with node processes: right answers on any number of nodes, and when a node dies.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod program;

use program::Program;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const STYLES: &str = "actor,taskgraph,stagedag";

/// Node processes that keep their files below a folder.
fn nodes_below(folder: &str) -> Vec<PathBuf> {
    let is_node = |process: &PathBuf| {
        let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.contains("\0node\0") && line.contains(folder)
    };
    std::fs::read_dir("/proc").unwrap().filter_map(|e| Some(e.ok()?.path())).filter(is_node).collect()
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
fn a_fault_that_ends_a_trial_is_in_its_record() {
    let p = Program::new();
    let out = p.path("out");
    let run = ["run", "--suite", "smoke", "--workloads", "tpch-q06", "--engines", "stagedag", "--cluster", "processes"];
    let hurt = ["--nodes", "1", "--faults", "kill@0%", "--trials", "1", "--protocol", "cold-process", "--out"];
    // The only node dies, so there is nobody to go on.
    p.bench(&[&run[..], &hurt, &[out.as_str()]].concat()).assert_code(2);
    let lines = p.observations("out");
    assert!(!lines.is_empty());
    for line in lines {
        assert_eq!(line["outcome"], "failed", "{line}");
        let fault = &line["faults"][0];
        assert_eq!(fault["fault"], "kill@0%", "{line}");
        assert!(fault["fired_ns"].is_u64() && fault["detected_ns"].is_u64() && fault["void"].is_null(), "{line}");
        assert!(fault["tasks_ns"].is_u64() && fault["repeated_ns"].is_u64(), "{line}");
    }
    let report = p.bench(&["report", out.as_str()]);
    assert!(report.stdout.contains("0 of 1"), "one fired, none completed, none unrecorded:\n{}", report.stdout);
}

#[test]
fn data_that_grow_with_the_nodes_are_made_measured_apart_and_resumed() {
    let p = Program::new();
    let out = p.path("out");
    let run =
        ["run", "--suite", "smoke", "--workloads", "tpch-q06,topk,graph-tree", "--engines", "stagedag,datafusion"];
    let weak = ["--cluster", "processes", "--nodes", "1,2", "--slots", "1", "--scaling", "weak", "--trials", "2"];
    let line = [&run[..], &weak].concat();
    let dry = p.bench(&[&line[..], &["--dry-run"]].concat());
    dry.assert_code(0);
    for word in [
        "data x 1: tpch-sf0.01, groupby-n100000",
        "data x 2: tpch-sf0.02, groupby-n200000",
        "2 nodes, 1 slots, data x 2",
    ] {
        assert!(dry.stdout.contains(word), "`{word}` is missing:\n{}", dry.stdout);
    }
    let ran = p.bench(&[&line[..], &["--out", out.as_str()]].concat());
    ran.assert_code(0);
    let lines = p.observations("out");
    let mut measured: Vec<(u64, u64, &str)> = lines
        .iter()
        .filter(|o| o["arm"] == "main" && o["case"]["workload"] == "tpch-q06")
        .map(|o| {
            let case = &o["case"];
            assert_eq!(o["outcome"], "completed", "{o}");
            (case["scale"].as_u64().unwrap_or(1), case["nodes"].as_u64().unwrap(), case["engine"].as_str().unwrap())
        })
        .collect();
    measured.sort_unstable();
    // A busy machine makes trials run again.
    measured.dedup();
    assert_eq!(measured, [(1, 1, "datafusion"), (1, 1, "stagedag"), (2, 1, "datafusion"), (2, 2, "stagedag")]);
    for said in ["sql weak scaling", "1 x 1", "2 x 1", "insufficient points: 2 of 6 node counts"] {
        assert!(ran.stdout.contains(said), "`{said}` is missing:\n{}", ran.stdout);
    }
    let before = std::fs::read(p.file("out/observations.ndjson")).unwrap();
    p.bench(&["run", "--resume", out.as_str()]).assert_code(0);
    assert_eq!(std::fs::read(p.file("out/observations.ndjson")).unwrap(), before, "nothing is left to do");
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
    let nodes = nodes_below(&folder);
    assert!(!nodes.is_empty(), "nodes run while the run goes on");
    for status in nodes.iter().filter_map(|node| std::fs::read_to_string(node.join("status")).ok()) {
        assert!(
            status.lines().any(|line| line.starts_with("THP_enabled:") && line.ends_with('0')),
            "they share: {status}"
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let patience = Instant::now() + Duration::from_secs(20);
    while !nodes_below(&folder).is_empty() {
        assert!(Instant::now() < patience, "nodes are left behind");
        std::thread::yield_now();
    }
}

/// A hosts file of one machine that nobody reaches.
fn hosts_file(p: &Program) {
    let host = "[[host]]\nssh = \"far\"\naddress = \"10.99.0.1\"\nfolder = \"/var/tmp/bench\"\n";
    std::fs::write(p.file("hosts.toml"), host).unwrap();
}

#[test]
fn interrupting_a_run_that_waits_for_a_machine_ends_it_as_interrupted() {
    let p = Program::new();
    hosts_file(&p);
    // An ssh that says that it has been asked, and nothing else.
    let (tools, asked) = (p.file("tools"), p.file("asked"));
    std::fs::create_dir(&tools).unwrap();
    let ssh = tools.join("ssh");
    std::fs::write(&ssh, format!("#!/bin/sh\n: >'{}'\nexec sleep 600\n", asked.display())).unwrap();
    std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("PATH={}:{}", tools.display(), std::env::var("PATH").unwrap());
    let line =
        ["run", "--suite", "smoke", "--workloads", "tpch-q06", "--engines", "stagedag", "--cluster", "hosts.toml"];
    let mut child = p.spawn_by(&["env".to_owned(), path], &[&line[..], &["--out", "o"]].concat());
    while !asked.exists() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it asked for the machine");
        std::thread::yield_now();
    }
    p.signal(&child, "INT");
    let ended = child.ended();
    ended.assert_code(130);
    assert!(ended.stderr.contains("interrupted while machines were made ready"), "{}", ended.stderr);
    assert!(!p.file("o").exists());
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
    refused(&["--scaling", "weak"], &["--nodes"]);
    refused(&["--cluster", "processes", "--nodes", "1,2,2"], &["--nodes names 2 twice"]);
    hosts_file(&p);
    let far = ["--cluster", "hosts.toml"];
    refused(&[&far[..], &["--protocol", "cold-cache"]].concat(), &["page cache of this machine only", "cold-process"]);
    refused(&[&far[..], &["--faults", "slow-cpu@50%"]].concat(), &["kill, pause and corrupt-block only"]);
    refused(&["--cluster", "emulated", "--node-limits", "cpu=0.01"], &["at least 0.05 cores"]);
    let w = p.user_workload("select k, v from t", "k,v\n1,10\n2,20\n");
    let own = ["--workload-dir", w.as_str(), "--cluster", "processes", "--nodes", "1,2", "--scaling", "weak"];
    refused(&own, &["--scaling weak", "--workload-dir"]);
}

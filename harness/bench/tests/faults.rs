//! The built program with node processes that are hurt in ways that need no privilege: damaged blocks, zombies, owners that
//! die. What needs links and limits is in `emulated.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod program;

use program::Program;
use serde_json::Value;

const STYLES: &str = "actor,taskgraph,stagedag";

/// Runs workloads of the smoke suite on three node processes into the folder `out`.
fn run(p: &Program, engines: &str, workloads: &str, faults: &str, more: &[&str]) -> program::Ran {
    let out = p.path("out");
    let run = ["run", "--suite", "smoke", "--engines", engines, "--workloads", workloads, "--out", out.as_str()];
    let cluster = ["--cluster", "processes", "--nodes", "3", "--slots", "1", "--faults", faults];
    // Work for every node, though the tables are small: what is done to a node without any is not noticed.
    let busy: Vec<String> = engines.split(',').map(|engine| format!("{engine}.partitions=6")).collect();
    let busy: Vec<&str> = busy.iter().flat_map(|set| ["--set", set]).collect();
    p.bench(&[&run[..], &cluster[..], &busy, more].concat())
}

fn of_style<'o>(lines: &'o [Value], style: &str) -> Vec<&'o Value> {
    lines.iter().filter(|o| o["case"]["engine"] == style).collect()
}

/// In how many trials every fault fired and was noticed.
fn noticed(lines: &[&Value]) -> usize {
    let is_noticed = |f: &Value| f["fired_ns"].is_u64() && f["detected_ns"].is_u64();
    lines.iter().filter(|o| o["faults"].as_array().unwrap().iter().all(is_noticed)).count()
}

fn notes(line: &Value) -> Vec<&str> {
    line["notes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn a_corrupted_block_is_found_by_its_checksum_and_made_again_in_every_style() {
    let p = Program::new();
    // Without copies elsewhere that would be read instead.
    let alone = ["--seed", "1..6", "--set", "actor.copies=off", "--set", "taskgraph.replicate=1"];
    run(&p, STYLES, "tpch-q05,tpch-q09,groupby-q10", "corrupt-block@random", &alone).assert_code(0);
    p.assert_all_completed("out", 3 * 3);
    let lines = p.observations("out");
    for style in STYLES.split(',') {
        let found: Vec<_> = of_style(&lines, style).into_iter().filter(|o| noticed(&[o]) == 1).collect();
        let says_so = |o: &&Value| notes(o).iter().any(|note| note.contains("failed its checksum"));
        assert!(found.iter().all(says_so), "{found:?}");
        let again = |o: &&&Value| o["faults"][0]["tasks_repeated"].as_u64() > Some(0);
        assert!(found.iter().filter(again).count() > 0, "no block of {style} was made again: {found:?}");
    }
}

#[test]
fn a_zombie_that_wakes_up_in_the_middle_of_a_job_changes_nothing_in_any_style() {
    let p = Program::new();
    // The job waits for the second one to be given up, and the first has woken up and joined again by then.
    // Merged into one task, what is left by then would often need nothing of the second.
    let apart = ["--seed", "1..2", "--set", "stagedag.adaptive=off"];
    run(&p, STYLES, "tpch-q09", "pause@10%:n0,pause@50%:n1", &apart).assert_code(0);
    p.assert_all_completed("out", 3);
    let lines = p.observations("out");
    for style in STYLES.split(',') {
        let of_style = of_style(&lines, style);
        assert_eq!(of_style.len(), 2);
        assert!(noticed(&of_style) > 0, "no node of {style} was given up, so nothing was tested: {of_style:?}");
    }
}

#[test]
fn the_death_of_an_owner_is_named_and_the_retry_policy_gets_the_answer() {
    const GONE: &str = "owned the blocks of fragment";
    let p = Program::new();
    let own = ["--set", "actor.ownership=spread", "--seed", "1..6"];
    let ran = run(&p, "actor", "tpch-q05,tpch-q08,tpch-q09", "kill@random", &own);
    ran.assert_code(2);
    assert!(ran.stdout.contains(GONE), "the report names what happened:\n{}", ran.stdout);
    let lines = p.observations("out");
    let failed: Vec<_> = lines.iter().filter(|o| o["outcome"] != "completed").collect();
    assert!(!failed.is_empty());
    for line in failed {
        let reason = line["reason"].as_str().unwrap();
        assert!(reason.contains(GONE) && reason.contains("kill@random on n"), "{reason}");
    }

    let p = Program::new();
    let again = [&own[..], &["--set", "actor.resubmit=2"]].concat();
    run(&p, "actor", "tpch-q05,tpch-q08,tpch-q09", "kill@random", &again).assert_code(0);
    p.assert_all_completed("out", 3);
    let lines = p.observations("out");
    let resubmitted = |o: &&Value| notes(o).iter().any(|n| n.starts_with("submitted again: ") && n.contains(GONE));
    assert!(lines.iter().filter(resubmitted).count() > 0, "no owner died, so nothing was tested");
}

#[test]
fn a_fault_that_plain_processes_cannot_have_is_void_and_says_what_to_do() {
    let p = Program::new();
    run(&p, "taskgraph", "tpch-q05", "cut@0%,rate@0%,oom@0%", &["--trials", "1"]).assert_code(0);
    let lines = p.observations("out");
    let faults = lines[0]["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 3);
    for fault in faults {
        assert!(fault["void"].as_str().unwrap().contains("use --cluster emulated"), "{fault}");
    }
}

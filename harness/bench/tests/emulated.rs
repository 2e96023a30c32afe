//! The built program on emulated nodes: links, limits and disks that fail. It needs root, namespaces and control groups;
//! where they are missing, every claim is listed as ignored, with the reason, and none as passed. So it has a list of its
//! own: the standard harness knows no test that finds out whether it can run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod program;

use program::Program;
use serde_json::Value;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const STYLES: &str = "actor,taskgraph,stagedag";
const WORKLOADS: &str = "tpch-q05,tpch-q09,groupby-q10";

/// Work for every node, though the tables are small: what is done to a node without any is not noticed.
const BUSY: [&str; 6] =
    ["--set", "actor.partitions=8", "--set", "taskgraph.partitions=8", "--set", "stagedag.partitions=8"];

/// The command line of a run on four nodes into the folder `out`.
fn command_line<'a>(out: &'a str, cluster: &'a str, workloads: &'a str, faults: &'a str) -> Vec<&'a str> {
    let run = ["run", "--suite", "smoke", "--engines", STYLES, "--workloads", workloads, "--out", out];
    let nodes = ["--cluster", cluster, "--nodes", "4", "--slots", "1", "--faults", faults];
    [&run[..], &nodes[..], &BUSY].concat()
}

fn run(p: &Program, cluster: &str, workloads: &str, faults: &str, more: &[&str]) -> program::Ran {
    let out = p.path("out");
    p.bench(&[&command_line(&out, cluster, workloads, faults)[..], more].concat())
}

/// Every trial completed, and in each style some fault fired and, if it can be, was noticed.
#[track_caller]
fn check(p: &Program, is_noticed: bool) {
    p.assert_all_completed("out", 3);
    let lines = p.observations("out");
    for style in STYLES.split(',') {
        let faults: Vec<&Value> =
            lines.iter().filter(|o| o["case"]["engine"] == style).map(|o| &o["faults"][0]).collect();
        let seen = |f: &&&Value| f["fired_ns"].is_u64() && (!is_noticed || f["detected_ns"].is_u64());
        assert!(faults.iter().filter(seen).count() > 0, "nothing was tested with {style}: {faults:?}");
    }
}

fn a_node_that_is_cut_off_costs_time_and_nothing_else() {
    let p = Program::new();
    run(&p, "emulated", WORKLOADS, "cut@random", &["--trials", "1"]).assert_code(0);
    check(&p, true);
}

fn a_node_whose_words_are_lost_costs_time_and_nothing_else() {
    let p = Program::new();
    run(&p, "emulated", WORKLOADS, "cut-one-way@random", &["--trials", "1"]).assert_code(0);
    check(&p, true);
}

fn a_slow_link_slows_a_job_down_and_is_as_fast_as_before_afterwards() {
    let p = Program::new();
    run(&p, "emulated", WORKLOADS, "rate@random", &["--trials", "2"]).assert_code(0);
    check(&p, false);
}

fn a_node_out_of_memory_costs_time_and_nothing_else() {
    for limits in [&[][..], &["--node-limits", "cpu=0.4,memory=512MiB,link=1000"]] {
        let p = Program::new();
        run(&p, "emulated", WORKLOADS, "oom@random", &[&["--seed", "1..3"], limits].concat()).assert_code(0);
        check(&p, true);
    }
}

fn a_node_that_is_killed_is_back_on_its_link_for_the_next_trial() {
    let p = Program::new();
    run(&p, "emulated", WORKLOADS, "kill@random", &["--seed", "1..3"]).assert_code(0);
    check(&p, true);
}

fn a_full_disk_ends_with_the_right_answer_or_an_error_that_names_it() {
    for cluster in ["processes", "emulated"] {
        let p = Program::new();
        run(&p, cluster, WORKLOADS, "disk-full@0%", &["--seed", "1..3"]);
        let lines = p.observations("out");
        assert!(lines.len() >= 9, "{lines:?}");
        for line in &lines {
            let fault = &line["faults"][0];
            if line["outcome"] == "completed" {
                assert!(fault["fired_ns"].is_u64() || fault["void"].is_string(), "{line}");
            } else {
                let reason = line["reason"].as_str().unwrap();
                assert!(reason.contains("disk-full@0% on n") && reason.contains("No space left"), "{line}");
            }
        }
        // Blocks of the other two styles are in memory here, and so they never notice.
        let hit = |o: &&Value| {
            o["case"]["engine"] == "stagedag"
                && (o["outcome"] != "completed" || o["notes"].to_string().contains("No space left"))
        };
        assert!(lines.iter().filter(hit).count() > 0, "the disk was full and nobody wrote to it: {lines:?}");
    }
}

/// Whether something has the name that clusters give, and no living process has made it. Links are named after no process.
fn is_ours(name: &str) -> bool {
    let Some(maker) = name.strip_prefix("bench-") else { return name.starts_with("bench") };
    !Path::new("/proc").join(maker.split('-').next().unwrap()).exists()
}

/// What a run may have left on this machine: processes that keep their files below a folder, control groups, folders in
/// memory, network interfaces and mounts.
fn left_behind(folder: &str) -> Vec<String> {
    let mut left = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains("node --listen") && line.contains(folder) {
            left.push(line);
        }
    }
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let below = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        Some(Path::new("/sys/fs/cgroup").join(parts.next()?).join(parts.next()?.trim_start_matches('/')))
    });
    for parent in below.chain(["/dev/shm".into(), "/sys/class/net".into()]) {
        let names = std::fs::read_dir(&parent).into_iter().flatten().flatten();
        let ours = names.filter(|e| is_ours(&e.file_name().to_string_lossy()));
        left.extend(ours.map(|e| e.path().display().to_string()));
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    left.extend(mounts.lines().filter(|line| line.contains(folder)).map(str::to_owned));
    left
}

/// Namespaces vanish a while after their last process.
#[track_caller]
fn check_nothing_is_left(folder: &str, before: &[String]) {
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let left: Vec<String> = left_behind(folder).into_iter().filter(|l| !before.contains(l)).collect();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < patience, "{left:?}");
        std::thread::yield_now();
    }
}

fn nothing_is_left_behind_whether_a_run_succeeds_fails_or_is_interrupted() {
    const LIMITS: [&str; 2] = ["--node-limits", "cpu=0.4,memory=512MiB,link=1000"];
    let p = Program::new().with_own_data();
    p.bench(&["data", "make", "smoke"]).assert_code(0);
    let folder = p.path("data");
    let before = left_behind(&folder);
    let faults = "cut@10%:n0,rate@10%:n1,disk-full@10%:n2";
    run(&p, "emulated", "tpch-q05", faults, &[&["--trials", "1"], &LIMITS[..]].concat()).assert_code(0);
    check_nothing_is_left(&folder, &before);

    let out = p.path("late");
    let late = command_line(&out, "emulated", "tpch-q05", "cut@0%,rate@0%:n1");
    p.bench(&[&late[..], &["--trials", "1", "--timeout", "1s"], &LIMITS[..]].concat()).assert_code(2);
    check_nothing_is_left(&folder, &before);

    let out = p.path("interrupted");
    let long = command_line(&out, "emulated", "tpch-q05", "rate@0%:n1");
    let mut child = p.spawn(&[&long[..], &["--trials", "500"], &LIMITS[..]].concat());
    p.wait_for_observations("interrupted", 1, &mut child);
    p.signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    check_nothing_is_left(&folder, &before);
}

fn a_product_and_all_that_it_starts_are_under_the_limits_of_one_node() {
    let p = Program::new();
    let (folder, w) = (p.engines(), p.user_workload("select devour as n", "n\n1\n"));
    let trial = |out: &str, more: &[&str]| {
        let out_path = p.path(out);
        let run = ["run", "--workload-dir", &w, "--engines", "tiny", "--trials", "1", "--out", &out_path];
        let here = ["--engines-dir", &folder, "--protocol", "cold-process", "--slots", "1"];
        p.bench(&[&run[..], &here, more].concat());
        p.observations(out).remove(0)
    };
    let node = ["--cluster", "emulated", "--nodes", "1", "--node-limits"];
    let free = trial("free", &[]);
    assert_eq!((&free["outcome"], &free["case"]["cluster"]), (&"completed".into(), &"local".into()), "{free}");
    let enough = trial("enough", &[&node[..], &["cpu=0.5,memory=2GiB"]].concat());
    assert_eq!((&enough["outcome"], &enough["case"]["cluster"]), (&"completed".into(), &"emulated".into()), "{enough}");
    assert_eq!(enough["case"]["variant"], "node-cpu=0.5,node-memory=2GiB");
    let starved = trial("starved", &[&node[..], &["memory=256MiB"]].concat());
    assert_eq!(starved["outcome"], "failed", "{starved}");
    let reason = starved["reason"].as_str().unwrap();
    assert!(reason.contains("out of memory: the kernel killed a process of it"), "{reason}");
}

macro_rules! claims {
    ($($name:ident,)*) => { &[$((stringify!($name), $name as fn())),*] };
}

const CLAIMS: &[(&str, fn())] = claims! {
    a_product_and_all_that_it_starts_are_under_the_limits_of_one_node,
    a_node_that_is_cut_off_costs_time_and_nothing_else,
    a_node_whose_words_are_lost_costs_time_and_nothing_else,
    a_slow_link_slows_a_job_down_and_is_as_fast_as_before_afterwards,
    a_node_out_of_memory_costs_time_and_nothing_else,
    a_node_that_is_killed_is_back_on_its_link_for_the_next_trial,
    a_full_disk_ends_with_the_right_answer_or_an_error_that_names_it,
    nothing_is_left_behind_whether_a_run_succeeds_fails_or_is_interrupted,
};

/// Why nothing can be tested here, if so: the first of these commands that fails.
fn missing() -> Option<String> {
    let probes: [&[&str]; 3] = [
        &["unshare", "--net", "--mount", "true"],
        &["unshare", "--net", "ip", "link", "add", "probe0", "type", "veth", "peer", "name", "probe1"],
        &["unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt"],
    ];
    probes.into_iter().find_map(|argv| {
        let output = Command::new(argv[0]).args(&argv[1..]).stdin(Stdio::null()).output();
        match output {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(format!("`{}`: {}", argv.join(" "), String::from_utf8_lossy(&output.stderr).trim())),
            Err(error) => Some(format!("`{}`: {error}", argv.join(" "))),
        }
    })
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filter = arguments.iter().find(|a| !a.starts_with('-'));
    let chosen: Vec<_> = CLAIMS.iter().filter(|(name, _)| filter.is_none_or(|f| name.contains(f.as_str()))).collect();
    if arguments.iter().any(|a| a == "--list") {
        chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    if let Some(reason) = missing() {
        chosen.iter().for_each(|(name, _)| println!("test {name} ... ignored, it needs root and namespaces"));
        println!("\nNOT TESTED: no cluster can be emulated here: {reason}");
        println!("\ntest result: ok. 0 passed; 0 failed; {} ignored", chosen.len());
        return ExitCode::SUCCESS;
    }
    let mut failed = 0;
    for (name, claim) in &chosen {
        let passed = catch_unwind(claim).is_ok();
        failed += usize::from(!passed);
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
    }
    println!("\ntest result: {} passed; {failed} failed; 0 ignored", chosen.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

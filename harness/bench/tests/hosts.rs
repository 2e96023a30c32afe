//! The built program with nodes on other machines, over ssh: two of our own, made of namespaces.
//!
//! Where such machines cannot be made, every test is reported as ignored, with the reason: this has a runner of its own,
//! because the standard one cannot ignore a test when it runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod lan;
mod program;

use lan::{FOLDER, Lan};
use program::{Program, Running};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::panic::catch_unwind;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const STYLES: &str = "actor,taskgraph,stagedag";

/// `bench run` over the machines, one trial of each case.
fn run<'a>(out: &'a str, workloads: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let start = ["run", "--suite", "smoke", "--workloads", workloads, "--cluster", "hosts.toml", "--slots", "1"];
    [&start[..], &["--out", out], more].concat()
}

fn await_tidiness(lan: &Lan) {
    let patience = Instant::now() + Duration::from_secs(30);
    while !lan.is_tidy() {
        assert!(Instant::now() < patience, "left: {:?} {:?} {:?}", lan.nodes(), lan.list(0, ""), lan.list(1, ""));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn every_style_answers_on_two_machines_and_programs_and_tables_are_copied_once() {
    let p = Program::new();
    let lan = Lan::start(&p);
    // One machine keeps the program and has the tables; the other does neither.
    lan.hosts_file(&p, "", "", "keep_program = false\ntables = \"copy\"");
    let copied = |said: &str, what: &str| said.lines().filter(|l| l.contains("copying") && l.contains(what)).count();
    let first = p.bench_by(&lan.prefix(), &run("first", "tpch-q0*", &["--engines", STYLES, "--trials", "1"]));
    first.assert_code(0);
    // Nine queries, three styles and one twin.
    p.assert_all_completed("first", 9 * 4);
    assert!(p.observations("first").iter().all(|o| o["case"]["cluster"] == "hosts" && o["case"]["nodes"] == 2));
    // What the driver used is not what the engine used.
    for counter in ["cpu_ns", "rss_bytes_peak", "read_bytes", "write_bytes", "pressure", "network"] {
        assert!(p.observations("first").iter().all(|o| o[counter].is_null()), "{counter}");
    }
    assert_eq!((copied(&first.stderr, "this program"), copied(&first.stderr, "table files")), (2, 1));
    assert!(lan.is_tidy());
    assert_eq!((lan.list(0, "programs").len(), lan.list(1, "programs").len()), (1, 0));
    let tables = lan.on_machine(1, p.data());
    assert!(fs::read_dir(&tables).unwrap().next().is_some(), "the tables are there now");
    let second = p.bench_by(&lan.prefix(), &run("second", "tpch-q06", &["--engines", "stagedag", "--trials", "1"]));
    second.assert_code(0);
    assert_eq!((copied(&second.stderr, "this program"), copied(&second.stderr, "table files")), (1, 0));
    assert!(lan.is_tidy());
}

fn a_run_over_tls_answers_and_is_another_variant() {
    let p = Program::new();
    let lan = Lan::start(&p);
    let certificates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../engines/node/tests/certificates/cluster");
    let tls = format!("tls = \"{}\"\n", certificates.canonicalize().unwrap().display());
    lan.hosts_file(&p, &tls, "", "tables = \"copy\"");
    let ran = p.bench_by(&lan.prefix(), &run("out", "tpch-q03,tpch-q05", &["--engines", STYLES, "--trials", "1"]));
    ran.assert_code(0);
    p.assert_all_completed("out", 2 * 4);
    assert!(p.observations("out").iter().all(|o| o["case"]["variant"] == "tls=on"));
    assert!(lan.is_tidy());
}

fn machines_are_part_of_a_run_and_decide_how_many_slots_their_nodes_have() {
    let p = Program::new();
    let lan = Lan::start(&p);
    lan.hosts_file(&p, "", "", "tables = \"copy\"");
    let run = ["run", "--suite", "smoke", "--workloads", "tpch-q06", "--engines", "stagedag", "--trials", "1"];
    let line = [&run[..], &["--cluster", "hosts.toml", "--out", "out"]].concat();
    p.bench_by(&lan.prefix(), &line).assert_code(0);
    let context =
        || -> serde_json::Value { serde_json::from_slice(&fs::read(p.file("out/run.json")).unwrap()).unwrap() };
    let machines = context()["cluster"]["machines"].as_array().unwrap().clone();
    let addresses: Vec<&str> = machines.iter().filter_map(|m| m["address"].as_str()).collect();
    assert_eq!(addresses, ["10.77.0.11", "10.77.0.12"]);
    let cores = machines.iter().filter_map(|m| m["cores"].as_u64()).min();
    assert!(machines.iter().all(|m| m["memory_bytes"].is_u64()) && cores.is_some());
    assert!(p.observations("out").iter().all(|o| o["case"]["slots"].as_u64() == cores));
    assert_eq!(context()["engines"][0]["slots"].as_u64(), cores);

    // As if one of them had been exchanged for a larger one.
    let resume = ["run", "--resume", "out"];
    p.bench_by(&lan.prefix(), &resume).assert_code(0);
    let mut other = context();
    other["cluster"]["machines"][1]["cores"] = 999.into();
    fs::write(p.file("out/run.json"), other.to_string()).unwrap();
    let refused = p.bench_by(&lan.prefix(), &resume);
    refused.assert_refused(&["the machine of node n1 was 10.77.0.12", "999 cores", "and now is 10.77.0.12"]);
    assert!(lan.is_tidy());
}

fn a_block_that_is_damaged_on_another_machine_is_found() {
    let p = Program::new();
    let lan = Lan::start(&p);
    lan.hosts_file(&p, "", "", "tables = \"copy\"");
    let faults = ["--faults", "corrupt-block@random", "--seed", "1..3", "--engines", "stagedag"];
    p.bench_by(&lan.prefix(), &run("out", "tpch-q09", &faults)).assert_code(0);
    p.assert_all_completed("out", 1);
    let fired = |o: &serde_json::Value| o["faults"][0]["fired_ns"].is_u64();
    assert!(p.observations("out").iter().any(fired), "no block was damaged, so nothing was tested");
    assert!(lan.is_tidy());
}

fn a_machine_that_is_lost_ends_the_run_and_is_no_failure_of_the_engine() {
    let p = Program::new();
    let mut lan = Lan::start(&p);
    let child = long_run(&p, &lan);
    lan.lose(1);
    let ended = child.ended();
    ended.assert_refused(&["10.77.0.12 was lost", "--resume out", "not recorded"]);
    assert!(p.observations("out").iter().all(|o| o["outcome"] == "completed"), "nothing is recorded without it");
}

fn a_folder_that_others_can_write_to_is_refused() {
    let p = Program::new();
    let lan = Lan::start(&p);
    lan.hosts_file(&p, "", "", "tables = \"copy\"");
    let folder = lan.on_machine(1, &p.file(FOLDER));
    fs::set_permissions(folder, fs::Permissions::from_mode(0o1777)).unwrap();
    let refused = p.bench_by(&lan.prefix(), &run("out", "tpch-q06", &["--engines", "stagedag"]));
    refused.assert_refused(&["10.77.0.12: ", FOLDER, "writable by nobody else", "chmod go-w"]);
    assert!(lan.is_tidy());
}

fn a_node_that_is_killed_over_ssh_costs_time_and_nothing_else() {
    let p = Program::new();
    let lan = Lan::start(&p);
    lan.hosts_file(&p, "", "", "tables = \"copy\"");
    let faults = ["--faults", "kill@20%", "--seed", "1..3", "--engines", "taskgraph"];
    p.bench_by(&lan.prefix(), &run("out", "tpch-q09", &faults)).assert_code(0);
    p.assert_all_completed("out", 1);
    let fired = |o: &serde_json::Value| o["faults"][0]["fired_ns"].is_u64();
    assert!(p.observations("out").iter().any(fired), "no node died, so nothing was tested");
    assert!(lan.is_tidy());
}

/// A run that goes on until something happens to it, with nodes at work.
fn long_run(p: &Program, lan: &Lan) -> Running {
    lan.hosts_file(p, "", "", "tables = \"copy\"");
    let mut child = p.spawn_by(&lan.prefix(), &run("out", "tpch-q0*", &["--engines", "taskgraph", "--trials", "50"]));
    p.wait_for_observations("out", 2, &mut child);
    assert!(!lan.nodes().is_empty(), "nodes run while the run goes on");
    child
}

fn nothing_is_left_of_a_run_that_is_killed_and_no_token_can_be_seen_while_it_lasts() {
    let p = Program::new();
    let lan = Lan::start(&p);
    let mut child = long_run(&p, &lan);
    for node in lan.nodes() {
        for file in ["cmdline", "environ"] {
            let said = fs::read(node.join(file)).unwrap_or_default();
            let digits = said.split(|byte| !byte.is_ascii_hexdigit());
            assert!(digits.max_by_key(|run| run.len()).is_none_or(|run| run.len() < 32), "a token in {file}");
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    await_tidiness(&lan);
}

fn nothing_is_left_of_a_run_that_is_interrupted() {
    let p = Program::new();
    let lan = Lan::start(&p);
    let mut child = long_run(&p, &lan);
    p.signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(lan.is_tidy());
}

fn a_machine_without_the_tables_is_found_before_any_trial() {
    let p = Program::new();
    let lan = Lan::start(&p);
    lan.hosts_file(&p, "", "", "");
    let refused = p.bench_by(&lan.prefix(), &run("out", "tpch-q06", &["--engines", "stagedag"]));
    refused.assert_refused(&["10.77.0.12 lacks", "table files", "tables = \"copy\""]);
    assert!(!p.file("out").exists());
    assert!(lan.is_tidy());
}

fn a_machine_that_shows_another_key_is_refused() {
    let p = Program::new();
    let lan = Lan::start(&p);
    lan.hosts_file(&p, "", "", "");
    let known = fs::read_to_string(p.file("known")).unwrap();
    fs::write(p.file("known"), known.replace("10.77.0.12 ", "10.77.0.99 ")).unwrap();
    let refused = p.bench_by(&lan.prefix(), &run("out", "tpch-q06", &["--engines", "stagedag"]));
    refused.assert_refused(&["ssh to 10.77.0.12 failed", "verification failed"]);
    assert!(lan.is_tidy());
}

fn a_program_of_another_build_is_refused_by_name() {
    let p = Program::new();
    let lan = Lan::start(&p);
    lan.hosts_file(&p, "", "", "tables = \"copy\"");
    let line = run("out", "tpch-q06", &["--engines", "stagedag", "--trials", "1"]);
    p.bench_by(&lan.prefix(), &line).assert_code(0);
    // The same length and name, another build: what its linker says of it differs by a bit.
    let name = format!("{FOLDER}/programs/{}", lan.list(0, "programs")[0]);
    let program = lan.on_machine(0, &p.file(&name));
    let mut bytes = fs::read(&program).unwrap();
    let note = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0";
    let at = bytes.windows(note.len()).position(|window| window == note).expect("a build id") + note.len();
    bytes[at] ^= 1;
    fs::write(&program, bytes).unwrap();
    let line = run("again", "tpch-q06", &["--engines", "stagedag", "--trials", "1"]);
    p.bench_by(&lan.prefix(), &line).assert_refused(&["runs build", "this is build"]);
    assert!(lan.is_tidy());
}

macro_rules! claims {
    ($($name:ident,)*) => { &[$((stringify!($name), $name as fn())),*] };
}

const CLAIMS: &[(&str, fn())] = claims! {
    every_style_answers_on_two_machines_and_programs_and_tables_are_copied_once,
    a_run_over_tls_answers_and_is_another_variant,
    machines_are_part_of_a_run_and_decide_how_many_slots_their_nodes_have,
    a_block_that_is_damaged_on_another_machine_is_found,
    a_machine_that_is_lost_ends_the_run_and_is_no_failure_of_the_engine,
    a_folder_that_others_can_write_to_is_refused,
    a_node_that_is_killed_over_ssh_costs_time_and_nothing_else,
    nothing_is_left_of_a_run_that_is_killed_and_no_token_can_be_seen_while_it_lasts,
    nothing_is_left_of_a_run_that_is_interrupted,
    a_machine_without_the_tables_is_found_before_any_trial,
    a_machine_that_shows_another_key_is_refused,
    a_program_of_another_build_is_refused_by_name,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filter = arguments.iter().find(|a| !a.starts_with('-'));
    let chosen: Vec<_> = CLAIMS.iter().filter(|(name, _)| filter.is_none_or(|f| name.contains(f.as_str()))).collect();
    if arguments.iter().any(|a| a == "--list") {
        chosen.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let hindrance = lan::hindrance();
    if let Some(why) = &hindrance {
        eprintln!("NOT TESTED: nodes on other machines (--cluster HOSTS.toml): {why}");
    }
    println!("\nrunning {} tests", chosen.len());
    let (mut passed, mut failed) = (0, 0);
    for (name, claim) in &chosen {
        if let Some(why) = &hindrance {
            println!("test {name} ... ignored, {why}");
        } else if catch_unwind(claim).is_ok() {
            println!("test {name} ... ok");
            passed += 1;
        } else {
            println!("test {name} ... FAILED");
            failed += 1;
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; {} ignored\n",
        chosen.len() - passed - failed
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

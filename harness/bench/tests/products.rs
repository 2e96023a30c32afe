//! Claims about products, on the built program: with a driver in plain Python, so that nothing has to be installed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod killed;
mod program;
mod real;

use program::{Program, external};
use std::fs;
use std::path::Path;

/// Runs one query on `tiny` alone; its only observations.
fn run(p: &Program, sql: &str, more: &[&str]) -> Vec<serde_json::Value> {
    let (folder, w, out) = (p.engines(), p.user_workload(sql, "n\n1\n"), p.path("out"));
    let mut line = vec!["run", "--workload-dir", &w, "--engines", "tiny", "--trials", "1", "--out", &out];
    line.extend(["--engines-dir", &folder, "--protocol", "cold-process"]);
    line.extend(more);
    p.bench(&line);
    p.observations("out")
}

/// Living processes that were started in a scratch folder of this program's tables.
fn left(p: &Program) -> Vec<String> {
    let scratch = p.data().join(".scratch-").display().to_string();
    let started_there = |folder: &Path| {
        let environment = fs::read(folder.join("environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&scratch)
    };
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|e| e.path()).filter(|folder| started_there(folder));
    processes.map(|folder| fs::read_to_string(folder.join("comm")).unwrap_or_default()).collect()
}

#[test]
fn a_driver_in_another_language_keeps_to_the_protocol() {
    let p = Program::new();
    let folder = p.engines();
    let ran = p.bench(&["engines", "check", "tiny", "--engines-dir", &folder, "--json"]);
    ran.assert_code(0);
    let findings: Vec<serde_json::Value> = serde_json::from_str(&ran.stdout).unwrap();
    assert!(findings.iter().filter(|f| f["verdict"] == "kept").count() >= 18, "{}", ran.stdout);
    assert!(findings.iter().all(|f| f["verdict"] != "broken"), "{}", ran.stdout);
}

#[test]
fn a_program_that_is_no_driver_is_found_out() {
    let p = Program::new();
    let ran = p.bench(&["engines", "check", "--", "/bin/cat"]);
    ran.assert_code(2);
    assert!(ran.stdout.contains("BROKEN    `hello` is answered"), "{}", ran.stdout);
}

/// What `bench engines check` says of a driver that breaks one rule, and the processes with its mark that are left.
fn checked(p: &Program, how: &str) -> (String, usize) {
    let python = format!("PYTHONPATH={}/python", external());
    let odd = format!("{}/tests/drivers/odd/odd.py", external());
    let ran = p.bench(&[
        "engines",
        "check",
        "--",
        "/usr/bin/env",
        &python,
        "PYTHONDONTWRITEBYTECODE=1",
        "python3",
        &odd,
        how,
    ]);
    ran.assert_code(2);
    let is_of_odd = |folder: &Path| {
        let environment = fs::read(folder.join("environ")).unwrap_or_default();
        let command = fs::read(folder.join("cmdline")).unwrap_or_default();
        let of = |bytes: &[u8], text: &str| String::from_utf8_lossy(bytes).contains(text);
        of(&environment, "BENCH_CONFORMANCE=") && (of(&command, &odd) || of(&command, "os.setsid()"))
    };
    let left = fs::read_dir("/proc").unwrap().flatten().filter(|entry| is_of_odd(&entry.path())).count();
    (ran.stdout, left)
}

#[test]
fn a_driver_that_leaves_a_daemon_is_found_out_and_the_daemon_is_not_left() {
    let (said, left) = checked(&Program::new(), "leaky");
    let broken: Vec<&str> = said.lines().filter(|line| line.starts_with("BROKEN")).collect();
    assert!(
        broken.iter().any(|line| line.contains("after `stop` nothing that it started is left: still there: ")),
        "{said}"
    );
    assert!(broken.iter().any(|line| line.contains("the end of the input ends the process and all")), "{said}");
    assert_eq!((broken.len(), left), (2, 0), "{said}");
}

#[test]
fn a_driver_that_computes_when_the_answer_is_asked_for_is_found_out() {
    let (said, _) = checked(&Program::new(), "lazy");
    let broken: Vec<&str> = said.lines().filter(|line| line.starts_with("BROKEN")).collect();
    assert!(broken.len() == 1 && broken[0].contains("the work is done in `run`"), "{said}");
}

#[test]
fn a_driver_that_explains_more_slot_time_than_there_was_is_found_out() {
    let (said, _) = checked(&Program::new(), "boastful");
    let broken: Vec<&str> = said.lines().filter(|line| line.starts_with("BROKEN")).collect();
    assert!(broken.len() == 1 && broken[0].contains("asked for spans, `digest` explains no more"), "{said}");
}

#[test]
fn a_driver_is_measured_and_its_answer_is_checked() {
    let p = Program::new().with_own_data();
    let (folder, w) = (p.engines(), p.user_workload("select count(*) as n from t", "n\n2\n"));
    let line =
        ["run", "--workload-dir", &w, "--engines", "tiny,datafusion,duckdb", "--trials", "1", "--engines-dir", &folder];
    p.bench(&[&line[..], &["--out", &p.path("out")]].concat()).assert_code(0);
    let outcome = |engine: &str| {
        let of_engine = p.observations("out").into_iter().find(|o| o["case"]["engine"] == engine).unwrap();
        (of_engine["outcome"].as_str().unwrap().to_owned(), of_engine["reason"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!((outcome("tiny").0, outcome("datafusion").0), ("completed".to_owned(), "completed".to_owned()));
    let missing = "not installed (bench engines install duckdb)".to_owned();
    assert_eq!(outcome("duckdb"), ("unsupported".to_owned(), missing));
    let wrong = p.user_workload("select 5 as n", "n\n6\n");
    let line = ["run", "--workload-dir", &wrong, "--engines", "tiny", "--trials", "1", "--engines-dir", &folder];
    p.bench(&[&line[..], &["--out", &p.path("wrong")]].concat()).assert_code(2);
    assert!(p.observations("wrong").iter().all(|o| o["outcome"] == "wrong_answer" && o["wall_ns"].is_null()));
}

#[test]
fn of_a_product_that_can_run_only_once_at_a_time_every_configuration_is_measured_in_turn() {
    let p = Program::new().with_own_data();
    let (folder, w) = (p.engines(), p.user_workload("select count(*) as n from t", "n\n2\n"));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let path = Path::new(&folder).join("engines.toml");
    let text = fs::read_to_string(&path)
        .unwrap()
        .replace("environment = {", &format!("environment = {{ TINY_PORT = \"{port}\","));
    fs::write(&path, text + "one_at_a_time = \"it has one port\"\n").unwrap();
    let listed = p.bench(&["engines", "list", "--engines-dir", &folder]);
    assert!(listed.stdout.contains("    one at a time: it has one port"), "{}", listed.stdout);
    let line = ["run", "--workload-dir", &w, "--engines", "tiny", "--trials", "2", "--engines-dir", &folder];
    let both = [&line[..], &["--configs", "default,tuned"]].concat();
    p.bench(&[&both[..], &["--out", &p.path("out")]].concat()).assert_code(0);
    let observations = p.observations("out");
    assert!(observations.iter().all(|o| o["outcome"] == "completed"), "{observations:?}");
    // A disturbed trial is repeated.
    let asked = observations.iter().filter(|o| o["repeat"].is_null()).count();
    assert_eq!(asked, 6, "two configurations and a twin: {observations:?}");
    let said = |o: &&serde_json::Value| o["notes"].to_string().contains("only one of it can run at a time");
    assert!(observations.iter().filter(said).count() >= 4, "{observations:?}");
    // Somebody else's, which the run cannot end.
    let _other = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    p.bench(&[&line[..], &["--out", &p.path("late")]].concat()).assert_code(2);
    let reason = p.observations("late")[0]["reason"].to_string();
    let holder = format!("(process {})", std::process::id());
    assert!(reason.contains(&format!("port {port} is taken by ")) && reason.contains(&holder), "{reason}");
}

#[test]
fn work_of_a_process_that_detached_itself_is_counted_and_the_process_is_gone_afterwards() {
    let p = Program::new().with_own_data();
    let observations = run(&p, "select burn as n", &[]);
    assert!(observations.iter().all(|o| o["outcome"] == "completed"), "{observations:?}");
    let cpu_ns = observations.iter().map(|o| o["cpu_ns"].as_u64().unwrap()).max().unwrap();
    assert!(cpu_ns >= 300_000_000, "{cpu_ns} ns of half a second were counted");
    assert_eq!(left(&p), Vec::<String>::new());
}

#[test]
fn a_driver_that_dies_or_hangs_is_an_outcome_and_leaves_nothing() {
    for (sql, outcome, words) in
        [("select crash as n", "failed", "exited with code 3"), ("select hang as n", "timed_out", "no answer to `run`")]
    {
        let p = Program::new().with_own_data();
        let observations = run(&p, sql, &["--timeout", "1s"]);
        let said = observations.first().unwrap_or_else(|| panic!("{sql}: nothing is recorded"));
        assert_eq!(said["outcome"], outcome, "{said}");
        assert!(said["reason"].as_str().unwrap().contains(words), "{said}");
        assert_eq!(left(&p), Vec::<String>::new(), "{sql}");
    }
}

#[test]
fn a_harness_that_is_killed_takes_the_driver_s_daemons_with_it() {
    let p = Program::new().with_own_data();
    let (folder, w) = (p.engines(), p.user_workload("select burn as n", "n\n1\n"));
    let out = p.path("out");
    let line =
        ["run", "--workload-dir", &w, "--engines", "tiny", "--trials", "9", "--out", &out, "--engines-dir", &folder];
    let mut child = p.spawn(&line);
    p.wait_for_observations("out", 1, &mut child);
    assert!(!left(&p).is_empty(), "nothing to kill");
    p.signal(&child, "KILL");
    child.wait().unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !left(&p).is_empty() {
        assert!(std::time::Instant::now() < deadline, "still there: {:?}", left(&p));
        std::thread::yield_now();
    }
}

#[test]
fn what_cannot_be_is_refused_with_the_next_step() {
    let p = Program::new();
    let folder = p.engines();
    let refused =
        |line: &[&str], words: &[&str]| p.bench(&[line, &["--engines-dir", &folder]].concat()).assert_refused(words);
    refused(&["engines", "install", "sparc"], &["no product `sparc`", "known: spark"]);
    refused(&["engines", "install", "tiny"], &["nothing to install"]);
    refused(&["engines", "check", "duckdb"], &["bench engines install duckdb"]);
    let run = ["run", "--suite", "smoke", "--engines"];
    let with = |more: &[&'static str]| [&run[..], more].concat();
    let size = ["--attach-nodes", "3", "--attach-slots", "8"];
    let attached = |engines: &'static str, address: &'static str, more: &[&'static str]| {
        [&with(&[engines, "--attach", address])[..], &size, more].concat()
    };
    refused(&with(&["spark", "--attach", "spark=spark://h:1"]), &["--attach-nodes"]);
    refused(&attached("duckdb", "duckdb=tcp://h:1", &[]), &["has no clusters"]);
    refused(&attached("spark", "spark=tcp://h:1", &[]), &["begins with spark://"]);
    refused(&attached("stagedag", "spark=spark://h:1", &[]), &["not part of this run"]);
    refused(&attached("ray", "ray=ray://h:1", &["--configs", "tuned"]), &["keeps its own settings"]);
    refused(&attached("sail", "sail=sc://h:1", &["--memory", "4GiB"]), &["keeps its own limits"]);
    refused(&attached("sail", "sail=sc://h:1/;token=x", &[]), &["no token"]);
    refused(&with(&["spark", "--set", "spark.config=fast"]), &["default, tuned"]);
    let emulated = |more: &[&'static str]| [&with(&["duckdb", "--cluster", "emulated"])[..], more].concat();
    refused(&with(&["duckdb", "--cluster", "processes"]), &["under the limits of one node with --cluster emulated"]);
    refused(&emulated(&["--nodes", "2"]), &["add 1 to --nodes"]);
    refused(&emulated(&["--nodes", "1"]), &["without --node-limits"]);
    refused(&emulated(&["--nodes", "1", "--node-limits", "link=100"]), &["leave out link="]);
    refused(&emulated(&["--nodes", "1", "--faults", "kill@50%"]), &["`duckdb` in a run without"]);
    refused(&with(&["sparkle"]), &["unknown engine `sparkle`", "spark"]);
}

#[test]
fn a_cluster_that_runs_already_is_another_case_of_its_own_size() {
    let p = Program::new();
    let folder = p.engines();
    let cases = |address: &str| {
        let attach = format!("spark={address}");
        let line =
            ["run", "--suite", "smoke", "--engines", "spark", "--families", "sql", "--dry-run", "--json", "--attach"];
        let size = ["--attach-nodes", "3", "--attach-slots", "8", "--memory", "4GiB", "--engines-dir", &folder];
        let ran = p.bench(&[&line[..], &[&attach], &size].concat());
        ran.assert_code(0);
        serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap()["cases"][0].clone()
    };
    let (one, other) = (cases("spark://one:7077"), cases("spark://other:7077"));
    assert_eq!((&one["cluster"], &one["nodes"], &one["slots"]), (&"attached".into(), &3.into(), &8.into()));
    let variant = one["variant"].as_str().unwrap();
    assert!(variant.starts_with("memory=4GiB,attached=") && !variant.contains("one"), "{variant}");
    assert_ne!(one["variant"], other["variant"], "times on two clusters are not repetitions");
}

#[test]
#[ignore = "needs installed products: BENCH_ENGINES"]
fn every_installed_product_keeps_to_the_protocol() {
    let _alone = killed::alone();
    let folder = killed::products();
    let p = Program::new();
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap());
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| killed::has(&folder, name)).collect();
    names.sort();
    assert!(!names.is_empty(), "nothing is installed in {folder}: bench engines install all");
    let broken = names.iter().filter_map(|name| {
        let ran = p.bench(&["engines", "check", name, "--engines-dir", &folder]);
        eprintln!("{name}: checked in {:.0} s", ran.took.as_secs_f64());
        (ran.code() != Some(0)).then(|| format!("{name}: {}{}", ran.stdout, ran.stderr))
    });
    assert_eq!(broken.collect::<Vec<_>>(), Vec::<String>::new());
}

/// The real products, from the network: `cargo test --release -p bench --test products -- --ignored`.
#[test]
#[ignore = "installs products from the network and takes minutes"]
fn installed_products_keep_to_the_protocol_and_answer_the_smoke_suite() {
    let _alone = killed::alone();
    let p = Program::new();
    let folder = p.path("engines");
    let line = ["engines", "install", "duckdb", "polars", "datafusion-py", "--engines-dir", &folder];
    p.bench(&line).assert_code(0);
    for name in ["duckdb", "polars", "datafusion-py"] {
        p.bench(&["engines", "check", name, "--engines-dir", &folder]).assert_code(0);
    }
    let line =
        ["run", "--suite", "smoke", "--engines", "duckdb,polars,datafusion-py,stagedag", "--families", "sql,dataframe"];
    let more = ["--trials", "1", "--configs", "default,tuned", "--engines-dir", &folder, "--out", &p.path("out")];
    p.bench(&[&line[..], &more[..]].concat()).assert_code(0);
    p.assert_all_completed("out", 43 * 7);
}

#[test]
fn overhead_of_a_driver_and_of_a_style_is_measured_kept_and_shown_again() {
    let p = Program::new();
    let (folder, out) = (p.engines(), p.path("out"));
    let line = [
        "overhead",
        "--engines",
        "tiny,stagedag,datafusion-1t,duckdb",
        "--trials",
        "2",
        "--memory",
        "64MiB",
        "--slots",
        "2",
    ];
    let ran = p.bench(&[&line[..], &["--engines-dir", &folder, "--out", &out]].concat());
    ran.assert_code(0);
    let again = p.bench(&["overhead", "--from", &out]);
    again.assert_code(0);
    assert_eq!(again.stdout, ran.stdout);
    for words in [
        "duckdb, start-up: unsupported: not installed (bench engines install duckdb)",
        "tiny, spill, read spilled: unsupported: tiny has no probe `spill`: it has no store",
        "stagedag, recovery: unsupported: one process holds all of it",
    ] {
        assert!(ran.stdout.replace("\n  ", " ").contains(words), "{words}:\n{}", ran.stdout);
    }
    let json = p.bench(&["overhead", "--from", &out, "--json"]);
    let report: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let figure = |label: &str, figure: &str| {
        let engines = report["engines"].as_array().unwrap();
        let engine = engines.iter().find(|e| e["label"] == label).unwrap_or_else(|| panic!("no {label}: {report}"));
        let figures = engine["figures"].as_array().unwrap().iter().find(|f| f["figure"] == figure).unwrap();
        (figures["outcome"].as_str().unwrap().to_owned(), figures["median"].as_f64())
    };
    for (label, name) in [
        ("tiny", "startup"),
        ("tiny", "idle_memory"),
        ("tiny", "tasks"),
        ("stagedag", "put"),
        ("stagedag", "get"),
        ("stagedag", "round_trip"),
        ("stagedag/2", "tasks"),
        ("stagedag/2", "startup"),
        ("datafusion-1t", "idle_memory"),
    ] {
        let (outcome, median) = figure(label, name);
        assert!(outcome == "completed" && median.is_some_and(|m| m > 0.0), "{label} {name}: {outcome} {median:?}");
    }
    let (outcome, recovery) = figure("stagedag/2", "recovery");
    assert!(outcome == "completed" && recovery.is_some(), "{outcome}");
    assert_eq!(figure("datafusion-1t", "tasks").0, "unsupported");
    let page = p.bench(&["report", &out, "--format", "html"]);
    page.assert_code(0);
    assert!(page.stdout.contains("id=\"overhead-0\"") && page.stdout.contains(">tiny<"), "{}", page.stdout);
    p.bench(&["report", &out, "--format", "csv"]).assert_refused(&["bench overhead", "no rows"]);
    p.bench(&["claims", &out, "--prices", "aws"]).assert_refused(&["--prices", "bench run"]);
    let claims = p.bench(&["claims", &out]);
    claims.assert_code(0);
    assert!(claims.stdout.contains("startup") && claims.stdout.contains("not tested here"), "{}", claims.stdout);
    let lines = fs::read_to_string(p.file("out").join("samples.ndjson")).unwrap();
    assert!(lines.lines().all(|line| line.starts_with("{\"schema\":1,")), "{lines}");
    p.bench(&[&line[..], &["--engines-dir", &folder, "--out", &out]].concat()).assert_refused(&["is not empty"]);
    assert_eq!(left(&p), Vec::<String>::new());
}

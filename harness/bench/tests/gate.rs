//! `bench compare`, `bench run --against` and `bench history`, as a user runs them, from the run to the exit code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod program;

use program::Program;
use serde_json::Value;
use std::fs;

/// Trials of the recorded runs: as many as two cases and a few more need.
const TRIALS: u64 = 10;

/// A real run of two engines on three workloads, whose times are then replaced: 50 ms, within 1 %, times a factor.
fn record(p: &Program, name: &str, second: u64, trials: u64, factor: impl Fn(&str, &str) -> f64) {
    if !p.file("real").exists() {
        let engines = "stagedag,datafusion";
        let run = ["run", "--suite", "smoke", "--workloads", "tpch-q0[136]", "--engines", engines, "--trials", "1"];
        p.bench(&[&run[..], &["--out", p.path("real").as_str(), "-q"]].concat()).assert_code(0);
    }
    fs::create_dir(p.file(name)).unwrap();
    let mut context: Value = serde_json::from_slice(&fs::read(p.file("real/run.json")).unwrap()).unwrap();
    context["started_at"] = format!("2026-11-22T19:04:{second:02}.000Z").into();
    context["trials"] = trials.into();
    fs::write(p.file(&format!("{name}/run.json")), context.to_string()).unwrap();
    let lines: Vec<Value> = p.observations("real").into_iter().filter(|o| o["trial"] == 0).collect();
    let mut out = String::new();
    for line in &lines {
        for trial in 0..trials {
            let mut o = line.clone();
            let text = |key: &str| line["case"][key].as_str().unwrap().to_owned();
            let jitter = 1.0 + 0.001 * ((trial * 7 + second) % 10) as f64;
            let ns = 5e7 * jitter * factor(&text("workload"), &text("engine"));
            o["trial"] = trial.into();
            o["wall_ns"] = (ns as u64 + trial * 13 + second).into();
            o["contaminated"] = false.into();
            o.as_object_mut().unwrap().remove("contamination");
            out.push_str(&o.to_string());
            out.push('\n');
        }
    }
    fs::write(p.file(&format!("{name}/observations.ndjson")), out).unwrap();
}

/// Three turns of two builds: `base`, `base-1`, `base-2` and the same of `name`, and the words that compare them.
fn turns(p: &Program, name: &str, factor: impl Fn(&str, &str) -> f64 + Copy) -> Vec<String> {
    let mut words = vec!["compare".to_owned(), "base".to_owned(), name.to_owned()];
    for turn in 0..3u64 {
        let suffix = if turn == 0 { String::new() } else { format!("-{turn}") };
        let seconds = if turn % 2 == 0 { [10 * turn, 10 * turn + 1] } else { [10 * turn + 1, 10 * turn] };
        if !p.file(&format!("base{suffix}")).exists() {
            record(p, &format!("base{suffix}"), seconds[0], TRIALS, |_, _| 1.0);
        }
        record(p, &format!("{name}{suffix}"), seconds[1], TRIALS, factor);
        if turn > 0 {
            words.extend([
                "--more-base".into(),
                format!("base{suffix}"),
                "--more-new".into(),
                format!("{name}{suffix}"),
            ]);
        }
    }
    words
}

fn words(all: &[String]) -> Vec<&str> {
    all.iter().map(String::as_str).collect()
}

fn slow_stagedag(workload: &str, engine: &str) -> f64 {
    if (workload, engine) == ("tpch-q03", "stagedag") { 1.3 } else { 1.0 }
}

#[test]
fn compare_ends_with_the_code_of_its_verdict() {
    let p = Program::new();
    let same = turns(&p, "same", |_, _| 1.0);
    let slow = turns(&p, "slow", slow_stagedag);
    record(&p, "few", 4, 3, slow_stagedag);
    let fine = p.bench(&words(&same));
    fine.assert_code(0);
    assert!(fine.stdout.starts_with("Verdict: fine"), "{}", fine.stdout);
    let slower = p.bench(&words(&slow));
    slower.assert_code(1);
    assert!(slower.stdout.contains("sql tpch-q03 on stagedag: 30."), "{}", slower.stdout);
    assert!(slower.stdout.lines().all(|l| l.chars().count() <= 100), "{}", slower.stdout);
    p.bench(&[&words(&slow)[..], &["--budget", "*@stagedag=50%"]].concat()).assert_code(0);
    // One run a side rules nothing out, however many its trials.
    p.bench(&["compare", "base", "same"]).assert_code(3);
    p.bench(&["compare", "base", "few"]).assert_code(3);
    p.bench(&["compare", "base", "base"]).assert_refused(&["same run"]);
    p.bench(&["compare", "base", "nowhere"]).assert_refused(&["nowhere"]);
    p.bench(&["compare", "base", "slow", "--budget", "none"]).assert_refused(&["5%"]);
}

#[test]
fn other_machines_and_damaged_folders_are_refused_without_a_panic() {
    let p = Program::new();
    record(&p, "base", 1, TRIALS, |_, _| 1.0);
    for (name, edit) in [("cut", "{"), ("nan", "\"wall_ns\":NaN"), ("negative", "\"wall_ns\":-5")] {
        record(&p, name, 2, TRIALS, |_, _| 1.0);
        let path = p.file(&format!("{name}/observations.ndjson"));
        let text = fs::read_to_string(&path).unwrap();
        let at = text.find("\"wall_ns\":").unwrap();
        let end = at + text[at..].find([',', '}']).unwrap();
        fs::write(&path, format!("{}{edit}{}", &text[..at], &text[end..])).unwrap();
        p.bench(&["compare", "base", name]).assert_refused(&["observations.ndjson", "line 1"]);
        p.bench(&["history", "add", "store", name]).assert_refused(&["observations.ndjson"]);
    }
    record(&p, "long", 3, TRIALS, |_, _| 1.0);
    fs::write(p.file("long/observations.ndjson"), vec![b'x'; 3 << 20]).unwrap();
    p.bench(&["compare", "base", "long"]).assert_refused(&["longer than"]);
    record(&p, "other", 4, TRIALS, |_, _| 1.0);
    let context = fs::read_to_string(p.file("other/run.json")).unwrap();
    let model = context.find("\"cpu_model\":\"").unwrap() + 13;
    fs::write(p.file("other/run.json"), format!("{}Other {}", &context[..model], &context[model..])).unwrap();
    p.bench(&["compare", "base", "other"]).assert_refused(&["times of two machines", "--relative-to"]);
}

#[test]
fn an_allowance_counts_until_its_last_day_and_is_an_error_afterwards() {
    let p = Program::new();
    let slow = turns(&p, "slow", slow_stagedag);
    let allow = |workload: &str, until: &str| {
        let text = format!("[[allow]]\nworkload = '{workload}'\nuntil = '{until}'\nreason = 'known-trade'\n");
        fs::write(p.file("allow.toml"), text).unwrap();
        p.bench(&[&words(&slow)[..], &["--allow", "allow.toml"]].concat())
    };
    let ran = allow("tpch-q03", "9999-12-31");
    ran.assert_code(0);
    assert!(ran.stdout.contains("known-trade"), "{}", ran.stdout);
    let unused = allow("tpch-q01", "9999-12-31");
    unused.assert_code(1);
    assert!(unused.stderr.contains("entry 1 allows nothing"), "{}", unused.stderr);
    allow("tpch-q03", "9999-12-31").assert_code(0);
    // One run a side only suspects the slow-down, and its entry is in use all the same.
    let once = p.bench(&["compare", "base", "slow", "--allow", "allow.toml"]);
    once.assert_code(3);
    assert!(once.stdout.contains("1 regression is allowed"), "{}", once.stdout);
    assert!(!once.stderr.contains("allows nothing"), "{}", once.stderr);
    allow("tpch-q03", "2020-01-01").assert_refused(&["allow.toml", "entry 1", "ran out on 2020-01-01"]);
    p.bench(&["compare", "base", "slow", "--allow", "none.toml"]).assert_refused(&["none.toml"]);
}

#[test]
fn every_format_is_written_to_its_file_beside_the_table() {
    let p = Program::new();
    let slow = turns(&p, "slow", slow_stagedag);
    let mut line = words(&slow);
    let files = ["md=v.md", "json=v.json", "junit=v.xml", "sarif=v.sarif", "github=v.txt", "table=v.table"];
    files.iter().for_each(|f| line.extend(["--write", f]));
    let ran = p.bench(&line);
    ran.assert_code(1);
    let read = |name: &str| fs::read_to_string(p.file(name)).unwrap();
    assert_eq!(read("v.table"), ran.stdout);
    let json: Value = serde_json::from_str(&read("v.json")).unwrap();
    assert_eq!((json["verdict"].as_str(), json["exit_code"].as_u64()), (Some("regression"), Some(1)));
    assert!(read("v.xml").contains("<failure type=\"slower\""));
    assert!(serde_json::from_str::<Value>(&read("v.sarif")).is_ok());
    assert!(read("v.txt").starts_with("::error title=bench%3A regression::"), "{}", read("v.txt"));
    p.bench(&["compare", "base", "slow", "--write", "junit=no/such/folder.xml"])
        .assert_refused(&["no/such/folder.xml"]);
}

#[test]
fn suspects_are_measured_again_and_nothing_else() {
    let p = Program::new();
    record(&p, "base", 1, TRIALS, |_, _| 1.0);
    record(&p, "slow", 2, TRIALS, slow_stagedag);
    let program = env!("CARGO_BIN_EXE_bench");
    let confirm = ["--confirm", "--confirm-trials", "4", "--base-binary", program, "--confirm-out", "again", "-q"];
    let ran = p.bench(&[&["compare", "base", "slow", "--format", "json"], &confirm[..]].concat());
    let json: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}\n{}\n{}", ran.stdout, ran.stderr));
    assert_eq!((json["confirmation"]["cases"].as_u64(), &json["confirmation"]["both_sides"]), (Some(1), &true.into()));
    for folder in ["again/base-0-stagedag", "again/base-1-stagedag", "again/new-0-stagedag", "again/new-1-stagedag"] {
        let lines = p.observations(folder);
        assert!(
            lines.iter().all(|o| o["case"]["workload"] == "tpch-q03" && o["case"]["engine"] == "stagedag"),
            "{folder}"
        );
        assert!(lines.iter().any(|o| o["arm"] == "aa"), "{folder} has no A/A arm");
    }
    // The same program on both sides is no regression, whatever the recorded times said.
    let code = json["exit_code"].as_u64().unwrap();
    assert!([0, 3].contains(&code), "{}", ran.stdout);
    p.bench(&["compare", "base", "slow", "--confirm", "--base-binary", program, "--new-binary", "/bin/true"])
        .assert_refused(&["--new-binary", "build"]);
    // Recorded times of BASE chose the suspects, and cannot clear or convict them.
    p.bench(&["compare", "base", "slow", "--confirm"]).assert_refused(&["--base-binary"]);
    p.bench(&["compare", "base", "base", "--base-binary", program]).assert_refused(&["--confirm"]);
}

#[test]
fn each_engines_suspects_are_measured_with_its_own_twin_and_settings() {
    let p = Program::new();
    record(&p, "base", 1, TRIALS, |_, _| 1.0);
    record(&p, "slow", 2, TRIALS, |workload, engine| match (workload, engine) {
        ("tpch-q03", "stagedag") | ("tpch-q06", "datafusion") => 1.3,
        _ => 1.0,
    });
    let program = env!("CARGO_BIN_EXE_bench");
    let confirm = ["--confirm", "--confirm-trials", "2", "--base-binary", program, "--confirm-out", "again", "-q"];
    let ran = p.bench(&[&["compare", "base", "slow", "--format", "json"], &confirm[..]].concat());
    let json: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}\n{}\n{}", ran.stdout, ran.stderr));
    assert_eq!(json["confirmation"]["cases"].as_u64(), Some(2), "{}", ran.stdout);
    for (folder, workload) in [("again/new-0-stagedag", "tpch-q03"), ("again/new-0-datafusion", "tpch-q06")] {
        let lines = p.observations(folder);
        assert!(lines.iter().all(|o| o["case"]["workload"] == workload), "{folder}");
        assert!(lines.iter().any(|o| o["arm"] == "aa"), "{folder} has no A/A arm");
    }
    // What NEW had set for an engine without a suspect is no setting of those that are measured again.
    record(
        &p,
        "set",
        3,
        TRIALS,
        |workload, engine| {
            if (workload, engine) == ("tpch-q06", "datafusion") { 1.3 } else { 1.0 }
        },
    );
    let mut context: Value = serde_json::from_slice(&fs::read(p.file("set/run.json")).unwrap()).unwrap();
    let line = context["command_line"].as_array_mut().unwrap();
    line.extend(["--set".into(), "stagedag.speculation=off".into(), "--set=stagedag.adaptive=off".into()]);
    // Nor is what it was to be compared with.
    let told =
        ["--against", "base", "--prices", "aws", "--runs-per-day=5", "--write", "md=told.md", "--write=json=told"];
    line.extend(told.map(Value::from));
    fs::write(p.file("set/run.json"), context.to_string()).unwrap();
    let confirm = ["--confirm", "--confirm-trials", "2", "--base-binary", program, "--confirm-out", "other", "-q"];
    let ran = p.bench(&[&["compare", "base", "set", "--format", "json"], &confirm[..]].concat());
    let json: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}\n{}\n{}", ran.stdout, ran.stderr));
    assert_eq!(json["confirmation"]["cases"].as_u64(), Some(1), "{}", ran.stdout);
    assert!(!p.file("told.md").exists() && !p.file("told").exists());
}

#[test]
fn a_run_against_an_earlier_one_is_told_as_a_comparison_is() {
    let p = Program::new();
    let run = ["run", "--suite", "smoke", "--workloads", "tpch-q06", "--engines", "datafusion", "--trials", "3", "-q"];
    p.bench(&[&run[..], &["--out", "a"]].concat()).assert_code(0);
    let against = |out: &str, more: &[&str]| p.bench(&[&run[..], &["--out", out], more].concat());
    let told = ["--prices", "aws", "--runs-per-day", "5", "--write", "json=v.json", "--write", "junit=v.xml"];
    against("b", &[&["--against", "a"], &told[..]].concat()).assert_code(3);
    let read = |name: &str| fs::read_to_string(p.file(name)).unwrap();
    let (run_says, junit) = (read("v.json"), read("v.xml"));
    let verdict: Value = serde_json::from_str(&run_says).unwrap();
    assert_eq!(verdict["verdict"].as_str(), Some("inconclusive"), "{run_says}");
    assert!(junit.contains("<testsuite"), "{junit}");
    p.bench(&[&["compare", "a", "b"], &told[..]].concat()).assert_code(3);
    assert_eq!((run_says, junit), (read("v.json"), read("v.xml")), "one and the same comparison");
    // A record may be somebody else's, and says nothing about files of whoever resumes it.
    fs::remove_file(p.file("v.json")).unwrap();
    let again = p.bench(&["run", "--resume", "b"]);
    again.assert_code(3);
    assert!(again.stderr.contains("a resumed run writes no verdict to"), "{}", again.stderr);
    assert!(!p.file("v.json").exists());
    let lost = against("c", &["--against", "a", "--write", "md=no/such/v.md"]);
    lost.assert_refused(&["no/such/v.md", "bench compare a c"]);
    assert!(lost.stdout.contains("Verdict: inconclusive"), "it is printed all the same: {}", lost.stdout);
    against("d", &["--against", "a", "--prices", "mars"]).assert_refused(&["price book mars"]);
    against("d", &["--write", "md=v.md"]).assert_refused(&["--against"]);
    against("d", &["--prices", "aws"]).assert_refused(&["--against"]);
    assert!(!p.file("d").exists(), "nothing is measured that cannot be told");
}

#[test]
fn a_run_against_an_earlier_one_ends_with_a_verdict() {
    let p = Program::new();
    let run = ["run", "--suite", "smoke", "--workloads", "tpch-q06", "--engines", "datafusion", "--trials", "3", "-q"];
    p.bench(&[&run[..], &["--out", "a"]].concat()).assert_code(0);
    let ran = p.bench(&[&run[..], &["--out", "b", "--against", "a"]].concat());
    // Three trials show nothing and rule nothing out.
    ran.assert_code(3);
    assert!(ran.stdout.contains("Verdict: inconclusive"), "{}", ran.stdout);
    let json = p.bench(&[&run[..], &["--out", "j", "--against", "a", "--json"]].concat());
    let one: Value = serde_json::from_str(&json.stdout).unwrap_or_else(|e| panic!("{e}: {}", json.stdout));
    assert_eq!((one["gate"]["verdict"].as_str(), one["comparison"].is_object()), (Some("inconclusive"), true));
    let other = ["run", "--suite", "smoke", "--workloads", "tpch-q06", "--engines", "stagedag", "--trials", "1", "-q"];
    let refused = p.bench(&[&other[..], &["--out", "d", "--against", "a"]].concat());
    refused.assert_refused(&["differ in engine"]);
    assert!(!p.file("d").exists(), "nothing is measured that cannot be compared");
    let early = p.bench(&[&run[..], &["--out", "c", "--against", "nowhere"]].concat());
    early.assert_refused(&["nowhere"]);
    assert!(!p.file("c").exists(), "nothing is measured that cannot be compared");
}

#[test]
fn a_history_keeps_each_run_once_and_survives_a_torn_line() {
    let p = Program::new();
    for day in 1..=24u64 {
        record(&p, &format!("r{day}"), day, 3, |_, engine| if engine == "stagedag" && day > 12 { 1.1 } else { 1.0 });
        p.bench(&["history", "add", "store", &format!("r{day}"), "--label", &format!("commit {day}")]).assert_code(0);
    }
    let file = fs::read_dir(p.file("store")).unwrap().next().unwrap().unwrap().path();
    let before = fs::read(&file).unwrap();
    p.bench(&["history", "add", "store", "r7"]).assert_refused(&["r7", "line 7", "already"]);
    record(&p, "fresh", 29, 3, |_, _| 1.0);
    p.bench(&["history", "add", "store", "fresh", "r7"]).assert_refused(&["r7", "line 7", "already"]);
    p.bench(&["history", "add", "store", "fresh", "fresh"]).assert_refused(&["fresh", "given twice"]);
    assert_eq!(fs::read(&file).unwrap(), before, "a refused run changes nothing");
    fs::write(&file, [&before[..], b"{\"schema\":1,\"mach"].concat()).unwrap();
    let shown = p.bench(&["history", "changepoints", "store", "--engines", "stagedag"]);
    shown.assert_code(0);
    assert_eq!(shown.stdout.matches("commit 13").count(), 3, "{}", shown.stdout);
    assert!(shown.stdout.contains("+10."), "{}", shown.stdout);
    let none = p.bench(&["history", "changepoints", "store", "--engines", "datafusion"]);
    assert!(none.stdout.contains("No change in series of up to 24 runs"), "{}", none.stdout);
    record(&p, "next", 30, 3, |_, _| 1.0);
    p.bench(&["history", "add", "store", "next"]).assert_code(0);
    let after = fs::read(&file).unwrap();
    assert!(after.starts_with(&before) && after.ends_with(b"\n"), "a torn line is cut off, whole ones are kept");
    assert_eq!(after.iter().filter(|b| **b == b'\n').count(), 25);
    let svg = p.bench(&["history", "changepoints", "store", "--format", "svg", "--out", "h.svg"]);
    svg.assert_code(0);
    assert!(fs::read_to_string(p.file("h.svg")).unwrap().contains("+10."));
    p.bench(&["history", "show", "store", "--machine", "../x"]).assert_refused(&["no machine"]);
    p.bench(&["history", "show", "nowhere"]).assert_refused(&["history add"]);
    p.bench(&["history", "changepoints", "store", "--p", "7"]).assert_refused(&["no probability"]);
    fs::write(&file, "not json\n").unwrap();
    p.bench(&["history", "show", "store"]).assert_refused(&["line 1", "not an entry"]);
}

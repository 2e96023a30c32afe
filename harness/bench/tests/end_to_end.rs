//! The built program, as a user runs it: real data, real processes, real files.
//!
//! Long because: every way in which a run can start, end or be continued is one claim here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod program;

use program::Program;
use std::fs;
use std::time::Duration;

const ALL: [&str; 5] = ["actor", "taskgraph", "stagedag", "datafusion", "datafusion-1t"];

#[test]
fn a_run_checks_every_answer_of_every_engine_and_reports_it() {
    let p = Program::new();
    let out = p.path("out");
    let run = ["run", "--suite", "smoke", "--families", "sql,dataframe", "--trials", "2", "--out", out.as_str()];
    let ran = p.bench(&run);
    ran.assert_code(0);
    let lines = p.observations("out");
    for engine in ALL {
        let counts =
            |o: &&serde_json::Value| o["case"]["engine"] == engine && o["arm"] == "main" && o["repeat"].is_null();
        assert_eq!(lines.iter().filter(counts).count(), 43 * 2, "{engine}");
    }
    for line in &lines {
        assert_eq!(line["outcome"], "completed", "{line}");
        assert!(line["oracle"].as_str().is_some_and(|o| o.starts_with("duckdb ")), "{line}");
        assert!(line["wall_ns"].as_u64().is_some_and(|ns| ns > 0));
        assert!(line["rss_bytes_peak"].as_u64().is_some_and(|b| b > 0));
    }
    for word in ["tpch-q01", "groupby-q10", "pivot", "noise floor", "COST", "completed", "not comparable"] {
        assert!(ran.stdout.contains(word), "{word} is missing:\n{}", ran.stdout);
    }
    assert!(ran.stdout.lines().all(|l| l.chars().count() <= 100), "{}", ran.stdout);
    for format in ["table", "md", "json"] {
        p.bench(&["report", p.path("out").as_str(), "--format", format]).assert_code(0);
    }
    let files = [
        ("html", "<!doctype html>"),
        ("csv", "run,line,key,"),
        ("parquet", "PAR1"),
        ("arrow", "ARROW1"),
        ("svg", "<svg"),
    ];
    for (format, start) in files {
        let file = p.path(&format!("report.{format}"));
        p.bench(&["report", out.as_str(), "--format", format, "-o", file.as_str()]).assert_code(0);
        assert!(fs::read(file).unwrap().starts_with(start.as_bytes()), "{format}");
    }
    assert_rows(&p.path("report.parquet"), &lines);
    let file = p.path("decide.html");
    let sections = ["--format", "html", "--prices", "aws", "--claims", "-o", file.as_str()];
    p.bench(&[&["report", out.as_str()], &sections[..]].concat()).assert_code(0);
    let page = fs::read_to_string(&file).unwrap();
    for part in ["id=\"prices\"", "id=\"claims\"", "self-hosted", "not tested here"] {
        assert!(page.contains(part), "{part} is missing");
    }
    assert!(page.contains(&format!("bench report {out} --prices aws --format html -o {file} --claims")), "{file}");
    let record = p.path("out/observations.ndjson");
    let kept = fs::read(&record).unwrap();
    p.bench(&["report", out.as_str(), "--format", "html", "-o", record.as_str()])
        .assert_refused(&["part of what was measured"]);
    assert_eq!(fs::read(&record).unwrap(), kept);
    p.bench(&["report", out.as_str(), "--prices", "aws"]).assert_refused(&["--prices", "--format html"]);
}

/// A Parquet file, read back, has a row per observation with its numbers.
fn assert_rows(file: &str, lines: &[serde_json::Value]) {
    use arrow::array::AsArray;
    use arrow::datatypes::UInt64Type;
    let opened = fs::File::open(file).unwrap();
    let reader =
        parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(opened).unwrap().build().unwrap();
    let mut seen = 0;
    for batch in reader {
        let batch = batch.unwrap();
        let column = |name: &str| batch.column_by_name(name).unwrap();
        for row in 0..batch.num_rows() {
            let line = column("line").as_primitive::<UInt64Type>().value(row) as usize;
            let recorded = &lines[line - 1];
            assert_eq!(column("key").as_string::<i32>().value(row), recorded["key"]);
            assert_eq!(column("wall_ns").as_primitive::<UInt64Type>().value(row), recorded["wall_ns"]);
            assert_eq!(column("outcome").as_string::<i32>().value(row), recorded["outcome"]);
        }
        seen += batch.num_rows();
    }
    assert_eq!(seen, lines.len());
}

#[test]
fn a_killed_run_resumes_with_exactly_the_missing_trials() {
    let p = Program::new();
    let out = p.path("out");
    let run = ["run", "--suite", "smoke", "--workloads", "tpch-q0?", "--trials", "3", "--out", out.as_str()];
    let mut child = p.spawn(&run);
    p.wait_for_observations("out", 6, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    let before = fs::read(p.file("out/observations.ndjson")).unwrap();
    let resumed = p.bench(&["run", "--resume", out.as_str()]);
    resumed.assert_code(0);
    let after = fs::read(p.file("out/observations.ndjson")).unwrap();
    let whole = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    assert_eq!(after[..whole], before[..whole], "recorded trials are never touched");
    let lines = p.observations("out");
    let mut ids: Vec<String> = lines
        .iter()
        .filter(|o| o["repeat"].is_null() && o["trial"].as_u64().is_some_and(|t| t < 3))
        .map(|o| format!("{} {} {}", o["key"], o["arm"], o["trial"]))
        .collect();
    ids.sort();
    let before_dedup = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), before_dedup, "no trial is there twice");
    // Nine queries, every engine and one twin, three trials.
    assert_eq!(ids.len(), 9 * (ALL.len() + 1) * 3);
    assert!(lines.iter().all(|o| o["outcome"] == "completed"), "{lines:?}");
    let again = p.bench(&["run", "--resume", out.as_str()]);
    again.assert_code(0);
    assert_eq!(fs::read(p.file("out/observations.ndjson")).unwrap(), after, "a finished run has nothing left to do");
}

#[test]
fn an_interrupted_run_ends_with_130_and_says_how_to_go_on() {
    let p = Program::new().with_own_data();
    let out = p.path("out");
    let mut child = p.spawn(&["run", "--suite", "smoke", "--trials", "9", "--out", out.as_str()]);
    p.wait_for_observations("out", 2, &mut child);
    assert_eq!(p.scratch_folders(), 1, "engines work in a scratch folder while the run goes on");
    p.signal(&child, "INT");
    let ended = child.ended();
    ended.assert_code(130);
    assert!(ended.stderr.contains("bench run --resume"), "{}", ended.stderr);
    p.bench(&["report", out.as_str()]).assert_code(0);
    assert_eq!(p.scratch_folders(), 0, "nothing is left behind");
}

#[test]
fn what_a_killed_run_leaves_behind_is_removed_by_the_next_one() {
    let p = Program::new().with_own_data();
    let run = ["run", "--suite", "smoke", "--workloads", "tpch-q0?", "--trials", "9", "--out"];
    let mut child = p.spawn(&[&run[..], &[p.path("killed").as_str()]].concat());
    p.wait_for_observations("killed", 1, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(p.scratch_folders(), 1, "nobody can clean up after a kill");
    p.bench(&["run", "--suite", "smoke", "--workloads", "tpch-q01", "--trials", "1", "--out", p.path("next").as_str()])
        .assert_code(0);
    assert_eq!(p.scratch_folders(), 0);
}

#[test]
fn a_run_goes_on_only_with_the_same_build_programs_and_data_and_from_any_folder() {
    let p = Program::new();
    let w = p.user_workload("select k, v from t", "k,v\n1,10\n2,20\n");
    fs::rename(&w, p.file("own")).unwrap();
    // Relative paths: the run must not depend on where it is continued.
    let ran = p.bench(&["run", "--workload-dir", "own", "--trials", "1", "--out", "out"]);
    ran.assert_code(0);
    let (out, elsewhere) = (p.path("out"), Program::new());
    let resume = || elsewhere.bench(&["run", "--resume", out.as_str()]);
    resume().assert_code(0);

    let changes = [
        ("out/run.json", "\"build_id\": \"", "\"build_id\": \"0", "build"),
        ("own/t.csv", "1,10", "1,11", "dataset own"),
        ("own/mine.sql", "select k, v", "select k , v", "workload mine"),
        ("own/mine.csv", "1,10", "1,11", "workload mine"),
    ];
    for (file, from, to, named) in changes {
        let before = fs::read_to_string(p.file(file)).unwrap();
        fs::write(p.file(file), before.replacen(from, to, 1)).unwrap();
        resume().assert_refused(&[named, "start a new run"]);
        fs::write(p.file(file), before).unwrap();
    }
    resume().assert_code(0);
    elsewhere.bench(&["run", "--resume", out.as_str(), "--data", "other"]).assert_refused(&["--data", "--resume"]);
    elsewhere.bench(&["run", "--resume", out.as_str(), "--dry-run"]).assert_refused(&["--dry-run", "--resume"]);
}

#[test]
fn a_folder_that_cannot_take_the_run_is_refused_before_tables_are_made() {
    let p = Program::new().with_own_data();
    fs::create_dir(p.path("foreign")).unwrap();
    fs::write(p.file("foreign/notes.txt"), "mine").unwrap();
    let run = ["run", "--suite", "smoke", "--out"];
    let (foreign, below) = (p.path("foreign"), p.path("foreign/notes.txt/run"));
    for (out, word) in [(foreign.as_str(), "notes.txt"), (&below, "notes.txt/run"), ("/proc/self/run", "cannot write")]
    {
        p.bench(&[&run[..], &[out]].concat()).assert_refused(&[word]);
        p.bench(&[&run[..], &[out, "--dry-run"]].concat()).assert_refused(&[word]);
    }
    assert!(!p.file("data").exists(), "no table was made");
}

#[test]
fn a_reader_that_has_seen_enough_does_not_change_how_a_run_ends() {
    let p = Program::new();
    let w = p.user_workload("select k, v from t", "k,v\n1,10\n2,99\n");
    let mut child = p.spawn(&["run", "--workload-dir", w.as_str(), "--trials", "1", "--out", p.path("out").as_str()]);
    drop(child.stdout.take());
    child.ended().assert_code(2);
}

#[test]
fn quiet_leaves_nothing_to_say_when_all_is_well() {
    let p = Program::new();
    let w = p.user_workload("select k, v from t", "k,v\n1,10\n2,20\n");
    let ran = p.bench(&["-q", "run", "--workload-dir", w.as_str(), "--trials", "1", "--out", p.path("out").as_str()]);
    ran.assert_code(0);
    assert_eq!(ran.stderr, "");
    assert!(ran.stdout.contains("mine"), "{}", ran.stdout);
}

#[test]
fn a_wrong_answer_has_no_time_and_ends_with_2() {
    let p = Program::new();
    let w = p.user_workload("select k, v from t", "k,v\n1,10\n2,99\n");
    let ran = p.bench(&["run", "--workload-dir", w.as_str(), "--trials", "1", "--out", p.path("out").as_str()]);
    ran.assert_code(2);
    let lines = p.observations("out");
    assert_eq!(lines.len(), ALL.len() + 1, "every engine and a twin");
    for line in lines {
        assert_eq!(line["outcome"], "wrong_answer");
        assert!(line["wall_ns"].is_null());
    }
    assert!(ran.stdout.contains("wrong"), "{}", ran.stdout);
    // Whoever reads such a run says so by the same code.
    let out = p.path("out");
    p.bench(&["report", out.as_str()]).assert_code(2);
    p.bench(&["claims", out.as_str()]).assert_code(2);
    p.bench(&["recommend", out.as_str(), "--mix", "sql=1"]).assert_code(2);
}

#[test]
fn a_users_workload_runs_like_a_built_in_one() {
    let p = Program::new();
    let w = p.user_workload("select k, v from t", "k,v\n2,20\n1,10\n");
    let out = p.path("out");
    let run = ["run", "--workload-dir", w.as_str(), "--trials", "1", "--keep-results", "--out", out.as_str()];
    p.bench(&run).assert_code(0);
    p.assert_all_completed("out", ALL.len() + 1);
    let kept = fs::read_dir(p.file("out/results")).unwrap().count();
    assert_eq!(kept, ALL.len(), "one result per case");
    p.bench(&["workload", "check", w.as_str()]).assert_code(0);
}

#[test]
fn a_started_example_is_valid_and_never_overwritten() {
    let p = Program::new();
    fs::write(p.file("sales.csv"), "day,amount\n2024-01-01,3\n2024-01-02,4\n").unwrap();
    let (dir, csv) = (p.path("own"), p.path("sales.csv"));
    p.bench(&["workload", "init", dir.as_str(), "--from", csv.as_str()]).assert_code(0);
    p.bench(&["run", "--workload-dir", dir.as_str(), "--trials", "1", "--out", p.path("out").as_str()]).assert_code(0);
    p.assert_all_completed("out", ALL.len() + 1);
    p.bench(&["workload", "init", dir.as_str(), "--from", csv.as_str()]).assert_refused(&["overwrit"]);
}

#[test]
fn the_engine_survives_a_memory_limit_by_spilling() {
    let p = Program::new();
    let ran = p.bench(&[
        "run",
        "--suite",
        "smoke",
        "--engines",
        "stagedag,datafusion",
        "--workloads",
        "groupby-q10,sort,join-q05",
        "--memory",
        "64MiB",
        "--trials",
        "1",
        "--spans",
        "--out",
        p.path("out").as_str(),
    ]);
    ran.assert_code(0);
    p.assert_all_completed("out", 3 * 3);
    let lines = p.observations("out");
    assert!(lines.iter().all(|o| o["case"]["variant"] == "memory=64MiB,spans=on"), "a limit is part of the case");
    let of_style: Vec<_> = lines.iter().filter(|o| o["case"]["engine"] == "stagedag").collect();
    assert!(of_style.iter().any(|o| o["write_bytes"].as_u64().is_some_and(|bytes| bytes > 0)), "nothing went to disk");
    for line in of_style {
        let spans = &line["spans"];
        let sum: u64 = spans["by_kind_ns"].as_object().unwrap().values().filter_map(|v| v.as_u64()).sum();
        let all = spans["slots"].as_u64().unwrap() * spans["makespan_ns"].as_u64().unwrap();
        assert!(sum.abs_diff(all) <= all / 100, "{line}");
    }
}

#[test]
fn every_switch_of_the_style_gives_the_same_answers() {
    let p = Program::new();
    let settings = [
        "adaptive=off",
        "speculation=off",
        "coalesce=off",
        "broadcast=off",
        "skew=off",
        "join=sort-merge",
        "partitions=7",
        "compression=lz4",
        "compression=zstd",
    ];
    for (i, setting) in settings.iter().enumerate() {
        let (set, out) = (format!("stagedag.{setting}"), p.path(&format!("out{i}")));
        let run = [
            "run",
            "--suite",
            "smoke",
            "--engines",
            "stagedag",
            "--trials",
            "1",
            "--protocol",
            "cold-process",
            "--workloads",
            "tpch-q0[2589],tpch-q1[3-8],tpch-q2[0-2],join-*",
            "--set",
            set.as_str(),
            "--out",
            out.as_str(),
        ];
        p.bench(&run).assert_code(0);
        let name = format!("out{i}");
        assert!(p.observations(&name).iter().all(|o| o["case"]["variant"] == *setting));
        p.assert_all_completed(&name, 26);
    }
}

#[test]
fn zero_work_graphs_run_through_the_whole_stack() {
    let p = Program::new();
    let out = p.path("out");
    p.bench(&["run", "--suite", "overhead", "--trials", "1", "--out", out.as_str()]).assert_code(0);
    let lines = p.observations("out");
    let outcome = |engine: &str| -> Vec<String> {
        let of_engine = lines.iter().filter(|o| o["case"]["engine"] == engine);
        of_engine.map(|o| o["outcome"].as_str().unwrap().to_owned()).collect()
    };
    let (style, baseline) = (outcome("stagedag"), outcome("datafusion"));
    assert!(!style.is_empty() && style.iter().all(|o| o == "completed"), "{style:?}");
    let unsupported = !baseline.is_empty() && baseline.iter().all(|o| o == "unsupported");
    assert!(unsupported, "a baseline has no task graphs and says so: {baseline:?}");
}

#[test]
fn explain_shows_stages_and_what_replanning_changed() {
    let p = Program::new();
    let ran = p.bench(&["explain", "tpch-q03", "--analyze"]);
    ran.assert_code(0);
    for word in ["stage", "reads", "writes", "broadcast"] {
        assert!(ran.stdout.to_lowercase().contains(word), "{word} is missing:\n{}", ran.stdout);
    }
    let plain = p.bench(&["explain", "tpch-q03", "--engine", "datafusion"]);
    plain.assert_code(0);
}

#[test]
fn a_simulated_seed_replays_to_the_letter() {
    let p = Program::new();
    let run = || p.bench(&["sim", "--style", "stagedag", "--seed", "7", "--trace"]);
    let (once, twice) = (run(), run());
    once.assert_code(0);
    assert_eq!(once.stdout, twice.stdout);
    p.bench(&["sim", "--seed", "1", "--seeds", "50", "--json"]).assert_code(0);
    let many = p.bench(&["sim", "--style", "actor", "--seeds", "1..60", "--nodes", "1,3,10"]);
    many.assert_code(0);
    assert!(many.stdout.starts_with("actor: 60 seeds"), "{}", many.stdout);
    p.bench(&["sim", "--seed", "1", "--seeds", "1..60"]).assert_refused(&["--seed"]);
}

#[test]
fn data_is_listed_verified_and_its_damage_is_found() {
    let p = Program::new().with_own_data();
    p.bench(&["data", "make", "--tables", "tpch", "--scale", "0.001"]).assert_code(0);
    let listed = p.bench(&["data", "list", "--json"]);
    listed.assert_code(0);
    let sets: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    for field in ["name", "scale", "folder", "rows", "bytes"] {
        assert!(!sets[0][field].is_null(), "{field}: {}", listed.stdout);
    }
    p.bench(&["data", "verify"]).assert_code(0);
    p.flip_a_byte_of("tpch-sf0.001/lineitem");
    p.bench(&["data", "verify"]).assert_refused(&["lineitem", "damaged"]);
    p.bench(&["data", "rm", "tpch-sf0.001"]).assert_code(0);
    p.bench(&["data", "rm", "tpch-sf0.001"]).assert_refused(&["no dataset"]);
}

#[test]
fn bad_input_is_refused_with_its_name_and_the_next_step() {
    let p = Program::new();
    let (foreign, out) = (p.path("foreign"), p.path("out"));
    fs::create_dir(&foreign).unwrap();
    fs::write(p.file("foreign/notes.txt"), "mine").unwrap();
    let refusals: [(&[&str], &[&str]); 13] = [
        (&["run", "--suite", "nosuch"], &["nosuch", "smoke"]),
        (&["run", "--suite", "smoke", "--engines", "sparkk"], &["sparkk", "stagedag"]),
        (&["run", "--suite", "smoke", "--workloads", "nosuch"], &["bench list workloads"]),
        (&["run", "--suite", "smoke", "--set", "stagedag.nosuch=1"], &["nosuch", "speculation"]),
        (&["run", "--suite", "smoke", "--set", "stagedag.speculation=maybe"], &["speculation", "on or off"]),
        (&["run", "--suite", "smoke", "--slots", "0"], &["--slots"]),
        (&["run", "--suite", "smoke", "--out", foreign.as_str()], &["foreign"]),
        (&["run", "--suite", "1tb"], &["too large", "disk", "bench list suites"]),
        (&["run", "--resume", out.as_str()], &["out"]),
        (&["report", foreign.as_str()], &["run.json"]),
        (&["report", foreign.as_str(), "--rows", "cells"], &["--rows", "csv, parquet or arrow"]),
        (&["data", "make", "--tables", "tpch", "--scale", "1e9"], &["--scale"]),
        (&["explain", "nosuch"], &["nosuch"]),
    ];
    for (line, words) in refusals {
        p.bench(line).assert_refused(words);
    }
}

#[test]
fn broken_programs_and_files_are_errors_that_name_them() {
    let p = Program::new();
    let unparsable = p.user_workload("selec k fro t", "k,v\n1,10\n");
    let ran = p.bench(&["run", "--workload-dir", unparsable.as_str(), "--trials", "1", "--out", p.path("a").as_str()]);
    ran.assert_code(2);
    assert!(ran.stderr.contains("failed or timed out"), "{}", ran.stderr);
    assert!(!p.observations("a").is_empty());
    for line in p.observations("a") {
        assert_eq!(line["outcome"], "failed");
        assert!(line["reason"].as_str().is_some_and(|r| r.contains("mine")), "{line}");
    }
    let w = p.user_workload("select k, v from t", "k,v\n1,10\n");
    fs::write(format!("{w}/family.toml"), "name = \"x\"\nsurprise = 1\n").unwrap();
    p.bench(&["run", "--workload-dir", w.as_str()]).assert_refused(&["family.toml", "surprise"]);
    let newer = p.path("newer");
    fs::create_dir(&newer).unwrap();
    fs::write(format!("{newer}/run.json"), "{\"schema\": 999}").unwrap();
    p.bench(&["report", newer.as_str()]).assert_refused(&["newer", "schema"]);
}

#[test]
fn a_timeout_is_an_outcome_and_not_a_hang() {
    let p = Program::new();
    let ran = p.bench(&[
        "run",
        "--suite",
        "smoke",
        "--workloads",
        "groupby-q10",
        "--engines",
        "stagedag",
        "--timeout",
        "1ms",
        "--trials",
        "1",
        "--out",
        p.path("out").as_str(),
    ]);
    ran.assert_code(2);
    assert!(ran.took < Duration::from_secs(60));
    let lines = p.observations("out");
    assert!(!lines.is_empty() && lines.iter().all(|o| o["outcome"] == "timed_out"), "{lines:?}");
    p.bench(&["run", "--resume", p.path("out").as_str()]).assert_code(2);
}

#[test]
fn what_the_system_counts_of_a_trial_is_recorded_for_every_engine() {
    let p = Program::new();
    let out = p.path("out");
    let run = ["run", "--suite", "smoke", "--workloads", "tpch-q01", "--trials", "1", "--out", out.as_str()];
    p.bench(&run).assert_code(0);
    let lines = p.observations("out");
    let engines: std::collections::BTreeSet<&str> = lines.iter().filter_map(|o| o["case"]["engine"].as_str()).collect();
    assert_eq!(engines.len(), ALL.len());
    for line in &lines {
        assert_eq!(line["network"]["namespaces"], 1, "{line}");
        for bytes in ["loopback_received_bytes", "loopback_sent_bytes", "received_bytes", "sent_bytes"] {
            assert!(line["network"][bytes].is_u64(), "{bytes}: {line}");
        }
        let told = line["pressure"]["of"].is_string() && line["pressure"]["cpu_some_ns"].is_u64();
        let counted = fs::exists("/proc/pressure/cpu").unwrap();
        assert!(told == counted, "stalls are recorded where the kernel counts them, and absent elsewhere: {line}");
    }
}

#[test]
fn lists_and_the_doctor_speak_json() {
    let p = Program::new();
    for what in [&["list", "engines"][..], &["list", "workloads"], &["list", "suites"], &["doctor"]] {
        p.bench(what).assert_code(0);
        let ran = p.bench(&[what, &["--json"]].concat());
        ran.assert_code(0);
        assert!(serde_json::from_str::<serde_json::Value>(&ran.stdout).is_ok(), "{}", ran.stdout);
    }
    assert!(p.bench(&["man"]).stdout.contains(".TH"));
    assert!(p.bench(&["completions", "bash"]).stdout.contains("bench"));
    assert!(p.bench(&["run", "--suite", "smoke", "--dry-run"]).stdout.contains("nothing was made or run"));
}

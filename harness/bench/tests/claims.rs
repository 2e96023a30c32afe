//! `bench claims` and `bench recommend` on a real run, as a user gives them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod program;

use program::Program;
use std::fs;

/// A run of the example's engines on every query.
fn measured() -> Program {
    let p = Program::new();
    let out = p.path("out");
    let engines = ["--engines", "stagedag,datafusion", "--families", "sql", "--workloads", "tpch-q0[16]"];
    let mut run = vec!["run", "--suite", "smoke", "--trials", "6", "--out", out.as_str()];
    run.extend(engines);
    p.bench(&run).assert_code(0);
    p
}

#[test]
fn claims_and_recommendations_are_made_from_a_real_run() {
    let p = measured();
    let out = p.path("out");
    let ran = p.bench(&["claims", out.as_str(), "--format", "json"]);
    ran.assert_code(0);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let counts = &report["counts"];
    assert_eq!(
        (counts["supported"].as_u64(), counts["contradicted"].as_u64()),
        (Some(0), Some(0)),
        "no product was run"
    );
    assert!(counts["not_tested"].as_u64().is_some_and(|n| n > 60), "{counts}");
    for format in ["table", "md", "html"] {
        let file = p.path(&format!("claims.{format}"));
        p.bench(&["claims", out.as_str(), "--format", format, "--out", file.as_str()]).assert_code(0);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("tb.sql") && text.contains("not tested here"), "{format}: {text}");
    }
    let again = p.bench(&["claims", out.as_str(), "--format", "json"]);
    assert_eq!(ran.stdout, again.stdout, "the same folder gives the same bytes");
    for format in ["table", "md", "json", "html"] {
        let ran = p.bench(&["recommend", out.as_str(), "--mix", "sql=60,training=40", "--format", format]);
        ran.assert_code(0);
        assert!(ran.stdout.contains("training"), "{format}: {}", ran.stdout);
    }
}

#[test]
fn the_example_can_be_changed_and_decides_by_what_was_run() {
    let p = measured();
    let (out, mine) = (p.path("out"), p.path("mine.toml"));
    let example = p.bench(&["claims", "--example"]);
    example.assert_code(0);
    let small = example.stdout.replace("cases = 22", "cases = 2").replace("[\"1gb\"]", "[\"smoke\"]");
    // What decides must not depend on how busy the machine is: who answers everything, not who takes how long.
    let all = "completes = [\"datafusion\", \"style\"]";
    let small = small.replace("ratio = { of = \"style\", to = \"datafusion\", low = 1, high = 2 }", all);
    let small = small.replace("less = [\"datafusion\", \"style\"]", all);
    fs::write(&mine, small).unwrap();
    let ran = p.bench(&["claims", out.as_str(), "--file", mine.as_str(), "--no-built-in", "--format", "json"]);
    ran.assert_code(0);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["groups"][0]["claims"][0]["verdict"], "supported", "{}", ran.stdout);
    assert!(ran.stdout.contains("observations.ndjson"));
}

#[test]
fn claims_files_that_a_shell_names_one_after_the_other_are_all_read() {
    let p = measured();
    let (out, folder) = (p.path("out"), p.file("claims"));
    fs::create_dir(&folder).unwrap();
    let example = p.bench(&["claims", "--example"]).stdout;
    for name in ["a", "b", "c"] {
        fs::write(folder.join(format!("{name}.toml")), example.replace("\"ours.", &format!("\"{name}."))).unwrap();
    }
    // What becomes of `--file claims/*.toml`.
    let files = ["--file", "claims/a.toml", "claims/b.toml", "claims/c.toml"];
    for words in [[&[out.as_str()], &files[..]].concat(), [&files[..], &[out.as_str()]].concat()] {
        let ran = p.bench(&[&["claims", "--no-built-in", "--format", "json"], &words[..]].concat());
        ran.assert_code(0);
        let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let read: Vec<&str> = report["sources"].as_array().unwrap().iter().filter_map(|s| s["file"].as_str()).collect();
        assert_eq!(read, ["claims/a.toml", "claims/b.toml", "claims/c.toml"]);
        let ran = p.bench(&[&["recommend", "--mix", "sql=1", "--no-built-in"], &words[..]].concat());
        ran.assert_code(0);
    }
    p.bench(&["claims", &out, "claims/a.toml"]).assert_refused(&["claims/a.toml", "--file"]);
    p.bench(&[&["claims"], &files[..]].concat()).assert_refused(&["no run is given"]);
    // A folder of that name is a folder.
    fs::rename(&out, p.file("run.toml")).unwrap();
    p.bench(&["claims", "run.toml"]).assert_code(0);
}

#[test]
fn what_cannot_be_read_is_refused_with_file_and_line() {
    let p = Program::new();
    let mine = p.path("mine.toml");
    fs::write(&mine, "schema = 1\nclaims = []\n").unwrap();
    p.bench(&["claims", "nowhere", "--file", mine.as_str()]).assert_refused(&["mine.toml, line 2", "`claims`"]);
    fs::write(&mine, b"\xff\xfe").unwrap();
    p.bench(&["claims", "nowhere", "--file", mine.as_str()]).assert_refused(&["mine.toml", "not UTF-8"]);
    fs::write(&mine, vec![b'#'; (1 << 20) + 1]).unwrap();
    p.bench(&["claims", "nowhere", "--file", mine.as_str()]).assert_refused(&["mine.toml", "larger than"]);
    p.bench(&["claims", "nowhere", "--file", "absent.toml"]).assert_refused(&["absent.toml"]);
    p.bench(&["claims", "nowhere"]).assert_refused(&["nowhere"]);
    p.bench(&["recommend", "nowhere", "--mix", "sql=1"]).assert_refused(&["nowhere"]);
}

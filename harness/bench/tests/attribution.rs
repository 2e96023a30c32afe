//! Why an engine takes its time, as a user asks: slot time by kind, blocking played away, mechanisms switched off.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod program;

use program::Program;
use serde_json::Value;
use std::fs;

const STYLES: [&str; 3] = ["actor", "taskgraph", "stagedag"];

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The only family of the only table of a run.
fn family(p: &Program, out: &str) -> Value {
    let ran = p.bench(&["report", out, "--format", "json"]);
    ran.assert_code(0);
    json(&ran.stdout)["tables"][0]["families"][0].clone()
}

#[test]
fn a_run_with_spans_leaves_traces_that_every_style_can_play_again() {
    let p = Program::new();
    let out = p.path("out");
    let run = ["run", "--suite", "smoke", "--workloads", "tpch-q0[135]", "--engines", "actor,taskgraph,stagedag"];
    let ran = p.bench(&[&run[..], &["--trials", "2", "--spans", "--out", out.as_str()]].concat());
    ran.assert_code(0);
    p.assert_all_completed("out", 9);
    assert_eq!(fs::read_dir(p.file("out/traces")).unwrap().count(), 9, "one trace per case, and no draft is left");
    let cases = json(&fs::read_to_string(p.file("out/blocking.json")).unwrap());
    let cases = cases["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 9);
    for case in cases {
        // How near it comes is a matter of the machine; that it can be played is not.
        assert!(case["replayed_ns"].as_u64().is_some_and(|ns| ns > 0) && case["reason"].is_null(), "{case}");
    }
    let heading = "that would go away with one kind of blocking";
    assert!(ran.stdout.contains(heading) && ran.stdout.contains("slot time by kind"), "{}", ran.stdout);
    assert!(ran.stdout.lines().all(|l| l.chars().count() <= 100), "{}", ran.stdout);
    let family = family(&p, &out);
    for part in ["spans", "blocking"] {
        let who: Vec<&str> =
            family[part].as_array().unwrap().iter().map(|b| b["contestant"].as_str().unwrap()).collect();
        assert!(who.len() == 3 && STYLES.iter().zip(&who).all(|(s, w)| w.starts_with(s)), "{part}: {who:?}");
    }
    assert!(p.bench(&["report", out.as_str(), "--format", "md"]).stdout.contains(heading));
    let again = p.bench(&["replay", out.as_str(), "--json"]);
    again.assert_code(0);
    assert_eq!(json(&again.stdout).as_array().unwrap(), cases, "the same traces give the same times");
}

#[test]
fn a_run_without_spans_has_nothing_to_play_again() {
    let p = Program::new();
    let out = p.path("out");
    let run = ["run", "--suite", "smoke", "--workloads", "tpch-q06", "--engines", "stagedag", "--trials", "1"];
    let ran = p.bench(&[&run[..], &["--out", out.as_str()]].concat());
    ran.assert_code(0);
    assert!(!p.file("out/traces").exists() && !ran.stdout.contains("would go away"), "{}", ran.stdout);
    p.bench(&["replay", out.as_str()]).assert_refused(&["--spans"]);
}

#[test]
fn an_ablation_measures_each_mechanism_of_each_style_and_says_what_it_is_worth() {
    let p = Program::new();
    let out = p.path("out");
    let run = ["run", "--suite", "smoke", "--workloads", "tpch-q0[13]", "--engines", "actor,taskgraph,stagedag"];
    let ran = p.bench(&[&run[..], &["--ablate", "--trials", "1", "--out", out.as_str()]].concat());
    ran.assert_code(0);
    let family = family(&p, &out);
    let studies = family["ablations"].as_array().unwrap();
    assert_eq!(studies.iter().map(|s| s["contestant"].as_str().unwrap()).collect::<Vec<_>>(), STYLES);
    for (style, switch) in [("actor", "push_merge"), ("taskgraph", "p2p"), ("stagedag", "speculation")] {
        let study = studies.iter().find(|s| s["contestant"] == style).unwrap();
        let entry = study["entries"].as_array().unwrap().iter().find(|e| e["switch"] == switch);
        let entry = entry.unwrap_or_else(|| panic!("{switch} of {style}"));
        assert_eq!((entry["common"].as_u64(), entry["total"]["value"].is_f64()), (Some(2), true), "{entry}");
    }
    let every: usize = studies.iter().map(|s| s["entries"].as_array().unwrap().len()).sum();
    p.assert_all_completed("out", 2 * (every + STYLES.len()));
    for style in STYLES {
        assert!(ran.stdout.contains(&format!("what each mechanism of {style} is worth")), "{}", ran.stdout);
    }
    assert!(ran.stdout.lines().all(|l| l.chars().count() <= 100), "{}", ran.stdout);
    assert!(p.bench(&["report", out.as_str(), "--format", "md"]).stdout.contains("is worth"));
}

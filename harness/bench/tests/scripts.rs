//! What CI systems run of this project: `ci/gate.sh`, and the workflow that calls it. Neither may name what is not there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

mod program;

use program::Program;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const GATE: &str = "ci/gate.sh";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn workflow() -> String {
    read("ci/github-workflow.yml")
}

/// The shell commands of the workflow's steps: what follows `run:`, or the deeper lines below `run: |`.
fn steps(workflow: &str) -> Vec<String> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let lines: Vec<&str> = workflow.lines().collect();
    let mut steps = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(command) = line.trim_start().trim_start_matches("- ").strip_prefix("run:") else { continue };
        let below = lines.iter().skip(at + 1).take_while(|l| l.trim().is_empty() || depth(l) > depth(line));
        steps.push(match command.trim() {
            "|" | ">" | "|-" | ">-" => below.copied().collect::<Vec<_>>().join("\n"),
            inline => inline.to_owned(),
        });
    }
    steps
}

/// The command with a word in the place of each expression that GitHub fills in.
fn filled_in(step: &str) -> String {
    let mut parts = step.split("${{");
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        out.push_str("word");
        out.push_str(part.split_once("}}").expect("an expression ends").1);
    }
    out
}

fn assert_is_shell(what: &str, text: &str) {
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut bash.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let ended = bash.wait_with_output().unwrap();
    assert!(ended.status.success(), "{what}: {}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn every_shell_step_and_every_script_is_shell_and_what_they_call_is_there() {
    let steps = steps(&workflow());
    assert_eq!(
        steps.len(),
        workflow().matches("run:").count(),
        "a step is written in a way that this test does not read"
    );
    assert!(steps.iter().any(|s| s.starts_with(GATE)), "{steps:?}");
    for step in &steps {
        let command = filled_in(step);
        assert_is_shell(step, &command);
        for script in command.split_whitespace().filter(|word| word.starts_with("scripts/") || word.starts_with("ci/"))
        {
            let mode = fs::metadata(root().join(script)).unwrap_or_else(|e| panic!("{script}: {e}"));
            assert!(
                std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o100 != 0,
                "{script} cannot be executed"
            );
        }
    }
    let files = |folder: &str| fs::read_dir(root().join(folder)).unwrap().map(|e| e.unwrap().path());
    for script in files("scripts").chain(files("ci")) {
        if script.extension().is_some_and(|e| e == "sh") {
            assert_is_shell(&script.display().to_string(), &fs::read_to_string(&script).unwrap());
        }
    }
}

#[test]
fn variables_and_files_of_the_workflow_are_those_of_the_script() {
    let (workflow, gate) = (workflow(), read(GATE));
    let set = workflow.split_once("\nenv:\n").unwrap().1.split_once("\njobs:").unwrap().0;
    let names: Vec<&str> = set
        .lines()
        .filter(|l| !l.trim_start().starts_with('#'))
        .filter_map(|l| l.split_once(':'))
        .map(|(n, _)| n.trim())
        .collect();
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        assert!(gate.contains(&format!("${{{name}:-")), "{GATE} does not read {name}");
    }
    for file in workflow.split(|c: char| c.is_whitespace() || "'\"()".contains(c)).filter(|w| w.contains("verdict.")) {
        let ending = file.rsplit_once("verdict.").unwrap().1;
        assert!(ending == "*" || gate.contains(&format!("$work/verdict.{ending}")), "{GATE} writes no {file}");
    }
}

/// Options after `bench COMMAND` in a script: words that begin with two hyphens, on the lines that build its arguments.
fn options(gate: &str, lines: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let words =
        gate.lines().filter(|l| lines(l)).flat_map(|l| l.split(|c: char| c.is_whitespace() || "()\"".contains(c)));
    words.filter(|w| w.starts_with("--")).map(str::to_owned).collect()
}

#[test]
fn every_option_that_the_script_gives_is_one_of_the_command() {
    let (p, gate) = (Program::new(), read(GATE));
    let measuring = options(&gate, |l| l.contains("options"));
    let judging = options(&gate, |l| l.contains("more+=") || l.contains("--write"));
    assert!(measuring.len() >= 6 && judging.len() >= 6, "{measuring:?} {judging:?}");
    for (command, options) in [("run", measuring), ("compare", judging)] {
        let help = p.bench(&[command, "--help"]).stdout;
        let known: BTreeSet<&str> = help.split(|c: char| c.is_whitespace() || ",[]<>=`".contains(c)).collect();
        for option in options {
            assert!(known.contains(option.as_str()), "bench {command} has no {option}");
        }
    }
}

/// A `cargo` that builds a program only of a commit whose tree has a file `good`, and leaves what was built before where it was.
const CARGO: &str = "#!/bin/sh\ntest -e good || exit 101\nmkdir -p \"$CARGO_TARGET_DIR/release\"\ncp good \"$CARGO_TARGET_DIR/release/bench\"\n";

#[test]
fn a_commit_that_cannot_be_built_is_not_judged_with_the_build_of_another_one() {
    let p = Program::new();
    let (tools, repository) = (p.file("tools"), p.file("repository"));
    fs::create_dir_all(&tools).unwrap();
    fs::create_dir_all(&repository).unwrap();
    fs::write(tools.join("cargo"), CARGO).unwrap();
    fs::set_permissions(tools.join("cargo"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let git = |line: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"];
        let ran = Command::new("git").current_dir(&repository).args(identity).args(line).output().unwrap();
        assert!(ran.status.success(), "{line:?}: {}", String::from_utf8_lossy(&ran.stderr));
    };
    fs::write(repository.join("good"), "#!/bin/sh\n").unwrap();
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "builds"]);
    git(&["rm", "-q", "good"]);
    git(&["commit", "-qm", "does not", "--allow-empty"]);
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    for (commits, name) in [
        (["HEAD~1", "HEAD"], "HEAD (new)"),
        (["HEAD~1", "nobody"], "nobody (new)"),
        (["HEAD", "HEAD~1"], "HEAD (base)"),
    ] {
        let mut gate = Command::new("bash");
        gate.arg(root().join(GATE))
            .args(commits)
            .current_dir(&repository)
            .env("PATH", &path)
            .env("WORK", p.path("gate"));
        let ended = gate.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{commits:?}: {said}");
        assert!(said.contains(&format!("{name} cannot be built: nothing is judged")), "{commits:?}: {said}");
        assert!(!p.file("gate/runs").exists(), "{commits:?}: something was measured");
    }
}

#[test]
fn the_script_measures_two_builds_in_turns_and_ends_with_the_verdicts_code() {
    let p = Program::new();
    let program = env!("CARGO_BIN_EXE_bench");
    let mut gate = Command::new("bash");
    gate.arg(root().join(GATE)).env("BENCH_DATA", p.data());
    let settings = [
        ("BASE_BINARY", program),
        ("NEW_BINARY", program),
        ("ENGINES", "datafusion,stagedag"),
        ("WORKLOADS", "tpch-q06"),
        ("TRIALS", "6"),
        ("ROUNDS", "3"),
        ("BUDGET", "900%"),
    ];
    let ended = gate.envs(settings).env_remove("GITHUB_ACTIONS").env("WORK", p.path("gate")).output().unwrap();
    let (code, said) = (ended.status.code().unwrap(), String::from_utf8_lossy(&ended.stderr).into_owned());
    let verdict: serde_json::Value =
        serde_json::from_slice(&fs::read(p.path("gate/verdict.json")).unwrap_or_else(|e| panic!("{e}: {said}")))
            .unwrap();
    assert_eq!(verdict["exit_code"], code, "{said}");
    // One build against itself, and a slow-down to ten times would have to be ruled out: nothing regressed.
    assert!(code == 0 || code == 3, "{code}: {verdict}");
    let runs = |side: &str| {
        verdict[side]["runs"].as_array().unwrap().iter().map(|r| r.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (runs("base"), runs("new")),
        (vec!["base-1".into(), "base-2".into(), "base-3".into()], vec!["new-1".into(), "new-2".into(), "new-3".into()])
    );
    for file in ["verdict.md", "verdict.xml", "verdict.sarif"] {
        assert!(fs::metadata(p.path(&format!("gate/{file}"))).unwrap().len() > 100, "{file}");
    }
}

//! What comes of a run when a process of a real product is killed, or stopped, in the middle of a timed trial: the trial has an
//! outcome that says what happened, everything of that engine is gone before the next trial, and the rest of the run completes.
//!
//! `BENCH_ENGINES=FOLDER cargo test --release -p bench --test products -- --ignored killed` with products that are installed there.

pub(crate) mod tree;

use crate::program::Program;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tree::{Seen, below, cpu_ticks};

/// By then a run of these few small trials has ended, however slow the machine is.
const PATIENCE: Duration = Duration::from_secs(300);
/// How much of its CPU time an engine has spent on the trial when it is hit.
const INTO_THE_TRIAL_TICKS: u64 = 15;
/// Looking all the time would disturb the trials, which are repeated then.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Which process of an engine is hit.
#[derive(Clone, Copy, Debug)]
enum Victim {
    /// The Python process that speaks the protocol.
    Driver,
    /// A process that the system calls so.
    Named(&'static str),
    /// A process that Dask's nannies have started.
    DaskWorker,
}

impl Victim {
    fn is(self, process: &Seen) -> bool {
        match self {
            Self::Driver => process.name.starts_with("python") && process.command.contains("/driver.py"),
            Self::Named(name) => process.name == name,
            Self::DaskWorker => process.command.contains("multiprocessing.spawn import spawn_main"),
        }
    }
}

/// What is measured, and what is done to it.
struct Strike<'a> {
    engine: &'a str,
    victim: Victim,
    signal: &'a str,
    /// Which workload's first timed trial is hit.
    workload: &'a str,
    /// What is run.
    line: &'a [&'a str],
}

/// What came of it.
struct Struck {
    code: Option<i32>,
    /// The trial that was hit.
    hit: Value,
    /// All others, in the order they were measured.
    others: Vec<Value>,
    /// Processes of the engine that were hit and lived when the trial had been recorded.
    survivors: Vec<Seen>,
}

/// Such tests load the whole machine, and look at what all programs share: one at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the products are. Without them nothing is proved: that is said aloud, not passed over.
pub(crate) fn products() -> String {
    std::env::var("BENCH_ENGINES")
        .expect("no products: set BENCH_ENGINES to a folder and call `bench engines install all`")
}

/// Whether a folder has a product of this name.
pub(crate) fn has(folder: &str, engine: &str) -> bool {
    Path::new(folder).join(engine).join("venv/bin/python").exists()
}

/// The folder of products, which has this one.
fn installed(engine: &str) -> String {
    let folder = products();
    assert!(has(&folder, engine), "{engine} is not installed in {folder}: bench engines install {engine}");
    folder
}

/// Runs, strikes in the middle of the first timed trial of a workload, and waits for the end. Whatever is left anywhere fails.
fn strike(p: &Program, what: &Strike<'_>) -> Struck {
    let (folder, out) = (installed(what.engine), p.path("out"));
    let shared_before = entries("/dev/shm");
    let more = ["--engines", what.engine, "--engines-dir", &folder, "--trials", "2", "--out", &out, "-vv"];
    let mut bench = p.spawn(&[&["run"], what.line, &more[..]].concat());
    let lines = heard(&mut bench);
    wait_for(&lines, &format!("{} on {} (main): trial 0 begins", what.workload, what.engine));
    let recorded = p.observations("out").len();
    let engine = in_the_middle(bench.id());
    let victim = engine.iter().find(|process| what.victim.is(process));
    let victim = victim.unwrap_or_else(|| panic!("no {:?} among {engine:#?}", what.victim));
    let sent = Command::new("kill").args([&format!("-{}", what.signal), &victim.pid.to_string()]).status().unwrap();
    assert!(sent.success() && p.observations("out").len() == recorded, "the trial was over before it was hit");
    while p.observations("out").len() == recorded && bench.try_wait().unwrap().is_none() {
        std::thread::sleep(LOOK_EVERY);
    }
    let survivors = engine.into_iter().filter(Seen::lives).collect();
    let code = end_of(&mut bench);
    let left = left_of(p, bench.id(), &shared_before);
    assert!(left.is_empty(), "left behind: {left:?}");
    let mut others = p.observations("out");
    assert!(others.len() > recorded, "nothing is recorded of the trial that was hit");
    let hit = others.remove(recorded);
    Struck { code, hit, others, survivors }
}

/// What it says on standard error, line by line.
fn heard(bench: &mut Child) -> Receiver<String> {
    let (sender, lines) = channel();
    let said = BufReader::new(bench.stderr.take().unwrap());
    let _reader = std::thread::spawn(move || {
        for line in said.lines().map_while(Result::ok) {
            // Nobody listens any more once the trial has begun; the pipe has to be emptied all the same.
            let _ = sender.send(line);
        }
    });
    lines
}

fn wait_for(lines: &Receiver<String>, words: &str) {
    let (deadline, mut before) = (Instant::now() + PATIENCE, Vec::new());
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) if line.contains(words) => return,
            Ok(line) => before.push(line),
            Err(RecvTimeoutError::Timeout) => panic!("not within {PATIENCE:?}: {words}\n{}", before.join("\n")),
            Err(RecvTimeoutError::Disconnected) => panic!("the run ended before: {words}\n{}", before.join("\n")),
        }
    }
}

/// The processes of the engine that works on the trial, as soon as it has done so for a while. Others wait for their turn.
fn in_the_middle(bench: u32) -> Vec<Seen> {
    let deadline = Instant::now() + PATIENCE;
    let mut begun = BTreeMap::new();
    loop {
        let keepers = below(bench).into_iter().filter(|process| process.parent == bench);
        for keeper in keepers {
            let mut engine = below(keeper.pid);
            let used = cpu_ticks(&engine);
            engine.push(keeper);
            let pid = engine.last().map(|keeper| keeper.pid);
            if used >= *begun.entry(pid).or_insert(used) + INTO_THE_TRIAL_TICKS {
                return engine;
            }
        }
        assert!(Instant::now() < deadline, "nothing works on the trial: {:#?}", below(bench));
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Its exit code; a run that does not end is ended, and fails.
fn end_of(bench: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = bench.try_wait().unwrap() {
            return status.code();
        }
        if Instant::now() >= deadline {
            panic!("the run did not end within {PATIENCE:?}: {:#?}", below(bench.id()));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// What a run that has ended left: processes that were started in its scratch folder, folders, and shared memory.
fn left_of(p: &Program, bench: u32, shared_before: &BTreeSet<String>) -> Vec<String> {
    let scratch = p.data().join(".scratch-").display().to_string();
    let is_of_run = |pid: &String| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        pid.parse::<u32>().is_ok() && String::from_utf8_lossy(&environment).contains(&scratch)
    };
    let processes = entries("/proc").into_iter().filter(is_of_run).map(|pid| format!("process {pid}"));
    let sockets = entries("/tmp").into_iter().filter(|name| name.starts_with(&format!("bench-sockets-{bench}-")));
    let folders = entries(&p.data().display().to_string()).into_iter().filter(|name| name.starts_with(".scratch-"));
    // Blocks of this build's engines are of other tests: only a product takes part in these runs.
    let of_others = |name: &String| shared_before.contains(name) || name.starts_with("bench-");
    let shared = entries("/dev/shm").into_iter().filter(|name| !of_others(name));
    processes.chain(sockets).chain(folders).chain(shared).collect()
}

fn entries(folder: &str) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

impl Struck {
    /// The trial failed in these words, nothing of its engine was left when that was recorded, and the rest completed.
    #[track_caller]
    fn assert_failed(&self, outcome: &str, words: &[&str]) {
        assert_eq!(self.hit["outcome"], outcome, "{}", self.hit);
        let reason = self.hit["reason"].as_str().unwrap_or_default();
        assert!(words.iter().all(|word| reason.contains(word)), "{words:?} in: {reason}");
        assert!(self.hit["wall_ns"].is_null(), "a trial that failed has no time: {}", self.hit);
        assert_eq!(self.survivors, [], "of the engine that was hit");
        assert_eq!(self.code, Some(2), "a run with a failed trial");
        self.assert_others_completed();
    }

    #[track_caller]
    fn assert_others_completed(&self) {
        assert!(self.others.len() >= 3, "{:?}", self.others);
        assert!(self.others.iter().all(|o| o["outcome"] == "completed"), "{:?}", self.others);
    }
}

/// Two queries of the smoke suite.
const SQL: [&str; 8] = ["--suite", "smoke", "--families", "sql", "--workloads", "tpch-q21", "--workloads", "tpch-q06"];
/// Two dataframe programs of it.
const FRAME: [&str; 10] = [
    "--suite",
    "smoke",
    "--families",
    "dataframe",
    "--workloads",
    "groupby-q03",
    "--workloads",
    "groupby-q01",
    // As it comes, Ray Data waits for new workers most of the time.
    "--configs",
    "tuned",
];

/// Kills a process of an engine of these workloads in the middle of the first one.
fn kill(engine: &str, victim: Victim, line: &[&str]) -> Struck {
    let _alone = alone();
    let p = Program::new().with_own_data();
    strike(&p, &Strike { engine, victim, signal: "KILL", workload: line[5], line })
}

#[test]
#[ignore = "needs installed products: BENCH_ENGINES"]
fn a_killed_driver_of_spark_is_an_outcome_and_its_jvm_goes_with_it() {
    kill("spark", Victim::Driver, &SQL).assert_failed("failed", &["killed by signal 9"]);
}

#[test]
#[ignore = "needs installed products: BENCH_ENGINES"]
fn a_killed_driver_of_dask_is_an_outcome_and_its_workers_go_with_it() {
    kill("dask", Victim::Driver, &SQL).assert_failed("failed", &["killed by signal 9"]);
}

#[test]
#[ignore = "needs installed products: BENCH_ENGINES"]
fn a_killed_driver_of_ray_is_an_outcome_and_its_daemons_go_with_it() {
    kill("ray", Victim::Driver, &FRAME).assert_failed("failed", &["killed by signal 9"]);
}

#[test]
#[ignore = "needs installed products: BENCH_ENGINES"]
fn a_killed_driver_of_duckdb_is_an_outcome() {
    let _alone = alone();
    let p = Program::new().with_own_data();
    // Its queries of the smoke suite are over before anything can be done to them.
    let sql = "with a as (select x1.k from t x1, t x2, t x3, t x4, t x5, t x6, t x7, t x8, t x9) \
               select count(*) as n from a x, a y, a z where x.k + y.k + z.k > 0";
    let own = p.user_workload(sql, "n\n134217728\n");
    let line = ["--workload-dir", &own];
    let what = Strike { engine: "duckdb", victim: Victim::Driver, signal: "KILL", workload: "mine", line: &line };
    strike(&p, &what).assert_failed("failed", &["killed by signal 9"]);
}

#[test]
#[ignore = "needs installed products: BENCH_ENGINES"]
fn a_killed_jvm_is_an_outcome_and_the_next_trial_has_a_new_one() {
    kill("spark", Victim::Named("java"), &SQL).assert_failed("failed", &["JVM", "signal 9"]);
}

#[test]
#[ignore = "needs installed products: BENCH_ENGINES"]
fn a_jvm_that_stands_still_is_timed_out_and_the_next_program_has_a_new_one() {
    let _alone = alone();
    let p = Program::new().with_own_data();
    let line = [&SQL[..], &["--timeout", "20s"]].concat();
    let (victim, workload) = (Victim::Named("java"), "tpch-q21");
    let struck = strike(&p, &Strike { engine: "spark", victim, signal: "STOP", workload, line: &line });
    struck.assert_failed("timed_out", &["no answer to `run` within 20.0 s"]);
}

#[test]
#[ignore = "needs installed products: BENCH_ENGINES"]
fn a_killed_raylet_is_an_outcome_and_the_next_trial_has_a_new_cluster() {
    let struck = kill("ray", Victim::Named("raylet"), &FRAME);
    struck.assert_failed("failed", &["raylet"]);
    // Who sees it first: the task that is waited for, or Ray's own watch over its node, which ends the driver.
    let reason = struck.hit["reason"].as_str().unwrap();
    let raised = reason.starts_with("Ray's raylet was killed by signal 9: LocalRayletDiedError");
    assert!(raised || reason.contains("exited with code 1") && reason.contains("marked dead"), "{reason}");
}

#[test]
#[ignore = "needs installed products: BENCH_ENGINES"]
fn a_killed_gcs_server_is_an_outcome_and_the_next_trial_has_a_new_cluster() {
    kill("ray", Victim::Named("gcs_server"), &FRAME)
        .assert_failed("failed", &["exited with code 1", "Failed to connect to GCS"]);
}

#[test]
#[ignore = "needs installed products: BENCH_ENGINES"]
fn a_killed_worker_of_dask_is_replaced_and_the_answer_is_right() {
    let struck = kill("dask", Victim::DaskWorker, &SQL);
    assert_eq!((&struck.hit["outcome"], struck.code), (&"completed".into(), Some(0)), "{}", struck.hit);
    assert!(struck.hit["notes"].to_string().contains("workers that ended during the run: 1"), "{}", struck.hit);
    struck.assert_others_completed();
}

/// Ends the harness itself in the middle of a trial; its exit code, and what is left once it has ended.
fn end_harness(engine: &str, signal: &str, line: &[&str]) -> (Option<i32>, Vec<String>) {
    let p = Program::new().with_own_data();
    let (folder, out, shared_before) = (installed(engine), p.path("out"), entries("/dev/shm"));
    let more = ["--engines", engine, "--engines-dir", &folder, "--trials", "2", "--out", &out, "-vv"];
    let mut bench = p.spawn(&[&["run"], line, &more[..]].concat());
    let lines = heard(&mut bench);
    wait_for(&lines, &format!("{} on {engine} (main): trial 0 begins", line[5]));
    in_the_middle(bench.id());
    p.signal(&bench, signal);
    let code = end_of(&mut bench);
    let (deadline, id) = (Instant::now() + Duration::from_secs(20), bench.id());
    // Who is killed cannot remove its folders: the next run does. Its processes are gone a moment later.
    let is_left = |what: &String| signal != "KILL" || what.starts_with("process ");
    loop {
        let left: Vec<String> = left_of(&p, id, &shared_before).into_iter().filter(is_left).collect();
        if left.is_empty() || Instant::now() >= deadline {
            return (code, left);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

#[test]
#[ignore = "needs installed products: BENCH_ENGINES"]
fn a_killed_or_interrupted_harness_leaves_no_process_of_a_product() {
    let _alone = alone();
    for (engine, line) in [("spark", &SQL[..]), ("dask", &SQL[..]), ("ray", &FRAME[..])] {
        for (signal, code) in [("KILL", None), ("INT", Some(130)), ("TERM", Some(130))] {
            assert_eq!(end_harness(engine, signal, line), (code, Vec::new()), "{engine} under SIG{signal}");
        }
    }
}

//! Claims about engine processes, with real ones: this program starts itself again as each of its misbehaving engines.
//!
//! Not under the standard harness, which would print on the child's standard output.
//!
//! Long because: every way in which an engine process can misbehave is one short claim here.
#![expect(clippy::unwrap_used, clippy::panic, reason = "the engines panic on purpose and a claim fails by panicking")]

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use bench_lab::hosted::{HostedEngine, HostedProvider, HostedSession, Origin, serve};
use bench_lab::live::{EngineProvider, EngineSpec, Failure, Keep, Limits};
use bench_lab::oracle::{compare, digest, digest_parquet};
use bench_model::{
    Answer, Capabilities, Check, ClusterSpec, Dataset, Digest, Engine, EngineError, EngineSetup, Explanation, Family,
    Fault, FaultOutcome, FaultPlan, Format, Nanos, NodeId, Probe, Program, Query, Session, SortKey, Table, Tuning,
    Workload,
};
use std::ffi::OsString;
use std::io::{BufRead, Write};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, exit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What an engine does wrong is its name; `good` does nothing wrong.
struct Odd(&'static str);

const ENGINES: [&str; 15] = [
    "good",
    "burns",
    "unable",
    "panics",
    "dies",
    "aborts",
    "chatters",
    "floods",
    "polite",
    "expires",
    "deaf",
    "mute",
    "hurt",
    "stuck",
    "slow-to-arm",
];

struct OddSession {
    behavior: &'static str,
    tables: Vec<String>,
    armed: Vec<FaultOutcome>,
}

impl Engine for Odd {
    fn name(&self) -> &'static str {
        self.0
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            families: vec![Family::Sql],
            switches: &[],
            distributed: false,
            slots_max: None,
            about: "for tests",
        }
    }
    fn start(&self, _setup: &EngineSetup) -> Result<Box<dyn Session>, EngineError> {
        if self.0 == "mute" {
            wait_until(&AtomicBool::new(false));
        }
        Ok(Box::new(OddSession { behavior: self.0, tables: Vec::new(), armed: Vec::new() }))
    }
}

impl Session for OddSession {
    fn prepare(&mut self, data: &[Arc<Dataset>]) -> Result<(), EngineError> {
        self.tables = data.iter().flat_map(|d| &d.tables).map(|t| format!("{} {}", t.name, t.schema)).collect();
        Ok(())
    }

    fn run(&mut self, _workload: &Workload, stop: &Arc<AtomicBool>) -> Result<Answer, EngineError> {
        match self.behavior {
            "burns" => burn(Duration::from_millis(60)),
            "unable" => return Err(EngineError::Unsupported("no such thing".into())),
            "panics" => panic!("index out of bounds"),
            "dies" => {
                eprintln!("the reason, on stderr");
                exit(3);
            }
            "aborts" => std::process::abort(),
            "chatters" => println!("WARNING: a library that prints"),
            "floods" => {
                let mut out = std::io::stdout().lock();
                let chunk = vec![b'x'; 1 << 20];
                while out.write_all(&chunk).is_ok() {}
            }
            "polite" => {
                wait_until(stop);
                return Err(EngineError::Cancelled);
            }
            "expires" => {
                wait_until(stop);
                exit(4);
            }
            "hurt" => return Err(EngineError::Failed("no node is left".into())),
            "stuck" => {
                wait_until(stop);
                return Err(EngineError::Cancelled);
            }
            "deaf" => wait_until(&AtomicBool::new(false)),
            _ => {}
        }
        let batch = batch(&[3, 1, 2]);
        Ok(Answer {
            schema: batch.schema(),
            batches: vec![batch],
            spans: None,
            trace: None,
            notes: vec!["a note".into()],
            faults: vec![],
            spilled_bytes: (self.behavior == "burns").then_some(4096),
        })
    }

    fn arm(&mut self, faults: &FaultPlan) -> Result<(), EngineError> {
        if self.behavior == "slow-to-arm" {
            burn(Duration::from_secs(1));
        }
        let fired = |fault: &Fault| FaultOutcome {
            fault: fault.to_string(),
            node: NodeId(2),
            fired_ns: Some(Nanos::new(40)),
            tasks_done: 5,
            detected_ns: None,
            recovered_ns: None,
            tasks_repeated: 0,
            repeated_ns: Some(Nanos::ZERO),
            tasks_ns: Some(Nanos::new(90)),
            void: None,
        };
        self.armed = faults.faults.iter().map(fired).collect();
        Ok(())
    }

    fn probe(&mut self, probe: &Probe, _stop: &Arc<AtomicBool>) -> Result<Vec<Nanos>, EngineError> {
        match self.behavior {
            "good" => Ok(vec![Nanos::new(1); probe.samples()]),
            // More than can have passed, or fewer samples than were asked for.
            "burns" => Ok(vec![Nanos::new(1 << 60); probe.samples()]),
            "hurt" => Ok(Vec::new()),
            _ => Err(EngineError::Unsupported("it has no tasks".into())),
        }
    }

    fn struck(&mut self) -> Vec<FaultOutcome> {
        std::mem::take(&mut self.armed)
    }

    fn explain(&mut self, workload: &Workload, _analyze: bool) -> Result<Explanation, EngineError> {
        Ok(Explanation { text: format!("{} over {}", workload.name, self.tables.join(", ")) })
    }
}

fn wait_until(flag: &AtomicBool) {
    while !flag.load(Ordering::Relaxed) {
        std::thread::yield_now();
    }
}

fn burn(time: Duration) {
    let started = Instant::now();
    while started.elapsed() < time {
        std::hint::spin_loop();
    }
}

fn batch(values: &[i64]) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
    RecordBatch::try_from_iter([("n", column)]).unwrap()
}

fn workload() -> Workload {
    Workload {
        name: "w".into(),
        family: Family::Sql,
        title: String::new(),
        program: Program::Query(Query::Sql("select n".into())),
        dataset: None,
        check: Check::default(),
    }
}

fn setup() -> EngineSetup {
    EngineSetup {
        slots: 1,
        memory: None,
        scratch: "/tmp".into(),
        tuning: Tuning::default(),
        spans: false,
        cluster: Default::default(),
    }
}

static NEVER: AtomicBool = AtomicBool::new(false);

fn limits(timeout_ms: u64, grace_ms: u64) -> Limits<'static> {
    let grace = Duration::from_millis(grace_ms);
    Limits { timeout: Some(Duration::from_millis(timeout_ms)), grace, stop: &NEVER, trace: false }
}

const PATIENT: u64 = 20_000;

fn host() -> Vec<OsString> {
    vec![std::env::current_exe().unwrap().into(), "engine-host".into()]
}

fn started(name: &str) -> HostedSession {
    let mut argv = host();
    argv.push(name.into());
    HostedEngine::new(argv, Origin::ThisBuild).start(&setup(), &NEVER).unwrap()
}

/// A process that is no engine: a shell script.
fn script(text: &str) -> Result<HostedSession, Failure> {
    let argv = vec!["/bin/sh".into(), "-c".into(), text.into()];
    HostedEngine::new(argv, Origin::Foreign).start(&setup(), &NEVER)
}

fn is_gone(pid: u32) -> bool {
    !PathBuf::from(format!("/proc/{pid}")).exists()
}

/// Processes of dead parents are reaped by their adopter at its leisure; a killed one has no memory map, a living one has.
fn await_death(pid: u32) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::fs::read(format!("/proc/{pid}/maps")).is_ok_and(|maps| !maps.is_empty()) {
        assert!(Instant::now() < deadline, "process {pid} survives");
        std::thread::yield_now();
    }
}

fn a_good_engine_answers_and_is_measured() {
    let mut session = started("good");
    assert_eq!(session.version(), "9.9");
    let table = Table {
        name: "t".into(),
        format: Format::Csv,
        files: vec!["/none.csv".into()],
        schema: Arc::new(Schema::new(vec![Field::new("d", DataType::Decimal128(15, 2), false)])),
        rows: 1,
        bytes: 1,
    };
    session.load(&[Arc::new(Dataset { name: "d".into(), tables: vec![table] })], &NEVER).unwrap();
    let text = session.explain(&workload(), false, &limits(PATIENT, 0)).unwrap();
    assert!(text.starts_with("w over t ") && text.contains("Decimal128(15, 2)"), "{text}");
    let measured = session.run(&workload(), &limits(PATIENT, 0)).unwrap();
    assert_eq!((measured.rows, measured.notes), (3, vec!["a note".to_owned()]));
    let usage = measured.usage.unwrap();
    assert!(usage.rss_bytes_peak.is_some_and(|bytes| bytes > 0));
    assert_eq!(usage.network.map(|n| n.namespaces), Some(1), "an engine lives in the harness's network namespace");
    let told = usage.pressure.is_some();
    assert_eq!(
        told,
        std::fs::exists("/proc/pressure/cpu").unwrap(),
        "stalls are recorded where the kernel counts them"
    );
    assert_eq!(measured.spilled_bytes, None, "an engine that does not count has not spilled nothing");
    let answer = session.digest(&Check::default(), Keep::default(), &NEVER).unwrap().digest.unwrap();
    let expected = batch(&[1, 2, 3]);
    let expected = digest(&expected.schema(), &[expected], &Check::default()).unwrap();
    assert_eq!(compare(&expected, &answer, &Check::default()), Ok(()));
    let pid = session.pid();
    session.stop();
    assert!(is_gone(pid) && !session.is_alive());
}

fn what_the_driver_used_is_not_taken_for_what_nodes_on_other_machines_used() {
    let mut argv = host();
    argv.push("burns".into());
    let elsewhere = EngineSetup { cluster: ClusterSpec::Hosts { hosts: vec![], tls: None }, ..setup() };
    let engine = HostedEngine::new(argv, Origin::ThisBuild);
    let measured = engine.start(&elsewhere, &NEVER).unwrap().run(&workload(), &limits(PATIENT, 0)).unwrap();
    assert_eq!(measured.usage, None);
    assert_eq!(measured.spilled_bytes, Some(4096), "what the engine counts is its own");
    assert!(measured.contamination.is_some(), "others can disturb the driver");
}

fn getting_ready_for_faults_is_neither_timed_nor_counted() {
    let mut session = started("slow-to-arm");
    let plan = FaultPlan { faults: vec!["kill@50%".parse().unwrap()], seed: 1 };
    session.arm(&plan, &NEVER).unwrap();
    // Arming takes longer than the run may.
    let measured = session.run(&workload(), &limits(900, 0)).unwrap();
    let cpu_ns = measured.usage.and_then(|usage| usage.cpu_ns).unwrap();
    assert!(measured.wall_ns < 900_000_000 && cpu_ns < 900_000_000, "{measured:?}");
}

fn cpu_time_is_counted_for_the_run_alone() {
    let mut session = started("burns");
    let measured = session.run(&workload(), &limits(PATIENT, 0)).unwrap();
    let usage = measured.usage.unwrap();
    assert_eq!(measured.spilled_bytes, Some(4096), "what the engine counts arrives");
    assert!(measured.wall_ns >= 60_000_000);
    // A busy machine may take the core away, but 60 ms on the wall clock cannot cost more than that on the CPU's.
    let cpu_ns = usage.cpu_ns.unwrap();
    assert!(cpu_ns > 1_000_000 && cpu_ns < measured.wall_ns + 50_000_000, "{usage:?}");
}

fn an_answer_out_of_order_is_a_mismatch_and_a_kept_result_is_whole() {
    let mut session = started("good");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("k.parquet");
    session.run(&workload(), &limits(PATIENT, 0)).unwrap();
    let by_n = SortKey { column: "n".into(), descending: false, nulls_first: false };
    let ordered = Check { order_by: vec![by_n], ..Check::default() };
    let mismatch =
        session.digest(&ordered, Keep { result: Some(&path), trace: None }, &NEVER).unwrap().digest.unwrap_err();
    assert_eq!(mismatch, "row 1 is out of order: rows must be ordered by n");
    assert_eq!(digest_parquet(&path, &Check::default()).unwrap().rows, 3);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    let again = session.digest(&ordered, Keep::default(), &NEVER).unwrap_err().to_string();
    assert!(again.contains("there is no answer to digest"), "{again}");
}

fn a_discarded_answer_is_gone_and_discarding_nothing_is_fine() {
    let mut session = started("good");
    session.discard(&NEVER).unwrap();
    session.run(&workload(), &limits(PATIENT, 0)).unwrap();
    session.discard(&NEVER).unwrap();
    let said = session.digest(&Check::default(), Keep::default(), &NEVER).unwrap_err().to_string();
    assert!(said.contains("there is no answer to digest"), "{said}");
}

fn a_probe_gives_its_samples_or_says_why_it_cannot() {
    let probe = Probe::RoundTrip { count: 3 };
    let mut session = started("good");
    assert_eq!(session.probe(&probe, &NEVER).unwrap().samples, [Nanos::new(1); 3]);
    assert!(session.memory().is_some_and(|held| held.get() > 1 << 20));
    let mut unable = started("unable");
    assert_eq!(unable.probe(&probe, &NEVER), Err(Failure::Unsupported("it has no tasks".into())));
    assert!(unable.is_alive());
}

fn samples_that_cannot_be_end_the_session() {
    for (name, words) in [("burns", "3 samples of 3458764513820540928 ns"), ("hurt", "0 samples of 0 ns")] {
        let mut session = started(name);
        let failure = session.probe(&Probe::RoundTrip { count: 3 }, &NEVER).unwrap_err();
        assert!(failure.to_string().contains(words) && !session.is_alive(), "{failure:?}");
    }
}

fn a_result_that_cannot_be_kept_is_the_harness_s_failure() {
    let mut session = started("good");
    session.run(&workload(), &limits(PATIENT, 0)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing/k.parquet");
    let keep = Keep { result: Some(&missing), trace: None };
    let failure = session.digest(&Check::default(), keep, &NEVER).unwrap_err();
    assert!(matches!(failure, Failure::Harness(_)) && failure.outcome().is_none(), "{failure:?}");
}

fn an_engine_that_cannot_says_so_and_lives_on() {
    let mut session = started("unable");
    let failure = session.run(&workload(), &limits(PATIENT, 0)).unwrap_err();
    assert_eq!(failure, Failure::Unsupported("no such thing".into()));
    assert!(session.is_alive());
}

fn a_fault_that_ends_a_run_is_told_with_its_failure() {
    let plan = FaultPlan { faults: vec!["kill@50%".parse().unwrap()], seed: 1 };
    let mut session = started("hurt");
    session.arm(&plan, &NEVER).unwrap();
    let failure = session.run(&workload(), &limits(PATIENT, 0)).unwrap_err();
    assert_eq!(failure, Failure::Failed("no node is left".into()));
    let struck = session.struck();
    assert_eq!((struck[0].fault.as_str(), struck[0].fired_ns), ("kill@50%", Some(Nanos::new(40))));
    assert_eq!(session.struck(), [], "told once");
    session.run(&workload(), &limits(PATIENT, 0)).unwrap_err();
    assert_eq!(session.struck(), [], "a run without faults has none");
}

fn a_fault_that_a_run_hangs_on_is_told_when_it_is_cancelled() {
    let plan = FaultPlan { faults: vec!["cut@10%".parse().unwrap()], seed: 1 };
    let mut session = started("stuck");
    session.arm(&plan, &NEVER).unwrap();
    let failure = session.run(&workload(), &limits(30, PATIENT)).unwrap_err();
    assert!(matches!(failure, Failure::TimedOut { .. }), "{failure:?}");
    assert_eq!(session.struck().iter().map(|f| f.fault.as_str()).collect::<Vec<_>>(), ["cut@10%"]);
}

fn a_panic_is_a_failure_that_ends_the_session() {
    let mut session = started("panics");
    let failure = session.run(&workload(), &limits(PATIENT, 0)).unwrap_err();
    assert_eq!(failure.to_string(), "the engine panicked: index out of bounds");
    assert!(!session.is_alive());
}

fn a_death_is_reported_with_its_status_and_last_words() {
    let mut session = started("dies");
    let said = session.run(&workload(), &limits(PATIENT, 0)).unwrap_err().to_string();
    let expected = "the engine process exited with code 3 during `run`; its last words: the reason, on stderr";
    assert_eq!(said, expected);
    let mut session = started("aborts");
    let said = session.run(&workload(), &limits(PATIENT, 0)).unwrap_err().to_string();
    assert!(said.starts_with("the engine process was killed by signal 6 during `run`"), "{said}");
    assert!(!session.is_alive());
    let again = session.run(&workload(), &limits(PATIENT, 0)).unwrap_err();
    assert!(again.ends_session(), "a dead session stays dead: {again:?}");
}

fn garbage_on_stdout_is_quoted_and_ends_the_session() {
    let mut session = started("chatters");
    let said = session.run(&workload(), &limits(PATIENT, 0)).unwrap_err().to_string();
    assert!(said.contains("`WARNING: a library that prints`"), "{said}");
    assert!(!session.is_alive());
}

fn a_line_without_end_is_cut_off() {
    let mut session = started("floods");
    let said = session.run(&workload(), &limits(PATIENT, 0)).unwrap_err().to_string();
    assert!(said.contains("a line longer than any message"), "{said}");
}

fn a_timeout_cancels_politely_and_keeps_a_session_that_heeds_it() {
    let mut session = started("polite");
    let failure = session.run(&workload(), &limits(30, PATIENT)).unwrap_err();
    assert_eq!(failure, Failure::TimedOut { request: "run", after: Duration::from_millis(30) });
    assert!(session.is_alive());
    let failure = session.run(&workload(), &limits(1, PATIENT)).unwrap_err();
    assert!(matches!(failure, Failure::TimedOut { .. }) && session.is_alive());
}

fn a_timeout_kills_an_engine_that_does_not_heed_it() {
    let mut session = started("deaf");
    let (pid, began) = (session.pid(), Instant::now());
    let failure = session.run(&workload(), &limits(30, 30)).unwrap_err();
    assert!(matches!(failure, Failure::TimedOut { .. }), "{failure:?}");
    assert!(began.elapsed() < Duration::from_secs(10) && is_gone(pid) && !session.is_alive());
}

fn an_engine_that_dies_of_being_late_was_late() {
    let mut session = started("expires");
    let failure = session.run(&workload(), &limits(30, PATIENT)).unwrap_err();
    assert_eq!(failure, Failure::TimedOut { request: "run", after: Duration::from_millis(30) });
    assert!(!session.is_alive());
}

fn an_interrupt_kills_the_run_in_flight() {
    let mut session = started("deaf");
    let stop = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&stop);
    let pid = session.pid();
    let waiter = std::thread::spawn(move || raised.store(true, Ordering::Relaxed));
    let failure = session
        .run(&workload(), &Limits { timeout: None, grace: Duration::ZERO, stop: &stop, trace: false })
        .unwrap_err();
    waiter.join().unwrap();
    assert_eq!(failure, Failure::Interrupted);
    assert!(is_gone(pid));
}

fn an_engine_that_never_starts_can_be_interrupted() {
    let mut argv = host();
    argv.push("mute".into());
    let stop = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&stop);
    let waiter = std::thread::spawn(move || raised.store(true, Ordering::Relaxed));
    let result = HostedEngine::new(argv, Origin::ThisBuild).start(&setup(), &stop);
    waiter.join().unwrap();
    assert_eq!(result.err(), Some(Failure::Interrupted));
}

fn processes_that_are_no_engines_are_refused_with_what_they_said() {
    let said = |text: &str| script(text).err().map(|e| e.to_string()).unwrap_or_default();
    let dead = said("echo no such module >&2; exit 7");
    assert_eq!(dead, "the engine process exited with code 7 during `hello`; its last words: no such module");
    let garbage = said("read line; echo 'hello there'; cat >/dev/null");
    assert!(garbage.contains("not a reply") && garbage.contains("`hello there`"), "{garbage}");
    let foreign =
        said(r#"read line; echo '{"id":1,"body":{"hello":{"protocol":99,"engine":"x","version":"1"}}}'; cat"#);
    assert!(foreign.contains("it speaks protocol 99, not 1"), "{foreign}");
    let early = said(r#"read line; echo '{"id":5,"body":"started"}'; cat"#);
    assert!(early.contains("a reply to request 5"), "{early}");
    let missing = HostedEngine::new(vec!["/nonexistent/engine".into()], Origin::Foreign);
    let missing = missing.start(&setup(), &NEVER).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(missing.starts_with("cannot start `/nonexistent/engine`: "), "{missing}");
}

fn late_replies_of_earlier_requests_are_skipped() {
    let hello = r#"{"id":1,"body":{"hello":{"protocol":1,"engine":"x","version":"1"}}}"#;
    let started = r#"{"id":2,"body":"started"}"#;
    script(&format!("read a; echo '{hello}'; read b; echo '{hello}'; echo '{started}'; cat >/dev/null")).unwrap();
}

fn a_reply_that_nobody_asked_for_does_not_swallow_the_next_request() {
    let hello = r#"{"id":1,"body":{"hello":{"protocol":1,"engine":"x","version":"1"}}}"#;
    let started = r#"{"id":2,"body":"started"}"#;
    // Both lines arrive at once: the second one is there before the next request is made.
    script(&format!("read a; printf '%s\\n%s\\n' '{hello}' '{hello}'; read b; echo '{started}'; cat >/dev/null"))
        .unwrap();
    let said = script(&format!("read a; printf '%s\\n%s\\n' '{hello}' '{started}'; cat >/dev/null"));
    let said = said.err().map(|e| e.to_string()).unwrap_or_default();
    assert!(said.contains("a reply to request 2, which was not made"), "{said}");
}

/// A foreign engine that keeps what it is told in `log`, says `ran` when asked to run, and then `digested`.
fn foreign(log: &Path, ran: &str, digested: &str) -> HostedSession {
    let hello = r#"{"id":1,"body":{"hello":{"protocol":1,"engine":"x","version":"1"}}}"#;
    let started = r#"{"id":2,"body":"started"}"#;
    let told = format!("printf '%s\\n' \"$c\" >>'{}'", log.display());
    script(&format!(
        "read -r a; echo '{hello}'; read -r b; echo '{started}'; read -r c; {told}; \
         echo '{{\"id\":3,\"body\":{{\"ran\":{ran}}}}}'; read -r c; {told}; \
         echo '{{\"id\":4,\"body\":{{\"digested\":{digested}}}}}'; cat >/dev/null"
    ))
    .unwrap()
}

fn no_engine_is_told_what_its_answer_should_be() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut session = foreign(&log, r#"{"rows":3,"notes":[]}"#, r#"{"mismatch":"none","check_ns":1}"#);
    let column = bench_model::ColumnDigest { name: "share".into(), ..Default::default() };
    let digest = Digest { approx: vec![column], exact_columns: vec!["secret".into()], ..Default::default() };
    let check = Check { expected: Some((digest, "an oracle".into())), ..Check::default() };
    session.run(&Workload { check: check.clone(), ..workload() }, &limits(PATIENT, 0)).unwrap();
    session.digest(&check, Keep::default(), &NEVER).unwrap();
    let told = std::fs::read_to_string(log).unwrap();
    for secret in ["expected", "an oracle", "secret"] {
        assert!(!told.contains(secret), "{told}");
    }
    // Only which columns are compared within a tolerance: without it, they could not be digested alike.
    assert_eq!(told.matches(r#""approx":{"share":1e-9}"#).count(), 2, "{told}");
}

fn a_foreign_engine_is_timed_by_the_harness_and_does_not_digest_its_own_answer() {
    let folder = tempfile::tempdir().unwrap();
    let digested = format!(r#"{{"digest":{},"check_ns":1}}"#, serde_json::to_string(&Digest::default()).unwrap());
    let mut session = foreign(&folder.path().join("log"), r#"{"wall_ns":1,"rows":3,"notes":[]}"#, &digested);
    let measured = session.run(&workload(), &limits(PATIENT, 0)).unwrap();
    assert!(measured.wall_ns > 1_000, "{} ns is what the engine said", measured.wall_ns);
    let said = session.digest(&Check::default(), Keep::default(), &NEVER).unwrap_err().to_string();
    assert!(said.contains("it has to reply with `result`"), "{said}");
    assert!(!session.is_alive());
}

fn children_that_outlive_their_engine_are_killed_with_its_group() {
    // The child holds the output open for longer than any patience.
    let began = Instant::now();
    let said = script("sleep 1000 & echo $! >&2; read a; exit 5").err().map(|e| e.to_string()).unwrap_or_default();
    let (how, child) = said.rsplit_once(' ').unwrap();
    assert_eq!(how, "the engine process exited with code 5 during `hello`; its last words:");
    assert!(began.elapsed() < Duration::from_secs(60), "the child was waited for");
    await_death(child.parse().unwrap());
}

fn children_that_left_the_group_of_their_engine_are_not_waited_for() {
    let began = Instant::now();
    let said = script("setsid sleep 100 & read a; exit 5").err().map(|e| e.to_string()).unwrap_or_default();
    assert!(said.contains("exited with code 5 during `hello`"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(60), "the child was waited for");
}

fn children_see_a_scrubbed_environment_and_die_as_a_group() {
    // The script reports the secret (if any) and the pid of a grandchild as its version.
    let hello = r#"{"id":1,"body":{"hello":{"protocol":1,"engine":"x","version":"'$SECRET_TOKEN:$!'"}}}"#;
    let started = r#"{"id":2,"body":"started"}"#;
    let text = format!("sleep 1000 & read a; echo '{hello}'; read b; echo '{started}'; cat >/dev/null");
    let outer = std::env::var_os("SECRET_TOKEN");
    assert!(outer.is_some(), "set by main before any thread runs");
    let session = script(&text).unwrap();
    let (secret, grandchild) = session.version().split_once(':').unwrap();
    assert_eq!(secret, "");
    let grandchild: u32 = grandchild.parse().unwrap();
    assert!(bench_lab::counters::process_tree(session.pid()).contains(&grandchild));
    drop(session);
    await_death(grandchild);
}

fn the_provider_gives_each_process_a_scratch_folder_and_removes_it() {
    let folder = tempfile::tempdir().unwrap();
    let provider = HostedProvider::new(host(), Origin::ThisBuild, folder.path().join("scratch"));
    let spec = EngineSpec {
        name: "good".into(),
        variant: "default".into(),
        slots: 1,
        memory: None,
        tuning: Tuning::default(),
        spans: false,
        cluster: Default::default(),
    };
    let live = provider.start(&spec, &NEVER).unwrap();
    let count = || std::fs::read_dir(folder.path().join("scratch")).unwrap().count();
    assert_eq!(count(), 1);
    live.stop();
    assert_eq!(count(), 0);
}

fn engines_die_with_a_harness_that_is_killed() {
    let mut harness = std::process::Command::new(std::env::current_exe().unwrap())
        .arg("harness")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufReader::new(harness.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let engine: u32 = line.trim().parse().unwrap();
    assert!(!is_gone(engine));
    harness.kill().unwrap();
    harness.wait().unwrap();
    await_death(engine);
}

macro_rules! claims {
    ($($name:ident,)*) => { &[$((stringify!($name), $name as fn())),*] };
}

const CLAIMS: &[(&str, fn())] = claims! {
    a_good_engine_answers_and_is_measured,
    what_the_driver_used_is_not_taken_for_what_nodes_on_other_machines_used,
    getting_ready_for_faults_is_neither_timed_nor_counted,
    cpu_time_is_counted_for_the_run_alone,
    an_answer_out_of_order_is_a_mismatch_and_a_kept_result_is_whole,
    a_discarded_answer_is_gone_and_discarding_nothing_is_fine,
    a_result_that_cannot_be_kept_is_the_harness_s_failure,
    a_probe_gives_its_samples_or_says_why_it_cannot,
    samples_that_cannot_be_end_the_session,
    an_engine_that_cannot_says_so_and_lives_on,
    a_fault_that_ends_a_run_is_told_with_its_failure,
    a_fault_that_a_run_hangs_on_is_told_when_it_is_cancelled,
    a_panic_is_a_failure_that_ends_the_session,
    a_death_is_reported_with_its_status_and_last_words,
    garbage_on_stdout_is_quoted_and_ends_the_session,
    a_line_without_end_is_cut_off,
    a_timeout_cancels_politely_and_keeps_a_session_that_heeds_it,
    a_timeout_kills_an_engine_that_does_not_heed_it,
    an_engine_that_dies_of_being_late_was_late,
    an_interrupt_kills_the_run_in_flight,
    an_engine_that_never_starts_can_be_interrupted,
    processes_that_are_no_engines_are_refused_with_what_they_said,
    late_replies_of_earlier_requests_are_skipped,
    a_reply_that_nobody_asked_for_does_not_swallow_the_next_request,
    no_engine_is_told_what_its_answer_should_be,
    a_foreign_engine_is_timed_by_the_harness_and_does_not_digest_its_own_answer,
    children_that_outlive_their_engine_are_killed_with_its_group,
    children_that_left_the_group_of_their_engine_are_not_waited_for,
    children_see_a_scrubbed_environment_and_die_as_a_group,
    the_provider_gives_each_process_a_scratch_folder_and_removes_it,
    engines_die_with_a_harness_that_is_killed,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, name] = arguments.as_slice()
        && command == "engine-host"
    {
        let Some(name) = ENGINES.iter().find(|known| *known == name) else { return ExitCode::from(2) };
        std::panic::set_hook(Box::new(|_| {}));
        return match serve(&Odd(name), "9.9", std::io::stdin(), std::io::stdout()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    if arguments == ["harness"] {
        let session = started("good");
        println!("{}", session.pid());
        wait_until(&AtomicBool::new(false));
    }
    if std::env::var_os("SECRET_TOKEN").is_none() {
        // Setting a variable is only safe before threads run; starting over sets it for everything below.
        let again = std::process::Command::new(std::env::current_exe().unwrap())
            .args(&arguments)
            .env("SECRET_TOKEN", "hunter2")
            .status();
        return if again.is_ok_and(|status| status.success()) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let list = arguments.iter().any(|a| a == "--list");
    let filter = arguments.iter().find(|a| !a.starts_with('-'));
    let chosen = CLAIMS.iter().filter(|(name, _)| filter.is_none_or(|f| name.contains(f.as_str())));
    let mut failed = 0;
    for (name, claim) in chosen {
        if list {
            println!("{name}: test");
        } else if catch_unwind(claim).is_ok() {
            println!("test {name} ... ok");
        } else {
            println!("test {name} ... FAILED");
            failed += 1;
        }
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

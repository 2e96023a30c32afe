//! Claims about engines of somebody else's: how far they are believed, and that they cannot hold the harness up. Each is a shell
//! script that knows its lines.
#![expect(clippy::unwrap_used, reason = "a claim fails by panicking")]

mod fake;
mod limits;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use bench_lab::hosted::{HostedEngine, HostedProvider, HostedSession, Origin};
use bench_lab::live::{Digested, Failure, Keep, Limits};
use bench_model::{Check, EngineSetup, Form, SpanKind, Tuning, Workload};
use fake::{engine, unanswered};
use parquet::arrow::ArrowWriter;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

static NEVER: AtomicBool = AtomicBool::new(false);
const HELLO: &str = r#"{"id":1,"body":{"hello":{"protocol":1,"engine":"x","version":"1"}}}"#;
const STARTED: &str = r#"{"id":2,"body":"started"}"#;
const RAN: (&str, &str) = (":", r#"{"ran":{"rows":3,"notes":[]}}"#);

fn limits() -> Limits<'static> {
    Limits { timeout: Some(Duration::from_secs(20)), grace: Duration::from_secs(20), stop: &NEVER, trace: false }
}

fn workload() -> Workload {
    unanswered("w")
}

fn start(name: Option<&str>, scratch: &Path, text: &str, stop: &AtomicBool) -> Result<HostedSession, Failure> {
    start_with(name, scratch, text, stop, false)
}

fn start_with(
    name: Option<&str>,
    scratch: &Path,
    text: &str,
    stop: &AtomicBool,
    spans: bool,
) -> Result<HostedSession, Failure> {
    HostedEngine { name: name.map(str::to_owned), ..shell(text) }.start(&setup(scratch, spans), stop)
}

/// A driver that is a shell script.
fn shell(text: &str) -> HostedEngine {
    HostedEngine::new(vec!["/bin/sh".into(), "-c".into(), text.into()], Origin::Foreign)
}

fn setup(scratch: &Path, spans: bool) -> EngineSetup {
    EngineSetup {
        slots: 1,
        memory: None,
        scratch: scratch.to_owned(),
        tuning: Tuning::default(),
        spans,
        cluster: Default::default(),
    }
}

/// An engine that answers request after request with these bodies, each after a command of its own.
fn scripted(scratch: &Path, replies: &[(&str, &str)]) -> HostedSession {
    scripted_with(scratch, replies, false)
}

/// The same, asked for spans or not.
fn scripted_with(scratch: &Path, replies: &[(&str, &str)], spans: bool) -> HostedSession {
    let mut text = format!("read -r a; echo '{HELLO}'; read -r a; echo '{STARTED}'");
    for (number, (command, body)) in (3..).zip(replies) {
        text += &format!("; read -r a; {command}; echo '{{\"id\":{number},\"body\":{body}}}'");
    }
    start_with(None, scratch, &format!("{text}; cat >/dev/null"), &NEVER, spans).unwrap()
}

fn failed(kind: &str) -> String {
    format!(r#"{{"failed":{{"kind":"{kind}","message":"why"}}}}"#)
}

/// The reply that the answer lies in this file.
fn digested(path: &Path) -> String {
    format!(r#"{{"digested":{{"result":"{}","check_ns":1}}}}"#, path.display())
}

/// Three rows.
fn write_answer(path: &Path) {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![3, 1, 2]));
    let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn a_driver_says_at_hello_which_programs_it_runs_none_of() {
    let scratch = tempfile::tempdir().unwrap();
    let hello = |refuses: &str| {
        let hello = HELLO.replace(r#""version""#, &format!(r#""refuses":{refuses},"version""#));
        start(
            None,
            scratch.path(),
            &format!("read -r a; echo '{hello}'; read -r a; echo '{STARTED}'; cat >/dev/null"),
            &NEVER,
        )
    };
    let session = hello(r#"{"sql":"it has none"}"#).unwrap();
    assert_eq!(session.refuses(), &[(Form::Sql, "it has none".to_owned())].into());
    let unknown = hello(r#"{"prose":"it has none"}"#).unwrap_err();
    assert!(matches!(&unknown, Failure::Protocol { request: "hello", .. }), "{unknown}");
}

#[test]
fn a_failure_that_may_have_spoilt_the_engine_costs_it_its_process() {
    let scratch = tempfile::tempdir().unwrap();
    for (kind, lives) in
        [("failed", false), ("out_of_memory", false), ("panicked", false), ("unsupported", true), ("program", true)]
    {
        let mut session = scripted(scratch.path(), &[(":", &failed(kind))]);
        session.run(&workload(), &limits()).unwrap_err();
        assert_eq!(session.is_alive(), lives, "{kind}");
    }
}

#[test]
fn an_engine_that_fails_by_itself_while_it_is_cancelled_costs_its_process_too() {
    let scratch = tempfile::tempdir().unwrap();
    for (kind, lives) in [("out_of_memory", false), ("cancelled", true)] {
        // It answers the run only when the cancel has come.
        let mut session = scripted(scratch.path(), &[("read -r cancel", &failed(kind))]);
        let late = Limits { timeout: Some(Duration::from_millis(30)), ..limits() };
        let failure = session.run(&workload(), &late).unwrap_err();
        assert!(matches!(failure, Failure::TimedOut { .. }), "{failure:?}");
        assert_eq!(session.is_alive(), lives, "{kind}");
    }
}

#[test]
fn what_an_engine_says_of_the_harness_is_its_own_failure_unless_the_harness_sees_it_too() {
    let scratch = tempfile::tempdir().unwrap();
    let mut session = scripted(scratch.path(), &[(":", &failed("harness"))]);
    assert_eq!(session.run(&workload(), &limits()).unwrap_err(), Failure::Failed("why".into()));
    let mut session = scripted(scratch.path(), &[RAN, (":", &failed("harness"))]);
    session.run(&workload(), &limits()).unwrap();
    assert_eq!(session.digest(&Check::default(), Keep::default(), &NEVER), Err(Failure::Failed("why".into())));
    let mut session = scripted(scratch.path(), &[RAN, (":", &failed("harness"))]);
    session.run(&workload(), &limits()).unwrap();
    let missing = scratch.path().join("missing/k.parquet");
    let keep = Keep { result: Some(&missing), trace: None };
    let failure = session.digest(&Check::default(), keep, &NEVER).unwrap_err();
    assert!(matches!(&failure, Failure::Harness(why) if why.contains("missing")), "{failure:?}");
}

#[test]
fn an_answer_is_read_and_removed_at_once_unless_it_is_to_be_kept() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("a.parquet");
    write_answer(&path);
    let mut session = scripted(scratch.path(), &[RAN, (":", &digested(&path))]);
    session.run(&workload(), &limits()).unwrap();
    let answer = session.digest(&Check::default(), Keep::default(), &NEVER).unwrap();
    assert_eq!((answer.digest.unwrap().rows, answer.doubt), (3, None));
    assert!(!path.exists(), "it would be written to the disk while another engine is timed");
    let kept = tempfile::tempdir().unwrap();
    let path = kept.path().join("k.parquet");
    write_answer(&path);
    let mut session = scripted(scratch.path(), &[RAN, (":", &digested(&path))]);
    session.run(&workload(), &limits()).unwrap();
    session.digest(&Check::default(), Keep { result: Some(&path), trace: None }, &NEVER).unwrap();
    assert!(path.exists());
}

#[test]
fn an_answer_elsewhere_or_of_other_rows_breaks_the_protocol() {
    let (scratch, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (own, foreign) = (scratch.path().join("a.parquet"), other.path().join("a.parquet"));
    write_answer(&own);
    write_answer(&foreign);
    let said = |ran: &str, path: &Path| {
        let mut session = scripted(scratch.path(), &[(":", ran), (":", &digested(path))]);
        session.run(&workload(), &limits()).unwrap();
        let failure = session.digest(&Check::default(), Keep::default(), &NEVER).unwrap_err();
        assert!(matches!(failure, Failure::Protocol { .. }) && !session.is_alive(), "{failure:?}");
        failure.to_string()
    };
    assert!(said(RAN.1, &foreign).contains("is not in the scratch folder"));
    assert!(foreign.exists(), "what is somebody else's is not removed");
    let other_rows = said(r#"{"ran":{"rows":1,"notes":[]}}"#, &own);
    assert!(other_rows.contains("`ran` said 1 rows, and the answer has 3"), "{other_rows}");
}

#[test]
fn a_time_longer_than_it_took_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let mut session = scripted(scratch.path(), &[(":", r#"{"ran":{"wall_ns":99999999999999,"rows":3,"notes":[]}}"#)]);
    let said = session.run(&workload(), &limits()).unwrap_err().to_string();
    assert!(said.contains("it says the run took 99999999999999 ns, but"), "{said}");
}

#[test]
fn work_that_is_left_for_the_digest_is_noticed() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("a.parquet");
    write_answer(&path);
    // However busy the machine is, it gets as much CPU time as that in the end.
    let work = "python3 -c 'import time\nwhile time.process_time() < 0.4: pass'";
    let mut session = scripted(scratch.path(), &[RAN, (work, &digested(&path))]);
    session.run(&workload(), &limits()).unwrap();
    let doubt = session.digest(&Check::default(), Keep::default(), &NEVER).unwrap().doubt.unwrap_or_default();
    assert!(doubt.starts_with("handing the answer over took ") && doubt.contains("may not be in the run's time"));
}

/// What the harness makes of such spans beside an answer.
fn spans_of(spans: &str, asked: bool) -> Result<Digested, Failure> {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("a.parquet");
    write_answer(&path);
    let reply = format!(r#"{{"digested":{{"result":"{}",{spans}"check_ns":1}}}}"#, path.display());
    let mut session = scripted_with(scratch.path(), &[("sleep 0.02", RAN.1), (":", &reply)], asked);
    session.run(&workload(), &limits()).unwrap();
    session.digest(&Check::default(), Keep::default(), &NEVER)
}

#[test]
fn where_a_products_slots_were_is_recorded_and_the_rest_of_their_time_is_unknown() {
    let told = r#""spans":{"version":1,"by_kind_ns":{"compute":1000000,"submit":2000000},"notes":["3 tasks"]},"#;
    let digested = spans_of(told, true).unwrap();
    let spans = digested.spans.unwrap();
    assert_eq!((spans.slots, digested.notes), (1, vec!["3 tasks".to_owned()]));
    assert!(spans.makespan_ns.get() >= 20_000_000, "the harness's own clock: {spans:?}");
    assert_eq!(spans.by_kind_ns[&SpanKind::Compute].get(), 1_000_000);
    assert_eq!(spans.unknown_ns.unwrap().get() + 3_000_000, spans.makespan_ns.get());
    assert!(spans.is_complete(0.0));
    let nothing = spans_of("", true).unwrap().spans.unwrap();
    assert_eq!((nothing.by_kind_ns.len(), nothing.unknown_ns), (0, Some(nothing.makespan_ns)));
    assert_eq!(spans_of("", false).unwrap().spans, None);
}

#[test]
fn an_answer_whose_spans_explain_more_than_there_was_is_an_answer_of_which_no_time_is_known() {
    let more = r#""spans":{"version":1,"by_kind_ns":{"compute":3600000000000}},"#;
    let digested = spans_of(more, true).unwrap();
    assert_eq!(digested.digest.unwrap().rows, 3);
    let spans = digested.spans.unwrap();
    assert_eq!((spans.by_kind_ns.len(), spans.unknown_ns), (0, Some(spans.makespan_ns)));
    let [note] = &digested.notes[..] else { panic!("{:?}", digested.notes) };
    assert!(note.contains("unknown: its spans take 3600000000000 ns, more than the "), "{note}");
}

#[test]
fn spans_that_cannot_be_break_the_protocol() {
    let version = r#""spans":{"version":2,"by_kind_ns":{}},"#;
    let kind = r#""spans":{"version":1,"by_kind_ns":{"lunch":1}},"#;
    let negative = r#""spans":{"version":1,"by_kind_ns":{"compute":-1}},"#;
    let fine = r#""spans":{"version":1,"by_kind_ns":{}},"#;
    for (spans, asked, why) in [
        (version, true, "its spans are of version 2, not 1"),
        (kind, true, "unknown variant `lunch`"),
        (negative, true, "invalid value: integer `-1`"),
        (fine, false, "it tells of spans, which nobody asked for"),
    ] {
        let failure = spans_of(spans, asked).unwrap_err();
        assert!(matches!(&failure, Failure::Protocol { .. }) && failure.to_string().contains(why), "{failure}");
    }
    let scratch = tempfile::tempdir().unwrap();
    let ran = r#"{"ran":{"rows":3,"spans":{"slots":1,"makespan_ns":1,"by_kind_ns":{}},"notes":[]}}"#;
    let mut session = scripted_with(scratch.path(), &[(":", ran)], true);
    let said = session.run(&workload(), &limits()).unwrap_err().to_string();
    assert!(said.contains("its spans came with `ran`"), "{said}");
}

#[test]
fn an_engine_that_is_somebody_else_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let text = format!("read -r a; echo '{HELLO}'; cat >/dev/null");
    let said = start(Some("y"), scratch.path(), &text, &NEVER).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(said.contains("it is `x`, not `y`"), "{said}");
}

/// What a script finds out about itself, told as its version.
fn told(command: &str, cpus: Option<u32>) -> String {
    told_by(command, |host| HostedEngine { cpus, ..host })
}

fn told_by(command: &str, of: impl FnOnce(HostedEngine) -> HostedEngine) -> String {
    let hello = r#"{"id":1,"body":{"hello":{"protocol":1,"engine":"x","version":"'"$v"'"}}}"#;
    let text = format!("read -r a; v=$({command}); echo '{hello}'; read -r a; echo '{STARTED}'; cat >/dev/null");
    let host = of(shell(&text));
    let folder = tempfile::tempdir().unwrap();
    let provider = HostedProvider::new(vec![], Origin::Foreign, folder.path().to_owned());
    let spec = engine("x");
    let live = provider.start_as(&spec, |_| Ok(host), &NEVER).unwrap();
    let version = live.version().to_owned();
    // It would not answer a `stop`.
    drop(live);
    version
}

#[test]
fn a_product_and_its_children_run_on_as_many_cpus_as_it_has_slots() {
    let count = |cpus: Option<u32>| told("nproc", cpus).parse::<usize>().unwrap();
    let all = std::thread::available_parallelism().unwrap().get();
    assert_eq!((count(None), count(Some(1)), count(Some(4096))), (all, 1, all));
}

#[test]
fn a_folder_for_sockets_has_a_short_path_and_is_gone_with_its_engine() {
    let seen = told("touch \"$BENCH_SOCKETS/s\"; stat -c %a:%n \"$BENCH_SOCKETS\"", None);
    let (mode, path) = seen.split_once(':').unwrap();
    assert_eq!(mode, "700");
    assert!(path.len() <= 40 && !Path::new(path).exists(), "{path}");
}

#[test]
fn a_flood_on_stderr_does_not_keep_the_harness_from_hearing_that_it_is_to_stop() {
    let scratch = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let begun = Instant::now();
    let ended = std::thread::scope(|threads| {
        threads.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            stop.store(true, Ordering::Relaxed);
        });
        start(None, scratch.path(), "yes xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx >&2", &stop).err()
    });
    assert_eq!(ended, Some(Failure::Interrupted));
    assert!(begun.elapsed() < Duration::from_secs(60), "it went on for {:?}", begun.elapsed());
}

#[test]
fn whoever_has_much_to_say_at_its_end_is_listened_to() {
    let scratch = tempfile::tempdir().unwrap();
    // More than a pipe holds, after its output has ended.
    let text = "read -r a; exec >&-; head -c 300000 /dev/zero | tr '\\0' x >&2; echo the reason >&2; exit 7";
    let said = start(None, scratch.path(), text, &NEVER).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(said.starts_with("the engine process exited with code 7 during `hello`"), "{said}");
    assert!(said.ends_with("the reason"), "{said}");
}

#[test]
fn what_is_below_the_keeper_stands_still_from_a_pause_to_the_next_request() {
    let scratch = tempfile::tempdir().unwrap();
    let marks = scratch.path().join("marks");
    // The outer shell is the keeper; the inner one answers, and something of it works all the time.
    let (work, ran) = (marks.display(), r#"{"id":3,"body":{"ran":{"rows":3,"notes":[]}}}"#);
    let script = format!(
        "sh -c '(while :; do echo >> {work}; sleep 0.01; done) & read a; echo '\\''{HELLO}'\\''; read a; echo '\\''{STARTED}'\\''; \
         read a; echo '\\''{ran}'\\''; read a'; :"
    );
    let engine = HostedEngine { stands_still: true, ..shell(&script) };
    let mut session = engine.start(&setup(scratch.path(), false), &NEVER).unwrap();
    let size = || std::fs::metadata(&marks).map_or(0, |m| m.len());
    let grows = || {
        let (before, deadline) = (size(), Instant::now() + Duration::from_millis(500));
        while size() == before && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        size() > before
    };
    assert!(grows(), "nothing works");
    session.pause();
    assert!(!grows(), "it works while it waits");
    assert_eq!(session.run(&workload(), &limits()).unwrap().rows, 3);
    assert!(grows(), "it goes on with its request");
    session.pause();
    session.stop();
}

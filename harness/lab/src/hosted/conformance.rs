//! Whether a driver keeps to the protocol: a conversation with everything in it that a run may need, and everything that may go
//! wrong.
//!
//! Long because: every rule, in the order of the conversation, is one short step here.

use super::process::{Heard, Process};
use super::result::doubt;
use super::session::HostedEngine;
use super::spans::WireSpans;
use super::wire::{Envelope, FailureKind, PROTOCOL, Reply, Request, WireDataset, WireSetup};
use crate::counters::tree_cpu_ns;
use crate::live::Refusals;
use crate::oracle::digest_parquet;
use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use bench_model::{
    Aggregate, Check, ClusterSpec, Dataset, EngineSetup, Family, Format, Nanos, Probe, Program, Query, Step, Table,
    Tuning, Workload,
};
use parquet::arrow::ArrowWriter;
use serde::Serialize;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// How long starting may take, as in a run.
const START: Duration = Duration::from_secs(120);
/// How long any other answer may take: the work is tiny.
const ANSWER: Duration = Duration::from_secs(60);
/// How long a cancelled run, or a process whose input ended, may take to end.
const END: Duration = Duration::from_secs(15);
/// How long it may take to kill what a driver has left.
const KILL: Duration = Duration::from_secs(5);
/// With less CPU time than this in a run it cannot be told whether the run did the work.
const WORK_NS: u64 = 100_000_000;
/// Rows of the table: joined with itself three times they take longer than any patience.
const ROWS: i64 = 20_000;
/// How many tasks of a driver run at a time.
const SLOTS: u32 = 2;
/// How the silence of a driver is told.
const NO_REPLY: &str = "no reply within";
/// Marks everything that the driver starts, whoever its parent is.
const MARK: &str = "BENCH_CONFORMANCE";

/// One rule and whether it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What a driver has to do.
    pub rule: &'static str,
    /// Whether it does.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Whether a rule is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// It is.
    Kept,
    /// It is not.
    Broken {
        /// What happened instead.
        why: String,
    },
    /// This driver gave no occasion to tell.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// Talks to a driver about a tiny table in `scratch` and judges every answer. Raising `stop` ends it early: what is judged then is the
/// interruption and not the driver.
///
/// # Errors
/// Files that cannot be written below `scratch`.
pub fn check(engine: &HostedEngine, scratch: &Path, stop: &AtomicBool) -> io::Result<Vec<Finding>> {
    let mut judge =
        Judge { engine, scratch: scratch.to_owned(), stop, findings: Vec::new(), started: 0, table: table(scratch)? };
    if let Some(query) = judge.whole_conversation()? {
        judge.accounting(query)?;
    }
    judge.other_protocol()?;
    judge.nonsense()?;
    judge.cancelling()?;
    judge.end_of_input()?;
    Ok(judge.findings)
}

struct Judge<'a> {
    engine: &'a HostedEngine,
    scratch: PathBuf,
    stop: &'a AtomicBool,
    findings: Vec<Finding>,
    started: u32,
    table: Dataset,
}

impl<'a> Judge<'a> {
    fn rule(&mut self, rule: &'static str, kept: Result<(), String>) -> bool {
        let verdict = kept.map_or_else(|why| Verdict::Broken { why }, |()| Verdict::Kept);
        let is_kept = verdict == Verdict::Kept;
        self.findings.push(Finding { rule, verdict });
        is_kept
    }

    /// A driver in a process and a folder of its own.
    fn open(&mut self) -> io::Result<Talk<'a>> {
        self.started += 1;
        let folder = self.scratch.join(format!("conformance-{}", self.started));
        fs::create_dir_all(&folder)?;
        let mark = format!("{}-{}", std::process::id(), self.started);
        let mut engine = self.engine.clone();
        engine.environment.push((MARK.into(), mark.clone().into()));
        let process = Process::spawn(&engine)?;
        Ok(Talk { process, next: 1, stop: self.stop, folder, mark: format!("{MARK}={mark}") })
    }

    /// A query that it can run, if it came that far.
    fn whole_conversation(&mut self) -> io::Result<Option<Query>> {
        let mut talk = self.open()?;
        let hello = talk.ask(Request::Hello { protocol: PROTOCOL }, START).and_then(|reply| match reply {
            Reply::Hello(hello)
                if hello.protocol == PROTOCOL && !hello.engine.is_empty() && !hello.version.is_empty() =>
            {
                Ok(hello.refuses)
            }
            other => Err(format!("a hello with protocol, engine and version was expected: {}", shown(&other))),
        });
        let refuses = hello.clone().unwrap_or_default();
        if !self.rule("`hello` is answered with protocol, name and version", hello.map(drop)) {
            return Ok(None);
        }
        let early = talk.refused(run(Query::Sql("SELECT 1 AS n".to_owned())), FailureKind::Protocol);
        self.rule("a run before the start is refused as `protocol`", early);
        let started = talk.start();
        if !self.rule("`start` is answered within its limits by `started`", started) {
            return Ok(None);
        }
        let wire = WireDataset::of(&self.table).map_err(io::Error::other)?;
        let load = || Request::Load { datasets: vec![wire.clone()] };
        let loaded = talk.expect(load(), ANSWER, |reply| fits(reply == &Reply::Loaded));
        if !self.rule("`load` makes a Parquet table known", loaded) {
            return Ok(None);
        }
        let Some(query) = self.answer(&mut talk, &refuses) else { return Ok(None) };
        let twice = talk.refused(digest_request(), FailureKind::Protocol);
        self.rule("an answer is digested once: then it is gone", twice);
        let dropped = talk.expect(run(query.clone()), ANSWER, is_ran).and_then(|()| {
            talk.expect(Request::Discard, ANSWER, |reply| fits(reply == &Reply::Discarded))?;
            talk.refused(digest_request(), FailureKind::Protocol)
        });
        self.rule("`discard` drops the answer that is held", dropped);
        self.work(&mut talk);
        let wrong =
            talk.ask(run(Query::Sql("SELEKT no such thing".to_owned())), ANSWER).and_then(|reply| match reply {
                Reply::Failed { kind: FailureKind::Program | FailureKind::Unsupported, .. } => Ok(()),
                other => Err(format!("`program` or `unsupported` was expected, not {}", shown(&other))),
            });
        self.rule("a program that is wrong is refused as such", wrong);
        self.probing(&mut talk);
        let again = talk.expect(load(), ANSWER, |reply| fits(reply == &Reply::Loaded));
        let again = again.and_then(|()| talk.expect(run(query.clone()), ANSWER, is_ran));
        self.rule("it goes on after a failure, and tables can be loaded again", again);
        let stopped = talk.expect(Request::Stop, END, |reply| fits(reply == &Reply::Stopped));
        let exited = stopped.and_then(|()| talk.wait_for_exit());
        // Before anybody else ends what the driver was to end.
        let left = talk.nothing_left();
        self.rule("`stop` is answered, then the process exits with 0", exited.and_then(|()| talk.exited_fine()));
        self.rule("after `stop` nothing that it started is left", left);
        Ok(Some(query))
    }

    /// Asks for a probe, which a driver may have nothing for.
    fn probing(&mut self, talk: &mut Talk<'_>) {
        const RULE: &str = "a `probe` is answered by its samples, or refused as `unsupported`";
        let probe = Probe::RoundTrip { count: 3 };
        let asked = Instant::now();
        match talk.ask(Request::Probe(probe), START) {
            Ok(Reply::Failed { kind: FailureKind::Unsupported, message, .. }) => {
                let kept = if message.is_empty() { Err("it does not say why".to_owned()) } else { Ok(()) };
                self.rule(RULE, kept);
            }
            Ok(Reply::Probed { samples_ns }) => {
                let (all, passed) = (samples_ns.iter().copied().sum::<Nanos>(), asked.elapsed());
                let kept = match samples_ns.len() {
                    n if n != probe.samples() => Err(format!("{n} samples instead of {}", probe.samples())),
                    _ if u128::from(all.get()) > passed.as_nanos() => {
                        Err(format!("its samples take {all}, more than the {passed:.1?} that passed"))
                    }
                    _ => Ok(()),
                };
                self.rule(RULE, kept);
            }
            other => {
                self.rule(RULE, Err(described(other)));
            }
        }
    }

    /// Whether a run does the work that its time stands for, as far as CPU time tells.
    fn work(&mut self, talk: &mut Talk<'_>) {
        const RULE: &str = "the work is done in `run`, and `digest` only hands the answer over";
        let pairs = "FROM numbers a, numbers b WHERE a.v < 8000 AND b.v < 8000 AND (a.v * b.v) % 7 = 3";
        let before = talk.cpu_ns();
        let verdict = match talk.ask(run(count_sql(pairs)), ANSWER) {
            Ok(Reply::Ran(_)) => {
                let ran = talk.cpu_ns();
                match talk.ask(digest_request(), ANSWER) {
                    Ok(Reply::Digested { result: Some(path), .. }) => {
                        let bytes = fs::metadata(&path).map_or(0, |file| file.len());
                        judged_work(before, ran, talk.cpu_ns(), bytes)
                    }
                    other => Verdict::Broken { why: described(other) },
                }
            }
            Ok(Reply::Failed { kind: FailureKind::Unsupported | FailureKind::Program, message, .. }) => {
                Verdict::Unknown { why: format!("it does not run the long query: {message}") }
            }
            other => Verdict::Broken { why: described(other) },
        };
        self.findings.push(Finding { rule: RULE, verdict });
    }

    /// Runs and digests the first kind of query that it has; none if it has none.
    fn answer(&mut self, talk: &mut Talk<'_>, refuses: &Refusals) -> Option<Query> {
        let mut reasons = Vec::new();
        for query in [count_sql("FROM numbers"), count_frame()] {
            let (ran, rows) = match talk.ask(run(query.clone()), ANSWER) {
                Ok(Reply::Ran(ran)) => (Ok(()), ran.rows),
                Ok(Reply::Failed { kind: FailureKind::Unsupported, message, .. }) => {
                    reasons.push(message);
                    continue;
                }
                other => (Err(described(other)), 0),
            };
            let ran = ran.and_then(|()| match refuses.get(&query.form()) {
                Some(_) => Err("its `hello` says that it runs no such program".to_owned()),
                None => Ok(()),
            });
            let ran = ran.and_then(|()| fits(rows == 1).map_err(|_| format!("it says {rows} rows, not 1")));
            if !self.rule("`run` computes an answer and tells its rows", ran) {
                return None;
            }
            let digested = talk.ask(digest_request(), ANSWER).and_then(|reply| match reply {
                Reply::Digested { spans: Some(_), .. } => Err("it tells of spans, which nobody asked for".to_owned()),
                Reply::Digested { digest: None, mismatch: None, result: Some(path), .. } => is_the_count(&path),
                other => Err(format!("`digested` with a `result` file was expected, not {}", shown(&other))),
            });
            self.rule("`digest` leaves the right answer as a Parquet file", digested);
            return Some(query);
        }
        let why = format!("it has neither SQL nor dataframes: {}", reasons.join("; "));
        self.findings
            .push(Finding { rule: "`run` computes an answer and tells its rows", verdict: Verdict::Broken { why } });
        None
    }

    /// Asks where slot time went, which a product may not tell.
    fn accounting(&mut self, query: Query) -> io::Result<()> {
        const RULE: &str = "asked for spans, `digest` explains no more slot time than there was";
        let mut talk = self.open()?;
        let wire = WireDataset::of(&self.table).map_err(io::Error::other)?;
        let begun = talk.expect(Request::Hello { protocol: PROTOCOL }, START, |_| Ok(())).and_then(|()| {
            talk.start_with(true)?;
            talk.expect(Request::Load { datasets: vec![wire] }, ANSWER, |reply| fits(reply == &Reply::Loaded))
        });
        let asked = Instant::now();
        let ran = begun.and_then(|()| talk.expect(run(query), ANSWER, is_ran));
        let passed = Nanos::new(u64::try_from(asked.elapsed().as_nanos()).unwrap_or(u64::MAX));
        let verdict = match ran.and_then(|()| talk.ask(digest_request(), ANSWER)) {
            Ok(Reply::Digested { spans: None, .. }) => {
                Verdict::Unknown { why: "it explains none, and all of it counts as unknown".to_owned() }
            }
            Ok(Reply::Digested { spans: Some(spans), .. }) => judged_spans(&spans, passed),
            other => Verdict::Broken { why: described(other) },
        };
        self.findings.push(Finding { rule: RULE, verdict });
        Ok(())
    }

    fn other_protocol(&mut self) -> io::Result<()> {
        let mut talk = self.open()?;
        let refused = talk.refused(Request::Hello { protocol: PROTOCOL + 1 }, FailureKind::Protocol);
        self.rule("another protocol is refused as `protocol`", refused);
        Ok(())
    }

    fn nonsense(&mut self) -> io::Result<()> {
        for (rule, line) in [
            ("an unknown request is refused, or ends the process", r#"{"id":3,"body":{"hurry":{}}}"#),
            (
                "an unknown field is refused, or ends the process",
                r#"{"id":3,"body":{"load":{"datasets":[],"hurry":true}}}"#,
            ),
            (
                "an unknown kind of probe is refused, or ends the process",
                r#"{"id":3,"body":{"probe":{"kind":"hurry","count":1}}}"#,
            ),
            ("a line that is no JSON is refused, or ends the process", "hurry"),
        ] {
            let mut talk = self.open()?;
            let begun = talk.expect(Request::Hello { protocol: PROTOCOL }, START, |_| Ok(()));
            let kept = begun.and_then(|()| talk.start()).and_then(|()| talk.refuses_line(line));
            self.rule(rule, kept);
        }
        Ok(())
    }

    fn cancelling(&mut self) -> io::Result<()> {
        const RULE: &str = "a run that is cancelled ends soon, and the process can be used again";
        let mut talk = self.open()?;
        let wire = WireDataset::of(&self.table).map_err(io::Error::other)?;
        let ready = talk.expect(Request::Hello { protocol: PROTOCOL }, START, |_| Ok(())).and_then(|()| {
            talk.start()?;
            talk.expect(Request::Load { datasets: vec![wire] }, ANSWER, |reply| fits(reply == &Reply::Loaded))?;
            // Nothing goes on: there is nothing to answer, and what follows is answered as ever.
            talk.say(Request::Cancel { run: 1 })?;
            talk.expect(Request::Discard, ANSWER, |reply| fits(reply == &Reply::Discarded))
        });
        if !self.rule("a cancel of no run that goes on has no reply", ready) {
            return Ok(());
        }
        let long = "FROM numbers a, numbers b, numbers c WHERE (a.v * b.v + c.v) % 7 = 3";
        let id = talk.say(run(count_sql(long)));
        let asked = Instant::now();
        std::thread::sleep(Duration::from_secs(1));
        let cancelled = id.and_then(|id| {
            talk.say(Request::Cancel { run: id })?;
            talk.hear(id, END)
        });
        match cancelled {
            Ok(Reply::Failed { kind: FailureKind::Unsupported | FailureKind::Program, message, .. }) => {
                let why = format!("it does not run the long query: {message}");
                self.findings.push(Finding { rule: RULE, verdict: Verdict::Unknown { why } });
            }
            Ok(Reply::Failed { kind: FailureKind::Cancelled, .. }) => {
                let again = talk.expect(Request::Discard, ANSWER, |reply| fits(reply == &Reply::Discarded));
                self.rule(RULE, again);
            }
            Ok(other) => {
                let why = format!(
                    "`cancelled` was expected after {:.1} s, not {}",
                    asked.elapsed().as_secs_f64(),
                    shown(&other)
                );
                self.rule(RULE, Err(why));
            }
            Err(why) if why.starts_with(NO_REPLY) => {
                let why = format!("{why} after the cancel: a run over its time costs this driver its process");
                self.findings.push(Finding { rule: RULE, verdict: Verdict::Unknown { why } });
            }
            Err(why) => {
                self.rule(RULE, Err(why));
            }
        }
        Ok(())
    }

    fn end_of_input(&mut self) -> io::Result<()> {
        let mut talk = self.open()?;
        let ended = talk.expect(Request::Hello { protocol: PROTOCOL }, START, |_| Ok(())).and_then(|()| {
            talk.start()?;
            talk.process.close_input();
            talk.wait_for_exit()?;
            talk.nothing_left()
        });
        self.rule("the end of the input ends the process and all that it started", ended);
        Ok(())
    }
}

/// A conversation with one driver process.
struct Talk<'a> {
    process: Process,
    next: u64,
    stop: &'a AtomicBool,
    folder: PathBuf,
    mark: String,
}

impl Talk<'_> {
    fn say(&mut self, request: Request) -> Result<u64, String> {
        let id = self.next;
        self.next += 1;
        let line = serde_json::to_string(&Envelope { id, body: request }).map_err(|e| e.to_string())?;
        self.write(&line).map(|()| id)
    }

    /// Sends a line; nothing may be said before it is asked for.
    fn write(&mut self, line: &str) -> Result<(), String> {
        let bytes = format!("{line}\n").into_bytes();
        let mut unsent = bytes.as_slice();
        match self.process.exchange(&mut unsent, Some(Instant::now() + Duration::from_millis(20)), self.stop) {
            Heard::Line(line) => {
                // It answered at once: what `hear` would have heard.
                self.process.put_back(line);
                Ok(())
            }
            Heard::Late | Heard::End if unsent.is_empty() => Ok(()),
            _ => Err("it does not read its input".to_owned()),
        }
    }

    fn hear(&mut self, id: u64, patience: Duration) -> Result<Reply, String> {
        match self.process.exchange(&mut [].as_slice(), Some(Instant::now() + patience), self.stop) {
            Heard::Line(line) => match serde_json::from_slice::<Envelope<Reply>>(&line) {
                Ok(reply) if reply.id == id => Ok(reply.body),
                Ok(reply) => Err(format!("a reply to request {} instead of {id}", reply.id)),
                Err(e) => Err(format!("no reply ({e}): {}", String::from_utf8_lossy(line.get(..200).unwrap_or(&line)))),
            },
            Heard::End => {
                let how = self.process.epitaph();
                Err(format!("the process {how}: {}", self.process.stderr_tail().trim()))
            }
            Heard::Late => Err(format!("{NO_REPLY} {} s", patience.as_secs())),
            Heard::TooLong => Err("a line longer than any message".to_owned()),
            Heard::Interrupted => Err("interrupted".to_owned()),
        }
    }

    fn ask(&mut self, request: Request, patience: Duration) -> Result<Reply, String> {
        let id = self.say(request)?;
        self.hear(id, patience)
    }

    fn expect(
        &mut self,
        request: Request,
        patience: Duration,
        judge: impl FnOnce(&Reply) -> Result<(), String>,
    ) -> Result<(), String> {
        let reply = self.ask(request, patience)?;
        judge(&reply).map_err(|why| format!("{why}: {}", shown(&reply)))
    }

    fn refused(&mut self, request: Request, as_kind: FailureKind) -> Result<(), String> {
        match self.ask(request, START)? {
            Reply::Failed { kind, .. } if kind == as_kind => Ok(()),
            other => Err(format!("`failed` was expected, not {}", shown(&other))),
        }
    }

    fn start(&mut self) -> Result<(), String> {
        self.start_with(false)
    }

    fn start_with(&mut self, spans: bool) -> Result<(), String> {
        let setup = EngineSetup {
            slots: SLOTS,
            memory: Some(bench_model::Bytes::new(2 << 30)),
            scratch: self.folder.clone(),
            tuning: Tuning::default(),
            spans,
            cluster: ClusterSpec::Local,
        };
        self.expect(Request::Start(WireSetup::from(&setup)), START, |reply| fits(reply == &Reply::Started))
    }

    /// A line that is no request: refused, or the end of the process, but nothing else and soon.
    fn refuses_line(&mut self, line: &str) -> Result<(), String> {
        self.write(line)?;
        match self.process.exchange(&mut [].as_slice(), Some(Instant::now() + END), self.stop) {
            Heard::End => Ok(()),
            Heard::Line(line) => match serde_json::from_slice::<Envelope<Reply>>(&line).map(|reply| reply.body) {
                Ok(Reply::Failed { kind: FailureKind::Protocol, .. }) => Ok(()),
                Ok(other) => Err(format!("it answered {}", shown(&other))),
                Err(e) => Err(format!("it said something that is no reply ({e})")),
            },
            _ => Err(format!("neither within {} s", END.as_secs())),
        }
    }

    fn exited_fine(&mut self) -> Result<(), String> {
        let how = self.process.epitaph();
        if how == "exited with code 0" { Ok(()) } else { Err(format!("it {how}")) }
    }

    /// Waits until the driver itself has exited; what it left is not touched.
    fn wait_for_exit(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + END;
        while Instant::now() < deadline {
            if self.process.has_exited() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(format!("it is still there after {} s", END.as_secs()))
    }

    /// CPU time of the driver and of what it started, so far.
    fn cpu_ns(&self) -> Option<u64> {
        tree_cpu_ns(self.process.pid())
    }

    /// Whoever has the mark in its environment was started by the driver, whoever its parent is now.
    fn nothing_left(&self) -> Result<(), String> {
        let left: Vec<String> = marked(&self.mark).into_iter().map(named).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("still there: {}", left.join(", "))) }
    }
}

impl Drop for Talk<'_> {
    /// Whatever a driver leaves, this check does not.
    fn drop(&mut self) {
        self.process.kill();
        let deadline = Instant::now() + KILL;
        loop {
            let left = marked(&self.mark);
            if left.is_empty() || Instant::now() >= deadline {
                return;
            }
            left.into_iter().for_each(kill);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn kill(pid: u32) {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return };
    #[expect(unsafe_code, reason = "killing a process has no safe interface")]
    // SAFETY: takes two numbers.
    let _ = unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// What the CPU times before the run, after it and after the digest say.
fn judged_work(before: Option<u64>, ran: Option<u64>, digested: Option<u64>, bytes: u64) -> Verdict {
    let grown = |from: Option<u64>, to: Option<u64>| Some(to?.saturating_sub(from?));
    let (run_ns, digest_ns) = (grown(before, ran), grown(ran, digested));
    match (doubt(run_ns, digest_ns, bytes, false), run_ns) {
        (Some(why), _) => Verdict::Broken { why },
        (None, Some(ns)) if ns >= WORK_NS => Verdict::Kept,
        (None, ns) => {
            let ms = ns.unwrap_or(0) / 1_000_000;
            Verdict::Unknown { why: format!("the long query took {ms} ms of CPU time, too little to tell") }
        }
    }
}

/// Whether spans fit into a run and the pipes around it.
fn judged_spans(spans: &WireSpans, passed: Nanos) -> Verdict {
    match spans.report(SLOTS, passed) {
        Ok(_) => Verdict::Kept,
        Err(why) => Verdict::Broken { why: why.to_string() },
    }
}

fn named(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    format!("{pid} ({})", name.trim())
}

/// Living processes with that mark in their environment.
fn marked(mark: &str) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let is_marked = |folder: &Path| {
        let environment = fs::read(folder.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    let found = processes.flatten().map(|entry| entry.path()).filter(|folder| is_marked(folder));
    found.filter_map(|folder| folder.file_name()?.to_str()?.parse().ok()).collect()
}

/// A table of one column, `v`, with the numbers from 0.
fn table(scratch: &Path) -> io::Result<Dataset> {
    fs::create_dir_all(scratch)?;
    let path = std::path::absolute(scratch.join("numbers.parquet"))?;
    let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Int64, false)]));
    let values = Arc::new(Int64Array::from_iter_values(0..ROWS));
    let write = || -> Result<(), parquet::errors::ParquetError> {
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![values])?;
        let mut writer = ArrowWriter::try_new(File::create(&path)?, Arc::clone(&schema), None)?;
        writer.write(&batch)?;
        writer.close().map(drop)
    };
    write().map_err(io::Error::other)?;
    let table = Table {
        name: "numbers".to_owned(),
        format: Format::Parquet,
        files: vec![path.clone()],
        schema: Arc::clone(&schema),
        rows: ROWS.unsigned_abs(),
        bytes: fs::metadata(&path)?.len(),
    };
    Ok(Dataset { name: "conformance".to_owned(), tables: vec![table] })
}

fn count_sql(from: &str) -> Query {
    Query::Sql(format!("SELECT count(*) AS n {from}"))
}

fn count_frame() -> Query {
    let agg = vec!["count(*) AS n".to_owned()];
    Query::Frame(vec![Step::Scan("numbers".to_owned()), Step::Group(Aggregate { by: Vec::new(), agg })])
}

fn run(query: Query) -> Request {
    let family = if matches!(query, Query::Sql(_)) { Family::Sql } else { Family::Dataframe };
    let workload = Workload {
        name: "conformance".to_owned(),
        family,
        title: String::new(),
        program: Program::Query(query),
        dataset: Some("conformance".to_owned()),
        check: Check::default(),
    };
    Request::Run { workload: Box::new(workload), trace: false }
}

fn digest_request() -> Request {
    Request::Digest { check: Box::default(), keep: None, trace: None }
}

fn is_ran(reply: &Reply) -> Result<(), String> {
    fits(matches!(reply, Reply::Ran(_)))
}

fn is_the_count(path: &Path) -> Result<(), String> {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(Int64Array::from(vec![ROWS]))]);
    let expected = batch.map_err(|e| e.to_string())?;
    let expected = crate::oracle::digest(&schema, &[expected], &Check::default()).map_err(|e| e.to_string())?;
    let found = digest_parquet(path, &Check::default()).map_err(|e| e.to_string())?;
    crate::oracle::compare(&expected, &found, &Check::default()).map_err(|e| e.to_string())
}

fn fits(is: bool) -> Result<(), String> {
    if is { Ok(()) } else { Err("the reply does not fit".to_owned()) }
}

fn shown(reply: &Reply) -> String {
    let text = serde_json::to_string(reply).unwrap_or_default();
    text.chars().take(300).collect()
}

fn described(reply: Result<Reply, String>) -> String {
    reply.map_or_else(|why| why, |reply| format!("the reply does not fit: {}", shown(&reply)))
}

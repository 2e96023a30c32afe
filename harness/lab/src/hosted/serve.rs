//! The child's side: an engine of this repository behind standard input and output.

use super::wire::{Envelope, FailureKind, Hello, MAX_MESSAGE_BYTES, PROTOCOL, Ran, Reply, Request};
use crate::live::Refusals;
use crate::oracle;
use bench_model::{Answer, Check, Engine, EngineError, EngineSetup, JobTrace, Session, Workload};
use parquet::arrow::ArrowWriter;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Why an engine process ended without being told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The harness cannot be heard or reached.
    #[error("lost the harness: {0}")]
    Io(#[from] io::Error),
    /// The harness said something that is no request.
    #[error("not a request of protocol {PROTOCOL}: {why}; both sides must be of the same build")]
    Request {
        /// What is wrong with it.
        why: String,
    },
}

/// Serves `engine` until told to stop or until the input ends. `version` is what the engine says of itself.
///
/// Only `session.run` lies between the two readings of the clock; the answer is digested on a request of its own, after
/// the harness has read its counters. A panicking engine is answered as such.
///
/// # Errors
/// Broken pipes, and messages that are no requests.
pub fn serve(
    engine: &dyn Engine,
    version: &str,
    input: impl Read + Send + 'static,
    mut output: impl Write,
) -> Result<(), ServeError> {
    let stops = Arc::new(Mutex::new(Stops::default()));
    // A rendezvous of one: the reader only has to be ahead of the server to see a cancel.
    let (sender, requests) = sync_channel(1);
    let heard = Arc::clone(&stops);
    std::thread::Builder::new().name("requests".to_owned()).spawn(move || read_requests(input, &heard, &sender))?;
    let mut server = Server { engine, version, session: None, held: None, stops };
    server.serve(&requests, &mut output)
}

/// Which run may be stopped by whom: cancels arrive on another thread than the one that runs.
#[derive(Default)]
struct Stops {
    running: u64,
    cancelled: u64,
    flag: Arc<AtomicBool>,
}

fn read_requests(input: impl Read, stops: &Mutex<Stops>, sender: &SyncSender<Result<Envelope<Request>, ServeError>>) {
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    loop {
        line.clear();
        let message = match input.by_ref().take(MAX_MESSAGE_BYTES as u64).read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => serde_json::from_slice::<Envelope<Request>>(&line)
                .map_err(|e| ServeError::Request { why: e.to_string() }),
            Err(e) => Err(e.into()),
        };
        if let Ok(Envelope { body: Request::Cancel { run }, .. }) = message {
            let mut stops = stops.lock().unwrap_or_else(PoisonError::into_inner);
            stops.cancelled = stops.cancelled.max(run);
            if stops.running == run {
                stops.flag.store(true, Ordering::Relaxed);
            }
            continue;
        }
        let broken = message.is_err();
        if sender.send(message).is_err() || broken {
            return;
        }
    }
    // The harness is gone: nobody waits for the run in flight.
    stops.lock().unwrap_or_else(PoisonError::into_inner).flag.store(true, Ordering::Relaxed);
}

struct Server<'a> {
    engine: &'a dyn Engine,
    version: &'a str,
    session: Option<Box<dyn Session>>,
    held: Option<Answer>,
    stops: Arc<Mutex<Stops>>,
}

impl Server<'_> {
    fn serve(
        &mut self,
        requests: &Receiver<Result<Envelope<Request>, ServeError>>,
        output: &mut impl Write,
    ) -> Result<(), ServeError> {
        for message in requests {
            let Envelope { id, body } = message?;
            let last = matches!(body, Request::Stop);
            let reply = self.answer(id, body);
            let reply = reply.unwrap_or_else(|(kind, message)| self.refusal(kind, message));
            let mut line = serde_json::to_vec(&Envelope { id, body: reply }).map_err(io::Error::from)?;
            line.push(b'\n');
            output.write_all(&line)?;
            output.flush()?;
            if last {
                break;
            }
        }
        Ok(())
    }

    /// The reply to one request; failures are replies too and only take the short way out.
    fn answer(&mut self, id: u64, request: Request) -> Result<Reply, Refusal> {
        match request {
            Request::Hello { protocol: PROTOCOL } => Ok(Reply::Hello(Hello {
                protocol: PROTOCOL,
                engine: self.engine.name().to_owned(),
                version: self.version.to_owned(),
                refuses: Refusals::new(),
            })),
            Request::Hello { protocol } => {
                Err(failed(FailureKind::Protocol, format!("this engine speaks protocol {PROTOCOL}, not {protocol}")))
            }
            Request::Start(setup) => {
                let engine = self.engine;
                let session = guarded(|| engine.start(&EngineSetup::from(setup)))?;
                self.session = Some(session);
                Ok(Reply::Started)
            }
            Request::Load { datasets } => {
                let session = started(&mut self.session)?;
                let datasets = datasets.iter().map(|wire| wire.dataset().map(Arc::new)).collect::<Result<Vec<_>, _>>();
                let datasets = datasets.map_err(|e| failed(FailureKind::Protocol, e.to_string()))?;
                guarded(|| session.prepare(&datasets))?;
                Ok(Reply::Loaded)
            }
            Request::Arm { faults } => {
                let session = started(&mut self.session)?;
                guarded(|| session.arm(&faults))?;
                Ok(Reply::Armed)
            }
            Request::Run { workload, trace } => self.run(id, &workload, trace),
            Request::Digest { check, keep, trace } => {
                let answer = self.held.take();
                let answer = answer.ok_or_else(|| failed(FailureKind::Protocol, "there is no answer to digest"))?;
                if let Some((path, trace)) = trace.zip(answer.trace.as_deref()) {
                    write_trace(trace, &path).map_err(|e| {
                        let why = format!("cannot keep what the tasks did as {}: {e}", path.display());
                        failed(FailureKind::Harness, why)
                    })?;
                }
                digest(&answer, &check, keep.as_deref())
            }
            Request::Discard => {
                self.held = None;
                Ok(Reply::Discarded)
            }
            Request::Explain { workload, analyze } => {
                let session = started(&mut self.session)?;
                let explanation = guarded(|| session.explain(&workload, analyze))?;
                Ok(Reply::Explained { text: explanation.text })
            }
            Request::Probe(probe) => {
                self.held = None;
                let stop = self.stop_flag_for(id);
                let session = started(&mut self.session)?;
                Ok(Reply::Probed { samples_ns: guarded(|| session.probe(&probe, &stop))? })
            }
            Request::Stop => {
                self.held = None;
                self.session = None;
                Ok(Reply::Stopped)
            }
            // Consumed by the reading thread.
            Request::Cancel { .. } => Err(failed(FailureKind::Protocol, "cancel is not a request of its own")),
        }
    }

    fn run(&mut self, id: u64, workload: &Workload, trace: bool) -> Result<Reply, Refusal> {
        self.held = None;
        let stop = self.stop_flag_for(id);
        let session = started(&mut self.session)?;
        if trace {
            session.trace_next();
        }
        let (answer, wall) = guarded(|| {
            let started = Instant::now();
            let answer = session.run(workload, &stop);
            let wall = started.elapsed();
            answer.map(|answer| (answer, wall))
        })?;
        let rows = answer.batches.iter().map(|b| b.num_rows() as u64).sum();
        let reply = Reply::Ran(Ran {
            wall_ns: Some(u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX)),
            rows,
            spans: answer.spans.clone(),
            notes: answer.notes.clone(),
            faults: answer.faults.clone(),
            spilled_bytes: answer.spilled_bytes,
        });
        self.held = Some(answer);
        Ok(reply)
    }

    /// A reply without what was asked for. What came of a run's faults is not lost with its answer; a session that has
    /// panicked is not asked.
    fn refusal(&mut self, kind: FailureKind, message: String) -> Reply {
        let asked = self.session.as_mut().filter(|_| kind != FailureKind::Panicked);
        Reply::Failed { kind, message, faults: asked.map(|session| session.struck()).unwrap_or_default() }
    }

    /// A fresh flag, already raised if the cancel overtook its run.
    fn stop_flag_for(&self, id: u64) -> Arc<AtomicBool> {
        let mut stops = self.stops.lock().unwrap_or_else(PoisonError::into_inner);
        stops.running = id;
        stops.flag = Arc::new(AtomicBool::new(stops.cancelled >= id));
        Arc::clone(&stops.flag)
    }
}

/// Why a request is answered by [`Reply::Failed`].
type Refusal = (FailureKind, String);

fn failed(kind: FailureKind, message: impl Into<String>) -> Refusal {
    (kind, message.into())
}

fn started(session: &mut Option<Box<dyn Session>>) -> Result<&mut Box<dyn Session>, Refusal> {
    session.as_mut().ok_or_else(|| failed(FailureKind::Protocol, "the engine has not been started"))
}

/// Calls the engine; its errors and panics become replies.
fn guarded<T>(call: impl FnOnce() -> Result<T, EngineError>) -> Result<T, Refusal> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|error| FailureKind::of(&error)),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(failed(FailureKind::Panicked, text.unwrap_or_else(|| "without a message".to_owned())))
        }
    }
}

fn digest(answer: &Answer, check: &Check, keep: Option<&Path>) -> Result<Reply, Refusal> {
    if let Some(path) = keep {
        write_result(answer, path)
            .map_err(|e| failed(FailureKind::Harness, format!("cannot keep the result as {}: {e}", path.display())))?;
    }
    let started = Instant::now();
    let digested = oracle::digest(&answer.schema, &answer.batches, check);
    let check_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let (digest, mismatch) = match digested {
        Ok(digest) => (Some(digest), None),
        Err(mismatch) => (None, Some(mismatch.to_string())),
    };
    Ok(Reply::Digested { digest, mismatch, result: keep.map(Path::to_path_buf), spans: None, check_ns })
}

/// Writes a trace beside its place and moves it there, so that a kept trace is always whole.
fn write_trace(trace: &JobTrace, path: &Path) -> io::Result<()> {
    let draft = path.with_extension("json.draft");
    let write = || {
        // What an interrupted writer left, a link included, is not written through.
        let _ = fs::remove_file(&draft);
        let mut file = io::BufWriter::new(File::create_new(&draft)?);
        serde_json::to_writer(&mut file, trace)?;
        file.flush()?;
        file.get_ref().sync_all()?;
        fs::rename(&draft, path)
    };
    write().inspect_err(|_| {
        // Half a trace helps nobody, least of all on a full disk.
        let _ = fs::remove_file(&draft);
    })
}

/// Writes the answer beside its place and moves it there, so that a kept result is always whole.
fn write_result(answer: &Answer, path: &Path) -> Result<(), parquet::errors::ParquetError> {
    let draft = path.with_extension("parquet.draft");
    let written = write_draft(answer, &draft).and_then(|()| Ok(fs::rename(&draft, path)?));
    if written.is_err() {
        // Half a result helps nobody, least of all on a full disk.
        let _ = fs::remove_file(&draft);
    }
    written
}

fn write_draft(answer: &Answer, draft: &Path) -> Result<(), parquet::errors::ParquetError> {
    let mut writer = ArrowWriter::try_new(File::create(draft)?, Arc::clone(&answer.schema), None)?;
    for batch in &answer.batches {
        writer.write(batch)?;
    }
    writer.into_inner()?.sync_all()?;
    Ok(())
}

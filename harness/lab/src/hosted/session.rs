//! The parent's side: one request at a time, each answered, refused or given up within a known time.
//!
//! Long because: every request, its patience and how it may end are one conversation.

use super::process::{Heard, Process};
use super::result::{ResultFile, doubt, no_room};
use super::spans::{Unbelievable, WireSpans};
use super::wire::{Envelope, FailureKind, PROTOCOL, Ran, Reply, Request, WireDataset, WireSetup};
use crate::counters::{Window, held_by, tree_cpu_ns};
use crate::live::{Digested, Failure, Keep, Limits, Measured, Probed, Refusals};
use crate::machine::Cgroup;
use crate::offspring::{continue_below, large_below, lives, stop_below};
use bench_model::{
    Bytes, Check, ClusterSpec, Dataset, EngineSetup, FaultOutcome, FaultPlan, Nanos, NodeLimits, Probe, SpanReport,
    Workload,
};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// How long starting may take before it counts as hanging: products of other languages need seconds.
const START_PATIENCE: Duration = Duration::from_secs(120);
/// How long making datasets known may take: footers and statistics, not rows.
const LOAD_PATIENCE: Duration = Duration::from_secs(600);
/// How long getting ready for faults may take: nodes are started again.
const ARM_PATIENCE: Duration = Duration::from_secs(120);
/// How long digesting an answer may take.
const DIGEST_PATIENCE: Duration = Duration::from_secs(3600);
/// How long dropping an answer may take.
const DISCARD_PATIENCE: Duration = Duration::from_secs(60);
/// How long a probe may take.
const PROBE_PATIENCE: Duration = Duration::from_secs(600);
/// How long a polite process may take to say goodbye.
const STOP_PATIENCE: Duration = Duration::from_secs(2);
/// How long a product may: a virtual machine and its workers have something to end.
const FOREIGN_STOP_PATIENCE: Duration = Duration::from_secs(15);

/// Whose code answers, and hence how far it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This very build: it reads the clock around the run and digests the answer where it is.
    ThisBuild,
    /// Anybody else's: the harness's clock counts, and the harness digests the answer itself.
    Foreign,
}

/// An engine as a command line that speaks the protocol.
#[derive(Clone, Debug)]
pub struct HostedEngine {
    /// Who has to answer; anybody if absent.
    pub name: Option<String>,
    /// The command line.
    pub argv: Vec<OsString>,
    /// Whose code it runs.
    pub origin: Origin,
    /// Variables beyond the scrubbed environment.
    pub environment: Vec<(OsString, OsString)>,
    /// How many of this machine's CPUs it and all that it starts may run on; as many as this process if absent.
    pub cpus: Option<u32>,
    /// Whether what is below its process is stopped while it waits for its turn.
    pub stands_still: bool,
    /// What it and all that it starts may take together, as one emulated node. Of a link nothing is known: it has none.
    pub limits: NodeLimits,
    /// Whether it is connected to a cluster that runs already: nothing that it uses is counted, and what else this machine does may be that
    /// cluster's work.
    pub is_attached: bool,
}

/// A started engine process. Use it from the thread that started it.
#[derive(Debug)]
pub struct HostedSession {
    process: Process,
    cgroup: Cgroup,
    origin: Origin,
    version: String,
    refuses: Refusals,
    next_id: u64,
    dead: bool,
    /// Its own folder: where an answer may lie.
    scratch: PathBuf,
    /// Where the answer was to be left that is or was asked for last.
    answer_folder: PathBuf,
    /// What the last run that came to its end said and used.
    held: Option<Held>,
    /// How many slots a product's spans are of; absent where they were not asked for, or come with the run.
    slots_to_explain: Option<u32>,
    /// Whether what is below its process may be stopped between requests, and is.
    stands_still: bool,
    is_still: bool,
    /// The large ones of its processes while it waits: without one of them it is another engine.
    waiting: Vec<u32>,
    /// Whether it is one process and starts no others.
    is_alone: bool,
    /// Whether its nodes are on other machines, where nobody counts what they use.
    is_elsewhere: bool,
    /// Whether what else this machine does may be its own cluster's work.
    is_attached: bool,
    /// What came of the faults of the last run, if that gave no answer.
    struck: Vec<FaultOutcome>,
}

/// An answer that is held.
#[derive(Clone, Copy, Debug)]
struct Held {
    rows: u64,
    wall: Nanos,
    /// CPU time of the run, if it could be counted.
    cpu_ns: Option<u64>,
}

impl HostedEngine {
    /// Whoever answers this command line, with nothing beside: no variables, no limits, and at work whenever it likes.
    #[must_use]
    pub fn new(argv: Vec<OsString>, origin: Origin) -> Self {
        Self {
            name: None,
            argv,
            origin,
            environment: vec![],
            cpus: None,
            stands_still: false,
            limits: NodeLimits::default(),
            is_attached: false,
        }
    }

    /// Spawns the process, says hello and starts the engine.
    ///
    /// # Errors
    /// The process cannot be spawned, speaks something else, or refuses.
    pub fn start(&self, setup: &EngineSetup, stop: &AtomicBool) -> Result<HostedSession, Failure> {
        let process = Process::spawn(self).map_err(|e| Failure::Spawn {
            command: self.argv.iter().map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" "),
            why: e.to_string(),
        })?;
        let mut session = HostedSession {
            process,
            cgroup: Cgroup::of_self(),
            origin: self.origin,
            version: String::new(),
            refuses: Refusals::new(),
            next_id: 1,
            dead: false,
            scratch: setup.scratch.clone(),
            answer_folder: setup.scratch.clone(),
            held: None,
            slots_to_explain: slots_to_explain(self.origin, setup),
            stands_still: self.stands_still,
            is_still: false,
            waiting: Vec::new(),
            is_alone: self.origin == Origin::ThisBuild && setup.cluster == ClusterSpec::Local,
            is_elsewhere: self.is_attached || matches!(setup.cluster, ClusterSpec::Hosts { .. }),
            is_attached: self.is_attached,
            struck: Vec::new(),
        };
        let deadline = Instant::now() + START_PATIENCE;
        match session.ask("hello", Request::Hello { protocol: PROTOCOL }, START_PATIENCE, stop)? {
            Reply::Hello(hello) if hello.protocol == PROTOCOL => {
                if let Some(name) = self.name.as_ref().filter(|name| **name != hello.engine) {
                    return Err(session.broken("hello", format!("it is `{}`, not `{name}`", hello.engine)));
                }
                (session.version, session.refuses) = (hello.version, hello.refuses);
            }
            Reply::Hello(hello) => {
                return Err(session.broken("hello", format!("it speaks protocol {}, not {PROTOCOL}", hello.protocol)));
            }
            other => return Err(session.unexpected("hello", &other)),
        }
        let left = deadline.saturating_duration_since(Instant::now());
        match session.ask("start", Request::Start(WireSetup::from(setup)), left, stop)? {
            Reply::Started => Ok(session),
            other => Err(session.unexpected("start", &other)),
        }
    }
}

impl HostedSession {
    /// What the live engine says its version is.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Forms of programs that it runs none of, and why.
    #[must_use]
    pub fn refuses(&self) -> &Refusals {
        &self.refuses
    }

    /// The process at the root of the engine's tree.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Whether it can take another request.
    pub fn is_alive(&mut self) -> bool {
        !self.dead && self.process.is_alive() && self.waiting.iter().all(|pid| lives(*pid))
    }

    /// Makes datasets known; replaces those of an earlier call.
    ///
    /// # Errors
    /// A table that cannot be opened, or a process that fails to answer.
    pub fn load(&mut self, data: &[Arc<Dataset>], stop: &AtomicBool) -> Result<(), Failure> {
        let datasets = data.iter().map(|d| WireDataset::of(d)).collect::<Result<Vec<_>, _>>();
        let datasets = datasets.map_err(|e| Failure::Harness(e.to_string()))?;
        match self.ask("load", Request::Load { datasets }, LOAD_PATIENCE, stop)? {
            Reply::Loaded => Ok(()),
            other => Err(self.unexpected("load", &other)),
        }
    }

    /// Plans faults for the next run, in place of those of an earlier call, and brings up every node so that they can be done.
    ///
    /// # Errors
    /// See [`Failure`]. An engine without nodes is unable to.
    pub fn arm(&mut self, faults: &FaultPlan, stop: &AtomicBool) -> Result<(), Failure> {
        match self.ask("arm", Request::Arm { faults: faults.clone() }, ARM_PATIENCE, stop)? {
            Reply::Armed => Ok(()),
            other => Err(self.unexpected("arm", &other)),
        }
    }

    /// Runs a workload; the process then holds the answer until it is digested or discarded, or the next run begins. What
    /// the answer should be is not told.
    ///
    /// # Errors
    /// See [`Failure`]. A run over its time is cancelled, then killed after its grace.
    pub fn run(&mut self, workload: &Workload, limits: &Limits<'_>) -> Result<Measured, Failure> {
        self.struck.clear();
        self.held = None;
        let trace = limits.trace && self.origin == Origin::ThisBuild;
        let request = Request::Run { workload: Box::new(untold(workload)), trace };
        let (id, message) = self.encode(request)?;
        // Whoever was killed before is not this run's.
        self.starved();
        let open = if self.is_alone { Window::open } else { Window::open_for_many };
        let window = open(self.process.pid(), &self.cgroup);
        let started = Instant::now();
        let reply = self.await_reply("run", id, &message, limits);
        let elapsed = started.elapsed();
        let (usage, interference) = window.close();
        match reply? {
            Reply::Ran(ran) if ran.spans.is_some() && self.origin == Origin::Foreign => {
                let why = "its spans came with `ran`: reading them takes time, which is not the run's".to_owned();
                Err(self.broken("run", why))
            }
            Reply::Ran(ran) => {
                let elapsed_ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
                let wall_ns = match (self.origin, ran.wall_ns) {
                    (_, Some(ns)) if ns > elapsed_ns => {
                        let why = format!("it says the run took {ns} ns, but its reply came after {elapsed_ns} ns");
                        return Err(self.broken("run", why));
                    }
                    // Around the run alone; the harness's clock also sees the pipes.
                    (Origin::ThisBuild, Some(ns)) => ns,
                    _ => elapsed_ns,
                };
                self.held = Some(Held { rows: ran.rows, wall: Nanos::new(wall_ns), cpu_ns: usage.cpu_ns });
                // It went on without them, or started others.
                let notes = ran.notes.into_iter().chain(self.starved()).collect();
                Ok(Measured {
                    wall_ns,
                    rows: ran.rows,
                    // What the driver used is not what the engine used.
                    usage: (!self.is_elsewhere).then_some(usage),
                    contamination: (!self.is_attached).then(|| interference.record()),
                    spans: ran.spans,
                    notes,
                    faults: ran.faults,
                    spilled_bytes: ran.spilled_bytes,
                })
            }
            other => Err(self.unexpected("run", &other)),
        }
    }

    /// What came of the faults of the last run, if the engine gave no answer and lived to tell. Told once.
    pub fn struck(&mut self) -> Vec<FaultOutcome> {
        std::mem::take(&mut self.struck)
    }

    /// Digests the answer that is held and drops it, all but what is to be kept. Only an engine of this very build is asked
    /// for a trace: nobody else's machines could be replayed here.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn digest(&mut self, check: &Check, keep: Keep<'_>, stop: &AtomicBool) -> Result<Digested, Failure> {
        let trace = keep.trace.filter(|_| self.origin == Origin::ThisBuild);
        let request = Request::Digest {
            check: Box::new(check_untold(check)),
            keep: keep.result.map(Path::to_path_buf),
            trace: trace.map(Path::to_path_buf),
        };
        let held = self.held.take();
        self.answer_folder = keep.result.and_then(Path::parent).unwrap_or(&self.scratch).to_owned();
        let before = tree_cpu_ns(self.process.pid()).filter(|_| self.origin == Origin::Foreign);
        match self.ask("digest", request, DIGEST_PATIENCE, stop)? {
            Reply::Digested { digest: Some(_), .. } if self.origin == Origin::Foreign => Err(self
                .broken("digest", "its answer is digested by the harness; it has to reply with `result`".to_owned())),
            Reply::Digested { mismatch: Some(mismatch), check_ns, .. } => {
                Ok(Digested { digest: Err(mismatch), check_ns, ..Digested::default() })
            }
            Reply::Digested { digest: Some(digest), check_ns, .. } => {
                Ok(Digested { digest: Ok(digest), check_ns, ..Digested::default() })
            }
            Reply::Digested { result: Some(path), check_ns, spans, .. } => {
                let used = before.zip(tree_cpu_ns(self.process.pid())).map(|(b, now)| now.saturating_sub(b));
                let file = ResultFile::open(path, keep.result, &self.scratch);
                let file = file.map_err(|why| self.broken("digest", why))?;
                let doubt = doubt(held.and_then(|held| held.cpu_ns), used, file.bytes(), spans.is_some());
                let started = Instant::now();
                let digest = file.digest(check, stop)?;
                let own = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
                if let (Some(held), Ok(digest)) = (held, &digest)
                    && held.rows != digest.rows
                {
                    let why = format!("`ran` said {} rows, and the answer has {}", held.rows, digest.rows);
                    return Err(self.broken("digest", why));
                }
                let (spans, notes) = self.explained(held, spans)?;
                Ok(Digested { digest, check_ns: check_ns.saturating_add(own), doubt, spans, notes })
            }
            other => Err(self.unexpected("digest", &other)),
        }
    }

    /// Where a product's slots spent the run that is held, all of it unknown if it does not tell, and what it says of that.
    fn explained(
        &mut self,
        held: Option<Held>,
        told: Option<WireSpans>,
    ) -> Result<(Option<SpanReport>, Vec<String>), Failure> {
        let Some(slots) = self.slots_to_explain else {
            return match told {
                Some(_) if self.origin == Origin::Foreign => {
                    Err(self.broken("digest", "it tells of spans, which nobody asked for".to_owned()))
                }
                _ => Ok((None, Vec::new())),
            };
        };
        let Some(held) = held else { return Ok((None, Vec::new())) };
        let told = told.unwrap_or_else(WireSpans::nothing);
        let believed = match told.report(slots, held.wall) {
            Ok(report) => Ok((report, told.notes)),
            // The answer is right or wrong whatever its trace says; a clock or a count of slots that is another one makes no failure.
            Err(why @ Unbelievable::TooMuch { .. }) => {
                let note = format!("where its time went is unknown: {why}");
                WireSpans::nothing().report(slots, held.wall).map(|report| (report, vec![note]))
            }
            Err(why) => Err(why),
        };
        let (report, notes) = believed.map_err(|why| self.broken("digest", why.to_string()))?;
        Ok((Some(report), notes))
    }

    /// Whether what each task did can be asked for: nobody else's machines could be replayed here.
    #[must_use]
    pub fn leaves_traces(&self) -> bool {
        self.origin == Origin::ThisBuild
    }

    /// Drops the answer that is held, if there is one.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn discard(&mut self, stop: &AtomicBool) -> Result<(), Failure> {
        match self.ask("discard", Request::Discard, DISCARD_PATIENCE, stop)? {
            Reply::Discarded => Ok(()),
            other => Err(self.unexpected("discard", &other)),
        }
    }

    /// Explains a workload; `analyze` also runs it.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn explain(&mut self, workload: &Workload, analyze: bool, limits: &Limits<'_>) -> Result<String, Failure> {
        let (id, message) = self.encode(Request::Explain { workload: Box::new(untold(workload)), analyze })?;
        match self.await_reply("explain", id, &message, limits)? {
            Reply::Explained { text } => Ok(text),
            other => Err(self.unexpected("explain", &other)),
        }
    }

    /// Does work that does nothing and times it, in the engine's process.
    ///
    /// # Errors
    /// See [`Failure`]. A number of samples that the probe does not give breaks the protocol, and so does more time than passed.
    pub fn probe(&mut self, probe: &Probe, stop: &AtomicBool) -> Result<Probed, Failure> {
        let window = Window::open(self.process.pid(), &self.cgroup);
        let started = Instant::now();
        let reply = self.ask("probe", Request::Probe(*probe), PROBE_PATIENCE, stop);
        let elapsed_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let (_, interference) = window.close();
        let samples = match reply? {
            Reply::Probed { samples_ns } => samples_ns,
            other => return Err(self.unexpected("probe", &other)),
        };
        let all: u64 = samples.iter().fold(0, |sum, sample| sum.saturating_add(sample.get()));
        if samples.len() != probe.samples() || all > elapsed_ns {
            let why =
                format!("{} samples of {all} ns in all, for {} in {elapsed_ns} ns", samples.len(), probe.samples());
            return Err(self.broken("probe", why));
        }
        Ok(Probed { samples, contamination: interference.record() })
    }

    /// Memory that the processes of the engine hold: pages that several of them share count once. Absent where the system
    /// does not tell of every one of them, or the engine is on other machines.
    #[must_use]
    pub fn memory(&self) -> Option<Bytes> {
        if self.is_elsewhere { None } else { held_by(self.process.pid()) }
    }

    /// Ends the process politely, and by force if that takes longer than a moment.
    pub fn stop(&mut self) {
        let never = AtomicBool::new(false);
        let patience = match self.origin {
            Origin::ThisBuild => STOP_PATIENCE,
            Origin::Foreign => FOREIGN_STOP_PATIENCE,
        };
        if !self.dead && self.ask("stop", Request::Stop, patience, &never).is_ok() {
            self.process.finish();
        }
        self.bury();
    }

    /// Lets it wait for its next request: what would work meanwhile is stopped until then.
    pub fn pause(&mut self) {
        self.waiting = if self.is_alone { Vec::new() } else { large_below(self.process.pid()) };
        if self.stands_still && !self.is_still && self.is_alive() {
            self.is_still = true;
            stop_below(self.process.pid());
        }
    }

    /// The next request as a line; whoever stood still goes on, to read it.
    fn encode(&mut self, body: Request) -> Result<(u64, Vec<u8>), Failure> {
        self.waiting.clear();
        if std::mem::take(&mut self.is_still) {
            continue_below(self.process.pid());
        }
        let id = self.next_id;
        self.next_id += 1;
        let mut line =
            serde_json::to_vec(&Envelope { id, body }).map_err(|e| Failure::Harness(format!("cannot encode: {e}")))?;
        line.push(b'\n');
        Ok((id, line))
    }

    /// A request that is not cancelled but given up with its process.
    fn ask(
        &mut self,
        name: &'static str,
        request: Request,
        patience: Duration,
        stop: &AtomicBool,
    ) -> Result<Reply, Failure> {
        let (id, message) = self.encode(request)?;
        self.await_reply(
            name,
            id,
            &message,
            &Limits { timeout: Some(patience), grace: Duration::ZERO, stop, trace: false },
        )
    }

    fn await_reply(
        &mut self,
        name: &'static str,
        id: u64,
        message: &[u8],
        limits: &Limits<'_>,
    ) -> Result<Reply, Failure> {
        let deadline = limits.timeout.map(|t| Instant::now() + t);
        let mut unsent = message;
        let reply = self.reply_to(name, id, &mut unsent, deadline, limits.stop)?;
        if let Some(reply) = reply {
            return self.accept(name, reply);
        }
        self.cancel(name, id, unsent, limits)?;
        Err(Failure::TimedOut { request: name, after: limits.timeout.unwrap_or_default() })
    }

    /// Gives an engine that is late its chance to stop by itself, and ends it if it does not take it.
    ///
    /// # Errors
    /// Only an interruption. An engine that dies or talks nonsense now was late all the same.
    fn cancel(&mut self, name: &'static str, id: u64, unsent: &[u8], limits: &Limits<'_>) -> Result<(), Failure> {
        // Half a request cannot be followed by another one.
        if limits.grace.is_zero() || !unsent.is_empty() {
            self.bury();
            return Ok(());
        }
        let grace = Instant::now() + limits.grace;
        let (_, cancel) = self.encode(Request::Cancel { run: id })?;
        match self.reply_to(name, id, &mut cancel.as_slice(), Some(grace), limits.stop) {
            // Whatever it says about this run's answer is late, but what was done to its nodes may be why.
            Ok(Some(Reply::Failed { faults, kind, .. })) => {
                self.struck = faults;
                // It failed by itself meanwhile: what is left of it is not to be trusted with another run.
                if self.origin == Origin::Foreign && kind != FailureKind::Cancelled {
                    self.bury();
                }
            }
            Ok(Some(Reply::Ran(Ran { faults, .. }))) => {
                // Nobody wants it any more, and others need the memory. Whoever does not drop it is ended.
                match self.discard(limits.stop) {
                    Ok(()) => {}
                    Err(Failure::Interrupted) => return Err(Failure::Interrupted),
                    Err(_) => self.bury(),
                }
                self.struck = faults;
            }
            Ok(Some(_)) => {}
            Err(Failure::Interrupted) => return Err(Failure::Interrupted),
            Ok(None) | Err(_) => self.bury(),
        }
        Ok(())
    }

    /// The reply with this number, or `None` when time is up; `unsent` is then what was not sent. Any other end of the
    /// exchange ends the process.
    fn reply_to(
        &mut self,
        name: &'static str,
        id: u64,
        unsent: &mut &[u8],
        deadline: Option<Instant>,
        stop: &AtomicBool,
    ) -> Result<Option<Reply>, Failure> {
        loop {
            match self.process.exchange(unsent, deadline, stop) {
                Heard::Line(line) => match serde_json::from_slice::<Envelope<Reply>>(&line) {
                    // Late, of a request that was given up.
                    Ok(reply) if reply.id < id => {}
                    Ok(reply) if reply.id == id && unsent.is_empty() => return Ok(Some(reply.body)),
                    Ok(reply) => {
                        return Err(self.broken(name, format!("a reply to request {}, which was not made", reply.id)));
                    }
                    Err(e) => return Err(self.broken(name, format!("not a reply ({e}): `{}`", excerpt(&line)))),
                },
                Heard::TooLong => return Err(self.broken(name, "a line longer than any message".to_owned())),
                Heard::Late => return Ok(None),
                Heard::Interrupted => {
                    self.bury();
                    return Err(Failure::Interrupted);
                }
                Heard::End => {
                    self.dead = true;
                    let how = self.process.epitaph();
                    let died = Failure::Died { how, request: name, stderr: self.process.stderr_tail() };
                    let starved = self.starved().map(|why| Failure::OutOfMemory(format!("{why} ({died})")));
                    return Err(starved.unwrap_or(died));
                }
            }
        }
    }

    fn accept(&mut self, name: &'static str, reply: Reply) -> Result<Reply, Failure> {
        let Reply::Failed { kind, message, faults } = reply else { return Ok(reply) };
        self.struck = faults;
        let says_why = matches!(kind, FailureKind::Unsupported | FailureKind::Program | FailureKind::Data);
        let (kind, message) = match self.starved().filter(|_| !says_why) {
            Some(why) => (FailureKind::OutOfMemory, format!("{why} ({message})")),
            None => (kind, message),
        };
        let failure = match (self.origin, kind) {
            (Origin::Foreign, FailureKind::Harness) => self.not_kept(name, message),
            _ => failure(kind, message, name),
        };
        // Products say of such a failure neither what it left behind nor whether they can go on: a virtual machine that ran out of
        // memory has ended, a database may refuse every later query. The next request gets a fresh one.
        let is_doubtful = matches!(failure, Failure::OutOfMemory(_) | Failure::Failed(_));
        if failure.ends_session() || self.origin == Origin::Foreign && is_doubtful {
            self.bury();
        }
        Err(failure)
    }

    /// Whether the kernel has killed any of its processes for want of memory since this was asked last, in words.
    fn starved(&mut self) -> Option<String> {
        let (killed, memory) = self.process.killed_for_memory()?;
        let processes = if killed == 1 { "a process".to_owned() } else { format!("{killed} processes") };
        Some(format!("the kernel killed {processes} of it for want of memory: its node has {} bytes", memory.get()))
    }

    /// What it means that an engine of somebody else's blames the harness: only what the harness sees itself stops a run.
    fn not_kept(&self, name: &'static str, message: String) -> Failure {
        match no_room(&self.answer_folder).filter(|_| name == "digest") {
            Some(why) => Failure::Harness(format!("{why} ({message})")),
            None => Failure::Failed(message),
        }
    }

    fn unexpected(&mut self, name: &'static str, reply: &Reply) -> Failure {
        let text = serde_json::to_string(reply).unwrap_or_default();
        self.broken(name, format!("the reply does not fit: `{}`", excerpt(text.as_bytes())))
    }

    fn broken(&mut self, request: &'static str, why: String) -> Failure {
        let stderr = self.process.stderr_tail();
        self.bury();
        Failure::Protocol { request, why, stderr }
    }

    fn bury(&mut self) {
        self.dead = true;
        self.process.kill();
    }
}

/// The slots of all machines of a product that is to account for their time.
fn slots_to_explain(origin: Origin, setup: &EngineSetup) -> Option<u32> {
    let nodes = match &setup.cluster {
        ClusterSpec::Attached { nodes, .. } => *nodes,
        _ => 1,
    };
    (setup.spans && origin == Origin::Foreign).then(|| setup.slots.saturating_mul(nodes))
}

fn failure(kind: FailureKind, message: String, request: &'static str) -> Failure {
    match kind {
        FailureKind::Unsupported => Failure::Unsupported(message),
        FailureKind::Program => Failure::Program(message),
        FailureKind::Data => Failure::Data(message),
        FailureKind::OutOfMemory => Failure::OutOfMemory(message),
        FailureKind::Cancelled => Failure::Failed("cancelled without being told to".to_owned()),
        FailureKind::Failed => Failure::Failed(message),
        FailureKind::Panicked => Failure::Panicked(message),
        FailureKind::Protocol => Failure::Protocol { request, why: message, stderr: String::new() },
        FailureKind::Harness => Failure::Harness(message),
    }
}

/// The workload without the answer that is expected of it.
fn untold(workload: &Workload) -> Workload {
    Workload { check: check_untold(&workload.check), ..workload.clone() }
}

/// The check without the expected answer: of that, only which columns are compared within a tolerance is told.
fn check_untold(check: &Check) -> Check {
    let mut approx = check.approx.clone();
    for column in check.expected.iter().flat_map(|(digest, _)| &digest.approx) {
        if !approx.keys().any(|known| known.eq_ignore_ascii_case(&column.name)) {
            approx.insert(column.name.clone(), Check::DEFAULT_TOLERANCE);
        }
    }
    Check { approx, expected: None, ..check.clone() }
}

/// The beginning of a line, safe to print.
fn excerpt(line: &[u8]) -> String {
    const LENGTH: usize = 120;
    let text = String::from_utf8_lossy(line.get(..LENGTH).unwrap_or(line));
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.len() > LENGTH { format!("{clean}...") } else { clean }
}

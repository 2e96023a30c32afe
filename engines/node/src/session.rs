//! A started engine: lower, submit, wait, answer.

use crate::completion::{Ended, Waited};
use crate::host::Running;
use crate::job::{Job, Tally};
use crate::log::Log;
use crate::outline::outline;
use crate::remote::Fleet;
use crate::store;
use crate::strike::{self, Watch};
use crate::striker::{Ceasefire, Striker};
use crate::timeline::Books;
use arrow::array::{RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use bench_model::{
    Addr, Answer, Dataset, EngineError, Event, Explanation, FaultOutcome, FaultPlan, Front, JobError, JobId, JobTrace,
    Lowered, Nanos, Probe, Program, Session, SpanReport, Style, StyleEnv, TaskFailure, Workload,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How often a waiting caller looks whether it was told to stop.
const POLL: Duration = Duration::from_millis(25);

/// Job ids are unique in the process: sessions of one engine share its front half, which knows jobs by id.
static NEXT_JOB: AtomicU64 = AtomicU64::new(0);

/// A session of a [`LiveEngine`](crate::LiveEngine). Dropping it stops its slots and removes its files.
pub struct LiveSession<S: Style> {
    /// Its nodes, if they are processes of their own. Before the host: they are told to leave first.
    pub(crate) fleet: Option<Fleet<S>>,
    pub(crate) running: Running<S>,
    /// What is to go wrong in the next run.
    armed: Option<FaultPlan>,
    /// What came of that, of a run that gave no answer.
    struck: Vec<FaultOutcome>,
    /// Whether what each attempt of the next run does is wanted.
    traced: bool,
}

impl<S: Style> LiveSession<S> {
    pub(crate) fn new(running: Running<S>, fleet: Option<Fleet<S>>) -> Self {
        Self { fleet, running, armed: None, struck: Vec::new(), traced: false }
    }

    /// Slots of all its nodes.
    pub(crate) fn slots(&self) -> u32 {
        let nodes = self.fleet.as_ref().map_or(1, Fleet::nodes);
        self.running.env.slots.saturating_mul(nodes.max(1))
    }

    fn front(&self) -> Result<&Arc<dyn Front>, EngineError> {
        let missing = || EngineError::Unsupported("this engine was built without a planner for queries".to_owned());
        self.running.host.front.as_ref().ok_or_else(missing)
    }

    fn lower(&self, job: JobId, workload: &Workload) -> Result<Lowered, EngineError> {
        match &workload.program {
            Program::Query(_) => {
                // A plan is cut for all the slots there are.
                self.front()?.lower(job, workload, &StyleEnv { slots: self.slots(), ..self.running.env.clone() })
            }
            Program::Graph(graph) => {
                let schema = Schema::new(vec![Field::new("tasks", DataType::UInt64, false)]);
                Ok(Lowered { graph: Arc::new(graph.clone()), schema: Arc::new(schema) })
            }
        }
    }

    /// Runs a job from planning to answer. The caller forgets it afterwards. Without an answer, it says what came of the
    /// faults all the same.
    fn execute(
        &self,
        job: JobId,
        workload: &Workload,
        traced: bool,
        stop: &AtomicBool,
        faults: Option<&FaultPlan>,
    ) -> Result<Answer, (Unanswered, Vec<FaultOutcome>)> {
        let host = &self.running.host;
        if let Some(reason) = host.completion.broken() {
            return Err((EngineError::Failed(reason).into(), Vec::new()));
        }
        let planned = matches!(workload.program, Program::Query(_));
        let (start, before) = self.begin(Job::new(job, planned, traced));
        let outcome = self.lower(job, workload).map_err(Unanswered::Failed).and_then(|lowered| {
            let tally = (!planned).then(|| Tally::new(&lowered.graph));
            let batches = match (self.submit_under_fire(job, &lowered, tally, stop, faults)?, &self.fleet) {
                (Ended::Answer(blocks), _) => store::read_all(blocks).map_err(lost)?,
                (Ended::Elsewhere(blocks), Some(fleet)) => fleet.read(host, blocks).map_err(Unanswered::Lost)?,
                (Ended::Elsewhere(_), None) => Vec::new(),
                (Ended::Lost(failure), _) => return Err(lost(failure).into()),
                (Ended::Refused(error), _) => return Err(refused(workload, error).into()),
            };
            Ok((lowered.schema, batches))
        });
        if let Some(fleet) = self.fleet.as_ref().filter(|_| faults.is_some()) {
            // Before the nodes are asked for their accounts: one that stands still would be waited for.
            fleet.relieve(None);
        }
        // A count, and a fault's toll, take in what nodes say late; an answer depended on everything it needed.
        let (ended, spans) = self.end(start, before.as_ref(), !planned || faults.is_some());
        let spilled_bytes = ended.as_ref().map(|job| job.spilled.get());
        let (notes, tally, watch, log) = ended.map(|j| (j.notes, j.tally, j.watch, j.log)).unwrap_or_default();
        let faults = watch.map(|w| w.outcomes(start)).unwrap_or_default();
        let outcome = outcome.and_then(|(schema, mut batches)| {
            if let Some(tally) = tally {
                let count = Arc::new(UInt64Array::from(vec![tally.count()]));
                let row = RecordBatch::try_new(Arc::clone(&schema), vec![count]);
                batches.push(row.map_err(|e| EngineError::Failed(e.to_string()))?);
            }
            Ok((schema, batches))
        });
        let (schema, batches) = match outcome {
            Ok(whole) => whole,
            Err(unanswered) => return Err((unanswered.after(&faults), faults)),
        };
        // What is done to a cluster on purpose is no part of its schedule.
        let calm = log.filter(|_| faults.is_empty());
        let trace = calm.zip(spans.as_ref()).and_then(|(log, spans)| self.trace(log, start, spans)).map(Box::new);
        Ok(Answer { schema, batches, spans, trace, notes, faults, spilled_bytes })
    }

    /// Runs a workload on a whole cluster. An answer that was lost with its node while it was read is computed once more:
    /// without the faults, if one of them has fired, for it is done to a run once.
    fn run_on_all(&mut self, workload: &Workload, stop: &AtomicBool) -> Result<(JobId, Answer), EngineError> {
        self.struck.clear();
        let mut faults = self.armed.take();
        let traced = std::mem::take(&mut self.traced);
        let host = Arc::clone(&self.running.host);
        let (start, mut again, mut fired) = (host.clock.now(), true, Vec::new());
        loop {
            if let Some(fleet) = &mut self.fleet {
                fleet.make_whole()?;
            }
            let job = next_job();
            let answer = self.execute(job, workload, traced, stop, faults.as_ref());
            match answer {
                Ok(mut answer) => {
                    answer.faults.extend(strike::made_good(fired, host.clock.now().saturating_sub(start)));
                    return Ok((job, answer));
                }
                Err((unanswered, struck)) => {
                    self.forget(job);
                    let error = match unanswered {
                        Unanswered::Lost(_) if std::mem::take(&mut again) => {
                            if struck.iter().any(|fault| fault.fired_ns.is_some()) {
                                (faults, fired) = (None, struck);
                            }
                            continue;
                        }
                        Unanswered::Lost(failure) => lost(failure),
                        Unanswered::Failed(error) => error,
                    };
                    self.struck = if faults.is_some() { struck } else { fired };
                    return Err(error);
                }
            }
        }
    }

    /// Marks the begin of a job: from here on the slots wait for its plan.
    fn begin(&self, job: Job) -> (Nanos, Option<Books>) {
        let host = &self.running.host;
        let before = self.nodes_books(false);
        let now = host.clock.now();
        host.lock().begin(now, job);
        match &self.fleet {
            Some(_) => (now, before),
            None => {
                let (now, spent) = host.spent();
                (now, spent.map(Books::Here))
            }
        }
    }

    /// The accounts of nodes elsewhere, if they keep any. To `gather` is to wait for all that they have said, in any case.
    fn nodes_books(&self, gather: bool) -> Option<Books> {
        let spans = self.running.spans;
        let fleet = self.fleet.as_ref().filter(|_| gather || spans)?;
        let accounts = fleet.accounts();
        spans.then_some(Books::Nodes(accounts))
    }

    /// As [`Self::submit_and_wait`], while a thread does what is planned to go wrong.
    fn submit_under_fire(
        &self,
        job: JobId,
        lowered: &Lowered,
        tally: Option<Tally>,
        stop: &AtomicBool,
        faults: Option<&FaultPlan>,
    ) -> Result<Ended, EngineError> {
        let (Some(plan), Some(fleet)) = (faults, &self.fleet) else {
            return self.submit_and_wait(job, lowered, tally, stop);
        };
        let (watch, rings) = Watch::new(plan, lowered.graph.tasks(), fleet.nodes());
        let host = &*self.running.host;
        host.command(|control, _| control.watch(watch));
        std::thread::scope(|scope| {
            scope.spawn(move || Striker { host, fleet, job }.strike(&rings));
            let _over = Ceasefire(host);
            self.submit_and_wait(job, lowered, tally, stop)
        })
    }

    /// Hands the job to the machines and sleeps until it is over; the slots do the work.
    fn submit_and_wait(
        &self,
        job: JobId,
        lowered: &Lowered,
        tally: Option<Tally>,
        stop: &AtomicBool,
    ) -> Result<Ended, EngineError> {
        let host = &self.running.host;
        let graph = Arc::clone(&lowered.graph);
        let planned = tally.is_none();
        host.command(|control, now| control.submit(now, job, graph, tally));
        if planned {
            host.planned(job);
        }
        let mut stopping = false;
        loop {
            match host.completion.wait(job, POLL) {
                Waited::Ended(ended) => return Ok(ended),
                Waited::Broken(reason) => return Err(EngineError::Failed(reason)),
                Waited::NotYet if !stopping && stop.load(Ordering::Relaxed) => {
                    stopping = true;
                    host.command(|control, now| control.feed(now, Addr::Driver, Event::Cancel(job)));
                }
                Waited::NotYet => {}
            }
        }
    }

    /// Closes the job's account, which may `gather` what nodes have said until now.
    fn end(&self, start: Nanos, before: Option<&Books>, gather: bool) -> (Option<Job>, Option<SpanReport>) {
        let host = &self.running.host;
        let (now, after) = match &self.fleet {
            Some(_) => (host.clock.now(), self.nodes_books(gather)),
            None => {
                let (now, spent) = host.spent();
                (now, spent.map(Books::Here))
            }
        };
        let spans = before.zip(after).and_then(|(before, after)| before.until(&after, now - start));
        (host.lock().end(now), spans)
    }

    /// What the tasks of a job did that began at `start`.
    fn trace(&self, log: Log, start: Nanos, spans: &SpanReport) -> Option<JobTrace> {
        let nodes = self.fleet.as_ref().map_or(1, Fleet::nodes);
        log.close(start, spans, self.running.style, nodes, &self.running.env)
    }

    /// Drops what the planner and the block store know about a job.
    fn forget(&self, job: JobId) {
        let host = &self.running.host;
        match &self.fleet {
            Some(fleet) => fleet.forget(job),
            None => host.store.end(job),
        }
        if let Some(front) = &host.front {
            front.forget(job);
        }
    }

    /// The plan of a job that the planner remembers, and what happened when it ran.
    fn describe(&self, job: JobId, workload: &Workload, notes: &[String]) -> Result<String, EngineError> {
        let mut text = match &workload.program {
            Program::Graph(graph) => outline(graph),
            Program::Query(_) => self.front()?.explain(job),
        };
        for note in notes {
            text.push_str("\n- ");
            text.push_str(note);
        }
        Ok(text)
    }
}

impl<S: Style> Session for LiveSession<S> {
    fn prepare(&mut self, data: &[Arc<Dataset>]) -> Result<(), EngineError> {
        match &self.running.host.front {
            Some(front) => front.prepare(data),
            None => Ok(()),
        }
    }

    fn arm(&mut self, faults: &FaultPlan) -> Result<(), EngineError> {
        if self.fleet.is_none() && !faults.faults.is_empty() {
            let reason = "faults need nodes to hurt: run with --cluster processes or another one";
            return Err(EngineError::Unsupported(reason.to_owned()));
        }
        self.armed = Some(faults.clone()).filter(|plan| !plan.faults.is_empty());
        // Here and not in the run, whose time counts: nodes that an earlier run has lost are started again.
        match &mut self.fleet {
            Some(fleet) => fleet.arm(faults),
            None => Ok(()),
        }
    }

    fn struck(&mut self) -> Vec<FaultOutcome> {
        std::mem::take(&mut self.struck)
    }

    fn trace_next(&mut self) {
        self.traced = true;
    }

    fn run(&mut self, workload: &Workload, stop: &Arc<AtomicBool>) -> Result<Answer, EngineError> {
        let (job, answer) = self.run_on_all(workload, stop)?;
        self.forget(job);
        Ok(answer)
    }

    fn probe(&mut self, probe: &Probe, stop: &Arc<AtomicBool>) -> Result<Vec<Nanos>, EngineError> {
        self.probed(probe, stop)
    }

    fn explain(&mut self, workload: &Workload, analyze: bool) -> Result<Explanation, EngineError> {
        let (job, notes) = if analyze {
            let (job, answer) = self.run_on_all(workload, &AtomicBool::new(false))?;
            (job, answer.notes)
        } else {
            let job = next_job();
            if matches!(workload.program, Program::Query(_)) {
                self.lower(job, workload).inspect_err(|_| self.forget(job))?;
            }
            (job, Vec::new())
        };
        let text = self.describe(job, workload, &notes);
        self.forget(job);
        Ok(Explanation { text: text? })
    }
}

/// Why a job has no answer.
enum Unanswered {
    /// For good.
    Failed(EngineError),
    /// It had one, but a block of it was gone before it was read.
    Lost(TaskFailure),
}

impl Unanswered {
    /// Says what had been done to the cluster on purpose.
    fn after(self, faults: &[FaultOutcome]) -> Self {
        let fired: Vec<String> =
            faults.iter().filter(|f| f.fired_ns.is_some()).map(|f| format!("{} on {}", f.fault, f.node)).collect();
        match self {
            Self::Failed(EngineError::Failed(reason)) if !fired.is_empty() => {
                Self::Failed(EngineError::Failed(format!("after {}: {reason}", fired.join(", "))))
            }
            other => other,
        }
    }
}

impl From<EngineError> for Unanswered {
    fn from(error: EngineError) -> Self {
        Self::Failed(error)
    }
}

pub(crate) fn next_job() -> JobId {
    JobId(NEXT_JOB.fetch_add(1, Ordering::Relaxed))
}

/// What a job's failure means to whoever ran the workload.
fn refused(workload: &Workload, error: JobError) -> EngineError {
    match error {
        JobError::Cancelled | JobError::Task { failure: TaskFailure::Cancelled, .. } => EngineError::Cancelled,
        JobError::Task { failure: TaskFailure::OutOfMemory(message), .. } => EngineError::OutOfMemory(message),
        JobError::Task { failure: TaskFailure::Fatal(message), .. } => {
            EngineError::Program { workload: workload.name.clone(), message }
        }
        other => EngineError::Failed(other.to_string()),
    }
}

/// The answer's own blocks stay in memory, so they cannot be lost unless the style freed them too early.
fn lost(failure: TaskFailure) -> EngineError {
    EngineError::Failed(format!("the answer cannot be read back: {failure}"))
}

//! A started engine: lower, submit, wait, answer.

use crate::completion::{Ended, Waited};
use crate::host::Running;
use crate::job::{Job, Tally};
use crate::outline::outline;
use crate::store;
use crate::timeline::{self, Spent};
use arrow::array::{RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use bench_model::{
    Addr, Answer, Dataset, EngineError, Event, Explanation, Front, JobError, JobId, Lowered, Nanos, Program, Session,
    SpanReport, Style, TaskFailure, Workload,
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
    running: Running<S>,
}

impl<S: Style> LiveSession<S> {
    pub(crate) fn new(running: Running<S>) -> Self {
        Self { running }
    }

    fn front(&self) -> Result<&Arc<dyn Front>, EngineError> {
        let missing = || EngineError::Unsupported("this engine was built without a planner for queries".to_owned());
        self.running.host.front.as_ref().ok_or_else(missing)
    }

    fn lower(&self, job: JobId, workload: &Workload) -> Result<Lowered, EngineError> {
        match &workload.program {
            Program::Query(_) => self.front()?.lower(job, workload, &self.running.env),
            Program::Graph(graph) => {
                let schema = Schema::new(vec![Field::new("tasks", DataType::UInt64, false)]);
                Ok(Lowered { graph: Arc::new(graph.clone()), schema: Arc::new(schema) })
            }
        }
    }

    /// Runs a job from planning to answer. The caller forgets it afterwards.
    fn execute(&self, job: JobId, workload: &Workload, stop: &AtomicBool) -> Result<Answer, EngineError> {
        let host = &self.running.host;
        if let Some(reason) = host.completion.broken() {
            return Err(EngineError::Failed(reason));
        }
        let planned = matches!(workload.program, Program::Query(_));
        let (start, before) = self.begin(Job::new(job, planned));
        let outcome = self.lower(job, workload).and_then(|lowered| {
            let tally = (!planned).then(|| Tally::new(&lowered.graph));
            let batches = match self.submit_and_wait(job, &lowered, tally, stop)? {
                Ended::Answer(readers) => store::collect(readers).map_err(lost)?,
                Ended::Lost(failure) => return Err(lost(failure)),
                Ended::Refused(error) => return Err(refused(workload, error)),
            };
            Ok((lowered.schema, batches))
        });
        let (ended, spans) = self.end(start, before.as_deref());
        let (schema, mut batches) = outcome?;
        let (notes, tally) = ended.map(|j| (j.notes, j.tally)).unwrap_or_default();
        if let Some(tally) = tally {
            let count = Arc::new(UInt64Array::from(vec![tally.count()]));
            let row = RecordBatch::try_new(Arc::clone(&schema), vec![count]);
            batches.push(row.map_err(|e| EngineError::Failed(e.to_string()))?);
        }
        Ok(Answer { schema, batches, spans, notes })
    }

    /// Marks the begin of a job: from here on the slots wait for its plan.
    fn begin(&self, job: Job) -> (Nanos, Option<Vec<Spent>>) {
        let host = &self.running.host;
        let now = host.clock.now();
        host.lock().begin(now, job);
        host.spent()
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
        host.command(|control, now| control.submit(now, job, graph, tally));
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

    /// Closes the job's account.
    fn end(&self, start: Nanos, before: Option<&[Spent]>) -> (Option<Job>, Option<SpanReport>) {
        let host = &self.running.host;
        let (now, after) = host.spent();
        let spans = before.zip(after).map(|(before, after)| timeline::report(before, &after, now - start));
        (host.lock().end(now), spans)
    }

    /// Drops what the planner and the block store know about a job.
    fn forget(&self, job: JobId) {
        let host = &self.running.host;
        host.store.end(job);
        if let Some(front) = &host.front {
            front.forget(job);
        }
    }

    fn describe(&self, job: JobId, workload: &Workload, analyze: bool) -> Result<String, EngineError> {
        let mut notes = Vec::new();
        if analyze {
            notes = self.execute(job, workload, &AtomicBool::new(false))?.notes;
        }
        let mut text = match &workload.program {
            Program::Graph(graph) => outline(graph),
            Program::Query(_) => {
                if !analyze {
                    self.lower(job, workload)?;
                }
                self.front()?.explain(job)
            }
        };
        for note in notes {
            text.push_str("\n- ");
            text.push_str(&note);
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

    fn run(&mut self, workload: &Workload, stop: &Arc<AtomicBool>) -> Result<Answer, EngineError> {
        let job = next_job();
        let answer = self.execute(job, workload, stop);
        self.forget(job);
        answer
    }

    fn explain(&mut self, workload: &Workload, analyze: bool) -> Result<Explanation, EngineError> {
        let job = next_job();
        let text = self.describe(job, workload, analyze);
        self.forget(job);
        Ok(Explanation { text: text? })
    }
}

fn next_job() -> JobId {
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

//! What the runner asks of an engine, and what it is told.

use super::failure::Failure;
use crate::counters::Usage;
use bench_model::{
    Bytes, Check, ClusterSpec, Dataset, Digest, FaultOutcome, FaultPlan, Form, Nanos, Probe, SpanReport, Tuning,
    Workload,
};
use bench_record::Contamination;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// An engine as one column of a comparison: which, and how configured.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineSpec {
    /// Its name, such as `stagedag`.
    pub name: String,
    /// `default`, or the settings that differ from its defaults.
    pub variant: String,
    /// How many tasks run at a time.
    pub slots: u32,
    /// Memory it may hold before it must spill; unlimited if absent.
    pub memory: Option<Bytes>,
    /// Its switches, every one.
    pub tuning: Tuning,
    /// Whether it accounts for each slot's time.
    pub spans: bool,
    /// Where its nodes run.
    pub cluster: ClusterSpec,
}

/// How long a request may take, and how it can be interrupted.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// After which time a run is cancelled; never if absent.
    pub timeout: Option<Duration>,
    /// How long a cancelled run may take to stop by itself before it is killed.
    pub grace: Duration,
    /// Turns true when the user wants out: the engine is killed at once.
    pub stop: &'a AtomicBool,
    /// Whether what each task does will be asked for with the digest.
    pub trace: bool,
}

/// A run that came to its end, as the harness measured it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// From submitting the program to holding the whole answer.
    pub wall_ns: u64,
    /// Rows of the answer.
    pub rows: u64,
    /// What the engine's processes used; absent where nobody could count it, as on other machines.
    pub usage: Option<Usage>,
    /// What others did meanwhile; reasons make the trial a contaminated one.
    pub contamination: Option<Contamination>,
    /// Where slot time went, if asked for and known.
    pub spans: Option<SpanReport>,
    /// What the engine decided on the way, a sentence each.
    pub notes: Vec<String>,
    /// What came of the faults that were planned for it.
    pub faults: Vec<FaultOutcome>,
    /// Bytes that its operators wrote out because memory ran short; absent if the engine does not count them.
    pub spilled_bytes: Option<u64>,
}

/// What is kept of an answer that is held, besides its digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep<'a> {
    /// Where to leave it as Parquet.
    pub result: Option<&'a Path>,
    /// Where to leave what each of its tasks did, if the engine knows.
    pub trace: Option<&'a Path>,
}

/// What digesting an answer gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Digested {
    /// The digest, or how the answer contradicts the check by itself.
    pub digest: Result<Digest, String>,
    /// What digesting took, outside the timer.
    pub check_ns: u64,
    /// Why the run may not have done all of the work that was timed, if it looks so.
    pub doubt: Option<String>,
    /// Where slot time went, of an engine that tells only after the run, if asked for.
    pub spans: Option<SpanReport>,
    /// What there is to say of that, a sentence each.
    pub notes: Vec<String>,
}

impl Default for Digested {
    fn default() -> Self {
        Self { digest: Ok(Digest::default()), check_ns: 0, doubt: None, spans: None, notes: Vec::new() }
    }
}

/// What a probe gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Probed {
    /// What was timed, in the order it was taken.
    pub samples: Vec<Nanos>,
    /// What others did meanwhile; reasons make the samples contaminated ones.
    pub contamination: Contamination,
}

/// Starts engines.
pub trait EngineProvider {
    /// Starts one, in a process of its own where it has one.
    ///
    /// # Errors
    /// See [`Failure`].
    fn start(&self, engine: &EngineSpec, stop: &AtomicBool) -> Result<Box<dyn LiveEngine>, Failure>;
    /// Whether the machines that engines are started on are still there.
    ///
    /// # Errors
    /// Which one is not: whatever fails from now on is no engine's fault.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Forms of programs that an engine runs none of, each with the reason.
pub type Refusals = BTreeMap<Form, String>;

/// A started engine. Dropping it ends it by force.
pub trait LiveEngine {
    /// What the live engine says its version is.
    fn version(&self) -> &str;
    /// Forms of programs that it runs none of, and why: nobody need ask it to.
    fn refuses(&self) -> Refusals {
        Refusals::new()
    }
    /// Makes datasets known; replaces those of an earlier call.
    ///
    /// # Errors
    /// See [`Failure`].
    fn load(&mut self, data: &[Arc<Dataset>], stop: &AtomicBool) -> Result<(), Failure>;
    /// Plans faults for the next run, in place of those of an earlier call. Nodes that were lost are started again, and those
    /// that were not started for such faults too: here, because the run's time and counters are the run's alone.
    ///
    /// # Errors
    /// See [`Failure`].
    fn arm(&mut self, faults: &FaultPlan, stop: &AtomicBool) -> Result<(), Failure>;
    /// Runs a workload; the answer is held until it is digested or discarded, or the next run begins.
    ///
    /// # Errors
    /// See [`Failure`].
    fn run(&mut self, workload: &Workload, limits: &Limits<'_>) -> Result<Measured, Failure>;
    /// What came of the faults of the last run, if that gave no answer: a measured one carries its own. Told once.
    fn struck(&mut self) -> Vec<FaultOutcome> {
        Vec::new()
    }
    /// Digests the answer that is held and drops it, all but what is to be kept.
    ///
    /// # Errors
    /// See [`Failure`].
    fn digest(&mut self, check: &Check, keep: Keep<'_>, stop: &AtomicBool) -> Result<Digested, Failure>;
    /// Drops the answer that is held, if there is one, so that a later run does not pay for it.
    ///
    /// # Errors
    /// See [`Failure`].
    fn discard(&mut self, stop: &AtomicBool) -> Result<(), Failure>;
    /// Explains a workload; `analyze` also runs it.
    ///
    /// # Errors
    /// See [`Failure`].
    fn explain(&mut self, workload: &Workload, analyze: bool, limits: &Limits<'_>) -> Result<String, Failure>;
    /// Does work that does nothing and times it.
    ///
    /// # Errors
    /// See [`Failure`].
    fn probe(&mut self, probe: &Probe, stop: &AtomicBool) -> Result<Probed, Failure>;
    /// It is somebody else's turn until the next request: whoever would work meanwhile stands still.
    fn pause(&mut self) {}
    /// Memory that its processes hold now, if that can be told.
    fn memory(&self) -> Option<Bytes>;
    /// Whether it can leave what each of its tasks did, beside a digest.
    fn leaves_traces(&self) -> bool {
        true
    }
    /// Whether it can take another request.
    fn is_alive(&mut self) -> bool;
    /// Ends it politely.
    fn stop(self: Box<Self>);
}

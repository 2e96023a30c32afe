//! What an engine costs before it does any work: start-up, idle memory, and work that does nothing.
//!
//! Engines take turns: every trial goes through all of them, every second one in reverse, each in processes of its own.

use crate::live::{EngineProvider, EngineSpec, Failure, LiveEngine, Probed};
use bench_model::{Bytes, ClusterSpec, Nanos, Probe};
use bench_record::{
    Contamination, Measure, OVERHEAD_SCHEMA, Outcome, OverheadSample, OverheadSubject, RecordError, Timestamp,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often a waiting harness looks at its interrupt flag.
const INTERRUPT_LATENCY: Duration = Duration::from_millis(50);

/// What is asked for.
#[derive(Clone, Debug)]
pub struct OverheadPlan {
    /// Of whom, in the order they are shown.
    pub engines: Vec<EngineSpec>,
    /// How often, each time in new processes.
    pub trials: u32,
    /// How long an engine is left alone before its memory is read.
    pub settle: Duration,
    /// What is asked of each, in this order: what may hurt an engine comes last.
    pub probes: Vec<Probe>,
}

/// What goes on.
#[derive(Clone, Copy, Debug)]
pub enum OverheadEvent<'a> {
    /// This is about to be measured.
    Begun {
        /// Of whom.
        engine: &'a EngineSpec,
        /// Counts from 0.
        trial: u32,
        /// What.
        measure: Measure,
    },
    /// This was.
    Ended(&'a OverheadSample),
}

/// Why measuring stopped.
#[derive(Debug, thiserror::Error)]
pub enum OverheadError {
    /// The harness's own work failed: not a property of the engine.
    #[error("engine {engine}: {message}")]
    Harness {
        /// Whose turn it was.
        engine: String,
        /// What failed.
        message: String,
    },
    /// A measurement could not be kept.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// How measuring ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverheadEnd {
    /// Everything was measured, or why not is recorded.
    Complete,
    /// The user wanted out.
    Interrupted,
}

/// Keeps measurements.
pub trait OverheadSink {
    /// Keeps one.
    ///
    /// # Errors
    /// It could not be kept.
    fn keep(&mut self, sample: &OverheadSample) -> Result<(), RecordError>;
}

impl OverheadSink for bench_record::OverheadJournal {
    fn keep(&mut self, sample: &OverheadSample) -> Result<(), RecordError> {
        self.append(sample)
    }
}

impl OverheadSink for Vec<OverheadSample> {
    fn keep(&mut self, sample: &OverheadSample) -> Result<(), RecordError> {
        self.push(sample.clone());
        Ok(())
    }
}

/// How many measurements a plan makes.
#[must_use]
pub fn measurements(plan: &OverheadPlan) -> u64 {
    // Start-up and idle memory are no probes.
    let each = plan.probes.len() as u64 + 2;
    each * plan.engines.len() as u64 * u64::from(plan.trials)
}

/// Measures everything that is planned.
///
/// # Errors
/// The harness's own failures only: whatever an engine does or fails to do is a measurement with an outcome.
pub fn measure(
    plan: &OverheadPlan,
    provider: &dyn EngineProvider,
    sink: &mut dyn OverheadSink,
    stop: &AtomicBool,
    show: &mut dyn FnMut(OverheadEvent<'_>),
) -> Result<OverheadEnd, OverheadError> {
    for trial in 0..plan.trials {
        let mut order: Vec<&EngineSpec> = plan.engines.iter().collect();
        if trial % 2 == 1 {
            order.reverse();
        }
        for engine in order {
            let mut turn =
                Turn { plan, provider, stop, engine, trial, version: None, sink: &mut *sink, show: &mut *show };
            match turn.take() {
                Ok(()) => {}
                Err(Stopped::Interrupted) => return Ok(OverheadEnd::Interrupted),
                Err(Stopped::Error(error)) => return Err(error),
            }
        }
    }
    Ok(OverheadEnd::Complete)
}

/// Why a turn ended early.
enum Stopped {
    Interrupted,
    Error(OverheadError),
}

/// One engine in one trial.
struct Turn<'t> {
    plan: &'t OverheadPlan,
    provider: &'t dyn EngineProvider,
    stop: &'t AtomicBool,
    engine: &'t EngineSpec,
    trial: u32,
    version: Option<String>,
    sink: &'t mut dyn OverheadSink,
    show: &'t mut dyn FnMut(OverheadEvent<'_>),
}

/// What a measurement gave.
#[derive(Default)]
struct Got {
    samples: Vec<Nanos>,
    held: Option<Bytes>,
    contamination: Option<Contamination>,
}

impl Turn<'_> {
    fn take(&mut self) -> Result<(), Stopped> {
        let Some(mut live) = self.start_up()? else { return Ok(()) };
        self.idle_memory(&*live)?;
        for probe in &self.plan.probes {
            if !live.is_alive() {
                match self.provider.start(self.engine, self.stop) {
                    Ok(again) => live = again,
                    Err(failure) => {
                        self.record(Measure::Probe(*probe), Timestamp::now(), Err(failure))?;
                        continue;
                    }
                }
            }
            let began = self.begin(Measure::Probe(*probe));
            let probed = live.probe(probe, self.stop);
            let got = probed.map(|Probed { samples, contamination }| Got {
                samples,
                held: None,
                contamination: Some(contamination),
            });
            self.record(Measure::Probe(*probe), began, got)?;
        }
        live.stop();
        Ok(())
    }

    /// From starting the process until the engine is ready; none if it does not start.
    fn start_up(&mut self) -> Result<Option<Box<dyn LiveEngine>>, Stopped> {
        let began = self.begin(Measure::Startup);
        let clock = Instant::now();
        let started = self.provider.start(self.engine, self.stop);
        let took = Nanos::new(u64::try_from(clock.elapsed().as_nanos()).unwrap_or(u64::MAX));
        let (live, got) = match started {
            Ok(live) => {
                self.version = Some(live.version().to_owned());
                (Some(live), Ok(Got { samples: vec![took], ..Got::default() }))
            }
            Err(failure) => (None, Err(failure)),
        };
        self.record(Measure::Startup, began, got)?;
        Ok(live)
    }

    fn idle_memory(&mut self, live: &dyn LiveEngine) -> Result<(), Stopped> {
        let began = self.begin(Measure::IdleMemory);
        let clock = Instant::now();
        while clock.elapsed() < self.plan.settle {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Stopped::Interrupted);
            }
            std::thread::sleep(INTERRUPT_LATENCY.min(self.plan.settle));
        }
        let held = live.memory().map(|held| Got { held: Some(held), ..Got::default() });
        let untold = || Failure::Unsupported("the system does not tell what its processes hold".to_owned());
        self.record(Measure::IdleMemory, began, held.ok_or_else(untold))
    }

    fn begin(&mut self, measure: Measure) -> Timestamp {
        (self.show)(OverheadEvent::Begun { engine: self.engine, trial: self.trial, measure });
        Timestamp::now()
    }

    fn record(&mut self, measure: Measure, started_at: Timestamp, got: Result<Got, Failure>) -> Result<(), Stopped> {
        let (outcome, reason, got) = match got {
            Ok(got) => (Outcome::Completed, None, got),
            Err(Failure::Interrupted) => return Err(Stopped::Interrupted),
            Err(failure) => match failure.outcome() {
                Some(outcome) => {
                    let mut reason = failure.to_string();
                    bench_record::shorten(&mut reason);
                    (outcome, Some(reason), Got::default())
                }
                None => {
                    let (engine, message) = (self.engine.name.clone(), failure.to_string());
                    return Err(Stopped::Error(OverheadError::Harness { engine, message }));
                }
            },
        };
        let sample = OverheadSample {
            schema: OVERHEAD_SCHEMA,
            subject: subject(self.engine),
            version: self.version.clone(),
            trial: self.trial,
            measure,
            outcome,
            reason,
            samples_ns: got.samples,
            held_bytes: got.held,
            contamination: got.contamination,
            started_at,
        };
        self.sink.keep(&sample).map_err(|error| Stopped::Error(error.into()))?;
        (self.show)(OverheadEvent::Ended(&sample));
        Ok(())
    }
}

fn subject(engine: &EngineSpec) -> OverheadSubject {
    OverheadSubject {
        engine: engine.name.clone(),
        variant: engine.variant.clone(),
        cluster: engine.cluster.name().to_owned(),
        nodes: match &engine.cluster {
            ClusterSpec::Local => 1,
            other => other.nodes(),
        },
        slots: engine.slots,
        memory_bytes: engine.memory,
    }
}

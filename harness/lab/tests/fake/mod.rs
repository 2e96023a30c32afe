//! A scripted engine: what each run does is written down beforehand. No processes, no clocks, no sleeps.

#![allow(dead_code, reason = "each test program uses its own part")]

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use bench_lab::counters::Usage;
use bench_lab::live::{
    Digested, EngineProvider, EngineSpec, Failure, Keep, Limits, LiveEngine, Measured, Probed, Refusals,
};
use bench_lab::oracle;
use bench_lab::runner::{OracleEngine, Plan, Twins};
use bench_model::{
    Bytes, Check, Dataset, Digest, Family, FaultOutcome, FaultPlan, Form, Nanos, Probe, Program, Query, SpanReport,
    Tuning, Workload,
};
use bench_record::{Contamination, Protocol};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What every engine holds, but for `laden`, who holds a gigabyte, and `bare`, of whom nobody knows.
pub(crate) const HELD: u64 = 64 << 20;
/// What `huge` needs while it runs: more than any machine has.
const PEAK_OF_HUGE: u64 = 1 << 60;

/// What one run does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Answers `answer` after `ms`.
    Answer { answer: i64, ms: u64 },
    /// The same, on a busy machine.
    Disturbed { answer: i64, ms: u64 },
    /// Fails in this way.
    Fail(Failure),
    /// Fails in this way, after what was done to it on purpose.
    Struck(Failure, FaultOutcome),
    /// Answers, and the user presses Ctrl-C meanwhile.
    Interrupt,
    /// A machine that its nodes run on is lost meanwhile.
    Lose(Box<Act>),
}

pub(crate) fn right(ms: u64) -> Act {
    Act::Answer { answer: 42, ms }
}

type Acts = Rc<RefCell<VecDeque<Act>>>;

/// Scripts by engine and workload; the last act of a script repeats. Without a script: the right answer in 1 ms.
#[derive(Default)]
pub(crate) struct Fake {
    scripts: BTreeMap<(String, String), Acts>,
    /// What happened, in order.
    log: Rc<RefCell<Vec<String>>>,
    /// Whether a machine was lost.
    lost: Rc<Cell<bool>>,
}

impl Fake {
    pub(crate) fn script(mut self, engine: &str, workload: &str, acts: impl IntoIterator<Item = Act>) -> Self {
        let acts = Rc::new(RefCell::new(acts.into_iter().collect()));
        self.scripts.insert((engine.into(), workload.into()), acts);
        self
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.borrow().clone()
    }

    /// How often the log holds an entry with this beginning.
    pub(crate) fn count(&self, beginning: &str) -> usize {
        self.log.borrow().iter().filter(|line| line.starts_with(beginning)).count()
    }
}

struct FakeLive {
    engine: String,
    acts: BTreeMap<String, Acts>,
    log: Rc<RefCell<Vec<String>>>,
    answer: Option<i64>,
    alive: bool,
    struck: Vec<FaultOutcome>,
    lost: Rc<Cell<bool>>,
}

impl EngineProvider for Fake {
    fn start(&self, engine: &EngineSpec, _stop: &AtomicBool) -> Result<Box<dyn LiveEngine>, Failure> {
        self.log.borrow_mut().push(format!("start {}", engine.name));
        let acts = self.scripts.iter().filter(|((name, _), _)| *name == engine.name);
        Ok(Box::new(FakeLive {
            engine: engine.name.clone(),
            acts: acts.map(|((_, workload), acts)| (workload.clone(), Rc::clone(acts))).collect(),
            log: Rc::clone(&self.log),
            answer: None,
            alive: true,
            struck: Vec::new(),
            lost: Rc::clone(&self.lost),
        }))
    }

    fn check(&self) -> Result<(), String> {
        if self.lost.get() { Err("far was lost".to_owned()) } else { Ok(()) }
    }
}

impl LiveEngine for FakeLive {
    fn version(&self) -> &str {
        "1.0"
    }

    fn load(&mut self, data: &[Arc<Dataset>], _stop: &AtomicBool) -> Result<(), Failure> {
        let names: Vec<&str> = data.iter().map(|d| d.name.as_str()).collect();
        self.log.borrow_mut().push(format!("load {} {}", self.engine, names.join(" ")));
        Ok(())
    }

    fn arm(&mut self, faults: &FaultPlan, _stop: &AtomicBool) -> Result<(), Failure> {
        let faults: Vec<String> = faults.faults.iter().map(|fault| fault.to_string()).collect();
        self.log.borrow_mut().push(format!("arm {} [{}]", self.engine, faults.join(",")));
        Ok(())
    }

    fn run(&mut self, workload: &Workload, limits: &Limits<'_>) -> Result<Measured, Failure> {
        self.log.borrow_mut().push(format!("run {} {}", self.engine, workload.name));
        let act = self.acts.get(&workload.name).map_or_else(
            || right(1),
            |acts| {
                let mut acts = acts.borrow_mut();
                let next = acts.front().cloned().unwrap_or_else(|| right(1));
                if acts.len() > 1 {
                    acts.pop_front();
                }
                next
            },
        );
        let is_huge = self.engine == "huge";
        let measured = |ms: u64, reasons: Vec<String>| Measured {
            wall_ns: ms * 1_000_000,
            rows: 1,
            usage: is_huge.then(|| Usage { rss_bytes_peak: Some(PEAK_OF_HUGE), ..Usage::default() }),
            contamination: Some(Contamination { reasons, ..Contamination::default() }),
            ..Measured::default()
        };
        let act = match act {
            Act::Lose(act) => {
                self.lost.set(true);
                *act
            }
            other => other,
        };
        match act {
            Act::Lose(_) => Err(Failure::Harness("a machine is lost once".to_owned())),
            Act::Answer { answer, ms } => {
                self.answer = Some(answer);
                Ok(measured(ms, vec![]))
            }
            Act::Disturbed { answer, ms } => {
                self.answer = Some(answer);
                Ok(measured(ms, vec!["other processes used 50 %".into()]))
            }
            Act::Fail(failure) => {
                self.alive = !failure.ends_session();
                Err(failure)
            }
            Act::Struck(failure, outcome) => {
                self.struck = vec![outcome];
                Err(failure)
            }
            Act::Interrupt => {
                limits.stop.store(true, Ordering::Relaxed);
                self.answer = Some(42);
                Ok(measured(1, vec![]))
            }
        }
    }

    fn struck(&mut self) -> Vec<FaultOutcome> {
        std::mem::take(&mut self.struck)
    }

    /// `sqlless` runs no SQL.
    fn refuses(&self) -> Refusals {
        let refuses = (self.engine == "sqlless").then(|| (Form::Sql, "it has no SQL".to_owned()));
        refuses.into_iter().collect()
    }

    /// One engine is somebody else's: it tells of spans with its digest, and leaves no traces.
    fn leaves_traces(&self) -> bool {
        self.engine != "product"
    }

    fn digest(&mut self, check: &Check, keep: Keep<'_>, _stop: &AtomicBool) -> Result<Digested, Failure> {
        if let Some(path) = keep.result {
            std::fs::write(path, "kept").map_err(|e| Failure::Harness(e.to_string()))?;
        }
        let answer = self.answer.take().ok_or_else(|| Failure::Harness("no answer".into()))?;
        let mut digested = Digested { digest: Ok(digest_of(answer, check)), check_ns: 1, ..Digested::default() };
        if !self.leaves_traces() {
            let makespan_ns = Nanos::new(500_000);
            digested.spans = Some(SpanReport {
                slots: 2,
                makespan_ns,
                unknown_ns: Some(Nanos::new(1_000_000)),
                ..SpanReport::default()
            });
            digested.notes = vec!["it keeps no trace".into()];
        }
        Ok(digested)
    }

    fn discard(&mut self, _stop: &AtomicBool) -> Result<(), Failure> {
        self.log.borrow_mut().push(format!("discard {}", self.engine));
        self.answer = None;
        Ok(())
    }

    fn explain(&mut self, workload: &Workload, _analyze: bool, _limits: &Limits<'_>) -> Result<String, Failure> {
        Ok(workload.name.clone())
    }

    fn probe(&mut self, probe: &Probe, _stop: &AtomicBool) -> Result<Probed, Failure> {
        self.log.borrow_mut().push(format!("probe {} {}", self.engine, probe.kind()));
        match self.engine.as_str() {
            "bare" => Err(Failure::Unsupported("it has no tasks".into())),
            "frail" => {
                self.alive = false;
                Err(Failure::Panicked("at the first task".into()))
            }
            _ => Ok(Probed { samples: vec![Nanos::new(1_000); probe.samples()], ..Probed::default() }),
        }
    }

    fn memory(&self) -> Option<Bytes> {
        match self.engine.as_str() {
            "bare" => None,
            "laden" => Some(Bytes::new(1 << 30)),
            _ => Some(Bytes::new(HELD)),
        }
    }

    /// `mortal` loses a process whenever it waits.
    fn pause(&mut self) {
        self.alive &= self.engine != "mortal";
    }

    fn is_alive(&mut self) -> bool {
        self.alive
    }

    fn stop(self: Box<Self>) {
        self.log.borrow_mut().push(format!("stop {}", self.engine));
    }
}

pub(crate) fn digest_of(answer: i64, check: &Check) -> Digest {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![answer]));
    let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
    oracle::digest(&batch.schema(), &[batch], check).unwrap()
}

pub(crate) fn engine(name: &str) -> EngineSpec {
    EngineSpec {
        name: name.into(),
        variant: "default".into(),
        slots: 2,
        memory: None,
        tuning: Tuning::default(),
        spans: false,
        cluster: Default::default(),
    }
}

/// A workload whose stored answer is 42.
pub(crate) fn workload(name: &str) -> Workload {
    Workload {
        name: name.into(),
        family: Family::Sql,
        title: String::new(),
        program: Program::Query(Query::Sql("select 42".into())),
        dataset: Some("d".into()),
        check: Check { expected: Some((digest_of(42, &Check::default()), "stored".into())), ..Check::default() },
    }
}

/// A workload without a stored answer.
pub(crate) fn unanswered(name: &str) -> Workload {
    Workload { check: Check::default(), ..workload(name) }
}

pub(crate) fn plan(workloads: Vec<Workload>, engines: &[&str], trials: u32) -> Plan {
    Plan {
        suite: "test".into(),
        scale: 1,
        faults: vec![],
        workloads,
        datasets: vec![Arc::new(Dataset { name: "d".into(), tables: vec![] })],
        engines: engines.iter().map(|name| engine(name)).collect(),
        twins: Twins::None,
        one_at_a_time: Default::default(),
        protocol: Protocol::Warm(1),
        refresh: false,
        trials,
        seed: 7,
        timeout: Some(Duration::from_secs(1)),
        grace: Duration::ZERO,
        repeats: 2,
        oracle: Some(OracleEngine { engine: engine("oracle"), timeout: None }),
        keep_results: false,
    }
}

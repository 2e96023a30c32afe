//! One engine in one arm: a process that is started, loaded and warmed as the protocol says, and replaced when it dies.

use super::plan::{Participant, Plan};
use super::room::{Need, Peaks, Waiting};
use crate::live::{EngineProvider, EngineSpec, Failure, Limits, LiveEngine, Measured, Refusals};
use crate::machine::drop_page_cache;
use bench_model::{Bytes, FaultOutcome, FaultPlan, Workload};
use bench_record::{Arm, Protocol};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// An engine's place at the table.
pub(super) struct Seat<'a> {
    pub(super) engine: &'a EngineSpec,
    pub(super) arm: Arm,
    pub(super) participant: Participant,
    live: Option<Box<dyn LiveEngine>>,
    /// What the live engine held when its last turn was over.
    held: Option<Bytes>,
    /// The dataset that the live engine has loaded.
    loaded: Option<String>,
    /// The workload that it has been warmed with.
    warm_for: Option<String>,
    /// Whether the engine that was started last can leave what its tasks did.
    leaves_traces: bool,
    /// What the engine that was started last runs none of.
    refuses: Refusals,
    /// How long the live engine took to start and to load.
    started_in: Duration,
    /// The most memory that it was seen to hold.
    peaks: Peaks,
    /// Whether a process of its engine ended while it waited, so that it is started anew.
    lost: bool,
    /// Whether it was ended to make room for somebody else, and has not had a turn since.
    made_room: bool,
    /// Whether its engine is to be warmed as one that comes back: it was ended to make room.
    comes_back: bool,
}

impl<'a> Seat<'a> {
    /// An empty seat; `None` if the participant is not of this plan.
    pub(super) fn new(plan: &'a Plan, participant: Participant) -> Option<Self> {
        let engine = plan.engines.get(participant.engine)?;
        Some(Self {
            engine,
            arm: participant.arm,
            participant,
            live: None,
            held: None,
            loaded: None,
            warm_for: None,
            leaves_traces: false,
            refuses: Refusals::new(),
            started_in: Duration::ZERO,
            peaks: Peaks::default(),
            lost: false,
            made_room: false,
            comes_back: false,
        })
    }

    /// Makes everything ready so that only the timed run is left: process, data, warm-ups or cold caches. With `refresh` one that is warm
    /// and comes back has an untimed run too.
    ///
    /// # Errors
    /// Whatever fails on the way fails the trial.
    pub(super) fn prepare(
        &mut self,
        plan: &Plan,
        workload: &Workload,
        provider: &dyn EngineProvider,
        refresh: bool,
        stop: &AtomicBool,
        warming: &mut dyn FnMut(),
    ) -> Result<(), Failure> {
        self.may_run(workload)?;
        if self.live.as_mut().is_some_and(|live| !live.is_alive()) {
            // Whoever died at work was put away then: this one died waiting, and not of its own work.
            (self.lost, self.comes_back) = (true, true);
            self.leave();
        }
        if !matches!(plan.protocol, Protocol::Warm(_)) {
            self.leave();
        }
        let begun = Instant::now();
        let is_fresh = self.live.is_none();
        if is_fresh {
            let live = provider.start(self.engine, stop)?;
            (self.leaves_traces, self.refuses) = (live.leaves_traces(), live.refuses());
            self.live = Some(live);
            self.may_run(workload)?;
        }
        let live = self.live.as_mut().ok_or_else(|| not_started(self.engine))?;
        let dataset = workload.dataset.as_ref().and_then(|name| plan.dataset(name));
        if let Some(dataset) = dataset.filter(|d| self.loaded.as_ref() != Some(&d.name)) {
            self.loaded = None;
            live.load(std::slice::from_ref(dataset), stop)?;
            self.loaded = Some(dataset.name.clone());
        }
        if is_fresh {
            self.started_in = begun.elapsed();
        }
        match plan.protocol {
            Protocol::Warm(times) if self.warm_for.as_ref() != Some(&workload.name) => {
                if let Some(faults) = plan.faults_of(0) {
                    // Nodes that are started in another way for a fault are so before they are warm, and nothing is
                    // done to the runs that warm them.
                    live.arm(&faults, stop)?;
                    live.arm(&FaultPlan::default(), stop)?;
                }
                // Whoever was not ended has had one more by its next turn.
                let again = u32::from(refresh && std::mem::take(&mut self.comes_back));
                for _ in 0..times.saturating_add(again) {
                    warming();
                    let peak = warm_up(live.as_mut(), plan, workload, stop)?;
                    self.peaks.note(&workload.name, peak);
                }
                self.warm_for = Some(workload.name.clone());
            }
            Protocol::Warm(1..) if refresh => {
                warming();
                let peak = warm_up(live.as_mut(), plan, workload, stop)?;
                self.peaks.note(&workload.name, peak);
            }
            Protocol::ColdCache => {
                let files = dataset.into_iter().flat_map(|d| &d.tables).flat_map(|t| &t.files);
                drop_page_cache(files.map(|path| path.as_path())).map_err(|e| Failure::Harness(e.to_string()))?;
            }
            Protocol::Warm(_) | Protocol::ColdProcess => {}
        }
        Ok(())
    }

    /// An engine that has said what it runs none of is not asked, started or woken for that: a distributed one that goes on for an instant
    /// between two stops, time and again, comes to think that its own processes are dead.
    pub(super) fn may_run(&self, workload: &Workload) -> Result<(), Failure> {
        let refused = self.refuses.get(&workload.program.form());
        refused.map_or(Ok(()), |why| Err(Failure::Unsupported(why.clone())))
    }

    /// Whether what the tasks of its engine did can be asked for, as the one that was started last says.
    pub(super) fn leaves_traces(&self) -> bool {
        self.leaves_traces
    }

    /// Whether there is an engine in it, at work or waiting.
    pub(super) fn is_started(&self) -> bool {
        self.live.is_some()
    }

    /// Memory that the engine holds while it waits for its turn, if it does.
    pub(super) fn held(&self) -> Option<Bytes> {
        self.held
    }

    /// What it may need for a run of a workload.
    pub(super) fn need(&self, workload: &Workload) -> Need {
        Need {
            peak_bytes: self.peaks.expected(&workload.name),
            held_bytes: self.held.map_or(0, Bytes::get),
            told_bytes: self.engine.memory.map(Bytes::get),
        }
    }

    /// The same once it is ready for that run: what it was seen to need, beside what it holds now. None if nothing was seen.
    pub(super) fn need_when_ready(&self, workload: &Workload) -> Option<Need> {
        let peak = self.peak_of(workload)?;
        let held = self.live.as_ref().and_then(|live| live.memory());
        Some(Need { peak_bytes: Some(peak), held_bytes: held.map_or(0, Bytes::get), told_bytes: Some(0) })
    }

    /// The most that it was seen to hold in a run of a workload.
    pub(super) fn peak_of(&self, workload: &Workload) -> Option<u64> {
        self.peaks.of(&workload.name)
    }

    /// As one who could leave for somebody else's sake, if there is an engine in it.
    pub(super) fn waiting(&self, seat: usize) -> Option<Waiting> {
        let held_bytes = self.held.filter(|_| self.is_started())?.get();
        Some(Waiting { seat, held_bytes, started_in: self.started_in })
    }

    /// Ends the process so that somebody else has its memory.
    pub(super) fn make_room(&mut self) {
        self.leave();
        (self.made_room, self.comes_back) = (true, true);
    }

    /// Whether its engine was found dead, or without one of its processes, when its turn came; asked once.
    pub(super) fn has_lost(&mut self) -> bool {
        std::mem::take(&mut self.lost)
    }

    /// Whether it was ended for somebody else's sake since its last turn; asked for its next one.
    pub(super) fn has_made_room(&mut self) -> bool {
        std::mem::take(&mut self.made_room)
    }

    /// It is somebody else's turn. Only a warm engine waits, standing still if it would work, and what it holds meanwhile is looked at once.
    /// Any other ends, so that the next one has the machine to itself, and so does one that is dead already: what it left on the disk
    /// goes with it.
    pub(super) fn wait_for_turn(&mut self, plan: &Plan) {
        let waits =
            matches!(plan.protocol, Protocol::Warm(_)) && self.live.as_mut().is_some_and(|live| live.is_alive());
        match &mut self.live {
            Some(live) if waits => {
                self.held = live.memory();
                live.pause();
            }
            _ => self.leave(),
        }
    }

    /// The timed run.
    ///
    /// # Errors
    /// See [`Failure`].
    pub(super) fn run(
        &mut self,
        plan: &Plan,
        workload: &Workload,
        number: u32,
        stop: &AtomicBool,
    ) -> Result<Measured, Failure> {
        let live = self.live()?;
        if let Some(faults) = plan.faults_of(number) {
            live.arm(&faults, stop)?;
        }
        let measured = live.run(workload, &Limits { timeout: plan.timeout, grace: plan.grace, stop, trace: false });
        self.peaks.note(&workload.name, measured.as_ref().ok().and_then(peak_of));
        measured
    }

    /// An untimed run whose tasks are traced.
    ///
    /// # Errors
    /// See [`Failure`].
    pub(super) fn run_traced(&mut self, plan: &Plan, workload: &Workload, stop: &AtomicBool) -> Result<(), Failure> {
        let limits = Limits { timeout: plan.timeout, grace: plan.grace, stop, trace: true };
        self.live()?.run(workload, &limits).map(drop)
    }

    /// What came of the faults of a run that gave no answer, as far as the engine lived to tell.
    pub(super) fn struck(&mut self) -> Vec<FaultOutcome> {
        self.live.as_mut().map(|live| live.struck()).unwrap_or_default()
    }

    /// The engine that [`Self::prepare`] left here.
    pub(super) fn live(&mut self) -> Result<&mut Box<dyn LiveEngine>, Failure> {
        self.live.as_mut().ok_or_else(|| not_started(self.engine))
    }

    /// Whatever it was warmed with before a failure has to be done again: what is left of that nobody knows. Whether an engine that has
    /// ended lacked memory nobody knows either: next time it has all there is.
    pub(super) fn cool(&mut self, workload: &Workload) {
        self.warm_for = None;
        if self.live.as_mut().is_some_and(|live| !live.is_alive()) {
            self.peaks.ended(&workload.name);
        }
    }

    /// Ends the process, if there is one.
    pub(super) fn leave(&mut self) {
        self.held = None;
        self.loaded = None;
        self.warm_for = None;
        if let Some(live) = self.live.take() {
            live.stop();
        }
    }
}

fn not_started(engine: &EngineSpec) -> Failure {
    Failure::Harness(format!("engine {} is not started", engine.name))
}

/// A run that is neither timed nor checked; the most memory that was seen to be held. Held any longer, its answer would count as memory
/// and CPU time of the timed run.
fn warm_up(
    live: &mut dyn LiveEngine,
    plan: &Plan,
    workload: &Workload,
    stop: &AtomicBool,
) -> Result<Option<u64>, Failure> {
    let limits = Limits { timeout: plan.timeout, grace: plan.grace, stop, trace: false };
    let peak = peak_of(&live.run(workload, &limits)?);
    live.discard(stop)?;
    Ok(peak)
}

fn peak_of(measured: &Measured) -> Option<u64> {
    measured.usage.as_ref()?.rss_bytes_peak
}

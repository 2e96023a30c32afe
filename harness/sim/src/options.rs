//! What a simulated cluster looks like, and what a run leaves behind.

use crate::faults::FaultKind;
use bench_model::Nanos;
use std::collections::BTreeMap;

/// How to simulate. Ranges are drawn from per seed.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// At most so many nodes, at least one.
    pub nodes: u32,
    /// Exactly so many nodes, which seeds take in turn; drawn up to `nodes` if there are none.
    pub sizes: Vec<u32>,
    /// At most so many slots per node, at least one.
    pub slots: u32,
    /// At most so many jobs, at least one.
    pub jobs: u32,
    /// Roughly how many tasks a job has at most.
    pub tasks: u32,
    /// At most so many injected faults per seed; 0 switches them off.
    pub faults: u32,
    /// Whether machines verify their invariants after every event they handle.
    pub check: bool,
    /// Whether each on-or-off switch of the style is turned the other way in a quarter of the seeds.
    pub vary_switches: bool,
    /// Settings of the style as given on the command line, on top of its defaults.
    pub settings: Vec<(String, String)>,
    /// A job that is not over by then, in virtual time, counts as stuck.
    pub deadline: Nanos,
    /// A run of more events than this counts as spinning.
    pub events_max: u64,
    /// How many threads run seeds.
    pub threads: usize,
}

impl Default for SimOptions {
    /// Small clusters, small jobs, many faults: where scheduling bugs show fastest.
    fn default() -> Self {
        Self {
            nodes: 4,
            sizes: Vec::new(),
            slots: 3,
            jobs: 2,
            tasks: 40,
            faults: 12,
            check: true,
            vary_switches: true,
            settings: Vec::new(),
            deadline: Nanos::from_millis(600_000),
            events_max: 200_000,
            threads: 2,
        }
    }
}

impl SimOptions {
    /// Nothing goes wrong, nothing is checked, and graphs may be as large as they like: for measuring the simulator.
    #[must_use]
    pub fn undisturbed() -> Self {
        Self {
            faults: 0,
            check: false,
            nodes: 8,
            slots: 16,
            events_max: u64::MAX,
            deadline: Nanos::from_millis(100_000_000),
            ..Self::default()
        }
    }

    /// How many nodes a seed has, if that is not drawn.
    #[must_use]
    pub fn size_of(&self, seed: u64) -> Option<u32> {
        let turn = seed.checked_rem(self.sizes.len() as u64)?;
        self.sizes.get(usize::try_from(turn).ok()?).map(|size| (*size).max(1))
    }
}

/// What one seed did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SimSummary {
    /// Events handled by machines.
    pub events: u64,
    /// Attempts that ran.
    pub attempts: u64,
    /// Jobs that ended with their answer.
    pub answered: u64,
    /// Jobs that ended with an error that the injected faults explain.
    pub failed: u64,
    /// Jobs whose rest was changed by the planner, counted once per change.
    pub replanned: u64,
    /// Second copies of slow tasks.
    pub speculated: u64,
    /// When the last job ended, in virtual time.
    pub makespan: Nanos,
    /// How often each kind of fault fired.
    pub fired: BTreeMap<FaultKind, u64>,
}

/// What was wrong. Each is a bug of the style's machines, or of the simulator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimTrouble {
    /// The options cannot be used.
    #[error("{0}")]
    Options(String),
    /// A machine found its own state inconsistent.
    #[error("{0}")]
    Machine(String),
    /// A machine asked for something no correct machine asks for.
    #[error("broken rule: {0}")]
    Rule(String),
    /// A job's answer is not what its graph computes.
    #[error("wrong answer: {0}")]
    Answer(String),
    /// A job ended with an error that nothing injected explains.
    #[error("unjustified error: {0}")]
    Error(String),
    /// Nothing is left to happen, or nothing useful happens, and a job is not over.
    #[error("stuck: {0}")]
    Stuck(String),
}

/// A seed that failed. The same seed with the same options fails again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed}, event {event}, at {at}: {trouble}")]
pub struct SimFailure {
    /// Which seed.
    pub seed: u64,
    /// How many events had been handled.
    pub event: u64,
    /// The virtual time.
    pub at: Nanos,
    /// What was wrong.
    pub trouble: SimTrouble,
}

/// What many seeds did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FuzzReport {
    /// How many seeds ran: the first ones, without a gap.
    pub seeds: u64,
    /// Events handled by machines, over all seeds.
    pub events: u64,
    /// Attempts that ran.
    pub attempts: u64,
    /// Jobs that ended with their answer.
    pub answered: u64,
    /// Jobs that ended with a justified error.
    pub failed: u64,
    /// Changes of plan.
    pub replanned: u64,
    /// Second copies of slow tasks.
    pub speculated: u64,
    /// How often each kind of fault fired. A kind that is missing was not tested.
    pub fired: BTreeMap<FaultKind, u64>,
    /// The seeds that failed, in order.
    pub failures: Vec<SimFailure>,
}

impl FuzzReport {
    /// Adds one seed's summary.
    pub(crate) fn add(&mut self, summary: &SimSummary) {
        self.seeds += 1;
        self.events += summary.events;
        self.attempts += summary.attempts;
        self.answered += summary.answered;
        self.failed += summary.failed;
        self.replanned += summary.replanned;
        self.speculated += summary.speculated;
        for (kind, times) in &summary.fired {
            *self.fired.entry(*kind).or_default() += times;
        }
    }

    /// Adds what another thread found.
    pub(crate) fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.events += other.events;
        self.attempts += other.attempts;
        self.answered += other.answered;
        self.failed += other.failed;
        self.replanned += other.replanned;
        self.speculated += other.speculated;
        for (kind, times) in other.fired {
            *self.fired.entry(kind).or_default() += times;
        }
        self.failures.extend(other.failures);
        self.failures.sort_by_key(|f| f.seed);
    }
}

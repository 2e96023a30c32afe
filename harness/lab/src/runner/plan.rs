//! What to measure. A plan is data; the same plan gives the same cases, keys and order.

use crate::live::EngineSpec;
use bench_model::{ClusterSpec, Dataset, Family, Fault, FaultPlan, Workload};
use bench_record::{Arm, Case, CaseKey, Protocol};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Which engines are measured twice, to learn how far two measurements of the same thing lie apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Twins {
    /// The first one: one more session per workload.
    #[default]
    First,
    /// Every one: twice the time.
    All,
    /// One for each family, by its index: the first engine need not be able to run all of them.
    ByFamily(BTreeMap<Family, usize>),
    /// None: only for runs that are not to be compared.
    None,
}

/// Whom to ask where no answer is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct OracleEngine {
    /// The engine, started anew for each workload.
    pub engine: EngineSpec,
    /// After which time its answer is given up.
    pub timeout: Option<Duration>,
}

/// A suite's workloads on some engines under one protocol.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The suite's name.
    pub suite: String,
    /// How many times the suite's own scale the data has.
    pub scale: u32,
    /// What to run, in order.
    pub workloads: Vec<Workload>,
    /// The data it reads.
    pub datasets: Vec<Arc<Dataset>>,
    /// The engines, in the order they are shown.
    pub engines: Vec<EngineSpec>,
    /// Which of them have a twin.
    pub twins: Twins,
    /// Names of those of which only one can be started at a time: whoever of them has its turn ends the others, and each is then started
    /// and warmed anew.
    pub one_at_a_time: BTreeSet<String>,
    /// How trials meet the machine.
    pub protocol: Protocol,
    /// Whether a warm engine gets one more untimed run right before each timed one but the first: after a pause, in which its last answer
    /// was written and others worked, it finds caches and memory as they were left, and is slower for a run.
    pub refresh: bool,
    /// Trials per case and arm.
    pub trials: u32,
    /// The seed of the order of trials.
    pub seed: u64,
    /// After which time a trial is cancelled.
    pub timeout: Option<Duration>,
    /// How long a cancelled trial may take to stop by itself.
    pub grace: Duration,
    /// How often a contaminated trial is repeated at most.
    pub repeats: u32,
    /// Whom to ask where no answer is stored.
    pub oracle: Option<OracleEngine>,
    /// What goes wrong on purpose in each trial; trial `t` draws what is left open from `seed + t`.
    pub faults: Vec<Fault>,
    /// Whether the first answer of each case is kept as Parquet, right or wrong.
    pub keep_results: bool,
}

/// A plan that cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// There is nothing to do.
    #[error("nothing to run: no {0} selected; see `bench list {0}`")]
    Empty(&'static str),
    /// A measurement that would measure nothing.
    #[error("--trials must be at least 1")]
    NoTrials,
    /// An engine without anything to run on.
    #[error("engine `{0}` has 0 slots; give --slots at least 1")]
    NoSlots(String),
    /// A workload whose data is not there.
    #[error("workload `{workload}` reads dataset `{dataset}`, which is not loaded; make it with `bench data make`")]
    NoDataset {
        /// Which workload.
        workload: String,
        /// Which dataset.
        dataset: String,
    },
    /// Two cases could not be told apart.
    #[error("case {0} is planned twice; give workloads different names, or engines different settings")]
    Duplicate(CaseKey),
    /// Data of no size.
    #[error("the data of suite `{0}` cannot be 0 times as large as it is")]
    NoScale(String),
}

/// One engine in one arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Participant {
    /// Index into the plan's engines.
    pub(super) engine: usize,
    pub(super) arm: Arm,
}

impl Plan {
    /// Whether the plan can be carried out.
    ///
    /// # Errors
    /// The first reason why not.
    pub fn validate(&self) -> Result<(), PlanError> {
        if self.workloads.is_empty() {
            return Err(PlanError::Empty("workloads"));
        }
        if self.engines.is_empty() {
            return Err(PlanError::Empty("engines"));
        }
        if self.trials == 0 {
            return Err(PlanError::NoTrials);
        }
        if self.scale == 0 {
            return Err(PlanError::NoScale(self.suite.clone()));
        }
        if let Some(engine) = self.engines.iter().find(|e| e.slots == 0) {
            return Err(PlanError::NoSlots(engine.name.clone()));
        }
        for workload in &self.workloads {
            if let Some(dataset) = workload.dataset.as_ref().filter(|d| self.dataset(d).is_none()) {
                return Err(PlanError::NoDataset { workload: workload.name.clone(), dataset: dataset.clone() });
            }
        }
        let mut keys = BTreeSet::new();
        match self.cases().into_iter().map(|case| case.key()).find(|key| !keys.insert(key.clone())) {
            Some(key) => Err(PlanError::Duplicate(key)),
            None => Ok(()),
        }
    }

    /// Every case, workload by workload, engines in their order.
    #[must_use]
    pub fn cases(&self) -> Vec<Case> {
        self.workloads.iter().flat_map(|w| self.engines.iter().map(move |e| self.case(w, e))).collect()
    }

    /// How many trials there are without repetitions: `cases x trials`, twins included.
    #[must_use]
    pub fn trials_total(&self) -> u64 {
        let all = self.participants();
        let of = |w: &Workload| all.iter().filter(|p| self.takes_part(**p, w)).count() as u64;
        self.workloads.iter().map(of).sum::<u64>() * u64::from(self.trials)
    }

    /// The cluster with the most nodes that an engine runs on.
    #[must_use]
    pub fn largest_cluster(&self) -> ClusterSpec {
        let largest = self.engines.iter().map(|e| &e.cluster).max_by_key(|c| c.nodes());
        largest.cloned().unwrap_or_default()
    }

    /// What goes wrong on purpose in the trial of that number.
    pub(super) fn faults_of(&self, number: u32) -> Option<FaultPlan> {
        let plan = FaultPlan { faults: self.faults.clone(), seed: self.seed.wrapping_add(u64::from(number)) };
        (!plan.faults.is_empty()).then_some(plan)
    }

    pub(super) fn case(&self, workload: &Workload, engine: &EngineSpec) -> Case {
        Case {
            suite: self.suite.clone(),
            family: workload.family,
            workload: workload.name.clone(),
            engine: engine.name.clone(),
            variant: engine.variant.clone(),
            cluster: engine.cluster.name().to_owned(),
            nodes: engine.cluster.nodes(),
            slots: engine.slots,
            protocol: self.protocol,
            scale: self.scale,
        }
    }

    pub(super) fn participants(&self) -> Vec<Participant> {
        let has_twin = |engine: usize| match &self.twins {
            Twins::First => engine == 0,
            Twins::All => true,
            Twins::ByFamily(of) => of.values().any(|twin| *twin == engine),
            Twins::None => false,
        };
        (0..self.engines.len())
            .flat_map(|engine| {
                let twin = has_twin(engine).then_some(Participant { engine, arm: Arm::Twin });
                [Some(Participant { engine, arm: Arm::Main }), twin]
            })
            .flatten()
            .collect()
    }

    /// Whether somebody is asked a workload: twins only those of the families that they are for.
    pub(super) fn takes_part(&self, participant: Participant, workload: &Workload) -> bool {
        match (&self.twins, participant.arm) {
            (Twins::ByFamily(of), Arm::Twin) => of.get(&workload.family) == Some(&participant.engine),
            _ => true,
        }
    }

    pub(super) fn dataset(&self, name: &str) -> Option<&Arc<Dataset>> {
        self.datasets.iter().find(|d| d.name == name)
    }
}

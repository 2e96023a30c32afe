//! What a run tells whoever shows it: typed, so that progress bars, logs and tests read the same.

use bench_record::{Arm, Case, Observation};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum RunEvent<'a> {
    /// The plan is valid; nothing has run yet.
    Planned {
        /// Cases, twins not counted.
        cases: u64,
        /// Trials without repetitions.
        trials_total: u64,
        /// Of these, how many an earlier run has finished.
        trials_done: u64,
    },
    /// The oracle is asked for a workload's answer.
    AskingOracle {
        /// Which workload.
        workload: &'a str,
        /// Which engine.
        engine: &'a str,
    },
    /// An untimed run begins.
    WarmingUp {
        /// Which case.
        case: &'a Case,
        /// Which arm.
        arm: Arm,
    },
    /// A completed case runs once more, untimed, to keep what its tasks do.
    Tracing {
        /// Which case.
        case: &'a Case,
    },
    /// A trial begins.
    TrialStarted {
        /// Which case.
        case: &'a Case,
        /// Which arm.
        arm: Arm,
        /// Which trial.
        trial: u32,
    },
    /// A trial is recorded.
    TrialEnded {
        /// What was recorded.
        observation: &'a Observation,
        /// Planned trials done so far, those given up included.
        trials_done: u64,
    },
    /// A case is not measured further in this arm: it has failed.
    GivenUp {
        /// Which case.
        case: &'a Case,
        /// Which arm.
        arm: Arm,
        /// How many planned trials are left out.
        skipped: u32,
    },
    /// Something a reader of the results should know, with the next step.
    Warning(String),
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunSummary {
    /// Trials recorded by this call.
    pub recorded: u64,
    /// Of these, completed ones.
    pub completed: u64,
    /// Of these, wrong answers: exit code 2.
    pub wrong_answers: u64,
    /// Of these, failed, timed out or unsupported ones.
    pub failed: u64,
    /// Of these, contaminated ones.
    pub contaminated: u64,
    /// The user wanted out: exit code 130. Everything recorded is whole, and the rest can be resumed.
    pub interrupted: bool,
}

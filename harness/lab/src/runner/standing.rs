//! What is recorded of each case and arm, and what that leaves to do. Built from the journal alone, so that a resumed run
//! decides as the interrupted one would have.

use super::plan::Plan;
use crate::live::Failure;
use bench_record::{Arm, CaseKey, Observation, Outcome};
use std::collections::BTreeMap;

/// A case that failed this often in an arm is not tried again there: it has failed, whatever else it does. Where faults are
/// planned, every trial is another try: how many of them survive is what is asked.
const STRIKES: u32 = 2;

/// The standings of a whole run.
#[derive(Debug, Default)]
pub(super) struct Standings {
    of: BTreeMap<(CaseKey, Arm), Standing>,
    /// Whether something goes wrong on purpose in each trial.
    hurt: bool,
}

/// One case in one arm.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// Attempts by the planned trial that they are, or repeat.
    attempts: BTreeMap<u32, Attempts>,
    next_free: u32,
    strikes: u32,
    over: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Attempts {
    count: u32,
    clean: bool,
}

impl Standings {
    /// `hurt`: whether faults are planned for each trial.
    pub(super) fn of<'a>(observations: impl IntoIterator<Item = &'a Observation>, hurt: bool) -> Self {
        let mut all = Self { hurt, ..Self::default() };
        for observation in observations {
            all.note(observation);
        }
        all
    }

    pub(super) fn note(&mut self, observation: &Observation) {
        self.of.entry((observation.key.clone(), observation.arm)).or_default().note(observation, self.hurt);
    }

    pub(super) fn get(&self, key: &CaseKey, arm: Arm) -> Standing {
        self.of.get(&(key.clone(), arm)).cloned().unwrap_or_default()
    }
}

impl Standing {
    fn note(&mut self, observation: &Observation, hurt: bool) {
        let attempts = self.attempts.entry(observation.repeat.unwrap_or(observation.trial)).or_default();
        attempts.count += 1;
        // Only a time can be spoilt by others: a failure stands however busy the machine was.
        attempts.clean |= !observation.contaminated || observation.outcome != Outcome::Completed;
        self.next_free = self.next_free.max(observation.trial.saturating_add(1));
        if observation.outcome != Outcome::Completed {
            self.strikes += 1;
            let reason = observation.reason.as_deref().unwrap_or_default();
            let is_final = Failure::is_final(observation.outcome, reason);
            self.over |= match hurt {
                // A fault may be why it took too long.
                true => is_final && observation.outcome != Outcome::TimedOut,
                false => is_final || self.strikes >= STRIKES,
            };
        }
    }

    /// Whether no further trial can change the case's fate.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Whether a planned trial needs no further attempt.
    pub(super) fn is_done(&self, trial: u32, plan: &Plan) -> bool {
        self.over || self.attempts.get(&trial).is_some_and(|a| a.clean || a.count > plan.repeats)
    }

    /// Whether every planned trial is done.
    pub(super) fn is_finished(&self, plan: &Plan) -> bool {
        (0..plan.trials).all(|trial| self.is_done(trial, plan))
    }

    /// How many planned trials are done.
    pub(super) fn done(&self, plan: &Plan) -> u32 {
        (0..plan.trials).filter(|trial| self.is_done(*trial, plan)).count().try_into().unwrap_or(u32::MAX)
    }

    /// The number of the next attempt at a planned trial, and which trial it repeats. Repetitions are numbered behind
    /// all planned trials.
    pub(super) fn next_attempt(&self, trial: u32, plan: &Plan) -> (u32, Option<u32>) {
        if self.attempts.contains_key(&trial) { (self.next_free.max(plan.trials), Some(trial)) } else { (trial, None) }
    }
}

//! A run as it is shown while it goes on: a bar on a terminal, warnings anywhere, each step for who asked (`-vv`), nothing else.

use crate::progress::{bar, tell};
use bench_lab::runner::RunEvent;
use bench_record::Outcome;
use indicatif::ProgressBar;

/// Shows what the runner tells.
pub(super) struct Console {
    bar: ProgressBar,
}

impl Console {
    pub(super) fn new() -> Self {
        Self { bar: bar("{bar:24} {pos}/{len} trials, {elapsed} so far, {eta} left  {wide_msg}") }
    }

    pub(super) fn show(&mut self, event: &RunEvent<'_>) {
        match event {
            RunEvent::Planned { cases, trials_total, trials_done } => {
                self.say(&format!("{cases} cases, {trials_total} trials, {trials_done} of them done already"));
                self.bar.set_length(*trials_total);
                self.bar.set_position(*trials_done);
                self.bar.reset_eta();
            }
            RunEvent::AskingOracle { workload, engine } => self.bar.set_message(format!("{workload}: asking {engine}")),
            RunEvent::WarmingUp { case, arm } => {
                tracing::debug!("{} on {} ({arm}): an untimed run begins", case.workload, case.engine);
                self.bar.set_message(format!("{} on {}: warming up", case.workload, case.engine));
            }
            RunEvent::Tracing { case } => {
                self.bar.set_message(format!("{} on {}: tracing its tasks", case.workload, case.engine));
            }
            RunEvent::TrialStarted { case, arm, trial } => {
                tracing::debug!("{} on {} ({arm}): trial {trial} begins", case.workload, case.engine);
                self.bar.set_message(format!("{} on {} ({arm}), trial {trial}", case.workload, case.engine));
            }
            RunEvent::TrialEnded { observation, trials_done } => {
                self.bar.set_position(*trials_done);
                if observation.outcome != Outcome::Completed {
                    let (case, reason) = (&observation.case, observation.reason.as_deref().unwrap_or_default());
                    self.say(&format!("{} on {}: {}: {reason}", case.workload, case.engine, observation.outcome));
                }
            }
            RunEvent::GivenUp { case, skipped, .. } if *skipped > 0 => {
                self.say(&format!("{} on {}: {skipped} more trials left out", case.workload, case.engine));
            }
            RunEvent::GivenUp { .. } => {}
            RunEvent::Warning(text) => self.say(&format!("warning: {text}")),
        }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn say(&self, line: &str) {
        self.bar.suspend(|| tell(line));
    }
}

//! The driver's regular look around: overdue answers are asked for again, slow tasks get a second copy.

use super::Cx;
use super::job::Job;
use super::settings::Slow;
use super::stage::{Stage, Status};
use crate::message::Msg;
use bench_model::{Action, Addr, JobId, Nanos};
use std::collections::BTreeMap;

/// Asks nodes about attempts they have not answered in time: the launch, the cancellation or the answer may be lost.
pub(crate) fn ask_again(cx: &mut Cx<'_>) {
    let (now, overdue) = (cx.now, cx.settings.overdue);
    for (place, flight) in cx.nodes.flights_mut() {
        if now.saturating_sub(flight.asked) >= overdue {
            flight.asked = now;
            let (ticket, task, attempt) = (place.ticket, flight.task, flight.attempt);
            let msg = if flight.doomed {
                Msg::Cancel { ticket, task, attempt }
            } else {
                Msg::Probe { ticket, task, attempt }
            };
            cx.out.push(Action::Send { to: Addr::Node(place.node), msg });
        }
    }
    cx.nodes.repeat_job_frees(now, overdue, cx.out);
}

/// Marks the attempts that take far longer than their peers, queues copies of them if that is on, and returns how many
/// are new.
pub(crate) fn find_stragglers(cx: &mut Cx<'_>, jobs: &mut BTreeMap<JobId, Job>) -> u32 {
    let (rule, copies) = (cx.settings.slow, cx.settings.speculation);
    let mut found = 0;
    for (_, flight) in cx.nodes.flights_mut().filter(|(_, f)| !f.doomed && !f.straggler) {
        let Some(job) = jobs.get_mut(&flight.job) else { continue };
        let partition = flight.task.partition;
        let stage = job.stage_mut(flight.stage);
        let Some(limit) = stage.straggler_after(rule) else { continue };
        if cx.now.saturating_sub(flight.launched) > limit {
            flight.straggler = true;
            found += 1;
            let task = stage.task(partition);
            if copies && task.status == Status::Running && task.is_running_once() {
                job.slow.insert((flight.stage, partition));
            }
        }
    }
    found
}

impl Stage {
    /// After how long a running task of this stage counts as slow; nothing while too few of its peers are done.
    fn straggler_after(&mut self, rule: Slow) -> Option<Nanos> {
        let done = self.durations.len();
        let needed = ((self.tasks.len() as f64 * rule.quantile) as usize).max(1);
        if done < needed {
            return None;
        }
        let median = match self.median {
            // The median of almost as many durations is good enough, and costs nothing.
            Some((of, median)) if done < of + of / 8 + 1 => median,
            _ => {
                let mut sorted = self.durations.clone();
                let (_, median, _) = sorted.select_nth_unstable(done / 2);
                self.median = Some((done, *median));
                *median
            }
        };
        let limit = Nanos::new((median.get() as f64 * rule.multiplier) as u64);
        Some(limit.max(rule.min))
    }
}

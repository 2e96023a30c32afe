//! Faults on purpose: when they fire, and what came of them.
//!
//! A fault waits for the job's progress, which the driver counts as nodes report finished tasks. The count is kept under
//! the session's lock; hurting a process is not done there, so the lock's holder only rings, and a thread strikes. What
//! follows is read off the same counts: the driver notices when a node goes down, and it has recovered when the last task
//! that ran before has run again.

use bench_model::{Fault, FaultKind, FaultOutcome, FaultPlan, Nanos, NodeId, TaskId, Trigger};
use std::collections::HashSet;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// A fault whose open choices have been made.
#[derive(Clone, Debug)]
struct Aimed {
    fault: Fault,
    node: NodeId,
    /// It fires when so many tasks have ended.
    after: u64,
    rung: bool,
    fired: Option<(Nanos, u64)>,
    void: Option<String>,
}

/// What the lock's holder counts while faults are planned.
pub(crate) struct Watch {
    aimed: Vec<Aimed>,
    bell: SyncSender<usize>,
    done: HashSet<TaskId>,
    /// When tasks ran that had run before, and how long each took.
    repeated: Vec<(Nanos, Nanos)>,
    /// How long all tasks took, on their slots.
    spent: Nanos,
    down: Vec<(NodeId, Nanos)>,
}

impl Watch {
    /// Draws what a plan leaves open, for a job of `tasks` tasks on `nodes` nodes. The receiver hears the numbers of faults
    /// whose time has come.
    pub(crate) fn new(plan: &FaultPlan, tasks: u64, nodes: u32) -> (Self, Receiver<usize>) {
        let mut seed = plan.seed;
        let aim = |fault: &Fault| {
            let percent = match fault.trigger {
                Trigger::Percent(percent) => u64::from(percent),
                Trigger::Random => draw(&mut seed, 90),
            };
            let drawn = NodeId(draw(&mut seed, u64::from(nodes.max(1))) as u32);
            let node = fault.node.unwrap_or(drawn);
            let void = (node.0 >= nodes).then(|| format!("there is no {node}: the cluster has {nodes} nodes"));
            Aimed { fault: *fault, node, after: tasks * percent / 100, rung: false, fired: None, void }
        };
        let aimed: Vec<Aimed> = plan.faults.iter().map(aim).collect();
        // Room for every fault: ringing never waits.
        let (bell, rings) = sync_channel(aimed.len().max(1));
        let mut watch =
            Self { aimed, bell, done: HashSet::new(), repeated: Vec::new(), spent: Nanos::ZERO, down: Vec::new() };
        watch.ring();
        (watch, rings)
    }

    /// A task has run well, in so much of a slot's time.
    pub(crate) fn ran(&mut self, now: Nanos, task: TaskId, took: Nanos) {
        self.spent += took;
        if !self.done.insert(task) {
            self.repeated.push((now, took));
        }
        self.ring();
    }

    /// The driver gave a node up.
    pub(crate) fn lost(&mut self, now: Nanos, node: NodeId) {
        self.down.push((node, now));
    }

    fn ring(&mut self) {
        let done = self.done.len() as u64;
        for (number, aimed) in self.aimed.iter_mut().enumerate() {
            if !aimed.rung && aimed.void.is_none() && done >= aimed.after {
                aimed.rung = true;
                // Nobody hears it once the job is over; then the fault is void.
                let _ = self.bell.try_send(number);
            }
        }
    }

    /// What to do to whom.
    pub(crate) fn target(&self, number: usize) -> Option<(NodeId, FaultKind)> {
        self.aimed.get(number).map(|a| (a.node, a.fault.kind))
    }

    /// A fault was carried out, or could not be.
    pub(crate) fn struck(&mut self, number: usize, now: Nanos, result: Result<(), String>) {
        let done = self.done.len() as u64;
        if let Some(aimed) = self.aimed.get_mut(number) {
            match result {
                Ok(()) => aimed.fired = Some((now, done)),
                Err(reason) => aimed.void = Some(reason),
            }
        }
    }

    /// What came of the faults of a job that was submitted at `start`.
    pub(crate) fn outcomes(&self, start: Nanos) -> Vec<FaultOutcome> {
        self.aimed.iter().map(|aimed| self.outcome(aimed, start)).collect()
    }

    fn outcome(&self, aimed: &Aimed, start: Nanos) -> FaultOutcome {
        let since = |at: Nanos| at.saturating_sub(start);
        let fired = aimed.fired.map(|(at, _)| at);
        let noticed = fired.and_then(|fired| {
            self.down.iter().find(|(node, at)| *node == aimed.node && *at >= fired).map(|(_, at)| *at)
        });
        let repeated: Vec<(Nanos, Nanos)> =
            self.repeated.iter().copied().filter(|(at, _)| fired.is_some_and(|f| *at >= f)).collect();
        let void = aimed
            .void
            .clone()
            .or_else(|| fired.is_none().then(|| format!("the job ended before {} of its tasks had", aimed.after)));
        FaultOutcome {
            fault: aimed.fault.to_string(),
            node: aimed.node,
            fired_ns: fired.map(since),
            tasks_done: aimed.fired.map_or(self.done.len() as u64, |(_, done)| done),
            detected_ns: noticed.map(since),
            recovered_ns: repeated.last().map(|(at, _)| since(*at)),
            tasks_repeated: repeated.len() as u64,
            repeated_ns: Some(repeated.iter().map(|(_, took)| *took).sum()),
            tasks_ns: Some(self.spent),
            void,
        }
    }
}

/// Of a plan that was carried out twice, because the first answer was lost: a fault that fired the first time only is not
/// one that did not fire.
pub(crate) fn either_fired(now: Vec<FaultOutcome>, before: Vec<FaultOutcome>) -> Vec<FaultOutcome> {
    if now.is_empty() {
        return before;
    }
    let mut before = before.into_iter();
    let chosen = now.into_iter().map(|now| {
        let earlier = before.next().filter(|earlier| now.fired_ns.is_none() && earlier.fired_ns.is_some());
        earlier.unwrap_or(now)
    });
    chosen.collect()
}

/// The next number below `below`, at least 1, of a SplitMix64 sequence (Steele, Lea, Flood, OOPSLA 2014).
fn draw(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((u128::from(z ^ (z >> 31)) * u128::from(below.max(1))) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::{FragmentId, JobId};

    fn task(partition: u32) -> TaskId {
        TaskId { job: JobId(0), fragment: FragmentId(0), partition }
    }

    fn plan(faults: &[&str]) -> FaultPlan {
        FaultPlan { faults: faults.iter().map(|f| f.parse().unwrap()).collect(), seed: 7 }
    }

    fn at(ms: u64) -> Nanos {
        Nanos::from_millis(ms)
    }

    #[test]
    fn a_fault_fires_when_its_share_of_tasks_has_ended() {
        let (mut watch, rings) = Watch::new(&plan(&["kill@50%:n2"]), 4, 4);
        watch.ran(at(1), task(0), at(1));
        watch.ran(at(1), task(0), at(1));
        assert!(rings.try_recv().is_err(), "a repeated task is no progress");
        watch.ran(at(2), task(1), at(1));
        assert_eq!(rings.try_recv(), Ok(0));
        assert_eq!(watch.target(0), Some((NodeId(2), FaultKind::Kill)));
    }

    #[test]
    fn the_outcome_tells_detection_recovery_and_repeated_work() {
        let (mut watch, _rings) = Watch::new(&plan(&["kill@0%:n1"]), 4, 4);
        watch.ran(at(5), task(0), at(3));
        watch.struck(0, at(10), Ok(()));
        watch.lost(at(12), NodeId(1));
        watch.ran(at(20), task(0), at(4));
        let outcome = watch.outcomes(at(4)).remove(0);
        assert_eq!((outcome.fired_ns, outcome.detected_ns), (Some(at(6)), Some(at(8))));
        assert_eq!((outcome.recovered_ns, outcome.tasks_repeated, outcome.tasks_done), (Some(at(16)), 1, 1));
        assert_eq!(outcome.void, None);
        assert_eq!(
            (outcome.repeated_ns, outcome.tasks_ns),
            (Some(at(4)), Some(at(7))),
            "wasted task time of all of it"
        );
    }

    #[test]
    fn a_fault_that_never_fires_is_void() {
        let (mut watch, _rings) = Watch::new(&plan(&["kill@90%", "kill@0%:n9", "cut@0%"]), 100, 4);
        watch.struck(2, at(1), Err("no links".into()));
        let void: Vec<bool> = watch.outcomes(at(0)).iter().map(|o| o.void.is_some() && o.fired_ns.is_none()).collect();
        assert_eq!(void, [true, true, true]);
    }

    #[test]
    fn the_same_seed_aims_at_the_same_node_at_the_same_time() {
        let aims = |seed| {
            let (watch, _) = Watch::new(&FaultPlan { seed, ..plan(&["kill@random"]) }, 1000, 4);
            watch.aimed.first().map(|a| (a.node, a.after))
        };
        assert_eq!(aims(3), aims(3));
        assert!((0..20).map(aims).collect::<HashSet<_>>().len() > 10);
    }

    fn said(fault: &str, fired: Option<u64>) -> FaultOutcome {
        FaultOutcome {
            fault: fault.to_owned(),
            node: NodeId(0),
            fired_ns: fired.map(Nanos::new),
            tasks_done: 0,
            detected_ns: None,
            recovered_ns: None,
            tasks_repeated: 0,
            repeated_ns: None,
            tasks_ns: None,
            void: None,
        }
    }

    #[test]
    fn a_fault_that_fired_in_either_of_two_attempts_has_fired() {
        let first = vec![said("kill@10%", Some(7)), said("cut@99%", None), said("rate@5%", Some(1))];
        let second = vec![said("kill@10%", None), said("cut@99%", Some(9)), said("rate@5%", Some(2))];
        let fired = |all: Vec<FaultOutcome>| all.iter().map(|f| f.fired_ns.map(Nanos::get)).collect::<Vec<_>>();
        assert_eq!(fired(either_fired(second.clone(), first.clone())), [Some(7), Some(9), Some(2)]);
        assert_eq!(either_fired(second.clone(), vec![]), second);
        assert_eq!(either_fired(vec![], first.clone()), first);
    }
}

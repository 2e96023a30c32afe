//! Faults on purpose: when they fire, and what came of them.
//!
//! A fault waits for the job's progress, which the driver counts as nodes report finished tasks. The count is kept under
//! the session's lock; hurting a process is not done there, so the lock's holder only rings, and a thread strikes. What
//! follows is read off the same counts: the driver notices when a node goes down, or when the block that was damaged fails
//! its checksum, and it has recovered when the last task that ran before has run again.

use bench_model::{BlockId, Fault, FaultKind, FaultOutcome, FaultPlan, Nanos, NodeId, TaskId, Trigger};
use std::collections::{BTreeSet, HashSet};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// A fault whose open choices have been made.
#[derive(Clone, Debug)]
struct Aimed {
    fault: Fault,
    node: NodeId,
    /// Of all tasks.
    percent: u64,
    /// It fires when so many of them have ended.
    after: u64,
    rung: bool,
    fired: Option<(Nanos, u64)>,
    void: Option<String>,
    /// What it draws from when it fires.
    seed: u64,
    /// The block that it damaged.
    block: Option<BlockId>,
}

/// What to do to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) node: NodeId,
    pub(crate) kind: FaultKind,
    /// What the choice of a block is drawn from.
    pub(crate) seed: u64,
}

/// What whoever strikes waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ring {
    /// The time of the fault of this number has come.
    Fault(usize),
    /// The job is over.
    Over,
}

/// What the lock's holder counts while faults are planned.
pub(crate) struct Watch {
    aimed: Vec<Aimed>,
    bell: SyncSender<Ring>,
    done: HashSet<TaskId>,
    /// When tasks ran that had run before, and how long each took.
    repeated: Vec<(Nanos, Nanos)>,
    /// How long all tasks took, on their slots.
    spent: Nanos,
    down: Vec<(NodeId, Nanos)>,
    /// Which blocks failed their checksum.
    found_damaged: Vec<(BlockId, Nanos)>,
    /// Which nodes have run tasks, and so have had blocks.
    busy: BTreeSet<NodeId>,
}

impl Watch {
    /// Draws what a plan leaves open, for a job of `tasks` tasks on `nodes` nodes. The receiver hears of the faults whose
    /// time has come.
    pub(crate) fn new(plan: &FaultPlan, tasks: u64, nodes: u32) -> (Self, Receiver<Ring>) {
        let mut seed = plan.seed;
        let aim = |(number, fault): (u64, &Fault)| {
            let percent = match fault.trigger {
                Trigger::Percent(percent) => u64::from(percent),
                Trigger::Random => draw(&mut seed, 90),
            };
            let drawn = NodeId(draw(&mut seed, u64::from(nodes.max(1))) as u32);
            let node = fault.node.unwrap_or(drawn);
            let void = (node.0 >= nodes).then(|| format!("there is no {node}: the cluster has {nodes} nodes"));
            let (after, seed) = (tasks * percent / 100, plan.seed.wrapping_add(number));
            Aimed { fault: *fault, node, percent, after, rung: false, fired: None, void, seed, block: None }
        };
        let aimed: Vec<Aimed> = (0..).zip(&plan.faults).map(aim).collect();
        // Room for every fault and the end: ringing never waits.
        let (bell, rings) = sync_channel(aimed.len() + 1);
        let (done, spent, repeated, down, found_damaged) =
            (HashSet::new(), Nanos::ZERO, Vec::new(), Vec::new(), Vec::new());
        let busy = BTreeSet::new();
        let mut watch = Self { aimed, bell, done, repeated, spent, down, found_damaged, busy };
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

    /// Tasks have run on this node.
    pub(crate) fn ran_on(&mut self, node: NodeId) {
        self.busy.insert(node);
    }

    /// The rest of the job was replanned: so many tasks there are now.
    pub(crate) fn replanned(&mut self, tasks: u64) {
        self.aimed.iter_mut().filter(|a| !a.rung).for_each(|a| a.after = tasks * a.percent / 100);
        self.ring();
    }

    /// The driver gave a node up.
    pub(crate) fn lost(&mut self, now: Nanos, node: NodeId) {
        self.down.push((node, now));
    }

    /// The driver heard of a block that failed its checksum.
    pub(crate) fn found_damaged(&mut self, now: Nanos, block: BlockId) {
        self.found_damaged.push((block, now));
    }

    /// The job is over.
    pub(crate) fn over(&self) {
        // Nobody listens where nothing was to go wrong.
        let _ = self.bell.try_send(Ring::Over);
    }

    fn ring(&mut self) {
        let done = self.done.len() as u64;
        for (number, aimed) in self.aimed.iter_mut().enumerate() {
            if !aimed.rung && aimed.void.is_none() && done >= aimed.after {
                // A block is damaged where there are any.
                if aimed.fault.kind == FaultKind::CorruptBlock && aimed.fault.node.is_none() {
                    if self.busy.is_empty() {
                        continue;
                    }
                    let drawn = draw(&mut aimed.seed, self.busy.len() as u64) as usize;
                    let Some(node) = self.busy.iter().nth(drawn) else { continue };
                    aimed.node = *node;
                }
                aimed.rung = true;
                // Nobody hears it once the job is over; then the fault is void.
                let _ = self.bell.try_send(Ring::Fault(number));
            }
        }
    }

    /// What to do to whom.
    pub(crate) fn target(&self, number: usize) -> Option<Target> {
        self.aimed.get(number).map(|a| Target { node: a.node, kind: a.fault.kind, seed: a.seed })
    }

    /// A node has damaged a block, or could not.
    pub(crate) fn damaged(&mut self, number: usize, now: Nanos, result: Result<BlockId, String>) {
        if let (Some(aimed), Ok(block)) = (self.aimed.get_mut(number), &result) {
            aimed.block = Some(*block);
        }
        self.struck(number, now, result.map(drop));
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
        let noticed = fired.and_then(|fired| match aimed.block {
            // A reader may find the damage before the node's own word of it arrives.
            Some(block) => self.found_damaged.iter().find(|(b, _)| *b == block).map(|(_, at)| fired.max(*at)),
            None => self.down.iter().find(|(node, at)| *node == aimed.node && *at >= fired).map(|(_, at)| *at),
        });
        let repeated: Vec<(Nanos, Nanos)> =
            self.repeated.iter().copied().filter(|(at, _)| fired.is_some_and(|f| *at >= f)).collect();
        let void = aimed.void.clone().or_else(|| fired.is_none().then(|| aimed.missed()));
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

impl Aimed {
    /// Why it did not fire.
    fn missed(&self) -> String {
        if !self.rung {
            return format!("the job ended before {} of its tasks had", self.after);
        }
        match self.fault.kind {
            FaultKind::CorruptBlock => format!("{} made no block between its time and the job's end", self.node),
            _ => "the job ended just before it could be done".to_owned(),
        }
    }
}

/// What came of faults whose run lost its answer after all its work and did all of it again until `now`, from the first
/// submit. What that repeated is not counted task by task, so what was wasted is unknown.
pub(crate) fn made_good(lost: Vec<FaultOutcome>, now: Nanos) -> impl Iterator<Item = FaultOutcome> {
    lost.into_iter().map(move |fault| match fault.fired_ns {
        Some(_) => FaultOutcome { recovered_ns: Some(now), repeated_ns: None, tasks_ns: None, ..fault },
        None => fault,
    })
}

/// The next number below `below`, at least 1, of a SplitMix64 sequence (Steele, Lea, Flood, OOPSLA 2014).
pub(crate) fn draw(seed: &mut u64, below: u64) -> u64 {
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
        assert_eq!(rings.try_recv(), Ok(Ring::Fault(0)));
        assert_eq!(watch.target(0).map(|t| (t.node, t.kind)), Some((NodeId(2), FaultKind::Kill)));
        watch.over();
        assert_eq!(rings.try_recv(), Ok(Ring::Over));
    }

    #[test]
    fn a_job_that_shrinks_is_hurt_at_the_same_share_of_it() {
        let (mut watch, rings) = Watch::new(&plan(&["kill@50%"]), 100, 4);
        watch.ran(at(1), task(0), at(1));
        watch.replanned(4);
        assert!(rings.try_recv().is_err());
        watch.ran(at(2), task(1), at(1));
        assert_eq!(rings.try_recv(), Ok(Ring::Fault(0)));
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
    fn a_damaged_block_is_detected_when_its_own_checksum_fails() {
        let block = |output| BlockId { task: task(0), output };
        let (mut watch, _rings) = Watch::new(&plan(&["corrupt-block@0%:n1"]), 4, 4);
        watch.found_damaged(at(5), block(1));
        watch.damaged(0, at(6), Ok(block(0)));
        watch.lost(at(7), NodeId(1));
        assert_eq!(watch.outcomes(at(0)).remove(0).detected_ns, None, "another block, and a node that went down");
        watch.found_damaged(at(8), block(0));
        let outcome = watch.outcomes(at(0)).remove(0);
        assert_eq!((outcome.fired_ns, outcome.detected_ns), (Some(at(6)), Some(at(8))));
    }

    #[test]
    fn a_block_is_damaged_on_a_node_that_has_run_tasks() {
        for seed in 0..20 {
            let damage = FaultPlan { seed, ..plan(&["corrupt-block@0%"]) };
            let (mut watch, rings) = Watch::new(&damage, 4, 9);
            assert!(rings.try_recv().is_err(), "nobody has a block yet");
            watch.ran_on(NodeId(3));
            watch.ran_on(NodeId(8));
            watch.ran(at(1), task(0), at(1));
            assert_eq!(rings.try_recv(), Ok(Ring::Fault(0)));
            assert!(watch.target(0).is_some_and(|t| [NodeId(3), NodeId(8)].contains(&t.node)));
        }
    }

    #[test]
    fn damage_without_a_block_is_void_and_says_so() {
        let (watch, _rings) = Watch::new(&plan(&["corrupt-block@0%:n1"]), 4, 4);
        assert!(watch.outcomes(at(0)).remove(0).void.is_some_and(|v| v.starts_with("n1 made no block")));
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
    fn a_run_that_was_done_all_over_has_recovered_at_its_end_and_its_waste_is_unknown() {
        let told =
            [said("kill@10%", Some(7)), said("cut@99%", None)].map(|f| FaultOutcome { repeated_ns: Some(at(1)), ..f });
        let again: Vec<FaultOutcome> = made_good(told.to_vec(), at(90)).collect();
        assert_eq!((again[0].fired_ns, again[0].recovered_ns), (Some(Nanos::new(7)), Some(at(90))));
        assert_eq!((again[0].repeated_ns, &again[1]), (None, &told[1]));
    }
}

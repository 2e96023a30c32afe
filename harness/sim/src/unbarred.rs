//! The tasks of a recorded job as soon as they could have run: what waiting for anything else costs at most.

use crate::replay::Costs;
use bench_model::{JobId, JobTrace, Nanos, NodeId, TaskId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// How long the tasks of a trace take on its nodes and slots when each starts as soon as all that it reads is there and a
/// slot of its node is free; of those that could, the one that most is left to do after.
pub(crate) fn unbarred(trace: &JobTrace, costs: &Costs) -> Nanos {
    let job = trace.tasks.first().map_or(JobId(0), |t| t.task.job);
    // The last attempt of a task is the one whose blocks counted.
    let last: BTreeMap<TaskId, NodeId> = trace.tasks.iter().map(|t| (t.task, t.node)).collect();
    let mut missing: BTreeMap<TaskId, usize> = BTreeMap::new();
    let mut readers: BTreeMap<TaskId, Vec<TaskId>> = BTreeMap::new();
    for fragment in &trace.graph.fragments {
        for partition in 0..fragment.tasks {
            let task = TaskId { job, fragment: fragment.id, partition };
            if !last.contains_key(&task) {
                continue;
            }
            let mut reads: Vec<TaskId> = Vec::new();
            for input in &fragment.inputs {
                let Some(producer) = trace.graph.fragment(input.from) else { continue };
                reads.extend(fragment.reads(job, input, producer, partition).map(|b| b.task));
            }
            reads.sort_unstable();
            reads.dedup();
            reads.retain(|task| last.contains_key(task));
            missing.insert(task, reads.len());
            reads.into_iter().for_each(|read| readers.entry(read).or_default().push(task));
        }
    }
    // Producers come before their readers in the graph, so readers are known when it is walked backwards.
    let mut left: BTreeMap<TaskId, u64> = BTreeMap::new();
    for task in order(trace, job).into_iter().rev().filter(|task| last.contains_key(task)) {
        let after = readers.get(&task).into_iter().flatten().filter_map(|reader| left.get(reader)).max();
        left.insert(task, costs.slot_ns(task) + after.copied().unwrap_or_default());
    }
    let (free, running) = (BTreeMap::new(), BinaryHeap::new());
    let mut play = Play { nodes: &last, left: &left, ready: BTreeMap::new(), free, running };
    for (task, _) in missing.iter().filter(|(_, count)| **count == 0) {
        play.ready(*task);
    }
    for node in last.values() {
        play.free.insert(*node, trace.slots.max(1));
    }
    let mut now = 0;
    play.start_all(now, costs);
    while let Some(Reverse((ended, task, node))) = play.running.pop() {
        now = ended;
        *play.free.entry(node).or_default() += 1;
        for reader in readers.get(&task).into_iter().flatten() {
            if let Some(count) = missing.get_mut(reader) {
                *count -= 1;
                if *count == 0 {
                    play.ready(*reader);
                }
            }
        }
        play.start_all(now, costs);
    }
    Nanos::new(now)
}

/// Every task of a trace's graph, producers first.
fn order(trace: &JobTrace, job: JobId) -> Vec<TaskId> {
    let of = |f: &bench_model::Fragment| {
        let fragment = f.id;
        (0..f.tasks).map(move |partition| TaskId { job, fragment, partition })
    };
    trace.graph.fragments.iter().flat_map(of).collect()
}

struct Play<'t> {
    nodes: &'t BTreeMap<TaskId, NodeId>,
    /// How long the longest chain of tasks is that begins with this one.
    left: &'t BTreeMap<TaskId, u64>,
    ready: BTreeMap<NodeId, BinaryHeap<(u64, Reverse<TaskId>)>>,
    free: BTreeMap<NodeId, u32>,
    running: BinaryHeap<Reverse<(u64, TaskId, NodeId)>>,
}

impl Play<'_> {
    fn ready(&mut self, task: TaskId) {
        if let Some(node) = self.nodes.get(&task) {
            let left = self.left.get(&task).copied().unwrap_or_default();
            self.ready.entry(*node).or_default().push((left, Reverse(task)));
        }
    }

    fn start_all(&mut self, now: u64, costs: &Costs) {
        for (node, ready) in &mut self.ready {
            let free = self.free.entry(*node).or_default();
            while *free > 0 {
                let Some((_, Reverse(task))) = ready.pop() else { break };
                *free -= 1;
                self.running.push(Reverse((now + costs.slot_ns(task), task, *node)));
            }
        }
    }
}

//! Lost blocks and lost nodes: exactly the tasks whose blocks are needed run again.

use super::job::Job;
use super::nodes::Flight;
use super::stage::{StageIx, Status};
use super::{Cx, Place};
use bench_model::{BlockId, JobError, NodeId, Note};

impl Job {
    /// A reader found a block missing or corrupt: the task that made it runs again.
    ///
    /// The first loss repeats that one task. When the fragment loses blocks again, all it has on that node is suspect.
    pub(crate) fn block_lost(&mut self, cx: &mut Cx<'_>, flight: &Flight, block: BlockId) {
        let Some(ix) = self.index.get(&block.task.fragment).copied() else { return };
        let (max, partition) = (cx.settings.max_stage_attempts, block.task.partition);
        let stage = self.stage_mut(ix);
        let Some(task) = stage.tasks.get(partition as usize) else { return };
        // If it was committed after the reader started, the reader missed an older attempt: nothing new is lost.
        if task.status != Status::Done || task.committed > flight.clock {
            return;
        }
        let node = task.node;
        if stage.is_complete() {
            stage.losses += 1;
        }
        let (losses, fragment) = (stage.losses, stage.fragment);
        if losses >= max {
            self.end(cx, Err(JobError::Unstable { fragment, times: losses }));
        } else if losses > 1 {
            self.repeat_on_node(cx, ix, node, flight.clock);
        } else {
            self.repeat(ix, partition);
            cx.note(self.id, Note::Retried(block.task, "its block was lost".to_owned()));
        }
    }

    /// A node is gone: what ran there runs elsewhere, and what it held and is still needed is made again.
    pub(crate) fn node_lost(&mut self, cx: &mut Cx<'_>, node: NodeId, flights: &[(Place, Flight)]) {
        let id = self.id;
        for (place, flight) in flights.iter().filter(|(_, f)| f.job == id && !f.doomed) {
            self.stage_mut(flight.stage).task_mut(flight.task.partition).remove_copy(*place);
            self.try_again(cx, flight, format!("{node} is gone"));
        }
        let live: Vec<StageIx> = self.live.iter().copied().collect();
        for ix in live {
            self.repeat_on_node(cx, ix, node, u64::MAX);
        }
    }

    /// Repeats every task of a stage whose blocks are on `node` since before `clock`.
    fn repeat_on_node(&mut self, cx: &mut Cx<'_>, ix: StageIx, node: NodeId, clock: u64) {
        for partition in 0..self.stage(ix).tasks.len() as u32 {
            let task = self.stage(ix).task(partition);
            if task.status == Status::Done && task.node == node && task.committed < clock {
                self.repeat(ix, partition);
                let task = self.task_id(ix, partition);
                cx.note(self.id, Note::Retried(task, format!("its blocks on {node} are lost")));
            }
        }
    }

    /// Puts a done task back, and with it every task it reads from whose blocks were dropped.
    pub(crate) fn repeat(&mut self, ix: StageIx, partition: u32) {
        let mut lost = vec![(ix, partition)];
        while let Some((ix, partition)) = lost.pop() {
            let stage = self.stage_mut(ix);
            if matches!(stage.task(partition).status, Status::Queued | Status::Running) {
                continue;
            }
            let was_complete = stage.is_complete();
            stage.requeue(partition);
            stage.open += 1;
            if was_complete {
                self.reopened(ix);
            }
            self.list(ix);
            lost.extend(self.dropped_inputs(ix, partition));
        }
    }

    /// The tasks that a task reads from and whose blocks were dropped.
    fn dropped_inputs(&self, ix: StageIx, partition: u32) -> Vec<(StageIx, u32)> {
        let Some(reader) = self.fragment(ix) else { return Vec::new() };
        let mut dropped = Vec::new();
        for (input, from) in reader.inputs.iter().zip(&self.stage(ix).producers) {
            let Some(producer) = self.fragment(*from) else { continue };
            for block in reader.reads(self.id, input, producer, partition) {
                let source = block.task.partition;
                let is_dropped = self.stage(*from).task(source).status == Status::Dropped;
                if is_dropped && dropped.last() != Some(&(*from, source)) {
                    dropped.push((*from, source));
                }
            }
        }
        dropped
    }
}

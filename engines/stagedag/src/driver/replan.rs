//! Adaptive planning: when a stage has finished, the planner may change what has not started.
//!
//! Only partitioned exchanges can be cut anew, and only an awaited size can change a plan. A stage whose readers read
//! whole blocks in fixed places ends without a question to the planner, which keeps graphs of tiny stages fast.

use super::Cx;
use super::job::Job;
use super::stage::StageIx;
use bench_model::{Action, FragmentId, Graph, JobError, Note, Read, StageStats};
use std::sync::Arc;

impl Job {
    /// Asks the planner about the rest of the job, if what just finished can change it.
    pub(crate) fn consider_replanning(&mut self, cx: &mut Cx<'_>, ix: StageIx) {
        if self.adaptive && self.may_change_plan(ix) {
            self.replans.push_back(ix);
            self.ask_planner(cx);
        }
    }

    /// Whether a stage that has not started reads its partitions, or waits for its size.
    fn may_change_plan(&self, ix: StageIx) -> bool {
        let fragment = self.stage(ix).fragment;
        let recut = |consumer: &StageIx| {
            !self.stage(*consumer).started
                && self.fragment(*consumer).is_some_and(|f| {
                    let partitioned = |read: &Read| matches!(read, Read::Aligned | Read::Slices(_));
                    f.inputs.iter().any(|i| i.from == fragment && partitioned(&i.read))
                })
        };
        let stage = self.stage(ix);
        stage.waiters.iter().any(|w| !self.stage(*w).started) || stage.consumers.iter().any(recut)
    }

    /// One question at a time: the planner's answer must fit what has started when it arrives.
    fn ask_planner(&mut self, cx: &mut Cx<'_>) {
        while !self.planning
            && let Some(ix) = self.replans.pop_front()
        {
            if !self.may_change_plan(ix) {
                continue;
            }
            self.planning = true;
            let stage = self.stage(ix);
            let blocks = stage.tasks.iter().map(|t| t.blocks.clone()).collect();
            let stats = StageStats { fragment: stage.fragment, blocks };
            let fixed = |f: &bench_model::Fragment| self.stage(self.index[&f.id]).started.then_some(f.id);
            let fixed: Vec<FragmentId> = self.graph.fragments.iter().filter_map(fixed).collect();
            cx.out.push(Action::Replan { job: self.id, stats, fixed });
        }
    }

    /// The planner has answered: unstarted stages change, and starting stages is allowed again.
    pub(crate) fn planned(&mut self, cx: &mut Cx<'_>, graph: Option<Arc<Graph>>, notes: Vec<String>) {
        if !std::mem::replace(&mut self.planning, false) {
            return;
        }
        for sentence in notes {
            cx.note(self.id, Note::Replanned(sentence));
        }
        if let Some(graph) = graph {
            if let Err(why) = self.adopt(graph) {
                self.end(cx, Err(JobError::InvalidGraph(why)));
                return;
            }
            self.drop_unread(cx);
            if self.stage(self.result).is_complete() {
                let blocks = self.stage(self.result).all_blocks(self.id);
                self.end(cx, Ok(blocks));
                return;
            }
        }
        self.ask_planner(cx);
    }

    /// Drops the blocks of stages that lost their last reader to replanning.
    fn drop_unread(&mut self, cx: &mut Cx<'_>) {
        let live: Vec<StageIx> = self.live.iter().copied().collect();
        for ix in live {
            self.drop_if_unread(cx, ix);
        }
    }
}

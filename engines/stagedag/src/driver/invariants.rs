//! What must hold after each step. Costs time in proportion to what is live, so the simulator asks after every event.

use super::Driver;
use super::job::Job;
use super::nodes::Nodes;
use super::stage::{Stage, StageIx, Status};
use bench_model::Violation;

impl Driver {
    pub(crate) fn check(&self) -> Result<(), Violation> {
        self.nodes.check().map_err(Violation)?;
        let mut stragglers = 0;
        for (id, job) in &self.jobs {
            let flights = self.nodes.iter().flat_map(|(_, n)| &n.lanes).filter_map(|l| l.flight.as_ref());
            let mine: Vec<_> = flights.filter(|f| f.job == *id).collect();
            let count = mine.len();
            stragglers += mine.iter().filter(|f| f.straggler).count();
            if count != job.flights as usize {
                return Err(Violation(format!("{id} counts {} attempts on their way, {count} are", job.flights)));
            }
            if !job.ended() {
                job.check(&self.nodes).map_err(|e| Violation(format!("{id}: {e}")))?;
            }
        }
        if stragglers != self.stragglers as usize {
            return Err(Violation(format!("{} stragglers counted, {stragglers} are", self.stragglers)));
        }
        if self.nodes.any_outstanding() && !self.ticking {
            return Err(Violation("commands are outstanding and no tick is due".to_owned()));
        }
        Ok(())
    }
}

impl Job {
    fn check(&self, nodes: &Nodes) -> Result<(), String> {
        for ix in &self.live {
            let stage = self.stage(*ix);
            self.check_stage(*ix, stage, nodes).map_err(|e| format!("{}: {e}", stage.fragment))?;
        }
        for (fragment, ix) in &self.startable {
            let stage = self.stage(*ix);
            if stage.started || stage.blocked > 0 {
                return Err(format!("{fragment} is offered to start, but has started or is blocked"));
            }
        }
        let idle = self.flights == 0 && !self.planning && nodes.any_free();
        if idle {
            return Err("nothing runs, nothing is planned, and slots are free".to_owned());
        }
        Ok(())
    }

    fn check_stage(&self, ix: StageIx, stage: &Stage, nodes: &Nodes) -> Result<(), String> {
        let count = |status| stage.tasks.iter().filter(|t| t.status == status).count();
        let (queued, running) = (count(Status::Queued), count(Status::Running));
        if queued + running != stage.open as usize || queued != stage.queued() {
            return Err(format!("{queued} tasks wait and {running} run, {} are counted open", stage.open));
        }
        let incomplete = |of: &[StageIx]| of.iter().filter(|s| !self.stage(**s).is_complete()).count();
        if incomplete(&stage.producers) != stage.blocked as usize {
            return Err(format!("counts {} incomplete inputs wrongly", stage.blocked));
        }
        if incomplete(&stage.consumers) != stage.readers as usize {
            return Err(format!("counts {} incomplete readers wrongly", stage.readers));
        }
        let should_run = stage.blocked == 0 && stage.has_queued();
        if should_run != self.runnable.contains(&(stage.fragment, ix)) {
            return Err(format!("is listed wrongly: {queued} tasks wait, {} inputs are incomplete", stage.blocked));
        }
        for (partition, task) in stage.tasks.iter().enumerate() {
            let copies = task.copies.iter().flatten();
            let alive = copies.clone().filter(|c| nodes.flight(**c).is_some_and(|f| !f.doomed)).count();
            if alive != copies.count() || (task.status == Status::Running) != (alive > 0) {
                return Err(format!("task {partition} is {:?} with {alive} attempts on their way", task.status));
            }
            if task.status == Status::Done && !nodes.is_up(task.node) {
                return Err(format!("task {partition} counts on blocks of {}, which is gone", task.node));
            }
        }
        Ok(())
    }
}

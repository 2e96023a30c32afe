//! Who reads whom: built when a job is submitted, and again when replanning has changed its graph.

use super::job::Job;
use super::stage::{Stage, StageIx, Status};
use bench_model::{FragmentId, Graph};
use std::sync::Arc;

impl Job {
    /// Takes over a changed graph.
    ///
    /// # Errors
    /// The graph is not consistent, or a fragment that has started is missing or has another shape.
    pub(crate) fn adopt(&mut self, graph: Arc<Graph>) -> Result<(), String> {
        graph.validate().map_err(|e| e.to_string())?;
        let started = self.stages.iter().filter(|s| s.started && s.position.is_some()).count();
        let kept = |f: &&bench_model::Fragment| {
            let old = self.index.get(&f.id).map(|ix| self.stage(*ix));
            old.is_some_and(|s| s.started)
        };
        let mut found = 0;
        for fragment in graph.fragments.iter().filter(kept) {
            let old = self.index.get(&fragment.id).and_then(|ix| self.fragment(*ix));
            let same = old.is_some_and(|o| {
                (o.tasks, o.outputs, o.exchange, &o.inputs)
                    == (fragment.tasks, fragment.outputs, fragment.exchange, &fragment.inputs)
            });
            if !same {
                return Err(format!("replanning changed fragment {}, which had started", fragment.id));
            }
            found += 1;
        }
        if found != started {
            return Err("replanning removed a fragment that had started".to_owned());
        }
        self.graph = graph;
        self.relate();
        Ok(())
    }

    /// Rebuilds every relation between stages from the graph. Takes time in proportion to the whole graph.
    pub(crate) fn relate(&mut self) {
        self.place_stages();
        self.connect();
        self.startable.clear();
        self.patient.clear();
        self.runnable.clear();
        self.unstarted = 0;
        for position in 0..self.graph.fragments.len() {
            let ix = self.index[&self.graph.fragments[position].id];
            self.unstarted += usize::from(!self.stage(ix).started);
            self.list(ix);
        }
        self.revive_read_stages();
    }

    /// Gives every fragment its stage.
    fn place_stages(&mut self) {
        for stage in &mut self.stages {
            stage.position = None;
            stage.producers.clear();
            stage.consumers.clear();
            stage.waiters.clear();
            (stage.blocked, stage.awaiting, stage.readers) = (0, 0, 0);
        }
        for (position, fragment) in self.graph.fragments.iter().enumerate() {
            let ix = *self.index.entry(fragment.id).or_insert_with(|| {
                self.stages.push(Stage::new(fragment.id));
                StageIx(self.stages.len() as u32 - 1)
            });
            self.stages[ix.0 as usize].position = Some(position as u32);
        }
        self.result = self.index[&self.graph.result];
    }

    fn connect(&mut self) {
        for fragment in &self.graph.fragments {
            let ix = self.index[&fragment.id];
            let complete = self.stages[ix.0 as usize].is_complete();
            for input in &fragment.inputs {
                let from = self.index[&input.from];
                let producer = &mut self.stages[from.0 as usize];
                producer.consumers.push(ix);
                producer.readers += u32::from(!complete);
                let ready = producer.is_complete();
                let stage = &mut self.stages[ix.0 as usize];
                stage.producers.push(from);
                stage.blocked += u32::from(!ready);
            }
            if self.adaptive {
                let known = |id: &FragmentId| self.index.get(id).copied();
                for awaited in fragment.waits_for.iter().filter_map(known).filter(|a| *a != ix) {
                    if !self.stages[awaited.0 as usize].finished {
                        self.stages[awaited.0 as usize].waiters.push(ix);
                        self.stages[ix.0 as usize].awaiting += 1;
                    }
                }
            }
        }
    }

    /// A new reader of a stage whose blocks were dropped needs them again.
    fn revive_read_stages(&mut self) {
        let read_again = |s: &&Stage| s.freed && s.readers > 0;
        let stages: Vec<FragmentId> = self.stages.iter().filter(read_again).map(|s| s.fragment).collect();
        for fragment in stages {
            let ix = self.index[&fragment];
            for partition in 0..self.stage(ix).tasks.len() as u32 {
                if self.stage(ix).task(partition).status == Status::Dropped {
                    self.repeat(ix, partition);
                }
            }
        }
    }
}

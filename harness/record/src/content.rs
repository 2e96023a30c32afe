//! What runs read, computed and ran on, by name: looked up once per name, however many runs and names there are.

use crate::context::{Difference, EngineContext, RunContext};
use crate::machine::NodeMachine;
use std::collections::{BTreeMap, BTreeSet};

/// The datasets, workloads and machines of nodes that one or more runs name.
#[derive(Clone, Debug, Default)]
pub struct Content<'a> {
    datasets: BTreeMap<&'a str, BTreeSet<&'a str>>,
    workloads: BTreeMap<(&'a str, u32), BTreeSet<&'a str>>,
    /// Clusters of fewer nodes are the first of the same machines: those of the largest.
    machines: &'a [NodeMachine],
}

impl<'a> Content<'a> {
    /// That of one run.
    #[must_use]
    pub fn of(run: &'a RunContext) -> Self {
        let mut content = Self::default();
        content.add(run);
        content
    }

    /// Takes in a run that differs in nothing from those that are in here.
    pub fn add(&mut self, run: &'a RunContext) {
        for d in &run.datasets {
            self.datasets.entry(&d.name).or_default().insert(&d.checksum);
        }
        for w in &run.workloads {
            self.workloads.entry((&w.name, w.scale)).or_default().insert(&w.checksum);
        }
        if run.cluster.machines.len() > self.machines.len() {
            self.machines = &run.cluster.machines;
        }
    }

    /// The first dataset, workload or machine of a node of `ours` that is in here too and is not the same. What only one of the two
    /// names is no difference.
    #[must_use]
    pub fn difference(&self, ours: &RunContext) -> Option<Difference> {
        let is_other = |known: Option<&BTreeSet<&str>>, checksum: &str| {
            known.is_some_and(|checksums| checksums.len() > 1 || !checksums.contains(checksum))
        };
        let data = ours.datasets.iter().find(|d| is_other(self.datasets.get(&*d.name), &d.checksum));
        let work = ours.workloads.iter().find(|w| is_other(self.workloads.get(&(&*w.name, w.scale)), &w.checksum));
        let mut nodes = ours.cluster.machines.iter().zip(self.machines).enumerate();
        let node = nodes.find(|(_, (ours, theirs))| !ours.is_like(theirs));
        let machine = |(node, (ours, theirs)): (usize, (&NodeMachine, &NodeMachine))| Difference::Machine {
            node,
            ours: ours.to_string(),
            theirs: theirs.to_string(),
        };
        data.map(|d| Difference::Dataset(d.name.clone()))
            .or_else(|| work.map(|w| Difference::Workload(w.name.clone())))
            .or_else(|| node.map(machine))
    }
}

/// The engines of a run by name, variant and slots.
#[derive(Clone, Debug, Default)]
pub struct Engines<'a> {
    by_name: BTreeMap<(&'a str, &'a str, u32), (usize, &'a EngineContext)>,
}

impl<'a> Engines<'a> {
    /// Those of a run.
    #[must_use]
    pub fn of(run: &'a RunContext) -> Self {
        let mut by_name = BTreeMap::new();
        for (at, e) in run.engines.iter().enumerate() {
            by_name.entry((e.name.as_str(), e.variant.as_str(), e.slots)).or_insert((at, e));
        }
        Self { by_name }
    }

    /// The engine of a case and where the run lists it, if it does.
    #[must_use]
    pub fn get(&self, name: &str, variant: &str, slots: u32) -> Option<(usize, &'a EngineContext)> {
        self.by_name.get(&(name, variant, slots)).copied()
    }
}

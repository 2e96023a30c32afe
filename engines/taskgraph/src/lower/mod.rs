//! Lowering at submit: a graph of fragments becomes keys with links and priorities.
//!
//! | module | idea |
//! |---|---|
//! | `links` | who is linked to whom, in flat arrays |
//! | `select` | cull: which tasks the answer needs |
//! | `fuse` | linear chains of tasks become one key |
//! | `order` | depth-first priorities |
//!
//! A shuffle whose readers all read aligned gets a *barrier*: a key without a task, which reads all producers and which
//! all readers read. So it has producers + readers links instead of producers x readers.
//!
//! Invariant: numbers of keys, fragments and tasks come from here and index the plan's own arrays only.

mod fuse;
mod links;
mod order;
mod select;

use crate::settings::Settings;
use bench_model::{Exchange, Fragment, FragmentId, Graph, JobId, Read, TaskId};
use fuse::{Chains, NONE, chains};
use links::Links;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where fragments and tasks are.
pub(crate) struct Layout {
    /// The number of each fragment's first task.
    bases: Vec<u32>,
    tasks: u32,
    /// The fragments that each fragment reads, input by input.
    sources: Links,
    /// How many inputs read each fragment.
    readers: Vec<u32>,
    /// Positions by id, where a fragment's id is not its position.
    moved: BTreeMap<FragmentId, u32>,
}

impl Layout {
    fn new(graph: &Graph) -> Result<Self, String> {
        let count = graph.fragments.len();
        let tasks = u32::try_from(graph.tasks()).ok().filter(|t| *t < NONE / 2);
        let tasks = tasks.ok_or_else(|| "it has more tasks than can be numbered; split the job".to_owned())?;
        let mut layout = Self {
            bases: Vec::with_capacity(count),
            tasks,
            sources: Links::with_capacity(count),
            readers: vec![0; count],
            moved: BTreeMap::new(),
        };
        let mut base = 0;
        for (at, fragment) in graph.fragments.iter().enumerate() {
            layout.bases.push(base);
            base += fragment.tasks;
            if fragment.id.0 as usize != at {
                layout.moved.insert(fragment.id, at as u32);
            }
        }
        for fragment in &graph.fragments {
            for input in &fragment.inputs {
                let from = layout.position(graph, input.from).ok_or_else(|| format!("{} is missing", input.from))?;
                layout.sources.link(from);
                layout.readers[from as usize] += 1;
            }
            layout.sources.close();
        }
        Ok(layout)
    }

    /// The position of a fragment.
    fn position(&self, graph: &Graph, id: FragmentId) -> Option<u32> {
        if graph.fragments.get(id.0 as usize).is_some_and(|f| f.id == id) {
            return Some(id.0);
        }
        self.moved.get(&id).copied()
    }

    /// The numbers of a fragment's tasks.
    fn range(&self, graph: &Graph, at: u32) -> std::ops::Range<usize> {
        let base = self.bases[at as usize] as usize;
        base..base + graph.fragments[at as usize].tasks as usize
    }
}

/// What a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    /// The position of the fragment of its last task; of the shuffled fragment if it is a barrier.
    pub(crate) fragment: u32,
    /// Which of its tasks; [`BARRIER`] if it has none.
    pub(crate) partition: u32,
}

/// The partition of a barrier.
pub(crate) const BARRIER: u32 = u32::MAX;

impl Spec {
    pub(crate) const fn is_barrier(&self) -> bool {
        self.partition == BARRIER
    }
}

/// A fragment whose blocks are pushed to owners.
pub(crate) struct ShuffleSpec {
    /// The position of the fragment.
    pub(crate) fragment: u32,
    /// Its barrier.
    pub(crate) barrier: u32,
    /// Shuffles with a common reader share their owners.
    pub(crate) group: u32,
}

/// A job as keys.
pub(crate) struct Plan {
    pub(crate) graph: Arc<Graph>,
    layout: Layout,
    chains: Chains,
    /// The key of each task; [`NONE`] if it was culled.
    keys_of_tasks: Vec<u32>,
    pub(crate) specs: Vec<Spec>,
    pub(crate) deps: Links,
    pub(crate) dependents: Links,
    pub(crate) priorities: Vec<u32>,
    /// The keys of the answer, in its order.
    pub(crate) wanted: Vec<u32>,
    pub(crate) shuffles: Vec<ShuffleSpec>,
    /// The outputs of the widest shuffle of each group.
    pub(crate) groups: Vec<u32>,
    shuffle_of_fragment: Vec<u32>,
    /// How many tasks the fragments have that each fragment reads: root-ish fragments read almost none.
    pub(crate) keys_read: Vec<u32>,
}

impl Plan {
    /// Lowers a valid graph.
    ///
    /// # Errors
    /// The graph is too large to be numbered.
    pub(crate) fn new(graph: &Arc<Graph>, settings: &Settings) -> Result<Self, String> {
        let layout = Layout::new(graph)?;
        let needed = select::needed(graph, &layout, settings.cull);
        let chains = chains(graph, &layout, settings.fuse);
        let mut plan = Self {
            graph: Arc::clone(graph),
            keys_of_tasks: vec![NONE; needed.len()],
            specs: Vec::with_capacity(needed.len()),
            deps: Links::default(),
            dependents: Links::default(),
            priorities: Vec::new(),
            wanted: Vec::new(),
            shuffles: Vec::new(),
            groups: Vec::new(),
            shuffle_of_fragment: vec![NONE; graph.fragments.len()],
            keys_read: vec![0; graph.fragments.len()],
            layout,
            chains,
        };
        plan.number_keys(&needed);
        plan.find_shuffles(settings.p2p);
        plan.link();
        plan.dependents = plan.deps.reversed(plan.specs.len());
        let result = plan.layout.position(graph, graph.result).unwrap_or_default();
        plan.wanted = plan.keys_of_tasks[plan.layout.range(graph, result)].to_vec();
        plan.priorities = if settings.depth_first {
            order::depth_first(&plan.deps, &plan.dependents, &plan.wanted)
        } else {
            (0..plan.specs.len() as u32).collect()
        };
        Ok(plan)
    }

    fn number_keys(&mut self, needed: &[bool]) {
        for (at, fragment) in self.graph.fragments.iter().enumerate() {
            if self.chains.goes_on[at] {
                continue;
            }
            for partition in 0..fragment.tasks {
                if !needed[(self.layout.bases[at] + partition) as usize] {
                    continue;
                }
                let key = self.specs.len() as u32;
                self.specs.push(Spec { fragment: at as u32, partition });
                let mut step = at as u32;
                while step != NONE {
                    self.keys_of_tasks[(self.layout.bases[step as usize] + partition) as usize] = key;
                    step = self.chains.before[step as usize];
                }
            }
        }
    }

    /// Gives every shuffle a barrier, and shuffles with a common reader a common group.
    fn find_shuffles(&mut self, p2p: bool) {
        if !p2p {
            return;
        }
        let graph = Arc::clone(&self.graph);
        let mut aligned = vec![0u32; graph.fragments.len()];
        for (at, fragment) in graph.fragments.iter().enumerate() {
            for (input, from) in fragment.inputs.iter().zip(self.layout.sources.of(at as u32)) {
                aligned[*from as usize] += u32::from(input.read == Read::Aligned);
            }
        }
        for (at, fragment) in graph.fragments.iter().enumerate() {
            let readers = self.layout.readers[at];
            let whole = readers > 0 && readers == aligned[at] && fragment.id != graph.result;
            if whole && fragment.exchange == Exchange::Hash && self.has_keys(at as u32) {
                self.shuffle_of_fragment[at] = self.shuffles.len() as u32;
                let barrier = self.specs.len() as u32;
                self.specs.push(Spec { fragment: at as u32, partition: BARRIER });
                let group = self.shuffles.len() as u32;
                self.shuffles.push(ShuffleSpec { fragment: at as u32, barrier, group });
            }
        }
        self.groups = vec![0; self.shuffles.len()];
        for at in 0..graph.fragments.len() as u32 {
            let read = self.layout.sources.of(at).iter().filter_map(|f| self.shuffle_of(*f));
            let groups: Vec<u32> = read.filter_map(|s| self.shuffles.get(s).map(|s| s.group)).collect();
            let Some(first) = groups.iter().copied().min() else { continue };
            for shuffle in self.shuffles.iter_mut().filter(|s| groups.contains(&s.group)) {
                shuffle.group = first;
            }
        }
        for shuffle in &self.shuffles {
            let width = &mut self.groups[shuffle.group as usize];
            *width = (*width).max(graph.fragments[shuffle.fragment as usize].outputs);
        }
    }

    fn has_keys(&self, fragment: u32) -> bool {
        self.keys_of_tasks[self.layout.range(&self.graph, fragment)].iter().any(|k| *k != NONE)
    }

    fn link(&mut self) {
        let graph = Arc::clone(&self.graph);
        let mut deps = Links::with_capacity(self.specs.len());
        // The last key that was linked to each key: a key reads another once, however many of its blocks it reads.
        let mut linked = vec![NONE; self.specs.len()];
        for (key, spec) in self.specs.iter().enumerate() {
            let key = key as u32;
            let mut link = |to: u32| {
                if to != NONE && std::mem::replace(&mut linked[to as usize], key) != key {
                    deps.link(to);
                }
            };
            if spec.is_barrier() {
                self.keys_of_tasks[self.layout.range(&graph, spec.fragment)].iter().for_each(|k| link(*k));
                deps.close();
                continue;
            }
            let head = self.chains.head[spec.fragment as usize];
            let reader = &graph.fragments[head as usize];
            for (input, from) in reader.inputs.iter().zip(self.layout.sources.of(head)) {
                if let Some(shuffle) = self.shuffle_of(*from) {
                    link(self.shuffles[shuffle].barrier);
                    continue;
                }
                let base = self.layout.bases[*from as usize];
                let mut last = NONE;
                for block in reader.reads(JobId(0), input, &graph.fragments[*from as usize], spec.partition) {
                    if block.task.partition != last {
                        last = block.task.partition;
                        link(self.keys_of_tasks[(base + last) as usize]);
                    }
                }
            }
            deps.close();
        }
        self.deps = deps;
        for at in 0..graph.fragments.len() as u32 {
            let tasks = |from: &u32| graph.fragments[*from as usize].tasks;
            let read = self.layout.sources.of(self.chains.head[at as usize]).iter().map(tasks);
            self.keys_read[at as usize] = read.fold(0, u32::saturating_add);
        }
    }

    /// The shuffle that takes a fragment's blocks, if there is one.
    pub(crate) fn shuffle_of(&self, fragment: u32) -> Option<usize> {
        Some(self.shuffle_of_fragment[fragment as usize]).filter(|s| *s != NONE).map(|s| s as usize)
    }

    /// The key of a task, if the graph has it and it was not culled.
    pub(crate) fn key_of(&self, task: TaskId) -> Option<u32> {
        let at = self.layout.position(&self.graph, task.fragment)?;
        (task.partition < self.fragment(at).tasks).then(|| self.key_at(at, task.partition)).flatten()
    }

    /// The key of a task of the fragment at a position.
    pub(crate) fn key_at(&self, fragment: u32, partition: u32) -> Option<u32> {
        let number = self.layout.bases[fragment as usize] + partition;
        self.keys_of_tasks.get(number as usize).copied().filter(|k| *k != NONE)
    }

    pub(crate) fn fragment(&self, at: u32) -> &Fragment {
        &self.graph.fragments[at as usize]
    }

    /// The position of a fragment.
    pub(crate) fn position(&self, id: FragmentId) -> Option<u32> {
        self.layout.position(&self.graph, id)
    }

    /// The fragments that a fragment reads, input by input.
    pub(crate) fn sources(&self, fragment: u32) -> &[u32] {
        self.layout.sources.of(fragment)
    }

    /// The first fragment of the chain that ends with this one.
    pub(crate) fn head(&self, fragment: u32) -> u32 {
        self.chains.head[fragment as usize]
    }

    /// The fragment before this one in its chain.
    pub(crate) fn before(&self, fragment: u32) -> Option<u32> {
        Some(self.chains.before[fragment as usize]).filter(|f| *f != NONE)
    }
}

#[cfg(test)]
mod tests;

//! What tasks ask for and what nodes have. A `cpu` is a thousand thousandths; `memory` is in bytes.

use bench_model::{Bytes, StyleEnv, TaskOptions};
use std::collections::BTreeMap;

/// One CPU, in thousandths.
pub(crate) const CPU: u64 = 1_000;

/// What one task holds while it runs, besides one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) cpu: u64,
    memory: u64,
    other: Vec<(String, u64)>,
}

impl Default for Demand {
    fn default() -> Self {
        Self { cpu: CPU, memory: 0, other: Vec::new() }
    }
}

impl Demand {
    /// The same, as if it could do without a processor: what does not depend on a node's slots.
    pub(crate) fn without_cpu(&self) -> Self {
        Self { cpu: 0, ..self.clone() }
    }

    pub(crate) fn of(options: &TaskOptions) -> Self {
        let mut demand = Self::default();
        for (name, amount) in &options.resources {
            match name.as_str() {
                "cpu" => demand.cpu = *amount,
                "memory" => demand.memory = *amount,
                _ => demand.other.push((name.clone(), *amount)),
            }
        }
        demand
    }
}

/// Resources of a node: all of them, or those that are free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    pub(crate) slots: u32,
    cpu: u64,
    memory: u64,
    other: BTreeMap<String, u64>,
}

impl Pool {
    /// All that a node with so many slots has.
    pub(crate) fn of(env: &StyleEnv, slots: u32) -> Self {
        let memory = env.memory.map_or(u64::MAX / 2, Bytes::get);
        Self { slots, cpu: u64::from(slots) * CPU, memory, other: env.resources.clone() }
    }

    /// Whether a slot and what the task asks for are there.
    pub(crate) fn has(&self, demand: &Demand) -> bool {
        let other = |(name, amount): &(String, u64)| *amount <= self.other.get(name).copied().unwrap_or(0);
        self.slots > 0 && demand.cpu <= self.cpu && demand.memory <= self.memory && demand.other.iter().all(other)
    }

    /// Takes a slot and what the task asks for, if all of it is there.
    pub(crate) fn take(&mut self, demand: &Demand) -> bool {
        let has = self.has(demand);
        if has {
            self.slots -= 1;
            self.cpu -= demand.cpu;
            self.memory -= demand.memory;
            for (name, amount) in &demand.other {
                if let Some(free) = self.other.get_mut(name) {
                    *free -= amount;
                }
            }
        }
        has
    }

    /// Gives back what [`Pool::take`] took.
    pub(crate) fn give(&mut self, demand: &Demand) {
        self.slots += 1;
        self.cpu += demand.cpu;
        self.memory += demand.memory;
        for (name, amount) in &demand.other {
            *self.other.entry(name.clone()).or_default() += amount;
        }
    }

    /// How many such tasks it can hold at a time.
    pub(crate) fn fits(&self, demand: &Demand) -> u32 {
        let times = |have: u64, each: u64| have.checked_div(each).unwrap_or(u64::MAX);
        let other = demand.other.iter().map(|(name, each)| times(self.other.get(name).copied().unwrap_or(0), *each));
        let most = times(self.cpu, demand.cpu).min(times(self.memory, demand.memory));
        other.fold(most, u64::min).min(u64::from(self.slots)) as u32
    }

    /// What a task asks for and such a node can never give, in words.
    pub(crate) fn lacks(&self, demand: &Demand) -> Option<String> {
        if self.fits(demand) > 0 || self.slots == 0 {
            return None;
        }
        let word = |name: &str, asked: u64, has: u64| {
            let (asked, has) = match name {
                "memory" => (format!("{} of", Bytes::new(asked)), Bytes::new(has).to_string()),
                _ => ((asked as f64 / 1e3).to_string(), (has as f64 / 1e3).to_string()),
            };
            format!("a task asks for {asked} {name} and a node has {has}; ask for less or add larger nodes")
        };
        let other =
            demand.other.iter().map(|(name, n)| (name.as_str(), *n, self.other.get(name).copied().unwrap_or(0)));
        let mut all = [("cpu", demand.cpu, self.cpu), ("memory", demand.memory, self.memory)].into_iter().chain(other);
        all.find(|(_, asked, has)| asked > has).map(|(name, asked, has)| word(name, asked, has))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::Tuning;

    fn pool(slots: u32) -> Pool {
        let env = StyleEnv {
            slots,
            memory_share: Bytes::new(1),
            memory: None,
            resources: BTreeMap::from([("gpu".to_owned(), 2_000)]),
            tuning: Tuning::default(),
        };
        Pool::of(&env, slots)
    }

    fn asking(resources: &[(&str, u64)]) -> Demand {
        let resources = resources.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        Demand::of(&TaskOptions { resources, ..TaskOptions::default() })
    }

    #[test]
    fn a_task_that_names_no_cpu_takes_one() {
        let mut pool = pool(2);
        assert!(pool.take(&Demand::default()) && pool.take(&Demand::default()));
        assert!(!pool.take(&Demand::default()));
        pool.give(&Demand::default());
        assert!(pool.take(&Demand::default()));
    }

    #[test]
    fn the_scarcest_resource_decides_how_many_tasks_fit() {
        assert_eq!(pool(4).fits(&asking(&[("gpu", 1_500)])), 1);
        assert_eq!(pool(4).fits(&asking(&[("gpu", 500)])), 4);
        assert_eq!(pool(4).fits(&asking(&[("cpu", 2_000)])), 2);
        assert_eq!(pool(4).fits(&asking(&[("cpu", 0)])), 4, "a task holds a slot even if it asks for nothing");
    }

    #[test]
    fn processors_memory_gpus_and_custom_resources_are_taken_together_and_given_back() {
        let mut pool = Pool { memory: 10 << 30, ..pool(4) };
        pool.other.insert("licence".to_owned(), 1_000);
        let greedy = asking(&[("cpu", 2_000), ("gpu", 500), ("memory", 6 << 30), ("licence", 1_000)]);
        assert!(pool.take(&greedy));
        for (name, amount) in [("cpu", 3_000), ("gpu", 1_600), ("memory", 5 << 30), ("licence", 1)] {
            assert!(!pool.has(&asking(&[(name, amount)])), "{name} is taken");
        }
        pool.give(&greedy);
        assert!(pool.take(&greedy));
        let lacks = pool.lacks(&asking(&[("memory", 20 << 30)])).unwrap_or_default();
        assert!(lacks.contains("20.0 GiB of memory and a node has 4.00 GiB"), "{lacks}");
    }

    #[test]
    fn a_resource_that_no_node_has_is_named() {
        let lacks = pool(4).lacks(&asking(&[("tpu", 1_000)]));
        assert_eq!(lacks.as_deref(), Some("a task asks for 1 tpu and a node has 0; ask for less or add larger nodes"));
        assert_eq!(pool(4).lacks(&asking(&[("gpu", 2_000)])), None);
    }
}

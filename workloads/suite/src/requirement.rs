//! What a selection of a suite's workloads needs, and what a machine lacks for it. Pure: nothing is measured here.

use crate::family::Definition;
use crate::spec::DatasetSpec;
use crate::suite::Suite;
use bench_model::Bytes;
use std::fmt;

/// How often the workloads of a suite are executed, over all engines and trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Executions by engines that use every core.
    pub parallel_passes: u32,
    /// Executions by engines that use one core.
    pub single_passes: u32,
}

/// What a run needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Requirements {
    /// Disk for the tables that are still to be made, and for shuffles and spills of the largest family.
    pub disk: Bytes,
    /// Memory, so that the largest answer can be held beside what the engine holds.
    pub memory: Bytes,
    /// Time, making the tables included.
    pub hours: f64,
}

/// What a machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Free bytes where the tables and scratch files go.
    pub disk_free: Bytes,
    /// Memory that this process may use.
    pub memory: Bytes,
    /// Cores that this process may use.
    pub cores: u32,
}

/// One thing a machine lacks: its text says how much, and what to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shortfall {
    /// Too little disk.
    Disk {
        /// What is needed.
        needed: Bytes,
        /// What there is.
        free: Bytes,
    },
    /// Too little memory.
    Memory {
        /// What is needed.
        needed: Bytes,
        /// What there is.
        has: Bytes,
    },
    /// Too much time.
    Hours {
        /// What is needed.
        needed: f64,
        /// On so many cores.
        cores: u32,
    },
}

/// Longer runs are refused unless asked for.
pub const HOURS_MAX: f64 = 24.0;

/// Memory that every run needs: the process, its plans, its buffers.
const MEMORY_BASE: u64 = 512 << 20;
/// Memory per byte of raw text where an answer is as large as the text it comes from (a sorted table, ten million
/// groups): an engine holds about half as much again while it makes one.
const MEMORY_PER_RAW_BYTE: f64 = 1.5;
/// Memory per byte of raw text where answers are small: the tables that joins build, of a few columns each.
const MEMORY_PER_RAW_BYTE_SMALL: f64 = 0.25;
/// Core-seconds to make a gigabyte of raw text, rounded up from what a 2-core machine took.
const MAKE_CORE_S_PER_GB: f64 = 15.0;
/// Core-seconds for one execution of all workloads of a family per gigabyte of raw text, rounded up likewise.
const PASS_CORE_S_PER_GB: f64 = 60.0;

/// What is asked of one table set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Demand {
    /// Raw text that the set stands for.
    pub raw: Bytes,
    /// Bytes of tables that are still to be made.
    pub to_make: Bytes,
    /// The share of the set that is still to be made, 0 to 1.
    pub share_to_make: f64,
    /// The share of its family's workloads that are selected, above 0.
    pub share_selected: f64,
    /// Whether some selected answer is of the size of the set.
    pub large_answer: bool,
}

/// What the selected workloads ask of each table set that they read. `to_make` says how many bytes of a set are not
/// there yet.
pub fn demands(suite: &Suite, selected: &[Definition], to_make: impl Fn(&DatasetSpec) -> u64) -> Vec<Demand> {
    let all = crate::workloads(suite).unwrap_or_default();
    let reading = |definitions: &[Definition], name: &str| {
        definitions.iter().filter(|d| d.workload.dataset.as_deref() == Some(name)).count()
    };
    let demand = |spec: &DatasetSpec| {
        let name = spec.name();
        let count = reading(selected, &name);
        let bytes = to_make(spec);
        (count > 0).then(|| Demand {
            raw: Bytes::new(spec.raw_bytes()),
            to_make: Bytes::new(bytes),
            share_to_make: (bytes as f64 / spec.disk_bytes_estimate().max(1) as f64).min(1.0),
            share_selected: (count as f64 / reading(&all, &name).max(1) as f64).min(1.0),
            large_answer: selected.iter().any(|d| d.large_answer && d.workload.dataset.as_ref() == Some(&name)),
        })
    };
    suite.datasets().filter_map(demand).collect()
}

/// What a selection needs.
///
/// With `raw` the raw bytes of a set:
/// `disk = sum(to_make) + max(raw)`,
/// `memory = 512 MiB + max(1.5 raw, or 0.25 raw where no selected answer is large)`,
/// `seconds = sum(raw_gb (share_to_make 15 / cores + share_selected 60 (parallel_passes / cores + single_passes)))`.
#[must_use]
pub fn requirements_of(demands: &[Demand], effort: Effort, cores: u32) -> Requirements {
    let cores = f64::from(cores.max(1));
    let pass = PASS_CORE_S_PER_GB * (f64::from(effort.parallel_passes) / cores + f64::from(effort.single_passes));
    let seconds = |d: &Demand| {
        d.raw.get() as f64 / 1e9 * (d.share_to_make * MAKE_CORE_S_PER_GB / cores + d.share_selected * pass)
    };
    let memory = |d: &Demand| {
        let per_byte = if d.large_answer { MEMORY_PER_RAW_BYTE } else { MEMORY_PER_RAW_BYTE_SMALL };
        (d.raw.get() as f64 * per_byte) as u64
    };
    let largest = demands.iter().map(|d| d.raw).max().unwrap_or(Bytes::ZERO);
    Requirements {
        disk: demands.iter().map(|d| d.to_make).sum::<Bytes>() + largest,
        memory: Bytes::new(MEMORY_BASE.saturating_add(demands.iter().map(memory).max().unwrap_or(0))),
        hours: demands.iter().map(seconds).sum::<f64>() / 3600.0,
    }
}

/// What the machine lacks; empty if it can run this.
#[must_use]
pub fn missing(needed: &Requirements, machine: &Machine) -> Vec<Shortfall> {
    let mut missing = Vec::new();
    if needed.disk > machine.disk_free {
        missing.push(Shortfall::Disk { needed: needed.disk, free: machine.disk_free });
    }
    if needed.memory > machine.memory {
        missing.push(Shortfall::Memory { needed: needed.memory, has: machine.memory });
    }
    if needed.hours > HOURS_MAX {
        missing.push(Shortfall::Hours { needed: needed.hours, cores: machine.cores });
    }
    missing
}

impl Shortfall {
    /// Whether a user who knows better may run all the same: hours and memory are estimates, and a run that takes
    /// longer can be interrupted and continued. Disk for the tables is not: they are made whole or not at all.
    #[must_use]
    pub const fn can_be_forced(&self) -> bool {
        matches!(self, Self::Hours { .. } | Self::Memory { .. })
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk { needed, free } => write!(
                f,
                "disk: {needed} needed for tables and scratch files, {free} free; \
                 free some space, or point --data at a larger disk"
            ),
            Self::Memory { needed, has } => write!(
                f,
                "memory: {needed} needed to hold the largest answers, {has} available; \
                 choose a smaller suite, leave workloads out with --workloads, or use a larger machine"
            ),
            Self::Hours { needed, cores } => write!(
                f,
                "time: about {needed:.0} hours on {cores} cores; \
                 choose fewer --engines, --trials or --workloads, a smaller suite, or a larger machine"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::suite;

    const GIB: u64 = 1 << 30;
    const LAPTOP: Machine = Machine { disk_free: Bytes::new(100 * GIB), memory: Bytes::new(16 * GIB), cores: 8 };
    const THREE_TRIALS: Effort = Effort { parallel_passes: 10, single_passes: 5 };

    fn check(name: &str) -> String {
        let suite = suite(name).unwrap();
        let to_make = suite.datasets().map(|d| Bytes::new(d.disk_bytes_estimate())).sum();
        let needed = requirements(&suite, to_make, THREE_TRIALS, LAPTOP.cores);
        missing(&needed, &LAPTOP).iter().map(|s| format!("{s}\n")).collect()
    }

    /// What running all workloads of a suite needs, with `to_make` bytes of its tables still to be made.
    fn requirements(suite: &Suite, to_make: Bytes, effort: Effort, cores: u32) -> Requirements {
        let estimate: u64 = suite.datasets().map(DatasetSpec::disk_bytes_estimate).sum();
        let share = (to_make.get() as f64 / estimate.max(1) as f64).min(1.0);
        let selected = crate::workloads(suite).unwrap_or_default();
        let left = |spec: &DatasetSpec| (spec.disk_bytes_estimate() as f64 * share).ceil() as u64;
        requirements_of(&demands(suite, &selected, left), effort, cores)
    }

    #[test]
    fn a_laptop_runs_what_fits_and_is_told_what_a_terabyte_takes() {
        assert_eq!(check("smoke"), "");
        assert_eq!(check("1gb"), "");
        insta::assert_snapshot!(check("1tb"), @r#"
        disk: 1.74 TiB needed for tables and scratch files, 100 GiB free; free some space, or point --data at a larger disk
        memory: 1.36 TiB needed to hold the largest answers, 16.0 GiB available; choose a smaller suite, leave workloads out with --workloads, or use a larger machine
        time: about 209 hours on 8 cores; choose fewer --engines, --trials or --workloads, a smaller suite, or a larger machine
        "#);
    }

    /// What is asked of each set of a suite when only these workloads are selected and so many bytes are to be made.
    fn narrowed(suite_name: &str, names: &[&str], to_make: impl Fn(&DatasetSpec) -> u64) -> Vec<Demand> {
        let suite = suite(suite_name).unwrap();
        let mut selected = crate::workloads(&suite).unwrap();
        selected.retain(|d| names.contains(&d.workload.name.as_str()));
        demands(&suite, &selected, to_make)
    }

    #[test]
    fn a_selection_is_charged_for_what_it_reads_and_makes_only() {
        let all = requirements(&suite("1tb").unwrap(), Bytes::ZERO, THREE_TRIALS, 8);
        let one = requirements_of(&narrowed("1tb", &["tpch-q06"], |_| 0), THREE_TRIALS, 8);
        // One of 22 queries over one of two sets, nothing to make, and no answer of the size of a table.
        assert!((all.hours / one.hours - 44.0).abs() < 1e-6, "{} {}", all.hours, one.hours);
        assert!(all.memory.get() > 5 * one.memory.get(), "{} {}", all.memory, one.memory);
        assert_eq!(one.disk, Bytes::new(1_000_000_000_000));
        let sort = requirements_of(&narrowed("1tb", &["sort"], |_| 0), THREE_TRIALS, 8);
        assert_eq!(sort.memory, all.memory);
        assert_eq!(narrowed("1tb", &["nosuch"], |_| 0), []);
    }

    #[test]
    fn only_sets_that_are_to_be_made_take_time_to_make() {
        let effort = Effort { parallel_passes: 0, single_passes: 0 };
        let hours = |to_make: &dyn Fn(&DatasetSpec) -> u64| {
            requirements_of(&narrowed("10gb", &["tpch-q01", "sort"], to_make), effort, 2).hours
        };
        let both = hours(&|spec| spec.disk_bytes_estimate());
        let one = hours(&|spec| if spec.kind() == "tpch" { spec.disk_bytes_estimate() } else { 0 });
        let half = hours(&|spec| if spec.kind() == "tpch" { spec.disk_bytes_estimate() / 2 } else { 0 });
        assert!((both / one - 2.0).abs() < 1e-6 && (one / half - 2.0).abs() < 1e-3, "{both} {one} {half}");
        assert_eq!(hours(&|_| 0), 0.0);
    }

    #[test]
    fn estimates_may_be_overridden_and_a_full_disk_may_not() {
        let bytes = Bytes::new(1);
        assert!(Shortfall::Hours { needed: 30.0, cores: 2 }.can_be_forced());
        assert!(Shortfall::Memory { needed: bytes, has: bytes }.can_be_forced());
        assert!(!Shortfall::Disk { needed: bytes, free: bytes }.can_be_forced());
    }

    #[test]
    fn what_is_made_already_needs_neither_disk_nor_time() {
        let suite = suite("1gb").unwrap();
        let none = Effort { parallel_passes: 0, single_passes: 0 };
        let ready = requirements(&suite, Bytes::ZERO, none, 2);
        assert_eq!((ready.disk, ready.hours), (Bytes::new(1_000_000_000), 0.0));
    }
}

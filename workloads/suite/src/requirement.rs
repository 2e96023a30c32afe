//! What a suite needs, and what a machine lacks for it. Pure: nothing is measured here.

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
/// Memory per byte of raw text: the largest answers (a sorted table, ten million groups) are as large as the text they
/// come from, and an engine holds about half as much again while it makes one.
const MEMORY_PER_RAW_BYTE: f64 = 1.5;
/// Core-seconds to make a gigabyte of raw text, rounded up from what a 2-core machine took.
const MAKE_CORE_S_PER_GB: f64 = 15.0;
/// Core-seconds for one execution of all workloads of a family per gigabyte of raw text, rounded up likewise.
const PASS_CORE_S_PER_GB: f64 = 60.0;

/// What running a suite needs. `to_make` are the bytes of tables that are not there yet.
///
/// With `raw` the raw bytes of a family and sums over families:
/// `disk = to_make + max(raw)`, `memory = 512 MiB + 1.5 max(raw)`,
/// `seconds = sum(raw_gb) (15 / cores + 60 (parallel_passes / cores + single_passes))`.
#[must_use]
pub fn requirements(suite: &Suite, to_make: Bytes, effort: Effort, cores: u32) -> Requirements {
    let largest = suite.raw_bytes();
    let gigabytes: f64 = suite.datasets().map(|d| d.raw_bytes() as f64 / 1e9).sum();
    let cores = f64::from(cores.max(1));
    let make = if to_make == Bytes::ZERO { 0.0 } else { MAKE_CORE_S_PER_GB / cores };
    let run = PASS_CORE_S_PER_GB * (f64::from(effort.parallel_passes) / cores + f64::from(effort.single_passes));
    Requirements {
        disk: to_make + Bytes::new(largest),
        memory: Bytes::new(MEMORY_BASE.saturating_add((largest as f64 * MEMORY_PER_RAW_BYTE) as u64)),
        hours: gigabytes * (make + run) / 3600.0,
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

    #[test]
    fn what_is_made_already_needs_neither_disk_nor_time() {
        let suite = suite("1gb").unwrap();
        let none = Effort { parallel_passes: 0, single_passes: 0 };
        let ready = requirements(&suite, Bytes::ZERO, none, 2);
        assert_eq!((ready.disk, ready.hours), (Bytes::new(1_000_000_000), 0.0));
    }
}

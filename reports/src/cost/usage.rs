//! What jobs took of machines: from recorded runs to hours per terabyte, per contestant and family.
//!
//! Contestants of a table and family are held to the same workloads: those that every one of them completed, of all that
//! completed any. A sum over what each happened to survive would make the ones that fail the cheapest.

use super::predict::{self, Basis};
use super::scaled::{Sizes, compare_sizes};
use super::unit::{Count, Gigabytes, Hours, Range, Unit};
use crate::comparison::{Cell, Comparison, Contestant, FamilyReport, Table, has_own_machines};
use crate::stats::{median, sorted};
use bench_record::{Arm, Bytes, Family, Outcome, Run};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How much of a machine's memory its operating system shows at least, of what it is sold with.
const MEMORY_SHOWN: f64 = 0.9;

/// What is asked about runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// On how many nodes; none for those that were measured.
    pub nodes: Option<u32>,
    /// What a workload of a family reads, where it is not what the run's record says.
    pub data: BTreeMap<Family, Bytes>,
}

/// One workload of a contestant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkUsage {
    /// Which.
    pub workload: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not complete.
    pub reason: Option<String>,
    /// How long it takes; absent unless it completed.
    pub wall_h: Option<Range<Hours>>,
    /// Whether it is one of those that figures are over.
    pub is_common: bool,
}

/// What one contestant took for one family.
#[derive(Clone, Debug, PartialEq)]
pub struct Usage {
    /// Which table of the comparison, from 0: two of one title may hold other data.
    pub at: usize,
    /// Suite, protocol and scale, as its table says them.
    pub table: String,
    /// The machine that it was measured on.
    pub machine: String,
    /// Which family.
    pub family: Family,
    /// Who.
    pub contestant: Contestant,
    /// Every workload that it was asked.
    pub work: Vec<WorkUsage>,
    /// Those that it completed.
    pub completed: usize,
    /// The family's workloads in this table.
    pub cases: usize,
    /// Those that its times are of: completed by everybody who completed any.
    pub common: usize,
    /// The fewest trials of one of the workloads that it completed.
    pub trials_min: usize,
    /// Whether disturbed trials had to be counted in one of these.
    pub contaminated: bool,
    /// What a workload reads, with how that is known.
    pub data: Option<(Gigabytes, String)>,
    /// How long it works on a terabyte: times over data, both summed over the common workloads.
    pub busy_per_tb: Option<Range<Hours>>,
    /// Trials that failed or timed out, and all trials, of workloads that completed at least once.
    pub failed: (usize, usize),
    /// Bytes between nodes per byte of data, where they were counted.
    pub exchanged: Option<Count>,
    /// The share of a job that was done again after a node was killed, where runs with faults say.
    pub wasted: Option<Range<Count>>,
    /// The most that one workload wrote to disks of one machine.
    pub written: Option<Gigabytes>,
    /// The machines that its nodes are.
    pub place: Place,
    /// Measured or predicted.
    pub basis: Basis,
    /// What runs with more or less data say of scaling its time, where there are any.
    pub sizes: Option<Sizes>,
}

/// Machines that must be rented for what was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// How many: one for all nodes that share a machine.
    pub machines: u32,
    /// Whether the driver ran on a machine of its own.
    pub driver_apart: bool,
    /// The instruction set.
    pub arch: String,
    /// Cores of each that the contestant could keep busy.
    pub vcpus: Count,
    /// Memory of each in GiB: what the engine held at most (of several processes the most that they may have held, where that is known), or,
    /// of nodes on other machines, what these have.
    pub memory_gib: Option<Count>,
}

/// The usage of every compared contestant in every family that reads data.
#[must_use]
pub fn usage(comparison: &Comparison, runs: &[Run], asked: &Asked) -> Vec<Usage> {
    let mut all = Vec::new();
    for (at, table) in comparison.tables.iter().enumerate() {
        let is_in = |run: &&Run| table.runs.contains(&comparison.runs.name(&run.path));
        let runs: Vec<&Run> = runs.iter().filter(is_in).collect();
        for family in table.families.iter().filter(|f| f.family != Family::Overhead) {
            let of_family = of_family((at, table), family, &runs, asked);
            all.extend(predict::on_nodes(of_family, family, asked.nodes));
        }
    }
    compare_sizes(&mut all, comparison);
    all
}

fn of_family((at, table): (usize, &Table), family: &FamilyReport, runs: &[&Run], asked: &Asked) -> Vec<Usage> {
    let cells: Vec<(&Contestant, Vec<(&str, &Cell)>)> = (table.contestants.iter())
        .filter(|c| c.is_compared())
        .map(|c| (c, cells(family, c)))
        .filter(|(_, cells)| !cells.is_empty())
        .collect();
    let common = common(family, cells.iter().map(|(_, cells)| cells));
    let data = data_of(table, family.family, runs, asked);
    let one = |(contestant, cells): &(&Contestant, Vec<(&str, &Cell)>)| {
        let work: Vec<WorkUsage> = cells.iter().map(|(w, cell)| work(w, cell, common.contains(w))).collect();
        let completed = work.iter().filter(|w| w.wall_h.is_some()).count();
        let times = work.iter().filter(|w| w.is_common).filter_map(|w| w.wall_h);
        let times: Vec<Range<Hours>> = if completed == 0 { Vec::new() } else { times.collect() };
        let timed: Vec<&Cell> = cells.iter().map(|(_, cell)| *cell).filter(|cell| wall(cell).is_some()).collect();
        let (machines, place) = place(contestant, cells, runs);
        Usage {
            at,
            table: table.title(),
            machine: table.machine_summary.clone(),
            family: family.family,
            completed,
            cases: family.workloads.len(),
            common: times.len(),
            trials_min: timed.iter().map(|cell| cell.trials).min().unwrap_or_default(),
            contaminated: timed.iter().any(|cell| cell.contaminated > 0),
            busy_per_tb: data.as_ref().and_then(|(data, _)| per_tb(&times, *data)),
            data: data.clone(),
            failed: failed(cells),
            exchanged: data
                .as_ref()
                .filter(|_| machines > 1)
                .and_then(|(d, _)| exchanged(contestant, &common, runs, *d)),
            wasted: wasted(family, contestant),
            written: written(cells, machines),
            place,
            basis: Basis::Measured { nodes: contestant.nodes },
            sizes: None,
            contestant: (*contestant).clone(),
            work,
        }
    };
    cells.iter().map(one).collect()
}

fn cells<'a>(family: &'a FamilyReport, contestant: &Contestant) -> Vec<(&'a str, &'a Cell)> {
    let own = |w: &'a crate::comparison::WorkloadReport| {
        let cell = w.cells.iter().find(|cell| cell.contestant == contestant.label);
        cell.map(|cell| (w.workload.as_str(), cell))
    };
    family.workloads.iter().filter_map(own).collect()
}

/// The workloads that all completed who completed any.
fn common<'a>(family: &'a FamilyReport, all: impl Iterator<Item = &'a Vec<(&'a str, &'a Cell)>>) -> BTreeSet<&'a str> {
    let mut left: BTreeSet<&str> = family.workloads.iter().map(|w| w.workload.as_str()).collect();
    for cells in all {
        let done = cells.iter().filter(|(_, c)| wall(c).is_some()).map(|(w, _)| *w).collect::<BTreeSet<_>>();
        if !done.is_empty() {
            left = left.intersection(&done).copied().collect();
        }
    }
    left
}

fn work(workload: &str, cell: &Cell, is_common: bool) -> WorkUsage {
    WorkUsage {
        workload: workload.to_owned(),
        outcome: cell.outcome,
        reason: cell.reason.clone(),
        wall_h: wall(cell),
        is_common,
    }
}

/// The median with its interval. A clock that jumped leaves a time of zero or none: no cost is made of it.
fn wall(cell: &Cell) -> Option<Range<Hours>> {
    let hours = |ns: f64| Hours::from_seconds(ns / 1e9);
    let base = hours(cell.wall_ns_median.filter(|ns| *ns > 0.0 && cell.outcome == Outcome::Completed)?)?;
    let ends = cell.wall_ns_interval.and_then(|i| hours(i.low).zip(hours(i.high)));
    Some(ends.map_or_else(|| Range::exactly(base), |(low, high)| Range::around(base, [low, high])))
}

fn per_tb(times: &[Range<Hours>], data: Gigabytes) -> Option<Range<Hours>> {
    let terabytes = data.terabytes() * times.len() as f64;
    if terabytes <= 0.0 {
        return None;
    }
    let sum = |of: fn(&Range<Hours>) -> Hours| times.iter().map(of).sum::<Hours>();
    let sums = Range { low: sum(|t| t.low), base: sum(|t| t.base), high: sum(|t| t.high) };
    Some(sums.map(|hours| Hours::of(hours.get() / terabytes)))
}

fn failed(cells: &[(&str, &Cell)]) -> (usize, usize) {
    let tried = cells.iter().map(|(_, c)| c).filter(|c| c.completed > 0 && c.outcome != Outcome::WrongAnswer);
    tried.fold((0, 0), |(failed, all), c| (failed + c.trials.saturating_sub(c.completed), all + c.trials))
}

/// Over the faults that end a node: what a spot instance that is taken away does to a job.
fn wasted(family: &FamilyReport, contestant: &Contestant) -> Option<Range<Count>> {
    let is_of_engine = |label: &str| {
        let rest = label.strip_prefix(&contestant.engine);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ' ', '+']))
    };
    let of_engine = family.faults.iter().filter(|f| is_of_engine(&f.contestant));
    let kills = of_engine.flat_map(|f| &f.effects).filter(|e| e.fault.starts_with("kill"));
    let shares = sorted(kills.filter_map(|e| e.wasted_share_median).filter(|s| (0.0..=1.0).contains(s)));
    let (low, high) = (*shares.first()?, *shares.last()?);
    Some(Range::around(Count::of(median(&shares)?), [Count::of(low), Count::of(high)]))
}

fn written(cells: &[(&str, &Cell)], machines: u32) -> Option<Gigabytes> {
    let most = cells
        .iter()
        .filter_map(|(_, c)| c.write_bytes_median)
        .fold(None, |most: Option<f64>, bytes| Some(most.map_or(bytes, |most| most.max(bytes))));
    most.map(|bytes| Gigabytes::of(bytes / 1e9 / f64::from(machines.max(1))))
}

/// Where it ran, as machines for rent. Nodes that share a machine are paid for once: it is what was measured.
fn place(contestant: &Contestant, cells: &[(&str, &Cell)], runs: &[&Run]) -> (u32, Place) {
    let apart = has_own_machines(&contestant.cluster);
    let machines = if apart { contestant.nodes } else { 1 };
    // Of a product's own cluster nobody sees the machines.
    let nodes =
        runs.iter().map(|r| &r.context.cluster).filter(|c| c.name == contestant.cluster).flat_map(|c| &c.machines);
    let memory_gib = if apart {
        let least = nodes.filter_map(|m| m.memory_bytes).min();
        least.map(|bytes| Count::of(bytes as f64 / f64::from(1u32 << 30) * MEMORY_SHOWN))
    } else {
        // What was seen of several processes is the least that they held: a machine of that size may be too small.
        let most = cells.iter().filter_map(|(_, c)| c.rss_bytes_bound.max(c.rss_bytes_peak)).max();
        most.map(|bytes| Count::of(bytes as f64 / f64::from(1u32 << 30)))
    };
    let arch = runs.first().map(|r| r.context.machine.arch.clone()).unwrap_or_default();
    let vcpus = Count::of((contestant.cores / f64::from(machines.max(1))).ceil());
    (machines, Place { machines, driver_apart: apart, arch, vcpus, memory_gib })
}

/// Bytes that nodes received over bytes of data, on the common workloads; none unless all of them were counted.
fn exchanged(contestant: &Contestant, common: &BTreeSet<&str>, runs: &[&Run], data: Gigabytes) -> Option<Count> {
    let mut sum = 0.0;
    for workload in common {
        let trials = runs.iter().flat_map(|r| &r.observations).filter(|o| {
            let c = &o.case;
            let who = (c.engine.as_str(), c.variant.as_str(), c.cluster.as_str(), c.nodes, c.slots);
            let is =
                (&*contestant.engine, &*contestant.variant, &*contestant.cluster, contestant.nodes, contestant.slots);
            o.arm == Arm::Main && o.outcome == Outcome::Completed && c.workload == *workload && who == is
        });
        sum += median(&sorted(trials.filter_map(|o| o.network).map(|n| n.received_bytes as f64)))?;
    }
    let bytes = data.get() * 1e9 * common.len() as f64;
    (bytes > 0.0).then(|| Count::of(sum / bytes))
}

/// What a workload of a family reads: as asked, or the tables of its kind in the run's record, as they are stored.
fn data_of(table: &Table, family: Family, runs: &[&Run], asked: &Asked) -> Option<(Gigabytes, String)> {
    if let Some(bytes) = asked.data.get(&family) {
        let data = Gigabytes::from_bytes(*bytes);
        return (data.get() > 0.0).then(|| (data, "as asked".to_owned()));
    }
    let kind = match family {
        Family::Sql => "tpch",
        Family::Dataframe => "groupby",
        _ => "",
    };
    let recorded = runs.iter().flat_map(|r| &r.context.datasets).filter(|d| d.scale == table.scale && d.bytes > 0);
    let all: BTreeMap<&str, u64> = recorded.map(|d| (d.name.as_str(), d.bytes)).collect();
    let of_kind = all.iter().filter(|(name, _)| !kind.is_empty() && name.starts_with(kind));
    let (name, bytes) = only(of_kind).or_else(|| only(all.iter()))?;
    Some((Gigabytes::from_bytes(Bytes::new(*bytes)), format!("{name} as it is stored")))
}

/// The only one; none of several.
fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    all.next().filter(|_| all.next().is_none())
}

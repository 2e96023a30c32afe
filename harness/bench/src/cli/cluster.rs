//! Where nodes run and what goes wrong there, as options.

use super::value::ValueError;
use anyhow::{Result, anyhow, bail};
use bench_model::{Bytes, ClusterSpec, Fault, FaultKind, NodeLimits, parse_bytes};
use clap::Args;
use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

/// Node counts of a processes or emulated cluster when nobody says otherwise.
const NODES: u32 = 4;

/// Where the nodes of the in-repo styles run. Engines that are one process run as one process.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub(crate) struct Clusters {
    /// Runs the nodes of the engine styles here: local (in the engine's process), processes (node processes of this
    /// machine), emulated (node processes with links and limits of their own; needs root), or a hosts file such as
    /// hosts.toml (node processes on other machines, over ssh) [default: local]. A product can be one emulated node (--nodes 1).
    #[arg(long, value_name = "KIND|FILE")]
    pub(crate) cluster: Option<ClusterKind>,
    /// Measures each style on each of these node counts, such as 1,2,4 [default: 4; every machine of a hosts file].
    /// Slots are per node; without --slots, the cores are shared out, and a hosts file's machines get as many as the
    /// smallest of them has cores.
    #[arg(long, value_name = "N,M", value_delimiter = ',', requires = "cluster")]
    pub(crate) nodes: Vec<Nodes>,
    /// Lets the data grow with the nodes (weak: a suite's tables times the node count, made where they are missing) or
    /// stay as it is (strong) [default: strong]. Weak scaling shows whether twice the machines do twice the work.
    #[arg(long, value_name = "HOW", requires = "nodes")]
    pub(crate) scaling: Option<Scaling>,
    /// Limits each emulated node, such as cpu=0.4,memory=2GiB,link=1000 (cores from 0.05, size, Mbit/s) [default:
    /// unlimited].
    #[arg(long, value_name = "LIMITS", requires = "cluster")]
    pub(crate) node_limits: Option<Limits>,
    /// Hurts the cluster on purpose in every trial: KIND@PERCENT%, KIND@random, or either with :nNODE. The percentage is
    /// of the job's tasks; what is left open is drawn from --seed. Kinds: kill, pause, corrupt-block; on this machine
    /// slow-cpu, as root disk-full; on emulated nodes cut, cut-one-way, rate, oom. One that cannot be done makes its
    /// trial void. A failed trial ends no case here.
    #[arg(long, value_name = "FAULT", value_delimiter = ',', requires = "cluster")]
    pub(crate) faults: Vec<Fault>,
}

/// What stays the same while nodes are added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scaling {
    /// The data.
    #[default]
    Strong,
    /// The data per node.
    Weak,
}

/// A kind of cluster, or the file that names its machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClusterKind {
    Local,
    Processes,
    Emulated,
    Hosts(PathBuf),
}

impl FromStr for ClusterKind {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "local" => Ok(Self::Local),
            "processes" => Ok(Self::Processes),
            "emulated" => Ok(Self::Emulated),
            file if file.ends_with(".toml") => Ok(Self::Hosts(file.into())),
            _ => Err(ValueError::Cluster),
        }
    }
}

/// How many nodes, 1 to 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nodes(NonZeroU32);

impl Nodes {
    pub(crate) const fn get(self) -> u32 {
        self.0.get()
    }
}

impl FromStr for Nodes {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let number = text.parse::<NonZeroU32>().ok().filter(|n| n.get() <= 200);
        number.map(Self).ok_or(ValueError::Count { low: 1, high: 200 })
    }
}

/// What an emulated node is limited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits(NodeLimits);

impl FromStr for Limits {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut limits = NodeLimits::default();
        for part in text.split(',') {
            let (key, value) = part.split_once('=').ok_or(ValueError::Limits)?;
            match key {
                "cpu" => {
                    let cores = value.parse::<f64>().ok().filter(|c| (0.0..=1024.0).contains(c));
                    let milli = (cores.ok_or(ValueError::Limits)? * 1000.0).round() as u32;
                    if milli < NodeLimits::CPU_MILLI_MIN {
                        return Err(ValueError::LimitsCpu);
                    }
                    limits.cpu_milli = Some(milli);
                }
                "memory" => {
                    let memory = parse_bytes(value).filter(|m| *m >= Bytes::new(64 << 20));
                    limits.memory = Some(memory.ok_or(ValueError::Limits)?);
                }
                "link" => {
                    let mbit = value.parse::<NonZeroU32>().map_err(|_| ValueError::Limits)?;
                    limits.rate_mbit = Some(mbit.get());
                }
                _ => return Err(ValueError::Limits),
            }
        }
        Ok(Self(limits))
    }
}

impl Clusters {
    /// The clusters asked for, one for each node count.
    ///
    /// # Errors
    /// A hosts file that cannot be used, options that do not fit the kind, or faults without a node to hurt.
    pub(crate) fn specs(&self) -> Result<Vec<ClusterSpec>> {
        let kind = self.cluster.as_ref().unwrap_or(&ClusterKind::Local);
        if self.node_limits.is_some() && *kind != ClusterKind::Emulated {
            bail!("--node-limits needs --cluster emulated: only emulated nodes can be limited");
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.nodes.iter().find(|nodes| !seen.insert(nodes.0)) {
            bail!("--nodes names {} twice; name each count once", twice.0);
        }
        let counts = || {
            let counts: Vec<u32> = self.nodes.iter().map(|n| n.0.get()).collect();
            if counts.is_empty() { vec![NODES] } else { counts }
        };
        match kind {
            ClusterKind::Local if !self.nodes.is_empty() || !self.faults.is_empty() => {
                bail!("--nodes and --faults need nodes: give --cluster processes or another one")
            }
            ClusterKind::Local => Ok(vec![ClusterSpec::Local]),
            ClusterKind::Processes => Ok(counts().into_iter().map(|nodes| ClusterSpec::Processes { nodes }).collect()),
            ClusterKind::Emulated => {
                let limits = self.node_limits.map(|l| l.0).unwrap_or_default();
                Ok(counts().into_iter().map(|nodes| ClusterSpec::Emulated { nodes, limits }).collect())
            }
            ClusterKind::Hosts(file) => {
                self.faults.iter().try_for_each(over_ssh)?;
                let hosts = bench_lab::cluster::Hosts::read(file)?;
                let counts: Vec<Option<u32>> = self.nodes.iter().map(|n| Some(n.0.get())).collect();
                let counts = if counts.is_empty() { vec![None] } else { counts };
                let cluster = |nodes: Option<u32>| {
                    hosts.cluster(nodes).ok_or_else(|| {
                        let (nodes, known) = (nodes.unwrap_or_default(), hosts.hosts.len());
                        anyhow!("--nodes {nodes}: {} names {known} machines only", file.display())
                    })
                };
                counts.into_iter().map(cluster).collect()
            }
        }
    }
}

/// Whether a fault can be done to a process on another machine: by a signal, or by the process itself.
fn over_ssh(fault: &Fault) -> Result<()> {
    match fault.kind {
        FaultKind::Kill | FaultKind::Pause | FaultKind::CorruptBlock => Ok(()),
        other => bail!("--faults {}: over ssh, nodes can be hurt by kill, pause and corrupt-block only", other.name()),
    }
}

/// One seed, or a row of them: `7`, `1..20` (both ends included).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seeds {
    /// The first.
    pub(crate) first: u64,
    /// How many, if a row was given: one trial each.
    pub(crate) count: Option<NonZeroU32>,
}

impl FromStr for Seeds {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let number = |text: &str| text.parse::<u64>().map_err(|_| ValueError::Seeds);
        let Some((first, last)) = text.split_once("..") else { return Ok(Self { first: number(text)?, count: None }) };
        let (first, last) = (number(first)?, number(last)?);
        let count = last.checked_sub(first).and_then(|n| u32::try_from(n).ok()).filter(|n| *n < 1000);
        let count = count.and_then(|n| NonZeroU32::new(n + 1)).ok_or(ValueError::Seeds)?;
        Ok(Self { first, count: Some(count) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_seeds_includes_both_ends() {
        let seeds = "1..20".parse::<Seeds>().map(|s| (s.first, s.count.map(NonZeroU32::get)));
        assert_eq!(seeds, Ok((1, Some(20))));
        assert_eq!("7".parse::<Seeds>(), Ok(Seeds { first: 7, count: None }));
        for bad in ["", "..", "5..1", "1..", "1..2000", "x"] {
            assert!(bad.parse::<Seeds>().is_err(), "{bad}");
        }
    }

    #[test]
    fn limits_are_cores_a_size_and_a_rate() {
        let limits = "cpu=0.4,memory=2GiB,link=1000".parse::<Limits>().map(|l| l.0);
        let expected = NodeLimits { cpu_milli: Some(400), memory: Some(Bytes::new(2 << 30)), rate_mbit: Some(1000) };
        assert_eq!(limits, Ok(expected));
        for bad in ["", "cpu", "cpu=0", "memory=1KiB", "link=0", "disk=1"] {
            assert!(bad.parse::<Limits>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_cpu_limit_below_what_the_kernel_grants_is_refused_and_not_raised() {
        assert_eq!("cpu=0.05".parse::<Limits>().map(|l| l.0.cpu_milli), Ok(Some(50)));
        for little in ["cpu=0.049", "cpu=0.01", "cpu=0"] {
            let said = little.parse::<Limits>().unwrap_err().to_string();
            assert!(said.contains("at least 0.05"), "{little}: {said}");
        }
    }

    #[test]
    fn a_process_elsewhere_is_hurt_by_signals_and_by_itself() {
        let fault = |kind: FaultKind| Fault { kind, trigger: bench_model::Trigger::Random, node: None };
        let possible = FaultKind::ALL.into_iter().filter(|kind| over_ssh(&fault(*kind)).is_ok());
        assert_eq!(possible.map(FaultKind::name).collect::<Vec<_>>(), ["kill", "pause", "corrupt-block"]);
    }

    #[test]
    fn faults_without_nodes_are_refused() {
        let clusters = Clusters { faults: vec!["kill@50%".parse().unwrap()], ..Clusters::default() };
        assert!(clusters.specs().is_err());
    }
}

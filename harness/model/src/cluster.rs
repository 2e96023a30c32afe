//! Where an engine's nodes run: plain data, carried out by a [`Launcher`].

use crate::fault::FaultKind;
use crate::ids::NodeId;
use crate::units::Bytes;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the nodes of an engine run. The same for every engine of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ClusterSpec {
    /// One node, in the engine's own process.
    #[default]
    Local,
    /// Node processes of this machine, as they are.
    Processes {
        /// How many.
        nodes: u32,
    },
    /// Node processes of this machine, each in a network namespace and a control group of its own.
    Emulated {
        /// How many.
        nodes: u32,
        /// What each of them is limited to.
        limits: NodeLimits,
    },
    /// One node process on each of these machines, started over ssh.
    Hosts {
        /// The machines, in node order.
        hosts: Vec<SshHost>,
        /// A folder of certificates, of the same path on every machine, if what they say to each other is encrypted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tls: Option<PathBuf>,
    },
    /// A product's own cluster: one that runs already and is only connected to, or one that it starts itself.
    Attached {
        /// Its address, as the product writes it: `spark://host:7077`.
        address: String,
        /// How many machines it has, as whoever connects to it says.
        nodes: u32,
        /// Whether the product starts it itself, as so many processes of this machine. Its driver knows that from the address.
        #[serde(skip)]
        starts_here: bool,
    },
}

/// What an emulated node is limited to; unlimited where absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeLimits {
    /// CPU time, in thousandths of a core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_milli: Option<u32>,
    /// Memory, page cache included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// Its link, in Mbit/s each way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_mbit: Option<u32>,
}

/// A machine that is reached over ssh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SshHost {
    /// What ssh is told: `host` or `user@host`.
    pub ssh: String,
    /// ssh's port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// A private key; ssh's own choice where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<PathBuf>,
    /// A file with the machine's public key; ssh's own where absent. A machine that is in neither is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<PathBuf>,
    /// The address its node listens on and the others connect to.
    pub address: std::net::IpAddr,
    /// A folder on that machine for the program and its temporary files.
    pub folder: PathBuf,
    /// Whether the program stays there for the next run.
    pub keep_program: bool,
    /// How the tables get there.
    pub tables: HostTables,
    /// Where things lie on that machine, once it was made ready for a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<HostSite>,
}

/// How tables get to a machine. Either way they lie at the path that they have on the driver's machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostTables {
    /// They are there already: the file system is shared, or somebody has copied them.
    #[default]
    Present,
    /// Those that are missing there or differ are copied before the run, and stay.
    Copy,
}

/// What a run has on another machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostSite {
    /// The program.
    pub program: PathBuf,
    /// A folder that is the run's own and goes when the run does.
    pub folder: PathBuf,
}

impl NodeLimits {
    /// The least CPU time a node can be limited to, in thousandths of a core: the kernel grants a millisecond of every 20 or
    /// nothing.
    pub const CPU_MILLI_MIN: u32 = 50;
}

impl ClusterSpec {
    /// Its kind as commands and records name it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Processes { .. } => "processes",
            Self::Emulated { .. } => "emulated",
            Self::Hosts { .. } => "hosts",
            Self::Attached { starts_here: true, .. } => "processes",
            Self::Attached { .. } => "attached",
        }
    }

    /// Whether it is a product's own that runs already: nobody here sees its machines.
    #[must_use]
    pub const fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Attached { starts_here: false, .. })
    }

    /// How many nodes it has.
    #[must_use]
    pub fn nodes(&self) -> u32 {
        match self {
            Self::Local => 1,
            Self::Processes { nodes } | Self::Emulated { nodes, .. } | Self::Attached { nodes, .. } => *nodes,
            Self::Hosts { hosts, .. } => u32::try_from(hosts.len()).unwrap_or(u32::MAX),
        }
    }

    /// The folder of certificates, if what its processes say to each other is encrypted.
    #[must_use]
    pub fn tls(&self) -> Option<&Path> {
        match self {
            Self::Hosts { tls, .. } => tls.as_deref(),
            Self::Local | Self::Processes { .. } | Self::Emulated { .. } | Self::Attached { .. } => None,
        }
    }
}

/// Starts node processes. Dropping what it returns stops them, whatever happened.
pub trait Launcher: Send + Sync {
    /// Starts the program of a node, which keeps its files in `scratch`, and waits until it listens.
    ///
    /// # Errors
    /// Why there is no such node, with what to do about it.
    fn launch(&self, cluster: &ClusterSpec, node: NodeId, scratch: &Path) -> Result<Box<dyn LaunchedNode>, String>;

    /// From now on nodes are started in such a way that these faults can be done to them, as far as that is possible. True
    /// if those that were started before are not, so that they have to be started again.
    fn prepare_for(&self, faults: &[FaultKind]) -> bool {
        let _ = faults;
        false
    }
}

/// A node's process. Dropping it kills the process and removes whatever was set up for it.
pub trait LaunchedNode: Send {
    /// Where it listens.
    fn address(&self) -> std::net::SocketAddr;
    /// The secret that it accepts connections by.
    fn token(&self) -> &str;
    /// Whether the process still exists.
    fn is_alive(&mut self) -> bool;
    /// Hurts it from outside. What only the node itself can play, a corrupt block, is refused.
    ///
    /// # Errors
    /// Why this cluster cannot do that.
    fn inject(&mut self, fault: &FaultKind) -> Result<(), String>;
    /// Ends whatever [`LaunchedNode::inject`] began and can be ended (a pause, a cut, a slow CPU, a full disk).
    ///
    /// # Errors
    /// Why that failed.
    fn relieve(&mut self) -> Result<(), String>;
    /// Waits for the process to end by itself, at most so long; then kills it.
    fn stop(&mut self, patience: Duration);
}

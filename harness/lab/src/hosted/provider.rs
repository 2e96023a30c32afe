//! Engines for the runner: one process each, with a scratch folder of its own.

use super::session::{HostedEngine, HostedSession, Origin};
use super::sockets::SocketFolder;
use crate::cluster::remove_leftovers;
use crate::live::{
    Digested, EngineProvider, EngineSpec, Failure, Keep, Limits, LiveEngine, Measured, Probed, Refusals,
};
use bench_model::{Bytes, Check, ClusterSpec, Dataset, EngineSetup, FaultOutcome, FaultPlan, Probe, Workload};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Tells a product of a folder whose path is short, removed when it has ended.
const SOCKETS: &str = "BENCH_SOCKETS";

/// Starts each engine as `host... NAME` in a process of its own.
#[derive(Debug)]
pub struct HostedProvider {
    host: Vec<OsString>,
    origin: Origin,
    scratch: PathBuf,
    started: AtomicU64,
}

impl HostedProvider {
    /// `host` is the command line that the engine's name is appended to; scratch folders are made below `scratch`.
    #[must_use]
    pub fn new(host: Vec<OsString>, origin: Origin, scratch: PathBuf) -> Self {
        Self { host, origin, scratch, started: AtomicU64::new(0) }
    }

    /// This very program, called as `engine-host NAME`.
    ///
    /// # Errors
    /// The path of the running program is unknown.
    pub fn this_program(scratch: PathBuf) -> std::io::Result<Self> {
        let program = std::env::current_exe()?;
        Ok(Self::new(vec![program.into(), "engine-host".into()], Origin::ThisBuild, scratch))
    }
}

impl HostedProvider {
    /// Starts an engine as whatever `host` makes of its scratch folder, in place of `host... NAME`: a product's driver.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn start_as(
        &self,
        engine: &EngineSpec,
        host: impl FnOnce(&Path) -> Result<HostedEngine, Failure>,
        stop: &AtomicBool,
    ) -> Result<Box<dyn LiveEngine>, Failure> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let scratch = Scratch::create(self.scratch.join(format!("{}-{}-{number}", engine.name, std::process::id())))?;
        // Before the engine starts: one that is killed while it starts its nodes leaves something too.
        let has_nodes = !matches!(engine.cluster, ClusterSpec::Local | ClusterSpec::Attached { .. });
        let traces = has_nodes.then_some(Traces);
        let mut host = host(&scratch.0)?;
        // A product that is one emulated node works on this machine as far as it knows.
        let is_node = host.origin == Origin::Foreign && matches!(engine.cluster, ClusterSpec::Emulated { .. });
        let setup = EngineSetup {
            slots: engine.slots,
            memory: engine.memory,
            scratch: scratch.0.clone(),
            tuning: engine.tuning.clone(),
            spans: engine.spans,
            cluster: if is_node { ClusterSpec::Local } else { engine.cluster.clone() },
        };
        let sockets = (host.origin == Origin::Foreign).then(SocketFolder::create).transpose();
        let sockets = sockets.map_err(|e| Failure::Harness(format!("cannot make a folder for sockets: {e}")))?;
        if let Some(sockets) = &sockets {
            host.environment.push((SOCKETS.into(), sockets.path().into()));
        }
        let session = host.start(&setup, stop)?;
        Ok(Box::new(Hosted { session, _traces: traces, _sockets: sockets, _scratch: scratch }))
    }
}

impl EngineProvider for HostedProvider {
    fn start(&self, engine: &EngineSpec, stop: &AtomicBool) -> Result<Box<dyn LiveEngine>, Failure> {
        let mut argv = self.host.clone();
        argv.push(engine.name.clone().into());
        let name = Some(engine.name.clone());
        // As products are. Other nodes have limits or machines of their own.
        let cpus = match engine.cluster {
            ClusterSpec::Local => Some(engine.slots),
            ClusterSpec::Processes { nodes } => Some(engine.slots.saturating_mul(nodes)),
            _ => None,
        };
        // Its nodes have the limits.
        let host = HostedEngine { name, cpus, ..HostedEngine::new(argv, self.origin) };
        self.start_as(engine, |_| Ok(host), stop)
    }
}

/// What a cluster leaves on this machine when its engine's process is killed; removed when dropped.
struct Traces;

impl Drop for Traces {
    fn drop(&mut self) {
        remove_leftovers();
    }
}

/// A folder that is removed with everything in it.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn create(path: PathBuf) -> Result<Self, Failure> {
        fs::create_dir_all(&path)
            .map_err(|e| Failure::Harness(format!("cannot make the scratch folder {}: {e}", path.display())))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Fields drop in order: the process is gone before what it leaves is removed.
struct Hosted {
    session: HostedSession,
    _traces: Option<Traces>,
    _sockets: Option<SocketFolder>,
    _scratch: Scratch,
}

impl LiveEngine for Hosted {
    fn version(&self) -> &str {
        self.session.version()
    }

    fn refuses(&self) -> Refusals {
        self.session.refuses().clone()
    }

    fn load(&mut self, data: &[Arc<Dataset>], stop: &AtomicBool) -> Result<(), Failure> {
        self.session.load(data, stop)
    }

    fn arm(&mut self, faults: &FaultPlan, stop: &AtomicBool) -> Result<(), Failure> {
        self.session.arm(faults, stop)
    }

    fn run(&mut self, workload: &Workload, limits: &Limits<'_>) -> Result<Measured, Failure> {
        self.session.run(workload, limits)
    }

    fn struck(&mut self) -> Vec<FaultOutcome> {
        self.session.struck()
    }

    fn digest(&mut self, check: &Check, keep: Keep<'_>, stop: &AtomicBool) -> Result<Digested, Failure> {
        self.session.digest(check, keep, stop)
    }

    fn discard(&mut self, stop: &AtomicBool) -> Result<(), Failure> {
        self.session.discard(stop)
    }

    fn explain(&mut self, workload: &Workload, analyze: bool, limits: &Limits<'_>) -> Result<String, Failure> {
        self.session.explain(workload, analyze, limits)
    }

    fn probe(&mut self, probe: &Probe, stop: &AtomicBool) -> Result<Probed, Failure> {
        self.session.probe(probe, stop)
    }

    fn pause(&mut self) {
        self.session.pause();
    }

    fn memory(&self) -> Option<Bytes> {
        self.session.memory()
    }

    fn leaves_traces(&self) -> bool {
        self.session.leaves_traces()
    }

    fn is_alive(&mut self) -> bool {
        self.session.is_alive()
    }

    fn stop(mut self: Box<Self>) {
        self.session.stop();
    }
}

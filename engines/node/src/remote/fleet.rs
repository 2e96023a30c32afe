//! The node processes of a session, from their start to their end.

use crate::control::Control;
use crate::host::{Host, Running, Seat};
use crate::remote::blocks::{Courier, Mapped};
use crate::remote::cluster::{Account, Cluster, NodeAddress, Orders};
use crate::remote::crew::{Role, Wire};
use crate::remote::error::RemoteError;
use crate::remote::gate::Io;
use crate::remote::network::Network;
use crate::remote::options::NodeOptions;
use crate::remote::reader::Reader;
use crate::remote::tls::TlsFiles;
use crate::remote::token::ClusterToken;
use crate::remote::wire::Configure;
use arrow::array::RecordBatch;
use bench_model::{
    BlockRef, Bytes, ClusterSpec, EngineError, EngineSetup, Epoch, FaultKind, FaultPlan, Front, JobId, LaunchedNode,
    Launcher, NodeId, Registry, Style, TaskFailure,
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How the nodes of an engine are started and spoken to.
#[derive(Clone)]
pub struct NodePlan {
    /// Starts them.
    pub launcher: Arc<dyn Launcher>,
    /// Which binary this is; nodes of another are refused.
    pub build: String,
    /// Deadlines and certificates.
    pub options: NodeOptions,
}

/// How long a node may take to end after it was asked to.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long all nodes together may take to join.
const MUSTER: Duration = Duration::from_secs(30);

/// The nodes of a session. Dropping it ends them.
pub(crate) struct Fleet<S: Style> {
    cluster: Arc<Cluster<S>>,
    supervisor: Option<JoinHandle<()>>,
    launched: Mutex<Vec<Box<dyn LaunchedNode>>>,
    plan: NodePlan,
    spec: ClusterSpec,
    scratch: PathBuf,
    /// After the supervisor: what it calls runs there.
    _io: Io,
}

impl<S: Style> Fleet<S> {
    /// Starts the nodes that `setup` asks for, and the driver's host. It returns when all of them have joined.
    ///
    /// # Errors
    /// A node that does not start or does not join, or a system that refuses resources.
    pub(crate) fn start(
        style: &S,
        front: Option<Arc<dyn Front>>,
        registry: Registry,
        setup: &EngineSetup,
        plan: NodePlan,
    ) -> Result<(Self, Running<S>), EngineError> {
        let failed = |e: RemoteError| EngineError::Failed(e.to_string());
        let spec = setup.cluster.clone();
        let tls = plan.options.tls.clone().or_else(|| spec.tls().map(TlsFiles::in_folder));
        let plan = NodePlan { options: NodeOptions { tls, ..plan.options }, ..plan };
        let mut launched = Vec::new();
        for node in (0..spec.nodes()).map(NodeId) {
            launched.push(plan.launcher.launch(&spec, node, &setup.scratch).map_err(EngineError::Failed)?);
        }
        let addresses = launched.iter().map(|node| address_of(node.as_ref())).collect::<Result<Vec<_>, _>>();
        let addresses = addresses.map_err(failed)?;
        let io = Io::start().map_err(failed)?;
        let session = ClusterToken::random().map_err(|e| failed(RemoteError::Resources(e)))?.fingerprint();
        let template = template(style, setup, session, &plan.options);
        let courier = Arc::new(Courier::new(io.handle(), &plan.options).map_err(failed)?);
        let reader = Arc::new(Reader::new(courier, template.session, Some(Mapped::Answer)));
        let network = Arc::new(Network::new(None).map_err(|e| failed(RemoteError::Resources(e)))?);
        let keys = plan.options.tls.as_ref().map(TlsFiles::keys).transpose().map_err(failed)?;
        let orders = Orders { template, build: plan.build.clone(), options: plan.options.clone(), keys };
        let cluster = Cluster::new(addresses, orders, Arc::clone(&network), reader);
        let wire = Wire { network, role: Arc::clone(&cluster) as Arc<dyn Role<S>> };
        let running = Running::start(style, Seat::Driver(wire), front, registry, setup)?;
        cluster.serve(&running.host);
        let mut fleet = Self {
            cluster,
            supervisor: None,
            launched: Mutex::new(launched),
            plan,
            spec,
            scratch: setup.scratch.clone(),
            _io: io,
        };
        let supervised = Arc::clone(&fleet.cluster);
        let supervisor = std::thread::Builder::new().name("bench-supervisor".to_owned());
        let supervisor = supervisor.spawn(move || supervised.supervise());
        fleet.supervisor = Some(supervisor.map_err(|e| failed(RemoteError::Resources(e)))?);
        fleet.cluster.wait_until_whole(MUSTER).map_err(failed)?;
        Ok((fleet, running))
    }

    /// How many nodes there should be.
    pub(crate) fn nodes(&self) -> u32 {
        self.spec.nodes()
    }

    /// Starts nodes again that have died, and waits until all are up.
    ///
    /// # Errors
    /// A node that does not start or does not join.
    pub(crate) fn make_whole(&mut self) -> Result<(), EngineError> {
        let failed = |e: RemoteError| EngineError::Failed(e.to_string());
        let by = Instant::now() + MUSTER;
        loop {
            // A node that dies or leaves at this very moment still seems alive, so this is looked at again and again.
            for (node, process) in (0..).map(NodeId).zip(processes(&self.launched).iter_mut()) {
                if !process.is_alive() {
                    let launched = self.plan.launcher.launch(&self.spec, node, &self.scratch);
                    *process = launched.map_err(EngineError::Failed)?;
                    self.cluster.moved(node, address_of(process.as_ref()).map_err(failed)?);
                }
            }
            match self.cluster.wait_until_whole(self.plan.options.heartbeat) {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() >= by => return Err(failed(error)),
                Err(_) => {}
            }
        }
    }

    /// Prepares for faults to come: nodes that were started in a way that rules one of them out are started again, and so
    /// are nodes that have died.
    ///
    /// # Errors
    /// Those of [`Self::make_whole`].
    pub(crate) fn arm(&mut self, faults: &FaultPlan) -> Result<(), EngineError> {
        let kinds: Vec<FaultKind> = faults.faults.iter().map(|fault| fault.kind).collect();
        if self.plan.launcher.prepare_for(&kinds) {
            processes(&self.launched).iter_mut().for_each(|process| process.stop(FAREWELL));
        }
        self.make_whole()
    }

    /// Has a node damage a block of a job; the host hears what came of it.
    ///
    /// # Errors
    /// The node is not up.
    pub(crate) fn damage(&self, node: NodeId, job: JobId, fault: u32, seed: u64) -> Result<(), String> {
        self.cluster.damage(node, job, fault, seed)
    }

    /// Hurts a node.
    ///
    /// # Errors
    /// There is no such node, or this cluster cannot do that to it.
    pub(crate) fn strike(&self, node: NodeId, fault: FaultKind) -> Result<(), String> {
        let mut processes = processes(&self.launched);
        let process = processes.get_mut(node.0 as usize).ok_or_else(|| format!("there is no {node}"))?;
        process.inject(&fault)
    }

    /// Ends what was done to a node, or to all of them, and can be ended.
    pub(crate) fn relieve(&self, only: Option<NodeId>) {
        for (node, process) in (0..).map(NodeId).zip(processes(&self.launched).iter_mut()) {
            if only.is_none_or(|only| only == node)
                && process.is_alive()
                && let Err(error) = process.relieve()
            {
                tracing::warn!(%node, %error, "what was done to a node cannot be undone");
            }
        }
    }

    /// How long a node may be silent before it counts as down.
    pub(crate) fn silence(&self) -> Duration {
        self.plan.options.silence
    }

    /// Where the nodes' slots spent their time so far. Whatever they had said before has arrived when it returns.
    pub(crate) fn accounts(&self) -> BTreeMap<NodeId, Account> {
        self.cluster.accounts()
    }

    /// Reads an answer, then lets the driver say what it had to hold back.
    ///
    /// # Errors
    /// A block of it is gone or damaged.
    pub(crate) fn read(&self, host: &Host<S>, blocks: Vec<BlockRef>) -> Result<Vec<RecordBatch>, TaskFailure> {
        let blocks = blocks.into_iter().filter(|b| b.meta.rows.get() > 0).collect();
        let mut batches = Vec::new();
        let read = self.cluster.reader().read(blocks, Bytes::new(u64::MAX), &Arc::default()).try_for_each(|block| {
            for batch in block? {
                batches.push(batch?);
            }
            Ok(())
        });
        host.command(|control: &mut Control<S>, _| control.release_held());
        read.map(|()| batches)
    }

    /// The job is over on every node.
    pub(crate) fn forget(&self, job: JobId) {
        self.cluster.forget(job);
    }
}

impl<S: Style> Drop for Fleet<S> {
    fn drop(&mut self) {
        let missing = self.cluster.missing();
        self.cluster.stop();
        if let Some(supervisor) = self.supervisor.take() {
            // Its panic was reported when it happened.
            let _ = supervisor.join();
        }
        for (node, process) in (0..).map(NodeId).zip(processes(&self.launched).iter_mut()) {
            // One that never joined was not asked to leave either.
            process.stop(if missing.contains(&node) { Duration::ZERO } else { FAREWELL });
        }
    }
}

/// The processes; whoever panicked while holding them left them as they are.
fn processes(launched: &Mutex<Vec<Box<dyn LaunchedNode>>>) -> MutexGuard<'_, Vec<Box<dyn LaunchedNode>>> {
    launched.lock().unwrap_or_else(PoisonError::into_inner)
}

fn address_of(node: &dyn LaunchedNode) -> Result<NodeAddress, RemoteError> {
    let token = ClusterToken::parse(node.token()).map_err(|_| RemoteError::NoToken)?;
    Ok(NodeAddress { address: node.address().to_string(), token })
}

fn template<S: Style>(style: &S, setup: &EngineSetup, session: u64, options: &NodeOptions) -> Configure {
    let settings = setup.tuning.iter().map(|(key, value)| (key.to_owned(), value.to_string()));
    Configure {
        style: style.name().to_owned(),
        settings: settings.collect(),
        node: NodeId(0),
        epoch: Epoch(0),
        session,
        slots: setup.slots,
        memory: setup.memory,
        resources: Vec::new(),
        spans: setup.spans,
        silence: options.silence.into(),
    }
}

//! One incarnation of a node: a style's machine and slots, at work for one driver.

use crate::host::{Host, Running, Seat};
use crate::remote::blocks::{Courier, Mapped, Place};
use crate::remote::crew::{Role, Wire};
use crate::remote::error::{LinkError, RemoteError};
use crate::remote::handshake::{self, Caller, Identity};
use crate::remote::link::Link;
use crate::remote::network::Network;
use crate::remote::options::NodeOptions;
use crate::remote::peers::RemotePeers;
use crate::remote::reader::Reader;
use crate::remote::stream::Stream;
use crate::remote::token::ClusterToken;
use crate::remote::wire::{Batch, Configure, Frame, Peer, write_frame};
use crate::store::BlockStore;
use bench_model::{Addr, EngineSetup, Epoch, JobId, NodeId, Registry, Style, Tuning};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::Duration;

/// Why an incarnation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Its driver is gone or has given it up.
    Abandoned,
    /// Its driver asked it to leave.
    Stopped,
}

/// What the incarnations of a node come from.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) identity: Identity,
    pub(crate) options: NodeOptions,
    pub(crate) courier: Arc<Courier>,
    pub(crate) scratch: PathBuf,
    pub(crate) shared: Option<PathBuf>,
    /// Nudged when an incarnation is over.
    pub(crate) news: Arc<News>,
}

/// Where the node's own thread waits for something to change.
#[derive(Default)]
pub(crate) struct News {
    /// How often something changed.
    count: Mutex<u64>,
    changed: Condvar,
}

impl News {
    /// Something has changed.
    pub(crate) fn nudge(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    /// Waits until something has changed since `seen`, or for `at_most`. Returns what to pass the next time.
    pub(crate) fn wait(&self, seen: u64, at_most: Duration) -> u64 {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(count, at_most, |count| *count == seen);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The end of one incarnation, for the first reason that is found.
pub(crate) struct Ending {
    over: OnceLock<Over>,
    news: Arc<News>,
}

impl Ending {
    fn tell(&self, over: Over) {
        // A later reason does not count.
        let _ = self.over.set(over);
        self.news.nudge();
    }

    /// Its driver has given it up.
    pub(crate) fn abandon(&self) {
        self.tell(Over::Abandoned);
    }

    /// Why it is over, if it is.
    pub(crate) fn reason(&self) -> Option<Over> {
        self.over.get().copied()
    }
}

/// An incarnation, whatever its style.
pub(crate) trait Member: Send + Sync {
    /// What it was told to be.
    fn configured(&self) -> &Configure;
    /// Whether and why it is over.
    fn ending(&self) -> &Ending;
    /// Tells its driver that it is ready, and listens to it from then on.
    ///
    /// # Errors
    /// The driver hung up.
    fn welcome(&self, driver: Stream) -> std::io::Result<()>;
    /// Whether another node may speak to it.
    ///
    /// # Errors
    /// Why not.
    fn admit(&self, caller: &Caller) -> Result<(), String>;
    /// Another node has connected.
    ///
    /// # Errors
    /// The system's.
    fn attach(&self, stream: Stream, from: Addr) -> std::io::Result<()>;
    /// Whether its driver has said nothing for too long.
    fn is_abandoned(&self) -> bool;
    /// Whether no task runs.
    fn is_idle(&self) -> bool;
    /// Its blocks.
    fn store(&self) -> Arc<BlockStore>;
}

/// An incarnation of one style.
struct Incarnation<S: Style> {
    configure: Configure,
    silence: Duration,
    running: Running<S>,
    network: Arc<Network<S::Msg>>,
    role: Arc<NodeRole<S>>,
}

/// Makes the incarnation that a driver asks for; nobody knows of it yet.
///
/// # Errors
/// Unknown settings, too little memory, or no thread to be had.
pub(crate) fn begin<S: Style>(
    style: &S,
    registry: Registry,
    configure: Configure,
    ground: &Ground,
) -> Result<Arc<dyn Member>, RemoteError> {
    let unfit = |reason: String| RemoteError::Unfit { address: "this".to_owned(), reason };
    let (dial, calls) = mpsc::channel();
    let network = Arc::new(Network::new(Some(dial)).map_err(RemoteError::Resources)?);
    let setup = setup(style, &configure, ground).map_err(unfit)?;
    let mapped = setup.tuning.is_on("host_local_reads").then_some(Mapped::Large);
    let reader = Reader::new(Arc::clone(&ground.courier), configure.session, mapped);
    let peers = RemotePeers::start(reader, Arc::clone(&network), ground.options.stall)?;
    let role = Arc::new(NodeRole {
        node: configure.node,
        epoch: configure.epoch,
        network: Arc::clone(&network),
        peers: Arc::clone(&peers),
        known: Mutex::default(),
        ending: Ending { over: OnceLock::new(), news: Arc::clone(&ground.news) },
    });
    let wire = Wire { network: Arc::clone(&network), role: Arc::clone(&role) as Arc<dyn Role<S>> };
    let seat = Seat::Node {
        node: configure.node,
        resources: configure.resources.iter().cloned().collect(),
        peers: Arc::clone(&peers) as Arc<dyn crate::peers::Peers>,
        shared: ground.shared.clone(),
        wire,
    };
    let running = Running::start(style, seat, None, registry, &setup).map_err(|e| unfit(e.to_string()))?;
    peers.serve(&running.host);
    spawn_dialer(&role, calls, configure.session, ground)?;
    let silence = configure.silence.as_duration();
    Ok(Arc::new(Incarnation { configure, silence, running, network, role }))
}

fn setup<S: Style>(style: &S, configure: &Configure, ground: &Ground) -> Result<EngineSetup, String> {
    let settings = configure.settings.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let tuning = Tuning::resolve(style.switches(), settings).map_err(|e| e.to_string())?;
    Ok(EngineSetup {
        slots: configure.slots,
        memory: configure.memory,
        scratch: ground.scratch.clone(),
        tuning,
        spans: configure.spans,
        cluster: bench_model::ClusterSpec::Local,
    })
}

impl<S: Style> Member for Incarnation<S> {
    fn configured(&self) -> &Configure {
        &self.configure
    }

    fn ending(&self) -> &Ending {
        &self.role.ending
    }

    fn welcome(&self, driver: Stream) -> std::io::Result<()> {
        let Configure { epoch, slots, .. } = self.configure;
        write_frame(&mut &driver, &Frame::<S::Msg>::Configured { epoch, slots })?;
        self.network.attach(driver, (Addr::Driver, epoch)).map(drop)
    }

    fn admit(&self, caller: &Caller) -> Result<(), String> {
        let Addr::Node(node) = caller.from else { return Err("a driver is no peer".to_owned()) };
        if caller.session != self.configure.session || caller.to != self.configure.epoch {
            return Err(format!("this is {} of another session or epoch", self.configure.node));
        }
        match self.role.known().get(&node) {
            Some(peer) if peer.epoch > caller.epoch => Err(format!("{node} has a newer incarnation")),
            _ => Ok(()),
        }
    }

    fn attach(&self, stream: Stream, from: Addr) -> std::io::Result<()> {
        self.network.attach(stream, (from, self.configure.epoch)).map(drop)
    }

    fn is_abandoned(&self) -> bool {
        let driver = self.network.links().into_iter().find(|l| l.peer() == Addr::Driver);
        driver.is_none_or(|link| link.silence() > self.silence)
    }

    fn is_idle(&self) -> bool {
        self.running.host.lock().is_idle()
    }

    fn store(&self) -> Arc<BlockStore> {
        Arc::clone(&self.running.host.store)
    }
}

impl<S: Style> Drop for Incarnation<S> {
    fn drop(&mut self) {
        // The slots are stopped by what follows; nobody is spoken to any more, and nobody waits for a plan.
        self.network.close();
        self.role.peers.plans().close();
    }
}

/// What a node does with what it is told.
struct NodeRole<S: Style> {
    node: NodeId,
    epoch: Epoch,
    network: Arc<Network<S::Msg>>,
    peers: Arc<RemotePeers<S>>,
    known: Mutex<BTreeMap<NodeId, Peer>>,
    ending: Ending,
}

impl<S: Style> NodeRole<S> {
    fn known(&self) -> MutexGuard<'_, BTreeMap<NodeId, Peer>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The driver says who is up. Links to other incarnations are closed, and what they still say is lost.
    fn know(&self, peers: Vec<Peer>) {
        let known: BTreeMap<NodeId, Peer> = peers.into_iter().map(|peer| (peer.node, peer)).collect();
        let place = |peer: &Peer| {
            let token = ClusterToken::parse(&peer.token).ok()?;
            Some((peer.node, Place { address: peer.address.clone(), token }))
        };
        self.peers.know(known.values().filter_map(place).collect());
        let before = std::mem::replace(&mut *self.known(), known.clone());
        // A node that was not known before may have connected before the driver's word of it came.
        let replaced = |node| before.get(&node).is_some_and(|b| known.get(&node).map(|k| k.epoch) != Some(b.epoch));
        self.network.detach_where(|peer| matches!(peer, Addr::Node(node) if replaced(node)));
    }

    fn messages(&self, host: &Host<S>, link: &Arc<Link<S::Msg>>, batch: Batch<S::Msg>) {
        // Between two nodes it is the incarnation of the one that was called, whoever speaks.
        if batch.epoch != link.epoch() {
            self.network.post_frame(link, Frame::Fenced { epoch: self.epoch });
            return;
        }
        let now = host.clock.now();
        host.lock().hear(now, Addr::Node(self.node), link.peer(), batch.messages);
    }

    /// A frame that only the driver may send.
    fn order(&self, host: &Host<S>, link: &Arc<Link<S::Msg>>, frame: Frame<S::Msg>) {
        match frame {
            Frame::Peers(peers) => self.know(peers),
            Frame::Idle(kind) => {
                let now = host.clock.now();
                host.lock().told_idle(now, kind);
            }
            Frame::Trace(job) => host.lock().trace(job),
            Frame::Ping(number) => self.network.post_frame(link, Frame::Pong(number)),
            Frame::Account(number) => {
                let (now, spent) = host.spent();
                let spent = spent.unwrap_or_default().into_iter().map(|slot| slot.to_vec()).collect();
                self.network.post_frame(link, Frame::Accounted { number, now, spent });
            }
            Frame::Plan { key, plan } => self.peers.plans().arrived(key, plan),
            Frame::Damage { job, fault, seed } => {
                let (network, link) = (Arc::clone(&self.network), Arc::clone(link));
                // Sent with what this thread says next, or with the news of the task that made the block.
                let tell = move |result| network.post_frame(&link, Frame::Damaged { job, fault, result });
                host.store.damage(job, seed, Box::new(tell));
            }
            Frame::Forget(job) => {
                self.peers.plans().forget();
                host.store.end(job);
            }
            Frame::Stop => self.ending.tell(Over::Stopped),
            Frame::Fenced { .. } => self.ending.abandon(),
            _ => tracing::warn!(node = %self.node, "the driver sent what only nodes send"),
        }
    }
}

impl<S: Style> Role<S> for NodeRole<S> {
    fn frames(&self, host: &Host<S>, link: &Arc<Link<S::Msg>>, frames: Vec<Frame<S::Msg>>) {
        for frame in frames {
            match frame {
                Frame::Messages(batch) => self.messages(host, link, batch),
                order if link.peer() == Addr::Driver => self.order(host, link, order),
                _ => tracing::warn!(from = %link.peer(), "a node sent what only drivers send"),
            }
        }
    }

    fn planned(&self, _: &Host<S>, _: JobId) {
        // Plans are made where the driver is.
    }

    fn broken(&self, _: &Host<S>, link: &Arc<Link<S::Msg>>, error: &LinkError) {
        let current = self.network.detach(link);
        if link.peer() == Addr::Driver && current {
            if self.ending.reason().is_none() {
                tracing::warn!(node = %self.node, %error, "the driver is gone; starting afresh");
            }
            self.ending.abandon();
        }
    }
}

/// Connects to the nodes that the machine speaks to. It ends with the network.
fn spawn_dialer<S: Style>(
    role: &Arc<NodeRole<S>>,
    calls: mpsc::Receiver<Addr>,
    session: u64,
    ground: &Ground,
) -> Result<(), RemoteError> {
    let (role, own, patience) = (Arc::downgrade(role), ground.identity.clone(), ground.options.patience);
    let dial = move || {
        while let Ok(to) = calls.recv() {
            let Some(role) = role.upgrade() else { return };
            if let Err(error) = connect(&role, to, session, &own, patience) {
                tracing::warn!(%to, %error, "a node cannot be reached");
                role.network.give_up(to);
            }
        }
    };
    let thread = std::thread::Builder::new().name("bench-dial".to_owned());
    thread.spawn(dial).map(drop).map_err(RemoteError::Resources)
}

fn connect<S: Style>(
    role: &NodeRole<S>,
    to: Addr,
    session: u64,
    own: &Identity,
    patience: Duration,
) -> Result<(), RemoteError> {
    let unknown = || RemoteError::Unfit { address: to.to_string(), reason: "it is not up".to_owned() };
    let Addr::Node(node) = to else { return Err(unknown()) };
    let peer = role.known().get(&node).cloned().ok_or_else(unknown)?;
    let token = ClusterToken::parse(&peer.token).map_err(|_| unknown())?;
    let identity = Identity { token, ..own.clone() };
    let caller = Caller { from: Addr::Node(role.node), epoch: role.epoch, to: peer.epoch, session };
    let stream = handshake::call(&peer.address, &identity, caller, patience)?;
    role.network.attach(stream, (to, peer.epoch)).map_err(RemoteError::Resources)?;
    // What waited was queued when the link was attached; nobody else knows that it can be written now.
    role.network.wake();
    role.network.flush();
    Ok(())
}

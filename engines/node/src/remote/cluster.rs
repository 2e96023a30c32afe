//! The driver's side of a cluster: which nodes are up, and what follows when one is not.
//!
//! A node is up from the moment it has answered its configuration until its control stream breaks or it was not heard for
//! `silence`. Then it is down at once, whatever it still believes: its connection is closed, its incarnation is over, and
//! the driver connects again under a higher epoch until it succeeds. A node that was only paused finds its connection
//! closed when it wakes up and starts afresh, so a zombie's words reach nobody.
//!
//! It is one file because every part of it is a change of the same state under the same lock.
//!
//! Invariant: the machine hears of a node's ups and downs in their true order, because both are decided and told under the
//! host's lock.
//!
//! Long because: a node's ups and downs are decided and told here only; their order is what the file is about.

use crate::host::Host;
use crate::remote::blocks::Place;
use crate::remote::crew::Role;
use crate::remote::error::{LinkError, RemoteError};
use crate::remote::handshake::{self, Caller, Identity};
use crate::remote::link::Link;
use crate::remote::network::Network;
use crate::remote::options::NodeOptions;
use crate::remote::plans::Sent;
use crate::remote::reader::Reader;
use crate::remote::stream::Stream;
use crate::remote::tls::Keys;
use crate::remote::token::ClusterToken;
use crate::remote::wire::{Configure, Frame, Peer, read_frame, write_frame};
use bench_model::{Addr, Epoch, Event, JobId, Nanos, NodeId, Style};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

/// A node process, as it was started.
#[derive(Clone, Debug)]
pub(crate) struct NodeAddress {
    /// Where it listens: `host:port`.
    pub(crate) address: String,
    /// The token it accepts calls by.
    pub(crate) token: ClusterToken,
}

/// Time on a node's slots, as one incarnation of it reports it.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Which incarnation.
    pub(crate) epoch: Epoch,
    /// When, on the node's clock.
    pub(crate) now: Nanos,
    /// Per slot, time by kind in the order of [`bench_model::SpanKind::ALL`].
    pub(crate) spent: Vec<Vec<u64>>,
}

/// What every node is told to become, but for what is its own.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) template: Configure,
    pub(crate) build: String,
    pub(crate) options: NodeOptions,
    /// What control streams are encrypted with, if they are.
    pub(crate) keys: Option<Keys>,
}

/// The nodes of a session, and the driver's role in it.
pub(crate) struct Cluster<S: Style> {
    orders: Orders,
    network: Arc<Network<S::Msg>>,
    reader: Arc<Reader>,
    host: OnceLock<Weak<Host<S>>>,
    state: Mutex<State<S::Msg>>,
    changed: Condvar,
    sent: Sent,
}

struct State<M> {
    nodes: BTreeMap<NodeId, NodeState<M>>,
    epochs: u64,
    accounts: BTreeMap<(u64, NodeId), Account>,
    counter: u64,
    stopping: bool,
}

struct NodeState<M> {
    at: NodeAddress,
    standing: Standing<M>,
    /// It was started again while it was being called.
    moved: bool,
    /// Why it could not be joined the last time.
    refusal: Option<Refusal>,
}

/// Why a node is not a part of the cluster.
struct Refusal {
    reason: String,
    /// Calling again would not help.
    final_word: bool,
}

impl<M> NodeState<M> {
    fn link(&self) -> Option<Arc<Link<M>>> {
        match &self.standing {
            Standing::Up(link) => Some(Arc::clone(link)),
            Standing::Down(_) | Standing::Called => None,
        }
    }
}

enum Standing<M> {
    /// Not a part of the cluster. It is called at that time.
    Down(Instant),
    /// It is being called.
    Called,
    /// At work.
    Up(Arc<Link<M>>),
}

impl<S: Style> Cluster<S> {
    /// A cluster of these nodes, none of them called yet.
    pub(crate) fn new(
        nodes: Vec<NodeAddress>,
        orders: Orders,
        network: Arc<Network<S::Msg>>,
        reader: Arc<Reader>,
    ) -> Arc<Self> {
        let now = Instant::now();
        let state = |at| NodeState { at, standing: Standing::Down(now), moved: false, refusal: None };
        let numbered = (0..).map(NodeId).zip(nodes.into_iter().map(state));
        let state =
            State { nodes: numbered.collect(), epochs: 0, accounts: BTreeMap::new(), counter: 0, stopping: false };
        let host = OnceLock::new();
        Arc::new(Self {
            orders,
            network,
            reader,
            host,
            state: Mutex::new(state),
            changed: Condvar::new(),
            sent: Sent::default(),
        })
    }

    /// The host whose machine is told.
    pub(crate) fn serve(&self, host: &Arc<Host<S>>) {
        // It is told once, by whoever makes both.
        let _ = self.host.set(Arc::downgrade(host));
    }

    fn host(&self) -> Option<Arc<Host<S>>> {
        self.host.get().and_then(Weak::upgrade)
    }

    fn state(&self) -> MutexGuard<'_, State<S::Msg>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the blocks of the nodes that are up.
    pub(crate) fn reader(&self) -> &Arc<Reader> {
        &self.reader
    }

    /// Which nodes are not up.
    pub(crate) fn missing(&self) -> Vec<NodeId> {
        let state = self.state();
        let down = state.nodes.iter().filter(|(_, n)| !matches!(n.standing, Standing::Up(_)));
        down.map(|(node, _)| *node).collect()
    }

    /// A node was started again, elsewhere.
    pub(crate) fn moved(&self, node: NodeId, to: NodeAddress) {
        if let Some(entry) = self.state().nodes.get_mut(&node) {
            entry.at = to;
            entry.refusal = None;
            match &mut entry.standing {
                Standing::Down(at) => *at = Instant::now(),
                // Whoever calls it still calls the old one.
                Standing::Called => entry.moved = true,
                Standing::Up(_) => {}
            }
        }
        self.changed.notify_all();
    }

    /// Waits until every node is up.
    ///
    /// # Errors
    /// A node that did not join in time, and why.
    pub(crate) fn wait_until_whole(&self, at_most: Duration) -> Result<(), RemoteError> {
        let by = Instant::now() + at_most;
        let mut state = self.state();
        loop {
            let mut down = state.nodes.values().filter(|n| !matches!(n.standing, Standing::Up(_))).peekable();
            let Some(first) = down.peek().copied() else { return Ok(()) };
            let left = by.saturating_duration_since(Instant::now());
            let hopeless = down.find(|n| n.refusal.as_ref().is_some_and(|r| r.final_word));
            if left.is_zero() || hopeless.is_some() {
                let node = hopeless.unwrap_or(first);
                let reason = node.refusal.as_ref().map_or("it did not answer in time", |r| r.reason.as_str());
                return Err(RemoteError::Unfit { address: node.at.address.clone(), reason: reason.to_owned() });
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Asks every node that is up where its slots' time went, and waits for the answers. What the nodes said before has
    /// arrived by then. Nodes that do not answer in time are left out.
    pub(crate) fn accounts(&self) -> BTreeMap<NodeId, Account> {
        let (number, asked) = {
            let mut state = self.state();
            state.counter += 1;
            let up = state.nodes.iter().filter(|(_, n)| matches!(n.standing, Standing::Up(_)));
            (state.counter, up.map(|(node, _)| *node).collect::<Vec<_>>())
        };
        self.network.broadcast(&Frame::Account(number));
        self.flush();
        let by = Instant::now() + self.orders.options.silence;
        let mut state = self.state();
        loop {
            let is_up = |n: &NodeId| matches!(state.nodes.get(n).map(|n| &n.standing), Some(Standing::Up(_)));
            let waits = asked.iter().any(|n| is_up(n) && !state.accounts.contains_key(&(number, *n)));
            let left = by.saturating_duration_since(Instant::now());
            if !waits || left.is_zero() {
                let all = std::mem::take(&mut state.accounts);
                return all.into_iter().filter(|((of, _), _)| *of == number).map(|((_, n), a)| (n, a)).collect();
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Tells every node that a job is over.
    pub(crate) fn forget(&self, job: JobId) {
        self.sent.forget();
        self.network.broadcast(&Frame::Forget(job));
        self.flush();
    }

    /// Has a node damage a block of a job. What came of it is told to the host.
    ///
    /// # Errors
    /// The node is not up.
    pub(crate) fn damage(&self, node: NodeId, job: bench_model::JobId, fault: u32, seed: u64) -> Result<(), String> {
        match self.state().nodes.get(&node).map(|n| &n.standing) {
            Some(Standing::Up(link)) => self.network.post_frame(link, Frame::Damage { job, fault, seed }),
            _ => return Err(format!("{node} is not up")),
        }
        self.flush();
        Ok(())
    }

    /// Sends a plan to every node that has not got it: if one of them needs it, the others are about to. Whoever has asked
    /// for it `again` gets it in any case.
    fn send_plan(&self, host: &Host<S>, asker: Option<(&Arc<Link<S::Msg>>, bool)>, key: bytes::Bytes) {
        let up: Vec<_> = self.state().nodes.values().filter_map(NodeState::link).collect();
        let mut to = self.sent.claim(&key, up);
        if let Some((asker, true)) = asker
            && !to.iter().any(|link| link.key() == asker.key())
        {
            to.push(Arc::clone(asker));
        }
        if to.is_empty() {
            // Another node has asked, and it is on its way.
            return;
        }
        let plan = host.front.as_ref().and_then(|front| front.ship(&key));
        if plan.is_none() {
            self.sent.forget();
            to = asker.map(|(link, _)| Arc::clone(link)).into_iter().collect();
        }
        for link in to {
            self.network.post_frame(&link, Frame::Plan { key: key.clone(), plan: plan.clone() });
        }
        self.flush();
    }

    fn flush(&self) {
        if let Some(host) = self.host() {
            host.wake(0);
        }
    }

    /// Ends the cluster: every node is asked to leave. Connections are closed when the nodes have closed theirs, or after
    /// a while: closing them first could overtake the words on their way.
    pub(crate) fn stop(&self) {
        let mut state = self.state();
        state.stopping = true;
        self.changed.notify_all();
        self.network.broadcast(&Frame::Stop);
        drop(state);
        for (link, error) in self.network.flush() {
            tracing::debug!(peer = %link.peer(), %error, "a node was gone before it was asked to leave");
            self.down(&link);
        }
        let by = Instant::now() + self.orders.options.silence;
        state = self.state();
        loop {
            let left = by.saturating_duration_since(Instant::now());
            if left.is_zero() || !state.nodes.values().any(|n| matches!(n.standing, Standing::Up(_))) {
                break;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        self.network.close();
    }

    /// The loop of the supervising thread: asks the nodes that are up whether they are, calls the others.
    pub(crate) fn supervise(self: &Arc<Self>) {
        let heartbeat = self.orders.options.heartbeat;
        let mut beat = 0;
        let mut next_beat = Instant::now();
        loop {
            let now = Instant::now();
            let (silent, wanted, up) = {
                let mut state = self.state();
                if state.stopping {
                    return;
                }
                self.look(&mut state, now)
            };
            for link in silent {
                let silence = link.silence();
                tracing::warn!(node = %link.peer(), ?silence, "a node is silent and counts as down");
                self.down(&link);
            }
            for node in wanted {
                self.call_in_background(node);
            }
            if now >= next_beat {
                beat += 1;
                next_beat = now + heartbeat;
                up.iter().for_each(|link| self.network.post_frame(link, Frame::Ping(beat)));
                self.flush();
            }
            let state = self.state();
            // One may have become due since the look.
            let is_due = |n: &NodeState<_>| matches!(n.standing, Standing::Down(at) if at <= Instant::now());
            if !state.stopping && !state.nodes.values().any(is_due) {
                let left = next_beat.saturating_duration_since(Instant::now());
                drop(self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner));
            }
        }
    }

    /// Who has been silent for too long, who has to be called, and who is up.
    #[expect(clippy::type_complexity, reason = "three lists of one look, used once")]
    fn look(
        &self,
        state: &mut State<S::Msg>,
        now: Instant,
    ) -> (Vec<Arc<Link<S::Msg>>>, Vec<NodeId>, Vec<Arc<Link<S::Msg>>>) {
        let (mut silent, mut wanted, mut up) = (Vec::new(), Vec::new(), Vec::new());
        for (node, entry) in &mut state.nodes {
            match &entry.standing {
                Standing::Up(link) if link.silence() > self.orders.options.silence => silent.push(Arc::clone(link)),
                Standing::Up(link) => up.push(Arc::clone(link)),
                Standing::Down(at) if *at <= now => {
                    entry.standing = Standing::Called;
                    wanted.push(*node);
                }
                Standing::Down(_) | Standing::Called => {}
            }
        }
        (silent, wanted, up)
    }

    /// A node may be slow to answer, so each is called by a thread of its own.
    fn call_in_background(self: &Arc<Self>, node: NodeId) {
        let cluster = Arc::clone(self);
        let called = std::thread::Builder::new().name(format!("bench-call-{node}")).spawn(move || {
            if let Err(error) = cluster.join(node) {
                tracing::debug!(%node, %error, "a node did not join");
                cluster.not_joined(node, &error);
            }
        });
        if let Err(error) = called {
            self.not_joined(node, &RemoteError::Resources(error));
        }
    }

    fn not_joined(&self, node: NodeId, error: &RemoteError) {
        let now = Instant::now();
        if let Some(entry) = self.state().nodes.get_mut(&node) {
            let moved = std::mem::take(&mut entry.moved);
            entry.standing = Standing::Down(if moved { now } else { now + self.orders.options.heartbeat });
            let final_word = matches!(
                error,
                RemoteError::Build { .. }
                    | RemoteError::Token { .. }
                    | RemoteError::Unfit { .. }
                    | RemoteError::Tls { .. }
                    | RemoteError::Untrusted { .. }
            );
            entry.refusal = Some(Refusal { reason: error.to_string(), final_word });
        }
        self.changed.notify_all();
    }

    /// Makes a node a part of the cluster.
    fn join(&self, node: NodeId) -> Result<(), RemoteError> {
        let (at, epoch) = {
            let mut state = self.state();
            state.epochs += 1;
            let epoch = Epoch(state.epochs);
            let entry = state.nodes.get(&node);
            let unknown = || RemoteError::Unfit { address: node.to_string(), reason: "it is unknown".to_owned() };
            (entry.ok_or_else(unknown)?.at.clone(), epoch)
        };
        let patience = self.orders.options.patience;
        let Orders { build, keys, .. } = &self.orders;
        let identity = Identity { token: at.token, build: build.clone(), keys: keys.clone() };
        let session = self.orders.template.session;
        let caller = Caller { from: Addr::Driver, epoch, to: epoch, session };
        let stream = handshake::call(&at.address, &identity, caller, patience)?;
        let slots = self.configure(&stream, &at, node, epoch)?;
        self.up(node, stream, epoch, slots)
    }

    fn configure(&self, stream: &Stream, at: &NodeAddress, node: NodeId, epoch: Epoch) -> Result<u32, RemoteError> {
        let handshake = |reason: String| RemoteError::Handshake { address: at.address.clone(), reason };
        let broke = |e: std::io::Error| handshake(e.to_string());
        // The node may have to end its last tasks first, for which it has as long again.
        stream.set_read_timeout(Some(2 * self.orders.options.patience)).map_err(broke)?;
        let configure = Configure { node, epoch, ..self.orders.template.clone() };
        write_frame(&mut &*stream, &Frame::<()>::Configure(configure)).map_err(broke)?;
        let answer = read_frame::<Frame<()>>(&mut &*stream).map_err(broke)?;
        stream.set_read_timeout(None).map_err(broke)?;
        match answer {
            Frame::Configured { epoch: answered, slots } if answered == epoch => Ok(slots),
            Frame::Unfit { reason } => Err(RemoteError::Unfit { address: at.address.clone(), reason }),
            _ => Err(handshake("it said something unexpected".to_owned())),
        }
    }

    fn up(&self, node: NodeId, stream: Stream, epoch: Epoch, slots: u32) -> Result<(), RemoteError> {
        let Some(host) = self.host() else { return Ok(()) };
        let mut attached = Ok(());
        host.command(|control, now| {
            let mut state = self.state();
            if state.stopping {
                return;
            }
            match self.network.attach(stream, (Addr::Node(node), epoch)) {
                Ok(link) => {
                    if let Some(entry) = state.nodes.get_mut(&node) {
                        entry.standing = Standing::Up(link);
                        entry.refusal = None;
                    }
                    self.tell_peers(&state);
                    drop(state);
                    control.feed(now, Addr::Driver, Event::NodeUp { node, slots });
                }
                Err(error) => attached = Err(RemoteError::Resources(error)),
            }
        });
        self.changed.notify_all();
        attached
    }

    /// A node's connection is of no use any more.
    fn down(&self, link: &Arc<Link<S::Msg>>) {
        let Some(host) = self.host() else { return };
        let Addr::Node(node) = link.peer() else { return };
        host.command(|control, now| {
            let mut state = self.state();
            let current =
                |n: &&mut NodeState<S::Msg>| matches!(&n.standing, Standing::Up(up) if up.key() == link.key());
            let Some(entry) = state.nodes.get_mut(&node).filter(current) else {
                self.network.detach(link);
                return;
            };
            entry.standing = Standing::Down(Instant::now());
            self.network.detach(link);
            if state.stopping {
                return;
            }
            self.tell_peers(&state);
            drop(state);
            control.lost_node(now, node);
        });
        self.changed.notify_all();
    }

    /// Tells every node, and the driver's own reader, who is up. Queued before whatever the machine says next.
    fn tell_peers(&self, state: &State<S::Msg>) {
        let peers: Vec<Peer> = state
            .nodes
            .iter()
            .filter_map(|(node, entry)| match &entry.standing {
                Standing::Up(link) => Some(Peer {
                    node: *node,
                    epoch: link.epoch(),
                    address: entry.at.address.clone(),
                    token: entry.at.token.reveal(),
                }),
                _ => None,
            })
            .collect();
        let places = peers.iter().filter_map(|peer| {
            let at = &state.nodes.get(&peer.node)?.at;
            Some((peer.node, Place { address: at.address.clone(), token: at.token }))
        });
        self.reader.know(places.collect());
        self.network.broadcast(&Frame::Peers(peers));
    }
}

impl<S: Style> Role<S> for Cluster<S> {
    fn frames(&self, host: &Host<S>, link: &Arc<Link<S::Msg>>, frames: Vec<Frame<S::Msg>>) {
        let Addr::Node(node) = link.peer() else { return };
        for frame in frames {
            match frame {
                Frame::Messages(batch) if batch.epoch == link.epoch() => {
                    let now = host.clock.now();
                    let mut control = host.lock();
                    if !batch.ran.is_empty() {
                        control.ran_on(node);
                    }
                    batch.ran.into_iter().for_each(|(task, took)| control.count_ran(task, took));
                    batch.traces.into_iter().for_each(|trace| control.log(trace));
                    batch.spilled.into_iter().for_each(|(job, bytes)| control.count_spilled(job, bytes));
                    batch.notes.into_iter().for_each(|(job, note)| control.hear_note(job, note));
                    control.hear(now, Addr::Driver, link.peer(), batch.messages);
                }
                Frame::Messages(_) => self.network.post_frame(link, Frame::Fenced { epoch: link.epoch() }),
                Frame::Accounted { number, now, spent } => {
                    self.state().accounts.insert((number, node), Account { epoch: link.epoch(), now, spent });
                    self.changed.notify_all();
                }
                Frame::Damaged { job, fault, result } => {
                    let now = host.clock.now();
                    host.lock().damaged(job, fault, now, result);
                }
                Frame::NeedPlan { key, again } => self.send_plan(host, Some((link, again)), key),
                // Hearing it is all that matters.
                Frame::Pong(_) => {}
                Frame::Fenced { .. } => self.down(link),
                _ => tracing::warn!(%node, "a node sent what only drivers send"),
            }
        }
    }

    fn planned(&self, host: &Host<S>, job: JobId) {
        let due = host.front.as_ref().map(|front| front.due(job)).unwrap_or_default();
        due.into_iter().for_each(|key| self.send_plan(host, None, key));
    }

    fn broken(&self, _: &Host<S>, link: &Arc<Link<S::Msg>>, error: &LinkError) {
        if !self.state().stopping {
            tracing::warn!(node = %link.peer(), %error, "a node is down");
        }
        self.down(link);
    }
}

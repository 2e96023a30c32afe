//! A node: a process (or a part of one) that becomes what a driver tells it to be, again and again.

use crate::remote::blocks::Courier;
use crate::remote::error::RemoteError;
use crate::remote::gate::{self, Io};
use crate::remote::handshake::{self, Caller, Identity};
use crate::remote::member::{self, Ground, Member, Over};
use crate::remote::options::NodeOptions;
use crate::remote::shelf::NodeShelf;
use crate::remote::stream::Stream;
use crate::remote::tls::TlsFiles;
use crate::remote::token::ClusterToken;
use crate::remote::wire::{Configure, Frame, read_frame, write_frame};
use bench_model::{Addr, Registry, Style};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a node looks after its incarnation without being told to.
const LOOK: Duration = Duration::from_millis(100);
/// How long tasks may go on running after their node was asked to leave.
const GRACE: Duration = Duration::from_secs(10);

/// Makes the incarnation of one style.
type Begin = Box<dyn Fn(Registry, Configure, &Ground) -> Result<Arc<dyn Member>, RemoteError> + Send + Sync>;

/// The styles that a node can run, and the kernels that their tasks need.
pub struct NodeStyles {
    registry: Box<dyn Fn() -> Registry + Send + Sync>,
    styles: Vec<(&'static str, Begin)>,
}

impl NodeStyles {
    /// No style yet. `registry` is asked for kernels by every incarnation, so that nothing outlives it.
    #[must_use]
    pub fn new(registry: impl Fn() -> Registry + Send + Sync + 'static) -> Self {
        Self { registry: Box::new(registry), styles: Vec::new() }
    }

    /// Adds a style.
    #[must_use]
    pub fn with<S: Style>(mut self, style: S) -> Self {
        let name = style.name();
        self.styles.push((
            name,
            Box::new(move |registry, configure, ground| member::begin(&style, registry, configure, ground)),
        ));
        self
    }

    fn begin(&self, configure: Configure, ground: &Ground) -> Result<Arc<dyn Member>, RemoteError> {
        let Some((_, begin)) = self.styles.iter().find(|(name, _)| *name == configure.style) else {
            let known: Vec<_> = self.styles.iter().map(|(name, _)| *name).collect();
            let reason = format!("it has no style `{}`; it knows {}", configure.style, known.join(", "));
            return Err(RemoteError::Unfit { address: "this".to_owned(), reason });
        };
        begin((self.registry)(), configure, ground)
    }
}

/// Where a node listens and works.
#[derive(Clone, Debug)]
pub struct NodeSetup {
    /// The address to listen on; port 0 takes a free one.
    pub listen: String,
    /// A folder on local disk for blocks and temporary files.
    pub scratch: PathBuf,
    /// A folder in memory for blocks that other processes of the host may map, such as a part of `/dev/shm`.
    pub shared: Option<PathBuf>,
    /// The secret that callers must know.
    pub token: ClusterToken,
    /// Which binary this is; a driver of another is refused.
    pub build: String,
    /// Deadlines and certificates.
    pub options: NodeOptions,
}

/// A node that listens. Dropping it stops everything it runs.
pub struct Node {
    inner: Arc<Inner>,
    address: SocketAddr,
    keeper: Option<JoinHandle<()>>,
    /// After the keeper: its threads serve what the keeper ends.
    _io: Io,
}

struct Inner {
    styles: NodeStyles,
    ground: Ground,
    member: Arc<Mutex<Option<Arc<dyn Member>>>>,
    /// The threads of an incarnation that is no member any more are about to end.
    departing: AtomicBool,
    /// Held by the driver that is being introduced.
    introducing: Mutex<()>,
    /// The node was asked to leave, by its driver or by [`Node::drain`].
    leaving: AtomicBool,
    /// It has left.
    left: AtomicBool,
    dropped: AtomicBool,
}

impl Node {
    /// Listens for drivers.
    ///
    /// # Errors
    /// The address is taken, a certificate cannot be used, or the system refuses threads.
    pub fn start(styles: NodeStyles, setup: NodeSetup) -> Result<Self, RemoteError> {
        let NodeSetup { listen, scratch, shared, token, build, options } = setup;
        let io = Io::start()?;
        let runtime = io.handle();
        let ground = Ground {
            identity: Identity { token, build, keys: options.tls.as_ref().map(TlsFiles::keys).transpose()? },
            courier: Arc::new(Courier::new(runtime.clone(), &options)?),
            options,
            scratch,
            shared,
            news: Arc::default(),
        };
        let member = Arc::<Mutex<Option<Arc<dyn Member>>>>::default();
        let inner = Arc::new(Inner {
            styles,
            ground,
            member: Arc::clone(&member),
            departing: AtomicBool::new(false),
            introducing: Mutex::new(()),
            leaving: AtomicBool::new(false),
            left: AtomicBool::new(false),
            dropped: AtomicBool::new(false),
        });
        let called = Arc::downgrade(&inner);
        let receive: gate::Receive = Arc::new(move |stream| {
            if let Some(inner) = called.upgrade() {
                inner.receive(stream);
            }
        });
        let shelf = Arc::new(NodeShelf(member));
        let address = gate::open(&runtime, &listen, (shelf, receive), token, &inner.ground.options)?;
        let kept = Arc::clone(&inner);
        let keeper = std::thread::Builder::new().name("bench-keeper".to_owned()).spawn(move || kept.keep());
        let keeper = Some(keeper.map_err(RemoteError::Resources)?);
        Ok(Self { inner, address, keeper, _io: io })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins to leave: running tasks may finish, for some seconds.
    pub fn drain(&self) {
        self.inner.leaving.store(true, Ordering::Release);
        self.inner.ground.news.nudge();
    }

    /// Whether it works for a driver.
    #[must_use]
    pub fn is_driven(&self) -> bool {
        self.inner.member().is_some()
    }

    /// Whether it has left: it was drained, or its driver asked it to stop.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.inner.left.load(Ordering::Acquire)
    }

    /// Waits until it has left, but no longer than `at_most`. True if it has.
    #[must_use]
    pub fn wait(&self, at_most: Duration) -> bool {
        let by = Instant::now() + at_most;
        let mut seen = 0;
        while !self.has_left() {
            let left = by.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            seen = self.inner.ground.news.wait(seen, left);
        }
        true
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.inner.dropped.store(true, Ordering::Release);
        self.inner.ground.news.nudge();
        if let Some(keeper) = self.keeper.take() {
            // Its panic was reported when it happened.
            let _ = keeper.join();
        }
    }
}

impl Inner {
    fn member(&self) -> MutexGuard<'_, Option<Arc<dyn Member>>> {
        self.member.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks after the present incarnation until the node is dropped or leaves.
    fn keep(&self) {
        let (mut leaves_by, mut seen) = (None, 0);
        loop {
            let present = self.member().clone();
            let dropped = self.dropped.load(Ordering::Acquire);
            let mut over = dropped;
            if let Some(member) = &present {
                let told = member.ending().reason();
                if told == Some(Over::Stopped) {
                    self.leaving.store(true, Ordering::Release);
                }
                over |= told == Some(Over::Abandoned) || member.is_abandoned();
            }
            if self.leaving.load(Ordering::Acquire) {
                let by = *leaves_by.get_or_insert_with(|| Instant::now() + GRACE);
                over |= present.as_ref().is_none_or(|m| m.is_idle()) || Instant::now() >= by;
            }
            if over {
                self.departing.store(true, Ordering::Release);
                drop(self.member().take());
                // Waits for its tasks.
                drop(present);
                self.departing.store(false, Ordering::Release);
                if self.leaving.load(Ordering::Acquire) {
                    self.left.store(true, Ordering::Release);
                }
                self.ground.news.nudge();
            }
            if dropped || self.left.load(Ordering::Acquire) {
                return;
            }
            seen = self.ground.news.wait(seen, LOOK);
        }
    }

    /// A control stream has arrived. Runs on a thread that may block.
    fn receive(&self, stream: TcpStream) {
        let Ground { identity, options, .. } = &self.ground;
        let caller = handshake::answer(stream, identity, options.patience, |caller| self.admit(caller));
        let received = caller.and_then(|(caller, stream)| match caller.from {
            Addr::Driver => self.become_member(&caller, stream),
            from @ Addr::Node(_) => self.attach(from, stream),
        });
        if let Err(error) = received {
            tracing::warn!(%error, "a caller was turned away");
        }
    }

    fn admit(&self, caller: &Caller) -> Result<(), String> {
        if self.leaving.load(Ordering::Acquire) {
            return Err("this node is leaving".to_owned());
        }
        let present = self.member().clone();
        match (caller.from, present) {
            (Addr::Driver, Some(member)) => {
                let over = member.ending().reason().is_some() || member.is_abandoned();
                let same = member.configured().session == caller.session;
                if over || same { Ok(()) } else { Err("this node works for another driver".to_owned()) }
            }
            (Addr::Driver, None) => Ok(()),
            (Addr::Node(_), Some(member)) => member.admit(caller),
            (Addr::Node(_), None) => Err("this node has no driver yet".to_owned()),
        }
    }

    fn attach(&self, from: Addr, stream: Stream) -> Result<(), RemoteError> {
        match self.member().clone() {
            Some(member) => member.attach(stream, from).map_err(RemoteError::Resources),
            None => Ok(()),
        }
    }

    /// A driver takes this node: what it was before is over, and it becomes what the driver says.
    fn become_member(&self, caller: &Caller, stream: Stream) -> Result<(), RemoteError> {
        let patience = self.ground.options.patience;
        let address = stream.peer_addr().map_or_else(|_| "the driver".to_owned(), |a| a.to_string());
        let broke = |e: std::io::Error| RemoteError::Handshake { address: address.clone(), reason: e.to_string() };
        let _turn = self.introducing.lock().unwrap_or_else(PoisonError::into_inner);
        stream.set_read_timeout(Some(patience)).map_err(broke)?;
        stream.set_write_timeout(Some(patience)).map_err(broke)?;
        let frame = read_frame::<Frame<()>>(&mut &stream).map_err(broke)?;
        stream.set_read_timeout(None).map_err(broke)?;
        let Frame::Configure(configure) = frame else {
            let reason = "it did not say what to become".to_owned();
            return Err(RemoteError::Handshake { address, reason });
        };
        if configure.session != caller.session {
            return Err(RemoteError::Handshake { address, reason: "it confuses its sessions".to_owned() });
        }
        let answer = stream.try_clone().map_err(broke)?;
        // Another driver may have had its turn since this one was let in.
        if let Err(reason) = self.admit(caller) {
            write_frame(&mut &answer, &Frame::<()>::Unfit { reason: reason.clone() }).map_err(broke)?;
            return Err(RemoteError::Unfit { address, reason });
        }
        self.vacate(patience).map_err(|reason| RemoteError::Unfit { address: address.clone(), reason })?;
        let begun = self.styles.begin(configure, &self.ground).and_then(|member| {
            // Whoever the driver tells of this node waits until it is one.
            let mut present = self.member();
            let hung_up = |e| RemoteError::Unfit { address: "this".into(), reason: format!("the driver hung up: {e}") };
            member.welcome(stream).map_err(hung_up)?;
            *present = Some(member);
            Ok(())
        });
        if let Err(error) = &begun {
            let reason = match error {
                RemoteError::Unfit { reason, .. } => reason.clone(),
                other => other.to_string(),
            };
            write_frame(&mut &answer, &Frame::<()>::Unfit { reason }).map_err(broke)?;
        }
        begun
    }

    /// Ends the present incarnation and waits until it is gone.
    fn vacate(&self, patience: Duration) -> Result<(), String> {
        let by = Instant::now() + patience;
        let mut seen = 0;
        loop {
            match self.member().as_ref() {
                None if !self.departing.load(Ordering::Acquire) => return Ok(()),
                None => {}
                Some(present) => present.ending().abandon(),
            }
            if Instant::now() >= by {
                return Err("its last tasks have not ended yet".to_owned());
            }
            seen = self.ground.news.wait(seen, LOOK);
        }
    }
}

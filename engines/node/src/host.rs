//! What the slots of a session share, and how they start and stop.

use crate::completion::Completion;
use crate::control::{Control, Ends};
use crate::peers::{Alone, Peers};
use crate::remote::{Wire, crew};
use crate::residents::Residents;
use crate::slot::{self, Slot};
use crate::store::{BlockStore, StoreOptions};
use crate::task::panic_message;
use crate::timeline::{Clock, Spent, Timeline};
use arrow::ipc::CompressionType;
use bench_model::{Bytes, EngineError, EngineSetup, Front, JobId, Nanos, NodeId, Registry, Storage, Style, StyleEnv};
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// A task's least memory: with less it could not hold a batch of each of its outputs.
const SHARE_MIN: Bytes = Bytes::new(1 << 20);

/// Shared by a session and its slots.
pub(crate) struct Host<S: Style> {
    control: Mutex<Control<S>>,
    /// Where slots without work sleep.
    pub(crate) work: Condvar,
    pub(crate) clock: Clock,
    pub(crate) store: Arc<BlockStore>,
    /// How blocks of other nodes are reached.
    pub(crate) peers: Arc<dyn Peers>,
    /// Which node this is.
    pub(crate) node: NodeId,
    pub(crate) registry: Registry,
    pub(crate) front: Option<Arc<dyn Front>>,
    pub(crate) memory_share: Bytes,
    /// Whether shared blocks of other nodes of this host are mapped where they lie.
    pub(crate) zero_copy: bool,
    pub(crate) completion: Arc<Completion>,
    slots: Vec<Arc<Slot>>,
    /// The other processes, if there are any.
    wire: Option<Wire<S>>,
}

/// What a host is in its cluster.
pub(crate) enum Seat<S: Style> {
    /// All there is: the driver, and the only node.
    Alone,
    /// The driver; its nodes are other processes.
    Driver(Wire<S>),
    /// A node; its driver is another process.
    Node {
        /// Which one.
        node: NodeId,
        /// What it has besides slots and memory.
        resources: BTreeMap<String, u64>,
        /// The other nodes.
        peers: Arc<dyn Peers>,
        /// Where blocks in shared memory go.
        shared: Option<PathBuf>,
        /// How it is reached.
        wire: Wire<S>,
    },
}

/// Threads of a driver whose nodes are elsewhere: one can listen while the other plans.
const DRIVER_THREADS: usize = 2;

impl<S: Style> Host<S> {
    /// The machines and their queues.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Control<S>> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the driver or the nodes are other processes.
    pub(crate) fn is_wired(&self) -> bool {
        self.wire.is_some()
    }

    /// Wakes that many sleeping slots, and sends what the machines have said to those of other processes. Call it
    /// without the lock, or they wake up only to wait for it.
    pub(crate) fn wake(&self, slots: usize) {
        let Some(wire) = &self.wire else {
            for _ in 0..slots {
                self.work.notify_one();
            }
            return;
        };
        // Signals merge, and whoever wakes passes on what others are needed for.
        if slots > 0 {
            wire.network.wake();
        }
        wire.flush(self);
    }

    /// Whether the nodes are other processes.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.wire.is_some()
    }

    /// A job has been planned, or planned anew: nodes elsewhere get what they are about to need.
    pub(crate) fn planned(&self, job: JobId) {
        if let Some(wire) = &self.wire {
            wire.role.planned(self, job);
        }
    }

    /// Wakes every thread, because the host is about to end.
    fn wake_all(&self) {
        self.work.notify_all();
        if let Some(wire) = &self.wire {
            wire.network.wake();
        }
    }

    /// Tells the machines something from outside, and wakes slots for what they command.
    pub(crate) fn command(&self, tell: impl FnOnce(&mut Control<S>, Nanos)) {
        let now = self.clock.now();
        let told = catch_unwind(AssertUnwindSafe(|| {
            let mut control = self.lock();
            tell(&mut control, now);
            control.sleepers_to_wake()
        }));
        match told {
            Ok(wake) => self.wake(wake),
            Err(panic) => self.break_down(&*panic),
        }
    }

    /// A machine panicked, which would leave everyone waiting for ever: the session is over.
    fn break_down(&self, panic: &(dyn Any + Send)) {
        let reason = format!("the engine's scheduler panicked and its session is over: {}", panic_message(panic));
        self.lock().stopping = true;
        self.completion.fail(reason);
        self.wake_all();
    }

    /// The time, and each slot's time by kind up to exactly then; no accounts if they are not kept.
    pub(crate) fn spent(&self) -> (Nanos, Option<Vec<Spent>>) {
        let timelines: Option<Vec<&Timeline>> = self.slots.iter().map(|s| s.timeline()).collect();
        let Some(timelines) = timelines else { return (self.clock.now(), None) };
        loop {
            let now = self.clock.now();
            // A slot may switch between the clock's reading and its own. Slots are mostly idle when this is asked.
            let spent: Option<Vec<Spent>> = timelines.iter().map(|t| t.spent(now)).collect();
            if spent.is_some() {
                return (now, spent);
            }
        }
    }
}

/// The threads of a session and the folder they work in. Dropping it stops the first and removes the second.
pub(crate) struct Running<S: Style> {
    pub(crate) host: Arc<Host<S>>,
    pub(crate) env: StyleEnv,
    /// The style's name.
    pub(crate) style: &'static str,
    /// Where the style keeps the blocks between its tasks.
    pub(crate) storage: Storage,
    /// Whether the style has actors.
    pub(crate) has_actors: bool,
    /// Whether slots account for their time.
    pub(crate) spans: bool,
    threads: Vec<JoinHandle<()>>,
    /// On disk and in shared memory; removed after the threads have ended.
    _folders: (Folder, Option<Folder>),
}

/// A folder that is removed, with everything in it, when this is dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "cannot remove a session's folder; remove it by hand");
        }
    }
}

impl<S: Style> Running<S> {
    /// Starts the machines that live here and their threads: exactly `setup.slots` kernels run at a time.
    ///
    /// # Errors
    /// No slot, too little memory, an unwritable scratch folder, or no thread to be had.
    pub(crate) fn start(
        style: &S,
        seat: Seat<S>,
        front: Option<Arc<dyn Front>>,
        registry: Registry,
        setup: &EngineSetup,
    ) -> Result<Self, EngineError> {
        let mut env = StyleEnv {
            slots: setup.slots,
            memory_share: memory_share(setup)?,
            memory: setup.memory,
            resources: BTreeMap::new(),
            tuning: setup.tuning.clone(),
        };
        let compression = compression(setup.tuning.word("compression"))?;
        let folder = Folder(fresh_folder(&setup.scratch)?);
        let clock = Clock::start();
        let completion = Arc::<Completion>::default();
        let blocks = subfolder(&folder.0, "blocks".to_owned())?;
        let here = if matches!(seat, Seat::Driver(_)) { 0 } else { setup.slots };
        let slot = |number: usize| {
            let scratch = subfolder(&folder.0, format!("slot-{number}"))?;
            Ok(Arc::new(Slot::new(number, clock, scratch, setup.spans)))
        };
        let slots = (0..here as usize).map(slot).collect::<Result<Vec<_>, EngineError>>()?;
        let (residents, peers, parent, wire) = match seat {
            Seat::Alone => (Residents::Both(NodeId(0)), Arc::new(Alone) as Arc<dyn Peers>, None, None),
            Seat::Driver(wire) => (Residents::Driver, Arc::new(Alone) as Arc<dyn Peers>, None, Some(wire)),
            Seat::Node { node, resources, peers, shared, wire } => {
                env.resources = resources;
                (Residents::Node(node), peers, shared, Some(wire))
            }
        };
        let sealed = parent.map(|parent| fresh_folder(&parent).map(Folder)).transpose()?;
        let shared = sealed.as_ref().map(|folder| folder.0.clone());
        let store = Arc::new(BlockStore::new(StoreOptions { folder: blocks, shared, compression }));
        let ends = Ends {
            store: Arc::clone(&store),
            peers: Arc::clone(&peers),
            completion: Arc::clone(&completion),
            network: wire.as_ref().map(|wire| Arc::clone(&wire.network)),
        };
        let host = Arc::new(Host {
            control: Mutex::new(Control::start(style, &env, residents, slots.clone(), ends, setup.spans)),
            work: Condvar::new(),
            clock,
            store,
            peers,
            node: residents.node(),
            registry,
            front,
            memory_share: env.memory_share,
            zero_copy: setup.tuning.is_on("zero_copy"),
            completion,
            slots,
            wire,
        });
        let mut running = Self {
            host,
            env,
            style: style.name(),
            storage: style.storage(),
            has_actors: style.has_actors(),
            spans: setup.spans,
            threads: Vec::new(),
            _folders: (folder, sealed),
        };
        running.spawn(style.name())?;
        Ok(running)
    }

    fn spawn(&mut self, style: &str) -> Result<(), EngineError> {
        let slots = self.host.slots.len();
        let threads = match &self.host.wire {
            None => slots,
            Some(_) if slots == 0 => DRIVER_THREADS,
            Some(_) => slots + 1,
        };
        if self.host.wire.is_some() {
            self.host.lock().leave_one_listening(threads);
        }
        for number in 0..threads {
            let host = Arc::clone(&self.host);
            let name = format!("{style}-{number}");
            let thread = std::thread::Builder::new().name(name).spawn(move || live(&host, number));
            let thread = thread.map_err(|e| EngineError::Failed(format!("cannot start a slot's thread: {e}")))?;
            self.threads.push(thread);
        }
        Ok(())
    }
}

impl<S: Style> Drop for Running<S> {
    fn drop(&mut self) {
        self.host.lock().stopping = true;
        self.host.slots.iter().for_each(|s| s.cancel());
        self.host.wake_all();
        for thread in self.threads.drain(..) {
            // A slot's panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// A thread of a host. Kernel panics never get here; a machine's does.
fn live<S: Style>(host: &Host<S>, number: usize) {
    let drive = || match (&host.wire, host.slots.get(number)) {
        (Some(wire), _) => crew::drive(host, wire),
        (None, Some(slot)) => slot::drive(host, slot),
        (None, None) => {}
    };
    if let Err(panic) = catch_unwind(AssertUnwindSafe(drive)) {
        host.break_down(&*panic);
    }
}

fn memory_share(setup: &EngineSetup) -> Result<Bytes, EngineError> {
    if setup.slots == 0 {
        return Err(EngineError::Failed("an engine needs at least one slot; give --slots 1 or more".to_owned()));
    }
    let Some(memory) = setup.memory else { return Ok(Bytes::new(u64::MAX)) };
    let share = Bytes::new(memory.get() / u64::from(setup.slots));
    if share < SHARE_MIN {
        return Err(EngineError::OutOfMemory(format!(
            "{memory} for {} slots is {share} each, below the least of {SHARE_MIN}; give more memory or fewer slots",
            setup.slots
        )));
    }
    Ok(share)
}

fn compression(word: &str) -> Result<Option<CompressionType>, EngineError> {
    match word {
        "" | "none" => Ok(None),
        "lz4" => Ok(Some(CompressionType::LZ4_FRAME)),
        "zstd" => Ok(Some(CompressionType::ZSTD)),
        other => Err(EngineError::Failed(format!("setting `compression` takes none, lz4 or zstd, not `{other}`"))),
    }
}

/// Makes a folder that did not exist before, so that nothing stale is ever taken for a block.
fn fresh_folder(scratch: &Path) -> Result<PathBuf, EngineError> {
    let process = std::process::id();
    for number in 0u32.. {
        let folder = scratch.join(format!("live-{process}-{number}"));
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(unwritable(&folder, &e)),
        }
    }
    Err(EngineError::Failed(format!("no free name for a folder in {}", scratch.display())))
}

fn subfolder(folder: &Path, name: String) -> Result<PathBuf, EngineError> {
    let path = folder.join(name);
    std::fs::create_dir(&path).map_err(|e| unwritable(&path, &e))?;
    Ok(path)
}

fn unwritable(folder: &Path, error: &std::io::Error) -> EngineError {
    let folder = folder.display();
    EngineError::Failed(format!("cannot create {folder}: {error}; choose a scratch folder that can be written to"))
}

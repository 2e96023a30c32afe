//! What the slots of a session share, and how they start and stop.

use crate::completion::Completion;
use crate::control::Control;
use crate::slot::{self, Slot};
use crate::store::BlockStore;
use crate::task::panic_message;
use crate::timeline::{Clock, Spent, Timeline};
use arrow::ipc::CompressionType;
use bench_model::{Bytes, EngineError, EngineSetup, Front, Nanos, Registry, Style, StyleEnv};
use std::any::Any;
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
    pub(crate) registry: Registry,
    pub(crate) front: Option<Arc<dyn Front>>,
    pub(crate) memory_share: Bytes,
    pub(crate) completion: Arc<Completion>,
    slots: Vec<Arc<Slot>>,
}

impl<S: Style> Host<S> {
    /// The machines and their queues.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Control<S>> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes that many sleeping slots. Call it without the lock, or they wake up only to wait for it.
    pub(crate) fn wake(&self, slots: usize) {
        for _ in 0..slots {
            self.work.notify_one();
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
        self.work.notify_all();
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
    threads: Vec<JoinHandle<()>>,
    folder: PathBuf,
}

impl<S: Style> Running<S> {
    /// Starts the machines and exactly `setup.slots` compute threads.
    ///
    /// # Errors
    /// No slot, too little memory, an unwritable scratch folder, or no thread to be had.
    pub(crate) fn start(
        style: &S,
        front: Option<Arc<dyn Front>>,
        registry: Registry,
        setup: &EngineSetup,
    ) -> Result<Self, EngineError> {
        let env = StyleEnv { slots: setup.slots, memory_share: memory_share(setup)?, tuning: setup.tuning.clone() };
        let compression = compression(setup.tuning.word("compression"))?;
        let folder = fresh_folder(&setup.scratch)?;
        let clock = Clock::start();
        let completion = Arc::<Completion>::default();
        let blocks = subfolder(&folder, "blocks".to_owned())?;
        let mut slots = Vec::new();
        for number in 0..setup.slots as usize {
            let scratch = subfolder(&folder, format!("slot-{number}"))?;
            slots.push(Arc::new(Slot::new(number, clock, scratch, setup.spans)));
        }
        let store = Arc::new(BlockStore::new(blocks, compression));
        let ends = (Arc::clone(&store), Arc::clone(&completion));
        let host = Arc::new(Host {
            control: Mutex::new(Control::start(style, &env, slots.clone(), ends, setup.spans)),
            work: Condvar::new(),
            clock,
            store,
            registry,
            front,
            memory_share: env.memory_share,
            completion,
            slots,
        });
        let mut running = Self { host, env, threads: Vec::new(), folder };
        running.spawn(style.name())?;
        Ok(running)
    }

    fn spawn(&mut self, style: &str) -> Result<(), EngineError> {
        for slot in &self.host.slots {
            let (host, slot) = (Arc::clone(&self.host), Arc::clone(slot));
            let name = format!("{style}-{}", slot.number());
            let thread = std::thread::Builder::new().name(name).spawn(move || live(&host, &slot));
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
        self.host.work.notify_all();
        for thread in self.threads.drain(..) {
            // A slot's panic was reported when it happened.
            let _ = thread.join();
        }
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "cannot remove a session's folder; remove it by hand");
        }
    }
}

/// A slot's thread. Kernel panics never get here; a machine's does.
fn live<S: Style>(host: &Host<S>, slot: &Arc<Slot>) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| slot::drive(host, slot))) {
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

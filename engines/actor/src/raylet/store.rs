//! The object store of a node: which objects are here, which of them are pinned, what is fetched, evicted and spilled.
//!
//! Objects are sealed: an attempt's block never changes, and a copy is as good as the original. *Primary* copies were
//! written here and are kept (spilled to disk if memory is short); *secondary* copies were fetched and may be evicted
//! whenever nothing pins them. Small objects are not counted: they stand for values that travel with their task.
//!
//! **Pull admission cannot deadlock.** All arguments of one request form a *bundle*. (1) Bundles that must fetch are
//! admitted strictly in order of arrival, each as a whole: the bytes of all its missing arguments are reserved at once.
//! So an admitted bundle never waits for memory again; its fetches end by themselves, well or badly, and then it needs
//! only resources held by running tasks or set aside for placement groups, whose tasks do not wait for memory at all (they
//! are two for each reservation at most). Hence every admitted bundle finishes.
//! (2) The oldest bundle that is not admitted is admitted when its bytes fit, and, whatever its size and whatever the
//! store holds, when no admitted fetching bundle is left. By (1) that moment comes. By induction over the order of
//! arrival every bundle is admitted and finishes. What other stores get wrong is (1): if arguments are admitted one by
//! one, two bundles can each pin half of what they need, and pinned copies cannot be evicted.
//! [`Store::check`] verifies after each step that the oldest waits only while an admitted fetching bundle is left.
//!
//! This file is longer than most: the argument and the code it is about belong together. Making room is in `room`,
//! fetching ahead of readers in `ahead`, what is known of one object in `object`.
//!
//! Long because: admission, pins and eviction share one account of bytes, and the proof that it cannot deadlock is
//! about all of them.

mod ahead;
mod object;
mod room;

use crate::keyed::Map;
use crate::message::Frame;
use crate::settings::Settings;
use bench_model::{Action, Attempt, BlockId, BlockMeta, BlockRef, Bytes, JobId, NodeId, Storage};
use object::{Object, State};
use std::collections::VecDeque;

/// How many blocks are on their way to a node at a time.
const FETCHES_MAX: usize = 256;

/// An attempt's block.
pub(super) type Key = (BlockId, Attempt);

type Out = Vec<Action<Frame>>;

/// The arguments of one request.
struct Bundle {
    args: Vec<BlockRef>,
    /// What it pins, once admitted.
    pinned: Vec<Key>,
    /// How many of them are on their way.
    missing: u32,
    /// It reserved memory when it was admitted.
    fetches: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    /// A bundle at a time, the oldest first.
    Bundles,
    /// Everything at once.
    Unlimited,
    /// An argument at a time, as soon as it fits: what deadlocks.
    #[cfg(test)]
    Arguments,
}

/// The store of one node.
pub(super) struct Store {
    node: NodeId,
    quota: Option<u64>,
    spill_above: u64,
    spills: bool,
    inline_bytes: u64,
    ahead_max: u64,
    admission: Admission,
    objects: Map<Key, Object>,
    bundles: Map<u64, Bundle>,
    /// Bundles that are not admitted, in order of arrival.
    waiting: VecDeque<u64>,
    /// Admitted bundles that reserved memory and have not finished.
    fetching: u32,
    /// Bytes in memory or reserved.
    used: u64,
    /// Bytes of them on their way to disk.
    spilling: u64,
    /// Secondary copies that nothing pins, and primary ones, oldest first. Some are out of date.
    evictable: VecDeque<Key>,
    spillable: VecDeque<Key>,
    /// To be fetched as soon as fewer are on their way.
    asked: VecDeque<Key>,
    on_their_way: usize,
    /// To be fetched ahead, in order.
    queued: VecDeque<BlockRef>,
    ahead: u64,
    /// Requests whose arguments are all here now.
    pub(super) ready: VecDeque<u64>,
    /// Requests of which an argument is not to be had.
    pub(super) failed: Vec<(u64, BlockRef)>,
}

impl Store {
    pub(super) fn new(node: NodeId, settings: &Settings) -> Self {
        let limited = settings.quota.is_some() && settings.admission;
        Self {
            node,
            quota: settings.quota,
            spill_above: settings.spill_above,
            spills: settings.spill,
            inline_bytes: settings.inline_bytes,
            ahead_max: settings.merge_bytes,
            admission: if limited { Admission::Bundles } else { Admission::Unlimited },
            objects: Map::default(),
            bundles: Map::default(),
            waiting: VecDeque::new(),
            fetching: 0,
            used: 0,
            spilling: 0,
            evictable: VecDeque::new(),
            spillable: VecDeque::new(),
            asked: VecDeque::new(),
            on_their_way: 0,
            queued: VecDeque::new(),
            ahead: 0,
            ready: VecDeque::new(),
            failed: Vec::new(),
        }
    }

    fn is_counted(&self, bytes: u64) -> bool {
        self.quota.is_some() && bytes > self.inline_bytes
    }

    /// Whether a copy is here that was not written here.
    pub(super) fn holds(&self, key: Key) -> bool {
        self.objects.get(&key).is_some_and(|o| !o.primary && o.is_here())
    }

    /// Whether requests wait for memory.
    pub(super) fn is_holding_back(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A request needs these blocks here. It is listed in `ready` when they are. One that is not admitted `in_turn` takes
    /// memory at once.
    pub(super) fn pull(&mut self, request: u64, args: &[Vec<BlockRef>], in_turn: bool, out: &mut Out) {
        let local = |b: &BlockRef| b.node == self.node && !self.is_counted(b.meta.bytes.get());
        if args.iter().flatten().all(local) {
            self.ready.push_back(request);
            return;
        }
        let args: Vec<BlockRef> = args.iter().flatten().filter(|b| !local(b)).copied().collect();
        let waits = in_turn && self.admission != Admission::Unlimited && self.need(&args) > 0;
        self.bundles.insert(request, Bundle { args, pinned: Vec::new(), missing: 0, fetches: false });
        if waits {
            self.waiting.push_back(request);
            self.admit_waiting(out);
        } else {
            self.admit(request, out);
        }
    }

    /// The bytes that a bundle would have to reserve now.
    fn need(&self, args: &[BlockRef]) -> u64 {
        let absent = |b: &&BlockRef| {
            let counted = b.node != self.node && self.is_counted(b.meta.bytes.get());
            let coming = |o: &Object| o.is_here() || matches!(o.state, State::Asked | State::Fetching);
            counted && !self.objects.get(&(b.id, b.attempt)).is_some_and(coming)
        };
        args.iter().filter(absent).map(|b| b.meta.bytes.get()).sum()
    }

    /// Admits bundles in order while the next one fits, or nothing that was admitted before is left.
    fn admit_waiting(&mut self, out: &mut Out) {
        #[cfg(test)]
        if self.admission == Admission::Arguments {
            self.admit_arguments(out);
            return;
        }
        while let Some(request) = self.waiting.front().copied() {
            let need = self.bundles.get(&request).map_or(0, |b| self.need(&b.args));
            self.make_room(need, out);
            let fits = self.quota.is_none_or(|quota| self.used + need <= quota);
            if !fits && self.fetching > 0 {
                return;
            }
            self.waiting.pop_front();
            self.admit(request, out);
        }
    }

    /// Pins what a bundle reads and fetches what of it is not here.
    fn admit(&mut self, request: u64, out: &mut Out) {
        let Some(bundle) = self.bundles.get_mut(&request) else { return };
        let args = std::mem::take(&mut bundle.args);
        let (mut pinned, mut missing, mut fetches) = (Vec::with_capacity(args.len()), 0, false);
        for block in args {
            let key = (block.id, block.attempt);
            if block.node == self.node && !self.objects.contains_key(&key) {
                continue;
            }
            fetches |= self.fetch(&block, out);
            let Some(object) = self.objects.get_mut(&key) else { continue };
            object.pins += 1;
            pinned.push(key);
            if !object.is_here() {
                missing += 1;
                object.waiters.push(request);
            }
        }
        self.fetching += u32::from(fetches);
        if missing == 0 {
            self.ready.push_back(request);
        }
        if let Some(bundle) = self.bundles.get_mut(&request) {
            (bundle.pinned, bundle.missing, bundle.fetches) = (pinned, missing, fetches);
        }
    }

    /// Sees to it that a block is here or on its way; true if that took memory.
    fn fetch(&mut self, block: &BlockRef, out: &mut Out) -> bool {
        let (key, bytes) = ((block.id, block.attempt), block.meta.bytes.get());
        let counted = self.is_counted(bytes);
        let object = self.objects.entry(key).or_insert_with(|| Object::new(*block, State::Queued, counted));
        object.state = match object.state {
            State::Queued => State::Asked,
            State::Unwanted => State::Fetching,
            _ => return false,
        };
        let asked = object.state == State::Asked;
        if object.counted {
            self.used += bytes;
        }
        if asked {
            self.asked.push_back(key);
            self.fetch_asked(out);
        }
        counted
    }

    /// Fetches what was asked for, so many at a time.
    fn fetch_asked(&mut self, out: &mut Out) {
        while self.on_their_way < FETCHES_MAX {
            let Some(key) = self.asked.pop_front() else { return };
            if let Some(object) = self.objects.get_mut(&key).filter(|o| o.state == State::Asked) {
                object.state = State::Fetching;
                self.on_their_way += 1;
                out.push(Action::Fetch { block: object.block, storage: Storage::Shared });
            }
        }
    }

    /// A fetch ended.
    pub(super) fn fetched(&mut self, block: &BlockRef, ok: bool, out: &mut Out) {
        let key = (block.id, block.attempt);
        let Some(object) = self.objects.get_mut(&key) else {
            if ok {
                out.push(Action::Release { block: key.0, attempt: key.1 });
            }
            return;
        };
        if !matches!(object.state, State::Fetching | State::Unwanted) {
            return;
        }
        self.on_their_way -= 1;
        if std::mem::take(&mut object.ahead) {
            self.ahead -= object.bytes;
        }
        let waiters = std::mem::take(&mut object.waiters);
        if ok && object.state == State::Fetching {
            object.state = State::Here;
            self.list(key);
            for request in waiters {
                let Some(bundle) = self.bundles.get_mut(&request) else { continue };
                bundle.missing -= 1;
                if bundle.missing == 0 {
                    self.ready.push_back(request);
                }
            }
        } else {
            self.forget(key);
            if ok {
                out.push(Action::Release { block: key.0, attempt: key.1 });
            }
            self.failed.extend(waiters.into_iter().map(|request| (request, *block)));
        }
        self.fetch_asked(out);
        self.fetch_ahead(out);
    }

    /// A request is over: what it pinned is free to go. If it failed, nobody knows of the copies that it alone fetched.
    pub(super) fn finished(&mut self, request: u64, ok: bool, out: &mut Out) {
        let Some(bundle) = self.bundles.remove(&request) else { return };
        for key in bundle.pinned {
            let Some(object) = self.objects.get_mut(&key) else { continue };
            object.pins = object.pins.saturating_sub(1);
            object.known |= ok;
            object.waiters.retain(|w| *w != request);
            if object.pins == 0 && !object.known && !object.primary {
                self.release(key, out);
            } else {
                self.list(key);
            }
        }
        self.fetching -= u32::from(bundle.fetches);
        self.waiting.retain(|w| *w != request);
        self.admit_waiting(out);
        self.fetch_ahead(out);
    }

    /// A request's arguments stay here until their owner releases them.
    pub(super) fn kept(&mut self, request: u64, out: &mut Out) {
        let Some(bundle) = self.bundles.remove(&request) else { return };
        for key in bundle.pinned {
            if let Some(object) = self.objects.get_mut(&key) {
                object.known = true;
            }
        }
        self.fetching -= u32::from(bundle.fetches);
        self.admit_waiting(out);
    }

    /// A task wrote an object here.
    pub(super) fn produced(&mut self, key: Key, bytes: u64, out: &mut Out) {
        if !self.is_counted(bytes) {
            return;
        }
        let meta = BlockMeta { bytes: Bytes::new(bytes), ..BlockMeta::default() };
        let mut object = Object::new(BlockRef { id: key.0, attempt: key.1, node: self.node, meta }, State::Here, true);
        (object.primary, object.known) = (true, true);
        self.objects.insert(key, object);
        self.used += bytes;
        self.list(key);
        self.make_room(0, out);
    }

    /// Nobody reads an object any more.
    pub(super) fn release(&mut self, key: Key, out: &mut Out) {
        let state = self.objects.get(&key).map(|o| o.state);
        match state {
            // The answer will come, and must find somebody who drops what it brings. Requests that wait for it still are
            // told that it is lost: their owner knows better by now.
            Some(State::Asked | State::Fetching | State::Unwanted) => {
                if let Some(object) = self.objects.get(&key) {
                    self.failed.extend(object.waiters.iter().map(|request| (*request, object.block)));
                }
                self.unwant(key);
            }
            Some(State::Queued) => self.forget(key),
            _ => {
                self.forget(key);
                out.push(Action::Release { block: key.0, attempt: key.1 });
            }
        }
    }

    fn unwant(&mut self, key: Key) {
        if self.objects.get(&key).is_some_and(|o| o.state == State::Asked) {
            self.forget(key);
        }
        if let Some(object) = self.objects.get_mut(&key).filter(|o| o.state == State::Fetching) {
            object.state = State::Unwanted;
            object.waiters.clear();
            if object.counted {
                self.used -= object.bytes;
            }
        }
    }

    fn forget(&mut self, key: Key) {
        if let Some(object) = self.objects.remove(&key) {
            if object.is_counted_now() {
                self.used -= object.bytes;
            }
            if object.state == State::Spilling {
                self.spilling -= object.bytes;
            }
            if object.ahead {
                self.ahead -= object.bytes;
            }
        }
    }

    /// A job is over: its objects are dropped with it. Those on their way are dropped when they arrive.
    pub(super) fn drop_job(&mut self, job: JobId) {
        self.drop_if(|key| key.0.task.job == job);
    }

    /// All objects are dropped.
    pub(super) fn clear(&mut self) {
        self.bundles.clear();
        self.waiting.clear();
        self.fetching = 0;
        self.ready.clear();
        self.failed.clear();
        self.drop_if(|_| true);
    }

    fn drop_if(&mut self, of: impl Fn(&Key) -> bool) {
        let keys: Vec<Key> = self.objects.keys().filter(|key| of(key)).copied().collect();
        for key in keys {
            match self.objects.get(&key).map(|o| o.state) {
                Some(State::Asked | State::Fetching | State::Unwanted) => self.unwant(key),
                _ => self.forget(key),
            }
        }
        self.queued.retain(|b| !of(&(b.id, b.attempt)));
        self.evictable.retain(|key| !of(key));
        self.spillable.retain(|key| !of(key));
    }

    /// What must hold after each step.
    pub(super) fn check(&self) -> Result<(), String> {
        let used: u64 = self.objects.values().filter(|o| o.is_counted_now()).map(|o| o.bytes).sum();
        let spilling: u64 = self.objects.values().filter(|o| o.state == State::Spilling).map(|o| o.bytes).sum();
        let ahead: u64 = self.objects.values().filter(|o| o.ahead).map(|o| o.bytes).sum();
        if (used, spilling, ahead) != (self.used, self.spilling, self.ahead) {
            return Err(format!("the store counts {} bytes and holds {used}", Bytes::new(self.used)));
        }
        let coming = self.objects.values().filter(|o| matches!(o.state, State::Fetching | State::Unwanted)).count();
        if coming != self.on_their_way {
            return Err(format!("{coming} objects are on their way, {} counted", self.on_their_way));
        }
        let fetching = self.bundles.values().filter(|b| b.fetches).count();
        if fetching != self.fetching as usize {
            return Err(format!("{fetching} bundles hold memory, {} counted", self.fetching));
        }
        if !self.waiting.is_empty() && self.fetching == 0 {
            return Err("the oldest bundle waits although nothing admitted is left to finish".to_owned());
        }
        for (request, bundle) in &self.bundles {
            let missing =
                bundle.pinned.iter().filter(|k| self.objects.get(k).is_some_and(|o| o.waiters.contains(request)));
            if missing.count() != bundle.missing as usize {
                return Err(format!("request {request} misses another number of arguments than {}", bundle.missing));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

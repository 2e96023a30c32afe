//! The blocks of a worker: what it made, what it gathered, and what is on its way.
//!
//! Invariant: a block stays while somebody has a reason for it: the scheduler counts on it (`kept`), this worker owns it
//! in a shuffle (`owned`), or a key here reads it (`users`). It is dropped when the last reason goes.

use super::Out;
use super::hash::FixedMap;
use bench_model::{Action, Attempt, BlockId, BlockMeta, BlockRef, Bytes, FragmentId, JobId, NodeId, TaskId};
use std::collections::BTreeMap;

/// One attempt's block.
pub(crate) type BlockKey = (BlockId, Attempt);

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is to be gathered.
    Fetch,
    /// It is on its way.
    Flight,
    /// It is here.
    Memory,
    /// It could not be had, or was not what it should be. Known only until those who read it have let go of it.
    Gone,
}

/// Where a block that is here lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lies {
    InMemory,
    /// It is being moved to disk.
    Moving,
    OnDisk,
}

#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) stage: Stage,
    pub(crate) lies: Lies,
    /// The node to gather it from.
    pub(crate) source: NodeId,
    pub(crate) meta: BlockMeta,
    /// Reads by keys that are here and not done.
    pub(crate) users: u32,
    pub(crate) kept: bool,
    pub(crate) owned: bool,
    /// Keys that wait for it, once per read.
    pub(crate) waiting: Vec<TaskId>,
    /// When it was last used, if that is tracked.
    stamp: u64,
}

impl Part {
    pub(crate) const fn new(stage: Stage, source: NodeId, meta: BlockMeta) -> Self {
        Self {
            stage,
            lies: Lies::InMemory,
            source,
            meta,
            users: 0,
            kept: false,
            owned: false,
            waiting: Vec::new(),
            stamp: 0,
        }
    }

    const fn has_reason(&self) -> bool {
        self.kept || self.owned || self.users > 0
    }
}

/// The blocks of one task that are here, by output and attempt: mostly one, so a sorted list.
type Row = Vec<((u32, Attempt), Part)>;

/// Which blocks a change is about.
#[derive(Clone, Copy)]
pub(crate) enum Scope {
    /// All of a task, of every attempt.
    Task(TaskId),
    /// All of a fragment. Looks at all blocks of its job.
    Fragment(JobId, FragmentId),
}

#[derive(Default)]
pub(crate) struct Data {
    jobs: BTreeMap<JobId, FixedMap<TaskId, Row>>,
    /// Blocks in memory by when they were last used; kept only where memory is limited.
    recent: BTreeMap<u64, BlockKey>,
    tracked: bool,
    clock: u64,
    /// Bytes of the blocks that are here, in memory or moving.
    pub(crate) managed: u64,
    /// Bytes of those that are moving.
    pub(crate) moving: u64,
    /// Something came since memory was last measured.
    pub(crate) grown: bool,
}

impl Data {
    /// `tracked` keeps the order in which blocks were used.
    pub(crate) fn new(tracked: bool) -> Self {
        Self { tracked, ..Self::default() }
    }

    pub(crate) fn get_mut(&mut self, key: &BlockKey) -> Option<&mut Part> {
        let row = self.jobs.get_mut(&key.0.task.job)?.get_mut(&key.0.task)?;
        let place = place_in(row, key).ok()?;
        row.get_mut(place).map(|(_, part)| part)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (BlockKey, &Part)> {
        self.jobs.values().flatten().flat_map(|(task, row)| row.iter().map(|(at, part)| (key_of(*task, *at), part)))
    }

    /// A block that is not known yet is made by `make`.
    fn entry(&mut self, key: &BlockKey, make: impl FnOnce() -> Part) -> &mut Part {
        let row =
            self.jobs.entry(key.0.task.job).or_default().entry(key.0.task).or_insert_with(|| Vec::with_capacity(1));
        let place = place_in(row, key).unwrap_or_else(|place| {
            row.insert(place, ((key.0.output, key.1), make()));
            place
        });
        &mut row[place].1
    }

    fn remove(&mut self, key: &BlockKey) -> Option<Part> {
        let job = self.jobs.get_mut(&key.0.task.job)?;
        let row = job.get_mut(&key.0.task)?;
        let (_, part) = row.remove(place_in(row, key).ok()?);
        if row.is_empty() {
            job.remove(&key.0.task);
        }
        Some(part)
    }

    /// A block that a key reads or that this worker owns; asked for if it is not known. `true` if it is new here.
    pub(crate) fn expect(&mut self, block: &BlockRef, here: NodeId) -> (&mut Part, bool) {
        let part = self.entry(&(block.id, block.attempt), || Part::new(Stage::Gone, block.node, block.meta));
        if part.stage != Stage::Gone {
            return (part, false);
        }
        part.source = block.node;
        if block.node == here {
            // It should be here. If it is not, reading it will tell.
            (part.stage, part.lies) = (Stage::Memory, Lies::OnDisk);
        } else {
            part.stage = Stage::Fetch;
        }
        let fresh = part.stage == Stage::Fetch;
        (part, fresh)
    }

    /// A block was made here.
    pub(crate) fn made(&mut self, key: BlockKey, here: NodeId, meta: BlockMeta, owned: bool) {
        let part = self.entry(&key, || Part::new(Stage::Memory, here, meta));
        part.meta = meta;
        part.kept = true;
        part.owned = owned;
        self.arrived(&key);
    }

    /// A block is here, in memory.
    pub(crate) fn arrived(&mut self, key: &BlockKey) {
        if let Some(part) = self.get_mut(key) {
            part.stage = Stage::Memory;
            part.lies = Lies::InMemory;
            let bytes = part.meta.bytes.get();
            self.managed += bytes;
            self.grown = true;
        }
        self.touch(key);
    }

    /// A block is used now.
    pub(crate) fn touch(&mut self, key: &BlockKey) {
        if !self.tracked {
            return;
        }
        let now = self.clock + 1;
        if let Some(part) = self.get_mut(key).filter(|p| p.stage == Stage::Memory && p.lies == Lies::InMemory) {
            let before = std::mem::replace(&mut part.stamp, now);
            self.clock = now;
            self.recent.remove(&before);
            self.recent.insert(now, *key);
        }
    }

    /// The least recently used block in memory, from now on moving.
    pub(crate) fn move_oldest(&mut self) -> Option<(BlockKey, u64)> {
        let (_, key) = self.recent.pop_first()?;
        let part = self.get_mut(&key)?;
        part.lies = Lies::Moving;
        let bytes = part.meta.bytes.get();
        self.moving += bytes;
        Some((key, bytes))
    }

    /// A block is on disk, or could not be moved there.
    pub(crate) fn moved(&mut self, key: &BlockKey, done: bool) -> bool {
        let Some(part) = self.get_mut(key).filter(|p| p.lies == Lies::Moving) else { return false };
        let bytes = part.meta.bytes.get();
        part.lies = if done { Lies::OnDisk } else { Lies::InMemory };
        self.moving -= bytes;
        if done {
            self.managed -= bytes;
        } else {
            self.touch(key);
        }
        done
    }

    /// Takes a block from the books.
    fn forget(&mut self, key: &BlockKey) -> Option<Part> {
        let part = self.remove(key)?;
        self.uncount(&part);
        Some(part)
    }

    fn uncount(&mut self, part: &Part) {
        if part.stage != Stage::Memory || part.lies == Lies::OnDisk {
            return;
        }
        let bytes = part.meta.bytes.get();
        self.managed -= bytes;
        if part.lies == Lies::Moving {
            self.moving -= bytes;
        } else if self.tracked {
            self.recent.remove(&part.stamp);
        }
    }

    /// Drops a block if nobody has a reason for it any more. One on its way is dropped when it arrives.
    pub(crate) fn drop_if_idle(&mut self, key: &BlockKey, out: &mut Out) {
        let Some(part) = self.get_mut(key).filter(|p| !p.has_reason()) else { return };
        match part.stage {
            Stage::Flight => return,
            Stage::Fetch | Stage::Gone => {}
            Stage::Memory => out.push(Action::Release { block: key.0, attempt: key.1 }),
        }
        self.forget(key);
    }

    /// A block could not be had, or is not what it should be: nobody counts on it any more. Who waits for it. The caller
    /// ends those reads, and drops the block if there were none.
    pub(crate) fn lost(&mut self, key: &BlockKey, out: &mut Out) -> Vec<TaskId> {
        let Some(mut part) = self.forget(key) else { return Vec::new() };
        if part.stage == Stage::Memory {
            out.push(Action::Release { block: key.0, attempt: key.1 });
        }
        let waiting = std::mem::take(&mut part.waiting);
        if part.users > 0 {
            // What the disk says of it from now on is about nothing.
            (part.stage, part.lies, part.kept, part.owned) = (Stage::Gone, Lies::InMemory, false, false);
            self.entry(key, || part);
        }
        waiting
    }

    /// Ends a key's read of a block.
    pub(crate) fn let_go(&mut self, key: &BlockKey, reader: TaskId, out: &mut Out) {
        if let Some(part) = self.get_mut(key) {
            part.users = part.users.saturating_sub(1);
            if let Some(place) = part.waiting.iter().position(|w| *w == reader) {
                part.waiting.swap_remove(place);
            }
            if part.users == 0 && !part.has_reason() {
                self.drop_if_idle(key, out);
            }
        }
    }

    /// Changes the reasons for some blocks, and drops those that have none left.
    pub(crate) fn revise(&mut self, scope: Scope, change: impl Fn(&BlockKey, &mut Part), out: &mut Out) {
        let mut idle = Vec::new();
        let mut revise = |task: TaskId, row: &mut Row| {
            for (at, part) in row {
                let key = key_of(task, *at);
                change(&key, part);
                if !part.has_reason() {
                    idle.push(key);
                }
            }
        };
        match scope {
            Scope::Task(task) => {
                if let Some(row) = self.jobs.get_mut(&task.job).and_then(|j| j.get_mut(&task)) {
                    revise(task, row);
                }
            }
            Scope::Fragment(job, fragment) => {
                let rows = self.jobs.get_mut(&job).into_iter().flatten();
                rows.filter(|(task, _)| task.fragment == fragment).for_each(|(task, row)| revise(*task, row));
            }
        }
        for key in idle {
            self.drop_if_idle(&key, out);
        }
    }

    /// Forgets a job's blocks, which the host drops all at once. Those on their way are dropped when they arrive.
    pub(crate) fn forget_job(&mut self, job: JobId) {
        for (_, part) in self.jobs.remove(&job).into_iter().flatten().flat_map(|(_, row)| row) {
            self.uncount(&part);
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.tracked);
    }

    /// What is counted beside the blocks must agree with them.
    pub(crate) fn check(&self) -> Result<(), String> {
        let here = || self.iter().map(|(_, part)| part).filter(|p| p.stage == Stage::Memory);
        let sum = |lies: &[Lies]| -> Bytes { here().filter(|p| lies.contains(&p.lies)).map(|p| p.meta.bytes).sum() };
        let (managed, moving) = (sum(&[Lies::InMemory, Lies::Moving]), sum(&[Lies::Moving]));
        if managed.get() != self.managed || moving.get() != self.moving {
            return Err(format!(
                "{} bytes managed, {} moving; counted {managed} and {moving}",
                self.managed, self.moving
            ));
        }
        if self.tracked && self.recent.len() != here().filter(|p| p.lies == Lies::InMemory).count() {
            return Err("blocks in memory and their order of use disagree".to_owned());
        }
        for (key, part) in self.iter() {
            if !part.has_reason() && part.stage != Stage::Flight {
                return Err(format!("{} {} stays without a reason", key.0, key.1));
            }
            if part.stage == Stage::Memory && !part.waiting.is_empty() {
                return Err(format!("{} {} is here and waited for", key.0, key.1));
            }
        }
        Ok(())
    }
}

const fn key_of(task: TaskId, (output, attempt): (u32, Attempt)) -> BlockKey {
    (BlockId { task, output }, attempt)
}

/// Where a block is in its task's row, or would be.
fn place_in(row: &Row, key: &BlockKey) -> Result<usize, usize> {
    row.binary_search_by_key(&(key.0.output, key.1), |(at, _)| *at)
}

//! The four levels of memory: target, spill, pause, terminate.
//!
//! A paused worker starts nothing and gathers nothing. If that does not help, because nothing is running whose end would
//! free memory and nothing more can be spilled, it would wait for ever (as the original can): after a while it goes on with
//! one key at a time, and says that it takes work.

use super::{Out, Worker};
use crate::message::{Pressure, Up};
use crate::settings::Levels;
use bench_model::{Action, Attempt, BlockId, Note, TaskFailure, TimerId};

/// Measures memory.
pub(crate) const MEASURE: TimerId = TimerId(1);
/// After how many measurements without any progress a paused worker goes on, one key at a time.
const PATIENCE: u32 = 10;

pub(crate) struct Memory {
    levels: Option<Levels>,
    pressure: Pressure,
    /// It goes on, one key at a time, although it should pause.
    strained: bool,
    told: Pressure,
    stuck: u32,
    /// A measurement is due or under way.
    measuring: bool,
    /// The disk took no more; not tried again before the next measurement.
    disk_full: bool,
}

impl Memory {
    pub(crate) const fn new(levels: Option<Levels>) -> Self {
        Self {
            levels,
            pressure: Pressure::Normal,
            strained: false,
            told: Pressure::Normal,
            stuck: 0,
            measuring: false,
            disk_full: false,
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.pressure != Pressure::Normal && !self.strained
    }

    /// How many keys may run at a time.
    pub(crate) const fn slots(&self, slots: usize) -> usize {
        if self.strained { 1 } else { slots }
    }

    /// Whether so many bytes of blocks are more than may stay in memory while the disk takes more.
    pub(crate) fn is_exceeded_by(&self, held: u64) -> bool {
        !self.disk_full && self.levels.as_ref().is_some_and(|levels| held > levels.target)
    }

    fn announced(&self) -> Pressure {
        if self.strained { Pressure::Normal } else { self.pressure }
    }
}

impl Worker {
    /// Sees to it that memory is measured while it may change.
    pub(super) fn watch_memory(&mut self, out: &mut Out) {
        let Some(levels) = self.memory.levels.filter(|_| !self.memory.measuring) else { return };
        let changing = self.data.grown || !self.works.is_empty() || self.memory.pressure != Pressure::Normal;
        if changing {
            self.memory.measuring = true;
            out.push(Action::Timer { id: MEASURE, after: levels.interval });
        }
    }

    /// The process holds that much.
    pub(super) fn measured(&mut self, used: u64, out: &mut Out) {
        let Some(levels) = self.memory.levels else { return };
        self.memory.measuring = false;
        self.memory.disk_full = false;
        self.data.grown = false;
        self.memory.pressure = if used >= levels.terminate {
            Pressure::Critical
        } else if used >= levels.pause {
            Pressure::Paused
        } else {
            Pressure::Normal
        };
        self.spill_to_target(out);
        if used > levels.spill {
            // Down to the target, as far as blocks can help; what is moving already counts.
            let wanted = used - levels.target.min(levels.spill);
            self.spill(wanted.saturating_sub(self.data.moving), out);
        }
        let hopeless = self.running.is_empty() && self.zombies.is_empty() && self.data.moving == 0;
        self.memory.stuck = if self.memory.is_paused() && hopeless { self.memory.stuck + 1 } else { 0 };
        self.memory.strained &= self.memory.pressure != Pressure::Normal;
        self.memory.strained |= self.memory.stuck >= PATIENCE;
        if self.memory.announced() != self.memory.told {
            self.tell_pressure();
        }
    }

    /// Tells the scheduler how this worker's memory stands.
    pub(super) fn tell_pressure(&mut self) {
        self.memory.told = self.memory.announced();
        self.tell(Up::Memory(self.memory.told));
    }

    /// After [`crate::Down::Welcome`], the scheduler wants to know in any case.
    pub(super) fn welcome(&mut self) {
        if self.memory.levels.is_some() {
            self.tell_pressure();
        }
    }

    /// Spills what the blocks take beyond the target.
    pub(super) fn spill_to_target(&mut self, out: &mut Out) {
        if let Some(levels) = self.memory.levels {
            let held = self.data.managed - self.data.moving;
            self.spill(held.saturating_sub(levels.target), out);
        }
    }

    /// Moves least recently used blocks to disk, at least so many bytes.
    fn spill(&mut self, mut bytes: u64, out: &mut Out) {
        while bytes > 0
            && !self.memory.disk_full
            && let Some((key, size)) = self.data.move_oldest()
        {
            bytes = bytes.saturating_sub(size.max(1));
            out.push(Action::Spill { block: key.0, attempt: key.1 });
        }
    }

    /// A block was moved to disk, or not.
    pub(super) fn spilled(
        &mut self,
        (block, attempt): (BlockId, Attempt),
        result: &Result<(), TaskFailure>,
        out: &mut Out,
    ) {
        if self.data.moved(&(block, attempt), result.is_ok()) {
            out.push(Action::Note { job: block.task.job, note: Note::Spilled(block) });
        } else if result.is_err() {
            self.memory.disk_full = true;
        }
    }
}

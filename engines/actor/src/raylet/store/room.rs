//! Room in memory: secondary copies that nothing pins are evicted first, then primary copies are spilled, oldest first.

use super::object::State;
use super::{Key, Out, Store};
use bench_model::{Action, Note};

impl Store {
    /// Lists an object for eviction or spilling, if it is in memory, unpinned and counted.
    pub(super) fn list(&mut self, key: Key) {
        let Some(object) = self.objects.get_mut(&key) else { return };
        if object.counted && object.pins == 0 && object.state == State::Here && !object.listed {
            object.listed = true;
            if object.primary { self.spillable.push_back(key) } else { self.evictable.push_back(key) }
        }
    }

    /// The next listed object that is still as it was when it was listed.
    pub(super) fn next_listed(&mut self, primary: bool) -> Option<Key> {
        loop {
            let key = if primary { self.spillable.pop_front() } else { self.evictable.pop_front() }?;
            if let Some(object) = self.objects.get_mut(&key) {
                object.listed = false;
                if object.pins == 0 && object.state == State::Here && object.primary == primary {
                    return Some(key);
                }
            }
        }
    }

    /// Evicts secondary copies, then spills primary ones, until `need` more bytes fit, or nothing more can go.
    pub(super) fn make_room(&mut self, need: u64, out: &mut Out) {
        let Some(quota) = self.quota else { return };
        while self.used + need > quota || self.used > self.spill_above {
            let Some(key) = self.next_listed(false) else { break };
            self.forget(key);
            out.push(Action::Release { block: key.0, attempt: key.1 });
        }
        let over = |s: &Self| {
            let soon = s.used - s.spilling;
            soon + need > quota || soon > s.spill_above
        };
        while self.spills && over(self) {
            let Some(key) = self.next_listed(true) else { return };
            let Some(object) = self.objects.get_mut(&key) else { continue };
            object.state = State::Spilling;
            self.spilling += object.bytes;
            out.push(Action::Spill { block: key.0, attempt: key.1 });
        }
    }

    /// A spill ended. If it failed, the object stays in memory and is not tried again.
    pub(in super::super) fn spilled(&mut self, key: Key, ok: bool, out: &mut Out) {
        let Some(object) = self.objects.get_mut(&key).filter(|o| o.state == State::Spilling) else { return };
        self.spilling -= object.bytes;
        if ok {
            object.state = State::Spilled;
            self.used -= object.bytes;
            out.push(Action::Note { job: key.0.task.job, note: Note::Spilled(key.0) });
        } else {
            object.state = State::Here;
            object.listed = true;
        }
        self.admit_waiting(out);
    }
}

//! Fetching ahead of readers, within a byte budget: the receiving side of the push-merge shuffle.

use super::object::{Object, State};
use super::{Out, Store};
use bench_model::BlockRef;

impl Store {
    /// Tasks that read these blocks will run here: they are fetched when there is room.
    pub(in super::super) fn prefetch(&mut self, blocks: &[BlockRef], out: &mut Out) {
        for block in blocks.iter().filter(|b| b.node != self.node) {
            let key = (block.id, block.attempt);
            if self.objects.contains_key(&key) {
                continue;
            }
            let mut object = Object::new(*block, State::Queued, self.is_counted(block.meta.bytes.get()));
            object.known = true;
            self.objects.insert(key, object);
            self.queued.push_back(*block);
        }
        self.fetch_ahead(out);
    }

    /// Fetches queued blocks within their budget. In a store that is nearly full they are left to their readers.
    pub(super) fn fetch_ahead(&mut self, out: &mut Out) {
        while let Some(block) = self.queued.front().copied() {
            let (key, bytes) = ((block.id, block.attempt), block.meta.bytes.get());
            if self.objects.get(&key).is_none_or(|o| o.state != State::Queued) {
                self.queued.pop_front();
                continue;
            }
            if self.ahead > 0 && self.ahead + bytes > self.ahead_max {
                return;
            }
            self.queued.pop_front();
            if self.is_counted(bytes) && self.used + bytes > self.spill_above || !self.waiting.is_empty() {
                self.forget(key);
                continue;
            }
            self.fetch(&block, out);
            self.ahead += bytes;
            if let Some(object) = self.objects.get_mut(&key) {
                object.ahead = true;
            }
        }
    }
}

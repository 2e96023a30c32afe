//! What happens next: occurrences ordered by virtual time, equal times in the order they were added.

use bench_model::Nanos;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A priority queue that keeps its entries still: the heap moves small keys only.
pub(crate) struct Queue<T> {
    heap: BinaryHeap<Reverse<(Nanos, u64, u32)>>,
    entries: Vec<Option<T>>,
    vacant: Vec<u32>,
    added: u64,
}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self { heap: BinaryHeap::new(), entries: Vec::new(), vacant: Vec::new(), added: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(crate) fn push(&mut self, at: Nanos, entry: T) {
        let place = match self.vacant.pop() {
            Some(place) => {
                self.entries[place as usize] = Some(entry);
                place
            }
            None => {
                self.entries.push(Some(entry));
                self.entries.len() as u32 - 1
            }
        };
        self.added += 1;
        self.heap.push(Reverse((at, self.added, place)));
    }

    pub(crate) fn pop(&mut self) -> Option<(Nanos, T)> {
        let Reverse((at, _, place)) = self.heap.pop()?;
        self.vacant.push(place);
        let entry = self.entries.get_mut(place as usize)?.take()?;
        Some((at, entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn entries_leave_in_time_order_and_first_in_first_out(times in prop::collection::vec(0u64..5, 0..50)) {
            let mut queue = Queue::new();
            for (i, t) in times.iter().enumerate() {
                queue.push(Nanos::new(*t), (*t, i));
            }
            let mut wanted: Vec<(u64, usize)> = times.iter().copied().zip(0..).collect();
            wanted.sort_unstable();
            let mut got = Vec::new();
            while let Some((_, entry)) = queue.pop() {
                got.push(entry);
            }
            prop_assert_eq!(got, wanted);
        }
    }
}

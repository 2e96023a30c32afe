//! A hash without a seed: fast for the small numbers that name tasks, and the same in every run, so that whatever is
//! walked in hash order is walked in the same order when a seed is replayed. Names come from the scheduler, which numbers
//! them itself, so nobody can choose them to collide.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map with that hash.
pub(crate) type FixedMap<K, V> = HashMap<K, V, BuildHasherDefault<FixedHasher>>;

#[derive(Clone, Copy, Default)]
pub(crate) struct FixedHasher(u64);

/// Odd, and without a pattern in its bits: 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl FixedHasher {
    const fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(29) ^ word).wrapping_mul(SPREAD);
    }
}

impl Hasher for FixedHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.add(u64::from(*byte)));
    }

    fn write_u32(&mut self, word: u32) {
        self.add(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.add(word);
    }

    fn finish(&self) -> u64 {
        // The map takes its place from the low bits and its tag from the high ones.
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::{FragmentId, JobId, TaskId};
    use std::hash::{BuildHasher, Hash};

    #[test]
    fn neighboring_tasks_spread_over_low_and_high_bits() {
        let build = BuildHasherDefault::<FixedHasher>::default();
        let (mut low, mut high) = (vec![0; 1 << 10], vec![0; 1 << 7]);
        for n in 0..10_240u32 {
            let task = TaskId { job: JobId(3), fragment: FragmentId(n / 100), partition: n % 100 };
            let mut hasher = build.build_hasher();
            task.hash(&mut hasher);
            low[(hasher.finish() & 1_023) as usize] += 1;
            high[(hasher.finish() >> 57) as usize] += 1;
        }
        assert!(low.iter().all(|n| *n < 40), "10 on average, {:?} at most", low.iter().max());
        assert!(high.iter().all(|n| *n < 160), "80 on average, {:?} at most", high.iter().max());
    }
}

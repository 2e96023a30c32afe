//! Hash maps for small keys. They have no random seed, and whoever walks one must not care for its order: a seed of the
//! simulator has to give the same run every time.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map keyed by ids.
pub(crate) type Map<K, V> = HashMap<K, V, BuildHasherDefault<Words>>;

/// Mixes a key's words one after the other.
#[derive(Clone, Default)]
pub(crate) struct Words(u64);

impl Hasher for Words {
    fn finish(&self) -> u64 {
        // The map takes its buckets from the low bits and its tags from the high ones.
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0xd6e8_feb8_6659_fd93);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::{FragmentId, JobId, TaskId};
    use std::collections::BTreeSet;
    use std::hash::{BuildHasher, BuildHasherDefault};

    #[test]
    fn neighboring_keys_fall_apart_in_their_low_and_high_bits() {
        let hasher = BuildHasherDefault::<Words>::default();
        let mut low = BTreeSet::new();
        let mut high = BTreeSet::new();
        for number in 0..4_096u32 {
            let task = TaskId { job: JobId(0), fragment: FragmentId(number / 64), partition: number % 64 };
            let hash = hasher.hash_one(task);
            low.insert(hash & 4_095);
            high.insert(hash >> 52);
        }
        // As many distinct values as chance would give, or nearly: 4096 balls in 4096 bins leave 63 % of them hit.
        assert!(low.len() > 2_200 && high.len() > 2_200, "{} low, {} high", low.len(), high.len());
    }
}

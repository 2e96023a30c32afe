//! Plain copies, to compare with.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Read again and again: it stays in the cache, so that a copy costs what writing costs.
const SOURCE: usize = 256 << 10;

/// Copies `bytes` into memory that was never touched.
pub(crate) fn fresh(bytes: usize) -> Duration {
    let source = vec![7u8; SOURCE];
    let begin = Instant::now();
    let mut target: Vec<u8> = Vec::with_capacity(bytes);
    while target.len() < bytes {
        target.extend_from_slice(&source);
    }
    let took = begin.elapsed();
    black_box(&target);
    took
}

/// Copies all of `source` into memory that is there already.
pub(crate) fn warm(source: &[u8], target: &mut [u8]) -> Duration {
    let begin = Instant::now();
    target.copy_from_slice(source);
    let took = begin.elapsed();
    black_box(target);
    took
}

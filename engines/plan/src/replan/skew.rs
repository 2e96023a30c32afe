//! Splitting partitions that are far larger than their siblings.

use std::ops::Range;

/// When a partition is too large for one task, and what its pieces aim at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SplitRule {
    /// How many times the median a skewed partition is at least.
    pub(super) factor: f64,
    /// The size that a skewed partition exceeds.
    pub(super) bytes_min: u64,
    /// The least size that pieces aim at.
    pub(super) piece_bytes: u64,
}

/// The size that pieces of `partition` aim at, if it is skewed among `totals`: no less than an ordinary partition's
/// mean, so that a piece no longer stands out.
pub(super) fn piece_bytes(totals: &[u64], partition: usize, rule: SplitRule) -> Option<u64> {
    let limit = ((median(totals) as f64 * rule.factor) as u64).max(rule.bytes_min);
    totals.get(partition).filter(|&&bytes| bytes > limit)?;
    let (sum, count) = totals.iter().filter(|&&b| b <= limit).fold((0u64, 0u64), |(sum, n), b| (sum + b, n + 1));
    Some((sum / count.max(1)).max(rule.piece_bytes).max(1))
}

/// The size in the middle; 0 of nothing.
pub(super) fn median(sizes: &[u64]) -> u64 {
    let mut sorted = sizes.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

/// Cuts producer tasks, by the bytes each left, into runs of at most `goal` bytes; a larger one stays alone. Every task
/// is in exactly one run.
pub(super) fn split(sizes: &[u64], goal: u64) -> Vec<Range<u32>> {
    let mut runs: Vec<Range<u32>> = vec![];
    let mut held = 0;
    for (task, &bytes) in (0u32..).zip(sizes) {
        match runs.last_mut() {
            Some(run) if held + bytes <= goal => {
                run.end = task + 1;
                held += bytes;
            }
            _ => {
                runs.push(task..task + 1);
                held = bytes;
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: SplitRule = SplitRule { factor: 5.0, bytes_min: 100, piece_bytes: 50 };

    #[test]
    fn only_a_partition_beyond_both_limits_is_skewed() {
        assert_eq!(piece_bytes(&[10, 10, 10, 90], 3, RULE), None);
        assert_eq!(piece_bytes(&[30, 30, 30, 140], 3, RULE), None);
        assert_eq!(piece_bytes(&[10, 10, 10, 500], 3, RULE), Some(50));
        assert_eq!(piece_bytes(&[80, 80, 80, 500], 3, RULE), Some(80));
    }

    #[test]
    fn producer_tasks_are_cut_into_runs_near_the_goal() {
        assert_eq!(split(&[10, 20, 30, 100, 5, 5], 60), [0..3, 3..4, 4..6]);
        assert_eq!(split(&[500], 60).as_slice(), std::slice::from_ref(&(0..1)));
    }
}

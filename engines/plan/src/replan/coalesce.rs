//! Merging adjacent small partitions of finished exchanges, so that tasks are worth starting.

use std::ops::Range;

/// What merged partitions aim at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MergeRule {
    /// The advised size of a task's partitions.
    pub(super) target_bytes: u64,
    /// Below this size a task is not worth starting.
    pub(super) task_bytes_min: u64,
    /// How many tasks can run at a time.
    pub(super) slots: u32,
}

/// What one merged task aims at: the advised size, less where that would leave slots without work at some time, more
/// where a task would not be worth starting.
pub(super) fn goal(sizes: &[u64], rule: MergeRule) -> u64 {
    let total: u64 = sizes.iter().sum();
    let slots = u64::from(rule.slots.max(1));
    let advised = rule.target_bytes.max(rule.task_bytes_min).max(1);
    // Whole waves: a last wave that fills some of the slots takes as long as one that fills all of them.
    let tasks = total.div_ceil(advised).next_multiple_of(slots);
    total.div_ceil(tasks.max(1)).max(rule.task_bytes_min).max(1)
}

/// Merges adjacent partitions into as many groups as their bytes need at `goal` bytes each, cut where the running sum
/// comes closest to equal parts. Every partition is in exactly one group, and no group is without partitions.
pub(super) fn group(sizes: &[u64], goal: u64) -> Vec<Range<u32>> {
    let mut sums = vec![0u128];
    for &bytes in sizes {
        sums.push(sums.last().copied().unwrap_or(0) + u128::from(bytes));
    }
    let total = sums.last().copied().unwrap_or(0);
    let groups = total.div_ceil(u128::from(goal.max(1))).clamp(1, sizes.len().max(1) as u128);
    let mut cuts = vec![0u32];
    for part in 1..groups {
        let cut = nearest(&sums, total * part / groups);
        if cuts.last().is_some_and(|&last| last < cut) && (cut as usize) < sizes.len() {
            cuts.push(cut);
        }
    }
    cuts.push(sizes.len() as u32);
    cuts.iter().zip(cuts.iter().skip(1)).filter(|(from, to)| from < to).map(|(&from, &to)| from..to).collect()
}

/// The position of the ascending sum closest to `want`.
fn nearest(sums: &[u128], want: u128) -> u32 {
    let at = sums.partition_point(|&sum| sum < want);
    let distance = |i: usize| sums.get(i).map_or(u128::MAX, |sum| sum.abs_diff(want));
    let before = at.saturating_sub(1);
    (if distance(before) < distance(at) { before } else { at }) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_partitions_become_equal_groups() {
        assert_eq!(group(&[10; 8], 40), [0..4, 4..8]);
        assert_eq!(group(&[10; 8], 10), (0..8).map(|p| p..p + 1).collect::<Vec<_>>());
    }

    #[test]
    fn empty_partitions_become_one_task() {
        assert_eq!(group(&[0; 8], 1).as_slice(), std::slice::from_ref(&(0..8)));
        assert_eq!(group(&[], 1), Vec::<Range<u32>>::new());
    }

    #[test]
    fn a_large_partition_is_not_made_larger_by_its_neighbors() {
        assert_eq!(group(&[1, 1, 90, 1, 1], 30), [0..2, 2..3, 3..5]);
    }

    #[test]
    fn slots_are_kept_busy_unless_tasks_are_not_worth_starting() {
        let rule = MergeRule { target_bytes: 1_000, task_bytes_min: 10, slots: 4 };
        assert_eq!(goal(&[100; 8], rule), 200);
        assert_eq!(group(&[100; 8], 200).len(), 4);
        assert_eq!(goal(&[1; 8], rule), 10);
        assert_eq!(group(&[1; 8], 10).len(), 1);
        assert_eq!(goal(&[10_000; 8], rule), 1_000);
        assert_eq!(goal(&[625; 8], rule), 625, "five tasks' worth becomes two waves of four");
    }
}

//! New tasks over finished partitions: which partitions one task reads, and from which producer tasks.
//!
//! Law: for every partition and every choice of one producer task per input, exactly one new task reads all of the
//! chosen blocks. So rows that would have met in an old task meet exactly once in a new one.

use super::coalesce::{self, MergeRule};
use super::skew::{self, SplitRule};
use bench_model::{Slice, StageStats};
use std::ops::Range;

/// A finished shuffled input: `bytes[task][partition]` as its producer left it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shuffled {
    pub(super) bytes: Vec<Vec<u64>>,
    /// Whether its rows may be dealt to several tasks that all read the other inputs whole.
    pub(super) splittable: bool,
}

impl Shuffled {
    /// The sizes a finished fragment reported.
    pub(super) fn of(stats: &StageStats, splittable: bool) -> Self {
        let bytes = stats.blocks.iter().map(|task| task.iter().map(|b| b.bytes.get()).collect()).collect();
        Self { bytes, splittable }
    }

    /// What each producer task left for `partition`.
    pub(super) fn partition(&self, partition: usize) -> Vec<u64> {
        self.bytes.iter().map(|outputs| outputs.get(partition).copied().unwrap_or(0)).collect()
    }

    /// The size of each of `partitions` partitions over all producer tasks.
    pub(super) fn totals(&self, partitions: usize) -> Vec<u64> {
        (0..partitions).map(|p| self.partition(p).iter().sum()).collect()
    }

    fn tasks(&self) -> Range<u32> {
        0..self.bytes.len() as u32
    }
}

/// What one new task reads: the same partitions of every input, and of each input some producer tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) partitions: Range<u32>,
    /// One range of producer tasks per input.
    pub(super) tasks: Vec<Range<u32>>,
}

impl Share {
    /// What it reads of input number `input`.
    pub(super) fn slices(&self, input: usize) -> Vec<Slice> {
        let slice = |tasks: &Range<u32>| Slice { outputs: self.partitions.clone(), tasks: tasks.clone() };
        self.tasks.get(input).map(slice).into_iter().collect()
    }
}

/// The tasks that read `partitions` co-partitioned partitions of `inputs`, in partition order.
///
/// Without rules this is one task a partition, as the exchange was planned.
pub(super) fn layout(
    partitions: u32,
    inputs: &[Shuffled],
    split: Option<SplitRule>,
    merge: Option<MergeRule>,
) -> Vec<Share> {
    let totals: Vec<Vec<u64>> = inputs.iter().map(|i| i.totals(partitions as usize)).collect();
    let sizes: Vec<u64> = (0..partitions as usize).map(|p| totals.iter().filter_map(|t| t.get(p)).sum()).collect();
    let goal = merge.map(|rule| coalesce::goal(&sizes, rule));
    let mut shares = Vec::with_capacity(sizes.len());
    let mut ordinary = 0..0;
    for partition in 0..partitions {
        let pieces = pieces(partition, inputs, &totals, split);
        if pieces.len() == 1 {
            ordinary.end = partition + 1;
            continue;
        }
        shares.extend(merged(&ordinary, &sizes, goal, inputs));
        shares.extend(pieces);
        ordinary = partition + 1..partition + 1;
    }
    shares.extend(merged(&ordinary, &sizes, goal, inputs));
    shares
}

/// Adjacent ordinary partitions, merged if there is a goal.
fn merged(run: &Range<u32>, sizes: &[u64], goal: Option<u64>, inputs: &[Shuffled]) -> Vec<Share> {
    let whole = |partitions| Share { partitions, tasks: inputs.iter().map(Shuffled::tasks).collect() };
    match (goal, sizes.get(run.start as usize..run.end as usize)) {
        (Some(goal), Some(sizes)) => {
            coalesce::group(sizes, goal).into_iter().map(|g| whole(run.start + g.start..run.start + g.end)).collect()
        }
        _ => run.clone().map(|p| whole(p..p + 1)).collect(),
    }
}

/// One partition's tasks: several where an input is skewed there, each pairing one piece of every input.
fn pieces(partition: u32, inputs: &[Shuffled], totals: &[Vec<u64>], rule: Option<SplitRule>) -> Vec<Share> {
    let mut shares = vec![Share { partitions: partition..partition + 1, tasks: vec![] }];
    for (input, totals) in inputs.iter().zip(totals) {
        let piece_bytes =
            rule.filter(|_| input.splittable).and_then(|r| skew::piece_bytes(totals, partition as usize, r));
        let pieces = match piece_bytes {
            Some(goal) => skew::split(&input.partition(partition as usize), goal),
            None => vec![input.tasks()],
        };
        shares = shares.iter().flat_map(|share| pieces.iter().map(|piece| share.with(piece))).collect();
    }
    shares
}

impl Share {
    fn with(&self, tasks: &Range<u32>) -> Self {
        Self { partitions: self.partitions.clone(), tasks: self.tasks.iter().chain([tasks]).cloned().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shuffled(partitions: usize) -> impl Strategy<Value = Shuffled> {
        let size = prop_oneof![3 => 0u64..100, 1 => 1_000u64..100_000];
        (prop::collection::vec(prop::collection::vec(size, partitions), 1..6), any::<bool>())
            .prop_map(|(bytes, splittable)| Shuffled { bytes, splittable })
    }

    fn inputs() -> impl Strategy<Value = (u32, Vec<Shuffled>)> {
        (1usize..12).prop_flat_map(|n| (Just(n as u32), prop::collection::vec(shuffled(n), 1..3)))
    }

    fn split_rule() -> impl Strategy<Value = Option<SplitRule>> {
        prop::option::of((1.0f64..6.0, 0u64..2_000, 1u64..500).prop_map(|(factor, bytes_min, piece_bytes)| SplitRule {
            factor,
            bytes_min,
            piece_bytes,
        }))
    }

    fn merge_rule() -> impl Strategy<Value = Option<MergeRule>> {
        prop::option::of(
            (1u64..5_000, 0u64..200, 1u32..9).prop_map(|(target_bytes, task_bytes_min, slots)| MergeRule {
                target_bytes,
                task_bytes_min,
                slots,
            }),
        )
    }

    /// How many shares read `partition` from producer tasks `chosen`, one per input.
    fn readers(shares: &[Share], partition: u32, chosen: &[u32]) -> usize {
        let reads = |s: &&Share| {
            s.partitions.contains(&partition) && s.tasks.iter().zip(chosen).all(|(tasks, t)| tasks.contains(t))
        };
        shares.iter().filter(reads).count()
    }

    proptest! {
        #[test]
        fn every_combination_of_blocks_meets_in_exactly_one_task(
            (partitions, inputs) in inputs(), split in split_rule(), merge in merge_rule()
        ) {
            let shares = layout(partitions, &inputs, split, merge);
            let first = inputs[0].bytes.len() as u32;
            let second = inputs.get(1).map_or(1, |i| i.bytes.len() as u32);
            for partition in 0..partitions {
                for a in 0..first {
                    for b in 0..second {
                        prop_assert_eq!(readers(&shares, partition, &[a, b]), 1);
                    }
                }
            }
        }

        #[test]
        fn an_input_that_must_not_be_split_is_read_whole((partitions, inputs) in inputs(), split in split_rule()) {
            for share in layout(partitions, &inputs, split, None) {
                for (input, tasks) in inputs.iter().zip(&share.tasks) {
                    prop_assert!(input.splittable || *tasks == input.tasks());
                }
            }
        }

        #[test]
        fn merged_tasks_stay_near_the_goal((partitions, inputs) in inputs(), merge in merge_rule()) {
            let total = |p| inputs.iter().map(|i| i.totals(partitions as usize)[p]).sum::<u64>();
            let sizes: Vec<u64> = (0..partitions as usize).map(total).collect();
            if let Some(rule) = merge {
                let goal = coalesce::goal(&sizes, rule);
                let largest = sizes.iter().copied().max().unwrap_or(0);
                for share in layout(partitions, &inputs, None, merge) {
                    let bytes: u64 = share.partitions.map(|p| sizes[p as usize]).sum();
                    prop_assert!(bytes <= goal + 2 * largest, "{bytes} over {goal}");
                }
            }
        }
    }

    #[test]
    fn without_rules_there_is_one_task_a_partition() {
        let input = Shuffled { bytes: vec![vec![1, 2, 3]; 2], splittable: true };
        let shares = layout(3, &[input], None, None);
        let share = |p| Share { partitions: p..p + 1, tasks: std::iter::once(0..2).collect() };
        let expected: Vec<_> = (0..3).map(share).collect();
        assert_eq!(shares, expected);
    }

    #[test]
    fn a_hot_partition_is_split_between_merged_ordinary_ones() {
        let hot = Shuffled { bytes: vec![vec![10, 10, 400, 10, 10]; 3], splittable: true };
        let other = Shuffled { bytes: vec![vec![5; 5]], splittable: false };
        let split = SplitRule { factor: 5.0, bytes_min: 100, piece_bytes: 400 };
        let merge = MergeRule { target_bytes: 100, task_bytes_min: 0, slots: 1 };
        let shares = layout(5, &[hot, other], Some(split), Some(merge));
        let shown: Vec<_> =
            shares.iter().map(|s| (s.partitions.clone(), s.tasks[0].clone(), s.tasks[1].clone())).collect();
        assert_eq!(
            shown,
            [(0..2, 0..3, 0..1), (2..3, 0..1, 0..1), (2..3, 1..2, 0..1), (2..3, 2..3, 0..1), (3..5, 0..3, 0..1)]
        );
    }
}

//! The arithmetic of new tasks over finished partitions: which partitions one task reads, and from which producer tasks.
//!
//! Law: for every partition and every choice of one producer task per input, exactly one new task reads all of the
//! chosen blocks. Rows that could meet in the old tasks meet exactly once in the new ones.

use bench_model::Slice;
use std::ops::Range;

/// A finished shuffled input: `bytes[task][partition]` as its producer left it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shuffled {
    pub(super) bytes: Vec<Vec<u64>>,
    /// Whether its rows may be dealt to several tasks that all read the other inputs whole.
    pub(super) splittable: bool,
}

impl Shuffled {
    fn partition(&self, partition: usize) -> Vec<u64> {
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

/// When a partition is too large for one task, and what its pieces aim at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SplitRule {
    pub(super) factor: f64,
    pub(super) bytes_min: u64,
    pub(super) piece_bytes: u64,
}

/// What merged partitions aim at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MergeRule {
    pub(super) target_bytes: u64,
    pub(super) task_bytes_min: u64,
    pub(super) slots: u32,
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

    /// How many bytes of `shuffled`, which is input number `input`, it reads.
    pub(super) fn bytes(&self, input: usize, shuffled: &Shuffled) -> u64 {
        let Some(tasks) = self.tasks.get(input) else { return 0 };
        tasks
            .clone()
            .filter_map(|task| shuffled.bytes.get(task as usize))
            .flat_map(|outputs| self.partitions.clone().filter_map(|p| outputs.get(p as usize)))
            .sum()
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
    let pieces: Vec<Vec<Share>> = (0..partitions).map(|p| split_partition(p, inputs, &totals, split)).collect();
    let sizes: Vec<u64> = (0..partitions as usize).map(|p| totals.iter().filter_map(|t| t.get(p)).sum()).collect();
    let goal = merge.map(|rule| goal_bytes(&sizes, rule));
    let mut shares = Vec::with_capacity(pieces.len());
    let mut at = 0;
    while at < pieces.len() {
        let run = pieces[at..].iter().take_while(|p| p.len() == 1).count();
        match goal {
            Some(goal) if run > 0 => {
                let merged = group(&sizes[at..at + run], goal);
                shares.extend(merged.into_iter().map(|r| whole(offset(&r, at), inputs)));
                at += run;
            }
            _ => {
                shares.extend(pieces[at].iter().cloned());
                at += 1;
            }
        }
    }
    shares
}

fn offset(range: &Range<usize>, by: usize) -> Range<u32> {
    (range.start + by) as u32..(range.end + by) as u32
}

fn whole(partitions: Range<u32>, inputs: &[Shuffled]) -> Share {
    Share { partitions, tasks: inputs.iter().map(Shuffled::tasks).collect() }
}

/// One partition's tasks: several where an input is skewed there, each pairing one piece of every input.
fn split_partition(partition: u32, inputs: &[Shuffled], totals: &[Vec<u64>], rule: Option<SplitRule>) -> Vec<Share> {
    let mut shares = vec![Share { partitions: partition..partition + 1, tasks: vec![] }];
    for (input, totals) in inputs.iter().zip(totals) {
        let skewed = rule.filter(|rule| input.splittable && is_skewed(totals, partition as usize, *rule));
        let pieces = match skewed {
            Some(rule) => split(&input.partition(partition as usize), piece_bytes(totals, rule)),
            None => vec![input.tasks()],
        };
        shares = shares
            .iter()
            .flat_map(|share| {
                pieces.iter().map(|piece| {
                    let tasks = share.tasks.iter().cloned().chain([piece.clone()]).collect();
                    Share { partitions: share.partitions.clone(), tasks }
                })
            })
            .collect();
    }
    shares
}

fn median(sizes: &[u64]) -> u64 {
    let mut sorted = sizes.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

fn skew_limit(totals: &[u64], rule: SplitRule) -> u64 {
    let limit = median(totals) as f64 * rule.factor;
    (limit as u64).max(rule.bytes_min)
}

fn is_skewed(totals: &[u64], partition: usize, rule: SplitRule) -> bool {
    totals.get(partition).is_some_and(|&bytes| bytes > skew_limit(totals, rule))
}

/// Pieces are as large as an ordinary partition, so that a split one no longer stands out.
fn piece_bytes(totals: &[u64], rule: SplitRule) -> u64 {
    let limit = skew_limit(totals, rule);
    let (sum, count) = totals.iter().filter(|&&b| b <= limit).fold((0, 0), |(sum, n), b| (sum + b, n + 1));
    (sum / u64::max(count, 1)).max(rule.piece_bytes).max(1)
}

/// Cuts producer tasks, by the bytes each left, into runs of at most `goal` bytes; a larger one stays alone.
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
    if runs.is_empty() { vec![0..0] } else { runs }
}

/// What one merged task aims at: the advised size, less where that would leave slots without work, more where a task
/// would not be worth starting.
fn goal_bytes(sizes: &[u64], rule: MergeRule) -> u64 {
    let total: u64 = sizes.iter().sum();
    let fair = total.div_ceil(u64::from(rule.slots.max(1)));
    rule.target_bytes.min(fair).max(rule.task_bytes_min).max(1)
}

/// Merges adjacent partitions into groups of about `goal` bytes: as many as the bytes need, cut where the running sum
/// comes closest to equal parts.
pub(super) fn group(sizes: &[u64], goal: u64) -> Vec<Range<usize>> {
    let total: u64 = sizes.iter().sum();
    let groups = total.div_ceil(goal).clamp(1, sizes.len().max(1) as u64);
    let mut cuts = vec![0];
    let mut sum = 0;
    for (partition, &bytes) in sizes.iter().enumerate() {
        let want = u128::from(total) * cuts.len() as u128 / u128::from(groups);
        let (before, after) = (u128::from(sum), u128::from(sum + bytes));
        let nearer_before = want.abs_diff(before) <= want.abs_diff(after);
        if after > want && nearer_before && cuts.last() != Some(&partition) && (cuts.len() as u64) < groups {
            cuts.push(partition);
        } 
        sum += bytes;
        let want = u128::from(total) * cuts.len() as u128 / u128::from(groups);
        if u128::from(sum) >= want && partition + 1 < sizes.len() && (cuts.len() as u64) < groups {
            cuts.push(partition + 1);
        }
    }
    cuts.push(sizes.len());
    cuts.windows(2).filter_map(|w| (w[0] < w[1]).then(|| w[0]..w[1])).collect()
}

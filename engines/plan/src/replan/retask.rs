//! New tasks for a fragment whose shuffled inputs have all finished: merged partitions, split partitions, and joins
//! that fit the memory of the tasks that come out of it.

use super::coalesce::MergeRule;
use super::estimate::hash_table_bytes;
use super::layout::{Share, Shuffled, layout};
use super::settings::{AdaptiveSettings, JoinChoice};
use super::skew::SplitRule;
use super::sort_merge;
use super::tree::{JoinSite, free_above, join_sites, leaves};
use crate::block_scan::{BlockScanExec, block_scans};
use crate::error::PlanError;
use crate::fragment::{FragmentPlan, JobPlan};
use bench_model::{Bytes, FragmentId, Read, StageStats};
use datafusion::common::JoinType;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::joins::HashJoinExec;
use std::collections::BTreeMap;

pub(super) type Stats = BTreeMap<FragmentId, StageStats>;

/// A fragment, and for each of its inputs what its finished producer left, if the input is shuffled.
struct Ready<'a> {
    fragment: &'a FragmentPlan,
    shuffled: Vec<(usize, &'a StageStats)>,
}

impl<'a> Ready<'a> {
    /// None while a shuffled input has not finished, or if there is none.
    fn of(job: &'a JobPlan, id: FragmentId, stats: &'a Stats) -> Option<Self> {
        let fragment = job.fragments.get(&id)?;
        let aligned = fragment.inputs.iter().enumerate().filter(|(_, i)| i.read == Read::Aligned);
        let shuffled: Option<Vec<_>> = aligned.map(|(i, input)| Some((i, stats.get(&input.from)?))).collect();
        shuffled.filter(|s| !s.is_empty()).map(|shuffled| Self { fragment, shuffled })
    }

    /// Whether tasks may be numbered anew: what a task computes follows from what it is told to read alone.
    fn is_renumberable(&self, job: &JobPlan) -> bool {
        let fragment = self.fragment;
        let by_number = |read: &Read| !matches!(read, Read::Aligned | Read::All);
        let readers = job.fragments.values().flat_map(|f| &f.inputs).filter(|i| i.from == fragment.id);
        let whole = |i: usize, stats: &StageStats| {
            !fragment.reads_runs(i) && stats.blocks.iter().all(|task| task.len() == fragment.tasks as usize)
        };
        fragment.tasks > 1
            && !fragment.inputs.iter().any(|i| by_number(&i.read))
            && !readers.into_iter().any(|i| by_number(&i.read))
            && self.shuffled.iter().all(|(i, stats)| whole(*i, stats))
            && !crate::task::has_union(&fragment.plan)
            && leaves(&fragment.plan).into_iter().all(|l| l.is::<BlockScanExec>() || l.is::<EmptyExec>())
    }

    /// The shuffled inputs' sizes, each marked with whether it may be split.
    fn sizes(&self) -> Vec<Shuffled> {
        let splittable = self.splittable();
        self.shuffled.iter().map(|(i, stats)| Shuffled::of(stats, splittable.contains(i))).collect()
    }

    /// The inputs whose rows may be dealt to several tasks.
    fn splittable(&self) -> Vec<usize> {
        let sites = join_sites(self.fragment);
        let numbered = leaves(&self.fragment.plan).into_iter().any(|l| l.is::<EmptyExec>());
        match (sites.as_slice(), self.shuffled.len(), numbered) {
            ([site], 2, false) if free_above(&self.fragment.plan, &site.path) => splittable_sides(site),
            _ => vec![],
        }
    }
}

/// The sides of a join whose rows may be dealt to several tasks that each hold the whole other side's partition: those
/// whose unmatched rows the join gives out, or both where it gives out none.
fn splittable_sides(site: &JoinSite) -> Vec<usize> {
    use JoinType::{Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightMark, RightSemi};
    let [left, right] = site.inputs;
    match site.kind {
        Inner => vec![left, right],
        Left | LeftSemi | LeftAnti | LeftMark => vec![left],
        Right | RightSemi | RightAnti | RightMark => vec![right],
        JoinType::Full => vec![],
    }
}

/// Gives a ready fragment new tasks and, where a task's build side does not fit its memory, sort-merge joins. Returns
/// what changed, a sentence each.
///
/// # Errors
/// DataFusion refuses the new plan; `job` is unchanged then.
pub(super) fn retask(
    job: &mut JobPlan,
    id: FragmentId,
    stats: &Stats,
    settings: &AdaptiveSettings,
) -> Result<Vec<String>, PlanError> {
    let Some(ready) = Ready::of(job, id, stats) else { return Ok(vec![]) };
    let mut notes = vec![];
    let mut changed = ready.fragment.clone();
    let mut shares = shares_as_planned(&ready);
    if (settings.coalesce || settings.skew) && ready.is_renumberable(job) {
        let sizes = ready.sizes();
        let new = layout(changed.tasks, &sizes, split_rule(settings), merge_rule(settings));
        if new != shares && !new.is_empty() {
            notes.extend(describe(&ready, &sizes, &new));
            apply(&mut changed, &ready, &new);
            shares = new;
        }
    }
    if settings.join == JoinChoice::Auto {
        notes.extend(fit_joins(&mut changed, &ready, &shares, settings)?);
    }
    if !notes.is_empty() {
        job.fragments.insert(id, changed);
    }
    Ok(notes)
}

fn split_rule(settings: &AdaptiveSettings) -> Option<SplitRule> {
    settings.skew.then(|| SplitRule {
        factor: settings.skew_factor,
        bytes_min: settings.skew_bytes.get(),
        piece_bytes: settings.coalesce_bytes.get(),
    })
}

/// Merged partitions must fit a task's memory, with room for what the task does to them.
fn merge_rule(settings: &AdaptiveSettings) -> Option<MergeRule> {
    settings.coalesce.then(|| MergeRule {
        target_bytes: settings.coalesce_bytes.get().min(settings.memory_share.get() / 4),
        task_bytes_min: settings.task_bytes_min.get(),
        slots: settings.slots,
    })
}

fn shares_as_planned(ready: &Ready<'_>) -> Vec<Share> {
    let inputs: Vec<Shuffled> = ready.shuffled.iter().map(|(_, stats)| Shuffled::of(stats, false)).collect();
    layout(ready.fragment.tasks, &inputs, None, None)
}

fn apply(fragment: &mut FragmentPlan, ready: &Ready<'_>, shares: &[Share]) {
    for (position, (input, _)) in ready.shuffled.iter().enumerate() {
        if let Some(input) = fragment.inputs.get_mut(*input) {
            input.read = Read::Slices(shares.iter().map(|share| share.slices(position)).collect());
        }
    }
    fragment.tasks = shares.len() as u32;
}

/// Which partitions were split and which merged.
fn describe(ready: &Ready<'_>, sizes: &[Shuffled], shares: &[Share]) -> Vec<String> {
    let fragment = ready.fragment;
    let mut notes = vec![];
    for (position, (input, _)) in ready.shuffled.iter().enumerate() {
        let Some(from) = fragment.inputs.get(*input).map(|i| i.from) else { continue };
        let Some(size) = sizes.get(position) else { continue };
        let totals = size.totals(fragment.tasks as usize);
        for (partition, &bytes) in (0u32..).zip(&totals) {
            let pieces = pieces_of(shares, partition, position);
            if pieces > 1 {
                let median = Bytes::new(super::skew::median(&totals));
                notes.push(format!(
                    "{}: partition {partition} of {from} is skewed ({}, median {median}) and was split into {pieces} \
                     pieces",
                    fragment.id,
                    Bytes::new(bytes),
                ));
            }
        }
    }
    let merged: Vec<_> = shares.iter().filter(|s| s.partitions.len() > 1).collect();
    if !merged.is_empty() {
        let partitions: usize = merged.iter().map(|s| s.partitions.len()).sum();
        let bytes = merged
            .iter()
            .flat_map(|s| s.partitions.clone())
            .map(|p| sizes.iter().map(|size| size.partition(p as usize).iter().sum::<u64>()).sum::<u64>());
        let bytes: u64 = bytes.sum();
        let (tasks, noun) = (merged.len(), if merged.len() == 1 { "task" } else { "tasks" });
        notes.push(format!(
            "{}: {partitions} of {} partitions ({} together) were merged into {tasks} {noun} of about {}",
            fragment.id,
            fragment.tasks,
            Bytes::new(bytes),
            Bytes::new(bytes / tasks.max(1) as u64),
        ));
    }
    notes
}

/// How many pieces of an input's partition there are.
fn pieces_of(shares: &[Share], partition: u32, position: usize) -> usize {
    let own = shares.iter().filter(|s| s.partitions == (partition..partition + 1));
    let starts: std::collections::BTreeSet<u32> = own.filter_map(|s| s.tasks.get(position)).map(|t| t.start).collect();
    starts.len()
}

/// Sort-merge joins where the build side of some task would not fit the memory of the task.
fn fit_joins(
    fragment: &mut FragmentPlan,
    ready: &Ready<'_>,
    shares: &[Share],
    settings: &AdaptiveSettings,
) -> Result<Vec<String>, PlanError> {
    let largest = std::cell::Cell::new(0);
    let wanted = |join: &HashJoinExec| {
        let bytes = build_bytes(ready, join, shares);
        largest.set(largest.get().max(bytes));
        bytes > settings.join_share().get()
    };
    let (plan, count) = sort_merge::convert(&fragment.plan, &wanted)?;
    if count == 0 {
        return Ok(vec![]);
    }
    fragment.plan = plan;
    Ok(vec![format!(
        "{}: hash join became a sort-merge join: its largest build side needs {}, and a task has {} for it",
        fragment.id,
        Bytes::new(largest.get()),
        settings.join_share(),
    )])
}

/// What the largest task's build side of a join takes in memory, by the sizes of the shuffled inputs it is made of.
fn build_bytes(ready: &Ready<'_>, join: &HashJoinExec, shares: &[Share]) -> u64 {
    let scans = block_scans(join.left());
    let mut tasks = vec![0u64; shares.len()];
    for scan in scans.iter().filter_map(|s| s.downcast_ref::<BlockScanExec>()) {
        let Some(position) = ready.shuffled.iter().position(|(input, _)| *input == scan.input()) else { continue };
        let Some((_, stats)) = ready.shuffled.get(position) else { continue };
        let schema = scan.schema();
        for (task, share) in tasks.iter_mut().zip(shares) {
            let (mut rows, mut bytes) = (0, 0);
            let blocks = share.tasks.get(position).cloned().into_iter().flatten().flat_map(|t| {
                let outputs = stats.blocks.get(t as usize);
                share.partitions.clone().filter_map(move |p| outputs.and_then(|o| o.get(p as usize)))
            });
            for block in blocks {
                rows += block.rows.get();
                bytes += block.bytes.get();
            }
            *task = task.saturating_add(hash_table_bytes(rows, bytes, &schema));
        }
    }
    tasks.into_iter().max().unwrap_or(0)
}

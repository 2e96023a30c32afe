//! Joining against a small build side that every task reads whole, so that the probe side is not shuffled.
//!
//! The probe side's fragment moves into the join's fragment, which takes over its tasks and its inputs. Where the probe
//! side has already been shuffled nothing changes: hashing one partition of the build side per task is cheaper than
//! hashing all of it in each.

use super::estimate::expected_bytes;
use super::inputs::{rename, without_unread};
use super::settings::AdaptiveSettings;
use super::sides::{Sides, sides};
use super::tree::{Node, at, emits_by_probe, free_above, replace};
use crate::block_scan::BlockScanExec;
use crate::error::PlanError;
use crate::fragment::{Cut, FragmentPlan, JobPlan};
use bench_model::{Bytes, FragmentId, Read, StageStats};
use datafusion::common::internal_datafusion_err;
use datafusion::physical_expr::Partitioning;
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// What is known about the size of a build side.
#[derive(Clone, Copy, Debug)]
pub(super) enum Size {
    /// It cannot be larger by much.
    AtMost(Bytes),
    /// DataFusion's estimate.
    About(Bytes),
    /// It has run.
    Measured(Bytes),
}

impl Size {
    pub(super) fn bytes(self) -> Bytes {
        match self {
            Self::AtMost(bytes) | Self::About(bytes) | Self::Measured(bytes) => bytes,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(bytes) => write!(f, "takes at most {bytes}"),
            Self::About(bytes) => write!(f, "is estimated at {bytes}"),
            Self::Measured(bytes) => write!(f, "is {bytes}"),
        }
    }
}

/// Turns the first join that the size of the finished fragment `just` allows into a broadcast join.
///
/// # Errors
/// DataFusion refuses the new plan; `job` is unchanged then.
pub(super) fn replan_next(
    job: &mut JobPlan,
    stats: &BTreeMap<FragmentId, StageStats>,
    just: FragmentId,
    fixed: &BTreeSet<FragmentId>,
    settings: &AdaptiveSettings,
) -> Result<Option<String>, PlanError> {
    let Some(size) = stats.get(&just).map(|s| s.blocks.iter().flatten().map(|b| b.bytes).sum::<Bytes>()) else {
        return Ok(None);
    };
    let fits = |c: &Sides| c.build == just && pays(job, c, size.get(), settings);
    let candidate = candidates(job, fixed, settings.slots).into_iter().find(fits);
    candidate.map(|c| apply(job, &c, Size::Measured(size), settings)).transpose()
}

/// Every join that may be changed, by fragment; both ways round where both are possible.
pub(super) fn candidates(job: &JobPlan, fixed: &BTreeSet<FragmentId>, slots: u32) -> Vec<Sides> {
    sides(job, fixed).into_iter().filter(|s| is_legal(job, s) && is_free(job, s, slots)).collect()
}

/// Whether the join may hold the build side whole in every task, in a fragment that reads nothing else by partition.
fn is_legal(job: &JobPlan, sides: &Sides) -> bool {
    let Some(fragment) = job.fragments.get(&sides.fragment) else { return false };
    let Some(join) = at(&fragment.plan, &sides.join) else { return false };
    let shuffled = fragment.inputs.iter().filter(|i| i.read != Read::All).count();
    let merges = (0..fragment.inputs.len()).any(|i| fragment.reads_runs(i));
    // An order that operators above may count on comes from the probe side and would be lost by swapping.
    let keeps_order = !sides.swapped || join.output_ordering().is_none();
    shuffled == 2
        && !merges
        && !is_read_by_task(job, fragment.id)
        && join.is::<HashJoinExec>()
        && free_above(&fragment.plan, &sides.join)
        && emits_by_probe(sides.kind)
        && keeps_order
}

/// Whether some fragment's task numbers depend on this one's.
fn is_read_by_task(job: &JobPlan, id: FragmentId) -> bool {
    let by_task = |read: &Read| !matches!(read, Read::Aligned | Read::All);
    job.fragments.values().flat_map(|f| &f.inputs).any(|i| i.from == id && by_task(&i.read))
}

fn is_free(job: &JobPlan, sides: &Sides, slots: u32) -> bool {
    let (Some(probe), Some(fragment)) = (job.fragments.get(&sides.probe), job.fragments.get(&sides.fragment)) else {
        return false;
    };
    let keeps_slots_busy = probe.tasks >= fragment.tasks.min(slots);
    let parts_match = probe.plan.output_partitioning().partition_count() == probe.tasks as usize;
    sides.probe != job.result && keeps_slots_busy && parts_match
}

/// Whether a build side of `build` bytes is small enough for every probe task to hold it whole.
pub(super) fn pays(job: &JobPlan, candidate: &Sides, build: u64, settings: &AdaptiveSettings) -> bool {
    let Some(probe) = job.fragments.get(&candidate.probe) else { return false };
    let tasks = u64::from(probe.tasks);
    // Every task hashes the build side again: more of that than there is to shuffle is no gain.
    let worth = AdaptiveSettings::TASK_BYTES_MIN.get().saturating_mul(tasks);
    let saved = expected_bytes(probe).map_or(u64::MAX, |bytes| bytes.max(worth));
    build <= settings.broadcast_bytes.get()
        && build <= settings.memory_share.get() / 2
        && build.saturating_mul(tasks) <= saved
}

/// Carries a candidate out and says so.
///
/// # Errors
/// DataFusion refuses the new plan; `job` is unchanged then.
pub(super) fn apply(
    job: &mut JobPlan,
    candidate: &Sides,
    size: Size,
    settings: &AdaptiveSettings,
) -> Result<String, PlanError> {
    let missing = PlanError::MissingFragment;
    let fragment = job.fragments.get(&candidate.fragment).ok_or(missing(candidate.fragment))?;
    let probe = job.fragments.get(&candidate.probe).ok_or(missing(candidate.probe))?;
    let saved = expected_bytes(probe).map_or(String::new(), |b| format!(" (saves about {})", Bytes::new(b)));
    let changed = converted(fragment, probe, candidate)?;
    let only_reader = job.fragments.values().flat_map(|f| &f.inputs).filter(|i| i.from == candidate.build).count() == 1;
    job.fragments.remove(&candidate.probe);
    job.fragments.insert(changed.id, changed);
    for other in job.fragments.values_mut() {
        other.waits_for.retain(|w| *w != candidate.probe);
    }
    if !matches!(size, Size::Measured(_))
        && only_reader
        && let Some(build) = job.fragments.get_mut(&candidate.build)
    {
        build.cut = Cut::Broadcast;
    }
    Ok(format!(
        "{}: hash join became a broadcast join: its build side {} {size}, within the {} limit; {} is no longer \
         shuffled{saved}",
        candidate.fragment, candidate.build, settings.broadcast_bytes, candidate.probe,
    ))
}

/// The join's fragment with the probe fragment inside.
fn converted(fragment: &FragmentPlan, probe: &FragmentPlan, candidate: &Sides) -> Result<FragmentPlan, PlanError> {
    let join = at(&fragment.plan, &candidate.join).and_then(|n| n.downcast_ref::<HashJoinExec>());
    let join = join.ok_or_else(|| internal_datafusion_err!("the join of {} is gone", fragment.id))?;
    let (build_side, probe_side) =
        if candidate.swapped { (join.right(), join.left()) } else { (join.left(), join.right()) };
    let build_scan = scan_at(build_side, &candidate.build_scan)?;
    scan_at(probe_side, &candidate.probe_scan)?;

    let mut inputs = fragment.inputs.clone();
    if let Some(input) = inputs.get_mut(build_scan.input()) {
        input.read = Read::All;
    }
    let whole = Arc::new(build_scan.clone().with_partitioning(Partitioning::UnknownPartitioning(1)));
    let build = replace(build_side, &candidate.build_scan, whole)?;
    let moved = rename(&probe.plan, &|input| input + inputs.len())?;
    let moved = replace(probe_side, &candidate.probe_scan, moved)?;
    inputs.extend(probe.inputs.iter().cloned());
    let plan = replace(&fragment.plan, &candidate.join, shared_build(join, build, moved, candidate.swapped)?)?;

    let waits_for: BTreeSet<_> = fragment.waits_for.iter().chain(&probe.waits_for).copied().collect();
    let waits_for = waits_for.into_iter().filter(|w| *w != candidate.build && *w != probe.id).collect();
    let changed = FragmentPlan { plan, inputs, tasks: probe.tasks, waits_for, ..fragment.clone() };
    without_unread(&changed)
}

fn shared_build(join: &HashJoinExec, build: Node, probe: Node, swapped: bool) -> Result<Node, PlanError> {
    let sides = if swapped { vec![probe, build] } else { vec![build, probe] };
    // The new join must share no table and no filter with the one it replaces.
    let fresh = join.builder().reset_state().recompute_properties().with_new_children(sides)?;
    if swapped {
        return Ok(fresh.build()?.swap_inputs(PartitionMode::CollectLeft)?);
    }
    Ok(fresh.with_partition_mode(PartitionMode::CollectLeft).build_exec()?)
}

fn scan_at<'a>(plan: &'a Node, path: &[usize]) -> Result<&'a BlockScanExec, PlanError> {
    let scan = at(plan, path).and_then(|n| n.downcast_ref::<BlockScanExec>());
    Ok(scan.ok_or_else(|| internal_datafusion_err!("no block scan at {path:?}"))?)
}

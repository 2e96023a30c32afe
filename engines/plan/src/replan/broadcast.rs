//! Joining against a small build side that every task reads whole, so that the probe side is not shuffled.
//!
//! The probe side's fragment moves into the join's fragment, which takes over its tasks and its inputs. Where the probe
//! side has already been shuffled nothing changes: hashing one partition of the build side per task is cheaper than
//! hashing all of it in each.

use super::estimate::{cautious_row_bytes, expected_bytes, hash_table_bytes, is_fixed_width, row_bytes};
use super::inputs::{rename, without_unread};
use super::settings::AdaptiveSettings;
use super::sides::{Sides, sides};
use super::tree::{Node, at, emits_by_probe, free_above, replace};
use crate::block_scan::BlockScanExec;
use crate::error::PlanError;
use crate::fragment::{Cut, FragmentPlan, JobPlan};
use bench_model::{Bytes, FragmentId, Read, StageStats};
use datafusion::arrow::datatypes::Schema;
use datafusion::common::internal_datafusion_err;
use datafusion::physical_expr::Partitioning;
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// What is known about the size of a build side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    rows: u64,
    /// What the rows take where they are stored.
    bytes: Bytes,
    known: Known,
}

/// How a size is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// It cannot be larger.
    AtMost,
    /// It cannot have more rows; their text is taken to be of typical length.
    RowsAtMost,
    /// DataFusion's estimate.
    About,
    /// It has run.
    Measured,
}

impl Size {
    /// Of a side that cannot have more rows than this.
    pub(super) fn at_most(rows: u64, schema: &Schema) -> Self {
        let known = if is_fixed_width(schema) { Known::AtMost } else { Known::RowsAtMost };
        Self { rows, bytes: Bytes::new(rows.saturating_mul(row_bytes(schema))), known }
    }

    /// Of a side that DataFusion expects to have that many rows.
    pub(super) fn about(rows: u64, schema: &Schema) -> Self {
        Self { rows, bytes: Bytes::new(rows.saturating_mul(row_bytes(schema))), known: Known::About }
    }

    /// Of a side that has run.
    pub(super) fn measured(stats: &StageStats) -> Self {
        let blocks = || stats.blocks.iter().flatten();
        let rows = blocks().map(|b| b.rows.get()).sum();
        Self { rows, bytes: blocks().map(|b| b.bytes).sum(), known: Known::Measured }
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn bytes(&self) -> Bytes {
        self.bytes
    }

    /// Whether the hash table of such a build side may be held by a task, with as much again for what else it does.
    /// Text that nobody has measured counts as long.
    pub(super) fn fits_a_task(&self, schema: &Schema, settings: &AdaptiveSettings) -> bool {
        let stored = match self.known {
            Known::AtMost | Known::Measured => self.bytes.get(),
            Known::RowsAtMost | Known::About => self.rows.saturating_mul(cautious_row_bytes(schema)),
        };
        hash_table_bytes(self.rows, stored, schema) <= settings.memory_share.get() / 2
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, bytes, known } = self;
        match known {
            Known::AtMost => write!(f, "takes at most {bytes}"),
            Known::RowsAtMost => write!(f, "has at most {rows} rows and is estimated at {bytes}"),
            Known::About => write!(f, "is estimated at {bytes}"),
            Known::Measured => write!(f, "is {bytes}"),
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
    let Some(size) = stats.get(&just).map(Size::measured) else { return Ok(None) };
    let fits = |c: &Sides| c.build == just && pays(job, c, &size, settings);
    let candidate = candidates(job, fixed, settings.slots).into_iter().find(fits);
    candidate.map(|c| apply(job, &c, &size, settings)).transpose()
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

/// Whether a build side of that size is small enough for every probe task to hold it whole.
pub(super) fn pays(job: &JobPlan, candidate: &Sides, size: &Size, settings: &AdaptiveSettings) -> bool {
    let (Some(probe), Some(side)) = (job.fragments.get(&candidate.probe), job.fragments.get(&candidate.build)) else {
        return false;
    };
    let build = size.bytes.get();
    let tasks = u64::from(probe.tasks);
    // Every task hashes the build side again: more of that than there is to shuffle is no gain.
    let worth = AdaptiveSettings::TASK_BYTES_MIN.get().saturating_mul(tasks);
    let saved = expected_bytes(probe).map_or(u64::MAX, |bytes| bytes.max(worth));
    build <= settings.broadcast_bytes.get()
        && size.fits_a_task(&side.plan.schema(), settings)
        && build.saturating_mul(tasks) <= saved
}

/// Carries a candidate out and says so.
///
/// # Errors
/// DataFusion refuses the new plan; `job` is unchanged then.
pub(super) fn apply(
    job: &mut JobPlan,
    candidate: &Sides,
    size: &Size,
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
    if size.known != Known::Measured
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

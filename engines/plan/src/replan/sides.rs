//! Joins of two shuffled inputs, each side taken as a possible build side: where `broadcast` and `reduce` look for work.

use super::tree::{Path, join_sites};
use crate::fragment::{FragmentPlan, JobPlan};
use bench_model::FragmentId;
use datafusion::common::JoinType;
use std::collections::BTreeSet;

/// One way round of a join.
#[derive(Clone, Debug)]
pub(super) struct Sides {
    /// The join's fragment.
    pub(super) fragment: FragmentId,
    /// Who would be read whole.
    pub(super) build: FragmentId,
    /// Whose shuffle would be spared or made smaller.
    pub(super) probe: FragmentId,
    /// Where the join is.
    pub(super) join: Path,
    /// The way from the build side's top to its scan.
    pub(super) build_scan: Path,
    /// The way from the probe side's top to its scan.
    pub(super) probe_scan: Path,
    /// Whether the build side is the join's right side.
    pub(super) swapped: bool,
    /// The join's kind, were the build side on its left.
    pub(super) kind: JoinType,
}

/// Every join of a fragment that has not started, both ways round, by fragment, where the probe side may still change:
/// it has not started, nobody else reads it, and the build side can be had without it.
pub(super) fn sides(job: &JobPlan, fixed: &BTreeSet<FragmentId>) -> Vec<Sides> {
    let open = job.fragments.values().filter(|f| !fixed.contains(&f.id));
    open.flat_map(both_ways).filter(|s| is_open(job, s, fixed)).collect()
}

fn both_ways(fragment: &FragmentPlan) -> Vec<Sides> {
    let mut found = vec![];
    for site in join_sites(fragment) {
        let [left, right] = site.inputs.map(|i| fragment.inputs.get(i).map(|i| i.from));
        let (Some(left), Some(right)) = (left, right) else { continue };
        let [left_scan, right_scan] = site.scans;
        found.push(Sides {
            fragment: fragment.id,
            build: left,
            probe: right,
            join: site.path.clone(),
            build_scan: left_scan.clone(),
            probe_scan: right_scan.clone(),
            swapped: false,
            kind: site.kind,
        });
        found.push(Sides {
            fragment: fragment.id,
            build: right,
            probe: left,
            join: site.path,
            build_scan: right_scan,
            probe_scan: left_scan,
            swapped: true,
            kind: site.kind.swap(),
        });
    }
    found
}

fn is_open(job: &JobPlan, sides: &Sides, fixed: &BTreeSet<FragmentId>) -> bool {
    let readers = job.fragments.values().flat_map(|f| &f.inputs).filter(|i| i.from == sides.probe).count();
    readers == 1
        && sides.build != sides.probe
        && !fixed.contains(&sides.probe)
        && job.fragments.contains_key(&sides.probe)
        && !depends(job, sides.build, sides.probe)
}

/// Whether `id` needs `on` to have run, directly or not. Each fragment is looked at once, however many need it.
pub(super) fn depends(job: &JobPlan, id: FragmentId, on: FragmentId) -> bool {
    let mut seen = BTreeSet::from([id]);
    let mut open = vec![id];
    while let Some(next) = open.pop() {
        let Some(fragment) = job.fragments.get(&next) else { continue };
        for before in fragment.inputs.iter().map(|i| i.from).chain(fragment.waits_for.iter().copied()) {
            if before == on {
                return true;
            }
            if seen.insert(before) {
                open.push(before);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_scan::BlockScanExec;
    use crate::fragment::Cut;
    use crate::replan::estimate::rows_at_most;
    use bench_model::{Input, JobId, Read};
    use datafusion::arrow::datatypes::Schema;
    use datafusion::physical_expr::Partitioning;
    use datafusion::physical_plan::ExecutionPlan;
    use datafusion::physical_plan::empty::EmptyExec;
    use datafusion::physical_plan::union::UnionExec;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    /// Fragments that each read the one before them twice: there are 2^`depth` ways from the last to the first.
    fn diamonds(depth: u32) -> JobPlan {
        let schema = Arc::new(Schema::empty());
        let mut fragments = BTreeMap::new();
        for id in 0..=depth {
            let from = FragmentId(id.wrapping_sub(1));
            let scan = |input| -> Arc<dyn ExecutionPlan> {
                let one = Partitioning::UnknownPartitioning(1);
                Arc::new(BlockScanExec::new(input, from, Arc::clone(&schema), one))
            };
            let (plan, inputs) = match id {
                0 => (Arc::new(EmptyExec::new(Arc::clone(&schema))) as Arc<dyn ExecutionPlan>, vec![]),
                _ => (UnionExec::try_new(vec![scan(0), scan(1)]).unwrap(), vec![Input { from, read: Read::All }; 2]),
            };
            let id = FragmentId(id);
            let fragment = FragmentPlan { id, plan, cut: Cut::Gather, tasks: 1, inputs, waits_for: vec![] };
            fragments.insert(id, fragment);
        }
        JobPlan { job: JobId(1), fragments, result: FragmentId(depth), schema, revision: 0, changed: BTreeMap::new() }
    }

    #[test]
    fn deep_plans_with_very_many_ways_through_them_are_looked_at_once() {
        let job = diamonds(200);
        let (first, last) = (FragmentId(0), FragmentId(200));
        assert!(depends(&job, last, first));
        assert!(!depends(&job, first, last) && !depends(&job, last, FragmentId(999)));
        assert_eq!(rows_at_most(&job, &job.fragments[&last]), Some(0));
    }
}

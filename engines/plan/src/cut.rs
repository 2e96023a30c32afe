//! A physical plan becomes fragments: it is cut wherever rows change partition.

use crate::error::PlanError;
use crate::fragment::{Cut, FragmentPlan, JobPlan};
use crate::piece::Piece;
use crate::scalars::{ScalarSource, ScalarsExec, looks_at};
use crate::task::{has_union, leaf_partitions};
use bench_model::{FragmentId, Input, JobId, Read, Slice};
use datafusion::common::JoinType;
use datafusion::physical_expr::{Partitioning, PhysicalExpr};
use datafusion::physical_plan::analyze::AnalyzeExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::explain::ExplainExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PartitionMode};
use datafusion::physical_plan::limit::GlobalLimitExec;
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, StatisticsArgs, StatisticsContext};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Cuts a physical plan into the fragments of `job`.
///
/// # Errors
/// An operator that cannot be told apart into tasks.
pub fn cut(job: JobId, plan: &Arc<dyn ExecutionPlan>) -> Result<JobPlan, PlanError> {
    let mut cutter = Cutter::default();
    let schema = plan.schema();
    let whole = cutter.cut(plan)?;
    let result = cutter.close(whole, Cut::Collect)?;
    let plan = JobPlan { job, fragments: cutter.fragments, result, schema, revision: 0, changed: BTreeMap::new() };
    renumber(&plan)
}

#[derive(Default)]
struct Cutter {
    fragments: BTreeMap<FragmentId, FragmentPlan>,
}

impl Cutter {
    fn cut(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Result<Piece, PlanError> {
        if let Some(exchange) = plan.downcast_ref::<RepartitionExec>() {
            self.cut_repartition(exchange)
        } else if let Some(gather) = plan.downcast_ref::<CoalescePartitionsExec>() {
            let piece = self.gathered(gather.input())?;
            limited(piece, ExecutionPlan::fetch(gather))
        } else if let Some(merge) = plan.downcast_ref::<SortPreservingMergeExec>() {
            self.cut_merge(merge)
        } else if let Some(join) = SharedBuild::of(plan) {
            self.cut_shared_build(plan, &join)
        } else if let Some(scalars) = plan.downcast_ref::<ScalarSubqueryExec>() {
            self.cut_scalars(scalars)
        } else if plan.is::<RecursiveQueryExec>() {
            // Its work table is shared inside the operator: it runs whole, in one task.
            Ok(Piece::leaf(Arc::clone(plan)))
        } else if plan.is::<ExplainExec>() || plan.is::<AnalyzeExec>() {
            Err(PlanError::Operator(plan.name().to_owned()))
        } else {
            let children = plan.children().into_iter().map(|c| self.cut(c)).collect::<Result<Vec<_>, _>>()?;
            Ok(Piece::combine(Arc::clone(plan), children)?)
        }
    }

    fn cut_repartition(&mut self, exchange: &RepartitionExec) -> Result<Piece, PlanError> {
        let child = self.cut(exchange.input())?;
        let Partitioning::Hash(keys, n) = exchange.partitioning() else {
            // Dealing batches out evenly only serves threads; a fragment has as many tasks as its input has parts.
            return Ok(child);
        };
        if *n == 1 && child.partitions() == 1 {
            return Ok(child);
        }
        let order = exchange.preserve_order().then(|| child.plan.output_ordering().cloned()).flatten();
        let schema = child.plan.schema();
        let outputs = u32::try_from(*n).unwrap_or(u32::MAX);
        let from = self.close(child, Cut::Hash { keys: keys.clone(), outputs })?;
        let scan = Piece::scan(from, Read::Aligned, schema, Partitioning::Hash(keys.clone(), *n));
        let scan = self.with_estimate(scan, from)?;
        match order {
            // The parts of a merged order arrive in one block list, so the task sorts them again.
            Some(order) => Ok(scan.map(|p| Ok(Arc::new(SortExec::new(order, p).with_preserve_partitioning(true))))?),
            None => Ok(scan),
        }
    }

    /// The rows of `plan` in one partition.
    fn gathered(&mut self, plan: &Arc<dyn ExecutionPlan>) -> Result<Piece, PlanError> {
        let piece = self.cut(plan)?;
        self.gather(piece)
    }

    fn gather(&mut self, piece: Piece) -> Result<Piece, PlanError> {
        if piece.partitions() == 1 {
            return Ok(piece);
        }
        let schema = piece.plan.schema();
        let from = self.close(piece, Cut::Gather)?;
        self.with_estimate(Piece::single(from, schema), from)
    }

    fn cut_merge(&mut self, merge: &SortPreservingMergeExec) -> Result<Piece, PlanError> {
        let piece = self.cut(merge.input())?;
        let merged = if piece.partitions() == 1 {
            piece
        } else {
            let schema = piece.plan.schema();
            let from = self.close(piece, Cut::Gather)?;
            self.with_estimate(Piece::merging(from, schema, merge.expr().clone()), from)?
        };
        limited(merged, merge.fetch())
    }

    /// A join whose left side is read whole by every task of the right side.
    ///
    /// A join that emits left rows must see every right row before it does, so it runs in one task.
    fn cut_shared_build(&mut self, plan: &Arc<dyn ExecutionPlan>, join: &SharedBuild<'_>) -> Result<Piece, PlanError> {
        let build = self.cut(strip_gather(join.build))?;
        let probe = self.cut(join.probe)?;
        let probe = if join.emits_build { self.gather(probe)? } else { probe };
        let build = if probe.partitions() == 1 {
            self.gather(build)?
        } else if build.is_bare_scan() {
            build
        } else {
            let schema = build.plan.schema();
            let from = self.close(build, Cut::Broadcast)?;
            self.with_estimate(Piece::single(from, schema), from)?
        };
        Ok(Piece::combine(Arc::clone(plan), vec![build, probe])?)
    }

    fn cut_scalars(&mut self, scalars: &ScalarSubqueryExec) -> Result<Piece, PlanError> {
        let mut sources = Vec::with_capacity(scalars.subqueries().len());
        for link in scalars.subqueries() {
            let piece = self.cut(strip_gather(&link.plan))?;
            let schema = piece.plan.schema();
            let from = self.close(piece, Cut::Broadcast)?;
            sources.push(ScalarSource { from, schema, index: link.index });
        }
        let first = self.next_id();
        let main = self.cut(scalars.input())?;
        let results = scalars.results();
        for fragment in self.fragments.range_mut(first..).map(|(_, f)| f) {
            let keys: &[Arc<dyn PhysicalExpr>] = match &fragment.cut {
                Cut::Hash { keys, .. } => keys,
                _ => &[],
            };
            if looks_at(&fragment.plan, keys, results)? {
                let inputs = std::mem::take(&mut fragment.inputs);
                let piece = Piece { plan: Arc::clone(&fragment.plan), inputs };
                Piece { plan: fragment.plan, inputs: fragment.inputs } = ScalarsExec::wrap(piece, results, &sources);
            }
        }
        if looks_at(&main.plan, &[], results)? {
            return Ok(ScalarsExec::wrap(main, results, &sources));
        }
        Ok(main)
    }

    fn next_id(&self) -> FragmentId {
        FragmentId(self.fragments.last_key_value().map_or(0, |(id, _)| id.0 + 1))
    }

    /// Makes a fragment of a piece.
    fn close(&mut self, piece: Piece, cut: Cut) -> Result<FragmentId, PlanError> {
        let id = self.next_id();
        let tasks = piece.partitions();
        let inputs = if has_union(&piece.plan) { union_reads(&piece, tasks) } else { piece.inputs };
        let tasks = u32::try_from(tasks).unwrap_or(u32::MAX);
        self.fragments.insert(id, FragmentPlan { id, plan: piece.plan, cut, tasks, inputs, waits_for: vec![] });
        Ok(id)
    }

    /// The scan with DataFusion's estimate of what the fragment it reads produces.
    fn with_estimate(&self, scan: Piece, from: FragmentId) -> Result<Piece, PlanError> {
        let Some(producer) = self.fragments.get(&from) else {
            return Err(PlanError::MissingFragment(from));
        };
        let estimate = StatisticsContext::new().compute(producer.plan.as_ref(), &StatisticsArgs::new());
        let Ok(estimate) = estimate else { return Ok(scan) };
        Ok(scan.map(|plan| match plan.downcast_ref::<crate::BlockScanExec>() {
            Some(scan) => Ok(Arc::new(scan.clone().with_statistics(Arc::unwrap_or_clone(estimate).to_inexact())) as _),
            None => Ok(plan),
        })?)
    }
}

/// A join that collects its left side once and shares it among all partitions of the right side.
struct SharedBuild<'a> {
    build: &'a Arc<dyn ExecutionPlan>,
    probe: &'a Arc<dyn ExecutionPlan>,
    emits_build: bool,
}

impl<'a> SharedBuild<'a> {
    fn of(plan: &'a Arc<dyn ExecutionPlan>) -> Option<Self> {
        if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
            let emits_build = emits_build_rows(*join.join_type()) || join.null_aware;
            return (*join.partition_mode() == PartitionMode::CollectLeft).then_some(Self {
                build: join.left(),
                probe: join.right(),
                emits_build,
            });
        }
        if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
            let emits_build = emits_build_rows(*join.join_type());
            return Some(Self { build: join.left(), probe: join.right(), emits_build });
        }
        let join = plan.downcast_ref::<CrossJoinExec>()?;
        Some(Self { build: join.left(), probe: join.right(), emits_build: false })
    }
}

/// Whether a join of this kind gives out left rows depending on all right rows.
fn emits_build_rows(kind: JoinType) -> bool {
    use JoinType::{Full, Left, LeftAnti, LeftMark, LeftSemi};
    matches!(kind, Left | Full | LeftSemi | LeftAnti | LeftMark)
}

/// What a gather without a limit gathers: whoever asks decides anew how its rows come together.
fn strip_gather(plan: &Arc<dyn ExecutionPlan>) -> &Arc<dyn ExecutionPlan> {
    match plan.downcast_ref::<CoalescePartitionsExec>() {
        Some(gather) if ExecutionPlan::fetch(gather).is_none() => gather.input(),
        _ => plan,
    }
}

fn limited(piece: Piece, fetch: Option<usize>) -> Result<Piece, PlanError> {
    match fetch {
        Some(_) => Ok(piece.map(|plan| Ok(Arc::new(GlobalLimitExec::new(plan, 0, fetch))))?),
        None => Ok(piece),
    }
}

/// Reads of a fragment with a union inside, where a task's number is not the number of the partition it reads.
fn union_reads(piece: &Piece, tasks: usize) -> Vec<Input> {
    let mut inputs = piece.inputs.clone();
    let mut slices: Vec<Vec<Vec<Slice>>> = inputs.iter().map(|_| vec![vec![]; tasks]).collect();
    for task in 0..tasks {
        leaf_partitions(&piece.plan, task, &mut |leaf, partition| {
            let Some(scan) = leaf.downcast_ref::<crate::BlockScanExec>() else { return };
            if let Some(reads) = slices.get_mut(scan.input()).and_then(|s| s.get_mut(task)) {
                let output = u32::try_from(partition).unwrap_or(u32::MAX);
                reads.push(Slice { outputs: output..output + 1, tasks: 0..u32::MAX });
            }
        });
    }
    for (input, slices) in inputs.iter_mut().zip(slices) {
        if input.read == Read::Aligned {
            input.read = Read::Slices(slices);
        }
    }
    inputs
}

/// The same job with ids ascending in topological order, build sides first.
fn renumber(plan: &JobPlan) -> Result<JobPlan, PlanError> {
    let ids: BTreeMap<FragmentId, FragmentId> =
        plan.order()?.into_iter().zip(0..).map(|(old, new)| (old, FragmentId(new))).collect();
    let id = |old: FragmentId| ids.get(&old).copied().ok_or(PlanError::MissingFragment(old));
    let mut fragments = BTreeMap::new();
    for fragment in plan.fragments.values().filter(|f| ids.contains_key(&f.id)) {
        let mut fragment = fragment.clone();
        fragment.id = id(fragment.id)?;
        fragment.plan = renumber_scans(&fragment.plan, &ids)?;
        for input in &mut fragment.inputs {
            let producer = plan.fragments.get(&input.from).ok_or(PlanError::MissingFragment(input.from))?;
            bound_slices(&mut input.read, producer.tasks);
            input.from = id(input.from)?;
        }
        fragments.insert(fragment.id, fragment);
    }
    Ok(JobPlan { fragments, result: id(plan.result)?, ..plan.clone() })
}

fn bound_slices(read: &mut Read, tasks: u32) {
    if let Read::Slices(all) = read {
        all.iter_mut().flatten().for_each(|s| s.tasks.end = s.tasks.end.min(tasks));
    }
}

fn renumber_scans(
    plan: &Arc<dyn ExecutionPlan>,
    ids: &BTreeMap<FragmentId, FragmentId>,
) -> Result<Arc<dyn ExecutionPlan>, PlanError> {
    if let Some(scan) = plan.downcast_ref::<crate::BlockScanExec>() {
        let from = ids.get(&scan.from()).copied().ok_or(PlanError::MissingFragment(scan.from()))?;
        return Ok(Arc::new(scan.clone().with_from(from)));
    }
    let children =
        plan.children().into_iter().map(|c| renumber_scans(c, ids)).collect::<Result<Vec<_>, PlanError>>()?;
    if children.is_empty() {
        return Ok(Arc::clone(plan));
    }
    Ok(replace_children_if_necessary(Arc::clone(plan), children)?)
}

//! Uncorrelated scalar subqueries across fragments.
//!
//! DataFusion computes such a subquery once and hands its value to expressions through a shared container. After cutting,
//! the subquery is a fragment of its own, and each fragment whose expressions look at the container is wrapped in a
//! [`ScalarsExec`] that fills it first.

use crate::block_scan::BlockScanExec;
use crate::leaf::no_expressions;
use crate::piece::Piece;
use bench_model::{FragmentId, Input, Read};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue, Statistics, exec_err, internal_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::physical_planning_context::{ScalarSubqueryResults, SubqueryIndex};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::scalar_subquery::ScalarSubqueryExpr;
use datafusion::physical_plan::execution_plan::{CardinalityEffect, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildStats, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, SendableRecordBatchStream, StatisticsArgs,
};
use futures::{StreamExt, TryStreamExt};
use std::fmt;
use std::sync::Arc;

/// A scalar subquery that became a fragment.
#[derive(Clone, Debug)]
pub(crate) struct ScalarSource {
    /// The fragment that computes it.
    pub(crate) from: FragmentId,
    /// Its column.
    pub(crate) schema: datafusion::arrow::datatypes::SchemaRef,
    /// Its place in the container.
    pub(crate) index: SubqueryIndex,
}

/// Passes its first child through after filling the container of scalar subqueries from its other children.
///
/// Tasks of one process share the container: whoever comes first fills a place, the others find it filled with the same
/// value, since all of them read the same block.
#[derive(Debug)]
pub struct ScalarsExec {
    input: Arc<dyn ExecutionPlan>,
    scalars: Vec<(SubqueryIndex, Arc<dyn ExecutionPlan>)>,
    results: ScalarSubqueryResults,
}

impl ScalarsExec {
    /// An operator that reads each of `scalars` into its place of `results` and then passes `input` through.
    pub(crate) fn new(
        input: Arc<dyn ExecutionPlan>,
        scalars: Vec<(SubqueryIndex, Arc<dyn ExecutionPlan>)>,
        results: ScalarSubqueryResults,
    ) -> Self {
        Self { input, scalars, results }
    }

    /// What it passes through.
    pub(crate) fn main(&self) -> &Arc<dyn ExecutionPlan> {
        &self.input
    }

    /// The subqueries, each with its place in the container.
    pub(crate) fn scalars(&self) -> &[(SubqueryIndex, Arc<dyn ExecutionPlan>)] {
        &self.scalars
    }

    /// The container that it fills.
    pub(crate) fn results(&self) -> &ScalarSubqueryResults {
        &self.results
    }

    /// Wraps a piece whose expressions look at `results`, so that it reads `sources` first.
    pub(crate) fn wrap(piece: Piece, results: &ScalarSubqueryResults, sources: &[ScalarSource]) -> Piece {
        let Piece { plan: input, mut inputs } = piece;
        let mut scalars = Vec::with_capacity(sources.len());
        for source in sources {
            let one = datafusion::physical_expr::Partitioning::UnknownPartitioning(1);
            let scan = BlockScanExec::new(inputs.len(), source.from, Arc::clone(&source.schema), one);
            scalars.push((source.index, Arc::new(scan) as _));
            inputs.push(Input { from: source.from, read: Read::All });
        }
        Piece { plan: Arc::new(Self::new(input, scalars, results.clone())), inputs }
    }
}

/// Whether an expression anywhere in `plan`, or one of `keys`, looks at `results`.
pub(crate) fn looks_at(
    plan: &Arc<dyn ExecutionPlan>,
    keys: &[Arc<dyn PhysicalExpr>],
    results: &ScalarSubqueryResults,
) -> Result<bool> {
    let reads = |expr: &Arc<dyn PhysicalExpr>| {
        expr.exists(|e| {
            let scalar = e.downcast_ref::<ScalarSubqueryExpr>();
            Ok(scalar.is_some_and(|s| ScalarSubqueryResults::ptr_eq(s.results(), results)))
        })
    };
    for key in keys {
        if reads(key)? {
            return Ok(true);
        }
    }
    plan.exists(|node| {
        let mut found = false;
        node.apply_expressions(&mut |expr| {
            found = found || reads(expr)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(found)
    })
}

impl DisplayAs for ScalarsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScalarsExec: subqueries={}", self.scalars.len())
    }
}

impl ExecutionPlan for ScalarsExec {
    fn name(&self) -> &'static str {
        "ScalarsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        std::iter::once(&self.input).chain(self.scalars.iter().map(|(_, scan)| scan)).collect()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        std::iter::once(true).chain(self.scalars.iter().map(|_| false)).collect()
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.scalars.len() + 1]
    }

    no_expressions!();

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut children = children.into_iter();
        let Some(input) = children.next() else {
            return internal_err!("the scalars' main input is missing");
        };
        let scalars = self.scalars.iter().map(|(index, _)| *index).zip(children).collect();
        Ok(Arc::new(Self { input, scalars, results: self.results.clone() }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        use datafusion::physical_plan::ChildrenPropertiesMode::Recompute;
        self.replace_children(children, ReplaceChildrenOptions::new(Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let scalars = self.scalars.clone();
        let results = self.results.clone();
        let input = Arc::clone(&self.input);
        let rows = async move {
            for (index, scan) in scalars {
                if results.get(index).is_none() {
                    fill(&results, index, read_scalar(&scan, &context).await?)?;
                }
            }
            input.execute(partition, context)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), futures::stream::once(rows).try_flatten())))
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        std::iter::once(ChildStats::At(partition)).chain(self.scalars.iter().map(|_| ChildStats::Skip)).collect()
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        match inputs.first() {
            Some(main) => Ok(Arc::clone(main)),
            None => Ok(Arc::new(Statistics::new_unknown(&self.schema()))),
        }
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }
}

/// Stores a value unless another task of the process was faster.
fn fill(results: &ScalarSubqueryResults, index: SubqueryIndex, value: ScalarValue) -> Result<()> {
    match results.set(index, value.clone()) {
        Err(_) if results.get(index).as_ref() == Some(&value) => Ok(()),
        result => result,
    }
}

/// The subquery's one value; NULL if it has no row.
async fn read_scalar(scan: &Arc<dyn ExecutionPlan>, context: &Arc<TaskContext>) -> Result<ScalarValue> {
    let mut rows = scan.execute(0, Arc::clone(context))?;
    let mut value = None;
    while let Some(batch) = rows.next().await.transpose()? {
        match batch.num_rows() {
            0 => {}
            1 if value.is_none() => value = Some(ScalarValue::try_from_array(batch.column(0), 0)?),
            _ => return exec_err!("a scalar subquery returned more than one row"),
        }
    }
    match value {
        Some(value) => Ok(value),
        None => ScalarValue::try_from(scan.schema().field(0).data_type()),
    }
}

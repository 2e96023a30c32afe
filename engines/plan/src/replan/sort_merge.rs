//! Sort-merge joins where a hash join's build side does not fit: hash joins do not spill, sorts do.
//!
//! They are made here from planned hash joins and never by DataFusion's planner: version 55.2 pushes projections below
//! a sort-merge join without renumbering the columns of its filter, which gives wrong rows.

use super::tree::{Node, at, find, replace};
use crate::error::PlanError;
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::JoinSide;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode, SortMergeJoinExec};
use datafusion::physical_plan::limit::LocalLimitExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use std::sync::Arc;

/// A plan with sort-merge joins in place of the hash joins of shuffled sides for which `wanted` holds, and how many.
///
/// # Errors
/// DataFusion refuses a join that this module took for possible.
pub(super) fn convert(plan: &Node, wanted: &impl Fn(&HashJoinExec) -> bool) -> Result<(Node, usize), PlanError> {
    let fits = |node: &Node| node.downcast_ref::<HashJoinExec>().is_some_and(|join| is_possible(join) && wanted(join));
    let mut changed = Arc::clone(plan);
    let mut places = find(plan, &fits);
    let count = places.len();
    // Innermost first: the places of outer joins stay valid, those of inner ones would move.
    places.sort_by_key(|path| std::cmp::Reverse(path.len()));
    for path in places {
        let Some(join) = at(&changed, &path).and_then(|n| n.downcast_ref::<HashJoinExec>()) else { continue };
        let merge = sort_merge(join)?;
        changed = replace(&changed, &path, merge)?;
    }
    Ok((changed, count))
}

/// Whether the join has a sort-merge form with the same rows.
fn is_possible(join: &HashJoinExec) -> bool {
    let compares = |expr: &Arc<dyn PhysicalExpr>, side: &Node| {
        expr.data_type(&side.schema()).is_ok_and(|data_type| is_comparable(&data_type))
    };
    let distinct = |keys: Vec<&Arc<dyn PhysicalExpr>>| (1..keys.len()).all(|i| !keys[..i].contains(&keys[i]));
    *join.partition_mode() == PartitionMode::Partitioned
        && !join.null_aware
        // An order that operators above may count on comes from the probe side and would be lost.
        && join.properties().output_ordering().is_none()
        && join.on().iter().all(|(l, r)| compares(l, join.left()) && compares(r, join.right()))
        && distinct(join.on().iter().map(|(l, _)| l).collect())
        && distinct(join.on().iter().map(|(_, r)| r).collect())
}

/// Key types that the sort-merge join compares; it has no order for NaN, so floats stay hashed.
fn is_comparable(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Boolean
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Decimal128(..)
            | DataType::Date32
            | DataType::Date64
            | DataType::Timestamp(_, None)
    )
}

fn sort_merge(join: &HashJoinExec) -> Result<Node, PlanError> {
    let options = SortOptions::default();
    let sorted = |side: &Node, keys: Vec<Arc<dyn PhysicalExpr>>| -> Node {
        let order = LexOrdering::new(keys.into_iter().map(|expr| PhysicalSortExpr { expr, options }));
        match order {
            Some(order) => Arc::new(SortExec::new(order, Arc::clone(side)).with_preserve_partitioning(true)),
            None => Arc::clone(side),
        }
    };
    let left = sorted(join.left(), join.on().iter().map(|(l, _)| Arc::clone(l)).collect());
    let right = sorted(join.right(), join.on().iter().map(|(_, r)| Arc::clone(r)).collect());
    let merge = SortMergeJoinExec::try_new(
        left,
        right,
        join.on().to_vec(),
        join.filter().map(sound).transpose()?,
        *join.join_type(),
        vec![options; join.on().len()],
        join.null_equality(),
    )?;
    let mut plan: Node = Arc::new(merge);
    if let Some(columns) = &join.projection {
        plan = Arc::new(ProjectionExec::try_new(projected(&plan, columns), plan)?);
    }
    if let Some(fetch) = join.fetch() {
        plan = Arc::new(LocalLimitExec::new(plan, fetch));
    }
    Ok(plan)
}

/// The same filter over a row with the left side's columns first and NULLs allowed everywhere.
///
/// DataFusion 55.2 hands a sort-merge join's filter its left columns before its right ones whatever order the filter
/// names them in (swapping a join's sides leaves filters that name right columns first), and rows without a match with
/// NULLs even where the filter's columns claim to have none.
fn sound(filter: &JoinFilter) -> datafusion::common::Result<JoinFilter> {
    let mut order: Vec<usize> = (0..filter.column_indices().len()).collect();
    order.sort_by_key(|&old| filter.column_indices().get(old).is_some_and(|c| c.side != JoinSide::Left));
    let indices = order.iter().filter_map(|&old| filter.column_indices().get(old).cloned()).collect();
    let fields = filter.schema().project(&order)?;
    let fields: Vec<Field> = fields.fields().iter().map(|f| f.as_ref().clone().with_nullable(true)).collect();
    let renamed = Arc::clone(filter.expression()).transform_up(|expr| {
        let Some(column) = expr.downcast_ref::<Column>() else { return Ok(Transformed::no(expr)) };
        let Some(new) = order.iter().position(|&old| old == column.index()) else { return Ok(Transformed::no(expr)) };
        Ok(Transformed::yes(Arc::new(Column::new(column.name(), new)) as Arc<dyn PhysicalExpr>))
    })?;
    Ok(JoinFilter::new(renamed.data, indices, Arc::new(Schema::new(fields))))
}

/// The columns a hash join keeps, as the projection that a sort-merge join has no place for.
fn projected(plan: &Node, columns: &[usize]) -> Vec<(Arc<dyn PhysicalExpr>, String)> {
    let schema = plan.schema();
    let column = |&i: &usize| {
        let name = schema.fields().get(i).map(|f| f.name().clone())?;
        Some((Arc::new(Column::new(&name, i)) as Arc<dyn PhysicalExpr>, name))
    };
    columns.iter().filter_map(column).collect()
}

//! How large a fragment's rows will be, before it has run.

use super::tree::Node;
use crate::block_scan::BlockScanExec;
use crate::fragment::{FragmentPlan, JobPlan};
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::JoinType;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{HashJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{StatisticsArgs, StatisticsContext};
use std::sync::Arc;

/// What text takes in a typical row.
const TEXT_BYTES: u64 = 24;
/// What a hash join's table takes per build row besides the row itself.
const HASH_ENTRY_BYTES: u64 = 24;

/// What a row of these columns takes in memory, typically.
pub(crate) fn row_bytes(schema: &Schema) -> u64 {
    let width = |data_type: &DataType| match data_type {
        DataType::Boolean => 1,
        other => other.primitive_width().map_or(TEXT_BYTES, |w| w as u64),
    };
    schema.fields().iter().map(|f| width(f.data_type())).sum::<u64>().max(1)
}

/// What a hash join's build side takes in memory, given its rows and what they take where they are stored (which may be
/// less, if they are compressed there).
pub(super) fn hash_table_bytes(rows: u64, stored: u64, schema: &Schema) -> u64 {
    stored.max(rows.saturating_mul(row_bytes(schema))).saturating_add(rows.saturating_mul(HASH_ENTRY_BYTES))
}

/// DataFusion's estimate of a plan's rows, as good as its statistics.
pub(crate) fn expected_rows(plan: &Node) -> Option<u64> {
    let statistics = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new()).ok()?;
    statistics.num_rows.get_value().map(|&rows| rows as u64)
}

/// How many distinct values a column of a plan may have, by its statistics: a count, or the range of whole numbers.
/// None for other expressions and where nothing is known.
pub(super) fn distinct_values(plan: &Node, column: &Arc<dyn PhysicalExpr>) -> Option<u64> {
    let index = column.downcast_ref::<Column>()?.index();
    let statistics = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new()).ok()?;
    let column = statistics.column_statistics.get(index)?;
    if let Some(&count) = column.distinct_count.get_value() {
        return Some(count as u64);
    }
    let (low, high) = (column.min_value.get_value()?, column.max_value.get_value()?);
    low.distance(high).map(|distance| distance as u64 + 1)
}

/// DataFusion's estimate of a fragment's rows in bytes.
pub(super) fn expected_bytes(fragment: &FragmentPlan) -> Option<u64> {
    Some(expected_rows(&fragment.plan)?.saturating_mul(row_bytes(&fragment.plan.schema())))
}

/// Bytes that a fragment's rows cannot exceed by much: its tables' exact row counts carried up through operators that
/// add no rows. None where a join may multiply them.
pub(super) fn bytes_at_most(job: &JobPlan, fragment: &FragmentPlan) -> Option<u64> {
    Some(rows_at_most(job, &fragment.plan)?.saturating_mul(row_bytes(&fragment.plan.schema())))
}

fn rows_at_most(job: &JobPlan, plan: &Node) -> Option<u64> {
    if let Some(scan) = plan.downcast_ref::<BlockScanExec>() {
        return rows_at_most(job, &job.fragments.get(&scan.from())?.plan);
    }
    if plan.is::<EmptyExec>() {
        return Some(0);
    }
    let children = plan.children();
    let below = |child: usize| children.get(child).and_then(|c| rows_at_most(job, c));
    let rows = if children.is_empty() {
        expected_rows(plan)
    } else if plan.is::<UnionExec>() {
        (0..children.len()).map(below).sum()
    } else if let Some(kind) = join_kind(plan) {
        match kind {
            JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => below(0),
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => below(1),
            _ => None,
        }
    } else if adds_no_rows(plan) {
        below(0)
    } else {
        None
    };
    // A limit counts rows per task.
    let limit =
        plan.fetch().map(|n| (n as u64).saturating_mul(plan.properties().partitioning.partition_count() as u64));
    match (rows, limit) {
        (Some(rows), Some(limit)) => Some(rows.min(limit)),
        (rows, limit) => rows.or(limit),
    }
}

fn join_kind(plan: &Node) -> Option<JoinType> {
    let hash = plan.downcast_ref::<HashJoinExec>().map(|j| *j.join_type());
    hash.or_else(|| plan.downcast_ref::<SortMergeJoinExec>().map(SortMergeJoinExec::join_type))
}

fn adds_no_rows(plan: &Node) -> bool {
    // An aggregate without groups gives one row for none, which no threshold notices.
    let one_set = |a: &AggregateExec| a.group_expr().is_single();
    plan.is::<FilterExec>()
        || plan.is::<ProjectionExec>()
        || plan.is::<SortExec>()
        || plan.is::<CooperativeExec>()
        || plan.is::<LocalLimitExec>()
        || plan.is::<GlobalLimitExec>()
        || plan.is::<crate::scalars::ScalarsExec>()
        || plan.downcast_ref::<AggregateExec>().is_some_and(one_set)
}

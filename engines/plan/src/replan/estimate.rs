//! How large a fragment's rows will be, before it has run.

use super::tree::Node;
use crate::block_scan::BlockScanExec;
use crate::fragment::{FragmentPlan, JobPlan};
use bench_model::FragmentId;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::catalog::memory::DataSourceExec;
use datafusion::common::JoinType;
use datafusion::common::stats::Precision;
use datafusion::common::utils::memory::estimate_memory_size;
use datafusion::datasource::physical_plan::FileScanConfig;
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
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What text takes in a typical row.
const TEXT_BYTES: u64 = 24;
/// What text that nobody has measured is taken to take where too much of it would not fit a task's memory.
const TEXT_BYTES_CAUTIOUS: u64 = 256;

/// What a value of this type takes, if every one takes the same.
fn fixed_width(data_type: &DataType) -> Option<u64> {
    match data_type {
        DataType::Boolean => Some(1),
        other => other.primitive_width().map(|w| w as u64),
    }
}

fn row_bytes_with(schema: &Schema, text: u64) -> u64 {
    schema.fields().iter().map(|f| fixed_width(f.data_type()).unwrap_or(text)).sum::<u64>().max(1)
}

/// What a row of these columns takes in memory, typically.
pub(crate) fn row_bytes(schema: &Schema) -> u64 {
    row_bytes_with(schema, TEXT_BYTES)
}

/// What a row of these columns takes in memory if its text is long.
pub(super) fn cautious_row_bytes(schema: &Schema) -> u64 {
    row_bytes_with(schema, TEXT_BYTES_CAUTIOUS)
}

/// Whether every row of these columns takes the same, so that as many rows have a size that is known.
pub(super) fn is_fixed_width(schema: &Schema) -> bool {
    schema.fields().iter().all(|f| fixed_width(f.data_type()).is_some())
}

/// What a hash join's build side takes in memory, given its rows and what they take where they are stored (which may be
/// less, if they are compressed there).
pub(super) fn hash_table_bytes(rows: u64, stored: u64, schema: &Schema) -> u64 {
    stored.max(rows.saturating_mul(row_bytes(schema))).saturating_add(table_overhead(rows))
}

/// What a hash join's table takes besides the rows: DataFusion's own estimate, which counts buckets in powers of two, and
/// the chain of rows with equal hashes, which it leaves out.
pub(super) fn table_overhead(rows: u64) -> u64 {
    let rows = usize::try_from(rows).unwrap_or(usize::MAX);
    let buckets = estimate_memory_size::<(u32, u64)>(rows, 0).map_or(u64::MAX, |bytes| bytes as u64);
    buckets.saturating_add((rows as u64).saturating_mul(size_of::<u32>() as u64))
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

/// Rows that a fragment cannot exceed: its tables' exact row counts carried up through operators that add no rows. None
/// where a join may multiply them, and where nothing is known for certain.
pub(super) fn rows_at_most(job: &JobPlan, fragment: &FragmentPlan) -> Option<u64> {
    Bounds { job, known: BTreeMap::new() }.of(&fragment.plan)
}

/// Bounds of a job's plans. Each fragment is looked at once, however many read it.
struct Bounds<'a> {
    job: &'a JobPlan,
    known: BTreeMap<FragmentId, Option<u64>>,
}

impl Bounds<'_> {
    fn of(&mut self, plan: &Node) -> Option<u64> {
        if let Some(scan) = plan.downcast_ref::<BlockScanExec>() {
            return self.of_fragment(scan.from());
        }
        let rows = self.without_limit(plan);
        // A limit counts rows per task.
        let limit = plan.fetch().map(|n| (n as u64).saturating_mul(partitions(plan)));
        match (rows, limit) {
            (Some(rows), Some(limit)) => Some(rows.min(limit)),
            (rows, limit) => rows.or(limit),
        }
    }

    fn of_fragment(&mut self, id: FragmentId) -> Option<u64> {
        if let Some(known) = self.known.get(&id) {
            return *known;
        }
        let job = self.job;
        let rows = job.fragments.get(&id).and_then(|f| self.of(&f.plan));
        self.known.insert(id, rows);
        rows
    }

    fn without_limit(&mut self, plan: &Node) -> Option<u64> {
        let children = plan.children();
        if children.is_empty() {
            return leaf_rows_at_most(plan);
        }
        if plan.is::<UnionExec>() {
            return children
                .into_iter()
                .map(|c| self.of(c))
                .try_fold(0u64, |sum, rows| Some(sum.saturating_add(rows?)));
        }
        let mut below = |child: usize| children.get(child).and_then(|c| self.of(c));
        match join_kind(plan) {
            Some(JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark) => below(0),
            Some(JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark) => below(1),
            Some(_) => None,
            None if makes_rows_of_none(plan) => below(0).map(|rows| rows.max(partitions(plan))),
            None if adds_no_rows(plan) => below(0),
            None => None,
        }
    }
}

fn partitions(plan: &Node) -> u64 {
    plan.properties().partitioning.partition_count() as u64
}

/// Rows that a leaf cannot exceed. What a scan filters is not taken into account, and neither is a mere estimate.
fn leaf_rows_at_most(plan: &Node) -> Option<u64> {
    if plan.is::<EmptyExec>() {
        return Some(0);
    }
    let source = plan.downcast_ref::<DataSourceExec>().map(DataSourceExec::data_source);
    if let Some(scan) = source.and_then(|s| s.downcast_ref::<FileScanConfig>()) {
        return file_rows(scan);
    }
    let statistics = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new()).ok()?;
    exact(&statistics.num_rows)
}

/// The rows of the files, whatever parts of them are scanned by which task.
fn file_rows(scan: &FileScanConfig) -> Option<u64> {
    let mut seen = BTreeSet::new();
    let files = scan.file_groups.iter().flat_map(|group| group.files());
    files.filter(|file| seen.insert(file.path())).try_fold(0u64, |sum, file| {
        let rows = exact(&file.statistics.as_ref()?.num_rows)?;
        Some(sum.saturating_add(rows))
    })
}

fn exact(rows: &Precision<usize>) -> Option<u64> {
    match rows {
        Precision::Exact(rows) => Some(*rows as u64),
        Precision::Inexact(_) | Precision::Absent => None,
    }
}

fn join_kind(plan: &Node) -> Option<JoinType> {
    let hash = plan.downcast_ref::<HashJoinExec>().map(|j| *j.join_type());
    hash.or_else(|| plan.downcast_ref::<SortMergeJoinExec>().map(SortMergeJoinExec::join_type))
}

/// Whether a plan gives a row in a task that gets none: an aggregate without groups.
fn makes_rows_of_none(plan: &Node) -> bool {
    plan.downcast_ref::<AggregateExec>().is_some_and(|a| a.group_expr().is_empty())
}

fn adds_no_rows(plan: &Node) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::datatypes::Field;

    #[test]
    fn a_table_of_narrow_rows_takes_several_times_what_the_rows_take() {
        let narrow = Schema::new(vec![Field::new("k", DataType::Int64, false)]);
        // 2^k rows need 2^(k+1) buckets of 17 bytes, and 4 bytes a row for the chain.
        assert_eq!(hash_table_bytes(1 << 20, 8 << 20, &narrow), (8 << 20) + (34 << 20) + (4 << 20));
        assert_eq!(hash_table_bytes(u64::MAX, 0, &narrow), u64::MAX);
    }

    #[test]
    fn only_rows_of_fixed_width_have_a_known_size() {
        let schema = |t| Schema::new(vec![Field::new("k", DataType::Int64, false), Field::new("v", t, true)]);
        let (fixed, text) = (schema(DataType::Boolean), schema(DataType::Utf8View));
        assert_eq!((is_fixed_width(&fixed), is_fixed_width(&text)), (true, false));
        assert_eq!((row_bytes(&fixed), cautious_row_bytes(&fixed)), (9, 9));
        assert!(cautious_row_bytes(&text) > row_bytes(&text));
    }
}

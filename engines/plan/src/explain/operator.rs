//! One operator in one line: what it does, without what its neighbors already say.

use crate::block_scan::BlockScanExec;
use datafusion::catalog::memory::DataSourceExec;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{HashJoinExec, JoinOnRef, PartitionMode, SortMergeJoinExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{DisplayFormatType, ExecutionPlan, PhysicalExpr};
use std::fmt;
use std::sync::Arc;

/// The operator at the root of `plan`.
pub(super) fn describe(plan: &Arc<dyn ExecutionPlan>) -> String {
    if let Some(scan) = plan.downcast_ref::<BlockScanExec>() {
        let how = if scan.merges_runs() { ", merged in order" } else { "" };
        format!("read {}{how}", scan.from())
    } else if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        let broadcast = *join.partition_mode() == PartitionMode::CollectLeft;
        let kind = if broadcast { "broadcast hash join" } else { "hash join" };
        let null_aware = if join.null_aware { ", NULL-aware" } else { "" };
        let filter = join.filter().map_or(String::new(), |f| format!(", if {}", f.expression()));
        format!("{kind}: {}, {}{filter}{null_aware}", join.join_type(), pairs(join.on()))
    } else if let Some(join) = plan.downcast_ref::<SortMergeJoinExec>() {
        let filter = join.filter().as_ref().map_or(String::new(), |f| format!(", if {}", f.expression()));
        format!("sort-merge join: {}, {}{filter}", join.join_type(), pairs(join.on()))
    } else if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        let groups: Vec<String> = aggregate.group_expr().expr().iter().map(|(e, _)| e.to_string()).collect();
        let by = if groups.is_empty() { String::new() } else { format!(" by {}", groups.join(", ")) };
        let made: Vec<&str> = aggregate.aggr_expr().iter().map(|a| a.name()).collect();
        format!("aggregate {:?}{by}: {}", aggregate.mode(), made.join(", "))
    } else if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        format!("filter: {}", filter.predicate())
    } else if let Some(sort) = plan.downcast_ref::<SortExec>() {
        let first = sort.fetch().map_or(String::new(), |n| format!(" first {n}"));
        format!("sort{first} by {}", sort.expr())
    } else if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let columns: Vec<&str> = projection.expr().iter().map(|e| e.alias.as_str()).collect();
        format!("project: {}", columns.join(", "))
    } else if let Some(source) = plan.downcast_ref::<DataSourceExec>() {
        scan(source, plan)
    } else {
        OneLine(plan.as_ref()).to_string().trim_end().replace('\n', " ")
    }
}

fn pairs(on: JoinOnRef<'_>) -> String {
    let pair = |(l, r): &(Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>)| format!("{l} = {r}");
    on.iter().map(pair).collect::<Vec<_>>().join(" and ")
}

/// A table's name is the folder its files are in; its columns are those that are read.
fn scan(source: &DataSourceExec, plan: &Arc<dyn ExecutionPlan>) -> String {
    let schema = plan.schema();
    let columns: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let files = source.data_source().downcast_ref::<FileScanConfig>();
    let file = files.and_then(|c| c.file_groups.first()).and_then(|g| g.iter().next());
    let folder = file.and_then(|f| f.object_meta.location.as_ref().rsplit('/').nth(1).map(str::to_owned));
    let name = folder.unwrap_or_else(|| "rows in memory".to_owned());
    let filter = files.and_then(|c| c.file_source().filter()).map_or(String::new(), |f| format!(", pruned by {f}"));
    format!("scan {name}: {}{filter}", columns.join(", "))
}

struct OneLine<'a>(&'a dyn ExecutionPlan);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt_as(DisplayFormatType::Default, f)
    }
}

//! A row per contestant on a workload: what the comparison says of it.

use super::columns::Columns;
use crate::comparison::{Cell, Comparison, Contestant, Ratio, Table, WorkloadReport};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use bench_record::Family;
use std::collections::BTreeMap;

struct Row<'a> {
    table: &'a Table,
    family: Family,
    workload: &'a WorkloadReport,
    cell: &'a Cell,
    contestant: Option<&'a Contestant>,
}

pub(super) fn batch(comparison: &Comparison) -> Result<RecordBatch, ArrowError> {
    let mut rows = Vec::new();
    for table in &comparison.tables {
        let contestants: BTreeMap<&str, &Contestant> =
            table.contestants.iter().map(|c| (c.label.as_str(), c)).collect();
        for family in &table.families {
            for workload in &family.workloads {
                rows.extend(workload.cells.iter().map(|cell| Row {
                    table,
                    family: family.family,
                    workload,
                    cell,
                    contestant: contestants.get(cell.contestant.as_str()).copied(),
                }));
            }
        }
    }
    let columns = measured(place(Columns::of(&rows)));
    let columns = ratio(columns, "against_best", |c| c.against_best);
    ratio(columns, "against_baseline", |c| c.against_baseline).batch()
}

fn place<'r>(columns: Columns<'r, Row<'r>>) -> Columns<'r, Row<'r>> {
    columns
        .text("suite", |r| Some(r.table.suite.as_str()))
        .text("protocol", |r| Some(r.table.protocol.to_string()))
        .small("scale", |r| Some(r.table.scale))
        .text("machine", |r| Some(r.table.machine.as_str()))
        .text("family", |r| Some(r.family.name()))
        .text("workload", |r| Some(r.workload.workload.as_str()))
        .text("contestant", |r| Some(r.cell.contestant.as_str()))
        .text("engine", |r| r.contestant.map(|c| c.engine.as_str()))
        .text("variant", |r| r.contestant.map(|c| c.variant.as_str()))
        .text("cluster", |r| r.contestant.map(|c| c.cluster.as_str()))
        .small("nodes", |r| r.contestant.map(|c| c.nodes))
        .small("slots", |r| r.contestant.map(|c| c.slots))
        .real("cores", |r| r.contestant.map(|c| c.cores))
        .text("baseline", |r| r.table.baseline.as_deref())
}

fn measured<'r>(columns: Columns<'r, Row<'r>>) -> Columns<'r, Row<'r>> {
    let count = |n: usize| u64::try_from(n).ok();
    columns
        .text("outcome", |r| Some(r.cell.outcome.name()))
        .text("reason", |r| r.cell.reason.as_deref())
        .flag("is_winner", |r| Some(r.workload.winner.as_ref() == Some(&r.cell.contestant)))
        .real("noise_floor", |r| r.workload.noise_floor)
        .count("trials", move |r| count(r.cell.trials))
        .count("completed", move |r| count(r.cell.completed))
        .count("contaminated", move |r| count(r.cell.contaminated))
        .count("excluded", move |r| count(r.cell.excluded))
        .real("wall_ns_median", |r| r.cell.wall_ns_median)
        .real("wall_ns_low", |r| r.cell.wall_ns_interval.map(|i| i.low))
        .real("wall_ns_high", |r| r.cell.wall_ns_interval.map(|i| i.high))
        .real("wall_cv", |r| r.cell.wall_cv)
        .real("cpu_ns_median", |r| r.cell.cpu_ns_median)
        .count("rss_bytes_peak", |r| r.cell.rss_bytes_peak)
        .real("read_bytes_median", |r| r.cell.read_bytes_median)
        .real("write_bytes_median", |r| r.cell.write_bytes_median)
        .real("spilled_bytes_median", |r| r.cell.spilled_bytes_median)
}

fn ratio<'r>(columns: Columns<'r, Row<'r>>, name: &str, of: fn(&Cell) -> Option<Ratio>) -> Columns<'r, Row<'r>> {
    columns
        .real(name, move |r| of(r.cell).map(|r| r.value))
        .real(&format!("{name}_low"), move |r| of(r.cell)?.interval.map(|i| i.low))
        .real(&format!("{name}_high"), move |r| of(r.cell)?.interval.map(|i| i.high))
        .text(&format!("{name}_verdict"), move |r| of(r.cell).map(|r| r.verdict.name()))
        .real(&format!("{name}_p"), move |r| of(r.cell)?.mann_whitney.map(|m| m.p_two_sided))
}

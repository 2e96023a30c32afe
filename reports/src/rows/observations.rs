//! A row per observation: the flattened case, and all that was measured.

use super::columns::Columns;
use crate::compare::{Source, Sources};
use crate::comparison::{Comparison, Contestant, Table};
use crate::run_names::RunNames;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use bench_record::{Contamination, NetworkBytes, Pressure, PressureOf, SpanKind};

struct Row<'a> {
    names: &'a RunNames,
    table: &'a Table,
    source: &'a Source<'a>,
    contestant: Option<&'a Contestant>,
}

pub(super) fn batch(comparison: &Comparison, sources: &Sources<'_>) -> Result<RecordBatch, ArrowError> {
    let tables = comparison.tables.iter().zip(&sources.tables);
    let rows = tables.flat_map(|(table, sources)| {
        sources.iter().map(move |source| Row {
            names: &comparison.runs,
            table,
            source,
            contestant: table.contestants.get(source.contestant),
        })
    });
    let rows: Vec<Row<'_>> = rows.collect();
    let columns = case(Columns::of(&rows));
    spans(counted(measured(columns))).batch()
}

fn case<'r>(columns: Columns<'r, Row<'r>>) -> Columns<'r, Row<'r>> {
    columns
        .text("run", |r| Some(r.names.name(&r.source.run.path)))
        .count("line", |r| u64::try_from(r.source.line).ok())
        .text("key", |r| Some(r.source.observation.key.as_str()))
        .text("suite", |r| Some(r.source.observation.case.suite.as_str()))
        .text("family", |r| Some(r.source.observation.case.family.name()))
        .text("workload", |r| Some(r.source.observation.case.workload.as_str()))
        .text("contestant", |r| r.contestant.map(|c| c.label.as_str()))
        .text("engine", |r| Some(r.source.observation.case.engine.as_str()))
        .text("engine_version", |r| r.contestant.and_then(|c| c.version.as_deref()))
        .text("variant", |r| Some(r.source.observation.case.variant.as_str()))
        .text("cluster", |r| Some(r.source.observation.case.cluster.as_str()))
        .small("nodes", |r| Some(r.source.observation.case.nodes))
        .small("slots", |r| Some(r.source.observation.case.slots))
        .real("cores", |r| r.contestant.map(|c| c.cores))
        .text("protocol", |r| Some(r.source.observation.case.protocol.to_string()))
        .small("scale", |r| Some(r.source.observation.case.scale))
        .text("machine", |r| Some(r.table.machine.as_str()))
        .text("build_id", |r| Some(r.source.run.context.bench.build_id.as_str()))
        .text("planned_faults", |r| r.contestant.and_then(|c| c.faults.as_deref()))
        .text("arm", |r| Some(r.source.observation.arm.name()))
        .small("trial", |r| Some(r.source.observation.trial))
        .instant("started_at", |r| r.source.observation.started_at.unix_ms())
}

fn measured<'r>(columns: Columns<'r, Row<'r>>) -> Columns<'r, Row<'r>> {
    columns
        .text("outcome", |r| Some(r.source.observation.outcome.name()))
        .text("reason", |r| r.source.observation.reason.as_deref())
        .flag("not_ready", |r| Some(r.source.observation.not_ready))
        .flag("contaminated", |r| Some(r.source.observation.contaminated))
        .flag("excluded", |r| Some(r.source.excluded))
        .small("repeat", |r| r.source.observation.repeat)
        .count("wall_ns", |r| r.source.observation.wall_ns)
        .count("cpu_ns", |r| r.source.observation.cpu_ns)
        .count("rss_bytes_peak", |r| r.source.observation.rss_bytes_peak)
        .count("rss_bytes_bound", |r| r.source.observation.rss_bytes_bound)
        .count("read_bytes", |r| r.source.observation.read_bytes)
        .count("write_bytes", |r| r.source.observation.write_bytes)
        .count("spilled_bytes", |r| r.source.observation.spilled_bytes)
        .count("rows_out", |r| r.source.observation.rows_out)
        .text("oracle", |r| r.source.observation.oracle.as_deref())
        .count("check_ns", |r| r.source.observation.check_ns)
        .text("notes", |r| joined(&r.source.observation.notes))
}

/// What the operating system counted.
fn counted<'r>(columns: Columns<'r, Row<'r>>) -> Columns<'r, Row<'r>> {
    let other = |of: fn(&Contamination) -> Option<u64>| {
        move |r: &'r Row<'r>| r.source.observation.contamination.as_ref().and_then(of)
    };
    let stalled =
        |of: fn(&Pressure) -> Option<u64>| move |r: &'r Row<'r>| r.source.observation.pressure.as_ref().and_then(of);
    let sent = |of: fn(&NetworkBytes) -> u64| move |r: &'r Row<'r>| r.source.observation.network.as_ref().map(of);
    let of = |p: &Pressure| match p.of {
        PressureOf::Cgroup => "cgroup",
        PressureOf::Machine => "machine",
    };
    columns
        .count("other_cpu_ns", other(|c| c.other_cpu_ns))
        .count("kernel_cpu_ns", other(|c| c.kernel_cpu_ns))
        .count("steal_ns", other(|c| c.steal_ns))
        .count("throttled_ns", other(|c| c.throttled_ns))
        .text("contamination_reasons", |r| r.source.observation.contamination.as_ref().and_then(|c| joined(&c.reasons)))
        .text("pressure_of", |r| r.source.observation.pressure.as_ref().map(of))
        .count("cpu_some_ns", stalled(|p| p.cpu_some_ns))
        .count("cpu_full_ns", stalled(|p| p.cpu_full_ns))
        .count("memory_some_ns", stalled(|p| p.memory_some_ns))
        .count("memory_full_ns", stalled(|p| p.memory_full_ns))
        .count("io_some_ns", stalled(|p| p.io_some_ns))
        .count("io_full_ns", stalled(|p| p.io_full_ns))
        .count("network_received_bytes", sent(|n| n.received_bytes))
        .count("network_sent_bytes", sent(|n| n.sent_bytes))
        .count("loopback_received_bytes", sent(|n| n.loopback_received_bytes))
        .count("loopback_sent_bytes", sent(|n| n.loopback_sent_bytes))
}

fn spans<'r>(columns: Columns<'r, Row<'r>>) -> Columns<'r, Row<'r>> {
    let columns = columns
        .small("span_slots", |r| r.source.observation.spans.as_ref().map(|s| s.slots))
        .count("span_makespan_ns", |r| r.source.observation.spans.as_ref().map(|s| s.makespan_ns.get()));
    let columns = columns.count("span_unknown_ns", |r| {
        let spans = r.source.observation.spans.as_ref();
        spans.and_then(|s| s.unknown_ns).map(|ns| ns.get())
    });
    // An absent kind took none where all time is accounted for; where a part of it is unknown, nobody knows.
    SpanKind::ALL.iter().fold(columns, |columns, kind| {
        columns.count(&format!("span_{}_ns", kind.name()), |r| {
            let spans = r.source.observation.spans.as_ref();
            let known = spans.and_then(|s| s.by_kind_ns.get(kind)).map(|ns| ns.get());
            let tells_all = |s: &&bench_record::SpanReport| s.unknown_ns.is_none_or(|ns| ns.get() == 0);
            known.or_else(|| spans.filter(tells_all).map(|_| 0))
        })
    })
}

fn joined(texts: &[String]) -> Option<String> {
    (!texts.is_empty()).then(|| texts.join("; "))
}

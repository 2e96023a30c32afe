//! `bench list`: engines, workloads, suites.

use super::selection::{Filter, select};
use super::{say, say_json};
use crate::cli::exit;
use crate::cli::list::{ListArgs, ListWhat};
use crate::engines;
use crate::products::Products;
use anyhow::Result;
use bench_external::State;
use bench_model::{Bytes, Capabilities, Tuning};
use serde::Serialize;
use std::path::Path;

/// The suite whose workloads are listed: all suites have the same ones at different scales.
const LISTED: [&str; 2] = ["smoke", "overhead"];

pub(super) fn list(args: &ListArgs) -> Result<u8> {
    match &args.what {
        ListWhat::Engines { folder, output } => {
            let rows = engine_rows(&Products::open(folder)?);
            if output.json { say_json(&rows)? } else { say(&engine_text(&rows))? }
        }
        ListWhat::Workloads { workload_dir, output } => {
            let rows = workload_rows(workload_dir.as_deref())?;
            if output.json { say_json(&rows)? } else { say(&workload_text(&rows))? }
        }
        ListWhat::Suites { output } => {
            let rows = suite_rows()?;
            if output.json { say_json(&rows)? } else { say(&suite_text(&rows))? }
        }
    }
    Ok(exit::FINE)
}

#[derive(Serialize)]
struct EngineRow {
    name: String,
    about: String,
    /// Why it cannot be started here; only of products.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<String>,
    families: Vec<&'static str>,
    switches: Vec<SwitchRow>,
}

#[derive(Serialize)]
struct SwitchRow {
    key: &'static str,
    default: String,
    help: String,
}

fn engine_rows(products: &Products) -> Vec<EngineRow> {
    let own = engines::all().into_iter().map(|engine| {
        let can = engine.capabilities();
        engine_row(engine.name(), can.about, None, &can, &[])
    });
    let others = products.catalog.iter().map(|product| {
        let missing = match products.store.state(product) {
            State::Installed { .. } => None,
            State::Missing { why } => Some(why),
        };
        engine_row(&product.name, &product.about, missing, &Products::capabilities(product), &product.configurations())
    });
    own.chain(others).collect()
}

fn engine_row(
    name: &str,
    about: &str,
    missing: Option<String>,
    can: &Capabilities,
    configurations: &[String],
) -> EngineRow {
    let defaults = Tuning::defaults(can.switches);
    let default = |key: &str| defaults.iter().find(|(k, _)| *k == key).map(|(_, v)| v.to_string());
    let switches = can.switches.iter().map(|s| SwitchRow {
        key: s.name,
        default: default(s.name).unwrap_or_default(),
        // Only the switch of a product that names its configuration has such a list.
        help: if configurations.is_empty() { s.help.to_owned() } else { configurations.join(", ") },
    });
    EngineRow {
        name: name.to_owned(),
        about: about.to_owned(),
        missing,
        families: can.families.iter().map(|f| f.name()).collect(),
        switches: switches.collect(),
    }
}

fn engine_text(rows: &[EngineRow]) -> String {
    let mut lines = Vec::new();
    for row in rows {
        lines.push(format!("{:<14} {} [{}]", row.name, row.about, row.families.join(", ")));
        lines.extend(row.missing.iter().map(|why| format!("    {why}")));
        for s in &row.switches {
            lines.push(format!("    {:<26} {:>10}  {}", s.key, s.default, s.help));
        }
    }
    lines.join("\n")
}

#[derive(Serialize)]
struct WorkloadRow {
    name: String,
    family: &'static str,
    title: String,
    dataset_kind: Option<String>,
}

fn workload_rows(folder: Option<&Path>) -> Result<Vec<WorkloadRow>> {
    let mut rows = Vec::new();
    let built_in = LISTED.iter().map(|suite| select(Some(suite), None, Filter::default()));
    let own = folder.map(|dir| select(None, Some(dir), Filter::default()));
    for selection in built_in.chain(own) {
        for definition in selection?.definitions {
            let w = definition.workload;
            let kind = w.dataset.map(|d| d.split('-').next().unwrap_or_default().to_owned());
            if !rows.iter().any(|r: &WorkloadRow| r.name == w.name) {
                rows.push(WorkloadRow { name: w.name, family: w.family.name(), title: w.title, dataset_kind: kind });
            }
        }
    }
    Ok(rows)
}

fn workload_text(rows: &[WorkloadRow]) -> String {
    let line = |r: &WorkloadRow| {
        let tables = r.dataset_kind.as_deref().unwrap_or("-");
        format!("{:<15} {:<10} {tables:<9} {}", r.name, r.family, r.title)
    };
    let head = format!("{:<15} {:<10} {:<9} what it does", "name", "family", "tables");
    std::iter::once(head).chain(rows.iter().map(line)).collect::<Vec<_>>().join("\n")
}

#[derive(Serialize)]
struct SuiteRow {
    name: String,
    title: String,
    raw_bytes_per_family: u64,
    datasets: Vec<String>,
    workloads: usize,
}

fn suite_rows() -> Result<Vec<SuiteRow>> {
    let mut rows = Vec::new();
    for suite in bench_suite::suites()? {
        rows.push(SuiteRow {
            raw_bytes_per_family: suite.raw_bytes(),
            datasets: suite.datasets().map(bench_suite::DatasetSpec::name).collect(),
            workloads: bench_suite::workloads(&suite)?.len(),
            name: suite.name,
            title: suite.title,
        });
    }
    Ok(rows)
}

fn suite_text(rows: &[SuiteRow]) -> String {
    let head = format!("{:<10} {:>9} {:>12}  what it is for", "name", "workloads", "per family");
    let line = |r: &SuiteRow| {
        let bytes = match r.raw_bytes_per_family {
            0 => "-".to_owned(),
            bytes => Bytes::new(bytes).to_string(),
        };
        format!("{:<10} {:>9} {bytes:>12}  {}", r.name, r.workloads, r.title)
    };
    std::iter::once(head).chain(rows.iter().map(line)).collect::<Vec<_>>().join("\n")
}

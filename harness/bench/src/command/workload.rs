//! `bench workload`: the user's own workloads.

use super::{say, say_json};
use crate::cli::exit;
use crate::cli::workload::{WorkloadArgs, WorkloadWhat};
use crate::progress::complain;
use anyhow::Result;
use bench_model::Bytes;
use std::path::Path;

pub(super) fn workload(args: &WorkloadArgs) -> Result<u8> {
    match &args.what {
        WorkloadWhat::Init { folder, from } => {
            for file in bench_suite::init(folder, from)? {
                complain(&format!("wrote {}", file.display()));
            }
            complain(&format!("edit them, then: bench run --workload-dir {}", folder.display()));
        }
        WorkloadWhat::Check { folder, output } => check(folder, output.json)?,
    }
    Ok(exit::FINE)
}

fn check(folder: &Path, json: bool) -> Result<()> {
    let family = bench_suite::load_dir(folder)?;
    if json {
        let tables: Vec<_> = family
            .dataset
            .tables
            .iter()
            .map(|t| serde_json::json!({ "name": t.name, "files": t.files, "rows": t.rows, "bytes": t.bytes }))
            .collect();
        let workloads: Vec<_> = family
            .workloads
            .iter()
            .map(|d| serde_json::json!({ "name": d.workload.name, "title": d.workload.title }))
            .collect();
        return say_json(&serde_json::json!({ "name": family.name, "tables": tables, "workloads": workloads }));
    }
    say(&format!("{}: {}", family.name, family.title))?;
    for t in &family.dataset.tables {
        say(&format!("  table    {:<20} {} files, {} rows, {}", t.name, t.files.len(), t.rows, Bytes::new(t.bytes)))?;
    }
    for d in &family.workloads {
        say(&format!("  workload {:<20} {}", d.workload.name, d.workload.title))?;
    }
    Ok(())
}

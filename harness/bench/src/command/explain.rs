//! `bench explain`: how an engine would run a workload.

use super::selection::{Filter, select};
use super::{data, say, say_json, setup};
use crate::cli::exit;
use crate::cli::explain::ExplainArgs;
use crate::cli::pattern::Pattern;
use crate::engines;
use crate::interrupt;
use anyhow::{Context, Result, anyhow};
use bench_model::EngineSetup;
use bench_suite::DataStore;

pub(super) fn explain(args: &ExplainArgs) -> Result<u8> {
    let name: Pattern = args.workload.parse().map_err(|e| anyhow!("{e}"))?;
    let filter = Filter { families: &[], names: std::slice::from_ref(&name) };
    // A suite of zero-work graphs has no tables; its workloads are found by name.
    let mut selection = select(Some(&args.suite), args.workload_dir.as_deref(), filter)
        .with_context(|| format!("cannot explain `{}`", args.workload))?;
    let store = DataStore::new(&args.data.path);
    for spec in selection.specs() {
        if data::make(&store, &spec, data::all_cores())?.is_none() {
            return Ok(exit::INTERRUPTED);
        }
    }
    let (datasets, _) = selection.open(&store)?;
    let spec = setup::engine_spec(&args.engine, &args.resources, false)?;
    let scratch = tempfile::tempdir().context("cannot make a scratch folder")?;
    let setup = EngineSetup {
        slots: spec.slots,
        memory: spec.memory,
        scratch: scratch.path().to_owned(),
        tuning: spec.tuning,
        spans: args.analyze,
    };
    interrupt::flag();
    let mut session = engines::by_name(&args.engine)?.start(&setup)?;
    session.prepare(&datasets)?;
    let mut explained = Vec::new();
    for definition in &selection.definitions {
        let workload = &definition.workload;
        let text = session.explain(workload, args.analyze)?.text;
        if args.output.json {
            explained.push(serde_json::json!({ "workload": workload.name, "engine": args.engine, "plan": text }));
        } else {
            say(&format!("{} on {}: {}\n\n{text}", workload.name, args.engine, workload.title))?;
        }
    }
    if args.output.json {
        say_json(&explained)?;
    }
    Ok(exit::FINE)
}

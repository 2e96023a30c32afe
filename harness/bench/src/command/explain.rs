//! `bench explain`: how an engine would run a workload.

use super::selection::{Filter, Selection, select};
use super::{data, say, say_json, setup};
use crate::cli::exit;
use crate::cli::explain::ExplainArgs;
use crate::cli::pattern::Pattern;
use crate::interrupt;
use crate::products::{Products, Provider};
use anyhow::{Context, Result, anyhow};
use bench_lab::live::{EngineProvider, Failure, Limits};
use bench_suite::DataStore;
use std::time::Duration;

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
    match plans(args, &mut selection, &store)? {
        Ok(plans) if args.output.json => say_json(&plans)?,
        Ok(plans) => {
            for plan in plans {
                say(&format!("{} on {}: {}\n\n{}", plan.workload, plan.engine, plan.title, plan.plan))?;
            }
        }
        Err(Failure::Interrupted) => return Ok(exit::INTERRUPTED),
        Err(failure) => return Err(anyhow!("engine {}: {failure}", args.engine)),
    }
    Ok(exit::FINE)
}

/// One workload explained.
#[derive(serde::Serialize)]
struct Plan {
    workload: String,
    engine: String,
    #[serde(skip)]
    title: String,
    plan: String,
}

/// Asks the engine in a process of its own, which Ctrl-C ends at any time.
fn plans(args: &ExplainArgs, selection: &mut Selection, store: &DataStore) -> Result<Result<Vec<Plan>, Failure>> {
    let datasets = selection.open(store)?;
    let products = Products::open(&args.folder)?;
    let spec = setup::engine_spec(&args.engine, &args.resources, args.analyze, &products)?;
    let scratch = setup::scratch_beside(store)?;
    let provider = Provider::new(products, scratch.path().to_owned())?;
    let stop = interrupt::flag();
    let limits = Limits { timeout: None, grace: Duration::ZERO, stop: &stop, trace: false };
    Ok(provider.start(&spec, &stop).and_then(|mut live| {
        live.load(&datasets, &stop)?;
        let explain = |workload: &bench_model::Workload| {
            let plan = live.explain(workload, args.analyze, &limits)?;
            let (workload, title) = (workload.name.clone(), workload.title.clone());
            Ok(Plan { workload, engine: args.engine.clone(), title, plan })
        };
        selection.definitions.iter().map(|d| &d.workload).map(explain).collect()
    }))
}

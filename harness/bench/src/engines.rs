//! Every engine by name. No other crate names a concrete engine.

use crate::build_id;
use anyhow::{Context, Result, anyhow};
use bench_actor::Actor;
use bench_baseline::{Datafusion, Datafusion1t};
use bench_lab::cluster::ClusterLauncher;
use bench_model::{Blocking, Engine, JobTrace, Nanos, Style};
use bench_node::{LiveEngine, NodeOptions, NodePlan, NodeStyles};
use bench_plan::{PlanFront, PlanStore};
use bench_stagedag::StageDag;
use bench_taskgraph::TaskGraph;
use std::sync::Arc;

/// The engines of this build, in the order in which reports show them.
pub(crate) const NAMES: [&str; 5] = ["actor", "taskgraph", "stagedag", "datafusion", "datafusion-1t"];
/// Those of them that have a product's architecture and not its code.
pub(crate) const STYLES: [&str; 3] = ["actor", "taskgraph", "stagedag"];
/// The engine whose answer decides where none is stored.
pub(crate) const ORACLE: &str = "datafusion-1t";

/// The engine of that name.
///
/// # Errors
/// There is none.
pub(crate) fn by_name(name: &str) -> Result<Box<dyn Engine>> {
    match name {
        "actor" => live(Actor),
        "taskgraph" => live(TaskGraph::default()),
        "stagedag" => live(StageDag),
        "datafusion" => Ok(Box::new(Datafusion)),
        "datafusion-1t" => Ok(Box::new(Datafusion1t)),
        _ => Err(anyhow!("unknown engine `{name}`; known: {}", NAMES.join(", "))),
    }
}

/// Whether an engine is one of this build, and no product.
pub(crate) fn is_of_this_build(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Every engine.
pub(crate) fn all() -> Vec<Box<dyn Engine>> {
    NAMES.iter().filter_map(|name| by_name(name).ok()).collect()
}

/// A style on the live host, with the front half and the kernels that all styles share.
fn live<S: Style>(style: S) -> Result<Box<dyn Engine>> {
    let store = PlanStore::default();
    let front = Arc::new(PlanFront::new(store.clone())?);
    let launcher = ClusterLauncher::this_program().context("cannot find this program")?;
    let nodes = NodePlan { launcher: Arc::new(launcher), build: build_id::word()?, options: NodeOptions::default() };
    Ok(Box::new(LiveEngine::new(style, front, bench_kernels::registry(&store)).with_nodes(nodes)))
}

/// Every style, as a node runs it: plans come from its driver.
pub(crate) fn node_styles() -> NodeStyles {
    let registry = || bench_kernels::registry(&PlanStore::default());
    NodeStyles::new(registry).with(Actor).with(TaskGraph::default()).with(StageDag)
}

/// Plays a recorded job again in virtual time, without one kind of blocking if one is named.
///
/// # Errors
/// A style that is not there, or a trace that it cannot play to its end.
pub(crate) fn replay(trace: &JobTrace, without: Option<Blocking>) -> Result<Nanos> {
    let replayed = match trace.style.as_str() {
        "actor" => bench_sim::replay(&Actor, trace, without),
        "taskgraph" => bench_sim::replay(&TaskGraph::default(), trace, without),
        "stagedag" => bench_sim::replay(&StageDag, trace, without),
        other => return Err(anyhow!("no style `{other}`")),
    };
    Ok(replayed?)
}

/// What engines of this build say their version is.
pub(crate) fn version() -> String {
    format!("{} (DataFusion {})", env!("CARGO_PKG_VERSION"), bench_plan::DATAFUSION_VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_answers_to_its_name() {
        assert_eq!(all().iter().map(|e| e.name()).collect::<Vec<_>>(), NAMES);
        assert!(NAMES.contains(&ORACLE));
    }
}

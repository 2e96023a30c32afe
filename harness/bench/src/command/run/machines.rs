//! Other machines that a run needs: made ready before the first trial, tidied up after the last.

use super::parts::Part;
use crate::progress::tell;
use anyhow::{Context, Result};
use bench_lab::cluster::{Holds, TableFiles, make_ready};
use bench_lab::live::{EngineProvider, EngineSpec, Failure, LiveEngine};
use bench_model::{ClusterSpec, Dataset, SshHost};
use bench_record::NodeMachine;
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The file beside a set's tables that says what they hold.
const MANIFEST: &str = "manifest.json";

/// What a run holds on other machines, if it needs any.
#[derive(Default)]
pub(super) struct Machines {
    holds: RefCell<Option<Holds>>,
    /// What they are, in node order.
    pub(super) nodes: Vec<NodeMachine>,
}

impl Machines {
    /// Makes all machines ready that nodes of this run will be started on, and tells the engines where things lie there and,
    /// unless `slots` were asked for, how many: as many as the smallest machine has cores. `None` if the user interrupted it.
    ///
    /// # Errors
    /// A machine that cannot be reached, or lacks the tables.
    pub(super) fn make_ready(
        parts: &mut [Part],
        datasets: &[Arc<Dataset>],
        slots: Option<u32>,
        stop: &AtomicBool,
    ) -> Result<Option<Self>> {
        // Clusters of fewer nodes are the first of the same machines.
        let specs = parts.iter().flat_map(|part| &part.specs);
        let all = specs.filter_map(|spec| hosts(&spec.cluster)).max_by_key(|hosts| hosts.len());
        let Some(all) = all.map(<[SshHost]>::to_vec) else { return Ok(Some(Self::default())) };
        let program = std::env::current_exe().context("cannot find this program")?;
        let ready = make_ready(&all, &program, &table_files(datasets), &tell, stop)?;
        let Some((ready, holds)) = ready else { return Ok(None) };
        let fewest = ready.iter().map(|host| host.machine.cores).min();
        for spec in parts.iter_mut().flat_map(|part| &mut part.specs) {
            if let ClusterSpec::Hosts { hosts, .. } = &mut spec.cluster {
                for (host, ready) in hosts.iter_mut().zip(&ready) {
                    host.site = Some(ready.site.clone());
                }
                spec.slots = slots.or(fewest).unwrap_or(spec.slots);
            }
        }
        let nodes = ready.into_iter().map(|host| host.machine).collect();
        Ok(Some(Self { holds: RefCell::new(Some(holds)), nodes }))
    }

    /// An engine provider that knows whether they are still there.
    pub(super) fn watch<'a>(&'a self, engines: &'a dyn EngineProvider) -> Watched<'a> {
        Watched { engines, machines: self }
    }

    /// The run is over: waits until the machines are tidy, and says which are not.
    pub(super) fn leave(self) {
        for complaint in self.holds.into_inner().map(Holds::end).into_iter().flatten() {
            tell(&format!("warning: {complaint}"));
        }
    }
}

/// Engines whose nodes run on machines that a run holds.
pub(super) struct Watched<'a> {
    engines: &'a dyn EngineProvider,
    machines: &'a Machines,
}

impl EngineProvider for Watched<'_> {
    fn start(&self, engine: &EngineSpec, stop: &AtomicBool) -> Result<Box<dyn LiveEngine>, Failure> {
        self.engines.start(engine, stop)
    }

    fn check(&self) -> Result<(), String> {
        self.machines.holds.borrow_mut().as_mut().map_or(Ok(()), Holds::check)
    }
}

pub(super) fn hosts(cluster: &ClusterSpec) -> Option<&[SshHost]> {
    match cluster {
        ClusterSpec::Hosts { hosts, .. } => Some(hosts),
        ClusterSpec::Local
        | ClusterSpec::Processes { .. }
        | ClusterSpec::Emulated { .. }
        | ClusterSpec::Attached { .. } => None,
    }
}

fn table_files(datasets: &[Arc<Dataset>]) -> TableFiles {
    let files = datasets.iter().flat_map(|d| d.tables.iter().flat_map(|t| t.files.clone()));
    TableFiles { files: files.collect(), manifests: datasets.iter().filter_map(|d| manifest(d)).collect() }
}

/// The manifest of a built-in set; tables of a user's own have none.
fn manifest(dataset: &Dataset) -> Option<PathBuf> {
    let first = dataset.tables.first()?.files.first()?;
    let folder = first.ancestors().find(|above| above.file_name().is_some_and(|name| *name == *dataset.name))?;
    Some(folder.join(MANIFEST)).filter(|path| path.is_file())
}

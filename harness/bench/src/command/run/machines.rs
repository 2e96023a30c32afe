//! Other machines that a run needs: made ready before the first trial, tidied up after the last.

use super::parts::Part;
use crate::progress::tell;
use anyhow::{Context, Result};
use bench_lab::cluster::{Holds, TableFiles, make_ready};
use bench_model::{ClusterSpec, Dataset, SshHost};
use std::path::PathBuf;
use std::sync::Arc;

/// The file beside a set's tables that says what they hold.
const MANIFEST: &str = "manifest.json";

/// What a run holds on other machines, if it needs any.
pub(super) struct Machines(Option<Holds>);

impl Machines {
    /// Makes all machines ready that nodes of this run will be started on, and tells the engines where things lie there.
    ///
    /// # Errors
    /// A machine that cannot be reached, or lacks the tables.
    pub(super) fn make_ready(parts: &mut [Part], datasets: &[Arc<Dataset>]) -> Result<Self> {
        // Clusters of fewer nodes are the first of the same machines.
        let specs = parts.iter().flat_map(|part| &part.specs);
        let all = specs.filter_map(|spec| hosts(&spec.cluster)).max_by_key(|hosts| hosts.len());
        let Some(all) = all.map(<[SshHost]>::to_vec) else { return Ok(Self(None)) };
        let program = std::env::current_exe().context("cannot find this program")?;
        let (sites, holds) = make_ready(&all, &program, &table_files(datasets), &tell)?;
        for spec in parts.iter_mut().flat_map(|part| &mut part.specs) {
            if let ClusterSpec::Hosts { hosts, .. } = &mut spec.cluster {
                for (host, site) in hosts.iter_mut().zip(&sites) {
                    host.site = Some(site.clone());
                }
            }
        }
        Ok(Self(Some(holds)))
    }

    /// The run is over: waits until the machines are tidy, and says which are not.
    pub(super) fn leave(self) {
        for complaint in self.0.map(Holds::end).into_iter().flatten() {
            tell(&format!("warning: {complaint}"));
        }
    }
}

fn hosts(cluster: &ClusterSpec) -> Option<&[SshHost]> {
    match cluster {
        ClusterSpec::Hosts { hosts, .. } => Some(hosts),
        ClusterSpec::Local | ClusterSpec::Processes { .. } | ClusterSpec::Emulated { .. } => None,
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

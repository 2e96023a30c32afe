//! What the command line selects: workloads with what is known about their answers, and the tables they read.

use super::data;
use super::identity::{self, Identity};
use crate::cli::pattern::Pattern;
use crate::progress::tell;
use anyhow::{Result, anyhow, bail};
use arrow::array::RecordBatch;
use bench_lab::oracle;
use bench_model::{Check, Dataset, Digest, Family};
use bench_record::DatasetContext;
use bench_suite::{Answers, DataStore, DatasetSpec, Definition, Expected, Suite, UserFamily};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A suite's workloads, a user's workloads, or both, narrowed down by family and name.
#[derive(Debug)]
pub(super) struct Selection {
    /// The suite's name, or the user family's where no suite was asked for.
    pub(super) name: String,
    /// How many times the suite's own scale its data has.
    pub(super) scale: u32,
    /// The built-in suite at that scale, if one was asked for.
    pub(super) suite: Option<Suite>,
    /// What is left after narrowing down.
    pub(super) definitions: Vec<Definition>,
    user: Option<UserFamily>,
}

/// Which workloads are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Filter<'a> {
    /// Of these families; of all if empty.
    pub(super) families: &'a [Family],
    /// Whose name matches one of these; any name if empty.
    pub(super) names: &'a [Pattern],
}

impl Filter<'_> {
    fn takes(&self, definition: &Definition) -> bool {
        let (family, name) = (definition.workload.family, &definition.workload.name);
        (self.families.is_empty() || self.families.contains(&family))
            && (self.names.is_empty() || self.names.iter().any(|p| p.matches(name)))
    }
}

/// Resolves names and folders; nothing is made or opened but definitions.
pub(super) fn select(suite: Option<&str>, folder: Option<&Path>, filter: Filter<'_>) -> Result<Selection> {
    let suite = suite.map(bench_suite::suite).transpose()?;
    let user = folder.map(bench_suite::load_dir).transpose()?;
    narrow((suite, 1), user, filter)
}

/// A suite over data that is so many times as large as its own.
///
/// # Errors
/// As for [`select`], and data too large to be made.
pub(super) fn select_scaled(suite: &str, times: u32, filter: Filter<'_>) -> Result<Selection> {
    narrow((Some(bench_suite::suite(suite)?.scaled(times)?), times), None, filter)
}

fn narrow((suite, scale): (Option<Suite>, u32), user: Option<UserFamily>, filter: Filter<'_>) -> Result<Selection> {
    let mut definitions = match &suite {
        Some(suite) => bench_suite::workloads(suite)?,
        None => Vec::new(),
    };
    for definition in user.iter().flat_map(|u| &u.workloads) {
        if definitions.iter().any(|d| d.workload.name == definition.workload.name) {
            let name = &definition.workload.name;
            bail!("workload `{name}` is both built in and in the given folder; rename yours in family.toml");
        }
        definitions.push(definition.clone());
    }
    let found = definitions.len();
    definitions.retain(|d| filter.takes(d));
    // A name that was mistyped beside others would otherwise be missed in the results only.
    let matches_none = |p: &&Pattern| !definitions.iter().any(|d| p.matches(&d.workload.name));
    if let Some(pattern) = filter.names.iter().find(matches_none).filter(|_| found > 0) {
        let of = if filter.families.is_empty() { "" } else { " of --families" };
        bail!("none of the workloads{of} matches `{pattern}` of --workloads; `bench list workloads` shows all");
    }
    if definitions.is_empty() && found > 0 {
        bail!("none of {found} workloads is of --families; `bench list workloads` shows all");
    }
    let name = match (&suite, &user) {
        (Some(suite), _) => suite.name.clone(),
        (None, Some(user)) => user.name.clone(),
        (None, None) => bail!("nothing to run; give --suite NAME or --workload-dir DIR"),
    };
    Ok(Selection { name, scale, suite, definitions, user })
}

impl Selection {
    /// The built-in table sets that the remaining workloads read.
    pub(super) fn specs(&self) -> Vec<DatasetSpec> {
        let read = |spec: &DatasetSpec| {
            let name = spec.name();
            self.definitions.iter().any(|d| d.workload.dataset.as_ref() == Some(&name))
        };
        let all = self.suite.iter().flat_map(Suite::datasets);
        all.filter(|spec| read(spec)).cloned().collect()
    }

    /// The workloads that read a dataset.
    pub(super) fn about<'a>(&'a self, dataset: &'a str) -> impl Iterator<Item = &'a Definition> {
        self.definitions.iter().filter(move |d| d.workload.dataset.as_deref() == Some(dataset))
    }

    /// The suite with only what is read, for judging what it needs.
    pub(super) fn narrowed_suite(&self) -> Option<Suite> {
        let specs = self.specs();
        let mut suite = self.suite.clone()?;
        suite.families.retain(|f| f.dataset.as_ref().is_none_or(|d| specs.contains(d)));
        Some(suite)
    }

    /// Opens every table set that is read and gives every workload the answer that is known for these very bytes.
    pub(super) fn open(&mut self, store: &DataStore) -> Result<Vec<Arc<Dataset>>> {
        let mut datasets = Vec::new();
        for spec in self.specs() {
            datasets.push(store.open(&spec)?);
            let manifest = data::manifest(store, &spec)?;
            if let Some(answers) = Answers::built_in(&manifest.name)? {
                let fingerprint = manifest.fingerprint();
                answers.apply(&fingerprint, &mut self.definitions);
                if let Some(mismatch) = answers.mismatch(&fingerprint) {
                    tell(&format!("warning: {mismatch}"));
                }
            }
        }
        datasets.extend(self.user.iter().map(|user| Arc::clone(&user.dataset)));
        for definition in &mut self.definitions {
            expect_rows(definition)?;
        }
        Ok(datasets)
    }

    /// What identifies all that was opened; `None` if the user interrupted it.
    pub(super) fn identify(&self, store: &DataStore, stop: &AtomicBool) -> Result<Option<Identity>> {
        let mut datasets = Vec::new();
        for spec in self.specs() {
            let manifest = data::manifest(store, &spec)?;
            let derived_from = matches!(spec, DatasetSpec::Tpch(_)).then(|| "tpch".to_owned());
            let (rows, bytes, checksum) = (manifest.rows(), manifest.bytes(), manifest.fingerprint());
            let (name, scale) = (manifest.name, self.scale);
            datasets.push(DatasetContext { name, derived_from, rows, bytes, checksum, scale });
        }
        if let Some(user) = &self.user {
            let Some(context) = identity::of_tables(&user.dataset, stop)? else { return Ok(None) };
            datasets.push(context);
        }
        let identified = |d: &Definition| identity::of_workload(&d.workload, self.scale);
        let workloads = self.definitions.iter().map(identified).collect::<Result<_>>()?;
        Ok(Some(Identity { datasets, workloads }))
    }
}

/// Turns an answer known as rows into the digest that trials are held to.
fn expect_rows(definition: &mut Definition) -> Result<()> {
    let check = &definition.workload.check;
    let known: Option<(Digest, String)> = match &definition.expected {
        Expected::Unknown => None,
        Expected::Rows { batch, origin } => Some((digest_of(std::slice::from_ref(batch), check)?, origin.clone())),
        Expected::File { path } => Some((oracle::digest_parquet(path, check)?, path.display().to_string())),
    };
    if known.is_some() {
        definition.workload.check.expected = known;
    }
    Ok(())
}

fn digest_of(batches: &[RecordBatch], check: &Check) -> Result<Digest> {
    let schema =
        batches.first().map(RecordBatch::schema).ok_or_else(|| anyhow!("the expected answer has no columns"))?;
    oracle::digest(&schema, batches, check).map_err(|e| anyhow!("the expected answer contradicts its check: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(families: &[Family], names: &[&str]) -> Result<Vec<String>, String> {
        let names: Vec<Pattern> = names.iter().map(|name| name.parse().unwrap()).collect();
        let selection = select(Some("smoke"), None, Filter { families, names: &names });
        let names = |s: Selection| s.definitions.into_iter().map(|d| d.workload.name).collect();
        selection.map(names).map_err(|e| e.to_string())
    }

    #[test]
    fn a_name_that_nothing_is_called_is_refused_also_beside_others() {
        assert_eq!(selected(&[], &["tpch-q06", "topk"]).unwrap(), ["tpch-q06", "topk"]);
        let refused = selected(&[], &["tpch-q06", "top-k"]).unwrap_err();
        assert!(refused.contains("none of the workloads matches `top-k` of --workloads"), "{refused}");
        let refused = selected(&[Family::Sql], &["tpch-q06", "topk"]).unwrap_err();
        assert!(refused.contains("none of the workloads of --families matches `topk`"), "{refused}");
    }
}

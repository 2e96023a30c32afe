//! `bench answers`: questions for an independent engine, and its results turned into stored answers.

use super::say_json;
use super::selection::{Filter, select};
use crate::cli::exit;
use crate::cli::hidden::{AnswersArgs, AnswersWhat};
use anyhow::{Context, Result, bail};
use bench_lab::oracle;
use bench_suite::{Answers, DataStore};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

pub(super) fn answers(args: &AnswersArgs) -> Result<u8> {
    match &args.what {
        AnswersWhat::Questions { suite, dataset } => say_json(&questions(suite, dataset)?)?,
        AnswersWhat::Digest { suite, folder, out, data } => {
            let path = digested(suite, folder, &DataStore::new(&data.path))?.save(out)?;
            eprintln!("wrote {}", path.display());
        }
    }
    Ok(exit::FINE)
}

/// Workload names and the SQL that asks them.
fn questions(suite: &str, dataset: &str) -> Result<BTreeMap<String, String>> {
    let selection = select(Some(suite), None, Filter::default())?;
    let mut questions = BTreeMap::new();
    for definition in selection.about(dataset) {
        let name = &definition.workload.name;
        let sql = definition.oracle_sql.clone();
        questions.insert(name.clone(), sql.with_context(|| format!("workload {name} has no SQL text for the oracle"))?);
    }
    if questions.is_empty() {
        bail!("suite {suite} asks nothing about `{dataset}`; `bench list suites` shows the datasets of each");
    }
    Ok(questions)
}

/// Who answered, as the script notes it beside its results.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Origin {
    dataset: String,
    origin: String,
}

/// The digests of the results in a folder, tied to the bytes that they were made from.
fn digested(suite: &str, folder: &Path, store: &DataStore) -> Result<Answers> {
    let path = folder.join("origin.json");
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let Origin { dataset, origin } =
        serde_json::from_slice(&text).with_context(|| format!("{} is not the script's", path.display()))?;
    let selection = select(Some(suite), None, Filter::default())?;
    let manifest = store.manifest(&dataset)?;
    let mut answers = Answers::new(&dataset, &manifest.fingerprint(), &origin);
    for definition in selection.about(&dataset) {
        let workload = &definition.workload;
        let digest = oracle::digest_parquet(&folder.join(format!("{}.parquet", workload.name)), &workload.check)?;
        answers.add(&workload.name, definition.oracle_sql.as_deref().unwrap_or_default(), digest);
    }
    Ok(answers)
}

//! `bench answers`: questions for an independent engine, and its results turned into stored answers.

use super::data;
use super::selection::{Filter, Selection, select};
use crate::cli::exit;
use crate::cli::hidden::{AnswersArgs, AnswersWhat};
use crate::progress::complain;
use anyhow::{Context, Result, bail};
use bench_lab::oracle;
use bench_suite::{Answers, DataStore, DatasetSpec};
use std::fs;
use std::path::Path;

pub(super) fn answers(args: &AnswersArgs) -> Result<u8> {
    match &args.what {
        AnswersWhat::Questions { suite, out } => {
            let selection = select(Some(suite), None, Filter::default())?;
            for spec in selection.specs() {
                ask(&selection, &spec, &out.join(spec.name()))?;
            }
        }
        AnswersWhat::Store { suite, results, origin, out, data } => {
            let selection = select(Some(suite), None, Filter::default())?;
            let store = DataStore::new(&data.path);
            for spec in selection.specs() {
                let path = keep(&selection, &spec, &store, &results.join(spec.name()), origin)?.save(out)?;
                complain(&format!("wrote {}", path.display()));
            }
        }
    }
    Ok(exit::FINE)
}

/// One `.sql` file per question about a dataset.
fn ask(selection: &Selection, spec: &DatasetSpec, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for definition in selection.about(&spec.name()) {
        let name = &definition.workload.name;
        let Some(sql) = &definition.oracle_sql else { bail!("workload {name} has no SQL text for the oracle") };
        let path = folder.join(format!("{name}.sql"));
        fs::write(&path, sql).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The digests of the results in a folder, tied to the bytes that they were made from.
fn keep(selection: &Selection, spec: &DatasetSpec, store: &DataStore, folder: &Path, origin: &str) -> Result<Answers> {
    let manifest = data::manifest(store, spec)?;
    let mut answers = Answers::new(&manifest.name, &manifest.fingerprint(), origin);
    for definition in selection.about(&manifest.name) {
        let workload = &definition.workload;
        let digest = oracle::digest_parquet(&folder.join(format!("{}.parquet", workload.name)), &workload.check)?;
        answers.add(&workload.name, definition.oracle_sql.as_deref().unwrap_or_default(), digest);
    }
    Ok(answers)
}

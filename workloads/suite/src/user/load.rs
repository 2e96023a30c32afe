//! Reading a user's folder.

use super::table;
use crate::definition::DefinitionError;
use crate::family::{Definition, FILE, FamilyFile, Scope, check_name};
use crate::spec::DatasetSpec;
use bench_model::{Dataset, Program};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A user's workloads and the tables they read.
#[derive(Clone, Debug)]
pub struct UserFamily {
    /// Its name.
    pub name: String,
    /// One line on what it is.
    pub title: String,
    /// Its workloads, in order.
    pub workloads: Vec<Definition>,
    /// Its tables.
    pub dataset: Arc<Dataset>,
}

/// Reads `DIR/family.toml` and everything it names. Tables are opened (schemas, row counts of Parquet files, CSV
/// columns where they are not declared) but not read.
///
/// # Errors
/// A file that is missing or malformed, with its line where there is one; an unknown field; a name used twice or by a
/// built-in table set; a table whose files have different columns, or other columns than are declared; a known answer in CSV
/// whose types are neither declared nor plain to see.
pub fn load_dir(dir: &Path) -> Result<UserFamily, DefinitionError> {
    let path = dir.join(FILE);
    let file = path.display().to_string();
    let family = FamilyFile::parse(&file, &read_text(&path)?)?;
    check_name(&file, "family", &family.name)?;
    // The family's name is that of its tables, too: the tables of a built-in set must not be taken for the user's.
    if family.name.parse::<DatasetSpec>().is_ok() {
        let message = format!("`{}` is the name of a built-in table set; give the family another name", family.name);
        return Err(DefinitionError::invalid(&file, message));
    }
    if family.workloads.is_empty() {
        return Err(DefinitionError::invalid(&file, "it defines no [[workload]]"));
    }
    let mut seen = BTreeSet::new();
    let mut tables = Vec::new();
    for entry in &family.tables {
        check_name(&file, "table", &entry.name)?;
        if !seen.insert(entry.name.to_ascii_lowercase()) {
            return Err(DefinitionError::invalid(&file, format!("table `{}` is there twice", entry.name)));
        }
        tables.push(table::open(dir, &file, entry)?);
    }
    let dataset = Dataset { name: family.name.clone(), tables };
    let scope = Scope {
        file: &file,
        dataset: Some(family.name.clone()),
        tasks: None,
        text: &|name| inside(dir, &file, name).and_then(|path| read_text(&path)),
        path: &|name| {
            let path = inside(dir, &file, name)?;
            if path.is_file() {
                return Ok(path);
            }
            Err(DefinitionError::Unreadable { path, message: "there is no such file".to_owned() })
        },
    };
    let workloads = family.workloads.into_iter().map(|w| w.resolve(&scope)).collect::<Result<Vec<_>, _>>()?;
    if dataset.tables.is_empty() && workloads.iter().any(|d| matches!(d.workload.program, Program::Query(_))) {
        return Err(DefinitionError::invalid(&file, "it has queries and no [[table]] to query"));
    }
    Ok(UserFamily { name: family.name, title: family.title, workloads, dataset: Arc::new(dataset) })
}

/// Queries and answers belong to the folder, so that it can be handed on; tables may be anywhere.
fn inside(dir: &Path, file: &str, name: &str) -> Result<PathBuf, DefinitionError> {
    let path = Path::new(name);
    if !name.is_empty() && path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)) {
        return Ok(dir.join(path));
    }
    Err(DefinitionError::invalid(file, format!("`{name}` must be a file inside of the folder")))
}

fn read_text(path: &Path) -> Result<String, DefinitionError> {
    fs::read_to_string(path).map_err(|e| DefinitionError::Unreadable { path: path.to_owned(), message: e.to_string() })
}

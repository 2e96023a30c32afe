//! A complete set as the tables engines read.

use super::DataStore;
use super::error::{DataError, io};
use super::manifest::{self, FileEntry, Manifest, TableEntry};
use super::part_file::columns_as_text;
use crate::generate::generators;
use crate::spec::DatasetSpec;
use arrow::datatypes::SchemaRef;
use bench_model::{Dataset, Format, Table};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

pub(super) fn open(store: &DataStore, spec: &DatasetSpec) -> Result<Arc<Dataset>, DataError> {
    spec.validate()?;
    let name = spec.name();
    let folder = store.folder(&name)?;
    let folder = std::path::absolute(&folder).map_err(io("find", &folder))?;
    let manifest = manifest::load(&folder, &name)?;
    if manifest.spec != *spec {
        let reason = format!("it was made for {:?}, not for {spec:?}", manifest.spec);
        return Err(DataError::Foreign { path: folder, reason });
    }
    check_usable(&folder, &manifest)?;
    let tables = manifest.tables.iter().map(|t| table(&folder, &name, t)).collect::<Result<_, _>>()?;
    Ok(Arc::new(Dataset { name, tables }))
}

/// Whether a set is what its name stands for today, as far as can be said without reading it: made by the generators of
/// this program, no file missing or truncated.
pub(super) fn check_usable(folder: &Path, manifest: &Manifest) -> Result<(), DataError> {
    let now = generators(&manifest.spec);
    if manifest.generators != now {
        let text = |of: &BTreeMap<String, String>| {
            let versions: Vec<String> = of.iter().map(|(name, version)| format!("{name} {version}")).collect();
            if versions.is_empty() { "nobody knows what".to_owned() } else { versions.join(", ") }
        };
        let (made_by, now) = (text(&manifest.generators), text(&now));
        return Err(DataError::Outdated { name: manifest.name.clone(), made_by, now });
    }
    manifest.files().try_for_each(|(_, file)| check_size(folder, &manifest.name, file))
}

/// A file that is missing or has another size is found without reading it.
pub(super) fn check_size(folder: &Path, name: &str, file: &FileEntry) -> Result<(), DataError> {
    let path = folder.join(&file.path);
    let damaged = |reason| Err(DataError::Damaged { name: name.to_owned(), path: path.clone(), reason });
    match fs::metadata(&path) {
        Ok(meta) if !meta.is_file() => damaged("it is not a file".to_owned()),
        Ok(meta) if meta.len() == file.bytes => Ok(()),
        Ok(meta) => damaged(format!("it has {} bytes and the manifest says {}", meta.len(), file.bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => damaged("it is missing".to_owned()),
        Err(e) => Err(io("inspect", &path)(e)),
    }
}

fn table(folder: &Path, name: &str, entry: &TableEntry) -> Result<Table, DataError> {
    let files: Vec<_> = entry.files.iter().map(|f| folder.join(&f.path)).collect();
    let Some(first) = files.first() else {
        let reason = format!("table `{}` has no file", entry.name);
        return Err(DataError::Foreign { path: folder.to_owned(), reason });
    };
    let schema = parquet_schema(first)?;
    let found = columns_as_text(&schema);
    if found != entry.columns {
        let reason =
            format!("its columns are [{}] and the manifest says [{}]", found.join(", "), entry.columns.join(", "));
        return Err(DataError::Damaged { name: name.to_owned(), path: first.clone(), reason });
    }
    let (rows, bytes) = (entry.rows, entry.bytes);
    Ok(Table { name: entry.name.clone(), format: Format::Parquet, files, schema, rows, bytes })
}

/// The columns of a Parquet file, from its footer.
pub(super) fn parquet_schema(path: &Path) -> Result<SchemaRef, DataError> {
    let file = File::open(path).map_err(io("open", path))?;
    ArrowReaderMetadata::load(&file, ArrowReaderOptions::default())
        .map(|m| Arc::clone(m.schema()))
        .map_err(|e| DataError::Foreign { path: path.to_owned(), reason: format!("no readable Parquet footer ({e})") })
}

//! What a root holds, and removing from it.

use super::error::{DataError, io};
use super::{DataStore, PARTIAL, journal, manifest, open, verify};
use crate::spec::DatasetSpec;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// One set of a root.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// `tpch` or `groupby`.
    pub kind: String,
    /// The scale as people say it: `sf1`, `n10000000`.
    pub scale: String,
    /// Where it is.
    pub folder: PathBuf,
    /// Its rows; of an unfinished set, those made so far.
    pub rows: u64,
    /// Its bytes; of an unfinished set, those made so far.
    pub bytes: u64,
    /// When every byte was last found to match, in seconds since 1970; absent if never.
    #[serde(rename = "verified")]
    pub verified_unix_s: Option<u64>,
    /// Whether it can be used.
    #[serde(flatten)]
    pub state: State,
}

/// Whether a set can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    /// All of it is there.
    Complete,
    /// It was interrupted; making it again continues.
    Partial,
    /// It cannot be read.
    Broken {
        /// Why.
        problem: String,
    },
}

pub(super) fn list(store: &DataStore) -> Result<Vec<Entry>, DataError> {
    let folders = match fs::read_dir(store.root()) {
        Ok(folders) => folders,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(io("list", store.root())(e)),
    };
    let mut entries = Vec::new();
    for folder in folders {
        let path = folder.map_err(io("list", store.root()))?.path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else { continue };
        let unfinished = name.strip_suffix(PARTIAL);
        // Names that are no spec's belong to someone else.
        let Ok(spec) = unfinished.unwrap_or(name).parse::<DatasetSpec>() else { continue };
        if path.is_dir() {
            entries.push(if unfinished.is_some() { partial(&path, &spec) } else { finished(&path, &spec) });
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name).then(a.folder.cmp(&b.folder)));
    Ok(entries)
}

fn entry(folder: &Path, spec: &DatasetSpec, state: State) -> Entry {
    let (name, kind, scale) = (spec.name(), spec.kind().to_owned(), spec.scale());
    Entry { name, kind, scale, folder: folder.to_owned(), rows: 0, bytes: 0, verified_unix_s: None, state }
}

fn partial(folder: &Path, spec: &DatasetSpec) -> Entry {
    let done = journal::peek(folder, spec);
    let rows = done.iter().map(|d| d.file.rows).sum();
    let bytes = done.iter().map(|d| d.file.bytes).sum();
    Entry { rows, bytes, ..entry(folder, spec, State::Partial) }
}

fn finished(folder: &Path, spec: &DatasetSpec) -> Entry {
    let checked = manifest::load(folder, &spec.name()).and_then(|m| open::check_usable(folder, &m).map(|()| m));
    match checked {
        Ok(m) => Entry {
            rows: m.rows(),
            bytes: m.bytes(),
            verified_unix_s: verify::verified_at(folder, &m),
            ..entry(folder, spec, State::Complete)
        },
        Err(e) => entry(folder, spec, State::Broken { problem: e.to_string() }),
    }
}

/// Removes a set, and what a kill in the middle of an earlier removal left of it. Everything is looked at before
/// anything is touched. The set loses its name first, so that such a kill leaves nothing that looks complete.
pub(super) fn remove(store: &DataStore, name: &str) -> Result<(), DataError> {
    let folder = store.folder(name)?;
    let partial = store.partial(name)?;
    let doomed = folder.with_file_name(format!(".{name}.removed"));
    if ![&folder, &partial, &doomed].iter().any(|path| path.exists()) {
        return Err(DataError::Absent { name: name.to_owned(), root: store.root().to_owned() });
    }
    let _lock = store.lock(name)?;
    // A broken manifest must not keep a set from being removed, but a folder without one is not ours.
    if folder.exists() && (!folder.join(manifest::FILE).is_file() || name.parse::<DatasetSpec>().is_err()) {
        let reason = format!("it has no {} or no dataset's name", manifest::FILE);
        return Err(DataError::Foreign { path: folder, reason });
    }
    if partial.exists() && !journal::may_own(&partial) {
        return Err(DataError::Foreign { path: partial, reason: "it has no journal of this program".to_owned() });
    }
    remove_folder(&doomed)?;
    if folder.exists() {
        fs::rename(&folder, &doomed).map_err(io("rename", &folder))?;
        remove_folder(&doomed)?;
    }
    remove_folder(&partial)
}

/// Removes a folder that may be gone already.
fn remove_folder(path: &Path) -> Result<(), DataError> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(io("remove", path)(e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::is_plain;

    #[test]
    fn names_cannot_leave_the_root() {
        for name in ["..", ".", "", "a/b", "../x", "/etc", ".hidden", "tpch-sf1.partial", "a\0b"] {
            assert!(!is_plain(name), "{name:?}");
            assert!(DataStore::new("root").folder(name).is_err(), "{name:?}");
        }
        assert!(is_plain("tpch-sf0.01"));
    }
}

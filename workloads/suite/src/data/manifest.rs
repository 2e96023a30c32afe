//! What a complete set consists of.

use super::checksum::checksum_of_bytes;
use super::error::{DataError, io};
use crate::spec::DatasetSpec;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Component, Path};

/// The manifest's file name.
pub(super) const FILE: &str = "manifest.json";

/// The newest manifest schema that this program reads and writes.
pub const MANIFEST_SCHEMA: u32 = 1;

/// What a complete set consists of: equal specs and versions give equal manifests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this format.
    pub schema: u32,
    /// The set's name, which is its folder's name.
    pub name: String,
    /// What was asked for.
    pub spec: DatasetSpec,
    /// The programs whose change may change the bytes, by name and version.
    pub generators: BTreeMap<String, String>,
    /// The tables.
    pub tables: Vec<TableEntry>,
}

/// One table of a manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableEntry {
    /// Its name.
    pub name: String,
    /// Its columns, each as `name type` or `name type not null`.
    pub columns: Vec<String>,
    /// Its rows.
    pub rows: u64,
    /// Its bytes on disk.
    pub bytes: u64,
    /// Its files, in row order.
    pub files: Vec<FileEntry>,
}

/// One file of a manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its path below the set's folder.
    pub path: String,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
    /// XXH3-128 of its bytes, in hexadecimal.
    pub xxh3_128: String,
}

impl Manifest {
    /// All rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().fold(0, |sum, t| sum.saturating_add(t.rows))
    }

    /// All bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.tables.iter().fold(0, |sum, t| sum.saturating_add(t.bytes))
    }

    /// One checksum over all files: answers made from these bytes hold for a set with the same fingerprint only.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut text = String::new();
        for table in &self.tables {
            for file in &table.files {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{} {} {}", table.name, file.rows, file.xxh3_128);
            }
        }
        checksum_of_bytes(text.as_bytes())
    }

    /// Every file with its table.
    pub fn files(&self) -> impl Iterator<Item = (&TableEntry, &FileEntry)> {
        self.tables.iter().flat_map(|t| t.files.iter().map(move |f| (t, f)))
    }

    /// What is wrong with it, if anything: it may have been edited, and its paths must not leave the folder.
    fn problem(&self, name: &str) -> Option<String> {
        if self.name != name {
            return Some(format!("its manifest is that of `{}`", self.name));
        }
        if self.spec.name() != name {
            return Some(format!("its manifest describes `{}`", self.spec.name()));
        }
        let mut seen = BTreeSet::new();
        for table in &self.tables {
            if !seen.insert(table.name.as_str()) {
                return Some(format!("its manifest lists table `{}` twice", table.name));
            }
            if table.files.is_empty() {
                return Some(format!("its manifest lists no file for table `{}`", table.name));
            }
            let sum = |of: fn(&FileEntry) -> u64| table.files.iter().map(of).fold(0u64, u64::saturating_add);
            if sum(|f| f.rows) != table.rows || sum(|f| f.bytes) != table.bytes {
                return Some(format!("the totals of table `{}` are not the sums of its files", table.name));
            }
        }
        let mut paths = BTreeSet::new();
        self.files().find_map(|(_, file)| {
            if !is_inside(&file.path) {
                Some(format!("its manifest names `{}`, which is outside of its folder", file.path))
            } else if !paths.insert(file.path.as_str()) {
                Some(format!("its manifest names `{}` twice", file.path))
            } else {
                None
            }
        })
    }
}

/// Whether a path stays below the folder it is joined to.
pub(super) fn is_inside(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|c| matches!(c, Component::Normal(_)))
}

/// Reads a set's manifest.
pub(super) fn load(folder: &Path, name: &str) -> Result<Manifest, DataError> {
    let path = folder.join(FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(if folder.exists() {
                DataError::Foreign { path: folder.to_owned(), reason: format!("it has no {FILE}") }
            } else {
                let root = folder.parent().unwrap_or(folder).to_owned();
                DataError::Absent { name: name.to_owned(), root }
            });
        }
        Err(e) => return Err(io("read", &path)(e)),
    };
    parse(&bytes, &path, name)
}

/// Understands a manifest's bytes, whatever they are.
fn parse(bytes: &[u8], path: &Path, name: &str) -> Result<Manifest, DataError> {
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
    }
    let foreign = |reason: String| DataError::Foreign { path: path.to_owned(), reason };
    let version: Version = serde_json::from_slice(bytes).map_err(|e| foreign(e.to_string()))?;
    if version.schema > MANIFEST_SCHEMA {
        return Err(DataError::Newer { path: path.to_owned(), found: version.schema, known: MANIFEST_SCHEMA });
    }
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|e| foreign(e.to_string()))?;
    manifest.spec.validate()?;
    match manifest.problem(name) {
        Some(reason) => Err(foreign(reason)),
        None => Ok(manifest),
    }
}

/// Writes a file so that it is there whole or not at all, also after a power cut.
pub(super) fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    use std::io::Write as _;
    let temporary = path.with_extension("tmp");
    let mut file = fs::File::create(&temporary).map_err(io("create", &temporary))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io("write", &temporary))?;
    fs::rename(&temporary, path).map_err(io("rename", &temporary))?;
    super::sync_folder(path.parent().unwrap_or(path))
}

/// Writes the manifest: the last act of making a set.
pub(super) fn store(folder: &Path, manifest: &Manifest) -> Result<(), DataError> {
    let path = folder.join(FILE);
    let mut text = serde_json::to_vec_pretty(manifest)
        .map_err(|e| DataError::Write { path: path.clone(), message: e.to_string() })?;
    text.push(b'\n');
    write_durably(&path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Groupby;
    use proptest::prelude::*;

    fn manifest(path: &str) -> Manifest {
        let spec = DatasetSpec::Groupby(Groupby::uniform(1000));
        let file = FileEntry { path: path.to_owned(), rows: 10, bytes: 100, xxh3_128: "0".repeat(32) };
        let table =
            TableEntry { name: "x".into(), columns: vec!["id1 Int64".into()], rows: 10, bytes: 100, files: vec![file] };
        let generators = BTreeMap::from([("groupby".to_owned(), "1".to_owned())]);
        Manifest { schema: MANIFEST_SCHEMA, name: spec.name(), spec, generators, tables: vec![table] }
    }

    fn read(bytes: &[u8]) -> Result<Manifest, String> {
        parse(bytes, Path::new("m.json"), "groupby-n1000").map_err(|e| e.to_string())
    }

    #[test]
    fn a_manifest_survives_its_own_format() {
        let m = manifest("x/part-00000.parquet");
        assert_eq!(read(&serde_json::to_vec(&m).unwrap()), Ok(m));
    }

    #[test]
    fn paths_that_leave_the_folder_are_refused() {
        for path in ["../x.parquet", "/etc/passwd", "x/../../y", "", ".", "x/./../y"] {
            let error = read(&serde_json::to_vec(&manifest(path)).unwrap()).unwrap_err();
            assert!(error.contains("outside of its folder"), "{path}: {error}");
        }
    }

    #[test]
    fn a_newer_schema_is_named_before_anything_else_is_read() {
        assert_eq!(
            read(br#"{"schema": 9, "who": "knows"}"#),
            Err("m.json has schema 9 and this program reads up to 1; use a newer `bench`".to_owned())
        );
    }

    #[test]
    fn unknown_fields_and_wrong_totals_are_refused() {
        let mut value = serde_json::to_value(manifest("x/p.parquet")).unwrap();
        value["extra"] = 1.into();
        assert!(read(value.to_string().as_bytes()).unwrap_err().contains("unknown field `extra`"));
        let mut wrong = manifest("x/p.parquet");
        wrong.tables[0].rows = 11;
        let wrong = read(&serde_json::to_vec(&wrong).unwrap()).unwrap_err();
        assert!(wrong.contains("the totals of table `x` are not the sums of its files"), "{wrong}");
    }

    #[test]
    fn the_fingerprint_changes_with_any_file() {
        let a = manifest("x/p.parquet");
        let mut b = a.clone();
        b.tables[0].files[0].xxh3_128 = "1".repeat(32);
        assert_ne!(a.fingerprint(), b.fingerprint());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read(&bytes).is_err());
        }

        #[test]
        fn a_changed_byte_never_panics(at in 0usize..600, byte: u8) {
            let mut bytes = serde_json::to_vec(&manifest("x/part-00000.parquet")).unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(m) = read(&bytes) {
                prop_assert!(m.files().all(|(_, f)| is_inside(&f.path)));
            }
        }
    }
}

//! What an unfinished set already has: a header line, then one line per finished part.

use super::error::{DataError, io};
use super::manifest::{FileEntry, is_inside};
use crate::generate::{Part, generators};
use crate::spec::DatasetSpec;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

const FILE: &str = "journal.ndjson";
/// The journal before it has its name.
const UNBORN: &str = "journal.tmp";
const SCHEMA: u32 = 1;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    schema: u32,
    spec: DatasetSpec,
    generators: BTreeMap<String, String>,
}

/// A finished part: its file is complete and durable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Done {
    pub(super) table: String,
    pub(super) part: u32,
    pub(super) columns: Vec<String>,
    pub(super) file: FileEntry,
}

impl Done {
    pub(super) fn is(&self, part: &Part) -> bool {
        self.part == part.index && self.table == part.table
    }
}

/// The journal of a folder in the making, open for appending.
pub(super) struct Journal {
    file: Mutex<File>,
}

impl Journal {
    /// Opens the folder of an unfinished set, or begins it, and says which parts it already has. What was made for
    /// another spec, by other generators, or cannot be understood is discarded.
    pub(super) fn open(folder: &Path, spec: &DatasetSpec) -> Result<(Self, Vec<Done>), DataError> {
        let header = Header { schema: SCHEMA, spec: spec.clone(), generators: generators(spec) };
        let path = folder.join(FILE);
        let done = match read(folder, &header) {
            Some(done) => done,
            None => {
                clear(folder)?;
                Vec::new()
            }
        };
        // Written anew: a line torn by the kill must not stand before the lines to come.
        let mut text = line(&path, &header)?;
        for part in &done {
            text.extend(line(&path, part)?);
        }
        super::manifest::write_durably(&path, &text)?;
        let file = File::options().append(true).open(&path).map_err(io("open", &path))?;
        Ok((Self { file: Mutex::new(file) }, done))
    }

    /// Records a finished part, durably.
    pub(super) fn append(&self, folder: &Path, done: &Done) -> Result<(), DataError> {
        let path = folder.join(FILE);
        let text = line(&path, done)?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&text).and_then(|()| file.sync_data()).map_err(io("append to", &path))
    }
}

/// Forgets the journal of a set that is complete.
pub(super) fn remove(folder: &Path) -> Result<(), DataError> {
    let path = folder.join(FILE);
    fs::remove_file(&path).map_err(io("remove", &path))
}

/// Whether a folder is one in the making, or empty as one is before its first line: only such a folder is ever resumed
/// or removed.
pub(super) fn may_own(folder: &Path) -> bool {
    let unborn = |mut entries: fs::ReadDir| entries.all(|e| e.is_ok_and(|e| e.file_name() == UNBORN));
    folder.join(FILE).is_file() || fs::read_dir(folder).is_ok_and(unborn)
}

/// Creates the folder or removes what is in it, except the journal: it says whose folder this is until it is replaced.
fn clear(folder: &Path) -> Result<(), DataError> {
    fs::create_dir_all(folder).map_err(io("create", folder))?;
    for entry in fs::read_dir(folder).map_err(io("list", folder))? {
        let path = entry.map_err(io("list", folder))?.path();
        if path.is_dir() {
            fs::remove_dir_all(&path).map_err(io("remove", &path))?;
        } else if path.file_name().is_some_and(|n| n != FILE) {
            fs::remove_file(&path).map_err(io("remove", &path))?;
        }
    }
    Ok(())
}

/// The parts a folder already has for this spec, without changing anything.
pub(super) fn peek(folder: &Path, spec: &DatasetSpec) -> Vec<Done> {
    read(folder, &Header { schema: SCHEMA, spec: spec.clone(), generators: generators(spec) }).unwrap_or_default()
}

fn line(path: &Path, value: &impl Serialize) -> Result<Vec<u8>, DataError> {
    let mut text =
        serde_json::to_vec(value).map_err(|e| DataError::Write { path: path.to_owned(), message: e.to_string() })?;
    text.push(b'\n');
    Ok(text)
}

/// The finished parts whose files are there with the right size; `None` unless the header is the wanted one.
fn read(folder: &Path, wanted: &Header) -> Option<Vec<Done>> {
    let text = fs::read(folder.join(FILE)).ok()?;
    let mut lines = text.split(|&b| b == b'\n');
    let header: Header = serde_json::from_slice(lines.next()?).ok()?;
    if header != *wanted {
        return None;
    }
    let mut done: HashMap<(String, u32), Done> = HashMap::new();
    for line in lines {
        // The last line may be torn; its part is made again.
        let Ok(part) = serde_json::from_slice::<Done>(line) else { continue };
        let sized = is_inside(&part.file.path)
            && fs::metadata(folder.join(&part.file.path)).is_ok_and(|m| m.is_file() && m.len() == part.file.bytes);
        if sized {
            done.insert((part.table.clone(), part.part), part);
        }
    }
    Some(done.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Groupby;
    use proptest::prelude::*;

    fn spec() -> DatasetSpec {
        DatasetSpec::Groupby(Groupby::uniform(1_000))
    }

    fn part(index: u32) -> Done {
        let path = format!("x/part-{index:05}.parquet");
        let file = FileEntry { path, rows: 10, bytes: 4, xxh3_128: "0".repeat(32) };
        Done { table: "x".into(), part: index, columns: vec!["id1 Int64".into()], file }
    }

    /// A folder with a journal of two finished parts, and both their files.
    fn begun(folder: &Path) -> Vec<u8> {
        let (journal, done) = Journal::open(folder, &spec()).unwrap();
        assert_eq!(done, []);
        fs::create_dir_all(folder.join("x")).unwrap();
        for index in 0..2 {
            fs::write(folder.join(&part(index).file.path), b"rows").unwrap();
            journal.append(folder, &part(index)).unwrap();
        }
        fs::read(folder.join(FILE)).unwrap()
    }

    #[test]
    fn a_part_counts_only_while_its_file_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        begun(folder.path());
        let parts = || {
            let mut done: Vec<u32> = peek(folder.path(), &spec()).iter().map(|d| d.part).collect();
            done.sort_unstable();
            done
        };
        assert_eq!(parts(), [0, 1]);
        fs::write(folder.path().join("x/part-00001.parquet"), b"row").unwrap();
        assert_eq!(parts(), [0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_changed_byte_never_panics_and_never_adds_a_part(at in any::<prop::sample::Index>(), byte: u8, cut: bool) {
            let folder = tempfile::tempdir().unwrap();
            let mut text = begun(folder.path());
            let at = at.index(text.len());
            text[at] = byte;
            text.truncate(if cut { at } else { text.len() });
            fs::write(folder.path().join(FILE), &text).unwrap();
            let found = peek(folder.path(), &spec());
            prop_assert!(found.len() <= 2);
            prop_assert!(found.iter().all(|d| is_inside(&d.file.path) && folder.path().join(&d.file.path).is_file()));
            // What the changed journal still says is what a resumed run goes on with, and a second look agrees.
            let (_, mut resumed) = Journal::open(folder.path(), &spec()).unwrap();
            let mut again = peek(folder.path(), &spec());
            let by_part = |d: &Done| (d.table.clone(), d.part);
            resumed.sort_by_key(by_part);
            again.sort_by_key(by_part);
            prop_assert_eq!(resumed, again);
        }
    }
}

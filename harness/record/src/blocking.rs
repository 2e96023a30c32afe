//! What a run's cases would have taken without one kind of blocking: the outcome of playing their traces again.
//!
//! A trace lies beside the trials, `traces/<key>.json` of each case whose time is accounted for. What
//! comes of playing all of them again is one file, written once when the run ends: times in it are predictions, never
//! measurements.

use crate::SCHEMA;
use crate::case::{Case, CaseKey};
use crate::error::RecordError;
use crate::own_file::{create_draft, open_own, own_folder};
use bench_model::{Blocking, Nanos};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// The folder that holds traces, `<key>.json` each.
pub const TRACES_FOLDER: &str = "traces";
/// The file that holds what came of playing them again.
pub const BLOCKING_FILE: &str = "blocking.json";
/// From which error of the replay on nothing is predicted from it.
pub const REPLAY_ERROR_MAX: f64 = 0.15;
/// The largest file read.
const MAX_BYTES: u64 = 64 << 20;
/// The largest trace read: hundreds of thousands of tasks.
pub const MAX_TRACE_BYTES: u64 = 256 << 20;
const DRAFT: &str = ".blocking.json.draft";

/// One case played again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseBlocking {
    /// The case's key.
    pub key: CaseKey,
    /// Which case.
    pub case: Case,
    /// How long the traced trial took, from submitting to the answer.
    pub measured_ns: Nanos,
    /// How long it takes when it is played again as it was; absent if it cannot be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed_ns: Option<Nanos>,
    /// Why not; present exactly then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long it takes without each kind of blocking; empty if the replay misses the measured time by more than
    /// [`REPLAY_ERROR_MAX`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub without_ns: BTreeMap<Blocking, Nanos>,
}

impl CaseBlocking {
    /// By how much the replay misses the measured time, as a share of it; absent if it was not played again.
    #[must_use]
    pub fn error(&self) -> Option<f64> {
        let (replayed, measured) = (self.replayed_ns?.get() as f64, self.measured_ns.get() as f64);
        (measured > 0.0).then(|| replayed / measured - 1.0)
    }

    /// Whether anything may be predicted from it.
    #[must_use]
    pub fn is_faithful(&self) -> bool {
        self.error().is_some_and(|error| error.abs() <= REPLAY_ERROR_MAX)
    }
}

#[derive(Serialize, Deserialize)]
struct Document {
    schema: u32,
    cases: Vec<CaseBlocking>,
}

/// Where traces of the run in this folder go; made on the first call.
///
/// # Errors
/// The disk.
pub fn traces_folder(folder: &Path) -> Result<PathBuf, RecordError> {
    let path = folder.join(TRACES_FOLDER);
    own_folder(&path)?;
    Ok(path)
}

/// The text of a trace, which is a file of the run's own and not too large to be one.
///
/// # Errors
/// A link, a file that is larger than any trace, or the disk.
pub fn read_trace(path: &Path) -> Result<Vec<u8>, RecordError> {
    let file = open_own(path, OpenOptions::new().read(true))?;
    let mut bytes = Vec::new();
    file.take(MAX_TRACE_BYTES + 1).read_to_end(&mut bytes).map_err(RecordError::io("read", path))?;
    if bytes.len() as u64 > MAX_TRACE_BYTES {
        return Err(RecordError::TraceSize { path: path.to_owned(), limit: MAX_TRACE_BYTES });
    }
    Ok(bytes)
}

/// The traces of the run in this folder, by name.
///
/// # Errors
/// The disk.
pub fn traces(folder: &Path) -> Result<Vec<PathBuf>, RecordError> {
    let folder = folder.join(TRACES_FOLDER);
    if fs::symlink_metadata(&folder).is_ok_and(|found| !found.is_dir()) {
        return Err(RecordError::NotOwn { path: folder });
    }
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(RecordError::io("list", folder)(e)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(RecordError::io("list", &folder))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Replaces what came of playing the traces of the run in this folder again: readers see the old or the new file.
///
/// # Errors
/// The disk.
pub fn write_blocking(folder: &Path, cases: &[CaseBlocking]) -> Result<(), RecordError> {
    let (draft, path) = (folder.join(DRAFT), folder.join(BLOCKING_FILE));
    let document = Document { schema: SCHEMA, cases: cases.to_vec() };
    let mut text = serde_json::to_vec_pretty(&document).map_err(|e| RecordError::io("encode", &path)(e.into()))?;
    text.push(b'\n');
    let mut file = create_draft(&draft)?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(RecordError::io("write", &draft))?;
    fs::rename(&draft, &path).map_err(RecordError::io("put in place", &path))
}

/// What came of playing the traces of the run in this folder again; nothing if that was not done.
///
/// # Errors
/// A file that is something else or of a newer schema, or a case under another one's key or there twice.
pub(crate) fn read_blocking(folder: &Path) -> Result<Vec<CaseBlocking>, RecordError> {
    let path = folder.join(BLOCKING_FILE);
    let file = match crate::reader::open(&path) {
        Err(RecordError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(RecordError::io("read", &path))?;
    if let Some(found) = crate::reader::newer(&bytes) {
        return Err(RecordError::NewerSchema { path, line: None, found });
    }
    let refused = |message: String| RecordError::Blocking { path: path.clone(), message };
    let document = serde_json::from_slice::<Document>(&bytes).map_err(|e| refused(e.to_string()))?;
    let mut seen = BTreeSet::new();
    for CaseBlocking { key, case, .. } in &document.cases {
        if *key != case.key() {
            return Err(refused(format!("key `{key}` is not the key of its case, `{}`", case.key())));
        }
        if !seen.insert(key) {
            return Err(refused(format!("case {key} is there twice")));
        }
    }
    Ok(document.cases)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Family, Protocol};

    fn case() -> CaseBlocking {
        let case = Case {
            suite: "smoke".into(),
            family: Family::Sql,
            workload: "tpch-q01".into(),
            engine: "actor".into(),
            variant: "spans=on".into(),
            cluster: "local".into(),
            nodes: 1,
            slots: 2,
            protocol: Protocol::Warm(1),
            scale: 1,
        };
        CaseBlocking {
            key: case.key(),
            case,
            measured_ns: Nanos::new(100),
            replayed_ns: Some(Nanos::new(90)),
            reason: None,
            without_ns: [(Blocking::ShuffleWrite, Nanos::new(70))].into(),
        }
    }

    #[test]
    fn what_is_written_is_read_and_a_folder_without_it_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_blocking(folder.path()).unwrap(), []);
        write_blocking(folder.path(), &[case()]).unwrap();
        assert_eq!(read_blocking(folder.path()).unwrap(), [case()]);
        let text = fs::read_to_string(folder.path().join(BLOCKING_FILE)).unwrap();
        assert!(text.contains("\"shuffle_write\": 70"), "{text}");
    }

    #[test]
    fn links_in_a_folder_lead_nowhere() {
        use std::os::unix::fs::symlink;
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (at, out) = (folder.path(), elsewhere.path());
        fs::write(out.join("secret.json"), "mine").unwrap();
        symlink(out.join("secret.json"), at.join(DRAFT)).unwrap();
        write_blocking(at, &[case()]).unwrap();
        assert_eq!(fs::read_to_string(out.join("secret.json")).unwrap(), "mine");
        symlink(out, at.join(TRACES_FOLDER)).unwrap();
        let refused = [traces(at).unwrap_err(), traces_folder(at).unwrap_err()].map(|e| e.to_string());
        assert!(refused.iter().all(|e| e.contains("traces is a link")), "{refused:?}");
        fs::remove_file(at.join(TRACES_FOLDER)).unwrap();
        let own = traces_folder(at).unwrap();
        symlink(out.join("secret.json"), own.join("a.json")).unwrap();
        assert!(read_trace(&own.join("a.json")).unwrap_err().to_string().contains("a.json is a link"));
    }

    #[test]
    fn no_more_is_read_of_a_trace_than_any_trace_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(&path, "{}").unwrap();
        assert_eq!(read_trace(&path).unwrap(), b"{}");
        // Holes cost no disk.
        OpenOptions::new().write(true).open(&path).unwrap().set_len(MAX_TRACE_BYTES + 1).unwrap();
        let refused = read_trace(&path).unwrap_err().to_string();
        assert!(refused.contains("a.json: larger than"), "{refused}");
    }

    #[test]
    fn a_case_is_there_once_and_under_its_own_key() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |cases: &[CaseBlocking]| {
            write_blocking(folder.path(), cases).unwrap();
            read_blocking(folder.path()).unwrap_err().to_string()
        };
        let message = refused(&[case(), case()]);
        assert!(message.contains("blocking.json") && message.contains("is there twice"), "{message}");
        let mut other = case();
        other.case.nodes = 4;
        let message = refused(&[other]);
        assert!(message.contains("is not the key of its case"), "{message}");
    }

    #[test]
    fn a_later_version_and_nonsense_are_refused_with_the_file_s_name() {
        let folder = tempfile::tempdir().unwrap();
        for (text, word) in [("{\"schema\": 99, \"cases\": 7}", "newer"), ("{\"schema\": 1", "blocking.json")] {
            fs::write(folder.path().join(BLOCKING_FILE), text).unwrap();
            let said = read_blocking(folder.path()).unwrap_err().to_string();
            assert!(said.contains(word), "{said}");
        }
    }

    #[test]
    fn nothing_is_predicted_from_a_replay_that_misses_by_more_than_its_limit() {
        let faithful =
            |replayed: Option<u64>| CaseBlocking { replayed_ns: replayed.map(Nanos::new), ..case() }.is_faithful();
        assert!(faithful(Some(86)) && faithful(Some(114)));
        assert!(!faithful(Some(84)) && !faithful(Some(116)) && !faithful(None));
    }
}

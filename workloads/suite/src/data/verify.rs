//! Verifying a set: every byte against the manifest.

use super::checksum::checksum_of_file;
use super::error::{DataError, io};
use super::manifest::{FileEntry, Manifest, write_durably};
use super::progress::{Event, Progress};
use super::{DataStore, manifest};
use serde::{Deserialize, Serialize};
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

const FILE: &str = "verified.json";

/// When all bytes were last found to match. Void if the manifest has changed since.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Verified {
    fingerprint: String,
    unix_s: u64,
}

pub(super) fn verify(
    store: &DataStore,
    name: &str,
    jobs: NonZeroUsize,
    progress: &dyn Progress,
    stop: &AtomicBool,
) -> Result<Manifest, DataError> {
    let folder = store.folder(name)?;
    let manifest = manifest::load(&folder, name)?;
    let files: Vec<&FileEntry> = manifest.files().map(|(_, f)| f).collect();
    let (parts, units) = (files.len() as u64, manifest.bytes());
    progress.event(Event::Started { name, parts, parts_done: 0, units, units_done: 0 });
    let next = AtomicUsize::new(0);
    let first_error: Mutex<Option<(usize, DataError)>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..jobs.get().min(files.len()) {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(i) else { return };
                    let Err(error) = check(&folder, name, file, progress, stop) else { continue };
                    let mut first = first_error.lock().unwrap_or_else(PoisonError::into_inner);
                    if first.as_ref().is_none_or(|known| is_worse((i, &error), known)) {
                        *first = Some((i, error));
                    }
                }
            });
        }
    });
    match first_error.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some((_, DataError::Stopped)) => Err(DataError::Stopped),
        Some((_, error)) => {
            // What was true once is no longer.
            let _ = fs::remove_file(folder.join(FILE));
            Err(error)
        }
        None => {
            remember(&folder, &manifest)?;
            progress.event(Event::Finished { rows: manifest.rows(), bytes: manifest.bytes() });
            Ok(manifest)
        }
    }
}

/// Whether an error should be told rather than the known one: damage before an interruption, which must not hide it,
/// then the earlier file.
fn is_worse((at, error): (usize, &DataError), (known_at, known): &(usize, DataError)) -> bool {
    let stopped = |e: &DataError| matches!(e, DataError::Stopped);
    (stopped(error), at) < (stopped(known), *known_at)
}

/// When the set was last verified, in seconds since 1970.
pub(super) fn verified_at(folder: &Path, manifest: &Manifest) -> Option<u64> {
    let bytes = fs::read(folder.join(FILE)).ok()?;
    let verified: Verified = serde_json::from_slice(&bytes).ok()?;
    (verified.fingerprint == manifest.fingerprint()).then_some(verified.unix_s)
}

fn check(
    folder: &Path,
    name: &str,
    file: &FileEntry,
    progress: &dyn Progress,
    stop: &AtomicBool,
) -> Result<(), DataError> {
    super::open::check_size(folder, name, file)?;
    let path = folder.join(&file.path);
    let seen = |units| {
        progress.event(Event::Advanced { units });
        !stop.load(Ordering::Relaxed)
    };
    let (_, found) = checksum_of_file(&path, seen).map_err(io("read", &path))?.ok_or(DataError::Stopped)?;
    if found == file.xxh3_128 {
        progress.event(Event::Part { path: &file.path, rows: file.rows, bytes: file.bytes });
        return Ok(());
    }
    let reason = format!("its checksum is {found} and the manifest says {}", file.xxh3_128);
    Err(DataError::Damaged { name: name.to_owned(), path, reason })
}

fn remember(folder: &Path, manifest: &Manifest) -> Result<(), DataError> {
    let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let path = folder.join(FILE);
    let verified = Verified { fingerprint: manifest.fingerprint(), unix_s };
    let text =
        serde_json::to_vec(&verified).map_err(|e| DataError::Write { path: path.clone(), message: e.to_string() })?;
    write_durably(&path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_never_hides_damage() {
        let damaged =
            || DataError::Damaged { name: "n".into(), path: "p".into(), reason: "its checksum is another".into() };
        assert!(is_worse((7, &damaged()), &(2, DataError::Stopped)));
        assert!(!is_worse((2, &DataError::Stopped), &(7, damaged())));
        assert!(is_worse((1, &damaged()), &(2, damaged())));
        assert!(!is_worse((3, &DataError::Stopped), &(2, DataError::Stopped)));
    }
}

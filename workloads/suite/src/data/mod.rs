//! Datasets on disk: made atomically, resumed after a kill, listed, verified, opened and removed.
//!
//! ```text
//! ROOT/
//!   tpch-sf1/manifest.json           written last: a folder with it is complete
//!   tpch-sf1/lineitem/part-00000.parquet
//!   tpch-sf1/verified.json           when all bytes were last compared with the manifest
//!   tpch-sf1.partial/journal.ndjson  one line per finished part: what a resumed run skips
//!   .tpch-sf1.lock                   held while a process makes, verifies or removes the set
//! ```
//!
//! | module | idea |
//! |---|---|
//! | `manifest` | what a complete set consists of, and its fingerprint |
//! | `journal` | what an unfinished set already has |
//! | `part_file` | one part as one Parquet file, hashed while it is written |
//! | `make` | all parts, in parallel, into a folder that becomes visible when it is complete |
//! | `verify` | every byte against the manifest |
//! | `list` | what a root holds, broken things included |
//! | `open` | a complete set as the model's `Dataset` |
//! | `space` | free bytes of a file system |

mod checksum;
mod error;
mod journal;
mod list;
mod make;
mod manifest;
mod open;
mod part_file;
mod progress;
mod space;
mod verify;

#[cfg(test)]
mod store_test;

pub use error::DataError;
pub use list::{Entry, State};
pub use manifest::{FileEntry, MANIFEST_SCHEMA, Manifest, TableEntry};
pub use progress::{Event, Progress};
pub use space::free_bytes;

use crate::spec::DatasetSpec;
use error::io;
use std::fs::{self, File, TryLockError};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// A folder of datasets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataStore {
    root: PathBuf,
}

impl DataStore {
    /// The store in a folder, which need not exist yet.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes a set with `jobs` threads, or returns its manifest if it is complete already. A set that was interrupted
    /// is resumed. `stop` ends the work after the current batch and leaves a folder that can be resumed.
    ///
    /// # Errors
    /// An impossible scale, too little disk space (known before the first byte), another process making the same set,
    /// a foreign folder of that name, an I/O error, or [`DataError::Stopped`].
    pub fn make(
        &self,
        spec: &DatasetSpec,
        jobs: NonZeroUsize,
        progress: &dyn Progress,
        stop: &AtomicBool,
    ) -> Result<Manifest, DataError> {
        make::make(self, spec, jobs, progress, stop)
    }

    /// Bytes that [`DataStore::make`] would still have to write: zero for a complete set.
    #[must_use]
    pub fn bytes_to_make(&self, spec: &DatasetSpec) -> u64 {
        make::bytes_to_make(self, spec)
    }

    /// Every set in the root, by name, unfinished and broken ones included. A root that does not exist is empty.
    ///
    /// # Errors
    /// The root cannot be read.
    pub fn list(&self) -> Result<Vec<Entry>, DataError> {
        list::list(self)
    }

    /// Compares every byte of a set with its manifest and remembers when that last succeeded.
    ///
    /// # Errors
    /// The first file, in manifest order, that is missing, truncated or changed.
    pub fn verify(
        &self,
        name: &str,
        jobs: NonZeroUsize,
        progress: &dyn Progress,
        stop: &AtomicBool,
    ) -> Result<Manifest, DataError> {
        let _lock = self.lock(name)?;
        verify::verify(self, name, jobs, progress, stop)
    }

    /// Removes a set, complete or not.
    ///
    /// # Errors
    /// There is no such set, it is in use, or the folder is not one that this program made.
    pub fn rm(&self, name: &str) -> Result<(), DataError> {
        list::remove(self, name)
    }

    /// The manifest of a complete set.
    ///
    /// # Errors
    /// There is none, or it cannot be understood.
    pub fn manifest(&self, name: &str) -> Result<Manifest, DataError> {
        manifest::load(&self.folder(name)?, name)
    }

    /// A complete set as the tables engines read. Checks sizes and schemas, not every byte.
    ///
    /// # Errors
    /// The set is not there, or a file is missing, truncated or foreign.
    pub fn open(&self, spec: &DatasetSpec) -> Result<Arc<bench_model::Dataset>, DataError> {
        open::open(self, spec)
    }

    /// Where a set is or would be.
    ///
    /// # Errors
    /// The name is no plain folder name.
    pub fn folder(&self, name: &str) -> Result<PathBuf, DataError> {
        if is_plain(name) { Ok(self.root.join(name)) } else { Err(DataError::Name { name: name.to_owned() }) }
    }

    fn partial(&self, name: &str) -> Result<PathBuf, DataError> {
        self.folder(name).map(|f| f.with_file_name(format!("{name}{PARTIAL}")))
    }

    /// Takes the set's lock without waiting for whoever works on it. The lock file stays: removing it would let two processes hold "the" lock.
    fn lock(&self, name: &str) -> Result<File, DataError> {
        let path = self.folder(name)?.with_file_name(format!(".{name}.lock"));
        fs::create_dir_all(&self.root).map_err(io("create", &self.root))?;
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io("open", &path))?;
        let deadline = Instant::now() + UNTIL_IT_EXECUTES;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(UNTIL_IT_EXECUTES / 50)
                }
                Err(TryLockError::WouldBlock) => return Err(DataError::Busy { name: name.to_owned() }),
                Err(TryLockError::Error(e)) => return Err(io("lock", &path)(e)),
            }
        }
    }
}

/// A child that another thread starts while this process has a lock shares it until the child executes its program.
const UNTIL_IT_EXECUTES: Duration = Duration::from_millis(100);

/// What the folder of an unfinished set ends with.
const PARTIAL: &str = ".partial";

/// Whether a name can be a set's folder: it cannot leave the root, hide, or look unfinished.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (1..=128).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.') && !name.ends_with(PARTIAL)
}

/// Makes a folder's new names durable.
fn sync_folder(path: &Path) -> Result<(), DataError> {
    File::open(path).and_then(|d| d.sync_all()).map_err(io("sync", path))
}

//! A folder whose path is short enough for the sockets of a product, whatever the length of its scratch folder's.

use crate::leftovers::remove_folders_of_the_dead;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where they are made: the shortest path there is.
const PARENT: &str = "/tmp";
/// How their names begin; the number of the process that made them follows, and a count.
const PREFIX: &str = "bench-sockets-";
/// How many names are tried before giving up.
const ATTEMPTS: u32 = 1000;

/// A folder of this process's user alone, removed with everything in it when dropped: whoever used it may have been killed together
/// with all that was to tidy up.
#[derive(Debug)]
pub(super) struct SocketFolder(PathBuf);

impl SocketFolder {
    /// Makes a folder, and removes those of processes that are gone.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub(super) fn create() -> io::Result<Self> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        remove_folders_of_the_dead(Path::new(PARENT), PREFIX);
        for _ in 0..ATTEMPTS {
            let number = MADE.fetch_add(1, Ordering::Relaxed);
            let path = Path::new(PARENT).join(format!("{PREFIX}{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                // Never one that is there already: it could be a link of somebody else's.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
        Err(io::Error::other(format!("{PARENT} holds too many folders that begin with {PREFIX}; remove them")))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SocketFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

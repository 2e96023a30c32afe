//! A folder whose path is short enough for the sockets of a product, whatever the length of its scratch folder's.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
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
        sweep(Path::new(PARENT));
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

/// Removes the folders that a killed process of this user left.
fn sweep(parent: &Path) {
    let Ok(me) = fs::metadata("/proc/self").map(|own| own.uid()) else { return };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split_once('-')).map(|(pid, _)| pid);
        let is_left = maker.is_some_and(|pid| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists());
        // Of the entry itself: a link is not followed.
        if is_left && entry.metadata().is_ok_and(|of| of.is_dir() && of.uid() == me) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_processes_that_are_gone_are_swept_away() {
        let parent = tempfile::tempdir().unwrap();
        // No process has this number: it is above the largest one that Linux gives.
        let gone = parent.path().join(format!("{PREFIX}8388608-0"));
        let (mine, other) = (
            parent.path().join(format!("{PREFIX}{}-0", std::process::id())),
            parent.path().join("bench-sockets-notes"),
        );
        for folder in [&gone, &mine, &other] {
            fs::create_dir_all(folder.join("ray/session")).unwrap();
        }
        sweep(parent.path());
        assert_eq!((gone.exists(), mine.exists(), other.exists()), (false, true, true));
    }
}

//! Scratch folders that do not outlive their run, however it ends.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How the name of every scratch folder begins.
const PREFIX: &str = ".scratch-";
/// How many names are tried before giving up: each was taken, or its folder swept away before it could be locked.
const ATTEMPTS: u32 = 10_000;

/// A folder for scratch files, removed with everything in it when dropped.
///
/// Invariant: while it lives, its folder is locked. The lock ends with the process, even with one that is killed, so a
/// folder that can be locked belongs to nobody: [`Self::create`] removes all of those it finds beside its own.
#[derive(Debug)]
pub struct ScratchRoot {
    path: PathBuf,
    /// Holds the lock; closed when the process ends, and not inherited by engine processes.
    _lock: File,
}

impl ScratchRoot {
    /// Makes a folder in `parent`, which is made too if need be, and removes what killed runs left there.
    ///
    /// # Errors
    /// A folder that cannot be made or locked.
    pub fn create(parent: &Path) -> io::Result<Self> {
        // Engines are told where it is, and may work somewhere else.
        let parent = std::path::absolute(parent)?;
        fs::create_dir_all(&parent)?;
        sweep(&parent)?;
        for number in 0..ATTEMPTS {
            let path = parent.join(format!("{PREFIX}{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(e) => return Err(e),
            }
            // Somebody who sweeps may have been faster.
            if let Some(lock) = try_lock(&path)?.filter(|lock| is_still(lock, &path)) {
                return Ok(Self { path, _lock: lock });
            }
        }
        Err(io::Error::other(format!("{} holds too many scratch folders; remove them", parent.display())))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ScratchRoot {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes every scratch folder that no living process holds. One that cannot be removed is left for the next time.
fn sweep(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let path = entry.path();
            if let Ok(Some(_lock)) = try_lock(&path) {
                let _ = fs::remove_dir_all(&path);
            }
        }
    }
    Ok(())
}

/// The lock on a folder; `None` if another process has it or the folder is gone.
fn try_lock(folder: &Path) -> io::Result<Option<File>> {
    let file = match File::open(folder) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// Whether the locked folder is the one that has this path now.
fn is_still(lock: &File, path: &Path) -> bool {
    let identity = |meta: fs::Metadata| (meta.dev(), meta.ino());
    match (lock.metadata(), fs::metadata(path)) {
        (Ok(locked), Ok(there)) => identity(locked) == identity(there),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(parent: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(parent).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_nothing_else() {
        let data = tempfile::tempdir().unwrap();
        fs::create_dir_all(data.path().join(".scratch-999-0/stagedag-1-0")).unwrap();
        fs::write(data.path().join(".scratch-999-0/stagedag-1-0/spill"), "x").unwrap();
        fs::create_dir(data.path().join("tpch-sf1")).unwrap();
        fs::write(data.path().join(".scratch-notes"), "mine").unwrap();
        let scratch = ScratchRoot::create(data.path()).unwrap();
        let own = scratch.path().file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(names(data.path()), [own, ".scratch-notes".to_owned(), "tpch-sf1".to_owned()]);
        drop(scratch);
        assert_eq!(names(data.path()), [".scratch-notes", "tpch-sf1"]);
    }

    #[test]
    fn engines_are_told_a_path_that_holds_wherever_they_work() {
        let here = std::env::current_dir().unwrap();
        let data = tempfile::tempdir_in(&here).unwrap();
        let root = ScratchRoot::create(data.path().strip_prefix(&here).unwrap()).unwrap();
        assert!(root.path().is_absolute() && root.path().starts_with(data.path()), "{}", root.path().display());
    }

    #[test]
    fn runs_beside_each_other_keep_their_folders() {
        let data = tempfile::tempdir().unwrap();
        let first = ScratchRoot::create(&data.path().join("new")).unwrap();
        fs::write(first.path().join("spill"), "x").unwrap();
        let second = ScratchRoot::create(&data.path().join("new")).unwrap();
        assert_ne!(first.path(), second.path());
        assert!(first.path().join("spill").exists());
    }

    #[test]
    fn many_runs_that_start_at_once_all_get_a_folder_of_their_own() {
        let data = tempfile::tempdir().unwrap();
        let made: Vec<ScratchRoot> = std::thread::scope(|s| {
            let start = || (0..20).map(|_| ScratchRoot::create(data.path()).unwrap()).collect::<Vec<_>>();
            let threads: Vec<_> = (0..4).map(|_| s.spawn(start)).collect();
            threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(names(data.path()).len(), made.len());
        assert!(made.iter().all(|scratch| scratch.path().is_dir()));
    }
}

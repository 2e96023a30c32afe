//! Folders in memory for blocks that all nodes of this machine can map.
//!
//! A killed node removes nothing, so its folder belongs to whoever started it. One whose starter was killed too is removed
//! by the next cluster on this machine.

use crate::leftovers;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The file system in memory that Linux has for this.
const ROOT: &str = "/dev/shm";
const PREFIX: &str = "bench-";

/// A name for a node's folder in memory; removed, with what is in it, when dropped.
#[derive(Debug)]
pub(super) struct SharedFolder(PathBuf);

impl SharedFolder {
    /// A name that no other node has; nothing where there is no file system in memory. The node makes the folder.
    pub(super) fn name() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let root = Path::new(ROOT);
        if !root.is_dir() {
            return None;
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        if number == 0 {
            remove_folders_of_the_dead();
        }
        Some(Self(root.join(format!("{PREFIX}{}-{number}", std::process::id()))))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SharedFolder {
    fn drop(&mut self) {
        // It is not there if its node never began, or has removed it itself.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes the folders of makers that are gone.
pub(super) fn remove_folders_of_the_dead() {
    leftovers::remove_folders_of_the_dead(Path::new(ROOT), PREFIX);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_folder_is_gone() {
        let Some(folder) = SharedFolder::name() else { return };
        let path = folder.path().to_owned();
        fs::create_dir(&path).unwrap();
        fs::write(path.join("block"), "rows").unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}

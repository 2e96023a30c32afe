//! Folders that killed processes left, in places that all programs share.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Removes the folders below `parent` that belong to this user and are named after a process that is gone: `prefix`, its number, a dash
/// and whatever else.
pub(crate) fn remove_folders_of_the_dead(parent: &Path, prefix: &str) {
    let Ok(me) = fs::metadata("/proc/self").map(|own| own.uid()) else { return };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| name.strip_prefix(prefix)?.split_once('-')).map(|(pid, _)| pid);
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
    fn folders_of_the_dead_are_removed_and_those_of_the_living_are_not() {
        let parent = tempfile::tempdir().unwrap();
        let prefix = "bench-sockets-";
        let living = parent.path().join(format!("{prefix}{}-0", std::process::id()));
        // No process has such a number: it is above the largest one that Linux gives.
        let (dead, foreign) =
            (parent.path().join(format!("{prefix}8388608-3")), parent.path().join("bench-sockets-notes"));
        for folder in [&living, &dead, &foreign] {
            fs::create_dir_all(folder.join("ray/session")).unwrap();
        }
        remove_folders_of_the_dead(parent.path(), prefix);
        assert_eq!([&living, &dead, &foreign].map(|f| f.exists()), [true, false, true]);
    }
}

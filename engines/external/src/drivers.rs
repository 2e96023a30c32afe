//! The drivers inside this program. Python needs files: they are written out once, under a name made of what they hold.

use crate::error::ExternalError;
use include_dir::{Dir, DirEntry, include_dir};
use std::fs;
use std::path::{Path, PathBuf};
use twox_hash::XxHash3_64;

static PYTHON: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/python");
/// What Python leaves beside its programs.
const CACHE: &str = "__pycache__";

/// The text of a file such as `spark/requirements.txt`.
pub(crate) fn text(path: &str) -> Option<&'static str> {
    PYTHON.get_file(path)?.contents_utf8()
}

/// Writes all of them below `root`, unless they are there, and says where. Whole or not at all.
///
/// # Errors
/// A folder that cannot be written.
pub(crate) fn unpack(root: &Path) -> Result<PathBuf, ExternalError> {
    let folder = root.join(format!("drivers-{:016x}", fingerprint(&PYTHON, 0)));
    if folder.is_dir() {
        return Ok(folder);
    }
    let draft = root.join(format!(".drivers-{}", std::process::id()));
    fs::create_dir_all(root).map_err(ExternalError::io("make the folder", root))?;
    let written = write(&PYTHON, &draft).and_then(|()| {
        // Somebody else may have been faster; theirs is the same.
        match fs::rename(&draft, &folder) {
            Err(e) if !folder.is_dir() => Err(ExternalError::io("make the folder", &folder)(e)),
            _ => Ok(()),
        }
    });
    let _ = fs::remove_dir_all(&draft);
    written.map(|()| folder)
}

fn write(dir: &Dir<'_>, to: &Path) -> Result<(), ExternalError> {
    fs::create_dir_all(to).map_err(ExternalError::io("make the folder", to))?;
    for entry in dir.entries() {
        let name = entry.path().file_name().unwrap_or_default();
        let path = to.join(name);
        match entry {
            DirEntry::Dir(_) if name == CACHE => {}
            DirEntry::Dir(inner) => write(inner, &path)?,
            DirEntry::File(file) => fs::write(&path, file.contents()).map_err(ExternalError::io("write", &path))?,
        }
    }
    Ok(())
}

/// What identifies names and contents of everything in a folder.
fn fingerprint(dir: &Dir<'_>, seed: u64) -> u64 {
    dir.entries().iter().fold(seed, |hash, entry| match entry {
        DirEntry::Dir(inner) if inner.path().ends_with(CACHE) => hash,
        DirEntry::Dir(inner) => fingerprint(inner, hash),
        DirEntry::File(file) => {
            let named = XxHash3_64::oneshot_with_seed(hash, file.path().as_os_str().as_encoded_bytes());
            XxHash3_64::oneshot_with_seed(named, file.contents())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_are_written_out_once_and_whole() {
        let root = tempfile::tempdir().unwrap();
        let folder = unpack(root.path()).unwrap();
        assert!(folder.join("bench_driver/protocol.py").is_file() && folder.join("duckdb/driver.py").is_file());
        fs::write(folder.join("mark"), "").unwrap();
        assert_eq!(unpack(root.path()).unwrap(), folder);
        assert!(folder.join("mark").exists(), "not written again");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "no draft is left");
    }
}

//! Files of a folder that were made here, and not links that lead elsewhere: a folder may come from somebody else, and what is
//! written into it must stay in it.

use crate::error::RecordError;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Creates a file that is not there yet, for what will be renamed to its place. What an interrupted writer left under the
/// name, a link included, is removed and not followed.
///
/// # Errors
/// The disk.
pub(crate) fn create_draft(path: &Path) -> Result<File, RecordError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(RecordError::io("remove", path)(e)),
        _ => {}
    }
    // It fails on anything that is there by now, links included.
    OpenOptions::new().write(true).create_new(true).open(path).map_err(RecordError::io("create", path))
}

/// Makes a folder's entries durable.
///
/// # Errors
/// The disk.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), RecordError> {
    let synced = File::open(folder).and_then(|f| f.sync_all());
    synced.map_err(RecordError::io("sync the folder", folder))
}

/// Opens a file that these options read, write or create.
///
/// # Errors
/// A link or anything else that is no file, or the disk.
pub(crate) fn open_own(path: &Path, options: &OpenOptions) -> Result<File, RecordError> {
    let named = || fs::symlink_metadata(path);
    match named() {
        Ok(found) if !found.is_file() => return Err(RecordError::NotOwn { path: path.to_owned() }),
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(RecordError::io("open", path)(e)),
        _ => {}
    }
    let file = options.open(path).map_err(RecordError::io("open", path))?;
    // Somebody may have put a link in its place between the two.
    let (opened, named) = (file.metadata(), named());
    let (opened, named) = opened.and_then(|o| Ok((o, named?))).map_err(RecordError::io("open", path))?;
    let same = |m: &Metadata| (m.dev(), m.ino());
    if !named.is_file() || same(&opened) != same(&named) {
        return Err(RecordError::NotOwn { path: path.to_owned() });
    }
    Ok(file)
}

/// Makes a folder inside of another unless it is there.
///
/// # Errors
/// A link or anything else that is no folder, or the disk.
pub(crate) fn own_folder(path: &Path) -> Result<(), RecordError> {
    match fs::create_dir(path) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(RecordError::io("create the folder", path)(e)),
        _ => {}
    }
    let found = fs::symlink_metadata(path).map_err(RecordError::io("create the folder", path))?;
    if found.is_dir() { Ok(()) } else { Err(RecordError::NotOwn { path: path.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_is_neither_opened_nor_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let (other, link) = (folder.path().join("other"), folder.path().join("link"));
        fs::write(&other, "mine").unwrap();
        symlink(&other, &link).unwrap();
        let refused = open_own(&link, OpenOptions::new().read(true).write(true).create(true)).unwrap_err();
        assert!(refused.to_string().contains("link is a link"), "{refused}");
        create_draft(&link).unwrap().write_all(b"new").unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
        assert_eq!(fs::read_to_string(&link).unwrap(), "new");
        // A link to nothing creates nothing.
        let (absent, link) = (folder.path().join("absent"), folder.path().join("again"));
        symlink(&absent, &link).unwrap();
        assert!(open_own(&link, OpenOptions::new().write(true).create(true)).is_err() && !absent.exists());
        assert!(own_folder(&link).is_err() && !absent.exists());
    }

    #[test]
    fn files_and_folders_of_one_s_own_are_opened_and_made_as_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        drop(open_own(&path, OpenOptions::new().write(true).create(true)).unwrap());
        drop(open_own(&path, OpenOptions::new().read(true)).unwrap());
        own_folder(&folder.path().join("sub")).unwrap();
        own_folder(&folder.path().join("sub")).unwrap();
        assert!(own_folder(&path).is_err(), "a file is no folder");
    }
}

//! The disk below a path, and its page cache.

use serde::Serialize;
use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The file system that holds a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiskSpace {
    /// The path asked about, or its nearest existing parent.
    pub path: PathBuf,
    /// What is mounted there, such as `ext4 on /dev/vda`; absent if the mount table does not say.
    pub filesystem: Option<String>,
    /// Bytes an ordinary user may still write.
    pub free_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

impl DiskSpace {
    /// Looks at the file system that holds `path`, or would hold it once made.
    ///
    /// # Errors
    /// The path has no existing parent, or the system refuses.
    pub fn of(path: &Path) -> io::Result<Self> {
        let absolute = std::path::absolute(path)?;
        let existing = absolute.ancestors().find(|p| p.exists()).unwrap_or(Path::new("/"));
        let existing = existing.canonicalize()?;
        let stat = statvfs(&existing)?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        Ok(Self {
            filesystem: filesystem_of(&existing, &mounts),
            free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
            total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
            path: existing,
        })
    }
}

/// Bytes an ordinary user may still write at an existing path.
///
/// # Errors
/// The path is gone or the system refuses.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    statvfs(path).map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize))
}

fn statvfs(path: &Path) -> io::Result<libc::statvfs> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut stat = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    #[expect(unsafe_code, reason = "statvfs has no safe interface")]
    // SAFETY: the path is a terminated string, the struct is large enough, and all zeroes is a value of it.
    unsafe {
        if libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(stat.assume_init())
    }
}

/// The longest mount point that is a prefix of the path.
fn filesystem_of(path: &Path, mounts: &str) -> Option<String> {
    let mount = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let point = PathBuf::from(left.split(' ').nth(4)?);
        let mut right = right.split(' ');
        let (kind, device) = (right.next()?, right.next()?);
        path.starts_with(&point).then(|| (point.as_os_str().len(), format!("{kind} on {device}")))
    };
    // Of mounts on the same point the last one is on top.
    mounts.lines().filter_map(mount).max_by_key(|(length, _)| *length).map(|(_, text)| text)
}

/// Makes the next read of these files come from the disk. Also drops the whole page cache where that is allowed (root).
///
/// # Errors
/// A file that cannot be opened, or a system that refuses the advice.
pub fn drop_page_cache<'a>(files: impl IntoIterator<Item = &'a Path>) -> io::Result<()> {
    for path in files {
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        let file = File::open(path).map_err(named)?;
        // Pages that are not yet on disk are not dropped by the advice.
        file.sync_data().map_err(named)?;
        #[expect(unsafe_code, reason = "posix_fadvise has no safe interface")]
        // SAFETY: the descriptor is open for the whole call.
        let code = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
        if code != 0 {
            return Err(named(io::Error::from_raw_os_error(code)));
        }
    }
    // Metadata and files of others: only root may, and nothing depends on it.
    let _ = fs::write("/proc/sys/vm/drop_caches", "3");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_mount_point_names_the_file_system() {
        let mounts = "1 0 8:1 / / rw - ext4 /dev/vda rw\n2 1 0:5 / /data rw - xfs /dev/vdb rw\n";
        assert_eq!(filesystem_of(Path::new("/data/x"), mounts).as_deref(), Some("xfs on /dev/vdb"));
        assert_eq!(filesystem_of(Path::new("/database"), mounts).as_deref(), Some("ext4 on /dev/vda"));
    }

    #[test]
    fn a_path_that_does_not_exist_yet_is_measured_at_its_parent() {
        let folder = tempfile::tempdir().unwrap();
        let space = DiskSpace::of(&folder.path().join("a/b/c")).unwrap();
        assert_eq!(space.path, folder.path().canonicalize().unwrap());
        assert!(space.total_bytes >= space.free_bytes && space.total_bytes > 0);
    }

    #[test]
    fn dropping_the_cache_of_a_missing_file_names_it() {
        let error = drop_page_cache([Path::new("/nonexistent/x.parquet")]).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/x.parquet"), "{error}");
    }
}

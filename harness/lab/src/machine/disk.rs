//! The disk below a path, and its page cache.

use serde::Serialize;
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Write};
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

/// Where the kernel takes the order to empty its page cache.
const DROP_CACHES: &str = "/proc/sys/vm/drop_caches";

/// Makes the next read of these files come from the disk, and empties the whole page cache, metadata included.
///
/// # Errors
/// A file that cannot be opened, a system that refuses the advice, or one that does not let this user empty its cache: what
/// is measured then is not what a cold cache gives.
pub fn drop_page_cache<'a>(files: impl IntoIterator<Item = &'a Path>) -> io::Result<()> {
    drop_through(Path::new(DROP_CACHES), files)
}

/// Whether this user may empty the page cache. Asks without doing it.
///
/// # Errors
/// Why not, and what to do instead.
pub fn may_drop_page_cache() -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(DROP_CACHES).map(|_| ()).map_err(refusal(Path::new(DROP_CACHES)))
}

fn refusal(order: &Path) -> impl FnOnce(io::Error) -> io::Error {
    let hint = "cold-cache needs root; run as root, or choose --protocol cold-process";
    move |e| io::Error::new(e.kind(), format!("cannot empty the page cache through {}: {e}; {hint}", order.display()))
}

fn drop_through<'a>(order: &Path, files: impl IntoIterator<Item = &'a Path>) -> io::Result<()> {
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
    // Not created if it is missing: then this system has no such order.
    let written = fs::OpenOptions::new().write(true).open(order).and_then(|mut file| file.write_all(b"3"));
    written.map_err(refusal(order))
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

    #[test]
    fn a_cache_that_cannot_be_emptied_is_an_error_that_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let (file, order) = (folder.path().join("t.parquet"), folder.path().join("drop_caches"));
        fs::write(&file, "rows").unwrap();
        let said = drop_through(&order, [file.as_path()]).unwrap_err().to_string();
        assert!(said.contains("cannot empty the page cache") && said.contains("--protocol cold-process"), "{said}");
        fs::write(&order, "").unwrap();
        drop_through(&order, [file.as_path()]).unwrap();
        assert_eq!(fs::read_to_string(&order).unwrap(), "3");
    }
}

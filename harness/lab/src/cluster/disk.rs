//! A disk of a node's own, which can be made to run full.
//!
//! It is a file system in memory on the node's scratch folder, in a mount namespace that the node alone is in: nobody else
//! sees it, and it vanishes with the node, whatever ends it. It is made where a full disk is planned, and only there,
//! because what lies on it counts as memory. When its time has come it shrinks to what it holds: every byte that was
//! written can be read, and not one more fits.

use crate::machine::memory_available_bytes;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The least size: a few blocks must fit before it runs full.
const SIZE_MIN: u64 = 64 << 20;
/// What is left of an empty one. To the kernel a size of 0 means that there is no limit.
const SIZE_FULL_MIN: u64 = 4096;
/// How often it is shrunk at most: the node may be writing meanwhile.
const TRIES: u32 = 20;

/// A disk that a node is started on.
#[derive(Debug)]
pub(super) struct OwnDisk {
    at: PathBuf,
    size: u64,
    full: bool,
}

/// What a started node's scratch folder lies on.
#[derive(Debug)]
pub(super) enum Disk {
    /// A disk of its own.
    Own(OwnDisk),
    /// The disk of everybody, because nobody wants to fill it.
    Common,
    /// The disk of everybody, for this reason.
    Refused(String),
}

impl Disk {
    /// Spawns a node on a disk of its own at `at`, if that is given and possible, and otherwise as it is.
    ///
    /// # Errors
    /// The node cannot be spawned at all.
    pub(super) fn under<N>(
        at: Option<&Path>,
        spawn: impl Fn(Option<&OwnDisk>) -> Result<N, String>,
    ) -> Result<(N, Self), String> {
        let Some(at) = at else { return Ok((spawn(None)?, Self::Common)) };
        let own = OwnDisk::at(at)?;
        match spawn(Some(&own)) {
            Ok(node) => Ok((node, Self::Own(own))),
            Err(error) => Ok((spawn(None)?, Self::Refused(error))),
        }
    }

    /// From now on it takes no more bytes.
    ///
    /// # Errors
    /// The node has no disk of its own, or the machine refuses.
    pub(super) fn fill(&mut self, node: u32) -> Result<(), String> {
        match self {
            Self::Own(disk) => disk.fill(node),
            Self::Common => Err("the node has no disk of its own; this is a bug of the harness".to_owned()),
            Self::Refused(why) => Err(format!(
                "`disk-full` needs a disk of its own for each node: {why}; run as root, where mounting works"
            )),
        }
    }

    /// Ends what [`Self::fill`] began.
    ///
    /// # Errors
    /// The machine refuses.
    pub(super) fn empty(&mut self, node: u32) -> Result<(), String> {
        match self {
            Self::Own(disk) if disk.full => {
                disk.full = false;
                disk.resize(node, disk.size)
            }
            Self::Own(_) | Self::Common | Self::Refused(_) => Ok(()),
        }
    }
}

impl OwnDisk {
    fn at(folder: &Path) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
        let size = memory_available_bytes().map_or(SIZE_MIN, |available| (available / 4).max(SIZE_MIN));
        Ok(Self { at: folder.to_owned(), size, full: false })
    }

    /// Arranges that the child mounts it before it becomes the program.
    pub(super) fn mount_in(&self, command: &mut Command) {
        // A path with a zero byte cannot have been made.
        let at = CString::new(self.at.as_os_str().as_bytes()).unwrap_or_default();
        let options = CString::new(format!("size={},mode=0700", self.size)).unwrap_or_default();
        let checked = |result: libc::c_int| if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
        #[expect(unsafe_code, reason = "a mount namespace is entered between fork and exec")]
        // SAFETY: the closure only makes system calls that are safe after fork, on strings that it owns, and allocates
        // nothing.
        unsafe {
            command.pre_exec(move || {
                let none = std::ptr::null();
                checked(libc::unshare(libc::CLONE_NEWNS))?;
                // What is mounted in here must not show outside.
                let private = libc::MS_REC | libc::MS_PRIVATE;
                checked(libc::mount(c"none".as_ptr(), c"/".as_ptr(), none, private, none.cast()))?;
                let (tmpfs, flags) = (c"tmpfs".as_ptr(), libc::MS_NOSUID | libc::MS_NODEV);
                checked(libc::mount(tmpfs, at.as_ptr(), tmpfs, flags, options.as_ptr().cast()))
            });
        }
    }

    fn fill(&mut self, node: u32) -> Result<(), String> {
        let mut result = Ok(());
        for _ in 0..TRIES {
            let used = self.used(node)?;
            result = self.resize(node, used.max(SIZE_FULL_MIN));
            if result.is_ok() {
                self.full = true;
                break;
            }
        }
        result
    }

    /// Bytes on it, as the node sees it.
    fn used(&self, node: u32) -> Result<u64, String> {
        let from_root = self.at.strip_prefix("/").unwrap_or(&self.at);
        let seen = Path::new("/proc").join(node.to_string()).join("root").join(from_root);
        let path = CString::new(seen.as_os_str().as_bytes()).unwrap_or_default();
        #[expect(unsafe_code, reason = "statvfs has no safe interface")]
        // SAFETY: all zeroes is a value of the struct, which outlives the call, and the path is a string.
        let (result, about) = unsafe {
            let mut about: libc::statvfs = std::mem::zeroed();
            (libc::statvfs(path.as_ptr(), &raw mut about), about)
        };
        if result != 0 {
            return Err(format!("cannot examine {}: {}", seen.display(), io::Error::last_os_error()));
        }
        Ok((about.f_blocks - about.f_bfree) * about.f_frsize)
    }

    fn resize(&self, node: u32, size: u64) -> Result<(), String> {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &node.to_string(), "--", "mount", "-o"]);
        command.arg(format!("remount,size={size}")).arg(&self.at).stdin(Stdio::null());
        let output = command.output().map_err(|e| format!("cannot run nsenter: {e}; install util-linux"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(format!("cannot resize the node's disk at {}: {said}", self.at.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::child::NodeChild;
    use crate::offspring::Isolation;
    use std::ffi::OsString;

    fn node(at: &Path) -> Result<(NodeChild, Disk), String> {
        let argv: Vec<OsString> = vec!["sleep".into(), "600".into()];
        Disk::under(Some(at), |disk| NodeChild::spawn_on(&argv, Isolation::None, None, disk))
    }

    #[test]
    fn a_full_disk_takes_nothing_until_it_is_relieved_and_nobody_else_sees_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("n0");
        let (node, mut disk) = node(&at).unwrap();
        if let Disk::Refused(why) = &disk {
            eprintln!("NOT TESTED: this machine gives nobody a disk of its own: {why}");
            return;
        }
        let seen = Path::new("/proc").join(node.pid().to_string()).join("root").join(at.strip_prefix("/").unwrap());
        fs::write(seen.join("before"), vec![7; 50_000]).unwrap();
        disk.fill(node.pid()).unwrap();
        let full = fs::write(seen.join("more"), vec![7; 50_000]).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(seen.join("before")).unwrap(), vec![7; 50_000], "what was written can be read");
        disk.empty(node.pid()).unwrap();
        fs::write(seen.join("more"), vec![7; 50_000]).unwrap();
        assert_eq!(fs::read_dir(&at).unwrap().count(), 0, "it is seen from inside only");
        drop(node);
        fs::remove_dir(&at).unwrap();
    }

    #[test]
    fn a_node_that_gets_no_disk_of_its_own_runs_and_says_why_when_it_is_to_be_filled() {
        let folder = tempfile::tempdir().unwrap();
        let refuse = |disk: Option<&OwnDisk>| if disk.is_some() { Err("not permitted".to_owned()) } else { Ok(()) };
        let ((), mut disk) = Disk::under(Some(folder.path()), refuse).unwrap();
        let refused = disk.fill(1).unwrap_err();
        assert!(refused.contains("not permitted") && refused.contains("as root"), "{refused}");
        assert_eq!(disk.empty(1), Ok(()));
    }
}

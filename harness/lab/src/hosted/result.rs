//! The file in which an engine of somebody else's leaves an answer: only what it was to leave is read, and nothing can hold the
//! reader up.

use crate::live::Failure;
use crate::machine::free_bytes;
use crate::oracle::{DigestFileError, digest_parquet_file};
use bench_model::{Check, Digest};
use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// With less free than this, an answer that could not be written says nothing about its engine.
const ROOM_BYTES: u64 = 32 << 20;
/// Work of an engine of somebody else's while it hands its answer over that needs no explanation: a virtual machine tidies up.
const HAND_OVER_NS: u64 = 200_000_000;
/// And while it reads its product's trace, where spans were asked for.
const TRACE_NS: u64 = 1_000_000_000;
/// And for each byte of the answer's file: encoding it.
const HAND_OVER_NS_PER_BYTE: u64 = 100;

/// An answer's file, opened: a regular one, at the place that it was to be kept at or else somewhere in the engine's scratch folder.
pub(super) struct ResultFile {
    path: PathBuf,
    file: File,
    is_kept: bool,
}

impl ResultFile {
    /// Opens the file that an engine says its answer is in. `keep` is where it was told to leave it, if it was.
    ///
    /// # Errors
    /// Any other place, and anything that is no regular file: a pipe or a link to somebody else's answer.
    pub(super) fn open(path: PathBuf, keep: Option<&Path>, scratch: &Path) -> Result<Self, String> {
        let shown = path.display();
        match keep {
            Some(keep) if keep != path => {
                return Err(format!("the answer was to be kept as {}, not {shown}", keep.display()));
            }
            Some(_) => {}
            None => {
                let folder = path.parent().and_then(|folder| fs::canonicalize(folder).ok());
                let own = fs::canonicalize(scratch).ok();
                if !folder.zip(own).is_some_and(|(folder, own)| folder.starts_with(own)) {
                    return Err(format!("{shown} is not in the scratch folder {}", scratch.display()));
                }
            }
        }
        // Opening a pipe would wait for somebody to write to it; a link could lead to another engine's answer.
        let opened = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(&path);
        let file = opened.map_err(|e| format!("cannot open {shown}: {e}"))?;
        if !file.metadata().is_ok_and(|is| is.is_file()) {
            return Err(format!("{shown} is no regular file"));
        }
        Ok(Self { is_kept: keep.is_some(), path, file })
    }

    /// How many bytes it takes.
    pub(super) fn bytes(&self) -> u64 {
        self.file.metadata().map_or(0, |of| of.len())
    }

    /// Digests it, and removes it unless it was to be kept: at once, because an answer that stays is written to the disk while
    /// the next engine is timed.
    ///
    /// # Errors
    /// A file that is not whole fails the engine. Raising `stop` ends the reading.
    pub(super) fn digest(self, check: &Check, stop: &AtomicBool) -> Result<Result<Digest, String>, Failure> {
        let digested = digest_parquet_file(self.file, &self.path, check, stop);
        if !self.is_kept {
            // One that cannot be removed goes with its folder.
            let _ = fs::remove_file(&self.path);
        }
        match digested {
            Ok(digest) => Ok(Ok(digest)),
            Err(DigestFileError::Content { why, .. }) => Ok(Err(why.to_string())),
            Err(DigestFileError::Interrupted) => Err(Failure::Interrupted),
            Err(e) => Err(Failure::Failed(e.to_string())),
        }
    }
}

/// Whether work was done while the answer was handed over that belonged into the run: as much again as half of the run's own, and
/// more than handing over an answer of that size explains, and a trace where `spans` were asked for.
pub(super) fn doubt(run_ns: Option<u64>, used_ns: Option<u64>, bytes: u64, spans: bool) -> Option<String> {
    let (run_ns, used_ns) = (run_ns?, used_ns?);
    let trace_ns = if spans { TRACE_NS } else { 0 };
    let explained = (HAND_OVER_NS + trace_ns).saturating_add(bytes.saturating_mul(HAND_OVER_NS_PER_BYTE));
    (used_ns > explained && used_ns >= run_ns / 2).then(|| {
        let ms = |ns: u64| ns / 1_000_000;
        format!(
            "handing the answer over took {} ms of CPU time, the run itself {} ms: part of the work may not be in the run's time",
            ms(used_ns),
            ms(run_ns)
        )
    })
}

/// Why nothing can be written at a place, if that is so: looked at by the harness itself, whatever an engine says.
pub(super) fn no_room(folder: &Path) -> Option<String> {
    let shown = folder.display();
    if free_bytes(folder).is_ok_and(|free| free < ROOM_BYTES) {
        return Some(format!("the disk of {shown} is full"));
    }
    let trial = folder.join(format!(".bench-write-{}", std::process::id()));
    let written = File::create(&trial);
    let _ = fs::remove_file(&trial);
    written.err().map(|e| format!("nothing can be written in {shown}: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn said(path: &Path, keep: Option<&Path>, scratch: &Path) -> String {
        ResultFile::open(path.to_owned(), keep, scratch).map(|_| "opened".to_owned()).unwrap_or_else(|why| why)
    }

    #[test]
    fn only_a_regular_file_at_its_own_place_is_opened() {
        let root = tempfile::tempdir().unwrap();
        let (own, other) = (root.path().join("own"), root.path().join("other"));
        fs::create_dir_all(own.join("deep")).unwrap();
        fs::create_dir_all(&other).unwrap();
        let files = [own.join("a"), own.join("deep/a"), other.join("a")];
        for file in &files {
            fs::write(file, "x").unwrap();
        }
        assert_eq!(said(&files[0], None, &own), "opened");
        assert_eq!(said(&files[1], None, &own), "opened");
        assert!(said(&files[2], None, &own).contains("is not in the scratch folder"));
        assert!(said(&own.join("../other/a"), None, &own).contains("is not in the scratch folder"));
        assert_eq!(said(&files[2], Some(&files[2]), &own), "opened");
        assert!(said(&files[0], Some(&files[2]), &own).contains("was to be kept as"));
        std::os::unix::fs::symlink(&files[2], own.join("link")).unwrap();
        assert!(said(&own.join("link"), None, &own).contains("cannot open"));
        assert!(Command::new("mkfifo").arg(own.join("pipe")).status().unwrap().success());
        assert!(said(&own.join("pipe"), None, &own).contains("is no regular file"));
        assert!(said(&own.join("deep"), None, &own).contains("is no regular file"));
    }

    #[test]
    fn handing_over_is_doubtful_when_it_is_much_work_next_to_the_run_and_to_the_answer() {
        let ms = |ms: u64| Some(ms * 1_000_000);
        assert!(doubt(ms(10), ms(300), 1000, false).is_some(), "a lazy engine");
        assert!(doubt(ms(10), ms(150), 1000, false).is_none(), "a virtual machine tidies up");
        assert!(doubt(ms(10), ms(1100), 1000, true).is_none(), "a trace is read");
        assert!(doubt(ms(10), ms(1300), 1000, true).is_some(), "a lazy engine that is asked for its trace");
        assert!(doubt(ms(1000), ms(300), 1000, false).is_none(), "little next to the run");
        assert!(doubt(ms(1000), ms(900), 10 << 20, false).is_none(), "a large answer takes long to write");
        assert!(doubt(None, ms(900), 0, false).is_none() && doubt(ms(1), None, 0, false).is_none(), "unknown");
    }

    #[test]
    fn whether_there_is_room_is_seen_and_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(no_room(folder.path()), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left of looking");
        assert!(no_room(&folder.path().join("none")).is_some_and(|why| why.contains("nothing can be written")));
    }
}

//! Folders of results: told apart by what is in them, and kept from being written over.

use anyhow::{Context, Result, bail};
use bench_record::{
    BLOCKING_FILE, CONTEXT_FILE, OBSERVATIONS_FILE, OVERHEAD_FILE, OverheadRun, RESULTS_FOLDER, Run, SAMPLES_FILE,
    TRACES_FOLDER,
};
use std::fs;
use std::path::{Path, PathBuf};

/// What folders hold, of each kind in the order given.
pub(super) struct Folders {
    /// What `bench run` left.
    pub(super) runs: Vec<Run>,
    /// What `bench overhead` left.
    pub(super) overhead: Vec<OverheadRun>,
}

impl Folders {
    /// Reads them.
    ///
    /// # Errors
    /// A folder that holds neither, or nothing that this build reads.
    pub(super) fn load(paths: &[PathBuf]) -> Result<Self> {
        let mut found = Self { runs: Vec::new(), overhead: Vec::new() };
        for path in paths {
            if path.join(OVERHEAD_FILE).exists() && !path.join(CONTEXT_FILE).exists() {
                found.overhead.push(OverheadRun::load(path)?);
            } else {
                found.runs.push(Run::load(path)?);
            }
        }
        Ok(found)
    }
}

/// Writes what a command makes of records to a file, over what it wrote there before.
///
/// # Errors
/// A file that is itself part of a record, or the disk.
pub(super) fn write_out(file: &Path, written: impl AsRef<[u8]>) -> Result<()> {
    if is_recorded(file) {
        bail!("{} is part of what was measured, and nothing makes it again; name another file with -o", file.display());
    }
    if is_planted(file) {
        bail!(
            "{} is a link, and whoever made this folder chose where it leads; remove it, or name another file with -o",
            file.display()
        );
    }
    fs::write(file, written).with_context(|| format!("cannot write {}", file.display()))
}

/// Whether a folder holds a run, or what probes measured.
fn holds_record(folder: &Path) -> bool {
    folder.join(CONTEXT_FILE).is_file() || folder.join(OVERHEAD_FILE).is_file()
}

/// Whether a file is a link that lies in a results folder, or beside several, which may be somebody else's.
fn is_planted(file: &Path) -> bool {
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = || fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| holds_record(&entry.path()));
    fs::symlink_metadata(file).is_ok_and(|m| m.is_symlink())
        && (folder.ancestors().take(2).any(holds_record) || beside())
}

/// Whether a file, or what a link of that name leads to, is one that a run or its data consist of.
fn is_recorded(file: &Path) -> bool {
    const RECORDS: [&str; 5] = [CONTEXT_FILE, OBSERVATIONS_FILE, BLOCKING_FILE, OVERHEAD_FILE, SAMPLES_FILE];
    // A file that is not there yet has a folder at least.
    let real = fs::canonicalize(file).ok().or_else(|| {
        let parent = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(fs::canonicalize(parent).ok()?.join(file.file_name()?))
    });
    let Some(real) = real else { return false };
    let name = real.file_name().unwrap_or_default();
    let Some(folder) = real.parent() else { return false };
    let is_record = holds_record(folder) && RECORDS.iter().any(|record| name == *record);
    let within = folder.file_name().is_some_and(|n| n == RESULTS_FOLDER || n == TRACES_FOLDER);
    let is_within = within && folder.parent().is_some_and(holds_record);
    // A data set is known by its manifest, which all of its files stand beside.
    is_record || is_within || (real.is_file() && folder.join(MANIFEST).is_file())
}

/// What describes a data set.
const MANIFEST: &str = "manifest.json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_measured_is_written_over() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        };
        let records = [
            "run/run.json",
            "run/observations.ndjson",
            "run/blocking.json",
            "run/traces/a.json",
            "run/results/a.parquet",
            "probes/overhead.json",
            "probes/samples.ndjson",
            "data/manifest.json",
            "data/lineitem.parquet",
        ];
        for path in records {
            fs::write(at(path), "measured").unwrap();
        }
        std::os::unix::fs::symlink(at("run/run.json"), at("link.html")).unwrap();
        for path in records.into_iter().chain(["link.html", "run/../run/run.json"]) {
            let refused = write_out(&at(path), "report").unwrap_err().to_string();
            assert!(refused.contains("is part of what was measured"), "{path}: {refused}");
            assert_eq!(fs::read_to_string(at(path)).unwrap(), "measured", "{path}");
        }
        // A name alone is none: beside no record it is anybody's file; and reports may lie in a run's folder.
        for path in ["elsewhere/samples.ndjson", "run/report.html", "results/report.html", "report.html"] {
            write_out(&at(path), "report").unwrap();
            write_out(&at(path), "again").unwrap();
            assert_eq!(fs::read_to_string(at(path)).unwrap(), "again", "{path}");
        }
        // A link in a results folder leads out of it; one that a user made elsewhere is the user's.
        let planted = ["run/page.html", "run/results/page.html", "page.html"].map(|link| (link, true));
        for (link, is_planted) in planted.into_iter().chain([("elsewhere/page.html", false)]) {
            let profile = at("own/profile");
            fs::write(&profile, "mine").unwrap();
            std::os::unix::fs::symlink(&profile, at(link)).unwrap();
            let refused = write_out(&at(link), "report").err().map(|e| e.to_string()).unwrap_or_default();
            assert_eq!(refused.contains("is a link"), is_planted, "{link}: {refused}");
            assert_eq!(fs::read_to_string(&profile).unwrap(), if is_planted { "mine" } else { "report" }, "{link}");
        }
    }
}

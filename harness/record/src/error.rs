//! What can be wrong with a folder of results, and what to do about it.

use crate::SCHEMA;
use crate::observation::{Invalid, TrialId};
use std::path::PathBuf;

/// Why a run cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The folder for a new run holds something else.
    #[error("{} is not empty (it holds `{entry}`); give --out a new or an empty folder", path.display())]
    Foreign {
        /// Which folder.
        path: PathBuf,
        /// Something found in it.
        entry: String,
    },
    /// The folder for a new run holds a run.
    #[error("{0} already holds a run; continue it with --resume {0}, or give --out another folder", path.display())]
    Occupied {
        /// Which folder.
        path: PathBuf,
    },
    /// Another process is writing this run.
    #[error("{} is being written by another process; wait for it, or give --out another folder", path.display())]
    Locked {
        /// Which folder.
        path: PathBuf,
    },
    /// Something else stands where a file of a run should be.
    #[error("{} is not a file; give the folder that `bench run` wrote", path.display())]
    NotAFile {
        /// Which path.
        path: PathBuf,
    },
    /// A link, or something else, stands where a file of a run is written.
    #[error("{} is a link, or no file or folder at all; nothing outside of a run's folder is read or written: remove it", path.display())]
    NotOwn {
        /// Which path.
        path: PathBuf,
    },
    /// A trace that no run of this program left.
    #[error("{}: larger than {limit} bytes, which no trace is; remove it", path.display())]
    TraceSize {
        /// Which file.
        path: PathBuf,
        /// The most that is read.
        limit: u64,
    },
    /// The folder holds no run.
    #[error("{} is not a run: it has no {}; give the folder that `bench run` wrote", path.display(), crate::CONTEXT_FILE)]
    NotARun {
        /// Which folder.
        path: PathBuf,
    },
    /// Written by a later version of this program.
    #[error(
        "{}: {}schema {found} is newer than {SCHEMA}, the newest this build reads; use the build that wrote it, or a \
         later one", path.display(), at(*line)
    )]
    NewerSchema {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1; none for a file that is one value.
        line: Option<u64>,
        /// Its version.
        found: u64,
    },
    /// What came of playing traces again cannot be understood.
    #[error("{}: {message}; delete the file, and `bench replay` makes it again", path.display())]
    Blocking {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The folder holds no measurement of overhead.
    #[error("{} has no {}; give the folder that `bench overhead` wrote", path.display(), crate::OVERHEAD_FILE)]
    NotOverhead {
        /// Which folder.
        path: PathBuf,
    },
    /// A measurement of overhead by a later version of this program.
    #[error(
        "{}: schema {found} is newer than {}, the newest this build reads; use the build that wrote it, or a later one",
        path.display(), crate::OVERHEAD_SCHEMA
    )]
    NewerOverhead {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// A measurement of overhead that cannot be understood, or must not be written.
    #[error("{}: {message}; measure again, or restore the file", path.display())]
    Overhead {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The context cannot be understood.
    #[error("{}: not a run's context: {message}; restore the file, or start a new run", path.display())]
    Context {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A line that is no observation.
    #[error("{}: line {line}: {message}; delete the line and continue with --resume to measure it again", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// Two lines claim to be the same trial.
    #[error("{}: line {line} repeats line {first} ({id}); delete one of them", path.display())]
    Duplicate {
        /// Which file.
        path: PathBuf,
        /// The later line, from 1.
        line: u64,
        /// The earlier one.
        first: u64,
        /// What both claim to be.
        id: TrialId,
    },
    /// An observation that must not be written.
    #[error("observation not recorded ({id}): {source}")]
    Invalid {
        /// Which trial.
        id: TrialId,
        /// What contradicts what.
        source: Invalid,
    },
    /// A trial that is already recorded.
    #[error("observation not recorded: {id} is already in {}", path.display())]
    Repeated {
        /// Which file.
        path: PathBuf,
        /// Which trial.
        id: TrialId,
    },
    /// An observation that the reader would refuse for its size.
    #[error("observation not recorded ({id}): {bytes} bytes are more than the {limit} of a line; shorten its notes")]
    TooLong {
        /// Which trial.
        id: TrialId,
        /// Its size as a line.
        bytes: usize,
        /// The largest allowed.
        limit: usize,
    },
}

fn at(line: Option<u64>) -> String {
    line.map(|l| format!("line {l}: ")).unwrap_or_default()
}

impl RecordError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

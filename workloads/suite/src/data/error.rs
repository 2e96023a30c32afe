//! What can go wrong with datasets, and what to do about it.

use crate::spec::SpecError;
use bench_model::Bytes;
use std::path::{Path, PathBuf};

/// Why a dataset could not be made, read or removed.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The scale is impossible.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Not a name that a set can have.
    #[error("`{name}` cannot be a dataset's name; names have letters, digits, `.`, `-` and `_` only")]
    Name {
        /// What was given.
        name: String,
    },
    /// There is no such set.
    #[error("no dataset `{name}` in {root}; make it with `bench data make`, or point --data at the folder that has it")]
    Absent {
        /// Which set.
        name: String,
        /// Where it was looked for.
        root: PathBuf,
    },
    /// Another process works on the set.
    #[error("another process is working on dataset `{name}`; wait for it to finish, or stop it, and run this again")]
    Busy {
        /// Which set.
        name: String,
    },
    /// Not enough room.
    #[error(
        "dataset `{name}` needs about {needed} on disk and {root} has {free} free; \
         free some space, choose a smaller scale, or point --data at a larger disk"
    )]
    Space {
        /// Which set.
        name: String,
        /// Where it would go.
        root: PathBuf,
        /// How much it still needs.
        needed: Bytes,
        /// How much there is.
        free: Bytes,
    },
    /// The folder is there but is not a dataset.
    #[error("{path} is not a dataset made by this program: {reason}; move it away and run this again")]
    Foreign {
        /// The folder or file.
        path: PathBuf,
        /// What gives it away.
        reason: String,
    },
    /// The manifest was written by a newer program.
    #[error("{path} has schema {found} and this program reads up to {known}; use a newer `bench`")]
    Newer {
        /// The manifest.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest known one.
        known: u32,
    },
    /// A file is not what the manifest says.
    #[error("{path} is damaged: {reason}; remove the set with `bench data rm {name}` and make it again")]
    Damaged {
        /// Which set.
        name: String,
        /// Which file.
        path: PathBuf,
        /// How it differs.
        reason: String,
    },
    /// It was made by generators whose rows are no longer those of its name.
    #[error(
        "dataset `{name}` was made by {made_by} and this program makes it with {now}: the rows may differ, and known \
         answers with them; remove it with `bench data rm {name}` and make it again"
    )]
    Outdated {
        /// Which set.
        name: String,
        /// The generators in its manifest.
        made_by: String,
        /// The generators of this program.
        now: String,
    },
    /// A generator or the Parquet writer failed.
    #[error("cannot write {path}: {message}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {path}: {source}{}", hint(source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It was told to stop.
    #[error("stopped; run the same command again to continue where it left off")]
    Stopped,
}

/// Says what was being done to which path when the system refused.
pub(super) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> DataError + 'a {
    move |source| DataError::Io { action, path: path.to_owned(), source }
}

fn hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            "; finished parts are kept: free some space and run this again to continue"
        }
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            "; choose a folder you can write to with --data"
        }
        _ => "",
    }
}

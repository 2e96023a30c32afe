//! What can go wrong with products before they run.

use std::path::PathBuf;

/// Why a product is not there, or cannot be.
#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    /// A catalogue that is not one.
    #[error("{path}: {why}")]
    Catalog {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// No such product.
    #[error("there is no product `{name}`; known: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// It has nothing to install.
    #[error("`{0}` is started by a command of its own; there is nothing to install or remove")]
    NothingToInstall(String),
    /// This machine lacks something.
    #[error("{0}")]
    Needs(String),
    /// A file or folder.
    #[error("cannot {operation} {path}: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Somebody else is at it.
    #[error("`{0}` is being installed, removed or measured by another process; wait for it")]
    Busy(String),
    /// A step of the installation ended badly.
    #[error("installing `{name}`: {step} {how}: {words}")]
    Step {
        /// Which product.
        name: String,
        /// What was run.
        step: &'static str,
        /// How it ended.
        how: String,
        /// The end of what it printed.
        words: String,
    },
    /// The user interrupted it.
    #[error("interrupted; nothing is installed")]
    Interrupted,
}

impl ExternalError {
    /// For `map_err`: what was tried on which path.
    pub(crate) fn io(operation: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { operation, path, source }
    }
}

//! What can be wrong with definitions that people write: suites, families, workloads.

use bench_model::GraphError;
use std::path::PathBuf;

/// Why a definition is refused.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// TOML that cannot be understood.
    #[error("{file}:{line}: {message}")]
    Toml {
        /// Which file.
        file: String,
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// Well-formed, but it makes no sense.
    #[error("{file}: {message}")]
    Invalid {
        /// Which file.
        file: String,
        /// What makes no sense, and what would.
        message: String,
    },
    /// A name that nothing has.
    #[error("no {what} `{name}`; there are {known}")]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// The name.
        name: String,
        /// What there is.
        known: String,
    },
    /// A file that cannot be read.
    #[error("cannot read {path}: {message}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// A file that would be overwritten.
    #[error("{path} exists already and is not overwritten; choose an empty folder")]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// A file that cannot be written.
    #[error("cannot write {path}: {source}")]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A graph of the wrong shape.
    #[error("{file}: workload `{workload}`: {source}")]
    Graph {
        /// Which file.
        file: String,
        /// Which workload.
        workload: String,
        /// What is wrong with it.
        source: GraphError,
    },
}

impl DefinitionError {
    pub(crate) fn toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.as_bytes().iter().take(start).filter(|&&b| b == b'\n').count() + 1;
        Self::Toml { file: file.to_owned(), line, message: error.message().replace('\n', " ") }
    }

    pub(crate) fn invalid(file: &str, message: impl Into<String>) -> Self {
        Self::Invalid { file: file.to_owned(), message: message.into() }
    }

    pub(crate) fn unknown(what: &'static str, name: &str, known: &[&str]) -> Self {
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Self::Unknown { what, name: name.to_owned(), known }
    }
}

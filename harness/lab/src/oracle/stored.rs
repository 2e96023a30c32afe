//! Digests of answers that lie in files: made by external engines, by the answers script, or kept by an earlier run.

use super::compare::Mismatch;
use super::digester::Digester;
use bench_model::{Check, Digest};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Batches that are read before they are digested together: enough for every core, little memory.
const BATCHES_AT_ONCE: usize = 32;

/// Why a file has no digest.
#[derive(Debug, thiserror::Error)]
pub enum DigestFileError {
    /// It is not there or not allowed to be read.
    #[error("cannot open result {path}: {why}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// It is not Parquet, or cut off, or damaged.
    #[error("result {path} is not a whole Parquet file: {why}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        why: parquet::errors::ParquetError,
    },
    /// It was read, and its rows already contradict the check.
    #[error("result {path}: {why}")]
    Content {
        /// The file.
        path: PathBuf,
        /// How.
        why: Mismatch,
    },
    /// Reading it was given up.
    #[error("interrupted")]
    Interrupted,
}

/// The digest of a result stored as Parquet, read batch by batch in row order.
///
/// # Errors
/// See [`DigestFileError`].
pub fn digest_parquet(path: &Path, check: &Check) -> Result<Digest, DigestFileError> {
    let file = File::open(path).map_err(|why| DigestFileError::Open { path: path.to_owned(), why })?;
    digest_parquet_file(file, path, check, &AtomicBool::new(false))
}

/// The same of a file that is open already; `path` is what it is called in errors. Raising `stop` ends it between batches.
///
/// # Errors
/// See [`DigestFileError`].
pub fn digest_parquet_file(
    file: File,
    path: &Path,
    check: &Check,
    stop: &AtomicBool,
) -> Result<Digest, DigestFileError> {
    let read = |why| DigestFileError::Read { path: path.to_owned(), why };
    let content = |why| DigestFileError::Content { path: path.to_owned(), why };
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(read)?;
    let mut digester = Digester::new(builder.schema(), check).map_err(content)?;
    let mut batches = Vec::with_capacity(BATCHES_AT_ONCE);
    for batch in builder.with_batch_size(8192).build().map_err(read)? {
        if stop.load(Ordering::Relaxed) {
            return Err(DigestFileError::Interrupted);
        }
        batches.push(batch.map_err(|e| read(e.into()))?);
        if batches.len() == BATCHES_AT_ONCE {
            digester.push(&batches).map_err(content)?;
            batches.clear();
        }
    }
    digester.push(&batches).map_err(content)?;
    digester.finish().map_err(content)
}

//! Observations and cells as tables of columns, for notebooks.
//!
//! | module | idea |
//! |---|---|
//! | `columns` | values of rows as named columns |
//! | `observations` | a row per observation: the flattened case, and all that was measured |
//! | `cells` | a row per contestant on a workload: what the comparison says of it |
//! | `csv` | text that no spreadsheet takes for a formula |

mod cells;
mod columns;
pub(crate) mod csv;
mod observations;

use crate::compare::Sources;
use crate::comparison::Comparison;
use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;
use arrow::record_batch::RecordBatch;

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// An observation.
    Observations,
    /// A contestant on a workload.
    Cells,
}

/// The rows as columns, named and typed as `docs/reports.md` says.
///
/// # Errors
/// None but those of a library that is given columns of different lengths.
pub fn rows(comparison: &Comparison, sources: &Sources<'_>, of: Rows) -> Result<RecordBatch, ArrowError> {
    match of {
        Rows::Observations => observations::batch(comparison, sources),
        Rows::Cells => cells::batch(comparison),
    }
}

/// The rows as CSV: RFC 4180, with a header. Text that a spreadsheet would take for a formula begins with an apostrophe.
///
/// # Errors
/// As for [`rows`].
pub fn csv(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    csv::written(batch)
}

/// The rows as an Arrow IPC file.
///
/// # Errors
/// As for [`rows`].
pub fn arrow_file(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::new();
    let mut writer = FileWriter::try_new(&mut bytes, &batch.schema())?;
    writer.write(batch)?;
    writer.finish()?;
    drop(writer);
    Ok(bytes)
}

//! Tables on disk, by name. Made by `workloads/suite`, read by every engine.

use arrow::datatypes::SchemaRef;
use std::path::PathBuf;

/// How a table's files are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values with a header line.
    Csv,
}

/// One table: files of one schema.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name in SQL and in dataframe programs.
    pub name: String,
    /// How its files are encoded.
    pub format: Format,
    /// Its files, absolute, in order.
    pub files: Vec<PathBuf>,
    /// Its columns.
    pub schema: SchemaRef,
    /// How many rows its files hold together.
    pub rows: u64,
    /// How many bytes its files take on disk together.
    pub bytes: u64,
}

/// The tables of one family at one scale.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// Its name, such as `tpch-sf1`.
    pub name: String,
    /// Its tables.
    pub tables: Vec<Table>,
}

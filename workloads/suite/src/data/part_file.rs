//! One part as one Parquet file.

use super::checksum::HashingFile;
use super::error::{DataError, io};
use super::journal::Done;
use super::manifest::FileEntry;
use super::open::parquet_schema;
use super::progress::{Event, Progress};
use crate::generate::{LAYOUT_VERSION, Part, rows};
use crate::spec::DatasetSpec;
use arrow::datatypes::{DataType, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use std::fs;
use std::io::BufWriter;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Rows of a row group: small enough that a table of a million rows keeps four cores busy, large enough that pages are
/// full and footers small.
const ROW_GROUP_ROWS: usize = 1 << 18;

/// Generates a part into its file below `folder`. The file has its name only when it is complete and durable.
pub(super) fn write(
    folder: &Path,
    spec: &DatasetSpec,
    part: &Part,
    progress: &dyn Progress,
    stop: &AtomicBool,
) -> Result<Done, DataError> {
    let relative = format!("{}/part-{:05}.parquet", part.table, part.index);
    let path = folder.join(&relative);
    let temporary = path.with_extension("tmp");
    let failed = |e: &dyn std::fmt::Display| DataError::Write { path: path.clone(), message: e.to_string() };

    let source = rows(spec, part);
    let schema = source.schema();
    let file = HashingFile::create(&temporary).map_err(io("create", &temporary))?;
    let buffered = BufWriter::with_capacity(1 << 20, file);
    // How Arrow lays these columns out here is no business of whoever reads the file: it would make Arrow's other readers read text as views,
    // which some of them can hardly work with.
    let options = ArrowWriterOptions::new().with_properties(properties(&schema)).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(buffered, schema, options).map_err(|e| failed(&e))?;
    let mut rows = 0;
    for batch in source {
        if stop.load(Ordering::Relaxed) {
            return Err(DataError::Stopped);
        }
        let batch = batch.map_err(|e| failed(&e))?;
        writer.write(&batch).map_err(|e| parquet_error(&temporary, e))?;
        rows += batch.num_rows() as u64;
        progress.event(Event::Advanced { units: batch.num_rows() as u64 });
    }
    let buffered = writer.into_inner().map_err(|e| parquet_error(&temporary, e))?;
    let file = buffered.into_inner().map_err(|e| io("write", &temporary)(e.into_error()))?;
    let (bytes, xxh3_128) = file.finish().map_err(io("sync", &temporary))?;
    fs::rename(&temporary, &path).map_err(io("rename", &temporary))?;
    super::sync_folder(path.parent().unwrap_or(folder))?;

    progress.event(Event::Part { path: &relative, rows, bytes });
    let file = FileEntry { path: relative, rows, bytes, xxh3_128 };
    let columns = columns_as_text(&*parquet_schema(&path)?);
    Ok(Done { table: part.table.to_owned(), part: part.index, columns, file })
}

/// A schema as a manifest shows it.
pub(super) fn columns_as_text(schema: &Schema) -> Vec<String> {
    let column = |f: &std::sync::Arc<arrow::datatypes::Field>| {
        format!("{} {}{}", f.name(), f.data_type(), if f.is_nullable() { "" } else { " not null" })
    };
    schema.fields().iter().map(column).collect()
}

/// A full disk is reported as such although the Parquet writer wraps it.
fn parquet_error(path: &Path, error: parquet::errors::ParquetError) -> DataError {
    match error {
        parquet::errors::ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(e) => io("write", path)(*e),
            Err(e) => DataError::Write { path: path.to_owned(), message: e.to_string() },
        },
        e => DataError::Write { path: path.to_owned(), message: e.to_string() },
    }
}

/// Snappy, statistics per page, and no attempt at a dictionary for columns whose values hardly repeat: it would be
/// built and thrown away in every row group.
fn properties(schema: &Schema) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_created_by(format!("bench-suite layout {LAYOUT_VERSION}"))
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
    for field in schema.fields() {
        if is_mostly_unique(field.name(), field.data_type()) {
            properties = properties.set_column_dictionary_enabled(ColumnPath::from(field.name().as_str()), false);
        }
    }
    properties.build()
}

fn is_mostly_unique(name: &str, data_type: &DataType) -> bool {
    let ends = ["_comment", "_address", "_phone", "_name", "_extendedprice", "_acctbal", "_totalprice", "_supplycost"];
    *data_type == DataType::Float64 || ends.iter().any(|end| name.ends_with(end))
}

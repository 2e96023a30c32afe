//! Opening the tables of a user's folder: files, columns, rows and bytes.

use super::csv;
use crate::definition::DefinitionError;
use crate::family::{ColumnEntry, TableEntry, format_of};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bench_model::{Format, Table};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Opens a declared table. Files are relative to the folder or absolute; `*` in the last part of a path matches.
pub(super) fn open(dir: &Path, file: &str, entry: &TableEntry) -> Result<Table, DefinitionError> {
    let invalid = |m: String| DefinitionError::invalid(file, format!("table `{}`: {m}", entry.name));
    let mut files = Vec::new();
    for pattern in &entry.files {
        let found = expand(&dir.join(pattern))?;
        if found.is_empty() {
            return Err(invalid(format!("no file matches `{pattern}`")));
        }
        files.extend(found);
    }
    let Some(first) = files.first() else { return Err(invalid("it has no files".to_owned())) };
    let format = match entry.format.or_else(|| first.to_str().and_then(format_of)) {
        Some(format) => format,
        None => return Err(invalid(format!("say `format = \"parquet\"` or \"csv\" for {}", first.display()))),
    };
    let schema = match (format, entry.columns.is_empty()) {
        (Format::Csv, false) => Some(declared(&entry.columns).map_err(invalid)?),
        (Format::Parquet, false) => return Err(invalid("`columns` are for CSV files; Parquet has its own".to_owned())),
        (_, true) => None,
    };
    from_files(&entry.name, format, files, schema)
}

/// A table of files of one format, which must have the same columns. CSV files are read by position, so the header of
/// each must have the very names of the table's columns, in the same order.
pub(super) fn from_files(
    name: &str,
    format: Format,
    files: Vec<PathBuf>,
    declared: Option<SchemaRef>,
) -> Result<Table, DefinitionError> {
    let mut table: Option<Table> = None;
    for path in files {
        let unreadable = |message: String| DefinitionError::Unreadable { path: path.clone(), message };
        let path = std::path::absolute(&path).map_err(|e| unreadable(e.to_string()))?;
        let bytes = fs::metadata(&path).map_err(|e| unreadable(e.to_string()))?.len();
        let (schema, rows) = match (format, &declared) {
            (Format::Parquet, _) => parquet_columns(&path).map_err(unreadable)?,
            (Format::Csv, Some(schema)) => {
                csv::has_columns(&path, schema).map_err(unreadable)?;
                (Arc::clone(schema), 0)
            }
            (Format::Csv, None) => (csv::inferred_columns(&path).map_err(unreadable)?, 0),
        };
        match &mut table {
            None => table = Some(Table { name: name.to_owned(), format, files: vec![path], schema, rows, bytes }),
            Some(t) if t.schema.fields() == schema.fields() => {
                t.rows += rows;
                t.bytes += bytes;
                t.files.push(path);
            }
            Some(t) => return Err(unreadable(difference(t, &schema))),
        }
    }
    table.ok_or_else(|| DefinitionError::invalid(name, "it has no files"))
}

/// How the columns of a further file differ from a table's, and what to do about it.
fn difference(table: &Table, other: &Schema) -> String {
    let first = table.files.first().map(|f| f.display().to_string()).unwrap_or_default();
    let names = |s: &Schema| s.fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
    if table.format == Format::Csv && names(&table.schema) == names(other) {
        // Types are a guess from the first lines; only the user knows them.
        let mut pairs = table.schema.fields().iter().zip(other.fields());
        if let Some((a, b)) = pairs.find(|(a, b)| a.data_type() != b.data_type()) {
            let (name, here, there) = (a.name(), name_of_type(b.data_type()), name_of_type(a.data_type()));
            return format!(
                "its column `{name}` looks like {here} and that of {first} like {there}; \
                 declare the table's `columns` with their types"
            );
        }
    }
    format!("its columns differ from those of {first}; declare one table for each")
}

/// The columns and rows of a Parquet file, from its footer.
fn parquet_columns(path: &Path) -> Result<(SchemaRef, u64), String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let footer = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default())
        .map_err(|e| format!("no readable Parquet footer ({e})"))?;
    let rows = footer.metadata().file_metadata().num_rows();
    let schema = Schema::new(footer.schema().fields().clone());
    Ok((Arc::new(schema), u64::try_from(rows).unwrap_or(0)))
}

/// Columns as the user declares them.
pub(crate) fn declared(columns: &[ColumnEntry]) -> Result<SchemaRef, String> {
    for (i, column) in columns.iter().enumerate() {
        if columns.iter().take(i).any(|c| c.name == column.name) {
            return Err(format!("column `{}` is declared twice", column.name));
        }
    }
    let field = |c: &ColumnEntry| type_named(&c.data_type).map(|t| Field::new(&c.name, t, true));
    columns.iter().map(field).collect::<Result<Vec<_>, _>>().map(|f| Arc::new(Schema::new(f)))
}

fn type_named(name: &str) -> Result<DataType, String> {
    let unknown =
        || format!("unknown type `{name}`; there are bool, int32, int64, float64, text, date, timestamp, decimal(P,S)");
    Ok(match name {
        "bool" => DataType::Boolean,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "float64" => DataType::Float64,
        "text" => DataType::Utf8,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None),
        _ => {
            let inner = name.strip_prefix("decimal(").and_then(|n| n.strip_suffix(')')).ok_or_else(unknown)?;
            let (precision, scale) = inner.split_once(',').ok_or_else(unknown)?;
            let precision: u8 = precision.trim().parse().map_err(|_| unknown())?;
            let scale: i8 = scale.trim().parse().map_err(|_| unknown())?;
            if !(1..=38).contains(&precision) || !(0..=38).contains(&scale) || scale as u8 > precision {
                return Err(unknown());
            }
            DataType::Decimal128(precision, scale)
        }
    })
}

/// The name of a type as [`type_named`] reads it; `text` for what a CSV file cannot say otherwise.
pub(super) fn name_of_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "bool".to_owned(),
        DataType::Int32 => "int32".to_owned(),
        DataType::Int64 => "int64".to_owned(),
        DataType::Float64 => "float64".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        DataType::Decimal128(p, s) => format!("decimal({p},{s})"),
        _ => "text".to_owned(),
    }
}

/// The files a path stands for, in order of their names. Only its last part may have `*`.
fn expand(path: &Path) -> Result<Vec<PathBuf>, DefinitionError> {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    if !name.contains('*') {
        return Ok(if path.is_file() { vec![path.to_owned()] } else { Vec::new() });
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let unreadable =
        |e: std::io::Error| DefinitionError::Unreadable { path: folder.to_owned(), message: e.to_string() };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let matches = path.file_name().and_then(|n| n.to_str()).is_some_and(|n| wildcard(name, n));
        if matches && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a pattern with `*` matches all of a name.
fn wildcard(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|tail| {
            // Every place the rest may begin at; names are short.
            (0..=tail.len()).filter(|&i| tail.is_char_boundary(i)).any(|i| wildcard(rest, tail.split_at(i).1))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_matches_any_run_of_characters() {
        for (pattern, name, matches) in [
            ("*.parquet", "a.parquet", true),
            ("part-*-of-*.csv", "part-1-of-2.csv", true),
            ("*.parquet", "a.csv", false),
            ("a*a", "a", false),
            ("*", "", true),
        ] {
            assert_eq!(wildcard(pattern, name), matches, "{pattern} {name}");
        }
    }

    #[test]
    fn every_declarable_type_has_its_name_back() {
        for name in ["bool", "int32", "int64", "float64", "text", "date", "timestamp", "decimal(15,2)"] {
            assert_eq!(type_named(name).map(|t| name_of_type(&t)), Ok(name.to_owned()));
        }
        assert!(type_named("decimal(99,2)").is_err());
        assert!(type_named("varchar").unwrap_err().contains("unknown type `varchar`; there are bool"));
    }

    proptest! {
        #[test]
        fn type_names_never_panic(name in "(decimal\\()?[0-9a-z,() -]{0,12}\\)?") {
            let _ = type_named(&name);
        }
    }
}

//! CSV files as the user has them: a header line whose names are columns, and types that only the user knows.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

/// Lines that column types are inferred from.
const SAMPLE_ROWS: usize = 10_000;
/// What some programs put before the first character of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The columns of a file, from its first lines.
pub(super) fn inferred_columns(path: &Path) -> Result<SchemaRef, String> {
    let (schema, rows) = format().infer_schema(open(path)?, Some(SAMPLE_ROWS)).map_err(|e| e.to_string())?;
    if schema.fields().is_empty() || rows == 0 {
        return Err("it has no header line or no rows".to_owned());
    }
    distinct(&schema)?;
    // A column whose sample is empty has no type; text holds whatever follows.
    let known = |f: &Arc<Field>| match f.data_type() {
        DataType::Null => Field::new(f.name(), DataType::Utf8, true),
        _ => f.as_ref().clone(),
    };
    Ok(Arc::new(Schema::new(schema.fields().iter().map(known).collect::<Vec<_>>())))
}

/// Whether the header of a file has the names of these columns, in this order. Readers go by position: without this,
/// two columns of one type that were declared in the wrong order would be taken for each other.
pub(super) fn has_columns(path: &Path, columns: &Schema) -> Result<(), String> {
    let (header, _) = format().infer_schema(open(path)?, Some(0)).map_err(|e| e.to_string())?;
    distinct(&header)?;
    let names = |s: &Schema| s.fields().iter().map(|f| format!("`{}`", f.name())).collect::<Vec<_>>().join(", ");
    let (found, wanted) = (names(&header), names(columns));
    if found == wanted {
        return Ok(());
    }
    let found = if found.is_empty() { "empty".to_owned() } else { found };
    Err(format!("its header is {found}, but `columns` says {wanted}; list its very names in the order of the file"))
}

/// A known answer. Without declared columns their types must be plain to see: an answer read with other types than a
/// result has would make a right result a wrong one.
pub(crate) fn answer(path: &Path, declared: Option<SchemaRef>) -> Result<RecordBatch, String> {
    if let Some(columns) = declared {
        return rows(path, &columns);
    }
    let inferred = inferred_columns(path)?;
    let plain = |t: &DataType| matches!(t, DataType::Int64 | DataType::Utf8 | DataType::Boolean);
    match inferred.fields().iter().find(|f| !plain(f.data_type())) {
        None => rows(path, &inferred),
        Some(f) => Err(format!(
            "text does not say which type `{}` has in the result (a decimal or a float, a date or a timestamp); declare \
             it: expected = {{ file = .., columns = [{{ name = \"{0}\", type = \"{}\" }}, ..] }}",
            f.name(),
            super::table::name_of_type(f.data_type())
        )),
    }
}

/// All rows of a small file whose columns are known.
fn rows(path: &Path, columns: &SchemaRef) -> Result<RecordBatch, String> {
    has_columns(path, columns)?;
    let reader = ReaderBuilder::new(Arc::clone(columns)).with_format(format()).build_buffered(open(path)?);
    let batches = reader.and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(|e| e.to_string())?;
    concat_batches(columns, &batches).map_err(|e| e.to_string())
}

fn format() -> Format {
    Format::default().with_header(true)
}

/// Opens a file whose first column has the name one sees.
fn open(path: &Path) -> Result<BufReader<File>, String> {
    let mut file = BufReader::new(File::open(path).map_err(|e| e.to_string())?);
    if file.fill_buf().map_err(|e| e.to_string())?.starts_with(BYTE_ORDER_MARK) {
        return Err("it begins with a byte-order mark, which readers take for a part of the first column's name; \
                    save it as UTF-8 without one"
            .to_owned());
    }
    Ok(file)
}

fn distinct(schema: &Schema) -> Result<(), String> {
    for (i, field) in schema.fields().iter().enumerate() {
        if schema.fields().iter().take(i).any(|f| f.name() == field.name()) {
            return Err(format!("its header has `{}` twice; no query could tell the two columns apart", field.name()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file<T>(text: &str, then: impl FnOnce(&Path) -> T) -> T {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        then(&path)
    }

    fn columns(names: &[&str]) -> SchemaRef {
        Arc::new(Schema::new(names.iter().map(|n| Field::new(*n, DataType::Int64, true)).collect::<Vec<_>>()))
    }

    #[test]
    fn columns_declared_in_another_order_than_the_header_are_refused() {
        let check = |text: &str, names: &[&str]| with_file(text, |path| has_columns(path, &columns(names)));
        assert_eq!(check("price,quantity\n1,2\n", &["price", "quantity"]), Ok(()));
        assert_eq!(check("\"price\",\"quantity\"\n", &["price", "quantity"]), Ok(()));
        insta::assert_snapshot!(check("price,quantity\n1,2\n", &["quantity", "price"]).unwrap_err(), @"its header is `price`, `quantity`, but `columns` says `quantity`, `price`; list its very names in the order of the file");
        for names in [&["price"][..], &["price", "quantity", "tax"], &["price", "Quantity"]] {
            assert!(check("price,quantity\n1,2\n", names).unwrap_err().contains("its header is `price`, `quantity`"));
        }
        assert!(check("", &["price"]).unwrap_err().contains("its header is empty"));
    }

    #[test]
    fn a_header_that_names_cannot_be_taken_from_is_refused() {
        let twice = with_file("a,b,a\n1,2,3\n", inferred_columns).unwrap_err();
        assert!(twice.contains("its header has `a` twice"), "{twice}");
        let marked = with_file("\u{feff}a,b\n1,2\n", inferred_columns).unwrap_err();
        assert!(marked.contains("byte-order mark"), "{marked}");
        assert!(with_file("a,b\n", inferred_columns).is_err());
    }

    #[test]
    fn an_answer_whose_types_cannot_be_seen_must_declare_them() {
        let undeclared = |text: &str| with_file(text, |path| answer(path, None));
        assert_eq!(undeclared("k,name\n1,a\n").map(|b| b.num_rows()), Ok(1));
        for ambiguous in ["price\n1.50\n", "day\n2026-01-01\n"] {
            let error = undeclared(ambiguous).unwrap_err();
            assert!(error.contains("does not say which type") && error.contains("columns = ["), "{error}");
        }
        let decimal = Arc::new(Schema::new(vec![Field::new("price", DataType::Decimal128(15, 2), true)]));
        let declared = with_file("price\n1.50\n", |path| answer(path, Some(Arc::clone(&decimal)))).unwrap();
        assert_eq!(declared.schema(), decimal);
    }

    #[test]
    fn values_that_are_not_of_the_declared_type_are_an_error() {
        assert_eq!(with_file("a\n7\n8\n", |p| rows(p, &columns(&["a"]))).unwrap().num_rows(), 2);
        assert_eq!(with_file("a\n", |p| rows(p, &columns(&["a"]))).unwrap().num_rows(), 0);
        assert!(with_file("a\nseven\n", |p| rows(p, &columns(&["a"]))).unwrap_err().contains("seven"));
    }
}

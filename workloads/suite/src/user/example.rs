//! `bench workload init`: a commented example made from the user's own files.

use super::table::{from_files, name_of_type};
use crate::definition::DefinitionError;
use crate::family::{FILE, format_of};
use bench_model::{Format, Table};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Writes `DIR/family.toml` and one query for each of the given Parquet and CSV files, which stay where they are. The
/// folder is created if needed. Returns the files written.
///
/// # Errors
/// No file given, a file that is neither Parquet nor CSV or cannot be read, two files that would give the same table
/// name, or a file that would be overwritten: then nothing is written.
pub fn init(dir: &Path, files: &[PathBuf]) -> Result<Vec<PathBuf>, DefinitionError> {
    let tables = files.iter().map(|f| table_of(f)).collect::<Result<Vec<_>, _>>()?;
    if tables.is_empty() {
        return Err(DefinitionError::invalid("--from", "give at least one Parquet or CSV file"));
    }
    for (i, table) in tables.iter().enumerate() {
        if tables.iter().take(i).any(|t| t.name == table.name) {
            let message = format!("two files would both be table `{}`; rename one of them", table.name);
            return Err(DefinitionError::invalid("--from", message));
        }
    }
    let mut texts = vec![(dir.join(FILE), family_text(dir, &tables))];
    texts.extend(tables.iter().map(|t| (dir.join(query_file(t)), query_text(t))));
    if let Some((path, _)) = texts.iter().find(|(path, _)| path.exists()) {
        return Err(DefinitionError::Exists { path: path.clone() });
    }
    fs::create_dir_all(dir).map_err(|source| DefinitionError::Unwritable { path: dir.to_owned(), source })?;
    texts.iter().try_for_each(|(path, text)| write_new(path, text))?;
    Ok(texts.into_iter().map(|(path, _)| path).collect())
}

/// Fails rather than overwrites, even if the file appeared a moment ago.
fn write_new(path: &Path, text: &str) -> Result<(), DefinitionError> {
    let written = File::create_new(path).and_then(|mut f| f.write_all(text.as_bytes()));
    written.map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => DefinitionError::Exists { path: path.to_owned() },
        _ => DefinitionError::Unwritable { path: path.to_owned(), source },
    })
}

fn table_of(file: &Path) -> Result<Table, DefinitionError> {
    let unreadable = |m: &str| DefinitionError::Unreadable { path: file.to_owned(), message: m.to_owned() };
    let format = file.to_str().and_then(format_of).ok_or_else(|| unreadable("it must be a .parquet or .csv file"))?;
    let stem = file.file_stem().and_then(|s| s.to_str()).ok_or_else(|| unreadable("it has no name"))?;
    from_files(&table_name(stem), format, vec![file.to_owned()], None)
}

/// A name that SQL takes without quotes.
fn table_name(stem: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = stem.chars().map(plain).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("t_{name}") }
}

fn query_file(table: &Table) -> String {
    format!("count-{}.sql", table.name)
}

fn query_text(table: &Table) -> String {
    let name = &table.name;
    let columns: String = table.schema.fields().iter().fold(String::new(), |mut text, f| {
        let _ = writeln!(text, "--   {} ({})", f.name(), f.data_type());
        text
    });
    let advice = format!("-- Replace this with a question of yours. `{name}` has these columns:\n");
    format!("{advice}{columns}SELECT count(*) AS n FROM {name}\n")
}

fn family_text(dir: &Path, tables: &[Table]) -> String {
    let name = dir.file_name().and_then(|n| n.to_str()).map_or_else(|| "mine".to_owned(), table_name);
    let mut text = format!(
        "# Workloads of your own. Run them with `bench run --workload-dir {}`.\n\
         # Every field that `bench` does not know is an error, so a typo cannot hide.\n\n\
         name = {}\n\
         title = \"One line on what this family is\"\n",
        dir.display(),
        quoted(&name)
    );
    for table in tables {
        table_text(&mut text, table);
    }
    for table in tables {
        let _ = write!(
            text,
            "\n[[workload]]\nname = \"count-{0}\"\ntitle = \"Count the rows of {0}\"\nsql = {1}\n",
            table.name,
            quoted(&query_file(table))
        );
    }
    if let Some(table) = tables.first() {
        steps_text(&mut text, table);
    }
    text
}

fn table_text(text: &mut String, table: &Table) {
    let files: Vec<String> = table.files.iter().map(|f| quoted(&f.display().to_string())).collect();
    let _ = write!(
        text,
        "\n# Paths are absolute or relative to this folder; `*` matches in the last part.\n\
         [[table]]\nname = {}\nfiles = [{}]\n",
        quoted(&table.name),
        files.join(", ")
    );
    if table.format == Format::Csv {
        text.push_str("# Inferred from the first lines.\n");
        text.push_str("# Types: bool, int32, int64, float64, text, date, timestamp, decimal(P,S).\n");
        text.push_str("columns = [\n");
        for f in table.schema.fields() {
            let _ =
                writeln!(text, "    {{ name = {}, type = \"{}\" }},", quoted(f.name()), name_of_type(f.data_type()));
        }
        text.push_str("]\n");
    }
}

fn steps_text(text: &mut String, table: &Table) {
    let column = table.schema.fields().first().map_or_else(|| "1".to_owned(), |f| f.name().clone());
    let identifier = format!("\"{}\"", column.replace('"', "\"\""));
    // Grouping by a column of the very name of the count would be ambiguous.
    let count = ["n", "rows", "how_many"].into_iter().find(|name| !name.eq_ignore_ascii_case(&column)).unwrap_or("n");
    let _ = write!(
        text,
        "\n# The same as dataframe steps: scan, filter, select, group, join, sort, limit, window, distinct, pivot.\n\
         [[workload]]\nname = \"top-{0}\"\ntitle = \"The most frequent values of one column\"\n\
         steps = [\n    {{ scan = {1} }},\n    {{ group = {{ by = [{2}], agg = [\"count(*) AS {3}\"] }} }},\n    \
         {{ sort = [{{ column = \"{3}\", descending = true }}] }},\n    {{ limit = 10 }},\n]\n\
         # How the answer is checked; every key is optional.\n\
         [workload.check]\n\
         order_by = [{{ column = \"{3}\", descending = true }}]\n\
         ties_at_cut = true                               # rows that tie with the last one may be others\n\
         # approx = {{ average = 1e-6 }}                    # relative tolerance of columns that are not exact\n\
         # expected = {{ file = \"answers/top.parquet\" }}    # a known answer\n\
         # CSV says no types, so a known answer in CSV declares its columns, in the order of its header:\n\
         # expected = {{ file = \"answers/top.csv\", columns = [{{ name = \"{3}\", type = \"int64\" }}] }}\n",
        table.name,
        quoted(&table.name),
        quoted(&identifier),
        count
    );
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

//! Families of workloads as folders of TOML and SQL: the built-in ones and the user's have the same format.

use crate::definition::DefinitionError;
use crate::graph_shape::{self, GraphShape};
use crate::user::{csv, table};
use arrow::array::RecordBatch;
use bench_model::{Check, Digest, Family, Format, Program, Query, SortKey, Step, Workload};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The file every family folder has.
pub(crate) const FILE: &str = "family.toml";

/// A workload and what is known about its answer.
#[derive(Clone, Debug)]
pub struct Definition {
    /// What to run.
    pub workload: Workload,
    /// Its answer, where that is known as rows; a known digest is in the workload's check.
    pub expected: Expected,
    /// The same question as SQL for another engine; only the script that makes stored answers reads it.
    pub oracle_sql: Option<String>,
    /// Whether the answer is of the size of what it is made from, and takes memory accordingly.
    pub large_answer: bool,
}

/// An answer known beforehand.
#[derive(Clone, Debug, Default)]
pub enum Expected {
    /// None, or a digest.
    #[default]
    Unknown,
    /// These rows.
    Rows {
        /// The answer.
        batch: RecordBatch,
        /// How it is known.
        origin: String,
    },
    /// The rows of this Parquet file. CSV files are read when they are found, and are rows.
    File {
        /// The file.
        path: PathBuf,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FamilyFile {
    pub(crate) name: String,
    pub(crate) title: String,
    #[serde(default, rename = "table")]
    pub(crate) tables: Vec<TableEntry>,
    #[serde(default, rename = "workload")]
    pub(crate) workloads: Vec<WorkloadEntry>,
}

/// A table of a user's family.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableEntry {
    pub(crate) name: String,
    pub(crate) files: Vec<String>,
    pub(crate) format: Option<Format>,
    #[serde(default)]
    pub(crate) columns: Vec<ColumnEntry>,
}

/// A declared column of a CSV table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColumnEntry {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) data_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkloadEntry {
    pub(crate) name: String,
    pub(crate) title: String,
    sql: Option<String>,
    steps: Option<Vec<Step>>,
    graph: Option<GraphEntry>,
    /// Whether the answer is of the size of what it is made from.
    #[serde(default)]
    large_answer: bool,
    #[serde(default)]
    check: CheckEntry,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GraphEntry {
    shape: GraphShape,
    tasks: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckEntry {
    #[serde(default)]
    approx: BTreeMap<String, f64>,
    #[serde(default)]
    order_by: Vec<SortKey>,
    #[serde(default)]
    ties_at_cut: bool,
    expected: Option<ExpectedEntry>,
}

/// Either a file or a digest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedEntry {
    /// A Parquet or CSV file in the folder.
    file: Option<String>,
    /// The columns of a CSV file: text does not say whether `1.50` is a decimal or a float.
    #[serde(default)]
    columns: Vec<ColumnEntry>,
    /// A digest, and how it was made.
    digest: Option<DigestEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DigestEntry {
    digest: Digest,
    origin: String,
}

/// What a family's definitions are resolved against.
pub(crate) struct Scope<'a> {
    /// The file that errors name.
    pub(crate) file: &'a str,
    /// The dataset its programs read.
    pub(crate) dataset: Option<String>,
    /// Replaces the task count of graphs.
    pub(crate) tasks: Option<u32>,
    /// The text of a file of the folder.
    pub(crate) text: &'a dyn Fn(&str) -> Result<String, DefinitionError>,
    /// A file of the folder as a path, for those that are not read here.
    pub(crate) path: &'a dyn Fn(&str) -> Result<PathBuf, DefinitionError>,
}

impl FamilyFile {
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, DefinitionError> {
        let family: Self = toml::from_str(text).map_err(|e| DefinitionError::toml(file, text, &e))?;
        let mut seen = BTreeSet::new();
        for workload in &family.workloads {
            check_name(file, "workload", &workload.name)?;
            if !seen.insert(workload.name.as_str()) {
                let message = format!("workload `{}` is there twice; give one of them another name", workload.name);
                return Err(DefinitionError::invalid(file, message));
            }
        }
        Ok(family)
    }
}

/// Names become file names, keys and columns of reports.
pub(crate) fn check_name(file: &str, what: &str, name: &str) -> Result<(), DefinitionError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.len() <= 100 && name.chars().all(plain) {
        return Ok(());
    }
    let message = format!("`{name}` cannot be the name of a {what}; use letters, digits, `-`, `_` and `.`");
    Err(DefinitionError::invalid(file, message))
}

impl WorkloadEntry {
    /// The workload it defines. The family follows from what it is: SQL text, steps or a graph.
    pub(crate) fn resolve(self, scope: &Scope<'_>) -> Result<Definition, DefinitionError> {
        let invalid = |m: &str| DefinitionError::invalid(scope.file, format!("workload `{}`: {m}", self.name));
        let (family, program) = match (&self.sql, self.steps, self.graph) {
            (Some(file), None, None) => (Family::Sql, Program::Query(Query::Sql((scope.text)(file)?))),
            (None, Some(steps), None) if matches!(steps.first(), Some(Step::Scan(_))) => {
                (Family::Dataframe, Program::Query(Query::Frame(steps)))
            }
            (None, Some(_), None) => return Err(invalid("its first step must be { scan = \"TABLE\" }")),
            (None, None, Some(graph)) => {
                let tasks = scope.tasks.unwrap_or(graph.tasks);
                (Family::Overhead, Program::Graph(graph.shape.graph(scope.file, tasks)?))
            }
            _ => return Err(invalid("it must have exactly one of `sql`, `steps` and `graph`")),
        };
        if let Some((column, _)) = self.check.approx.iter().find(|(_, t)| !(0.0..1.0).contains(*t)) {
            return Err(invalid(&format!("the tolerance of `{column}` must be at least 0 and below 1")));
        }
        let mut known = None;
        let expected = match (self.check.expected, &program) {
            (Some(ExpectedEntry { file: None, columns, digest: Some(entry) }), _) if columns.is_empty() => {
                known = Some((entry.digest, entry.origin));
                Expected::Unknown
            }
            (Some(ExpectedEntry { file: Some(file), columns, digest: None }), _) => {
                expected_file(scope, &self.name, &file, &columns)?
            }
            (Some(_), _) => {
                return Err(invalid("`expected` must have either `file`, for CSV with `columns`, or `digest`"));
            }
            (None, Program::Graph(graph)) => {
                let batch = graph_shape::answer(graph).map_err(|e| invalid(&e.to_string()))?;
                Expected::Rows { batch, origin: "by construction".to_owned() }
            }
            (None, Program::Query(_)) => Expected::Unknown,
        };
        let dataset = matches!(program, Program::Query(_)).then(|| scope.dataset.clone()).flatten();
        let CheckEntry { approx, order_by, ties_at_cut, .. } = self.check;
        let check = Check { approx, order_by, ties_at_cut, expected: known };
        let workload = Workload { name: self.name, family, title: self.title, program, dataset, check };
        Ok(Definition { workload, expected, oracle_sql: None, large_answer: self.large_answer })
    }

    /// The SQL file it names, if it does.
    pub(crate) fn sql_file(&self) -> Option<&str> {
        self.sql.as_deref()
    }
}

/// A known answer in a file. CSV is read here and now, with its declared types.
fn expected_file(
    scope: &Scope<'_>,
    workload: &str,
    file: &str,
    columns: &[ColumnEntry],
) -> Result<Expected, DefinitionError> {
    let invalid = |m: String| DefinitionError::invalid(scope.file, format!("workload `{workload}`: {m}"));
    let format = format_of(file)
        .ok_or_else(|| invalid(format!("the expected answer `{file}` must be a .parquet or .csv file")))?;
    let path = (scope.path)(file)?;
    match format {
        Format::Parquet if columns.is_empty() => Ok(Expected::File { path }),
        Format::Parquet => Err(invalid(format!("`columns` are for CSV answers; `{file}` has its own"))),
        Format::Csv => {
            let declared = table::declared(columns).map_err(invalid)?;
            let declared = (!columns.is_empty()).then_some(declared);
            let batch = csv::answer(&path, declared).map_err(|m| invalid(format!("the answer `{file}`: {m}")))?;
            Ok(Expected::Rows { batch, origin: path.display().to_string() })
        }
    }
}

/// The format that a file name ends with.
pub(crate) fn format_of(file: &str) -> Option<Format> {
    let (_, extension) = file.rsplit_once('.')?;
    match extension.to_ascii_lowercase().as_str() {
        "parquet" => Some(Format::Parquet),
        "csv" => Some(Format::Csv),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<Vec<Definition>, DefinitionError> {
        let scope = Scope {
            file: "f.toml",
            dataset: Some("d".into()),
            tasks: None,
            text: &|file| Ok(format!("SELECT '{file}'")),
            path: &|file| Ok(PathBuf::from(file)),
        };
        FamilyFile::parse("f.toml", text)?.workloads.into_iter().map(|w| w.resolve(&scope)).collect()
    }

    fn error(workload: &str) -> String {
        let head = "name = \"f\"\ntitle = \"t\"\n[[workload]]\nname = \"w\"\ntitle = \"t\"\n";
        resolve(&format!("{head}{workload}\n")).unwrap_err().to_string()
    }

    #[test]
    fn mistakes_are_answered_with_file_line_and_what_to_write() {
        let mistakes = [
            "speed = 1",
            "title = \"again\"",
            "steps = [{ scan = \"t\" }, { fitler = \"a > 1\" }]",
            "steps = [{ filter = \"a > 1\" }]",
            "",
            "sql = \"a.sql\"\ncheck.expected.file = \"a.xlsx\"",
            "sql = \"a.sql\"\ncheck.approx = { a = 2.0 }",
            "graph = { shape = \"chain\", tasks = 1 }",
        ];
        insta::assert_snapshot!(mistakes.map(error).join("\n"), @r#"
        f.toml:6: unknown field `speed`, expected one of `name`, `title`, `sql`, `steps`, `graph`, `large_answer`, `check`
        f.toml:6: duplicate key
        f.toml:6: unknown variant `fitler`, expected one of `scan`, `filter`, `select`, `group`, `join`, `sort`, `limit`, `window`, `distinct`, `pivot`
        f.toml: workload `w`: its first step must be { scan = "TABLE" }
        f.toml: workload `w`: it must have exactly one of `sql`, `steps` and `graph`
        f.toml: workload `w`: the expected answer `a.xlsx` must be a .parquet or .csv file
        f.toml: workload `w`: the tolerance of `a` must be at least 0 and below 1
        f.toml: a graph of 1 tasks is out of range; it takes between 3 and 10000000
        "#);
    }

    #[test]
    fn duplicate_and_unprintable_names_are_refused() {
        let twice = "name = \"f\"\ntitle = \"t\"\n[[workload]]\nname = \"w\"\ntitle = \"t\"\nsql = \"a\"\n\
                     [[workload]]\nname = \"w\"\ntitle = \"t\"\nsql = \"b\"\n";
        assert!(resolve(twice).unwrap_err().to_string().contains("workload `w` is there twice"));
        let evil = "name = \"f\"\ntitle = \"t\"\n[[workload]]\nname = \"../w\"\ntitle = \"t\"\nsql = \"a\"\n";
        assert!(resolve(evil).unwrap_err().to_string().contains("cannot be the name of a workload"));
    }

    /// One of everything a family may have, in few bytes.
    const EVERYTHING: &str = r#"name = "f"
title = "t"
[[table]]
name = "t"
files = ["a*.csv", "b.csv"]
format = "csv"
columns = [{ name = "a", type = "decimal(9,2)" }]
[[workload]]
name = "q"
title = "t"
sql = "q.sql"
large_answer = true
[workload.check]
approx = { a = 1e-6 }
order_by = [{ column = "a", descending = true }]
ties_at_cut = true
expected = { file = "q.parquet" }
[[workload]]
name = "d"
title = "t"
steps = [{ scan = "t" }, { filter = "a > 1" }, { limit = 9 }, "distinct"]
[[workload]]
name = "g"
title = "t"
graph = { shape = "tree", tasks = 9 }
"#;

    #[test]
    fn a_family_with_any_byte_changed_is_resolved_or_refused_with_its_file() {
        assert_eq!(resolve(EVERYTHING).unwrap().len(), 3);
        let (mut resolved, mut refused) = (0, 0);
        crate::fuzz::each_changed(EVERYTHING, |changed| match resolve(changed) {
            Ok(definitions) => {
                resolved += 1;
                assert!(definitions.iter().all(|d| !d.workload.name.contains(['/', '\\', ' '])), "{changed}");
            }
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("f.toml"), "{error}");
            }
        });
        assert!(resolved > 200 && refused > 200, "{resolved} resolved, {refused} refused");
    }

    #[test]
    fn an_expected_answer_is_a_file_or_a_digest() {
        insta::assert_snapshot!(error("sql = \"a.sql\"\ncheck.expected = {}"), @"f.toml: workload `w`: `expected` must have either `file`, for CSV with `columns`, or `digest`");
        insta::assert_snapshot!(error("sql = \"a.sql\"\ncheck.expected = { file = \"a.parquet\", columns = [{ name = \"a\", type = \"text\" }] }"), @"f.toml: workload `w`: `columns` are for CSV answers; `a.parquet` has its own");
    }
}

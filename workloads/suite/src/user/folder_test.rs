//! What a user's folder may be, tried on small ones.

use super::*;
use crate::family::Expected;
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use bench_model::{Family, Format};
use parquet::arrow::ArrowWriter;
use std::fs;
use std::path::Path;
use std::sync::Arc;

fn parquet(path: &Path, column: &str) {
    let values: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let batch = RecordBatch::try_from_iter([(column, values)]).unwrap();
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn error(dir: &Path, family: &str) -> String {
    fs::write(dir.join("family.toml"), family).unwrap();
    let text = load_dir(dir).unwrap_err().to_string();
    text.replace(&dir.display().to_string(), "DIR")
}

#[test]
fn an_example_made_from_files_can_be_loaded_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    let csv = root.path().join("Daily sales.csv");
    fs::write(&csv, "day,shop,amount,note\n2026-01-01,Oslo,1.5,\n2026-01-02,Bergen,2.25,\n").unwrap();
    let events = root.path().join("events.parquet");
    parquet(&events, "user id");
    let dir = root.path().join("mine");
    let written = init(&dir, &[csv, events]).unwrap();
    assert_eq!(written.len(), 3);

    let family = load_dir(&dir).unwrap();
    let names: Vec<(&str, Family)> =
        family.workloads.iter().map(|d| (d.workload.name.as_str(), d.workload.family)).collect();
    let expected =
        [("count-daily_sales", Family::Sql), ("count-events", Family::Sql), ("top-daily_sales", Family::Dataframe)];
    assert_eq!(names, expected);
    assert_eq!(family.dataset.name, "mine");
    let [sales, events] = family.dataset.tables.as_slice() else { panic!("two tables") };
    assert_eq!((sales.format, events.format, events.rows), (Format::Csv, Format::Parquet, 3));
    let types: Vec<String> = sales.schema.fields().iter().map(|f| f.data_type().to_string()).collect();
    assert_eq!(types, ["Date32", "Utf8", "Float64", "Utf8"]);

    let again = init(&dir, &[root.path().join("events.parquet")]).unwrap_err().to_string();
    assert!(again.contains("family.toml exists already and is not overwritten"), "{again}");
}

#[test]
fn tables_may_have_many_files_and_answers_may_be_known() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("t")).unwrap();
    parquet(&dir.path().join("t/1.parquet"), "a");
    parquet(&dir.path().join("t/2.parquet"), "a");
    fs::write(dir.path().join("q.sql"), "SELECT count(*) AS n FROM t").unwrap();
    fs::write(dir.path().join("n.csv"), "n\n6\n").unwrap();
    let family = "name = \"mine\"\ntitle = \"t\"\n[[table]]\nname = \"t\"\nfiles = [\"t/*.parquet\"]\n\
                  [[workload]]\nname = \"q\"\ntitle = \"t\"\nsql = \"q.sql\"\ncheck.expected.file = \"n.csv\"\n";
    fs::write(dir.path().join("family.toml"), family).unwrap();
    let family = load_dir(dir.path()).unwrap();
    assert_eq!((family.dataset.tables[0].files.len(), family.dataset.tables[0].rows), (2, 6));
    assert!(matches!(&family.workloads[0].expected, Expected::File { format: Format::Csv, .. }));
    assert_eq!(family.workloads[0].workload.dataset.as_deref(), Some("mine"));
}

#[test]
fn mistakes_in_a_folder_name_the_file() {
    let dir = tempfile::tempdir().unwrap();
    parquet(&dir.path().join("a.parquet"), "a");
    parquet(&dir.path().join("b.parquet"), "b");
    fs::write(dir.path().join("c.parquet"), "not parquet").unwrap();
    let nothing = load_dir(dir.path()).unwrap_err().to_string();
    assert!(nothing.contains("family.toml: No such file"), "{nothing}");

    let head = "name = \"f\"\ntitle = \"t\"\n";
    let workload = "[[workload]]\nname = \"w\"\ntitle = \"t\"\nsql = \"w.sql\"\n";
    let table = |files: &str| format!("{head}{workload}[[table]]\nname = \"t\"\nfiles = [{files}]\n");
    insta::assert_snapshot!(error(dir.path(), head), @"DIR/family.toml: it defines no [[workload]]");
    insta::assert_snapshot!(error(dir.path(), &format!("{head}color = 1\n")), @"DIR/family.toml:3: unknown field `color`, expected one of `name`, `title`, `table`, `workload`");
    insta::assert_snapshot!(error(dir.path(), &table("\"none.parquet\"")), @"DIR/family.toml: table `t`: no file matches `none.parquet`");
    insta::assert_snapshot!(error(dir.path(), &table("\"a.parquet\", \"b.parquet\"")), @"cannot read DIR/b.parquet: its columns differ from those of DIR/a.parquet; declare one table for each");
    insta::assert_snapshot!(error(dir.path(), &table("\"a.parquet\"")), @"cannot read DIR/w.sql: No such file or directory (os error 2)");
    let broken = error(dir.path(), &table("\"c.parquet\""));
    assert!(broken.contains("DIR/c.parquet: no readable Parquet footer"), "{broken}");
    let outside = table("\"a.parquet\"").replace("w.sql", "../w.sql");
    insta::assert_snapshot!(error(dir.path(), &outside), @"DIR/family.toml: `../w.sql` must be a file inside of the folder");
}

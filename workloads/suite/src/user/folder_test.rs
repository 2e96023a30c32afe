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
    assert!(matches!(&family.workloads[0].expected, Expected::Rows { batch, .. } if batch.num_rows() == 1));
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

#[test]
fn columns_in_another_order_than_the_header_are_refused_with_the_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.csv"), "price,quantity\n1,2\n").unwrap();
    fs::write(dir.path().join("b.csv"), "quantity,price\n1,2\n").unwrap();
    fs::write(dir.path().join("w.sql"), "SELECT 1").unwrap();
    let family = |files: &str, columns: &str| {
        format!(
            "name = \"f\"\ntitle = \"t\"\n[[workload]]\nname = \"w\"\ntitle = \"t\"\nsql = \"w.sql\"\n\
             [[table]]\nname = \"t\"\nfiles = [{files}]\n{columns}"
        )
    };
    let declared = "columns = [{ name = \"price\", type = \"int64\" }, { name = \"quantity\", type = \"int64\" }]\n";
    fs::write(dir.path().join("family.toml"), family("\"a.csv\"", declared)).unwrap();
    assert_eq!(load_dir(dir.path()).unwrap().dataset.tables[0].schema.fields().len(), 2);
    // The second file has them the other way round: by position, prices would be quantities.
    insta::assert_snapshot!(error(dir.path(), &family("\"*.csv\"", declared)), @"cannot read DIR/b.csv: its header is `quantity`, `price`, but `columns` says `price`, `quantity`; list its very names in the order of the file");
    insta::assert_snapshot!(error(dir.path(), &family("\"*.csv\"", "")), @"cannot read DIR/b.csv: its columns differ from those of DIR/a.csv; declare one table for each");
    fs::write(dir.path().join("b.csv"), "price,quantity\n1.5,2\n").unwrap();
    insta::assert_snapshot!(error(dir.path(), &family("\"*.csv\"", "")), @"cannot read DIR/b.csv: its column `price` looks like float64 and that of DIR/a.csv like int64; declare the table's `columns` with their types");
}

#[test]
fn a_known_answer_in_csv_has_the_types_that_are_declared() {
    let dir = tempfile::tempdir().unwrap();
    parquet(&dir.path().join("t.parquet"), "a");
    fs::write(dir.path().join("q.sql"), "SELECT 1").unwrap();
    fs::write(dir.path().join("a.csv"), "total\n1.50\n").unwrap();
    let family = |expected: &str| {
        format!(
            "name = \"mine\"\ntitle = \"t\"\n[[table]]\nname = \"t\"\nfiles = [\"t.parquet\"]\n\
             [[workload]]\nname = \"q\"\ntitle = \"t\"\nsql = \"q.sql\"\ncheck.expected = {expected}\n"
        )
    };
    let declared = "{ file = \"a.csv\", columns = [{ name = \"total\", type = \"decimal(15,2)\" }] }";
    fs::write(dir.path().join("family.toml"), family(declared)).unwrap();
    let loaded = load_dir(dir.path()).unwrap();
    let Expected::Rows { batch, .. } = &loaded.workloads[0].expected else { panic!("rows") };
    assert_eq!(batch.schema().field(0).data_type().to_string(), "Decimal128(15, 2)");
    let undeclared = error(dir.path(), &family("{ file = \"a.csv\" }"));
    assert!(undeclared.contains("the answer `a.csv`: text does not say which type `total` has"), "{undeclared}");
    let other = declared.replace("total", "sum");
    assert!(error(dir.path(), &family(&other)).contains("its header is `total`"));
}

#[test]
fn a_family_cannot_take_the_place_of_a_built_in_table_set() {
    let dir = tempfile::tempdir().unwrap();
    let family = "name = \"tpch-sf1\"\ntitle = \"t\"\n[[workload]]\nname = \"w\"\ntitle = \"t\"\nsql = \"w.sql\"\n";
    insta::assert_snapshot!(error(dir.path(), family), @"DIR/family.toml: `tpch-sf1` is the name of a built-in table set; give the family another name");
}

#[test]
fn an_example_whose_first_column_is_called_n_groups_by_it() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("t.parquet");
    parquet(&file, "N");
    init(&root.path().join("mine"), &[file]).unwrap();
    let text = fs::read_to_string(root.path().join("mine/family.toml")).unwrap();
    assert!(text.contains("agg = [\"count(*) AS rows\"]") && text.contains("column = \"rows\""), "{text}");
    load_dir(&root.path().join("mine")).unwrap();
}

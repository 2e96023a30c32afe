//! Rows for notebooks.

use crate::{fixture, runs};
use arrow::array::AsArray;
use arrow::datatypes::{DataType, Float64Type, UInt64Type};
use arrow::ipc::reader::FileReader;
use arrow::record_batch::RecordBatch;
use bench_reports::{Options, Rows, arrow_file, compare_with_sources, csv, rows};

fn table(of: Rows) -> RecordBatch {
    let runs = [fixture::run()];
    let (comparison, sources) = compare_with_sources(&runs, &Options::default()).unwrap();
    rows(&comparison, &sources, of).unwrap()
}

#[test]
fn there_is_a_row_per_observation_and_its_numbers_are_numbers() {
    let (batch, run) = (table(Rows::Observations), fixture::run());
    assert_eq!(batch.num_rows(), run.observations.len());
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let lines = column("line").as_primitive::<UInt64Type>().values();
    for (row, line) in lines.iter().enumerate() {
        let o = &run.observations[*line as usize - 1];
        assert_eq!(column("key").as_string::<i32>().value(row), o.key.as_str());
        let wall = column("wall_ns");
        assert_eq!(wall.is_valid(row).then(|| wall.as_primitive::<UInt64Type>().value(row)), o.wall_ns);
    }
    let compute = column("span_compute_ns");
    assert_eq!(compute.len() - compute.null_count(), run.observations.iter().filter(|o| o.spans.is_some()).count());
}

#[test]
fn there_is_a_row_per_cell_with_its_ratio() {
    let batch = table(Rows::Cells);
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let at = (0..batch.num_rows()).find(|i| {
        column("workload").as_string::<i32>().value(*i) == "tpch-q01"
            && column("contestant").as_string::<i32>().value(*i) == "stagedag"
    });
    let at = at.unwrap();
    let ratio = column("against_best").as_primitive::<Float64Type>().value(at);
    assert!((ratio - 512.0 / 410.0).abs() < 1e-9, "{ratio}");
    assert_eq!(column("against_best_verdict").as_string::<i32>().value(at), "slower");
}

#[test]
fn an_arrow_file_reads_back_as_it_was() {
    for of in [Rows::Observations, Rows::Cells] {
        let batch = table(of);
        let mut read = FileReader::try_new(std::io::Cursor::new(arrow_file(&batch).unwrap()), None).unwrap();
        assert_eq!(read.next().unwrap().unwrap(), batch);
        assert!(read.next().is_none());
    }
}

#[test]
fn csv_has_a_header_and_plain_numbers() {
    let text = String::from_utf8(csv(&table(Rows::Cells)).unwrap()).unwrap();
    let start: Vec<&str> = text.lines().take(3).collect();
    insta::assert_snapshot!(start.join("\n"), @r#"
    suite,protocol,scale,machine,family,workload,contestant,engine,variant,cluster,nodes,slots,cores,baseline,outcome,reason,is_winner,noise_floor,trials,completed,contaminated,excluded,wall_ns_median,wall_ns_low,wall_ns_high,wall_cv,cpu_ns_median,rss_bytes_peak,read_bytes_median,write_bytes_median,spilled_bytes_median,against_best,against_best_low,against_best_high,against_best_verdict,against_best_p,against_baseline,against_baseline_low,against_baseline_high,against_baseline_verdict,against_baseline_p
    1gb,warm-1,1,048219d77a3e3fb3,sql,tpch-q01,stagedag,stagedag,default,local,1,2,2.0,datafusion,completed,,false,0.010000000000000009,5,5,0,0,512000000.0,501760000.0,522240000.0,0.01499933158382658,921600000.0,293601284,,,,1.248780487804878,1.2165058429908355,1.2819113987058237,slower,0.007936507936507936,1.248780487804878,1.2165058429908355,1.2819113987058237,slower,0.007936507936507936
    1gb,warm-1,1,048219d77a3e3fb3,sql,tpch-q01,datafusion,datafusion,default,local,1,2,2.0,datafusion,completed,,true,0.010000000000000009,5,5,0,0,410000000.0,401800000.0,418200000.0,0.01499933158382658,738000000.0,293601284,,,,,,,,,,,,,
    "#);
    let text = String::from_utf8(csv(&table(Rows::Observations)).unwrap()).unwrap();
    insta::assert_snapshot!(text.lines().nth(1).unwrap(), @"run-a,1,tpch-q01.datafusion.7a0773d769f0fc10,1gb,sql,tpch-q01,datafusion,datafusion,55.2.0,default,local,1,2,2.0,warm-1,1,048219d77a3e3fb3,5f1c9a,,main,0,2026-11-22T19:04:05.123Z,completed,,false,false,false,,412460000,742428000,293601280,,,,,4,duckdb 1.4.1,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,");
    assert_eq!(text.lines().count(), 1 + fixture::run().observations.len());
}

#[test]
fn the_document_names_every_column() {
    let document = include_str!("../../../docs/reports.md");
    for of in [Rows::Observations, Rows::Cells] {
        for field in table(of).schema().fields() {
            let name = field.name();
            let known = if name.starts_with("span_") { "span_KIND_ns" } else { name.trim_end_matches(['_']) };
            assert!(document.contains(&format!("`{known}`")) || document.contains(&format!("`{name}`")), "{name}");
            assert!(!matches!(field.data_type(), DataType::Null), "{name}");
        }
    }
}

#[test]
fn node_counts_are_rows_of_their_own() {
    let runs = [runs::nodes()];
    let (comparison, sources) = compare_with_sources(&runs, &Options::default()).unwrap();
    let batch = rows(&comparison, &sources, Rows::Cells).unwrap();
    assert_eq!(batch.num_rows(), 3 * (3 * 3 + 1));
}

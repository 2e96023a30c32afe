//! DataFusion's own run of the plan that is cut, and the comparison of two answers.

use bench_model::{Dataset, SortKey, Workload};
use bench_plan::{Tables, baseline_config, data_frame};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::{SortColumn, SortOptions, concat_batches, lexsort_to_indices};
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::execution::runtime_env::RuntimeEnv;
use std::sync::Arc;

/// Relative difference allowed between floating-point values: sums in another order.
const TOLERANCE: f64 = 1e-9;

/// The whole plan on one thread, without any cut.
pub(crate) fn whole_plan(data: &[Arc<Dataset>], workload: &Workload) -> Vec<RecordBatch> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let config = baseline_config(1);
        let tables = Tables::open(data, &config, &Arc::new(RuntimeEnv::default())).await.unwrap();
        let context = tables.context(workload.dataset.as_deref(), &config).unwrap();
        data_frame(&context, workload).await.unwrap().collect().await.unwrap()
    })
}

/// Panics unless both answers have the same rows, and the second has them in the order asked for.
pub(crate) fn assert_same(name: &str, expected: &[RecordBatch], given: &[RecordBatch], order: &[SortKey]) {
    let (expected_rows, given_rows) = (rows(expected), rows(given));
    assert_eq!(expected_rows.len(), given_rows.len(), "{name}: number of rows");
    for ((key, floats), (given_key, given_floats)) in expected_rows.iter().zip(&given_rows) {
        assert_eq!(key, given_key, "{name}");
        for (a, b) in floats.iter().zip(given_floats) {
            let near = (a - b).abs() <= TOLERANCE * a.abs().max(1.0) || (a.is_nan() && b.is_nan());
            assert!(near, "{name}: {a} and {b} in {key:?}");
        }
    }
    assert_ordered(name, given, order);
}

type Row = (Vec<String>, Vec<f64>);

/// The rows as text and floats, sorted. NULL floats are text.
fn rows(batches: &[RecordBatch]) -> Vec<Row> {
    let mut rows = vec![];
    for batch in batches {
        let options = FormatOptions::default().with_null("NULL");
        let columns: Vec<(&ArrayRef, ArrayFormatter<'_>)> =
            batch.columns().iter().map(|c| (c, ArrayFormatter::try_new(c, &options).unwrap())).collect();
        for i in 0..batch.num_rows() {
            let mut row = Row::default();
            for (column, text) in &columns {
                if column.data_type() == &DataType::Float64 && column.is_valid(i) {
                    row.1.push(column.as_primitive::<Float64Type>().value(i));
                } else {
                    row.0.push(text.value(i).to_string());
                }
            }
            rows.push(row);
        }
    }
    rows.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    rows
}

fn assert_ordered(name: &str, batches: &[RecordBatch], order: &[SortKey]) {
    let Some(first) = batches.first().filter(|_| !order.is_empty()) else { return };
    let all = concat_batches(&first.schema(), batches).unwrap();
    let keys: Vec<SortColumn> = order
        .iter()
        .map(|key| {
            let options = SortOptions { descending: key.descending, nulls_first: key.nulls_first };
            SortColumn { values: Arc::clone(all.column_by_name(&key.column).unwrap()), options: Some(options) }
        })
        .collect();
    let sorted = lexsort_to_indices(&keys, None).unwrap();
    for key in &keys {
        let by_order = datafusion::arrow::compute::take(&key.values, &sorted, None).unwrap();
        assert!(by_order.to_data() == key.values.to_data(), "{name}: the rows are not in order");
    }
}

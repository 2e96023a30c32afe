//! Keeps written batches from holding on to memory they do not show.

use arrow::array::{Array, ArrayRef, AsArray, GenericByteViewArray, RecordBatch, RecordBatchOptions};
use arrow::compute::concat_batches;
use arrow::datatypes::{ByteViewType, DataType, SchemaRef};
use arrow::error::ArrowError;
use std::sync::Arc;

/// Batches of at least half as many rows are passed on as they are, smaller ones are joined up to this many.
const BATCH_ROWS: usize = 8192;

/// A copy whose string and binary views refer to little more than what they show.
///
/// Hash partitioning leaves each part with views into the whole input's buffers: written as they are, every output would
/// carry every string. A batch that is compact already is passed on as it is, for a look at each of its views.
pub(super) fn compact(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    if !batch.columns().iter().any(sparse) {
        return Ok(batch);
    }
    let columns = batch.columns().iter().map(|c| -> ArrayRef {
        match c.data_type() {
            DataType::Utf8View if sparse(c) => Arc::new(c.as_string_view().gc()),
            DataType::BinaryView if sparse(c) => Arc::new(c.as_binary_view().gc()),
            _ => Arc::clone(c),
        }
    });
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns.collect(), &rows)
}

fn sparse(column: &ArrayRef) -> bool {
    match column.data_type() {
        DataType::Utf8View => views_are_sparse(column.as_string_view()),
        DataType::BinaryView => views_are_sparse(column.as_binary_view()),
        _ => false,
    }
}

fn views_are_sparse<T: ByteViewType>(array: &GenericByteViewArray<T>) -> bool {
    let held: usize = array.data_buffers().iter().map(|b| b.len()).sum();
    held > 0 && held > 2 * array.total_buffer_bytes_used()
}

/// How many bytes a batch's rows take in memory, without what slices of larger arrays leave out.
pub(super) fn size_of(batch: &RecordBatch) -> u64 {
    batch.columns().iter().map(|c| column_size(c) as u64).sum()
}

fn column_size(column: &ArrayRef) -> usize {
    let views = |buffers: &[arrow::buffer::Buffer]| {
        column.len() * 16 + buffers.iter().map(|b| b.len()).sum::<usize>() + column.len().div_ceil(8)
    };
    match column.data_type() {
        DataType::Utf8View => views(column.as_string_view().data_buffers()),
        DataType::BinaryView => views(column.as_binary_view().data_buffers()),
        _ => column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size()),
    }
}

/// Joins runs of small neighbors, so that readers see batches of a workable size. Keeps the order of rows.
pub(super) fn join_small(schema: &SchemaRef, batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, ArrowError> {
    if batches.len() < 2 {
        return Ok(batches);
    }
    let mut joined = Vec::new();
    let mut run: Vec<RecordBatch> = Vec::new();
    let mut rows = 0;
    for batch in batches {
        let large = batch.num_rows() >= BATCH_ROWS / 2;
        if large || rows + batch.num_rows() > BATCH_ROWS {
            flush(schema, &mut run, &mut joined)?;
            rows = 0;
        }
        if large {
            joined.push(batch);
        } else {
            rows += batch.num_rows();
            run.push(batch);
        }
    }
    flush(schema, &mut run, &mut joined)?;
    Ok(joined)
}

fn flush(schema: &SchemaRef, run: &mut Vec<RecordBatch>, joined: &mut Vec<RecordBatch>) -> Result<(), ArrowError> {
    match run.len() {
        0 => {}
        1 => joined.append(run),
        _ => {
            joined.push(concat_batches(schema, run.iter())?);
            run.clear();
        }
    }
    Ok(())
}

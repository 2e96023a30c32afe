//! A task's rows become its output blocks. One partition function for every style, so that equal keys meet in the same
//! place whoever shuffles.
//!
//! Batches leave here as they are: a batch may hold more text than its rows show, and whoever keeps it for longer than
//! the next task's read leaves that behind (the block store does when it writes).

use crate::fragment::Cut;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::BatchCoalescer;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::physical_plan::metrics::Time;
use datafusion::physical_plan::repartition::BatchPartitioner;
use std::sync::Arc;

/// Routes batches to output blocks, in batches of a fixed size.
///
/// Rows of one output keep their order. Hashes come from DataFusion's repartitioning function with its fixed seed.
pub struct Partitioner {
    route: Route,
    /// What one batch of the task became, by output; drained by whoever pushes.
    ready: Vec<(u32, RecordBatch)>,
}

enum Route {
    /// Everything goes to output 0 as it comes.
    Whole,
    /// Everything goes to output 0, in large batches.
    Large(Box<BatchCoalescer>),
    /// By hash of keys.
    Hash(Box<BatchPartitioner>, Vec<BatchCoalescer>),
}

impl Partitioner {
    /// A partitioner for the rows of one task, which have the columns of `schema`.
    ///
    /// # Errors
    /// A hash cut without outputs.
    pub fn new(cut: &Cut, schema: &SchemaRef, batch_rows: usize) -> Result<Self> {
        let coalescer = || {
            let large = Some(batch_rows / 2);
            BatchCoalescer::new(Arc::clone(schema), batch_rows).with_biggest_coalesce_batch_size(large)
        };
        let route = match cut {
            Cut::Collect => Route::Whole,
            _ if schema.fields().is_empty() => Route::Whole,
            Cut::Hash { keys, outputs } if *outputs != 1 => {
                let router = BatchPartitioner::new_hash_partitioner(keys.clone(), *outputs as usize, Time::new())?;
                Route::Hash(Box::new(router), (0..*outputs).map(|_| coalescer()).collect())
            }
            Cut::Hash { .. } | Cut::Gather | Cut::Broadcast => Route::Large(Box::new(coalescer())),
        };
        Ok(Self { route, ready: vec![] })
    }

    /// Takes a batch and gives the batches that became full, each with its output.
    ///
    /// # Errors
    /// A key expression fails.
    pub fn push(&mut self, batch: RecordBatch) -> Result<std::vec::Drain<'_, (u32, RecordBatch)>> {
        match &mut self.route {
            Route::Whole => self.ready.push((0, batch)),
            Route::Large(coalescer) => {
                coalescer.push_batch(batch)?;
                drain(0, coalescer, &mut self.ready);
            }
            Route::Hash(router, coalescers) => {
                for part in router.partition_iter(batch)? {
                    let (output, part) = part?;
                    if let Some(coalescer) = coalescers.get_mut(output) {
                        coalescer.push_batch(part)?;
                        drain(output as u32, coalescer, &mut self.ready);
                    }
                }
            }
        }
        Ok(self.ready.drain(..))
    }

    /// Gives what is left, each batch with its output.
    ///
    /// # Errors
    /// Rows that cannot be put together.
    pub fn finish(mut self) -> Result<Vec<(u32, RecordBatch)>> {
        match &mut self.route {
            Route::Whole => {}
            Route::Large(coalescer) => {
                coalescer.finish_buffered_batch()?;
                drain(0, coalescer, &mut self.ready);
            }
            Route::Hash(_, coalescers) => {
                for (output, coalescer) in coalescers.iter_mut().enumerate() {
                    coalescer.finish_buffered_batch()?;
                    drain(output as u32, coalescer, &mut self.ready);
                }
            }
        }
        Ok(self.ready)
    }
}

fn drain(output: u32, coalescer: &mut BatchCoalescer, ready: &mut Vec<(u32, RecordBatch)>) {
    while let Some(batch) = coalescer.next_completed_batch() {
        ready.push((output, batch));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, StringViewArray};
    use datafusion::physical_expr::expressions::col;
    use std::collections::BTreeMap;

    fn batch(rows: std::ops::Range<i64>) -> RecordBatch {
        let keys: ArrayRef = Arc::new(rows.clone().map(|i| i % 100).collect::<Int64Array>());
        let text = rows.map(|i| Some(format!("a text of more than twelve bytes {i}")));
        let text: ArrayRef = Arc::new(text.collect::<StringViewArray>());
        RecordBatch::try_from_iter([("k", keys), ("t", text)]).unwrap()
    }

    fn hash(outputs: u32, schema: &SchemaRef) -> Cut {
        Cut::Hash { keys: vec![col("k", schema).unwrap()], outputs }
    }

    #[test]
    fn equal_keys_meet_in_one_output_and_no_row_is_lost() {
        let schema = batch(0..1).schema();
        let mut partitioner = Partitioner::new(&hash(7, &schema), &schema, 64).unwrap();
        let mut out = vec![];
        for start in 0..10 {
            out.extend(partitioner.push(batch(start * 1000..(start + 1) * 1000)).unwrap());
        }
        out.extend(partitioner.finish().unwrap());
        let mut place = BTreeMap::new();
        let mut rows = 0;
        for (output, batch) in &out {
            rows += batch.num_rows();
            for key in batch.column(0).as_primitive::<datafusion::arrow::datatypes::Int64Type>().values() {
                assert_eq!(place.insert(*key, *output).unwrap_or(*output), *output);
            }
        }
        assert_eq!((rows, place.len()), (10_000, 100));
    }
}

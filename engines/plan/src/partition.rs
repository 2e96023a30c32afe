//! A task's rows become its output blocks. One partition function for every style, so that equal keys meet in the same
//! place whoever shuffles.
//!
//! Batches leave here as they are: a batch may hold more text than its rows show, and whoever keeps it for longer than
//! the next task's read leaves that behind (the block store does when it writes).

use crate::fragment::Cut;
use crate::replan::row_bytes;
use bench_model::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::BatchCoalescer;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::physical_plan::metrics::Time;
use datafusion::physical_plan::repartition::BatchPartitioner;
use std::sync::Arc;

/// Smaller batches than this cost their readers more than the memory they save.
const BATCH_ROWS_MIN: usize = 128;

/// Routes batches to output blocks, in batches of a fixed size.
///
/// Rows of one output keep their order. Hashes come from DataFusion's repartitioning function with its fixed seed.
pub struct Partitioner {
    route: Route,
    schema: SchemaRef,
    batch_rows: usize,
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
    /// A partitioner for the rows of one task, which have the columns of `schema`, into batches of `batch_rows` rows; of
    /// fewer, if it could not fill one for every output in `memory`.
    ///
    /// # Errors
    /// A hash cut without outputs.
    pub fn new(cut: &Cut, schema: &SchemaRef, batch_rows: usize, memory: Bytes) -> Result<Self> {
        let filling = row_bytes(schema).saturating_mul(u64::from(cut.outputs().max(1)));
        let fitting = usize::try_from(memory.get() / filling).unwrap_or(usize::MAX);
        let batch_rows = batch_rows.min(fitting.max(BATCH_ROWS_MIN));
        let coalescer = || coalescer(schema, batch_rows);
        let route = match cut {
            Cut::Collect => Route::Whole,
            _ if schema.fields().is_empty() => Route::Whole,
            Cut::Hash { keys, outputs } if *outputs != 1 => {
                let router = BatchPartitioner::new_hash_partitioner(keys.clone(), *outputs as usize, Time::new())?;
                Route::Hash(Box::new(router), (0..*outputs).map(|_| coalescer()).collect())
            }
            Cut::Hash { .. } | Cut::Gather | Cut::Broadcast => Route::Large(Box::new(coalescer())),
        };
        Ok(Self { route, schema: Arc::clone(schema), batch_rows, ready: vec![] })
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

    /// Memory that rows take which have not been given back.
    #[must_use]
    pub fn size(&self) -> Bytes {
        let bytes = match &self.route {
            Route::Whole => 0,
            Route::Large(coalescer) => coalescer.size(),
            Route::Hash(_, coalescers) => coalescers.iter().map(BatchCoalescer::size).sum(),
        };
        Bytes::new(bytes as u64)
    }

    /// Gives what is left, each batch with its output. More rows may follow.
    ///
    /// # Errors
    /// Rows that cannot be put together.
    pub fn flush(&mut self) -> Result<std::vec::Drain<'_, (u32, RecordBatch)>> {
        let coalescers = match &mut self.route {
            Route::Whole => &mut [],
            Route::Large(coalescer) => std::slice::from_mut(coalescer.as_mut()),
            Route::Hash(_, coalescers) => coalescers.as_mut_slice(),
        };
        for (output, coalescer) in (0..).zip(coalescers) {
            coalescer.finish_buffered_batch()?;
            drain(output, coalescer, &mut self.ready);
            // Its next buffers for text would begin as large as its last ones have become.
            *coalescer = self::coalescer(&self.schema, self.batch_rows);
        }
        Ok(self.ready.drain(..))
    }
}

fn coalescer(schema: &SchemaRef, batch_rows: usize) -> BatchCoalescer {
    let large = Some(batch_rows / 2);
    BatchCoalescer::new(Arc::clone(schema), batch_rows).with_biggest_coalesce_batch_size(large)
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
        let mut partitioner = Partitioner::new(&hash(7, &schema), &schema, 64, Bytes::new(u64::MAX)).unwrap();
        let mut out = vec![];
        for start in 0..10 {
            out.extend(partitioner.push(batch(start * 1000..(start + 1) * 1000)).unwrap());
        }
        out.extend(partitioner.flush().unwrap());
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

    #[test]
    fn what_it_holds_is_counted_and_flushing_gives_all_of_it() {
        let schema = batch(0..1).schema();
        let mut partitioner = Partitioner::new(&hash(7, &schema), &schema, 8192, Bytes::new(u64::MAX)).unwrap();
        let empty = partitioner.size();
        for _ in 0..2 {
            assert_eq!(partitioner.push(batch(0..1000)).unwrap().count(), 0, "no batch is full");
            // Eight bytes of key, sixteen of view and more than thirty of text a row.
            assert!(partitioner.size().get() > empty.get() + 54_000, "{}", partitioner.size());
            let rows: usize = partitioner.flush().unwrap().map(|(_, batch)| batch.num_rows()).sum();
            assert_eq!(rows, 1000);
            assert!(partitioner.size().get() < 20_000, "{}", partitioner.size());
        }
    }

    #[test]
    fn little_memory_makes_smaller_batches() {
        let schema = batch(0..1).schema();
        let full = |memory: u64| {
            let mut partitioner = Partitioner::new(&hash(4, &schema), &schema, 8192, Bytes::new(memory)).unwrap();
            let mut full = vec![];
            for start in 0..20 {
                full.extend(partitioner.push(batch(start * 400..(start + 1) * 400)).unwrap());
            }
            full.into_iter().map(|(_, batch)| batch.num_rows()).collect::<Vec<_>>()
        };
        assert_eq!(full(u64::MAX), Vec::<usize>::new(), "no output gets 8192 rows");
        // A row of a number and a text takes about 32 bytes: 512 rows for each of four outputs.
        let sizes = full(64 << 10);
        assert!(sizes.len() > 8 && sizes.iter().all(|rows| *rows == 512), "{sizes:?}");
    }
}

//! A task's rows on their way to its output blocks, within the task's memory.
//!
//! Rows wait in two places: in the partitioner until a batch of one output is full, and in the host until a run is worth
//! writing. Both are on the books of the task's memory pool, beside its operators. When the pool has no more to give, the
//! host writes what it holds, and then the partitioner gives up its unfinished batches.

use crate::failure::task_failure;
use crate::memory::is_unlimited;
use bench_model::{Bytes, TaskContext, TaskFailure};
use bench_plan::{Partitioner, StoredPlan};
use datafusion::arrow::array::RecordBatch;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use std::sync::Arc;

/// Of a task's share, at most this part is filled by unfinished batches before they are made smaller.
const BATCHES_PART: u64 = 8;

/// Kept free for rows on their way from the start, whatever operators take: with less, every few rows would be a write.
const FLOOR_MAX: u64 = 256 << 10;

/// Routes a task's rows to its outputs.
pub(crate) struct Outputs {
    partitioner: Partitioner,
    /// Absent where memory is not limited.
    memory: Option<Books>,
}

/// What rows on their way have reserved.
struct Books {
    reservation: MemoryReservation,
    floor: usize,
}

impl Outputs {
    /// For the rows of a task of this plan, which may hold `share` bytes from `pool`. To be made before the operators run.
    ///
    /// # Errors
    /// A plan that cannot be cut.
    pub(crate) fn new(
        stored: &StoredPlan,
        batch_rows: usize,
        share: Bytes,
        pool: &Arc<dyn MemoryPool>,
    ) -> Result<Self, TaskFailure> {
        let part = Bytes::new(share.get() / BATCHES_PART);
        let partitioner = Partitioner::new(&stored.fragment.cut, &stored.schema, batch_rows, part);
        let partitioner = partitioner.map_err(|e| task_failure(&e))?;
        let memory = (!is_unlimited(share)).then(|| Books::open(pool, part));
        Ok(Self { partitioner, memory })
    }

    /// Takes a batch of the task's rows.
    ///
    /// # Errors
    /// A key expression fails, or rows cannot be written.
    pub(crate) fn push(&mut self, batch: RecordBatch, cx: &mut dyn TaskContext) -> Result<(), TaskFailure> {
        for (output, batch) in self.partitioner.push(batch).map_err(|e| task_failure(&e))? {
            cx.write(output, &batch)?;
        }
        if self.fits(cx) {
            return Ok(());
        }
        cx.flush()?;
        if self.fits(cx) {
            return Ok(());
        }
        self.flush(cx)?;
        cx.flush()?;
        // What is still held cannot be let go of before the task ends; it is on the books all the same.
        self.settle(cx);
        Ok(())
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// Those of [`Outputs::push`].
    pub(crate) fn finish(mut self, cx: &mut dyn TaskContext) -> Result<(), TaskFailure> {
        self.flush(cx)
    }

    fn flush(&mut self, cx: &mut dyn TaskContext) -> Result<(), TaskFailure> {
        for (output, batch) in self.partitioner.flush().map_err(|e| task_failure(&e))? {
            cx.write(output, &batch)?;
        }
        Ok(())
    }

    /// Puts what is held on the books; false if the pool does not have as much.
    fn fits(&self, cx: &dyn TaskContext) -> bool {
        let Some(books) = &self.memory else { return true };
        books.reservation.try_resize(books.needed(&self.partitioner, cx)).is_ok()
    }

    /// Puts what is held on the books, whether the pool has as much or not.
    fn settle(&self, cx: &dyn TaskContext) {
        if let Some(books) = &self.memory {
            books.reservation.resize(books.needed(&self.partitioner, cx));
        }
    }
}

impl Books {
    fn open(pool: &Arc<dyn MemoryPool>, part: Bytes) -> Self {
        let floor = usize::try_from(part.get().min(FLOOR_MAX)).unwrap_or(usize::MAX);
        let reservation = MemoryConsumer::new("output blocks").register(pool);
        reservation.grow(floor);
        Self { reservation, floor }
    }

    fn needed(&self, partitioner: &Partitioner, cx: &dyn TaskContext) -> usize {
        let held = partitioner.size().get().saturating_add(cx.waiting().get());
        usize::try_from(held).unwrap_or(usize::MAX).max(self.floor)
    }
}

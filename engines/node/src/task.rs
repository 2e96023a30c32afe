//! One attempt at one task.

use crate::host::Host;
use crate::peers::{Peers, Remote};
use crate::slot::Slot;
use crate::store::{AttemptOutput, BlockReader, BlockStore, Keep};
use arrow::array::RecordBatch;
use bench_model::{
    Assignment, Batches, BlockRef, Bytes, Front, Kernel, KernelId, NodeId, Rows, SpanKind, Style, TaskContext,
    TaskFailure, TaskReport, TaskStats,
};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Runs an attempt on the calling thread and makes its blocks visible if it succeeds.
///
/// # Errors
/// What the kernel says, what reading or writing blocks says, or [`TaskFailure::Transient`] if the kernel panics.
pub(crate) fn run<S: Style>(
    host: &Host<S>,
    slot: &Arc<Slot>,
    assignment: &Assignment,
) -> Result<TaskReport, TaskFailure> {
    let kernel = host.registry.get(&assignment.call.kernel).ok_or_else(|| unknown(&assignment.call.kernel))?;
    let keep = Keep::of(assignment.exchange, assignment.storage);
    let which = (assignment.task, assignment.attempt);
    let output = AttemptOutput::new(&host.store, which, assignment.outputs, keep, host.memory_share);
    let mut cx = Context {
        assignment,
        slot,
        source: Source { node: host.node, store: &host.store, peers: &host.peers, front: host.front.as_deref() },
        memory_share: host.memory_share,
        output,
    };
    match catch_unwind(AssertUnwindSafe(|| kernel.run(&mut cx))) {
        Ok(Ok(())) => cx.finish(),
        Ok(Err(failure)) => Err(failure),
        Err(panic) => Err(panicked(kernel.as_ref(), &*panic)),
    }
}

fn unknown(kernel: &KernelId) -> TaskFailure {
    TaskFailure::Fatal(format!("no kernel `{}` is registered in this process", kernel.0))
}

fn panicked(kernel: &dyn Kernel, panic: &(dyn Any + Send)) -> TaskFailure {
    TaskFailure::Transient(format!("kernel {} panicked: {}", kernel.id().0, panic_message(panic)))
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

/// Where a task finds its inputs.
#[derive(Clone, Copy)]
struct Source<'t> {
    /// The node it runs on.
    node: NodeId,
    store: &'t Arc<BlockStore>,
    peers: &'t Arc<dyn Peers>,
    /// The planner, if it is in this process.
    front: Option<&'t dyn Front>,
}

/// What a kernel sees of the host.
struct Context<'t> {
    assignment: &'t Assignment,
    slot: &'t Arc<Slot>,
    source: Source<'t>,
    memory_share: Bytes,
    output: AttemptOutput<'t>,
}

impl Context<'_> {
    fn finish(self) -> Result<TaskReport, TaskFailure> {
        let Self { slot, output, .. } = self;
        let blocks =
            if output.is_empty() { output.commit()? } else { slot.timed(SpanKind::ShuffleWrite, || output.commit())? };
        let rows_out = blocks.iter().map(|b| b.rows).sum();
        let stats = TaskStats { rows_in: Rows::new(slot.rows_in()), rows_out, spilled: slot.spilled() };
        Ok(TaskReport { blocks, stats })
    }
}

impl TaskContext for Context<'_> {
    fn partition(&self) -> u32 {
        self.assignment.task.partition
    }

    fn args(&self) -> &[u8] {
        &self.assignment.call.args
    }

    fn inputs(&self) -> usize {
        self.assignment.inputs.len()
    }

    fn read(&mut self, input: usize) -> Result<Batches, TaskFailure> {
        let inputs = self.assignment.inputs.len();
        let Some(blocks) = self.assignment.inputs.get(input) else {
            return Err(TaskFailure::Fatal(format!("a kernel read input {input} of {inputs}")));
        };
        // A block without rows is never opened, so it cannot be missing either.
        let blocks: Vec<BlockRef> = blocks.iter().filter(|b| b.meta.rows.get() > 0).copied().collect();
        let Source { node, store, peers, .. } = self.source;
        let elsewhere: Vec<BlockRef> = blocks.iter().filter(|b| b.node != node).copied().collect();
        Ok(Box::new(InputBatches {
            blocks: blocks.into_iter(),
            open: None,
            slot: Arc::clone(self.slot),
            node,
            store: Arc::clone(store),
            remote: (!elsewhere.is_empty()).then(|| peers.read(elsewhere, self.memory_share, self.slot.stop())),
        }))
    }

    fn write(&mut self, output: u32, batch: &RecordBatch) -> Result<(), TaskFailure> {
        if self.slot.is_cancelled() {
            return Err(TaskFailure::Cancelled);
        }
        let Self { slot, output: outputs, .. } = self;
        slot.timed(SpanKind::ShuffleWrite, || outputs.write(output, batch))
    }

    fn shipment(&mut self, key: &[u8]) -> Result<bytes::Bytes, TaskFailure> {
        match self.source.front {
            Some(front) => front.ship(key).ok_or_else(|| TaskFailure::Fatal("no such plan was made here".to_owned())),
            None => self.slot.timed(SpanKind::FetchRemote, || self.source.peers.ship(key, self.slot.stop())),
        }
    }

    fn refuse_shipment(&mut self, key: &[u8]) {
        self.source.peers.refuse(key);
    }

    fn flush(&mut self) -> Result<(), TaskFailure> {
        let Self { slot, output, .. } = self;
        slot.timed(SpanKind::ShuffleWrite, || output.flush())
    }

    fn waiting(&self) -> Bytes {
        self.output.waiting()
    }

    fn stop(&self) -> &Arc<AtomicBool> {
        self.slot.stop()
    }

    fn memory_share(&self) -> Bytes {
        self.memory_share
    }

    fn scratch(&self) -> &Path {
        self.slot.scratch()
    }

    fn record_spill(&mut self, bytes: Bytes) {
        self.slot.count_spilled(bytes);
    }
}

/// The batches of an input's blocks, one block after the other.
struct InputBatches {
    blocks: std::vec::IntoIter<BlockRef>,
    open: Option<Open>,
    slot: Arc<Slot>,
    node: NodeId,
    store: Arc<BlockStore>,
    /// Those of the blocks that are on other nodes.
    remote: Option<Remote>,
}

/// The block that is being read.
enum Open {
    /// It is on this node.
    Here(BlockReader),
    /// It is read from another node.
    There(Batches),
}

impl InputBatches {
    fn open(&mut self, block: &BlockRef) -> Result<Open, TaskFailure> {
        if block.node != self.node {
            let Self { slot, remote, .. } = self;
            let next = slot.timed(SpanKind::FetchRemote, || remote.as_mut().and_then(Iterator::next));
            return next.unwrap_or(Err(TaskFailure::MissingBlock(block.id))).map(Open::There);
        }
        let found = self.store.find(block)?;
        // Rows in memory are simply there: looking at the clock would take longer than opening them.
        let reader =
            if found.is_encoded() { self.slot.timed(SpanKind::FetchLocal, || found.open()) } else { found.open() };
        reader.map(Open::Here)
    }
}

impl Open {
    fn next_batch(&mut self, slot: &Slot) -> Result<Option<RecordBatch>, TaskFailure> {
        match self {
            Self::Here(reader) if reader.is_encoded() => slot.timed(SpanKind::Deserialize, || reader.next_batch()),
            Self::Here(reader) => reader.next_batch(),
            Self::There(batches) => slot.timed(SpanKind::FetchRemote, || batches.next()).transpose(),
        }
    }
}

impl Iterator for InputBatches {
    type Item = Result<RecordBatch, TaskFailure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.slot.is_cancelled() {
            return Some(Err(TaskFailure::Cancelled));
        }
        loop {
            if let Some(open) = &mut self.open {
                match open.next_batch(&self.slot) {
                    Ok(Some(batch)) => {
                        self.slot.count_rows_in(batch.num_rows());
                        return Some(Ok(batch));
                    }
                    Ok(None) => self.open = None,
                    Err(failure) => return Some(Err(failure)),
                }
            }
            let block = self.blocks.next()?;
            match self.open(&block) {
                Ok(open) => self.open = Some(open),
                Err(failure) => return Some(Err(failure)),
            }
        }
    }
}

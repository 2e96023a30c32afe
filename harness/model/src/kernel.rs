//! Kernels: the work itself, the same in every style.

use crate::graph::KernelId;
use crate::ids::BlockId;
use crate::units::{Bytes, Rows};
use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Why a task attempt ended without its blocks. The variant decides what the style does next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum TaskFailure {
    /// The computation itself is impossible (bad cast, overflow, unsupported plan): a retry cannot help.
    #[error("{0}")]
    Fatal(String),
    /// Something around the computation failed (I/O, a panic): worth another attempt.
    #[error("{0}")]
    Transient(String),
    /// An input block is not where it should be (Spark's FetchFailed, Ray's ObjectLost): its producer must run again.
    #[error("block {0} is missing")]
    MissingBlock(BlockId),
    /// An input block does not match its checksum: its producer must run again.
    #[error("block {0} does not match its checksum")]
    CorruptBlock(BlockId),
    /// The task's memory share is spent and nothing more can be spilled.
    #[error("out of memory: {0}")]
    OutOfMemory(String),
    /// The attempt was told to stop.
    #[error("cancelled")]
    Cancelled,
}

/// Rows that arrive a batch at a time. Reading may block the slot's thread, never the I/O runtime.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch, TaskFailure>> + Send>;

/// What a task did besides its blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskStats {
    /// Rows read from input blocks.
    pub rows_in: Rows,
    /// Rows written to output blocks.
    pub rows_out: Rows,
    /// Bytes written to disk because memory ran short.
    pub spilled: Bytes,
}

/// What a running kernel may ask of its host. One is made per attempt; it lives on the slot's thread.
pub trait TaskContext {
    /// The partition this task computes.
    fn partition(&self) -> u32;
    /// The kernel's arguments, as in its [`crate::Call`].
    fn args(&self) -> &[u8];
    /// How many inputs the fragment has.
    fn inputs(&self) -> usize;
    /// Opens input number `input`: its blocks in a fixed order, batch by batch.
    ///
    /// # Errors
    /// A block that is gone is reported here or by the iterator.
    fn read(&mut self, input: usize) -> Result<Batches, TaskFailure>;
    /// Appends rows to output block number `output`.
    ///
    /// # Errors
    /// The disk is full or unwritable, or the attempt was cancelled.
    fn write(&mut self, output: u32, batch: &RecordBatch) -> Result<(), TaskFailure>;
    /// What [`crate::Front::ship`] answers for `key` where the job was planned: asked for once per process, when a
    /// call's arguments name something that is not here.
    ///
    /// # Errors
    /// The other process is gone or knows nothing of that name, or this host has nobody to ask.
    fn shipment(&mut self, key: &[u8]) -> Result<bytes::Bytes, TaskFailure> {
        let _ = key;
        Err(TaskFailure::Fatal("this host ships nothing".to_owned()))
    }
    /// What [`TaskContext::shipment`] gave for `key` is damaged: the next who needs it asks again.
    fn refuse_shipment(&mut self, key: &[u8]) {
        let _ = key;
    }
    /// Sends rows on their way that were written and wait in memory for the place where blocks are kept; afterwards
    /// [`TaskContext::waiting`] is zero, or what cannot be sent before the task ends.
    ///
    /// # Errors
    /// Those of [`TaskContext::write`].
    fn flush(&mut self) -> Result<(), TaskFailure> {
        Ok(())
    }
    /// What written rows take in memory that could be sent on their way. Rows whose place is in memory do not count:
    /// they are the node's, and not the task's any more.
    fn waiting(&self) -> Bytes {
        Bytes::ZERO
    }
    /// Turns true when the attempt should stop. Streams and helpers that outlive a call may keep it.
    fn stop(&self) -> &Arc<AtomicBool>;
    /// Whether the attempt should stop; long kernels look now and then.
    fn cancelled(&self) -> bool {
        self.stop().load(Ordering::Relaxed)
    }
    /// Memory this task may hold before it must spill.
    fn memory_share(&self) -> Bytes;
    /// A folder on local disk for the task's temporary files.
    fn scratch(&self) -> &Path;
    /// Adds to what the attempt reports, whether it succeeds or not.
    fn record_spill(&mut self, bytes: Bytes);
}

/// A named, versioned function from input blocks to output blocks.
pub trait Kernel: Send + Sync {
    /// Its name and version.
    fn id(&self) -> KernelId;
    /// Runs one task on the calling thread.
    ///
    /// # Errors
    /// See [`TaskFailure`].
    fn run(&self, cx: &mut dyn TaskContext) -> Result<(), TaskFailure>;
}

/// The kernels this process can run, by name.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<KernelId, Arc<dyn Kernel>>);

impl Registry {
    /// Adds a kernel; a second one of the same name replaces the first.
    #[must_use]
    pub fn with(mut self, kernel: Arc<dyn Kernel>) -> Self {
        self.0.insert(kernel.id(), kernel);
        self
    }

    /// The kernel of that name.
    #[must_use]
    pub fn get(&self, id: &KernelId) -> Option<&Arc<dyn Kernel>> {
        self.0.get(id)
    }
}

//! A pool of exactly as many threads as slots.

use bench_model::EngineError;
use tokio::runtime::{Builder, Runtime};

/// Threads that only wait for files, per slot: reading is counted apart from computing in every engine alike.
const FILE_THREADS_PER_SLOT: usize = 2;

/// A runtime whose futures run on `threads` threads: the caller's own if it is one.
pub(crate) fn pool(threads: u32) -> Result<Runtime, EngineError> {
    if threads == 0 {
        return Err(EngineError::Failed("an engine needs at least one slot; set --slots to 1 or more".to_owned()));
    }
    let threads = threads as usize;
    let mut builder = if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    if threads > 1 {
        builder.worker_threads(threads);
    }
    builder
        .max_blocking_threads(threads * FILE_THREADS_PER_SLOT)
        .thread_name("datafusion")
        .enable_time()
        .build()
        .map_err(|e| EngineError::Failed(format!("cannot start {threads} threads: {e}")))
}

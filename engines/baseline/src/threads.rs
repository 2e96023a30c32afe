//! A pool of exactly as many threads as slots.

use bench_model::EngineError;
use tokio::runtime::{Builder, Runtime};

/// Threads that only wait for files, per slot: reading is counted apart from computing in every engine alike.
const FILE_THREADS_PER_SLOT: usize = 2;

/// A runtime whose spawned futures run on exactly `threads` threads of its own.
///
/// The thread that waits for them is none of these, even if there is only one, and the runtime has no timers: operators
/// may compute for long without giving way, and whoever waits must still see that a query is no longer wanted.
pub(crate) fn pool(threads: u32) -> Result<Runtime, EngineError> {
    if threads == 0 {
        return Err(EngineError::Failed("an engine needs at least one slot; set --slots to 1 or more".to_owned()));
    }
    let threads = threads as usize;
    Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(threads * FILE_THREADS_PER_SLOT)
        .thread_name("datafusion")
        .build()
        .map_err(|e| EngineError::Failed(format!("cannot start {threads} threads: {e}")))
}

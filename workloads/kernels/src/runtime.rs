//! The small event loop that each slot's thread keeps for the `plan` kernel.
//!
//! DataFusion's operators are futures. A slot is one thread and a task is one partition, so the futures run on that thread;
//! only file reads go to a helper thread, as DataFusion's file access does everywhere.

use bench_model::TaskFailure;
use std::cell::RefCell;
use tokio::runtime::{Builder, Runtime};

/// File reads of one task that are under way at a time, at most.
const FILE_THREADS: usize = 2;

thread_local! {
    static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
}

/// Runs `work` with the calling thread's event loop, which is made on first use.
pub(crate) fn with_runtime<T>(work: impl FnOnce(&Runtime) -> Result<T, TaskFailure>) -> Result<T, TaskFailure> {
    RUNTIME.with_borrow_mut(|slot| {
        let runtime = match slot.take() {
            Some(runtime) => runtime,
            None => Builder::new_current_thread()
                .max_blocking_threads(FILE_THREADS)
                .thread_name("slot-file")
                .build()
                .map_err(|e| TaskFailure::Transient(format!("cannot start a slot's event loop: {e}")))?,
        };
        let result = work(&runtime);
        *slot = Some(runtime);
        result
    })
}

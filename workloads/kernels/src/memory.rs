//! A task's memory share and spill folder as DataFusion wants them.

use bench_model::Bytes;
use bench_plan::{MemoryLimit, StoredPlan};
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::config::SessionConfig;
use datafusion::execution::runtime_env::RuntimeEnv;
use std::path::Path;
use std::sync::Arc;

/// Whether a task may hold all there is.
pub(crate) fn is_unlimited(share: Bytes) -> bool {
    share.get() == u64::MAX
}

/// What a task's operators run with: its share of memory (all there is, if the share is unlimited), its own spill folder,
/// and the file caches of the process.
pub(crate) fn task_context(stored: &StoredPlan, share: Bytes, scratch: &Path) -> Result<TaskContext> {
    if is_unlimited(share) {
        return Ok(with(stored.config.clone(), Arc::clone(&stored.runtime)));
    }
    let limit = MemoryLimit { pool: share, partitions: 1 };
    Ok(with(limit.settings(stored.config.clone()), limit.runtime(&stored.runtime, scratch)?))
}

/// Operators look no function up while running.
fn with(config: SessionConfig, runtime: Arc<RuntimeEnv>) -> TaskContext {
    let (scalar, higher_order, aggregate, window) = Default::default();
    TaskContext::new(None, String::new(), config, scalar, higher_order, aggregate, window, runtime)
}

//! A task's memory share and spill folder as DataFusion wants them.

use bench_model::Bytes;
use bench_plan::StoredPlan;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::config::SessionConfig;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use std::path::Path;
use std::sync::Arc;

/// Of a small share, at most this part is kept back for merging what a sort has spilled.
const MERGE_PART: usize = 8;

/// What a task's operators run with: its share of memory (all there is, if the share is unlimited), its own spill folder,
/// and the file caches of the process.
pub(crate) fn task_context(stored: &StoredPlan, share: Bytes, scratch: &Path) -> Result<TaskContext> {
    if share.get() == u64::MAX {
        return Ok(with(stored.config.clone(), Arc::clone(&stored.runtime)));
    }
    let share = usize::try_from(share.get()).unwrap_or(usize::MAX);
    let spill = DiskManagerBuilder::default().with_mode(DiskManagerMode::Directories(vec![scratch.to_path_buf()]));
    let runtime = RuntimeEnvBuilder::from_runtime_env(&stored.runtime)
        .with_memory_pool(Arc::new(FairSpillPool::new(share)))
        .with_disk_manager_builder(spill)
        .build_arc()?;
    let mut config = stored.config.clone();
    let reserved = &mut config.options_mut().execution.sort_spill_reservation_bytes;
    *reserved = (*reserved).min(share / MERGE_PART);
    Ok(with(config, runtime))
}

/// Operators look no function up while running.
fn with(config: SessionConfig, runtime: Arc<RuntimeEnv>) -> TaskContext {
    let (scalar, higher_order, aggregate, window) = Default::default();
    TaskContext::new(None, String::new(), config, scalar, higher_order, aggregate, window, runtime)
}

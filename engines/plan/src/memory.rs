//! Memory limits, in one meaning for every engine: what `--memory` says is what operators share, fairly; what does not fit
//! is spilled; and a sort may keep back the same part of its share for merging what it has spilled.

use bench_model::Bytes;
use datafusion::error::Result;
use datafusion::execution::config::SessionConfig;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::physical_plan::ExecutionPlan;
use std::path::Path;
use std::sync::Arc;

/// Of a small share, at most this part is kept back for merging what a sort has spilled.
const MERGE_PART: usize = 8;

/// The memory of one pool of operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimit {
    /// What they may hold together.
    pub pool: Bytes,
    /// How many partitions run in the pool at a time, each with operators of its own.
    pub partitions: u32,
}

impl MemoryLimit {
    /// The settings of operators that run within the limit.
    #[must_use]
    pub fn settings(&self, mut config: SessionConfig) -> SessionConfig {
        let kept_back = self.pool_size() / self.partitions.max(1) as usize / MERGE_PART;
        let reserved = &mut config.options_mut().execution.sort_spill_reservation_bytes;
        *reserved = (*reserved).min(kept_back);
        config
    }

    /// The file access and caches of `base`, with a pool of this size and a folder to spill to.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn runtime(&self, base: &RuntimeEnv, spill: &Path) -> Result<Arc<RuntimeEnv>> {
        RuntimeEnvBuilder::from_runtime_env(base)
            .with_memory_pool(Arc::new(FairSpillPool::new(self.pool_size())))
            .with_disk_manager_builder(spill_to(spill))
            .build_arc()
    }

    fn pool_size(&self) -> usize {
        usize::try_from(self.pool.get()).unwrap_or(usize::MAX)
    }
}

fn spill_to(folder: &Path) -> DiskManagerBuilder {
    DiskManagerBuilder::default().with_mode(DiskManagerMode::Directories(vec![folder.to_path_buf()]))
}

/// File access and caches without a limit, with a folder to spill to all the same.
///
/// # Errors
/// The folder cannot be used.
pub fn unlimited_runtime(spill: &Path) -> Result<Arc<RuntimeEnv>> {
    RuntimeEnvBuilder::new().with_disk_manager_builder(spill_to(spill)).build_arc()
}

/// Bytes that the operators of a plan have written out because memory ran short.
#[must_use]
pub fn spilled(plan: &Arc<dyn ExecutionPlan>) -> Bytes {
    let own = plan.metrics().and_then(|m| m.spilled_bytes()).unwrap_or(0);
    let below: Bytes = plan.children().into_iter().map(spilled).sum();
    Bytes::new(own as u64) + below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_memory_for_each_partition_keeps_the_same_back_for_merging() {
        let kept = |pool, partitions| {
            let limit = MemoryLimit { pool: Bytes::new(pool), partitions };
            limit.settings(SessionConfig::new()).options().execution.sort_spill_reservation_bytes
        };
        assert_eq!(kept(8 << 20, 1), 1 << 20);
        assert_eq!(kept(32 << 20, 4), kept(8 << 20, 1));
        let default = SessionConfig::new().options().execution.sort_spill_reservation_bytes;
        assert_eq!(kept(u64::MAX, 1), default);
    }
}

//! What every style runs inside a task: the same kernels everywhere, so that only architectures differ.
//!
//! | module | kernel |
//! |---|---|
//! | `plan` | `plan/1`: a task of a cut query plan |
//! | `noop` | `noop/1`: nothing, for zero-work graphs |
//! | `sleep` | `sleep/1`: time passes |
//! | `runtime` | the small event loop that each slot's thread keeps for the `plan` kernel |
//! | `outputs` | a task's rows on their way to its output blocks, within the task's memory |
//! | `memory` | a task's memory share and spill folder as DataFusion wants them |
//! | `failure` | DataFusion's errors as task failures |

mod failure;
mod memory;
mod noop;
mod outputs;
mod plan;
mod runtime;
mod sleep;

pub use failure::task_failure;
pub use noop::NoopKernel;
pub use plan::PlanKernel;
pub use sleep::SleepKernel;

use bench_model::Registry;
use bench_plan::PlanStore;
use std::sync::Arc;

/// Every kernel of this crate; plans come from `store`.
#[must_use]
pub fn registry(store: &PlanStore) -> Registry {
    Registry::default()
        .with(Arc::new(PlanKernel::new(store.clone())))
        .with(Arc::new(NoopKernel))
        .with(Arc::new(SleepKernel))
}

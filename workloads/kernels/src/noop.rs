//! `noop/1`: nothing.

use bench_model::{Kernel, KernelId, TaskContext, TaskFailure};

/// Reads nothing, computes nothing, writes nothing: what is left of a task's time is the runtime's own.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoopKernel;

impl Kernel for NoopKernel {
    fn id(&self) -> KernelId {
        KernelId::new("noop/1")
    }

    fn run(&self, _: &mut dyn TaskContext) -> Result<(), TaskFailure> {
        Ok(())
    }
}

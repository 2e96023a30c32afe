//! `sleep/1`: time passes, nothing else.

use bench_model::{Kernel, KernelId, TaskContext, TaskFailure};
use std::time::Duration;

/// How long a task sleeps before it looks whether it was told to stop.
const NAP: Duration = Duration::from_millis(10);

/// Sleeps for as many nanoseconds as its arguments say, eight bytes, the lowest first: work that takes a known time and no CPU.
#[derive(Clone, Copy, Debug, Default)]
pub struct SleepKernel;

impl Kernel for SleepKernel {
    fn id(&self) -> KernelId {
        KernelId::new("sleep/1")
    }

    fn run(&self, cx: &mut dyn TaskContext) -> Result<(), TaskFailure> {
        let args = <[u8; 8]>::try_from(cx.args());
        let args = args.map_err(|_| TaskFailure::Fatal("`sleep/1` takes eight bytes of arguments".to_owned()))?;
        let mut left = Duration::from_nanos(u64::from_le_bytes(args));
        while !left.is_zero() {
            if cx.cancelled() {
                return Err(TaskFailure::Cancelled);
            }
            let nap = left.min(NAP);
            std::thread::sleep(nap);
            left -= nap;
        }
        Ok(())
    }
}

//! A thread that waits for what the I/O runtime brings.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

/// How often a waiting reader looks whether it was told to stop.
const STOP_POLL: Duration = Duration::from_millis(25);

/// Waits on the calling thread; nothing once `stop` is raised. The caller may be inside a kernel's own runtime, where
/// tokio refuses to block and counts how often a task is polled: this waits without either.
pub(super) fn wait<T>(what: impl Future<Output = T>, stop: &AtomicBool) -> Option<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut what = pin!(tokio::task::unconstrained(what));
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(done) = what.as_mut().poll(&mut context) {
            return Some(done);
        }
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        std::thread::park_timeout(STOP_POLL);
    }
}

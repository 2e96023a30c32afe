//! Ctrl-C as a flag. The first one asks long work to stop cleanly; the second one ends the process at once. Ctrl-Z does nothing then:
//! engines are in process groups of their own and would go on, while the clock that times them goes on too.

use crate::cli::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// The flag that Ctrl-C and a polite kill raise. The first call installs the handler.
pub(crate) fn flag() -> Arc<AtomicBool> {
    let flag = FLAG.get_or_init(Arc::default);
    install();
    Arc::clone(flag)
}

#[expect(unsafe_code, reason = "installing a signal handler is a call into libc")]
fn install() {
    let handler = on_signal as extern "C" fn(libc::c_int) as libc::sighandler_t;
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler only touches an atomic that is initialized before it is installed, and calls `_exit`;
        // both are allowed in a signal handler.
        unsafe { libc::signal(signal, handler) };
    }
    let ignore = on_stop as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: the handler does nothing. A handler, unlike `SIG_IGN`, is not inherited by the programs that are started.
    unsafe { libc::signal(libc::SIGTSTP, ignore) };
}

extern "C" fn on_stop(_: libc::c_int) {}

#[expect(unsafe_code, reason = "leaving from a signal handler is a call into libc")]
extern "C" fn on_signal(_: libc::c_int) {
    let again = FLAG.get().is_none_or(|flag| flag.swap(true, Ordering::Relaxed));
    if again {
        // SAFETY: `_exit` is async-signal-safe.
        unsafe { libc::_exit(i32::from(exit::INTERRUPTED)) };
    }
}

//! Child processes that do not outlive this one.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What a child gets besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// Nothing: it shares this process's network.
    None,
    /// A network namespace of its own, without any interface yet.
    Network,
}

/// Arranges that the kernel kills the child when the thread that spawns it ends, in whatever way. Keep that thread alive as
/// long as the child.
pub(crate) fn die_with_parent(command: &mut Command, isolation: Isolation) {
    let parent = libc::pid_t::try_from(std::process::id()).unwrap_or(0);
    #[expect(unsafe_code, reason = "dying with the parent has to be arranged between fork and exec")]
    // SAFETY: the closure only makes system calls that are safe after fork, and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            // The parent may have died before the arrangement was made.
            if libc::getppid() != parent {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            if isolation == Isolation::Network && libc::unshare(libc::CLONE_NEWNET) != 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
}

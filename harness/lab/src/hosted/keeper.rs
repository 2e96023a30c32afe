//! The process between the harness and a product's driver: the parent of everything that the driver starts, daemons included.
//!
//! Products leave processes behind that detach themselves. Whoever loses its parent gets the keeper for one, so they all stay
//! in the keeper's tree: counted with it, and killed by it when the driver ends, however it ends, or when the harness does.

use crate::offspring::{Isolation, die_with_parent, kill_below};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};
use std::time::Duration;

/// How long it may take to kill what a driver leaves.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs a command line as the child of this process, on its standard streams, until it ends; ends like it. Everything below
/// this process is dead then. Never returns unless the child cannot be started.
///
/// # Errors
/// The child cannot be started, or this process cannot be made the parent of orphans.
#[expect(unsafe_code, reason = "signals and the care for orphans have no safe interface")]
pub fn keep(argv: &[OsString]) -> io::Result<std::convert::Infallible> {
    let (program, arguments) = argv.split_first().ok_or_else(|| io::Error::other("there is no command to run"))?;
    let heard = signals();
    // SAFETY: numbers only, and a set of signals that outlives the call. From here on the end of the parent is a signal
    // that is waited for below, and no longer the end of this process.
    let kept = unsafe {
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
            && libc::pthread_sigmask(libc::SIG_BLOCK, &raw const heard, std::ptr::null_mut()) == 0
            && libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) == 0
    };
    if !kept {
        return Err(io::Error::last_os_error());
    }
    let mut command = Command::new(program);
    command.args(arguments);
    die_with_parent(&mut command, Isolation::None);
    // SAFETY: the closure makes one system call that is safe after fork; the set is its own.
    unsafe {
        command.pre_exec(move || {
            match libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const heard, std::ptr::null_mut()) {
                0 => Ok(()),
                error => Err(io::Error::from_raw_os_error(error)),
            }
        });
    }
    let child = command.spawn()?.id();
    let_go_of_streams()?;
    loop {
        let mut signal = 0;
        // SAFETY: both outlive the call.
        if unsafe { libc::sigwait(&raw const heard, &raw mut signal) } != 0 {
            continue;
        }
        if signal == libc::SIGCHLD {
            if let Some(status) = reap(child) {
                end(status);
            }
        } else {
            end(ExitStatus::from_raw(signal));
        }
    }
}

/// What is waited for: children that end, and being told to end.
#[expect(unsafe_code, reason = "sets of signals have no safe interface")]
fn signals() -> libc::sigset_t {
    // SAFETY: `sigemptyset` makes a valid set of whatever was there before.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
            libc::sigaddset(&raw mut set, signal);
        }
        set
    }
}

/// The pipes are the driver's: as long as this process held them, their end would not be seen.
fn let_go_of_streams() -> io::Result<()> {
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    for stream in [libc::STDIN_FILENO, libc::STDOUT_FILENO] {
        #[expect(unsafe_code, reason = "dup2 has no safe interface")]
        // SAFETY: takes two open descriptors.
        if unsafe { libc::dup2(nothing.as_raw_fd(), stream) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Takes leave of every child that has ended, own or adopted; how `child` ended, if it was among them.
fn reap(child: u32) -> Option<ExitStatus> {
    let mut ended = None;
    loop {
        let mut status = 0;
        #[expect(unsafe_code, reason = "waiting for any child has no safe interface")]
        // SAFETY: the status outlives the call.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        if pid <= 0 {
            return ended;
        }
        if u32::try_from(pid) == Ok(child) {
            ended = Some(ExitStatus::from_raw(status));
        }
    }
}

/// Kills what is left and ends the way the child did, so that whoever waits for this process learns it.
fn end(status: ExitStatus) -> ! {
    kill_below(std::process::id(), PATIENCE);
    let _ = reap(0);
    if let Some(signal) = status.signal() {
        #[expect(unsafe_code, reason = "ending by a signal has no safe interface")]
        // SAFETY: numbers, and a set that outlives the call. No dump is written: the child's own says more.
        unsafe {
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
            libc::signal(signal, libc::SIG_DFL);
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
            libc::kill(libc::getpid(), signal);
        }
    }
    std::process::exit(status.code().unwrap_or(1))
}

//! Nodes as plain processes of this machine.

use super::child::{NodeChild, send_signal};
use super::disk::{Disk, OwnDisk};
use super::shared::SharedFolder;
use crate::offspring::Isolation;
use bench_model::{FaultKind, LaunchedNode};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A slow CPU: the process runs this long of each period.
const SLOW_RUN: Duration = Duration::from_millis(2);
/// The period; short enough that no failure detector notices.
const SLOW_PERIOD: Duration = Duration::from_millis(20);

/// Starts a node and waits until it listens; on a disk of its own if that is wanted and possible.
///
/// # Errors
/// Why there is none.
pub(super) fn launch(argv: &[OsString], disk: Option<&Path>) -> Result<Box<dyn LaunchedNode>, String> {
    let spawn = |disk: Option<&OwnDisk>| NodeChild::spawn_on(argv, Isolation::None, SharedFolder::name(), disk);
    let (mut child, disk) = Disk::under(disk, spawn)?;
    let address = child.await_listening()?;
    Ok(Box::new(PlainNode { address, hurt: Hurt::default(), disk, child }))
}

/// What signals can do to a process, and how it is undone.
#[derive(Default)]
pub(super) struct Hurt {
    paused: bool,
    slow: Option<Slow>,
}

/// A thread that stops and continues a process in turn. It ends when dropped, and leaves the process running.
struct Slow {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hurt {
    /// Does to a process what can be done by signals; `None` if this fault needs more.
    ///
    /// # Errors
    /// The process is gone.
    pub(super) fn inject(&mut self, child: &mut NodeChild, fault: FaultKind) -> Option<Result<(), String>> {
        match fault {
            FaultKind::Kill => Some(child.signal(libc::SIGKILL)),
            FaultKind::Pause => {
                self.paused = true;
                Some(child.signal(libc::SIGSTOP))
            }
            FaultKind::SlowCpu => Some(self.slow_down(child)),
            _ => None,
        }
    }

    fn slow_down(&mut self, child: &mut NodeChild) -> Result<(), String> {
        child.signal(0)?;
        let (pid, over) = (child.pid(), Arc::new(AtomicBool::new(false)));
        let seen = Arc::clone(&over);
        let work = move || {
            while !seen.load(Ordering::Relaxed) && send_signal(pid, libc::SIGSTOP).is_ok() {
                std::thread::sleep(SLOW_PERIOD.saturating_sub(SLOW_RUN));
                if send_signal(pid, libc::SIGCONT).is_err() {
                    return;
                }
                std::thread::sleep(SLOW_RUN);
            }
        };
        let thread = std::thread::Builder::new().name("slow-cpu".to_owned()).spawn(work);
        self.slow = Some(Slow { over, thread: Some(thread.map_err(|e| format!("cannot start a thread: {e}"))?) });
        Ok(())
    }

    /// Ends what was begun.
    ///
    /// # Errors
    /// The process is gone.
    pub(super) fn relieve(&mut self, child: &mut NodeChild) -> Result<(), String> {
        self.slow = None;
        if std::mem::take(&mut self.paused) {
            child.signal(libc::SIGCONT)?;
        }
        Ok(())
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It cannot panic.
            let _ = thread.join();
        }
    }
}

struct PlainNode {
    address: SocketAddr,
    // Before the child: a thread that signals the process must end before the process is reaped.
    hurt: Hurt,
    disk: Disk,
    child: NodeChild,
}

impl LaunchedNode for PlainNode {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn token(&self) -> &str {
        self.child.token()
    }

    fn is_alive(&mut self) -> bool {
        self.child.is_alive()
    }

    fn inject(&mut self, fault: &FaultKind) -> Result<(), String> {
        let name = fault.name();
        match fault {
            FaultKind::DiskFull => self.disk.fill(self.child.pid()),
            FaultKind::CorruptBlock => Err(format!("`{name}` cannot be done to a node from outside")),
            _ => self.hurt.inject(&mut self.child, *fault).unwrap_or_else(|| {
                Err(format!("`{name}` needs links or limits of its own for each node; use --cluster emulated"))
            }),
        }
    }

    fn relieve(&mut self) -> Result<(), String> {
        let disk = self.disk.empty(self.child.pid());
        self.hurt.relieve(&mut self.child).and(disk)
    }

    fn stop(&mut self, patience: Duration) {
        // A stopped process cannot end by itself.
        let _ = self.relieve();
        self.child.stop(patience);
    }
}

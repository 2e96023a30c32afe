//! A node as a process of its own: how it is told its token, says where it listens, and ends.

use crate::memory;
use crate::remote::error::RemoteError;
use crate::remote::node::{Node, NodeSetup, NodeStyles};
use crate::remote::options::NodeOptions;
use crate::remote::token::ClusterToken;
use std::io::{self, BufRead, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often a process looks whether it should end.
const LOOK: Duration = Duration::from_millis(100);

/// What a node's process is started with.
#[derive(Clone, Debug)]
pub struct ProcessSetup {
    /// The address to listen on; port 0 takes a free one.
    pub listen: String,
    /// A folder on local disk for blocks and temporary files.
    pub scratch: PathBuf,
    /// A folder in memory for blocks that other processes of the host may map.
    pub shared: Option<PathBuf>,
    /// Which binary this is; a driver of another is refused.
    pub build: String,
    /// Ends the process when no driver has had it for this long; never where absent.
    pub alone: Option<Duration>,
    /// Takes no huge pages: nodes share the machine.
    pub small_pages: bool,
    /// Deadlines and certificates.
    pub options: NodeOptions,
}

/// Runs a node until it is told to end: by its driver, by the end of its input (so that a parent that dies leaves no node
/// behind), by SIGTERM, upon which running tasks may finish first, or because no driver has come for too long.
///
/// The cluster's token is the first line of standard input; one line of JSON on standard output says where the node
/// listens and which process it is. Call it from the main thread before any other is started: it takes SIGTERM for the process.
///
/// # Errors
/// No token, an address that is taken, certificates that cannot be used, or a system without resources.
pub fn serve_node(styles: NodeStyles, setup: ProcessSetup) -> Result<(), RemoteError> {
    let asked = Asked::watch().map_err(RemoteError::Resources)?;
    let ProcessSetup { listen, scratch, shared, build, alone, small_pages, options } = setup;
    if small_pages {
        memory::keep_to_small_pages();
    }
    let mut first = String::new();
    io::stdin().lock().take(1024).read_line(&mut first).map_err(RemoteError::Resources)?;
    let token = ClusterToken::parse(&first).map_err(|_| RemoteError::NoToken)?;
    let said = json_text(&build);
    let node = Node::start(styles, NodeSetup { listen, scratch, shared, token, build, options })?;
    let mut out = io::stdout().lock();
    let (address, pid) = (node.address(), std::process::id());
    let told =
        writeln!(out, "{{\"listening\":\"{address}\",\"build\":{said},\"pid\":{pid}}}").and_then(|()| out.flush());
    drop(out);
    told.map_err(RemoteError::Resources)?;
    let orphaned = watch_input()?;
    let mut last_driven = Instant::now();
    loop {
        if node.is_driven() {
            last_driven = Instant::now();
        } else if alone.is_some_and(|alone| last_driven.elapsed() > alone) {
            tracing::warn!("no driver has come for too long; this node ends");
            return Ok(());
        }
        if orphaned.load(Ordering::Acquire) {
            return Ok(());
        }
        if asked.to_end() {
            node.drain();
        }
        if node.wait(LOOK) {
            return Ok(());
        }
    }
}

/// A string as JSON.
fn json_text(text: &str) -> String {
    let mut json = String::from('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            c if c.is_control() => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

/// Turns true when standard input ends.
fn watch_input() -> Result<Arc<AtomicBool>, RemoteError> {
    let ended = Arc::<AtomicBool>::default();
    let tell = Arc::clone(&ended);
    let watch = move || {
        // Whatever else is said there is of no interest, and an error is an end.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        tell.store(true, Ordering::Release);
    };
    std::thread::Builder::new().name("bench-input".to_owned()).spawn(watch).map_err(RemoteError::Resources)?;
    Ok(ended)
}

/// Whether SIGTERM has arrived.
struct Asked(std::os::fd::OwnedFd);

impl Asked {
    /// From now on SIGTERM does not end the process. Threads started later inherit this.
    fn watch() -> io::Result<Self> {
        use std::os::fd::FromRawFd;
        #[expect(unsafe_code, reason = "signals are taken by libc only")]
        // SAFETY: `set` is initialized by `sigemptyset` before it is used, and all pointers refer to it for the duration
        // of the calls. The new descriptor is nobody else's.
        unsafe {
            let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
            libc::sigemptyset(set.as_mut_ptr());
            let mut set = set.assume_init();
            libc::sigaddset(&raw mut set, libc::SIGTERM);
            if libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) != 0 {
                return Err(io::Error::last_os_error());
            }
            let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(Self(std::os::fd::OwnedFd::from_raw_fd(fd)))
        }
    }

    fn to_end(&self) -> bool {
        use std::os::fd::AsRawFd;
        let mut info = [0u8; 128];
        #[expect(unsafe_code, reason = "a signalfd is read by libc only")]
        // SAFETY: the descriptor is open as long as `self`, and `info` takes the 128 bytes of one entry.
        let read = unsafe { libc::read(self.0.as_raw_fd(), info.as_mut_ptr().cast(), info.len()) };
        read > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_build_name_is_valid_json() {
        assert_eq!(json_text("v1 \"a\\b\"\n"), r#""v1 \"a\\b\"\u000a""#);
    }
}

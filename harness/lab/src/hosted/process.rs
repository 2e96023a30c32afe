//! A child process behind three pipes, watched by one loop: nothing it does or fails to do can block its parent.

use super::session::{HostedEngine, Origin};
use super::wire::MAX_MESSAGE_BYTES;
use crate::cluster::NodeGroup;
use crate::offspring::{Isolation, die_with_parent, kill_below, run_on};
use bench_model::Bytes;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long engines keep memory they have freed, in milliseconds, if this is their allocator: that of this build, and that of some products'
/// libraries. An engine waits for its turn longer than the allocator's second: it would give back everything after each trial and pay for it
/// again in the next one.
const KEEPING_FREED_MEMORY: (&str, &str) = ("MIMALLOC_PURGE_DELAY", "10000");

/// How much of the end of stderr is kept for error messages.
const STDERR_TAIL_BYTES: usize = 4096;
/// How many chunks of stderr are read before anything else is looked at again.
const STDERR_CHUNKS: usize = 8;
/// How often a waiting parent looks at its interrupt flag.
const INTERRUPT_LATENCY: Duration = Duration::from_millis(50);
/// How long a process whose output ended may take to exit by itself, so that its own status is reported.
const EXIT_PATIENCE: Duration = Duration::from_millis(500);
/// The same of a keeper, which ends what its driver left behind first.
const KEEPER_EXIT_PATIENCE: Duration = Duration::from_secs(4);
/// How long it may take to kill what is below a child.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// What of the parent's environment any child sees. Anything else may be a secret.
const ENVIRONMENT: [&str; 10] =
    ["PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "JAVA_HOME", "LD_LIBRARY_PATH"];
/// What an engine of this build sees besides.
const OWN_ENVIRONMENT: [&str; 5] = [
    "RUST_LOG",
    "RUST_BACKTRACE",
    "BENCH_DATA",
    "VIRTUAL_ENV",
    // How ssh reaches a user's keys; the keys themselves stay with the agent.
    "SSH_AUTH_SOCK",
];

/// A running child in a process group of its own. Dropping it kills the group and whatever is below the child.
///
/// The kernel kills the child when the thread that spawned it ends: keep that thread alive as long as the child.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    exit_patience: Duration,
    /// How it ended, once it was seen to: its number may be somebody else's from then on.
    ended: Option<ExitStatus>,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    stderr: Option<ChildStderr>,
    received: Vec<u8>,
    /// How much of `received` is known to hold no newline.
    scanned: usize,
    stderr_tail: VecDeque<u8>,
    /// What it and all that it starts may take; removed when they have ended.
    group: Option<NodeGroup>,
    /// What they may hold together.
    memory: Option<Bytes>,
    /// How many of them are known to have been killed for want of memory.
    killed: u64,
}

/// What came of an exchange.
#[derive(Debug)]
pub(super) enum Heard {
    /// A whole line, without its newline.
    Line(Vec<u8>),
    /// The output ended: the process is gone or about to be.
    End,
    /// A line longer than any message.
    TooLong,
    /// Nothing whole in time.
    Late,
    /// The interrupt flag was raised.
    Interrupted,
}

impl Process {
    /// Starts an engine's command line with a scrubbed environment plus its own, on its share of the CPUs and within its limits.
    pub(super) fn spawn(engine: &HostedEngine) -> io::Result<Self> {
        let (program, arguments) = engine
            .argv
            .split_first()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "empty command line"))?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_clear();
        let own: &[&str] = if engine.origin == Origin::ThisBuild { &OWN_ENVIRONMENT } else { &[] };
        let passed = ENVIRONMENT.iter().chain(own);
        command.envs(passed.filter_map(|name| Some((*name, std::env::var_os(name)?))));
        // Nodes inherit it.
        command.env(KEEPING_FREED_MEMORY.0, KEEPING_FREED_MEMORY.1);
        command.envs(engine.environment.iter().map(|(name, value)| (name, value)));
        command.process_group(0);
        die_with_parent(&mut command, Isolation::None);
        if let Some(cpus) = engine.cpus {
            run_on(&mut command, cpus)?;
        }
        let group = group(engine).map_err(io::Error::other)?;
        if let Some(group) = &group {
            group.enter_with(&mut command);
        }
        let mut child = command.spawn()?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let missing = || io::Error::other("a pipe of the child is missing");
        let (stdout, stderr) = (stdout.ok_or_else(missing)?, stderr.ok_or_else(missing)?);
        let process = Self {
            child,
            exit_patience: if engine.origin == Origin::Foreign { KEEPER_EXIT_PATIENCE } else { EXIT_PATIENCE },
            ended: None,
            stdin,
            stdout,
            stderr: Some(stderr),
            received: Vec::new(),
            scanned: 0,
            stderr_tail: VecDeque::new(),
            group,
            memory: engine.limits.memory,
            killed: 0,
        };
        let fds = [Some(process.stdout.as_raw_fd()), process.stdin_fd(), process.stderr_fd()];
        for fd in fds.into_iter().flatten() {
            set_nonblocking(fd)?;
        }
        Ok(process)
    }

    /// How many of its processes the kernel has killed for want of memory since this was asked last, with the memory that they have together;
    /// none of an engine without such a limit.
    pub(super) fn killed_for_memory(&mut self) -> Option<(u64, Bytes)> {
        let all = self.group.as_ref()?.killed_for_memory()?;
        let fresh = all.saturating_sub(std::mem::replace(&mut self.killed, all));
        self.memory.filter(|_| fresh > 0).map(|memory| (fresh, memory))
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends what `unsent` holds and waits for one line, while also draining stderr. A line may come before all of it is
    /// sent: `unsent` is then what the next call has to send.
    ///
    /// A process that does not read is not waited for longer than one that does not answer. A pipe it closed is no
    /// error by itself: its end shows in the output.
    pub(super) fn exchange(&mut self, unsent: &mut &[u8], deadline: Option<Instant>, stop: &AtomicBool) -> Heard {
        let mut over = false;
        loop {
            if let Some(heard) = self.whole_line() {
                return heard;
            }
            if stop.load(Ordering::Relaxed) {
                return Heard::Interrupted;
            }
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Heard::Late;
            }
            let ready = self.wait(!unsent.is_empty(), left.unwrap_or(INTERRUPT_LATENCY).min(INTERRUPT_LATENCY));
            if ready.stdin {
                *unsent = self.send(unsent);
            }
            if ready.stderr {
                self.drain_stderr();
            }
            if ready.stdout && !self.receive() {
                return self.whole_line().unwrap_or(Heard::End);
            }
            if !ready.stdout {
                if over {
                    return Heard::End;
                }
                // Children that outlive the process hold its output open: its group is killed with it, and whoever left
                // the group is not waited for. What it wrote last is read first.
                over = self.observe().is_some();
            }
        }
    }

    /// A line that was heard too early; the next exchange hears it.
    pub(super) fn put_back(&mut self, mut line: Vec<u8>) {
        line.push(b'\n');
        line.append(&mut self.received);
        self.received = line;
        self.scanned = 0;
    }

    /// Ends its input.
    pub(super) fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Writes what fits into the pipe; returns the rest.
    fn send<'a>(&mut self, unsent: &'a [u8]) -> &'a [u8] {
        let Some(stdin) = &mut self.stdin else { return &[] };
        match stdin.write(unsent) {
            Ok(written) => unsent.get(written..).unwrap_or_default(),
            Err(e) if is_transient(&e) => unsent,
            Err(_) => {
                self.stdin = None;
                &[]
            }
        }
    }

    /// Takes what is there; false at the end of the output.
    fn receive(&mut self) -> bool {
        let mut chunk = [0u8; 64 * 1024];
        match self.stdout.read(&mut chunk) {
            Ok(0) => false,
            Ok(n) => {
                self.received.extend_from_slice(chunk.get(..n).unwrap_or_default());
                true
            }
            Err(e) => is_transient(&e),
        }
    }

    fn whole_line(&mut self) -> Option<Heard> {
        let fresh = self.received.get(self.scanned..).unwrap_or_default();
        match fresh.iter().position(|byte| *byte == b'\n') {
            Some(at) => {
                let rest = self.received.split_off(self.scanned + at + 1);
                let mut line = std::mem::replace(&mut self.received, rest);
                line.pop();
                self.scanned = 0;
                Some(if line.len() < MAX_MESSAGE_BYTES { Heard::Line(line) } else { Heard::TooLong })
            }
            None => {
                self.scanned = self.received.len();
                (self.received.len() >= MAX_MESSAGE_BYTES).then_some(Heard::TooLong)
            }
        }
    }

    /// Takes what is there, but no more than a pipe holds: whoever writes without end must not be listened to without end.
    fn drain_stderr(&mut self) {
        let mut chunk = [0u8; 16 * 1024];
        for _ in 0..STDERR_CHUNKS {
            let Some(stderr) = &mut self.stderr else { return };
            match stderr.read(&mut chunk) {
                Ok(0) => self.stderr = None,
                Ok(n) => {
                    self.stderr_tail.extend(chunk.get(..n).unwrap_or_default());
                    let excess = self.stderr_tail.len().saturating_sub(STDERR_TAIL_BYTES);
                    self.stderr_tail.drain(..excess);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.stderr = None,
            }
        }
    }

    fn stdin_fd(&self) -> Option<RawFd> {
        self.stdin.as_ref().map(AsRawFd::as_raw_fd)
    }

    fn stderr_fd(&self) -> Option<RawFd> {
        self.stderr.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// Waits until a pipe is ready or `timeout` is over.
    fn wait(&self, sending: bool, timeout: Duration) -> Ready {
        // The system ignores entries whose descriptor is negative.
        let entry = |fd: Option<RawFd>, events| libc::pollfd { fd: fd.unwrap_or(-1), events, revents: 0 };
        let mut fds = [
            entry(Some(self.stdout.as_raw_fd()), libc::POLLIN),
            entry(self.stderr_fd(), libc::POLLIN),
            entry(self.stdin_fd().filter(|_| sending), libc::POLLOUT),
        ];
        // Rounded up: a wait of 0 ms would spin until the deadline.
        let ms = libc::c_int::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(libc::c_int::MAX);
        #[expect(unsafe_code, reason = "poll has no safe interface")]
        // SAFETY: the array outlives the call and its length is passed along.
        let count = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, ms) };
        let [stdout, stderr, stdin] = fds.map(|fd| count > 0 && fd.revents != 0);
        Ready { stdout, stderr, stdin }
    }

    /// The end of what it wrote to stderr, as text.
    pub(super) fn stderr_tail(&mut self) -> String {
        self.drain_stderr();
        let (front, back) = self.stderr_tail.as_slices();
        String::from_utf8_lossy(&[front, back].concat()).into_owned()
    }

    /// Whether the process has not been seen to end.
    pub(super) fn is_alive(&mut self) -> bool {
        self.observe().is_none()
    }

    /// How the process has ended, if it has. The first sight of its end kills what is left of its group, while the ended
    /// process still keeps the group's number from being given away.
    fn observe(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() && self.has_exited() {
            self.kill();
        }
        self.ended
    }

    /// Whether the child has exited, without reaping it or touching what it left.
    pub(super) fn has_exited(&self) -> bool {
        #[expect(unsafe_code, reason = "waiting without reaping has no safe interface")]
        // SAFETY: all zeroes is a value of the struct, which outlives the call; its pid field is valid after `waitid`.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
            libc::waitid(libc::P_PID, self.child.id(), &raw mut info, options) == 0 && info.si_pid() != 0
        }
    }

    /// How a process whose output ended has ended, in words; killed if it hesitates.
    pub(super) fn epitaph(&mut self) -> String {
        self.stdin = None;
        let deadline = Instant::now() + self.exit_patience;
        while Instant::now() < deadline {
            // Whoever has much to say at the end could not exit before it is said.
            self.drain_stderr();
            match self.observe() {
                Some(status) => return describe(status),
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        self.kill();
        "closed its output and did not exit".to_owned()
    }

    /// Lets a process that was told to stop do so, for a moment.
    pub(super) fn finish(&mut self) {
        self.epitaph();
    }

    /// Kills everything below the child and its group, and reaps it. Only the first call does: then the group's number may be another's.
    pub(super) fn kill(&mut self) {
        if self.ended.is_some() {
            return;
        }
        // While the child lives: afterwards nobody could tell whose the others were.
        kill_below(self.child.id(), KILL_PATIENCE);
        if let Ok(group) = libc::pid_t::try_from(self.child.id()) {
            // Reaping later than killing keeps the pid from naming somebody else's group.
            #[expect(unsafe_code, reason = "killing a process group has no safe interface")]
            // SAFETY: takes two numbers; the group is the child's own, made at spawn.
            let _ = unsafe { libc::kill(-group, libc::SIGKILL) };
        }
        // A child that cannot be waited for is not ours any more, and must not be killed again either.
        self.ended = Some(self.child.wait().unwrap_or_default());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The control group of an engine with limits, of a name of its own.
fn group(engine: &HostedEngine) -> Result<Option<NodeGroup>, String> {
    static MADE: AtomicU64 = AtomicU64::new(0);
    NodeGroup::make(&format!("engine-{}", MADE.fetch_add(1, Ordering::Relaxed)), &engine.limits)
}

struct Ready {
    stdout: bool,
    stderr: bool,
    stdin: bool,
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        // What the kernel does to a process that exceeds the memory of its machine or control group.
        (None, Some(libc::SIGKILL)) => "was killed by signal 9 (out of memory? see `dmesg`)".to_owned(),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

fn set_nonblocking(fd: RawFd) -> io::Result<()> {
    #[expect(unsafe_code, reason = "fcntl has no safe interface")]
    // SAFETY: the descriptor belongs to a pipe that is held open by the caller.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFL);
        if flags < 0 || libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

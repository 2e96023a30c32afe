//! Signals to a process on another machine, without delay.
//!
//! A fault strikes when a job has come so far. Connecting over ssh first would take longer than many jobs do, so the
//! connection is made when the node starts, and waits.

use super::ssh;
use crate::offspring::{Isolation, die_with_parent};
use bench_model::SshHost;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

/// How long a signal may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Carries out one line after the other, `SIGNAL PID`, and answers each: only processes of `$1` are signalled.
const OBEY: &str = r#"
while read -r signal pid; do
    if ! grep -qF "$1" "/proc/$pid/cmdline"; then echo "process $pid is no node any more"
    elif kill -s "$signal" "$pid"; then echo sent
    else echo "it was refused"; fi
done 2>/dev/null
"#;

/// A connection for signals. It ends when dropped.
#[derive(Debug)]
pub(super) struct Signals {
    host: String,
    child: Child,
    stdin: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Signals {
    /// Begins to connect, for signals to processes with `folder` on their command line. The calling thread must live as
    /// long as this.
    ///
    /// # Errors
    /// There is no ssh here, or no thread to be had.
    pub(super) fn begin(host: &SshHost, folder: &str) -> Result<Self, String> {
        let argv = ssh::argv(host, OBEY, &[folder]);
        let (program, words) = argv.split_first().ok_or("an empty command")?;
        let mut command = Command::new(program);
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        Self::start(host.ssh.clone(), command)
    }

    fn start(host: String, mut command: Command) -> Result<Self, String> {
        die_with_parent(&mut command, Isolation::None);
        let mut child = command.spawn().map_err(|e| ssh::no_ssh(&e))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (tell, answers) = mpsc::channel();
        let signals = Self { host, child, stdin, answers };
        let read = move || {
            let lines = stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines());
            // It ends with the connection, or with whoever asks.
            for line in lines.map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("ssh-signals".to_owned()).spawn(read);
        thread.map_err(|e| format!("cannot start a thread: {e}"))?;
        Ok(signals)
    }

    /// Sends a signal, by its name without `SIG`.
    ///
    /// # Errors
    /// The process is gone, the signal is refused, or the machine does not answer.
    pub(super) fn send(&mut self, signal: &str, pid: u32) -> Result<(), String> {
        let lost = |what: String| format!("cannot signal a node on {}: {what}", self.host);
        let stdin = self.stdin.as_mut().ok_or_else(|| lost("no connection".to_owned()))?;
        writeln!(stdin, "{signal} {pid}").and_then(|()| stdin.flush()).map_err(|e| lost(e.to_string()))?;
        match self.answers.recv_timeout(PATIENCE) {
            Ok(answer) if answer == "sent" => Ok(()),
            Ok(answer) => Err(lost(answer)),
            Err(_) => {
                // A late answer must not be taken for that of the next signal.
                self.stdin = None;
                Err(lost("it does not answer".to_owned()))
            }
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process with `mark` on its command line that waits for its input to end.
    fn process(mark: &str) -> Child {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "read never", "bench", mark]).stdin(Stdio::piped()).spawn().unwrap()
    }

    #[test]
    fn only_processes_that_are_meant_are_signalled() {
        let (mark, other) = ("/far/run-a-1", "/far/run-b-2");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", OBEY, "bench", mark]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut signals = Signals::start("here".to_owned(), command).unwrap();
        let (mut ours, mut foreign) = (process(mark), process(other));
        // A child has its own command line only when it runs its own program.
        while !std::fs::read_to_string(format!("/proc/{}/cmdline", ours.id())).unwrap().contains(mark) {
            std::thread::yield_now();
        }
        let refused = signals.send("KILL", foreign.id()).unwrap_err();
        assert!(refused.contains("no node any more"), "{refused}");
        assert_eq!(signals.send("KILL", ours.id()), Ok(()));
        assert!(!ours.wait().unwrap().success());
        assert!(signals.send("KILL", ours.id()).is_err(), "it is gone");
        assert!(foreign.try_wait().unwrap().is_none(), "it lives");
        drop(foreign.stdin.take());
        foreign.wait().unwrap();
    }
}

//! A node's process.
//!
//! The start protocol: the parent writes the cluster's token as the first line of the node's input, the node answers with
//! one line of JSON that says where it listens. The node ends when its input does, so that a parent that dies in
//! whatever way leaves none behind; on this machine the kernel sees to it as well.

use super::shared::SharedFolder;
use crate::offspring::{Isolation, die_with_parent};
use serde::Deserialize;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a node may take until it listens. Copies of the program over a slow link are made before.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// What a node says first.
#[derive(Deserialize)]
struct Listening {
    listening: SocketAddr,
    /// Its process where it runs, which may be another machine.
    #[serde(default)]
    pid: Option<u32>,
}

/// A started node. Dropping it kills its process.
#[derive(Debug)]
pub(super) struct NodeChild {
    child: Child,
    /// Kept open: the node ends when it closes.
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    token: String,
    /// Which process it says it is.
    own_pid: Option<u32>,
    /// Removed when the process is gone.
    _shared: Option<SharedFolder>,
}

impl NodeChild {
    /// Starts the program. It waits for its token before it does anything.
    ///
    /// # Errors
    /// The program cannot be started, or may not be isolated.
    pub(super) fn spawn(argv: &[OsString], isolation: Isolation, shared: Option<SharedFolder>) -> Result<Self, String> {
        let (program, arguments) = argv.split_first().ok_or("a node's command line is empty")?;
        let mut command = Command::new(program);
        command.args(arguments);
        if let Some(shared) = &shared {
            command.arg("--shared").arg(shared.path());
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        die_with_parent(&mut command, isolation);
        let token = random_token().map_err(|e| format!("cannot draw a cluster token: {e}"))?;
        let mut child = command.spawn().map_err(|e| format!("cannot start {}: {e}", program.display()))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        Ok(Self { child, stdin, stdout, token, own_pid: None, _shared: shared })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Which process it says it is, on its own machine.
    pub(super) fn own_pid(&self) -> Option<u32> {
        self.own_pid
    }

    /// Gives the node its token and waits until it listens.
    ///
    /// # Errors
    /// It ends, is late, or says something else.
    pub(super) fn await_listening(&mut self) -> Result<SocketAddr, String> {
        let line = format!("{}\n", self.token);
        let written = self.stdin.as_mut().map(|stdin| stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush()));
        if let Some(Err(error)) = written {
            return Err(format!("a node ended before it listened: {error}; its messages are above"));
        }
        let stdout = self.stdout.take().ok_or("a node is started once")?;
        let (tell, told) = mpsc::channel();
        // Reading may block for ever; the thread ends with the node's output.
        let reader = std::thread::Builder::new().name("node-start".to_owned()).spawn(move || {
            let mut line = String::new();
            // A longer first line is none of ours.
            let mut stdout = BufReader::new(stdout.take(4096));
            let read = stdout.read_line(&mut line);
            // The receiver may have given up.
            let _ = tell.send(read.map(|_| line));
            // Whatever carries the output may take its closing for an end.
            let _ = io::copy(&mut stdout.into_inner().into_inner(), &mut io::sink());
        });
        reader.map_err(|e| format!("cannot start a thread: {e}"))?;
        let line = match told.recv_timeout(START_PATIENCE) {
            Ok(Ok(line)) => line,
            Ok(Err(error)) => return Err(format!("cannot hear from a node: {error}")),
            Err(_) => return Err(format!("a node did not listen within {} s", START_PATIENCE.as_secs())),
        };
        let said: Listening = serde_json::from_str(&line).map_err(|_| {
            let said = line.trim();
            if said.is_empty() {
                "a node ended before it listened; its messages are above".to_owned()
            } else {
                format!("a node said `{said}` instead of where it listens")
            }
        })?;
        self.own_pid = said.pid;
        Ok(said.listening)
    }

    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal, if the process still exists.
    ///
    /// # Errors
    /// The process is gone, or the signal is refused.
    pub(super) fn signal(&mut self, signal: libc::c_int) -> Result<(), String> {
        if !self.is_alive() {
            return Err("its process is gone already".to_owned());
        }
        send_signal(self.child.id(), signal).map_err(|e| format!("cannot signal its process: {e}"))
    }

    /// Lets the node end by itself for a while, then kills it.
    pub(super) fn stop(&mut self, patience: Duration) {
        self.stdin = None;
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline && self.is_alive() {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.kill();
    }

    fn kill(&mut self) {
        // Killing what has been reaped already is refused by the standard library, so no other process can be hit.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for NodeChild {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal to a process of ours that has not been reaped.
pub(super) fn send_signal(pid: u32, signal: libc::c_int) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    #[expect(unsafe_code, reason = "kill has no safe interface")]
    // SAFETY: takes two numbers.
    let sent = unsafe { libc::kill(pid, signal) };
    if sent == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// 128 random bits as text.
fn random_token() -> io::Result<String> {
    let mut bytes = [0u8; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<OsString> {
        vec!["/bin/sh".into(), "-c".into(), script.into()]
    }

    #[test]
    fn a_node_gets_its_token_and_says_where_it_listens() {
        let script = r#"read t; [ ${#t} = 32 ] && echo '{"listening":"127.0.0.1:7","build":"x"}'; cat >/dev/null"#;
        let mut node = NodeChild::spawn(&shell(script), Isolation::None, None).unwrap();
        assert_eq!(node.await_listening(), Ok("127.0.0.1:7".parse().unwrap()));
        assert!(node.is_alive());
        node.stop(Duration::from_secs(5));
        assert!(!node.is_alive());
    }

    #[test]
    fn a_node_that_ends_or_babbles_is_an_error() {
        for (script, expected) in
            [("read t; exit 3", "ended before it listened"), ("read t; echo hello", "said `hello`")]
        {
            let mut node = NodeChild::spawn(&shell(script), Isolation::None, None).unwrap();
            let error = node.await_listening().unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_dropped_node_is_gone() {
        let node = NodeChild::spawn(&shell("sleep 600"), Isolation::None, None).unwrap();
        let pid = node.pid();
        drop(node);
        assert!(send_signal(pid, 0).is_err());
    }

    #[test]
    fn two_tokens_differ() {
        assert_ne!(random_token().unwrap(), random_token().unwrap());
    }
}

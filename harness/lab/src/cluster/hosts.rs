//! Nodes on other machines over ssh.
//!
//! A node is started with the very command line of a local one. ssh carries its input and output, so it ends when this
//! process does, in whatever way; where the network was cut and nobody tells it, it ends because no driver comes. What it
//! leaves behind is removed by the run's [hold](super::hold) of the machine.

use super::child::NodeChild;
use super::signals::Signals;
use super::ssh::{self, utf8};
use crate::offspring::Isolation;
use bench_model::{FaultKind, LaunchedNode, SshHost};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// Seconds after which a node ends that no driver has.
const ALONE_S: &str = "60";

/// Becomes the node, in a scratch folder that is named after it. Removes those of nodes that were killed: what they hold is
/// nobody's any more, and a disk would fill up with it.
const START: &str = r#"
umask 077
program=$1 node=$2/node-$$
for old in "$2"/node-*; do
    if [ "$old" = "$node" ] || [ ! -d "/proc/${old##*-}" ]; then rm -rf "$old"; fi
done
shift 2
mkdir "$node" || exit 3
exec "$program" "$@" --scratch "$node"
"#;

/// Starts a node on a machine that was made ready, and waits until it listens.
///
/// # Errors
/// What ssh says.
pub(super) fn launch(host: &SshHost, node: &[OsString], tls: Option<&Path>) -> Result<Box<dyn LaunchedNode>, String> {
    let site = host.site.clone().ok_or_else(|| format!("{} was not made ready for nodes", host.ssh))?;
    let (_, arguments) = node.split_first().ok_or("a node's command line is empty")?;
    let address = SocketAddr::new(host.address, 0).to_string();
    let mut words = vec![utf8(&site.program)?, utf8(&site.folder)?];
    for argument in arguments {
        words.push(utf8(Path::new(argument))?);
    }
    words.extend(["--listen", &address, "--alone", ALONE_S]);
    if let Some(folder) = tls {
        words.extend(["--tls", utf8(folder)?]);
    }
    let signals = Signals::begin(host, utf8(&site.folder)?)?;
    let mut child = NodeChild::spawn(&ssh::argv(host, START, &words), Isolation::None, None)?;
    let address = child.await_listening().map_err(|e| format!("{}: {e}", host.ssh))?;
    Ok(Box::new(RemoteNode { address, child, signals, host: host.ssh.clone(), paused: false }))
}

struct RemoteNode {
    address: SocketAddr,
    child: NodeChild,
    signals: Signals,
    host: String,
    paused: bool,
}

impl RemoteNode {
    /// Signals the process over there.
    fn signal(&mut self, signal: &str) -> Result<(), String> {
        let pid = self.child.own_pid().ok_or("the node did not say which process it is")?;
        self.signals.send(signal, pid)
    }
}

impl LaunchedNode for RemoteNode {
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
        match fault {
            FaultKind::Kill => self.signal("KILL"),
            FaultKind::Pause => {
                self.signal("STOP")?;
                self.paused = true;
                Ok(())
            }
            _ => Err(format!("`{}` cannot be done to {} over ssh", fault.name(), self.host)),
        }
    }

    fn relieve(&mut self) -> Result<(), String> {
        if std::mem::take(&mut self.paused) { self.signal("CONT") } else { Ok(()) }
    }

    fn stop(&mut self, patience: Duration) {
        // A stopped process cannot end by itself; if even that fails, it is killed at the end of the hold.
        let _ = self.relieve();
        self.child.stop(patience);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::Command;

    #[test]
    fn a_node_removes_the_scratch_of_killed_ones_and_no_other() {
        let run = tempfile::tempdir().unwrap();
        // No process has the highest number there is; this one is alive.
        let (dead, living) = (run.path().join("node-4194999"), run.path().join(format!("node-{}", std::process::id())));
        fs::create_dir_all(dead.join("blocks")).unwrap();
        fs::create_dir(&living).unwrap();
        let mut node = Command::new("/bin/sh");
        node.args(["-c", START, "bench", "/bin/echo"]).arg(run.path()).args(["node", "--listen", "here"]);
        let said = String::from_utf8(node.output().unwrap().stdout).unwrap();
        let scratch = said.trim_end().strip_prefix("node --listen here --scratch ").unwrap();
        assert!(Path::new(scratch).is_dir() && !dead.exists() && living.exists());
    }
}

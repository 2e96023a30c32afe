//! Nodes on other machines over ssh.
//!
//! The program is copied once per build, under its build's name, and started with the very command line of a local node.
//! ssh carries its input and output, so it ends when this process does, in whatever way.

use super::child::NodeChild;
use crate::offspring::Isolation;
use bench_model::{FaultKind, LaunchedNode, NodeId, SshHost};
use serde::Deserialize;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Why a hosts file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HostsError {
    /// It cannot be read.
    #[error("cannot read hosts file {path}: {error}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is not what it should be.
    #[error("hosts file {path}: {message}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

/// The file: one `[[host]]` table per machine, in node order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HostsFile {
    host: Vec<SshHost>,
}

/// Reads a file that names machines.
///
/// # Errors
/// It cannot be read, has unknown keys, or names no machine, a name that ssh would take for an option, or a relative folder.
pub fn read_hosts(path: &Path) -> Result<Vec<SshHost>, HostsError> {
    let text = fs::read_to_string(path).map_err(|error| HostsError::Unreadable { path: path.to_owned(), error })?;
    parse(&text).map_err(|message| HostsError::Malformed { path: path.to_owned(), message })
}

fn parse(text: &str) -> Result<Vec<SshHost>, String> {
    let file: HostsFile = toml::from_str(text).map_err(|e| e.to_string())?;
    if file.host.is_empty() {
        return Err("it names no machine; write one [[host]] table for each".to_owned());
    }
    for host in &file.host {
        if host.ssh.is_empty() || host.ssh.starts_with('-') || host.ssh.contains(char::is_whitespace) {
            return Err(format!("`ssh = \"{}\"` is no host name", host.ssh));
        }
        if !host.folder.is_absolute() {
            return Err(format!("`folder` of {} must be an absolute path", host.ssh));
        }
    }
    Ok(file.host)
}

/// Copies the program if it is not there, starts a node and waits until it listens.
///
/// # Errors
/// What ssh says.
pub(super) fn launch(host: &SshHost, node: &[OsString], id: NodeId) -> Result<Box<dyn LaunchedNode>, String> {
    let (program, arguments) = node.split_first().ok_or("a node's command line is empty")?;
    let program = Path::new(program);
    let remote = host.folder.join(format!("bench-{}", fingerprint(program)?));
    install(host, program, &remote)?;
    let scratch = host.folder.join(format!("scratch-{}-{id}", std::process::id()));
    let address = SocketAddr::new(host.address, 0).to_string();
    let mut words: Vec<String> = vec![quoted(&remote.to_string_lossy())];
    words.extend(arguments.iter().map(|a| quoted(&a.to_string_lossy())));
    words.extend(["--listen", &address, "--scratch", &scratch.to_string_lossy()].map(quoted));
    // `exec`: the shell must not stay between ssh and the node.
    let mut argv = ssh(host);
    argv.push(format!("exec {}", words.join(" ")).into());
    let mut child = NodeChild::spawn(&argv, Isolation::None, None)?;
    let address = child.await_listening().map_err(|e| format!("{}: {e}", host.ssh))?;
    Ok(Box::new(RemoteNode { address, child, host: host.clone() }))
}

/// ssh to a host, without ever asking anything.
fn ssh(host: &SshHost) -> Vec<OsString> {
    let mut argv: Vec<OsString> = vec!["ssh".into(), "-o".into(), "BatchMode=yes".into()];
    argv.extend(["-o".into(), "ConnectTimeout=10".into(), "-o".into(), "ServerAliveInterval=2".into()]);
    if let Some(port) = host.port {
        argv.extend(["-p".into(), port.to_string().into()]);
    }
    if let Some(identity) = &host.identity {
        argv.extend(["-i".into(), identity.into()]);
    }
    argv.extend(["--".into(), host.ssh.clone().into()]);
    argv
}

/// A word for the remote shell, which ssh always puts between.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// What tells one build of the program from another: its size and when it was made.
fn fingerprint(program: &Path) -> Result<String, String> {
    let unreadable = |e: std::io::Error| format!("cannot examine {}: {e}", program.display());
    let about = fs::metadata(program).map_err(unreadable)?;
    let made = about.modified().map_err(unreadable)?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(format!("{:x}-{:x}", about.len(), made.as_nanos()))
}

/// Puts the program where the host will start it. A copy that was cut short has another name and is never started.
fn install(host: &SshHost, program: &Path, remote: &Path) -> Result<(), String> {
    let (target, folder) = (quoted(&remote.to_string_lossy()), quoted(&host.folder.to_string_lossy()));
    if remotely(host, &format!("test -x {target}"), None).is_ok() {
        return Ok(());
    }
    let script =
        format!("mkdir -p {folder} && cat > {target}.part && chmod 700 {target}.part && mv {target}.part {target}");
    remotely(host, &script, Some(program))
}

/// Runs a command on a host, with a file as its input.
fn remotely(host: &SshHost, script: &str, input: Option<&Path>) -> Result<(), String> {
    let mut argv = ssh(host);
    argv.push(script.into());
    let stdin = match input {
        None => Stdio::null(),
        Some(path) => fs::File::open(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?.into(),
    };
    let (program, arguments) = argv.split_first().ok_or("an empty command")?;
    let output = Command::new(program).args(arguments).stdin(stdin).output();
    let output = output.map_err(|e| format!("cannot run ssh: {e}; install an ssh client"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ssh to {} failed: {}", host.ssh, String::from_utf8_lossy(&output.stderr).trim()))
}

struct RemoteNode {
    address: SocketAddr,
    child: NodeChild,
    host: SshHost,
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
            // The connection ends, and the node with its input.
            FaultKind::Kill => self.child.signal(libc::SIGKILL),
            _ => Err(format!("`{}` cannot be done to {} over ssh", fault.name(), self.host.ssh)),
        }
    }

    fn relieve(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn stop(&mut self, patience: Duration) {
        self.child.stop(patience);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "[[host]]\nssh = \"me@far\"\naddress = \"10.0.0.7\"\nfolder = \"/tmp/bench\"\n";

    #[test]
    fn a_hosts_file_names_machines_in_node_order() {
        let hosts = parse(&format!("{GOOD}{}", GOOD.replace("me@far", "farther"))).unwrap();
        assert_eq!(hosts.iter().map(|h| h.ssh.as_str()).collect::<Vec<_>>(), ["me@far", "farther"]);
    }

    #[test]
    fn what_ssh_would_take_for_an_option_is_no_host() {
        for (good, bad) in [("me@far", "-oProxyCommand=sh"), ("me@far", "a b"), ("me@far", ""), ("/tmp", "tmp")] {
            assert!(parse(&GOOD.replace(good, bad)).is_err(), "{bad}");
        }
        assert!(parse("").is_err());
        assert!(parse("host = []").unwrap_err().contains("names no machine"));
        assert!(parse(&format!("{GOOD}user = \"x\"\n")).is_err());
    }

    proptest! {
        #[test]
        fn a_quoted_word_reaches_a_shell_as_it_is(word in "[ -~]{0,40}") {
            let said = Command::new("/bin/sh").arg("-c").arg(format!("printf %s {}", quoted(&word))).output().unwrap();
            prop_assert_eq!(String::from_utf8_lossy(&said.stdout), word);
        }
    }
}

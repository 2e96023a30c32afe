//! The file that names machines.

use bench_model::{ClusterSpec, HostTables, SshHost};
use serde::Deserialize;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Why a hosts file cannot be used, or its machines.
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
    /// A machine cannot be made ready.
    #[error("{0}")]
    Unready(String),
}

/// The file. `docs/hosts.md` explains each key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HostsFile {
    /// A folder of certificates, of the same path on every machine.
    #[serde(default)]
    tls: Option<PathBuf>,
    /// One table per machine, in node order.
    host: Vec<HostEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HostEntry {
    ssh: String,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    identity: Option<PathBuf>,
    #[serde(default)]
    known_hosts: Option<PathBuf>,
    address: IpAddr,
    folder: PathBuf,
    #[serde(default = "yes")]
    keep_program: bool,
    #[serde(default)]
    tables: HostTables,
}

const fn yes() -> bool {
    true
}

/// What a hosts file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    /// The machines, in node order.
    pub hosts: Vec<SshHost>,
    /// A folder of certificates, if everything between the machines is encrypted.
    pub tls: Option<PathBuf>,
}

impl Hosts {
    /// Reads a file that names machines. Files that it names itself are looked for beside it.
    ///
    /// # Errors
    /// It cannot be read, has unknown keys, or names no machine, a name that ssh would take for an option, or a relative
    /// folder.
    pub fn read(path: &Path) -> Result<Self, HostsError> {
        let unreadable = |error| HostsError::Unreadable { path: path.to_owned(), error };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let beside = std::path::absolute(path).map_err(unreadable)?;
        let beside = beside.parent().unwrap_or(Path::new("/"));
        Self::parse(&text, beside).map_err(|message| HostsError::Malformed { path: path.to_owned(), message })
    }

    fn parse(text: &str, beside: &Path) -> Result<Self, String> {
        let file: HostsFile = toml::from_str(text).map_err(|e| e.to_string())?;
        if file.host.is_empty() {
            return Err("it names no machine; write one [[host]] table for each".to_owned());
        }
        if file.tls.as_ref().is_some_and(|folder| !folder.is_absolute()) {
            return Err("`tls` must be an absolute path: it is the same on every machine".to_owned());
        }
        let hosts = file.host.into_iter().map(|entry| entry.host(beside)).collect::<Result<_, _>>()?;
        Ok(Self { hosts, tls: file.tls })
    }

    /// The first so many machines as a cluster, or all of them; `None` if there are not so many.
    #[must_use]
    pub fn cluster(&self, nodes: Option<u32>) -> Option<ClusterSpec> {
        let nodes = nodes.map_or(self.hosts.len(), |n| n as usize);
        Some(ClusterSpec::Hosts { hosts: self.hosts.get(..nodes)?.to_vec(), tls: self.tls.clone() })
    }
}

impl HostEntry {
    fn host(self, beside: &Path) -> Result<SshHost, String> {
        let Self { ssh, port, identity, known_hosts, address, folder, keep_program, tables } = self;
        if ssh.is_empty() || ssh.starts_with('-') || ssh.contains(char::is_whitespace) {
            return Err(format!("`ssh = \"{ssh}\"` is no host name"));
        }
        if !folder.is_absolute() {
            return Err(format!("`folder` of {ssh} must be an absolute path"));
        }
        if address.is_unspecified() || address.is_loopback() {
            return Err(format!("`address` of {ssh} must be one that the other machines can reach, not {address}"));
        }
        let [identity, known_hosts] = [identity, known_hosts].map(|file| file.map(|file| beside.join(file)));
        Ok(SshHost { ssh, port, identity, known_hosts, address, folder, keep_program, tables, site: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[[host]]\nssh = \"me@far\"\naddress = \"10.0.0.7\"\nfolder = \"/tmp/bench\"\n";

    fn parse(text: &str) -> Result<Hosts, String> {
        Hosts::parse(text, Path::new("/etc/cluster"))
    }

    #[test]
    fn a_hosts_file_names_machines_in_node_order() {
        let hosts = parse(&format!("{GOOD}{}", GOOD.replace("me@far", "farther"))).unwrap();
        assert_eq!(hosts.hosts.iter().map(|h| h.ssh.as_str()).collect::<Vec<_>>(), ["me@far", "farther"]);
        assert_eq!(hosts.cluster(None).map(|c| c.nodes()), Some(2));
        assert_eq!(hosts.cluster(Some(1)).map(|c| c.nodes()), Some(1));
        assert_eq!(hosts.cluster(Some(3)), None);
    }

    #[test]
    fn the_example_of_the_documentation_is_a_hosts_file() {
        let hosts = parse(include_str!("../../../../docs/hosts.example.toml")).unwrap();
        assert_eq!(hosts.hosts.len(), 2);
        assert!(hosts.tls.is_none());
    }

    #[test]
    fn what_is_left_out_has_the_safe_value_and_files_are_looked_for_beside_the_hosts_file() {
        let host = parse(GOOD).unwrap().hosts.remove(0);
        assert!(host.keep_program && host.tables == HostTables::Present && host.identity.is_none());
        let more = "identity = \"key\"\nknown_hosts = \"/abs/known\"\ntables = \"copy\"\nkeep_program = false\n";
        let host = parse(&format!("{GOOD}{more}")).unwrap().hosts.remove(0);
        assert_eq!(host.identity.as_deref(), Some(Path::new("/etc/cluster/key")));
        assert_eq!(host.known_hosts.as_deref(), Some(Path::new("/abs/known")));
        assert!(!host.keep_program && host.tables == HostTables::Copy);
    }

    #[test]
    fn what_ssh_would_take_for_an_option_is_no_host() {
        for (good, bad) in [("me@far", "-oProxyCommand=sh"), ("me@far", "a b"), ("me@far", ""), ("/tmp", "tmp")] {
            assert!(parse(&GOOD.replace(good, bad)).is_err(), "{bad}");
        }
        for address in ["0.0.0.0", "127.0.0.1", "::1", "somewhere"] {
            assert!(parse(&GOOD.replace("10.0.0.7", address)).is_err(), "{address}");
        }
        assert!(parse("").is_err());
        assert!(parse("host = []").unwrap_err().contains("names no machine"));
        assert!(parse(&format!("{GOOD}user = \"x\"\n")).is_err());
        assert!(parse(&format!("{GOOD}site = {{ program = \"/p\", folder = \"/f\" }}\n")).is_err());
        assert!(parse(&format!("tls = \"here\"\n{GOOD}")).unwrap_err().contains("absolute"));
    }
}

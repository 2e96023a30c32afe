//! What this machine can do for clusters, found by trying.

use super::groups::NodeGroup;
use crate::offspring::{Isolation, die_with_parent};
use bench_model::{Bytes, NodeLimits};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// Programs that clusters are made with, and for what.
const TOOLS: [(&str, &str); 6] = [
    ("ssh", "a hosts file"),
    ("sshd", "tests of hosts files"),
    ("ip", "emulated nodes"),
    ("tc", "emulated nodes"),
    ("nsenter", "emulated nodes"),
    ("unshare", "tests of hosts files"),
];
/// Where administrators' programs lie, whether or not users look there.
const ALSO: &str = "/usr/local/sbin:/usr/sbin:/sbin";
/// No real node has this name.
const NO_NODE: &str = "probe";

/// What this machine can do for clusters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterAbilities {
    /// Whether nodes can have a network of their own.
    pub namespaces: bool,
    /// Whether nodes can have a CPU quota and a memory limit: control groups can be made and set.
    pub node_limits: bool,
    /// Where each program is that clusters are made with, if it is.
    pub tools: BTreeMap<&'static str, Option<String>>,
}

impl ClusterAbilities {
    /// Tries everything.
    #[must_use]
    pub fn probe() -> Self {
        let tools = TOOLS.iter().map(|(tool, _)| (*tool, find(tool))).collect();
        Self { namespaces: can_isolate(), node_limits: can_limit(), tools }
    }

    /// The programs that are not here, each with what it is for.
    #[must_use]
    pub fn missing(&self) -> Vec<(&'static str, &'static str)> {
        let is_missing = |tool: &str| !matches!(self.tools.get(tool), Some(Some(_)));
        TOOLS.into_iter().filter(|(tool, _)| is_missing(tool)).collect()
    }
}

fn find(tool: &str) -> Option<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(ALSO.split(':')).filter(|folder| !folder.is_empty());
    let mut places = folders.map(|folder| Path::new(folder).join(tool));
    places.find(|place| place.is_file()).map(|place| place.display().to_string())
}

fn can_isolate() -> bool {
    let mut command = Command::new("true");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    die_with_parent(&mut command, Isolation::Network);
    command.status().is_ok_and(|status| status.success())
}

fn can_limit() -> bool {
    let limits = NodeLimits { cpu_milli: Some(1000), memory: Some(Bytes::new(1 << 40)), rate_mbit: None };
    matches!(NodeGroup::make(NO_NODE, &limits), Ok(Some(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_what_it_is_for() {
        let mut found = ClusterAbilities::probe();
        assert_eq!(found.tools.len(), TOOLS.len());
        found.tools.values_mut().for_each(|place| *place = Some("/bin/x".to_owned()));
        assert_eq!(found.missing(), []);
        found.tools.insert("tc", None);
        assert_eq!(found.missing(), [("tc", "emulated nodes")]);
    }

    #[test]
    fn a_program_is_found_where_it_lies() {
        assert!(find("sh").is_some_and(|place| place.ends_with("/sh")));
        assert_eq!(find("no-such-program-anywhere"), None);
    }
}

//! Sockets of the internet that processes have open, as the system tells.

use crate::killed::tree::below;
use std::collections::BTreeSet;
use std::fmt;
use std::fs;

/// The state of a socket that waits for callers.
const LISTENS: &str = "0A";
/// Nobody on the other side yet.
const NOBODY: &str = "00000000";

/// One socket: its ends as the system writes them, hexadecimal, each 32 bits of an address in the byte order of this machine.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Socket {
    own: String,
    other: String,
    /// How far it reaches.
    kind: Kind,
    /// Who has it open.
    process: String,
}

/// What a socket can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// TCP that waits for callers.
    Listens,
    /// Any other TCP.
    Speaks,
    /// UDP: whoever has it can hear and send without a connection.
    Datagrams,
}

impl Socket {
    /// Whether it can only be reached from, and only reaches, this machine.
    pub(super) fn is_local(&self) -> bool {
        let is_nobody = |end: &str| address(end).chars().all(|c| c == '0');
        match self.kind {
            Kind::Listens => is_loopback(&self.own),
            // Nobody is on the other side yet, or it is this machine.
            Kind::Speaks => is_nobody(&self.other) || is_loopback(&self.other),
            Kind::Datagrams => is_loopback(&self.own) && (is_nobody(&self.other) || is_loopback(&self.other)),
        }
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} to {}", self.process, self.own, self.other)
    }
}

fn address(end: &str) -> &str {
    end.split(':').next().unwrap_or(NOBODY)
}

/// 127.0.0.0/8, `::1`, and the former written as the latter's kind.
fn is_loopback(end: &str) -> bool {
    let address = address(end);
    match address.len() {
        8 => address.ends_with("7F"),
        32 => {
            address == "00000000000000000000000001000000"
                || address.starts_with("0000000000000000FFFF0000") && address.ends_with("7F")
        }
        _ => false,
    }
}

/// Those of every process below `root`, which itself is not looked at.
pub(super) fn of_all_below(root: u32) -> BTreeSet<Socket> {
    let mut found = BTreeSet::new();
    for process in below(root) {
        let entries = fs::read_dir(format!("/proc/{}/fd", process.pid)).into_iter().flatten().flatten();
        let links = entries.filter_map(|entry| fs::read_link(entry.path()).ok()?.to_str().map(str::to_owned));
        let inodes: BTreeSet<String> =
            links.filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect();
        if inodes.is_empty() {
            continue;
        }
        for kind in ["tcp", "tcp6", "udp", "udp6"] {
            // Of the process's own network, which is another one on an emulated node. It may have ended meanwhile.
            let table = fs::read_to_string(format!("/proc/{}/net/{kind}", process.pid)).unwrap_or_default();
            for line in table.lines().skip(1) {
                let fields: Vec<&str> = line.split_whitespace().collect();
                let [_, own, other, state, _, _, _, _, _, inode, ..] = fields[..] else { continue };
                if inodes.contains(inode) {
                    let kind = match kind {
                        "udp" | "udp6" => Kind::Datagrams,
                        _ if state == LISTENS => Kind::Listens,
                        _ => Kind::Speaks,
                    };
                    let (own, other) = (own.to_owned(), other.to_owned());
                    found.insert(Socket { own, other, kind, process: process.name.clone() });
                }
            }
        }
    }
    found
}

#[test]
fn real_sockets_are_told_apart() {
    let of = |kind, own: &str, other: &str| {
        Socket { own: own.into(), other: other.into(), kind, process: String::new() }.is_local()
    };
    let socket = |own: &str, other: &str, listens| of(if listens { Kind::Listens } else { Kind::Speaks }, own, other);
    assert!(of(Kind::Datagrams, "0100007F:9C40", "00000000:0000"), "heard on this machine only");
    assert!(!of(Kind::Datagrams, "00000000:9C40", "00000000:0000"), "heard by all");
    assert!(socket("0100007F:1F90", "00000000:0000", true), "127.0.0.1 waits");
    assert!(!socket("00000000:1F90", "00000000:0000", true), "all addresses wait");
    assert!(!socket("0200000A:1F90", "00000000:0000", true), "10.0.0.2 waits");
    assert!(socket("0100007F:9C40", "0100007F:1F90", false), "127.0.0.1 to itself");
    assert!(!socket("0200000A:9C40", "08080808:01BB", false), "to elsewhere");
    assert!(socket("00000000:9C40", "00000000:0000", false), "not connected yet");
    let mapped = "0000000000000000FFFF00000100007F:9C40";
    assert!(socket(mapped, mapped, false) && socket(mapped, "00000000000000000000000000000000:0000", true));
}

//! Bytes over network interfaces, in every network namespace that a process tree lives in.
//!
//! An interface counts for everybody in its namespace. Emulated nodes have one each, with a loopback and a link; all other
//! engines share the machine's with whoever else uses it.

use crate::cluster::SWITCH;
use bench_record::NetworkBytes;
use std::collections::BTreeMap;
use std::fs;

/// The interface that leads back to its own namespace.
const LOOPBACK: &str = "lo";

/// Bytes received and sent over an interface since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted {
    received: u64,
    sent: u64,
}

/// The interfaces of all namespaces of a tree at one instant, by namespace and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Interfaces(BTreeMap<(String, String), Counted>);

impl Interfaces {
    /// Reads the namespaces of a tree, its root first; none if the root does not tell. A process that vanishes while it is
    /// asked leaves its namespace to the others in it.
    pub(super) fn take(tree: &[u32]) -> Option<Self> {
        let mut all = BTreeMap::new();
        let mut seen = Vec::new();
        for (at, pid) in tree.iter().enumerate() {
            match namespace(*pid) {
                Some(known) if seen.contains(&known) => {}
                Some(new) => {
                    let interfaces = fs::read_to_string(format!("/proc/{pid}/net/dev")).ok().map(|text| parse(&text));
                    if at == 0 && interfaces.as_ref().is_none_or(Vec::is_empty) {
                        return None;
                    }
                    all.extend(interfaces.into_iter().flatten().map(|(name, counted)| ((new.clone(), name), counted)));
                    seen.push(new);
                }
                None if at == 0 => return None,
                None => {}
            }
        }
        (!all.is_empty()).then_some(Self(all))
    }

    /// What passed until a later reading. An interface that is new since has counted from zero; what passed over one that is
    /// gone is unknown, and so is the sum.
    pub(super) fn until(&self, later: &Self) -> Option<NetworkBytes> {
        if self.0.keys().any(|key| !later.0.contains_key(key)) {
            return None;
        }
        let mut namespaces: Vec<&str> = later.0.keys().map(|(namespace, _)| namespace.as_str()).collect();
        namespaces.dedup();
        let namespaces = u32::try_from(namespaces.len()).unwrap_or(u32::MAX);
        let mut sum = NetworkBytes { namespaces, ..NetworkBytes::default() };
        for (key, now) in &later.0 {
            let before = self.0.get(key).copied().unwrap_or_default();
            let (received, sent) = (now.received.saturating_sub(before.received), now.sent.saturating_sub(before.sent));
            if key.1 == LOOPBACK {
                sum.loopback_received_bytes += received;
                sum.loopback_sent_bytes += sent;
            } else {
                sum.received_bytes += received;
                sum.sent_bytes += sent;
            }
        }
        Some(sum)
    }
}

/// What names the network namespace of a process.
fn namespace(pid: u32) -> Option<String> {
    Some(fs::read_link(format!("/proc/{pid}/ns/net")).ok()?.to_string_lossy().into_owned())
}

/// The interfaces of a namespace. That of an emulated cluster's switch has none here: it passes on what the ends of its
/// links count already.
fn parse(dev: &str) -> Vec<(String, Counted)> {
    let interface = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let mut numbers = numbers.split_ascii_whitespace().map(str::parse::<u64>);
        let received = numbers.next()?.ok()?;
        // Seven more numbers are about what was received.
        let sent = numbers.nth(7)?.ok()?;
        Some((name.trim().to_owned(), Counted { received, sent }))
    };
    let found: Vec<(String, Counted)> = dev.lines().filter_map(interface).collect();
    if found.iter().any(|(name, _)| name == SWITCH) { Vec::new() } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    /// An interface: its name, what it received and what it sent.
    type Said<'s> = (&'s str, u64, u64);

    fn dev(interfaces: &[Said<'_>]) -> String {
        let lines = interfaces.iter().map(|(n, r, s)| format!("{n:>6}: {r} 9 0 0 0 0 0 0 {s} 9 0 0 0 0 0 0\n"));
        let head = "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes packets\n".to_owned();
        head + &lines.collect::<String>()
    }

    fn namespaces(all: &[(&str, &[Said<'_>])]) -> Interfaces {
        let of = |(namespace, interfaces): &(&str, &[Said<'_>])| {
            let found = parse(&dev(interfaces));
            found.into_iter().map(|(name, c)| (((*namespace).to_owned(), name), c)).collect::<Vec<_>>()
        };
        Interfaces(all.iter().flat_map(of).collect())
    }

    #[test]
    fn loopback_and_links_are_told_apart_over_all_namespaces() {
        let before = namespaces(&[("a", &[("lo", 10, 10), ("eth0", 5, 7)])]);
        let after =
            namespaces(&[("a", &[("lo", 30, 30), ("eth0", 6, 9)]), ("b", &[("lo", 1, 1), ("link0", 100, 200)])]);
        let expected = NetworkBytes {
            namespaces: 2,
            loopback_received_bytes: 21,
            loopback_sent_bytes: 21,
            received_bytes: 101,
            sent_bytes: 202,
        };
        assert_eq!(before.until(&after), Some(expected));
    }

    #[test]
    fn the_switch_of_an_emulated_cluster_counts_nothing_twice() {
        assert_eq!(parse(&dev(&[("lo", 1, 1), (SWITCH, 9, 9), ("port0", 9, 9)])), []);
    }

    #[test]
    fn what_passed_over_an_interface_that_is_gone_is_unknown_and_not_zero() {
        let before = namespaces(&[("a", &[("lo", 1, 1)]), ("b", &[("lo", 1, 1), ("link0", 1, 1)])]);
        assert_eq!(before.until(&namespaces(&[("a", &[("lo", 5, 5)])])), None);
    }

    #[test]
    fn lines_that_are_no_interface_are_passed_over() {
        assert_eq!(parse(""), []);
        assert_eq!(parse("lo: 1 2 3\n: x\nno colon\neth0: many 0 0 0 0 0 0 0 1\n"), []);
        assert_eq!(Interfaces::take(&[]), None);
        // No process has this number: it is above the largest one that Linux gives.
        assert_eq!(Interfaces::take(&[1 << 23]), None);
    }

    #[test]
    fn bytes_over_loopback_are_seen() {
        let me = [std::process::id()];
        let before = Interfaces::take(&me).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut out = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut inward, _) = listener.accept().unwrap();
        out.write_all(&[7; 50_000]).unwrap();
        drop(out);
        assert_eq!(inward.read_to_end(&mut Vec::new()).unwrap(), 50_000);
        let passed = before.until(&Interfaces::take(&me).unwrap()).unwrap();
        assert!(passed.loopback_received_bytes >= 50_000 && passed.loopback_sent_bytes >= 50_000, "{passed:?}");
        assert_eq!(passed.namespaces, 1);
    }
}

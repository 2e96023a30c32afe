//! A switch and its links, in network namespaces that vanish with their processes.
//!
//! The bridge lives in a namespace of its own, held by a process that does nothing. Each node's namespace is held by the
//! node. A link is a pair of virtual interfaces; the one in a namespace disappears with it, and takes the other along.
//! So nothing has to be removed, not even after a crash. The driver reaches the switch through one more pair, whose
//! nearer end stays in the machine's own namespace.

use crate::offspring::{Isolation, die_with_parent};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

/// Bytes a shaper lets through at once, and the longest a packet waits in it.
const BURST: &str = "256kb";
const LATENCY: &str = "50ms";

/// The name of the bridge, and the mark of the namespace that only passes on what others send.
pub(crate) const SWITCH: &str = "switch";

/// The switch of one emulated cluster.
pub(super) struct Network {
    /// Holds the namespace of the bridge; it ends when its input closes.
    holder: Child,
    subnet: u8,
}

impl Network {
    /// Makes the switch, and the driver's link to it.
    ///
    /// # Errors
    /// What the machine refuses, with the command.
    pub(super) fn start() -> Result<Self, String> {
        let mut command = Command::new("cat");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        die_with_parent(&mut command, Isolation::Network);
        let holder = command.spawn().map_err(|e| {
            format!(
                "cannot make a network namespace: {e}; run as root, or use --cluster processes (see `bench doctor`)"
            )
        })?;
        // Concurrent clusters need different subnets: their drivers share one routing table.
        let subnet = (std::process::id() % 250) as u8;
        let network = Self { holder, subnet };
        network.inside(&["ip", "link", "add", SWITCH, "type", "bridge"])?;
        network.inside(&["ip", "link", "set", SWITCH, "up"])?;
        network.connect_driver()?;
        Ok(network)
    }

    /// The driver's own address.
    fn driver_address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 231, self.subnet, 1)
    }

    /// The address of a node.
    pub(super) fn address_of(&self, node: u32) -> Ipv4Addr {
        let [_, _, _, last] = (10 + node.min(200)).to_be_bytes();
        Ipv4Addr::new(10, 231, self.subnet, last)
    }

    /// The name of the switch's port for a node.
    fn port(node: u32) -> String {
        format!("port{node}")
    }

    fn connect_driver(&self) -> Result<(), String> {
        let (near, holder) = (format!("bench{}", self.subnet), self.holder.id().to_string());
        // A cluster of the same subnet whose process is gone took its link along; one that lives refuses the name here.
        run(&["ip", "link", "add", &near, "type", "veth", "peer", "name", "driver", "netns", &holder])?;
        self.inside(&["ip", "link", "set", "driver", "master", SWITCH, "up"])?;
        let address = format!("{}/24", self.driver_address());
        run(&["ip", "address", "add", &address, "dev", &near])?;
        run(&["ip", "link", "set", &near, "up"])
    }

    /// Gives the process of a node a link to the switch.
    ///
    /// # Errors
    /// What the machine refuses, with the command.
    pub(super) fn connect(&self, node: u32, pid: u32) -> Result<(), String> {
        let (port, pid, holder) = (Self::port(node), pid.to_string(), self.holder.id().to_string());
        run(&["ip", "link", "add", "link0", "netns", &pid, "type", "veth", "peer", "name", &port, "netns", &holder])?;
        self.inside(&["ip", "link", "set", &port, "master", SWITCH, "up"])?;
        let address = format!("{}/24", self.address_of(node));
        within(&pid, &["ip", "address", "add", &address, "dev", "link0"])?;
        within(&pid, &["ip", "link", "set", "lo", "up"])?;
        within(&pid, &["ip", "link", "set", "link0", "up"])
    }

    /// Limits a node's link in both directions. The switch's end alone would leave the node's sending unlimited.
    ///
    /// # Errors
    /// What the machine refuses, with the command.
    pub(super) fn limit(&self, node: u32, pid: u32, mbit: u32) -> Result<(), String> {
        let rate = format!("{mbit}mbit");
        let shaper = ["root", "tbf", "rate", &rate, "burst", BURST, "latency", LATENCY];
        let shape = |device: &str| -> Vec<String> {
            let head = ["tc", "qdisc", "replace", "dev", device];
            head.iter().chain(&shaper).map(|s| (*s).to_owned()).collect()
        };
        let (node_side, switch_side) = (shape("link0"), shape(&Self::port(node)));
        within(&pid.to_string(), &node_side.iter().map(String::as_str).collect::<Vec<_>>())?;
        self.inside(&switch_side.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Removes what [`Network::limit`] set.
    ///
    /// # Errors
    /// What the machine refuses, with the command.
    pub(super) fn unlimit(&self, node: u32, pid: u32) -> Result<(), String> {
        within(&pid.to_string(), &["tc", "qdisc", "del", "dev", "link0", "root"])?;
        self.inside(&["tc", "qdisc", "del", "dev", &Self::port(node), "root"])
    }

    /// Drops what a node sends, and with `both` also what it is sent.
    ///
    /// # Errors
    /// What the machine refuses, with the command.
    pub(super) fn cut(&self, node: u32, both: bool) -> Result<(), String> {
        let port = Self::port(node);
        self.inside(&["tc", "qdisc", "add", "dev", &port, "clsact"])?;
        let drop_all = |direction: &str| {
            self.inside(&["tc", "filter", "add", "dev", &port, direction, "matchall", "action", "drop"])
        };
        // What the node sends comes into the switch's port.
        drop_all("ingress")?;
        if both { drop_all("egress") } else { Ok(()) }
    }

    /// Removes what [`Network::cut`] set.
    ///
    /// # Errors
    /// What the machine refuses, with the command.
    pub(super) fn mend(&self, node: u32) -> Result<(), String> {
        self.inside(&["tc", "qdisc", "del", "dev", &Self::port(node), "clsact"])
    }

    fn inside(&self, argv: &[&str]) -> Result<(), String> {
        within(&self.holder.id().to_string(), argv)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Runs a command in the network namespace of a process.
fn within(pid: &str, argv: &[&str]) -> Result<(), String> {
    let head = ["nsenter", "--net", "--target", pid, "--"];
    run(&head.iter().chain(argv).copied().collect::<Vec<_>>())
}

fn run(argv: &[&str]) -> Result<(), String> {
    let (program, arguments) = argv.split_first().ok_or("an empty command")?;
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|e| format!("cannot run {program}: {e}; install iproute2 and util-linux"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("`{}` failed: {}", argv.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

//! A switch and its links, in network namespaces that vanish with their processes.
//!
//! The bridge lives in a namespace of its own, held by a process that does nothing. Each node's namespace is held by the
//! node. A link is a pair of virtual interfaces; the one in a namespace disappears with it, and takes the other along.
//! So nothing has to be removed, not even after a crash, except where a node is started again at once: namespaces vanish a
//! while after their last process. The driver reaches the switch through one more pair, whose
//! nearer end stays in the machine's own namespace.

use crate::offspring::{Isolation, die_with_parent};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    ports: Mutex<Ports>,
}

/// The switch's ports, by node. A node that is started again gets a port of another name.
#[derive(Default)]
struct Ports {
    names: BTreeMap<u32, String>,
    made: u32,
}

/// How many clusters fit beside each other.
const SUBNETS: u32 = 250;

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
        let mut network = Self { holder, subnet: 0, ports: Mutex::default() };
        network.inside(&["ip", "link", "add", SWITCH, "type", "bridge"])?;
        network.inside(&["ip", "link", "set", SWITCH, "up"])?;
        // Concurrent clusters need different subnets: their drivers share one routing table.
        let mut last = Ok(());
        for offset in 0..SUBNETS {
            network.subnet = ((std::process::id() % SUBNETS + offset) % SUBNETS) as u8;
            last = network.connect_driver();
            match &last {
                Ok(()) => return Ok(network),
                Err(taken) if taken.contains("File exists") => {}
                Err(_) => break,
            }
        }
        last.map(|()| network)
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

    fn ports(&self) -> MutexGuard<'_, Ports> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of the switch's port for a node that is connected.
    fn port(&self, node: u32) -> Result<String, String> {
        self.ports().names.get(&node).cloned().ok_or_else(|| format!("node {node} is not connected"))
    }

    /// A name for the port of a node; the node's last port is removed.
    fn new_port(&self, node: u32) -> String {
        let mut ports = self.ports();
        ports.made += 1;
        let name = format!("port{node}-{}", ports.made);
        if let Some(old) = ports.names.insert(node, name.clone()) {
            // It may have vanished already. Left there, the dead node would go on answering to its address.
            let _ = self.inside(&["ip", "link", "del", &old]);
        }
        name
    }

    fn connect_driver(&self) -> Result<(), String> {
        let (near, holder) = (format!("bench{}", self.subnet), self.holder.id().to_string());
        // A cluster of the same subnet that lives, or has not vanished yet, has this name.
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
        let (port, pid, holder) = (self.new_port(node), pid.to_string(), self.holder.id().to_string());
        // The others remember which hardware has the node's address.
        let [_, _, high, low] = node.to_be_bytes();
        let hardware = format!("02:62:00:00:{high:02x}:{low:02x}");
        let near = ["ip", "link", "add", "link0", "address", &hardware, "netns", &pid];
        let far = ["type", "veth", "peer", "name", &port, "netns", &holder];
        run(&[&near[..], &far[..]].concat())?;
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
        let shaper = ["tbf", "rate", &rate, "burst", BURST, "latency", LATENCY];
        self.queue_at_node(pid, &shaper)?;
        self.queue_at_switch(node, &shaper)
    }

    /// Drops what a node sends, and with `both` also what it is sent.
    ///
    /// # Errors
    /// What the machine refuses, with the command.
    pub(super) fn cut(&self, node: u32, pid: u32, both: bool) -> Result<(), String> {
        self.queue_at_node(pid, &["blackhole"])?;
        if both { self.queue_at_switch(node, &["blackhole"]) } else { Ok(()) }
    }

    /// Makes a node's link what it was before it was cut or limited further.
    ///
    /// # Errors
    /// What the machine refuses, with the command.
    pub(super) fn restore(&self, node: u32, pid: u32, mbit: Option<u32>) -> Result<(), String> {
        let Some(mbit) = mbit else {
            self.queue_at_node(pid, &["noqueue"])?;
            return self.queue_at_switch(node, &["noqueue"]);
        };
        self.limit(node, pid, mbit)
    }

    /// What becomes of packets on their way out of the node.
    fn queue_at_node(&self, pid: u32, discipline: &[&str]) -> Result<(), String> {
        let head = ["tc", "qdisc", "replace", "dev", "link0", "root"];
        within(&pid.to_string(), &[&head[..], discipline].concat())
    }

    /// What becomes of packets on their way to the node.
    fn queue_at_switch(&self, node: u32, discipline: &[&str]) -> Result<(), String> {
        let port = self.port(node)?;
        let head = ["tc", "qdisc", "replace", "dev", &port, "root"];
        self.inside(&[&head[..], discipline].concat())
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

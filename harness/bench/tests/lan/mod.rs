//! Two machines of our own with an ssh server each, and a network that connects them: all of it in namespaces that vanish
//! with their processes.
//!
//! The driver's namespace holds a bridge, and its address. Each machine has a network, a process and a mount namespace:
//! its disk below the folder of the hosts file is its own, and so is, on the second one, the folder of the tables.

use crate::program::Program;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// Programs that this needs.
const TOOLS: [&str; 8] = ["/usr/sbin/sshd", "ssh", "ssh-keygen", "ip", "unshare", "nsenter", "setpriv", "mount"];
/// The last part of the machines' addresses.
const MACHINES: [u8; 2] = [11, 12];
/// Where each machine keeps its files, below the test's folder.
pub(crate) const FOLDER: &str = "far";

/// Why there can be no such machines here, if so.
pub(crate) fn hindrance() -> Option<String> {
    let missing = TOOLS.into_iter().find(|tool| {
        let found = Command::new("sh").args(["-c", "command -v \"$1\"", "sh", tool]).stdout(Stdio::null()).status();
        !found.is_ok_and(|status| status.success())
    });
    if let Some(tool) = missing {
        return Some(format!("there is no {tool}: install openssh-server, openssh-client, iproute2 and util-linux"));
    }
    let mut tried = Command::new("unshare");
    tried.args(["--net", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "x", "/mnt"]).stdin(Stdio::null());
    match tried.output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!("no namespaces of our own: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Some(format!("no namespaces of our own: {error}")),
    }
}

/// A process that holds namespaces. They end with it.
struct Holder {
    child: Child,
    _input: ChildStdin,
}

impl Holder {
    /// Starts `script` in new namespaces and waits for its first line.
    fn start(namespaces: &[&str], script: &str, arguments: &[&str], then: impl FnOnce(u32, &mut ChildStdin)) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "unshare"]).args(namespaces).args(["sh", "-c", script, "sh"]);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready", "a machine did not come up");
        then(child.id(), &mut input);
        Self { child, _input: input }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Holder {
    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.end();
    }
}

/// The machines and their network.
pub(crate) struct Lan {
    // Before the network that they hang on.
    machines: Vec<Holder>,
    driver: Holder,
    folder: PathBuf,
}

const DRIVER: &str = "ip link set lo up && ip link add lan type bridge && ip address add 10.77.0.1/24 dev lan && \
     ip link set lan up && echo ready && cat >/dev/null";

/// `$1` the sshd configuration, `$2` the machine's own disk, `$3` where it has no tables, if anywhere. Login scripts of
/// whoever runs the tests are not the machine's: they may take long, and a machine that is switched off in the middle of
/// one may leave a lock behind for the next.
const MACHINE: &str = "mount -t tmpfs tmpfs /run && mkdir /run/sshd && mount -t tmpfs -o mode=700 tmpfs \"$2\" && \
     for script in .bashrc .zshenv .cshrc .tcshrc .ssh/rc; do \
     [ ! -e \"$HOME/$script\" ] || mount --bind /dev/null \"$HOME/$script\" || exit; done && \
     { [ -z \"$3\" ] || mount -t tmpfs tmpfs \"$3\"; } && ip link set lo up && echo ready && read connected && \
     exec /usr/sbin/sshd -D -e -f \"$1\" 2>>\"$1.log\" >/dev/null";

impl Lan {
    /// Two machines, the second one without tables.
    pub(crate) fn start(p: &Program) -> Self {
        let folder = p.file(FOLDER);
        fs::create_dir_all(&folder).unwrap();
        keygen(&p.file("client"));
        let driver = Holder::start(&["--net"], DRIVER, &[], |_, _| {});
        let machines = MACHINES.into_iter().map(|last| {
            let (key, config) = (p.file(&format!("host{last}")), p.path(&format!("sshd{last}")));
            keygen(&key);
            fs::write(&config, sshd_config(last, &key, &p.file("client.pub"))).unwrap();
            let tables = if last == MACHINES[1] { p.data().display().to_string() } else { String::new() };
            let namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
            let arguments = [config.as_str(), folder.to_str().unwrap(), tables.as_str()];
            Holder::start(&namespaces, MACHINE, &arguments, |pid, input| {
                connect(driver.pid(), pid, last);
                input.write_all(b"connected\n").unwrap();
            })
        });
        let machines = machines.collect();
        let lan = Self { machines, driver, folder };
        fs::write(p.file("known"), lan.known_hosts(p)).unwrap();
        lan.wait_for_servers(p);
        lan
    }

    fn known_hosts(&self, p: &Program) -> String {
        let mut known = String::new();
        for last in MACHINES {
            let key = fs::read_to_string(p.file(&format!("host{last}.pub"))).unwrap();
            writeln!(known, "10.77.0.{last} {}", key.trim()).unwrap();
        }
        known
    }

    fn wait_for_servers(&self, p: &Program) {
        let by = Instant::now() + Duration::from_secs(30);
        for last in MACHINES {
            let known = format!("UserKnownHostsFile={}", p.path("known"));
            let there = || {
                let mut ssh = self.inside("ssh");
                ssh.args(["-o", "BatchMode=yes", "-o", &known, "-i", &p.path("client")]);
                ssh.args([&format!("10.77.0.{last}"), "true"]).stdin(Stdio::null()).output().unwrap()
            };
            loop {
                let tried = there();
                if tried.status.success() {
                    break;
                }
                let log = fs::read_to_string(p.file(&format!("sshd{last}.log"))).unwrap_or_default();
                let said = String::from_utf8_lossy(&tried.stderr).into_owned();
                assert!(Instant::now() < by, "no ssh to machine {last}: {said}\n{log}");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// What starts a program on the driver's machine.
    pub(crate) fn prefix(&self) -> Vec<String> {
        let namespace = format!("--net=/proc/{}/ns/net", self.driver.pid());
        ["nsenter", &namespace, "--"].map(str::to_owned).into()
    }

    fn inside(&self, program: &str) -> Command {
        let prefix = self.prefix();
        let mut command = Command::new(&prefix[0]);
        command.args(&prefix[1..]).arg(program);
        command
    }

    /// A file as a machine sees it.
    pub(crate) fn on_machine(&self, machine: usize, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.machines[machine].pid()));
        root.join(path.strip_prefix("/").unwrap())
    }

    /// What lies in a folder below a machine's own.
    pub(crate) fn list(&self, machine: usize, below: &str) -> Vec<String> {
        let folder = self.on_machine(machine, &self.folder.join(below));
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// A machine is gone, at once and for good.
    pub(crate) fn lose(&mut self, machine: usize) {
        self.machines[machine].end();
    }

    /// Processes of nodes, as `/proc` names them.
    pub(crate) fn nodes(&self) -> Vec<PathBuf> {
        let folder = self.folder.to_str().unwrap();
        let processes = fs::read_dir("/proc").unwrap().filter_map(|e| Some(e.ok()?.path()));
        let is_node = |process: &PathBuf| {
            let line = fs::read(process.join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            line.contains(folder) && line.contains("\0node\0--listen\0")
        };
        processes.filter(is_node).collect()
    }

    /// Whether nothing of any run is left on the machines but what is kept on purpose.
    pub(crate) fn is_tidy(&self) -> bool {
        let left = |machine| self.list(machine, "").into_iter().any(|name| name.starts_with("run-"));
        self.nodes().is_empty() && !(0..MACHINES.len()).any(left)
    }

    /// The hosts file: `first` and `second` are more lines for the machines, `head` for the top.
    pub(crate) fn hosts_file(&self, p: &Program, head: &str, first: &str, second: &str) {
        let mut text = head.to_owned();
        for (last, more) in MACHINES.into_iter().zip([first, second]) {
            let folder = self.folder.display();
            write!(
                text,
                "\n[[host]]\nssh = \"10.77.0.{last}\"\naddress = \"10.77.0.{last}\"\nfolder = \"{folder}\"\n\
                 identity = \"client\"\nknown_hosts = \"known\"\n{more}\n"
            )
            .unwrap();
        }
        fs::write(p.file("hosts.toml"), text).unwrap();
    }
}

fn keygen(path: &Path) {
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status().unwrap();
    assert!(made.success());
}

fn sshd_config(last: u8, key: &Path, client: &Path) -> String {
    format!(
        "Port 22\nListenAddress 10.77.0.{last}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nPidFile none\n\
         UseDNS no\n",
        key.display(),
        client.display()
    )
}

/// Gives a machine its link to the bridge.
fn connect(driver: u32, machine: u32, last: u8) {
    let (driver, machine, port) = (driver.to_string(), machine.to_string(), format!("port{last}"));
    let address = format!("10.77.0.{last}/24");
    let within = |pid: &str, argv: &[&str]| {
        let done = Command::new("nsenter").args(["--net", "--target", pid, "--"]).args(argv).output().unwrap();
        assert!(done.status.success(), "{argv:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    within(&driver, &["ip", "link", "add", &port, "type", "veth", "peer", "name", "lan0", "netns", &machine]);
    within(&driver, &["ip", "link", "set", &port, "master", "lan", "up"]);
    within(&machine, &["ip", "address", "add", &address, "dev", "lan0"]);
    within(&machine, &["ip", "link", "set", "lan0", "up"]);
}

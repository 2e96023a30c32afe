//! Nodes for tests: on threads of this process, or processes of this very test program.
#![allow(dead_code, reason = "each test binary and benchmark uses its part")]
#![allow(unreachable_pub, reason = "a test binary has no outside")]

use bench_model::{ClusterSpec, FaultKind, LaunchedNode, Launcher, NodeId};
use bench_node::{ClusterToken, Node, NodeOptions, NodePlan, NodeSetup, NodeStyles, TlsFiles};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const BUILD: &str = "test build";

/// Deadlines for tests: nodes are given up quickly.
pub fn options() -> NodeOptions {
    NodeOptions { heartbeat: Duration::from_millis(50), silence: Duration::from_millis(800), ..NodeOptions::default() }
}

pub fn plan(launcher: Arc<dyn Launcher>) -> NodePlan {
    NodePlan { launcher, build: BUILD.to_owned(), options: options() }
}

/// Certificates of the tests.
pub fn certificates(folder: &str) -> TlsFiles {
    TlsFiles::in_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(folder))
}

type Styles = Box<dyn Fn() -> NodeStyles + Send + Sync>;

/// Starts nodes on threads of this process. They speak over sockets all the same.
pub struct Threads {
    styles: Styles,
    shared: Option<PathBuf>,
    build: String,
    options: NodeOptions,
    nodes: Mutex<Vec<Arc<Mutex<Option<Node>>>>>,
    /// Turns true when a node is told to be slow: all that can be done to a thread.
    slowed: Arc<AtomicBool>,
}

impl Threads {
    pub fn new(styles: impl Fn() -> NodeStyles + Send + Sync + 'static) -> Self {
        Self {
            styles: Box::new(styles),
            shared: None,
            build: BUILD.to_owned(),
            options: options(),
            nodes: Mutex::default(),
            slowed: Arc::default(),
        }
    }

    pub fn slowed(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.slowed)
    }

    pub fn sharing(self, folder: &Path) -> Self {
        Self { shared: Some(folder.to_owned()), ..self }
    }

    pub fn of_build(self, build: &str) -> Self {
        Self { build: build.to_owned(), ..self }
    }

    pub fn with_certificates(mut self, folder: &str) -> Self {
        self.options.tls = Some(certificates(folder));
        self
    }

    /// Ends a node without warning: its connections break.
    pub fn kill(&self, node: usize) {
        let node = Arc::clone(&self.nodes.lock().unwrap()[node]);
        drop(node.lock().unwrap().take());
    }
}

impl Launcher for Threads {
    fn launch(&self, _: &ClusterSpec, node: NodeId, scratch: &Path) -> Result<Box<dyn LaunchedNode>, String> {
        let token = ClusterToken::random().map_err(|e| e.to_string())?;
        let setup = NodeSetup {
            listen: "127.0.0.1:0".to_owned(),
            scratch: scratch.to_owned(),
            shared: self.shared.clone(),
            token,
            build: self.build.clone(),
            options: self.options.clone(),
        };
        let started = Node::start((self.styles)(), setup).map_err(|e| e.to_string())?;
        let address = started.address();
        let place = Arc::new(Mutex::new(Some(started)));
        let mut nodes = self.nodes.lock().unwrap();
        let index = node.0 as usize;
        if index < nodes.len() {
            nodes[index] = Arc::clone(&place);
        } else {
            nodes.push(Arc::clone(&place));
        }
        Ok(Box::new(OnThreads { place, address, token: token.reveal(), slowed: self.slowed() }))
    }
}

struct OnThreads {
    place: Arc<Mutex<Option<Node>>>,
    address: SocketAddr,
    token: String,
    slowed: Arc<AtomicBool>,
}

impl LaunchedNode for OnThreads {
    fn address(&self) -> SocketAddr {
        self.address
    }
    fn token(&self) -> &str {
        &self.token
    }
    fn is_alive(&mut self) -> bool {
        self.place.lock().unwrap().is_some()
    }
    fn inject(&mut self, fault: &FaultKind) -> Result<(), String> {
        if *fault == FaultKind::SlowCpu {
            self.slowed.store(true, Ordering::Release);
            return Ok(());
        }
        Err("a thread cannot be hurt".to_owned())
    }
    fn relieve(&mut self) -> Result<(), String> {
        Ok(())
    }
    fn stop(&mut self, patience: Duration) {
        if let Some(node) = self.place.lock().unwrap().take() {
            assert!(node.wait(patience) || patience.is_zero(), "a node that is asked to leave leaves");
        }
    }
}

/// Starts processes with this program's arguments, which must run [`bench_node::serve_node`].
pub struct Processes {
    arguments: Vec<String>,
    pub pids: Mutex<Vec<u32>>,
}

impl Processes {
    pub fn new(arguments: &[&str]) -> Self {
        Self { arguments: arguments.iter().map(|a| (*a).to_owned()).collect(), pids: Mutex::default() }
    }

    /// Sends a signal to a node's process.
    pub fn signal(&self, node: usize, signal: &str) {
        let pid = self.pids.lock().unwrap()[node].to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

impl Launcher for Processes {
    fn launch(&self, _: &ClusterSpec, node: NodeId, scratch: &Path) -> Result<Box<dyn LaunchedNode>, String> {
        let token = ClusterToken::random().map_err(|e| e.to_string())?.reveal();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(&self.arguments)
            .env("BENCH_TEST_SCRATCH", scratch)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| e.to_string())?;
        writeln!(child.stdin.as_mut().unwrap(), "{token}").unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        // A test program says a few things of its own first.
        let lines = output.by_ref().lines();
        let line = lines.map_while(Result::ok).find(|l| l.contains("\"listening\"")).ok_or("it does not listen")?;
        let address = line.split("listening\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let mut pids = self.pids.lock().unwrap();
        let index = node.0 as usize;
        if index < pids.len() {
            pids[index] = child.id();
        } else {
            pids.push(child.id());
        }
        Ok(Box::new(InProcess { address: address.parse().unwrap(), token, child, _output: output }))
    }
}

struct InProcess {
    address: SocketAddr,
    token: String,
    child: Child,
    /// Kept open: a program that cannot write what it says would complain.
    _output: BufReader<ChildStdout>,
}

impl LaunchedNode for InProcess {
    fn address(&self) -> SocketAddr {
        self.address
    }
    fn token(&self) -> &str {
        &self.token
    }
    fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
    fn inject(&mut self, _: &FaultKind) -> Result<(), String> {
        Err("use a signal".to_owned())
    }
    fn relieve(&mut self) -> Result<(), String> {
        Ok(())
    }
    fn stop(&mut self, patience: Duration) {
        let by = std::time::Instant::now() + patience;
        while self.is_alive() && std::time::Instant::now() < by {
            std::thread::yield_now();
        }
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

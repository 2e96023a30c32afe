//! What one sequential round trip between two processes costs, by carrier, all measured in the same run:
//!
//! - `tcp`: one byte there and back over a plain TCP connection, both sides blocking: the floor;
//! - `exchange`: one message there and back over an Arrow Flight `DoExchange` stream;
//! - `message`: one message from the driver's machine to a node's and back, over the control stream;
//! - `chain`: one task of a zero-work chain, from the driver's machine to the node's, through a slot and back.
//!
//! It prints medians and each one's ratio to the floor. Rounds take turns, so that they share the machine's
//! moods. Last comes the throughput of zero-work tasks over two node processes.
#![expect(clippy::unwrap_used, reason = "benchmarks stop at the first surprise")]

mod chain;
mod echo;
mod exchange;
#[path = "../../tests/fifo/mod.rs"]
mod fifo;
#[path = "../../tests/nodes/mod.rs"]
mod nodes;
mod tcp;

use bench_model::{Program, Session};
use bench_node::LiveSession;
use bench_stagedag::StageDag;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROUNDS: usize = 7;

/// Something that goes there and back many times in a row.
trait PingPong {
    /// The mean time of one of many.
    fn measure(&mut self) -> Duration;
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("serve-tcp") => tcp::serve(),
        Some("serve-exchange") => exchange::serve(),
        Some("serve-node") => chain::serve(),
        // What `cargo bench` and `cargo test` add is of no interest.
        _ => compare(),
    }
}

fn compare() {
    let mut carriers: Vec<(&str, Box<dyn PingPong>)> = vec![
        ("tcp", Box::new(tcp::Tcp::start())),
        ("exchange", Box::new(exchange::Exchange::start())),
        ("message", Box::new(echo::Echo::start())),
        ("chain", Box::new(chain::Chain::start())),
    ];
    let mut times = vec![Vec::new(); carriers.len()];
    for _ in 0..ROUNDS {
        for ((_, carrier), times) in carriers.iter_mut().zip(&mut times) {
            times.push(carrier.measure());
        }
    }
    let medians: Vec<Duration> = times.iter_mut().map(|t| median(t)).collect();
    for ((name, _), time) in carriers.iter().zip(&medians) {
        let ratio = time.as_secs_f64() / medians[0].as_secs_f64();
        println!("{name:>10}  {:>8.1} µs  {ratio:.2} x tcp", time.as_secs_f64() * 1e6);
    }
    drop(carriers);
    for slots in [1, 4, 16] {
        println!("{:>9.0} tasks/s over two nodes of {slots} slots (fan-out, stagedag)", throughput(slots));
    }
}

/// Tasks per second of a wide zero-work graph on two node processes.
fn throughput(slots: u32) -> f64 {
    let (mut session, _scratch) = chain::session(StageDag, 2, slots);
    let graph = fifo::graphs::fan_out(100_000);
    let tasks = graph.tasks() as f64;
    let workload = fifo::graphs::workload("fan-out", Program::Graph(graph));
    let run = |session: &mut LiveSession<StageDag>| {
        let begin = Instant::now();
        session.run(&workload, &Arc::default()).unwrap();
        begin.elapsed()
    };
    let mut times: Vec<Duration> = (0..5).map(|_| run(&mut session)).collect();
    tasks / median(&mut times).as_secs_f64()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// This program again, as the other side; it is killed when dropped.
struct OtherSide {
    child: Child,
    address: String,
}

impl OtherSide {
    /// Starts it in a role; its first line of output is where it listens.
    fn start(role: &str) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut child = Command::new(program).arg(role).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().to_owned() }
    }
}

impl Drop for OtherSide {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

//! A chain of zero-work tasks on one node process: each task is a message there, a slot's turn, and a message back.

use crate::PingPong;
use crate::echo::EchoStyle;
use crate::fifo::{Fifo, graphs};
use crate::nodes::{BUILD, Processes, options, plan};
use bench_model::{ClusterSpec, EngineSetup, Program, Registry, Session, Style, Tuning};
use bench_node::{LiveEngine, LiveSession, NodeStyles, ProcessSetup, serve_node};
use std::sync::Arc;
use std::time::{Duration, Instant};

const TASKS: u32 = 10_000;

pub(crate) struct Chain {
    session: LiveSession<Fifo>,
    _scratch: tempfile::TempDir,
}

fn registry() -> Registry {
    Registry::default().with(Arc::new(graphs::Noop))
}

/// An engine over `nodes` processes of this program.
pub(crate) fn session<S: Style>(style: S, nodes: u32, slots: u32) -> (LiveSession<S>, tempfile::TempDir) {
    let scratch = tempfile::tempdir().unwrap();
    let launcher = Arc::new(Processes::new(&["serve-node"]));
    let tuning = Tuning::defaults(style.switches());
    let engine = LiveEngine::without_front(style, registry()).with_nodes(plan(launcher));
    let cluster = ClusterSpec::Processes { nodes };
    let folder = scratch.path().to_owned();
    let setup = EngineSetup { slots, memory: None, scratch: folder, tuning, spans: false, cluster };
    (engine.session(&setup).unwrap(), scratch)
}

impl Chain {
    pub(crate) fn start() -> Self {
        let (session, scratch) = session(Fifo::default(), 1, 1);
        Self { session, _scratch: scratch }
    }
}

impl PingPong for Chain {
    fn measure(&mut self) -> Duration {
        let chain = graphs::workload("chain", Program::Graph(graphs::chain(TASKS)));
        let begin = Instant::now();
        self.session.run(&chain, &Arc::default()).unwrap();
        begin.elapsed() / TASKS
    }
}

pub(crate) fn serve() {
    let styles = NodeStyles::new(registry).with(Fifo::default()).with(bench_stagedag::StageDag).with(EchoStyle);
    let setup = ProcessSetup {
        listen: "127.0.0.1:0".to_owned(),
        scratch: std::env::var_os("BENCH_TEST_SCRATCH").unwrap().into(),
        shared: None,
        build: BUILD.to_owned(),
        alone: None,
        small_pages: false,
        options: options(),
    };
    serve_node(styles, setup).unwrap();
}

//! One message from the driver's machine to a node's and back, many times in a row: the control stream with both hosts
//! around it, and no task.

use crate::PingPong;
use crate::chain;
use crate::fifo::graphs;
use bench_model::{
    Action, Addr, Event, JobId, Machine, Nanos, NodeId, Program, Session, Style, StyleEnv, Switch, Violation,
};
use bench_node::LiveSession;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};

const TRIPS: u32 = 10_000;

/// A style that only counts down.
pub(crate) struct EchoStyle;

/// How many trips are left.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Left(u32);

pub(crate) struct EchoMachine {
    at: Addr,
    job: JobId,
}

impl Style for EchoStyle {
    type Msg = Left;
    type Machine = EchoMachine;

    fn name(&self) -> &'static str {
        "echo"
    }
    fn switches(&self) -> &'static [Switch] {
        &[]
    }
    fn machine(&self, at: Addr, _: &StyleEnv) -> EchoMachine {
        EchoMachine { at, job: JobId(0) }
    }
    fn storage(&self) -> bench_model::Storage {
        bench_model::Storage::Heap
    }
}

impl Machine for EchoMachine {
    type Msg = Left;

    fn on(&mut self, _: Nanos, event: Event<Left>, out: &mut Vec<Action<Left>>) {
        let there = Addr::Node(NodeId(0));
        match (self.at, event) {
            (Addr::Driver, Event::Submit { job, .. }) => {
                self.job = job;
                out.push(Action::Send { to: there, msg: Left(TRIPS) });
            }
            (Addr::Driver, Event::Message { msg: Left(0), .. }) => {
                out.push(Action::Finish { job: self.job, result: Ok(vec![]) });
            }
            (Addr::Driver, Event::Message { msg, .. }) => out.push(Action::Send { to: there, msg }),
            (Addr::Node(_), Event::Message { msg: Left(left), .. }) => {
                out.push(Action::Send { to: Addr::Driver, msg: Left(left - 1) });
            }
            _ => {}
        }
    }

    fn check(&self) -> Result<(), Violation> {
        Ok(())
    }
}

pub(crate) struct Echo {
    session: LiveSession<EchoStyle>,
    _scratch: tempfile::TempDir,
}

impl Echo {
    pub(crate) fn start() -> Self {
        let (session, scratch) = chain::session(EchoStyle, 1, 1);
        Self { session, _scratch: scratch }
    }
}

impl PingPong for Echo {
    fn measure(&mut self) -> Duration {
        let graph = graphs::workload("echo", Program::Graph(graphs::chain(1)));
        let begin = Instant::now();
        self.session.run(&graph, &Arc::default()).unwrap();
        begin.elapsed() / TRIPS
    }
}

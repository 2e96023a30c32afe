//! The style itself: its switches, and which machine stands at which address.

use crate::driver::Driver;
use crate::executor::Executor;
use crate::message::Msg;
use bench_model::{
    Action, Addr, Event, Machine, Nanos, PLANNER_SWITCHES, REPLANNER_SWITCHES, SpanKind, Storage, Style, StyleEnv,
    Switch, SwitchDefault as D, Violation, joined,
};

/// The stage-DAG style: one driver, executors on the nodes, barriers between stages.
#[derive(Clone, Copy, Debug, Default)]
pub struct StageDag;

/// Those of this style alone.
const OWN: [Switch; 8] = [
    Switch {
        name: "speculation",
        default: D::Bool(true),
        help: "Run a second copy of a task that takes far longer than its peers; the first to finish counts.",
    },
    Switch {
        name: "speculation_multiplier",
        default: D::Ratio(3.0),
        help: "How many times the median of its peers a task must take to be copied.",
    },
    Switch {
        name: "speculation_quantile",
        default: D::Ratio(0.9),
        help: "Which share of a stage's tasks must be done before any is copied.",
    },
    Switch {
        name: "speculation_min_ms",
        default: D::Count(100),
        help: "How many milliseconds a task must have run before it is copied.",
    },
    Switch { name: "max_attempts", default: D::Count(4), help: "How often a task may fail before its job fails." },
    Switch {
        name: "max_stage_attempts",
        default: D::Count(4),
        help: "How often readers may find a stage's blocks lost before its job fails.",
    },
    Switch {
        name: "host_local_reads",
        default: D::Bool(true),
        help: "Map large shuffle files of other nodes of the same host where they lie, instead of having them sent.",
    },
    Switch {
        name: "compression",
        default: D::Word(&["none", "lz4", "zstd"]),
        help: "How shuffle files are compressed.",
    },
];

/// What any style can plan, what an adaptive one can replan, and its own.
static SWITCHES: [Switch; 23] = joined(&joined::<6, 9, 15>(&PLANNER_SWITCHES, &REPLANNER_SWITCHES), &OWN);

impl Style for StageDag {
    type Msg = Msg;
    type Machine = StageDagMachine;

    fn name(&self) -> &'static str {
        "stagedag"
    }

    fn switches(&self) -> &'static [Switch] {
        &SWITCHES
    }

    fn machine(&self, at: Addr, env: &StyleEnv) -> StageDagMachine {
        match at {
            Addr::Driver => StageDagMachine::Driver(Box::new(Driver::new(&env.tuning))),
            Addr::Node(node) => StageDagMachine::Executor(Executor::new(node, env.slots)),
        }
    }

    fn storage(&self) -> Storage {
        Storage::Disk
    }
}

/// A machine of this style: the driver's or a node's.
pub enum StageDagMachine {
    /// Decides what runs where.
    Driver(Box<Driver>),
    /// Runs what it is told.
    Executor(Executor),
}

impl Machine for StageDagMachine {
    type Msg = Msg;

    fn on(&mut self, now: Nanos, event: Event<Msg>, out: &mut Vec<Action<Msg>>) {
        match self {
            Self::Driver(driver) => driver.on(now, event, out),
            Self::Executor(executor) => executor.on(event, out),
        }
    }

    fn check(&self) -> Result<(), Violation> {
        match self {
            Self::Driver(driver) => driver.check(),
            Self::Executor(executor) => executor.check(),
        }
    }

    fn idle_reason(&self) -> SpanKind {
        match self {
            Self::Driver(driver) => driver.idle_reason(),
            Self::Executor(_) => SpanKind::IdleNoTask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::Tuning;

    #[test]
    fn every_switch_has_a_unique_name_and_a_sentence_of_help() {
        for (i, switch) in SWITCHES.iter().enumerate() {
            assert!(SWITCHES[..i].iter().all(|s| s.name != switch.name), "{} twice", switch.name);
            assert!(switch.help.ends_with('.'), "{} has no sentence", switch.name);
        }
    }

    #[test]
    fn settings_given_as_text_reach_the_tuning() {
        let tuning = Tuning::resolve(&SWITCHES, [("broadcast_bytes", "1MiB"), ("join", "sort-merge")]);
        assert_eq!(
            tuning.map(|t| (t.bytes("broadcast_bytes").get(), t.word("join").to_owned())),
            Ok((1 << 20, "sort-merge".to_owned()))
        );
    }
}

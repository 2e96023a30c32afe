//! The style itself: its switches, and which machine stands at which address.

use crate::message::Msg;
use crate::scheduler::Scheduler;
use crate::settings::{Limits, Settings};
use crate::worker::Worker;
use bench_model::{
    Action, Addr, Event, Machine, Nanos, PLANNER_SWITCHES, SpanKind, Storage, Style, StyleEnv, Switch,
    SwitchDefault as D, Violation, joined,
};

/// The task-graph style: one scheduler that decides per task, and workers that gather and execute.
#[derive(Clone, Copy, Debug, Default)]
pub struct TaskGraph {
    planted: bool,
}

impl TaskGraph {
    /// The style.
    #[must_use]
    pub const fn new() -> Self {
        Self { planted: false }
    }

    /// The style with one invariant broken, for tests of the tests: an answer of an earlier attempt at a key is taken for
    /// the answer of its latest attempt. A simulation that does not find it is worth nothing.
    #[must_use]
    pub const fn planted() -> Self {
        Self { planted: true }
    }
}

/// Those of this style alone.
const OWN: [Switch; 27] = [
    Switch { name: "cull", default: D::Bool(true), help: "Drop tasks that the answer does not need." },
    Switch {
        name: "fuse",
        default: D::Bool(true),
        help: "Run linear chains of tasks back to back as one key, without reporting in between.",
    },
    Switch {
        name: "depth_first",
        default: D::Bool(true),
        help: "Prefer keys whose end lets memory go, by an order computed once; off takes the order of the graph.",
    },
    Switch {
        name: "locality",
        default: D::Bool(true),
        help: "Place a key where occupancy plus the transfer of missing inputs is least; off looks at load only.",
    },
    Switch {
        name: "queuing",
        default: D::Bool(true),
        help: "Keep root tasks at the scheduler until a worker has room, instead of pushing all of them at once.",
    },
    Switch {
        name: "worker_saturation",
        default: D::Ratio(1.1),
        help: "How many keys per slot a worker may have before root tasks are queued; 0 is no limit.",
    },
    Switch {
        name: "bandwidth",
        default: D::Bytes(100_000_000),
        help: "How many bytes a second the scheduler expects a transfer to move.",
    },
    Switch {
        name: "unknown_duration_ms",
        default: D::Count(500),
        help: "How long a task is expected to run before one of its fragment has been measured.",
    },
    Switch {
        name: "stealing",
        default: D::Bool(true),
        help: "Move keys that have not started from saturated to idle workers.",
    },
    Switch { name: "stealing_interval_ms", default: D::Count(1_000), help: "How often work is balanced." },
    Switch {
        name: "p2p",
        default: D::Bool(true),
        help: "Push shuffled blocks to the worker that owns their partition, behind one barrier; off gathers them task by task.",
    },
    Switch { name: "transfers", default: D::Count(50), help: "How many blocks a worker gathers at a time." },
    Switch {
        name: "transfer_memory",
        default: D::Ratio(0.1),
        help: "Which share of a worker's memory the blocks it gathers at a time may take.",
    },
    Switch {
        name: "replicate",
        default: D::Count(1),
        help: "On how many workers a broadcast block is kept as soon as it exists; 1 copies it on demand only.",
    },
    Switch {
        name: "reduce_replicas",
        default: D::Bool(true),
        help: "Drop copies of blocks of which there are more than readers left.",
    },
    Switch { name: "reduce_replicas_ms", default: D::Count(2_000), help: "How often surplus copies are looked for." },
    Switch {
        name: "spill",
        default: D::Bool(true),
        help: "Move the least recently used blocks to disk (target and spill).",
    },
    Switch { name: "pause", default: D::Bool(true), help: "Start nothing new on a worker that is short of memory." },
    Switch {
        name: "terminate",
        default: D::Bool(true),
        help: "Give a worker up that runs out of memory, unless it is the only one.",
    },
    Switch {
        name: "memory_target",
        default: D::Ratio(0.6),
        help: "Which share of its memory a worker's blocks may take before some are spilled; 0 is off.",
    },
    Switch {
        name: "memory_spill",
        default: D::Ratio(0.7),
        help: "Which share of its memory a worker's process may take before blocks are spilled; 0 is off.",
    },
    Switch {
        name: "memory_pause",
        default: D::Ratio(0.8),
        help: "Which share of its memory a worker's process may take before it pauses; 0 is off.",
    },
    Switch {
        name: "memory_terminate",
        default: D::Ratio(0.95),
        help: "Which share of its memory a worker's process may take before it is given up; 0 is off.",
    },
    Switch { name: "memory_interval_ms", default: D::Count(100), help: "How often a worker measures its memory." },
    Switch { name: "retries", default: D::Count(3), help: "How often a failed task is tried again." },
    Switch {
        name: "allowed_failures",
        default: D::Count(3),
        help: "How many workers may die with a key before it is taken for the cause and its job fails.",
    },
    Switch {
        name: "compression",
        default: D::Word(&["none", "lz4", "zstd"]),
        help: "How blocks are compressed on disk and between nodes.",
    },
];

/// What any style can plan, and its own.
static SWITCHES: [Switch; 33] = joined(&PLANNER_SWITCHES, &OWN);

impl Style for TaskGraph {
    type Msg = Msg;
    type Machine = TaskGraphMachine;

    fn name(&self) -> &'static str {
        "taskgraph"
    }

    fn switches(&self) -> &'static [Switch] {
        &SWITCHES
    }

    fn machine(&self, at: Addr, env: &StyleEnv) -> TaskGraphMachine {
        match at {
            Addr::Driver => TaskGraphMachine::Scheduler(Box::new(Scheduler::new(Settings::of(env, self.planted)))),
            Addr::Node(node) => TaskGraphMachine::Worker(Box::new(Worker::new(node, env.slots, Limits::of(env)))),
        }
    }

    fn storage(&self) -> Storage {
        Storage::Heap
    }
}

/// A machine of this style: the scheduler's or a worker's.
pub enum TaskGraphMachine {
    /// Decides what runs where.
    Scheduler(Box<Scheduler>),
    /// Gathers, executes, keeps.
    Worker(Box<Worker>),
}

impl Machine for TaskGraphMachine {
    type Msg = Msg;

    fn on(&mut self, now: Nanos, event: Event<Msg>, out: &mut Vec<Action<Msg>>) {
        match self {
            Self::Scheduler(scheduler) => scheduler.on(now, event, out),
            Self::Worker(worker) => worker.on(now, event, out),
        }
    }

    fn check(&self) -> Result<(), Violation> {
        match self {
            Self::Scheduler(scheduler) => scheduler.check(),
            Self::Worker(worker) => worker.check(),
        }
    }

    fn idle_reason(&self) -> SpanKind {
        match self {
            Self::Scheduler(scheduler) => scheduler.idle_reason(),
            Self::Worker(worker) => worker.idle_reason(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::Tuning;

    #[test]
    fn every_switch_has_a_unique_name_and_a_sentence_of_help() {
        assert!(SWITCHES.len() <= 36);
        for (i, switch) in SWITCHES.iter().enumerate() {
            assert!(SWITCHES[..i].iter().all(|s| s.name != switch.name), "{} twice", switch.name);
            assert!(switch.help.ends_with('.'), "{} has no sentence", switch.name);
        }
    }

    #[test]
    fn levels_of_memory_are_shares_of_the_limit_and_absent_without_one() {
        let tuning = Tuning::resolve(&SWITCHES, [("terminate", "off"), ("memory_spill", "0")]).unwrap();
        let memory = Some(bench_model::Bytes::new(1_000));
        let env =
            StyleEnv { slots: 1, memory_share: Default::default(), memory, resources: Default::default(), tuning };
        let levels = Limits::of(&env).memory.unwrap();
        assert_eq!((levels.target, levels.spill, levels.pause, levels.terminate), (600, u64::MAX, 800, u64::MAX));
        assert!(Limits::of(&StyleEnv { memory: None, ..env }).memory.is_none());
    }
}

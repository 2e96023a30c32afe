//! The style itself: its switches, and which machine stands at which address.

use crate::driver::Driver;
use crate::message::Frame;
use crate::raylet::Raylet;
use bench_model::{
    Action, Addr, Event, Machine, Nanos, PLANNER_SWITCHES, SpanKind, Storage, Style, StyleEnv, Switch,
    SwitchDefault as D, Violation, joined,
};

/// The actor style: objects with owners, leases from nodes, an object store on each node.
#[derive(Clone, Copy, Debug, Default)]
pub struct Actor;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

const fn switch(name: &'static str, default: D, help: &'static str) -> Switch {
    Switch { name, default, help }
}

/// Those of this style alone.
const OWN: [Switch; 27] = [
    switch("compression", D::Word(&["none", "lz4", "zstd"]), "How blocks are compressed on disk and between nodes."),
    switch(
        "ownership",
        D::Word(&["driver", "spread"]),
        "Who owns the objects of a fragment: the driver, or the nodes in turn.",
    ),
    switch("resubmit", D::Count(0), "How often a job is run again when an owner died."),
    switch("locality", D::Bool(true), "Ask for leases at the node that holds most bytes of a task's arguments."),
    switch("spillback", D::Bool(true), "Let a busy node hand a lease request on to a less busy one."),
    switch("spread_threshold", D::Ratio(0.5), "How busy a node may be before tasks are spread instead of packed."),
    switch("inflight_tasks_per_slot", D::Count(4), "How many leases per slot an owner asks of a node at a time."),
    switch("backpressure", D::Bool(true), "Hold tasks without inputs back while too many bytes are unread."),
    switch("backpressure_bytes", D::Bytes(512 * MIB), "How many unread bytes a job may have before that."),
    switch("max_retries", D::Count(3), "How often a failed task is run again before its job fails."),
    switch(
        "max_reconstructions",
        D::Count(20),
        "How often lost blocks of a fragment are made again before its job fails.",
    ),
    switch("copies", D::Bool(true), "Read another copy of a lost block, if there is one, instead of making it again."),
    switch(
        "inline",
        D::Bool(true),
        "Let small results travel with the task that reads them, past the store's admission.",
    ),
    switch("inline_bytes", D::Bytes(100 * KIB), "The largest result that does so."),
    switch("store_fraction", D::Ratio(0.3), "The object store's share of a node's memory."),
    switch(
        "zero_copy",
        D::Bool(true),
        "Map blocks of other nodes of the same host where they lie, instead of copying them.",
    ),
    switch("spill", D::Bool(true), "Move objects that nothing reads now to disk when the store fills up."),
    switch("spill_threshold", D::Ratio(0.8), "How full the store may be before that."),
    switch("admission", D::Bool(true), "Fetch a task's arguments only when all of them fit, the oldest task first."),
    switch("push_merge", D::Bool(true), "Bring map outputs to their reducer's node in rounds while maps still run."),
    switch("merge_round", D::Count(8), "How many map tasks make a round."),
    switch("merge_bytes", D::Bytes(64 * MIB), "How many bytes a node may be receiving ahead of its reducers."),
    switch("placement_groups", D::Bool(true), "Reserve resources for tasks that ask to lie together or apart."),
    switch(
        "pipelining",
        D::Bool(true),
        "Send an actor's next calls before the earlier ones are done, while its state is small.",
    ),
    switch("max_restarts", D::Count(3), "How often an actor is restarted elsewhere when its node died."),
    switch("checkpoint", D::Bool(true), "Keep a copy of an actor's state on a second node now and then."),
    switch("checkpoint_every", D::Count(8), "After how many calls a copy is kept."),
];

/// What any style can plan, and its own.
static SWITCHES: [Switch; 33] = joined(&PLANNER_SWITCHES, &OWN);

impl Style for Actor {
    type Msg = Frame;
    type Machine = ActorMachine;

    fn name(&self) -> &'static str {
        "actor"
    }

    fn switches(&self) -> &'static [Switch] {
        &SWITCHES
    }

    fn machine(&self, at: Addr, env: &StyleEnv) -> ActorMachine {
        match at {
            Addr::Driver => ActorMachine::Driver(Box::new(Driver::new(env))),
            Addr::Node(node) => ActorMachine::Raylet(Box::new(Raylet::new(node, env))),
        }
    }

    fn storage(&self) -> Storage {
        Storage::Shared
    }

    fn has_actors(&self) -> bool {
        true
    }
}

/// A machine of this style: the driver's or a node's.
pub enum ActorMachine {
    /// Submits jobs, owns their objects, and knows who is alive.
    Driver(Box<Driver>),
    /// Runs tasks and stores objects; owns some if ownership is spread.
    Raylet(Box<Raylet>),
}

impl Machine for ActorMachine {
    type Msg = Frame;

    fn on(&mut self, now: Nanos, event: Event<Frame>, out: &mut Vec<Action<Frame>>) {
        match self {
            Self::Driver(driver) => driver.on(now, event, out),
            Self::Raylet(raylet) => raylet.on(now, event, out),
        }
    }

    fn check(&self) -> Result<(), Violation> {
        match self {
            Self::Driver(driver) => driver.check().map_err(Violation),
            Self::Raylet(raylet) => raylet.check().map_err(Violation),
        }
    }

    fn idle_reason(&self) -> SpanKind {
        match self {
            Self::Driver(driver) => driver.idle_reason(),
            Self::Raylet(raylet) => raylet.idle_reason(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::Tuning;

    #[test]
    fn there_are_at_most_36_switches_with_unique_names_and_a_sentence_each() {
        assert!(SWITCHES.len() <= 36);
        for (i, switch) in SWITCHES.iter().enumerate() {
            assert!(SWITCHES[..i].iter().all(|s| s.name != switch.name), "{} twice", switch.name);
            assert!(switch.help.ends_with('.'), "{} has no sentence", switch.name);
        }
    }

    #[test]
    fn settings_given_as_text_reach_the_tuning() {
        let tuning = Tuning::resolve(&SWITCHES, [("inline_bytes", "1MiB"), ("ownership", "spread")]);
        let got = tuning.map(|t| (t.bytes("inline_bytes").get(), t.word("ownership").to_owned()));
        assert_eq!(got, Ok((MIB, "spread".to_owned())));
    }
}

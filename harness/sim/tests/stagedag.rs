//! The stage-DAG machines under every fault the simulator knows.

#![expect(clippy::expect_used, reason = "a test that finds nothing should fail with a sentence")]

use bench_model::{Action, Addr, Epoch, Event, Machine, Nanos, Style, StyleEnv, Switch, TaskFailure, Violation};
use bench_sim::{FaultKind, SimOptions, SimTrouble, fuzz, run_seed, trace_seed};
use bench_stagedag::{Msg, Outcome, StageDag, StageDagMachine, Ticket};
use std::collections::BTreeMap;

#[test]
fn ten_thousand_seeds_pass_and_every_kind_of_fault_fires() {
    let options = SimOptions { sizes: vec![1, 3, 10], ..SimOptions::default() };
    let report = fuzz(&StageDag, 0..10_000, &options, |_| {});
    for failure in &report.failures {
        println!("{failure}");
    }
    println!(
        "{} events, {} attempts, {} answered, {} failed",
        report.events, report.attempts, report.answered, report.failed
    );
    println!("{} replanned, {} speculated, {:?}", report.replanned, report.speculated, report.fired);
    assert_eq!(report.failures, [], "replay with: bench sim --style stagedag --nodes 1,3,10 --seed N");
    assert_eq!(report.seeds, 10_000);
    // A style that keeps its blocks on disk neither spills nor watches its memory.
    let irrelevant = [FaultKind::DiskFull, FaultKind::MemoryPressure];
    for kind in FaultKind::ALL.iter().filter(|k| !irrelevant.contains(k)) {
        assert!(report.fired.get(kind).is_some_and(|n| *n > 100), "{} was not tested", kind.name());
    }
    assert!(report.answered > 5 * report.failed, "most jobs should survive their faults");
    assert!(report.replanned > 500 && report.speculated > 500);
}

#[test]
fn a_hundred_nodes_finish() {
    let large = SimOptions { sizes: vec![100], slots: 4, events_max: 5_000_000, ..SimOptions::default() };
    let checked = fuzz(&StageDag, 0..20, &SimOptions { tasks: 200, ..large.clone() }, |_| {});
    // Invariants cost time in proportion to the job: without them, jobs may be as large as the cluster.
    let full = fuzz(&StageDag, 0..20, &SimOptions { tasks: 5_000, jobs: 4, check: false, ..large }, |_| {});
    assert_eq!((checked.failures, full.failures), (vec![], vec![]));
    assert!(checked.answered + full.answered > checked.failed + full.failed);
}

#[test]
fn without_faults_every_job_is_answered() {
    let options = SimOptions { faults: 0, ..SimOptions::default() };
    let report = fuzz(&StageDag, 0..1_000, &options, |_| {});
    assert_eq!(report.failures, []);
    assert_eq!(report.failed, 0);
    let injected = report.fired.keys().filter(|k| **k != FaultKind::MessageReordered).count();
    assert_eq!(injected, 0);
}

#[test]
fn a_seed_replays_event_for_event() {
    for seed in [3, 77, 1234] {
        let first = trace_seed(&StageDag, seed, &SimOptions::default());
        assert_eq!(first, trace_seed(&StageDag, seed, &SimOptions::default()));
        assert_eq!(first.1, run_seed(&StageDag, seed, &SimOptions::default()), "tracing changes nothing");
        assert!(first.0.lines().count() > 10);
    }
}

#[test]
fn a_setting_that_the_style_does_not_have_is_refused() {
    let options = SimOptions { settings: vec![("speed".to_owned(), "max".to_owned())], ..SimOptions::default() };
    let failure = run_seed(&StageDag, 1, &options).unwrap_err();
    assert!(matches!(failure.trouble, SimTrouble::Options(m) if m.starts_with("unknown setting `speed`")));
}

/// A defect planted between a sound machine and its host.
#[derive(Clone, Copy)]
enum Defect {
    /// Answers of dead incarnations count: the fence against zombies is gone.
    NoFence,
    /// Nodes never hear that an answer is overdue: lost messages are fatal.
    NoReminders,
    /// A node runs a repeated launch again.
    NoDuplicateCheck,
    /// A missing block is taken for a passing failure, as when a typed error is flattened to text.
    UntypedFetchFailure,
}

struct Broken(Defect);

struct BrokenMachine {
    sound: StageDagMachine,
    defect: Defect,
    /// The latest epoch that each node was addressed with.
    epochs: BTreeMap<Addr, Epoch>,
    launched: Vec<Ticket>,
}

impl Style for Broken {
    type Msg = Msg;
    type Machine = BrokenMachine;

    fn name(&self) -> &'static str {
        "broken"
    }

    fn switches(&self) -> &'static [Switch] {
        StageDag.switches()
    }

    fn machine(&self, at: Addr, env: &StyleEnv) -> BrokenMachine {
        let sound = StageDag.machine(at, env);
        BrokenMachine { sound, defect: self.0, epochs: BTreeMap::new(), launched: Vec::new() }
    }

    fn storage(&self) -> bench_model::Storage {
        StageDag.storage()
    }
}

impl BrokenMachine {
    /// Damages what the machine hears; nothing if it does not hear it at all.
    fn damage(&mut self, event: Event<Msg>, out: &mut Vec<Action<Msg>>) -> Option<Event<Msg>> {
        let Event::Message { from, mut msg } = event else { return Some(event) };
        match (self.defect, &mut msg) {
            (Defect::NoReminders, Msg::Probe { .. }) => return None,
            (Defect::NoFence, Msg::Finished { ticket, .. }) => {
                // Pretends that the answer comes from the node's present incarnation.
                ticket.epoch = self.epochs.get(&from).copied().unwrap_or(ticket.epoch);
            }
            (Defect::NoDuplicateCheck, Msg::Launch { ticket, assignment, .. }) => {
                if self.launched.contains(ticket) {
                    out.push(Action::Run(assignment.clone()));
                }
                self.launched.push(*ticket);
            }
            (Defect::UntypedFetchFailure, Msg::Finished { outcome: Outcome::Ran(Err(failure)), .. }) => {
                if matches!(failure, TaskFailure::MissingBlock(_)) {
                    *failure = TaskFailure::Transient(failure.to_string());
                }
            }
            _ => {}
        }
        Some(Event::Message { from, msg })
    }
}

impl Machine for BrokenMachine {
    type Msg = Msg;

    fn on(&mut self, now: Nanos, event: Event<Msg>, out: &mut Vec<Action<Msg>>) {
        if let Some(event) = self.damage(event, out) {
            self.sound.on(now, event, out);
        }
        for action in out {
            if let Action::Send { to, msg: Msg::Launch { ticket, .. } } = action {
                self.epochs.insert(*to, ticket.epoch);
            }
        }
    }

    fn check(&self) -> Result<(), Violation> {
        self.sound.check()
    }
}

fn finds(defect: Defect) {
    let report = fuzz(&Broken(defect), 0..10_000, &SimOptions::default(), |_| {});
    let first = report.failures.first().expect("the planted defect was not found");
    println!("{} of {} seeds; {first}", report.failures.len(), report.seeds);
    let again = run_seed(&Broken(defect), first.seed, &SimOptions::default());
    assert_eq!(again.as_ref(), Err(first), "a failing seed fails again in the same way");
}

#[test]
fn a_missing_fence_is_found() {
    finds(Defect::NoFence);
}

#[test]
fn missing_reminders_are_found() {
    finds(Defect::NoReminders);
}

#[test]
fn a_missing_duplicate_check_is_found() {
    finds(Defect::NoDuplicateCheck);
}

#[test]
fn an_untyped_fetch_failure_is_found() {
    finds(Defect::UntypedFetchFailure);
}

//! The actor machines under every fault the simulator knows.

#![expect(clippy::expect_used, reason = "a test that finds nothing should fail with a sentence")]

use bench_actor::{Actor, ActorMachine, Frame, Note, Outcome, Shared};
use bench_model::{
    Action, Addr, Epoch, Event, JobError, Machine, Nanos, Style, StyleEnv, Switch, TaskFailure, Violation,
};
use bench_sim::{FaultKind, FuzzReport, SimOptions, fuzz, run_seed, trace_seed};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

fn options(nodes: u32, settings: &[(&str, &str)]) -> SimOptions {
    let settings = settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    SimOptions { sizes: vec![nodes], settings, ..SimOptions::default() }
}

fn passes(seeds: std::ops::Range<u64>, options: &SimOptions) -> FuzzReport {
    let report = fuzz(&Actor, seeds, options, |_| {});
    for failure in &report.failures {
        println!("{failure}");
    }
    println!(
        "{} seeds, {} events, {} attempts, {} answered, {} failed, {:?}",
        report.seeds, report.events, report.attempts, report.answered, report.failed, report.fired
    );
    assert!(report.failures.is_empty(), "replay with: bench sim --style actor --nodes {:?} --seed N", options.sizes);
    report
}

/// 10,000 seeds over 1, 3 and 10 nodes, with all objects in the store and with small ones past it.
#[test]
fn ten_thousand_seeds_pass_and_every_kind_of_fault_fires() {
    let pulls: &[(&str, &str)] = &[("inline_bytes", "10KiB")];
    let mut fired: BTreeMap<FaultKind, u64> = BTreeMap::new();
    let (mut answered, mut failed, mut first) = (0, 0, 0);
    for (nodes, seeds, settings) in
        [(1, 1_000, &[][..]), (3, 2_500, &[]), (3, 2_500, pulls), (10, 2_000, &[]), (10, 2_000, pulls)]
    {
        let report = passes(first..first + seeds, &options(nodes, settings));
        first += seeds;
        answered += report.answered;
        failed += report.failed;
        for (kind, times) in report.fired {
            *fired.entry(kind).or_default() += times;
        }
    }
    assert_eq!(first, 10_000);
    for kind in FaultKind::ALL.iter().filter(|k| **k != FaultKind::MemoryPressure) {
        assert!(fired.get(kind).is_some_and(|n| *n > 50), "{} was not tested: {fired:?}", kind.name());
    }
    assert!(answered > 4 * failed, "most jobs should survive their faults: {answered} of {}", answered + failed);
}

#[test]
fn without_faults_every_job_is_answered_or_asks_for_the_impossible() {
    let options = SimOptions { faults: 0, ..options(4, &[("inline_bytes", "10KiB")]) };
    let report = passes(0..1_000, &options);
    assert!(report.failed * 50 < report.answered, "only strict placements may be infeasible");
}

#[test]
fn seeds_pass_with_ownership_spread_over_the_nodes() {
    let report = passes(0..2_000, &options(4, &[("ownership", "spread"), ("inline_bytes", "10KiB")]));
    assert!(report.answered > report.failed, "owners die with their nodes, but not that often");
    let again = passes(0..2_000, &options(4, &[("ownership", "spread"), ("resubmit", "3")]));
    assert!(again.answered > report.answered, "submitting again helps");
}

#[test]
fn a_seed_replays_event_for_event() {
    for seed in [3, 77, 1234] {
        let first = trace_seed(&Actor, seed, &SimOptions::default());
        assert_eq!(first, trace_seed(&Actor, seed, &SimOptions::default()));
        assert_eq!(first.1, run_seed(&Actor, seed, &SimOptions::default()), "tracing changes nothing");
    }
}

#[test]
fn a_hundred_nodes_finish() {
    let large = SimOptions { sizes: vec![100], slots: 4, events_max: 5_000_000, ..SimOptions::default() };
    let checked = passes(0..20, &SimOptions { tasks: 200, ..large.clone() });
    // Invariants cost time in proportion to the job: without them, jobs may be as large as the cluster.
    let full = passes(0..20, &SimOptions { tasks: 5_000, jobs: 4, check: false, ..large });
    assert!(checked.answered + full.answered > checked.failed + full.failed);
}

/// A defect planted between a sound machine and its host.
#[derive(Clone, Copy)]
enum Defect {
    /// What dead incarnations say counts: the fence against zombies is gone.
    NoFence,
    /// Frames are sent once: lost messages are fatal.
    NoResends,
    /// A missing block is taken for a passing failure, as when a typed error is flattened to text.
    UntypedLoss,
    /// Owners forget to have blocks dropped before they are made again.
    NoDrop,
    /// None: only calls that are sent ahead are counted.
    Counting(&'static AtomicU64),
}

struct Broken(Defect);

struct BrokenMachine {
    sound: ActorMachine,
    defect: Defect,
    /// The latest epoch that each node was addressed with.
    epochs: BTreeMap<Addr, Epoch>,
}

impl Style for Broken {
    type Msg = Frame;
    type Machine = BrokenMachine;

    fn name(&self) -> &'static str {
        "broken"
    }

    fn switches(&self) -> &'static [Switch] {
        Actor.switches()
    }

    fn machine(&self, at: Addr, env: &StyleEnv) -> BrokenMachine {
        BrokenMachine { sound: Actor.machine(at, env), defect: self.0, epochs: BTreeMap::new() }
    }

    fn storage(&self) -> bench_model::Storage {
        Actor.storage()
    }
}

impl BrokenMachine {
    fn damage(&self, from: Addr, frame: &mut Frame) {
        match self.defect {
            Defect::NoFence => frame.from = self.epochs.get(&from).copied().unwrap_or(frame.from),
            Defect::UntypedLoss => {
                let flat = |note: &Note| match note {
                    Note::Done(run, part, attempt, Outcome::Lost { block, .. }) => {
                        let failure = TaskFailure::Transient(TaskFailure::MissingBlock(block.id).to_string());
                        Note::Done(*run, *part, *attempt, Outcome::Failed(failure))
                    }
                    other => other.clone(),
                };
                frame.notes = Shared::new(frame.notes.iter().map(flat).collect());
            }
            Defect::NoDrop => {
                let idle = |note: &Note| match note {
                    Note::Drop(run, part, attempt) => Note::Release(*run, *part, attempt + 1, 0),
                    other => other.clone(),
                };
                frame.notes = Shared::new(frame.notes.iter().map(idle).collect());
            }
            Defect::Counting(counter) => {
                let ahead = |note: &&Note| matches!(note, Note::Launch(lease) if lease.after.is_some());
                counter.fetch_add(frame.notes.iter().filter(ahead).count() as u64, Ordering::Relaxed);
            }
            Defect::NoResends => {}
        }
    }
}

impl Machine for BrokenMachine {
    type Msg = Frame;

    fn on(&mut self, now: Nanos, mut event: Event<Frame>, out: &mut Vec<Action<Frame>>) {
        if let Event::Message { from, msg } = &mut event {
            self.damage(*from, msg);
        }
        let resends = matches!((self.defect, &event), (Defect::NoResends, Event::Timer(_)));
        self.sound.on(now, event, out);
        if resends {
            out.retain(|action| !matches!(action, Action::Send { msg, .. } if msg.seq > 0));
        }
        for action in out.iter() {
            if let Action::Send { to, msg } = action {
                self.epochs.insert(*to, msg.to);
            }
        }
    }

    fn check(&self) -> Result<(), Violation> {
        self.sound.check()
    }
}

fn finds(defect: Defect) {
    let options = options(3, &[]);
    let report = fuzz(&Broken(defect), 0..10_000, &options, |_| {});
    let first = report.failures.first().expect("the planted defect was not found");
    println!("{} of {} seeds; {first}", report.failures.len(), report.seeds);
    let again = run_seed(&Broken(defect), first.seed, &options);
    assert_eq!(again.as_ref(), Err(first), "a failing seed fails again in the same way");
}

#[test]
fn a_missing_fence_is_found() {
    finds(Defect::NoFence);
}

#[test]
fn missing_resends_are_found() {
    finds(Defect::NoResends);
}

#[test]
fn an_untyped_loss_is_found() {
    finds(Defect::UntypedLoss);
}

#[test]
fn blocks_that_are_not_dropped_before_they_are_made_again_are_found() {
    finds(Defect::NoDrop);
}

#[test]
fn calls_are_sent_ahead_under_faults_too() {
    static AHEAD: AtomicU64 = AtomicU64::new(0);
    let report = fuzz(&Broken(Defect::Counting(&AHEAD)), 0..1_000, &options(3, &[]), |_| {});
    assert!(report.failures.is_empty());
    let ahead = AHEAD.load(Ordering::Relaxed);
    println!("{ahead} calls ahead of others in {} attempts", report.attempts);
    assert!(ahead > 500, "{ahead}");
}

#[test]
fn owner_death_is_the_documented_error() {
    let node = bench_model::NodeId(3);
    let error = JobError::OwnerDied { node, fragment: bench_model::FragmentId(1) };
    assert_eq!(
        error.to_string(),
        "node n3 owned the blocks of fragment f1 and is gone, so they cannot be rebuilt; run it again"
    );
}

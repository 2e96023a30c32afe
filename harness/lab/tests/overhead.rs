//! Claims about measuring overhead, with scripted engines.
#![expect(clippy::unwrap_used, reason = "a claim fails by panicking")]

mod fake;

use bench_lab::live::{EngineProvider, EngineSpec, Failure, LiveEngine};
use bench_lab::overhead::{OverheadEnd, OverheadError, OverheadEvent, OverheadPlan, measure, measurements};
use bench_model::Probe;
use bench_record::{Measure, Outcome, OverheadSample};
use fake::{Fake, engine};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn plan(engines: &[&str], trials: u32) -> OverheadPlan {
    OverheadPlan {
        engines: engines.iter().map(|name| engine(name)).collect(),
        trials,
        settle: Duration::ZERO,
        probes: vec![Probe::Tasks { count: 9 }, Probe::RoundTrip { count: 3 }],
    }
}

/// Everything planned; every measurement is one that a journal accepts.
fn check(plan: &OverheadPlan, fake: &Fake) -> Vec<OverheadSample> {
    let mut kept = Vec::new();
    let end = measure(plan, fake, &mut kept, &AtomicBool::new(false), &mut |_| {}).unwrap();
    assert_eq!(end, OverheadEnd::Complete);
    for sample in &kept {
        sample.validate().unwrap();
    }
    kept
}

#[test]
fn every_engine_is_measured_in_processes_of_its_own_and_they_take_turns() {
    let fake = Fake::default();
    let plan = plan(&["a", "b"], 2);
    let kept = check(&plan, &fake);
    assert_eq!(kept.len() as u64, measurements(&plan));
    assert!(kept.iter().all(|s| s.outcome == Outcome::Completed && s.version.as_deref() == Some("1.0")));
    let started: Vec<String> = fake.log().into_iter().filter(|line| line.starts_with("start")).collect();
    assert_eq!(started, ["start a", "start b", "start b", "start a"]);
    assert_eq!(fake.count("stop"), 4);
    let of = |measure: Measure| kept.iter().find(|s| s.measure == measure).unwrap();
    assert_eq!(of(Measure::Startup).samples_ns.len(), 1);
    assert!(of(Measure::IdleMemory).held_bytes.is_some());
    assert_eq!(of(Measure::Probe(Probe::RoundTrip { count: 3 })).samples_ns.len(), 3);
}

#[test]
fn what_an_engine_cannot_do_is_recorded_with_the_reason() {
    let kept = check(&plan(&["bare"], 1), &Fake::default());
    let said = |s: &OverheadSample| (s.outcome, s.reason.clone().unwrap_or_default());
    assert_eq!(said(&kept[0]).0, Outcome::Completed);
    assert_eq!(said(&kept[1]), (Outcome::Unsupported, "the system does not tell what its processes hold".into()));
    assert_eq!(said(&kept[2]), (Outcome::Unsupported, "it has no tasks".into()));
}

#[test]
fn an_engine_that_breaks_is_started_again_for_what_follows() {
    let fake = Fake::default();
    let kept = check(&plan(&["frail"], 1), &fake);
    let failed = kept.iter().filter(|s| s.outcome == Outcome::Failed).count();
    assert_eq!((failed, fake.count("start"), fake.count("probe")), (2, 2, 2));
}

/// An engine that is not installed, or a harness that cannot do its own work.
struct Refuses(Failure);

impl EngineProvider for Refuses {
    fn start(&self, _engine: &EngineSpec, _stop: &AtomicBool) -> Result<Box<dyn LiveEngine>, Failure> {
        Err(self.0.clone())
    }
}

#[test]
fn an_engine_that_does_not_start_is_one_line_and_a_harness_that_cannot_work_is_an_error() {
    let mut kept: Vec<OverheadSample> = Vec::new();
    let mut told = 0;
    let mut show = |event: OverheadEvent<'_>| told += u32::from(matches!(event, OverheadEvent::Ended(_)));
    let missing = Refuses(Failure::Unsupported("not installed".into()));
    let stop = AtomicBool::new(false);
    let end = measure(&plan(&["a"], 1), &missing, &mut kept, &stop, &mut show).unwrap();
    assert_eq!((end, kept.len(), told), (OverheadEnd::Complete, 1, 1));
    assert_eq!(
        (kept[0].outcome, kept[0].reason.as_deref(), &kept[0].version),
        (Outcome::Unsupported, Some("not installed"), &None)
    );
    let broken = Refuses(Failure::Harness("disk full".into()));
    let error = measure(&plan(&["a"], 1), &broken, &mut kept, &stop, &mut |_| {}).unwrap_err();
    assert!(matches!(error, OverheadError::Harness { .. }) && error.to_string().contains("disk full"), "{error}");
}

#[test]
fn an_interruption_ends_it_and_what_was_measured_is_kept() {
    let mut kept: Vec<OverheadSample> = Vec::new();
    let stop = AtomicBool::new(false);
    let mut raise = |event: OverheadEvent<'_>| {
        if let OverheadEvent::Ended(sample) = event {
            stop.store(sample.measure == Measure::Startup, Ordering::Relaxed);
        }
    };
    let plan = OverheadPlan { settle: Duration::from_secs(60), ..plan(&["a", "b"], 3) };
    let end = measure(&plan, &Fake::default(), &mut kept, &stop, &mut raise).unwrap();
    assert_eq!((end, kept.len()), (OverheadEnd::Interrupted, 1));
}

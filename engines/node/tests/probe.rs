//! Probes of a style on the host: what is timed, and what is refused with a reason.
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod fifo;

use bench_actor::Actor;
use bench_model::{Bytes, EngineError, EngineSetup, Nanos, Probe, Registry, Session, Storage, Style, Tuning};
use bench_node::{LiveEngine, LiveSession};
use fifo::{Fifo, graphs};
use std::sync::Arc;

fn session<S: Style>(style: S, memory: Option<Bytes>) -> (tempfile::TempDir, LiveSession<S>) {
    let scratch = tempfile::tempdir().unwrap();
    let setup = EngineSetup {
        slots: 2,
        memory,
        scratch: scratch.path().to_owned(),
        tuning: Tuning::defaults(style.switches()),
        spans: false,
        cluster: Default::default(),
    };
    let registry = Registry::default().with(Arc::new(graphs::Noop));
    let session = LiveEngine::without_front(style, registry).session(&setup).unwrap();
    (scratch, session)
}

/// The samples, as many as the probe gives, or why there are none.
fn probed<S: Style>(session: &mut LiveSession<S>, probe: Probe) -> Result<Vec<Nanos>, String> {
    match session.probe(&probe, &Arc::default()) {
        Ok(samples) => {
            assert_eq!(samples.len(), probe.samples(), "{probe:?}");
            assert!(samples.iter().all(|ns| *ns > Nanos::ZERO), "{probe:?} {samples:?}");
            Ok(samples)
        }
        Err(EngineError::Unsupported(why)) => Err(why),
        Err(other) => Err(format!("not unsupported: {other}")),
    }
}

fn kept_in(storage: Storage) -> Fifo {
    Fifo { storage, ..Fifo::default() }
}

#[test]
fn tasks_round_trips_and_values_are_timed() {
    for storage in [Storage::Disk, Storage::Heap, Storage::Shared] {
        let (scratch, mut session) = session(kept_in(storage), None);
        for probe in [
            Probe::Tasks { count: 50 },
            Probe::RoundTrip { count: 5 },
            Probe::Put { bytes: 1 << 20, count: 3 },
            Probe::Get { bytes: 1 << 20, count: 3 },
            Probe::Serialize { bytes: 1 << 20, count: 3 },
        ] {
            probed(&mut session, probe).unwrap();
        }
        let files = std::fs::read_dir(scratch.path()).unwrap().flatten().map(|folder| folder.path().join("blocks"));
        let left: usize = files.filter_map(|folder| std::fs::read_dir(folder).ok()).map(Iterator::count).sum();
        assert_eq!(left, 0, "a probe leaves no block");
    }
}

#[test]
fn what_a_style_has_nothing_of_is_refused_with_the_reason() {
    let (_scratch, mut session) = session(kept_in(Storage::Disk), Some(Bytes::new(64 << 20)));
    for (probe, words) in [
        (Probe::Calls { count: 3 }, "no stateful workers"),
        (Probe::CallRoundTrip { count: 3 }, "as long as its job"),
        (Probe::Spill { bytes: 1 << 20, count: 3 }, "files from the start"),
        (Probe::Recover { count: 4, task_ns: 1, kill: true }, "one process holds all of it"),
    ] {
        let why = probed(&mut session, probe).unwrap_err();
        assert!(why.contains(words), "{why}");
    }
    let (_scratch, mut unlimited) = self::session(kept_in(Storage::Heap), None);
    let why = probed(&mut unlimited, Probe::Spill { bytes: 1 << 20, count: 3 }).unwrap_err();
    assert!(why.contains("without a limit"), "{why}");
}

#[test]
fn calls_of_a_style_with_actors_are_timed() {
    let (_scratch, mut session) = session(Actor, None);
    probed(&mut session, Probe::Calls { count: 40 }).unwrap();
}

#[test]
fn what_does_not_fit_is_spilled_and_what_fits_is_no_spilling() {
    let (_scratch, mut session) = session(kept_in(Storage::Heap), Some(Bytes::new(8 << 20)));
    probed(&mut session, Probe::Spill { bytes: 1 << 20, count: 12 }).unwrap();
    let why = probed(&mut session, Probe::Spill { bytes: 1 << 20, count: 2 }).unwrap_err();
    assert!(why.contains("2 values of 1048576 bytes fit into 8.00 MiB"), "{why}");
}

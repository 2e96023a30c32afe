//! What `bench overhead` leaves of two engines.

use bench_record::{
    Build, Bytes, Machine, Measure, Nanos, OVERHEAD_SCHEMA, Outcome, OverheadContext, OverheadRun, OverheadSample,
    OverheadSubject, Timestamp,
};

const BEGAN: Timestamp = Timestamp::from_unix_ms(1_795_374_245_123);

fn sample(engine: &str, trial: u32, measure: Measure) -> OverheadSample {
    let is_memory = measure == Measure::IdleMemory;
    OverheadSample {
        schema: OVERHEAD_SCHEMA,
        subject: OverheadSubject {
            engine: engine.into(),
            variant: "memory=1GiB".into(),
            cluster: "local".into(),
            nodes: 1,
            slots: 2,
            memory_bytes: Some(Bytes::new(1 << 30)),
        },
        version: Some("1".into()),
        trial,
        measure,
        outcome: Outcome::Completed,
        reason: None,
        samples_ns: if is_memory { vec![] } else { vec![Nanos::new(800_000_000 + u64::from(trial) * 1_000_000)] },
        held_bytes: is_memory.then(|| Bytes::new(90 << 20)),
        contamination: None,
        started_at: BEGAN,
    }
}

/// Start-up and idle memory, six trials each.
pub(crate) fn record() -> OverheadRun {
    let of = |engine: &'static str| {
        (0..6).flat_map(move |i| [Measure::Startup, Measure::IdleMemory].map(|measure| sample(engine, i, measure)))
    };
    OverheadRun {
        path: "results/overhead".into(),
        context: OverheadContext {
            schema: OVERHEAD_SCHEMA,
            bench: Build { version: "0.1.0".into(), build_id: "5f1c9a".into() },
            command_line: vec!["bench".into(), "overhead".into()],
            trials: 6,
            settle_ns: Nanos::new(1_000_000_000),
            machine: Machine {
                cpu_model: "Example CPU".into(),
                cores: 2,
                memory_bytes: 24 << 30,
                ..Machine::default()
            },
            started_at: BEGAN,
            finished_at: Some(BEGAN),
            warnings: vec![],
        },
        samples: of("ray").chain(of("dask")).collect(),
        torn_bytes: 0,
    }
}

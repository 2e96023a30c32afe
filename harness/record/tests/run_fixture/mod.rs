//! A small run for tests.

use bench_record::{
    Arm, Build, Case, ClusterContext, DatasetContext, EngineContext, Family, Machine, Observation, Outcome, Protocol,
    RunContext, SCHEMA, Timestamp, Tuning, WorkloadContext,
};

pub(crate) fn context() -> RunContext {
    RunContext {
        schema: SCHEMA,
        bench: Build { version: "0.1.0".into(), build_id: "abc123".into() },
        suite: "smoke".into(),
        families: vec![Family::Sql],
        engines: vec![EngineContext {
            name: "stagedag".into(),
            variant: Case::DEFAULT_VARIANT.into(),
            version: "0.1.0".into(),
            slots: 2,
            memory_bytes: None,
            tuning: Tuning::default(),
            settings: [("partitions".to_owned(), "8".to_owned())].into(),
        }],
        command_line: vec!["bench".into(), "run".into()],
        protocol: Protocol::Warm(1),
        trials: 3,
        seed: 7,
        timeout_ns: Some(60_000_000_000),
        cluster: ClusterContext::local(),
        machine: Machine { cpu_model: "Example".into(), cores: 2, memory_bytes: 1 << 33, ..Machine::default() },
        datasets: vec![DatasetContext {
            name: "tpch-sf0.01".into(),
            derived_from: Some("tpch".into()),
            rows: 86_000,
            bytes: 3_000_000,
            checksum: "00ff".into(),
            scale: 1,
        }],
        workloads: vec![WorkloadContext { name: "tpch-q01".into(), checksum: "0f0f".into(), scale: 1 }],
        started_at: Timestamp::from_unix_ms(1_795_374_245_123),
        resumed_at: Vec::new(),
        finished_at: None,
        warnings: Vec::new(),
    }
}

pub(crate) fn case(workload: &str) -> Case {
    Case {
        suite: "smoke".into(),
        family: Family::Sql,
        workload: workload.into(),
        engine: "stagedag".into(),
        variant: Case::DEFAULT_VARIANT.into(),
        cluster: "local".into(),
        nodes: 1,
        slots: 2,
        protocol: Protocol::Warm(1),
        scale: 1,
    }
}

pub(crate) fn completed(workload: &str, trial: u32) -> Observation {
    let started = Timestamp::from_unix_ms(1_795_374_245_123 + u64::from(trial));
    let mut observation = Observation::new(case(workload), Arm::Main, trial, Outcome::Completed, started);
    observation.wall_ns = Some(1_000_000 + u64::from(trial));
    observation
}

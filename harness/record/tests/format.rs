//! The bytes other programs rely on. A change here is a change of `docs/schema.md`, and maybe of the schema version.

mod run_fixture;

use bench_record::{
    Arm, Case, Contamination, Digest, Nanos, NetworkBytes, Observation, Outcome, Pressure, PressureOf, SpanKind,
    SpanReport,
};
use run_fixture::{case, completed, context};

#[test]
fn a_completed_trial_is_written_thus() {
    let mut o = completed("tpch-q01", 3);
    o.cpu_ns = Some(1_900_000);
    o.rss_bytes_peak = Some(52_428_800);
    o.read_bytes = Some(0);
    o.write_bytes = Some(4096);
    o.pressure = Some(Pressure {
        of: PressureOf::Cgroup,
        cpu_some_ns: Some(30_000),
        cpu_full_ns: Some(1_000),
        memory_some_ns: Some(0),
        memory_full_ns: Some(0),
        io_some_ns: Some(7_000),
        io_full_ns: None,
    });
    o.network = Some(NetworkBytes {
        namespaces: 5,
        loopback_received_bytes: 100,
        loopback_sent_bytes: 100,
        received_bytes: 2_000,
        sent_bytes: 2_100,
    });
    o.spilled_bytes = Some(1024);
    o.rows_out = Some(4);
    o.digest = Some(Digest { rows: 4, exact_columns: vec!["l_returnflag".into()], ..Digest::default() });
    o.oracle = Some("duckdb 1.4.1".into());
    o.contaminated = true;
    o.check_ns = Some(20_000);
    let mut spans = SpanReport { slots: 2, makespan_ns: Nanos::new(1_000_003), ..SpanReport::default() };
    spans.add(SpanKind::Compute, Nanos::new(2_000_000));
    spans.unknown_ns = Some(Nanos::new(6));
    o.spans = Some(spans);
    o.notes = vec!["stage 2: 8 partitions became 2".into()];
    o.contamination = Some(Contamination {
        other_cpu_ns: Some(500_000),
        kernel_cpu_ns: None,
        steal_ns: Some(0),
        throttled_ns: None,
        reasons: vec!["other processes used 25 % of the cores; limit 5 %".into()],
    });
    o.repeat = Some(1);
    insta::assert_snapshot!(serde_json::to_string_pretty(&o).unwrap(), @r#"
    {
      "schema": 2,
      "key": "tpch-q01.stagedag.3afc779851569906",
      "case": {
        "suite": "smoke",
        "family": "sql",
        "workload": "tpch-q01",
        "engine": "stagedag",
        "variant": "default",
        "cluster": "local",
        "nodes": 1,
        "slots": 2,
        "protocol": "warm-1"
      },
      "arm": "main",
      "trial": 3,
      "outcome": "completed",
      "wall_ns": 1000003,
      "cpu_ns": 1900000,
      "rss_bytes_peak": 52428800,
      "read_bytes": 0,
      "write_bytes": 4096,
      "pressure": {
        "of": "cgroup",
        "cpu_some_ns": 30000,
        "cpu_full_ns": 1000,
        "memory_some_ns": 0,
        "memory_full_ns": 0,
        "io_some_ns": 7000
      },
      "network": {
        "namespaces": 5,
        "loopback_received_bytes": 100,
        "loopback_sent_bytes": 100,
        "received_bytes": 2000,
        "sent_bytes": 2100
      },
      "spilled_bytes": 1024,
      "rows_out": 4,
      "digest": {
        "rows": 4,
        "exact_columns": [
          "l_returnflag"
        ],
        "exact": "00000000000000000000000000000000"
      },
      "oracle": "duckdb 1.4.1",
      "contaminated": true,
      "started_at": "2026-11-22T19:04:05.126Z",
      "check_ns": 20000,
      "spans": {
        "slots": 2,
        "makespan_ns": 1000003,
        "by_kind_ns": {
          "compute": 2000000
        },
        "unknown_ns": 6
      },
      "notes": [
        "stage 2: 8 partitions became 2"
      ],
      "contamination": {
        "other_cpu_ns": 500000,
        "steal_ns": 0,
        "reasons": [
          "other processes used 25 % of the cores; limit 5 %"
        ]
      },
      "repeat": 1
    }
    "#);
}

#[test]
fn a_failed_trial_has_no_numbers_it_did_not_measure() {
    let mut o = Observation::new(case("tpch-q01"), Arm::Twin, 0, Outcome::Failed, completed("q", 0).started_at);
    o.reason = Some("exit status 137".into());
    insta::assert_snapshot!(serde_json::to_string(&o).unwrap(), @r#"{"schema":2,"key":"tpch-q01.stagedag.3afc779851569906","case":{"suite":"smoke","family":"sql","workload":"tpch-q01","engine":"stagedag","variant":"default","cluster":"local","nodes":1,"slots":2,"protocol":"warm-1"},"arm":"aa","trial":0,"outcome":"failed","reason":"exit status 137","contaminated":false,"started_at":"2026-11-22T19:04:05.123Z"}"#);
}

#[test]
fn a_failed_trial_says_what_came_of_its_faults() {
    let mut o = Observation::new(case("tpch-q01"), Arm::Main, 0, Outcome::Failed, completed("q", 0).started_at);
    o.reason = Some("after kill@50% on n2: no node is left".into());
    let fault = r#"{"fault":"kill@50%","node":2,"fired_ns":40,"tasks_done":5,"detected_ns":45,"tasks_repeated":1,"repeated_ns":9,"tasks_ns":90}"#;
    o.faults = vec![serde_json::from_str(fault).unwrap()];
    assert_eq!(o.validate(), Ok(()));
    let text = serde_json::to_string(&o).unwrap();
    assert!(text.ends_with(&format!("\"faults\":[{fault}]}}")), "{text}");
}

#[test]
fn only_data_at_another_scale_than_the_suite_s_says_so() {
    let written = |scale| serde_json::to_string(&Case { scale, ..case("tpch-q01") }).unwrap();
    assert!(!written(1).contains("scale"));
    assert!(written(4).ends_with(r#""protocol":"warm-1","scale":4}"#), "{}", written(4));
}

#[test]
fn the_context_is_written_thus() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&context()).unwrap(), @r#"
    {
      "schema": 2,
      "bench": {
        "version": "0.1.0",
        "build_id": "abc123"
      },
      "suite": "smoke",
      "families": [
        "sql"
      ],
      "engines": [
        {
          "name": "stagedag",
          "variant": "default",
          "version": "0.1.0",
          "slots": 2,
          "tuning": {},
          "settings": {
            "partitions": "8"
          }
        }
      ],
      "command_line": [
        "bench",
        "run"
      ],
      "protocol": "warm-1",
      "trials": 3,
      "seed": 7,
      "timeout_ns": 60000000000,
      "cluster": {
        "name": "local",
        "nodes": 1
      },
      "machine": {
        "cpu_model": "Example",
        "arch": "",
        "cores": 2,
        "memory_bytes": 8589934592,
        "os": "",
        "kernel": ""
      },
      "datasets": [
        {
          "name": "tpch-sf0.01",
          "derived_from": "tpch",
          "rows": 86000,
          "bytes": 3000000,
          "checksum": "00ff"
        }
      ],
      "workloads": [
        {
          "name": "tpch-q01",
          "checksum": "0f0f"
        }
      ],
      "started_at": "2026-11-22T19:04:05.123Z"
    }
    "#);
}

//! Several node counts: labels, widths, speedup, and what may be said about the law behind it.

use crate::{compared, family, fixture, part, runs, text};
use bench_record::{Outcome, Run};
use bench_reports::{CostAnswer, Format, Law, ScalingSeries, Verdict, plot};

fn series(runs: &[Run], engine: &str) -> ScalingSeries {
    let all = family(runs).scaling.clone();
    all.into_iter().find(|s| s.engine == engine).unwrap()
}

/// One engine on node counts with slots, each taking so many milliseconds on two workloads: all slots have a core.
fn sizes(sizes: &[(u32, u32, f64)]) -> Run {
    on_cores(64, sizes)
}

/// The same on a machine with so many cores.
fn on_cores(cores: u32, sizes: &[(u32, u32, f64)]) -> Run {
    let mut run = sized(sizes);
    run.context.machine.cores = cores;
    run
}

fn sized(sizes: &[(u32, u32, f64)]) -> Run {
    let of = |workload: &'static str| {
        sizes.iter().flat_map(move |(n, s, ms)| runs::trials(&runs::case(workload, "actor", *n, *s), 6, *ms))
    };
    runs::run("sizes", &[], of("a").chain(of("b")).collect())
}

#[test]
fn three_styles_on_three_node_counts_stay_within_the_page() {
    let text = text(&[runs::nodes()], Format::Table);
    insta::assert_snapshot!(part(&text, "sql: 3", "tpch-q02"), @r#"
    sql: 3 workloads
    ----------------

    workload  engine           ms  95 % interval  n  against the best  cpu ms  MiB
    ------------------------------------------------------------------------------
    tpch-q01  actor/1       442.0    440.0–444.4  6  1.57x 1.56–1.58    795.6  280
              actor/2       508.3    506.0–511.1  6  1.81x 1.80–1.82    457.4  240
              actor/4       309.4    308.0–311.1  6  1.10x 1.09–1.11    278.4  240
              taskgraph/1   482.2    480.0–484.8  6  1.71x 1.71–1.72    867.9  280
              taskgraph/2   554.5    552.0–557.5  6  1.97x 1.96–1.98    499.0  240
              taskgraph/4   337.5    336.0–339.4  6  1.20x 1.19–1.21    303.8  240
              stagedag/1    401.8    400.0–404.0  6  1.43x 1.42–1.44    723.2  280
              stagedag/2    462.1    460.0–464.6  6  1.64x 1.63–1.65    415.9  240
              stagedag/4    281.3    280.0–282.8  6  best               253.1  240
              datafusion    401.8    400.0–404.0  6  1.43x 1.42–1.44    723.2  280
    "#);
    insta::assert_snapshot!(part(&text, "sql totals", "How this"), @r#"
    sql totals, ratios to datafusion

    engine       completed     s  pen.  total ratio                  geometric mean               over
    --------------------------------------------------------------------------------------------------
    actor/1      3 of 3     1.88     0  1.10x 1.10–1.10              1.10x 1.10–1.10                 3
    actor/2      3 of 3     2.16     0  1.27x 1.26–1.27              1.27x 1.26–1.27                 3
    actor/4      3 of 3     1.31     0  0.77x 0.77–0.77              0.77x 0.77–0.77                 3
    taskgraph/1  3 of 3     2.05     0  1.20x 1.20–1.20              1.20x 1.20–1.20                 3
    taskgraph/2  3 of 3     2.36     0  1.38x 1.37–1.39              1.38x 1.38–1.38                 3
    taskgraph/4  3 of 3     1.43     0  0.84x 0.84–0.84              0.84x 0.84–0.84                 3
    stagedag/1   3 of 3     1.71     0  indistinguishable 1.00–1.00  indistinguishable 1.00–1.00     3
    stagedag/2   3 of 3     1.96     0  1.15x 1.15–1.15              1.15x 1.15–1.15                 3
    stagedag/4   3 of 3     1.20     0  0.70x 0.70–0.70              0.70x 0.70–0.70                 3
    datafusion   3 of 3     1.71     0  baseline                     baseline                        -

    sql strong scaling: the same workloads on more nodes

    engine     cluster    nodes x slots     s  95 % interval  speedup          efficiency
    -------------------------------------------------------------------------------------
    actor      processes          1 x 2  1.88      1.87–1.88  1                1
               processes          2 x 1  2.16      2.15–2.17  0.87x 0.87–0.87  0.87 0.87–0.87
               processes          4 x 1  1.31      1.31–1.32  1.43x 1.42–1.43  1.43 1.42–1.43
    taskgraph  processes          1 x 2  2.05      2.04–2.06  1                1
               processes          2 x 1  2.36      2.35–2.36  0.87x 0.87–0.87  0.87 0.87–0.87
               processes          4 x 1  1.43      1.43–1.44  1.43x 1.42–1.43  1.43 1.42–1.43
    stagedag   processes          1 x 2  1.71      1.70–1.71  1                1
               processes          2 x 1  1.96      1.96–1.97  0.87x 0.87–0.87  0.87 0.87–0.87
               processes          4 x 1  1.20      1.19–1.20  1.43x 1.42–1.43  1.43 1.42–1.43

    - actor, taskgraph, stagedag: total of the 3 of 3 workloads completed at every node count; some node
      counts have more slots than the 2 cores of the one machine, so efficiency is per core that is
      there, not per node or slot, and these counts are left out of the law; Universal Scalability Law:
      insufficient points: 1 of 6 different slot counts

    sql slot time by kind, %

    kind          actor/1  actor/2  actor/4  taskgraph/1  taskgraph/2  taskgraph/4
    ------------------------------------------------------------------------------
    compute          80.0     80.0     80.0         80.0         80.0         80.0
    idle_barrier     20.0     20.0     20.0         20.0         20.0         20.0
    unknown           0.0      0.0      0.0          0.0          0.0          0.0
    slot seconds   22.545   25.926   31.563       24.594       28.283       34.432
    trials             18       18       18           18           18           18

    kind          stagedag/1  stagedag/2  stagedag/4
    ------------------------------------------------
    compute             80.0        80.0        80.0
    idle_barrier        20.0        20.0        20.0
    unknown              0.0         0.0         0.0
    slot seconds      20.495      23.569      28.693
    trials                18          18          18
    "#);
}

#[test]
fn the_markdown_format_says_the_same() {
    let text = text(&[runs::nodes()], Format::Markdown);
    insta::assert_snapshot!(part(&text, "### sql strong", "### sql slot"), @r#"
    ### sql strong scaling: the same workloads on more nodes

    | engine | cluster | nodes x slots | s | 95 % interval | speedup | efficiency |
    |---|---|---:|---:|---:|---|---|
    | actor | processes | 1 x 2 | 1.88 | 1.87–1.88 | 1 | 1 |
    | actor | processes | 2 x 1 | 2.16 | 2.15–2.17 | 0.87x 0.87–0.87 | 0.87 0.87–0.87 |
    | actor | processes | 4 x 1 | 1.31 | 1.31–1.32 | 1.43x 1.42–1.43 | 1.43 1.42–1.43 |
    | taskgraph | processes | 1 x 2 | 2.05 | 2.04–2.06 | 1 | 1 |
    | taskgraph | processes | 2 x 1 | 2.36 | 2.35–2.36 | 0.87x 0.87–0.87 | 0.87 0.87–0.87 |
    | taskgraph | processes | 4 x 1 | 1.43 | 1.43–1.44 | 1.43x 1.42–1.43 | 1.43 1.42–1.43 |
    | stagedag | processes | 1 x 2 | 1.71 | 1.70–1.71 | 1 | 1 |
    | stagedag | processes | 2 x 1 | 1.96 | 1.96–1.97 | 0.87x 0.87–0.87 | 0.87 0.87–0.87 |
    | stagedag | processes | 4 x 1 | 1.20 | 1.19–1.20 | 1.43x 1.42–1.43 | 1.43 1.42–1.43 |

    - actor, taskgraph, stagedag: total of the 3 of 3 workloads completed at every node count; some node counts have more slots than the 2 cores of the one machine, so efficiency is per core that is there, not per node or slot, and these counts are left out of the law; Universal Scalability Law: insufficient points: 1 of 6 different slot counts
    "#);
}

#[test]
fn the_json_format_has_every_point() {
    let of = series(&[runs::nodes()], "stagedag");
    insta::assert_snapshot!(serde_json::to_string_pretty(&of).unwrap(), @r#"
    {
      "engine": "stagedag",
      "cluster": "processes",
      "common": 3,
      "cases": 3,
      "slots_shared": true,
      "shared_cores": 2.0,
      "points": [
        {
          "contestant": "stagedag/1",
          "nodes": 1,
          "slots": 2,
          "wall_ns_total": 1707649999.0,
          "trials_min": 6,
          "wall_ns_interval": {
            "low": 1703400000.0,
            "high": 1712849999.0
          },
          "speedup": null,
          "efficiency": null,
          "efficiency_interval": null
        },
        {
          "contestant": "stagedag/2",
          "nodes": 2,
          "slots": 1,
          "wall_ns_total": 1963797497.5,
          "trials_min": 6,
          "wall_ns_interval": {
            "low": 1958737497.5,
            "high": 1969259997.5
          },
          "speedup": {
            "value": 0.8695652179890814,
            "interval": {
              "low": 0.8661110350222848,
              "high": 0.8729828789183692
            },
            "verdict": "slower",
            "mann_whitney": null,
            "stratified_p": 0.0004997501249375312
          },
          "efficiency": 0.8695652179890814,
          "efficiency_interval": {
            "low": 0.8661110350222848,
            "high": 0.8729828789183692
          }
        },
        {
          "contestant": "stagedag/4",
          "nodes": 4,
          "slots": 1,
          "wall_ns_total": 1195354999.5,
          "trials_min": 6,
          "wall_ns_interval": {
            "low": 1192240000.0,
            "high": 1198819999.5
          },
          "speedup": {
            "value": 1.428571428332408,
            "interval": {
              "low": 1.4230264119668243,
              "high": 1.4343174208457936
            },
            "verdict": "faster",
            "mann_whitney": null,
            "stratified_p": 0.0004997501249375312
          },
          "efficiency": 1.428571428332408,
          "efficiency_interval": {
            "low": 1.4230264119668243,
            "high": 1.4343174208457936
          }
        }
      ],
      "law": {
        "is": "insufficient_points",
        "measured": 1,
        "needed": 6
      }
    }
    "#);
}

#[test]
fn the_spans_of_every_node_count_stand_side_by_side() {
    let comparison = compared(&[runs::nodes()]);
    assert!(!comparison.has_span_violations());
    let spans = &comparison.tables[0].families[0].spans;
    let labels: Vec<&str> = spans.iter().map(|s| s.contestant.as_str()).collect();
    let styles = ["actor", "taskgraph", "stagedag"];
    let wanted: Vec<String> = styles.iter().flat_map(|s| [1, 2, 4].map(|n| format!("{s}/{n}"))).collect();
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert_eq!(sorted(labels.iter().map(|l| (*l).to_owned()).collect()), sorted(wanted));
}

#[test]
fn a_node_count_is_judged_by_the_workloads_that_all_of_them_completed() {
    let mut run = sizes(&[(1, 2, 400.0), (2, 2, 250.0), (4, 2, 150.0)]);
    let failing = run.observations.iter_mut().find(|o| o.case.workload == "b" && o.case.nodes == 4).unwrap();
    *failing = fixture::ended(&failing.case, failing.trial, Outcome::Failed, "out of memory");
    let of = series(std::slice::from_ref(&run), "actor");
    assert_eq!((of.common, of.cases, of.slots_shared), (1, 2, false));
    assert!((of.points[0].wall_ns_total.unwrap() / 400e6 - 1.0).abs() < 0.02);
    run.observations.retain(|o| !(o.case.workload == "a" && o.case.nodes == 2));
    let none = series(std::slice::from_ref(&run), "actor");
    assert_eq!((none.common, none.points[1].wall_ns_total, none.points[1].speedup), (0, None, None));
    assert!(text(&[run], Format::Table).contains("no workload was completed at every node count"));
}

#[test]
fn efficiency_is_per_node_where_nodes_are_alike_and_per_slot_where_they_share_cores() {
    let alike = series(&[sizes(&[(1, 2, 400.0), (4, 2, 200.0)])], "actor");
    assert!((alike.points[1].efficiency.unwrap() - 0.5).abs() < 0.01);
    let shared = series(&[sizes(&[(1, 2, 400.0), (4, 1, 200.0)])], "actor");
    assert!((shared.points[1].efficiency.unwrap() - 1.0).abs() < 0.01);
    assert_eq!(shared.points[1].speedup.unwrap().verdict, Verdict::Faster);
    // As many slots as before: what is lost is lost to distribution.
    let split = series(&[sizes(&[(1, 2, 400.0), (2, 1, 500.0)])], "actor");
    assert!((split.points[1].efficiency.unwrap() - 0.8).abs() < 0.01);
    assert_eq!(split.points[1].speedup.unwrap().verdict, Verdict::Slower);
}

#[test]
fn efficiency_and_the_law_count_no_core_that_is_not_there() {
    // Four nodes of one slot have no more cores than two.
    let of = |cores| series(&[on_cores(cores, &[(1, 1, 400.0), (2, 1, 200.0), (4, 1, 200.0)])], "actor");
    let efficiencies = |s: &ScalingSeries| s.points[1..].iter().map(|p| p.efficiency.unwrap()).collect::<Vec<_>>();
    let (shared, own) = (of(2), of(4));
    assert_eq!((shared.shared_cores, own.shared_cores), (Some(2.0), None));
    assert!(efficiencies(&shared).iter().all(|e| (e - 1.0).abs() < 0.01), "{shared:?}");
    assert!((efficiencies(&own)[1] - 0.5).abs() < 0.01, "{own:?}");
    assert_eq!(shared.law, Law::InsufficientPoints { measured: 2, needed: 6 });
    assert_eq!(own.law, Law::InsufficientPoints { measured: 3, needed: 6 });
    let shown = text(&[on_cores(2, &[(1, 1, 400.0), (4, 1, 200.0)])], Format::Markdown);
    assert!(shown.contains("4 nodes on 2 cores of one machine: actor/4. Not a measurement"), "{shown}");
    assert!(shown.contains("some node counts have more slots than the 2 cores of the one machine"), "{shown}");
    let elsewhere = |run: &mut Run| run.observations.iter_mut().for_each(|o| o.case.cluster = "hosts".into());
    let mut hosts = on_cores(2, &[(1, 1, 400.0), (4, 1, 200.0)]);
    elsewhere(&mut hosts);
    assert_eq!(series(std::slice::from_ref(&hosts), "actor").shared_cores, None, "machines bring their cores");
    assert!(!text(&[hosts], Format::Table).contains("of one machine"));
}

#[test]
fn an_engine_that_more_nodes_only_slow_down_is_never_said_not_to_fall() {
    // Each further node costs 1.5 times what it brings.
    let seconds = |n: f64| (1.0 + 1.5 * (n - 1.0)) / n;
    let measured: Vec<(u32, u32, f64)> = [1, 2, 3, 4, 6, 8].map(|n| (n, 1, 1000.0 * seconds(f64::from(n)))).to_vec();
    let Law::Fitted(law) = series(&[sizes(&measured)], "actor").law else { panic!("six are enough") };
    assert_eq!(law.peak_nodes, Some(1.0));
    let shown = text(&[sizes(&measured)], Format::Markdown);
    assert!(shown.contains("throughput is highest with a single one, more nodes do not help"), "{shown}");
}

#[test]
fn cost_counts_no_core_that_is_not_there() {
    let mut run = on_cores(2, &[(2, 1, 150.0), (4, 1, 110.0)]);
    run.observations.extend(runs::trials(&runs::case("a", "datafusion-1t", 1, 1), 6, 120.0));
    let cost = family(std::slice::from_ref(&run)).cost.clone().unwrap();
    let actor = cost.entries.iter().find(|e| e.engine == "actor").unwrap();
    assert_eq!((actor.tried.clone(), actor.answer), (vec![2], CostAnswer::AtMost { cores: 2 }));
    let shown = text(&[run], Format::Markdown);
    assert!(shown.contains("- cores tried are those that are there: 4 nodes on 2 cores of one machine"), "{shown}");
}

#[test]
fn a_node_count_with_several_numbers_of_slots_gives_a_series_for_each() {
    let run = sizes(&[(1, 1, 800.0), (2, 1, 500.0), (1, 2, 400.0), (2, 2, 300.0)]);
    let all = family(&[run]).scaling.clone();
    let names: Vec<(&str, usize)> = all.iter().map(|s| (s.engine.as_str(), s.points.len())).collect();
    assert_eq!(names, [("actor 1 slot", 2), ("actor 2 slots", 2)]);
}

#[test]
fn a_speedup_within_the_noise_is_no_speedup() {
    let run = sizes(&[(1, 2, 400.0), (2, 2, 400.4)]);
    assert_eq!(
        series(std::slice::from_ref(&run), "actor").points[1].speedup.unwrap().verdict,
        Verdict::Indistinguishable
    );
    assert!(text(&[run], Format::Table).contains("indistinguishable"));
}

#[test]
fn one_node_count_has_no_scaling() {
    assert!(compared(&[sizes(&[(4, 1, 400.0)])]).tables[0].families[0].scaling.is_empty());
}

#[test]
fn the_law_is_fitted_from_six_node_counts_and_no_fewer() {
    // 5 % of the work is sequential, and every pair of nodes costs a thousandth.
    let seconds = |n: f64| (1.0 + 0.05 * (n - 1.0) + 0.001 * n * (n - 1.0)) / n;
    let measured: Vec<(u32, u32, f64)> =
        [1, 2, 4, 8, 16, 32].map(|n| (n, 2, 10_000.0 * seconds(f64::from(n)))).to_vec();
    let five = series(&[sizes(&measured[..5])], "actor");
    assert_eq!(five.law, Law::InsufficientPoints { measured: 5, needed: 6 });
    assert!(text(&[sizes(&measured[..5])], Format::Table).contains("insufficient points: 5 of 6 node counts"));
    let Law::Fitted(law) = series(&[sizes(&measured)], "actor").law else { panic!("six are enough") };
    assert!((law.sigma - 0.05).abs() < 0.005 && (law.kappa - 0.001).abs() < 0.0005, "{law:?}");
    assert!(law.sigma_interval.contains(0.05), "{law:?}");
    let shown = text(&[sizes(&measured)], Format::Markdown);
    assert!(shown.contains("contention 5.0 %") && shown.contains("throughput is highest at 31 nodes"), "{shown}");
}

#[test]
fn cores_that_are_had_in_two_ways_count_once_towards_cost() {
    let mut run = sizes(&[(1, 2, 100.0), (2, 1, 150.0)]);
    let single = runs::case("a", "datafusion-1t", 1, 1);
    run.observations.extend(runs::trials(&single, 6, 120.0));
    let cost = family(&[run]).cost.clone().unwrap();
    let actor = cost.entries.iter().find(|e| e.engine == "actor").unwrap();
    assert_eq!((actor.tried.clone(), actor.wins), (vec![2], 1));
}

#[test]
fn every_sheet_keeps_its_width_whatever_the_names_and_numbers() {
    let mut all = [runs::nodes(), runs::faults(), runs::ablation()];
    let long = |engine: &str| format!("an-engine-with-a-very-long-name-{engine}");
    for run in &mut all {
        run.context.engines.iter_mut().for_each(|e| e.name = long(&e.name));
        for (i, o) in run.observations.iter_mut().enumerate() {
            o.case.engine = long(&o.case.engine);
            o.case.workload = format!("a-workload-with-a-very-long-name-{}", o.case.workload);
            o.key = o.case.key();
            o.wall_ns = o.wall_ns.map(|ns| if i % 3 == 0 { ns * 3_000_000 } else { ns });
            for f in &mut o.faults {
                f.fault = "cut-one-way@99%:n1000".into();
                f.recovered_ns = f.recovered_ns.map(|ns| bench_record::Nanos::new(ns.get() * 3_000_000));
            }
            let again = o.faults.clone();
            o.faults.extend(again);
        }
    }
    let shown = text(&all, Format::Table);
    for sheet in ["strong scaling", "what each mechanism", "under faults", "slot time"] {
        assert!(shown.contains(sheet), "{sheet}");
    }
}

#[test]
fn the_plot_names_every_node_count() {
    let svg = plot::svg(&compared(&[runs::nodes()])).unwrap();
    for label in ["actor/1", "taskgraph/4", "stagedag/2", "datafusion"] {
        assert!(svg.contains(label), "{label}");
    }
}

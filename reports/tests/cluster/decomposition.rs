//! Where the time of products goes, and styles beside them.

use crate::{compared, family, fixture, part, runs, text};
use bench_record::{Case, Family, Observation, Run};
use bench_reports::{
    AnchorCause, Decomposition, Format, KernelAnchorCause, Options, Verdict, compare_with_sources, html,
};

fn case(workload: &str, engine: &str) -> Case {
    fixture::case(Family::Sql, workload, engine)
}

fn trials(workload: &str, engine: &str, wall_ms: f64) -> Vec<Observation> {
    runs::trials(&case(workload, engine), 8, wall_ms)
}

/// One thread, two styles and two products on two workloads; the second product fails one of them.
pub(crate) fn products() -> Run {
    let mut all = Vec::new();
    for (workload, factor) in [("tpch-q01", 1.0), ("tpch-q02", 0.25)] {
        for (engine, ms) in [("datafusion-1t", 800.0), ("stagedag", 450.0), ("taskgraph", 560.0), ("spark", 3200.0)] {
            all.extend(trials(workload, engine, ms * factor));
        }
    }
    all.extend(trials("tpch-q01", "dask", 540.0));
    all.push(fixture::ended(&case("tpch-q02", "dask"), 0, bench_record::Outcome::Failed, "the worker died"));
    runs::run("products", &[], all)
}

fn decomposed(run: Run) -> Vec<Decomposition> {
    family(&[run]).decomposition
}

#[test]
fn the_time_of_a_product_is_kernel_work_architecture_and_the_rest() {
    let text = text(&[products()], Format::Table);
    insta::assert_snapshot!(part(&text, "sql: where the time", "Did not complete"), @r#"
    sql: where the time of products goes

    product  part          measured as                         ms  95 % interval      %
    -----------------------------------------------------------------------------------
    spark    in all        wall time                       4022.0  4010.8–4032.0  100.0
             kernel work   CPU of datafusion-1t / 2 cores   452.5    451.2–453.6   11.2
             architecture  stagedag beyond that             113.1    111.1–115.0    2.8
             runtime       beyond stagedag                 3456.4  3445.2–3467.1   85.9
    dask     in all        wall time                        543.0    541.1–544.6  100.0
             kernel work   CPU of datafusion-1t / 2 cores   362.0    360.7–363.2   66.7
             architecture  taskgraph beyond that            201.1    199.1–203.2   37.0
             runtime       beyond taskgraph                 -20.1    -22.6–-17.6   -3.7

    - of the 4.02 s of spark over 2 of 2 workloads, 0.452 s is kernel work, 0.113 s is what its
      architecture costs, and 3.46 s is its runtime and its own kernels
    - of the 0.543 s of dask over 1 of 2 workloads, 0.362 s is kernel work, 0.201 s is what its
      architecture costs, and its own kernels make up for 20.1 ms of it

    Sums of medians over the workloads that a product, its style and the single thread all completed in
    the same interleaved runs. Kernel work: the single thread's CPU time, spread evenly over the cores
    (datafusion-1t takes 1.01 s, 0.905 s of it CPU time, for 2 workloads beside spark; datafusion-1t
    takes 0.804 s, 0.724 s of it CPU time, for 1 workload beside dask). Architecture: the style's wall
    time beyond that. Runtime: the product's wall time beyond its style's.

    sql: styles beside the products of the same architecture

    style / product   total            geometric mean   over      cpu  cores busy %
    -------------------------------------------------------------------------------
    stagedag / spark  0.14x 0.14–0.14  0.14x 0.14–0.14  2 of 2  0.14x   90.0 / 90.0
    taskgraph / dask  1.04x 1.03–1.04  1.04x 1.03–1.04  1 of 2  1.04x   90.0 / 90.0

    - stagedag / spark: 0.14x is outside 0.50 to 2.00; mostly work: spark uses 7.11 times the CPU time
      (7.24 s against 1.02 s)
    "#);
}

#[test]
fn the_parts_sum_to_the_time_of_the_product() {
    let all = decomposed(products());
    let names: Vec<&str> = all.iter().map(|d| d.product.as_str()).collect();
    assert_eq!(names, ["spark", "dask"]);
    for d in &all {
        let sum = d.kernel.wall_ns + d.architecture.wall_ns + d.runtime.wall_ns;
        assert!((sum / d.wall.wall_ns - 1.0).abs() < 1e-12, "{d:?}");
        // The single thread's CPU time, spread over two cores.
        assert!((d.kernel.wall_ns * 2.0 / d.single_thread_cpu_ns - 1.0).abs() < 1e-12, "{d:?}");
        let inside = [d.wall, d.kernel, d.architecture, d.runtime];
        assert!(inside.iter().all(|p| p.wall_ns_interval.unwrap().contains(p.wall_ns)), "{d:?}");
    }
    assert_eq!((all[0].common, all[1].common, all[1].cases), (2, 1, 2));
}

#[test]
fn the_styles_kernels_in_the_same_runtime_tell_its_own_kernels_from_the_rest() {
    let beside = |workloads: &[(&str, f64)]| {
        let mut run = products();
        run.observations.retain(|o| o.case.engine != "dask");
        for (workload, factor) in [("tpch-q01", 1.0), ("tpch-q02", 0.25)] {
            run.observations.extend(trials(workload, "dask", 2000.0 * factor));
        }
        for (workload, factor) in workloads {
            run.observations.extend(trials(workload, "dask-datafusion", 800.0 * factor));
        }
        run
    };
    let both = beside(&[("tpch-q01", 1.0), ("tpch-q02", 0.25)]);
    let all = decomposed(both.clone());
    let dask = all.iter().find(|d| d.product == "dask").unwrap();
    let same = dask.same_kernels.as_ref().unwrap();
    assert_eq!(same.product, "dask-datafusion");
    assert!((same.wall.wall_ns + same.own_kernels.wall_ns - dask.wall.wall_ns).abs() < 1.0, "{same:?}");
    assert!((same.own_kernels.share - 0.6).abs() < 0.01, "{same:?}");
    assert!(all.iter().filter(|d| d.product != "dask").all(|d| d.same_kernels.is_none()));
    let text = text(&[both], Format::Table).replace("\n  ", " ");
    let said = "dask-datafusion runs the kernels of taskgraph, as a Python package and cut into tasks otherwise, in the runtime of dask";
    assert!(text.contains(said) && text.contains("is its own kernels and plans"), "{text}");
    // Of one workload of two it would be no part of the time.
    let part = decomposed(beside(&[("tpch-q01", 1.0)]));
    assert!(part.iter().all(|d| d.same_kernels.is_none()));
}

#[test]
fn only_times_of_the_same_runs_meet() {
    let mut later = products();
    later.path = "results/later".into();
    later.observations.retain(|o| o.case.engine == "spark" && o.case.workload == "tpch-q02");
    let mut first = products();
    first.observations.retain(|o| !(o.case.engine == "spark" && o.case.workload == "tpch-q02"));
    let both = family(&[first, fixture::later(60_000, later)]);
    let spark = both.decomposition.iter().find(|d| d.product == "spark").unwrap();
    assert_eq!((spark.common, spark.apart, spark.cases), (1, 1, 2));
    let anchor = both.anchors.iter().find(|a| a.product == "spark").unwrap();
    assert_eq!((anchor.ratio.common, anchor.apart), (1, 1));
}

#[test]
fn a_product_under_other_conditions_has_no_partner_and_a_configuration_of_its_own_has_one() {
    let under = |variant: &str| {
        let mut run = products();
        for o in run.observations.iter_mut().filter(|o| o.case.engine == "spark") {
            o.case.variant = variant.into();
            o.key = o.case.key();
        }
        decomposed(run).iter().any(|d| d.product.starts_with("spark"))
    };
    assert!(!under("memory=64MiB"));
    assert!(!under("config=tuned,memory=64MiB"));
    assert!(under("config=tuned"));
}

#[test]
fn nothing_is_said_of_a_part_that_may_be_zero() {
    let mut run = products();
    run.observations.retain(|o| !["spark", "dask"].contains(&o.case.engine.as_str()));
    for workload in ["tpch-q01", "tpch-q02"] {
        run.observations.extend(trials(workload, "spark", if workload == "tpch-q01" { 450.2 } else { 112.5 }));
    }
    let text = text(&[run], Format::Table);
    let said = part(&text, "- of the", "Sums of medians").replace("\n  ", " ");
    assert!(said.ends_with("and what is left beyond stagedag does not show"), "{said}");
}

#[test]
fn a_ratio_outside_its_range_says_whether_work_or_waiting_makes_it() {
    let cause = |cpu_of_wall: Option<f64>| {
        let mut run = products();
        for o in run.observations.iter_mut().filter(|o| o.case.engine == "spark") {
            o.cpu_ns = cpu_of_wall.zip(o.wall_ns).map(|(share, wall)| (wall as f64 * share) as u64);
        }
        let anchors = family(&[run]).anchors;
        anchors.iter().find(|a| a.product == "spark").unwrap().cause
    };
    // Seven times the time: as busy as the style, or with one core busy a quarter of the time.
    assert_eq!(cause(Some(1.8)), Some(AnchorCause::Work));
    assert_eq!(cause(Some(0.25)), Some(AnchorCause::Waiting));
    assert_eq!(cause(None), Some(AnchorCause::NotMeasured));
}

#[test]
fn a_ratio_within_its_range_needs_no_cause_and_has_an_interval() {
    let anchors = family(&[products()]).anchors;
    let dask = anchors.iter().find(|a| a.product == "dask").unwrap();
    assert_eq!((dask.style.as_str(), dask.cause, dask.ratio.total.verdict), ("taskgraph", None, Verdict::Slower));
    assert!(dask.ratio.total.interval.unwrap().contains(dask.ratio.total.value));
}

/// Two styles, their kernels without one where they are, and a library with kernels of its own, which takes 100 ms.
fn kernel_anchors(stagedag_ms: f64, bare_ms: Option<f64>) -> Run {
    let mut all = trials("tpch-q01", "duckdb", 100.0);
    all.extend(trials("tpch-q01", "stagedag", stagedag_ms));
    all.extend(trials("tpch-q01", "taskgraph", 2.0 * stagedag_ms));
    all.extend(bare_ms.into_iter().flat_map(|ms| trials("tpch-q01", "datafusion", ms)));
    runs::run("kernel_anchors", &[], all)
}

#[test]
fn the_best_style_stands_beside_a_library_and_what_is_slower_is_named() {
    let cause = |stagedag_ms, bare_ms| {
        let kernel_anchors = family(&[kernel_anchors(stagedag_ms, bare_ms)]).kernel_anchors;
        assert_eq!(
            (kernel_anchors.len(), kernel_anchors[0].style.as_str(), kernel_anchors[0].product.as_str()),
            (1, "stagedag", "duckdb")
        );
        kernel_anchors[0].cause
    };
    assert_eq!(cause(120.0, Some(120.0)), None, "needs no explanation");
    assert_eq!(cause(170.0, Some(160.0)), Some(KernelAnchorCause::Kernel));
    assert_eq!(cause(170.0, Some(105.0)), Some(KernelAnchorCause::Style));
    assert_eq!(cause(170.0, None), Some(KernelAnchorCause::NotMeasured));
    let text = text(&[kernel_anchors(170.0, Some(160.0))], Format::Table);
    insta::assert_snapshot!(part(&text, "sql: the best style", "How this was measured"), @r"
    sql: the best style beside products with kernels of their own

    style / product    total            geometric mean   over    kernels alone / product
    ------------------------------------------------------------------------------------
    stagedag / duckdb  1.70x 1.69–1.71  1.70x 1.69–1.71  1 of 1  datafusion 1.60x 1.59–1.61

    - stagedag / duckdb: 1.70x is above 1.30; mostly the kernels: datafusion, its kernels without a
      style, takes 1.60 times as long as duckdb
    ");
}

#[test]
fn nothing_is_said_of_one_trial() {
    let mut once = kernel_anchors(170.0, Some(160.0));
    once.observations.retain(|o| o.trial == 0);
    assert_eq!(family(&[once]).kernel_anchors[0].cause, None);
    let mut run = products();
    run.observations.retain(|o| o.trial == 0);
    let text = text(&[run], Format::Table).replace("\n  ", " ");
    assert!(
        text.contains("what its architecture costs does not show, and what is left beyond stagedag does not show"),
        "{text}"
    );
}

#[test]
fn without_the_single_thread_the_report_says_what_to_measure() {
    let mut run = products();
    run.observations.retain(|o| o.case.engine != "datafusion-1t");
    let text = text(&[run], Format::Table).replace("\n  ", " ");
    assert!(text.contains("stagedag / spark: 0.14x is outside 0.50 to 2.00; mostly work"), "{text}");
    assert!(text.contains("name all three under --engines"), "{text}");
}

#[test]
fn the_page_and_the_markdown_have_the_same_parts() {
    let run = [products()];
    assert_eq!(compared(&run).tables.len(), 1);
    let (comparison, sources) = compare_with_sources(&run, &Options::default()).unwrap();
    let page = html(&comparison, &sources, &[]).unwrap();
    let markdown = text(&run, Format::Markdown);
    for words in ["where the time of products goes", "kernel work", "stagedag beyond that", "stagedag / spark"] {
        assert!(page.contains(words) && markdown.contains(words), "{words}");
    }
}

//! Weak scaling: data that grow with the nodes.

use crate::{compared, fixture, part, runs, text};
use bench_record::{Outcome, Run};
use bench_reports::{Format, Law, Verdict, WeakScaling, WeakSeries};

fn only(runs: &[Run]) -> WeakScaling {
    let mut all = compared(runs).weak_scaling;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn series(runs: &[Run], engine: &str) -> WeakSeries {
    only(runs).series.into_iter().find(|s| s.engine == engine).unwrap()
}

#[test]
fn the_report_shows_efficiency_per_node_count_and_how_many_points_the_law_lacks() {
    let text = text(&[runs::grown(&[1, 2, 4])], Format::Table);
    insta::assert_snapshot!(text[text.find("weak scaling\n").map(|i| text[..i].rfind('\n').unwrap() + 1).unwrap()..].trim_end(), @r#"
    1gb, warm-1, machine b44c17b11d0ca518: weak scaling
    ===================================================

    sql weak scaling: as many times the data as there are nodes

    engine    cluster    nodes x slots  data     s  95 % interval  time / fewest    efficiency
    ------------------------------------------------------------------------------------------
    actor     processes          1 x 1   x 1  1.88      1.87–1.88  1                1
              processes          2 x 1   x 2  2.07      2.06–2.07  1.10x 1.10–1.10  0.91 0.91–0.91
              processes          4 x 1   x 4  2.44      2.44–2.45  1.30x 1.29–1.31  0.77 0.77–0.77
    stagedag  processes          1 x 1   x 1  1.71      1.70–1.71  1                1
              processes          2 x 1   x 2  1.88      1.87–1.88  1.10x 1.10–1.10  0.91 0.91–0.91
              processes          4 x 1   x 4  2.22      2.21–2.23  1.30x 1.29–1.31  0.77 0.77–0.77

    - actor, stagedag: total of the 3 of 3 workloads completed at every node count; Universal
      Scalability Law: insufficient points: 3 of 6 node counts
    - efficiency: growth of the data over growth of time and cluster; work that does not grow in step
      with its data, such as sorting, counts against it
    "#);
}

#[test]
fn the_markdown_format_says_the_same() {
    let text = text(&[runs::grown(&[1, 2, 4])], Format::Markdown);
    insta::assert_snapshot!(part(&text, "### sql weak", "- actor"), @r#"
    ### sql weak scaling: as many times the data as there are nodes

    | engine | cluster | nodes x slots | data | s | 95 % interval | time / fewest | efficiency |
    |---|---|---:|---:|---:|---:|---|---|
    | actor | processes | 1 x 1 | x 1 | 1.88 | 1.87–1.88 | 1 | 1 |
    | actor | processes | 2 x 1 | x 2 | 2.07 | 2.06–2.07 | 1.10x 1.10–1.10 | 0.91 0.91–0.91 |
    | actor | processes | 4 x 1 | x 4 | 2.44 | 2.44–2.45 | 1.30x 1.29–1.31 | 0.77 0.77–0.77 |
    | stagedag | processes | 1 x 1 | x 1 | 1.71 | 1.70–1.71 | 1 | 1 |
    | stagedag | processes | 2 x 1 | x 2 | 1.88 | 1.87–1.88 | 1.10x 1.10–1.10 | 0.91 0.91–0.91 |
    | stagedag | processes | 4 x 1 | x 4 | 2.22 | 2.21–2.23 | 1.30x 1.29–1.31 | 0.77 0.77–0.77 |
    "#);
}

#[test]
fn cases_of_different_scales_share_no_table_and_no_number() {
    let comparison = compared(&[runs::grown(&[1, 2, 4])]);
    let tables: Vec<(String, usize)> =
        comparison.tables.iter().map(|t| (t.suite_text(), t.contestants.len())).collect();
    assert_eq!(tables, [("1gb".to_owned(), 3), ("1gb x 2".to_owned(), 3), ("1gb x 4".to_owned(), 3)]);
    assert_eq!(comparison.notes, [] as [&str; 0], "that the data grow was asked for");
    for table in &comparison.tables {
        assert_eq!(table.datasets.len(), 1, "{:?}", table.datasets);
        assert!(table.datasets[0].starts_with(&format!("tpch-sf{}: ", table.scale)), "{:?}", table.datasets);
        let alone = compared(&[runs::grown(&[table.scale])]);
        assert_eq!(alone.tables[0].families, table.families);
    }
}

#[test]
fn efficiency_is_growth_of_data_over_growth_of_time_and_cluster() {
    let series = series(&[runs::grown(&[1, 2, 4])], "actor");
    assert_eq!((series.common, series.cases, series.slots_shared), (3, 3, false));
    let points: Vec<(u32, u32, u32)> = series.points.iter().map(|p| (p.nodes, p.slots, p.scale)).collect();
    assert_eq!(points, [(1, 1, 1), (2, 1, 2), (4, 1, 4)]);
    assert_eq!((series.points[0].time, series.points[0].efficiency), (None, None));
    let last = &series.points[2];
    let time = last.time.unwrap();
    assert!((time.value - 1.3).abs() < 1e-6 && time.verdict == Verdict::Slower, "{time:?}");
    assert!((last.efficiency.unwrap() - 1.0 / 1.3).abs() < 1e-6);
    let interval = last.efficiency_interval.unwrap();
    assert!(interval.low <= last.efficiency.unwrap() && last.efficiency.unwrap() <= interval.high, "{interval:?}");
}

#[test]
fn shared_cores_make_efficiency_one_per_slot() {
    // One machine of four cores: the cluster has as many slots whatever its nodes, so four times the data take four times
    // as long, and nothing is lost.
    let sized = [(1, 4, 100.0), (2, 2, 200.0), (4, 1, 400.0)];
    let all = sized
        .into_iter()
        .flat_map(|(nodes, slots, ms)| runs::trials(&runs::at(runs::case("q", "actor", nodes, slots), nodes), 6, ms));
    let series = series(&[runs::at_scales(&[1, 2, 4], all.collect())], "actor");
    assert!(series.slots_shared);
    assert!(series.points.iter().skip(1).all(|p| (p.efficiency.unwrap() - 1.0).abs() < 1e-6), "{:?}", series.points);
}

#[test]
fn scales_draw_independently_so_that_no_interval_is_too_narrow() {
    // The same times at both scales: were they drawn alike, every resampled ratio would be 1.
    let of = |scale: u32| runs::trials(&runs::at(runs::case("q", "actor", scale, 1), scale), 9, 100.0);
    let series = series(&[runs::at_scales(&[1, 2], [of(1), of(2)].concat())], "actor");
    let interval = series.points[1].time.unwrap().interval.unwrap();
    assert!(interval.low < 1.0 && interval.high > 1.0, "{interval:?}");
}

#[test]
fn nodes_without_a_core_of_their_own_make_efficiency_one_per_core() {
    // Four nodes on two cores: four times the data in twice the time is all that the cores can do.
    let all = [(1, 100.0), (2, 100.0), (4, 200.0)]
        .map(|(n, ms)| runs::trials(&runs::at(runs::case("q", "actor", n, 1), n), 6, ms));
    let mut run = runs::at_scales(&[1, 2, 4], all.concat());
    run.context.machine.cores = 2;
    let series = series(&[run], "actor");
    assert_eq!(series.shared_cores, Some(2.0));
    assert!(series.points[1..].iter().all(|p| (p.efficiency.unwrap() - 1.0).abs() < 1e-6), "{:?}", series.points);
}

#[test]
fn the_law_is_fitted_from_six_node_counts_on() {
    let counts = [1, 2, 3, 4, 6, 8];
    let five = series(&[runs::grown(&counts[..5])], "stagedag").law;
    assert_eq!(five, Law::InsufficientPoints { measured: 5, needed: 6 });
    // Time over data is (1 + 0.1 (n - 1)) / n: contention of a tenth, and no coherency.
    let Law::Fitted(law) = series(&[runs::grown(&counts)], "stagedag").law else { panic!("not fitted") };
    assert!((law.sigma - 0.1).abs() < 1e-3 && law.kappa < 1e-4, "{law:?}");
}

#[test]
fn a_workload_that_some_scale_did_not_complete_is_in_no_point() {
    let mut run = runs::grown(&[1, 2]);
    let case = runs::at(runs::case("tpch-q18", "actor", 2, 1), 2);
    run.observations.retain(|o| o.case != case);
    run.observations.push(fixture::ended(&case, 0, Outcome::Failed, "out of memory"));
    let actor = series(&[run], "actor");
    assert_eq!((actor.common, actor.cases), (2, 3));
    assert!((actor.points[0].wall_ns_total.unwrap() / 1e6 - 550.0).abs() < 10.0, "{:?}", actor.points[0]);
}

#[test]
fn only_as_many_nodes_as_the_data_are_times_the_suite_s_own_make_a_point() {
    // An ordinary run on one and on four nodes: its one node over the suite's own data is a point, its four are not.
    let ordinary = runs::run("ordinary", &[], {
        let of = |nodes| runs::trials(&runs::case("q", "actor", nodes, 1), 6, 100.0);
        [of(1), of(4)].concat()
    });
    let weak = runs::at_scales(&[2], runs::trials(&runs::at(runs::case("q", "actor", 2, 1), 2), 6, 110.0));
    let mut ordinary = ordinary;
    ordinary.context.machine.cores = weak.context.machine.cores;
    let both = [ordinary.clone(), weak];
    let points: Vec<(u32, u32)> = series(&both, "actor").points.iter().map(|p| (p.nodes, p.scale)).collect();
    assert_eq!(points, [(1, 1), (2, 2)]);
    assert!(compared(&[ordinary]).weak_scaling.is_empty());
}

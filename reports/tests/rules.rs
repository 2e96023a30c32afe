//! The rules of measurement that a report must not break.
//!
//! Long because: each rule is a test, and they share what makes runs.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod fixture;

use bench_record::{
    Arm, Case, EngineContext, Family, Nanos, Observation, Outcome, Protocol, Run, SpanKind, SpanReport,
};
use bench_reports::{
    Cell, CompareError, Comparison, CostAnswer, Format, Ink, Options, Verdict, WorkloadReport, compare, render,
};

fn compared(runs: &[Run]) -> Comparison {
    compare(runs, &Options::default()).unwrap()
}

fn run_with(observations: Vec<Observation>) -> Run {
    Run { observations, ..fixture::run() }
}

/// The same with an A/A arm that did not differ at all, of every case of `datafusion`, on any number of threads, that has none.
fn undisturbed(mut run: Run) -> Run {
    let is = |o: &Observation, arm: Arm| o.case.engine.starts_with("datafusion") && o.arm == arm;
    let known: Vec<_> = run.observations.iter().filter(|o| is(o, Arm::Twin)).map(|o| o.key.clone()).collect();
    let main = run.observations.iter().filter(|o| is(o, Arm::Main) && !known.contains(&o.key) && !o.contaminated);
    let twins: Vec<Observation> = main.map(|o| Observation { arm: Arm::Twin, ..o.clone() }).collect();
    run.observations.extend(twins);
    run
}

fn sql(workload: &str, engine: &str) -> Case {
    fixture::case(Family::Sql, workload, engine)
}

fn times(case: &Case, arm: Arm, ms: &[f64]) -> Vec<Observation> {
    ms.iter().enumerate().map(|(i, ms)| fixture::completed(case, arm, i as u32, *ms)).collect()
}

fn workload(comparison: &Comparison, name: &str) -> WorkloadReport {
    let mut all = comparison.tables[0].families.iter().flat_map(|f| &f.workloads);
    all.find(|w| w.workload == name).unwrap().clone()
}

fn cell(comparison: &Comparison, name: &str, contestant: &str) -> Cell {
    workload(comparison, name).cells.into_iter().find(|c| c.contestant == contestant).unwrap()
}

#[test]
fn a_wrong_answer_has_no_time_and_comes_first() {
    let comparison = compared(&[fixture::run()]);
    assert!(comparison.has_wrong_answers() && !comparison.tables[0].incidents.is_empty());
    assert_eq!(comparison.wrong_answers.len(), 1);
    assert_eq!((comparison.wrong_answers[0].contestant.as_str(), comparison.wrong_answers[0].trials), ("stagedag", 5));
    let cell = cell(&comparison, "tpch-q21", "stagedag");
    assert_eq!((cell.outcome, cell.wall_ns_median, cell.cpu_ns_median), (Outcome::WrongAnswer, None, None));
}

#[test]
fn an_answer_that_nobody_else_knew_differs_and_is_not_called_wrong() {
    let held_to = |oracle: Option<&str>| {
        let (first, second) = (sql("q", "datafusion"), sql("q", "stagedag"));
        let mut observations = times(&first, Arm::Main, &[10.0, 11.0]);
        observations.iter_mut().for_each(|o| o.oracle = None);
        let mut differs = fixture::ended(&second, 0, Outcome::WrongAnswer, "5 rows, not 4");
        differs.oracle = oracle.map(str::to_owned);
        observations.push(differs);
        compared(&[run_with(observations)])
    };
    let unknown = held_to(Some("first answer, of datafusion (no oracle)"));
    assert_eq!(unknown.wrong_answers_title(), "Answers that differ: 1");
    let incident = &unknown.wrong_answers[0];
    assert_eq!(
        (incident.checked, incident.reason.as_str()),
        (
            false,
            "5 rows, not 4; held to: first answer, of datafusion (no oracle); nobody knows which of the two is right"
        )
    );
    let answers = &unknown.tables[0].answers;
    assert_eq!((answers.trials, answers.checked, answers.oracles.len()), (3, 0, 0));
    let known = held_to(Some("duckdb 2.0.1, answers.py"));
    assert_eq!(known.wrong_answers_title(), "Wrong answers: 1");
    assert_eq!(known.wrong_answers[0].reason, "5 rows, not 4");
    assert_eq!(known.tables[0].answers.oracles, ["duckdb 2.0.1, answers.py"]);
    for (comparison, words) in
        [(&unknown, "the answers of 3 trials were compared"), (&known, "the answers of 1 of 3 trials were checked")]
    {
        let text = render(comparison, Format::Table, Ink::Plain);
        assert!(text.replace("\n  ", " ").contains(words), "{text}");
    }
}

#[test]
fn one_wrong_answer_takes_away_the_times_of_the_right_ones() {
    let case = sql("q", "datafusion");
    let mut observations = times(&case, Arm::Main, &[10.0, 11.0, 12.0]);
    let mut wrong = fixture::ended(&case, 0, Outcome::WrongAnswer, "5 rows, not 4");
    wrong.arm = Arm::Twin;
    observations.push(wrong);
    let comparison = compared(&[run_with(observations)]);
    assert!(comparison.has_wrong_answers());
    assert_eq!(cell(&comparison, "q", "datafusion").wall_ns_median, None);
}

#[test]
fn no_median_is_taken_over_survivors() {
    let cell = cell(&compared(&[fixture::run()]), "tpch-q18", "stagedag");
    assert_eq!((cell.outcome, cell.trials, cell.completed, cell.wall_ns_median), (Outcome::Failed, 5, 4, None));
}

#[test]
fn protocols_machines_data_and_programs_never_share_a_table() {
    let warm = fixture::run();
    let mut cold = fixture::later(1, fixture::run());
    for o in &mut cold.observations {
        o.case.protocol = Protocol::ColdProcess;
        o.key = o.case.key();
    }
    let mut elsewhere = fixture::later(2, fixture::run());
    elsewhere.context.machine.cores = 64;
    let mut other_bytes = fixture::later(3, fixture::run());
    other_bytes.context.datasets[0].checksum = "different".into();
    let mut other_program = fixture::later(4, fixture::run());
    other_program.context.workloads[0].checksum = "different".into();
    let runs = [warm, cold, elsewhere, other_bytes, other_program];
    let comparison = compared(&runs);
    assert_eq!(comparison.tables.len(), 5);
    for (table, run) in comparison.tables.iter().zip(&runs) {
        assert_eq!(table.families, compared(std::slice::from_ref(run)).tables[0].families);
    }
}

#[test]
fn runs_of_the_same_engines_pool_their_trials_and_others_do_not() {
    let first = run_with(times(&sql("q", "datafusion"), Arm::Main, &[10.0, 11.0]));
    let pooled = compared(&[first.clone(), fixture::later(1, first.clone())]);
    assert_eq!(cell(&pooled, "q", "datafusion").trials, 4);
    let mut rebuilt = first.clone();
    rebuilt.context.bench.build_id = "other".into();
    let apart = compared(&[first, rebuilt]);
    let labels: Vec<&str> = apart.tables[0].contestants.iter().map(|c| c.label.as_str()).collect();
    assert_eq!(labels, ["datafusion build 5f1c9a", "datafusion build other"]);
}

#[test]
fn a_run_given_twice_is_refused_so_that_no_trial_counts_twice() {
    let first = fixture::run();
    let refused = |again: Run| compare(&[first.clone(), again], &Options::default()).map(|_| ()).unwrap_err();
    assert_eq!(
        refused(first.clone()).to_string(),
        "results/run-a and results/run-a are the same run, started 2026-11-22T19:04:05.123Z: its trials would count twice; \
         give one of them"
    );
    // A copy, and what it was before it was continued.
    let mut copy = Run { path: "elsewhere/copy".into(), ..first.clone() };
    copy.observations.truncate(10);
    copy.context.finished_at = None;
    assert!(matches!(refused(copy), CompareError::SameRun { again, .. } if again == "elsewhere/copy"));
    let mut other_seed = first.clone();
    other_seed.context.seed = 2;
    assert_eq!(compared(&[first.clone(), other_seed, fixture::later(1, first.clone())]).tables.len(), 1);
}

#[test]
fn an_effect_below_the_noise_floor_has_no_winner() {
    let steady = [100.0, 100.1, 100.2, 99.9, 99.8];
    let slower: Vec<f64> = steady.iter().map(|t| t * 1.05).collect();
    let mut observations = times(&sql("q", "datafusion"), Arm::Main, &steady);
    observations.extend(times(&sql("q", "stagedag"), Arm::Main, &slower));
    let without = compared(&[undisturbed(run_with(observations.clone()))]);
    assert_eq!(workload(&without, "q").winner.as_deref(), Some("datafusion"));
    // The same engine, measured again, was 8 % off: 5 % mean nothing here.
    let twin: Vec<f64> = steady.iter().map(|t| t * 1.08).collect();
    observations.extend(times(&sql("q", "datafusion"), Arm::Twin, &twin));
    let with = compared(&[run_with(observations)]);
    assert_eq!(workload(&with, "q").winner, None);
    let ratio = cell(&with, "q", "stagedag").against_best.unwrap();
    assert_eq!(ratio.verdict, Verdict::Indistinguishable);
    assert!((with.tables[0].noise.p95.unwrap() - 0.08).abs() < 1e-9);
}

#[test]
fn a_workload_without_an_arm_of_its_own_takes_the_floor_of_the_table() {
    let steady = [100.0, 100.1, 100.2, 99.9, 99.8];
    let times_of = |workload, engine, arm, factor: f64| times(&sql(workload, engine), arm, &steady.map(|t| t * factor));
    let mut observations = times_of("noisy", "datafusion", Arm::Main, 1.0);
    observations.extend(times_of("noisy", "datafusion", Arm::Twin, 1.08));
    observations.extend(times_of("q", "datafusion", Arm::Main, 1.0));
    observations.extend(times_of("q", "stagedag", Arm::Main, 1.05));
    let ratio = cell(&compared(&[run_with(observations)]), "q", "stagedag").against_best.unwrap();
    assert_eq!(ratio.verdict, Verdict::Indistinguishable);
}

#[test]
fn a_lucky_arm_of_its_own_does_not_replace_the_floor_of_the_table() {
    let steady = [100.0, 100.1, 100.2, 99.9, 99.8];
    let times_of = |workload, engine, arm, factor: f64| times(&sql(workload, engine), arm, &steady.map(|t| t * factor));
    let mut observations = times_of("noisy", "datafusion", Arm::Main, 1.0);
    observations.extend(times_of("noisy", "datafusion", Arm::Twin, 1.08));
    observations.extend(times_of("q", "datafusion", Arm::Main, 1.0));
    observations.extend(times_of("q", "datafusion", Arm::Twin, 1.0));
    observations.extend(times_of("q", "stagedag", Arm::Main, 1.05));
    let comparison = compared(&[run_with(observations)]);
    assert_eq!(workload(&comparison, "q").noise_floor, Some(0.0));
    assert_eq!(cell(&comparison, "q", "stagedag").against_best.unwrap().verdict, Verdict::Indistinguishable);
    let text = render(&comparison, Format::Markdown, Ink::Plain);
    assert!(text.contains("the larger of the workload's own and what 95 % of all stay within"), "{text}");
}

#[test]
fn nothing_is_claimed_from_one_trial() {
    let mut observations = times(&sql("q", "datafusion"), Arm::Main, &[10.0]);
    observations.extend(times(&sql("q", "stagedag"), Arm::Main, &[30.0]));
    let comparison = compared(&[run_with(observations)]);
    let cell = cell(&comparison, "q", "stagedag");
    assert_eq!((cell.wall_ns_interval, cell.wall_cv), (None, None));
    let ratio = cell.against_best.unwrap();
    assert_eq!((ratio.value, ratio.interval, ratio.verdict), (3.0, None, Verdict::Unresolved));
    assert_eq!(workload(&comparison, "q").winner, None);
}

#[test]
fn nothing_below_the_variation_is_claimed() {
    let wide = [50.0, 100.0, 101.0, 102.0, 103.0, 104.0, 150.0, 100.5, 102.5];
    let mut observations = times(&sql("q", "datafusion"), Arm::Main, &wide);
    observations.extend(times(&sql("q", "stagedag"), Arm::Main, &wide.map(|t| t * 1.1)));
    let cell = cell(&compared(&[run_with(observations)]), "q", "stagedag");
    assert!(cell.wall_cv.unwrap() > 0.2);
    assert_eq!(cell.against_best.unwrap().verdict, Verdict::Indistinguishable);
}

/// Five trials of `stagedag`, so many of them contaminated and five times as slow, beside five clean ones of `datafusion`.
fn contaminated(count: usize) -> Run {
    let mut slow = times(&sql("q", "stagedag"), Arm::Main, &around(200.0));
    for o in slow.iter_mut().take(count) {
        (o.contaminated, o.wall_ns) = (true, o.wall_ns.map(|ns| ns * 5));
    }
    slow.extend(times(&sql("q", "datafusion"), Arm::Main, &around(100.0)));
    run_with(slow)
}

#[test]
fn nobody_wins_where_nobody_knows_the_noise() {
    let comparison = compared(&[contaminated(0)]);
    assert_eq!(workload(&comparison, "q").winner, None);
    assert_eq!(comparison.tables[0].families[0].winner, None);
    let ratio = cell(&comparison, "q", "stagedag").against_best.unwrap();
    assert_eq!((ratio.verdict, ratio.value > 1.9), (Verdict::NoFloor, true));
    assert_eq!(total_verdict(&comparison, "stagedag"), Verdict::NoFloor);
    let text = render(&comparison, Format::Markdown, Ink::Plain);
    for said in ["2.00x 1.99–2.01, no A/A arm", "no case has an A/A arm", "\"no A/A arm\": there is a difference"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!text.contains("disturbed the arm"), "{text}");
    assert_eq!(workload(&compared(&[undisturbed(contaminated(0))]), "q").winner.as_deref(), Some("datafusion"));
}

#[test]
fn an_arm_that_was_disturbed_reads_differently_from_one_that_is_not_there() {
    let mut run = undisturbed(contaminated(0));
    run.observations.iter_mut().filter(|o| o.arm == Arm::Twin).for_each(|o| o.contaminated = true);
    let comparison = compared(&[run]);
    let noise = &comparison.tables[0].noise;
    assert_eq!((noise.cases, noise.contaminated, noise.p95), (0, 1, None));
    assert_eq!(workload(&comparison, "q").winner, None);
    let ratio = cell(&comparison, "q", "stagedag").against_best.unwrap();
    assert_eq!(ratio.verdict, Verdict::FloorContaminated);
    let text = render(&comparison, Format::Markdown, Ink::Plain);
    for said in ["A/A arm contaminated", "something else disturbed the A/A arm of the only case that has one"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!text.contains("no case has an A/A arm"), "{text}");
}

/// `datafusion`, measured twice, in one folder and `stagedag` in another.
fn in_two_runs() -> [Run; 2] {
    let of = |engine: &str, name: &str, ms: f64, later: u64| {
        let run = undisturbed(run_with(times(&sql("q", engine), Arm::Main, &around(ms))));
        fixture::later(later, Run { path: format!("results/{name}").into(), ..run })
    };
    [of("datafusion", "first", 100.0, 0), of("stagedag", "second", 200.0, 1)]
}

#[test]
fn engines_of_separate_runs_are_not_interleaved_and_nobody_wins() {
    let comparison = compared(&in_two_runs());
    assert_eq!(comparison.tables.len(), 1);
    let ratio = cell(&comparison, "q", "stagedag").against_best.unwrap();
    assert_eq!(ratio.verdict, Verdict::NotInterleaved);
    assert_eq!(total_verdict(&comparison, "stagedag"), Verdict::NotInterleaved);
    assert_eq!((workload(&comparison, "q").winner, comparison.tables[0].families[0].winner.clone()), (None, None));
    let text = render(&comparison, Format::Markdown, Ink::Plain);
    for said in ["2.00x 1.99–2.01, not interleaved", "\"not interleaved\": no run has both", "measure them in one run"]
    {
        assert!(text.contains(said), "{said}: {text}");
    }
    // Not even that they are alike can be said.
    let [first, mut second] = in_two_runs();
    second.observations.iter_mut().for_each(|o| o.wall_ns = o.wall_ns.map(|ns| ns / 2));
    let alike = cell(&compared(&[first, second]), "q", "stagedag").against_best.unwrap();
    assert_eq!(alike.verdict, Verdict::NotInterleaved);
}

#[test]
fn what_lies_between_runs_is_noise_where_one_engine_was_in_both() {
    let verdict = |drift: f64| {
        let [mut first, mut second] = in_two_runs();
        first.observations.extend(times(&sql("q", "stagedag"), Arm::Main, &around(200.0)));
        // The second run has stagedag alone, so much slower or faster.
        let slower = |ns: u64| (ns as f64 * drift) as u64;
        second.observations.iter_mut().for_each(|o| o.wall_ns = o.wall_ns.map(slower));
        cell(&compared(&[first, second]), "q", "stagedag").against_best.unwrap()
    };
    let close = verdict(1.1);
    assert_eq!(close.verdict, Verdict::Slower);
    // In one of its runs it took two thirds longer than in the other: to take 60 % more than somebody else means nothing.
    let far = verdict(0.6);
    assert_eq!((far.verdict, far.interval.unwrap().low > 1.1), (Verdict::Indistinguishable, true));
}

#[test]
fn runs_that_share_a_table_say_in_what_their_machine_differed() {
    let [first, mut second] = in_two_runs();
    second.context.machine.kernel = "6.19.0".into();
    second.context.machine.governor = Some("powersave".into());
    second.context.engines.iter_mut().for_each(|e| {
        e.settings.insert("batch".into(), "8192".into());
    });
    let notes = compared(&[first.clone(), second]).notes;
    let [note] = notes.as_slice() else { panic!("one note: {notes:?}") };
    for part in [
        "second shares a table with first",
        "kernel 6.19.0, not 6.18.0",
        "governor powersave, not unknown",
        "settings of stagedag",
    ] {
        assert!(note.contains(part), "{part}: {note}");
    }
    let [_, same] = in_two_runs();
    assert_eq!(compared(&[first, same]).notes, [""; 0]);
}

#[test]
fn a_failure_that_a_record_says_was_repeated_stands() {
    let case = sql("q", "stagedag");
    let mut all = vec![fixture::ended(&case, 0, Outcome::Failed, "out of memory")];
    all[0].contaminated = true;
    let mut again = fixture::completed(&case, Arm::Main, 1, 60.0);
    again.repeat = Some(0);
    all.push(again);
    let comparison = compared(&[run_with(all)]);
    assert_eq!(cell(&comparison, "q", "stagedag").outcome, Outcome::Failed);
    assert_eq!(comparison.tables[0].incidents.len(), 1);
}

#[test]
fn where_nobody_was_asked_everything_the_best_is_who_needs_least_for_what_all_completed() {
    // Each completed two of three workloads; on the one they share, the one that comes last is the fastest.
    let mut observations = Vec::new();
    for (workload, engine, ms) in [
        ("a", "datafusion", 10.0),
        ("shared", "datafusion", 300.0),
        ("b", "stagedag", 500.0),
        ("shared", "stagedag", 200.0),
    ] {
        observations.extend(times(&sql(workload, engine), Arm::Main, &around(ms)));
    }
    let best = |observations: Vec<Observation>| compared(&[run_with(observations)]).tables[0].families[0].best.clone();
    assert_eq!(best(observations.clone()).as_deref(), Some("stagedag"));
    observations
        .iter_mut()
        .filter(|o| o.case.engine == "stagedag")
        .for_each(|o| o.wall_ns = o.wall_ns.map(|ns| ns * 2));
    assert_eq!(best(observations).as_deref(), Some("datafusion"));
}

#[test]
fn contaminated_trials_are_left_out_where_two_clean_ones_remain() {
    for count in 1..=3 {
        let comparison = compared(&[contaminated(count)]);
        let cell = cell(&comparison, "q", "stagedag");
        assert_eq!((cell.trials, cell.contaminated, cell.excluded), (5 - count, 0, count));
        assert!(cell.wall_ns_interval.unwrap().high < 203e6, "{cell:?}");
        let seen = comparison.tables[0].contamination;
        assert_eq!((seen.trials, seen.contaminated, seen.excluded), (10, count, count));
        let text = render(&comparison, Format::Markdown, Ink::Plain);
        assert!(text.contains(&format!("contaminated and left out: q on stagedag ({count})")), "{text}");
    }
    assert_eq!(workload(&compared(&[undisturbed(contaminated(1))]), "q").winner.as_deref(), Some("datafusion"));
}

#[test]
fn contaminated_trials_that_have_to_be_counted_show_no_winner_and_say_so() {
    let comparison = compared(&[contaminated(4)]);
    let cell = cell(&comparison, "q", "stagedag");
    assert_eq!((cell.trials, cell.contaminated, cell.excluded), (5, 4, 0));
    assert_eq!(cell.against_best.unwrap().verdict, Verdict::Contaminated);
    assert_eq!(workload(&comparison, "q").winner, None);
    let total = comparison.tables[0].families[0].totals[0].against_baseline.clone().unwrap();
    assert_eq!((total.total.verdict, total.geometric_mean.verdict), (Verdict::Contaminated, Verdict::Contaminated));
    let text = render(&comparison, Format::Table, Ink::Plain);
    assert!(text.contains(" 5* ") && text.contains(", contaminated") && text.contains("no winner"), "{text}");
    assert!(text.contains("contaminated and in use (*), for want of 2 clean ones: q on stagedag (4)"), "{text}");
}

#[test]
fn a_contaminated_arm_shows_no_noise_floor() {
    let mut run = contaminated(0);
    let mut twin = times(&sql("q", "datafusion"), Arm::Twin, &around(150.0));
    twin.iter_mut().for_each(|o| o.contaminated = true);
    run.observations.extend(twin);
    assert_eq!(compared(&[run]).tables[0].noise.cases, 0);
}

#[test]
fn a_failure_stands_however_busy_the_machine_was() {
    let mut run = contaminated(1);
    let mut failed = fixture::ended(&sql("q", "stagedag"), 5, Outcome::Failed, "out of memory");
    failed.contaminated = true;
    run.observations.push(failed);
    assert_eq!(cell(&compared(&[run]), "q", "stagedag").outcome, Outcome::Failed);
}

#[test]
fn a_repeated_trial_is_left_out_even_where_no_clean_one_remains() {
    let case = sql("q", "stagedag");
    let mut all = times(&case, Arm::Main, &[500.0, 60.0]);
    (all[0].contaminated, all[1].contaminated, all[1].repeat) = (true, true, Some(0));
    let cell = cell(&compared(&[run_with(all)]), "q", "stagedag");
    assert_eq!((cell.trials, cell.contaminated, cell.excluded, cell.wall_ns_median), (1, 1, 1, Some(60e6)));
}

#[test]
fn failures_cost_more_than_the_slowest_completed_case() {
    let comparison = compared(&[fixture::run()]);
    let totals = &comparison.tables[0].families[0].totals;
    let of = |who: &str| totals.iter().find(|t| t.contestant == who).unwrap().clone();
    let stagedag = of("stagedag");
    assert_eq!((stagedag.completed, stagedag.cases, stagedag.penalties), (2, 4, 2));
    assert_eq!(stagedag.wall_ns_penalized, Some(512e6 + 94e6 + 2.0 * 600e9));
    assert_eq!(stagedag.against_baseline.unwrap().common, 2);
    assert_eq!(of("datafusion").wall_ns_penalized, Some(410e6 + 95e6 + 1204e6 + 640e6));
}

#[test]
fn a_penalty_follows_the_slowest_where_that_is_above_the_floor() {
    let mut observations = times(&sql("q", "datafusion"), Arm::Main, &[400_000.0, 400_000.0]);
    observations.push(fixture::ended(&sql("q", "stagedag"), 0, Outcome::Failed, "out of memory"));
    let comparison = compared(&[run_with(observations)]);
    let total = &comparison.tables[0].families[0].totals[0];
    assert_eq!((total.contestant.as_str(), total.wall_ns_penalized), ("stagedag", Some(800e9)));
}

#[test]
fn a_case_that_was_never_run_gives_no_total() {
    let mut observations = times(&sql("q", "datafusion"), Arm::Main, &[10.0, 10.0]);
    observations.extend(times(&sql("r", "datafusion"), Arm::Main, &[10.0, 10.0]));
    observations.extend(times(&sql("q", "stagedag"), Arm::Main, &[10.0, 10.0]));
    let comparison = compared(&[run_with(observations)]);
    let total = &comparison.tables[0].families[0].totals[0];
    assert_eq!((total.completed, total.cases, total.not_run, total.wall_ns_penalized), (1, 2, 1, None));
}

/// Five trials around a time.
fn around(ms: f64) -> Vec<f64> {
    [1.0, 1.01, 1.005, 1.002, 1.007].map(|factor| ms * factor).to_vec()
}

/// A run with a third engine: the stage-DAG style on four slots.
fn with_four_slots(observations: Vec<Observation>) -> Run {
    let mut run = run_with(observations);
    run.context.machine.cores = 4;
    let engine = EngineContext { slots: 4, ..run.context.engines[0].clone() };
    run.context.engines.push(engine);
    run
}

#[test]
fn cost_is_the_cores_that_were_shown_to_beat_one_thread() {
    let cost = |four: f64| {
        let mut wide = sql("q", "stagedag");
        wide.slots = 4;
        let mut observations = times(&sql("q", "datafusion-1t"), Arm::Main, &around(100.0));
        observations.extend(times(&sql("q", "stagedag"), Arm::Main, &around(150.0)));
        observations.extend(times(&wide, Arm::Main, &around(four)));
        compared(&[undisturbed(with_four_slots(observations))]).tables[0].families[0].cost.clone().unwrap()
    };
    let shown = cost(80.0);
    assert_eq!(shown.single_thread, ["datafusion-1t"]);
    let entry = &shown.entries[0];
    assert_eq!((entry.tried.clone(), entry.wins, entry.of, entry.covered), (vec![2, 4], 1, 1, 1));
    assert_eq!(entry.contestant, "stagedag 4 slots", "its wins and its total are of that one");
    assert_eq!(entry.answer, CostAnswer::Between { above: 2, at_most: 4 });
    assert_eq!(cost(120.0).entries[0].answer, CostAnswer::NotShown { up_to: 4 });
    assert_eq!(cost(160.0).entries[0].answer, CostAnswer::Never { up_to: 4 });
    // With four cores it took as long as with two: whether more would help is anybody's guess.
    assert_eq!(cost(150.0).entries[0].answer, CostAnswer::NotShown { up_to: 4 });
}

#[test]
fn an_engine_that_fails_long_cases_has_no_cost_on_the_short_ones() {
    let mut observations = times(&sql("short", "datafusion-1t"), Arm::Main, &around(100.0));
    observations.extend(times(&sql("long", "datafusion-1t"), Arm::Main, &around(9_000.0)));
    observations.extend(times(&sql("short", "stagedag"), Arm::Main, &around(50.0)));
    observations.push(fixture::ended(&sql("long", "stagedag"), 0, Outcome::Failed, "out of memory"));
    let comparison = compared(&[undisturbed(run_with(observations))]);
    let entry = &comparison.tables[0].families[0].cost.as_ref().unwrap().entries[0];
    assert_eq!((entry.wins, entry.of, entry.covered), (1, 2, 1));
    assert_eq!(entry.answer, CostAnswer::NotShown { up_to: 2 });
    let text = render(&comparison, Format::Table, Ink::Plain);
    assert!(text.contains("1 of 2, 1 not completed"), "{text}");
}

#[test]
fn three_trials_show_no_winner_however_far_apart_and_say_what_to_do() {
    let of = |n: usize| {
        let mut observations = times(&sql("q", "datafusion"), Arm::Main, &around(100.0)[..n]);
        observations.extend(times(&sql("q", "stagedag"), Arm::Main, &around(300.0)[..n]));
        compared(&[undisturbed(run_with(observations))])
    };
    let three = of(3);
    assert_eq!(workload(&three, "q").winner, None);
    assert_eq!(cell(&three, "q", "stagedag").against_best.unwrap().verdict, Verdict::Unresolved);
    let total = three.tables[0].families[0].totals[0].against_baseline.clone().unwrap();
    assert_eq!(total.total.verdict, Verdict::Unresolved);
    let text = render(&three, Format::Table, Ink::Plain);
    assert!(text.contains("too few trials") && text.contains("  range  n  "), "{text}");
    assert!(text.contains("n < 6: ranges of the times are shown, not 95 % intervals"), "{text}");
    assert!(text.contains("--trials 10"), "{text}");

    let four = of(4);
    assert_eq!(workload(&four, "q").winner.as_deref(), Some("datafusion"));
    assert!(render(&four, Format::Table, Ink::Plain).contains("  range  n  "));
}

#[test]
fn an_interval_of_six_trials_or_more_is_called_one() {
    let ten: Vec<f64> = (0..10).map(|i| 100.0 + f64::from(i)).collect();
    let mut observations = times(&sql("q", "datafusion"), Arm::Main, &ten);
    let ten_only = render(&compared(&[run_with(observations.clone())]), Format::Table, Ink::Plain);
    assert!(ten_only.contains("95 % interval   n") && !ten_only.contains("n < 6"), "{ten_only}");
    // The second and the ninth of ten: 97.9 % whatever the distribution.
    assert!(ten_only.contains("0.101–0.108"), "{ten_only}");
    observations.extend(times(&sql("r", "datafusion"), Arm::Main, &ten[..5]));
    let mixed = render(&compared(&[run_with(observations)]), Format::Table, Ink::Plain);
    assert!(mixed.contains("95 %, n<6 range") && mixed.contains("1 case has n < 6"), "{mixed}");
}

#[test]
fn giving_up_costs_more_than_the_time_limit() {
    let mut run = run_with(vec![fixture::ended(&sql("q", "stagedag"), 0, Outcome::TimedOut, "no answer after 1 h")]);
    run.context.timeout_ns = Some(3_600_000_000_000);
    let total = compared(&[run]).tables[0].families[0].totals[0].clone();
    assert_eq!(total.wall_ns_penalized, Some(7_200e9));
}

#[test]
fn runs_that_share_no_table_are_told_why() {
    let first = fixture::run();
    let mut other = fixture::run();
    other.path = "results/run-b".into();
    other.context.machine.cores = 64;
    other.context.datasets[0].checksum = "different".into();
    for o in &mut other.observations {
        o.case.protocol = Protocol::ColdProcess;
        o.key = o.case.key();
    }
    assert_eq!(compared(&[first.clone(), fixture::later(1, first.clone())]).notes, [""; 0]);
    let notes = compared(&[first, other]).notes;
    let [note] = notes.as_slice() else { panic!("one note: {notes:?}") };
    for part in [
        "run-b has a table apart from run-a: ",
        "protocol cold-process, not warm-1",
        "64 cores",
        "dataset `tpch-sf1` holds other bytes",
        "must not be compared",
    ] {
        assert!(note.contains(part), "{part}: {note}");
    }
    assert!(!note.contains("suite"), "{note}");
}

#[test]
fn spans_that_do_not_add_up_are_reported() {
    assert!(!compared(&[fixture::run()]).has_span_violations());
    let mut observations = times(&sql("q", "stagedag"), Arm::Main, &[10.0, 10.0]);
    let mut spans = SpanReport { slots: 2, makespan_ns: Nanos::new(10_000_000), ..SpanReport::default() };
    spans.add(SpanKind::Compute, Nanos::new(18_000_000));
    observations[0].spans = Some(spans);
    let comparison = compared(&[run_with(observations)]);
    assert!(comparison.has_span_violations());
    let breakdown = &comparison.tables[0].families[0].spans[0];
    assert_eq!(breakdown.violations.get("q"), Some(&0.9));
}

#[test]
fn what_a_product_says_is_unknown_is_shown_as_unknown_and_is_no_violation() {
    let mut observations = times(&sql("q", "stagedag"), Arm::Main, &[10.0, 10.0]);
    let mut spans = SpanReport { slots: 2, makespan_ns: Nanos::new(10_000_000), ..SpanReport::default() };
    spans.add(SpanKind::Compute, Nanos::new(5_000_000));
    spans.unknown_ns = Some(Nanos::new(15_000_000));
    observations[0].spans = Some(spans);
    let comparison = compared(&[run_with(observations)]);
    assert!(!comparison.has_span_violations());
    let breakdown = &comparison.tables[0].families[0].spans[0];
    assert_eq!((breakdown.unknown_share, breakdown.share.get(&SpanKind::Compute)), (0.75, Some(&0.25)));
}

#[test]
fn a_baseline_is_an_engine_that_took_part() {
    let options = |name: &str| Options { baseline: Some(name.into()) };
    let comparison = compare(&[fixture::run()], &options("stagedag")).unwrap();
    assert_eq!(comparison.tables[0].baseline.as_deref(), Some("stagedag"));
    let error = compare(&[fixture::run()], &options("spark")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "baseline `spark` took part in none of the runs; it can be one of datafusion, datafusion-1t, stagedag"
    );
    assert_eq!(compare(&[], &Options::default()), Err(CompareError::NoRuns));
}

#[test]
fn the_order_of_trials_does_not_matter() {
    let mut reversed = fixture::run();
    reversed.observations.reverse();
    assert_eq!(compared(&[reversed]).tables[0].families, compared(&[fixture::run()]).tables[0].families);
}

fn total_verdict(comparison: &Comparison, who: &str) -> Verdict {
    let family = &comparison.tables[0].families[0];
    let total = family.totals.iter().find(|t| t.contestant == who).unwrap();
    total.against_best.as_ref().or(total.against_baseline.as_ref()).unwrap().total.verdict
}

#[test]
fn a_family_of_one_workload_has_no_winner_that_the_workload_has_not() {
    // Ten trials that scatter by more than the two are apart: the intervals of the medians are apart all the same.
    let wide = [80.0, 85.0, 99.0, 99.5, 100.0, 100.0, 100.5, 101.0, 115.0, 120.0];
    let slower: Vec<f64> = wide.iter().map(|t| t * 1.06).collect();
    let mut observations = times(&sql("q", "datafusion"), Arm::Main, &wide);
    observations.extend(times(&sql("q", "datafusion"), Arm::Twin, &wide));
    observations.extend(times(&sql("q", "stagedag"), Arm::Main, &slower));
    let comparison = compared(&[run_with(observations)]);
    assert_eq!(cell(&comparison, "q", "stagedag").against_best.unwrap().verdict, Verdict::Indistinguishable);
    assert_eq!(total_verdict(&comparison, "stagedag"), Verdict::Indistinguishable);
    assert_eq!(comparison.tables[0].families[0].winner, None);
}

#[test]
fn totals_of_many_trials_are_tested_as_those_of_few_are() {
    // One long workload that leans one way and a short one that leans the other: intervals alone would decide.
    let mut observations = Vec::new();
    for (workload, ms, factor) in [("long", 100.0, 1.03), ("short", 10.0, 1.0)] {
        let base: Vec<f64> = (0..6).map(|i| ms * (1.0 + f64::from(i) * 0.001)).collect();
        observations.extend(times(&sql(workload, "datafusion"), Arm::Main, &base));
        observations.extend(times(&sql(workload, "datafusion"), Arm::Twin, &base));
        let other: Vec<f64> = base.iter().map(|t| t * factor).collect();
        observations.extend(times(&sql(workload, "stagedag"), Arm::Main, &other));
    }
    let comparison = compared(&[run_with(observations)]);
    let family = &comparison.tables[0].families[0];
    let total = family.totals.iter().find_map(|t| t.against_best.as_ref()).unwrap();
    assert!(total.total.stratified_p.is_some_and(|p| p <= 0.05), "{total:?}");
    assert!(total.geometric_mean.stratified_p.is_some(), "a test stands beside every total");
}

#[test]
fn who_fails_where_a_rival_does_not_is_no_winner_over_the_family() {
    let base = [100.0, 100.1, 100.2, 99.9, 99.8, 100.3, 99.7];
    let all =
        |workload: &str, engine: &str, factor: f64| times(&sql(workload, engine), Arm::Main, &base.map(|t| t * factor));
    let mut observations = times(&sql("a", "datafusion"), Arm::Twin, &base);
    for workload in ["a", "b", "c"] {
        observations.extend(all(workload, "datafusion", 1.0));
    }
    for workload in ["a", "b", "d"] {
        observations.extend(all(workload, "stagedag", 2.0));
    }
    let ended = |workload: &str, engine: &str| fixture::ended(&sql(workload, engine), 0, Outcome::Failed, "gone");
    let mut failing = observations.clone();
    failing.extend([ended("d", "datafusion"), ended("c", "stagedag")]);
    let comparison = compared(&[run_with(failing)]);
    assert_eq!(comparison.tables[0].families[0].best.as_deref(), Some("datafusion"));
    assert_eq!(comparison.tables[0].families[0].winner, None);
    let mut whole = observations;
    whole.extend(all("d", "datafusion", 1.0));
    whole.push(ended("c", "stagedag"));
    let comparison = compared(&[run_with(whole)]);
    assert_eq!(comparison.tables[0].families[0].winner.as_deref(), Some("datafusion"));
}

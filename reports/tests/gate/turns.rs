//! What turns and trials bear out.

use super::*;

#[test]
fn equal_runs_are_fine() {
    let gate = judged(same);
    assert_eq!((gate.verdict, gate.exit_code), (Verdict::Fine, 0), "{gate:#?}");
    assert!(gate.findings.iter().all(|f| f.status == Status::Fine));
}

#[test]
fn each_case_gets_the_status_that_its_times_bear_out() {
    let gate = judged(mixed);
    assert_eq!((gate.verdict, gate.exit_code), (Verdict::Regression, 1));
    assert_eq!(status(&gate, "tpch-q03"), Status::Slower);
    assert_eq!(status(&gate, "tpch-q07"), Status::Slower);
    assert_eq!(status(&gate, "tpch-q09"), Status::Faster);
    assert_eq!(status(&gate, "tpch-q11"), Status::WithinBudget);
    assert_eq!(status(&gate, "tpch-q01"), Status::Fine);
    let slow_down = gate.slow_downs().find(|s| s.finding.case.workload == "tpch-q03" && s.ratio > 1.1).unwrap();
    assert!((slow_down.new_hours / slow_down.base_hours - 1.2).abs() < 0.01);
}

#[test]
fn one_run_a_side_rules_nothing_out_and_says_how_many_would() {
    let gate = judged_once(same);
    assert_eq!((gate.verdict, gate.exit_code), (Verdict::Inconclusive, 3));
    assert!(gate.findings.iter().all(|f| f.uncertainty == Some(Uncertainty::Runs { needed: 3 })), "{gate:#?}");
    // Neither do runs that did not take turns: whatever changed between the two stretches of time would pass for the build.
    let before: Vec<Run> = [0, 10, 20].into_iter().map(|s| run(s, "old", same)).collect();
    let after: Vec<Run> = [60, 70, 80].into_iter().map(|s| run(s, "new", same)).collect();
    let apart = judge(&before, &after).unwrap();
    assert_eq!(apart.verdict, Verdict::Inconclusive);
    assert!(apart.findings.iter().all(|f| f.turns == 1));
}

#[test]
fn more_trials_of_noisy_runs_are_not_more_evidence() {
    // Every run of stagedag's q05 is somewhere else by up to 20 %, and its trials agree among themselves.
    let moody = |place: u64| {
        side(place, if place == 0 { "old" } else { "new" }, same).into_iter().enumerate().map(move |(turn, mut run)| {
            let mood = [[1.0, 1.16, 0.95], [1.15, 1.18, 1.13]][place as usize][turn];
            let moved = |o: &&mut Observation| o.case.workload == "tpch-q05" && o.case.engine == "stagedag";
            for o in run.observations.iter_mut().filter(moved) {
                o.wall_ns = o.wall_ns.map(|ns| (ns as f64 * mood) as u64);
            }
            run
        })
    };
    let gate = judge(&moody(0).collect::<Vec<_>>(), &moody(1).collect::<Vec<_>>()).unwrap();
    let found = gate.findings.iter().find(|f| f.case.workload == "tpch-q05" && f.case.engine == "stagedag").unwrap();
    assert_eq!(found.status, Status::Inconclusive, "{found:#?}");
    assert!(found.by_trials.is_some(), "trials alone would have called it slower: {found:#?}");
}

#[test]
fn a_disturbed_trial_counts_once_however_often_it_was_repeated() {
    let disturbed = |mut run: Run| {
        let case = fixture::case(Family::Sql, "tpch-q01", "stagedag");
        let mut repetitions = Vec::new();
        for o in run.observations.iter_mut().filter(|o| o.case == case) {
            o.contaminated = true;
            for attempt in 1..=2 {
                let again = Observation { trial: o.trial + attempt * TRIALS, repeat: Some(o.trial), ..o.clone() };
                repetitions.push(again);
            }
        }
        run.observations.extend(repetitions);
        run
    };
    let gate = judge(&[disturbed(run(0, "old", same))], &[run(60, "new", same)]).unwrap();
    let found = gate.findings.iter().find(|f| f.case.workload == "tpch-q01" && f.case.engine == "stagedag").unwrap();
    assert_eq!((found.base.trials, found.new.trials), (TRIALS as usize, TRIALS as usize));
    assert_eq!(found.uncertainty, Some(Uncertainty::Contaminated));
}

#[test]
fn a_disturbed_twin_spoils_no_case() {
    let disturbed = |mut run: Run| {
        run.observations
            .iter_mut()
            .filter(|o| o.arm == Arm::Twin && o.case.workload == "tpch-q01")
            .for_each(|o| o.contaminated = true);
        run
    };
    let gate =
        judge(&side(0, "old", same).into_iter().map(disturbed).collect::<Vec<_>>(), &side(1, "new", same)).unwrap();
    assert_eq!(gate.verdict, Verdict::Fine, "{:?}", gate.reasons);
}

#[test]
fn too_few_trials_are_inconclusive_and_say_how_many_would_do() {
    let few = |mut run: Run| {
        run.observations.retain(|o| o.trial < 5);
        run
    };
    let gate = judge(&[few(run(0, "old", same))], &[few(run(60, "new", mixed))]).unwrap();
    assert_eq!((gate.verdict, gate.exit_code), (Verdict::Inconclusive, 3));
    let slow = gate.findings.iter().find(|f| f.case.workload == "tpch-q03" && f.case.engine == "stagedag").unwrap();
    assert!(
        slow.suspect && matches!(slow.uncertainty, Some(Uncertainty::Trials { needed }) if needed >= 7),
        "{slow:?}"
    );
    assert!(gate.reasons.iter().any(|r| r.contains("--confirm")), "{:?}", gate.reasons);
}

#[test]
fn without_an_a_a_arm_nothing_is_claimed() {
    let alone = |mut run: Run| {
        run.observations.retain(|o| o.arm == Arm::Main);
        run
    };
    let gate = judge(&[alone(run(0, "old", same))], &[alone(run(60, "new", mixed))]).unwrap();
    assert_eq!(gate.verdict, Verdict::Inconclusive);
    assert!(gate.findings.iter().all(|f| f.uncertainty == Some(Uncertainty::NoTwin)));
}

#[test]
fn wrong_answers_and_new_failures_are_regressions_whatever_the_times() {
    let mut new = run(60, "new", same);
    for o in new.observations.iter_mut().filter(|o| o.case.engine == "stagedag" && o.trial == 3) {
        let outcome = match o.case.workload.as_str() {
            "tpch-q02" => Outcome::WrongAnswer,
            "tpch-q05" => Outcome::Failed,
            _ => continue,
        };
        *o = Observation { trial: 3, ..fixture::ended(&o.case, 3, outcome, "why") };
    }
    let gate = judge(&[run(0, "old", same)], std::slice::from_ref(&new)).unwrap();
    assert_eq!((gate.verdict, gate.exit_code), (Verdict::Regression, 1));
    assert_eq!((status(&gate, "tpch-q02"), status(&gate, "tpch-q05")), (Status::WrongAnswer, Status::NewlyFailing));
    let mut broken = side(0, "new", same);
    broken[0].observations.clone_from(&new.observations);
    let back = judge(&broken, &side(1, "newer", same)).unwrap();
    assert_eq!((back.verdict, status(&back, "tpch-q02")), (Verdict::Fine, Status::Fixed));
}

#[test]
fn everything_slower_and_nothing_faster_is_the_harness_unless_an_engine_is_spared() {
    let gate = judged_once(|_, _| 1.2);
    assert_eq!((gate.verdict, gate.exit_code), (Verdict::HarnessSuspect, 2));
    assert!(gate.reasons[0].contains("every engine is affected"), "{:?}", gate.reasons);
    let one_engine = judged(|_, engine| if engine == "stagedag" { 1.2 } else { 1.0 });
    assert_eq!(one_engine.verdict, Verdict::Regression);
    assert!(one_engine.findings.iter().all(|f| (f.status == Status::Slower) == (f.case.engine == "stagedag")));
    // What is slower in every turn is not the machine, even if no engine is spared.
    assert_eq!(judged(|_, _| 1.2).verdict, Verdict::Regression);
}

#[test]
fn a_second_measurement_decides_about_suspects_alone() {
    let few = |mut run: Run, n: u32| {
        run.observations.retain(|o| o.trial < n);
        run
    };
    let first = judge(&[few(run(0, "old", same), 5)], &[few(run(60, "new", mixed), 5)]).unwrap();
    let suspects: Vec<_> = first.findings.iter().filter(|f| f.suspect).map(|f| f.key.clone()).collect();
    assert!(!suspects.is_empty());
    // What ran beside the suspects is their control, and the second measurement does not decide about it.
    let second = judge(&side(0, "old", same), &side(1, "new", mixed)).unwrap();
    let merged = confirm(first.clone(), second);
    assert_eq!((merged.verdict, status(&merged, "tpch-q03")), (Verdict::Regression, Status::Slower));
    assert_eq!(status(&merged, "tpch-q01"), status(&first, "tpch-q01"));
    assert_eq!(merged.confirmation.as_ref().unwrap().cases, suspects.len());
    assert!(write(&merged, GateFormat::Table, Ink::Plain).contains("measured again, both builds in turns"));
}

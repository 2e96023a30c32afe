//! What is refused, missing, broken, allowed and priced.

use super::*;

#[test]
fn a_run_that_was_interrupted_is_refused_on_either_side() {
    let mut cut = run(60, "new", same);
    cut.context.finished_at = None;
    let refused = |base: Run, new: Run| judge(&[base], &[new]).unwrap_err().to_string();
    assert!(refused(run(0, "old", same), cut.clone()).contains("--resume"));
    assert!(refused(cut, run(90, "newer", same)).contains("not finished"));
}

#[test]
fn a_side_of_two_engine_versions_is_refused_and_versions_across_sides_are_told() {
    let upgraded = |mut run: Run| {
        run.context.engines.iter_mut().filter(|e| e.name == "datafusion").for_each(|e| e.version = "56.0.0".into());
        run
    };
    let mixed = [run(0, "old", same), upgraded(run(120, "old", same))];
    let said = judge(&mixed, &[run(60, "new", same)]).unwrap_err().to_string();
    assert!(said.contains("datafusion (version 55.2.0, 56.0.0)"), "{said}");
    let new: Vec<Run> = side(1, "new", same).into_iter().map(upgraded).collect();
    let gate = judge(&side(0, "old", same), &new).unwrap();
    assert_eq!(gate.engines.len(), 1);
    assert!(write(&gate, GateFormat::Table, Ink::Plain).contains("not the same in BASE and NEW: datafusion"));
}

#[test]
fn what_fails_on_both_sides_is_not_fine_and_what_neither_supports_is() {
    let ended = |place: u64, outcome: Outcome| {
        let mut runs = side(place, if place == 0 { "old" } else { "new" }, same);
        for run in &mut runs {
            for o in
                run.observations.iter_mut().filter(|o| (&*o.case.engine, &*o.case.workload) == ("stagedag", "tpch-q02"))
            {
                *o = fixture::ended(&o.case, o.trial, outcome, "why");
            }
        }
        runs
    };
    let both = |outcome| judge(&ended(0, outcome), &ended(1, outcome)).unwrap();
    for outcome in [Outcome::WrongAnswer, Outcome::Failed] {
        let gate = both(outcome);
        assert_eq!((gate.verdict, status(&gate, "tpch-q02")), (Verdict::Inconclusive, Status::StillFailing));
        assert!(gate.reasons.iter().any(|r| r.contains("on both sides")), "{:?}", gate.reasons);
        let junit = write(&gate, GateFormat::Junit, Ink::Plain);
        assert!(junit.contains("errors=\"1\"") && junit.contains("<error type=\"still-failing\""), "{junit}");
    }
    assert_eq!(both(Outcome::Unsupported).verdict, Verdict::Fine);
}

#[test]
fn without_a_time_on_both_sides_nothing_is_fine() {
    let nothing = |place: u64| {
        let mut runs = side(place, if place == 0 { "old" } else { "new" }, same);
        for run in &mut runs {
            run.observations.retain(|o| o.case.workload == "tpch-q02" && o.arm == Arm::Main);
            for o in &mut run.observations {
                *o = fixture::ended(&o.case, o.trial, Outcome::Unsupported, "why");
            }
        }
        runs
    };
    let gate = judge(&nothing(0), &nothing(1)).unwrap();
    assert_eq!(gate.verdict, Verdict::Inconclusive);
    assert!(gate.reasons.iter().any(|r| r.contains("no case has a time")), "{:?}", gate.reasons);
}

#[test]
fn what_is_allowed_or_within_its_budget_does_not_make_the_harness_suspect() {
    let allowed = |_: &Case, _: Status| Some("see #7".to_owned());
    let options = GateOptions { allowed: &allowed, ..OPTIONS };
    let slower = gate(&[run(0, "old", same)], &[run(60, "new", |_, _| 1.2)], &options).unwrap();
    assert_ne!(slower.verdict, Verdict::HarnessSuspect, "{:?}", slower.reasons);
    let within = judged_once(|_, _| 1.03);
    assert_eq!(within.verdict, Verdict::Inconclusive, "{:?}", within.reasons);
}

#[test]
fn relative_times_have_their_reference_as_control() {
    let with_twin = |mut run: Run| {
        let stagedag: Vec<Observation> =
            run.observations.iter().filter(|o| o.case.engine == "stagedag").cloned().collect();
        run.observations.retain(|o| o.arm == Arm::Main);
        run.observations.extend(stagedag.into_iter().map(|o| Observation { arm: Arm::Twin, ..o }));
        run
    };
    let options = GateOptions { relative_to: Some("datafusion"), ..OPTIONS };
    let slow = |_: &str, engine: &str| if engine == "stagedag" { 1.2 } else { 1.0 };
    let of = |runs: Vec<Run>| runs.into_iter().map(with_twin).collect::<Vec<_>>();
    let several = gate(&of(side(0, "old", same)), &of(side(1, "new", slow)), &options).unwrap();
    assert_eq!(several.verdict, Verdict::Regression, "{:?}", several.reasons);
    let once = gate(&of(vec![run(0, "old", same)]), &of(vec![run(60, "new", slow)]), &options).unwrap();
    assert_eq!(once.verdict, Verdict::Inconclusive, "{:?}", once.reasons);
    // The twin is not divided by the very time its partner is divided by: what the reference varies is noise too.
    assert!(several.noise[0].floor.unwrap() > 0.0);
}

#[test]
fn an_allowed_regression_does_not_count_and_is_still_shown() {
    let allowed = |case: &Case, status: Status| {
        (status == Status::Slower && case.workload.starts_with("tpch-q0")).then(|| "see #7".to_owned())
    };
    let options = GateOptions { allowed: &allowed, ..OPTIONS };
    let gate = gate(&side(0, "old", same), &side(1, "new", mixed), &options).unwrap();
    assert_eq!(gate.verdict, Verdict::Fine);
    assert!(write(&gate, GateFormat::Markdown, Ink::Plain).contains("allowed for now: see #7"));
    assert!(write(&gate, GateFormat::Sarif, Ink::Plain).contains("\"justification\": \"see #7\""));
}

#[test]
fn runs_that_do_not_belong_together_are_refused_with_the_next_step() {
    let (base, new) = (run(0, "old", same), run(60, "new", same));
    let refused = |change: &dyn Fn(&mut Run)| {
        let mut other = new.clone();
        change(&mut other);
        judge(std::slice::from_ref(&base), &[other]).unwrap_err().to_string()
    };
    assert!(
        judge(std::slice::from_ref(&base), std::slice::from_ref(&base)).unwrap_err().to_string().contains("same run")
    );
    assert!(refused(&|r| r.context.machine.cores = 64).contains("--relative-to"));
    assert!(refused(&|r| r.context.datasets[0].checksum = "other".into()).contains("holds other bytes"));
    assert!(refused(&|r| r.context.command_line.push("--faults=kill@50%".into())).contains("faults"));
    let protocol = refused(&|r| {
        for o in &mut r.observations {
            o.case.protocol = Protocol::ColdProcess;
            o.key = o.case.key();
        }
    });
    assert!(protocol.contains("they differ in protocol: warm-1 and cold-process"), "{protocol}");
    assert!(refused(&|r| r.observations.clear()).contains("nothing recorded"));
    assert!(judge(&[], std::slice::from_ref(&base)).unwrap_err().to_string().contains("BASE"));
    let mixed_builds = [base.clone(), run(30, "other", same)];
    assert!(judge(&mixed_builds, &[new]).unwrap_err().to_string().contains("one build"));
}

#[test]
fn relative_times_compare_two_machines_and_need_their_engine() {
    let mut new = run(60, "new", |workload, engine| 1.7 * mixed(workload, engine));
    new.context.machine.cores = 64;
    let options = |engine| GateOptions { relative_to: Some(engine), ..OPTIONS };
    let found = gate(&[run(0, "old", same)], std::slice::from_ref(&new), &options("datafusion")).unwrap();
    assert!(found.findings.iter().all(|f| f.case.engine == "stagedag"));
    // The only twin is the reference's own, so nobody knows the noise of the others.
    assert!(found.findings.iter().all(|f| f.uncertainty == Some(Uncertainty::NoTwin)));
    assert_eq!(found.slow_downs().count(), 0);
    let error = gate(&[run(0, "old", same)], &[new], &options("spark")).unwrap_err().to_string();
    assert!(error.contains("`spark` has no completed trial") && error.contains("datafusion, stagedag"), "{error}");
}

#[test]
fn a_slow_down_costs_so_much_more_a_year_and_nothing_else_is_priced() {
    let new = side(1, "new", mixed);
    let book = PriceBook::parse(built_in("aws").unwrap()).unwrap();
    let prices = GatePrices { book: &book, runs_per_day: Count::new(1000.0).unwrap() };
    let gate = price_slow_downs(judge(&side(0, "old", same), &new).unwrap(), &new, &prices);
    let priced: Vec<_> =
        gate.findings.iter().filter(|f| f.yearly.is_some()).map(|f| f.case.workload.as_str()).collect();
    assert_eq!(priced, ["tpch-q03", "tpch-q07"]);
    let found = gate.findings.iter().find(|f| f.case.workload == "tpch-q03" && f.yearly.is_some()).unwrap();
    let yearly = found.yearly.as_ref().unwrap();
    // 20 % of 150 ms, a thousand times a day, on two cores at the price of the smallest machine that has them.
    let hourly = book.instance(&yearly.instance).unwrap().hourly(Purchase::OnDemand).unwrap().base.per_unit().get();
    let expected = 0.2 * 0.150 / 3600.0 * 1000.0 * 365.25 * hourly;
    assert!((yearly.base / expected - 1.0).abs() < 0.02, "{} and {expected}", yearly.base);
    assert!(yearly.low <= yearly.base && yearly.base <= yearly.high && yearly.instances == 1);
    assert!(found.said.contains("USD more a year") && found.said.contains(&yearly.instance), "{}", found.said);
    let json = write(&gate, GateFormat::Json, Ink::Plain);
    assert!(json.contains("\"runs_per_day\": 1000.0") && json.contains("\"currency\": \"USD\""), "{json}");
}

#[test]
fn a_slow_down_that_no_machine_of_the_book_can_have_says_so() {
    let mut new = side(1, "new", mixed);
    new.iter_mut().for_each(|run| run.context.machine.arch = "riscv64".into());
    let book = PriceBook::parse(built_in("aws").unwrap()).unwrap();
    let prices = GatePrices { book: &book, runs_per_day: Count::new(1000.0).unwrap() };
    let gate = price_slow_downs(judged(mixed), &new, &prices);
    let found = gate.findings.iter().find(|f| f.case.workload == "tpch-q03" && f.status == Status::Slower).unwrap();
    assert!(found.yearly.is_none() && found.said.contains("has no riscv64 instance with 2 vCPUs"), "{}", found.said);
}

#[test]
fn cases_of_one_side_are_listed() {
    let mut base = run(0, "old", same);
    base.observations.retain(|o| o.case.workload != "tpch-q16");
    let mut new = run(60, "new", same);
    new.observations.retain(|o| o.case.workload != "tpch-q15");
    let gate = judge(std::slice::from_ref(&base), std::slice::from_ref(&new)).unwrap();
    let missing: Vec<(&str, &str)> = gate.missing.iter().map(|m| (m.label.as_str(), m.from)).collect();
    assert_eq!(missing[0], ("sql tpch-q15 on datafusion", "new"));
    assert_eq!(missing.len(), 4);
    assert!(
        write(&gate, GateFormat::Table, Ink::Plain).contains("not in BASE, so not judged: sql tpch-q16 on datafusion")
    );
    assert!(gate.reasons.iter().any(|r| r.starts_with("2 cases of BASE are not in NEW")), "{:?}", gate.reasons);
    let shrunken: Vec<Run> = side(1, "new", same)
        .into_iter()
        .map(|mut run| {
            run.observations.retain(|o| o.case.workload != "tpch-q15");
            run
        })
        .collect();
    assert_eq!(judge(&side(0, "old", same), &shrunken).unwrap().verdict, Verdict::Inconclusive);
    let options = GateOptions { may_lack: &|case| case.workload == "tpch-q15", ..OPTIONS };
    assert_eq!(gate_of(&side(0, "old", same), &shrunken, &options).verdict, Verdict::Fine);
}

fn gate_of(base: &[Run], new: &[Run], options: &GateOptions<'_>) -> Gate {
    gate(base, new, options).unwrap()
}

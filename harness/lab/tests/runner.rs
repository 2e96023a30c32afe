//! Claims about runs: what is measured, repeated, given up, resumed and reported, with scripted engines.
//!
//! Long because: every claim about runs is a test, and they share the scripted engines.
#![expect(clippy::unwrap_used, reason = "a claim fails by panicking")]

mod fake;

use bench_lab::live::Failure;
use bench_lab::runner::{Plan, RunError, RunEvent, RunSummary, Sink, Twins, run};
use bench_model::{Family, Program, Query, Workload};
use bench_record::{Arm, Observation, Outcome, Protocol, RecordError};
use fake::{Act, Fake, plan, right, unanswered, workload};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Runs to the end from nothing; every observation must be one that a journal accepts.
fn check(plan: &Plan, fake: &Fake) -> (Vec<Observation>, RunSummary) {
    resume(plan, fake, Vec::new())
}

fn resume(plan: &Plan, fake: &Fake, recorded: Vec<Observation>) -> (Vec<Observation>, RunSummary) {
    let mut sink = recorded.clone();
    let stop = AtomicBool::new(false);
    let summary = run(plan, fake, &recorded, &mut sink, &stop, &mut |_| {}).unwrap();
    let ids: BTreeSet<_> = sink.iter().map(Observation::id).collect();
    assert_eq!(ids.len(), sink.len(), "no trial is recorded twice");
    for observation in &sink {
        observation.validate().unwrap();
    }
    (sink, summary)
}

fn outcomes(observations: &[Observation]) -> Vec<&'static str> {
    observations.iter().map(|o| o.outcome.name()).collect()
}

#[test]
fn every_case_gets_its_trials_and_every_answer_is_checked() {
    let fake = Fake::default();
    let (observations, summary) = check(&plan(vec![workload("q1"), workload("q2")], &["a", "b"], 3), &fake);
    assert_eq!(summary, RunSummary { recorded: 12, completed: 12, ..RunSummary::default() });
    assert!(observations.iter().all(|o| o.wall_ns.is_some() && o.oracle.as_deref() == Some("stored")));
}

/// A list with a folder beside it for traces.
struct WithTraces(Vec<Observation>, tempfile::TempDir);

impl Sink for WithTraces {
    fn record(&mut self, observation: &Observation) -> Result<(), RecordError> {
        self.0.record(observation)
    }
    fn folder(&self) -> Option<&Path> {
        None
    }
    fn results_folder(&self) -> Result<Option<PathBuf>, RecordError> {
        Ok(None)
    }
    fn traces_folder(&self) -> Result<Option<PathBuf>, RecordError> {
        Ok(Some(self.1.path().to_owned()))
    }
}

#[test]
fn spans_that_are_told_after_the_run_are_recorded_and_who_leaves_no_trace_is_not_run_again_for_one() {
    let fake = Fake::default();
    let mut plan = plan(vec![workload("q")], &["style", "product"], 2);
    plan.engines.iter_mut().for_each(|engine| engine.spans = true);
    let mut sink = WithTraces(Vec::new(), tempfile::tempdir().unwrap());
    run(&plan, &fake, &[], &mut sink, &AtomicBool::new(false), &mut |_| {}).unwrap();
    let of = |name: &str| sink.0.iter().filter(|o| o.case.engine == name).cloned().collect::<Vec<_>>();
    assert!(of("product").iter().all(|o| o.spans.as_ref().is_some_and(|s| s.is_complete(0.0))));
    assert!(of("product").iter().all(|o| o.notes == ["it keeps no trace"]));
    assert!(
        of("style").iter().all(|o| o.spans.is_none() && o.notes.is_empty()),
        "what a style tells comes with its run"
    );
    // One that warms it up, two trials, and of the style one more to leave a trace.
    assert_eq!((fake.count("run style"), fake.count("run product")), (4, 3));
}

#[test]
fn engines_alternate_in_mirrored_rounds() {
    let fake = Fake::default();
    let (observations, _) = check(&plan(vec![workload("q")], &["a", "b", "c"], 4), &fake);
    let order: Vec<&str> = observations.iter().map(|o| o.case.engine.as_str()).collect();
    let mirrored = |round: &[&str]| round.iter().rev().copied().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(mirrored(&order[0..3]), order[3..6]);
    assert_eq!(mirrored(&order[6..9]), order[9..12]);
}

#[test]
fn a_twin_is_a_session_of_its_own_in_its_own_arm() {
    let fake = Fake::default();
    let first = Plan { twins: Twins::First, ..plan(vec![workload("q")], &["a", "b"], 2) };
    let (observations, _) = check(&first, &fake);
    let twins: Vec<_> = observations.iter().filter(|o| o.arm == Arm::Twin).map(|o| o.case.engine.as_str()).collect();
    assert_eq!(twins, ["a", "a"]);
    assert_eq!((fake.count("start a"), fake.count("start b")), (2, 1));
    assert_eq!(first.trials_total(), 6);
}

#[test]
fn each_family_has_a_twin_of_its_own_where_that_is_asked_for() {
    let of = |name: &str, family| Workload { family, ..workload(name) };
    let workloads = vec![of("q", Family::Sql), of("d", Family::Dataframe), of("o", Family::Overhead)];
    let twins = Twins::ByFamily([(Family::Sql, 1), (Family::Dataframe, 0)].into());
    let split = Plan { twins, ..plan(workloads, &["a", "b"], 2) };
    let (observations, _) = check(&split, &Fake::default());
    let of_twins = observations.iter().filter(|o| o.arm == Arm::Twin);
    let twins: Vec<_> = of_twins.map(|o| (o.case.workload.as_str(), o.case.engine.as_str())).collect();
    assert_eq!(twins, [("q", "b"), ("q", "b"), ("d", "a"), ("d", "a")]);
    assert_eq!((split.trials_total(), observations.len()), (16, 16), "six cases twice, and two twins twice");
}

#[test]
fn of_an_engine_that_can_run_only_once_one_is_ended_before_the_next_is_started_and_warmed() {
    let fake = Fake::default();
    let one = Plan { twins: Twins::First, ..plan(vec![workload("q")], &["a", "b"], 3) };
    let one = Plan { one_at_a_time: ["a".to_owned()].into(), ..one };
    let (observations, _) = check(&one, &fake);
    assert_eq!(outcomes(&observations), ["completed"; 9]);
    let (mut living, mut most) = (0, 0);
    for line in fake.log() {
        living += i32::from(line == "start a") - i32::from(line == "stop a");
        most = most.max(living);
    }
    assert_eq!((living, most), (0, 1), "{:?}", fake.log());
    let started = fake.count("start a");
    let noted = observations.iter().filter(|o| o.notes.iter().any(|note| note.contains("only one of it"))).count();
    assert!((4..=6).contains(&started) && noted == started, "{noted} of {started}");
    assert!(observations.iter().all(|o| o.case.engine == "a" || o.notes.is_empty()));
    assert_eq!((fake.count("start b"), fake.count("run a q")), (1, 6 + started), "each is warmed once it is started");
    let waits = |o: &Observation| o.others_rss_bytes.unwrap_or_default() / fake::HELD;
    assert!(
        observations.iter().filter(|o| o.case.engine == "a").all(|o| waits(o) <= 1),
        "what was ended holds nothing"
    );
    // Alone it waits for its turn as every other engine does.
    let alone = Fake::default();
    let (observations, _) = check(&Plan { twins: Twins::None, ..one }, &alone);
    assert!(observations.iter().all(|o| o.notes.is_empty()));
    assert_eq!((alone.count("start a"), alone.count("run a q")), (1, 4));
}

#[test]
fn whoever_waits_leaves_its_memory_to_an_engine_that_was_seen_to_need_more_than_there_is() {
    let fake = Fake::default();
    let (observations, _) = check(&plan(vec![workload("q")], &["huge", "laden", "b"], 3), &fake);
    assert_eq!(outcomes(&observations), ["completed"; 9]);
    let made_room = |o: &&Observation| o.notes.iter().any(|note| note.contains("others had its memory"));
    let noted: Vec<_> = observations.iter().filter(made_room).collect();
    // What `huge` needs is known once it has run; `b` holds too little to be of use.
    assert!((1..=3).contains(&noted.len()) && noted.iter().all(|o| o.case.engine == "laden"), "{observations:#?}");
    assert_eq!(fake.count("start laden"), 1 + noted.len());
    assert_eq!((fake.count("start huge"), fake.count("start b")), (1, 1));
    let again = fake.count("run laden q") - (3 + 1 + 2 * noted.len());
    assert!(again <= 2, "it is warmed twice where it comes back, and whoever stays once more from then on");
    let last = observations.iter().rfind(|o| o.case.engine == "huge").unwrap();
    assert!(last.others_rss_bytes <= Some(fake::HELD), "what was ended holds nothing");
}

#[test]
fn warm_sessions_stay_and_warm_up_once_per_workload() {
    let fake = Fake::default();
    let warm = Plan { protocol: Protocol::Warm(2), ..plan(vec![workload("q1"), workload("q2")], &["a"], 3) };
    let (observations, _) = check(&warm, &fake);
    assert_eq!(observations.len(), 6);
    assert_eq!((fake.count("start"), fake.count("load"), fake.count("run a q1")), (1, 1, 5));
    assert_eq!(fake.log().last().map(String::as_str), Some("stop a"), "nothing is left running");
}

#[test]
fn a_refreshed_engine_has_an_untimed_run_right_before_each_timed_one_alone_or_in_turns() {
    let fake = Fake::default();
    let turns = Plan { refresh: true, ..plan(vec![workload("q")], &["a", "b"], 3) };
    let (observations, _) = check(&turns, &fake);
    assert_eq!(outcomes(&observations), ["completed"; 6]);
    let log = fake.log();
    let runs: Vec<&str> =
        log.iter().filter(|l| l.starts_with("run") || l.starts_with("discard")).map(|l| &**l).collect();
    // The second round mirrors the first: who is last in it is first in the next, and is not treated in another way.
    let (first, second) = if runs[0] == "run a q" { ("a", "b") } else { ("b", "a") };
    let refreshed = |e: &str| [format!("run {e} q"), format!("discard {e}"), format!("run {e} q")].to_vec();
    let expected = [refreshed(first), refreshed(second), refreshed(second), refreshed(first)].concat();
    assert_eq!(runs[..expected.len()], expected);
    let alone = Fake::default();
    check(&Plan { refresh: true, ..plan(vec![workload("q")], &["a"], 3) }, &alone);
    assert_eq!(alone.count("run a q"), 6, "its time does not depend on who else is there");
}

#[test]
fn what_was_warm_before_a_failure_is_warmed_again() {
    let fail = || Act::Fail(Failure::Failed("a worker is gone".into()));
    let fake = Fake::default().script("a", "q", [right(1), fail(), right(1)]);
    let (observations, _) = check(&plan(vec![workload("q")], &["a"], 2), &fake);
    assert_eq!(outcomes(&observations), ["failed", "completed"]);
    assert_eq!(fake.count("run a q"), 4, "a warm-up, the failure, a warm-up and the trial");
}

#[test]
fn memory_of_the_engines_that_wait_is_recorded_with_each_trial() {
    let (observations, _) = check(&plan(vec![workload("q")], &["a", "b", "c"], 1), &Fake::default());
    let others: Vec<Option<u64>> = observations.iter().map(|o| o.others_rss_bytes).collect();
    assert_eq!(others, [None, Some(fake::HELD), Some(2 * fake::HELD)], "those that are started");
}

#[test]
fn the_answer_of_a_warm_up_is_dropped_before_the_timed_run() {
    let fake = Fake::default();
    check(&Plan { protocol: Protocol::Warm(2), ..plan(vec![workload("q")], &["a"], 2) }, &fake);
    let runs: Vec<String> = fake.log().into_iter().filter(|line| !line.starts_with("start")).collect();
    let warm_up = ["run a q", "discard a"];
    let expected = [&["load a d"][..], &warm_up, &warm_up, &["run a q", "run a q", "stop a"]].concat();
    assert_eq!(runs, expected);
}

#[test]
fn cold_processes_are_started_and_stopped_for_each_trial() {
    for protocol in [Protocol::ColdProcess, Protocol::ColdCache] {
        let fake = Fake::default();
        check(&Plan { protocol, ..plan(vec![workload("q")], &["a"], 3) }, &fake);
        assert_eq!((fake.count("start"), fake.count("load"), fake.count("run"), fake.count("stop")), (3, 3, 3, 3));
    }
}

#[test]
fn a_wrong_answer_has_no_time_and_is_tried_once_more() {
    let fake = Fake::default().script("a", "q", [Act::Answer { answer: 41, ms: 1 }]);
    let (observations, summary) = check(&plan(vec![workload("q")], &["a", "b"], 5), &fake);
    let wrong: Vec<_> = observations.iter().filter(|o| o.outcome == Outcome::WrongAnswer).collect();
    assert_eq!((wrong.len(), summary.wrong_answers, summary.completed), (2, 2, 5));
    assert!(wrong.iter().all(|o| o.wall_ns.is_none() && o.digest.is_some() && o.oracle.is_some()));
}

#[test]
fn failures_that_cannot_change_are_recorded_once_and_others_twice() {
    let unsupported = || Act::Fail(Failure::Unsupported("no windows".into()));
    let program = || Act::Fail(Failure::Program("no column x".into()));
    let late = |request| Act::Fail(Failure::TimedOut { request, after: Duration::from_secs(1) });
    let crash = || Act::Fail(Failure::Panicked("index out of bounds".into()));
    for (act, expected) in [
        (unsupported(), vec!["unsupported"]),
        (program(), vec!["failed"]),
        (late("run"), vec!["timed_out"]),
        (late("load"), vec!["failed", "failed"]),
        (crash(), vec!["failed", "failed"]),
    ] {
        let fake = Fake::default().script("a", "q", [act]);
        let (observations, _) = check(&plan(vec![workload("q")], &["a"], 6), &fake);
        assert_eq!(outcomes(&observations), expected);
        assert!(observations.iter().all(|o| o.reason.is_some()));
    }
}

#[test]
fn an_engine_that_refuses_a_form_of_programs_is_not_asked_nor_loaded_for_it() {
    let frames = Workload { program: Program::Query(Query::Frame(vec![])), ..workload("frames") };
    let fake = Fake::default();
    let (observations, _) = check(&plan(vec![workload("q1"), workload("q2"), frames], &["sqlless"], 2), &fake);
    assert_eq!(outcomes(&observations), ["unsupported", "unsupported", "completed", "completed"]);
    assert_eq!(observations[0].reason.as_deref(), Some("it has no SQL"));
    let until_loaded: Vec<_> = fake.log().into_iter().take_while(|line| !line.starts_with("run")).collect();
    assert_eq!(until_loaded, ["start sqlless", "load sqlless d"]);
    // Where every trial has a process of its own, nobody starts one to hear it again.
    let cold = Plan {
        protocol: Protocol::ColdProcess,
        ..plan(vec![workload("q1"), workload("q2"), workload("q3")], &["sqlless"], 2)
    };
    let fake = Fake::default();
    let (observations, _) = check(&cold, &fake);
    assert_eq!(outcomes(&observations), ["unsupported"; 3]);
    assert_eq!(fake.count("start sqlless"), 1);
}

#[test]
fn every_trial_under_faults_is_made_unless_the_engine_or_the_program_cannot() {
    let crash = || Act::Fail(Failure::Failed("no node is left".into()));
    let late = || Act::Fail(Failure::TimedOut { request: "run", after: Duration::from_secs(1) });
    let wrong = || Act::Answer { answer: 41, ms: 1 };
    let unsupported = || Act::Fail(Failure::Unsupported("one process".into()));
    let data = || Act::Fail(Failure::Data("truncated".into()));
    let hurt = |trials| Plan {
        faults: vec!["kill@50%".parse().unwrap()],
        protocol: Protocol::ColdProcess,
        ..plan(vec![workload("q")], &["a"], trials)
    };
    let acts = [crash(), crash(), late(), wrong(), late(), right(1)];
    let (observations, _) = check(&hurt(6), &Fake::default().script("a", "q", acts.clone()));
    let all = ["failed", "failed", "timed_out", "wrong_answer", "timed_out", "completed"];
    assert_eq!(outcomes(&observations), all);
    // A resumed run goes on where the first one was, however often it had failed.
    let rest = Fake::default().script("a", "q", acts[4..].to_vec());
    let (observations, _) = resume(&hurt(6), &rest, observations[..4].to_vec());
    assert_eq!(outcomes(&observations), all);
    for (act, outcome) in [(unsupported(), "unsupported"), (data(), "failed")] {
        let (observations, _) = check(&hurt(6), &Fake::default().script("a", "q", [act]));
        assert_eq!(outcomes(&observations), [outcome]);
    }
}

#[test]
fn nodes_are_made_ready_for_faults_before_they_are_warm_and_again_before_each_trial() {
    let fake = Fake::default();
    let faults = vec!["disk-full@0%".parse().unwrap()];
    check(&Plan { faults, ..plan(vec![workload("q")], &["a"], 2) }, &fake);
    let log: Vec<String> =
        fake.log().into_iter().filter(|line| line.starts_with("arm") || line.starts_with("run")).collect();
    let armed = "arm a [disk-full@0%]";
    assert_eq!(log, [armed, "arm a []", "run a q", armed, "run a q", armed, "run a q"]);
}

#[test]
fn a_lost_machine_ends_the_run_and_nothing_is_recorded_of_the_trial_in_flight() {
    let failed = Act::Fail(Failure::Failed("node n1 is down".into()));
    for act in [failed, right(1)] {
        let fake = Fake::default().script("a", "q", [right(1), right(1), Act::Lose(Box::new(act))]);
        let (mut sink, stop) = (Vec::new(), AtomicBool::new(false));
        let three = plan(vec![workload("q")], &["a"], 3);
        let error = run(&three, &fake, &[], &mut sink, &stop, &mut |_| {}).unwrap_err();
        assert!(matches!(error, RunError::MachineLost(_)) && error.to_string().starts_with("far was lost"), "{error}");
        assert_eq!(outcomes(&sink), ["completed"], "a warm-up and a trial went before");
        let again = run(&three, &fake, &sink.clone(), &mut sink, &stop, &mut |_| {}).unwrap_err();
        assert!(matches!(again, RunError::MachineLost(_)), "no trial begins without its machines");
        assert_eq!((sink.len(), fake.count("run a q")), (1, 3));
    }
}

#[test]
fn a_trial_that_a_fault_ended_records_what_came_of_the_fault() {
    let fault = r#"{"fault":"kill@50%","node":2,"fired_ns":40,"tasks_done":5,"detected_ns":45,"tasks_repeated":0}"#;
    let outcome: bench_model::FaultOutcome = serde_json::from_str(fault).unwrap();
    let struck = |failure| Act::Struck(failure, outcome.clone());
    let late = Failure::TimedOut { request: "run", after: Duration::from_secs(1) };
    for failure in [Failure::Failed("no node is left".into()), late] {
        let fake = Fake::default().script("a", "q", [right(1), struck(failure), right(1)]);
        let (observations, _) = check(&plan(vec![workload("q")], &["a"], 2), &fake);
        assert!(matches!(observations[0].outcome, Outcome::Failed | Outcome::TimedOut));
        assert_eq!(observations[0].faults, std::slice::from_ref(&outcome));
        assert!(observations.iter().skip(1).all(|o| o.faults.is_empty()), "what came of a fault is one trial's");
    }
}

#[test]
fn an_unanswered_question_is_another_one_at_another_scale() {
    let fake = Fake::default();
    let small = Plan { oracle: None, ..plan(vec![unanswered("q")], &["a"], 1) };
    let (recorded, _) = check(&small, &fake);
    assert_eq!(recorded[0].case.scale, 1);
    // Over more data the same workload has another answer, to which nobody has been held yet.
    let other = Fake::default().script("a", "q", [Act::Answer { answer: 43, ms: 1 }]);
    let (recorded, summary) = resume(&Plan { scale: 4, ..small }, &other, recorded);
    assert_eq!((summary.completed, recorded[1].case.scale), (1, 4));
    assert_ne!(recorded[0].key, recorded[1].key);
}

#[test]
fn a_dead_engine_is_replaced_and_warmed_again() {
    let crash = Act::Fail(Failure::Panicked("once".into()));
    let fake = Fake::default().script("a", "q", [right(1), crash, right(1)]);
    let (observations, _) = check(&plan(vec![workload("q"), workload("r")], &["a"], 3), &fake);
    assert_eq!(outcomes(&observations)[..3], ["failed", "completed", "completed"]);
    assert_eq!((fake.count("start a"), fake.count("load a"), fake.count("run a q")), (2, 2, 5));
}

#[test]
fn a_dead_engine_is_put_away_before_the_next_one_has_its_turn() {
    let crash = || Act::Fail(Failure::Panicked("always".into()));
    let fake = Fake::default().script("a", "q", [crash()]);
    check(&plan(vec![workload("q")], &["a", "b"], 3), &fake);
    let log = fake.log();
    let dies = log.iter().position(|line| line == "run a q").unwrap();
    assert_eq!(log[dies + 1], "stop a", "what it left on the disk goes with it: {log:?}");
}

#[test]
fn who_lost_a_process_while_it_waited_is_started_anew_and_has_not_failed() {
    let fake = Fake::default();
    let (observations, _) = check(&plan(vec![workload("q")], &["mortal", "b"], 3), &fake);
    assert_eq!(outcomes(&observations), ["completed"; 6]);
    let says_so = |o: &&Observation| o.notes.iter().any(|note| note.contains("ended while it waited"));
    let noted: Vec<u32> = observations.iter().filter(says_so).map(|o| o.trial).collect();
    assert!(observations.iter().filter(says_so).all(|o| o.case.engine == "mortal"), "{observations:#?}");
    assert_eq!((noted, fake.count("start mortal"), fake.count("start b")), (vec![1, 2], 3, 1));
}

#[test]
fn what_engines_say_of_themselves_is_cut_to_what_a_record_has_room_for() {
    let endless = Act::Fail(Failure::Failed("e".repeat(3 << 20)));
    let fake = Fake::default().script("a", "q", [endless]);
    let (observations, _) = check(&plan(vec![workload("q")], &["a"], 1), &fake);
    let reason = observations[0].reason.as_deref().unwrap();
    assert!(reason.len() < 5_000 && reason.ends_with("more bytes)"), "{}", reason.len());
}

#[test]
fn contaminated_trials_are_marked_and_repeated_within_bounds() {
    let disturbed = || Act::Disturbed { answer: 42, ms: 9 };
    let fake = Fake::default().script("a", "q", [right(1), disturbed(), right(1)]);
    let (observations, summary) = check(&plan(vec![workload("q")], &["a"], 2), &fake);
    let seen: Vec<_> = observations.iter().map(|o| (o.trial, o.repeat, o.contaminated)).collect();
    assert_eq!(seen, [(0, None, true), (2, Some(0), false), (1, None, false)]);
    assert_eq!(summary.contaminated, 1);

    let always = Fake::default().script("a", "q", [disturbed()]);
    let (observations, _) = check(&plan(vec![workload("q")], &["a"], 2), &always);
    let seen: Vec<_> = observations.iter().map(|o| (o.trial, o.repeat)).collect();
    assert_eq!(seen, [(0, None), (2, Some(0)), (3, Some(0)), (1, None), (4, Some(1)), (5, Some(1))]);
}

#[test]
fn the_oracle_engine_is_asked_once_per_workload_without_stored_answer() {
    let fake = Fake::default();
    let (observations, _) = check(&plan(vec![unanswered("q"), workload("stored")], &["a", "b"], 3), &fake);
    assert_eq!(fake.count("run oracle"), 1);
    assert_eq!(fake.count("stop oracle"), 1);
    let oracles: BTreeSet<_> = observations.iter().filter_map(|o| o.oracle.as_deref()).collect();
    assert_eq!(oracles, BTreeSet::from(["oracle 1.0", "stored"]));
}

#[test]
fn without_an_oracle_engines_are_held_to_the_first_answer_and_the_record_says_so() {
    let fake = Fake::default().script("oracle", "q", [Act::Fail(Failure::Unsupported("graphs".into()))]);
    let (observations, summary) = check(&plan(vec![unanswered("q")], &["a", "b"], 2), &fake);
    assert_eq!(summary.completed, 4);
    assert_eq!(observations[0].oracle, None, "nobody vouches for the first answer");
    let said = observations[1].oracle.clone().unwrap();
    assert!(said.starts_with("first answer, of ") && said.ends_with("(oracle: graphs)"), "{said}");

    let liar = Fake::default().script("oracle", "q", [Act::Fail(Failure::Unsupported("graphs".into()))]).script(
        &observations[1].case.engine,
        "q",
        [Act::Answer { answer: 1, ms: 1 }],
    );
    let (_, summary) = check(&plan(vec![unanswered("q")], &["a", "b"], 2), &liar);
    assert_eq!(summary.wrong_answers, 2);
}

#[test]
fn an_interrupted_run_leaves_the_trial_in_flight_unrecorded_and_resumes_with_the_rest() {
    let two = plan(vec![workload("q1"), workload("q2")], &["a", "b"], 3);
    let interrupted = Fake::default().script("b", "q2", [right(1), Act::Interrupt]);
    let (first, summary) = check(&two, &interrupted);
    assert!(summary.interrupted && first.len() < 12);
    let (second, summary) = resume(&two, &Fake::default(), first.clone());
    assert!(!summary.interrupted);
    assert_eq!(second.len(), 12);
    assert_eq!(summary.recorded as usize, 12 - first.len());
    let (whole, _) = check(&two, &Fake::default());
    let ids = |list: &[Observation]| list.iter().map(Observation::id).collect::<BTreeSet<_>>();
    assert_eq!(ids(&second), ids(&whole));
}

#[test]
fn resuming_a_finished_run_starts_nothing() {
    let failing = Fake::default().script("a", "q2", [Act::Fail(Failure::Data("truncated".into()))]);
    let two = plan(vec![workload("q1"), workload("q2"), unanswered("q3")], &["a", "b"], 3);
    let (done, _) = check(&two, &failing);
    let again = Fake::default();
    let (_, summary) = resume(&two, &again, done);
    assert_eq!((summary.recorded, again.log()), (0, vec![]));
}

#[test]
fn events_count_every_planned_trial_to_the_end() {
    let fake = Fake::default().script("a", "q", [Act::Fail(Failure::Unsupported("x".into()))]);
    let five = plan(vec![workload("q"), workload("r")], &["a", "b"], 5);
    let (mut done, mut total, mut given_up) = (0, 0, 0);
    let mut report = |event: RunEvent<'_>| match event {
        RunEvent::Planned { trials_total, .. } => total = trials_total,
        RunEvent::TrialEnded { trials_done, .. } => done = trials_done,
        RunEvent::GivenUp { skipped, .. } => given_up += skipped,
        _ => {}
    };
    let stop = AtomicBool::new(false);
    run(&five, &fake, &[], &mut Vec::new(), &stop, &mut report).unwrap();
    assert_eq!((done, total, given_up), (20, 20, 4));
}

#[test]
fn the_first_answer_of_each_case_is_kept() {
    struct Folder(Vec<Observation>, tempfile::TempDir);
    impl Sink for Folder {
        fn record(&mut self, observation: &Observation) -> Result<(), bench_record::RecordError> {
            self.0.record(observation)
        }
        fn folder(&self) -> Option<&std::path::Path> {
            Some(self.1.path())
        }
        fn results_folder(&self) -> Result<Option<std::path::PathBuf>, bench_record::RecordError> {
            Ok(Some(self.1.path().to_owned()))
        }
    }
    let mut sink = Folder(Vec::new(), tempfile::tempdir().unwrap());
    let keeping = Plan { keep_results: true, twins: Twins::All, ..plan(vec![workload("q")], &["a", "b"], 2) };
    let stop = AtomicBool::new(false);
    run(&keeping, &Fake::default(), &[], &mut sink, &stop, &mut |_| {}).unwrap();
    let mut kept: Vec<_> =
        std::fs::read_dir(sink.1.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    kept.sort();
    let mut expected: Vec<_> = keeping.cases().iter().map(|c| format!("{}.parquet", c.key())).collect();
    expected.sort();
    assert_eq!(kept, expected);
}

#[test]
fn harness_failures_are_errors_and_never_observations() {
    let fake = Fake::default().script("a", "q", [Act::Fail(Failure::Harness("disk full".into()))]);
    let mut sink = Vec::new();
    let stop = AtomicBool::new(false);
    let one = plan(vec![workload("q")], &["a"], 1);
    let error = run(&one, &fake, &[], &mut sink, &stop, &mut |_| {}).unwrap_err();
    assert!(matches!(error, RunError::Harness { .. }) && sink.is_empty());
    insta::assert_snapshot!(error.to_string(), @"workload q, engine a: disk full");
}

#[test]
fn impossible_plans_are_refused_with_the_next_step() {
    let said = |plan: Plan| plan.validate().unwrap_err().to_string();
    insta::assert_snapshot!(said(plan(vec![], &["a"], 1)), @"nothing to run: no workloads selected; see `bench list workloads`");
    insta::assert_snapshot!(said(plan(vec![workload("q")], &["a"], 0)), @"--trials must be at least 1");
    let twice = said(plan(vec![workload("q")], &["a", "a"], 1));
    assert!(
        twice.ends_with("is planned twice; give workloads different names, or engines different settings"),
        "{twice}"
    );
    let nothing = Plan { scale: 0, ..plan(vec![workload("q")], &["a"], 1) };
    insta::assert_snapshot!(said(nothing), @"the data of suite `test` cannot be 0 times as large as it is");
    let lost = Plan { datasets: vec![], ..plan(vec![workload("q")], &["a"], 1) };
    insta::assert_snapshot!(said(lost), @"workload `q` reads dataset `d`, which is not loaded; make it with `bench data make`");
}

/// Acts for random scripts.
fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (1u64..9).prop_map(right),
        2 => Just(Act::Disturbed { answer: 42, ms: 1 }),
        1 => Just(Act::Answer { answer: 7, ms: 1 }),
        1 => Just(Act::Fail(Failure::Panicked("p".into()))),
        1 => Just(Act::Fail(Failure::Unsupported("u".into()))),
        1 => Just(Act::Fail(Failure::TimedOut { request: "run", after: Duration::ZERO })),
        1 => Just(Act::Interrupt),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_engines_do_every_case_ends_and_resuming_finishes_it(
        a in prop::collection::vec(act(), 1..8),
        b in prop::collection::vec(act(), 1..8),
        trials in 1u32..5,
        cold: bool,
    ) {
        let protocol = if cold { Protocol::ColdProcess } else { Protocol::Warm(1) };
        let two = Plan { protocol, twins: Twins::All, ..plan(vec![workload("q"), unanswered("r")], &["a", "b"], trials) };
        let fake = Fake::default().script("a", "q", a).script("b", "r", b);
        let mut recorded = Vec::new();
        for _ in 0..100 {
            let (now, summary) = resume(&two, &fake, recorded);
            recorded = now;
            if !summary.interrupted {
                break;
            }
        }
        // Scripts may interrupt for ever; well-behaved engines then finish what is left, and nothing is left after that.
        let (recorded, _) = resume(&two, &Fake::default(), recorded);
        let (_, summary) = resume(&two, &Fake::default(), recorded);
        prop_assert_eq!(summary, RunSummary::default());
    }
}

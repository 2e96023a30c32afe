//! The journal's promises: exclusive, append-only, at most the trial in flight lost.

mod run_fixture;

use bench_record::{
    Arm, CONTEXT_FILE, ClusterContext, Difference, Invalid, Journal, MAX_LINE_BYTES, NodeMachine, OBSERVATIONS_FILE,
    Outcome, RecordError, Run, RunContext, Torn, WorkloadContext,
};
use run_fixture::{case, completed, context};
use std::fs;
use std::io::Write;

#[test]
fn what_is_appended_is_read_back_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("new/run");
    let mut journal = Journal::create(&out, &context()).unwrap();
    let written = [completed("q2", 0), completed("q1", 0), completed("q2", 1)];
    for observation in &written {
        journal.append(observation).unwrap();
    }
    // Readable while it is being written, and after.
    assert_eq!(Run::load(&out).unwrap().observations, written);
    drop(journal);
    let run = Run::load(&out).unwrap();
    assert_eq!((run.context.clone(), run.torn_bytes, &run.path), (context(), 0, &out));
    assert_eq!(run.observations, written);
}

#[test]
fn two_writers_cannot_share_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::create(dir.path(), &context()).unwrap();
    assert!(matches!(Journal::resume(dir.path()), Err(RecordError::Locked { .. })));
    drop(journal);
    assert!(Journal::resume(dir.path()).is_ok());
}

#[test]
fn a_run_that_leads_out_of_its_folder_is_not_continued() {
    use std::os::unix::fs::symlink;
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (path, mine) = (dir.path().join(OBSERVATIONS_FILE), elsewhere.path().join("mine"));
    drop(Journal::create(dir.path(), &context()).unwrap());
    fs::write(&mine, "a line that is not whole").unwrap();
    fs::remove_file(&path).unwrap();
    symlink(&mine, &path).unwrap();
    let refused = Journal::resume(dir.path()).unwrap_err();
    assert!(matches!(refused, RecordError::NotOwn { .. }), "{refused}");
    assert_eq!(fs::read_to_string(&mine).unwrap(), "a line that is not whole");
    // What is written beside it is a file of its own, whatever link is in its place.
    fs::remove_file(&path).unwrap();
    symlink(&mine, dir.path().join(".run.json.draft")).unwrap();
    Journal::resume(dir.path()).unwrap().journal.write_context(&context()).unwrap();
    assert_eq!(fs::read_to_string(&mine).unwrap(), "a line that is not whole");
    assert!(!dir.path().join(CONTEXT_FILE).is_symlink());
}

#[test]
fn a_new_run_refuses_a_folder_with_anything_in_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "x").unwrap();
    let error = Journal::create(dir.path(), &context()).unwrap_err().to_string();
    assert!(error.contains("thesis.tex") && error.contains("--out"), "{error}");
    assert!(!dir.path().join(CONTEXT_FILE).exists() && !dir.path().join(OBSERVATIONS_FILE).exists());

    let dir = tempfile::tempdir().unwrap();
    drop(Journal::create(dir.path(), &context()).unwrap());
    let error = Journal::create(dir.path(), &context()).unwrap_err();
    assert!(matches!(error, RecordError::Occupied { .. }), "{error}");
}

#[test]
fn a_run_killed_before_its_first_record_leaves_an_empty_folder() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(OBSERVATIONS_FILE), "").unwrap();
    fs::write(dir.path().join(".run.json.draft"), "{\"sch").unwrap();
    assert!(Journal::create(dir.path(), &context()).is_ok());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Journal::create(&file.join("run"), &context()).unwrap_err().to_string();
    assert!(error.contains("cannot create the folder") && error.contains("file/run"), "{error}");
}

#[test]
fn a_folder_is_judged_before_any_work_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let listed = || fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect::<Vec<_>>();
    Journal::check(&dir.path().join("new/run")).unwrap();
    Journal::check(dir.path()).unwrap();
    assert_eq!(listed(), [""; 0]);

    fs::write(dir.path().join("thesis.tex"), "x").unwrap();
    assert!(matches!(Journal::check(dir.path()), Err(RecordError::Foreign { .. })));
    let below = Journal::check(&dir.path().join("thesis.tex/run")).unwrap_err().to_string();
    assert!(below.contains("cannot create the folder") && below.contains("thesis.tex/run"), "{below}");
    drop(Journal::create(&dir.path().join("run"), &context()).unwrap());
    assert!(matches!(Journal::check(&dir.path().join("run")), Err(RecordError::Occupied { .. })));
    // Nobody may write here, not even root.
    let refused = Journal::check("/proc/self/run".as_ref()).unwrap_err().to_string();
    assert!(refused.starts_with("cannot write to the folder /proc/"), "{refused}");
}

#[test]
fn resuming_cuts_a_torn_line_and_only_that() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(dir.path(), &context()).unwrap();
    journal.append(&completed("q1", 0)).unwrap();
    journal.append(&completed("q1", 1)).unwrap();
    drop(journal);
    let path = dir.path().join(OBSERVATIONS_FILE);
    let whole = fs::read(&path).unwrap();
    let first = whole.iter().position(|b| *b == b'\n').unwrap() + 1;
    // The file as a crash may leave it after any byte of the second line.
    for end in first..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        let mut resumed = Journal::resume(dir.path()).unwrap();
        let bytes = (end - first) as u64;
        assert_eq!(resumed.torn, (bytes > 0).then_some(Torn { bytes }));
        assert_eq!(resumed.observations, [completed("q1", 0)]);
        assert!(!resumed.journal.contains(&completed("q1", 1).id()));
        resumed.journal.append(&completed("q1", 1)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn a_finished_trial_is_never_recorded_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(dir.path(), &context()).unwrap();
    journal.append(&completed("q1", 0)).unwrap();
    assert!(matches!(journal.append(&completed("q1", 0)), Err(RecordError::Repeated { .. })));
    drop(journal);
    let mut resumed = Journal::resume(dir.path()).unwrap();
    assert_eq!(resumed.journal.recorded().cloned().collect::<Vec<_>>(), [completed("q1", 0).id()]);
    assert!(matches!(resumed.journal.append(&completed("q1", 0)), Err(RecordError::Repeated { .. })));
    let mut twin = completed("q1", 0);
    twin.arm = Arm::Twin;
    resumed.journal.append(&twin).unwrap();
}

#[test]
fn contradictions_are_not_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(dir.path(), &context()).unwrap();
    let mut refused = |change: &dyn Fn(&mut bench_record::Observation), expected: Invalid| {
        let mut observation = completed("q1", 1);
        change(&mut observation);
        match journal.append(&observation) {
            Err(RecordError::Invalid { source, .. }) => assert_eq!(source, expected),
            other => panic!("{other:?}"),
        }
    };
    refused(&|o| o.wall_ns = None, Invalid::NoTime);
    refused(&|o| o.reason = Some("?".into()), Invalid::Reason);
    refused(&|o| o.outcome = Outcome::WrongAnswer, Invalid::Time(Outcome::WrongAnswer));
    refused(&|o| (o.outcome, o.wall_ns) = (Outcome::Failed, None), Invalid::NoReason(Outcome::Failed));
    refused(&|o| o.not_ready = true, Invalid::NotReady(Outcome::Completed));
    refused(&|o| o.repeat = Some(1), Invalid::Repeat { trial: 1, repeat: 1 });
    let key = case("q1").key();
    refused(
        &|o| o.case.slots = 8,
        Invalid::Key { found: key, expected: bench_record::Case { slots: 8, ..case("q1") }.key() },
    );
    let infinite = bench_record::ColumnDigest { name: "c".into(), sum: f64::INFINITY, ..Default::default() };
    let digest = bench_record::Digest { approx: vec![infinite], ..Default::default() };
    refused(&|o| o.digest = Some(digest.clone()), Invalid::NotFinite("c".into()));
    assert_eq!(Run::load(dir.path()).unwrap().observations, []);
}

#[test]
fn a_line_too_long_to_be_read_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(dir.path(), &context()).unwrap();
    let mut observation = completed("q1", 0);
    observation.notes = vec!["x".repeat(MAX_LINE_BYTES)];
    assert!(matches!(journal.append(&observation), Err(RecordError::TooLong { .. })));
    journal.append(&completed("q1", 0)).unwrap();
    assert_eq!(Run::load(dir.path()).unwrap().observations.len(), 1);
}

#[test]
fn a_full_disk_leaves_only_whole_lines() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(dir.path(), &context()).unwrap();
    journal.append(&completed("q1", 0)).unwrap();
    drop(journal);
    // A process killed after the disk took part of a line leaves this; the next append must not join the two.
    let path = dir.path().join(OBSERVATIONS_FILE);
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"schema\":2,").unwrap();
    let mut journal = Journal::resume(dir.path()).unwrap().journal;
    journal.append(&completed("q1", 1)).unwrap();
    assert_eq!(Run::load(dir.path()).unwrap().observations, [completed("q1", 0), completed("q1", 1)]);
}

#[test]
fn the_context_is_replaced_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::create(dir.path(), &context()).unwrap();
    let mut later = context();
    later.warnings.push("steal time seen; run on an idle machine".into());
    journal.write_context(&later).unwrap();
    assert_eq!(Run::load(dir.path()).unwrap().context, later);
    assert!(journal.results_folder().unwrap().ends_with("results"));
}

#[test]
fn runs_that_read_or_computed_something_else_under_one_name_differ() {
    let mut other = context();
    assert_eq!(context().difference(&other), None);
    other.workloads[0].checksum = "f0f0".into();
    let said = context().difference(&other).map(|d| d.to_string());
    assert_eq!(said.as_deref(), Some("workload `tpch-q01` has another program or another expected answer"));
    other.datasets[0].checksum = "ff00".into();
    assert_eq!(context().difference(&other), Some(Difference::Dataset("tpch-sf0.01".into())));
    // The same name over grown data is another program, and no contradiction.
    other.datasets[0].checksum = context().datasets[0].checksum.clone();
    other.workloads[0].scale = 4;
    assert_eq!(context().difference(&other), None);
    // Runs of other workloads or data have nothing in common that could differ.
    other.workloads[0].name = "tpch-q02".into();
    other.datasets.clear();
    assert_eq!(context().difference(&other), None);
}

#[test]
fn runs_on_other_machines_under_one_kind_of_cluster_differ() {
    let machine = |last: u8, cores: u32| NodeMachine {
        address: [10, 0, 0, last].into(),
        cpu_model: Some("Example".into()),
        cores,
        memory_bytes: Some(1 << 35),
    };
    let on = |machines: Vec<NodeMachine>| {
        let mut context = context();
        context.cluster = ClusterContext { name: "hosts".into(), machines, ..ClusterContext::local() };
        context
    };
    let two = on(vec![machine(1, 8), machine(2, 8)]);
    let smaller = on(vec![machine(1, 8), machine(2, 4)]);
    let said = smaller.difference(&two).map(|d| d.to_string()).unwrap();
    assert_eq!(said, "node n1 ran on another machine (Example, 4 cores, 32.0 GiB, not Example, 8 cores, 32.0 GiB)");
    assert_eq!(on(vec![machine(9, 8)]).difference(&two), None, "the first of equal machines, reached elsewhere");
    assert_eq!(context().difference(&two), None, "a run without nodes elsewhere contradicts none with them");
    assert!(two.machine_summary().ends_with("; 2 nodes on Example, 8 cores, 32.0 GiB"));
    let text = serde_json::to_string(&two).unwrap();
    assert_eq!(serde_json::from_str::<RunContext>(&text).unwrap(), two);
}

#[test]
fn looking_for_a_difference_takes_time_in_proportion_to_what_runs_name() {
    let named = |count: u32| {
        let workloads =
            (0..count).map(|i| WorkloadContext { name: format!("w{i:06}"), checksum: "0f".into(), scale: 1 });
        RunContext { workloads: workloads.collect(), ..context() }
    };
    // Equally much work in both if it is in proportion, so that whatever else the machine does counts alike; the shortest of several.
    let took = |count: u32, times: u32| {
        let (ours, mut theirs) = (named(count), named(count));
        theirs.workloads.reverse();
        let once = || {
            let began = std::time::Instant::now();
            (0..times).for_each(|_| assert_eq!(ours.difference(&theirs), None));
            began.elapsed()
        };
        (0..5).map(|_| once()).min().unwrap()
    };
    let (few, many) = (took(500, 64), took(32_000, 1));
    assert!(many < 20 * few, "64 times the names took {many:?} instead of {few:?}: each is compared with each");
}

//! The reader on bytes nobody meant for it.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod run_fixture;

use bench_record::{
    Arm, CONTEXT_FILE, Journal, MAX_LINE_BYTES, NetworkBytes, OBSERVATIONS_FILE, Pressure, RecordError, Run, Timestamp,
};
use proptest::prelude::*;
use run_fixture::{completed, context};
use std::fs;
use std::path::Path;

fn folder_with(lines: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    drop(Journal::create(dir.path(), &context()).unwrap());
    fs::write(dir.path().join(OBSERVATIONS_FILE), lines).unwrap();
    dir
}

fn line() -> String {
    serde_json::to_string(&completed("q1", 0)).unwrap()
}

/// What loading says about a second line, after a good first one.
fn check(second: &str) -> String {
    let first = serde_json::to_string(&completed("q0", 0)).unwrap();
    let dir = folder_with(format!("{first}\n{second}\n").as_bytes());
    let told = Run::load(dir.path()).map(|_| ()).map_err(|e| e.to_string());
    let place = dir.path().join(OBSERVATIONS_FILE).display().to_string();
    told.map_or_else(|e| e.replace(&place, "FILE"), |()| "fine".to_owned())
}

#[test]
fn numbers_that_are_none_are_refused_with_their_line() {
    for value in ["NaN", "-1", "1e400", "\"fast\"", "1.5", "18446744073709551616", "null"] {
        let told = check(&line().replace("\"wall_ns\":1000000", &format!("\"wall_ns\":{value}")));
        assert!(told.starts_with("FILE: line 2: "), "{value}: {told}");
    }
}

#[test]
fn garbage_is_refused_with_its_line() {
    for text in ["", "{}", "[]", "null", "{\"schema\":1}", "\u{0}\u{0}", "{\"schema\":1,\"schema\":1}"] {
        let told = check(text);
        assert!(told.starts_with("FILE: line 2: ") && told.contains("--resume"), "{text}: {told}");
    }
    let deep = "[".repeat(100_000);
    assert!(check(&deep).starts_with("FILE: line 2: "));
}

#[test]
fn a_time_on_a_wrong_answer_is_refused() {
    let told = check(&line().replace("\"completed\"", "\"wrong_answer\""));
    assert!(told.contains("outcome `wrong_answer` with `wall_ns`"), "{told}");
}

#[test]
fn an_edited_case_is_noticed() {
    let told = check(&line().replace("\"slots\":2", "\"slots\":64"));
    assert!(told.contains("is not the key of its case"), "{told}");
}

#[test]
fn duplicates_name_both_lines() {
    let dir = folder_with(format!("{}\n{}\n", line(), line()).as_bytes());
    let error = Run::load(dir.path()).unwrap_err();
    assert!(matches!(error, RecordError::Duplicate { line: 2, first: 1, .. }), "{error}");
}

#[test]
fn endless_lines_are_refused_without_reading_them_whole() {
    let dir = folder_with(&vec![b'x'; MAX_LINE_BYTES + 1]);
    let told = Run::load(dir.path()).unwrap_err().to_string();
    assert!(told.contains("line 1: longer than 1048576 bytes"), "{told}");
}

#[test]
fn a_newer_schema_is_named_as_such() {
    let told = check("{\"schema\":3,\"shape\":\"unknown\"}");
    assert!(told.starts_with("FILE: line 2: schema 3 is newer than 2"), "{told}");
    let told = check(&line().replace("\"schema\":2", "\"schema\":9"));
    assert!(told.starts_with("FILE: line 2: schema 9 is newer than 2"), "{told}");

    let dir = folder_with(b"");
    fs::write(dir.path().join(CONTEXT_FILE), "{\"schema\":3}").unwrap();
    assert!(matches!(Run::load(dir.path()), Err(RecordError::NewerSchema { line: None, found: 3, .. })));
    assert!(matches!(Journal::resume(dir.path()), Err(RecordError::NewerSchema { .. })));
}

#[test]
fn fields_added_within_a_schema_are_ignored() {
    assert_eq!(check(&line().replacen('{', "{\"added_later\":[1,{}],", 1)), "fine");
    let fault = r#""faults":[{"fault":"kill@1%","node":0,"tasks_done":0,"tasks_repeated":0,"added_later":1}],"#;
    assert_eq!(check(&line().replacen('{', &format!("{{{fault}"), 1)), "fine");
    let counted = r#""pressure":{"of":"machine","gpu_some_ns":1},"#;
    assert_eq!(check(&line().replacen('{', &format!("{{{counted}"), 1)), "fine");
}

#[test]
fn what_the_system_counted_is_whole_numbers_of_a_known_scope_or_refused() {
    let network = |sent: &str| {
        let rest = r#""namespaces":1,"loopback_received_bytes":1,"loopback_sent_bytes":1,"received_bytes":1"#;
        format!("\"network\":{{{rest},\"sent_bytes\":{sent}}},")
    };
    let with = |field: &str| check(&line().replacen('{', &format!("{{{field}"), 1));
    assert_eq!(with(&network("0")), "fine");
    let broken = [
        network("-1"),
        network("0.5"),
        network("null"),
        "\"network\":{},".to_owned(),
        "\"network\":[1],".to_owned(),
        "\"pressure\":{\"of\":\"galaxy\"},".to_owned(),
        "\"pressure\":{\"cpu_some_ns\":1},".to_owned(),
        "\"pressure\":{\"of\":\"cgroup\",\"cpu_some_ns\":NaN},".to_owned(),
        "\"spilled_bytes\":-1,".to_owned(),
    ];
    for field in broken {
        let told = with(&field);
        assert!(told.starts_with("FILE: line 2: "), "{field}: {told}");
    }
}

#[test]
fn journals_of_the_first_schema_are_still_read() {
    let first = line().replace("\"schema\":2", "\"schema\":1");
    assert_eq!(check(&first), "fine");
    let fault = r#""faults":[{"fault":"kill@1%","node":0,"fired_ns":1,"tasks_done":0,"tasks_repeated":0}],"#;
    assert_eq!(check(&first.replacen('{', &format!("{{{fault}"), 1)), "fine");
    let dir = folder_with(format!("{first}\n").as_bytes());
    let path = dir.path().join(CONTEXT_FILE);
    let context = fs::read_to_string(&path).unwrap().replace("\"schema\": 2", "\"schema\": 1");
    fs::write(&path, context).unwrap();
    let run = Run::load(dir.path()).unwrap();
    assert_eq!((run.context.schema, run.context.workloads[0].scale), (1, 1));
    assert_eq!((run.observations[0].case.scale, run.observations[0].pressure), (1, None));
    assert_eq!(Journal::resume(dir.path()).unwrap().observations.len(), 1);
}

#[test]
fn a_scale_that_is_not_the_key_s_or_is_none_is_refused() {
    for (scale, word) in [("4", "is not the key of its case"), ("0", "is not the key of its case"), ("-1", "line 2")] {
        let told = check(&line().replace("\"warm-1\"}", &format!("\"warm-1\",\"scale\":{scale}}}")));
        assert!(told.contains(word), "{scale}: {told}");
    }
    let mut none = completed("q1", 0);
    none.case.scale = 0;
    none.key = none.case.key();
    assert!(check(&serde_json::to_string(&none).unwrap()).contains("`scale` is 0 in `case`"));
}

#[test]
fn a_folder_without_a_run_says_so() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Run::load(dir.path()), Err(RecordError::NotARun { .. })));
    assert!(matches!(Run::load(&dir.path().join("absent")), Err(RecordError::NotARun { .. })));
    assert!(matches!(Journal::resume(dir.path()), Err(RecordError::NotARun { .. })));
    assert!(!dir.path().join(OBSERVATIONS_FILE).exists());
    fs::write(dir.path().join(CONTEXT_FILE), "{\"schema\":1}").unwrap();
    let told = Run::load(dir.path()).unwrap_err().to_string();
    assert!(told.contains("missing field `bench`"), "{told}");
}

#[test]
fn a_time_of_zero_is_no_time() {
    let zero = line().replacen(&format!("\"wall_ns\":{}", completed("q1", 0).wall_ns.unwrap()), "\"wall_ns\":0", 1);
    assert!(check(&zero).contains("`wall_ns` is 0: no answer takes no time"), "{}", check(&zero));
}

#[test]
fn a_line_of_ten_gigabytes_is_refused_without_reading_it() {
    let dir = folder_with(b"");
    // Without a block on disk: every byte of it is zero.
    fs::File::create(dir.path().join(OBSERVATIONS_FILE)).unwrap().set_len(10 << 30).unwrap();
    let told = Run::load(dir.path()).unwrap_err().to_string();
    assert!(told.contains("line 1: longer than 1048576 bytes"), "{told}");
}

#[cfg(unix)]
#[test]
fn a_pipe_or_a_folder_in_place_of_a_file_is_refused_and_not_waited_for() {
    for name in [CONTEXT_FILE, OBSERVATIONS_FILE, bench_record::BLOCKING_FILE] {
        let dir = folder_with(b"");
        let path = dir.path().join(name);
        let _ = fs::remove_file(&path);
        fs::create_dir(&path).unwrap();
        assert!(matches!(Run::load(dir.path()), Err(RecordError::NotAFile { .. })), "{name}");
        fs::remove_dir(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        assert!(matches!(Run::load(dir.path()), Err(RecordError::NotAFile { .. })), "{name}");
    }
}

#[test]
fn a_run_without_trials_is_a_run() {
    let dir = folder_with(b"");
    fs::remove_file(dir.path().join(OBSERVATIONS_FILE)).unwrap();
    assert_eq!(Run::load(dir.path()).unwrap().observations, []);
}

fn load(dir: &Path) -> Result<Run, RecordError> {
    Run::load(dir)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let dir = folder_with(&bytes);
        let _ = load(dir.path());
        fs::write(dir.path().join(CONTEXT_FILE), &bytes).unwrap();
        let _ = load(dir.path());
    }

    #[test]
    fn a_damaged_journal_is_refused_or_read_never_a_panic(at in 0usize..2000, byte in any::<u8>(), cut in any::<bool>()) {
        let mut text = format!("{}\n{}\n", line(), serde_json::to_string(&completed("q2", 0)).unwrap()).into_bytes();
        let at = at % text.len();
        if cut { text.truncate(at) } else { text[at] = byte }
        let dir = folder_with(&text);
        if let Ok(run) = load(dir.path()) {
            prop_assert!(run.observations.len() <= 2);
            for observation in &run.observations {
                prop_assert_eq!(observation.validate(), Ok(()));
            }
        }
    }

    #[test]
    fn a_damaged_context_is_refused_or_read_never_a_panic(at in 0usize..4000, byte in any::<u8>()) {
        let dir = folder_with(b"");
        let path = dir.path().join(CONTEXT_FILE);
        let mut text = fs::read(&path).unwrap();
        let at = at % text.len();
        text[at] = byte;
        fs::write(&path, text).unwrap();
        let _ = load(dir.path());
    }

    #[test]
    fn any_observation_reads_back_as_written(
        trial in any::<u32>(), wall in any::<u64>(), cpu in any::<Option<u64>>(), notes in prop::collection::vec(".*", 0..3),
        workload in ".*", ms in any::<u64>(), contaminated in any::<bool>(), twin in any::<bool>(),
        scale in 1u32.., spilled in any::<Option<u64>>(), stall in any::<Option<u64>>(), sent in any::<u64>(),
    ) {
        let mut written = completed(&workload, 0);
        written.case.scale = scale;
        written.key = written.case.key();
        written.spilled_bytes = spilled;
        let none = r#"{"of":"cgroup"}"#;
        written.pressure = Some(Pressure { io_some_ns: stall, ..serde_json::from_str(none).unwrap() });
        written.network = Some(NetworkBytes { sent_bytes: sent, namespaces: 1, ..NetworkBytes::default() });
        written.trial = trial;
        written.wall_ns = Some(wall);
        written.cpu_ns = cpu;
        written.notes = notes;
        written.started_at = Timestamp::from_unix_ms(ms);
        written.contaminated = contaminated;
        written.arm = if twin { Arm::Twin } else { Arm::Main };
        let text = serde_json::to_string(&written).unwrap();
        prop_assert!(!text.contains('\n'));
        prop_assert_eq!(serde_json::from_str::<bench_record::Observation>(&text).unwrap(), written);
    }
}

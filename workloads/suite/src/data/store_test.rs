//! What the store promises, tried on small sets.

use super::*;
use crate::spec::{Groupby, Tpch};
use std::sync::Mutex;
use std::sync::atomic::Ordering;

static GO: AtomicBool = AtomicBool::new(false);

fn small() -> DatasetSpec {
    DatasetSpec::Groupby(Groupby::uniform(2_000))
}

fn jobs(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).unwrap()
}

fn made(root: &Path, spec: &DatasetSpec) -> (DataStore, Manifest) {
    let store = DataStore::new(root);
    let manifest = store.make(spec, jobs(2), &(), &GO).unwrap();
    (store, manifest)
}

/// Stops the work after so many parts, as Ctrl-C would.
struct StopAfter<'a> {
    parts: Mutex<u32>,
    stop: &'a AtomicBool,
}

impl Progress for StopAfter<'_> {
    fn event(&self, event: Event<'_>) {
        if matches!(event, Event::Part { .. }) {
            let mut left = self.parts.lock().unwrap();
            *left = left.saturating_sub(1);
            self.stop.store(*left == 0, Ordering::Relaxed);
        }
    }
}

/// Remembers how much was there when the work began.
#[derive(Default)]
struct Seen {
    parts_done: Mutex<Option<u64>>,
    parts: Mutex<u64>,
}

impl Progress for Seen {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Started { parts_done, .. } => *self.parts_done.lock().unwrap() = Some(parts_done),
            Event::Part { .. } => *self.parts.lock().unwrap() += 1,
            _ => {}
        }
    }
}

fn interrupted(root: &Path, spec: &DatasetSpec, parts: u32) -> DataStore {
    let store = DataStore::new(root);
    let stop = AtomicBool::new(false);
    let progress = StopAfter { parts: Mutex::new(parts), stop: &stop };
    assert!(matches!(store.make(spec, jobs(1), &progress, &stop), Err(DataError::Stopped)));
    store
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn any_number_of_threads_makes_the_same_bytes() {
    let (one, four) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let spec = DatasetSpec::Groupby(Groupby { null_percent: 5, ..Groupby::uniform(20_000) });
    let a = DataStore::new(one.path()).make(&spec, jobs(1), &(), &GO).unwrap();
    let b = DataStore::new(four.path()).make(&spec, jobs(4), &(), &GO).unwrap();
    assert_eq!(a, b);
    assert_eq!(a.fingerprint(), b.fingerprint());
}

#[test]
fn a_spec_gives_the_same_bytes_as_ever() {
    // If this fails, stored answers no longer apply: raise the version of the generator or of the layout, make the
    // answers again, and only then change these fingerprints.
    let root = tempfile::tempdir().unwrap();
    let tpch = DatasetSpec::Tpch(Tpch { scale_factor: 0.001 });
    let fingerprints = [small(), tpch].map(|spec| made(root.path(), &spec).1.fingerprint());
    insta::assert_snapshot!(fingerprints.join(" "), @"9fb6af7e3aaa1f858f01f1dffce43068 c69fb61d13a31e9560d93fd5edeeaabe");
}

#[test]
fn a_complete_set_opens_as_tables_with_their_columns() {
    let root = tempfile::tempdir().unwrap();
    let (store, manifest) = made(root.path(), &small());
    let dataset = store.open(&small()).unwrap();
    assert_eq!(dataset.name, "groupby-n2000");
    let names: Vec<&str> = dataset.tables.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["groupby", "x", "big", "medium", "small"]);
    let groupby = &dataset.tables[0];
    assert_eq!((groupby.rows, groupby.schema.field(5).name().as_str()), (2_000, "id6"));
    assert_eq!(dataset.tables.iter().map(|t| t.bytes).sum::<u64>(), manifest.bytes());
    assert!(groupby.files.iter().all(|f| f.is_absolute() && f.is_file()));
    insta::assert_snapshot!(manifest.tables[0].columns.join(", "), @"id1 Utf8 not null, id2 Utf8 not null, id3 Utf8 not null, id4 Int64 not null, id5 Int64 not null, id6 Int64 not null, v1 Int32 not null, v2 Int32 not null, v3 Float64 not null");
}

#[test]
fn making_a_complete_set_again_does_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (store, manifest) = made(root.path(), &small());
    let seen = Seen::default();
    assert_eq!(store.make(&small(), jobs(1), &seen, &GO).unwrap(), manifest);
    assert_eq!(*seen.parts_done.lock().unwrap(), None);
    assert_eq!(store.bytes_to_make(&small()), 0);
}

#[test]
fn an_interrupted_set_looks_unfinished_and_is_continued() {
    let root = tempfile::tempdir().unwrap();
    let store = interrupted(root.path(), &small(), 2);
    assert!(!root.path().join("groupby-n2000").exists());
    assert!(matches!(store.open(&small()), Err(DataError::Absent { .. })));
    assert_eq!(store.list().unwrap()[0].state, State::Partial);

    let seen = Seen::default();
    let resumed = store.make(&small(), jobs(2), &seen, &GO).unwrap();
    assert_eq!((*seen.parts_done.lock().unwrap(), *seen.parts.lock().unwrap()), (Some(2), 3));
    let fresh = tempfile::tempdir().unwrap();
    assert_eq!(resumed, made(fresh.path(), &small()).1);
    assert!(!root.path().join("groupby-n2000.partial").exists());
}

#[test]
fn a_kill_that_tears_the_journal_and_a_part_is_survived() {
    let root = tempfile::tempdir().unwrap();
    let store = interrupted(root.path(), &small(), 3);
    let partial = root.path().join("groupby-n2000.partial");
    let journal = partial.join("journal.ndjson");
    let text = fs::read(&journal).unwrap();
    fs::write(&journal, &text[..text.len() - 20]).unwrap();
    fs::write(partial.join("medium/part-00000.tmp"), b"half a file").unwrap();
    let seen = Seen::default();
    let resumed = store.make(&small(), jobs(1), &seen, &GO).unwrap();
    assert_eq!(*seen.parts_done.lock().unwrap(), Some(2));
    let fresh = tempfile::tempdir().unwrap();
    assert_eq!(resumed, made(fresh.path(), &small()).1);
    store.verify("groupby-n2000", jobs(2), &(), &GO).unwrap();
}

#[test]
fn what_other_generators_began_is_not_continued() {
    let root = tempfile::tempdir().unwrap();
    let store = interrupted(root.path(), &small(), 3);
    let journal = root.path().join("groupby-n2000.partial/journal.ndjson");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.replace("\"layout\":\"2\"", "\"layout\":\"0\"")).unwrap();
    let seen = Seen::default();
    store.make(&small(), jobs(1), &seen, &GO).unwrap();
    assert_eq!(*seen.parts_done.lock().unwrap(), Some(0));
}

#[test]
fn a_set_that_other_generators_made_is_refused_and_can_be_made_again() {
    let root = tempfile::tempdir().unwrap();
    let (store, manifest) = made(root.path(), &small());
    let file = root.path().join("groupby-n2000/manifest.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"groupby\": \"1\"", "\"groupby\": \"0\"")).unwrap();
    let refused =
        [store.open(&small()).map(drop).unwrap_err(), store.make(&small(), jobs(1), &(), &GO).map(drop).unwrap_err()];
    for error in refused.map(|e| e.to_string()) {
        assert!(error.contains("was made by groupby 0, layout 2"), "{error}");
        assert!(error.contains("`bench data rm groupby-n2000` and make it again"), "{error}");
    }
    assert!(matches!(&store.list().unwrap()[0].state, State::Broken { problem } if problem.contains("groupby 0")));
    store.rm("groupby-n2000").unwrap();
    assert_eq!(store.make(&small(), jobs(1), &(), &GO).unwrap(), manifest);
}

#[test]
fn an_interrupted_verification_still_tells_of_damage() {
    let root = tempfile::tempdir().unwrap();
    let (store, manifest) = made(root.path(), &small());
    fs::remove_file(root.path().join("groupby-n2000/small/part-00000.parquet")).unwrap();
    let error = store.verify(&manifest.name, jobs(1), &(), &AtomicBool::new(true)).unwrap_err();
    assert!(error.to_string().contains("small/part-00000.parquet is damaged"), "{error}");
}

#[test]
fn verify_names_the_file_with_a_flipped_byte() {
    let root = tempfile::tempdir().unwrap();
    let (store, manifest) = made(root.path(), &small());
    store.verify(&manifest.name, jobs(2), &(), &GO).unwrap();
    assert!(store.list().unwrap()[0].verified_unix_s.is_some());

    flip(&root.path().join("groupby-n2000/big/part-00000.parquet"));
    let error = store.verify(&manifest.name, jobs(2), &(), &GO).unwrap_err().to_string();
    assert!(error.contains("big/part-00000.parquet is damaged: its checksum is"), "{error}");
    assert!(error.contains("bench data rm groupby-n2000"), "{error}");
    assert_eq!(store.list().unwrap()[0].verified_unix_s, None);
}

#[test]
fn missing_truncated_and_foreign_files_are_named() {
    let root = tempfile::tempdir().unwrap();
    let (store, manifest) = made(root.path(), &small());
    let file = root.path().join("groupby-n2000/x/part-00000.parquet");
    let bytes = fs::read(&file).unwrap();
    let problem = |store: &DataStore| store.open(&small()).unwrap_err().to_string();

    fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    assert!(problem(&store).contains(&format!("it has {} bytes", bytes.len() - 1)));
    assert!(matches!(store.list().unwrap()[0].state, State::Broken { .. }));
    fs::write(&file, vec![b'x'; bytes.len()]).unwrap();
    assert!(problem(&store).contains("no readable Parquet footer"));
    fs::remove_file(&file).unwrap();
    assert!(problem(&store).contains("x/part-00000.parquet is damaged: it is missing"));

    let other = root.path().join("groupby-n2000").join(&manifest.tables[0].files[0].path);
    fs::copy(root.path().join("groupby-n2000/small/part-00000.parquet"), &file).unwrap();
    assert!(other.is_file());
    assert!(problem(&store).contains("bytes and the manifest says"));
}

#[test]
fn a_foreign_folder_is_neither_used_nor_removed() {
    let root = tempfile::tempdir().unwrap();
    let store = DataStore::new(root.path());
    for folder in ["groupby-n2000", "groupby-n2000.partial"] {
        let folder = root.path().join(folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("thesis.txt"), "years of work").unwrap();
        assert!(matches!(store.make(&small(), jobs(1), &(), &GO), Err(DataError::Foreign { .. })));
        assert!(matches!(store.rm("groupby-n2000"), Err(DataError::Foreign { .. })));
        assert!(folder.join("thesis.txt").is_file());
        fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn removing_works_on_complete_and_unfinished_sets_only() {
    let root = tempfile::tempdir().unwrap();
    let (store, _) = made(root.path(), &small());
    store.rm("groupby-n2000").unwrap();
    interrupted(root.path(), &small(), 1);
    store.rm("groupby-n2000").unwrap();
    assert_eq!(store.list().unwrap(), []);
    let absent = store.rm("groupby-n2000").unwrap_err().to_string();
    assert!(absent.starts_with("no dataset `groupby-n2000` in"), "{absent}");
    assert!(matches!(store.rm("../home"), Err(DataError::Name { .. })));
}

#[test]
fn removing_looks_before_it_touches_and_finishes_what_a_kill_left() {
    let root = tempfile::tempdir().unwrap();
    let (store, manifest) = made(root.path(), &small());
    let partial = root.path().join("groupby-n2000.partial");
    fs::create_dir(&partial).unwrap();
    fs::write(partial.join("thesis.txt"), "years of work").unwrap();
    assert!(matches!(store.rm("groupby-n2000"), Err(DataError::Foreign { .. })));
    assert_eq!(store.manifest("groupby-n2000").unwrap(), manifest);
    fs::remove_dir_all(&partial).unwrap();

    let left = root.path().join(".groupby-n2000.removed");
    fs::rename(root.path().join("groupby-n2000"), &left).unwrap();
    store.rm("groupby-n2000").unwrap();
    assert!(!left.exists());
    assert!(matches!(store.rm("groupby-n2000"), Err(DataError::Absent { .. })));
}

#[test]
fn a_set_that_another_process_works_on_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let store = DataStore::new(root.path());
    let held = store.lock("groupby-n2000").unwrap();
    assert!(matches!(store.make(&small(), jobs(1), &(), &GO), Err(DataError::Busy { .. })));
    assert!(matches!(store.verify("groupby-n2000", jobs(1), &(), &GO), Err(DataError::Busy { .. })));
    drop(held);
    store.make(&small(), jobs(1), &(), &GO).unwrap();
}

#[test]
fn too_little_space_is_known_before_the_first_byte() {
    let root = tempfile::tempdir().unwrap();
    let store = DataStore::new(root.path().join("data"));
    let huge = DatasetSpec::Tpch(Tpch { scale_factor: 100_000.0 });
    let error = store.make(&huge, jobs(1), &(), &GO).unwrap_err();
    assert!(matches!(error, DataError::Space { .. }), "{error}");
    assert!(!root.path().join("data").exists());
}

#[test]
fn tpch_tables_have_the_rows_of_their_scale() {
    let root = tempfile::tempdir().unwrap();
    let spec = DatasetSpec::Tpch(Tpch { scale_factor: 0.001 });
    let (store, manifest) = made(root.path(), &spec);
    let rows: Vec<(&str, u64)> = manifest.tables.iter().map(|t| (t.name.as_str(), t.rows)).collect();
    let counts = [("orders", 1500), ("partsupp", 800), ("part", 200), ("customer", 150), ("supplier", 10)];
    assert_eq!(rows[1..6], counts);
    assert_eq!(rows[6..], [("nation", 25), ("region", 5)]);
    let lineitem = &store.open(&spec).unwrap().tables[0];
    assert_eq!((lineitem.name.as_str(), lineitem.rows), ("lineitem", rows[0].1));
    assert!(manifest.tables[0].columns.contains(&"l_quantity Decimal128(15, 2) not null".to_owned()));
}

//! Blocks that move: to disk, to other processes, from other nodes, away.

use super::output::INLINE_MAX;
use super::tests::{ATTEMPT, UNLIMITED, blocks, numbers, task};
use super::*;
use arrow::array::{ArrayRef, AsArray, DictionaryArray, StringViewArray};
use arrow::datatypes::{Int32Type, Int64Type};
use bench_model::{BlockMeta, Checksum, Storage, checksum_of};

/// A store with folders for disk and for sealed blocks, which live as long as the first of the pair.
fn store() -> (tempfile::TempDir, BlockStore) {
    let folder = tempfile::tempdir().unwrap();
    let [disk, sealed] = ["disk", "sealed"].map(|name| folder.path().join(name));
    std::fs::create_dir(&disk).unwrap();
    std::fs::create_dir(&sealed).unwrap();
    let store = BlockStore::new(StoreOptions { folder: disk, shared: Some(sealed), compression: None });
    (folder, store)
}

fn files(folder: &tempfile::TempDir, name: &str) -> Vec<PathBuf> {
    std::fs::read_dir(folder.path().join(name)).unwrap().map(|f| f.unwrap().path()).collect()
}

fn write(store: &BlockStore, fragment: u32, keep: Keep, outputs: &[RecordBatch]) -> Vec<BlockRef> {
    let task = task(fragment, 0);
    let mut output = AttemptOutput::new(store, (task, ATTEMPT), outputs.len() as u32, keep, UNLIMITED);
    (0..).zip(outputs).for_each(|(n, batch)| output.write(n, batch).unwrap());
    blocks(task, &output.commit().unwrap())
}

fn read(store: &BlockStore, block: &BlockRef) -> Result<Vec<RecordBatch>, TaskFailure> {
    read_all(vec![store.find(block)?])
}

fn text(rows: std::ops::Range<i64>) -> RecordBatch {
    let words = ["alpha", "beta", "a word of more than twelve bytes"];
    let word = |i: i64| words.get(i.unsigned_abs() as usize % 3).copied();
    let view: ArrayRef =
        Arc::new(rows.clone().map(|i| Some(format!("row number {i} of this text"))).collect::<StringViewArray>());
    let first: DictionaryArray<Int32Type> = rows.clone().map(word).collect();
    let second: DictionaryArray<Int32Type> = rows.map(|i| word(i + 1)).collect();
    RecordBatch::try_from_iter([("v", view), ("a", Arc::new(first) as ArrayRef), ("b", Arc::new(second) as ArrayRef)])
        .unwrap()
}

#[test]
fn a_block_has_the_same_checksum_wherever_it_is_kept() {
    let (_folder, store) = store();
    for (fragment, rows) in [(0, text(0..20)), (1, text(0..9000))] {
        for (attempt, keep) in (0..).zip([Keep::OnDisk, Keep::OnHeap, Keep::Sealed]) {
            let which = (task(fragment, 0), Attempt(attempt));
            let mut output = AttemptOutput::new(&store, which, 1, keep, UNLIMITED);
            output.write(0, &rows).unwrap();
            let meta = output.commit().unwrap()[0];
            assert_eq!((meta.rows.get(), meta.checksum), (rows.num_rows() as u64, checksum_of(&rows)), "{keep:?}");
            let block = BlockRef { attempt: Attempt(attempt), ..blocks(which.0, &[meta])[0] };
            assert_eq!(read(&store, &block), Ok(vec![rows.clone()]), "{keep:?}");
        }
    }
    let mut answer = AttemptOutput::new(&store, (task(2, 0), ATTEMPT), 1, Keep::Answer, UNLIMITED);
    answer.write(0, &text(0..50)).unwrap();
    assert_eq!(answer.commit().unwrap()[0].checksum, Checksum::default(), "answers are not hashed");
}

#[test]
fn rows_on_the_heap_are_not_copied() {
    let (folder, store) = store();
    let rows = numbers(0..50_000);
    let block = write(&store, 0, Keep::OnHeap, std::slice::from_ref(&rows))[0];
    let read = read(&store, &block).unwrap().remove(0);
    let values = |b: &RecordBatch| b.column(0).as_primitive::<Int64Type>().values().as_ptr();
    assert_eq!(values(&read), values(&rows));
    assert!(files(&folder, "disk").is_empty() && files(&folder, "sealed").is_empty());
    assert!(store.heap_bytes() >= Bytes::new(400_000));
}

#[test]
fn a_spilled_block_is_on_disk_and_its_memory_is_free() {
    let (folder, store) = store();
    for (fragment, keep) in [(0, Keep::OnHeap), (1, Keep::Sealed)] {
        let written = write(&store, fragment, keep, &[text(0..20_000), text(5..20_000)]);
        let before = (store.heap_bytes(), store.shared_bytes());
        let open = store.find(&written[1]).unwrap().open().unwrap();
        store.spill(written[1].id, ATTEMPT).unwrap();
        assert_eq!(files(&folder, "disk").len(), 1);
        assert_eq!((store.heap_bytes(), store.shared_bytes()), before, "somebody still reads it");
        let mut open = open;
        assert_eq!(open.next_batch(), Ok(Some(text(5..20_000))), "and reads on");
        drop(open);
        let after = store.heap_bytes().get() + store.shared_bytes().get();
        assert!(after < (before.0.get() + before.1.get()) * 3 / 4, "{before:?}, then {after}");
        store.spill(written[1].id, ATTEMPT).unwrap();
        assert_eq!(files(&folder, "disk").len(), 1, "it is there already");
        assert_eq!(read(&store, &written[1]), Ok(vec![text(5..20_000)]));
        assert_eq!(read(&store, &written[0]), Ok(vec![text(0..20_000)]), "its neighbor stays");
        store.free(JobId(1), None);
        store.sweep();
        assert!(files(&folder, "disk").is_empty() && files(&folder, "sealed").is_empty());
        assert_eq!((store.heap_bytes(), store.shared_bytes(), store.disk_bytes()), Default::default());
    }
}

#[test]
fn a_spill_that_meets_a_full_disk_changes_nothing() {
    let (folder, mut store) = store();
    store.create = |_| std::fs::OpenOptions::new().read(true).write(true).open("/dev/full");
    let block = write(&store, 0, Keep::OnHeap, &[numbers(0..9000)])[0];
    let Err(TaskFailure::Transient(message)) = store.spill(block.id, ATTEMPT) else {
        unreachable!("the device is full")
    };
    let path = folder.path().join("disk").join("j1-f0-p0-o0-a0-0.arrow");
    let expected = format!("cannot write block file {}: No space left on device", path.display());
    assert!(message.starts_with(&expected), "{message}");
    assert!(message.ends_with("free disk space or choose another scratch folder"), "{message}");
    assert_eq!(read(&store, &block), Ok(vec![numbers(0..9000)]));
    assert!(files(&folder, "disk").is_empty(), "nothing half-written is left");
    assert_eq!(store.disk_bytes(), Bytes::ZERO);
}

#[test]
fn a_block_that_is_not_here_cannot_be_spilled() {
    let (_folder, store) = store();
    let block = write(&store, 0, Keep::OnHeap, &[numbers(0..10)])[0];
    store.release(block.id, ATTEMPT);
    assert_eq!(store.spill(block.id, ATTEMPT), Err(TaskFailure::MissingBlock(block.id)));
}

#[test]
fn a_damaged_sealed_block_is_not_spilled() {
    let (folder, store) = store();
    let block = write(&store, 0, Keep::Sealed, &[numbers(0..9000)])[0];
    let path = files(&folder, "sealed").remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[40_000] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(store.spill(block.id, ATTEMPT), Err(TaskFailure::CorruptBlock(block.id)));
    assert!(files(&folder, "disk").is_empty());
}

#[test]
fn blocks_go_to_disk_when_shared_memory_is_full() {
    let (folder, mut store) = store();
    store.create = |path| match path.parent().is_some_and(|p| p.ends_with("sealed")) {
        true => std::fs::OpenOptions::new().read(true).write(true).open("/dev/full"),
        false => File::create_new(path),
    };
    let block = write(&store, 0, Keep::Sealed, &[text(0..20_000)])[0];
    assert_eq!(files(&folder, "disk").len(), 1);
    assert_eq!(read(&store, &block), Ok(vec![text(0..20_000)]));
    assert_eq!((store.shared_bytes(), store.disk_bytes()), (Bytes::ZERO, block.meta.bytes));
}

#[test]
fn each_sealed_block_has_its_own_file_and_a_tiny_one_has_none() {
    let (folder, store) = store();
    let written = write(&store, 0, Keep::Sealed, &[numbers(0..9000), numbers(0..10), numbers(0..9000)]);
    assert_eq!(files(&folder, "sealed").len(), 2);
    assert!(store.locate(written[1].id, ATTEMPT).is_none());
    store.release(written[0].id, ATTEMPT);
    assert_eq!(files(&folder, "sealed").len(), 2, "files are not removed by whoever drops a block");
    assert!(store.claim_sweep());
    store.sweep();
    assert_eq!(files(&folder, "sealed").len(), 1);
    assert_eq!(store.shared_bytes(), written[2].meta.bytes);
}

#[test]
fn another_store_maps_a_sealed_block_without_copying_it() {
    let ((_a, owner), (b, other)) = (store(), store());
    let block = write(&owner, 0, Keep::Sealed, &[text(0..30_000)])[0];
    let located = owner.locate(block.id, ATTEMPT).unwrap();
    let wire = postcard::to_stdvec(&located).unwrap();
    other.adopt(&block, postcard::from_bytes(&wire).unwrap()).unwrap();
    assert!(files(&b, "sealed").is_empty() && other.shared_bytes() == Bytes::ZERO, "nothing was copied");
    assert_eq!(read(&other, &block), Ok(vec![text(0..30_000)]));
    owner.end(JobId(1));
    assert_eq!(read(&other, &block), Ok(vec![text(0..30_000)]), "a copy outlives its original");
    assert_eq!(
        other.adopt(&BlockRef { attempt: Attempt(1), ..block }, located),
        Err(TaskFailure::MissingBlock(block.id))
    );
}

#[test]
fn a_damaged_description_of_a_sealed_block_is_refused() {
    let ((_a, owner), (_b, other)) = (store(), store());
    let block = write(&owner, 0, Keep::Sealed, &[numbers(0..9000)])[0];
    let located = owner.locate(block.id, ATTEMPT).unwrap();
    let wire = postcard::to_stdvec(&located).unwrap();
    for at in 0..wire.len() {
        let mut wire = wire.clone();
        wire[at] ^= 0x55;
        let Ok(damaged) = postcard::from_bytes::<Located>(&wire) else { continue };
        // Whatever it says, it is refused, or its rows are, or they are the right ones.
        if other.adopt(&block, damaged).is_ok() {
            match read(&other, &block) {
                Ok(rows) => assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 9000),
                Err(failure) => assert_eq!(failure, TaskFailure::CorruptBlock(block.id)),
            }
            other.release(block.id, ATTEMPT);
        }
    }
}

#[test]
fn a_copy_is_kept_only_if_it_has_the_right_rows() {
    let ((_a, owner), (b, other)) = (store(), store());
    let block = write(&owner, 0, Keep::OnHeap, &[text(0..20_000)])[0];
    let rows = || read(&owner, &block).unwrap().into_iter().map(Ok);
    let schema = text(0..1).schema();
    for (wrong, failure) in [
        (vec![Ok(text(0..19_999))], TaskFailure::CorruptBlock(block.id)),
        (vec![Ok(text(1..20_001))], TaskFailure::CorruptBlock(block.id)),
        (vec![Ok(text(0..9)), Err(TaskFailure::Cancelled)], TaskFailure::Cancelled),
    ] {
        for storage in [Storage::Heap, Storage::Disk, Storage::Shared] {
            assert_eq!(other.keep_copy(&block, storage, &schema, wrong.clone().into_iter()), Err(failure.clone()));
            assert!(!other.holds(&block) && files(&b, "disk").is_empty() && files(&b, "sealed").is_empty());
        }
    }
    for (storage, folder) in [(Storage::Heap, None), (Storage::Disk, Some("disk")), (Storage::Shared, Some("sealed"))] {
        other.keep_copy(&block, storage, &schema, rows()).unwrap();
        other.keep_copy(&block, storage, &schema, rows()).unwrap();
        assert_eq!(folder.map(|f| files(&b, f).len()), folder.map(|_| 1), "the second copy is let go");
        assert_eq!(read(&other, &block), Ok(vec![text(0..20_000)]));
        other.release(block.id, ATTEMPT);
        other.sweep();
    }
    assert_eq!((other.heap_bytes(), other.shared_bytes(), other.disk_bytes()), Default::default());
}

#[test]
fn a_copy_that_comes_after_its_jobs_end_is_let_go() {
    let (folder, store) = store();
    let rows = numbers(0..9000);
    let meta = BlockMeta {
        rows: bench_model::Rows::new(9000),
        bytes: Bytes::new(INLINE_MAX + 1),
        checksum: checksum_of(&rows),
    };
    store.end(JobId(1));
    let block = blocks(task(0, 0), &[meta])[0];
    store.keep_copy(&block, Storage::Shared, &rows.schema(), std::iter::once(Ok(rows))).unwrap();
    assert!(!store.holds(&block) && files(&folder, "sealed").is_empty());
}

#[test]
fn a_block_without_rows_is_held_by_every_store() {
    let (_folder, store) = store();
    assert!(store.holds(&blocks(task(0, 0), &[BlockMeta::default()])[0]));
}

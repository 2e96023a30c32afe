//! What is written comes back, or is refused; never anything else.

use super::*;
use arrow::array::{
    Array, ArrayRef, BinaryViewArray, BooleanArray, DictionaryArray, Float64Array, Int64Array, ListArray, StringArray,
    StringViewArray, StructArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type};
use bench_model::{BlockId, BlockMeta, Bytes, NodeId, checksum_of};
use proptest::prelude::*;

pub(super) const ATTEMPT: Attempt = Attempt(0);
pub(super) const UNLIMITED: Bytes = Bytes::new(u64::MAX);

pub(super) fn task(fragment: u32, partition: u32) -> TaskId {
    TaskId { job: JobId(1), fragment: FragmentId(fragment), partition }
}

/// A store in a folder of its own, which lives as long as the first of the pair.
fn store(compression: Option<CompressionType>) -> (tempfile::TempDir, BlockStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = BlockStore::new(StoreOptions { folder: folder.path().to_owned(), shared: None, compression });
    (folder, store)
}

pub(super) fn blocks(task: TaskId, metas: &[BlockMeta]) -> Vec<BlockRef> {
    let block = |(output, meta): (u32, &BlockMeta)| BlockRef {
        id: BlockId { task, output },
        attempt: ATTEMPT,
        node: NodeId(0),
        meta: *meta,
    };
    (0..).zip(metas).map(block).collect()
}

fn write(store: &BlockStore, task: TaskId, share: Bytes, outputs: &[Vec<RecordBatch>]) -> Vec<BlockRef> {
    let mut output = AttemptOutput::new(store, (task, ATTEMPT), outputs.len() as u32, Keep::OnDisk, share);
    let longest = outputs.iter().map(Vec::len).max().unwrap_or_default();
    for i in 0..longest {
        for (number, batches) in (0..).zip(outputs) {
            if let Some(batch) = batches.get(i) {
                output.write(number, batch).unwrap();
            }
        }
    }
    blocks(task, &output.commit().unwrap())
}

fn collect_from(store: &BlockStore, blocks: &[BlockRef]) -> Result<Vec<RecordBatch>, TaskFailure> {
    read_all(store.find_all(blocks)?)
}

fn bytes_in(folder: &tempfile::TempDir) -> u64 {
    std::fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().metadata().unwrap().len()).sum()
}

fn the_file(folder: &tempfile::TempDir) -> PathBuf {
    let mut files = std::fs::read_dir(folder.path()).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none(), "one attempt leaves one file");
    file
}

/// One row of every kind of column: nulls, views short and long, a dictionary, a list, a struct.
type Row = (Option<i64>, Option<String>, Vec<u8>, Option<f64>, u8, Vec<Option<i64>>, Option<bool>);

fn batch_of(rows: &[Row]) -> RecordBatch {
    let words = ["alpha", "beta", "a word of more than twelve bytes"];
    let ints: ArrayRef = Arc::new(rows.iter().map(|r| r.0).collect::<Int64Array>());
    let views: ArrayRef = Arc::new(rows.iter().map(|r| r.1.as_deref()).collect::<StringViewArray>());
    let text: ArrayRef = Arc::new(rows.iter().map(|r| r.1.as_deref()).collect::<StringArray>());
    let binary: ArrayRef = Arc::new(rows.iter().map(|r| Some(r.2.as_slice())).collect::<BinaryViewArray>());
    let floats: ArrayRef = Arc::new(rows.iter().map(|r| r.3).collect::<Float64Array>());
    let dictionary: DictionaryArray<Int32Type> = rows.iter().map(|r| words.get(r.4 as usize).copied()).collect();
    let lists = rows.iter().map(|r| (!r.5.is_empty()).then(|| r.5.clone()));
    let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists));
    let flags: ArrayRef = Arc::new(rows.iter().map(|r| r.6).collect::<BooleanArray>());
    let nested = StructArray::from(vec![(Arc::new(Field::new("flag", DataType::Boolean, true)), flags)]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("ints", ints),
        ("views", views),
        ("text", text),
        ("binary", binary),
        ("floats", floats),
        ("words", Arc::new(dictionary)),
        ("lists", lists),
        ("nested", Arc::new(nested)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap()
}

pub(super) fn numbers(range: std::ops::Range<i64>) -> RecordBatch {
    let column: ArrayRef = Arc::new(range.collect::<Int64Array>());
    RecordBatch::try_from_iter([("n", column)]).unwrap()
}

fn a_row() -> impl Strategy<Value = Row> {
    let lists = prop::collection::vec(any::<Option<i64>>(), 0..3);
    let bytes = prop::collection::vec(any::<u8>(), 0..20);
    let text = prop::option::of("[a-zäß ]{0,24}");
    (any::<Option<i64>>(), text, bytes, any::<Option<f64>>(), 0u8..4, lists, any::<Option<bool>>())
}

fn codecs() -> impl Strategy<Value = Option<CompressionType>> {
    prop::sample::select(vec![None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Few rows stay inline, repeated ones make a file, and a small share cuts that file into several runs.
    #[test]
    fn every_row_comes_back_from_the_output_it_was_written_to(
        outputs in prop::collection::vec(prop::collection::vec(prop::collection::vec(a_row(), 0..12), 0..4), 1..4),
        copies in prop::sample::select(vec![1usize, 300]),
        share in prop::sample::select(vec![UNLIMITED, Bytes::new(0)]),
        codec in codecs(),
    ) {
        let (folder, store) = store(codec);
        let batches: Vec<Vec<RecordBatch>> = outputs
            .iter()
            .map(|batches| batches.iter().map(|rows| batch_of(&vec![rows.as_slice(); copies].concat())).collect())
            .collect();
        let blocks = write(&store, task(0, 0), share, &batches);
        let schema = batch_of(&[]).schema();
        for (block, written) in blocks.iter().zip(&batches) {
            let read = collect_from(&store, &[*block]).unwrap();
            let (read, written) = (concat_batches(&schema, &read).unwrap(), concat_batches(&schema, written).unwrap());
            prop_assert_eq!(block.meta.rows.get(), written.num_rows() as u64);
            prop_assert_eq!(block.meta.checksum, checksum_of(&written));
            prop_assert_eq!(checksum_of(&read), checksum_of(&written));
            prop_assert_eq!(read, written);
        }
        store.end(JobId(1));
        prop_assert_eq!(bytes_in(&folder), 0);
    }

    #[test]
    fn a_flipped_bit_anywhere_is_a_corrupt_block(at in any::<prop::sample::Index>(), bit in 0u8..8, codec in codecs()) {
        let (folder, store) = store(codec);
        let blocks = write(&store, task(0, 0), UNLIMITED, &[vec![numbers(0..3000)], vec![numbers(0..3000)]]);
        let path = the_file(&folder);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        std::fs::write(&path, bytes).unwrap();
        let read: Vec<_> = blocks.iter().map(|b| collect_from(&store, &[*b])).collect();
        let refused: Vec<_> = read.iter().zip(&blocks).filter(|(r, _)| r.is_err()).collect();
        prop_assert_eq!(refused.len(), 1, "exactly the output with the flipped bit");
        let (result, block) = refused[0];
        prop_assert_eq!(result, &Err(TaskFailure::CorruptBlock(block.id)));
    }

    #[test]
    fn a_truncated_or_grown_file_is_a_corrupt_block(len in any::<prop::sample::Index>(), grown in any::<bool>()) {
        let (folder, store) = store(None);
        let blocks = write(&store, task(0, 0), UNLIMITED, &[vec![numbers(0..3000)]]);
        let path = the_file(&folder);
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        let size = file.metadata().unwrap().len();
        file.set_len(if grown { size + 1 } else { len.index(size as usize) as u64 }).unwrap();
        prop_assert_eq!(collect_from(&store, &blocks), Err(TaskFailure::CorruptBlock(blocks[0].id)));
    }
}

#[test]
fn a_removed_file_is_a_missing_block() {
    let (folder, store) = store(None);
    let blocks = write(&store, task(0, 0), UNLIMITED, &[vec![numbers(0..3000)]]);
    std::fs::remove_file(the_file(&folder)).unwrap();
    assert_eq!(collect_from(&store, &blocks), Err(TaskFailure::MissingBlock(blocks[0].id)));
}

#[test]
fn nothing_of_an_attempt_is_visible_before_it_commits_or_left_after_it_fails() {
    let (folder, store) = store(None);
    let mut output = AttemptOutput::new(&store, (task(0, 0), ATTEMPT), 1, Keep::OnDisk, Bytes::new(0));
    for _ in 0..40 {
        output.write(0, &numbers(0..3000)).unwrap();
    }
    assert!(bytes_in(&folder) > 0, "runs were written meanwhile");
    let meta = BlockMeta { rows: bench_model::Rows::new(1), ..BlockMeta::default() };
    let block = blocks(task(0, 0), &[meta])[0];
    assert_eq!(collect_from(&store, &[block]), Err(TaskFailure::MissingBlock(block.id)));
    drop(output);
    assert_eq!(bytes_in(&folder), 0);
}

#[test]
fn attempts_are_kept_apart() {
    let (_folder, store) = store(None);
    let first = write(&store, task(0, 0), UNLIMITED, &[vec![numbers(0..5)]])[0];
    let mut output = AttemptOutput::new(&store, (task(0, 0), Attempt(1)), 1, Keep::OnDisk, UNLIMITED);
    output.write(0, &numbers(5..9)).unwrap();
    let second = BlockRef { attempt: Attempt(1), meta: output.commit().unwrap()[0], ..first };
    assert_eq!(collect_from(&store, &[first]), Ok(vec![numbers(0..5)]));
    assert_eq!(collect_from(&store, &[second]), Ok(vec![numbers(5..9)]));
}

#[test]
fn freeing_a_fragment_leaves_its_neighbors_and_other_jobs() {
    let (folder, store) = store(None);
    let [a, b, c] = [0, 1, 2].map(|f| write(&store, task(f, 7), UNLIMITED, &[vec![numbers(0..5000)]])[0]);
    store.free(JobId(1), Some(FragmentId(1)));
    store.sweep();
    assert!(collect_from(&store, &[a, c]).is_ok());
    assert_eq!(collect_from(&store, &[b]), Err(TaskFailure::MissingBlock(b.id)));
    store.free(JobId(0), None);
    store.free(JobId(2), None);
    assert!(collect_from(&store, &[a, c]).is_ok());
    store.free(JobId(1), None);
    assert!(store.claim_sweep() && !store.claim_sweep(), "one sweep is due, and only one slot is told so");
    store.sweep();
    assert_eq!(bytes_in(&folder), 0);
}

#[test]
fn what_a_straggler_commits_after_its_job_ended_is_dropped() {
    let (folder, store) = store(None);
    store.end(JobId(1));
    write(&store, task(0, 0), UNLIMITED, &[vec![numbers(0..5000)]]);
    assert_eq!(bytes_in(&folder), 0);
    assert!(store.is_vacant());
}

#[test]
fn a_full_disk_is_named_with_what_to_do() {
    let (folder, mut store) = store(None);
    store.create = |_| std::fs::OpenOptions::new().write(true).open("/dev/full");
    let mut output = AttemptOutput::new(&store, (task(0, 3), ATTEMPT), 1, Keep::OnDisk, UNLIMITED);
    output.write(0, &numbers(0..9000)).unwrap();
    let Err(TaskFailure::Transient(message)) = output.commit() else { unreachable!("the device is full") };
    let path = folder.path().join("j1-f0-p3-a0-0.arrow");
    let expected = format!("cannot write block file {}: No space left on device", path.display());
    assert!(message.starts_with(&expected), "{message}");
    assert!(message.ends_with("free disk space or choose another scratch folder"), "{message}");
    assert!(store.is_vacant(), "nothing half-written is taken for whole");
}

#[test]
fn views_do_not_carry_the_strings_they_left_behind() {
    let (folder, store) = store(None);
    let long = |i: i64| format!("a string that does not fit into a view, number {i}");
    let column: ArrayRef = Arc::new((0..10_000).map(|i| Some(long(i))).collect::<StringViewArray>());
    let whole = RecordBatch::try_from_iter([("s", column)]).unwrap();
    let outputs: Vec<_> = (0..10).map(|i| vec![whole.slice(i * 1000, 1000)]).collect();
    write(&store, task(0, 0), UNLIMITED, &outputs);
    let written = the_file(&folder).metadata().unwrap().len();
    let once = compact::size_of(&whole);
    assert!(written < once * 3 / 2, "{written} bytes for {once}");
}

#[test]
fn rows_without_columns_are_counted() {
    let schema = Arc::new(arrow::datatypes::Schema::empty());
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(7));
    let batch = RecordBatch::try_new_with_options(schema, vec![], &options).unwrap();
    let (_folder, store) = store(None);
    let blocks = write(&store, task(0, 0), UNLIMITED, &[vec![batch.clone(), batch]]);
    assert_eq!(blocks[0].meta.rows.get(), 14);
    let rows: usize = collect_from(&store, &blocks).unwrap().iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, 14);
}

#[test]
fn decoded_columns_share_the_mapped_file() {
    let (_folder, store) = store(None);
    let blocks = write(&store, task(0, 0), UNLIMITED, &[vec![numbers(0..9000)]]);
    let bytes = match store.lock().get(blocks[0].id, ATTEMPT).unwrap().as_ref() {
        Stored::Encoded { file, .. } => file.bytes().unwrap(),
        Stored::Heap { .. } => unreachable!("9000 rows are no inline block"),
    };
    let batch = collect_from(&store, &blocks).unwrap().remove(0);
    let column = batch.column(0).to_data().buffers()[0].as_ptr();
    assert!(bytes.as_slice().as_ptr_range().contains(&column), "the column was copied");
}

#[test]
fn flushed_rows_take_no_memory_of_the_task_and_come_back_with_the_rest() {
    for keep in [Keep::OnDisk, Keep::Sealed, Keep::OnHeap] {
        let (folder, shared) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let options = StoreOptions {
            folder: folder.path().to_owned(),
            shared: Some(shared.path().to_owned()),
            compression: None,
        };
        let store = BlockStore::new(options);
        let mut output = AttemptOutput::new(&store, (task(0, 0), ATTEMPT), 3, keep, UNLIMITED);
        for round in 0..3 {
            output.write(0, &numbers(round * 10_000..(round + 1) * 10_000)).unwrap();
            output.write(2, &numbers(round..round + 1)).unwrap();
            // What stays in memory is the node's.
            let waits = if keep == Keep::OnHeap { 0 } else { 80_008 };
            assert!(output.waiting().get() >= waits && (waits > 0 || output.waiting() == Bytes::ZERO), "{keep:?}");
            if round < 2 {
                output.flush().unwrap();
                assert_eq!(output.waiting(), Bytes::ZERO, "{keep:?}");
            }
        }
        let blocks = blocks(task(0, 0), &output.commit().unwrap());
        let of = |block: &BlockRef| {
            let batches = collect_from(&store, std::slice::from_ref(block)).unwrap();
            let rows = concat_batches(&numbers(0..0).schema(), &batches).unwrap();
            assert_eq!(block.meta.checksum, checksum_of(&rows), "{keep:?}");
            rows
        };
        assert_eq!(of(&blocks[0]), numbers(0..30_000), "{keep:?}");
        assert_eq!(blocks[1].meta, BlockMeta::default());
        assert_eq!(of(&blocks[2]), numbers(0..3), "{keep:?}");
    }
}

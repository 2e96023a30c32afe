//! The other process: it makes the rows once and then does, line by line on its input, what it is asked for.

use crate::{BYTES, copy, forget, store};
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use bench_model::{Attempt, BlockId, BlockRef, Bytes, FragmentId, JobId, NodeId, TaskId};
use bench_node::{AttemptOutput, BlockStore, Keep, Located};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const BATCH: usize = 1 << 20;

/// The process, as the other one sees it. It ends when this is dropped.
pub(crate) struct Owner {
    child: Child,
    says: BufReader<ChildStdout>,
    handover: PathBuf,
}

impl Owner {
    pub(crate) fn start(folder: &Path) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut child =
            Command::new(program).arg("own").arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let says = BufReader::new(child.stdout.take().unwrap());
        Self { child, says, handover: handover(folder) }
    }

    /// How long something took over there.
    pub(crate) fn measure(&mut self, what: &str) -> Duration {
        writeln!(self.child.stdin.as_mut().unwrap(), "{what}").unwrap();
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        Duration::from_nanos(line.trim().parse().unwrap())
    }

    /// A block that stays there, and where it is.
    pub(crate) fn put(&mut self) -> (BlockRef, Located) {
        self.measure("keep");
        postcard::from_bytes(&std::fs::read(&self.handover).unwrap()).unwrap()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

fn handover(folder: &Path) -> PathBuf {
    folder.join("handover")
}

/// The loop of the process.
pub(crate) fn serve(folder: &Path) {
    let owner = store(&folder.join("owner"));
    let column: ArrayRef = Arc::new((0..BATCH as i64 / 8).collect::<Int64Array>());
    let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
    let mut warm = (vec![1u8; BYTES], vec![2u8; BYTES]);
    for line in std::io::stdin().lines() {
        let took = match line.unwrap().as_str() {
            "memcpy fresh" => copy::fresh(BYTES),
            "memcpy shared" => copy::shared(BYTES, folder),
            "memcpy warm" => copy::warm(&warm.0, &mut warm.1),
            "keep" => {
                let (block, took) = put(&owner, &batch);
                let located = owner.locate(block.id, block.attempt).unwrap();
                std::fs::write(handover(folder), postcard::to_stdvec(&(block, located)).unwrap()).unwrap();
                took
            }
            _ => {
                let (block, took) = put(&owner, &batch);
                forget(&owner, &block);
                took
            }
        };
        println!("{}", took.as_nanos());
    }
}

/// Writes a block of 1 GB. The rows are the same memory again and again: they cost nothing to make.
fn put(owner: &BlockStore, batch: &RecordBatch) -> (BlockRef, Duration) {
    let task = TaskId { job: JobId(0), fragment: FragmentId(0), partition: 0 };
    let begin = Instant::now();
    let mut output = AttemptOutput::new(owner, (task, Attempt(0)), 1, Keep::Sealed, Bytes::new(u64::MAX));
    (0..BYTES / BATCH).for_each(|_| output.write(0, batch).unwrap());
    let meta = output.commit().unwrap()[0];
    let took = begin.elapsed();
    (BlockRef { id: BlockId { task, output: 0 }, attempt: Attempt(0), node: NodeId(0), meta }, took)
}

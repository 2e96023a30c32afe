//! What simulated tasks write, and the answer computed without any scheduler.
//!
//! A block's checksum is a linear function of the checksums of the partitioned inputs, scaled by a hash of the inputs
//! that every task reads whole. So the sum over a fragment's tasks does not depend on how its input partitions are
//! coalesced or split, as with real rows; while a block missed, read twice, or taken from the wrong place changes it.

use crate::rng::mix;
use bench_model::{BlockMeta, Bytes, Checksum, Fragment, FragmentId, Graph, Input, JobId, Read, Rows, TaskId};
use std::collections::BTreeMap;

/// An odd, hence invertible, constant.
const fn odd(a: u64, b: u64) -> u128 {
    ((mix(a ^ mix(b)) as u128) << 64) | (mix(b ^ mix(a ^ 0x5bd1)) as u128) | 1
}

/// The blocks a task writes when it read blocks with the given checksums, summed per input.
pub(crate) fn blocks_of(fragment: &Fragment, task: TaskId, sums: &[u128], salt: u64) -> Vec<BlockMeta> {
    let id = u64::from(fragment.id.0);
    let mut rows: Option<u128> = None;
    let mut scale: u128 = 1;
    for (number, (input, sum)) in fragment.inputs.iter().zip(sums).enumerate() {
        if input.read == Read::All {
            scale = scale.wrapping_mul(odd(*sum as u64, (*sum >> 64) as u64));
        } else {
            let part = sum.wrapping_mul(odd(id, number as u64 + 1));
            rows = Some(rows.unwrap_or(0).wrapping_add(part));
        }
    }
    let rows = rows.unwrap_or_else(|| odd(id ^ task.job.0.rotate_left(32), u64::from(task.partition) + 7));
    let whole = rows.wrapping_mul(scale).wrapping_mul(odd(id, 0)).wrapping_mul(odd(salt, 99));
    (0..fragment.outputs).map(|output| meta_of(whole.wrapping_mul(odd(u64::from(output), 3)))).collect()
}

const fn meta_of(checksum: u128) -> BlockMeta {
    let size = mix(checksum as u64);
    BlockMeta { rows: Rows::new(size % 1_000), bytes: Bytes::new(size % 100_000 + 1), checksum: Checksum(checksum) }
}

/// The sum of the answer's block checksums, computed straight from a valid graph.
#[must_use]
pub fn expected_answer(job: JobId, graph: &Graph) -> Checksum {
    let mut written: BTreeMap<FragmentId, (&Fragment, Vec<Vec<BlockMeta>>)> = BTreeMap::new();
    for fragment in &graph.fragments {
        let mut tasks = Vec::with_capacity(fragment.tasks as usize);
        // Every task reads the same through `All`: summed once.
        let whole: Vec<Option<u128>> = fragment.inputs.iter().map(|i| whole_sum(i, &written)).collect();
        for partition in 0..fragment.tasks {
            let read = |(input, whole): (&Input, &Option<u128>)| {
                whole.unwrap_or_else(|| {
                    let Some((producer, blocks)) = written.get(&input.from) else { return 0 };
                    let reads = fragment.reads(job, input, producer, partition);
                    reads.map(|b| checksum_at(blocks, b.task.partition, b.output)).fold(0, u128::wrapping_add)
                })
            };
            let sums: Vec<u128> = fragment.inputs.iter().zip(&whole).map(read).collect();
            tasks.push(blocks_of(fragment, TaskId { job, fragment: fragment.id, partition }, &sums, 0));
        }
        written.insert(fragment.id, (fragment, tasks));
    }
    let answer = written.get(&graph.result).into_iter().flat_map(|(_, tasks)| tasks.iter().flatten());
    answer.fold(Checksum::default(), |sum, block| sum.merge(block.checksum))
}

fn whole_sum(input: &Input, written: &BTreeMap<FragmentId, (&Fragment, Vec<Vec<BlockMeta>>)>) -> Option<u128> {
    let (_, blocks) = written.get(&input.from).filter(|_| input.read == Read::All)?;
    Some(blocks.iter().flatten().map(|b| b.checksum.0).fold(0, u128::wrapping_add))
}

fn checksum_at(blocks: &[Vec<BlockMeta>], partition: u32, output: u32) -> u128 {
    blocks.get(partition as usize).and_then(|b| b.get(output as usize)).map_or(0, |b| b.checksum.0)
}

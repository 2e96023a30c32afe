//! Cull: which tasks the answer needs (Dask's `cull`).

use super::Layout;
use bench_model::{Graph, JobId, Read};

/// Whether each task is needed, by task number. In time linear in tasks and reads.
pub(crate) fn needed(graph: &Graph, layout: &Layout, cull: bool) -> Vec<bool> {
    let mut needed = vec![!cull; layout.tasks as usize];
    if !cull {
        return needed;
    }
    if let Some(result) = layout.position(graph, graph.result) {
        needed[layout.range(graph, result)].fill(true);
    }
    for at in (0..graph.fragments.len()).rev() {
        let fragment = &graph.fragments[at];
        let own = layout.range(graph, at as u32);
        for (input, producer) in fragment.inputs.iter().zip(layout.sources.of(at as u32)) {
            if input.read == Read::All {
                if needed[own.clone()].contains(&true) {
                    needed[layout.range(graph, *producer)].fill(true);
                }
                continue;
            }
            let from = &graph.fragments[*producer as usize];
            let base = layout.bases[*producer as usize] as usize;
            for partition in 0..fragment.tasks {
                if needed[own.start + partition as usize] {
                    for block in fragment.reads(JobId(0), input, from, partition) {
                        needed[base + block.task.partition as usize] = true;
                    }
                }
            }
        }
    }
    needed
}

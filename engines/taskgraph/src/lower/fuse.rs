//! Fuse: linear chains of tasks become one key (Dask's `fuse`).

use super::Layout;
use bench_model::{Graph, Read};

/// How many tasks one key has at most: what is done again when one of them fails, and how large an order gets.
const LENGTH_MAX: u32 = 1_000;
/// No fragment.
pub(crate) const NONE: u32 = u32::MAX;

/// For each fragment, the fragment before it in its chain and the first one of its chain.
pub(crate) struct Chains {
    pub(crate) before: Vec<u32>,
    pub(crate) head: Vec<u32>,
    /// Whether a later fragment goes on where this one ends.
    pub(crate) goes_on: Vec<bool>,
}

/// Links a fragment to its producer if it reads nothing else, task by task, and nobody else reads that producer.
pub(crate) fn chains(graph: &Graph, layout: &Layout, fuse: bool) -> Chains {
    let count = graph.fragments.len();
    let mut chains =
        Chains { before: vec![NONE; count], head: (0..count as u32).collect(), goes_on: vec![false; count] };
    if !fuse {
        return chains;
    }
    let mut length = vec![1u32; count];
    for (at, fragment) in graph.fragments.iter().enumerate() {
        let [input] = fragment.inputs.as_slice() else { continue };
        let [from] = layout.sources.of(at as u32) else { continue };
        let from = *from as usize;
        let producer = &graph.fragments[from];
        let alone = layout.readers[from] == 1 && producer.id != graph.result;
        if alone && input.read == Read::Forward && producer.tasks == fragment.tasks && length[from] < LENGTH_MAX {
            chains.before[at] = from as u32;
            chains.head[at] = chains.head[from];
            chains.goes_on[from] = true;
            length[at] = length[from] + 1;
        }
    }
    chains
}

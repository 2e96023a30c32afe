//! A planner that coalesces and splits partitions at random, but legally: what the real one does from sizes.

use crate::rng::Rng;
use bench_model::{Fragment, FragmentId, Graph, Input, Read, Slice, StageStats};
use std::sync::Arc;

/// Changes an unstarted reader of the finished fragment, or nothing.
pub(crate) fn replan(
    rng: &mut Rng,
    graph: &Arc<Graph>,
    stats: &StageStats,
    fixed: &[FragmentId],
) -> Option<(Arc<Graph>, String)> {
    let at = graph.fragments.iter().position(|f| {
        !fixed.contains(&f.id) && f.inputs.iter().any(|i| i.from == stats.fragment) && may_recut(graph, f)
    })?;
    if !rng.one_in(2) {
        return None;
    }
    let fragment = graph.fragments.get(at)?;
    let cut = |input: &Input| input.read == Read::Aligned;
    let may_split = fragment.inputs.iter().filter(|i| cut(i)).count() == 1;
    let parts = if may_split && rng.one_in(3) {
        split(graph, fragment, rng.below(u64::from(fragment.tasks)) as u32)?
    } else {
        coalesce(fragment, rng.between(2, u64::from(fragment.tasks.max(2))) as u32)
    };
    let mut changed = Graph::clone(graph);
    let target = changed.fragments.get_mut(at)?;
    let before = target.tasks;
    target.tasks = parts.len() as u32;
    for input in target.inputs.iter_mut().filter(|i| cut(i)) {
        let tasks = graph.fragment(input.from)?.tasks;
        input.read = Read::Slices(parts.iter().map(|p| vec![p.slice(tasks)]).collect());
    }
    let note = format!("{}: {before} tasks became {}", target.id, target.tasks);
    Some((Arc::new(changed), note))
}

/// Which outputs one new task reads, and of which producers: all of them, unless it is one half of a split partition.
struct Part {
    outputs: std::ops::Range<u32>,
    tasks: Option<std::ops::Range<u32>>,
}

impl Part {
    fn slice(&self, producers: u32) -> Slice {
        Slice { outputs: self.outputs.clone(), tasks: self.tasks.clone().unwrap_or(0..producers) }
    }
}

fn coalesce(fragment: &Fragment, width: u32) -> Vec<Part> {
    let starts = (0..fragment.tasks).step_by(width as usize);
    starts.map(|s| Part { outputs: s..(s + width).min(fragment.tasks), tasks: None }).collect()
}

fn split(graph: &Graph, fragment: &Fragment, partition: u32) -> Option<Vec<Part>> {
    let input = fragment.inputs.iter().find(|i| i.read == Read::Aligned)?;
    let producers = graph.fragment(input.from)?.tasks;
    let mut parts = Vec::new();
    for p in 0..fragment.tasks {
        if p == partition && producers > 1 {
            parts.push(Part { outputs: p..p + 1, tasks: Some(0..producers / 2) });
            parts.push(Part { outputs: p..p + 1, tasks: Some(producers / 2..producers) });
        } else {
            parts.push(Part { outputs: p..p + 1, tasks: None });
        }
    }
    Some(parts)
}

/// Whether a fragment's tasks can be cut differently without anybody noticing: it reads partitions or whole inputs, and
/// whoever reads it does not care how many tasks it has.
fn may_recut(graph: &Graph, fragment: &Fragment) -> bool {
    let by_partition = fragment.inputs.iter().filter(|i| i.read == Read::Aligned).count();
    let fits = fragment.inputs.iter().all(|i| matches!(i.read, Read::Aligned | Read::All));
    let readers = graph.fragments.iter().flat_map(|f| &f.inputs).filter(|i| i.from == fragment.id);
    let mut whole = readers.map(|i| matches!(i.read, Read::Aligned | Read::All));
    by_partition > 0 && fits && fragment.tasks > 1 && whole.all(|w| w)
}

//! Random graphs: the shapes that schedulers are measured on, and random plans with shuffles, broadcasts and forwards.

use crate::rng::Rng;
use bench_model::{Call, Exchange, Fragment, FragmentId, Graph, Input, KernelId, Placement, Read, TaskOptions};

/// A random valid graph of roughly at most `tasks` tasks.
#[must_use]
pub fn random_graph(rng: &mut Rng, tasks: u32) -> Graph {
    let tasks = tasks.max(4);
    match rng.below(9) {
        0 => chain(rng.between(1, u64::from(tasks)) as u32),
        1 => fan_out(rng.between(1, u64::from(tasks - 2)) as u32),
        2 => tree(rng.between(1, u64::from(tasks / 2)) as u32, rng.between(2, 4) as u32),
        3 => {
            let width = rng.between(1, 6) as u32;
            stencil(rng.between(1, u64::from((tasks / width).max(1))) as u32, width)
        }
        4 => {
            let actors = rng.between(1, 4) as u32;
            actors_called(rng.between(1, u64::from((tasks / actors).max(1))) as u32, actors)
        }
        _ => plan(rng, tasks),
    }
}

fn fragment(id: u32, tasks: u32, inputs: Vec<Input>, exchange: Exchange, outputs: u32) -> Fragment {
    let call = Call { kernel: KernelId::new("sim/1"), args: Default::default() };
    Fragment {
        id: FragmentId(id),
        call,
        inputs,
        tasks,
        exchange,
        outputs,
        waits_for: Vec::new(),
        options: Default::default(),
    }
}

fn read(from: u32, read: Read) -> Input {
    Input { from: FragmentId(from), read }
}

/// Marks the last fragment as the answer.
fn answer_last(mut fragments: Vec<Fragment>) -> Graph {
    let mut result = FragmentId(0);
    if let Some(last) = fragments.last_mut() {
        last.exchange = Exchange::Collect;
        last.outputs = 1;
        result = last.id;
    }
    Graph { fragments, result }
}

/// `length` stages of one task.
pub(crate) fn chain(length: u32) -> Graph {
    let stage = |id: u32| {
        let inputs = if id == 0 { vec![] } else { vec![read(id - 1, Read::Forward)] };
        fragment(id, 1, inputs, Exchange::Forward, 1)
    };
    answer_last((0..length).map(stage).collect())
}

/// One task, then `width` tasks that read it, then one that reads them all.
pub(crate) fn fan_out(width: u32) -> Graph {
    answer_last(vec![
        fragment(0, 1, vec![], Exchange::Broadcast, 1),
        fragment(1, width, vec![read(0, Read::All)], Exchange::Gather, 1),
        fragment(2, 1, vec![read(1, Read::All)], Exchange::Collect, 1),
    ])
}

/// `leaves` tasks, combined `fan_in` at a time until one is left.
pub(crate) fn tree(leaves: u32, fan_in: u32) -> Graph {
    let mut fragments = vec![fragment(0, leaves, vec![], Exchange::Forward, 1)];
    let mut width = leaves;
    while width > 1 {
        width = width.div_ceil(fan_in);
        let id = fragments.len() as u32;
        fragments.push(fragment(id, width, vec![read(id - 1, Read::Merge { fan_in })], Exchange::Forward, 1));
    }
    answer_last(fragments)
}

/// `stages` stages of `width` tasks, each of which reads its neighbors' earlier values.
pub(crate) fn stencil(stages: u32, width: u32) -> Graph {
    let stage = |id: u32| {
        let inputs = if id == 0 { vec![] } else { vec![read(id - 1, Read::Window { radius: 1 })] };
        fragment(id, width, inputs, Exchange::Forward, 1)
    };
    answer_last((0..stages).map(stage).collect())
}

/// `calls` method calls on each of `actors` actors.
pub(crate) fn actors_called(calls: u32, actors: u32) -> Graph {
    let mut graph = stencil(calls, actors);
    for fragment in &mut graph.fragments {
        fragment.options.actor = Some(0);
        fragment.inputs.iter_mut().for_each(|input| input.read = Read::Forward);
    }
    graph
}

/// A random plan: scans, shuffles, broadcasts, forwards, joins of them, and one fragment that gathers the answer.
fn plan(rng: &mut Rng, tasks: u32) -> Graph {
    let partitions = rng.between(1, 6) as u32;
    let mut fragments: Vec<Fragment> = Vec::new();
    let mut left = i64::from(tasks);
    let mut unread: Vec<u32> = Vec::new();
    while left > 0 {
        let id = fragments.len() as u32;
        let mut next = operator(rng, &fragments, partitions);
        for input in &next.inputs {
            unread.retain(|u| *u != input.from.0);
        }
        if id > 1 && rng.one_in(4) {
            next.waits_for.push(FragmentId(rng.below(u64::from(id)) as u32));
        }
        if rng.one_in(5) {
            next.options = options(rng);
        }
        left -= i64::from(next.tasks);
        unread.push(id);
        fragments.push(next);
    }
    let id = fragments.len() as u32;
    let inputs = unread.into_iter().map(|u| read(u, Read::All)).collect();
    fragments.push(fragment(id, 1, inputs, Exchange::Collect, 1));
    // An answer of several tasks: the last shuffle itself.
    if rng.one_in(3) {
        let shuffles = |f: &Fragment| f.exchange == Exchange::Hash;
        if let Some(from) = fragments.iter().rev().find(|f| shuffles(f)).map(|f| f.id.0) {
            let inputs = vec![read(from, Read::Aligned), read(id, Read::All)];
            fragments.push(fragment(id + 1, partitions, inputs, Exchange::Collect, 1));
        }
    }
    answer_last(fragments)
}

/// What a fragment may ask for. Every node of a simulated cluster has two GPUs.
fn options(rng: &mut Rng) -> TaskOptions {
    let gpu = rng.one_in(2).then(|| ("gpu".to_owned(), rng.between(1, 4) * 500));
    let placements =
        [Placement::Any, Placement::Pack, Placement::Spread, Placement::StrictPack, Placement::StrictSpread];
    // Strict placements are often infeasible on a small cluster, and end the job.
    let choices = if rng.one_in(8) { 5 } else { 3 };
    let placement = placements[rng.below(choices) as usize];
    TaskOptions { resources: gpu.into_iter().collect(), placement, actor: None }
}

/// One fragment over up to two earlier ones.
fn operator(rng: &mut Rng, earlier: &[Fragment], partitions: u32) -> Fragment {
    let id = earlier.len() as u32;
    let (exchange, outputs) = match rng.below(6) {
        0 => (Exchange::Broadcast, 1),
        1 => (Exchange::Gather, 1),
        2 => (Exchange::Forward, 1),
        _ => (Exchange::Hash, partitions),
    };
    if earlier.is_empty() || rng.one_in(4) {
        return fragment(id, rng.between(1, 6) as u32, vec![], exchange, outputs);
    }
    let mut inputs = Vec::new();
    let mut width = None;
    for _ in 0..rng.between(1, 2) {
        let Some(from) = earlier.get(rng.below(u64::from(id)) as usize) else { continue };
        let fits = |tasks: u32| width.is_none_or(|w| w == tasks);
        let how = match from.exchange {
            Exchange::Hash if fits(partitions) => {
                width = Some(partitions);
                Read::Aligned
            }
            Exchange::Forward if fits(from.tasks) => {
                width = Some(from.tasks);
                Read::Forward
            }
            _ => Read::All,
        };
        inputs.push(read(from.id.0, how));
    }
    let tasks = width.unwrap_or_else(|| rng.between(1, 4) as u32);
    fragment(id, tasks, inputs, exchange, outputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_random_graph_is_valid() {
        for seed in 0..5_000 {
            let graph = random_graph(&mut Rng::new(seed), 40);
            assert_eq!(graph.validate(), Ok(()), "seed {seed}");
        }
    }
}

//! A graph as text, for `explain`: one line per fragment, producers first.

use bench_model::{Fragment, Graph, Input, Read};
use std::fmt::Write;

/// Graphs of more fragments are cut here: a chain of 100,000 says nothing more.
const LINES_MAX: usize = 100;

/// The outline of a ready graph.
pub(crate) fn outline(graph: &Graph) -> String {
    let mut text =
        format!("{} fragments, {} tasks, answer from {}", graph.fragments.len(), graph.tasks(), graph.result);
    for fragment in graph.fragments.iter().take(LINES_MAX) {
        text.push('\n');
        text.push_str(&line(fragment));
    }
    if graph.fragments.len() > LINES_MAX {
        text.push_str("\n...");
    }
    text
}

fn line(fragment: &Fragment) -> String {
    let Fragment { id, call, tasks, outputs, exchange, .. } = fragment;
    let mut line = format!("{id}: {} x {tasks} -> {outputs} {exchange:?}", call.kernel.0);
    for (i, input) in fragment.inputs.iter().enumerate() {
        let separator = if i == 0 { " <- " } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(line, "{separator}{} {}", input.from, how(input));
    }
    line
}

fn how(input: &Input) -> String {
    match &input.read {
        Read::Aligned => "aligned".to_owned(),
        Read::All => "all".to_owned(),
        Read::Forward => "forward".to_owned(),
        Read::Window { radius } => format!("window {radius}"),
        Read::Merge { fan_in } => format!("merge {fan_in}"),
        Read::Slices(tasks) => format!("{} slices", tasks.iter().map(Vec::len).sum::<usize>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_model::{Call, Exchange, FragmentId, KernelId};

    #[test]
    fn an_outline_names_kernels_exchanges_and_reads() {
        let call = Call { kernel: KernelId::new("noop/1"), args: bytes::Bytes::new() };
        let input = Input { from: FragmentId(0), read: Read::Window { radius: 1 } };
        let fragment = |id, inputs| Fragment {
            id: FragmentId(id),
            call: call.clone(),
            inputs,
            tasks: 4,
            exchange: Exchange::Forward,
            outputs: 1,
            waits_for: vec![],
            options: Default::default(),
        };
        let graph = Graph { fragments: vec![fragment(0, vec![]), fragment(1, vec![input])], result: FragmentId(1) };
        let expected = "2 fragments, 8 tasks, answer from f1\n\
                        f0: noop/1 x 4 -> 1 Forward\n\
                        f1: noop/1 x 4 -> 1 Forward <- f0 window 1";
        assert_eq!(outline(&graph), expected);
    }
}

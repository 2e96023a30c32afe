//! Push-merge shuffle: while maps still run, their outputs move in rounds to the nodes where their reducers will run.
//!
//! Each reducer gets a home node when the first round is complete, and goes there later if it can. The home fetches
//! within its byte budget; what it has not fetched by then, the reducer fetches as any task does.

use super::Cx;
use super::run::{NOWHERE, Run};
use crate::keyed::Map;
use crate::message::{Note, Part};
use bench_model::{Addr, Attempt, BlockRef, Exchange, NodeId, Read, TaskOptions};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct Shuffles {
    /// For each reducing fragment: the home of each task.
    homes: Map<u32, Vec<NodeId>>,
    /// For each edge: map tasks that are done and not sent on.
    rounds: Map<u32, Vec<u32>>,
}

impl Shuffles {
    /// Where a reducer's inputs are brought.
    pub(super) fn home(&self, part: Part) -> Option<NodeId> {
        self.homes.get(&part.fragment)?.get(part.partition as usize).copied()
    }
}

impl Run {
    /// A task is done. If its blocks are shuffled, they are brought to their readers when the round is complete.
    pub(super) fn map_ended(&mut self, cx: &mut Cx<'_>, part: Part) {
        let layout = Arc::clone(&self.layout);
        let producer = layout.fragment(part.fragment);
        let shuffled = producer.exchange == Exchange::Hash && producer.tasks > 1;
        if !shuffled || !cx.settings.push_merge || cx.view.len() < 2 {
            return;
        }
        for number in layout.edges_out(part.fragment) {
            let edge = layout.edge(number);
            let plain = layout.fragment(edge.consumer).options == TaskOptions::default();
            if !plain || !self.is_mine(edge.consumer) || layout.read(edge) != Some(&Read::Aligned) {
                continue;
            }
            let round = self.shuffles.rounds.entry(number).or_default();
            round.push(part.partition);
            if round.len() >= cx.settings.merge_round as usize || self.missing[number as usize] == 0 {
                let round = std::mem::take(round);
                self.bring_home(cx, edge.producer, edge.consumer, &round);
            }
        }
    }

    fn bring_home(&mut self, cx: &mut Cx<'_>, producer: u32, consumer: u32, round: &[u32]) {
        let readers = self.layout.fragment(consumer).tasks;
        let mut homes = self.shuffles.homes.remove(&consumer).unwrap_or_default();
        let mut fetches: BTreeMap<NodeId, Vec<BlockRef>> = BTreeMap::new();
        for reader in 0..readers {
            let up = homes.get(reader as usize).copied().filter(|n| cx.view.is_up(*n));
            let Some(home) = up.or_else(|| cx.view.in_turn(reader as usize)) else { return };
            match homes.get_mut(reader as usize) {
                Some(place) => *place = home,
                None => homes.push(home),
            }
            for partition in round {
                let part = Part { fragment: producer, partition: *partition };
                let task = self.task(self.layout.tasks(producer).start + partition);
                let block = &self.blocks[(self.layout.blocks(part).start + reader) as usize];
                if block.node != NOWHERE && block.node != home.0 && block.readers > 0 {
                    let (id, attempt) = (self.layout.block_id(part, reader), Attempt(task.next.saturating_sub(1)));
                    let block = BlockRef { id, attempt, node: NodeId(block.node), meta: block.meta };
                    fetches.entry(home).or_default().push(block);
                }
            }
        }
        self.shuffles.homes.insert(consumer, homes);
        for (home, blocks) in fetches {
            cx.links.send(Addr::Node(home), Note::Prefetch(self.id, blocks));
        }
    }

    /// Where a block may have been brought for its readers.
    pub(super) fn homes_of(&self, part: Part, output: u32) -> Vec<NodeId> {
        if self.shuffles.homes.is_empty() {
            return Vec::new();
        }
        let edges = self.layout.edges_out(part.fragment).map(|number| self.layout.edge(number));
        let readers = edges.map(|edge| Part { fragment: edge.consumer, partition: output });
        readers.filter_map(|reader| self.shuffles.home(reader)).collect()
    }
}

//! The store by itself: admission, eviction, spilling, fetching ahead.

use super::*;
use crate::style::Actor;
use bench_model::{FragmentId, Style, StyleEnv, TaskId, Tuning};
use proptest::prelude::*;

const HERE: NodeId = NodeId(0);
const THERE: NodeId = NodeId(1);

fn store(quota: u64) -> Store {
    let tuning = Tuning::defaults(Actor.switches());
    let (memory_share, resources) = (Bytes::new(1), Default::default());
    let env = StyleEnv { slots: 1, memory_share, memory: None, resources, tuning };
    let mut settings = Settings::of(&env);
    (settings.quota, settings.spill_above, settings.inline_bytes) = (Some(quota), quota * 8 / 10, 0);
    Store::new(HERE, &settings)
}

fn block(number: u32, bytes: u64, node: NodeId) -> BlockRef {
    let task = TaskId { job: JobId(0), fragment: FragmentId(0), partition: number };
    let meta = BlockMeta { bytes: Bytes::new(bytes), ..BlockMeta::default() };
    BlockRef { id: BlockId { task, output: 0 }, attempt: Attempt(0), node, meta }
}

fn key(number: u32) -> Key {
    let b = block(number, 0, HERE);
    (b.id, b.attempt)
}

/// Lets every fetch and spill that was asked for succeed, and what follows from that.
fn carry_out(store: &mut Store, out: &mut Out) {
    while !out.is_empty() {
        for action in std::mem::take(out) {
            match action {
                Action::Fetch { block, .. } => store.fetched(&block, true, out),
                Action::Spill { block, attempt } => store.spilled((block, attempt), true, out),
                Action::Release { .. } | Action::Note { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// A running task's pinned copy of 30 bytes, then two requests that fit one after the other: 30 + 60 and 40 + 50 of 100.
fn finish_all(admission: Admission) -> Vec<u64> {
    let mut store = store(100);
    store.admission = admission;
    let mut out = Vec::new();
    store.pull(1, &[vec![block(1, 30, THERE)]], true, &mut out);
    carry_out(&mut store, &mut out);
    store.pull(2, &[vec![block(2, 30, THERE), block(3, 60, THERE)]], true, &mut out);
    store.pull(3, &[vec![block(4, 40, THERE), block(5, 50, THERE)]], true, &mut out);
    carry_out(&mut store, &mut out);
    let mut finished = Vec::new();
    while let Some(request) = store.ready.pop_front() {
        store.finished(request, true, &mut out);
        carry_out(&mut store, &mut out);
        finished.push(request);
    }
    finished
}

#[test]
fn admitting_arguments_one_by_one_deadlocks_and_admitting_bundles_does_not() {
    assert_eq!(finish_all(Admission::Arguments), [1], "two requests hold 70 of 100 bytes and wait for 60 and 50");
    assert_eq!(finish_all(Admission::Bundles), [1, 2, 3]);
    assert_eq!(finish_all(Admission::Unlimited), [1, 2, 3]);
}

impl Store {
    /// What others do: every argument is fetched and pinned as soon as it fits by itself.
    pub(super) fn admit_arguments(&mut self, out: &mut Out) {
        for request in self.waiting.clone() {
            let Some(args) = self.bundles.get(&request).map(|b| b.args.clone()) else { continue };
            let mut left = Vec::new();
            for block in args {
                self.make_room(block.meta.bytes.get(), out);
                if self.used + block.meta.bytes.get() > self.quota.unwrap_or(u64::MAX) {
                    left.push(block);
                    continue;
                }
                self.fetch(&block, out);
                let key = (block.id, block.attempt);
                let here = self.objects.get(&key).is_some_and(Object::is_here);
                let (Some(object), Some(bundle)) = (self.objects.get_mut(&key), self.bundles.get_mut(&request)) else {
                    continue;
                };
                object.pins += 1;
                bundle.pinned.push(key);
                if !here {
                    bundle.missing += 1;
                    object.waiters.push(request);
                }
            }
            let complete = left.is_empty();
            if let Some(bundle) = self.bundles.get_mut(&request) {
                // One that waits for memory is not ready when what it has arrives.
                bundle.missing += u32::from(!complete) * 1_000;
                bundle.args = left;
            }
            if complete {
                self.waiting.retain(|w| *w != request);
            }
        }
    }
}

#[test]
fn a_bundle_larger_than_the_store_runs_alone() {
    let (mut store, mut out) = (store(100), Vec::new());
    store.pull(1, &[vec![block(1, 20, THERE)]], true, &mut out);
    store.pull(2, &[vec![block(2, 300, THERE)]], true, &mut out);
    carry_out(&mut store, &mut out);
    assert_eq!(store.ready.pop_front(), Some(1));
    assert_eq!((store.ready.len(), store.is_holding_back()), (0, true));
    store.finished(1, true, &mut out);
    carry_out(&mut store, &mut out);
    assert_eq!(store.ready.pop_front(), Some(2));
}

#[test]
fn small_results_travel_past_admission_while_large_ones_wait_for_room() {
    let (mut store, mut out) = (store(100), Vec::new());
    store.inline_bytes = 10;
    store.pull(1, &[vec![block(1, 90, THERE)]], true, &mut out);
    carry_out(&mut store, &mut out);
    store.pull(2, &[vec![block(2, 20, THERE)]], true, &mut out);
    store.pull(3, &[vec![block(3, 10, THERE)]], true, &mut out);
    carry_out(&mut store, &mut out);
    assert_eq!(store.ready, [1, 3], "the small one waits neither for room nor for its turn");
    assert_eq!(store.used, 90, "and takes no room");
    assert!(store.is_holding_back());
}

#[test]
fn unpinned_copies_are_evicted_before_anything_is_spilled() {
    let (mut store, mut out) = (store(100), Vec::new());
    store.pull(1, &[vec![block(1, 40, THERE)]], true, &mut out);
    carry_out(&mut store, &mut out);
    store.ready.clear();
    store.finished(1, true, &mut out);
    assert!(out.is_empty(), "there is room");
    store.produced(key(2), 30, &mut out);
    store.produced(key(3), 30, &mut out);
    assert!(matches!(out[..], [Action::Release { block, .. }] if block == key(1).0), "{out:?}");
    out.clear();
    store.produced(key(4), 30, &mut out);
    assert!(matches!(out[..], [Action::Spill { block, .. }] if block == key(2).0), "the oldest goes first: {out:?}");
    assert_eq!(store.check(), Ok(()));
}

#[test]
fn an_object_that_could_not_be_spilled_stays_and_holds_nobody_up() {
    let (mut store, mut out) = (store(100), Vec::new());
    store.produced(key(1), 90, &mut out);
    assert!(matches!(out[..], [Action::Spill { .. }]));
    out.clear();
    store.pull(1, &[vec![block(2, 50, THERE)]], true, &mut out);
    store.spilled(key(1), false, &mut out);
    carry_out(&mut store, &mut out);
    assert_eq!(store.ready.pop_front(), Some(1), "the oldest is admitted whatever the store holds");
}

#[test]
fn what_is_released_on_its_way_is_dropped_when_it_arrives() {
    let (mut store, mut out) = (store(100), Vec::new());
    store.prefetch(&[block(1, 10, THERE)], &mut out);
    assert!(matches!(out[..], [Action::Fetch { .. }]));
    out.clear();
    store.release(key(1), &mut out);
    assert!(out.is_empty());
    store.fetched(&block(1, 10, THERE), true, &mut out);
    assert!(matches!(out[..], [Action::Release { .. }]));
    assert_eq!((store.used, store.objects.len()), (0, 0));
}

#[test]
fn a_lost_argument_fails_every_request_that_waits_for_it() {
    let (mut store, mut out) = (store(100), Vec::new());
    store.pull(1, &[vec![block(1, 10, THERE)]], true, &mut out);
    store.pull(2, &[vec![block(1, 10, THERE), block(2, 10, THERE)]], true, &mut out);
    store.fetched(&block(1, 10, THERE), false, &mut out);
    let failed: Vec<u64> = store.failed.iter().map(|f| f.0).collect();
    assert_eq!(failed, [1, 2]);
}

proptest! {
    /// Requests of any shape, in any order of arrivals and ends, all get their turn, and the books stay right.
    #[test]
    fn every_request_gets_its_turn(requests in prop::collection::vec(prop::collection::vec((0u32..12, any::<bool>()), 1..5), 1..30), order in any::<u64>()) {
        let (mut store, mut out) = (store(100), Vec::new());
        for number in 0..6 {
            store.produced(key(number), u64::from(number) * 7 + 5, &mut out);
        }
        let mut pending: Vec<Action<Frame>> = Vec::new();
        let (mut running, mut finished) = (Vec::new(), 0);
        let mut rng = bench_sim::Rng::new(order);
        let mut arriving = requests.iter().enumerate();
        loop {
            pending.append(&mut out);
            pending.retain(|a| matches!(a, Action::Fetch { .. } | Action::Spill { .. }));
            running.extend(store.ready.drain(..));
            prop_assert_eq!(store.check(), Ok(()));
            let step = rng.below(3);
            if step == 0 && let Some((id, request)) = arriving.next() {
                let refs = request.iter().map(|(n, _)| block(*n, u64::from(*n) * 7 + 5, if *n < 6 { HERE } else { THERE }));
                store.pull(id as u64, &[refs.collect()], true, &mut out);
            } else if step == 1 && !running.is_empty() {
                let id = running.swap_remove(rng.below(running.len() as u64) as usize);
                store.finished(id, true, &mut out);
                finished += 1;
            } else if !pending.is_empty() {
                match pending.swap_remove(rng.below(pending.len() as u64) as usize) {
                    Action::Fetch { block, .. } => store.fetched(&block, true, &mut out),
                    Action::Spill { block, attempt } => store.spilled((block, attempt), !rng.one_in(4), &mut out),
                    _ => {}
                }
            } else if arriving.len() == 0 && running.is_empty() && store.ready.is_empty() && out.is_empty() {
                break;
            }
        }
        prop_assert_eq!(finished, requests.len());
    }
}

//! What becomes of graphs.

use super::*;
use bench_model::{Call, Input, KernelId, Style, StyleEnv, Tuning};

fn fragment(id: u32, tasks: u32, inputs: Vec<(u32, Read)>, exchange: Exchange, outputs: u32) -> Fragment {
    let call = Call { kernel: KernelId::new("test/1"), args: Default::default() };
    let inputs = inputs.into_iter().map(|(from, read)| Input { from: FragmentId(from), read }).collect();
    let options = Default::default();
    Fragment { id: FragmentId(id), call, inputs, tasks, exchange, outputs, waits_for: vec![], options }
}

fn plan(settings: &[(&str, &str)], fragments: Vec<Fragment>) -> Plan {
    let tuning = Tuning::resolve(crate::TaskGraph::new().switches(), settings.iter().copied()).unwrap();
    let env =
        StyleEnv { slots: 1, memory_share: Default::default(), memory: None, resources: Default::default(), tuning };
    let result = fragments.last().unwrap().id;
    let graph = Graph { fragments, result };
    assert_eq!(graph.validate(), Ok(()));
    Plan::new(&Arc::new(graph), &Settings::of(&env, false)).unwrap()
}

fn chain() -> Vec<Fragment> {
    let one =
        |id: u32| fragment(id, 2, if id == 0 { vec![] } else { vec![(id - 1, Read::Forward)] }, Exchange::Forward, 1);
    (0..4).map(one).collect()
}

#[test]
fn a_linear_chain_becomes_one_key_per_partition() {
    let fused = plan(&[], chain());
    assert_eq!(fused.specs, [Spec { fragment: 3, partition: 0 }, Spec { fragment: 3, partition: 1 }]);
    assert_eq!((fused.head(3), fused.before(3), fused.before(0)), (0, Some(2), None));
    assert_eq!(plan(&[("fuse", "off")], chain()).specs.len(), 8);
}

#[test]
fn a_fragment_with_two_readers_is_not_fused() {
    let mut fragments = chain();
    fragments.push(fragment(4, 2, vec![(3, Read::Forward), (1, Read::Forward)], Exchange::Collect, 1));
    let plan = plan(&[], fragments);
    let ends: Vec<u32> = plan.specs.iter().map(|s| s.fragment).collect();
    assert_eq!(ends, [1, 1, 3, 3, 4, 4]);
}

#[test]
fn tasks_that_the_answer_does_not_need_are_culled() {
    let fragments = || {
        vec![
            fragment(0, 4, vec![], Exchange::Forward, 1),
            fragment(1, 3, vec![], Exchange::Forward, 1),
            fragment(2, 2, vec![(0, Read::Forward)], Exchange::Collect, 1),
        ]
    };
    let keys = |culled: &str| plan(&[("cull", culled), ("fuse", "off")], fragments()).specs.len();
    assert_eq!((keys("on"), keys("off")), (4, 9));
    assert_eq!(plan(&[], fragments()).key_of(TaskId { job: JobId(0), fragment: FragmentId(1), partition: 0 }), None);
}

fn join() -> Vec<Fragment> {
    vec![
        fragment(0, 4, vec![], Exchange::Hash, 3),
        fragment(1, 5, vec![], Exchange::Hash, 3),
        fragment(2, 3, vec![(0, Read::Aligned), (1, Read::Aligned)], Exchange::Collect, 1),
    ]
}

#[test]
fn a_barrier_stands_between_the_two_sides_of_a_shuffle() {
    let plan = plan(&[], join());
    assert_eq!(plan.specs.len(), 12 + 2);
    let barriers: Vec<u32> = plan.shuffles.iter().map(|s| s.barrier).collect();
    for reader in 9..12 {
        assert_eq!(plan.deps.of(reader), barriers);
    }
    assert_eq!(plan.deps.of(barriers[1]), [4, 5, 6, 7, 8]);
    assert_eq!((plan.shuffles[0].group, plan.shuffles[1].group, plan.groups[0]), (0, 0, 3));
}

#[test]
fn without_p2p_every_reader_is_linked_to_every_producer() {
    let plan = plan(&[("p2p", "off")], join());
    assert_eq!((plan.specs.len(), plan.shuffles.len()), (12, 0));
    assert_eq!(plan.deps.of(11), (0..9).collect::<Vec<_>>());
}

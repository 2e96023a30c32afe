//! Each mechanism by itself: what it does, and what happens with its switch off.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail like tests")]

mod world;

use bench_model::{Exchange, Fragment, FragmentId, JobError, NodeId, Placement, Read};
use std::collections::BTreeSet;
use world::{World, chain, fragment, shuffle};

fn places_of(placement: Placement, tasks: u32, slots: &[u32], settings: &[(&str, &str)]) -> Result<usize, JobError> {
    let mut fragments =
        vec![fragment(0, tasks, &[], Exchange::Gather, 1), fragment(1, 1, &[(0, Read::All)], Exchange::Collect, 1)];
    fragments[0].options.placement = placement;
    let mut world = World::new(slots, settings, None);
    world.submit(fragments);
    world.finish()?;
    Ok(world.places(0).into_values().collect::<BTreeSet<NodeId>>().len())
}

#[test]
fn a_task_costs_two_messages_when_nothing_goes_wrong() {
    let mut world = World::new(&[2], &[], None);
    world.submit(chain(1_000, 1));
    assert!(world.finish().is_ok());
    assert!(world.frames <= 2 * 1_000 + 4, "{} frames", world.frames);
}

#[test]
fn a_consumer_starts_when_its_own_blocks_exist_and_waits_for_no_stage() {
    let mut world = World::new(&[1], &[("inflight_tasks_per_slot", "1")], None);
    world.submit(chain(2, 10));
    world.run_until(|w| w.ran.len() == 4);
    let fragments: BTreeSet<u32> = world.ran.iter().map(|(_, a)| a.task.fragment.0).collect();
    assert_eq!(fragments, BTreeSet::from([0, 1]));
}

#[test]
fn tasks_go_where_their_arguments_are() {
    let reader_of_second = |locality: &str| {
        let mut world = World::new(&[2, 2], &[("locality", locality)], None);
        world.submit(vec![
            fragment(0, 1, &[], Exchange::Gather, 1),
            fragment(1, 1, &[], Exchange::Gather, 1),
            fragment(2, 1, &[(1, Read::All)], Exchange::Gather, 1),
            fragment(3, 1, &[(0, Read::All), (2, Read::All)], Exchange::Collect, 1),
        ]);
        assert!(world.finish().is_ok());
        assert_eq!(world.places(1)[&0], NodeId(1), "the first node is half full");
        world.places(2)[&0]
    };
    assert_eq!(reader_of_second("on"), NodeId(1));
    assert_eq!(reader_of_second("off"), NodeId(0), "the first node with room");
}

#[test]
fn strict_placements_hold_and_the_others_do_their_best() {
    assert_eq!(places_of(Placement::StrictPack, 6, &[2, 2, 2], &[]), Ok(1));
    assert_eq!(places_of(Placement::Pack, 4, &[2, 2, 2], &[]), Ok(2));
    assert_eq!(places_of(Placement::Spread, 3, &[4, 4, 4], &[]), Ok(3));
    assert_eq!(places_of(Placement::StrictSpread, 3, &[4, 4, 4], &[]), Ok(3));
    assert_eq!(places_of(Placement::Spread, 2, &[8, 8], &[("placement_groups", "off")]), Ok(1), "packed by policy");
}

#[test]
fn what_no_node_can_run_is_infeasible_and_says_why() {
    let error = places_of(Placement::StrictSpread, 3, &[4, 4], &[]).unwrap_err();
    assert!(matches!(&error, JobError::Infeasible { reason, .. } if reason.contains("different nodes")), "{error}");
    let mut greedy = chain(2, 1);
    greedy[0].options.resources.insert("gpu".to_owned(), 5_000);
    let mut world = World::new(&[1], &[], None);
    world.submit(greedy);
    let error = world.finish().unwrap_err();
    assert!(matches!(&error, JobError::Infeasible { reason, .. } if reason.contains("5 gpu")), "{error}");
}

#[test]
fn a_node_that_joins_in_time_makes_the_infeasible_feasible() {
    let mut world = World::new(&[1], &[], None);
    let mut wide = chain(2, 1);
    wide[0].options.resources.insert("cpu".to_owned(), 4_000);
    world.submit(wide);
    for _ in 0..8 {
        world.step();
    }
    world.join(NodeId(1), 4);
    assert!(world.finish().is_ok());
    assert_eq!(world.places(0)[&0], NodeId(1));
}

fn actor_calls(calls: u32) -> Vec<Fragment> {
    let mut fragments = chain(calls, 1);
    fragments.iter_mut().for_each(|f| f.options.actor = Some(0));
    fragments
}

/// How many calls of 20 run again when the actor's node dies after `after` of them.
fn calls_run_again(after: usize, settings: &[(&str, &str)]) -> Result<usize, JobError> {
    let mut world = World::new(&[1, 1, 1], settings, None);
    world.submit(actor_calls(20));
    world.run_until(|w| w.ran.len() == after);
    let home = world.ran[0].0;
    assert!(world.ran.iter().all(|(node, _)| *node == home), "an actor stays where it is");
    world.kill(home);
    world.finish()?;
    assert!(world.ran[after..].iter().all(|(node, _)| *node != home));
    Ok(world.ran.len() - 20)
}

#[test]
fn an_actor_restarts_elsewhere_from_its_last_checkpoint() {
    let from_checkpoint = calls_run_again(15, &[("checkpoint_every", "5")]).unwrap();
    let from_start = calls_run_again(15, &[("checkpoint", "off")]).unwrap();
    assert!(from_checkpoint <= 6, "{from_checkpoint} calls ran again");
    assert!(from_start >= 14, "{from_start} calls ran again");
}

#[test]
fn an_actor_that_may_not_restart_takes_its_state_with_it() {
    let error = calls_run_again(15, &[("max_restarts", "0")]).unwrap_err();
    assert!(matches!(error, JobError::OwnerDied { .. }), "{error}");
}

/// The calls that one actor was sent when two of 50 have run, and all that ran in the end.
fn calls_sent_early(pipelining: &str, state: u64, failing: (u32, usize)) -> (usize, Vec<u32>) {
    let mut world = World::new(&[1, 1], &[("pipelining", pipelining), ("checkpoint", "off")], None);
    (world.bytes, world.failing) = (state, failing);
    world.submit(actor_calls(50));
    world.run_until(|w| w.ran.len() == 2);
    let sent = world.launched;
    assert!(world.finish().is_ok());
    (sent, world.ran.iter().map(|(_, a)| a.task.fragment.0).collect())
}

#[test]
fn calls_of_an_actor_are_sent_ahead_while_its_state_is_small_and_run_in_order() {
    let in_order: Vec<u32> = (0..50).collect();
    for (pipelining, state, least, most) in [("on", 1_000, 50, 50), ("on", 1 << 20, 1, 3), ("off", 1_000, 1, 3)] {
        let (sent, ran) = calls_sent_early(pipelining, state, (0, 0));
        assert!((least..=most).contains(&sent), "{sent} with pipelining {pipelining} and states of {state} bytes");
        assert_eq!(ran, in_order);
    }
}

#[test]
fn calls_sent_ahead_of_one_that_fails_are_given_back_unrun_and_come_again() {
    let (_, ran) = calls_sent_early("on", 1_000, (20, 1));
    let expected: Vec<u32> = (0..=20).chain(20..50).collect();
    assert_eq!(ran, expected, "one call runs twice, in its place, and no other");
}

#[test]
fn an_actor_with_calls_on_their_way_restarts_elsewhere_and_runs_them_in_order() {
    let mut world = World::new(&[1, 1, 1], &[("checkpoint_every", "5")], None);
    world.bytes = 1_000;
    world.submit(actor_calls(40));
    world.run_until(|w| w.ran.len() == 20);
    let home = world.ran[0].0;
    world.kill(home);
    assert!(world.finish().is_ok());
    let again: Vec<u32> = world.ran[20..].iter().map(|(_, a)| a.task.fragment.0).collect();
    assert!(again.is_sorted(), "{again:?}");
    assert_eq!(again.last(), Some(&39));
}

#[test]
fn push_merge_moves_map_outputs_while_maps_still_run() {
    let before_last_map = |push_merge: &str| {
        let mut world = World::new(&[2, 2], &[("push_merge", push_merge), ("merge_round", "4")], None);
        world.submit(shuffle(40, 8));
        world.run_until(|w| w.ran.iter().filter(|(_, a)| a.task.fragment.0 == 0).count() == 40);
        let moved = world.fetched.len();
        assert!(world.finish().is_ok());
        moved
    };
    assert_eq!(before_last_map("off"), 0);
    assert!(before_last_map("on") > 40, "at least a quarter of the 160 that must move");
}

#[test]
fn a_store_that_fills_up_spills_what_nothing_reads_now() {
    let spilled = |spill: &str| {
        let mut world = World::new(&[2], &[("spill", spill)], Some(20_000_000));
        world.submit(shuffle(20, 2));
        assert!(world.finish().is_ok());
        world.spilled
    };
    assert!(spilled("on") > 20);
    assert_eq!(spilled("off"), 0);
}

#[test]
fn a_lost_block_is_read_from_a_copy_or_made_again() {
    let made_again = |copies: &str| {
        // Task 0 is read by all of the second fragment, on both nodes; the third fragment reads it once more, later.
        let fragments = vec![
            fragment(0, 1, &[], Exchange::Broadcast, 1),
            fragment(1, 8, &[(0, Read::All)], Exchange::Gather, 1),
            fragment(2, 1, &[(1, Read::All)], Exchange::Broadcast, 1),
            fragment(3, 1, &[(0, Read::All), (2, Read::All)], Exchange::Collect, 1),
        ];
        let settings = [("copies", copies), ("locality", "off")];
        let mut world = World::new(&[2, 2], &settings, None);
        world.submit(fragments);
        world.run_until(|w| w.ran.iter().filter(|(_, a)| a.task.fragment.0 == 1).count() == 8);
        for _ in 0..8 {
            world.step();
        }
        let home = world.places(0)[&0];
        world.kill(home);
        assert!(world.finish().is_ok());
        world.ran.iter().filter(|(_, a)| a.task.fragment.0 == 0).count() - 1
    };
    assert_eq!(made_again("on"), 0);
    assert_eq!(made_again("off"), 1);
}

#[test]
fn a_failed_task_runs_again_as_often_as_max_retries_says() {
    let outcome = |failures: usize, max_retries: &str| {
        let mut world = World::new(&[2], &[("max_retries", max_retries)], None);
        world.failing = (1, failures);
        world.submit(chain(3, 1));
        (world.finish().map(|blocks| blocks.len()), world.ran.len())
    };
    assert_eq!(outcome(3, "3"), (Ok(1), 6));
    let (result, ran) = outcome(4, "3");
    assert!(matches!(result, Err(JobError::Task { attempts: 4, .. })), "{result:?}");
    assert_eq!(ran, 5);
    assert!(matches!(outcome(1, "0"), (Err(JobError::Task { attempts: 1, .. }), 2)));
}

#[test]
fn blocks_lost_behind_everybodys_back_are_made_again_as_often_as_allowed() {
    let outcome = |max_reconstructions: &str| {
        let mut world = World::new(&[1], &[("max_reconstructions", max_reconstructions)], None);
        world.submit(shuffle(4, 2));
        world.run_until(|w| w.ran.len() == 4);
        let lost = world.lose(0);
        (lost, world.finish().map(|blocks| blocks.len()))
    };
    assert_eq!(outcome("20"), (8, Ok(1)));
    let (_, result) = outcome("0");
    assert!(matches!(result, Err(JobError::Unstable { .. })), "{result:?}");
}

#[test]
fn the_death_of_an_owner_is_fatal_and_submitting_again_succeeds() {
    let kill_owner = |resubmit: &str| {
        let mut world = World::new(&[1, 1, 1], &[("ownership", "spread"), ("resubmit", resubmit)], None);
        world.submit(chain(6, 4));
        world.run_until(|w| w.ran.len() == 6);
        // The first fragments are owned by the nodes in turn.
        world.kill(NodeId(0));
        (world.finish(), world)
    };
    let (result, _) = kill_owner("0");
    let (node, fragment) = (NodeId(0), FragmentId(0));
    let error = result.unwrap_err();
    assert!(matches!(error, JobError::OwnerDied { node: n, .. } if n == node), "{error} instead of {fragment}'s owner");
    let (result, world) = kill_owner("1");
    assert_eq!(result.map(|blocks| blocks.len()), Ok(4));
    assert!(world.ran.last().unwrap().1.attempt.0 >= 1 << 20, "a new round has new attempts");
}

#[test]
fn with_the_driver_as_owner_a_dead_node_costs_only_its_blocks() {
    let mut world = World::new(&[1, 1, 1], &[], None);
    world.submit(chain(6, 4));
    world.run_until(|w| w.ran.len() == 12);
    world.kill(NodeId(0));
    assert!(world.finish().is_ok());
    assert!(world.ran.len() < 2 * 24);
}

#[test]
fn tasks_without_inputs_wait_while_too_many_bytes_are_unread() {
    let most_unread = |backpressure: &str| {
        let settings =
            [("backpressure", backpressure), ("backpressure_bytes", "4000000"), ("inflight_tasks_per_slot", "2")];
        let mut world = World::new(&[2], &settings, None);
        world.submit(chain(3, 60));
        let mut most = 0;
        while world.result.is_none() {
            world.step();
            let done = |f: u32| world.ran.iter().filter(|(_, a)| a.task.fragment.0 == f).count();
            most = most.max(done(0) - done(1));
        }
        most
    };
    assert!(most_unread("on") <= 10);
    assert!(most_unread("off") <= 10, "a chain is drained as fast as it is filled");
}

#[test]
fn a_busy_node_hands_requests_on_to_an_idle_one() {
    let handed_on = |spillback: &str| {
        let mut world = World::new(&[1, 4], &[("spillback", spillback), ("inflight_tasks_per_slot", "8")], None);
        // All read one large block: by locality they all ask its node.
        world.submit(vec![
            fragment(0, 1, &[], Exchange::Broadcast, 1),
            fragment(1, 40, &[(0, Read::All)], Exchange::Gather, 1),
            fragment(2, 1, &[(1, Read::All)], Exchange::Collect, 1),
        ]);
        assert!(world.finish().is_ok());
        world.spillbacks
    };
    assert!(handed_on("on") > 0);
    assert_eq!(handed_on("off"), 0);
}

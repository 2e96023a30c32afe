//! A node as a driver meets it: frame by frame, over a real socket.

use super::handshake::{Caller, Identity, call};
use super::stream::Stream;
use super::wire::{Batch, Configure, Frame, read_frame, write_frame};
use super::{ClusterToken, Node, NodeOptions, NodeSetup, NodeStyles, RemoteError};
use bench_model::{Addr, Epoch, JobId, Nanos, NodeId, Registry};
use bench_stagedag::{Msg, StageDag};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

struct Bench {
    node: Node,
    identity: Identity,
    _scratch: tempfile::TempDir,
}

fn node() -> Bench {
    let scratch = tempfile::tempdir().unwrap();
    let identity = Identity { token: ClusterToken::random().unwrap(), build: "b".to_owned(), keys: None };
    let setup = NodeSetup {
        listen: "127.0.0.1:0".to_owned(),
        scratch: scratch.path().to_owned(),
        shared: None,
        token: identity.token,
        build: identity.build.clone(),
        options: NodeOptions::default(),
    };
    let node = Node::start(NodeStyles::new(Registry::default).with(StageDag), setup).unwrap();
    Bench { node, identity, _scratch: scratch }
}

impl Bench {
    fn call(&self, from: Addr, epoch: u64, session: u64) -> Result<Stream, RemoteError> {
        let caller = Caller { from, epoch: Epoch(epoch), to: Epoch(epoch), session };
        let stream = call(&self.node.address().to_string(), &self.identity, caller, SOON)?;
        stream.set_read_timeout(Some(SOON)).unwrap();
        Ok(stream)
    }

    /// Makes the node a member and returns its answer.
    fn configure(&self, epoch: u64, session: u64, style: &str) -> (Stream, Frame<Msg>) {
        let stream = self.call(Addr::Driver, epoch, session).unwrap();
        let configure = Configure {
            style: style.to_owned(),
            settings: vec![],
            node: NodeId(0),
            epoch: Epoch(epoch),
            session,
            slots: 1,
            memory: None,
            resources: vec![],
            spans: true,
            silence: Nanos::from_millis(60_000),
        };
        write_frame(&mut &stream, &Frame::<Msg>::Configure(configure)).unwrap();
        let answer = read_frame(&mut &stream).unwrap();
        (stream, answer)
    }
}

/// A command that a stage-DAG node answers at once.
fn free_job(epoch: u64, stamp: u64) -> Frame<Msg> {
    let msg = Msg::FreeJob { epoch: Epoch(epoch), job: JobId(7) };
    Frame::Messages(Batch { messages: vec![msg], ..Batch::new(Epoch(stamp)) })
}

#[test]
fn frames_of_an_old_epoch_are_dropped_and_their_sender_is_told() {
    let bench = node();
    let (stream, answer) = bench.configure(5, 1, "stagedag");
    assert_eq!(answer, Frame::Configured { epoch: Epoch(5), slots: 1 });
    write_frame(&mut &stream, &free_job(5, 4)).unwrap();
    assert_eq!(read_frame::<Frame<Msg>>(&mut &stream).unwrap(), Frame::Fenced { epoch: Epoch(5) });
    write_frame(&mut &stream, &free_job(5, 5)).unwrap();
    let Frame::Messages(batch) = read_frame::<Frame<Msg>>(&mut &stream).unwrap() else { panic!("no messages") };
    assert_eq!(batch.messages, [Msg::JobFreed { epoch: Epoch(5), job: JobId(7) }]);
}

#[test]
fn a_node_answers_pings_and_accounts_for_its_slots() {
    let bench = node();
    let (stream, _) = bench.configure(1, 1, "stagedag");
    write_frame(&mut &stream, &Frame::<Msg>::Ping(9)).unwrap();
    assert_eq!(read_frame::<Frame<Msg>>(&mut &stream).unwrap(), Frame::Pong(9));
    write_frame(&mut &stream, &Frame::<Msg>::Account(2)).unwrap();
    let answer = read_frame::<Frame<Msg>>(&mut &stream).unwrap();
    assert!(matches!(answer, Frame::Accounted { number: 2, spent, .. } if spent.len() == 1));
}

#[test]
fn a_node_at_work_turns_other_drivers_away_and_starts_afresh_for_its_own() {
    let bench = node();
    let (first, _) = bench.configure(1, 1, "stagedag");
    let refused = bench.call(Addr::Driver, 1, 2).err().map(|e| e.to_string());
    assert!(refused.is_some_and(|r| r.contains("works for another driver")));
    let (second, answer) = bench.configure(2, 1, "stagedag");
    assert_eq!(answer, Frame::Configured { epoch: Epoch(2), slots: 1 });
    assert!(read_frame::<Frame<Msg>>(&mut &first).is_err(), "the first incarnation is over");
    drop(second);
    let mut tries = 0;
    // Its driver's end is noticed in a moment, and then anyone may have it.
    while bench.call(Addr::Driver, 1, 3).is_err() {
        tries += 1;
        assert!(tries < 1000, "the node was never free again");
        assert!(!bench.node.wait(Duration::from_millis(10)));
    }
}

#[test]
fn a_style_that_a_node_does_not_know_is_named_with_those_it_does() {
    let bench = node();
    let (_stream, answer) = bench.configure(1, 1, "waterfall");
    let expected = "it has no style `waterfall`; it knows stagedag".to_owned();
    assert_eq!(answer, Frame::Unfit { reason: expected });
}

#[test]
fn nodes_of_other_sessions_and_epochs_are_no_peers() {
    let bench = node();
    let peer = Addr::Node(NodeId(1));
    assert!(bench.call(peer, 3, 1).is_err(), "it has no driver yet");
    let (_stream, _) = bench.configure(3, 1, "stagedag");
    assert!(bench.call(peer, 3, 2).is_err(), "another session");
    assert!(bench.call(peer, 2, 1).is_err(), "an older epoch");
    assert!(bench.call(peer, 3, 1).is_ok());
}

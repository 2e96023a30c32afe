//! What a stream carries, in clear and encrypted, alone and under a link.

use super::*;
use crate::remote::link::Link;
use crate::remote::poller::{Poller, Woken};
use crate::remote::tls::certificates_of;
use crate::remote::wire::{Frame, read_frame, write_frame};
use bench_model::{Addr, Epoch, NodeId};
use std::net::TcpListener;
use std::sync::atomic::AtomicU32;

const SOON: Duration = Duration::from_secs(10);

fn sockets() -> [TcpStream; 2] {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    [near, far]
}

/// Two ends that trust each other.
fn secure() -> [Stream; 2] {
    let (keys, by) = (certificates_of("cluster").keys().unwrap(), Instant::now() + SOON);
    let [near, far] = sockets();
    std::thread::scope(|scope| {
        let called = scope.spawn(|| Stream::answer(far, &keys, by).unwrap());
        let near = Stream::call(near, &keys, by).unwrap();
        [near, called.join().unwrap()]
    })
}

fn both_kinds() -> [[Stream; 2]; 2] {
    [sockets().map(Stream::from), secure()]
}

/// Bytes that are not all alike.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n % 251) as u8).collect()
}

#[test]
fn bytes_arrive_as_they_were_sent_in_both_directions() {
    for [near, far] in both_kinds() {
        // More than any buffer in between holds.
        let sent = bytes(3 << 20);
        // One after the other: a stream that blocks in a write reads nothing meanwhile. Links never block.
        for (from, to) in [(&near, &far), (&far, &near)] {
            std::thread::scope(|scope| {
                scope.spawn(|| (&mut &*from).write_all(&sent).unwrap());
                let mut received = vec![0; sent.len()];
                (&mut &*to).read_exact(&mut received).unwrap();
                assert!(received == sent);
            });
        }
    }
}

#[test]
fn what_follows_a_frame_is_left_for_whoever_watches_the_socket() {
    for [near, far] in both_kinds() {
        write_frame(&mut &near, &Frame::<String>::Ping(1)).unwrap();
        write_frame(&mut &near, &Frame::<String>::Ping(2)).unwrap();
        assert_eq!(read_frame::<Frame<String>>(&mut &far).unwrap(), Frame::Ping(1));
        let poller = Poller::new().unwrap();
        far.set_nonblocking(true).unwrap();
        poller.watch_for_bytes(&far, 3).unwrap();
        assert_eq!(poller.wait(Some(SOON)), Woken::Readable(3));
        assert_eq!(read_frame::<Frame<String>>(&mut &far).unwrap(), Frame::Ping(2));
    }
}

#[test]
fn a_short_read_leaves_nothing_behind() {
    for [near, far] in both_kinds() {
        far.set_nonblocking(true).unwrap();
        let sent = bytes(100_000);
        std::thread::scope(|scope| {
            scope.spawn(|| (&near).write_all(&sent).unwrap());
            let mut received = Vec::new();
            let mut room = vec![0; 1 << 20];
            while received.len() < sent.len() {
                match (&far).read(&mut room) {
                    Ok(n) => {
                        received.extend_from_slice(&room[..n]);
                        assert!(n < room.len() && far.is_drained());
                    }
                    Err(e) => assert_eq!(e.kind(), ErrorKind::WouldBlock),
                }
            }
            assert!(received == sent);
        });
    }
}

#[test]
fn an_end_that_comes_with_the_last_bytes_is_not_missed() {
    let [near, far] = secure();
    (&near).write_all(b"last").unwrap();
    near.shutdown(Shutdown::Both).unwrap();
    // The record and the end of the socket are there together: the end was sent right behind, and is awaited here.
    let mut beyond = [0; 64];
    far.set_nonblocking(true).unwrap();
    let mut room = [0; 64];
    let read = loop {
        match (&far).read(&mut room) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            other => break other.unwrap(),
        }
    };
    assert_eq!(&room[..read], b"last");
    // Either the end was not there yet, then the socket has news of it later; or it was, then the stream says so.
    if far.is_drained() {
        far.set_nonblocking(false).unwrap();
        assert_eq!(far.socket().peek(&mut beyond).unwrap(), 0);
        far.set_nonblocking(true).unwrap();
    }
    assert_eq!((&far).read(&mut room).unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn a_peer_that_says_nothing_is_given_up_in_time() {
    let keys = certificates_of("cluster").keys().unwrap();
    let [_silent, far] = sockets();
    let by = Instant::now() + Duration::from_millis(50);
    let error = Stream::answer(far, &keys, by).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
}

#[test]
fn links_carry_more_than_a_connection_holds_while_both_sides_write() {
    for streams in both_kinds() {
        let done = &AtomicU32::new(0);
        let long = &"x".repeat(300_000);
        std::thread::scope(|scope| {
            for stream in streams {
                scope.spawn(move || {
                    let poller = Arc::new(Poller::new().unwrap());
                    let peer = (Addr::Node(NodeId(0)), Epoch(5));
                    let link = Link::<String>::open(stream, &poller, 1, peer).unwrap();
                    link.listen().unwrap();
                    for n in 0..100 {
                        link.push(format!("{n}:{long}"));
                        link.flush().unwrap();
                    }
                    let mut next = 0;
                    let mut take = |frames: Vec<Frame<String>>| {
                        for frame in frames {
                            let Frame::Messages(batch) = frame else { panic!("{frame:?}") };
                            for message in batch.messages {
                                assert!(message.starts_with(&format!("{next}:")) && message.ends_with("xxx"));
                                next += 1;
                                done.fetch_add(u32::from(next == 100), Ordering::AcqRel);
                            }
                        }
                    };
                    // The other side may still wait for what this one has to write.
                    while done.load(Ordering::Acquire) < 2 {
                        match poller.wait(Some(Duration::from_millis(20))) {
                            Woken::Readable(1) | Woken::Ending(1) => {
                                if let Err(error) = link.read(&mut take) {
                                    // The other side may leave as soon as both have everything.
                                    assert_eq!(done.load(Ordering::Acquire), 2, "{error}");
                                }
                            }
                            Woken::Writable(1) => link.writable().unwrap(),
                            Woken::Timeout | Woken::Signal => {}
                            other => panic!("{other:?} instead of frames"),
                        }
                    }
                });
            }
        });
    }
}

//! Who is let in, who is not, and what both sides are told.

use super::*;
use crate::remote::tls::certificates_of;
use bench_model::NodeId;
use std::io::Read;
use std::net::TcpListener;

const SOON: Duration = Duration::from_secs(5);

fn identity(build: &str) -> Identity {
    Identity { token: ClusterToken::random().unwrap(), build: build.to_owned(), keys: None }
}

fn caller() -> Caller {
    Caller { from: Addr::Node(NodeId(2)), epoch: Epoch(4), to: Epoch(9), session: 77 }
}

/// What both sides make of each other.
fn meet(ours: &Identity, theirs: &Identity) -> (Result<Stream, RemoteError>, Result<Caller, RemoteError>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::scope(|scope| {
        let called = scope.spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let admit = |c: &Caller| if c.session == 77 { Ok(()) } else { Err("no".to_owned()) };
            answer(stream, theirs, SOON, admit).map(|(caller, _)| caller)
        });
        let calling = call(&address, ours, caller(), SOON);
        (calling, called.join().unwrap())
    })
}

#[test]
fn processes_of_one_cluster_and_build_meet() {
    let ours = identity("b1");
    let (calling, called) = meet(&ours, &ours.clone());
    assert!(calling.is_ok());
    assert_eq!(called.unwrap(), caller());
}

#[test]
fn another_build_is_refused_and_both_builds_are_named() {
    let ours = identity("b1");
    let theirs = Identity { build: "b2".to_owned(), ..ours.clone() };
    let (calling, called) = meet(&ours, &theirs);
    let text = calling.unwrap_err().to_string();
    assert!(text.contains("runs build b2, this is build b1"), "{text}");
    let text = called.unwrap_err().to_string();
    assert!(text.contains("runs build b1, this is build b2"), "{text}");
}

#[test]
fn a_wrong_token_is_refused_whatever_the_build() {
    let (calling, called) = meet(&identity("b1"), &identity("b2"));
    assert!(matches!(calling, Err(RemoteError::Token { .. })));
    assert!(matches!(called, Err(RemoteError::Token { .. })));
}

/// A process that shows the certificate of that folder of the tests.
fn shows(identity: &Identity, folder: &str) -> Identity {
    Identity { keys: Some(certificates_of(folder).keys().unwrap()), ..identity.clone() }
}

#[test]
fn processes_with_certificates_meet_over_tls() {
    let ours = shows(&identity("b1"), "cluster");
    let (calling, called) = meet(&ours, &ours.clone());
    assert!(matches!(calling, Ok(Stream::Secure(_))));
    assert_eq!(called.unwrap(), caller());
    // What is told apart in clear is told apart under TLS.
    let (calling, called) = meet(&ours, &Identity { build: "b2".to_owned(), ..ours.clone() });
    assert!(matches!((calling, called), (Err(RemoteError::Build { .. }), Err(RemoteError::Build { .. }))));
    let (calling, called) = meet(&ours, &shows(&identity("b1"), "cluster"));
    assert!(matches!((calling, called), (Err(RemoteError::Token { .. }), Err(RemoteError::Token { .. }))));
}

#[test]
fn a_caller_in_clear_is_refused_by_a_process_with_a_certificate_and_told_why() {
    let plain = identity("b1");
    let (calling, called) = meet(&plain, &shows(&plain, "cluster"));
    let text = calling.unwrap_err().to_string();
    assert!(text.contains("it speaks TLS only"), "{text}");
    let text = called.unwrap_err().to_string();
    assert!(text.contains("called without TLS"), "{text}");
    let (calling, called) = meet(&shows(&plain, "cluster"), &plain);
    assert!(matches!(calling, Err(RemoteError::Handshake { .. })));
    let text = called.unwrap_err().to_string();
    assert!(text.contains("this process has no certificate"), "{text}");
}

#[test]
fn certificates_of_another_authority_or_name_are_refused() {
    let plain = identity("b1");
    let ours = shows(&plain, "cluster");
    // Neither side believes the other.
    let (calling, called) = meet(&shows(&plain, "stranger"), &ours);
    assert!(matches!(calling, Err(RemoteError::Untrusted { .. })), "{calling:?}");
    assert!(matches!(called, Err(RemoteError::Untrusted { .. })), "{called:?}");
    // The caller would believe this process, but is not believed.
    let mut fooled = certificates_of("stranger");
    fooled.authority = certificates_of("cluster").authority;
    let (calling, called) = meet(&Identity { keys: Some(fooled.keys().unwrap()), ..plain.clone() }, &ours);
    assert!(matches!(calling, Err(RemoteError::Untrusted { .. })), "{calling:?}");
    assert!(matches!(called, Err(RemoteError::Untrusted { .. })), "{called:?}");
    // The authority is right, and the process that is called is not one of this cluster.
    let (calling, _) = meet(&ours, &shows(&plain, "misnamed"));
    assert!(matches!(calling, Err(RemoteError::Untrusted { .. })), "{calling:?}");
}

#[test]
fn with_certificates_no_token_is_said_in_clear() {
    let ours = shows(&identity("b1"), "cluster");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let said = std::thread::scope(|scope| {
        let heard = scope.spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // Whatever answer would tempt the caller: a welcome in clear.
            let mut said = vec![0; 64 << 10];
            let read = stream.read(&mut said).unwrap();
            said.truncate(read);
            write_small(&Stream::Plain(stream.try_clone().unwrap()), &Reply::Welcome).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let mut rest = Vec::new();
            // A caller that hangs up at once has said what it had to say.
            let _ = stream.read_to_end(&mut rest);
            [said, rest].concat()
        });
        assert!(call(&address, &ours, caller(), SOON).is_err());
        heard.join().unwrap()
    });
    let token = ours.token.reveal();
    assert!(said.starts_with(SECURE_MAGIC));
    assert!(!said.windows(token.len()).any(|window| window == token.as_bytes()));
}

#[test]
fn strangers_and_the_silent_are_shaken_off() {
    for words in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"bench/1\n\xff\xff", b"bench/1\n\x03\x00\xff\xff\xff", b"be"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stranger = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stranger.write_all(words).unwrap();
        let refused = answer(stream, &identity("b"), Duration::from_millis(50), |_| Ok(()));
        assert!(matches!(refused, Err(RemoteError::Handshake { .. })), "{words:?}");
    }
}

#[test]
fn a_caller_that_trickles_is_shaken_off_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut slow = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    std::thread::scope(|scope| {
        let answered = scope.spawn(move || {
            let began = Instant::now();
            let refused = answer(stream, &identity("b"), Duration::from_millis(200), |_| Ok(()));
            (refused.is_err(), began.elapsed())
        });
        for byte in MAGIC.iter().chain([0xff, 0x0f].iter()).chain([0; 40].iter()) {
            if slow.write_all(&[*byte]).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let (refused, took) = answered.join().unwrap();
        assert!(refused && took < Duration::from_secs(2), "each byte came in time, but not all of them: {took:?}");
    });
}

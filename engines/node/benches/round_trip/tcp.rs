//! The floor: one byte over TCP.

use crate::{OtherSide, PingPong};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

const TRIPS: u32 = 10_000;

pub(crate) struct Tcp {
    stream: TcpStream,
    _other: OtherSide,
}

impl Tcp {
    pub(crate) fn start() -> Self {
        let other = OtherSide::start("serve-tcp");
        let stream = TcpStream::connect(&other.address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, _other: other }
    }
}

impl PingPong for Tcp {
    fn measure(&mut self) -> Duration {
        let begin = Instant::now();
        let mut byte = [7];
        for _ in 0..TRIPS {
            self.stream.write_all(&byte).unwrap();
            self.stream.read_exact(&mut byte).unwrap();
        }
        begin.elapsed() / TRIPS
    }
}

pub(crate) fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_nodelay(true).unwrap();
    let mut byte = [0];
    while stream.read_exact(&mut byte).is_ok() {
        stream.write_all(&byte).unwrap();
    }
}

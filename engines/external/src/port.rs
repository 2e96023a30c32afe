//! A port that a product listens on whatever it is told, kept for it while others run beside it.

use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU16;

/// A port of the loopback address, bound and not listened on: the system gives it to nobody's outgoing connection any more, and a server
/// that asks for it by its number, as servers do (`SO_REUSEADDR`), gets it.
#[derive(Debug)]
pub struct KeptPort(#[expect(dead_code, reason = "it is kept for as long as this is open")] Socket);

impl KeptPort {
    /// Keeps a port.
    ///
    /// # Errors
    /// Somebody listens on it or is connected from it.
    pub fn keep(port: NonZeroU16) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, port.get()).into())?;
        Ok(Self(socket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_kept_port_is_for_servers_that_ask_for_it_by_its_number() {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let port = NonZeroU16::new(port).unwrap();
        let kept = [KeptPort::keep(port).unwrap(), KeptPort::keep(port).unwrap()];
        let of_somebody_else = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port.get());
        assert!(of_somebody_else.bind(&address.into()).is_err(), "two runs keep it, and nobody else has it");
        let server = TcpListener::bind(address).unwrap();
        let _client = TcpStream::connect(address).unwrap();
        server.accept().unwrap();
        assert!(KeptPort::keep(port).is_err(), "somebody listens");
        drop(kept);
    }
}

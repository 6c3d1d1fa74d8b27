//! Sockets of checks that are over, for the next ones: making and releasing one costs as much as a connection.

use std::os::fd::AsFd;

use socket2::Socket;

use crate::sys::poller::Poller;
use crate::sys::tcp;

/// How many are kept at most: about as many as thousands of checks have on the wire at a time.
const MOST: usize = 128;

/// What a socket was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Make {
    pub(super) ipv4: bool,
    pub(super) nodelay: bool,
}

/// What checks on the wire share.
pub(super) struct Wire {
    /// The sockets of all checks, under the numbers of their entries.
    pub(super) poller: Poller,
    spare: Vec<(Make, Socket)>,
}

impl Wire {
    pub(super) fn new(poller: Poller) -> Self {
        Self { poller, spare: Vec::new() }
    }

    /// A socket of this make that is connected to nobody.
    pub(super) fn take(&mut self, make: Make) -> Option<Socket> {
        let at = self.spare.iter().rposition(|(other, _)| *other == make)?;
        Some(self.spare.swap_remove(at).1)
    }

    /// Resets the connection of a socket and keeps that for later; `told`: the poller knows it.
    pub(super) fn keep(&mut self, make: Make, socket: Socket, told: bool) {
        if self.spare.len() >= MOST {
            return;
        }
        if told {
            self.poller.remove(socket.as_fd());
        }
        if tcp::disconnect(socket.as_fd()).is_ok() {
            self.spare.push((make, socket));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::TcpListener;

    use socket2::{Domain, Type};

    use super::*;

    #[test]
    fn a_socket_serves_again_and_its_first_peer_sees_a_reset() {
        let mut wire = Wire::new(Poller::new().unwrap());
        let make = Make { ipv4: true, nodelay: false };
        let mut socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        for _ in 0..3 {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            socket.connect(&listener.local_addr().unwrap().into()).unwrap();
            let (mut peer, _) = listener.accept().unwrap();
            // Neither what came in nor what went wrong is left to the next connection.
            peer.write_all(b"unread").unwrap();
            wire.keep(make, socket, false);
            assert_eq!(peer.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);
            assert!(wire.take(Make { nodelay: true, ..make }).is_none(), "of another make");
            socket = wire.take(make).unwrap();
            assert!(wire.take(make).is_none(), "there was one");
        }
    }
}

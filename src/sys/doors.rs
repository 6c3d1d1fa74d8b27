//! Finds those who listen at abstract names that are taken in their order, for as few system calls as that takes.

use std::io;

use socket2::{Domain, SockAddr, Socket, Type};

/// Every so many rounds every name is tried: behind one that is free may be one whose elder has ended.
const WHOLE: u32 = 10;

/// The names, and who was there last time.
#[derive(Debug)]
pub struct Doors {
    addresses: Vec<SockAddr>,
    open: Vec<bool>,
    rounds: u32,
    /// Not connected yet: a refusal leaves it as it was.
    spare: Option<Socket>,
}

impl Doors {
    /// Of these names, none of which anybody is known to have.
    ///
    /// # Errors
    /// A name is longer than an address may be.
    pub fn new(names: impl Iterator<Item = String>) -> io::Result<Self> {
        // A path that begins with NUL is an abstract name.
        let addresses =
            names.map(|name| SockAddr::unix(format!("\0{name}"))).collect::<io::Result<Vec<_>>>()?;
        Ok(Self { open: vec![false; addresses.len()], addresses, rounds: 0, spare: None })
    }

    /// Connects, without waiting, to everybody who listens but those who are `known`; by position of their name. Who took
    /// the first free name since the last time is among them, always; `all`: whoever there is.
    pub fn knock(&mut self, all: bool, known: impl Fn(usize) -> bool) -> Vec<(usize, Socket)> {
        let whole = all || self.rounds.is_multiple_of(WHOLE);
        self.rounds = self.rounds.wrapping_add(1);
        let (mut found, mut free) = (Vec::new(), false);
        for (at, address) in self.addresses.iter().enumerate() {
            if known(at) {
                self.open[at] = true;
                continue;
            }
            if free && !whole && !self.open[at] {
                continue;
            }
            let fresh = || Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None).ok();
            let Some(socket) = self.spare.take().or_else(fresh) else { break };
            match socket.connect(address) {
                Ok(()) => {
                    self.open[at] = true;
                    found.push((at, socket));
                }
                Err(e) => {
                    // Others are there, with too many waiting before them.
                    self.open[at] = e.kind() != io::ErrorKind::ConnectionRefused;
                    free |= !self.open[at];
                    self.spare = Some(socket);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};

    use super::*;

    #[test]
    fn whoever_comes_is_found_and_hardly_anybody_is_asked_for() {
        let name = |at: usize| format!("tandem-doors-{}-{at}", std::process::id());
        let listen =
            |at: usize| UnixListener::bind_addr(&SocketAddr::from_abstract_name(name(at)).unwrap()).unwrap();
        let mut doors = Doors::new((0..8).map(name)).unwrap();
        let mut knock = |all| doors.knock(all, |_| false).iter().map(|(at, _)| *at).collect::<Vec<_>>();
        assert_eq!(knock(false), [0; 0]);
        let first = listen(0);
        assert_eq!(knock(false), [0]);
        let second = listen(1);
        let third = listen(2);
        assert_eq!(knock(false), [0, 1, 2]);
        // Those who stay are found behind the one that went.
        drop(first);
        assert_eq!(knock(false), [1, 2]);
        drop(second);
        assert_eq!(knock(false), [2]);
        drop(third);
        assert_eq!(knock(false), [0; 0]);
        // Out of turn: at some time, or when everybody is asked for.
        let fifth = listen(5);
        assert_eq!(knock(true), [5]);
        drop(fifth);
        assert_eq!(knock(false), [0; 0]);
        let fifth = listen(5);
        assert!((0..WHOLE).any(|_| knock(false) == [5]));
        drop(fifth);
        assert!(doors.knock(true, |at| at == 3).is_empty());
        assert!(doors.open[3] && !doors.open[5]);
    }
}

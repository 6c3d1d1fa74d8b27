//! Opened destinations.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use socket2::SockAddr;

use super::balancers::Balancers;
use super::ring::{self, Ring};
use crate::ir::log::LogDest;
use crate::sys::{self, datagrams};

/// One opened destination.
#[derive(Debug)]
pub(super) struct Sink(Kind);

#[derive(Debug)]
enum Kind {
    /// Standard output and relatives: whole lines, never two mixed.
    Fd {
        fd: i32,
        lock: Mutex<()>,
    },
    /// Opened at the first line, because a chroot or a namespace may come in between.
    Udp {
        to: SocketAddr,
        socket: Mutex<Option<UdpSocket>>,
    },
    Ring(Arc<Ring>),
    Backend(String, Arc<Balancers>),
    /// A ring that does not exist: lines are lost.
    Nowhere,
    /// Looked up for every line, because the syslog daemon may restart.
    Unix {
        path: PathBuf,
        socket: Mutex<Option<UnixDatagram>>,
    },
}

impl Sink {
    pub(super) fn new(dest: &LogDest) -> Self {
        Self(match dest {
            LogDest::Stdout => Kind::Fd { fd: 1, lock: Mutex::new(()) },
            LogDest::Stderr => Kind::Fd { fd: 2, lock: Mutex::new(()) },
            LogDest::Fd(fd) => Kind::Fd { fd: *fd, lock: Mutex::new(()) },
            LogDest::Udp(to) => Kind::Udp { to: *to, socket: Mutex::new(None) },
            LogDest::Ring(_) | LogDest::Backend(_) => Kind::Nowhere,
            LogDest::Unix(path) => Kind::Unix { path: path.clone(), socket: Mutex::new(None) },
        })
    }

    /// A ring as a destination.
    pub(super) fn ring(ring: Option<&Arc<Ring>>) -> Self {
        Self(ring.map_or(Kind::Nowhere, |ring| Kind::Ring(ring.clone())))
    }

    /// A backend for log lines as a destination.
    pub(super) fn backend(name: &str, balancers: &Arc<Balancers>) -> Self {
        Self(Kind::Backend(name.to_owned(), balancers.clone()))
    }

    /// Can several lines leave with one system call?
    pub(super) fn takes_several(&self) -> bool {
        matches!(self.0, Kind::Udp { .. } | Kind::Unix { .. })
    }

    /// Sends lines in their order: how many were lost.
    pub(super) fn send_all(&self, lines: &[&[u8]]) -> u64 {
        match &self.0 {
            Kind::Udp { to, socket } => {
                let mut socket = socket.lock();
                if socket.is_none() {
                    *socket = open_udp(*to).ok();
                }
                // A connected socket reports the ICMP answer to an earlier datagram once, in place of sending.
                send_datagrams(socket.as_ref(), None, lines, 2)
            }
            Kind::Unix { path, socket } => {
                let mut socket = socket.lock();
                if socket.is_none() {
                    *socket = UnixDatagram::unbound().ok();
                }
                match SockAddr::unix(path) {
                    Ok(to) => send_datagrams(socket.as_ref(), Some(&to), lines, 1),
                    Err(_) => lines.len() as u64,
                }
            }
            _ => lines.iter().filter(|line| !self.send(line, 0, untold)).count() as u64,
        }
    }

    /// Sends one line, whose message begins at `message`. A ring that has lost lines tells it in the words of `tell`. `false`:
    /// this one was lost.
    pub(super) fn send(&self, line: &[u8], message: usize, tell: impl FnOnce(u64) -> Vec<u8>) -> bool {
        match &self.0 {
            Kind::Fd { fd, lock } => {
                let _whole_line = lock.lock();
                sys::fd::write_if_ready(*fd, line)
            }
            Kind::Ring(ring) => ring.push(line, tell),
            Kind::Backend(name, balancers) => balancers.send(name, line, message),
            Kind::Nowhere => false,
            Kind::Udp { .. } | Kind::Unix { .. } => self.send_all(&[line]) == 0,
        }
    }
}

/// How a ring tells of lost lines where nothing is known of a header.
pub(super) fn untold(lost: u64) -> Vec<u8> {
    ring::lost_lines(lost).into()
}

/// Sends lines without waiting, each in so many attempts at most: how many were lost.
fn send_datagrams(
    socket: Option<&impl AsFd>,
    to: Option<&SockAddr>,
    mut lines: &[&[u8]],
    attempts: u32,
) -> u64 {
    let Some(socket) = socket else { return lines.len() as u64 };
    let (mut lost, mut failed) = (0, 0);
    while !lines.is_empty() {
        let gone = match datagrams::send(socket, to, lines.iter().copied()) {
            Ok(sent) => sent,
            Err(_) if failed + 1 < attempts => {
                failed += 1;
                continue;
            }
            Err(_) => {
                lost += 1;
                1
            }
        };
        failed = 0;
        lines = &lines[gone..];
    }
    lost
}

fn open_udp(to: SocketAddr) -> std::io::Result<UdpSocket> {
    let any: SocketAddr = if to.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.connect(to)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_line_arrives_by_udp_even_after_the_receiver_was_away() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let at = receiver.local_addr().unwrap();
        drop(receiver);
        let sink = Sink::new(&LogDest::Udp(at));
        sink.send(b"lost\n", 0, untold);
        let receiver = UdpSocket::bind(at).unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        assert!(sink.send(b"kept\n", 0, untold));
        let mut buf = [0; 64];
        let n = receiver.recv(&mut buf).unwrap();
        assert_eq!(&buf[..n], b"kept\n");
    }

    #[test]
    fn a_line_arrives_at_a_unix_socket_that_was_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let sink = Sink::new(&LogDest::Unix(path.clone()));
        assert!(!sink.send(b"nobody there\n", 0, untold));
        for round in 0..2 {
            let daemon = UnixDatagram::bind(&path).unwrap();
            assert!(sink.send(b"hello\n", 0, untold), "round {round}");
            let mut buf = [0; 64];
            let n = daemon.recv(&mut buf).unwrap();
            assert_eq!(&buf[..n], b"hello\n");
            std::fs::remove_file(&path).unwrap();
        }
    }
}

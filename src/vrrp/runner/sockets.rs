//! The raw sockets, one per interface, protocol, family and unicast source, shared by the instances there.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::rc::{Rc, Weak};
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::task::JoinHandle;

use crate::ir::vrrp::Instance;
use crate::sys::clock;
use crate::sys::raw::{RawKey, RawSocket, Received};
use crate::vrrp::packet::Profile;

use super::Core;

/// Packets handled in a row before timers get their turn again.
const BATCH: usize = 32;
/// Packets in a row after which a flood has to pause: a real-time thread that never waits starves the machine, and is
/// ended by the kernel for it.
const FLOOD: usize = 512;
/// The shortest pause, which the runtime's timer knows; a slow machine pauses for as long as it worked.
const PAUSE: Duration = Duration::from_millis(1);
/// Larger than any advertisement (255 IPv6 addresses).
pub(super) const BUFFER: usize = 4608;

/// An open socket and the task that reads it.
#[derive(Debug)]
struct Open {
    socket: Rc<AsyncFd<RawSocket>>,
    reader: JoinHandle<()>,
    /// Bytes it was told to hold.
    buffer: Option<u32>,
}

/// All open sockets.
#[derive(Debug, Default)]
pub(super) struct Pool {
    open: HashMap<RawKey, Open>,
}

/// The socket an instance needs; `index` is its interface's.
pub(super) fn key(instance: &Instance, profile: &Profile, index: u32) -> RawKey {
    RawKey {
        protocol: profile.protocol(),
        interface: instance.speaks_on().map(|name| (name.to_owned(), index)),
        bound: instance.src_ip.filter(|_| profile.unicast()),
        group: if profile.unicast() { None } else { Some(profile.group) },
        v6: instance.ipv6,
    }
}

impl Pool {
    /// The socket for `key`, opened and read from now on if it is new. True: it was opened now.
    pub(super) fn open(
        &mut self,
        key: &RawKey,
        core: &Weak<RefCell<Core>>,
    ) -> io::Result<(Rc<AsyncFd<RawSocket>>, bool)> {
        if let Some(open) = self.open.get(key) {
            return Ok((Rc::clone(&open.socket), false));
        }
        let socket = RawSocket::open(key)?;
        socket.set_buffer(None)?;
        let socket = Rc::new(socket.watch()?);
        let reader = tokio::task::spawn_local(read(core.clone(), key.clone(), Rc::clone(&socket)));
        self.open.insert(key.clone(), Open { socket: Rc::clone(&socket), reader, buffer: None });
        Ok((socket, true))
    }

    /// The socket for `key`, if it is open, holds so many bytes from now on; `None`: what is right for most.
    pub(super) fn set_buffer(&mut self, key: &RawKey, bytes: Option<u32>) -> io::Result<()> {
        match self.open.get_mut(key) {
            Some(open) if open.buffer != bytes => {
                open.buffer = bytes;
                open.socket.get_ref().set_buffer(bytes)
            }
            _ => Ok(()),
        }
    }

    /// Every open socket.
    pub(super) fn sockets(&self) -> Vec<(RawKey, Rc<AsyncFd<RawSocket>>)> {
        self.open.iter().map(|(key, open)| (key.clone(), Rc::clone(&open.socket))).collect()
    }

    /// Closes every socket that `keep` does not want.
    pub(super) fn retain(&mut self, keep: impl Fn(&RawKey) -> bool) {
        self.open.retain(|key, open| {
            let wanted = keep(key);
            if !wanted {
                open.reader.abort();
            }
            wanted
        });
    }
}

async fn read(core: Weak<RefCell<Core>>, key: RawKey, socket: Rc<AsyncFd<RawSocket>>) {
    let mut buffer = vec![0; BUFFER];
    let (mut in_a_row, mut since) = (0, clock::now());
    while let Ok(mut ready) = socket.readable().await {
        for _ in 0..BATCH {
            match socket.get_ref().receive(&mut buffer) {
                Ok(received) => {
                    if in_a_row == 0 {
                        since = clock::now();
                    }
                    in_a_row += 1;
                    let Some(core) = core.upgrade() else { return };
                    let bytes = &buffer[..received.len.min(BUFFER)];
                    core.borrow_mut().packet(&key, &received, bytes, clock::now());
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    in_a_row = 0;
                    ready.clear_ready();
                    break;
                }
                // ENETDOWN and the like: the link watcher tells what it means.
                Err(_) => break,
            }
        }
        drop(ready);
        if in_a_row < FLOOD {
            tokio::task::yield_now().await;
        } else {
            in_a_row = 0;
            tokio::time::sleep(clock::now().saturating_duration_since(since).max(PAUSE)).await;
        }
    }
}

/// Sends an encoded advertisement in the way of its family.
pub(super) fn send(
    socket: &RawSocket,
    bytes: &[u8],
    source: IpAddr,
    destination: IpAddr,
    ttl: Option<u8>,
) -> io::Result<()> {
    match (source, destination) {
        (IpAddr::V4(_), IpAddr::V4(to)) => socket.send_v4(bytes, to),
        (IpAddr::V6(from), IpAddr::V6(to)) => socket.send_v6(bytes, from, to, ttl),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "source and destination of different families")),
    }
}

/// The sender of a received packet, for the log line about a bad one.
pub(super) fn sender(received: &Received, bytes: &[u8]) -> Option<IpAddr> {
    match received.source {
        Some(source) => Some(source.into()),
        None => bytes.get(12..16).map(|b| IpAddr::from([b[0], b[1], b[2], b[3]])),
    }
}

//! What is looked at regularly, whether somebody asks or not: sessions of the last minutes, and the VRRP instances of
//! this machine.

use std::collections::{HashMap, VecDeque};
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use parking_lot::{Mutex, RwLock};
use socket2::Socket;

use super::row::{Kind, Row};
use crate::ir::Mode;
use crate::live::Live;
use crate::sys::doors::Doors;
use crate::vrrp::status::{Status, windows};

/// How often sessions are counted.
pub const INTERVAL: Duration = Duration::from_secs(5);

/// How many counts are kept: five minutes.
const KEPT: usize = 60;

/// How often VRRP is asked.
const VRRP_INTERVAL: Duration = Duration::from_secs(1);

/// How long an engine may take to answer.
const PATIENCE: Duration = Duration::from_millis(200);

/// Nothing an engine says is longer than this, bytes.
const LONGEST: u64 = 4 << 20;

/// Proxy, kind of row, number of the server.
type Key = (u32, u8, u32);

#[derive(Debug, Default)]
struct Track {
    total: u64,
    counts: VecDeque<u32>,
    seen: u64,
}

/// The memory of the page.
#[derive(Debug, Default)]
pub struct Watch {
    tracks: Mutex<(u64, HashMap<Key, Track>)>,
    vrrp: RwLock<Vec<Status>>,
}

impl Watch {
    /// Looks for as long as the process runs.
    pub async fn run(self: Arc<Self>, live: Arc<Live>) {
        let mut sessions = tokio::time::interval(INTERVAL);
        let mut vrrp = tokio::time::interval(VRRP_INTERVAL);
        let mut doors = Doors::new(windows()).ok();
        loop {
            tokio::select! {
                _ = sessions.tick() => self.count(&live),
                _ = vrrp.tick() => {
                    let engines = doors.as_mut().map(|doors| doors.knock(false, |_| false)).unwrap_or_default();
                    let found = if engines.is_empty() {
                        Vec::new()
                    } else {
                        // A thread of its own: an engine that hangs must not keep the signals waiting.
                        tokio::task::spawn_blocking(|| hear(engines)).await.unwrap_or_default()
                    };
                    *self.vrrp.write() = found;
                }
            }
        }
    }

    /// Takes one count of everything.
    pub(super) fn count(&self, live: &Live) {
        let mut guard = self.tracks.lock();
        let (round, tracks) = &mut *guard;
        *round += 1;
        let mut note = |key: Key, total: u64| {
            let fresh = !tracks.contains_key(&key);
            let track = tracks.entry(key).or_default();
            track.seen = *round;
            if !fresh {
                if track.counts.len() == KEPT {
                    track.counts.pop_front();
                }
                // Counters that were cleared begin again.
                let passed = total.checked_sub(track.total).unwrap_or(total);
                track.counts.push_back(u32::try_from(passed).unwrap_or(u32::MAX));
            }
            track.total = total;
        };
        for proxy in live.proxies() {
            let iid = proxy.ir.id;
            if let Some(half) = &proxy.frontend {
                let c = &half.counters;
                let total = if proxy.ir.mode == Mode::Http { c.req_tot.get() } else { c.stot.get() };
                note((iid, Kind::Frontend as u8, 0), total);
            }
            if let Some(half) = &proxy.backend {
                note((iid, Kind::Backend as u8, 0), half.counters.stot.get());
                for server in half.servers().iter() {
                    note((iid, Kind::Server as u8, server.ir.id), server.counters.stot.get());
                }
            }
        }
        let now = *round;
        tracks.retain(|_, track| track.seen == now);
    }

    /// Requests (or sessions, in TCP) in each [`INTERVAL`] of the last minutes, the oldest first.
    #[must_use]
    pub fn counts(&self, row: &Row) -> Vec<u32> {
        let key = (row.iid, row.kind as u8, row.sid);
        self.tracks.lock().1.get(&key).map(|t| t.counts.iter().copied().collect()).unwrap_or_default()
    }

    /// The VRRP instances of this machine, as they were a second ago at most.
    #[must_use]
    pub fn vrrp(&self) -> Vec<Status> {
        self.vrrp.read().clone()
    }

    #[cfg(test)]
    pub(super) fn set_vrrp(&self, found: Vec<Status>) {
        *self.vrrp.write() = found;
    }
}

/// Asks every engine of this network.
#[must_use]
pub fn ask_vrrp() -> Vec<Status> {
    Doors::new(windows()).map(|mut doors| hear(doors.knock(true, |_| false))).unwrap_or_default()
}

/// What those say who listen at the names of engines.
fn hear(engines: Vec<(usize, Socket)>) -> Vec<Status> {
    engines.into_iter().filter_map(|(_, socket)| told(socket)).flatten().collect()
}

fn told(socket: Socket) -> Option<Vec<Status>> {
    // Anybody can take a name, but not everybody can be a VRRP engine.
    let peer = getsockopt(&socket, PeerCredentials).ok()?;
    if peer.uid() != 0 && peer.uid() != nix::unistd::geteuid().as_raw() && !may_speak(peer.pid()) {
        return None;
    }
    socket.set_nonblocking(false).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut text = Vec::new();
    socket.take(LONGEST).read_to_end(&mut text).ok()?;
    Status::parse(&text)
}

/// May this process, another user's, send what it likes on the network? Then it need not take a name to lie.
fn may_speak(pid: i32) -> bool {
    const CAP_NET_RAW: u32 = 13;
    // Rights in a namespace of users that anybody can make are none here.
    let users = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/user")).ok();
    if users("self").is_none() || users("self") != users(&pid.to_string()) {
        return false;
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let rights = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    rights
        .and_then(|rights| u64::from_str_radix(rights.trim(), 16).ok())
        .is_some_and(|r| r >> CAP_NET_RAW & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::rows::{Selection, all};
    use crate::stats::tests::live;

    #[test]
    fn counts_are_what_passed_between_two_looks() {
        let (live, watch) = (live(), Watch::default());
        let plain = || all(&live, &Selection::default()).into_iter().find(|r| r.kind == Kind::Server);
        let row = plain().expect("a server");
        let server = live.proxies()[1].backend.as_ref().expect("a backend").servers()[0].clone();
        watch.count(&live);
        assert_eq!(watch.counts(&row), [0; 0]);
        for n in [3, 0, 7] {
            server.counters.stot.add(n);
            watch.count(&live);
        }
        assert_eq!(watch.counts(&row), [3, 0, 7]);
        live.clear_counters(true);
        server.counters.stot.add(2);
        watch.count(&live);
        assert_eq!(watch.counts(&row).last(), Some(&2));
        for _ in 0..100 {
            watch.count(&live);
        }
        assert_eq!(watch.counts(&row).len(), KEPT);
    }
}

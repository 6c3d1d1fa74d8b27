//! Packets from the sockets to the engine.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::sys::clock;
use crate::sys::raw::{RawKey, Received};
use crate::vrrp::fsm::Timer;
use crate::vrrp::packet::{self, Arrival};

use super::super::sockets;
use super::Core;

/// Packets read from one socket before a silent master is declared dead.
const DRAIN: usize = 1024;
/// An advertisement later than this is seen to before any packet: who slept must not answer as master first.
const LATE: Duration = Duration::from_millis(20);

impl Core {
    /// A packet arrived on the socket with this key.
    pub(in crate::vrrp::runner) fn packet(
        &mut self,
        key: &RawKey,
        received: &Received,
        bytes: &[u8],
        now: Instant,
    ) {
        self.wake_late(now);
        let from = sockets::sender(received, bytes);
        let vrid = match packet::peek_vrid(bytes, key.v6) {
            Ok(vrid) => vrid,
            Err(reason) => {
                // Nobody's packet: it counts for everybody on the socket.
                let times = self.bad_packet(key, &reason, now);
                for at in (0..self.sides.len())
                    .filter(|at| self.sides[*at].key.as_ref() == Some(key))
                    .collect::<Vec<_>>()
                {
                    let packet = Err((reason.clone(), from));
                    self.apply(now, |engine, now, out| engine.packet(at, packet, now, out));
                    self.engine.count_unseen(at, &reason, times - 1);
                }
                return;
            }
        };
        let mut known = false;
        for at in 0..self.sides.len() {
            if self.sides[at].key.as_ref() != Some(key) || self.instance(at).vrid != vrid {
                continue;
            }
            known = true;
            let profile = self.engine.profile(at);
            // Two instances may share a VRID on one socket when they speak to different peers.
            let others = self.engine.config().instances.iter().filter(|i| i.vrid == vrid).count() > 1;
            if others && profile.unicast() && !profile.peers.iter().any(|p| Some(p.address) == from) {
                continue;
            }
            let own = self.engine.router(at).settings().address;
            let check = from.is_none_or(|from| self.engine.check_addresses(at, from));
            let decoded = match received.source {
                Some(source) => {
                    let arrival =
                        Arrival { source, destination: received.destination, hop_limit: received.hop_limit };
                    packet::decode_v6(profile, own, check, arrival, bytes)
                }
                None => packet::decode_v4(profile, own, check, bytes),
            };
            let rule = profile.hmac.clone();
            let decoded = decoded.and_then(|advert| match (&rule, advert.stamp) {
                (Some(rule), Some(stamp)) => {
                    let wall = clock::since_epoch();
                    self.sides[at].hmac.accept(rule, advert.source, stamp, wall).map(|()| advert)
                }
                _ => Ok(advert),
            });
            if let Some(from) = from {
                let interval = self.engine.router(at).master_interval();
                let advert = decoded.as_ref().map(|advert| advert.priority);
                self.sides[at].observed.heard(from, advert, interval, now);
            }
            if let Err(reason) = &decoded {
                let times = self.bad_packet(key, reason, now);
                self.engine.count_unseen(at, reason, times - 1);
            }
            let decoded = decoded.map_err(|reason| (reason, from));
            self.apply(now, |engine, now, out| engine.packet(at, decoded, now, out));
        }
        if !known && self.engine.config().global.log_unknown_vrids {
            let interface = key.interface.as_ref().map_or("(none)", |i| i.0.as_str());
            self.journal
                .info(format!("Unknown VRID({vrid}) received on interface({interface}). ignoring..."));
        }
    }

    /// Adverts that should have left long ago: whoever overslept gives way before it hears, and answers, anybody.
    fn wake_late(&mut self, now: Instant) {
        while let Some(i) = self.timers.iter().position(|t| t.2 == Timer::Advert && t.0 + LATE <= now) {
            self.fire(i, now);
        }
    }

    /// Handles what the kernel has received already.
    pub(super) fn drain(&mut self, now: Instant) {
        let mut buffer = vec![0; sockets::BUFFER];
        for (key, socket) in self.pool.sockets() {
            let socket = Rc::clone(&socket);
            for _ in 0..DRAIN {
                let Ok(received) = socket.get_ref().receive(&mut buffer) else { break };
                let len = received.len.min(buffer.len());
                self.packet(&key, &received, &buffer[..len], now);
            }
        }
    }
}

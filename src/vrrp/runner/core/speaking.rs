//! The sockets of the instances, and the adverts that go out through them.

use std::io;
use std::net::IpAddr;
use std::time::Instant;

use super::super::sockets;
use super::Core;
use crate::sys::clock;
use crate::sys::raw::RawKey;
use crate::vrrp::packet::{self, Outgoing};

impl Core {
    /// Opens what is missing and closes what nobody needs.
    pub(super) fn open_sockets(&mut self, now: Instant) {
        for at in 0..self.sides.len() {
            let instance = &self.engine.config().instances[at];
            let index = match instance.speaks_on() {
                Some(name) => match self.kernel.link(name) {
                    Some(link) => link.index,
                    None => {
                        self.sides[at].key = None;
                        self.sides[at].socket = None;
                        // Whoever should have one of its own, and could not make it, cannot speak. The interface of
                        // the instance itself is tracked anyway.
                        let own = instance.interface.as_deref() != Some(name);
                        self.sides[at].socket_error = own.then(|| format!("no interface {name}"));
                        continue;
                    }
                },
                None => 0,
            };
            let key = sockets::key(instance, self.engine.profile(at), index);
            if self.sides[at].key.as_ref() == Some(&key) && self.sides[at].socket.is_some() {
                continue;
            }
            let name = instance.name.clone();
            match self.pool.open(&key, &self.me) {
                Ok((socket, new)) => {
                    if new {
                        self.journal.detail(sockpool_line(&key));
                    }
                    self.sides[at].socket = Some(socket);
                    self.sides[at].socket_error = None;
                    self.sides[at].send_error = None;
                }
                Err(e) => {
                    self.sides[at].socket = None;
                    let hint = if e.kind() == io::ErrorKind::PermissionDenied {
                        " (CAP_NET_RAW and CAP_NET_ADMIN are needed)"
                    } else {
                        ""
                    };
                    let text = format!("cannot open raw socket: {e}{hint}");
                    // Tried again whenever the interface changes; said once.
                    if self.sides[at].socket_error.as_ref() != Some(&text) {
                        self.journal.warn(format!("({name}) {text}"));
                    }
                    self.sides[at].socket_error = Some(text);
                }
            }
            self.sides[at].key = Some(key);
        }
        let wanted: Vec<RawKey> = self.sides.iter().filter_map(|s| s.key.clone()).collect();
        self.pool.retain(|key| wanted.contains(key));
        self.size_buffers();
        self.update_sieves(now);
        self.report_blocked(now);
    }

    pub(super) fn send_advert(&mut self, at: usize, priority: u8) {
        let Some(socket) = self.sides[at].socket.clone() else { return };
        let source = self.engine.router(at).settings().address;
        let side = &mut self.sides[at];
        // The kernel replaces an identification of 0, and the authentication header covers it.
        side.ip_id = side.ip_id.checked_add(1).unwrap_or(1);
        let ip_id = side.ip_id;
        let mut sequence = 0;
        if self.engine.profile(at).protocol() == packet::PROTO_AH {
            sequence = self.engine.next_sequence(at);
            if let Some(shared) = &self.options.shared {
                shared.set_sequence(&self.engine.config().instances[at].name, sequence);
            }
        }
        let profile = self.engine.profile(at);
        let side = &mut self.sides[at];
        let stamp = profile.hmac.as_ref().map_or(0, |rule| side.hmac.next(rule, clock::since_epoch()));
        let old_checksum = self.engine.router(at).old_checksum();
        let group = [profile.group];
        let peers: Vec<IpAddr> = profile.peers.iter().map(|p| p.address).collect();
        let ttl = self.engine.config().instances[at].ttl;
        let mut failed = None;
        for &destination in if profile.unicast() { &peers[..] } else { &group[..] } {
            let outgoing = Outgoing { source, destination, priority, ip_id, sequence, old_checksum, stamp };
            packet::encode(profile, &outgoing, &mut self.packet);
            if let Err(e) = sockets::send(socket.get_ref(), &self.packet, source, destination, ttl) {
                failed = Some((destination, e));
            }
        }
        let kind = failed.as_ref().map(|f| f.1.kind());
        if let Some((to, e)) = failed
            && self.sides[at].send_error != kind
        {
            self.journal.warn(format!("({}) Cant send advert to {to} ({e})", self.name(at)));
        }
        self.sides[at].send_error = kind;
    }
}

fn sockpool_line(key: &RawKey) -> String {
    let family = if key.v6 { "IPv6" } else { "IPv4" };
    let index = key.interface.as_ref().map_or(0, |i| i.1);
    let cast = match (key.group, key.bound) {
        (Some(group), _) => format!("multicast, address({group})"),
        (None, Some(bound)) => format!("unicast, address({bound})"),
        (None, None) => "unicast".to_owned(),
    };
    format!("VRRP sockpool: [ifindex({index:3}), family({family}), proto({}), {cast}]", key.protocol)
}

//! Adverts on their way: who hears them, whether and when.

use std::net::IpAddr;
use std::time::Duration;

use rand::RngExt;

use super::{Condition, Packet, World};
use crate::ir::vrrp::Instance;
use crate::vrrp::packet::{self, Arrival, Outgoing};

impl World {
    pub(super) fn send(&mut self, at: usize, instance: usize, priority: u8) {
        let node = &mut self.nodes[at];
        let sequence = node.engine.next_sequence(instance);
        let profile = node.engine.profile(instance).clone();
        let router = node.engine.router(instance);
        let (source, old_checksum) = (router.settings().address, router.old_checksum());
        let v6 = node.config.instances[instance].ipv6;
        let group = [profile.group];
        let peers: Vec<IpAddr> = profile.peers.iter().map(|p| p.address).collect();
        let mut bytes = Vec::new();
        for &destination in if profile.unicast() { &peers[..] } else { &group[..] } {
            let stamp = u64::from(sequence);
            let outgoing =
                Outgoing { source, destination, priority, ip_id: 1, sequence, old_checksum, stamp };
            packet::encode(&profile, &outgoing, &mut bytes);
            for to in self.hearers(at, instance, destination) {
                let lost = self.rng.random_range(0..100) < self.weather.loss_percent;
                let most = u64::try_from(self.weather.delay.as_micros()).unwrap_or(u64::MAX);
                let delay = Duration::from_micros(self.rng.random_range(0..=most));
                if !lost {
                    self.wire.push(Packet {
                        at: self.now + delay,
                        to,
                        from: source,
                        v6,
                        destination,
                        hop_limit: profile.ttl,
                        bytes: bytes.clone(),
                    });
                }
            }
        }
    }

    pub(super) fn silent(&self, at: usize, instance: &Instance) -> bool {
        let node = &self.nodes[at];
        node.cut || instance.interface.as_ref().is_some_and(|i| node.down.contains(i))
    }

    /// Instances that a packet of this one for `destination` reaches.
    pub(super) fn hearers(&self, at: usize, instance: usize, destination: IpAddr) -> Vec<(usize, usize)> {
        let own = &self.nodes[at].config.instances[instance];
        let mut hearers = Vec::new();
        if self.silent(at, own) {
            return hearers;
        }
        for (other, node) in self.nodes.iter().enumerate().filter(|(other, _)| *other != at) {
            let same = |i: &Instance| i.vrid == own.vrid && i.ipv6 == own.ipv6;
            let named = node.config.instances.iter().any(|i| same(i) && i.interface == own.interface);
            for (position, i) in node.config.instances.iter().enumerate().filter(|(_, i)| same(i)) {
                let profile = node.engine.profile(position);
                let meant = match own.unicast {
                    Some(_) => node.engine.router(position).settings().address == destination,
                    None => !profile.unicast() && profile.group == destination,
                };
                let segment = own.unicast.is_some() || !named || i.interface == own.interface;
                if meant && segment && !self.silent(other, i) {
                    hearers.push((other, position));
                }
            }
        }
        hearers
    }

    pub(super) fn deliver(&mut self, packet: &Packet) {
        let (at, instance) = packet.to;
        let node = &self.nodes[at];
        // What is under way when a cable is cut is lost; a frozen process reads nothing, its socket is full.
        if node.condition != Condition::Running || self.silent(at, &node.config.instances[instance]) {
            return;
        }
        let profile = node.engine.profile(instance);
        let own = node.engine.router(instance).settings().address;
        let check = node.engine.check_addresses(instance, packet.from);
        let decoded = match (packet.v6, packet.from) {
            (true, IpAddr::V6(source)) => {
                let destination = match packet.destination {
                    IpAddr::V6(a) => Some(a),
                    IpAddr::V4(_) => None,
                };
                let arrival = Arrival { source, destination, hop_limit: Some(packet.hop_limit) };
                packet::decode_v6(profile, own, check, arrival, &packet.bytes)
            }
            _ => packet::decode_v4(profile, own, check, &packet.bytes),
        };
        let decoded = decoded.map_err(|reason| (reason, Some(packet.from)));
        self.act(at, |engine, now, out| engine.packet(instance, decoded, now, out));
    }
}

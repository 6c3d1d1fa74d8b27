//! Consistent hashing (`hash-type consistent`) and `random`: servers stand on a ring of 2^32 places, each as often
//! as its effective weight says, at places that depend on nothing but its `id`. A key belongs to the nearest
//! one on either side, so the change of one server moves only the keys of that server.

use super::View;
use super::hash::avalanche;
use super::roster::{Change, Group, Roster, Slot};
use crate::ir::proxy::HashAffinity;

/// Ordered by place; the rest only makes the order total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Node {
    place: u32,
    server: u32,
    /// Which of the server's nodes.
    nth: u32,
}

#[derive(Debug)]
pub(super) struct Ring {
    /// Nodes of the active and of the backup group, sorted by place.
    groups: [Vec<Node>; 2],
    /// `hash-balance-factor`, percent; 0: no bound.
    balance_factor: u32,
    affinity: HashAffinity,
    /// Where taking turns stopped, per group.
    last: [Option<Node>; 2],
}

fn nodes(server: usize, slot: &Slot, from: u32) -> impl Iterator<Item = Node> {
    let base = slot.base;
    let to = if slot.in_use() { slot.weight } else { 0 };
    (from..to).map(move |nth| Node { place: avalanche(base.wrapping_add(nth)), server: server as u32, nth })
}

impl Ring {
    pub(super) fn new(roster: &Roster, balance_factor: u32, affinity: HashAffinity) -> Self {
        let group = |backup| {
            let mut ring: Vec<Node> =
                roster.members(backup).flat_map(|(server, slot)| nodes(server, slot, 0)).collect();
            ring.sort();
            ring
        };
        Self { groups: [group(false), group(true)], balance_factor, affinity, last: [None; 2] }
    }

    pub(super) fn update(&mut self, _roster: &Roster, change: &Change) {
        let Change { server, was, now } = change;
        let ring = &mut self.groups[usize::from(now.backup)];
        let had = if was.in_use() { was.weight } else { 0 };
        let has = if now.in_use() { now.weight } else { 0 };
        if has < had {
            ring.retain(|n| n.server != *server as u32 || n.nth < has);
        } else {
            ring.extend(nodes(*server, now, had));
            // Stable, and quick on a sorted run with a tail.
            ring.sort();
        }
    }

    /// The server nearest to `hash`, or the next one up the ring if that is the one to avoid or has its fair share
    /// already.
    pub(super) fn nearest(
        &self,
        roster: &Roster,
        group: Group,
        servers: &impl View,
        hash: u32,
        avoid: Option<usize>,
    ) -> Option<usize> {
        let ring = &self.groups[group.index()];
        let len = ring.len();
        if len == 0 {
            return None;
        }
        let after = ring.partition_point(|n| n.place < hash) % len;
        let before = (after + len - 1) % len;
        let up = ring[after].place.wrapping_sub(hash);
        let down = hash.wrapping_sub(ring[before].place);
        let start = if down <= up { before } else { after };
        let candidates = (0..len).map(|i| ring[(start + i) % len].server as usize);
        let good =
            |s: &usize| Some(*s) != avoid && self.keeps(servers, *s) && self.has_share(roster, servers, *s);
        candidates.clone().find(good).or_else(|| candidates.clone().next())
    }

    /// Does a key stay with this server whatever it has to do?
    fn keeps(&self, servers: &impl View, server: usize) -> bool {
        let limit = servers.limit(server);
        let is_full = limit > 0 && servers.served(server) >= limit;
        match self.affinity {
            HashAffinity::Always => true,
            HashAffinity::Maxconn => !is_full,
            HashAffinity::Maxqueue => {
                let longest = servers.maxqueue(server);
                let load = servers.served(server).saturating_add(servers.queued(server));
                !(limit > 0 && longest > 0 && load >= limit.saturating_add(longest))
            }
        }
    }

    /// Bounded loads: nobody works on more than `hash-balance-factor` percent of the average, by weight.
    fn has_share(&self, roster: &Roster, servers: &impl View, server: usize) -> bool {
        let factor = u64::from(self.balance_factor);
        if factor == 0 {
            return true;
        }
        let Some(slot) = roster.slot(server) else { return false };
        let total = u64::from(roster.total_weight()).max(1);
        let all = ((u64::from(servers.total_served()) + 1) * factor).div_ceil(100);
        let (weight, before) = (u64::from(slot.weight), u64::from(slot.before));
        let (per_weight, rest) = (all / total, all % total);
        let share = weight * per_weight + (before + weight) * rest / total - before * rest / total;
        u64::from(servers.served(server)) < share.max(1)
    }

    /// Turns along the ring, for requests without a key.
    pub(super) fn next(&mut self, group: Group, servers: &impl View, avoid: Option<usize>) -> Option<usize> {
        let group = group.index();
        let ring = &self.groups[group];
        let len = ring.len();
        if len == 0 {
            return None;
        }
        let start = self.last[group].map_or(0, |last| ring.partition_point(|n| *n <= last));
        let mut avoided = None;
        for i in 0..len {
            let node = ring[(start + i) % len];
            let server = node.server as usize;
            if servers.has_room(server) {
                if Some(server) != avoid {
                    avoided = Some(node);
                    break;
                }
                avoided = Some(node);
            }
        }
        self.last[group] = avoided;
        avoided.map(|n| n.server as usize)
    }

    /// `random(draws)`: the least loaded of some drawn servers; nobody if that one is full.
    pub(super) fn draw(
        &self,
        roster: &Roster,
        group: Group,
        servers: &impl View,
        draws: u32,
        avoid: Option<usize>,
    ) -> Option<usize> {
        let weight = |s: usize| roster.slot(s).map_or(0, |slot| u64::from(slot.weight));
        let served = |s: usize| u64::from(servers.served(s));
        let mut best: Option<usize> = None;
        for _ in 0..draws.max(1) {
            let drawn = self.nearest(roster, group, servers, servers.random(), avoid)?;
            best = match best {
                Some(b) if b != drawn && served(drawn) * weight(b) > served(b) * weight(drawn) => Some(b),
                _ => Some(drawn),
            };
        }
        best.filter(|s| servers.queued(*s) == 0 && servers.has_room(*s))
    }
}

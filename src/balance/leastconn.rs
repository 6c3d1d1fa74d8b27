//! `leastconn`: the server with the fewest requests per weight.
//!
//! Servers are kept sorted by (requests + 1) / weight, idle ones all in front. One that moves goes behind its
//! equals, so that servers with the same load take turns.

use std::collections::BTreeSet;

use super::roster::{Change, Group, Roster};
use super::{View, WEIGHT_MAX, first_with_room};

/// Load, order of arrival, server.
type Entry = (u32, u64, usize);

#[derive(Debug)]
pub(super) struct LeastConn {
    groups: [BTreeSet<Entry>; 2],
    /// Where each server stands; `None`: not usable.
    places: Vec<Option<Entry>>,
    conns: Vec<u32>,
    arrivals: u64,
}

impl LeastConn {
    pub(super) fn new(roster: &Roster) -> Self {
        let n = roster.slots().len();
        let mut lc =
            Self { groups: Default::default(), places: vec![None; n], conns: vec![0; n], arrivals: 0 };
        for backup in [false, true] {
            for (server, slot) in roster.members(backup) {
                lc.insert(usize::from(backup), server, slot.weight);
            }
        }
        lc
    }

    /// Room for `size` servers; `server` is new.
    pub(super) fn join(&mut self, server: usize, size: usize) {
        self.places.resize(size, None);
        self.conns.resize(size, 0);
        self.conns[server] = 0;
    }

    fn load(conns: u32, weight: u32) -> u32 {
        if conns == 0 { 0 } else { (conns + 1).saturating_mul(WEIGHT_MAX) / weight.max(1) }
    }

    fn insert(&mut self, group: usize, server: usize, weight: u32) {
        self.arrivals += 1;
        let entry = (Self::load(self.conns[server], weight), self.arrivals, server);
        self.groups[group].insert(entry);
        self.places[server] = Some(entry);
    }

    fn remove(&mut self, group: usize, server: usize) {
        if let Some(entry) = self.places[server].take() {
            self.groups[group].remove(&entry);
        }
    }

    pub(super) fn update(&mut self, _roster: &Roster, change: &Change) {
        let group = usize::from(change.now.backup);
        self.remove(group, change.server);
        if change.now.in_use() {
            self.insert(group, change.server, change.now.weight);
        }
    }

    pub(super) fn reposition(&mut self, roster: &Roster, server: usize, conns: u32) {
        let (Some(slot), Some(known)) = (roster.slot(server), self.conns.get_mut(server)) else { return };
        *known = conns;
        // Not moved if its load is the same: it keeps its turn.
        if self.places[server].is_some_and(|entry| entry.0 != Self::load(conns, slot.weight)) {
            let (group, weight) = (usize::from(slot.backup), slot.weight);
            self.remove(group, server);
            self.insert(group, server, weight);
        }
    }

    pub(super) fn pick(&self, group: Group, servers: &impl View, avoid: Option<usize>) -> Option<usize> {
        let has_room = |s| {
            let limit = servers.limit(s);
            limit == 0 || servers.served(s) + servers.queued(s) < limit + servers.maxqueue(s)
        };
        first_with_room(self.groups[group.index()].iter().map(|e| e.2), avoid, has_room)
    }
}

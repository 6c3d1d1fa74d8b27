//! `static-rr` and map-based hashes: a table as long as the weights sum up to, in which each server stands as
//! often as its weight says.
//!
//! Weights are divided by their greatest common divisor at start, and a server leaves or joins the table as a
//! whole.

use super::roster::{Group, Roster};
use super::{View, WEIGHT_SCALE};

#[derive(Debug)]
pub(super) struct Map {
    table: Vec<u32>,
    divisor: u32,
    next: usize,
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Map {
    pub(super) fn new(roster: &Roster) -> Self {
        let divisor = roster.slots().iter().fold(0, |acc, s| gcd(acc, s.weight / WEIGHT_SCALE)).max(1);
        let mut map = Self { table: Vec::new(), divisor, next: 0 };
        map.rebuild(roster);
        map
    }

    /// Fills the table anew: at each place the server that is furthest behind its share, the first of equals.
    pub(super) fn rebuild(&mut self, roster: &Roster) {
        self.table.clear();
        let group = roster.group();
        let member = |(i, _): &(usize, &super::roster::Slot)| match group {
            Group::Only(server) => *i == server,
            _ => true,
        };
        let mut members: Vec<(u32, i64, i64)> = roster
            .members(group.index() == 1)
            .filter(member)
            .map(|(i, s)| {
                let weight = (s.weight / WEIGHT_SCALE).div_ceil(self.divisor).max(1);
                (i as u32, i64::from(weight), 0)
            })
            .collect();
        let total: i64 = members.iter().map(|m| m.1).sum();
        for _ in 0..total {
            let mut best = 0;
            let mut best_rank = 0;
            for (i, (_, weight, score)) in members.iter_mut().enumerate() {
                *score += *weight;
                // How far ahead counts in whole rounds only, so that declaration order decides among the rest.
                let rank = (*score + total) / total;
                if i == 0 || rank > best_rank {
                    (best, best_rank) = (i, rank);
                }
            }
            members[best].2 -= total;
            self.table.push(members[best].0);
        }
    }

    /// The server a hash falls on. There is no other choice: not for a full server, not after a failure.
    pub(super) fn at(&self, hash: u32) -> Option<usize> {
        let len = self.table.len() as u32;
        (len > 0).then(|| self.table[(hash % len) as usize] as usize)
    }

    /// The next server in turn that has room.
    pub(super) fn next(&mut self, servers: &impl View, avoid: Option<usize>) -> Option<usize> {
        let len = self.table.len();
        if len == 0 {
            return None;
        }
        let start = if self.next >= len { 0 } else { self.next };
        self.next = start;
        let mut avoided = None;
        let mut at = start;
        loop {
            let server = self.table[at] as usize;
            at += 1;
            if servers.has_room(server) {
                avoided = Some((server, at));
                if Some(server) != avoid {
                    break;
                }
            }
            if at == len {
                at = 0;
            }
            if at == start {
                break;
            }
        }
        let (server, next) = avoided?;
        self.next = next;
        Some(server)
    }
}

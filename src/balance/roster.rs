//! Who is in the game: weights, usability, and which of the two groups serves.

use std::net::IpAddr;

use super::hash::avalanche;
use super::{WEIGHT_MAX, WEIGHT_SCALE};
use crate::ir;
use crate::ir::server::{HashKey, ServerAddr};

/// One server as the algorithms know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// `id` (`sid` in statistics): places nodes on the ring, orders `first`.
    pub(super) id: u32,
    /// Where its nodes begin on the ring, before the hash that spreads them.
    pub(super) base: u32,
    pub(super) backup: bool,
    /// State permits requests.
    pub(super) usable: bool,
    /// Effective weight.
    pub(super) weight: u32,
    /// Weights of the usable servers of the same group before this one.
    pub(super) before: u32,
}

impl Slot {
    /// Usable and of positive weight.
    pub(super) fn in_use(&self) -> bool {
        self.usable && self.weight > 0
    }
}

/// Where a request goes before any algorithm decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// No usable server.
    Nobody,
    /// No usable active server; this backup server gets everything.
    Only(usize),
    /// Among the active servers.
    Active,
    /// Among all backup servers (`option allbackups`).
    Backup,
}

impl Group {
    /// 0 for the active group, 1 for the backup group.
    pub(super) fn index(self) -> usize {
        usize::from(!matches!(self, Self::Active))
    }
}

/// What an update changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) server: usize,
    pub(super) was: Slot,
    pub(super) now: Slot,
}

/// `hash-key`.
fn base(server: &ir::Server) -> u32 {
    let addr = match (&server.addr, &server.hash_key) {
        (ServerAddr::Ip(addr), HashKey::Addr) => Some((addr.ip(), 0)),
        (ServerAddr::Ip(addr), HashKey::AddrPort) => Some((addr.ip(), avalanche(addr.port().into()))),
        _ => None,
    };
    match (addr, &server.hash_key) {
        (Some((IpAddr::V4(ip), seed)), _) => avalanche(seed.wrapping_add(u32::from_le_bytes(ip.octets()))),
        (Some((IpAddr::V6(ip), seed)), _) => xxhash_rust::xxh32::xxh32(&ip.octets(), seed),
        (None, HashKey::Guid) => {
            let guid = server.guid.as_deref().map(|guid| xxhash_rust::xxh32::xxh32(guid.as_bytes(), 0));
            guid.unwrap_or_else(|| base_of_id(server.id))
        }
        (None, HashKey::Id32) => server.id,
        _ => base_of_id(server.id),
    }
}

fn base_of_id(id: u32) -> u32 {
    id.wrapping_mul(WEIGHT_MAX)
}

/// The servers of a backend and the sums over them.
#[derive(Debug)]
pub(super) struct Roster {
    slots: Vec<Slot>,
    all_backups: bool,
    active: u32,
    backups: u32,
    first_backup: Option<usize>,
    weights: [u32; 2],
}

impl Roster {
    pub(super) fn new(backend: &ir::Backend) -> Self {
        let slots = backend
            .servers
            .iter()
            .map(|s| Slot {
                id: s.id,
                base: base(s),
                backup: s.backup,
                usable: !s.disabled,
                weight: u32::from(s.weight) * WEIGHT_SCALE,
                before: 0,
            })
            .collect();
        let mut roster = Self {
            slots,
            all_backups: backend.allbackups,
            active: 0,
            backups: 0,
            first_backup: None,
            weights: [0; 2],
        };
        roster.recount();
        roster
    }

    fn recount(&mut self) {
        (self.active, self.backups, self.first_backup, self.weights) = (0, 0, None, [0; 2]);
        for (i, slot) in self.slots.iter_mut().enumerate() {
            let sum = &mut self.weights[usize::from(slot.backup)];
            slot.before = *sum;
            if !slot.in_use() {
                continue;
            }
            *sum += slot.weight;
            if slot.backup {
                self.backups += 1;
                if !self.all_backups {
                    self.first_backup.get_or_insert(i);
                }
            } else {
                self.active += 1;
            }
        }
    }

    /// Makes room for a server, not usable yet.
    pub(super) fn join(&mut self, server: usize, id: u32, backup: bool) {
        let blank = Slot { id, base: base_of_id(id), backup, usable: false, weight: 0, before: 0 };
        if self.slots.len() <= server {
            self.slots.resize(server + 1, Slot { id: 0, ..blank });
        }
        self.slots[server] = blank;
        self.recount();
    }

    /// Applies a change; `None` if there was none (or no such server).
    pub(super) fn update(&mut self, server: usize, weight: u32, usable: bool) -> Option<Change> {
        let slot = self.slots.get_mut(server)?;
        let was = *slot;
        (slot.weight, slot.usable) = (weight, usable);
        if was.weight == weight && was.usable == usable {
            return None;
        }
        self.recount();
        Some(Change { server, was, now: self.slots[server] })
    }

    pub(super) fn slot(&self, server: usize) -> Option<&Slot> {
        self.slots.get(server)
    }

    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Usable servers of a group, in order.
    pub(super) fn members(&self, backup: bool) -> impl Iterator<Item = (usize, &Slot)> {
        self.slots.iter().enumerate().filter(move |(_, s)| s.backup == backup && s.in_use())
    }

    pub(super) fn group(&self) -> Group {
        if self.active > 0 {
            Group::Active
        } else if let Some(server) = self.first_backup {
            Group::Only(server)
        } else if self.backups > 0 {
            Group::Backup
        } else {
            Group::Nobody
        }
    }

    pub(super) fn active(&self) -> u32 {
        self.active
    }

    pub(super) fn backups(&self) -> u32 {
        self.backups
    }

    /// Sum of the weights of a group (0 active, 1 backup).
    pub(super) fn weight_of(&self, group: usize) -> u32 {
        self.weights[group]
    }

    /// Sum of the weights of the servers in use.
    pub(super) fn total_weight(&self) -> u32 {
        match self.group() {
            Group::Nobody => 0,
            Group::Only(server) => self.slots[server].weight,
            group => self.weights[group.index()],
        }
    }

    /// How many servers are in use.
    pub(super) fn used(&self) -> u32 {
        match self.group() {
            Group::Nobody => 0,
            Group::Only(_) => 1,
            Group::Active => self.active,
            Group::Backup => self.backups,
        }
    }
}

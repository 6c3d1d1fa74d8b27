//! Which server gets which address of an answer.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Family;

/// A server that follows a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its backend: addresses are shared out among the servers of one backend.
    pub backend: usize,
    /// `resolve-prefer`.
    pub prefer: Family,
    /// `resolve-net`: networks whose addresses are preferred within a family.
    pub networks: Vec<IpNet>,
    /// It may not have an address that another server of the backend has from the same name.
    pub prevent_dup: bool,
    /// Its address now.
    pub current: Option<IpAddr>,
    /// The address of the answer that was given to it; not known after a start.
    pub given: Option<IpAddr>,
}

/// What becomes of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// It stays where it is.
    Keep,
    /// It moves.
    Move(IpAddr),
    /// There is no address for it.
    Nothing,
}

/// Chooses for `members[index]` among the addresses known for the name, and notes what it was given.
///
/// Who has a living address keeps it, whatever else the answer offers or in what order. Otherwise the preferred
/// family counts most, then an address that no other server has, then the one it is at.
pub fn choose(addresses: &[IpAddr], members: &mut [Member], index: usize) -> Choice {
    let me = &members[index];
    if me.given.is_some_and(|given| addresses.contains(&given)) {
        return Choice::Keep;
    }
    let mut best: Option<(u32, IpAddr)> = None;
    for addr in addresses {
        let taken = members
            .iter()
            .enumerate()
            .any(|(i, m)| i != index && m.backend == me.backend && m.given == Some(*addr));
        if taken && me.prevent_dup {
            continue;
        }
        let near = me.networks.iter().any(|network| network.contains(addr));
        let score = 8 * u32::from(Family::of(*addr) == me.prefer)
            + 4 * u32::from(near)
            + 2 * u32::from(!taken)
            + u32::from(me.current == Some(*addr));
        if best.is_none_or(|(top, _)| score > top) {
            best = Some((score, *addr));
        }
    }
    let me = &mut members[index];
    me.given = best.map(|(_, addr)| addr);
    match me.given {
        None => Choice::Nothing,
        given if given == me.current => Choice::Keep,
        Some(addr) => Choice::Move(addr),
    }
}

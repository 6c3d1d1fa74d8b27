//! Which server stands for which place of a service.

use super::Service;

/// A server that may stand for a place: the host and port it stands for now.
pub type Slot = Option<(String, u16)>;

/// What becomes of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// This server is free: its place is gone.
    Leave(usize),
    /// This server stands for this service (by its number) from now on.
    Take(usize, usize),
    /// It stands for it as before.
    Keep(usize, usize),
}

/// Shares `services` out. A server keeps its place as long as that is among them, wherever in the answer; new places go to
/// the first free servers; places beyond the last server wait for one.
pub fn share(services: &[Service], slots: &mut [Slot]) -> Vec<Change> {
    let number = |place: &(String, u16)| {
        services.iter().position(|service| service.target == place.0 && service.port == place.1)
    };
    let mut changes = Vec::new();
    let mut taken = vec![false; services.len()];
    for (at, slot) in slots.iter_mut().enumerate() {
        let Some(place) = slot else { continue };
        match number(place).filter(|service| !taken[*service]) {
            Some(service) => {
                taken[service] = true;
                changes.push(Change::Keep(at, service));
            }
            None => {
                *slot = None;
                changes.push(Change::Leave(at));
            }
        }
    }
    let mut free = (0..slots.len()).filter(|at| slots[*at].is_none()).collect::<Vec<_>>().into_iter();
    for (service, place) in services.iter().enumerate().filter(|(service, _)| !taken[*service]) {
        let Some(at) = free.next() else { break };
        slots[at] = Some((place.target.clone(), place.port));
        changes.push(Change::Take(at, service));
    }
    changes
}

/// Weight of a server from that of its record: 0 stays 0, everything else is at least 1 and at most 256.
#[must_use]
pub fn weight(record: u16) -> u16 {
    record.div_ceil(256)
}

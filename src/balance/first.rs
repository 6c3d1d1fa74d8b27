//! `first`: the first server, by `id`, that has room. Weights only say whether a server is used.

use super::roster::{Change, Group, Roster};
use super::{View, first_with_room};

#[derive(Debug)]
pub(super) struct First {
    /// Usable servers of each group, by id.
    groups: [Vec<usize>; 2],
}

impl First {
    pub(super) fn new(roster: &Roster) -> Self {
        let sorted = |backup| {
            let mut servers: Vec<usize> = roster.members(backup).map(|(i, _)| i).collect();
            servers.sort_by_key(|i| roster.slots()[*i].id);
            servers
        };
        Self { groups: [sorted(false), sorted(true)] }
    }

    pub(super) fn update(&mut self, roster: &Roster, change: &Change) {
        if change.was.in_use() != change.now.in_use() {
            *self = Self::new(roster);
        }
    }

    pub(super) fn pick(&self, group: Group, servers: &impl View, avoid: Option<usize>) -> Option<usize> {
        first_with_room(self.groups[group.index()].iter().copied(), avoid, |s| servers.has_room(s))
    }
}

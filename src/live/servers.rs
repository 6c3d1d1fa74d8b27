//! The servers of a backend: a list that commands change while requests look at it.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::Server;

/// Who is there at one moment.
#[derive(Clone, Debug, Default)]
struct List {
    /// In file order, those added later behind.
    order: Vec<Arc<Server>>,
    /// By [`Server::index`]; `None`: the number is free.
    numbered: Vec<Option<Arc<Server>>>,
}

/// The servers of a backend. Looking costs no lock.
#[derive(Debug)]
pub(super) struct Servers(ArcSwap<List>);

impl Servers {
    pub(super) fn new(servers: Vec<Arc<Server>>) -> Self {
        let numbered = servers.iter().cloned().map(Some).collect();
        Self(ArcSwap::from_pointee(List { order: servers, numbered }))
    }

    /// Who is there now.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot(self.0.load())
    }

    /// The number that the next server gets: those of deleted servers are used again.
    pub(super) fn free_number(&self) -> usize {
        let list = self.0.load();
        list.numbered.iter().position(Option::is_none).unwrap_or(list.numbered.len())
    }

    /// Adds a server under its own number, which has to be free. Callers take turns.
    pub(super) fn add(&self, server: Arc<Server>) {
        let mut list = List::clone(&self.0.load());
        if list.numbered.len() <= server.index {
            list.numbered.resize(server.index + 1, None);
        }
        list.numbered[server.index] = Some(server.clone());
        list.order.push(server);
        self.0.store(Arc::new(list));
    }

    /// Takes a server out. Callers take turns.
    pub(super) fn remove(&self, server: &Arc<Server>) {
        let mut list = List::clone(&self.0.load());
        list.order.retain(|other| !Arc::ptr_eq(other, server));
        if let Some(place) = list.numbered.get_mut(server.index) {
            *place = None;
        }
        self.0.store(Arc::new(list));
    }
}

/// The servers at one moment, in the order of the statistics. Keep it for no longer than a look takes.
#[derive(Debug)]
pub struct Snapshot(Guard<Arc<List>>);

impl Snapshot {
    /// The server with this [`Server::index`].
    #[must_use]
    pub fn numbered(&self, index: usize) -> Option<&Arc<Server>> {
        self.0.numbered.get(index).and_then(Option::as_ref)
    }
}

impl Deref for Snapshot {
    type Target = [Arc<Server>];

    fn deref(&self) -> &Self::Target {
        &self.0.order
    }
}

impl IntoIterator for Snapshot {
    type Item = Arc<Server>;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter { snapshot: self, next: 0 }
    }
}

/// The servers of a [`Snapshot`], one after the other.
#[derive(Debug)]
pub struct IntoIter {
    snapshot: Snapshot,
    next: usize,
}

impl Iterator for IntoIter {
    type Item = Arc<Server>;

    fn next(&mut self) -> Option<Arc<Server>> {
        self.next += 1;
        self.snapshot.get(self.next - 1).cloned()
    }
}

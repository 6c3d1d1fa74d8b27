//! Servers of a backend, proxies of the process: lists that commands change while requests look at them.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::cache::Cache;
use arc_swap::{ArcSwap, Guard};

use super::{Proxy, Server};

/// What has a number of its own among its kind.
pub(super) trait Numbered {
    /// Its number.
    fn number(&self) -> usize;
}

impl Numbered for Server {
    fn number(&self) -> usize {
        self.index
    }
}

impl Numbered for Proxy {
    fn number(&self) -> usize {
        self.idx.0 as usize
    }
}

/// Who is there at one moment.
#[derive(Debug)]
pub(super) struct List<T> {
    /// In file order, those added later behind.
    order: Vec<Arc<T>>,
    /// By [`Numbered::number`]; `None`: the number is free.
    numbered: Vec<Option<Arc<T>>>,
}

/// A list. Looking costs no lock.
#[derive(Debug)]
pub(super) struct Roll<T>(Arc<ArcSwap<List<T>>>);

impl<T: Numbered> Roll<T> {
    /// A list of those numbered 0, 1 and so on.
    pub(super) fn new(order: Vec<Arc<T>>) -> Self {
        let numbered = order.iter().cloned().map(Some).collect();
        Self(Arc::new(ArcSwap::from_pointee(List { order, numbered })))
    }

    /// Who is there now.
    pub(super) fn snapshot(&self) -> Snapshot<T> {
        Snapshot(self.0.load())
    }

    /// For somebody who looks at every request, and keeps nobody else from looking.
    pub(super) fn follow(&self) -> Follower<T> {
        Follower(Cache::new(self.0.clone()))
    }

    /// The number that the next one gets, not less than `first`: those of deleted ones are used again.
    pub(super) fn free_number(&self, first: usize) -> usize {
        let list = self.0.load();
        let free = list.numbered.iter().skip(first).position(Option::is_none);
        free.map_or(list.numbered.len(), |at| first + at)
    }

    /// Adds one under its own number, which has to be free. Callers take turns.
    pub(super) fn add(&self, one: Arc<T>) {
        let mut list = self.copy();
        if list.numbered.len() <= one.number() {
            list.numbered.resize(one.number() + 1, None);
        }
        let number = one.number();
        list.numbered[number] = Some(one.clone());
        list.order.push(one);
        self.0.store(Arc::new(list));
    }

    /// Takes one out. Callers take turns.
    pub(super) fn remove(&self, one: &Arc<T>) {
        let mut list = self.copy();
        list.order.retain(|other| !Arc::ptr_eq(other, one));
        if let Some(place) = list.numbered.get_mut(one.number()) {
            *place = None;
        }
        self.0.store(Arc::new(list));
    }

    fn copy(&self) -> List<T> {
        let list = self.0.load();
        List { order: list.order.clone(), numbered: list.numbered.clone() }
    }
}

impl<T> List<T> {
    /// The one with this [`Numbered::number`].
    pub(super) fn numbered(&self, number: usize) -> Option<&Arc<T>> {
        self.numbered.get(number).and_then(Option::as_ref)
    }
}

/// A list that is as it was seen last until it changes. To look writes nothing.
#[derive(Debug)]
pub(super) struct Follower<T>(Cache<Arc<ArcSwap<List<T>>>, Arc<List<T>>>);

impl<T> Follower<T> {
    /// Who is there now.
    pub(super) fn look(&mut self) -> &List<T> {
        self.0.load()
    }
}

/// A list at one moment, in the order of the statistics. Keep it for no longer than a look takes.
#[derive(Debug)]
pub struct Snapshot<T>(Guard<Arc<List<T>>>);

impl<T> Snapshot<T> {
    /// The one with this [`Numbered::number`].
    #[must_use]
    pub fn numbered(&self, number: usize) -> Option<&Arc<T>> {
        self.0.numbered(number)
    }
}

impl<T> Deref for Snapshot<T> {
    type Target = [Arc<T>];

    fn deref(&self) -> &Self::Target {
        &self.0.order
    }
}

impl<T> IntoIterator for Snapshot<T> {
    type Item = Arc<T>;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { snapshot: self, next: 0 }
    }
}

/// Those of a [`Snapshot`], one after the other.
#[derive(Debug)]
pub struct IntoIter<T> {
    snapshot: Snapshot<T>,
    next: usize,
}

impl<T> Iterator for IntoIter<T> {
    type Item = Arc<T>;

    fn next(&mut self) -> Option<Arc<T>> {
        self.next += 1;
        self.snapshot.get(self.next - 1).cloned()
    }
}

//! Waiting for a server: the queue of a backend and of each of its servers, and the slot that is waited for.
//!
//! A request holds a [`Slot`] while it occupies a server. When the slot is dropped and someone waits, the same
//! slot goes to that waiter, so a server's `maxconn` is never overrun between a release and a wake-up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Proxy, Server};

/// Where a request stands in line: lower classes first, and within one class by time of arrival plus an offset
/// (`set-priority-class`, `set-priority-offset`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    class: i32,
    due_ms: i64,
}

impl Rank {
    /// The rank of a request that comes now; the offset is in milliseconds.
    #[must_use]
    pub(super) fn now((class, offset): (i32, i32)) -> Self {
        Self { class, due_ms: crate::sys::clock::now_ms() as i64 + i64::from(offset) }
    }
}

/// Rank, then number: whoever came first among equals.
type Place = (Rank, u64);

/// By rank.
#[derive(Debug, Default)]
pub struct Queue {
    inner: Mutex<Inner>,
    /// Requests waiting, for the many who only want to know whether there are any. Who joins the queue counts here before
    /// it looks for a place, and who leaves a server gives the place back before it looks here: in one order for all
    /// (sequentially consistent, as [`Gauge`](crate::metrics::Gauge) is), so that one of both sees the other.
    len: AtomicUsize,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: BTreeMap<Place, Waiter>,
    next_ticket: u64,
    /// Requests that left it with a place.
    served: u64,
}

/// One who waits.
#[derive(Debug)]
struct Waiter {
    wake: oneshot::Sender<Slot>,
    /// [`Inner::served`] when it came.
    came: u64,
}

impl Queue {
    /// Requests waiting now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len.load(SeqCst)
    }

    /// Nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push(&self, rank: Rank) -> (Place, u64, oneshot::Receiver<Slot>) {
        let (wake, woken) = oneshot::channel();
        let mut inner = self.inner.lock();
        let place = (rank, inner.next_ticket);
        inner.next_ticket += 1;
        let came = inner.served;
        inner.waiting.insert(place, Waiter { wake, came });
        self.len.store(inner.waiting.len(), SeqCst);
        (place, came, woken)
    }

    fn leave(&self, place: Place) {
        let mut inner = self.inner.lock();
        inner.waiting.remove(&place);
        self.len.store(inner.waiting.len(), SeqCst);
    }

    fn first(&self) -> Option<Rank> {
        self.inner.lock().waiting.first_key_value().map(|((rank, _), _)| *rank)
    }

    /// The first in line, and how many got a place since it came, itself among them.
    fn pop(&self) -> Option<(oneshot::Sender<Slot>, u64)> {
        let mut inner = self.inner.lock();
        let (_, Waiter { wake, came }) = inner.waiting.pop_first()?;
        inner.served += 1;
        self.len.store(inner.waiting.len(), SeqCst);
        Some((wake, inner.served - came))
    }

    /// Wakes everybody without a slot: they look for another server.
    pub fn flush(&self) -> usize {
        let mut inner = self.inner.lock();
        self.len.store(0, SeqCst);
        let waiting = std::mem::take(&mut inner.waiting);
        drop(inner);
        waiting.len()
    }
}

/// A place on a server. Dropping it gives the place to the next in line.
#[derive(Debug)]
pub struct Slot {
    proxy: Arc<Proxy>,
    server: Arc<Server>,
    /// The place was given back already.
    released: bool,
    /// How many got a place in the time that this one was waited for, itself among them.
    passed: u64,
}

impl Slot {
    /// A slot that was counted already.
    pub(super) fn counted(proxy: Arc<Proxy>, server: Arc<Server>) -> Self {
        Self { proxy, server, released: false, passed: 0 }
    }

    /// The backend.
    #[must_use]
    pub fn proxy(&self) -> &Arc<Proxy> {
        &self.proxy
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// `%sq`, `%bq` of who waited for it.
    #[must_use]
    pub fn position(&self) -> u32 {
        u32::try_from(self.passed).unwrap_or(u32::MAX)
    }

    /// Gives the place back without looking for the next in line.
    fn give_back(&mut self) {
        self.released = true;
        self.proxy.release(&self.server);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.released {
            self.give_back();
            let _ = dequeue(&self.proxy, &self.server);
        }
    }
}

/// Gives `server`'s free places to those who wait for it and, if it takes any, to those who wait for any server, whoever
/// is due first; how many got one.
pub(super) fn dequeue(proxy: &Arc<Proxy>, server: &Arc<Server>) -> u32 {
    let mut served = 0;
    let Some(backend) = &proxy.backend else { return served };
    loop {
        // Who waits for this server waits for it though no others are sent there any more.
        let takes_any = !backend.queue.is_empty() && backend.balancer().takes_any(server.index);
        if (server.queue.is_empty() && !takes_any) || !proxy.reserve(server) {
            break;
        }
        let any_first = takes_any
            && match (server.queue.first(), backend.queue.first()) {
                (Some(own), Some(any)) => any < own,
                (own, _) => own.is_none(),
            };
        let own = Some(&server.queue);
        let any = takes_any.then_some(&backend.queue);
        let in_order = if any_first { [any, own] } else { [own, any] };
        let Some((waiter, passed)) = in_order.into_iter().flatten().find_map(Queue::pop) else {
            proxy.release(server);
            break;
        };
        proxy.conns_changed(server);
        // A waiter that gave up meanwhile hands the slot back. Dropping it would recurse into this function once per
        // such waiter, so the place is given back here and the loop goes on.
        let mut slot = Slot::counted(proxy.clone(), server.clone());
        slot.passed = passed;
        match waiter.send(slot) {
            Ok(()) => served += 1,
            Err(mut slot) => slot.give_back(),
        }
    }
    served
}

/// A request's place in a queue. Dropping it leaves the queue.
#[derive(Debug)]
pub struct Ticket {
    proxy: Arc<Proxy>,
    /// `None`: the backend's own queue.
    server: Option<Arc<Server>>,
    place: Place,
    /// [`Inner::served`] when it was drawn.
    served: u64,
    woken: oneshot::Receiver<Slot>,
}

impl Ticket {
    pub(super) fn draw(proxy: Arc<Proxy>, server: Option<Arc<Server>>, rank: Rank) -> Option<Self> {
        let backend = proxy.backend.as_ref()?;
        let queue = server.as_ref().map_or(&backend.queue, |s| &s.queue);
        let (place, served, woken) = queue.push(rank);
        server.as_ref().map_or(&backend.counters.queued, |server| &server.counters.queued).inc();
        Some(Self { proxy, server, place, served, woken })
    }

    /// `%sq`, `%bq` of a request that gives up: one more than got a place meanwhile.
    #[must_use]
    pub fn position(&self) -> u32 {
        let Some(backend) = &self.proxy.backend else { return 0 };
        let queue = self.server.as_ref().map_or(&backend.queue, |s| &s.queue);
        let passed = queue.inner.lock().served - self.served;
        u32::try_from(passed).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// The one server that is waited for; `None`: any will do.
    #[must_use]
    pub fn server(&self) -> Option<&Arc<Server>> {
        self.server.as_ref()
    }

    /// Waits for a slot. `None`: the queue was flushed, look for a server again. Bound it with `timeout queue`.
    pub async fn wait(&mut self) -> Option<Slot> {
        (&mut self.woken).await.ok()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(backend) = &self.proxy.backend else { return };
        let (queue, queued) = match &self.server {
            Some(server) => (&server.queue, &server.counters.queued),
            None => (&backend.queue, &backend.counters.queued),
        };
        queue.leave(self.place);
        queued.dec();
    }
}

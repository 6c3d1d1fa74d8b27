//! Waiting for a server: the queue of a backend and of each of its servers, and the slot that is waited for.
//!
//! A request holds a [`Slot`] while it occupies a server. When the slot is dropped and someone waits, the same
//! slot goes to that waiter, so a server's `maxconn` is never overrun between a release and a wake-up.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Proxy, Server};

/// One waiting request.
#[derive(Debug)]
struct Waiter {
    ticket: u64,
    wake: oneshot::Sender<Slot>,
}

/// First come, first served.
#[derive(Debug, Default)]
pub struct Queue {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Waiter>,
    next_ticket: u64,
}

impl Queue {
    /// Requests waiting now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.lock().waiting.len()
    }

    /// Nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push(&self) -> (u64, usize, oneshot::Receiver<Slot>) {
        let (wake, woken) = oneshot::channel();
        let mut inner = self.inner.lock();
        let ticket = inner.next_ticket;
        inner.next_ticket += 1;
        let ahead = inner.waiting.len();
        inner.waiting.push_back(Waiter { ticket, wake });
        (ticket, ahead, woken)
    }

    fn leave(&self, ticket: u64) {
        self.inner.lock().waiting.retain(|w| w.ticket != ticket);
    }

    fn pop(&self) -> Option<Waiter> {
        self.inner.lock().waiting.pop_front()
    }

    /// Wakes everybody without a slot: they look for another server.
    pub fn flush(&self) -> usize {
        let waiting = std::mem::take(&mut self.inner.lock().waiting);
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
}

impl Slot {
    /// A slot that was counted already.
    pub(super) fn counted(proxy: Arc<Proxy>, server: Arc<Server>) -> Self {
        Self { proxy, server, released: false }
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &Arc<Server> {
        &self.server
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

/// Gives `server`'s free places to those who wait for it, then to those who wait for any server; how many got one.
pub(super) fn dequeue(proxy: &Arc<Proxy>, server: &Arc<Server>) -> u32 {
    let mut served = 0;
    let Some(backend) = &proxy.backend else { return served };
    while server.is_usable() && (!server.queue.is_empty() || !backend.queue.is_empty()) {
        if !proxy.reserve(server) {
            break;
        }
        let Some(waiter) = server.queue.pop().or_else(|| backend.queue.pop()) else {
            proxy.release(server);
            break;
        };
        proxy.conns_changed(server);
        // A waiter that gave up meanwhile hands the slot back. Dropping it would recurse into this function once per
        // such waiter, so the place is given back here and the loop goes on.
        match waiter.wake.send(Slot::counted(proxy.clone(), server.clone())) {
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
    ticket: u64,
    /// How many were ahead when it was drawn (`%sq`, `%bq`).
    pub ahead: usize,
    woken: oneshot::Receiver<Slot>,
}

impl Ticket {
    pub(super) fn draw(proxy: Arc<Proxy>, server: Option<Arc<Server>>) -> Option<Self> {
        let backend = proxy.backend.as_ref()?;
        let queue = server.as_ref().map_or(&backend.queue, |s| &s.queue);
        let (ticket, ahead, woken) = queue.push();
        backend.counters.queued.inc();
        if let Some(server) = &server {
            server.counters.queued.inc();
        }
        Some(Self { proxy, server, ticket, ahead, woken })
    }

    /// Waited for one server (persistence) rather than for any.
    #[must_use]
    pub fn is_for_server(&self) -> bool {
        self.server.is_some()
    }

    /// Waits for a slot. `None`: the queue was flushed, look for a server again. Bound it with `timeout queue`.
    pub async fn wait(&mut self) -> Option<Slot> {
        (&mut self.woken).await.ok()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(backend) = &self.proxy.backend else { return };
        self.server.as_ref().map_or(&backend.queue, |s| &s.queue).leave(self.ticket);
        backend.counters.queued.dec();
        if let Some(server) = &self.server {
            server.counters.queued.dec();
        }
    }
}

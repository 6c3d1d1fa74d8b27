//! Idle connections to servers, kept by each thread for its own sessions.

use std::cell::RefCell;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Instant;

use super::stream::Stream;
use crate::ir::ProxyIdx;
use crate::live::{Live, Server};

/// A connection that waits for its next request.
#[derive(Debug)]
struct Idle {
    io: Stream,
    server: Arc<Server>,
    since: Instant,
    generation: u64,
    requests: u32,
}

/// The idle connections of one thread, by server. The last one put in is the first one taken: it is the least
/// likely to have been closed, and the others get old enough to be dropped.
#[derive(Debug)]
pub(super) struct IdlePool {
    servers: RefCell<Vec<Vec<Vec<Idle>>>>,
}

impl IdlePool {
    /// Room for every server of the configuration.
    pub(super) fn new(live: &Live) -> Self {
        let servers = live
            .proxies
            .iter()
            .map(|p| p.backend.iter().flat_map(|b| b.servers()).map(|_| Vec::new()).collect())
            .collect();
        Self { servers: RefCell::new(servers) }
    }

    /// An idle connection to `server` with the number of requests it carried.
    pub(super) fn take(&self, backend: ProxyIdx, server: &Server) -> Option<(Stream, u32)> {
        let mut all = self.servers.borrow_mut();
        let list = all.get_mut(backend.0 as usize)?.get_mut(server.index)?;
        let generation = server.generation();
        while let Some(idle) = list.pop() {
            idle.server.counters.idle.dec();
            // A number may have passed on from a deleted server to a new one.
            let same = std::ptr::eq(Arc::as_ptr(&idle.server), server) && idle.generation == generation;
            if same && is_silent(&idle.io) {
                return Some((idle.io, idle.requests));
            }
        }
        None
    }

    /// Keep a connection.
    pub(super) fn put(
        &self,
        backend: ProxyIdx,
        server: &Arc<Server>,
        io: Stream,
        requests: u32,
        now: Instant,
    ) {
        let mut all = self.servers.borrow_mut();
        let Some(lists) = all.get_mut(backend.0 as usize) else { return };
        if lists.len() <= server.index {
            lists.resize_with(server.index + 1, Vec::new);
        }
        let list = &mut lists[server.index];
        let full = server.ir.pool_max_conn.is_some_and(|max| server.counters.idle.get() >= max);
        if full || !is_silent(&io) {
            return;
        }
        server.counters.idle.inc();
        list.push(Idle { io, server: server.clone(), since: now, generation: server.generation(), requests });
    }

    /// Drop what the server closed, what is of an old generation, and half of what lay unused for `pool-purge-delay`.
    pub(super) fn expire(&self, now: Instant) {
        for list in self.servers.borrow_mut().iter_mut().flatten() {
            let old = |i: &Idle| now.duration_since(i.since) >= i.server.ir.pool_purge_delay;
            // The list is in order of age of last use only at its front half; counting is enough.
            let mut surplus = list.iter().filter(|i| old(i)).count().div_ceil(2);
            list.retain(|idle| {
                let dead = idle.generation != idle.server.generation() || !is_silent(&idle.io);
                let purge = !dead && surplus > 0 && old(idle);
                surplus -= usize::from(purge);
                if dead || purge {
                    idle.server.counters.idle.dec();
                }
                !(dead || purge)
            });
        }
    }

    /// Drop everything.
    pub(super) fn clear(&self) {
        for list in self.servers.borrow_mut().iter_mut().flatten() {
            for idle in list.drain(..) {
                idle.server.counters.idle.dec();
            }
        }
    }
}

/// Nothing has come in since the last response, neither bytes nor the end. Costs no system call.
pub(super) fn is_silent(io: &Stream) -> bool {
    io.poll_readable(&mut Context::from_waker(Waker::noop())).is_pending()
}

//! Idle connections to servers.
//!
//! Each thread keeps those that its sessions used: taking one of them and putting it back costs a lock that nobody
//! else wants, and none at all if it is the only thread. A thread that has none for a server takes one of another
//! thread's, which costs three system calls and is still cheaper than a new connection, for both ends.

use std::cell::RefCell;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use parking_lot::Mutex;

use super::stream::{Stream, Unread};
use crate::ir::ProxyIdx;
use crate::live::Server;
use crate::sys;

/// A connection that served requests.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) io: Stream,
    /// How many.
    pub(super) requests: u32,
    /// What it was made for, beyond its server: where that depends on the client; else 0.
    pub(super) key: u64,
}

/// A connection that waits for its next request.
#[derive(Debug)]
struct Idle {
    kept: Kept,
    server: Counted,
    since: Instant,
    generation: u64,
}

/// A server, which counts an idle connection as long as this lives.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) server: Arc<Server>,
    private: bool,
}

impl Counted {
    fn new(server: &Arc<Server>) -> Self {
        server.counters.idle.inc();
        Self { server: server.clone(), private: false }
    }

    /// The connection belongs to one client.
    pub(super) fn private(server: Arc<Server>) -> Self {
        server.counters.private.inc();
        Self { server, private: true }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let counters = &self.server.counters;
        if self.private {
            counters.private.dec();
        } else {
            counters.idle.dec();
        }
    }
}

impl Idle {
    /// Its server has not moved since.
    fn is_current(&self) -> bool {
        self.generation == self.server.server.generation()
    }

    /// Goes to `server`; a number may have passed on from a deleted server to a new one.
    fn leads_to(&self, server: &Arc<Server>) -> bool {
        Arc::ptr_eq(&self.server.server, server) && self.is_current()
    }

    /// The server has neither moved nor closed it.
    fn lives(&self) -> bool {
        self.is_current() && is_silent(&self.kept.io)
    }
}

/// Which connections will do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want {
    /// Only one that has served more than one request: the server is known to keep connections
    /// (`http-reuse aggressive` for a client's first request).
    pub(super) proven: bool,
    /// See [`Kept::key`].
    pub(super) key: u64,
}

impl Want {
    fn fits(self, idle: &Idle) -> bool {
        idle.kept.key == self.key && (idle.kept.requests > 1 || !self.proven)
    }
}

/// Idle connections of one thread by backend and server, the last used behind.
type Lists = Vec<Vec<Vec<Idle>>>;

thread_local! {
    /// Those of a thread that is the only one.
    static ALONE: RefCell<Lists> = const { RefCell::new(Vec::new()) };
}

/// The idle connections of all threads.
#[derive(Debug)]
pub(super) struct Pools {
    threads: Box<[Mutex<Lists>]>,
}

impl Pools {
    /// None yet.
    pub(super) fn new(threads: usize) -> Self {
        Self { threads: (0..threads.max(1)).map(|_| Mutex::default()).collect() }
    }

    /// Works with the lists of a thread; if there is one only, it is the one that calls.
    fn of_thread<R>(&self, thread: usize, work: impl FnOnce(&mut Lists) -> R) -> R {
        if self.threads.len() == 1 {
            ALONE.with_borrow_mut(work)
        } else {
            work(&mut self.threads[thread].lock())
        }
    }

    /// An idle connection to `server` for thread `me`. The last one put in
    /// is the first one taken: it is the least likely to have been closed, and the others get old enough to be dropped.
    pub(super) fn take(
        &self,
        me: usize,
        backend: ProxyIdx,
        server: &Arc<Server>,
        want: Want,
    ) -> Option<Kept> {
        let own = self.of_thread(me, |lists| {
            let list = list_of(lists, backend, server)?;
            while let Some(at) = list.iter().rposition(|idle| want.fits(idle)) {
                let idle = list.remove(at);
                if idle.leads_to(server) && is_silent(&idle.kept.io) {
                    return Some(idle.kept);
                }
            }
            None
        });
        if own.is_some() {
            return own;
        }
        let others = server.counters.idle.get();
        if others == 0 || others < server.ir.pool_low_conn {
            return None;
        }
        self.take_over(me, backend, server, want)
    }

    /// A connection of another thread's: its oldest, because the youngest are what it will want itself.
    fn take_over(&self, me: usize, backend: ProxyIdx, server: &Arc<Server>, want: Want) -> Option<Kept> {
        let count = self.threads.len();
        for other in (1..count).map(|step| (me + step) % count) {
            loop {
                // A thread that is busy with its list is about to use it.
                let Some(mut lists) = self.threads[other].try_lock() else { break };
                let Some(list) = list_of(&mut lists, backend, server) else { break };
                let Some(at) = list.iter().position(|idle| want.fits(idle)) else { break };
                let idle = list.remove(at);
                drop(lists);
                if idle.leads_to(server)
                    && let Some(kept) = adopt(idle.kept)
                {
                    return Some(kept);
                }
            }
        }
        None
    }

    /// `strict-maxconn`: closes idle connections until one more, beside those in use and those that clients have of
    /// their own, is within `maxconn`. False: it never is.
    pub(super) fn make_room(&self, me: usize, backend: ProxyIdx, server: &Arc<Server>) -> bool {
        let counters = &server.counters;
        let within = || counters.used.get() + counters.private.get() + counters.idle.get() < server.maxconn();
        let count = self.threads.len();
        for thread in (0..count).map(|step| (me + step) % count) {
            self.of_thread(thread, |lists| {
                let Some(list) = list_of(lists, backend, server) else { return };
                while server.maxconn() > 0 && !within() && !list.is_empty() {
                    list.remove(0);
                }
            });
        }
        server.maxconn() == 0 || within()
    }

    /// Keep a connection for thread `me`, unless there are more than the sessions were seen to need at a time.
    pub(super) fn put(&self, me: usize, backend: ProxyIdx, server: &Arc<Server>, kept: Kept, now: Instant) {
        let idle = server.counters.idle.get();
        let full = server.ir.pool_max_conn.is_some_and(|max| idle >= max);
        if full || server.ir.pool_purge_delay.is_zero() || !is_silent(&kept.io) {
            return;
        }
        self.of_thread(me, |lists| {
            let list = room_for(room_for(lists, backend.0 as usize), server.index);
            // What the server has closed takes nobody's place, though nobody may have noticed yet.
            if !is_wanted(list, server, &kept) {
                list.retain(Idle::lives);
                if !is_wanted(list, server, &kept) {
                    return;
                }
            }
            list.push(Idle {
                kept,
                server: Counted::new(server),
                since: now,
                generation: server.generation(),
            });
        });
    }

    /// Drop of thread `me` what the server closed, what is of an old generation, and half of what lay unused for
    /// `pool-purge-delay`.
    pub(super) fn expire(&self, me: usize, now: Instant) {
        self.of_thread(me, |lists| lists.iter_mut().flatten().for_each(|list| expire(list, now)));
    }

    /// Drop everything of thread `me`.
    pub(super) fn clear(&self, me: usize) {
        self.of_thread(me, |lists| lists.iter_mut().flatten().for_each(Vec::clear));
    }
}

fn list_of<'l>(lists: &'l mut Lists, backend: ProxyIdx, server: &Server) -> Option<&'l mut Vec<Idle>> {
    lists.get_mut(backend.0 as usize)?.get_mut(server.index)
}

/// The list with this number; there are more of them from now on if there were too few.
fn room_for<T: Default>(lists: &mut Vec<T>, number: usize) -> &mut T {
    if lists.len() <= number {
        lists.resize_with(number + 1, T::default);
    }
    &mut lists[number]
}

/// See [`Pools::expire`].
fn expire(list: &mut Vec<Idle>, now: Instant) {
    let old = |i: &Idle| now.duration_since(i.since) >= i.server.server.ir.pool_purge_delay;
    // The list is in order of age of last use only at its front half; counting is enough.
    let mut surplus = list.iter().filter(|i| old(i)).count().div_ceil(2);
    if surplus > 0
        && let Some(idle) = list.first()
    {
        idle.server.server.need.settle(idle.server.server.counters.used.get());
    }
    list.retain(|idle| {
        let lives = idle.lives();
        let purge = lives && surplus > 0 && old(idle);
        surplus -= usize::from(purge);
        lives && !purge
    });
}

/// Is one more connection of use beside these, which are idle already?
fn is_wanted(list: &[Idle], server: &Server, kept: &Kept) -> bool {
    // This one is no longer in use, but counts as if it were.
    let used = server.counters.used.get() + 1;
    let enough = used.max(server.need.get()) + server.ir.pool_low_conn;
    // The first of its kind is always kept; one that has served several requests is worth more than others.
    let mut kinds = list.iter().map(|idle| idle.kept.requests > 1);
    let first = if kept.requests > 1 { !kinds.any(|proven| proven) } else { kinds.next().is_none() };
    first || used + server.counters.idle.get() <= enough
}

/// Nothing has come in since the last response, neither bytes nor the end.
pub(super) fn is_silent(io: &Stream) -> bool {
    io.unread() == Unread::Nothing
}

/// Out of the poller of another thread into this one's, unless something came in.
fn adopt(kept: Kept) -> Option<Kept> {
    let is_tcp = kept.io.is_tcp();
    let fd = kept.io.into_fd().ok()?;
    // What its poller had not told yet, only the kernel knows.
    let silent = recv(fd.as_raw_fd(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT);
    if !matches!(silent, Err(Errno::EAGAIN)) {
        return None;
    }
    let known = sys::reactor::Known { readable: false, writable: true };
    Some(Kept { io: Stream::from_fd(fd, is_tcp, known).ok()?, ..kept })
}

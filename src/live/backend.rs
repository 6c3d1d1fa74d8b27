//! The backend half of a proxy: its servers, who is picked, and who waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard, RwLock};

use super::queue::{self, Queue, Rank, Slot, Ticket};
use super::roll::{Follower, List, Roll, Snapshot};
use super::{Proxy, Server};
use crate::balance::{Balancer, View};
use crate::ir;
use crate::metrics::{BackendCounters, Gauge};
use crate::sys;

/// A backend that runs.
#[derive(Debug)]
pub struct Backend {
    /// Counters.
    pub counters: BackendCounters,
    pub(super) servers: Roll<Server>,
    /// Those who wait for any server.
    pub queue: Queue,
    /// Requests its servers work on.
    pub(super) served: Gauge,
    turns: Mutex<Turns>,
    /// `leastconn` is told of every change, the others are spared the lock.
    tells_conns: bool,
    /// `fullconn`, as configured or computed.
    fullconn: AtomicU32,
    published: AtomicBool,
    pub(super) health: Mutex<BackendHealth>,
    /// Cookies of servers without one of their own.
    pub dynamic_cookies: RwLock<DynamicCookies>,
}

/// Whether servers get cookies derived from their address (`cookie ... dynamic`), and by which secret.
#[derive(Clone, Debug, Default)]
pub struct DynamicCookies {
    /// They do.
    pub enabled: bool,
    /// `dynamic-cookie-key`.
    pub key: Option<String>,
}

impl DynamicCookies {
    /// The secret, if it is of use.
    #[must_use]
    pub fn in_use(&self) -> Option<&str> {
        self.key.as_deref().filter(|_| self.enabled)
    }
}

/// Whether the backend can serve at all.
#[derive(Clone, Copy, Debug)]
pub(super) struct BackendHealth {
    /// Since when it is in this state, [`sys::clock::now_ms`].
    pub(super) changed_ms: u64,
    /// Milliseconds spent down before `changed_ms`.
    pub(super) down_ms: u64,
    pub(super) up: bool,
}

/// What came of looking for a server.
#[derive(Debug)]
pub enum Pick {
    /// A place on a server.
    Slot(Slot),
    /// All places are taken; wait in line.
    Wait(Ticket),
    /// The server it has to be has no place, nor room for one more in its queue (`maxqueue`).
    Full(Arc<Server>),
    /// No server is usable (503).
    Nobody,
}

impl Backend {
    pub(super) fn new(proxy: &ir::Proxy, half: &ir::Backend) -> Self {
        let mut balancer = Balancer::new(half);
        let dynamic = balancer.is_dynamic();
        let servers = (half.servers.iter().enumerate())
            .map(|(i, ir)| Arc::new(Server::new(proxy, ir, i, dynamic)))
            .collect::<Vec<_>>();
        for (i, server) in servers.iter().enumerate() {
            let (weight, usable) = server.balance_view();
            balancer.update(i, weight, usable);
        }
        let up = balancer.total_weight() > 0 || servers.is_empty();
        let servers = Roll::new(servers);
        Self {
            counters: BackendCounters::default(),
            queue: Queue::default(),
            served: Gauge::default(),
            tells_conns: balancer.wants_conn_changes(),
            fullconn: AtomicU32::new(half.fullconn.unwrap_or(0)),
            published: AtomicBool::new(!half.unpublished),
            turns: Mutex::new(Turns { balancer, servers: servers.follow() }),
            servers,
            dynamic_cookies: RwLock::new(DynamicCookies {
                enabled: half.cookie.as_ref().is_some_and(|cookie| cookie.dynamic),
                key: half.dynamic_cookie_key.clone(),
            }),
            health: Mutex::new(BackendHealth { changed_ms: sys::clock::now_ms(), down_ms: 0, up }),
        }
    }

    /// Rules of other sections may lead here.
    #[must_use]
    pub fn is_published(&self) -> bool {
        self.published.load(Relaxed)
    }

    /// `publish backend`, `unpublish backend`.
    pub fn publish(&self, published: bool) {
        self.published.store(published, Relaxed);
    }

    /// `fullconn`.
    #[must_use]
    pub fn fullconn(&self) -> u32 {
        self.fullconn.load(Relaxed)
    }

    pub(super) fn set_fullconn(&self, fullconn: u32) {
        self.fullconn.store(fullconn, Relaxed);
    }

    /// The algorithm.
    pub(super) fn balancer(&self) -> MappedMutexGuard<'_, Balancer> {
        MutexGuard::map(self.turns.lock(), |turns| &mut turns.balancer)
    }

    /// Its servers, in file order, those added by command behind.
    #[must_use]
    pub fn servers(&self) -> Snapshot<Server> {
        self.servers.snapshot()
    }

    /// The server with this [`Server::index`].
    #[must_use]
    pub fn server(&self, index: usize) -> Option<Arc<Server>> {
        self.servers.snapshot().numbered(index).cloned()
    }

    /// The server with this name.
    #[must_use]
    pub fn server_named(&self, name: &str) -> Option<Arc<Server>> {
        let is_called = |server: &&Arc<Server>| match number(name) {
            Some(id) => server.ir.id == id,
            None => server.name() == name,
        };
        self.servers().iter().find(is_called).cloned()
    }

    /// Servers can join and leave: the algorithm does not compute anything from their number at the start.
    #[must_use]
    pub fn is_dynamic(&self) -> bool {
        self.balancer().is_dynamic()
    }

    /// Usable servers as (active, backup).
    #[must_use]
    pub fn usable(&self) -> (u32, u32) {
        self.balancer().usable()
    }

    /// Sum of the effective weights in use, in units of user weight.
    #[must_use]
    pub fn total_weight(&self) -> u32 {
        self.balancer().total_weight().div_ceil(crate::balance::WEIGHT_SCALE)
    }

    /// Some server can take requests, or there are none at all (a backend that only redirects).
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.health.lock().up
    }

    /// Since when it is up or down, on the scale of [`sys::clock::now_ms`].
    #[must_use]
    pub fn changed_ms(&self) -> u64 {
        self.health.lock().changed_ms
    }

    /// Milliseconds without any usable server, up to `now_ms`.
    #[must_use]
    pub fn downtime_ms(&self, now_ms: u64) -> u64 {
        let health = self.health.lock();
        health.down_ms + if health.up { 0 } else { now_ms.saturating_sub(health.changed_ms) }
    }

    pub(super) fn clear_counters(&self, all: bool) {
        if all {
            self.counters.clear();
            self.servers().iter().for_each(|s| s.counters.clear());
        } else {
            self.counters.clear_maxima();
            self.servers().iter().for_each(|s| s.counters.clear_maxima());
        }
    }
}

/// Whose turn it is, and of whom.
#[derive(Debug)]
struct Turns {
    balancer: Balancer,
    servers: Follower<Server>,
}

/// What the algorithms may look at.
struct Sight<'a> {
    proxy: &'a Proxy,
    backend: &'a Backend,
    servers: &'a List<Server>,
}

impl Sight<'_> {
    /// A number of a server; the balancer names none that is gone.
    fn of(&self, server: usize, number: impl FnOnce(&Server) -> u32) -> u32 {
        self.servers.numbered(server).map_or(0, |s| number(s))
    }
}

impl View for Sight<'_> {
    fn served(&self, server: usize) -> u32 {
        self.of(server, |s| s.served.get())
    }
    fn queued(&self, server: usize) -> u32 {
        self.of(server, |s| s.counters.queued.get())
    }
    fn limit(&self, server: usize) -> u32 {
        self.of(server, |s| self.proxy.dynamic_maxconn(s))
    }
    fn maxqueue(&self, server: usize) -> u32 {
        self.of(server, |s| s.ir.maxqueue)
    }
    fn total_served(&self) -> u32 {
        self.backend.served.get()
    }
    fn random(&self) -> u32 {
        rand::random()
    }
}

/// What follows the `#` of a name that is a number.
fn number(name: &str) -> Option<u32> {
    name.strip_prefix('#')?.parse().ok()
}

impl Proxy {
    /// Whether this is its name, or its number as `#3`.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        number(name).map_or(self.ir.name == name, |id| self.ir.id == id)
    }

    /// Takes a place on the server that the balancing algorithm names.
    ///
    /// `key` is what the algorithm hashes (`balance::key`), `avoid` the server that just failed, `priority` class and
    /// offset in the queue.
    pub fn pick(self: &Arc<Self>, key: Option<u32>, avoid: Option<usize>, priority: (i32, i32)) -> Pick {
        let Some(backend) = &self.backend else { return Pick::Nobody };
        let mut turns = backend.turns.lock();
        let Turns { balancer, servers } = &mut *turns;
        if balancer.total_weight() == 0 {
            return Pick::Nobody;
        }
        let everyone_full = balancer.queue_means_full() && !backend.queue.is_empty();
        // Under the lock: a server that leaves is out of the balancer before it is out of the list.
        let servers = servers.look();
        let sight = Sight { proxy: self, backend, servers };
        let picked = if everyone_full { None } else { balancer.pick(&sight, key, avoid) };
        match picked.and_then(|i| Some((i, servers.numbered(i)?))) {
            Some((i, server)) if server.queue.is_empty() && self.occupy(backend, server) => {
                if backend.tells_conns {
                    balancer.on_conn_change(i, server.served.get() + server.counters.queued.get());
                }
                Pick::Slot(Slot::counted(self.clone(), server.clone()))
            }
            picked => {
                let server = picked.map(|(_, server)| server.clone());
                drop(turns);
                self.line_up(server, priority)
            }
        }
    }

    /// The server that the balancing algorithm names for what takes no place on it: a log line.
    pub(super) fn turn_to(&self, key: Option<u32>) -> Option<usize> {
        let backend = self.backend.as_ref()?;
        let Turns { balancer, servers } = &mut *backend.turns.lock();
        balancer.pick(&Sight { proxy: self, backend, servers: servers.look() }, key, None)
    }

    /// Takes a place on one server (persistence cookie, `use-server`), whatever the algorithm.
    pub fn pick_server(self: &Arc<Self>, server: &Arc<Server>, priority: (i32, i32)) -> Pick {
        let Some(backend) = &self.backend else { return Pick::Nobody };
        if server.queue.is_empty() && self.occupy(backend, server) {
            self.conns_changed(server);
            return Pick::Slot(Slot::counted(self.clone(), server.clone()));
        }
        self.line_up(Some(server.clone()), priority)
    }

    /// Could this server take another request now?
    #[must_use]
    pub fn has_room(&self, server: &Server) -> bool {
        let most = self.dynamic_maxconn(server);
        most == 0 || server.served.get() < most
    }

    fn line_up(self: &Arc<Self>, server: Option<Arc<Server>>, priority: (i32, i32)) -> Pick {
        if let Some(server) = &server
            && (1..=server.counters.queued.get()).contains(&server.ir.maxqueue)
        {
            return Pick::Full(server.clone());
        }
        let rank = Rank::now(priority);
        let Some(ticket) = Ticket::draw(self.clone(), server.clone(), rank) else { return Pick::Nobody };
        // A place may have come free between the look and the ticket, when nobody was in line to get it.
        match &server {
            Some(server) => drop(queue::dequeue(self, server)),
            None => self.serve_queue(),
        }
        Pick::Wait(ticket)
    }

    fn occupy(&self, backend: &Backend, server: &Server) -> bool {
        let fits = server.served.try_inc(self.dynamic_maxconn(server));
        if fits {
            backend.served.inc();
        }
        fits
    }

    /// Gives free places of all servers to those who wait. Called when servers get more room.
    pub fn serve_queue(self: &Arc<Self>) {
        let Some(backend) = &self.backend else { return };
        for server in backend.servers() {
            queue::dequeue(self, &server);
        }
    }

    /// Gives one server's free places to those who wait; how many got one.
    pub(super) fn serve_queue_of(self: &Arc<Self>, server: &Arc<Server>) -> u32 {
        queue::dequeue(self, server)
    }

    /// Tries to take a place for a waiter; the counterpart of [`Self::release`].
    pub(super) fn reserve(&self, server: &Server) -> bool {
        let Some(backend) = &self.backend else { return false };
        self.occupy(backend, server)
    }

    pub(super) fn release(&self, server: &Server) {
        server.served.dec();
        if let Some(backend) = &self.backend {
            backend.served.dec();
        }
        self.conns_changed(server);
    }

    /// Tells `leastconn` that the server's number of requests changed.
    pub(super) fn conns_changed(&self, server: &Server) {
        let Some(backend) = self.backend.as_ref().filter(|b| b.tells_conns) else { return };
        let conns = server.served.get() + server.counters.queued.get();
        backend.balancer().on_conn_change(server.index, conns);
    }

    /// How many requests the server may work on now: between `minconn` and `maxconn` by the backend's load
    /// against `fullconn`, less while it warms up. 0: any number.
    pub(super) fn dynamic_maxconn(&self, server: &Server) -> u32 {
        let Some(backend) = &self.backend else { return 0 };
        server.limit(backend.fullconn(), backend.counters.sessions.get())
    }
}

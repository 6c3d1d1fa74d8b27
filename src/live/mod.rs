//! The running configuration: one object per proxy, server and listener, with state and counters.
//!
//! Sessions, checks and name resolution write here; `stats` and `ctl` read here and steer through the same methods.
//! Everything is shared between the worker threads: numbers are atomics, what must change together sits
//! behind a short lock that is never held across an `await`.

mod backend;
pub mod board;
mod change;
mod dynamic;
mod frontend;
mod log_backend;
mod numbers;
mod observe;
mod proxies;
mod queue;
mod resolvers;
pub mod restore;
mod roll;
mod server;
pub mod steps;
mod stopping;
#[cfg(test)]
mod tests;
pub mod vars;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Instant, SystemTime};

use tokio::sync::Notify;

use crate::ir::{self, ProxyIdx};
use crate::log::console::{self, Kind};
use crate::log::{Logger, Targets};
use crate::metrics::{ProcessCounters, RateCounter};
use crate::sys;
use change::CheckWire;
use proxies::Proxies;
use server::Tracker;

pub use backend::{Backend, Pick};
pub use change::{AddressedOrder, CheckOrder};
pub use dynamic::NotRemovable;
pub use frontend::{Frontend, FrontendState, Listener};
pub use observe::Seen;
pub use proxies::{BackendKept, NotAddable};
pub use queue::{Queue, Slot, Ticket};
pub use resolvers::{Nameserver, Order, Question, Rename, Resolvers};
pub use roll::Snapshot;
pub use server::{Address, CheckReport, Probing, Server, Shutdown, any_killed};

/// Everything that runs.
#[derive(Debug)]
pub struct Live {
    /// What it was made from.
    pub config: Arc<ir::Config>,
    proxies: Proxies,
    /// `resolvers` sections, numbered as in the configuration.
    pub resolvers: Vec<Resolvers>,
    /// Counters of the process.
    pub process: ProcessCounters,
    /// Where log lines go.
    pub logger: Arc<Logger>,
    /// When it started.
    pub started: Instant,
    /// When it started, by the wall clock.
    pub started_wall: SystemTime,
    /// Connection limit of the process (`maxconn`).
    maxconn: AtomicU32,
    /// Limits per second of the process.
    pub rate_limits: RateLimits,
    /// What the sessions do.
    pub board: board::Board,
    /// Whether threads are about to count what they have sent.
    pub steps: steps::Steps,
    /// The soft stop.
    pub stop: stopping::Stop,
    unique: AtomicU64,
    check_wire: Arc<CheckWire>,
    /// Told whenever a server or a frontend changes its state, and at the end.
    pub changed: Arc<Notify>,
}

/// Limits per second of the process; 0: none. Connections over them stay in the kernel's queue.
#[derive(Debug, Default)]
pub struct RateLimits {
    /// `maxconnrate`.
    pub connections: AtomicU32,
    /// `maxsessrate`.
    pub sessions: AtomicU32,
}

/// A proxy that runs.
#[derive(Debug)]
pub struct Proxy {
    /// Its number.
    pub idx: ProxyIdx,
    /// What it was made from.
    pub ir: Arc<ir::Proxy>,
    /// The process' logger.
    pub logger: Arc<Logger>,
    /// Where its log lines go.
    pub logs: Targets,
    /// Frontend half.
    pub frontend: Option<Frontend>,
    /// Backend half.
    pub backend: Option<Backend>,
    check_wire: Arc<CheckWire>,
    changed: Arc<Notify>,
}

impl Live {
    /// Objects for `config`. `maxconn` is the limit of the process, as configured or computed.
    #[must_use]
    pub fn new(config: Arc<ir::Config>, logger: Arc<Logger>, maxconn: u32) -> Arc<Self> {
        vars::preset(&config);
        logger.define(&config.rings);
        let check_wire = Arc::new(CheckWire::default());
        let changed = Arc::new(Notify::new());
        let proxies: Vec<_> = config
            .proxies
            .iter()
            .enumerate()
            .map(|(i, ir)| {
                let idx = ProxyIdx(i as u32);
                Arc::new(Proxy {
                    frontend: ir.frontend.as_ref().map(|half| Frontend::new(ir, half, maxconn, &changed)),
                    ..Proxy::new(idx, ir.clone(), &logger, (&check_wire, &changed))
                })
            })
            .collect();
        set_fullconn(&proxies);
        set_trackers(&proxies);
        let limits = RateLimits {
            connections: AtomicU32::new(config.global.maxconnrate),
            sessions: AtomicU32::new(config.global.maxsessrate),
        };
        let live = Arc::new(Self {
            resolvers: config.resolvers.iter().map(Resolvers::new).collect(),
            stop: stopping::Stop::new(config.global.close_spread),
            config,
            proxies: Proxies::new(proxies),
            process: ProcessCounters::default(),
            logger,
            started: sys::clock::now(),
            started_wall: sys::clock::wall(),
            maxconn: AtomicU32::new(maxconn),
            rate_limits: limits,
            board: board::Board::default(),
            steps: steps::Steps::default(),
            unique: AtomicU64::new(0),
            check_wire,
            changed,
        });
        log_backend::attach(&live);
        live
    }

    /// Orders to whoever runs the checks. `None`: somebody has taken them already.
    #[must_use]
    pub fn check_orders(&self) -> Option<tokio::sync::mpsc::UnboundedReceiver<AddressedOrder>> {
        self.check_wire.listen()
    }

    /// Connection limit of the process.
    #[must_use]
    pub fn maxconn(&self) -> u32 {
        self.maxconn.load(Relaxed)
    }

    /// `set maxconn global`.
    pub fn set_maxconn(&self, maxconn: u32) {
        self.maxconn.store(maxconn, Relaxed);
    }

    /// Sets the limit of the process at the start, which is also that of frontends without one of their own and what
    /// `fullconn` is computed from.
    pub fn limit_connections(&self, maxconn: u32) {
        self.set_maxconn(maxconn);
        for proxy in self.proxies() {
            if let (Some(half), Some(frontend)) = (&proxy.ir.frontend, &proxy.frontend)
                && half.maxconn.is_none()
            {
                frontend.set_maxconn(maxconn);
            }
        }
        set_fullconn(&self.proxies());
    }

    /// Milliseconds until the limits per second of the process let one more connection in; 0: they do now.
    #[must_use]
    pub fn rate_wait(&self) -> u64 {
        let p = &self.process;
        let wait = |rate: &RateCounter, limit: u32| match limit {
            // Nobody asks for the time unless there is a limit.
            0 => 0,
            limit => rate.wait(sys::clock::now_ms(), limit),
        };
        let limits = &self.rate_limits;
        wait(&p.conn_rate, limits.connections.load(Relaxed))
            .max(wait(&p.sess_rate, limits.sessions.load(Relaxed)))
    }

    /// A soft stop is under way: no new connections.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.has_begun()
    }

    /// Begins a soft stop.
    pub fn stop(&self) {
        self.stop.begin();
        self.changed.notify_waiters();
    }

    /// Warns of something that is no proxy's: on standard error, while there is one, and in the logs of the global section.
    pub fn warn(&self, text: &str) {
        console::say(Kind::Warning, text);
        let logs = self.logger.open(&self.config.global.logs);
        self.logger.send(&logs, ir::log::Severity(4), None, text.as_bytes());
    }

    /// A number no other session of this process has (`%rt`).
    pub fn next_unique(&self) -> u64 {
        self.unique.fetch_add(1, Relaxed)
    }

    /// `clear counters` (`all`: not only the maxima).
    pub fn clear_counters(&self, all: bool) {
        for proxy in self.proxies() {
            if let Some(half) = &proxy.frontend {
                half.clear_counters(all);
            }
            if let Some(half) = &proxy.backend {
                half.clear_counters(all);
            }
        }
    }
}

impl Proxy {
    /// One that has a backend half at most.
    fn new(
        idx: ProxyIdx,
        ir: Arc<ir::Proxy>,
        logger: &Arc<Logger>,
        (check_wire, changed): (&Arc<CheckWire>, &Arc<Notify>),
    ) -> Self {
        Self {
            idx,
            frontend: None,
            backend: ir.backend.as_ref().map(|half| Backend::new(&ir, half)),
            logs: logger.open(&ir.logs),
            logger: logger.clone(),
            check_wire: check_wire.clone(),
            changed: changed.clone(),
            ir,
        }
    }
}

/// `fullconn` where it is not configured: a tenth of what the frontends that lead to the backend may bring.
fn set_fullconn(proxies: &[Arc<Proxy>]) {
    let mut sums = vec![0u64; proxies.len()];
    for proxy in proxies {
        let (Some(half), Some(frontend)) = (&proxy.ir.frontend, &proxy.frontend) else { continue };
        let mut leads_to: Vec<usize> = half.default_backend.iter().map(|idx| idx.0 as usize).collect();
        for rule in &half.use_backends {
            match &rule.target {
                ir::proxy::UseBackendTarget::Static(idx) => leads_to.push(idx.0 as usize),
                // What is named at run time is known to nobody now.
                ir::proxy::UseBackendTarget::Dynamic(_) => {}
            }
        }
        leads_to.sort_unstable();
        leads_to.dedup();
        for backend in leads_to {
            sums[backend] += u64::from(frontend.maxconn());
        }
    }
    for (proxy, sum) in proxies.iter().zip(sums) {
        let configured = proxy.ir.backend.as_ref().and_then(|half| half.fullconn).is_some();
        if let Some(backend) = proxy.backend.as_ref().filter(|_| !configured) {
            backend.set_fullconn(sum.div_ceil(10).clamp(1, u64::from(u32::MAX)) as u32);
        }
    }
}

/// Tells each tracked server who follows it: the last one configured does so first, as in HAProxy.
fn set_trackers(proxies: &[Arc<Proxy>]) {
    let servers = || {
        let of = |p| move |b: &Backend| b.servers().into_iter().map(move |s| (p, s));
        proxies.iter().flat_map(move |p| p.backend.iter().flat_map(of(p)))
    };
    let mut followers = HashMap::<(String, String), Vec<Tracker>>::new();
    for (proxy, server) in servers() {
        if let Some(tracked) = &server.ir.track {
            followers.entry(tracked.clone()).or_default().insert(0, (Arc::downgrade(proxy), server.index));
        }
    }
    for (proxy, server) in servers() {
        let name = (proxy.ir.name.clone(), server.ir.name.clone());
        *server.trackers.lock() = followers.remove(&name).unwrap_or_default();
    }
}

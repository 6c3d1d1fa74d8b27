//! The proxies of the process, and backends that come and go by command (`add backend`, `del backend`).

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::roll::{Roll, Snapshot};
use super::{Live, Proxy};
use crate::ir::{self, Caps, ProxyIdx};

/// HAProxy numbers proxies from 2.
const FIRST_ID: u32 = 2;

/// Which proxies there are.
#[derive(Debug)]
pub(super) struct Proxies {
    /// Those of the configuration, by number; a deleted one stays here, since rules may hold its number.
    written: Vec<Arc<Proxy>>,
    /// Those that are there.
    roll: Roll<Proxy>,
    /// Those with a backend half, by name.
    backends: ArcSwap<HashMap<Box<str>, Arc<Proxy>>>,
}

impl Proxies {
    pub(super) fn new(written: Vec<Arc<Proxy>>) -> Self {
        let roll = Roll::new(written.clone());
        let backends = ArcSwap::from_pointee(by_name(&roll));
        Self { written, roll, backends }
    }

    /// After the list has changed.
    fn name_again(&self) {
        self.backends.store(Arc::new(by_name(&self.roll)));
    }
}

/// The first of a name counts.
fn by_name(roll: &Roll<Proxy>) -> HashMap<Box<str>, Arc<Proxy>> {
    let mut names = HashMap::new();
    for proxy in roll.snapshot().into_iter().filter(|proxy| proxy.backend.is_some()) {
        names.entry(proxy.ir.name.as_str().into()).or_insert(proxy);
    }
    names
}

/// Why a backend cannot be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAddable {
    /// A proxy of this kind has its name.
    NameTaken(&'static str),
    /// This has its `guid`.
    GuidTaken(String),
}

/// Why a backend cannot be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendKept {
    /// It is a `listen` section.
    Listen,
    /// The configuration refers to it.
    Referenced,
    /// It takes log lines.
    TakesLogs,
    /// Rules may lead to it.
    Published,
    /// It has servers.
    HasServers,
    /// Requests are under way, which will end.
    Busy,
}

impl Live {
    /// The proxies, in file order, those added by command behind.
    #[must_use]
    pub fn proxies(&self) -> Snapshot<Proxy> {
        self.proxies.roll.snapshot()
    }

    /// The proxy with this number. `None`: it was added by command, and deleted since.
    #[must_use]
    pub fn proxy(&self, idx: ProxyIdx) -> Option<Arc<Proxy>> {
        let number = idx.0 as usize;
        self.proxies.written.get(number).cloned().or_else(|| self.proxies().numbered(number).cloned())
    }

    /// The proxy with this name, or number as `#3`, and a backend half.
    #[must_use]
    pub fn backend_named(&self, name: &str) -> Option<Arc<Proxy>> {
        if name.starts_with('#') {
            return self.proxies().into_iter().find(|p| p.backend.is_some() && p.is_called(name));
        }
        self.proxies.backends.load().get(name).cloned()
    }

    /// The proxy with this name, or number as `#3`, and a frontend half.
    #[must_use]
    pub fn frontend_named(&self, name: &str) -> Option<Arc<Proxy>> {
        self.proxies().into_iter().find(|p| p.frontend.is_some() && p.is_called(name))
    }

    /// Adds a backend, which no rule leads to until it is published. Its number for the statistics is the next free one.
    /// Callers take turns.
    ///
    /// # Errors
    /// What stands in the way; nothing was done.
    pub fn add_backend(&self, mut ir: ir::Proxy) -> Result<Arc<Proxy>, NotAddable> {
        let proxies = self.proxies();
        if let Some(other) = proxies.iter().find(|other| other.ir.name == ir.name) {
            return Err(NotAddable::NameTaken(kind(other.ir.caps)));
        }
        if self.config.bases.iter().any(|base| base.name == ir.name) {
            return Err(NotAddable::NameTaken("defaults"));
        }
        if let Some(owner) = ir.guid.as_ref().and_then(|guid| self.owner_of(guid)) {
            return Err(NotAddable::GuidTaken(owner));
        }
        let written = self.proxies.written.len();
        let first = FIRST_ID + u32::try_from(written).unwrap_or(u32::MAX - FIRST_ID);
        ir.id = (first..).find(|id| proxies.iter().all(|p| p.ir.id != *id)).unwrap_or(u32::MAX);
        if let Some(half) = &mut ir.backend {
            half.unpublished = true;
        }
        let number = self.proxies.roll.free_number(written);
        let idx = ProxyIdx(u32::try_from(number).unwrap_or(u32::MAX));
        let proxy = Arc::new(Proxy::new(idx, Arc::new(ir), &self.logger, (&self.check_wire, &self.changed)));
        self.proxies.roll.add(proxy.clone());
        self.proxies.name_again();
        self.changed.notify_waiters();
        Ok(proxy)
    }

    /// Whether a backend can be deleted.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn check_backend_removable(&self, proxy: &Proxy) -> Result<(), BackendKept> {
        let Some(backend) = proxy.backend.as_ref().filter(|_| proxy.frontend.is_none()) else {
            return Err(BackendKept::Listen);
        };
        let written = (proxy.idx.0 as usize) < self.proxies.written.len();
        if written && self.leads_to(proxy.idx) {
            return Err(BackendKept::Referenced);
        }
        if proxy.ir.backend.as_ref().is_some_and(|half| half.takes_logs) {
            return Err(BackendKept::TakesLogs);
        }
        if backend.is_published() {
            return Err(BackendKept::Published);
        }
        if !backend.servers().is_empty() {
            return Err(BackendKept::HasServers);
        }
        if backend.counters.sessions.get() > 0 {
            return Err(BackendKept::Busy);
        }
        Ok(())
    }

    /// Deletes a backend. Callers take turns.
    ///
    /// # Errors
    /// What stands in the way; nothing was done.
    pub fn remove_backend(&self, proxy: &Arc<Proxy>) -> Result<(), BackendKept> {
        self.check_backend_removable(proxy)?;
        self.proxies.roll.remove(proxy);
        self.proxies.name_again();
        self.board.forget(proxy.idx);
        self.changed.notify_waiters();
        Ok(())
    }

    /// A rule or an expression of the configuration has the number of this proxy.
    fn leads_to(&self, idx: ProxyIdx) -> bool {
        let by_rule = |half: &ir::Frontend| {
            let targets = half.use_backends.iter().map(|rule| &rule.target);
            half.default_backend == Some(idx)
                || targets
                    .into_iter()
                    .any(|target| matches!(target, ir::proxy::UseBackendTarget::Static(to) if *to == idx))
        };
        self.config.proxies.iter().filter_map(|proxy| proxy.frontend.as_deref()).any(by_rule)
            || self.config.named.contains_proxy(idx)
    }

    /// Name of what has this `guid`.
    fn owner_of(&self, guid: &str) -> Option<String> {
        let is_it = |other: &Option<String>| other.as_deref() == Some(guid);
        for proxy in self.proxies() {
            if is_it(&proxy.ir.guid) {
                return Some(format!("{} {}", kind(proxy.ir.caps), proxy.ir.name));
            }
            let mut listeners = proxy.frontend.iter().flat_map(|half| &half.listeners);
            if listeners.any(|listener| is_it(&listener.ir.guid)) {
                return Some(format!("listener {}", proxy.ir.name));
            }
            if let Some(server) =
                proxy.backend.iter().flat_map(|half| half.servers()).find(|s| is_it(&s.ir.guid))
            {
                return Some(format!("server {}/{}", proxy.ir.name, server.name()));
            }
        }
        None
    }
}

/// The word of its section.
fn kind(caps: Caps) -> &'static str {
    match caps {
        Caps::Frontend => "frontend",
        Caps::Backend => "backend",
        Caps::Listen => "proxy",
    }
}

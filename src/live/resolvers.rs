//! A `resolvers` section that runs, as far as others look at it.

use std::sync::OnceLock;

use tokio::sync::mpsc;

use crate::ir;
use crate::ir::ProxyIdx;
use crate::metrics::NameserverCounters;

/// A section.
#[derive(Debug)]
pub struct Resolvers {
    /// Its name.
    pub name: String,
    /// Its nameservers, in order.
    pub nameservers: Vec<Nameserver>,
    orders: OnceLock<mpsc::UnboundedSender<Rename>>,
}

/// A server gets another name (`set server ... fqdn`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// Its backend.
    pub backend: ProxyIdx,
    /// Its number there.
    pub server: usize,
    /// The name.
    pub fqdn: String,
}

/// A nameserver.
#[derive(Debug)]
pub struct Nameserver {
    /// Its name.
    pub name: String,
    /// Counters.
    pub counters: NameserverCounters,
}

impl Resolvers {
    pub(super) fn new(ir: &ir::Resolvers) -> Self {
        let nameserver = |ns: &ir::resolvers::Nameserver| Nameserver {
            name: ns.name.clone(),
            counters: NameserverCounters::default(),
        };
        Self {
            name: ir.name.clone(),
            nameservers: ir.nameservers.iter().map(nameserver).collect(),
            orders: OnceLock::new(),
        }
    }

    /// Orders to whoever resolves. `None`: somebody has taken them already.
    #[must_use]
    pub fn listen(&self) -> Option<mpsc::UnboundedReceiver<Rename>> {
        let (orders, receiver) = mpsc::unbounded_channel();
        self.orders.set(orders).ok().map(|()| receiver)
    }

    /// Has a server follow another name.
    pub fn rename(&self, order: Rename) {
        if let Some(orders) = self.orders.get() {
            // A resolver that is gone means that the process is ending.
            let _ = orders.send(order);
        }
    }
}

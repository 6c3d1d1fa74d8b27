//! A `resolvers` section that runs, as far as others look at it.

use std::net::IpAddr;
use std::sync::OnceLock;

use tokio::sync::{mpsc, oneshot};

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
    orders: OnceLock<mpsc::UnboundedSender<Order>>,
}

/// What is asked of whoever resolves.
#[derive(Debug)]
pub enum Order {
    /// Have a server follow another name.
    Rename(Rename),
    /// Say the address of a host.
    Ask(Question),
    /// This server of this backend could not be reached: it may have moved.
    Doubt(ProxyIdx, usize),
}

/// The address of a host is wanted now.
#[derive(Debug)]
pub struct Question {
    /// The host.
    pub host: String,
    /// Ask for IPv6 first.
    pub ipv6: bool,
    /// Where the answer goes; `None`: there is none.
    pub reply: oneshot::Sender<Option<IpAddr>>,
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
    pub fn listen(&self) -> Option<mpsc::UnboundedReceiver<Order>> {
        let (orders, receiver) = mpsc::unbounded_channel();
        self.orders.set(orders).ok().map(|()| receiver)
    }

    /// Has a server follow another name.
    pub fn rename(&self, order: Rename) {
        if let Some(orders) = self.orders.get() {
            // A resolver that is gone means that the process is ending.
            let _ = orders.send(Order::Rename(order));
        }
    }

    /// A server could not be reached: its name is asked for at once, unless that has just been done.
    pub fn doubt(&self, backend: ProxyIdx, server: usize) {
        if let Some(orders) = self.orders.get() {
            // A resolver that is gone means that the process is ending.
            let _ = orders.send(Order::Doubt(backend, server));
        }
    }

    /// The address of a host, once there is an answer. `None`: nobody resolves here.
    #[must_use]
    pub fn ask(&self, host: String, ipv6: bool) -> Option<oneshot::Receiver<Option<IpAddr>>> {
        let (reply, answer) = oneshot::channel();
        self.orders.get()?.send(Order::Ask(Question { host, ipv6, reply })).ok()?;
        Some(answer)
    }
}

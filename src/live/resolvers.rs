//! A `resolvers` section that runs, as far as others look at it.

use crate::ir;
use crate::metrics::NameserverCounters;

/// A section.
#[derive(Debug)]
pub struct Resolvers {
    /// Its name.
    pub name: String,
    /// Its nameservers, in order.
    pub nameservers: Vec<Nameserver>,
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
        Self { name: ir.name.clone(), nameservers: ir.nameservers.iter().map(nameserver).collect() }
    }
}

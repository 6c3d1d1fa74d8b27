//! What files that belong together say of each other: two nodes' `keepalived.conf` and the `haproxy.cfg` they carry.
//!
//! Each file may be right by itself and the pair still never fail over. Nothing here changes a verdict; every
//! remark is advice with the place it is about.

mod nodes;
#[cfg(test)]
mod tests;
mod tracked;
mod unused;

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::ir::bind::BindAddr;
use crate::ir::{Config, Place, vrrp};

/// One node's `keepalived.conf`.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    /// The file, as given.
    pub name: &'a str,
    /// What it means.
    pub config: &'a vrrp::Config,
}

/// Advice about one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Something will go wrong; otherwise it may be meant.
    pub wrong: bool,
    /// The line it is about.
    pub place: Place,
    /// What will happen.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// Compares everything with everything; in no given order.
#[must_use]
pub fn remarks(nodes: &[Node<'_>], proxies: &[&Config]) -> Vec<Remark> {
    let mut said = nodes::remarks(nodes);
    said.extend(proxies.iter().flat_map(|config| unused::remarks(config)));
    if !proxies.is_empty() {
        said.extend(tracked::remarks(nodes, proxies));
    }
    let vips: BTreeSet<IpAddr> = nodes.iter().flat_map(|node| addresses(node.config)).collect();
    if vips.is_empty() || proxies.is_empty() {
        return said;
    }
    let binds: Vec<_> = proxies
        .iter()
        .flat_map(|config| &config.proxies)
        .filter_map(|proxy| proxy.frontend.as_ref().map(|frontend| (proxy, frontend)))
        .flat_map(|(proxy, frontend)| frontend.binds.iter().map(move |bind| (proxy, bind)))
        .collect();
    let bound = |vip: IpAddr| {
        binds.iter().any(|(_, bind)| match bind.addr {
            BindAddr::Tcp(addr) => covers(addr.ip(), bind.v6only, vip),
            // An inherited socket may be bound to anything.
            BindAddr::Fd(_) => true,
            _ => false,
        })
    };
    for node in nodes {
        for instance in &node.config.instances {
            let vips = instance.vips.iter().chain(&instance.excluded_vips);
            for vip in vips.filter(|vip| !bound(vip.addr)) {
                said.push(Remark {
                    wrong: true,
                    place: instance.place.clone(),
                    message: format!("({}) no frontend binds {}", instance.name, vip.addr),
                    help: format!(
                        "clients of {0} are refused; 'bind {0}:PORT' or 'bind :PORT' would answer them",
                        vip.addr
                    ),
                });
            }
        }
    }
    let fixed: BTreeSet<IpAddr> =
        nodes.iter().flat_map(|node| &node.config.static_addresses).map(|one| one.address.addr).collect();
    for (proxy, bind) in binds {
        let BindAddr::Tcp(addr) = bind.addr else { continue };
        let ip = addr.ip();
        if ip.is_unspecified() || ip.is_loopback() || vips.contains(&ip) || fixed.contains(&ip) {
            continue;
        }
        said.push(Remark {
            wrong: false,
            place: bind.place.clone(),
            message: format!("'{}' binds {ip}, which no keepalived file given here sets", proxy.name),
            help: "right if it is an address of this host alone; if it should move with the node, add it to \
                   virtual_ipaddress"
                .into(),
        });
    }
    said
}

/// Whether a listener on `bound` takes connections to `vip`.
fn covers(bound: IpAddr, v6only: Option<bool>, vip: IpAddr) -> bool {
    match bound {
        _ if bound == vip => true,
        IpAddr::V4(any) => any.is_unspecified() && vip.is_ipv4(),
        IpAddr::V6(any) => any.is_unspecified() && (vip.is_ipv6() || v6only != Some(true)),
    }
}

/// Every address that comes and goes with an instance.
fn addresses(config: &vrrp::Config) -> impl Iterator<Item = IpAddr> + '_ {
    config.instances.iter().flat_map(|one| one.vips.iter().chain(&one.excluded_vips)).map(|vip| vip.addr)
}

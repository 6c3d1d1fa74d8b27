//! What nodes have: interfaces and the addresses their peers know them by.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ir::vrrp::{Config, Instance};

use super::super::engine::Link;
use super::Given;

/// All addresses of an instance.
pub(super) fn addresses(instance: &Instance) -> impl Iterator<Item = IpAddr> {
    instance.vips.iter().chain(&instance.excluded_vips).map(|v| v.addr)
}

/// Every interface a configuration watches.
pub(super) fn interfaces(config: &Config) -> BTreeSet<String> {
    let instances = config.instances.iter();
    let own = instances.clone().filter_map(|i| i.interface.clone());
    let in_use = instances.clone().flat_map(|i| i.interfaces_in_use().into_iter().map(str::to_owned));
    let tracked = instances.flat_map(|i| i.track_interfaces.iter().map(|t| t.name.clone()));
    let groups = config.sync_groups.iter().flat_map(|g| g.track_interfaces.iter().map(|t| t.name.clone()));
    own.chain(in_use).chain(tracked).chain(groups).collect()
}

/// The interfaces of a node, up, with addresses: the ones its peers know it by, or made up.
pub(super) fn links(given: &[Given], at: usize) -> BTreeMap<String, Link> {
    let number = u8::try_from(at + 1).unwrap_or(u8::MAX);
    let written: BTreeSet<IpAddr> =
        given.iter().flat_map(|g| &g.config.instances).filter_map(|i| i.src_ip).collect();
    let mut links = BTreeMap::new();
    for name in interfaces(&given[at].config) {
        let made = Link {
            up: true,
            v4: Some(Ipv4Addr::new(192, 0, 2, number)),
            v6: Some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number.into())),
        };
        links.insert(name, made);
    }
    for own in &given[at].config.instances {
        let Some(link) = own.interface.as_ref().and_then(|name| links.get_mut(name)) else { continue };
        let others = given.iter().enumerate().filter(|(other, _)| *other != at);
        let known = others
            .flat_map(|(_, g)| g.config.instances.iter())
            .filter(|i| i.vrid == own.vrid && i.ipv6 == own.ipv6)
            .flat_map(|i| i.unicast.iter().flat_map(|u| u.peers.clone()))
            .filter(|peer| !written.contains(peer));
        for peer in known {
            match peer {
                IpAddr::V4(a) => link.v4 = Some(a),
                IpAddr::V6(a) => link.v6 = Some(a),
            }
        }
    }
    links
}

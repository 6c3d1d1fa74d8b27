//! What the kernel is told about virtual addresses, and what it is known to have.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ir::vrrp::{Config, Instance, Vip};
use crate::sys::netlink::{self, Address, AddressSpec, Link};
use crate::vrrp::engine;

/// Interfaces and addresses as the kernel last reported them.
#[derive(Debug, Default)]
pub(crate) struct Kernel {
    links: BTreeMap<u32, Link>,
    addresses: Vec<Address>,
    /// Interfaces that were polled and have no link, whatever the kernel says.
    unlinked: BTreeSet<String>,
}

impl Kernel {
    /// Everything, freshly read.
    pub(crate) fn new(links: Vec<Link>, addresses: Vec<Address>) -> Self {
        Self {
            links: links.into_iter().map(|l| (l.index, l)).collect(),
            addresses,
            unlinked: BTreeSet::new(),
        }
    }

    /// An interface by name.
    pub(crate) fn link(&self, name: &str) -> Option<&Link> {
        self.links.values().find(|l| l.name == name)
    }

    /// An interface by index.
    pub(crate) fn by_index(&self, index: u32) -> Option<&Link> {
        self.links.get(&index)
    }

    /// What polling an interface said. False: nothing new.
    pub(crate) fn set_unlinked(&mut self, name: &str, unlinked: bool) -> bool {
        if unlinked { self.unlinked.insert(name.to_owned()) } else { self.unlinked.remove(name) }
    }

    /// Every address.
    pub(crate) fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Every interface.
    pub(crate) fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// A new or changed interface; the old name if it was renamed.
    pub(crate) fn set_link(&mut self, link: Link) -> Option<String> {
        let name = link.name.clone();
        let old = self.links.insert(link.index, link)?;
        (old.name != name).then_some(old.name)
    }

    /// An interface is gone.
    pub(crate) fn drop_link(&mut self, index: u32) {
        self.links.remove(&index);
        self.addresses.retain(|a| a.index != index);
    }

    /// A new or changed address. False: it was known just so.
    pub(crate) fn set_address(&mut self, address: Address) -> bool {
        let same = |a: &Address| a.index == address.index && a.address == address.address;
        match self.addresses.iter_mut().find(|a| same(a)) {
            Some(known) if *known == address => return false,
            Some(known) => *known = address,
            None => self.addresses.push(address),
        }
        true
    }

    /// An address is gone.
    pub(crate) fn drop_address(&mut self, address: &Address) {
        self.addresses.retain(|a| !(a.index == address.index && a.address == address.address));
    }

    /// Is the address on that interface?
    pub(crate) fn has(&self, index: u32, address: IpAddr) -> bool {
        self.addresses.iter().any(|a| a.index == index && a.address == address)
    }

    /// Is the address on any interface?
    pub(crate) fn has_anywhere(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|a| a.address == address)
    }

    /// First own addresses of an interface: virtual ones do not count, they come and go.
    pub(crate) fn own(&self, index: u32, config: &Config) -> (Option<Ipv4Addr>, Option<Ipv6Addr>) {
        let (mut v4, mut v6) = (None, None);
        for address in self.own_all(index, config) {
            match address {
                IpAddr::V4(a) => v4 = v4.or(Some(a)),
                IpAddr::V6(a) => v6 = v6.or(Some(a)),
            }
        }
        (v4, v6)
    }

    /// Own addresses of an interface that adverts may come from: of IPv6, those of the link.
    pub(crate) fn own_all(&self, index: u32, config: &Config) -> impl Iterator<Item = IpAddr> {
        let is_virtual = |address: IpAddr| {
            let mut moving = config.instances.iter().flat_map(|i| i.vips.iter().chain(&i.excluded_vips));
            moving.any(|v| v.addr == address)
        };
        let usable = |a: &&Address| match a.address {
            IpAddr::V4(_) => true,
            IpAddr::V6(v6) => !a.tentative && is_link_local(v6),
        };
        let here = self.addresses.iter().filter(move |a| a.index == index);
        here.filter(usable).map(|a| a.address).filter(move |address| !is_virtual(*address))
    }

    /// The engine's view of an interface.
    pub(crate) fn engine_link(&self, name: &str, config: &Config) -> engine::Link {
        let Some(link) = self.link(name) else { return engine::Link::default() };
        let (v4, v6) = self.own(link.index, config);
        engine::Link { up: link.up && !self.unlinked.contains(name), v4, v6 }
    }
}

fn is_link_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xffc0 == 0xfe80
}

/// Name of the interface a virtual address goes to.
pub(crate) fn interface_of<'a>(instance: &'a Instance, vip: &'a Vip) -> Option<&'a str> {
    vip.link.as_deref().or(vip.dev.as_deref()).or(instance.interface.as_deref())
}

/// The netlink form of a virtual address on the interface with this index; `lifetime` in seconds, `u32::MAX`: forever.
pub(crate) fn spec(vip: &Vip, index: u32, lifetime: u32) -> AddressSpec {
    let v6 = vip.addr.is_ipv6();
    let flag = |on: bool, flag: u32| if on { flag } else { 0 };
    AddressSpec {
        index,
        address: vip.addr,
        prefix_len: vip.prefix_len,
        scope: vip.scope,
        label: vip.label.clone(),
        broadcast: vip.broadcast,
        peer: vip.peer,
        // Duplicate detection would keep the address unusable for a second after a takeover.
        flags: flag(v6 && !vip.dad, netlink::FLAG_NODAD)
            | flag(vip.home, netlink::FLAG_HOME)
            | flag(vip.manage_temp_addr, netlink::FLAG_MANAGE_TEMP)
            | flag(vip.no_prefix_route, netlink::FLAG_NO_PREFIX_ROUTE)
            | flag(vip.autojoin, netlink::FLAG_AUTOJOIN),
        // The kernel refuses an address that is preferred for longer than it is valid.
        preferred_lft: vip.preferred_lft.unwrap_or(u32::MAX).min(lifetime),
        valid_lft: lifetime,
    }
}

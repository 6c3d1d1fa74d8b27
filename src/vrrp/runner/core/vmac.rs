//! Interfaces of the instances' own: with the virtual hardware address (`use_vmac`), or an ipvlan.
//!
//! They exist, without addresses, for as long as the daemon runs, for a backup listens on them too. Nothing may leave
//! them that tells a switch the virtual hardware address were here, except what a master sends: see `firewall`.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::ir::vrrp::{Config, Instance, VirtualLink, VirtualLinkKind};
use crate::sys::link;
use crate::sys::netlink::AddressSpec;
use crate::sys::raw::Membership;

use super::super::addresses;
use super::Core;

/// Scope of link-local addresses.
const SCOPE_LINK: u8 = 253;

impl Core {
    /// Makes what is missing on interfaces that exist.
    pub(super) fn make_links(&mut self) {
        let config = self.engine.config().clone();
        for (position, instance) in config.instances.iter().enumerate() {
            for (at, wanted) in instance.links.iter().enumerate() {
                self.make_link(instance, wanted, at == 0);
            }
            self.join_below(position, instance);
        }
    }

    fn make_link(&mut self, instance: &Instance, wanted: &VirtualLink, speaks: bool) {
        let Some(base) = self.kernel.link(&wanted.base).cloned() else { return };
        let (name, what) = (&wanted.name, if wanted.is_vmac() { "VMAC" } else { "ipvlan" });
        if let Some(there) = self.kernel.link(name) {
            let kind = if wanted.is_vmac() { "macvlan" } else { "ipvlan" };
            let mac = match wanted.kind {
                VirtualLinkKind::Vmac(mac) => there.mac == mac.0,
                VirtualLinkKind::Ipvlan { .. } => true,
            };
            if there.kind == kind && there.parent == Some(base.index) && mac {
                return;
            }
            if there.kind != kind {
                let text = format!("({}) {what} {name} conflicts with existing interface", instance.name);
                self.journal.warn(text);
                return;
            }
            self.journal.info(format!(
                "({}) Removing old {what} interface {name} due to conflicting interface",
                instance.name
            ));
            self.unmake_link(name);
        }
        let made = match &wanted.kind {
            VirtualLinkKind::Vmac(mac) => link::create_macvlan(name, base.index, mac.0),
            VirtualLinkKind::Ipvlan { mode, .. } => link::create_ipvlan(name, base.index, *mode),
        };
        if let Err(e) = made.and_then(|()| self.rtnl.link(name)).map(|made| self.kernel.set_link(made)) {
            let hint = super::missing(&e, "CAP_NET_ADMIN");
            let text = format!("({}): Unable to create {what} interface {name}: {e}{hint}", instance.name);
            self.journal.warn(text);
            return;
        }
        self.journal.detail(format!("({}): Success creating {what} interface {name}", instance.name));
        self.settle_link(instance, wanted, speaks);
    }

    /// The interface below joins the group too: reports of its membership, unlike those of the virtual one, may leave.
    fn join_below(&mut self, position: usize, instance: &Instance) {
        let Some(below) = instance.links.first().filter(|l| l.is_vmac()) else { return };
        let Some(index) = self.kernel.link(&below.base).map(|l| l.index) else { return };
        let profile = self.engine.profile(position);
        let key = (index, profile.group);
        if profile.unicast() || self.memberships.contains_key(&key) {
            return;
        }
        match Membership::join(key.1, index) {
            Ok(joined) => drop(self.memberships.insert(key, joined)),
            Err(e) => self.journal.detail(format!("cannot join {} on {}: {e}", key.1, below.base)),
        }
    }

    /// Switches of a fresh interface, its address, and up.
    fn settle_link(&mut self, instance: &Instance, wanted: &VirtualLink, speaks: bool) {
        let name = &wanted.name;
        let v6 = wanted.ipv6 || instance.excluded_vips.iter().any(|v| v.addr.is_ipv6() && v.link.is_some());
        if let VirtualLinkKind::Vmac(_) = wanted.kind {
            for (key, value) in [
                // Answer for addresses of this interface only, hear adverts of others from addresses of the same network.
                ("arp_ignore", "1"),
                ("accept_local", "1"),
                ("rp_filter", "0"),
                ("promote_secondaries", "1"),
            ] {
                self.set_switch("ipv4", name, key, value);
            }
            self.set_switch("ipv6", name, "disable_ipv6", if v6 { "0" } else { "1" });
            self.relax_base(&wanted.base);
        }
        if let Err(e) = link::no_generated_address(name) {
            self.journal.detail(format!("({}) Error setting ADDR_GEN_MODE on {name}: {e}", instance.name));
        }
        if let Err(e) = link::up(name) {
            self.journal.warn(format!("({}) cannot take {name} up: {e}", instance.name));
        }
        let Some(index) = self.kernel.link(name).map(|l| l.index) else { return };
        if let VirtualLinkKind::Ipvlan { address: Some((address, prefix_len)), .. } = wanted.kind {
            self.set_own_address(instance, index, address, prefix_len);
        }
        if speaks {
            self.give_source(instance, wanted);
        }
    }

    /// The interface below has its link-local address, perhaps only now: the virtual ones send from it too. Without it on
    /// them the kernel refuses every advert, and both routers of a pair become masters.
    pub(super) fn give_sources(&mut self, below: u32) {
        let config = self.engine.config().clone();
        for instance in &config.instances {
            let Some(wanted) = instance.links.first() else { continue };
            if self.kernel.link(&wanted.base).is_some_and(|l| l.index == below) {
                self.give_source(instance, wanted);
            }
        }
    }

    fn give_source(&mut self, instance: &Instance, wanted: &VirtualLink) {
        let (Some(index), Some(base)) = (
            self.kernel.link(&wanted.name).map(|l| l.index),
            self.kernel.link(&wanted.base).map(|l| l.index),
        ) else {
            return;
        };
        let local = instance.src_ip.or_else(|| self.kernel.own(base, self.engine.config()).1.map(IpAddr::V6));
        if let Some(address @ IpAddr::V6(_)) = local.filter(|_| instance.ipv6)
            && !self.kernel.has(index, address)
        {
            self.set_own_address(instance, index, address, 64);
        }
    }

    /// An address adverts come from; never a source of anything else.
    fn set_own_address(&mut self, instance: &Instance, index: u32, address: IpAddr, prefix_len: u8) {
        let v6 = address.is_ipv6();
        let spec = AddressSpec {
            index,
            address,
            prefix_len,
            scope: if v6 { SCOPE_LINK } else { 0 },
            label: None,
            broadcast: None,
            peer: None,
            flags: if v6 { crate::sys::netlink::FLAG_NODAD } else { 0 },
            preferred_lft: if v6 { 0 } else { u32::MAX },
            valid_lft: u32::MAX,
        };
        if let Err(e) = self.rtnl.add_address(&spec) {
            self.journal.warn(format!("({}) cannot add {address}: {e}", instance.name));
        }
    }

    /// The interface below must not answer for addresses of the ones above, and what arrives may not be held against
    /// where its answer would go. A strict `all` would count for every interface: its value moves to each of them.
    fn relax_base(&mut self, base: &str) {
        for key in ["arp_ignore", "arp_filter"] {
            self.set_switch("ipv4", base, key, "1");
        }
        let read =
            |name: &str| std::fs::read_to_string(switch("ipv4", name, "rp_filter")).unwrap_or_default();
        let all = read("all").trim().to_owned();
        if all.is_empty() || all == "0" {
            return;
        }
        let made: Vec<_> = self.engine.config().instances.iter().flat_map(|i| &i.links).collect();
        let others: Vec<String> = self
            .kernel
            .links()
            .map(|l| l.name.clone())
            .filter(|name| made.iter().all(|m| m.name != *name))
            .chain(["default".to_owned()])
            .collect();
        for name in others.iter().filter(|name| read(name).trim() < all.as_str()) {
            self.set_switch("ipv4", name, "rp_filter", &all);
        }
        self.set_switch("ipv4", "all", "rp_filter", "0");
    }

    /// Sets a switch of an interface and remembers what it was, where it is not our own.
    fn set_switch(&mut self, family: &str, name: &str, key: &str, value: &str) {
        let path = switch(family, name, key);
        let Ok(before) = std::fs::read_to_string(&path) else { return };
        if before.trim() == value {
            return;
        }
        match std::fs::write(&path, value) {
            Ok(()) => self.switches.push((path, before.trim().to_owned())),
            Err(e) => self.journal.warn(format!("cannot set {} to {value}: {e}", path.display())),
        }
    }

    /// Removes the interfaces that `next` does not want.
    pub(super) fn unmake_links(&mut self, before: &Config, next: &Config) {
        let wanted = |name: &str| next.instances.iter().flat_map(|i| &i.links).any(|l| l.name == name);
        for instance in &before.instances {
            for gone in instance.links.iter().filter(|l| !wanted(&l.name)) {
                let what = if gone.is_vmac() { "VMAC" } else { "ipvlan" };
                if self.kernel.link(&gone.name).is_some() {
                    self.unmake_link(&gone.name);
                    self.journal.detail(format!(
                        "({}) Success removing {what} interface {}",
                        instance.name, gone.name
                    ));
                }
            }
        }
        if next.instances.iter().all(|i| i.links.is_empty()) {
            for (path, value) in std::mem::take(&mut self.switches).into_iter().rev() {
                // Of an interface that is gone: nothing to restore.
                let _ = std::fs::write(path, value);
            }
        }
    }

    fn unmake_link(&mut self, name: &str) {
        let Some(index) = self.kernel.link(name).map(|l| l.index) else { return };
        match link::delete(index) {
            Ok(()) => self.kernel.drop_link(index),
            Err(e) => self.journal.warn(format!("Error removing interface {name}: {e}")),
        }
    }

    /// Addresses that only a filter keeps from what `no_accept` forbids, and interfaces that must be quiet.
    pub(super) fn quiet_links(&self) -> Vec<u32> {
        let links = self.engine.config().instances.iter().flat_map(|i| &i.links);
        links.filter(|l| l.is_vmac()).filter_map(|l| self.kernel.link(&l.name)).map(|l| l.index).collect()
    }

    /// Index of the interface a virtual address goes to.
    pub(super) fn index_of(&self, instance: &Instance, vip: &crate::ir::vrrp::Vip) -> Option<u32> {
        self.kernel.link(addresses::interface_of(instance, vip)?).map(|l| l.index)
    }
}

fn switch(family: &str, name: &str, key: &str) -> PathBuf {
    PathBuf::from(format!("/proc/sys/net/{family}/conf/{name}/{key}"))
}

//! What the kernel reported: interfaces, addresses, routes and rules that came or went.

use std::net::IpAddr;
use std::time::Instant;

use crate::sys::netlink::{Address, Change};

use super::super::addresses::{self, Kernel};
use super::{Core, interfaces};

impl Core {
    /// The kernel reported a change.
    pub(in crate::vrrp::runner) fn kernel_changed(&mut self, change: &Change, now: Instant) {
        match change {
            Change::Link(link) => {
                self.routes_gone |= link.up;
                let fresh = self.kernel.by_index(link.index).is_none_or(|l| !l.up) && link.up;
                let renamed = self.kernel.set_link(link.clone());
                if let Some(old) = renamed {
                    self.refresh(&old, now);
                }
                if fresh {
                    self.make_links();
                }
                self.refresh(&link.name, now);
                if fresh {
                    self.restore_static_addresses(link.index, "was gone with its interface");
                }
            }
            Change::LinkGone(link) => {
                self.kernel.drop_link(link.index);
                self.refresh(&link.name, now);
            }
            Change::Address(address) => {
                // Renewed lifetimes are no news.
                if self.kernel.set_address(address.clone()) {
                    self.report_address(address, "added to");
                    if address.address.is_ipv6() {
                        self.give_sources(address.index);
                    }
                    self.refresh_index(address.index, now);
                }
            }
            Change::AddressGone(address) => {
                self.kernel.drop_address(address);
                self.report_address(address, "removed from");
                self.refresh_index(address.index, now);
                self.address_lost(address.index, address.address, now);
                self.restore_static_addresses(address.index, "was removed by somebody else");
                self.routes_gone = true;
            }
            Change::RouteGone | Change::RuleGone => self.routes_gone = true,
            Change::Lost => self.reread(now),
        }
    }

    /// `-a`, of those that are there at the start.
    pub(super) fn report_addresses(&self) {
        self.kernel.addresses().iter().for_each(|address| self.report_address(address, "added to"));
    }

    /// `-a`.
    fn report_address(&self, address: &Address, what: &str) {
        if let Some(link) = self.kernel.by_index(address.index).filter(|_| self.options.report_addresses) {
            let text = format!("Netlink reflector reports IP {} {what} {}", address.address, link.name);
            self.journal.info(text);
        }
    }

    /// After a batch of changes: whatever they took away.
    pub(in crate::vrrp::runner) fn changes_seen(&mut self) {
        if std::mem::take(&mut self.routes_gone) {
            self.restore_routes();
        }
    }

    fn refresh_index(&mut self, index: u32, now: Instant) {
        if let Some(name) = self.kernel.by_index(index).map(|l| l.name.clone()) {
            self.refresh(&name, now);
        }
    }

    /// Tells the engine what an interface looks like now.
    pub(super) fn refresh(&mut self, name: &str, now: Instant) {
        if !interfaces(self.engine.config(), &self.kernel).iter().any(|i| i == name) {
            return;
        }
        self.open_sockets(now);
        let link = self.kernel.engine_link(name, self.engine.config());
        let before = self.engine.link(name).copied().unwrap_or_default();
        if let Some(address) = link.v4.filter(|_| link.v4 != before.v4) {
            self.journal.detail(format!("Assigned address {address} for interface {name}"));
        }
        self.apply(now, |engine, now, out| engine.link_changed(name, link, now, out));
    }

    fn address_lost(&mut self, index: u32, address: IpAddr, now: Instant) {
        for at in 0..self.sides.len() {
            let instance = self.instance(at);
            let lost = self.sides[at].installed
                && instance.vips.iter().chain(&instance.excluded_vips).any(|v| {
                    v.addr == address
                        && !v.no_track
                        && addresses::interface_of(instance, v)
                            .and_then(|name| self.kernel.link(name))
                            .is_some_and(|l| l.index == index)
                });
            // The kernel may report a removal of our own that a later addition has made good.
            if lost && !self.kernel.has(index, address) {
                self.apply(now, |engine, now, out| engine.address_lost(at, address, now, out));
            }
        }
    }

    /// Events were lost: read everything and act on the differences.
    fn reread(&mut self, now: Instant) {
        let (Ok(links), Ok(addresses)) = (self.rtnl.links(), self.rtnl.addresses()) else { return };
        self.kernel = Kernel::new(links, addresses);
        self.routes_gone = true;
        for name in interfaces(self.engine.config(), &self.kernel) {
            if let Some(index) = self.kernel.link(&name).map(|l| l.index) {
                self.give_sources(index);
            }
            self.refresh(&name, now);
        }
        for at in 0..self.sides.len() {
            let instance = self.instance(at).clone();
            for vip in instance.vips.iter().chain(&instance.excluded_vips) {
                let name = addresses::interface_of(&instance, vip).unwrap_or_default();
                if let Some(index) = self.kernel.link(name).map(|l| l.index) {
                    self.address_lost(index, vip.addr, now);
                }
            }
        }
    }
}

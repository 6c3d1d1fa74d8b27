//! Routes and rules of instances, and what belongs to the daemon as a whole.

use std::io;

use crate::ir::vrrp::{Config, Instance, Route, Rule, StaticAddress, Vip};

use crate::sys::netlink::Address;

use super::super::addresses;
use super::{Core, missing};

impl Core {
    /// Routes and rules that come and go with an instance. Rules go first and come last: they point to
    /// tables that the routes fill.
    pub(super) fn set_routes(&mut self, instance: &Instance, add: bool) {
        if !add {
            self.set_rules(&instance.rules, add, &instance.name);
        }
        self.set_route_list(&instance.routes, add, &instance.name);
        if add {
            self.set_rules(&instance.rules, add, &instance.name);
        }
    }

    fn set_route_list(&mut self, routes: &[Route], add: bool, owner: &str) {
        for route in routes {
            let kernel = &self.kernel;
            let index_of = |name: &str| kernel.link(name).map(|l| l.index);
            if let Err(e) = self.rtnl.set_route(route, &index_of, add)
                && (add || e.kind() != io::ErrorKind::NotFound)
            {
                let to = route.dst.map_or_else(|| "default".to_owned(), |d| d.to_string());
                let what = if add { "add" } else { "delete" };
                let hint = missing(&e, "CAP_NET_ADMIN");
                self.journal.warn(format!("({owner}) cannot {what} route {to}: {e}{hint}"));
            }
        }
    }

    /// Sets what somebody else removed of the routes and rules that are to be there; one that is untracked stays away.
    /// A route is also lost, without a word from the kernel, when its interface or source address goes for a moment.
    pub(super) fn restore_routes(&mut self) {
        let config = self.engine.config();
        let (mut routes, mut rules) = (Vec::new(), Vec::new());
        let installed = config.instances.iter().zip(&self.sides).filter(|(_, side)| side.installed);
        for (instance, _) in installed {
            let owner = format!("({})", instance.name);
            routes.extend(instance.routes.iter().map(|r| (owner.clone(), r.clone())));
            rules.extend(instance.rules.iter().map(|r| (owner.clone(), r.clone())));
        }
        routes.extend(config.static_routes.iter().map(|r| ("static".to_owned(), r.route.clone())));
        rules.extend(config.static_rules.iter().map(|r| ("static".to_owned(), r.rule.clone())));
        for (owner, route) in routes.iter().filter(|(_, r)| !r.no_track && r.expires.is_none()) {
            let kernel = &self.kernel;
            let index_of = |name: &str| kernel.link(name).map(|l| l.index);
            // What cannot be set now (its interface is down) is tried again with the next change.
            if let Ok(true) = self.rtnl.restore_route(route, &index_of) {
                let to = route.dst.map_or_else(|| "default".to_owned(), |d| d.to_string());
                self.journal.info(format!("{owner} route {to} was removed by somebody else - restored"));
            }
        }
        for (owner, rule) in rules.iter().filter(|(_, r)| !r.no_track) {
            if let Ok(true) = self.rtnl.set_rule(rule, true) {
                let priority = rule.priority.unwrap_or_default();
                self.journal.info(format!("{owner} rule {priority} was removed by somebody else - restored"));
            }
        }
    }

    /// Static addresses on the interface with this index that are not there. `why` is for the log.
    pub(super) fn restore_static_addresses(&mut self, index: u32, why: &str) {
        let Some(name) = self.kernel.by_index(index).map(|l| l.name.clone()) else { return };
        // Addresses leave before their interface does: only the kernel knows whether it is still there.
        if self.rtnl.link(&name).is_err() {
            return;
        }
        let missing = |a: &&StaticAddress| {
            a.address.dev.as_deref() == Some(&name)
                && !a.address.no_track
                && !self.kernel.has(index, a.address.addr)
        };
        let statics = &self.engine.config().static_addresses;
        let lost: Vec<Vip> = statics.iter().filter(missing).map(|a| a.address.clone()).collect();
        for vip in lost {
            if self.set_static_address(&vip, true) {
                self.kernel.set_address(Address {
                    index,
                    address: vip.addr,
                    prefix_len: vip.prefix_len,
                    scope: vip.scope,
                    secondary: false,
                    tentative: false,
                });
                self.journal.info(format!("static address {} on {name} {why} - restored", vip.addr));
            }
        }
    }

    fn set_rules(&mut self, rules: &[Rule], add: bool, owner: &str) {
        for rule in rules {
            if let Err(e) = self.rtnl.set_rule(rule, add) {
                let what = if add { "add" } else { "delete" };
                let hint = missing(&e, "CAP_NET_ADMIN");
                self.journal.warn(format!("({owner}) cannot {what} rule: {e}{hint}"));
            }
        }
    }

    fn set_static_address(&mut self, vip: &Vip, add: bool) -> bool {
        let name = vip.dev.as_deref().unwrap_or_default();
        let Some(index) = self.kernel.link(name).map(|l| l.index) else {
            self.journal.warn(format!("static address {}: no interface {name}", vip.addr));
            return false;
        };
        let spec = addresses::spec(vip, index, u32::MAX);
        let done = if add { self.rtnl.add_address(&spec) } else { self.rtnl.delete_address(&spec).map(drop) };
        if let Err(e) = &done {
            let hint = missing(e, "CAP_NET_ADMIN");
            self.journal.warn(format!("static address {} on {name}: {e}{hint}", vip.addr));
        }
        done.is_ok()
    }

    /// Brings static addresses, routes and rules from `old` to `new`; what both have is not touched.
    pub(super) fn set_statics(&mut self, old: &Config, new: &Config) {
        for gone in old.static_rules.iter().filter(|r| !new.static_rules.contains(r)) {
            self.set_rules(std::slice::from_ref(&gone.rule), false, "static");
        }
        for gone in old.static_routes.iter().filter(|r| !new.static_routes.contains(r)) {
            self.set_route_list(std::slice::from_ref(&gone.route), false, "static");
        }
        for gone in old.static_addresses.iter().filter(|a| !new.static_addresses.contains(a)) {
            self.set_static_address(&gone.address, false);
        }
        for fresh in new.static_addresses.iter().filter(|a| !old.static_addresses.contains(a)) {
            self.set_static_address(&fresh.address, true);
        }
        for fresh in new.static_routes.iter().filter(|r| !old.static_routes.contains(r)) {
            self.set_route_list(std::slice::from_ref(&fresh.route), true, "static");
        }
        for fresh in new.static_rules.iter().filter(|r| !old.static_rules.contains(r)) {
            self.set_rules(std::slice::from_ref(&fresh.rule), true, "static");
        }
    }

    /// `promote_secondaries`: removing a primary address must not take the others of its network along.
    /// What `config` does not ask for any more is as it was.
    pub(super) fn promote_secondaries(&mut self, config: &Config) {
        let instances = config.instances.iter().filter(|i| i.promote_secondaries);
        let wanted: Vec<&String> = instances.filter_map(|i| i.interface.as_ref()).collect();
        let path = |name: &str| format!("/proc/sys/net/ipv4/conf/{name}/promote_secondaries");
        self.promoted.retain(|name, before| {
            let keep = wanted.contains(&name);
            if !keep {
                // Of an interface that is gone: nothing to restore.
                let _ = std::fs::write(path(name), before);
            }
            keep
        });
        for name in wanted {
            let Ok(before) = std::fs::read_to_string(path(name)) else { continue };
            if before.trim() == "1" {
                continue;
            }
            match std::fs::write(path(name), "1") {
                Ok(()) => drop(self.promoted.insert(name.clone(), before.trim().to_owned())),
                Err(e) => self.journal.warn(format!("cannot set {}: {e}", path(name))),
            }
        }
    }
}

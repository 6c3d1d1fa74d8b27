//! The addresses of the instances: put on their interfaces, taken away, put back.

use std::net::IpAddr;
use std::time::Instant;

use super::super::addresses;
use super::{Core, interfaces, missing};
use crate::ir::vrrp::{Instance, Vip};
use crate::sys::clock;
use crate::vrrp::fsm::State;

impl Core {
    pub(super) fn log_addresses(&self) {
        for name in interfaces(self.engine.config(), &self.kernel) {
            let Some(link) = self.engine.link(&name) else { continue };
            if let Some(address) = link.v4 {
                self.journal.detail(format!("Assigned address {address} for interface {name}"));
            }
            if let Some(address) = link.v6 {
                self.journal.detail(format!("Assigned address {address} for interface {name}"));
            }
        }
    }

    /// Installs or removes everything an instance owns. Errors are logged, never fatal: the next address
    /// may still work.
    pub(super) fn set_addresses(&mut self, at: usize, add: bool) {
        let keep = !add && self.options.dont_release && self.engine.router(at).state() == State::Stop;
        let instance = self.engine.config().instances[at].clone();
        if let Some(shared) = &self.options.shared {
            shared.set_master(&instance.name, add);
        }
        if keep {
            self.keep_forever(&instance);
            return;
        }
        if !add {
            self.set_routes(&instance, false);
        }
        if add {
            self.log_filter(&instance, add);
            self.update_filter(Some(at));
            self.update_lease(Some(at));
        }
        let verb = if add { "setting" } else { "removing" };
        for (what, vips) in [("VIPs", &instance.vips), ("E-VIPs", &instance.excluded_vips)] {
            if vips.is_empty() {
                continue;
            }
            self.journal.detail(format!("({}) {verb} {what}.", instance.name));
            for vip in vips {
                self.set_address(&instance, vip, add);
            }
        }
        if add {
            self.set_routes(&instance, true);
        }
        self.sides[at].installed = add;
        if !add {
            self.log_filter(&instance, add);
            self.update_filter(None);
            self.update_lease(None);
        }
        self.plan_renewal();
        self.plan_extra(at, clock::now());
    }

    pub(super) fn set_address(&mut self, instance: &Instance, vip: &Vip, add: bool) {
        let name = addresses::interface_of(instance, vip).unwrap_or_default();
        let Some(index) = self.kernel.link(name).map(|l| l.index) else { return };
        let spec = addresses::spec(vip, index, self.lifetime(instance));
        let result =
            if add { self.rtnl.add_address(&spec) } else { self.rtnl.delete_address(&spec).map(drop) };
        if let Err(e) = result {
            let what = if add { "add" } else { "delete" };
            let hint = missing(&e, "CAP_NET_ADMIN");
            self.journal.warn(format!("({}) cannot {what} {} on {name}: {e}{hint}", instance.name, vip.addr));
        }
    }

    pub(super) fn restore(&mut self, at: usize, address: IpAddr, now: Instant) {
        let instance = self.instance(at).clone();
        for vip in instance.vips.iter().chain(&instance.excluded_vips).filter(|v| v.addr == address) {
            self.set_address(&instance, vip, true);
            self.announce_one(&instance, vip, now);
        }
    }
}

//! Addresses with a short life in the kernel, renewed while this engine is well.
//!
//! A process that is killed with everything around it, or frozen, cannot take its addresses down, and while another
//! router takes them over the dead one would go on answering for them. So the kernel is told to drop them by itself
//! unless somebody keeps asking for them. Only the thread that speaks VRRP asks: whoever cannot send adverts any more
//! does not hold the address either.

use std::time::{Duration, Instant};

use crate::ir::vrrp::{Instance, VipLifetime};
use crate::sys::clock;
use crate::vrrp::lifetime::{FOREVER, lifetime, renewed_by_adverts};
use crate::vrrp::packet::PRIORITY_STOP;

use super::super::addresses;
use super::Core;

/// Renewals per life: some may be late.
const RENEWALS: u32 = 6;

impl Core {
    /// See [`lifetime()`].
    pub(super) fn lifetime(&self, instance: &Instance) -> u32 {
        lifetime(self.engine.config().global.vip_lifetime, instance)
    }

    /// Sets when to renew next; call it when something was installed, removed or reconfigured.
    pub(super) fn plan_renewal(&mut self) {
        let installed = (0..self.sides.len()).filter(|at| self.renews_now_and_then(*at));
        let shortest = installed.map(|at| self.lifetime(self.instance(at))).filter(|l| *l != FOREVER).min();
        let next = shortest.map(|life| clock::now() + Duration::from_secs(u64::from(life)) / RENEWALS);
        let sooner = match (next, self.renew_at) {
            (Some(next), Some(planned)) => Some(next.min(planned)),
            (next, _) => next,
        };
        if sooner != self.renew_at {
            self.renew_at = sooner;
            self.wake.notify_one();
        }
    }

    /// Is there something whose life adverts do not renew?
    fn renews_now_and_then(&self, at: usize) -> bool {
        let setting = self.engine.config().global.vip_lifetime;
        self.sides[at].installed && !renewed_by_adverts(setting, self.instance(at))
    }

    /// An advert has been sent.
    pub(super) fn renew_with_advert(&mut self, at: usize, priority: u8) {
        let setting = self.engine.config().global.vip_lifetime;
        if priority != PRIORITY_STOP
            && self.sides[at].installed
            && renewed_by_adverts(setting, self.instance(at))
        {
            let instance = self.instance(at).clone();
            self.set_lives(&instance, self.lifetime(&instance));
        }
    }

    /// Renews if it is time.
    pub(super) fn renew_due(&mut self, now: Instant) {
        if self.renew_at.is_none_or(|at| at > now) {
            return;
        }
        self.renew_at = None;
        for at in 0..self.sides.len() {
            let instance = self.instance(at);
            let life = self.lifetime(instance);
            if self.renews_now_and_then(at) && life != FOREVER {
                self.set_lives(&instance.clone(), life);
            }
        }
        self.plan_renewal();
    }

    /// After a reload: a changed setting counts for addresses that are there.
    pub(super) fn renew_all(&mut self, before: VipLifetime) {
        if before != self.engine.config().global.vip_lifetime {
            for at in (0..self.sides.len()).filter(|at| self.sides[*at].installed).collect::<Vec<_>>() {
                let instance = self.instance(at).clone();
                self.set_lives(&instance, self.lifetime(&instance));
            }
        }
        self.plan_renewal();
    }

    /// The process ends and is to leave its addresses: nobody will renew them.
    pub(super) fn keep_forever(&mut self, instance: &Instance) {
        if self.lifetime(instance) != FOREVER {
            self.set_lives(instance, FOREVER);
        }
    }

    fn set_lives(&mut self, instance: &Instance, life: u32) {
        for vip in instance.vips.iter().chain(&instance.excluded_vips) {
            let name = addresses::interface_of(instance, vip).unwrap_or_default();
            let Some(index) = self.kernel.link(name).map(|l| l.index) else { continue };
            if let Err(e) = self.rtnl.add_address(&addresses::spec(vip, index, life)) {
                // Said once: what cannot be set cannot be renewed.
                if self.unrenewed.insert((index, vip.addr)) {
                    let text = format!("({}) cannot renew {} on {name}: {e}", instance.name, vip.addr);
                    self.journal.detail(text);
                }
            }
        }
    }
}

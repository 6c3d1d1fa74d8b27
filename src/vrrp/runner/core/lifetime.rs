//! Addresses with a short life in the kernel, renewed while this engine is well.
//!
//! A process that is killed with everything around it, or frozen, cannot take its addresses down, and while another
//! router takes them over the dead one would go on answering for them. So the kernel is told to drop them by itself
//! unless somebody keeps asking for them. Only the thread that speaks VRRP asks: whoever cannot send adverts any more
//! does not hold the address either.

use std::time::{Duration, Instant};

use crate::ir::vrrp::{Instance, VipLifetime};
use crate::sys::clock;
use crate::vrrp::packet::PRIORITY_OWNER;

use super::super::addresses;
use super::Core;

/// Forever.
const FOREVER: u32 = u32::MAX;
/// Shortest automatic life, seconds. The kernel counts in whole seconds and may be up to one late; a machine so busy
/// that this thread does not run for as long has lost the election at `advert_int 1` anyway.
const SHORTEST: u32 = 3;
/// Renewals per life: some may be late.
const RENEWALS: u32 = 6;

/// How long the kernel keeps an address of this instance when nobody renews it, seconds: as long as the others wait
/// for adverts, so that it is gone when they take over.
pub(super) fn lifetime(setting: VipLifetime, instance: &Instance) -> u32 {
    match setting {
        VipLifetime::Off => FOREVER,
        // The owner's addresses are its machine's own.
        _ if instance.priority == PRIORITY_OWNER => FOREVER,
        VipLifetime::Seconds(seconds) => seconds,
        VipLifetime::Auto => {
            let silence = instance.advert_interval * instance.down_timer_adverts;
            u32::try_from(silence.as_secs()).unwrap_or(FOREVER - 1).max(SHORTEST)
        }
    }
}

impl Core {
    /// See [`lifetime`].
    pub(super) fn lifetime(&self, instance: &Instance) -> u32 {
        lifetime(self.engine.config().global.vip_lifetime, instance)
    }

    /// Sets when to renew next; call it when something was installed, removed or reconfigured.
    pub(super) fn plan_renewal(&mut self) {
        let installed = (0..self.sides.len()).filter(|at| self.sides[*at].installed);
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

    /// Renews if it is time.
    pub(super) fn renew_due(&mut self, now: Instant) {
        if self.renew_at.is_none_or(|at| at > now) {
            return;
        }
        self.renew_at = None;
        for at in 0..self.sides.len() {
            let instance = self.instance(at);
            let life = self.lifetime(instance);
            if self.sides[at].installed && life != FOREVER {
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
                self.journal.detail(format!("({}) cannot renew {} on {name}: {e}", instance.name, vip.addr));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_lives_as_long_as_the_others_wait() {
        let with = |interval: f64, adverts, priority| Instance {
            advert_interval: Duration::from_secs_f64(interval),
            down_timer_adverts: adverts,
            priority,
            ..Instance::new("VI_1")
        };
        let auto = |interval, adverts| lifetime(VipLifetime::Auto, &with(interval, adverts, 100));
        assert_eq!(auto(1.0, 3), 3);
        assert_eq!(auto(0.01, 3), 3, "a busy machine must be able to renew in time");
        assert_eq!(auto(10.0, 3), 30);
        assert_eq!(auto(1.0, 5), 5);
        assert_eq!(lifetime(VipLifetime::Seconds(7), &with(1.0, 3, 100)), 7);
        assert_eq!(lifetime(VipLifetime::Off, &with(1.0, 3, 100)), u32::MAX);
        assert_eq!(lifetime(VipLifetime::Auto, &with(1.0, 3, 255)), u32::MAX, "the owner's own address");
    }
}

//! How long the kernel keeps an address that nobody renews, and how long it answers for it.

use std::time::Duration;

use crate::ir::vrrp::{Instance, VipLifetime};

use super::packet::PRIORITY_OWNER;

/// Forever.
pub const FOREVER: u32 = u32::MAX;
/// Shortest automatic life, seconds. The kernel counts in whole seconds and may be up to one late; a machine so busy
/// that this thread does not run for as long has lost the election at `advert_int 1` anyway.
const SHORTEST: u32 = 3;
/// Shortest lease. At intervals of a few milliseconds a pause of this thread that no backup notices must not show.
const SHORTEST_LEASE: Duration = Duration::from_millis(200);

/// How long the kernel keeps an address of this instance when nobody renews it, seconds: as long as the others wait
/// for adverts, so that it is gone when they take over.
#[must_use]
pub fn lifetime(setting: VipLifetime, instance: &Instance) -> u32 {
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

/// Whether every advert renews the life of the addresses, and nothing else does: it ends when the others take over, or
/// the quarter of a second later that the kernel allows itself, which is less than they wait for their skew at the
/// usual priorities. A life renewed after the last advert would outlast that. False: it is renewed now and then.
#[must_use]
pub fn renewed_by_adverts(setting: VipLifetime, instance: &Instance) -> bool {
    setting == VipLifetime::Auto
        && Duration::from_secs(u64::from(lifetime(setting, instance)))
            <= instance.advert_interval * instance.down_timer_adverts
}

/// How long after an advert the kernel goes on answering for the addresses, where the others take over before a
/// [`lifetime()`] can end. `None`: the lifetime is enough, or not wanted.
#[must_use]
pub fn lease(setting: VipLifetime, instance: &Instance) -> Option<Duration> {
    let silence = instance.advert_interval * instance.down_timer_adverts;
    let short = silence < Duration::from_secs(u64::from(SHORTEST));
    let wanted = setting == VipLifetime::Auto && instance.priority != PRIORITY_OWNER;
    (short && wanted).then(|| silence.max(SHORTEST_LEASE))
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

    #[test]
    fn adverts_renew_lives_that_end_with_the_patience_of_others() {
        let with = |interval: f64, priority| Instance {
            advert_interval: Duration::from_secs_f64(interval),
            priority,
            ..Instance::new("VI_1")
        };
        assert!(renewed_by_adverts(VipLifetime::Auto, &with(1.0, 100)));
        assert!(renewed_by_adverts(VipLifetime::Auto, &with(10.0, 100)));
        assert!(!renewed_by_adverts(VipLifetime::Auto, &with(0.9, 100)), "three seconds are longer");
        assert!(!renewed_by_adverts(VipLifetime::Auto, &with(1.0, 255)), "nothing ends");
        assert!(!renewed_by_adverts(VipLifetime::Seconds(2), &with(1.0, 100)), "who knows how long that is");
        assert!(!renewed_by_adverts(VipLifetime::Off, &with(1.0, 100)));
    }

    #[test]
    fn a_lease_fills_what_whole_seconds_cannot_count() {
        let with = |interval: f64, priority| Instance {
            advert_interval: Duration::from_secs_f64(interval),
            priority,
            ..Instance::new("VI_1")
        };
        let auto = |interval| lease(VipLifetime::Auto, &with(interval, 100));
        assert_eq!(auto(0.1), Some(Duration::from_millis(300)));
        assert_eq!(auto(0.01), Some(SHORTEST_LEASE));
        assert_eq!(auto(1.0), None, "the kernel's own count does it");
        assert_eq!(lease(VipLifetime::Off, &with(0.1, 100)), None);
        assert_eq!(lease(VipLifetime::Seconds(5), &with(0.1, 100)), None);
        assert_eq!(lease(VipLifetime::Auto, &with(0.1, 255)), None, "the owner's own address");
    }
}

//! How long the kernel keeps an address that nobody renews.

use crate::ir::vrrp::{Instance, VipLifetime};

use super::packet::PRIORITY_OWNER;

/// Forever.
pub const FOREVER: u32 = u32::MAX;
/// Shortest automatic life, seconds. The kernel counts in whole seconds and may be up to one late; a machine so busy
/// that this thread does not run for as long has lost the election at `advert_int 1` anyway.
const SHORTEST: u32 = 3;

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

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

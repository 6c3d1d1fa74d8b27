//! Addresses that are answered for only while adverts go out, where lifetimes of whole seconds are too long.

use std::time::Duration;

use crate::ir::vrrp::Instance;
use crate::sys::lease::{self, Lease, Renewal};
use crate::vrrp::lifetime::{FOREVER, lease as answers};
use crate::vrrp::packet;

use super::super::addresses;
use super::Core;

/// Where the virtual router's number stands in an advert, and behind an authentication header.
const VRID_AT: u32 = 1;
const VRID_BEHIND_AH: u32 = 25;
/// The kernel may be a second late with the end of an address; one more is for the machine.
const LATE: u64 = 2;

impl Core {
    /// Brings the lease to what is installed. `coming`: an instance whose addresses will be.
    pub(super) fn update_lease(&mut self, coming: Option<usize>) {
        let config = self.engine.config();
        let table = config.global.firewall.nftables.clone().unwrap_or_else(|| "keepalived".to_owned());
        let mut lease = Lease { table, ..Lease::default() };
        let mut leased = false;
        for (at, instance) in config.instances.iter().enumerate() {
            let Some(time) = answers(config.global.vip_lifetime, instance) else { continue };
            leased = true;
            if self.sides[at].installed || coming == Some(at) {
                self.add_renewal(at, instance, time, &mut lease);
            }
        }
        // What a predecessor that was killed left is not known: the first call always counts.
        let first = self.lease.is_none() && leased;
        let changed = self.lease.as_ref().is_some_and(|known| *known != lease);
        if !first && !changed {
            return;
        }
        if let Some(known) = self.lease.as_ref().filter(|known| known.table != lease.table) {
            // A reload gave the table another name.
            let _ = lease::apply(&self.nft, &Lease { table: known.table.clone(), ..Lease::default() });
        }
        if let Err(e) = lease::apply(&self.nft, &lease) {
            let hint = super::missing(&e, "CAP_NET_ADMIN");
            if self.lease.as_ref().is_none_or(|known| known.renewals.is_empty()) {
                self.journal.detail(format!(
                    "no leases of addresses: {e}{hint} - if all of this is killed, addresses stay for whole seconds"
                ));
            }
        }
        self.lease = Some(lease);
    }

    fn add_renewal(&self, at: usize, instance: &Instance, time: Duration, lease: &mut Lease) {
        let Some(link) = instance.speaks_on().and_then(|name| self.kernel.link(name)) else { return };
        let remains = match self.lifetime(instance) {
            FOREVER => return,
            life => Duration::from_secs(u64::from(life) + LATE),
        };
        let mut device = |name: &str, index: u32| {
            if !lease.devices.iter().any(|known| known.1 == index) {
                lease.devices.push((name.to_owned(), index));
            }
        };
        device(&link.name, link.index);
        let vips = || instance.vips.iter().chain(&instance.excluded_vips);
        for vip in vips() {
            let name = addresses::interface_of(instance, vip).unwrap_or_default();
            if let Some(link) = self.kernel.link(name) {
                device(&link.name, link.index);
            }
        }
        let protocol = self.engine.profile(at).protocol();
        lease.renewals.push(Renewal {
            speaks_on: link.index,
            v6: instance.ipv6,
            protocol,
            vrid_at: if protocol == packet::PROTO_AH { VRID_BEHIND_AH } else { VRID_AT },
            vrid: instance.vrid,
            addresses: vips().map(|vip| vip.addr).collect(),
            answers: time,
            remains,
        });
    }

    /// The process ends in order: nothing is leased any more.
    pub(super) fn drop_lease(&mut self) {
        if let Some(known) = self.lease.take() {
            // Without it nothing is filtered in a few seconds either.
            let _ = lease::apply(&self.nft, &Lease { table: known.table, ..Lease::default() });
        }
    }
}

//! `no_accept`: a master answers for its addresses on the wire, and takes no packets for them.

use std::net::IpAddr;

use crate::ir::vrrp::Instance;
use crate::sys::nft::{self, Filter};
use crate::vrrp::packet::PRIORITY_OWNER;

use super::Core;

/// The owner of addresses accepts packets to them in any case (RFC 5798, 6.1).
pub(in crate::vrrp::runner) fn guarded(instance: &Instance) -> bool {
    !instance.accept && instance.priority != PRIORITY_OWNER
}

impl Core {
    /// Brings the filter to what is installed. `coming`: an instance whose addresses will be.
    pub(super) fn update_filter(&mut self, coming: Option<usize>) {
        let config = self.engine.config();
        let settings = &config.global.firewall;
        let mut filter = Filter {
            table: settings.nftables.clone().unwrap_or_else(|| "keepalived".to_owned()),
            priority: settings.nftables_priority.unwrap_or(-1),
            counters: settings.nftables_counters,
            v4: Vec::new(),
            v6: Vec::new(),
            link_local: Vec::new(),
            quiet: self.quiet_links(),
        };
        for (at, instance) in config.instances.iter().enumerate().filter(|(_, i)| guarded(i)) {
            if !self.sides[at].installed && coming != Some(at) {
                continue;
            }
            for vip in instance.vips.iter().chain(&instance.excluded_vips) {
                match vip.addr {
                    IpAddr::V4(a) => filter.v4.push(a),
                    IpAddr::V6(a) if a.segments()[0] & 0xffc0 == 0xfe80 => {
                        filter.link_local.extend(self.index_of(instance, vip).map(|index| (a, index)));
                    }
                    IpAddr::V6(a) => filter.v6.push(a),
                }
            }
        }
        filter.v4.sort_unstable();
        filter.v4.dedup();
        filter.v6.sort_unstable();
        filter.v6.dedup();
        // What a predecessor that was killed left is not known: the first call always counts.
        let concerned = |i: &Instance| guarded(i) || !i.links.is_empty();
        let first = self.filter.is_none() && config.instances.iter().any(concerned);
        let changed = self.filter.as_ref().is_some_and(|known| *known != filter);
        if !first && !changed {
            return;
        }
        if let Some(known) = self.filter.as_ref().filter(|known| known.table != filter.table) {
            // A reload gave the table another name.
            let nothing = Filter { table: known.table.clone(), ..Filter::default() };
            let _ = nft::apply(&self.nft, &nothing);
        }
        match nft::apply(&self.nft, &filter) {
            Ok(()) => self.filter = Some(filter),
            Err(e) => {
                let hint = super::missing(&e, "CAP_NET_ADMIN");
                self.journal.warn(format!(
                    "cannot set firewall rules for no_accept and use_vmac: {e}{hint} - packets are accepted"
                ));
            }
        }
    }

    /// The line about it, as keepalived writes it.
    pub(super) fn log_filter(&self, instance: &Instance, add: bool) {
        if guarded(instance) {
            let verb = if add { "setting" } else { "removing" };
            self.journal.detail(format!("({}) {verb} firewall drop rule", instance.name));
        }
    }

    /// The process ends: nothing is filtered any more.
    pub(super) fn drop_filter(&mut self) {
        if let Some(known) = self.filter.take()
            && let Err(e) = nft::apply(&self.nft, &Filter { table: known.table, ..Filter::default() })
        {
            self.journal.warn(format!("cannot remove firewall rules: {e}"));
        }
    }
}

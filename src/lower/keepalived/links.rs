//! The interfaces that `use_vmac` and `use_ipvlan` ask for, with their names.

use std::collections::BTreeSet;

use super::context::Cx;
use crate::ir::vrrp::{Instance, MacAddr, VirtualLink, VirtualLinkKind};

/// Longest name of an interface.
const LONGEST: usize = 15;

impl Cx<'_> {
    /// Fills [`Instance::links`] of all instances; names that are written come first.
    pub(super) fn virtual_links(&mut self) {
        let global = &self.config.global;
        let prefix = global.vmac_prefix.clone().unwrap_or_else(|| "vrrp".to_owned());
        let address_prefix = global.vmac_addr_prefix.clone().unwrap_or_else(|| prefix.clone());
        let written = |i: &Instance| {
            let vmac = i.vmac.as_ref().and_then(|v| v.name.clone());
            vmac.or_else(|| i.ipvlan.as_ref().and_then(|v| v.name.clone()))
        };
        let mut taken: BTreeSet<String> = self.config.instances.iter().filter_map(written).collect();
        for instance in &mut self.config.instances {
            let Some(base) = instance.interface.clone() else { continue };
            let mac = |ipv6: bool, specified: Option<MacAddr>| {
                let family = if ipv6 { 2 } else { 1 };
                specified.unwrap_or(MacAddr([0, 0, 0x5e, 0, family, instance.vrid]))
            };
            let (vrid, ipv6) = (instance.vrid, instance.ipv6);
            let specified = instance.vmac.as_ref().and_then(|v| v.mac);
            let kind = match (&instance.vmac, &instance.ipvlan) {
                (Some(_), _) => Some(VirtualLinkKind::Vmac(mac(ipv6, specified))),
                (None, Some(ipvlan)) => {
                    Some(VirtualLinkKind::Ipvlan { mode: ipvlan.mode, address: ipvlan.addr })
                }
                (None, None) => None,
            };
            if let Some(kind) = kind {
                let name = written(instance).unwrap_or_else(|| free(&mut taken, &prefix, vrid, ipv6));
                instance.links.push(VirtualLink { name, base: base.clone(), ipv6, kind });
            }
            let all = instance.vmac.as_ref().is_some_and(|v| v.per_address);
            let own = instance.links.first().map(|l| l.name.clone());
            let mut more: Vec<VirtualLink> = Vec::new();
            for vip in instance.vips.iter_mut().chain(&mut instance.excluded_vips) {
                let (v6, on) = (vip.addr.is_ipv6(), vip.dev.clone().unwrap_or_else(|| base.clone()));
                let plain = vip.dev.is_none() && v6 == ipv6;
                if plain && own.is_some() {
                    vip.link.clone_from(&own);
                    continue;
                }
                if !(vip.use_vmac || all) {
                    continue;
                }
                if on == base && v6 == ipv6 && instance.vmac.is_some() {
                    vip.link.clone_from(&own);
                    continue;
                }
                let known = more.iter().find(|l| l.base == on && l.ipv6 == v6).map(|l| l.name.clone());
                let name = known.unwrap_or_else(|| {
                    let name = free(&mut taken, &address_prefix, vrid, v6);
                    let kind = VirtualLinkKind::Vmac(mac(v6, specified));
                    more.push(VirtualLink { name: name.clone(), base: on, ipv6: v6, kind });
                    name
                });
                vip.link = Some(name);
            }
            instance.links.extend(more);
        }
    }
}

/// `vrrp.51`; where that is taken `vrrp1.51` and on, IPv6 tries `vrrp6.51` first.
fn free(taken: &mut BTreeSet<String>, prefix: &str, vrid: u8, ipv6: bool) -> String {
    let numbers = ipv6.then_some(6).into_iter().chain((1..u32::MAX).filter(|n| !ipv6 || *n != 6));
    let names = std::iter::once(String::new()).chain(numbers.map(|n| n.to_string()));
    for number in names {
        let tail = format!("{number}.{vrid}");
        let room = LONGEST.saturating_sub(tail.len()).min(prefix.len());
        let name = format!("{}{tail}", prefix.get(..room).unwrap_or_default());
        if taken.insert(name.clone()) {
            return name;
        }
    }
    format!("{prefix}.{vrid}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_free_and_short_enough() {
        let mut taken = BTreeSet::new();
        let mut next = |prefix, ipv6| free(&mut taken, prefix, 51, ipv6);
        assert_eq!(next("vrrp", false), "vrrp.51");
        assert_eq!(next("vrrp", true), "vrrp6.51");
        assert_eq!(next("vrrp", false), "vrrp1.51");
        assert_eq!(next("vrrp", false), "vrrp2.51");
        assert_eq!(next("vrrp", true), "vrrp3.51");
        assert_eq!(next("averyveryverylongprefix", false), "averyveryver.51");
    }
}

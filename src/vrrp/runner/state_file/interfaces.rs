//! Interfaces in the state file.

use std::net::IpAddr;

use crate::ir::vrrp::{Config, Instance, IpvlanMode, VirtualLink, VirtualLinkKind};
use crate::sys::netlink::Link;

use super::super::Core;
use super::super::core::interfaces;
use super::{Lines, weighed};

const UP: u32 = libc::IFF_UP as u32;
const RUNNING: u32 = libc::IFF_RUNNING as u32;

pub(super) fn write(core: &Core, lines: &mut Lines) {
    let config = core.engine.config();
    lines.push("------< Interfaces >------".into());
    for link in core.kernel.links() {
        one(core, link, lines);
    }
    let mut missing = interfaces(config, &core.kernel);
    missing.extend(config.instances.iter().flat_map(|i| &i.links).map(|made| made.name.clone()));
    missing.retain(|name| core.kernel.link(name).is_none());
    for (at, name) in missing.iter().enumerate() {
        if !missing[..at].contains(name) {
            one(core, &Link { name: name.clone(), ..Link::default() }, lines);
        }
    }
}

/// Index 0: the configuration wants it, and it is not there.
fn one(core: &Core, link: &Link, lines: &mut Lines) {
    let config = core.engine.config();
    let here = link.index != 0;
    lines.push(format!(" Name = {}", link.name));
    lines.push(format!("   index = {}{}", link.index, if here { "" } else { " (deleted)" }));
    addresses(core, link, lines);
    if link.mac.iter().any(|byte| *byte != 0) {
        let mac: Vec<String> = link.mac.iter().map(|byte| format!("{byte:02x}")).collect();
        lines.push(format!("   MAC = {}", mac.join(":")));
        lines.push("   MAC broadcast = ff:ff:ff:ff:ff:ff".into());
    }
    let made = config.instances.iter().flat_map(|i| &i.links).find(|made| made.name == link.name);
    let base = made.and_then(|made| core.kernel.link(&made.base));
    let mut state = running(link.flags);
    for (on, word) in [
        (link.flags & libc::IFF_BROADCAST as u32 == 0, ", no broadcast"),
        (link.flags & libc::IFF_LOOPBACK as u32 != 0, ", loopback"),
        (link.flags & libc::IFF_POINTOPOINT as u32 != 0, ", point to point"),
        (link.flags & libc::IFF_NOARP as u32 != 0, ", no arp"),
        (link.flags & libc::IFF_MULTICAST as u32 == 0, ", no multicast"),
        (here && base.is_some_and(|base| base.flags & UP == 0), ", master down"),
    ] {
        if on {
            state.push_str(word);
        }
    }
    lines.push(format!("   State = {state}"));
    lines.push(format!("   Seen up = {}", u8::from(link.up)));
    lines.push("   Delayed state change running = false".into());
    let delay = config.interface_delays.iter().find(|delay| delay.interface == link.name);
    lines.push(format!("   Up debounce timer = {}us", delay.map_or(0, |d| d.up.as_micros())));
    lines.push(format!("   Down debounce timer = {}us", delay.map_or(0, |d| d.down.as_micros())));
    if let Some(made) = made {
        if let Some(base) = base.filter(|_| here) {
            let (kind, base_state) = (kind(made), running(base.flags));
            lines.push(format!("   {kind}, underlying interface = {}, state = {base_state}", base.name));
        }
        lines.push("   I/f created by keepalived".into());
    }
    lines.push(format!("   MTU = {}", link.mtu));
    lines.push(match link.hardware {
        libc::ARPHRD_LOOPBACK => "   HW Type = LOOPBACK".to_owned(),
        libc::ARPHRD_ETHER if here => "   HW Type = ETHERNET".to_owned(),
        libc::ARPHRD_INFINIBAND => "   HW Type = INFINIBAND".to_owned(),
        other => format!("   HW Type = UNKNOWN ({other})"),
    });
    lines.push("   NIC netlink status update".into());
    for (what, v6) in [("ARP", false), ("NA", true)] {
        let pause = core.pause(&link.name, v6);
        if !pause.is_zero() && link.hardware == libc::ARPHRD_ETHER {
            lines.push(format!("   Gratuitous {what} interval {}ms", pause.as_millis()));
        }
    }
    let group = config.garp_groups.iter().position(|g| g.aggregated && g.interfaces.contains(&link.name));
    if let Some(at) = group {
        lines.push(format!("   Gratuitous ARP aggregation group {}", at + 1));
    }
    switches(core, link, made.is_some(), lines);
    followers(config, &link.name, lines);
}

fn running(flags: u32) -> String {
    let not = |flag: u32| if flags & flag == 0 { "not " } else { "" };
    format!("{}UP, {}RUNNING", not(UP), not(RUNNING))
}

/// What keepalived calls the interfaces it makes.
pub(super) fn kind(made: &VirtualLink) -> String {
    match made.kind {
        VirtualLinkKind::Vmac(_) => "VMAC type private".to_owned(),
        VirtualLinkKind::Ipvlan { mode, .. } => format!("IPVLAN type L2 {}", mode_name(mode)),
    }
}

/// Who sees whom on ipvlan interfaces of the same base.
pub(super) fn mode_name(mode: IpvlanMode) -> &'static str {
    match mode {
        IpvlanMode::Bridge => "bridge",
        IpvlanMode::Private => "private",
        IpvlanMode::Vepa => "vepa",
    }
}

fn addresses(core: &Core, link: &Link, lines: &mut Lines) {
    let config = core.engine.config();
    let own = core.kernel.own(link.index, config);
    let or_none = |address: Option<IpAddr>| address.map_or_else(|| "(none)".to_owned(), |a| a.to_string());
    for (family, first) in [("IPv4", own.0.map(IpAddr::V4)), ("IPv6", own.1.map(IpAddr::V6))] {
        lines.push(format!("   {family} address = {}", or_none(first)));
        let v6 = family == "IPv6";
        let more: Vec<String> = core
            .kernel
            .own_all(link.index, config)
            .filter(|address| address.is_ipv6() == v6 && Some(*address) != first)
            .filter(|address| config.static_addresses.iter().all(|own| own.address.addr != *address))
            .map(|address| format!("     {address}"))
            .collect();
        if !more.is_empty() {
            lines.push(format!("   Additional {family} addresses :"));
            lines.extend(more);
        }
    }
}

/// Switches of the kernel that are changed for virtual routers.
fn switches(core: &Core, link: &Link, made: bool, lines: &mut Lines) {
    let config = core.engine.config();
    let now = |key: &str| -> String {
        // An interface that is gone has none.
        let text = std::fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{}/{key}", link.name));
        text.map_or_else(|_| "0".to_owned(), |text| text.trim().to_owned())
    };
    let on = |i: &&Instance| i.links.iter().any(|l| l.is_vmac() && l.base == link.name);
    let above = config.instances.iter().filter(on).count();
    let secondary = |i: &&Instance| i.promote_secondaries && i.interface.as_deref() == Some(&link.name);
    let secondaries = config.instances.iter().filter(secondary).count();
    lines.push(format!("   Reset ARP config counter {above}"));
    lines.push(format!("   Original arp_ignore {}", now("arp_ignore")));
    lines.push(format!("   Original arp_filter {}", now("arp_filter")));
    if above > 0 || secondaries > 0 || made || link.index == 0 {
        lines.push(format!("   rp_filter {}", now("rp_filter")));
    }
    lines.push(format!("   Original promote_secondaries {}", now("promote_secondaries")));
    lines.push(format!("   Reset promote_secondaries counter {secondaries}"));
}

fn followers(config: &Config, name: &str, lines: &mut Lines) {
    let tracking = config.instances.iter().filter_map(|instance| {
        let made = instance.links.first().is_some_and(|link| link.name == name);
        let below = instance.interface.as_deref() == Some(name);
        let own = made || below || instance.interfaces_in_use().contains(&name);
        let listed = instance.track_interfaces.iter().find(|t| t.name == name);
        match (own, listed) {
            (true, _) if instance.dont_track_primary && instance.interface.as_deref() == Some(name) => {
                Some((instance, "weight 255".to_owned()))
            }
            (true, _) => Some((instance, "weight 0".to_owned())),
            (false, Some(tracked)) => Some((instance, weighed(tracked.weight, tracked.reverse))),
            (false, None) => None,
        }
    });
    let tracking: Vec<String> =
        tracking.map(|(instance, weight)| format!("     {}, {weight}", instance.name)).collect();
    if !tracking.is_empty() {
        lines.push("   Tracking VRRP instances :".into());
        lines.extend(tracking);
    }
}

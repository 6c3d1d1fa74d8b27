//! One virtual router in the state file.

use std::net::{IpAddr, Ipv4Addr};

use crate::ir::vrrp::{Auth, Notify, UnicastChecksum, VirtualLinkKind};
use crate::vrrp::fsm::{State, Timer};
use crate::vrrp::packet::Version;
use crate::vrrp::runner::addresses;
use crate::vrrp::track::Health;

use super::super::Core;
use super::super::core::firewall::guarded;
use super::{Lines, address, interfaces, items, quoted, stamp, tracked, yes};

pub(super) fn write(core: &Core, at: usize, lines: &mut Lines) {
    standing(core, at, lines);
    settings(core, at, lines);
    belongings(core, at, lines);
}

/// What it does now.
fn standing(core: &Core, at: usize, lines: &mut Lines) {
    let config = core.engine.config();
    let instance = &config.instances[at];
    let router = core.engine.router(at);
    let settings = router.settings();
    lines.push(format!(" VRRP Instance = {}", instance.name));
    lines.push(format!("   VRRP Version = {}", settings.version.number()));
    if let Some(group) = instance.sync_group {
        lines.push(format!("   Sync group = {}", config.sync_groups[group.0 as usize].name));
    }
    if instance.ipv6 {
        lines.push("   Using Native IPv6".into());
    }
    lines.push(format!("   State = {}", router.state()));
    if router.state() == State::Backup {
        let heard = router.last_master();
        let master = heard.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |h| h.address);
        lines.push(format!("   Master router = {master}"));
        lines.push(format!("   Master priority = {}", heard.map_or(0, |h| h.priority)));
        if settings.version == Version::V3 {
            lines.push(format!("   Master advert int = {:.2} sec", router.master_interval().as_secs_f64()));
        }
    }
    if instance.unicast.is_some() {
        lines.push("   Flags:".into());
        lines.push("     Using unicast".into());
    } else if instance.dont_track_primary
        || instance.skip_check_adv_addr
        || !instance.preempt
        || instance.vmac.is_some()
        || instance.ipvlan.is_some()
    {
        lines.push("   Flags:".into());
    } else {
        lines.push("   Flags: none".into());
    }
    lines.push(format!("   Wantstate = {}", router.state()));
    lines.push(format!("   Number of config faults = {}", instance.config_faults.len()));
    // An interface that is missing has no address either.
    let missing = instance.interface.as_ref().is_some_and(|name| core.kernel.link(name).is_none());
    let faults = u8::from(router.state() == State::Fault) + u8::from(missing);
    lines.push(format!("   Number of interface and track script faults = {faults}"));
    let waiting = instance.track_scripts.iter().filter(|tracked| {
        tracked.weight == 0 && core.engine.script(tracked.script.0 as usize).health() == Health::Unknown
    });
    lines.push(format!("   Number of track scripts init = {}", waiting.count()));
    if let Some(at) = core.sides[at].last_transition {
        lines.push(format!("   Last transition = {}", stamp(at)));
    }
    let deadline = core.deadline(at, Timer::MasterDown).or_else(|| core.deadline(at, Timer::Advert));
    lines.push(format!("   Read timeout = {}", deadline.map_or_else(|| "DISABLED".to_owned(), stamp)));
    lines.push(format!("   Master down timer = {} usecs", router.master_down().as_micros()));
}

/// What it was told.
fn settings(core: &Core, at: usize, lines: &mut Lines) {
    let instance = &core.engine.config().instances[at];
    let router = core.engine.router(at);
    let settings = router.settings();
    let interface = instance.interface.as_deref().unwrap_or("not configured");
    match (&instance.vmac, instance.links.first()) {
        (Some(vmac), Some(link)) => {
            let up = core.kernel.link(&link.name).is_some();
            let (name, base) = (&link.name, yes(vmac.xmit_base));
            lines.push(format!("   Use VMAC, i/f name {name}, is_up = {}, xmit_base = {base}", yes(up)));
            let base = if vmac.xmit_base { ", xmit base i/f" } else { "" };
            lines.push(format!("   Interface = {name}, vmac on {interface}{base}"));
        }
        (None, Some(link)) if instance.ipvlan.is_some() => {
            let (name, up) = (&link.name, yes(core.kernel.link(&link.name).is_some()));
            if let VirtualLinkKind::Ipvlan { mode, address } = link.kind {
                let address =
                    address.map_or_else(String::new, |(a, len)| format!(", i/f address = {a}/{len}"));
                let mode = interfaces::mode_name(mode);
                lines.push(format!("   Use IPVLAN, i/f {name}, is_up = {up}{address}, type {mode}"));
            }
            lines.push(format!("   Interface = {name}, ipvlan on {interface}"));
        }
        _ => lines.push(format!("   Interface = {interface}")),
    }
    for (on, text) in [
        (instance.dont_track_primary, "VRRP interface tracking disabled"),
        (instance.skip_check_adv_addr, "Skip checking advert IP addresses"),
        (instance.strict, "Enforcing strict VRRP compliance"),
    ] {
        if on {
            lines.push(format!("   {text}"));
        }
    }
    let from = if instance.src_ip.is_some() { " (from configuration)" } else { "" };
    let source = match settings.address {
        address if address.is_unspecified() => "(none)".to_owned(),
        address => address.to_string(),
    };
    lines.push(format!("   Using src_ip = {source}{from}"));
    if instance.unicast.is_none() {
        let group = core.engine.profile(at).group;
        let index = instance.speaks_on().and_then(|name| core.kernel.link(name)).map_or(0, |link| link.index);
        let on = if group.is_ipv6() { format!(", ifindex {index}") } else { String::new() };
        lines.push(format!("   Multicast address {group}{on}"));
    }
    let garp = settings.garp;
    for (name, value) in [
        ("delay", garp.delay.as_secs()),
        ("repeat", garp.repeat.into()),
        ("refresh", garp.refresh.as_secs()),
        ("refresh repeat", garp.refresh_repeat.into()),
        ("lower priority delay", garp.lower_prio_delay.as_secs()),
        ("lower priority repeat", garp.lower_prio_repeat.into()),
    ] {
        lines.push(format!("   Gratuitous ARP {name} = {value}"));
    }
    lines.push(format!("   Down timer adverts = {}", settings.down_timer_adverts));
    for (what, on) in
        [("lower", !settings.lower_prio_no_advert), ("higher", settings.higher_prio_send_advert)]
    {
        lines.push(format!("   Send advert after receive {what} priority advert = {}", yes(on)));
    }
    lines.push(format!("   Virtual Router ID = {}", instance.vrid));
    lines.push(format!("   Priority = {}", instance.priority));
    lines.push(format!("   Effective priority = {}", router.priority()));
    lines.push(format!("   Total priority = {}", router.priority()));
    lines.push(if settings.version == Version::V3 {
        format!("   Advert interval = {} milli-sec", settings.interval.as_millis())
    } else {
        format!("   Advert interval = {} sec", settings.interval.as_secs())
    });
    let enabled = |on: bool| if on { "enabled" } else { "disabled" };
    lines.push(format!("   Accept = {}", enabled(instance.accept)));
    lines.push(format!("   Preempt = {}", enabled(instance.preempt)));
    if !instance.preempt_delay.is_zero() {
        lines.push(format!("   Preempt delay = {} secs", instance.preempt_delay.as_secs_f64()));
    }
    lines.push(format!("   Promote_secondaries = {}", enabled(instance.promote_secondaries)));
    let kind = match instance.auth {
        Auth::Ah(_) => Some("IPSEC_AH"),
        Auth::Pass(_) => Some("SIMPLE_PASSWORD"),
        Auth::None => (settings.version == Version::V2).then_some("none"),
    };
    if let Some(kind) = kind {
        lines.push(format!("   Authentication type = {kind}"));
    }
    if instance.auth != Auth::None {
        // keepalived 2.2.7 prints it; newer ones hide it, too.
        lines.push("   Password = ********".into());
    }
    if let Some(bytes) = instance.kernel_rx_buf_size.filter(|bytes| *bytes > 0) {
        lines.push(format!("   Kernel rx buffer size = {bytes}"));
    }
}

/// What it has, watches and calls.
fn belongings(core: &Core, at: usize, lines: &mut Lines) {
    let instance = &core.engine.config().instances[at];
    let installed = core.sides[at].installed;
    let filtered = if installed && guarded(instance) { " nftable_set" } else { "" };
    let vip = |vip| {
        let name = addresses::interface_of(instance, vip).unwrap_or("(none)");
        let full = match instance.links.iter().find(|link| link.name == name) {
            Some(made) if core.kernel.link(name).is_some() => format!("{name}@{}", made.base),
            Some(made) => made.base.clone(),
            None => name.to_owned(),
        };
        format!("     {}{filtered}", address(vip, &full, installed))
    };
    if !instance.vips.is_empty() {
        lines.push(format!("   Virtual IP ({}):", instance.vips.len()));
        lines.extend(instance.vips.iter().map(vip));
    }
    if !instance.excluded_vips.is_empty() {
        lines.push("   Virtual IP Excluded :".into());
        lines.extend(instance.excluded_vips.iter().map(vip));
    }
    if let Some(unicast) = &instance.unicast {
        if let Some(ttl) = instance.ttl {
            lines.push(format!("   Unicast TTL = {ttl}"));
        }
        lines.push(format!("   Check unicast src : {}", if unicast.check_src { "yes" } else { "no" }));
        lines.push("   Unicast Peer :".into());
        for (at, peer) in unicast.peers.iter().enumerate() {
            let (least, most) = match unicast.peer_ttls.get(at) {
                Some((least, 0)) => (*least, u8::MAX),
                Some(range) => *range,
                None => (0, u8::MAX),
            };
            lines.push(format!("     {peer} min_ttl {least} max_ttl {most}"));
        }
        let old = match (unicast.checksum, core.engine.router(at).old_checksum()) {
            (UnicastChecksum::Old, _) => "yes",
            (UnicastChecksum::Never, _) => "never",
            (UnicastChecksum::Auto, true) => "auto",
            (UnicastChecksum::Auto, false) => "no",
        };
        lines.push(format!("   Unicast checksum compatibility = {old}"));
    }
    let fd = core.descriptor(at);
    lines.push(format!("   fd_in {fd}, fd_out {fd}"));
    if !instance.routes.is_empty() {
        lines.push("   Virtual Routes :".into());
        lines.extend(instance.routes.iter().map(|item| format!("     {}", items::route(item, None))));
    }
    if !instance.rules.is_empty() {
        lines.push("   Virtual Rules :".into());
        lines.extend(instance.rules.iter().map(|item| format!("     {}", items::rule(item, None))));
    }
    let group = instance.sync_group.map(|group| &core.engine.config().sync_groups[group.0 as usize]);
    tracked(
        core,
        group.is_some_and(|group| !group.tracking_weight),
        &instance.track_interfaces,
        &instance.track_scripts,
        &instance.track_files,
        &instance.track_processes,
        &instance.track_proxies,
        lines,
    );
    lines.push(format!("   Using smtp notification = {}", if instance.smtp_alert { "yes" } else { "no" }));
    let deleted = if instance.notify.announce_deleted { "Deleted" } else { "Fault" };
    lines.push(format!("   Notify deleted = {deleted}"));
    notify_scripts(&instance.notify, lines);
    lines.push(format!("   Notify priority changes = {}", yes(instance.notify.priority_changes)));
}

/// The scripts of an instance or a group.
pub(super) fn notify_scripts(notify: &Notify, lines: &mut Lines) {
    for (what, script) in [
        ("Backup", &notify.backup),
        ("Master", &notify.master),
        ("Fault", &notify.fault),
        ("Stop", &notify.stop),
        ("Deleted", &notify.deleted),
        ("Generic", &notify.generic),
        ("Master rx lower pri", &notify.master_rx_lower_pri),
    ] {
        if let Some(script) = script {
            let (uid, gid) = (script.user.uid, script.user.gid);
            lines
                .push(format!("   {what} state transition script = {}, uid:gid {uid}:{gid}", quoted(script)));
        }
    }
}

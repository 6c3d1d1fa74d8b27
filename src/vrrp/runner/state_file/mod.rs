//! The state file that SIGUSR1 asks for (`keepalived.data`), in the text of keepalived 2.2.7: exporters read it.

mod globals;
mod instance;
pub(super) mod items;

use std::net::IpAddr;
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::ir::vrrp::{
    Config, GarpGroup, NotifyScript, TrackInterface, TrackedFile, TrackedProcess, TrackedProxy,
    TrackedScript, Vip, VirtualLinkKind,
};
use crate::vrrp::packet::PROTO_AH;
use crate::vrrp::track::Health;

use super::Core;

/// The lines of the file.
type Lines = Vec<String>;

/// The whole file.
pub(super) fn text(core: &Core) -> String {
    let config = core.engine.config();
    let mut lines = vec!["------< Global definitions >------".to_owned()];
    globals::write(config, &mut lines);
    garp_groups(core, &mut lines);
    statics(core, &mut lines);
    lines.push("------< VRRP Topology >------".into());
    for at in 0..config.instances.len() {
        instance::write(core, at, &mut lines);
    }
    sockets(core, &mut lines);
    groups(core, &mut lines);
    scripts(core, &mut lines);
    files(core, &mut lines);
    processes(core, &mut lines);
    proxies(core, &mut lines);
    interfaces(core, &mut lines);
    lines.push(String::new());
    lines.join("\n")
}

/// The file of the parent, which knows the configuration only.
#[must_use]
pub fn parent_text(config: &Config) -> String {
    let mut lines = vec!["------< Global definitions >------".to_owned()];
    globals::write(config, &mut lines);
    lines.push(String::new());
    lines.join("\n")
}

/// `'/path' 'word' 'word'`.
pub(super) fn quoted(script: &NotifyScript) -> String {
    let words: Vec<String> = script.argv.iter().map(|word| format!("'{word}'")).collect();
    words.join(" ")
}

fn yes(on: bool) -> &'static str {
    if on { "true" } else { "false" }
}

/// `weight N [reverse]`, with what is put between.
fn weighed(weight: i32, reverse: bool) -> String {
    format!("weight {weight}{}", if reverse { " reverse" } else { "" })
}

fn garp_groups(core: &Core, lines: &mut Lines) {
    let config = core.engine.config();
    // A pause for all interfaces makes a group of each.
    let (garp_interval, gna_interval) = (config.global.garp_interval, config.global.gna_interval);
    let mut groups = config.garp_groups.clone();
    if garp_interval.is_some() || gna_interval.is_some() {
        for name in config.instances.iter().filter_map(|instance| instance.interface.as_ref()) {
            if !groups.iter().any(|group| group.interfaces.contains(name)) {
                let interfaces = vec![name.clone()];
                groups.push(GarpGroup { garp_interval, gna_interval, interfaces, aggregated: false });
            }
        }
    }
    if groups.is_empty() {
        return;
    }
    lines.push("------< Gratuitous ARP delays >------".into());
    for (at, group) in groups.iter().enumerate() {
        lines.push(format!("------< GARP delay group {} >------", if group.aggregated { at + 1 } else { 0 }));
        for (what, pause) in [("GARP", group.garp_interval), ("GNA", group.gna_interval)] {
            if let Some(pause) = pause {
                lines.push(format!(" {what} interval = {}", pause.as_secs_f64()));
                lines.push(format!(" {what} next time 0.000000 (Thu Jan  1 00:00:00.000000)"));
            }
        }
        lines.push(" Interfaces".into());
        group.interfaces.iter().for_each(|name| lines.push(format!("  {name}")));
    }
}

fn statics(core: &Core, lines: &mut Lines) {
    let config = core.engine.config();
    if !config.static_addresses.is_empty() {
        lines.push("------< Static Addresses >------".into());
        for item in &config.static_addresses {
            let name = item.address.dev.as_deref().unwrap_or("(none)");
            let group = item.track_group.as_ref();
            let group = group.map_or_else(String::new, |name| format!(" track_group {name}"));
            lines.push(format!("     {}{group} set", address(&item.address, name, false)));
        }
    }
    if !config.static_routes.is_empty() {
        lines.push("------< Static Routes >------".into());
        for item in &config.static_routes {
            lines.push(format!("     {}", items::route(&item.route, item.track_group.as_deref())));
        }
    }
    if !config.static_rules.is_empty() {
        lines.push("------< Static Rules >------".into());
        for item in &config.static_rules {
            lines.push(format!("     {}", items::rule(&item.rule, item.track_group.as_deref())));
        }
    }
    if !config.static_track_groups.is_empty() {
        lines.push("------< Static Track groups >------".into());
        for group in &config.static_track_groups {
            lines.push(format!(" Static Track Group = {}", group.name));
            lines.push("   VRRP member instances :".into());
            lines.extend(group.instances.iter().map(|at| format!("     {}", config.instance(*at).name)));
        }
    }
}

/// An address as keepalived prints it.
pub(super) fn address(vip: &Vip, interface: &str, set: bool) -> String {
    let full = if vip.addr.is_ipv4() { 32 } else { 128 };
    let mut text = match vip.prefix_len {
        len if len == full || vip.peer.is_some() => vip.addr.to_string(),
        len => format!("{}/{len}", vip.addr),
    };
    let mut add = |word: &str| text.push_str(word);
    if let Some(broadcast) = vip.broadcast {
        add(&format!(" brd {broadcast}"));
    }
    add(&format!(" dev {interface}"));
    if vip.use_vmac {
        add(" use_vmac");
    }
    let scope = match vip.scope {
        0 => "global".to_owned(),
        200 => "site".to_owned(),
        253 => "link".to_owned(),
        254 => "host".to_owned(),
        255 => "nowhere".to_owned(),
        other => other.to_string(),
    };
    add(&format!(" scope {scope}"));
    if let Some(label) = &vip.label {
        add(&format!(" label {label}"));
    }
    if let Some(peer) = vip.peer {
        add(&format!(" peer {peer}/{}", vip.prefix_len));
    }
    for (on, word) in [
        (vip.home, " home"),
        (vip.dad, " -nodad"),
        (vip.manage_temp_addr, " mngtmpaddr"),
        (vip.no_prefix_route, " noprefixroute"),
        (vip.autojoin, " autojoin"),
        (vip.no_track, " no_track"),
    ] {
        if on {
            add(word);
        }
    }
    if vip.addr.is_ipv6() {
        match vip.preferred_lft {
            Some(0) => add(" deprecated"),
            Some(seconds) if seconds != u32::MAX => add(&format!(" preferred_lft {seconds}")),
            _ => add(" preferred_lft forever"),
        }
    }
    if set {
        add(" set");
    }
    text
}

fn sockets(core: &Core, lines: &mut Lines) {
    let config = core.engine.config();
    lines.push("------< VRRP Sockpool >------".into());
    let mut told = Vec::new();
    for at in 0..config.instances.len() {
        let Some(key) = core.socket_key(at).filter(|key| !told.contains(key)) else { continue };
        lines.push(" fd_in -1 fd_out = -1".into());
        lines.push(format!("   Interface = {}", key.interface.as_ref().map_or("(none)", |i| i.0.as_str())));
        lines.push(format!("   Family = {}", if key.v6 { "IPv6" } else { "IPv4" }));
        lines.push(format!("   Protocol = {}", if key.protocol == PROTO_AH { "AH" } else { "VRRP" }));
        lines.push(format!("   Type = {}", if key.group.is_some() { "Multicast" } else { "Unicast" }));
        if let Some(bound) = key.bound {
            lines.push(format!("   Address = {bound}"));
        }
        lines.push(format!("   Rx buf size = {}", core.wanted_buffer(key).unwrap_or(0)));
        lines.push("   VRRP instances".into());
        for (other, instance) in config.instances.iter().enumerate() {
            if core.socket_key(other) == Some(key) {
                lines.push(format!("     {} vrid {}", instance.name, instance.vrid));
            }
        }
        told.push(key);
    }
}

fn groups(core: &Core, lines: &mut Lines) {
    let config = core.engine.config();
    if config.sync_groups.is_empty() {
        return;
    }
    lines.push("------< VRRP Sync groups >------".into());
    for group in &config.sync_groups {
        let members = group.instances.iter().map(|i| core.engine.router(i.0 as usize).state());
        let states: Vec<_> = members.collect();
        let fault = states.iter().filter(|state| **state == crate::vrrp::fsm::State::Fault).count();
        lines.push(format!(
            " VRRP Sync Group = {}, {}",
            group.name,
            states.first().copied().unwrap_or_default()
        ));
        lines.push(format!("   Num member fault {fault}, num member init 0"));
        lines.push("   VRRP member instances :".into());
        group.instances.iter().for_each(|i| lines.push(format!("     {}", config.instance(*i).name)));
        lines.push(format!("   Using smtp notification = {}", if group.smtp_alert { "yes" } else { "no" }));
        tracked(
            core,
            &group.track_interfaces,
            &group.track_scripts,
            &group.track_files,
            &group.track_processes,
            &group.track_proxies,
            lines,
        );
        instance::notify_scripts(&group.notify, lines);
    }
}

/// What an instance or a group tracks.
fn tracked(
    core: &Core,
    interfaces: &[TrackInterface],
    scripts: &[TrackedScript],
    files: &[TrackedFile],
    processes: &[TrackedProcess],
    proxies: &[TrackedProxy],
    lines: &mut Lines,
) {
    let config = core.engine.config();
    let mut list = |what: &str, items: Vec<String>| {
        if !items.is_empty() {
            lines.push(format!("   Tracked {what} :"));
            lines.extend(items.into_iter().map(|item| format!("     {item}")));
        }
    };
    let named = |name: &str, weight, reverse| format!("{name} {}", weighed(weight, reverse));
    list("interfaces", interfaces.iter().map(|t| named(&t.name, t.weight, t.reverse)).collect());
    let script = |t: &TrackedScript| named(&config.script(t.script).name, t.weight, t.reverse);
    list("scripts", scripts.iter().map(script).collect());
    let file = |t: &TrackedFile| {
        format!("{}, {}", config.track_files[t.file.0 as usize].name, weighed(t.weight, t.reverse))
    };
    list("files", files.iter().map(file).collect());
    let process = |t: &TrackedProcess| {
        format!("{}, {}", config.track_processes[t.process.0 as usize].name, weighed(t.weight, t.reverse))
    };
    list("processes", processes.iter().map(process).collect());
    let proxy = |t: &TrackedProxy| {
        format!("{}, {}", config.track_proxies[t.proxy.0 as usize].name, weighed(t.weight, t.reverse))
    };
    list("proxies", proxies.iter().map(proxy).collect());
}

/// Who follows a thing: instances, by themselves or through their group.
fn followers(core: &Core, weight: impl Fn(&Follower<'_>) -> Option<(i32, bool)>, lines: &mut Lines) {
    let config = core.engine.config();
    lines.push("   Tracking instances :".into());
    for instance in &config.instances {
        let group = instance.sync_group.map(|group| &config.sync_groups[group.0 as usize]);
        let own = Follower {
            scripts: &instance.track_scripts,
            files: &instance.track_files,
            processes: &instance.track_processes,
        };
        let found = weight(&own).or_else(|| {
            group.and_then(|group| {
                weight(&Follower {
                    scripts: &group.track_scripts,
                    files: &group.track_files,
                    processes: &group.track_processes,
                })
            })
        });
        if let Some((weight, reverse)) = found {
            lines.push(format!("     {}, {}", instance.name, weighed(weight, reverse)));
        }
    }
}

struct Follower<'a> {
    scripts: &'a [TrackedScript],
    files: &'a [TrackedFile],
    processes: &'a [TrackedProcess],
}

fn scripts(core: &Core, lines: &mut Lines) {
    let config = core.engine.config();
    if config.scripts.is_empty() {
        return;
    }
    lines.push("------< VRRP Scripts >------".into());
    for (at, script) in config.scripts.iter().enumerate() {
        let state = core.engine.script(at);
        lines.push(format!(" VRRP Script = {}", script.name));
        lines.push(format!("   Command = {}", quoted(&script.command)));
        lines.push(format!("   Interval = {} sec", script.interval.as_secs()));
        lines.push(format!("   Timeout = {} sec", script.timeout.unwrap_or_default().as_secs()));
        lines.push(format!("   Weight = {}{}", script.weight, if script.reverse { " reverse" } else { "" }));
        lines.push(format!("   Rise = {}", script.rise));
        lines.push(format!("   Fall = {}", script.fall));
        lines.push(format!("   Result = {}", state.result()));
        lines.push("   Insecure = no".into());
        lines.push("   Init state = unknown".into());
        lines.push(format!(
            "   Status = {}",
            match state.health() {
                Health::Good => "GOOD",
                Health::Bad => "BAD",
                Health::Unknown => "INIT",
            }
        ));
        lines.push(format!("   Script uid:gid = {}:{}", script.command.user.uid, script.command.user.gid));
        lines.push("   VRRP instances :".into());
        let weight = |follower: &Follower<'_>| {
            let tracked = follower.scripts.iter().find(|t| t.script.0 as usize == at)?;
            Some((tracked.weight, tracked.reverse))
        };
        followers(core, weight, lines);
        lines.push("   State = idle".into());
    }
}

fn files(core: &Core, lines: &mut Lines) {
    let config = core.engine.config();
    if config.track_files.is_empty() {
        return;
    }
    lines.push("------< VRRP Track files >------".into());
    for (at, file) in config.track_files.iter().enumerate() {
        lines.push(format!(" Track file = {}", file.name));
        lines.push(format!("   File = {}", file.path.display()));
        lines.push(format!("   Status = {}", core.engine.file(at)));
        lines.push(format!("   Weight = {}{}", file.weight, if file.reverse { " reverse" } else { "" }));
        let weight = |follower: &Follower<'_>| {
            let tracked = follower.files.iter().find(|t| t.file.0 as usize == at)?;
            Some((tracked.weight, tracked.reverse))
        };
        followers(core, weight, lines);
    }
}

fn proxies(core: &Core, lines: &mut Lines) {
    let config = core.engine.config();
    if config.track_proxies.is_empty() {
        return;
    }
    lines.push("------< VRRP Track proxies >------".into());
    for (at, proxy) in config.track_proxies.iter().enumerate() {
        lines.push(format!(" Track proxy = {}", proxy.name));
        lines.extend(proxy.frontends.iter().map(|name| format!("   Frontend = {name}")));
        let backends = proxy.backends.iter();
        lines.extend(backends.map(|b| format!("   Backend = {}, min servers {}", b.name, b.min_servers)));
        lines.push(format!("   Status = {}", core.engine.proxy(at).unwrap_or("GOOD")));
        lines.push(format!("   Weight = {}{}", proxy.weight, if proxy.reverse { " reverse" } else { "" }));
    }
}

fn processes(core: &Core, lines: &mut Lines) {
    use crate::ir::vrrp::ParamMatch;
    let config = core.engine.config();
    if config.track_processes.is_empty() {
        return;
    }
    lines.push("------< VRRP Track processes >------".into());
    for (at, process) in config.track_processes.iter().enumerate() {
        let quorum = core.engine.process(at);
        lines.push(format!(" VRRP Track process = {}", process.name));
        lines.push(format!("   Process = {}", process.argv.join(" ")));
        let compared = match process.param_match {
            ParamMatch::None => None,
            ParamMatch::Exact => Some("exact"),
            ParamMatch::Partial => Some("partial"),
            ParamMatch::Initial => Some("initial"),
        };
        if let Some(how) = compared {
            lines.push(format!("   Param match = {how}"));
        }
        lines.push(format!("   Min processes = {}", process.quorum));
        if let Some(most) = process.quorum_max {
            lines.push(format!("   Max processes = {most}"));
        }
        lines.push(format!("   Current processes = {}", quorum.count()));
        lines.push(format!("   Have quorum = {}", yes(quorum.held())));
        lines.push(format!(
            "   Weight = {}{}",
            process.weight,
            if process.reverse { " reverse" } else { "" }
        ));
        lines.push(format!("   Terminate delay = {:.6}s", process.terminate_delay.as_secs_f64()));
        lines.push(format!("   Fork delay = {:.6}s", process.fork_delay.as_secs_f64()));
        lines.push("   Fork delay timer not running".into());
        lines.push("   Terminate delay timer not running".into());
        lines.push(format!("   Full command = {}", yes(process.full_command)));
        let weight = |follower: &Follower<'_>| {
            let tracked = follower.processes.iter().find(|t| t.process.0 as usize == at)?;
            Some((tracked.weight, tracked.reverse))
        };
        followers(core, weight, lines);
    }
}

fn interfaces(core: &Core, lines: &mut Lines) {
    let config = core.engine.config();
    lines.push("------< Interfaces >------".into());
    for link in core.kernel.links() {
        let (v4, v6) = core.kernel.own(link.index, config);
        let or_none =
            |address: Option<IpAddr>| address.map_or_else(|| "(none)".to_owned(), |a| a.to_string());
        lines.push(format!(" Name = {}", link.name));
        lines.push(format!("   index = {}", link.index));
        lines.push(format!("   IPv4 address = {}", or_none(v4.map(IpAddr::V4))));
        lines.push(format!("   IPv6 address = {}", or_none(v6.map(IpAddr::V6))));
        let ethernet = link.mac.iter().any(|byte| *byte != 0);
        if ethernet {
            let mac: Vec<String> = link.mac.iter().map(|byte| format!("{byte:02x}")).collect();
            lines.push(format!("   MAC = {}", mac.join(":")));
            lines.push("   MAC broadcast = ff:ff:ff:ff:ff:ff".into());
        }
        let state = if link.up { "UP, RUNNING" } else { "DOWN" };
        let kind = if ethernet { "" } else { ", no broadcast, loopback, no multicast" };
        lines.push(format!("   State = {state}{kind}"));
        lines.push(format!("   Seen up = {}", u8::from(link.up)));
        lines.push("   Delayed state change running = false".into());
        let delay = config.interface_delays.iter().find(|delay| delay.interface == link.name);
        lines.push(format!("   Up debounce timer = {}us", delay.map_or(0, |d| d.up.as_micros())));
        lines.push(format!("   Down debounce timer = {}us", delay.map_or(0, |d| d.down.as_micros())));
        let made = config.instances.iter().flat_map(|i| &i.links).find(|made| made.name == link.name);
        if let Some(made) = made {
            let base = core.kernel.link(&made.base);
            let state = if base.is_some_and(|base| base.up) { "UP, RUNNING" } else { "DOWN" };
            if let VirtualLinkKind::Vmac(_) = made.kind {
                lines.push(format!(
                    "   VMAC type private, underlying interface = {}, state = {state}",
                    made.base
                ));
            }
            lines.push("   I/f created by keepalived".into());
        }
        lines.push(format!("   MTU = {}", link.mtu));
        lines.push(format!("   HW Type = {}", if ethernet { "ETHERNET" } else { "LOOPBACK" }));
        lines.push("   NIC netlink status update".into());
        for (what, v6) in [("ARP", false), ("NA", true)] {
            let pause = core.pause(&link.name, v6);
            if !pause.is_zero() && ethernet {
                lines.push(format!("   Gratuitous {what} interval {}ms", pause.as_millis()));
            }
        }
        let group = config.garp_groups.iter().position(|g| g.aggregated && g.interfaces.contains(&link.name));
        if let Some(at) = group {
            lines.push(format!("   Gratuitous ARP aggregation group {}", at + 1));
        }
        for what in [
            "Reset ARP config counter",
            "Original arp_ignore",
            "Original arp_filter",
            "Original promote_secondaries",
            "Reset promote_secondaries counter",
        ] {
            lines.push(format!("   {what} 0"));
        }
        let tracking = config.instances.iter().filter_map(|instance| {
            let own = instance.interface.as_deref() == Some(&link.name)
                || instance.interfaces_in_use().contains(&link.name.as_str());
            let listed = instance.track_interfaces.iter().find(|t| t.name == link.name);
            match (own, listed) {
                (true, _)
                    if instance.dont_track_primary && instance.interface.as_ref() == Some(&link.name) =>
                {
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
}

/// `SECONDS.MICROSECONDS (Sat Nov 21 08:55:20.750951 2026)`.
fn stamp(at: SystemTime) -> String {
    let at = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH);
    let micros = at.subsec_microsecond();
    let local = at.to_zoned(TimeZone::system());
    format!(
        "{}.{micros:06} ({}.{micros:06} {})",
        at.as_second(),
        local.strftime("%a %b %e %H:%M:%S"),
        local.year()
    )
}

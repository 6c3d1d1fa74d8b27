//! The state file that SIGUSR1 asks for (`keepalived.data`), in the text of keepalived 2.2.7: exporters read it.

mod globals;
mod instance;
mod interfaces;
pub(super) mod items;

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::ir::vrrp::{
    Config, GarpGroup, NotifyScript, TrackInterface, TrackedFile, TrackedProcess, TrackedProxy,
    TrackedScript, Vip,
};
use crate::vrrp::packet::PROTO_AH;
use crate::vrrp::track::Health;

use super::Core;
use super::exec::tracked_scripts;

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
    interfaces::write(core, &mut lines);
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
        let key = match core.socket_key(at) {
            Some(key) => key.clone(),
            // Without its interface it has none yet.
            None => super::sockets::key(&config.instances[at], core.engine.profile(at), 0),
        };
        if told.contains(&key) {
            continue;
        }
        let fd = core.descriptor(at);
        lines.push(format!(" fd_in {fd} fd_out = {fd}"));
        lines.push(format!("   Interface = {}", key.interface.as_ref().map_or("(none)", |i| i.0.as_str())));
        lines.push(format!("   Family = {}", if key.v6 { "IPv6" } else { "IPv4" }));
        lines.push(format!("   Protocol = {}", if key.protocol == PROTO_AH { "AH" } else { "VRRP" }));
        lines.push(format!("   Type = {}", if key.group.is_some() { "Multicast" } else { "Unicast" }));
        if let Some(bound) = key.bound {
            lines.push(format!("   Address = {bound}"));
        }
        lines.push(format!("   Rx buf size = {}", core.wanted_buffer(&key).unwrap_or(0)));
        lines.push("   VRRP instances".into());
        for (other, instance) in config.instances.iter().enumerate() {
            if other == at || core.socket_key(other) == Some(&key) {
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
            false,
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

/// What an instance or a group tracks. `unweighed`: the weights of interfaces do not count.
#[allow(
    clippy::too_many_arguments,
    reason = "instances and groups have these lists, and nothing around them in common"
)]
fn tracked(
    core: &Core,
    unweighed: bool,
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
    let interface = |t: &TrackInterface| named(&t.name, if unweighed { 0 } else { t.weight }, t.reverse);
    list("interfaces", interfaces.iter().map(interface).collect());
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
    let mut scripts = tracked_scripts(config).peekable();
    if scripts.peek().is_none() {
        return;
    }
    lines.push("------< VRRP Scripts >------".into());
    for (at, script) in scripts {
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

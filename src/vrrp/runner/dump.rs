//! The state and counter files that SIGUSR1 and SIGUSR2 write, in keepalived's text: exporters read them.

use std::fmt::{Display, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::ir::vrrp::{Auth, Instance, Vip};
use crate::vrrp::fsm::{State, Timer};
use crate::vrrp::packet::Version;
use crate::vrrp::track::Health;

use super::Core;
use super::addresses;

/// `keepalived.stats`.
pub(super) fn stats(core: &Core) -> String {
    let mut text = String::new();
    for (at, instance) in core.engine.config().instances.iter().enumerate() {
        let s = &core.engine.router(at).stats;
        // Writing to a string cannot fail, here and below.
        let _ = write!(
            text,
            "VRRP Instance: {}\n  Advertisements:\n    Received: {}\n    Sent: {}\n  Became master: {}\n  \
             Released master: {}\n  Packet Errors:\n    Length: {}\n    TTL: {}\n    Invalid Type: {}\n    \
             Advertisement Interval: {}\n    Address List: {}\n  Authentication Errors:\n    Invalid Type: {}\n    \
             Type Mismatch: {}\n    Failure: {}\n  Priority Zero:\n    Received: {}\n    Sent: {}\n",
            instance.name,
            s.advert_rcvd,
            s.advert_sent,
            s.become_master,
            s.release_master,
            s.packet_len_err,
            s.ip_ttl_err,
            s.invalid_type_rcvd,
            s.advert_interval_err,
            s.addr_list_err,
            s.invalid_authtype,
            s.authtype_mismatch,
            s.auth_failure,
            s.pri_zero_rcvd,
            s.pri_zero_sent,
        );
    }
    text
}

/// `keepalived.json`, version 1. The password is left out.
pub(super) fn json(core: &Core) -> String {
    let config = core.engine.config();
    let all = config.instances.iter().enumerate().map(|(at, instance)| {
        let router = core.engine.router(at);
        let (settings, stats, garp) = (router.settings(), &router.stats, router.settings().garp);
        let state = match router.state() {
            State::Init => 0,
            State::Backup => 1,
            State::Master => 2,
            State::Fault => 3,
            State::Stop => 98,
        };
        let transition =
            core.sides[at].last_transition.and_then(|t| t.duration_since(SystemTime::UNIX_EPOCH).ok());
        let vips = |vips: &[Vip]| -> Vec<String> {
            vips.iter().map(|v| vip(core, at, instance, v).trim_start().replace("/32 dev", " dev")).collect()
        };
        let script = |s: &Option<crate::ir::vrrp::NotifyScript>| s.as_ref().map(|s| s.line.clone());
        let tracked = |t: &crate::ir::vrrp::TrackedScript| config.script(t.script).command.line.clone();
        let mut data = serde_json::json!({
            "iname": instance.name,
            "dont_track_primary": u8::from(instance.dont_track_primary),
            "skip_check_adv_addr": u8::from(instance.skip_check_adv_addr),
            "strict_mode": u8::from(instance.strict),
            "vmac_ifname": "",
            "ifp_ifname": instance.interface,
            "master_priority": router.last_master().map_or(0, |m| m.priority),
            "last_transition": transition.unwrap_or_default().as_secs_f64(),
            "garp_delay": garp.delay.as_secs(),
            "garp_refresh": garp.refresh.as_secs(),
            "garp_rep": garp.repeat,
            "garp_refresh_rep": garp.refresh_repeat,
            "garp_lower_prio_delay": garp.lower_prio_delay.as_secs(),
            "garp_lower_prio_rep": garp.lower_prio_repeat,
            "lower_prio_no_advert": u8::from(settings.lower_prio_no_advert),
            "higher_prio_send_advert": u8::from(settings.higher_prio_send_advert),
            "vrid": instance.vrid,
            "base_priority": instance.priority,
            "effective_priority": router.priority(),
            "vipset": core.sides[at].installed,
            "promote_secondaries": instance.promote_secondaries,
            "adver_int": settings.interval.as_secs_f64(),
            "master_adver_int": router.master_interval().as_secs_f64(),
        });
        let more = serde_json::json!({
            "accept": u8::from(instance.accept),
            "nopreempt": !instance.preempt,
            "preempt_delay": instance.preempt_delay.as_secs(),
            "state": state,
            "wantstate": state,
            "version": settings.version.number(),
            "smtp_alert": instance.smtp_alert,
            "notify_deleted": instance.notify.announce_deleted,
            "script_backup": script(&instance.notify.backup),
            "script_master": script(&instance.notify.master),
            "script_fault": script(&instance.notify.fault),
            "script_stop": script(&instance.notify.stop),
            "script": script(&instance.notify.generic),
            "vips": vips(&instance.vips),
            "evips": vips(&instance.excluded_vips),
            "track_script": instance.track_scripts.iter().map(tracked).collect::<Vec<_>>(),
            "auth_type": match instance.auth { Auth::None => 0, Auth::Pass(_) => 1, Auth::Ah(_) => 2 },
        });
        if let (Some(data), serde_json::Value::Object(more)) = (data.as_object_mut(), more) {
            // keepalived leaves out what is not configured.
            data.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
        }
        serde_json::json!({
            "data": data,
            "stats": {
                "advert_rcvd": stats.advert_rcvd,
                "advert_sent": stats.advert_sent,
                "become_master": stats.become_master,
                "release_master": stats.release_master,
                "packet_len_err": stats.packet_len_err,
                "advert_interval_err": stats.advert_interval_err,
                "ip_ttl_err": stats.ip_ttl_err,
                "invalid_type_rcvd": stats.invalid_type_rcvd,
                "addr_list_err": stats.addr_list_err,
                "invalid_authtype": stats.invalid_authtype,
                "authtype_mismatch": stats.authtype_mismatch,
                "auth_failure": stats.auth_failure,
                "pri_zero_rcvd": stats.pri_zero_rcvd,
                "pri_zero_sent": stats.pri_zero_sent,
            },
        })
    });
    serde_json::Value::Array(all.collect()).to_string() + "\n"
}

/// `keepalived.data`.
pub(super) fn data(core: &Core) -> String {
    let config = core.engine.config();
    let global = &config.global;
    let mut text = String::from("------< Global definitions >------\n");
    let mut line = |l: String| text.push_str(&(l + "\n"));
    line(format!(" Router ID = {}", global.router_id.clone().unwrap_or_else(host_name)));
    if let Some(server) = &global.smtp_server {
        line(format!(" Smtp server = {}", server.name));
        line(format!(" Smtp server port = {}", server.port));
        line(format!(" Smtp server connection timeout = {}", global.smtp_connect_timeout.as_secs()));
    }
    for email in &global.notification_email {
        line(format!(" Email notification = {email}"));
    }
    line(format!(" VRRP IPv4 mcast group = {}", global.mcast_group4));
    line(format!(" VRRP IPv6 mcast group = {}", global.mcast_group6));
    line(format!(
        " Script security {}",
        if global.script_security == Default::default() { "disabled" } else { "enabled" }
    ));
    line("------< VRRP Topology >------".into());
    for at in 0..config.instances.len() {
        instance(core, at, &mut line);
    }
    if !config.sync_groups.is_empty() {
        line("------< VRRP Sync groups >------".into());
        for group in &config.sync_groups {
            let first = group.instances.first().map(|i| core.engine.router(i.0 as usize).state());
            line(format!(" VRRP Sync Group = {}, {}", group.name, first.unwrap_or_default()));
            for member in &group.instances {
                line(format!("   monitor = {}", config.instance(*member).name));
            }
        }
    }
    if !config.scripts.is_empty() {
        line("------< VRRP Scripts >------".into());
    }
    for (at, script) in config.scripts.iter().enumerate() {
        let state = core.engine.script(at);
        let words: Vec<String> = script.command.argv.iter().map(|w| format!("'{w}'")).collect();
        line(format!(" VRRP Script = {}", script.name));
        line(format!("   Command = {}", words.join(" ")));
        line(format!("   Interval = {} sec", script.interval.as_secs_f64()));
        line(format!("   Timeout = {} sec", script.timeout.unwrap_or_default().as_secs_f64()));
        line(format!("   Weight = {}{}", script.weight, if script.reverse { " reverse" } else { "" }));
        line(format!("   Rise = {}", script.rise));
        line(format!("   Fall = {}", script.fall));
        line(format!("   Result = {}", state.result()));
        line("   Insecure = no".into());
        line(format!(
            "   Status = {}",
            match state.health() {
                Health::Good => "GOOD",
                Health::Bad => "BAD",
                Health::Unknown => "INIT",
            }
        ));
        line(format!("   Script uid:gid = {}:{}", script.command.user.uid, script.command.user.gid));
    }
    line("------< Interfaces >------".into());
    for link in core.kernel.links() {
        let (v4, v6) = core.kernel.own(link.index, config);
        line(format!(" Name = {}", link.name));
        line(format!("   index = {}", link.index));
        line(format!("   IPv4 address = {}", or_none(v4)));
        line(format!("   IPv6 address = {}", or_none(v6)));
        if link.mac.iter().any(|b| *b != 0) {
            let mac: Vec<String> = link.mac.iter().map(|b| format!("{b:02x}")).collect();
            line(format!("   MAC = {}", mac.join(":")));
        }
        line(format!("   State = {}", if link.up { "UP, RUNNING" } else { "DOWN" }));
        line(format!("   MTU = {}", link.mtu));
    }
    text
}

fn instance(core: &Core, at: usize, line: &mut impl FnMut(String)) {
    let config = core.engine.config();
    let instance = &config.instances[at];
    let router = core.engine.router(at);
    let settings = router.settings();
    let v3 = settings.version == Version::V3;
    let yes = |on: bool| if on { "enabled" } else { "disabled" };
    line(format!(" VRRP Instance = {}", instance.name));
    line(format!("   VRRP Version = {}", settings.version.number()));
    if let Some(group) = instance.sync_group {
        line(format!("   Sync group = {}", config.sync_groups[group.0 as usize].name));
    }
    if instance.ipv6 {
        line("   Using Native IPv6".into());
    }
    line(format!("   State = {}", router.state()));
    if router.state() == State::Backup {
        let heard = router.last_master();
        let address = heard.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |h| h.address);
        line(format!("   Master router = {address}"));
        line(format!("   Master priority = {}", heard.map_or(0, |h| h.priority)));
        if v3 {
            line(format!("   Master advert int = {:.2} sec", router.master_interval().as_secs_f64()));
        }
    }
    if instance.unicast.is_some() {
        line("   Flags:".into());
        line("     Using unicast".into());
    } else {
        line("   Flags: none".into());
    }
    line(format!("   Wantstate = {}", router.state()));
    line(format!("   Number of config faults = {}", instance.config_faults.len()));
    line(format!(
        "   Number of interface and track script faults = {}",
        u8::from(router.state() == State::Fault)
    ));
    let unknown = |t: &&crate::ir::vrrp::TrackedScript| {
        core.engine.script(t.script.0 as usize).health() == Health::Unknown
    };
    line(format!(
        "   Number of track scripts init = {}",
        instance.track_scripts.iter().filter(|t| t.weight == 0).filter(unknown).count()
    ));
    if let Some(at) = core.sides[at].last_transition {
        line(format!("   Last transition = {}", stamp(at)));
    }
    line(match core.deadline(at, Timer::MasterDown).or_else(|| core.deadline(at, Timer::Advert)) {
        Some(at) => format!("   Read timeout = {}", stamp(at)),
        None => "   Read timeout = DISABLED".into(),
    });
    line(format!("   Master down timer = {} usecs", router.master_down().as_micros()));
    line(format!("   Interface = {}", instance.interface.as_deref().unwrap_or("not configured")));
    if instance.dont_track_primary {
        line("   VRRP interface tracking disabled".into());
    }
    if instance.skip_check_adv_addr {
        line("   Skip checking advert IP addresses".into());
    }
    if instance.strict {
        line("   Enforcing strict VRRP compliance".into());
    }
    let from = if instance.src_ip.is_some() { " (from configuration)" } else { "" };
    line(format!("   Using src_ip = {}{from}", settings.address));
    if instance.unicast.is_none() {
        line(format!("   Multicast address {}", core.engine.profile(at).group));
    }
    let garp = settings.garp;
    line(format!("   Gratuitous ARP delay = {}", garp.delay.as_secs()));
    line(format!("   Gratuitous ARP repeat = {}", garp.repeat));
    line(format!("   Gratuitous ARP refresh = {}", garp.refresh.as_secs()));
    line(format!("   Gratuitous ARP refresh repeat = {}", garp.refresh_repeat));
    line(format!("   Gratuitous ARP lower priority delay = {}", garp.lower_prio_delay.as_secs()));
    line(format!("   Gratuitous ARP lower priority repeat = {}", garp.lower_prio_repeat));
    line(format!("   Down timer adverts = {}", settings.down_timer_adverts));
    line(format!("   Send advert after receive lower priority advert = {}", !settings.lower_prio_no_advert));
    line(format!(
        "   Send advert after receive higher priority advert = {}",
        settings.higher_prio_send_advert
    ));
    line(format!("   Virtual Router ID = {}", instance.vrid));
    line(format!("   Priority = {}", instance.priority));
    line(format!("   Effective priority = {}", router.priority()));
    line(format!("   Total priority = {}", router.priority()));
    line(if v3 {
        format!("   Advert interval = {} milli-sec", settings.interval.as_millis())
    } else {
        format!("   Advert interval = {} sec", settings.interval.as_secs())
    });
    line(format!("   Accept = {}", yes(instance.accept)));
    line(format!("   Preempt = {}", yes(instance.preempt)));
    if !instance.preempt_delay.is_zero() {
        line(format!("   Preempt delay = {} secs", instance.preempt_delay.as_secs_f64()));
    }
    line(format!("   Promote_secondaries = {}", yes(instance.promote_secondaries)));
    match instance.auth {
        Auth::Ah(_) => line("   Authentication type = IPSEC_AH".into()),
        Auth::Pass(_) => line("   Authentication type = SIMPLE_PASSWORD".into()),
        Auth::None if !v3 => line("   Authentication type = none".into()),
        Auth::None => {}
    }
    if !instance.vips.is_empty() {
        line(format!("   Virtual IP ({}):", instance.vips.len()));
        instance.vips.iter().for_each(|v| line(vip(core, at, instance, v)));
    }
    if !instance.excluded_vips.is_empty() {
        line("   Virtual IP Excluded :".into());
        instance.excluded_vips.iter().for_each(|v| line(vip(core, at, instance, v)));
    }
    if let Some(unicast) = &instance.unicast {
        line(format!("   Check unicast src : {}", if unicast.check_src { "yes" } else { "no" }));
        line("   Unicast Peer :".into());
        unicast.peers.iter().for_each(|peer| line(format!("     {peer}")));
    }
    if !instance.track_interfaces.is_empty() {
        line("   Tracked interfaces :".into());
        for tracked in &instance.track_interfaces {
            line(format!("     {} weight {}", tracked.name, tracked.weight));
        }
    }
    if !instance.track_scripts.is_empty() {
        line("   Tracked scripts :".into());
        for tracked in &instance.track_scripts {
            let reverse = if tracked.reverse { " reverse" } else { "" };
            line(format!("     {} weight {}{reverse}", config.script(tracked.script).name, tracked.weight));
        }
    }
    line(format!("   Using smtp notification = {}", if instance.smtp_alert { "yes" } else { "no" }));
    line(format!(
        "   Notify deleted = {}",
        if instance.notify.announce_deleted { "Deleted" } else { "Fault" }
    ));
    let scripts = [
        ("Backup", &instance.notify.backup),
        ("Master", &instance.notify.master),
        ("Fault", &instance.notify.fault),
        ("Stop", &instance.notify.stop),
        ("Deleted", &instance.notify.deleted),
        ("Generic", &instance.notify.generic),
        ("Master rx lower pri", &instance.notify.master_rx_lower_pri),
    ];
    for (what, script) in scripts {
        if let Some(script) = script {
            line(format!(
                "   {what} state transition script = '{}', uid:gid {}:{}",
                script.line, script.user.uid, script.user.gid
            ));
        }
    }
    line(format!("   Notify priority changes = {}", instance.notify.priority_changes));
}

fn vip(core: &Core, at: usize, instance: &Instance, vip: &Vip) -> String {
    let interface = addresses::interface_of(instance, vip).unwrap_or("(none)");
    let scope = match vip.scope {
        0 => "global".to_owned(),
        200 => "site".to_owned(),
        253 => "link".to_owned(),
        254 => "host".to_owned(),
        other => other.to_string(),
    };
    let set = if core.sides[at].installed { " set" } else { "" };
    let label = vip.label.as_ref().map_or_else(String::new, |l| format!(" label {l}"));
    format!("     {}/{} dev {interface} scope {scope}{label}{set}", vip.addr, vip.prefix_len)
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

fn host_name() -> String {
    nix::unistd::gethostname().map_or_else(|_| "localhost".into(), |n| n.to_string_lossy().into_owned())
}

fn or_none(value: Option<impl Display>) -> String {
    value.map_or_else(|| "(none)".to_owned(), |v| v.to_string())
}

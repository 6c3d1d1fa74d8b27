//! `Global definitions` of the state file.

use std::fmt::Display;

use crate::ir::vrrp::{Config, NotifyFifo, NotifyScript, ReceiveBuffer, RunAs, Version};

use super::{Lines, quoted};

/// Real-time limit where the file does not say, microseconds, as keepalived has it.
const RTTIME: u64 = 10_000;

fn yes(on: bool) -> &'static str {
    if on { "true" } else { "false" }
}

fn unset(on: Option<bool>) -> &'static str {
    on.map_or("unset", |on| if on { "on" } else { "off" })
}

/// Who runs scripts where nobody is named.
fn usual_user() -> RunAs {
    let own = || RunAs { uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() };
    let user = nix::unistd::User::from_name("keepalived_script").ok().flatten();
    user.map_or_else(own, |user| RunAs { uid: user.uid.as_raw(), gid: user.gid.as_raw() })
}

fn host_name() -> String {
    nix::unistd::gethostname().map_or_else(|_| "localhost".into(), |n| n.to_string_lossy().into_owned())
}

/// What the daemon as a whole is told.
pub(super) fn write(config: &Config, lines: &mut Lines) {
    let global = &config.global;
    let mut line = |name: &str, value: &dyn Display| lines.push(format!(" {name} = {value}"));
    line("Network namespace", &config.net_namespace.as_deref().unwrap_or("(default)"));
    line("Network namespace ipvs", &"(main namespace)");
    if let Some(instance) = &config.instance_name {
        line("Instance name", instance);
    }
    line("Router ID", &global.router_id.clone().unwrap_or_else(host_name));
    if let Some(server) = &global.smtp_server {
        line("Smtp server", &server.name);
        line("Smtp server port", &server.port);
    }
    if global.smtp_server.is_some() || global.smtp_helo_name.is_some() {
        line("Smtp HELO name", &global.smtp_helo_name.clone().unwrap_or_else(host_name));
    }
    if global.smtp_server.is_some() {
        line("Smtp server connection timeout", &global.smtp_connect_timeout.as_secs());
    }
    if let Some(from) = &global.notification_email_from {
        line("Email notification from", from);
    }
    if !global.notification_email.is_empty() {
        lines.push(" Email notification to:".into());
        global.notification_email.iter().for_each(|to| lines.push(format!("   {to}")));
    }
    let mut line = |name: &str, value: &dyn Display| lines.push(format!(" {name} = {value}"));
    line("Default smtp_alert", &unset(global.smtp_alert));
    line("Default smtp_alert_vrrp", &unset(global.smtp_alert_vrrp));
    line("Default smtp_alert_checker", &"unset");
    line("Checkers log all failures", &"false");
    lines.push(match &global.reload_check_config {
        Some(file) => format!(" Test config before reload = {file}"),
        None => " No test config before reload".into(),
    });
    scripts("Startup", global.startup_script.as_ref(), lines);
    scripts("Shutdown", global.shutdown_script.as_ref(), lines);
    let mut line = |name: &str, value: &dyn Display| lines.push(format!(" {name} = {value}"));
    line("Dynamic interfaces", &yes(global.dynamic_interfaces));
    if global.dynamic_interfaces {
        line("Allow interface changes", &yes(global.allow_if_changes));
    }
    line("Default interface", &global.default_interface.as_deref().unwrap_or("eth0"));
    line("Disable local IGMP", &if global.disable_local_igmp { "yes" } else { "no" });
    line("LVS flush", &"false");
    line("LVS flush on stop", &"disabled");
    fifo("Global", global.notify_fifo.as_ref(), lines);
    fifo("VRRP", global.vrrp_notify_fifo.as_ref(), lines);
    let mut line = |name: &str, value: &dyn Display| lines.push(format!(" {name} = {value}"));
    line("FIFO write vrrp states on reload", &yes(global.fifo_write_vrrp_states_on_reload));
    line("VRRP notify priority changes", &yes(global.notify_priority_changes.unwrap_or(false)));
    line("VRRP IPv4 mcast group", &global.mcast_group4);
    line("VRRP IPv6 mcast group", &global.mcast_group6);
    let garp = &global.garp;
    line("Gratuitous ARP delay", &garp.master_delay.as_secs());
    line("Gratuitous ARP repeat", &garp.master_repeat);
    line("Gratuitous ARP refresh timer", &garp.master_refresh.as_secs());
    line("Gratuitous ARP refresh repeat", &garp.master_refresh_repeat);
    line(
        "Gratuitous ARP lower priority delay",
        &garp.lower_prio_delay.unwrap_or(garp.master_delay).as_secs(),
    );
    line("Gratuitous ARP lower priority repeat", &garp.lower_prio_repeat.unwrap_or(garp.master_repeat));
    line("Num adverts before down", &global.down_timer_adverts);
    let extra = global.garp_extra_if.unwrap_or_default();
    line("Gratuitous ARP for each secondary VMAC", &format!("{}s", extra.as_secs()));
    line("Send advert after receive lower priority advert", &yes(!global.lower_prio_no_advert));
    line("Send advert after receive higher priority advert", &yes(global.higher_prio_send_advert));
    let seconds =
        |pause: Option<std::time::Duration>| format!("{:.6}", pause.unwrap_or_default().as_secs_f64());
    line("Gratuitous ARP interval", &seconds(global.garp_interval));
    line("Gratuitous NA interval", &seconds(global.gna_interval));
    line("VRRP default protocol version", &if global.vrrp_version == Version::V3 { 3 } else { 2 });
    let firewall = &global.firewall;
    if let Some(table) = &firewall.nftables {
        lines.push(format!(" nftables table name = {table}"));
        lines.push(format!(" nftables base chain priority = {}", firewall.nftables_priority.unwrap_or(-1)));
        let force = if firewall.nftables_ifindex { "" } else { "don't " };
        lines.push(format!(" nftables {force}force use ifindex for link local IPv6"));
    }
    lines.push(format!(" nftables with{} counters", if firewall.nftables_counters { "" } else { "out" }));
    let mut line = |name: &str, value: &dyn Display| lines.push(format!(" {name} = {value}"));
    line("VRRP check unicast_src", &yes(global.check_unicast_src));
    line("VRRP skip check advert addresses", &yes(global.skip_check_adv_addr));
    line("VRRP strict mode", &yes(global.vrrp_strict));
    let tuning = &global.vrrp_tuning;
    line("Max auto priority", &tuning.max_auto_priority);
    let delay = tuning.min_auto_priority_delay.unwrap_or(std::time::Duration::from_secs(1));
    line("Min auto priority delay", &format_args!("{} usecs", delay.as_micros()));
    line("VRRP process priority", &tuning.nice.map_or(0, i32::from));
    line("VRRP don't swap", &yes(tuning.no_swap));
    line("VRRP realtime priority", &tuning.rt_priority.map_or(0, i32::from));
    line("VRRP realtime limit", &tuning.rlimit_rttime.unwrap_or(RTTIME));
    for process in ["Checker", "BFD"] {
        line(&format!("{process} process priority"), &0);
        line(&format!("{process} don't swap"), &"false");
        line(&format!("{process} realtime priority"), &0);
        line(&format!("{process} realtime limit"), &RTTIME);
    }
    for what in ["vrrp", "checker", "RFCv2", "RFCv3", "traps"] {
        lines.push(format!(" SNMP {what} disabled"));
    }
    lines.push(" SNMP socket = default (unix:/var/agentx/master)".into());
    lines.push(" DBus disabled".into());
    lines.push(" DBus service name = ".into());
    let security = &global.script_security;
    lines.push(format!(" Script security {}", if security.enabled { "enabled" } else { "disabled" }));
    let user = security.default_user.unwrap_or_else(usual_user);
    lines.push(format!(" Default script uid:gid {}:{}", user.uid, user.gid));
    for (name, buffer) in [
        ("vrrp_netlink_cmd", global.netlink_cmd),
        ("vrrp_netlink_monitor", global.netlink_monitor),
        ("process_monitor", global.process_monitor),
        ("lvs_netlink_cmd", ReceiveBuffer::default()),
        ("lvs_netlink_monitor", ReceiveBuffer::default()),
    ] {
        lines.push(format!(" {name}_rcv_bufs = {}", buffer.size));
        lines.push(format!(" {name}_rcv_bufs_force = {}", u8::from(buffer.force)));
    }
    lines.push(" rs_init_notifies = 0".into());
    lines.push(" no_checker_emails = 0".into());
    let policy = &global.rx_bufs;
    if policy.mtu {
        lines.push(" rx_bufs_policy = MTU".into());
    } else if policy.advert {
        lines.push(" rx_bufs_policy = ADVERT".into());
    } else if let Some(size) = policy.size {
        lines.push(format!(" rx_bufs_size = {size}"));
    }
    lines.push(format!(" rx_bufs_multiples = {}", policy.multiplier));
    lines.push(format!(" umask = 0{:o}", global.umask.unwrap_or(0o177)));
    if !global.startup_delay.is_zero() {
        lines.push(format!(" vrrp_startup_delay = {}", global.startup_delay.as_secs_f64()));
    }
}

fn scripts(what: &str, script: Option<&NotifyScript>, lines: &mut Lines) {
    if let Some(script) = script {
        lines.push(format!(
            " {what} script = {}, uid:gid {}:{}",
            quoted(script),
            script.user.uid,
            script.user.gid
        ));
    }
}

fn fifo(what: &str, fifo: Option<&NotifyFifo>, lines: &mut Lines) {
    let Some((fifo, path)) = fifo.and_then(|fifo| Some((fifo, fifo.path.as_ref()?))) else { return };
    let owner = fifo.owner.unwrap_or_default();
    lines.push(format!(" {what} notify fifo = {}, uid:gid {}:{}", path.display(), owner.uid, owner.gid));
    if let Some(script) = &fifo.script {
        lines.push(format!(
            " {what} notify fifo script = {}, uid:gid {}:{}",
            quoted(script),
            script.user.uid,
            script.user.gid
        ));
    }
}

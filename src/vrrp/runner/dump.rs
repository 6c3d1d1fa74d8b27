//! The counters that SIGUSR2 asks for and the JSON, in keepalived's text: exporters read them.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::{Instant, SystemTime};

use crate::ir::vrrp::{Auth, ParamMatch, Vip};
use crate::vrrp::fsm::State;

use super::Core;
use super::addresses;
use super::state_file::{address, items, quoted};

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

/// `keepalived.json` in the version the configuration asks for. The password is left out.
pub(super) fn json_file(core: &Core) -> String {
    let config = core.engine.config();
    if config.global.json_version != 2 {
        return json(core);
    }
    let instances: serde_json::Value = serde_json::from_str(&json(core)).unwrap_or_default();
    let mut whole = serde_json::json!({ "vrrp": instances });
    if !config.track_processes.is_empty() {
        let all = config.track_processes.iter().enumerate().map(|(at, process)| {
            let quorum = core.engine.process(at);
            let mut told = serde_json::json!({
                "process": process.argv[0],
                "param_match": match process.param_match {
                    ParamMatch::None => "none",
                    ParamMatch::Exact => "exact",
                    ParamMatch::Partial => "partial",
                    ParamMatch::Initial => "initial",
                },
                "min_processes": process.quorum,
                "current_processes": quorum.count(),
                "have_quorum": quorum.held(),
                "weight": if process.reverse { -process.weight } else { process.weight },
                "terminate_delay": process.terminate_delay.as_secs_f64(),
                "fork_delay": process.fork_delay.as_secs_f64(),
                "fork_delay_timer_running": false,
                "terminate_delay_timer_running": false,
                "full_command": process.full_command,
            });
            if process.argv.len() > 1 {
                told["parameters"] = process.argv[1..].join(" ").into();
            }
            if let Some(most) = process.quorum_max {
                told["max_processes"] = most.into();
            }
            told
        });
        whole["track_process"] = all.collect();
    }
    whole.to_string() + "\n"
}

/// What other processes of this machine are told: `keepalived.json` with more in it.
pub(super) fn told(core: &Core, now: Instant) -> String {
    let mut all = instances(core);
    for (at, one) in all.iter_mut().enumerate() {
        let seen = &core.sides[at].observed;
        let router = core.engine.router(at);
        let (settings, profile) = (router.settings(), core.engine.profile(at));
        let interval = router.master_interval();
        let skew = interval * (256 - u32::from(router.priority())) / 256;
        let known =
            |address: &IpAddr| profile.unicast() && profile.peers.iter().any(|p| p.address == *address);
        let others: Vec<_> = seen
            .others
            .iter()
            .map(|(address, other)| {
                serde_json::json!({
                    "address": address.to_string(),
                    "priority": other.priority,
                    "refused": other.refused.as_ref().map(ToString::to_string),
                    "peer": known(address),
                    "heard": now.saturating_duration_since(other.heard).as_secs_f64(),
                })
            })
            .collect();
        let parts: Vec<_> = core.engine.explain(at);
        let more = serde_json::json!({
            "reason": seen.reason,
            "parts": parts,
            "jitter": seen.jitter.mean.as_secs_f64(),
            "worst_jitter": seen.jitter.worst.as_secs_f64(),
            "detects": (interval * settings.down_timer_adverts + skew).as_secs_f64(),
            "others": others,
        });
        if let Some(one) = one.as_object_mut() {
            one.insert("tandem".to_owned(), more);
        }
    }
    serde_json::Value::Array(all).to_string() + "\n"
}

/// `keepalived.json`, version 1. The password is left out.
pub(super) fn json(core: &Core) -> String {
    serde_json::Value::Array(instances(core)).to_string() + "\n"
}

fn instances(core: &Core) -> Vec<serde_json::Value> {
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
        let installed = core.sides[at].installed;
        let vips = |vips: &[Vip]| -> Vec<String> {
            let dev = |v| addresses::interface_of(instance, v).unwrap_or("(none)");
            vips.iter().map(|v| address(v, dev(v), installed)).collect()
        };
        let script = |s: &Option<crate::ir::vrrp::NotifyScript>| s.as_ref().map(quoted);
        // keepalived leaves out what is not configured.
        let list = |items: Vec<String>| (!items.is_empty()).then_some(items);
        let tracked = |t: &crate::ir::vrrp::TrackedScript| quoted(&config.script(t.script).command);
        let process = |t: &crate::ir::vrrp::TrackedProcess| {
            config.track_processes[t.process.0 as usize].argv[0].clone()
        };
        let mut data = serde_json::json!({
            "iname": instance.name,
            "dont_track_primary": u8::from(instance.dont_track_primary),
            "skip_check_adv_addr": u8::from(instance.skip_check_adv_addr),
            "strict_mode": u8::from(instance.strict),
            "vmac_ifname": instance.links.first().map_or("", |l| l.name.as_str()),
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
            "script_deleted": script(&instance.notify.deleted),
            "script": script(&instance.notify.generic),
            "script_master_rx_lower_pri": script(&instance.notify.master_rx_lower_pri),
            "vips": list(vips(&instance.vips)),
            "evips": list(vips(&instance.excluded_vips)),
            "vroutes": list(instance.routes.iter().map(|item| items::route(item, None)).collect()),
            "vrules": list(instance.rules.iter().map(|item| items::rule(item, None)).collect()),
            "track_ifp": list(instance.track_interfaces.iter().map(|t| t.name.clone()).collect()),
            "track_script": list(instance.track_scripts.iter().map(tracked).collect()),
            "track_process": list(instance.track_processes.iter().map(process).collect()),
            "auth_data": (instance.auth != Auth::None).then_some("********"),
            "auth_type": match instance.auth { Auth::None => 0, Auth::Pass(_) => 1, Auth::Ah(_) => 2 },
        });
        if let (Some(data), serde_json::Value::Object(more)) = (data.as_object_mut(), more) {
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
                "auth_ext_missing": stats.auth_ext_missing,
                "auth_ext_malformed": stats.auth_ext_malformed,
                "auth_ext_unknown_key": stats.auth_ext_unknown_key,
                "auth_ext_invalid_hmac": stats.auth_ext_invalid_hmac,
                "auth_ext_stale": stats.auth_ext_stale,
                "auth_ext_replay": stats.auth_ext_replay,
                "pri_zero_rcvd": stats.pri_zero_rcvd,
                "pri_zero_sent": stats.pri_zero_sent,
            },
        })
    });
    all.collect()
}

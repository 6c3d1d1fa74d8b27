//! What the configuration says about one instance, as its router and its packets need it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::ir::vrrp::{
    Auth as AuthConfig, Config, InitialState, Instance, UnicastChecksum, Version as VersionConfig,
};

use super::super::fsm::{Garp, Router, Settings};
use super::super::packet::{Auth, ChecksumRule, GROUP_V4, GROUP_V6, Peer, Profile, Version};
use super::{Link, Member};

/// May a running router take the new settings, or must it start over?
pub(super) fn compatible(old: &Instance, new: &Instance) -> bool {
    old.interface == new.interface
        && old.links == new.links
        && old.speaks_on() == new.speaks_on()
        && old.vrid == new.vrid
        && old.version == new.version
        && old.ipv6 == new.ipv6
        && old.src_ip == new.src_ip
        && old.unicast.is_some() == new.unicast.is_some()
        && old.mcast_group == new.mcast_group
        && std::mem::discriminant(&old.auth) == std::mem::discriminant(&new.auth)
}

pub(super) fn member(config: &Config, instance: &Instance, links: &BTreeMap<String, Link>) -> Member {
    Member {
        router: Router::new(settings(config, instance, links)),
        profile: profile(config, instance),
        wants_master: false,
        fault: false,
        started: false,
        blocked: None,
    }
}

/// The address adverts of this instance come from; unspecified while the interface has none.
pub(super) fn own_address(instance: &Instance, links: &BTreeMap<String, Link>) -> IpAddr {
    let link = instance.interface.as_ref().and_then(|name| links.get(name)).copied().unwrap_or_default();
    instance.src_ip.unwrap_or_else(|| {
        if instance.ipv6 {
            link.v6.unwrap_or(Ipv6Addr::UNSPECIFIED).into()
        } else {
            link.v4.unwrap_or(Ipv4Addr::UNSPECIFIED).into()
        }
    })
}

fn settings(config: &Config, instance: &Instance, links: &BTreeMap<String, Link>) -> Settings {
    let garp = &instance.garp;
    let repeat = if config.global.min_garp { 1 } else { garp.master_repeat };
    Settings {
        version: version(instance.version),
        priority: instance.priority,
        interval: instance.advert_interval,
        address: own_address(instance, links),
        preempt: instance.preempt,
        preempt_delay: instance.preempt_delay,
        down_timer_adverts: instance.down_timer_adverts,
        lower_prio_no_advert: instance.lower_prio_no_advert,
        higher_prio_send_advert: instance.higher_prio_send_advert,
        speaks_to_returned: !instance.strict,
        owner_ignore_adverts: instance.owner_ignore_adverts,
        garp: Garp {
            delay: if config.global.min_garp { Duration::ZERO } else { garp.master_delay },
            repeat,
            refresh: garp.master_refresh,
            refresh_repeat: garp.master_refresh_repeat,
            lower_prio_delay: garp.lower_prio_delay,
            lower_prio_repeat: garp.lower_prio_repeat,
        },
        starts_early: instance.initial_state == InitialState::Master && instance.sync_group.is_some(),
        others_highest: instance.timer_expired_backup,
        startup_delay: config.global.startup_delay,
    }
}

fn version(version: VersionConfig) -> Version {
    match version {
        VersionConfig::V2 => Version::V2,
        VersionConfig::V3 => Version::V3,
    }
}

fn profile(config: &Config, instance: &Instance) -> Profile {
    let unicast = instance.unicast.as_ref();
    let peers = unicast.map_or_else(Vec::new, |u| {
        let ttl = |at: usize| match u.peer_ttls.get(at) {
            Some((min, 0)) => (*min, u8::MAX),
            Some(range) => *range,
            None => (0, u8::MAX),
        };
        u.peers.iter().enumerate().map(|(at, peer)| Peer { address: *peer, ttl: ttl(at) }).collect()
    });
    // Unicast adverts name no group; the old checksum form still covers the configured one.
    let global = || match (instance.ipv6, unicast.is_some()) {
        (true, true) => config.global.mcast_group6.into(),
        (true, false) => GROUP_V6.into(),
        (false, true) => config.global.mcast_group4.into(),
        (false, false) => GROUP_V4.into(),
    };
    let group = instance.mcast_group.unwrap_or_else(global);
    Profile {
        version: version(instance.version),
        vrid: instance.vrid,
        interval: instance.advert_interval,
        auth: match instance.auth {
            AuthConfig::None => Auth::None,
            AuthConfig::Pass(key) => Auth::Pass(key.0),
            AuthConfig::Ah(key) => Auth::Ah(key.0),
        },
        addresses: instance.vips.iter().map(|v| v.addr).collect(),
        checksum: if instance.v3_checksum_as_v2 {
            ChecksumRule::AsV2
        } else {
            match unicast.map(|u| u.checksum).unwrap_or_default() {
                UnicastChecksum::Auto => ChecksumRule::Standard,
                UnicastChecksum::Never => ChecksumRule::StandardOnly,
                UnicastChecksum::Old => ChecksumRule::OldUnicast,
            }
        },
        group,
        peers,
        check_source: unicast.is_some_and(|u| u.check_src) || config.global.check_unicast_src,
        ttl: instance.ttl.unwrap_or(64),
        hmac: instance.auth_hmac.clone(),
    }
}

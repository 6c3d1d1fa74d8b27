//! Adverts: authentication, where they go, what fits into one, how often.

use std::time::Duration;

use tandem_parser::{Reason, Span};

use super::super::context::Cx;
use super::super::instance::{AuthType, Draft};
use super::{OWNER, Refused};
use crate::ir::vrrp::{Auth, AuthPass, InitialState, Instance, Unicast, Version};

/// Most addresses an advert can count.
const MOST_ADDRESSES: usize = 255;

impl Cx<'_> {
    pub(super) fn authenticate(&mut self, instance: &mut Instance, draft: &Draft) {
        let Some(kind) = draft.auth_type else { return };
        let name = &instance.name;
        let pass = draft.auth_pass.unwrap_or_default();
        let problem = if instance.strict {
            "Strict mode does not support authentication. Ignoring."
        } else if instance.version == Version::V3 {
            "VRRP version 3 does not support authentication. Ignoring."
        } else if pass == AuthPass::default() || pass.0[0] == 0 {
            "Authentication specified but no password given. Ignoring"
        } else if instance.ipv6 && kind == AuthType::Ah {
            "Cannot use AH authentication with IPv6. ignoring"
        } else {
            instance.auth = match kind {
                AuthType::Pass => Auth::Pass(pass),
                AuthType::Ah => Auth::Ah(pass),
            };
            if kind == AuthType::Ah
                && instance.initial_state == InitialState::Master
                && instance.priority != OWNER
            {
                let text = format!(
                    "({name}) Initial state master is incompatible with AH authentication - clearing"
                );
                self.late(Reason::Conflict, draft.span, text)
                    .help("a sequence number must have been heard first; it becomes master after three adverts of silence");
                instance.initial_state = InitialState::Backup;
            }
            return;
        };
        self.late(Reason::Conflict, draft.span, format!("({name}) {problem}"));
    }

    pub(super) fn unicast(&mut self, instance: &mut Instance, draft: &Draft) -> Result<(), Refused> {
        let name = instance.name.clone();
        let global = &self.config.global;
        let group = if instance.ipv6 { global.mcast_group6.into() } else { global.mcast_group4.into() };
        let unicast = Unicast {
            peers: draft.peers.iter().map(|(peer, _)| *peer).collect(),
            peer_ttls: draft.peers.iter().map(|(_, ttls)| *ttls).collect(),
            fault_without_peers: draft.fault_without_peers,
            check_src: draft.check_src || global.check_unicast_src,
            checksum: draft.checksum,
        };
        if !draft.unicast_word {
            instance.mcast_group = draft.mcast_group.or(Some(group));
            return Ok(());
        }
        if unicast.peers.is_empty() && !draft.fault_without_peers {
            let text = format!(
                "({name}) A unicast keyword has been specified without any unicast peers. Defaulting to multicast. This usage is deprecated - please update your configuration."
            );
            self.late(Reason::Incomplete, draft.span, text)
                .help("add the other routers' addresses in unicast_peer { }");
            instance.mcast_group = draft.mcast_group.or(Some(group));
            return Ok(());
        }
        if unicast.peers.is_empty() {
            let text = format!("({name}) Cannot use unicast without any peers - going to fault state");
            self.log(draft.span, &text);
            instance.config_faults.push(text);
        } else if draft.mcast_group.is_some() {
            let text = format!("({name}) multicast destination specified with unicast - ignoring");
            self.late(Reason::Conflict, draft.span, text);
        }
        instance.unicast = Some(unicast);
        Ok(())
    }

    pub(super) fn limit_vips(&mut self, instance: &mut Instance, mtu: u32, span: Span) {
        let head = match (instance.ipv6, instance.version, instance.auth) {
            (true, _, _) => 14 + 40 + 8,
            (false, Version::V3, _) => 14 + 20 + 8,
            (false, Version::V2, Auth::Ah(_)) => 14 + 20 + 8 + 8 + 24,
            (false, Version::V2, _) => 14 + 20 + 8 + 8,
        };
        let size = if instance.ipv6 { 16 } else { 4 };
        let most = (usize::try_from(mtu).unwrap_or(1500).saturating_sub(head) / size).min(MOST_ADDRESSES);
        if instance.vips.len() > most {
            let text = format!(
                "({}) Number of VIPs ({}) exceeds maximum/space available in packet (max {most} addresses) - excess moved to eVIPs",
                instance.name,
                instance.vips.len()
            );
            self.late(Reason::OutOfRange, span, text);
            let excess = instance.vips.split_off(most);
            instance.excluded_vips.extend(excess);
        }
    }

    pub(super) fn advert_interval(&mut self, instance: &mut Instance, draft: &Draft) {
        let wanted = draft.advert_interval.unwrap_or(Duration::from_secs(1));
        let (name, span) = (&instance.name, draft.span);
        let seconds = wanted.as_secs_f64();
        let (version, unit, limit) = match instance.version {
            Version::V2 => (2, 1_000_000, Duration::from_secs(256)),
            Version::V3 => (3, 10_000, Duration::from_millis(40_960)),
        };
        instance.advert_interval = wanted;
        if wanted >= limit {
            let last = limit - Duration::from_micros(unit);
            let text = if version == 2 {
                format!(
                    "({name}) VRRPv2 advertisement interval {seconds:.2}s is out of range. Must be less than 256s. Setting to 255s"
                )
            } else {
                format!(
                    "({name}) VRRPv3 advertisement interval {seconds:.2}s is out of range. Must be less than 40.96s. Setting to 40.95s"
                )
            };
            self.late(Reason::OutOfRange, span, text);
            instance.advert_interval = last;
            return;
        }
        let micros = u64::try_from(wanted.as_micros()).unwrap_or(0);
        if micros % unit == 0 {
            return;
        }
        let text = if version == 2 {
            format!("({name}) VRRPv2 advertisement interval {seconds:.6}s must be an integer. rounding")
        } else {
            format!(
                "({name}) VRRPv3 advertisement interval {seconds:.6}s must be in units of 10ms - rounding"
            )
        };
        let said = self.late(Reason::OutOfRange, span, text);
        if version == 2 {
            said.help("'version 3' takes intervals in units of 10 ms, on every router of this VRID");
        }
        let rounded = (micros + unit / 2) / unit * unit;
        instance.advert_interval = Duration::from_micros(rounded.max(unit));
    }
}

//! What can only be said once the whole file is known: keepalived's completion, in its order.

use std::time::Duration;

use tandem_parser::keepalived::{Class, Voice};
use tandem_parser::{Reason, Span};

use super::context::Cx;
use super::group::GroupDraft;
use super::instance::{AuthType, Draft};
use crate::ir::vrrp::{Auth, AuthPass, InitialState, Instance, InstanceIdx, SyncGroupIdx, Unicast, Version};

const OWNER: u8 = 255;
const DEFAULT_ADVERTS: u32 = 3;
/// Most addresses an advert can count.
const MOST_ADDRESSES: usize = 255;

/// keepalived would not start VRRP.
pub(super) struct Refused;

impl Cx<'_> {
    /// Finishes instances and groups.
    pub(super) fn complete(&mut self, drafts: &mut [Draft], groups: Vec<GroupDraft>) -> Result<(), Refused> {
        let global = &mut self.config.global;
        global.garp.lower_prio_repeat.get_or_insert(global.garp.master_repeat);
        global.garp.lower_prio_delay.get_or_insert(global.garp.master_delay);
        self.group_spans = groups.iter().map(|draft| draft.span).collect();
        let (mut metas, mut built) = (Vec::new(), Vec::new());
        for draft in groups {
            built.push(draft.group);
            metas.push((draft.span, draft.members, draft.smtp_alert, draft.priority_changes));
        }
        self.config.sync_groups = built;
        self.check_vrrp_scripts();

        for (index, draft) in drafts.iter().enumerate() {
            self.minimal(index, draft)?;
        }
        self.sync_groups(drafts, metas);

        let mut instances = std::mem::take(&mut self.config.instances);
        let mut result = Ok(());
        for (instance, draft) in instances.iter_mut().zip(drafts.iter_mut()) {
            result = self.complete_instance(instance, draft);
            if result.is_err() {
                break;
            }
        }
        self.config.instances = instances;
        result?;
        self.virtual_links();
        self.vrid_conflicts(drafts)
    }

    fn minimal(&mut self, index: usize, draft: &Draft) -> Result<(), Refused> {
        let name = self.config.instances[index].name.clone();
        let Some(vrid) = draft.vrid else {
            self.refuse(
                Reason::Incomplete,
                draft.span,
                format!("({name}) the virtual router id must be set"),
            );
            return Err(Refused);
        };
        self.config.instances[index].vrid = vrid;
        if draft.interface.is_none() {
            self.refuse(Reason::Incomplete, draft.span, format!("({name}) Unknown interface!"));
            return Err(Refused);
        }
        Ok(())
    }

    #[allow(clippy::type_complexity, reason = "the four parts of a group draft, used once")]
    fn sync_groups(
        &mut self,
        drafts: &[Draft],
        metas: Vec<(Span, Option<Vec<tandem_parser::keepalived::Word>>, Option<bool>, Option<bool>)>,
    ) {
        let mut kept = Vec::new();
        let groups = std::mem::take(&mut self.config.sync_groups);
        for (mut group, (span, members, smtp_alert, priority_changes)) in groups.into_iter().zip(metas) {
            let name = group.name.clone();
            let Some(members) = members else {
                self.late(
                    Reason::Incomplete,
                    span,
                    format!("Sync group {name} has no virtual router(s). removing"),
                );
                continue;
            };
            let number = SyncGroupIdx(u32::try_from(kept.len()).unwrap_or(u32::MAX));
            let mut owners: Option<bool> = None;
            for member in &members {
                let Some(index) =
                    self.config.instances.iter().position(|instance| instance.name == member.text)
                else {
                    let text = format!(
                        "Virtual router {} specified in sync group {name} doesn't exist - ignoring",
                        member.text
                    );
                    self.late(Reason::UnknownReference, member.span, text);
                    continue;
                };
                if self.config.instances[index].sync_group.is_some() {
                    let text = format!(
                        "Virtual router {} cannot exist in more than one sync group; ignoring {name}",
                        member.text
                    );
                    self.late(Reason::Conflict, member.span, text);
                    continue;
                }
                self.config.instances[index].sync_group = Some(number);
                group.instances.push(InstanceIdx(u32::try_from(index).unwrap_or(u32::MAX)));
                let draft = &drafts[index];
                if owners == Some(true) && draft.state == Some(InitialState::Backup) {
                    let text = format!(
                        "Sync group {name} has some member(s) as address owner and some not as address owner. This won't work."
                    );
                    self.late(Reason::Conflict, member.span, text);
                }
                if owners != Some(false) {
                    let owner = draft.state == Some(InitialState::Master) && draft.priority == Some(OWNER);
                    owners = Some(owner);
                }
            }
            if group.instances.is_empty() {
                let text = format!(
                    "Sync group {name}, no matching virtual router found in group declaration - removing"
                );
                self.late(Reason::Incomplete, span, text);
                continue;
            }
            if group.instances.len() == 1 {
                let text = format!(
                    "Sync group {name} has only 1 virtual router(s) - this probably isn't what you want"
                );
                self.late(Reason::Incomplete, span, text);
            }
            let global = &self.config.global;
            group.smtp_alert = smtp_alert.or(global.smtp_alert_vrrp).or(global.smtp_alert).unwrap_or(false);
            let changes = priority_changes.or(global.notify_priority_changes);
            group.notify.priority_changes = changes.unwrap_or(false);
            kept.push((group, priority_changes));
        }
        self.group_priority_changes = kept.iter().map(|(_, changes)| *changes).collect();
        self.config.sync_groups = kept.into_iter().map(|(group, _)| group).collect();
    }

    fn complete_instance(&mut self, instance: &mut Instance, draft: &mut Draft) -> Result<(), Refused> {
        let span = draft.span;
        let name = instance.name.clone();
        let strict = draft.strict.unwrap_or(self.config.global.vrrp_strict);
        instance.strict = strict;
        if draft.family == Some(true) && draft.version == Some(Version::V2) && strict {
            let text = format!("({name}) cannot use IPv6 with VRRP version 2; setting version 3");
            self.late(Reason::Conflict, span, text);
            draft.version = Some(Version::V3);
        }
        instance.ipv6 = draft.family == Some(true);
        instance.version = draft.version.unwrap_or(if instance.ipv6 {
            Version::V3
        } else {
            self.config.global.vrrp_version
        });
        instance.ttl = draft.ttl.or(if instance.ipv6 { None } else { Some(255) });
        self.require_vip(instance, draft)?;

        instance.priority = draft.priority.unwrap_or(match draft.state {
            Some(InitialState::Master) => OWNER,
            _ => 100,
        });
        let by_priority =
            if instance.priority == OWNER { InitialState::Master } else { InitialState::Backup };
        instance.initial_state = draft.state.unwrap_or(by_priority);
        if strict && instance.initial_state != by_priority {
            self.late(
                Reason::Conflict,
                span,
                format!("({name}) State MASTER must match being address owner"),
            );
            instance.initial_state = by_priority;
        }
        self.authenticate(instance, draft);
        self.sign_adverts(instance, draft)?;
        let facts = draft.interface.unwrap_or_default();
        self.unicast(instance, draft)?;
        if strict && instance.unicast.is_some() && facts.multicast {
            self.refuse(
                Reason::Conflict,
                span,
                format!("({name}) Unicast peers are not supported in strict mode"),
            );
            return Err(Refused);
        }
        if !facts.multicast && instance.unicast.is_none() {
            let interface = instance.interface.clone().unwrap_or_default();
            let text = format!(
                "({name}) interface {interface} does not support multicast, specify unicast peers - disabling"
            );
            self.late(Reason::Environment, span, &text);
            instance.config_faults.push(text);
        }
        if instance.ipv6 && instance.unicast.is_none() {
            let local = instance.vips.first().is_none_or(|vip| match vip.addr {
                std::net::IpAddr::V6(addr) => addr.segments()[0] & 0xffc0 == 0xfe80,
                std::net::IpAddr::V4(_) => true,
            });
            match (local, strict) {
                (true, _) => {}
                (false, true) => {
                    self.late(
                        Reason::Conflict,
                        span,
                        format!("({name}) the first IPv6 VIP address must be link local"),
                    );
                }
                (false, false) => {
                    self.log(span, format!("({name}) the first IPv6 VIP address should be link local"));
                }
            }
        }
        self.limit_vips(instance, facts.mtu, span);
        self.preemption(instance, span);
        if instance.down_timer_adverts != DEFAULT_ADVERTS && strict {
            let text = format!("({name}) down_timer_adverts is incompatible with strict mode - resetting");
            self.late(Reason::Conflict, span, text);
            instance.down_timer_adverts = DEFAULT_ADVERTS;
        }
        self.accept_mode(instance, draft);
        self.strict_settings(instance, draft);
        self.notifications(instance, draft);
        self.advert_interval(instance, draft);
        instance.track_src_ip &= instance.src_ip.is_some();
        self.own_interface(instance, span);
        self.require_vip(instance, draft)?;
        self.weights(instance, span);
        Ok(())
    }

    fn require_vip(&mut self, instance: &Instance, draft: &Draft) -> Result<(), Refused> {
        if !instance.vips.is_empty() || draft.no_vip_on_purpose {
            return Ok(());
        }
        let name = &instance.name;
        if instance.version == Version::V3 || instance.strict {
            self.refuse(
                Reason::Incomplete,
                draft.span,
                format!("({name}) No VIP specified; at least one is required"),
            );
            return Err(Refused);
        }
        // keepalived says it twice; once is enough.
        let text = format!("({name}) No VIP specified; at least one is sensible");
        if !self.report.diagnostics.iter().any(|said| said.message == text) {
            self.classed(Voice::Plain, Class::General, Reason::Incomplete, draft.span, text);
        }
        Ok(())
    }

    fn authenticate(&mut self, instance: &mut Instance, draft: &Draft) {
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

    fn unicast(&mut self, instance: &mut Instance, draft: &Draft) -> Result<(), Refused> {
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

    fn limit_vips(&mut self, instance: &mut Instance, mtu: u32, span: Span) {
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

    fn preemption(&mut self, instance: &mut Instance, span: Span) {
        let name = instance.name.clone();
        let mut say = |text: String| self.late(Reason::Conflict, span, format!("({name}) {text}")).done();
        if instance.priority == OWNER && !instance.preempt {
            say(format!("nopreempt is incompatible with priority {OWNER}. resetting nopreempt"));
            instance.preempt = true;
        }
        if instance.initial_state == InitialState::Master {
            if !instance.preempt {
                say("Warning - nopreempt will not work with initial state MASTER - clearing".into());
                instance.preempt = true;
            }
            if !instance.preempt_delay.is_zero() {
                say("Warning - preempt delay will not work with initial state MASTER - clearing".into());
                instance.preempt_delay = Duration::ZERO;
            }
        }
        if !instance.preempt_delay.is_zero() {
            if instance.strict {
                say("preempt_delay is incompatible with strict mode - resetting".into());
                instance.preempt_delay = Duration::ZERO;
            }
            if !instance.preempt {
                say("preempt_delay is incompatible with nopreempt mode - resetting".into());
                instance.preempt_delay = Duration::ZERO;
            }
        }
    }

    fn accept_mode(&mut self, instance: &mut Instance, draft: &Draft) {
        let owner = instance.priority == OWNER;
        instance.accept = draft.accept.unwrap_or(owner || !instance.strict);
        if instance.accept && !owner && instance.strict && instance.version == Version::V2 {
            let text = format!(
                "({}) warning - accept mode for VRRP version 2 does not comply with RFC3768 - resetting",
                instance.name
            );
            self.late(Reason::Conflict, draft.span, text);
            instance.accept = false;
        }
        if (!instance.accept || instance.vmac.is_some()) && self.config.global.firewall.nftables.is_none() {
            let text = "use_vmac or no_accept/strict specified, but no firewall configured - using nftables";
            self.log(draft.span, text);
            self.config.global.firewall.nftables = Some("keepalived".into());
        }
    }

    fn strict_settings(&mut self, instance: &mut Instance, draft: &Draft) {
        let (name, strict, span) = (instance.name.clone(), instance.strict, draft.span);
        let global = &self.config.global;
        let (lower_repeat, lower_delay) = (global.garp.lower_prio_repeat, global.garp.lower_prio_delay);
        let (no_advert, send_advert) = (global.lower_prio_no_advert, global.higher_prio_send_advert);
        let mut say = |text: &str| self.late(Reason::Conflict, span, format!("({name}) {text}")).done();
        instance.garp.lower_prio_repeat = match draft.garp_lower_prio_repeat {
            None if strict => 0,
            None => lower_repeat.unwrap_or(5),
            Some(count) if strict && count > 0 => {
                say("Strict mode requires no repeat garps. resetting");
                0
            }
            Some(count) => count,
        };
        instance.garp.lower_prio_delay = match draft.garp_lower_prio_delay {
            None if strict => Duration::ZERO,
            None => lower_delay.unwrap_or(Duration::from_secs(5)),
            Some(delay) if strict && !delay.is_zero() => {
                say("Strict mode requires no repeat garp delay. resetting");
                Duration::ZERO
            }
            Some(delay) => delay,
        };
        instance.lower_prio_no_advert = match draft.lower_prio_no_advert {
            None => strict || no_advert,
            Some(false) if strict => {
                say("Strict mode requires no lower priority advert. resetting");
                true
            }
            Some(on) => on,
        };
        instance.higher_prio_send_advert = match draft.higher_prio_send_advert {
            None => !strict && send_advert,
            Some(true) if strict => {
                say("strict mode requires higher_prio_send_advert to be clear. resetting");
                false
            }
            Some(on) => on,
        };
    }

    fn notifications(&mut self, instance: &mut Instance, draft: &Draft) {
        let global = &self.config.global;
        instance.smtp_alert =
            draft.smtp_alert.or(global.smtp_alert_vrrp).or(global.smtp_alert).unwrap_or(false);
        let group = instance
            .sync_group
            .and_then(|group| self.group_priority_changes.get(group.0 as usize).copied().flatten());
        instance.notify.priority_changes =
            draft.priority_changes.or(group).or(global.notify_priority_changes).unwrap_or(false);
        let extra =
            draft.extra_if.or_else(|| global.garp_extra_if.map(|time| (time, global.garp_extra_if_all)));
        instance.garp.extra_if = extra.map(|(time, _)| time);
        instance.garp.extra_if_all = extra.is_some_and(|(_, all)| all);
    }

    fn advert_interval(&mut self, instance: &mut Instance, draft: &Draft) {
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

    /// The interface of an instance is tracked without being asked.
    fn own_interface(&mut self, instance: &mut Instance, span: Span) {
        let (name, own) = (instance.name.clone(), instance.interface.clone());
        instance.track_interfaces.retain(|tracked| {
            let same = own.as_deref() == Some(tracked.name.as_str());
            if same {
                let text = format!("({name}) Ignoring track_interface {} since own interface", tracked.name);
                self.late(Reason::Conflict, span, text).help("a link failure of it is FAULT already");
            }
            !same
        });
    }

    /// Weights cannot count in a sync group without `sync_group_tracking_weight`, nor for an address owner.
    fn weights(&mut self, instance: &mut Instance, span: Span) {
        let grouped = instance
            .sync_group
            .is_some_and(|group| !self.config.sync_groups[group.0 as usize].tracking_weight);
        if !grouped && instance.priority != OWNER {
            return;
        }
        let name = instance.name.clone();
        let why = if grouped { "SYNC group" } else { "address_owner" };
        instance.track_interfaces.retain_mut(|tracked| {
            if tracked.weight != 0 {
                let (what, why) = if grouped { ("weight ", "SYNC group") } else { ("", "address owner") };
                let text = format!("({name}) ignoring {} tracked interface {what}due to {why}", tracked.name);
                self.late(Reason::Conflict, span, text);
                tracked.weight = 0;
                return grouped;
            }
            true
        });
        let scripts: Vec<String> = self.config.scripts.iter().map(|script| script.name.clone()).collect();
        instance.track_scripts.retain(|tracked| {
            if tracked.weight != 0 {
                let script = scripts.get(tracked.script.0 as usize).map_or("?", String::as_str);
                let text = format!("({name}) ignoring tracked script {script} with weights due to {why}");
                self.late(Reason::Conflict, span, text);
            }
            tracked.weight == 0
        });
        let files: Vec<String> = self.config.track_files.iter().map(|file| file.name.clone()).collect();
        instance.track_files.retain_mut(|tracked| {
            let file = files.get(tracked.file.0 as usize).map_or("?", String::as_str);
            match tracked.weight {
                0 => true,
                1 => {
                    let text = format!(
                        "({name}) ignoring weight from tracked file {file} due to {why}. specify weight 0"
                    );
                    self.late(Reason::Conflict, span, text);
                    tracked.weight = 0;
                    true
                }
                weight => {
                    let text =
                        format!("({name}) ignoring tracked file {file} with weight {weight} due to {why}");
                    self.late(Reason::Conflict, span, text);
                    false
                }
            }
        });
        instance.track_bfd.retain(|tracked| {
            if tracked.weight != 0 {
                let text = format!(
                    "({name}) ignoring tracked bfd {} with weight {} due to {why}",
                    tracked.name, tracked.weight
                );
                self.late(Reason::Conflict, span, text);
            }
            tracked.weight == 0
        });
    }

    fn vrid_conflicts(&mut self, drafts: &[Draft]) -> Result<(), Refused> {
        let mut conflicts = Vec::new();
        let instances = &self.config.instances;
        for (index, one) in instances.iter().enumerate() {
            for two in &instances[index + 1..] {
                let same = one.ipv6 == two.ipv6 && one.vrid == two.vrid && one.interface == two.interface;
                if !same || one.unicast.is_some() != two.unicast.is_some() {
                    continue;
                }
                let text = match (&one.unicast, &two.unicast) {
                    (Some(a), Some(b)) => {
                        let (Some(from_a), Some(from_b)) = (one.src_ip, two.src_ip) else { continue };
                        if from_a != from_b || !a.peers.iter().any(|peer| b.peers.contains(peer)) {
                            continue;
                        }
                        format!("({}) duplicate VRID conflict with {} VRID {}", one.name, two.name, one.vrid)
                    }
                    _ if one.mcast_group != two.mcast_group => continue,
                    _ => format!(
                        "{} and {} both use VRID {} with IPv{} on interface {}",
                        one.name,
                        two.name,
                        one.vrid,
                        if one.ipv6 { 6 } else { 4 },
                        one.interface.as_deref().unwrap_or("?")
                    ),
                };
                conflicts.push((drafts[index].span, text));
            }
        }
        for (span, text) in &conflicts {
            self.refuse(Reason::Conflict, *span, text);
        }
        if conflicts.is_empty() { Ok(()) } else { Err(Refused) }
    }
}

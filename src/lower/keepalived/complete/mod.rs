//! What can only be said once the whole file is known: keepalived's completion, in its order.
//!
//! | file | what it completes |
//! |---|---|
//! | [`groups`] | sync groups |
//! | [`adverts`] | authentication, peers, addresses in an advert, interval |
//! | [`election`] | preemption, accepting, announcements, notices |
//! | [`tracking`] | what is tracked |
//! | [`conflicts`] | instances that would be one virtual router |

mod adverts;
mod conflicts;
mod election;
mod groups;
mod tracking;

use tandem_parser::Reason;
use tandem_parser::keepalived::{Class, Voice};

use super::context::Cx;
use super::group::GroupDraft;
use super::instance::Draft;
use crate::ir::vrrp::{InitialState, Instance, Version};

const OWNER: u8 = 255;
const DEFAULT_ADVERTS: u32 = 3;

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
        // From keepalived 2.3 on whoever speaks to certain addresses needs none, and may name a VRF.
        let speaks = !draft.peers.is_empty() && self.config.instances[index].src_ip.is_some();
        if draft.interface.is_none() && !speaks {
            self.refuse(Reason::Incomplete, draft.span, format!("({name}) Unknown interface!"));
            return Err(Refused);
        }
        Ok(())
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
}

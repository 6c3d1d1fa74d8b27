//! The election and what goes with a change of it: preemption, accepting, announcements, notices.

use std::time::Duration;

use tandem_parser::{Reason, Span};

use super::super::context::Cx;
use super::super::instance::Draft;
use super::OWNER;
use crate::ir::vrrp::{InitialState, Instance, Version};

impl Cx<'_> {
    pub(super) fn preemption(&mut self, instance: &mut Instance, span: Span) {
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

    pub(super) fn accept_mode(&mut self, instance: &mut Instance, draft: &Draft) {
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

    pub(super) fn strict_settings(&mut self, instance: &mut Instance, draft: &Draft) {
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

    pub(super) fn notifications(&mut self, instance: &mut Instance, draft: &Draft) {
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
}
